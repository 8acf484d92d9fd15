/* SPDX-License-Identifier: Apache-2.0 */
/* The scribe as a process in its sandbox: killed, lied to, and without room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "audit/notefile.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/sample.h"
#include "audit/verify.h"
#include "enforcer/daemon/damage_testbed.h"
#include "enforcer/daemon/scribe_bench.h"
#include "enforcer/daemon/storm.h"

/* The i-th of guest k: its number is that of the flow. */
static const struct event *numbered(struct sample *s, size_t k, uint64_t i)
{
	static const char *const names[] = {"guest0", "guest1", ""};
	struct event *ev = i % 3 == 0	? sample_decision(s, i)
			   : i % 3 == 1 ? sample_violation(s, i)
					: sample_flow(s, i);

	ev->now.mono = live_mono();
	ev->guest = span_str(names[k]);
	ev->flow_id = i + 1;
	return ev;
}

/* What the log says of guest k: its numbers, one after another. */
struct seen {
	uint64_t next[GUESTS];
	uint64_t records, malformed, boots, ends, others, checkpoints,
		again;
	uint64_t notices[VERDICT_DENY + 1];
	char boot_text[200];
};

static void look_at(struct seen *seen, const struct record_view *v)
{
	seen->records++;
	if (v->r.kind == RECORD_BOOT) {
		seen->boots++;
		snprintf(seen->boot_text, sizeof(seen->boot_text), "%s",
			 v->ev.detail);
		return;
	}
	if (v->r.kind == RECORD_CHECKPOINT) {
		seen->checkpoints++;
		return;
	}
	if (v->ev.log && v->ev.log->withdrawn) {
		seen->again++; /* behind a death: what had no checkpoint */
		return;
	}
	if (v->r.kind == RECORD_ANOMALY && v->ev.reason == REASON_MALFORMED) {
		seen->malformed++;
		return;
	}
	if (v->ev.type == EV_NOTICE) { /* or a count of them */
		assert_int_equal(v->ev.notify, NOTIFY_PORTAL | NOTIFY_OPERATOR);
		seen->notices[v->ev.verdict]++;
		return;
	}
	for (size_t k = 0; k < GUESTS; k++) {
		char name[16];

		snprintf(name, sizeof(name), "guest%zu", k);
		if (v->ev.flow_id && span_is(v->ev.guest, name)) {
			if (v->ev.flow_id != seen->next[k] + 1)
				fail_msg("%s: %llu after %llu", name,
					 (unsigned long long)v->ev.flow_id,
					 (unsigned long long)seen->next[k]);
			seen->next[k]++;
			return;
		}
	}
	seen->others++;
}

static struct seen read_log(const struct bench *b)
{
	struct record_view *v = malloc(sizeof(*v));
	struct note_key key;
	struct points_conf points = {.keys = &key, .n_keys = 1};
	char name[CONF_PATH + 8];
	struct seen seen = {0};
	struct verify_result r;
	struct reader *reader;
	struct span octets;
	struct err e = {0};
	int64_t last = 0;
	uint32_t boot = 0;
	uint64_t seq;

