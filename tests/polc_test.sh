#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# polc as its users meet it: exit codes, what goes where, files that are
# never half written, and the examples of its manuals.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
polc=$(realpath -m "$BUILD/bin/polc")
root=$PWD
[ -x "$polc" ] || { echo "not ok polc is not built"; exit 1; }
home=tests/policies/household
tmp=$(mktemp -d)
trap 'chmod -R u+w "$tmp" 2>/dev/null; rm -rf "$tmp"' EXIT
. tests/try.sh
exec </dev/null

try "version" 0 "polc 0" "$polc" --version
try "help of the program" 0 "polc check" "$polc" --help
try "no command" 2 "usage" "$polc"
try "unknown command" 2 "'frob' is not a command" "$polc" frob
try "unknown option" 2 "unknown option" "$polc" check --frob x
for c in check link compile test explain fmt bound diff label replay init sign verify keygen fleet show dump; do
	try "$c without files" 2 "polc: $c" "$polc" $c
done
# One manner of options for all commands.
for c in $("$polc" --help | sed -n 's/^  polc \([a-z]*\) .*/\1/p'); do
	try "$c: an unknown option behind an operand" 2 "polc: $c: unknown option --frobnicate; see polc --help" \
		"$polc" "$c" "$home/tips.yaml" --frobnicate
	try "$c: a misspelt option" 2 "(did you mean --json?)" "$polc" "$c" --jsn
	try "$c: an option that takes no value" 2 "$c: --json takes no value" "$polc" "$c" --json=1
	try "$c: help" 0 "usage: polc $c " "$polc" "$c" --help
	try "$c: help behind an operand" 0 "usage: polc $c " "$polc" "$c" "$home/tips.yaml" -h
done
is "help has all commands" [ "$("$polc" --help | grep -c '^  polc ')" = 19 ]
set=$home/tips.yaml
try "check: options behind" 1 "P5203" "$polc" check $home --strict
try "check: options behind, JSON" 1 '"code":"P4001"' "$polc" check tests/policies/bad/p4001-overlap.yaml --json
try "test: options behind" 0 "passed" "$polc" test $home --coverage
try "label: options behind" 0 "<!DOCTYPE html>" "$polc" label $home --html
try "label: options between" 0 '{' "$polc" label $home/baseline.yaml --json $set
try "label: an unknown language" 2 "no words in language 'xx'" "$polc" label $home --lang xx
try "bound: options behind" 0 '"' "$polc" bound $home --json
try "diff: options behind" 0 '"SAME"' "$polc" diff $set $set --json --all
try "diff: options between" 0 '"SAME"' "$polc" diff $set --json $set --all
try "diff: what to fail on" 2 "--fail-on narrower: write --fail-on wider" "$polc" diff $set $set --fail-on narrower
try "fmt: options behind" 0 - "$polc" fmt $set --check
try "a value behind =" 0 - "$polc" label --lang=en --text $home
try "a value is missing" 2 "compile: -o needs a value" "$polc" compile $set -o
try "a value given twice" 2 "compile: -o was given twice" "$polc" compile $set -o "$tmp/1" -o "$tmp/2"
cp $set "$tmp/--json"
(cd "$tmp" && "$polc" check -- --json >out 2>&1)
is "behind -- all are operands" grep -q '^--json:[0-9:]* info' "$tmp/out"
rm "$tmp/--json"

try "check of a directory" 0 "0 errors" "$polc" check $home
try "warnings count when strict" 1 "P5203" "$polc" check --strict $home
try "an error" 1 "error[P4001]" "$polc" check tests/policies/bad/p4001-overlap.yaml
try "no such file" 6 "No such file" "$polc" check "$tmp/none.yaml"
try "json" 1 '"code":"P4001"' "$polc" check --json tests/policies/bad/p4001-overlap.yaml
is "json is json" python3 -c 'import json,sys
for l in open(sys.argv[1]): json.loads(l)' "$tmp/out"

mkdir "$tmp/empty"
try "a directory without policies" 6 "holds no *.yaml" "$polc" check "$tmp/empty"
try "json of compile" 0 '"octets":' "$polc" compile --json -n $home/tips.yaml
try "json of fmt" 1 '"code":"P1114"' "$polc" fmt --json --check tests/policies/bad/p1114-syntax.yaml

# The order of files, the locale and the time zone change nothing.
"$polc" check $home/tips.yaml $home/mdma.yaml $home/baseline.yaml >"$tmp/a" 2>&1
LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo "$polc" check $home/baseline.yaml $home/mdma.yaml $home/tips.yaml >"$tmp/b" 2>&1
is "order and locale change nothing" cmp -s "$tmp/a" "$tmp/b"
(cd "$tmp" && TZ=UTC "$polc" test "$root/$home" >a 2>&1)
(cd "$tmp" && TZ=Asia/Tokyo "$polc" test "$root/$home" >b 2>&1)
is "the zone changes no test" cmp -s "$tmp/a" "$tmp/b"

# A line of garbage is shown in part, and nothing of it reaches a terminal.
bad=$tmp/$'esc\x1b[31m.yaml'
{ printf 'polc: 1\nkind: ven\x1b[31mdor \xff\xfe\n'; } >"$bad"
try "controls in a source and its name" 1 'esc?[31m.yaml:2:10: error[P1104]' "$polc" check "$bad"
is "none is shown" test "$(tr -d '\n -~' <"$tmp/out" | wc -c)" = 0
try "a name that is no file" 6 "esc?[31m.yaml.x" "$polc" check "$bad.x"
is "none in that either" test "$(tr -d '\n -~' <"$tmp/err" | wc -c)" = 0
{ printf 'polc: 1\nkind: vendor\ntitle: '; head -c 3000 /dev/zero | tr '\0' x; printf '\xff'
	head -c 3000 /dev/zero | tr '\0' y; echo; } >"$tmp/long.yaml"
