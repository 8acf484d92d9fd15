#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# polc diff: what a new set lets pass that an old one did not, and what is said
# of it.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
polc=$(realpath -m "$BUILD/bin/polc")
[ -x "$polc" ] || { echo "not ok polc is not built"; exit 1; }
home=tests/policies/household
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp" 2>/dev/null; rm -rf "$tmp"' EXIT
. tests/try.sh
exec </dev/null

# The manual tells of an option under its command.
sed -n '/^\.It Cm diff$/,/^\.It Cm fleet$/p' policy-lang/polc.1 >"$tmp/section"
for o in $("$polc" diff --help | grep -oE -e '--[a-z-]+' | grep -v checksums); do
	is "the manual on diff has $o" grep -qx -e "\.Fl ${o#-}\( .*\)\?" "$tmp/section"
done

# diff: names do not count, but where an answer hangs on one.
cp -r $home "$tmp/was" && cp -r $home "$tmp/is"
sed -i 's/prove-the-saving/prove-it/' "$tmp/is/flex.yaml"
try "a rule by another name, which had been refused" 0 - "$polc" diff "$tmp/was" "$tmp/is"
is "lets no more pass" grep -qE '^(SAME|NARROWER)' "$tmp/out"
try "one file alone is the same" 0 "SAME" "$polc" diff $home/flex.yaml "$tmp/is/flex.yaml"
sed -i 's/send-registers/send-totals/' "$tmp/is/mdma.yaml"
try "with opt-out, unanswered" 0 - "$polc" diff "$tmp/was" "$tmp/is"
is "lets no more pass either" grep -qE '^(SAME|NARROWER)' "$tmp/out"
echo "  com.example.mdma/send-registers: refused" >"$tmp/refused"
sed -i "/^consent:/r $tmp/refused" "$tmp/was/customer.yaml"
try "refused, it would come back by another name" 0 "'send-totals' is within no rule there was" "$polc" diff "$tmp/was" "$tmp/is"
is "which is wider" grep -q '^WIDER' "$tmp/out"
# What the household chose has rows of its own.
cp -r $home "$tmp/chose"
sed -i 's/send-daily-use: granted/send-daily-use: refused/' "$tmp/chose/customer.yaml"
try "diff of what was chosen, for programs" 0 '{"of":"customer","machine":"tips"' "$polc" diff --json $home "$tmp/chose"
is "as for people" grep -q REMOVED <("$polc" diff $home "$tmp/chose")
try "nothing else was" 0 - "$polc" diff --json $home "$tmp/chose"
is "is said" test "$(grep -c '^{"of":"all consents"' "$tmp/out")" = 0
# How it is told is no part of the verdict, and shown.
cp -r $home "$tmp/told"
sed -i 's/^    consent: opt-in$/&\n    audit: summary\n    notify: [vendor]\n    severity: high/' "$tmp/told/tips.yaml"
try "told otherwise" 0 "com.example.tips send-daily-use is told otherwise" "$polc" diff $home "$tmp/told"
is "is the same" grep -q '^SAME' "$tmp/out"
is "the audit" grep -qE '^    audit +as usual -> summary$' "$tmp/out"
is "the severity" grep -qE '^    severity +as usual -> high$' "$tmp/out"
try "told otherwise, for programs" 0 '"subject":"told","policy":"com.example.tips","rule":"send-daily-use"' \
	"$polc" diff --json $home "$tmp/told"

# diff
diff=tests/policies/diff
try "diff" 0 "WIDER" "$polc" diff $diff/old.yaml $diff/new.yaml
is "says what became wider" cmp -s "$tmp/out" $diff/wider.expect
try "and back" 0 "WIDER" "$polc" diff --all $diff/new.yaml $diff/old.yaml
is "with what stayed" cmp -s "$tmp/out" $diff/back.expect
try "wider fails where it shall" 3 - "$polc" diff --fail-on wider $diff/old.yaml $diff/new.yaml
try "a set is itself" 0 - "$polc" diff --fail-on wider $home $home
is "and that is all" [ "$(cat "$tmp/out")" = SAME ]
try "diff for programs" 0 '"change":"NEW"' "$polc" diff --json $diff/old.yaml $diff/new.yaml
is "is JSON" python3 -c 'import json,sys
for l in open(sys.argv[1]): json.loads(l)' "$tmp/out"
sed 's/^vm: tips/vm: other/' $home/tips.yaml >"$tmp/new.yaml"
try "a policy of another machine" 0 "com.example.tips may let more pass: it is of machine 'other', and was of 'tips'" \
	"$polc" diff $home/tips.yaml "$tmp/new.yaml"
