/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which guests are frozen, kept on the disk: a freeze outlives the daemon. One
 * name a line; a guest that no policy names at present keeps its line.
 */
#ifndef ENFORCER_DAEMON_FROZEN_H
#define ENFORCER_DAEMON_FROZEN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

#define FROZEN_NAMES 64
#define FROZEN_NAME  48

struct frozen {
	char name[FROZEN_NAMES][FROZEN_NAME];
	size_t n;
};

/* No file: nobody is. One that cannot be read, or makes no sense, is an error:
 * somebody may be. */
int frozen_read(struct frozen *f, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
/* All of it is on the disk, or what was there before is. */
int frozen_write(const struct frozen *f, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
bool frozen_has(const struct frozen *f, const char *name);
/* False: there is no place for another. */
bool frozen_set(struct frozen *f, const char *name, bool on)
	__attribute__((warn_unused_result));

#endif
