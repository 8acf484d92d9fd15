/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/storm_rule.h"

#include "audit/record.h"

#define RATE  200
#define BURST 10000

/* What is merged always, and its row in storm.other; -1: not that. */
static int merged_as(const struct event *ev)
{
	switch (ev->type) {
	case EV_FLOW:
		return 0;
	case EV_VIOLATION:
		return 1;
	case EV_ANOMALY:
		return 2;
	default:
		return -1;
	}
}

static const enum event_type other_type[STORM_TYPES] = {
	EV_FLOW, EV_VIOLATION, EV_ANOMALY};

/* Keys need no clearing: their number says which there are. */
static void empty(struct storm *s)
{
	memset(s, 0, offsetof(struct storm, key));
}

void storm_init(struct storm *s, const struct storm_conf *c)
{
	uint32_t rules = s->n_rules;

	empty(s);
	s->n_rules = rules;
	s->conf = *c;
	if (s->conf.rate == 0)
		s->conf.rate = RATE;
	if (s->conf.burst == 0)
		s->conf.burst = BURST;
	s->tokens_ns = s->conf.burst * (NS_PER_S / s->conf.rate);
}

/* --- the bucket ----------------------------------------------------------- */

bool storm_token(struct storm *s, struct mono now)
{
	int64_t one = NS_PER_S / s->conf.rate;
	int64_t full = s->conf.burst * one;
	int64_t passed = mono_sub(now, s->filled);

	if (passed > 0) {
		s->filled = now;
		s->tokens_ns = passed > full - s->tokens_ns
				       ? full
				       : s->tokens_ns + passed;
	}
	if (s->tight || s->tokens_ns < one)
		return false;
	s->tokens_ns -= one;
	return true;
}

/* --- keys ----------------------------------------------------------------- */

/* The other end's network and what kind of service its port is: what one
 * sender can vary at will must not make keys. */
static void put_peer(struct wbuf *w, const struct event *ev)
{
	bool out = ev->dir == DIR_OUT;
	const struct net_addr *a = out ? &ev->tup.dst : &ev->tup.src;
	uint16_t port = out ? ev->tup.dport : ev->tup.sport;

	wbuf_u8(w, ev->tup.proto);
	/* /24, or /48 of the longer form */
	wbuf_put(w, span_of(a->b, net_addr_is4(a) ? 15 : 6));
	wbuf_u8(w, port < 1024 ? 0 : port < 49152 ? 1 : 2);
}

void storm_put_name(struct wbuf *w, struct span s)
{
	s = span_sub(s, 0, sizeof(((struct storm_text *)0)->s));
	wbuf_u8(w, (uint8_t)s.n);
	wbuf_put(w, s);
}

/* A text of any length, whole. */
static void put_whole(struct wbuf *w, const struct storm *s, struct span text)
{
	wbuf_be(w, siphash24(&s->conf.key, text), 8);
}

/* What was permitted is alike when it did the same with the same object. */
static void put_said(struct wbuf *w, const struct storm *s,
		     const struct event *ev)
{
	static const enum field number[] = {F_TABLE, F_PROCEDURE};
	static const enum field text[] = {F_HREF, F_PATH, F_DNS_NAME};
	const struct obs *o;

	if (ev->leaf >= ev->n_leaves)
		return;
	o = &ev->leaves[ev->leaf];
	wbuf_be(w, o->kind, 2);
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++)
		wbuf_be(w, obs_get(o, number[i], UINT64_MAX), 8);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		put_whole(w, s, obs_get_span(o, text[i]));
}

static uint64_t hash_of(const struct storm *s, const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	uint64_t h;

	wbuf_u8(&w, (uint8_t)ev->type);
	wbuf_u8(&w, (uint8_t)ev->reason);
	wbuf_u8(&w, (uint8_t)ev->verdict);
	wbuf_u8(&w, (uint8_t)ev->dir);
	wbuf_u8(&w, (uint8_t)(ev->monitored | ev->flow_end << 1 |
			      ev->has_tuple << 2));
	storm_put_name(&w, ev->guest);
	storm_put_name(&w, ev->party);
	storm_put_name(&w, span_str(ev->app_proto));
	if (r) {
		storm_put_name(&w, r->policy);
		storm_put_name(&w, r->rule);
		wbuf_be(&w, r->line, 4);
	}
	if (ev->has_tuple)
		put_peer(&w, ev);
	if (ev->summary)
		put_said(&w, s, ev);
	h = siphash24(&s->conf.key, wbuf_span(&w));
	return h ? h : 1;
}

