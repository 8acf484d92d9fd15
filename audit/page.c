/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/page.h"

#include <endian.h>

#define WORDS ((PAGE_SIZE_OCTETS - PAGE_SEAL) / 4)

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Each step is an invertible map of (a, b) plus the word, so two pages that
 * differ in one word only can never end in the same sums. */
static void sums(const uint8_t *page, uint64_t no, uint32_t out[2])
{
	uint32_t a = (uint32_t)no, b = ~(uint32_t)no ^ (uint32_t)(no >> 32);

	_Static_assert(WORDS % 2 == 0, "two words a step");
	for (size_t i = 0; i < WORDS; i += 2) {
		a += word(page + 4 * i) + b;
		b += word(page + 4 * i + 4) + a;
	}
	out[0] = htole32(a);
	out[1] = htole32(b);
}

void page_seal(uint8_t page[PAGE_SIZE_OCTETS], uint64_t no)
{
	uint32_t s[2];

	sums(page, no, s);
	memcpy(page + PAGE_SIZE_OCTETS - PAGE_SEAL, s, PAGE_SEAL);
}

bool page_ok(const uint8_t page[PAGE_SIZE_OCTETS], uint64_t no)
{
	static const uint8_t zero[PAGE_SIZE_OCTETS];
	uint32_t s[2];

	sums(page, no, s);
	return memcmp(page + PAGE_SIZE_OCTETS - PAGE_SEAL, s, PAGE_SEAL) == 0 ||
	       memcmp(page, zero, sizeof(zero)) == 0;
}
