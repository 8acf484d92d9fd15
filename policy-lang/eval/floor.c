/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floors: what a customer may not cut, and what still passes when a policy
 * has expired or its machine is in quarantine.
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/eval/floor.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

static void set_bit(uint64_t *w, uint32_t i)
{
	w[i / 64] |= UINT64_C(1) << (i % 64);
}

/* Do two columns share a kind of observation? */
static bool share_kind(const struct pol_image *im, uint32_t a, uint32_t b)
{
	const struct lay_dim *d = &im->OBSV[LAY_DIM_KIND];

	for (uint32_t k = 0; k < d->n_rows; k++) {
		const uint64_t *row = img_row(im, d, k);

		if (bit_get(row, a) && bit_get(row, b))
			return true;
	}
	return false;
}

/* Rules that give what sets a state of the mask. */
static void state_givers(const struct pol_image *im, uint64_t states,
			 uint64_t *rules)
{
	for (uint32_t t = im->col_at[COL_SET]; t < im->col_at[COL_SET + 1];
	     t++) {
		if (!(states >> im->COLS[t].owner & 1))
			continue;
		for (uint32_t g = im->col_at[COL_GRANT];
		     g < im->col_at[COL_GRANT + 1]; g++) {
			if (im->RULE[im->COLS[g].owner].data == LAY_NONE &&
			    share_kind(im, t, g))
				set_bit(rules, im->COLS[g].owner);
		}
	}
}

/* What a floor needs: the rules that give its measurement, the requests they
 * answer, and what sets the states these require. */
void set_floor_rules(struct pol_set *s, size_t mi)
{
	struct machine *m = &s->m[mi];
	const struct pol_image *im = m->vendor;
	meas_set meas = 0;

	for (uint32_t i = 0; s->base && i < s->base->n_FLOR; i++) {
		const struct lay_floor *f = &s->base->FLOR[i];

		if (span_eq(img_str(s->base, f->vm), m->pub.name))
			meas |= f->meas;
	}
	for (uint32_t i = 0; im && i < im->n_RULE; i++) {
		const struct lay_rule *r = &im->RULE[i];

		if (r->kind == RULE_GRANT && r->data != LAY_NONE &&
		    im->DATA[r->data].meas & meas)
			set_bit(m->floor_rules, i);
	}
	/* Each round adds at least one rule or is the last. */
	for (uint32_t round = 0; im && round < im->n_RULE; round++) {
		for (uint32_t i = 0; i < im->n_RULE; i++) {
			uint32_t g = im->RULE[i].guard;

			if (!bit_get(m->floor_rules, i) || g == LAY_NONE)
				continue;
			for (int w = 0; w < 4; w++)
				m->floor_rules[w] |= im->GARD[g].answers[w];
			state_givers(im, im->GARD[g].requires_, m->floor_rules);
		}
	}
	/* And the data-less answers to those requests. */
	for (uint32_t i = 0; im && i < im->n_RULE; i++) {
		uint32_t g = im->RULE[i].guard;

		if (g == LAY_NONE || im->RULE[i].data != LAY_NONE)
			continue;
		for (int w = 0; w < 4; w++) {
			if (im->GARD[g].answers[w] & m->floor_rules[w])
				set_bit(m->floor_rules, i);
		}
	}
}

static int64_t window_s(const struct lay_limit *l)
{
	static const int64_t year = 365 * 86400;
	static const int64_t s[] = {0,	       3600,	  86400, 7 * 86400,
				    year / 12, year / 12, year,	 0};

	return l->kind == LIMIT_CALENDAR ? s[l->window]
					 : l->window_ns / NS_PER_S;
}

/* Does it count in readings? Of other things nobody can tell how many readings
 * they are. */
static bool in_readings(const struct lay_limit *l)
{
	return (l->thing == THING_READINGS || l->thing == THING_MESSAGES) &&
	       l->kind <= LIMIT_SPACING;
}

/* Fewer in the long run than the floor keeps? room: of its n, those that are
 * left to the floor. */
static bool tighter(const struct lay_limit *l, uint64_t room,
		    const struct lay_limit *keep)
{
	int64_t a = window_s(l), b = window_s(keep);

	if (l->thing == THING_REFUSALS)
		return false;
	if (!in_readings(l) || room == 0 || a <= 0 || b <= 0)
		return true;
	if (l->kind == LIMIT_SPACING)
		return (unsigned __int128)(uint64_t)a * keep->n >
		       (unsigned __int128)(uint64_t)b;
	return (unsigned __int128)room * (uint64_t)b <
	       (unsigned __int128)keep->n * (uint64_t)a;
}

/* What a floor is looked at with. */
struct kept {
	struct floor_at at;
	/* What cut it: restrictions, or an answer; and what else may use up
	 * the limit that does. */
	const char *what, *verb;
	char cut[160], other[112];
};

static void cut_by(struct kept *k, const char *what, const char *name)
{
	k->what = what;
	k->verb = "cuts";
	k->other[0] = 0;
	snprintf(k->cut, sizeof(k->cut), "%s", name);
}

