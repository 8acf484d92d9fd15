/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/policies.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/wbuf.h"
#include "enforcer/daemon/policy_store.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/processes.h"
#include "policy-lang/analysis/minimum.h"
#include "policy-lang/front/file.h"
#include "policy-lang/front/keys.h"
#include "policy-lang/front/zones.h"
#include "policy-lang/image/view.h"

#define KEYS_MAX (256u << 10) /* octets of a key file */

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* --- what is not enforced here is not activated --------------------------------- */

#define DNS_PORT 53

static bool serves_names(const struct pol_image *im, const struct lay_party *p)
{
	for (uint32_t i = 0; i < p->port_n; i++) {
		const struct lay_port *port = &im->PORT[p->port_first + i];

		if (port->lo <= DNS_PORT && port->hi >= DNS_PORT)
			return true;
	}
	return false;
}

/* Has party i no address but that one? */
static bool only_at(const struct pol_image *im, uint32_t i,
		    const struct net_addr *a)
{
	bool v4 = net_addr_is4(a);

	for (uint32_t k = 0; k < im->n_PFX4; k++) {
		const struct lay_pfx4 *x = &im->PFX4[k];

		if (x->kind == LAY_OWNER_PARTY && x->owner == i &&
		    (!v4 || x->len != 32 || memcmp(x->addr, a->b + 12, 4) != 0))
			return false;
	}
	for (uint32_t k = 0; k < im->n_PFX6; k++) {
		const struct lay_pfx6 *x = &im->PFX6[k];

		if (x->kind == LAY_OWNER_PARTY && x->owner == i &&
		    (v4 || x->len != 128 || memcmp(x->addr, a->b, 16) != 0))
			return false;
	}
	return true;
}

/* Names are asked of one server, or answers could be chosen by who is asked. */
static int check_resolver(const struct pol_image *im, const struct conf *c,
			  struct err *e)
{
	struct net_addr a;
	int rc = conf_resolver(c, &a, e);

	if (rc <= 0)
		return rc;
	for (uint32_t i = 0; i < im->n_PRTY; i++) {
		if (serves_names(im, &im->PRTY[i]) && !only_at(im, i, &a))
			return err_set(e, E_STATE, 0,
				       "%.*s: party %s: has port %d and is not "
				       "the resolver, %s",
				       TEXT(im->id), im->STRS + im->PRTY[i].id,
				       DNS_PORT, c->resolver);
	}
	return 0;
}

/* Where something stands: file, line and column, or, where the image came
 * without positions, the policy. */
static const char *place(char *buf, size_t cap, const struct pol_image *im,
			 uint32_t row)
{
	if (row < im->n_LOCS)
		snprintf(buf, cap, "%.*s:%u:%u",
			 TEXT(im->path.n ? im->path : im->id),
			 im->LOCS[row].line, im->LOCS[row].col);
	else
		snprintf(buf, cap, "%.*s", TEXT(im->id));
	return buf;
}

/* What is only monitored enforces nothing, so its end has to be near. By a
 * clock that nobody vouches for that cannot be said; then nothing is monitored
 * either, whatever the date (policy-lang/eval/judge.c), so nothing is gained by
 * setting the clock, and a meter whose clock is lost still gets its policy. */
static int check_monitored(const struct pol_image *im, int64_t now_s,
			   struct err *e)
{
	int64_t until = im->META->monitor_until;

	for (uint32_t i = 0; i < im->n_RULE; i++) {
		if (im->RULE[i].monitor_until > until)
			until = im->RULE[i].monitor_until;
	}
	if (until - now_s <= POL_MONITOR_MOST_S)
		return 0;
	return err_set(e, E_STATE, 0,
		       "%.*s: monitoring would not end for more than 30 days",
		       TEXT(im->path.n ? im->path : im->id));
}

