/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log and a TPM that is made of two numbers: they stay together whatever
 * fails in between, and who tampers with the log is found out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/anchoring.h"
#include "audit/testdb.h"
#include "crypto/sign.h"

static struct false_tpm {
	uint8_t pcr[SHA256_LEN];
	uint64_t counter, largest;
	int calls, fails_at; /* 0: never */
	bool done_yet;	     /* what fails is done all the same */
	int later;	     /* it says so often that it is not done yet */
} chip;

static bool takes_its_time(void)
{
	return chip.later > 0 && chip.later-- > 0;
}

static bool fails(void)
{
	return ++chip.calls == chip.fails_at;
}

static int chip_state(void *arg, uint8_t pcr[SHA256_LEN], uint64_t *counter,
		      struct err *e)
{
	(void)arg;
	memcpy(pcr, chip.pcr, SHA256_LEN);
	*counter = chip.counter;
	return fails() ? err_set(e, E_IO, 0, "no TPM") : 0;
}

static int chip_extend(void *arg, const uint8_t digest[SHA256_LEN],
		       uint8_t pcr[SHA256_LEN], struct err *e)
{
	bool bad = fails();

	(void)arg;
	if (takes_its_time())
		return err_set(e, E_MORE, 0, "not yet");
	if (!bad || chip.done_yet)
		anchor_extend(chip.pcr, digest);
	memcpy(pcr, chip.pcr, SHA256_LEN);
	return bad ? err_set(e, E_IO, 0, "no TPM") : 0;
}

static int chip_increment(void *arg, uint64_t *counter, struct err *e)
{
	bool bad = fails();

	(void)arg;
	if (takes_its_time())
		return err_set(e, E_MORE, 0, "not yet");
	if (!bad || chip.done_yet)
		chip.counter = chip.counter ? chip.counter + 1
					    : chip.largest + 1;
	*counter = chip.counter;
	return bad ? err_set(e, E_IO, 0, "no TPM") : 0;
}

static void chip_new(void)
{
	memset(&chip, 0, sizeof(chip));
}

static void chip_reset(void)
{
	memset(chip.pcr, 0, sizeof(chip.pcr));
}

/* --- a writer ------------------------------------------------------------- */

struct writer {
	struct audit *audit;
	struct anchoring g;
	int64_t now;
	uint64_t n; /* events */
	bool away;  /* it has no TPM */
	/* Who signs says so often that it is not done yet. */
	bool slow;
	int later;
	struct sign_key key;
	struct note_signer by;
};
static struct writer w;

static int sign_slowly(void *arg, struct span octets, struct wbuf *out,
		       struct err *e)
{
	struct writer *me = arg;
	uint8_t *room;

	if (me->later > 0) {
		me->later--;
		return err_set(e, E_MORE, 0, "not yet");
	}
	room = wbuf_room(out, SIGN_LEN);
	return room ? sign_make(&me->key, octets, room, e) : E_LIMIT;
}

static int agree(void *arg, struct audit *a, struct err *e)
{
	struct writer *me = arg;

	return me->away ? 0 : anchoring_meet(&me->g, a, e);
}

static bool may_sign(void *arg)
{
	const struct writer *me = arg;

	return !me->audit || !anchoring_under_way(&me->g, me->audit);
}

static int open_log(bool away, struct err *e)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = "meter-1.meter.example/audit",
		.boot_key = {1, 2, 3},
		.batch = UINT32_MAX,
		.own_key = true,
		.recover = true,
		.resume = true,
		.service_name = sample_service,
		.agree = agree,
		.can_sign = may_sign,
		.arg = &w,
	};
	int rc;

	if (w.slow) {
		conf.own_key = false;
		conf.signer = &w.by;
	}
	w.g = (struct anchoring){.tpm = {chip_state, chip_extend,
					 chip_increment, NULL}};
	w.away = away;
	rc = audit_open(&w.audit, &conf, e);
	if (rc == 0 && !away)
		rc = anchoring_begin(&w.g, w.audit, (struct mono){w.now}, e);
	return rc;
}

