/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

#include "audit/record.h"
#include "audit/sample.h"
#include "enforcer/daemon/flat.h"

struct kit {
	struct sample s;
	uint8_t out[FLAT_MAX], again[FLAT_MAX];
	struct flat_event in;
	struct obs leaves[FLAT_LEAVES], many[FLAT_LEAVES];
};

static struct kit *kit_new(void)
{
	struct kit *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->in.leaves = k->leaves;
	return k;
}

static struct span written(uint8_t out[FLAT_MAX], const struct event *ev)
{
	struct wbuf w = wbuf_of(out, FLAT_MAX);

	flat_write(&w, ev);
	return wbuf_span(&w);
}

static void same_span(const char *what, struct span a, struct span b)
{
	if (!span_eq(span_sub(a, 0, FLAT_TEXT), b))
		fail_msg("%s", what);
}

static void same_str(const char *what, const char *a, const char *b)
{
	if (!a != !b)
		fail_msg("%s", what);
	if (a)
		same_span(what, span_str(a), span_str(b));
}

/* What was said stays behind, everything else is there. */
static void same_obs(const struct obs *a, const struct obs *b)
{
	unsigned k = 0;

	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->dropped, b->dropped);
	for (unsigned i = 0; i < a->n; i++) {
		enum field f = (enum field)a->f[i].field;

		if (record_leaves_out(f)) {
			assert_false(obs_has(b, f));
			continue;
		}
		assert_true(k < b->n);
		assert_int_equal(b->f[k].field, f);
		assert_true(obs_has(b, f));
		switch (field_type(f)) {
		case FIELD_SPAN:
		case FIELD_TEXT:
		case FIELD_OID:
			same_span(field_name(f),
				  span_of(a->f[i].p, a->f[i].n),
				  span_of(b->f[k].p, b->f[k].n));
			break;
		default:
			assert_int_equal(a->f[i].u, b->f[k].u);
		}
		k++;
	}
	assert_int_equal(k, b->n);
}

static void same_rules(const struct event *a, const struct event *b)
{
	assert_int_equal(a->n_rules, b->n_rules);
	for (uint32_t i = 0; i < a->n_rules; i++) {
		const struct event_rule *x = &a->rules[i], *y = &b->rules[i];

		same_span("layer", x->layer, y->layer);
		same_span("policy", x->policy, y->policy);
		same_span("rule", x->rule, y->rule);
		same_span("file", x->file, y->file);
		assert_int_equal(x->line, y->line);
		assert_int_equal(x->serial, y->serial);
		assert_int_equal(x->refused, y->refused);
	}
	assert_int_equal(a->n_budgets, b->n_budgets);
	for (uint32_t i = 0; i < a->n_budgets; i++) {
		same_span("budget", a->budgets[i].name, b->budgets[i].name);
		assert_int_equal(a->budgets[i].used, b->budgets[i].used);
		assert_int_equal(a->budgets[i].limit, b->budgets[i].limit);
	}
}

static void same_numbers(const struct event *a, const struct event *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->now.mono.ns, b->now.mono.ns);
	assert_int_equal(a->now.wall.us, b->now.wall.us);
	assert_int_equal(a->now.wall.std_off_s, b->now.wall.std_off_s);
	assert_int_equal(a->now.wall.civil_off_s, b->now.wall.civil_off_s);
	assert_int_equal(a->now.wall.trusted, b->now.wall.trusted);
	assert_int_equal(a->pcap_cnt, b->pcap_cnt);
	assert_int_equal(a->flow_id, b->flow_id);
	assert_int_equal(a->has_tuple, b->has_tuple);
	assert_memory_equal(a->tup.src.b, b->tup.src.b, 16);
	assert_memory_equal(a->tup.dst.b, b->tup.dst.b, 16);
	assert_int_equal(a->tup.sport, b->tup.sport);
	assert_int_equal(a->tup.dport, b->tup.dport);
	assert_int_equal(a->tup.proto, b->tup.proto);
	assert_int_equal(a->dir, b->dir);
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->monitored, b->monitored);
	assert_memory_equal(&a->reasons, &b->reasons, sizeof(a->reasons));
	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->octets, b->octets);
	assert_int_equal(a->flow_end, b->flow_end);
	assert_int_equal(a->pkts_out, b->pkts_out);
	assert_int_equal(a->pkts_in, b->pkts_in);
	assert_int_equal(a->octets_out, b->octets_out);
	assert_int_equal(a->octets_in, b->octets_in);
	assert_int_equal(a->flow_start.ns, b->flow_start.ns);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->count_octets, b->count_octets);
	assert_int_equal(a->first.ns, b->first.ns);
	assert_int_equal(a->last.ns, b->last.ns);
}