/* The first, for the operator; polc link tells all of them. */
static void first_unasked(void *arg, const struct minimum_broken *x)
{
	const struct pol_image *v = x->vendor;
	struct err *why = arg;
	char text[200], at[300];

	if (why->code)
		return;
	minimum_text(text, sizeof(text), x);
	err_set(why, E_STATE, 0, "%s: %s",
		place(at, sizeof(at), v, x->rule), text);
}

/* A vendor may have compiled without this baseline, or before it. */
static int check_consent(const struct policies *p, struct err *e)
{
	struct bound *b;
	struct err why = {0};
	int rc = bound_new(&b, p->files.set, false, e);

	if (rc < 0)
		return rc;
	rc = minimum_check(b, first_unasked, &why, e);
	bound_free(b);
	if (rc == 0 && why.code)
		rc = err_set(e, why.code, 0, "%s", why.text);
	return rc;
}

/* A binding may come compiled, from a computer with another tz database. */
static int check_zone(const struct pol_set *set, struct err *e)
{
	struct span zone = pol_set_timezone(set);

	if (zone.n == 0 || zones_find(zone) == ZONES_FOUND)
		return 0;
	return err_set(e, E_NOTFOUND, 0,
		       "the binding's time zone %.*s is not in the tz database "
		       "(package tzdata)",
		       (int)(zone.n < 64 ? zone.n : 64), (const char *)zone.p);
}

static int check_images(const struct policies *p, const struct conf *c,
			struct err *e)
{
	bool trusted = c->clock_trusted || live_synced();
	int rc = check_zone(p->files.set, e);

	for (size_t i = 0; rc == 0 && i < p->files.n; i++) {
		rc = check_resolver(p->files.image[i], c, e);
		if (rc == 0 && trusted)
			rc = check_monitored(p->files.image[i], time(NULL), e);
	}
	return rc ? rc : check_consent(p, e);
}

/* --- guests ----------------------------------------------------------------------- */

/* The names become words of rules, of files and of the protocol of the control
 * socket; an image may come from another compiler. */
static bool is_word(struct span s, size_t cap)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') || c == '_' || c == '@' ||
		      (i > 0 && (c == '-' || c == '.'))))
			return false;
	}
	return s.n > 0 && s.n < cap;
}

static int check_guest(const struct policies *p, const struct rules_guest *g,
		       const struct conf *c, struct err *e)
{
	for (size_t i = 0; i < c->n_uplinks; i++) {
		if (strcmp(c->uplink[i], g->iface) == 0)
			return err_set(e, E_STATE, 0,
				       "machine %s: interface %s is the uplink",
				       g->name, g->iface);
	}
	for (size_t i = 0; i < p->n_guests; i++) {
		const struct rules_guest *o = &p->guest[i];

		if (strcmp(o->iface, g->iface) == 0)
			return err_set(e, E_STATE, 0,
				       "machines %s and %s: both on interface "
				       "%s; give each one of its own",
				       o->name, g->name, g->iface);
	}
	if (g->n_addr == 0)
		return err_set(e, E_STATE, 0,
			       "machine %s: the binding gives it no addresses",
			       g->name);
	if (g->n_addr > sizeof(((struct guest_share *)0)->addr) /
				sizeof(g->addr[0]))
		return err_set(e, E_LIMIT, 0,
			       "machine %s: more than %zu addresses", g->name,
			       sizeof(((struct guest_share *)0)->addr) /
				       sizeof(g->addr[0]));
	return 0;
}

static void copy_word(char *to, struct span s)
{
	memcpy(to, s.p, s.n);
	to[s.n] = 0;
}

static int check_portal(const struct policies *p, const struct conf *c,
			struct err *e)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		if (strcmp(p->guest[i].name, c->portal) == 0)
			return 0;
	}
	return c->portal[0] && strcmp(c->portal, CONF_ANYBODY) != 0
		       ? err_set(e, E_NOTFOUND, 0, "portal: the binding has no "
				 "machine %s; name one that it has", c->portal)
		       : 0;
}

