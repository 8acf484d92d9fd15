/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/icmp.h"

#include "core/reason.h"

#define ND_HOPS	    255
#define OPTIONS_MAX 16

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* --- errors ------------------------------------------------------------------------ */

static struct net_addr addr(struct span s)
{
	struct net_addr a = {{0}};

	if (s.n == 4) {
		a.b[10] = a.b[11] = 0xff;
		memcpy(&a.b[12], s.p, 4);
	} else if (s.n == 16) {
		memcpy(a.b, s.p, 16);
	}
	return a;
}

/* RFC 792: the header and at least 8 octets behind it. */
static bool quoted4(struct icmp_message *m, struct cur *c)
{
	uint8_t first = cur_u8(c);
	uint16_t fragment;

	(void)cur_take(c, 5);
	fragment = cur_u16(c);
	(void)cur_u8(c);
	m->quoted.proto = cur_u8(c);
	(void)cur_u16(c);
	m->quoted.src = addr(cur_take(c, 4));
	m->quoted.dst = addr(cur_take(c, 4));
	(void)cur_take(c, first >> 4 == 4 && (first & 15) >= 5 ?
				  ((first & 15) - 5u) * 4u :
				  SIZE_MAX);
	m->has_ports = (fragment & 0x1fff) == 0;
	return cur_ok(c) && cur_left(c) >= 8;
}

/* RFC 4443: as much as fits; behind extension headers nothing is looked for. */
static bool quoted6(struct icmp_message *m, struct cur *c)
{
	uint8_t first = cur_u8(c);

	(void)cur_take(c, 5);
	m->quoted.proto = cur_u8(c);
	(void)cur_u8(c);
	m->quoted.src = addr(cur_take(c, 16));
	m->quoted.dst = addr(cur_take(c, 16));
	m->has_ports = true;
	return cur_ok(c) && first >> 4 == 6 && cur_left(c) >= 8;
}

static int read_error(struct icmp_message *m, struct cur *c, bool v6,
		      struct err *e)
{
	(void)cur_u32(c); /* unused, MTU or pointer */
	if (!(v6 ? quoted6(m, c) : quoted4(m, c)))
		return bad(e, REASON_MALFORMED, "the packet that is quoted");
	m->has_ports = m->has_ports && (m->quoted.proto == PROTO_TCP ||
					m->quoted.proto == PROTO_UDP);
	if (m->has_ports) {
		m->quoted.sport = cur_u16(c);
		m->quoted.dport = cur_u16(c);
	}
	/* An error about an error would answer itself (RFC 1122 3.2.2). */
	if (m->quoted.proto == (v6 ? PROTO_ICMP6 : PROTO_ICMP)) {
		uint8_t type = cur_u8(c);

		if (v6 ? type < 128 : type != 0 && type != 8)
			return bad(e, REASON_SUSPICIOUS,
				   "an error about an error");
	}
	return 0;
}

static int read_echo(struct icmp_message *m, struct cur *c, bool v6,
		     struct err *e)
{
	(void)v6;
	m->id = cur_u16(c);
	m->seq = cur_u16(c);
	if (!cur_ok(c))
		return bad(e, REASON_MALFORMED, "cut short");
	m->data = cur_rest(c);
	return 0;
}

/* --- neighbour discovery -------------------------------------------------------------- */

enum { OPT_SOURCE = 1, OPT_TARGET, OPT_PREFIX, OPT_MTU = 5, OPT_NONCE = 14,
       OPT_ROUTE = 24, OPT_DNS, OPT_FLAGS, OPT_SEARCH = 31 };
#define RS 1
#define RA 2
#define NS 4
#define NA 8