try "a long line" 1 "long.yaml:3:3008: error[P1101]" "$polc" check "$tmp/long.yaml"
is "is shown around the place" grep -qE '^    3 \| \.\.\.x{60}\?y{99}\.\.\.$' "$tmp/out"
is "with the caret below it" grep -qE '^      \| {64}\^$' "$tmp/out"
{ printf 'polc: 1\nkind: vendor\nid: '; head -c 6000 /dev/zero | tr '\0' x; echo; } >"$tmp/long.yaml"
try "a long line from its beginning" 1 "P1111" "$polc" check "$tmp/long.yaml"
is "has no dots before it" grep -qE '^    3 \| id: x{156}\.\.\.$' "$tmp/out"

# Ports of connections have a transport.
cat >"$tmp/ports.yaml" <<'END'
polc: 1
kind: vendor
id: com.example.ports
serial: 1
title: Ports
vm: tips
parties:
  cloud: {name: Cloud, role: service, address: [198.51.100.128/28], tls: {names: [a.example]}}
allow:
  fetch:
    direction: out
    party: cloud
    match: {http.request: {method: [GET], path: /tips, body: 0 B}}
    limits: [2 messages per day, at least 6 h apart]
deny:
  no-shell: {match: {flow.open: {port: [tcp/22, udp/5000-5010]}}}
tests:
  ports:
    steps:
      - {direction: out, party: cloud, observe: {flow.open: {port: tcp/443}}, expect: permit}
      - {direction: out, party: cloud, observe: {flow.open: {port: tcp/22}}, expect: deny by no-shell}
      - {direction: out, party: cloud, observe: {flow.open: {port: udp/22}}, expect: permit}
      - {direction: out, party: cloud, observe: {flow.open: {port: udp/5010}}, expect: deny by no-shell}
      - {direction: out, party: cloud, observe: {flow.open: {port: tcp/5010}}, expect: permit}
      - {direction: out, party: cloud, port: tcp/22, observe: {flow.open: {}}, expect: deny by no-shell}
END
try "ports of connections" 0 "1 passed, 0 failed" "$polc" test "$tmp/ports.yaml"
try "they are shown as written" 0 - "$polc" compile "$tmp/ports.yaml" -o "$tmp/ports.polc"
try "with their transports" 0 "port tcp/22, udp/5000-5010" "$polc" show "$tmp/ports.polc"
sed -i 's|, port: tcp/22, observe: {flow.open: {}}|, port: tcp/22, observe: {flow.open: {port: tcp/23}}|' "$tmp/ports.yaml"
try "a step with two ports" 4 "the port of the step is not the one observed" "$polc" test "$tmp/ports.yaml"

# Who is told, where a rule does not say.
try "a rule that notifies nobody in particular" 0 - "$polc" compile $home/tips.yaml -o "$tmp/notify.polc"
try "tells the portal of refusals" 0 "notify portal of refusals" "$polc" show "$tmp/notify.polc"
sed 's/^    consent: opt-in$/&\n    notify: [vendor]/' $home/tips.yaml >"$tmp/notify.yaml"
try "one that notifies the vendor" 0 - "$polc" compile "$tmp/notify.yaml" -o "$tmp/notify.polc"
try "tells him" 0 "    notify vendor" "$polc" show "$tmp/notify.polc"
try "the difference" 0 "notify     portal of refusals -> vendor" "$polc" diff $home/tips.yaml "$tmp/notify.yaml"

