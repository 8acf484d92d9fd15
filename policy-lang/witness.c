/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/witness.h"

#include <stdio.h>

#include "policy-lang/front/overlap.h"

#define VALUES	 6   /* of one attribute that are tried */
#define TRIES	 96  /* messages of one rule */
#define WEEKS	 2   /* that are gone through for one rule */
#define HALF_H	 (1800 * NS_PER_S)
#define READINGS 9   /* of a series of snapshots: eight gaps, as bounds have it */
#define WAITS	 400 /* for all of them */

/* --- in which circumstances --------------------------------------------------- */

static const struct pol_rule_src *rule_of(const struct pol_file *v,
					  struct span name)
{
	for (size_t i = 0; i < v->n_rule; i++) {
		if (v->rule[i].kind == RULE_GRANT &&
		    span_is(name, v->rule[i].id))
			return &v->rule[i];
	}
	return NULL;
}

static bool lists(const uint16_t *v, size_t n, uint16_t k)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == k)
			return true;
	}
	return false;
}

static void set_states(struct scene *s, const struct pol_file *v,
		       const struct pol_rule_src *r, const char *party)
{
	int m = pol_set_find_machine(s->set, span_str(v->vm));

	for (size_t i = 0; m >= 0 && i < r->n_requires; i++) {
		uint16_t k = r->requires_[i];
		const char *name = k == POL_STATE_BUILTIN + BUILTIN_ATTESTED
					   ? "attested"
				   : k < v->n_state ? v->state[k].id
						    : NULL;
		bool of_party =
			k < v->n_state && v->state[k].scope == SCOPE_PARTY;

		/* What cannot be set so shows when the message is judged. */
		if (name && pol_state_set(s->state, (size_t)m, span_str(name),
					  of_party ? span_str(party)
						   : (struct span){0},
					  true, s->now))
			continue;
	}
}

static bool begin(struct scene *s, const struct pol_file *v,
		  const struct witness *w)
{
	int m = pol_set_find_machine(s->set, span_str(v->vm));
	struct err e;

	if (m < 0 || scene_reset(s, w->at, &e))
		return false;
	for (size_t i = 0; i < v->n_rule; i++) {
		if (v->rule[i].kind == RULE_GRANT &&
		    v->rule[i].consent > CONSENT_NONE &&
		    pol_state_consent(s->state, (size_t)m,
				      span_str(v->rule[i].id), true))
			return false;
	}
	return true;
}

/* Judged now, after what it answers, in the states that both require. */
static bool pass(struct scene *s, const struct pol_file *v,
		 const struct pol_rule_src *r, const struct witness *w,
		 struct pol_decision *d)
{
	uint64_t asked;
	struct scene_msg m;
	struct err e;

	*d = (struct pol_decision){0};
	set_states(s, v, r, w->step.party);
	for (size_t i = 0; i < r->n_answers; i++)
		set_states(s, v, &v->rule[r->answers[i]], w->step.party);
	asked = r->has_answers ? scene_ask_for(s, &w->step) : 0;
	if (scene_message(s, &w->step, v->vm, asked, &m, &e))
		return false;
	scene_judge(s, &m.msg, d);
	return d->permit;
}

/* As often as it has to, each as soon as it may. */
static bool repeat(struct scene *s, const struct pol_file *v,
		   const struct pol_rule_src *r, const struct witness *w,
		   int64_t *took_ns)
{
	int64_t start = s->now.mono.ns;
	struct pol_decision d;

	for (unsigned n = 1, waits = 0; n < w->readings; waits++) {
		if (waits == WAITS)
			return false;
		if (pass(s, v, r, w, &d)) {
			n++;
			continue;
		}
		scene_advance(s, d.wait_ns > NS_PER_S ? d.wait_ns : HALF_H / 30);
	}
	*took_ns = s->now.mono.ns - start;
	return true;
}

/* --- what it may say ------------------------------------------------------------ */

struct slot { /* of one attribute */
	uint16_t field;
	size_t n;
	bool may_lack;
	struct {
		uint32_t num;
		const char *text;
		struct span oid;
	} v[VALUES];
};

struct search {
	struct scene *s;
	const struct pol_file *v;
	const struct pol_rule_src *r;
	const struct pol_assert_src *a;
	struct witness *w;
	struct slot slot[WITNESS_ATTRS];
	size_t n_slot;
	unsigned tries, weeks;
};

