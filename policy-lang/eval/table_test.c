/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An automaton as a table and the same one too large for a table match alike;
 * of several values of one field all have to be granted, and none denied; and
 * places of outstanding requests, once found out, stay the right ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

#define RULES 80

struct many {
	struct pol_rule_src rule[RULES];
	struct pol_obs_match match[RULES];
	struct pol_attr attr[RULES];
	char name[RULES][16], path[RULES][120];
	const char *text[RULES];
	struct pol_file f;
};

/* Rules by path: the first few have text, the others fill. */
static struct pol_image *by_path(const char *const *text, unsigned n_text,
				 unsigned n, uint8_t **octets)
{
	struct many *p = calloc(1, sizeof(*p));
	struct pol_image *im;
	struct err e = {0};
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		snprintf(p->name[i], sizeof(p->name[i]), "r%03u", i);
		for (unsigned k = 0; k < 100; k++)
			p->path[i][k] = (char)('a' + rand() % 26);
		p->path[i][0] = '/';
		p->text[i] = i < n_text ? text[i] : p->path[i];
		p->attr[i] = (struct pol_attr){.field = F_PATH,
					       .text = &p->text[i],
					       .n_text = 1};
		p->match[i].kinds.w[OBS_HTTP_REQUEST / 64] =
			UINT64_C(1) << (OBS_HTTP_REQUEST % 64);
		p->match[i].attr = &p->attr[i];
		p->match[i].n_attr = 1;
		p->rule[i] = (struct pol_rule_src){
			.kind = RULE_CEILING, .id = p->name[i],
			.dir = DIRSEL_ANY, .party.any = true, .vm.any = true,
			.match = &p->match[i], .n_match = 1};
	}
	p->f = (struct pol_file){.kind = POL_BASELINE, .unique = true,
				 .id = "b",
				 .rule = p->rule, .n_rule = n};
	assert_int_equal(pol_image_build(octets, &len, &p->f, &e), 0);
	assert_int_equal(pol_image_load(&im, span_of(*octets, len), &e), 0);
	free(p);
	return im;
}

static uint64_t hits_as(const struct pol_image *im, const char *path, bool slash)
{
	uint64_t all[LAY_WORDS], hit[LAY_WORDS];
	struct obs o = {.kind = OBS_HTTP_REQUEST};

	memset(all, 0xff, sizeof(all));
	if (path)
		obs_span(&o, F_PATH, span_str(path));
	if (slash)
		obs_flag(&o, F_SLASH);
	match_obs(im, all, DIR_OUT, &o, NULL, 0, hit);
	return hit[0] & 7;
}

static uint64_t hits(const struct pol_image *im, const char *path)
{
	return hits_as(im, path, false);
}

static const struct img_table *table_of(const struct pol_image *im)
{
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		if (im->OBSV[i].field == F_PATH)
			return &im->table[i];
	}
	fail();
	return NULL;
}

static void test_tables(void **state)
{
	static const char *const text[] = {"/site/*/now", "/a/**", "/site/x"};
	static const char *const path[] = {
		"/site/x/now", "/site/y/now", "/site//now", "/site/x",
		"/site/x/y/now", "/a/", "/a/b/c", "/a", "/", "", "/site/\xff/now",
		"/Site/x", "/site/x/", NULL};
	uint8_t *a, *b;
	struct pol_image *few = by_path(text, 3, 3, &a);
	struct pol_image *many = by_path(text, 3, RULES, &b);
	unsigned some = 0;

	(void)state;
	assert_true(table_of(few)->n_class > 0);
	assert_int_equal(table_of(many)->n_class, 0);
	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		uint64_t h = hits(few, path[i]);

		some |= h != 0;
		assert_int_equal(h, hits(many, path[i]));
	}
	assert_int_equal(some, 1);
	assert_int_equal(hits(few, "/site/x/now"), 1);
	assert_int_equal(hits(few, "/site/x"), 4);
	assert_int_equal(hits(few, NULL), 0);
	pol_image_free(few);
	pol_image_free(many);
	free(a);
	free(b);
}

/* A path that ended with a slash is told without it, and fits what is written
 * for either. */
static void test_slash(void **state)
{
	static const char *const text[] = {"/a/**", "/a", "/a/*"};
	static const struct {
		const char *path;
		bool slash;
		uint64_t want;
	} cases[] = {
		{"/a", false, 2},   {"/a", true, 1 | 2 | 4},
		{"/a/b", false, 5}, {"/a/b", true, 1 | 4},
		{"/b", true, 0},    {"/a/b/c", true, 1},
	};
	uint8_t *a, *b;
	struct pol_image *few = by_path(text, 3, 3, &a);
	struct pol_image *many = by_path(text, 3, RULES, &b);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hits_as(few, cases[i].path, cases[i].slash),
				 cases[i].want);
		assert_int_equal(hits_as(many, cases[i].path, cases[i].slash),
				 cases[i].want);
	}
	pol_image_free(few);
	pol_image_free(many);
	free(a);
	free(b);
}

/* --- places of requests --------------------------------------------------- */

static uint32_t oldest(const struct pol_state *st)
{
	const uint64_t *w = st->w + st->answers[0];
	uint32_t at = 0;

	for (uint32_t i = 0; i < ANSWERS; i++) {
		const uint64_t *a = w + i * AN_WORDS, *b = w + at * AN_WORDS;

		if (a[AN_ID] == 0)
			return i;
		if (a[AN_TIME] < b[AN_TIME] ||
		    (a[AN_TIME] == b[AN_TIME] && a[AN_ID] < b[AN_ID]))
			at = i;
	}
	return at;
}

