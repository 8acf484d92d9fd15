/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text (oBIX 1.1 4.3): numbers, instants, durations. */
#ifndef DISSECTORS_OBIX_VALUE_H
#define DISSECTORS_OBIX_VALUE_H

#include "core/obs.h"

/* A decimal number, exactly: m * 10^e. */
struct decimal {
	int64_t m; /* without trailing zeros */
	int e;
	bool exact; /* false: more digits than fit; m and e say how large */
};

/* XML Schema long or double. INF, NaN and what is no number: false. */
bool value_decimal(struct span text, struct decimal *d);
/* How many: digits alone, none of them a nought in front. */
bool value_count(struct span text, uint32_t *n);

/* In thousandths of the base unit, rounded down and up; false: too large. */
struct milli {
	int64_t lo, hi;
	bool exact; /* lo == hi, and that is the value */
};
bool value_milli(const struct decimal *d, int64_t num, int64_t den,
		 struct milli *out);

/* abstime to milliseconds since 1970 UTC. No offset means UTC. unbounded: the
 * year is 0000 or 9999. false: no instant. */
bool value_abstime(struct span text, int64_t *ms, bool *unbounded);
bool value_date(struct span text);
bool value_time(struct span text);

/* reltime to milliseconds. Years and months have no length: false. */
bool value_reltime(struct span text, int64_t *ms);

bool value_bool(struct span text, bool *b); /* true and false only */

/* The first run of digits with its sign, point and exponent, from *at on;
 * n = 0: none. */
struct span value_number_in(struct span text, size_t *at);

uint64_t gcd64(uint64_t a, uint64_t b);

#endif
