/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   octets -> cut         records; where a hello, or a slice, ends
 *          -> clear.c     what else is in clear
 *          -> hello.c     what a hello says
 *          -> advance     where the connection stands then
 *
 * The flow block moves on with dissect and goes back when the unit did not
 * pass.
 */
#include "dissectors/tls/tls.h"

#include "core/siphash.h"
#include "core/wbuf.h"
#include "dissectors/tls/clear.h"
#include "dissectors/tls/record.h"

#define ALL_VERSIONS 15

struct tls_machine {
	/* The unit that waits for its verdict. */
	struct tls_flow was;
	bool waits;
	/* Scratch: a hello in one piece. */
	uint8_t plain[TLS_UNIT_MAX];
};

/* What a unit is. */
struct piece {
	size_t len;
	uint8_t hello;	  /* TLS_CLIENT_HELLO or TLS_SERVER_HELLO, 0: a slice */
	size_t message;	  /* octets of the hello, with its header */
	uint16_t version; /* of the last record of the hello */
	uint16_t left;	  /* octets missing of that record */
	struct tls_side side; /* behind it */
};

static enum frame bad(struct err *e, enum reason why, const char *what)
{
	err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
	return FRAME_BAD;
}

/* --- records --------------------------------------------------------------------- */

#define DUMMY	(T(TYPE_CCS) | T(TYPE_ALERT)) /* RFC 8446 D.4, 6 */
#define SEALED	(DUMMY | T(TYPE_DATA))

/*
 * Which records may come until both hellos were there, and which hello a
 * handshake record has. Early data are taken from clients that announced them.
 */
static const struct {
	uint8_t client, client_hello;
	uint8_t server, server_hello;
} stages[TLS_OLD] = {
	[TLS_START]   = {0,      TLS_CLIENT_HELLO, 0,             0               },
	[TLS_ASKED]   = {SEALED, 0,                T(TYPE_ALERT), TLS_SERVER_HELLO},
	[TLS_RETRY]   = {SEALED, TLS_CLIENT_HELLO, DUMMY,         0               },
	[TLS_RETRIED] = {DUMMY,  0,                DUMMY,         TLS_SERVER_HELLO},
};

static bool is_client(const struct tls_flow *f, enum dir dir)
{
	return f->client == 0 || f->client == 1 + dir;
}

static uint8_t hello_awaited(const struct tls_flow *f, enum dir dir)
{
	if (f->stage >= TLS_OLD)
		return 0;
	return is_client(f, dir) ? stages[f->stage].client_hello :
				   stages[f->stage].server_hello;
}

static unsigned types_allowed(const struct tls_flow *f, enum dir dir)
{
	const struct tls_side *s = &f->side[dir];
	unsigned t;

	if (f->stage >= TLS_OLD)
		return clear_types((enum tls_stage)f->stage, s);
	t = is_client(f, dir) ? stages[f->stage].client :
				stages[f->stage].server;
	if (!f->early)
		t &= ~T(TYPE_DATA);
	if (s->data)
		t &= ~T(TYPE_ALERT);
	if (s->over)
		t = 0;
	return hello_awaited(f, dir) ? t | T(TYPE_HANDSHAKE) : t;
}

static enum frame no_record(const struct tls_flow *f, struct span in,
			    const struct header *h, struct err *e)
{
	if (f->stage != TLS_START)
		return bad(e, REASON_CHANGED_PROTOCOL, "not a record of TLS");
	if (is_ssl2(in) || h->version == SSL_3_0)
		return bad(e, REASON_LEGACY, "SSL");
	return bad(e, REASON_MALFORMED, "not a record of TLS");
}

/* The header at the start of in: at least HEADER octets. */
static enum frame header(const struct tls_flow *f, enum dir dir, struct span in,
			 struct header *h, struct err *e)
{
	*h = header_read(in);
	if (!is_record(h))
		return no_record(f, in, h, e);
	if (!(types_allowed(f, dir) & T(h->type)))
		return bad(e, REASON_SESSION_STATE,
			   "a record that may not come now");
	/* Only the first hello may say an older one (5.1), and an alert that
	 * there is no version for both. */
	if (f->version && h->type != TYPE_ALERT && h->version != f->version)
		return bad(e, REASON_SUSPICIOUS, "version of a record");
	return FRAME_UNIT;
}

