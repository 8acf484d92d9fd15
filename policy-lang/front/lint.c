/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy permits although its author may not have meant it: privacy
 * (P5xxx) and load (P6xxx). For vendors' files. */
#include <stdio.h>

#include "policy-lang/front/check.h"
#include "policy-lang/image/home.h"
#include "policy-lang/image/layout.h"

#define MINUTE_NS   (60 * NS_PER_S)
#define DAY_NS	    (86400 * NS_PER_S)
#define SETTLING_NS (900 * NS_PER_S)

/* Not values: a reading that says none of its own still says when it came. */
static bool counts_readings(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_SPACING ||
	       (l->kind <= LIMIT_BUCKET &&
		(l->thing == THING_READINGS || l->thing == THING_MESSAGES));
}

static bool counts_bytes(const struct pol_limit_phrase *l)
{
	return l->thing == THING_BYTES;
}

static bool bounded(const struct pol_file *f, const struct pol_rule_src *rule,
		    bool (*by)(const struct pol_limit_phrase *))
{
	for (size_t i = 0; i < rule->n_limit; i++) {
		if (by(&rule->limit[i]))
			return true;
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		if (by(&f->limit[i].phrase) &&
		    limit_covers(f, &f->limit[i], f, rule))
			return true;
	}
	return false;
}

static meas_set of_class(meas_set m, enum meas_class cls)
{
	meas_set s = 0;

	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) && meas_class((enum meas)i) == cls)
			s |= MEAS_BIT(i);
	}
	return s;
}

/* One at a time: no two within a minute; or it says how many there may be. */
static bool keeps_apart(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_SPACING ||
	       (counts_readings(l) &&
		((l->kind == LIMIT_SLIDING &&
		  (l->n == 1 || l->window_ns <= MINUTE_NS)) ||
		 (l->kind == LIMIT_BUCKET && l->burst == 1)));
}

/* Of rules that disclose every message is a reading. */
static bool bunches(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_CALENDAR && counts_readings(l);
}

static void say_bunch(struct rd *r, const struct pol_limit_phrase *l)
{
	find(r, DIAG_WARNING, 5203, l->pos, strlen(l->text),
	     "add 'at least ... apart'",
	     "%llu could be taken within one minute, where two windows meet",
	     (unsigned long long)(2 * l->n));
}

static void lint_spacing(struct rd *r, const struct pol_rule_src *rule)
{
	for (size_t i = 0;
	     i < rule->n_limit && !bounded(r->f, rule, keeps_apart); i++) {
		if (bunches(&rule->limit[i]))
			say_bunch(r, &rule->limit[i]);
	}
}

/* The same of a limit at top level: once, where some rule is spaced by nothing
 * else. */
static void lint_totals(struct rd *r)
{
	const struct pol_file *f = r->f;
	bool *loose = pool_array(r->s.pool, f->n_rule + 1, sizeof(*loose));

	for (size_t k = 0; k < f->n_rule; k++) {
		const struct pol_rule_src *rule = &f->rule[k];

		loose[k] = rule->kind == RULE_GRANT && rule->data.present &&
			   rule->dir != DIRSEL_IN &&
			   !bounded(f, rule, keeps_apart);
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		const struct pol_limit_src *l = &f->limit[i];
		bool bunch = false;

		for (size_t k = 0; bunches(&l->phrase) && k < f->n_rule &&
				   !bunch; k++)
			bunch = loose[k] &&
				limit_covers(f, l, f, &f->rule[k]);
		if (bunch)
			say_bunch(r, &l->phrase);
	}
}

/* every: how far apart it reads; 0 where nothing says. */
static void lint_series(struct rd *r, const struct pol_rule_src *rule,
			int64_t every)
{
	const struct pol_data_src *d = &rule->data;

	if (!of_class(d->meas, MEAS_CLASS_SERIES))
		return;
	if (d->has_gran && d->gran_lo_ns < SETTLING_NS)
		find(r, DIAG_INFO, 5103, d->pos_gran, 1,
		     "say why, or write 15 min or coarser",
		     "finer than any tariff is settled by, which is 15 min");
	if (!(d->has_delay && d->delay_ns) && d->has_gran &&
	    d->gran_lo_ns < DAY_NS)
		find(r, DIAG_WARNING, 5104, d->pos, 4, "add delay: 6 h",
		     "'%s' shows whether somebody is at home now", rule->id);
	if (d->has_history && every &&
	    d->history_ns / 4 > every + (d->has_gran ? d->gran_lo_ns : 0))
		find(r, DIAG_INFO, 5105, d->pos_history, 1,
		     "enough for what was missed since the last reading",
		     "a longer history than readings that often need");
}

