/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a text that end in one octet: lines, names. */
#ifndef CORE_UNTIL_H
#define CORE_UNTIL_H

#include "core/span.h"

/* Up to the next octet of this value, which is passed too; there must be one,
 * or the cursor fails. */
static inline struct span cur_until(struct cur *c, uint8_t end)
{
	struct span rest = cur_peek(c, cur_left(c)), s;
	const uint8_t *at = rest.n ? memchr(rest.p, end, rest.n) : NULL;

	if (!at) {
		c->failed = true;
		return (struct span){0};
	}
	s = cur_take(c, (size_t)(at - rest.p));
	cur_take(c, 1);
	return s;
}

#endif
