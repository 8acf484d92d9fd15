/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of paths become one deterministic automaton: an attribute is
 * matched against all patterns of all rules in one step per octet.
 *
 * A state of it is a set of places in patterns, of which those that begin alike
 * share what they have in common. Octets that stand literally
 * at one of those places have an edge each; all others behave alike, apart
 * from '/', which '*' does not cross.
 */
#include <stdlib.h>

#include "policy-lang/image/build.h"

#define SLOTS      65536 /* of the hash of states: over the most states */
#define PLACES_MAX (16u << 20) /* octets, of all states together */

/* What patterns that begin alike have in common is one place: behind an octet,
 * or behind a star, where more that the star takes may follow. */
struct node {
	enum {
		OCTET,
		STAR,
		STARS, /* "**" */
	} kind;
	uint8_t c;
	bool goes_on;	      /* here a pattern ends, or an octet follows */
	const uint64_t *cols; /* of the pattern that ends here, or NULL */
	/* Places, 0: none. Behind this one with an octet more, by next from kid
	 * to last, and with '*' or "**"; and another of a state that has the
	 * same octet. */
	uint32_t kid, last, next;
	uint32_t star[2];
	uint32_t same;
	uint32_t stamp; /* of the set that it was added to last */
};

struct set {
	uint32_t off, n; /* in places */
};

struct maker {
	struct build *b;
	struct vec nodes;     /* struct node; the first is where texts begin */
	struct vec places;    /* uint32_t */
	struct vec sets;      /* struct set, one per state */
	uint32_t *slot;       /* state + 1 by hash */
	uint32_t *class_slot; /* class + 1 by hash of its columns */
	uint32_t first[256];  /* of the state: places behind each octet */
	uint32_t *next;       /* places of the set being made */
	size_t n_next;
	uint32_t stamp; /* of that set */
	struct auto_out *out;
};

static struct node *node_at(const struct maker *m, uint32_t i)
{
	return (struct node *)m->nodes.p + i;
}

/* --- patterns -------------------------------------------------------------- */

static uint32_t find_kid(const struct maker *m, const struct node *of,
			 const struct node *is)
{
	uint32_t i = of->last;

	if (is->kind != OCTET)
		return of->star[is->kind == STARS];
	/* They are sorted: mostly it is the last one or none. */
	if (i && node_at(m, i)->c == is->c)
		return i;
	for (i = of->kid; i && node_at(m, i)->c != is->c;)
		i = node_at(m, i)->next;
	return i;
}

/* The place behind one more element; 0 when there is no memory. */
static uint32_t kid_of(struct maker *m, uint32_t at, struct node is)
{
	uint32_t i = find_kid(m, node_at(m, at), &is);
	struct node *of;

	if (i)
		return i;
	i = (uint32_t)(m->nodes.n / sizeof(is));
	vec_put(&m->nodes, &is, sizeof(is));
	if (m->nodes.failed)
		return 0;
	of = node_at(m, at);
	if (is.kind != OCTET) {
		of->star[is.kind == STARS] = i;
		return i;
	}
	if (of->last)
		node_at(m, of->last)->next = i;
	else
		of->kid = i;
	of->last = i;
	of->goes_on = true;
	return i;
}

static int add_pattern(struct maker *m, const struct auto_glob *g)
{
	const char *t = g->text;
	uint32_t at = 0;

	if (strlen(t) > 128)
		return err_set(m->b->e, E_LIMIT, 0,
			       "a pattern over 128 octets");
	while (*t) {
		struct node is = {.kind = OCTET, .c = (uint8_t)*t};

		if (*t == '*')
			is.kind = t[1] == '*' ? STARS : STAR;
		t += is.kind == STARS ? 2 : 1;
		at = kid_of(m, at, is);
		if (!at)
			return err_set(m->b->e, E_NOMEM, 0, "out of memory");
	}
	node_at(m, at)->goes_on = true;
	node_at(m, at)->cols = g->cols;
	return 0;
}

/* --- sets of places -------------------------------------------------------- */