/* RFC 4861 4.6, 4191, 5175, 7527, 8106; lengths in units of 8 octets. */
static const struct {
	uint8_t type, min, max, in;
} nd_options[] = {
	{OPT_SOURCE, 1, 1,   RS | RA | NS},
	{OPT_TARGET, 1, 1,   NA          },
	{OPT_PREFIX, 4, 4,   RA          },
	{OPT_MTU,    1, 1,   RA          },
	{OPT_NONCE,  1, 1,   NS          },
	{OPT_ROUTE,  1, 3,   RA          },
	{OPT_DNS,    3, 255, RA          },
	{OPT_FLAGS,  1, 1,   RA          },
	{OPT_SEARCH, 2, 255, RA          },
};

static bool option_fits(uint8_t type, uint8_t units, uint8_t in)
{
	for (size_t i = 0; i < sizeof(nd_options) / sizeof(*nd_options); i++) {
		if (nd_options[i].type == type)
			return units >= nd_options[i].min &&
			       units <= nd_options[i].max &&
			       nd_options[i].in & in;
	}
	return false;
}

static int read_options(struct icmp_message *m, struct cur *c, uint8_t in,
			struct err *e)
{
	for (unsigned i = 0; cur_left(c); i++) { /* at most OPTIONS_MAX */
		uint8_t type = cur_u8(c), units = cur_u8(c);
		struct span data;

		if (!cur_ok(c) || units == 0)
			return bad(e, REASON_MALFORMED, "length of an option");
		data = cur_take(c, units * 8u - 2);
		if (!cur_ok(c))
			return bad(e, REASON_MALFORMED, "length of an option");
		if (i == OPTIONS_MAX)
			return bad(e, REASON_TOO_MANY_UNITS, "options");
		if (!option_fits(type, units, in))
			return bad(e, REASON_SUSPICIOUS,
				   "an option that has no place there");
		if (type != OPT_SOURCE && type != OPT_TARGET)
			continue;
		if (m->has_link)
			return bad(e, REASON_SUSPICIOUS, "two link addresses");
		m->has_link = true;
		memcpy(m->link, data.p, sizeof(m->link));
	}
	return 0;
}

static int read_solicit(struct icmp_message *m, struct cur *c, bool v6,
			struct err *e)
{
	(void)v6;
	if (cur_u32(c) != 0 || !cur_ok(c))
		return bad(e, REASON_MALFORMED, "reserved octets");
	return read_options(m, c, RS, e);
}

static int read_advert(struct icmp_message *m, struct cur *c, bool v6,
		       struct err *e)
{
	(void)v6;
	(void)cur_take(c, 12);
	if (!cur_ok(c))
		return bad(e, REASON_MALFORMED, "cut short");
	return read_options(m, c, RA, e);
}

static int read_neighbour(struct icmp_message *m, struct cur *c, bool v6,
			  struct err *e)
{
	bool solicits = m->kind == ICMP_NEIGHBOUR_SOLICIT;
	uint32_t flags = cur_u32(c);
	struct span target = cur_take(c, 16);

	(void)v6;
	/* Of a solicitation nothing, of an advertisement three bits. */
	if (!cur_ok(c) || flags & (solicits ? UINT32_MAX : 0x1fffffff))
		return bad(e, REASON_MALFORMED, "reserved octets");
	if (target.p[0] == 0xff)
		return bad(e, REASON_MALFORMED, "a group as target");
	m->target = addr(target);
	return read_options(m, c, solicits ? NS : NA, e);
}

/* RFC 3810 5.2.12: is, to, allow and block. */
#define GROUP_RECORDS 6

static bool is_group(struct span a)
{
	return a.n == 16 && a.p[0] == 0xff;
}

/* MLD version 2, a list: what is reserved would carry what nobody reads. */
static int read_report(struct cur *c, struct err *e)
{
	bool reserved = cur_u16(c) != 0;
	uint16_t n = cur_u16(c);

	for (uint16_t i = 0; cur_ok(c) && i < n; i++) {
		uint8_t type = cur_u8(c), more = cur_u8(c);
		uint16_t sources = cur_u16(c);
		bool group = is_group(cur_take(c, 16));

		(void)cur_take(c, 16u * sources);
		if (cur_ok(c) && (type == 0 || type > GROUP_RECORDS || more ||
				  !group))
			return bad(e, REASON_SUSPICIOUS,
				   "type, group or auxiliary data");
	}
	return cur_ok(c) && reserved
		       ? bad(e, REASON_SUSPICIOUS, "reserved octets")
		       : 0;
}

