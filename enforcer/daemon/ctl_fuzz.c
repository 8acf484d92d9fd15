/* SPDX-License-Identifier: Apache-2.0 */
/* A request that is taken is one that would be written the same way. */
#include <assert.h>
#include <stdio.h>

#include "enforcer/daemon/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_request r;
	struct err e = {0};
	char back[CTL_REQUEST + 64];
	int rc = ctl_request(&r, span_of(data, size), &e);

	if (rc < 0) {
		assert(rc == E_SYNTAX || rc == E_LIMIT);
		assert(e.text[0] && e.off <= size);
		return 0;
	}
	assert(r.verb < CTL_VERBS && size < CTL_REQUEST);
	assert(strnlen(r.guest, sizeof(r.guest)) < sizeof(r.guest));
	assert((r.verb == CTL_PROPOSE) == (r.body != 0));
	if (r.verb == CTL_PROPOSE)
		snprintf(back, sizeof(back), "propose %u", r.body);
	else
		snprintf(back, sizeof(back), "%s%s%s", ctl_verb_name(r.verb),
			 r.guest[0] ? " " : "", r.guest);
	assert(span_eq(span_str(back), span_of(data, size)));
	return 0;
}
