/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one APDU is read:
 *
 *   octets  -> acse.c     elements, titles in absolute form
 *           -> segment.c  if it is a segment: wait for the others
 *           -> session.c  key, MAC, plaintext, replay window
 *           -> epsem.c    services
 *           -> request.c  an answer: which request is it to?
 *           -> service.c  one leaf for each service
 *           -> tables.c   what its table data give away
 *           -> own.c      does the machine register what is its own?
 *
 * Each step refuses what it cannot read as exactly one thing. Nothing that is
 * remembered changes before settle() says that the message passed (state.h).
 */
#include "dissectors/c1222/c1222.h"

#include "dissectors/c1222/answer.h"
#include "dissectors/c1222/state.h"

#define MAX_STREAM   8192 /* the hold limit of a direction */
#define MAX_DATAGRAM 65535

static const struct c1219_shape no_shape;

static bool is_datagram(const struct dis_ctx *c)
{
	return c->tup.proto == PROTO_UDP;
}

void message_note(struct message *x, enum reason why)
{
	for (unsigned i = 0; i < x->n_notes; i++) {
		if (x->notes[i] == why)
			return;
	}
	if (x->n_notes < sizeof(x->notes) / sizeof(x->notes[0]))
		x->notes[x->n_notes++] = why;
}

/* --- framing -------------------------------------------------------------- */

static enum frame frame_bad(struct err *e, int reason, const char *what)
{
	err_reason(e, E_SYNTAX, reason, 0, "%s", what);
	return FRAME_BAD;
}

/* Messages that RFC 6142 says to ignore without an answer. */
static bool to_be_ignored(const struct dis_ctx *c)
{
	const struct net_addr *s = &c->tup.src;

	if (!is_datagram(c))
		return false;
	return c->tup.sport == 0 || s->b[0] == 0xff ||
	       (net_addr_is4(s) && s->b[12] >= 224) ||
	       memcmp(s, &c->tup.dst, sizeof(*s)) == 0;
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	size_t max = is_datagram(c) ? MAX_DATAGRAM : MAX_STREAM;
	int rc;

	*len = 0;
	if (is_datagram(c) && to_be_ignored(c))
		return frame_bad(e, REASON_DROPPED, "source port or address");
	rc = acse_length(in, len, e);
	if (rc == E_SYNTAX)
		return FRAME_BAD;
	if (*len > max) {
		*len = 0;
		return frame_bad(e, REASON_TOO_LONG, "APDU too long");
	}
	if (!is_datagram(c))
		return rc ? FRAME_MORE : FRAME_UNIT;
	if (rc) {
		*len = 0;
		return frame_bad(e, REASON_MALFORMED, "APDU cut short");
	}
	/* A datagram is one APDU; dissect says what is wrong with the rest. */
	*len = in.n;
	return FRAME_UNIT;
}

static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	/* The length says that more was meant to come: an APDU cut off. */
	return rest.n ? REASON_MALFORMED : REASON_NONE;
}

/* --- shapes of meters ----------------------------------------------------- */

/* Whose tables does this message speak of? */
static struct span owner_of(const struct message *x)
{
	bool calling = x->answer || x->acse.ae_qualifier & ACSE_AE_NOTIFICATION;

	return calling ? x->acse.calling : x->acse.called;
}

static const struct c1219_shape *shape_of(const struct message *x,
					  struct span owner)
{
	const struct c1222_machine *m = x->m;

	for (uint32_t i = 0; owner.n && i <= SHAPE_MAX; i++) {
		if (m->shape[i].live && title_is(&m->shape[i].owner, owner))
			return &m->shape[i].shape;
	}
	return &no_shape;
}

static uint32_t shape_victim(const struct c1222_machine *m, struct span owner)
{
	uint32_t old = SHAPE_MAX + 1;

	for (uint32_t i = 0; i <= SHAPE_MAX; i++) {
		const struct shape_row *r = &m->shape[i];

		if (i == m->shape_spare)
			continue;
		if (r->live && title_is(&r->owner, owner))
			return i;
		if (old > SHAPE_MAX ||
		    (m->shape[old].live &&
		     (!r->live || r->used < m->shape[old].used)))
			old = i;
	}
	return old;
}

