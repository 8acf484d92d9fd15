/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tree.h"

#include <assert.h>

void tree_init(struct tree *t, struct sha256 *h)
{
	memset(t, 0, sizeof(*t));
	t->h = h;
}

void tree_leaf(struct sha256 *h, struct span record, uint8_t out[SHA256_LEN])
{
	static const uint8_t zero = 0;

	sha256_begin(h);
	sha256_add(h, span_of(&zero, 1));
	sha256_add(h, record);
	sha256_end(h, out);
}

void tree_node(struct sha256 *h, const uint8_t left[SHA256_LEN],
	       const uint8_t right[SHA256_LEN], uint8_t out[SHA256_LEN])
{
	uint8_t in[1 + 2 * SHA256_LEN] = {1};

	memcpy(in + 1, left, SHA256_LEN);
	memcpy(in + 1 + SHA256_LEN, right, SHA256_LEN);
	sha256_begin(h);
	sha256_add(h, span_of(in, sizeof(in)));
	sha256_end(h, out);
}

/* A subtree of 256^level leaves is complete: it is a hash of that level. */
static int into_tile(struct tree *t, unsigned level, uint64_t idx,
		     const uint8_t hash[SHA256_LEN], struct err *e)
{
	memcpy(t->tile[level][idx % TREE_TILE], hash, SHA256_LEN);
	if (idx % TREE_TILE != TREE_TILE - 1 || !t->full)
		return 0;
	return t->full(t->arg, level, idx / TREE_TILE,
		       span_of(t->tile[level], TREE_TILE_OCTETS), e);
}

/* A subtree of 2^b leaves, which are in their tile. As in a binary counter:
 * each set bit from there on is a subtree to join. */
static int join(struct tree *t, unsigned b, const uint8_t root[SHA256_LEN],
		struct err *e)
{
	uint64_t n = UINT64_C(1) << b;
	uint8_t hash[SHA256_LEN];
	int rc = 0;

	assert(t->size < INT64_MAX - n);
	memcpy(hash, root, sizeof(hash));
	if (b % 8 == 0 && b > 0)
		rc = into_tile(t, b / 8, t->size >> b, hash, e);
	for (; rc == 0 && t->size >> b & 1; b++) {
		tree_node(t->h, t->frontier[b], hash, hash);
		if ((b + 1) % 8 == 0)
			rc = into_tile(t, (b + 1) / 8, t->size >> (b + 1),
				       hash, e);
	}
	memcpy(t->frontier[b], hash, sizeof(hash));
	t->size += n;
	return rc;
}

int tree_add(struct tree *t, const uint8_t leaf[SHA256_LEN], struct err *e)
{
	int rc = into_tile(t, 0, t->size, leaf, e);

	return rc ? rc : join(t, 0, leaf, e);
}

/* Subtrees as large as they can be: from where the tree ends, one of 2^b
 * leaves may begin when its size is a multiple of that. */
int tree_add_leaves(struct tree *t, struct span leaves, struct err *e)
{
	uint8_t root[SHA256_LEN];
	size_t done = 0;
	int rc = 0;

	while (rc == 0 && done < leaves.n / SHA256_LEN) {
		size_t n = TREE_TILE, left = leaves.n / SHA256_LEN - done;
		struct span s;

		while (n > left || t->size % n)
			n /= 2;
		s = span_sub(leaves, done * SHA256_LEN, n * SHA256_LEN);
		for (size_t i = 0; rc == 0 && i < n; i++)
			rc = into_tile(t, 0, t->size + i,
				       span_sub(s, i * SHA256_LEN,
						SHA256_LEN).p, e);
		if (rc)
			break;
		tree_fold(s, root);
		rc = join(t, (unsigned)__builtin_ctzll(n), root, e);
		done += n;
	}
	return rc;
}

int tree_add_bundle(struct tree *t, const uint8_t root[SHA256_LEN],
		    struct err *e)
{
	assert(t->size % TREE_TILE == 0);
	return join(t, 8, root, e);
}

void tree_root(const struct tree *t, uint8_t out[SHA256_LEN])
{
	bool any = false;

	for (unsigned b = 0; b < 64; b++) {
		if (!(t->size >> b & 1))
			continue;
		if (any)
			tree_node(t->h, t->frontier[b], out, out);
		else
			memcpy(out, t->frontier[b], SHA256_LEN);
		any = true;
	}
	if (!any)
		sha256_of((struct span){0}, out);
}

size_t tree_frontier(const struct tree *t, uint8_t out[TREE_FRONTIER_MAX])
{
	size_t n = 0;

	for (unsigned b = 64; b-- > 0;) {
		if (t->size >> b & 1) {
			memcpy(out + n, t->frontier[b], SHA256_LEN);
			n += SHA256_LEN;
		}
	}
	return n;
}

/* n nodes from twice as many hashes. */
static void fold_level(const uint8_t (*in)[SHA256_LEN], size_t n,
		       uint8_t (*out)[SHA256_LEN])
{
	struct sha256_job jobs[TREE_TILE / 2];

	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct sha256_job){
			.prefixed = true, .prefix = 1, .out = out[i],
			.s = span_of(in[2 * i], 2 * SHA256_LEN)};
	sha256_jobs(jobs, n);
}

void tree_fold(struct span hashes, uint8_t out[SHA256_LEN])
{
	uint8_t v[2][TREE_TILE / 2][SHA256_LEN];
	const uint8_t (*in)[SHA256_LEN] = (const void *)hashes.p;
	size_t n = hashes.n / SHA256_LEN;

	assert(n > 0 && n <= TREE_TILE && (n & (n - 1)) == 0);
	for (size_t i = 0; n > 1; i ^= 1) {
		n /= 2;
		fold_level(in, n, v[i]);
		in = (const void *)v[i];
	}
	memcpy(out, in[0], SHA256_LEN);
}

void tree_tile_root(struct span hashes, uint8_t out[SHA256_LEN])
{
	assert(hashes.n == TREE_TILE_OCTETS);
	tree_fold(hashes, out);
}

void tree_restore(struct tree *t, uint64_t size)
{
	t->size = size;
	for (unsigned b = 0; b < 64; b++) {
		unsigned level = b / 8, bit = b % 8;
		size_t count = size >> (8 * level) & 255;
		size_t first = count >> (bit + 1) << (bit + 1);

		if (!(count >> bit & 1))
			continue;
		tree_fold(span_of(t->tile[level][first],
					((size_t)1 << bit) * SHA256_LEN),
			  t->frontier[b]);
	}
}
