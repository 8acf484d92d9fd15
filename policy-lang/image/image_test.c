/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/crc32c.h"
#include "core/wbuf.h"
#include "policy-lang/image/imagekit.h"

static const uint16_t p0[] = {0}, p1[] = {1};
static const uint16_t answers0[] = {0};
static const struct pol_range tables[] = {{23, 25}, {64, 64}};
static const char *const paths[] = {"/meter/*", "/meter/**/power", "/m"};

static struct pol_kinds kinds(enum obs_kind k)
{
	struct pol_kinds s = {{0}};

	s.w[k / 64] |= UINT64_C(1) << (k % 64);
	return s;
}

/* A vendor policy with one of everything. Prefixes and ranges in the given
 * order, so that a test can permute them. */
struct sample {
	struct pol_prefix addr[3];
	struct pol_port port[2];
	uint8_t title[4];
	struct pol_party_src party[2];
	struct pol_range num[2];
	const char *text[3];
	struct pol_attr attr[3];
	struct span oid;
	struct pol_obs_match match[3];
	struct pol_limit_phrase limit[2];
	struct pol_rule_src rule[3];
	struct pol_state_src state;
	struct pol_limit_src top;
	struct pol_include lib[2];
	struct pol_file f;
};

static struct pol_prefix v4(uint8_t a, uint8_t b, uint8_t len)
{
	struct pol_prefix p = {.len = (uint8_t)(96 + len)};

	p.addr.b[10] = p.addr.b[11] = 0xff;
	p.addr.b[12] = a;
	p.addr.b[13] = b;
	return p;
}

static void fill_rules(struct sample *s)
{
	s->rule[0] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_IN,
		.party = {.party = p0, .n_party = 1}, .match = &s->match[0],
		.n_match = 1, .limit = &s->limit[0], .n_limit = 1};
	s->rule[1] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "send", .purpose = "Your bill.",
		.dir = DIRSEL_OUT, .party = {.party = p0, .n_party = 1},
		.match = &s->match[1], .n_match = 2, .has_answers = true,
		.answers = answers0, .n_answers = 1, .consent = CONSENT_OPT_IN,
		.when = {.present = true, .has_between = true,
			 .from_min = 30, .to_min = 330},
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_REGISTER),
			 .has_res = true, .res_unit = UNIT_WH,
			 .res_milli = 1000000},
		.limit = &s->limit[1], .n_limit = 1,
		.exceed = {ACTION_DEFER, 600 * NS_PER_S}, .pos = {7, 3}};
	s->rule[2] = (struct pol_rule_src){
		.kind = RULE_DENY, .id = "never", .message = "Never \xc3\xa9.",
		.dir = DIRSEL_ANY, .party.any = true, .vm.any = true,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)}};
}

