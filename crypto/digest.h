/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 and HMAC-SHA-256 through libcrypto's EVP. A context is made at
 * start and used again without allocating. Failures of libcrypto itself are
 * programming or memory errors: they abort.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "core/span.h"

#define SHA256_LEN 32

struct sha256; /* a running digest; not shared between threads */

struct sha256 *sha256_new(void); /* NULL: out of memory */
void sha256_free(struct sha256 *h);
void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, struct span s);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_LEN]);

/* One shot; slower, for start-up and tools. */
void sha256_of(struct span s, uint8_t out[SHA256_LEN]);
void hmac_sha256(struct span key, struct span s, uint8_t out[SHA256_LEN]);

/* Equal, in time that depends on n only. */
bool crypto_equal(const void *a, const void *b, size_t n);
/* Octets from the system's generator. */
int crypto_random(void *p, size_t n) __attribute__((warn_unused_result));

#endif