	assert_non_null(v);
	snprintf(name, sizeof(name), "%s.vkey", b->conf.audit);
	if (note_file_key(&key, name, &e) ||
	    verify_file(b->conf.audit, &points, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(reader_open(&reader, b->conf.audit, false, &e), 0);
	while (reader_next(reader, &seq, &octets, &e) == 1) {
		assert_int_equal(record_decode(v, octets, &e), 0);
		if (v->r.boot == boot)
			assert_true(v->ev.now.mono.ns >= last);
		boot = v->r.boot;
		last = v->ev.now.mono.ns;
		look_at(&seen, v);
	}
	reader_close(reader);
	free(v);
	assert_int_equal(seen.records, r.records);
	assert_int_equal(seen.checkpoints, r.checkpoints);
	return seen;
}

/* --- the tests ------------------------------------------------------------ */

static void killed_at_any_point_it_loses_and_doubles_nothing(void **state)
{
	const char *kills_text = getenv("SCRIBE_KILLS");
	int kills = kills_text ? atoi(kills_text) : 50;
	uint64_t sent[GUESTS] = {0};
	unsigned seed = 1;
	struct bench b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	for (int i = 0; i < kills; i++) {
		int64_t until;

		start(&b);
		until = live_mono().ns + (int64_t)(rand_r(&seed) % 110) *
						 1000000;
		/* Some die while they start, some in the middle of it. */
		while (live_mono().ns < until) {
			for (size_t k = 0; k < GUESTS; k++)
				sent[k] += put(&b, k,
					       numbered(&s, k, sent[k]));
			if (rand_r(&seed) % 4 == 0)
				usleep(300);
		}
		end(&b, SIGKILL);
	}
	start(&b);
	assert_true(drained(&b));
	end(&b, SIGTERM);
	seen = read_log(&b);
	for (size_t k = 0; k < GUESTS; k++) {
		assert_true(sent[k] > 0);
		assert_int_equal(seen.next[k], sent[k]);
	}
	assert_int_equal(seen.boots, 1); /* one start of the gateway */
	assert_int_equal(seen.others, 1); /* its end */
	assert_true(seen.again > 0 && seen.again <= (uint64_t)kills);
	assert_true(seen.checkpoints >= 1); /* over it */
	print_message("%d kills, %llu records\n", kills,
		      (unsigned long long)seen.records);
	bench_free(&b);
}

static void records_say_which_policies_were_in_force(void **state)
{
	static const uint32_t want[] = {4, 4, 5, 5, 5};
	struct record_view *v;
	struct reader *reader;
	struct span octets;
	struct err e = {0};
	struct sample s;
	struct bench b;
	uint64_t seq;
	size_t n = 0;

	(void)state;
	NEEDS_ROOT();
	v = malloc(sizeof(*v));
	assert_non_null(v);
	bench_init(&b, 1);
	atomic_store(&b.arg.control->policy_generation, 4);
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 0)));
	assert_true(drained(&b));
	atomic_store(&b.arg.control->policy_generation, 5);
	assert_true(put(&b, 0, numbered(&s, 0, 1)));
	assert_true(drained(&b));
	end(&b, SIGTERM);
	/* Its boot and a decision; another, its end and the checkpoint. */
	assert_int_equal(reader_open(&reader, b.conf.audit, false, &e), 0);
	while (reader_next(reader, &seq, &octets, &e) == 1) {
		assert_true(n < sizeof(want) / sizeof(want[0]));
		assert_int_equal(record_decode(v, octets, &e), 0);
		assert_int_equal(v->r.policy_seq, want[n++]);
	}
	assert_int_equal(n, sizeof(want) / sizeof(want[0]));
	reader_close(reader);
	bench_free(&b);
	free(v);
}

static void other_name(struct event *ev)
{
	ev->guest = span_str("guest1");
}

static void policy(struct event *ev)
{
	ev->type = EV_POLICY;
}

static void boot(struct event *ev)
{
	ev->type = EV_BOOT;
}

static void future(struct event *ev)
{
	ev->now.mono.ns += 3600 * NS_PER_S;
}

static void verdict(struct event *ev)
{
	ev->verdict = (enum verdict)7;
}

static void loss(struct event *ev)
{
	ev->type = EV_LOSS;
	ev->count = 1;
}

static void export(struct event *ev)
{
	ev->type = EV_EXPORT;
}

static void reason(struct event *ev)
{
	ev->reason = REASON_COUNT;
}

static const struct {
	const char *why;
	void (*spoil)(struct event *ev);
} forged[] = {
	{"in another guest's name", other_name},
	{"a policy that was activated", policy},
	{"a start of the writer", boot},
	{"a loss, which would be kept for ever", loss},
	{"an export, which somebody acts upon", export},
	{"of the future", future},
	{"a verdict there is not", verdict},
	{"a reason there is not", reason},
};