static const struct pol_attr *attr_of(const struct pol_obs_match *m,
				      uint16_t field)
{
	for (size_t i = 0; i < m->n_attr; i++) {
		if (m->attr[i].field == field)
			return &m->attr[i];
	}
	return NULL;
}

static bool has_kind(const struct pol_obs_match *m, enum obs_kind k)
{
	if (!match_has(m, 1, k))
		return false;
	for (size_t i = 0; i < m->n_attr; i++) {
		if (!obs_has_attr(k, (enum field)m->attr[i].field))
			return false;
	}
	return true;
}

static const char *kept(struct witness *w, const char *a, const char *b)
{
	struct wbuf out = wbuf_of(w->octets + w->n_octets,
				  sizeof(w->octets) - w->n_octets - 1);
	char *text = w->octets + w->n_octets;

	if (!glob_meet(a, b, &out) || out.failed)
		return NULL;
	text[out.n] = 0;
	w->n_octets += out.n + 1;
	return text;
}

/* Values that are said by both. */
static void add_values(struct search *f, struct slot *to,
		       const struct pol_attr *a, const struct pol_attr *b)
{
	for (size_t i = 0; i < a->n_num && to->n < VALUES; i++) {
		for (size_t k = 0; k < b->n_num && to->n < VALUES; k++) {
			uint32_t lo = a->num[i].lo > b->num[k].lo
					      ? a->num[i].lo
					      : b->num[k].lo;

			if (lo <= a->num[i].hi && lo <= b->num[k].hi)
				to->v[to->n++].num = lo;
		}
	}
	for (size_t i = 0; i < a->n_text && to->n < VALUES; i++) {
		for (size_t k = 0; k < b->n_text && to->n < VALUES; k++) {
			const char *t = kept(f->w, a->text[i], b->text[k]);

			if (t)
				to->v[to->n++].text = t;
		}
	}
	for (size_t i = 0; i < a->n_oid && to->n < VALUES; i++) {
		for (size_t k = 0; k < b->n_oid && to->n < VALUES; k++) {
			if (span_eq(a->oid[i], b->oid[k]))
				to->v[to->n++].oid = a->oid[i];
		}
	}
}

static struct slot *slot_of(struct search *f, uint16_t field)
{
	for (size_t i = 0; i < f->n_slot; i++) {
		if (f->slot[i].field == field)
			return &f->slot[i];
	}
	if (f->n_slot == WITNESS_ATTRS)
		return NULL;
	f->slot[f->n_slot] = (struct slot){.field = field};
	return &f->slot[f->n_slot++];
}

/* What the grant names; where a ceiling names something as well, both. */
static void add_ceiling(struct search *f, const struct pol_obs_match *grant,
			const struct pol_obs_match *c)
{
	for (size_t i = 0; i < c->n_attr; i++) {
		const struct pol_attr *own = attr_of(grant, c->attr[i].field);
		struct slot *to = slot_of(f, c->attr[i].field);

		if (!to)
			return;
		to->may_lack = !own;
		add_values(f, to, own ? own : &c->attr[i], &c->attr[i]);
	}
}

static void fill_slots(struct search *f, const struct pol_obs_match *grant,
		       enum obs_kind k)
{
	f->n_slot = 0;
	f->w->n_octets = 0;
	for (size_t i = 0; i < f->s->n_file; i++) {
		const struct pol_file *b = f->s->file[i];

		for (size_t n = 0; b->kind == POL_BASELINE && n < b->n_rule;
		     n++) {
			const struct pol_rule_src *c = &b->rule[n];

			for (size_t m = 0; c->kind == RULE_CEILING &&
					   m < c->n_match;
			     m++) {
				if (has_kind(&c->match[m], k))
					add_ceiling(f, grant, &c->match[m]);
			}
		}
	}
	for (size_t i = 0; i < grant->n_attr; i++) {
		struct slot *to = slot_of(f, grant->attr[i].field);

		if (to)
			add_values(f, to, &grant->attr[i], &grant->attr[i]);
	}
}

