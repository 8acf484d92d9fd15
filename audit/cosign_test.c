/* SPDX-License-Identifier: Apache-2.0 */
/* Cosignatures: which are taken, and how many a reader may ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/notefile.h"
#include "audit/prover.h"
#include "audit/store.h"
#include "audit/testdb.h"
#include "crypto/sign.h"

#define WITNESSES 3

static struct witness {
	struct sign_key key;
	struct note_signer by;
} witness[WITNESSES];
static struct note_key known[WITNESSES], log_key;

static int sign(void *arg, struct span octets, struct wbuf *out, struct err *e)
{
	struct witness *w = arg;
	uint8_t *room = wbuf_room(out, SIGN_LEN);

	return room ? sign_make(&w->key, octets, room, e) : E_LIMIT;
}

static int setup(void **state)
{
	static const char *const names[WITNESSES] = {
		"portal.example", "utility.example", "home.example"};
	struct err e = {0};

	for (size_t i = 0; i < WITNESSES; i++) {
		struct witness *w = &witness[i];

		if (sign_new_key(&w->key, &e) ||
		    note_key_make(&w->by.key, span_str(names[i]),
				  NOTE_COSIGNATURE,
				  span_of(w->key.public_, SIGN_KEY_LEN), &e))
			return -1;
		w->by.sign = sign;
		w->by.arg = w;
		known[i] = w->by.key;
	}
	return test_setup(state);
}

static struct audit *again(void)
{
	return test_open_log((struct audit_conf){
		.batch = UINT32_MAX, .resume = true, .own_key = true});
}

/* What a witness answers to the checkpoint of so many records. */
static struct span line_of(size_t who, uint64_t size, uint8_t out[512])
{
	static struct checkpoint c;
	struct wbuf w = wbuf_of(out, 512);
	struct prover *p;
	struct err e = {0};
	struct span octets;
	struct note n;

	assert_int_equal(prover_open(&p, test_path, false, &e), 0);
	assert_int_equal(prover_checkpoint(p, size, &c, &octets, &e), 0);
	assert_int_equal(note_parse(&n, octets, &e), 0);
	assert_int_equal(note_sign(&w, n.text, &witness[who].by, 1700000000,
				   &e), 0);
	prover_close(p);
	return wbuf_span(&w);
}

static int check(size_t need, size_t n, struct verify_result *r,
		 struct err *e)
{
	struct points_conf conf = {
		.keys = &log_key,
		.n_keys = 1,
		.witnesses = known,
		.n_witnesses = n,
		.need = need,
	};

	return verify_file(test_path, &conf, r, NULL, NULL, e);
}

static void make(void)
{
	char name[80];
	struct err e = {0};

	test_make_signed();
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&log_key, name, &e), 0);
}

static void as_many_as_are_asked_for(void **state)
{
	struct verify_result r;
	uint8_t out[512];
	struct err e = {0};
	struct audit *a;

	(void)state;
	make();
	assert_int_equal(check(0, 3, &r, &e), 0);
	assert_false(r.has_cosigned);
	assert_int_equal(check(1, 3, &r, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "cosigned by 1 of the witnesses"));
	a = again();
	assert_int_equal(audit_cosign(a, 301, line_of(0, 301, out), known, 3,
				      &e), 0);
	assert_int_equal(audit_cosign(a, 301, line_of(1, 301, out), known, 3,
				      &e), 0);
	assert_int_equal(audit_cosign(a, 602, line_of(1, 602, out), known, 3,
				      &e), 0);
	/* Twice is once. */
	assert_int_equal(audit_cosign(a, 602, line_of(1, 602, out), known, 3,
				      &e), 0);
	test_close(a);
	assert_int_equal(check(1, 3, &r, &e), 0);
	assert_int_equal(r.cosigned, 602);
	assert_int_equal(check(2, 3, &r, &e), 0);
	assert_int_equal(r.cosigned, 301); /* the last that has two */
	assert_int_equal(check(3, 3, &r, &e), E_INTEGRITY);
	/* Only those count that the reader knows. */
	assert_int_equal(check(2, 1, &r, &e), E_INTEGRITY);
	/* They go out with what is proved under it. */
	assert_true(line_of(0, 301, out).n > 0);
}