# compile
try "compile" 0 - "$polc" compile $home/mdma.yaml -o "$tmp/x.pol"
cp "$tmp/x.pol" "$tmp/y.pol"
# The digest is of what a policy means, not of where it says so.
digests() {
	"$BUILD/bin/metergate-replay" --format text -p "$1" \
		tests/pcaps/gen_polling.pcap | sed -n 's/.* in force, digest //p' | sort
}
mkdir "$tmp/moved"
for f in tests/policies/metering/*.yaml; do
	{ printf '\n# moved\n\n\n'; cat "$f"; } >"$tmp/moved/$(basename "$f")"
done
try "a set laid out anew" 0 - "$polc" fmt "$tmp"/moved/*.yaml
is "it has the same digests" [ "$(digests "$tmp/moved")" = "$(digests tests/policies/metering)" ]
is "there are some" [ "$(digests "$tmp/moved" | wc -l)" -ge 3 ]
cp $home/mdma.yaml "$tmp/own.yaml"
try "a source is not written over" 6 "is an input and an output" \
	"$polc" compile "$tmp/own.yaml" -o "$tmp/./own.yaml"
is "it is as it was" cmp -s $home/mdma.yaml "$tmp/own.yaml"
try "compile again" 0 - "$polc" compile $home/mdma.yaml -o "$tmp/x.pol"
is "the same octets again" cmp -s "$tmp/x.pol" "$tmp/y.pol"
try "compile says what judging costs" 0 "guards 8, counters 3, states 2" "$polc" compile -n $home/mdma.yaml
try "for programs too" 0 '"cost":{"rows":9,"words":9,"texts":1,"guards":8,"counters":3,"states":2}' \
	"$polc" compile --json -n $home/mdma.yaml
{ sed '/^parties:/,$d' $home/tips.yaml; echo 'parties:'
	for i in $(seq 12); do
		echo "  p$i: {name: P$i, role: service, address: [198.51.100.$i/32], ports: [tcp/443], tls: {names: [p$i.example]}}"
	done
	echo 'limits:'
	for i in $(seq 20); do
		echo "  few-$i: {each: [vm, party, measurement], limit: at most 64 distinct table per $i d}"
	done; } >"$tmp/big.yaml"
try "more counters than the gateway has memory for" 1 "error[P6201]: its counters take" "$polc" compile -n "$tmp/big.yaml"
try "compile -n writes nothing" 0 - "$polc" compile -n $home/mdma.yaml -o "$tmp/n.pol"
is "nothing was written" test ! -e "$tmp/n.pol"
try "a broken policy is not compiled" 1 "P4001" "$polc" compile tests/policies/bad/p4001-overlap.yaml -o "$tmp/x.pol"
is "the old image stays" cmp -s "$tmp/x.pol" "$tmp/y.pol"
try "no such directory" 6 "No such file" "$polc" compile $home/mdma.yaml -o "$tmp/no/x.pol"
try "a device is not replaced" 6 "not a regular file" "$polc" compile $home/mdma.yaml -o /dev/full
is "no temporary file is left" test "$(find "$tmp" -name '*.pol.*' | wc -l)" -eq 0
# Keys in another order, and the layout, change neither image nor digest.
{ grep -v '^#' $home/tips.yaml | sed 's/: \[/:   [/'; } >"$tmp/tips.yaml"
try "compile of another layout" 0 - "$polc" compile "$tmp/tips.yaml" -o "$tmp/t1.pol"
try "fmt" 0 - "$polc" fmt "$tmp/tips.yaml"
try "fmt --check agrees" 0 - "$polc" fmt --check "$tmp/tips.yaml"
try "compile after fmt" 0 - "$polc" compile "$tmp/tips.yaml" -o "$tmp/t2.pol"
# Octets 32 to 95 of an image: the digests of its payload and of its source.
digests() { tail -c +33 "$1" | head -c 64; }
is "fmt keeps the image but for source positions" cmp -s <(digests "$tmp/t1.pol") <(digests "$tmp/t2.pol")
is "another policy has others" test "$(digests "$tmp/t1.pol" | sha256sum)" != "$(digests "$tmp/x.pol" | sha256sum)"
try "the examples are laid out" 0 - "$polc" fmt --check $home/*.yaml
printf 'a:   1\n' >"$tmp/f.yaml"
try "fmt --check names what differs" 1 "f.yaml" "$polc" fmt --check "$tmp/f.yaml"
is "and leaves it alone" grep -q 'a:   1' "$tmp/f.yaml"
try "fmt refuses what does not parse" 1 "P1114" "$polc" fmt tests/policies/bad/p1114-syntax.yaml

# claims about all behaviour
claims=tests/policies/claims
wrong() { grep -o "P8002]: '[a-z0-9-]*'" "$1" | cut -d"'" -f2; }
try "claims that do not hold" 1 "error[P8002]" "$polc" check $claims/claims.yaml
is "just those, each with its figure" cmp -s "$tmp/out" $claims/claims.expect
is "the wrong ones and no other" [ "$(wrong "$tmp/out")" = \
	"$(grep -o '^  not-[a-z0-9-]*' $claims/claims.yaml | tr -d ' ')" ]
try "examples are messages that pass" 1 "error[P8002]" "$polc" check $claims/apart
is "with none it is said" [ "$(grep -c "P8002]: 'unseen[a-z-]*' .* may .*: no such message was found" \
	"$tmp/out")" = 3 ]
is "and those that were seen" [ "$(grep -c "P8002]: 'seen[a-z-]*' .*: obix.read-response href=/a/x with energy.register" \
	"$tmp/out")" = 2 ]
try "claims about what nobody can see" 1 "error[P8002]" "$polc" check $claims/unseen.yaml
is "they do not hold, but for the octets" [ "$(wrong "$tmp/out")" = \
	"$(grep -o '^  not-[a-z0-9-]*' $claims/unseen.yaml | tr -d ' ')" ]
try "rules that each keep a grade do not together" 1 "of grade F" "$polc" check $claims/split.yaml
is "bound says why" [ "$("$polc" bound $claims/split.yaml | grep -c 'together   every 12 h by all its rules')" = 2 ]
sed 's/appliance.state/energy.register/' $claims/split.yaml >"$tmp/split.yaml"
for f in $claims/split.yaml "$tmp/split.yaml"; do
	is "and tell of now: $(basename "$f")" [ "$("$polc" label "$f" | grep -c "whether somebody is at home now")" = 1 ]
done
is "the label says so" [ "$("$polc" label $claims/split.yaml | grep -c '^Example Ltd  *F  ')" = 1 ]
try "what a wide prefix meets is counted with it" 1 "error[P8002]" "$polc" check $claims/wide.yaml
is "and with nothing that it does not meet" [ "$(wrong "$tmp/out")" = not-twice ]
is "the author is told" grep -q "warning\[P5205\]: 'east' and 'wide'" "$tmp/out"
is "once, and of no other" [ "$(grep -c P5205 "$tmp/out")" = 1 ]
try "nor are they compiled" 1 "error[P8002]" "$polc" compile $claims/claims.yaml -o "$tmp/claims.pol"
is "nothing was written for them" test ! -e "$tmp/claims.pol"
is "the household's eleven hold" [ "$("$polc" check $home | grep -c P8002)" = 0 ]

try "what is held back leaves and counts later" 0 "3 passed, 0 failed" "$polc" test $claims/held.yaml

# a customer's file beside the others
mkdir "$tmp/mine" && cp $home/*.yaml "$tmp/mine"
sed -i 's/send-profile: granted/send-month-end: refused/' "$tmp/mine/customer.yaml"
try "the contract cannot be refused" 1 "error[P4011]: send-month-end is part" "$polc" check "$tmp/mine"
sed 's/send-profile: granted/send-nothing: granted/' $home/customer.yaml >"$tmp/mine/customer.yaml"
try "an answer to nothing" 0 "P3206" "$polc" check "$tmp/mine"
{ cat $home/customer.yaml; printf '  no-bill:\n    vm: mdma\n    block: true\n'; } >"$tmp/mine/customer.yaml"
try "a floor cannot be cut" 1 "error[P4011]: restriction no-bill cuts the floor" "$polc" check "$tmp/mine"
while IFS='|' read -r want probe; do
	sed "s/^restrict:/restrict:\n  probe: {$probe}/" $home/customer.yaml >"$tmp/mine/customer.yaml"
	if [ "$want" = cuts ]; then
		try "it is cut by: $probe" 1 "restriction probe cuts the floor" "$polc" check "$tmp/mine"
	else
		try "it is not cut by: $probe" 0 - "$polc" check "$tmp/mine"
	fi
done <<'EOF'
cuts|vm: mdma, data: {measurement: energy.register, delay: 24 h}
cuts|vm: mdma, data: {measurement: energy.register, resolution: 100 kWh}
cuts|vm: mdma, limit: 1 B per month
cuts|vm: mdma, limit: 11 readings per year
cuts|vm: mdma, limit: at least 31 d apart
keeps|vm: mdma, data: {measurement: energy.register, resolution: 1 kWh}
keeps|vm: mdma, data: {measurement: power.peak}, block: true
keeps|vm: mdma, data: {measurement: energy.interval}, block: true
cuts|vm: mdma, limit: 12 readings per year
cuts|vm: mdma, limit: at least 1 min apart
cuts|vm: mdma, data: {measurement: energy.register}, limit: 12 readings per year
keeps|vm: mdma, except: {role: [household, vm]}, data: {measurement: energy.register}, limit: 12 readings per year
cuts|vm: mdma, except: {role: [household, vm]}, limit: 21 readings per day
keeps|vm: mdma, except: {role: [household, vm]}, limit: 22 readings per day
keeps|vm: mdma, limit: 1 refusal per year
keeps|vm: mdma, when: {between: 08:00-20:00}
keeps|vm: tips, block: true
EOF

# bound
for c in "" --customer; do
	try "bound $c" 0 "Example Metering Ltd" "$polc" bound $c $home
	is "bound $c says what it said" cmp -s "$tmp/out" $home/bound$c.expect
done
# A policy on trial: the limits of the baseline and of the customer hold on.
mkdir "$tmp/trial"
cp $home/*.yaml "$tmp/trial"
sed -i "s/^vm: .*/&\nmode: {monitor-until: $(date -u -d '10 days' +%F)}/" "$tmp/trial/tips.yaml"
try "bound on trial" 0 "on trial" "$polc" bound "$tmp/trial"
is "the machine's octets a day" sh -c "sed -n '/^tips/,\$p' '$tmp/out' | grep -q 'octets     262144 a day, 8126464 a month'"
try "bound on trial, of this customer" 0 "on trial" "$polc" bound --customer "$tmp/trial"
is "the customer's octets a month" sh -c "sed -n '/^tips/,\$p' '$tmp/out' | grep -q 'octets     16384 a day, 16384 a month'"
# Without a measurement it lets pass what no rule grants, sealed or not.
sed -n '/^ceiling:/q; p' $home/baseline.yaml >"$tmp/trial/baseline.yaml"
printf 'ceiling:\n  other: {direction: any, party: {role: [service]}, match: {any: {}}}\n' >>"$tmp/trial/baseline.yaml"
rm "$tmp/trial"/{mdma,flex,portal,customer,household-tests}.yaml
sed -i '/^assert:/,$d' "$tmp/trial/tips.yaml"
try "bound on trial, without measurements" 0 "tips -> Tips Inc (US)  grade - X" "$polc" bound "$tmp/trial"
is "nor are there limits" grep -q 'sealed     any a day' "$tmp/out"
try "bound for programs" 0 '"backlog-values":1632' "$polc" bound --customer --json $home
is "it is JSON" python3 -c 'import json,sys
for l in open(sys.argv[1]): json.loads(l)' "$tmp/out"
try "bound of what does not compose" 6 "a second policy" \
	"$polc" bound $home/mdma.yaml $claims/claims.yaml

