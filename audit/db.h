/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder's only caller of sqlite: a database, prepared statements, and
 * columns read by their exact type (sqlite converts silently; we do not).
 *
 * Functions return 0 or a negative errcode: E_INTEGRITY when sqlite says the
 * file is damaged or no database, E_STATE when a trigger or constraint
 * refused, E_IO for the rest; the text names what sqlite said.
 */
#ifndef AUDIT_DB_H
#define AUDIT_DB_H

#include "core/err.h"
#include "core/span.h"

struct db;
struct db_stmt;

enum db_mode {
	DB_WRITE,  /* create or continue; pages are sealed as they are written
		    * and checked as they are read (page.h) */
	DB_READ,   /* the file as it is, its WAL included; leaves nothing
		    * beside a file that nobody has open */
	DB_FOLLOW, /* the same, but what a writer adds later is seen; sqlite
		    * keeps shared memory beside the file meanwhile */
	DB_MEMORY, /* empty, in memory */
};

int db_open(struct db **out, const char *path, enum db_mode mode,
	    struct err *e) __attribute__((warn_unused_result));
/* Bring the WAL into the file (DB_WRITE) and free; frees always. */
int db_close(struct db *d, struct err *e)
	__attribute__((warn_unused_result));

/* A file that nobody had open when DB_READ opened it was opened for writing
 * since: what was read may be of two times. */
bool db_disturbed(const struct db *d);

/* From now on read it where the kernel has it, if it is a file that nobody had
 * open: without copies. If it is made shorter meanwhile, or the medium fails,
 * the process gets a SIGBUS. */
int db_map(struct db *d, struct err *e) __attribute__((warn_unused_result));

/* Somebody else may write it while it is open. */
bool db_shared(const struct db *d);

/* Of files that are no database at the moment, where databases lie. 1: it is
 * there, of so many octets; 0: it is not. */
int db_file(const char *path, uint64_t *octets, struct err *e)
	__attribute__((warn_unused_result));
/* Durable when it returns 0; so it is when there was none. */
int db_remove(const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* A file that was made, and is durable, has its name durably, too. */
int db_named(const char *path, struct err *e)
	__attribute__((warn_unused_result));

/* One or more statements of ours that give no rows we want. */
int db_exec(struct db *d, const char *sql, struct err *e)
	__attribute__((warn_unused_result));
/* The first column of the first row, as a number. */
int db_number(struct db *d, const char *sql, uint64_t *out, struct err *e)
	__attribute__((warn_unused_result));

int db_prepare(struct db_stmt **out, struct db *d, const char *sql,
	       struct err *e) __attribute__((warn_unused_result));
void db_finish(struct db_stmt *s); /* NULL is fine */
/* Parameters count from 1; octets must live until db_reset. */
void db_put_u64(struct db_stmt *s, int i, uint64_t v); /* < 2^63 */
void db_put_span(struct db_stmt *s, int i, struct span v);
void db_put_text(struct db_stmt *s, int i, struct span v);
/* 1: a row; 0: no more; negative: failed. */
int db_step(struct db_stmt *s, struct err *e)
	__attribute__((warn_unused_result));
void db_reset(struct db_stmt *s);
/* Step a statement that gives no row, and reset it. */
int db_run(struct db_stmt *s, struct err *e)
	__attribute__((warn_unused_result));

/* Columns count from 0; false when the type is another (NULL included).
 * Octets are valid until the next step or reset. */
bool db_u64(struct db_stmt *s, int i, uint64_t *out);
bool db_span(struct db_stmt *s, int i, struct span *out);
bool db_text(struct db_stmt *s, int i, struct span *out);
bool db_null(struct db_stmt *s, int i);

#endif
