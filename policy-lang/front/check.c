/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/image/layout.h"

struct diag *find(struct rd *r, enum diag_level level, uint16_t code,
		  struct pol_pos pos, size_t len, const char *hint,
		  const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return diag_add(r->s.d, level, code, r->s.path,
			(struct diag_at){pos.line, pos.col, (uint32_t)len},
			hint, "%s", text);
}

static bool inside(enum pol_role role)
{
	return role == ROLE_HOUSEHOLD || role == ROLE_VM;
}

bool goes_outside(const struct pol_file *f, const struct pol_rule_src *rule)
{
	if (rule->kind != RULE_GRANT || rule->dir == DIRSEL_IN)
		return false;
	for (size_t i = 0; i < rule->party.n_party; i++) {
		if (!inside(f->party[rule->party.party[i]].role))
			return true;
	}
	return false;
}

bool discloses(const struct pol_file *f, const struct pol_rule_src *rule)
{
	return rule->data.present && goes_outside(f, rule);
}

/* What many pairs of rules ask of one rule or one party, found out once. */
struct checked {
	struct rd *r;
	uint64_t meets[LAY_MAX_PARTIES]; /* parties that are not told apart */
	struct never *never;		 /* of each rule */
	bool *begins;
};

struct never {
	const char *why; /* NULL: it may permit something */
	const struct pol_rule_src *by;
};

/* --- overlap ------------------------------------------------------------- */

static void put_who(const struct pol_rule_src *a, const struct pol_rule_src *b,
		    const struct pol_party_src *x,
		    const struct pol_party_src *y, struct wbuf *w)
{
	enum pol_dirsel dir = a->dir == DIRSEL_ANY ? b->dir : a->dir;

	wbuf_put(w, span_str(dir == DIRSEL_IN ? "in" : "out"));
	if (x) {
		wbuf_put(w, span_str(", "));
		wbuf_put(w, span_str(x->id));
	}
	if (x != y) {
		wbuf_put(w, span_str(" or "));
		wbuf_put(w, span_str(y->id));
	}
	wbuf_put(w, span_str(", "));
}

/* What both rules would permit, in one line; false: nothing. */
static bool overlap(const struct checked *c, const struct pol_rule_src *a,
		    const struct pol_rule_src *b)
{
	struct rd *r = c->r;
	char text[150], meas[MEAS_TEXT];
	struct wbuf w = wbuf_of(text, sizeof(text) - 1);
	const struct pol_party_src *x, *y;
	struct diag *g;

	if (!rules_meet(r->f, c->meets, a, b, &x, &y))
		return false;
	put_who(a, b, x, y, &w);
	match_meet(a->match, a->n_match, b->match, b->n_match, &w);
	if (a->kind == RULE_GRANT && a->data.present) {
		meas_set both = a->data.meas & b->data.meas;

		wbuf_put(&w, span_str(", "));
		wbuf_put(&w,
			 span_str(meas_text(meas, sizeof(meas), both & -both)));
	}
	text[w.n] = 0;
	g = find(r, DIAG_ERROR, 4001, AT_RULE(b),
		 x == y ? "narrow one of them, or merge both"
			: "give the parties other addresses, ports or "
			  "ApTitles, or name both in one rule",
		 "'%s' and '%s' both match: %s", a->id, b->id, text);
	diag_second(g, a->pos.line, a->pos.col, "'%s' is here", a->id);
	return true;
}

/* --- rules that can never permit ----------------------------------------- */

static bool denial_covers(const struct pol_rule_src *deny,
			  const struct pol_rule_src *rule)
{
	if (!dir_covers(deny->dir, rule->dir) ||
	    !vm_covers(&deny->vm, &rule->vm) ||
	    !party_covers(&deny->party, &rule->party) ||
	    !match_covers(deny->match, deny->n_match, rule->match,
			  rule->n_match))
		return false;
	return !deny->data.present || (rule->data.present && rule->data.meas &&
				       !(rule->data.meas & ~deny->data.meas));
}

/* Why a rule can never permit anything, or NULL. */
static const char *never(const struct pol_file *f,
			 const struct pol_rule_src *rule,
			 const struct pol_rule_src **by)
{
	if (rule->data.has_delay && rule->data.has_history &&
	    rule->data.delay_ns > rule->data.history_ns)
		return "values must be both older than the delay and younger "
		       "than the history";
	for (size_t i = 0; i < rule->n_requires; i++) {
		for (size_t k = 0; k < rule->n_forbids; k++) {
			if (rule->requires_[i] == rule->forbids[k])
				return "it requires and forbids one state";
		}
	}
	for (size_t i = 0; i < f->n_rule; i++) {
		if (f->rule[i].kind == RULE_DENY &&
		    denial_covers(&f->rule[i], rule)) {
			*by = &f->rule[i];
			return "a denial of this file selects all of it";
		}
	}
	return NULL;
}

