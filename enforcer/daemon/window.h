/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's window on the audit. The courier opens no file: it asks for a
 * bundle, a tile or a proof, one at a time, and the scribe lays it into shared
 * memory. So nobody
 * but the scribe holds a lock of the database, or can keep its journal from
 * being taken into it, and what readers cost the scribe is bounded however
 * many there are and whatever they do: at most WINDOW_PER_S answers a second.
 *
 * The first part is written by the scribe only, the second by the courier
 * only. Either may die at any moment; what was asked and not answered is
 * answered by a successor.
 */
#ifndef ENFORCER_DAEMON_WINDOW_H
#define ENFORCER_DAEMON_WINDOW_H

#include <stdatomic.h>

#include "audit/note.h"
#include "audit/store.h"
#include "core/clock.h"

#define WINDOW_PER_S 400

enum window_kind {
	/* Records from a on, a multiple of STORE_BUNDLE, as store_next reads
	 * them: as many as there are. */
	WINDOW_BUNDLE = 1,
	WINDOW_TILE,	    /* hashes of tile b of level a: as many as there are */
	WINDOW_CHECKPOINT,  /* of a records, or the last (0): the note */
	WINDOW_INCLUSION,   /* of record a under checkpoint b or the last (0), */
	WINDOW_CONSISTENCY, /* with the log of a records: as prooftext.h says */
	WINDOW_COSIGN,	    /* a cosignature, in post, of checkpoint a */
};
/* A line of a note: a signature of ML-DSA-44 has some 3,300 octets. */
#define WINDOW_POST 4096
struct window_key {
	uint32_t kind;
	uint64_t a, b;
};

/* A log that was opened. Another one has another number; none is 0. */
struct window_log {
	uint32_t number;
	uint32_t recovery; /* N: a log of recovery N; as audit_recovery */
	char origin[NOTE_NAME_MAX + 1];
};

struct window {
	_Atomic uint32_t log; /* its number; odd while it is changed */
	uint32_t recovery;
	char origin[NOTE_NAME_MAX + 1];
	_Atomic uint64_t size; /* records that are durable */
	_Atomic uint64_t first; /* of them that was not pruned */
	_Atomic uint32_t answered;
	/* Of the answer: 0 or a negative errcode. Of E_INTEGRITY and E_IO the
	 * data is a text that says why. */
	int32_t rc;
	uint32_t n; /* its records or hashes; else 1 */
	uint32_t octets;
	uint32_t of; /* the number of its log */
	struct window_key key;
	uint8_t data[STORE_BUNDLE_MAX];
	/* The courier may write from here on only. */
	_Alignas(4096) _Atomic uint32_t asked;
	_Atomic uint32_t follows; /* somebody waits for what comes next */
	struct window_key want;
	uint32_t n_post;
	uint8_t post[WINDOW_POST];
};

/* Which log it is now. False: none yet, or it is being changed. */
bool window_log(const struct window *w, struct window_log *out);

/* --- the scribe's side --- */

struct window_files; /* the database, open for reading */
struct window_side {
	struct window *w;
	const char *path; /* of the database; by window_open. NULL: closed */
	struct window_files *files; /* NULL: opened when they are needed */
	struct mono last;	    /* answer */
	int wake_fd;		    /* eventfd that the courier waits on */
	/* A cosignature of the checkpoint of so many records; as
	 * audit_cosign. NULL: nobody cosigns. */
	int (*cosign)(void *arg, uint64_t size, struct span line);
	/* Something of the log cannot be read, or is not what it was. NULL:
	 * nobody wants to know. */
	void (*damaged)(void *arg, const char *what);
	void *arg; /* of both */
};

/* A log was opened: the file at path, borrowed until the next one, of so many
 * records. Before, and once it is closed, the answer is E_STATE. If it is of another origin or recovery
 * than the one before, or shorter, it is another log: who reads is told so. */
void window_open(struct window_side *s, const char *path, const char *origin,
		 uint32_t recovery, uint64_t first, uint64_t size);
/* size records are durable now, those before `first` pruned: readers who
 * follow are told. */
void window_commit(struct window_side *s, uint64_t first, uint64_t size);
/* Answer what is asked, if its time has come. */
void window_turn(struct window_side *s, struct mono now);
/* ns until window_turn has something to do; negative: nothing is asked. */
int64_t window_due(const struct window_side *s, struct mono now);
/* Nothing of the database is held open from here on. */
void window_forget(struct window_side *s);
/* Nor is anything of it answered, until one is opened. */
void window_close(struct window_side *s);

#endif
