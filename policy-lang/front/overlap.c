/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/overlap.h"

#include <stdio.h>

#define GLOB_MAX 160 /* octets of a pattern; longer ones never meet */

/* --- globs --------------------------------------------------------------- */

struct elem {
	char c;     /* 0: a star */
	bool slash; /* the star takes '/' too */
};

struct meeting {
	struct elem a[GLOB_MAX], b[GLOB_MAX];
	size_t na, nb;
	uint8_t seen[(GLOB_MAX + 1) * (GLOB_MAX + 1)];
	char text[2 * GLOB_MAX];
	size_t n;
};

static bool elements_of(const char *g, struct elem *e, size_t *n)
{
	*n = 0;
	for (size_t i = 0; g[i]; i++) {
		if (*n == GLOB_MAX)
			return false;
		e[*n] = (struct elem){g[i], false};
		if (g[i] == '*') {
			e[*n].c = 0;
			e[*n].slash = g[i + 1] == '*';
			i += e[*n].slash;
		}
		(*n)++;
	}
	return true;
}

static bool walk(struct meeting *m, size_t i, size_t k);

static bool step(struct meeting *m, char c, size_t i, size_t k)
{
	m->text[m->n++] = c;
	if (walk(m, i, k))
		return true;
	m->n--;
	return false;
}

/* From elements i and k on. Every call moves on in one of the patterns, so
 * the depth is at most the sum of their lengths; seen keeps the work at their
 * product. */
static bool walk(struct meeting *m, size_t i, size_t k)
{
	uint8_t *seen = &m->seen[i * (GLOB_MAX + 1) + k];
	const struct elem *a = &m->a[i], *b = &m->b[k];
	bool ea = i == m->na, eb = k == m->nb;

	if (ea && eb)
		return true;
	if (*seen)
		return false;
	*seen = 1;
	if (!ea && !eb && !a->c && !b->c &&
	    (step(m, 'x', i + 1, k + 1) || walk(m, i + 1, k + 1)))
		return true;
	if (!ea && !eb && a->c && a->c == b->c)
		return step(m, a->c, i + 1, k + 1);
	/* A star ends here, or takes what the other says next. */
	if (!ea && !a->c &&
	    (walk(m, i + 1, k) || (!eb && b->c && (a->slash || b->c != '/') &&
				   step(m, b->c, i, k + 1))))
		return true;
	return !eb && !b->c &&
	       (walk(m, i, k + 1) ||
		(!ea && a->c && (b->slash || a->c != '/') &&
		 step(m, a->c, i + 1, k)));
}

/* Most pairs differ at an end that both fix. */
static bool ends_meet(const char *a, size_t na, const char *b, size_t nb)
{
	while (na && nb && a[na - 1] != '*' && b[nb - 1] != '*') {
		if (a[--na] != b[--nb])
			return false;
	}
	return true;
}

bool glob_meet(const char *a, const char *b, struct wbuf *out)
{
	struct meeting m;
	size_t lit = 0;

	if (!ends_meet(a, strlen(a), b, strlen(b)))
		return false;
	while (a[lit] && a[lit] == b[lit] && a[lit] != '*')
		lit++;
	if (a[lit] != '*' && b[lit] != '*' && a[lit] != b[lit])
		return false;
	if (!elements_of(a, m.a, &m.na) || !elements_of(b, m.b, &m.nb))
		return false;
	m.n = 0;
	memset(m.seen, 0, (m.na + 1) * (GLOB_MAX + 1));
	if (!walk(&m, 0, 0))
		return false;
	if (out)
		wbuf_put(out, span_of(m.text, m.n));
	return true;
}

bool glob_covers(const char *a, const char *b)
{
	size_t n = strlen(a), lit = strcspn(a, "*");

	if (strcmp(a, b) == 0)
		return true;
	if (!strchr(b, '*'))
		return glob_meet(a, b, NULL);
	/* "/x/" and "**": whatever begins with the prefix. */
	return lit + 2 == n && a[lit + 1] == '*' && strlen(b) >= lit &&
	       memcmp(a, b, lit) == 0;
}

/* An end comes first, then a star: what begins alike stands together, the
 * shortest in front. */
