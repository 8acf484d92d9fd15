/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of rules for iptables-restore: rules_xt.c has the tables that
 * queue, rules_xt_raw.c the one that asks whose packet it is.
 */
#ifndef ENFORCER_DAEMON_RULES_XT_H
#define ENFORCER_DAEMON_RULES_XT_H

#include "enforcer/daemon/rules_text.h"

#define XT_CRAFTED "0x10000000/0x10000000"
/* Bridged set-ups: forwarded by IP, perhaps into the bridge. */
#define XT_ROUTED "-m physdev ! --physdev-is-bridged "

void xt_table(struct text *t, const char *name);
void xt_chain(struct text *t, const char *name);
void xt_hook(struct text *t, const char *name);
void xt_commit(struct text *t);

/* The ends of rules: a drop that the audit hears of (g may be NULL), and one
 * that is no news: what a link says to everybody, and nobody to a guest. */
void xt_drop(struct text *t, const char *why, const struct rules_guest *g);
void xt_drop_noise(struct text *t);

/* "-i" and "-o", or the matches of a bridge's ports. */
const char *xt_from(const struct text *t);
const char *xt_to(const struct text *t);

/* Appended to chain ch, for packets that match arg. */
void xt_nd_accept(struct text *t, const char *ch, const char *match,
		  const char *arg, const struct rules_guest *g);
void xt_nd_never(struct text *t, const char *ch, const char *match,
		 const char *arg, const struct rules_guest *g);
void xt_no_port(struct text *t, const char *ch, const char *match);
void xt_raw_table(struct text *t);

#endif
