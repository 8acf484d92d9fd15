/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containment of columns, as far as the observation goes: dimension by
 * dimension, over all values there are, and of all columns of two images at
 * once. A value has a row in each image; so what is said of a dimension is
 * said by the pairs of rows that some value has. Those are found once, by
 * going through both images' values together, and each pair takes away from
 * the columns of the one row those of the other image that are not in the
 * other. What cannot be gone through takes away all.
 */
#include <stdlib.h>

#include "core/err.h"
#include "policy-lang/analysis/within_parts.h"

/* Of more pairs of states of two automata nothing is said. */
#define PAIRS_MAX (1u << 20)

/* --- numbers that were seen ------------------------------------------------ */

struct seen {
	uint64_t *slot; /* number + 1 */
	uint64_t *v;	/* in the order they came */
	size_t n, cap;	/* cap: of v; twice as many slots */
};

static bool seen_grow(struct seen *s)
{
	size_t cap = s->cap ? 2 * s->cap : 1024;
	uint64_t *slot = calloc(2 * cap, sizeof(*slot));
	uint64_t *v = realloc(s->v, cap * sizeof(*v));

	if (v)
		s->v = v;
	if (!slot || !v) {
		free(slot);
		return false;
	}
	free(s->slot);
	s->slot = slot;
	s->cap = cap;
	return true;
}

