#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs tests and counts them: each argument is a program or script of its own.
# cmocka programs are counted by their tests, scripts by one line each of
# "ok NAME", "not ok NAME" or "SKIP: why". The last line is
# "N passed, N failed, N skipped"; exit 1 when anything failed.
#
# There are two lanes: the live tests mostly wait, so they go beside the rest.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# lane NAME TEST...: runs them one after the other; counts go to $work/NAME.
lane() {
	local name=$1 out="$work/$1.out" said="$work/$1.said"
	local passed=0 failed=0 skipped=0 t start rc ok bad skip title

	shift
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
	done
	echo "$passed $failed $skipped" >"$work/$name"
}

live=() rest=()
for t in "$@"; do
	case $t in
	tests/e2e/*) live+=("$t") ;;
	*) rest+=("$t") ;;
	esac
done
lane live "${live[@]}" &
lane rest "${rest[@]}"
wait
read -r p1 f1 s1 <"$work/live" && read -r p2 f2 s2 <"$work/rest" || exit 1
echo "$((p1 + p2)) passed, $((f1 + f2)) failed, $((s1 + s2)) skipped"
[ $((f1 + f2)) -eq 0 ]
