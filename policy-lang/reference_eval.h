/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second evaluator, slow and plain, for the laws: it reads the parsed policy
 * files (image/model.h) and what happens (lawsaid.h), rule by rule, as
 * sections 7 to 10, 13 to 15 of the language say it, and knows nothing of
 * images, columns or classes. It judges parties, denials, grants, ceilings,
 * consent, data, hours and restrictions; counters, states and answers are not
 * its matter.
 */
#ifndef POLICY_LANG_REFERENCE_EVAL_H
#define POLICY_LANG_REFERENCE_EVAL_H

#include "policy-lang/lawsaid.h"

struct ref_side {
	const struct pol_file *vendor;
	const struct pol_party_src *party;
	uint16_t party_at;
	enum dir dir;
};

struct ref_now {
	struct now now;
	int64_t latest_s; /* of a trusted clock so far */
};

static inline const struct pol_file *ref_kind(const struct world *w,
					      enum pol_kind kind)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->file[i]->kind == kind)
			return w->file[i];
	}
	return NULL;
}

/* Machines are in the order of their names, and so are their files. */
static inline const struct pol_file *ref_vendor(const struct world *w,
						uint64_t machine)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->file[i]->kind == POL_VENDOR && machine-- == 0)
			return w->file[i];
	}
	return NULL;
}

/* --- who --------------------------------------------------------------------- */

