/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/dhcp.h"

#include "dissectors/net/asked.h"

#define COOKIE	 0x63825363u
#define ETHERNET 1
#define BROADCAST 0x8000
#define NAMES	 (64 + 128) /* sname and file */

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* --- options ---------------------------------------------------------------------- */

enum { OPT_PAD = 0, OPT_OVERLOAD = 52, OPT_TYPE = 53, OPT_ASKS = 55,
       OPT_END = 255 };
#define C 1 /* of clients */
#define S 2 /* of servers */

/* RFC 2132, 2563, 3361, 3396, 3397, 3442, 4039, 4578, 4702, 6704, 8910, 8925,
 * and what servers and clients use without one: length from, to, in steps. */
static const struct option {
	uint8_t code, min, max, step, who;
} options[] = {
	{1,   4, 4,   1, S    }, /* subnet mask */
	{2,   4, 4,   1, S    }, /* time offset */
	{3,   4, 252, 4, S    }, /* routers */
	{6,   4, 252, 4, S    }, /* DNS servers */
	{12,  1, 63,  1, C | S}, /* host name */
	{15,  1, 253, 1, S    }, /* domain name */
	{26,  2, 2,   1, S    }, /* MTU of the interface */
	{28,  4, 4,   1, S    }, /* broadcast address */
	{33,  8, 248, 8, S    }, /* static routes */
	{42,  4, 252, 4, S    }, /* NTP servers */
	{43,  1, 255, 1, S    }, /* what the vendor has to say */
	{44,  4, 252, 4, S    }, /* NetBIOS name servers */
	{46,  1, 1,   1, S    }, /* NetBIOS node type */
	{47,  1, 255, 1, S    }, /* NetBIOS scope */
	{50,  4, 4,   1, C    }, /* address wanted */
	{51,  4, 4,   1, C | S}, /* lease */
	{53,  1, 1,   1, C | S}, /* message type */
	{54,  4, 4,   1, C | S}, /* server */
	{55,  1, 64,  1, C    }, /* options wanted */
	{56,  1, 255, 1, C | S}, /* error, as text */
	{57,  2, 2,   1, C    }, /* largest message */
	{58,  4, 4,   1, S    }, /* T1 */
	{59,  4, 4,   1, S    }, /* T2 */
	{60,  1, 64,  1, C    }, /* vendor class */
	{61,  2, 64,  1, C | S}, /* client identifier; RFC 6842 */
	{66,  1, 255, 1, S    }, /* boot server */
	{67,  1, 255, 1, S    }, /* boot file */
	{80,  0, 0,   1, C    }, /* rapid commit */
	{81,  3, 253, 1, C | S}, /* client's FQDN */
	{93,  2, 2,   1, C    }, /* client's architecture */
	{94,  3, 3,   1, C    }, /* client's network interface */
	{97,  17, 17, 1, C    }, /* client machine's identifier */
	{108, 4, 4,   1, S    }, /* IPv6 alone is enough */
	{114, 1, 255, 1, S    }, /* captive portal */
	{116, 1, 1,   1, C | S}, /* auto-configuration */
	{119, 1, 255, 1, S    }, /* domain search */
	{120, 2, 255, 1, S    }, /* SIP servers */
	{121, 5, 255, 1, S    }, /* classless routes */
	{145, 1, 1,   1, C    }, /* forced renewal's algorithm */
	{249, 5, 255, 1, S    }, /* classless routes, Microsoft's */
	{252, 1, 255, 1, S    }, /* web proxy */
};

static const struct option *option_find(uint8_t code)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		if (options[i].code == code)
			return &options[i];
	}
	return NULL;
}

static int option(struct dhcp_message *m, uint8_t code, struct span data,
		  struct err *e)
{
	const struct option *o = option_find(code);

	if (code == OPT_OVERLOAD)
		return bad(e, REASON_SUSPICIOUS, "options in other fields");
	if (!o || !(o->who & (m->answer ? S : C)))
		return bad(e, REASON_SUSPICIOUS, "an option of no table");
	if (data.n < o->min || data.n > o->max || data.n % o->step)
		return bad(e, REASON_MALFORMED, "length of an option");
	if (code == OPT_TYPE)
		m->type = data.p[0];
	if (code == OPT_ASKS)
		m->asks = data;
	return 0;
}

/* Each once, then an end and nothing but padding. */
static int read_options(struct dhcp_message *m, struct cur *c, struct err *e)
{
	uint64_t seen[4] = {0};
	bool ended = false;

	while (cur_left(c)) { /* each code once, or an octet of padding */
		uint8_t code = cur_u8(c);
		struct span data;
		int rc;

		if (code == OPT_PAD)
			continue;
		if (code == OPT_END) {
			ended = true;
			break;
		}
		data = cur_take(c, cur_u8(c));
		if (!cur_ok(c))
			return bad(e, REASON_MALFORMED,
				   "an option longer than the message");
		if (seen[code / 64] >> (code % 64) & 1)
			return bad(e, REASON_SUSPICIOUS,
				   "an option that comes twice");
		seen[code / 64] |= UINT64_C(1) << (code % 64);
		rc = option(m, code, data, e);
		if (rc)
			return rc;
	}
	if (!ended)
		return bad(e, REASON_MALFORMED, "no end of the options");
	while (cur_left(c)) {
		if (cur_u8(c) != OPT_PAD)
			return bad(e, REASON_SUSPICIOUS,
				   "octets behind the options");
	}
	return 0;
}

