/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the rules: one program per family, each load atomic by the program's
 * own means (iptables-restore commits a table at once, nft a transaction).
 *
 * iptables has no tables of our own. Chains left over from another
 * configuration and hooks that are already there are found in what
 * iptables-save says, and taken away by the same text that brings the new
 * ones: so loading twice is loading once, and others' rules stay.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/daemon/rules_text.h"

/* --- what of ours is there already?
 * ------------------------------------------------- */

static const char *const tables[] = {"raw", "mangle", "filter"};
#define N_TABLES (sizeof(tables) / sizeof(tables[0]))

static struct span next_line(struct cur *c)
{
	struct span rest = cur_peek(c, cur_left(c));
	const uint8_t *nl = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
	size_t n = nl ? (size_t)(nl - rest.p) : rest.n;
	struct span line = cur_take(c, n);

	if (nl)
		cur_take(c, 1);
	return line;
}

static bool begins(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static struct span until(struct span s, char c)
{
	const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? span_sub(s, 0, (size_t)(at - s.p)) : s;
}

/* The lines of one table in the form of iptables-save. */
static struct span table_of(struct span all, const char *name)
{
	struct cur c = cur_of(all);
	char head[16];
	size_t start = 0;
	bool in = false;

	snprintf(head, sizeof(head), "*%s", name);
	while (cur_left(&c) > 0) { /* bounded: takes a line each time */
		size_t at = c.off;
		struct span line = next_line(&c);

		if (in && span_is(line, "COMMIT"))
			return span_sub(all, start, at - start);
		if (!in && span_is(line, head)) {
			in = true;
			start = c.off;
		}
	}
	return (struct span){0};
}

/* "[0:0] -A X ..." of iptables-save -c, or "-A X ..." */
static struct span rule_of(struct span line)
{
	if (begins(line, "["))
		line = span_from(line, until(line, ' ').n + 1);
	return line;
}

/* A chain ":NAME ..." of ours; empty: it is another line. */
static struct span our_chain(struct span line)
{
	return begins(line, ":" RULES_CHAIN) ? until(span_from(line, 1), ' ')
					     : (struct span){0};
}

/* Does rule r, which stands in a chain that is not ours, jump to ours? */
static bool is_hook(struct span r)
{
	static const char jump[] = " -j " RULES_CHAIN;

	if (!begins(r, "-A ") || begins(r, "-A " RULES_CHAIN))
		return false;
	return memmem(r.p, r.n, jump, sizeof(jump) - 1) != NULL;
}

static bool declares(struct span table, struct span chain)
{
	struct cur c = cur_of(table);

	while (cur_left(&c) > 0) {
		if (span_eq(our_chain(next_line(&c)), chain))
			return true;
	}
	return false;
}

static bool has_ours(struct span table)
{
	struct cur c = cur_of(table);

	while (cur_left(&c) > 0) {
		if (our_chain(next_line(&c)).n)
			return true;
	}
	return false;
}

static void put_span(struct wbuf *w, const char *before, struct span s,
		     const char *after)
{
	wbuf_put(w, span_str(before));
	wbuf_put(w, s);
	wbuf_put(w, span_str(after));
}

/* One table: what is there of ours goes, what is wanted comes. */
static void replace_table(struct wbuf *w, const char *name, struct span saved,
			  struct span want)
{
	struct cur c;

	if (want.n == 0 && !has_ours(saved))
		return; /* do not make a table only to leave it empty */
	put_span(w, "*", span_str(name), "\n");
	for (c = cur_of(saved); cur_left(&c) > 0;) {
		struct span ch = our_chain(next_line(&c));

		if (ch.n && !declares(want, ch)) /* emptied: they may refer
						  * to each other */
			put_span(w, ":", ch, " - [0:0]\n");
	}
	for (c = cur_of(saved); cur_left(&c) > 0;) {
		struct span r = rule_of(next_line(&c));

		if (is_hook(r))
			put_span(w, "-D ", span_from(r, 3), "\n");
	}
	wbuf_put(w, want);
	for (c = cur_of(saved); cur_left(&c) > 0;) {
		struct span ch = our_chain(next_line(&c));

		if (ch.n && !declares(want, ch))
			put_span(w, "-X ", ch, "\n");
	}
	wbuf_put(w, span_str("COMMIT\n"));
}

/* --- loading one family
 * ------------------------------------------------------------- */

static const struct {
	enum rules_tool_id restore, save;
	const char *nft;  /* family of our table there */
	const char *name; /* for people */
} families[RULES_FAMILIES] = {
	[RULES_IP4] = {TOOL_IP4_RESTORE, TOOL_IP4_SAVE, "inet",   "IPv4"  },
	[RULES_IP6] = {TOOL_IP6_RESTORE, TOOL_IP6_SAVE, NULL,     "IPv6"  },
	[RULES_ARP] = {TOOL_NFT_LOAD,    TOOL_NFT_LOAD, "arp",    "ARP"   },
	[RULES_BRIDGE] = {TOOL_NFT_LOAD,    TOOL_NFT_LOAD, "bridge", "bridge"},
};

/* Memory of one load; the parent's, never in the packet path. */
struct load {
	struct wbuf want, saved, text;
};
#define LOAD_TEXT (RULES_TEXT_MAX + RULES_SAVED_MAX)

static void load_fini(struct load *l)
{
	free(l->want.p);
	free(l->saved.p);
	free(l->text.p);
}

static int load_init(struct load *l, struct err *e)
{
	*l = (struct load){wbuf_of(malloc(RULES_TEXT_MAX), RULES_TEXT_MAX),
			   wbuf_of(malloc(RULES_SAVED_MAX), RULES_SAVED_MAX),
			   wbuf_of(malloc(LOAD_TEXT), LOAD_TEXT)};
	if (l->want.p && l->saved.p && l->text.p)
		return 0;
	load_fini(l);
	return err_set(e, E_NOMEM, 0, "memory for the rules");
}

static int load_iptables(struct load *l, enum rules_family f, struct err *e)
{
	int rc = rules_run(rules_tool(families[f].save), (struct span){0},
			   &l->saved, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < N_TABLES; i++)
		replace_table(&l->text, tables[i],
			      table_of(wbuf_span(&l->saved), tables[i]),
			      table_of(wbuf_span(&l->want), tables[i]));
	if (l->text.n == 0)
		return 0;
	if (l->text.failed)
		return err_set(e, E_LIMIT, 0, "the host has too many rules");
	return rules_run(rules_tool(families[f].restore), wbuf_span(&l->text),
			 NULL, e);
}

/* An empty text: the table goes. */
static int load_nft(struct load *l, const char *family, struct err *e)
{
	char gone[96];
	struct span text = wbuf_span(&l->want);

	snprintf(gone, sizeof(gone),
		 "table %s " RULES_TABLE "\ndelete table %s " RULES_TABLE "\n",
		 family, family);
	if (text.n == 0)
		text = span_str(gone);
	return rules_run(rules_tool(TOOL_NFT_LOAD), text, NULL, e);
}

/* Where the kernel has no IPv6 there are no packets of it either. */
static bool no_ipv6(void)
{
	return access("/proc/net/if_inet6", F_OK) != 0;
}

enum what {
	OPEN,
	CLOSED,
	REMOVED
};

static int load_family(enum rules_backend b, enum rules_family f,
		       const struct rules_conf *c, enum what what,
		       struct err *e)
{
	bool xt = b == RULES_IPTABLES && (f == RULES_IP4 || f == RULES_IP6);
	struct load l;
	int rc;

	if (f == RULES_IP6 && (!xt || no_ipv6()))
		return 0;
	rc = load_init(&l, e);
	if (rc < 0)
		return rc;
	if (what == OPEN)
		rc = rules_text(&l.want, b, f, c, e);
	else if (what == CLOSED)
		rc = rules_closed_text(&l.want, b, f, c, e);
	if (rc == 0)
		rc = xt ? load_iptables(&l, f, e)
			: load_nft(&l, families[f].nft, e);
	load_fini(&l);
	return rc < 0 ? err_wrap(e, "rules of %s", families[f].name) : 0;
}

/* All families, whatever fails on the way; the first failure is told. */
static int load_all(enum rules_backend b, const struct rules_conf *c,
		    enum what what, struct err *e)
{
	int rc = 0;

	for (int f = 0; f < RULES_FAMILIES; f++) {
		struct err other;
		int one = load_family(b, (enum rules_family)f, c, what,
				      rc < 0 ? &other : e);

		if (one < 0 && rc == 0)
			rc = one;
	}
	return rc;
}

/* --- the calls
 * --------------------------------------------------------------------- */

int rules_close(enum rules_backend b, const struct rules_conf *c, struct err *e)
{
	return load_all(b, c, CLOSED, e);
}

int rules_update(enum rules_backend b, const struct rules_conf *c,
		 struct err *e)
{
	struct err worse;
	int rc = 0;

	for (int f = 0; rc == 0 && f < RULES_FAMILIES; f++)
		rc = load_family(b, (enum rules_family)f, c, OPEN, e);
	if (rc < 0 && rules_close(b, c, &worse) < 0)
		err_wrap(e, "NOT CLOSED (%s) after", worse.text);
	return rc;
}

int rules_apply(enum rules_backend b, const struct rules_conf *c, struct err *e)
{
	enum rules_backend other =
		b == RULES_IPTABLES ? RULES_NFT : RULES_IPTABLES;
	int rc = rules_close(b, c, e);

	if (rc < 0)
		return err_wrap(e, "NOT CLOSED");
	/* What the other backend left would ask the queues a second time.
	 * Where its programs are missing, it left nothing: no error. */
	for (int f = RULES_IP4; rc == 0 && f <= RULES_IP6; f++)
		rc = load_family(other, (enum rules_family)f, c, REMOVED, NULL);
	return rules_update(b, c, e);
}

/* --- are they still there? ------------------------------------------------------------ */

static size_t count_of(struct span s, const char *what)
{
	size_t n = 0, len = strlen(what);
	const uint8_t *at;

	/* bounded: each turn is past one more of them */
	while (s.n && (at = memmem(s.p, s.n, what, len)) != NULL) {
		s = span_from(s, (size_t)(at - s.p) + len);
		n++;
	}
	return n;
}

static size_t count_rules(struct span table)
{
	struct cur c = cur_of(table);
	size_t n = 0;

	while (cur_left(&c) > 0)
		n += begins(rule_of(next_line(&c)), "-A " RULES_CHAIN);
	return n;
}

/* The first rule of a chain of the system's. */
static struct span first_of(struct span table, struct span chain)
{
	struct cur c = cur_of(table);

	while (cur_left(&c) > 0) {
		struct span r = rule_of(next_line(&c));

		if (begins(r, "-A ") &&
		    span_eq(until(span_from(r, 3), ' '), chain))
			return r;
	}
	return (struct span){0};
}

/* "-I FORWARD 1 -j MG-FORWARD": what somebody put in front of it would be
 * asked before us, and may accept. */
static int check_hooks(const char *name, struct span saved, struct span want,
		       struct err *e)
{
	struct cur c = cur_of(want);

	while (cur_left(&c) > 0) {
		struct span line = next_line(&c), chain;
		char hook[96];

		if (!begins(line, "-I "))
			continue;
		chain = until(span_from(line, 3), ' ');
		snprintf(hook, sizeof(hook), "-A %.*s -j " RULES_CHAIN "%.*s",
			 (int)chain.n, (const char *)chain.p, (int)chain.n,
			 (const char *)chain.p);
		if (!span_is(first_of(saved, chain), hook))
			return err_set(e, E_STATE, 0,
				       "table %s: ours are not the first in "
				       "%.*s", name, (int)chain.n,
				       (const char *)chain.p);
	}
	return 0;
}

static int check_xt(const struct load *l, struct err *e)
{
	for (size_t i = 0; i < N_TABLES; i++) {
		struct span want = table_of(wbuf_span(&l->want), tables[i]);
		struct span saved = table_of(wbuf_span(&l->saved), tables[i]);
		size_t n = count_rules(want), have = count_rules(saved);

		if (n != have)
			return err_set(e, E_STATE, 0,
				       "table %s: %zu rules where ours are "
				       "%zu", tables[i], have, n);
		if (check_hooks(tables[i], saved, want, e) < 0)
			return E_STATE;
	}
	return 0;
}

static int check_nft(const struct load *l, const char *family, struct err *e)
{
	struct span all = wbuf_span(&l->saved), rest;
	size_t n = count_of(wbuf_span(&l->want), " counter ") +
		   count_of(wbuf_span(&l->want), "\tcounter "), have;
	const uint8_t *at;
	char head[48];

	snprintf(head, sizeof(head), "table %s " RULES_TABLE " {\n", family);
	at = all.n ? memmem(all.p, all.n, head, strlen(head)) : NULL;
	rest = at ? span_from(all, (size_t)(at - all.p)) : (struct span){0};
	at = rest.n ? memmem(rest.p, rest.n, "\n}", 2) : NULL;
	have = count_of(at ? span_sub(rest, 0, (size_t)(at - rest.p)) : rest,
			"counter packets ");
	return n == have ? 0 :
			   err_set(e, E_STATE, 0,
				   "%zu counted rules where ours are %zu",
				   have, n);
}

static int check_family(enum rules_backend b, enum rules_family f,
			const struct rules_conf *c, struct err *e)
{
	bool xt = b == RULES_IPTABLES && (f == RULES_IP4 || f == RULES_IP6);
	struct load l;
	int rc;

	if (f == RULES_IP6 && (!xt || no_ipv6()))
		return 0;
	rc = load_init(&l, e);
	if (rc < 0)
		return rc;
	rc = rules_text(&l.want, b, f, c, e);
	if (rc == 0)
		rc = rules_run(rules_tool(xt ? families[f].save :
					       TOOL_NFT_LIST),
			       (struct span){0}, &l.saved, e);
	if (rc == 0)
		rc = xt ? check_xt(&l, e) : check_nft(&l, families[f].nft, e);
	load_fini(&l);
	return rc < 0 ? err_wrap(e, "rules of %s", families[f].name) : 0;
}

int rules_check_loaded(enum rules_backend b, const struct rules_conf *c,
		       struct err *e)
{
	int rc = 0;

	for (int f = 0; rc == 0 && f < RULES_FAMILIES; f++)
		rc = check_family(b, (enum rules_family)f, c, e);
	return rc;
}

int rules_remove(enum rules_backend b, struct err *e)
{
	return load_all(b, NULL, REMOVED, e);
}
