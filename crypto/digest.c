/* SPDX-License-Identifier: Apache-2.0 */
/* SHA256_Init and its like are still there in libcrypto 3, marked as old. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "crypto/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "core/err.h"

struct sha256 {
	SHA256_CTX ctx;
};

struct sha256 *sha256_new(void)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL); /* its settings */
	struct sha256 *h = md ? calloc(1, sizeof(*h)) : NULL;

	EVP_MD_free(md);
	return h;
}

void sha256_free(struct sha256 *h)
{
	free(h);
}

/* A digest that fails can only be a broken library: closed, not guessed. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

void sha256_begin(struct sha256 *h)
{
	must(SHA256_Init(&h->ctx));
}

void sha256_add(struct sha256 *h, struct span s)
{
	must(SHA256_Update(&h->ctx, s.p, s.n));
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_LEN])
{
	must(SHA256_Final(out, &h->ctx));
}

void sha256_of(struct span s, uint8_t out[SHA256_LEN])
{
	must(EVP_Digest(s.p, s.n, out, NULL, EVP_sha256(), NULL));
}

void hmac_sha256(struct span key, struct span s, uint8_t out[SHA256_LEN])
{
	unsigned n = 0;

	must(HMAC(EVP_sha256(), key.p, (int)key.n, s.p, s.n, out, &n) != NULL);
	assert(n == SHA256_LEN);
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, text)); each half begins with a whole
 * block of the key, which is hashed here. */
void hmac_key_make(struct hmac_key *k, const uint8_t key[32])
{
	uint8_t pad[64];
	SHA256_CTX c;

	_Static_assert(sizeof(k->inner) == sizeof(c) &&
			       sizeof(k->outer) == sizeof(c),
		       "a digest has another size");
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
	must(SHA256_Init(&c));
	must(SHA256_Update(&c, pad, sizeof(pad)));
	memcpy(k->inner, &c, sizeof(c));
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	must(SHA256_Init(&c));
	must(SHA256_Update(&c, pad, sizeof(pad)));
	memcpy(k->outer, &c, sizeof(c));
	OPENSSL_cleanse(pad, sizeof(pad));
	OPENSSL_cleanse(&c, sizeof(c));
}

void hmac_key_of(const struct hmac_key *k, struct span s,
		 uint8_t out[SHA256_LEN])
{
	uint8_t md[SHA256_LEN];
	SHA256_CTX c;

	memcpy(&c, k->inner, sizeof(c));
	must(SHA256_Update(&c, s.p, s.n));
	must(SHA256_Final(md, &c));
	memcpy(&c, k->outer, sizeof(c));
	must(SHA256_Update(&c, md, sizeof(md)));
	must(SHA256_Final(out, &c));
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

int crypto_random(void *p, size_t n)
{
	return n <= 1 << 20 && RAND_bytes(p, (int)n) == 1 ? 0 : E_IO;
}
