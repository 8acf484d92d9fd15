/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of dimensions against what their columns say, and how many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy-lang/image/view.h"

#define RULES  256
#define VALUES 60
#define HANGS  60 /* s: for what takes some thousandth of it */

struct made {
	struct pol_attr attr[RULES];
	struct pol_obs_match match[RULES];
	struct pol_rule_src rule[RULES];
	char name[RULES][8];
	struct pol_range num[RULES][VALUES];
	char path[RULES][VALUES][8];
	const char *text[RULES][VALUES];
	uint8_t title[RULES][VALUES][3];
	struct span oid[RULES][VALUES];
	struct pol_file f;
};

static struct made *make(enum obs_kind k)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->f = (struct pol_file){.kind = POL_BASELINE, .unique = true,
				 .id = "b",
				 .rule = m->rule, .n_rule = RULES};
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(m->name[i], sizeof(m->name[i]), "r%03u", i);
		m->match[i].kinds.w[k / 64] = UINT64_C(1) << (k % 64);
		m->match[i].attr = &m->attr[i];
		m->match[i].n_attr = 1;
		m->rule[i] = (struct pol_rule_src){
			.kind = RULE_DENY, .id = m->name[i],
			.party.any = true, .vm.any = true,
			.match = &m->match[i], .n_match = 1};
	}
	return m;
}

static struct pol_image *load(const struct made *m, uint8_t **p)
{
	struct pol_image *im = NULL;
	struct err e = {0};
	size_t n;

	if (pol_image_build(p, &n, &m->f, &e) ||
	    pol_image_load(&im, span_of(*p, n), &e))
		fail_msg("%s", e.text);
	assert_int_equal(im->n_OBSV, LAY_DIM_FIELDS + 1);
	return im;
}

static uint32_t state_after(const struct pol_image *im,
			    const struct lay_dim *d, const char *t)
{
	uint32_t at = 0;

	for (; *t; t++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + at];

		at = *t == '/' ? a->slash : a->other;
		for (uint32_t i = 0; *t != '/' && i < a->edge_n; i++) {
			uint32_t edge = im->LIST[a->edge_first + i];

			if (edge >> 24 == (uint8_t)*t)
				at = edge & 0xffffff;
		}
	}
	return at;
}

static void only(const struct pol_image *im, const uint64_t *row, unsigned rule)
{
	for (unsigned i = 0; i < RULES; i++) {
		if ((row[i / 64] >> (i % 64) & 1) != (i == rule))
			fail_msg("rule %u where there is only %u", i, rule);
	}
	assert_int_equal(im->words, RULES / 64);
}

/* As many paths as fit an automaton. Those of a rule are one class: there are
 * as many rows as rules. */
static void test_paths(void **ctx)
{
	struct made *m = make(OBS_HTTP_REQUEST);
	const struct lay_dim *d;
	struct pol_image *im;
	uint8_t *p;

	(void)ctx;
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
	im = load(m, &p);
	d = &im->OBSV[LAY_DIM_FIELDS];
	assert_int_equal(d->n_rows, RULES + 2); /* absent, and none of them */
	for (unsigned i = 0; i < RULES; i++) {
		for (unsigned k = 0; k < VALUES; k++) {
			uint32_t s = state_after(im, d, m->text[i][k]);

			only(im, img_row(im, d,
					 im->AUTO[d->v_first + s].cls + 1u), i);
		}
	}
	only(im, img_row(im, d, im->AUTO[d->v_first].cls + 1u), RULES);
	only(im, img_row(im, d, 0), RULES);
	pol_image_free(im);
	free(p);
	free(m);
}

static bool says(const struct pol_attr *a, uint32_t v)
{
	for (size_t i = 0; i < a->n_num; i++) {
		if (v >= a->num[i].lo && v <= a->num[i].hi)
			return true;
	}
	return false;
}

static void right_numbers(const struct made *m)
{
	const struct lay_dim *d;
	struct pol_image *im;
	uint8_t *p;

	im = load(m, &p);
	d = &im->OBSV[LAY_DIM_FIELDS];
	assert_int_equal(d->n_rows, d->v_n + 1);
	assert_int_equal(im->LIST[d->v_first], 0);
	for (uint32_t r = 0; r < d->v_n; r += 1 + d->v_n / 500) {
		uint32_t v = im->LIST[d->v_first + r];
		uint32_t last = r + 1 < d->v_n ? im->LIST[d->v_first + r + 1] - 1
					       : UINT32_MAX;
		const uint64_t *row = img_row(im, d, r + 1);

		for (unsigned i = 0; i < RULES; i++) {
			bool in = row[i / 64] >> (i % 64) & 1;

			if (in != says(&m->attr[i], v) ||
			    in != says(&m->attr[i], last))
				fail_msg("rule %u at %u to %u", i, v, last);
		}
	}
	only(im, img_row(im, d, 0), RULES);
	pol_image_free(im);
	free(p);
}

/* Ranges that touch, lie over each other, or end with all numbers. */
static void test_numbers(void **ctx)
{
	struct made *m = make(OBS_C1222_READ_REQUEST);
	uint64_t seed = 88172645463325252u;

	(void)ctx;
	for (int round = 0; round < 3; round++) {
		static const uint32_t most[] = {40, 12000, UINT32_MAX};
		uint32_t top = most[round], wide = round == 0 ? 10 : 1;

		for (unsigned i = 0; i < RULES * VALUES; i++) {
			struct pol_range *r = &m->num[i / VALUES][i % VALUES];

			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			r->lo = (uint32_t)(seed >> 8) % top;
			r->hi = r->lo + (uint32_t)(seed >> 40) % wide;
			if (round == 2 && seed % 64 == 0)
				r->hi = UINT32_MAX;
		}
		for (unsigned i = 0; i < RULES; i++)
			m->attr[i] = (struct pol_attr){
				.field = F_TABLE, .num = m->num[i],
				.n_num = round == 0 ? 1 + i % 4 : VALUES};
		right_numbers(m);
	}
	free(m);
}

static void test_titles(void **ctx)
{
	struct made *m = make(OBS_C1222_READ_REQUEST);
	const struct lay_dim *d;
	struct pol_image *im;
	uint8_t *p;

	(void)ctx;
	for (unsigned i = 0; i < RULES; i++) {
		for (unsigned k = 0; k < VALUES; k++) {
			uint8_t *t = m->title[i][k];

			/* The first title is of all of them. */
			t[0] = (uint8_t)k;
			t[1] = (uint8_t)(k ? i : 0);
			m->oid[i][k] = span_of(t, k ? 2 : 1);
		}
		m->attr[i] = (struct pol_attr){.field = F_CALLING,
					       .oid = m->oid[i],
					       .n_oid = VALUES};
	}
	im = load(m, &p);
	d = &im->OBSV[LAY_DIM_FIELDS];
	assert_int_equal(d->n_rows, 2 + 1 + RULES * (VALUES - 1));
	only(im, img_row(im, d, 0), RULES);
	only(im, img_row(im, d, 1), RULES);
	for (uint32_t r = 2; r < d->n_rows; r++) {
		const uint32_t *v = im->LIST + d->v_first + 2 * (r - 2);
		const uint64_t *row = img_row(im, d, r);

		if (v[1] == 2)
			only(im, row, im->BLOB[v[0] + 1]);
		for (uint32_t w = 0; v[1] == 1 && w < im->words; w++)
			assert_true(row[w] == ~UINT64_C(0));
	}
	pol_image_free(im);
	free(p);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_titles),
	};

	/* Every value by every other would be minutes. */
	alarm(HANGS);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
