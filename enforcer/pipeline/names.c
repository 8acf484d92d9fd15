/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/names.h"

static struct name_row *find(struct names *t, struct span name,
			     const struct net_addr *a)
{
	for (uint32_t i = 0; i < t->n; i++) {
		struct name_row *r = &t->row[i];

		if (net_addr_eq(&r->addr, a) &&
		    span_eq(span_of(r->name, r->n), name))
			return r;
	}
	return NULL;
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
	struct name_row *r = find(t, name, a);
	int64_t ttl = ttl_s < NAMES_TTL_MIN_S ? NAMES_TTL_MIN_S : ttl_s;
	int64_t until = now.ns + ttl * NS_PER_S;

	if (name.n == 0 || name.n > sizeof(r->name))
		return;
	/* What had ended begins anew: nothing was known in between. */
	if (r && r->until_ns >= now.ns) {
		if (until > r->until_ns)
			r->until_ns = until;
		return;
	}
	if (!r)
		r = place(t);
	*r = (struct name_row){.n = (uint8_t)name.n,
			       .addr = *a,
			       .from_ns = now.ns,
			       .until_ns = until};
	memcpy(r->name, name.p, name.n);
}

bool names_stood_for(const struct names *t, struct span name,
		     const struct net_addr *a, struct mono at)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct name_row *r = &t->row[i];

		if (net_addr_eq(&r->addr, a) && at.ns >= r->from_ns &&
		    at.ns <= r->until_ns &&
		    span_eq(span_of(r->name, r->n), name))
			return true;
	}
	return false;
}
