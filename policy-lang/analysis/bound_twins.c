/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which parties of a policy may be one host, whatever ports, roles and
 * operators its author gives them: who holds the host has all that it was
 * told.
 *
 * One name, key, ApTitle or single address is one host: whoever shares one
 * with another is the same, and so is whoever shares one with that. Prefixes
 * that meet, and a party that may be anywhere, only may be: each is counted
 * with the other, but does not join those that it meets to one another, or a
 * wide prefix would make one recipient of all.
 */
#include <stdlib.h>

#include "policy-lang/analysis/bound_parts.h"
#include "policy-lang/image/home.h"

#define BIT(p) (UINT64_C(1) << (p))

struct twins { /* of the parties of one policy, a bit each */
	uint64_t inside;		/* of the home */
	uint64_t same[LAY_MAX_PARTIES]; /* one host with that party */
	uint64_t may[LAY_MAX_PARTIES];	/* may be */
};

/* An image may be made without our compiler, so the role is not believed. */
static bool is_outside(const struct pol_image *v, uint16_t party)
{
	const struct lay_party *p = &v->PRTY[party];
	bool placed = false, home = true;

	if (p->role != ROLE_HOUSEHOLD)
		return p->role != ROLE_VM;
	for (uint32_t i = 0; i < v->n_PFX4; i++) {
		const struct lay_pfx4 *x = &v->PFX4[i];
		uint8_t a[16] = {[10] = 0xff, [11] = 0xff};

		if (x->kind != LAY_OWNER_PARTY || x->owner != party)
			continue;
		memcpy(a + 12, x->addr, 4);
		home = home && home_prefix(a, x->len + 96u);
		placed = true;
	}
	for (uint32_t i = 0; i < v->n_PFX6; i++) {
		const struct lay_pfx6 *x = &v->PFX6[i];

		if (x->kind != LAY_OWNER_PARTY || x->owner != party)
			continue;
		home = home && home_prefix(x->addr, x->len);
		placed = true;
	}
	return !placed || !home;
}

static void join(uint64_t *with, uint16_t a, uint16_t b)
{
	with[a] |= BIT(b);
	with[b] |= BIT(a);
}

/* --- by place ------------------------------------------------------------ */

struct at { /* a prefix of a party; of IPv4 as IPv6 writes it */
	uint8_t addr[16];
	unsigned len;
	uint16_t party;
};

static bool prefixes_meet(const struct at *a, const struct at *b)
{
	unsigned n = a->len < b->len ? a->len : b->len;
	unsigned whole = n / 8, rest = n % 8;

	return memcmp(a->addr, b->addr, whole) == 0 &&
	       (rest == 0 || (a->addr[whole] ^ b->addr[whole]) >> (8 - rest) ==
				     0);
}

/* What goes to an address of the home stays there, though it lies in a prefix
 * of somebody outside as well: a resolver's, or the whole network. */
static bool same_side(const struct twins *t, uint16_t a, uint16_t b)
{
	return (t->inside >> a & 1) == (t->inside >> b & 1);
}

static void place(struct twins *t, const struct at *a, const struct at *b)
{
	if (a->party == b->party || !prefixes_meet(a, b))
		return;
	if (a->len == 128 && b->len == 128)
		join(t->same, a->party, b->party);
	else if (same_side(t, a->party, b->party))
		join(t->may, a->party, b->party);
}

static bool prefix_at(const struct pol_image *v, uint32_t i, struct at *at)
{
	const struct lay_pfx4 *x = &v->PFX4[i];
	const struct lay_pfx6 *y = &v->PFX6[i - v->n_PFX4];

	if (i < v->n_PFX4) {
		*at = (struct at){.addr = {[10] = 0xff, [11] = 0xff},
				  .len = x->len + 96u,
				  .party = (uint16_t)x->owner};
		memcpy(at->addr + 12, x->addr, 4);
		return x->kind == LAY_OWNER_PARTY;
	}
	*at = (struct at){.len = y->len, .party = (uint16_t)y->owner};
	memcpy(at->addr, y->addr, 16);
	return y->kind == LAY_OWNER_PARTY;
}

static uint64_t find_places(struct twins *t, const struct pol_image *v)
{
	uint64_t placed = 0;
	struct at a, b;

	for (uint32_t i = 0; i < v->n_PFX4 + v->n_PFX6; i++) {
		if (!prefix_at(v, i, &a))
			continue;
		placed |= BIT(a.party);
		for (uint32_t k = 0; k < i; k++) {
			if (prefix_at(v, k, &b))
				place(t, &a, &b);
		}
	}
	return placed;
}

/* One that only its name finds is where its certificate is; one without name
 * and address can be anywhere outside, but for its ApTitle. */
static bool anywhere(const struct twins *t, const struct pol_image *v,
		     uint64_t placed, uint16_t a, uint16_t b)
{
	const struct lay_party *x = &v->PRTY[a], *y = &v->PRTY[b];
	bool at_a = placed >> a & 1, at_b = placed >> b & 1;

	if ((at_a && at_b) || (t->inside & (BIT(a) | BIT(b))) ||
	    (!at_a && img_str(v, x->dns).n) || (!at_b && img_str(v, y->dns).n))
		return false;
	return !(x->oid_n && y->oid_n);
}

/* --- by name and key ----------------------------------------------------- */

/* What parties are known by, of one kind: sorted, so that it is looked through
 * once, however many names each of them has. */
struct known {
	struct span as;
	uint16_t party;
};

static int by_octets(const void *x, const void *y)
{
	struct span a = ((const struct known *)x)->as;
	struct span b = ((const struct known *)y)->as;

	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return memcmp(a.p, b.p, a.n);
}

