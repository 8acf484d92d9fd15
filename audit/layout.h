/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log as a directory, in the layout of tiled logs (C2SP tlog-tiles), as it
 * stood at its last checkpoint:
 *
 *	checkpoint			the signed note, cosignatures included
 *	tile/<level>/<index>[.p/<width>]	hashes of the tree
 *	tile/entries/<index>[.p/<width>]	records, each behind its length
 *	proof/<number>.tlog-proof	of each protected record
 *	minimum				the first record, where those before
 *					it were pruned: of them there are the
 *					proofs of protected ones, and tiles of
 *					level 1 and up; and, on a second line,
 *					the head of the chain before it
 *	part				instead, the first record of a part,
 *					whatever was pruned before it
 *	boots				number, first record, key of the salts:
 *					one line each. No keys where a part was
 *					asked for: they would give the salts of
 *					records that are not in it
 *
 * An index is written in groups of three digits, all but the last with an x:
 * x001/x234/067. A tile that is not full has its width.
 */
#ifndef AUDIT_LAYOUT_H
#define AUDIT_LAYOUT_H

#include "audit/points.h"
#include "audit/verify.h"

#define LAYOUT_PATH 4096

/* tile/<what>/<index>[.p/<width>]; width 256 is a full one. */
int layout_tile(char out[LAYOUT_PATH], const char *dir, const char *what,
		uint64_t idx, unsigned width, struct err *e)
	__attribute__((warn_unused_result));
/* Write the log `path` as the directory `dir`, which must be empty and there.
 * E_NOTFOUND: the log has no checkpoint. */
int layout_write(const char *path, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
/* A part of it: from the bundle of record `from` on, and as it was with `size`
 * records, of which there is a checkpoint; 0: the last. E_LIMIT: nothing is
 * in between. */
struct layout_part {
	uint64_t from, size;
};
int layout_write_part(const char *path, const char *dir,
		      const struct layout_part *part, struct err *e)
	__attribute__((warn_unused_result));
/* The same without what the home does on its network: the checkpoint, and of
 * each protected record that the client may have, record/<number>.json, a line
 * of eve.h, and its proof, which has the record itself. */
enum layout_client {
	LAYOUT_AGENCY,	 /* an agency or a utility: maintenance, attestation,
			  * and which policies came into force, but the
			  * customer's; nothing of what he chose, proposed or
			  * exported */
	LAYOUT_CUSTOMER, /* who lives there: all of them */
};
int layout_write_protected(const char *path, const char *dir,
			   enum layout_client client, uint64_t size,
			   struct err *e)
	__attribute__((warn_unused_result));
/* Put the file `from`, of at most LAYOUT_BESIDE octets, into certificate/. */
#define LAYOUT_BESIDE (256 * 1024)
int layout_certificate(const char *dir, const char *from, struct err *e)
	__attribute__((warn_unused_result));
/* Is the directory whole? As verify_file, from its files alone; points->held
 * must leave room for one more. One that has protected records alone is known
 * by having no tiles: out->protected_only. That none of these was left out
 * cannot be seen, except among pruned ones, whose number a record says. Of a
 * part, out->part, what is before it counts by its hashes alone. Where no keys
 * are in it the salts are not compared: out->salts. */
int layout_verify(const char *dir, const struct points_conf *points,
		  struct verify_result *out,
		  void (*progress)(void *arg, uint64_t done, uint64_t total),
		  void *arg, struct err *e)
	__attribute__((warn_unused_result));

#endif