/* Does the rule select authenticated messages and no others? */
static bool asks_key(const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->n_match; i++) {
		const struct pol_obs_match *m = &rule->match[i];
		bool asks = false;

		for (size_t k = 0; k < m->n_attr; k++) {
			const struct pol_attr *a = &m->attr[k];

			asks |= a->field == F_SECURITY && a->n_num == 1 &&
				a->num[0].lo == 1 && a->num[0].hi == 1;
		}
		if (!asks)
			return false;
	}
	return rule->n_match > 0;
}

/* Who is answered had to show the key of its title (analysis/bound_known.c,
 * which judges all that a party gets). */
static bool answers_keys(const struct pol_file *f,
			 const struct pol_rule_src *rule)
{
	bool all = rule->has_answers;

	for (size_t i = 0; i < rule->n_answers; i++)
		all &= asks_key(&f->rule[rule->answers[i]]);
	return all;
}

/* Below a TLS name (section 7). TLS that anybody may answer says nothing about
 * who does. */
static void lint_party(struct rd *r, const struct pol_rule_src *rule)
{
	bool key = answers_keys(r->f, rule);

	for (size_t i = 0; i < rule->party.n_party; i++) {
		const struct pol_party_src *p =
			&r->f->party[rule->party.party[i]];

		if (p->role == ROLE_HOUSEHOLD || p->role == ROLE_VM ||
		    p->n_tls_name || p->n_tls_pin)
			continue;
		find(r, p->aptitle.n && key ? DIAG_INFO : DIAG_WARNING, 5106,
		     AT_RULE(rule),
		     p->aptitle.n && !key
			     ? "give the party tls names or pins, or let the "
			       "rule answer requests with security: "
			       "authenticated only"
			     : "give the party tls names or pins",
		     "'%s' sends measurements to '%s', known by %s", rule->id,
		     p->id,
		     !p->aptitle.n ? "its address only"
		     : key	   ? "message authentication"
				   : "an ApTitle that it claims");
	}
}

/* Of measurements to somebody whose TLS nobody opens, none is seen. */
static void lint_unseen(struct rd *r, const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->party.n_party; i++) {
		if (!r->f->party[rule->party.party[i]].tls_end_to_end)
			return;
	}
	find(r, DIAG_WARNING, 4002, AT_RULE(rule),
	     "grant opaque with a limit in octets, or let the gateway end TLS",
	     "'%s' never permits anything: what its party gets is sealed end "
	     "to end",
	     rule->id);
}

static void lint_disclosure(struct rd *r, const struct pol_rule_src *rule,
			    int64_t every)
{
	char buf[MEAS_TEXT];

	lint_unseen(r, rule);
	if (rule->data.meas & MEAS_BIT(MEAS_SECURITY_SECRET))
		find(r, DIAG_WARNING, 5111, rule->data.pos, 4, NULL,
		     "'%s' sends passwords and keys out of the home", rule->id);

	if (!bounded(r->f, rule, counts_readings))
		find(r, DIAG_ERROR, 5101, AT_RULE(rule),
		     "add limits: [1 reading per day, at least 20 h apart]",
		     "'%s' sends %s as often as it likes", rule->id,
		     meas_text(buf, sizeof(buf), rule->data.meas));
	lint_spacing(r, rule);
	lint_series(r, rule, every);
	lint_party(r, rule);
}

static unsigned count_kinds(const struct pol_kinds *k)
{
	return (unsigned)(__builtin_popcountll(k->w[0]) +
			  __builtin_popcountll(k->w[1]));
}

/* Grants wider than any author can oversee. */
static void lint_match(struct rd *r, const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->n_match; i++) {
		const struct pol_obs_match *m = &rule->match[i];
		bool mfg = false;

		for (size_t k = 0; k < m->n_attr; k++) {
			const struct pol_attr *a = &m->attr[k];

			for (size_t j = 0; j < a->n_num; j++)
				mfg = mfg || (a->field == F_TABLE &&
					      a->num[j].hi >= 2048);
		}
		if (count_kinds(&m->kinds) > 1)
			find(r, DIAG_WARNING, 5109, m->pos, 1,
			     "name the observations",
			     "'%s' grants whatever the protocol can say",
			     rule->id);
		else if (mfg)
			find(r, DIAG_WARNING, 5109, m->pos, 1, NULL,
			     "'%s' grants a manufacturer's table, whose "
			     "meaning only the maker knows",
			     rule->id);
	}
}

static void lint_opaque(struct rd *r, const struct pol_rule_src *rule)
{
	if (!match_has(rule->match, rule->n_match, OBS_OPAQUE) &&
	    !match_has(rule->match, rule->n_match, OBS_TLS_HELLO))
		return;
	if (bounded(r->f, rule, counts_bytes))
		find(r, DIAG_WARNING, 5107, AT_RULE(rule), NULL,
		     "'%s' is a sealed channel; the label says so", rule->id);
	else
		find(r, DIAG_ERROR, 5107, AT_RULE(rule),
		     "add a limit such as 48 KiB per day",
		     "'%s' is a sealed channel without a limit in bytes",
		     rule->id);
}

