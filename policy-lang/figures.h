/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of bounds in JSON: null is without bound. */
#ifndef POLICY_LANG_FIGURES_H
#define POLICY_LANG_FIGURES_H

#include "core/json.h"
#include "policy-lang/analysis/bound.h"

static inline void put_count(struct json *j, const char *key, uint64_t n)
{
	if (n == MOST_UNLIMITED)
		json_null(j, key);
	else
		json_u64(j, key, n);
}

static inline void put_seconds(struct json *j, const char *key, int64_t ns)
{
	if (ns == BOUND_NONE || ns == INT64_MAX)
		json_null(j, key);
	else
		json_u64(j, key, (uint64_t)(ns / NS_PER_S));
}

/* How many a message may have. Values are of all of them together, or, where
 * there is no bound, of each. */
static inline void put_quantities(struct json *j, const struct bound_flow *f)
{
	put_count(j, "quantities", f->channels ? f->channels : MOST_UNLIMITED);
	json_bool(j, "values-of-each-quantity", f->channels == 0);
}

/* The day on which a trial ends, where there is one. */
static inline void put_until(struct json *j, int64_t s)
{
	char day[24];

	if (s)
		json_str(j, "monitored-until", bound_date(day, sizeof(day), s));
}

#endif
