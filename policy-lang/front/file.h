/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that somebody named, read whole. Only a regular one: a pipe, a device
 * or a socket could keep its reader waiting for ever or never end.
 */
#ifndef POLICY_LANG_FRONT_FILE_H
#define POLICY_LANG_FRONT_FILE_H

#include "core/err.h"
#include "core/span.h"

/* *out: a heap block the caller frees, with *n octets and one spare behind
 * them; NULL after a failure. E_IO: it cannot be read, or is no regular file;
 * E_LIMIT: it has more than most octets. */
int file_read(uint8_t **out, size_t *n, const char *path, size_t most,
	      struct err *e) __attribute__((warn_unused_result));

#endif