static void an_engine_that_lies_is_counted_and_recorded(void **state)
{
	size_t n = sizeof(forged) / sizeof(forged[0]);
	struct bench b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	start(&b);
	for (size_t i = 0; i < n; i++) {
		struct event ev = *numbered(&s, 0, 0);

		forged[i].spoil(&ev);
		assert_true(put(&b, 0, &ev));
		assert_true(put(&b, 1, numbered(&s, 1, i)));
		assert_true(drained(&b));
		if (atomic_load(&b.guest[0].lane->gate_bad) != i + 1)
			fail_msg("%s", forged[i].why);
	}
	assert_true(put_octets(&b, 0, span_str("nothing like an event")));
	assert_true(drained(&b));
	assert_int_equal(atomic_load(&b.guest[0].lane->gate_bad), n + 1);
	/* Positions that cannot be, then, after a new engine, a good event. */
	atomic_store(&b.ring[0].s->head, b.ring[0].at + 12345678);
	ring_wake(&b.arg.control->scribe_sleeps);
	within(atomic_load(&b.guest[0].lane->gate_bad) > n + 1);
	atomic_store(&b.ring[0].s->head, atomic_load(&b.ring[0].s->tail));
	ring_writer(&b.ring[0], b.guest[0].events, EVENT_RING);
	assert_true(put(&b, 0, numbered(&s, 0, 0)));
	assert_true(drained(&b));
	assert_int_equal(atomic_load(&b.guest[1].lane->gate_bad), 0);
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.next[0], 1);
	assert_int_equal(seen.next[1], n);
	assert_in_range(seen.malformed, 1, n + 2);
	assert_int_equal(seen.others, 1);
	bench_free(&b);
}

/* An engine that writes as fast as it can fills the log at its pace only, and
 * nobody else waits for that. What it wrote is recorded all the same. */
static void one_guest_does_not_push_out_the_others(void **state)
{
	_Atomic uint32_t *percent, *alarm;
	uint64_t sent = 0, other = 0;
	struct bench b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	b.conf.audit_bound = UINT64_C(32) << 20; /* 4 MiB at once */
	b.conf.audit_rate = 1024;
	percent = &b.guest[0].lane->audit_percent;
	alarm = &b.guest[0].lane->audit_alarm;
	start(&b);
	/* Four times of that, and it is held back before. */
	while (sent < 64000 && atomic_load(percent) < 99) {
		if (put(&b, 0, numbered(&s, 0, sent)))
			sent++;
		else
			usleep(1000);
	}
	assert_in_range(atomic_load(percent), 99, 100);
	assert_int_equal(atomic_load(alarm), 1);
	while (put(&b, 0, numbered(&s, 0, sent)))
		sent++;
	for (; other < 50; other++) {
		assert_true(put(&b, 1, numbered(&s, 1, other)));
		while (atomic_load(&b.ring[1].s->tail) != b.ring[1].at)
			usleep(1000);
	}
	assert_true(atomic_load(&b.ring[0].s->tail) != b.ring[0].at);
	assert_int_equal(atomic_load(&b.guest[1].lane->audit_alarm), 0);
	/* A successor begins with no other bucket. */
	end(&b, SIGKILL);
	start(&b);
	assert_true(put(&b, 1, numbered(&s, 1, other++)));
	while (atomic_load(&b.ring[1].s->tail) != b.ring[1].at)
		usleep(1000);
	assert_true(atomic_load(&b.ring[0].s->tail) != b.ring[0].at);
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.next[0], sent);
	assert_int_equal(seen.next[1], other);
	assert_int_equal(seen.others, 2); /* the alarm, and the end */
	assert_int_equal(seen.again, 1);
	bench_free(&b);
}

static void into_ring(void *arg, const struct event *ev)
{
	assert_true(put(arg, 0, ev));
}

/* What an engine makes of events whose rules say `notify`. */
static void what_a_rule_notifies_is_recorded(void **state)
{
	struct storm_conf c = {.key = {1, 2}, .guest = "guest0"};
	struct storm *storm;
	struct bench b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	storm = calloc(1, sizeof(*storm));
	assert_non_null(storm);
	storm_init(storm, &c);
	bench_init(&b, 1);
	start(&b);
	for (uint64_t i = 0; i < 6; i++) {
		struct event ev = *numbered(&s, 0, i);

		ev.notify = NOTIFY_PORTAL | NOTIFY_OPERATOR;
		ev.rules[0].rule = span_str(i % 3 == 0 ? "may" : "never");
		ev.rules[1].rule = ev.rules[0].rule;
		storm_event(storm, &ev, into_ring, &b);
	}
	storm_flush(storm, (struct now){.mono = live_mono()}, into_ring, &b);
	assert_true(drained(&b));
	assert_int_equal(atomic_load(&b.guest[0].lane->gate_bad), 0);
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.next[0], 6);
	/* The first of each rule, and then how many more. */
	assert_int_equal(seen.notices[VERDICT_ALLOW], 2);
	assert_int_equal(seen.notices[VERDICT_DENY], 2);
	bench_free(&b);
	free(storm);
}

