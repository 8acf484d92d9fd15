#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The testbed: a meter in network namespaces. Nothing of the host but the
# namespaces' names is touched.
#
#   net.sh up PREFIX [routed|bridged]   make it (again); waits until it is up
#   net.sh down PREFIX                  end what runs inside, take it away
#   net.sh env PREFIX                   print NAME=VALUE lines of what it is
#
#   PREFIX-mdma    eth0 --- vif1.0 |            | up0  --- eth0 PREFIX-wan
#   PREFIX-dr      eth0 --- vif2.0 | PREFIX-gw  |               (head-end)
#   PREFIX-portal  eth0 --- vif3.0 |            | lan0 --- eth0 PREFIX-lan
#
#   mdma    10.20.0.10    fd00:20::10    02:00:0a:14:00:0a   vif1.0
#   dr      10.20.0.11    fd00:20::11    02:00:0a:14:00:0b   vif2.0
#   portal  10.20.0.12    fd00:20::12    02:00:0a:14:00:0c   vif3.0
#   wan     10.20.0.1     fd00:20::1     02:00:0a:14:00:01
#           203.0.113.9   fd00:203::9    (a stranger's, in the same namespace)
#   lan     192.168.178.20 fd00:178::20  02:00:0a:14:00:14
#   gw      10.20.0.254   fd00:20::fe    (the driver domain's own)
#
# Every address stands alone (/32, /128): routed, each guest has the gateway
# as its next hop; bridged, everybody is on one link (br0 in gw). The first
# guest and the head-end have the addresses of the captures of tests/pcaps.
# `polc` files with these numbers are in tests/e2e/policies.
set -eu

# namespace | interface in gw | MAC of the peer | IPv4 | IPv6
# The gateway's own end of each link has the last octet plus 0x80.
hosts='
mdma|vif1.0|02:00:0a:14:00:0a|10.20.0.10|fd00:20::10
dr|vif2.0|02:00:0a:14:00:0b|10.20.0.11|fd00:20::11
portal|vif3.0|02:00:0a:14:00:0c|10.20.0.12|fd00:20::12
wan|up0|02:00:0a:14:00:01|10.20.0.1 203.0.113.9|fd00:20::1 fd00:203::9
lan|lan0|02:00:0a:14:00:14|192.168.178.20|fd00:178::20
'
gw4=10.20.0.254
gw6=fd00:20::fe

