/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of one guest, between its own files:
 *
 *   engine.c         start, loop, end: begin reading here
 *   engine_out.c     where the pipeline's actions go: both rings
 *   engine_policy.c  a half of the shared area -> set, keys, state; reload
 *   engine_query.c   what the parent asks; what the engine says of itself
 *
 * Nothing outside these includes it.
 */
#ifndef ENFORCER_DAEMON_ENGINE_H
#define ENFORCER_DAEMON_ENGINE_H

#include <sys/socket.h>

#include "enforcer/capture_keys.h"
#include "enforcer/daemon/craft.h"
#include "enforcer/daemon/flat.h"
#include "enforcer/daemon/half.h"
#include "enforcer/daemon/hops.h"
#include "dissectors/net/dns.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/storm.h"
#include "enforcer/pipeline/app.h"
#include "enforcer/pipeline/pipeline.h"

#define ENGINE_BUCKETS 8 /* of lane_status.latency_ns */
#define ENGINE_WAIT_MS 50

/* A name of a packet that the pipeline gives back with its verdict: the
 * kernel's number, whether it is a super-packet, and when it came. */
#define ID_GSO	(UINT64_C(1) << 32)
#define ID_TIME 33 /* shift of microseconds, 31 bits of them */

/* One policy set with what hangs on it. Images are read where they lie. */
struct engine_set {
	uint32_t generation;
	struct half_set half;
	struct pol_set *set; /* half.set */
	struct capture_keys keys;
};

struct engine {
	const struct engine_arg *a;
	struct lane *lane;
	struct now now;
	struct live_clock clock;
	char zone_name[68]; /* it cannot be changed without opening files */
	uint8_t boot[16];
	struct engine_set set;
	struct pol_state *state;
	struct c1222_conf c1222; /* what the pipeline was told; keys change */
	struct dns_conf dns;
	struct app_ndpi *app; /* NULL: nobody is asked */
	struct pipeline *pipeline;
	struct pipeline_sink sink;

	/* out */
	struct ring verdicts, events;
	struct storm *storm;
	bool mute; /* no event can be recorded any more: everything drops */
	uint64_t mark_id; /* the next verdict of that packet carries mark */
	uint32_t mark;
	bool again; /* the packet at hand was told to be refused before */
	uint64_t waits;	       /* for the scribe */
	uint64_t shut, shut_octets; /* dropped: nothing can be recorded */
	uint64_t shut_told, shut_octets_told;
	struct mono shut_first, shut_last; /* of those not told */
	bool lost; /* what the guest had used: nobody knows */
	bool settled; /* its counters are what the ledger says they may be */
	bool unanswered; /* a claim: nobody waits for another one */
	uint64_t credit_waits; /* times it waited for credit */
	bool late; /* what was said is not durable, for too long */
	uint64_t mark_at; /* a position of events, as of mark_ns */
	int64_t mark_ns;
	uint32_t at_once;      /* verdicts of this batch's own packets */
	uint64_t batch_time;   /* of their ids, already shifted */
	int64_t batch_ns;      /* when it came, mono */
	uint64_t latency[ENGINE_BUCKETS], latency_sum_ns;
	uint8_t *flat; /* FLAT_MAX octets */
	struct hops hops; /* empty unless bridged */

	/* in */
	int signal_fd;
	bool stop; /* told to end */
	/* Filled in once: the kernel writes only of what it gave. */
	struct mmsghdr msg[ENGINE_BATCH];
	struct iovec iov[ENGINE_BATCH];
	uint32_t first_id; /* ids up to it were dropped already; 0: all known */
	uint32_t last_id;
	uint64_t errors, overruns;
	int64_t poison_ns; /* until then packets are compared with the table */
	uint64_t poisoned, poisoned_octets;
	uint32_t ifaces_seq;
	uint32_t n_ifaces;
	struct share_iface iface[SHARE_IFACES];

	/* status */
	bool frozen, told; /* told: the status is as of now */
	struct mono told_at;
};

/* engine_out.c */
void out_init(struct engine *e, const struct sipkey *key);
/* Everything decided so far becomes visible, events first. */
void out_publish(struct engine *e);
/* Verdicts were published: how long did they take? */
void out_latency(struct engine *e);
void out_tick(struct engine *e); /* counts of storms */
void out_lost(struct engine *e); /* that the counters were damaged */
void out_end(struct engine *e);
/* Can what is decided now be recorded? It looks; and tells what was dropped
 * meanwhile as soon as it can. */
bool out_closed(const struct engine *e);
void out_durable(struct engine *e);
/* Drops of a packet that the pipeline never saw: the second tells why. */
void out_poison(struct engine *e, uint32_t id, uint32_t octets);
void out_drop(struct engine *e, uint32_t id);

/* engine_policy.c */
int policy_start(struct engine *e, struct err *err)
	__attribute__((warn_unused_result));
/* Then, with e->now set, the counters; then what judges by them. */
int policy_counters(struct engine *e, struct err *err)
	__attribute__((warn_unused_result));
/* Until the scribe has said what the ledger is, nothing passes. */
void policy_settle(struct engine *e);
int policy_pipeline(struct engine *e, struct err *err)
	__attribute__((warn_unused_result));
/* Swap to a half. After a failure everything is as it was. */
int policy_reload(struct engine *e, uint32_t half, struct err *err)
	__attribute__((warn_unused_result));
void policy_end(struct engine *e);
int engine_random(void *to, size_t n, struct err *e)
	__attribute__((warn_unused_result));

/* engine_query.c */
void query_answer(struct engine *e);
/* In the middle of a packet nothing but a sign of life is given. */
void query_waiting(struct engine *e);
void status_write(struct engine *e);

/* engine.c: while something else is awaited: show that we live, notice that
 * we are to end. */
void engine_turn(struct engine *e);

#endif
