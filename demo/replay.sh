#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo, first form: captures of C12.22 traffic go in; what was allowed,
# what was refused and why, a verified audit and the packets that would have
# left come out. Everything it writes is under build/demo.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
out=$BUILD/demo
policy=tests/policies/metering
replay=$BUILD/bin/metergate-replay
audit=$BUILD/bin/metergate-audit
shared=${METERGATE_SHARED:-../shared}
rm -rf "$out" && mkdir -p "$out"

title() { printf '\n== %s\n' "$*"; }

title "The policy, checked and tested ($policy)"
"$BUILD/bin/polc" check $policy/*.yaml || exit 1
"$BUILD/bin/polc" test $policy/*.yaml | tail -n 1

# The first lines of a kind, without the time, each reason once.
show() { # verdict, file, how many
	sed -E "s/^[^ ]+ $1 (decision|violation|anomaly) //" "$2" |
		awk -v most="$3" '{
			why = $0; sub(/^[^:]*: /, "", why); sub(/[,;].*/, "", why)
			if (!(why in seen) && n < most) { seen[why]; n++; print }
		}' | sed "s/^/  $1  /" | cut -c 1-200
}

run() { # capture, further options
	local cap=$1 name rc
	shift
	name=$(basename "${cap%.*}")
	title "$name"
	"$replay" -p $policy -k tests/pcaps/keys.yaml "$@" --format text \
		--allowed "$out/$name.allowed.pcap" --denied "$out/$name.denied.pcap" \
		--audit "$out/$name.audit.db" "$cap" >"$out/$name.txt" 2>"$out/$name.err"
	rc=$?
	if [ $rc -gt 1 ]; then
		cat "$out/$name.err"
		return 1
	fi
	# Decisions about observations; packets of a connection that was
	# refused earlier are counted, not shown.
	grep -E 'Z allow decision ' "$out/$name.txt" >"$out/allowed.tmp"
	grep -E 'Z deny (violation|anomaly) ' "$out/$name.txt" |
		grep -vE ': (tcp-flow-denied|sibling-denied)' >"$out/denied.tmp"
	echo "allowed: $(wc -l <"$out/allowed.tmp")   refused: $(wc -l <"$out/denied.tmp")   packets of refused connections: $(grep -cE ': (tcp-flow-denied|sibling-denied)' "$out/$name.txt")"
	show allow "$out/allowed.tmp" 2
	show deny "$out/denied.tmp" 3
	rm -f "$out/allowed.tmp" "$out/denied.tmp"
	printf 'audit:   '
	"$audit" verify "$out/$name.audit.db" | tail -n 1 || rc=2
	echo "would have left: $out/$name.allowed.pcap"
	[ $rc -le 1 ]
}

failed=0
for cap in tests/pcaps/*.pcap; do
	run "$cap" || failed=1
done
if [ -d "$shared/pcaps/c1222" ]; then
	# Meters of other people: whoever has the port of C12.22 is the machine,
	# and what talks to it is nobody that our policy knows.
	for cap in "$shared"/pcaps/c1222/c1222*.*cap; do
		run "$cap" -g mdma=0.0.0.0/0:1153 || failed=1
	done
else
	title "The public captures are not here ($shared/pcaps/c1222); skipped"
fi
title "All of it lies in $out; look further (the second line needs the package jq)"
echo "  $audit show $out/gen_polling.audit.db --verdict deny"
echo "  $replay -p $policy tests/pcaps/gen_polling.pcap | jq -c 'select(.event_type==\"violation\")'"
exit $failed
