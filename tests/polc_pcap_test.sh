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
. tests/try.sh

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

# Where a rule says nothing, the portal hears of what it refuses, and of that
# alone; of the baseline's ceilings nobody does.
"$replay" -p tests/policies/metering --format json tests/pcaps/gen_profile.pcap >"$tmp/out" 2>/dev/null
is "the portal hears of refusals" python3 - "$tmp/out" <<'EOF'
import json, sys
refused = permitted = 0
for line in open(sys.argv[1], encoding="utf-8"):
    mg = json.loads(line).get("metergate", {})
    by_vendor = any(r["layer"] == "vendor" and r.get("refused") for r in mg.get("rules", []))
    if mg.get("verdict") == "deny" and by_vendor:
        assert mg.get("notify") == ["portal"], mg
        refused += 1
    elif mg.get("verdict") == "allow":
        assert "notify" not in mg, mg
        permitted += 1
assert refused and permitted, (refused, permitted)
EOF

# Images are judged as their sources are.
mkdir "$tmp/images"
for f in tests/policies/metering/{binding,baseline,metering,customer}.yaml; do
	"$polc" compile "$f" -o "$tmp/images/$(basename "$f" .yaml).polc" >/dev/null 2>&1
done
"$polc" replay tests/policies/metering $cap >"$tmp/a"
try "replay under images" 0 "37 observations permitted" "$polc" replay "$tmp/images" $cap
is "says the same of them" cmp -s "$tmp/out" "$tmp/a"