/* As when the writer dies: what is not committed is gone. */
static void dies(void)
{
	struct err ignored;

	/* Nothing was added since the last commit in these tests. */
	if (w.audit && audit_close(w.audit, &ignored))
		fail_msg("%s", ignored.text);
	w.audit = NULL;
}

static int add(int events, struct err *e)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < events; i++) {
		struct sample s;
		struct event *ev = test_event(&s, w.n++);

		rc = audit_append(w.audit, ev, NULL, e);
	}
	if (rc == 0) {
		audit_ask(w.audit);
		rc = audit_commit(w.audit, e);
	}
	if (rc == 0)
		rc = anchoring_commit(&w.g, w.audit, (struct mono){w.now}, e);
	return rc < 0 ? rc : 0;
}

static unsigned recovery(void)
{
	const char *why;

	return audit_recovery(w.audit, &why);
}

static void good(int rc, const struct err *e)
{
	if (rc)
		fail_msg("%s", e->text);
}

static void start(bool away)
{
	struct err e = {0};

	good(open_log(away, &e), &e);
	if (recovery()) {
		const char *why;

		audit_recovery(w.audit, &why);
		fail_msg("recovery: %s", why);
	}
}

static void grow(int checkpoints)
{
	struct err e = {0};

	while (checkpoints-- > 0)
		good(add(3, &e), &e);
}

static void fresh(void)
{
	dies();
	test_clean();
	chip_new();
	memset(&w, 0, sizeof(w));
}

/* The TPM has all of it, and who reads the file finds that. */
static void together(uint64_t resets)
{
	struct anchor_place p;
	struct verify_result r;
	struct err e = {0};
	struct anchor a = {0};
	struct db *d;

	dies();
	good(db_open(&d, test_path, DB_READ, &e), &e);
	good(anchor_replay(&a, d, NULL, NULL, &e), &e);
	good(anchor_find(&p, d, chip.pcr, chip.counter, false, &e), &e);
	good(db_close(d, &e), &e);
	assert_memory_equal(a.pcr, chip.pcr, SHA256_LEN);
	assert_int_equal(a.counter, chip.counter);
	assert_int_equal(a.resets, resets);
	assert_int_equal(p.pending, 0);
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
}

static void goes_on(void **state)
{
	uint64_t counted;

	(void)state;
	fresh();
	start(false);
	grow(3);
	assert_int_equal(chip.counter, 1);
	dies();
	start(false);
	grow(2);
	assert_int_equal(chip.counter, 1); /* no reset, no hour */
	w.now += ANCHORING_COUNT_NS;
	grow(2); /* one announces it */
	assert_int_equal(chip.counter, 2);
	dies();
	chip_reset();
	start(false);
	grow(2);
	counted = chip.counter;
	assert_int_equal(counted, 3);
	together(2);
}

/* The TPM went away and came again; it was reset meanwhile or not. */
static void goes_away(void **state)
{
	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		fresh();
		start(false);
		grow(2);
		dies();
		start(true);
		grow(3);
		dies();
		if (reset)
			chip_reset();
		start(false);
		grow(2);
		together(1 + (uint64_t)reset);
	}
}

static void never_there_until_now(void **state)
{
	(void)state;
	fresh();
	start(true);
	grow(3);
	dies();
	start(false);
	grow(1);
	together(1);
}

/* A counter of this TPM had been further, before it was taken away. */
static void counts_from_elsewhere(void **state)
{
	(void)state;
	fresh();
	chip.largest = 40;
	start(false);
	grow(1);
	assert_int_equal(chip.counter, 41);
	grow(1);
	together(1);
}

/* Each call of the TPM fails once, done or not done, with or without a reset
 * behind it: the next writer finds its way. */
