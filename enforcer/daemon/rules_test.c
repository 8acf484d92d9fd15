/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of the rules: against golden files (UPDATE=1 writes them), and
 * what must hold of every text whatever the configuration. What the kernel
 * makes of them is shown by tests/e2e/rules_test.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "enforcer/daemon/offload.h"
#include "enforcer/daemon/rules.h"

#define GUESTS 16
#define GOLDEN "enforcer/daemon/testdata/"

/* --- configurations ---------------------------------------------------------------- */

enum speaks { V4 = 1, V6 = 2, BOTH = 3 };

struct row {
	const char *why;
	const char *golden; /* NULL: properties only */
	size_t guests;
	enum speaks speaks;
	size_t uplinks;
	bool mac, bridged, offload, prefixes;
};

static const struct row rows[] = {
	{"IPv4 only", "one-ip4", 1, V4, 1, true, false, false, false},
	{"IPv6 only", "one-ip6", 1, V6, 1, true, false, false, false},
	{"two guests, two uplinks", "two", 2, BOTH, 2, true, false, false,
	 false},
	{"the same with offload", "two-offload", 2, BOTH, 2, true, false, true,
	 false},
	{"ports of a bridge", "two-bridged", 2, BOTH, 1, true, true, false,
	 false},
	{"ports of a bridge, offload", NULL, 2, BOTH, 2, true, true, true,
	 false},
	{"no MAC bound, prefixes", "one-prefix", 1, BOTH, 1, false, false,
	 false, true},
	{"no uplink: guests among themselves", NULL, 3, BOTH, 0, true, false,
	 false, false},
	{"as many as can be", NULL, 16, BOTH, 4, true, false, true, false},
	{"as many as can be on a bridge", NULL, 16, BOTH, 4, true, true, true,
	 true},
	{"many on a bridge, IPv4 only", NULL, 9, V4, 1, true, true, false,
	 false},
	{"many, IPv4 only, no MAC", NULL, 9, V4, 1, false, false, false, false},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

struct made {
	struct rules_conf conf;
	struct rules_guest guest[GUESTS];
	struct pol_prefix addr[GUESTS][2];
};

static struct pol_prefix ip4(uint8_t last, unsigned len)
{
	return (struct pol_prefix){
		{{[10] = 0xff, [11] = 0xff, 10, 20, last, 0}},
		(uint8_t)(96 + len)};
}

static struct pol_prefix ip6(uint8_t last, unsigned len)
{
	return (struct pol_prefix){{{0xfd, 0, 0, 0x20, 0, 0, 0, last}},
				   (uint8_t)len};
}

static void make(struct made *m, const struct row *r)
{
	*m = (struct made){.conf = {.guest = m->guest,
				    .n_guests = r->guests,
				    .n_uplinks = r->uplinks,
				    .bridged = r->bridged,
				    .offload = r->offload}};
	for (size_t u = 0; u < r->uplinks; u++)
		snprintf(m->conf.uplink[u], sizeof(m->conf.uplink[u]), "up%u",
			 (unsigned)u & 3);
	for (size_t i = 0; i < r->guests; i++) {
		struct rules_guest *g = &m->guest[i];
		uint8_t k = (uint8_t)i;

		snprintf(g->name, sizeof(g->name), "guest-%zu", i);
		snprintf(g->iface, sizeof(g->iface), "vif%u.0", k + 1u);
		g->has_mac = r->mac;
		memcpy(g->mac, (uint8_t[]){2, 0, 0x0a, 0x14, 0, k}, 6);
		g->queue = (uint16_t)(100 + i);
		g->addr = m->addr[i];
		if (r->speaks & V4)
			m->addr[i][g->n_addr++] =
				ip4(k, r->prefixes ? 29 : 32);
		if (r->speaks & V6)
			m->addr[i][g->n_addr++] =
				ip6(k, r->prefixes ? 67 : 128);
	}
	if (r->offload) {
		m->conf.mark_generation = 0x0a500000;
		memcpy(m->conf.bound, offload_bound, sizeof(m->conf.bound));
	}
}

static char *text_of(const struct rules_conf *c, enum rules_backend b,
		     enum rules_family f, bool closed)
{
	char *buf = malloc(RULES_TEXT_MAX + 1);
	struct wbuf w = wbuf_of(buf, RULES_TEXT_MAX);
	struct err e = {0};
	int rc = closed ? rules_closed_text(&w, b, f, c, &e) :
			  rules_text(&w, b, f, c, &e);

	assert_non_null(buf);
	if (rc != 0)
		print_error("%s\n", e.text);
	assert_int_equal(rc, 0);
	buf[w.n] = '\0';
	return buf;
}

/* --- golden ----------------------------------------------------------------------- */

static void compare(const char *name, const char *text)
{
	char path[160], *want = calloc(1, RULES_TEXT_MAX);
	FILE *f;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	if (getenv("UPDATE")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		assert_int_equal(fclose(f), 0);
	}
	f = fopen(path, "r");
	if (!f)
		print_error("%s is missing; UPDATE=1 writes it\n", path);
	assert_non_null(f);
	assert_non_null(want);
	assert_true(fread(want, 1, RULES_TEXT_MAX - 1, f) > 0);
	fclose(f);
	if (strcmp(want, text) != 0)
		print_error("%s differs; UPDATE=1 writes it anew\n", path);
	assert_string_equal(want, text);
	free(want);
}

static void test_golden(void **state)
{
	static const struct {
		const char *ext;
		enum rules_backend b;
		bool closed;
	} form[] = {{"rules", RULES_IPTABLES, false},
		    {"closed", RULES_IPTABLES, true},
		    {"nft", RULES_NFT, false},
		    {"nft-closed", RULES_NFT, true}};
	char *all = malloc(RULES_FAMILIES * RULES_TEXT_MAX), name[96];
	struct made m;

	(void)state;
	assert_non_null(all);
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t k = 0; rows[i].golden && k < 4; k++) {
			make(&m, &rows[i]);
			all[0] = '\0';
			for (int f = 0; f < RULES_FAMILIES; f++) {
				char *t = text_of(&m.conf, form[k].b,
						  (enum rules_family)f,
						  form[k].closed);

				strcat(all, t);
				free(t);
			}
			snprintf(name, sizeof(name), "%s.%s", rows[i].golden,
				 form[k].ext);
			compare(name, all);
		}
	}
	free(all);
}

