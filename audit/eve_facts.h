/* SPDX-License-Identifier: Apache-2.0 */
/* Facts as members of a JSON object: what the protocols' objects share. */
#ifndef AUDIT_EVE_FACTS_H
#define AUDIT_EVE_FACTS_H

#include "audit/eve.h"

#define NAME_OF(list, v)                                                       \
	((v) < sizeof(list) / sizeof((list)[0]) ? (list)[v] : "unknown")

struct eve_fields { /* a set of them */
	uint64_t w[2];
};
_Static_assert(FIELD_COUNT <= 128, "struct eve_fields is too small");

static inline bool fields_has(const struct eve_fields *s, enum field f)
{
	return s->w[f / 64] >> (f % 64) & 1;
}

static inline void fields_add(struct eve_fields *s, enum field f)
{
	s->w[f / 64] |= UINT64_C(1) << (f % 64);
}

/* The first fact of that field, or NULL. */
const struct fact *eve_fact_of(const struct obs *o, enum field f);
/* The value of a fact; its key was written, or it is one of a list. */
void eve_fact(struct json *j, const struct fact *f);
/* All facts of o but those in skip and those of the disclosure; one that
 * occurs several times becomes a list at its first place. */
void eve_facts(struct json *j, const struct obs *o, const struct eve_opts *opt,
	       struct eve_fields skip);
/* What it discloses. */
void eve_disclosure(struct json *j, const struct obs *o,
		    const struct eve_opts *opt);

/* --- the objects of the protocols ----------------------------------------------- */

/* Members "c1222"; "http" and "obix", as far as the event is about one. line:
 * of an EV_PROTOCOL event, see eve_lines. */
void eve_c1222(struct json *j, const struct event *ev,
	       const struct eve_opts *opt);
void eve_http(struct json *j, const struct event *ev,
	      const struct eve_opts *opt);
bool eve_is_http(const struct event *ev);
/* Lines of an EV_PROTOCOL event of HTTP, and the type of each. */
unsigned eve_http_lines(const struct event *ev);
const char *eve_http_type(const struct event *ev, unsigned line);
/* Members "tls" and "dns". */
void eve_names(struct json *j, const struct event *ev);
/* An EV_PROTOCOL event of octets that nobody read: no line. */
bool eve_says_nothing(const struct event *ev);

#endif
