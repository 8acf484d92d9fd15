/* SPDX-License-Identifier: Apache-2.0 */
/* Containment of who and where: parties, selectors, columns. */
#include "policy-lang/analysis/within_parts.h"

bool within_str(const struct pol_image *ia, uint32_t a,
		const struct pol_image *ib, uint32_t b)
{
	return span_eq(img_str(ia, a), img_str(ib, b));
}

/* --- parties ---------------------------------------------------------------
 */

struct prefix {
	const uint8_t *addr;
	unsigned len, octets;
};

static size_t prefixes(const struct pol_image *im, unsigned kind,
		       uint32_t owner, struct prefix out[LAY_MAX_PREFIXES])
{
	size_t n = 0;

	for (uint32_t i = 0; i < im->n_PFX4 && n < LAY_MAX_PREFIXES; i++) {
		const struct lay_pfx4 *p = &im->PFX4[i];

		if (p->kind == kind && p->owner == owner)
			out[n++] = (struct prefix){p->addr, p->len, 4};
	}
	for (uint32_t i = 0; i < im->n_PFX6 && n < LAY_MAX_PREFIXES; i++) {
		const struct lay_pfx6 *p = &im->PFX6[i];

		if (p->kind == kind && p->owner == owner)
			out[n++] = (struct prefix){p->addr, p->len, 16};
	}
	return n;
}

static bool prefix_in(const struct prefix *a, const struct prefix *b)
{
	unsigned whole = b->len / 8, bits = b->len % 8;

	return a->octets == b->octets && a->len >= b->len &&
	       memcmp(a->addr, b->addr, whole) == 0 &&
	       (bits == 0 ||
		((a->addr[whole] ^ b->addr[whole]) >> (8 - bits)) == 0);
}

/* With none there are all. */
static bool addresses_in(unsigned kind, const struct pol_image *ia, uint32_t a,
			 const struct pol_image *ib, uint32_t b)
{
	struct prefix x[LAY_MAX_PREFIXES], y[LAY_MAX_PREFIXES];
	size_t n = prefixes(ia, kind, a, x), m = prefixes(ib, kind, b, y);

	for (size_t i = 0; m && i < n; i++) {
		bool in = false;

		for (size_t k = 0; k < m; k++)
			in |= prefix_in(&x[i], &y[k]);
		if (!in)
			return false;
	}
	return m == 0 || n > 0;
}

bool within_same_prefixes(const struct pol_image *ia,
			  const struct pol_image *ib, unsigned kind, uint32_t a,
			  uint32_t b)
{
	return addresses_in(kind, ia, a, ib, b) &&
	       addresses_in(kind, ib, b, ia, a);
}

static bool ports_in(const struct pol_image *ia, const struct lay_party *a,
		     const struct pol_image *ib, const struct lay_party *b)
{
	for (uint32_t i = 0; b->port_n && i < a->port_n; i++) {
		const struct lay_port *x = &ia->PORT[a->port_first + i];
		bool in = false;

		for (uint32_t k = 0; k < b->port_n; k++) {
			const struct lay_port *y = &ib->PORT[b->port_first + k];

			in |= x->proto == y->proto && x->lo >= y->lo &&
			      x->hi <= y->hi;
		}
		if (!in)
			return false;
	}
	return b->port_n == 0 || a->port_n > 0;
}

static bool names_in(const struct pol_image *ia, uint32_t a, uint32_t n,
		     const struct pol_image *ib, uint32_t b, uint32_t m)
{
	for (uint32_t i = 0; m && i < n; i++) {
		bool in = false;

		for (uint32_t k = 0; k < m; k++)
			in |= within_str(ia, ia->LIST[a + i], ib,
					 ib->LIST[b + k]);
		if (!in)
			return false;
	}
	return m == 0 || n > 0;
}

static bool pins_in(const struct pol_image *ia, const struct lay_party *a,
		    const struct pol_image *ib, const struct lay_party *b)
{
	for (uint32_t i = 0; b->pin_n && i < a->pin_n; i++) {
		bool in = false;

		for (uint32_t k = 0; k < b->pin_n; k++)
			in |= memcmp(ia->BLOB + a->pin_off + 32 * i,
				     ib->BLOB + b->pin_off + 32 * k, 32) == 0;
		if (!in)
			return false;
	}
	return b->pin_n == 0 || a->pin_n > 0;
}

static bool tls_in(const struct pol_image *ia, const struct lay_party *a,
		   const struct pol_image *ib, const struct lay_party *b)
{
	return !(b->flags & LAY_PARTY_TLS) ||
	       (a->flags == b->flags &&
		names_in(ia, a->tls_first, a->tls_n, ib, b->tls_first,
			 b->tls_n) &&
		pins_in(ia, a, ib, b));
}

