/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/ctl.h"

enum arg { ARG_NONE, ARG_MAY, ARG_MUST };

static const struct {
	const char *name;
	enum ctl_verb verb;
	enum arg guest;
	enum who { OPERATOR = 1, PANEL = 2, BOTH = 3 } who;
} verbs[] = {
	{"status",   CTL_STATUS,       ARG_NONE, OPERATOR},
	{"guests",   CTL_GUESTS,       ARG_NONE, OPERATOR},
	{"flows",    CTL_FLOWS,	       ARG_MUST, OPERATOR},
	{"budgets",  CTL_BUDGETS,      ARG_MUST, OPERATOR},
	{"ledger",   CTL_LEDGER,       ARG_MUST, OPERATOR},
	{"why",	     CTL_WHY,	       ARG_MAY , OPERATOR},
	{"notices",  CTL_NOTICES,      ARG_NONE, OPERATOR},
	{"freeze",   CTL_FREEZE,       ARG_MUST, OPERATOR},
	{"thaw",     CTL_THAW,	       ARG_MUST, OPERATOR},
	{"erase",    CTL_ERASE,	       ARG_MUST, OPERATOR},
	{"release",  CTL_RELEASE,      ARG_MUST, OPERATOR},
	{"reload",   CTL_RELOAD,       ARG_NONE, OPERATOR},
	{"policies", CTL_POLICIES,     ARG_NONE, OPERATOR},
	{"diff",     CTL_DIFF,	       ARG_NONE, OPERATOR},
	{"pending",  CTL_PENDING,      ARG_NONE, BOTH},
	{"confirm",  CTL_CONFIRM,      ARG_MUST, PANEL},
	{"propose",  CTL_PROPOSE,      ARG_MUST, OPERATOR},
	{"export",   CTL_EXPORT,       ARG_MUST, OPERATOR},
	{"metrics",  CTL_METRICS_TEXT, ARG_NONE, OPERATOR},
};
_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == CTL_VERBS,
	       "a verb without a row");

const char *ctl_verb_name(enum ctl_verb v)
{
	return (size_t)v < CTL_VERBS ? verbs[v].name : "?";
}

bool ctl_verb_may(enum ctl_verb v, bool panel)
{
	return verbs[v].who & (panel ? PANEL : OPERATOR);
}

/* The word at *at, and *at behind it and one space. */
static struct span word(struct span line, size_t *at)
{
	size_t n = 0;
	struct span rest = span_from(line, *at);

	while (n < rest.n && rest.p[n] != ' ')
		n++;
	*at += n < rest.n ? n + 1 : n;
	return span_sub(rest, 0, n);
}

static bool is_name(struct span s, size_t cap)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      (c >= '0' && c <= '9') ||
		      (c != 0 && strchr("-._@", c))))
			return false;
	}
	return s.n > 0 && s.n < cap;
}

static int body(struct ctl_request *out, struct span number, struct err *e)
{
	for (size_t i = 0; i < number.n && out->body <= CTL_BODY; i++) {
		if (number.p[i] < '0' || number.p[i] > '9' ||
		    (i > 0 && number.p[0] == '0'))
			return err_set(e, E_SYNTAX, 0,
				       "propose: name a number of octets");
		out->body = 10 * out->body + (number.p[i] - '0');
	}
	if (out->body == 0 || out->body > CTL_BODY)
		return err_set(e, E_LIMIT, 0, "propose: from 1 to %u octets",
			       CTL_BODY);
	return 0;
}

int ctl_request(struct ctl_request *out, struct span line, struct err *e)
{
	size_t at = 0, row = 0;
	struct span verb = word(line, &at), guest = span_from(line, at);

	memset(out, 0, sizeof(*out));
	if (line.n >= CTL_REQUEST)
		return err_set(e, E_LIMIT, CTL_REQUEST,
			       "a request has at most %d octets",
			       CTL_REQUEST - 1);
	while (row < CTL_VERBS && !span_is(verb, verbs[row].name))
		row++;
	if (row == CTL_VERBS)
		return err_set(e, E_SYNTAX, 0, "no such request");
	out->verb = verbs[row].verb;
	if (guest.n == 0 && verbs[row].guest == ARG_MUST)
		return err_set(e, E_SYNTAX, verb.n, "%s: name a %s",
			       verbs[row].name,
			       verbs[row].who == PANEL		? "code"
			       : verbs[row].verb == CTL_EXPORT	? "form"
			       : verbs[row].verb == CTL_PROPOSE ? "number of "
								  "octets"
								: "guest");
	if (guest.n == 0 && verb.n != line.n)
		return err_set(e, E_SYNTAX, verb.n, "%s: a space at the end",
			       verbs[row].name);
	if (guest.n && verbs[row].guest == ARG_NONE)
		return err_set(e, E_SYNTAX, verb.n, "%s: takes no argument",
			       verbs[row].name);
	if (guest.n && !is_name(guest, sizeof(out->guest)))
		return err_set(e, E_SYNTAX, verb.n + 1,
			       "%s: not the name of a guest", verbs[row].name);
	if (out->verb == CTL_PROPOSE)
		return body(out, guest, e);
	memcpy(out->guest, guest.p ? guest.p : (const uint8_t *)"", guest.n);
	return 0;
}
