/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory that the parent maps before it forks, and takes away again,
 * or makes read-only, in each child that has no business writing it. Sealed:
 * what was made read-only cannot be made writable again by its process.
 */
#ifndef ENFORCER_DAEMON_AREA_H
#define ENFORCER_DAEMON_AREA_H

#include "core/err.h"
#include "core/span.h"

struct area {
	int fd;
	uint8_t *p;
	size_t n; /* octets, whole pages */
};

/* Zeroed memory without a name in the file system. */
int area_new(struct area *a, const char *name, size_t n, struct err *e)
	__attribute__((warn_unused_result));
/* A file that keeps what it holds: at least n octets; only root reads it.
 * made: there was none of that name. */
int area_file(struct area *a, const char *path, size_t n, bool *made,
	      struct err *e)
	__attribute__((warn_unused_result));
/* In a child: [0, n) of it, whole pages, for reading only. Not for files.
 * False: it could not be done, and the child must not run. */
bool area_readonly(const struct area *a, size_t n)
	__attribute__((warn_unused_result));
void area_drop(struct area *a); /* unmap and close; also when never made */

size_t area_round(size_t n); /* up to whole pages */

#endif
