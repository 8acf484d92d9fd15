/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a name stands for: what the configured resolver told one
 * machine, for as long as it said, but 60 seconds at least (policy-language
 * section 7) and a day at most. A flow is asked about when it begins, and keeps the names that its
 * far end had then (flow.named): what is open was opened to the right address.
 *
 * Fixed size; only names that the machine's policy has are put in. When it is
 * full the entry that ends first gives way: the name has to be asked for again
 * before the next flow.
 */
#ifndef ENFORCER_PIPELINE_NAMES_H
#define ENFORCER_PIPELINE_NAMES_H

#include "core/clock.h"
#include "core/event.h"

#define NAMES_MAX	64 /* addresses of names, of one machine */
#define NAMES_TTL_MIN_S 60
/* An answer may say 68 years (RFC 2181 8), in which the address goes to
 * somebody else. Who keeps answers cuts what they say (RFC 8767 suggests a
 * week); whoever still wants the name asks again: once a day costs nothing. */
#define NAMES_TTL_MAX_S (24 * 60 * 60)

struct name_row {
	uint8_t n; /* octets of the name; 0: free */
	uint8_t name[253];
	struct net_addr addr;
	int64_t until_ns; /* of the stepless clock; included */
};

struct names {
	struct name_row row[NAMES_MAX];
	uint32_t n; /* in use, from the first on */
};

/* From now on, for ttl_s within those bounds. What it stood for already it goes on to stand for,
 * never shorter than was said before. */
void names_bind(struct names *t, struct span name, const struct net_addr *a,
		struct mono now, uint32_t ttl_s);
/* Does the name stand for the address? */
bool names_stand_for(const struct names *t, struct span name,
		     const struct net_addr *a, struct mono now);
/* A name that stood for the address, the one that ended last, and when that
 * was; empty: none is remembered. Borrowed, until the next names_bind. */
struct span names_stood_for(const struct names *t, const struct net_addr *a,
			    struct mono now, struct mono *until);

#endif
