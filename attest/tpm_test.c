/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "attest/testtpm.h"
#include "attest/tpm.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define INDEX 0x01800d13

static struct test_tpm tt;
static const uint8_t seed[TPM_DIGEST] = {1, 2, 3};

static struct tpm *on(void)
{
	struct err e = {0};
	struct tpm *t;

	if (tpm_open(&t, tt.tcti, &e) || tpm_begin(t, &e))
		fail_msg("%s", e.text);
	return t;
}

static int setup(void **state)
{
	(void)state;
	test_tpm_make(&tt);
	return test_tpm_on(&tt) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	test_tpm_gone(&tt);
	return 0;
}

#define GOOD(call)                                                             \
	do {                                                                   \
		if (call)                                                      \
			fail_msg("%s: %s", #call, e.text);                     \
	} while (0)

static void extends(void **state)
{
	uint8_t want[2 * TPM_DIGEST] = {0};
	struct tpm *t = on();
	struct tpm_state s;
	struct err e = {0};

	(void)state;
	GOOD(tpm_state(t, &s, &e));
	assert_memory_equal(s.pcr, want, TPM_DIGEST);
	assert_int_equal(s.counter, 0);
	memset(want + TPM_DIGEST, 7, TPM_DIGEST);
	GOOD(tpm_extend(t, want + TPM_DIGEST, &e));
	sha256_of(span_of(want, sizeof(want)), want);
	GOOD(tpm_state(t, &s, &e));
	assert_memory_equal(s.pcr, want, TPM_DIGEST);
	/* Another client finds the same. */
	tpm_close(t, false);
	t = on();
	GOOD(tpm_state(t, &s, &e));
	assert_memory_equal(s.pcr, want, TPM_DIGEST);
	tpm_close(t, true);
}

static void counts(void **state)
{
	struct tpm *t = on();
	struct tpm_state s;
	struct err e = {0};
	uint64_t n = 0;

	(void)state;
	assert_int_equal(tpm_increment(t, &n, &e), E_STATE);
	assert_int_equal(tpm_counter(t, INDEX, false, &e), E_NOTFOUND);
	assert_int_equal(tpm_counter(t, 0x01c00002, true, &e), E_LIMIT);
	GOOD(tpm_counter(t, INDEX, true, &e));
	GOOD(tpm_state(t, &s, &e));
	assert_int_equal(s.counter, 0); /* not yet written */
	for (uint64_t i = 1; i <= 3; i++) {
		GOOD(tpm_increment(t, &n, &e));
		assert_int_equal(n, i);
	}
	tpm_close(t, true);
	test_tpm_off(&tt, SIGTERM);
	assert_true(test_tpm_on(&tt));
	t = on();
	GOOD(tpm_counter(t, INDEX, false, &e));
	GOOD(tpm_state(t, &s, &e));
	assert_int_equal(s.counter, 3);
	/* A second counter begins where the largest ever was. */
	GOOD(tpm_counter(t, INDEX + 1, true, &e));
	GOOD(tpm_increment(t, &n, &e));
	assert_true(n >= 1);
	tpm_close(t, true);
}

static void is_reset(void **state)
{
	static const uint8_t zeros[TPM_DIGEST], one[TPM_DIGEST] = {1};
	struct tpm_state before, after;
	struct tpm *t = on();
	struct err e = {0};

	(void)state;
	GOOD(tpm_extend(t, one, &e));
	GOOD(tpm_state(t, &before, &e));
	tpm_close(t, true);
	test_tpm_off(&tt, SIGTERM);
	assert_true(test_tpm_on(&tt));
	t = on();
	GOOD(tpm_state(t, &after, &e));
	assert_memory_equal(after.pcr, zeros, TPM_DIGEST);
	assert_int_equal(after.reset, before.reset + 1);
	tpm_close(t, true);
}

static void signs(void **state)
{
	uint8_t spki[TPM_SPKI], again[TPM_SPKI], der[TPM_SIG], md[TPM_DIGEST];
	const struct span text = span_str("meter-1/audit\n7\nroot\n");
	struct tpm *t = on();
	struct err e = {0};

	(void)state;
	sha256_of(text, md);
	GOOD(tpm_key(t, seed, spki, &e));
	assert_true(sign_p256_is(span_of(spki, sizeof(spki))));
	/* Some have a shorter r or s. */
	for (int i = 0; i < 300; i++) {
		struct wbuf w = wbuf_of(der, sizeof(der));

		GOOD(tpm_sign(t, md, &w, &e));
		assert_true(sign_p256_holds(span_of(spki, sizeof(spki)), text,
					    wbuf_span(&w)));
	}
	tpm_close(t, true);
	test_tpm_off(&tt, SIGTERM);
	assert_true(test_tpm_on(&tt));
	t = on();
	GOOD(tpm_key(t, seed, again, &e));
	assert_memory_equal(again, spki, sizeof(spki));
	tpm_close(t, true);
	t = on();
	GOOD(tpm_key(t, md, again, &e));
	assert_memory_not_equal(again, spki, sizeof(spki));
	tpm_close(t, true);
}

/* Clients that die leave a key each; there is room for three. */
static void leftovers(void **state)
{
	uint8_t spki[TPM_SPKI];
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			struct tpm *t = on();

			_exit(tpm_key(t, seed, spki, &e) ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* --- what can go wrong ---------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void absent(void **state)
{
	static const struct {
		int rc;
		const char *name, *remedy;
	} rows[] = {
		{E_IO, "swtpm:path=/nonexistent/s", ""},
		{E_IO, "swtpm:host=127.0.0.1,port=1", ""},
		{E_IO, "swtpm:host=::1,port=1", ""},
		{E_IO, "device:/dev/nonexistent", ""},
		{E_SYNTAX, "device:tpm0", "device:/dev/tpmrm0"},
		{E_SYNTAX, "device", "device:/dev/tpmrm0"},
		{E_SYNTAX, "swtpm:path=s", "swtpm:path=/SOCKET"},
		{E_SYNTAX, "swtpm:host=localhost,port=1", "numeric"},
		{E_SYNTAX, "swtpm:host=127.0.0.1", "port=2321"},
		{E_SYNTAX, "swtpm:host=127.0.0.1,port=0", "port=2321"},
		{E_SYNTAX, "swtpm:host=127.0.0.1,port=1x", "port=2321"},
		{E_SYNTAX, "swtpm:host=127.0.0.1,port=65536", "port=2321"},
		{E_SYNTAX, "swtpm:", "swtpm:path=/SOCKET"},
		{E_SYNTAX, "cmd:nc -U /s", "swtpm:path=/SOCKET"},
		{E_SYNTAX, "tabrmd:bus_name=com.intel.tss2.Tabrmd",
		 "device:/dev/tpmrm0"},
		{E_SYNTAX, "tabrmd", "device:/dev/tpmrm0"},
		{E_SYNTAX, "mssim:host=127.0.0.1,port=2321",
		 "swtpm:path=/SOCKET"},
		{E_SYNTAX, "nonsense", "device:PATH"},
		{E_SYNTAX, "", "device:PATH"},
	};
	struct err e = {0};
	struct tpm *t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(tpm_open(&t, rows[i].name, &e), rows[i].rc);
		assert_null(t);
		assert_non_null(strstr(e.text, rows[i].name));
		assert_non_null(strstr(e.text, rows[i].remedy));
	}
}

static void dies(void **state)
{
	static const uint8_t one[TPM_DIGEST] = {1};
	struct tpm *t = on();
	struct tpm_state s;
	struct err e = {0};

	(void)state;
	test_tpm_off(&tt, SIGKILL);
	assert_int_equal(tpm_extend(t, one, &e), E_IO);
	assert_int_equal(tpm_state(t, &s, &e), E_IO);
	tpm_close(t, true);
	assert_true(test_tpm_on(&tt));
	t = on();
	GOOD(tpm_state(t, &s, &e));
	tpm_close(t, true);
}

static void hangs(void **state)
{
	static const uint8_t one[TPM_DIGEST] = {1};
	struct tpm *t = on();
	struct err e = {0};
	double start = seconds();

	(void)state;
	kill(tt.pid, SIGSTOP);
	assert_int_equal(tpm_extend(t, one, &e), E_IO);
	assert_non_null(strstr(e.text, "does not answer"));
	assert_int_equal(tpm_extend(t, one, &e), E_IO);
	tpm_close(t, true);
	assert_true(seconds() - start < 5);
	kill(tt.pid, SIGCONT);
}

/* It serves one at a time. */
static void busy(void **state)
{
	struct tpm *t = on(), *other;
	struct err e = {0};
	double start = seconds();

	(void)state;
	if (tpm_open(&other, tt.tcti, &e) == 0) {
		assert_int_equal(tpm_begin(other, &e), E_IO);
		tpm_close(other, false);
	}
	assert_true(seconds() - start < 5);
	tpm_close(t, true);
}

#define ROW(octets, size) {octets, size - 1}
static void garbage(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
	} rows[] = {
		ROW("x", 2),
		ROW("\x80\x01\x00\x00\x00\x0a\x00\x00\x00", 10), /* half */
		ROW("\x80\x01\x00\x00\x00\x09\x00\x00\x00\x00", 11),
		ROW("\x80\x01\xff\xff\xff\xff\x00\x00\x00\x00", 11),
		ROW("\x80\x01\x00\x00\x00\x0a\x00\x00\x01\x01", 11), /* failed */
		ROW("\x80\x01\x00\x00\x00\x0a\x00\x00\x00\x00", 11), /* empty */
		ROW("\x80\x02\x00\x00\x00\x0a\x00\x00\x00\x00", 11),
		ROW("\x80\x01\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x00"
		    "\x01\x00\x00\xff\xff", 20),
		ROW("\x80\x01\x00\x00\x00\x17\x00\x00\x00\x00\x00\x00\x00\x00"
		    "\x05\x00\x00\x00\x00\x00\x00\x00\x00", 24),
	};

	(void)state;
	test_tpm_off(&tt, SIGTERM);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t spki[TPM_SPKI];
		struct err e = {0};
		struct tpm_state s;
		double start = seconds();
		struct tpm *t;
		int rc;

		test_tpm_false(&tt, rows[i].octets, rows[i].n);
		rc = tpm_open(&t, tt.tcti, &e);
		if (rc == 0)
			rc = tpm_begin(t, &e);
		if (rc == 0)
			rc = tpm_state(t, &s, &e);
		if (rc == 0)
			rc = tpm_key(t, seed, spki, &e);
		assert_true(rc == E_IO || rc == E_STATE);
		assert_true(e.text[0]);
		tpm_close(t, false);
		test_tpm_off(&tt, SIGKILL);
		assert_true(seconds() - start < 6);
	}
	assert_true(test_tpm_on(&tt));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extends),   cmocka_unit_test(counts),
		cmocka_unit_test(is_reset),  cmocka_unit_test(signs),
		cmocka_unit_test(leftovers), cmocka_unit_test(absent),
		cmocka_unit_test(dies),	     cmocka_unit_test(hangs),
		cmocka_unit_test(busy),	     cmocka_unit_test(garbage),
	};

	if (!test_tpm_there()) {
		puts("SKIP: swtpm is not installed");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
