/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/c1222/epsem.h"

#include "dissectors/c1222/ber.h"
#include "dissectors/c1222/eaxp.h"

#define CONTROL_ALWAYS 0x80
#define RESERVED_VALUE 3
#define ED_CLASS_N     4

static int bad(struct err *e, size_t at, const char *what)
{
	return err_reason(e, E_SYNTAX, REASON_MALFORMED, at, "EPSEM: %s", what);
}

int epsem_read_head(struct epsem_head *h, struct span octets, size_t at,
		    struct err *e)
{
	struct cur c = cur_of(octets);

	h->control = cur_u8(&c);
	h->mode = h->control >> 2 & 3;
	h->respond = h->control & 3;
	h->mac = (struct span){0};
	if (!cur_ok(&c) || !(h->control & CONTROL_ALWAYS))
		return bad(e, at, "control octet");
	if (h->mode == RESERVED_VALUE)
		return bad(e, at, "reserved security mode");
	if (h->respond == RESERVED_VALUE)
		return bad(e, at, "reserved response control");
	if (h->mode != 0) {
		if (cur_left(&c) < EAXP_MAC)
			return bad(e, at, "no room for the MAC");
		h->body = cur_take(&c, cur_left(&c) - EAXP_MAC);
		h->mac = cur_take(&c, EAXP_MAC);
	} else {
		h->body = cur_rest(&c);
	}
	return 0;
}

/* One <length> <service octets>. */
static int read_pdu(struct epsem *p, struct cur *c, size_t at, struct err *e)
{
	size_t start = at + c->off;
	struct span octets;
	bool minimal, response;
	size_t len;
	int rc;

	rc = ber_len(c, at, &len, &minimal, e);
	if (rc == E_SYNTAX)
		return err_wrap(e, "EPSEM: service");
	octets = cur_take(c, rc ? SIZE_MAX : len);
	if (!cur_ok(c))
		return bad(e, start, "a service runs past the end");
	if (octets.n == 0)
		return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, start,
				  "EPSEM: an empty service");
	if (p->n == EPSEM_MAX_PDUS)
		return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, start,
				  "EPSEM: more than %d services",
				  EPSEM_MAX_PDUS);
	response = octets.p[0] < SERVICE_REQUEST_MIN;
	if (p->n > 0 && response != p->responses)
		return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, start,
				  "EPSEM: requests and responses together");
	p->responses = response;
	if (!minimal)
		p->not_minimal = true;
	p->pdu[p->n].octets = octets;
	p->pdu[p->n].at = at + c->off - octets.n;
	p->n++;
	return 0;
}

int epsem_read(struct epsem *p, const struct epsem_head *h, struct span body,
	       size_t at, struct err *e)
{
	struct cur c = cur_of(body);
	int rc = 0;

	p->n = 0;
	p->responses = false;
	p->not_minimal = false;
	p->ed_class = (struct span){0};
	if (h->control & EPSEM_ED_CLASS) {
		p->ed_class = cur_take(&c, ED_CLASS_N);
		if (!cur_ok(&c))
			return bad(e, at, "device class cut short");
	}
	/* At most EPSEM_MAX_PDUS + 1 rounds. */
	while (rc == 0 && cur_left(&c) > 0)
		rc = read_pdu(p, &c, at, e);
	return rc;
}