static int place_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Add a place and those reachable from it without an octet. One from which
 * nothing but stars lead is not told apart from these. */
static void add(struct maker *m, uint32_t at)
{
	struct node *n = node_at(m, at);

	if (n->stamp == m->stamp)
		return;
	n->stamp = m->stamp;
	if (n->goes_on || n->kind != OCTET)
		m->next[m->n_next++] = at;
	for (int i = 0; i < 2; i++) {
		if (n->star[i])
			add(m, n->star[i]);
	}
}

static void sort_next(struct maker *m)
{
	for (size_t i = 1; i < m->n_next; i++) {
		if (m->next[i] < m->next[i - 1]) {
			qsort(m->next, m->n_next, sizeof(*m->next),
			      place_order);
			return;
		}
	}
}

static uint32_t hash_of(const uint32_t *v, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ v[i]) * 16777619u;
	return h;
}

/* The state of the set that was made, new or known; LAY_NONE when full. */
static uint32_t state_of(struct maker *m)
{
	const uint32_t *v = m->next;
	size_t n = m->n_next;
	uint32_t h;
	struct set *sets, *s;
	size_t count = m->sets.n / sizeof(*s);

	sort_next(m);
	h = hash_of(v, n) % SLOTS;
	for (; m->slot[h]; h = (h + 1) % SLOTS) {
		sets = (struct set *)m->sets.p;
		s = &sets[m->slot[h] - 1];
		if (s->n == n &&
		    (n == 0 || memcmp((uint32_t *)m->places.p + s->off, v,
				      n * sizeof(*v)) == 0))
			return m->slot[h] - 1;
	}
	if (count >= LAY_MAX_STATES_AUTO / 2 ||
	    m->places.n > PLACES_MAX)
		return LAY_NONE;
	s = vec_room(&m->sets, sizeof(*s));
	if (!s)
		return LAY_NONE;
	*s = (struct set){(uint32_t)(m->places.n / sizeof(*v)), (uint32_t)n};
	vec_put(&m->places, v, n * sizeof(*v));
	m->slot[h] = (uint32_t)count + 1;
	return (uint32_t)count;
}

static void begin_set(struct maker *m)
{
	m->n_next = 0;
	m->stamp++;
}

/* Places behind those of a set by their octets, and which octets these are. */
static void find_octets(struct maker *m, struct set s, uint64_t octets[4])
{
	const uint32_t *v = (const uint32_t *)m->places.p + s.off;

	memset(m->first, 0, sizeof(m->first));
	for (uint32_t i = 0; i < s.n; i++) {
		for (uint32_t k = node_at(m, v[i])->kid; k;) {
			struct node *kid = node_at(m, k);

			octets[kid->c / 64] |= UINT64_C(1) << (kid->c % 64);
			kid->same = m->first[kid->c];
			m->first[kid->c] = k;
			k = kid->next;
		}
	}
}

/* Where the octet c leads from a set; c < 0: any that no pattern names. */
static uint32_t step(struct maker *m, struct set s, int c)
{
	const uint32_t *v = (const uint32_t *)m->places.p + s.off;

	begin_set(m);
	for (uint32_t i = 0; i < s.n; i++) {
		const struct node *n = node_at(m, v[i]);
		bool takes = n->kind == STARS || (n->kind == STAR && c != '/');

		if (takes)
			add(m, v[i]);
	}
	for (uint32_t k = c < 0 ? 0 : m->first[c]; k; k = node_at(m, k)->same)
		add(m, k);
	return state_of(m);
}

/* The class of texts that end in a state, new or known. There are no more
 * classes than states, which SLOTS has room for. */
