/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/sample.h"
#include "enforcer/daemon/storm.h"

#define MS INT64_C(1000000)

/* What came out, added up. */
struct tally {
	uint64_t calls, full, counted, octets, decisions;
	uint64_t by_type[EV_TYPES];
	uint64_t hourly; /* of counts: those that the scribe adds up */
	struct event last;
	char rule[64], party[64];
	int64_t now_ns; /* no event may be older than its first, or later */
};

static void out(void *arg, const struct event *ev)
{
	struct tally *t = arg;
	uint64_t n = ev->count ? ev->count : 1;

	t->calls++;
	if (ev->count) {
		t->counted += ev->count;
		t->octets += ev->count_octets;
		t->hourly += ev->summary;
		assert_true(ev->first.ns <= ev->last.ns);
		assert_true(ev->last.ns <= ev->now.mono.ns);
		assert_null(ev->message);
		assert_int_equal(ev->n_leaves, 0);
	} else {
		t->full++;
		t->octets += ev->octets;
	}
	t->decisions += ev->type == EV_DECISION;
	t->by_type[ev->type] += n;
	assert_true(ev->now.mono.ns >= t->now_ns);
	t->now_ns = ev->now.mono.ns;
	t->last = *ev;
	/* Texts are borrowed for the call only. */
	snprintf(t->rule, sizeof(t->rule), "%.*s",
		 ev->n_rules ? (int)ev->rules[0].rule.n : 0,
		 ev->n_rules ? (const char *)ev->rules[0].rule.p : "");
	snprintf(t->party, sizeof(t->party), "%.*s", (int)ev->party.n,
		 (const char *)ev->party.p);
}

static struct storm *storm_with(uint32_t rate, uint32_t burst)
{
	struct storm_conf c = {.key = {1, 2}, .rate = rate, .burst = burst,
			       .guest = "mdma"};
	struct storm *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	storm_init(s, &c);
	return s;
}

static struct now at(int64_t ms)
{
	struct now n = {.mono.ns = 5 * NS_PER_S + ms * MS};

	n.wall.us = INT64_C(1700000000000000) + ms * 1000;
	return n;
}

static void give(struct storm *s, struct event *ev, int64_t ms,
		 struct tally *t)
{
	ev->now = at(ms);
	storm_event(s, ev, out, t);
}

static void a_rule_tells_a_hundred_refusals_in_an_hour(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;
	struct event *ev = sample_violation(&m, 0);
	uint64_t flow = ev->flow_id;

	(void)state;
	ev->n_rules = 2;
	ev->rules[1].refused = true;
	ev->severity = SEV_HIGH;
	for (int i = 0; i < 1000; i++) {
		ev->flow_id = flow + (uint64_t)i;
		ev->tup.sport = (uint16_t)(2000 + i);
		/* Not what makes others different. */
		ev->party = span_str(i % 2 ? "headend" : "portal");
		ev->tup.dst.b[14] = (uint8_t)i;
		give(s, ev, i, &t);
	}
	assert_int_equal(t.calls, 100);
	assert_ptr_equal(t.last.message, ev->message); /* in full */
	assert_true(t.last.summary);
	/* No count stays in memory for longer than a second. */
	assert_int_equal(storm_due(s).ns, at(1100).mono.ns);
	storm_tick(s, at(1099), out, &t);
	assert_int_equal(t.calls, 100);
	storm_tick(s, at(1100), out, &t);
	assert_int_equal(t.calls, 101);
	assert_int_equal(t.hourly, 1);
	assert_int_equal(t.last.type, EV_VIOLATION);
	assert_int_equal(t.last.verdict, VERDICT_DENY);
	assert_int_equal(t.last.reason, REASON_TOO_SOON);
	assert_int_equal(t.last.severity, SEV_HIGH);
	assert_int_equal(t.last.count, 900);
	assert_int_equal(t.last.count_octets, 900 * 96);
	assert_int_equal(t.last.first.ns, at(100).mono.ns);
	assert_int_equal(t.last.last.ns, at(999).mono.ns);
	assert_int_equal(t.last.flow_id, flow + 100);
	assert_int_equal(t.last.tup.sport, 2100);
	assert_int_equal(t.last.last_flow, flow + 999);
	assert_int_equal(t.last.last_tup.sport, 2999);
	assert_string_equal(t.rule, "send-profile");
	assert_int_equal(storm_due(s).ns, INT64_MAX);
	/* The hour goes on. */
	give(s, ev, 3599000, &t);
	assert_int_equal(t.calls, 101);
	assert_int_equal(storm_due(s).ns, at(3600000).mono.ns);
	storm_tick(s, at(3600000), out, &t);
	assert_int_equal(t.calls, 102);
	assert_int_equal(t.last.count, 1);
	/* The next one begins anew. */
	for (int i = 0; i < 150; i++)
		give(s, ev, 3600001 + i, &t);
	assert_int_equal(t.calls, 202);
	storm_flush(s, at(3700000), out, &t);
	assert_int_equal(t.last.count, 50);
	assert_int_equal(t.hourly, 3);
	free(s);
}

