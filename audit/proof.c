/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/proof.h"

#include <assert.h>

#include "audit/tree.h"

/* Root of the leaves [first, first + n), n > 0: complete subtrees, largest
 * first, joined from the right. first is a multiple of the largest power of
 * two that is not above n, as in every part that RFC 9162 splits off. */
static int range(const struct proof_source *s, uint64_t first, uint64_t n,
		 uint8_t out[SHA256_LEN], struct err *e)
{
	uint8_t node[SHA256_LEN];
	bool any = false;

	for (unsigned b = 0; b < 64; b++) {
		uint64_t at;
		int rc;

		if (!(n >> b & 1))
			continue;
		at = (first + (n >> b << b)) - (UINT64_C(1) << b);
		rc = s->node(s->arg, b, at >> b, any ? node : out, e);
		if (rc)
			return rc;
		if (any)
			tree_node(s->h, node, out, out);
		any = true;
	}
	return 0;
}

int proof_root(const struct proof_source *s, uint64_t n,
	       uint8_t out[SHA256_LEN], struct err *e)
{
	if (n)
		return range(s, 0, n, out, e);
	sha256_of((struct span){0}, out);
	return 0;
}

/* Largest power of two below n, n > 1. */
static uint64_t split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Hashes are found from the root down and told from the leaf up. */
static void turn(struct proof *p)
{
	for (uint32_t i = 0; i < p->n / 2; i++) {
		uint8_t tmp[SHA256_LEN];

		memcpy(tmp, p->hash[i], sizeof(tmp));
		memcpy(p->hash[i], p->hash[p->n - 1 - i], sizeof(tmp));
		memcpy(p->hash[p->n - 1 - i], tmp, sizeof(tmp));
	}
}

static int put(struct proof *p, const struct proof_source *s, uint64_t first,
	       uint64_t n, struct err *e)
{
	assert(p->n < PROOF_MAX);
	return range(s, first, n, p->hash[p->n++], e);
}

int proof_inclusion(struct proof *p, const struct proof_source *s,
		    uint64_t index, uint64_t n, struct err *e)
{
	uint64_t first = 0;
	int rc = 0;

	p->n = 0;
	if (index >= n)
		return err_set(e, E_LIMIT, 0, "record %llu is not among %llu",
			       (unsigned long long)index,
			       (unsigned long long)n);
	while (rc == 0 && n > 1) {
		uint64_t k = split(n);

		if (index - first < k) {
			rc = put(p, s, first + k, n - k, e);
			n = k;
		} else {
			rc = put(p, s, first, k, e);
			first += k;
			n -= k;
		}
	}
	turn(p);
	return rc;
}

int proof_consistency(struct proof *p, const struct proof_source *s,
		      uint64_t m, uint64_t n, struct err *e)
{
	uint64_t first = 0;
	bool whole = true; /* the first m leaves begin at the part's begin */
	int rc = 0;

	p->n = 0;
	if (m > n)
		return err_set(e, E_LIMIT, 0, "%llu records are more than %llu",
			       (unsigned long long)m, (unsigned long long)n);
	if (m == 0 || m == n)
		return 0;
	while (rc == 0 && m < n) {
		uint64_t k = split(n);

		if (m <= k) {
			rc = put(p, s, first + k, n - k, e);
			n = k;
		} else {
			rc = put(p, s, first, k, e);
			first += k;
			m -= k;
			n -= k;
			whole = false;
		}
	}
	/* The verifier has the root of the first m already. */
	if (rc == 0 && !whole)
		rc = put(p, s, first, n, e);
	turn(p);
	return rc;
}

/* RFC 9162 2.1.3.2 */
bool proof_leads_to(struct sha256 *h, const struct proof *p, uint64_t index,
		    uint64_t n, const uint8_t leaf[SHA256_LEN],
		    uint8_t root[SHA256_LEN])
{
	uint64_t fn = index, sn = n - 1;

	if (index >= n || p->n > PROOF_MAX)
		return false;
	memcpy(root, leaf, SHA256_LEN);
	for (uint32_t i = 0; i < p->n; i++) {
		if (sn == 0)
			return false;
		if (fn & 1 || fn == sn) {
			tree_node(h, p->hash[i], root, root);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			tree_node(h, root, p->hash[i], root);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0;
}

bool proof_includes(struct sha256 *h, const struct proof *p, uint64_t index,
		    uint64_t n, const uint8_t leaf[SHA256_LEN],
		    const uint8_t root[SHA256_LEN])
{
	uint8_t got[SHA256_LEN];

	return proof_leads_to(h, p, index, n, leaf, got) &&
	       memcmp(got, root, sizeof(got)) == 0;
}

/* RFC 9162 2.1.4.2 */
bool proof_continues(struct sha256 *h, const struct proof *p, uint64_t m,
		     uint64_t n, const uint8_t a[SHA256_LEN],
		     const uint8_t b[SHA256_LEN])
{
	uint8_t fr[SHA256_LEN], sr[SHA256_LEN];
	uint64_t fn = m - 1, sn = n - 1;
	uint32_t i = 0;

	if (m > n || p->n > PROOF_MAX)
		return false;
	if (m == n)
		return p->n == 0 && memcmp(a, b, SHA256_LEN) == 0;
	if (m == 0) {
		/* Anything continues nothing, whose root is known. */
		sha256_of((struct span){0}, fr);
		return p->n == 0 && memcmp(a, fr, sizeof(fr)) == 0;
	}
	if (p->n == 0)
		return false;
	/* A power of two: the first hash is the root that is held. */
	if (m & (m - 1))
		memcpy(fr, p->hash[i++], sizeof(fr));
	else
		memcpy(fr, a, sizeof(fr));
	memcpy(sr, fr, sizeof(sr));
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	for (; i < p->n; i++) {
		if (sn == 0)
			return false;
		if (fn & 1 || fn == sn) {
			tree_node(h, p->hash[i], fr, fr);
			tree_node(h, p->hash[i], sr, sr);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			tree_node(h, sr, p->hash[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, a, sizeof(fr)) == 0 &&
	       memcmp(sr, b, sizeof(sr)) == 0;
}
