/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two hellos of TLS say in clear (RFC 8446 4.1, RFC 5246 7.4.1).
 *
 * Read strictly: every length adds up, no extension comes twice, and a name
 * is a host name (RFC 6066 3: no address, no final dot). Versions before 1.0
 * are refused (RFC 6176, 7568). Values that exist to be ignored (RFC 8701)
 * and versions, suites and extensions that are not known are passed over:
 * what counts is what the server chooses, and that must be known.
 */
#ifndef DISSECTORS_TLS_HELLO_H
#define DISSECTORS_TLS_HELLO_H

#include "core/arena.h"
#include "core/err.h"
#include "core/span.h"

#define TLS_CLIENT_HELLO 1
#define TLS_SERVER_HELLO 2

#define TLS_1_0 0x0301
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

#define TLS_NAME_MAX 253
#define TLS_ALPN_MAX 16 /* protocols of one hello */
#define TLS_EXT_MAX  64 /* extensions of one hello */

struct tls_hello {
	bool client;
	bool retry;	/* the server's, that asks for another hello */
	bool encrypted; /* another hello, with other names, is sealed in it */
	bool early;	/* data follow before the server has answered */
	uint16_t legacy_version;
	/* Bit n: version TLS_1_0 + n. Of a server: the one it chose. */
	uint8_t versions;
	bool listed;	  /* they come from supported_versions */
	struct span name; /* in the arena, lower case; empty when absent */
	uint32_t n_alpn;
	struct span alpn[TLS_ALPN_MAX]; /* in the arena */
};

/* A whole handshake message, its header of 4 octets included. Returns 0, or a
 * negative errcode with e->reason. */
int tls_hello_read(struct tls_hello *h, struct span msg, struct arena *arena,
		   struct err *e) __attribute__((warn_unused_result));

/* A DNS name of letters, digits, '-' and '_' as RFC 6066 wants it; capitals
 * included. */
bool tls_name_ok(struct span name);

/* The highest one; 0 when there is none. */
uint16_t tls_highest(uint8_t versions);

#endif
