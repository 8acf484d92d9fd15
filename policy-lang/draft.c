/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/draft.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "policy-lang/eval/eval.h"

/* What a rule is narrowed by, where the observation has it. The first one
 * that it has tells needs with measurements apart. */
static const struct {
	enum obs_kind lo, hi;
	enum field field;
} narrows[] = {
	{OBS_C1222_READ_REQUEST,      OBS_C1222_WRITE_RESPONSE,	    F_TABLE	       },
	{OBS_C1222_WRITE_REQUEST,     OBS_C1222_WRITE_REQUEST,      F_NOTIFICATION},
	{OBS_C1222_PROCEDURE_REQUEST, OBS_C1222_PROCEDURE_RESPONSE, F_PROCEDURE	   },
	{OBS_DNS_QUERY,	       OBS_DNS_QUERY,		  F_DNS_NAME	 },
	{OBS_DNS_QUERY,	       OBS_DNS_QUERY,		  F_DNS_TYPE	 },
	{OBS_DNS_ANSWER,	      OBS_DNS_ANSWER,		  F_DNS_NAME	},
	{OBS_TLS_HELLO,	       OBS_TLS_HELLO,		  F_DNS_NAME	 },
	{OBS_TLS_HELLO,	       OBS_TLS_HELLO,		  F_ALPN		 },
	{OBS_HTTP_REQUEST,	    OBS_HTTP_REQUEST,	      F_PATH	     },
	{OBS_HTTP_REQUEST,	    OBS_HTTP_REQUEST,	      F_METHOD	       },
	{OBS_HTTP_REQUEST,	    OBS_HTTP_REQUEST,	      F_HOST	     },
	{OBS_HTTP_REQUEST,	    OBS_HTTP_RESPONSE,	       F_BODY	      },
	{OBS_HTTP_RESPONSE,	   OBS_HTTP_RESPONSE,	      F_STATUS	       },
	{OBS_OBIX_READ_REQUEST,       OBS_OBIX_ALARM_ACK_RESPONSE,  F_HREF	      },
};

static bool is_request(enum obs_kind k)
{
	return obs_level(k) == OBS_LEVEL_REQUEST;
}

static bool is_text(enum field f)
{
	return field_type(f) == FIELD_TEXT;
}

/* --- one message ---------------------------------------------------------- */

static struct draft_flow *flow_of(struct draft *d, const struct event *ev)
{
	struct draft_flow *f;

	for (size_t i = 0; i < d->n_flow && i < DRAFT_FLOWS; i++) {
		if (d->flow[i].id == ev->flow_id)
			return &d->flow[i];
	}
	/* The first packet goes to the server. Old flows make room. */
	f = &d->flow[d->n_flow++ % DRAFT_FLOWS];
	*f = (struct draft_flow){.id = ev->flow_id,
				 .proto = ev->tup.proto,
				 .port = ev->tup.dport,
				 .out = ev->dir == DIR_OUT};
	draft_begin(d, f, ev->dir == DIR_OUT ? &ev->tup.dst : &ev->tup.src,
		    ev->now.mono);
	return f;
}

static void party_port(struct draft *d, struct draft_party *p,
		       const struct draft_flow *f)
{
	for (size_t i = 0; i < p->n_port; i++) {
		if (p->port[i].port == f->port && p->port[i].proto == f->proto)
			return;
	}
	if (f->proto != PROTO_TCP && f->proto != PROTO_UDP) {
		p->portless = true;
		return;
	}
	if (p->n_port == sizeof(p->port) / sizeof(p->port[0])) {
		d->cut = true;
		return;
	}
	p->port[p->n_port].proto = f->proto;
	p->port[p->n_port++].port = f->port;
}

static void party_title(struct draft_party *p, const struct event *ev)
{
	struct span t = {0};

	if (ev->message && ev->message->kind == OBS_C1222_MESSAGE)
		t = obs_get_span(ev->message,
				 ev->dir == DIR_OUT ? F_CALLED : F_CALLING);
	if (t.n == 0 || t.n > sizeof(p->title) ||
	    (p->titled && !span_eq(t, span_of(p->title, p->n_title)))) {
		p->untitled = true;
		return;
	}
	memcpy(p->title, t.p, t.n);
	p->n_title = t.n;
	p->titled = true;
}