static int rank(char c)
{
	return c == 0 ? 0 : c == '*' ? 1 : 2 + (unsigned char)c;
}

int glob_order(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}

/* --- lists of globs, in their order ---------------------------------------- */

struct globs {
	const char *const *v;
	size_t n;
};

static char at(const struct globs *g, size_t i, size_t depth)
{
	return g->v[i][depth];
}

static bool stops(char c)
{
	return c == 0 || c == '*';
}

/* From lo on, the end of those with the same octet at depth. */
static size_t alike(const struct globs *g, size_t lo, size_t depth)
{
	size_t hi = g->n;

	if (at(g, hi - 1, depth) == at(g, lo, depth))
		return hi;
	for (hi = lo + 1; at(g, hi, depth) == at(g, lo, depth);)
		hi++;
	return hi;
}

static size_t stopping(const struct globs *g, size_t depth)
{
	size_t n = 0;

	while (n < g->n && stops(at(g, n, depth)))
		n++;
	return n;
}

static bool some_meet(const char *glob, const struct globs *g,
		      struct wbuf *out)
{
	size_t n = strlen(glob);

	for (size_t i = 0; i < g->n; i++) {
		const char *other = g->v[i];

		if (ends_meet(glob, n, other, strlen(other)) &&
		    glob_meet(glob, other, out))
			return true;
	}
	return false;
}

static bool two_meet(const char *a, const char *b, size_t depth,
		     struct wbuf *out)
{
	while (a[depth] == b[depth] && !stops(a[depth]))
		depth++;
	return (stops(a[depth]) || stops(b[depth])) && glob_meet(a, b, out);
}

/* All of a and b begin with the same depth octets, none of which is a star.
 * Where one of them has come to its first star or its end, all of the other
 * list may meet it; the rest only where they go on alike. */
static bool globs_meet(struct globs a, struct globs b, size_t depth,
		       struct wbuf *out)
{
	size_t i, k;

	if (a.n == 1 && b.n == 1)
		return two_meet(a.v[0], b.v[0], depth, out);
	i = stopping(&a, depth);
	k = stopping(&b, depth);
	for (size_t x = 0; x < i; x++) {
		if (some_meet(a.v[x], &b, out))
			return true;
	}
	for (size_t y = 0; y < k; y++) {
		if (some_meet(b.v[y], &(struct globs){a.v + i, a.n - i}, out))
			return true;
	}
	while (i < a.n && k < b.n) {
		int order = rank(at(&a, i, depth)) - rank(at(&b, k, depth));
		size_t ie, ke;

		if (order != 0) {
			i += order < 0;
			k += order > 0;
			continue;
		}
		ie = alike(&a, i, depth);
		ke = alike(&b, k, depth);
		if (globs_meet((struct globs){a.v + i, ie - i},
			       (struct globs){b.v + k, ke - k}, depth + 1, out))
			return true;
		i = ie;
		k = ke;
	}
	return false;
}

/* Is every text of the glob one of the list's? May say no, as glob_covers. */
static bool globs_cover(const struct globs *a, const char *b)
{
	if (!globs_meet(*a, (struct globs){&b, 1}, 0, NULL))
		return false;
	for (size_t k = 0; strchr(b, '*'); k++) {
		if (k == a->n)
			return false;
		if (glob_covers(a->v[k], b))
			break;
	}
	return true;
}

/* --- who ----------------------------------------------------------------- */

bool dir_meet(enum pol_dirsel a, enum pol_dirsel b)
{
	return a == b || a == DIRSEL_ANY || b == DIRSEL_ANY;
}

bool dir_covers(enum pol_dirsel a, enum pol_dirsel b)
{
	return a == b || a == DIRSEL_ANY;
}

static bool has_text(const char *const *v, size_t n, const char *t)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(v[i], t) == 0)
			return true;
	}
	return false;
}

/* An empty list is no condition. */
static bool texts_meet(const char *const *a, size_t na, const char *const *b,
		       size_t nb)
{
	if (na == 0 || nb == 0)
		return true;
	for (size_t i = 0; i < na; i++) {
		if (has_text(b, nb, a[i]))
			return true;
	}
	return false;
}

