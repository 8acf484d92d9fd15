/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "attest/link.h"
#include "attest/testtpm.h"
#include "attest/tpm.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define INDEX 0x01800d13

static struct test_tpm tt;
static const uint8_t seed[TPM_DIGEST] = {1, 2, 3};
static const struct key_policy usual = {.pcrs = 0x395};

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
	struct tpm_bound bound = {0}, other = {0};
	struct tpm *t = on();
	struct err e = {0};

	(void)state;
	sha256_of(text, md);
	GOOD(tpm_key(t, seed, &usual, &bound, spki, &e));
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
	GOOD(tpm_key(t, seed, &usual, &bound, again, &e));
	assert_memory_equal(again, spki, sizeof(spki));
	tpm_close(t, true);
	t = on();
	GOOD(tpm_key(t, md, &usual, &other, again, &e));
	assert_memory_not_equal(again, spki, sizeof(spki));
	assert_memory_equal(&other, &bound, sizeof(bound));
	tpm_close(t, true);
}

/* --- states of the platform ----------------------------------------------- */

/* What a boot loader does, and whoever starts another kernel. */
static void measure(unsigned pcr)
{
	uint8_t command[65] = {0};
	struct wbuf w = wbuf_of(command, sizeof(command));
	uint8_t answer[LINK_MAX];
	struct err e = {0};
	size_t n;
	int fd;

	wbuf_be(&w, 0x8002, 2);
	wbuf_be(&w, sizeof(command), 4);
	wbuf_be(&w, 0x182, 4); /* PCR_Extend */
	wbuf_be(&w, pcr, 4);
	wbuf_be(&w, 9, 4); /* no password */
	wbuf_be(&w, 0x40000009, 4);
	wbuf_be(&w, 0, 5);
	wbuf_be(&w, 1, 4);
	wbuf_be(&w, 0x000b, 2);
	wbuf_room(&w, 32)[0] = 7;
	GOOD(link_open(&fd, tt.tcti, &e));
	GOOD(link_send(fd, wbuf_span(&w), &e));
	GOOD(link_receive(fd, answer, sizeof(answer), &n, &e));
	assert_memory_equal(answer + 6, "\0\0\0\0", 4);
	close(fd);
}

static void reset(void)
{
	test_tpm_off(&tt, SIGTERM);
	assert_true(test_tpm_on(&tt));
}

/* As docs/audit.md has it, for whoever approves a release without a TPM. */
static void computed(uint8_t out[TPM_DIGEST], const uint8_t pcr4[TPM_DIGEST],
		     const uint8_t pcr8[TPM_DIGEST])
{
	static const uint8_t of[] = {0, 0, 1, 0x7f, 0, 0, 0, 1, 0, 0x0b, 3,
				     0x95, 0x03, 0};
	uint8_t values[6 * TPM_DIGEST] = {0};
	uint8_t in[TPM_DIGEST + sizeof(of) + TPM_DIGEST] = {0};

	memcpy(values + 2 * TPM_DIGEST, pcr4, TPM_DIGEST);
	memcpy(values + 4 * TPM_DIGEST, pcr8, TPM_DIGEST);
	memcpy(in + TPM_DIGEST, of, sizeof(of));
	sha256_of(span_of(values, sizeof(values)),
		  in + TPM_DIGEST + sizeof(of));
	sha256_of(span_of(in, sizeof(in)), out);
}

/* Another kernel, or none that was measured: the key is still the same one and
 * signs nothing, whatever way it is asked. */
