/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused C12.22 request is told over UDP, and who is told nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define PORT 41000
#define TO   "a2 05 80 03 478769"
#define FROM "a6 04 80 02 4701"
#define ID   "a8 03 02 01 07"
#define READ "03 30 002a" /* table 42, which a rule denies */
#define BACK "a2 04 80 02 4701 a4 03 02 01 07 a6 05 80 03 478769 " ID

static const struct {
	const char *why, *asked, *told; /* told NULL: nothing */
} rows[] = {
	{"a read that a rule denies: isc",
	 "60 1d " TO FROM ID "be 09 28 07 81 05 80" READ,
	 "60 20 " BACK "be 07 28 05 81 03 80 01 03"},
	{"two of them: a code for each",
	 "60 21 " TO FROM ID "be 0d 28 0b 81 09 80" READ READ,
	 "60 22 " BACK "be 09 28 07 81 05 80 01 03 01 03"},
	{"answered on exception only: this is one",
	 "60 1d " TO FROM ID "be 09 28 07 81 05 81" READ,
	 "60 20 " BACK "be 07 28 05 81 03 80 01 03"},
	{"whoever wants no answer gets none",
	 "60 1d " TO FROM ID "be 09 28 07 81 05 82" READ, NULL},
	{"the context comes back",
	 "60 28 a1 09 06 07 607c86f7540116" TO FROM ID
	 "be 09 28 07 81 05 80" READ,
	 "60 2b a1 09 06 07 607c86f7540116" BACK "be 07 28 05 81 03 80 01 03"},
	{"nobody said who asks",
	 "60 17 " TO ID "be 09 28 07 81 05 80" READ, NULL},
	{"nobody in particular is asked",
	 "60 16 " FROM ID "be 09 28 07 81 05 80" READ, NULL},
	{"a whole group is asked",
	 "60 1d a2 05 80 03 470100" FROM ID "be 09 28 07 81 05 80" READ, NULL},
	{"a notification asks nothing",
	 "60 22 " TO FROM "a7 03 02 01 04" ID "be 09 28 07 81 05 80" READ,
	 NULL},
	{"one that breaks the grammar",
	 "60 1d " TO FROM ID "be 09 28 07 81 05 80 03 30 00", NULL},
	{"sealed: the answer would need a code that is not ours",
	 "60 32 " TO FROM ID "ac 0f a2 0d a0 0b a1 09 80 01 00 81 04 00000001"
	 "be 0d 28 0b 81 09 88 01020304 05060708", NULL},
};

struct seen {
	uint8_t octets[ANSWER_OCTETS];
	struct segment_out s;
	size_t n;
	unsigned times;
	char detail[400];
};

static void on_inject(void *arg, const struct segment_out *s)
{
	struct seen *seen = arg;

	seen->times++;
	seen->s = *s;
	seen->n = s->payload.n;
	assert_true(seen->n && seen->n <= sizeof(seen->octets));
	memcpy(seen->octets, s->payload.p, seen->n);
}

static void on_event(void *arg, const struct event *ev)
{
	struct seen *seen = arg;

	if (ev->type == EV_VIOLATION)
		snprintf(seen->detail, sizeof(seen->detail), "%s",
			 ev->detail ? ev->detail : "");
}

static struct span unhex(uint8_t *b, size_t cap, const char *hex)
{
	struct wbuf w = wbuf_of(b, cap);

	for (; *hex; hex++) {
		char two[3] = {hex[0], hex[1], 0};

		if (*hex == ' ')
			continue;
		wbuf_u8(&w, (uint8_t)strtoul(two, NULL, 16));
		hex++;
	}
	assert_false(w.failed);
	return wbuf_span(&w);
}

static struct kit *watched(struct seen *seen)
{
	struct kit *k = kit_new(true, false);

	*seen = (struct seen){.n = 0};
	k->on_inject = on_inject;
	k->more = on_event;
	k->arg = seen;
	return k;
}

static uint64_t send_units(struct kit *k, bool out, struct span units)
{
	uint8_t b[2048];
	struct span s = kit_udp(b, sizeof(b), out, PORT, units);

	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0, false},
				s));
}

static void the_one_who_asks_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int out = 0; out < 2; out++) {
			uint8_t asked[256], told[256];
			struct span in = unhex(asked, sizeof(asked),
					       rows[i].asked);
			struct span want = unhex(told, sizeof(told),
						 rows[i].told ? rows[i].told :
								"");
			struct seen seen;
			struct kit *k = watched(&seen);
			uint64_t id = send_units(k, out, in);

			if (k->verdict[id].v != PACKET_DROP)
				fail_msg("%s: it passed", rows[i].why);
			if (seen.times != (rows[i].told != NULL) ||
			    !span_eq(span_of(seen.octets, seen.n), want))
				fail_msg("%s: %u answers, of %zu octets",
					 rows[i].why, seen.times, seen.n);
			if (!strstr(seen.detail, "answered: isc") !=
			    !rows[i].told)
				fail_msg("%s: told as '%s'", rows[i].why,
					 seen.detail);
			kit_end(k);
			assert_string_equal(k->bad, "");
			kit_free(k);
		}
	}
}