/* --- units ----------------------------------------------------------------------- */

/* x->message octets of a handshake message are in plain. FRAME_UNIT: it is the
 * hello that may come now, and *total octets long. */
static enum frame message_header(const struct tls_flow *f,
				 const struct piece *x, const uint8_t *plain,
				 size_t *total, struct err *e)
{
	struct cur c = cur_of(span_of(plain, x->message));
	uint8_t type = cur_u8(&c);

	*total = MESSAGE + cur_be(&c, 3);
	if (x->message > 0 && type != x->hello)
		return f->stage == TLS_START && type == TLS_SERVER_HELLO ?
			       bad(e, REASON_UNPAIRED, "answers no hello") :
			       bad(e, REASON_SESSION_STATE, "not a hello");
	if (!cur_ok(&c))
		return FRAME_MORE;
	if (*total > TLS_UNIT_MAX - HEADER)
		return bad(e, REASON_TOO_LONG, "a hello longer than a unit");
	return FRAME_UNIT;
}

/* The message is whole, with over octets behind it in the last record. */
static enum frame hello_ends(struct piece *x, size_t at, size_t over,
			     size_t missing, struct err *e)
{
	x->len = at - over;
	x->left = (uint16_t)(missing + over);
	/* 5.1: nothing in the record of what may change the keys; older
	 * versions have more messages behind the server's. */
	if (x->left && x->hello == TLS_CLIENT_HELLO)
		return bad(e, REASON_SUSPICIOUS, "octets behind the hello");
	return FRAME_UNIT;
}

/* A hello in one or more records, with nothing else between. */
static enum frame cut_hello(const struct tls_flow *f, enum dir dir,
			    struct span in, uint8_t *plain, struct piece *x,
			    struct err *e)
{
	struct wbuf w = wbuf_of(plain, TLS_UNIT_MAX);
	size_t at = 0, total = 0;

	while (in.n - at >= HEADER) { /* at most TLS_UNIT_MAX / HEADER */
		struct header h = header_read(span_from(in, at));
		struct span part;
		enum frame fr;

		if (is_record(&h) && h.type != TYPE_HANDSHAKE)
			return bad(e, REASON_SUSPICIOUS,
				   "a record within a message");
		fr = header(f, dir, span_from(in, at), &h, e);
		if (fr != FRAME_UNIT)
			return fr;
		if (h.n > TLS_PLAIN_MAX)
			return bad(e, REASON_MALFORMED, "length of a record");
		part = span_sub(in, at + HEADER, h.n);
		at += HEADER + part.n;
		wbuf_put(&w, part);
		x->message = w.n;
		x->version = h.version;
		fr = message_header(f, x, plain, &total, e);
		if (fr == FRAME_BAD)
			return fr;
		if (fr == FRAME_UNIT && w.n >= total) {
			x->message = total;
			return hello_ends(x, at, w.n - total, h.n - part.n, e);
		}
		/* All in the first record: what is to come is known. */
		if (fr == FRAME_UNIT && at == HEADER + w.n && h.n >= total)
			x->len = HEADER + total;
		if (part.n < h.n)
			break;
	}
	return in.n == TLS_UNIT_MAX ? bad(e, REASON_TOO_LONG,
					  "a hello longer than a unit") :
				      FRAME_MORE;
}

static bool begins_hello(const struct tls_flow *f, enum dir dir, struct span in)
{
	return in.n >= HEADER && in.p[0] == TYPE_HANDSHAKE &&
	       hello_awaited(f, dir) && !f->side[dir].over;
}

/* Past a header, or octets of a record; FRAME_MORE: there is not enough. */
static enum frame step(struct tls_flow *f, enum dir dir, struct span in,
		       size_t *n, struct err *e)
{
	struct tls_side *s = &f->side[dir];
	enum tls_stage stage = (enum tls_stage)f->stage;
	struct header h;

	if (s->left > 0 && in.n > 0)
		return clear_take(stage, s, is_client(f, dir), in, n, e) ?
			       FRAME_BAD :
			       FRAME_UNIT;
	if (in.n < HEADER)
		return FRAME_MORE;
	if (header(f, dir, in, &h, e) == FRAME_BAD ||
	    clear_begin(stage, s, h.type, h.n, e))
		return FRAME_BAD;
	*n = HEADER;
	return FRAME_UNIT;
}

