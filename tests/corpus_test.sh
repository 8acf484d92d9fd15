#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every fuzz target replays its seeds in this build mode too.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
rc=0
for bin in $(find "$BUILD/fuzz" -path "$BUILD/fuzz/fuzz" -prune -o -name '*_fuzz' -type f -print | sort); do
	name=$(basename "$bin" _fuzz)
	if [ ! -d "tests/corpus/$name" ]; then
		echo "not ok $name has no seeds in tests/corpus/$name"
		rc=1
	elif "$bin" "tests/corpus/$name" >/dev/null 2>&1; then
		echo "ok seeds of $name"
	else
		echo "not ok seeds of $name"
		rc=1
	fi
done
exit $rc