static struct storm_text copy(struct span s)
{
	struct storm_text t = {0};

	s = span_sub(s, 0, sizeof(t.s));
	t.n = (uint8_t)s.n;
	if (s.n)
		memcpy(t.s, s.p, s.n);
	return t;
}

static struct span text(const struct storm_text *t)
{
	return span_of(t->s, t->n);
}

static void put_app(struct storm_key *k, const char *app)
{
	struct span s = span_sub(span_str(app), 0, sizeof(k->app) - 1);

	if (s.n)
		memcpy(k->app, s.p, s.n);
}

void storm_describe(struct storm_key *k, const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);

	k->type = (uint8_t)ev->type;
	k->dir = (uint8_t)ev->dir;
	k->verdict = (uint8_t)ev->verdict;
	k->reason = (uint8_t)ev->reason;
	k->monitored = ev->monitored;
	k->flow_end = ev->flow_end;
	k->summary = ev->summary;
	k->severity = ev->severity;
	k->notify = ev->notify;
	put_app(k, ev->app_proto);
	k->guest = copy(ev->guest);
	k->party = copy(ev->party);
	k->has_rule = r != NULL;
	if (!r)
		return;
	k->rule_refused = r->refused;
	k->line = r->line;
	k->serial = r->serial;
	k->layer = copy(r->layer);
	k->policy = copy(r->policy);
	k->rule = copy(r->rule);
	k->file = copy(r->file);
}

/* The key of that hash, made when it is not there; NULL: no place. */
static struct storm_key *key_of(struct storm *s, const struct event *ev,
				bool *fresh)
{
	uint64_t hash = hash_of(s, ev);
	size_t i = hash & (STORM_SLOTS - 1);
	struct storm_key *k;

	*fresh = false;
	/* A quarter is always free: the walk ends. */
	for (; s->slot[i]; i = (i + 1) & (STORM_SLOTS - 1)) {
		k = &s->key[s->slot[i] - 1];
		if (k->hash == hash)
			return k;
	}
	if (s->n_keys == STORM_KEYS)
		return NULL;
	*fresh = true;
	k = &s->key[s->n_keys++];
	memset(k, 0, sizeof(*k));
	k->hash = hash;
	storm_describe(k, ev);
	s->slot[i] = (uint16_t)s->n_keys;
	return k;
}

/* --- counting ------------------------------------------------------------- */

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void count(struct storm_sum *sum, const struct event *ev)
{
	if (sum->n == 0)
		sum->first = ev->count ? ev->first : ev->now.mono;
	sum->last = ev->count ? ev->last : ev->now.mono;
	sum->n = plus(sum->n, ev->count ? ev->count : 1);
	sum->octets = plus(sum->octets,
			   ev->count ? ev->count_octets : ev->octets);
}

void storm_count(struct storm_key *k, const struct event *ev)
{
	if (k->sum.n == 0) {
		k->now = ev->now;
		k->flow_id = ev->flow_id;
		k->tup = ev->tup;
		k->has_tuple = ev->has_tuple;
	}
	k->last_tup = ev->count	      ? ev->last_tup
		      : ev->has_tuple ? ev->tup
				      : (struct net_tuple){.proto = 0};
	k->last_flow = ev->count ? ev->last_flow : ev->flow_id;
	count(&k->sum, ev);
}

static void count_event(struct storm *s, struct storm_key *k,
			const struct event *ev)
{
	unsigned reason = ev->reason < REASON_COUNT ? ev->reason : REASON_NONE;

	s->merged++;
	if (k) {
		storm_count(k, ev);
		return;
	}
	s->any_other = true;
	count(&s->other[merged_as(ev)][ev->verdict == VERDICT_DENY][reason],
	      ev);
}

