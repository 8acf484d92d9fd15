/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 (RFC 8032) signatures, and private keys as PEM (PKCS #8, RFC 8410),
 * so that openssl(1) reads and makes them too. Of ECDSA only checking.
 */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "core/err.h"
#include "core/wbuf.h"

#define SIGN_KEY_LEN 32 /* private and public alike */
#define SIGN_LEN     64
#define SIGN_PEM_MAX 4096 /* octets of a key file */

struct sign_key { /* wiped by its owner */
	uint8_t secret[SIGN_KEY_LEN], public_[SIGN_KEY_LEN];
};

/* E_IO: no random numbers. */
int sign_new_key(struct sign_key *k, struct err *e)
	__attribute__((warn_unused_result));
int sign_make(const struct sign_key *k, struct span s, uint8_t out[SIGN_LEN],
	      struct err *e) __attribute__((warn_unused_result));
bool sign_holds(const uint8_t public_[SIGN_KEY_LEN], struct span s,
		const uint8_t signature[SIGN_LEN]);

/* ECDSA on P-256 with SHA-256, as keys in chips sign. spki: a DER
 * SubjectPublicKeyInfo of a P-256 key, uncompressed; signature: DER. */
#define SIGN_P256_SPKI 91
bool sign_p256_is(struct span spki);
bool sign_p256_holds(struct span spki, struct span s, struct span signature);

/* E_LIMIT: w is too small. */
int sign_put_pem(const struct sign_key *k, struct wbuf *w, struct err *e)
	__attribute__((warn_unused_result));
/* An unencrypted Ed25519 private key and nothing else. E_SYNTAX. */
int sign_get_pem(struct sign_key *k, struct span pem, struct err *e)
	__attribute__((warn_unused_result));

/* A public key alone in PEM (SubjectPublicKeyInfo, "openssl pkey -pubout"):
 * Ed25519, *n SIGN_KEY_LEN octets of the key itself, or P-256, *n
 * SIGN_P256_SPKI octets of DER. E_AUTH: it is or has a private key; E_SYNTAX;
 * E_UNSUPPORTED: of another kind. */
bool sign_is_pem(struct span text);
int sign_get_public_pem(uint8_t out[SIGN_P256_SPKI], size_t *n,
			struct span pem, struct err *e)
	__attribute__((warn_unused_result));

/* "ed25519:" and 64 hex digits, as a binding has it. */
#define SIGN_KEY_TEXT (sizeof("ed25519:") + 2 * SIGN_KEY_LEN)
void sign_key_text(char out[SIGN_KEY_TEXT], const uint8_t key[SIGN_KEY_LEN]);
bool sign_key_parse(uint8_t key[SIGN_KEY_LEN], struct span text);

#endif