static void fill(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	s->addr[0] = v4(203, 0, 28);
	s->addr[1] = v4(198, 51, 16);
	s->addr[2] = (struct pol_prefix){.addr.b = {0xfd}, .len = 8};
	s->port[0] = (struct pol_port){6, 1153, 1153};
	s->port[1] = (struct pol_port){17, 1153, 1160};
	memcpy(s->title, "\x60\x7c\x01\x02", 4);
	s->party[0] = (struct pol_party_src){
		.id = "headend", .name = "Head end", .operator_ = "M Ltd",
		.country = "GB", .addr = s->addr, .n_addr = 3,
		.port = s->port, .n_port = 2,
		.aptitle = span_of(s->title, 4)};
	s->party[1] = (struct pol_party_src){
		.id = "portal", .name = "Portal", .role = ROLE_VM,
		.vm = "portal"};
	memcpy(s->num, tables, sizeof(tables));
	memcpy(s->text, paths, sizeof(paths));
	s->oid = span_of(s->title, 4);
	s->attr[0] = (struct pol_attr){.field = F_TABLE, .num = s->num,
				       .n_num = 2};
	s->attr[1] = (struct pol_attr){.field = F_HREF, .text = s->text,
				       .n_text = 3};
	s->attr[2] = (struct pol_attr){.field = F_CALLED, .oid = &s->oid,
				       .n_oid = 1};
	s->match[0] = (struct pol_obs_match){
		.kinds = kinds(OBS_C1222_READ_REQUEST), .attr = &s->attr[0],
		.n_attr = 1};
	s->match[1] = (struct pol_obs_match){
		.kinds = kinds(OBS_OBIX_READ_RESPONSE), .attr = &s->attr[1],
		.n_attr = 1};
	s->match[2] = (struct pol_obs_match){
		.kinds = kinds(OBS_C1222_READ_RESPONSE), .attr = &s->attr[2],
		.n_attr = 1};
	s->limit[0] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 4,
		.window = WINDOW_DAY, .text = "4 messages per day"};
	s->limit[1] = (struct pol_limit_phrase){
		.kind = LIMIT_SPACING, .window_ns = 72000 * NS_PER_S,
		.text = "at least 20 h apart"};
	fill_rules(s);
	s->state = (struct pol_state_src){
		.id = "registered", .scope = SCOPE_PARTY,
		.set = {DIRSEL_IN, 0, &s->match[0], 1},
		.expires_ns = 3600 * NS_PER_S};
	s->top = (struct pol_limit_src){
		.id = "bytes", .dir = DIRSEL_OUT,
		.party = {.party = p1, .n_party = 1}, .each_vm = true,
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_BYTES,
			   .n = 4096, .window = WINDOW_SLIDING,
			   .window_ns = 3600 * NS_PER_S,
			   .text = "4 KiB per 1 h"}};
	s->lib[0] = (struct pol_include){"com.lib.a", "lib/a.yaml", 3, {7}};
	s->lib[1] = (struct pol_include){"com.lib.b", "b.yaml", 12, {8}};
	s->f = (struct pol_file){
		.include = s->lib, .n_include = 2,
		.kind = POL_VENDOR, .unique = true,
		.path = "a.yaml", .id = "com.example",
		.title = "A", .vm = "mdma", .serial = 9,
		.valid_from_s = 1000, .valid_until_s = 2000,
		.party = s->party, .n_party = 2, .rule = s->rule,
		.n_rule = 3, .state = &s->state, .n_state = 1,
		.limit = &s->top, .n_limit = 1};
}

static uint8_t *build(const struct pol_file *f, size_t *n)
{
	struct err e = {0};
	uint8_t *p;

	if (pol_image_build(&p, n, f, &e))
		fail_msg("%s", e.text);
	return p;
}

static void test_print(const struct pol_image *im)
{
	static const char *const want[] = {
		"vendor com.example serial 9", "party headend: metering",
		" 203.0.0.0/28", "aptitle 2.16.124.1.2",
		"allow send: out consent opt-in", "obix.read-response",
		"data energy.register resolution 1000 Wh",
		"limit at least 20 h apart", "limit bytes: 4 KiB per 1 h",
		"state registered: party, expires 1 h",
		"with headend", "answers ask", "when 00:30-05:30",
		"exceed defer 10 min", "table 23-25, 64",
		"href /m, /meter/*, /meter//power", "message Never \xc3\xa9.",
		"valid    from 1970-01-01 until 1970-01-01", "(line 7)",
		"library  com.lib.a serial 3 sha256:0700", " from lib/a.yaml\n",
		"library  com.lib.b serial 12 sha256:0800", " from b.yaml\n"};
	static char text[8192];
	struct wbuf w = wbuf_of(text, sizeof(text) - 1);

	assert_true(pol_image_print(im, &w));
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		if (!strstr(text, want[i]))
			fail_msg("'%s' is missing in:\n%s", want[i], text);
	}
	w = wbuf_of(text, 100);
	assert_false(pol_image_print(im, &w));
}

