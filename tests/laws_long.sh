#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every law of the language over LAW_CASES (1,000,000) cases from LAW_SEED (1),
# one after the other; hours. `make check` runs the same with 10,000.
#
#   tests/laws_long.sh [PROGRAM...]     of BUILD/test/policy-lang
set -u
export LAW_CASES=${LAW_CASES:-1000000}
dir=${BUILD:-build}/test/policy-lang
[ $# -gt 0 ] || set -- laws_reference_test laws_explain_test laws_cost_test \
	laws_image_test laws_test laws_text_test laws_claims_test \
	eval/history_test analysis/most_test laws_bound_test \
	eval/floor_test
bad=0
for t; do
	from=$SECONDS
	if "$dir/$t"; then
		echo "ok $t: $LAW_CASES cases a law, $((SECONDS - from)) s"
	else
		echo "not ok $t"
		bad=1
	fi
done
exit $bad
