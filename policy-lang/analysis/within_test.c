/* SPDX-License-Identifier: Apache-2.0 */
/* Containment of columns against all values of a small world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy-lang/analysis/within_parts.h"

#define HANGS 60 /* s: for what takes some thousandth of it */

static uint64_t seed = 88172645463325252u;

static uint64_t draw(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % n;
}

static const uint16_t party0[] = {0};

/* A vendor's rules to one party, which differ in one attribute. */
#define RULES  256
#define VALUES 60
struct made {
	struct pol_attr attr[RULES];
	struct pol_obs_match match[RULES];
	struct pol_rule_src rule[RULES];
	char name[RULES][8];
	struct pol_range num[RULES][VALUES];
	char path[RULES][VALUES][12];
	const char *text[RULES][VALUES];
	struct span oid[RULES][VALUES];
	struct pol_party_src party;
	struct pol_file f;
	struct pol_image *im;
	uint8_t *p;
};

static struct made *make(size_t rules)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->party = (struct pol_party_src){.id = "p", .name = "P"};
	m->f = (struct pol_file){.kind = POL_VENDOR, .unique = true,
				 .id = "v", .vm = "v",
				 .party = &m->party, .n_party = 1,
				 .rule = m->rule, .n_rule = rules};
	for (unsigned i = 0; i < rules; i++) {
		snprintf(m->name[i], sizeof(m->name[i]), "r%03u", i);
		m->match[i].kinds.w[OBS_HTTP_REQUEST / 64] =
			UINT64_C(1) << (OBS_HTTP_REQUEST % 64);
		m->match[i].attr = &m->attr[i];
		m->match[i].n_attr = 1;
		m->rule[i] = (struct pol_rule_src){
			.kind = RULE_GRANT, .id = m->name[i],
			.party = {.party = party0, .n_party = 1},
			.match = &m->match[i], .n_match = 1};
	}
	return m;
}

static void build(struct made *m)
{
	struct err e = {0};
	size_t n;

	if (pol_image_build(&m->p, &n, &m->f, &e) ||
	    pol_image_load(&m->im, span_of(m->p, n), &e))
		fail_msg("%s", e.text);
}

static void drop(struct made *m)
{
	pol_image_free(m->im);
	free(m->p);
	free(m);
}

static bool matches(const char *g, const char *t)
{
	if (*g == 0)
		return *t == 0;
	if (*g != '*')
		return *t == *g && matches(g + 1, t + 1);
	if (g[1] == '*')
		return matches(g + 2, t) || (*t && matches(g, t + 1));
	return matches(g + 1, t) || (*t && *t != '/' && matches(g, t + 1));
}

/* Texts by length. */
static void nth(unsigned n, const char *alphabet, char out[12])
{
	unsigned base = (unsigned)strlen(alphabet), len = 0;

	for (; n; n = (n - 1) / base)
		out[len++] = alphabet[(n - 1) % base];
	out[len] = 0;
}

/* --- each kind of value ----------------------------------------------------- */

/* Is a value, by its number, one that the attribute says? */
static bool says_text(const struct pol_attr *a, unsigned value)
{
	char t[12];

	nth(value, "ax/b", t);
	for (size_t i = 0; i < a->n_text; i++) {
		if (matches(a->text[i], t))
			return true;
	}
	return false;
}

static bool says_num(const struct pol_attr *a, unsigned value)
{
	for (size_t i = 0; i < a->n_num; i++) {
		if (value >= a->num[i].lo && value <= a->num[i].hi)
			return true;
	}
	return false;
}

static const uint8_t titles[] = {1, 2, 3, 1, 2, 9, 8};

static struct span title_of(unsigned value)
{
	return span_of(titles + value % 4, 1 + value / 4);
}

static bool says_oid(const struct pol_attr *a, unsigned value)
{
	for (size_t i = 0; i < a->n_oid; i++) {
		if (span_eq(a->oid[i], title_of(value)))
			return true;
	}
	return false;
}