try "values of each quantity, for programs" 0 '"quantities":null,"values-of-each-quantity":true,"values-per-day":48' \
	"$polc" bound --json $home
sed 's/delay: 6 h}/delay: 6 h, channels: 2}/' $home/mdma.yaml >"$tmp/two.yaml"
try "values of two together" 0 "96 new ones a day, 3336 at first" "$polc" bound "$tmp/two.yaml"
try "values of two, for programs" 0 '"quantities":2,"values-of-each-quantity":false,"values-per-day":96' \
	"$polc" bound --json "$tmp/two.yaml"

# A limit on some types holds, whatever the first of the rules may send.
mkdir "$tmp/some"
cat >"$tmp/some/base.yaml" <<'EOF'
polc: 1
kind: baseline
id: org.example.base
serial: 1
title: One reading of energy a day
ceiling:
  all: {direction: any, party: {role: [metering]}, match: {any: {}}, data: {measurement: [energy.register, event.power]}}
limits:
  one: {on: {direction: out, measurement: 'energy.*'}, limit: 1 message per day}
EOF
cat >"$tmp/some/vendor.yaml" <<'EOF'
polc: 1
kind: vendor
id: org.example.some
serial: 1
title: Events and two registers
vm: mdma
parties:
  headend: {name: Head-end, role: metering, address: [203.0.113.0/28]}
allow:
  events: {direction: out, party: headend, match: {c1222.write-request: {table: [76]}}, purpose: Outages., consent: none, data: {measurement: event.power}, limits: [1 message per day]}
  one: {direction: out, party: headend, match: {c1222.write-request: {table: [23]}}, purpose: Billing., consent: none, data: {measurement: energy.register}, limits: [1 message per day]}
  two: {direction: out, party: headend, match: {c1222.write-request: {table: [25]}}, purpose: Billing., consent: none, data: {measurement: energy.register}, limits: [1 message per day]}
EOF
try "bound of types that a limit adds up" 0 "Head-end  grade B, a value every 21 h" "$polc" bound "$tmp/some"

# How the recipient is known: a title is a claim, but where who asks needs its key.
bad=tests/policies/bad
for c in address aptitle message; do
	try "known by $c" 0 "\"identity\":\"$c\"" "$polc" label --json $bad/p5106-$c.yaml
done
# Not when one of its rules answers anybody, nor when it is told something unasked.
sed 's/^  send:/  ask-more:\n    direction: in\n    party: headend\n    match: {c1222.read-request: {table: [25]}}\n  send-more:\n    purpose: Your bill.\n    direction: out\n    party: headend\n    match: {c1222.read-response: {table: [25]}}\n    answers: [ask-more]\n    consent: none\n    data: {measurement: energy.tou}\n    limits: [1 reading per day, at least 20 h apart]\n&/' \
	$bad/p5106-message.yaml >"$tmp/more.yaml"
