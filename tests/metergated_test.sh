#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# metergated and metergatectl as programs: usage, a bad configuration is one
# clear line and exit 2, -n prints and changes nothing; then, in namespaces,
# start, the state of the rules at each moment, control, stop.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD
BUILD=$(realpath "${BUILD:-build}")
daemon=$BUILD/bin/metergated
ctl=$BUILD/bin/metergatectl
work=$(mktemp -d)
net=mgd$$
pid=
cleanup() {
	[ -z "${KEEP:-}" ] || cp -r "$work" "$KEEP"
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	[ ! -e "$work/net" ] || tests/e2e/net.sh down "$net" >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
rc=0
ok() { echo "ok $*"; }
bad() {
	echo "not ok $*"
	rc=1
}
is() { # name, wanted, got
	if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: '$3' instead of '$2'"; fi
}

conf() { # extra lines; prints the path
	cat >"$work/conf" <<-EOC
		policies: $root/tests/e2e/policies
		uplink: [up0, lan0]
		origin: meter-1.example/audit
		signatures: off
		audit: $work/audit/audit.db
		state: $work/state
		runtime: $work/run
		clock: trusted
		backend: iptables
		$1
	EOC
	echo "$work/conf"
}

# --- what is refused ------------------------------------------------------------
# name, text that the line must hold, program, arguments
refuse() {
	local name=$1 text=$2 program=$3 got
	shift 3
	# A program that waits for ever is one that failed.
	[ "$(type -t "$program")" = function ] || set -- timeout 60 "$program" "$@"
	[ "$1" = timeout ] || set -- "$program" "$@"
	"$@" >"$work/out" 2>"$work/err"
	got=$?
	if [ $got -ne 2 ]; then
		bad "$name: exit $got"
	elif [ "$(wc -l <"$work/err")" -ne 1 ] ||
		! grep -q "^${program##*/}: " "$work/err"; then
		bad "$name: not one clear line: $(cat "$work/err")"
	elif ! grep -qF -- "$text" "$work/err"; then
		bad "$name: $(cat "$work/err")"
	else
		ok "$name"
	fi
}
refuse "no configuration named" "-c" "$daemon"
refuse "unknown option" "no such option" "$daemon" --fast
refuse "option without value" "needs a value" "$daemon" -c
refuse "an argument" "no argument is expected" "$daemon" -c x y
refuse "-n and --remove-rules" "exclude" "$daemon" -c x -n --remove-rules
refuse "no such file" "No such file" "$daemon" -c "$work/none" -n
refuse "a directory" "directory" "$daemon" -c "$work" -n
refuse "unknown key" ":10:1: error[P2101]" "$daemon" -c "$(conf 'uplinks: eth0')" -n
refuse "out of range" ":10:10: error[P3113]" "$daemon" -c "$(conf 'min-ttl: 0')" -n
refuse "a processor that is not there" ":10:6: error[P3113]: '999' is not" "$daemon" -c "$(conf 'cpu: 999')" -n
sed "s|^policies:.*|policies: $work/nothing|" "$(conf '')" >"$work/c1"
refuse "no policies" "nothing: No such file" "$daemon" -c "$work/c1" -n
mkdir "$work/broken"
cp tests/e2e/policies/*.yaml "$work/broken/"
sed -i 's/^vm: /wm: /' "$work/broken/mdma.yaml"
sed "s|^policies:.*|policies: $work/broken|" "$(conf '')" >"$work/c2"
refuse "a broken policy" "mdma.yaml:" "$daemon" -c "$work/c2" -n
sed "s|^policies:.*|policies: $root/tests/policies/household|" "$(conf '')" >"$work/c3"
refuse "what is not enforced is refused" "tls.mode gateway" "$daemon" -c "$work/c3" -n
sed 's/^uplink:.*/uplink: vif1.0/' "$(conf '')" >"$work/c4"
refuse "the uplink is no guest's" "is the uplink" "$daemon" -c "$work/c4" -n
# What would keep its reader waiting for ever.
mkfifo "$work/pipe" "$work/keys.pipe"
mkdir "$work/piped" && cp tests/e2e/policies/*.yaml "$work/piped/" && mkfifo "$work/piped/more.yaml"
refuse "a pipe as configuration" "is a pipe" "$daemon" -c "$work/pipe" -n
sed "s|^policies:.*|policies: $work/piped|" "$(conf '')" >"$work/c5"
refuse "a pipe among the policies" "more.yaml: is a pipe" "$daemon" -c "$work/c5" -n
mv "$work/piped/more.yaml" "$work/piped/more.polc"
refuse "a pipe as an image" "more.polc: is a pipe" "$daemon" -c "$work/c5" -n
refuse "a pipe of keys" "is a pipe" "$daemon" -c "$(conf "keys: $work/keys.pipe")" -n
refuse "keys that are none" "keys.yaml:1:" "$daemon" -c \
	"$(echo '"*": {1: short}' >"$work/keys.yaml"; conf "keys: $work/keys.yaml")" -n
refuse "pruned when cosigned, by nobody" ":10:14: audit-prune: nobody may cosign" "$daemon" -c \
	"$(conf 'audit-prune: cosigned')" -n
refuse "witnesses that are none" ":10:15: witness-keys: $work/w.keys: line 1: not a public key" "$daemon" -c \
	"$(echo nobody >"$work/w.keys"; conf "witness-keys: $work/w.keys")" -n
refuse "witnesses that are not there" ":10:15: witness-keys: $work/no.keys: cannot be read" "$daemon" -c \
	"$(conf "witness-keys: $work/no.keys")" -n
refuse "ctl: no command" "name a command" "$ctl"
refuse "ctl: no such command" "no such command" "$ctl" halt
refuse "ctl: no guest" "name a guest" "$ctl" flows
refuse "ctl: too much" "one argument too many" "$ctl" status now
refuse "ctl: policy what" "name a policy" "$ctl" policy show
refuse "ctl: policy which" "policy list" "$ctl" policy what
refuse "ctl: nobody there" "not running" "$ctl" --socket "$work/none" status
refuse "ctl: top has no JSON" "no JSON" "$ctl" --json top

for p in "$daemon" "$ctl"; do
	"$p" --help >"$work/out" 2>&1 && grep -q '^usage: ' "$work/out"
	is "${p##*/} --help" 0 $?
	is "${p##*/} --version" "${p##*/} 0.1.0" "$("$p" --version)"