static void test_round_trip(void **ctx)
{
	static struct sample s;
	struct pol_image *im;
	struct err e = {0};
	uint8_t *p, digest[32];
	size_t n;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	if (pol_image_load(&im, span_of(p, n), &e))
		fail_msg("%s", e.text);
	assert_int_equal(pol_image_kind(im), POL_VENDOR);
	assert_true(span_is(pol_image_id(im), "com.example"));
	assert_true(span_is(pol_image_vm(im), "mdma"));
	assert_int_equal(pol_image_serial(im), 9);
	pol_image_digest(im, digest);
	assert_memory_equal(digest, im->head->payload, 32);
	assert_int_equal(im->n_RULE, 3);
	assert_int_equal(im->n_PRTY, 2);
	assert_int_equal(im->n_PFX4, 2);
	assert_int_equal(im->n_PFX6, 1);
	assert_int_equal(im->n_LIMT, 3);
	assert_int_equal(im->n_COLS, 6); /* ask, send x2, never, bytes, set */
	assert_true(span_is(img_str(im, im->RULE[1].id), "send"));
	assert_true(span_is(img_text(im, im->RULE[1].purpose), "Your bill."));
	assert_int_equal(im->GARD[im->RULE[1].guard].answers[0], 1);
	assert_int_equal(im->DATA[im->RULE[1].data].res_milli, 1000000);
	assert_int_equal(im->LOCS[1].line, 7);
	assert_true(span_is(im->path, "a.yaml"));
	assert_int_equal(im->n_INCL, 2);
	assert_true(span_is(img_lib(im, 0).id, "com.lib.a"));
	assert_true(span_is(img_lib(im, 1).id, "com.lib.b"));
	assert_int_equal(im->INCL[1].serial, 12);
	assert_int_equal(im->INCL[1].digest[0], 8);
	assert_true(span_is(img_lib(im, 0).path, "lib/a.yaml"));
	assert_true(span_is(img_lib(im, 1).path, "b.yaml"));
	test_print(im);
	pol_image_free(im);
	free(p);
}

/* A label changes no digest, survives no bad row, and goes with nothing. */
static void test_label(void **ctx)
{
	static const struct lay_label good[2] = {
		{.spacing = 1800 * NS_PER_S, .party = 0, .statements = 5,
		 .clear = 1, .blurred = 2, .grade = 'D', .identity = 4,
		 .late = 1},
		{.spacing = INT64_MAX, .party = 1, .grade = '-', .sealed = 1,
		 .other = LABEL_OTHER_ANY}};
	static const struct {
		const char *why;
		size_t row;
		struct lay_label bad;
	} rows[] = {
		{"a party behind the last", 1, {.party = 2, .grade = 'A'}},
		{"the party of the row before", 1, {.party = 0, .grade = 'A'}},
		{"no grade", 0, {.grade = 0}},
		{"a grade that is none", 0, {.grade = 'G'}},
		{"negative spacing", 0, {.spacing = -1, .grade = 'A'}},
		{"an identity that is none", 0, {.identity = 6, .grade = 'A'}},
		{"a flag that is no flag", 0, {.live = 2, .grade = 'A'}},
		{"other messages that are none", 0,
		 {.grade = 'A', .other = 3}},
		{"padding", 0, {.grade = 'A', .pad = {0, 1}}},
	};
	static struct sample s;
	struct pol_image *im, *with;
	struct err e = {0};
	uint8_t *p, *q, before[32], after[32];
	size_t n, m;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), 0);
	assert_false(pol_image_labelled(im));
	assert_int_equal(pol_image_label(&q, &m, im, good, 2, &e), 0);
	assert_int_equal(m, n + sizeof(good));
	assert_int_equal(pol_image_load(&with, span_of(q, m), &e), 0);
	assert_true(pol_image_labelled(with));
	assert_memory_equal(with->LABL, good, sizeof(good));
	pol_image_digest(im, before);
	pol_image_digest(with, after);
	assert_memory_equal(before, after, 32);
	pol_image_free(with);
	/* Each bit of it is under a checksum. */
	for (size_t i = 8 * (m - sizeof(good)); i < 8 * m; i++) {
		q[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_int_equal(pol_image_load(&with, span_of(q, m), &e),
				 E_INTEGRITY);
		q[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	free(q);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lay_label l[2] = {good[0], good[1]};

		l[rows[i].row] = rows[i].bad;
		assert_int_equal(pol_image_label(&q, &m, im, l, 2, &e), 0);
		if (pol_image_load(&with, span_of(q, m), &e) != E_SYNTAX)
			fail_msg("%s is accepted", rows[i].why);
		free(q);
	}
	pol_image_free(im);
	free(p);
}

/* A checksum finds every one: no bit is outside of all of them. */
static void test_every_bit(void **ctx)
{
	static struct sample s;
	struct pol_image *im;
	struct err e;
	uint8_t *p;
	size_t n;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	for (size_t i = 0; i < 8 * n; i++) {
		p[i / 8] ^= (uint8_t)(1u << i % 8);
		if (pol_image_load(&im, span_of(p, n), &e) == 0)
			fail_msg("bit %zu of octet %zu is not noticed", i % 8,
				 i / 8);
		assert_null(im);
		p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), 0);
	pol_image_free(im);
	free(p);
}