static int take_guests(struct policies *p, const struct conf *c, struct err *e)
{
	const struct pol_set *set = p->files.set;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < pol_set_machines(set); i++) {
		struct rules_guest *g = &p->guest[i];
		struct pol_machine m;

		pol_set_machine(set, i, &m);
		if (!is_word(m.name, sizeof(g->name)) ||
		    !is_word(m.interface, sizeof(g->iface)))
			return err_set(e, E_STATE, 0,
				       "machine %.*s has no interface: the set "
				       "needs a binding that names it",
				       TEXT(m.name));
		copy_word(g->name, m.name);
		copy_word(g->iface, m.interface);
		g->has_mac = m.has_mac;
		memcpy(g->mac, m.mac, sizeof(g->mac));
		g->addr = m.addr;
		g->n_addr = m.n_addr;
		g->queue = (uint16_t)(c->queue_base + i);
		rc = check_guest(p, g, c, e);
		p->n_guests = i + 1;
	}
	if (rc == 0 && p->n_guests == 0)
		rc = err_set(e, E_STATE, 0, "the set has no machine");
	return rc ? rc : check_portal(p, c, e);
}

/* --- keys ------------------------------------------------------------------------- */

static int read_keys(struct policies *p, const char *path, struct err *e)
{
	struct pol_keys parsed;
	int rc = file_read(&p->keys, &p->n_keys, path, KEYS_MAX, e);

	if (rc == 0)
		rc = pol_parse_keys(&parsed, path, span_of(p->keys, p->n_keys),
				    e);
	if (rc == 0)
		pol_keys_free(&parsed);
	return rc;
}

/* --- all of it ---------------------------------------------------------------------- */

int policies_of(struct policies *out, struct capture_policy *files,
		const struct conf *c, struct err *e)
{
	int rc;

	*out = (struct policies){.files = *files};
	*files = (struct capture_policy){0};
	rc = check_images(out, c, e);
	if (rc == 0)
		rc = take_guests(out, c, e);
	if (rc < 0)
		err_wrap(e, "%s", c->policies);
	if (rc == 0 && c->keys[0])
		rc = read_keys(out, c->keys, e);
	if (rc < 0)
		policies_free(out);
	return rc;
}

int policies_load(struct policies *out, const struct conf *c, struct err *e)
{
	struct capture_policy files;
	int rc = capture_policy_load(&files, c->policies, e);

	*out = (struct policies){0};
	return rc < 0 ? rc : policies_of(out, &files, c, e);
}

void policies_free(struct policies *p)
{
	if (p->keys)
		explicit_bzero(p->keys, p->n_keys);
	free(p->keys);
	capture_policy_free(&p->files);
	*p = (struct policies){0};
}

void policies_in_vain(const struct policies *p, policies_vain_f *told,
		      void *arg)
{
	char text[200];

	for (size_t i = 0; i < p->files.n; i++) {
		const struct pol_image *im = p->files.image[i];
		size_t n = 0;

		for (uint32_t r = 0; r < im->n_RULE; r++) {
			uint32_t g = im->RULE[r].guard;

			n += g != LAY_NONE && im->GARD[g].requires_builtin >>
						      BUILTIN_ATTESTED & 1;
		}
		if (n == 0)
			continue;
		snprintf(text, sizeof(text),
			 "%.*s: %zu %s nothing: the state 'attested' is "
			 "required, which nothing sets yet",
			 (int)(im->id.n < 64 ? im->id.n : 64),
			 (const char *)im->id.p, n,
			 n == 1 ? "rule permits" : "rules permit");
		told(arg, text);
	}
}

/* Images are read in place: each begins where its words may lie. */
#define HALF_ALIGN 8

static int put(struct policy_half *half, size_t cap, size_t *at,
	       struct span octets, uint32_t *where, uint32_t *n, struct err *e)
{
	size_t room = cap - sizeof(*half);
	size_t begin = (*at + HALF_ALIGN - 1) / HALF_ALIGN * HALF_ALIGN;

