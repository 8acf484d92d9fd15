/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new policy would let out that the old one did not (policy-language
 * section 19.4): per operator and measurement, every figure is an ordered
 * scale, and the verdict is the worst of them. Order, names of rules,
 * comments and purposes do not count.
 */
#ifndef POLICY_LANG_ANALYSIS_DIFF_H
#define POLICY_LANG_ANALYSIS_DIFF_H

#include "policy-lang/analysis/bound.h"

enum diff_change { /* better to worse */
	DIFF_SAME,
	DIFF_REMOVED,
	DIFF_NARROWER,
	DIFF_WIDER,
	DIFF_NEW,
};

enum diff_scale {
	DIFF_SPACING,	 /* ns between values */
	DIFF_FRESHEST,	 /* ns: the age of the newest */
	DIFF_HISTORY,	 /* ns: the age of the oldest */
	DIFF_RESOLUTION, /* thousandths of a unit */
	DIFF_DAY,	 /* readings, or commands, a calendar day */
	DIFF_YEAR,
	DIFF_CONSENT,  /* enum pol_consent */
	DIFF_IDENTITY, /* enum bound_identity */
	DIFF_KEEPS,    /* ns, declared */
	DIFF_CHANNELS,
	DIFF_COUNTRY,
	DIFF_APART,  /* of commands: ns */
	DIFF_LOWEST, /* of commands: thousandths of a unit */
	DIFF_HIGHEST,
	DIFF_SEALED, /* octets a calendar day that nobody can read */
	DIFF_SCALES
};

struct diff_row { /* one scale that differs */
	enum diff_scale scale;
	enum diff_change change; /* WIDER or NARROWER */
	/* INT64_MAX: without bound, or, of a step, none. */
	int64_t was, is;
	struct span was_text, is_text; /* of DIFF_COUNTRY */
};

enum diff_what { DIFF_FLOW, DIFF_POWER, DIFF_CHANNEL };
struct diff_item { /* one operator and measurement, power, or sealed channel */
	struct span machine, operator_; /* of either bound; borrowed */
	enum diff_what what;
	enum meas meas; /* of DIFF_FLOW */
	enum diff_change change;
	struct diff_row row[DIFF_SCALES];
	size_t n_row;
	/* The finest flow, or the power, that makes it so; NULL where there is
	 * none. Borrowed. */
	const struct bound_flow *was, *is;
	const struct bound_power *was_power, *is_power;
	/* Their recipients; NULL where there is none. */
	const struct bound_recipient *was_r, *is_r;
};

struct diff_recipient { /* of either bound, or of both */
	const struct bound_recipient *was, *is; /* NULL where there is none */
	size_t first, n;			/* its items */
};

struct diff {
	struct diff_item *item; /* by machine and operator, then measurement */
	size_t n;
	/* All there are: octets and grade may change where no item does. */
	struct diff_recipient *r;
	size_t n_r;
	enum diff_change change; /* the worst of all; NEW counts as WIDER */
};

/* Both must outlive it. E_NOMEM. */
int diff_new(struct diff **out, const struct bound *was,
	     const struct bound *is, struct err *e)
	__attribute__((warn_unused_result));
void diff_free(struct diff *d);

const char *diff_change_name(enum diff_change c); /* "WIDER" */
/* One figure for people: "30 min", "opt-in", "any". Returns buf. */
char *diff_figure(char *buf, size_t cap, const struct diff_row *r, bool is,
		  const struct diff_item *i);
/* "values every", "newest value", "readings a year". */
const char *diff_scale_name(enum diff_scale s);

#endif
