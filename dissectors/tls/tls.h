/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS over TCP: the hellos are read, what is behind them is opaque.
 *
 * A unit is one whole hello, in one record or in several (8192 octets at
 * most), or a slice of what is there of the records around it. Of those the
 * headers are read as long as the connection lasts: type, version and length,
 * and whether the type may come now (RFC 8446 4, 5.1, D.4). Of what is in clear
 * alerts and changes of cipher are read as well, and of the handshake of version
 * 1.2 and older which messages come, in their order and within a length each, up
 * to the change of cipher; another hello is none of them. Heartbeat is refused.
 * A stream that ceases to be records is refused (changed-protocol). When nothing
 * more will be in clear the connection may as well be carried unread
 * (dissector.sealed).
 *
 * A hello: carrier tls.hello with name, ALPN and versions, and one leaf
 * `opaque`, for nobody can say what its random octets mean; it is tls.hello as
 * well, so that a rule may grant it by name or protocol. A slice: carrier
 * flow.open, one leaf `opaque`. After a request for another hello the second one
 * is read as well; it must say the same but for what was asked (RFC 8446 4.1.2).
 * The protocol that a server chooses in clear is one that was offered (RFC 7301
 * 3.2); in version 1.3 it has to say so sealed (RFC 8446 4.2).
 *
 * Not read: certificates (version 1.2 and older show them), DTLS, QUIC. Both
 * UDP protocols are opaque.
 */
#ifndef DISSECTORS_TLS_TLS_H
#define DISSECTORS_TLS_TLS_H

#include "dissectors/dissector.h"
#include "dissectors/tls/hello.h"

#define TLS_UNIT_MAX 8192 /* the hold limit of a direction */

#define TLS_ALPN_UNSEEN 255

/* Where a connection stands; a row of its own for each in tls.c. */
enum tls_stage {
	TLS_START,   /* nothing was seen */
	TLS_ASKED,   /* the client's hello */
	TLS_RETRY,   /* the server wants another hello */
	TLS_RETRIED, /* and has it */
	TLS_OLD,     /* the server's hello, version 1.2 or older */
	TLS_NEW,     /* version 1.3 */
	TLS_ANY,     /* facts only: it began before the capture did */
	TLS_STAGES
};

/* Where a direction stands in its records, and in what of them is in clear. */
struct tls_side {
	uint16_t left;	 /* octets missing of the record */
	uint8_t kind;	 /* of the record: its type, 0: nothing of it is read */
	uint8_t head[4]; /* of a handshake message or an alert, so far */
	uint8_t head_n;
	uint8_t rank;	 /* of the last handshake message (tls.c) */
	uint32_t rest;	 /* octets missing of it */
	bool ciphered;	 /* what follows is sealed, in version 1.2 and older */
	bool finished;	 /* and a sealed handshake message was there */
	bool data;	 /* a record of data was */
	bool over;	 /* an alert has ended it */
	uint8_t changes, alerts; /* in clear */
};

struct tls_flow {
	uint8_t stage;
	uint8_t client;	  /* 1 + enum dir of the client, 0 not known yet */
	uint8_t versions; /* that the client offers (hello.h) */
	bool early;	  /* data may come before the server's hello */
	uint8_t n_alpn;	  /* protocols it offers; TLS_ALPN_UNSEEN: who knows */
	uint16_t version; /* of all records, 0 not known yet */
	struct tls_side side[2]; /* by enum dir */
	uint64_t offered; /* extensions of the hello (hello.h) */
	uint64_t said;	  /* a hash of what a second hello must repeat */
	uint64_t session; /* of the session that version 1.3 repeats */
	uint64_t cookie;  /* of what the server gave, 0: nothing */
	uint64_t alpn[TLS_ALPN_MAX]; /* a hash of each */
};

extern const struct dissector dissector_tls;

#endif
