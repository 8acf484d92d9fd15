/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where units end. All of it is pure: it reads a flow block and octets and
 * says what the unit at their start is and how the direction stands behind it.
 *
 * The same octets give the same unit however they came, but for slices of
 * bodies that nothing reads: those are as long as what is there.
 */
#include "core/reason.h"
#include "dissectors/http/state.h"

static enum frame bad(struct err *e, enum reason why, const char *what)
{
	err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
	return FRAME_BAD;
}

/* --- bodies -------------------------------------------------------------------- */

/* The part of a body that is there. */
struct part {
	struct span in;	   /* octets of the stream, at most what a unit has */
	size_t room;	   /* octets the unit may have */
	bool full;	   /* no more of them can come */
	struct span plain; /* decoded from chunks */
	uint64_t rest;	   /* of the body, or OBIX_REST_* */
	enum chunks end;   /* how the walk over chunks ended */
	bool whole;	   /* no line of a chunk is cut short */
	struct err walk;   /* when it was bad */
};

static void look(const struct cutter *k, const struct http_side *s,
		 struct part *p)
{
	struct http_side copy = *s;
	size_t used, got;

	p->end = CHUNKS_MORE;
	p->whole = true;
	switch (s->framing) {
	case FRAMING_LENGTH:
		p->rest = s->left;
		p->plain = span_sub(p->in, 0,
				    s->left < p->room ? (size_t)s->left :
							p->room);
		break;
	case FRAMING_CHUNKED:
		p->end = chunks_walk(&copy, p->in, k->plain, UNIT_MAX, &used,
				     &got, &p->walk);
		p->whole = used == p->in.n;
		p->plain = span_of(k->plain, got);
		p->rest = p->end == CHUNKS_END ? got : OBIX_REST_UNKNOWN;
		break;
	default:
		p->rest = OBIX_REST_CLOSE;
		p->plain = p->in;
		break;
	}
}

/* n octets of the body are taken: how many of the stream, and what then? */
static size_t take(struct http_side *s, const struct part *p, size_t n,
		   bool *ends)
{
	size_t used, got, more;
	struct err e;

	s->body += n;
	*ends = p->rest == n;
	if (s->framing == FRAMING_LENGTH)
		s->left -= n;
	if (s->framing != FRAMING_CHUNKED)
		return n;
	used = 0;
	if (n)
		chunks_walk(s, p->in, NULL, n, &used, &got, &e);
	/* What stands between chunks leaves with the page in front of it: its
	 * packet may be the last one for a while. oBIX is cut at the same place
	 * however it came. */
	if (*ends || s->kind == BODY_PAGE) {
		chunks_walk(s, span_from(p->in, used), NULL, 0, &more, &got,
			    &e);
		used += more;
	}
	return used;
}

/* The walk ended in nonsense and nothing in front of it makes a unit. */
static enum frame more(const struct part *p, struct err *e)
{
	if (p->end == CHUNKS_BAD) {
		*e = p->walk;
		return FRAME_BAD;
	}
	if (p->full)
		return bad(e, REASON_TOO_LONG,
			   "a part of the body that is longer than a unit");
	return FRAME_MORE;
}

/* The fields of an event stream begin with a letter, its comments with a
 * colon, and no document of oBIX does. What begins otherwise is looked at as
 * any body: what its type says identifies nothing. */
static bool is_event(struct span first)
{
	return first.n && (first.p[0] == ':' ||
			   (first.p[0] >= 'a' && first.p[0] <= 'z'));
}