static bool is_free(const struct pol_obs_match *m)
{
	bool named = false, glob = false, empty = false;

	for (size_t i = 0; i < m->n_attr; i++) {
		const struct pol_attr *a = &m->attr[i];

		named = named || a->field == F_PATH;
		for (size_t k = 0; k < a->n_text && a->field == F_PATH; k++)
			glob = glob || strchr(a->text[k], '*');
		empty = empty || (a->field == F_BODY && a->n_num == 1 &&
				  a->num[0].hi == 0);
	}
	return !named || glob || !empty;
}

/* Names that the rule does not write out: letters of them are whatever a
 * sender likes. */
static bool is_free_name(const struct pol_obs_match *m)
{
	bool named = false, glob = false;

	for (size_t i = 0; i < m->n_attr; i++) {
		const struct pol_attr *a = &m->attr[i];

		named = named || a->field == F_DNS_NAME;
		for (size_t k = 0; k < a->n_text && a->field == F_DNS_NAME; k++)
			glob = glob || strchr(a->text[k], '*');
	}
	return !named || glob;
}

static void lint_names(struct rd *r, const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->n_match; i++) {
		const struct pol_obs_match *m = &rule->match[i];

		if (match_has(m, 1, OBS_DNS_QUERY) && is_free_name(m))
			find(r, DIAG_INFO, 5108, m->pos, 9, "write the names out",
			     "free text in names that are asked for could carry "
			     "values");
	}
}

/* Text that nobody reads can carry values past every data constraint. */
static void lint_free_text(struct rd *r, const struct pol_rule_src *rule)
{
	int64_t every = sustained_ns(r->f, rule);

	for (size_t i = 0; i < rule->n_match; i++) {
		const struct pol_obs_match *m = &rule->match[i];

		if (!match_has(m, 1, OBS_HTTP_REQUEST) || !is_free(m))
			continue;
		if (every)
			find(r, DIAG_INFO, 5108, m->pos, 12,
			     "fix the path, and body: 0 B",
			     "free text in path or body could carry a value "
			     "%lld times a day",
			     (long long)(every < DAY_NS ? DAY_NS / every : 1));
		else
			find(r, DIAG_INFO, 5108, m->pos, 12,
			     "fix the path, and body: 0 B; add a limit",
			     "free text in path or body could carry any "
			     "number of values a day");
	}
}

static void lint_time(struct rd *r, const struct pol_rule_src *rule)
{
	/* Seconds after which the asking side gives up. */
	bool c1222 = false;
	int64_t timeout;

	for (size_t i = 0; i < rule->n_match; i++) {
		for (unsigned k = 0; k < OBS_COUNT; k++)
			c1222 = c1222 || (match_has(&rule->match[i], 1,
						    (enum obs_kind)k) &&
					  obs_family((enum obs_kind)k) ==
						  OBS_FAMILY_C1222);
	}
	timeout = (c1222 ? 300 : 120) * NS_PER_S;
	if (rule->exceed.kind == ACTION_DEFER && rule->exceed.ns > timeout)
		find(r, DIAG_WARNING, 4009, AT_RULE(rule),
		     c1222 ? "at most 5 min" : "at most 2 min",
		     "'%s' holds messages back for longer than its protocol "
		     "waits",
		     rule->id);
	if (rule->when.present && !rule->when.spread_ns &&
	    goes_outside(r->f, rule))
		find(r, DIAG_WARNING, 6101, AT_RULE(rule),
		     "add spread: 30 min to when",
		     "'%s' lets every meter call at the same moment", rule->id);
}

/* --- between rules ------------------------------------------------------- */

static bool same_operator(const struct pol_party_src *a,
			  const struct pol_party_src *b)
{
	return a->operator_ && b->operator_ &&
	       strcmp(a->operator_, b->operator_) == 0;
}

/* Of each party, all parties of its operator. */
static void find_operators(const struct pol_file *f, uint64_t *with)
{
	for (size_t i = 0; i < f->n_party; i++) {
		with[i] = UINT64_C(1) << i;
		for (size_t k = 0; k < i; k++) {
			uint64_t is = same_operator(&f->party[i], &f->party[k]);

			with[i] |= is << k;
			with[k] |= is << i;
		}
	}
}

/* With them, the other parties of their operators. */
static uint64_t recipients(const uint64_t *with,
			   const struct pol_rule_src *rule)
{
	uint64_t all = 0;

	for (size_t i = 0; i < rule->party.n_party; i++)
		all |= with[rule->party.party[i]];
	return all;
}

