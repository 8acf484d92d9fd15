/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy evaluation with 10 and with 250 rules, beside a SipHash-2-4 of 64
 * octets from the same run as the yardstick. JSON on stdout; medians of RUNS
 * runs. The set has a baseline, a vendor policy of N grants over C12.22
 * tables and oBIX paths, each with limits, and a customer's restriction; the
 * messages are permitted and charged.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "policy-lang/eval/eval.h"
#include "tests/bench_time.h"

#define RUNS   7
#define ROUNDS 200000
#define RULES_MAX 250

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "bench_eval: %s: %s\n", what, e->text);
	exit(2);
}

static struct pol_kinds kind(enum obs_kind k)
{
	struct pol_kinds s = {{0}};

	s.w[k / 64] |= UINT64_C(1) << (k % 64);
	return s;
}

static struct pol_image *image_of(const struct pol_file *f)
{
	uint8_t *octets;
	size_t n;
	struct pol_image *im = NULL;
	struct err e = {0};

	/* The octets live as long as the program. */
	if (pol_image_build(&octets, &n, f, &e) ||
	    pol_image_load(&im, span_of(octets, n), &e))
		die("image", &e);
	return im;
}

static struct pol_image *baseline(void)
{
	static const struct pol_obs_match any = {
		.kinds = {{~UINT64_C(0), ~UINT64_C(0)}}};
	struct pol_limit_src limit = {
		.id = "uplink", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES,
			   .n = UINT64_C(1) << 50, .window = WINDOW_DAY,
			   .text = "many messages per day"}};
	struct pol_rule_src rule[2] = {
		{.kind = RULE_CEILING, .id = "all", .dir = DIRSEL_ANY,
		 .party.any = true, .vm.any = true, .match = &any,
		 .n_match = 1,
		 .data = {.present = true, .meas = MEAS_ALL, .has_gran = true,
			  .gran_lo_ns = 60 * NS_PER_S}},
		{.kind = RULE_DENY, .id = "no-waveforms", .dir = DIRSEL_OUT,
		 .party.any = true, .vm.any = true,
		 .data = {.present = true,
			  .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)}},
	};
	struct pol_file f = {.kind = POL_BASELINE, .unique = true,
			     .id = "b", .rule = rule,
			     .n_rule = 2, .limit = &limit, .n_limit = 1};

	return image_of(&f);
}

static struct pol_image *customer(void)
{
	struct pol_rule_src rule = {
		.kind = RULE_RESTRICT, .id = "late", .dir = DIRSEL_OUT,
		.party.any = true, .vm.any = true,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			 .has_delay = true, .delay_ns = 3600 * NS_PER_S}};
	struct pol_file f = {.kind = POL_CUSTOMER, .unique = true,
			     .id = "c", .rule = &rule,
			     .n_rule = 1};

	return image_of(&f);
}

/* Half of the rules over tables, half over paths. */
static struct pol_image *vendor(unsigned n)
{
	static struct pol_rule_src rule[RULES_MAX];
	static struct pol_obs_match match[RULES_MAX];
	static struct pol_attr attr[RULES_MAX];
	static struct pol_range range[RULES_MAX];
	static char name[RULES_MAX][16], path[RULES_MAX][32];
	static const char *text[RULES_MAX];
	static const uint16_t party[1] = {0};
	static const struct pol_limit_phrase limit[2] = {
		{.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
		 .n = UINT64_C(1) << 50, .window = WINDOW_DAY,
		 .text = "many readings per day"},
		{.kind = LIMIT_BUCKET, .thing = THING_MESSAGES,
		 .n = 1000000000, .burst = 1000000000, .window_ns = NS_PER_S,
		 .text = "many messages per s"}};
	struct pol_prefix addr = {.len = 96 + 24};
	struct pol_port port = {.proto = 6, .lo = 1153, .hi = 1153};
	struct pol_party_src p = {.id = "headend", .name = "H",
				  .addr = &addr, .n_addr = 1, .port = &port,
				  .n_port = 1};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .party = &p, .n_party = 1, .rule = rule,
			     .n_rule = n};

	addr.addr.b[10] = addr.addr.b[11] = 0xff;
	addr.addr.b[12] = 203;
	for (unsigned i = 0; i < n; i++) {
		bool table = i % 2 == 0;

		snprintf(name[i], sizeof(name[i]), "rule-%03u", i);
		snprintf(path[i], sizeof(path[i]), "/site/point-%u/*", i);
		text[i] = path[i];
		range[i] = (struct pol_range){i, i};
		attr[i] = (struct pol_attr){
			.field = table ? F_TABLE : F_HREF,
			.num = &range[i], .n_num = table,
			.text = &text[i], .n_text = !table};
		match[i] = (struct pol_obs_match){
			.kinds = kind(table ? OBS_C1222_READ_RESPONSE :
					      OBS_OBIX_READ_RESPONSE),
			.attr = &attr[i], .n_attr = 1};
		rule[i] = (struct pol_rule_src){
			.kind = RULE_GRANT, .id = name[i], .dir = DIRSEL_OUT,
			.party = {.party = party, .n_party = 1},
			.match = &match[i], .n_match = 1,
			.data = {.present = true,
				 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
				 .has_gran = true,
				 .gran_lo_ns = 1800 * NS_PER_S,
				 .has_history = true,
				 .history_ns = 35 * 86400 * NS_PER_S},
			.limit = &limit[i / 2 % 2], .n_limit = 1};
	}
	return image_of(&f);
}

