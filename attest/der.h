/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and signatures of ECDSA on P-256 as the rest of the world writes them:
 * a TPM has bare numbers, of up to 32 octets, most significant first; leading
 * zeros may be left out.
 */
#ifndef ATTEST_DER_H
#define ATTEST_DER_H

#include "core/span.h"
#include "core/wbuf.h"

#define DER_NUMBER 32
#define DER_SPKI   91 /* octets of a SubjectPublicKeyInfo */
#define DER_SIG	   72 /* of a signature, at most */

/* False: a number is too long. */
bool der_put_spki(uint8_t out[DER_SPKI], struct span x, struct span y)
	__attribute__((warn_unused_result));
/* x and y of one, 32 octets each. False: it is none. */
bool der_get_spki(struct span spki, struct span *x, struct span *y)
	__attribute__((warn_unused_result));
/* 0; else a number is too long, or there is no room. */
int der_put_signature(struct wbuf *w, struct span r, struct span s)
	__attribute__((warn_unused_result));
/* r and s, without leading zeros. False: it is none. */
bool der_get_signature(struct span der, struct span *r, struct span *s)
	__attribute__((warn_unused_result));

#endif