static void say_difference(struct rd *r, const struct pol_rule_src *a,
			   const struct pol_rule_src *b)
{
	static const char hint[] = "space the readings at least as far apart";
	struct diag *g;

	if (a == b) {
		find(r, DIAG_ERROR, 5102, AT_RULE(a), hint,
		     "'%s' reads more often than its own intervals are long",
		     a->id);
		return;
	}
	g = find(r, DIAG_ERROR, 5102, AT_RULE(a), hint,
		 "'%s' reads more often than the intervals of '%s' are long",
		 a->id, b->id);
	diag_second(g, b->pos.line, b->pos.col, "'%s' is here", b->id);
}

/* Registers read more often than the series may be fine are that series. of:
 * the recipients of a; every: how far apart it reads. */
static void lint_difference(struct rd *r, const struct pol_rule_src *a,
			    uint64_t of, int64_t every)
{
	const struct pol_file *f = r->f;

	if (!every || !of_class(a->data.meas & meas_use(), MEAS_CLASS_SNAPSHOT))
		return;
	for (size_t k = 0; k < f->n_rule; k++) {
		const struct pol_rule_src *b = &f->rule[k];

		if (b->data.has_gran && every < b->data.gran_lo_ns &&
		    of & party_bits(&b->party) && discloses(f, b) &&
		    of_class(b->data.meas & meas_use(), MEAS_CLASS_SERIES))
			say_difference(r, a, b);
	}
}

static void lint_operators(struct rd *r)
{
	const struct pol_file *f = r->f;

	for (size_t i = 1; i < f->n_party; i++) {
		for (size_t k = 0; k < i; k++) {
			if (!same_operator(&f->party[i], &f->party[k]))
				continue;
			find(r, DIAG_INFO, 5204, AT_RULE(&f->party[i]), NULL,
			     "'%s' and '%s' are the same operator: the label "
			     "shows their sum",
			     f->party[k].id, f->party[i].id);
			break;
		}
	}
}

/* What counts all messages holds back those of protocols that wait less. */
static void lint_limit(struct rd *r, const struct pol_limit_src *l)
{
	if (l->exceed.kind == ACTION_DEFER && l->exceed.ns > 300 * NS_PER_S)
		find(r, DIAG_WARNING, 4009, AT_RULE(l), "at most 5 min",
		     "'%s' holds messages back for longer than any protocol "
		     "waits",
		     l->id);
}

/* What stays at home needs no consent and is in no label, so that somebody is
 * at home is not left to the author's word. */
static void lint_home(struct rd *r, const struct pol_party_src *p)
{
	bool home = p->n_addr > 0;

	if (p->role != ROLE_HOUSEHOLD)
		return;
	for (size_t i = 0; i < p->n_addr; i++)
		home = home &&
		       home_prefix(p->addr[i].addr.b, p->addr[i].len);
	if (home)
		return;
	find(r, DIAG_ERROR, 5110, AT_RULE(p),
	     "give private, link-local or unique local addresses alone, or "
	     "another role",
	     p->n_addr ? "the household '%s' has addresses outside the home"
		       : "the household '%s' could be anywhere: it has no "
			 "address",
	     p->id);
}

/* What is on trial is held by the other layers alone, so that must not be
 * forgotten. what: the rule's name, or the file's. */
static void lint_trial(struct rd *r, int64_t until_s, struct pol_pos pos,
		       size_t len, const char *what)
{
	struct civil c = civil_of(until_s);

	if (until_s)
		find(r, DIAG_WARNING, 5302, pos, len,
		     "mode: enforce, when it is ready",
		     "'%s' is on trial until %04d-%02d-%02d: only the baseline "
		     "and the customer bound it",
		     what, c.year, c.month, c.day);
}

void lint_file(struct rd *r)
{
	const struct pol_file *f = r->f;
	uint64_t with[LAY_MAX_PARTIES];

	find_operators(f, with);
	lint_trial(r, f->monitor_until_s, f->pos_mode, 1, f->id);

	for (size_t i = 0; i < f->n_party; i++)
		lint_home(r, &f->party[i]);
	for (size_t i = 0; i < f->n_limit; i++)
		lint_limit(r, &f->limit[i]);
	lint_totals(r);
	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *rule = &f->rule[i];
		int64_t every;

		if (rule->kind != RULE_GRANT)
			continue;
		lint_trial(r, rule->monitor_until_s, AT_RULE(rule), rule->id);
		lint_match(r, rule);
		lint_time(r, rule);
		if (goes_outside(f, rule)) {
			lint_opaque(r, rule);
			lint_names(r, rule);
			if (!rule->data.present)
				lint_free_text(r, rule);
		}
		if (!discloses(f, rule))
			continue;
		every = sustained_ns(f, rule);
		lint_disclosure(r, rule, every);
		lint_difference(r, rule, recipients(with, rule), every);
	}
	lint_operators(r);
}
