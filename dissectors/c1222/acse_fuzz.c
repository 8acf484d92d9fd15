/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing and the ACSE APDU. Properties: the length is the same for every
 * prefix that shows it; what is read lies inside the unit; whatever is read
 * has a canonical cleartext that fits; a refusal has a reason.
 */
#include <assert.h>

#include "dissectors/c1222/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct span part, struct span unit)
{
	return part.n == 0 || (part.p >= unit.p && part.n <= unit.n &&
			       (size_t)(part.p - unit.p) <= unit.n - part.n);
}

static void check_length(struct span in)
{
	struct err e = {0};
	size_t len;
	int rc = acse_length(in, &len, &e);

	for (size_t n = 0; n <= in.n && n <= 8; n++) {
		struct err e2 = {0};
		size_t l2;
		int rc2 = acse_length(span_sub(in, 0, n), &l2, &e2);

		/* A shorter prefix knows as much or less. */
		if (rc2 == E_SYNTAX)
			assert(rc == E_SYNTAX && e2.reason == e.reason);
		else if (rc2 == E_MORE)
			assert(l2 == 0 || l2 == len);
		else
			assert(rc == 0 && l2 == len);
	}
	if (rc == 0)
		assert(len > 0 && len <= in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct span unit = span_of(data, size);
	uint8_t buf[EAXP_N_MAX];
	struct wbuf n = wbuf_of(buf, sizeof(buf));
	struct err e = {0};
	struct acse a;

	check_length(unit);
	if (acse_read(&a, unit, &arena, &e) != 0) {
		assert(e.reason != REASON_NONE && e.code < 0);
		assert(e.off <= size);
		return 0;
	}
	for (int i = 0; i < ACSE_ELEMENTS; i++) {
		if (acse_has(&a, (enum acse_element)i))
			assert(inside(a.el[i], unit) && a.el[i].n >= 2);
	}
	assert(inside(a.octets, unit) && a.octets.n > 0);
	assert(data[a.octets_at] == a.octets.p[0]);
	/* The octet string ends where everything ends. */
	assert(a.octets_at + a.octets.n == size);
	assert(a.called.n <= BER_OID_MAX && a.calling.n <= BER_OID_MAX);
	assert(acse_has(&a, ACSE_CALLED) == (a.called.n > 0));
	if (a.auth == ACSE_AUTH_C1222 || a.auth == ACSE_AUTH_NONE) {
		eaxp_canonical(&a, 1, 2, &n);
		assert(!n.failed);
	}
	return 0;
}
