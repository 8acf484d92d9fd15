/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts in messages whose heads the gate cannot write.
 *
 * The socket that takes verdicts takes every other message of netfilter too:
 * rules, connections, queues. A filter of system calls sees pointers, not what
 * they point to. So the heads of messages (what they are, how long, of which
 * queue), the list of pieces that a message is gathered from and the header of
 * the call itself lie in pages that are made read-only before the sandbox is
 * entered; the filter lets the socket send by these headers only, and lets
 * nobody map, move or protect memory. What a gate can still write is what a
 * verdict says.
 */
#ifndef ENFORCER_DAEMON_FORM_H
#define ENFORCER_DAEMON_FORM_H

#include <sys/socket.h>

#include "core/err.h"
#include "core/span.h"

#define FORM_HEAD   20	/* of netlink and netfilter */
#define FORM_SHORT  40	/* a verdict with a mark, or without */
#define FORM_LONG   256 /* one with a packet in it */
#define FORM_UPTO   32	/* one about all up to a number */
#define FORM_SHORTS 256 /* that are sent at once */

/* Headers stand in slots, so that one comparison under a mask finds whether
 * an address is one of theirs. */
#define FORM_SLOT  64
#define FORM_SLOTS 512
#define FORM_MASK  (~(uint64_t)(FORM_SLOT * (FORM_SLOTS - 1)))

struct form_page;

struct form {
	struct form_page *page; /* read-only from form_init on */
	uint32_t n;		/* short ones that wait */
	uint8_t brief[FORM_SHORTS][FORM_SHORT - FORM_HEAD];
	uint8_t more[FORM_LONG - FORM_HEAD];
	uint8_t upto[FORM_UPTO - FORM_HEAD];
};

/* f must not move afterwards. */
int form_init(struct form *f, uint16_t queue, struct err *e)
	__attribute__((warn_unused_result));
void form_fini(struct form *f);
/* The slots, for the sandbox. */
const void *form_slots(const struct form *f);

/* A message as nfq_put_verdict wrote it. The short ones gather: false, there
 * is no room, or it is none. The others are sent alone, before the next. */
bool form_add(struct form *f, struct span message);
/* What to call sendmsg with: the short ones that wait (n of them), a longer
 * one, one about all up to a number. NULL: not of that form. */
const struct msghdr *form_shorts(const struct form *f);
const struct msghdr *form_long(struct form *f, struct span message);
const struct msghdr *form_upto(struct form *f, struct span message);

#endif
