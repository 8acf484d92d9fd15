/* SPDX-License-Identifier: Apache-2.0 */
/* The block is what was written last, whatever the power does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "enforcer/daemon/disk_double.h"

#define WORDS 4000

static struct journal *begin_any(struct disk *d, void *block, size_t n,
				 int *rc)
{
	struct journal_io io = disk_io(d);
	struct journal *j;
	bool fresh;
	struct err e;

	*rc = journal_open(&j, &io, block, n, &fresh, &e);
	return j;
}

static struct journal *begin(struct disk *d, void *block, size_t n, int want)
{
	struct journal_io io = disk_io(d);
	struct journal *j;
	struct err e = {0};
	bool fresh;
	int rc = journal_open(&j, &io, block, n, &fresh, &e);

	if (rc != want)
		fail_msg("%d: %s", rc, e.text);
	return j;
}

static void write_all(struct journal *j, uint64_t *b, size_t words,
		      uint64_t generation)
{
	struct span part = span_of(b, words * sizeof(*b));
	struct err e = {0};

	if (journal_write(j, &part, 1, generation, &e))
		fail_msg("%s", e.text);
}

/* What is written is there for the next, with its generation, over many turns
 * of the files. */
static void test_goes_on(void **ctx)
{
	static uint64_t b[WORDS], was[WORDS];
	uint64_t seed = 5;
	struct disk d;
	struct journal *j;

	(void)ctx;
	disk_init(&d);
	j = begin(&d, b, sizeof(b), 0);
	for (unsigned i = 0; i < 400; i++) {
		for (unsigned k = 0; k < 300; k++)
			b[disk_random(&seed) % WORDS] = disk_random(&seed);
		write_all(j, b, WORDS, i);
		if (i % 7)
			continue;
		memcpy(was, b, sizeof(b));
		b[3]++; /* of which nobody was told */
		journal_free(j);
		j = begin(&d, b, sizeof(b), 0);
		assert_memory_equal(b, was, sizeof(b));
		assert_int_equal(journal_generation(j), i);
	}
	assert_true(d.f[0].n_now < 2 * JOURNAL_TURN);
	journal_free(j);
	disk_free(&d);
}

/* Only what changed is written, and what is not among the parts is not. */
static void test_parts(void **ctx)
{
	static uint64_t b[WORDS];
	struct disk d;
	struct journal *j;
	struct span part[2] = {span_of(b, 800), span_of(b + 1000, 800)};
	struct err e;
	size_t n;

	(void)ctx;
	disk_init(&d);
	memset(b, 0, sizeof(b));
	j = begin(&d, b, sizeof(b), 0);
	b[500] = 1;
	assert_int_equal(journal_write(j, part, 2, 1, &e), 0);
	n = d.f[0].n_now;
	b[1] = b[99] = b[1001] = 7;
	assert_int_equal(journal_write(j, part, 2, 1, &e), 0);
	assert_int_equal(d.f[0].n_now - n, 24 + 3 * 12);
	n = d.syncs;
	assert_int_equal(journal_write(j, part, 2, 1, &e), 0);
	assert_int_equal(d.syncs, n); /* nothing changed */
	journal_free(j);
	j = begin(&d, b, sizeof(b), 0);
	assert_int_equal(b[99], 7);
	assert_int_equal(b[1001], 7);
	assert_int_equal(b[500], 0);
	journal_free(j);
	disk_free(&d);
}

/* Power goes at any moment, disks break at any call: what is found is what was
 * told to be written last, or what was under way. */
