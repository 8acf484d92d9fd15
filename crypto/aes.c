/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aes.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct aes128 {
	EVP_CIPHER_CTX *ctx;
	EVP_CIPHER *cipher;
};

struct aes128 *aes128_new(void)
{
	static const uint8_t zero[16];
	struct aes128 *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->ctx = EVP_CIPHER_CTX_new();
	a->cipher = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	if (!a->ctx || !a->cipher ||
	    EVP_EncryptInit_ex2(a->ctx, a->cipher, zero, NULL, NULL) != 1) {
		aes128_free(a);
		return NULL;
	}
	EVP_CIPHER_CTX_set_padding(a->ctx, 0);
	return a;
}

void aes128_free(struct aes128 *a)
{
	if (!a)
		return;
	EVP_CIPHER_CTX_free(a->ctx); /* wipes the key schedule */
	EVP_CIPHER_free(a->cipher);
	free(a);
}

void aes128_key(struct aes128 *a, const uint8_t key[16])
{
	/* No cipher given: the one in the context, nothing is allocated. */
	if (EVP_EncryptInit_ex2(a->ctx, NULL, key, NULL, NULL) != 1)
		abort();
}

void aes128_encrypt(struct aes128 *a, const uint8_t *in, uint8_t *out,
		    size_t n)
{
	int got = 0;

	assert(n <= 1 << 20);
	if (n == 0)
		return;
	if (EVP_EncryptUpdate(a->ctx, out, &got, in, (int)(n * AES_BLOCK)) !=
		    1 ||
	    got != (int)(n * AES_BLOCK))
		abort();
}
