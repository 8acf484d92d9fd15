/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EAX': what is sealed opens to the same; with one bit changed anywhere it
 * does not; a canonical cleartext of one block is never looked at.
 *
 * Input: 16 octets of key, mode, which bit to change (2), length of the
 * cleartext, cleartext, plaintext.
 */
#include <assert.h>

#include "dissectors/c1222/testkit.h"

#define MAX 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(span_of(data, size));
	static uint8_t sealed[MAX + EAXP_MAC + 256], opened[MAX];
	struct span key = cur_take(&c, 16);
	enum eaxp_mode mode = cur_u8(&c) & 1 ? EAXP_AUTH : EAXP_CIPHER;
	uint16_t bit = cur_u16(&c);
	struct span n = cur_take(&c, cur_u8(&c));
	struct span p = cur_rest(&c);
	uint8_t *mac, *copy;
	struct aes128 *aes;
	struct eaxp_key k;
	size_t total;
	int rc;

	if (!cur_ok(&c) || p.n > MAX)
		return 0;
	mac = sealed + p.n;
	aes = aes128_new();
	assert(aes);
	aes128_key(aes, key.p);
	eaxp_prepare(&k, aes);
	if (mode == EAXP_AUTH && p.n)
		memcpy(sealed, p.p, p.n);
	rc = eaxp_seal(&k, aes, mode, n, p, sealed, mac);
	assert((rc == E_LIMIT) == (n.n < EAXP_N_MIN));
	if (rc) {
		assert(eaxp_open(&k, aes, mode, n, p, (uint8_t[4]){0},
				 opened) == E_LIMIT);
		aes128_free(aes);
		return 0;
	}
	assert(eaxp_open(&k, aes, mode, n, span_of(sealed, p.n), mac, opened) ==
	       0);
	if (mode == EAXP_CIPHER && p.n)
		assert(memcmp(opened, p.p, p.n) == 0);
	/* ciphertext, MAC, cleartext: one bit of them */
	copy = mac + EAXP_MAC;
	memcpy(copy, n.p, n.n);
	total = p.n + EAXP_MAC + n.n;
	sealed[bit / 8 % total] ^= (uint8_t)(1u << (bit % 8));
	assert(eaxp_open(&k, aes, mode, span_of(copy, n.n),
			 span_of(sealed, p.n), mac, opened) == E_AUTH);
	aes128_free(aes);
	return 0;
}
