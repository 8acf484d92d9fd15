/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's side of the window (window.h): what readers need now, asked
 * for one at a time and in the order in which it was first needed, so that no
 * reader keeps out another; the operators' and the portal's in turn, so that
 * those of one cannot keep out those of the other. Memory is bounded: what was
 * not needed for longest gives way.
 */
#ifndef ENFORCER_DAEMON_SHELF_H
#define ENFORCER_DAEMON_SHELF_H

#include "core/span.h"
#include "enforcer/daemon/window.h"

#define SHELF_SLOTS 32
#define SHELF_WANTED 128 /* waiting to be asked for, of each side */
#define SHELF_OCTETS (8u << 20) /* of all slots, but for a single one */

/* Checkpoints and proofs are asked for again when they are older: the last
 * one may be another, and cosignatures come later. */
#define SHELF_FRESH_NS NS_PER_S

enum shelf_side { SHELF_OPERATORS, SHELF_PORTAL, SHELF_SIDES };

struct shelf_slot {
	bool used;
	struct window_key key;
	int rc; /* of the answer */
	uint8_t *octets;
	size_t n_octets;
	uint32_t n;
	struct mono came;
	uint64_t needed; /* a count that grows */
};

struct shelf {
	struct window *w;
	uint32_t log; /* that the slots are of */
	struct shelf_slot slot[SHELF_SLOTS];
	size_t octets;
	uint64_t needs;
	bool waits; /* for the answer to w->want */
	struct shelf_wanted {
		struct window_key key[SHELF_WANTED];
		size_t n;
	} wanted[SHELF_SIDES];
	unsigned turn; /* whose is next: a side, or SHELF_SIDES: what is brought */
	/* What somebody brings, one at a time. */
	struct {
		const void *whose; /* NULL: nothing is brought */
		bool sent, done;
		int rc;
		uint64_t size;
		uint32_t n;
		uint8_t octets[WINDOW_POST];
	} post;
};

/* The number of the log that is open (window.h); 0: none is. It may be another
 * whenever one of these functions is called: what a slot has of one before is
 * forgotten. */
uint32_t shelf_log(const struct shelf *s);
/* What key names, needed by one of that side, with at least `least` of its records or hashes (1 of what
 * has none). 1: *octets and *n, valid until the next call of any function
 * here. 0: it was asked for, or will be; try again after shelf_turn said that
 * something came. Negative: what the scribe said, E_NOTFOUND or E_LIMIT: there
 * is no such thing; E_INTEGRITY or E_IO: it cannot be read, *octets is a text
 * that says why; E_STATE: it cannot be found out now. */
int shelf_get(struct shelf *s, enum shelf_side side,
	      const struct window_key *key, uint32_t least, struct mono now,
	      struct span *octets, uint32_t *n)
	__attribute__((warn_unused_result));
/* Bring a cosignature of the checkpoint of `size` records. 1: the scribe took
 * it; 0: it was handed on, or another is on its way: try again, with the same
 * `whose`, after shelf_turn said that something came; negative: what the
 * scribe said, as store_cosign; E_STATE: it cannot be taken now. */
int shelf_post(struct shelf *s, const void *whose, uint64_t size,
	       struct span line) __attribute__((warn_unused_result));
void shelf_forget(struct shelf *s, const void *whose); /* who is gone */
/* Take in the answer, ask for what is wanted next; true: something came.
 * wake: called when the scribe was asked. */
bool shelf_turn(struct shelf *s, struct mono now, void (*wake)(void *arg),
		void *arg);
uint64_t shelf_size(const struct shelf *s); /* records that are durable */
uint64_t shelf_first(const struct shelf *s); /* that was not pruned */
void shelf_free(struct shelf *s);

#endif
