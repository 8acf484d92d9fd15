/* SPDX-License-Identifier: Apache-2.0 */
/* When a log makes checkpoints, with which key, and what they give away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "audit/checkpoint.h"
#include "audit/logkey.h"
#include "audit/notefile.h"
#include "audit/store.h"
#include "audit/testdb.h"

#define ORIGIN "meter-1.meter.example/audit"

static int try_open(struct audit **a, struct err *e)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1, 2, 3},
		.batch = 1,
		.resume = true,
		.own_key = true,
	};

	return audit_open(a, &conf, e);
}

static struct audit *open_signed(void)
{
	struct err e = {0};
	struct audit *a;

	if (try_open(&a, &e))
		fail_msg("%s", e.text);
	return a;
}

static uint64_t points(void)
{
	char name[80];
	struct note_key key;
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
	assert_string_equal(key.name, ORIGIN);
	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	return r.checkpoints;
}

static void add(struct audit *a, struct event *ev, int64_t second)
{
	struct err e = {0};

	ev->now.mono.ns = second * NS_PER_S;
	ev->now.wall.us = INT64_C(1700000000000000) + second * US_PER_S;
	if (audit_append(a, ev, NULL, &e))
		fail_msg("%s", e.text);
}

static uint64_t in_db(const char *sql)
{
	struct db *d = test_db();
	struct err e = {0};
	uint64_t n = 0;

	assert_int_equal(db_number(d, sql, &n, &e), 0);
	test_db_close(d);
	return n;
}

static void what_somebody_acts_upon_is_in_one_at_once(void **state)
{
	struct audit *a;
	struct sample s;

	(void)state;
	test_clean();
	a = open_signed();
	add(a, sample_decision(&s, 0), 10);
	add(a, sample_decision(&s, 1), 10);
	assert_int_equal(audit_size(a), 2); /* no hurry */
	add(a, sample_policy(&s, 2), 11);
	assert_int_equal(audit_size(a), 4);
	assert_int_equal(in_db("SELECT max(size) FROM checkpoint"), 4);
	assert_int_equal(in_db("SELECT checkpoint FROM state"), 4);
	add(a, sample_decision(&s, 3), 11);
	assert_int_equal(audit_size(a), 5);
	test_close(a);
	/* And over all, at the end. */
	assert_int_equal(points(), 2);
	test_close(open_signed()); /* nothing was added: none more */
	assert_int_equal(points(), 2);
}

static void a_minute_after_the_last_one(void **state)
{
	struct audit *a;
	struct sample s;
	struct err e = {0};

	(void)state;
	test_clean();
	a = open_signed();
	assert_false(audit_due(a, (struct mono){500 * NS_PER_S}));
	add(a, sample_decision(&s, 0), 10);
	assert_false(audit_due(a, (struct mono){70 * NS_PER_S - 1}));
	assert_true(audit_due(a, (struct mono){70 * NS_PER_S}));
	add(a, sample_decision(&s, 0), 69);
	assert_int_equal(audit_size(a), 2);
	add(a, sample_decision(&s, 0), 70);
	assert_int_equal(audit_size(a), 4);
	/* A log that does not grow makes no new one. */
	assert_false(audit_due(a, (struct mono){1000 * NS_PER_S}));
	add(a, sample_decision(&s, 0), 100);
	assert_int_equal(audit_seal(a, &(struct now){.mono.ns = 120 * NS_PER_S},
				    &e), 0);
	/* Nobody writes: the shell looks at the clock. */
	assert_int_equal(audit_seal(a, &(struct now){.mono.ns = 130 * NS_PER_S},
				    &e), 1);
	assert_int_equal(audit_size(a), 6);
	assert_int_equal(audit_commit(a, &e), 0);
	assert_int_equal(audit_size(a), 6);
	test_close(a);
	assert_int_equal(points(), 2);
}

static void after_65536_records(void **state)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1},
		.own_key = true,
	};
	struct err e = {0};
	struct audit *a;
	struct sample s;

	(void)state;
	test_clean();
	assert_int_equal(audit_open(&a, &conf, &e), 0);
	for (int i = 0; i < 65536; i++)
		add(a, sample_flow(&s, 0), 10);
	assert_int_equal(audit_size(a), 65536);
	assert_int_equal(audit_commit(a, &e), 0);
	assert_int_equal(audit_size(a), 65537);
	test_close(a);
	assert_int_equal(points(), 1);
}

/* --- the key --- */

static void chmod_key(mode_t mode)
{
	char name[80];

	snprintf(name, sizeof(name), "%s.key", test_path);
	assert_int_equal(chmod(name, mode), 0);
}