try "one reading is one" 0 "up to 1 reading a day, every 1 d" "$polc" diff $home/tips.yaml "$tmp/new.yaml"
"$polc" compile $home/tips.yaml -o "$tmp/tips.polc" >/dev/null 2>&1
try "an image is no source" 1 "a compiled policy, where a source is read" "$polc" diff "$tmp/tips.polc" $home/tips.yaml
head -c 300 "$tmp/tips.polc" >"$tmp/cut.polc"
try "nor is a damaged one" 1 '"hint":"name its source; polc show and polc verify read images"' \
	"$polc" diff --json $home/tips.yaml "$tmp/cut.polc"
try "a set that is not there" 6 "No such file" "$polc" diff $home "$tmp/nothing"
try "diff without a new set" 2 "an old and a new set" "$polc" diff $home
try "diff of what is wrong" 1 "P4001" "$polc" diff $home/mdma.yaml tests/policies/bad/p4001-overlap.yaml
sed 's/until: 2027-03-15/until: 2036-03-15/; s/from: 2026-03-15/from: 2026-03-16/' $home/mdma.yaml >"$tmp/new.yaml"
try "other days of validity are shown" 0 "com.example.mdma  valid until 2027-03-15 -> 2036-03-15" "$polc" diff $home/mdma.yaml "$tmp/new.yaml"
is "from which day, too" grep -q "valid from 2026-03-15 -> 2026-03-16" "$tmp/out"
# What of a rule was widened is named, also where another rule was as wide before.
widened() {
	sed "$1" $home/mdma.yaml >"$tmp/new.yaml"
	"$polc" diff $home/mdma.yaml "$tmp/new.yaml" >"$tmp/out"
	is "what was widened: $1" grep -q "may let more pass: '$2" "$tmp/out"
}
widened 's/delay: 6 h/delay: 1 h/' "send-profile' is wider: delay 6 h -> 1 h$"
widened 's/history: 35 d/history: 36 d/' "send-profile' is wider: history 35 d -> 36 d$"
widened '/^  send-profile:/,/limits:/s/consent: .*/consent: none/' "send-profile' is wider: consent opt-in -> none$"
widened 's/resolution: 1 kWh/resolution: 100 Wh/' "send-registers' is wider: resolution 1000 Wh -> 100 Wh$"
widened 's/granularity: 30 min or/granularity: 15 min or/' "send-profile' is wider: granularity 30 min -> 15 min$"
widened 's/requires: \[registered, attested\]/requires: [registered]/' "send-[a-z-]*' is wider: requires$"
widened 's/^    answers: .*//' "[a-z-]*' is wider: answers$"
# All that is wider, each once.
sed '/^  send-profile:/,/limits:/s/delay: 6 h/delay: 1 h/; s/resolution: 1 kWh/resolution: 100 Wh/; s/48 KiB per day/64 KiB per day/' \
	$home/mdma.yaml >"$tmp/new.yaml"