/* MLD: version 1 has one group, version 2 a list (RFC 2710, 3810). */
static int read_group(struct icmp_message *m, struct cur *c, bool v6,
		      struct err *e)
{
	int rc = 0;

	(void)v6;
	if (m->type == 143) {
		rc = read_report(c, e);
	} else {
		/* Of a query the delay, then all groups or one. */
		uint32_t delay = cur_u32(c);
		bool group = is_group(cur_take(c, 16));

		if (m->type == 130 && cur_left(c)) { /* of version 2 */
			(void)cur_u16(c);
			(void)cur_take(c, 16u * cur_u16(c));
		} else if (cur_ok(c) && m->type != 130 && (delay || !group)) {
			rc = bad(e, REASON_SUSPICIOUS,
				 "a delay, or an address that is no group");
		}
	}
	if (rc)
		return rc;
	return cur_done(c) ? 0 : bad(e, REASON_MALFORMED, "groups");
}

/* --- the tables ------------------------------------------------------------------------ */

struct row {
	uint8_t type, codes; /* code: 0 .. codes - 1 */
	enum icmp_kind kind;
	bool link; /* from this link only */
	int (*read)(struct icmp_message *m, struct cur *c, bool v6,
		    struct err *e);
};

static const struct row rows4[] = {
	{0,  1,  ICMP_ECHO_REPLY,   false, read_echo },
	{3,  16, ICMP_ERROR,        false, read_error},
	{8,  1,  ICMP_ECHO_REQUEST, false, read_echo },
	{11, 2,  ICMP_ERROR,        false, read_error},
	{12, 3,  ICMP_ERROR,        false, read_error},
	{0,  0,  0,                 false, NULL      },
};

static const struct row rows6[] = {
	{1,   9, ICMP_ERROR,             false, read_error    },
	{2,   1, ICMP_ERROR,             false, read_error    },
	{3,   2, ICMP_ERROR,             false, read_error    },
	{4,   4, ICMP_ERROR,             false, read_error    },
	{128, 1, ICMP_ECHO_REQUEST,      false, read_echo     },
	{129, 1, ICMP_ECHO_REPLY,        false, read_echo     },
	{130, 1, ICMP_GROUP,             false, read_group    },
	{131, 1, ICMP_GROUP,             false, read_group    },
	{132, 1, ICMP_GROUP,             false, read_group    },
	{133, 1, ICMP_ROUTER_SOLICIT,    true,  read_solicit  },
	{134, 1, ICMP_ROUTER_ADVERT,     true,  read_advert   },
	{135, 1, ICMP_NEIGHBOUR_SOLICIT, true,  read_neighbour},
	{136, 1, ICMP_NEIGHBOUR_ADVERT,  true,  read_neighbour},
	{143, 1, ICMP_GROUP,             false, read_group    },
	{0,   0, 0,                      false, NULL          },
};

int icmp_read(struct icmp_message *m, struct span in, bool v6, uint8_t hops,
	      struct err *e)
{
	const struct row *r = v6 ? rows6 : rows4;
	struct cur c = cur_of(in);

	*m = (struct icmp_message){.type = cur_u8(&c)};
	m->code = cur_u8(&c);
	(void)cur_u16(&c);
	if (!cur_ok(&c))
		return bad(e, REASON_MALFORMED, "cut short");
	while (r->read && r->type != m->type)
		r++;
	if (!r->read)
		return bad(e, REASON_SUSPICIOUS, "type");
	if (m->code >= r->codes)
		return bad(e, REASON_SUSPICIOUS, "code");
	if (r->link && hops != ND_HOPS)
		return bad(e, REASON_SUSPICIOUS, "not from this link");
	m->kind = r->kind;
	return r->read(m, &c, v6, e);
}
