/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of an hour: none lost, none doubled, whoever dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/notefile.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/sample.h"
#include "audit/verify.h"
#include "enforcer/daemon/scribe.h"
#include "enforcer/daemon/scribe_bench.h"

#define HOUR_NS	   (3600 * NS_PER_S)
#define BEFORE	   "several alike, counted before the last start"
#define SAMPLE_LEN 96 /* octets of a sample's message */

static const struct event *several(struct event *ev, uint64_t of)
{
	if (of) {
		ev->count = of;
		ev->count_octets = of * SAMPLE_LEN;
		ev->first = ev->last = ev->now.mono;
		ev->n_leaves = 0;
		ev->message = NULL;
	}
	return ev;
}

/* One more that guest k's rule permits; `of` of them at once, if it is not 0. */
static const struct event *permitted(struct sample *s, size_t k, uint64_t of)
{
	static const char *const names[] = {"guest0", "guest1"};
	struct event *ev = sample_decision(s, 0);

	ev->now.mono = live_mono();
	ev->guest = span_str(names[k]);
	ev->summary = true;
	return several(ev, of);
}

/* What guest k's rule refused (or, as EV_NOTICE, told of that): as its engine
 * sends it, a hundred in full, the rest by the second. */
static const struct event *refused(struct sample *s, size_t k, uint64_t of,
				   enum event_type type)
{
	struct event *ev = sample_violation(s, 0);

	ev->type = type;
	ev->now.mono = live_mono();
	ev->guest = span_str(k ? "guest1" : "guest0");
	ev->rules[0].rule = span_str("send-profile");
	ev->rules[0].refused = true;
	ev->n_rules = 1;
	ev->summary = true;
	if (type == EV_NOTICE) {
		ev->notify = NOTIFY_PORTAL;
		ev->n_leaves = 0;
		ev->message = NULL;
	}
	return several(ev, of);
}

/* --- what the log says ---------------------------------------------------- */

struct told {
	uint64_t records, full, counts, before, damaged;
	uint64_t n, octets; /* permitted in all, by the records and by counts */
	int64_t first_ago, last_ago; /* of the last count, before it was told */
	uint64_t at_boot;	     /* records before the last boot's */
	/* [1]: notices */
	struct {
		uint64_t full, counts, n, before;
	} refused[2];
};

static bool of_before(const struct event *ev)
{
	return ev->detail && strcmp(ev->detail, BEFORE) == 0;
}

static void look_at_refused(struct told *t, const struct event *ev)
{
	bool notice = ev->type == EV_NOTICE;

	assert_int_equal(ev->verdict, VERDICT_DENY);
	assert_true(span_is(ev->rules[0].rule, "send-profile"));
	t->refused[notice].full += ev->count == 0;
	t->refused[notice].counts += ev->count != 0;
	t->refused[notice].n += ev->count ? ev->count : 1;
	t->refused[notice].before += ev->count && of_before(ev);
}

static void look_at(struct told *t, const struct record_view *v)
{
	const struct event *ev = &v->ev;

	if (v->r.kind == RECORD_BOOT)
		t->at_boot = t->records;
	t->records++;
	if (v->r.kind == RECORD_ANOMALY && ev->reason == REASON_MALFORMED)
		t->damaged++;
	if (ev->type == EV_VIOLATION || ev->type == EV_NOTICE)
		look_at_refused(t, ev);
	if (ev->type != EV_DECISION)
		return;
	if (ev->count == 0) {
		t->full++;
		t->n++;
		t->octets += ev->octets;
		return;
	}
	t->counts++;
	t->before += of_before(ev);
	t->n += ev->count;
	t->octets += ev->count_octets;
	t->first_ago = mono_sub(ev->now.mono, ev->first);
	t->last_ago = mono_sub(ev->now.mono, ev->last);
	assert_true(span_is(ev->party, "headend"));
	assert_int_equal(ev->n_rules, 1);
	assert_true(span_is(ev->rules[0].rule, "send-profile"));
	assert_int_equal(ev->rules[0].serial, 3);
}

