/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts that are open: who can write the file cannot take away what was
 * counted at the last checkpoint, whatever he makes again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/segment.h"
#include "audit/store.h"
#include "audit/tally.h"
#include "audit/testdb.h"

#define ORIGIN "meter-1.meter.example/audit"
#define MINUTE (60 * NS_PER_S)

static struct audit *open_with(uint8_t key, bool signs, bool recover)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {key},
		.resume = true,
		.own_key = signs,
		.recover = recover,
	};
	struct err e = {0};
	struct audit *a;

	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	return a;
}

/* --- what is counted ------------------------------------------------------ */

/* Of n refusals alike; each flow has its own count. */
static struct event *counted(struct sample *s, uint64_t flow, uint64_t n)
{
	struct event *ev = sample_aggregate(s, 0);

	ev->flow_id = flow;
	ev->count = n;
	ev->count_octets = 96 * n;
	ev->first = ev->now.mono;
	ev->last.ns = ev->first.ns + (int64_t)n;
	return ev;
}

static void tally(struct audit *a, uint64_t slot, uint64_t flow, uint64_t n)
{
	struct sample s;
	struct err e = {0};

	if (audit_tally(a, slot, n ? counted(&s, flow, n) : NULL, &e))
		fail_msg("%s", e.text);
}

/* The record of it, so many minutes later. */
static void tell(struct audit *a, uint64_t flow, uint64_t n, int64_t minutes)
{
	struct sample s;
	struct event *ev = counted(&s, flow, n);
	struct err e = {0};

	ev->now.mono.ns += minutes * MINUTE;
	ev->now.wall.us += minutes * (MINUTE / 1000);
	ev->detail = "several alike";
	if (audit_append(a, ev, NULL, &e))
		fail_msg("%s", e.text);
}

static void add(struct audit *a)
{
	struct sample s;
	struct err e = {0};

	if (audit_append(a, sample_flow(&s, 0), NULL, &e))
		fail_msg("%s", e.text);
}

static void commit(struct audit *a)
{
	struct err e = {0};

	if (audit_commit(a, &e))
		fail_msg("%s", e.text);
}

/* A record and the one before the checkpoint of 2, at which 5 were counted in
 * slot 3 and 7 in slot 700. */
static void make_point(bool signs)
{
	struct audit *a;

	test_clean();
	a = open_with(1, signs, false);
	add(a);
	tally(a, 3, 30, 5);
	tally(a, 700, 40, 7);
	test_close(a);
}

/* And more since: slot 3 has grown, what was in 700 is a record, there is
 * another; then the power went. */
static void make(bool signs)
{
	struct audit *a;

	make_point(signs);
	a = open_with(1, signs, false);
	tally(a, 3, 30, 9);
	tell(a, 40, 8, 0);
	tally(a, 700, 0, 0);
	tally(a, 8, 50, 2);
	commit(a);
	audit_abandon(a);
}

/* --- by hand -------------------------------------------------------------- */

/* As it lies in the file. */
static size_t said_of(uint8_t out[RECORD_MAX], uint64_t slot,
		      const struct event *ev)
{
	struct wbuf w = wbuf_of(out, RECORD_MAX);
	struct record r = {.kind = RECORD_AGGREGATE, .seq = slot, .boot = 1,
			   .ev = ev};
	struct err e = {0};

	assert_int_equal(record_encode(&w, &r, &e), 0);
	return w.n;
}

static void put(struct db *d, uint64_t slot, const struct event *ev)
{
	uint8_t octets[RECORD_MAX];
	struct db_stmt *st;
	struct err e = {0};

	assert_int_equal(db_prepare(&st, d, "INSERT OR REPLACE INTO tally"
				    " VALUES(?1, ?2)", &e), 0);
	db_put_u64(st, 1, slot);
	db_put_span(st, 2, span_of(octets, said_of(octets, slot, ev)));
	assert_int_equal(db_run(st, &e), 0);
	db_finish(st);
}

static int take(void *arg, uint64_t slot, struct span said, struct err *e)
{
	return tally_put(arg, slot, said, e);
}

