#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Who may know whom: checks the table of CONTRIBUTING.md from #include lines
# and from the undefined symbols of each archive.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
bad=0
fail() {
	echo "# $*"
	bad=1
}

# folder | our folders it may include | third-party headers it may include
table='
core||
crypto|core|openssl/
dissectors|core crypto|expat.h zlib.h
policy-lang/image|core crypto|
policy-lang/eval|core policy-lang/image|
policy-lang/analysis|core policy-lang/image policy-lang/eval|
policy-lang/front|core policy-lang/image|yaml.h
audit|core crypto|sqlite3.h
attest|core crypto|tss2/
enforcer/pipeline|core dissectors policy-lang/image policy-lang/eval|ndpi
enforcer/ctl|core|
'
third='openssl/|expat.h|zlib.h|yaml.h|sqlite3.h|pcap|ndpi|libmnl/|libnetfilter_queue/|libnfnetlink/|seccomp.h|microhttpd.h|tss2/'

while IFS='|' read -r dir may libs; do
	[ -n "$dir" ] || continue
	case $dir in
	dissectors) files=$(git ls-files 'dissectors/*.[ch]') ;;
	*) files=$(git ls-files "$dir/*.[ch]" | grep -E "^$dir/[^/]*$") ;;
	esac
	for f in $files; do
		case $f in *_test.c | *_fuzz.c | */verify_main.c | */cmd_*.[ch]) continue ;; esac
		for inc in $(sed -n 's/^#include "\(.*\)"/\1/p' "$f"); do
			ok=0
			for d in $dir $may; do
				case $inc in $d/*) ok=1 ;; esac
			done
			case $inc in *.inc) ok=1 ;; esac # generated data
			# A longer folder name is a folder of its own.
			[ $ok = 1 ] || fail "$f may not include $inc"
		done
		for inc in $(sed -n 's/^#include <\(.*\)>/\1/p' "$f" | grep -E "^($third)"); do
			ok=0
			for l in $libs; do
				case $inc in "$l"*) ok=1 ;; esac
			done
			[ $ok = 1 ] || fail "$f may not include <$inc>"
		done
	done
done <<EOF
$table
EOF
[ $bad = 0 ] && echo "ok includes go one way" || echo "not ok includes go one way"
all=$bad bad=0

# Each third-party header is known to one .c file of its folder; tests and
# yardsticks use what they compare with.
for inc in $(git ls-files '*.[ch]' | xargs sed -n 's/^#include <\(.*\)>/\1/p' | grep -E "^($third)" | sort -u); do
	for d in $(git grep -l "#include <$inc>" -- '*.[ch]' | grep -vE '(_(test|fuzz)|/bench_[a-z]+)\.c$' | xargs -rn1 dirname | sort | uniq -d); do
		# crypto/ is nothing but the callers of one library.
		[ "$d" != crypto ] || continue
		fail "<$inc> is included by several files of $d"
	done
	for h in $(git grep -l "#include <$inc>" -- '*.h'); do
		fail "<$inc> is included by the header $h"
	done
done
[ $bad = 0 ] && echo "ok third-party headers stay in one file" || echo "not ok third-party headers stay in one file"
all=$((all | bad)) bad=0

# Pure archives name no I/O, no clock, no heap in what they leave undefined.
io='open|openat|fopen|read|write|socket|send|recv|sendto|recvfrom|ioctl|printf|fprintf|puts|time|gettimeofday|clock_gettime|getenv|system|fork|execve|pthread_create|sleep|usleep'
heap='malloc|calloc|realloc|free|strdup'
check_syms() { # archive, forbidden
	local lib=$BUILD/lib/lib$1.a
	[ -f "$lib" ] || { fail "$lib is not built"; return; }
	for s in $(nm -u "$lib" 2>/dev/null | awk '$1 == "U" {print $2}' | sed 's/@.*//' | sort -u | grep -xE "$2"); do
		fail "lib$1.a refers to $s"
	done
}
check_syms dissect "$io|$heap"
check_syms eval "$io"
check_syms image "$io"
check_syms pipeline "$io"
[ $bad = 0 ] && echo "ok the pure archives do no I/O" || echo "not ok the pure archives do no I/O"
all=$((all | bad)) bad=0

# No mutable data at file scope outside programs (style, section 9).
for a in core crypto dissect image eval analysis front pipeline audit attest capture; do
	lib=$BUILD/lib/lib$a.a
	[ -f "$lib" ] || continue
	# Tables with pointers lie in .data.rel.ro, which is read-only. expat and
	# nDPI tell their allocators nothing but a size: dissectors/obix/xml.c,
	# enforcer/pipeline/app.c.
	for s in $(objdump -t "$lib" 2>/dev/null | awk 'NF > 3 && $(NF - 2) ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)$/ && $NF !~ /^\./ {print $NF}'); do
		case "$a $s" in 'dissect xml_memory' | 'pipeline ndpi_memory') continue ;; esac
		fail "lib$a.a has mutable data: $s"
	done
done
[ $bad = 0 ] && echo "ok no mutable data at file scope" || echo "not ok no mutable data at file scope"
all=$((all | bad)) bad=0

# Octets become values through the cursor only.
hits=$(git grep -nE '\*\((const )?(u?int[0-9]+_t|struct [a-z_]+) *(const )?\*\)' -- 'dissectors/*.c' 'enforcer/pipeline/*.c' | grep -vE '_(test|fuzz)\.c:')
[ -z "$hits" ] || fail "casts from octets: $hits"
[ $bad = 0 ] && echo "ok octets are read through the cursor" || echo "not ok octets are read through the cursor"
all=$((all | bad)) bad=0

# Every file says its licence, but for what has no place for a comment: octets
# that a test reads or compares, tables without comments, the licence itself.
for f in $(git ls-files -- ':!LICENSE' ':!*.csv' ':!*.json' ':!tests/pcaps' \
	':!*.expect' ':!tests/policies/*.html' ':!tests/policies/*.svg' ':!tests/corpus' ':!tests/policies/bad' ':!enforcer/daemon/testdata'); do
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || fail "$f has no SPDX line"
done
[ $bad = 0 ] && echo "ok every source file has its SPDX line" || echo "not ok every source file has its SPDX line"
all=$((all | bad))
exit $all