static void dies_anywhere(void **state)
{
	int rounds = 0;

	(void)state;
	for (int at = 1;; at++) {
		bool failed = false;

		for (int how = 0; how < 4; how++) {
			struct err e = {0};
			int rc;

			fresh();
			start(false);
			grow(1);
			dies();
			chip_reset();
			w.now += 2 * ANCHORING_COUNT_NS;
			chip.calls = 0;
			chip.fails_at = at;
			chip.done_yet = how & 1;
			rc = open_log(false, &e);
			for (int i = 0; rc == 0 && i < 3; i++) {
				w.now += ANCHORING_COUNT_NS;
				rc = add(3, &e);
			}
			failed |= rc != 0;
			assert_true(rc == 0 || rc == E_IO);
			dies();
			if (how & 2)
				chip_reset();
			chip.fails_at = 0;
			start(false);
			grow(2);
			assert_int_equal(recovery(), 0);
			dies();
			start(false);
			grow(1);
			dies();
			rounds++;
		}
		if (!failed)
			break;
	}
	assert_true(rounds > 30);
}

/* --- what can be done to the log ------------------------------------------ */

static char saved[80];

static void shell(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		fail_msg("%s", cmd);
}

static void save(void)
{
	dies();
	shell("rm -rf %s && mkdir %s && cp %s* %s/", saved, saved, test_path,
	      saved);
}

static void roll_back(void)
{
	shell("rm -f %s* && cp %s/* %s/", test_path, saved, test_dir);
}

/* Made again, as it would have been, but without a record; signed with its own
 * software key, and with the anchors that a TPM would have seen. */
static void make_again(void)
{
	struct false_tpm real = chip;

	shell("rm -f %s", test_path); /* the key stays */
	chip_new();
	w.n = 1000;
	start(false);
	grow(3);
	dies();
	chip = real;
}

/* And with the last thing that the real TPM says in its last checkpoint. */
static void make_again_and_lie(void)
{
	struct false_tpm real = chip;
	struct err e = {0};
	struct anchor_bound b = {.has_pcr = true, .counter = real.counter};

	shell("rm -f %s", test_path);
	w.n = 1000;
	start(true);
	memcpy(b.pcr, real.pcr, sizeof(b.pcr));
	audit_bind(w.audit, &b);
	good(add(5, &e), &e);
	audit_bind(w.audit, NULL);
	dies();
}

static void take_away(void)
{
	shell("rm -f %s*", test_path);
}

static void without_anchors(void)
{
	shell("rm -f %s", test_path);
	w.n = 1000;
	start(true);
	grow(4);
	dies();
}

/* The row of the last checkpoint, and what the state says of it. */
static void take_last_checkpoint(void)
{
	struct db *d = test_db();

	test_guards(d, false);
	test_exec(d, "DELETE FROM checkpoint WHERE size = (SELECT max(size)"
		     " FROM checkpoint)");
	test_exec(d, "UPDATE state SET checkpoint = (SELECT max(size) FROM"
		     " checkpoint), anchored = (SELECT max(size) FROM"
		     " checkpoint)");
	test_guards(d, true);
	test_db_close(d);
}

static void other_chip(void)
{
	chip_new();
}

static void nothing(void)
{
}

static const struct row {
	const char *what;
	void (*tamper)(void);
	bool reset; /* and the platform is started anew */
	bool hours; /* and the TPM counted since it was saved */
	const char *finding;
} rows[] = {
	{"untouched", nothing, false, true, NULL},
	{"untouched, reset", nothing, true, true, NULL},
	{"its last checkpoint taken away", take_last_checkpoint, false, false,
	 "cut, rolled back or replaced"},
	{"rolled back", roll_back, false, true, "it was rolled back"},
	{"rolled back at once", roll_back, false, false,
	 "cut, rolled back or replaced"},
	{"rolled back, reset", roll_back, true, true, "it was rolled back"},
	/* Within the hour in which it was counted last only who holds a later
	 * checkpoint knows. */
	{"rolled back at once, reset", roll_back, true, false, NULL},
	{"made again", make_again, false, false,
	 "cut, rolled back or replaced"},
	{"made again, reset", make_again, true, true, "it was rolled back"},
	{"made to fit", make_again_and_lie, false, true,
	 "before this log began"},
	{"without anchors", without_anchors, false, true,
	 "knows of no counter"},
	{"without anchors, reset", without_anchors, true, true,
	 "knows of no counter"},
	{"taken away", take_away, false, true, "knows of no counter"},
	{"taken away, reset", take_away, true, true, "knows of no counter"},
	{"another TPM", other_chip, false, true, "the TPM is another"},
};