static struct told read_log(const char *path)
{
	struct record_view *v = malloc(sizeof(*v));
	struct note_key key;
	struct points_conf points = {.keys = &key, .n_keys = 1};
	char name[CONF_PATH + 8];
	struct told told = {0};
	struct verify_result r;
	struct reader *reader;
	struct span octets;
	struct err e = {0};
	uint64_t seq;

	assert_non_null(v);
	snprintf(name, sizeof(name), "%s.vkey", path);
	if (note_file_key(&key, name, &e) ||
	    verify_file(path, &points, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(reader_open(&reader, path, false, &e), 0);
	while (reader_next(reader, &seq, &octets, &e) == 1) {
		assert_int_equal(record_decode(v, octets, &e), 0);
		look_at(&told, v);
	}
	reader_close(reader);
	free(v);
	return told;
}

/* --- the process ---------------------------------------------------------- */

static void killed_at_any_point_it_counts_each_once(void **state)
{
	const char *text = getenv("SCRIBE_KILLS");
	int kills = text ? atoi(text) : 40;
	static const enum event_type types[] = {EV_VIOLATION, EV_NOTICE};
	uint64_t sent = 0, octets = 0, full[2] = {0}, all[2] = {0};
	unsigned seed = 7;
	struct bench b;
	struct sample s;
	struct told t;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	for (int i = 0; i < kills; i++) {
		int64_t until;

		start(&b);
		until = live_mono().ns +
			(int64_t)(rand_r(&seed) % 110) * 1000000;
		/* Some die while they start, some in the middle of it. */
		while (live_mono().ns < until) {
			size_t k = (size_t)rand_r(&seed) % GUESTS;
			uint64_t of = (uint64_t)rand_r(&seed) % 3;

			if (put(&b, k, permitted(&s, k, of))) {
				sent += of ? of : 1;
				octets += (of ? of : 1) * SAMPLE_LEN;
			}
			of = (uint64_t)(rand_r(&seed) % 20);
			if (put(&b, k, refused(&s, k, of, types[of % 2]))) {
				full[of % 2] += of == 0;
				all[of % 2] += of ? of : 1;
			}
			if (rand_r(&seed) % 4 == 0)
				usleep(300);
		}
		end(&b, SIGKILL);
	}
	start(&b);
	assert_true(drained(&b));
	end(&b, SIGTERM);
	t = read_log(b.conf.audit);
	assert_true(sent > 1000);
	assert_int_equal(t.n, sent);
	assert_int_equal(t.octets, octets);
	assert_int_equal(t.counts, GUESTS); /* it was no hour */
	assert_int_equal(t.before, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(t.refused[i].n, all[i]);
		assert_int_equal(t.refused[i].full, full[i]);
		assert_int_equal(t.refused[i].before, 0);
		/* A notice has ten minutes, which these are not. */
		assert_int_equal(t.refused[i].counts, GUESTS);
	}
	print_message("%d kills, %llu permitted, %llu records\n", kills,
		      (unsigned long long)sent,
		      (unsigned long long)t.records);
	bench_free(&b);
}

/* --- by hand: an hour passes ---------------------------------------------- */

struct hand {
	struct bench b;
	struct scribe s;
};

static void hand_open(struct hand *h, int64_t mono_ns, int64_t wall_us)
{
	struct audit_conf c = {
		.path = h->b.conf.audit,
		.origin = h->b.conf.origin,
		.batch = UINT32_MAX,
		.resume = true,
		.own_key = true,
	};
	struct err e = {0};

	memset(&h->s, 0, sizeof(h->s));
	memcpy(c.boot_key, h->b.arg.boot_key, sizeof(c.boot_key));
	h->s.a = &h->b.arg;
	h->s.mono.ns = mono_ns;
	h->s.wall_us = wall_us;
	h->s.in.leaves = malloc(FLAT_LEAVES * sizeof(*h->s.in.leaves));
	assert_non_null(h->s.in.leaves);
	if (audit_open(&h->s.audit, &c, &e) ||
	    scribe_view_init(&h->s.view, h->b.arg.view, &e) ||
	    hours_init(&h->s, &e) ||
	    hours_open(&h->s, audit_boot_is_new(h->s.audit), &e))
		fail_msg("%s", e.text);
}

static void hand_commit(struct hand *h)
{
	struct err e = {0};

	if (hours_keep(&h->s, &e) || audit_commit(h->s.audit, &e))
		fail_msg("%s", e.text);
}

/* cut: as a power cut leaves it. */
static void hand_close(struct hand *h, bool cut)
{
	struct err e = {0};

	if (cut)
		audit_abandon(h->s.audit);
	else if (audit_close(h->s.audit, &e))
		fail_msg("%s", e.text);
	scribe_view_fini(&h->s.view);
	free(h->s.hours);
	free(h->s.in.leaves);
}

static void hand_begin(struct hand *h)
{
	clean();
	bench_init(&h->b, 1);
	hand_open(h, 10 * HOUR_NS, INT64_C(1700000000000000));
}

static void wait_ns(struct hand *h, int64_t ns)
{
	h->s.mono.ns += ns;
	h->s.wall_us += ns / 1000;
}

/* As the scribe does: 1, it was counted; 0, it is a record now. */
static int give(struct hand *h, size_t k, struct event *ev)
{
	struct err e = {0};
	bool counted;

	ev->now.mono = h->s.mono;
	counted = hours_event(&h->s, (int)k, ev);
	if (!counted && scribe_append(&h->s, (int)k, ev, &e))
		fail_msg("%s", e.text);
	return counted;
}

static int give_one(struct hand *h, size_t k)
{
	struct sample s;
	struct event ev = *permitted(&s, k, 0);

	return give(h, k, &ev);
}

static void an_hour_is_a_record_and_a_count(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct err e = {0};
	struct told t;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	assert_int_equal(give_one(h, 0), 0);
	for (int i = 0; i < 5; i++) {
		wait_ns(h, 600 * NS_PER_S);
		assert_int_equal(give_one(h, 0), 1);
	}
	wait_ns(h, 600 * NS_PER_S - 1);
	assert_int_equal(hours_turn(&h->s, &e), 0);
	hand_commit(h);
	assert_int_equal(audit_size(h->s.audit), 1);
	wait_ns(h, 1);
	assert_int_equal(hours_turn(&h->s, &e), 0);
	assert_int_equal(audit_size(h->s.audit), 2);
	/* And another hour begins. */
	assert_int_equal(give_one(h, 0), 0);
	assert_int_equal(give_one(h, 0), 1);
	assert_int_equal(hours_end(&h->s, &e), 0);
	hand_commit(h);
	hand_close(h, false);
	t = read_log(h->b.conf.audit);
	assert_int_equal(t.full, 2);
	assert_int_equal(t.counts, 2);
	assert_int_equal(t.n, 8);
	assert_int_equal(t.octets, 8 * SAMPLE_LEN);
	bench_free(&h->b);
	free(h);
}

static void who_comes_after_a_crash_counts_on(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct err e = {0};
	struct told t;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	assert_int_equal(give_one(h, 0), 0);
	assert_int_equal(give_one(h, 0), 1);
	hand_commit(h);
	assert_int_equal(give_one(h, 0), 1); /* it is not durable */
	hand_close(h, true);
	hand_open(h, 11 * HOUR_NS - 2, INT64_C(1700003600000000));
	assert_int_equal(give_one(h, 0), 1);
	hand_commit(h);
	assert_int_equal(audit_size(h->s.audit), 1);
	/* The hour is that of the first; and one had no checkpoint. */
	wait_ns(h, 2);
	assert_int_equal(hours_turn(&h->s, &e), 0);
	assert_int_equal(audit_size(h->s.audit), 3);
	hand_commit(h);
	hand_close(h, false);
	t = read_log(h->b.conf.audit);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.before, 0);
	assert_int_equal(t.first_ago, HOUR_NS);
	assert_int_equal(t.last_ago, 2);
	bench_free(&h->b);
	free(h);
}

static void what_a_boot_left_the_next_one_tells(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct told t;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	assert_int_equal(give_one(h, 0), 0);
	assert_int_equal(give_one(h, 1), 0);
	wait_ns(h, 60 * NS_PER_S);
	assert_int_equal(give_one(h, 0), 1);
	assert_int_equal(give_one(h, 0), 1);
	assert_int_equal(give_one(h, 1), 1);
	hand_commit(h);
	hand_close(h, true);
	/* Two hours later, and half an hour after the clock began. */
	h->b.arg.boot_key[0] = 2;
	hand_open(h, HOUR_NS / 2, INT64_C(1700007260000000));
	hand_commit(h);
	hand_close(h, true);
	/* Once. */
	hand_open(h, HOUR_NS, INT64_C(1700009060000000));
	hand_close(h, false);
	h->b.arg.boot_key[0] = 3;
	hand_open(h, HOUR_NS, INT64_C(1700010860000000));
	assert_int_equal(give_one(h, 1), 0);
	hand_commit(h);
	hand_close(h, false);
	t = read_log(h->b.conf.audit);
	assert_int_equal(t.n, 6);
	assert_int_equal(t.counts, 2);
	assert_int_equal(t.before, 2);
	assert_int_equal(t.first_ago, HOUR_NS / 2); /* no longer than that */
	bench_free(&h->b);
	free(h);
}

/* What is refused beyond what is told in full is on the disk with the commit
 * that lets go of it: a power cut an hour into a storm loses none of it. */
static void refusals_of_an_hour_outlive_the_power(void **state)
{
	static const enum event_type types[] = {EV_VIOLATION, EV_NOTICE};
	struct hand *h = calloc(1, sizeof(*h));
	struct sample s;
	struct event ev;
	struct told t;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	for (int i = 0; i < 2; i++) {
		/* In full: records, however many the engine says. */
		for (int k = 0; k < 3; k++) {
			ev = *refused(&s, 0, 0, types[i]);
			assert_int_equal(give(h, 0, &ev), 0);
		}
		ev = *refused(&s, 1, 5, types[i]);
		assert_int_equal(give(h, 1, &ev), 1);
	}
	for (int second = 0; second < 500; second++) {
		wait_ns(h, NS_PER_S);
		for (int i = 0; i < 2; i++) {
			ev = *refused(&s, 0, 7, types[i]);
			assert_int_equal(give(h, 0, &ev), 1);
		}
		hand_commit(h);
	}
	assert_int_equal(audit_size(h->s.audit), 6);
	hand_close(h, true);
	h->b.arg.boot_key[0] = 2;
	hand_open(h, HOUR_NS / 2, INT64_C(1700007260000000));
	hand_commit(h);
	hand_close(h, false);
	t = read_log(h->b.conf.audit);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(t.refused[i].full, 3);
		assert_int_equal(t.refused[i].counts, 2);
		assert_int_equal(t.refused[i].before, 2);
		assert_int_equal(t.refused[i].n, 3 + 5 + 500 * 7);
	}
	bench_free(&h->b);
	free(h);
}

