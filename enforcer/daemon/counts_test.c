/* SPDX-License-Identifier: Apache-2.0 */
/* However many guests there are, each counter of the rules has its place where
 * drops are told: one without would be a loss that nobody hears of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/offload.h"
#include "enforcer/daemon/rules.h"

#define MARK "mg:"

struct notes {
	char note[4 * RULES_DROPS][sizeof(struct rules_drop)];
	size_t n;
};

static struct pol_prefix addr[SHARE_GUESTS][2];
static struct rules_guest guest[SHARE_GUESTS];

static void make(struct rules_conf *c)
{
	for (size_t i = 0; i < SHARE_GUESTS; i++) {
		struct rules_guest *g = &guest[i];
		uint8_t k = (uint8_t)(i + 1);

		snprintf(g->name, sizeof(g->name), "guest-%zu", i);
		snprintf(g->iface, sizeof(g->iface), "vif%zu.0", i);
		g->has_mac = true;
		memcpy(g->mac, (uint8_t[]){2, 0, 0, 0, 0, k}, 6);
		g->queue = (uint16_t)(100 + i);
		addr[i][0] = (struct pol_prefix){
			{{[10] = 0xff, [11] = 0xff, 10, 20, 0, k}}, 128};
		addr[i][1] = (struct pol_prefix){{{0xfd, [15] = k}}, 128};
		g->addr = addr[i];
		g->n_addr = 2;
	}
	*c = (struct rules_conf){.guest = guest,
				 .n_guests = SHARE_GUESTS,
				 .uplink = {"up0", "up1", "up2", "up3"},
				 .n_uplinks = 4,
				 .mark_generation = 1u << 20};
	memcpy(c->bound, offload_bound, sizeof(c->bound));
}

/* Each once. */
static void collect(struct notes *all, const struct wbuf *w)
{
	const uint8_t *at = w->p, *end = w->p + w->n;

	while ((at = memmem(at, (size_t)(end - at), MARK, sizeof(MARK) - 1))) {
		size_t n = 0, i = 0;
		char *to = all->note[all->n];

		while (at + n < end && at[n] > ' ' && at[n] != '"' &&
		       n < sizeof(all->note[0]) - 1)
			n++;
		snprintf(to, sizeof(all->note[0]), "%.*s", (int)n,
			 (const char *)at);
		while (strcmp(all->note[i], to) != 0)
			i++;
		if (i == all->n)
			all->n++;
		assert_true(all->n < sizeof(all->note) / sizeof(all->note[0]));
		at += n;
	}
}

static void all_have_a_place(void **s)
{
	static const enum rules_backend backends[] = {RULES_IPTABLES,
						      RULES_NFT};
	uint8_t *text = malloc(RULES_TEXT_MAX);
	struct notes *all = calloc(1, sizeof(*all));
	struct rules_conf c;
	struct err e;

	(void)s;
	assert_non_null(text);
	assert_non_null(all);
	make(&c);
	for (int how = 0; how < 8; how++) {
		enum rules_backend b = backends[how & 1];

		c.bridged = how & 2;
		c.offload = how & 4;
		all->n = 0;
		/* What was counted while it was closed is told later. */
		for (int f = 0; f < 2 * RULES_FAMILIES; f++) {
			struct wbuf w = wbuf_of(text, RULES_TEXT_MAX);
			enum rules_family family =
				(enum rules_family)(f % RULES_FAMILIES);

			assert_int_equal(
				f < RULES_FAMILIES
					? rules_text(&w, b, family, &c, &e)
					: rules_closed_text(&w, b, family, &c,
							    &e),
				0);
			collect(all, &w);
		}
		print_message("%zu counters\n", all->n);
		assert_true(all->n > SHARE_GUESTS * 8);
		assert_true(all->n <= RULES_DROPS);
	}
	free(all);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_have_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