try "known by the weakest rule" 0 '"identity":"aptitle"' "$polc" label --json "$tmp/more.yaml"
try "which is warned of" 0 "warning[P5106]: 'send-more'" "$polc" check "$tmp/more.yaml"
is "and no other" [ "$(grep -c 'warning\[P5106\]' "$tmp/out")" = 1 ]
sed '/answers:/d' $bad/p5106-message.yaml >"$tmp/unasked.yaml"
try "told unasked" 0 '"identity":"aptitle"' "$polc" label --json "$tmp/unasked.yaml"
sed 's/security: authenticated/security: [clear, authenticated]/' $bad/p5106-message.yaml >"$tmp/either.yaml"
try "or in clear" 0 '"identity":"aptitle"' "$polc" label --json "$tmp/either.yaml"
mkdir "$tmp/by-key" "$tmp/by-title"
cp $bad/p5106-message.yaml "$tmp/by-key/p.yaml" && cp $bad/p5106-aptitle.yaml "$tmp/by-title/p.yaml"
try "which is wider" 3 "message authentication -> ApTitle claimed" \
	"$polc" diff --fail-on wider "$tmp/by-key" "$tmp/by-title"

# Of prices nobody asks how old they are: no promise about that.
sed 's/measurement: energy.interval, gran/measurement: [energy.interval, tariff.price], gran/' \
	$home/mdma.yaml >"$tmp/old.yaml"
try "no age of what has none" 0 '"measurement":"tariff.price",' \
	"$polc" bound --json "$tmp/old.yaml"
is "nor for programs" grep -q \
	'"measurement":"tariff.price",[^{]*"freshest-s":0,"history-s":null' "$tmp/out"

# label
for c in "" --customer; do
	try "label $c" 0 "Example Metering Ltd" "$polc" label $c $home
	is "label $c says what it said" cmp -s "$tmp/out" $home/label$c.expect
	try "label $c for programs" 0 '"grade":"D"' "$polc" label $c --json $home
	is "label $c for programs says what it said" cmp -s "$tmp/out" $home/label$c.json
done
try "a label of what is sealed, and of parties that are one" 0 "Cannot be checked" \
	"$polc" label $claims/sealed.yaml
# What is closer than a second is not "every 0 seconds".
mkdir "$tmp/fast" && cp $home/*.yaml "$tmp/fast"
sed -i -e 's/2 MiB per month/2000 MiB per month/' \
	-e '/^  prove-the-saving:/,/limits:/s/limits: .*/limits: [200000 readings per 1 d burst 1]/' "$tmp/fast/flex.yaml"
sed -i 's/24 MiB per month/2400 MiB per month/' "$tmp/fast/baseline.yaml"
for form in "label --text" "label --html" bound; do
	try "several a second: $form" 0 "every fraction of a second" "$polc" $form "$tmp/fast"
	is "and not in no time: $form" test "$(grep -cE 'every 0 s|0 second' "$tmp/out")" = 0
done
try "a home that nothing leaves" 0 "Nothing about your use leaves" "$polc" label $home/baseline.yaml
# What carries no readings leaves as well, and could say anything.
sed '/^limits:/,/64 KiB/d' $home/portal.yaml >"$tmp/chatty.yaml"
for form in --text --html --svg --json; do
	try "who gets other messages, $form" 0 "Example Portal GmbH" "$polc" label $form "$tmp/chatty.yaml"
done
is "without bound, for programs" grep -qF '"operator":"Example Portal GmbH"' "$tmp/out"
is "which is null" grep -qE 'Example Portal GmbH.*"other-bytes-per-day":null' "$tmp/out"
for form in --text --html --svg; do
	"$polc" label $form "$tmp/chatty.yaml" | tr -s ' \n' '  ' | sed 's|</text> <text[^>]*>| |g' >"$tmp/flat"
	is "without bound, $form" grep -qF \
		"messages without readings, as many as it likes; if its software lied: nothing bounds what it could hide" "$tmp/flat"
	"$polc" label $form $home/portal.yaml | tr -s ' \n' '  ' | sed 's|</text> <text[^>]*>| |g' >"$tmp/flat"
	is "within one, $form" grep -qF "messages without readings, up to 64 KiB a day and 64 KiB a month; if its software lied: one hidden value every 1 minute 19 seconds, at most" "$tmp/flat"
done

# fleet: figures of sections 13 and 21 of the language's reference
try "fleet" 0 "4.55 Mbit/s at most" "$polc" fleet --meters 1000000 $home
herd=tests/policies/bad/p6101-herd.yaml
try "a herd" 0 "warning[P6101]: 'send' lets 1000000 meters call at the same moment: 93.3 Mbit/s" \
	"$polc" fleet --meters 1000000 $herd
sed 's/00:30-05:30}/00:30-05:30, spread: 30 min}/; s/^# a/# no/' $herd >"$tmp/spread.yaml"
"$polc" fleet --meters 1000000 "$tmp/spread.yaml" >"$tmp/out" 2>"$tmp/err"
is "is 300 times less" grep -q 'peak     .*311 kbit/s, spread over the window of send' "$tmp/out"
is "and is warned of nowhere" test ! -s "$tmp/err"
try "more than the uplink" 1 "warning[P6102]: Centre: average not bounded, peak 93.3 Mbit/s; the line carries 50.0 Mbit/s" \
	"$polc" fleet --strict --uplink "50 Mbit/s" --meters 1000000 $herd
