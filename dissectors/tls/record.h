/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of TLS records, and what looks like one. */
#ifndef DISSECTORS_TLS_RECORD_H
#define DISSECTORS_TLS_RECORD_H

#include "dissectors/tls/clear.h"

#define HEADER	TLS_HEADER
#define MESSAGE 4 /* header of a handshake message */
#define SSL_3_0 0x0300

struct header {
	uint8_t type;
	uint16_t version, n;
};

/* SSL 2.0 form: length with its highest bit set, CLIENT-HELLO, version. */
static inline bool is_ssl2(struct span in)
{
	return in.n >= HEADER && in.p[0] & 0x80 && in.p[2] == 1 &&
	       (in.p[3] == 3 || (in.p[3] == 0 && in.p[4] == 2));
}

static inline bool is_record(const struct header *h)
{
	return h->type >= TYPE_CCS && h->type <= TYPE_HEARTBEAT &&
	       h->version >= TLS_1_0 && h->version <= TLS_1_2 && h->n > 0 &&
	       h->n <= TLS_SEALED_MAX;
}

/* That of SSL 3.0, too: it is ours to refuse. */
static inline bool is_handshake(const struct header *h)
{
	return h->type == TYPE_HANDSHAKE && h->n > 0 && h->n <= TLS_SEALED_MAX &&
	       h->version >= SSL_3_0 && h->version <= TLS_1_2;
}

static inline struct header header_read(struct span in)
{
	struct cur c = cur_of(in);
	struct header h;

	h.type = cur_u8(&c);
	h.version = cur_u16(&c);
	h.n = cur_u16(&c);
	return h;
}

/* As dissector.recognise. */
enum recognise tls_recognise(struct span first, uint16_t sport, uint16_t dport,
			     uint8_t ip_proto);

#endif