static void what_is_not_taken(void **state)
{
	struct verify_result r;
	uint8_t out[512], two[1024];
	struct wbuf w = wbuf_of(two, sizeof(two));
	struct err e = {0};
	struct audit *a;
	struct span s;

	(void)state;
	make();
	a = again();
	s = line_of(2, 602, out);
	assert_int_equal(audit_cosign(a, 602, s, known, 2, &e), E_AUTH);
	assert_int_equal(audit_cosign(a, 600, s, known, 3, &e), E_NOTFOUND);
	/* Of another checkpoint. */
	assert_int_equal(audit_cosign(a, 301, s, known, 3, &e), E_INTEGRITY);
	wbuf_put(&w, s);
	wbuf_put(&w, s);
	assert_int_equal(audit_cosign(a, 602, wbuf_span(&w), known, 3, &e),
			 E_SYNTAX);
	assert_int_equal(audit_cosign(a, 602, span_sub(s, 0, s.n - 1), known, 3,
				      &e), E_SYNTAX);
	assert_int_equal(audit_cosign(a, 602, span_str("- no\n"), known, 3, &e),
			 E_SYNTAX);
	/* The log's own key is no witness. */
	assert_int_equal(audit_cosign(a, 602, s, &log_key, 1, &e), E_AUTH);
	/* And none of this hurts. */
	assert_int_equal(audit_cosign(a, 602, s, known, 3, &e), 0);
	test_close(a);
	assert_int_equal(check(1, 3, &r, &e), 0);
}

static void a_stored_one_may_not_be_wrong(void **state)
{
	struct verify_result r;
	uint8_t out[512];
	struct err e = {0};
	struct audit *a;
	struct db *d;

	(void)state;
	make();
	a = again();
	assert_int_equal(audit_cosign(a, 602, line_of(0, 602, out), known, 3,
				      &e), 0);
	test_close(a);
	d = test_db();
	test_exec(d, "UPDATE checkpoint SET cosigned = CAST(substr(cosigned, 1,"
		     " length(cosigned) - 9) || x'4141' || substr(cosigned,"
		     " length(cosigned) - 6) AS BLOB) WHERE size = 602");
	test_db_close(d);
	assert_int_equal(check(0, 3, &r, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "signature of portal.example is wrong"));
	/* To who does not know the witness, it says nothing. */
	assert_int_equal(check(0, 0, &r, &e), 0);
}

static uint64_t cosigned(const struct note_key *by)
{
	static const uint8_t boot_key[32] = {1, 2, 3};
	struct err e = {0};
	struct store *s;
	uint64_t size = 0;

	if (store_open(&s, test_path, "meter-1.meter.example/audit",
		       STORE_BOOT_LAST, boot_key, false, &e) ||
	    store_cosigned(s, by, known, 2, &size, &e) ||
	    store_close(s, &e))
		fail_msg("%s", e.text);
	return size;
}

/* What may be pruned depends on it: it is what a witness who is known signed,
 * of a checkpoint of this log, and not what stands there. */
static void only_what_is_proved_counts(void **state)
{
	uint8_t out[512];
	struct err e = {0};
	struct audit *a;
	struct db *d;

	(void)state;
	make();
	assert_int_equal(cosigned(&log_key), 0);
	a = again();
	assert_int_equal(audit_cosign(a, 301, line_of(1, 301, out), known, 3,
				      &e), 0);
	/* The third is not among those that are asked for. */
	assert_int_equal(audit_cosign(a, 602, line_of(2, 602, out), known, 3,
				      &e), 0);
	test_close(a);
	assert_int_equal(cosigned(&log_key), 301);
	assert_int_equal(cosigned(&known[0]), 0);
	assert_int_equal(cosigned(NULL), 0);
	d = test_db();
	test_guards(d, false);
	test_exec(d, "UPDATE checkpoint SET cosigned = (SELECT cosigned FROM"
		     " checkpoint WHERE size = 301) WHERE size = 602");
	test_guards(d, true);
	test_db_close(d);
	assert_int_equal(cosigned(&log_key), 301);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_proved_counts),
		cmocka_unit_test(as_many_as_are_asked_for),
		cmocka_unit_test(what_is_not_taken),
		cmocka_unit_test(a_stored_one_may_not_be_wrong),
	};

	return cmocka_run_group_tests(tests, setup, test_teardown);
}
