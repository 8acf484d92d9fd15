/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/flat.h"

#include <assert.h>

#include "audit/record.h"

/* --- the form ----------------------------------------------------------------
 * struct head, what only some events have, the texts, rules and budgets each
 * with theirs, the carrier, the leaves' kinds, the leaves with facts. C strings
 * end with a NUL. Short, since what waits for a commit waits in a ring.
 */
struct head {
	uint64_t pcap_cnt, flow_id;
	struct reasons reasons;
	int64_t mono_ns, wall_us;
	int32_t std_off_s, civil_off_s;
	uint32_t octets;
	uint16_t n_leaves, leaf;
	/* Octets of the texts. */
	uint16_t app, detail, guest, party, would_pass;
	uint16_t sport, dport;
	struct net_addr src, dst;
	uint8_t type, proto, dir, verdict, reason, n_rules, n_budgets;
	uint8_t shown; /* severity, and notify from bit 4 on */
	uint16_t flags;
};
_Static_assert(sizeof(struct head) % 8 == 0, "padding inside");

enum {
	HAS_TUPLE = 1,
	MONITORED = 2,
	FLOW_END = 4,
	TRUSTED = 8,
	MESSAGE = 16,
	APP = 32,    /* not NULL */
	DETAIL = 64, /* not NULL */
	FLOW = 128,  /* struct flow_part follows */
	COUNT = 256, /* struct count_part follows */
	SUMMARY = 512,
	FLAGS = 1023,
};

/* Neither is written when all of it is zero. */
struct flow_part {
	uint64_t pkts_out, pkts_in, octets_out, octets_in;
	int64_t start_ns;
};

struct count_part {
	uint64_t n, octets;
	int64_t first_ns, last_ns;
	uint64_t last_flow;
	struct net_addr src, dst; /* of the last */
	uint16_t sport, dport;
	uint32_t proto;
};

struct rule_head {
	uint64_t serial;
	uint32_t line;
	uint16_t layer, policy, rule, file;
	uint32_t refused;
};

struct budget_head {
	uint64_t used, limit, name;
};

struct obs_head {
	uint16_t kind;
	uint8_t n, dropped;
};

/* Its octets follow; of a number the lowest first, none that is zero last. */
struct flat_fact {
	uint16_t field, n;
};

/* Which facts are octets. */
#define SPAN_U64  0
#define SPAN_I64  0
#define SPAN_FLAG 0
#define SPAN_MEAS 0
#define SPAN_SPAN 1
#define SPAN_TEXT 1
#define SPAN_OID  1

static const uint8_t is_octets[FIELD_COUNT] = {
#define X(id, name, type, unit, range, source) SPAN_##type,
#include "core/fields.def"
#undef X
};

/* --- writing -------------------------------------------------------------- */

