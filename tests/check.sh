#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs tests and counts them: each argument is a program or script of its own.
# cmocka programs are counted by their tests, scripts by one line each of
# "ok NAME", "not ok NAME" or "SKIP: why". The last line is
# "N passed, N failed, N skipped"; exit 1 when anything failed.
#
# There are three lanes, which share two processors: live tests mostly wait, so
# two lanes take one after the other from them, and so does the third when it
# has done all the rest.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# take LIST: the next test of a list, which is taken from it.
take() {
	{
		flock 9
		head -n 1 "$work/$1.list"
		sed -i 1d "$work/$1.list"
	} 9>"$work/lock"
}

# lane NAME LIST...: runs what the lists hold, one list after the other; counts
# go to $work/NAME.
lane() {
	local name=$1 out="$work/$1.out" said="$work/$1.said"
	local passed=0 failed=0 skipped=0 list t start rc ok bad skip title

	shift
	for list in "$@"; do while t=$(take "$list") && [ -n "$t" ]; do
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
		title=${t#./} title=${title#"${BUILD:-build}"/}
		{
			if [ "$bad" -ne 0 ]; then
				printf 'FAIL  %s (exit %d)\n' "$title" $rc
				grep -v '^ok ' "$out" | tail -n 40 |
					sed 's/^/      /'
			else
				printf 'ok    %-44s %4d tests %3d s\n' "$title" \
					"$ok" $((SECONDS - start))
			fi
			grep '^SKIP: ' "$out" | sed 's/^/      /'
		} >"$said"
		# In one piece, or the lanes would write into each other.
		flock "$work" cat "$said"
	done; done
	echo "$passed $failed $skipped" >"$work/$name"
}

for t in "$@"; do
	case $t in
	tests/e2e/*) echo "$t" >>"$work/live.list" ;;
	*) echo "$t" >>"$work/rest.list" ;;
	esac
done
touch "$work/live.list" "$work/rest.list"
lane 1 live &
lane 2 live &
lane 3 rest live
wait
passed=0 failed=0 skipped=0
for n in 1 2 3; do
	read -r p f s <"$work/$n" || exit 1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