/* Through the ring and back, and then once more to the same octets. */
static const struct event *round_trip(struct kit *k, const struct event *ev)
{
	struct span msg = written(k->out, ev);
	struct err e = {0};

	if (flat_read(&k->in, msg, &e))
		fail_msg("%s", e.text);
	assert_true(span_eq(written(k->again, &k->in.ev), msg));
	assert_int_equal(flat_time(msg).ns, ev->now.mono.ns);
	same_numbers(ev, &k->in.ev);
	same_str("app", ev->app_proto, k->in.ev.app_proto);
	same_str("detail", ev->detail, k->in.ev.detail);
	same_span("guest", ev->guest, k->in.ev.guest);
	same_span("party", ev->party, k->in.ev.party);
	same_span("would pass", ev->would_pass, k->in.ev.would_pass);
	same_rules(ev, &k->in.ev);
	assert_int_equal(!ev->message, !k->in.ev.message);
	if (ev->message)
		same_obs(ev->message, k->in.ev.message);
	return &k->in.ev;
}

/* Every number at a value of its own, so that none can stand for another. */
static void fill(struct event *ev)
{
	ev->now.wall.std_off_s = -3600;
	ev->now.wall.civil_off_s = 7200;
	ev->now.wall.trusted = true;
	ev->monitored = true;
	ev->dir = DIR_IN;
	ev->verdict = VERDICT_DENY;
	ev->reason = (enum reason)(REASON_COUNT - 1);
	for (unsigned r = 1; r < REASON_COUNT; r += 2)
		reasons_add(&ev->reasons, (enum reason)r);
	ev->detail = "a clause";
	ev->would_pass = span_str("something else");
	ev->flow_end = true;
	ev->pkts_out = 1;
	ev->pkts_in = UINT64_MAX;
	ev->octets_out = 3;
	ev->octets_in = 4;
	ev->flow_start.ns = 5;
	ev->count = 6;
	ev->count_octets = 7;
	ev->first.ns = 8;
	ev->last.ns = INT64_MAX;
}

static void every_kind_of_event_comes_through(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	for (int type = 0; type < EV_TYPES; type++) {
		for (int full = 0; full < 2; full++) {
			struct event *ev = sample_decision(&k->s, 3);
			const struct event *got;

			ev->type = (enum event_type)type;
			if (full)
				fill(ev);
			got = round_trip(k, ev);
			assert_int_equal(got->n_leaves, ev->n_leaves);
			same_obs(&ev->leaves[0], &got->leaves[0]);
			if (type == EV_PROTOCOL)
				same_obs(&ev->leaves[1], &got->leaves[1]);
			else
				assert_int_equal(got->leaves[1].kind,
						 ev->leaves[1].kind);
		}
	}
	free(k);
}

static void an_event_of_nothing_comes_through(void **state)
{
	struct kit *k = kit_new();
	struct event ev = {0};

	(void)state;
	round_trip(k, &ev);
	assert_null(k->in.ev.leaves);
	free(k);
}

