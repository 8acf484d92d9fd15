#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the build and its tests need from Debian's packages, after
# saying which; without root it prints the command instead and fails.
#
#   tests/setup.sh build    what `make` needs
#   tests/setup.sh check    that, and what `make check`, demo and bench need
set -eu

build="gcc libc6-dev make pkg-config gawk libpcap-dev libyaml-dev libsqlite3-dev
	libssl-dev zlib1g-dev tzdata libmnl-dev libnetfilter-queue-dev
	libnfnetlink-dev libseccomp-dev libmicrohttpd-dev libexpat1-dev
	libndpi-dev libtss2-dev"
check="$build clang libclang-rt-14-dev libcmocka-dev python3 python3-yaml python3-jsonschema jq sqlite3 tshark
	libxml2-dev mandoc iproute2 iptables nftables procps tcpdump ethtool
	curl swtpm swtpm-tools"

case "${1:-check}" in
build) want=$build ;;
check) want=$check ;;
*)
	echo "usage: tests/setup.sh [build|check]" >&2
	exit 2
	;;
esac

missing=
for p in $want; do
	case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || :) in
	*" installed") ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0

cmd="apt-get install --no-install-recommends -y$missing"
if [ "$(id -u)" != 0 ]; then
	echo "setup: these Debian packages are missing:$missing" >&2
	echo "setup: as root, run: $cmd" >&2
	exit 2
fi
echo "setup: installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# The lists of a new machine are empty or old: fetch them only when needed.
# shellcheck disable=SC2086
if ! $cmd >"$log" 2>&1; then
	if ! { apt-get update && $cmd; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "setup: could not install them; the log is in $log" >&2
		exit 2
	fi
fi
rm -f "$log"
