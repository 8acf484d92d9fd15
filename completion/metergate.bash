# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Completion for polc, metergate-replay, metergate-audit, metergated and
# metergatectl. What there is to complete is asked of the programs: commands,
# options and the words that an option takes are read from their own help.
# For zsh: autoload -U bashcompinit; bashcompinit; source this file.

# Commands: what the help lists one a line, "  name  text" or "  PROGRAM name".
_metergate_commands() {
	"$1" --help 2>/dev/null | sed -n \
		-e "s/^  ${1##*/} \([a-z][a-z-]*\)\( .*\)*\$/\1/p" \
		-e 's/^  \([a-z][a-z]*\)\( [A-Z\[]*\)*  .*$/\1/p' | sort -u
}

_metergate_help() { # program, command or nothing
	"$@" --help 2>/dev/null
}

_metergate() {
	local prog=$1 cur=$2 prev=$3 help words='' cmd='' i
	local commands
	COMPREPLY=()
	commands=$(_metergate_commands "$prog")
	# The command is the first word that is one.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ $'\n'$commands$'\n' == *$'\n'"${COMP_WORDS[i]}"$'\n'* ]]; then
			cmd=${COMP_WORDS[i]}
			break
		fi
	done
	help=$(_metergate_help "$prog" ${cmd:+"$cmd"})

	# "--format json|text": one of the words; in capitals: a file or a value.
	if [[ $prev == --* ]]; then
		words=$(grep -oE -e "$prev [a-z]+(\|[a-z]+)*" <<<"$help" | head -n 1)
		words=${words#"$prev"}
	fi
	if [[ $words ]]; then
		words=${words//|/ }
	elif [[ $cur == -* ]]; then
		words=$(grep -oE -e '(^|[^a-zA-Z-])--?[a-zA-Z][a-z-]*' <<<"$help" |
			grep -oE -e '--?[a-zA-Z][a-z-]*' | sort -u)
	elif [[ $commands && ! $cmd ]]; then
		words=$commands
	elif [[ ${prog##*/} == polc && $cmd == help ]]; then
		words=$("$prog" help 2>/dev/null | grep -oE 'P[0-9]{4}')
	fi
	if [[ $words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
}

# What is none of these is a file.
complete -o default -F _metergate polc metergate-replay metergate-audit \
	metergated metergatectl