#define MSGS 8

struct bench {
	struct pol_set *set;
	struct pol_state *st;
	struct obs carrier, leaf[MSGS];
	struct pol_msg m[MSGS];
	char path[MSGS][32];
};

static void prepare(struct bench *b, unsigned n)
{
	const struct pol_image *im[] = {baseline(), customer(), vendor(n)};
	struct now now = {{NS_PER_S}, {INT64_C(1775000000) * US_PER_S, 0, 0,
				       true}};
	struct err e = {0};

	if (pol_set_new(&b->set, im, 3, &e) ||
	    pol_state_new(&b->st, b->set, &e))
		die("set", &e);
	b->carrier = (struct obs){.kind = OBS_C1222_MESSAGE};
	for (unsigned i = 0; i < MSGS; i++) {
		struct obs *o = &b->leaf[i];
		unsigned rule = i * (n / MSGS);

		*o = (struct obs){.kind = rule % 2 ? OBS_OBIX_READ_RESPONSE :
						     OBS_C1222_READ_RESPONSE};
		snprintf(b->path[i], sizeof(b->path[i]), "/site/point-%u/now",
			 rule);
		if (rule % 2)
			obs_span(o, F_HREF, span_str(b->path[i]));
		else
			obs_u64(o, F_TABLE, rule);
		obs_u64(o, F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_INTERVAL));
		obs_u64(o, F_GRANULARITY, 1800);
		obs_u64(o, F_VALUES, 48);
		obs_i64(o, F_OLDEST, wall_s(now.wall) - 90000);
		obs_i64(o, F_NEWEST, wall_s(now.wall) - 7200);
		b->m[i] = (struct pol_msg){
			.dir = DIR_OUT, .message = &b->carrier, .leaves = o,
			.n_leaves = 1, .octets = 460, .now = now, .flow = 1,
			.peer = {.machine = -1, .port = 1153, .proto = 6}};
		b->m[i].peer.addr.b[10] = b->m[i].peer.addr.b[11] = 0xff;
		b->m[i].peer.addr.b[12] = 203;
		b->m[i].peer.addr.b[15] = 7;
	}
}

static double run(struct bench *b)
{
	static struct pol_decision d;
	double t = now_ns();

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pol_msg *m = &b->m[i % MSGS];

		m->now.mono.ns += 1000;
		pol_judge(b->st, m, &d);
		pol_commit(b->st);
		if (!d.permit) {
			fprintf(stderr, "bench_eval: refused: %s\n", d.text);
			exit(2);
		}
	}
	return (now_ns() - t) / ROUNDS;
}

static double yardstick(void)
{
	struct sipkey key = {1, 2};
	uint8_t buf[64] = {0};
	double t = now_ns();

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t h = siphash24(&key, span_of(buf, sizeof(buf)));

		memcpy(buf, &h, sizeof(h));
	}
	return (now_ns() - t) / ROUNDS;
}

int main(void)
{
	static struct bench few, many;
	double a[RUNS], b[RUNS], y[RUNS];

	prepare(&few, 10);
	prepare(&many, RULES_MAX);
	run(&few);
	run(&many);
	for (int i = 0; i < RUNS; i++) { /* by turns, so that both suffer */
		y[i] = yardstick();
		a[i] = run(&few);
		b[i] = run(&many);
	}
	printf("{\"judge_10_rules_ns\": %.1f, \"judge_250_rules_ns\": %.1f, "
	       "\"ratio\": %.3f, \"siphash_64_ns\": %.1f, "
	       "\"state_octets\": %zu}\n",
	       median(a, RUNS), median(b, RUNS), median(b, RUNS) / median(a, RUNS), median(y, RUNS),
	       pol_state_size(many.st));
	return 0;
}
