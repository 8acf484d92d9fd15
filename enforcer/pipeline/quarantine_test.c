/* SPDX-License-Identifier: Apache-2.0 */
/* Quarantine: its beginning and its end are told, once each and aloud. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define HOUR 3600

struct told {
	unsigned begins, ends, refused;
	char detail[96];
};

static void on_event(void *arg, const struct event *ev)
{
	struct told *t = arg;

	if (ev->type == EV_VIOLATION)
		t->refused++;
	if (ev->type != EV_ANOMALY || ev->reason != REASON_QUARANTINED)
		return;
	assert_int_equal(ev->severity, SEV_HIGH);
	assert_true(span_is(ev->guest, "mdma"));
	/* Behind what began it. */
	assert_true(ev->verdict != VERDICT_DENY || t->refused);
	if (ev->verdict == VERDICT_DENY)
		t->begins++;
	else
		t->ends++;
	snprintf(t->detail, sizeof(t->detail), "%s", ev->detail);
}

/* Reads are granted; one of table 42 costs all grants for an hour. */
static struct kit *kit_that(struct told *t)
{
	static const uint16_t the_party[] = {0};
	struct pol_prefix net = kit_net(0, 0, 16);
	struct pol_party_src party = {.id = "headend", .name = "Head end",
				      .addr = &net, .n_addr = 1};
	struct pol_range t42 = {42, 42};
	struct pol_attr a42 = {.field = F_TABLE, .num = &t42, .n_num = 1};
	struct pol_obs_match any = {.n_attr = 0};
	struct pol_obs_match reads = {.n_attr = 1, .attr = &a42};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1},
		{.kind = RULE_DENY, .id = "never", .dir = DIRSEL_ANY,
		 .party.any = true, .match = &reads, .n_match = 1,
		 .exceed = {ACTION_QUARANTINE, HOUR * NS_PER_S}},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 2};
	struct kit *k;

	for (int i = 0; i < OBS_COUNT; i++) {
		if (obs_family((enum obs_kind)i) == OBS_FAMILY_C1222)
			any.kinds.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	reads.kinds.w[OBS_C1222_READ_REQUEST / 64] |=
		UINT64_C(1) << (OBS_C1222_READ_REQUEST % 64);
	k = kit_new_of(&f);
	*t = (struct told){.begins = 0};
	k->more = on_event;
	k->arg = t;
	return k;
}

static bool passes(struct kit *k, const char *letters)
{
	uint8_t b[64], d[128];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = kit_udp(d, sizeof(d), true, 41000,
				kit_units(&w, letters));
	uint64_t id = kit_send(
		k, LINK_RAW,
		kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, 0, 0, false}, s));

	return k->verdict[id].v == PACKET_PASS;
}

static void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static void it_begins_and_ends_aloud(void **state)
{
	struct told t;
	struct kit *k = kit_that(&t);

	(void)state;
	assert_true(passes(k, "a"));
	assert_int_equal(t.begins + t.ends, 0);
	assert_false(passes(k, "d"));
	assert_int_equal(t.begins, 1);
	assert_string_equal(t.detail,
			    "quarantine: nothing but floors for 3600 s");
	assert_false(passes(k, "a"));
	assert_false(passes(k, "c"));
	assert_int_equal(t.begins, 1);
	/* When nobody says anything, too. */
	kit_tick(k, HOUR - 1);
	assert_int_equal(t.ends, 0);
	assert_true(pipeline_due(k->p).ns <= k->now.mono.ns + NS_PER_S);
	kit_tick(k, 1);
	assert_int_equal(t.ends, 1);
	assert_string_equal(t.detail, "quarantine is over");
	assert_true(passes(k, "a"));
	assert_int_equal(t.begins, 1);
	done(k);
}

/* A connection ends with it, without one more message of its own. */
static void connections_end(void **state)
{
	struct told t;
	struct kit *k = kit_that(&t);
	struct kit_seg ack = {.out = true, .port = KIT_PORT,
			      .seq = KIT_ISN + 1, .ack = KIT_ISN2 + 1,
			      .flags = TCP_ACK};
	uint64_t id;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	id = kit_tcp(k, &ack, (struct span){0});
	assert_int_equal(k->verdict[id].v, PACKET_PASS);
	assert_int_equal(k->n_resets, 0);
	assert_false(passes(k, "d"));
	assert_true(k->n_resets > 0);
	id = kit_tcp(k, &ack, (struct span){0});
	assert_int_equal(k->verdict[id].v, PACKET_DROP);
	done(k);
}

/* By hand; and a pipeline that begins with a machine in quarantine says so. */
static void it_ends_early_and_goes_on(void **state)
{
	struct told t;
	struct kit *k = kit_that(&t);

	(void)state;
	assert_false(passes(k, "d"));
	assert_int_equal(t.begins, 1);
	k->p->guest[0].quarantine.ns = 0; /* as of one that was started anew */
	kit_tick(k, 60);
	assert_int_equal(t.begins, 2);
	assert_string_equal(t.detail,
			    "quarantine: nothing but floors for 3599 s");
	assert_int_equal(pol_state_set(k->state, 0, span_str("quarantined"),
				       (struct span){0}, false, k->now), 0);
	kit_tick(k, 1);
	assert_int_equal(t.ends, 1);
	assert_true(passes(k, "a"));
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_and_ends_aloud),
		cmocka_unit_test(connections_end),
		cmocka_unit_test(it_ends_early_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
