#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The memory of a replay does not grow with the capture: peak of a small and
# of a ten times larger one, within 10 %.
#   tests/memory_test.sh [SMALL_MB LARGE_MB]   default 5 and 50
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
small=${1:-5} large=${2:-50}
work=$(mktemp -d "$BUILD/memory-XXXXXX")
trap 'rm -rf "$work"' EXIT

peak() { # capture, further options: KiB
	python3 - "$@" <<-'EOF'
	import os, subprocess, sys
	p = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
	_, status, usage = os.wait4(p.pid, 0)
	if os.waitstatus_to_exitcode(status) not in (0, 1):
	    sys.exit("replay failed")
	print(usage.ru_maxrss)
	EOF
}
rc=0
for n in $small $large; do
	python3 tests/gen_polling.py --size "${n}M" --out "$work/$n.pcap" >/dev/null 2>&1
done
compare() { # name, options
	local name=$1 a b
	shift
	a=$(peak "$BUILD/bin/metergate-replay" "$@" "$work/$small.pcap")
	b=$(peak "$BUILD/bin/metergate-replay" "$@" "$work/$large.pcap")
	if [ $((b * 10)) -le $((a * 11)) ]; then
		echo "ok memory of $name: $a KiB for $small MB, $b KiB for $large MB"
	else
		echo "not ok memory of $name grows: $a KiB for $small MB, $b KiB for $large MB"
		rc=1
	fi
}
compare "facts only"
compare "policy" -p tests/policies/polling
exit $rc