/* Names are short, and there are a dozen in an event: for up to 16 octets two
 * copies of a fixed size that overlap cost less than a call. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n > 16) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else {
		for (size_t i = 0; i < n; i++)
			to[i] = from[i];
	}
}

static inline void put_text(struct wbuf *w, const void *p, size_t n)
{
	uint8_t *at = wbuf_room(w, n);

	if (at && n)
		copy(at, p, n);
}

static inline void put_head(struct wbuf *w, const void *p, size_t n)
{
	uint8_t *at = wbuf_room(w, n);

	if (at)
		memcpy(at, p, n);
}

static uint16_t cut(size_t n)
{
	return (uint16_t)(n < FLAT_TEXT ? n : FLAT_TEXT);
}

static void put_cstr(struct wbuf *w, const char *s, size_t n)
{
	if (!s)
		return;
	put_text(w, s, n);
	wbuf_u8(w, 0);
}

static uint16_t octets_of(uint64_t v)
{
	return v ? (uint16_t)((71 - __builtin_clzll(v)) / 8) : 0;
}

static void put_number(struct wbuf *w, struct flat_fact t, uint64_t v)
{
	uint8_t *at;

	t.n = octets_of(v);
	at = wbuf_room(w, sizeof(t) + t.n);
	if (!at)
		return;
	memcpy(at, &t, sizeof(t));
	for (unsigned i = 0; i < t.n; i++)
		at[sizeof(t) + i] = (uint8_t)(v >> 8 * i);
}

static void put_obs(struct wbuf *w, const struct obs *o)
{
	struct obs_head h = {.kind = o->kind, .dropped = o->dropped};
	size_t head_at = w->n;
	uint8_t *at = wbuf_room(w, sizeof(h));

	for (unsigned i = 0; i < o->n; i++) {
		const struct fact *f = &o->f[i];
		struct flat_fact t = {.field = f->field};

		if (record_leaves_out(f->field))
			continue;
		h.n++;
		if (!is_octets[f->field]) {
			put_number(w, t, f->u);
			continue;
		}
		t.n = cut(f->n);
		put_head(w, &t, sizeof(t));
		put_text(w, f->p, t.n);
	}
	if (w->failed)
		w->n = head_at;
	else
		memcpy(at, &h, sizeof(h));
}

static void put_rule(struct wbuf *w, const struct event_rule *r)
{
	struct rule_head h = {
		.serial = r->serial,
		.line = r->line,
		.layer = cut(r->layer.n),
		.policy = cut(r->policy.n),
		.rule = cut(r->rule.n),
		.file = cut(r->file.n),
		.refused = r->refused,
	};

	put_head(w, &h, sizeof(h));
	put_text(w, r->layer.p, h.layer);
	put_text(w, r->policy.p, h.policy);
	put_text(w, r->rule.p, h.rule);
	put_text(w, r->file.p, h.file);
}

static void put_budget(struct wbuf *w, const struct event_budget *b)
{
	struct budget_head h = {b->used, b->limit, cut(b->name.n)};

	put_head(w, &h, sizeof(h));
	put_text(w, b->name.p, h.name);
}

static struct head head_of(const struct event *ev)
{
	return (struct head){
		.pcap_cnt = ev->pcap_cnt,
		.flow_id = ev->flow_id,
		.reasons = ev->reasons,
		.mono_ns = ev->now.mono.ns,
		.wall_us = ev->now.wall.us,
		.std_off_s = ev->now.wall.std_off_s,
		.civil_off_s = ev->now.wall.civil_off_s,
		.octets = ev->octets,
		.app = ev->app_proto ? cut(strlen(ev->app_proto)) : 0,
		.detail = ev->detail ? cut(strlen(ev->detail)) : 0,
		.guest = cut(ev->guest.n),
		.party = cut(ev->party.n),
		.would_pass = cut(ev->would_pass.n),
		.sport = ev->tup.sport,
		.dport = ev->tup.dport,
		.src = ev->tup.src,
		.dst = ev->tup.dst,
		.type = (uint8_t)ev->type,
		.proto = ev->tup.proto,
		.dir = (uint8_t)ev->dir,
		.verdict = (uint8_t)ev->verdict,
		.reason = (uint8_t)ev->reason,
		.flags = (uint16_t)((ev->has_tuple ? HAS_TUPLE : 0) |
				   (ev->monitored ? MONITORED : 0) |
				   (ev->summary ? SUMMARY : 0) |
				   (ev->flow_end ? FLOW_END : 0) |
				   (ev->now.wall.trusted ? TRUSTED : 0) |
				   (ev->message ? MESSAGE : 0) |
				   (ev->app_proto ? APP : 0) |
				   (ev->detail ? DETAIL : 0)),
		.n_rules = (uint8_t)(ev->n_rules < EVENT_RULES ? ev->n_rules
							       : EVENT_RULES),
		.n_budgets = (uint8_t)(ev->n_budgets < EVENT_BUDGETS
					       ? ev->n_budgets
					       : EVENT_BUDGETS),
		.shown = (uint8_t)(ev->severity | ev->notify << 4),
	};
}

static void put_parts(struct wbuf *w, const struct event *ev, struct head *h)
{
	struct flow_part f = {ev->pkts_out, ev->pkts_in, ev->octets_out,
			      ev->octets_in, ev->flow_start.ns};
	const struct net_tuple *l = &ev->last_tup;
	struct count_part n = {ev->count, ev->count_octets, ev->first.ns,
			       ev->last.ns, ev->last_flow, l->src, l->dst,
			       l->sport, l->dport, l->proto};

	if (f.pkts_out | f.pkts_in | f.octets_out | f.octets_in |
	    (uint64_t)f.start_ns) {
		h->flags |= FLOW;
		put_head(w, &f, sizeof(f));
	}
	if (n.n | n.octets | (uint64_t)n.first_ns | (uint64_t)n.last_ns) {
		h->flags |= COUNT;
		put_head(w, &n, sizeof(n));
	}
}

/* A judgement: the kinds of all leaves, the facts of the judged one. */
static void put_judged(struct wbuf *w, const struct event *ev, struct head *h)
{
	uint32_t n = ev->n_leaves, leaf = ev->leaf < n ? ev->leaf : 0;
	uint16_t kind[FLAT_LISTED];

	h->n_leaves = (uint16_t)(n < FLAT_LISTED ? n : FLAT_LISTED);
	for (uint32_t i = 0; i < h->n_leaves; i++)
		kind[i] = ev->leaves[i].kind;
	h->leaf = (uint16_t)(leaf < FLAT_LISTED ? leaf : FLAT_LISTED - 1);
	if (n == 0)
		return;
	kind[h->leaf] = ev->leaves[leaf].kind;
	put_text(w, kind, h->n_leaves * sizeof(kind[0]));
	put_obs(w, &ev->leaves[leaf]);
}