static void merge(struct storm *s, const struct event *ev, storm_out *out,
		  void *arg)
{
	struct storm_key *k;
	bool fresh, in_full;

	if ((merged_as(ev) < 0 && !ev->summary) || ev->count) {
		s->passed++;
		out(arg, ev);
		return;
	}
	/* A flow's record is kept for each while the bucket lasts. */
	if (ev->type == EV_FLOW && storm_token(s, ev->now.mono)) {
		s->passed++;
		out(arg, ev);
		return;
	}
	if (s->n_keys == 0 && !s->any_other)
		s->since = ev->now.mono;
	k = key_of(s, ev, &fresh);
	/* What was permitted is never counted without its rule, and no storm
	 * of refusals takes its place. */
	if (ev->summary)
		in_full = !k || fresh;
	else
		in_full = ev->type != EV_FLOW && k && fresh &&
			  storm_token(s, ev->now.mono);
	if (in_full) {
		s->passed++;
		out(arg, ev);
	} else {
		count_event(s, k, ev);
	}
}

void storm_event(struct storm *s, const struct event *ev, storm_out *out,
		 void *arg)
{
	bool refused = ev->type == EV_VIOLATION && ev->count == 0;
	bool notifies = ev->notify && ev->count == 0 &&
			(refused || ev->type == EV_DECISION);
	struct storm_rule *r;

	storm_tick(s, ev->now, out, arg);
	r = refused || notifies ? storm_rule_of(s, ev) : NULL;
	if (!refused || !r || !storm_refused(s, r, ev, out, arg))
		merge(s, ev, out, arg);
	if (notifies)
		storm_notice(s, r, ev, out, arg);
}

/* --- telling -------------------------------------------------------------- */

static void tell(const struct storm_sum *sum, struct event *ev,
		 struct now now, storm_out *out, void *arg)
{
	ev->now = now;
	reasons_add(&ev->reasons, ev->reason);
	ev->detail = "several alike";
	ev->count = sum->n;
	ev->count_octets = sum->octets;
	ev->first = sum->first;
	ev->last = sum->last;
	out(arg, ev);
}

void storm_tell(const struct storm_key *k, struct now now,
		     storm_out *out, void *arg)
{
	struct event ev = {
		.type = (enum event_type)k->type,
		.flow_id = k->flow_id,
		.tup = k->tup,
		.has_tuple = k->has_tuple,
		.app_proto = k->app[0] ? k->app : NULL,
		.guest = text(&k->guest),
		.party = text(&k->party),
		.dir = (enum dir)k->dir,
		.verdict = (enum verdict)k->verdict,
		.monitored = k->monitored,
		.reason = (enum reason)k->reason,
		.flow_end = k->flow_end,
		.summary = k->summary,
		.n_rules = k->has_rule,
		.severity = k->severity,
		.notify = k->notify,
		.last_tup = k->last_tup,
		.last_flow = k->last_flow,
	};

	if (k->has_rule)
		ev.rules[0] = (struct event_rule){
			text(&k->layer), text(&k->policy), text(&k->rule),
			text(&k->file),	 k->line,	   k->serial,
			k->rule_refused};
	tell(&k->sum, &ev, now, out, arg);
}

static void tell_others(struct storm *s, struct now now, storm_out *out,
			void *arg)
{
	for (size_t i = 0; i < STORM_TYPES * 2 * REASON_COUNT; i++) {
		size_t type = i / REASON_COUNT / 2;
		bool denied = i / REASON_COUNT % 2;
		size_t reason = i % REASON_COUNT;
		const struct storm_sum *sum = &s->other[type][denied][reason];
		struct event ev = {
			.type = other_type[type],
			.reason = (enum reason)reason,
			.guest = span_str(s->conf.guest),
			.verdict = denied ? VERDICT_DENY : VERDICT_NONE,
		};

		if (sum->n)
			tell(sum, &ev, now, out, arg);
	}
	memset(s->other, 0, sizeof(s->other));
	s->any_other = false;
}

static void tell_second(struct storm *s, struct now now, storm_out *out,
			void *arg)
{
	for (uint32_t i = 0; i < s->n_keys; i++) {
		if (s->key[i].sum.n)
			storm_tell(&s->key[i], now, out, arg);
	}
	s->n_keys = 0;
	memset(s->slot, 0, sizeof(s->slot));
	if (s->any_other)
		tell_others(s, now, out, arg);
}

void storm_flush(struct storm *s, struct now now, storm_out *out, void *arg)
{
	tell_second(s, now, out, arg);
	storm_tell_rules(s, now, out, arg);
}

/* --- what a predecessor left ---------------------------------------------- */

