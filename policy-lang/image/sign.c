/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of images (policy-language section 17). */
#include <stdlib.h>

#include "core/crc32c.h"
#include "crypto/digest.h"
#include "crypto/sign.h"
#include "policy-lang/image/view.h"

_Static_assert(sizeof(((struct lay_sign *)0)->key) == SIGN_KEY_LEN, "key");
_Static_assert(sizeof(((struct lay_sign *)0)->signature) == SIGN_LEN, "sig");

/* Everything before the last section. */
static struct span before(const struct pol_image *im)
{
	return span_sub(im->file, 0,
			im->file.n - im->n_SIGN * sizeof(struct lay_sign));
}

const uint8_t *pol_image_signer(const struct pol_image *im)
{
	return im->n_SIGN ? im->SIGN->key : NULL;
}

int pol_image_signed_by(const struct pol_image *im, const uint8_t key[32],
			struct err *e)
{
	if (im->n_SIGN == 0)
		return err_set(e, E_AUTH, 0, "not signed");
	if (!crypto_equal(im->SIGN->key, key, SIGN_KEY_LEN))
		return err_set(e, E_AUTH, 0, "signed with another key");
	if (!sign_holds(key, before(im), im->SIGN->signature))
		return err_set(e, E_INTEGRITY, 0, "the signature is wrong");
	return 0;
}

/* Header and table of an image that ends with a signature. */
static void set_frame(uint8_t *p, size_t n)
{
	struct lay_header h;
	struct lay_section t;
	uint8_t *last;
	size_t table;

	memcpy(&h, p, sizeof(h));
	table = h.n_sections * sizeof(t);
	last = p + sizeof(h) + table - sizeof(t);
	memcpy(&t, last, sizeof(t));
	t.off = n - sizeof(struct lay_sign);
	t.len = sizeof(struct lay_sign);
	t.count = 1;
	t.crc = 0;
	memcpy(last, &t, sizeof(t));
	h.length = n;
	h.crc = 0;
	memcpy(p, &h, sizeof(h));
	h.crc = crc32c(0, span_of(p, sizeof(h) + table));
	memcpy(p, &h, sizeof(h));
}

int pol_image_sign(uint8_t **out, size_t *n, const struct pol_image *im,
		   const struct sign_key *key, struct err *e)
{
	struct span body = before(im);
	struct lay_sign s;
	int rc;

	*n = body.n + sizeof(s);
	*out = malloc(*n);
	if (!*out)
		return err_set(e, E_NOMEM, 0, "out of memory");
	memcpy(*out, body.p, body.n);
	set_frame(*out, *n);
	memcpy(s.key, key->public_, sizeof(s.key));
	rc = sign_make(key, span_of(*out, body.n), s.signature, e);
	memcpy(*out + body.n, &s, sizeof(s));
	if (rc) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

void pol_image_source(const struct pol_image *im, uint8_t out[32])
{
	memcpy(out, im->head->source, 32);
}

size_t pol_image_keys(const struct pol_image *binding, struct span id,
		      void (*each)(void *arg, struct span machine,
				   struct span key_name, const uint8_t *key),
		      void *arg)
{
	size_t n = 0;

	for (uint32_t i = 0; i < binding->n_VMS; i++) {
		const struct lay_vm *v = &binding->VMS[i];
		struct span name = img_str(binding, v->signed_by);
		const uint8_t *key = NULL;

		if (!span_eq(img_str(binding, v->policy), id))
			continue;
		for (uint32_t k = 0; k < binding->n_KEYS; k++) {
			if (span_eq(img_str(binding, binding->KEYS[k].id),
				    name))
				key = binding->KEYS[k].ed25519;
		}
		each(arg, img_str(binding, v->id), name, key);
		n++;
	}
	return n;
}
