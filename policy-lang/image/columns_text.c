/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a column selects, read back from the bits of the dimensions: numbers
 * and titles are what the author wrote; of patterns, which became automata,
 * the shortest texts that they take.
 */
#include <stdlib.h>

#include "policy-lang/image/tell.h"

#define SHOWN 8 /* texts of a pattern */

static bool has(const struct pol_image *im, const struct lay_dim *d,
		uint32_t row, uint32_t col)
{
	return img_row(im, d, row)[col / 64] >> (col % 64) & 1;
}

static void put(struct wbuf *w, const char *label, const char *text)
{
	wbuf_put(w, span_str(label));
	img_put(w, span_str(text));
}

/* --- who ----------------------------------------------------------------- */

static void strs(struct wbuf *w, const struct pol_image *im, const char *label,
		 uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		put(w, i ? ", " : label, im->STRS + im->LIST[first + i]);
}

static void tell_sel(struct wbuf *w, const struct pol_image *im,
		     const char *label, const struct lay_sel *s)
{
	const char *sep = " ";

	if (s->flags == (LAY_SEL_ANY_PARTY | LAY_SEL_ANY_VM))
		return;
	wbuf_put(w, span_str(label));
	for (uint32_t i = 0; i < im->n_PRTY; i++) {
		if (s->parties >> i & 1)
			put(w, sep, im->STRS + im->PRTY[i].id), sep = ", ";
	}
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (s->roles >> i & 1)
			put(w, i && s->roles & ((1u << i) - 1) ? ", "
							       : " role ",
			    img_roles[i]);
	}
	strs(w, im, " country ", s->country_first, s->country_n);
	strs(w, im, " operator ", s->op_first, s->op_n);
	strs(w, im, " machine ", s->vm_first, s->vm_n);
	img_say(w, "\n");
}

/* --- attributes ---------------------------------------------------------- */

static void tell_numbers(struct wbuf *w, const struct pol_image *im,
			 const struct lay_dim *d, uint32_t col)
{
	const uint32_t *v = im->LIST + d->v_first;
	const char *sep = " ";

	for (uint32_t i = 0; i < d->v_n; i++) {
		uint32_t last = i;

		if (!has(im, d, i + 1, col))
			continue;
		while (last + 1 < d->v_n && has(im, d, last + 2, col))
			last++;
		if (d->field == F_PORT) {
			img_say(w, "%s%s/%u", sep,
				v[i] >> 16 == 6 ? "tcp" : "udp", v[i] & 0xffff);
		} else {
			img_say(w, "%s%u", sep, v[i]);
		}
		if (last + 1 == d->v_n)
			img_say(w, " or more");
		else if (v[last + 1] - 1 != v[i])
			img_say(w, "-%u",
				(v[last + 1] - 1) & (d->field == F_PORT
							     ? 0xffff
							     : UINT32_MAX));
		sep = ", ";
		i = last;
	}
}

static void tell_oids(struct wbuf *w, const struct pol_image *im,
		      const struct lay_dim *d, uint32_t col)
{
	const char *sep = " ";

	for (uint32_t i = 0; i < d->v_n / 2; i++) {
		const uint32_t *v = im->LIST + d->v_first + 2 * i;
		char oid[OID_TEXT];

		if (!has(im, d, i + 2, col))
			continue;
		img_say(w, "%s%s", sep,
			oid_text(oid, sizeof(oid),
				 span_of(im->BLOB + v[0], v[1])));
		sep = ", ";
	}
}

/* Breadth first from the start of an automaton: how each state is reached
 * with the fewest octets. */
struct walk {
	const struct pol_image *im;
	const struct lay_dim *d;
	uint32_t col;
	uint32_t *from, *queue; /* from: state + 1; 0: not reached */
	uint8_t *by;		/* the octet; '?' for any other */
	uint32_t n;		/* in the queue */
};

static const struct lay_auto *state(const struct walk *k, uint32_t s)
{
	return &k->im->AUTO[k->d->v_first + s];
}

static bool takes(const struct walk *k, uint32_t s)
{
	return has(k->im, k->d, (uint32_t)state(k, s)->cls + 1, k->col);
}

static void reach(struct walk *k, uint32_t to, uint32_t from, uint8_t by)
{
	if (k->from[to])
		return;
	k->from[to] = from + 1;
	k->by[to] = by;
	k->queue[k->n++] = to;
}