static int64_t clamp(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

static void mend_sum(struct storm_sum *sum, struct now now)
{
	sum->first.ns = clamp(sum->first.ns, 0, now.mono.ns);
	sum->last.ns = clamp(sum->last.ns, sum->first.ns, now.mono.ns);
}

static void mend_key(struct storm_key *k, struct now now)
{
	struct storm_text *const texts[] = {&k->guest, &k->party, &k->layer,
					    &k->policy, &k->rule, &k->file};
	struct event ev = {.type = (enum event_type)k->type};

	mend_sum(&k->sum, now);
	if (merged_as(&ev) < 0 && ev.type != EV_DECISION &&
	    ev.type != EV_NOTICE)
		k->type = EV_ANOMALY;
	if (k->severity > SEV_CRITICAL)
		k->severity = SEV_UNSET;
	k->notify &= NOTIFY_ALL;
	if (ev.type == EV_DECISION)
		k->verdict = VERDICT_ALLOW;
	k->dir = k->dir == DIR_IN ? DIR_IN : DIR_OUT;
	if (k->verdict > VERDICT_DENY)
		k->verdict = VERDICT_NONE;
	if (k->reason >= REASON_COUNT)
		k->reason = REASON_NONE;
	k->app[sizeof(k->app) - 1] = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i]->n > sizeof(texts[i]->s))
			texts[i]->n = 0;
	}
}

/* A flag is read as an octet: one that is neither 0 nor 1 is no bool. */
static void mend_flags(struct storm_key *k)
{
	bool *const flags[] = {&k->has_tuple, &k->monitored, &k->flow_end,
			       &k->has_rule, &k->rule_refused, &k->summary};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		uint8_t octet;

		memcpy(&octet, flags[i], 1);
		*flags[i] = octet != 0;
	}
}

/* Its hour goes on: nobody gets another hundred by making an engine die. */
static void mend_rule(struct storm_rule *r, struct now now)
{
	uint8_t told, again;

	memcpy(&told, &r->told, 1);
	memcpy(&again, &r->again, 1);
	r->told = told != 0;
	r->again = again != 0;
	r->hour.ns = clamp(r->hour.ns, 0, now.mono.ns);
	r->noticed.ns = clamp(r->noticed.ns, 0, now.mono.ns);
	if (r->each > STORM_EACH)
		r->each = STORM_EACH;
	r->more.sum.n = r->notice.sum.n = 0;
}

static void recover_key(struct storm_key *k, struct now now, storm_out *out,
			void *arg)
{
	if (k->sum.n == 0)
		return;
	mend_flags(k);
	mend_key(k, now);
	storm_tell(k, now, out, arg);
}

void storm_recover(struct storm *s, struct now now, storm_out *out, void *arg)
{
	uint32_t n = s->n_keys < STORM_KEYS ? s->n_keys : STORM_KEYS;
	uint32_t rules = s->n_rules < STORM_RULES ? s->n_rules : STORM_RULES;
	struct storm_sum *sum = &s->other[0][0][0];

	for (uint32_t i = 0; i < n; i++)
		recover_key(&s->key[i], now, out, arg);
	for (uint32_t i = 0; i < rules; i++) {
		recover_key(&s->rule[i].more, now, out, arg);
		recover_key(&s->rule[i].notice, now, out, arg);
		mend_rule(&s->rule[i], now);
	}
	for (size_t i = 0; i < sizeof(s->other) / sizeof(*sum); i++)
		mend_sum(&sum[i], now);
	s->conf.guest[sizeof(s->conf.guest) - 1] = 0;
	tell_others(s, now, out, arg);
	empty(s);
	s->n_rules = rules;
}

static int64_t second_due(const struct storm *s)
{
	return s->n_keys || s->any_other ? mono_add(s->since, STORM_PERIOD).ns :
					   INT64_MAX;
}

void storm_tick(struct storm *s, struct now now, storm_out *out, void *arg)
{
	if (now.mono.ns >= second_due(s))
		tell_second(s, now, out, arg);
	if (s->rules_due_ns && now.mono.ns >= s->rules_due_ns)
		storm_tell_rules(s, now, out, arg);
}

struct mono storm_due(const struct storm *s)
{
	int64_t second = second_due(s), rules = s->rules_due_ns;

	return (struct mono){rules && rules < second ? rules : second};
}
