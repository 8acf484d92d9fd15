/* SPDX-License-Identifier: Apache-2.0 */
/* What the parent puts on the cards: from images as they come into force.
 * Runs in the root of the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "enforcer/daemon/cards.h"
#include "enforcer/daemon/policies.h"
#include "enforcer/daemon/signed_kit.h"

struct held {
	struct conf conf;
	struct policies p;
	struct cards *c;
};

static int fill(struct held *h, uint32_t generation,
		const struct rules_guest *portal)
{
	struct err e = {0};
	int rc = cards_fill(h->c,
			    (const struct pol_image *const *)h->p.files.image,
			    h->p.files.n, generation, portal, &e);

	if (rc)
		fail_msg("%s", e.text);
	return rc;
}

static void load(struct held *h)
{
	struct err e = {0};

	h->c = calloc(1, sizeof(*h->c));
	assert_non_null(h->c);
	if (policies_load(&h->p, &h->conf, &e))
		fail_msg("%s", e.text);
}

static void hold(struct held *h)
{
	h->conf = (struct conf){.queue_base = 300, .n_uplinks = 1};
	strcpy(h->conf.policies, "tests/policies/metering");
	strcpy(h->conf.uplink[0], "eth0");
	load(h);
}

static void let_go(struct held *h)
{
	policies_free(&h->p);
	free(h->c);
}

static const struct card *of_kind(const struct held *h, enum pol_kind kind)
{
	for (uint32_t i = 0; i < h->c->n; i++) {
		if (h->c->card[i].kind == kind)
			return &h->c->card[i];
	}
	fail_msg("no card of kind %d", kind);
	return NULL;
}

static void each_says_what_its_image_does(void **state)
{
	const struct card *k;
	struct held h;
	uint8_t want[32];

	(void)state;
	hold(&h);
	fill(&h, 7, NULL);
	assert_int_equal(h.c->generation, 7);
	assert_int_equal(h.c->n, h.p.files.n);
	k = of_kind(&h, POL_VENDOR);
	assert_string_equal(k->id, "com.example.mdma");
	assert_string_equal(k->machine, "mdma");
	assert_string_equal(k->title, "Example Metering");
	assert_string_equal(k->contact, "privacy@metering.example");
	assert_int_equal(k->serial, 2023110101);
	assert_int_equal(k->not_before, 1698796800); /* 2023-11-01 */
	assert_int_equal(k->not_after, 2014416000);  /* 2033-11-01 */
	/* The binding says whose key it has to be; nobody signed a source. */
	assert_string_equal(k->vendor, "mdma-vendor");
	assert_string_equal(k->signed_with, "");
	assert_int_equal(k->monitor_until, 0);
	assert_int_equal(k->n_monitored, 0);
	for (size_t i = 0; i < h.p.files.n; i++) {
		pol_image_digest(h.p.files.image[i], want);
		assert_memory_equal(h.c->card[i].digest, want, sizeof(want));
		sha256_of(span_of(h.p.files.octets[i], h.p.files.n_octets[i]),
			  want);
		assert_memory_equal(h.c->card[i].file, want, sizeof(want));
		assert_int_equal(h.c->card[i].kind,
				 pol_image_kind(h.p.files.image[i]));
	}
	assert_int_equal(of_kind(&h, POL_BINDING)->n_libs, 1);
	assert_string_equal(of_kind(&h, POL_BINDING)->lib[0].id,
			    "org.example.lib.meter");
	/* Of the others no key of the binding is told. */
	assert_string_equal(of_kind(&h, POL_BASELINE)->vendor, "");
	assert_string_equal(of_kind(&h, POL_BINDING)->machine, "");
	let_go(&h);
}

/* Who outside the home is told something: the collection centre. */
static void a_label_has_its_recipients(void **state)
{
	const struct card *k;
	struct held h;
	bool found = false;

	(void)state;
	hold(&h);
	fill(&h, 1, NULL);
	k = of_kind(&h, POL_VENDOR);
	assert_in_range(k->n_rows, 1, LAY_MAX_PARTIES);
	for (uint32_t i = 0; i < k->n_rows; i++) {
		const struct card_row *r = &k->row[i];

		if (r->role != ROLE_METERING)
			continue;
		found = true;
		assert_string_equal(r->operator_, "Example Metering Ltd");
		assert_string_equal(r->country, "GB");
		assert_true(r->label.grade >= 'A' && r->label.grade <= 'G');
	}
	assert_true(found);
	let_go(&h);
}

