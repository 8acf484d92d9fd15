/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/aes.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

/* FIPS 180-2 appendix B.1, and the digest of nothing. */
static const uint8_t abc[] = {
	0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

static void digest_in_parts_and_at_once(void **s)
{
	struct sha256 *h = sha256_new();
	uint8_t out[SHA256_LEN];

	(void)s;
	assert_non_null(h);
	for (int round = 0; round < 2; round++) {
		sha256_begin(h);
		sha256_add(h, span_str("a"));
		sha256_add(h, (struct span){0});
		sha256_add(h, span_str("bc"));
		sha256_end(h, out);
		assert_memory_equal(out, abc, sizeof(abc));
	}
	sha256_free(h);
	sha256_of(span_str("abc"), out);
	assert_memory_equal(out, abc, sizeof(abc));
}

/* Lengths on both sides of each border of blocks and of padding; several at
 * once, with and without an octet before, from the beginning and behind a
 * block: what they are one by one. */
static void digests_of_many(void **s)
{
	enum { N = 200 };
	static uint8_t octets[N + 64], got[4 * N][SHA256_LEN];
	static struct sha256_job jobs[4 * N];
	struct sha256 *h = sha256_new();
	uint8_t key[32] = {7}, want[SHA256_LEN];
	struct hmac_key made;

	(void)s;
	assert_non_null(h);
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37 + 1);
	hmac_key_make(&made, key);
	for (size_t i = 0; i < 4 * N; i++)
		jobs[i] = (struct sha256_job){
			.from = i & 2 ? &made.inner : NULL,
			.prefixed = i & 1,
			.prefix = (uint8_t)i,
			.s = span_of(octets, i / 4),
			.out = got[i],
		};
	sha256_jobs(jobs, 0);
	sha256_jobs(jobs, 1);
	sha256_jobs(jobs + 1, 4 * N - 1);
	for (size_t i = 0; i < 4 * N; i++) {
		uint8_t first = jobs[i].prefix;

		sha256_begin(h);
		for (size_t k = 0; i & 2 && k < 64; k++) {
			uint8_t pad = (k < 32 ? key[k] : 0) ^ 0x36;

			sha256_add(h, span_of(&pad, 1));
		}
		if (i & 1)
			sha256_add(h, span_of(&first, 1));
		sha256_add(h, jobs[i].s);
		sha256_end(h, want);
		assert_memory_equal(got[i], want, SHA256_LEN);
	}
	sha256_free(h);
}

static void hmacs_of_many(void **s)
{
	uint8_t key[32] = {9, 8, 7}, octets[200] = {3}, want[SHA256_LEN];
	uint8_t got[HMAC_JOBS][SHA256_LEN];
	struct span in[HMAC_JOBS];
	struct hmac_key made;

	(void)s;
	hmac_key_make(&made, key);
	for (size_t i = 0; i < HMAC_JOBS; i++)
		in[i] = span_of(octets, 13 * i % sizeof(octets));
	for (size_t n = 0; n <= HMAC_JOBS; n++) {
		hmac_key_of(&made, in, n, got);
		for (size_t i = 0; i < n; i++) {
			hmac_sha256(span_of(key, 32), in[i], want);
			assert_memory_equal(got[i], want, SHA256_LEN);
		}
	}
}

/* RFC 4231, test case 2. */
static void hmac_vector(void **s)
{
	static const uint8_t want[] = {
		0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
		0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
		0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
		0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	uint8_t out[SHA256_LEN];

	(void)s;
	hmac_sha256(span_str("Jefe"), span_str("what do ya want for nothing?"),
		    out);
	assert_memory_equal(out, want, sizeof(want));
	assert_true(crypto_equal(out, want, sizeof(want)));
	out[31] ^= 1;
	assert_false(crypto_equal(out, want, sizeof(want)));
}

/* FIPS 197 appendix C.1, and the same block twice. */
static void aes_vector(void **s)
{
	static const uint8_t want[] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b,
				       0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80,
				       0x70, 0xb4, 0xc5, 0x5a};
	struct aes128 *a = aes128_new();
	uint8_t key[16], io[32];

	(void)s;
	assert_non_null(a);
	for (uint8_t i = 0; i < 16; i++) {
		key[i] = i;
		io[i] = io[16 + i] = (uint8_t)(i * 0x11);
	}
	aes128_key(a, key);
	aes128_encrypt(a, io, io, 2);
	assert_memory_equal(io, want, 16);
	assert_memory_equal(io + 16, want, 16);
	aes128_free(a);
}

static void random_is_not_constant(void **s)
{
	uint8_t a[16] = {0}, b[16] = {0};

	(void)s;
	assert_int_equal(crypto_random(a, 16), 0);
	assert_int_equal(crypto_random(b, 16), 0);
	assert_memory_not_equal(a, b, 16);
}

/* RFC 8032, 7.1, test 2. */
static void sign_vector(void **st)
{
	static const struct sign_key k = {
		{0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
		 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
		 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb},
		{0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a,
		 0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4,
		 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c}};
	static const uint8_t begin[] = {0x92, 0xa0, 0x09, 0xa9};
	static const uint8_t end[] = {0x0c, 0x00};
	static const uint8_t msg = 0x72;
	uint8_t sig[SIGN_LEN];
	struct err e;

	(void)st;
	assert_int_equal(sign_make(&k, span_of(&msg, 1), sig, &e), 0);
	assert_memory_equal(sig, begin, sizeof(begin));
	assert_memory_equal(sig + SIGN_LEN - sizeof(end), end, sizeof(end));
	assert_true(sign_holds(k.public_, span_of(&msg, 1), sig));
	assert_false(sign_holds(k.public_, span_of(&msg, 0), sig));
	sig[40] ^= 1;
	assert_false(sign_holds(k.public_, span_of(&msg, 1), sig));
}

static void keys_as_pem(void **st)
{
	struct sign_key a, b;
	uint8_t pem[SIGN_PEM_MAX];
	struct wbuf w = wbuf_of(pem, sizeof(pem)), none = wbuf_of(pem, 9);
	struct err e;

	(void)st;
	assert_int_equal(sign_new_key(&a, &e), 0);
	assert_int_equal(sign_put_pem(&a, &w, &e), 0);
	assert_int_equal(sign_get_pem(&b, wbuf_span(&w), &e), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(sign_get_pem(&b, span_sub(wbuf_span(&w), 0, 60), &e),
			 E_SYNTAX);
	assert_int_equal(sign_get_pem(&b, span_str("hello"), &e), E_SYNTAX);
	assert_int_equal(sign_put_pem(&a, &none, &e), E_LIMIT);
	assert_int_equal(sign_new_key(&b, &e), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sign_vector),
		cmocka_unit_test(keys_as_pem),
		cmocka_unit_test(digest_in_parts_and_at_once),
		cmocka_unit_test(digests_of_many),
		cmocka_unit_test(hmacs_of_many),
		cmocka_unit_test(hmac_vector),
		cmocka_unit_test(aes_vector),
		cmocka_unit_test(random_is_not_constant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