done

# --- -n ---------------------------------------------------------------------------
c=$(conf '')
"$daemon" -c "$c" -n >"$work/out" 2>"$work/err"
is "-n: exit 0, nothing on stderr" "0 " "$? $(cat "$work/err")"
for text in 'guest mdma: interface vif1.0, queue 101, mac 02:00:0a:14:00:0a, 10.20.0.10/32' \
	'process engine of portal: uid 59205' 'rules for iptables-restore' \
	'rules for ip6tables-restore' 'rules for nft -f (ARP)' '--queue-num 101'; do
	grep -qF -- "$text" "$work/out" && ok "-n prints '$text'" || bad "-n prints '$text'"
done
grep -q bypass "$work/out" && bad "-n: a queue may be bypassed" || ok "-n: no queue may be bypassed"
is "-n leaves nothing behind" "" "$(ls -d "$work/audit" "$work/state" "$work/run" 2>/dev/null)"
sed -i 's/^backend: iptables$/backend: nft/' "$(conf '')"
"$daemon" -c "$work/conf" -n >"$work/out" 2>"$work/err"
is "-n for nft" "0 1" "$? $(grep -c 'rules for nft -f$' "$work/out")"

# Whoever may read the files may look; the program may lie where only root goes.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	open=$(mktemp -d)
	cp -r tests/e2e/policies "$daemon" "$open/" && chmod -R a+rX "$open"
	sed -i -e '/^backend:/d' -e "s|^policies:.*|policies: $open/policies|" "$(conf '')"
	cp "$work/conf" "$open/conf" && chmod a+r "$open/conf"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$open/metergated" -c "$open/conf" -n \
		>"$work/out" 2>"$work/err"
	is "-n for nobody" "0 " "$? $(cat "$work/err")"
	is "it says that it tried nothing" 1 "$(grep -c 'backend not tried without root, the first of two: iptables' "$work/out")"
	is "and prints the rules" 1 "$(grep -c 'rules for iptables-restore' "$work/out")"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$open/metergated" -c "$open/conf" >"$work/out" 2>"$work/err"
	is "which is all that nobody may" "2 metergated: must be started by root" "$? $(cat "$work/err")"
	rm -r "$open"
else
	echo "SKIP: -n for nobody: neither root nor setpriv here"
fi

# --- live ---------------------------------------------------------------------------
if [ "$(id -u)" -ne 0 ] || ! tests/e2e/net.sh up "$net" routed >"$work/net" 2>&1; then
	echo "SKIP: start and stop: no network namespaces here"
	exit $rc
fi
inside() { ip netns exec "$net-gw" "$@"; }
if ! inside iptables -A FORWARD -j NFQUEUE --queue-num 1 2>/dev/null; then
	echo "SKIP: start and stop: this kernel has no NFQUEUE target"
	exit $rc