static void starts_are_records(void **state)
{
	struct bench b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 0)));
	assert_true(drained(&b));
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.boots, 1);
	assert_string_equal(seen.boot_text, "the log begins");
	bench_free(&b);

	bench_init(&b, 2); /* another start of the gateway */
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 1)));
	assert_true(drained(&b));
	end(&b, SIGKILL);
	seen = read_log(&b);
	assert_int_equal(seen.boots, 2);
	assert_string_equal(seen.boot_text, "after an end in order");
	bench_free(&b);

	bench_init(&b, 3);
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 2)));
	assert_true(drained(&b));
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.boots, 3);
	assert_string_equal(seen.boot_text,
			    "after an unclean end; the last record that is "
			    "durable is 5; verdicts of the last 3000 ms, at "
			    "most 24576 records and the counts of a second, "
			    "may have none");
	assert_int_equal(seen.next[0], 3);
	bench_free(&b);
}

/* Waits until the view says so, or long. */
static bool view_error(const struct bench *b, bool want)
{
	for (int i = 0; i < WITHIN_MS; i++) {
		if ((b->arg.view->error[0] != 0) == want)
			return true;
		usleep(1000);
	}
	return false;
}

static void a_full_disk_stops_all_until_there_is_room(void **state)
{
	uint64_t sent = 0, tail;
	struct bench b;
	struct seen seen;
	struct sample s;
	struct mono began;

	(void)state;
	NEEDS_ROOT();
	if (mount("scribe-test", dir, "tmpfs", 0,
		  "size=1m,mode=0700,uid=64124,gid=64124")) {
		print_message("SKIP: a full disk: tmpfs cannot be mounted\n");
		skip();
	}
	bench_init(&b, 1);
	b.log = log_init("scribe", LOG_LEVEL_INFO, false);
	b.said = tmpfile();
	assert_non_null(b.said);
	start(&b);
	for (int waits = 0; !b.arg.view->error[0] && waits < 10000;) {
		if (put(&b, 0, numbered(&s, 0, sent))) {
			sent++;
		} else {
			waits++;
			usleep(1000);
		}
	}
	assert_true(view_error(&b, true));
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 1);
	/* Nothing is let go, and it is said why. */
	tail = atomic_load(&b.ring[0].s->tail);
	while (put(&b, 0, numbered(&s, 0, sent)))
		sent++;
	/* It is tried several times meanwhile, not all the time, and said
	 * once. */
	began = live_mono();
	while (b.arg.view->failures < 4) {
		assert_true(b.arg.view->error[0]);
		assert_int_equal(atomic_load(&b.arg.control->audit_closed), 1);
		usleep(10000);
	}
	assert_true(mono_sub(live_mono(), began) >= 2 * NS_PER_S);
	/* Readers are told, too. */
	assert_int_equal(ask_window(&b, WINDOW_BUNDLE, 0), E_STATE);
	assert_int_equal(ask_window(&b, WINDOW_COSIGN, 1), E_STATE);
	assert_int_equal(times_said(&b, "nothing can be recorded"), 1);
	assert_int_equal(times_said(&b, "written again"), 0);
	assert_int_equal(tail, atomic_load(&b.ring[0].s->tail));
	/* Also between two tries, and for a successor. */
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 1);
	assert_non_null(strstr(b.arg.view->error, "full"));
	assert_true(b.arg.view->failures >= 1);
	/* Room again: it goes on by itself, and nothing is missing. */
	assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, "size=64m"), 0);
	assert_true(view_error(&b, false));
	assert_true(drained(&b));
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 0);
	assert_int_equal(ask_window(&b, WINDOW_BUNDLE, 0), 0);
	end(&b, SIGTERM);
	assert_int_equal(times_said(&b, "nothing can be recorded"), 1);
	assert_int_equal(times_said(&b, "written again"), 1);
	fclose(b.said);
	seen = read_log(&b);
	assert_int_equal(seen.next[0], sent);
	assert_int_equal(seen.boots, 1);
	bench_free(&b);
	assert_int_equal(umount(dir), 0);
}

