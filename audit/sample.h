/* SPDX-License-Identifier: Apache-2.0 */
/* Events for the tests of this folder. */
#ifndef AUDIT_SAMPLE_H
#define AUDIT_SAMPLE_H

#include "core/event.h"

struct sample {
	struct obs carrier, leaves[3];
	struct event ev;
	struct event_log log;
};

static const uint8_t sample_title[] = {0x60, 0x7c, 0x86, 0xf7, 0x54, 0x01,
				       0x16, 0x00, 0x47, 0x87, 0x69};

static inline struct net_addr sample_addr(uint8_t last)
{
	return (struct net_addr){
		{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 20, [15] = last}};
}

static inline const char *sample_service(uint8_t code)
{
	return code == 0x30 ? "full-read" : code == 0 ? "ok" : NULL;
}

/* A read of load profile table 64 by the mdma, in a message that also waits;
 * the i-th, a second after the one before. */
static inline struct event *sample_decision(struct sample *s, uint64_t i)
{
	struct obs_list m = {&s->carrier, 0, 1}, l = {s->leaves, 0, 3};
	struct event *ev = &s->ev;
	struct obs *o;

	memset(s, 0, sizeof(*s));
	o = obs_add(&m, OBS_C1222_MESSAGE);
	obs_span(o, F_CALLED, span_of(sample_title, sizeof(sample_title)));
	obs_u64(o, F_CALLING_INV, 7);
	obs_u64(o, F_SECURITY_MODE, 1);
	obs_u64(o, F_MAC, 1);
	obs_u64(o, F_NOTE, REASON_OLD_IV);
	o = obs_add(&l, OBS_C1222_READ_RESPONSE);
	obs_u64(o, F_CODE, 0);
	obs_u64(o, F_TABLE, 64);
	obs_span(o, F_INDEX, span_of("\0\1\0\2", 4));
	obs_u64(o, F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_INTERVAL));
	obs_u64(o, F_GRANULARITY, 1800);
	obs_u64(o, F_READINGS, 48);
	obs_i64(o, F_OLDEST, -3);
	obs_span(o, F_DATA, span_str("what was said"));
	obs_i64(o, F_VALUE_MAX, 123456);
	o = obs_add(&l, OBS_C1222_WAIT_REQUEST);
	obs_u64(o, F_CODE, 0x70);
	obs_u64(o, F_WAIT, 112);
	ev->type = EV_DECISION;
	ev->now.mono.ns = 5 * NS_PER_S + (int64_t)i * NS_PER_S;
	ev->now.wall.us = INT64_C(1700000000000000) + (int64_t)i * US_PER_S;
	ev->pcap_cnt = i + 1;
	ev->flow_id = 0x123456789abcdef;
	ev->has_tuple = true;
	ev->tup = (struct net_tuple){sample_addr(10), sample_addr(1), 1153,
				     40000, 17};
	ev->app_proto = "c1222";
	ev->guest = span_str("mdma");
	ev->party = span_str("headend");
	ev->verdict = VERDICT_ALLOW;
	ev->octets = 96;
	ev->message = &s->carrier;
	ev->leaves = s->leaves;
	ev->n_leaves = 2;
	ev->n_rules = 2;
	ev->rules[0] = (struct event_rule){
		span_str("baseline"), span_str("platform-daily"),
		span_str("metering"), span_str("baseline.yaml"), 40, 7, false};
	ev->rules[1] = (struct event_rule){
		span_str("vendor"), span_str("reference-mdma"),
		span_str("send-profile"), span_str("metering.yaml"), 42, 3, false};
	ev->n_budgets = 1;
	ev->budgets[0] = (struct event_budget){
		span_str("48 readings per day"), 48, 48};
	return ev;
}

static inline struct event *sample_violation(struct sample *s, uint64_t i)
{
	struct event *ev = sample_decision(s, i);

	ev->type = EV_VIOLATION;
	ev->verdict = VERDICT_DENY;
	ev->leaf = 1;
	ev->reason = REASON_TOO_SOON;
	reasons_add(&ev->reasons, REASON_TOO_SOON);
	reasons_add(&ev->reasons, REASON_BAD_MAC);
	ev->detail = "3 h after the previous one, at least 20 h are needed";
	ev->would_pass = span_str("the same in 17 h");
	return ev;
}

static inline struct event *sample_anomaly(struct sample *s, uint64_t i)
{
	struct event *ev = sample_decision(s, i);

	ev->type = EV_ANOMALY;
	ev->verdict = VERDICT_DENY;
	ev->message = NULL;
	ev->leaves = NULL;
	ev->n_leaves = ev->n_rules = ev->n_budgets = 0;
	ev->party = (struct span){0};
	ev->reason = REASON_MALFORMED;
	return ev;
}

static inline struct event *sample_flow(struct sample *s, uint64_t i)
{
	struct event *ev = sample_anomaly(s, i);

	ev->type = EV_FLOW;
	ev->verdict = VERDICT_NONE;
	ev->reason = REASON_NONE;
	ev->flow_end = true;
	ev->flow_start.ns = 3 * NS_PER_S;
	ev->pkts_out = 5;
	ev->octets_in = 1 << 20;
	return ev;
}

static inline struct event *sample_policy(struct sample *s, uint64_t i)
{
	struct event *ev = sample_anomaly(s, i);

	ev->type = EV_POLICY;
	ev->verdict = VERDICT_ALLOW;
	ev->reason = REASON_NONE;
	ev->has_tuple = false;
	ev->detail = "activated";
	return ev;
}

/* What a storm leaves: five alike, counted. */
static inline struct event *sample_aggregate(struct sample *s, uint64_t i)
{
	struct event *ev = sample_violation(s, i);

	ev->message = NULL;
	ev->leaves = NULL;
	ev->n_leaves = ev->leaf = ev->octets = 0;
	ev->would_pass = (struct span){0};
	ev->count = 5;
	ev->count_octets = 480;
	ev->first.ns = ev->now.mono.ns - 900000000;
	ev->last.ns = ev->now.mono.ns - 1000000;
	ev->last_tup = ev->tup;
	ev->last_tup.sport++;
	ev->last_flow = ev->flow_id + 1;
	ev->severity = SEV_HIGH;
	ev->notify = NOTIFY_PORTAL | NOTIFY_OPERATOR;
	return ev;
}

static inline struct event *sample_loss(struct sample *s, uint64_t i)
{
	struct event *ev = sample_policy(s, i);

	ev->type = EV_LOSS;
	ev->verdict = VERDICT_DENY;
	ev->detail = "no room";
	ev->count = 3;
	ev->first = ev->last = ev->now.mono;
	return ev;
}

/* What a checkpoint is bound to, and what was removed: every element that
 * the log says about itself. */
static inline struct event *sample_log(struct sample *s, uint64_t i)
{
	struct event *ev = sample_policy(s, i);

	ev->type = EV_EXPORT;
	ev->verdict = VERDICT_NONE;
	ev->detail = "no room";
	s->log = (struct event_log){true, true, true, true, {1}, {9}, {2}, 77, 0, 512,
				    {3}, 5,    0,    {0}, 0};
	ev->log = &s->log;
	return ev;
}

static inline struct event *sample_boot(struct sample *s, uint64_t i)
{
	struct event *ev = sample_policy(s, i);

	ev->type = EV_BOOT;
	ev->verdict = VERDICT_NONE;
	ev->detail = "after an unclean end";
	return ev;
}

#endif