/* Each rule has its hour. */
static void another_rule_has_a_hundred_of_its_own(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;
	struct event *ev = sample_violation(&m, 0);

	(void)state;
	ev->n_rules = 1;
	for (int i = 0; i < 600; i++) {
		char rule[8];

		snprintf(rule, sizeof(rule), "r%d", i % 3);
		ev->rules[0].rule = span_str(rule);
		ev->rules[0].refused = true;
		give(s, ev, i, &t);
	}
	assert_int_equal(t.full, 300);
	/* What is refused without a rule: by its reason. */
	ev->n_rules = 0;
	for (int i = 0; i < 400; i++) {
		ev->reason = i % 2 ? REASON_NO_GRANT : REASON_UNKNOWN_PARTY;
		give(s, ev, 700, &t);
	}
	assert_int_equal(t.full, 500);
	storm_flush(s, at(800), out, &t);
	assert_int_equal(t.calls, 505);
	assert_int_equal(t.full + t.counted, 1000);
	free(s);
}

static struct event *notifying(struct sample *m, const char *rule, bool denies)
{
	struct event *ev = denies ? sample_violation(m, 0) :
				    sample_decision(m, 0);

	ev->notify = NOTIFY_PORTAL | NOTIFY_VENDOR;
	ev->severity = SEV_LOW;
	for (uint32_t i = 0; i < ev->n_rules; i++)
		ev->rules[i].rule = span_str(rule);
	return ev;
}

static void notices_of_a_rule_are_one_in_ten_minutes(void **state)
{
	(void)state;
	for (int denies = 0; denies < 2; denies++) {
		struct storm *s = storm_with(0, 0);
		struct tally t = {0};
		struct sample m;

		for (int i = 0; i < 50; i++)
			give(s, notifying(&m, "rare", denies), i, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 1);
		assert_int_equal(t.by_type[denies ? EV_VIOLATION :
						    EV_DECISION], 50);
		/* Another rule's is another one. */
		give(s, notifying(&m, "other", denies), 60, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 2);
		assert_int_equal(t.last.type, EV_NOTICE);
		assert_int_equal(t.last.count, 0);
		assert_int_equal(t.last.notify, NOTIFY_PORTAL | NOTIFY_VENDOR);
		assert_int_equal(t.last.severity, SEV_LOW);
		assert_int_equal(t.last.verdict,
				 denies ? VERDICT_DENY : VERDICT_ALLOW);
		assert_int_equal(t.last.n_leaves, 0);
		assert_string_equal(t.rule, "other");
		assert_int_equal(storm_due(s).ns, at(1001).mono.ns);
		storm_tick(s, at(1001), out, &t);
		assert_int_equal(t.last.type, EV_NOTICE);
		assert_int_equal(t.last.count, 49);
		assert_int_equal(t.hourly, 1);
		assert_string_equal(t.rule, "rare");
		/* From then on ten minutes again. */
		give(s, notifying(&m, "rare", denies), 600001, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 51);
		assert_int_equal(storm_due(s).ns, at(601001).mono.ns);
		storm_tick(s, at(601001), out, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 52);
		assert_int_equal(t.hourly, 2);
		/* After them the first is told at once. */
		give(s, notifying(&m, "rare", denies), 3000000, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 53);
		assert_int_equal(t.last.count, 0);
		storm_flush(s, at(3000001), out, &t);
		assert_int_equal(t.by_type[EV_NOTICE], 53);
		free(s);
	}
}

