/* SPDX-License-Identifier: Apache-2.0 */
#include "core/reason.h"

static const struct {
	const char *text, *why;
	enum reason_group group;
	size_t n; /* octets of the text */
} rows[REASON_COUNT] = {
	{"none", "", REASON_GROUP_NONE, 4},
#define X(id, text, group, why)                                                \
	{text, why, REASON_GROUP_##group, sizeof(text) - 1},
#include "core/reason.def"
#undef X
};

/* Side by side: who looks for a text looks at most of them. None is empty. */
static const uint8_t lengths[REASON_COUNT] = {
	0,
#define X(id, text, group, why) sizeof(text) - 1,
#include "core/reason.def"
#undef X
};

enum reason reasons_first(const struct reasons *s)
{
	for (int w = 0; w < 2; w++) {
		if (s->w[w])
			return (enum reason)(w * 64 +
					     __builtin_ctzll(s->w[w]));
	}
	return REASON_NONE;
}

static bool known(enum reason r)
{
	return (unsigned)r < REASON_COUNT;
}

const char *reason_text(enum reason r)
{
	return known(r) ? rows[r].text : "none";
}

const char *reason_why(enum reason r)
{
	return known(r) ? rows[r].why : "";
}

struct span reason_span(enum reason r)
{
	return span_of(reason_text(r), rows[known(r) ? r : REASON_NONE].n);
}

enum reason_group reason_group(enum reason r)
{
	return known(r) ? rows[r].group : REASON_GROUP_NONE;
}

enum reason reason_find(struct span text)
{
	for (unsigned i = 1; i < REASON_COUNT; i++) {
		if (text.n == lengths[i] && text.p[0] == rows[i].text[0] &&
		    memcmp(text.p, rows[i].text, text.n) == 0)
			return (enum reason)i;
	}
	return REASON_NONE;
}
