/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base64.h"

static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct wbuf *w, struct span s)
{
	struct cur c = cur_of(s);

	while (cur_left(&c) > 0) {
		struct span part = cur_take(&c, cur_left(&c) < 3 ? cur_left(&c)
								 : 3);
		uint32_t v = 0;

		for (size_t i = 0; i < 3; i++)
			v = v << 8 | (i < part.n ? part.p[i] : 0);
		for (size_t i = 0; i < 4; i++)
			wbuf_u8(w, i <= part.n
					   ? (uint8_t)digits[v >> (18 - 6 * i) &
							     63]
					   : '=');
	}
}

static int value(uint8_t c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

bool base64_get(struct wbuf *w, struct span text)
{
	struct cur c = cur_of(text);

	while (cur_left(&c) > 0 && !w->failed) {
		struct span part = cur_take(&c, 4);
		size_t n = part.n; /* digits before the padding */
		uint32_t v = 0;

		/* Only at the very end, one or two. */
		while (cur_left(&c) == 0 && n > 2 && part.p[n - 1] == '=')
			n--;
		w->failed |= n < 2;
		for (size_t i = 0; i < 4 && !w->failed; i++) {
			int d = i < n ? value(part.p[i]) : 0;

			w->failed |= d < 0;
			v = v << 6 | ((uint32_t)d & 63);
		}
		if (n < 4 && v & (n == 3 ? 0xff : 0xffff))
			w->failed = true;
		if (n >= 2)
			wbuf_be(w, v >> 8 * (4 - n), n - 1);
	}
	return !w->failed && cur_ok(&c);
}
