/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 and HMAC-SHA-256 through libcrypto. A running digest is made at start
 * and used again without allocating; it is libcrypto's SHA-256 itself, since
 * what EVP puts around it costs as much as hashing 200 octets, and a record of
 * the audit is three short digests. Failures of libcrypto itself are
 * programming or memory errors: they abort.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "core/span.h"

#define SHA256_LEN 32

struct sha256; /* a running digest; not shared between threads */

/* NULL: out of memory. libcrypto has read its settings then, so that it opens
 * no file later. */
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, struct span s);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_LEN]);

/* A digest that has read one block. */
struct sha256_start {
	uint32_t h[8];
};

/* Digests of many messages, two at a time: a block of one, a block of the
 * other. What a block does waits for what it did just before; a processor does
 * the other's meanwhile, and needs two thirds of the time. */
struct sha256_job {
	const struct sha256_start *from; /* NULL: the beginning */
	bool prefixed;
	uint8_t prefix; /* one octet before s */
	struct span s;
	uint8_t *out; /* SHA256_LEN octets; in no message of these jobs */
};
void sha256_jobs(const struct sha256_job *jobs, size_t n);

/* HMAC-SHA-256 of many short messages with one key: what the key costs is paid
 * once. As secret as the key. */
struct hmac_key {
	struct sha256_start inner, outer;
};
#define HMAC_JOBS 16
void hmac_key_make(struct hmac_key *k, const uint8_t key[32]);
/* n (at most HMAC_JOBS) messages of the same key. */
void hmac_key_of(const struct hmac_key *k, const struct span *s, size_t n,
		 uint8_t (*out)[SHA256_LEN]);

/* One shot; slower, for start-up and tools. */
void sha256_of(struct span s, uint8_t out[SHA256_LEN]);
void hmac_sha256(struct span key, struct span s, uint8_t out[SHA256_LEN]);

/* Equal, in time that depends on n only. */
bool crypto_equal(const void *a, const void *b, size_t n);
/* Octets from the system's generator. */
int crypto_random(void *p, size_t n) __attribute__((warn_unused_result));

#endif