static void draw_text(struct made *m, unsigned i, unsigned k)
{
	char *t = m->path[i][k];

	do
		nth((unsigned)draw(340), "a/*x", t);
	while (strstr(t, "***"));
	m->text[i][k] = t;
	m->attr[i].text = m->text[i];
	m->attr[i].n_text = k + 1;
	m->attr[i].field = F_PATH;
}

static void draw_num(struct made *m, unsigned i, unsigned k)
{
	uint32_t lo = (uint32_t)draw(14);

	m->num[i][k] = (struct pol_range){lo, lo + (uint32_t)draw(6)};
	if (draw(6) == 0)
		m->num[i][k].hi = UINT32_MAX;
	m->attr[i].num = m->num[i];
	m->attr[i].n_num = k + 1;
	m->attr[i].field = F_BODY;
}

static void draw_oid(struct made *m, unsigned i, unsigned k)
{
	m->oid[i][k] = title_of((unsigned)draw(10));
	m->attr[i].oid = m->oid[i];
	m->attr[i].n_oid = k + 1;
	m->attr[i].field = F_CALLING;
}

static const struct {
	void (*draw)(struct made *m, unsigned i, unsigned k);
	bool (*says)(const struct pol_attr *a, unsigned value);
	unsigned world; /* large enough to show any difference */
} forms[] = {
	{draw_text, says_text, 5461},
	{draw_num, says_num, 24},
	{draw_oid, says_oid, 12},
};

static bool in_world(const struct pol_obs_match *a,
		     const struct pol_obs_match *b, int form)
{
	if (b->n_attr == 0 || a->n_attr == 0)
		return b->n_attr == 0;
	for (unsigned v = 0; v < forms[form].world; v++) {
		if (forms[form].says(a->attr, v) && !forms[form].says(b->attr, v))
			return false;
	}
	return true;
}

static void compare(const struct made *a, const struct made *b, int form,
		    unsigned *yes, unsigned *no)
{
	struct two t;

	assert_true(within_open(&t, a->im, b->im));
	for (uint32_t i = 0; i < a->f.n_rule; i++) {
		for (uint32_t k = 0; k < b->f.n_rule; k++) {
			bool is = within_match(&t, i, k);
			bool back = within_match_back(&t, k, i);
			bool w = in_world(&a->match[i], &b->match[k], form);
			bool v = in_world(&b->match[k], &a->match[i], form);

			if (is != w || back != v)
				fail_msg("form %d, rules %u and %u: %d for %d, "
					 "%d for %d; %s.. and %s..", form, i,
					 k, is, w, back, v,
					 form ? "" : a->path[i][0],
					 form ? "" : b->path[k][0]);
			*yes += is;
			*no += !is;
		}
	}
	within_close(&t);
}

static void test_all_values(void **ctx)
{
	unsigned yes = 0, no = 0;

	(void)ctx;
	for (int round = 0; round < 300; round++) {
		int form = round % 3;
		struct made *m[2];

		for (int s = 0; s < 2; s++) {
			m[s] = make(8);
			for (unsigned i = 0; i < m[s]->f.n_rule; i++) {
				unsigned n = 1 + (unsigned)draw(4);

				for (unsigned k = 0; k < n; k++)
					forms[form].draw(m[s], i, k);
				/* Some ask nothing; or nobody does. */
				if (draw(8) == 0 || round % 40 == 39)
					m[s]->match[i].n_attr = 0;
			}
			build(m[s]);
		}
		compare(m[0], m[1], form, &yes, &no);
		drop(m[0]);
		drop(m[1]);
	}
	assert_true(yes > 2000 && no > 2000);
}

/* As many paths as fit an automaton, by turns; of one rule, `wider` and `less`
 * have another, or one less. */
enum change { SAME, WIDER, LESS };

static struct made *most_paths(enum change c)
{
	struct made *m = make(RULES);

	for (unsigned i = 0; i < RULES; i++) {
		for (unsigned k = 0; k < VALUES; k++) {
			unsigned v = k * RULES + i;

			snprintf(m->path[i][k], sizeof(m->path[i][k]),
				 "/%c%c%c", 'A' + v / 625, 'A' + v / 25 % 25,
				 'A' + v % 25);
			m->text[i][k] = m->path[i][k];
		}
		m->attr[i] = (struct pol_attr){.field = F_PATH,
					       .text = m->text[i],
					       .n_text = VALUES};
	}
	if (c == WIDER)
		m->text[100][7] = "/zzz";
	if (c == LESS)
		m->attr[100].n_text--;
	build(m);
	return m;
}