usage() {
	sed -n '3,10s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
rows() {
	printf '%s\n' "$hosts" | sed '/^$/d'
}

# In namespace ns: write value to a file of /proc/sys. Names of interfaces may
# have dots, so sysctl(8) would misread them.
set_sys() { # ns file value
	# shellcheck disable=SC2016
	ip netns exec "$1" sh -c 'echo "$2" >"/proc/sys/$1"' - "$2" "$3"
}

# Duplicate address detection would delay every start by seconds, and router
# advertisements have no place here.
quiet_v6() { # ns interface
	set_sys "$1" "net/ipv6/conf/$2/accept_dad" 0
	set_sys "$1" "net/ipv6/conf/$2/accept_ra" 0
	set_sys "$1" "net/ipv6/conf/$2/router_solicitations" 0
}

gw_mac() { # MAC of the peer
	printf '%s:%02x\n' "${1%:*}" $((0x${1##*:} | 0x80))
}

make_link() { # ns iface mac
	local gw=$P-gw ns=$P-$1

	ip netns add "$ns"
	quiet_v6 "$ns" default
	ip -n "$ns" link set lo up
	ip link add "$2" netns "$gw" address "$(gw_mac "$3")" type veth \
		peer name eth0 netns "$ns" address "$3"
	# Multicast of the kernel's own (MLD, RS) would make captures noisy.
	quiet_v6 "$gw" "$2"
	quiet_v6 "$ns" eth0
	ip -n "$ns" link set eth0 up
	ip -n "$gw" link set "$2" up
}

address_host() { # ns v4s v6s
	local a ns=$P-$1

	for a in $2; do
		ip -n "$ns" addr add "$a/32" dev eth0
	done
	for a in $3; do
		ip -n "$ns" addr add "$a/128" dev eth0 nodad
	done
	# The first address is the one that it speaks with.
	set -- "${2%% *}" "${3%% *}"
	if [ "$MODE" = routed ]; then
		ip -n "$ns" route add "$gw4" dev eth0 src "$1"
		ip -n "$ns" route add default via "$gw4" src "$1"
		ip -n "$ns" -6 route add "$gw6" dev eth0 src "$2"
		ip -n "$ns" -6 route add default via "$gw6" src "$2"
	else
		ip -n "$ns" route add default dev eth0 src "$1"
		ip -n "$ns" -6 route add default dev eth0 src "$2"
	fi
}

route_gw() { # iface v4s v6s
	local a dev=$1

	if [ "$MODE" = routed ]; then
		# IPv6 answers for an address only on an interface that has it.
		ip -n "$P-gw" addr add "$gw6/128" dev "$dev" nodad
	else
		dev=br0
	fi
	for a in $2; do
		ip -n "$P-gw" route add "$a/32" dev "$dev" src "$gw4"
	done
	for a in $3; do
		ip -n "$P-gw" -6 route add "$a/128" dev "$dev" src "$gw6"
	done
}

make_gw() {
	local gw=$P-gw

	ip netns add "$gw"
	quiet_v6 "$gw" default
	ip -n "$gw" link set lo up
	# What offload counts with; not there without conntrack.
	set_sys "$gw" net/netfilter/nf_conntrack_acct 1 2>/dev/null || :
	if [ "$MODE" = routed ]; then
		set_sys "$gw" net/ipv4/ip_forward 1
		set_sys "$gw" net/ipv6/conf/all/forwarding 1
		ip -n "$gw" addr add "$gw4/32" dev lo
		return
	fi
	ip -n "$gw" link add br0 address 02:00:0a:14:00:fe type bridge \
		mcast_snooping 0 forward_delay 0
	quiet_v6 "$gw" br0
	ip -n "$gw" link set br0 up
	ip -n "$gw" addr add "$gw4/32" dev br0
	ip -n "$gw" addr add "$gw6/128" dev br0 nodad
	set_sys "$gw" net/bridge/bridge-nf-call-iptables 1
	set_sys "$gw" net/bridge/bridge-nf-call-ip6tables 1
}

up() {
	local ns iface mac v4 v6

	down
	make_gw
	while IFS='|' read -r ns iface mac v4 v6; do
		make_link "$ns" "$iface" "$mac"
		[ "$MODE" = routed ] || ip -n "$P-gw" link set "$iface" master br0
		address_host "$ns" "$v4" "$v6"
		route_gw "$iface" "$v4" "$v6"
	done <<<"$(rows)"
	wait_up
}

# Links come up within milliseconds; addresses in the state "tentative" or
# bridge ports that still learn would lose a test's first packets.
wait_up() {
	for _ in $(seq 100); do
		if ! ip -n "$P-gw" -o link show | grep -q 'state DOWN\|LOWERLAYER' &&
			! ip -n "$P-gw" -6 -o addr show tentative | grep -q .; then
			return
		fi
		sleep 0.05
	done
	echo "net.sh: the links of $P did not come up" >&2
	exit 1
}

exists() {
	[ -e "/run/netns/$1" ] || [ -e "/var/run/netns/$1" ]
}

# Ends what runs in namespace $1, by process id; twice for those that ignore
# the first signal.
end_all() {
	local pids sig

	for sig in TERM KILL; do
		pids=$(ip netns pids "$1" 2>/dev/null) || return 0
		[ -n "$pids" ] || return 0
		# shellcheck disable=SC2086
		kill -"$sig" $pids 2>/dev/null || :
		# shellcheck disable=SC2086
		kill -CONT $pids 2>/dev/null || :
		for _ in $(seq 20); do
			[ -n "$(ip netns pids "$1" 2>/dev/null)" ] || return 0
			sleep 0.05
		done
	done
}

down() {
	local ns

	for ns in $(rows | cut -d'|' -f1) gw; do
		exists "$P-$ns" || continue
		end_all "$P-$ns"
		ip netns del "$P-$ns"
	done
}

print_env() {
	local ns iface mac v4 v6 up

	echo "NET_GW=$P-gw"
	echo "NET_GW_ADDR4=$gw4"
	echo "NET_GW_ADDR6=$gw6"
	while IFS='|' read -r ns iface mac v4 v6; do
		up=$(echo "$ns" | tr '[:lower:]' '[:upper:]')
		echo "NET_$up=$P-$ns"
		echo "NET_${up}_IFACE=$iface"
		echo "NET_${up}_MAC=$mac"
		echo "NET_${up}_GW_MAC=$(gw_mac "$mac")"
		echo "NET_${up}_ADDR4=${v4%% *}"
		echo "NET_${up}_ADDR6=${v6%% *}"
	done <<<"$(rows)"
	echo "NET_STRANGER_ADDR4=203.0.113.9"
	echo "NET_STRANGER_ADDR6=fd00:203::9"
}

[ $# -ge 2 ] || usage
P=$2
MODE=${3:-routed}
case $P in
'' | *[!a-zA-Z0-9-]*) usage ;;
esac
case $MODE in
routed | bridged) ;;
*) usage ;;
esac
case $1 in
up) up ;;
down) down ;;
env) print_env ;;
*) usage ;;
esac
