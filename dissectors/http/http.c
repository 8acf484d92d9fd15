/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a unit is read:
 *
 *   octets -> cut.c    head, framing, the part of the body in the unit
 *          -> rows.c   a request: what it says is kept for its answer
 *          -> read.c   observations; oBIX in bodies (body.h)
 *
 * The flow block moves on with dissect and goes back when the unit did not
 * pass.
 */
#include "dissectors/http/http.h"

#include "core/reason.h"
#include "dissectors/http/read.h"

#define SHOWN	  12 /* octets by which HTTP has shown itself */

static const uint16_t ports[] = {80, 8080};

/* --- recognising and framing ------------------------------------------------------- */

static bool is_letter(uint8_t ch)
{
	ch |= 0x20;
	return ch >= 'a' && ch <= 'z';
}

/* A word, a space, and what may be a target; or a status line. */
static enum recognise looks_right(struct span in)
{
	size_t word = 0;
	struct span behind;

	if (span_is(span_sub(in, 0, 7), "HTTP/1."))
		return RECOGNISE_YES;
	while (word < in.n && word < SHOWN && is_letter(in.p[word]))
		word++;
	if (word == in.n || (word == 4 && span_is(span_sub(in, 0, 4), "HTTP")))
		return in.n < SHOWN ? RECOGNISE_MAYBE : RECOGNISE_NO;
	if (word < 3 || in.p[word] != ' ')
		return RECOGNISE_NO;
	behind = span_sub(in, word + 1, 1);
	if (behind.n == 0)
		return RECOGNISE_MAYBE;
	return behind.p[0] == '/' || behind.p[0] == '*' ||
			       is_letter(behind.p[0])
		       ? RECOGNISE_YES
		       : RECOGNISE_NO;
}

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	enum recognise r;

	if (ip_proto != PROTO_TCP)
		return RECOGNISE_NO;
	r = looks_right(first);
	/* What comes over the registered port is ours to refuse. */
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		if (r == RECOGNISE_NO && (sport == ports[i] || dport == ports[i]))
			return RECOGNISE_MAYBE;
	}
	return r;
}

static void machine_init(void *machine, const void *conf)
{
	(void)machine;
	(void)conf;
}

static struct cutter cutter(const struct dis_ctx *c, bool exact)
{
	struct http_machine *m = c->machine;

	return (struct cutter){.f = c->flow,
			       .dir = c->dir,
			       .lenient = c->lenient,
			       .plain = m->plain,
			       .exact = exact};
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	struct cutter k = cutter(c, false);
	struct piece x;
	enum frame fr = http_cut(&k, in, &x, e);

	*len = fr == FRAME_UNIT ? x.len : 0;
	return fr;
}

static void skip(const struct dis_ctx *c, struct span unit)
{
	struct cutter k = cutter(c, true);
	struct piece x;
	struct err e;

	/* It was framed just now: it can be cut. */
	if (http_cut(&k, unit, &x, &e) != FRAME_UNIT)
		return;
	if (x.next.kind == BODY_OBIX)
		obix_skip(&x.next.scan, x.body);
	http_advance(c->flow, c->dir, &x, 0, 0);
}

static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	return rest.n ? REASON_INCOMPLETE : REASON_NONE;
}

/* --- reading ----------------------------------------------------------------------- */

static int find_row(struct message *msg)
{
	const struct piece *x = &msg->x;

	if (x->request && x->begins)
		return row_take(msg->m, &x->head, &msg->row, msg->e);
	msg->row = row_find(msg->m, x->next.row, x->next.serial);
	if (msg->row || x->unpaired || msg->c->lenient)
		return 0;
	return err_reason(msg->e, E_STATE, REASON_UNPAIRED, 0,
			  "the request it belongs to is no longer known");
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct message msg = {.c = c,
			      .m = c->machine,
			      .unit = unit,
			      .out = out,
			      .e = e};
	struct cutter k = cutter(c, true);
	struct http_machine *m = msg.m;
	uint32_t mark = out->n;
	int rc;

	memcpy(&m->was, c->flow, sizeof(m->was));
	m->waits = true;
	m->read = false;
	m->row_taken = m->row_freed = 0;
	if (http_cut(&k, unit, &msg.x, e) != FRAME_UNIT || msg.x.len != unit.n)
		return err_reason(e, E_SYNTAX,
				  e->reason ? e->reason : REASON_SUSPICIOUS,
				  e->off, "not the unit it was");
	rc = find_row(&msg);
	if (rc == 0)
		rc = read_unit(&msg);
	if (rc) {
		out->n = mark;
		return rc;
	}
	http_advance(c->flow, c->dir, &msg.x, m->row_taken,
		     msg.row ? msg.row->serial : 0);
	if (!msg.x.request && msg.x.ends && !msg.x.next.interim)
		m->row_freed = msg.x.next.row;
	return 0;
}

static void settle(const struct dis_ctx *c, bool passed)
{
	struct http_machine *m = c->machine;
	uint16_t gone = passed ? m->row_freed : m->row_taken;

	if (!m->waits)
		return;
	m->waits = false;
	if (!passed)
		memcpy(c->flow, &m->was, sizeof(m->was));
	if (gone)
		m->row[gone - 1].live = false;
	if (m->read)
		obix_settle(machine_obix(m), passed);
}

const struct dissector dissector_http = {
	.name = "http",
	.max_stream = UNIT_MAX,
	.max_datagram = 0,
	.machine_size = sizeof(struct http_machine),
	.flow_size = sizeof(struct http_flow),
	.carrier = OBS_FLOW_OPEN,
	.recognise = recognise,
	.machine_init = machine_init,
	.frame = frame,
	.skip = skip,
	.dissect = dissect,
	.settle = settle,
	.leftover = leftover,
};
