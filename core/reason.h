/* SPDX-License-Identifier: Apache-2.0 */
/* The closed list of reasons; rows and meanings in reason.def. */
#ifndef CORE_REASON_H
#define CORE_REASON_H

#include "core/span.h"

enum reason {
	REASON_NONE = 0,
#define X(id, text, group, why) REASON_##id,
#include "core/reason.def"
#undef X
	REASON_COUNT
};

enum reason_group {
	REASON_GROUP_NONE,
	REASON_GROUP_POLICY,
	REASON_GROUP_UNIT,
	REASON_GROUP_PACKET,
	REASON_GROUP_NOTE,
};

/* A set of reasons. */
struct reasons {
	uint64_t w[2];
};
_Static_assert(REASON_COUNT <= 128, "struct reasons is too small");

static inline void reasons_add(struct reasons *s, enum reason r)
{
	if (r != REASON_NONE)
		s->w[r / 64] |= UINT64_C(1) << (r % 64);
}

static inline bool reasons_has(const struct reasons *s, enum reason r)
{
	return s->w[r / 64] >> (r % 64) & 1;
}

static inline bool reasons_any(const struct reasons *s)
{
	return (s->w[0] | s->w[1]) != 0;
}

/* The first in the order of the list: the primary reason. */
enum reason reasons_first(const struct reasons *s);

const char *reason_text(enum reason r); /* "too-soon"; "none" for 0 */
struct span reason_span(enum reason r); /* the same, without counting */
const char *reason_why(enum reason r);	/* one clause of prose */
enum reason_group reason_group(enum reason r);
enum reason reason_find(struct span text); /* REASON_NONE when unknown */

#endif