static void who_signed_is_told(void **state)
{
	char vendor[SIGN_KEY_TEXT + 1], platform[SIGN_KEY_TEXT + 1];
	struct held h;
	struct kit k;

	(void)state;
	kit_new(&k);
	kit_all(&k);
	h.conf = kit_conf(&k);
	load(&h);
	fill(&h, 1, NULL);
	sign_key_text(vendor, k.vendor.public_);
	sign_key_text(platform, k.platform.public_);
	assert_string_equal(of_kind(&h, POL_VENDOR)->signed_with, vendor);
	assert_string_equal(of_kind(&h, POL_BINDING)->signed_with, platform);
	assert_string_equal(of_kind(&h, POL_BASELINE)->signed_with, platform);
	/* Only polc puts a label into an image. */
	assert_false(of_kind(&h, POL_VENDOR)->carried);
	let_go(&h);
	kit_free(&k);
}

static void what_is_only_monitored_is_named(void **state)
{
	const struct card *c;
	struct held h;
	struct kit k;

	(void)state;
	kit_new(&k);
	kit_edit(&k, "metering", "    limits: [20 messages per hour]\n",
		 "    limits: [20 messages per hour]\n"
		 "    mode: {monitor-until: 2023-11-20}\n");
	kit_all(&k);
	h.conf = kit_conf(&k);
	load(&h);
	fill(&h, 1, NULL);
	c = of_kind(&h, POL_VENDOR);
	assert_int_equal(c->n_monitored, 1);
	assert_string_equal(c->monitored[0].id, "find");
	assert_int_equal(c->monitored[0].until, 1700438400); /* 2023-11-20 */
	assert_int_equal(c->monitor_until, 0); /* not all of it */
	let_go(&h);
	kit_free(&k);
}

static struct net_addr v4(uint8_t c, uint8_t d)
{
	return (struct net_addr){
		{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 20, c, d}};
}

static void only_the_portal_is_the_portal(void **state)
{
	struct net_addr own = v4(0, 10), next = v4(0, 11), other = v4(1, 10);
	struct pol_prefix wide;
	struct rules_guest g;
	struct held h;

	(void)state;
	hold(&h);
	/* Nothing is there yet, then there is no portal, then there is. */
	assert_false(cards_is_portal(h.c, &own));
	fill(&h, 1, NULL);
	assert_false(h.c->has_portal);
	assert_false(cards_is_portal(h.c, &own));
	fill(&h, 2, &h.p.guest[0]);
	assert_string_equal(h.c->portal, "mdma");
	assert_true(cards_is_portal(h.c, &own));
	assert_false(cards_is_portal(h.c, &next));
	assert_false(cards_is_portal(h.c, &other));
	/* A prefix that does not end with an octet: 10.20.0.8/30. */
	g = h.p.guest[0];
	wide = g.addr[0];
	wide.len = 126;
	g.addr = &wide;
	g.n_addr = 1;
	fill(&h, 3, &g);
	assert_true(cards_is_portal(h.c, &own));
	assert_true(cards_is_portal(h.c, &next));
	own = v4(0, 12);
	assert_false(cards_is_portal(h.c, &own));
	/* Gone again: what it had is not left. */
	fill(&h, 4, NULL);
	assert_false(cards_is_portal(h.c, &next));
	assert_string_equal(h.c->portal, "");
	let_go(&h);
}

/* Who reads while it is written begins anew. */
static void a_reader_notices_what_changes(void **state)
{
	uint32_t seq, later;
	struct held h;

	(void)state;
	hold(&h);
	assert_false(cards_begin(h.c, &seq));
	fill(&h, 1, NULL);
	assert_true(cards_begin(h.c, &seq));
	assert_true(cards_same(h.c, seq));
	fill(&h, 2, NULL);
	assert_false(cards_same(h.c, seq));
	assert_true(cards_begin(h.c, &later));
	assert_true(later > seq);
	/* A parent that died in the middle of it left it odd. */
	atomic_fetch_or(&h.c->seq, 1);
	assert_false(cards_begin(h.c, &seq));
	fill(&h, 3, NULL);
	assert_true(cards_begin(h.c, &seq));
	let_go(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_says_what_its_image_does),
		cmocka_unit_test(a_label_has_its_recipients),
		cmocka_unit_test(who_signed_is_told),
		cmocka_unit_test(what_is_only_monitored_is_named),
		cmocka_unit_test(only_the_portal_is_the_portal),
		cmocka_unit_test(a_reader_notices_what_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