/* The tables that say what others look like (tables.h). A pending copy is
 * not in force. */
static bool teaches(const struct service_ctx *s, const struct obs *leaf)
{
	return s->has_data && s->part.whole && !obs_has(leaf, F_PENDING) &&
	       c1219_teaches(s->part.table);
}

/* Learn from an answer or a notification, at once for the services behind it
 * in the message, for good when the message passes. */
static void learn(struct message *x, struct service_ctx *s, struct obs *leaf)
{
	struct c1222_machine *m = x->m;
	struct shape_row *r = &m->shape[m->shape_spare];
	struct span owner = owner_of(x);
	bool mismatch = s->shape->profile_mismatch;
	int rc;

	if (!teaches(s, leaf) || owner.n == 0 || (!x->answer && !s->notification))
		return;
	if (!(m->stage.flags & STAGE_SHAPE)) {
		r->shape = *s->shape;
		title_set(&r->owner, owner);
		m->stage.shape = shape_victim(m, owner);
		m->stage.flags |= STAGE_SHAPE;
	}
	rc = c1219_learn(&r->shape, &s->part, s->data, s->profile, NULL);
	if (rc)
		obs_u64(leaf, F_NOTE, REASON_UNREAD_TABLE);
	if (!mismatch && r->shape.profile_mismatch)
		obs_u64(leaf, F_NOTE, REASON_PROFILE_MISMATCH);
	s->shape = &r->shape;
}

static void shape_settle(struct c1222_machine *m)
{
	const struct stage *st = &m->stage;

	if (!(st->flags & STAGE_SHAPE))
		return;
	m->shape[m->shape_spare].live = true;
	m->shape[m->shape_spare].used = m->tick;
	m->shape[st->shape].live = false;
	m->shape_spare = st->shape;
}

/* --- observations --------------------------------------------------------- */

static void state_acse(struct obs *o, const struct acse *a)
{
	if (acse_has(a, ACSE_CALLED))
		obs_span(o, F_CALLED, a->called);
	if (acse_has(a, ACSE_CALLING))
		obs_span(o, F_CALLING, a->calling);
	if (acse_has(a, ACSE_CALLED_INV))
		obs_u64(o, F_CALLED_INV, a->called_inv);
	obs_u64(o, F_CALLING_INV, a->calling_inv);
	if (acse_has(a, ACSE_CALLING_AE))
		obs_u64(o, F_AE_QUALIFIER, a->ae_qualifier);
	if (acse_has(a, ACSE_CONTEXT))
		obs_span(o, F_CONTEXT, a->context);
	if (acse_has(a, ACSE_MECHANISM))
		obs_span(o, F_MECHANISM, a->mechanism);
	if (a->auth != ACSE_AUTH_NONE)
		obs_u64(o, F_AUTH_KIND, a->auth);
	if (a->auth == ACSE_AUTH_C1221 || a->auth == ACSE_AUTH_OCTETS)
		obs_span(o, F_AUTH_VALUE, a->auth_value);
}

static void state_segment(struct obs *o, const struct acse *a)
{
	obs_u64(o, F_SEG_TOTAL, a->total);
	obs_u64(o, F_SEG_OFFSET, a->offset);
	obs_u64(o, F_SEG_LENGTH, a->octets.n);
}

static int state_message(struct message *x, struct obs_list *out,
			 const struct acse *segment, struct span unit)
{
	struct obs *o = obs_add(out, OBS_C1222_MESSAGE);
	bool secured = x->head.mode != 0;

	if (!o)
		return err_reason(x->e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "no place for the message");
	obs_u64(o, F_OCTETS, unit.n);
	state_acse(o, &x->acse);
	obs_u64(o, F_EPSEM_CONTROL, x->head.control);
	obs_u64(o, F_SECURITY_MODE, x->head.mode);
	obs_u64(o, F_RESPONSE_CONTROL, x->head.respond);
	if (x->epsem.ed_class.n)
		obs_span(o, F_ED_CLASS, x->epsem.ed_class);
	/* What was opened with a key we hold is authenticated. */
	obs_u64(o, F_SECURITY, secured ? 1 : 0);
	obs_u64(o, F_MAC, secured ? 1 : 0);
	if (secured) {
		obs_u64(o, F_KEY_ID, x->key_id);
		obs_u64(o, F_IV, x->iv);
	}
	if (segment)
		state_segment(o, segment);
	if (x->retry)
		obs_flag(o, F_RETRY);
	for (unsigned i = 0; i < x->n_notes; i++)
		obs_u64(o, F_NOTE, x->notes[i]);
	return 0;
}