static void find_never(struct checked *c)
{
	const struct pol_file *f = c->r->f;

	c->never = pool_array(c->r->s.pool, f->n_rule + 1, sizeof(*c->never));
	for (size_t i = 0; i < f->n_rule; i++) {
		enum pol_rule_kind kind = f->rule[i].kind;

		if (kind == RULE_GRANT || kind == RULE_CEILING)
			c->never[i].why =
				never(f, &f->rule[i], &c->never[i].by);
	}
}

static void check_never(const struct checked *c,
			const struct pol_rule_src *rule)
{
	struct rd *r = c->r;
	const char *why = c->never[rule - r->f->rule].why;
	const struct pol_rule_src *by = c->never[rule - r->f->rule].by;
	struct diag *g;

	if (!why)
		return;
	g = find(r, DIAG_ERROR, 4002, AT_RULE(rule), "remove or change one",
		 "'%s' never permits anything: %s", rule->id, why);
	if (by)
		diag_second(g, by->pos.line, by->pos.col, "'%s' is here",
			    by->id);
}

static bool any_request(const struct pol_rule_src *rule)
{
	for (unsigned k = 0; k < OBS_COUNT; k++) {
		enum obs_level level = obs_level((enum obs_kind)k);

		if (match_has(rule->match, rule->n_match, (enum obs_kind)k) &&
		    (level == OBS_LEVEL_REQUEST || level == OBS_LEVEL_LEAF))
			return true;
	}
	return false;
}

/* Rules that answer each other, or what permits nothing, begin with no
 * request: only a rule that answers none does, and whoever answers one that
 * does. */
static void find_begins(struct checked *c)
{
	const struct pol_file *f = c->r->f;
	bool news = true;

	c->begins = pool_array(c->r->s.pool, f->n_rule + 1, sizeof(bool));
	while (news) {
		news = false;
		for (size_t i = 0; i < f->n_rule; i++) {
			const struct pol_rule_src *rule = &f->rule[i];
			bool is = !rule->has_answers;

			if (c->begins[i] || c->never[i].why)
				continue;
			for (size_t k = 0; k < rule->n_answers && !is; k++)
				is = c->begins[rule->answers[k]];
			c->begins[i] = is;
			news |= is;
		}
	}
}

/* Can the answered rule ever permit what this one answers? */
static void check_answer(const struct checked *c,
			 const struct pol_rule_src *rule,
			 const struct pol_rule_src *asked)
{
	struct rd *r = c->r;
	const char *why = NULL;

	if (c->never[asked - r->f->rule].why)
		why = "which never permits anything";
	else if (asked->dir != DIRSEL_ANY && asked->dir == rule->dir)
		why = "which goes in the same direction";
	else if (!party_meet(&asked->party, &rule->party))
		why = "which concerns other parties";
	else if (!any_request(asked))
		why = "which matches no request";
	else if (!c->begins[asked - r->f->rule])
		why = "which is itself an answer to what is never asked";
	if (why)
		find(r, DIAG_ERROR, 4007, AT_RULE(rule),
		     "answer the rule that permits the request",
		     "'%s' answers '%s', %s", rule->id, asked->id, why);
}

/* --- what a disclosing rule must say ------------------------------------- */

static meas_set series(meas_set m)
{
	meas_set s = 0;

	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) &&
		    meas_class((enum meas)i) == MEAS_CLASS_SERIES)
			s |= MEAS_BIT(i);
	}
	return s;
}

static void check_disclosure(struct rd *r, const struct pol_rule_src *rule)
{
	const struct pol_data_src *d = &rule->data;
	char buf[MEAS_TEXT];

	if (!d->present)
		return;
	if (d->has_gran && !series(d->meas))
		find(r, DIAG_WARNING, 4108, d->pos_gran, 1,
		     "limit the spacing "
		     "of readings instead",
		     "granularity means nothing for %s",
		     meas_text(buf, sizeof(buf), d->meas));
	if (rule->dir == DIRSEL_IN)
		return;
	if (!rule->purpose)
		find(r, DIAG_ERROR, 4101, AT_RULE(rule),
		     "add purpose: one sentence for the customer",
		     "'%s' sends measurements without a purpose", rule->id);
	if (rule->consent == CONSENT_UNSET)
		find(r, DIAG_ERROR, 4102, AT_RULE(rule),
		     "add consent: none, opt-out or opt-in",
		     "'%s' sends measurements without a word on consent",
		     rule->id);
	if (!series(d->meas))
		return;
	if (!d->has_gran)
		find(r, DIAG_ERROR, 4103, d->pos, 4,
		     "add granularity: 30 min or coarser",
		     "'%s' sends %s without a granularity", rule->id,
		     meas_text(buf, sizeof(buf), series(d->meas)));
	if (!d->has_history)
		find(r, DIAG_ERROR, 4104, d->pos, 4, "add history: 35 d",
		     "'%s' sends %s without a bound on its history", rule->id,
		     meas_text(buf, sizeof(buf), series(d->meas)));
}

