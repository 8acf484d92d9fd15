/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/within.h"

#include <stdio.h>

#include "policy-lang/front/overlap.h"

static bool same_text(const char *a, const char *b)
{
	return (a == b) || (a && b && strcmp(a, b) == 0);
}

/* --- parties --------------------------------------------------------------- */

static bool prefix_in(const struct pol_prefix *a, const struct pol_prefix *b)
{
	unsigned whole = b->len / 8u, bits = b->len % 8u;

	return a->len >= b->len &&
	       memcmp(a->addr.b, b->addr.b, whole) == 0 &&
	       (bits == 0 ||
		((a->addr.b[whole] ^ b->addr.b[whole]) >> (8 - bits)) == 0);
}

static bool addresses_in(const struct pol_party_src *a,
			 const struct pol_party_src *b)
{
	if (b->n_addr == 0)
		return true;
	for (size_t i = 0; i < a->n_addr; i++) {
		bool in = false;

		for (size_t k = 0; k < b->n_addr; k++)
			in |= prefix_in(&a->addr[i], &b->addr[k]);
		if (!in)
			return false;
	}
	return a->n_addr > 0;
}

static bool ports_in(const struct pol_party_src *a,
		     const struct pol_party_src *b)
{
	if (b->n_port == 0)
		return true;
	for (size_t i = 0; i < a->n_port; i++) {
		bool in = false;

		for (size_t k = 0; k < b->n_port; k++)
			in |= a->port[i].proto == b->port[k].proto &&
			      a->port[i].lo >= b->port[k].lo &&
			      a->port[i].hi <= b->port[k].hi;
		if (!in)
			return false;
	}
	return a->n_port > 0;
}

static bool tls_in(const struct pol_party_src *a, const struct pol_party_src *b)
{
	if (!b->tls)
		return true;
	if (!a->tls || a->tls_end_to_end != b->tls_end_to_end ||
	    (b->n_tls_name && !a->n_tls_name) ||
	    (b->n_tls_pin && !a->n_tls_pin))
		return false;
	for (size_t i = 0; b->n_tls_name && i < a->n_tls_name; i++) {
		bool in = false;

		for (size_t k = 0; k < b->n_tls_name; k++)
			in |= same_text(a->tls_name[i], b->tls_name[k]);
		if (!in)
			return false;
	}
	for (size_t i = 0; b->n_tls_pin && i < a->n_tls_pin; i++) {
		bool in = false;

		for (size_t k = 0; k < b->n_tls_pin; k++)
			in |= memcmp(a->tls_pin[i], b->tls_pin[k], 32) == 0;
		if (!in)
			return false;
	}
	return true;
}

/* Whoever is a is b, and a ceiling that picks a picks b. */
static bool party_in(const struct pol_party_src *a,
		     const struct pol_party_src *b)
{
	return a->role == b->role && same_text(a->vm, b->vm) &&
	       same_text(a->operator_, b->operator_) &&
	       same_text(a->country, b->country) &&
	       (!b->dns || same_text(a->dns, b->dns)) &&
	       (b->aptitle.n == 0 || span_eq(a->aptitle, b->aptitle)) &&
	       addresses_in(a, b) && ports_in(a, b) && tls_in(a, b);
}

/* Of parties that overlap the narrower one counts: where one of them shrinks,
 * the other grows. */
static bool overlap(const struct pol_party_src *a,
		    const struct pol_party_src *b)
{
	if (a->vm || b->vm)
		return same_text(a->vm, b->vm);
	if (a->n_addr == 0 || b->n_addr == 0)
		return true;
	for (size_t i = 0; i < a->n_addr; i++) {
		for (size_t k = 0; k < b->n_addr; k++) {
			if (prefix_in(&a->addr[i], &b->addr[k]) ||
			    prefix_in(&b->addr[k], &a->addr[i]))
				return true;
		}
	}
	return false;
}

static bool apart(const struct pol_file *f)
{
	for (size_t i = 1; i < f->n_party; i++) {
		for (size_t k = 0; k < i; k++) {
			if (overlap(&f->party[i], &f->party[k]))
				return false;
		}
	}
	return true;
}