/* Where one rule says both, each count has the verdict of all that are in it. */
static void a_count_of_a_rule_has_one_verdict(void **state)
{
	static const struct {
		const char *why;
		bool denies, monitored;
		int n;
	} rows[] = {
		{"permitted", false, false, 20},
		{"refused", true, false, 30},
		{"would have been refused", true, true, 40},
	};
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	uint64_t told = 0;
	struct sample m;

	(void)state;
	for (int r = 0; r < 3; r++) {
		for (int i = 0; i < rows[r].n; i++) {
			struct event *ev = notifying(&m, "both",
						     rows[r].denies);

			ev->monitored = rows[r].monitored;
			give(s, ev, 2000 * r, &t);
		}
		/* The first of each is told at once. */
		assert_int_equal(t.by_type[EV_NOTICE], told + 1);
		told += (uint64_t)rows[r].n;
		storm_tick(s, at(2000 * r + 1000), out, &t);
		if (t.last.type != EV_NOTICE ||
		    t.last.count != (uint64_t)rows[r].n - 1 ||
		    (t.last.verdict == VERDICT_DENY) != rows[r].denies ||
		    t.last.monitored != rows[r].monitored)
			fail_msg("%s", rows[r].why);
	}
	free(s);
}

/* An engine that dies leaves what it owes. */
static void what_rules_owe_outlives_the_process(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 150; i++)
		give(s, notifying(&m, "rare", true), i, &t);
	assert_int_equal(t.full, 101);
	storm_recover(s, at(200), out, &t);
	assert_int_equal(t.calls, 103);
	assert_int_equal(t.by_type[EV_VIOLATION], 150);
	assert_int_equal(t.by_type[EV_NOTICE], 150);
	/* Their hour and their ten minutes go on, with another key. */
	storm_init(s, &(struct storm_conf){.key = {3, 4}, .guest = "mdma"});
	give(s, notifying(&m, "rare", true), 300, &t);
	assert_int_equal(t.calls, 103);
	storm_tick(s, at(1300), out, &t);
	assert_int_equal(t.calls, 105);
	give(s, notifying(&m, "rare", true), 600100, &t);
	assert_int_equal(t.calls, 105);
	storm_tick(s, at(601100), out, &t);
	assert_int_equal(t.calls, 107);
	assert_int_equal(t.hourly, 6);
	give(s, notifying(&m, "rare", true), 3600001, &t);
	assert_int_equal(t.full, 103);
	free(s);
}

/* More rules than there are places for at once: merged as oddities are. */
static void rules_without_a_place_are_merged(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 2 * STORM_RULES; i++) {
		char rule[8];

		snprintf(rule, sizeof(rule), "r%d", i);
		give(s, notifying(&m, rule, true), 0, &t);
		give(s, notifying(&m, rule, true), 0, &t);
	}
	assert_int_equal(t.by_type[EV_NOTICE], 3 * STORM_RULES);
	storm_flush(s, at(1), out, &t);
	assert_int_equal(t.by_type[EV_VIOLATION], 4 * STORM_RULES);
	assert_int_equal(t.by_type[EV_NOTICE], 4 * STORM_RULES);
	/* An hour later they have none to keep. */
	give(s, notifying(&m, "late", true), 3600001, &t);
	give(s, notifying(&m, "late", true), 3600001, &t);
	assert_int_equal(t.last.type, EV_VIOLATION);
	assert_int_equal(t.last.count, 0);
	free(s);
}

static void a_single_one_leaves_no_count(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;

	(void)state;
	give(s, sample_anomaly(&m, 0), 0, &t);
	storm_tick(s, at(5000), out, &t);
	assert_int_equal(t.calls, 1);
	assert_int_equal(storm_due(s).ns, INT64_MAX);
	free(s);
}

static struct event *odd(struct sample *m)
{
	struct event *ev = sample_violation(m, 0);