static enum frame recognise(struct http_side *s, const struct part *p,
			    bool exact, struct err *e)
{
	size_t window = p->room < OBIX_WINDOW ? p->room : OBIX_WINDOW;
	struct span first = span_sub(p->plain, 0, window);
	bool all = exact || first.n == window || first.n == p->rest || p->full;

	/* What is coded will be seen when it is decoded. */
	if (s->coding || (s->events && is_event(first))) {
		s->kind = BODY_PAGE;
		return FRAME_UNIT;
	}
	switch (obix_recognise(first, all, side_type(s), e)) {
	case OBIX_NO:
		s->kind = BODY_PAGE;
		return FRAME_UNIT;
	case OBIX_YES:
		if (s->charset)
			return bad(e, REASON_XML_ENCODING,
				   "oBIX in another charset than UTF-8");
		s->kind = BODY_OBIX;
		return FRAME_UNIT;
	case OBIX_MORE:
		return more(p, e);
	default:
		return FRAME_BAD;
	}
}

/* Octets of the body that this unit has. */
static enum frame measure(const struct cutter *k, const struct http_side *s,
			  const struct part *p, bool with_head, size_t *n,
			  struct err *e)
{
	struct obix_body b = {.in = p->plain,
			      .window = p->room < OBIX_WINDOW ? p->room :
								OBIX_WINDOW,
			      .rest = p->rest,
			      .full = p->full};
	enum frame fr;

	if (s->coding) {
		*n = p->plain.n;
		return p->plain.n == p->rest ? FRAME_UNIT : more(p, e);
	}
	if (s->kind == BODY_OBIX) {
		fr = obix_frame(k->obix, &s->scan, &b, n, e);
		return fr == FRAME_MORE ? more(p, e) : fr;
	}
	*n = p->plain.n < SLICE_MAX ? p->plain.n : SLICE_MAX;
	if (with_head && p->rest <= p->room) {
		*n = p->plain.n;
		return *n == p->rest ? FRAME_UNIT : more(p, e);
	}
	if (*n == 0 && p->rest != 0)
		return more(p, e);
	return FRAME_UNIT;
}

/* Which rule an answer needs is known with the first octets of its body: the
 * head and the lines of a chunk wait for them, and a server that is asked for
 * news may send them long before. Whoever asks has no reason to. */
static bool waits(const struct part *p, const struct piece *x)
{
	return !x->request && p->plain.n == 0 && p->rest != 0 &&
	       p->end == CHUNKS_MORE && p->whole && !p->full;
}

/* A unit, or what it has behind its head: octets of a body. */
static enum frame cut_body(const struct cutter *k, struct span in, size_t room,
			   struct piece *x, struct err *e)
{
	struct http_side *s = &x->next;
	struct part p = {.in = span_sub(in, 0, room),
			 .room = room,
			 .full = in.n >= room};
	enum frame fr = FRAME_UNIT;
	size_t n = 0;

	look(k, s, &p);
	if (!k->exact && waits(&p, x))
		return FRAME_BETWEEN;
	if (s->kind == BODY_UNSEEN && p.rest != 0)
		fr = recognise(s, &p, k->exact, e);
	if (fr != FRAME_UNIT)
		return fr;
	if (k->exact)
		n = p.plain.n;
	else
		fr = measure(k, s, &p, x->has_head, &n, e);
	if (fr != FRAME_UNIT)
		return fr;
	x->body = span_sub(p.plain, 0, n);
	x->len += take(s, &p, n, &x->ends);
	return FRAME_UNIT;
}

/* --- heads ---------------------------------------------------------------------- */

static const struct http_asked *answered(const struct http_flow *f)
{
	return f->n ? &f->asked[f->first] : NULL;
}

static void set_type(struct http_side *s, struct span type)
{
	type = span_sub(type, 0, TYPE_MAX);
	for (; s->type_n < type.n; s->type_n++) {
		uint8_t ch = type.p[s->type_n];

		s->type[s->type_n] = ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
	}
}

static enum frame start(const struct cutter *k, struct piece *x, struct err *e)
{
	const struct http_flow *f = k->f;
	const struct http_asked *a = answered(f);
	enum http_framing framing;
	struct http_side *s = &x->next;

