/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nDPI as the classifier of a pipeline. Only app.c knows nDPI.
 *
 * Everything nDPI does is bounded before it begins:
 *   octets   it hears the first APP_OCTETS of a flow in at most APP_PACKETS
 *            packets; their headers are made here, so that of what the peer
 *            wrote it sees ports and payload only
 *   memory   it allocates from what app_new takes and nothing else: one part
 *            for its tables, and APP_SLOTS places of APP_SLOT octets for
 *            the flows that it has not made up its mind about. A place is
 *            emptied as a whole, so nothing of a flow stays behind. If one is
 *            too small the flow is given up; if all are taken, the flow that
 *            has had one longest is. To give up costs the name, nothing else.
 *   others   what it hears of one flow does not change what it says of
 *            another: its caches across flows are emptied for each packet.
 *            Protocols that it knows only by a clock, by memory that is not
 *            from here, or across flows are off (app.c has the list).
 */
#ifndef ENFORCER_PIPELINE_APP_H
#define ENFORCER_PIPELINE_APP_H

#include "core/err.h"
#include "enforcer/pipeline/classifier.h"

#define APP_PACKETS 12
#define APP_OCTETS  8192
#define APP_PACKET  1460 /* octets of one; longer ones are cut */
#define APP_SLOTS   64
#define APP_SLOT    (24 * 1024)

struct app_ndpi;

struct app_conf {
	uint32_t max_flows;
	uint32_t slots, slot_octets; /* 0: APP_SLOTS, APP_SLOT; no more */
};

/* Loads the library, so comes before a sandbox; nothing else here makes a
 * system call. E_NOTFOUND: there is none; E_STATE: it is another one than this
 * was built for; E_NOMEM. Of one thread, which must be the one that uses it. */
int app_new(struct app_ndpi **out, const struct app_conf *conf, struct err *e)
	__attribute__((warn_unused_result));
void app_free(struct app_ndpi *a);
/* Borrowed: as long as a lives. */
const struct classifier *app_classifier(const struct app_ndpi *a);

struct app_stats {
	uint64_t packets;   /* given to nDPI */
	uint64_t named;	    /* flows */
	uint64_t exhausted; /* given up: their place was too small */
	uint64_t displaced; /* given up: another flow took their place */
	size_t tables;	    /* octets that nDPI's tables take */
	size_t slot_peak;   /* most octets that a flow took */
	uint32_t in_use;    /* slots */
};
struct app_stats app_stats(const struct app_ndpi *a);

#endif