	ev->type = EV_ANOMALY;
	return ev;
}

static void as_is(struct event *ev)
{
	(void)ev;
}

static void other_reason(struct event *ev)
{
	ev->reason = REASON_REPLAY;
}

static void other_rule(struct event *ev)
{
	ev->rules[1].rule = span_str("send-registers");
}

static void other_party(struct event *ev)
{
	ev->party = span_str("portal");
}

static void other_guest(struct event *ev)
{
	ev->guest = span_str("drd");
}

static void other_way(struct event *ev)
{
	ev->dir = DIR_IN;
}

static void other_protocol(struct event *ev)
{
	ev->tup.proto = 6;
}

static void other_net(struct event *ev)
{
	ev->tup.dst.b[14] ^= 1;
}

static void other_host(struct event *ev)
{
	ev->tup.dst.b[15] ^= 1;
}

static void other_class(struct event *ev)
{
	ev->tup.dport = 80;
}

static void other_port(struct event *ev)
{
	ev->tup.dport++;
}

static void own_port(struct event *ev)
{
	ev->tup.sport++;
}

static void other_flow(struct event *ev)
{
	ev->flow_id++;
}

static void other_octets(struct event *ev)
{
	ev->octets++;
}

static void other_type(struct event *ev)
{
	ev->type = EV_FLOW;
}

static void monitored(struct event *ev)
{
	ev->monitored = true;
}

static void allowed(struct event *ev)
{
	ev->verdict = VERDICT_ALLOW;
}

/* What makes two oddities different ones; what one sender can vary at will
 * does not. */
static const struct {
	const char *why;
	void (*change)(struct event *ev);
	bool alike;
} keys[] = {
	{"the same",			  as_is,	  true },
	{"another reason",		  other_reason,	  false},
	{"another rule",		  other_rule,	  false},
	{"another party",		  other_party,	  false},
	{"another machine",		  other_guest,	  false},
	{"the other direction",		  other_way,	  false},
	{"another protocol",		  other_protocol, false},
	{"another network",		  other_net,	  false},
	{"another host of the network",	  other_host,	  true },
	{"a port of another class",	  other_class,	  false},
	{"another port of the same",	  other_port,	  true },
	{"another port of its own",	  own_port,	  true },
	{"another flow",		  other_flow,	  true },
	{"another length",		  other_octets,	  true },
	{"another kind of event",	  other_type,	  false},
	{"would only have been refused",  monitored,	  false},
	{"another verdict",		  allowed,	  false},
};

static void likeness_is_what_the_sender_cannot_vary(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct storm *s = storm_with(0, 0);
		struct tally t = {0};
		struct sample a, b;
		struct event *ev = odd(&b);

		give(s, odd(&a), 0, &t);
		keys[i].change(ev);
		give(s, ev, 1, &t);
		if (t.full != (keys[i].alike ? 1 : 2))
			fail_msg("%s", keys[i].why);
		storm_flush(s, at(2), out, &t);
		assert_int_equal(t.full + t.counted, 2);
		free(s);
	}
}

/* A permitted transmission is never merged; what changes the gateway neither;
 * nor do they take room from others. */
static void what_must_be_told_is_told(void **state)
{
	static struct event *(*const make[])(struct sample *, uint64_t) = {
		sample_decision, sample_policy, sample_loss, sample_boot,
	};
	struct storm *s = storm_with(1, 1);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 4000; i++)
		give(s, make[i % 4](&m, 0), 0, &t);
	assert_int_equal(t.calls, 4000);
	assert_int_equal(t.decisions, 1000);
	give(s, sample_violation(&m, 0), 0, &t);
	assert_int_equal(t.calls, 4001);
	assert_int_equal(t.last.count, 0);
	free(s);
}

