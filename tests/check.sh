#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs tests and counts them: each argument is a program or script of its own.
# cmocka programs are counted by their tests, scripts by one line each of
# "ok NAME", "not ok NAME" or "SKIP: why". The last line is
# "N passed, N failed, N skipped"; exit 1 when anything failed.
set -u
passed=0 failed=0 skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

for t in "$@"; do
	start=$SECONDS
	CMOCKA_MESSAGE_OUTPUT=TAP "$t" >"$out" 2>&1
	rc=$?
	ok=$(grep -c '^ok ' "$out")
	# cmocka writes what it skips as "not ok N # SKIP".
	bad=$(grep '^not ok ' "$out" | grep -vc '# SKIP')
	skip=$(grep -c '^SKIP: ' "$out")
	# A program that dies, or says nothing, has failed.
	if [ $rc -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	elif [ $((ok + bad + skip)) -eq 0 ]; then
		echo "nothing was tested" >>"$out"
		bad=1
	fi
	passed=$((passed + ok)) failed=$((failed + bad))
	skipped=$((skipped + skip))
	name=${t#./} name=${name#"${BUILD:-build}"/}
	if [ "$bad" -ne 0 ]; then
		printf 'FAIL  %s (exit %d)\n' "$name" $rc
		grep -v '^ok ' "$out" | tail -n 40 | sed 's/^/      /'
	else
		printf 'ok    %-44s %4d tests %3d s\n' "$name" "$ok" \
			$((SECONDS - start))
	fi
	grep '^SKIP: ' "$out" | sed 's/^/      /'
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