# A party whose channel the gateway would seal: what its machine said in clear
# is judged. Only the daemon refuses it, see metergated_test.sh.
mkdir "$tmp/sealed"
cp tests/policies/metering/*.yaml "$tmp/sealed/"
sed -i 's/^    aptitle: .71.1$/&\n    tls: {names: [mdm.example], mode: gateway}/' "$tmp/sealed/metering.yaml"
is "a party is sealed" grep -q 'mode: gateway' "$tmp/sealed/metering.yaml"
"$polc" replay -q tests/policies/metering $cap >"$tmp/a"
try "replay with a party that is sealed" 0 "37 observations permitted" "$polc" replay -q "$tmp/sealed" $cap
is "judges what it says in clear" cmp -s "$tmp/out" "$tmp/a"
try "metergate-replay does, too" 1 " deny " "$replay" --format text -p "$tmp/sealed" $cap
try "explain a message of it" 0 "REFUSED  too-far-back" "$polc" explain --event 8 --replay $cap "$tmp/sealed"
try "diff --replay with it" 0 "of 42 messages 0 pass now that did not, 0 no longer" \
	"$polc" diff --replay $cap tests/policies/metering "$tmp/sealed"
for c in check link test bound label show; do
	try "$c of it" 0 - "$polc" $c "$(if [ $c = show ]; then
		"$polc" compile "$tmp/sealed/metering.yaml" -o "$tmp/sealed.polc" >/dev/null 2>&1
		echo "$tmp/sealed.polc"; else echo "$tmp/sealed"; fi)"
done

# explain --event
explain() { # number, capture, set
	"$polc" explain --event "$1" --replay "$2" "$3"
}
try "explain a message of a capture" 0 "REFUSED  too-far-back" explain 8 $cap tests/policies/rogue
is "names layer, rule, file and line" grep -qE \
	'^  baseline   refused   metering +tests/policies/rogue/baseline.yaml:10$' "$tmp/out"
is "and what would have passed" grep -qF 'would pass           oldest 400 d' "$tmp/out"
# The budgets are those of the moment: what went before is charged.
try "explain one that passed" 0 "3599 of 3600 readings this hour" explain 4 $cap tests/policies/rogue
try "explain a message for programs" 0 '"would_pass":"oldest 400 d"' \
	"$polc" explain --json --event 8 --replay $cap tests/policies/rogue
try "explain what is not there" 2 "has 42" explain 43 $cap tests/policies/rogue
try "explain without a capture" 2 "go together" "$polc" explain --event 3 tests/policies/rogue
# From its record alone.
"$replay" -p tests/policies/rogue --format json --audit "$tmp/audit.db" $cap >/dev/null 2>&1
"${polc%/polc}/metergate-audit" export "$tmp/audit.db" >"$tmp/records"
seq=$(grep '"event_type":"violation"' "$tmp/records" | grep too-far-back | head -n 1 | grep -oE '"seq":[0-9]+' | head -n 1 | cut -d: -f2)
try "explain a record" 0 "REFUSED  too-far-back" "$polc" explain --event "${seq:-0}" --record "$tmp/records"
is "names layer, rule, file and line" grep -qE \
	'^  baseline   refused   metering +tests/policies/rogue/baseline.yaml:10$' "$tmp/out"
is "and what would have passed" grep -qF 'would pass           oldest 400 d' "$tmp/out"
try "of the standard input, for programs" 0 "\"seq\":${seq:-0}" \
	"$polc" explain --json --event "${seq:-0}" --record - <"$tmp/records"
try "a record that is not there" 2 "no record of this number" \
	"$polc" explain --event 999999 --record "$tmp/records"
printf '{"metergate":{"seq":3,"verdict":"deny","guest":"a\\u001b[2J","rules":[{"layer":"vendor"}]}}\n{"x":\n' >"$tmp/odd"
try "a record steers no terminal" 0 'a?[2J' "$polc" explain --event 3 --record "$tmp/odd"
try "what is no JSON is said" 2 "line 2 is no JSON" "$polc" explain --event 4 --record "$tmp/odd"
try "a record and a capture" 2 "go together" \
	"$polc" explain --event 3 --record "$tmp/odd" --replay $cap tests/policies/rogue
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

# init: a first policy from a capture
newcomer() { # name, capture, more arguments of init
	local name=$1 from=$2
	shift 2
	try "$name: a draft" 0 - "$polc" init --from "$from" -g mdma=10.20.0.10 -o "$tmp/draft.yaml" "$@"
	try "$name: compiles" 0 - "$polc" compile -n "$tmp/draft.yaml"
	try "$name: its tests pass" 0 " 0 failed" "$polc" test "$tmp/draft.yaml"
	is "$name: it has some" [ "$(sed 's/ passed.*//' "$tmp/out")" -ge 5 ]
	try "$name: is laid out" 0 - "$polc" fmt --check "$tmp/draft.yaml"
	is "$name: every line is marked" [ "$(grep -v '^#' "$tmp/draft.yaml" | grep -cv '# review$')" = 0 ]
	try "$name: passes the capture" 0 " 0 refused" \
		"$polc" replay -q -g mdma=10.20.0.10 "$tmp/draft.yaml" "$from"
}
# The number of the first message that is refused for a reason.
refused() { # reason, capture
	"$polc" replay -g mdma=10.20.0.10 "$tmp/draft.yaml" "$2" |
		sed -n "s/^\([0-9]*\) .* deny violation .*: .*$1.*/\1/p" | head -n 1
}
why() { # name, capture, reason, vendor's rule, what would pass
	local n
	n=$(refused "$3" "$2")
	try "$1: explains why not ($3)" 0 "REFUSED  $3" "$polc" explain --event "${n:-0}" \
		--replay "$2" -g mdma=10.20.0.10 "$tmp/draft.yaml"
	is "$1: names layer, rule, file and line" grep -qE "^  vendor     [a-z]+ +$4 +$tmp/draft.yaml:[0-9]+$" "$tmp/out"
	is "$1: points at the rule" grep -q "^  $4:" <(sed -n "$(sed -n "s,.*/draft.yaml:,,p" "$tmp/out" | head -n 1)p" "$tmp/draft.yaml")
	is "$1: and what would have passed" grep -qE "^  would pass +$5$" "$tmp/out"
}
newcomer "newcomer" tests/pcaps/gen_values.pcap --binding tests/policies/metering
# Another reader of the same table: too much at once, too often, too soon.
why "newcomer" tests/pcaps/gen_profile.pcap too-fresh send-read-response-64 'newest 24 h'
why "newcomer" tests/pcaps/gen_profile.pcap limit-exceeded take-read-request-64 'in 24 h'
try "the rogue's policy is wider than the draft" 0 "WIDER" \
	"$polc" diff "$tmp/draft.yaml" tests/policies/rogue/rogue.yaml