static void the_key_is_its_owners(void **state)
{
	char name[80];
	struct stat st;
	struct err e = {0};
	struct audit *a;
	struct sample s;

	(void)state;
	test_clean();
	a = open_signed();
	add(a, sample_policy(&s, 0), 10);
	test_close(a);
	snprintf(name, sizeof(name), "%s.key", test_path);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Others could have read it: it is worth nothing any more. */
	chmod_key(0640);
	assert_int_equal(try_open(&a, &e), E_STATE);
	chmod_key(0600);
	/* A log that was signed is not continued with another key. */
	assert_int_equal(unlink(name), 0);
	assert_int_equal(try_open(&a, &e), E_NOTFOUND);
	assert_int_equal(access(name, F_OK), -1);
	/* One that never was gets one. */
	test_clean();
	test_close(open_signed());
	assert_int_equal(unlink(name), 0);
	test_close(open_signed());
	assert_int_equal(access(name, F_OK), 0);
}

static void the_public_half_follows_the_key(void **state)
{
	char name[80];
	struct log_key k;
	struct note_key pub;
	struct err e = {0};
	FILE *f;

	(void)state;
	test_clean();
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(log_key_open(&k, test_path, test_path, "a", false, &e),
			 E_NOTFOUND);
	assert_int_equal(log_key_open(&k, test_path, test_path, "a", true, &e), 0);
	assert_int_equal(note_file_key(&pub, name, &e), 0);
	assert_memory_equal(&pub, &k.by.key, sizeof(pub));
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("nonsense\n", f);
	fclose(f);
	assert_int_equal(log_key_open(&k, test_path, test_path, "a", true, &e), 0);
	assert_int_equal(note_file_key(&pub, name, &e), 0);
	assert_memory_equal(&pub, &k.by.key, sizeof(pub));
	/* A name that no note can carry. */
	assert_int_equal(log_key_open(&k, test_path, test_path, "a b", true, &e),
			 E_SYNTAX);
	log_key_wipe(&k);
}

/* What a chip's key is bound to: one way to write it, and no other is read. */
static void what_a_key_is_bound_to(void **state)
{
#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"pcrs 0x000395\npolicy " DIGEST "\n", 0},
		{"", E_SYNTAX},
		{"pcrs 0x000395\npolicy " DIGEST, E_SYNTAX},
		{"pcrs 0x000395\npolicy " DIGEST "\n\n", E_SYNTAX},
		{"pcrs 0x395\npolicy " DIGEST "\n", E_SYNTAX},
		{"pcrs 0x 0395\npolicy " DIGEST "\n", E_SYNTAX},
		{"pcrs 0x00039A\npolicy " DIGEST "\n", E_SYNTAX},
		{"pcrs 0x000395 policy " DIGEST "\n", E_SYNTAX},
		{"pcrs 0x000395\nPolicy " DIGEST "\n", E_SYNTAX},
		{"pcrs 0x000395\npolicy x" DIGEST "\n", E_SYNTAX},
	};
	struct log_key_bound b, got;
	struct err e = {0};
	char name[80];
	FILE *f;

	(void)state;
	test_clean();
	b.pcrs = 0x395;
	for (size_t i = 0; i < sizeof(b.policy); i++)
		b.policy[i] = (uint8_t)i;
	snprintf(name, sizeof(name), "%s.tpmkey", test_path);
	unlink(name);
	assert_int_equal(log_key_bound_read(&got, test_path, &e), E_NOTFOUND);
	assert_int_equal(log_key_bound_write(&b, test_path, &e), 0);
	assert_int_equal(log_key_bound_read(&got, test_path, &e), 0);
	assert_memory_equal(&got, &b, sizeof(b));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f = fopen(name, "w");
		assert_non_null(f);
		fputs(rows[i].text, f);
		fclose(f);
		if (log_key_bound_read(&got, test_path, &e) != rows[i].rc)
			fail_msg("'%s': %s", rows[i].text, e.text);
		assert_true(rows[i].rc == 0 || strstr(e.text, name));
	}
	unlink(name);
}

static void a_damaged_key_is_not_replaced(void **state)
{
	char name[80];
	struct err e = {0};
	struct audit *a;
	FILE *f;

	(void)state;
	test_clean();
	snprintf(name, sizeof(name), "%s.key", test_path);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("-----BEGIN PRIVATE KEY-----\n", f);
	fclose(f);
	chmod_key(0600);
	assert_int_equal(try_open(&a, &e), E_SYNTAX);
}

/* A signer that fails: nothing of that commit is there. */
static int no_sign(void *arg, struct span octets, struct wbuf *out,
		   struct err *e)
{
	(void)arg, (void)octets, (void)out;
	return err_set(e, E_IO, 0, "the chip does not answer");
}