try "too much at once" 0 "warning[P6102]: Example Metering Ltd: average 4.55 Mbit/s" "$polc" fleet --uplink 100Mbit/s --meters 1000000 $home
try "enough of it" 0 - "$polc" fleet --strict --uplink 1Gbit/s --meters 1000000 $home
try "fleet of how many" 2 "--meters N" "$polc" fleet $home
try "fleet of none" 2 "no number of meters" "$polc" fleet --meters 0 $home
try "fleet on what line" 2 "no rate" "$polc" fleet --meters 5 --uplink fast $home
try "fleet for programs" 0 '"average-bit-s":4551111' "$polc" fleet --json --meters 1000000 $home

# tests
try "the household's tests" 0 "16 passed, 0 failed" "$polc" test $home
is "that line is the last" test "$(tail -n 1 "$tmp/out")" = "16 passed, 0 failed"
try "one file finds its baseline" 0 "7 passed, 0 failed" "$polc" test $home/mdma.yaml
try "tests of an agent that asks for names, time, address and tips" 0 "8 passed, 0 failed" "$polc" test tests/policies/services
try "tests of the agents over oBIX" 0 "8 passed, 0 failed" "$polc" test tests/policies/agents
try "coverage" 0 "'acknowledge' never permits anything" "$polc" test --coverage $home
is "a rule that was tried both ways is not in it" [ "$(grep -c "'send-profile' " "$tmp/out")" = 0 ]
is "nor a denial that hit" [ "$(grep -c "'no-waveforms' " "$tmp/out")" = 0 ]
try "coverage of limits" 0 "'limits/hammering: 50 refusals per 10 min' is never reached" "$polc" test --coverage $home
is "and of those that count nothing" grep -q "'allow/receive-prices: 96 messages per day' never counts anything" "$tmp/out"
is "one that counts is not among them" test "$(grep -c "hammering.* never counts" "$tmp/out")" = 0
is "nor one that was reached among the others" test "$(grep -c "tips.yaml.*'limits/monthly-bytes" "$tmp/out")" = 0
is "a state that is never left" grep -q "'states/registered' is never left" "$tmp/out"
is "but entered" test "$(grep -c "'states/registered' is never entered" "$tmp/out")" = 0
# Given, a state is not entered; when it runs out, it is left.
sed -e '/^tests:/,$d' $home/mdma.yaml >"$tmp/states.yaml"
cat >>"$tmp/states.yaml" <<'END'
tests:
  it-runs-out:
    given: {time: 2026-04-07T12:00:00+01:00, states: [attested, "registered@headend"]}
    steps:
      - {after: 2 d, direction: in, party: headend, observe: {c1222.read-request: {table: 23}}, expect: deny because state-missing}