/*
 * The unit at the start of in; plain: TLS_UNIT_MAX octets of scratch, where
 * the hello lies then. The same octets give the same hello however they came;
 * a slice is as long as what is there, but no header is cut.
 */
static enum frame cut(const struct tls_flow *f, enum dir dir, struct span in,
		      uint8_t *plain, struct piece *x, struct err *e)
{
	struct tls_flow at = *f;
	struct tls_side *s = &at.side[dir];
	size_t off = 0;

	in = span_sub(in, 0, TLS_UNIT_MAX);
	*x = (struct piece){.side = *s};
	for (;;) { /* an octet at least in each round */
		struct span rest = span_from(in, off);
		size_t n = 0;
		enum frame fr;

		if (s->left == 0 && begins_hello(&at, dir, rest)) {
			if (x->len)
				return FRAME_UNIT;
			x->hello = hello_awaited(f, dir);
			return cut_hello(f, dir, in, plain, x, e);
		}
		fr = step(&at, dir, rest, &n, e);
		if (fr == FRAME_BAD)
			return x->len ? FRAME_UNIT : FRAME_BAD;
		if (fr == FRAME_MORE)
			break;
		off += n;
		if (clear_whole(s)) {
			x->len = off;
			x->side = *s;
		}
	}
	if (x->len)
		return FRAME_UNIT;
	x->len = in.n < HEADER ? HEADER : 0;
	return FRAME_MORE;
}

/* How the connection stands, as far as the capture shows (dis_ctx.midstream):
 * what was not seen cannot be asked for. */
static struct tls_flow standing(const struct dis_ctx *c, struct span in)
{
	struct tls_flow f;
	struct span first = span_sub(in, 0, HEADER + 1);

	memcpy(&f, c->flow, sizeof(f));
	if (!c->midstream || f.stage != TLS_START || first.n <= HEADER)
		return f;
	if (first.p[0] != TYPE_HANDSHAKE) {
		f.stage = TLS_ANY;
	} else if (first.p[HEADER] == TLS_SERVER_HELLO) {
		f.stage = TLS_ASKED;
		f.client = (uint8_t)(1 + !c->dir);
		f.versions = ALL_VERSIONS;
		f.offered = UINT64_MAX;
		f.n_alpn = TLS_ALPN_UNSEEN;
	} else if (first.p[HEADER] != TLS_CLIENT_HELLO) {
		f.stage = TLS_ANY;
	}
	return f;
}

/* --- what a hello changes ---------------------------------------------------------- */

/* What was said before is kept as a number. Both hellos are judged as they
 * are, so that nothing is won by finding another text with the same one. */
static const struct sipkey key = {0};

/* What a second hello says as the first one did (RFC 8446 4.1.2). */
static uint64_t said(const struct tls_hello *h)
{
	uint8_t text[32 + 33 + 2 + 2 * TLS_SUITES_MAX + TLS_NAME_MAX + 1 +
		     TLS_ALPN_MAX * 256];
	struct wbuf w = wbuf_of(text, sizeof(text));

	wbuf_put(&w, h->random);
	wbuf_u8(&w, (uint8_t)h->session.n);
	wbuf_put(&w, h->session);
	wbuf_be(&w, h->suites.n, 2);
	wbuf_put(&w, h->suites);
	wbuf_u8(&w, (uint8_t)h->name.n);
	wbuf_put(&w, h->name);
	for (uint32_t i = 0; i < h->n_alpn; i++) {
		wbuf_u8(&w, (uint8_t)h->alpn[i].n);
		wbuf_put(&w, h->alpn[i]);
	}
	return siphash24(&key, wbuf_span(&w));
}

static int refuse(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_STATE, (int)why, 0, "%s", what);
}

static bool was_offered(const struct tls_flow *f, struct span protocol)
{
	uint64_t want = siphash24(&key, protocol);
	bool found = f->n_alpn == TLS_ALPN_UNSEEN;

	for (uint8_t i = 0; !found && i < f->n_alpn; i++)
		found = f->alpn[i] == want;
	return found;
}

