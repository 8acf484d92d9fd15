/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of memory that outlives a loss of power: what changed in it is
 * appended to a file and synced before anybody is told.
 *
 * Two files, used in turn. Each begins with a head and the whole block; then
 * follow changes, each in one piece with a checksum that goes on from the one
 * before, so that a torn one, and anything an older file left behind it, is
 * none. When a file is long, the other one is begun with a higher epoch; it
 * counts once its first piece is whole.
 *
 *   head    magic u64 | epoch u64 | octets of the block u64
 *   change  magic u32 | words u32 | generation u64 | crc32c u32 | 0 u32,
 *           then for each word: index u32 | value u64
 *
 * In the machine's own order: the files never leave it. Where a first change
 * is cut or of a larger block, its file is none.
 *
 * The generation says how often the block was tied to something outside the
 * files (scribe_ledger.c); it is in every change.
 */
#ifndef ENFORCER_DAEMON_JOURNAL_H
#define ENFORCER_DAEMON_JOURNAL_H

#include "core/err.h"
#include "core/span.h"

#define JOURNAL_FILES 2
#define JOURNAL_TURN  (UINT64_C(1) << 20) /* octets of changes in one file */

/* The files, by number. A write may be cut anywhere by a loss of power, and
 * of what was not synced any part may be there. Negative: it failed. */
struct journal_io {
	void *arg;
	/* Octets read; fewer only at the end. */
	int64_t (*read)(void *arg, int file, void *to, size_t n, uint64_t at);
	int (*write)(void *arg, int file, struct span octets, uint64_t at);
	int (*sync)(void *arg, int file);
	int (*cut)(void *arg, int file); /* to nothing */
};
/* Two descriptors of files. */
struct journal_io journal_files(int fd[JOURNAL_FILES]);

struct journal;

/* block (8-aligned, n octets, a multiple of 8) becomes what was written last;
 * zeros when there is nothing (*fresh). E_INTEGRITY: there were files, and
 * none is whole; then it can be written all the same. */
int journal_open(struct journal **out, const struct journal_io *io,
		 void *block, size_t n, bool *fresh, struct err *e)
	__attribute__((warn_unused_result));
uint64_t journal_generation(const struct journal *j);
/* Bring parts of the block (whole words of it) to the disk, as far as they
 * changed. 0: they are there. After a failure the next call begins the other
 * file. */
int journal_write(struct journal *j, const struct span *part, size_t n_parts,
		  uint64_t generation, struct err *e)
	__attribute__((warn_unused_result));
/* Both files anew, so that nothing of before is in either. */
int journal_anew(struct journal *j, const struct span *part, size_t n_parts,
		 struct err *e) __attribute__((warn_unused_result));
/* Of the block that they hold; 0: of none. */
size_t journal_octets(const struct journal_io *io);
void journal_free(struct journal *j);

#endif
