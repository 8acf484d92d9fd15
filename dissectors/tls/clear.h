/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of TLS records is in clear besides the hellos: alerts, changes of cipher,
 * and the handshake of version 1.2 and older up to that change. All of it is
 * pure; a side (tls.h) is moved along octets as they come.
 */
#ifndef DISSECTORS_TLS_CLEAR_H
#define DISSECTORS_TLS_CLEAR_H

#include "dissectors/tls/tls.h"

/* RFC 8446 5.1, RFC 6520 */
enum { TYPE_CCS = 20, TYPE_ALERT, TYPE_HANDSHAKE, TYPE_DATA, TYPE_HEARTBEAT };

#define TLS_HEADER    5		    /* of a record */
#define TLS_PLAIN_MAX (1 << 14)	    /* RFC 8446 5.1 */
#define TLS_SEALED_MAX (TLS_PLAIN_MAX + 256) /* 5.2; version 1.2 pads no further */

#define T(type) (1u << ((type) - TYPE_CCS))

/* Types of records that may come of a side behind both hellos. */
unsigned clear_types(enum tls_stage stage, const struct tls_side *s);

/* A record of n octets begins, whose type may come. Returns 0, or a negative
 * errcode with e->reason. */
int clear_begin(enum tls_stage stage, struct tls_side *s, uint8_t type,
		uint16_t n, struct err *e) __attribute__((warn_unused_result));

/* Octets of the record that has begun: *used of in, at least one. The same. */
int clear_take(enum tls_stage stage, struct tls_side *s, bool client,
	       struct span in, size_t *used, struct err *e)
	__attribute__((warn_unused_result));

/* A hello ended, left octets in front of the end of its record. */
void clear_hello(struct tls_side *s, uint16_t left);

/* May a slice end here? Not within what is judged as a whole. */
bool clear_whole(const struct tls_side *s);

#endif