static void without_a_signature_nothing_is_acknowledged(void **state)
{
	uint8_t pub[32] = {1};
	struct note_signer by = {.sign = no_sign};
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1},
		.batch = UINT32_MAX,
		.signer = &by,
	};
	struct err e = {0};
	struct audit *a;
	struct sample s;

	(void)state;
	test_clean();
	assert_int_equal(note_key_make(&by.key, span_str(ORIGIN), NOTE_ED25519,
				       span_of(pub, sizeof(pub)), &e), 0);
	assert_int_equal(audit_open(&a, &conf, &e), 0);
	add(a, sample_decision(&s, 0), 1);
	assert_int_equal(audit_commit(a, &e), 0); /* none is due */
	add(a, sample_policy(&s, 0), 2);
	assert_int_equal(audit_commit(a, &e), E_IO);
	assert_non_null(strstr(e.text, "the chip does not answer"));
	assert_int_equal(audit_close(a, &e), E_IO);
	test_whole(1);
}

/* --- a start --- */

static bool may_sign;

static bool can_sign(void *arg)
{
	(void)arg;
	return may_sign;
}

/* One that the platform's TPM says something of, which may sign or not. */
static struct audit *open_bound(uint8_t boot, bool signs)
{
	struct anchor_bound bound = {.has_pcr = true, .counter = 3};
	uint8_t digest[SHA256_LEN];
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {boot},
		.batch = UINT32_MAX,
		.resume = true,
		.own_key = true,
		.can_sign = can_sign,
	};
	struct err e = {0};
	struct audit *a;

	may_sign = signs;
	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	anchor_first(NULL, bound.counter, digest);
	anchor_extend(bound.pcr, digest);
	audit_bind(a, &bound);
	return a;
}

/* A new boot that dies behind its first record. */
static void start(uint8_t boot)
{
	struct audit *a = open_bound(boot, false);
	struct err e = {0};
	struct sample s;

	add(a, sample_boot(&s, 0), 1);
	assert_int_equal(audit_commit(a, &e), 0);
	audit_abandon(a);
}

static void read_last(struct record_view *v)
{
	static uint8_t octets[STORE_BUNDLE_MAX];
	struct db *d = test_db();
	struct span data, record;
	struct db_stmt *st;
	struct err e = {0};
	struct cur c;

	assert_int_equal(db_prepare(&st, d, "SELECT data FROM bundle ORDER BY"
				    " first DESC LIMIT 1", &e), 0);
	assert_int_equal(db_step(st, &e), 1);
	assert_true(db_span(st, 0, &data));
	memcpy(octets, data.p, data.n);
	c = cur_of(span_of(octets, data.n));
	db_finish(st);
	test_db_close(d);
	while (store_next(&c, &record))
		assert_int_equal(record_decode(v, record, &e), 0);
}

/* H(text) of the last checkpoint that is stored. */
static void last_text(uint8_t out[SHA256_LEN])
{
	struct db *d = test_db();
	struct db_stmt *st;
	struct err e = {0};
	struct span note;
	struct note n;

	assert_int_equal(db_prepare(&st, d, "SELECT note FROM checkpoint ORDER"
				    " BY size DESC LIMIT 1", &e), 0);
	assert_int_equal(db_step(st, &e), 1);
	assert_true(db_span(st, 0, &note));
	assert_int_equal(note_parse(&n, note, &e), 0);
	sha256_of(n.text, out);
	db_finish(st);
	test_db_close(d);
}

/* A start names the checkpoint that it goes on behind. One that was taken away
 * shows by that alone: what announced it could be a writer's that died, and no
 * later one says what PCR 13 was. */
static void a_start_names_the_checkpoint_before_it(void **state)
{
	static struct record_view v;
	uint8_t text[SHA256_LEN];
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	struct sample s;
	struct db *d;

	(void)state;
	test_clean();
	start(1);
	read_last(&v);
	assert_null(v.ev.log); /* there was none */
	a = open_bound(2, true);
	add(a, sample_decision(&s, 0), 1);
	add(a, sample_policy(&s, 0), 2);
	assert_int_equal(audit_commit(a, &e), 0);
	assert_int_equal(audit_checkpointed(a), 4);
	audit_abandon(a);
	start(3);
	read_last(&v);
	last_text(text);
	assert_int_equal(v.r.kind, RECORD_BOOT);
	assert_non_null(v.ev.log);
	assert_int_equal(v.ev.log->point, 4);
	assert_memory_equal(v.ev.log->point_text, text, sizeof(text));
	test_whole(5);
	d = test_db();
	test_guards(d, false);
	test_exec(d, "DELETE FROM checkpoint; UPDATE state SET checkpoint = 0,"
		     " anchored = 0");
	test_guards(d, true);
	test_db_close(d);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, "the checkpoint of 4 records: it is "
				       "missing"));
	assert_true(r.has_bad && r.bad == 3);
}

/* --- a log that was altered --- */

