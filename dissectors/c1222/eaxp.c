/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/c1222/eaxp.h"

#include "crypto/digest.h"

#define CTR_BATCH 16 /* blocks of keystream made at once */

/* Doubling takes the block as a little-endian number, unlike CMAC. */
static void dbl(const uint8_t in[AES_BLOCK], uint8_t out[AES_BLOCK])
{
	uint8_t carry = 0;

	for (size_t i = 0; i < AES_BLOCK; i++) {
		uint8_t next = in[i] >> 7;

		out[i] = (uint8_t)(in[i] << 1 | carry);
		carry = next;
	}
	if (carry)
		out[0] ^= 0x87;
}

void eaxp_prepare(struct eaxp_key *k, struct aes128 *aes)
{
	static const uint8_t zero[AES_BLOCK];

	aes128_encrypt(aes, zero, k->l, 1);
	dbl(k->l, k->d);
	dbl(k->d, k->q);
}

static void xor_block(uint8_t *to, const uint8_t *from)
{
	for (size_t i = 0; i < AES_BLOCK; i++)
		to[i] ^= from[i];
}

void eaxp_cmac(const struct eaxp_key *k, struct aes128 *aes,
	       const uint8_t start[AES_BLOCK], struct span x, struct span y,
	       uint8_t out[AES_BLOCK])
{
	struct cur c[2] = {cur_of(x), cur_of(y)};
	uint8_t s[AES_BLOCK], block[AES_BLOCK];
	size_t left = x.n + y.n;

	memcpy(s, start, AES_BLOCK);
	for (;;) {
		size_t n = left < AES_BLOCK ? left : AES_BLOCK;
		size_t first = n < cur_left(&c[0]) ? n : cur_left(&c[0]);
		struct span a = cur_take(&c[0], first);
		struct span b = cur_take(&c[1], n - first);

		memset(block, 0, sizeof(block));
		if (a.n)
			memcpy(block, a.p, a.n);
		if (b.n)
			memcpy(block + a.n, b.p, b.n);
		left -= n;
		if (n < AES_BLOCK) {
			block[n] = 0x80;
			xor_block(block, k->q);
		} else if (left == 0) {
			xor_block(block, k->d);
		}
		xor_block(s, block);
		aes128_encrypt(aes, s, s, 1);
		/* Nothing left: the last block was this one. */
		if (left == 0)
			break;
	}
	memcpy(out, s, AES_BLOCK);
}

static void count_up(uint8_t ctr[AES_BLOCK])
{
	for (size_t i = AES_BLOCK; i > 0; i--) {
		if (++ctr[i - 1] != 0)
			return;
	}
}

/* Counter mode from the cleartext tag; the same in both directions. */
static void crypt(struct aes128 *aes, const uint8_t tag[AES_BLOCK],
		  struct span in, uint8_t *out)
{
	uint8_t ctr[AES_BLOCK], stream[CTR_BATCH * AES_BLOCK];
	struct cur c = cur_of(in);
	struct wbuf w = wbuf_of(out, in.n);

	memcpy(ctr, tag, AES_BLOCK);
	ctr[12] &= 0x7f;
	ctr[14] &= 0x7f;
	while (cur_left(&c) > 0) {
		size_t left = cur_left(&c);
		size_t n = left < sizeof(stream) ? left : sizeof(stream);
		size_t blocks = (n + AES_BLOCK - 1) / AES_BLOCK;
		struct span part = cur_take(&c, n);
		uint8_t *to = wbuf_room(&w, n);

		for (size_t i = 0; i < blocks; i++) {
			memcpy(stream + i * AES_BLOCK, ctr, AES_BLOCK);
			count_up(ctr);
		}
		aes128_encrypt(aes, stream, stream, blocks);
		for (size_t i = 0; to && i < n; i++)
			to[i] = part.p[i] ^ stream[i];
	}
}

/* T ^ U of a ciphertext; t is the cleartext tag T. */
static void cipher_mac(const struct eaxp_key *k, struct aes128 *aes,
		       const uint8_t t[AES_BLOCK], struct span ciphertext,
		       uint8_t out[AES_BLOCK])
{
	memcpy(out, t, AES_BLOCK);
	if (ciphertext.n > 0) {
		uint8_t u[AES_BLOCK];

		eaxp_cmac(k, aes, k->q, ciphertext, (struct span){0}, u);
		xor_block(out, u);
	}
}

int eaxp_open(const struct eaxp_key *k, struct aes128 *aes, enum eaxp_mode mode,
	      struct span n, struct span in, const uint8_t mac[EAXP_MAC],
	      uint8_t *out)
{
	uint8_t t[AES_BLOCK], tag[AES_BLOCK];

	if (n.n < EAXP_N_MIN)
		return E_LIMIT;
	if (mode == EAXP_AUTH) {
		eaxp_cmac(k, aes, k->d, n, in, tag);
	} else {
		eaxp_cmac(k, aes, k->d, n, (struct span){0}, t);
		cipher_mac(k, aes, t, in, tag);
	}
	if (!crypto_equal(tag + AES_BLOCK - EAXP_MAC, mac, EAXP_MAC))
		return E_AUTH;
	if (mode == EAXP_CIPHER)
		crypt(aes, t, in, out);
	return 0;
}

int eaxp_seal(const struct eaxp_key *k, struct aes128 *aes, enum eaxp_mode mode,
	      struct span n, struct span in, uint8_t *out,
	      uint8_t mac[EAXP_MAC])
{
	uint8_t t[AES_BLOCK], tag[AES_BLOCK];

	if (n.n < EAXP_N_MIN)
		return E_LIMIT;
	if (mode == EAXP_AUTH) {
		eaxp_cmac(k, aes, k->d, n, in, tag);
	} else {
		eaxp_cmac(k, aes, k->d, n, (struct span){0}, t);
		crypt(aes, t, in, out);
		cipher_mac(k, aes, t, span_of(out, in.n), tag);
	}
	memcpy(mac, tag + AES_BLOCK - EAXP_MAC, EAXP_MAC);
	return 0;
}

/* A2 or A6 with its title in absolute form, lengths recomputed. */
static void put_title(struct wbuf *w, uint8_t tag, struct span title)
{
	if (title.n == 0)
		return;
	wbuf_u8(w, tag);
	wbuf_u8(w, (uint8_t)(title.n + 2)); /* at most BER_OID_MAX + 2 */
	wbuf_u8(w, BER_OID);
	wbuf_u8(w, (uint8_t)title.n);
	wbuf_put(w, title);
}

static void put_element(struct wbuf *w, const struct acse *a,
			enum acse_element el)
{
	if (acse_has(a, el))
		wbuf_put(w, a->el[el]);
}

void eaxp_canonical(const struct acse *a, uint8_t key_id, uint32_t iv,
		    struct wbuf *w)
{
	struct span user = a->el[ACSE_USER]; /* always there */

	put_element(w, a, ACSE_CONTEXT);
	put_title(w, 0xa2, a->called);
	put_element(w, a, ACSE_CALLED_INV);
	put_element(w, a, ACSE_CALLING_AE);
	put_element(w, a, ACSE_CALLING_INV);
	put_element(w, a, ACSE_MECHANISM);
	put_element(w, a, ACSE_AUTH);
	/* BE up to and including the EPSEM control octet, lengths as
	 * received: nothing follows the octet string. */
	wbuf_put(w, span_sub(user, 0, user.n - a->octets.n + 1));
	put_title(w, 0xa6, a->calling);
	wbuf_u8(w, key_id);
	wbuf_be(w, iv, 4);
}
