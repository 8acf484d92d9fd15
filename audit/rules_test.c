/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer that lies: its log fits together in all its hashes and is signed,
 * but one record is not what it must be behind those before it. That is found
 * in the log and in what was exported of it alike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/anchor.h"
#include "audit/checkpoint.h"
#include "audit/layout.h"
#include "audit/logkey.h"
#include "audit/store.h"
#include "audit/testdb.h"

#define ORIGIN "meter-1.meter.example/audit"

/* Where what is, in the log that is made. */
enum { START = 0, FIRST = 6, AGAIN = 10, SECOND = 14, THIRD = 16, END = 17 };
#define NEVER UINT64_MAX

struct said {
	struct record r;
	struct event_log log;
	struct event *ev;
};

struct lie {
	const char *why;
	void (*tell)(struct said *s);
	uint64_t at;
	const char *text;
	uint64_t bad; /* NEVER: of no record, or another in what is exported */
	bool no_tpm;
};

/* --- the writer --- */

static struct writer {
	struct store *store;
	struct log_key key;
	struct hmac_key salts;
	struct anchor anchor; /* as a TPM would have it */
	uint64_t point;
	uint8_t text[SHA256_LEN]; /* of that one */
} w;

static const uint8_t boot_key[32] = {1, 2, 3};

static void good(int rc, const struct err *e)
{
	if (rc)
		fail_msg("%s", e->text);
}

static void seal(const struct said *s)
{
	uint8_t text[CHECKPOINT_TEXT_MAX], octets[NOTE_MAX];
	struct wbuf t = wbuf_of(text, sizeof(text));
	struct wbuf n = wbuf_of(octets, sizeof(octets));
	struct anchor_bound b = {.has_pcr = s->log.has_pcr,
				 .counter = s->log.counter};
	struct checkpoint c = {.size = store_size(w.store)};
	struct err e = {0};

	memcpy(c.origin, ORIGIN, sizeof(ORIGIN));
	store_root(w.store, c.root);
	checkpoint_put(&t, &c);
	wbuf_put(&n, wbuf_span(&t));
	wbuf_u8(&n, '\n');
	good(note_sign(&n, wbuf_span(&t), &w.key.by, 0, &e), &e);
	memcpy(b.pcr, s->log.pcr, sizeof(b.pcr));
	good(store_checkpoint(w.store, c.size, wbuf_span(&n), &b,
			      points_wall(&s->ev->now), (struct span){0}, &e),
	     &e);
	w.point = c.size;
	sha256_of(wbuf_span(&t), w.text);
	anchor_next(w.text, octets);
	anchor_extend(w.anchor.pcr, octets);
}

static void put(uint64_t seq, const struct lie *lie)
{
	bool point = seq == FIRST || seq == SECOND || seq == THIRD;
	bool starts = seq == START || seq == AGAIN;
	uint8_t octets[RECORD_MAX];
	struct wbuf o = wbuf_of(octets, sizeof(octets));
	struct err e = {0};
	struct sample sample;
	struct said s = {
		.ev = starts ? sample_boot(&sample, seq)
			     : sample_decision(&sample, seq),
	};

	s.log.point = point || starts ? w.point : 0;
	memcpy(s.log.point_text, w.text, sizeof(w.text));
	if (point) {
		*s.ev = (struct event){.type = EV_CHECKPOINT,
				       .now = s.ev->now};
		s.log.has_chain = true;
		s.log.has_pcr = !lie || !lie->no_tpm;
		store_head(w.store, s.log.chain);
		memcpy(s.log.pcr, w.anchor.pcr, sizeof(s.log.pcr));
		s.log.counter = s.log.has_pcr;
	}
	s.r = (struct record){.kind = record_kind_of(s.ev), .seq = seq,
			      .boot = store_boot(w.store), .ev = s.ev};
	s.r.flags = record_class(s.r.kind, s.ev);
	record_salts(&w.salts, seq, 1, &s.r.salt);
	if (lie && lie->at == seq)
		lie->tell(&s);
	s.ev->log = s.log.point || s.log.has_chain || s.log.has_pcr ? &s.log
								     : NULL;
	good(record_encode(&o, &s.r, &e), &e);
	good(store_add(w.store, wbuf_span(&o), s.r.flags, (uint8_t)s.r.kind,
		       &e), &e);
	if (point)
		seal(&s);
	good(store_commit(w.store, &e), &e);
}

static void make(const struct lie *lie)
{
	uint8_t digest[SHA256_LEN];
	struct err e = {0};

	test_clean();
	memset(&w, 0, sizeof(w));
	good(log_key_open(&w.key, test_path, test_path, ORIGIN, true, &e), &e);
	good(store_open(&w.store, test_path, ORIGIN, 0, boot_key, false, &e),
	     &e);
	hmac_key_make(&w.salts, boot_key);
	anchor_first(NULL, 1, digest);
	anchor_extend(w.anchor.pcr, digest);
	for (uint64_t seq = 0; seq < END; seq++)
		put(seq, lie);
	good(store_close(w.store, &e), &e);
}

/* --- its lies --- */

static void a_later_day(struct said *s)
{
	s->ev->now.wall.us += INT64_C(86400) * US_PER_S;
}

static void two_seconds_less(struct said *s)
{
	s->ev->now.wall.us -= 2 * US_PER_S;
}