/* Is this restriction about what the rule gives? */
static bool meets(const struct kept *k, const struct lay_rule *r,
		  const struct lay_rule *g)
{
	const struct pol_image *c = k->at.s->customer, *v = k->at.m->vendor;
	meas_set meas = v->DATA[g->data].meas;

	return (r->data == LAY_NONE ? meas : meas & c->DATA[r->data].meas) != 0;
}

/* May one of its limits? */
static bool limits_cut(struct kept *k, const struct lay_rule *r,
		       struct floor_left *f)
{
	const struct pol_image *c = k->at.s->customer, *v = k->at.m->vendor;

	for (uint32_t i = r->limit_first; i < r->limit_first + r->limit_n;
	     i++) {
		const struct lay_limit *l = &c->LIMT[i];
		struct floor_other other = {LAY_NONE, false};

		if (in_readings(l))
			f->room[i] = floor_room(&k->at, r, l, &other);
		if (!tighter(l, f->room[i], f->keep))
			continue;
		cut_by(k, "restriction", c->STRS + r->id);
		if (other.rule == FLOOR_TRIAL)
			snprintf(k->other, sizeof(k->other),
				 ": what passes while '%.28s' is on trial may "
				 "use up its limit", v->STRS + v->META->id);
		else if (other.rule != LAY_NONE)
			snprintf(k->other, sizeof(k->other),
				 ": %s'%.48s' may use up its limit",
				 other.errors ? "errors that answer " : "",
				 v->STRS + v->RULE[other.rule].id);
		return true;
	}
	return false;
}

/* May this restriction alone keep all that the rule gives from passing, but by
 * its limits? */
static bool cuts(const struct kept *k, const struct lay_rule *r,
		 const struct lay_rule *g)
{
	const struct pol_image *c = k->at.s->customer, *v = k->at.m->vendor;
	const struct lay_data *given = &v->DATA[g->data];

	if (r->flags & LAY_RULE_BLOCK)
		return true;
	return r->data != LAY_NONE &&
	       !guard_implied(&c->DATA[r->data], given,
			      given->meas & c->DATA[r->data].meas);
}

int floor_answer(const struct pol_image *c, const struct pol_image *v,
		 const struct lay_rule *g)
{
	for (uint32_t a = 0; a < c->n_ANSW; a++) {
		if (span_eq(pol_image_id(v), img_str(c, c->ANSW[a].policy)) &&
		    span_eq(img_str(v, g->id), img_str(c, c->ANSW[a].rule)))
			return c->ANSW[a].granted != 0;
	}
	return -1;
}

static int answer_of(const struct kept *k, const struct lay_rule *g)
{
	return floor_answer(k->at.s->customer, k->at.m->vendor, g);
}

/* Name those without which enough would be left. */
static void cut_together(struct kept *k, struct floor_left *f)
{
	const struct pol_image *c = k->at.s->customer;
	size_t n = 0, many = 0;

	for (uint32_t i = 0; i < c->n_RULE; i++) {
		uint64_t bit = UINT64_C(1) << (i % 64);

		if (!bit_get(f->restrict_, i))
			continue;
		f->restrict_[i / 64] &= ~bit;
		if (floor_is_left(f))
			f->restrict_[i / 64] |= bit;
	}
	for (uint32_t i = 0; i < c->n_RULE && n < sizeof(k->cut); i++) {
		if (bit_get(f->restrict_, i))
			n += (size_t)snprintf(k->cut + n, sizeof(k->cut) - n,
					      "%s%.48s", many++ ? " and " : "",
					      c->STRS + c->RULE[i].id);
	}
	k->what = many > 1 ? "restrictions" : "restriction";
	k->verb = many > 1 ? "together cut" : "cuts";
	k->other[0] = 0;
}

static bool passes(struct kept *k, const struct lay_rule *g)
{
	const struct pol_set *s = k->at.s;
	struct floor_left f = {.vendor = k->at.m->vendor,
			       .customer = s->customer,
			       .grant = g,
			       .keep = &s->base->LIMT[k->at.f->limit]};
	const struct pol_image *c = s->customer;
	const uint64_t *row = k->at.m->rows[LAYER_CUSTOMER] +
			      (size_t)k->at.party * c->words;

	if (answer_of(k, g) == 0) {
		cut_by(k, "the answer about", f.vendor->STRS + g->id);
		return false;
	}
	for (uint32_t i = c->col_at[COL_RESTRICT];
	     i < c->col_at[COL_RESTRICT + 1]; i++) {
		const struct lay_rule *r = &c->RULE[c->COLS[i].owner];

		if (!bit_get(row, i) || !meets(k, r, g) ||
		    bit_get(f.restrict_, c->COLS[i].owner))
			continue;
		if (limits_cut(k, r, &f))
			return false;
		if (cuts(k, r, g)) {
			cut_by(k, "restriction", c->STRS + r->id);
			return false;
		}
		set_bit(f.restrict_, c->COLS[i].owner);
	}
	if (floor_is_left(&f))
		return true;
	cut_together(k, &f);
	return false;
}

