/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/record.h"

#include <assert.h>

#include "core/crc32c.h"

#define FACT_MAX 255 /* octets of one fact's value */

/* Facts that would be what was said, or a secret; audit-record.md. */
static bool left_out(enum field f)
{
	return f == F_DATA || f == F_VALUE_MIN || f == F_VALUE_MAX ||
	       f == F_AUTH_VALUE;
}

static const struct {
	uint8_t number;
	bool written;
	enum event_type type;
	const char *name;
} kinds[] = {
#define X(id, number, type, name, written, meaning)                            \
	{number, written, type, name},
	RECORD_KINDS(X)
#undef X
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum record_kind record_kind_of(const struct event *ev)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (kinds[i].type == ev->type && kinds[i].type != EV_TYPES)
			return (enum record_kind)kinds[i].number;
	}
	return 0;
}

const char *record_kind_name(unsigned kind)
{
	return kind >= 1 && kind <= N_KINDS ? kinds[kind - 1].name : "unknown";
}

uint16_t record_class(enum record_kind kind, const struct event *ev)
{
	switch (kind) {
	case RECORD_POLICY:
	case RECORD_MAINTENANCE:
	case RECORD_EXPORT:
	case RECORD_BILL:
		return RECORD_PROTECTED | RECORD_SYNC;
	case RECORD_BOOT:
	case RECORD_LOSS:
		return RECORD_PROTECTED;
	case RECORD_ATTESTATION:
		return ev->verdict == VERDICT_DENY ? RECORD_PROTECTED : 0;
	default:
		return 0;
	}
}

const struct event_rule *record_rule(const struct event *ev)
{
	const struct event_rule *first = NULL;

	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &ev->rules[i];

		if (r->rule.n == 0)
			continue;
		if (span_is(r->layer, "vendor"))
			return r;
		if (!first)
			first = r;
	}
	return first;
}

/* The record is about one observation: the one that was judged. */
static bool has_leaf(const struct record *r)
{
	return (r->kind == RECORD_ALLOW || r->kind == RECORD_DENY) &&
	       r->ev->leaves && r->ev->leaf < r->ev->n_leaves;
}

/* --- values ----------------------------------------------------------------- */

static size_t number_len(uint64_t v)
{
	return v ? (size_t)(71 - __builtin_clzll(v)) / 8 : 0;
}

static void put_number(struct wbuf *w, uint64_t v)
{
	wbuf_be(w, v, number_len(v));
}

/* In lists: length u8, then the value. */
static void put_num8(struct wbuf *w, uint64_t v)
{
	wbuf_u8(w, (uint8_t)number_len(v));
	put_number(w, v);
}

/* s, or as much of it as fits without cutting a UTF-8 sequence in two. */
static struct span fit(struct span s, size_t max, bool *cut)
{
	size_t n = max;

	if (s.n <= max)
		return s;
	*cut = true;
	while (n > 0 && max - n < 3 && (s.p[n] & 0xc0) == 0x80)
		n--;
	return span_sub(s, 0, n);
}

static void put_text8(struct wbuf *w, struct span s, size_t max, bool *cut)
{
	s = fit(s, max, cut);
	wbuf_u8(w, (uint8_t)s.n);
	wbuf_put(w, s);
}

static uint64_t get_number(struct cur *c)
{
	size_t n = cur_left(c);

	if (n > 8)
		c->failed = true;
	return n ? cur_be(c, n) : 0;
}

static uint64_t get_num8(struct cur *c)
{
	struct cur sub = cur_sub(c, cur_u8(c));
	uint64_t v = get_number(&sub);

	if (!cur_ok(&sub))
		c->failed = true;
	return v;
}

static struct span get_text8(struct cur *c)
{
	return cur_take(c, cur_u8(c));
}

/* --- observations ----------------------------------------------------------- */

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)-(int64_t)(v < 0);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

/* Numbers of reasons are not for storing, their texts are. */
static struct span note_text(const struct fact *f)
{
	return span_str(reason_text((enum reason)f->u));
}