/* The state as it would be if all were right. */
static void make_state_again(struct db *d)
{
	struct sha256 *h = sha256_new();
	struct tally_set set = {0};
	uint8_t digest[SHA256_LEN];
	struct db_stmt *st;
	struct err e = {0};

	assert_non_null(h);
	assert_int_equal(tally_each(d, take, &set, &e), 0);
	assert_int_equal(db_prepare(&st, d, "UPDATE state SET tally = ?1", &e),
			 0);
	if (tally_digest(&set, h, digest))
		db_put_span(st, 1, span_of(digest, sizeof(digest)));
	assert_int_equal(db_run(st, &e), 0);
	db_finish(st);
	tally_fini(&set);
	sha256_free(h);
}

static void put_list(struct db *d, const struct event *ev)
{
	uint8_t said[RECORD_MAX], octets[RECORD_MAX + 16];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	size_t n = said_of(said, 3, ev);
	struct db_stmt *st;
	struct err e = {0};

	wbuf_be(&w, 3, 8);
	wbuf_be(&w, n, 2);
	wbuf_put(&w, span_of(said, n));
	assert_int_equal(db_prepare(&st, d, "UPDATE checkpoint SET open = ?1",
				    &e), 0);
	db_put_span(st, 1, wbuf_span(&w));
	assert_int_equal(db_run(st, &e), 0);
	db_finish(st);
}

/* --- what somebody does --------------------------------------------------- */

static void less(struct db *d)
{
	struct sample s;

	put(d, 3, counted(&s, 30, 4));
}

static void fewer_octets(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 9);

	ev->count_octets = 1;
	put(d, 3, ev);
}

static void of_another_rule(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 9);

	ev->rules[1].rule = span_str("another");
	put(d, 3, ev);
}

static void permitted(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 9);

	ev->verdict = VERDICT_ALLOW;
	put(d, 3, ev);
}

static void earlier(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 9);

	ev->first.ns--;
	put(d, 3, ev);
}

static void last_before(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 9);

	ev->last = ev->first;
	put(d, 3, ev);
}

static void taken(struct db *d)
{
	test_exec(d, "DELETE FROM tally WHERE slot = 3");
}

static void all_taken(struct db *d)
{
	test_exec(d, "DELETE FROM tally");
}

static void one_more(struct db *d)
{
	struct sample s;

	put(d, 9, counted(&s, 90, 1));
}

static void rubbish(struct db *d)
{
	test_exec(d, "UPDATE tally SET said = x'0103' WHERE slot = 3");
}

static void of_another_kind(struct db *d)
{
	uint8_t octets[RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct sample s;
	struct event *ev = sample_flow(&s, 0);
	struct record r = {.kind = RECORD_FLOW, .seq = 3, .boot = 1, .ev = ev};
	struct db_stmt *st;
	struct err e = {0};

	assert_int_equal(record_encode(&w, &r, &e), 0);
	assert_int_equal(db_prepare(&st, d, "UPDATE tally SET said = ?1"
				    " WHERE slot = 3", &e), 0);
	db_put_span(st, 1, wbuf_span(&w));
	assert_int_equal(db_run(st, &e), 0);
	db_finish(st);
}

static void swapped(struct db *d)
{
	test_exec(d, "UPDATE tally SET slot = 11 - slot + 1000;"
		     "UPDATE tally SET slot = slot - 1000");
}

static void digest_gone(struct db *d)
{
	test_exec(d, "UPDATE state SET tally = NULL");
}

static void list_gone(struct db *d)
{
	test_exec(d, "UPDATE checkpoint SET open = NULL");
}

static void list_cut(struct db *d)
{
	test_exec(d, "UPDATE checkpoint SET open = substr(open, 1,"
		     " length(open) - 1)");
}

static void both_altered(struct db *d)
{
	struct sample s;
	struct event *ev = counted(&s, 30, 4);

	put(d, 3, ev);
	put_list(d, ev);
}

/* --- and what is found ---------------------------------------------------- */

#define STATE "the open counts are not what the state says"
#define GONE3 "open count 3: it was 5 at the checkpoint of 2 records"
#define BOUND "checkpoint of 2 records: the open counts beside it are not"

static const struct {
	const char *why;
	void (*how)(struct db *d);
	bool again; /* the state is made again */
	const char *text;
} rows[] = {
	{"altered", less, false, STATE},
	{"taken away", taken, false, STATE},
	{"all taken away", all_taken, false, STATE},
	{"one more", one_more, false, STATE},
	{"the state's digest gone", digest_gone, false, STATE},
	{"fewer", less, true, GONE3},
	{"fewer octets", fewer_octets, true, GONE3},
	{"of another rule", of_another_rule, true, GONE3},
	{"permitted", permitted, true, GONE3},
	{"another first", earlier, true, GONE3},
	{"another last", last_before, true, GONE3},
	{"taken away, and the state", taken, true, GONE3},
	{"all taken away, and the state", all_taken, true, GONE3},
	{"no record", rubbish, true, "open count 3: record is not canonical"},
	{"another kind", of_another_kind, true, "open count 3: it is none"},
	{"swapped", swapped, true, "it is of another slot"},
	{"the checkpoint's list gone", list_gone, true, BOUND},
	{"the checkpoint's list cut", list_cut, true, BOUND},
	{"fewer, in the list, too", both_altered, true, BOUND},
};

static void expect(const char *why, const char *text)
{
	struct audit_conf conf = {.path = test_path, .origin = ORIGIN,
				  .boot_key = {1}, .resume = true,
				  .own_key = true};
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	const char *said;
	int rc = verify_file(test_path, NULL, &r, NULL, NULL, &e);

	if (rc != (text ? E_INTEGRITY : 0) || (text && !strstr(e.text, text)) ||
	    r.has_bad)
		fail_msg("%s: %d %s", why, rc, e.text);
	rc = audit_open(&a, &conf, &e);
	if (rc != (text ? E_INTEGRITY : 0) || (text && !strstr(e.text, text)))
		fail_msg("%s, opened: %d %s", why, rc, e.text);
	if (rc == 0) {
		audit_abandon(a);
		return;
	}
	/* It is left as it is. */
	a = open_with(1, true, true);
	assert_int_equal(audit_recovery(a, &said), 1);
	assert_non_null(strstr(said, text));
	test_close(a);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, text));
}

