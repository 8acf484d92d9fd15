#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# metergate-replay and what goes wrong: each row gives one clear line, exit 2
# and leaves no file behind. Then what goes right: exit codes, outputs that
# replace nothing half-way, the same octets twice.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
BUILD=$(realpath "${BUILD:-build}")
replay=$BUILD/bin/metergate-replay
pcaps=$root/tests/pcaps
policy=$root/tests/policies/metering
work=$(mktemp -d)
mounted=
cleanup() {
	[ -z "$mounted" ] || umount "$mounted"
	rm -rf "$work"
}
trap cleanup EXIT
rc=0
ok() { echo "ok $*"; }
bad() {
	echo "not ok $*"
	rc=1
}

# --- the inputs of the table ---------------------------------------------------
in=$work/in
mkdir -p "$in/dir" "$in/no-policy" "$in/broken" "$work/run"
good=$pcaps/gen_polling.pcap
head -c 10 "$good" >"$in/header-cut.pcap"
head -c 3000 "$good" >"$in/packet-cut.pcap"
head -c 30 "$good" >"$in/packet-header-cut.pcap"
: >"$in/empty.pcap"
head -c 4096 "$replay" >"$in/garbage.pcap"
printf '\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a' >"$in/cut.pcapng"
{ head -c 20 "$good" && printf '\x7f\0\0\0' && tail -c +25 "$good"; } >"$in/radio.pcap"
{ head -c 20 "$good" && printf '\x65\0\0\0' && tail -c +25 "$good"; } >"$in/raw.pcap"
cp "$good" "$in/unreadable.pcap" && chmod 0 "$in/unreadable.pcap"
cp "$policy"/*.yaml "$in/broken/"
sed -i 's/20 h apart/20 hours apart/' "$in/broken/metering.yaml"
{ printf '\x8dPOL\r\n\x1a\n' && head -c 500 /dev/zero; } >"$in/image.polc"
echo 'not a database' >"$in/exists.db"
echo '"*": {1: 00112233}' >"$in/short-key.yaml"
echo '"*": {300: 00112233445566778899aabbccddeeff}' >"$in/key-id.yaml"
printf 'a: 1\na: 2\n' >"$in/twice.yaml"

# name, text that the line must hold, arguments
refuse() {
	local name=$1 text=$2 got lines
	shift 2
	rm -rf "$work/run" && mkdir "$work/run"
	(cd "$work/run" && "$replay" "$@" >"$work/out" 2>"$work/err")
	got=$?
	lines=$(wc -l <"$work/err")
	if [ $got -ne 2 ]; then
		bad "$name: exit $got"
	elif [ "$lines" -ne 1 ] || ! grep -q '^metergate-replay: ' "$work/err"; then
		bad "$name: not one clear line: $(cat "$work/err")"
	elif ! grep -qF -- "$text" "$work/err"; then
		bad "$name: '$text' is not in: $(cat "$work/err")"
	elif [ -n "$(ls -A "$work/run")" ]; then
		bad "$name: left behind: $(ls -A "$work/run")"
	else
		ok "$name"
	fi
}
outs=(--allowed a.pcap --denied d.pcap --audit a.db)

refuse "header cut short" "not a capture" "${outs[@]}" "$in/header-cut.pcap"
refuse "packet cut short" "packet " "${outs[@]}" "$in/packet-cut.pcap"
refuse "packet header cut short" "packet 1" "${outs[@]}" "$in/packet-header-cut.pcap"
refuse "empty file" "empty" "${outs[@]}" "$in/empty.pcap"
refuse "garbage" "not a capture" "${outs[@]}" "$in/garbage.pcap"
refuse "pcapng cut short" "not a capture" "${outs[@]}" "$in/cut.pcapng"
refuse "link type" "IEEE802_11_RADIO" "${outs[@]}" "$in/radio.pcap"
refuse "two link types for one output" "RAW" "${outs[@]}" "$good" "$in/raw.pcap"
refuse "no such capture" "No such file" "${outs[@]}" "$in/absent.pcap"
refuse "no such capture among others" "No such file" "${outs[@]}" "$good" "$in/absent.pcap"
refuse "a directory as capture" "directory" "${outs[@]}" "$in/dir"
refuse "garbage on standard input" "standard input" "${outs[@]}" - <"$in/garbage.pcap"
refuse "nothing on standard input" "standard input" "${outs[@]}" - </dev/null
refuse "standard input twice" "only once" - -
if [ "$(id -u)" = 0 ]; then
	if command -v setpriv >/dev/null; then
		chmod 711 "$work" "$in"
		real=$replay
		replay=$work/as-nobody
		printf '#!/bin/sh\nexec setpriv --reuid 65534 --clear-groups %s "$@"\n' \
			"$work/replay" >"$replay"
		cp "$real" "$work/replay"
		chmod 755 "$replay" "$work/replay"
		refuse "unreadable capture" "Permission denied" "$in/unreadable.pcap"
		refuse "directory without write permission" "Permission denied" \
			--allowed a.pcap - <"$good"
		refuse "audit in such a directory" "a.db" --audit a.db - <"$good"
		replay=$real
	else
		echo "SKIP: unreadable files: no setpriv"
	fi
else
	refuse "unreadable capture" "Permission denied" "$in/unreadable.pcap"
fi
refuse "no such policy" "No such file" -p "$in/absent" "${outs[@]}" "$good"
refuse "directory without a policy" "no policy" -p "$in/no-policy" "${outs[@]}" "$good"
refuse "broken policy" "metering.yaml:" -p "$in/broken" "${outs[@]}" "$good"
refuse "broken image" "image.polc" -p "$in/image.polc" "${outs[@]}" "$good"
refuse "capture as policy" "gen_polling.pcap" -p "$good" "${outs[@]}" "$good"
refuse "guest that the policy does not know" "no such machine" \
	-p "$policy" -g nobody=10.0.0.1 "${outs[@]}" "$good"
refuse "no such key file" "No such file" -k "$in/absent" "$good"
refuse "short key" "32 hex digits" -k "$in/short-key.yaml" "$good"
refuse "key id too large" "0 to 255" -k "$in/key-id.yaml" "$good"
refuse "key file with a key twice" "twice.yaml:2" -k "$in/twice.yaml" "$good"
refuse "audit database exists" "exists" --audit "$in/exists.db" "$good"
refuse "output in no directory" "No such file" --allowed no/such/a.pcap "$good"
refuse "audit in no directory" "no/such/a.db" --audit no/such/a.db "$good"
refuse "output is a device" "not a regular file" --allowed /dev/null "$good"
refuse "output is an input" "an input and an output" --denied "$in/raw.pcap" "$in/raw.pcap"
refuse "two outputs in one" "two outputs" --allowed x --denied x "$good"
refuse "two outputs in one, other names" "two outputs" --allowed x --denied ./x "$good"
refuse "an audit in a capture's place" "two outputs" --allowed x --audit ../run/x "$good"

# Nothing that was there is lost, by whatever name it is reached.
mkdir -p "$in/keep/set" "$in/keep/one"
cp "$policy"/*.yaml "$in/keep/set/"
cp "$policy"/*.yaml "$in/keep/one/"
cp "$pcaps/keys.yaml" "$good" "$in/keep/"
ln -s gen_polling.pcap "$in/keep/link.pcap"
ln "$in/keep/gen_polling.pcap" "$in/keep/hard.pcap"
ln -s ../set/metering.yaml "$in/keep/one/link"
before=$(cd "$in/keep" && find . -type f -exec sha256sum {} + | sort)
keep() { # name, text, arguments, with the names relative to there
	local name=$1 text=$2
	shift 2
	(cd "$in/keep/set" && "$replay" "$@" >"$work/out" 2>"$work/err")
	if [ $? -ne 2 ] || [ "$(wc -l <"$work/err")" -ne 1 ] ||
		! grep -qF -- "$text" "$work/err"; then
		bad "$name: $(head -n 2 "$work/err")"
	elif [ "$(cd "$in/keep" && find . -type f -exec sha256sum {} + | sort)" != "$before" ]; then
		bad "$name: a file was changed"
	else
		ok "$name"
	fi
}
both="is an input and an output"
keep "an output over the keys" "$both" -k ../keys.yaml --allowed ../keys.yaml "$good"
keep "an output over the keys, another name" "$both" -k ../keys.yaml \
	--denied "$in/keep/../keep/keys.yaml" "$good"
keep "an output over a linked capture" "$both" --allowed ../link.pcap ../gen_polling.pcap
keep "an output over another link" "$both" --allowed ../hard.pcap ../gen_polling.pcap
keep "an output over a second capture" "$both" --allowed ../gen_polling.pcap "$good" ../gen_polling.pcap
keep "an output over a policy" "would be a policy" -p . --allowed metering.yaml "$good"
keep "an output that would be a policy" "would be a policy" -p . --denied ./new.yaml "$good"
keep "an audit that would be a policy" "would be a policy" -p ../set --audit new.polc "$good"
keep "an output over the only policy" "$both" -p metering.yaml --allowed ../set/metering.yaml "$good"
keep "an output over a policy of elsewhere" "$both" -p ../one --denied metering.yaml "$good"
"$replay" --allowed "$in/keep/gen_polling.pcap" - <"$in/keep/gen_polling.pcap" >"$work/out" 2>"$work/err"
if [ $? -eq 2 ] && grep -q "standard input, too" "$work/err" &&
	cmp -s "$good" "$in/keep/gen_polling.pcap"; then
	ok "an output over what is standard input"
else
	bad "an output over what is standard input: $(cat "$work/err")"
fi
"$replay" --allowed "$work/run/x" "$good" >"$work/run/x" 2>"$work/err"
if [ $? -eq 2 ] && grep -q "standard output, too" "$work/err"; then
	ok "an output over what is standard output"
else
	bad "an output over what is standard output: $(cat "$work/err")"
fi
rm -f "$work/run/x"

refuse "no capture" "no capture" -q
refuse "unknown option" "unknown option --frobnicate" --frobnicate "$good"
refuse "option without a value" "needs a value" "$good" --allowed
refuse "no jobs" "1 to 64" --jobs 0 "$good"
refuse "many jobs" "1 to 64" --jobs 65 "$good"
refuse "format" "json or text" --format xml "$good"
refuse "checksums" "strict or partial" --checksums off "$good"
refuse "resolver" "an IPv4 or IPv6 address" --resolver dns.example "$good"
refuse "resolver twice" "given twice" --resolver 10.0.0.1 --resolver ::1 "$good"
refuse "checksums twice" "given twice" --checksums strict --checksums strict "$good"
for g in mdma "=10.0.0.1" "Mdma=10.0.0.1" "mdma=10.0.0" "mdma=10.0.0.1/33" \
	"mdma=10.0.0.1:0" "mdma=10.0.0.1:65536" "mdma=fd00::1/129" \
	"mdma=[fd00::1" "mdma=02:00:0a:14:00" "mdma=interface-name-too-long" "mdma="; do
	refuse "guest $g" "-g $g" -g "$g" "$good"
done
# One address is one machine's (but another port may be another's).
for g in "10.20.0.10 10.20.0.10" "10.20.0.0/24 10.20.0.10" "10.20.0.10 10.20.0.0/28" \
	"10.20.0.10:1153 10.20.0.10" "fd00::1 fd00::/63" "vif1.0 vif1.0" \
	"02:00:0A:14:00:0a 02:00:0a:14:00:0A"; do
	refuse "guests at $g" "is bound to mdma already" \
		-g "mdma=${g% *}" -g "other=${g#* }" "$good"
done
for g in "10.20.0.10 10.20.0.11" "10.20.0.0/28 10.20.0.16" "10.20.0.10:1153 10.20.0.10:1154" \
	"vif1.0 vif2.0" "vif1.0 10.20.0.10" "10.20.0.10 mdma=10.20.0.10"; do
	if "$replay" -q -g "mdma=${g% *}" -g "other=${g#* }" "$good" >"$work/out" 2>&1; then
		ok "guests at $g"
	elif [ "${g#*mdma=}" != "$g" ] &&
		"$replay" -q -g "mdma=${g% *}" -g "${g#* }" "$good" >"$work/out" 2>&1; then
		ok "guest twice at $g"
	else
		bad "guests at $g: $(cat "$work/out")"
	fi
done
for g in mdma=vif1.0 mdma=02:00:0A:14:00:0a mdma=10.20.0.10 mdma=10.20.0.0/24:1153 \
	mdma=10.20.0.10:1153 mdma=fd00::1 "mdma=[fd00::1]:1153" mdma=fd00::/64:1153 \
	mdma=::ffff:10.20.0.10; do
	if "$replay" -q -g "$g" "$good" >"$work/out" 2>&1; then
		ok "guest $g is read"
	else
		bad "guest $g is read: $(cat "$work/out")"
	fi
done

# --- standard output --------------------------------------------------------------
expect_line() { # name, exit code, text
	if [ "$2" -ne 2 ] || [ "$(wc -l <"$work/err")" -ne 1 ] ||
		! grep -qF "$3" "$work/err"; then
		bad "$1: exit $2, $(cat "$work/err")"
	elif [ -n "$(ls -A "$work/run")" ]; then
		bad "$1: left behind: $(ls -A "$work/run")"
	else
		ok "$1"
	fi
}
many=()
for i in 1 2 3 4 5 6 7 8 9 10; do many+=("$pcaps/gen_eax_cipher.pcap"); done
rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run" || exit 2
"$replay" "${outs[@]}" "$good" >&- 2>"$work/err"
expect_line "closed standard output" $? "standard output"
"$replay" "${outs[@]}" "$good" >/dev/full 2>"$work/err"
expect_line "standard output on a full device" $? "No space left"
("$replay" "${outs[@]}" "${many[@]}" 2>"$work/err"; echo $? >"$work/code") | :
expect_line "nobody reads standard output" "$(cat "$work/code")" "Broken pipe"
for j in 2 3; do
	"$replay" --jobs $j "${outs[@]}" "$good" >/dev/full 2>"$work/err"
	expect_line "standard output on a full device, $j jobs" $? "No space left"
	("$replay" --jobs $j "${outs[@]}" "${many[@]}" "${many[@]}" 2>"$work/err"
	echo $? >"$work/code") | :
	expect_line "nobody reads standard output, $j jobs" "$(cat "$work/code")" "Broken pipe"
	refuse "packet cut short, $j jobs" "packet " --jobs $j "${outs[@]}" "$in/packet-cut.pcap"
	cd "$work/run" || exit 2
done
"$replay" --help >/dev/full 2>"$work/err"
expect_line "help on a full device" $? "No space left"

# --- full disk ----------------------------------------------------------------------
mkdir "$work/full"
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=256k tmpfs "$work/full" 2>/dev/null; then
	mounted=$work/full
	for o in --allowed --audit "--jobs 2 --audit"; do
		# shellcheck disable=SC2086
		"$replay" -q $o "$work/full/out" "${many[@]}" "${many[@]}" >"$work/out" 2>"$work/err"
		expect_line "full disk, $o" $? "$work/full/out"
		if [ -n "$(ls -A "$work/full")" ]; then
			bad "full disk, $o: left behind $(ls -A "$work/full")"
			rm -f "$work/full"/*
		fi
	done
	"$replay" --values --allowed a.pcap "${many[@]}" >"$work/full/out" 2>"$work/err"
	expect_line "full disk, standard output" $? "No space left"
	rm -f "$work/full/out"
else
	echo "SKIP: full disk: cannot mount a tmpfs here"
fi

# --- signals ------------------------------------------------------------------------
for sig in INT TERM; do
	mkfifo "$work/fifo"
	# A background job of a shell ignores SIGINT; env brings it back.
	env --default-signal=INT "$replay" -q "${outs[@]}" - <"$work/fifo" \
		>"$work/out" 2>"$work/err" &
	pid=$!
	exec 9>"$work/fifo"
	cat "$good" >&9
	for i in $(seq 100); do
		[ "$(ls -A "$work/run" | wc -l)" -ge 3 ] && break
		sleep 0.05
	done
	before=$(ls -A "$work/run" | wc -l)
	kill -$sig $pid
	wait $pid
	got=$?
	exec 9>&-
	rm -f "$work/fifo"
	if [ "$before" -lt 3 ]; then
		bad "SIG$sig: the outputs were not open yet"
	elif [ $got -le 128 ] || [ -n "$(ls -A "$work/run")" ]; then
		bad "SIG$sig: exit $got, left behind: $(ls -A "$work/run")"
	else
		ok "SIG$sig leaves nothing behind"
	fi
done

# --- and what goes right --------------------------------------------------------------
status() { # name, wanted, arguments
	local name=$1 want=$2 got
	shift 2
	"$replay" "$@" >"$work/out" 2>"$work/err"
	got=$?
	if [ $got -eq "$want" ] && [ ! -s "$work/err" ]; then
		ok "$name"
	else
		bad "$name: exit $got, $(head -n 3 "$work/err")"
	fi
}
status "facts only: nothing is denied" 0 "$good"
status "malformed messages, facts only" 0 "$pcaps/gen_malformed_udp.pcap"
status "with a policy, something denied" 1 -p "$policy" "$pcaps/gen_notifications.pcap"
status "help" 0 --help
status "version" 0 --version
for p in polc metergate-replay metergate-audit metergated metergatectl; do
	if [ "$("$BUILD/bin/$p" -V)" = "$("$BUILD/bin/$p" --version)" ] &&
		[ "$("$BUILD/bin/$p" -h)" = "$("$BUILD/bin/$p" --help)" ]; then
		ok "$p: -h and -V are --help and --version"
	else
		bad "$p: -h and -V differ from --help and --version"
	fi
done
status "quiet" 0 -q "$good"
if [ "$(wc -l <"$work/out")" -eq 1 ] && grep -q '"event_type":"stats"' "$work/out"; then
	ok "quiet writes only the last line"
else
	bad "quiet writes $(wc -l <"$work/out") lines"
fi

# Sealed under a key that nobody gave: a record of what stands outside the
# seal; it passes where a rule grants what is opaque, within its budget.
sealed=$pcaps/gen_refused.pcap
cat >"$work/sealed.yaml" <<'EOF'
polc: 1
kind: vendor
id: com.example.sealed
serial: 1
title: Sealed
contact: privacy@metering.example
vm: mdma
parties:
  headend:
    name: Example Metering collection centre
    operator: Example Metering Ltd
    role: metering
    country: GB
    keeps-data-for: 400 d
    address: [10.20.0.1/32]
    ports: [udp/1153]
    aptitle: .71.1
allow:
  sealed:
    direction: in
    party: headend
    match: {opaque: {}}
    limits: [200 B per day]
EOF
"$replay" "$sealed" >"$work/out" 2>&1
n=$(grep '"event_type":"c1222"' "$work/out" | grep '"called":".71.1' |
	grep '"mac":"unknown-key"' | grep -c '"services":\[\]')
m=$(grep -c '"event":"unknown-key"' "$work/out")
if [ "$n" -gt 0 ] && [ "$n" -eq "$m" ]; then
	ok "a sealed message has a record beside its anomaly"
else
	bad "$n records of $m sealed messages"
fi
"$replay" --format text -p "$work/sealed.yaml" -g mdma=10.20.0.10 "$sealed" >"$work/out" 2>&1
n=$(grep -c 'allow decision mdma <- headend opaque' "$work/out")
m=$(grep -c 'deny anomaly mdma <- headend: unknown-key.*sealed.*would pass: in 24 h' "$work/out")
if [ "$n" -eq 2 ] && [ "$m" -ge 1 ]; then
	ok "what is sealed passes as opaque, within its budget"
else
	bad "sealed messages: $n passed, $m over the budget: $(cat "$work/out")"
fi

# A set of images says of itself what its sources do.
mkdir "$work/images"
for f in "$policy"/*.yaml; do
	grep -q '^kind: tests' "$f" && continue
	"$BUILD/bin/polc" compile "$f" -o "$work/images/$(basename "$f" .yaml).polc" \
		>"$work/out" 2>&1 || bad "compile $f: $(cat "$work/out")"
done
for set in "$policy" "$work/images"; do
	"$replay" -p "$set" "$good" 2>&1 | grep '"event_type":"policy"' |
		sort >"$work/in-force.$(basename "$set")"
done
if [ "$(wc -l <"$work/in-force.metering")" -ge 3 ] &&
	[ -f "$work/images/library.polc" ] &&
	cmp -s "$work/in-force.metering" "$work/in-force.images"; then
	ok "images are in force as their sources are"
else
	bad "images are in force otherwise: $(diff "$work"/in-force.*)"
fi

run_twice() {
	local d=$1
	shift
	mkdir "$work/$d"
	"$replay" -p "$policy" -k "$pcaps/keys.yaml" --values --allowed "$work/$d/a.pcap" \
		--denied "$work/$d/d.pcap" "$@" >"$work/$d/out" 2>"$work/$d/err"
	"$replay" -p "$policy" -q -k "$pcaps/keys.yaml" --audit "$work/$d/a.db" \
		"$@" >/dev/null 2>>"$work/$d/err"
	sqlite3 "$work/$d/a.db" 'select hex(data), hex(chain) from bundle' >"$work/$d/audit"
	rm -f "$work/$d/a.db"
}
run_twice one "$pcaps"/gen_*.pcap
run_twice two "$pcaps"/gen_*.pcap
for j in 2 3; do
	run_twice jobs$j --jobs $j "$pcaps"/gen_*.pcap
	if diff -r "$work/one" "$work/jobs$j" >/dev/null; then
		ok "the same octets with $j jobs"
	else
		bad "other octets with $j jobs: $(diff -rq "$work/one" "$work/jobs$j")"
	fi
done
if [ -s "$work/one/audit" ] && [ -s "$work/one/a.pcap" ] && [ ! -s "$work/one/err" ] &&
	diff -r "$work/one" "$work/two" >/dev/null; then
	ok "twice the same octets"
else
	bad "twice the same octets: $(diff -rq "$work/one" "$work/two") $(cat "$work/one/err")"
fi
cat "$good" | "$replay" - >"$work/piped" 2>&1
"$replay" "$good" >"$work/out" 2>&1
if cmp -s "$work/piped" "$work/out"; then
	ok "standard input gives what the file gives"
else
	bad "standard input gives something else"
fi
if command -v editcap >/dev/null; then
	editcap -F pcapng "$good" "$work/good.pcapng"
	"$replay" "$work/good.pcapng" >"$work/piped" 2>&1
	if cmp -s "$work/piped" "$work/out"; then
		ok "pcapng gives what pcap gives"
	else
		bad "pcapng gives something else: $(head -n 1 "$work/piped")"
	fi
	editcap -F nsecpcap "$good" "$work/nano.pcap"
	"$replay" -q --allowed "$work/nano-out.pcap" "$work/nano.pcap" >/dev/null 2>&1
	if cmp -s "$work/nano.pcap" "$work/nano-out.pcap"; then
		ok "nanoseconds stay nanoseconds"
	else
		bad "nanoseconds stay nanoseconds"
	fi
else
	echo "SKIP: pcapng: editcap is not installed"
fi

# A segment whose message was given up stays with that attempt: the same
# message, begun anew with other octets in its place, does not let it go.
python3 - "$root/tests/e2e" "$work/stale.pcap" <<'END'
import struct
import sys

sys.path.insert(0, sys.argv[1])
import c1222  # noqa: E402

whole = c1222.apdu(c1222.HEADEND, c1222.METER, 77,
                   [c1222.resolve(bytes([0x47, 0x11, 0x22]))] * 4)
other = whole[:40] + b"\xf5\x5e\xc8\x37" * len(whole)
out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
for when, m, at, end in ((0, other, 40, len(whole)), (12, whole, 0, 40),
                         (12, whole, 40, len(whole))):
    body = c1222.part(c1222.HEADEND, c1222.METER, 77, whole, at, m[at:end])
    udp = struct.pack(">HHHH", 20023, 1153, 8 + len(body), 0) + body
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17,
                       0, bytes([10, 20, 0, 10]), bytes([10, 20, 0, 1]))
    n = sum(struct.unpack(">10H", head))
    n = (n & 0xFFFF) + (n >> 16)
    head = head[:10] + struct.pack(">H", ~((n & 0xFFFF) + (n >> 16)) & 0xFFFF) \
        + head[12:]
    out += struct.pack("<IIII", 1700000000 + when, 0, len(head + udp),
                       len(head + udp)) + head + udp
open(sys.argv[2], "wb").write(out)
END
"$replay" -q -p "$root/tests/e2e/evasion" --allowed "$work/stale.allowed.pcap" \
	"$work/stale.pcap" >"$work/out" 2>&1
if grep -q '"passed":2,"dropped":1' "$work/out" &&
	! grep -qaP '\xf5\x5e\xc8\x37' "$work/stale.allowed.pcap"; then
	ok "a segment that was given up does not leave with another attempt"
else
	bad "a stale segment: $(tail -n 1 "$work/out" | cut -c 1-200)"
fi

# Limits count what passes the gate: IP packets with their headers, all parts
# of a datagram, the same on every link. What a decision tells is what was used
# after it.
python3 - "$good" "$work/link.pcap" "$work/frag.pcap" >"$work/counted" <<'END'
import struct
import sys

data = open(sys.argv[1], "rb").read()
raw = data[:20] + struct.pack("<I", 101)
frag = data[:24]
at, used, count = 24, 0, 0


def checksum(head):
    s = sum(struct.unpack(">10H", head))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def record(when, octets):
    return when + struct.pack("<II", len(octets), len(octets)) + octets


while at < len(data):
    when, (n,) = data[at:at + 8], struct.unpack_from("<I", data, at + 8)
    frame = data[at + 16:at + 16 + n]
    at += 16 + n
    count += 1
    total = struct.unpack_from(">H", frame, 16)[0]
    raw += record(when, frame[14:14 + total])
    # The same in parts of 16 octets, each a packet of its own.
    body = frame[34:14 + total]
    parts = [body[i:i + 16] for i in range(0, len(body), 16)]
    if frame[23] != 17:
        parts = [body]
    for i, b in enumerate(parts):
        more = 0x2000 if i + 1 < len(parts) else 0
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(b), count,
                           more | 2 * i, 64, frame[23], 0, frame[26:30],
                           frame[30:34])
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        frag += record(when, frame[:14] + head + b)
    if frame[26:30] == bytes([10, 20, 0, 10]) and frame[23] == 17:
        used += total
        print(count, used, sum(20 + len(b) for b in parts))
open(sys.argv[2], "wb").write(raw)
open(sys.argv[3], "wb").write(frag)
END
budget='select(.event_type == "decision" and .metergate.direction == "out") |
	[.metergate.budgets[] | select(.name | startswith("limits/daily-bytes")).used][0]'
for link in "$good" "$work/link.pcap"; do
	"$replay" -p "$policy" -g mdma=10.20.0.10/32 "$link" 2>/dev/null |
		jq -r "select(.proto == \"UDP\") | $budget" | head -n 3 >"$work/told"
	if [ -s "$work/told" ] && cut -d' ' -f2 "$work/counted" |
		head -n 3 | cmp -s - "$work/told"; then
		ok "budgets count IP octets: $(basename "$link")"
	else
		bad "budgets: $(basename "$link") told $(paste -sd' ' "$work/told")"
	fi
done
"$replay" -p "$policy" "$work/frag.pcap" 2>/dev/null |
	jq -r "select(.proto == \"UDP\") | $budget" | head -n 3 >"$work/told"
if [ "$(head -n 1 "$work/told")" = "$(head -n 1 "$work/counted" | cut -d' ' -f3)" ]; then
	ok "budgets count every fragment"
else
	bad "budgets of fragments: told $(paste -sd' ' "$work/told")"
fi

# An interface has both directions: it says whose a packet is, not which way.
python3 - "$good" "$work/iface.pcapng" <<'END'
import struct
import sys

data = open(sys.argv[1], "rb").read()


def block(kind, body):
    n = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + n + body + n


name = struct.pack("<HH", 2, 6) + b"vif1.0\0\0" + bytes(4)
out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
out += block(1, struct.pack("<HHI", 1, 0, 65535) + name)
at = 24
while at < len(data):
    s, us, n, wire = struct.unpack_from("<IIII", data, at)
    t = s * 1000000 + us
    out += block(6, struct.pack("<IIIII", 0, t >> 32, t & 0xFFFFFFFF, n, wire)
                 + data[at + 16:at + 16 + n] + bytes(-n % 4))
    at += 16 + n
open(sys.argv[2], "wb").write(out)
END
"$replay" -p "$policy" "$work/iface.pcapng" >"$work/bound" 2>&1
"$replay" -p "$policy" -g mdma=vif1.0 "$work/iface.pcapng" >"$work/named" 2>&1
if cmp -s "$work/bound" "$work/named" && grep -q '"allow"' "$work/named"; then
	ok "-g GUEST=IFACE decides as the binding's own interface"
else
	bad "-g GUEST=IFACE: $(diff "$work/bound" "$work/named" | head -n 2)"
fi
"$replay" -g meter=vif1.0 "$work/iface.pcapng" >"$work/named" 2>&1
if jq -es '[.[] | select(.event_type == "c1222") | .metergate.direction] |
	index("in") and index("out")' "$work/named" >"$work/out"; then
	ok "-g GUEST=IFACE tells both directions apart"
else
	bad "-g GUEST=IFACE: one direction only"
fi

# Of two servers that policy grants, the one that is configured may be asked.
spare() {
	"$replay" --format text -p "$root/tests/policies/services" "$@" \
		"$pcaps/gen_net_dns.pcap" | grep -c 'allow decision tips -> spare'
}
if [ "$(spare) $(spare --resolver 198.51.100.53) $(spare --resolver 10.20.0.53)" = "1 1 0" ]; then
	ok "resolver: the configured one"
else
	bad "resolver: $(spare) $(spare --resolver 198.51.100.53) $(spare --resolver 10.20.0.53)"
fi

# As captured on the sender: the checksums are those of the pseudo headers.
python3 - "$good" "$work/card.pcap" <<'END'
import struct
import sys

data = bytearray(open(sys.argv[1], "rb").read())
at = 24
while at < len(data):
    n = struct.unpack_from("<I", data, at + 8)[0]
    ip = at + 16 + 14
    proto, l4 = data[ip + 9], ip + 20
    if proto in (6, 17):
        size = struct.unpack_from(">H", data, ip + 2)[0] - 20
        s = sum(struct.unpack_from(">4H", data, ip + 12)) + proto + size
        while s >> 16:
            s = (s & 0xFFFF) + (s >> 16)
        struct.pack_into(">H", data, l4 + (16 if proto == 6 else 6), s)
    at += 16 + n
open(sys.argv[2], "wb").write(data)
END
sums() { # why, count of bad ones, count of those told, arguments
	local why=$1 bad=$2 told=$3
	shift 3
	"$replay" -q "$@" "$work/card.pcap" >"$work/out" 2>&1
	if tail -n 1 "$work/out" | jq -e --argjson b "$bad" --argjson t "$told" \
		'.stats | ((.anomalies["bad-l4-checksum"] // 0) > 0) == $b and
		((.anomalies["unfinished-checksum"] // 0) > 0) == $t' >/dev/null; then
		ok "unfinished checksums: $why"
	else
		bad "unfinished checksums: $why: $(tail -n 1 "$work/out" | cut -c 1-300)"
	fi
}
sums "refused with a policy" true false -p "$policy"
sums "with a policy, where asked for" false true -p "$policy" --checksums partial
sums "read without a policy" false true
sums "without a policy, refused where asked for" true false --checksums strict
if [ "$("$replay" -p "$policy" --checksums partial "$work/card.pcap" | grep -c '"event_type":"decision"')" = \
	"$("$replay" -p "$policy" "$good" | grep -c '"event_type":"decision"')" ]; then
	ok "unfinished checksums: the same decisions"
else
	bad "unfinished checksums: other decisions"
fi

mkdir "$work/names"
cp "$good" "$work/names/old.pcap"
"$replay" -q --allowed "$work/names/old.pcap" "$pcaps/gen_errors.pcap" >/dev/null 2>&1
if cmp -s "$work/names/old.pcap" "$pcaps/gen_errors.pcap" &&
	[ "$(ls -A "$work/names")" = old.pcap ]; then
	ok "an output replaces the old file at once"
else
	bad "an output replaces the old file: $(ls -A "$work/names")"
fi
exit $rc
