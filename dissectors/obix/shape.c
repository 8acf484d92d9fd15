/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an element has but its value, compared with what stood at its place
 * before: with the same child of the element before at the depth above, or,
 * where there was none, with the sibling in front; of a list always with that.
 * One that is as foreseen says nothing but its value. Of another each attribute
 * that differs tells as much as its text does (text.c), and an octet at least:
 * which it is of those that were said; and which attributes there are, in what
 * order, an octet and one more for each two.
 *
 * Texts themselves and no hashes: whoever finds two with one hash could choose.
 */
#include "dissectors/obix/state.h"

static struct place *place_at(const struct reader *r, unsigned depth,
			      unsigned i)
{
	struct places *all = &r->m->places;

	depth = depth < PLACES_DEEP ? depth : PLACES_DEEP - 1;
	return &all->at[depth][i];
}

static bool is_set(const struct reader *r, const struct place *p)
{
	return p->unit == r->m->places.unit;
}

/* The reference without what its name tells. */
static void put_href(struct wbuf *w, struct span ref, struct span own)
{
	struct span last = href_last(ref);
	size_t head = last.n ? (size_t)(last.p - ref.p) : ref.n;

	if (!own.n || !span_eq(last, own)) {
		wbuf_put(w, ref);
		return;
	}
	wbuf_put(w, span_sub(ref, 0, head));
	wbuf_u8(w, 0); /* which no text holds */
	wbuf_put(w, span_from(ref, head + last.n));
}

/* One attribute: its length, its text. */
static void put(struct wbuf *w, const struct reader *r, const struct elem *el,
		const struct xml_tag *t, enum obix_attr at)
{
	struct span s = t->at[at];
	size_t from = w->n;

	wbuf_u8(w, 0);
	switch (at) {
	case AT_VAL:
		break;
	case AT_HREF: /* what it names is told */
		if (!el->item && r->d->depth > 0)
			put_href(w, s, t->at[AT_NAME]);
		break;
	case AT_DISPLAY:
		wbuf_put(w, text_displayed(t));
		break;
	default:
		wbuf_put(w, s);
		break;
	}
	if (!w->failed)
		w->p[from] = (uint8_t)(w->n - from - 1);
}

/* All that it has; 0: more than there is room for. */
static size_t describe(uint8_t *buf, const struct reader *r,
		       const struct elem *el, const struct xml_tag *t)
{
	struct wbuf w = wbuf_of(buf, PLACE_TEXT);

	wbuf_u8(&w, el->el);
	wbuf_u8(&w, t->n_set);
	wbuf_put(&w, span_of(t->set, t->n_set));
	wbuf_u8(&w, (uint8_t)t->prefix.n);
	wbuf_put(&w, t->prefix);
	for (unsigned i = 0; i < t->n_set; i++)
		put(&w, r, el, t, (enum obix_attr)t->set[i]);
	return w.failed ? 0 : w.n;
}

/* Octets of its element, prefix and which attributes it has. */
static size_t head_of(const uint8_t *text)
{
	size_t n = 2u + text[1];

	return n + 1 + text[n];
}

/* What it tells that those of two differ. */
static unsigned apart(const uint8_t *now, const uint8_t *was)
{
	unsigned n = now[1], both = 0, next = 0;
	bool order = true;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *at = memchr(was + 2, now[2 + i], was[1]);

		if (!at)
			continue;
		both++;
		order &= (unsigned)(at - was) >= next;
		next = (unsigned)(at - was);
	}
	return 1 + (order ? n + was[1] - 2 * both : n) / 2;
}

/* The text of an attribute of it; p NULL: it has none. */
static struct span find(struct span text, enum obix_attr at)
{
	struct cur c = cur_of(text);

	if (text.n == 0)
		return (struct span){0};
	cur_take(&c, head_of(text.p));
	for (unsigned i = 0; i < text.p[1]; i++) {
		struct span s = cur_take(&c, cur_u8(&c));

		if (text.p[2 + i] == at)
			return span_of(s.p ? s.p : text.p, s.n);
	}
	return (struct span){0};
}

static bool same(struct span a, struct span b)
{
	return a.p && b.p && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* What differs; n 0: too long to be compared, or nothing stood there. */
static void count(struct reader *r, const struct elem *el,
		  const struct xml_tag *t, bool fresh, struct span now,
		  struct span was)
{
	size_t head = now.n ? head_of(now.p) : 0;

	if (!now.n || !was.n)
		text_more(r, 1 + t->n_set / 2u);
	else if (head != head_of(was.p) || memcmp(now.p, was.p, head) != 0)
		text_more(r, apart(now.p, was.p));
	for (unsigned i = 0; i < t->n_set; i++) {
		enum obix_attr at = (enum obix_attr)t->set[i];

		if (at != AT_VAL && !same(find(now, at), find(was, at)))
			text_attribute(r, el, t, at, fresh);
	}
}

/* Is that what it has? Asked before it is written down: nearly all records are
 * like the one before. false: it has to be. */
static bool is_plainly(const struct place *p, const struct elem *el,
		       const struct xml_tag *t)
{
	const uint8_t *at = p->text;

	if (p->n == 0 || at[0] != el->el || at[1] != t->n_set || t->prefix.n)
		return false;
	at += 2 + t->n_set;
	if (*at++ != 0)
		return false;
	for (unsigned i = 0; i < t->n_set; i++) {
		struct span s = t->at[t->set[i]];

		if (p->text[2 + i] != t->set[i])
			return false;
		if (t->set[i] == AT_VAL)
			s.n = 0;
		if (t->set[i] == AT_HREF || t->set[i] == AT_DISPLAY ||
		    *at++ != s.n || memcmp(at, s.p, s.n) != 0)
			return false;
		at += s.n;
	}
	return true;
}

/* It may be another: what stood there is this from here on. */
static RARE void put_in(struct reader *r, struct elem *el,
			const struct xml_tag *t, bool fresh, struct place *to)
{
	unsigned depth = r->d->depth - 1u;
	struct place *like = to;
	uint8_t now[PLACE_TEXT];
	size_t n, was;

	if (!is_set(r, like) && el->place > 0)
		like = place_at(r, depth, el->place - 1u);
	n = describe(now, r, el, t);
	was = is_set(r, like) ? like->n : 0;
	el->same = n && n == was && memcmp(now, like->text, n) == 0;
	if (!el->same)
		count(r, el, t, fresh, span_of(now, n),
		      span_of(like->text, was));
	to->unit = r->m->places.unit;
	to->children = el->same && like == to ? to->children : 0;
	to->n = (uint16_t)n;
	memcpy(to->text, now, n);
}

void shape_read(struct reader *r, struct elem *el, const struct xml_tag *t,
		bool fresh)
{
	struct elem *up = r->up;
	bool list = up->el == EL_LIST || up->el == EL_FEED;
	struct place *to;

	el->place = list ? 0
		    : up->children < PLACES ? (uint8_t)up->children
					    : PLACES - 1;
	up->children++;
	to = place_at(r, r->d->depth - 1u, el->place);
	el->same = is_set(r, to) && is_plainly(to, el, t);
	if (!el->same)
		put_in(r, el, t, fresh, to);
}

void shape_end(struct reader *r, const struct elem *el)
{
	unsigned depth = r->d->depth;
	struct place *p = depth ? place_at(r, depth - 1, el->place) : NULL;

	if (!p || !is_set(r, p))
		return;
	if (p->children != el->children)
		text_more(r, 1);
	p->children = el->children;
}

void shape_begin(struct obix_machine *m)
{
	m->places.unit++;
}