static void tampering(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		const char *why = "";
		struct err e = {0};

		fresh();
		snprintf(saved, sizeof(saved), "%s/saved", test_dir);
		start(false);
		grow(3);
		save();
		for (int k = 0; k < 3; k++) {
			start(false);
			w.now += r->hours ? ANCHORING_COUNT_NS : 0;
			grow(2);
			dies();
		}
		r->tamper();
		if (r->reset)
			chip_reset();
		good(open_log(false, &e), &e);
		assert_int_equal(audit_recovery(w.audit, &why),
				 r->finding ? 1 : 0);
		if (r->finding && !strstr(why, r->finding))
			fail_msg("%s: %s", r->what, why);
		/* What goes on beside it is anchored, too, and found again. */
		grow(2);
		dies();
		good(open_log(false, &e), &e);
		assert_int_equal(recovery(), r->finding ? 1 : 0);
		grow(1);
		dies();
	}
}

/* Each but the last is named by the record before the next, whether the TPM is
 * asked or not, and whatever it was at in between. */
static const struct {
	unsigned from, n, found;
} taken[] = {
	{0, 1, 1}, {0, 3, 3}, {0, 7, 7}, {1, 1, 1}, {1, 6, 6},
	{3, 1, 1}, {3, 2, 2}, {4, 1, 1}, {6, 1, 1}, {0, 8, 7},
};

static void read_sizes(uint64_t size[8])
{
	struct db *d = test_db();
	struct db_stmt *st;
	struct err e = {0};

	good(db_prepare(&st, d, "SELECT size FROM checkpoint ORDER BY size",
			&e), &e);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(db_step(st, &e), 1);
		assert_true(db_u64(st, 0, &size[i]));
	}
	assert_int_equal(db_step(st, &e), 0);
	db_finish(st);
	test_db_close(d);
}

static void take_checkpoints(unsigned from, unsigned n)
{
	struct db *d = test_db();
	char sql[128];

	test_guards(d, false);
	snprintf(sql, sizeof(sql), "DELETE FROM checkpoint WHERE size IN"
		 " (SELECT size FROM checkpoint ORDER BY size LIMIT %u OFFSET"
		 " %u)", n, from);
	test_exec(d, sql);
	test_exec(d, "UPDATE state SET checkpoint = coalesce((SELECT max(size)"
		     " FROM checkpoint), 0), anchored = coalesce((SELECT"
		     " max(size) FROM checkpoint), 0)");
	test_guards(d, true);
	test_db_close(d);
}

static void missing_ones_are_listed(void **state)
{
	uint64_t size[8];

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(taken) / sizeof(taken[0]); i++) {
		struct verify_result r;
		struct err e = {0};
		unsigned at = taken[i / 2].from;

		fresh();
		start(false);
		grow(4);
		dies();
		if (i % 2)
			chip_reset();
		start(false);
		grow(4);
		together(1 + i % 2);
		read_sizes(size);
		take_checkpoints(at, taken[i / 2].n);
		assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL,
					     &e), E_INTEGRITY);
		if (r.n_missing != taken[i / 2].found || !r.has_bad ||
		    r.bad != size[at] - 1 || !strstr(e.text, "it is missing"))
			fail_msg("row %zu: %llu: %s", i,
				 (unsigned long long)r.n_missing, e.text);
		for (unsigned k = 0; k < r.n_missing; k++)
			assert_int_equal(r.missing[k], size[at + k]);
	}
}

