/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a limit counts, as a number: the same in two images where it selects
 * the same, however other rules around it changed. A limit whose rule selects
 * something else is another limit, though it may have kept its name. Where two
 * selections are the same and look different (paths, whose automaton is common
 * to all rules), they count as different: the limit then begins with what the
 * ledger says.
 */
#include "policy-lang/eval/internal.h"

static uint64_t number(uint64_t h, uint64_t v)
{
	return mem_name(h, span_of(&v, sizeof(v)));
}

static uint64_t strings(uint64_t h, const struct pol_image *im, uint32_t first,
			uint32_t n)
{
	uint64_t sum = n;

	for (uint32_t i = 0; i < n; i++)
		sum += mem_name(11, img_str(im, im->LIST[first + i]));
	return number(h, sum);
}

static uint64_t who(uint64_t h, const struct pol_image *im, uint32_t sel)
{
	const struct lay_sel *s;
	uint64_t sum = 0;

	if (sel == LAY_NONE)
		return number(h, 0);
	s = &im->SELS[sel];
	for (uint64_t b = s->parties; b && im->n_PRTY; b &= b - 1)
		sum += mem_name(12,
				img_str(im, im->PRTY[__builtin_ctzll(b)].id));
	h = number(number(h, sum), (uint64_t)s->roles << 32 | s->flags);
	h = strings(h, im, s->country_first, s->country_n);
	h = strings(h, im, s->op_first, s->op_n);
	return strings(h, im, s->vm_first, s->vm_n);
}

/* Neighbours that are both in, or both out, are one range. */
static uint64_t ranges(uint64_t h, const struct pol_image *im,
		       const struct lay_dim *d, uint32_t c)
{
	bool was = bit_get(img_row(im, d, 0), c);

	h = number(h, was);
	was = false;
	for (uint32_t i = 0; i < d->v_n; i++) {
		bool in = bit_get(img_row(im, d, i + 1), c);

		if (in != was)
			h = number(h, im->LIST[d->v_first + i]);
		was = in;
	}
	return h;
}

static uint64_t oids(uint64_t h, const struct pol_image *im,
		     const struct lay_dim *d, uint32_t c)
{
	bool other = bit_get(img_row(im, d, 1), c);

	h = number(h, (uint64_t)bit_get(img_row(im, d, 0), c) << 1 | other);
	for (uint32_t i = 0; i < d->v_n; i += 2) {
		const uint32_t *v = im->LIST + d->v_first + i;

		if (bit_get(img_row(im, d, i / 2 + 2), c) != other)
			h = mem_name(h, span_of(im->BLOB + v[0], v[1]));
	}
	return h;
}

/* Many numbers at once: automata have thousands of states. */
struct feed {
	uint64_t h, w[64];
	size_t n;
};

static void feed_flush(struct feed *f)
{
	f->h = mem_name(f->h, span_of(f->w, f->n * sizeof(f->w[0])));
	f->n = 0;
}

static void feed(struct feed *f, uint64_t v)
{
	f->w[f->n++] = v;
	if (f->n == sizeof(f->w) / sizeof(f->w[0]))
		feed_flush(f);
}

static uint64_t texts(uint64_t h, const struct pol_image *im,
		      const struct lay_dim *d, uint32_t c)
{
	struct feed f = {.h = h};

	for (uint32_t i = 0; i < d->v_n; i++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + i];

		feed(&f, (uint64_t)a->edge_n << 1 |
				 bit_get(img_row(im, d, a->cls + 1u), c));
		feed(&f, (uint64_t)a->slash << 32 | a->other);
		for (uint32_t k = 0; k < a->edge_n; k++)
			feed(&f, im->LIST[a->edge_first + k]);
	}
	feed_flush(&f);
	return f.h;
}

static uint64_t dimension(uint64_t h, const struct pol_image *im,
			  const struct lay_dim *d, uint32_t c)
{
	uint32_t in = 0;

	for (uint32_t r = 0; r < d->n_rows; r++)
		in += bit_get(img_row(im, d, r), c);
	if (in == d->n_rows) /* it does not ask */
		return h;
	h = number(h, d->field);
	switch (d->form) {
	case DIM_RANGES:
		return ranges(h, im, d, c);
	case DIM_OIDS:
		return oids(h, im, d, c);
	case DIM_AUTO:
		return texts(h, im, d, c);
	default:
		for (uint32_t r = 0; r < d->n_rows; r++) {
			if (bit_get(img_row(im, d, r), c))
				h = number(h, r);
		}
		return h;
	}
}

static uint64_t column(const struct pol_image *im, uint32_t c)
{
	uint64_t h = who(13, im, im->COLS[c].sel);

	h = who(h, im, im->COLS[c].except);
	for (uint32_t d = 0; d < im->n_OBSV; d++)
		h = dimension(h, im, &im->OBSV[d], c);
	return h;
}

uint64_t select_hash(const struct pol_image *im, uint32_t limit)
{
	const struct lay_limit *l = &im->LIMT[limit];
	uint64_t sum = number(14, l->meas);

	for (uint32_t c = 0; c < im->n_COLS; c++) {
		if (limit_charged_col(im, &im->COLS[c], limit))
			sum += column(im, c);
	}
	/* Ranges of its data may be what tells it from another rule. */
	if (l->rule != LAY_NONE && im->RULE[l->rule].data != LAY_NONE)
		sum += mem_name(15, span_of(&im->DATA[im->RULE[l->rule].data],
					    sizeof(struct lay_data)));
	return sum;
}
