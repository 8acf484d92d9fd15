/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/dns.h"

#include "dissectors/net/asked.h"
#include "dissectors/net/cookie.h"

#define PORT_DNS      53
#define PORT_MDNS     5353
#define HEADER	      12
#define POINTERS_MAX  16
#define RECORDS_MAX   128
#define WIRE_NAME_MAX 255
#define CLASS_IN      1
#define STREAM_MAX    8192 /* with the length in front */

#define FLAG_ANSWER 0x8000
#define FLAGS_QUERY 0x0130 /* recursion wanted, AD, CD: all a query may set */
#define FLAG_NEVER  0x7840 /* other operations, and the reserved bit */
#define FLAGS_RCODE 0x000f

enum { TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12,
       TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_DS = 43, TYPE_DNSKEY = 48,
       TYPE_TKEY = 249 }; /* .. 255 ask only */
enum { RCODE_FORMERR = 1, RCODE_NOTIMP = 4 };

struct query {
	bool used, has_cookie;
	uint8_t n;
	uint16_t id, type;
	int64_t at_ns;
	struct net_tuple tup; /* as the query went */
	uint8_t cookie[COOKIE_CLIENT];
	uint8_t name[DNS_NAME_MAX];
};

struct dns_machine {
	struct query q[DNS_OUTSTANDING_MAX];
	struct query next; /* what the message read last asks */
	uint32_t place;	   /* where it goes, or the query it answers */
	enum { NOTHING, ASKED, ANSWERED } change;
	struct cookies cookies;
};

