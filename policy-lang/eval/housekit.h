/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy in which one reading charges every kind of limit, for the tests of
 * counters and of the memory they lie in.
 */
#ifndef POLICY_LANG_EVAL_HOUSEKIT_H
#define POLICY_LANG_EVAL_HOUSEKIT_H

#include <stdio.h>

#include "policy-lang/eval/testkit.h"

static const uint16_t party_0[] = {0}, state_0[] = {0}, rule_ask[] = {0};

/* One vendor policy in which a reading charges every kind of limit. */
enum { CALENDAR, SLIDING, BUCKET, SPACING, DISTINCT, N_KINDS };

struct house {
	struct pol_limit_phrase lim[N_KINDS];
	struct pol_limit_src top[4];
	struct pol_obs_match ask, send, plain;
	struct pol_attr table;
	struct pol_range tables;
	struct pol_rule_src rule[3];
	struct pol_party_src party[2];
	struct pol_prefix net, net2;
	struct pol_state_src state;
	struct pol_file vendor;
};

static inline struct pol_obs_match house_kind(enum obs_kind k)
{
	return (struct pol_obs_match){.kinds = kit_kind(k)};
}

static inline void house_limits(struct house *h)
{
	h->lim[CALENDAR] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 5,
		.window = WINDOW_DAY, .text = "5 readings per day"};
	h->lim[SLIDING] = (struct pol_limit_phrase){
		.kind = LIMIT_SLIDING, .thing = THING_READINGS, .n = 6,
		.window = WINDOW_SLIDING, .window_ns = H(24),
		.text = "6 readings per 24 h"};
	h->lim[BUCKET] = (struct pol_limit_phrase){
		.kind = LIMIT_BUCKET, .thing = THING_READINGS, .n = 6,
		.burst = 4, .window = WINDOW_SLIDING, .window_ns = H(12),
		.text = "6 readings per 12 h burst 4"};
	h->lim[SPACING] = (struct pol_limit_phrase){
		.kind = LIMIT_SPACING, .thing = THING_READINGS,
		.window_ns = MIN(10), .text = "at least 10 min apart"};
	h->lim[DISTINCT] = (struct pol_limit_phrase){
		.kind = LIMIT_DISTINCT, .thing = THING_READINGS, .n = 3,
		.window = WINDOW_DAY, .distinct = F_TABLE,
		.text = "at most 3 distinct table per day"};
	h->top[0] = (struct pol_limit_src){
		.id = "bytes", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .each_vm = true, .each_party = true,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_BYTES,
			   .n = 4000, .window = WINDOW_DAY,
			   .text = "4 kB per day"}};
	h->top[1] = (struct pol_limit_src){
		.id = "connections", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_CONCURRENT,
			   .thing = THING_CONNECTIONS, .n = 2,
			   .text = "at most 2 connections at once"}};
	h->top[2] = (struct pol_limit_src){
		.id = "opened", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_CONNECTIONS,
			   .n = 20, .window = WINDOW_SLIDING,
			   .window_ns = H(1),
			   .text = "20 connections per 1 h"}};
	h->top[3] = (struct pol_limit_src){
		.id = "refusals", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.exceed = {ACTION_QUARANTINE, H(2)},
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_REFUSALS,
			   .n = 40, .window = WINDOW_SLIDING,
			   .window_ns = H(1), .text = "40 refusals per 1 h"}};
}

static inline void house_rules(struct house *h)
{
	h->tables = (struct pol_range){20, 30};
	h->table = (struct pol_attr){
		.field = F_TABLE, .num = &h->tables, .n_num = 1};
	h->ask = house_kind(OBS_C1222_READ_REQUEST);
	h->send = house_kind(OBS_C1222_READ_RESPONSE);
	h->send.attr = &h->table;
	h->send.n_attr = 1;
	h->plain = house_kind(OBS_C1222_LOGON_REQUEST);
	h->rule[0] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_IN,
		.party = {.party = party_0, .n_party = 1}, .match = &h->ask,
		.n_match = 1};
	h->rule[1] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "plain", .dir = DIRSEL_OUT,
		.party = {.party = party_0, .n_party = 1}, .match = &h->plain,
		.n_match = 1, .requires_ = state_0, .n_requires = 1};
	h->rule[2] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "send", .dir = DIRSEL_OUT,
		.party = {.party = party_0, .n_party = 1}, .match = &h->send,
		.n_match = 1, .limit = h->lim, .n_limit = N_KINDS,
		.has_answers = true, .answers = rule_ask, .n_answers = 1,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)}};
}

static inline void house_fill(struct house *h)
{
	memset(h, 0, sizeof(*h));
	house_limits(h);
	house_rules(h);
	h->net = kit_net(203, 0, 113, 0, 28);
	h->net2 = kit_net(198, 51, 100, 0, 24);
	h->party[0] = (struct pol_party_src){
		.id = "headend", .name = "H", .addr = &h->net, .n_addr = 1};
	h->party[1] = (struct pol_party_src){
		.id = "other", .name = "O", .addr = &h->net2, .n_addr = 1};
	h->state = (struct pol_state_src){
		.id = "registered", .scope = SCOPE_PARTY,
		.set = {DIRSEL_IN, 0, &h->ask, 1}, .expires_ns = H(30)};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .unique = true,
		.id = "v", .vm = "mdma", .path = "v.yaml",
		.party = h->party, .n_party = 2, .rule = h->rule, .n_rule = 3,
		.state = &h->state, .n_state = 1, .limit = h->top,
		.n_limit = 4};
}

static inline void house_start(struct kit *k, struct house *h)
{
	memset(k, 0, sizeof(*k));
	if (kit_add(k, &h->vendor) || kit_go(k)) {
		fprintf(stderr, "%s\n", k->e.text);
		abort();
	}
	pol_state_free(k->st);
	k->st = NULL;
}

static inline bool house_ask(struct kit *k, uint64_t inv)
{
	struct pol_msg m = kit_msg(k, DIR_IN, OBS_C1222_READ_REQUEST);
	struct pol_decision d;

	obs_u64(&k->leaf[0], F_TABLE, 23);
	obs_u64(&k->carrier, F_CALLING_INV, inv);
	return kit_judge(k, &m, &d);
}

static inline struct pol_msg house_answer(struct kit *k, uint64_t inv, uint64_t table)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);

	obs_u64(&k->leaf[0], F_TABLE, table);
	obs_u64(&k->leaf[0], F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_REGISTER));
	obs_u64(&k->leaf[0], F_VALUES, 1);
	obs_u64(&k->carrier, F_CALLED_INV, inv);
	return m;
}

/* A reading that was asked for, judged and released if permitted. */
static inline bool house_reading(struct kit *k, uint64_t inv, uint64_t table)
{
	struct pol_decision d;
	struct pol_msg m;

	if (!house_ask(k, inv))
		return false;
	m = house_answer(k, inv, table);
	return kit_judge(k, &m, &d);
}

#endif
