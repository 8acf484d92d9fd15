/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/names.h"

/* Its row, or t->n. */
static uint32_t find(const struct names *t, struct span name,
		     const struct net_addr *a)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct name_row *r = &t->row[i];

		if (net_addr_eq(&r->addr, a) &&
		    span_eq(span_of(r->name, r->n), name))
			return i;
	}
	return t->n;
}

static struct name_row *place(struct names *t)
{
	struct name_row *first = &t->row[0];

	if (t->n < NAMES_MAX)
		return &t->row[t->n++];
	for (uint32_t i = 1; i < t->n; i++) {
		if (t->row[i].until_ns < first->until_ns)
			first = &t->row[i];
	}
	return first;
}

void names_bind(struct names *t, struct span name, const struct net_addr *a,
		struct mono now, uint32_t ttl_s)
{
	uint32_t i = find(t, name, a);
	struct name_row *r;
	int64_t ttl = ttl_s < NAMES_TTL_MIN_S	? NAMES_TTL_MIN_S
		      : ttl_s > NAMES_TTL_MAX_S ? NAMES_TTL_MAX_S
						: ttl_s;
	int64_t until = now.ns + ttl * NS_PER_S;

	if (name.n == 0 || name.n > sizeof(r->name))
		return;
	if (i < t->n) {
		if (until > t->row[i].until_ns)
			t->row[i].until_ns = until;
		return;
	}
	r = place(t);
	*r = (struct name_row){.n = (uint8_t)name.n,
			       .addr = *a,
			       .until_ns = until};
	memcpy(r->name, name.p, name.n);
}

bool names_stand_for(const struct names *t, struct span name,
		     const struct net_addr *a, struct mono now)
{
	uint32_t i = find(t, name, a);

	return i < t->n && now.ns <= t->row[i].until_ns;
}

struct span names_stood_for(const struct names *t, const struct net_addr *a,
			    struct mono now, struct mono *until)
{
	const struct name_row *last = NULL;

	for (uint32_t i = 0; i < t->n; i++) {
		const struct name_row *r = &t->row[i];

		if (net_addr_eq(&r->addr, a) && r->until_ns < now.ns &&
		    (!last || r->until_ns > last->until_ns))
			last = r;
	}
	if (!last)
		return (struct span){0};
	until->ns = last->until_ns;
	return span_of(last->name, last->n);
}
