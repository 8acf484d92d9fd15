#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The policies that are shipped (policies/): they check, their tests pass and
# try every rule, what they assert is proved, and what they let out at most is
# what tests/policies/library says. UPDATE=1 writes those files anew; look at
# the difference.
set -u
shopt -s nullglob
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
polc=$(realpath -m "$BUILD/bin/polc")
[ -x "$polc" ] || { echo "not ok polc is not built"; exit 1; }
golden=tests/policies/library
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rc=0

is() { # name, condition...
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; rc=1; fi
}
# name of the golden file, command...: exits 0 and says what it said.
same() {
	local name=$1 got
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	if [ $got -ne 0 ] || [ -s "$tmp/err" ]; then
		echo "not ok $name: exit $got: $(head -n 1 "$tmp/err")"
		rc=1
	elif [ -n "${UPDATE:-}" ]; then
		cp "$tmp/out" "$golden/$name"
		echo "ok wrote $name"
	elif diff -u "$golden/$name" "$tmp/out" >"$tmp/diff" 2>&1; then
		echo "ok $name"
	else
		echo "not ok $name: UPDATE=1 $0 if it is meant"
		head -n 20 "$tmp/diff" | cut -c 1-200 | sed 's/^/# /'
		rc=1
	fi
}
# A set: its name, and the files it is made of. Sets are what a gateway gets:
# one baseline, the binding, the vendors' policies and the libraries.
declare -A files
set_of() {
	local name=$1 f
	shift
	mkdir "$tmp/$name"
	for f in "$@"; do
		cp "$f" "$tmp/$name/$(basename "$f")"
	done
	# Its suite takes what lies beside it.
	[ ! -e "$tmp/$name/tests.yaml" ] ||
		sed -i "s|^policies: .*|policies: [$(cd "$tmp/$name" && echo *.yaml |
			sed 's/ *tests.yaml//; s/ /, /g')]|" "$tmp/$name/tests.yaml"
	files[$name]=$*
}
common="policies/home.yaml policies/binding.yaml policies/demand-response.yaml policies/portal.yaml"
# shellcheck disable=SC2086
set_of daily $common policies/baseline-daily.yaml policies/metering.yaml policies/tests.yaml
# shellcheck disable=SC2086
set_of strict $common policies/strict/*.yaml
set_of head-end policies/head-end/*.yaml
# Each national baseline says which policies it goes with. The tests of the
# layers together are those, with this baseline in place of theirs.
nations=()
for f in policies/national/*.yaml; do
	s=$(basename "$f" .yaml)
	with=$(sed -n 's|^# Goes with: ||p' "$f" | sed 's|\.\./|policies/|g')
	# shellcheck disable=SC2086
	set_of "$s" $common "$f" $with
	nations+=("$s")
done
is "there are national baselines" [ ${#nations[@]} -ge 5 ]

is "the default set is a folder" "$polc" check policies >/dev/null
# And the gateway would enforce it as it stands.
sed -e "s|/etc/metergate/policies|$PWD/policies|" -e '/^keys:/d' \
	-e 's|^platform-key:.*|signatures: off|' \
	examples/metergated-namespaces.conf >"$tmp/conf"
echo "backend: iptables" >>"$tmp/conf"
"$BUILD/bin/metergated" -c "$tmp/conf" -n >"$tmp/out" 2>&1
is "the gateway takes it" grep -q -- '-j NFQUEUE' "$tmp/out"
# But not all of it permits something, as long as nothing sets `attested`.
is "and says what permits nothing" grep -qF \
	"# org.metergate.metering: 3 rules permit nothing: the state 'attested' is required" "$tmp/out"
daily_reading() { # set, more states
	"$polc" explain --vm mdma --out --party headend --at 2026-04-07T09:00 \
		--state registered@headend "${@:2}" --data 'energy.register' \
		--observe 'c1222.read-response table=23' "$1"
}
for m in metering strict/metering; do
	rm -rf "$tmp/unattested" && mkdir "$tmp/unattested"
	cp policies/home.yaml policies/binding.yaml policies/baseline-daily.yaml "$tmp/unattested"
	cp policies/$m.yaml "$tmp/unattested/metering.yaml"
	daily_reading "$tmp/unattested" >"$tmp/out" 2>&1
	is "$m: unattested, no daily reading leaves" grep -qF state-missing "$tmp/out"
	daily_reading "$tmp/unattested" --state attested >"$tmp/out" 2>&1
	is "$m: attested, it does" grep -qE '^(PERMITTED|REFUSED  no-consent)' "$tmp/out"
	sed -i "$(sed -n "s/^    sed -i '\(.*\)' .*metering.yaml$/\1/p" policies/README.md)" \
		"$tmp/unattested/metering.yaml"
	daily_reading "$tmp/unattested" >"$tmp/out" 2>&1
	is "$m: without asking for it, as the README says, it does" \
		grep -qE '^(PERMITTED|REFUSED  no-consent)' "$tmp/out"
done
for s in daily strict head-end; do
	# shellcheck disable=SC2086
	"$polc" test --coverage ${files[$s]} >"$tmp/out" 2>&1
	is "$s: all tests pass, and nothing is untried: $(head -n 1 "$tmp/out")" \
		grep -qzE '^[1-9][0-9]* passed, 0 failed\s$' "$tmp/out"
done
# No constraint can go unnoticed, but for those that say why.
for s in daily strict head-end "${nations[@]}"; do
	"$polc" test --mutate "$tmp/$s" >"$tmp/out" 2>&1
	got=$?
	is "$s: $(grep mutants "$tmp/out")" test $got -eq 0
done
for s in "${nations[@]}"; do
	"$polc" test --coverage "$tmp/$s" >"$tmp/out" 2>&1
	is "$s: all tests pass, and nothing is untried: $(head -n 1 "$tmp/out")" \
		grep -qzE '^[1-9][0-9]* passed, 0 failed\s$' "$tmp/out"
	# Whoever asks for less than the country wants is refused.
	for rule in send-registers send-profile; do
		cp -r "$tmp/$s" "$tmp/lax"
		sed -i "/^  $rule:/,/consent:/s/consent: opt-.*/consent: none/" \
			"$tmp/lax/metering.yaml"
		"$polc" check "$tmp/lax" >"$tmp/out" 2>&1
		is "$s: $rule has to be asked for" grep -q "P5301\]: '$rule'" "$tmp/out"
		rm -r "$tmp/lax"
	done