static void every_fact_comes_through_but_what_was_said(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	for (int f = 0; f < FIELD_COUNT; f++) {
		struct event *ev = sample_flow(&k->s, 0);
		struct obs_list l = {&k->s.carrier, 0, 1};
		struct obs *o = obs_add(&l, OBS_C1222_MESSAGE);

		switch (field_type((enum field)f)) {
		case FIELD_SPAN:
		case FIELD_TEXT:
		case FIELD_OID:
			obs_span(o, (enum field)f, span_str("\1octets\0"));
			obs_span(o, (enum field)f, (struct span){0});
			break;
		case FIELD_I64:
			obs_i64(o, (enum field)f, INT64_MIN);
			break;
		default:
			obs_u64(o, (enum field)f, 3);
		}
		ev->message = o;
		round_trip(k, ev);
		assert_int_equal(k->in.ev.message->n == 0,
				 record_leaves_out((unsigned)f));
	}
	free(k);
}

static void longer_texts_are_cut(void **state)
{
	static char text[FLAT_TEXT * 3];
	struct kit *k = kit_new();
	struct event *ev = sample_violation(&k->s, 0);
	struct span big = span_of(text, sizeof(text) - 1);
	struct obs_list l = {&k->s.carrier, 0, 1};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	ev->app_proto = ev->detail = text;
	ev->guest = ev->party = ev->would_pass = big;
	ev->n_rules = EVENT_RULES;
	for (int i = 0; i < EVENT_RULES; i++)
		ev->rules[i] = (struct event_rule){big, big, big, big, 1, 2, 1};
	ev->n_budgets = EVENT_BUDGETS;
	for (int i = 0; i < EVENT_BUDGETS; i++)
		ev->budgets[i] = (struct event_budget){big, 3, 4};
	obs_add(&l, OBS_C1222_REGISTER_REQUEST);
	for (int i = 0; i < OBS_MAX_FACTS; i++)
		obs_span(&k->s.carrier, F_NATIVE, big);
	k->s.leaves[1] = k->s.carrier;
	round_trip(k, ev);
	assert_int_equal(k->in.ev.guest.n, FLAT_TEXT);
	assert_int_equal(strlen(k->in.ev.detail), FLAT_TEXT);
	free(k);
}

static const struct {
	const char *why;
	enum event_type type;
	uint32_t n, leaf, want_n, want_leaf;
} lists[] = {
	{"one", EV_DECISION, 1, 0, 1, 0},
	{"as many as are told", EV_DECISION, 65, 64, 65, 64},
	{"more: the judged one is among them", EV_DECISION, 66, 65, 65, 64},
	{"more: the first is judged", EV_VIOLATION, 1024, 0, 65, 0},
	{"more: one in the middle", EV_VIOLATION, 1024, 900, 65, 64},
	{"a leaf there is not", EV_VIOLATION, 2, 7, 2, 0},
	{"none", EV_VIOLATION, 0, 3, 0, 0},
	{"what was only read", EV_PROTOCOL, 300, 0, 300, 0},
	{"more of it than fits", EV_PROTOCOL, 1024, 0, 390, 0},
};

static void leaves_are_listed_as_far_as_they_matter(void **state)
{
	static const char text[100] = "a fact";
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct event *ev = sample_decision(&k->s, 0);
		uint32_t last = lists[i].leaf < lists[i].n ? lists[i].leaf : 0;
		const struct event *got;

		ev->type = lists[i].type;
		for (uint32_t n = 0; n < lists[i].n; n++)
			k->many[n] = k->s.leaves[n & 1];
		for (uint32_t n = 0; lists[i].want_n == 390 && n < 1024; n++)
			obs_span(&k->many[n], F_NATIVE, span_of(text, 100));
		obs_u64(&k->many[last], F_COUNT, 77);
		ev->leaves = lists[i].n ? k->many : NULL;
		ev->n_leaves = lists[i].n;
		ev->leaf = lists[i].leaf;
		got = round_trip(k, ev);
		if (lists[i].want_n == 390)
			assert_in_range(got->n_leaves, 200, 1000);
		else if (got->n_leaves != lists[i].want_n)
			fail_msg("%s: %u", lists[i].why, got->n_leaves);
		assert_int_equal(got->leaf, lists[i].want_leaf);
		if (got->n_leaves)
			same_obs(&k->many[last], &got->leaves[got->leaf]);
	}
	free(k);
}