static int client_hello(struct tls_flow *f, enum dir dir,
			const struct tls_hello *h, struct err *e)
{
	/* 4.1.2: the same but for what the server asked for. */
	if (f->stage == TLS_RETRY &&
	    (h->early || h->versions != f->versions || said(h) != f->said))
		return refuse(e, REASON_SUSPICIOUS,
			      "the second hello differs from the first");
	if ((h->cookie.n ? siphash24(&key, h->cookie) : 0) != f->cookie)
		return refuse(e, REASON_SUSPICIOUS,
			      "another cookie than the server's");
	f->stage = f->stage == TLS_RETRY ? TLS_RETRIED : TLS_ASKED;
	f->client = (uint8_t)(1 + dir);
	f->versions = h->versions;
	f->early = h->early;
	f->said = said(h);
	f->session = siphash24(&key, h->session);
	f->offered = h->has | tls_unasked();
	f->n_alpn = (uint8_t)h->n_alpn;
	for (uint32_t i = 0; i < h->n_alpn; i++)
		f->alpn[i] = siphash24(&key, h->alpn[i]);
	return 0;
}

static int server_hello(struct tls_flow *f, const struct tls_hello *h,
			const struct piece *x, struct err *e)
{
	bool now = tls_highest(h->versions) == TLS_1_3;
	uint16_t v = now ? TLS_1_2 : tls_highest(h->versions);

	if (!(h->versions & f->versions))
		return refuse(e, REASON_SUSPICIOUS,
			      "a version that was not offered");
	if (f->stage == TLS_RETRIED && (h->retry || !now))
		return refuse(e, REASON_SUSPICIOUS,
			      "another answer than the first");
	if (x->version != v)
		return refuse(e, REASON_SUSPICIOUS, "version of a record");
	if (h->has & ~f->offered)
		return refuse(e, REASON_SUSPICIOUS,
			      "an extension that was not offered");
	if (now && f->n_alpn != TLS_ALPN_UNSEEN &&
	    siphash24(&key, h->session) != f->session)
		return refuse(e, REASON_SUSPICIOUS, "another session");
	if (h->n_alpn && !was_offered(f, h->alpn[0]))
		return refuse(e, REASON_SUSPICIOUS,
			      "a protocol that was not offered");
	if (now && x->left)
		return refuse(e, REASON_SUSPICIOUS, "octets behind the hello");
	f->cookie = h->cookie.n ? siphash24(&key, h->cookie) : 0;
	f->stage = h->retry ? TLS_RETRY : now ? TLS_NEW : TLS_OLD;
	f->version = v;
	return 0;
}

/* The flow block behind that unit. */
static int advance(struct tls_flow *f, enum dir dir, const struct piece *x,
		   const struct tls_hello *h, struct err *e)
{
	int rc = 0;

	if (x->hello == TLS_CLIENT_HELLO)
		rc = client_hello(f, dir, h, e);
	else if (x->hello)
		rc = server_hello(f, h, x, e);
	if (rc == 0 && x->hello)
		clear_hello(&f->side[dir], x->left);
	else if (rc == 0)
		f->side[dir] = x->side;
	return rc;
}

/* --- the dissector ------------------------------------------------------------------ */

static void machine_init(void *machine, const void *conf)
{
	(void)machine;
	(void)conf;
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	struct tls_machine *m = c->machine;
	struct tls_flow f = standing(c, in);
	struct piece x = {0};
	enum frame fr = FRAME_MORE;

	/* Whether the start was seen shows with the octet behind it. */
	if (!c->midstream || f.stage != TLS_START || in.n > HEADER)
		fr = cut(&f, c->dir, in, m->plain, &x, e);
	*len = fr == FRAME_BAD ? 0 : x.len;
	return fr;
}

static void skip(const struct dis_ctx *c, struct span unit)
{
	struct tls_machine *m = c->machine;
	struct tls_flow f = standing(c, unit);
	size_t mark = arena_mark(c->arena);
	struct tls_hello h;
	struct piece x;
	struct err e;

	/* It was framed just now: it can be cut. A hello that cannot be read
	 * will be refused, and whatever is behind it. */
	if (cut(&f, c->dir, unit, m->plain, &x, &e) == FRAME_UNIT &&
	    (!x.hello || tls_hello_read(&h, span_of(m->plain, x.message),
					c->arena, &e) == 0) &&
	    advance(&f, c->dir, &x, &h, &e) == 0)
		memcpy(c->flow, &f, sizeof(f));
	arena_release(c->arena, mark);
}