/* From where it was sent to, to where it came from. */
static void it_comes_from_the_one_who_was_asked(void **state)
{
	(void)state;
	for (int out = 0; out < 2; out++) {
		struct seen seen;
		struct kit *k = watched(&seen);
		struct pol_prefix me = kit_net(0, 10, 32);
		uint8_t b[64];
		struct wbuf w = wbuf_of(b, sizeof(b));

		send_units(k, out, kit_units(&w, "d"));
		assert_int_equal(seen.times, 1);
		assert_int_equal(seen.s.tup.proto, PROTO_UDP);
		assert_int_equal(seen.s.dir, out ? DIR_IN : DIR_OUT);
		assert_memory_equal(out ? &seen.s.tup.dst : &seen.s.tup.src,
				    &me.addr, sizeof(me.addr));
		assert_int_equal(out ? seen.s.tup.dport : seen.s.tup.sport,
				 PORT);
		assert_int_equal(out ? seen.s.tup.sport : seen.s.tup.dport,
				 1153);
		assert_int_equal(seen.s.flags, 0);
		kit_end(k);
		assert_string_equal(k->bad, "");
		kit_free(k);
	}
}

/* What was held back for as long as its rule says: busy. */
static void what_waited_too_long_is_told_busy(void **state)
{
	struct seen seen;
	struct kit *k = watched(&seen);
	uint8_t b[64];

	(void)state;
	for (unsigned i = 0; i < 2 + DEFER_MESSAGES; i++) {
		struct wbuf w = wbuf_of(b, sizeof(b));

		kit_request(&w, (uint8_t)(1 + i), 66);
		send_units(k, true, wbuf_span(&w));
		assert_int_equal(seen.times, i > DEFER_MESSAGES);
	}
	/* The last one found no place among the 16 that wait. */
	assert_int_equal(seen.octets[seen.n - 1], 6);
	assert_non_null(strstr(seen.detail, "answered: bsy"));
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

/* --- actions -------------------------------------------------------------- */

/* C12.22 with 10.20.0.0/16, but reads of table 42, about which a rule says
 * what is done. */
static struct kit *kit_that(enum pol_action_kind action, struct seen *seen)
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
		{.kind = RULE_DENY, .id = "not-42", .dir = DIRSEL_ANY,
		 .party.any = true, .match = &reads, .n_match = 1,
		 .exceed = {.kind = action}},
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
	kit_live(k, true);
	*seen = (struct seen){.n = 0};
	k->more = on_event;
	k->arg = seen;
	return k;
}

static const struct {
	const char *why;
	enum pol_action_kind action;
	bool resets, answers;
} actions[] = {
	{"nothing said: as refuse", ACTION_UNSET, true, true},
	{"refuse: answered, who was asked is reset", ACTION_REFUSE, true, true},
	{"reset: never answered", ACTION_RESET, true, false},
	{"drop: not a word", ACTION_DROP, false, false},
};

/* Refused in a connection: does any end hear of it, then and later? What the
 * answer is, parting_test.c looks at. */
static void over_tcp(size_t i, bool out)
{
	struct seen seen;
	struct kit *k = kit_that(actions[i].action, &seen);
	struct kit_seg s = {.out = out, .port = PORT, .flags = TCP_ACK};
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));
	bool answers = actions[i].answers;
	unsigned resets = !actions[i].resets ? 0 : answers ? 1 : 2;
	uint64_t id;

	s.seq = out ? KIT_ISN + 1 : KIT_ISN2 + 1;
	s.ack = out ? KIT_ISN2 + 1 : KIT_ISN + 1;
	kit_handshake(k, PORT, KIT_ISN, false);
	id = kit_tcp(k, &s, kit_units(&w, "d"));
	if (k->verdict[id].v != PACKET_DROP)
		fail_msg("%s: it passed", actions[i].why);
	if (k->n_resets != resets || k->n_delivered != answers)
		fail_msg("%s: %u resets", actions[i].why, k->n_resets);
	/* Whoever goes on hears of it again, or does not. */
	kit_wait(k, NS_PER_S);
	id = kit_tcp(k, &s, wbuf_span(&w));
	if (k->verdict[id].why != REASON_TCP_FLOW_DENIED ||
	    k->n_resets != resets + (resets == 2) || k->n_acks != answers)
		fail_msg("%s: later %u resets", actions[i].why, k->n_resets);
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static void over_udp(size_t i, bool out)
{
	struct seen seen;
	struct kit *k = kit_that(actions[i].action, &seen);
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));
	uint64_t id;

	k->on_inject = on_inject;
	id = send_units(k, out, kit_units(&w, "d"));
	if (k->verdict[id].v != PACKET_DROP ||
	    seen.times != actions[i].answers || k->n_resets)
		fail_msg("%s: %u answers", actions[i].why, seen.times);
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static void rules_say_what_is_done(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		for (int out = 0; out < 2; out++) {
			over_tcp(i, out);
			over_udp(i, out);
		}
	}
}

/* What no rule refused hears nothing of the gateway. */
static void what_is_allowed_is_not_answered(void **state)
{
	struct seen seen;
	struct kit *k = watched(&seen);
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));
	uint64_t id = send_units(k, true, kit_units(&w, "a"));

	(void)state;
	assert_int_equal(k->verdict[id].v, PACKET_PASS);
	assert_int_equal(seen.times, 0);
	/* An answer that is refused is no request. */
	w = wbuf_of(b, sizeof(b));
	kit_answer(&w, 99, 1);
	id = send_units(k, false, wbuf_span(&w));
	assert_int_equal(k->verdict[id].v, PACKET_DROP);
	assert_int_equal(seen.times, 0);
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_who_asks_is_told),
		cmocka_unit_test(it_comes_from_the_one_who_was_asked),
		cmocka_unit_test(what_waited_too_long_is_told_busy),
		cmocka_unit_test(what_is_allowed_is_not_answered),
		cmocka_unit_test(rules_say_what_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
