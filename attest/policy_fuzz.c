/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as a file of approvals. Properties: what is taken has an authority,
 * names and signatures within their bounds, and a signature that is written
 * again is read as the same numbers.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "attest/policy.h"

static void one(const struct policy_approval *a)
{
	struct span r, s, r2, s2;
	uint8_t again[DER_SIG];
	struct wbuf w = wbuf_of(again, sizeof(again));

	assert(strlen(a->name) > 0 && strlen(a->name) <= POLICY_NAME);
	assert(a->n <= DER_SIG);
	assert(der_get_signature(span_of(a->der, a->n), &r, &s));
	assert(der_put_signature(&w, r, s) == 0);
	assert(der_get_signature(wbuf_span(&w), &r2, &s2));
	assert(span_eq(r, r2) && span_eq(s, s2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t state[POLICY_DIGEST] = {1};
	struct key_policy *p = calloc(1, sizeof(*p));
	uint8_t digest[POLICY_DIGEST];
	struct err e = {0};

	assert(p);
	if (policy_read(p, span_of(data, size), &e) == 0) {
		assert(p->has_authority);
		assert(p->n_approvals <= POLICY_APPROVALS);
		for (size_t i = 0; i < p->n_approvals; i++)
			one(&p->approval[i]);
		policy_of_authority(p, digest);
		assert(!policy_find(p, state));
	} else {
		assert(e.text[0]);
	}
	free(p);
	return 0;
}