/* Sealed under a key that is not held, or not with the key that is: what stands
 * outside the seal, which nobody has proved, and that the rest is opaque. */
static void state_sealed(const struct message *x, struct obs_list *out,
			 size_t octets)
{
	uint32_t mark = out->n;
	struct obs *o = obs_add(out, OBS_C1222_MESSAGE);
	struct obs *leaf = o ? obs_add(out, OBS_OPAQUE) : NULL;
	const struct acse *a = &x->acse;
	bool held = x->e->reason == REASON_BAD_MAC;

	if (!leaf) {
		out->n = mark;
		return;
	}
	obs_u64(o, F_OCTETS, octets);
	state_acse(o, a);
	obs_u64(o, F_EPSEM_CONTROL, x->head.control);
	obs_u64(o, F_SECURITY_MODE, x->head.mode);
	obs_u64(o, F_RESPONSE_CONTROL, x->head.respond);
	obs_u64(o, F_SECURITY, 2);
	obs_u64(o, F_MAC, held ? 2 : 3);
	obs_u64(o, F_KEY_ID, x->key_id);
	obs_u64(o, F_IV, x->iv);
	obs_u64(leaf, F_OCTETS, octets);
}

/* --- services ------------------------------------------------------------- */

static struct service_ctx service_ctx(struct message *x, struct obs_list *out)
{
	return (struct service_ctx){
		.shape = shape_of(x, owner_of(x)),
		.profile = x->conf && x->conf->profile.present
				   ? &x->conf->profile
				   : NULL,
		.arena = x->c->arena,
		.out = out,
		.notification = x->acse.ae_qualifier & ACSE_AE_NOTIFICATION,
		.e = x->e,
		.lenient = x->c->lenient,
		.values = x->conf && x->conf->values,
	};
}

static int read_requests(struct message *x, struct service_ctx *s)
{
	for (uint32_t i = 0; i < x->epsem.n; i++) {
		struct service_req *req = request_slot(x, i);
		struct obs *leaf;
		int rc = service_request(s, x->epsem.pdu[i].octets,
					 x->epsem.pdu[i].at, req);

		if (rc)
			return rc;
		leaf = &s->out->v[s->out->n - 1];
		rc = own_check(x, req, leaf);
		if (rc)
			return rc;
		learn(x, s, leaf);
		session_service(x, NULL, req, leaf);
	}
	request_stage(x);
	return 0;
}

/*
 * Which services do the answers belong to? One answer for each request, in
 * order; but example 8 of the standard answers a password and a read with the
 * read alone, and a meter may stop at the request it refuses. Returns false
 * when neither fits.
 */
static bool match_answers(const struct message *x, const struct req *asked,
			  const struct service_req *to[SERVICE_MAX])
{
	uint32_t n = x->epsem.n, passwords = 0, at = 0;
	bool skip;

	for (uint32_t i = 0; i < asked->n; i++)
		passwords += asked->svc[i].code == SERVICE_SECURITY;
	skip = n < asked->n && n + passwords == asked->n;
	for (uint32_t i = 0; i < asked->n; i++) {
		if (!skip || asked->svc[i].code != SERVICE_SECURITY)
			to[at++] = &asked->svc[i];
	}
	if (n == at)
		return true;
	return n > 0 && n < at && x->epsem.pdu[n - 1].octets.p[0] != 0;
}