static void earlier(struct said *s)
{
	s->ev->now.mono.ns -= 3 * NS_PER_S;
}

static void another_number(struct said *s)
{
	s->r.seq++;
}

static void another_class(struct said *s)
{
	s->r.flags ^= RECORD_SYNC;
}

static void an_unknown_boot(struct said *s)
{
	s->r.boot = 7;
}

static void another_salt(struct said *s)
{
	s->r.salt[7] ^= 1;
}

static void another_chain(struct said *s)
{
	s->log.chain[31] ^= 1;
}

static void no_chain(struct said *s)
{
	s->log.has_chain = false;
}

static void another_pcr(struct said *s)
{
	s->log.pcr[0] ^= 1;
}

static void no_counter(struct said *s)
{
	s->log.counter = 0;
}

static void none_before(struct said *s)
{
	s->log.point = 0;
}

static void another_text(struct said *s)
{
	s->log.point_text[5] ^= 1;
}

static void one_that_there_never_was(struct said *s)
{
	s->log.point = s->r.seq;
}

static void the_one_before(struct said *s)
{
	s->log.point = FIRST + 1;
}

static void nothing_announced(struct said *s)
{
	s->ev->type = EV_LOSS;
	s->ev->count = 1;
	s->log.has_chain = s->log.has_pcr = false;
	s->log.counter = s->log.point = 0;
	s->r.kind = RECORD_LOSS;
	s->r.flags = record_class(s->r.kind, s->ev);
}

static const struct lie lies[] = {
	{"the clock of day goes on by a day", a_later_day, 3,
	 "record 3: its wall clock stepped and no record says so", 3, false},
	{"it goes back", two_seconds_less, 12,
	 "record 12: its wall clock stepped", 12, false},
	{"before a checkpoint", a_later_day, SECOND,
	 "record 14: its wall clock stepped", SECOND, false},
	{"time since the start goes back", earlier, 4,
	 "record 4: its monotonic clock went back", 4, false},
	{"another's number", another_number, 5,
	 "record 5: its number is another's", 5, false},
	{"another class", another_class, 5,
	 "record 5: its class is not that of its kind", 5, false},
	{"a boot that there was not", an_unknown_boot, 8,
	 "record 8: its boot is not ", 8, false},
	{"another salt", another_salt, 9,
	 "record 9: its salt is not of its boot's key", 9, false},
	{"another chain", another_chain, SECOND,
	 "record 14: it names another chain of bundles", SECOND, false},
	{"no chain", no_chain, FIRST,
	 "record 6: it names another chain of bundles", FIRST, false},
	{"another PCR in the middle", another_pcr, SECOND,
	 "PCR 13 before it is not what the checkpoints before it make",
	 NEVER, false},
	{"another PCR at the beginning", another_pcr, FIRST,
	 "PCR 13 had been extended before", NEVER, false},
	{"a PCR without a counter", no_counter, SECOND,
	 "a PCR without a counter", NEVER, false},
	{"a start that names none", none_before, AGAIN,
	 "the checkpoint that it names", NEVER, false},
	{"a start that names none, without a TPM", none_before, AGAIN,
	 "record 10: the checkpoint that it names", AGAIN, true},
	{"a start that names another", another_text, AGAIN,
	 "record 10: the checkpoint that it names", NEVER, false},
	{"a checkpoint that names another", another_text, SECOND,
	 "record 14: the checkpoint that it names", NEVER, false},
	{"a checkpoint that names one of before", the_one_before, THIRD,
	 "record 16: the checkpoint that it names", THIRD, false},
	{"a start that names what was never announced",
	 one_that_there_never_was, AGAIN, "the checkpoint", NEVER, false},
	{"nothing announces the last", nothing_announced, THIRD,
	 "the checkpoint of 17 records: nothing in the log announces it",
	 THIRD, false},
};

static const char *out(void)
{
	static char dir[80];
	struct err e = {0};

	snprintf(dir, sizeof(dir), "%s/out", test_dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (layout_write(test_path, dir, &e))
		fail_msg("%s", e.text);
	return dir;
}

static void found(const struct lie *lie, const char *where, int rc,
		  const struct verify_result *r, const struct err *e)
{
	if (rc != E_INTEGRITY || !strstr(e->text, lie->text))
		fail_msg("%s, %s: %d %s", lie->why, where, rc, e->text);
	if (lie->bad != NEVER && (!r->has_bad || r->bad != lie->bad))
		fail_msg("%s, %s: record %lld: %s", lie->why, where,
			 r->has_bad ? (long long)r->bad : -1, e->text);
}

static void each_is_found(void **state)
{
	struct points_conf conf = {.keys = &w.key.by.key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	make(NULL);
	good(verify_file(test_path, &conf, &r, NULL, NULL, &e), &e);
	assert_int_equal(r.records, END);
	assert_int_equal(r.checkpoints, 3);
	good(layout_verify(out(), &conf, &r, NULL, NULL, &e), &e);
	assert_int_equal(r.records, END);
	assert_true(r.anchored);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		int rc;

		make(&lies[i]);
		rc = verify_file(test_path, &conf, &r, NULL, NULL, &e);
		found(&lies[i], "the log", rc, &r, &e);
		rc = layout_verify(out(), &conf, &r, NULL, NULL, &e);
		found(&lies[i], "exported", rc, &r, &e);
	}
	log_key_wipe(&w.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