	if (begin > room || octets.n > room - begin)
		return err_set(e, E_LIMIT, 0,
			       "policies and keys are larger than %zu octets "
			       "together",
			       room);
	if (octets.n)
		memcpy(half->octets + begin, octets.p, octets.n);
	*where = (uint32_t)begin;
	*n = (uint32_t)octets.n;
	*at = begin + octets.n;
	return 0;
}

static int put_voids(const struct policies *p, struct policy_half *half,
		     size_t cap, size_t *at, struct err *e)
{
	uint8_t buf[4 * STORE_VOIDS];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	for (size_t i = 0; i < p->files.n; i++) {
		const struct pol_image *im = p->files.image[i];

		for (uint32_t k = 0;
		     pol_image_kind(im) == POL_CUSTOMER && k < im->n_ANSW; k++) {
			if (pol_set_is_void(p->files.set, k))
				wbuf_le(&w, k, 4);
		}
	}
	if (w.failed)
		return err_set(e, E_LIMIT, 0, "too many answers are void");
	return put(half, cap, at, wbuf_span(&w), &half->voids.at,
		   &half->voids.n, e);
}

int policies_half(const struct policies *p, struct policy_half *half,
		  size_t cap, uint32_t generation, struct err *e)
{
	size_t at = 0, max = sizeof(half->image) / sizeof(half->image[0]);
	size_t before = (size_t)half->keys.at + half->keys.n;
	int rc = 0;

	if (p->files.n > max)
		return err_set(e, E_LIMIT, 0, "more than %zu policies", max);
	/* Keys of an older set do not stay; what was never used is not touched,
	 * so it takes no memory. */
	if (before > cap - sizeof(*half))
		before = cap - sizeof(*half);
	memset(half, 0, sizeof(*half) + before);
	for (size_t i = 0; rc == 0 && i < p->files.n; i++)
		rc = put(half, cap, &at,
			 span_of(p->files.octets[i], p->files.n_octets[i]),
			 &half->image[i].at, &half->image[i].n, e);
	if (rc == 0)
		rc = put_voids(p, half, cap, &at, e);
	if (rc == 0)
		rc = put(half, cap, &at, span_of(p->keys, p->n_keys),
			 &half->keys.at, &half->keys.n, e);
	if (rc < 0)
		return rc;
	half->n_images = (uint32_t)p->files.n;
	half->generation = generation;
	return 0;
}

static bool same_guest(const struct rules_guest *a, const struct rules_guest *b)
{
	return strcmp(a->name, b->name) == 0 &&
	       strcmp(a->iface, b->iface) == 0 && a->has_mac == b->has_mac &&
	       (!a->has_mac || memcmp(a->mac, b->mac, sizeof(a->mac)) == 0);
}

static bool same_addresses(const struct rules_guest *a,
			   const struct rules_guest *b)
{
	if (a->n_addr != b->n_addr)
		return false;
	for (size_t i = 0; i < a->n_addr; i++) {
		if (a->addr[i].len != b->addr[i].len ||
		    memcmp(&a->addr[i].addr, &b->addr[i].addr,
			   sizeof(a->addr[i].addr)) != 0)
			return false;
	}
	return true;
}

int policies_compare(const struct policies *old, const struct policies *new_,
		     bool *addresses, struct err *e)
{
	*addresses = false;
	if (old->n_guests != new_->n_guests)
		return err_set(e, E_STATE, 0,
			       "the binding has %zu machines instead of %zu: "
			       "restart metergated to change them",
			       new_->n_guests, old->n_guests);
	for (size_t i = 0; i < old->n_guests; i++) {
		const struct rules_guest *a = &old->guest[i];
		const struct rules_guest *b = &new_->guest[i];

		if (!same_guest(a, b))
			return err_set(e, E_STATE, 0,
				       "machine %s changed its name, interface "
				       "or MAC: restart metergated for that",
				       b->name);
		if (!same_addresses(a, b))
			*addresses = true;
	}
	return 0;
}