/* To those who read: of this origin, with these words in its first record. */
static void what_is_shown_is(struct bench *b, const char *origin,
			     const char *begins)
{
	const struct window *w = b->arg.window;
	struct record_view *v = malloc(sizeof(*v));
	struct err e = {0};
	struct span first;
	struct cur c;

	assert_non_null(v);
	assert_string_equal(w->origin, origin);
	assert_int_equal(ask_window(b, WINDOW_BUNDLE, 0), 0);
	assert_int_equal(w->n, atomic_load(&w->size));
	c = cur_of(span_of(w->data, w->octets));
	assert_true(store_next(&c, &first));
	assert_int_equal(record_decode(v, first, &e), 0);
	assert_non_null(strstr(v->detail, begins));
	free(v);
}

static void an_altered_log_is_left_and_told_of(void **state)
{
	uint32_t log;
	struct bench b;
	struct seen seen;
	struct sample s;
	FILE *f;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 0)));
	assert_true(drained(&b));
	end(&b, SIGTERM);
	assert_int_equal(atomic_load(&b.arg.control->audit_recovery), 0);
	assert_string_equal(b.arg.window->origin, "test/audit");
	log = atomic_load(&b.arg.window->log);
	f = fopen(b.conf.audit, "r+b");
	assert_non_null(f);
	fseek(f, 2 * 4096 + 3000, SEEK_SET);
	fputc(0x5a, f);
	fclose(f);
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, 0)));
	assert_true(drained(&b));
	assert_int_equal(atomic_load(&b.arg.control->audit_recovery), 1);
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 0);
	assert_true(atomic_load(&b.arg.window->log) != log);
	assert_non_null(strstr(b.arg.view->error, "recovery-1"));
	what_is_shown_is(&b, "test/audit/recovery-1", "was left as it is");
	end(&b, SIGTERM);
	snprintf(b.conf.audit + strlen(b.conf.audit), 16, ".recovery-1");
	seen = read_log(&b);
	assert_int_equal(seen.next[0], 1);
	assert_int_equal(seen.boots, 1);
	assert_non_null(strstr(seen.boot_text, "was left as it is"));
	bench_free(&b);
}

#define OLD_RECORDS 2000 /* the first are not looked at when it is opened */

/* An altered record by itself tells nothing: its proof does. */
static void what_a_reader_finds_altered_is_an_alarm(void **state)
{
	struct bench b;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	b.said = tmpfile();
	assert_non_null(b.said);
	start(&b);
	for (uint64_t i = 0; i < OLD_RECORDS; i++) {
		while (!put(&b, 0, numbered(&s, 0, i)))
			usleep(1000);
	}
	assert_true(drained(&b));
	end(&b, SIGTERM);
	damage_bundles(b.conf.audit,
		       "UPDATE bundle SET data = CAST(substr(data, 1, 70) || "
		       "x'5a' || substr(data, 72) AS BLOB) WHERE first = 0");
	damage_bundles(b.conf.audit, "UPDATE bundle SET data = zeroblob(2000000)"
				     " WHERE first = 256");
	start(&b);
	assert_true(put(&b, 0, numbered(&s, 0, OLD_RECORDS)));
	assert_true(drained(&b));
	assert_int_equal(ask_window(&b, WINDOW_INCLUSION, OLD_RECORDS - 1), 0);
	assert_int_equal(atomic_load(&b.arg.control->audit_damaged), 0);
	assert_false(b.arg.view->error[0]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask_window(&b, WINDOW_INCLUSION, 0),
				 E_INTEGRITY);
		assert_non_null(memmem(b.arg.window->data,
				       b.arg.window->octets, "record 0: ", 10));
		assert_int_equal(ask_window(&b, WINDOW_BUNDLE, 256),
				 E_INTEGRITY);
	}
	assert_int_equal(atomic_load(&b.arg.control->audit_damaged), 1);
	assert_int_equal(atomic_load(&b.arg.control->audit_closed), 0);
	assert_non_null(strstr(b.arg.view->error, "damaged"));
	assert_int_equal(times_said(&b, "damaged"), 1);
	/* It goes on, and the rest can be read. */
	assert_int_equal(ask_window(&b, WINDOW_BUNDLE, 512), 0);
	assert_true(put(&b, 0, numbered(&s, 0, OLD_RECORDS + 1)));
	assert_true(drained(&b));
	assert_non_null(strstr(b.arg.view->error, "damaged"));
	end(&b, SIGTERM);
	fclose(b.said);
	bench_free(&b);
}