END
try "a state that runs out" 0 "'states/registered' is never entered" "$polc" test --coverage "$tmp/states.yaml"
is "is left" test "$(grep -c "'states/registered' is never left" "$tmp/out")" = 0
try "sums for programs" 0 '{"passed":3,"failed":0}' "$polc" test --json $claims/held.yaml
printf 'polc: 1\nkind: vendor\nid: com.example.in\nserial: 1\ntitle: In\nvm: m\nparties:\n  h: {name: H, role: grid, address: [192.0.2.1/32], ports: [tcp/80]}\nallow:\n  ask: {direction: in, party: h, match: {http.request: {path: /}}, limits: [9 messages per day]}\n' >"$tmp/in.yaml"
sed "s/: vendor/:   vendor/" "$tmp/in.yaml" >"$tmp/lay.yaml"
try "a layout for programs" 1 '"formatted":false' "$polc" fmt --json --check "$tmp/lay.yaml"
try "a bound of nothing is said" 0 "Nothing leaves" "$polc" bound "$tmp/in.yaml"
try "limits of rules are counted" 0 "1 rules, 1 limits" "$polc" compile "$tmp/in.yaml" -o "$tmp/in.pol"
try "coverage for programs" 0 '"level":"untried"' "$polc" test --coverage --json $home/tips.yaml
junit() { python3 -c 'import sys, xml.etree.ElementTree as x
r = x.parse(sys.argv[1]).getroot()
print(r.get("tests"), r.get("failures"), len(r.findall("testcase")), len(r.findall("testcase/failure")))' "$1"; }
try "results for a build server" 0 - "$polc" test --junit "$tmp/j.xml" $home
is "all of them" [ "$(junit "$tmp/j.xml")" = "16 0 16 0" ]
try "results that have no place" 6 "No such" "$polc" test --junit "$tmp/no/j.xml" $home
mkdir "$tmp/set" && cp $home/*.yaml "$tmp/set"
sed 's/expect: deny because too-fine/expect: permit/' $home/tips.yaml >"$tmp/set/tips.yaml"
try "a failure is among them" 4 "15 passed, 1 failed" "$polc" test --junit "$tmp/j.xml" "$tmp/set"
is "with its text" [ "$(junit "$tmp/j.xml")" = "16 1 16 1" ]
cp $home/tips.yaml "$tmp/set"
sed -i 's/expect: deny because not-an-answer/expect: permit/' "$tmp/set/mdma.yaml"
try "a test that fails" 4 "15 passed, 1 failed" "$polc" test "$tmp/set"
is "says what happened" grep -qF 'step 1: expected permit, but got deny because not-an-answer' "$tmp/out"
try "and for programs by which code" 4 '"level":"failed","code":"P8001","file":"'"$tmp/set/mdma.yaml" "$polc" test --json "$tmp/set"
sed -i 's/granularity: 30 min or coarser/granularity: 15 min or coarser/; s/delay: 6 h/delay: 1 min/' "$tmp/set/mdma.yaml"
try "a loosened policy is noticed" 4 "too-fresh" "$polc" test "$tmp/set"
try "a file without tests" 0 "0 passed, 0 failed" "$polc" test $home/binding.yaml
for s in metering rogue; do
	[ ! -d tests/policies/$s ] ||
		try "the tests of $s" 0 "0 failed" "$polc" test tests/policies/$s
done

# mutants: what no test would miss
try "mutants of the household" 4 "165 mutants" "$polc" test --mutate $home
is "those that survive are the ones known" cmp -s <(grep survives "$tmp/out") $home/mutate.expect
for m in tips-cloud/ports fetch-tip/direction; do
	is "$m is a mutant" grep -q "com.example.tips/$m survives" "$tmp/out"
done
is "another address is noticed" test "$(grep -c tips-cloud/address "$tmp/out")" = 0
is "so is another measurement" test "$(grep -c send-registers/measurement "$tmp/out")" = 0
try "one that a test notices is not among them" 4 - "$polc" test --mutate $home
is "the delay is tested" [ "$(grep -c 'send-profile/delay' "$tmp/out")" = 0 ]
mkdir "$tmp/mut" && cp $home/*.yaml "$tmp/mut"
grep -oE '[a-z.-]+/[^ ]+ survives' $home/mutate.expect | sed 's/^yaml//; s/ survives//' >"$tmp/names"
sed 's/^/# survives /; s/$/: for the test/' "$tmp/names" >>"$tmp/mut/household-tests.yaml"
try "all are justified" 0 "$(wc -l <"$tmp/names") justified, 0 survive" "$polc" test --mutate "$tmp/mut"
try "for programs" 0 '"justified":"for the test"' "$polc" test --mutate --json "$tmp/mut"
is "as JSON" python3 -c 'import json,sys
for l in open(sys.argv[1]):
    if l.startswith("{"): json.loads(l)' "$tmp/out"
echo '# survives com.example.mdma/send-profile/delay: it does not' >>"$tmp/mut/household-tests.yaml"
try "a reason for what is noticed" 4 "does not survive" "$polc" test --mutate "$tmp/mut"
sed -i '/send-profile\/delay/d; s/^\(# survives .*fetch-tip.limits.1\):.*/\1:/' "$tmp/mut/household-tests.yaml"
try "a reason that says nothing" 4 "fetch-tip/limits/1 survives: no test notices" "$polc" test --mutate "$tmp/mut"
sed -i 's/expect: permit by send-daily-use/expect: deny/' "$tmp/mut/tips.yaml"
# without its port, each would be the other: two grants for one message
cat >"$tmp/meet.yaml" <<'EOF'
polc: 1
kind: vendor
id: com.example.ports
serial: 1
title: Two parties that their ports tell apart
vm: mdma
parties:
  day: {name: A, role: metering, address: [192.0.2.1/32], ports: [tcp/81]}
  night: {name: B, role: metering, address: [192.0.2.1/32], ports: [tcp/82]}
allow:
  by-day: {direction: out, party: day, match: {http.request: {path: /x, body: 0 B}}}
  by-night: {direction: out, party: night, match: {http.request: {path: /x, body: 0 B}}}
tests:
  by-day-alone:
    steps:
      - {direction: out, party: day, observe: {http.request: {method: GET, path: /x, body: 0 B}}, expect: permit by by-day}
      - {direction: out, party: night, observe: {http.request: {method: GET, path: /x, body: 0 B}}, expect: permit by by-night}
EOF
try "what would not compile is no mutant" 4 - "$polc" test --mutate "$tmp/meet.yaml"
is "though only the parties meet then" grep -q "^10 mutants" "$tmp/out"
try "none are tried where tests fail" 4 "no mutants are tried" "$polc" test --mutate "$tmp/mut"

try "tests of captures" 0 "3 passed, 0 failed" "$polc" test tests/policies/captures
sed 's/permit: 20/permit: 21/; s,\.\./\.\./pcaps,'"$root"'/tests/pcaps,; s,\.\./metering,'"$root"'/tests/policies/metering,g' \
	tests/policies/captures/captures.yaml >"$tmp/cap.yaml"
try "a capture decided otherwise" 4 "expected 21 permitted, got 20" "$polc" test "$tmp/cap.yaml"

# explain: section 19.5 of the language's reference
why() {
	"$polc" explain --vm mdma --out --party headend --at 2026-04-07T00:40 \
		--observe 'c1222.read-response table=64' "$@" $home
}
try "explain a refusal" 0 "REFUSED  too-fine, too-fresh" \
	why --data 'energy.interval 15 min oldest=31h newest=2h'
for t in 'granularity 15 min, needs 30 min or coarser' 'send-profile' 'day-late-for-everyone' \
	'would pass' 'mdma.yaml:' 'customer   refused'; do
	is "it says: $t" grep -qF "$t" "$tmp/out"
done
try "explain as JSON" 0 '"verdict":"refused"' \
	why --json --data 'energy.interval 15 min oldest=31h newest=2h'
is "it is one object with the chain in it" python3 - "$tmp/out" <<'EOF'
import json, sys
lines = open(sys.argv[1], encoding="utf-8").read().splitlines()
assert len(lines) == 1
d = json.loads(lines[0])
assert d["reasons"] == ["too-fine", "too-fresh"], d
assert d["party"] == "headend" and d["action"] == "refuse", d
assert any(r["rule"] == "send-profile" and r["refused"] for r in d["rules"] if "rule" in r), d
assert any(line.startswith("REFUSED") for line in d["lines"]), d
assert d["would_pass"], d
# What the text says has room: "1 of 1 reading today", "48 of 48 KiB today".
room = {b["name"].split("/", 1)[1]: (b["used"], b["limit"]) for b in d["budgets"]}
assert room["send-profile: 1 reading per day"] == (0, 1), d
assert room["daily-bytes: 48 KiB per day"] == (0, 48 << 10), d
EOF
# Line by line as in 19.5; what TLS has to say is left to whoever seals.
why --data 'energy.interval 15 min oldest=31h newest=2h' >"$tmp/out"
is "the chain is that of the reference" cmp -s "$tmp/out" $home/explain.expect
# What is said to pass does pass.
try "explain what would pass" 0 "PERMITTED" why --data 'energy.interval 30 min oldest=31h newest=24h'
try "nobody asked" 0 "not-an-answer" why --unasked --data 'energy.interval 30 min oldest=31h newest=24h'
try "no states" 0 "state-missing" why --no-states --data 'energy.interval 30 min oldest=31h newest=24h'
try "a misspelled observation" 2 "did you mean 'c1222.read-request'" \
	"$polc" explain --vm mdma --in --party headend --observe c1222.read-reqest $home
try "a misspelled party" 2 "no party 'headened'" \
	"$polc" explain --vm mdma --in --party headened --observe c1222.read-request $home
try "a quote in an argument" 2 - \
	"$polc" explain --vm "m'x" --in --party headend --observe c1222.read-request $home

# help: every diagnostic that a bad policy shows is explained
try "help lists" 0 "P4001" "$polc" help
try "help explains" 0 "Wrong:" "$polc" help P4001
try "help without the P" 0 "overlap" "$polc" help 4001
try "help names all types that show use" 0 "energy.*, power.*, tariff.credit" "$polc" help P5301
try "no such diagnostic" 2 "no diagnostic" "$polc" help P9999
missing=$(cat tests/policies/bad/*.expect | grep -oE '\[P[0-9]{4}\]' | sort -u | tr -d '[]' |
	while read -r p; do "$polc" help "$p" >/dev/null 2>&1 || echo "$p"; done)
is "every diagnostic is explained $missing" test -z "$missing"

# keys and signatures
key=$tmp/vendor.key pol=$tmp/signed.polc
try "a key" 0 "ed25519:" "$polc" keygen -o "$key"
public=$(cat "$tmp/out")
is "that nobody else reads" [ "$(stat -c %a "$key")" = 600 ]
try "is not written over" 6 "is there already" "$polc" keygen -o "$key"
try "its public half again" 0 "$public" "$polc" keygen --public "$key"
try "the same for programs" 0 "\"key\":\"$public\"" "$polc" keygen --json --public "$key"
try "a directory for a key" 6 "a directory" "$polc" keygen --public "$tmp"
try "a key elsewhere" 6 "No such file" "$polc" keygen -o "$tmp/no/key"
try "something to sign" 0 - "$polc" compile $home/mdma.yaml -o "$pol"
try "unsigned" 5 "error[P7002]" "$polc" verify "$pol"
cp "$pol" "$tmp/plain.polc"
try "sign" 0 "signed with $public" "$polc" sign -k "$key" "$pol"
try "verify" 0 "signed by $public" "$polc" verify "$pol"
try "verify for programs" 0 "\"key\":\"$public\"" "$polc" verify --json "$pol"
try "with this key" 0 - "$polc" verify --key "$public" "$pol"
cp "$pol" "$tmp/once.polc"
try "sign again" 0 - "$polc" sign -k "$key" "$pol"
is "it is the same" cmp -s "$pol" "$tmp/once.polc"
"$polc" keygen -o "$tmp/other.key" >"$tmp/other"
try "another key" 5 "error[P7004]" "$polc" verify --key "$(cat "$tmp/other")" "$pol"
try "another key for programs" 5 '"code":"P7004"' "$polc" verify --json --key "$(cat "$tmp/other")" "$pol"
try "not a key" 2 "is not a key" "$polc" verify --key ed25519:12 "$pol"
try "the binding names another" 5 "for machine mdma" "$polc" verify --binding $home/binding.yaml "$pol"
mkdir "$tmp/bound" && cp $home/library.yaml "$tmp/bound"
sed "s/^  mdma-vendor: .*/  mdma-vendor: \"$public\"/" $home/binding.yaml >"$tmp/bound/binding.yaml"
try "the binding names this" 0 "signed by $public (mdma-vendor)" "$polc" verify --binding "$tmp/bound/binding.yaml" "$pol"
try "the binding has no such policy" 5 "gives no machine" "$polc" verify \
	--binding tests/policies/services/binding.yaml "$pol"
try "no binding at all" 6 "not a binding" "$polc" verify --binding $home/tips.yaml "$pol"
try "rebuilt from its source" 0 "made from" "$polc" verify --source $home/mdma.yaml "$pol"
try "unsigned, from its source" 0 "signed by nobody" "$polc" verify --source $home/mdma.yaml "$tmp/plain.polc"
try "from another source" 5 "error[P7005]" "$polc" verify --source $home/tips.yaml "$pol"
# Every octet is under the signature or a checksum; none may be another.
flip() { # from, to, which octet
	python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[int(sys.argv[3])] ^= 1
open(sys.argv[2], "wb").write(b)' "$@"
}
size=$(stat -c %s "$pol")
for at in 0 12 30 40 130 1000 $((size / 2)) $((size - 97)) $((size - 96)) $((size - 64)) $((size - 1)); do
	flip "$pol" "$tmp/bad.polc" "$at"
	try "octet $at changed" 5 "error[P700" "$polc" verify --key "$public" "$tmp/bad.polc"
done
flip "$pol" "$tmp/bad.polc" $((size - 1))
try "a wrong signature is said to be one" 5 "error[P7003]" "$polc" verify "$tmp/bad.polc"
head -c $((size - 8)) "$pol" >"$tmp/bad.polc"
try "cut short" 5 "error[P7001]" "$polc" verify "$tmp/bad.polc"
try "a damaged one is not signed" 5 "length" "$polc" sign -k "$key" "$tmp/bad.polc"
try "a source is not signed" 5 "polc compile makes one" "$polc" sign -k "$key" $home/tips.yaml
cp "$key" "$tmp/open.key" && chmod 644 "$tmp/open.key"
try "a key that others read" 6 "chmod 600" "$polc" sign -k "$tmp/open.key" "$pol"
(umask 077 && echo hello >"$tmp/no.key")
try "not a private key" 6 "polc keygen makes one" "$polc" sign -k "$tmp/no.key" "$pol"
is "the image is as it was" cmp -s "$pol" "$tmp/once.polc"

# the manual's example
sed -n '/^polc: 1$/,/^\.Ed$/p' policy-lang/metergate-policy.5 | grep -v '^\.Ed' >"$tmp/hello.yaml"
try "the manual's policy" 0 - "$polc" check --strict "$tmp/hello.yaml"
exit $rc