/* --- what holds of every text ------------------------------------------------------- */

/* Calls fn for each line, in place. */
static void each_line(char *text, void (*fn)(const char *line, void *arg),
		      void *arg)
{
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		fn(line, arg);
}

static bool has(const char *line, const char *word)
{
	return strstr(line, word) != NULL;
}

static void fail_line(const char *what, const char *line)
{
	print_error("%s: %s\n", what, line);
	fail();
}

/* An iptables rule that accepts says why it may. */
static void check_accept(const char *line)
{
	/* Whose: check_guest. */
	bool crafted = has(line, "-A MG-OUTPUT ") &&
		       has(line, "-m mark --mark 0x100000") &&
		       has(line, "/0x100000ff -j ACCEPT");
	bool nd = has(line, " -p icmpv6 --icmpv6-type neighbour-") &&
		  has(line, " --hl-eq 255 ") && has(line, " -m limit ");
	bool carried = has(line, "-A MG-CARRY ") &&
		       has(line, "-m connmark --mark 0x") &&
		       has(line, "/0x0fff0000 -m connbytes --connbytes 1:") &&
		       has(line, "--connbytes-dir both --connbytes-mode bytes");

	/* Copies: check_copies. */
	bool asked = has(line, "cast -j ACCEPT");

	if (!crafted && !nd && !carried && !asked)
		fail_line("accepts without a queue", line);
}

/* The only mark that is not an engine's word: none. */
static const char take_back[] =
	"-A MG-CARRY -p tcp ! --tcp-flags FIN,RST NONE "
	"-j CONNMARK --set-xmark 0x0/0x0fff0000";