static void test_every_length(void **ctx)
{
	static struct sample s;
	struct pol_image *im;
	struct err e;
	uint8_t *p;
	size_t n;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	for (size_t i = 0; i < n; i++)
		assert_int_not_equal(pol_image_load(&im, span_of(p, i), &e),
				     0);
	free(p);
}

static void test_permuted(void **ctx)
{
	static struct sample a, b;
	uint8_t *p, *q;
	size_t n, m;

	(void)ctx;
	fill(&a);
	fill(&b);
	b.addr[0] = a.addr[1];
	b.addr[1] = a.addr[2];
	b.addr[2] = a.addr[0];
	b.num[0] = a.num[1];
	b.num[1] = a.num[0];
	b.text[0] = a.text[2];
	b.text[2] = a.text[0];
	b.f.path = "b.yaml"; /* LOCS: outside of the digest */
	b.lib[0].path = "/elsewhere/a.yaml";
	b.rule[1].pos.line = 99;
	p = build(&a.f, &n);
	q = build(&b.f, &m);
	assert_memory_equal(((struct lay_header *)p)->payload,
			    ((struct lay_header *)q)->payload, 32);
	free(q);
	b.lib[1].digest[31] = 1; /* INCL too, but it is in the image */
	q = build(&b.f, &m);
	assert_memory_equal(((struct lay_header *)p)->payload,
			    ((struct lay_header *)q)->payload, 32);
	b.lib[0].path = a.lib[0].path;
	b.f.path = "a.yaml";
	b.rule[1].pos.line = 7;
	free(q);
	q = build(&b.f, &m);
	assert_int_equal(n, m);
	assert_memory_not_equal(p, q, n);
	free(q);
	b.lib[1] = a.lib[1];
	q = build(&b.f, &m);
	assert_int_equal(n, m);
	assert_memory_equal(p, q, n);
	free(p);
	free(q);
}

/* What a person would write for a glob, without an automaton. */
static bool glob(const char *g, const char *t)
{
	if (*g == 0)
		return *t == 0;
	if (g[0] == '*' && g[1] == '*') {
		for (;; t++) {
			if (glob(g + 2, t))
				return true;
			if (!*t)
				return false;
		}
	}
	if (g[0] == '*') {
		for (;; t++) {
			if (glob(g + 1, t))
				return true;
			if (!*t || *t == '/')
				return false;
		}
	}
	return *g == *t && glob(g + 1, t + 1);
}

static uint32_t run_auto(const struct pol_image *im, const struct lay_dim *d,
			 const char *t)
{
	uint32_t at = 0;

	for (; *t; t++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + at];
		uint32_t next = *t == '/' ? a->slash : a->other;

		for (uint32_t i = 0; i < a->edge_n; i++) {
			uint32_t e = im->LIST[a->edge_first + i];

			if (e >> 24 == (uint8_t)*t)
				next = e & 0xffffff;
		}
		at = next;
	}
	return im->AUTO[d->v_first + at].cls + 1u;
}

