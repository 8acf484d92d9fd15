/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which party is the remote end? Prefixes are cut into intervals once, so
 * that an address is found by one binary search however many there are.
 */
#include <stdlib.h>

#include "policy-lang/eval/internal.h"

static struct key128 key_of(const uint8_t b[16])
{
	struct cur c = cur_of(span_of(b, 16));
	struct key128 k;

	k.hi = cur_u64(&c);
	k.lo = cur_u64(&c);
	return k;
}

static bool less(struct key128 a, struct key128 b)
{
	return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}

static int key_order(const void *a, const void *b)
{
	struct key128 x = *(const struct key128 *)a;
	struct key128 y = *(const struct key128 *)b;

	return less(y, x) - less(x, y);
}

/* The first and last address of a prefix. */
static void bounds(const uint8_t addr[16], unsigned len, struct key128 *lo,
		   struct key128 *hi)
{
	uint64_t mh = len >= 64 ? 0 : ~UINT64_C(0) >> len;
	uint64_t ml =
		len >= 128 ? 0 : ~UINT64_C(0) >> (len <= 64 ? 0 : len - 64);
	struct key128 k = key_of(addr);

	*lo = (struct key128){k.hi & ~mh, k.lo & ~ml};
	*hi = (struct key128){k.hi | mh, k.lo | ml};
}

/* Row i of the prefixes of both versions, in the mapped form. */
static unsigned prefix_row(const struct pol_image *im, uint32_t i,
			   uint8_t addr[16], unsigned *len, unsigned *kind)
{
	memset(addr, 0, 16);
	if (i < im->n_PFX4) {
		const struct lay_pfx4 *p = &im->PFX4[i];

		addr[10] = addr[11] = 0xff;
		memcpy(addr + 12, p->addr, 4);
		*len = p->len + 96u;
		*kind = p->kind;
		return p->owner;
	}
	memcpy(addr, im->PFX6[i - im->n_PFX4].addr, 16);
	*len = im->PFX6[i - im->n_PFX4].len;
	*kind = im->PFX6[i - im->n_PFX4].kind;
	return im->PFX6[i - im->n_PFX4].owner;
}

static void cover(struct ipmap *map, struct key128 lo, struct key128 hi,
		  unsigned owner)
{
	for (size_t i = 0; i < map->n; i++) {
		if (!less(map->start[i], lo) && !less(hi, map->start[i]))
			map->owners[i] |= UINT64_C(1) << (owner % 64);
	}
}

int ipmap_build(struct ipmap *map, const struct pol_image *im, unsigned kind)
{
	uint32_t rows = im->n_PFX4 + im->n_PFX6;
	size_t n = 1, k = 0;
	struct key128 lo, hi;
	uint8_t addr[16];
	unsigned len, is, owner;

	map->start = calloc(2 * (size_t)rows + 1, sizeof(*map->start));
	map->owners = calloc(2 * (size_t)rows + 1, sizeof(*map->owners));
	if (!map->start || !map->owners)
		return E_NOMEM;
	for (uint32_t i = 0; i < rows; i++) {
		prefix_row(im, i, addr, &len, &is);
		if (is != kind)
			continue;
		bounds(addr, len, &lo, &hi);
		map->start[n++] = lo;
		if (++hi.lo == 0)
			hi.hi++;
		if (hi.hi || hi.lo)
			map->start[n++] = hi;
	}
	qsort(map->start, n, sizeof(*map->start), key_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || less(map->start[i - 1], map->start[i]))
			map->start[k++] = map->start[i];
	}
	map->n = k;
	for (uint32_t i = 0; i < rows; i++) {
		owner = prefix_row(im, i, addr, &len, &is);
		if (is != kind)
			continue;
		bounds(addr, len, &lo, &hi);
		cover(map, lo, hi, owner);
	}
	return 0;
}

void ipmap_free(struct ipmap *map)
{
	free(map->start);
	free(map->owners);
	*map = (struct ipmap){0};
}

uint64_t ipmap_find(const struct ipmap *map, const struct net_addr *a)
{
	struct key128 k = key_of(a->b);
	size_t lo = 0, hi = map->n;

	if (map->n == 0)
		return 0;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (less(k, map->start[mid]))
			hi = mid;
		else
			lo = mid;
	}
	return map->owners[lo];
}

int peer_machine(const struct pol_set *s, const struct pol_peer *peer)
{
	uint64_t owners;

	if (peer->machine >= 0)
		return (size_t)peer->machine < s->n_m ? peer->machine : -1;
	owners = ipmap_find(&s->hosts, &peer->addr);
	return owners ? __builtin_ctzll(owners) : -1;
}

static bool port_fits(const struct pol_image *im, const struct lay_party *p,
		      const struct pol_peer *peer)
{
	if (p->port_n == 0)
		return true;
	for (uint32_t i = 0; i < p->port_n; i++) {
		const struct lay_port *r = &im->PORT[p->port_first + i];

		if (r->proto != peer->proto)
			continue;
		if ((peer->port >= r->lo && peer->port <= r->hi) ||
		    (peer->local_port && peer->local_port >= r->lo &&
		     peer->local_port <= r->hi))
			return true;
	}
	return false;
}

static bool title_fits(const struct pol_image *im, const struct lay_party *p,
		       const struct pol_peer *peer)
{
	return p->oid_n == 0 ||
	       span_eq(span_of(im->BLOB + p->oid_off, p->oid_n), peer->aptitle);
}

