/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles altered in a log that nobody has open, by somebody who knows its
 * format: for tests. */
#ifndef ENFORCER_DAEMON_DAMAGE_TESTBED_H
#define ENFORCER_DAEMON_DAMAGE_TESTBED_H

#include <string.h>

#include "audit/db.h"
#include "audit/schema.h"

static inline void damage_bundles(const char *path, const char *sql)
{
	static const char guard[] = "CREATE TRIGGER bundle_grows ";
	struct err e = {0};
	size_t i = 0;
	struct db *d;

	while (strncmp(store_schema[i], guard, sizeof(guard) - 1) != 0)
		i++;
	if (db_open(&d, path, DB_WRITE, &e) ||
	    db_exec(d, "DROP TRIGGER bundle_grows", &e) ||
	    db_exec(d, sql, &e) || db_exec(d, store_schema[i], &e) ||
	    db_close(d, &e))
		fail_msg("%s", e.text);
}

#endif
