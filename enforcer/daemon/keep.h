/* SPDX-License-Identifier: Apache-2.0 */
/* A small file of the state directory, replaced as a whole. */
#ifndef ENFORCER_DAEMON_KEEP_H
#define ENFORCER_DAEMON_KEEP_H

#include "core/err.h"
#include "core/span.h"

#define KEEP_PATH 512

/* E_LIMIT: dir is too long. */
int keep_path(char path[KEEP_PATH], const char *dir, const char *name,
	      struct err *e) __attribute__((warn_unused_result));
/* All of it is on the disk, readable by root alone, or what was there before
 * is. */
int keep_file(const char *dir, const char *name, struct span octets,
	      struct err *e) __attribute__((warn_unused_result));

#endif
