/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture through the gateway's pipeline: what metergate-replay and polc do
 * with one is the same, to the octet.
 */
#ifndef ENFORCER_CAPTURE_PLAYER_H
#define ENFORCER_CAPTURE_PLAYER_H

#include "dissectors/net/dns.h"
#include "enforcer/capture.h"
#include "enforcer/capture_clock.h"
#include "enforcer/capture_keys.h"
#include "policy-lang/eval/eval.h"

struct capture_player_conf {
	const struct pol_set *set; /* NULL: facts only */
	struct pol_state *state;   /* of set; NULL without one */
	const struct pipeline_guest *guests; /* none: the binding's */
	size_t n_guests;
	const char *keys;	    /* file of keys, or NULL */
	/* The one resolver; NULL: the one that set says (pol_set_resolver),
	 * else any. */
	const struct dns_conf *dns;
	bool values, partial_sums;
	const struct classifier *classifier; /* or NULL */
};

/* Packets held at once. */
#define CAPTURE_PLAYER_HELD 4096

struct capture_player {
	struct capture_keys keys;
	struct capture_clock clock;
	struct dns_conf dns; /* that of the set */
	struct pipeline *pipeline;
	struct mono last_tick;
	uint64_t packets; /* so far: pcap_cnt of the last one, and its id */
};

/* conf is borrowed for the call, what it points to until the end. A guest
 * that the set does not know is E_NOTFOUND. After a failure capture_player_fini
 * is due as well. */
int capture_player_init(struct capture_player *p,
			const struct capture_player_conf *conf, struct err *e)
	__attribute__((warn_unused_result));
void capture_player_fini(struct capture_player *p);

/* The next packet; its time first, for whoever has something to say before. */
struct now capture_player_time(struct capture_player *p,
			       const struct capture_packet *packet);
void capture_player_packet(struct capture_player *p,
			   const struct capture_packet *packet,
			   const struct pipeline_sink *sink);
/* The input ended. */
void capture_player_end(struct capture_player *p,
			const struct pipeline_sink *sink);

/* A whole file, without the end. */
int capture_player_file(struct capture_player *p, const char *path,
			const struct pipeline_sink *sink, struct err *e)
	__attribute__((warn_unused_result));

#endif
