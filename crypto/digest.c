/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "core/err.h"

struct sha256 {
	EVP_MD_CTX *ctx;
	EVP_MD *md; /* fetched once: a fetch per digest costs more than it */
};

struct sha256 *sha256_new(void)
{
	struct sha256 *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->ctx = EVP_MD_CTX_new();
	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!h->ctx || !h->md) {
		sha256_free(h);
		return NULL;
	}
	return h;
}

void sha256_free(struct sha256 *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
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
	must(EVP_DigestInit_ex2(h->ctx, h->md, NULL));
}

void sha256_add(struct sha256 *h, struct span s)
{
	must(EVP_DigestUpdate(h->ctx, s.p, s.n));
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_LEN])
{
	must(EVP_DigestFinal_ex(h->ctx, out, NULL));
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

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

int crypto_random(void *p, size_t n)
{
	return n <= 1 << 20 && RAND_bytes(p, (int)n) == 1 ? 0 : E_IO;
}
