/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keeps a storm of refusals from drowning the audit: in the engine,
 * between the pipeline and the event ring.
 *
 * What a rule refuses is told in full a hundred times in an hour, which begins
 * with the first; the rest of that hour is counted, with the first and the last
 * example (policy-language 16). Whom a rule notifies is told at once, and then
 * once in ten minutes how often (EV_NOTICE). What was counted is told within a
 * second, so that no more than that is lost with this memory: the scribe adds
 * it up, and keeps the sum on the disk until the time is over
 * (scribe_hours.c). These events are marked `summary`, those in full as well.
 *
 * Oddities that are alike (type, reason, verdict, rule, machine, party,
 * direction, protocol, the other end's prefix and class of port) within a
 * second, and refusals for which the bucket has no room: the first passes in
 * full, the rest are counted and told as one event with its count. A
 * bucket bounds what passes in full over time, starts and ends of flows
 * included; above it everything is counted. What finds no place in the table
 * is counted under its type and reason alone. So every event that came in is
 * in what went out: as itself or in a count.
 *
 * A permitted transmission (EV_DECISION) is merged where its rule says
 * `audit: summary`, only with those of the same rule and about the same
 * object; it costs nothing of the bucket and passes in full when the table is
 * full. What passes, the scribe counts by the hour likewise. One under `audit:
 * each` is never merged, nor is what changes the gateway.
 *
 * No allocation, no clock, no pointers: events carry their time, storm_tick is
 * told it. The counts may lie in memory that outlives the process; what one
 * that died had counted, its successor tells.
 */
#ifndef ENFORCER_DAEMON_STORM_H
#define ENFORCER_DAEMON_STORM_H

#include "core/event.h"
#include "core/siphash.h"

#define STORM_SLOTS  1024 /* 2^n */
#define STORM_KEYS   768  /* in them, at most */
#define STORM_PERIOD NS_PER_S
#define STORM_TYPES  3 /* that are merged: flow, violation, anomaly */
#define STORM_RULES  256 /* that refuse or notify, at once */
#define STORM_EACH   100 /* refusals of a rule told in full in an hour */
#define STORM_HOUR   (3600 * NS_PER_S)
#define STORM_NOTICE (600 * NS_PER_S)

struct storm_conf {
	struct sipkey key;
	uint32_t rate;	/* events in full per second; 0 = 200 */
	uint32_t burst; /* 0 = 10000 */
	char guest[48]; /* named in counts that have lost their event's */
};

struct storm_sum {
	uint64_t n, octets;
	struct mono first, last;
};

struct storm_text {
	uint8_t n, s[63];
};

struct storm_key {
	uint64_t hash;
	struct storm_sum sum;
	struct now now; /* of the first counted; so are the next four */
	uint64_t flow_id;
	struct net_tuple tup, last_tup;
	uint64_t last_flow; /* of the last counted, as last_tup */
	bool has_tuple;
	char app[16];
	uint8_t type, dir, verdict, reason, severity, notify;
	bool monitored, flow_end, summary;
	/* The rule that record_rule names; texts are copies. */
	bool has_rule, rule_refused;
	uint32_t line;
	uint64_t serial;
	struct storm_text guest, party, layer, policy, rule, file;
};

/* What one rule did: the refusals of an hour, the notices of ten minutes. */
struct storm_rule {
	uint64_t hash;
	struct mono hour, noticed; /* since when */
	uint32_t each;		   /* refusals told in full in that hour */
	bool told;		   /* a notice was, at noticed */
	bool again;		   /* and more since, which were counted */
	struct storm_key more, notice; /* of this second; sum.n 0: none */
};

struct storm {
	struct storm_conf conf;
	struct mono since;	/* when the first key came */
	struct mono filled;	/* when the bucket was, last */
	bool tight; /* by who has it: no tokens are given */
	int64_t tokens_ns;	/* one event costs NS_PER_S / rate */
	uint64_t passed, merged; /* events in full; events in counts */
	bool any_other;
	struct storm_sum other[STORM_TYPES][2][REASON_COUNT]; /* [1]: denied */
	int64_t rules_due_ns; /* rules' counts are told; 0: there are none */
	uint32_t n_keys, n_rules;
	uint16_t slot[STORM_SLOTS]; /* by hash: 1 + index of a key; 0: free */
	struct storm_key key[STORM_KEYS];
	struct storm_rule rule[STORM_RULES];
};

typedef void storm_out(void *arg, const struct event *ev);

/* s is zeroed, or was emptied by storm_recover. */
void storm_init(struct storm *s, const struct storm_conf *c);
/* s is what a predecessor left, or zeroed: tell its counts, and empty it, but
 * for the hours of its rules. The predecessor may have been taken over: nothing
 * it left is believed but as a number of something. */
void storm_recover(struct storm *s, struct now now, storm_out *out, void *arg);
/* An event comes in; what is due goes out. */
void storm_event(struct storm *s, const struct event *ev, storm_out *out,
		 void *arg);
/* Tell the counts when their second is over. */
void storm_tick(struct storm *s, struct now now, storm_out *out, void *arg);
/* Tell all counts now: before the engine ends. */
void storm_flush(struct storm *s, struct now now, storm_out *out, void *arg);
/* When storm_tick has something to do; INT64_MAX ns: never. */
struct mono storm_due(const struct storm *s);

#endif