/* --- the message ------------------------------------------------------------------- */

/* A name of a server or a file: text, then nothing but zeros. */
static bool is_name(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] > 0x20 && s.p[n] < 0x7f)
		n++;
	return net_zero(span_from(s, n));
}

/* RFC 2131 table 5 and 3: what a field says that only others may fill. */
static int addresses(struct dhcp_message *m, struct cur *c, struct err *e)
{
	struct span client = cur_take(c, 4), your = cur_take(c, 4);
	struct span server = cur_take(c, 4), relay = cur_take(c, 4);
	struct span hardware = cur_take(c, 16);

	(void)client;
	if (!cur_ok(c))
		return bad(e, REASON_MALFORMED, "cut short");
	if (!m->answer && (!net_zero(your) || !net_zero(server)))
		return bad(e, REASON_SUSPICIOUS, "addresses from a client");
	if (!m->answer && !net_zero(relay))
		return bad(e, REASON_SUSPICIOUS, "relayed");
	if (!net_zero(span_from(hardware, 6)))
		return bad(e, REASON_SUSPICIOUS,
			   "octets behind the hardware address");
	memcpy(m->mac, hardware.p, sizeof(m->mac));
	return 0;
}

static bool type_fits(const struct dhcp_message *m)
{
	switch (m->type) {
	case DHCP_DISCOVER:
	case DHCP_REQUEST:
	case DHCP_DECLINE:
	case DHCP_RELEASE:
	case DHCP_INFORM:
		return !m->answer;
	case DHCP_OFFER:
	case DHCP_ACK:
	case DHCP_NAK:
		return m->answer;
	default:
		return false;
	}
}

int dhcp_read(struct dhcp_message *m, struct span in, struct err *e)
{
	struct cur c = cur_of(in);
	uint8_t op = cur_u8(&c), htype = cur_u8(&c), hlen = cur_u8(&c);
	uint8_t hops = cur_u8(&c);
	uint16_t flags;
	struct span sname, file;
	int rc;

	*m = (struct dhcp_message){.answer = op == 2};
	m->xid = cur_u32(&c);
	(void)cur_u16(&c); /* seconds */
	flags = cur_u16(&c);
	if (!cur_ok(&c) || op < 1 || op > 2)
		return bad(e, REASON_MALFORMED, "cut short, or no operation");
	if (htype != ETHERNET || hlen != 6)
		return bad(e, REASON_SUSPICIOUS, "not of Ethernet");
	if (flags & ~BROADCAST || (!m->answer && hops))
		return bad(e, REASON_SUSPICIOUS, "flags or hops");
	rc = addresses(m, &c, e);
	if (rc)
		return rc;
	sname = cur_take(&c, 64);
	file = cur_take(&c, 128);
	if (cur_u32(&c) != COOKIE || !cur_ok(&c))
		return bad(e, REASON_MALFORMED, "cut short, or not DHCP");
	if (m->answer ? !is_name(sname) || !is_name(file) :
			!net_zero(sname) || !net_zero(file))
		return bad(e, REASON_SUSPICIOUS, "octets in a field of names");
	c = cur_of(cur_rest(&c));
	rc = read_options(m, &c, e);
	if (rc == 0 && !type_fits(m))
		return bad(e, REASON_SUSPICIOUS, "type of the message");
	return rc;
}

/* --- the dissector ------------------------------------------------------------------ */

static bool is_port(uint16_t port)
{
	return port == DHCP_SERVER_PORT || port == DHCP_CLIENT_PORT;
}

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	struct cur c = cur_of(first);

	if (ip_proto != PROTO_UDP)
		return RECOGNISE_NO;
	(void)cur_take(&c, 12 + 16 + 16 + NAMES);
	if (cur_u32(&c) == COOKIE)
		return RECOGNISE_YES;
	/* What comes over the registered ports is ours to refuse. */
	return is_port(sport) || is_port(dport) ? RECOGNISE_MAYBE :
						  RECOGNISE_NO;
}

/* Number and hardware address; the xid stands apart, so no two fall together
 * that differ in it or in the last four octets of the address. */
static uint64_t key_of(const struct dhcp_message *m)
{
	uint64_t mac = 0;

	for (size_t i = 0; i < sizeof(m->mac); i++)
		mac = mac << 8 | m->mac[i];
	return (uint64_t)m->xid << 32 ^ mac;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct asked *s = c->machine;
	uint16_t from = c->tup.sport, to = c->tup.dport;
	struct dhcp_message m;
	int rc;

	s->change = ASKED_NOTHING;
	rc = dhcp_read(&m, unit, e);
	if (rc)
		return rc;
	if (from != (m.answer ? DHCP_SERVER_PORT : DHCP_CLIENT_PORT) ||
	    to != (m.answer ? DHCP_CLIENT_PORT : DHCP_SERVER_PORT))
		return bad(e, REASON_SUSPICIOUS, "DHCP on other ports");
	return asked_dissect(c, key_of(&m), m.answer, false, "dhcp", unit, out,
			     e);
}

/* Several servers may answer, and one twice with the same number. */
static void settle(const struct dis_ctx *c, bool passed)
{
	asked_settle(c->machine, passed, false);
}

const struct dissector dissector_dhcp = {
	.name = "dhcp",
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