static void put_fact(struct wbuf *w, const struct fact *f, bool *cut)
{
	wbuf_u8(w, (uint8_t)f->field);
	if (f->field == F_NOTE) {
		put_text8(w, note_text(f), FACT_MAX, cut);
		return;
	}
	switch (field_type((enum field)f->field)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		put_text8(w, span_of(f->p, f->n), FACT_MAX, cut);
		return;
	case FIELD_I64:
		put_num8(w, zigzag(f->i));
		return;
	case FIELD_U64:
	case FIELD_FLAG:
	case FIELD_MEAS:
		put_num8(w, f->u);
		return;
	}
}

static size_t fact_len(const struct fact *f)
{
	if (f->field == F_NOTE)
		return 2 + note_text(f).n;
	switch (field_type((enum field)f->field)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		return 2 + (f->n < FACT_MAX ? f->n : FACT_MAX);
	case FIELD_I64:
		return 2 + number_len(zigzag(f->i));
	default:
		return 2 + number_len(f->u);
	}
}

static void put_obs(struct wbuf *w, const struct obs *o, size_t max, bool *cut)
{
	size_t left = max - 3;

	wbuf_be(w, o->kind, 2);
	wbuf_u8(w, o->dropped);
	for (unsigned i = 0; i < o->n; i++) {
		const struct fact *f = &o->f[i];
		size_t n = fact_len(f);

		if (left_out((enum field)f->field))
			continue;
		if (n > left) {
			*cut = true;
			continue;
		}
		left -= n;
		put_fact(w, f, cut);
	}
}

static bool get_fact(struct cur *c, struct obs *o)
{
	uint8_t field = cur_u8(c);
	enum field f = (enum field)field;

	if (field >= FIELD_COUNT || left_out(f) || o->n >= OBS_MAX_FACTS)
		return false;
	if (f == F_NOTE) {
		enum reason r = reason_find(get_text8(c));

		obs_u64(o, f, r);
		return cur_ok(c) && r != REASON_NONE;
	}
	switch (field_type(f)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		obs_span(o, f, get_text8(c));
		break;
	case FIELD_I64:
		obs_i64(o, f, unzigzag(get_num8(c)));
		break;
	case FIELD_U64:
	case FIELD_FLAG:
	case FIELD_MEAS:
		obs_u64(o, f, get_num8(c));
		break;
	}
	return cur_ok(c);
}

static bool get_obs(struct cur *c, struct obs *o)
{
	uint16_t kind = cur_u16(c);

	memset(o, 0, offsetof(struct obs, f));
	if (!cur_ok(c) || kind >= OBS_COUNT)
		return false;
	o->kind = kind;
	o->dropped = cur_u8(c);
	while (cur_left(c) > 0) { /* each turn takes at least two octets */
		if (!get_fact(c, o))
			return false;
	}
	return cur_ok(c);
}

/* --- elements ---------------------------------------------------------------
 * put_x writes the value or nothing (absent); get_x reads it into the view.
 * What get_x takes too liberally, the comparison in record_decode refuses.
 */

struct put {
	struct wbuf *w;
	const struct record *r;
	const struct event *ev;
	size_t max;
	bool cut;
};

static void put_tuple(struct put *p)
{
	const struct net_tuple *t = &p->ev->tup;
	bool v4 = net_addr_is4(&t->src) && net_addr_is4(&t->dst);
	size_t skip = v4 ? 12 : 0;

	if (!p->ev->has_tuple)
		return;
	wbuf_u8(p->w, t->proto);
	wbuf_put(p->w, span_from(span_of(t->src.b, 16), skip));
	wbuf_put(p->w, span_from(span_of(t->dst.b, 16), skip));
	wbuf_be(p->w, t->sport, 2);
	wbuf_be(p->w, t->dport, 2);
}

static void get_addr(struct cur *c, struct net_addr *a, size_t n)
{
	struct span s = cur_take(c, n);

	memset(a, 0, sizeof(*a));
	if (s.n == 4)
		a->b[10] = a->b[11] = 0xff;
	if (s.n)
		memcpy(a->b + sizeof(a->b) - s.n, s.p, s.n);
}

static bool get_tuple(struct cur *c, struct record_view *v)
{
	struct net_tuple *t = &v->ev.tup;
	size_t n = cur_left(c) == 13 ? 4 : 16;

	v->ev.has_tuple = true;
	t->proto = cur_u8(c);
	get_addr(c, &t->src, n);
	get_addr(c, &t->dst, n);
	t->sport = cur_u16(c);
	t->dport = cur_u16(c);
	return true;
}