static void check_line(const char *line, void *arg)
{
	(void)arg;
	if (has(line, "bypass") || has(line, "balance") || has(line, "fanout"))
		fail_line("weakens a queue", line);
	if (strncmp(line, "-P ", 3) == 0 || strncmp(line, "-F", 2) == 0 ||
	    strncmp(line, "-X", 2) == 0 || strncmp(line, "-D", 2) == 0)
		fail_line("touches what is not ours", line);
	if (line[0] == ':' && strncmp(line, ":MG-", 4) != 0)
		fail_line("declares a chain of others", line);
	if (strncmp(line, "-A ", 3) == 0 && strncmp(line, "-A MG-", 6) != 0)
		fail_line("appends to a chain of others", line);
	if (has(line, "-j ACCEPT"))
		check_accept(line);
	if (has(line, "-j DROP") && !has(line, "--comment \"mg:") &&
	    !has(line, " -m comment --comment chatter -j DROP"))
		fail_line("drops without a reason", line);
	if (has(line, "-j CONNMARK") && strcmp(line, take_back) != 0 &&
	    (!has(line, "--nfmask 0x0fff0000 --ctmask 0x0fff0000") ||
	     (!has(line, "-m mark ! --mark 0x0/0x000f0000") &&
	      !has(line, "f0000/0x0fff0000 -j CONNMARK"))))
		fail_line("saves other marks", line);
	if (has(line, "/0x000f0000 -j NFQUEUE"))
		fail_line("a queue with a condition", line);
}

/* A copy that is accepted was asked about: the same match, to the letter, in
 * front of the bridge. */
static void check_copies(const char *text)
{
	static const char from[] = " -m physdev --physdev-in ";
	const char *at = text;

	while ((at = strstr(at, "cast -j ACCEPT")) != NULL) {
		const char *line = at;
		char want[160];
		size_t skip;

		while (line > text && line[-1] != '\n')
			line--;
		skip = strncmp(line, "-A MG-SEND ", 11) == 0	? 10
		       : strncmp(line, "-A MG-INPUT ", 12) == 0 ? 11
								: 0;
		at += strlen("cast");
		if (skip == 0 || strncmp(line + skip, from, strlen(from)) != 0)
			fail_line("accepts copies", line);
		snprintf(want, sizeof(want),
			 "\n-A MG-PREROUTING%.*s -j NFQUEUE --queue-num ",
			 (int)(at - line - (ptrdiff_t)skip), line + skip);
		if (!strstr(text, want))
			fail_line("was not asked about", line);
	}
}

/* Every chain that is jumped to or appended to is declared in its table. */
static void check_chains(const char *text)
{
	const char *table = text;

	while ((table = strchr(table, '*')) != NULL) {
		const char *end = strstr(table, "COMMIT\n"), *at = table;

		assert_non_null(end);
		while ((at = strstr(at, "MG-")) != NULL && at < end) {
			char decl[40];
			size_t n = strcspn(at, " \n");
			const char *d;

			assert_true(n < 32);
			snprintf(decl, sizeof(decl), ":%.*s ", (int)n, at);
			d = strstr(table, decl);
			if (!d || d > end)
				fail_line("is not declared", decl);
			at += n;
		}
		table = end;
	}
}

/* The last word about a guest's interface in each of the four chains is its
 * queue, without a condition, so nothing falls through. */