/* Behind what somebody else extended no log begins, but one of recovery. */
static void begins_on_a_pcr_of_others(void **state)
{
	const uint8_t digest[SHA256_LEN] = {5};
	struct anchor_bound b = {.has_pcr = true, .counter = 1};
	struct verify_result r;
	struct err e = {0};
	char other[96];

	(void)state;
	fresh();
	anchor_extend(chip.pcr, digest);
	good(open_log(false, &e), &e);
	assert_int_equal(recovery(), 1);
	grow(2);
	dies();
	snprintf(other, sizeof(other), "%s.recovery-1", test_path);
	good(verify_file(other, NULL, &r, NULL, NULL, &e), &e);
	assert_true(r.anchored);
	fresh();
	start(true);
	memcpy(b.pcr, digest, sizeof(b.pcr));
	audit_bind(w.audit, &b);
	good(add(3, &e), &e);
	dies();
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, "PCR 13 had been extended before"));
}

/* Without the TPM it could be a writer that died; that it may be is said. */
static void last_checkpoint_is_for_the_tpm(void **state)
{
	struct verify_result r;
	struct anchor_place p;
	struct err e = {0};
	struct db *d;

	(void)state;
	fresh();
	start(false);
	grow(3);
	dies();
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
	assert_true(r.anchored);
	assert_int_equal(r.announced, 0);
	take_last_checkpoint();
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
	assert_true(r.anchored);
	assert_true(r.announced > r.checkpoint);
	assert_true(r.announced <= r.records);
	good(db_open(&d, test_path, DB_READ, &e), &e);
	assert_int_equal(anchor_find(&p, d, chip.pcr, chip.counter, false, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, "it was cut"));
	good(db_close(d, &e), &e);
	/* Of one that no TPM knows nothing of that is said. */
	test_make_signed();
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
	assert_false(r.anchored);
	assert_int_equal(r.announced, 0);
}

/* A log that says it was pruned is believed what PCR 13 was before, but only if
 * something that it has was brought to it since. */
static void says_it_was_pruned(void **state)
{
	(void)state;
	for (int lies = 0; lies < 2; lies++) {
		struct anchor_place p;
		struct err e = {0};
		struct db_stmt *st;
		struct db *d;

		fresh();
		start(false);
		grow(5);
		dies();
		d = test_db();
		test_guards(d, false);
		test_exec(d, "INSERT INTO segment VALUES(1, 0, 256,"
			     " zeroblob(32), 1, 1)");
		if (lies) {
			/* Of the whole log one checkpoint that nobody saw. */
			test_exec(d, "DELETE FROM checkpoint WHERE size <"
				     " (SELECT max(size) FROM checkpoint)");
			good(db_prepare(&st, d, "UPDATE checkpoint SET"
					" pcr_anchor = ?1", &e), &e);
			db_put_span(st, 1, span_of(chip.pcr,
						   sizeof(chip.pcr)));
			good(db_run(st, &e), &e);
			db_finish(st);
		}
		assert_int_equal(anchor_find(&p, d, chip.pcr, chip.counter,
					     false, &e),
				 lies ? E_INTEGRITY : 0);
		test_guards(d, true);
		test_db_close(d);
	}
}

/* The writer goes on, and its journal can be emptied, whatever is done with a
 * row. */
static int meanwhile(void *arg, uint64_t size, const struct anchor *a,
		     const struct anchor_bound *b, struct err *e)
{
	struct db *d = test_db();
	uint64_t busy = 1, *calls = arg;

	(void)size;
	(void)a;
	(void)b;
	if (++*calls <= 3)
		grow(1);
	good(db_number(d, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, e), e);
	assert_int_equal(busy, 0);
	test_db_close(d);
	return 0;
}

static void holds_nothing_meanwhile(void **state)
{
	uint64_t calls = 0;
	struct err e = {0};
	struct anchor a = {0};
	struct db *d;

	(void)state;
	fresh();
	start(false);
	grow(4);
	good(db_open(&d, test_path, DB_READ, &e), &e);
	good(anchor_replay(&a, d, meanwhile, &calls, &e), &e);
	good(db_close(d, &e), &e);
	assert_int_equal(calls, 7); /* and those that came */
	assert_memory_equal(a.pcr, chip.pcr, SHA256_LEN);
}