/* Sorted by name, so that places agree. */
static bool same_parties(const struct pol_file *a, const struct pol_file *b)
{
	for (size_t i = 0; a->n_party == b->n_party && i < a->n_party; i++) {
		if (!same_text(a->party[i].id, b->party[i].id) ||
		    !party_in(&a->party[i], &b->party[i]) ||
		    !party_in(&b->party[i], &a->party[i]))
			return false;
	}
	return a->n_party == b->n_party;
}

struct two { /* files */
	const struct pol_file *is, *was;
	bool by_name; /* parties that overlap are told by their names */
};

static struct two turned(const struct two *t)
{
	return (struct two){t->was, t->is, t->by_name};
}

static bool one_in(const struct two *t, uint16_t a, uint16_t b)
{
	const struct pol_party_src *x = &t->is->party[a];
	const struct pol_party_src *y = &t->was->party[b];

	return t->by_name ? same_text(x->id, y->id) : party_in(x, y);
}

/* Is what a of the new file selects selected by b of the old one? */
static bool selected(const struct two *t, const struct pol_party_sel *a,
		     const struct pol_party_sel *b)
{
	if (b->any)
		return true;
	if (a->any)
		return false;
	for (size_t i = 0; i < a->n_party; i++) {
		bool in = false;

		for (size_t k = 0; k < b->n_party; k++)
			in |= one_in(t, a->party[i], b->party[k]);
		if (!in)
			return false;
	}
	if (a->n_party || b->n_party)
		return a->n_party > 0 && b->n_party > 0;
	return party_covers(b, a);
}

static bool lists(const struct pol_party_sel *s, size_t party)
{
	for (size_t i = 0; i < s->n_party; i++) {
		if (s->party[i] == party)
			return true;
	}
	return s->any;
}

/* Does a of the new file select every party there that b of the old one did?
 * Whoever is no party any more gets nothing anyway. */
static bool still(const struct two *t, const struct pol_party_sel *a,
		  const struct pol_party_sel *b)
{
	if (a->any)
		return true;
	if (a->n_party == 0 && b->n_party == 0)
		return party_covers(a, b);
	for (size_t i = 0; i < t->is->n_party; i++) {
		for (size_t k = 0; k < t->was->n_party; k++) {
			if (lists(b, k) &&
			    one_in(t, (uint16_t)i, (uint16_t)k) && !lists(a, i))
				return false;
		}
	}
	return true;
}

/* --- limits ---------------------------------------------------------------- */

static bool tighter(const struct pol_limit_phrase *a,
		    const struct pol_limit_phrase *b)
{
	if (a->kind != b->kind || a->thing != b->thing ||
	    a->distinct != b->distinct)
		return false;
	if (a->kind == LIMIT_SPACING)
		return a->window_ns >= b->window_ns;
	return a->window == b->window && a->window_ns == b->window_ns &&
	       a->n <= b->n && a->burst <= b->burst;
}

static bool limits_in(const struct pol_limit_phrase *a, size_t n,
		      const struct pol_limit_phrase *b, size_t nb)
{
	for (size_t k = 0; k < nb; k++) {
		bool has = false;

		for (size_t i = 0; i < n; i++)
			has |= tighter(&a[i], &b[k]);
		if (!has)
			return false;
	}
	return true;
}

/* What is held back passes later. */
static bool action_in(struct pol_action_src a, struct pol_action_src b)
{
	return a.kind != ACTION_DEFER ||
	       (b.kind == ACTION_DEFER && a.ns <= b.ns);
}

/* --- guards ---------------------------------------------------------------- */

