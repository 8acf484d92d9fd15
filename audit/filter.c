/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/filter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_guest(struct filter *f, const char *value, struct err *e)
{
	size_t n = strlen(value);

	if (n == 0 || n >= sizeof(f->guest))
		return err_set(e, E_SYNTAX, 0,
			       "guest: a name of 1 to %zu octets",
			       sizeof(f->guest) - 1);
	memcpy(f->guest, value, n + 1);
	return 0;
}

static int set_kind(struct filter *f, const char *value, struct err *e)
{
	for (unsigned k = 1; k < 256; k++) {
		const char *name = record_kind_name(k);

		if (strcmp(name, "unknown") == 0 || strcmp(name, value) != 0)
			continue;
		f->kind = k;
		return 0;
	}
#define X(id, number, type, name, written, meaning) " " name
	return err_set(e, E_SYNTAX, 0, "kind: '%.40s' is none of" RECORD_KINDS(X),
		       value);
#undef X
}

static int set_verdict(struct filter *f, const char *value, struct err *e)
{
	if (strcmp(value, "allow") == 0)
		f->verdict = VERDICT_ALLOW;
	else if (strcmp(value, "deny") == 0)
		f->verdict = VERDICT_DENY;
	else
		return err_set(e, E_SYNTAX, 0,
			       "verdict: '%.60s' is neither allow nor deny",
			       value);
	return 0;
}

static int set_reason(struct filter *f, const char *value, struct err *e)
{
	f->reason = reason_find(span_str(value));
	return f->reason ? 0
			 : err_set(e, E_SYNTAX, 0, "reason: '%.60s' is not on "
				   "the list (docs/vocabulary.md)", value);
}

static int set_flow(struct filter *f, const char *value, struct err *e)
{
	char *end;

	errno = 0;
	f->flow = strtoull(value, &end, 10);
	if (value[0] >= '1' && value[0] <= '9' && *end == 0 && errno == 0)
		return 0;
	return err_set(e, E_SYNTAX, 0, "flow: '%.60s' is no flow_id, a number "
		       "above 0", value);
}

static int set_time(struct wall *w, const char *name, const char *value,
		    struct err *e)
{
	if (clock_parse(value, w) == 0)
		return 0;
	return err_set(e, E_SYNTAX, 0, "%s: '%.60s' is no time as "
		       "2026-11-25T15:00:00Z", name, value);
}

static int set_since(struct filter *f, const char *value, struct err *e)
{
	f->has_since = true;
	return set_time(&f->since, "since", value, e);
}

static int set_until(struct filter *f, const char *value, struct err *e)
{
	f->has_until = true;
	return set_time(&f->until, "until", value, e);
}

int filter_set(struct filter *f, const char *name, const char *value,
	       struct err *e)
{
	static const struct {
		const char *name;
		int (*set)(struct filter *f, const char *value, struct err *e);
	} conditions[] = {
		{"guest", set_guest},	{"kind", set_kind},
		{"verdict", set_verdict}, {"reason", set_reason},
		{"flow", set_flow},	{"since", set_since},
		{"until", set_until},
	};

	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions); i++) {
		if (strcmp(name, conditions[i].name) == 0)
			return conditions[i].set(f, value, e);
	}
	return err_set(e, E_NOTFOUND, 0, "'%.60s' is no condition; there are "
		       "guest, kind, verdict, reason, flow, since, until",
		       name);
}

bool filter_wants(const struct filter *f, const struct record_view *v)
{
	const struct event *ev = &v->ev;
	int64_t us = ev->now.wall.us;

	if (f->guest[0] && !span_is(ev->guest, f->guest))
		return false;
	if (f->kind && v->r.kind != f->kind)
		return false;
	if (f->verdict && ev->verdict != f->verdict)
		return false;
	if (f->reason && ev->reason != f->reason &&
	    !reasons_has(&ev->reasons, f->reason))
		return false;
	if (f->flow && ev->flow_id != f->flow && ev->last_flow != f->flow)
		return false;
	return !(f->has_since && us < f->since.us) &&
	       !(f->has_until && us >= f->until.us);
}