	if (x->request && f->n == ASKED_MAX)
		return bad(e, REASON_TOO_MANY_UNITS,
			   "more requests than may be outstanding");
	/* 100 Continue for a request that is still held, in a capture of
	 * those whom nobody held. */
	if (!x->request && !a && x->head.status == 100 && !k->lenient)
		return FRAME_MORE;
	/* As is a final answer that spares it. */
	if (!x->request && !a && !k->lenient && k->other_waits)
		return bad(e, REASON_INCOMPLETE,
			   "answers a request that waits for its body");
	if (!x->request && !a && !k->lenient)
		return bad(e, REASON_UNPAIRED, "answers no request");
	/* What it gives leave for is not known yet, either. */
	if (!x->request && a && x->head.status == 100 && f->n == 1 &&
	    f->side[!k->dir].apart)
		return FRAME_MORE;
	if (!x->request && a && a->continued && x->head.status == 100)
		return bad(e, REASON_UNPAIRED, "100 Continue again");
	if (!x->request && a && !a->expects && x->head.status == 100)
		return bad(e, REASON_UNPAIRED, "100 that nobody asked for");
	x->unpaired = !x->request && !a;
	x->answers = a ? a->method : HTTP_GET;
	if (head_framing(&x->head, x->answers, &framing, e))
		return FRAME_BAD;
	*s = (struct http_side){
		.stage = SIDE_BODY,
		.framing = (uint8_t)framing,
		.coding = x->head.coding,
		.events = x->head.event_stream,
		.charset = x->head.charset,
		.status = x->head.status,
		.interim = !x->request && x->head.status < 200,
		.row = a && !x->request ? a->row : 0,
		.serial = a && !x->request ? a->serial : 0,
		.left = x->head.length,
		.length = x->head.length,
		.length_known = framing == FRAMING_LENGTH ||
				framing == FRAMING_NONE,
		.closes = x->head.close ||
			  (x->head.http10 && !x->head.keep_alive) ||
			  framing == FRAMING_CLOSE,
	};
	if (framing != FRAMING_LENGTH)
		s->left = s->length = 0;
	set_type(s, x->head.content_type);
	return FRAME_UNIT;
}

/* Where a head ends and what it says depends on its octets alone. */
static enum frame find_head(const struct cutter *k, struct span in,
			    struct piece *x, size_t *len, struct err *e)
{
	struct http_seen *seen = &k->seen[x->request];
	struct span own = span_of(seen->octets, seen->n);
	int rc;

	if (own.n && span_eq(span_sub(in, 0, own.n), own)) {
		x->head = seen->head;
		*len = own.n;
		return FRAME_UNIT;
	}
	rc = head_find(in, x->request, len, e);
	if (rc == E_MORE)
		return FRAME_MORE;
	if (rc)
		return FRAME_BAD;
	own = span_sub(in, 0, *len);
	seen->n = 0;
	if (own.n <= SEEN_MAX) {
		memcpy(seen->octets, own.p, own.n);
		own.p = seen->octets;
	}
	if (head_read(own, x->request, &x->head, e))
		return FRAME_BAD;
	if (own.n <= SEEN_MAX) {
		seen->head = x->head;
		seen->n = (uint16_t)own.n;
	}
	return FRAME_UNIT;
}

static enum frame cut_head(const struct cutter *k, struct span in,
			   struct piece *x, struct err *e)
{
	size_t len, room;
	enum frame fr = find_head(k, in, x, &len, e);