static void state_hello(struct obs *o, const struct tls_hello *h)
{
	if (h->name.n)
		obs_span(o, F_DNS_NAME, h->name);
	for (uint32_t i = 0; i < h->n_alpn; i++)
		obs_span(o, F_ALPN, h->alpn[i]);
	for (int i = 0; i <= TLS_1_3 - TLS_1_0; i++) {
		uint16_t v = (uint16_t)(TLS_1_0 + i);

		/* Without a list only the highest one was said. */
		if (h->versions >> i & 1 &&
		    (h->listed || v == tls_highest(h->versions)))
			obs_u64(o, F_TLS_VERSION, v);
	}
	if (h->encrypted)
		obs_u64(o, F_NOTE, REASON_ENCRYPTED_HELLO);
}

/* A carrier and its leaf. */
static int state_unit(struct obs_list *out, const struct tls_hello *h,
		      size_t octets, bool unseen, struct err *e)
{
	uint32_t mark = out->n;
	struct obs *o = obs_add(out, h ? OBS_TLS_HELLO : OBS_FLOW_OPEN);
	struct obs *leaf = o ? obs_add(out, OBS_OPAQUE) : NULL;

	if (!leaf) {
		out->n = mark;
		return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "no room");
	}
	if (h) {
		state_hello(o, h);
		leaf->also = OBS_TLS_HELLO;
	}
	obs_u64(o, F_OCTETS, octets);
	if (unseen)
		obs_u64(o, F_NOTE, REASON_MIDSTREAM);
	obs_u64(leaf, F_OCTETS, octets);
	return 0;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct tls_machine *m = c->machine;
	struct tls_flow f = standing(c, unit);
	bool unseen;
	struct tls_hello h;
	struct piece x;
	int rc = 0;

	memcpy(&m->was, c->flow, sizeof(m->was));
	m->waits = true;
	unseen = m->was.stage == TLS_START && f.stage != TLS_START;
	if (cut(&f, c->dir, unit, m->plain, &x, e) != FRAME_UNIT ||
	    x.len != unit.n)
		return err_reason(e, E_SYNTAX,
				  e->reason ? e->reason : REASON_SUSPICIOUS,
				  e->off, "not the unit it was");
	if (x.hello)
		rc = tls_hello_read(&h, span_of(m->plain, x.message), c->arena,
				    e);
	if (rc == 0)
		rc = advance(&f, c->dir, &x, &h, e);
	if (rc == 0)
		rc = state_unit(out, x.hello ? &h : NULL, unit.n, unseen, e);
	if (rc == 0)
		memcpy(c->flow, &f, sizeof(f));
	return rc;
}

static void settle(const struct dis_ctx *c, bool passed)
{
	struct tls_machine *m = c->machine;

	if (m->waits && !passed)
		memcpy(c->flow, &m->was, sizeof(m->was));
	m->waits = false;
}

static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	return rest.n ? REASON_INCOMPLETE : REASON_NONE;
}

/* Both hellos were read, their answer is what both agreed on, and nothing is in
 * clear any more. */
static bool sealed(const struct dis_ctx *c)
{
	struct tls_flow f;

	memcpy(&f, c->flow, sizeof(f));
	return f.stage == TLS_NEW
		       ? f.side[0].data && f.side[1].data
		       : f.stage == TLS_OLD && f.side[0].finished &&
				 f.side[1].finished;
}

const struct dissector dissector_tls = {
	.name = "tls",
	.max_stream = TLS_UNIT_MAX,
	.max_datagram = 0,
	.machine_size = sizeof(struct tls_machine),
	.flow_size = sizeof(struct tls_flow),
	.carrier = OBS_FLOW_OPEN,
	.recognise = tls_recognise,
	.machine_init = machine_init,
	.frame = frame,
	.skip = skip,
	.dissect = dissect,
	.settle = settle,
	.leftover = leftover,
	.sealed = sealed,
};