# A rogue does all of it again, ten minutes later.
again() { # from, to
	python3 - "$1" "$2" <<'EOF'
import struct, sys
data = open(sys.argv[1], "rb").read()
order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
packets, at = [], 24
while at < len(data):
    s, f, n, w = struct.unpack(order + "4I", data[at:at + 16])
    packets.append((s, f, n, w, data[at + 16:at + 16 + n]))
    at += 16 + n
later = packets[-1][0] - packets[0][0] + 600
with open(sys.argv[2], "wb") as out:
    out.write(data[:24])
    for shift in (0, later):
        for s, f, n, w, octets in packets:
            out.write(struct.pack(order + "4I", s + shift, f, n, w) + octets)
EOF
}
rogue() { # name, capture
	again "$2" "$tmp/rogue.pcap"
	try "$1: the rogue is refused" 0 - "$polc" replay -q -g mdma=10.20.0.10 "$tmp/draft.yaml" "$tmp/rogue.pcap"
	is "$1: for asking again" grep -qE ' [1-9][0-9]* limit-exceeded' "$tmp/out"
}
rogue "newcomer" tests/pcaps/gen_values.pcap
shared=${METERGATE_SHARED:-../shared}/pcaps/c1222
if [ -d "$shared" ]; then
	newcomer "newcomer, shared" "$shared/gen_tcp_session_clear.pcap"
	rogue "newcomer, shared" "$shared/gen_tcp_session_clear.pcap"
	why "newcomer, shared" "$tmp/rogue.pcap" limit-exceeded take-identify-request 'in 1 h 3[0-9] min [0-9]+ s'
	# What others do with the same meter is none of it.
	for c in gen_polling gen_read_write gen_procedures; do
		try "newcomer, shared: $c is refused" 0 " 0 observations permitted" \
			"$polc" replay -q -g mdma=10.20.0.10 "$tmp/draft.yaml" "$shared/$c.pcap"
	done
else
	echo "SKIP: the newcomer with a shared capture: $shared is not there"
fi

# Every capture of these has a draft that lets pass what any policy could.
while read -r c g more; do
	# shellcheck disable=SC2086
	try "a draft of $c" 0 - "$polc" init --from "tests/pcaps/$c.pcap" -g "$g" -k tests/pcaps/keys.yaml $more -o "$tmp/draft.yaml"
	try "the draft of $c: its tests pass" 0 " 0 failed" "$polc" test "$tmp/draft.yaml"
done <<'EOF'
gen_eax_cipher mdma=10.20.0.10
gen_http_dr dr=10.20.0.11
gen_http_portal portal=10.20.0.12
gen_net_dns tips=10.20.0.21
gen_net_icmp tips=10.20.0.21
gen_net_tls tips=10.20.0.21
gen_notifications mdma=10.20.0.10
gen_polling mdma=10.20.0.10 --binding tests/policies/metering
gen_procedures mdma=10.20.0.10
gen_read_write mdma=10.20.0.10
gen_udp_sessionless mdma=10.20.0.10
EOF
try "a draft of TLS" 0 - "$polc" init --from tests/pcaps/gen_net_tls.pcap -g tips=10.20.0.21 -o "$tmp/draft.yaml"
is "knows its parties by their names" [ "$(sed -n "s/^    tls: {names: \(.*\), mode: end-to-end}  # review/\1/p" "$tmp/draft.yaml" | tr '\n' ' ')" = \
	"['tips.example', 'upload.tips.example'] ['tips.example'] " ]
sed "s/'tips.example', 'upload.tips.example'\], mode/'upload.tips.example'], mode/" "$tmp/draft.yaml" >"$tmp/other.yaml"
try "and by no others" 0 "party-identity" "$polc" replay -q -g tips=10.20.0.21 "$tmp/other.yaml" tests/pcaps/gen_net_tls.pcap
try "the draft of the polling" 0 - "$polc" init --from $cap -g mdma=10.20.0.10 --binding tests/policies/metering
is "is what it was" cmp -s "$tmp/out" tests/policies/polling/init.expect
is "it says what it did not derive" grep -q "^# Not derived: states, days" "$tmp/out"
is "and that nobody was asked for names" grep -q "^# Nobody was asked for names in DNS" "$tmp/out"
# Hours that were kept to are a suggestion, which can be taken.
hours() { grep -c '^    # when: {between: [0-9:]*-[0-9:]*} # review$' "$1"; }
is "it suggests hours" [ "$(hours "$tmp/out")" -ge 1 ]
sed 's/^    # \(when: .*\) # review/    \1/' "$tmp/out" >"$tmp/hours.yaml"
try "with these hours it checks" 0 - "$polc" check "$tmp/hours.yaml" tests/policies/metering/binding.yaml
try "and passes the capture" 0 "37 observations permitted" "$polc" replay -q -g mdma=10.20.0.10 "$tmp/hours.yaml" $cap
try "of one day it suggests none" 0 - "$polc" init --from tests/pcaps/gen_values.pcap -g mdma=10.20.0.10 --binding tests/policies/metering
is "it does not" [ "$(hours "$tmp/out")" = 0 ]
try "init for programs" 0 '"permitted":37,"needed":37,"refused":{"no-grant":5}' \
	"$polc" init --json --from $cap -g mdma=10.20.0.10 --binding tests/policies/metering