static int class_of(struct maker *m, struct set s, uint16_t *cls)
{
	const uint32_t *v = s.n ? (const uint32_t *)m->places.p + s.off : NULL;
	struct auto_out *out = m->out;
	size_t words = m->b->words, size = words * sizeof(uint64_t);
	uint64_t row[LAY_WORDS] = {0};
	uint32_t h, *slot;

	for (uint32_t i = 0; i < s.n; i++) {
		const uint64_t *cols = node_at(m, v[i])->cols;

		for (size_t w = 0; cols && w < words; w++)
			row[w] |= cols[w];
	}
	h = hash_of((const uint32_t *)row, 2 * words) % SLOTS;
	while (*(slot = &m->class_slot[h]) &&
	       memcmp(out->rows.p + (*slot - 1) * size, row, size) != 0)
		h = (h + 1) % SLOTS;
	if (!*slot) {
		vec_put(&out->rows, row, size);
		*slot = ++out->n_class;
	}
	*cls = (uint16_t)(*slot - 1);
	return out->rows.failed ? E_NOMEM : 0;
}

static int make_state(struct maker *m, uint32_t k)
{
	struct vec *out = &m->b->s[LAY_AUTO];
	struct set s = ((struct set *)m->sets.p)[k];
	struct lay_auto a = {.edge_first = (uint32_t)(m->b->s[LAY_LIST].n /
						      sizeof(uint32_t))};
	uint64_t literal[4] = {0};
	int rc;

	find_octets(m, s, literal);
	literal['/' / 64] &= ~(UINT64_C(1) << ('/' % 64));
	a.other = step(m, s, -1);
	a.slash = step(m, s, '/');
	if (a.other == LAY_NONE || a.slash == LAY_NONE)
		return E_LIMIT;
	for (int w = 0; w < 4; w++) {
		for (uint64_t l = literal[w]; l; l &= l - 1) {
			int c = 64 * w + __builtin_ctzll(l);
			uint32_t to = step(m, s, c), edge;

			if (to == LAY_NONE)
				return E_LIMIT;
			edge = (uint32_t)c << 24 | to;
			build_list(m->b, &edge, 1);
			a.edge_n++;
		}
	}
	rc = class_of(m, s, &a.cls);
	if (rc)
		return rc;
	vec_put(out, &a, sizeof(a));
	return 0;
}

static int make(struct maker *m)
{
	struct auto_out *out = m->out;
	int rc = 0;

	begin_set(m);
	add(m, 0);
	state_of(m);
	for (uint32_t k = 0; !rc && k < m->sets.n / sizeof(struct set); k++) {
		rc = make_state(m, k);
		if (m->places.failed || m->sets.failed || out->rows.failed)
			rc = E_NOMEM;
	}
	out->n = (uint32_t)(m->sets.n / sizeof(struct set));
	return rc;
}

int build_auto(struct build *b, const struct auto_glob *glob, size_t n_glob,
	       struct auto_out *out)
{
	struct maker m = {.b = b, .out = out};
	const struct node begin = {.kind = OCTET};
	int rc = 0;
	uint16_t none;

	*out = (struct auto_out){.first = (uint32_t)(b->s[LAY_AUTO].n /
						     sizeof(struct lay_auto))};
	vec_put(&m.nodes, &begin, sizeof(begin));
	for (size_t i = 0; i < n_glob && !rc && !m.nodes.failed; i++)
		rc = add_pattern(&m, &glob[i]);
	if (rc) {
		vec_free(&m.nodes);
		return rc;
	}
	rc = E_NOMEM;
	m.next = calloc(m.nodes.n / sizeof(begin) + 1, sizeof(*m.next));
	m.slot = calloc(SLOTS, sizeof(*m.slot));
	m.class_slot = calloc(SLOTS, sizeof(*m.class_slot));
	if (!m.nodes.failed && m.next && m.slot && m.class_slot &&
	    class_of(&m, (struct set){0}, &none) == 0)
		rc = make(&m);
	if (rc)
		err_set(b->e, rc, 0, "patterns of paths: %s",
			rc == E_LIMIT ? "their combinations need too many "
					"states"
				      : "out of memory");
	free(m.next);
	free(m.slot);
	free(m.class_slot);
	vec_free(&m.nodes);
	vec_free(&m.places);
	vec_free(&m.sets);
	return rc;
}