static int open_recover(struct audit **a, struct err *e)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1, 2, 3},
		.batch = 1,
		.resume = true,
		.own_key = true,
		.recover = true,
	};

	return audit_open(a, &conf, e);
}

static void spoil(const char *path)
{
	FILE *f = fopen(path, "r+b");

	assert_non_null(f);
	fseek(f, 2 * 4096 + 3000, SEEK_SET);
	fputc(0x5a, f);
	fclose(f);
}

static size_t content(const char *path, uint8_t *out, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

/* It is evidence and stays; another one goes on beside it, with its key. */
static void an_altered_log_is_left_alone(void **state)
{
	static uint8_t before[1 << 20], after[1 << 20];
	struct points_conf conf = {.n_keys = 1};
	struct verify_result r;
	struct note_key old, key;
	char name[96], other[96];
	const char *why;
	struct err e = {0};
	struct audit *a;
	struct sample s;
	size_t n;

	(void)state;
	test_make_signed();
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&old, name, &e), 0);
	assert_int_equal(open_recover(&a, &e), 0);
	assert_int_equal(audit_recovery(a, &why), 0); /* nothing is wrong */
	test_close(a);
	spoil(test_path);
	n = content(test_path, before, sizeof(before));
	assert_int_equal(try_open(&a, &e), E_INTEGRITY);
	for (int i = 0; i < 2; i++) { /* and again, to the same one */
		assert_int_equal(open_recover(&a, &e), 0);
		assert_int_equal(audit_recovery(a, &why), 1);
		assert_non_null(strstr(why, "page"));
		assert_int_equal(audit_size(a), i ? 2 : 0);
		add(a, sample_policy(&s, 0), 2000);
		test_close(a);
	}
	assert_int_equal(content(test_path, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
	snprintf(name, sizeof(name), "%s.recovery-1", test_path);
	snprintf(other, sizeof(other), "%s.recovery-1.vkey", test_path);
	assert_int_equal(note_file_key(&key, other, &e), 0);
	assert_string_equal(key.name, ORIGIN "/recovery-1");
	assert_memory_equal(key.pub, old.pub, old.n);
	conf.keys = &key;
	assert_int_equal(verify_file(name, &conf, &r, NULL, NULL, &e), 0);
	assert_int_equal(r.checkpoints, 2);
	/* And if that one is altered, too. */
	spoil(name);
	assert_int_equal(open_recover(&a, &e), 0);
	assert_int_equal(audit_recovery(a, &why), 2);
	test_close(a);
}

static void shell(const char *what)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", test_dir, what);
	assert_int_equal(system(cmd), 0);
}

/* Another key in the place of the log's, or another log of the same name in the
 * place of this: neither goes on as if nothing had been. */
static void a_key_goes_with_its_log(void **state)
{
	static const struct {
		const char *why, *swap, *vkey;
	} rows[] = {
		{"another key", "cp k a.db.key", "v"},
		{"and its public half", "cp k a.db.key; cp kv a.db.vkey", "kv"},
		{"another log, with its key's public half",
		 "rm a.db*; cp b a.db; cp v0 a.db.key; cp v a.db.vkey", "v"},
	};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why;
		struct audit *a;
		char cmd[96];

		test_make_signed();
		shell("mkdir -p o; mv a.db* o; cd o; mv a.db ../b; "
		      "mv a.db.key ../k; mv a.db.vkey ../kv; cd ..; rm -r o");
		shell("mkdir -p keep; mv b k kv keep");
		test_add_signed(0, 300);
		shell("mv keep/* .; rmdir keep; cp a.db.key v0; "
		      "cp a.db.vkey v");
		shell(rows[i].swap);
		if (try_open(&a, &e) != E_INTEGRITY)
			fail_msg("%s: it goes on", rows[i].why);
		assert_int_equal(open_recover(&a, &e), 0);
		assert_int_equal(audit_recovery(a, &why), 1);
		test_close(a);
		/* And nothing of it was written over. */
		snprintf(cmd, sizeof(cmd), "cmp a.db.vkey %s", rows[i].vkey);
		shell(cmd);
		test_clean();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_somebody_acts_upon_is_in_one_at_once),
		cmocka_unit_test(a_minute_after_the_last_one),
		cmocka_unit_test(after_65536_records),
		cmocka_unit_test(the_key_is_its_owners),
		cmocka_unit_test(the_public_half_follows_the_key),
		cmocka_unit_test(what_a_key_is_bound_to),
		cmocka_unit_test(a_damaged_key_is_not_replaced),
		cmocka_unit_test(without_a_signature_nothing_is_acknowledged),
		cmocka_unit_test(a_start_names_the_checkpoint_before_it),
		cmocka_unit_test(an_altered_log_is_left_alone),
		cmocka_unit_test(a_key_goes_with_its_log),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