"$polc" diff $home/mdma.yaml "$tmp/new.yaml" >"$tmp/out"
is "every reason is told" [ "$(grep -o "may let more pass: .*" "$tmp/out")" = "\
may let more pass: 'send-profile' is wider: delay 6 h -> 1 h
may let more pass: 'send-registers' is wider: resolution 1000 Wh -> 100 Wh
may let more pass: the limit 'daily-bytes' is gone, or less" ]
sed 's/48 KiB per day/64 KiB per day/' $home/mdma.yaml >"$tmp/new.yaml"
try "octets are told where nothing else is another" 0 "    octets     49152 -> 65536 a day" "$polc" diff $home/mdma.yaml "$tmp/new.yaml"
is "and that the serial is no larger" grep -q "^com.example.mdma  the serial is not larger" "$tmp/out"
# The last line for programs has the verdict, and all that the text has.
told() { # the two sets, and what is to be true of the object v
	local name=$1 what=$4
	"$polc" diff --json "$2" "$3" >"$tmp/out" 2>"$tmp/err"
	is "diff --json: $name" python3 -c '
import json, sys
v = json.loads(open(sys.argv[1]).read().splitlines()[-1])
assert v["subject"] == "verdict", v
r = [x["why"] for x in v["reasons"] if "policy" in x]
octets = {x["operator"]: x["octets"] for x in v["recipients"] if x["of"] == "all consents"}
files = {x["policy"]: x for x in v["files"]}
assert eval("(" + sys.argv[2] + ")"), v' "$tmp/out" "$what"
}
told "octets" $home/mdma.yaml "$tmp/new.yaml" 'v["verdict"] == "WIDER" and v["needs-acknowledgement"] and
	r == ["the limit '"'daily-bytes'"' is gone, or less"] and
	octets["Example Metering Ltd"]["was"]["day"] == 49152 and octets["Example Metering Ltd"]["is"]["day"] == 65536 and
	files["com.example.mdma"]["content"]'
told "the same" $home $home 'v["verdict"] == "SAME" and not v["needs-acknowledgement"] and not v["reasons"] and
	not v["files"] and octets["Your portal (inside the meter)"]["is"]["day"] is None'
told "narrower" "$tmp/new.yaml" $home/mdma.yaml 'v["verdict"] == "NARROWER" and not v["reasons"]'
sed 's/until: 2027-03-15/until: 2036-03-15/' $home/mdma.yaml >"$tmp/new.yaml"
told "validity" $home/mdma.yaml "$tmp/new.yaml" 'v["verdict"] == "SAME" and files["com.example.mdma"]["validity-prolonged"] and
	files["com.example.mdma"]["is"]["valid-until"] == "2036-03-15"'
told "validity cut" "$tmp/new.yaml" $home/mdma.yaml 'not files["com.example.mdma"]["validity-prolonged"]'
sed 's/country: GB/country: FR/' $home/mdma.yaml >"$tmp/new.yaml"
told "what figures alone show" $home/mdma.yaml "$tmp/new.yaml" 'v["verdict"] == "WIDER" and
	any(s["scale"] == "country" and s["is"] == "FR" for x in v["reasons"] for s in x.get("scales", []))'
mkdir -p "$tmp/less" && cp $home/*.yaml "$tmp/less" && rm "$tmp/less/tips.yaml" "$tmp/less/customer.yaml"
told "files that are gone" $home "$tmp/less" 'files["com.example.tips"]["change"] == "REMOVED" and files["com.example.tips"]["is"] is None and
	r == ["it is gone, and held back what may pass"]'
sed 's/Your monthly bill/Your bill/' $home/mdma.yaml >"$tmp/new.yaml"
try "another purpose, for programs" 0 '"purpose":"Your bill."' "$polc" diff --json $home/mdma.yaml "$tmp/new.yaml"
try "how much is new, for programs" 0 '"change":"NEW","was":null,"is":{"rule":"live-load","readings-per-day":96' \
	"$polc" diff --json tests/policies/diff/old.yaml tests/policies/diff/new.yaml
rm -rf "$tmp/next" && mkdir "$tmp/next" && cp $home/*.yaml "$tmp/next"
sed -i '/^  finer-than-daily:/d; s/keep: 1 reading per month/keep: 2 readings per month/; $awidening: {roles: [metering], notice: 30 d}' "$tmp/next/baseline.yaml"
sed -i '/prove-the-saving: refused/d; /^  small-tips-budget:/,$d; s/tips-only/only-tips/' "$tmp/next/customer.yaml"
sed -i 's/attestation: required/attestation: none/' "$tmp/next/binding.yaml"
"$polc" diff $home "$tmp/next" >"$tmp/out"
is "of every kind of file" [ "$(grep -o "may let more pass: .*" "$tmp/out" | sort)" = "\
$(sort <<-\END
may let more pass: the consent rule 'finer-than-daily' is gone, or asks less
may let more pass: the floor 'bill-can-always-be-read' is new, or keeps more
may let more pass: more may be widened without the customer, or sooner
may let more pass: the restriction 'small-tips-budget' is gone, or less
may let more pass: com.example.flex/prove-the-saving: the answer gives more
may let more pass: machine 'mdma' has to attest less
may let more pass: machine 'dr' has to attest less
END
)" ]
# An edit of the metering policy, and what it is; then what undoing it is.
changed() {
	sed "$1" $home/mdma.yaml >"$tmp/new.yaml"
	is "diff $1" [ "$("$polc" diff $home/mdma.yaml "$tmp/new.yaml" | grep -oE '^(SAME|NARROWER|WIDER)')" = "$2" ]
	is "undone: $1" [ "$("$polc" diff "$tmp/new.yaml" $home/mdma.yaml | grep -oE '^(SAME|NARROWER|WIDER)')" = "$3" ]
}
changed 's/^title: .*/title: Another title/' SAME SAME
changed 's/Your monthly bill/Your bill/' SAME SAME
changed 's/until: 2027-03-15/until: 2028-03-15/' SAME SAME
changed 's/requires: \[registered, attested\]/requires: [registered]/' WIDER NARROWER
changed 's/20 messages per day/10 messages per day/' NARROWER WIDER
changed 's/table: \[60-64\]/table: [60-66]/' WIDER NARROWER
changed 's/expires: 26 h/expires: 30 h/' WIDER NARROWER
changed 's/48 KiB per day/40 KiB per day/' NARROWER WIDER
changed 's/keeps-data-for: 400 d/keeps-data-for: 500 d/' WIDER NARROWER
changed 's/country: GB/country: FR/' WIDER WIDER
changed 's/granularity: 30 min or/granularity: 1 h or/' NARROWER WIDER
changed 's/delay: 6 h/delay: 7 h/' NARROWER WIDER
changed 's/history: 35 d/history: 36 d/' WIDER NARROWER
changed 's/resolution: 1 kWh/resolution: 2 kWh/' NARROWER WIDER
changed 's/resolution: 1 kWh/resolution: 1500 Wh/' WIDER WIDER
changed 's/consent: opt-out/consent: opt-in/' NARROWER WIDER
changed 's/203.0.113.0\/28/203.0.113.0\/29/' NARROWER WIDER
changed 's/tcp\/1153, udp\/1153/tcp\/1153/' NARROWER WIDER
changed 's/names: \[mdm.metering.example\]/names: [mdm.metering.example, b.example]/' WIDER NARROWER
changed 's/  send-profile:/  send-half-hours:/; s/ by send-profile/ by send-half-hours/' WIDER WIDER
changed 's/  outage-received:/  outage-heard:/' SAME SAME
changed 's/registered/known/g' SAME SAME
changed 's/^  register:/  sign-on:/; s/answers: \[register\]/answers: [sign-on]/; s/ by register$/ by sign-on/' SAME SAME
changed 's/^  register:/  sign-on:/; s/answers: \[register\]/answers: [sign-on, send-outage]/; s/ by register$/ by sign-on/' WIDER NARROWER
changed '1,130{s/^  ask-registers:/  x:/; s/^  ask-month-end:/  ask-registers:/; s/^  x:/  ask-month-end:/}' WIDER WIDER
changed 's/00:30-05:30/00:00-05:30/' WIDER WIDER
changed 's/exceed: defer 10 min/exceed: refuse/' NARROWER WIDER

# The same of another file of the set; what says that it is wider says why.
verdict() { "$polc" diff "$1" "$2" | grep -oE '^(SAME|NARROWER|WIDER)'; }
changed_in() { # file, edit, what it is, what undoing it is, why
	rm -rf "$tmp/changed" && mkdir "$tmp/changed" && cp $home/*.yaml "$tmp/changed"
	sed -i "$2" "$tmp/changed/$1.yaml"
	is "an edit of $1: $2" test -n "$(diff $home/$1.yaml "$tmp/changed/$1.yaml")"
	is "diff $1 $2" [ "$(verdict $home "$tmp/changed")" = "$3" ]
	is "undone: $1 $2" [ "$(verdict "$tmp/changed" $home)" = "$4" ]
	[ -z "${5:-}" ] || {
		"$polc" diff $home "$tmp/changed" >"$tmp/out"
		is "and says: $5" grep -qF "$5" "$tmp/out"
	}
}
changed_in baseline '/^consent-rules:/,/^$/d' WIDER NARROWER "the consent rule 'finer-than-daily' is gone"
changed_in baseline 's/minimum: opt-in/minimum: opt-out/' WIDER NARROWER "or asks less"
changed_in baseline 's/finer-than: 1 d/finer-than: 1 h/' WIDER NARROWER "or asks less"
changed_in baseline '$awidening: {roles: [metering], notice: 30 d}' WIDER NARROWER "without the customer"
changed_in baseline 's/ *exceed: quarantine 1 h//' WIDER NARROWER "the limit 'hammering' is gone, or less"
changed_in baseline 's/exceed: quarantine 1 h/exceed: quarantine 2 h/' NARROWER WIDER
# A packet that is no observation is counted by what asks for none.
changed_in baseline '/^  household-uplink:/,/limit:/s/on: {/&match: {any: {}}, /' WIDER NARROWER "the limit 'household-uplink' is gone, or less"
changed_in baseline '/^  hammering:/,/limit:/s/on: {/&match: {any: {}}, /' WIDER NARROWER "the limit 'hammering' is gone, or less"
changed_in baseline 's/^floors:/&\n  more: {vm: mdma, measurement: event.power, keep: 100 readings per day}/' \
	WIDER NARROWER "the floor 'more' is new"
changed_in baseline 's/keep: 1 reading per month/keep: 2 readings per month/' WIDER NARROWER "or keeps more"
# So it is where there was none: it takes away but for these.
rm -rf "$tmp/none" "$tmp/first" && mkdir "$tmp/none" "$tmp/first"
cp $home/*.yaml "$tmp/none" && rm "$tmp/none/baseline.yaml"
cp $home/*.yaml "$tmp/first"
is "a first baseline with a floor" [ "$(verdict "$tmp/none" "$tmp/first")" = WIDER ]
"$polc" diff "$tmp/none" "$tmp/first" >"$tmp/out"
is "which is named" grep -qF "the floor 'bill-can-always-be-read' is new" "$tmp/out"
sed -i '/^floors:/,/^$/d' "$tmp/first/baseline.yaml"
is "without" [ "$(verdict "$tmp/none" "$tmp/first")" = NARROWER ]
sed -i '$awidening: {roles: [metering], notice: 30 d}' "$tmp/first/baseline.yaml"
is "one with a gate" [ "$(verdict "$tmp/none" "$tmp/first")" = WIDER ]
changed_in customer '/^  day-late-for-everyone:/,/except/d' WIDER NARROWER "newest value: 1 d old -> 6 h old"
changed_in customer 's/16 KiB/16 MiB/' WIDER NARROWER "the restriction 'small-tips-budget' is gone, or less"
changed_in customer 's/prove-the-saving: refused/prove-the-saving: granted/' WIDER NARROWER "with what this household chose"
changed_in customer '/prove-the-saving: refused/d' WIDER NARROWER "prove-the-saving: the answer gives more"
# A slot of the hours is another one where they are others; hours are within hours.
changed_in mdma 's/between: 00:30-05:30, spread/between: 01:00-05:30, spread/' WIDER WIDER "'send-profile' is wider: when"
changed_in mdma 's/between: 00:30-05:30, spread: 30 min/between: 00:30-05:30/' WIDER NARROWER "'send-profile' is wider: when"
changed_in customer 's/between: 08:00-20:00/between: 09:00-19:00, days: [mon, tue]/' NARROWER WIDER
changed_in customer 's/between: 08:00-20:00/between: 08:00-21:00/' WIDER NARROWER "is gone, or less"
changed_in customer 's/^  small-tips-budget:/  tips-have-a-budget:/' SAME SAME
changed_in customer 's/^title: .*/title: Another/' SAME SAME
changed_in binding 's/attestation: required/attestation: none/' WIDER NARROWER "has to attest less"
changed_in library 's/64: 30 min/64: 60 min/' WIDER WIDER "profile, zone or billing day"
"$polc" diff $home "$tmp/changed" >"$tmp/out" 2>&1
is "a library is taken by no gateway anyway" test \
	"$(grep -c 'no gateway that has the old one' "$tmp/out") $(grep -c '^org.example.lib.home .*no gateway' "$tmp/out")" = "1 0"
changed_in binding 's/billing-day: [0-9]*/billing-day: 17/' WIDER WIDER "profile, zone or billing day"
changed_in binding 's/^title: .*/title: Another/' SAME SAME
# A machine that went keeps nobody from its address by rules of its own: whoever has a rule for that
# address reaches it then.
rm -rf "$tmp/two" "$tmp/one" && cp -r $home "$tmp/two"
sed -i '/tips/d; /^    when:/,$d' "$tmp/two/customer.yaml"
cp -r "$tmp/two" "$tmp/one"
rm "$tmp/one/tips.yaml"
sed -i '/^  tips:/,$d' "$tmp/one/binding.yaml"
is "a machine that went" [ "$(verdict "$tmp/two" "$tmp/one")" = NARROWER ]
sed -i 's/10.77.0.5/192.168.178.5/' "$tmp/two/binding.yaml"
gone="machine 'tips' is gone, and party 'household' of com.example.portal may be at its address"
try "at whose address another's party is" 3 "net.example.platform.binding may let more pass: $gone" \
	"$polc" diff --fail-on wider "$tmp/two" "$tmp/one"
told "it, for programs" "$tmp/two" "$tmp/one" 'v["verdict"] == "WIDER" and "machine" in r[0] and len(r) == 1'
sed -i 's/^    address: .*178.*/    address: [192.168.179.0\/24]/' "$tmp/one/portal.yaml"
is "where the party is elsewhere that is not said" test "$("$polc" diff "$tmp/two" "$tmp/one" | grep -c 'is gone, and party')" = 0
# Of two of one operator one says how long it keeps things: nobody knows of the operator.
rm -rf "$tmp/silent" && cp -r $home "$tmp/silent"
sed -n '/^  headend:/,/^    tls:/p' $home/mdma.yaml |
	sed '/keeps-data-for/d; s/headend:/second:/; s/203.0.113.0/203.0.115.0/' >"$tmp/second"
sed -i -e "/^parties:/r $tmp/second" \
	-e '/^  send-registers:/,/^    party:/s/^    party: headend$/    party: [headend, second]/' \
	-e '/^  ask-registers:/,/^    party:/s/^    party: headend$/    party: [headend, second]/' "$tmp/silent/mdma.yaml"
try "one more of the operator, that says nothing" 0 "energy.register    says it keeps them: 400 d -> for ever" \
	"$polc" diff $home "$tmp/silent"
# One budget that is counted twice is two.
try "a budget split into two rules" 3 "the limits of 'put-note' count several times now" \
	"$polc" diff --fail-on wider $diff/note.yaml $diff/note-rules.yaml
try "a party split in two" 3 "the limits of 'put-note' count several times now" \
	"$polc" diff --fail-on wider $diff/note.yaml $diff/note-parties.yaml
sed '/^  put-note-b:/,$d' $diff/note-rules.yaml >"$tmp/part.yaml"
try "one of the parts alone" 0 "NARROWER" "$polc" diff --fail-on wider $diff/note.yaml \
	"$tmp/part.yaml"
sed '/limits:/d' $diff/note.yaml >"$tmp/any.yaml"
sed '/limits:/d' $diff/note-rules.yaml >"$tmp/any-rules.yaml"
try "without a budget nothing is split" 0 "NARROWER" "$polc" diff --fail-on wider "$tmp/any.yaml" "$tmp/any-rules.yaml"

# What a customer answered stands where only the baseline opens: the rule is as it was. Not where the
# rule is wider, whatever the baseline does.
rm -rf "$tmp/shut" "$tmp/open" && cp -r $home "$tmp/shut" && cp -r $home "$tmp/open"
sed -i '/^  metering:/,/limits:/s/granularity: [^,]*/granularity: 1 h or coarser/' "$tmp/shut/baseline.yaml"
row='WIDER    energy.interval    values every: 1 h -> 30 min  allow/send-profile'
try "a baseline that opens" 3 "$row" "$polc" diff --fail-on wider "$tmp/shut" "$tmp/open"
is "leaves an answer as it is" grep -qE "$row\$" "$tmp/out"
sed -i 's/granularity: 30 min or/granularity: 15 min or/' "$tmp/open/mdma.yaml"
try "and a rule that is wider" 3 "allow/send-profile  answer void" "$polc" diff --fail-on wider "$tmp/shut" "$tmp/open"

# So is a baseline's, whatever parties it names itself.
base() { # serial, then lines
	printf '%s\n' 'polc: 1' 'kind: baseline' 'id: com.example.base' "serial: $1" 'title: Base' "${@:2}"
}
ceiling() { # name, measurement, table
	printf '  %s: {vm: any, direction: any, party: {role: [metering]}, match: {c1222.read-response: {table: [%s]}}, %s}\n' \
		"$1" "$3" "data: {measurement: [$2], granularity: 15 min or coarser}, limits: [1 reading per day]"
}
party='parties: {time: {name: Time, role: infrastructure, address: [192.0.2.10/32]}}'
one=$(ceiling a 'energy.register, energy.interval' '23, 64')
two=$(ceiling a energy.register 23; ceiling b energy.interval 64)
for p in 'title: Base' "$party"; do
	base 1 "$p" ceiling: "$one" | uniq >"$tmp/one.yaml"
	base 2 "$p" ceiling: "$two" | uniq >"$tmp/two.yaml"
	try "a ceiling split into two: $p" 3 "the limits of 'a' count several times now" \
		"$polc" diff --fail-on wider "$tmp/one.yaml" "$tmp/two.yaml"
done

# What a floor keeps is counted by the first that has all that a message carries.
floors() { # name, verdict, old floors, new floors: each "name measurements n"
	local s line f
	for s in 1 2; do
		[ $s = 1 ] && f=$3 || f=$4
		base $s ceiling: "$one" floors: >"$tmp/floors$s.yaml"
		while read -r line n meas; do
			echo "  $line: {vm: mdma, measurement: [$meas], keep: $n readings per month}"
		done <<<"$f" >>"$tmp/floors$s.yaml"
	done
	is "floors: $1" [ "$(verdict "$tmp/floors1.yaml" "$tmp/floors2.yaml")" = "$2" ]
}
both='both 1 energy.register, energy.tou'
reg='a 1 energy.register'
tou='c 1 energy.tou'
floors "split into two" WIDER "$both" "$reg"$'\n'"$tou"
floors "two that are one now, which both together pass by" WIDER "$reg"$'\n'"$tou" "$both"
floors "one twice" WIDER "$both" "$both"$'\n'"d 1 energy.tou, energy.interval"
floors "one again, which counts nothing" SAME "$both" "$both"$'\n'"${both/both/d}"
floors "without the stricter, which came first" WIDER "$reg"$'\n'"${both/ 1/ 4}" "${both/ 1/ 4}"
floors "behind a stricter one, which counts apart" WIDER "${both/ 1/ 4}" "$reg"$'\n'"${both/ 1/ 4}"
floors "the same" SAME "$reg"$'\n'"$both" "$reg"$'\n'"$both"
floors "less kept" NARROWER "${both/ 1/ 4}" "$both"
floors "fewer" NARROWER "$reg"$'\n'"$tou" "$tou"
# What it is of the customer may not cut, also where it counts nothing: of several types one is enough.
floors "a part" WIDER "$both" "$tou"
floors "a part as well" WIDER "$both" "$both"$'\n'"$tou"
floors "more of the same, which counts nothing" WIDER "$reg" "$reg"$'\n'"z 100 energy.register"

# 256 rules of 60 paths each, one of them another, or one less: rule by rule it would
# be minutes, in which the gateway's gate gives up.
python3 tests/gen_largest.py "$tmp/paths.yaml" paths
python3 tests/gen_largest.py "$tmp/other.yaml" paths 2
python3 tests/gen_largest.py "$tmp/fewer.yaml" paths 2 less
try "another path among the most" 3 "may let more pass: 'get-128' is wider: party or match" \
	timeout 60 "$polc" diff --fail-on wider "$tmp/paths.yaml" "$tmp/other.yaml"
is "and no other rule" [ "$(grep -c "may let more pass" "$tmp/out")" = 1 ]
try "one less among the most" 0 NARROWER \
	timeout 60 "$polc" diff --fail-on wider "$tmp/paths.yaml" "$tmp/fewer.yaml"

exit $rc