done
for s in "${!files[@]}"; do
	# shellcheck disable=SC2086
	same "check-$s.expect" "$polc" check ${files[$s]}
	same "label-$s.expect" "$polc" label "$tmp/$s"
	same "label-$s.json" "$polc" label --json "$tmp/$s"
	same "label-$s.html" "$polc" label --html "$tmp/$s"
	same "label-$s.svg" "$polc" label --svg "$tmp/$s"
	same "bound-$s.expect" "$polc" bound "$tmp/$s"
	[ "$s" = daily ] || [ "$s" = head-end ] ||
		same "diff-daily-$s.expect" "$polc" diff --all "$tmp/daily" "$tmp/$s"
done
# A claim that is too good is not proved, or the proofs would say nothing.
sed 's/grade: D or better/grade: C or better/' policies/baseline-daily.yaml >"$tmp/daily/baseline-daily.yaml"
"$polc" check "$tmp/daily" >"$tmp/out" 2>&1
is "claims are proved over the whole set" grep -q "error\[P8002\].*grade" "$tmp/out"
cp policies/baseline-daily.yaml "$tmp/daily"
# The daily policy of metering takes for granted what the strict baseline
# wants to be asked.
"$polc" check policies/home.yaml policies/binding.yaml policies/metering.yaml \
	policies/strict/baseline-strict.yaml >"$tmp/out" 2>&1
is "the strict baseline refuses a policy that does not ask" \
	grep -q "P5301\]: 'send-registers'" "$tmp/out"

# What a vendor may send next, and what the household is told of it.
next() { # name, edit of metering.yaml
	rm -rf "$tmp/next"
	cp -r "$tmp/daily" "$tmp/next"
	sed "s/^serial: 1/serial: 2/; $2" policies/metering.yaml >"$tmp/next/metering.yaml"
	is "the edit '$1' is one" test -n "$(diff -q "$tmp/daily" "$tmp/next")"
	same "diff-next-$1.expect" "$polc" diff "$tmp/daily" "$tmp/next"
}
next quarter-hours 's/granularity: 30 min or coarser, history: 3 d, delay: 6 h/granularity: 15 min or coarser, history: 10 d, delay: 1 h/'
next solar 's/{measurement: energy.register}$/{measurement: [energy.register, energy.export]}/'
next no-daily-reading '/^  send-registers:/,/^$/d; /^  ask-registers:/,/^    limits/d'
next moved-abroad 's/country: GB/country: US/; s/keeps-data-for: 400 d/keeps-data-for: 4000 d/'
next more-events 's/16 messages per day/96 messages per day/'
next texts-only 's/Your monthly bill\./Working out what you owe each month./'
exit $rc
