/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies for the laws: a baseline, vendors and a customer, of all
 * that rules can say.
 */
#ifndef POLICY_LANG_LAWPOLICY_H
#define POLICY_LANG_LAWPOLICY_H

#include "policy-lang/lawparts.h"

/* --- rules ------------------------------------------------------------------ */

static inline void put_when(struct draws *d, struct lt *t, uint16_t rule)
{
	uint16_t w = lt_add(t, rule, LT_MAP, "when");

	lt_put(t, w, "between", "%s",
	       PICK(d, "06:00-18:00", "22:00-13:00", "00:30-23:00",
		    "10:00-16:00", "23:00-12:30"));
	if (one_in(d, 5))
		lt_put(t, w, "spread", "4 h");
	if (one_in(d, 3)) {
		uint16_t s = lt_add(t, w, LT_SEQ, "days");

		lt_put(t, s, NULL, "wed");
		lt_put(t, s, NULL, "thu");
		lt_put(t, s, NULL, "sun");
	}
}

/* Some of what a rule of that matches: what denies all of it in the same file
 * would be no policy (P4002). */
static inline void put_part(struct draws *d, struct lt *t, uint16_t in,
			    unsigned about, unsigned var)
{
	const struct about *a = &abouts[about];
	uint16_t m = lt_add(t, in, LT_MAP, "match");
	uint16_t o = lt_add(t, m, LT_MAP, a->obs);
	unsigned sub = (unsigned)draw(d, 3), n = (unsigned)draw(d, 2);

	if (a->table) {
		uint16_t s = lt_add(t, o, LT_SEQ, "table");

		lt_put(t, s, NULL, "%u-%u", LAW_TABLE(var) + sub,
		       LAW_TABLE(var) + sub + n);
	} else if (a->href) {
		lt_put(t, o, "href", "/meter/%c/%u", 'a' + (int)var, sub);
	} else if (about == AB_HTTP) {
		lt_put(t, o, "path", "/tips/today");
	}
}

/* of: whose grants it is about; NULL: anything. */
static inline void put_denial(struct draws *d, struct lt *t, const char *id,
			      bool vendor, const struct lt *of)
{
	uint16_t x = lt_add(t, lt_map(t, 1, "deny"), LT_MAP, id), data;
	uint16_t all = of ? lt_get(of, 1, "allow") : 0;
	unsigned about = (unsigned)draw(d, AB_COUNT), n;
	unsigned var = (unsigned)draw(d, 3);
	const char *rule;

	n = all ? lt_count(of, all) : 0;
	if (n) {
		rule = lt_str(of, of->node[lt_nth(of, all, draw(d, n))].key);
		about = (unsigned)(rule[5] - 'a');
		var = (unsigned)(rule[6] - '0');
	}
	switch (draw(d, 6)) {
	case 0:
		put_match(t, x, about, var);
		break;
	case 1:
		data = lt_add(t, x, LT_MAP, "data");
		lt_put(t, data, "measurement", "%s",
		       PICK(d, "energy.register", "power.*", "energy.interval",
			    "control.load"));
		break;
	case 2:
		if (vendor)
			lt_put(t, x, "party", "service");
		else
			put_roles(d, t, x);
		break;
	default:
		put_part(d, t, x, about, var);
		break;
	}
	if (one_in(d, 3))
		lt_put(t, x, "direction", "%s", PICK(d, "any", "out", "in"));
	if (!vendor && one_in(d, 3))
		lt_put(t, x, "vm", "any");
	put_exceed(d, t, x);
}

static inline void put_parties(struct draws *d, struct lt *t, const char *other)
{
	static const char *const id[] = {"headend", "service"};
	uint16_t all = lt_add(t, 1, LT_MAP, "parties"), x, s;
	uint64_t same = one_in(d, 3), ports = draw(d, 2);

	for (int i = 0; i < 2; i++) {
		x = lt_add(t, all, LT_MAP, id[i]);
		lt_put(t, x, "name", "Party %d", i);
		lt_put(t, x, "role", i ? "service" : "metering");
		if (same)
			lt_put(t, x, "operator", "One");
		s = lt_add(t, x, LT_SEQ, "address");
		lt_put(t, s, NULL, i ? "198.51.100.0/24" : "203.0.113.0/28");
		if (ports) {
			s = lt_add(t, x, LT_SEQ, "ports");
			lt_put(t, s, NULL, "tcp/1153");
		}
	}
	if (!other)
		return;
	x = lt_add(t, all, LT_MAP, "other");
	lt_put(t, x, "name", "The other machine");
	lt_put(t, x, "role", "vm");
	lt_put(t, x, "vm", "%s", other);
}

