/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a protocol is read: the one interface between octets and facts.
 *
 * A dissector cuts a stream into units, the smallest pieces that can be
 * judged alone, and turns a whole unit into observations. It knows nothing of
 * rules, queues, files or clocks, allocates nothing and does no I/O. All its
 * state is in two blocks that the caller owns and zeroes: one per machine
 * (what outlives a connection: sessions, outstanding requests, replay
 * windows, table shapes) and one per flow.
 *
 * A unit that cannot be read as exactly one thing is refused with a reason of
 * the closed list. Unknown means refused.
 */
#ifndef DISSECTORS_DISSECTOR_H
#define DISSECTORS_DISSECTOR_H

#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/event.h"
#include "core/obs.h"
#include "core/wbuf.h"

/* What frame() says of the octets at the start of a stream. */
enum frame {
	FRAME_UNIT, /* a unit is complete: *len octets */
	FRAME_MORE, /* cannot say yet; *len: octets the unit will have, or 0 */
	/* The same, but nothing of a unit is cut short: what is there is
	 * judged with what comes next, and its sender may have nothing to say
	 * for long. */
	FRAME_BETWEEN,
	FRAME_BAD,  /* never will be; e says why. The stream is lost. */
};

/* How sure recognise() is. */
enum recognise {
	RECOGNISE_NO,
	RECOGNISE_BEGUN, /* so far, but so do many: nobody waits for more */
	RECOGNISE_MAYBE, /* needs more octets, or the port decides */
	RECOGNISE_YES,
	RECOGNISE_LIKELY, /* the same, and more octets may make it SURE */
	RECOGNISE_SURE, /* what is no message of ours does not look so by
			 * chance: also where something else was spoken */
};

/* What the platform and its policies tell of the machine's own names. */
struct dis_self {
	bool (*has_addr)(const void *arg, const struct net_addr *a);
	const void *arg;
	/* ApTitles, absolute, that its policy gives to others. */
	const struct span *others;
	size_t n_others;
};

struct dis_ctx {
	void *machine; /* dissector.machine_size octets */
	void *flow;    /* dissector.flow_size octets; NULL for a datagram */
	const void *conf; /* protocol's own, e.g. struct c1222_conf; constant */
	struct arena *arena; /* per message; octets of facts may lie in it */
	struct now now;
	struct net_tuple tup; /* of the packet that completed the unit */
	enum dir dir;
	/* The other end is a machine of this meter as well: what goes out
	 * comes in there, and says the same at both ends. */
	bool between;
	/* Facts only, no policy: streams may start in the middle and old IVs
	 * are read, each with an F_NOTE; otherwise both are refused. */
	bool lenient;
	/* The stream began before the capture did (only when lenient). */
	bool midstream;
	/* Octets of the other direction wait for the rest of their unit. */
	bool other_waits;
	const struct dis_self *self; /* NULL: nothing is known */
	/* Out, for a segment of a larger message: a number of that message
	 * as it is put together now. Segments that were given up, and the
	 * same message begun anew, never share one. NULL: not wanted. */
	uint64_t *assembly;
};

/* Why whoever asked gets something else. */
enum refused_as {
	REFUSED_FOR_GOOD, /* as far as waiting goes */
	REFUSED_TIME,	  /* not at this time */
	REFUSED_BUDGET,	  /* a limit has no room now */
	REFUSED_FRESH,	  /* what it carries is too recent */
};

struct refusal {
	enum refused_as as;
	uint32_t retry_s;   /* then it would pass; 0: not known */
	/* For the machine itself; a remote end hears the code alone. */
	const char *reason;
	struct span rule; /* empty: none */
	uint64_t flow;	  /* of the record, which has no number yet; or 0 */
};

struct dissector {
	const char *name;    /* "c1222": app_proto, prefix of its kinds */
	size_t max_stream;   /* octets of a unit over TCP, <= hold limit */
	size_t max_datagram; /* octets of a unit over UDP */
	size_t machine_size;
	size_t flow_size;
	uint16_t carrier; /* enum obs_kind of a unit that was not read */

	/* Do these octets, the first of a direction, look like us? */
	enum recognise (*recognise)(struct span first, uint16_t sport,
				    uint16_t dport, uint8_t ip_proto);
	/* Prepare a zeroed machine block; idempotent, never fails. */
	void (*machine_init)(void *machine, const void *conf);
	/* Find the end of the unit at the start of in: headers only, no
	 * state changed. Same answer for the same octets, however split. */
	enum frame (*frame)(const struct dis_ctx *c, struct span in,
			    size_t *len, struct err *e);
	/* Where a unit ends depends on those in front of it: move the flow
	 * block, here a copy, past a unit that frame() found in it. Nothing
	 * else changes. NULL: it does not depend. */
	void (*skip)(const struct dis_ctx *c, struct span unit);
	/* Append what one whole unit says to out: first the CARRIER, then the
	 * leaves. Returns 0, or a negative errcode with e->off and e->reason
	 * (REASON_MALFORMED when nothing finer applies) and out as it was; but
	 * with REASON_UNKNOWN_KEY or BAD_MAC the CARRIER as far as it is not
	 * sealed, and one OPAQUE leaf.
	 * E_MORE with REASON_NONE: taken as one segment of a larger message
	 * that is not complete yet (out has the segment's own CARRIER); the
	 * caller keeps the packet until a later unit says COMPLETE through
	 * its carrier, or refuses it. The last segment returns 0 with the
	 * observations of the whole message. */
	int (*dissect)(const struct dis_ctx *c, struct span unit,
		       struct obs_list *out, struct err *e);
	/* The verdict of the unit dissected last, always given, before the
	 * next dissect: what it changed is kept (passed) or undone. */
	void (*settle)(const struct dis_ctx *c, bool passed);
	/* The unit dissected last is refused, not settled yet. It is a
	 * request, or the answer to one that passed: append what its protocol
	 * has for whoever asked, in the name of the end that was asked. What
	 * the other end said is not in it. *instead: it was an answer, and
	 * this one goes its way; else it goes back.
	 * Returns the answer's name, for the records; NULL: there is none that
	 * is read as the answer to this request, or none that needs no forged
	 * authentication, and out is as it was. NULL itself: never. */
	const char *(*answer)(const struct dis_ctx *c, struct span unit,
			      const struct refusal *why, struct wbuf *out,
			      bool *instead);
	/* The stream of that direction ended with these octets unread, or
	 * none: but more may have been promised. The reason is INCOMPLETE or
	 * what fits better; 0 when nothing is missing. */
	enum reason (*leftover)(const struct dis_ctx *c, struct span rest);
	/* Is everything to come opaque, in both directions? It then may go
	 * on unread. NULL: never. */
	bool (*sealed)(const struct dis_ctx *c);
};

/* The one table to edit when adding a protocol; NULL-terminated. */
extern const struct dissector *const dissectors[];
#define DISSECTORS_MAX 8

const struct dissector *dissector_find(const char *name);

#endif
