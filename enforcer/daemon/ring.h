/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of octets in shared memory: one process writes messages, one reads
 * them, neither can harm the other.
 *
 * The two positions only grow. Each side keeps its own in private memory and
 * publishes it; the other's, read from shared memory, is believed only when
 * it makes sense (not more than the ring's size away), else the ring is
 * broken (-1) and its owner is killed by the parent. The reader copies a
 * message out before it looks at it: the writer may be hostile and change it
 * under the reader's hands.
 *
 * A message is its length (u32) and octets, padded to 8. Either side may die
 * at any moment: what was not published does not exist, what was read but not
 * released comes again.
 *
 * Waiting: a futex on the other side's position, only when that side said it
 * sleeps; no spinning.
 */
#ifndef ENFORCER_DAEMON_RING_H
#define ENFORCER_DAEMON_RING_H

#include <stdatomic.h>

#include "core/span.h"

struct ring_shared { /* lies in shared memory; the data follow */
	_Alignas(64) _Atomic uint64_t head; /* octets ever written */
	_Atomic uint32_t reader_sleeps;	    /* futex word */
	_Alignas(64) _Atomic uint64_t tail; /* octets ever released */
	_Atomic uint32_t writer_sleeps;	    /* futex word */
	_Alignas(64) uint8_t data[];
};

struct ring { /* one side's private view */
	struct ring_shared *s;
	uint32_t size; /* of data; 2^n, fixed at start */
	uint64_t at;   /* own position */
	uint64_t other; /* the other side's, as last believed */
	uint64_t edge; /* own position as published: the writer's messages and
			* the reader's releases end here */
};

/* Octets of shared memory for a ring of size (2^n) octets of data. Zeroed
 * memory is an empty ring. */
size_t ring_octets(uint32_t size);
/* Attach; takes up the position that a predecessor published. */
void ring_writer(struct ring *r, void *mem, uint32_t size);
void ring_reader(struct ring *r, void *mem, uint32_t size);

/* --- writer. put: 0, or E_LIMIT when there is no room now (msg may never be
 * longer than size / 4). Not visible before ring_publish, which wakes a
 * sleeping reader. */
int ring_put(struct ring *r, struct span msg)
	__attribute__((warn_unused_result));
bool ring_publish(struct ring *r); /* false: there was nothing new */
size_t ring_room(struct ring *r); /* octets of the longest message that fits */
/* Sleep until there is room for n octets, or timeout_ms passed. */
bool ring_wait_room(struct ring *r, size_t n, int timeout_ms);

/* --- reader. get copies the next message to buf (cap octets) and returns its
 * length, 0: none, -1: broken or longer than cap. It stays in the ring until
 * ring_release, which frees everything got so far. */
int64_t ring_get(struct ring *r, uint8_t *buf, size_t cap);
void ring_release(struct ring *r);
/* Forget what was got but not released: it will be got again. */
void ring_rewind(struct ring *r);
bool ring_wait(struct ring *r, int timeout_ms); /* true: something is there */
/* The writer is gone: give up what it published and was not released, so that
 * a successor's messages are found even behind broken ones. */
void ring_discard(struct ring *r);
/* One reader of several rings sleeps on one word: all writers wake that word
 * when it is set and they published something (their rings' reader_sleeps then
 * are not used).
 *
 * The reader: ring_drowse, look at every ring once more, ring_sleep if all are
 * empty, else ring_awake. The writer: ring_publish, then ring_wake. */
void ring_drowse(_Atomic uint32_t *word);
void ring_sleep(_Atomic uint32_t *word, int timeout_ms); /* -1: for ever */
void ring_awake(_Atomic uint32_t *word);
void ring_wake(_Atomic uint32_t *word);

#endif