/* Each has its time: an hour, ten minutes; from the first that was in full. */
static void a_count_is_told_when_its_time_is_over(void **state)
{
	static const struct {
		enum event_type type;
		int64_t ns;
	} rows[] = {
		{EV_NOTICE, 600 * NS_PER_S},
		{EV_VIOLATION, HOUR_NS},
	};
	struct hand *h = calloc(1, sizeof(*h));
	struct sample s;
	struct event ev;
	struct told t;
	struct err e = {0};

	(void)state;
	assert_non_null(h);
	for (int i = 0; i < 2; i++) {
		hand_begin(h);
		ev = *refused(&s, 0, 0, rows[i].type);
		assert_int_equal(give(h, 0, &ev), 0);
		wait_ns(h, 60 * NS_PER_S);
		ev = *refused(&s, 0, 30, rows[i].type);
		assert_int_equal(give(h, 0, &ev), 1);
		wait_ns(h, rows[i].ns - 60 * NS_PER_S - 1);
		assert_int_equal(hours_turn(&h->s, &e), 0);
		assert_int_equal(audit_size(h->s.audit), 1);
		wait_ns(h, 1);
		assert_int_equal(hours_turn(&h->s, &e), 0);
		assert_int_equal(audit_size(h->s.audit), 2);
		hand_commit(h);
		hand_close(h, false);
		t = read_log(h->b.conf.audit);
		assert_int_equal(t.refused[i == 0].counts, 1);
		assert_int_equal(t.refused[i == 0].n, 31);
		assert_int_equal(t.refused[i == 0].before, 0);
		bench_free(&h->b);
	}
	free(h);
}