/* Starts and ends of flows: each, as long as the bucket lasts. */
static void flows_are_told_one_by_one_until_it_is_a_storm(void **state)
{
	struct storm *s = storm_with(100, 50);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 1000; i++)
		give(s, sample_flow(&m, 0), 0, &t);
	assert_int_equal(t.full, 50);
	assert_int_equal(t.calls, 50);
	/* A tenth of a second later there is room for ten. */
	for (int i = 0; i < 20; i++)
		give(s, sample_flow(&m, 0), 100, &t);
	assert_int_equal(t.full, 60);
	storm_tick(s, at(1000), out, &t);
	assert_int_equal(t.calls, 61);
	assert_int_equal(t.full + t.counted, 1020);
	/* A long time fills the bucket, no more. */
	for (int i = 0; i < 1000; i++)
		give(s, sample_flow(&m, 0), 1000000, &t);
	assert_int_equal(t.full, 110);
	free(s);
}

/* Above the bucket the first of a kind is counted, too. */
static void without_a_token_even_the_first_is_counted(void **state)
{
	struct storm *s = storm_with(1, 2);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct event *ev = sample_violation(&m, 0);

		ev->tup.dst.b[14] = (uint8_t)i;
		give(s, ev, 0, &t);
	}
	assert_int_equal(t.full, 2);
	storm_flush(s, at(1), out, &t);
	assert_int_equal(t.calls, 10);
	assert_int_equal(t.full + t.counted, 10);
	free(s);
}

/* More kinds than there are places: counted under type and reason. */
static void a_full_table_counts_all_the_same(void **state)
{
	struct storm *s = storm_with(1000000, 100000);
	uint64_t octets = 0;
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct event *ev = i % 2 ? sample_violation(&m, 0)
					 : sample_anomaly(&m, 0);

		ev->tup.dst.b[13] = (uint8_t)(i >> 8);
		ev->tup.dst.b[14] = (uint8_t)i;
		ev->octets = (uint32_t)i;
		octets += ev->octets;
		give(s, ev, i / 100, &t);
	}
	assert_int_equal(t.full, STORM_KEYS + STORM_EACH);
	storm_flush(s, at(300), out, &t);
	assert_int_equal(t.full + t.counted, 20000);
	assert_int_equal(t.by_type[EV_VIOLATION], 10000);
	assert_int_equal(t.by_type[EV_ANOMALY], 10000);
	assert_int_equal(t.octets, octets);
	/* 768 and 100 in full; the rest of each kind, and of the rule. */
	assert_in_range(t.calls, STORM_KEYS, 2 * STORM_KEYS + STORM_EACH + 2);
	assert_int_equal(t.last.guest.n, 4);
	assert_int_equal(s->passed + s->merged, 20000);
	free(s);
}

static struct event *permitted(struct sample *m, const char *rule)
{
	struct event *ev = sample_decision(m, 0);

	ev->summary = true;
	for (uint32_t i = 0; i < ev->n_rules; i++)
		ev->rules[i].rule = span_str(rule);
	return ev;
}

/* What was permitted is counted with those of its own rule only, where that
 * rule says so, and costs nothing of the bucket. */
static void what_is_permitted_is_counted_by_its_rule(void **state)
{
	struct storm *s = storm_with(1, 1);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 300; i++) {
		give(s, permitted(&m, "pages"), i, &t);
		if (i % 3 == 0)
			give(s, permitted(&m, "clock"), i, &t);
		if (i % 100 == 0)
			give(s, sample_decision(&m, 0), i, &t);
	}
	assert_int_equal(t.full, 2 + 3);
	assert_int_equal(t.counted, 0);
	storm_tick(s, at(1000), out, &t);
	assert_int_equal(t.calls, 5 + 2);
	assert_int_equal(t.counted, 299 + 99);
	assert_int_equal(t.last.type, EV_DECISION);
	assert_int_equal(t.last.verdict, VERDICT_ALLOW);
	assert_int_equal(t.last.count, 99);
	assert_string_equal(t.rule, "clock");
	assert_string_equal(t.party, "headend");
	give(s, sample_anomaly(&m, 0), 1001, &t); /* a token is left */
	assert_int_equal(t.full, 6);
	free(s);
}

