/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies in gzip or deflate (RFC 9110 8.4.1): one whole stream into a buffer
 * of the caller, from memory of the caller. Refused: a second member or octets
 * behind it, a wrong checksum, more than INFLATE_MAX octets or INFLATE_RATIO
 * times as many as were sent; and what carries octets that are no content: fields
 * of gzip's head (RFC 1952 2.3.1), a third block of nothing, a block longer than
 * its content would be as it stands, bits that fill an octet and are not zero.
 */
#ifndef DISSECTORS_HTTP_INFLATE_H
#define DISSECTORS_HTTP_INFLATE_H

#include "core/err.h"
#include "core/span.h"

#define INFLATE_MAX   (64 * 1024)
#define INFLATE_RATIO 100

/* What zlib may take: its state and a window of 32 KiB. */
struct inflate_block {
	_Alignas(16) uint8_t p[48 * 1024];
};

/* gzip: else zlib's format, which HTTP calls deflate. Returns 0 and *plain in
 * out (INFLATE_MAX octets), or E_SYNTAX or E_LIMIT with e->reason. */
int inflate_body(struct inflate_block *mem, bool gzip, struct span in,
		 uint8_t *out, struct span *plain, struct err *e)
	__attribute__((warn_unused_result));

#endif