static int read_answers(struct message *x, struct service_ctx *s,
			const struct req *asked)
{
	const struct service_req *to[SERVICE_MAX];
	int rc = 0;

	if (x->head.mode < asked->mode)
		return err_reason(x->e, E_AUTH, REASON_DOWNGRADE, 0,
				  "less protected than its request");
	if (asked->mode != 0 && x->key_id != asked->key_id)
		return err_reason(x->e, E_AUTH, REASON_SUSPICIOUS, 0,
				  "another key than its request");
	if (!match_answers(x, asked, to))
		return err_reason(x->e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "%u answers to %u requests", x->epsem.n,
				  asked->n);
	for (uint32_t i = 0; rc == 0 && i < x->epsem.n; i++) {
		struct obs *leaf;

		rc = service_response(s, x->epsem.pdu[i].octets,
				      x->epsem.pdu[i].at, to[i]);
		if (rc)
			break;
		leaf = &s->out->v[s->out->n - 1];
		learn(x, s, leaf);
		session_service(x, asked, to[i], leaf);
		own_service(x, asked, to[i], leaf);
	}
	if (rc == 0)
		request_stage_answer(x);
	return rc;
}

/* Only when reading leniently: what can be said without the request. */
static int read_unpaired(struct message *x, struct service_ctx *s,
			 enum reason note)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < x->epsem.n; i++)
		rc = service_unpaired(s, x->epsem.pdu[i].octets,
				      x->epsem.pdu[i].at, note);
	return rc;
}

/* Readable, but not to be passed: refused, or, reading facts only, noted. */
static int depart(struct message *x, enum reason why, const char *what)
{
	if (!x->c->lenient)
		return err_reason(x->e, E_SYNTAX, (int)why, 0, "%s", what);
	message_note(x, why);
	return 0;
}

/* A longer length than needed is a sign of evasion: two parsers may differ. */
static int check_minimal(struct message *x, bool not_minimal)
{
	return not_minimal ? depart(x, REASON_NOT_CANONICAL,
				    "a longer length than needed") :
			     0;
}

/* The exchange of C12.21 is obsolete, the octet aligned form is a vendor's:
 * what they carry is read by nobody and counted by nobody (4.2). */
static int check_auth(struct message *x)
{
	switch (x->acse.auth) {
	case ACSE_AUTH_C1221:
		return depart(x, REASON_LEGACY, "authentication of C12.21");
	case ACSE_AUTH_OCTETS:
		return depart(x, REASON_SUSPICIOUS,
			      "a vendor's authentication value");
	default:
		return 0;
	}
}

/* Requests have no A4, answers have one. Reading facts only, an answer
 * without it is pointed out and taken to repeat the id of its request in A8,
 * as some stacks do. */
static int check_kind(struct message *x)
{
	int rc;

	if (x->epsem.n == 0 || x->epsem.responses == x->answer)
		return 0;
	if (x->answer)
		return err_reason(x->e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "requests with the id of a request");
	rc = depart(x, REASON_SUSPICIOUS,
		    "responses without the id of a request");
	if (rc)
		return rc;
	x->answer = true;
	x->acse.called_inv = x->acse.calling_inv;
	return 0;
}

static int read_services(struct message *x, struct obs_list *out,
			 const struct acse *segment, struct span unit)
{
	struct service_ctx s = service_ctx(x, out);
	enum reason note = x->c->midstream ? REASON_MIDSTREAM : REASON_UNPAIRED;
	const struct req *asked = NULL;
	int rc = x->answer ? request_find(x, &asked) : 0;

	if (rc)
		return rc;
	if (x->answer && !asked) {
		if (!x->c->lenient)
			return err_reason(x->e, E_STATE, REASON_UNPAIRED, 0,
					  "answers no request that was seen");
		if (x->epsem.n == 0) /* else each leaf says so */
			message_note(x, note);
	}
	rc = state_message(x, out, segment, unit);
	if (rc)
		return rc;
	if (!x->answer)
		rc = read_requests(x, &s);
	else if (asked)
		rc = read_answers(x, &s, asked);
	else
		rc = read_unpaired(x, &s, note);
	return rc ? rc : check_minimal(x, s.not_minimal);
}

/* --- the message ---------------------------------------------------------- */

