/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/check.h"

#include <stdarg.h>
#include <stdio.h>

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

/* --- overlap ------------------------------------------------------------- */

/* The parties by which both rules know one remote end: the same one, or two
 * that are not told apart. x is NULL where the rules select by role. */
static bool who_meets(const struct pol_file *f, const struct pol_rule_src *a,
		      const struct pol_rule_src *b,
		      const struct pol_party_src **x,
		      const struct pol_party_src **y)
{
	*x = *y = NULL;
	for (size_t i = 0; i < a->party.n_party; i++) {
		struct pol_party_sel one = {.party = &a->party.party[i],
					    .n_party = 1};

		if (!party_meet(&one, &b->party))
			continue;
		*x = *y = &f->party[a->party.party[i]];
		return true;
	}
	for (size_t i = 0; i < a->party.n_party; i++) {
		for (size_t k = 0; k < b->party.n_party; k++) {
			*x = &f->party[a->party.party[i]];
			*y = &f->party[b->party.party[k]];
			if (parties_meet(*x, *y))
				return true;
		}
	}
	return a->party.n_party == 0 && party_meet(&a->party, &b->party);
}

static bool selections_meet(const struct pol_rule_src *a,
			    const struct pol_rule_src *b)
{
	if (!dir_meet(a->dir, b->dir) || !vm_meet(&a->vm, &b->vm))
		return false;
	/* Of a ceiling, messages without measurements pass too. */
	if (a->kind == RULE_CEILING)
		return true;
	if (a->data.present != b->data.present)
		return false;
	return !a->data.present || data_meet(&a->data, &b->data);
}

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

/* What both rules would permit, in one line. */
static void overlap(struct rd *r, const struct pol_rule_src *a,
		    const struct pol_rule_src *b)
{
	char text[150], meas[MEAS_TEXT];
	struct wbuf w = wbuf_of(text, sizeof(text) - 1);
	const struct pol_party_src *x, *y;
	struct diag *g;

	if (!selections_meet(a, b) || !who_meets(r->f, a, b, &x, &y) ||
	    !match_meet(a->match, a->n_match, b->match, b->n_match, NULL))
		return;
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
static const char *never(const struct rd *r, const struct pol_rule_src *rule,
			 const struct pol_rule_src **by)
{
	const struct pol_file *f = r->f;

	*by = NULL;
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

static void check_never(struct rd *r, const struct pol_rule_src *rule)
{
	const struct pol_rule_src *by;
	const char *why = never(r, rule, &by);
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

/* Does every way back from it end at itself, or at one that permits nothing?
 * Rules that answer each other begin with no request. */
static bool begins(const struct rd *r, const struct pol_rule_src *rule,
		   uint64_t *seen)
{
	const struct pol_rule_src *by;
	size_t at = (size_t)(rule - r->f->rule);

	if (seen[at / 64 % 4] >> at % 64 & 1)
		return false;
	seen[at / 64 % 4] |= UINT64_C(1) << at % 64;
	if (never(r, rule, &by))
		return false;
	for (size_t i = 0; i < rule->n_answers; i++) {
		if (begins(r, &r->f->rule[rule->answers[i]], seen))
			return true;
	}
	return !rule->has_answers;
}

/* Can the answered rule ever permit what this one answers? */
static void check_answer(struct rd *r, const struct pol_rule_src *rule,
			 const struct pol_rule_src *asked)
{
	const struct pol_rule_src *by;
	const char *why = NULL;
	uint64_t seen[4] = {0};

	if (never(r, asked, &by))
		why = "which never permits anything";
	else if (asked->dir != DIRSEL_ANY && asked->dir == rule->dir)
		why = "which goes in the same direction";
	else if (!party_meet(&asked->party, &rule->party))
		why = "which concerns other parties";
	else if (!any_request(asked))
		why = "which matches no request";
	else if (!begins(r, asked, seen))
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

static void check_grant(struct rd *r, const struct pol_rule_src *rule)
{
	const struct pol_file *f = r->f;
	char buf[MEAS_TEXT];

	check_never(r, rule);
	if (rule->kind == RULE_CEILING)
		return;
	if (rule->data.meas & MEAS_ABOUT)
		find(r, DIAG_ERROR, 4105, rule->data.pos, 4,
		     "rules without data cover them", "%s is no measurement",
		     meas_text(buf, sizeof(buf), rule->data.meas & MEAS_ABOUT));
	check_disclosure(r, rule);
	for (size_t i = 0; i < rule->n_answers; i++)
		check_answer(r, rule, &f->rule[rule->answers[i]]);
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

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *rule = &f->rule[i];

		if (rule->kind == RULE_DENY)
			check_denial(r, rule, i);
		if (rule->kind != RULE_GRANT && rule->kind != RULE_CEILING)
			continue;
		check_grant(r, rule);
		for (size_t k = 0; k < i; k++) {
			if (f->rule[k].kind == rule->kind)
				overlap(r, &f->rule[k], rule);
		}
	}
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