/* What is written to a file that has no name is gone when it is closed. */
static void a_log_that_is_taken_away_closes(void **state)
{
	static const char *const ways[] = {
		"rm '%s'/a.db*",		   /* gone */
		"cp '%s'/old '%s'/a.db",	   /* rolled back where it lies */
		"cp '%s'/old '%s'/n && mv '%s'/n '%s'/a.db", /* another */
	};

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < 3; i++) {
		char cmd[320];
		struct bench b;
		struct sample s;
		uint64_t tail;

		clean();
		bench_init(&b, 1);
		start(&b);
		assert_true(put(&b, 0, numbered(&s, 0, 0)));
		assert_true(drained(&b));
		end(&b, SIGKILL);
		snprintf(cmd, sizeof(cmd), "cp '%s'/a.db '%s'/old", dir, dir);
		assert_int_equal(system(cmd), 0);
		start(&b);
		for (uint64_t k = 1; k < 5; k++) {
			assert_true(put(&b, 0, numbered(&s, 0, k)));
			assert_true(drained(&b));
		}
		if (i == 1) /* nobody has it open then */
			end(&b, SIGKILL);
		snprintf(cmd, sizeof(cmd), ways[i], dir, dir, dir, dir);
		assert_int_equal(system(cmd), 0);
		snprintf(cmd, sizeof(cmd), "rm -f '%s'/a.db-*; "
			 "chown %d:%d '%s'/a.db 2>/dev/null || true", dir,
			 TEST_UID, TEST_UID, dir);
		assert_int_equal(system(cmd), 0);
		if (i == 1)
			start(&b);
		tail = atomic_load(&b.ring[0].s->tail);
		assert_true(put(&b, 0, numbered(&s, 0, 5)));
		assert_true(view_error(&b, true));
		assert_non_null(strstr(b.arg.view->error, "the log"));
		/* Also for the next, and for a successor. */
		for (int k = 0; k < 2; k++) {
			usleep(1300000);
			assert_true(b.arg.view->error[0]);
			assert_int_equal(
				atomic_load(&b.arg.control->audit_closed), 1);
			assert_int_equal(tail,
					 atomic_load(&b.ring[0].s->tail));
			end(&b, SIGKILL);
			start(&b);
		}
		end(&b, SIGKILL);
		bench_free(&b);
	}
}

static void the_view_shows_what_is_durable(void **state)
{
	const struct view *v;
	struct bench b;
	struct sample s;
	struct event *ev;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	v = b.arg.view;
	start(&b);
	for (uint64_t i = 0; i < 3 * (VIEW_REFUSALS + 6); i++)
		assert_true(put(&b, 0, numbered(&s, 0, i)));
	ev = sample_aggregate(&s, 0);
	ev->guest = span_str("guest1");
	ev->now.mono = live_mono();
	assert_true(put(&b, 1, ev));
	ev = sample_loss(&s, 0);
	ev->guest = (struct span){0};
	ev->now.mono = live_mono();
	assert_true(put(&b, GUESTS, ev));
	assert_true(drained(&b));
	/* It is filled in bit by bit, behind what is durable. */
	within(v->records == 3 * (VIEW_REFUSALS + 6) + 3);
	within(v->aggregated == 5);
	within(v->lost == 3);
	within(v->commits > 0);
	within(v->guest[0].n == VIEW_REFUSALS + 6);
	within(v->guest[1].n == 1);
	for (uint64_t i = 6; i < v->guest[0].n; i++) {
		const struct view_refusal *r =
			&v->guest[0].refusal[i % VIEW_REFUSALS];
		char want[64];

		snprintf(want, sizeof(want), "\"flow_id\":%llu,",
			 (unsigned long long)(3 * i + 2));
		assert_non_null(memmem(r->text, r->n, want, strlen(want)));
		assert_int_equal(r->text[0], '{');
		assert_int_equal(r->text[r->n - 1], '}');
	}
	assert_int_equal(v->guest[1].n, 1);
	end(&b, SIGTERM);
	bench_free(&b);
}

