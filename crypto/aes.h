/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-128, single blocks, encryption only (what EAX' is built from), through
 * libcrypto's EVP. A context is made at start; changing its key does not
 * allocate. Not shared between threads.
 */
#ifndef CRYPTO_AES_H
#define CRYPTO_AES_H

#include "core/span.h"

#define AES_BLOCK 16

struct aes128;

struct aes128 *aes128_new(void); /* NULL: out of memory */
void aes128_free(struct aes128 *a);
void aes128_key(struct aes128 *a, const uint8_t key[16]);
/* n blocks from in to out, each by itself (ECB); in and out may be equal. */
void aes128_encrypt(struct aes128 *a, const uint8_t *in, uint8_t *out,
		    size_t n);

#endif