static inline void put_states(struct draws *d, struct lt *t)
{
	static const char *const keys[] = {"set-by", "cleared-by"};
	static const unsigned by[] = {AB_LOGON, AB_LOGOFF};
	uint16_t x = lt_add(t, lt_map(t, 1, "states"), LT_MAP, "joined"), y;

	lt_put(t, x, "scope", "%s", PICK(d, "party", "vm", "flow"));
	for (int i = 0; i < 2; i++) {
		if (i && draw(d, 2))
			break;
		y = lt_add(t, x, LT_MAP, keys[i]);
		lt_put(t, y, "direction", "in");
		lt_put(t, y, "party", "headend");
		put_match(t, y, by[i], 0);
	}
	lt_put(t, x, "expires", "%s", PICK(d, "26 h", "10 min", "2 h"));
}

/* P4007: an answer goes to whoever asked. ask may be none. */
static inline bool same_parties(const struct lt *t, uint16_t x, uint16_t ask)
{
	uint16_t a, b;

	if (!ask)
		return false;
	a = lt_get(t, x, "party");
	b = lt_get(t, ask, "party");
	return t->node[a].type == t->node[b].type &&
	       strcmp(lt_str(t, t->node[a].text), lt_str(t, t->node[b].text)) ==
		       0;
}

/* A grant of a vendor, about something. */
static inline void put_grant(struct draws *d, struct lt *t, unsigned about,
			     unsigned var, bool states, bool other)
{
	const struct about *a = &abouts[about];
	uint16_t all = lt_map(t, 1, "allow"), x, s;
	unsigned ask = about == AB_READ ? AB_ASK : AB_OBIX_ASK;
	char id[24], answers[24];
	uint64_t who = about == AB_LOGON ? 0 : draw(d, other ? 4 : 3);

	snprintf(id, sizeof(id), "rule-%c%u", 'a' + (int)about, var);
	snprintf(answers, sizeof(answers), "rule-%c%u", 'a' + (int)ask, var);
	while (lt_get(t, all, id)) /* which P4001 will say */
		snprintf(id + strlen(id), sizeof(id) - strlen(id), "x");
	x = lt_add(t, all, LT_MAP, id);
	lt_put(t, x, "direction", one_in(d, 6) && a->data ? "any" : a->dir == DIR_OUT
							      ? "out"
							      : "in");
	if (who == 1) {
		s = lt_add(t, x, LT_SEQ, "party");
		lt_put(t, s, NULL, "headend");
		lt_put(t, s, NULL, "service");
	} else {
		lt_put(t, x, "party", "%s",
		       who == 3	  ? "other"
		       : who == 2 ? "service"
				  : "headend");
	}
	/* Whoever asked for it. */
	if ((about == AB_READ || about == AB_OBIX) && lt_get(t, all, answers) &&
	    draw(d, 2)) {
		uint16_t p = lt_get(t, lt_get(t, all, answers), "party");

		if (t->node[p].type == LT_SCALAR) {
			lt_drop(t, x, "party");
			lt_put(t, x, "party", "%s",
			       lt_str(t, t->node[p].text));
		}
	}
	put_match(t, x, about, var);
	if (a->data) {
		lt_put(t, x, "purpose", "Reason %u of them.", about);
		lt_put(t, x, "consent", "%s",
		       PICK(d, "none", "opt-out", "opt-in"));
		put_data(d, t, x, about);
	}
	if ((about == AB_READ || about == AB_OBIX) &&
	    same_parties(t, x, lt_get(t, all, answers)) && draw(d, 3)) {
		s = lt_add(t, x, LT_SEQ, "answers");
		lt_put(t, s, NULL, "%s", answers);
	}
	if (states && about != AB_LOGON && one_in(d, 3)) {
		s = lt_add(t, x, LT_SEQ, draw(d, 3) ? "requires" : "forbids");
		lt_put(t, s, NULL, "joined");
	} else if (one_in(d, 6)) {
		s = lt_add(t, x, LT_SEQ, "requires");
		lt_put(t, s, NULL, "attested");
	}
	if (one_in(d, 6))
		put_when(d, t, x);
	for (uint64_t n = (a->data ? 1 : 0) + draw(d, 3); n; n--)
		put_limit(d, t, x, a->data, a->table);
	if (about == AB_OPAQUE) { /* P5107 */
		s = lt_get(t, x, "limits");
		s = s ? s : lt_add(t, x, LT_SEQ, "limits");
		lt_put(t, s, NULL, "%s",
		       PICK(d, "900 B per day", "2 KiB per 1 h",
			    "1 KiB per month"));
	}
	put_exceed(d, t, x);
	if (one_in(d, 8))
		lt_put(t, x, "audit", "%s", PICK(d, "each", "summary"));
}

