/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netfilter rules, as text for one atomic load per family. Everything a
 * guest sends or is sent goes through its queue or is dropped; nothing
 * bypasses. rules_xt.c and rules_nft.c make the text (pure functions, golden
 * tests), rules_apply.c loads it (rules_run.c: by which programs), rules_host.c
 * looks at the host.
 *
 *   raw PREROUTING   anti-spoofing: interface, MAC, addresses of the binding
 *   mangle FORWARD   the sender's queue      mangle INPUT   to this domain
 *          PREROUTING the same, of what a bridge copies
 *   filter FORWARD   the receiver's queue    filter OUTPUT  from this domain
 *
 * so a packet between two guests passes both queues, the sender's first.
 * Guests speak with uplinks, each other and the driver domain, nothing else.
 *
 * What no queue can judge is held to the binding here and counted: ARP and
 * neighbour discovery pass in one exact form and when they claim bound
 * addresses only, on a bridge at a rate, to who was heard; everything
 * else that is not IP, router advertisements and MLD of guests are dropped.
 *
 * Forwarded traffic with no guest on either side is not touched.
 */
#ifndef ENFORCER_DAEMON_RULES_H
#define ENFORCER_DAEMON_RULES_H

#include "core/err.h"
#include "core/wbuf.h"
#include "enforcer/daemon/share.h"

struct rules_guest {
	char name[48], iface[16];
	bool has_mac;
	uint8_t mac[6];
	const struct pol_prefix *addr; /* IPv4 as mapped */
	size_t n_addr;
	uint16_t queue;
};

struct rules_conf {
	const struct rules_guest *guest;
	size_t n_guests;
	char uplink[4][16];
	size_t n_uplinks;
	bool bridged; /* physdev matches instead of interfaces */
	bool offload; /* connmark rules before the queues */
	uint32_t mark_generation; /* shifted, see share.h */
	/* class k (1..14) carries a connection up to bound[k] octets in both
	 * directions together, as conntrack counts them */
	uint64_t bound[15];
};

enum rules_backend { RULES_AUTO, RULES_IPTABLES, RULES_NFT };
/* ARP guards routed interfaces, BRIDGE the ports of a bridge: of the two, the
 * one that the configuration does not need lets nothing of a guest pass. */
enum rules_family { RULES_IP4, RULES_IP6, RULES_ARP, RULES_BRIDGE };
#define RULES_FAMILIES 4
/* Room for the text of any family. */
#define RULES_TEXT_MAX (1u << 20)

/* The text of one family: IP4 and IP6 for iptables-restore and
 * ip6tables-restore, or with the nft backend, both in IP4's, for nft -f; ARP
 * and BRIDGE always for nft -f, since arptables-restore cannot leave other
 * rules alone. E_SYNTAX, E_EXISTS: the configuration cannot be written as
 * rules, e.g. a name with odd characters; E_LIMIT: w is too small. */
int rules_text(struct wbuf *w, enum rules_backend b, enum rules_family f,
	       const struct rules_conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* The same, but nothing passes: put in force before anything else, and left
 * behind at the end. */
int rules_closed_text(struct wbuf *w, enum rules_backend b,
		      enum rules_family f, const struct rules_conf *c,
		      struct err *e) __attribute__((warn_unused_result));

/* Which backend works here: tried in a network namespace of its own. */
int rules_choose(enum rules_backend *b, struct err *e)
	__attribute__((warn_unused_result));
/* Load all families, one after another, closed in between. After a failure
 * the closed rules are in force, or the error says that not even they are. */
int rules_apply(enum rules_backend b, const struct rules_conf *c,
		struct err *e) __attribute__((warn_unused_result));
/* The same without closing: every family is replaced at once, but one after
 * another. For a change that touches only marks, bounds and the like. After a
 * failure the closed rules are in force, as above. */
int rules_update(enum rules_backend b, const struct rules_conf *c,
		 struct err *e) __attribute__((warn_unused_result));
int rules_close(enum rules_backend b, const struct rules_conf *c,
		struct err *e) __attribute__((warn_unused_result));
/* Are the rules that rules_apply loaded still there, whole and in front of all
 * others? Rules are counted, not compared: this finds another program that
 * flushed or inserted, not one that forges. E_STATE says what is wrong. */
int rules_check_loaded(enum rules_backend b, const struct rules_conf *c,
		       struct err *e) __attribute__((warn_unused_result));
/* Take our rules away altogether: a command of its own. */
int rules_remove(enum rules_backend b, struct err *e)
	__attribute__((warn_unused_result));

/* Counters of the rules that drop what no queue sees, for the audit; since
 * the rules were loaded, all families together, one row for each pair. */
struct rules_drop {
	char why[32];	/* "spoofed-mac", "spoofed-source", "spoofed-uplink"
			 * (a guest's address from elsewhere), "arp", "nd",
			 * "router", "chatter" (asks for routers, groups),
			 * "not-ip", "no-uplink", "refused-flow", "bridged" and
			 * "not-bridged" (against the configuration), "closed" */
	char guest[48]; /* or empty */
	uint64_t packets, octets;
};
/* So many there are at most: each of those names for each guest. */
#define RULES_DROPS (16 * SHARE_GUESTS)
int rules_drops(enum rules_backend b, struct rules_drop *out, size_t cap,
		size_t *n, struct err *e) __attribute__((warn_unused_result));

/* What the kernel must be told besides: bridge-nf-call-*, conntrack's
 * accounting when offload is on, forwarding. E_STATE names what is missing
 * and the command that sets it. */
int rules_check_host(const struct rules_conf *c, struct err *e)
	__attribute__((warn_unused_result));

#endif
