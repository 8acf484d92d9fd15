/* SPDX-License-Identifier: Apache-2.0 */
/* Files of an exported log; who writes and who verifies one share them. */
#ifndef AUDIT_LAYOUT_FILE_H
#define AUDIT_LAYOUT_FILE_H

#include "audit/layout.h"
#include "audit/tree.h"

#define LAYOUT_BOOTS (1 << 20) /* octets of the file of boots */
#define LAYOUT_BEGIN 96	       /* octets, of `minimum` and `part`, at most */

/* A whole file, its directories made where they are missing. */
int layout_put(const char *name, struct span s, struct err *e)
	__attribute__((warn_unused_result));
/* A whole file into w. E_NOTFOUND: it is not there; E_LIMIT: it is larger
 * than the room. */
int layout_get(const char *name, struct wbuf *w, struct err *e)
	__attribute__((warn_unused_result));
/* The files of dir/sub, which are <number><tail>: the numbers, ascending, the
 * caller's to free. None when there is no such directory. E_INTEGRITY: a file
 * of another name. */
int layout_list(uint64_t **out, size_t *n, const char *dir, const char *sub,
		const char *tail, struct err *e)
	__attribute__((warn_unused_result));
/* Is there nothing below dir/tile that a tree of size records has not, pruned or
 * not? E_INTEGRITY: there is, as *e says. */
int layout_no_more(const char *dir, uint64_t size, struct err *e)
	__attribute__((warn_unused_result));
/* Is there nothing in dir but what an export has, of its kind: all of a log, or,
 * alone, its protected records? What lies in certificate/ is not read, but it
 * is files. E_INTEGRITY: there is, as *e says. */
int layout_only(const char *dir, bool alone, struct err *e)
	__attribute__((warn_unused_result));
/* The next line of the file of boots; false: it is none. All lines have a key,
 * or none has: who reads compares. */
struct layout_boot {
	uint32_t number;
	uint64_t first;
	bool has_key;
	uint8_t key[32];
};
bool layout_boot(struct cur *lines, struct layout_boot *out);
/* 64 digits, as sha256sum writes them. */
bool layout_hex(struct span s, uint8_t out[32]);
/* dir/name */
int layout_name(char out[LAYOUT_PATH], const char *dir, const char *name,
		struct err *e) __attribute__((warn_unused_result));

#endif
