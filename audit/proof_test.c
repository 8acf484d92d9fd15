/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/proof.h"
#include "audit/testdb.h"
#include "audit/store.h"
#include "audit/tiles.h"
#include "audit/tree.h"

#define N 130 /* beyond 128, so that the largest subtree has a neighbour */

/* A tree in memory, by the definition of RFC 9162 2.1.1: split at the largest
 * power of two below n. It shares nothing with what is tested. */
struct plain {
	struct sha256 *h;
	uint8_t leaf[N][SHA256_LEN], root[N + 1][SHA256_LEN];
};

static void by_definition(struct plain *t, uint64_t first, uint64_t n,
			  uint8_t out[SHA256_LEN])
{
	uint8_t left[SHA256_LEN], right[SHA256_LEN];
	uint64_t k = 1;

	if (n <= 1) {
		if (n)
			memcpy(out, t->leaf[first], SHA256_LEN);
		else
			sha256_of((struct span){0}, out);
		return;
	}
	while (2 * k < n)
		k *= 2;
	by_definition(t, first, k, left);
	by_definition(t, first + k, n - k, right);
	tree_node(t->h, left, right, out);
}

static int node(void *arg, unsigned b, uint64_t i, uint8_t out[SHA256_LEN],
		struct err *e)
{
	(void)e;
	assert_true((i + 1) << b <= N);
	by_definition(arg, i << b, UINT64_C(1) << b, out);
	return 0;
}

static struct plain *plain_new(void)
{
	struct plain *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->h = sha256_new();
	assert_non_null(t->h);
	for (uint64_t i = 0; i < N; i++)
		tree_leaf(t->h, span_of(&i, sizeof(i)), t->leaf[i]);
	for (uint64_t n = 0; n <= N; n++)
		by_definition(t, 0, n, t->root[n]);
	return t;
}

static void plain_free(struct plain *t)
{
	sha256_free(t->h);
	free(t);
}