/* Elements that are one number or one text of the event. */
#define NUMBER(fn, expr, store)                                                \
	static void put_##fn(struct put *p)                                    \
	{                                                                      \
		put_number(p->w, (uint64_t)(expr));                            \
	}                                                                      \
	static bool get_##fn(struct cur *c, struct record_view *v)             \
	{                                                                      \
		uint64_t u = get_number(c);                                    \
		store;                                                         \
	}
#define TEXT(fn, expr, store)                                                  \
	static void put_##fn(struct put *p)                                    \
	{                                                                      \
		wbuf_put(p->w, fit(expr, p->max, &p->cut));                    \
	}                                                                      \
	static bool get_##fn(struct cur *c, struct record_view *v)             \
	{                                                                      \
		struct span s = cur_rest(c);                                   \
		store;                                                         \
	}

/* A C string of the view: no NUL inside. */
static bool keep_str(char *to, size_t cap, struct span s, const char **at)
{
	if (s.n >= cap || memchr(s.p, 0, s.n))
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = 0;
	*at = to;
	return true;
}

#define MARK_MONITORED 1
#define MARK_END       2

/* clang-format off */
NUMBER(flow_id, p->ev->flow_id, v->ev.flow_id = u; return true)
NUMBER(packet, p->ev->pcap_cnt, v->ev.pcap_cnt = u; return true)
TEXT(app, span_str(p->ev->app_proto),
     return keep_str(v->app, sizeof(v->app), s, &v->ev.app_proto))
TEXT(guest, p->ev->guest, v->ev.guest = s; return true)
TEXT(party, p->ev->party, v->ev.party = s; return true)
NUMBER(direction, p->ev->dir, v->ev.dir = (enum dir)u; return u <= DIR_IN)
NUMBER(verdict, p->ev->verdict,
       v->ev.verdict = (enum verdict)u; return u <= VERDICT_DENY)
NUMBER(marks, (p->ev->monitored ? MARK_MONITORED : 0) |
	      (p->ev->flow_end ? MARK_END : 0),
       v->ev.monitored = u & MARK_MONITORED; v->ev.flow_end = u & MARK_END;
       return true)
TEXT(reason, p->ev->reason ? span_str(reason_text(p->ev->reason))
			   : (struct span){0},
     return (v->ev.reason = reason_find(s)) != REASON_NONE)
TEXT(detail, span_str(p->ev->detail),
     return keep_str(v->detail, sizeof(v->detail), s, &v->ev.detail))
NUMBER(octets, p->ev->octets,
       v->ev.octets = (uint32_t)u; return u <= UINT32_MAX)
TEXT(service, has_leaf(p->r) ? p->r->service : (struct span){0},
     v->r.service = s; return true)
TEXT(would_pass, p->ev->would_pass, v->ev.would_pass = s; return true)
NUMBER(flow_start, p->ev->flow_start.ns > 0 ? p->ev->flow_start.ns : 0,
       v->ev.flow_start.ns = (int64_t)u; return u <= INT64_MAX)
/* clang-format on */

static void put_reasons(struct put *p)
{
	size_t start = p->w->n;

	for (size_t i = 0; i < 2; i++) {
		uint64_t left = p->ev->reasons.w[i];

		for (; left; left &= left - 1) {
			size_t r = i * 64 + (size_t)__builtin_ctzll(left);
			struct span s = span_str(reason_text((enum reason)r));
			size_t used = p->w->n - start;

			if (used + s.n + 1 > p->max) {
				p->cut = true;
				return;
			}
			if (used)
				wbuf_u8(p->w, ',');
			wbuf_put(p->w, s);
		}
	}
}

static bool get_reasons(struct cur *c, struct record_view *v)
{
	while (cur_left(c) > 0) {
		struct span rest = cur_peek(c, cur_left(c));
		const uint8_t *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
		enum reason r = reason_find(cur_take(c, n));

		if (r == REASON_NONE)
			return false;
		reasons_add(&v->ev.reasons, r);
		if (comma && (cur_u8(c), cur_left(c) == 0))
			return false;
	}
	return true;
}

/* Only an observation among several needs the list; its place in a list that
 * was too long to keep means nothing. */
