/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's side of the window (window.h): the bundles that readers need
 * now, asked for one at a time and in the order in which they were first
 * needed, so that no reader keeps out another. Memory is bounded: the bundle
 * that was not needed for longest gives way.
 */
#ifndef ENFORCER_DAEMON_SHELF_H
#define ENFORCER_DAEMON_SHELF_H

#include "core/span.h"
#include "enforcer/daemon/window.h"

#define SHELF_SLOTS 32
#define SHELF_WANTED 256 /* waiting to be asked for */
#define SHELF_OCTETS (8u << 20) /* of all slots, but for a single one */

struct shelf_slot {
	uint8_t *octets; /* NULL: free */
	size_t n_octets;
	uint64_t first, used; /* used: a count that grows */
	uint32_t n;
};

struct shelf {
	struct window *w;
	struct shelf_slot slot[SHELF_SLOTS];
	size_t octets;
	uint64_t uses;
	bool waits; /* for the answer to w->want */
	uint64_t wanted[SHELF_WANTED];
	size_t n_wanted;
};

/* Bundle `first` with at least `least` of its records (1 to STORE_BUNDLE).
 * 1: *octets, as store_next reads them, and *n, valid until the next call of
 * any function here. 0: it was asked for, or will be; try again after
 * shelf_turn said that something came. Negative: it cannot be read. */
int shelf_get(struct shelf *s, uint64_t first, uint32_t least,
	      struct span *octets, uint32_t *n)
	__attribute__((warn_unused_result));
/* Take in the answer, ask for what is wanted next; true: something came.
 * wake: called when the scribe was asked. */
bool shelf_turn(struct shelf *s, void (*wake)(void *arg), void *arg);
uint64_t shelf_size(const struct shelf *s); /* records that are durable */
void shelf_free(struct shelf *s);

#endif
