/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message between two machines is judged for the sender, then for the
 * receiver; what the first was charged stays charged. One pipeline for both,
 * as in a replay, decides as two of one machine each, as live.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

struct pair {
	struct kit *k;
	struct pol_image *image[2];
	uint8_t *octets[2];
	struct pol_set *set;
	struct pol_state *state[3];
	struct pipeline *p[3]; /* both; a; b */
};

static void build(struct pair *t)
{
	static const uint16_t the_party[] = {0};
	struct pol_party_src party[2] = {
		{.id = "b", .name = "B", .role = ROLE_VM, .vm = "b"},
		{.id = "a", .name = "A", .role = ROLE_VM, .vm = "a"}};
	struct pol_range t23 = {23, 23};
	struct pol_attr a23 = {.field = F_TABLE, .num = &t23, .n_num = 1};
	struct pol_obs_match any = {.n_attr = 0}, reads = {.n_attr = 1};
	struct pol_limit_phrase lim = {
		.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 1000,
		.window = WINDOW_DAY, .text = "1000 messages per day"};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "talk", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1, .limit = &lim, .n_limit = 1},
		{.kind = RULE_DENY, .id = "not-23", .dir = DIRSEL_ANY,
		 .party.any = true, .match = &reads, .n_match = 1},
	};
	struct err e;

	reads.kinds.w[OBS_C1222_READ_REQUEST / 64] |=
		UINT64_C(1) << (OBS_C1222_READ_REQUEST % 64);
	any.kinds = reads.kinds;
	reads.attr = &a23;
	for (int i = 0; i < 2; i++) {
		struct pol_file f = {.kind = POL_VENDOR,
				     .unique = true,
				     .id = i ? "pb" : "pa",
				     .vm = i ? "b" : "a",
				     .path = "p.yaml", .party = &party[i],
				     .n_party = 1, .rule = rule,
				     .n_rule = i ? 2 : 1};
		size_t n;

		assert_int_equal(pol_image_build(&t->octets[i], &n, &f, &e),
				 0);
		assert_int_equal(pol_image_load(&t->image[i],
						span_of(t->octets[i], n), &e),
				 0);
	}
	assert_int_equal(pol_set_new(&t->set,
				     (const struct pol_image *const *)t->image,
				     2, &e),
			 0);
}

static struct pair *pair_new(void)
{
	static const char *const self[] = {"", "a", "b"};
	struct pair *t = calloc(1, sizeof(*t));
	struct pipeline_guest g[2] = {
		{.name = "a", .has_addr = true, .prefix = 128},
		{.name = "b", .has_addr = true, .prefix = 128}};
	struct err e;

	assert_non_null(t);
	build(t);
	g[0].addr = kit_net(0, 10, 32).addr;
	g[1].addr = kit_net(0, 1, 32).addr;
	t->k = kit_new(true, false);
	pipeline_free(t->k->p);
	t->k->p = NULL;
	for (int i = 0; i < 3; i++) {
		struct pipeline_conf c = {.key = {1, 2}, .max_flows = 64,
					  .max_held = 64, .guests = g,
					  .n_guests = 2, .policy = t->set};

		assert_int_equal(pol_state_new(&t->state[i], t->set, &e), 0);
		c.state = t->state[i];
		memcpy(c.self, self[i], strlen(self[i]) + 1);
		assert_int_equal(pipeline_new(&t->p[i], &c, &e), 0);
	}
	return t;
}

static void pair_free(struct pair *t)
{
	for (int i = 0; i < 3; i++) {
		pipeline_free(t->p[i]);
		pol_state_free(t->state[i]);
	}
	pol_set_free(t->set);
	for (int i = 0; i < 2; i++) {
		pol_image_free(t->image[i]);
		free(t->octets[i]);
	}
	kit_free(t->k);
	free(t);
}

/* A read of a table, from a to b, through one pipeline. Passed? */
static bool ask(struct pair *t, int which, uint8_t inv, uint8_t table)
{
	struct kit *k = t->k;
	uint8_t u[64], b[128];
	struct wbuf w = wbuf_of(u, sizeof(u));
	uint64_t id;

	kit_request(&w, inv, table);
	k->p = t->p[which];
	id = kit_send(k, LINK_RAW,
		      kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, 0, 0, 0},
			      kit_udp(b, sizeof(b), true, KIT_PORT,
				      wbuf_span(&w))));
	k->p = NULL;
	assert_int_equal(k->verdict[id].n, 1);
	return k->verdict[id].v == PACKET_PASS;
}