/* A machine's hello says whom it wants to talk to. */
static void party_name(struct draft_party *p, const struct event *ev)
{
	struct draft_attr one = {.field = F_DNS_NAME, .n = 1};
	struct span s;

	if (ev->leaves[ev->leaf].also != OBS_TLS_HELLO || !ev->message ||
	    ev->dir != DIR_OUT)
		return;
	s = obs_get_span(ev->message, F_DNS_NAME);
	if (draft_is_host(s))
		memcpy(one.text[0], s.p, s.n);
	p->names.field = F_DNS_NAME;
	if (!draft_is_host(s) || !draft_add_values(&p->names, &one))
		p->unnamed = true;
}

static const char *role_of(const struct event *ev)
{
	switch (obs_family((enum obs_kind)ev->leaves[ev->leaf].kind)) {
	case OBS_FAMILY_C1222:
		return "metering";
	case OBS_FAMILY_DNS:
		return "infrastructure";
	default:
		return "service";
	}
}

static bool is_party(const struct draft_party *p, const struct net_addr *a,
		     const char *name)
{
	return *name ? strcmp(p->dns, name) == 0
		     : !p->dns[0] && net_addr_eq(&p->addr, a);
}

static int party_of(struct draft *d, const struct event *ev,
		    struct draft_flow *f)
{
	const struct net_addr *a =
		ev->dir == DIR_OUT ? &ev->tup.dst : &ev->tup.src;
	struct draft_party *p;
	const char *name;
	size_t i = 0;

	if (!f->placed)
		f->by = draft_place(d, f, ev);
	f->placed = true;
	name = f->by ? d->name[f->by - 1].name : "";
	while (i < d->n_party && !is_party(&d->party[i], a, name))
		i++;
	if (i == DRAFT_PARTIES) {
		d->cut = true;
		return -1;
	}
	p = &d->party[i];
	if (i == d->n_party) {
		d->n_party++;
		p->addr = *a;
		snprintf(p->dns, sizeof(p->dns), "%s", name);
		p->role = role_of(ev);
	}
	party_port(d, p, f);
	party_title(p, ev);
	party_name(p, ev);
	draft_stood(d, p, f);
	return (int)i;
}

/* One text, but of the protocols that a hello offers all. */
static size_t texts_of(const struct obs *o, enum field f, struct draft_attr *a)
{
	size_t n = 0, max = f == F_ALPN ? DRAFT_VALUES : 1;

	for (unsigned i = 0; i < o->n && n < max; i++) {
		const struct fact *x = &o->f[i];

		if (x->field != f || x->n == 0 || x->n > DRAFT_VALUE_OCTETS)
			continue;
		memcpy(a->text[n], x->p, x->n);
		a->text[n++][x->n] = 0;
	}
	return n;
}

/* The values of an observation that narrow it. */
static size_t attrs_of(const struct obs *o, enum obs_kind kind,
		       struct draft_attr out[DRAFT_ATTRS])
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(narrows) / sizeof(narrows[0]); i++) {
		struct draft_attr *a = &out[n];
		enum field f = narrows[i].field;

		if (kind < narrows[i].lo || kind > narrows[i].hi ||
		    (!obs_has(o, f) && f != F_NOTIFICATION) ||
		    n == DRAFT_ATTRS)
			continue;
		a->field = (uint16_t)f;
		a->n = 1;
		if (!is_text(f)) {
			a->num[0] = f == F_NOTIFICATION
					    ? obs_has(o, f)
					    : (uint32_t)obs_get(o, f, 0);
			n++;
			continue;
		}
		a->n = texts_of(o, f, a);
		n += a->n > 0;
	}
	return n;
}

bool draft_has_value(const struct draft_attr *a, const struct draft_attr *v)
{
	for (size_t i = 0; i < a->n; i++) {
		if (is_text((enum field)a->field)
			    ? strcmp(a->text[i], v->text[0]) == 0
			    : a->num[i] == v->num[0])
			return true;
	}
	return false;
}

