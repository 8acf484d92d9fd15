/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thing more, or less, in policies of a law.
 */
#ifndef POLICY_LANG_LAWEDIT_H
#define POLICY_LANG_LAWEDIT_H

#include "policy-lang/lawworld.h"

static inline const char *lt_text_of(const struct lt *t, uint16_t in,
				     const char *key)
{
	uint16_t i = lt_get(t, in, key);

	return i ? lt_str(t, t->node[i].text) : "";
}

/* Any grant or ceiling, and whose it is; 0: there is none. */
static inline uint16_t any_rule(struct draws *d, struct policies *p,
				struct lt **of)
{
	bool base = p->has_base && one_in(d, 3);
	uint16_t all;

	*of = base ? &p->base : &p->vendor[p->two ? draw(d, 2) : 0];
	all = lt_get(*of, 1, base ? "ceiling" : "allow");
	if (!all || !lt_count(*of, all))
		return 0;
	return lt_nth(*of, all, draw(d, lt_count(*of, all)));
}

static inline bool has_meas(const struct lt *t, uint16_t data, const char *meas)
{
	uint16_t m = lt_get(t, data, "measurement");

	if (t->node[m].type == LT_SCALAR)
		return strcmp(lt_str(t, t->node[m].text), meas) == 0;
	for (uint16_t i = t->node[m].first; i; i = t->node[i].next) {
		if (strcmp(lt_str(t, t->node[i].text), meas) == 0)
			return true;
	}
	return false;
}

/* A bound in a rule's data that was not there, or a coarser one. */
static inline bool tighten_data(struct draws *d, struct lt *t, uint16_t rule,
				bool ceiling)
{
	static const char *const keys[] = {"delay", "history", "resolution",
					   "channels"};
	uint16_t data = lt_get(t, rule, "data");
	bool power, plain;

	if (!data)
		return false;
	if (has_meas(t, data, "control.load")) {
		if (ceiling || lt_get(t, data, "value"))
			return false;
		lt_put(t, data, "value", "0 s to 1 h");
		return true;
	}
	if (has_meas(t, data, "event.power"))
		return false;
	if (one_in(d, 3) && strstr(lt_text_of(t, data, "granularity"), "15 min")) {
		plain = strstr(lt_text_of(t, data, "granularity"), "coarser");
		lt_drop(t, data, "granularity");
		lt_put(t, data, "granularity",
		       plain ? "1 h or coarser" : "30 min to 2 h");
		return true;
	}
	power = has_meas(t, data, "power.instant");
	for (int i = 0; i < 4; i++) {
		if (lt_get(t, data, keys[i]) || one_in(d, 3))
			continue;
		if (ceiling && i == 3)
			break;
		lt_put(t, data, keys[i], "%s%s",
		       i == 0	? "6 h"
		       : i == 1 ? "3 d"
		       : i == 2 ? "10"
				: "1",
		       i != 2		  ? ""
		       : power && !ceiling ? " W"
					   : " Wh");
		return true;
	}
	return false;
}

enum tighter { BY_DENIAL, BY_TOP, BY_LIMIT, BY_STATE, BY_HOURS,
	BY_RESTRICTION, BY_DATA, BY_COUNT };

/* Permits nothing more. False: it found nothing to do. *how: what it did. */
static inline bool tighten(struct draws *d, struct policies *p,
			   enum tighter *how)
{
	struct lt *t = NULL;
	uint16_t rule = any_rule(d, p, &t), s;
	bool ceiling = t == &p->base, data;

	if (!rule)
		return false;
	data = lt_get(t, rule, "data") && !ceiling;
	switch (draw(d, 13)) {
	case 0:
	case 9:
	case 10:
		*how = BY_DENIAL;
		put_denial(d, t, "no-more", !ceiling,
			   &p->vendor[p->two ? draw(d, 2) : 0]);
		return true;
	case 1:
	case 2:
		*how = BY_TOP;
		put_top(d, t, "one-more", !ceiling);
		return true;
	case 3:
	case 4:
		*how = BY_LIMIT;
		put_limit(d, t, rule, data, false);
		return true;
	case 5:
		*how = BY_STATE;
		if (ceiling || lt_get(t, rule, "requires"))
			return false;
		s = lt_add(t, rule, LT_SEQ, "requires");
		lt_put(t, s, NULL, "%s",
		       PICK(d, "attested", "clock-trusted"));
		return true;
	case 6:
		*how = BY_HOURS;
		if (lt_get(t, rule, "when"))
			return false;
		put_when(d, t, rule);
		return true;
	case 7:
		*how = BY_RESTRICTION;
		if (!p->has_customer)
			return false;
		put_restriction(d, &p->customer, "one-more", p->two);
		return true;
	default:
		*how = BY_DATA;
		return tighten_data(d, t, rule, ceiling);
	}
}

/* Something else: what is said of it is to be found out. */
static inline bool alter(struct draws *d, struct policies *p)
{
	struct lt *t = NULL;
	uint16_t rule = any_rule(d, p, &t), x, data;
	bool ceiling = t == &p->base;

	if (!rule)
		return false;
	data = lt_get(t, rule, "data");
	switch (draw(d, 10)) {
	case 0: /* an empty one would be no sequence */
		x = lt_get(t, rule, "limits");
		if (!x || lt_count(t, x) < 2)
			return false;
		lt_del(t, x, lt_nth(t, x, draw(d, lt_count(t, x))));
		return true;
	case 1:
		x = lt_get(t, rule, "limits");
		if (!x)
			return false;
		lt_del(t, x, lt_nth(t, x, draw(d, lt_count(t, x))));
		put_limit(d, t, rule, data && !ceiling, false);
		return true;
	case 2:
		lt_drop(t, rule, PICK(d, "requires", "forbids", "when",
				      "answers", "exceed", "vm"));
		return true;
	case 3:
		if (!data)
			return false;
		lt_drop(t, data, PICK(d, "delay", "resolution", "channels",
				      "value"));
		return true;
	case 4:
		if (!data || !lt_get(t, data, "granularity"))
			return false;
		put_gran(d, t, data);
		return true;
	case 5:
		lt_drop(t, 1, PICK(d, "deny", "limits"));
		return true;
	case 6:
		x = lt_get(t, rule, "purpose");
		if (!x)
			return false;
		lt_drop(t, rule, "purpose");
		lt_put(t, rule, "purpose", "Another word for it.");
		return true;
	case 7:
		if (ceiling || !lt_get(t, rule, "consent"))
			return false;
		lt_drop(t, rule, "consent");
		lt_put(t, rule, "consent", "%s",
		       PICK(d, "none", "opt-out", "opt-in"));
		return true;
	case 8:
		if (!lt_get(t, rule, "when"))
			return false;
		lt_drop(t, rule, "when");
		put_when(d, t, rule);
		return true;
	default:
		x = lt_get(t, 1, ceiling ? "ceiling" : "allow");
		if (lt_count(t, x) < 2)
			return false;
		lt_del(t, x, rule);
		return true;
	}
}

#endif
