/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as the file of what was activated: as they are, and with the checksum
 * that they would need, or the fuzzer would never get behind it. Properties:
 * what is refused leaves nothing and says why; what is accepted is within its
 * bounds, is written again and read back as the same, and the second writing
 * gives the same octets. Whether a serial may come does not depend on which of
 * both is asked.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "enforcer/daemon/policy_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct policy_store *s)
{
	assert(s->n_force <= STORE_IMAGES && s->n_staged <= STORE_IMAGES);
	assert(s->n_seen <= STORE_SEEN && s->voids.n <= STORE_VOIDS);
	assert(s->clock.mono_ns >= 0 && s->clock.mono_ns <= STORE_NS_MAX);
	assert(s->clock.wall_us >= 0 && s->clock.wall_us <= STORE_US_MAX);
	for (size_t i = 0; i < s->n_seen; i++)
		assert(strnlen(s->seen[i].id, STORE_ID) < STORE_ID &&
		       s->seen[i].id[0]);
	for (size_t i = 0; i < s->n_staged; i++)
		assert(s->staged[i].elapsed_ns >= 0 &&
		       s->staged[i].elapsed_ns <= STORE_NS_MAX);
	for (size_t i = 1; i < s->voids.n; i++)
		assert(s->voids.answer[i - 1] < s->voids.answer[i]);
}

static void check_serials(struct policy_store *a, struct policy_store *b)
{
	struct err e = {0};

	for (size_t i = 0; i < a->n_staged; i++) {
		const struct pol_image *im = a->staged[i].image.image;

		assert(store_serial(a, im, &e) == store_serial(b, im, &e));
		assert(store_find_staged(a, im) != NULL);
	}
	for (size_t i = 0; i < a->n_force; i++) {
		const struct pol_image *im = a->force[i].image;

		/* What is in force may stay, whatever was seen; of two that
		 * claim one place the first is meant. */
		if (store_in_force(a, pol_image_kind(im), pol_image_id(im)) ==
		    im)
			assert(store_serial(a, im, &e) == 0);
	}
}

static void check(struct span all)
{
	struct policy_store *s = calloc(2, sizeof(*s)), *t = s + 1;
	uint8_t *once = NULL, *twice = NULL;
	size_t n = 0, m = 0;
	struct err e = {0};

	assert(s);
	if (store_parse(s, all, &e) < 0) {
		assert(e.text[0] && s->n_force + s->n_staged + s->n_seen == 0);
		free(s);
		return;
	}
	check_bounds(s);
	assert(store_form(s, &once, &n, &e) == 0);
	assert(store_parse(t, span_of(once, n), &e) == 0);
	assert(store_form(t, &twice, &m, &e) == 0);
	assert(n == m && memcmp(once, twice, n) == 0);
	assert(s->n_force == t->n_force && s->n_staged == t->n_staged &&
	       s->n_seen == t->n_seen && s->voids.n == t->voids.n);
	check_serials(s, t);
	free(once);
	free(twice);
	store_free(s);
	store_free(t);
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *with = malloc(size + SHA256_LEN);

	assert(with);
	check(span_of(data, size));
	if (size)
		memcpy(with, data, size);
	sha256_of(span_of(with, size), with + size);
	check(span_of(with, size + SHA256_LEN));
	free(with);
	return 0;
}