static bool data_in(const struct pol_data_src *a, const struct pol_data_src *b)
{
	if (a->present != b->present || a->meas & ~b->meas)
		return false;
	if (b->has_gran &&
	    (!a->has_gran || a->gran_lo_ns < b->gran_lo_ns ||
	     (b->gran_hi_ns &&
	      (!a->gran_hi_ns || a->gran_hi_ns > b->gran_hi_ns))))
		return false;
	if (b->has_res && (!a->has_res || a->res_unit != b->res_unit ||
			   a->res_milli % b->res_milli != 0))
		return false;
	if (b->has_value &&
	    (!a->has_value || a->value_unit != b->value_unit ||
	     a->value_lo < b->value_lo || a->value_hi > b->value_hi))
		return false;
	return (!b->has_history ||
		(a->has_history && a->history_ns <= b->history_ns)) &&
	       (!b->has_delay || (a->has_delay && a->delay_ns >= b->delay_ns)) &&
	       (!b->has_channels ||
		(a->has_channels && a->channels <= b->channels));
}

static bool when_in(const struct pol_when *a, const struct pol_when *b)
{
	if (!b->present)
		return true;
	if (!a->present || a->spread_ns != b->spread_ns ||
	    (b->days && (!a->days || a->days & ~b->days)))
		return false;
	return !b->has_between ||
	       (a->has_between && a->from_min == b->from_min &&
		a->to_min == b->to_min);
}

static bool trigger_in(const struct two *t, const struct pol_trigger *a,
		       const struct pol_trigger *b)
{
	return dir_covers(b->dir, a->dir) &&
	       one_in(t, a->party, b->party) &&
	       match_covers(b->match, b->n_match, a->match, a->n_match);
}

/* By the same party, as it is called: who is no longer it, clears nothing, but
 * does nothing else either. */
static bool cleared(const struct two *t, const struct pol_trigger *a,
		    const struct pol_trigger *b)
{
	return dir_covers(a->dir, b->dir) &&
	       same_text(t->is->party[a->party].id,
			 t->was->party[b->party].id) &&
	       match_covers(a->match, a->n_match, b->match, b->n_match);
}

/* Set less often, not longer, and cleared as often. */
static bool state_in(const struct two *t, const struct pol_state_src *a,
		     const struct pol_state_src *b)
{
	return a->scope == b->scope && a->expires_ns <= b->expires_ns &&
	       trigger_in(t, &a->set, &b->set) &&
	       (!b->has_clear ||
		(a->has_clear && cleared(t, &a->clear, &b->clear)));
}

/* Every state of b's list is in a's, and is the same or set less. */
static bool states_in(const struct two *t, const uint16_t *a, size_t n,
		      const uint16_t *b, size_t nb, bool required)
{
	const struct two back = turned(t);

	for (size_t k = 0; k < nb; k++) {
		bool has = false;

		for (size_t i = 0; i < n; i++) {
			const struct pol_state_src *x, *y;

			if ((a[i] | b[k]) & POL_STATE_BUILTIN) {
				has |= a[i] == b[k];
				continue;
			}
			x = &t->is->state[a[i]];
			y = &t->was->state[b[k]];
			has |= same_text(x->id, y->id) &&
			       (required ? state_in(t, x, y)
					 : state_in(&back, y, x));
		}
		if (!has)
			return false;
	}
	return true;
}

static bool answers_in(const struct two *t, const struct pol_rule_src *a,
		       const struct pol_rule_src *b)
{
	if (!b->has_answers)
		return true;
	for (size_t i = 0; i < a->n_answers; i++) {
		bool has = false;

		for (size_t k = 0; k < b->n_answers; k++)
			has |= same_text(t->is->rule[a->answers[i]].id,
					 t->was->rule[b->answers[k]].id);
		if (!has)
			return false;
	}
	return a->has_answers;
}

/* --- rules ----------------------------------------------------------------- */

static bool consent_in(const struct pol_rule_src *a,
		       const struct pol_rule_src *b)
{
	return a->consent >= b->consent &&
	       (b->consent <= CONSENT_NONE || same_text(a->id, b->id));
}

