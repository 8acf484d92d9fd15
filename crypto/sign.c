/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sign.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

static EVP_PKEY *private_key(const struct sign_key *k)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->secret,
					    SIGN_KEY_LEN);
}

/* Both halves out of a key of libcrypto. */
static bool take(struct sign_key *k, const EVP_PKEY *p)
{
	size_t n = SIGN_KEY_LEN, m = SIGN_KEY_LEN;

	return p && EVP_PKEY_get_id(p) == EVP_PKEY_ED25519 &&
	       EVP_PKEY_get_raw_private_key(p, k->secret, &n) == 1 &&
	       EVP_PKEY_get_raw_public_key(p, k->public_, &m) == 1 &&
	       n == SIGN_KEY_LEN && m == SIGN_KEY_LEN;
}

int sign_new_key(struct sign_key *k, struct err *e)
{
	EVP_PKEY *p = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool ok = take(k, p);

	EVP_PKEY_free(p);
	return ok ? 0 : err_set(e, E_IO, 0, "libcrypto makes no Ed25519 key");
}

int sign_make(const struct sign_key *k, struct span s, uint8_t out[SIGN_LEN],
	      struct err *e)
{
	EVP_PKEY *p = private_key(k);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = SIGN_LEN;
	bool ok = p && c && EVP_DigestSignInit(c, NULL, NULL, NULL, p) == 1 &&
		  EVP_DigestSign(c, out, &n, s.p, s.n) == 1 && n == SIGN_LEN;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(p);
	return ok ? 0 : err_set(e, E_IO, 0, "libcrypto does not sign");
}

bool sign_holds(const uint8_t public_[SIGN_KEY_LEN], struct span s,
		const uint8_t signature[SIGN_LEN])
{
	EVP_PKEY *p = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
						  public_, SIGN_KEY_LEN);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = p && c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, p) == 1 &&
		  EVP_DigestVerify(c, signature, SIGN_LEN, s.p, s.n) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(p);
	return ok;
}

/* All of spki, and a key of that one curve; else NULL. */
static EVP_PKEY *p256(struct span spki)
{
	const unsigned char *at = spki.p;
	char curve[16] = "";
	EVP_PKEY *p = spki.n == SIGN_P256_SPKI
			      ? d2i_PUBKEY(NULL, &at, (long)spki.n)
			      : NULL;

	if (p && (at != spki.p + spki.n || !EVP_PKEY_is_a(p, "EC") ||
		  EVP_PKEY_get_group_name(p, curve, sizeof(curve), NULL) != 1 ||
		  strcmp(curve, "prime256v1") != 0)) {
		EVP_PKEY_free(p);
		return NULL;
	}
	return p;
}

bool sign_p256_is(struct span spki)
{
	EVP_PKEY *p = p256(spki);

	EVP_PKEY_free(p);
	return p != NULL;
}

bool sign_p256_holds(struct span spki, struct span s, struct span signature)
{
	EVP_PKEY *p = p256(spki);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = p && c &&
		  EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, p,
					  NULL) == 1 &&
		  EVP_DigestVerify(c, signature.p, signature.n, s.p, s.n) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(p);
	return ok;
}

int sign_put_pem(const struct sign_key *k, struct wbuf *w, struct err *e)
{
	EVP_PKEY *p = private_key(k);
	BIO *b = BIO_new(BIO_s_mem());
	char *text = NULL;
	long n = 0;
	bool ok =
		p && b &&
		PEM_write_bio_PrivateKey(b, p, NULL, NULL, 0, NULL, NULL) == 1;

	if (ok)
		n = BIO_get_mem_data(b, &text);
	if (ok && n > 0)
		wbuf_put(w, span_of(text, (size_t)n));
	if (n > 0)
		explicit_bzero(text, (size_t)n);
	BIO_free(b);
	EVP_PKEY_free(p);
	if (!ok || n <= 0)
		return err_set(e, E_IO, 0, "libcrypto writes no key");
	return w->failed ? err_set(e, E_LIMIT, 0, "no room for a key") : 0;
}

/* Whoever runs this is not asked for a passphrase. */
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf, (void)size, (void)rw, (void)arg;
	return -1;
}