static void check_queue(const char *text, const char *rule, unsigned queue)
{
	const char *last = NULL, *at = text;
	char want[200];
	size_t n = strlen(rule);

	while ((at = strstr(at, rule)) != NULL) {
		if (at[n] == ' ')
			last = at;
		at++;
	}
	snprintf(want, sizeof(want), "%s -j NFQUEUE --queue-num %u\n", rule,
		 queue);
	if (!last || strncmp(last, want, strlen(want)) != 0)
		fail_line("does not end in its queue", rule);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* To a guest nothing goes past its queue but what its own gate made. */
static void check_crafted(const struct made *m, size_t i, const char *text,
			  bool v6)
{
	const struct rules_guest *g = &m->guest[i];
	size_t n = 0;
	char mark[64], rule[160];

	snprintf(mark, sizeof(mark), "-m mark --mark 0x%08zx/0x100000ff",
		 0x10000001 + i);
	snprintf(rule, sizeof(rule), "-A MG-OUTPUT -o %s %s -j ACCEPT\n",
		 g->iface, mark);
	if (!m->conf.bridged) {
		assert_true(has(text, rule));
		assert_int_equal(count(text, mark), 1);
		return;
	}
	/* One for each address it is known by, which no other has. */
	for (size_t k = 0; k < g->n_addr; k++)
		n += net_addr_is4(&g->addr[k].addr) != v6;
	n += v6 && n && g->has_mac; /* link-local */
	assert_int_equal(count(text, mark), n);
}

static void check_guest(const struct made *m, size_t i, const char *text,
			bool v6)
{
	const struct rules_guest *g = &m->guest[i];
	const char *in = m->conf.bridged ? "-m physdev --physdev-in" : "-i";
	const char *out = m->conf.bridged ?
		"-m physdev --physdev-is-bridged --physdev-out" : "-o";
	char rule[160];

	snprintf(rule, sizeof(rule), "-A MG-SEND %s %s", in, g->iface);
	check_queue(text, rule, g->queue);
	snprintf(rule, sizeof(rule), "-A MG-INPUT %s %s", in, g->iface);
	check_queue(text, rule, g->queue);
	snprintf(rule, sizeof(rule), "-A MG-RECEIVE %s %s", out, g->iface);
	check_queue(text, rule, g->queue);
	if (!m->conf.bridged) {
		snprintf(rule, sizeof(rule), "-A MG-OUTPUT %s %s", out,
			 g->iface);
		check_queue(text, rule, g->queue);
	}
	check_crafted(m, i, text, v6);
	/* What comes from it is checked before anything else is said. */
	snprintf(rule, sizeof(rule), "-A MG-PREROUTING %s %s -g MG-S%zu\n", in,
		 g->iface, i);
	assert_true(has(text, rule));
	snprintf(rule, sizeof(rule), "-A MG-A%zu -m comment --comment "
		 "\"mg:spoofed-source:%s\" -j DROP\n", i, g->name);
	assert_true(has(text, rule));
	snprintf(rule, sizeof(rule), "-A MG-S%zu -p icmpv6 --icmpv6-type "
		 "router-advertisement", i);
	assert_int_equal(has(text, rule), v6);
}

static void test_properties(void **state)
{
	struct made m;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (int v6 = 0; v6 < 2; v6++) {
			char *text;

			make(&m, &rows[i]);
			text = text_of(&m.conf, RULES_IPTABLES,
				       v6 ? RULES_IP6 : RULES_IP4, false);
			check_chains(text);
			check_copies(text);
			for (size_t k = 0; k < rows[i].guests; k++)
				check_guest(&m, k, text, v6);
			assert_int_equal(has(text, "conn"), rows[i].offload);
			assert_int_equal(has(text, "--notrack\n-A MG-S"),
					 !rows[i].offload);
			each_line(text, check_line, NULL);
			free(text);
		}
	}
}

static void check_closed_line(const char *line, void *arg)
{
	(void)arg;
	if (has(line, "ACCEPT") || has(line, "RETURN") ||
	    has(line, "NFQUEUE") || has(line, "queue") || has(line, "return"))
		fail_line("closed, and lets something pass", line);
	if (has(line, "accept") && !has(line, "policy accept;"))
		fail_line("closed, and accepts", line);
}

static void test_closed(void **state)
{
	static const char *const ch[] = {"PREROUTING", "INPUT", "FORWARD"};
	struct made m;
	char rule[160];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (int k = 0; k < 2 * RULES_FAMILIES; k++) {
			enum rules_backend b = k % 2 ? RULES_NFT :
						       RULES_IPTABLES;
			enum rules_family f = (enum rules_family)(k / 2);
			char *text;

			make(&m, &rows[i]);
			text = text_of(&m.conf, b, f, true);
			for (size_t h = 0; f < RULES_ARP && b != RULES_NFT &&
					   h < 3; h++) {
				snprintf(rule, sizeof(rule),
					 "-A MG-%s %s vif1.0 -m comment "
					 "--comment \"mg:closed:guest-0\" -j "
					 "DROP\n", ch[h],
					 rows[i].bridged ?
						 "-m physdev --physdev-in" :
						 "-i");
				assert_true(has(text, rule));
			}
			if (f < RULES_ARP && b != RULES_NFT)
				check_chains(text);
			each_line(text, check_closed_line, NULL);
			free(text);
		}
	}
}

/* --- nft ------------------------------------------------------------------------------ */

