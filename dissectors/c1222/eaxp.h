/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EAX' (EAX-prime) with AES-128 as C12.22 uses it (c1222.md 12.2), and the
 * canonical cleartext it is computed over (12.3).
 *
 * EAX' is broken for short input: with a canonical cleartext of one block the
 * MAC can be known without the key. Such input is never evaluated here.
 */
#ifndef DISSECTORS_C1222_EAXP_H
#define DISSECTORS_C1222_EAXP_H

#include "core/err.h"
#include "core/wbuf.h"
#include "crypto/aes.h"
#include "dissectors/c1222/acse.h"

#define EAXP_MAC   4
#define EAXP_N_MIN 17 /* more than one block */
#define EAXP_N_MAX 512

enum eaxp_mode {
	EAXP_AUTH = 1,   /* clear text with authentication */
	EAXP_CIPHER = 2, /* ciphertext with authentication */
};

/* What depends on the key alone. The caller wipes it when it wipes the key. */
struct eaxp_key {
	uint8_t l[AES_BLOCK]; /* E(0) */
	uint8_t d[AES_BLOCK]; /* dbl(L) */
	uint8_t q[AES_BLOCK]; /* dbl(D) */
};

/* From the key that was last given to aes128_key. */
void eaxp_prepare(struct eaxp_key *k, struct aes128 *aes);

/* CMAC' of x followed by y: start is D or Q. Both aes and k hold one key. */
void eaxp_cmac(const struct eaxp_key *k, struct aes128 *aes,
	       const uint8_t start[AES_BLOCK], struct span x, struct span y,
	       uint8_t out[AES_BLOCK]);

/*
 * Verify the MAC over n and in, then (EAXP_CIPHER) decrypt in to out, which
 * has room for in.n octets; out is untouched before the MAC is known good and
 * unused in EAXP_AUTH. Returns 0; E_LIMIT when n is too short to mean
 * anything; E_AUTH when the MAC is wrong.
 */
int eaxp_open(const struct eaxp_key *k, struct aes128 *aes, enum eaxp_mode mode,
	      struct span n, struct span in, const uint8_t mac[EAXP_MAC],
	      uint8_t *out) __attribute__((warn_unused_result));

/* The reverse, for tests and tools: in to out (EAXP_CIPHER) and the MAC.
 * Returns 0 or E_LIMIT. */
int eaxp_seal(const struct eaxp_key *k, struct aes128 *aes, enum eaxp_mode mode,
	      struct span n, struct span in, uint8_t *out,
	      uint8_t mac[EAXP_MAC]) __attribute__((warn_unused_result));

/* The canonical cleartext of a message; key id and IV are the message's or
 * its session's. A failed w was too small: EAXP_N_MAX is always enough. */
void eaxp_canonical(const struct acse *a, uint8_t key_id, uint32_t iv,
		    struct wbuf *w);

#endif