/* Does this rule give the floor's measurement to the party? What nobody has
 * agreed to gives nothing that could be cut. */
static bool gives(const struct kept *k, const struct lay_rule *g)
{
	const struct pol_image *v = k->at.m->vendor;
	const uint64_t *row = k->at.m->rows[LAYER_VENDOR] +
			      (size_t)k->at.party * v->words;
	bool selects = false;

	if (g->kind != RULE_GRANT || g->data == LAY_NONE ||
	    !(v->DATA[g->data].meas & k->at.f->meas) || g->dir == DIRSEL_IN ||
	    (g->consent == CONSENT_OPT_IN && answer_of(k, g) != 1))
		return false;
	for (uint32_t i = v->col_at[COL_GRANT]; i < v->col_at[COL_GRANT + 1];
	     i++)
		selects |= bit_get(row, i) && &v->RULE[v->COLS[i].owner] == g;
	return selects;
}

/* Each party outside the home that gets it goes on to get it by some rule. */
static int check_party(struct kept *k, struct err *e)
{
	const struct pol_image *v = k->at.m->vendor;
	bool given = false;

	for (uint32_t i = 0; i < v->n_RULE; i++) {
		if (!gives(k, &v->RULE[i]))
			continue;
		if (passes(k, &v->RULE[i]))
			return 0;
		given = true;
	}
	return !given ? 0
		      : err_set(e, E_STATE, 0,
				"%s %s %s the floor %s%s", k->what, k->cut,
				k->verb, k->at.s->base->STRS + k->at.f->id,
				k->other);
}

/* A customer's file may not cut a floor of the baseline. */
static int check_floor(const struct pol_set *s, const struct lay_floor *f,
		       struct err *e)
{
	int mi = pol_set_find_machine(s, img_str(s->base, f->vm)), rc = 0;
	const struct machine *m = mi < 0 ? NULL : &s->m[mi];
	struct kept k = {.at = {s, f, m, 0}};

	if (!m || !m->vendor)
		return 0;
	for (; rc == 0 && k.at.party < m->n_party; k.at.party++) {
		uint8_t role = m->vendor->PRTY[k.at.party].role;

		if (role != ROLE_HOUSEHOLD && role != ROLE_VM)
			rc = check_party(&k, e);
	}
	return rc;
}

int set_check_customer(const struct pol_set *s, struct err *e)
{
	const struct pol_image *c = s->customer;
	int rc = 0;

	for (uint32_t i = 0; i < c->n_SELS; i++) {
		const struct lay_sel *sel = &c->SELS[i];

		/* A restriction of a machine that is none restricts nothing,
		 * which is not what its author meant. */
		for (uint32_t k = 0; s->binding && k < sel->vm_n; k++) {
			struct span vm = img_str(c, c->LIST[sel->vm_first + k]);

			if (pol_set_find_machine(s, vm) < 0)
				return err_set(e, E_STATE, 0,
					       "a restriction names the "
					       "unknown machine %.*s",
					       TEXT(vm));
		}
	}
	for (uint32_t i = 0; !rc && s->base && i < s->base->n_FLOR; i++)
		rc = check_floor(s, &s->base->FLOR[i], e);
	return rc;
}

/* A rule of the supply contract asks no consent, so none can be refused. */
int set_check_answers(const struct pol_set *s, struct err *e)
{
	const struct pol_image *c = s->customer;

	for (uint32_t a = 0; a < c->n_ANSW; a++) {
		for (size_t i = 0; i < s->n_m; i++) {
			const struct pol_image *v = s->m[i].vendor;

			if (!v || c->ANSW[a].granted ||
			    !span_eq(pol_image_id(v),
				     img_str(c, c->ANSW[a].policy)))
				continue;
			for (uint32_t r = 0; r < v->n_RULE; r++) {
				if (v->RULE[r].consent == CONSENT_NONE &&
				    span_eq(img_str(v, v->RULE[r].id),
					    img_str(c, c->ANSW[a].rule)))
					return err_set(e, E_STATE, 0,
						       "%s is part of the "
						       "supply contract and "
						       "cannot be refused",
						       v->STRS + v->RULE[r].id);
			}
		}
	}
	return 0;
}

/* --- answers that count no more ----------------------------------------- */

int pol_set_void(struct pol_set *s, uint32_t answer)
{
	const struct pol_image *c = s->customer;

	if (!c || answer >= c->n_ANSW)
		return E_NOTFOUND;
	if (!s->void_answer)
		s->void_answer = calloc(c->n_ANSW, sizeof(bool));
	if (!s->void_answer)
		return E_NOMEM;
	s->void_answer[answer] = true;
	return 0;
}

bool pol_set_is_void(const struct pol_set *s, uint32_t answer)
{
	return s->customer && answer < s->customer->n_ANSW &&
	       set_void(s, answer);
}