static uint64_t *seen_slot(const struct seen *s, uint64_t x)
{
	size_t mask = 2 * s->cap - 1;
	size_t h = (size_t)((x * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & mask;

	while (s->slot[h] && s->slot[h] != x + 1)
		h = (h + 1) & mask;
	return &s->slot[h];
}

/* 1: it is new; 0: it was there; negative: E_NOMEM, E_LIMIT. */
static int seen_add(struct seen *s, uint64_t x)
{
	uint64_t *slot;

	if (s->n == s->cap) {
		if (!seen_grow(s))
			return E_NOMEM;
		for (size_t i = 0; i < s->n; i++)
			*seen_slot(s, s->v[i]) = s->v[i] + 1;
	}
	slot = seen_slot(s, x);
	if (*slot)
		return 0;
	if (s->n == PAIRS_MAX)
		return E_LIMIT;
	*slot = x + 1;
	s->v[s->n++] = x;
	return 1;
}

static void seen_free(struct seen *s)
{
	free(s->slot);
	free(s->v);
	*s = (struct seen){0};
}

/* --- one dimension ---------------------------------------------------------- */

struct side {
	const struct pol_image *im;
	const struct lay_dim *d; /* NULL: its columns take any value */
	uint64_t any[LAY_WORDS]; /* columns that take any value */
};

struct dim {
	struct side x, y;
	uint64_t *x_in, *y_in; /* see struct within_matches */
};

static void side_any(struct side *s)
{
	memset(s->any, 0xff, sizeof(s->any));
	for (uint32_t r = 0; s->d && r < s->d->n_rows; r++) {
		const uint64_t *row = img_row(s->im, s->d, r);

		for (uint32_t w = 0; w < s->im->words; w++)
			s->any[w] &= row[w];
	}
}

/* What each of the columns is within is also in this row of the other image. */
static void keep(const struct side *of, const uint64_t *columns, uint64_t *in,
		 const struct side *other, const uint64_t *row)
{
	uint32_t words = other->im->words;

	for (uint32_t w = 0; w < of->im->words; w++) {
		for (uint64_t c = columns[w]; c; c &= c - 1) {
			uint32_t col = 64 * w + (uint32_t)__builtin_ctzll(c);

			for (uint32_t k = 0; col < of->im->n_COLS && k < words;
			     k++)
				in[(size_t)col * words + k] &= row[k];
		}
	}
}

/* Columns that some value does not fit. */
static void asking(const struct side *s, const uint64_t *row,
		   uint64_t out[LAY_WORDS])
{
	for (uint32_t w = 0; w < s->im->words; w++)
		out[w] = row[w] & ~s->any[w];
}

/* Some value has this row here and that one there. */
static void meet(struct dim *d, uint32_t rx, uint32_t ry)
{
	const uint64_t *x = img_row(d->x.im, d->x.d, rx);
	const uint64_t *y = img_row(d->y.im, d->y.d, ry);
	uint64_t cols[LAY_WORDS];

	asking(&d->x, x, cols);
	keep(&d->x, cols, d->x_in, &d->y, y);
	asking(&d->y, y, cols);
	keep(&d->y, cols, d->y_in, &d->x, x);
}

/* Nothing is known: only what takes any value holds what asks. */
static void unknown(struct dim *d)
{
	uint64_t cols[LAY_WORDS];

	for (uint32_t w = 0; w < LAY_WORDS; w++)
		cols[w] = ~d->x.any[w];
	keep(&d->x, cols, d->x_in, &d->y, d->y.any);
	for (uint32_t w = 0; w < LAY_WORDS; w++)
		cols[w] = ~d->y.any[w];
	keep(&d->y, cols, d->y_in, &d->x, d->x.any);
}

/* --- values of two dimensions together -------------------------------------- */

static bool go_direct(struct dim *d)
{
	if (d->x.d->n_rows != d->y.d->n_rows)
		return false;
	for (uint32_t r = 0; r < d->x.d->n_rows; r++)
		meet(d, r, r);
	return true;
}

static bool go_ranges(struct dim *d)
{
	const uint32_t *x = d->x.im->LIST + d->x.d->v_first;
	const uint32_t *y = d->y.im->LIST + d->y.d->v_first;
	uint32_t n = d->x.d->v_n, m = d->y.d->v_n, i = 0, k = 0;

	meet(d, 0, 0);
	for (;;) {
		uint64_t next_x = i + 1 < n ? x[i + 1] : UINT64_MAX;
		uint64_t next_y = k + 1 < m ? y[k + 1] : UINT64_MAX;

		meet(d, i + 1, k + 1);
		if (next_x == UINT64_MAX && next_y == UINT64_MAX)
			return true;
		i += next_x <= next_y;
		k += next_y <= next_x;
	}
}

static struct span title(const struct side *s, uint32_t i)
{
	const uint32_t *v = s->im->LIST + s->d->v_first + 2 * i;

	return span_of(s->im->BLOB + v[0], v[1]);
}

static int title_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* As it is written (layout.h), which the loader does not look at. */
static bool ascend(const struct side *s)
{
	for (uint32_t i = 1; i < s->d->v_n / 2; i++) {
		if (title_order(title(s, i - 1), title(s, i)) >= 0)
			return false;
	}
	return true;
}

static bool go_titles(struct dim *d)
{
	uint32_t n = d->x.d->v_n / 2, m = d->y.d->v_n / 2, i = 0, k = 0;

	if (!ascend(&d->x) || !ascend(&d->y))
		return false;
	meet(d, 0, 0);
	meet(d, 1, 1); /* one that neither names */
	while (i < n || k < m) {
		int order = i == n   ? 1
			    : k == m ? -1
				     : title_order(title(&d->x, i),
						   title(&d->y, k));

		meet(d, order <= 0 ? i + 2 : 1, order >= 0 ? k + 2 : 1);
		i += order <= 0;
		k += order >= 0;
	}
	return true;
}

/* Both automata read the same text. */
struct walk {
	struct seen pairs;   /* of states; those behind at are to be looked at */
	struct seen classes; /* pairs in which a text can end */
	int rc;
};

static uint64_t both(uint32_t x, uint32_t y)
{
	return (uint64_t)x << 32 | y;
}

static void go_on(struct walk *w, uint32_t x, uint32_t y)
{
	int rc = w->rc < 0 ? 0 : seen_add(&w->pairs, both(x, y));

	if (rc < 0)
		w->rc = rc;
}

static uint32_t past(const struct lay_auto *a, uint32_t octet)
{
	return octet == '/' ? a->slash : a->other;
}

/* By every octet that either of them tells from others, and by one that
 * neither does. */
static void step(struct walk *w, const struct side *x, const struct lay_auto *a,
		 const struct side *y, const struct lay_auto *b)
{
	const uint32_t *p = x->im->LIST + a->edge_first;
	const uint32_t *q = y->im->LIST + b->edge_first;
	bool slash = false;

	for (uint32_t i = 0, k = 0; i < a->edge_n || k < b->edge_n;) {
		uint32_t ox = i < a->edge_n ? p[i] >> 24 : 256;
		uint32_t oy = k < b->edge_n ? q[k] >> 24 : 256;
		uint32_t o = ox < oy ? ox : oy;

		go_on(w, ox == o ? p[i] & 0xffffff : past(a, o),
		      oy == o ? q[k] & 0xffffff : past(b, o));
		slash |= o == '/';
		i += ox == o;
		k += oy == o;
	}
	if (!slash)
		go_on(w, a->slash, b->slash);
	go_on(w, a->other, b->other);
}

static bool go_texts(struct dim *d)
{
	struct walk w = {0};

	go_on(&w, 0, 0);
	for (size_t i = 0; i < w.pairs.n && w.rc == 0; i++) {
		uint64_t pair = w.pairs.v[i];
		const struct lay_auto *a = d->x.im->AUTO + d->x.d->v_first +
					   (pair >> 32);
		const struct lay_auto *b = d->y.im->AUTO + d->y.d->v_first +
					   (uint32_t)pair;
		int rc = seen_add(&w.classes, both(a->cls + 1u, b->cls + 1u));

		if (rc < 0)
			w.rc = rc;
		step(&w, &d->x, a, &d->y, b);
	}
	if (w.rc == 0)
		meet(d, 0, 0);
	for (size_t i = 0; w.rc == 0 && i < w.classes.n; i++)
		meet(d, (uint32_t)(w.classes.v[i] >> 32),
		     (uint32_t)w.classes.v[i]);
	seen_free(&w.pairs);
	seen_free(&w.classes);
	return w.rc == 0;
}

static bool go(struct dim *d)
{
	if (d->x.d->form != d->y.d->form)
		return false;
	switch (d->x.d->form) {
	case DIM_DIRECT:
		return go_direct(d);
	case DIM_RANGES:
		return go_ranges(d);
	case DIM_OIDS:
		return go_titles(d);
	default:
		return go_texts(d);
	}
}

/* --- all dimensions --------------------------------------------------------- */

static void look(struct within_matches *m, const struct pol_image *x,
		 const struct lay_dim *dx, const struct pol_image *y,
		 const struct lay_dim *dy)
{
	struct dim d = {.x = {.im = x, .d = dx},
			.y = {.im = y, .d = dy},
			.x_in = m->is_in,
			.y_in = m->was_in};

	side_any(&d.x);
	side_any(&d.y);
	/* Who takes any value is within who does. */
	keep(&d.x, d.x.any, d.x_in, &d.y, d.y.any);
	keep(&d.y, d.y.any, d.y_in, &d.x, d.x.any);
	if (dx && dy && !go(&d))
		unknown(&d);
}

static const struct lay_dim *like(const struct pol_image *im,
				  const struct pol_image *other, uint32_t i)
{
	if (i < LAY_DIM_FIELDS)
		return &im->OBSV[i];
	for (uint32_t k = LAY_DIM_FIELDS; k < im->n_OBSV; k++) {
		if (im->OBSV[k].field == other->OBSV[i].field)
			return &im->OBSV[k];
	}
	return NULL;
}

int within_matches(struct within_matches *m, const struct pol_image *is,
		   const struct pol_image *was)
{
	size_t n = (size_t)is->n_COLS * was->words + 1;
	size_t k = (size_t)was->n_COLS * is->words + 1;

	*m = (struct within_matches){malloc(n * sizeof(uint64_t)),
				     malloc(k * sizeof(uint64_t))};
	if (!m->is_in || !m->was_in) {
		within_matches_free(m);
		return E_NOMEM;
	}
	memset(m->is_in, 0xff, n * sizeof(uint64_t));
	memset(m->was_in, 0xff, k * sizeof(uint64_t));
	for (uint32_t i = 0; i < is->n_OBSV; i++)
		look(m, is, &is->OBSV[i], was, like(was, is, i));
	for (uint32_t i = LAY_DIM_FIELDS; i < was->n_OBSV; i++) {
		if (!like(is, was, i))
			look(m, is, NULL, was, &was->OBSV[i]);
	}
	return 0;
}

void within_matches_free(struct within_matches *m)
{
	free(m->is_in);
	free(m->was_in);
	*m = (struct within_matches){0};
}