/* Many in one go: more than a batch, in the order of their times. */
static void rings_are_merged_by_time(void **state)
{
	struct bench b;
	struct seen seen;
	struct sample s;
	struct mono from;

	(void)state;
	NEEDS_ROOT();
	bench_init(&b, 1);
	for (uint64_t i = 0; i < 1000; i++)
		for (size_t k = 0; k < GUESTS; k++)
			assert_true(put(&b, k, numbered(&s, k, i)));
	from = live_mono();
	start(&b);
	assert_true(drained(&b));
	print_message("2000 records in %lld ms\n",
		      (long long)(mono_sub(live_mono(), from) / 1000000));
	end(&b, SIGTERM);
	seen = read_log(&b); /* checks that times never go back */
	assert_int_equal(seen.next[0], 1000);
	assert_int_equal(seen.next[1], 1000);
	bench_free(&b);
}

/* An engine whose events are always the oldest does not keep out others. */
static void nobody_pushes_to_the_front(void **state)
{
	struct record_view *v;
	struct reader *reader;
	struct span octets;
	struct err e = {0};
	uint64_t seq, last = 0;
	struct bench b;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	v = malloc(sizeof(*v));
	assert_non_null(v);
	bench_init(&b, 1);
	for (uint64_t i = 0;; i++) {
		struct event ev = *numbered(&s, 0, i);

		ev.now.mono.ns = 1;
		if (!put(&b, 0, &ev))
			break;
	}
	for (uint64_t i = 0; i < 100; i++)
		assert_true(put(&b, 1, numbered(&s, 1, i)));
	start(&b);
	assert_true(drained(&b));
	end(&b, SIGTERM);
	assert_int_equal(reader_open(&reader, b.conf.audit, false, &e), 0);
	while (reader_next(reader, &seq, &octets, &e) == 1) {
		assert_int_equal(record_decode(v, octets, &e), 0);
		if (span_is(v->ev.guest, "guest1"))
			last = seq;
	}
	assert_true(seq > 1000); /* all are there */
	assert_in_range(last, 100, 600);
	reader_close(reader);
	bench_free(&b);
	free(v);
}

/* A second one, as of a gateway that was started twice: it is closed as long
 * as the first lives, whatever it was given waits, and neither's is lost. */
static void two_of_them_never_write_one_log(void **state)
{
	struct bench a, b;
	struct seen seen;
	struct sample s;

	(void)state;
	NEEDS_ROOT();
	bench_init(&a, 7);
	bench_init(&b, 7);
	start(&a);
	assert_true(put(&a, 0, numbered(&s, 0, 0)));
	assert_true(drained(&a));
	start(&b);
	for (uint64_t i = 0; i < 50; i++) {
		assert_true(put(&b, 1, numbered(&s, 1, i)));
		assert_true(put(&a, 0, numbered(&s, 0, i + 1)));
		usleep(10000);
	}
	assert_true(drained(&a));
	/* It may begin long after it was started. */
	within(atomic_load(&b.arg.control->audit_closed) != 0);
	assert_int_equal(atomic_load(&b.ring[1].s->tail), 0);
	assert_non_null(strstr(b.arg.view->error, "somebody else writes it"));
	/* The lock goes with who had it, however he ended. */
	end(&a, SIGKILL);
	assert_true(drained(&b));
	assert_true(atomic_load(&b.arg.control->audit_closed) == 0);
	end(&b, SIGTERM);
	seen = read_log(&b);
	assert_int_equal(seen.next[0], 51);
	assert_int_equal(seen.next[1], 50);
	bench_free(&a);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_say_which_policies_were_in_force),
		cmocka_unit_test(starts_are_records),
		cmocka_unit_test(
			killed_at_any_point_it_loses_and_doubles_nothing),
		cmocka_unit_test(an_engine_that_lies_is_counted_and_recorded),
		cmocka_unit_test(one_guest_does_not_push_out_the_others),
		cmocka_unit_test(what_a_rule_notifies_is_recorded),
		cmocka_unit_test(a_full_disk_stops_all_until_there_is_room),
		cmocka_unit_test(an_altered_log_is_left_and_told_of),
		cmocka_unit_test(what_a_reader_finds_altered_is_an_alarm),
		cmocka_unit_test(a_log_that_is_taken_away_closes),
		cmocka_unit_test(the_view_shows_what_is_durable),
		cmocka_unit_test(rings_are_merged_by_time),
		cmocka_unit_test(nobody_pushes_to_the_front),
		cmocka_unit_test(two_of_them_never_write_one_log),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