static void another_object_is_told(void **state)
{
	struct storm *s = storm_with(0, 0);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		struct event *ev = permitted(&m, "ask");

		ev->leaf = i % 2;
		give(s, ev, 1, &t);
	}
	assert_int_equal(t.full, 2);
	storm_flush(s, at(2), out, &t);
	assert_int_equal(t.counted, 6);
	/* Names that differ only behind what a count would keep of them. */
	for (int i = 0; i < 6; i++) {
		struct event *ev = permitted(&m, "write");
		char href[100];

		memset(href, 'x', sizeof(href));
		href[98] = (char)('a' + i % 2);
		obs_span(&m.leaves[0], F_HREF, span_of(href, sizeof(href)));
		give(s, ev, 3, &t);
	}
	assert_int_equal(t.full, 4);
	for (int i = 0; i < 6; i++) {
		struct event *ev = permitted(&m, "ask");
		char name[100];

		memset(name, 'n', sizeof(name));
		name[98] = (char)('a' + i % 2);
		obs_span(&m.leaves[0], F_DNS_NAME, span_of(name, sizeof(name)));
		give(s, ev, 4, &t);
	}
	assert_int_equal(t.full, 6);
	free(s);
}

/* No storm of refusals makes it a number without a rule. */
static void what_is_permitted_passes_a_full_table(void **state)
{
	struct storm *s = storm_with(1000000, 100000);
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 2 * STORM_KEYS; i++) {
		struct event *ev = sample_anomaly(&m, 0);

		ev->tup.dst.b[13] = (uint8_t)(i >> 8);
		ev->tup.dst.b[14] = (uint8_t)i;
		give(s, ev, 0, &t);
	}
	t = (struct tally){0};
	for (int i = 0; i < 10; i++)
		give(s, permitted(&m, "pages"), 1, &t);
	assert_int_equal(t.full, 10);
	assert_string_equal(t.rule, "pages");
	free(s);
}

/* Whatever comes in whatever order: what came in is what went out. */
static void sums_are_exact(void **state)
{
	static struct event *(*const make[])(struct sample *, uint64_t) = {
		sample_decision, sample_violation, sample_anomaly,
		sample_flow,	 sample_policy,
	};
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct storm *s = storm_with(1 + (uint32_t)rand_r(&seed) % 500,
					     1 + (uint32_t)rand_r(&seed) % 900);
		uint64_t want[EV_TYPES] = {0}, octets = 0;
		struct tally t = {0};
		int64_t ms = 0;
		struct sample m;

		for (int i = 0; i < 5000; i++) {
			struct event *ev = make[rand_r(&seed) % 5](&m, 0);

			ms += rand_r(&seed) % 4 ? 0 : rand_r(&seed) % 50;
			ev->tup.dst.b[14] = (uint8_t)(rand_r(&seed) % 100);
			ev->reason = (enum reason)(rand_r(&seed) %
						   REASON_COUNT);
			ev->octets = (uint32_t)rand_r(&seed) % 1500;
			ev->summary = ev->type == EV_DECISION &&
				      rand_r(&seed) % 2;
			octets += ev->octets;
			want[ev->type]++;
			give(s, ev, ms, &t);
			if (rand_r(&seed) % 10 == 0)
				storm_tick(s, at(ms), out, &t);
		}
		storm_flush(s, at(ms), out, &t);
		assert_int_equal(t.full + t.counted, 5000);
		assert_memory_equal(t.by_type, want, sizeof(want));
		assert_int_equal(t.octets, octets);
		free(s);
	}
}

/* A process that dies at any point leaves its counts to its successor. */
static void counts_outlive_their_process(void **state)
{
	struct storm *s = storm_with(1000000, 100000);
	struct storm_conf conf = s->conf;
	struct tally t = {0};
	struct sample m;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct event *ev = sample_anomaly(&m, 0);

		ev->tup.dst.b[13] = (uint8_t)(i % 1000 >> 8);
		ev->tup.dst.b[14] = (uint8_t)(i % 1000);
		give(s, ev, 0, &t);
	}
	assert_int_equal(t.full, STORM_KEYS);
	storm_recover(s, at(3000), out, &t);
	assert_int_equal(t.full + t.counted, 5000);
	assert_string_equal(t.rule, "");
	storm_init(s, &conf);
	give(s, permitted(&m, "pages"), 3000, &t);
	give(s, permitted(&m, "pages"), 3000, &t);
	storm_recover(s, at(3001), out, &t);
	assert_int_equal(t.last.type, EV_DECISION);
	assert_int_equal(t.last.count, 1);
	assert_string_equal(t.rule, "pages");
	t = (struct tally){.full = 1, .counted = 4999};
	assert_int_equal(storm_due(s).ns, INT64_MAX);
	/* Nothing is told twice, and it is as good as new. */
	storm_recover(s, at(3000), out, &t);
	assert_int_equal(t.full + t.counted, 5000);
	storm_init(s, &conf);
	give(s, sample_violation(&m, 0), 4000, &t);
	give(s, sample_violation(&m, 0), 4001, &t);
	storm_flush(s, at(4002), out, &t);
	assert_int_equal(t.full + t.counted, 5002);
	assert_string_equal(t.party, "headend");
	free(s);
}