static bool lists_leaves(const struct record *r)
{
	return has_leaf(r) && r->ev->n_leaves > 1 &&
	       r->ev->n_leaves <= RECORD_LEAVES;
}

static void put_leaves(struct put *p)
{
	if (has_leaf(p->r) && p->ev->n_leaves > RECORD_LEAVES)
		p->cut = true;
	if (!lists_leaves(p->r))
		return;
	for (uint32_t i = 0; i < p->ev->n_leaves; i++)
		wbuf_be(p->w, p->ev->leaves[i].kind, 2);
}

static bool get_leaves(struct cur *c, struct record_view *v)
{
	size_t n = cur_left(c) / 2;

	if (n > RECORD_LEAVES)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint16_t kind = cur_u16(c);

		if (kind >= OBS_COUNT)
			return false;
		memset(&v->leaves[i], 0, offsetof(struct obs, f));
		v->leaves[i].kind = kind;
	}
	v->ev.leaves = v->leaves;
	v->ev.n_leaves = (uint32_t)n;
	return true;
}

static void put_leaf(struct put *p)
{
	put_number(p->w, lists_leaves(p->r) ? p->ev->leaf : 0);
}

static bool get_leaf(struct cur *c, struct record_view *v)
{
	uint64_t u = get_number(c);

	v->ev.leaf = (uint32_t)u;
	return u < v->ev.n_leaves;
}

static void put_carrier(struct put *p)
{
	if (p->ev->message)
		put_obs(p->w, p->ev->message, p->max, &p->cut);
}

static bool get_carrier(struct cur *c, struct record_view *v)
{
	v->ev.message = &v->carrier;
	return get_obs(c, &v->carrier);
}

static void put_observation(struct put *p)
{
	if (has_leaf(p->r))
		put_obs(p->w, &p->ev->leaves[p->ev->leaf], p->max, &p->cut);
}

static bool get_observation(struct cur *c, struct record_view *v)
{
	uint16_t kind;

	if (v->ev.n_leaves == 0) {
		v->ev.leaves = v->leaves;
		v->ev.n_leaves = 1;
		return get_obs(c, &v->leaves[0]);
	}
	kind = v->leaves[v->ev.leaf].kind;
	return get_obs(c, &v->leaves[v->ev.leaf]) &&
	       kind == v->leaves[v->ev.leaf].kind;
}

static void put_rules(struct put *p)
{
	for (uint32_t i = 0; i < p->ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &p->ev->rules[i];

		put_text8(p->w, r->layer, 16, &p->cut);
		put_text8(p->w, r->policy, 48, &p->cut);
		put_text8(p->w, r->rule, 64, &p->cut);
		put_text8(p->w, r->file, 61, &p->cut);
		put_num8(p->w, r->line);
		put_num8(p->w, r->serial);
	}
}

static bool get_rules(struct cur *c, struct record_view *v)
{
	while (cur_left(c) > 0) {
		struct event_rule *r = &v->ev.rules[v->ev.n_rules];
		uint64_t line;

		if (v->ev.n_rules++ >= EVENT_RULES)
			return false;
		r->layer = get_text8(c);
		r->policy = get_text8(c);
		r->rule = get_text8(c);
		r->file = get_text8(c);
		line = get_num8(c);
		r->line = (uint32_t)line;
		r->serial = get_num8(c);
		if (line > UINT32_MAX)
			return false;
	}
	return true;
}

static void put_budgets(struct put *p)
{
	for (uint32_t i = 0; i < p->ev->n_budgets && i < EVENT_BUDGETS; i++) {
		const struct event_budget *b = &p->ev->budgets[i];

		put_text8(p->w, b->name, 48, &p->cut);
		put_num8(p->w, b->used);
		put_num8(p->w, b->limit);
	}
}

static bool get_budgets(struct cur *c, struct record_view *v)
{
	while (cur_left(c) > 0) {
		struct event_budget *b = &v->ev.budgets[v->ev.n_budgets];

		if (v->ev.n_budgets++ >= EVENT_BUDGETS)
			return false;
		b->name = get_text8(c);
		b->used = get_num8(c);
		b->limit = get_num8(c);
	}
	return true;
}