static void request_rule(struct kit *k)
{
	static const uint16_t party[] = {0};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 24);
	struct pol_port port = {.proto = 6, .lo = 1153, .hi = 1153};
	struct pol_party_src p = {.id = "headend", .name = "H", .addr = &net,
				  .n_addr = 1, .port = &port, .n_port = 1};
	struct pol_obs_match any = {.kinds = kit_kind(OBS_C1222_READ_REQUEST)};
	struct pol_rule_src all = {
		.kind = RULE_CEILING, .id = "all", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .match = &any, .n_match = 1};
	struct pol_rule_src ask = {
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_IN,
		.party = {.party = party, .n_party = 1}, .match = &any,
		.n_match = 1};
	struct pol_file base = {.kind = POL_BASELINE, .unique = true,
				.id = "b", .rule = &all,
				.n_rule = 1};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true,
				  .id = "v", .vm = "mdma",
				  .party = &p, .n_party = 1, .rule = &ask,
				  .n_rule = 1};

	assert_int_equal(kit_add(k, &base), 0);
	assert_int_equal(kit_add(k, &vendor), 0);
	assert_int_equal(kit_go(k), 0);
}

/* Whatever comes in between: requests taken back, time that stands still, a
 * request that is told to go on, an answer. */
static void test_places(void **state)
{
	struct kit k = {0};
	struct pol_decision d;
	unsigned sure = 0;

	(void)state;
	request_rule(&k);
	srand(7);
	for (int i = 0; i < 5000; i++) {
		struct pol_msg m = kit_msg(&k, DIR_IN, OBS_C1222_READ_REQUEST);
		uint32_t at = oldest(k.st), dice = (uint32_t)rand() % 100;
		const uint64_t *w;

		kit_wait(&k, rand() % 3 * 1000);
		m.now = k.now;
		m.flow = (uint64_t)rand() % 5;
		if (dice < 3)
			obs_flag(&k.carrier, F_CONTINUES);
		pol_judge(k.st, &m, &d);
		assert_true(d.permit);
		sure += k.st->turn[0].sure;
		w = k.st->w + k.st->answers[0] + at * AN_WORDS;
		if (dice >= 3)
			assert_int_equal(w[AN_ID], d.request_id);
		assert_int_equal(w[AN_FLOW], m.flow);
		assert_int_equal(w[AN_TIME], k.st->now.mono.ns);
		if (dice % 10 == 5)
			pol_abort(k.st);
		else
			pol_commit(k.st);
	}
	assert_true(sure > 500);
	kit_free(&k);
}

/* --- several values of one field ------------------------------------------- */

static void test_several(void **state)
{
	static const struct {
		const char *why, *is[4];
		enum reason want;
	} rows[] = {
		{"none", {NULL}, REASON_NO_GRANT},
		{"one that is granted", {"x:Good"}, REASON_NONE},
		{"two", {"x:Good", "x:Fine"}, REASON_NONE},
		{"one that nobody grants", {"x:Other"}, REASON_NO_GRANT},
		{"behind one that is granted", {"x:Good", "x:Other"},
		 REASON_NO_GRANT},
		{"in front of it", {"x:Other", "x:Good"}, REASON_NO_GRANT},
		{"behind two", {"x:Good", "x:Fine", "x:Other"},
		 REASON_NO_GRANT},
		{"in front of two", {"x:Other", "x:Good", "x:Fine"},
		 REASON_NO_GRANT},
		{"one that is denied", {"x:Bad"}, REASON_DENIED},
		{"behind one that is granted", {"x:Good", "x:Bad"},
		 REASON_DENIED},
		{"in front of it", {"x:Bad", "x:Good"}, REASON_DENIED},
		{"between two", {"x:Good", "x:Bad", "x:Fine"}, REASON_DENIED},
	};
	static const char *const good[] = {"x:Good", "x:Fine"},
				 *const bad[] = {"x:Bad"};
	static const uint16_t them[] = {0};
	struct pol_attr granted = {.field = F_IS, .text = good, .n_text = 2},
			denied = {.field = F_IS, .text = bad, .n_text = 1};
	struct pol_obs_match match[] = {
		{.kinds = kit_kind(OBS_OBIX_READ_REQUEST), .attr = &granted,
		 .n_attr = 1},
		{.kinds = kit_kind(OBS_OBIX_READ_REQUEST), .attr = &denied,
		 .n_attr = 1}};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "good", .dir = DIRSEL_IN,
		 .party = {.party = them, .n_party = 1}, .match = &match[0],
		 .n_match = 1},
		{.kind = RULE_DENY, .id = "bad", .dir = DIRSEL_IN,
		 .party = {.party = them, .n_party = 1}, .match = &match[1],
		 .n_match = 1}};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 24);
	struct pol_port port = {6, 1153, 1153};
	struct pol_party_src party = {.id = "them", .name = "T", .addr = &net,
				      .n_addr = 1, .port = &port, .n_port = 1};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true,
				  .id = "v", .vm = "mdma",
				  .path = "v.yaml", .party = &party,
				  .n_party = 1, .rule = rule, .n_rule = 2};
	static struct kit k;

	(void)state;
	if (kit_add(&k, &vendor) || kit_go(&k))
		fail_msg("%s", k.e.text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_msg m = kit_msg(&k, DIR_IN, OBS_OBIX_READ_REQUEST);
		struct pol_decision d;

		k.carrier.kind = OBS_FLOW_OPEN;
		for (unsigned j = 0; rows[i].is[j]; j++)
			obs_span(&k.leaf[0], F_IS, span_str(rows[i].is[j]));
		kit_judge(&k, &m, &d);
		if (d.reason != rows[i].want)
			fail_msg("%s: %s", rows[i].why, reason_text(d.reason));
	}
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_slash),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