static bool texts_cover(const char *const *a, size_t na, const char *const *b,
			size_t nb)
{
	if (na == 0)
		return true;
	for (size_t i = 0; i < nb; i++) {
		if (!has_text(a, na, b[i]))
			return false;
	}
	return nb > 0;
}

bool vm_meet(const struct pol_vm_sel *a, const struct pol_vm_sel *b)
{
	return a->any || b->any || texts_meet(a->vm, a->n_vm, b->vm, b->n_vm);
}

bool vm_covers(const struct pol_vm_sel *a, const struct pol_vm_sel *b)
{
	return a->any ||
	       (!b->any && texts_cover(a->vm, a->n_vm, b->vm, b->n_vm));
}

uint64_t party_bits(const struct pol_party_sel *s)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < s->n_party; i++)
		bits |= UINT64_C(1) << s->party[i];
	return bits;
}

bool party_meet(const struct pol_party_sel *a, const struct pol_party_sel *b)
{
	if (a->any || b->any)
		return true;
	return (a->n_party == 0 || b->n_party == 0 ||
		(party_bits(a) & party_bits(b))) &&
	       (a->roles == 0 || b->roles == 0 || (a->roles & b->roles)) &&
	       texts_meet(a->country, a->n_country, b->country, b->n_country) &&
	       texts_meet(a->operator_, a->n_operator, b->operator_,
			  b->n_operator);
}

bool party_covers(const struct pol_party_sel *a, const struct pol_party_sel *b)
{
	if (a->any)
		return true;
	if (b->any)
		return false;
	return (a->n_party == 0 ||
		(b->n_party > 0 && !(party_bits(b) & ~party_bits(a)))) &&
	       (a->roles == 0 || (b->roles && !(b->roles & ~a->roles))) &&
	       texts_cover(a->country, a->n_country, b->country,
			   b->n_country) &&
	       texts_cover(a->operator_, a->n_operator, b->operator_,
			   b->n_operator);
}

static bool prefixes_meet(const struct pol_prefix *a,
			  const struct pol_prefix *b)
{
	unsigned len = a->len < b->len ? a->len : b->len;
	unsigned whole = len / 8, rest = len % 8;

	if (memcmp(a->addr.b, b->addr.b, whole) != 0)
		return false;
	return rest == 0 ||
	       (a->addr.b[whole] ^ b->addr.b[whole]) >> (8 - rest) == 0;
}

/* Without addresses: what a name stood for, or whoever claims an ApTitle. */
static bool places_meet(const struct pol_party_src *a,
			const struct pol_party_src *b)
{
	if (a->dns && b->dns && strcmp(a->dns, b->dns) != 0)
		return false;
	if (a->n_addr == 0 || b->n_addr == 0)
		return !a->dns == !b->dns || (a->n_addr == 0 && !a->dns) ||
		       (b->n_addr == 0 && !b->dns);
	for (size_t i = 0; i < a->n_addr; i++) {
		for (size_t k = 0; k < b->n_addr; k++) {
			if (prefixes_meet(&a->addr[i], &b->addr[k]))
				return true;
		}
	}
	return false;
}

static bool ports_meet(const struct pol_party_src *a,
		       const struct pol_party_src *b)
{
	if (a->n_port == 0 || b->n_port == 0)
		return true;
	for (size_t i = 0; i < a->n_port; i++) {
		const struct pol_port *x = &a->port[i];

		for (size_t k = 0; k < b->n_port; k++) {
			const struct pol_port *y = &b->port[k];

			if (x->proto == y->proto && x->lo <= y->hi &&
			    y->lo <= x->hi)
				return true;
		}
	}
	return false;
}

bool parties_meet(const struct pol_party_src *a, const struct pol_party_src *b)
{
	if (a->vm || b->vm)
		return a->vm && b->vm && strcmp(a->vm, b->vm) == 0;
	if (a->aptitle.n && b->aptitle.n && !span_eq(a->aptitle, b->aptitle))
		return false;
	return places_meet(a, b) && ports_meet(a, b);
}

/* --- what ---------------------------------------------------------------- */