static void check_nft_line(const char *line, void *arg)
{
	const struct row *r = arg;

	if (has(line, "bypass") || has(line, "fanout") || has(line, "flush"))
		fail_line("weakens a queue, or others' rules", line);
	if (has(line, " drop") && !has(line, "counter drop comment \"mg:") &&
	    !has(line, "counter drop comment \"not-for-guest\"") &&
	    !has(line, "counter drop comment \"not-known\"") &&
	    !has(line, "counter drop comment \"chatter\""))
		fail_line("drops without a reason", line);
	if ((has(line, " ct ") || has(line, "\tct ")) && !r->offload)
		fail_line("asks conntrack", line);
}

static void test_nft(void **state)
{
	struct made m;
	char rule[96];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		char *text;

		make(&m, &rows[i]);
		text = text_of(&m.conf, RULES_NFT,
			       rows[i].bridged ? RULES_BRIDGE : RULES_IP4,
			       false);
		for (size_t k = 0; k < rows[i].guests; k++) {
			for (int d = 0; d < 2; d++) {
				snprintf(rule, sizeof(rule),
					 "\t\t%s \"%s\" counter queue num "
					 "%u\n", d ? "iifname" : "oifname",
					 m.guest[k].iface, m.guest[k].queue);
				/* Once through, once from or to the domain. */
				assert_true(has(text, rule));
				assert_true(has(strstr(text, rule) + 1, rule));
			}
		}
		each_line(text, check_nft_line, (void *)(uintptr_t)&rows[i]);
		free(text);
		text = text_of(&m.conf, RULES_NFT, RULES_IP6, false);
		assert_string_equal(text, "");
		free(text);
	}
}

/* Of ARP and bridge, the one that is not needed is closed. */
static void test_link_families(void **state)
{
	struct made m;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		char *arp, *bridge;

		make(&m, &rows[i]);
		arp = text_of(&m.conf, RULES_IPTABLES, RULES_ARP, false);
		bridge = text_of(&m.conf, RULES_IPTABLES, RULES_BRIDGE, false);
		assert_int_equal(has(arp, "mg:not-bridged:guest-0"),
				 rows[i].bridged);
		assert_int_equal(has(bridge, "mg:bridged:guest-0"),
				 !rows[i].bridged);
		assert_int_equal(has(arp, " accept\n"), !rows[i].bridged);
		assert_int_equal(has(bridge, " accept\n"), rows[i].bridged);
		assert_false(has(bridge, "queue"));
		free(arp);
		free(bridge);
	}
}