/* The automaton of many patterns says the same as each pattern alone. */
static void test_patterns(void **ctx)
{
	static const char *const globs[] = {
		"/a/*", "/a/**", "**", "*", "/a/b*c/d", "a*a*a", "/**/x",
		"", "/a", "*.example.com", "/a/*/c", "**/b"};
	enum { N = sizeof(globs) / sizeof(globs[0]) };
	static struct pol_attr attr[N];
	static struct pol_obs_match match[N];
	static struct pol_rule_src rule[N];
	static char name[N][8];
	static const char alphabet[] = "/abcx.em";
	struct pol_file f = {.kind = POL_BASELINE, .unique = true,
			     .id = "b", .rule = rule,
			     .n_rule = N};
	uint64_t seed = 88172645463325252u;
	struct pol_image *im;
	struct err e = {0};
	const struct lay_dim *d;
	uint8_t *p;
	size_t n;

	(void)ctx;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name[i], sizeof(name[i]), "r%02u", i);
		attr[i] = (struct pol_attr){.field = F_PATH,
					    .text = &globs[i], .n_text = 1};
		match[i] = (struct pol_obs_match){
			.kinds = kinds(OBS_HTTP_REQUEST), .attr = &attr[i],
			.n_attr = 1};
		rule[i] = (struct pol_rule_src){
			.kind = RULE_DENY, .id = name[i], .party.any = true,
			.vm.any = true, .match = &match[i], .n_match = 1};
	}
	p = build(&f, &n);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), 0);
	d = &im->OBSV[LAY_DIM_FIELDS];
	assert_int_equal(d->form, DIM_AUTO);
	for (int round = 0; round < 20000; round++) {
		char t[16];
		size_t len;
		const uint64_t *row;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		len = seed % 12;
		for (size_t i = 0; i < len; i++)
			t[i] = alphabet[seed >> (8 + 4 * i) & 7];
		t[len] = 0;
		row = img_row(im, d, run_auto(im, d, t));
		for (unsigned i = 0; i < N; i++) {
			if ((row[0] >> i & 1) != glob(globs[i], t))
				fail_msg("'%s' and '%s'", globs[i], t);
		}
	}
	pol_image_free(im);
	free(p);
}

/* Behind the places of three rules and three limits: a.yaml. */
#define LOCS_PATH (6 * sizeof(struct lay_loc))
/* Behind two libraries: com.lib.a, lib/a.yaml, com.lib.b, b.yaml. */
#define LIB_TEXT (2 * sizeof(struct lay_lib))

static const struct {
	const char *why;
	enum lay_sect sect;
	size_t off, n; /* in the section's first row */
	uint64_t value;
} bounds[] = {
	{"unchanged", LAY_META, 0, 0, 0},
	{"text not a text's start", LAY_RULE,
	 offsetof(struct lay_rule, id), 4, 2},
	{"text beyond its section", LAY_RULE,
	 offsetof(struct lay_rule, id), 4, 100000},
	{"guard out of range", LAY_RULE,
	 offsetof(struct lay_rule, guard), 4, 77},
	{"unknown kind of rule", LAY_RULE,
	 offsetof(struct lay_rule, kind), 1, 4},
	{"limits out of range", LAY_RULE,
	 offsetof(struct lay_rule, limit_n), 4, 9},
	{"answers a rule that is none", LAY_GARD,
	 offsetof(struct lay_guard, answers), 8, 8},
	{"requires a state that is none", LAY_GARD,
	 offsetof(struct lay_guard, requires_), 8, 2},
	{"unknown measurement", LAY_DATA,
	 offsetof(struct lay_data, meas), 8, UINT64_C(1) << 62},
	{"a step of nothing", LAY_DATA,
	 offsetof(struct lay_data, res_milli), 8, 0},
	{"prefix too long", LAY_PFX4, offsetof(struct lay_pfx4, len),
	 1, 33},
	{"prefix of nobody", LAY_PFX4,
	 offsetof(struct lay_pfx4, owner), 2, 2},
	{"title beyond its section", LAY_PRTY,
	 offsetof(struct lay_party, oid_n), 4, 500},
	{"bit beyond the columns", LAY_DIMS, 0, 8, UINT64_C(1) << 6},
	{"column of no rule", LAY_COLS,
	 offsetof(struct lay_col, owner), 2, 5},
	{"columns not by their rules", LAY_COLS,
	 2 * sizeof(struct lay_col) + offsetof(struct lay_col, owner), 2, 0},
	{"column of another kind of rule", LAY_COLS,
	 offsetof(struct lay_col, owner), 2, 2},
	{"selector out of range", LAY_COLS,
	 offsetof(struct lay_col, sel), 4, 50},
	{"selects a party that is none", LAY_SELS,
	 offsetof(struct lay_sel, parties), 8, 4},
	{"too few rows", LAY_OBSV, offsetof(struct lay_dim, n_rows),
	 4, 1},
	{"transition out of the automaton", LAY_AUTO,
	 offsetof(struct lay_auto, other), 4, 4000},
	{"edges out of range", LAY_AUTO,
	 offsetof(struct lay_auto, edge_first), 4, 40000},
	{"class without a row", LAY_AUTO,
	 offsetof(struct lay_auto, cls), 2, 900},
	{"window of no length", LAY_LIMT,
	 offsetof(struct lay_limit, window), 1, WINDOW_NONE},
	{"limit over 2^53", LAY_LIMT, offsetof(struct lay_limit, n),
	 8, UINT64_C(1) << 54},
	{"limit of another rule", LAY_LIMT,
	 offsetof(struct lay_limit, rule), 4, 1},
	{"unknown scope", LAY_STAT, offsetof(struct lay_state, scope),
	 1, 3},
	{"serial unlike the header", LAY_META, 0, 8, 10},
	{"text that is not UTF-8", LAY_TEXT, 1, 1, 0xff},
	{"text section does not begin empty", LAY_STRS, 0, 1, 'x'},
	{"library without an id", LAY_INCL, LIB_TEXT, 1, 0},
	{"library before the one before it", LAY_INCL, LIB_TEXT + 8, 1, 'c'},
	{"library twice", LAY_INCL, LIB_TEXT + 8, 1, 'b'},
	{"library without a serial", LAY_INCL,
	 offsetof(struct lay_lib, serial), 8, 0},
	{"library's serial over 2^53", LAY_INCL,
	 offsetof(struct lay_lib, serial), 8, (UINT64_C(1) << 53) + 1},
	{"text of no library", LAY_INCL, LIB_TEXT + 36, 1, 0},
	{"path of a library is missing", LAY_INCL, LIB_TEXT + 20, 1, 'x'},
	{"last path is not terminated", LAY_INCL, LIB_TEXT + 37, 1, 'x'},
	{"id of a library is not UTF-8", LAY_INCL, LIB_TEXT + 8, 1, 0xff},
	{"path of a library is not UTF-8", LAY_INCL, LIB_TEXT + 33, 1, 0xff},
	{"text behind the path", LAY_LOCS, LOCS_PATH + 5, 1, 0},
};

