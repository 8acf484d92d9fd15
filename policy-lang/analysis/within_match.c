/* SPDX-License-Identifier: Apache-2.0 */
/* Containment of columns: dimension by dimension, over all values there are. */
#include <stdlib.h>

#include "policy-lang/analysis/within.h"
#include "policy-lang/image/view.h"

/* Two automata are walked together; of more pairs of states nothing is said. */
#define PAIRS_MAX (UINT64_C(1) << 26)

static bool has(const struct pol_image *im, const struct lay_dim *d,
		uint32_t row, uint32_t col)
{
	return img_row(im, d, row)[col / 64] >> (col % 64) & 1;
}

static bool any_value(const struct pol_image *im, const struct lay_dim *d,
		      uint32_t col)
{
	for (uint32_t r = 0; r < d->n_rows; r++) {
		if (!has(im, d, r, col))
			return false;
	}
	return true;
}

struct side {
	const struct pol_image *im;
	const struct lay_dim *d;
	uint32_t col;
};

static bool side_has(const struct side *s, uint32_t row)
{
	return has(s->im, s->d, row, s->col);
}

static bool rows_in(const struct side *a, const struct side *b)
{
	for (uint32_t r = 0; r < a->d->n_rows; r++) {
		if (side_has(a, r) &&
		    (r >= b->d->n_rows || !side_has(b, r)))
			return false;
	}
	return true;
}

/* --- numbers, titles ------------------------------------------------------- */

static uint32_t number_row(const struct side *s, uint32_t v)
{
	const uint32_t *start = s->im->LIST + s->d->v_first;
	uint32_t n = 0;

	while (n < s->d->v_n && start[n] <= v)
		n++;
	return n;
}

/* Between two places where either changes both stay the same. */
static bool at_starts(const struct side *of, const struct side *a,
		      const struct side *b)
{
	for (uint32_t i = 0; i < of->d->v_n; i++) {
		uint32_t v = of->im->LIST[of->d->v_first + i];

		if (side_has(a, number_row(a, v)) &&
		    !side_has(b, number_row(b, v)))
			return false;
	}
	return true;
}

static uint32_t title_row(const struct side *s, struct span oid)
{
	for (uint32_t i = 0; i + 1 < s->d->v_n; i += 2) {
		const uint32_t *v = s->im->LIST + s->d->v_first + i;

		if (span_eq(span_of(s->im->BLOB + v[0], v[1]), oid))
			return i / 2 + 2;
	}
	return 1;
}

static bool at_titles(const struct side *of, const struct side *a,
		      const struct side *b)
{
	for (uint32_t i = 0; i + 1 < of->d->v_n; i += 2) {
		const uint32_t *v = of->im->LIST + of->d->v_first + i;
		struct span oid = span_of(of->im->BLOB + v[0], v[1]);

		if (side_has(a, title_row(a, oid)) &&
		    !side_has(b, title_row(b, oid)))
			return false;
	}
	/* One that neither names. */
	return !side_has(a, 1) || side_has(b, 1);
}

/* --- texts ----------------------------------------------------------------- */

static uint32_t next(const struct side *s, uint32_t state, unsigned octet)
{
	const struct lay_auto *a = s->im->AUTO + s->d->v_first + state;
	const uint32_t *edge = s->im->LIST + a->edge_first;

	for (uint32_t i = 0; i < a->edge_n; i++) {
		if (edge[i] >> 24 == octet)
			return edge[i] & 0xffffff;
	}
	return octet == '/' ? a->slash : a->other;
}

struct walk {
	uint8_t *seen;	 /* a bit for each pair */
	uint64_t *stack; /* pairs to look at */
	size_t n, cap;
	bool failed;
};

static void visit(struct walk *w, uint64_t pair)
{
	if (w->failed || w->seen[pair / 8] >> (pair % 8) & 1)
		return;
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 256;
		uint64_t *p = realloc(w->stack, cap * sizeof(*p));

		if (!p) {
			w->failed = true;
			return;
		}
		w->stack = p;
		w->cap = cap;
	}
	w->seen[pair / 8] = (uint8_t)(w->seen[pair / 8] | 1u << (pair % 8));
	w->stack[w->n++] = pair;
}

static bool walk_texts(struct walk *w, const struct side *a,
		       const struct side *b)
{
	uint64_t nb = b->d->v_n;

	visit(w, 0);
	while (w->n > 0 && !w->failed) {
		uint64_t pair = w->stack[--w->n];
		uint32_t x = (uint32_t)(pair / nb), y = (uint32_t)(pair % nb);

		if (side_has(a, a->im->AUTO[a->d->v_first + x].cls + 1u) &&
		    !side_has(b, b->im->AUTO[b->d->v_first + y].cls + 1u))
			return false;
		for (unsigned c = 0; c < 256; c++)
			visit(w, next(a, x, c) * nb + next(b, y, c));
	}
	return !w->failed;
}

static bool texts_in(const struct side *a, const struct side *b)
{
	uint64_t pairs = (uint64_t)a->d->v_n * b->d->v_n;
	struct walk w = {0};
	bool in;

	if (pairs == 0 || pairs > PAIRS_MAX ||
	    (side_has(a, 0) && !side_has(b, 0)))
		return false;
	w.seen = calloc(1, pairs / 8 + 1);
	in = w.seen && walk_texts(&w, a, b);
	free(w.seen);
	free(w.stack);
	return in;
}

/* --- all dimensions --------------------------------------------------------- */

static bool dim_in(const struct side *a, const struct side *b)
{
	if (a->d->form != b->d->form)
		return false;
	switch (a->d->form) {
	case DIM_DIRECT:
		return rows_in(a, b);
	case DIM_RANGES:
		return (!side_has(a, 0) || side_has(b, 0)) &&
		       at_starts(a, a, b) && at_starts(b, a, b);
	case DIM_OIDS:
		return (!side_has(a, 0) || side_has(b, 0)) &&
		       at_titles(a, a, b) && at_titles(b, a, b);
	default:
		return texts_in(a, b);
	}
}

static const struct lay_dim *dim_of(const struct pol_image *im, uint32_t like,
				    uint16_t field)
{
	if (like < LAY_DIM_FIELDS)
		return &im->OBSV[like];
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		if (im->OBSV[i].field == field)
			return &im->OBSV[i];
	}
	return NULL;
}

bool within_match(const struct pol_image *ia, uint32_t a,
		  const struct pol_image *ib, uint32_t b)
{
	for (uint32_t i = 0; i < ib->n_OBSV; i++) {
		struct side y = {ib, &ib->OBSV[i], b};
		struct side x = {ia, dim_of(ia, i, y.d->field), a};

		if (any_value(ib, y.d, b))
			continue;
		/* Who says nothing of a field takes any value of it. */
		if (!x.d || !dim_in(&x, &y))
			return false;
	}
	return true;
}