/* A message that was read: as many leaves as fit. */
static void put_leaves(struct wbuf *w, const struct event *ev, struct head *h)
{
	for (uint32_t i = 0; i < ev->n_leaves && i < FLAT_LEAVES; i++) {
		put_obs(w, &ev->leaves[i]);
		if (w->failed) {
			w->failed = false; /* it took its place back */
			break;
		}
		h->n_leaves++;
	}
	h->leaf = (uint16_t)(ev->leaf < h->n_leaves ? ev->leaf : 0);
}

/* A judgement at its longest fits. */
#define OBS_AT_MOST                                                            \
	(sizeof(struct obs_head) +                                             \
	 OBS_MAX_FACTS * (sizeof(struct flat_fact) + FLAT_TEXT))
_Static_assert(sizeof(struct head) + sizeof(struct flow_part) +
			       sizeof(struct count_part) + 5 * (FLAT_TEXT + 1) +
			       EVENT_RULES * (sizeof(struct rule_head) +
					      4 * FLAT_TEXT) +
			       EVENT_BUDGETS * (sizeof(struct budget_head) +
						FLAT_TEXT) +
			       2 * OBS_AT_MOST + 2 * FLAT_LISTED <=
		       FLAT_MAX,
	       "a judgement may be longer than a message");

_Static_assert(sizeof(struct head) >= FLAT_LEAST, "a shorter event");

void flat_write(struct wbuf *w, const struct event *ev)
{
	struct head h = head_of(ev);
	uint8_t *at = wbuf_room(w, sizeof(h));

	put_parts(w, ev, &h);
	put_cstr(w, ev->app_proto, h.app);
	put_cstr(w, ev->detail, h.detail);
	put_text(w, ev->guest.p, h.guest);
	put_text(w, ev->party.p, h.party);
	put_text(w, ev->would_pass.p, h.would_pass);
	for (unsigned i = 0; i < h.n_rules; i++)
		put_rule(w, &ev->rules[i]);
	for (unsigned i = 0; i < h.n_budgets; i++)
		put_budget(w, &ev->budgets[i]);
	if (ev->message)
		put_obs(w, ev->message);
	assert(!w->failed);
	if (ev->type == EV_PROTOCOL)
		put_leaves(w, ev, &h);
	else
		put_judged(w, ev, &h);
	assert(!w->failed);
	memcpy(at, &h, sizeof(h));
}

/* --- reading -----------------------------------------------------------------
 * Each get_x says false for what flat_write never writes. */

static bool get(struct cur *c, void *to, size_t n)
{
	struct span s = cur_take(c, n);

	if (s.n == n && n)
		memcpy(to, s.p, n);
	return cur_ok(c);
}

static bool get_text(struct cur *c, size_t n, struct span *to)
{
	*to = cur_take(c, n);
	return cur_ok(c) && n <= FLAT_TEXT;
}

/* The NUL that ends it is the message's. */
static bool get_cstr(struct cur *c, bool there, size_t n, const char **to)
{
	struct span s;

	*to = NULL;
	if (!there)
		return n == 0;
	s = cur_take(c, n + 1);
	if (!cur_ok(c) || n > FLAT_TEXT || memchr(s.p, 0, s.n) != s.p + n)
		return false;
	*to = (const char *)s.p;
	return true;
}

static bool number_fits(unsigned field, uint64_t v)
{
	if (field == F_NOTE)
		return v != REASON_NONE && v < REASON_COUNT;
	return field_type((enum field)field) != FIELD_MEAS ||
	       (v & ~MEAS_ALL) == 0;
}

