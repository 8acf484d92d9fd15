/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/ntp.h"

#include "dissectors/net/asked.h"

#define MODE_CLIENT 3
#define MODE_SERVER 4
#define STRATUM_MAX 16
#define EXT_MIN	    16 /* RFC 7822 7.5 */
#define EXT_LAST    28 /* the last one, when no MAC is behind it */

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* RFC 7822 3, RFC 5905 7.3: a crypto-NAK, MD5, SHA-1. */
static bool is_mac(size_t n)
{
	return n == 4 || n == 20 || n == 24;
}

/* NTS: unique identifier, cookie, placeholder for one, authenticator. */
static bool is_nts(uint16_t type)
{
	return type == 0x0104 || type == 0x0204 || type == 0x0304 ||
	       type == 0x0404;
}

static int extension(struct ntp_message *m, struct cur *c, struct err *e)
{
	uint16_t type = cur_u16(c), n = cur_u16(c);

	if (n < EXT_MIN || n % 4 || n - 4u > cur_left(c))
		return bad(e, REASON_MALFORMED, "length of an extension");
	(void)cur_take(c, n - 4u);
	if (!is_nts(type))
		return bad(e, REASON_SUSPICIOUS, "an unknown extension");
	if (m->extensions == NTP_EXT_MAX)
		return bad(e, REASON_TOO_MANY_UNITS, "extensions");
	m->extensions++;
	if (cur_left(c) == 0 && n < EXT_LAST)
		return bad(e, REASON_SUSPICIOUS, "a short last extension");
	return 0;
}

static int behind(struct ntp_message *m, struct cur *c, struct err *e)
{
	while (cur_left(c)) { /* at most NTP_EXT_MAX */
		int rc;

		if (is_mac(cur_left(c))) {
			m->mac = (uint8_t)cur_rest(c).n;
			return 0;
		}
		if (m->version < 4)
			return bad(e, REASON_MALFORMED,
				   "octets behind the message");
		rc = extension(m, c, e);
		if (rc)
			return rc;
	}
	return 0;
}

int ntp_read(struct ntp_message *m, struct span in, struct err *e)
{
	struct cur c = cur_of(in);
	uint8_t first = cur_u8(&c), mode = first & 7;

	*m = (struct ntp_message){.version = first >> 3 & 7,
				  .answer = mode == MODE_SERVER};
	m->stratum = cur_u8(&c);
	(void)cur_take(&c, 22); /* poll .. reference time stamp */
	m->origin = cur_u64(&c);
	(void)cur_u64(&c);
	m->transmit = cur_u64(&c);
	if (in.n == 0)
		return bad(e, REASON_MALFORMED, "cut short");
	if (mode != MODE_CLIENT && mode != MODE_SERVER)
		return bad(e, REASON_SUSPICIOUS, "mode");
	if (m->version < 3)
		return bad(e, REASON_LEGACY, "version");
	if (m->version > 4)
		return bad(e, REASON_SUSPICIOUS, "version");
	if (!cur_ok(&c))
		return bad(e, REASON_MALFORMED, "cut short");
	if (m->stratum > STRATUM_MAX)
		return bad(e, REASON_MALFORMED, "stratum");
	/* By it the answer is known. */
	if (m->transmit == 0 && (!m->answer || m->stratum))
		return bad(e, REASON_SUSPICIOUS, "no transmit time stamp");
	return behind(m, &c, e);
}

/* --- the dissector --------------------------------------------------------------- */

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	(void)first;
	if (ip_proto != PROTO_UDP)
		return RECOGNISE_NO;
	/* 48 octets that could be anything: the port alone says it. What
	 * comes over it is ours to refuse. */
	return sport == NTP_PORT || dport == NTP_PORT ? RECOGNISE_MAYBE :
							RECOGNISE_NO;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct asked *s = c->machine;
	struct ntp_message m;
	int rc;

	s->change = ASKED_NOTHING;
	rc = ntp_read(&m, unit, e);
	if (rc)
		return rc;
	if ((m.answer ? c->tup.sport : c->tup.dport) != NTP_PORT)
		return bad(e, REASON_SUSPICIOUS, "NTP the wrong way round");
	return asked_dissect(c, m.answer ? m.origin : m.transmit, m.answer, true,
			     "ntp", unit, out, e);
}

static void settle(const struct dis_ctx *c, bool passed)
{
	asked_settle(c->machine, passed, true);
}

const struct dissector dissector_ntp = {
	.name = "ntp",
	.max_datagram = 65535,
	.machine_size = sizeof(struct asked),
	.carrier = OBS_FLOW_OPEN,
	.recognise = recognise,
	.machine_init = asked_init,
	.frame = asked_frame,
	.dissect = dissect,
	.settle = settle,
	.leftover = asked_leftover,
};
