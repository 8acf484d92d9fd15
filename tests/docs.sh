#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Documents that are made from the tables the code uses, so that they cannot
# lie: `tests/docs.sh write` makes them, `tests/docs.sh` (as a test) compares.
# Also: the manuals are free of mandoc's complaints.
set -u
cd "$(dirname "$0")/.." || exit 2
mode=${1:-check}
rc=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

rows() { # file: the X(...) rows, one per line, without X( and )
	sed -n 's/^X(\(.*\))$/\1/p' "$1"
}

vocabulary() {
	cat <<-'EOF'
	<!-- SPDX-License-Identifier: Apache-2.0 -->
	# Vocabulary

	Made from `core/fields.def`, `core/obs.def`, `core/meas.def` and
	`core/reason.def` by `make docs`; do not edit.

	## Observations

	| name | family | level |
	|---|---|---|
	EOF
	rows core/obs.def | awk -F', *' '{gsub(/"/, "", $2); print "| `" $2 "` | " tolower($3) " | " tolower($4) " |"}'
	cat <<-'EOF'

	A carrier is granted by implication while everything it carries is; all
	others are leaves and need a grant of their own.

	## Facts

	| name | type | unit | range | source |
	|---|---|---|---|---|
	EOF
	rows core/fields.def | awk '{
		n = 0; s = $0
		while (match(s, /"[^"]*"/)) { q[++n] = substr(s, RSTART + 1, RLENGTH - 2); s = substr(s, RSTART + RLENGTH) }
		split($0, a, /, */); t = $0; sub(/^[^"]*"[^"]*", */, "", t); sub(/,.*/, "", t)
		print "| `" q[1] "` | " tolower(t) " | " q[2] " | " q[3] " | " q[4] " |" }'
	cat <<-'EOF'

	## Measurement types

	| name | class | plain name |
	|---|---|---|
	EOF
	rows core/meas.def | awk -F'"' '{c = $3; gsub(/[, ]/, "", c); print "| `" $2 "` | " tolower(c) " | " $4 " |"}'
	cat <<-'EOF'

	## Reasons

	Every drop and every anomaly names one of these, and nothing else.

	| reason | group | meaning |
	|---|---|---|
	EOF
	rows core/reason.def | awk -F'"' '{c = $3; gsub(/[, ]/, "", c); print "| `" $2 "` | " tolower(c) " | " $4 " |"}'
}

generated() { # name, command
	"$2" >"$tmp/doc"
	if [ "$mode" = write ]; then
		cp "$tmp/doc" "$1"
		echo "ok wrote $1"
	elif diff -u "$1" "$tmp/doc" >"$tmp/diff" 2>&1; then
		echo "ok $1 is up to date"
	else
		echo "not ok $1 is out of date: run make docs"
		head -n 20 "$tmp/diff"
		rc=1
	fi
}
generated docs/vocabulary.md vocabulary
[ ! -x audit/record_doc.sh ] || generated docs/audit-record.md audit/record_doc.sh
generated docs/protocols.md dissectors/protocols_doc.sh
if grep -n 'MISSING' docs/protocols.md; then
	echo "not ok docs/protocols.md lacks a table"
	rc=1
fi

# The manual of the language names every measurement type.
missing=$(rows core/meas.def | awk -F'"' '{print $2}' | while read -r m; do
	grep -qx ".It Ic $m" policy-lang/metergate-policy.5 || echo "$m"
done)
if [ -z "$missing" ]; then
	echo "ok metergate-policy(5) names every measurement type"
else
	echo "not ok metergate-policy(5) does not name:" $missing
	rc=1
fi

if command -v mandoc >/dev/null; then
	for m in $(git ls-files '*.[158]'); do
		if mandoc -Tlint -Wwarning "$m" >"$tmp/lint" 2>&1; then
			echo "ok $m is clean"
		else
			echo "not ok $m"
			cat "$tmp/lint"
			rc=1
		fi
	done
else
	echo "SKIP: the manuals were not checked: mandoc is not installed"
fi
exit $rc
