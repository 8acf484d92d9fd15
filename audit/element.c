/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/element.h"

#include "audit/element_value.h"

#define FACT_MAX 255 /* octets of one fact's value */

bool element_has_leaf(const struct record *r)
{
	return (r->kind == RECORD_ALLOW || r->kind == RECORD_DENY) &&
	       r->ev->leaves && r->ev->leaf < r->ev->n_leaves;
}

/* --- values --- */

/* s, or as much of it as fits without cutting a UTF-8 sequence in two. */
struct span element_fit(struct span s, size_t max, bool *cut)
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
	uint8_t *at;

	s = element_fit(s, max, cut);
	at = wbuf_room(w, 1 + s.n);
	if (!at)
		return;
	*at = (uint8_t)s.n;
	if (s.n)
		memcpy(at + 1, s.p, s.n);
}

static struct span get_text8(struct cur *c, size_t max)
{
	size_t n = cur_u8(c);

	if (n > max) /* it would have been cut */
		c->failed = true;
	return cur_take(c, n);
}

/* --- observations --- */

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
	return reason_span((enum reason)f->u);
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
		size_t n;

		if (record_leaves_out(f->field))
			continue;
		n = fact_len(f);
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

	if (field >= FIELD_COUNT || record_leaves_out(f) || o->n >= OBS_MAX_FACTS)
		return false;
	if (f == F_NOTE) {
		enum reason r = reason_find(get_text8(c, FACT_MAX));

		obs_u64(o, f, r);
		return cur_ok(c) && r != REASON_NONE;
	}
	switch (field_type(f)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		obs_span(o, f, get_text8(c, FACT_MAX));
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
 * put_x writes the value or nothing (absent); get_x reads it into the view and
 * takes only what put_x would write of that: no value is said in two ways.
 */

struct put {
	struct wbuf *w;
	const struct record *r;
	const struct event *ev;
	size_t max;
	bool cut;
};

static void put_ends(struct wbuf *w, const struct net_tuple *t)
{
	bool v4 = net_addr_is4(&t->src) && net_addr_is4(&t->dst);
	size_t skip = v4 ? 12 : 0;

	wbuf_u8(w, t->proto);
	wbuf_put(w, span_from(span_of(t->src.b, 16), skip));
	wbuf_put(w, span_from(span_of(t->dst.b, 16), skip));
	wbuf_be(w, t->sport, 2);
	wbuf_be(w, t->dport, 2);
}

static void put_tuple(struct put *p)
{
	if (p->ev->has_tuple)
		put_ends(p->w, &p->ev->tup);
}

static void put_last_tuple(struct put *p)
{
	if (p->ev->last_tup.proto)
		put_ends(p->w, &p->ev->last_tup);
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

static bool get_ends(struct cur *c, struct net_tuple *t)
{
	size_t n = cur_left(c) == 13 ? 4 : 16;

	t->proto = cur_u8(c);
	get_addr(c, &t->src, n);
	get_addr(c, &t->dst, n);
	t->sport = cur_u16(c);
	t->dport = cur_u16(c);
	/* The long form is for what the short one cannot say. */
	return n == 4 || !net_addr_is4(&t->src) || !net_addr_is4(&t->dst);
}

static bool get_tuple(struct cur *c, struct record_view *v)
{
	v->ev.has_tuple = true;
	return get_ends(c, &v->ev.tup);
}

static bool get_last_tuple(struct cur *c, struct record_view *v)
{
	return get_ends(c, &v->ev.last_tup) && v->ev.last_tup.proto != 0;
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
		wbuf_put(p->w, element_fit(expr, p->max, &p->cut));                    \
	}                                                                      \
	static bool get_##fn(struct cur *c, struct record_view *v)             \
	{                                                                      \
		struct span s = cur_rest(c);                                   \
		store;                                                         \
	}

#define LOG(fn, id)                                                            \
	static void put_##fn(struct put *p)                                    \
	{                                                                      \
		element_put_log(p->w, p->ev->log, ELEMENT_##id);               \
	}                                                                      \
	static bool get_##fn(struct cur *c, struct record_view *v)             \
	{                                                                      \
		return element_get_log(c, v, ELEMENT_##id);                    \
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
#define MARKS	       3

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
       return u <= MARKS)
TEXT(reason, p->ev->reason ? reason_span(p->ev->reason)
			   : (struct span){0},
     return (v->ev.reason = reason_find(s)) != REASON_NONE)
TEXT(detail, span_str(p->ev->detail),
     return keep_str(v->detail, sizeof(v->detail), s, &v->ev.detail))
NUMBER(octets, p->ev->octets,
       v->ev.octets = (uint32_t)u; return u <= UINT32_MAX)
TEXT(service, element_has_leaf(p->r) ? p->r->service : (struct span){0},
     v->r.service = s; return true)
TEXT(would_pass, p->ev->would_pass, v->ev.would_pass = s; return true)
NUMBER(flow_start, p->ev->flow_start.ns > 0 ? p->ev->flow_start.ns : 0,
       v->ev.flow_start.ns = (int64_t)u; return u <= INT64_MAX)
NUMBER(count, p->ev->count, v->ev.count = u; return true)
NUMBER(count_octets, p->ev->count_octets, v->ev.count_octets = u; return true)
NUMBER(first, p->ev->first.ns > 0 ? p->ev->first.ns : 0,
       v->ev.first.ns = (int64_t)u; return u <= INT64_MAX)
NUMBER(last, p->ev->last.ns > 0 ? p->ev->last.ns : 0,
       v->ev.last.ns = (int64_t)u; return u <= INT64_MAX)
NUMBER(severity, p->ev->severity,
       v->ev.severity = (uint8_t)u; return u <= SEV_CRITICAL)
NUMBER(notify, p->ev->notify,
       v->ev.notify = (uint8_t)u; return u <= NOTIFY_ALL)
NUMBER(last_flow, p->ev->last_flow, v->ev.last_flow = u; return true)
NUMBER(kept, p->ev->log && p->ev->log->has_range ? p->ev->log->kept : 0,
       v->log.kept = u; return v->log.has_range)
NUMBER(withdrawn, p->ev->log ? p->ev->log->withdrawn : 0,
       v->ev.log = &v->log; v->log.withdrawn = u;
       return v->r.kind == RECORD_EXPORT && u <= v->r.seq)
NUMBER(about, p->r->kind == RECORD_AGGREGATE
		      ? record_kind_of_type(p->ev->type) : 0,
       v->ev.type = record_type_of((unsigned)u);
       return v->r.kind == RECORD_AGGREGATE &&
	      record_kind_of_type(v->ev.type) == u)
/* clang-format on */

static void put_reasons(struct put *p)
{
	size_t start = p->w->n;

	for (size_t i = 0; i < 2; i++) {
		uint64_t left = p->ev->reasons.w[i];

		for (; left; left &= left - 1) {
			size_t r = i * 64 + (size_t)__builtin_ctzll(left);
			struct span s = reason_span((enum reason)r);
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
	enum reason last = REASON_NONE;

	while (cur_left(c) > 0) {
		struct span rest = cur_peek(c, cur_left(c));
		const uint8_t *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
		enum reason r = reason_find(cur_take(c, n));

		if (r <= last)
			return false;
		last = r;
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
	return element_has_leaf(r) && r->ev->n_leaves > 1 &&
	       r->ev->n_leaves <= RECORD_LEAVES;
}

static void put_leaves(struct put *p)
{
	if (element_has_leaf(p->r) && p->ev->n_leaves > RECORD_LEAVES)
		p->cut = true;
	if (!lists_leaves(p->r))
		return;
	for (uint32_t i = 0; i < p->ev->n_leaves; i++)
		wbuf_be(p->w, p->ev->leaves[i].kind, 2);
}

static bool get_leaves(struct cur *c, struct record_view *v)
{
	size_t n = cur_left(c) / 2;

	if (n < 2 || n > RECORD_LEAVES)
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
	if (element_has_leaf(p->r))
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

/* Longest texts in lists. */
#define LAYER_MAX  16
#define FILE_MAX   61
#define BUDGET_MAX 48

static void put_rules(struct put *p)
{
	for (uint32_t i = 0; i < p->ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &p->ev->rules[i];

		put_text8(p->w, r->layer, LAYER_MAX, &p->cut);
		put_text8(p->w, r->policy, ELEMENT_POLICY_MAX, &p->cut);
		put_text8(p->w, r->rule, ELEMENT_RULE_MAX, &p->cut);
		put_text8(p->w, r->file, FILE_MAX, &p->cut);
		put_num8(p->w, r->line);
		put_num8(p->w, r->serial);
		put_num8(p->w, r->refused);
	}
}

static bool get_rules(struct cur *c, struct record_view *v)
{
	while (cur_left(c) > 0) {
		struct event_rule *r = &v->ev.rules[v->ev.n_rules];
		uint64_t line, refused;

		if (v->ev.n_rules++ >= EVENT_RULES)
			return false;
		r->layer = get_text8(c, LAYER_MAX);
		r->policy = get_text8(c, ELEMENT_POLICY_MAX);
		r->rule = get_text8(c, ELEMENT_RULE_MAX);
		r->file = get_text8(c, FILE_MAX);
		line = get_num8(c);
		r->line = (uint32_t)line;
		r->serial = get_num8(c);
		refused = get_num8(c);
		r->refused = refused == 1;
		if (line > UINT32_MAX || refused > 1)
			return false;
	}
	return true;
}

static void put_budgets(struct put *p)
{
	for (uint32_t i = 0; i < p->ev->n_budgets && i < EVENT_BUDGETS; i++) {
		const struct event_budget *b = &p->ev->budgets[i];

		put_text8(p->w, b->name, BUDGET_MAX, &p->cut);
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
		b->name = get_text8(c, BUDGET_MAX);
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
	return (v->ev.pkts_out | v->ev.pkts_in | v->ev.octets_out |
		v->ev.octets_in) != 0;
}

/* clang-format off */
LOG(chain, CHAIN)
LOG(pcr, PCR)
LOG(counter, COUNTER)
LOG(removed, REMOVED)
LOG(previous, PREVIOUS)
LOG(open, OPEN)
/* clang-format on */

/* The table of record.h with its functions; row i is type i + 1. */
static const struct {
	uint8_t type;
	uint16_t max;
	bool (*get)(struct cur *c, struct record_view *v);
} elements[] = {
#define X(name, id, number, max, meaning) {number, max, get_##name},
	RECORD_ELEMENTS(X)
#undef X
};
#define N_ELEMENTS (sizeof(elements) / sizeof(elements[0]))
#define X(name, id, number, max, meaning) +1
_Static_assert(ELEMENT_WITHDRAWN == 0 RECORD_ELEMENTS(X),
	       "the last number is not the number of rows");
#undef X

#define ELEMENT_HEAD 3 /* octets: type u8, length u16 */

/* What was put behind the head that begins at `at`: nothing is no element. */
static inline void end_element(struct wbuf *w, size_t at, uint8_t type)
{
	size_t n = w->n - at;

	if (w->failed || n == ELEMENT_HEAD) {
		w->n = at;
		return;
	}
	n -= ELEMENT_HEAD;
	w->p[at] = type;
	w->p[at + 1] = (uint8_t)(n >> 8);
	w->p[at + 2] = (uint8_t)n;
}

void element_put_all(struct wbuf *w, const struct record *r, bool *cut)
{
	struct put p = {w, r, r->ev, 0, *cut};
	size_t at;

	/* Not by the table: most are absent, and a call would be all there is. */
#define X(name, id, number, longest, meaning)                                  \
	p.max = (longest);                                                     \
	at = w->n;                                                             \
	(void)wbuf_room(w, ELEMENT_HEAD);                                      \
	put_##name(&p);                                                        \
	end_element(w, at, number);
	RECORD_ELEMENTS(X)
#undef X
	*cut = p.cut;
}

/* What is said about an observation is said when there is one: the one that
 * was judged, of a record that is about such. */
static bool leaf_fits(const struct record *r, bool observed)
{
	return observed ? element_has_leaf(r)
			: r->ev->n_leaves == 0 && r->service.n == 0;
}

int element_get_all(struct cur *c, struct record_view *v, struct err *e)
{
	bool observed = false;
	unsigned last = 0;

	while (cur_left(c) > 0) { /* types ascend: at most 255 turns */
		size_t at = c->off;
		uint8_t type = cur_u8(c);
		struct cur value = cur_sub(c, cur_u16(c));

		if (!cur_ok(c) || type <= last || value.in.n == 0)
			return err_set(e, E_SYNTAX, at,
				       "record is not canonical: elements");
		last = type;
		observed |= type == ELEMENT_OBSERVATION;
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
	if (!leaf_fits(&v->r, observed))
		return err_set(e, E_SYNTAX, c->off, "record is not canonical: "
			       "about an observation that is not there");
	return 0;
}
