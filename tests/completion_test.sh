#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Completion as bash does it: the installed file is loaded, its function is
# called with the words of a line, and what it offers is compared.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=$(realpath -m "${BUILD:-build}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rc=0

make -s BUILD="$BUILD" DESTDIR="$tmp" PREFIX=/usr install >"$tmp/log" 2>&1 ||
	{ echo "not ok make install"; sed 's/^/# /' "$tmp/log"; exit 1; }
PATH=$tmp/usr/bin:$PATH
dir=$tmp/usr/share/bash-completion/completions
for p in polc metergate-replay metergate-audit metergated metergatectl; do
	if [ -f "$dir/$p" ]; then
		echo "ok $p has its completion installed"
	else
		echo "not ok $p has its completion installed"
		rc=1
	fi
done
# shellcheck disable=SC1091
source "$dir/polc"

# What TAB offers behind these words, one line; "" is an empty last word.
offers() {
	local spec
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	spec=$(complete -p "$1") || return
	[[ $spec == *-F\ _metergate* ]] || return
	_metergate "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	echo "${COMPREPLY[*]}"
}
is() { # name, wanted (glob), words...
	local name=$1 want=$2 got
	shift 2
	got=$(offers "$@")
	# shellcheck disable=SC2053
	if [[ " $got " == $want ]]; then
		echo "ok $name"
	else
		echo "not ok $name: offers '$got'"
		rc=1
	fi
}
is "a command from its beginning" " label " polc la
is "several commands" "* check *compile* verify *" polc ""
is "options of a command" " --html " polc label --h
is "only of that command" "  " polc check --ht
is "nothing of another" "* --coverage *--mutate*" polc test --
is "words of an option" " wider " polc diff --fail-on ""
is "codes" " P4001 P4002 P4003 P4004 P4005 P4006 P4007 P4008 P4009 " polc help P400
is "files are left to the shell" "  " polc check tests/
is "replay's format" " json text " metergate-replay --format ""
is "replay's option" " --allowed " metergate-replay --al
is "audit's commands" "* export *show verify *" metergate-audit ""
is "audit's options of a command" "* --json *" metergate-audit show --
is "the daemon's options" " --remove-rules " metergated --rem
is "control's commands" " flows freeze " metergatectl f
is "control's command behind an option" " status " metergatectl --json st

# Every command that polc has is offered, and every option of each.
for c in $(polc --help | sed -n 's/^  polc \([a-z]*\) .*/\1/p'); do
	for o in $(polc "$c" --help | grep -oE -e '--[a-z-]+' | sort -u); do
		case " $(offers polc "$c" "$o") " in
		*" $o "*) ;;
		*) echo "not ok polc $c $o is offered"; rc=1 ;;
		esac
	done
done
[ $rc = 0 ] && echo "ok every option of polc is offered"
exit $rc