fi
inside iptables -F FORWARD
c=$(conf '')
asked() { "$ctl" --socket "$work/run/control" "$@"; }
state() { asked --json status 2>/dev/null | head -n 1 | grep -o '"state":"[a-z]*"'; }
start() {
	# Not through a function: the number is then the daemon's own.
	ip netns exec "$net-gw" "$daemon" -c "$c" 2>"$work/log" &
	pid=$!
	for _ in $(seq 300); do
		[ "$(state)" != '"state":"ready"' ] || return 0
		sleep 0.1
	done
	cat "$work/log"
	return 1
}
is "an audit that the scribe cannot reach" 2 "$(inside "$daemon" -c "$c" 2>"$work/err"; echo $?)"
grep -q 'the scribe (uid 59201) cannot reach it' "$work/err" && ok "and says how to mend it" ||
	bad "and says how to mend it: $(cat "$work/err")"
chmod 755 "$work"
start
is "starts" 0 $?
is "rules: every guest has its queue" 3 \
	"$(inside iptables-save -t mangle | grep -o -- '--queue-num [0-9]*' | sort -u | wc -l)"
is "ctl: status" 0 "$(asked status >"$work/out" 2>&1; echo $?)"
is "ctl: all processes are up" 8 "$(grep -cw up "$work/out" | awk '{print $1 - 1}')"
# Who says nothing keeps nobody waiting.
cat >"$work/idle.py" <<-'EOP'
	import socket, sys, time
	idle = []
	for part in (b"", b"sta") * 8 + (b"",):
	    s = socket.socket(socket.AF_UNIX)
	    s.connect(sys.argv[1])
	    s.sendall(part)
	    idle.append(s)
	print("there", flush=True)
	time.sleep(4)
	left = 0
	for s in idle:
	    s.setblocking(False)
	    try:
	        left += s.recv(1) != b""
	    except BlockingIOError:
	        left += 1
	    except ConnectionError:
	        pass
	print(left, flush=True)
EOP
: >"$work/idle"
python3 "$work/idle.py" "$work/run/control" >"$work/idle" 2>&1 &
idle=$!
for _ in $(seq 100); do grep -q there "$work/idle" && break; sleep 0.1; done
is "17 idle connections: an answer within 2 s" 0 \
	"$(timeout 2 "$ctl" --socket "$work/run/control" status >"$work/out2" 2>&1; echo $?)"
wait $idle
is "after 4 s none of them is left" "there 0" "$(tr '\n' ' ' <"$work/idle" | sed 's/ $//')"
is "ctl: guests" 3 "$(asked --json guests | grep -c '"interface":"vif')"
is "ctl: an unknown guest is a no" "1 metergatectl: there is no guest nobody" \
	"$(asked flows nobody 2>"$work/err"; echo "$? $(cat "$work/err")")"
is "ctl: freeze" "mdma: frozen" "$(asked freeze mdma)"
is "ctl: shows it" true "$(asked --json guests | grep '"guest":"mdma"' | grep -o '"frozen":[a-z]*' | cut -d: -f2)"
is "ctl: thaw" "mdma: thawed" "$(asked thaw mdma)"
is "ctl: reload" "6 policies of generation 2 are in force" "$(asked reload)"
is "ctl: policy list" 7 "$(asked policy list | wc -l)"
asked metrics >"$work/out"
is "ctl: metrics" 1 "$(grep -c '^metergate_policy_generation{guest="mdma"} 2$' "$work/out")"
is "ctl: top without a terminal is one look" 0 "$(asked top >"$work/out" 2>&1; echo $?)"
is "a second one is refused" 2 "$(inside "$daemon" -c "$c" >/dev/null 2>"$work/err"; echo $?)"
grep -q 'another one is running' "$work/err" && ok "and says why" || bad "and says why: $(cat "$work/err")"
sed -e "s|^runtime:.*|runtime: $work/run2|" -e "s|^state:.*|state: $work/state2|" \
	-e "s|^audit:.*|audit: $work/audit2/audit.db|" "$c" >"$work/c6"
metergated() { inside "$daemon" "$@"; }
rules() { inside iptables-save | grep -c 'MG-.*NFQUEUE\|mg:closed'; }
before=$(rules)
refuse "so is one with files of its own" "another one is running in this network namespace (process $pid, uid 0)" \
	metergated -c "$work/c6"