/* Every rule by every other would be minutes. */
static void test_most_paths(void **ctx)
{
	struct made *was = most_paths(SAME);
	char *why = malloc(WITHIN_TOLD);

	(void)ctx;
	assert_non_null(why);
	alarm(HANGS);
	for (enum change c = SAME; c <= LESS; c++) {
		struct made *is = most_paths(c);
		struct within_rules grants, rules;

		assert_int_equal(pol_within_told(is->im, was->im, NULL, why,
						 WITHIN_TOLD),
				 c != WIDER);
		assert_string_equal(why, c == WIDER ? "'r100' is wider: party "
						      "or match"
						    : "");
		assert_int_equal(pol_within(was->im, is->im, why, WITHIN_TOLD),
				 c == SAME);
		pol_within_grants(is->im, was->im, &grants);
		pol_within_rules(is->im, was->im, &rules);
		for (unsigned i = 0; i < RULES; i++) {
			assert_int_equal(within_has(&grants, i),
					 c != WIDER || i != 100);
			assert_int_equal(within_has(&rules, i),
					 c != WIDER || i != 100);
		}
		drop(is);
	}
	alarm(0);
	drop(was);
	free(why);
}

/* --- hours -------------------------------------------------------------------- */

#define WEEK (7 * 1440)

/* Minutes of a week, from the days on which hours begin. */
static void open_minutes(const struct pol_when *w, bool open[WEEK])
{
	int len = w->to_min - w->from_min;

	memset(open, 0, WEEK);
	for (int day = 0; day < 7; day++) {
		for (int i = 0; i < (len < 0 ? len + 1440 : len); i++)
			open[(1440 * day + w->from_min + i) % WEEK] |=
				!w->days || w->days >> day & 1;
	}
}

static bool hours_in(const struct pol_when *a, const struct pol_when *b)
{
	static bool x[WEEK], y[WEEK];

	open_minutes(a, x);
	open_minutes(b, y);
	for (int i = 0; i < WEEK; i++) {
		if (x[i] && !y[i])
			return false;
	}
	return true;
}

static struct pol_when draw_hours(void)
{
	struct pol_when w = {.present = true, .has_between = true};

	do {
		w.from_min = (uint16_t)(draw(9) * 180);
		w.to_min = (uint16_t)(draw(9) * 180);
	} while (w.from_min == w.to_min);
	w.days = (uint8_t)(draw(2) ? draw(128) : draw(2) ? 0x7f : 0);
	return w;
}

static void test_all_hours(void **ctx)
{
	unsigned yes = 0, no = 0;

	(void)ctx;
	for (int round = 0; round < 12; round++) {
		struct made *m[2];
		struct two t;

		for (int s = 0; s < 2; s++) {
			m[s] = make(32);
			for (unsigned i = 0; i < m[s]->f.n_rule; i++) {
				m[s]->match[i].n_attr = 0;
				m[s]->rule[i].when = draw_hours();
			}
			build(m[s]);
		}
		assert_true(within_open(&t, m[0]->im, m[1]->im));
		for (uint32_t i = 0; i < m[0]->f.n_rule; i++) {
			for (uint32_t k = 0; k < m[1]->f.n_rule; k++) {
				const struct pol_when *a = &m[0]->rule[i].when;
				const struct pol_when *b = &m[1]->rule[k].when;
				bool in = within_when(&t, &t.is->RULE[i],
						      &t.was->RULE[k]);

				if (in != hours_in(a, b))
					fail_msg("%u-%u on %x, %u-%u on %x: %d",
						 a->from_min, a->to_min,
						 a->days, b->from_min,
						 b->to_min, b->days, in);
				yes += in;
				no += !in;
			}
		}
		within_close(&t);
		drop(m[0]);
		drop(m[1]);
	}
	assert_true(yes > 300 && no > 300);
}

