#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs each fuzz target for FUZZ_SECONDS (20) under ASan and UBSan, from the
# seeds in tests/corpus, as many at once as there are processors. New inputs
# go to build/fuzz-corpus and are used again by the next run. The seed of the
# generator is FUZZ_SEED (1), so that a check does not depend on chance; 0 is a
# new one each time, as `make soak` uses it.
#   tests/fuzz_smoke.sh [TARGET...]
set -u
cd "$(dirname "$0")/.." || exit 2
seconds=${FUZZ_SECONDS:-20}
seed=${FUZZ_SEED:-1}
work=build/fuzz-corpus
mkdir -p "$work"

one() {
	local bin=$1 name dir log n
	name=$(basename "$bin" _fuzz)
	dir=$work/$name log=$work/$name.log
	mkdir -p "$dir" "tests/corpus/$name"
	if "$bin" -seed="$seed" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$work/$name-" \
		"$dir" "tests/corpus/$name" >"$log" 2>&1; then
		n=$(awk '/number_of_executed_units/ {print $2}' "$log")
		cov=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
		echo "ok fuzz $name: ${n:-0} executions, $cov, corpus $(find "$dir" "tests/corpus/$name" -type f | wc -l)"
	else
		echo "not ok fuzz $name"
		tail -n 30 "$log" | sed 's/^/# /'
	fi
}
export -f one
export seconds seed work

targets=$(find build/fuzz/fuzz -name '*_fuzz' -type f -perm -u+x 2>/dev/null | sort)
if [ $# -gt 0 ]; then
	want=$(printf '%s\n' "$@")
	targets=$(printf '%s\n' "$targets" | grep -F "$want")
fi
[ -n "$targets" ] || { echo "not ok no fuzz target is built"; exit 1; }
out=$(printf '%s\n' "$targets" | xargs -P "$(nproc)" -I{} bash -c 'one {}')
printf '%s\n' "$out"
! printf '%s\n' "$out" | grep -q '^not ok'
