/* SPDX-License-Identifier: Apache-2.0 */
#include "core/utf8.h"

size_t utf8_len(struct span s)
{
	uint8_t a = s.n ? s.p[0] : 0xff;
	size_t n = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3
		 : a < 0xf5 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates and what lies beyond U+10FFFF. */
	if ((a == 0xe0 && s.p[1] < 0xa0) || (a == 0xed && s.p[1] > 0x9f) ||
	    (a == 0xf0 && s.p[1] < 0x90) || (a == 0xf4 && s.p[1] > 0x8f))
		return 0;
	return n;
}