static void put_counters(struct put *p)
{
	const struct event *e = p->ev;

	if (!(e->pkts_out | e->pkts_in | e->octets_out | e->octets_in))
		return;
	put_num8(p->w, e->pkts_out);
	put_num8(p->w, e->pkts_in);
	put_num8(p->w, e->octets_out);
	put_num8(p->w, e->octets_in);
}

static bool get_counters(struct cur *c, struct record_view *v)
{
	v->ev.pkts_out = get_num8(c);
	v->ev.pkts_in = get_num8(c);
	v->ev.octets_out = get_num8(c);
	v->ev.octets_in = get_num8(c);
	return true;
}

/* The table of record.h with its functions; row i is type i + 1. */
static const struct {
	uint8_t type;
	uint16_t max;
	void (*put)(struct put *p);
	bool (*get)(struct cur *c, struct record_view *v);
} elements[] = {
#define X(name, id, number, max, meaning) {number, max, put_##name, get_##name},
	RECORD_ELEMENTS(X)
#undef X
};
#define N_ELEMENTS (sizeof(elements) / sizeof(elements[0]))
#define X(name, id, number, max, meaning) +1
_Static_assert(ELEMENT_FLOW_START == 0 RECORD_ELEMENTS(X),
	       "the last number is not the number of rows");
#undef X

/* --- whole records ---------------------------------------------------------- */

/* Numbers for filters and indexes, made from the names in the body. */
static uint32_t rule_id(const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);

	if (!r)
		return 0;
	return crc32c(crc32c(crc32c(0, fit(r->policy, 48, &(bool){false})),
			     span_str("/")),
		      fit(r->rule, 64, &(bool){false}));
}

static uint32_t subject_id(const struct event *ev)
{
	return ev->guest.n ? crc32c(0, fit(ev->guest, 64, &(bool){false})) : 0;
}

/* What was done: 1 + kind of the observation; flows: 1 start, 2 end. */
static uint32_t action_code(const struct record *r)
{
	if (has_leaf(r))
		return 1 + (uint32_t)r->ev->leaves[r->ev->leaf].kind;
	return r->kind == RECORD_FLOW ? r->ev->flow_end ? 2 : 1 : 0;
}

static void put_fixed(struct wbuf *w, const struct record *r)
{
	int64_t us = r->ev->now.wall.us;

	wbuf_u8(w, RECORD_VERSION);
	wbuf_u8(w, (uint8_t)r->kind);
	wbuf_be(w, r->flags & ~(unsigned)RECORD_CUT, 2);
	wbuf_be(w, r->seq, 8);
	wbuf_be(w, (uint64_t)r->ev->now.mono.ns, 8);
	wbuf_be(w, us > 0 ? (uint64_t)us : 0, 8);
	wbuf_be(w, r->boot, 4);
	wbuf_be(w, r->policy_seq, 4);
	wbuf_be(w, rule_id(r->ev), 4);
	wbuf_be(w, subject_id(r->ev), 4);
	wbuf_be(w, action_code(r), 4);
	wbuf_put(w, span_of(r->salt, RECORD_SALT));
}

int record_encode(struct wbuf *w, const struct record *r, struct err *e)
{
	size_t start = w->n;
	struct put p = {w, r, r->ev, 0, (r->flags & RECORD_CUT) != 0};

	if (r->ev->now.mono.ns < 0)
		return err_set(e, E_LIMIT, 0, "record: negative clock");
	put_fixed(w, r);
	for (size_t i = 0; i < N_ELEMENTS && !w->failed; i++) {
		size_t at = w->n, n;
		uint8_t *head = wbuf_room(w, 3);

		p.max = elements[i].max;
		elements[i].put(&p);
		n = w->n - at - 3;
		if (!head || n == 0) {
			w->n = at; /* absent */
			continue;
		}
		head[0] = elements[i].type;
		head[1] = (uint8_t)(n >> 8);
		head[2] = (uint8_t)n;
	}
	wbuf_put(w, r->tail);
	if (w->failed || w->n - start > RECORD_MAX)
		return err_set(e, E_LIMIT, 0, "record: too long");
	if (p.cut)
		w->p[start + 2] |= RECORD_CUT >> 8;
	return 0;
}

static int not_canonical(struct err *e, size_t off, const char *what)
{
	return err_set(e, E_SYNTAX, off, "record is not canonical: %s", what);
}

