/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of paths become one deterministic automaton: an attribute is
 * matched against all patterns of all rules in one step per octet.
 *
 * A state of it is a set of places in patterns. Octets that stand literally
 * at one of those places have an edge each; all others behave alike, apart
 * from '/', which '*' does not cross.
 */
#include <stdlib.h>

#include "policy-lang/image/build.h"

#define PLACE(g, at) ((uint32_t)(g) << 8 | (uint32_t)(at))
#define GLOB(pl)     ((pl) >> 8)
#define AT(pl)       ((pl)&0xff)
#define SLOTS        65536 /* of the hash of states: over the most states */
#define PLACES_MAX   (16u << 20) /* octets, of all states together */

struct set {
	uint32_t off, n; /* in places */
};

struct maker {
	struct build *b;
	const struct auto_glob *glob;
	size_t n_glob;
	struct vec places;    /* uint32_t */
	struct vec sets;      /* struct set, one per state */
	uint32_t *slot;       /* state + 1 by hash */
	uint32_t *class_slot; /* class + 1 by hash of its columns */
	uint32_t *tmp, *next; /* places of the set being made, sorted */
	size_t tmp_cap;
	bool full; /* more places than tmp holds: absurd patterns */
	struct auto_out *out;
};

static int place_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool star(const char *t)
{
	return t[0] == '*';
}

/* Add a place and those reachable from it without an octet. */
static size_t add(struct maker *m, uint32_t *to, size_t n, uint32_t place)
{
	const char *t = m->glob[GLOB(place)].text;
	uint32_t at = AT(place);

	for (;;) {
		if (n < m->tmp_cap)
			to[n++] = PLACE(GLOB(place), at);
		else
			m->full = true;
		if (!star(t + at))
			return n;
		at += t[at + 1] == '*' ? 2 : 1;
	}
}

static size_t normal(uint32_t *v, size_t n)
{
	size_t k = 0;

	while (k + 1 < n && v[k] < v[k + 1])
		k++;
	if (k + 1 >= n) /* as they come where there are no stars */
		return n;
	k = 0;
	qsort(v, n, sizeof(*v), place_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || v[i] != v[i - 1])
			v[k++] = v[i];
	}
	return k;
}

static uint32_t hash_of(const uint32_t *v, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ v[i]) * 16777619u;
	return h;
}

/* The state of that set of places, new or known; LAY_NONE when full. */
static uint32_t state_of(struct maker *m, const uint32_t *v, size_t n)
{
	uint32_t h = hash_of(v, n) % SLOTS;
	struct set *sets, *s;
	size_t count = m->sets.n / sizeof(*s);

	for (; m->slot[h]; h = (h + 1) % SLOTS) {
		sets = (struct set *)m->sets.p;
		s = &sets[m->slot[h] - 1];
		if (s->n == n &&
		    (n == 0 || memcmp((uint32_t *)m->places.p + s->off, v,
				      n * sizeof(*v)) == 0))
			return m->slot[h] - 1;
	}
	if (m->full || count >= LAY_MAX_STATES_AUTO / 2 ||
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

/* Where the octet c leads from a set; c < 0: any that no pattern names. */
static uint32_t step(struct maker *m, struct set s, int c)
{
	const uint32_t *v = (const uint32_t *)m->places.p + s.off;
	size_t n = 0;

	for (uint32_t i = 0; i < s.n; i++) {
		const char *t = m->glob[GLOB(v[i])].text + AT(v[i]);

		if (star(t)) {
			if (t[1] == '*' || c != '/')
				n = add(m, m->next, n, v[i]);
		} else if (*t && c == (uint8_t)*t) {
			n = add(m, m->next, n, v[i] + 1);
		}
	}
	return state_of(m, m->next, normal(m->next, n));
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
		const struct auto_glob *g = &m->glob[GLOB(v[i])];

		for (size_t w = 0; g->text[AT(v[i])] == 0 && w < words; w++)
			row[w] |= g->cols[w];
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

	for (uint32_t i = 0; i < s.n; i++) {
		uint32_t pl = ((uint32_t *)m->places.p)[s.off + i];
		const char *t = m->glob[GLOB(pl)].text + AT(pl);

		if (*t && *t != '/' && !star(t))
			literal[(uint8_t)*t / 64] |= UINT64_C(1)
						     << ((uint8_t)*t % 64);
	}
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
	size_t n = 0;
	int rc = 0;

	for (size_t g = 0; g < m->n_glob; g++)
		n = add(m, m->tmp, n, PLACE(g, 0));
	n = normal(m->tmp, n);
	state_of(m, m->tmp, n);
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
	struct maker m = {.b = b, .glob = glob, .n_glob = n_glob, .out = out};
	int rc = E_NOMEM;
	uint16_t none;

	/* A pattern has at most 129 places, reached from two sides. */
	for (size_t i = 0; i < n_glob; i++) {
		if (strlen(glob[i].text) > 128)
			return err_set(b->e, E_LIMIT, 0,
				       "a pattern over 128 octets");
		m.tmp_cap += 2 * strlen(glob[i].text) + 2;
	}
	m.tmp_cap *= 2;
	m.tmp = calloc(m.tmp_cap, sizeof(*m.tmp));
	m.next = calloc(m.tmp_cap, sizeof(*m.next));
	m.slot = calloc(SLOTS, sizeof(*m.slot));
	m.class_slot = calloc(SLOTS, sizeof(*m.class_slot));
	*out = (struct auto_out){.first = (uint32_t)(b->s[LAY_AUTO].n /
						     sizeof(struct lay_auto))};
	if (m.tmp && m.next && m.slot && m.class_slot &&
	    class_of(&m, (struct set){0}, &none) == 0)
		rc = make(&m);
	if (rc)
		err_set(b->e, rc, 0, "patterns of paths: %s",
			rc == E_LIMIT ? "their combinations need too many "
					"states"
				      : "out of memory");
	free(m.tmp);
	free(m.next);
	free(m.slot);
	free(m.class_slot);
	vec_free(&m.places);
	vec_free(&m.sets);
	return rc;
}
