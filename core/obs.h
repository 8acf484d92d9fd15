/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An observation: what one message said, as a list of facts.
 *
 * A dissector appends to a struct obs_list one CARRIER for the message and
 * one leaf for each reading, write or other thing in it; never one per
 * packet. Octets in facts are borrowed: from the message or the arena that
 * the caller of the dissector gave, valid until the verdict is given.
 *
 * Facts: the rows of fields.def. A fact that is absent is unknown, and
 * unknown never satisfies a rule.
 */
#ifndef CORE_OBS_H
#define CORE_OBS_H

#include "core/meas.h"
#include "core/reason.h"
#include "core/span.h"

enum field {
#define X(id, name, type, unit, range, source) F_##id,
#include "core/fields.def"
#undef X
	FIELD_COUNT
};
_Static_assert(FIELD_COUNT <= 128, "struct obs.have is too small");

enum field_type {
	FIELD_U64,
	FIELD_I64,
	FIELD_FLAG,
	FIELD_SPAN,
	FIELD_TEXT,
	FIELD_OID,
	FIELD_MEAS,
};

enum obs_kind {
#define X(id, name, family, level) OBS_##id,
#include "core/obs.def"
#undef X
	OBS_COUNT
};
_Static_assert(OBS_COUNT <= 128, "obs kinds are a bitmap of 128");

enum obs_level {
	OBS_LEVEL_CARRIER,
	OBS_LEVEL_REQUEST,
	OBS_LEVEL_RESPONSE,
	OBS_LEVEL_LEAF,
};

enum obs_family {
	OBS_FAMILY_FLOW,
	OBS_FAMILY_OPAQUE,
	OBS_FAMILY_C1222,
	OBS_FAMILY_DNS,
	OBS_FAMILY_TLS,
	OBS_FAMILY_HTTP,
	OBS_FAMILY_OBIX,
	OBS_FAMILY_ATTEST,
	OBS_FAMILY_COUNT,
};

/* Seen from the guest, whoever asked: OUT leaves the machine. */
enum dir {
	DIR_OUT = 0,
	DIR_IN = 1,
};

/* Units of RES_UNIT and VALUE_*; policy-language section 5. */
enum unit {
	UNIT_NONE,
	UNIT_WH,
	UNIT_W,
	UNIT_V,
	UNIT_A,
	UNIT_S,
	UNIT_VAR,
	UNIT_VA,
};

#define OBS_MAX_FACTS 32

struct fact {
	uint16_t field;
	uint32_t n; /* octets, for SPAN, TEXT and OID */
	union {
		uint64_t u;
		int64_t i;
		const uint8_t *p;
	};
};

struct obs {
	uint16_t kind; /* enum obs_kind */
	/* A second kind that it is as well, 0 = none (no leaf is flow.open): a
	 * rule of either kind grants it, denials and limits of both apply. */
	uint16_t also;
	uint8_t n;     /* facts in use */
	uint8_t dropped; /* facts that did not fit: the obs is refused */
	bool repeats; /* a field has several facts */
	uint64_t have[2];
	uint8_t at[FIELD_COUNT]; /* of a field it has: the first fact */
	struct fact f[OBS_MAX_FACTS];
};

/* A fixed array of observations; the caller owns v. The first of a message
 * is its CARRIER, the others are its leaves. */
struct obs_list {
	struct obs *v;
	uint32_t n, cap;
};

/* The next free place, emptied and with its kind set, or NULL when full. */
struct obs *obs_add(struct obs_list *l, enum obs_kind kind);

void obs_u64(struct obs *o, enum field f, uint64_t v);
void obs_i64(struct obs *o, enum field f, int64_t v);
void obs_span(struct obs *o, enum field f, struct span v); /* borrowed */
void obs_flag(struct obs *o, enum field f);

static inline bool obs_has(const struct obs *o, enum field f)
{
	return o->have[f / 64] >> (f % 64) & 1;
}

/* The first fact of that field, or NULL. */
static inline const struct fact *obs_fact(const struct obs *o, enum field f)
{
	return obs_has(o, f) ? &o->f[o->at[f]] : NULL;
}

/* The same; the default when there is none. */
static inline uint64_t obs_get(const struct obs *o, enum field f, uint64_t dflt)
{
	const struct fact *a = obs_fact(o, f);

	return a ? a->u : dflt;
}

static inline int64_t obs_get_i64(const struct obs *o, enum field f,
				  int64_t dflt)
{
	const struct fact *a = obs_fact(o, f);

	return a ? a->i : dflt;
}

static inline struct span obs_get_span(const struct obs *o, enum field f)
{
	const struct fact *a = obs_fact(o, f);

	return a ? (struct span){a->p, a->n} : (struct span){0};
}

const char *obs_name(enum obs_kind k); /* "c1222.read-request" */
enum obs_level obs_level(enum obs_kind k);
enum obs_family obs_family(enum obs_kind k);
const char *obs_family_name(enum obs_family f); /* "c1222" */
/* The kind of that name, or -1. */
int obs_find(struct span name);

const char *field_name(enum field f); /* "read-request"-style, with '-' */
/* Its key in JSON: '_' for '-', "granularity_s", "span_s". */
struct span field_key(enum field f);
enum field_type field_type(enum field f);
int field_find(struct span name); /* or -1 */

const char *unit_name(enum unit u); /* "Wh" */

/* Dotted decimal of the contents octets of an absolute OID: "2.16.124". A
 * malformed one gives "?". Returns buf, terminated, cut when too long. */
#define OID_TEXT 256
char *oid_text(char *buf, size_t cap, struct span oid);
/* The same for contents octets that continue a prefix: ".71.1001". */
char *oid_text_rest(char *buf, size_t cap, struct span rest);
/* The reverse; returns the number of octets in out, or E_SYNTAX/E_LIMIT. */
int oid_parse(struct span text, uint8_t *out, size_t cap);

#endif