static void tell_state(struct wbuf *w, const struct walk *k, uint32_t s,
		       const char *sep)
{
	uint8_t text[256];
	size_t n = sizeof(text);

	/* The start leads to itself. */
	for (uint32_t at = s; at && n; at = k->from[at] - 1)
		text[--n] = k->by[at];
	wbuf_put(w, span_str(sep));
	img_put(w, span_of(text + n, sizeof(text) - n));
	if (takes(k, state(k, s)->other))
		img_say(w, takes(k, state(k, s)->slash) ? "**" : "*");
}

/* Said already by the star behind the state that it was reached from. */
static bool said(const struct walk *k, uint32_t s)
{
	const struct lay_auto *from = state(k, k->from[s] - 1);

	return s && takes(k, k->from[s] - 1) && takes(k, from->other) &&
	       (k->by[s] != '/' || takes(k, from->slash));
}

static void tell_walk(struct wbuf *w, struct walk *k)
{
	uint32_t shown = 0;

	reach(k, 0, 0, 0);
	for (uint32_t i = 0; i < k->n; i++) {
		uint32_t s = k->queue[i];
		const struct lay_auto *a = state(k, s);
		bool fresh = takes(k, s) && !said(k, s);

		if (fresh && shown++ == SHOWN) {
			img_say(w, ", ...");
			return;
		}
		if (fresh)
			tell_state(w, k, s, shown > 1 ? ", " : " ");
		for (uint32_t e = 0; e < a->edge_n; e++) {
			uint32_t edge = k->im->LIST[a->edge_first + e];

			reach(k, edge & 0xffffff, s, (uint8_t)(edge >> 24));
		}
		reach(k, a->slash, s, '/');
		reach(k, a->other, s, '?');
	}
}

static void tell_texts(struct wbuf *w, const struct pol_image *im,
		       const struct lay_dim *d, uint32_t col)
{
	struct walk k = {.im = im, .d = d, .col = col};

	k.from = calloc(d->v_n, sizeof(*k.from));
	k.queue = calloc(d->v_n, sizeof(*k.queue));
	k.by = calloc(d->v_n, 1);
	if (k.from && k.queue && k.by)
		tell_walk(w, &k);
	else
		w->failed = true;
	free(k.from);
	free(k.queue);
	free(k.by);
}

static void tell_attrs(struct wbuf *w, const struct pol_image *im,
		       uint32_t col)
{
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		const struct lay_dim *d = &im->OBSV[i];

		/* What says nothing of it takes also what has none. */
		if (has(im, d, 0, col))
			continue;
		img_say(w, "      %s", field_name((enum field)d->field));
		if (d->form == DIM_RANGES)
			tell_numbers(w, im, d, col);
		else if (d->form == DIM_OIDS)
			tell_oids(w, im, d, col);
		else
			tell_texts(w, im, d, col);
		img_say(w, "\n");
	}
}

/* --- all ----------------------------------------------------------------- */

/* A family that is whole is named once. */
static void tell_kinds(struct wbuf *w, const struct pol_image *im, uint32_t col)
{
	const struct lay_dim *d = &im->OBSV[LAY_DIM_KIND];
	uint32_t all[OBS_FAMILY_COUNT] = {0}, set[OBS_FAMILY_COUNT] = {0};
	uint32_t n = 0;

	for (uint32_t k = 0; k < OBS_COUNT; k++) {
		enum obs_family f = obs_family((enum obs_kind)k);
		bool on = has(im, d, k, col);

		all[f]++;
		set[f] += on;
		n += on;
	}
	img_say(w, "    match%s", n == OBS_COUNT ? " any" : "");
	for (uint32_t k = 0; k < OBS_COUNT && n < OBS_COUNT; k++) {
		enum obs_family f = obs_family((enum obs_kind)k);

		if (!has(im, d, k, col) || set[f] == UINT32_MAX)
			continue;
		if (set[f] < all[f]) {
			img_say(w, " %s", obs_name((enum obs_kind)k));
			continue;
		}
		img_say(w, " %s.any", obs_family_name(f));
		set[f] = UINT32_MAX;
	}
	img_say(w, "\n");
	tell_attrs(w, im, col);
}

void img_tell_column(struct wbuf *w, const struct pol_image *im, uint32_t col)
{
	const struct lay_col *c = &im->COLS[col];

	/* The observations of one selector follow each other. */
	if (col == 0 || c[-1].sel != c->sel) {
		tell_sel(w, im, "    with", &im->SELS[c->sel]);
		if (c->except != LAY_NONE)
			tell_sel(w, im, "    except", &im->SELS[c->except]);
	}
	if (c->flags & LAY_COL_MATCH)
		tell_kinds(w, im, col);
}