static bool has_kind(const struct pol_kinds *k, unsigned i)
{
	return k->w[i / 64] >> (i % 64) & 1;
}

bool match_has(const struct pol_obs_match *m, size_t n, enum obs_kind k)
{
	for (size_t i = 0; i < n; i++) {
		if (has_kind(&m[i].kinds, k))
			return true;
	}
	return false;
}

static const struct pol_attr *attr_of(const struct pol_obs_match *m,
				      unsigned field)
{
	for (size_t i = 0; i < m->n_attr; i++) {
		if (m->attr[i].field == field)
			return &m->attr[i];
	}
	return NULL;
}

static void put_text(struct wbuf *out, const char *t)
{
	if (out)
		wbuf_put(out, span_str(t));
}

static void put_number(struct wbuf *out, uint16_t field, uint32_t v)
{
	char buf[16];

	if (field == F_PORT)
		snprintf(buf, sizeof(buf), "%s/%u",
			 v >> 16 == 6 ? "tcp" : "udp", v & 0xffff);
	else
		snprintf(buf, sizeof(buf), "%u", v);
	put_text(out, buf);
}

int oid_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* A range that ends before another begins, ends before all that follow it. */
static bool ranges_meet(const struct pol_attr *a, const struct pol_attr *b,
			uint32_t *v)
{
	for (size_t i = 0, k = 0; i < a->n_num && k < b->n_num;) {
		const struct pol_range *x = &a->num[i], *y = &b->num[k];

		*v = x->lo > y->lo ? x->lo : y->lo;
		if (*v <= x->hi && *v <= y->hi)
			return true;
		if (x->hi < y->lo)
			i++;
		else
			k++;
	}
	return false;
}

static const struct span *oids_meet(const struct pol_attr *a,
				    const struct pol_attr *b)
{
	for (size_t i = 0, k = 0; i < a->n_oid && k < b->n_oid;) {
		int order = oid_order(a->oid[i], b->oid[k]);

		if (order == 0)
			return &a->oid[i];
		if (order < 0)
			i++;
		else
			k++;
	}
	return NULL;
}

/* A value that both rows admit. */
static bool attr_meet(const struct pol_attr *a, const struct pol_attr *b,
		      struct wbuf *out)
{
	const struct span *oid;
	char buf[OID_TEXT];
	uint32_t v;

	if (ranges_meet(a, b, &v)) {
		put_number(out, a->field, v);
		return true;
	}
	if (globs_meet((struct globs){a->text, a->n_text},
		       (struct globs){b->text, b->n_text}, 0, out))
		return true;
	oid = oids_meet(a, b);
	if (oid)
		put_text(out, oid_text(buf, sizeof(buf), *oid));
	return oid != NULL;
}

static bool attr_covers(const struct pol_attr *a, const struct pol_attr *b)
{
	for (size_t i = 0; i < b->n_num; i++) {
		bool in = false;

		for (size_t k = 0; k < a->n_num; k++)
			in = in || (a->num[k].lo <= b->num[i].lo &&
				    a->num[k].hi >= b->num[i].hi);
		if (!in)
			return false;
	}
	for (size_t i = 0; i < b->n_text; i++) {
		if (!globs_cover(&(struct globs){a->text, a->n_text},
				 b->text[i]))
			return false;
	}
	for (size_t i = 0; i < b->n_oid; i++) {
		bool in = false;

		for (size_t k = 0; k < a->n_oid; k++)
			in = in || span_eq(a->oid[k], b->oid[i]);
		if (!in)
			return false;
	}
	return true;
}

static bool has_attrs(const struct pol_obs_match *m, unsigned kind)
{
	for (size_t i = 0; i < m->n_attr; i++) {
		if (!obs_has_attr((enum obs_kind)kind,
				  (enum field)m->attr[i].field))
			return false;
	}
	return true;
}

/* Those of these kinds that m can match: an attribute that a kind does not have
 * is unknown and never matches. */
static struct pol_kinds possible(const struct pol_obs_match *m,
				 struct pol_kinds of)
{
	struct pol_kinds is = {{0, 0}};