static int bad(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* --- names ------------------------------------------------------------------ */

static bool label_char(uint8_t *c)
{
	if (*c >= 'A' && *c <= 'Z')
		*c = (uint8_t)(*c | 0x20);
	return (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
	       *c == '-' || *c == '_';
}

/* Lets the cursor follow a pointer; false when it does not go backwards. */
static bool follow(struct cur *at, uint8_t high, size_t *below)
{
	size_t to = (size_t)(high & 0x3f) << 8 | cur_u8(at);

	if (!cur_ok(at) || to < HEADER || to >= *below)
		return false;
	*below = to;
	at->off = to;
	return true;
}

/* A name at c; text may be NULL. Bounded: pointers only go back, and no name
 * is longer than 255 octets. strict: no pointers, and only label_char. */
static bool name_read(struct cur *c, bool strict, uint8_t *text, size_t *n)
{
	struct cur at = *c;
	size_t below = c->off, wire = 1;
	unsigned jumps = 0;

	*n = 0;
	for (;;) {
		uint8_t len = cur_u8(&at);
		struct span label;

		if (len >= 0xc0) {
			bool first = jumps == 0;
			struct cur behind = at;

			(void)cur_u8(&behind);
			if (strict || ++jumps > POINTERS_MAX ||
			    !follow(&at, len, &below))
				return false;
			if (first)
				*c = behind;
			continue;
		}
		wire += (size_t)len + 1;
		if (len > 63 || wire > WIRE_NAME_MAX + 1 || !cur_ok(&at))
			return false;
		if (len == 0)
			break;
		label = cur_take(&at, len);
		if (text && *n > 0)
			text[(*n)++] = '.';
		for (size_t i = 0; text && i < label.n; i++) {
			text[*n] = label.p[i];
			if (!label_char(&text[(*n)++]))
				return false;
		}
	}
	if (jumps == 0)
		*c = at;
	return cur_ok(&at) && cur_ok(c);
}

/* --- messages ----------------------------------------------------------------- */

static bool data_fits(const struct cur *c, uint16_t type, uint16_t len)
{
	struct cur name = *c;
	size_t n;

	switch (type) {
	case TYPE_A:
		return len == 4;
	case TYPE_AAAA:
		return len == 16;
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_PTR:
		return name_read(&name, false, NULL, &n) &&
		       name.off == c->off + len;
	default:
		return true;
	}
}

/* Options of EDNS (RFC 6891 6.1.2) that a stub and its resolver need, and how
 * long each may be; what is in none of them could carry anything. */
enum { OPT_NSID = 3, OPT_COOKIE = 10, OPT_KEEPALIVE = 11, OPT_PADDING = 12,
       OPT_ERROR = 15, OPT_KNOWN = 16 };

static bool option_fits(uint16_t code, struct span data, bool answer)
{
	switch (code) {
	case OPT_NSID: /* RFC 5001 2 */
		return answer ? data.n <= 64 : data.n == 0;
	case OPT_COOKIE: /* RFC 7873 4 */
		return data.n == COOKIE_CLIENT ||
		       (data.n >= COOKIE_CLIENT + COOKIE_SERVER_MIN &&
			data.n <= COOKIE_CLIENT + COOKIE_SERVER_MAX);
	case OPT_KEEPALIVE: /* RFC 7828 3.1 */
		return answer ? data.n == 2 : data.n == 0;
	case OPT_PADDING: /* RFC 7830 3 */
		return net_zero(data);
	case OPT_ERROR: /* RFC 8914 2 */
		return answer && data.n >= 2 && data.n <= 256;
	default:
		return false;
	}
}

static bool options_fit(struct dns_message *m, struct span data)
{
	struct cur c = cur_of(data);
	uint32_t seen = 0;

	while (cur_left(&c)) {
		uint16_t code = cur_u16(&c);
		struct span text = cur_take(&c, cur_u16(&c));

		if (!cur_ok(&c) || code >= OPT_KNOWN || seen & 1u << code ||
		    !option_fits(code, text, m->answer))
			return false;
		if (code == OPT_COOKIE)
			m->cookie = text;
		seen |= 1u << code;
	}
	return true;
}

static int record(struct dns_message *m, struct cur *c, bool additional,
		  bool *opt, struct err *e)
{
	size_t at = c->off, n;
	uint16_t type, class, len;
	uint32_t ttl;

	if (!name_read(c, false, NULL, &n))
		return bad(e, REASON_MALFORMED, "name of a record");
	n = c->off - at;
	type = cur_u16(c);
	class = cur_u16(c);
	ttl = cur_u32(c);
	len = cur_u16(c);
	if (!cur_ok(c) || len > cur_left(c))
		return bad(e, REASON_MALFORMED, "cut short");
	if (type == TYPE_OPT) {
		/* RFC 6891 6.1: one, of the root, version 0; of the flags only
		 * DO, and a result in answers. */
		if (!additional || *opt || n != 1 || ttl & 0xff7fff ||
		    (!m->answer && ttl >> 24))
			return bad(e, REASON_SUSPICIOUS, "OPT record");
		if (!options_fit(m, cur_peek(c, len)))
			return bad(e, REASON_SUSPICIOUS,
				   "an option that is not read");
		*opt = true;
	} else if (class != CLASS_IN || ttl >> 31 || type == 0 ||
		   (type >= TYPE_TKEY && type <= 255)) {
		return bad(e, REASON_SUSPICIOUS, "class, TTL or type");
	} else if (!data_fits(c, type, len)) {
		return bad(e, REASON_MALFORMED, "data of a record");
	}
	(void)cur_take(c, len);
	return 0;
}

/* What resolvers that validate ask of the root, and dig when it is told
 * nothing. */
static bool root_has(uint16_t type)
{
	return type == TYPE_NS || type == TYPE_SOA || type == TYPE_DS ||
	       type == TYPE_DNSKEY;
}

static int question(struct dns_message *m, struct cur *c, struct arena *arena,
		    struct err *e)
{
	uint8_t text[WIRE_NAME_MAX + 2];
	size_t n;

	if (!name_read(c, true, text, &n) || n > DNS_NAME_MAX)
		return bad(e, REASON_MALFORMED, "name of the question");
	m->type = cur_u16(c);
	if (cur_u16(c) != CLASS_IN)
		return bad(e, REASON_SUSPICIOUS, "class of the question");
	if (m->type == 0 || m->type == TYPE_OPT ||
	    (m->type >= TYPE_TKEY && m->type <= 255))
		return bad(e, REASON_SUSPICIOUS, "type of the question");
	if (n == 0 && !root_has(m->type))
		return bad(e, REASON_SUSPICIOUS, "a question of the root");
	if (n == 0)
		text[n++] = '.';
	m->name = arena_copy(arena, span_of(text, n));
	return m->name.p ? 0 : bad(e, REASON_RESOURCE, "no room for the name");
}

/* --- what a name stands for ---------------------------------------------------- */

struct alias {
	uint8_t name[WIRE_NAME_MAX + 2];
	size_t n;
	uint32_t ttl; /* shortest so far */
};

/* One record of the answer section, read before: an address of the name, or
 * the name it stands for instead. */
static void follow_record(struct dns_message *m, struct cur *c,
			  const struct alias *of, struct alias *next)
{
	uint8_t owner[WIRE_NAME_MAX + 2];
	size_t n, len;
	struct cur at = *c, data;
	bool named = name_read(&at, false, owner, &n);
	uint16_t type;
	uint32_t ttl;

	/* Names of other letters are passed over, and stand for nothing. */
	if (!named)
		(void)name_read(c, false, NULL, &n);
	else
		*c = at;
	type = cur_u16(c);
	(void)cur_u16(c);
	ttl = cur_u32(c);
	len = cur_u16(c);
	data = *c;
	(void)cur_take(c, len);
	if (!named || n != of->n || memcmp(owner, of->name, n) != 0)
		return;
	ttl = ttl < of->ttl ? ttl : of->ttl;
	if (type == TYPE_CNAME && next->n == 0 &&
	    name_read(&data, false, next->name, &next->n)) {
		next->ttl = ttl;
	} else if (type == m->type && (type == TYPE_A || type == TYPE_AAAA) &&
		   m->n_addr < DNS_ADDRESSES_MAX) {
		struct net_addr *a = &m->addr[m->n_addr++];
		struct span octets = cur_take(&data, len);

		*a = (struct net_addr){{0}};
		if (type == TYPE_A)
			a->b[10] = a->b[11] = 0xff;
		memcpy(a->b + sizeof(a->b) - octets.n, octets.p, octets.n);
		m->ttl = m->n_addr == 1 || ttl < m->ttl ? ttl : m->ttl;
	}
}

/* n records from c on. One after another or in any order: aliases are
 * followed one by one, at most so many. */
static void stands_for(struct dns_message *m, const struct cur *c, uint16_t n)
{
	struct alias of = {.n = m->name.n, .ttl = UINT32_MAX};

	memcpy(of.name, m->name.p, m->name.n);
	for (unsigned hop = 0; hop <= DNS_ALIASES_MAX; hop++) {
		struct alias next = {.n = 0};
		struct cur at = *c;

		for (uint16_t i = 0; i < n; i++)
			follow_record(m, &at, &of, &next);
		if (m->n_addr || next.n == 0)
			return;
		of = next;
	}
}

/* RFC 6891 7: of a server that does not understand the question. */
static bool is_bare(bool answer, uint16_t flags, const uint16_t n[4])
{
	uint16_t code = flags & FLAGS_RCODE;

	return answer && !(flags & FLAG_NEVER) &&
	       (code == RCODE_FORMERR || code == RCODE_NOTIMP) && n[0] == 0 &&
	       n[1] == 0 && n[2] == 0 && n[3] == 0;
}

/* The numbers of the header: one question, and in a query nothing but OPT. */
static bool counts_fit(bool answer, uint16_t flags, const uint16_t n[4])
{
	if (flags & FLAG_NEVER || n[0] != 1)
		return false;
	if (answer)
		return n[1] + n[2] + n[3] <= RECORDS_MAX;
	return !(flags & ~FLAGS_QUERY) && n[1] == 0 && n[2] == 0 && n[3] <= 1;
}

int dns_read(struct dns_message *m, struct span in, struct arena *arena,
	     struct err *e)
{
	struct cur c = cur_of(in);
	uint16_t flags, n[4];
	bool opt = false;
	struct cur first;
	uint32_t records;
	int rc;

	*m = (struct dns_message){.id = cur_u16(&c)};
	flags = cur_u16(&c);
	for (int i = 0; i < 4; i++)
		n[i] = cur_u16(&c);
	m->answer = flags & FLAG_ANSWER;
	if (!cur_ok(&c))
		return bad(e, REASON_MALFORMED, "cut short");
	m->bare = is_bare(m->answer, flags, n);
	if (m->bare)
		return cur_done(&c) ? 0 : bad(e, REASON_SUSPICIOUS,
					      "octets behind the message");
	if (!counts_fit(m->answer, flags, n))
		return bad(e, REASON_SUSPICIOUS, "flags or counts");
	rc = question(m, &c, arena, e);
	if (rc)
		return rc;
	records = (uint32_t)n[1] + n[2] + n[3];
	first = c;
	for (uint32_t i = 0; i < records; i++) {
		rc = record(m, &c, i >= (uint32_t)n[1] + n[2], &opt, e);
		if (rc)
			return rc;
	}
	if (!cur_done(&c))
		return bad(e, REASON_SUSPICIOUS, "octets behind the message");
	if (!m->answer && n[3] && !opt)
		return bad(e, REASON_SUSPICIOUS, "a record in a query");
	if (m->answer && !(flags & FLAGS_RCODE))
		stands_for(m, &first, n[1]);
	return 0;
}

/* --- recognising and framing --------------------------------------------------- */

#define QUESTION_MIN (HEADER + 5) /* octets of a message with one */

/* Flags and counts, as many octets of them as there are. */
static bool header_begun(struct span in)
{
	static const uint8_t never[] = {FLAG_NEVER >> 8, FLAG_NEVER & 0xff};
	static const uint8_t query[] = {FLAGS_QUERY >> 8, FLAGS_QUERY & 0xff};
	bool answer = in.n && in.p[0] & FLAG_ANSWER >> 8;

	for (size_t i = 0; i < in.n && i < 2; i++) {
		if (answer ? in.p[i] & never[i] : in.p[i] & ~query[i])
			return false;
	}
	if ((in.n > 2 && in.p[2]) || (in.n > 3 && in.p[3] != 1))
		return false;
	/* RECORDS_MAX, or none and one. */
	for (size_t i = 4; i < in.n && i < 10; i++) {
		unsigned most = answer ? RECORDS_MAX : i == 9;

		if (in.p[i] > (i & 1 ? most : 0))
			return false;
	}
	return true;
}

/* A question that is cut short, or not. */
static enum recognise question_begun(struct span in, size_t off, bool whole)
{
	uint8_t memory[WIRE_NAME_MAX + 32];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct cur c = {.in = in, .off = off};
	struct dns_message m = {0};
	size_t wire = 1;
	struct err e;
	uint8_t len;

	while ((len = cur_u8(&c)) != 0 && cur_ok(&c)) {
		struct span label = cur_peek(
			&c, len < cur_left(&c) ? len : cur_left(&c));

		wire += (size_t)len + 1;
		if (len > 63 || wire > WIRE_NAME_MAX)
			return RECOGNISE_NO;
		for (size_t i = 0; i < label.n; i++) {
			uint8_t ch = label.p[i];

			if (!label_char(&ch))
				return RECOGNISE_NO;
		}
		(void)cur_take(&c, len);
	}
	if (!cur_ok(&c) || cur_left(&c) < 4)
		return whole ? RECOGNISE_NO : RECOGNISE_LIKELY;
	c = (struct cur){.in = in, .off = off};
	return question(&m, &c, &arena, &e) ? RECOGNISE_NO : RECOGNISE_SURE;
}

/* With its length in front (RFC 1035 4.2.2), one message or the beginning of
 * one: a header that asks one thing, and what it asks. */
static enum recognise over_tcp(struct span in)
{
	size_t n = in.n ? (size_t)in.p[0] << 8 : 0;

	if (in.n < 2)
		return in.n && n < STREAM_MAX ? RECOGNISE_BEGUN : RECOGNISE_NO;
	n |= in.p[1];
	if (n < QUESTION_MIN || n + 2 > STREAM_MAX ||
	    !header_begun(span_from(in, 4)))
		return RECOGNISE_NO;
	if (in.n < 2 + HEADER)
		return RECOGNISE_BEGUN;
	in = span_sub(in, 2, n);
	return question_begun(in, HEADER, in.n == n);
}

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	uint8_t memory[WIRE_NAME_MAX + 32];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct dns_message m;
	struct err e = {0};

	if (ip_proto != PROTO_TCP && ip_proto != PROTO_UDP)
		return RECOGNISE_NO;
	/* What comes over the registered ports is ours to refuse. */
	if (sport == PORT_DNS || dport == PORT_DNS || sport == PORT_MDNS ||
	    dport == PORT_MDNS)
		return RECOGNISE_MAYBE;
	if (ip_proto == PROTO_TCP)
		return over_tcp(first);
	/* A whole message, to its last octet: nothing else looks so, and a flow
	 * that nobody reads does not turn into one. */
	return dns_read(&m, first, &arena, &e) == 0 && !m.bare ?
		       RECOGNISE_SURE :
		       RECOGNISE_NO;
}

static void machine_init(void *machine, const void *conf)
{
	(void)machine; /* zero: nothing was asked */
	(void)conf;
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	struct cur at = cur_of(in);
	size_t n;

	*len = in.n;
	if (c->tup.proto == PROTO_UDP)
		return FRAME_UNIT;
	n = cur_u16(&at);
	*len = 0;
	if (!cur_ok(&at))
		return FRAME_MORE;
	if (n < HEADER || n + 2 > STREAM_MAX) {
		bad(e, n < HEADER ? REASON_MALFORMED : REASON_TOO_LONG,
		    "length of the message");
		return FRAME_BAD;
	}
	*len = n + 2;
	return in.n < *len ? FRAME_MORE : FRAME_UNIT;
}

/* --- queries and their answers -------------------------------------------------- */

static bool alive(const struct query *q, const struct now *now)
{
	return q->used && now->mono.ns - q->at_ns <= DNS_WAIT_NS;
}

/* A bare answer is to whatever its number was given to. */
static bool is_of(const struct query *q, const struct dns_message *m)
{
	return q->id == m->id &&
	       (m->bare || (q->type == m->type &&
			    span_eq(span_of(q->name, q->n), m->name)));
}

static bool pair(struct dns_machine *s, const struct dis_ctx *c,
		 const struct dns_message *m)
{
	for (uint32_t i = 0; i < DNS_OUTSTANDING_MAX; i++) {
		const struct query *q = &s->q[i];

		if (!alive(q, &c->now) || !is_of(q, m) ||
		    !net_reversed(&q->tup, &c->tup))
			continue;
		s->place = i;
		s->change = ANSWERED;
		return true;
	}
	return false;
}

static void remember(struct dns_machine *s, const struct dis_ctx *c,
		     const struct dns_message *m)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < DNS_OUTSTANDING_MAX; i++) {
		if (!s->q[i].used) {
			oldest = i;
			break;
		}
		if (s->q[i].at_ns < s->q[oldest].at_ns)
			oldest = i;
	}
	s->next = (struct query){.used = true, .n = (uint8_t)m->name.n,
				 .id = m->id, .type = m->type,
				 .at_ns = c->now.mono.ns, .tup = c->tup};
	memcpy(s->next.name, m->name.p, m->name.n);
	s->next.has_cookie = m->cookie.n;
	if (m->cookie.n)
		memcpy(s->next.cookie, m->cookie.p, COOKIE_CLIENT);
	s->place = oldest;
	s->change = ASKED;
}

