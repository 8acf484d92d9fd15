/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "audit/tree.h"

/* The leaves of the reference vectors (RFC 6962 implementations share them). */
static const struct {
	const char *octets;
	size_t n;
} leaves[8] = {
	{"", 0},
	{"\0", 1},
	{"\x10", 1},
	{"\x20\x21", 2},
	{"\x30\x31", 2},
	{"\x40\x41\x42\x43", 4},
	{"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
	{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
	 16},
};

static const char *const roots[9] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void to_hex(char out[65], const uint8_t hash[SHA256_LEN])
{
	for (int i = 0; i < SHA256_LEN; i++) {
		out[2 * i] = "0123456789abcdef"[hash[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	out[64] = 0;
}

static void roots_are_those_of_the_vectors(void **state)
{
	struct sha256 *h = sha256_new();
	struct tree *t = malloc(sizeof(*t));
	struct err e = {0};
	char hex[65];

	(void)state;
	assert_non_null(h);
	assert_non_null(t);
	tree_init(t, h);
	for (size_t n = 0; n <= 8; n++) {
		uint8_t hash[SHA256_LEN];

		tree_root(t, hash);
		to_hex(hex, hash);
		assert_string_equal(hex, roots[n]);
		if (n == 8)
			break;
		tree_leaf(h, span_of(leaves[n].octets, leaves[n].n), hash);
		assert_int_equal(tree_add(t, hash, &e), 0);
	}
	free(t);
	sha256_free(h);
}

static void leaf(struct sha256 *h, uint64_t i, uint8_t out[SHA256_LEN])
{
	tree_leaf(h, span_of(&i, sizeof(i)), out);
}

/* RFC 9162 2.1.1 word for word: split at the largest power of two below n. */
static void by_definition(struct sha256 *h, uint64_t first, uint64_t n,
			  uint8_t out[SHA256_LEN])
{
	uint8_t left[SHA256_LEN], right[SHA256_LEN];
	uint64_t k = 1;

	if (n == 1) {
		leaf(h, first, out);
		return;
	}
	while (2 * k < n)
		k *= 2;
	by_definition(h, first, k, left);
	by_definition(h, first + k, n - k, right);
	tree_node(h, left, right, out);
}

struct sink {
	struct sha256 *h;
	unsigned tiles[TREE_LEVELS];
};

static int full(void *arg, unsigned level, uint64_t idx, struct span hashes,
		struct err *e)
{
	struct sink *s = arg;
	uint64_t covers = UINT64_C(1) << (8 * level);
	uint8_t want[SHA256_LEN];

	(void)e;
	assert_int_equal(idx, s->tiles[level]++);
	assert_int_equal(hashes.n, TREE_TILE_OCTETS);
	/* Spot checks: the first and the last hash of the tile. */
	by_definition(s->h, idx * 256 * covers, covers, want);
	assert_memory_equal(hashes.p, want, SHA256_LEN);
	by_definition(s->h, (idx * 256 + 255) * covers, covers, want);
	assert_memory_equal(span_sub(hashes, 255 * SHA256_LEN, 32).p, want,
			    SHA256_LEN);
	return 0;
}

/* Sizes on both sides of each border: nodes, tiles, tiles of tiles. */
static void roots_and_tiles_follow_the_definition(void **state)
{
	static const uint64_t sizes[] = {1,   2,   3,	  127,	 128,  129,
					 255, 256, 257,	  511,	 512,  1000,
					 4096, 65535, 65536, 65537, 66000};
	struct sha256 *h = sha256_new();
	struct tree *t = malloc(sizeof(*t)), *r = malloc(sizeof(*r));
	struct sink sink = {.h = h};
	struct err e = {0};
	size_t at = 0;

	(void)state;
	assert_non_null(h);
	assert_non_null(t);
	assert_non_null(r);
	tree_init(t, h);
	t->full = full;
	t->arg = &sink;
	for (uint64_t n = 0; n < 66000; n++) {
		uint8_t a[SHA256_LEN], b[SHA256_LEN];

		leaf(h, n, a);
		assert_int_equal(tree_add(t, a, &e), 0);
		if (n + 1 != sizes[at])
			continue;
		at++;
		by_definition(h, 0, n + 1, b);
		tree_root(t, a);
		assert_memory_equal(a, b, SHA256_LEN);
		/* From the partial tiles alone the same frontier follows. */
		tree_init(r, h);
		memcpy(r->tile, t->tile, sizeof(r->tile));
		tree_restore(r, n + 1);
		tree_root(r, b);
		assert_memory_equal(a, b, SHA256_LEN);
	}
	assert_int_equal(at, sizeof(sizes) / sizeof(sizes[0]));
	assert_int_equal(sink.tiles[0], 66000 / 256);
	assert_int_equal(sink.tiles[1], 1);
	free(t);
	free(r);
	sha256_free(h);
}

/* In pieces of any size, on both sides of each border: the same tiles and the
 * same tree as one by one. */
static void several_leaves_are_as_one_by_one(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 1, 255, 256, 257, 5, 64,
					0, 63, 128, 1000, 7, 4000, 250};
	static uint8_t all[6292][SHA256_LEN];
	struct sha256 *h = sha256_new();
	struct tree *t = malloc(sizeof(*t)), *r = malloc(sizeof(*r));
	struct sink sink = {.h = h};
	struct err e = {0};
	size_t n = 0;

	(void)state;
	assert_non_null(h);
	assert_non_null(t);
	assert_non_null(r);
	tree_init(t, h);
	tree_init(r, h);
	t->full = full;
	t->arg = &sink;
	for (size_t i = 0; i < sizeof(all) / SHA256_LEN; i++)
		leaf(h, i, all[i]);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		uint8_t a[SHA256_LEN], b[SHA256_LEN];
		size_t k = pieces[i];

		assert_int_equal(tree_add_leaves(t, span_of(all[n],
							    k * SHA256_LEN),
						 &e), 0);
		for (; k > 0; k--, n++)
			assert_int_equal(tree_add(r, all[n], &e), 0);
		assert_int_equal(t->size, n);
		tree_root(t, a);
		tree_root(r, b);
		assert_memory_equal(a, b, SHA256_LEN);
		assert_memory_equal(t->tile, r->tile, sizeof(t->tile));
	}
	assert_int_equal(n, sizeof(all) / SHA256_LEN);
	assert_int_equal(sink.tiles[0], n / 256);
	free(t);
	free(r);
	sha256_free(h);
}

static void the_frontier_has_a_hash_for_each_set_bit(void **state)
{
	struct sha256 *h = sha256_new();
	struct tree *t = malloc(sizeof(*t));
	uint8_t out[TREE_FRONTIER_MAX], want[SHA256_LEN];
	struct err e = {0};

	(void)state;
	assert_non_null(h);
	assert_non_null(t);
	tree_init(t, h);
	assert_int_equal(tree_frontier(t, out), 0);
	for (uint64_t n = 0; n < 13; n++) {
		leaf(h, n, want);
		assert_int_equal(tree_add(t, want, &e), 0);
	}
	assert_int_equal(tree_frontier(t, out), 3 * SHA256_LEN); /* 8, 4, 1 */
	by_definition(h, 0, 8, want);
	assert_memory_equal(out, want, SHA256_LEN);
	by_definition(h, 8, 4, want);
	assert_memory_equal(out + SHA256_LEN, want, SHA256_LEN);
	leaf(h, 12, want);
	assert_memory_equal(out + 2 * SHA256_LEN, want, SHA256_LEN);
	free(t);
	sha256_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roots_are_those_of_the_vectors),
		cmocka_unit_test(roots_and_tiles_follow_the_definition),
		cmocka_unit_test(several_leaves_are_as_one_by_one),
		cmocka_unit_test(the_frontier_has_a_hash_for_each_set_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