static inline void put_head(struct lt *t, const char *kind, const char *id)
{
	lt_new(t);
	lt_put(t, 1, "polc", "1");
	lt_put(t, 1, "kind", "%s", kind);
	lt_put(t, 1, "id", "%s", id);
	lt_put(t, 1, "serial", "1");
	lt_put(t, 1, "title", "A %s for a law", kind);
}

/* What messages about that may go on with, or be answered with: mostly of the
 * same party. */
static inline void put_more(struct draws *d, struct lt *t, unsigned about,
			    unsigned var, bool states, bool other,
			    bool had[AB_COUNT][3])
{
	uint16_t all = lt_get(t, 1, "allow");
	uint16_t last = lt_nth(t, all, lt_count(t, all) - 1), x, p, q;

	if (about == AB_OBIX_ASK && draw(d, 3)) {
		about = AB_OBIX;
	} else {
		about = about == AB_OBIX_ASK ? AB_OBIX_ASK
			: draw(d, 3)	     ? AB_OBIX
					     : AB_HTTP;
		var = (unsigned)draw(d, abouts[about].n_var);
	}
	if (had[about][var])
		return;
	put_grant(d, t, about, var, states, other);
	had[about][var] = true;
	x = lt_nth(t, all, lt_count(t, all) - 1);
	p = lt_get(t, last, "party");
	q = lt_get(t, x, "party");
	if (lt_get(t, x, "answers") || t->node[p].type != LT_SCALAR ||
	    t->node[q].type != LT_SCALAR || one_in(d, 4))
		return;
	lt_drop(t, x, "party");
	lt_put(t, x, "party", "%s", lt_str(t, t->node[p].text));
}

/* other: another machine of the set, or NULL. */
static inline void make_vendor(struct draws *d, struct lt *t, const char *vm,
			       const char *other)
{
	bool states = draw(d, 2), had[AB_COUNT][3] = {{false}};
	char id[40];

	snprintf(id, sizeof(id), "org.example.%s", vm);
	put_head(t, "vendor", id);
	lt_put(t, 1, "vm", "%s", vm);
	put_parties(d, t, other);
	if (states) {
		put_states(d, t);
		put_grant(d, t, AB_LOGON, 0, false, false);
		had[AB_LOGON][0] = true;
	}
	for (unsigned n = 0; n < 8 && (n == 0 || draw(d, 6)); n++) {
		unsigned about = (unsigned)draw(d, AB_COUNT);
		unsigned var = (unsigned)draw(d, abouts[about].n_var);
		unsigned ask = about == AB_READ	  ? AB_ASK
			       : about == AB_OBIX ? AB_OBIX_ASK
						  : AB_COUNT;

		if (ask < AB_COUNT && !had[ask][var] && draw(d, 4)) {
			put_grant(d, t, ask, var, states, other != NULL);
			had[ask][var] = true;
		}
		if (had[about][var] && !one_in(d, 10))
			continue;
		put_grant(d, t, about, var, states, other != NULL);
		had[about][var] = true;
		if (about >= AB_OBIX && about <= AB_OPAQUE && !draw(d, 2))
			put_more(d, t, about, var, states, other != NULL, had);
	}
	if (one_in(d, 4))
		put_denial(d, t, "never", true, t);
	for (unsigned n = 0; n < 3 && draw(d, 2); n++) {
		snprintf(id, sizeof(id), "top-%u", n);
		put_top(d, t, id, true);
	}
}

