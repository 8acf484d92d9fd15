/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals on the pages of the database file.
 *
 * The tree and the chain cover what the log says, but not the octets of the
 * file that say nothing: unused space in pages, free pages, counters in
 * headers. So each page ends in eight octets that sqlite leaves to us (the
 * reserved space of its file format): two 32-bit sums over the page's other
 * octets and its number. Every change that lies within one aligned group of
 * four octets is found for certain, any other with odds of 2^64 to one. A
 * seal is no secret: who writes the file on purpose can make it. Against
 * those stand the tree and what others hold of it.
 *
 * sqlite may leave a page it never wrote as a hole; all zeros pass.
 */
#ifndef AUDIT_PAGE_H
#define AUDIT_PAGE_H

#include "core/err.h"
#include "core/span.h"

#define PAGE_SIZE_OCTETS 4096
#define PAGE_SEAL	 8

/* Write the seal of page no (1-based) into its last octets. */
void page_seal(uint8_t page[PAGE_SIZE_OCTETS], uint64_t no);
bool page_ok(const uint8_t page[PAGE_SIZE_OCTETS], uint64_t no);

/* Every page of the file; *pages: how many. E_INTEGRITY: one was altered, or
 * the file is not as long as it says; E_STATE: it is nothing like an audit
 * database; E_IO. */
int page_check_file(const char *path, uint64_t *pages, struct err *e)
	__attribute__((warn_unused_result));

#endif