static void flip(uint8_t *p, size_t bit)
{
	p[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

#define BITS (8 * SHA256_LEN)

static void every_inclusion_up_to_130(void **state)
{
	struct plain *t = plain_new();
	struct proof_source s = {t->h, node, t};
	struct proof p;
	struct err e = {0};

	(void)state;
	for (uint64_t n = 1; n <= N; n++) {
		for (uint64_t i = 0; i < n; i++) {
			uint8_t *leaf = t->leaf[i], *root = t->root[n];

			assert_int_equal(proof_inclusion(&p, &s, i, n, &e), 0);
			assert_true(proof_includes(t->h, &p, i, n, leaf, root));
			for (size_t b = 0; b < p.n * BITS; b++) {
				flip(p.hash[0], b);
				assert_false(proof_includes(t->h, &p, i, n,
							    leaf, root));
				flip(p.hash[0], b);
			}
			for (size_t b = 0; b < 8; b++)
				assert_false(proof_includes(t->h, &p, i ^ 1U << b,
							    n, leaf, root));
			p.n++;
			assert_false(proof_includes(t->h, &p, i, n, leaf,
						    root));
			p.n -= 2;
			if (n > 1)
				assert_false(proof_includes(t->h, &p, i, n,
							    leaf, root));
		}
	}
	plain_free(t);
}

static void every_consistency_up_to_130(void **state)
{
	struct plain *t = plain_new();
	struct proof_source s = {t->h, node, t};
	struct proof p;
	struct err e = {0};

	(void)state;
	for (uint64_t n = 0; n <= N; n++) {
		for (uint64_t m = 0; m <= n; m++) {
			uint8_t *a = t->root[m], *b = t->root[n];

			assert_int_equal(proof_consistency(&p, &s, m, n, &e), 0);
			assert_true(proof_continues(t->h, &p, m, n, a, b));
			for (size_t i = 0; i < p.n * BITS; i++) {
				flip(p.hash[0], i);
				assert_false(proof_continues(t->h, &p, m, n, a,
							     b));
				flip(p.hash[0], i);
			}
			p.n++;
			assert_false(proof_continues(t->h, &p, m, n, a, b));
			p.n--;
			if (m == n)
				continue;
			assert_false(m && proof_continues(t->h, &p, m, n,
							  t->root[n], b));
			assert_false(m && proof_continues(t->h, &p, m, n, a,
							  t->root[m]));
			if (p.n == 0)
				continue;
			p.n--;
			assert_false(proof_continues(t->h, &p, m, n, a, b));
		}
	}
	plain_free(t);
}

/* Each bit of what a proof is about. */
static void roots_and_leaves_with_a_flipped_bit(void **state)
{
	static const struct {
		uint64_t m, n;
	} cases[] = {{1, 1}, {1, 2}, {3, 7}, {64, 128}, {100, 130}, {129, 130}};
	struct plain *t = plain_new();
	struct proof_source s = {t->h, node, t};
	struct proof p, q;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t m = cases[i].m, n = cases[i].n;
		uint8_t a[SHA256_LEN], b[SHA256_LEN], leaf[SHA256_LEN];

		memcpy(a, t->root[m], sizeof(a));
		memcpy(b, t->root[n], sizeof(b));
		memcpy(leaf, t->leaf[m - 1], sizeof(leaf));
		assert_int_equal(proof_consistency(&p, &s, m, n, &e), 0);
		assert_int_equal(proof_inclusion(&q, &s, m - 1, n, &e), 0);
		for (size_t bit = 0; bit < BITS; bit++) {
			flip(a, bit);
			assert_false(proof_continues(t->h, &p, m, n, a, b));
			flip(a, bit);
			flip(b, bit);
			assert_false(proof_continues(t->h, &p, m, n, a, b));
			assert_false(proof_includes(t->h, &q, m - 1, n, leaf,
						    b));
			flip(b, bit);
			flip(leaf, bit);
			assert_false(proof_includes(t->h, &q, m - 1, n, leaf,
						    b));
			flip(leaf, bit);
		}
	}
	plain_free(t);
}

static void what_is_no_proof(void **state)
{
	struct plain *t = plain_new();
	struct proof_source s = {t->h, node, t};
	struct proof p = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(proof_inclusion(&p, &s, 5, 5, &e), E_LIMIT);
	assert_int_equal(proof_inclusion(&p, &s, 0, 0, &e), E_LIMIT);
	assert_int_equal(proof_consistency(&p, &s, 6, 5, &e), E_LIMIT);
	assert_false(proof_includes(t->h, &p, 0, 0, t->leaf[0], t->root[0]));
	assert_false(proof_continues(t->h, &p, 2, 1, t->root[2], t->root[1]));
	/* Only the empty tree's own root is that of no records. */
	assert_false(proof_continues(t->h, &p, 0, 1, t->root[1], t->root[1]));
	p.n = PROOF_MAX + 1;
	assert_false(proof_includes(t->h, &p, 0, UINT64_MAX, t->leaf[0],
				    t->root[0]));
	assert_false(proof_continues(t->h, &p, 1, UINT64_MAX, t->root[1],
				     t->root[1]));
	plain_free(t);
}

/* --- from the tiles of a database --- */

static void leaf_of(struct sha256 *h, struct db *d, uint64_t seq,
		    uint8_t out[SHA256_LEN])
{
	struct db_stmt *st;
	struct err e = {0};
	struct span data, record = {0};
	struct cur c;

	assert_int_equal(db_prepare(&st, d, "SELECT data FROM bundle WHERE"
				    " first = ?1", &e), 0);
	db_put_u64(st, 1, seq / 256 * 256);
	assert_int_equal(db_step(st, &e), 1);
	assert_true(db_span(st, 0, &data));
	c = cur_of(data);
	for (uint64_t i = 0; i <= seq % 256; i++)
		assert_true(store_next(&c, &record));
	tree_leaf(h, record, out);
	db_finish(st);
}

/* Sizes on both sides of each border; the log is larger than any of them. */
static void proofs_from_the_tiles_of_a_log(void **state)
{
	static const uint64_t sizes[] = {1,   2,   129, 255,  256,  257, 511,
					 512, 700, 767, 1024, 1025, 1300};
	struct sha256 *h = sha256_new();
	struct verify_result whole;
	struct proof_source s;
	struct tiles *t;
	struct err e = {0};
	struct proof p;
	struct db *d;
	uint8_t root[SHA256_LEN], old[SHA256_LEN], leaf[SHA256_LEN];

	(void)state;
	assert_non_null(h);
	test_make(1300);
	assert_int_equal(verify_file(test_path, NULL, &whole, NULL, NULL, &e), 0);
	d = test_db();
	assert_int_equal(tiles_open(&t, d, test_path, h, &e), 0);
	s = tiles_source(t);
	assert_int_equal(proof_root(&s, 1300, root, &e), 0);
	assert_memory_equal(root, whole.root, sizeof(root));
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		uint64_t n = sizes[k];

		assert_int_equal(proof_root(&s, n, root, &e), 0);
		for (uint64_t i = 0; i < n; i += 1 + i / 3) {
			leaf_of(h, d, i, leaf);
			assert_int_equal(proof_inclusion(&p, &s, i, n, &e), 0);
			assert_true(proof_includes(h, &p, i, n, leaf, root));
		}
		for (size_t j = 0; j <= k; j++) {
			assert_int_equal(proof_root(&s, sizes[j], old, &e), 0);
			assert_int_equal(proof_consistency(&p, &s, sizes[j], n,
							   &e), 0);
			assert_true(proof_continues(h, &p, sizes[j], n, old,
						    root));
		}
	}
	/* What is not there is not made up. */
	assert_int_equal(proof_root(&s, 1301, root, &e), E_NOTFOUND);
	tiles_close(t);
	test_db_close(d);
	sha256_free(h);
}

static void tiles_are_as_wide_as_the_log_is_long(void **state)
{
	static const struct {
		unsigned level;
		uint64_t idx;
		size_t hashes; /* 0: there is none */
	} rows[] = {
		{0, 0, 256}, {0, 1, 256}, {0, 2, 88},  {0, 3, 0},
		{1, 0, 2},   {1, 1, 0},	  {2, 0, 0},   {7, 0, 0},
		{8, 0, 0},   {0, UINT64_MAX, 0}, {0, INT64_MAX / 256, 0},
	};
	struct sha256 *h = sha256_new();
	struct tiles *t;
	struct err e = {0};
	struct span got;
	struct db *d;

	(void)state;
	assert_non_null(h);
	test_make(600);
	d = test_db();
	assert_int_equal(tiles_open(&t, d, test_path, h, &e), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = tiles_get(t, rows[i].level, rows[i].idx, &got, &e);

		assert_int_equal(rc, rows[i].hashes ? 0 : E_NOTFOUND);
		if (rc == 0)
			assert_int_equal(got.n, rows[i].hashes * SHA256_LEN);
	}
	tiles_close(t);
	test_db_close(d);
	sha256_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_inclusion_up_to_130),
		cmocka_unit_test(every_consistency_up_to_130),
		cmocka_unit_test(roots_and_leaves_with_a_flipped_bit),
		cmocka_unit_test(what_is_no_proof),
		cmocka_unit_test(proofs_from_the_tiles_of_a_log),
		cmocka_unit_test(tiles_are_as_wide_as_the_log_is_long),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