/* Values out of bounds with right checksums: the rows refuse them. */
static void test_bounds(void **ctx)
{
	static struct sample s;
	uint8_t *p, *q;
	size_t n;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct lay_section *t;
		struct pol_image *im;
		struct err e = {0};
		int rc;

		q = malloc(n);
		memcpy(q, p, n);
		t = (struct lay_section *)(q + sizeof(struct lay_header));
		memcpy(q + t[bounds[i].sect].off + bounds[i].off,
		       &bounds[i].value, bounds[i].n);
		image_put_right(q, n, RIGHT_RULES);
		rc = pol_image_load(&im, span_of(q, n), &e);
		if (rc != (i ? E_SYNTAX : 0))
			fail_msg("%s: %d %s", bounds[i].why, rc, e.text);
		pol_image_free(im);
		free(q);
	}
	free(p);
}

/* That its grants do not overlap stands in it for the rules that were checked,
 * and for no others. */
static void test_unique(void **ctx)
{
	static const struct {
		const char *why;
		enum lay_sect sect;
		size_t off;
		bool of_grants;
	} rows[] = {
		{"a machine or party", LAY_PRTY,
		 offsetof(struct lay_party, role), true},
		{"an address", LAY_PFX4, 0, true},
		{"who a rule selects", LAY_SELS, 0, true},
		{"what it selects", LAY_DIMS, 0, true},
		{"a range", LAY_LIST, 0, true},
		{"an automaton", LAY_AUTO, offsetof(struct lay_auto, other),
		 true},
		{"a direction", LAY_RULE, offsetof(struct lay_rule, dir),
		 true},
		{"a measurement", LAY_DATA, 0, true},
		{"how often", LAY_LIMT, 0, false},
		{"when", LAY_GARD, offsetof(struct lay_guard, days), false},
		{"a text for people", LAY_TEXT, 1, false},
	};
	static struct sample s;
	struct pol_image *im;
	struct err e = {0};
	uint8_t *p, *q;
	size_t n, m;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	q = malloc(n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lay_section *t =
			(struct lay_section *)(q + sizeof(struct lay_header));
		int rc;

		memcpy(q, p, n);
		q[t[rows[i].sect].off + rows[i].off] ^= 1;
		image_put_right(q, n, RIGHT_PAYLOAD);
		rc = pol_image_load(&im, span_of(q, n), &e);
		if ((rc == E_INTEGRITY) != rows[i].of_grants)
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (rows[i].of_grants)
			assert_non_null(strstr(e.text, "checked for overlap"));
		pol_image_free(im);
	}
	free(q);
	free(p);

	s.f.unique = false;
	p = build(&s.f, &m);
	assert_int_equal(m, n - sizeof(struct lay_unique));
	assert_int_equal(pol_image_load(&im, span_of(p, m), &e),
			 E_UNSUPPORTED);
	assert_non_null(strstr(e.text, "do not overlap: compile"));
	free(p);
}

