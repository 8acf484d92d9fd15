#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The example configurations are read by the daemon as they stand, but for the
# directory of policies; the example settings satisfy what it asks for.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
daemon=$BUILD/bin/metergated
[ -x "$daemon" ] || { echo "not ok metergated is not built"; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rc=0

for f in examples/*.conf; do
	name=$(basename "$f" .conf)
	[ "$name" != sysctl ] || continue # not ours
	sed -e "s|/etc/metergate/policies|$PWD/tests/e2e/policies|" \
		-e '/^keys:/d' \
		-e 's|^platform-key:.*|signatures: off|' "$f" >"$tmp/c"
	# The backend is named, so that nothing need be tried here.
	echo "backend: iptables" >>"$tmp/c"
	if ! "$daemon" -c "$tmp/c" -n >"$tmp/out" 2>&1; then
		echo "not ok example $name: $(head -n 1 "$tmp/out")"
		rc=1
	elif ! grep -q -- '-j NFQUEUE --queue-num 100$' "$tmp/out"; then
		echo "not ok example $name: its rules have no queue"
		rc=1
	else
		echo "ok example $name"
	fi
done

# A vif that is routed has no bridge to lead out by.
for f in examples/*.conf; do
	grep -q 'script=vif-route' "$f" || continue
	if grep -qE '^(uplink:.*br[0-9]|bridged: *true)' "$f"; then
		echo "not ok $f routes to a bridge"
		rc=1
	else
		echo "ok $f routes"
	fi
done

# The step of the operator's guide that checks policies, on policies that are
# good: whoever scripts the steps is not stopped.
step=$(sed -n 's|^\(polc [a-z -]*\)/etc/metergate/policies.*|\1|p' \
	docs/operations.md)
# shellcheck disable=SC2086
if [ -n "$step" ] && "$BUILD"/bin/$step tests/e2e/policies >"$tmp/out" 2>&1
then
	echo "ok docs/operations.md: $step"
else
	echo "not ok docs/operations.md: ${step:-no step}: $(tail -n 1 "$tmp/out")"
	rc=1
fi

# The unit is one that systemd takes without a word, with our programs where
# they are built.
if command -v systemd-analyze >/dev/null; then
	sed "s|/usr/local/bin/|$(realpath "$BUILD")/bin/|" \
		examples/metergated.service >"$tmp/metergated.service"
	if systemd-analyze verify --man=no "$tmp/metergated.service" \
		>"$tmp/out" 2>&1 && [ ! -s "$tmp/out" ]; then
		echo "ok unit metergated.service"
	else
		echo "not ok unit metergated.service: $(head -n 1 "$tmp/out")"
		rc=1
	fi
else
	echo "SKIP: unit metergated.service: no systemd-analyze here"
fi

# Every setting that the daemon may ask for stands in the example.
while read -r key; do
	if grep -qE "^#?$key = 1\$" examples/sysctl.conf; then
		echo "ok setting $key"
	else
		echo "not ok setting $key is missing in examples/sysctl.conf"
		rc=1
	fi
done < <(sed -n 's/.*"\(net\.[a-z0-9_.-]*\)".*/\1/p' \
	enforcer/daemon/rules_host.c)
exit $rc