static inline bool ref_in(const struct net_addr *a, const struct pol_prefix *p)
{
	for (unsigned i = 0; i < p->len; i++) {
		if ((a->b[i / 8] ^ p->addr.b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	}
	return true;
}

static inline bool ref_is(const struct pol_party_src *p,
			  const struct pol_peer *peer, const char *machine)
{
	bool near = false, port = p->n_port == 0;

	if (machine || p->vm)
		return machine && p->vm && strcmp(p->vm, machine) == 0;
	for (size_t i = 0; i < p->n_addr; i++)
		near |= ref_in(&peer->addr, &p->addr[i]);
	for (size_t i = 0; i < p->n_port; i++)
		port |= p->port[i].proto == peer->proto &&
			peer->port >= p->port[i].lo &&
			peer->port <= p->port[i].hi;
	return near && port;
}

static inline bool ref_party(struct ref_side *s, const struct pol_peer *peer,
			     const char *machine)
{
	for (size_t i = 0; i < s->vendor->n_party; i++) {
		if (!ref_is(&s->vendor->party[i], peer, machine))
			continue;
		s->party = &s->vendor->party[i];
		s->party_at = (uint16_t)i;
		return true;
	}
	return false;
}

/* own: the file of the vendor whose parties these are. */
static inline bool ref_who(const struct pol_party_sel *sel,
			   const struct ref_side *s, bool own)
{
	if (sel->any)
		return true;
	for (size_t i = 0; own && i < sel->n_party; i++) {
		if (sel->party[i] == s->party_at)
			return true;
	}
	return !own && (!sel->roles || sel->roles >> s->party->role & 1);
}

static inline bool ref_vm(const struct pol_vm_sel *sel,
			  const struct ref_side *s)
{
	for (size_t i = 0; i < sel->n_vm; i++) {
		if (strcmp(sel->vm[i], s->vendor->vm) == 0)
			return true;
	}
	return sel->any || sel->n_vm == 0;
}

/* --- what -------------------------------------------------------------------- */

/* Of the patterns that laws draw: "*" is a segment, "**" the rest. */
static inline bool ref_glob(const char *p, struct span text)
{
	const char *star = strchr(p, '*');
	size_t n = star ? (size_t)(star - p) : strlen(p);

	if (text.n < n || memcmp(text.p, p, n) != 0)
		return false;
	if (!star)
		return text.n == n;
	return star[1] == '*' || !memchr(text.p + n, '/', text.n - n);
}

static inline bool ref_attr(const struct pol_attr *a, const struct obs *o)
{
	enum field f = (enum field)a->field;

	if (!obs_has(o, f))
		return false;
	for (size_t i = 0; i < a->n_num; i++) {
		uint64_t v = obs_get(o, f, 0);

		if (v >= a->num[i].lo && v <= a->num[i].hi)
			return true;
	}
	for (size_t i = 0; i < a->n_text; i++) {
		if (ref_glob(a->text[i], obs_get_span(o, f)))
			return true;
	}
	return false;
}

static inline bool ref_what(const struct pol_rule_src *r, const struct obs *o)
{
	for (size_t i = 0; i < r->n_match; i++) {
		const struct pol_obs_match *m = &r->match[i];
		bool fits = m->kinds.w[o->kind / 64] >> o->kind % 64 & 1;

		for (size_t k = 0; fits && k < m->n_attr; k++)
			fits = ref_attr(&m->attr[k], o);
		if (fits)
			return true;
	}
	return r->n_match == 0;
}

static inline bool ref_selects(const struct pol_rule_src *r,
			       const struct ref_side *s, bool own,
			       const struct obs *o)
{
	bool dir = r->dir == DIRSEL_ANY ||
		   (r->dir == DIRSEL_OUT) == (s->dir == DIR_OUT);

	return dir && ref_who(&r->party, s, own) &&
	       (own || ref_vm(&r->vm, s)) && ref_what(r, o);
}

/* --- data -------------------------------------------------------------------- */

#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_INBOUND ||                           \
			   MEAS_CLASS_##cls == MEAS_CLASS_ATTRIBUTE            \
		   ? MEAS_BIT(MEAS_##id)                                       \
		   : 0)
static const meas_set ref_no_age = 0
#include "core/meas.def"
	;
#undef X
#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_EVENT ? MEAS_BIT(MEAS_##id) : 0)
static const meas_set ref_events = 0
#include "core/meas.def"
	;
#undef X
#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_SNAPSHOT ? MEAS_BIT(MEAS_##id) : 0)
static const meas_set ref_each_time = MEAS_BIT(MEAS_CONTROL_LOAD)
#include "core/meas.def"
	;
#undef X
static const meas_set ref_series = MEAS_BIT(MEAS_ENERGY_INTERVAL) |
				   MEAS_BIT(MEAS_VOLTAGE_INTERVAL) |
				   MEAS_BIT(MEAS_UNKNOWN_TABLE);

/* How many snapshots or commands a message has. */
static inline unsigned ref_moments(const struct said *s, meas_set meas)
{
	return meas & ref_each_time ? s->moments : 1;
}

/* The oldest and the newest value, by the clock that makes them older or that
 * which makes them fresher. */
static inline bool ref_ages(const struct pol_data_src *d, const struct said *s,
			    meas_set meas, const struct ref_now *t)
{
	int64_t now = wall_s(t->now.wall), back = t->latest_s - now;
	meas_set dated = ref_series | ref_events |
			 MEAS_BIT(MEAS_ENERGY_SNAPSHOT);

	meas &= ~ref_no_age;
	if (!meas)
		return true;
	if (d->has_history) {
		int64_t age = s->oldest + (back > 0 ? back : 0);

		if (s->oldest < 0 && (meas & dated || s->moments > 1))
			return false;
		if (s->oldest >= 0 && age * NS_PER_S > d->history_ns)
			return false;
	}
	return !d->has_delay || !d->delay_ns ||
	       (s->newest >= 0 &&
		(s->newest + (back < 0 ? back : 0)) * NS_PER_S >= d->delay_ns);
}

static inline bool ref_data(const struct pol_data_src *d, const struct said *s,
			    meas_set meas, const struct ref_now *t)
{
	int64_t gran = s->gran * NS_PER_S;

	if (d->has_gran &&
	    (meas & ref_series ||
	     ref_moments(s, meas & ~MEAS_BIT(MEAS_CONTROL_LOAD)) > 1) &&
	    (s->gran < 0 || gran < d->gran_lo_ns ||
	     (d->gran_hi_ns && gran >= d->gran_hi_ns)))
		return false;
	if (d->has_res && (s->res <= 0 || s->unit != d->res_unit ||
			   s->res % d->res_milli))
		return false;
	if (d->has_value &&
	    (s->value < 0 || s->unit != d->value_unit ||
	     s->value < d->value_lo || s->value > d->value_hi))
		return false;
	if (d->has_channels &&
	    (s->channels < 0 || s->channels > d->channels))
		return false;
	return ref_ages(d, s, meas, t);
}

/* --- when, and with whose consent -------------------------------------------- */

static inline bool ref_when(const struct pol_when *w, const struct ref_now *t)
{
	int64_t s = wall_s(t->now.wall) + t->now.wall.civil_off_s;
	int64_t day = floor_div(s, 86400), min = (s - day * 86400) / 60;
	bool in = true, wraps = w->to_min <= w->from_min;

	if (!w->present)
		return true;
	if (!t->now.wall.trusted)
		return false;
	if (w->has_between && wraps) {
		in = min >= w->from_min || min < w->to_min;
		day -= min < w->to_min; /* begun the day before */
	} else if (w->has_between) {
		in = min >= w->from_min && min < w->to_min;
	}
	/* 1970-01-01 was a Thursday; bit 0 is Monday. */
	return in && (!w->days || w->days >> ((day % 7 + 10) % 7) & 1);
}

static inline bool ref_consent(const struct world *w, const struct ref_side *s,
			       const struct pol_rule_src *r)
{
	const struct pol_file *c = ref_kind(w, POL_CUSTOMER);
	bool asked = false, granted = false;

	for (size_t i = 0; c && i < c->n_answer; i++) {
		if (strcmp(c->answer[i].policy, s->vendor->id) == 0 &&
		    strcmp(c->answer[i].rule, r->id) == 0) {
			asked = true;
			granted = c->answer[i].granted;
		}
	}
	return r->consent == CONSENT_OPT_IN    ? granted
	       : r->consent == CONSENT_OPT_OUT ? granted || !asked
					       : true;
}

/* --- one observation --------------------------------------------------------- */

static inline bool ref_denied(const struct pol_file *f,
			      const struct ref_side *s, const struct obs *o,
			      meas_set meas)
{
	for (size_t i = 0; f && i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		if (r->kind == RULE_DENY &&
		    ref_selects(r, s, f->kind == POL_VENDOR, o) &&
		    (!r->data.present || meas & r->data.meas))
			return true;
	}
	return false;
}

static inline bool ref_restricted(const struct pol_file *f,
				  const struct ref_side *s,
				  const struct obs *o, bool leaf,
				  const struct said *x, meas_set meas,
				  const struct ref_now *t)
{
	for (size_t i = 0; f && i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		meas_set of = meas & r->data.meas;

		if (!ref_selects(r, s, false, o) || (r->data.present && !of))
			continue;
		if (r->block || !ref_when(&r->when, t))
			return true;
		if (s->dir == DIR_OUT && leaf && r->data.present &&
		    !ref_data(&r->data, x, of, t))
			return true;
	}
	return false;
}

/* What it carries that is a measurement. */
static inline meas_set ref_meas(const struct said *x)
{
	return x->echo ? 0 : x->meas & ~MEAS_ABOUT;
}

/* The grant or ceiling that is for such types, and how many there are; asks:
 * of those whose data it meets. */
static inline const struct pol_rule_src *
ref_rules(const struct pol_file *f, const struct ref_side *s,
	  const struct obs *o, const struct said *x, meas_set meas, bool asks,
	  const struct ref_now *t, unsigned *n)
{
	bool own = f->kind == POL_VENDOR;
	const struct pol_rule_src *one = NULL;

	*n = 0;
	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		const struct pol_data_src *d = &r->data;

		if (r->kind != (own ? RULE_GRANT : RULE_CEILING) ||
		    !ref_selects(r, s, own, o))
			continue;
		if (meas ? !d->present || meas & ~d->meas : own && d->present)
			continue;
		if (meas && asks && !ref_data(d, x, meas, t))
			continue;
		one = r;
		++*n;
	}
	return one;
}

/* Exactly one of a file, or NULL. What is left of a message, and says nothing
 * of its own, is granted by whatever may carry what was said before. */
static inline const struct pol_rule_src *
ref_rule(const struct pol_file *f, const struct ref_side *s,
	 const struct obs *o, const struct said *x, const struct ref_now *t)
{
	meas_set meas = ref_meas(x), before = x->carried & ~MEAS_ABOUT;
	const struct pol_rule_src *one;
	unsigned n;

	one = ref_rules(f, s, o, x, meas, true, t, &n);
	if (n == 0 && x->part && x->rest && before)
		one = ref_rules(f, s, o, x, before, false, t, &n);
	return n == 1 ? one : NULL;
}

/* And that with all it asks for. */
static inline bool ref_granted(const struct world *w, const struct pol_file *f,
			       const struct ref_side *s, const struct obs *o,
			       const struct said *x, const struct ref_now *t)
{
	const struct pol_rule_src *r = ref_rule(f, s, o, x, t);

	return r && ref_when(&r->when, t) &&
	       (f->kind != POL_VENDOR || ref_consent(w, s, r));
}

static inline bool ref_side_permits(const struct world *w,
				    const struct ref_side *s,
				    const struct said *x,
				    const struct scenery *c,
				    const struct ref_now *t)
{
	const struct pol_file *base = ref_kind(w, POL_BASELINE);
	const struct pol_file *cust = ref_kind(w, POL_CUSTOMER);

	for (unsigned i = 0; i <= x->n_leaves; i++) {
		const struct obs *o = i ? &c->leaf[i - 1] : &c->carrier;
		meas_set meas = i && !x->echo ? x->meas : 0;

		if (ref_denied(base, s, o, meas) ||
		    ref_denied(s->vendor, s, o, meas) ||
		    ref_restricted(cust, s, o, i > 0, x, meas, t))
			return false;
		if (i && !ref_granted(w, s->vendor, s, o, x, t))
			return false;
		if (i && base && !ref_granted(w, base, s, o, x, t))
			return false;
	}
	return true;
}

/* Both sides of what happens: false if one of them does not know the other. */
static inline bool ref_sides(const struct world *w, const struct said *x,
			     struct ref_side side[2])
{
	struct pol_peer peer = said_peer(x);
	bool two = x->who == 3;

	side[0] = (struct ref_side){.vendor = ref_vendor(w, x->machine),
				    .dir = x->dir};
	side[1] = (struct ref_side){
		.vendor = ref_vendor(w, !x->machine),
		.dir = x->dir == DIR_OUT ? DIR_IN : DIR_OUT};
	return side[0].vendor && (!two || side[1].vendor) &&
	       ref_party(&side[0], &peer, two ? side[1].vendor->vm : NULL) &&
	       (!two || ref_party(&side[1], &peer, side[0].vendor->vm));
}

/* May it pass, as far as this goes? */
static inline bool ref_permits(const struct world *w, const struct said *x,
			       const struct scenery *c,
			       const struct ref_now *t)
{
	struct ref_side side[2];

	return !x->forged && !x->refused && ref_sides(w, x, side) &&
	       ref_side_permits(w, &side[0], x, c, t) &&
	       (x->who != 3 || ref_side_permits(w, &side[1], x, c, t));
}

#endif