/* A storm that refuses by every rule takes no place of what is permitted. */
static void refusals_have_places_of_their_own(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct sample s;
	struct event ev;
	int counted = 0;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	for (unsigned i = 0; i < STORM_RULES + 9; i++) {
		char name[16];

		snprintf(name, sizeof(name), "rule-%u", i);
		ev = *refused(&s, 0, 2, EV_VIOLATION);
		ev.rules[0].rule = span_str(name);
		counted += give(h, 0, &ev);
	}
	assert_int_equal(counted, STORM_RULES);
	assert_int_equal(give_one(h, 0), 0);
	assert_int_equal(give_one(h, 0), 1);
	ev = *refused(&s, 0, 2, EV_NOTICE);
	assert_int_equal(give(h, 0, &ev), 1);
	hand_close(h, true);
	bench_free(&h->b);
	free(h);
}

static void one_that_is_none_of_ours_is_told_and_left_out(void **state)
{
	static const uint64_t slots[] = {0, HOURS * GUESTS - 1, HOURS * GUESTS,
					 UINT64_MAX >> 1};
	struct hand *h = calloc(1, sizeof(*h));
	struct err e = {0};
	struct sample s;
	struct event *ev;
	struct told t;

	(void)state;
	assert_non_null(h);
	for (int boot = 1; boot <= 2; boot++) {
		hand_begin(h);
		assert_int_equal(give_one(h, 1), 0);
		assert_int_equal(give_one(h, 1), 1);
		hand_commit(h);
		/* What no engine counts by the hour. */
		ev = sample_aggregate(&s, 0);
		ev->type = EV_ANOMALY;
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(audit_tally(h->s.audit, slots[i], ev,
						     &e), 0);
		hand_commit(h);
		hand_close(h, true);
		h->b.arg.boot_key[0] = (uint8_t)boot;
		hand_open(h, 10 * HOUR_NS, INT64_C(1700000000000000));
		assert_int_equal(hours_end(&h->s, &e), 0);
		hand_commit(h);
		hand_close(h, false);
		t = read_log(h->b.conf.audit);
		assert_int_equal(t.damaged, 4);
		assert_int_equal(t.n, 2);
		bench_free(&h->b);
	}
	free(h);
}

