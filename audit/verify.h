/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this audit database whole? Trusts nothing but the file: every record is
 * read and hashed again, and tree, tiles, chain, state, copies of protected
 * records, boots, clocks, salts and open counts are compared with what the file
 * says.
 *
 * Two things are checked apart, and both must hold: what the log says (the
 * content, through sqlite), and the octets of the file (page.h), so that a
 * change is found even where it says nothing.
 *
 * A file that nobody has open is mapped, not copied: who makes it shorter while
 * it is read gives the process a SIGBUS, as a medium does that fails between
 * the check of the pages and that of the content.
 *
 * What no file can prove about itself, that it was not replaced as a whole or
 * cut and made again, needs the log's key and a checkpoint held elsewhere
 * (points.h).
 */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "audit/points.h"

#define VERIFY_STARTS 64 /* that are listed */

struct verify_result {
	char origin[NOTE_NAME_MAX + 1]; /* what the log is called in itself */
	uint64_t records; /* read so far, or in all */
	uint64_t size;	  /* how many the log says that there are */
	uint64_t first;	  /* records before it were pruned, or, of a */
	bool part;	  /* part of an export, are not in it */
	uint64_t going;	  /* those before it are to be removed; 0: none are */
	uint64_t boots, pages, checkpoints;
	bool salts; /* they were compared; a part has not the keys to do so */
	/* An export of protected records alone: `records` counts these, and of
	 * the others, up to the checkpoint, nothing is known. */
	bool protected_only;
	uint64_t checkpoints_pruned; /* of these, over pruned records: only
				      * their signatures are checked */
	uint64_t checkpoint; /* size at the last of them; 0: none */
	bool anchored; /* a TPM was told of them; whether of more, it knows */
	/* A record, the last before so many, announces a checkpoint that is not
	 * there: its writer died before it was signed, or it was taken away,
	 * which the TPM knows. 0: none. */
	uint64_t announced;
	/* Those that the log names and that are not there: the first ones, and
	 * how many they are. Also beside another finding. */
	uint64_t missing[POINTS_MISSING], n_missing;
	/* Records that no checkpoint covered when the writer opened the log, at
	 * a start or later, and that were signed afterwards as they were found:
	 * from `first` up to, not with, `end`, which is the record that says so.
	 * The last ones of those that were read, and how many there are. */
	struct verify_start {
		uint32_t boot;
		uint64_t first, end;
	} starts[VERIFY_STARTS];
	uint64_t n_starts;
	/* Those held elsewhere that could not be compared (points.h). */
	struct points_thinned thinned[POINTS_HELD];
	size_t n_thinned;
	bool has_cosigned;
	uint64_t cosigned; /* size at the last one cosigned as asked for */
	uint8_t root[SHA256_LEN];
	bool has_bad; /* bad: the first record known to be wrong */
	uint64_t bad;
};

/* Of the starts that were read: how many are listed. */
static inline uint64_t verify_listed(const struct verify_result *r)
{
	return r->n_starts < VERIFY_STARTS ? r->n_starts : VERIFY_STARTS;
}

/* 0: whole. E_INTEGRITY: it is not; the text says what and where. E_STATE:
 * no audit database. Others: it could not be read. points: NULL asks for
 * nothing but that the stored ones fit. progress may be NULL. */
int verify_file(const char *path, const struct points_conf *points,
		struct verify_result *out,
		void (*progress)(void *arg, uint64_t done, uint64_t total),
		void *arg, struct err *e) __attribute__((warn_unused_result));

#endif