/* What was decided, as "out 1, in 1, ": direction and budget used. */
static void decided(const struct kit *k, char *to, size_t cap)
{
	size_t n = 0;

	for (uint32_t i = 0; i < k->n_events && n < cap; i++) {
		const struct kit_event *e = &k->event[i];

		if (e->type == EV_DECISION || e->type == EV_VIOLATION)
			n += (size_t)snprintf(
				to + n, cap - n, "%s %s %u, ",
				e->dir == DIR_OUT ? "out" : "in",
				reason_text(e->reason), (unsigned)e->used);
	}
}

static void sender_first(void **state)
{
	static const uint8_t tables[] = {64, 23, 64};
	static const bool passes[] = {true, false, true};
	struct pair *t = pair_new();
	char one[400] = "", two[400] = "";

	(void)state;
	for (uint8_t i = 0; i < 3; i++)
		assert_int_equal(ask(t, 0, i + 1, tables[i]), passes[i]);
	decided(t->k, one, sizeof(one));
	t->k->n_events = 0;
	for (uint8_t i = 0; i < 3; i++) {
		/* The second one gets what the first let through. */
		bool ok = ask(t, 1, i + 1, tables[i]) &&
			  ask(t, 2, i + 1, tables[i]);

		assert_int_equal(ok, passes[i]);
	}
	decided(t->k, two, sizeof(two));
	assert_string_equal(one, two);
	/* The sender paid for what the receiver refused. */
	assert_string_equal(one, "out none 1, in none 1, out none 2, "
				 "in denied 1, out none 3, in none 2, ");
	assert_string_equal(t->k->bad, "");
	pair_free(t);
}

/* An answer: b sends, so b is asked first. */
static void the_other_way(void **state)
{
	struct pair *t = pair_new();
	struct kit *k = t->k;
	uint8_t u[64], b[128];
	struct wbuf w = wbuf_of(u, sizeof(u));
	char one[400] = "";

	(void)state;
	assert_true(ask(t, 0, 1, 64));
	k->n_events = 0;
	kit_request(&w, 9, 23);
	k->p = t->p[0];
	kit_send(k, LINK_RAW,
		 kit_ip4(k, &(struct kit_ip){false, PROTO_UDP, 0, 0, 0},
			 kit_udp(b, sizeof(b), false, KIT_PORT,
				 wbuf_span(&w))));
	k->p = NULL;
	decided(k, one, sizeof(one));
	/* Denied where it is sent: a is not asked. */
	assert_string_equal(one, "out denied 1, ");
	assert_string_equal(k->bad, "");
	pair_free(t);
}

/* One that floods has its own share of the table, and makes room in it. */
static void shares(void **state)
{
	struct pair *t = pair_new();
	struct kit *k = t->k;

	(void)state;
	assert_true(ask(t, 0, 1, 64));
	k->p = t->p[0];
	for (uint16_t n = 0; n < 200; n++) {
		uint8_t u[64], b[128];
		struct wbuf w = wbuf_of(u, sizeof(u));
		uint64_t id;

		kit_request(&w, (uint8_t)(1 + n % 100), 64);
		id = kit_send(k, LINK_RAW,
			      kit_ip4(k,
				      &(struct kit_ip){false, PROTO_UDP, 0, 0,
						       0},
				      kit_udp(b, sizeof(b), false,
					      KIT_PORT + 1 + n,
					      wbuf_span(&w))));
		assert_string_equal(reason_text(k->verdict[id].why), "none");
	}
	assert_int_equal(k->p->guest[0].flows, 1);
	assert_int_equal(k->p->guest[1].flows, k->p->share);
	assert_int_equal(k->p->share, 32);
	k->p = NULL;
	assert_string_equal(k->bad, "");
	pair_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_first),
		cmocka_unit_test(the_other_way),
		cmocka_unit_test(shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