static void check_grant(const struct checked *c,
			const struct pol_rule_src *rule)
{
	struct rd *r = c->r;
	const struct pol_file *f = r->f;
	char buf[MEAS_TEXT];

	check_never(c, rule);
	if (rule->kind == RULE_CEILING)
		return;
	if (rule->data.meas & MEAS_ABOUT)
		find(r, DIAG_ERROR, 4105, rule->data.pos, 4,
		     "rules without data cover them", "%s is no measurement",
		     meas_text(buf, sizeof(buf), rule->data.meas & MEAS_ABOUT));
	check_disclosure(r, rule);
	for (size_t i = 0; i < rule->n_answers; i++)
		check_answer(c, rule, &f->rule[rule->answers[i]]);
}

/* That a connection ends is told, not asked. */
static bool only_ends(const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->n_match; i++) {
		for (unsigned k = 0; k < OBS_COUNT; k++) {
			if (k != OBS_FLOW_CLOSE &&
			    match_has(&rule->match[i], 1, (enum obs_kind)k))
				return false;
		}
	}
	return rule->n_match > 0;
}

static void check_denial(struct rd *r, const struct pol_rule_src *rule,
			 size_t index)
{
	const struct pol_file *f = r->f;

	if (only_ends(rule)) {
		find(r, DIAG_WARNING, 4004, AT_RULE(rule),
		     "deny flow.open, or what comes by it",
		     "'%s' denies nothing: that a connection ends is asked of "
		     "nobody",
		     rule->id);
		return;
	}

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *other = &f->rule[i];
		struct diag *g;

		if (i == index || other->kind != RULE_DENY ||
		    !denial_covers(other, rule) ||
		    /* Two that are equal: one complaint. */
		    (i > index && denial_covers(rule, other)))
			continue;
		g = find(r, DIAG_WARNING, 4004, AT_RULE(rule), "remove it",
			 "'%s' denies nothing that '%s' does not", rule->id,
			 other->id);
		diag_second(g, other->pos.line, other->pos.col, "'%s' is here",
			    other->id);
		return;
	}
}

void check_rules(struct rd *r)
{
	const struct pol_file *f = r->f;
	struct checked c = {.r = r};
	bool unique = true;

	parties_meeting(r->f, c.meets);
	find_never(&c);
	find_begins(&c);
	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *rule = &f->rule[i];

		if (rule->kind == RULE_DENY)
			check_denial(r, rule, i);
		if (rule->kind != RULE_GRANT && rule->kind != RULE_CEILING)
			continue;
		check_grant(&c, rule);
		for (size_t k = 0; k < i; k++) {
			if (f->rule[k].kind == rule->kind &&
			    overlap(&c, &f->rule[k], rule))
				unique = false;
		}
	}
	r->f->unique = unique;
}

#define MAX_TEXT (64u << 10)

static size_t length(const char *t)
{
	return t ? strlen(t) + 1 : 0;
}

static void check_text(struct rd *r)
{
	const struct pol_file *f = r->f;
	size_t n = length(f->title) + length(f->contact);

	for (size_t i = 0; i < f->n_rule; i++)
		n += length(f->rule[i].purpose) + length(f->rule[i].message);
	for (size_t i = 0; i < f->n_party; i++)
		n += length(f->party[i].name) + length(f->party[i].operator_);
	if (n > MAX_TEXT)
		find(r, DIAG_ERROR, 3301, (struct pol_pos){1, 1}, 1, NULL,
		     "more than 64 KiB of text for people");
}

/* What an image holds of a file; told at the rule that is too many. */
#define MAX_LIMITS 256
#define MAX_COLUMNS 1024

static void too_many(struct rd *r, struct pol_pos pos, size_t *n, size_t more,
		     size_t most, const char *what)
{
	if (*n <= most && *n + more > most)
		find(r, DIAG_ERROR, 3301, pos, 1, "let rules share what they can",
		     "more than %zu %s in one file", most, what);
	*n += more;
}

static size_t selected(size_t n_match)
{
	return n_match ? n_match : 1;
}

static void check_sizes(struct rd *r)
{
	static const char columns[] = "observations in matches";
	static const char limits[] = "limits, those of rules included,";
	const struct pol_file *f = r->f;
	size_t n = f->n_floor, cols = 0;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *u = &f->rule[i];

		too_many(r, u->pos, &n, u->n_limit, MAX_LIMITS, limits);
		too_many(r, u->pos, &cols, selected(u->n_match), MAX_COLUMNS,
			 columns);
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		const struct pol_limit_src *l = &f->limit[i];

		too_many(r, l->pos, &n, 1, MAX_LIMITS, limits);
		too_many(r, l->pos, &cols, selected(l->n_match), MAX_COLUMNS,
			 columns);
	}
	for (size_t i = 0; i < f->n_state; i++) {
		const struct pol_state_src *s = &f->state[i];

		too_many(r, s->pos, &cols,
			 selected(s->set.n_match) +
				 (s->has_clear ? selected(s->clear.n_match)
					       : 0),
			 MAX_COLUMNS, columns);
	}
}

void check_file(struct rd *r)
{
	check_sizes(r);
	check_rules(r);
	check_states(r);
	check_text(r);
	check_cost(r);
	check_budgets(r);
	if (r->f->kind == POL_VENDOR)
		lint_file(r);
}
