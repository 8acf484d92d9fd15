/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two hellos of TLS say in clear (RFC 8446 4.1, RFC 5246 7.4.1).
 *
 * Read strictly: every length adds up, no extension comes twice, and a name
 * is a host name (RFC 6066 3: no address, no final dot). Versions before 1.0
 * are refused (RFC 6176, 7568). An extension is a row of extensions.def, with
 * what may stand in it and how long it may be, or the hello is refused: what
 * nobody reads could say anything. So are versions, groups, suites and schemes
 * of signatures outside the ranges that are assigned. Values that exist to be
 * ignored (RFC 8701) are passed over, of an extension at most one octet.
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
#define TLS_SUITES_MAX 128 /* suites of one hello */
/* Octets of one hello that nobody can check: random, session, keys, tickets. A
 * key of X25519 with ML-KEM, one of X25519 and a ticket with the client's
 * certificate and another of its chain have room. */
#define TLS_UNCHECKED_MAX 4096

/* Which message has an extension (RFC 8446 4.2, RFC 5246 7.4.1.4). */
enum tls_message {
	TLS_IN_CLIENT = 1, /* the client's hello */
	TLS_IN_OLD = 2,	   /* the server's, of version 1.2 or older */
	TLS_IN_NEW = 4,	   /* of version 1.3 */
	TLS_IN_RETRY = 8,  /* the server's that asks for another hello */
};

struct tls_hello {
	bool client;
	bool retry;	/* the server's, that asks for another hello */
	bool encrypted; /* another hello, with other names, is sealed in it */
	bool early;	/* data follow before the server has answered */
	uint8_t in; /* enum tls_message */
	uint16_t legacy_version;
	/* Borrowed from the message. */
	struct span random, session;
	struct span suites; /* of a server: the one that it chose */
	struct span cookie; /* empty when absent */
	uint64_t has;	    /* bit n: the extension of row n is there */
	uint32_t unchecked; /* octets that nobody can check */
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

/* The row of an extension whose presence needs no offer: what a request for
 * another hello, or a suite of a special value, stands for. */
uint64_t tls_unasked(void);

/* What extension.c reads of one, c: all of its octets. */
int tls_extension_read(struct tls_hello *h, uint16_t type, struct cur *c,
		       struct arena *arena, struct err *e)
	__attribute__((warn_unused_result));
/* RFC 8701: 0x0a0a, 0x1a1a .. 0xfafa mean nothing. */
bool tls_is_grease(uint16_t v);

/* A DNS name of letters, digits, '-' and '_' as RFC 6066 wants it; capitals
 * included. */
bool tls_name_ok(struct span name);

/* The highest one; 0 when there is none. */
uint16_t tls_highest(uint8_t versions);

#endif