static bool add_value(struct draft_attr *a, const struct draft_attr *v)
{
	if (a->field == F_BODY) { /* the largest */
		if (v->num[0] > a->num[0])
			a->num[0] = v->num[0];
		return true;
	}
	if (draft_has_value(a, v))
		return true;
	if (a->n == DRAFT_VALUES)
		return false;
	a->num[a->n] = v->num[0];
	memcpy(a->text[a->n++], v->text[0], sizeof(v->text[0]));
	return true;
}

bool draft_add_values(struct draft_attr *a, const struct draft_attr *v)
{
	bool room = true;

	for (size_t i = 0; i < v->n; i++) {
		struct draft_attr one = {.field = v->field, .n = 1};

		one.num[0] = v->num[i];
		memcpy(one.text[0], v->text[i], sizeof(one.text[0]));
		room &= add_value(a, &one);
	}
	return room;
}

/* Do they belong into one rule? What carries measurements, or asks for them,
 * has one for each thing it is about, so that each is as rare as it was. */
static bool fits(const struct draft_need *n, size_t party, enum dir dir,
		 enum obs_kind kind, bool data, bool alone,
		 const struct draft_attr *attr, size_t n_attr)
{
	if (n->party != party || n->dir != dir || n->kind != kind ||
	    (n->meas != 0) != data || n->alone != alone || n->n_attr != n_attr)
		return false;
	for (size_t i = 0; i < n_attr; i++) {
		bool same = draft_has_value(&n->attr[i], &attr[i]);

		if (n->attr[i].field != attr[i].field)
			return false;
		if (same || attr[i].field == F_BODY)
			continue;
		/* Methods and flags go with their own values only. */
		if ((alone && i == 0) || attr[i].field == F_METHOD ||
		    attr[i].field == F_NOTIFICATION ||
		    n->attr[i].n == DRAFT_VALUES)
			return false;
	}
	return true;
}

/* In a policy a star stands for anything, and nothing stands for a star: such
 * a text would grant others. */
static bool has_star(const struct draft_attr *attr, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_text((enum field)attr[i].field))
			continue;
		for (size_t k = 0; k < attr[i].n; k++) {
			if (strchr(attr[i].text[k], '*'))
				return true;
		}
	}
	return false;
}

static struct draft_need *need_of(struct draft *d, size_t party,
				  const struct event *ev, const struct obs *o,
				  enum obs_kind kind, meas_set meas)
{
	struct draft_attr attr[DRAFT_ATTRS];
	size_t n_attr = attrs_of(o, kind, attr), i = 0;
	bool alone = meas || obs_get(o, F_ASKS_FOR, 0) & ~MEAS_ABOUT;
	struct draft_need *n;

	if (has_star(attr, n_attr)) {
		d->starred++;
		return NULL;
	}
	while (i < d->n_need && !fits(&d->need[i], party, ev->dir, kind,
				      meas != 0, alone, attr, n_attr))
		i++;
	if (i == DRAFT_NEEDS) {
		d->cut = true;
		return NULL;
	}
	n = &d->need[i];
	if (i == d->n_need) {
		d->n_need++;
		*n = (struct draft_need){.party = party,
					 .dir = ev->dir,
					 .kind = kind,
					 .alone = alone,
					 .n_attr = n_attr,
					 .gap_ns = INT64_MAX,
					 .gran_s = INT64_MAX,
					 .delay_s = INT64_MAX,
					 .has_gran = true,
					 .has_delay = true,
					 .has_res = true,
					 .has_value = true,
					 .has_channels = true,
					 .value_lo = INT64_MAX,
					 .value_hi = INT64_MIN};
		memcpy(n->attr, attr, n_attr * sizeof(attr[0]));
	}
	for (size_t k = 0; k < n_attr; k++)
		(void)draft_add_values(&n->attr[k], &attr[k]);
	n->meas |= meas;
	return n;
}

/* --- what its values were -------------------------------------------------- */

uint64_t draft_gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