int sign_get_pem(struct sign_key *k, struct span pem, struct err *e)
{
	BIO *b = pem.n <= SIGN_PEM_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n)
				       : NULL;
	EVP_PKEY *p = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL)
			: NULL;
	bool ok = take(k, p);

	BIO_free(b);
	EVP_PKEY_free(p);
	return ok ? 0
		  : err_set(e, E_SYNTAX, 0,
			    "not an unencrypted Ed25519 private key in PEM; "
			    "polc keygen makes one");
}

/* --- public keys in PEM --------------------------------------------------- */

static const char begin[] = "-----BEGIN ";

/* How often it stands there. */
static size_t count(struct span in, const char *what)
{
	size_t n = 0, len = strlen(what);

	for (size_t i = 0; i + len <= in.n; i++)
		n += memcmp(in.p + i, what, len) == 0;
	return n;
}

bool sign_is_pem(struct span text)
{
	return count(text, begin) > 0;
}

/* The uncompressed form, as chips and notes have it. */
static size_t p256_spki(uint8_t out[SIGN_P256_SPKI], EVP_PKEY *p)
{
	unsigned char *der = NULL;
	size_t n = 0;
	int len;

	if (EVP_PKEY_set_utf8_string_param(
		    p, "point-format", "uncompressed") != 1)
		return 0;
	len = i2d_PUBKEY(p, &der);
	if (len == SIGN_P256_SPKI && sign_p256_is(span_of(der, (size_t)len))) {
		n = SIGN_P256_SPKI;
		memcpy(out, der, n);
	}
	OPENSSL_free(der);
	return n;
}

int sign_get_public_pem(uint8_t out[SIGN_P256_SPKI], size_t *n,
			struct span pem, struct err *e)
{
	EVP_PKEY *p;
	BIO *b;

	*n = 0;
	if (count(pem, "PRIVATE KEY-----"))
		return err_set(e, E_AUTH, 0, "it is a private key; public keys "
			       "only: openssl pkey -pubout -in FILE");
	if (count(pem, "-----BEGIN CERTIFICATE"))
		return err_set(e, E_SYNTAX, 0, "it is a certificate; its key "
			       "alone: openssl x509 -pubkey -noout -in FILE");
	if (count(pem, begin) != 1 || pem.n > SIGN_PEM_MAX)
		return err_set(e, E_SYNTAX, 0, "not one public key in PEM");
	b = BIO_new_mem_buf(pem.p, (int)pem.n);
	p = b ? PEM_read_bio_PUBKEY(b, NULL, no_passphrase, NULL) : NULL;
	BIO_free(b);
	if (!p)
		return err_set(e, E_SYNTAX, 0, "not a public key in PEM");
	if (EVP_PKEY_get_id(p) == EVP_PKEY_ED25519) {
		*n = SIGN_KEY_LEN;
		if (EVP_PKEY_get_raw_public_key(p, out, n) != 1)
			*n = 0;
	} else if (EVP_PKEY_is_a(p, "EC")) {
		*n = p256_spki(out, p);
	}
	EVP_PKEY_free(p);
	return *n ? 0
		  : err_set(e, E_UNSUPPORTED, 0, "neither an Ed25519 nor a "
			    "P-256 key");
}

/* --- public keys as text -------------------------------------------------- */

static const char prefix[] = "ed25519:";

void sign_key_text(char out[SIGN_KEY_TEXT], const uint8_t key[SIGN_KEY_LEN])
{
	int at = snprintf(out, SIGN_KEY_TEXT, "%s", prefix);

	for (size_t i = 0; i < SIGN_KEY_LEN; i++)
		at += snprintf(out + at, SIGN_KEY_TEXT - (size_t)at, "%02x",
			       key[i]);
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool sign_key_parse(uint8_t key[SIGN_KEY_LEN], struct span text)
{
	size_t n = sizeof(prefix) - 1;

	if (text.n != SIGN_KEY_TEXT - 1 || memcmp(text.p, prefix, n) != 0)
		return false;
	for (size_t i = 0; i < SIGN_KEY_LEN; i++) {
		int hi = hex(text.p[n + 2 * i]), lo = hex(text.p[n + 2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		key[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}
