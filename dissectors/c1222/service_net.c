/* SPDX-License-Identifier: Apache-2.0 */
/* Registration and the other network services, and identification (c1222.md
 * sections 6 and 10). */
#include "dissectors/c1222/service_rd.h"

#define IDENTITY_MAX 32 /* octets; identifications of tables have 20 */

/* A UID: 06, 0D or 80; an empty relative one says "none yet". */
static int take_uid(struct rd *r, enum field f, bool may_be_empty)
{
	struct span title;
	struct ber_tlv t;
	int rc = ber_next(&r->b, &t, "UID", r->x->e);

	if (rc)
		return rc;
	if (t.tag != BER_OID && t.tag != BER_RELATIVE && t.tag != BER_CONTEXT_0)
		return rd_bad(r, "UID: tag");
	if (t.body.n == 0 && may_be_empty && t.tag != BER_OID) {
		obs_span(r->o, f, t.body);
		return 0;
	}
	rc = ber_title(r->x->arena, t.tag, t.body, t.at, &title, r->x->e);
	if (rc == 0)
		obs_span(r->o, f, title);
	return rc;
}

int net_read_uid(struct rd *r)
{
	int rc = take_uid(r, F_AP_TITLE, false);

	return rc ? rc : rd_done(r, "octets after the UID");
}

/* Empty; in the draft of 2006 the UID again. */
int net_ok_deregister(struct rd *r)
{
	return cur_left(&r->b.c) == 0 ? 0 : net_read_uid(r);
}

int net_read_uids(struct rd *r)
{
	int rc = 0;

	if (cur_left(&r->b.c) == 0)
		return rd_bad(r, "trace: no UID");
	for (int n = 0; rc == 0 && cur_left(&r->b.c) > 0; n++) {
		if (n == SERVICE_TITLES_MAX)
			return err_reason(r->x->e, E_LIMIT,
					  REASON_TOO_MANY_UNITS, ber_at(&r->b),
					  "trace: too long");
		rc = take_uid(r, F_AP_TITLE, false);
	}
	return rc;
}

/* RFC 6142: an IPv4 or IPv6 address, then perhaps a port, then perhaps UDP or
 * TCP. Nothing of it is measured, so it must not be anything else. */
static int state_native(struct rd *r, struct span native)
{
	struct cur c = cur_of(native);
	uint8_t proto = PROTO_UDP;
	bool ok = true;

	obs_span(r->o, F_NATIVE, native);
	switch (native.n) {
	case 7:
	case 19:
		cur_take(&c, native.n - 1);
		proto = cur_u8(&c);
		ok = proto == PROTO_UDP || proto == PROTO_TCP;
		break;
	case 4:
	case 6:
	case 16:
	case 18:
		break;
	default:
		ok = false;
	}
	return ok ? 0 : rd_depart(r, REASON_SUSPICIOUS,
				  "native address: not one of IP");
}

#define NODE_RESERVED  0x40
#define NODE_DOMAIN    0x80
#define CONN_RESERVED  0x08
#define CONN_CL        0x10
#define CONN_CL_ACCEPT 0x20
#define CONN_CO        0x40
#define CONN_CO_ACCEPT 0x80

/* RFC 6142: neither mode, or an accept flag without its mode, is invalid. */
static bool connection_ok(uint8_t type)
{
	if (type & CONN_RESERVED || !(type & (CONN_CL | CONN_CO)))
		return false;
	return (!(type & CONN_CL_ACCEPT) || type & CONN_CL) &&
	       (!(type & CONN_CO_ACCEPT) || type & CONN_CO);
}

/* 27: node type, connection type, device class, ApTitle, serial, native
 * address, period, domain pattern when the node type says so */
int net_read_register(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint8_t node = cur_u8(c), conn = cur_u8(c);
	struct span dev = cur_take(c, 4), native;
	uint32_t period;
	int rc;

	if (!cur_ok(c))
		return rd_bad(r, "registration: length");
	if (node & NODE_RESERVED || !connection_ok(conn))
		return rd_bad(r, "registration: node or connection type");
	obs_u64(r->o, F_NODE_TYPE, node);
	obs_u64(r->o, F_CONNECTION_TYPE, conn);
	obs_span(r->o, F_DEVICE_CLASS, dev);
	rc = take_uid(r, F_AP_TITLE, true);
	if (rc == 0)
		rc = take_uid(r, F_SERIAL, false);
	if (rc)
		return rc;
	native = cur_take(c, cur_u8(c));
	period = (uint32_t)cur_be(c, 3);
	obs_u64(r->o, F_PERIOD, period);
	obs_span(r->o, F_DOMAIN_PATTERN,
		 node & NODE_DOMAIN ? cur_take(c, cur_u8(c)) :
				      (struct span){0});
	rc = rd_done(r, "registration: length");
	return rc ? rc : state_native(r, native);
}