static bool get_number(struct cur *c, struct flat_fact t, uint64_t *v)
{
	struct span s = cur_take(c, t.n);

	*v = 0;
	if (!cur_ok(c) || s.n > sizeof(*v) || (s.n && s.p[s.n - 1] == 0))
		return false;
	for (size_t i = 0; i < s.n; i++)
		*v |= (uint64_t)s.p[i] << 8 * i;
	return number_fits(t.field, *v);
}

static bool get_fact(struct cur *c, struct obs *o)
{
	struct flat_fact t;
	uint64_t v;

	if (!get(c, &t, sizeof(t)) || t.field >= FIELD_COUNT ||
	    record_leaves_out(t.field) || t.n > FLAT_TEXT)
		return false;
	if (is_octets[t.field]) {
		obs_span(o, (enum field)t.field, cur_take(c, t.n));
		return cur_ok(c);
	}
	if (!get_number(c, t, &v))
		return false;
	obs_u64(o, (enum field)t.field, v);
	return true;
}

static bool get_obs(struct cur *c, struct obs *o)
{
	struct obs_head h;

	if (!get(c, &h, sizeof(h)) || h.kind >= OBS_COUNT ||
	    h.n > OBS_MAX_FACTS)
		return false;
	memset(o, 0, offsetof(struct obs, f));
	o->kind = h.kind;
	o->dropped = h.dropped;
	while (o->n < h.n) {
		if (!get_fact(c, o))
			return false;
	}
	return true;
}

static bool get_rule(struct cur *c, struct event_rule *r)
{
	struct rule_head h;

	if (!get(c, &h, sizeof(h)) || h.refused > 1)
		return false;
	r->serial = h.serial;
	r->line = h.line;
	r->refused = h.refused;
	return get_text(c, h.layer, &r->layer) &&
	       get_text(c, h.policy, &r->policy) &&
	       get_text(c, h.rule, &r->rule) && get_text(c, h.file, &r->file);
}

static bool get_budget(struct cur *c, struct event_budget *b)
{
	struct budget_head h;

	if (!get(c, &h, sizeof(h)) || h.name > FLAT_TEXT)
		return false;
	b->used = h.used;
	b->limit = h.limit;
	return get_text(c, h.name, &b->name);
}

static bool head_fits(const struct head *h)
{
	uint64_t known = (UINT64_C(1) << (REASON_COUNT - 64)) - 1;

	_Static_assert(REASON_COUNT > 64 && REASON_COUNT < 128, "two words");
	return h->type < EV_TYPES && h->dir <= DIR_IN &&
	       h->verdict <= VERDICT_DENY && h->reason < REASON_COUNT &&
	       !(h->reasons.w[0] & 1) && !(h->reasons.w[1] & ~known) &&
	       !(h->flags & ~FLAGS) && (h->shown & 15) <= SEV_CRITICAL &&
	       h->shown >> 4 <= NOTIFY_ALL &&
	       h->n_rules <= EVENT_RULES && h->n_budgets <= EVENT_BUDGETS &&
	       h->n_leaves <=
		       (h->type == EV_PROTOCOL ? FLAT_LEAVES : FLAT_LISTED) &&
	       (h->leaf < h->n_leaves || h->leaf == 0) && h->mono_ns >= 0;
}

static void take_head(struct event *ev, const struct head *h)
{
	memset(ev, 0, sizeof(*ev));
	ev->type = (enum event_type)h->type;
	ev->now.mono.ns = h->mono_ns;
	ev->now.wall = (struct wall){h->wall_us, h->std_off_s, h->civil_off_s,
				     (h->flags & TRUSTED) != 0};
	ev->pcap_cnt = h->pcap_cnt;
	ev->flow_id = h->flow_id;
	ev->tup = (struct net_tuple){h->src, h->dst, h->sport, h->dport,
				     h->proto};
	ev->has_tuple = h->flags & HAS_TUPLE;
	ev->dir = (enum dir)h->dir;
	ev->verdict = (enum verdict)h->verdict;
	ev->monitored = h->flags & MONITORED;
	ev->summary = h->flags & SUMMARY;
	ev->reasons = h->reasons;
	ev->reason = (enum reason)h->reason;
	ev->octets = h->octets;
	ev->n_leaves = h->n_leaves;
	ev->leaf = h->leaf;
	ev->n_rules = h->n_rules;
	ev->n_budgets = h->n_budgets;
	ev->flow_end = h->flags & FLOW_END;
	ev->severity = h->shown & 15;
	ev->notify = h->shown >> 4;
}