/* --- what cannot be written ------------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct {
		const char *why;
		const char *iface, *name, *uplink;
		int want;
	} odd[] = {
		{"as it should be", "vif1.0", "mdma", "up0", 0},
		{"another's interface", "vif2.0", "mdma", "up0", E_EXISTS},
		{"another's name", "vif1.0", "guest-1", "up0", E_EXISTS},
		{"an uplink is no guest", "up0", "mdma", "up0", E_EXISTS},
		{"empty", "", "mdma", "up0", E_SYNTAX},
		{"a wildcard of iptables", "vif+", "mdma", "up0", E_SYNTAX},
		{"a wildcard of nft", "vif*", "mdma", "up0", E_SYNTAX},
		{"an option", "-j", "mdma", "up0", E_SYNTAX},
		{"two words", "vif1 x", "mdma", "up0", E_SYNTAX},
		{"a quote", "vif\"1", "mdma", "up0", E_SYNTAX},
		{"a line", "vif\n-A", "mdma", "up0", E_SYNTAX},
		{"an alias", "eth0:1", "mdma", "up0", E_SYNTAX},
		{"a path", "../vif", "mdma", "up0", E_SYNTAX},
		{"dots only", "..", "mdma", "up0", E_SYNTAX},
		{"the loop", "lo", "mdma", "up0", E_SYNTAX},
		{"not ASCII", "vif\xc3\xa9", "mdma", "up0", E_SYNTAX},
		{"a guest with a quote", "vif1.0", "md\"ma", "up0", E_SYNTAX},
		{"a guest with a colon", "vif1.0", "md:ma", "up0", E_SYNTAX},
		{"a guest without a name", "vif1.0", "", "up0", E_SYNTAX},
		{"an uplink that is a wildcard", "vif1.0", "mdma", "+",
		 E_SYNTAX},
		{"an uplink without a name", "vif1.0", "mdma", "", E_SYNTAX},
	};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		for (int closed = 0; closed < 2; closed++) {
			char *buf = malloc(RULES_TEXT_MAX);
			struct wbuf w = wbuf_of(buf, RULES_TEXT_MAX);
			struct err e = {0};
			int rc;

			assert_non_null(buf);
			make(&m, &rows[2]);
			snprintf(m.guest[0].iface, sizeof(m.guest[0].iface),
				 "%s", odd[i].iface);
			snprintf(m.guest[0].name, sizeof(m.guest[0].name),
				 "%s", odd[i].name);
			snprintf(m.conf.uplink[0], sizeof(m.conf.uplink[0]),
				 "%s", odd[i].uplink);
			rc = closed ? rules_closed_text(&w, RULES_IPTABLES,
							RULES_IP4, &m.conf,
							&e) :
				      rules_text(&w, RULES_IPTABLES, RULES_IP4,
						 &m.conf, &e);
			if (rc != odd[i].want)
				print_error("%s\n", odd[i].why);
			assert_int_equal(rc, odd[i].want);
			assert_int_equal(rc == 0, w.n > 0);
			free(buf);
		}
	}
}

static void test_refused_numbers(void **state)
{
	enum { QUEUE, ADDRESS, OVERLAP, NONE, LEN0, LEN4, LEN200, GENERATION,
	       NO_MAC,
	       NOBODY, TOO_MANY, BACKEND, SMALL };
	static const struct {
		const char *why;
		int what, want;
	} cases[] = {
		{"two guests, one queue", QUEUE, E_EXISTS},
		{"two guests, one address", ADDRESS, E_EXISTS},
		{"an address within another's prefix", OVERLAP, E_EXISTS},
		{"a guest without an address", NONE, E_SYNTAX},
		{"all addresses there are", LEN0, E_SYNTAX},
		{"all IPv4 addresses", LEN4, E_SYNTAX},
		{"longer than an address", LEN200, E_SYNTAX},
		{"a mark outside of ours", GENERATION, E_SYNTAX},
		{"a port of a bridge without a MAC", NO_MAC, E_SYNTAX},
		{"no guest", NOBODY, E_LIMIT},
		{"more guests than there can be", TOO_MANY, E_LIMIT},
		{"nothing was chosen", BACKEND, E_STATE},
		{"too little room", SMALL, E_LIMIT},
	};
	struct made m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static uint8_t buf[RULES_TEXT_MAX];
		struct wbuf w = wbuf_of(buf, cases[i].what == SMALL ?
						     100 : sizeof(buf));
		struct err e = {0};
		int rc;

		make(&m, &rows[2]);
		switch (cases[i].what) {
		case QUEUE:
			m.guest[1].queue = m.guest[0].queue;
			break;
		case ADDRESS:
			m.addr[1][1] = m.addr[0][1];
			break;
		case OVERLAP:
			m.addr[1][0] = ip4(0, 16);
			break;
		case NONE:
			m.guest[0].n_addr = 0;
			break;
		case LEN0:
			m.addr[0][1].len = 0;
			break;
		case LEN4:
			m.addr[0][0].len = 96;
			break;
		case LEN200:
			m.addr[0][1].len = 200;
			break;
		case GENERATION:
			m.conf.mark_generation = 0x10000000;
			break;
		case NO_MAC:
			m.conf.bridged = true;
			m.guest[1].has_mac = false;
			break;
		case NOBODY:
			m.conf.n_guests = 0;
			break;
		case TOO_MANY:
			m.conf.n_guests = SHARE_GUESTS + 1;
			break;
		default:
			break;
		}
		rc = rules_text(&w, cases[i].what == BACKEND ? RULES_AUTO :
							       RULES_IPTABLES,
				RULES_IP6, &m.conf, &e);
		if (rc != cases[i].want)
			print_error("%s: %d\n", cases[i].why, rc);
		assert_int_equal(rc, cases[i].want);
		assert_true(e.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_nft),
		cmocka_unit_test(test_link_families),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
