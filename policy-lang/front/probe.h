/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader of a key would read, found by letting it read with a probe
 * (phrase.h); for the JSON Schema. */
#ifndef POLICY_LANG_FRONT_PROBE_H
#define POLICY_LANG_FRONT_PROBE_H

#include "policy-lang/front/schema.h"

/* What was asked of one node. */
struct asked {
	bool yes;
	enum ph form;
	uint64_t lo, hi;	  /* PH_INTEGER, PH_RANGE */
	const char *prefix;	  /* PH_HEX32 */
	const struct word *words; /* PH_WORD */
	const struct keys *keys;  /* PH_MAP */
};

/* Where something may stand as the value of a key, or not. */
enum place {
	PLACE_ONE,	/* a single value */
	PLACE_ITEM,	/* each of a sequence, a single value */
	PLACE_MAP_ITEM, /* each of a sequence, a mapping */
	PLACE_MAP,	/* a mapping */
	PLACE_ENTRY,	/* each value of a mapping with names of its own */
	PLACE_ENTRY_ITEM, /* each of a sequence that is such a value */
	PLACE_COUNT
};

/* out points to nothing in the pool, whose oom must be set. */
void probe_key(const struct key *row, enum pol_kind kind, struct pool *pool,
	       struct asked out[PLACE_COUNT]);

#endif