/* One that is pruned between two rows: nothing is said of it. */
static int pruned_meanwhile(void *arg, uint64_t size, const struct anchor *a,
			    const struct anchor_bound *b, struct err *e)
{
	struct db *d = arg;

	(void)a;
	(void)b;
	(void)e;
	if (size < 8) {
		test_exec(d, "DELETE FROM checkpoint WHERE size BETWEEN 1 AND"
			     " 12 AND size > 4");
		test_exec(d, "INSERT INTO segment VALUES(1, 0, 256,"
			     " zeroblob(32), 1, 1)");
	}
	return 0;
}

static void is_pruned_meanwhile(void **state)
{
	struct err e = {0};
	struct anchor a = {0};
	struct db *d;

	(void)state;
	fresh();
	start(false);
	grow(5);
	dies();
	d = test_db();
	test_guards(d, false);
	assert_int_equal(anchor_replay(&a, d, pruned_meanwhile, d, &e),
			 E_STATE);
	assert_non_null(strstr(e.text, "try again"));
	test_guards(d, true);
	test_db_close(d);
}

/* Somebody else extends PCR 13. */
static void others(void **state)
{
	const uint8_t digest[SHA256_LEN] = {5};
	struct err e = {0};
	const char *why;

	(void)state;
	fresh();
	start(false);
	grow(2);
	anchor_extend(chip.pcr, digest);
	assert_int_equal(add(3, &e), E_INTEGRITY);
	assert_false(w.g.met);
	dies();
	good(open_log(false, &e), &e);
	assert_int_equal(audit_recovery(w.audit, &why), 1);
}

/* Each thing that a row of the file says of a checkpoint's record. */
static void rows_differ(void **state)
{
	static const struct {
		const char *sql, *finding;
	} edits[] = {
		{"UPDATE checkpoint SET counter = counter + 1",
		 "its anchor is not what its record says"},
		{"UPDATE checkpoint SET pcr_anchor = zeroblob(32)",
		 "its anchor is not what its record says"},
		{"UPDATE checkpoint SET pcr_anchor = NULL",
		 "its anchor is not what its record says"},
		{"UPDATE checkpoint SET counter = NULL",
		 "its anchor is not what its record says"},
		{"UPDATE checkpoint SET pcr_anchor = x'00'", "damaged"},
		/* Who chooses when it was chooses which are thinned out. */
		{"UPDATE checkpoint SET wall = 5",
		 "its time is not that of its record"},
		{"UPDATE checkpoint SET wall = wall + 1 WHERE size = (SELECT"
		 " max(size) FROM checkpoint)",
		 "its time is not that of its record"},
		{"UPDATE checkpoint SET wall = NULL",
		 "its time is not that of its record"},
		{"UPDATE checkpoint SET wall = -1", "damaged"},
		{"UPDATE state SET anchored = size + 1, commits = commits + 1",
		 "names an anchor"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct verify_result r;
		struct err e = {0};
		struct db *d;

		fresh();
		start(false);
		grow(3);
		dies();
		d = test_db();
		test_exec(d, edits[i].sql);
		test_db_close(d);
		assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL,
					     &e), E_INTEGRITY);
		if (!strstr(e.text, edits[i].finding))
			fail_msg("%s: %s", edits[i].sql, e.text);
	}
}