/* The n-th choice of values; false: there are no more. */
static bool choose(struct search *f, unsigned n)
{
	struct witness *w = f->w;

	w->step.n_attr = 0;
	for (size_t i = 0; i < f->n_slot; i++) {
		const struct slot *from = &f->slot[i];
		size_t all = from->n + from->may_lack, k;
		struct pol_attr *to = &w->attr[w->step.n_attr];

		if (all == 0)
			return false;
		k = n % all;
		n /= (unsigned)all;
		if (k == from->n) /* without it */
			continue;
		*to = (struct pol_attr){.field = from->field};
		if (from->v[k].text) {
			w->text[w->step.n_attr] = from->v[k].text;
			to->text = &w->text[w->step.n_attr];
			to->n_text = 1;
		} else if (from->v[k].oid.n) {
			to->oid = &from->v[k].oid;
			to->n_oid = 1;
		} else {
			w->num[w->step.n_attr].lo = from->v[k].num;
			w->num[w->step.n_attr].hi = from->v[k].num;
			to->num = &w->num[w->step.n_attr];
			to->n_num = 1;
		}
		w->step.n_attr++;
	}
	w->step.attr = w->attr;
	return n == 0;
}

static void fill_data(struct search *f, const struct bound_flow *flow)
{
	const struct pol_data_src *d = &f->r->data;
	struct pol_step_src *st = &f->w->step;

	st->has_data = true;
	st->meas = MEAS_BIT(flow->meas);
	st->has_newest = st->has_oldest = true;
	st->newest_ns = st->oldest_ns = flow->delay_ns;
	if (meas_class(flow->meas) == MEAS_CLASS_SERIES) {
		st->has_gran = true;
		st->gran_ns = flow->granularity_ns ? flow->granularity_ns
						   : 60 * NS_PER_S;
	}
	if (flow->res_milli != BOUND_NONE) {
		st->has_res = true;
		st->res_milli = flow->res_milli;
		st->res_unit = flow->res_unit;
	}
	if (d->has_value) {
		st->has_value = true;
		st->value_unit = d->value_unit;
		st->value_milli = d->value_lo;
	}
	st->has_channels = true;
	st->channels = 1;
}

/* --- the search ----------------------------------------------------------------- */

/* Does a message like this break it, if it passes? */
static bool breaks(const struct search *f)
{
	const struct pol_step_src *st = &f->w->step;

	switch (f->a->kind) {
	case ASSERT_NEVER:
		return true;
	case ASSERT_FRESHEST:
		return st->newest_ns < f->a->ns;
	case ASSERT_FINEST:
		return !st->has_gran || st->gran_ns < f->a->ns;
	default:
		return false;
	}
}

/* A series shows in one message how fine it is, a snapshot in several. */
static bool often_enough(struct search *f)
{
	struct witness *w = f->w;

	if (f->a->kind != ASSERT_FINEST || w->step.has_gran)
		return true;
	w->readings = READINGS;
	return repeat(f->s, f->v, f->r, w, &w->within_ns) &&
	       w->within_ns / (READINGS - 1) < f->a->ns;
}

/* From the first start on. */
static bool now_and_often(struct search *f)
{
	struct pol_decision d;

	f->w->readings = 1;
	if (!begin(f->s, f->v, f->w) || !pass(f->s, f->v, f->r, f->w, &d))
		return false;
	if (often_enough(f))
		return true;
	f->tries += TRIES / 4; /* others will hardly be sent more often */
	return false;
}

/* Do hours refuse it now? Nothing is asked before, so that what is judged
 * leaves no trace. */
static bool not_now(struct search *f)
{
	struct pol_decision d = {0};
	struct scene_msg m;
	struct err e;

	if (scene_message(f->s, &f->w->step, f->v->vm, 0, &m, &e))
		return true;
	pol_judge(f->s->state, &m.msg, &d);
	pol_abort(f->s->state);
	return reasons_has(&d.reasons, REASON_NOT_NOW);
}

/* At noon, or where hours refuse it then, when they begin in a week. */
static bool at_some_time(struct search *f)
{
	struct witness *w = f->w;
	const struct wall noon = w->at;
	bool closed = true;

	if (now_and_often(f))
		return true;
	if (f->weeks == WEEKS || !begin(f->s, f->v, w) || !not_now(f))
		return false;
	for (int i = 1; i < 7 * 48; i++) {
		bool was = closed;

		scene_advance(f->s, HALF_H);
		closed = not_now(f);
		if (closed || !was)
			continue;
		w->at.us = noon.us + i * (HALF_H / 1000);
		if (now_and_often(f))
			return true;
		w->at = noon;
		if (!begin(f->s, f->v, w))
			return false;
		scene_advance(f->s, i * HALF_H);
	}
	f->weeks++;
	return false;
}