/* The header says what kind of file it is, and is in no digest. */
static void test_kinds(void **ctx)
{
	static struct sample s;
	uint8_t *p;
	size_t n;

	(void)ctx;
	fill(&s);
	p = build(&s.f, &n);
	for (unsigned kind = POL_BINDING; kind <= POL_TESTS; kind++) {
		struct lay_header *h = (struct lay_header *)p;
		struct pol_image *im;
		struct err e = {0};
		int rc;

		h->kind = (uint16_t)kind;
		image_put_right(p, n, RIGHT_RULES);
		rc = pol_image_load(&im, span_of(p, n), &e);
		if (rc != (kind == POL_VENDOR ? 0 : E_SYNTAX))
			fail_msg("kind %u: %d %s", kind, rc, e.text);
		pol_image_free(im);
	}
	free(p);
}

/* Each once, in the order of their ids, and no more than there is room for. */
static void test_libraries(void **ctx)
{
	static struct sample s;
	static struct pol_include many[LAY_MAX_LIBS + 1];
	static char id[LAY_MAX_LIBS + 1][16];
	struct pol_image *im;
	struct lay_section *t;
	struct lay_header *h;
	struct err e = {0};
	uint8_t *p;
	size_t n;

	(void)ctx;
	fill(&s);
	s.lib[0] = s.lib[1];
	p = build(&s.f, &n);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), E_SYNTAX);
	free(p);
	fill(&s);
	s.lib[0].id = "com.lib.c";
	p = build(&s.f, &n);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), E_SYNTAX);
	free(p);
	for (size_t i = 0; i <= LAY_MAX_LIBS; i++) {
		snprintf(id[i], sizeof(id[i]), "l%03zu", i);
		many[i] = (struct pol_include){id[i], "l.yaml", 1, {0}};
	}
	fill(&s);
	s.f.include = many;
	s.f.n_include = LAY_MAX_LIBS + 1;
	assert_int_equal(pol_image_build(&p, &n, &s.f, &e), E_LIMIT);
	s.f.n_include = LAY_MAX_LIBS;
	p = build(&s.f, &n);
	if (pol_image_load(&im, span_of(p, n), &e))
		fail_msg("%s", e.text);
	assert_true(span_is(img_lib(im, 255).id, "l255"));
	pol_image_free(im);
	/* An image of before there were any says what to do. */
	/* More rows than it has octets. */
	h = (struct lay_header *)p;
	t = (struct lay_section *)(p + sizeof(*h)) + LAY_INCL;
	t->count = (uint32_t)(t->len / sizeof(struct lay_lib)) + 1;
	image_put_right(p, n, RIGHT_RULES);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), E_SYNTAX);
	t->count = LAY_MAX_LIBS - 1;
	image_put_right(p, n, RIGHT_RULES);
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e), E_SYNTAX);
	h->major = 1;
	assert_int_equal(pol_image_load(&im, span_of(p, n), &e),
			 E_UNSUPPORTED);
	assert_string_equal(e.text, "format 1, this program reads 4: compile "
				    "the policy again");
	free(p);
}

static void test_limits_of_size(void **ctx)
{
	static struct sample s;
	static struct pol_rule_src many[LAY_MAX_RULES + 1];
	struct err e = {0};
	uint8_t *p;
	size_t n;

	(void)ctx;
	fill(&s);
	s.f.rule = many;
	s.f.n_rule = LAY_MAX_RULES + 1;
	assert_int_equal(pol_image_build(&p, &n, &s.f, &e), E_LIMIT);
	assert_null(p);
	fill(&s);
	s.top.phrase.n = UINT64_C(1) << 33; /* sub-windows count 32 bits */
	assert_int_equal(pol_image_build(&p, &n, &s.f, &e), E_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_permuted),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_limits_of_size),
		cmocka_unit_test(test_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