/* The cookie of a message, once it is known whose answer it is. */
static int check_cookie(struct dns_machine *s, const struct dis_ctx *c,
			const struct dns_message *m, struct err *e)
{
	const struct query *q = &s->q[s->place];

	if (m->cookie.n == 0 || c->lenient)
		return 0;
	if (!m->answer)
		return cookie_ask(&s->cookies, m->cookie, &c->tup.dst,
				  c->now.mono.ns, e);
	if (!q->has_cookie ||
	    !span_eq(span_of(q->cookie, COOKIE_CLIENT),
		     span_sub(m->cookie, 0, COOKIE_CLIENT)))
		return bad(e, REASON_UNPAIRED, "a cookie nobody showed");
	cookie_given(&s->cookies, m->cookie, &c->tup.src);
	return 0;
}

static int say_addresses(struct obs *o, const struct dns_message *m,
			 struct arena *arena, struct err *e)
{
	for (uint32_t i = 0; i < m->n_addr; i++) {
		struct span a = arena_copy(arena, span_of(m->addr[i].b, 16));

		if (!a.p)
			return bad(e, REASON_RESOURCE, "no room for addresses");
		obs_span(o, F_DNS_ADDRESS, a);
	}
	if (m->n_addr)
		obs_u64(o, F_DNS_TTL, m->ttl);
	return 0;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	struct dns_machine *s = c->machine;
	const struct dns_conf *conf = c->conf;
	struct span in = span_from(unit, c->tup.proto == PROTO_TCP ? 2 : 0);
	struct dns_message m;
	bool paired = true;
	struct obs *o;
	int rc;