static void another_state(void **state)
{
	uint8_t spki[TPM_SPKI], again[TPM_SPKI], der[TPM_SIG];
	uint8_t pcr[2 * TPM_DIGEST] = {0}, want[TPM_DIGEST];
	struct tpm_bound bound = {0}, anew = {0};
	struct wbuf w = wbuf_of(der, sizeof(der));
	struct err e = {0};
	struct tpm *t;

	(void)state;
	reset();
	measure(4);
	measure(8);
	t = on();
	GOOD(tpm_key(t, seed, &usual, &bound, spki, &e));
	assert_int_equal(bound.pcrs, usual.pcrs);
	pcr[TPM_DIGEST] = 7; /* measured */
	sha256_of(span_of(pcr, sizeof(pcr)), pcr);
	computed(want, pcr, pcr);
	assert_memory_equal(bound.policy, want, TPM_DIGEST);
	GOOD(tpm_key_usable(t, &e));
	GOOD(tpm_sign(t, spki, &w, &e));
	/* It moves while the key is in use. */
	tpm_close(t, false);
	measure(9);
	t = on();
	GOOD(tpm_key(t, seed, &usual, &bound, again, &e));
	assert_memory_equal(again, spki, sizeof(spki));
	w.n = 0;
	assert_int_equal(tpm_key_usable(t, &e), E_AUTH);
	assert_non_null(strstr(e.text, "PCRs 0 2 4 7 8 9"));
	for (int i = 0; i < 8; i++) /* and leaves no session behind */
		assert_int_equal(tpm_sign(t, spki, &w, &e), E_AUTH);
	assert_int_equal(w.n, 0);
	/* One that begins now is another. */
	GOOD(tpm_key(t, seed, &usual, &anew, again, &e));
	assert_memory_not_equal(again, spki, sizeof(spki));
	assert_memory_not_equal(anew.policy, bound.policy, TPM_DIGEST);
	GOOD(tpm_sign(t, spki, &w, &e));
	tpm_close(t, false);
	/* The state comes back, and so does the key. PCRs that are not of the
	 * state do not matter. */
	reset();
	measure(4);
	measure(8);
	measure(1);
	measure(TPM_PCR);
	t = on();
	GOOD(tpm_key(t, seed, &usual, &bound, again, &e));
	assert_memory_equal(again, spki, sizeof(spki));
	w.n = 0;
	GOOD(tpm_sign(t, spki, &w, &e));
	tpm_close(t, true);
}

/* The empty password, which is all that a key without a policy asks for. */
static void no_password(void **state)
{
	uint8_t command[73] = {0}, answer[LINK_MAX];
	struct wbuf w = wbuf_of(command, sizeof(command));
	uint8_t spki[TPM_SPKI];
	struct tpm_bound bound = {0};
	struct tpm *t = on();
	struct err e = {0};
	size_t n;

	(void)state;
	GOOD(tpm_key(t, seed, &usual, &bound, spki, &e));
	wbuf_be(&w, 0x8002, 2);
	wbuf_be(&w, sizeof(command), 4);
	wbuf_be(&w, 0x15d, 4); /* Sign */
	wbuf_be(&w, 0x80000000, 4);
	wbuf_be(&w, 9, 4);
	wbuf_be(&w, 0x40000009, 4);
	wbuf_be(&w, 0, 5);
	wbuf_be(&w, TPM_DIGEST, 2);
	wbuf_room(&w, TPM_DIGEST);
	wbuf_be(&w, 0x0018, 2);
	wbuf_be(&w, 0x000b, 2);
	wbuf_be(&w, 0x8024, 2);
	wbuf_be(&w, 0x40000007, 4);
	wbuf_be(&w, 0, 2);
	assert_int_equal(w.n, sizeof(command));
	GOOD(link_send(tpm_fd(t), wbuf_span(&w), &e));
	GOOD(link_receive(tpm_fd(t), answer, sizeof(answer), &n, &e));
	/* TPM_RC_AUTH_UNAVAILABLE */
	assert_memory_equal(answer + 6, "\x00\x00\x01\x2f", 4);
	tpm_close(t, true);
}

/* openssl(1) as the authority has it. */
static void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static void approvals(struct key_policy *p, const uint8_t *digest)
{
	char cmd[1024], path[64];
	struct err e = {0};
	FILE *f;

	snprintf(cmd, sizeof(cmd),
		 "cd %s && [ -e k.pem ] || { openssl ecparam -name prime256v1 "
		 "-genkey -noout -out k.pem && printf 'authority %%s\\n' "
		 "\"$(openssl ec -in k.pem -pubout -outform DER 2>/dev/null | "
		 "base64 -w0)\" >approvals; }", tt.dir);
	run(cmd);
	if (digest) {
		snprintf(path, sizeof(path), "%s/state", tt.dir);
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(digest, 1, TPM_DIGEST, f), TPM_DIGEST);
		fputs("mgLP1", f);
		fclose(f);
		snprintf(cmd, sizeof(cmd),
			 "cd %s && openssl dgst -sha256 -sign k.pem -out sig "
			 "state && printf 'approved r %%s\\n' \"$(base64 -w0 "
			 "sig)\" >>approvals", tt.dir);
		run(cmd);
	}
	snprintf(path, sizeof(path), "%s/approvals", tt.dir);
	GOOD(policy_load(p, path, &e));
}

