/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a unit is read:
 *
 *   octets -> cut.c    head, framing, the part of the body in the unit
 *          -> rows.c   a request: what it says is kept for its answer
 *          -> read.c   observations; oBIX in bodies (body.h)
 *          -> answer.c what whoever asked hears of a refusal
 *
 * The flow block moves on with dissect and goes back when the unit did not
 * pass.
 */
#include "dissectors/http/http.h"

#include "core/reason.h"
#include "dissectors/http/answer.h"
#include "dissectors/http/read.h"

#define EMPTY_MAX 64 /* octets of white space in front, before it is ours */
#define LINE_SHOWN 2048 /* of a request line are looked at, its method too */

#define PORT 80

/* --- recognising and framing ------------------------------------------------------- */

/* Words that are methods, in whatever case a lenient server takes them; and
 * what proxies put in front of a request for servers that look for it. */
static const char *const methods[] = {"GET",	 "HEAD",  "PUT",   "POST",
				      "DELETE",  "TRACE", "PATCH", "OPTIONS",
				      "CONNECT", "PRI",	  "PROXY"};

/* Others that servers know (IANA's registry, UPnP, caches). As they are words of
 * other protocols, too, only what may be a target makes a request of them. */
static const char *const rare[] = {
	"ACL",	       "BASELINE-CONTROL", "BIND",	 "CHECKIN",
	"CHECKOUT",    "COPY",		   "LABEL",	 "LINK",
	"LOCK",	       "MERGE",		   "MKACTIVITY", "MKCALENDAR",
	"MKCOL",       "MKREDIRECTREF",	   "MKWORKSPACE", "MOVE",
	"M-SEARCH",    "NOTIFY",	   "ORDERPATCH", "PROPFIND",
	"PROPPATCH",   "PURGE",		   "QUERY",	 "REBIND",
	"REPORT",      "SEARCH",	   "SUBSCRIBE",	 "UNBIND",
	"UNCHECKOUT",  "UNLINK",	   "UNLOCK",	 "UNSUBSCRIBE",
	"UPDATE",      "UPDATEREDIRECTREF", "VERSION-CONTROL"};

static bool is_blank(uint8_t ch)
{
	return ch == ' ' || ch == '\t' || ch == '\v' || ch == '\f';
}

/* Octets that a server may overlook. */
static size_t white_in_front(struct span in)
{
	size_t n = 0;

	while (n < in.n &&
	       (in.p[n] == '\r' || in.p[n] == '\n' || is_blank(in.p[n])))
		n++;
	return n;
}

static bool is_token(uint8_t ch)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	uint8_t small = ch | 0x20;

	return (small >= 'a' && small <= 'z') || (ch >= '0' && ch <= '9') ||
	       (ch && strchr(others, ch));
}

/* Does s begin with the word, in any case? MAYBE: as far as it goes. */
static enum recognise begins(struct span s, const char *word)
{
	for (size_t i = 0; word[i]; i++) {
		if (i == s.n)
			return RECOGNISE_MAYBE;
		if ((s.p[i] ^ (uint8_t)word[i]) & 0xdf)
			return RECOGNISE_NO;
	}
	return RECOGNISE_YES;
}

/* YES: one of them; MAYBE: the beginning of one. */
static enum recognise is_one_of(const char *const *list, size_t n,
				struct span word)
{
	enum recognise best = RECOGNISE_NO;

	for (size_t i = 0; i < n; i++) {
		enum recognise r = begins(word, list[i]);

		if (r == RECOGNISE_YES && strlen(list[i]) == word.n)
			return r;
		if (r == RECOGNISE_MAYBE)
			best = r;
	}
	return best;
}

/* YES: one of those we know; LIKELY: a rare one; MAYBE: the beginning of one. */
static enum recognise is_method(struct span word)
{
	enum recognise known = is_one_of(
		methods, sizeof(methods) / sizeof(methods[0]), word);
	enum recognise other;

	if (known == RECOGNISE_YES)
		return known;
	other = is_one_of(rare, sizeof(rare) / sizeof(rare[0]), word);
	if (other == RECOGNISE_YES)
		return RECOGNISE_LIKELY;
	return known == RECOGNISE_MAYBE ? known : other;
}

/* The second form of what proxies put in front. */
static const char proxy_2[] = "\r\n\r\n\0\r\nQUIT\n";

/* XML or JSON, in whatever encoding: does it begin as one of them? */
static bool is_text(struct span in)
{
	struct span two = span_sub(in, 0, 2);

	return in.n && ((in.p[0] && strchr("<{[\xef", in.p[0])) || span_is(two, "\xfe\xff") ||
			span_is(two, "\xff\xfe") ||
			(two.n == 2 && two.p[0] == 0 && two.p[1] == '<'));
}

