/* SPDX-License-Identifier: Apache-2.0 */
/* States, parties and libraries: set and used, declared and needed. */
#include <stdio.h>

#include "policy-lang/front/check.h"

static bool lists(const uint16_t *v, size_t n, uint16_t k)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] == k)
			return true;
	}
	return false;
}

static bool can_set(const struct pol_rule_src *rule,
		    const struct pol_trigger *t)
{
	struct pol_party_sel party = {.party = &t->party, .n_party = 1};

	return rule->kind == RULE_GRANT && dir_meet(rule->dir, t->dir) &&
	       party_meet(&rule->party, &party) &&
	       match_meet(rule->match, rule->n_match, t->match, t->n_match,
			  NULL);
}

/* Is each state that the rule requires among those that can be set? */
static bool has_needs(const struct rd *r, const struct pol_rule_src *rule,
		      uint64_t set)
{
	for (size_t i = 0; i < rule->n_requires; i++) {
		uint16_t k = rule->requires_[i];

		if (k < r->f->n_state && !(set >> k & 1))
			return false;
	}
	return true;
}

/* Could the rule permit something once those states can be set? An answer
 * needs a request that was permitted. */
static bool can_permit(const struct rd *r, const struct pol_rule_src *rule,
		       uint64_t set)
{
	bool asked = rule->n_answers == 0;

	for (size_t i = 0; i < rule->n_answers; i++)
		asked = asked ||
			has_needs(r, &r->f->rule[rule->answers[i]], set);
	return asked && has_needs(r, rule, set);
}

/* The states that can come to be set, one after another, from none on. */
static uint64_t all_settable(const struct rd *r)
{
	const struct pol_file *f = r->f;
	uint64_t set = 0, before;

	do {
		before = set;
		for (size_t k = 0; k < f->n_state; k++) {
			for (size_t i = 0; i < f->n_rule; i++) {
				if (can_set(&f->rule[i], &f->state[k].set) &&
				    can_permit(r, &f->rule[i], set))
					set |= UINT64_C(1) << k;
			}
		}
	} while (set != before);
	return set;
}

/* Nothing but the network address vouches for what it says. */
static bool anybody(const struct pol_party_src *p)
{
	return !p->tls && !p->vm && p->role != ROLE_VM;
}

/* A state that a rule which could set k waits for, and that is never set. */
static const struct pol_state_src *waits_for(const struct rd *r, uint16_t k,
					     uint64_t set)
{
	const struct pol_file *f = r->f;

	for (uint16_t j = 0; j < f->n_state; j++) {
		uint64_t but = ~(UINT64_C(1) << j);

		if (j == k || set >> j & 1)
			continue;
		for (size_t i = 0; i < f->n_rule; i++) {
			if (can_set(&f->rule[i], &f->state[k].set) &&
			    !can_permit(r, &f->rule[i], but))
				return &f->state[j];
		}
	}
	return NULL;
}

/* No order of messages sets it. */
static void say_dead(struct rd *r, uint16_t k, uint64_t set)
{
	const struct pol_state_src *s = &r->f->state[k];
	const struct pol_state_src *other = waits_for(r, k, set);
	struct diag *g;

	if (!other) {
		find(r, DIAG_ERROR, 4008, AT_RULE(s),
		     "one rule must be able to set it first",
		     "only rules that require the state '%s' can set it",
		     s->id);
		return;
	}
	g = find(r, DIAG_ERROR, 4008, AT_RULE(s),
		 "one of them must be settable without the other",
		 "the state '%s' waits for '%s', which can never be set first",
		 s->id, other->id);
	diag_second(g, other->pos.line, other->pos.col, "'%s' is here",
		    other->id);
}

static void check_state(struct rd *r, uint16_t k, uint64_t set)
{
	const struct pol_file *f = r->f;
	const struct pol_state_src *s = &f->state[k];
	bool required = false, used = false, settable = false;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *rule = &f->rule[i];
		bool needs = lists(rule->requires_, rule->n_requires, k);

		required = required || needs;
		used = used || needs ||
		       lists(rule->forbids, rule->n_forbids, k);
		settable = settable || can_set(rule, &s->set);
	}
	if (!used)
		find(r, DIAG_WARNING, 4008, AT_RULE(s), "remove it",
		     "no rule requires or forbids the state '%s'", s->id);
	else if (!settable)
		find(r, required ? DIAG_ERROR : DIAG_WARNING, 4008, AT_RULE(s),
		     "grant what set-by selects",
		     "no rule permits what would set the state '%s'", s->id);
	else if (!(set >> k & 1))
		say_dead(r, k, set);
	if (used && s->set.dir != DIRSEL_OUT &&
	    anybody(&f->party[s->set.party]))
		find(r, DIAG_WARNING, 4008, AT_RULE(s),
		     "give the party tls names or pins",
		     "'%s' is set by a message of '%s', whose identity "
		     "nothing proves",
		     s->id, f->party[s->set.party].id);
}

static bool sel_uses(const struct pol_party_sel *s, uint16_t k)
{
	return lists(s->party, s->n_party, k);
}

static bool party_used(const struct pol_file *f, uint16_t k)
{
	bool used = false;

	for (size_t i = 0; i < f->n_rule; i++)
		used = used || sel_uses(&f->rule[i].party, k);
	for (size_t i = 0; i < f->n_limit; i++)
		used = used || sel_uses(&f->limit[i].party, k);
	for (size_t i = 0; i < f->n_state; i++)
		used = used || f->state[i].set.party == k ||
		       (f->state[i].has_clear && f->state[i].clear.party == k);
	return used;
}

/* A reference ALIAS/NAME anywhere below v. */
static bool refers(const struct ynode *v, const char *alias)
{
	size_t n = strlen(alias);

	if (v->type == Y_SCALAR)
		return v->s.n > n && v->s.p[n] == '/' &&
		       memcmp(v->s.p, alias, n) == 0;
	for (const struct ynode *c = v->kids; c; c = c->next) {
		if (refers(c, alias))
			return true;
	}
	return false;
}

void check_states(struct rd *r)
{
	const struct pol_file *f = r->f;
	uint64_t set = all_settable(r);

	for (size_t i = 0; i < f->n_state; i++)
		check_state(r, (uint16_t)i, set);
	for (size_t i = 0; i < f->n_party && f->kind == POL_VENDOR; i++) {
		if (!party_used(f, (uint16_t)i))
			find(r, DIAG_WARNING, 4010, AT_RULE(&f->party[i]),
			     "remove it", "no rule names the party '%s'",
			     f->party[i].id);
	}
	for (size_t i = 0; i < r->n_use; i++) {
		const struct ynode *key = r->use[i].at->key;

		if (!refers(r->root, r->use[i].alias))
			find(r, DIAG_WARNING, 4010,
			     (struct pol_pos){key->line, key->col}, key->len,
			     "remove it", "nothing of '%s' is used",
			     r->use[i].alias);
	}
}