/* The digest of PolicyPCR, which the refusal tells. */
static void told(const char *text, uint8_t out[TPM_DIGEST])
{
	const char *at = strstr(text, "9: ");
	unsigned v;

	assert_non_null(at);
	for (size_t i = 0; i < TPM_DIGEST; i++) {
		assert_int_equal(sscanf(at + 3 + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
}

/* A release that its certifier signed: the key stays, over an update too. */
static void approved(void **state)
{
	uint8_t spki[TPM_SPKI], again[TPM_SPKI], der[TPM_SIG], now[TPM_DIGEST];
	const struct span text = span_str("a checkpoint");
	struct key_policy p = {.pcrs = 0x395};
	struct wbuf w = wbuf_of(der, sizeof(der));
	struct tpm_bound bound = {0};
	struct err e = {0};
	struct tpm *t;

	(void)state;
	approvals(&p, NULL);
	for (unsigned release = 7; release <= 9; release++) {
		reset();
		measure(release);
		t = on();
		GOOD(tpm_key(t, seed, &p, &bound, again, &e));
		if (release == 7)
			memcpy(spki, again, sizeof(spki));
		assert_memory_equal(again, spki, sizeof(spki));
		assert_int_equal(tpm_sign(t, now, &w, &e), E_AUTH);
		assert_non_null(strstr(e.text, "nobody approved it"));
		told(e.text, now);
		approvals(&p, now);
		sha256_of(text, now);
		GOOD(tpm_sign(t, now, &w, &e));
		assert_true(sign_p256_holds(span_of(spki, sizeof(spki)), text,
					    wbuf_span(&w)));
		w.n = 0;
		tpm_close(t, true);
	}
	assert_int_equal(p.n_approvals, 3);
	/* Somebody else's signature in the list. */
	reset();
	measure(0);
	t = on();
	GOOD(tpm_key(t, seed, &p, &bound, again, &e));
	assert_int_equal(tpm_key_usable(t, &e), E_AUTH);
	p.authority[90] ^= 1;
	assert_int_equal(tpm_key_usable(t, &e), E_AUTH);
	tpm_close(t, true);
}

/* StartAuthSession, of which nobody knows afterwards. */
static int begin_session(int fd)
{
	uint8_t command[] = {0x80, 1, 0, 0, 0, 59, 0, 0, 1, 0x76, 0x40, 0, 0, 7,
			     0x40, 0, 0, 7, 0, 32, [52] = 0, 0, 1, 0, 0x10, 0,
			     0x0b};
	uint8_t answer[LINK_MAX];
	struct err e;
	size_t n;

	return link_send(fd, span_of(command, sizeof(command)), &e) ||
	       link_receive(fd, answer, sizeof(answer), &n, &e) ||
	       memcmp(answer + 6, "\0\0\0\0", 4) != 0;
}

/* Clients that die leave a key each; there is room for three. */
static void leftovers(void **state)
{
	uint8_t spki[TPM_SPKI];
	struct tpm_bound bound = {0};
	struct err e = {0};

	(void)state;
	for (int i = 0; i < 16; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			struct tpm *t = on();

			/* And, one in two, a session. */
			_exit(tpm_key(t, seed, &usual, &bound, spki, &e) ||
			      (i % 2 && begin_session(tpm_fd(t))));
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
		struct tpm_bound bound = {0};
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
			rc = tpm_key(t, seed, &usual, &bound, spki, &e);
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
		cmocka_unit_test(another_state),
		cmocka_unit_test(no_password), cmocka_unit_test(approved),
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
