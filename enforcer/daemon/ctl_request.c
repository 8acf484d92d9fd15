/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/ctl.h"

enum arg { ARG_NONE, ARG_MAY, ARG_MUST };

static const struct {
	const char *name;
	enum ctl_verb verb;
	enum arg guest;
} verbs[] = {
	{"status",   CTL_STATUS,       ARG_NONE},
	{"guests",   CTL_GUESTS,       ARG_NONE},
	{"flows",    CTL_FLOWS,	       ARG_MUST},
	{"budgets",  CTL_BUDGETS,      ARG_MUST},
	{"ledger",   CTL_LEDGER,       ARG_MUST},
	{"why",	     CTL_WHY,	       ARG_MAY },
	{"freeze",   CTL_FREEZE,       ARG_MUST},
	{"thaw",     CTL_THAW,	       ARG_MUST},
	{"erase",    CTL_ERASE,	       ARG_MUST},
	{"reload",   CTL_RELOAD,       ARG_NONE},
	{"policies", CTL_POLICIES,     ARG_NONE},
	{"metrics",  CTL_METRICS_TEXT, ARG_NONE},
};
_Static_assert(sizeof(verbs) / sizeof(verbs[0]) == CTL_VERBS,
	       "a verb without a row");

const char *ctl_verb_name(enum ctl_verb v)
{
	return (size_t)v < CTL_VERBS ? verbs[v].name : "?";
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
		return err_set(e, E_SYNTAX, verb.n, "%s: name a guest",
			       verbs[row].name);
	if (guest.n == 0 && verb.n != line.n)
		return err_set(e, E_SYNTAX, verb.n, "%s: a space at the end",
			       verbs[row].name);
	if (guest.n && verbs[row].guest == ARG_NONE)
		return err_set(e, E_SYNTAX, verb.n, "%s: takes no argument",
			       verbs[row].name);
	if (guest.n && !is_name(guest, sizeof(out->guest)))
		return err_set(e, E_SYNTAX, verb.n + 1,
			       "%s: not the name of a guest", verbs[row].name);
	memcpy(out->guest, guest.p ? guest.p : (const uint8_t *)"", guest.n);
	return 0;
}
