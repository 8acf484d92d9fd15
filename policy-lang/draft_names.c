/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which name a party of a draft is known. The gateway goes by a name where
 * its one name server gave it to the address, and then for all that is said to
 * that address; so a draft does where every flow to what a name stood for began
 * with a hello of TLS that asks for this name.
 */
#include <stddef.h>
#include <string.h>

#include "enforcer/pipeline/names.h"
#include "policy-lang/draft.h"

bool draft_is_host(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '-' || (c == '.' && i && i + 1 < s.n)))
			return false;
	}
	return s.n && s.n <= DRAFT_VALUE_OCTETS;
}

void draft_reset(struct draft *d)
{
	size_t kept = offsetof(struct draft, party);

	d->again = false;
	memset((uint8_t *)d + kept, 0, sizeof(*d) - kept);
}

bool draft_by_name(const struct draft *d)
{
	for (size_t i = 0; i < d->n_party; i++) {
		if (d->party[i].dns[0])
			return true;
	}
	return false;
}

/* --- what was answered ------------------------------------------------------- */

static void bind_name(struct draft *d, struct span name,
		      const struct net_addr *a, int64_t until_ns)
{
	struct draft_name *r = d->name;

	while (r < d->name + d->n_name &&
	       (!span_is(name, r->name) || !net_addr_eq(&r->addr, a)))
		r++;
	if (r == d->name + DRAFT_NAMES) {
		d->cut = true;
		return;
	}
	if (r == d->name + d->n_name) {
		d->n_name++;
		memcpy(r->name, name.p, name.n);
		r->addr = *a;
	}
	if (until_ns > r->until_ns)
		r->until_ns = until_ns;
}

static void add_resolver(struct draft *d, const struct net_addr *a)
{
	for (size_t i = 0; i < d->n_resolver; i++) {
		if (net_addr_eq(&d->resolver[i], a))
			return;
	}
	if (d->n_resolver < DRAFT_RESOLVERS)
		d->resolver[d->n_resolver++] = *a;
}

void draft_answer(struct draft *d, const struct event *ev, const struct obs *o)
{
	struct span name = obs_get_span(o, F_DNS_NAME);
	int64_t ttl = (int64_t)obs_get(o, F_DNS_TTL, 0);
	bool out = ev->dir == DIR_OUT;

	if (o->kind == (out ? OBS_DNS_QUERY : OBS_DNS_ANSWER))
		add_resolver(d, out ? &ev->tup.dst : &ev->tup.src);
	if (o->kind != OBS_DNS_ANSWER || out || !draft_is_host(name))
		return;
	if (ttl < NAMES_TTL_MIN_S)
		ttl = NAMES_TTL_MIN_S;
	if (ttl > NAMES_TTL_MAX_S)
		ttl = NAMES_TTL_MAX_S;
	for (unsigned i = 0; i < o->n; i++) {
		struct net_addr a;

		if (o->f[i].field != F_DNS_ADDRESS || o->f[i].n != sizeof(a.b))
			continue;
		memcpy(a.b, o->f[i].p, sizeof(a.b));
		bind_name(d, name, &a, ev->now.mono.ns + ttl * NS_PER_S);
	}
}

/* --- what is said to them ----------------------------------------------------- */

static bool stands(const struct draft_flow *f, size_t i)
{
	return f->named[i / 64] >> (i % 64) & 1;
}

void draft_begin(const struct draft *d, struct draft_flow *f,
		 const struct net_addr *far, struct mono now)
{
	for (size_t i = 0; i < d->n_name; i++) {
		if (net_addr_eq(&d->name[i].addr, far) &&
		    d->name[i].until_ns >= now.ns)
			f->named[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

/* Its place in not_by; n_not_by: it is none of them. */
static size_t find_not_by(const struct draft *d, const char *name)
{
	size_t i = 0;

	while (i < d->n_not_by && strcmp(d->not_by[i], name) != 0)
		i++;
	return i;
}

static bool is_not_by(const struct draft *d, const char *name)
{
	return find_not_by(d, name) < d->n_not_by;
}

static void not_by(struct draft *d, const char *name)
{
	if (is_not_by(d, name) || d->n_not_by == DRAFT_NAMES)
		return;
	memcpy(d->not_by[d->n_not_by++], name, sizeof(d->not_by[0]));
	d->again = true;
}

size_t draft_place(struct draft *d, const struct draft_flow *f,
		   const struct event *ev)
{
	bool hello = f->out && ev->dir == DIR_OUT && ev->message &&
		     ev->leaves[ev->leaf].also == OBS_TLS_HELLO;
	struct span name = hello ? obs_get_span(ev->message, F_DNS_NAME)
				 : (struct span){0};
	size_t by = 0;

	for (size_t i = 0; i < d->n_name; i++) {
		size_t k = find_not_by(d, d->name[i].name);

		if (!stands(f, i) || !span_is(name, d->name[i].name))
			continue;
		if (k < d->n_not_by)
			d->wanted[k] = true;
		else
			by = i + 1;
	}
	/* Several names of one address: the gateway would know it by each. */
	for (size_t i = 0; i < d->n_name; i++) {
		if (stands(f, i) && i + 1 != by)
			not_by(d, d->name[i].name);
	}
	return by;
}

static bool is_wanted(const struct draft *d, const char *name)
{
	size_t k = find_not_by(d, name);

	return k < d->n_not_by && d->wanted[k];
}

void draft_shared(struct draft *d)
{
	for (size_t i = 0; i < d->n_name; i++) {
		for (size_t k = 0; k < d->n_name; k++) {
			const struct draft_name *a = &d->name[i];
			const struct draft_name *b = &d->name[k];

			if (net_addr_eq(&a->addr, &b->addr) &&
			    strcmp(a->name, b->name) != 0 &&
			    is_wanted(d, b->name))
				not_by(d, a->name);
		}
	}
}

void draft_stood(const struct draft *d, struct draft_party *p,
		 const struct draft_flow *f)
{
	p->stood.field = F_DNS_NAME;
	for (size_t i = 0; i < d->n_name; i++) {
		struct draft_attr one = {.field = F_DNS_NAME, .n = 1};

		if (!stands(f, i))
			continue;
		memcpy(one.text[0], d->name[i].name, sizeof(one.text[0]));
		(void)draft_add_values(&p->stood, &one);
	}
}
