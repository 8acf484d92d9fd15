/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/cards.h"

#include <string.h>

#include "core/utf8.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "enforcer/daemon/rules.h"
#include "policy-lang/analysis/label.h"
#include "policy-lang/image/view.h"

_Static_assert(sizeof(((struct card *)0)->signed_with) >= SIGN_KEY_TEXT, "key");

/* As much as fits, in whole characters; the field was zeroed. */
static void cut(char *to, size_t cap, struct span s)
{
	size_t n = 0;

	while (n < s.n) {
		size_t c = utf8_len(span_from(s, n));

		if (c == 0 || n + c >= cap)
			break;
		n += c;
	}
	if (n)
		memcpy(to, s.p, n);
}

/* --- the parent's side ------------------------------------------------------ */

static void take_vendor(void *arg, struct span machine, struct span key_name,
			const uint8_t *key)
{
	struct card *k = arg;

	(void)machine;
	(void)key;
	if (!k->vendor[0])
		cut(k->vendor, sizeof(k->vendor), key_name);
}

static void take_modes(struct card *k, const struct pol_image *im)
{
	k->monitor_until = im->META->monitor_until;
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		const struct lay_rule *r = &im->RULE[i];

		if (r->monitor_until == 0)
			continue;
		if (k->n_monitored < CARD_RULES) {
			k->monitored[k->n_monitored].until = r->monitor_until;
			cut(k->monitored[k->n_monitored].id, CARD_NAME,
			    img_str(im, r->id));
		}
		k->n_monitored++;
	}
}

static void take_libraries(struct card *k, const struct pol_image *im)
{
	k->n_libs = im->n_INCL;
	for (uint32_t i = 0; i < im->n_INCL && i < CARD_LIBS; i++) {
		cut(k->lib[i].id, CARD_NAME, img_lib(im, i).id);
		k->lib[i].serial = im->INCL[i].serial;
		memcpy(k->lib[i].digest, im->INCL[i].digest,
		       sizeof(k->lib[i].digest));
	}
}

static int take_label(struct card *k, const struct pol_image *im,
		      struct err *e)
{
	struct lay_label made[LAY_MAX_PARTIES];
	const struct lay_label *row = im->LABL;
	uint32_t n = im->n_LABL;
	int rc = 0;

	k->carried = n > 0;
	if (!k->carried) {
		rc = label_rows(made, &n, im, e);
		row = made;
	}
	for (uint32_t i = 0; rc == 0 && i < n && i < LAY_MAX_PARTIES; i++) {
		struct card_row *r = &k->row[i];
		const struct lay_party *p = &im->PRTY[row[i].party];

		r->label = row[i];
		r->role = p->role;
		/* Who does not say who runs it is known by its name. */
		cut(r->operator_, sizeof(r->operator_),
		    img_str(im, p->operator_).n ? img_str(im, p->operator_)
						: img_text(im, p->name));
		cut(r->country, sizeof(r->country), img_str(im, p->country));
		k->n_rows++;
	}
	return rc;
}

static int take(struct card *k, const struct pol_image *im,
		const struct pol_image *binding, struct err *e)
{
	memset(k, 0, sizeof(*k));
	k->kind = pol_image_kind(im);
	k->serial = pol_image_serial(im);
	k->not_before = im->META->not_before;
	k->not_after = im->META->not_after;
	pol_image_digest(im, k->digest);
	pol_image_source(im, k->source);
	sha256_of(im->file, k->file);
	take_libraries(k, im);
	cut(k->id, sizeof(k->id), pol_image_id(im));
	cut(k->machine, sizeof(k->machine), pol_image_vm(im));
	cut(k->title, sizeof(k->title), img_text(im, im->META->title));
	cut(k->contact, sizeof(k->contact), img_text(im, im->META->contact));
	if (k->kind == POL_VENDOR && binding)
		pol_image_keys(binding, pol_image_id(im), take_vendor, k);
	if (pol_image_signer(im))
		sign_key_text(k->signed_with, pol_image_signer(im));
	take_modes(k, im);
	return take_label(k, im, e);
}

static void take_portal(struct cards *c, const struct rules_guest *g)
{
	size_t max = sizeof(c->addr) / sizeof(c->addr[0]);

	c->has_portal = g != NULL;
	c->n_addr = 0;
	for (size_t i = 0; g && i < g->n_addr && i < max; i++)
		c->addr[c->n_addr++] = g->addr[i];
	memset(c->portal, 0, sizeof(c->portal));
	if (g)
		cut(c->portal, sizeof(c->portal), span_str(g->name));
}

int cards_fill(struct cards *c, const struct pol_image *const *image, size_t n,
	       uint32_t generation, const struct rules_guest *portal,
	       struct err *e)
{
	uint32_t seq = atomic_load_explicit(&c->seq, memory_order_relaxed);
	const struct pol_image *binding = NULL;
	int rc = 0;

	atomic_store_explicit(&c->seq, seq | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < n; i++) {
		if (pol_image_kind(image[i]) == POL_BINDING)
			binding = image[i];
	}
	c->generation = generation;
	c->n = 0;
	for (size_t i = 0; rc == 0 && i < n && i < CARDS_MAX; i++) {
		rc = take(&c->card[i], image[i], binding, e);
		c->n += rc == 0;
	}
	take_portal(c, portal);
	/* After a failure what is there is less than all: it is not shown. */
	if (rc == 0)
		atomic_store_explicit(&c->seq, (seq | 1) + 1,
				      memory_order_release);
	return rc;
}

/* --- the courier's --------------------------------------------------------- */

bool cards_begin(const struct cards *c, uint32_t *seq)
{
	*seq = atomic_load_explicit(&c->seq, memory_order_acquire);
	return *seq != 0 && !(*seq & 1);
}

bool cards_same(const struct cards *c, uint32_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&c->seq, memory_order_relaxed) == seq;
}

static bool covers(const struct pol_prefix *p, const struct net_addr *a)
{
	size_t whole = p->len / 8, rest = p->len % 8;

	if (p->len > 128 || memcmp(&p->addr, a->b, whole) != 0)
		return false;
	return rest == 0 || ((((const uint8_t *)&p->addr)[whole] ^
			      a->b[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

bool cards_is_portal(const struct cards *c, const struct net_addr *a)
{
	uint32_t seq;
	bool is = false;

	if (!cards_begin(c, &seq))
		return false;
	for (uint32_t i = 0; c->has_portal && i < c->n_addr &&
			     i < sizeof(c->addr) / sizeof(c->addr[0]); i++)
		is = is || covers(&c->addr[i], a);
	return is && cards_same(c, seq);
}