/* A document of oBIX that nothing carries: refused, where it may be. */
static enum recognise is_bare(struct span in)
{
	struct err e;

	switch (obix_recognise(span_sub(in, 0, OBIX_WINDOW),
			       in.n >= OBIX_WINDOW, (struct span){0}, &e)) {
	case OBIX_YES:
	case OBIX_BAD: /* what a body may not be */
		return RECOGNISE_YES;
	case OBIX_MORE:
		return RECOGNISE_MAYBE;
	default:
		return RECOGNISE_NO;
	}
}

/* A status line; or a word and what may be a target: a path, an asterisk, a
 * URI, or anything behind the name of a method. Servers overlook empty lines in
 * front, and what blanks stand between. Only what began as a method waits for
 * more: others may be waiting for an answer. */
static enum recognise looks_right(struct span in)
{
	size_t word = 0, at;
	struct span behind;
	enum recognise r;

	at = in.n < sizeof(proxy_2) - 1 ? in.n : sizeof(proxy_2) - 1;
	if (span_eq(span_sub(in, 0, at), span_of(proxy_2, at)))
		return at == sizeof(proxy_2) - 1 ? RECOGNISE_YES :
						   RECOGNISE_MAYBE;
	at = white_in_front(in);
	/* Nothing else begins like that; what follows may be a request. */
	if (at >= EMPTY_MAX)
		return RECOGNISE_YES;
	in = span_from(in, at);
	if (is_text(in))
		return is_bare(in);
	r = begins(in, "HTTP/");
	if (r != RECOGNISE_NO)
		return r;
	while (word < in.n && word < LINE_SHOWN && is_token(in.p[word]))
		word++;
	if (word < in.n && (word == 0 || !is_blank(in.p[word])))
		return RECOGNISE_NO;
	r = is_method(span_sub(in, 0, word));
	if (word == in.n)
		return r == RECOGNISE_NO ? r : RECOGNISE_MAYBE;
	behind = span_from(in, word + 1);
	while (behind.n && is_blank(behind.p[0]))
		behind = span_from(behind, 1);
	if (behind.n == 0)
		return r >= RECOGNISE_YES ? RECOGNISE_MAYBE : RECOGNISE_NO;
	if (behind.p[0] == '/' || behind.p[0] == '*' || r == RECOGNISE_YES)
		return RECOGNISE_YES;
	return begins(behind, "http") == RECOGNISE_YES ? RECOGNISE_YES
						       : RECOGNISE_NO;
}

/* What stands behind "HTTP/" at the end of a request line: a version, and
 * nothing but blanks. LIKELY: as far as it goes. A log that quotes requests goes
 * on. */
static enum recognise ends_line(struct span in)
{
	size_t i = 0;

	while (i < in.n && ((in.p[i] >= '0' && in.p[i] <= '9') ||
			    in.p[i] == '.' || is_blank(in.p[i])))
		i++;
	if (i == in.n)
		return RECOGNISE_LIKELY;
	return in.p[i] == '\r' || in.p[i] == '\n' ? RECOGNISE_SURE :
						    RECOGNISE_YES;
}

/* The same in front of a status line. */
static enum recognise begins_line(struct span in)
{
	static const char form[] = "HTTP/1.d d";
	size_t i = 0;

	for (; i < in.n && form[i]; i++) {
		if (form[i] == 'd' ? in.p[i] < '0' || in.p[i] > '9' :
				     in.p[i] != (uint8_t)form[i])
			return RECOGNISE_YES;
	}
	return form[i] ? RECOGNISE_LIKELY : RECOGNISE_SURE;
}

/* A version where the first line ends, or begins, which other text that begins
 * like a request does not have. */
static enum recognise how_sure(struct span in)
{
	size_t i = white_in_front(in);
	enum recognise best = begins_line(span_from(in, i));