static bool get_parts(struct cur *c, struct event *ev, const struct head *h)
{
	struct flow_part f = {0};
	struct count_part n = {0};

	if (h->flags & FLOW &&
	    (!get(c, &f, sizeof(f)) || f.start_ns < 0 ||
	     !(f.pkts_out | f.pkts_in | f.octets_out | f.octets_in |
	       (uint64_t)f.start_ns)))
		return false;
	if (h->flags & COUNT &&
	    (!get(c, &n, sizeof(n)) || n.first_ns < 0 || n.last_ns < 0 ||
	     !(n.n | n.octets | (uint64_t)n.first_ns | (uint64_t)n.last_ns) ||
	     n.proto > UINT8_MAX))
		return false;
	ev->pkts_out = f.pkts_out;
	ev->pkts_in = f.pkts_in;
	ev->octets_out = f.octets_out;
	ev->octets_in = f.octets_in;
	ev->flow_start.ns = f.start_ns;
	ev->count = n.n;
	ev->count_octets = n.octets;
	ev->first.ns = n.first_ns;
	ev->last.ns = n.last_ns;
	ev->last_flow = n.last_flow;
	ev->last_tup = (struct net_tuple){n.src, n.dst, n.sport, n.dport,
					  (uint8_t)n.proto};
	return true;
}

static bool get_texts(struct cur *c, struct event *ev, const struct head *h)
{
	bool ok = get_cstr(c, h->flags & APP, h->app, &ev->app_proto) &&
		  get_cstr(c, h->flags & DETAIL, h->detail, &ev->detail) &&
		  get_text(c, h->guest, &ev->guest) &&
		  get_text(c, h->party, &ev->party) &&
		  get_text(c, h->would_pass, &ev->would_pass);

	for (unsigned i = 0; ok && i < h->n_rules; i++)
		ok = get_rule(c, &ev->rules[i]);
	for (unsigned i = 0; ok && i < h->n_budgets; i++)
		ok = get_budget(c, &ev->budgets[i]);
	return ok;
}

static bool get_leaves(struct cur *c, struct obs *o, const struct head *h)
{
	uint16_t kind = 0;

	if (h->type == EV_PROTOCOL) {
		for (unsigned i = 0; i < h->n_leaves; i++) {
			if (!get_obs(c, &o[i]))
				return false;
		}
		return true;
	}
	for (unsigned i = 0; i < h->n_leaves; i++) {
		if (!get(c, &kind, sizeof(kind)) || kind >= OBS_COUNT)
			return false;
		memset(&o[i], 0, offsetof(struct obs, f));
		o[i].kind = kind;
	}
	if (h->n_leaves == 0)
		return true;
	kind = o[h->leaf].kind;
	return get_obs(c, &o[h->leaf]) && kind == o[h->leaf].kind;
}

int flat_read(struct flat_event *out, struct span msg, struct err *e)
{
	struct cur c = cur_of(msg);
	struct head h;

	if (msg.n > FLAT_MAX || !get(&c, &h, sizeof(h)) || !head_fits(&h))
		return err_set(e, E_SYNTAX, 0, "event: bad head");
	take_head(&out->ev, &h);
	if (!get_parts(&c, &out->ev, &h))
		return err_set(e, E_SYNTAX, c.off, "event: bad counts");
	if (!get_texts(&c, &out->ev, &h))
		return err_set(e, E_SYNTAX, c.off, "event: bad texts");
	if (h.flags & MESSAGE && !get_obs(&c, &out->message))
		return err_set(e, E_SYNTAX, c.off, "event: bad message");
	if (!get_leaves(&c, out->leaves, &h) || !cur_done(&c))
		return err_set(e, E_SYNTAX, c.off, "event: bad leaves");
	out->ev.message = h.flags & MESSAGE ? &out->message : NULL;
	out->ev.leaves = h.n_leaves ? out->leaves : NULL;
	return 0;
}

struct mono flat_time(struct span msg)
{
	struct cur c = cur_of(msg);
	struct head h;

	return (struct mono){get(&c, &h, sizeof(h)) ? h.mono_ns : 0};
}
