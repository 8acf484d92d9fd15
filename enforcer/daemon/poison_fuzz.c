/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any octets as a packet that an engine died of: the reader of headers stands
 * them, the packet is like itself, a packet with the ends exchanged is of the
 * same connection, and any octets as the table lead nowhere.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "enforcer/daemon/poison.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX 4096

static void turn(uint8_t *p, size_t at, size_t n)
{
	uint8_t x[16];

	memcpy(x, p + at, n);
	memmove(p + at, p + at + n, n);
	memcpy(p + at + n, x, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sipkey key = {3, 4};
	const struct mono now = {POISON_NS};
	struct poison p = {0}, any;
	struct span packet = span_of(data, size);
	uint8_t back[MAX];

	if (size == 0 || size > MAX)
		return 0;
	assert(!poison_is(&p, &key, packet, now));
	poison_add(&p, &key, packet, now);
	assert(p.row[0].content || p.row[0].flow);
	assert(poison_is(&p, &key, packet, now));
	if (p.row[0].flow) {
		bool v4 = data[0] >> 4 == 4;
		size_t head = v4 ? (size_t)(data[0] & 15) * 4 : 40;
		uint8_t proto = data[v4 ? 9 : 6];
		bool whole = !v4 || ((data[6] << 8 | data[7]) & 0x3fff) == 0;

		memcpy(back, data, size);
		turn(back, v4 ? 12 : 8, v4 ? 4 : 16);
		if (head < 20)
			head = 20;
		if (whole && (proto == 6 || proto == 17))
			turn(back, head, 2);
		p.row[0].content = 0;
		assert(poison_is(&p, &key, span_of(back, size), now));
	}
	memset(&any, 0, sizeof(any));
	memcpy(&any, data, size < sizeof(any) ? size : sizeof(any));
	poison_is(&any, &key, packet, now);
	poison_add(&any, &key, packet, now);
	assert(poison_is(&any, &key, packet, now));
	assert(poison_until(&any, now) <= now.ns + POISON_NS);
	return 0;
}