static bool try_kind(struct search *f, const struct pol_obs_match *m,
		     enum obs_kind k)
{
	f->w->step.kind = k;
	fill_slots(f, m, k);
	for (unsigned n = 0; choose(f, n) && f->tries < TRIES; n++) {
		struct pol_step_src *st = &f->w->step;

		f->tries++;
		st->oldest_ns = st->newest_ns + (st->has_gran ? st->gran_ns : 0);
		if (at_some_time(f))
			return true;
		if (!st->has_gran)
			continue;
		st->oldest_ns = st->newest_ns;
		if (at_some_time(f))
			return true;
	}
	return false;
}

static bool is_party(const struct pol_file *v, const struct pol_rule_src *r,
		     uint16_t party)
{
	return party < v->n_party &&
	       lists(r->party.party, r->party.n_party, party);
}

bool witness_find(struct scene *s, const struct pol_file *v,
		  const struct bound_flow *flow, const struct pol_assert_src *a,
		  struct witness *w)
{
	struct search f = {.s = s, .v = v, .a = a, .w = w};

	*w = (struct witness){.at = {.us = (civil_days(2026, 1, 7) * 86400 +
					    43200) * US_PER_S,
				     .trusted = true},
			      .readings = 1};
	f.r = rule_of(v, flow->rule_name);
	if (!f.r || !f.r->data.present || !is_party(v, f.r, flow->party))
		return false;
	for (size_t i = 0; i < s->n_file; i++) {
		if ((s->file[i]->valid_from_s + 43200) * US_PER_S > w->at.us)
			w->at.us = (s->file[i]->valid_from_s + 43200) * US_PER_S;
	}
	w->step.vm = v->vm;
	w->step.party = v->party[flow->party].id;
	w->step.dir = DIR_OUT;
	w->step.by = f.r->id;
	w->answer = f.r->has_answers && f.r->n_answers
			    ? v->rule[f.r->answers[0]].id
			    : NULL;
	fill_data(&f, flow);
	for (size_t i = 0; breaks(&f) && i < f.r->n_match; i++) {
		for (unsigned k = 0; k < OBS_COUNT; k++) {
			if (has_kind(&f.r->match[i], (enum obs_kind)k) &&
			    try_kind(&f, &f.r->match[i], (enum obs_kind)k))
				return true;
		}
	}
	return false;
}

/* --- in words ------------------------------------------------------------------- */

static void put_attr(struct wbuf *o, const struct pol_attr *a)
{
	char buf[OID_TEXT];

	wbuf_put(o, span_str(" "));
	wbuf_put(o, span_str(field_name((enum field)a->field)));
	wbuf_put(o, span_str("="));
	if (a->n_text) {
		wbuf_put(o, span_str(a->text[0]));
	} else if (a->n_oid) {
		wbuf_put(o, span_str(oid_text(buf, sizeof(buf), a->oid[0])));
	} else {
		snprintf(buf, sizeof(buf), "%u", a->num[0].lo);
		wbuf_put(o, span_str(buf));
	}
}

void witness_text(char buf[WITNESS_TEXT], const struct witness *w)
{
	const struct pol_step_src *st = &w->step;
	char what[WITNESS_TEXT / 2], t[64], of[80] = "", n[96] = "";
	struct wbuf o = wbuf_of(what, sizeof(what) - 1);

	wbuf_put(&o, span_str(obs_name(st->kind)));
	for (size_t i = 0; i < st->n_attr; i++)
		put_attr(&o, &st->attr[i]);
	what[o.n] = 0;
	if (st->has_gran)
		snprintf(of, sizeof(of), " of %s",
			 bound_time(t, sizeof(t), st->gran_ns));
	if (w->readings > 1)
		snprintf(n, sizeof(n), ", %u of them within %s", w->readings,
			 bound_time(t, sizeof(t), w->within_ns));
	snprintf(buf, WITNESS_TEXT, "%s with %s%s, %s old%s%s%s%s", what,
		 meas_name((enum meas)__builtin_ctzll(st->meas)), of,
		 bound_time(t, sizeof(t), st->newest_ns), n,
		 w->answer ? ", in answer to '" : "",
		 w->answer ? w->answer : "", w->answer ? "'" : "");
}