is "init's JSON holds the draft" python3 - "$tmp/out" tests/policies/polling/init.expect <<'EOF'
import json, sys
assert json.load(open(sys.argv[1], encoding="utf-8"))["policy"] == open(sys.argv[2], encoding="utf-8").read()
EOF
try "init without a machine" 2 "one -g" "$polc" init --from $cap
try "init for two" 2 "one -g" "$polc" init --from $cap -g a=10.20.0.10 -g b=10.20.0.11
try "init from nothing of it" 1 "nothing of mdma" "$polc" init --from $cap -g mdma=10.99.0.1
try "init from what is no capture" 6 "README.md" "$polc" init --from README.md -g mdma=10.20.0.10
try "init to where nothing can be" 6 "No such file" "$polc" init --from $cap -g mdma=10.20.0.10 -o "$tmp/no/x.yaml"
try "init with a binding that is wrong" 1 "P4001" \
	"$polc" init --from $cap -g mdma=10.20.0.10 --binding tests/policies/bad/p4001-overlap.yaml

# diff --replay
mkdir "$tmp/new" && cp tests/policies/metering/*.yaml "$tmp/new"
sed -i 's/at least 20 h apart, 1 reading per day/at least 30 h apart, 1 reading per day/; /ask-identity:/,/limits/s/30 messages/40 messages/' "$tmp/new/metering.yaml"
try "diff of verdicts" 0 "of 42 messages 0 pass now that did not, 2 no longer" \
	"$polc" diff --replay $cap tests/policies/metering "$tmp/new"
is "every other day is too soon" [ "$(grep -c 'permitted -> refused (too-soon)' "$tmp/out")" = 2 ]
is "of the registers" [ "$(grep -cE '^  packet [0-9]+  2023-11-1[57].*mdma -> headend .*table 23' "$tmp/out")" = 2 ]
try "and back" 0 "2 pass now that did not, 0 no longer" \
	"$polc" diff --replay $cap "$tmp/new" tests/policies/metering
try "nothing changes" 0 "0 pass now that did not, 0 no longer" \
	"$polc" diff --replay $cap tests/policies/metering tests/policies/metering
try "the exit status is that of diff" 3 "no longer" \
	"$polc" diff --fail-on wider --replay $cap tests/policies/metering "$tmp/new"
try "diff of verdicts for programs" 0 '"subject":"message"' \
	"$polc" diff --json --replay $cap tests/policies/metering "$tmp/new"
is "says which" python3 - "$tmp/out" <<'EOF'
import json, sys
d = [x for x in map(json.loads, open(sys.argv[1], encoding="utf-8")) if x["subject"] == "message"]
assert all(x["was"] == {"verdict": "permitted"} and x["is"]["verdict"] == "refused" for x in d), d
assert [x["packet"] for x in d] == [12, 28], d
EOF
# A capture over TCP, where packets wait for each other.
mkdir "$tmp/agents" && cp tests/policies/agents/*.yaml "$tmp/agents"
sed -i '/prove-the-saving:/,/limits/s/24 readings/1 readings/' "$tmp/agents/dr.yaml"
is "with their number" grep -qx '{"subject":"messages","all":42,"pass-now":0,"no-longer":2}' "$tmp/out"
is "and the verdict last" grep -q '^{"subject":"verdict"' <(tail -n 1 "$tmp/out")
try "diff of verdicts over TCP" 0 "2 no longer" \
	"$polc" diff --replay $http tests/policies/agents "$tmp/agents"
is "the answer on the connection went, too" [ "$(grep -c 'permitted -> refused (tcp-flow-denied)' "$tmp/out")" = 1 ]
# As two replays say it.
for s in tests/policies/metering "$tmp/new"; do
	"$polc" replay --json "$s" $cap | sed -n 's/.*"pcap_cnt":\([0-9]*\),.*"verdict":"\([a-z]*\)".*/\1 \2/p'
done | sort | uniq -u | cut -d' ' -f1 | sort -nu >"$tmp/a"
"$polc" diff --replay $cap tests/policies/metering "$tmp/new" | sed -n 's/^  packet \([0-9]*\) .*/\1/p' >"$tmp/b"
is "it is what two replays differ in" cmp -s "$tmp/a" "$tmp/b"
try "diff of verdicts of no capture" 6 "README.md" "$polc" diff --replay README.md tests/policies/metering "$tmp/new"
try "diff with a wrong -g" 2 "write GUEST" "$polc" diff --replay $cap -g x tests/policies/metering "$tmp/new"

exit $rc