	for (unsigned w = 0; w < 2; w++) {
		for (uint64_t k = of.w[w] & m->kinds.w[w]; k; k &= k - 1) {
			unsigned kind = 64 * w + (unsigned)__builtin_ctzll(k);

			if (kind < OBS_COUNT && has_attrs(m, kind))
				is.w[w] |= k & -k;
		}
	}
	return is;
}

static unsigned first_kind(struct pol_kinds k)
{
	return k.w[0]	? (unsigned)__builtin_ctzll(k.w[0])
	       : k.w[1] ? 64 + (unsigned)__builtin_ctzll(k.w[1])
			: OBS_COUNT;
}

static void put_attr(struct wbuf *out, const struct pol_attr *a,
		     const struct pol_attr *b)
{
	size_t at = out->n;

	put_text(out, " ");
	put_text(out, field_name((enum field)a->field));
	put_text(out, "=");
	if (!attr_meet(a, b ? b : a, out))
		out->n = at;
}

/* One observation of kind k that both match. */
static void describe(const struct pol_obs_match *a,
		     const struct pol_obs_match *b, unsigned kind,
		     struct wbuf *out)
{
	if (!out)
		return;
	put_text(out, obs_name((enum obs_kind)kind));
	for (size_t i = 0; i < a->n_attr; i++)
		put_attr(out, &a->attr[i], attr_of(b, a->attr[i].field));
	for (size_t i = 0; i < b->n_attr; i++) {
		if (!attr_of(a, b->attr[i].field))
			put_attr(out, &b->attr[i], NULL);
	}
}

static bool one_meet(const struct pol_obs_match *a,
		     const struct pol_obs_match *b, struct wbuf *out)
{
	unsigned kind;

	if (!(a->kinds.w[0] & b->kinds.w[0]) && !(a->kinds.w[1] & b->kinds.w[1]))
		return false;
	for (size_t i = 0; i < a->n_attr; i++) {
		const struct pol_attr *other = attr_of(b, a->attr[i].field);

		if (other && !attr_meet(&a->attr[i], other, NULL))
			return false;
	}
	kind = first_kind(possible(a, possible(b, b->kinds)));
	if (kind < OBS_COUNT)
		describe(a, b, kind, out);
	return kind < OBS_COUNT;
}

bool match_meet(const struct pol_obs_match *a, size_t na,
		const struct pol_obs_match *b, size_t nb, struct wbuf *out)
{
	if (na == 0 || nb == 0) {
		put_text(out, "any");
		return true;
	}
	for (size_t i = 0; i < na; i++) {
		for (size_t k = 0; k < nb; k++) {
			if (one_meet(&a[i], &b[k], out))
				return true;
		}
	}
	return false;
}

static bool one_covers(const struct pol_obs_match *a,
		       const struct pol_obs_match *b)
{
	struct pol_kinds of, is;

	/* Of most pairs some attribute differs. */
	for (size_t i = 0; i < a->n_attr; i++) {
		const struct pol_attr *other = attr_of(b, a->attr[i].field);

		if (!other || !attr_covers(&a->attr[i], other))
			return false;
	}
	of = possible(b, b->kinds);
	is = possible(a, of);
	return of.w[0] == is.w[0] && of.w[1] == is.w[1];
}

bool match_covers(const struct pol_obs_match *a, size_t na,
		  const struct pol_obs_match *b, size_t nb)
{
	if (na == 0)
		return true;
	for (size_t i = 0; i < nb; i++) {
		bool in = false;

		for (size_t k = 0; k < na; k++)
			in = in || one_covers(&a[k], &b[i]);
		if (!in)
			return false;
	}
	return nb > 0;
}

bool data_meet(const struct pol_data_src *a, const struct pol_data_src *b)
{
	if (!(a->meas & b->meas))
		return false;
	if (a->has_gran && b->has_gran &&
	    ((a->gran_hi_ns && a->gran_hi_ns <= b->gran_lo_ns) ||
	     (b->gran_hi_ns && b->gran_hi_ns <= a->gran_lo_ns)))
		return false;
	return !a->has_value || !b->has_value ||
	       a->value_unit != b->value_unit ||
	       (a->value_lo <= b->value_hi && b->value_lo <= a->value_hi);
}