static void every_change_has_its_finding(void **state)
{
	(void)state;
	make(true);
	expect("nothing", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct db *d;

		make(true);
		d = test_db();
		test_guards(d, false);
		rows[i].how(d);
		if (rows[i].again)
			make_state_again(d);
		test_guards(d, true);
		test_db_close(d);
		expect(rows[i].why, rows[i].text);
	}
}

/* A count is not closed but by a record of it. */
static void what_is_gone_was_told(void **state)
{
	static const struct {
		const char *why;
		uint64_t flow, n;
		bool good;
	} tells[] = {
		{"as many", 40, 7, true},
		{"more", 40, 1000, true},
		{"fewer", 40, 6, false},
		{"others", 41, 1000, false},
		{"none", 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
		struct audit *a;

		make_point(true);
		a = open_with(1, true, false);
		if (tells[i].n)
			tell(a, tells[i].flow, tells[i].n, 0);
		tally(a, 700, 0, 0);
		commit(a);
		audit_abandon(a);
		expect(tells[i].why, tells[i].good ? NULL :
		       "open count 700: it was 7 at the checkpoint of 2 ");
	}
}

/* The next boot tells what the last one left, by its own clock; also when the
 * records since the checkpoint were moved out of the database. */
static void the_next_boot_tells_what_was_left(void **state)
{
	struct err e = {0};
	struct sample s;
	struct audit *a;

	(void)state;
	for (int moved = 0; moved < 2; moved++) {
		make_point(true);
		a = open_with(2, false, false);
		for (uint64_t i = 0; i < 2; i++) {
			struct event *ev = counted(&s, i ? 40 : 30, i ? 7 : 5);

			ev->now.mono.ns = 10;
			ev->first.ns = ev->last.ns = i ? 3 : 0;
			ev->detail = "several alike, counted before";
			assert_int_equal(audit_append(a, ev, NULL, &e), 0);
		}
		tally(a, 3, 0, 0);
		tally(a, 700, 0, 0);
		for (uint64_t i = 0; moved && i < 2000; i++) {
			struct event *ev = sample_flow(&s, i);

			assert_int_equal(audit_append(a, ev, NULL, &e), 0);
		}
		commit(a);
		if (moved)
			assert_int_equal(audit_segment(a, 1024, &e), 0);
		audit_abandon(a);
		expect(moved ? "moved out" : "left", NULL);
	}
}

static void without_a_key_the_state_is_compared(void **state)
{
	struct db *d;

	(void)state;
	make(false);
	test_whole(2);
	d = test_db();
	less(d);
	test_db_close(d);
	expect("altered", STATE);
}

/* Of checkpoints only the last has a list, and one that has nothing to list has
 * none. */
static void the_last_checkpoint_has_the_list(void **state)
{
	uint64_t n;
	struct err e = {0};
	struct audit *a;
	struct db *d;

	(void)state;
	make_point(true);
	for (int i = 0; i < 3; i++) {
		a = open_with(1, true, false);
		tally(a, 3, 30, 6 + (uint64_t)i);
		audit_ask(a);
		commit(a);
		test_close(a);
		expect("another", NULL);
	}
	d = test_db();
	assert_int_equal(db_number(d, "SELECT count(*) FROM checkpoint"
				   " WHERE open IS NOT NULL AND size = (SELECT"
				   " max(size) FROM checkpoint)", &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_number(d, "SELECT count(*) FROM checkpoint"
				   " WHERE open IS NOT NULL", &n, &e), 0);
	assert_int_equal(n, 1);
	test_db_close(d);
	a = open_with(1, true, false);
	tell(a, 30, 8, 0);
	tell(a, 40, 7, 0);
	tally(a, 3, 0, 0);
	tally(a, 700, 0, 0);
	test_close(a);
	expect("none", NULL);
	d = test_db();
	assert_int_equal(db_number(d, "SELECT count(*) FROM checkpoint"
				   " WHERE open IS NOT NULL", &n, &e), 0);
	assert_int_equal(n, 0);
	test_db_close(d);
}

/* Nothing but counts comes: within a minute a checkpoint covers them. */
static void counts_alone_are_due_for_a_checkpoint(void **state)
{
	struct now now;
	struct sample s;
	struct audit *a;
	struct err e = {0};

	(void)state;
	test_clean();
	a = open_with(1, true, false);
	add(a);
	audit_ask(a);
	commit(a);
	now = sample_flow(&s, 0)->now;
	now.mono.ns += 2 * MINUTE;
	now.wall.us += 2 * MINUTE / 1000;
	assert_false(audit_due(a, now.mono));
	tally(a, 3, 30, 5);
	assert_true(audit_due(a, now.mono));
	assert_int_equal(audit_seal(a, &now, &e), 1);
	commit(a);
	assert_int_equal(audit_checkpointed(a), 3);
	now.mono.ns += 2 * MINUTE;
	assert_false(audit_due(a, now.mono));
	audit_abandon(a);
	expect("sealed", NULL);
}

/* Somebody changes one while the log is written: no checkpoint is made of
 * that. */
static void a_change_beside_the_writer_is_found(void **state)
{
	static const struct {
		void (*how)(struct db *d);
		const char *text;
	} ways[] = {
		{less, "open count 3: it is not what was written"},
		{taken, "open count 3: it was taken away"},
		{all_taken, "open count 3: it was taken away"},
		{one_more, "open count 9: it is not what was written"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct audit *a;
		struct db *d;
		struct err e = {0};

		make(true);
		a = open_with(1, true, false);
		d = test_db();
		ways[i].how(d);
		test_db_close(d);
		audit_ask(a);
		if (audit_commit(a, &e) != E_INTEGRITY ||
		    !strstr(e.text, ways[i].text))
			fail_msg("%zu: %s", i, e.text);
		audit_abandon(a);
		expect("beside", STATE);
	}
}

static void slots_are_in_order_whatever_the_order(void **state)
{
	struct tally_set set = {0};
	uint64_t slot;
	struct err e = {0};

	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		slot = i * 211 % 307;
		assert_int_equal(tally_put(&set, slot, span_str("a"), &e), 0);
		assert_int_equal(tally_put(&set, slot, span_str("b"), &e), 0);
	}
	assert_int_equal(set.n, 300);
	for (size_t i = 1; i < set.n; i++)
		assert_true(set.at[i - 1].slot < set.at[i].slot);
	while (set.n) {
		slot = set.at[set.n / 2].slot;
		assert_int_equal(tally_put(&set, slot, (struct span){0}, &e),
				 0);
		assert_int_equal(tally_put(&set, slot, (struct span){0}, &e),
				 0);
	}
	tally_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_change_has_its_finding),
		cmocka_unit_test(what_is_gone_was_told),
		cmocka_unit_test(the_next_boot_tells_what_was_left),
		cmocka_unit_test(without_a_key_the_state_is_compared),
		cmocka_unit_test(the_last_checkpoint_has_the_list),
		cmocka_unit_test(counts_alone_are_due_for_a_checkpoint),
		cmocka_unit_test(a_change_beside_the_writer_is_found),
		cmocka_unit_test(slots_are_in_order_whatever_the_order),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
