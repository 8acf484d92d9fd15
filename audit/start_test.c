/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What had no checkpoint when the writer started: the next one signs it as it is
 * found, whoever wrote it, so each start and each reader says which it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/eve.h"
#include "audit/layout.h"
#include "audit/notefile.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/testdb.h"

static struct note_key key;

static struct audit *start(void)
{
	struct audit *a = test_open_log((struct audit_conf){
		.batch = UINT32_MAX, .own_key = true});
	struct err e = {0};
	struct sample s;

	if (audit_append(a, sample_boot(&s, 0), NULL, &e) ||
	    audit_commit(a, &e))
		fail_msg("%s", e.text);
	return a;
}

static void add(struct audit *a, uint64_t n)
{
	struct err e = {0};
	struct sample s;

	for (uint64_t i = 0; i < n; i++) {
		if (audit_append(a, sample_anomaly(&s, audit_size(a)), NULL,
				 &e))
			fail_msg("%s", e.text);
	}
	if (audit_commit(a, &e))
		fail_msg("%s", e.text);
}

/* Three starts: the second behind a death, the third behind an end in order. */
static void make(void)
{
	struct err e = {0};
	char name[96];
	struct audit *a;

	test_clean();
	a = start();
	add(a, 20);
	audit_ask(a);
	add(a, 1);
	assert_int_equal(audit_checkpointed(a), 23);
	add(a, 7);
	audit_abandon(a);
	a = start();
	add(a, 5);
	test_close(a);
	test_close(start());
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
}

static void check(const struct verify_result *r)
{
	assert_int_equal(r->n_starts, 1);
	assert_int_equal(r->starts[0].boot, 2);
	assert_int_equal(r->starts[0].first, 23);
	assert_int_equal(r->starts[0].end, 30);
}

static void verify_lists_them(void **state)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	make();
	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	check(&r);
	assert_int_equal(mkdir(test_other, 0700), 0);
	if (layout_write(test_path, test_other, &e) ||
	    layout_verify(test_other, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	check(&r);
}

/* As JSON and as text; n 0: it says nothing. */
static void says(struct reader *r, uint64_t at, uint64_t n)
{
	struct record_view *v = malloc(sizeof(*v));
	uint8_t octets[EVE_LINE_MAX];
	struct eve_opts o = {.has_seq = true, .seq = at};
	char json_want[64], text_want[64];
	struct err e = {0};
	struct span record;
	struct json j;
	uint64_t seq;

	assert_non_null(v);
	reader_seek(r, at);
	assert_int_equal(reader_next(r, &seq, &record, &e), 1);
	assert_int_equal(record_decode(v, record, &e), 0);
	assert_int_equal(v->r.kind, RECORD_BOOT);
	snprintf(json_want, sizeof(json_want),
		 "\"unsigned_first\":%u,\"unsigned_end\":%u",
		 (unsigned)(at - n), (unsigned)at);
	snprintf(text_want, sizeof(text_want),
		 "no checkpoint covered the last %u records before",
		 (unsigned)n);
	j = json_of(octets, sizeof(octets) - 1);
	assert_true(eve_event(&j, &v->ev, &o));
	octets[j.w.n] = 0;
	assert_int_equal(strstr((char *)octets, n ? json_want : "unsigned") != NULL,
			 n != 0);
	j = json_of(octets, sizeof(octets) - 1);
	assert_true(eve_text(&j.w, &v->ev, &o));
	octets[j.w.n] = 0;
	assert_int_equal(strstr((char *)octets, n ? text_want : "no checkpoint") !=
				 NULL, n != 0);
	free(v);
}

static void the_start_says_it(void **state)
{
	struct reader *r;
	struct err e = {0};

	(void)state;
	make();
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	says(r, 0, 0);
	says(r, 30, 7);
	says(r, 37, 0);
	reader_close(r);
}

/* The same boot goes on: behind an error, or another scribe. Nothing says that
 * it starts, so a record of its own does, once for all that it found. */
static void so_does_a_boot_that_goes_on(void **state)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct audit_conf resumes = {.batch = UINT32_MAX, .own_key = true,
				     .resume = true};
	struct verify_result r;
	struct err e = {0};
	struct audit *a;

	(void)state;
	make();
	a = test_open_log(resumes);
	test_close(a);
	assert_int_equal(verify_file(test_path, &conf, &r, NULL, NULL, &e), 0);
	check(&r); /* nothing new: what was there had its checkpoint */
	a = test_open_log(resumes);
	add(a, 4);
	audit_abandon(a);
	for (unsigned i = 0; i < 2; i++) {
		a = test_open_log(resumes);
		assert_false(audit_boot_is_new(a));
		assert_false(audit_withdraws(a));
		add(a, 3);
		audit_abandon(a);
	}
	test_close(test_open_log(resumes));
	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	/* 4; one that names them, 3, a checkpoint; 3; one, and a checkpoint. */
	assert_int_equal(r.n_starts, 3);
	assert_int_equal(r.starts[1].boot, 3);
	assert_int_equal(r.starts[1].end - r.starts[1].first, 4);
	assert_int_equal(r.starts[2].first, r.starts[1].end + 5);
	assert_int_equal(r.starts[2].end - r.starts[2].first, 3);
	assert_int_equal(r.starts[2].end, r.size - 2);
	assert_int_equal(r.checkpoint, r.size);
}

/* All at one time: nothing is due by then. */
static void add_one(struct audit *a)
{
	struct err e = {0};
	struct sample s;

	if (audit_append(a, sample_anomaly(&s, 1), NULL, &e) ||
	    audit_commit(a, &e))
		fail_msg("%s", e.text);
}

/* Of more than are listed the last ones are, and the last may still grow. */
static void the_last_of_many_are_listed(void **state)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct audit_conf resumes = {.batch = UINT32_MAX, .own_key = true,
				     .resume = true};
	struct verify_result r;
	struct err e = {0};
	struct audit *a;

	(void)state;
	make(); /* three boots, one of them listed; the next is not */
	for (unsigned i = 0; i < VERIFY_STARTS + 6; i++) {
		a = start();
		add_one(a);
		audit_abandon(a);
	}
	for (unsigned i = 0; i < 2; i++) {
		a = test_open_log(resumes);
		add_one(a);
		audit_abandon(a);
	}
	test_close(test_open_log(resumes));
	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.n_starts, VERIFY_STARTS + 7);
	assert_int_equal(verify_listed(&r), VERIFY_STARTS);
	for (unsigned i = 0; i < VERIFY_STARTS - 1; i++)
		assert_int_equal(r.starts[i].boot, 11 + i);
	assert_int_equal(r.starts[VERIFY_STARTS - 1].boot, 73);
	assert_int_equal(r.starts[VERIFY_STARTS - 1].end, r.size - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verify_lists_them),
		cmocka_unit_test(the_start_says_it),
		cmocka_unit_test(so_does_a_boot_that_goes_on),
		cmocka_unit_test(the_last_of_many_are_listed),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
