/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/label.h"

static const struct {
	const char *key, *text;
	char grade;
} statements[] = {
#define X(id, key, grade, text) {key, text, grade},
#include "policy-lang/analysis/statements.def"
#undef X
};

static const struct {
	const char *key, *name;
	int64_t minutes;
} appliances[] = {
#define X(id, key, name, minutes) {key, name, minutes},
#include "policy-lang/analysis/appliances.def"
#undef X
};

const char *statement_key(enum statement s)
{
	return statements[s].key;
}

const char *statement_text(enum statement s)
{
	return statements[s].text;
}

const char *appliance_key(enum appliance a)
{
	return appliances[a].key;
}

const char *appliance_name(enum appliance a)
{
	return appliances[a].name;
}

/* Eibl and Engel 2015: clear up to half of the time it is on. */
enum appliance_shows appliance_shows(enum appliance a, int64_t spacing_ns)
{
	int64_t on = appliances[a].minutes * 60 * NS_PER_S;

	return spacing_ns <= on / 2 ? SHOWS_CLEAR
	       : spacing_ns <= on   ? SHOWS_BLURRED
				    : SHOWS_HIDDEN;
}

const char *grade_word(char grade)
{
	switch (grade) {
	case 'A':
		return "Bill only";
	case 'B':
		return "Daily";
	case 'C':
		return "Hourly";
	case 'D':
		return "Every quarter or half hour";
	case 'E':
		return "Every few minutes";
	case 'F':
		return "Live detail";
	case 'H':
		return "Stays in your home";
	case 'X':
		return "Cannot be checked";
	default:
		return "Nothing about your use";
	}
}

/* The spacing at which what a flow tells shows appliances; INT64_MAX: not.
 * What is no series of use shows them as its grade says: each grade includes
 * those above it. */
static int64_t shows_at(const struct bound_flow *f)
{
	int64_t finest = bound_grade_from(f->with_grade);

	if (f->meas == MEAS_APPLIANCE_STATE)
		return 0; /* that is what it tells */
	if (bound_use(f->meas))
		return f->spacing_ns;
	if (f->with_grade < 'D' || f->with_grade > 'F')
		return INT64_MAX;
	return f->with_grade == 'F' || finest > f->with_ns ? finest
							    : f->with_ns;
}

static bool gets(const struct bound_recipient *r, enum meas meas)
{
	for (size_t i = 0; i < r->n_flow; i++) {
		if (r->flow[i].meas == meas)
			return true;
	}
	return false;
}

static void say(struct label *l, enum statement s, bool is)
{
	l->statements |= is ? UINT32_C(1) << s : 0;
}

void label_of(struct label *l, const struct bound_recipient *r)
{
	int64_t finest = r->spacing_ns;

	*l = (struct label){0};
	if (!r->outside)
		return;
	for (unsigned s = 0; s < ST_COUNT; s++)
		say(l, (enum statement)s,
		    statements[s].grade != '-' && r->grade != '-' &&
			    statements[s].grade <= r->grade);
	say(l, ST_LIVE, r->live);
	say(l, ST_LATE, r->late);
	say(l, ST_OVERRIDE, gets(r, MEAS_CONTROL_RESPONSE));
	say(l, ST_NAME, gets(r, MEAS_IDENTITY_CUSTOMER));
	for (size_t i = 0; i < r->n_flow; i++) {
		int64_t ns = shows_at(&r->flow[i]);

		finest = ns < finest ? ns : finest;
	}
	for (unsigned a = 0; a < APPLIANCE_COUNT; a++) {
		enum appliance_shows shows =
			appliance_shows((enum appliance)a, finest);

		l->clear |= (uint32_t)(shows == SHOWS_CLEAR) << a;
		l->blurred |= (uint32_t)(shows == SHOWS_BLURRED) << a;
	}
}