/* The audit says the same of an event and of its copy. */
static void the_audit_says_the_same_of_a_copy(void **state)
{
	static struct event *(*const make[])(struct sample *, uint64_t) = {
		sample_decision, sample_violation, sample_anomaly, sample_flow,
		sample_policy,	 sample_aggregate, sample_loss,	   sample_boot,
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(make) / sizeof(make[0]); i++) {
		struct event *ev = make[i / 2](&k->s, i);
		struct record r = {.kind = record_kind_of(ev), .ev = ev};
		uint8_t a[RECORD_MAX], b[RECORD_MAX];
		struct wbuf wa = wbuf_of(a, sizeof(a));
		struct wbuf wb = wbuf_of(b, sizeof(b));
		struct err e = {0};

		if (i % 2 && ev->n_leaves) { /* of more than it lists */
			for (uint32_t n = 0; n < 200; n++)
				k->many[n] = ev->leaves[n & 1];
			ev->leaves = k->many;
			ev->n_leaves = 200;
			ev->leaf += 150;
		}
		assert_int_equal(record_encode(&wa, &r, &e), 0);
		r.ev = round_trip(k, ev);
		assert_int_equal(record_encode(&wb, &r, &e), 0);
		assert_true(span_eq(wbuf_span(&wa), wbuf_span(&wb)));
	}
	free(k);
}

/* Whatever bit an engine turns: refused, or another event that is whole. */
static void every_bit_counts(void **state)
{
	struct kit *k = kit_new();
	struct span msg = written(k->out, sample_violation(&k->s, 1));
	size_t refused = 0;

	(void)state;
	for (size_t bit = 0; bit < 8 * msg.n; bit++) {
		struct err e = {0};

		k->out[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (flat_read(&k->in, msg, &e) == 0) {
			if (!span_eq(written(k->again, &k->in.ev), msg))
				fail_msg("bit %zu means nothing", bit);
		} else {
			refused++;
			assert_int_equal(e.code, E_SYNTAX);
		}
		k->out[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(refused > msg.n);
	free(k);
}

static void cut_or_longer_is_refused(void **state)
{
	struct kit *k = kit_new();
	size_t n = written(k->out, sample_violation(&k->s, 1)).n;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(flat_read(&k->in, span_of(k->out, i), &e),
				 E_SYNTAX);
	assert_int_equal(flat_read(&k->in, span_of(k->out, n), &e), 0);
	assert_int_equal(flat_read(&k->in, span_of(k->out, n + 1), &e),
			 E_SYNTAX);
	free(k);
}

/* Not a limit that could fail on a busy machine: what it costs, beside what
 * copying as many octets costs. */
static void it_costs_little(void **state)
{
	enum { TURNS = 200000 };
	struct kit *k = kit_new();
	struct event *ev = sample_decision(&k->s, 1);
	size_t n = written(k->out, ev).n;
	struct timespec a, b;
	double ns;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < TURNS; i++) {
		ev->flow_id = (uint64_t)i;
		written(k->again, ev);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 +
	      (double)(b.tv_nsec - a.tv_nsec)) / TURNS;
	print_message("%zu octets: %.0f ns\n", n, ns);
	assert_true(ns < 20000);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_event_comes_through),
		cmocka_unit_test(an_event_of_nothing_comes_through),
		cmocka_unit_test(every_fact_comes_through_but_what_was_said),
		cmocka_unit_test(longer_texts_are_cut),
		cmocka_unit_test(leaves_are_listed_as_far_as_they_matter),
		cmocka_unit_test(the_audit_says_the_same_of_a_copy),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(cut_or_longer_is_refused),
		cmocka_unit_test(it_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