	if (fr != FRAME_UNIT)
		return fr;
	x->has_head = x->begins = true;
	fr = start(k, x, e);
	if (fr != FRAME_UNIT)
		return fr;
	x->len = len;
	room = UNIT_MAX - len;
	if (x->next.framing == FRAMING_NONE) {
		x->ends = true;
		return FRAME_UNIT;
	}
	if (x->next.coding &&
	    (x->next.framing == FRAMING_CLOSE || x->next.left > room))
		return bad(e, REASON_ENCODING,
			   "coded content that is longer than a unit");
	/* An event stream may say nothing for long. Who expects 100 Continue is
	 * held until the body comes, as its sender sends it after a while (RFC
	 * 9110 10.1.1): what the head asks is known with the body only. In a
	 * capture nobody held it, and its answer may come first. */
	if ((x->head.event_stream || room < ROOM_MIN) && !x->next.coding)
		return FRAME_UNIT;
	if (x->head.expect && k->lenient) {
		x->next.apart = true;
		x->begins = false; /* with the body */
		return FRAME_UNIT;
	}
	if (k->exact && in.n == len)
		return FRAME_UNIT;
	return cut_body(k, span_from(in, len), room, x, e);
}

/* --- the whole -------------------------------------------------------------------- */

static bool from_client(const struct cutter *k, struct span in)
{
	if (k->f->client)
		return k->f->client == 1 + (int)k->dir;
	/* Who answers is no client, though it be seen first: reading from the
	 * middle, and where the request is still held. */
	return !span_is(span_sub(in, 0, 7), "HTTP/1.");
}

enum frame http_cut(const struct cutter *k, struct span in, struct piece *x,
		    struct err *e)
{
	const struct http_side *s = &k->f->side[k->dir];
	enum frame fr;

	*x = (struct piece){.request = from_client(k, in)};
	switch (s->stage) {
	case SIDE_ENDED:
		return bad(e, REASON_SESSION_STATE,
			   "octets behind the last message");
	case SIDE_TORN:
		return bad(e, REASON_TWO_READINGS,
			   "the answer came before the body it could refuse");
	case SIDE_HEAD:
		fr = cut_head(k, in, x, e);
		break;
	default:
		x->next = *s;
		x->next.apart = false;
		x->next.digits = 0;
		x->begins = s->apart;
		x->answers = answered(k->f) ? answered(k->f)->method : HTTP_GET;
		fr = cut_body(k, in, UNIT_MAX, x, e);
		break;
	}
	if (fr != FRAME_UNIT)
		return fr;
	if (x->ends)
		x->next.stage = x->next.closes && !x->next.interim ?
					SIDE_ENDED :
					SIDE_HEAD;
	return FRAME_UNIT;
}

/* The final answer that begins comes before the end of its request. Where the
 * connection ends with it, the rest is read by nobody, and may come or not (RFC
 * 9110 10.1.1, RFC 9112 9.6). Else, before any octet of a body that leave was
 * asked for, some clients send the body all the same, some the next request, and
 * servers wait for the one, for the other, or for neither. With leave given it
 * is the body. */
static void answered_early(const struct http_flow *f, struct http_side *asker,
			   bool closes)
{
	const struct http_asked *a = answered(f);

	if (!a || f->n != 1 || asker->stage != SIDE_BODY)
		return;
	if (closes)
		asker->spared = true;
	else if (a->expects && !a->continued && asker->body == 0)
		asker->stage = SIDE_TORN;
}

void http_advance(struct http_flow *f, enum dir dir, const struct piece *x,
		  uint16_t row, uint32_t serial)
{
	struct http_side *s = &f->side[dir];

	f->client = (uint8_t)(1 + (x->request ? (int)dir : !(int)dir));
	*s = x->next;
	if (x->has_head && x->request) {
		struct http_asked *a =
			&f->asked[(f->first + f->n++) % ASKED_MAX];

		*a = (struct http_asked){
			.row = row, .method = x->head.method,
			.expects = x->head.expect, .serial = serial};
		s->row = row;
		s->serial = serial;
	}
	if (!x->request && x->has_head && !x->next.interim)
		answered_early(f, &f->side[!dir], x->next.closes);
	if (!x->request && x->ends && x->next.interim && f->n)
		f->asked[f->first].continued = true;
	if (!x->request && x->ends && !x->next.interim && f->n) {
		f->first = (uint8_t)((f->first + 1) % ASKED_MAX);
		f->n--;
	}
}
