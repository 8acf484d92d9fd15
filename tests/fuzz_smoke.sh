#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target for FUZZ_SECONDS (20) under ASan and UBSan, from the
# seeds in tests/corpus, as many at once as there are processors. New inputs
# go to build/fuzz-corpus and are used again by the next run. The seed of the
# generator is FUZZ_SEED (1), so that a check does not depend on chance; 0 is a
# new one each time, as `make soak` uses it. With FUZZ_CPU_SECONDS a target runs
# again and again until it has used that much processor time, whatever else
# the machine does.
#   tests/fuzz_smoke.sh [TARGET...]
set -u
cd "$(dirname "$0")/.." || exit 2
seconds=${FUZZ_SECONDS:-20}
cpu=${FUZZ_CPU_SECONDS:-0}
seed=${FUZZ_SEED:-1}
work=build/fuzz-corpus
mkdir -p "$work"

# One round; adds to n (executions) and used (processor time in ms).
round() {
	local TIMEFORMAT='%3U %3S' t rc
	t=$({ time "$bin" -seed="$seed" -max_total_time="$seconds" -timeout=30 \
		-rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$work/$name-" \
		"$dir" "tests/corpus/$name" >"$log" 2>&1; } 2>&1)
	rc=$?
	used=$((used + $(awk '{print int(($1 + $2) * 1000)}' <<<"$t")))
	n=$((n + $(awk '/number_of_executed_units/ {n = $2} END {print n + 0}' "$log")))
	return $rc
}

one() {
	local bin=$1 name dir log n=0 used=0
	name=$(basename "$bin" _fuzz)
	dir=$work/$name log=$work/$name.log
	mkdir -p "$dir" "tests/corpus/$name"
	while :; do
		if ! round; then
			echo "not ok fuzz $name"
			tail -n 30 "$log" | sed 's/^/# /'
			return
		fi
		[ $used -ge $((cpu * 1000)) ] && break
	done
	cov=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
	echo "ok fuzz $name: $n executions in $((used / 1000)) CPU-seconds, $cov," \
		"corpus $(find "$dir" "tests/corpus/$name" -type f | wc -l)"
}
export -f one round
export seconds cpu seed work

targets=$(find build/fuzz/fuzz -name '*_fuzz' -type f -perm -u+x 2>/dev/null | sort)
if [ $# -gt 0 ]; then
	want=$(printf '%s\n' "$@")
	targets=$(printf '%s\n' "$targets" | grep -F "$want")
fi
[ -n "$targets" ] || { echo "not ok no fuzz target is built"; exit 1; }
out=$(printf '%s\n' "$targets" | xargs -P "$(nproc)" -I{} bash -c 'one {}')
printf '%s\n' "$out"
! printf '%s\n' "$out" | grep -q '^not ok'