	for (; i < in.n && i < LINE_SHOWN && in.p[i] != '\n'; i++) {
		enum recognise r;

		if (begins(span_from(in, i), " HTTP/") != RECOGNISE_YES)
			continue;
		r = ends_line(span_from(in, i + 6));
		if (r > best)
			best = r;
	}
	if (best == RECOGNISE_YES && in.n <= i && i < LINE_SHOWN)
		best = RECOGNISE_LIKELY;
	return best;
}

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	enum recognise r;

	/* Over UDP it is nobody's protocol here, and refused where it stands: a
	 * datagram is all there is, so that nothing waits for more. Documents
	 * without a head are not HTTP's to tell there. */
	if (ip_proto != PROTO_TCP) {
		if (is_text(span_from(first, white_in_front(first))))
			return RECOGNISE_NO;
		return looks_right(first) == RECOGNISE_YES ? how_sure(first) :
							     RECOGNISE_NO;
	}
	r = looks_right(first);
	if (r == RECOGNISE_YES)
		return how_sure(first);
	/* What comes over the registered port is ours to refuse. */
	return r == RECOGNISE_NO && (sport == PORT || dport == PORT) ?
		       RECOGNISE_MAYBE :
		       r;
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
			       .other_waits = c->other_waits,
			       .plain = m->plain,
			       .seen = m->seen,
			       .obix = machine_obix(m),
			       .exact = exact};
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	struct http_machine *m = c->machine;
	struct http_found *f = &m->found;
	struct cutter k = cutter(c, false);
	enum frame fr;

	f->unit = (struct span){0};
	*len = 0;
	if (c->tup.proto != PROTO_TCP) {
		err_reason(e, E_UNSUPPORTED, REASON_UNKNOWN_PROTOCOL, 0,
			   "HTTP over UDP");
		return FRAME_BAD;
	}
	fr = http_cut(&k, in, &f->x, e);
	if (fr != FRAME_UNIT)
		return fr;
	*len = f->x.len;
	f->unit = span_sub(in, 0, f->x.len);
	f->dir = c->dir;
	f->other_waits = c->other_waits;
	memcpy(&f->flow, c->flow, sizeof(f->flow));
	return fr;
}

/* What frame() found. Its octets are only known to be the same until anything
 * else is asked. */
static enum frame cut_found(const struct dis_ctx *c, struct span unit,
			    struct piece *x, struct err *e)
{
	struct http_machine *m = c->machine;
	struct http_found *f = &m->found;
	struct cutter k = cutter(c, true);
	bool same = unit.n && unit.n == f->unit.n && unit.p == f->unit.p &&
		    c->dir == f->dir && c->other_waits == f->other_waits &&
		    memcmp(c->flow, &f->flow, sizeof(f->flow)) == 0;

	f->unit = (struct span){0};
	if (!same)
		return http_cut(&k, unit, x, e);
	*x = f->x;
	return FRAME_UNIT;
}

static void skip(const struct dis_ctx *c, struct span unit)
{
	struct piece x;
	struct err e;

	/* It was framed just now: it can be cut. */
	if (cut_found(c, unit, &x, &e) != FRAME_UNIT)
		return;
	if (x.next.kind == BODY_OBIX)
		obix_skip(&x.next.scan, x.body);
	http_advance(c->flow, c->dir, &x, 0, 0);
}

/* A body that ends with the connection may end here; its document may not. One
 * that was refused with the connection need not come. */
static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	const struct http_flow *f = c->flow;
	const struct http_side *s = &f->side[c->dir];

	if (rest.n)
		return REASON_INCOMPLETE;
	if (s->stage != SIDE_BODY || s->spared)
		return REASON_NONE;
	return s->framing == FRAMING_CLOSE && s->scan.depth == 0 ?
		       REASON_NONE :
		       REASON_INCOMPLETE;
}

/* --- reading ----------------------------------------------------------------------- */

static int find_row(struct message *msg)
{
	const struct piece *x = &msg->x;

	if (x->request && x->has_head)
		return row_take(msg->m, &x->head, &msg->row, msg->e);
	msg->row = row_find(msg->m, x->next.row, x->next.serial);
	if (msg->row || x->unpaired || msg->c->lenient)
		return 0;
	return err_reason(msg->e, E_STATE, REASON_UNPAIRED, 0,
			  "the request it belongs to is no longer known");
}

/* Is there still something to come that belongs to a request: the rest of it,
 * or its answer? A server may answer before it has all (RFC 9110 7.5). */
static bool needed(const struct http_flow *f, uint16_t row, uint32_t serial)
{
	for (unsigned d = 0; d < 2; d++) {
		const struct http_side *s = &f->side[d];

		if (f->client == 1 + d && s->stage == SIDE_BODY &&
		    s->row == row && s->serial == serial)
			return true;
	}
	for (unsigned i = 0; i < f->n; i++) {
		const struct http_asked *a =
			&f->asked[(f->first + i) % ASKED_MAX];

		if (a->row == row && a->serial == serial)
			return true;
	}
	return false;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct message msg = {.c = c,
			      .m = c->machine,
			      .unit = unit,
			      .out = out,
			      .e = e};
	struct http_machine *m = msg.m;
	uint32_t mark = out->n;
	int rc;

	memcpy(&m->was, c->flow, sizeof(m->was));
	m->waits = true;
	m->read = false;
	m->row_taken = m->row_freed = 0;
	if (cut_found(c, unit, &msg.x, e) != FRAME_UNIT || msg.x.len != unit.n)
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
	if (msg.row && msg.x.ends &&
	    !needed(c->flow, (uint16_t)(msg.row - m->row + 1), msg.row->serial))
		m->row_freed = (uint16_t)(msg.row - m->row + 1);
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
	.answer = http_answer,
	.leftover = leftover,
};
