#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Outputs of metergate-audit and what a limit or a signal leaves behind.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
replay=$(realpath "$BUILD")/bin/metergate-replay
audit=$(realpath "$BUILD")/bin/metergate-audit
polc=$(realpath "$BUILD")/bin/polc
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
bad=0
check() { # name, condition as a command
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else
		echo "not ok $name"
		bad=1
	fi
}

"$replay" -q -p "$root/tests/policies/metering" --audit a.db \
	"$root/tests/pcaps/gen_polling.pcap" >/dev/null 2>&1
sum=$(sha256sum <a.db)
unchanged() { [ "$sum" = "$(sha256sum <a.db)" ]; }
refused() { # words of the message, command...
	local words=$1 rc
	shift
	"$@" >out 2>err
	rc=$?
	[ $rc -eq 2 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q "$words" err
}

check "an export does not write over its log" refused "is the log" "$audit" export -o a.db a.db
check "nor by another name" refused "is the log" "$audit" export -o ./a.db a.db
ln a.db linked.db
check "nor through a link" refused "is the log" "$audit" export -o linked.db a.db
check "the log is as it was" unchanged
rm linked.db
# what belongs to it, there or not, by its name or another
untouched() { # name, output
	echo precious >"$1"
	refused "a part of it" "$audit" export -o "$2" a.db && [ "$(cat "$1")" = precious ]
}
for tail in -wal -shm -journal .lock .key .vkey .tpmkey .seg-1 .seg-20 .recovery-1 .recovery-1.seg-2; do
	mkdir part && cp a.db part && cd part || exit 2
	check "nor where its file $tail would be" refused "a part of it" "$audit" export -o "./a.db$tail" a.db
	check "and none is there then" test ! -e "a.db$tail"
	case $tail in
	-*) ;; # what lies there is sqlite's
	*) check "nor over that" untouched "a.db$tail" "$PWD/../part/a.db$tail" ;;
	esac
	cd .. && rm -r part
done
echo >a.db.seg-3
ln a.db.seg-3 linked
check "nor over one through a link" untouched a.db.seg-3 linked
rm linked a.db.seg-3
mkdir there
ln -s ../a.db there/b.db
check "nor when the log is called by another name" untouched a.db.key a.db.key
refused_by_link() { refused "a part of it" "$audit" export -o a.db.key there/b.db; }
check "as by a link to it" refused_by_link
rm -r there a.db.key
"$audit" export -o a.db.ndjson a.db 2>/dev/null
check "a name that only begins so is another file" test -s a.db.ndjson
rm a.db.ndjson
mkfifo fifo
check "an export replaces no device" refused "regular file" "$audit" export -o fifo a.db
check "the device is still there" test -p fifo
"$audit" export -o out.ndjson a.db
check "an export has a line for each record" \
	test "$(wc -l <out.ndjson)" -eq "$("$audit" verify a.db | sed -n '$s/^ok \([0-9]*\) records$/\1/p')"
"$audit" verify -j a.db >verify.json
check "verify says as much to programs" \
	python3 -c 'import json
r = json.load(open("verify.json"))
n = len(open("out.ndjson").readlines())
assert r["verdict"] == "whole" and r["records"]["checked"] == n, r'

"$audit" verify a.db >/dev/null
"$audit" show a.db >/dev/null
"$audit" export --format csv -o out.csv a.db
check "reading leaves nothing beside the log" test "$(echo a.db*)" = a.db
check "protocols have names in a table" \
	test "$(sed -n 's/^[0-9]*,[^,]*,allow,.*,\(UDP\|TCP\),c1222,.*/\1/p' out.csv | sort -u)" = UDP
check "and changes nothing in it" unchanged

limited() { # command: under a file size limit of 4 blocks of 1024
	(ulimit -f 4 && exec "$@") >out 2>err
}
before=$(ls)
limited "$replay" -q --allowed big.pcap "$root/tests/pcaps/gen_eax_cipher.pcap"
check "a file size limit is one error of replay" \
	test $? -eq 2 -a "$(wc -l <err)" -eq 1
limited "$audit" export -o big.ndjson a.db
check "and of an export" test $? -eq 2 -a "$(wc -l <err)" -eq 1
(ulimit -f 0 && exec "$polc" compile "$root/tests/policies/polling/polling.yaml" -o big.polc) >out 2>err
check "and of polc" test $? -eq 6
check "which leave nothing" test "$before" = "$(ls)"
exit $bad
