/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writers of rule texts share (rules_xt.c, rules_nft.c), and the names
 * by which our rules are found again (rules_apply.c, rules_host.c).
 */
#ifndef ENFORCER_DAEMON_RULES_TEXT_H
#define ENFORCER_DAEMON_RULES_TEXT_H

#include "enforcer/daemon/rules.h"

/* Our chains begin with this, our tables of nft have that name. */
#define RULES_CHAIN "MG-"
#define RULES_TABLE "metergate"
/* Comments of rules that count what no queue sees: "mg:WHY:GUEST". */
#define RULES_NOTE "mg:"

struct text {
	struct wbuf *w;
	const struct rules_conf *c;
	bool v6; /* iptables: which family is written */
};

/* Append; a line longer than TEXT_LINE is our own error. */
#define TEXT_LINE 512
void text_put(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The addresses by which a guest is known: what is bound to it, and the IPv6
 * link-local address that follows from its MAC. At most TEXT_ADDRS. */
#define TEXT_ADDRS 65
struct text_addrs {
	size_t n;
	struct pol_prefix a[TEXT_ADDRS];
};
void text_addrs_of(struct text_addrs *out, const struct rules_guest *g,
		   bool v6);
/* "10.0.0.1/32", "fd00::/64" */
#define TEXT_PREFIX (NET_ADDR_TEXT + 4)
void text_prefix(char buf[TEXT_PREFIX], const struct pol_prefix *p);

#define MAC_FMT    "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_ARG(m) (m)[0], (m)[1], (m)[2], (m)[3], (m)[4], (m)[5]

/* rules_xt.c: for iptables-restore; t->v6 says which. */
void rules_xt_text(struct text *t, bool closed);
/* rules_nft.c: what rules_text writes for nft, families RULES_ARP and
 * RULES_BRIDGE of either backend included. */
void rules_nft_text(struct text *t, enum rules_backend b, enum rules_family f,
		    bool closed);

/* rules_run.c: run a program with text on its standard input; what it says
 * goes into out (may be NULL), complaints into e. */
struct rules_tool {
	const char *const *path; /* where it may be, ended by NULL */
	const char *arg[6];      /* after the name; ended by NULL */
};
int rules_run(const struct rules_tool *tool, struct span in, struct wbuf *out,
	      struct err *e) __attribute__((warn_unused_result));
enum rules_tool_id {
	TOOL_IP4_RESTORE,
	TOOL_IP6_RESTORE,
	TOOL_IP4_SAVE,
	TOOL_IP6_SAVE,
	TOOL_NFT_LOAD,
	TOOL_NFT_LIST, /* of the families in which we may have a table */
	TOOL_COUNT
};
const struct rules_tool *rules_tool(enum rules_tool_id id);

/* Octets that the host's own rules may take when they are read. */
#define RULES_SAVED_MAX (4u << 20)

#endif