	s->change = NOTHING;
	s->cookies.change = false;
	rc = dns_read(&m, in, c->arena, e);
	if (rc)
		return rc;
	if ((m.answer ? c->tup.sport : c->tup.dport) != PORT_DNS)
		return bad(e, REASON_SUSPICIOUS, "DNS on another port");
	if (!m.answer && conf && !c->lenient &&
	    !net_addr_eq(&c->tup.dst, &conf->resolver))
		return bad(e, REASON_RESOLVER, "not the configured resolver");
	if (m.answer)
		paired = pair(s, c, &m);
	else
		remember(s, c, &m);
	if (!paired && (!c->lenient || m.bare))
		return bad(e, REASON_UNPAIRED, "nobody asked that");
	if (m.bare) {
		m.type = s->q[s->place].type;
		m.name = arena_copy(c->arena, span_of(s->q[s->place].name,
						      s->q[s->place].n));
		if (!m.name.p)
			return bad(e, REASON_RESOURCE, "no room for the name");
	}
	rc = check_cookie(s, c, &m, e);
	if (rc)
		return rc;
	if (out->cap - out->n < 2)
		return bad(e, REASON_TOO_MANY_UNITS, "no room");
	o = obs_add(out, OBS_FLOW_OPEN);
	if (o && !paired)
		obs_u64(o, F_NOTE, REASON_UNPAIRED);
	o = obs_add(out, m.answer ? OBS_DNS_ANSWER : OBS_DNS_QUERY);
	if (o) {
		obs_span(o, F_DNS_NAME, m.name);
		obs_u64(o, F_DNS_TYPE, m.type);
		obs_u64(o, F_OCTETS, unit.n);
		if (conf && net_addr_eq(&c->tup.src, &conf->resolver))
			return say_addresses(o, &m, c->arena, e);
	}
	return 0;
}

static void settle(const struct dis_ctx *c, bool passed)
{
	struct dns_machine *s = c->machine;

	if (passed && s->change == ASKED)
		s->q[s->place] = s->next;
	else if (passed && s->change == ANSWERED)
		s->q[s->place].used = false;
	s->change = NOTHING;
	cookie_settle(&s->cookies, passed);
}

static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	return rest.n ? REASON_INCOMPLETE : REASON_NONE;
}

const struct dissector dissector_dns = {
	.name = "dns",
	.max_stream = STREAM_MAX,
	.max_datagram = 65535,
	.machine_size = sizeof(struct dns_machine),
	.carrier = OBS_FLOW_OPEN,
	.recognise = recognise,
	.machine_init = machine_init,
	.frame = frame,
	.dissect = dissect,
	.settle = settle,
	.leftover = leftover,
};