/* What a slow TPM missed while it was away it gets while records are written. */
static void what_it_missed_holds_up_no_record(void **state)
{
	struct err e = {0};
	uint64_t points, size;
	int rc;

	(void)state;
	fresh();
	start(false);
	grow(2);
	dies();
	start(true);
	grow(3);
	dies();
	chip.later = 7;
	assert_int_equal(open_log(false, &e), E_MORE);
	points = audit_checkpointed(w.audit);
	size = audit_size(w.audit);
	for (int i = 0; i < 3; i++) {
		assert_true(anchoring_under_way(&w.g, w.audit));
		rc = add(2, &e);
		if (rc && rc != E_MORE)
			good(rc, &e);
	}
	/* No checkpoint, which would say what PCR 13 is not yet. */
	assert_int_equal(audit_size(w.audit), size + 6);
	assert_int_equal(audit_checkpointed(w.audit), points);
	for (int i = 0; i < 8 && anchoring_under_way(&w.g, w.audit); i++) {
		rc = anchoring_commit(&w.g, w.audit, (struct mono){w.now}, &e);
		if (rc && rc != E_MORE)
			good(rc, &e);
	}
	assert_false(anchoring_under_way(&w.g, w.audit));
	grow(2);
	together(1);
	/* Dies in the middle of it. */
	start(true);
	grow(3);
	dies();
	chip.later = 2;
	assert_int_equal(open_log(false, &e), E_MORE);
	chip.later = 0;
	dies();
	start(false);
	grow(1);
	together(1);
}

static int done(void **state)
{
	dies();
	return test_teardown(state);
}

/* A log whose checkpoints are signed by a slow TPM. */
static void slowly(void)
{
	struct err e = {0};

	fresh();
	w.slow = true;
	good(sign_new_key(&w.key, &e), &e);
	good(note_key_make(&w.by.key, span_str("meter-1.meter.example/audit"),
			   NOTE_ED25519, span_of(w.key.public_, SIGN_KEY_LEN),
			   &e), &e);
	w.by.sign = sign_slowly;
	w.by.arg = &w;
	start(false);
	grow(2);
}

static void records_do_not_wait_for_a_signature(void **state)
{
	struct err e = {0};
	uint64_t before, size;

	(void)state;
	slowly();
	before = audit_checkpointed(w.audit);
	w.later = 2;
	good(add(3, &e), &e);
	size = audit_size(w.audit);
	assert_true(audit_unsigned(w.audit));
	/* Asked for again, and none begins behind it. */
	good(add(4, &e), &e);
	assert_true(audit_unsigned(w.audit));
	assert_int_equal(audit_size(w.audit), size + 4);
	assert_int_equal(audit_checkpointed(w.audit), before);
	good(audit_commit(w.audit, &e), &e);
	assert_false(audit_unsigned(w.audit));
	assert_int_equal(audit_checkpointed(w.audit), size);
	assert_int_equal(anchoring_commit(&w.g, w.audit, (struct mono){w.now},
					  &e), 1);
	grow(1);
	together(1);
}

/* Whoever takes away one that there was cannot say that there was none. */
static void a_signature_that_never_came_hides_no_other(void **state)
{
	struct verify_result r;
	struct err e = {0};
	char sql[80];
	uint64_t size;
	struct db *d;

	(void)state;
	slowly();
	w.later = 1000;
	good(add(3, &e), &e);
	size = audit_checkpointed(w.audit);
	dies();
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
	w.later = 0;
	start(false);
	grow(2);
	together(1);
	dies();
	d = test_db();
	test_guards(d, false);
	snprintf(sql, sizeof(sql), "DELETE FROM checkpoint WHERE size = %llu",
		 (unsigned long long)size);
	test_exec(d, sql);
	test_guards(d, true);
	test_db_close(d);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_int_equal(r.n_missing, 1);
	assert_int_equal(r.missing[0], size);
}

static bool is_there(void)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.seg-1", test_path);
	return access(name, F_OK) == 0;
}

static struct now now_of(void)
{
	return (struct now){.mono = audit_last(w.audit)};
}

/* Nothing is removed, and whoever reads finds all of it whole. */
static void stays(uint64_t end)
{
	struct verify_result r;
	struct now now = now_of();
	struct err e = {0};

	assert_false(audit_removes(w.audit));
	assert_int_equal(audit_remove(w.audit, &now, &e), 0);
	assert_int_equal(audit_first(w.audit), 0);
	assert_true(is_there());
	good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
	assert_int_equal(r.first, 0);
	assert_int_equal(r.going, end);
	/* And no other begins before this one is done. */
	assert_int_equal(audit_prune(w.audit, end + 256, &now, "more", &e),
			 E_STATE);
}

