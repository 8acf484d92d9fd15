#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# polc and captures: replay, explain --event, diff --replay, init --from.
set -u
cd "$(dirname "$0")/.." || exit 2
polc=$(realpath -m "${BUILD:-build}/bin/polc")
replay=${polc%/polc}/metergate-replay
cap=tests/pcaps/gen_polling.pcap
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rc=0

# name, expected exit code, a text that must be somewhere in the output ("-":
# none), command...
try() {
	local name=$1 want=$2 text=$3 got
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ "$got" -ne "$want" ]; then
		echo "not ok $name: exit $got, not $want"
	elif [ "$text" != - ] && ! cat "$tmp/out" "$tmp/err" | grep -qF -e "$text"; then
		echo "not ok $name: does not say '$text'"
	else
		echo "ok $name"
		return
	fi
	head -n 5 "$tmp/out" "$tmp/err" | sed 's/^/# /'
	rc=1
}
is() { # name, condition...
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; rc=1; fi
}

# replay: the numbers of one command are those of the other
try "replay" 0 "37 observations permitted, 5 refused: 5 too-far-back" \
	"$polc" replay tests/policies/metering $cap
is "replay says what it said" cmp -s "$tmp/out" tests/policies/metering/replay.expect
"$replay" --format text -p tests/policies/metering $cap |
	grep -E '^[^ ]* (allow decision|deny violation|deny anomaly)' >"$tmp/a"
sed -n 's/^[0-9]* \(2[^ ]* \(allow\|deny\) \)/\1/p' "$tmp/out" >"$tmp/b"
is "the verdicts are those of metergate-replay" cmp -s "$tmp/a" "$tmp/b"
is "there are 42" [ "$(wc -l <"$tmp/a")" = 42 ]
try "replay without its messages" 0 "1 of 20" "$polc" replay -q tests/policies/metering $cap
is "has none" [ "$(grep -c decision "$tmp/out")" = 0 ]
try "replay for programs" 0 '"event_type":"summary"' "$polc" replay --json tests/policies/metering $cap
is "numbers and sum agree" python3 - "$tmp/out" <<'EOF'
import json, sys
*events, last = map(json.loads, open(sys.argv[1], encoding="utf-8"))
assert [e["metergate"]["seq"] for e in events] == list(range(1, 43))
assert sum(e["metergate"]["verdict"] == "allow" for e in events) == last["permitted"] == 37
assert last["refused"] == {"too-far-back": 5} and last["dropped"] == 5, last
days = [b for b in last["budgets"] if b["name"] == "allow/send-registers: 1 reading per day"]
assert [(b["day"], b["used"], b["limit"]) for b in days] == [
    ("2023-11-%d" % d, 1, 1) for d in range(14, 19)], days
EOF
try "replay of a machine that the binding does not know" 2 "no such machine" \
	"$polc" replay -g tips=10.20.0.10 tests/policies/metering $cap
try "replay with a wrong -g" 2 "write GUEST" "$polc" replay -g x tests/policies/metering $cap
try "replay without a capture" 2 "a set and a capture" "$polc" replay tests/policies/metering
try "replay of what is no capture" 6 "README.md" "$polc" replay tests/policies/metering README.md
try "replay under what is no policy" 1 "P4001" "$polc" replay tests/policies/bad/p4001-overlap.yaml $cap

# explain --event
explain() { # number, capture, set
	"$polc" explain --event "$1" --replay "$2" "$3"
}
try "explain a message of a capture" 0 "REFUSED  too-far-back" explain 8 $cap tests/policies/rogue
is "names layer, rule, file and line" grep -qE \
	'^  baseline   refused   metering +tests/policies/rogue/baseline.yaml:10$' "$tmp/out"
is "and what would have passed" grep -qF 'would pass           oldest 400 d' "$tmp/out"
# The budgets are those of the moment: what went before is charged.
try "explain one that passed" 0 "4999 of 5000 readings this hour" explain 4 $cap tests/policies/rogue
try "explain a message for programs" 0 '"would_pass":"oldest 400 d"' \
	"$polc" explain --json --event 8 --replay $cap tests/policies/rogue
try "explain what is not there" 2 "has 42" explain 43 $cap tests/policies/rogue
try "explain without a capture" 2 "go together" "$polc" explain --event 3 tests/policies/rogue
try "explain no number" 2 "write a number" explain x $cap tests/policies/rogue
# Every message of a capture has its explanation, with the same verdict.
http=tests/pcaps/gen_http_dr.pcap
"$polc" replay tests/policies/agents $http | sed -n 's/^\([0-9]*\) 2[^ ]* \(allow\|deny\) .*/\1 \2/p' >"$tmp/all"
while read -r n v; do
	word=REFUSED
	[ "$v" = deny ] || word='PERMITTED|NOTED'
	explain "$n" $http tests/policies/agents | grep -qE "^($word)" || echo "$n"
done <"$tmp/all" >"$tmp/missing"
is "there are some of gen_http_dr" [ "$(wc -l <"$tmp/all")" -ge 50 ]
is "each of them is explained: $(tr '\n' ' ' <"$tmp/missing")" test ! -s "$tmp/missing"

exit $rc