static void note_resolution(struct draft_need *n, const struct obs *o)
{
	enum unit u = (enum unit)obs_get(o, F_RES_UNIT, UNIT_NONE);
	uint64_t step = obs_get(o, F_RES_STEP, 0);

	if (step == 0 || u == UNIT_NONE || (n->res_milli && n->res_unit != u)) {
		n->has_res = false;
		return;
	}
	n->res_unit = u;
	n->res_milli = n->res_milli ? draft_gcd(n->res_milli, step) : step;
}

static void note_values(struct draft_need *n, const struct event *ev,
			const struct obs *o)
{
	int64_t now = wall_s(ev->now.wall);
	int64_t age;

	n->has_gran &= obs_has(o, F_GRANULARITY);
	n->has_delay &= obs_has(o, F_NEWEST);
	n->has_value &= obs_has(o, F_VALUE_MIN) && obs_has(o, F_VALUE_MAX);
	n->has_channels &= obs_has(o, F_CHANNELS);
	if (obs_has(o, F_GRANULARITY) &&
	    (int64_t)obs_get(o, F_GRANULARITY, 0) < n->gran_s)
		n->gran_s = (int64_t)obs_get(o, F_GRANULARITY, 0);
	age = now - obs_get_i64(o, F_OLDEST, now);
	if (age > n->oldest_s)
		n->oldest_s = age;
	age = now - obs_get_i64(o, F_NEWEST, now);
	if (age < n->delay_s)
		n->delay_s = age > 0 ? age : 0;
	if (obs_get_i64(o, F_VALUE_MIN, INT64_MAX) < n->value_lo)
		n->value_lo = obs_get_i64(o, F_VALUE_MIN, INT64_MAX);
	if (obs_get_i64(o, F_VALUE_MAX, INT64_MIN) > n->value_hi)
		n->value_hi = obs_get_i64(o, F_VALUE_MAX, INT64_MIN);
	if (obs_get(o, F_CHANNELS, 0) > n->channels)
		n->channels = (uint32_t)obs_get(o, F_CHANNELS, 0);
	note_resolution(n, o);
}

static int64_t day_of(struct wall w)
{
	int64_t s = wall_s(w) + w.std_off_s;

	return s / 86400 - (s % 86400 < 0);
}

static unsigned half_hour(struct wall w)
{
	int64_t s = (wall_s(w) + w.civil_off_s) % 86400;

	return (unsigned)((s < 0 ? s + 86400 : s) / 1800);
}

static void count(struct draft_need *n, const struct event *ev)
{
	int64_t day = day_of(ev->now.wall), t = ev->now.mono.ns;

	n->halves |= UINT64_C(1) << half_hour(ev->now.wall);
	n->days |= n->messages && day != n->day;
	if (n->messages && t - n->last_ns < n->gap_ns)
		n->gap_ns = t - n->last_ns;
	if (n->messages == 0 || day != n->day)
		n->in_day = n->octets_day = 0;
	n->day = day;
	n->last_ns = t;
	n->messages++;
	n->octets_day += ev->octets;
	if (++n->in_day > n->most)
		n->most = n->in_day;
	if (n->octets_day > n->octets_most)
		n->octets_most = n->octets_day;
}

/* --- whose answer ----------------------------------------------------------- */

void draft_add_answer(struct draft_need *n, size_t request)
{
	for (size_t i = 0; i < n->n_answers; i++) {
		if (n->answers[i] == request)
			return;
	}
	if (n->n_answers < sizeof(n->answers) / sizeof(n->answers[0]))
		n->answers[n->n_answers++] = (uint16_t)request;
}

static enum obs_kind request_of(enum obs_kind k)
{
	if (k == OBS_DNS_ANSWER)
		return OBS_DNS_QUERY;
	return is_request((enum obs_kind)(k - 1)) ? (enum obs_kind)(k - 1) : k;
}

