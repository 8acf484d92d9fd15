/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/image/home.h"

#include <stddef.h>

#define V4(a, b) 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b

static const struct {
	uint8_t addr[16];
	unsigned len;
} rows[] = {
	{{V4(10, 0)},    104}, /* RFC 1918 section 3 */
	{{V4(172, 16)},  108},
        {{V4(192, 168)}, 112},
	{{V4(169, 254)}, 112}, /* RFC 3927 section 2.1 */
	{{0xfc},         7  }, /* RFC 4193 section 3.1 */
	{{0xfe, 0x80},   10 }, /* RFC 4291 section 2.5.6 */
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

bool home_prefix(const uint8_t addr[16], unsigned len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (len >= rows[i].len &&
		    bits_equal(addr, rows[i].addr, rows[i].len))
			return true;
	}
	return false;
}
