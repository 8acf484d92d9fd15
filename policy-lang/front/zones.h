/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of time zones, as the tz database of this computer has them. The C
 * library takes one that it does not know for UTC, silently, and every window
 * and every hour would be wrong.
 */
#ifndef POLICY_LANG_FRONT_ZONES_H
#define POLICY_LANG_FRONT_ZONES_H

#include "core/span.h"

enum zones_found {
	ZONES_FOUND,
	ZONES_UNKNOWN,	/* not a name in the database */
	ZONES_NONE_HERE /* there is no database to look into */
};

/* UTC is always found. Of TZDIR, else of the system. */
enum zones_found zones_find(struct span name);

#endif
