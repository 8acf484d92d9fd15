/* SPDX-License-Identifier: Apache-2.0 */
/* Words that the JSON form (eve.c) and the text form (eve_text.c) share. */
#ifndef AUDIT_EVE_WORD_H
#define AUDIT_EVE_WORD_H

#include "core/event.h"
#include "core/wbuf.h"

struct span eve_addr(char buf[NET_ADDR_TEXT], const struct net_addr *a);
void eve_number(struct wbuf *w, uint64_t v);
void eve_str(struct wbuf *w, const char *s);
/* "table 64", "procedure 10", "/meter/power"; empty when it names no object.
 * Octets of a path are as they were sent. */
#define EVE_OBJECT 40
struct span eve_object(char buf[EVE_OBJECT], const struct obs *o);
const char *eve_proto(uint8_t proto); /* "TCP"; NULL: it has no name here */
const char *eve_verdict(enum verdict v); /* NULL when nothing was judged */
/* Of the record seq, of a start: how many right before it had no checkpoint. */
uint64_t eve_unsigned(const struct event *ev, uint64_t seq);
/* The observation a decision or violation is about; NULL for others. */
const struct obs *eve_judged(const struct event *ev);

#endif