static void test_power(void **ctx)
{
	/* [0]: what was told to be there; then what was tried since. */
	static uint64_t b[WORDS], maybe[42][WORDS];

	(void)ctx;
	for (uint64_t round = 1; round <= 300; round++) {
		uint64_t seed = round * 0x9e3779b97f4a7c15;
		struct disk d;
		struct journal *j;
		struct err e;
		bool any = false; /* was told to be written */
		unsigned n = 1;
		int rc;

		disk_init(&d);
		memset(b, 0, sizeof(b));
		memset(maybe[0], 0, sizeof(b));
		j = begin(&d, b, sizeof(b), 0);
		for (unsigned i = 0; i < 40; i++) {
			struct span part = span_of(b, sizeof(b));
			unsigned many = disk_random(&seed) % 8 ? 20 : WORDS;
			bool power, found = false;

			for (unsigned k = 0; k < many; k++)
				b[disk_random(&seed) % WORDS] =
					disk_random(&seed);
			if (disk_random(&seed) % 6 == 0)
				d.fails = 1 + (int)(disk_random(&seed) % 3);
			if (journal_write(j, &part, 1, i, &e) == 0) {
				any = true;
				n = 0;
			}
			memcpy(maybe[n++], b, sizeof(b));
			if (disk_random(&seed) % 4)
				continue;
			d.fails = 0;
			power = disk_random(&seed) % 2;
			if (power)
				disk_power(&d, &seed);
			journal_free(j);
			j = begin_any(&d, b, sizeof(b), &rc);
			for (unsigned k = 0; k < n; k++)
				found |= memcmp(b, maybe[k], sizeof(b)) == 0;
			if (!found || (rc && (any || rc != E_INTEGRITY)))
				fail_msg("round %llu, write %u: %d",
					 (unsigned long long)round, i, rc);
			if (power) {
				n = 1;
				memcpy(maybe[0], b, sizeof(b));
			}
		}
		journal_free(j);
		disk_free(&d);
	}
}

/* What stands in the files is anything. */
static void test_damaged(void **ctx)
{
	static uint64_t b[WORDS];
	struct disk d;
	struct journal *j;

	(void)ctx;
	disk_init(&d);
	memset(b, 0, sizeof(b));
	j = begin(&d, b, sizeof(b), 0);
	b[7] = 9;
	write_all(j, b, WORDS, 3);
	/* An octet of the only change: none is whole. It can go on. */
	for (size_t at = 0; at < 24 + 24 + 12; at++) {
		struct journal *k;

		d.f[0].now[at] ^= 1;
		k = begin(&d, b, sizeof(b), E_INTEGRITY);
		assert_int_equal(b[7], 0);
		journal_free(k);
		d.f[0].now[at] ^= 1;
	}
	journal_free(j);
	j = begin(&d, b, sizeof(b), 0);
	assert_int_equal(b[7], 9);
	/* A larger block takes it, a smaller one does not. */
	journal_free(j);
	j = begin(&d, b, sizeof(b) / 2, E_INTEGRITY);
	journal_free(j);
	{
		struct journal_io io = disk_io(&d);

		assert_int_equal(journal_octets(&io), sizeof(b));
	}
	/* Cut: it was under way, so it is none; with another one before, that
	 * one counts. */
	j = begin(&d, b, sizeof(b), 0);
	b[8] = 1;
	write_all(j, b, WORDS, 4);
	journal_free(j);
	d.f[0].n_now--;
	j = begin(&d, b, sizeof(b), 0);
	assert_int_equal(b[7], 9);
	assert_int_equal(b[8], 0);
	assert_int_equal(journal_generation(j), 3);
	journal_free(j);
	disk_free(&d);
}

/* Of what is erased nothing is left in either file. */
static void test_anew(void **ctx)
{
	static uint64_t b[WORDS];
	const uint64_t secret = 0x5ec4e7005ec4e7;
	struct span part = span_of(b, sizeof(b));
	struct disk d;
	struct journal *j;
	struct err e;

	(void)ctx;
	disk_init(&d);
	memset(b, 0, sizeof(b));
	j = begin(&d, b, sizeof(b), 0);
	b[7] = secret;
	write_all(j, b, WORDS, 1);
	b[7] = 1;
	assert_int_equal(journal_anew(j, &part, 1, &e), 0);
	for (int i = 0; i < JOURNAL_FILES; i++) {
		for (size_t k = 0; k + 8 < d.f[i].n_safe; k++)
			assert_memory_not_equal(d.f[i].safe + k, &secret, 8);
	}
	journal_free(j);
	j = begin(&d, b, sizeof(b), 0);
	assert_int_equal(b[7], 1);
	assert_int_equal(journal_generation(j), 1);
	journal_free(j);
	disk_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_power),	cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