/* A request of the same kind about the same thing, else the last one there. */
static void pair(struct draft *d, struct draft_need *n, const struct obs *o,
		 const struct draft_flow *f)
{
	struct draft_attr v[DRAFT_ATTRS];
	size_t k = attrs_of(o, n->kind, v);
	const uint16_t *last = f->asked[!n->dir];
	size_t n_last = f->n_asked[!n->dir];
	bool found = false;

	for (size_t i = 0; k && i < d->n_need; i++) {
		const struct draft_need *q = &d->need[i];

		if (q->party != n->party || q->dir == n->dir ||
		    q->kind != request_of(n->kind) || q->n_attr == 0 ||
		    q->attr[0].field != v[0].field ||
		    !draft_has_value(&q->attr[0], &v[0]))
			continue;
		draft_add_answer(n, i);
		found = true;
	}
	/* Of one that asks for several things any may be what is answered. */
	if (found && n_last < 2 && n->kind != OBS_C1222_PROCEDURE_RESPONSE)
		return;
	for (size_t i = 0; i < n_last; i++)
		draft_add_answer(n, last[i]);
}

static void ask(struct draft_flow *f, enum dir dir, size_t need, bool more)
{
	if (!more)
		f->n_asked[dir] = 0;
	if (f->n_asked[dir] < sizeof(f->asked[0]) / sizeof(f->asked[0][0]))
		f->asked[dir][f->n_asked[dir]++] = (uint16_t)need;
}

/* --- the events ------------------------------------------------------------- */

static void count_out(struct draft *d, const struct event *ev)
{
	int64_t day = day_of(ev->now.wall);

	if (day != d->day)
		d->out_day = 0;
	d->day = day;
	/* Acknowledgements and repeated packets are counted as well. */
	d->out_day += ev->octets + 400;
	if (d->out_day > d->out_most)
		d->out_most = d->out_day;
}

static void note(struct draft *d, const struct event *ev, const struct obs *o,
		 enum obs_kind kind)
{
	meas_set meas = obs_has(o, F_ECHO)
				? 0
				: obs_get(o, F_MEASUREMENT, 0) & MEAS_ALL &
					  ~MEAS_ABOUT;
	struct draft_flow *f = flow_of(d, ev);
	/* An error that answers and carries nothing needs no rule. */
	int party = pol_is_error(o, meas) ? -1 : party_of(d, ev, f);
	struct draft_need *n = party < 0 ? NULL
					 : need_of(d, (size_t)party, ev, o,
						   kind, meas);
	size_t i = n ? (size_t)(n - d->need) : 0;
	bool counted = ev->message == d->message && n && n->messages &&
		       ev->pcap_cnt == d->pcap_cnt &&
		       n->last_ns == ev->now.mono.ns;

	if (!n)
		return;
	if (!counted && !(ev->message && obs_has(ev->message, F_RETRY)))
		count(n, ev);
	if (meas)
		note_values(n, ev, o);
	if (is_request(kind))
		ask(f, ev->dir, i,
		    ev->message == d->message && ev->pcap_cnt == d->pcap_cnt);
	else if (obs_level(kind) == OBS_LEVEL_RESPONSE)
		pair(d, n, o, f);
}

void draft_event(struct draft *d, const struct event *ev)
{
	const struct obs *o;
	bool again;

	if (ev->type == EV_FLOW && !ev->flow_end && ev->guest.n)
		(void)flow_of(d, ev);
	if (ev->verdict == VERDICT_DENY && ev->reason < REASON_COUNT &&
	    (ev->type == EV_VIOLATION || ev->type == EV_ANOMALY))
		d->refused[ev->reason]++;
	if (ev->type != EV_DECISION || ev->leaf >= ev->n_leaves)
		return;
	draft_answer(d, ev, &ev->leaves[ev->leaf]);
	again = ev->message == d->message && ev->pcap_cnt == d->pcap_cnt;
	o = &ev->leaves[ev->leaf];
	if (!again && ev->dir == DIR_OUT)
		count_out(d, ev);
	if (o->kind == OBS_OPAQUE && o->also == OBS_TLS_HELLO && ev->message)
		note(d, ev, ev->message, OBS_TLS_HELLO);
	else
		note(d, ev, o, (enum obs_kind)o->kind);
	d->message = ev->message;
	d->pcap_cnt = ev->pcap_cnt;
}
