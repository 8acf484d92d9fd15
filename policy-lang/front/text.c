/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/text.h"

struct code_range {
	uint32_t lo, hi;
};

/* Controls, bidirectional controls, and what nobody can see. */
static const struct code_range invisible[] = {
	{0x00,    0x09   },
        {0x0b,    0x1f   },
        {0x7f,    0x9f   },
	{0xad,    0xad   },
        {0x34f,   0x34f  },
        {0x61c,   0x61c  },
	{0x115f,  0x1160 },
        {0x17b4,  0x17b5 },
        {0x180b,  0x180e },
	{0x200b,  0x200f },
        {0x2028,  0x202e },
        {0x2060,  0x206f },
	{0x3164,  0x3164 },
        {0xfe00,  0xfe0f },
        {0xfeff,  0xfeff },
	{0xffa0,  0xffa0 },
        {0xfff0,  0xfffb },
        {0xfffe,  0xffff },
	{0xe0000, 0xe0fff},
};

bool text_invisible(uint32_t c)
{
	size_t i = 0;

	while (i + 1 < sizeof(invisible) / sizeof(invisible[0]) &&
	       c > invisible[i].hi)
		i++;
	return c >= invisible[i].lo && c <= invisible[i].hi;
}

bool text_char(struct cur *c, uint32_t *code)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t b = cur_u8(c);
	int more = b < 0x80   ? 0
		   : b < 0xc2 ? -1
		   : b < 0xe0 ? 1
		   : b < 0xf0 ? 2
		   : b < 0xf5 ? 3
			      : -1;

	if (more < 0)
		return false;
	if (more == 0) {
		*code = b;
		return cur_ok(c);
	}
	*code = b & (0x3fu >> more);
	for (int i = 0; i < more; i++) {
		b = cur_u8(c);
		if ((b & 0xc0) != 0x80)
			return false;
		*code = *code << 6 | (b & 0x3f);
	}
	return cur_ok(c) && *code >= least[more] && *code <= 0x10ffff &&
	       (*code < 0xd800 || *code > 0xdfff);
}