static int get_fixed(struct cur *c, struct record_view *v, struct err *e)
{
	uint8_t version = cur_u8(c);
	uint8_t kind = cur_u8(c);
	uint64_t mono, wall;
	struct span salt;

	v->r.flags = cur_u16(c);
	v->r.seq = cur_u64(c);
	mono = cur_u64(c);
	wall = cur_u64(c);
	v->r.boot = cur_u32(c);
	v->r.policy_seq = cur_u32(c);
	cur_take(c, 12); /* made from the body: compared, not read */
	salt = cur_take(c, RECORD_SALT);
	if (!cur_ok(c))
		return not_canonical(e, c->off, "cut short");
	if (version != RECORD_VERSION)
		return err_set(e, E_UNSUPPORTED, 0, "record version %u",
			       version);
	if (kind < 1 || kind > N_KINDS || !kinds[kind - 1].written)
		return err_set(e, E_UNSUPPORTED, 1, "record kind %u", kind);
	if (v->r.flags & ~(RECORD_PROTECTED | RECORD_SYNC | RECORD_CUT))
		return err_set(e, E_UNSUPPORTED, 2, "record flags %04x",
			       v->r.flags);
	if (mono > INT64_MAX || wall > INT64_MAX)
		return not_canonical(e, 12, "a clock before its origin");
	v->r.kind = (enum record_kind)kind;
	v->ev.type = kinds[kind - 1].type;
	v->ev.now.mono.ns = (int64_t)mono;
	v->ev.now.wall.us = (int64_t)wall;
	memcpy(v->r.salt, salt.p, RECORD_SALT);
	return 0;
}

static int get_elements(struct cur *c, struct record_view *v, struct err *e)
{
	unsigned last = 0;

	while (cur_left(c) > 0) { /* types ascend: at most 255 turns */
		size_t at = c->off;
		uint8_t type = cur_u8(c);
		struct cur value = cur_sub(c, cur_u16(c));

		if (!cur_ok(c) || type <= last || value.in.n == 0)
			return not_canonical(e, at, "elements");
		last = type;
		if (type > N_ELEMENTS) {
			if (v->r.tail.n == 0)
				v->r.tail = span_from(c->in, at);
			continue;
		}
		if (value.in.n > elements[type - 1].max ||
		    !elements[type - 1].get(&value, v) || !cur_done(&value))
			return err_set(e, E_SYNTAX, at,
				       "record element %u cannot be read",
				       type);
	}
	return 0;
}

int record_decode(struct record_view *v, struct span octets, struct err *e)
{
	struct cur c = cur_of(octets);
	uint8_t again[RECORD_MAX];
	struct wbuf w = wbuf_of(again, sizeof(again));
	int rc;

	if (octets.n > RECORD_MAX)
		return err_set(e, E_LIMIT, 0, "record: too long");
	memset(&v->r, 0, sizeof(v->r));
	memset(&v->ev, 0, sizeof(v->ev));
	v->r.ev = &v->ev;
	rc = get_fixed(&c, v, e);
	if (rc == 0)
		rc = get_elements(&c, v, e);
	if (rc == 0)
		rc = record_encode(&w, &v->r, e);
	if (rc)
		return rc;
	/* One meaning, one encoding: anything else is refused. */
	if (!span_eq(wbuf_span(&w), octets))
		return not_canonical(e, 0, "it can be written otherwise");
	return 0;
}

void record_salt(struct sha256 *h, const uint8_t key[32], uint64_t seq,
		 uint8_t out[RECORD_SALT])
{
	uint8_t pad[64], num[8], md[SHA256_LEN];
	struct wbuf w = wbuf_of(num, sizeof(num));

	/* HMAC (RFC 2104) by hand: libcrypto's costs three times as much for
	 * messages this short, and there is one per record. */
	wbuf_be(&w, seq, 8);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
	sha256_begin(h);
	sha256_add(h, span_of(pad, sizeof(pad)));
	sha256_add(h, wbuf_span(&w));
	sha256_end(h, md);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha256_begin(h);
	sha256_add(h, span_of(pad, sizeof(pad)));
	sha256_add(h, span_of(md, sizeof(md)));
	sha256_end(h, md);
	memcpy(out, md, RECORD_SALT);
}
