# SPDX-License-Identifier: Apache-2.0
# Sourced by scripts that meet a program as its users do; they have a folder
# $tmp, and end with "exit $rc".
rc=0

# name, wanted exit code, text wanted in the output (or -), command...
try() {
	local name=$1 want=$2 text=$3 got
	shift 3
	"$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	if [ $got -ne "$want" ]; then
		echo "not ok $name: exit $got, wanted $want"
	elif [ "$text" != - ] && ! cat "$tmp/out" "$tmp/err" | grep -qF -e "$text"; then
		echo "not ok $name: does not say '$text'"
	else
		echo "ok $name"
		return
	fi
	head -n 5 "$tmp/out" "$tmp/err" | sed 's/^/# /'
	rc=1
}
is() { # name, condition...
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; rc=1; fi
}
