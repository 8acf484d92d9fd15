/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records somebody wants to see: for metergate-audit show, and for who
 * asks the courier. All that is set must hold.
 */
#ifndef AUDIT_FILTER_H
#define AUDIT_FILTER_H

#include "audit/record.h"

struct filter {
	char guest[65];		/* empty: of any */
	unsigned kind;		/* enum record_kind; 0: any */
	enum verdict verdict;	/* 0: any, also none */
	enum reason reason;	/* among all reasons; 0: any */
	uint64_t flow;		/* or the last of several alike; 0: any */
	bool has_since, has_until;
	struct wall since, until; /* [since, until) of the wall clock */
};

/* One condition by its name: guest, kind, verdict, reason, flow, since, until
 * (RFC 3339). E_NOTFOUND: there is no condition of that name; E_SYNTAX: the
 * value is none of it. The text of e names what would have been one. */
int filter_set(struct filter *f, const char *name, const char *value,
	       struct err *e) __attribute__((warn_unused_result));
bool filter_wants(const struct filter *f, const struct record_view *v);

#endif