static void a_guest_can_only_fill_its_own_places(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct sample s;
	int counted = 0;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < HOURS_PERMITTED + 50; i++) {
			struct event ev = *permitted(&s, 0, 0);
			char name[16];

			snprintf(name, sizeof(name), "party-%u", i);
			ev.party = span_str(name);
			counted += give(h, 0, &ev);
		}
	}
	assert_int_equal(counted, HOURS_PERMITTED);
	assert_int_equal(audit_size(h->s.audit), HOURS_PERMITTED + 2 * 50);
	assert_int_equal(give_one(h, 1), 0);
	assert_int_equal(give_one(h, 1), 1);
	hand_close(h, true);
	bench_free(&h->b);
	free(h);
}

/* Nothing that an engine can say makes a count that cannot be told. */
static void the_longest_and_the_most_can_be_told(void **state)
{
	static char text[FLAT_TEXT];
	struct hand *h = calloc(1, sizeof(*h));
	struct span all = span_of((const uint8_t *)text, sizeof(text));
	struct err e = {0};
	struct sample s;
	struct event ev;

	(void)state;
	assert_non_null(h);
	memset(text, 'x', sizeof(text));
	hand_begin(h);
	for (int i = 0; i < 3; i++) {
		ev = *permitted(&s, 0, UINT64_MAX);
		ev.first.ns = INT64_MAX;
		ev.last.ns = i ? INT64_MAX : 0;
		ev.app_proto = "an application protocol with a long name";
		ev.party = ev.rules[0].layer = ev.rules[0].policy = all;
		ev.rules[0].rule = ev.rules[0].file = all;
		ev.rules[0].line = UINT32_MAX;
		ev.rules[0].serial = UINT64_MAX;
		ev.n_rules = 1;
		ev.last_tup = ev.tup;
		ev.severity = SEV_CRITICAL;
		ev.notify = NOTIFY_ALL;
		assert_int_equal(give(h, 0, &ev), 1);
	}
	hand_commit(h);
	hand_close(h, true);
	hand_open(h, 10 * HOUR_NS + 5, INT64_C(1700000000000000));
	if (hours_end(&h->s, &e))
		fail_msg("%s", e.text);
	assert_int_equal(audit_size(h->s.audit), 1);
	hand_close(h, false);
	bench_free(&h->b);
	free(h);
}