static void sane(void *arg, const struct event *ev)
{
	uint64_t *n = arg;

	(*n)++;
	assert_true(ev->type == EV_FLOW || ev->type == EV_VIOLATION ||
		    ev->type == EV_ANOMALY || ev->type == EV_DECISION ||
		    ev->type == EV_NOTICE);
	assert_true(ev->severity <= SEV_CRITICAL && ev->notify <= NOTIFY_ALL);
	assert_true(ev->type != EV_DECISION || ev->verdict == VERDICT_ALLOW);
	assert_true(ev->dir <= DIR_IN && ev->verdict <= VERDICT_DENY);
	assert_true(ev->reason < REASON_COUNT);
	assert_true(ev->guest.n <= 63 && ev->party.n <= 63);
	assert_true(ev->n_rules <= 1);
	assert_true(!ev->app_proto || strlen(ev->app_proto) < 16);
	assert_true(ev->first.ns >= 0 && ev->first.ns <= ev->last.ns &&
		    ev->last.ns <= ev->now.mono.ns);
}

/* One that was taken over leaves anything. */
static void rubbish_is_told_as_numbers(void **state)
{
	unsigned seed = 11;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct storm *s = storm_with(0, 0);
		struct storm_conf conf = s->conf;
		uint8_t *p = (uint8_t *)s;
		struct tally t = {0};
		struct sample m;
		uint64_t n = 0;

		for (size_t i = 0; i < sizeof(*s); i++)
			p[i] = (uint8_t)(rand_r(&seed) >> 8);
		storm_recover(s, at(0), sane, &n);
		assert_in_range(n, 1, STORM_KEYS + 2 * STORM_RULES +
				      6 * REASON_COUNT);
		storm_init(s, &conf);
		for (int i = 0; i < 2000; i++) {
			struct event *ev = sample_violation(&m, 0);

			ev->tup.dst.b[14] = (uint8_t)i;
			give(s, ev, 1, &t);
		}
		storm_flush(s, at(2), out, &t);
		/* It may have said that all hundred were told. */
		assert_int_equal(t.full + t.counted, 2000);
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_tells_a_hundred_refusals_in_an_hour),
		cmocka_unit_test(another_rule_has_a_hundred_of_its_own),
		cmocka_unit_test(notices_of_a_rule_are_one_in_ten_minutes),
		cmocka_unit_test(a_count_of_a_rule_has_one_verdict),
		cmocka_unit_test(what_rules_owe_outlives_the_process),
		cmocka_unit_test(rules_without_a_place_are_merged),
		cmocka_unit_test(a_single_one_leaves_no_count),
		cmocka_unit_test(likeness_is_what_the_sender_cannot_vary),
		cmocka_unit_test(what_must_be_told_is_told),
		cmocka_unit_test(flows_are_told_one_by_one_until_it_is_a_storm),
		cmocka_unit_test(without_a_token_even_the_first_is_counted),
		cmocka_unit_test(a_full_table_counts_all_the_same),
		cmocka_unit_test(what_is_permitted_is_counted_by_its_rule),
		cmocka_unit_test(another_object_is_told),
		cmocka_unit_test(what_is_permitted_passes_a_full_table),
		cmocka_unit_test(sums_are_exact),
		cmocka_unit_test(counts_outlive_their_process),
		cmocka_unit_test(rubbish_is_told_as_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
