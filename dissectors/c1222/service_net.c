/* SPDX-License-Identifier: Apache-2.0 */
/* Registration and the other network services, and identification (c1222.md
 * sections 6 and 10). */
#include "dissectors/c1222/service_rd.h"

#define IDENTIFY_FEATURES 16

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
	if (t.body.n == 0 && may_be_empty && t.tag != BER_OID)
		return 0;
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
	obs_span(r->o, F_NATIVE, native);
	obs_u64(r->o, F_PERIOD, period);
	if (node & NODE_DOMAIN)
		obs_span(r->o, F_DOMAIN_PATTERN, cur_take(c, cur_u8(c)));
	return rd_done(r, "registration: length");
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

	obs_span(r->o, F_NATIVE, native);
	return rd_done(r, "answer to resolve: length");
}

/* One feature of an identification: tag and contents. */
static int skip_feature(struct rd *r, uint8_t tag)
{
	struct cur *c = &r->b.c;
	struct ber_tlv t;

	switch (tag) {
	case 0x04: /* security mechanism: UID */
	case 0x06: /* device class: UID, or four octets in its place */
		return ber_next(&r->b, &t, "feature", r->x->e);
	case 0x05: /* session control */
		cur_take(c, 1);
		return 0;
	case 0x07: /* device identity: length, format and text */
		cur_take(c, cur_u8(c));
		return 0;
	}
	return rd_bad(r, "identification: unknown feature");
}

/* std ver rev feature* 00 */
int net_ok_identify(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint8_t std = cur_u8(c), ver = cur_u8(c), rev = cur_u8(c);
	struct span features = cur_peek(c, cur_left(c));
	uint8_t tag = 0xff;

	if (!cur_ok(c) || std > 3 || std == 1)
		return rd_bad(r, "identification: standard");
	for (int n = 0; tag != 0; n++) {
		int rc;

		tag = cur_u8(c);
		if (!cur_ok(c) || n == IDENTIFY_FEATURES)
			return rd_bad(r, "identification: features");
		if (tag == 0)
			break;
		rc = skip_feature(r, tag);
		if (rc)
			return rc;
	}
	obs_u64(r->o, F_STD, std);
	obs_u64(r->o, F_STD_VERSION, ver);
	obs_u64(r->o, F_STD_REVISION, rev);
	obs_span(r->o, F_FEATURES, features);
	return rd_done(r, "identification: length");
}