static void join_known(struct twins *t, struct known *k, size_t n)
{
	if (n)
		qsort(k, n, sizeof(*k), by_octets);
	for (size_t i = 1; i < n; i++) {
		if (by_octets(&k[i], &k[i - 1]) == 0)
			join(t->same, k[i].party, k[i - 1].party);
	}
}

static int find_known(struct twins *t, const struct pol_image *v)
{
	struct known *name, *pin;
	size_t names = 0, pins = 0;

	for (uint32_t p = 0; p < v->n_PRTY; p++) {
		names += v->PRTY[p].tls_n;
		pins += v->PRTY[p].pin_n;
	}
	name = calloc(names + pins + 1, sizeof(*name));
	if (!name)
		return E_NOMEM;
	pin = name + names;
	names = pins = 0;
	for (uint16_t p = 0; p < v->n_PRTY; p++) {
		const struct lay_party *x = &v->PRTY[p];

		if (img_str(v, x->vm).n)
			continue; /* a machine of the home */
		for (uint32_t i = 0; i < x->tls_n; i++)
			name[names++] = (struct known){
				img_str(v, v->LIST[x->tls_first + i]), p};
		for (uint32_t i = 0; i < x->pin_n; i++)
			pin[pins++] = (struct known){
				span_of(v->BLOB + x->pin_off + 32 * i, 32), p};
	}
	join_known(t, name, names);
	join_known(t, pin, pins);
	free(name);
	return 0;
}

static bool same_text(const struct pol_image *v, uint32_t a, uint32_t b)
{
	struct span x = img_str(v, a);

	return x.n && span_eq(x, img_str(v, b));
}

static bool share_identity(const struct pol_image *v, const struct lay_party *a,
			   const struct lay_party *b)
{
	struct span ta = span_of(v->BLOB + a->oid_off, a->oid_n);
	struct span tb = span_of(v->BLOB + b->oid_off, b->oid_n);

	return same_text(v, a->operator_, b->operator_) ||
	       same_text(v, a->dns, b->dns) || (ta.n && span_eq(ta, tb));
}

/* --- all of it ----------------------------------------------------------- */

static void find_pair(struct twins *t, const struct pol_image *v,
		      uint64_t placed, uint16_t a, uint16_t b)
{
	const struct lay_party *x = &v->PRTY[a], *y = &v->PRTY[b];

	if (img_str(v, x->vm).n || img_str(v, y->vm).n) {
		if (same_text(v, x->vm, y->vm))
			join(t->same, a, b);
		return;
	}
	if (share_identity(v, x, y))
		join(t->same, a, b);
	else if (anywhere(t, v, placed, a, b))
		join(t->may, a, b);
}

static int find_twins(struct twins *t, const struct pol_image *v)
{
	uint64_t placed;

	*t = (struct twins){.inside = 0};
	for (uint16_t p = 0; p < v->n_PRTY; p++) {
		t->same[p] = BIT(p);
		t->inside |= is_outside(v, p) ? 0 : BIT(p);
	}
	placed = find_places(t, v);
	for (uint16_t a = 0; a < v->n_PRTY; a++) {
		for (uint16_t b = 0; b < a; b++)
			find_pair(t, v, placed, a, b);
	}
	return find_known(t, v);
}

/* All that may be at one host with one of these, they included. */
static uint64_t one_host(const struct twins *t, uint64_t parties)
{
	uint64_t all = parties, done = 0, may = 0;

	while (all & ~done) {
		unsigned p = (unsigned)__builtin_ctzll(all & ~done);

		done |= BIT(p);
		all |= t->same[p];
		may |= t->may[p];
	}
	return all | may;
}

static void find_same(struct bound *b, size_t first)
{
	for (size_t i = first; i < b->n; i++) {
		struct bound_recipient *r = &b->r[i];

		r->same_as = i;
		for (size_t k = first; bound_gets(r) && k < i; k++) {
			if (b->r[k].parties == r->parties &&
			    bound_gets(&b->r[k])) {
				r->same_as = b->r[k].same_as;
				break;
			}
		}
	}
}

static unsigned parties_listed(const struct bound *b, size_t first)
{
	unsigned n = 0;

	for (size_t i = first; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (r->same_as == i && bound_gets(r))
			n += (unsigned)__builtin_popcountll(r->parties);
	}
	return n;
}

/* Whoever meets another gets what it gets: more than is so. */
static void join_all(struct bound *b, size_t first)
{
	bool news = true;

	while (news) {
		news = false;
		for (size_t i = first; i < b->n; i++) {
			for (size_t k = first; k < b->n; k++) {
				struct bound_recipient *r = &b->r[i];
				uint64_t more = b->r[k].parties;

				if (!(r->parties & more) ||
				    !(more & ~r->parties))
					continue;
				r->parties |= more;
				news = true;
			}
		}
	}
}

/* A file has up to 64 operators, each of whom may be at one host with half of
 * the others: what each gets so is listed only as long as it stays within some
 * times of what there is. */
#define MOST_LISTED (8 * LAY_MAX_PARTIES)

int bound_find_twins(struct bound *b, size_t first)
{
	struct twins t;
	int rc = find_twins(&t, b->set->m[b->r[first].machine].vendor);

	if (rc)
		return rc;
	for (size_t i = first; i < b->n; i++)
		b->r[i].parties = one_host(&t, b->r[i].own);
	find_same(b, first);
	if (parties_listed(b, first) > MOST_LISTED) {
		join_all(b, first);
		find_same(b, first);
	}
	for (size_t i = first; i < b->n; i++)
		b->r[i].outside = (b->r[i].parties & ~t.inside) != 0;
	return 0;
}