static inline void put_ceiling(struct draws *d, struct lt *t, unsigned which)
{
	static const char *const families[][4] = {
		{"any"}, {"c1222.any"}, {"obix.any", "http.any", "opaque"}};
	uint16_t x = lt_add(t, lt_map(t, 1, "ceiling"), LT_MAP,
			    which == 2 ? "web" : "all"),
		 p, s, data;
	char id[] = "r0";

	(void)id;
	if (one_in(d, 4))
		lt_put(t, x, "vm", "any");
	lt_put(t, x, "direction", "any");
	p = lt_add(t, x, LT_MAP, "party");
	s = lt_add(t, p, LT_SEQ, "role");
	lt_put(t, s, NULL, "metering");
	if (draw(d, 4))
		lt_put(t, s, NULL, "service");
	lt_put(t, s, NULL, "vm");
	s = lt_add(t, x, LT_SEQ, "match");
	for (unsigned i = 0; families[which][i]; i++)
		(void)lt_add(t, lt_add(t, s, LT_MAP, NULL), LT_MAP,
			     families[which][i]);
	data = lt_add(t, x, LT_MAP, "data");
	s = lt_add(t, data, LT_SEQ, "measurement");
	lt_put(t, s, NULL, "energy.*");
	lt_put(t, s, NULL, "event.power");
	lt_put(t, s, NULL, "control.load");
	if (draw(d, 4))
		lt_put(t, s, NULL, "power.instant");
	put_gran(d, t, data);
	for (uint64_t n = draw(d, 3); n; n--)
		put_guard(d, t, data, false, true);
	if (one_in(d, 5))
		put_when(d, t, x);
	for (uint64_t n = draw(d, 2); n; n--)
		put_limit(d, t, x, false, false);
	put_exceed(d, t, x);
}

static inline void make_baseline(struct draws *d, struct lt *t)
{
	char id[40];

	put_head(t, "baseline", "org.example.base");
	if (draw(d, 2)) {
		put_ceiling(d, t, 1);
		put_ceiling(d, t, 2);
	} else {
		put_ceiling(d, t, 0);
	}
	for (unsigned n = 0, all = (unsigned)draw(d, 4); n + 2 < all; n++) {
		snprintf(id, sizeof(id), "no-%u", n);
		put_denial(d, t, id, false, NULL);
	}
	for (unsigned n = 0; n < 3 && draw(d, 2); n++) {
		snprintf(id, sizeof(id), "all-%u", n);
		put_top(d, t, id, false);
	}
}

/* --- the customer ----------------------------------------------------------- */

static inline void put_restriction(struct draws *d, struct lt *t, const char *id,
				   bool two)
{
	uint16_t x = lt_add(t, lt_map(t, 1, "restrict"), LT_MAP, id), data;
	char buf[100];

	lt_put(t, x, "vm", "%s", two ? PICK(d, "any", "mdma", "dr") : "any");
	if (one_in(d, 3))
		put_roles(d, t, x);
	switch (draw(d, 5)) {
	case 0:
		limit_phrase(d, buf, sizeof(buf), false, false, false);
		lt_put(t, x, "limit", "%s", buf);
		break;
	case 1:
		data = lt_add(t, x, LT_MAP, "data");
		lt_put(t, data, "measurement", "energy.interval");
		put_gran(d, t, data);
		put_guard(d, t, data, false, true);
		break;
	case 2:
		data = lt_add(t, x, LT_MAP, "data");
		lt_put(t, data, "measurement", "%s",
		       PICK(d, "energy.register", "energy.*", "\"*\""));
		put_guard(d, t, data, false, true);
		break;
	case 3:
		put_when(d, t, x);
		break;
	default:
		lt_put(t, x, "block", "true");
		if (draw(d, 3)) {
			data = lt_add(t, x, LT_MAP, "data");
			lt_put(t, data, "measurement", "%s",
			       PICK(d, "power.instant", "energy.register"));
		}
		break;
	}
	/* With hours it is about what comes in, too; its data and its limit
	 * are not. */
	if (!lt_get(t, x, "when") && one_in(d, 3))
		put_when(d, t, x);
}

/* Answers to what the vendors ask, and restrictions. */
static inline void make_customer(struct draws *d, struct lt *t,
				 const struct lt *const *vendor, size_t n)
{
	char id[100];

	put_head(t, "customer", "customer");
	for (size_t i = 0; i < n; i++) {
		const struct lt *v = vendor[i];
		uint16_t all = lt_get(v, 1, "allow"), k, c;

		for (k = v->node[all].first; all && k; k = v->node[k].next) {
			c = lt_get(v, k, "consent");
			if (!c || !strcmp(lt_str(v, v->node[c].text), "none") ||
			    !draw(d, 2))
				continue;
			snprintf(id, sizeof(id), "%s/%s",
				 lt_str(v, v->node[lt_get(v, 1, "id")].text),
				 lt_str(v, v->node[k].key));
			lt_put(t, lt_map(t, 1, "consent"), id, "%s",
			       PICK(d, "granted", "refused"));
		}
	}
	for (unsigned k = 0, all = 1 + (unsigned)draw(d, 3); k < all; k++) {
		snprintf(id, sizeof(id), "less-%u", k);
		put_restriction(d, t, id, n > 1);
	}
}

#endif
