/* SPDX-License-Identifier: Apache-2.0 */
/* Are these octets TLS? Also what is refused in the end has to be recognised. */
#include "core/wbuf.h"
#include "dissectors/tls/record.h"

#define PORT_HTTPS 443

/* SURE: type, length and version of a hello are there, in however many
 * records; by chance fewer than one in 10^12 octets look so. LIKELY: as far as
 * it goes. */
static enum recognise how_sure(struct span in)
{
	uint8_t begin[MESSAGE + 2];
	struct wbuf w = wbuf_of(begin, sizeof(begin));

	while (w.n < sizeof(begin) && in.n > 0) { /* an octet in each round */
		struct header h = header_read(in);
		struct span part;

		if (in.n < HEADER && in.p[0] == TYPE_HANDSHAKE)
			break;
		if (!is_handshake(&h))
			return RECOGNISE_YES;
		part = span_sub(in, HEADER, h.n);
		wbuf_put(&w, span_sub(part, 0, sizeof(begin) - w.n));
		in = span_from(in, HEADER + part.n);
	}
	if ((w.n > 0 && begin[0] != TLS_CLIENT_HELLO &&
	     begin[0] != TLS_SERVER_HELLO) ||
	    (w.n > 1 && begin[1] != 0) || (w.n > 4 && begin[4] != 3) ||
	    (w.n > 5 && begin[5] > 4))
		return RECOGNISE_YES;
	return w.n == sizeof(begin) ? RECOGNISE_SURE : RECOGNISE_LIKELY;
}

static enum recognise looks_right(struct span in)
{
	struct header h = header_read(in);

	if (in.n == 0)
		return RECOGNISE_MAYBE;
	if (in.n >= HEADER && is_handshake(&h))
		return how_sure(in);
	if (in.n >= HEADER)
		return is_record(&h) || is_ssl2(in) ? RECOGNISE_YES :
						      RECOGNISE_NO;
	if (in.p[0] & 0x80)
		return in.n < 3 || in.p[2] == 1 ? RECOGNISE_MAYBE :
						  RECOGNISE_NO;
	if (in.p[0] < TYPE_CCS || in.p[0] > TYPE_HEARTBEAT)
		return RECOGNISE_NO;
	return in.n < 2 || in.p[1] == 3 ? RECOGNISE_MAYBE : RECOGNISE_NO;
}

enum recognise tls_recognise(struct span first, uint16_t sport, uint16_t dport,
			     uint8_t ip_proto)
{
	enum recognise r;

	if (ip_proto != PROTO_TCP)
		return RECOGNISE_NO;
	r = looks_right(first);
	/* What comes over the registered port is ours to refuse. */
	if (r == RECOGNISE_NO && (sport == PORT_HTTPS || dport == PORT_HTTPS))
		return RECOGNISE_MAYBE;
	return r;
}
