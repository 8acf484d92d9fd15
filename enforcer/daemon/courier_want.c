/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "enforcer/daemon/courier.h"

#define NUMBER_MAX (UINT64_C(1) << 62) /* leaves of the tree, at most */

int courier_number(const char *name, const char *value, uint64_t least,
		   uint64_t *out, struct err *e)
{
	unsigned long long v;
	size_t n = strlen(value);
	char *end;

	if (n == 0 || strspn(value, "0123456789") != n)
		return err_set(e, E_SYNTAX, 0, "%s: '%.40s' is not a number",
			       name, value);
	errno = 0;
	v = strtoull(value, &end, 10);
	if (errno || v >= NUMBER_MAX || v < least)
		return err_set(e, E_SYNTAX, 0, "%s: '%.40s' is not from %llu "
			       "to 2^62", name, value,
			       (unsigned long long)least);
	*out = v;
	return 0;
}

static int set_follow(struct want *w, const char *value, struct err *e)
{
	if (strcmp(value, "1") != 0 && strcmp(value, "0") != 0)
		return err_set(e, E_SYNTAX, 0,
			       "follow: '%.40s' is neither 0 nor 1", value);
	w->follow = value[0] == '1';
	return 0;
}

static int set_origin(struct want *w, const char *value, struct err *e)
{
	if (!note_name_ok(span_str(value)) ||
	    strlen(value) > NOTE_NAME_MAX)
		return err_set(e, E_SYNTAX, 0, "origin: '%.40s' cannot name a "
			       "log", value);
	snprintf(w->origin, sizeof(w->origin), "%s", value);
	return 0;
}

int want_set(struct want *w, const char *name, const char *value,
	     struct err *e)
{
	struct err why = {0};
	int rc;

	/* "?guest" without a value */
	value = value ? value : "";
	if (strcmp(name, "from") == 0)
		return courier_number(name, value, 0, &w->from, e);
	if (strcmp(name, "last") == 0)
		return courier_number(name, value, 1, &w->last, e);
	if (strcmp(name, "limit") == 0)
		return courier_number(name, value, 1, &w->limit, e);
	if (strcmp(name, "follow") == 0)
		return set_follow(w, value, e);
	if (strcmp(name, "origin") == 0)
		return set_origin(w, value, e);
	rc = filter_set(&w->filter, name, value, &why);
	if (rc == E_NOTFOUND)
		return err_set(e, rc, 0, "'%.40s' is no argument; there are "
			       "from, last, limit, follow, origin, guest, "
			       "kind, verdict, reason, since, until", name);
	return rc ? err_set(e, rc, 0, "%s", why.text) : 0;
}

/* Of one media range with its parameters: may it be sent? */
static bool wanted(const char *q, const char *end)
{
	while (q < end) {
		double weight;
		char *stop;

		q++; /* of ';' */
		q += strspn(q, " \t");
		if (end - q >= 2 && (*q == 'q' || *q == 'Q') && q[1] == '=') {
			weight = strtod(q + 2, &stop);
			return stop > q + 2 && weight > 0;
		}
		q += strcspn(q, ";,");
	}
	return true;
}

bool want_events(const char *accept)
{
	static const char type[] = "text/event-stream";

	while (accept && *accept) {
		const char *end = accept + strcspn(accept, ",");
		const char *name = accept + strspn(accept, " \t");
		size_t n = strcspn(name, ";, \t");

		if (n == sizeof(type) - 1 && strncasecmp(name, type, n) == 0)
			return wanted(name + n + strspn(name + n, " \t"), end);
		accept = *end ? end + 1 : end;
	}
	return false;
}

int want_last_event(struct want *w, const char *id, struct err *e)
{
	static const char name[] = "Last-Event-ID", in[] = EVENT_RECOVERY;
	uint64_t seen, recovery = 0;
	const char *number = strchr(id, '/');
	int rc = 0;

	/* "recovery-N/" in front of those of a log of recovery */
	if (number && strncmp(id, in, sizeof(in) - 1) == 0) {
		char digits[32];

		snprintf(digits, sizeof(digits), "%.*s",
			 (int)(number - id - (ptrdiff_t)sizeof(in) + 1),
			 id + sizeof(in) - 1);
		rc = courier_number(name, digits, 1, &recovery, e);
		id = number + 1;
	}
	if (rc == 0)
		rc = courier_number(name, id, 0, &seen, e);
	if (rc)
		return rc;
	w->resumes = true;
	w->recovery = recovery < UINT32_MAX ? (uint32_t)recovery : UINT32_MAX;
	w->from = seen + 1;
	w->last = 0;
	return 0;
}