/* Whoever is a is b, and a ceiling that within_picks a within_picks b. */
static bool party_in(const struct pol_image *ia, uint32_t x,
		     const struct pol_image *ib, uint32_t y)
{
	const struct lay_party *a = &ia->PRTY[x], *b = &ib->PRTY[y];

	return a->role == b->role && within_str(ia, a->vm, ib, b->vm) &&
	       within_str(ia, a->operator_, ib, b->operator_) &&
	       within_str(ia, a->country, ib, b->country) &&
	       (!b->dns || within_str(ia, a->dns, ib, b->dns)) &&
	       (b->oid_n == 0 ||
		span_eq(span_of(ia->BLOB + a->oid_off, a->oid_n),
			span_of(ib->BLOB + b->oid_off, b->oid_n))) &&
	       addresses_in(LAY_OWNER_PARTY, ia, x, ib, y) &&
	       ports_in(ia, a, ib, b) && tls_in(ia, a, ib, b);
}

bool within_prefixes_meet(const struct pol_image *ia, unsigned a_kind,
			  uint32_t a, const struct pol_image *ib,
			  unsigned b_kind, uint32_t b)
{
	struct prefix x[LAY_MAX_PREFIXES], y[LAY_MAX_PREFIXES];
	size_t n = prefixes(ia, a_kind, a, x), m = prefixes(ib, b_kind, b, y);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m; k++) {
			if (prefix_in(&x[i], &y[k]) || prefix_in(&y[k], &x[i]))
				return true;
		}
	}
	return n == 0 || m == 0;
}

/* Of parties that overlap the narrower one counts: where one of them shrinks,
 * the other grows. */
static bool overlap(const struct pol_image *im, uint32_t a, uint32_t b)
{
	if (im->PRTY[a].vm || im->PRTY[b].vm)
		return im->PRTY[a].vm == im->PRTY[b].vm;
	return within_prefixes_meet(im, LAY_OWNER_PARTY, a, im,
				    LAY_OWNER_PARTY, b);
}

bool within_apart(const struct pol_image *im)
{
	for (uint32_t i = 1; i < im->n_PRTY; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (overlap(im, i, k))
				return false;
		}
	}
	return true;
}

/* Sorted by name, so that places agree. */
bool within_same_parties(const struct pol_image *a, const struct pol_image *b)
{
	for (uint32_t i = 0; a->n_PRTY == b->n_PRTY && i < a->n_PRTY; i++) {
		if (!within_str(a, a->PRTY[i].id, b, b->PRTY[i].id) ||
		    !party_in(a, i, b, i) || !party_in(b, i, a, i))
			return false;
	}
	return a->n_PRTY == b->n_PRTY;
}

static bool one(const struct two *t, const struct pol_image *ia, uint32_t a,
		const struct pol_image *ib, uint32_t b)
{
	return t->by_name ? within_str(ia, ia->PRTY[a].id, ib, ib->PRTY[b].id)
			  : party_in(ia, a, ib, b);
}

void within_parties(struct two *t)
{
	for (uint32_t i = 0; i < t->is->n_PRTY; i++) {
		for (uint32_t k = 0; k < t->was->n_PRTY; k++) {
			t->known->is_party[i] |=
				(uint64_t)one(t, t->is, i, t->was, k) << k;
			t->known->was_party[k] |=
				(uint64_t)one(t, t->was, k, t->is, i) << i;
		}
	}
}

/* --- selectors ---------------------------------------------------------------
 */

bool within_picks(const struct lay_sel *s, uint32_t party)
{
	return s->flags & LAY_SEL_ANY_PARTY || s->parties >> party & 1;
}

/* By role, country and operator: does b select whoever a does? */
static bool kinds_in(const struct pol_image *ia, const struct lay_sel *a,
		     const struct pol_image *ib, const struct lay_sel *b)
{
	return (b->roles == 0 || (a->roles && !(a->roles & ~b->roles))) &&
	       names_in(ia, a->country_first, a->country_n, ib,
			b->country_first, b->country_n) &&
	       names_in(ia, a->op_first, a->op_n, ib, b->op_first, b->op_n);
}

static bool machines_in(const struct pol_image *ia, const struct lay_sel *a,
			const struct pol_image *ib, const struct lay_sel *b)
{
	return b->flags & LAY_SEL_ANY_VM ||
	       (!(a->flags & LAY_SEL_ANY_VM) &&
		names_in(ia, a->vm_first, a->vm_n, ib, b->vm_first, b->vm_n));
}

