#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The long forms of the live tests, with the numbers that are asked for; each
# prints what its short form prints in `make check`. Ends with a count.
set -u
cd "$(dirname "$0")" || exit 2
out=$(mktemp)
trap 'rm -f "$out"' EXIT

long() {
	echo "== $*"
	"$@" 2>&1 | tee -a "$out"
	local rc=${PIPESTATUS[0]}
	# One that broke off said nothing of it.
	[ "$rc" = 0 ] || echo "not ok $*: exit $rc" | tee -a "$out"
}

EVASION_SEEDS=20000 long ../evasion_replay_test.py
EVASION_SEEDS=2000 long ./evasion_test.py
EVASION_SEEDS=500 long ./evasion_test.py --bridged
long ./equality_test.py
long ./equality_test.py --bridged
long ./mixed_test.py 600
long ./kill_test.py 300 30
long ./recorded_test.py 200
long ./readers_test.py 60
long ./flood_test.py 20
long ./reload_test.py 100
long ./budget_test.py 25
long ./transfer_test.py --long
long ./transfer_test.py --long --offload
echo "$(grep -c '^ok ' "$out") passed, $(grep -c '^not ok ' "$out") failed," \
	"$(grep -c '^SKIP: ' "$out") skipped"
! grep -q '^not ok ' "$out"