static bool grant_in(const struct two *t, const struct pol_rule_src *a,
		     const struct pol_rule_src *b)
{
	return dir_covers(b->dir, a->dir) && vm_covers(&b->vm, &a->vm) &&
	       selected(t, &a->party, &b->party) &&
	       match_covers(b->match, b->n_match, a->match, a->n_match) &&
	       data_in(&a->data, &b->data) && consent_in(a, b) &&
	       answers_in(t, a, b) &&
	       states_in(t, a->requires_, a->n_requires, b->requires_,
			 b->n_requires, true) &&
	       states_in(t, a->forbids, a->n_forbids, b->forbids, b->n_forbids,
			 false) &&
	       when_in(&a->when, &b->when) &&
	       limits_in(a->limit, a->n_limit, b->limit, b->n_limit) &&
	       action_in(a->exceed, b->exceed) &&
	       (!a->monitor_until_s || a->monitor_until_s <= b->monitor_until_s);
}

/* Does denial a of the new file cover denial b of the old one? */
static bool denies(const struct two *t, const struct pol_rule_src *a,
		   const struct pol_rule_src *b)
{
	return dir_covers(a->dir, b->dir) && vm_covers(&a->vm, &b->vm) &&
	       still(t, &a->party, &b->party) &&
	       match_covers(a->match, a->n_match, b->match, b->n_match) &&
	       (!a->data.present ||
		(b->data.present && !(b->data.meas & ~a->data.meas)));
}

static bool top_in(const struct two *t, const struct pol_limit_src *a,
		   const struct pol_limit_src *b)
{
	return dir_covers(a->dir, b->dir) && vm_covers(&a->vm, &b->vm) &&
	       still(t, &a->party, &b->party) &&
	       match_covers(a->match, a->n_match, b->match, b->n_match) &&
	       (a->meas == 0 || (b->meas && !(b->meas & ~a->meas))) &&
	       a->each_vm <= b->each_vm && a->each_party <= b->each_party &&
	       a->each_meas <= b->each_meas && tighter(&a->phrase, &b->phrase) &&
	       action_in(a->exceed, b->exceed);
}

static bool is_grant(const struct pol_rule_src *r)
{
	return r->kind == RULE_GRANT || r->kind == RULE_CEILING;
}

static bool rules_in(const struct two *t, char *why, size_t cap)
{
	for (size_t i = 0; i < t->is->n_rule; i++) {
		const struct pol_rule_src *a = &t->is->rule[i];
		bool in = !is_grant(a);

		for (size_t k = 0; k < t->was->n_rule && !in; k++)
			in = is_grant(&t->was->rule[k]) &&
			     grant_in(t, a, &t->was->rule[k]);
		if (!in) {
			snprintf(why, cap, "'%s' is within no rule there was",
				 a->id);
			return false;
		}
	}
	for (size_t k = 0; k < t->was->n_rule; k++) {
		const struct pol_rule_src *b = &t->was->rule[k];
		bool has = b->kind != RULE_DENY;

		for (size_t i = 0; i < t->is->n_rule && !has; i++)
			has = t->is->rule[i].kind == RULE_DENY &&
			      denies(t, &t->is->rule[i], b);
		if (!has) {
			snprintf(why, cap, "the denial '%s' is gone, or less",
				 b->id);
			return false;
		}
	}
	return true;
}

bool pol_within(const struct pol_file *is, const struct pol_file *was,
		char *why, size_t cap)
{
	const struct two t = {is, was, !apart(is) || !apart(was)};

	if (is->kind != was->kind || !same_text(is->vm, was->vm)) {
		snprintf(why, cap, "it is about something else");
		return false;
	}
	if (is->monitor_until_s > was->monitor_until_s) {
		snprintf(why, cap, "it is on trial for longer");
		return false;
	}
	if (t.by_name && !same_parties(is, was)) {
		snprintf(why, cap, "parties that overlap are others");
		return false;
	}
	if (!rules_in(&t, why, cap))
		return false;
	for (size_t k = 0; k < was->n_limit; k++) {
		bool has = false;

		for (size_t i = 0; i < is->n_limit && !has; i++)
			has = top_in(&t, &is->limit[i], &was->limit[k]);
		if (!has) {
			snprintf(why, cap, "the limit '%s' is gone, or less",
				 was->limit[k].id);
			return false;
		}
	}
	return true;
}