/* What is pruned is removed when the TPM has the checkpoint over the record that
 * says so, whatever dies in between; but a writer that died before the
 * checkpoint was signed has to say it again. */
static void what_is_pruned_waits_for_its_anchor(void **state)
{
	struct verify_result r;
	struct now now;
	struct err e = {0};
	const uint64_t end = 1024;

	(void)state;
	for (int dying = 0; dying < 4; dying++) {
		slowly();
		good(add(3000, &e), &e);
		good(audit_segment(w.audit, end, &e), &e);
		now = now_of();
		w.later = 3; /* its signature takes so long */
		assert_int_equal(audit_prune(w.audit, end, &now, "a test", &e),
				 1);
		assert_false(audit_removes(w.audit)); /* it is not durable */
		good(audit_commit(w.audit, &e), &e);
		assert_true(audit_unsigned(w.audit));
		stays(end);
		if (dying == 1) {
			/* No checkpoint covered it: it is withdrawn. */
			audit_abandon(w.audit);
			start(false);
			assert_true(audit_withdraws(w.audit));
			assert_false(audit_removes(w.audit));
			now = now_of();
			w.later = 3;
			assert_int_equal(audit_prune(w.audit, end, &now,
						     "again", &e), 1);
			assert_false(audit_withdraws(w.audit));
			good(audit_commit(w.audit, &e), &e);
			stays(end);
		}
		w.later = 0;
		audit_ask(w.audit);
		good(audit_commit(w.audit, &e), &e);
		assert_false(audit_unsigned(w.audit));
		stays(end); /* it is signed, and not in PCR 13 */
		if (dying == 2) {
			/* Without the TPM it is not, and with it, it is. */
			audit_abandon(w.audit);
			start(true);
			stays(end);
			audit_abandon(w.audit);
			start(false);
		}
		if (dying == 3) {
			audit_abandon(w.audit);
			start(false);
		}
		if (dying < 2)
			assert_int_equal(anchoring_commit(
				&w.g, w.audit, (struct mono){w.now}, &e), 1);
		assert_true(audit_removes(w.audit));
		now = now_of();
		assert_int_equal(audit_remove(w.audit, &now, &e),
				 AUDIT_REMOVED);
		assert_int_equal(audit_first(w.audit), end);
		assert_false(is_there());
		good(verify_file(test_path, NULL, &r, NULL, NULL, &e), &e);
		assert_int_equal(r.first, end);
		assert_int_equal(r.going, 0);
		assert_int_equal(audit_remove(w.audit, &now, &e), 0);
		grow(1);
		together(0); /* the reset before is among what is gone */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on),
		cmocka_unit_test(what_is_pruned_waits_for_its_anchor),
		cmocka_unit_test(records_do_not_wait_for_a_signature),
		cmocka_unit_test(a_signature_that_never_came_hides_no_other),
		cmocka_unit_test(what_it_missed_holds_up_no_record),
		cmocka_unit_test(goes_away),
		cmocka_unit_test(never_there_until_now),
		cmocka_unit_test(counts_from_elsewhere),
		cmocka_unit_test(dies_anywhere),
		cmocka_unit_test(tampering),
		cmocka_unit_test(missing_ones_are_listed),
		cmocka_unit_test(begins_on_a_pcr_of_others),
		cmocka_unit_test(last_checkpoint_is_for_the_tpm),
		cmocka_unit_test(says_it_was_pruned),
		cmocka_unit_test(holds_nothing_meanwhile),
		cmocka_unit_test(is_pruned_meanwhile),
		cmocka_unit_test(others),
		cmocka_unit_test(rows_differ),
	};

	return cmocka_run_group_tests(tests, test_setup, done);
}