/* Of several that fit, the one that says most: an ApTitle, then the narrower
 * prefix, then the first by name. */
static int narrowest(const struct machine *m, uint64_t fits,
		     const struct net_addr *a)
{
	int best = -1;
	unsigned best_len = 0;
	struct key128 k = key_of(a->b), lo, hi;
	uint8_t addr[16];

	for (uint32_t i = 0; i < m->vendor->n_PFX4 + m->vendor->n_PFX6; i++) {
		unsigned len, kind;
		unsigned o = prefix_row(m->vendor, i, addr, &len, &kind);

		if (kind != LAY_OWNER_PARTY || !(fits >> o & 1))
			continue;
		bounds(addr, len, &lo, &hi);
		if (less(k, lo) || less(hi, k))
			continue;
		len += m->vendor->PRTY[o].oid_n ? 256 : 0;
		if (best < 0 || len > best_len ||
		    (len == best_len && (int)o < best)) {
			best = (int)o;
			best_len = len;
		}
	}
	return best >= 0 ? best : __builtin_ctzll(fits);
}

int party_find(const struct pol_set *s, size_t mi, const struct pol_peer *peer,
	       bool titles, enum reason *why)
{
	return party_match(s, mi, peer, peer_machine(s, peer), titles, why);
}

int party_match(const struct pol_set *s, size_t mi, const struct pol_peer *peer,
	     int other, bool titles, enum reason *why)
{
	const struct machine *m = &s->m[mi];
	uint64_t fits = 0, near = 0, c;

	*why = REASON_UNKNOWN_PARTY;
	if (!m->vendor)
		return -1;
	if (other >= 0)
		c = m->vm_of[other];
	else /* of a name, what it stood for; its prefixes narrow that */
		c = ipmap_find(&m->parties, &peer->addr) | m->anywhere |
		    (m->unplaced & peer->named);
	for (; c; c &= c - 1) {
		int i = __builtin_ctzll(c);
		const struct lay_party *p = &m->vendor->PRTY[i];

		if (other < 0 && !port_fits(m->vendor, p, peer))
			continue;
		near |= UINT64_C(1) << i;
		if (other < 0 && p->dns && !(peer->named >> i & 1))
			continue;
		if (!titles || title_fits(m->vendor, p, peer))
			fits |= UINT64_C(1) << i;
	}
	/* A name says more than an address. */
	if (fits & m->named)
		fits &= m->named;
	if (fits) {
		*why = REASON_NONE;
		return fits & (fits - 1) ? narrowest(m, fits, &peer->addr)
					 : __builtin_ctzll(fits);
	}
	if (near & ~m->anywhere)
		*why = REASON_PARTY_IDENTITY;
	return -1;
}

static bool listed_name(const struct pol_image *im, const struct lay_party *p,
			struct span name)
{
	for (uint32_t i = 0; i < p->tls_n; i++) {
		if (span_eq(img_str(im, im->LIST[p->tls_first + i]), name))
			return true;
	}
	return false;
}

/* The machine itself seals what it says to that party: then all of it is
 * sealed, and to one of the names that the policy gives. Whether the server
 * can show that name is the machine's to check. */
bool party_sealed(const struct pol_set *s, size_t mi, int party,
		  const struct pol_msg *m)
{
	const struct pol_image *im = s->m[mi].vendor;
	const struct lay_party *p = &im->PRTY[party];

	if (!(p->flags & LAY_PARTY_END_TO_END))
		return true;
	if (!m->peer.tls)
		return false;
	return m->dir != DIR_OUT || m->peer.local_port || p->tls_n == 0 ||
	       !m->message || m->message->kind != OBS_TLS_HELLO ||
	       listed_name(im, p, obs_get_span(m->message, F_DNS_NAME));
}

#define DNS_PORT 53

static bool serves_names(const struct pol_image *im, const struct lay_party *p)
{
	for (uint32_t i = 0; i < p->port_n; i++) {
		const struct lay_port *r = &im->PORT[p->port_first + i];

		if (r->lo <= DNS_PORT && r->hi >= DNS_PORT)
			return true;
	}
	return false;
}

/* Is the address of every name server of that policy the one in *a, which n
 * have had before? */
static bool one_resolver(const struct pol_image *im, struct net_addr *a,
			 size_t *n)
{
	for (uint32_t i = 0; i < im->n_PFX4 + im->n_PFX6; i++) {
		struct net_addr x;
		unsigned len, kind;
		unsigned o = prefix_row(im, i, x.b, &len, &kind);

		if (kind != LAY_OWNER_PARTY ||
		    !serves_names(im, &im->PRTY[o]))
			continue;
		if (len != 128 || (*n && !net_addr_eq(a, &x)))
			return false;
		*a = x;
		(*n)++;
	}
	return true;
}

bool pol_set_resolver(const struct pol_set *s, struct net_addr *out)
{
	bool named = false;
	size_t n = 0;

	for (size_t i = 0; i < s->n_m; i++) {
		if (s->m[i].vendor && !one_resolver(s->m[i].vendor, out, &n))
			return false;
		named |= s->m[i].named != 0;
	}
	return named && n;
}

int pol_party(const struct pol_set *s, size_t machine,
	      const struct pol_peer *peer)
{
	enum reason why;

	return party_find(s, machine, peer, peer->aptitle.n > 0, &why);
}
