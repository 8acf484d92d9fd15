/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crc32c.h"

/* Nibble table of the reflected polynomial: small, and fast enough for what
 * is checked once at load, on processors without the instruction. */
static const uint32_t nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_by_table(uint32_t crc, struct span in)
{
	crc = ~crc;
	for (size_t i = 0; i < in.n; i++) {
		crc ^= in.p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

#ifdef __x86_64__
/* Each record of the audit has the sums of a few names in it. */
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc,
								 struct span in)
{
	uint64_t sum = ~crc, word;
	size_t i = 0;

	for (; in.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, in.p + i, sizeof(word));
		sum = __builtin_ia32_crc32di(sum, word);
	}
	for (; i < in.n; i++)
		sum = __builtin_ia32_crc32qi((uint32_t)sum, in.p[i]);
	return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, struct span in)
{
	return __builtin_cpu_supports("sse4.2") ? by_instruction(crc, in)
						: crc32c_by_table(crc, in);
}
#else
uint32_t crc32c(uint32_t crc, struct span in)
{
	return crc32c_by_table(crc, in);
}
#endif