refuse "and --remove-rules" "end it first" metergated -c "$c" --remove-rules
refuse "with another runtime directory, too" "end it first" metergated -c "$work/c6" --remove-rules
is "the rules are as they were" "$before" "$(rules)"
is "the first goes on" '"state":"ready"' "$(state)"
kill -HUP "$pid"
sleep 1
is "SIGHUP reloads" 3 "$(asked --json policies | head -n 1 | grep -o '"generation":[0-9]*' | cut -d: -f2)"
kill -TERM "$pid"
wait "$pid"
is "SIGTERM: exit 0" 0 $?
pid=
is "the closed rules stay" 0 "$(inside iptables-save -t mangle | grep -c NFQUEUE)"
[ "$(inside iptables-save | grep -c 'mg:closed:mdma')" -gt 0 ] && ok "and drop" || bad "and drop"
is "the sockets are gone" "" "$(ls "$work/run" | grep -v '^lock$')"
is "the audit is whole" "ok" "$("$BUILD/bin/metergate-audit" verify "$work/audit/audit.db" 2>&1 | tail -n 1 | cut -d' ' -f1)"
for text in 'started: metergated' 'rules applied: 3 guests' 'frozen by uid 0' 'thawed by uid 0' \
	'reload asked for by uid 0' 'reload asked for by signal' 'stopped by signal'; do
	"$BUILD/bin/metergate-audit" show "$work/audit/audit.db" 2>/dev/null | grep -qF -- "$text" &&
		ok "the audit says '$text'" || bad "the audit says '$text'"
done

# --- what is found there at a start -----------------------------------------------------
stop() {
	kill -TERM "$pid"
	wait "$pid"
	pid=
}
says() { # name, text, how often in the log
	is "$1" "$3" "$(grep -cF -- "$2" "$work/log")"
}
used="every budget counts as used up"
start && stop
says "counters that were closed in order are believed" "$used" 0
made="guest mdma: counters as the ledger has them"
truncate -s 0 "$work/state/mdma.state"
start && stop
says "counters that are empty are made again from the ledger" "$made" 1
says "nothing is used up by that" "$used" 0
for size in 100 200000; do
	truncate -s "$size" "$work/state/mdma.state"
	start && stop
	says "counters cut to $size octets: one line" "guest mdma: its counters were damaged; $used" 1
	says "of that guest only" "$used" 1
done
start && stop
says "the next start believes them again" "$used" 0
rm "$work/state/mdma.state"
start && stop
says "counters that are gone are no new ones" "$made" 1
start && stop
says "and are believed from then on" "$used" 0
rm "$work/state/mdma.state" "$work/state/mdma.begun"
start && stop
says "of a guest without either they are new" "$used" 0
rm "$work/state/mdma.begun"
start && stop
says "counters whose mark is gone may be old ones" "$used" 1
start && stop
says "and have one again" "$used" 0
rm "$work/state/mdma.state"
start && stop
says "and missed when they are gone" "$made" 1
mv "$work/state/generation" "$work/generation" && mkfifo "$work/state/generation"
refuse "a pipe as the generation" "state/generation: is no regular file" metergated -c "$c"
mv "$work/generation" "$work/state/generation"
echo none >"$work/state/generation"
start && stop
says "a generation that is none: one line" "state/generation: not a number" 1
start && stop
says "and the next start reads it" "not a number" 0

verified() { "$BUILD/bin/metergate-audit" verify "$work/audit/audit.db" 2>&1 | tail -n 1; }
before=$(sha256sum "$work/audit/audit.db")
echo mine >"$work/audit/notes.txt"
refuse "a foreign file beside the audit" "$work/audit holds 'notes.txt', which is not the audit's" \
	metergated -c "$c"
is "it is left alone" mine "$(cat "$work/audit/notes.txt")"
is "so is the audit" "$before" "$(sha256sum "$work/audit/audit.db")"
mv "$work/audit/notes.txt" "$work/notes.txt"
ln -s "$work/notes.txt" "$work/audit/audit-2.db"
refuse "a link among the audit's" "'audit-2.db', which is not the audit's" metergated -c "$c"
rm "$work/audit/audit-2.db"
cp "$work/audit/audit.db" "$work/whole.db"
truncate -s 5000 "$work/audit/audit.db"
before=$(sha256sum "$work/audit/audit.db")
start
sleep 2.5
is "an audit that was cut: the status says so" 1 "$(asked --json status | head -n 1 | grep -c 'recovery-1')"
stop
says "one line, not one each second" "recovery-1" 1
is "what is left of it is not touched" "$before" "$(sha256sum "$work/audit/audit.db")"
cat "$work/whole.db" >"$work/audit/audit.db"
start && stop
is "and when it is back, it goes on" "ok" "$(verified | cut -d' ' -f1)"
says "without a word" "nothing can be recorded" 0
inside "$daemon" -c "$c" --remove-rules
is "--remove-rules" "0 0" "$? $(inside iptables-save | grep -c MG-)"
exit $rc