/* What is not for counting is a record each, as before. */
static void others_are_records(void **state)
{
	struct hand *h = calloc(1, sizeof(*h));
	struct sample s;
	struct event ev;

	(void)state;
	assert_non_null(h);
	hand_begin(h);
	for (int i = 0; i < 4; i++) {
		ev = *permitted(&s, 0, 0);
		ev.summary = false; /* audit: each */
		assert_int_equal(give(h, 0, &ev), 0);
		ev = *permitted(&s, 0, 0);
		ev.monitored = true;
		assert_int_equal(give(h, 0, &ev), 0);
		ev = *permitted(&s, 0, 0);
		ev.verdict = VERDICT_DENY;
		assert_int_equal(give(h, 0, &ev), 0);
		ev = *sample_violation(&s, 0);
		ev.guest = span_str("guest0");
		assert_int_equal(give(h, 0, &ev), 0);
	}
	/* Each rule, direction and party has its own. */
	assert_int_equal(give_one(h, 0), 0);
	ev = *permitted(&s, 0, 0);
	ev.rules[1].rule = span_str("another");
	assert_int_equal(give(h, 0, &ev), 0);
	ev = *permitted(&s, 0, 0);
	ev.dir = DIR_IN;
	assert_int_equal(give(h, 0, &ev), 0);
	ev = *permitted(&s, 0, 0);
	ev.party = span_str("another");
	assert_int_equal(give(h, 0, &ev), 0);
	assert_int_equal(give_one(h, 0), 1);
	hand_close(h, true);
	bench_free(&h->b);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hour_is_a_record_and_a_count),
		cmocka_unit_test(who_comes_after_a_crash_counts_on),
		cmocka_unit_test(what_a_boot_left_the_next_one_tells),
		cmocka_unit_test(refusals_of_an_hour_outlive_the_power),
		cmocka_unit_test(a_count_is_told_when_its_time_is_over),
		cmocka_unit_test(refusals_have_places_of_their_own),
		cmocka_unit_test(one_that_is_none_of_ours_is_told_and_left_out),
		cmocka_unit_test(a_guest_can_only_fill_its_own_places),
		cmocka_unit_test(the_longest_and_the_most_can_be_told),
		cmocka_unit_test(others_are_records),
		cmocka_unit_test(killed_at_any_point_it_counts_each_once),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
