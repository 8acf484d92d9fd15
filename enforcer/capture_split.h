/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture divided by its verdicts: the packets that would have left, and
 * those that would not, each in the order of the input although verdicts may
 * come late and out of order.
 *
 * The memory is fixed: when more than CAPTURE_SPLIT_PACKETS packets or
 * CAPTURE_SPLIT_OCTETS octets arrive while one waits, that one steps aside
 * and is written after them.
 */
#ifndef ENFORCER_CAPTURE_SPLIT_H
#define ENFORCER_CAPTURE_SPLIT_H

#include "enforcer/capture.h"

#define CAPTURE_SPLIT_PACKETS 16384
#define CAPTURE_SPLIT_OCTETS  (8u << 20)

struct capture_split;

/* NULL paths: not wanted. max_held: packets that may wait at once. */
int capture_split_new(struct capture_split **out, const char *allowed,
		      const char *denied, const struct capture_format *f,
		      uint32_t max_held, struct err *e)
	__attribute__((warn_unused_result));
/* Before the pipeline sees packet id (1, 2, 3, ...); p stays valid until
 * capture_split_after. */
void capture_split_before(struct capture_split *s, uint64_t id,
			  const struct capture_packet *p);
/* The verdict of a packet that has none yet, the current one included. */
void capture_split_verdict(struct capture_split *s, uint64_t id, bool pass);
/* The current packet is written, or copied when it has to wait. */
int capture_split_after(struct capture_split *s, struct err *e)
	__attribute__((warn_unused_result));
/* The input ended; what still waits did not leave. Everything is then on the
 * disk, under temporary names. */
int capture_split_finish(struct capture_split *s, struct err *e)
	__attribute__((warn_unused_result));
int capture_split_commit(struct capture_split *s, struct err *e)
	__attribute__((warn_unused_result));
/* Takes NULL; what was not committed disappears. */
void capture_split_free(struct capture_split *s);

#endif