static void test_hours(void **ctx)
{
#define HOURS(from, to, days, slot)                                            \
	{true, true, from, to, days, (slot) * 60 * NS_PER_S}
	static const struct {
		const char *why;
		struct pol_when is, was;
		bool renamed, in;
	} rows[] = {
		{"none before", HOURS(0, 60, 0, 0), {0}, false, true},
		{"none now", {0}, HOURS(0, 1440, 0, 0), false, false},
		{"the same", HOURS(30, 330, 0, 0), HOURS(30, 330, 0, 0), true,
		 true},
		{"a part", HOURS(60, 120, 0, 0), HOURS(30, 330, 0, 0), true,
		 true},
		{"more", HOURS(30, 331, 0, 0), HOURS(30, 330, 0, 0), false,
		 false},
		{"a part past midnight", HOURS(1380, 60, 0, 0),
		 HOURS(1320, 120, 0, 0), false, true},
		{"the part behind midnight", HOURS(0, 60, 0, 0),
		 HOURS(1320, 120, 0, 0), false, true},
		{"of Tuesday, where it was Monday's", HOURS(0, 60, 2, 0),
		 HOURS(1320, 120, 1, 0), false, true},
		{"of Monday, which is Sunday's", HOURS(0, 60, 1, 0),
		 HOURS(1320, 120, 1, 0), false, false},
		{"fewer days", HOURS(30, 330, 3, 0), HOURS(30, 330, 7, 0),
		 false, true},
		{"every day in other words", HOURS(30, 330, 0, 0),
		 HOURS(30, 330, 127, 0), false, true},
		{"a slot of them", HOURS(30, 330, 0, 30), HOURS(30, 330, 0, 0),
		 true, true},
		{"a slot of more", HOURS(0, 330, 0, 30), HOURS(30, 330, 0, 0),
		 false, false},
		{"the same slot", HOURS(30, 330, 0, 30), HOURS(30, 330, 0, 30),
		 false, true},
		{"the slot of another name", HOURS(30, 330, 0, 30),
		 HOURS(30, 330, 0, 30), true, false},
		{"a slot elsewhere", HOURS(30, 300, 0, 30),
		 HOURS(30, 330, 0, 30), false, false},
		{"all where it was a slot", HOURS(30, 330, 0, 0),
		 HOURS(30, 330, 0, 30), false, false},
		{"a slot as long as the hours", HOURS(60, 120, 0, 0),
		 HOURS(30, 330, 0, 300), true, true},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made *m[2];
		char why[200];

		for (int s = 0; s < 2; s++) {
			m[s] = make(1);
			m[s]->match[0].n_attr = 0;
			m[s]->rule[0].when = s ? rows[i].was : rows[i].is;
			if (s && rows[i].renamed)
				m[s]->rule[0].id = "before";
			build(m[s]);
		}
		if (pol_within(m[0]->im, m[1]->im, why, sizeof(why)) !=
		    rows[i].in)
			fail_msg("%s: %s", rows[i].why, why);
		drop(m[0]);
		drop(m[1]);
	}
}

/* What was answered about a rule was so for as long as it was to be kept. */
static void test_kept(void **ctx)
{
	static const struct {
		int64_t is, was; /* 0: not said */
		bool in;
	} rows[] = {{5, 5, true}, {4, 5, true},  {6, 5, false},
		    {0, 5, false}, {5, 0, true}, {0, 0, true}};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct made *is = make(1), *was = make(1);
		struct within_rules in;
		char why[200];

		is->match[0].n_attr = was->match[0].n_attr = 0;
		is->party.keeps_ns = rows[i].is * NS_PER_S;
		was->party.keeps_ns = rows[i].was * NS_PER_S;
		build(is);
		build(was);
		assert_true(pol_within(is->im, was->im, why, sizeof(why)));
		pol_within_rules(is->im, was->im, &in);
		if (within_has(&in, 0) != rows[i].in)
			fail_msg("row %zu", i);
		drop(is);
		drop(was);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_values),
		cmocka_unit_test(test_most_paths),
		cmocka_unit_test(test_all_hours),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
