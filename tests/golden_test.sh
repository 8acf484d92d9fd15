#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What metergate-replay writes for each capture, compared with what it wrote
# when somebody last looked: facts without a policy, verdicts under
# tests/policies/metering, agents for what is HTTP, services for what tests/gen_net.py
# makes; of the captures of oBIX programs, which are of no machine of ours, facts
# alone. UPDATE=1 writes the goldens again; look at the difference before
# committing it.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
replay=$BUILD/bin/metergate-replay
shared=${METERGATE_SHARED:-../shared}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
rc=0

compare() { # name, golden, arguments
	local name=$1 golden=$2 got
	shift 2
	"$replay" --format text "$@" >"$out" 2>&1
	got=$?
	if [ $got -gt 1 ]; then
		echo "not ok $name: exit $got, $(tail -n 1 "$out")"
		rc=1
		return
	fi
	echo "exit: $got" >>"$out"
	if [ "${UPDATE:-}" ]; then
		cp "$out" "$golden"
		echo "ok $name written"
	elif diff -u "$golden" "$out" >"$out.diff" 2>&1; then
		echo "ok $name"
	else
		echo "not ok $name"
		head -n 20 "$out.diff"
		rc=1
	fi
	rm -f "$out.diff"
}

for cap in tests/pcaps/*.pcap; do
	base=${cap%.pcap} name=$(basename "${cap%.pcap}") set=metering more=()
	case $name in
	gen_http_between) set= ;; # tests/policies/captures has its verdicts
	gen_http_*) set=agents ;;
	gen_net_*) set=services more=(--resolver 10.20.0.53) ;;
	esac
	compare "facts of $name" "$base.facts.expect" -k tests/pcaps/keys.yaml "$cap"
	[ "$set" ] && compare "verdicts of $name" "$base.verdicts.expect" \
		-p tests/policies/$set "${more[@]}" -k tests/pcaps/keys.yaml "$cap"
done
if [ -d "$shared/pcaps/c1222" ]; then
	for cap in "$shared"/pcaps/c1222/c1222*.*cap; do
		name=$(basename "${cap%.*}")
		base=tests/pcaps/public/$name
		compare "facts of $name" "$base.facts.expect" -k tests/pcaps/keys.yaml "$cap"
		compare "verdicts of $name" "$base.verdicts.expect" \
			-p tests/policies/metering -k tests/pcaps/keys.yaml -g mdma=0.0.0.0/0:1153 "$cap"
	done
else
	echo "SKIP: the public captures are not in $shared/pcaps/c1222"
fi
if [ -d "$shared/pcaps/obix" ]; then
	for cap in "$shared"/pcaps/obix/*.pcap; do
		name=$(basename "${cap%.pcap}")
		compare "facts of $name" "tests/pcaps/public/$name.facts.expect" "$cap"
	done
else
	echo "SKIP: the captures of oBIX are not in $shared/pcaps/obix"
fi
exit $rc