/* ApTitle, delay, period, info */
int net_ok_register(struct rd *r)
{
	struct cur *c = &r->b.c;
	int rc = take_uid(r, F_AP_TITLE, false);

	if (rc)
		return rc;
	obs_u64(r->o, F_DELAY_S, cur_u16(c));
	obs_u64(r->o, F_PERIOD, cur_be(c, 3));
	obs_u64(r->o, F_REG_INFO, cur_u8(c));
	return rd_done(r, "answer to registration: length");
}

/* length, native address */
int net_ok_resolve(struct rd *r)
{
	struct cur *c = &r->b.c;
	struct span native = cur_take(c, cur_u8(c));
	int rc = rd_done(r, "answer to resolve: length");

	return rc ? rc : state_native(r, native);
}

/* 04: security mechanism, an OID */
static int feature_mechanism(struct rd *r)
{
	struct ber_tlv t;
	int rc = ber_next(&r->b, &t, "security mechanism", r->x->e);

	if (rc)
		return rc;
	if (t.tag != BER_OID || !ber_oid_ok(t.body))
		return rd_bad(r, "identification: security mechanism");
	obs_span(r->o, F_MECH, t.body);
	return 0;
}

/* 05: number of sessions, and whether one is needed */
static int feature_sessions(struct rd *r)
{
	obs_u64(r->o, F_SESSION_CTRL, cur_u8(&r->b.c));
	return 0;
}

/* 06: device class, four octets below the C12.22 branch, or an OID */
static int feature_class(struct rd *r)
{
	struct ber_tlv t;
	int rc = ber_next(&r->b, &t, "device class", r->x->e);

	if (rc)
		return rc;
	if (!(t.tag == BER_RELATIVE && t.body.n == 4) &&
	    !(t.tag == BER_OID && ber_oid_ok(t.body)))
		return rd_bad(r, "identification: device class");
	obs_span(r->o, F_DEVICE_CLASS, t.body);
	return 0;
}

/* 07: length, format, text. 7-bit ASCII only: the standard knows others, but
 * what cannot be shown is not identity. */
static int feature_identity(struct rd *r)
{
	struct cur in = cur_sub(&r->b.c, cur_u8(&r->b.c));
	uint8_t format = cur_u8(&in);
	struct span text = cur_peek(&in, cur_left(&in));

	if (!cur_ok(&in) || format != 1 || text.n > IDENTITY_MAX)
		return rd_bad(r, "identification: device identity");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return rd_bad(r, "identification: device identity");
	}
	while (text.n > 0 && text.p[text.n - 1] == ' ')
		text = span_sub(text, 0, text.n - 1);
	obs_span(r->o, F_IDENTITY, text);
	/* Which meter it is, as tables 1 and 5 would say. */
	if (text.n > 0) {
		obs_u64(r->o, F_MEASUREMENT, MEAS_BIT(MEAS_IDENTITY_DEVICE));
		obs_u64(r->o, F_READINGS, 1);
	}
	return 0;
}

/* One feature: its tag, then contents of a form of its own. Each once. */
static int read_feature(struct rd *r, uint8_t tag, uint32_t *seen)
{
	static const struct {
		uint8_t tag;
		int (*read)(struct rd *r);
	} features[] = {
		{0x04, feature_mechanism},
		{0x05, feature_sessions },
		{0x06, feature_class    },
		{0x07, feature_identity },
	};

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (features[i].tag != tag)
			continue;
		if (*seen >> i & 1)
			return rd_bad(r, "identification: a feature twice");
		*seen |= 1u << i;
		return features[i].read(r);
	}
	return rd_bad(r, "identification: unknown feature");
}

/* std ver rev feature* 00 */
int net_ok_identify(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint8_t std = cur_u8(c), ver = cur_u8(c), rev = cur_u8(c), tag;
	uint32_t seen = 0;

	if (!cur_ok(c) || std > 3 || std == 1)
		return rd_bad(r, "identification: standard");
	obs_u64(r->o, F_STD, std);
	obs_u64(r->o, F_STD_VERSION, ver);
	obs_u64(r->o, F_STD_REVISION, rev);
	while ((tag = cur_u8(c)) != 0) { /* at most each feature once */
		int rc = read_feature(r, tag, &seen);

		if (rc)
			return rc;
	}
	return rd_done(r, "identification: length");
}