static int read_message(struct message *x, struct obs_list *out,
			const struct acse *segment, struct span unit)
{
	const struct acse *a = &x->acse;
	size_t body_at = a->octets_at + 1;
	int rc = check_minimal(x, a->not_minimal);

	if (rc == 0)
		rc = check_auth(x);
	if (rc)
		return rc;
	rc = epsem_read_head(&x->head, a->octets, a->octets_at, x->e);
	if (rc)
		return rc;
	x->answer = acse_has(a, ACSE_CALLED_INV);
	if (!x->answer) {
		rc = request_retry(x);
		if (rc)
			return rc;
	}
	rc = session_open(x);
	if (rc)
		return rc;
	rc = epsem_read(&x->epsem, &x->head, x->body, body_at, x->e);
	if (rc == 0)
		rc = check_minimal(x, x->epsem.not_minimal);
	if (rc == 0)
		rc = check_kind(x);
	return rc ? rc : read_services(x, out, segment, unit);
}

/* A segment: E_MORE with a carrier of its own, or the whole message. */
static int read_segment(struct message *x, struct obs_list *out)
{
	struct span unit = x->unit, whole;
	struct acse outer = x->acse;
	int rc = check_minimal(x, outer.not_minimal);

	if (rc)
		return rc;
	rc = segment_take(x, &whole);
	if (rc == E_MORE) {
		struct obs *o = obs_add(out, OBS_C1222_SEGMENT);

		if (!o)
			return err_reason(x->e, E_LIMIT, REASON_TOO_MANY_UNITS,
					  0, "no place for the segment");
		obs_u64(o, F_OCTETS, unit.n);
		state_acse(o, &outer);
		state_segment(o, &outer);
		return err_reason(x->e, E_MORE, REASON_NONE, 0,
				  "a segment: others are to come");
	}
	if (rc)
		return rc;
	x->unit = whole;
	rc = acse_read(&x->acse, whole, x->c->arena, x->e);
	if (rc)
		return err_wrap(x->e, "reassembled");
	rc = segment_check(x, &outer);
	return rc ? rc : read_message(x, out, &outer, unit);
}

static void settle(const struct dis_ctx *c, bool passed)
{
	struct c1222_machine *m = c->machine;

	if (m->stage.flags == 0)
		return;
	segment_settle(m, passed);
	if (passed) {
		m->tick++;
		request_settle(m);
		session_settle(m);
		own_settle(m);
		shape_settle(m);
	}
	m->stage.flags = 0;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct c1222_machine *m = c->machine;
	uint32_t mark = out->n;
	struct message x;
	int rc;

	settle(c, false); /* a verdict that never came is a refusal */
	x.c = c;
	x.m = m;
	x.conf = c->conf;
	x.unit = unit;
	x.answer = x.retry = x.in_session = false;
	x.key_id = 0;
	x.iv = 0;
	x.n_notes = 0;
	x.e = e;
	if (to_be_ignored(c))
		return err_reason(e, E_STATE, REASON_DROPPED, 0,
				  "source port or address");
	rc = acse_read(&x.acse, unit, c->arena, e);
	if (rc == 0)
		rc = acse_is_segment(&x.acse)
			     ? read_segment(&x, out)
			     : read_message(&x, out, NULL, unit);
	if (rc == 0) {
		for (uint32_t i = mark; i < out->n; i++) {
			if (out->v[i].dropped)
				rc = err_reason(e, E_LIMIT,
						REASON_TOO_MANY_UNITS, 0,
						"more facts than fit");
		}
	}
	if (rc && rc != E_MORE) {
		settle(c, false);
		out->n = mark;
		if (rc == E_AUTH && (e->reason == REASON_UNKNOWN_KEY ||
				     e->reason == REASON_BAD_MAC))
			state_sealed(&x, out, unit.n);
	}
	return rc;
}

static void machine_init(void *machine, const void *conf)
{
	/* All zeros is a machine that has seen nothing. */
	(void)machine;
	(void)conf;
}

const struct dissector dissector_c1222 = {
	.name = "c1222",
	.max_stream = MAX_STREAM,
	.max_datagram = MAX_DATAGRAM,
	.machine_size = sizeof(struct c1222_machine),
	.flow_size = 0,
	.carrier = OBS_C1222_MESSAGE,
	.recognise = c1222_recognise,
	.machine_init = machine_init,
	.frame = frame,
	.dissect = dissect,
	.settle = settle,
	.leftover = leftover,
	.answer = c1222_answer,
};
