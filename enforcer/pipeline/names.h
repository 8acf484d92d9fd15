/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a name stands for: what the configured resolver told one
 * machine, for as long as it said, and 60 seconds at least (policy-language
 * section 7). What is open then was opened to the right address, so a flow is
 * asked about the time of its first packet, not about now.
 *
 * Fixed size; only names that the machine's policy has are put in. When it is
 * full the entry that ends first gives way; a flow that began under it is then
 * known by no name, and refused.
 */
#ifndef ENFORCER_PIPELINE_NAMES_H
#define ENFORCER_PIPELINE_NAMES_H

#include "core/clock.h"
#include "core/event.h"

#define NAMES_MAX	64 /* addresses of names, of one machine */
#define NAMES_TTL_MIN_S 60

struct name_row {
	uint8_t n; /* octets of the name; 0: free */
	uint8_t name[253];
	struct net_addr addr;
	int64_t from_ns, until_ns; /* of the stepless clock; until included */
};

struct names {
	struct name_row row[NAMES_MAX];
	uint32_t n; /* in use, from the first on */
};

/* From now on, for ttl_s. What it stood for already it goes on to stand for,
 * never shorter than was said before. */
void names_bind(struct names *t, struct span name, const struct net_addr *a,
		struct mono now, uint32_t ttl_s);
/* Did the name stand for the address at that time? */
bool names_stood_for(const struct names *t, struct span name,
		     const struct net_addr *a, struct mono at);

#endif