/* Is what a of the new image selects selected by b of the old one? */
static bool selected(const struct two *t, const struct lay_sel *a,
		     const struct lay_sel *b)
{
	if (b->flags & LAY_SEL_ANY_PARTY)
		return true;
	if (a->flags & LAY_SEL_ANY_PARTY)
		return false;
	for (uint64_t p = a->parties; p; p &= p - 1) {
		if (!(within_ones(t, (uint32_t)__builtin_ctzll(p)) &
		      b->parties))
			return false;
	}
	if (a->parties || b->parties)
		return a->parties && b->parties;
	return kinds_in(t->is, a, t->was, b);
}

/* Does a of the new image select every party there that b of the old one did?
 * Whoever is no party any more gets nothing anyway. */
static bool still(const struct two *t, const struct lay_sel *a,
		  const struct lay_sel *b)
{
	if (a->flags & LAY_SEL_ANY_PARTY)
		return true;
	if (!a->parties && !b->parties)
		return !(b->flags & LAY_SEL_ANY_PARTY) &&
		       kinds_in(t->was, b, t->is, a);
	for (uint32_t i = 0; i < t->is->n_PRTY; i++) {
		bool was = b->flags & LAY_SEL_ANY_PARTY
				   ? within_ones(t, i) != 0
				   : within_ones(t, i) & b->parties;

		if (was && !within_picks(a, i))
			return false;
	}
	return true;
}

/* --- columns
 * ------------------------------------------------------------------ */

/* From which column of the type on the owner is at least this one? */
static uint32_t owned_from(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner)
{
	uint32_t lo = im->col_at[type], hi = im->col_at[type + 1];

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (im->COLS[mid].owner < owner)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct cols within_cols_of(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner)
{
	return (struct cols){owned_from(im, type, owner),
			     owned_from(im, type, owner + 1)};
}

static const struct lay_sel *except_of(const struct pol_image *im, uint32_t col)
{
	uint32_t x = im->COLS[col].except;

	return x == LAY_NONE ? NULL : &im->SELS[x];
}

/* Whom column k of the old image leaves out, column i of the new one does. */
static bool excepts(const struct two *t, uint32_t i, uint32_t k)
{
	const struct lay_sel *a = except_of(t->is, i);
	const struct lay_sel *b = except_of(t->was, k);

	return !b || (a && still(t, a, b));
}

/* And the other way: whom i leaves out, k did. */
static bool excepted(const struct two *t, uint32_t i, uint32_t k)
{
	const struct lay_sel *a = except_of(t->is, i);
	const struct lay_sel *b = except_of(t->was, k);

	return !a || (b && selected(t, a, b));
}

/* Is every column of a within one of b? Grants, and what sets a state. */
bool within_cols(const struct two *t, struct cols a, struct cols b)
{
	for (uint32_t i = a.from; i < a.to; i++) {
		const struct lay_sel *x = &t->is->SELS[t->is->COLS[i].sel];
		bool in = false;

		for (uint32_t k = b.from; k < b.to && !in; k++) {
			const struct lay_sel *y =
				&t->was->SELS[t->was->COLS[k].sel];

			in = within_match(t, i, k) && selected(t, x, y) &&
			     excepts(t, i, k) &&
			     machines_in(t->is, x, t->was, y);
		}
		if (!in)
			return false;
	}
	return a.from < a.to;
}

/* Does a of the new image take whatever b of the old one took? Denials and
 * limits. */
bool within_over(const struct two *t, struct cols a, struct cols b)
{
	for (uint32_t k = b.from; k < b.to; k++) {
		const struct lay_sel *y = &t->was->SELS[t->was->COLS[k].sel];
		bool over = false;

		for (uint32_t i = a.from; i < a.to && !over; i++) {
			const struct lay_sel *x =
				&t->is->SELS[t->is->COLS[i].sel];

			over = within_match_back(t, k, i) && still(t, x, y) &&
			       excepted(t, i, k) &&
			       machines_in(t->was, y, t->is, x);
		}
		if (!over)
			return false;
	}
	return true;
}

/* Parties that a rule selects, a bit each. */
static uint64_t parties_of(const struct pol_image *im, uint32_t rule)
{
	struct cols c = within_cols_of(im, COL_GRANT, rule);
	uint64_t all = 0;

	for (uint32_t i = c.from; i < c.to; i++)
		all |= im->SELS[im->COLS[i].sel].parties;
	return all;
}

bool within_kept(const struct two *t, uint32_t x, uint32_t y)
{
	uint64_t old = parties_of(t->was, y);

	for (uint64_t p = parties_of(t->is, x); p; p &= p - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(p);
		int64_t keeps = t->is->PRTY[i].keeps;
		bool in = false;

		for (uint64_t o = old & within_ones(t, i); o; o &= o - 1) {
			int64_t kept =
				t->was->PRTY[__builtin_ctzll(o)].keeps;

			in |= !kept || (keeps && keeps <= kept);
		}
		if (!in)
			return false;
	}
	return true;
}
