/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

/* --- the household of these tests ---------------------------------------- */

static const uint16_t headend[] = {0}, by_ask[] = {0};
static const uint16_t needs[] = {0, POL_STATE_BUILTIN + BUILTIN_ATTESTED};
static const uint16_t expired[] = {POL_STATE_BUILTIN + BUILTIN_POLICY_EXPIRED};
static const uint16_t not_q[] = {1};
static const char *const vm_mdma[] = {"mdma"};

static struct pol_range t23 = {23, 23}, t24 = {24, 24}, t25 = {25, 25},
			t26 = {26, 26}, t64 = {64, 64}, t112 = {112, 112},
			t28 = {28, 28}, t90 = {90, 95};

#define TABLE(r) {.field = F_TABLE, .num = &(r), .n_num = 1}
static const struct pol_attr a23 = TABLE(t23), a24 = TABLE(t24),
			     a25 = TABLE(t25), a26 = TABLE(t26),
			     a64 = TABLE(t64), a112 = TABLE(t112),
			     a28 = TABLE(t28), a90 = TABLE(t90);

static struct pol_obs_match match_of(enum obs_kind k, const struct pol_attr *a)
{
	return (struct pol_obs_match){.kinds = kit_kind(k), .attr = a,
				      .n_attr = a != NULL};
}

static struct pol_rule_src grant(const char *id, enum pol_dirsel dir,
				 const struct pol_obs_match *m, meas_set meas)
{
	return (struct pol_rule_src){
		.kind = RULE_GRANT, .id = id, .dir = dir,
		.party = {.party = headend, .n_party = 1}, .match = m,
		.n_match = 1, .data = {.present = meas != 0, .meas = meas}};
}

enum { ASK, BILL, BUSY, CTRL, DAILY, HOURS, MANY, PLAIN, PROFILE, REGS,
	N_GRANTS };

struct house {
	struct pol_obs_match m[N_GRANTS + 1], any;
	struct pol_rule_src rule[N_GRANTS + 1];
	struct pol_limit_phrase lim[4];
	struct pol_party_src party[2];
	struct pol_prefix net, net2;
	struct pol_port port;
	struct pol_state_src state[2];
	struct pol_file vendor, base, customer;
	struct pol_rule_src ceiling, deny, restricts[3];
	struct pol_floor_src floor;
};

static void vendor_rules(struct house *h)
{
	h->m[ASK] = match_of(OBS_C1222_READ_REQUEST, NULL);
	h->m[BILL] = match_of(OBS_C1222_READ_RESPONSE, &a25);
	h->m[BUSY] = match_of(OBS_C1222_LOGON_REQUEST, NULL);
	h->m[CTRL] = match_of(OBS_C1222_WRITE_REQUEST, &a112);
	h->m[DAILY] = match_of(OBS_C1222_READ_RESPONSE, &a24);
	h->m[HOURS] = match_of(OBS_C1222_READ_RESPONSE, &a26);
	h->m[MANY] = match_of(OBS_C1222_READ_RESPONSE, &a28);
	h->m[PLAIN] = match_of(OBS_C1222_READ_RESPONSE, &a90);
	h->m[PROFILE] = match_of(OBS_C1222_READ_RESPONSE, &a64);
	h->m[REGS] = match_of(OBS_C1222_READ_RESPONSE, &a23);
	h->rule[ASK] = grant("ask", DIRSEL_IN, &h->m[ASK], 0);
	h->rule[BILL] = grant("bill", DIRSEL_OUT, &h->m[BILL],
			      MEAS_BIT(MEAS_ENERGY_REGISTER));
	h->rule[BILL].has_answers = true;
	h->rule[BILL].answers = by_ask;
	h->rule[BILL].n_answers = 1;
	h->rule[BUSY] = grant("busy", DIRSEL_OUT, &h->m[BUSY], 0);
	h->rule[BUSY].forbids = not_q;
	h->rule[BUSY].n_forbids = 1;
	h->rule[CTRL] = grant("ctrl", DIRSEL_IN, &h->m[CTRL],
			      MEAS_BIT(MEAS_CONTROL_LOAD));
	h->rule[CTRL].data.has_value = true;
	h->rule[CTRL].data.value_unit = UNIT_S;
	h->rule[CTRL].data.value_hi = 7200000;
	h->rule[DAILY] = grant("daily", DIRSEL_OUT, &h->m[DAILY],
			       MEAS_BIT(MEAS_ENERGY_REGISTER));
	h->rule[DAILY].requires_ = needs;
	h->rule[DAILY].n_requires = 2;
	h->rule[HOURS] = grant("hours", DIRSEL_OUT, &h->m[HOURS],
			       MEAS_BIT(MEAS_ENERGY_REGISTER));
	h->rule[HOURS].when = (struct pol_when){
		.present = true, .has_between = true, .from_min = 23 * 60,
		.to_min = 60};
	h->rule[MANY] = grant("many", DIRSEL_OUT, &h->m[MANY],
			      MEAS_BIT(MEAS_POWER_INSTANT));
	h->rule[MANY].data.has_channels = true;
	h->rule[MANY].data.channels = 2;
	h->rule[PLAIN] = grant("plain", DIRSEL_OUT, &h->m[PLAIN], 0);
	h->rule[PROFILE] = grant("profile", DIRSEL_OUT, &h->m[PROFILE],
				 MEAS_BIT(MEAS_ENERGY_INTERVAL));
	h->rule[PROFILE].consent = CONSENT_OPT_IN;
	h->rule[PROFILE].data.has_gran = true;
	h->rule[PROFILE].data.gran_lo_ns = MIN(30);
	h->rule[PROFILE].data.has_history = true;
	h->rule[PROFILE].data.history_ns = D(35);
	h->rule[PROFILE].data.has_delay = true;
	h->rule[PROFILE].data.delay_ns = H(6);
	h->rule[REGS] = grant("regs", DIRSEL_OUT, &h->m[REGS],
			      MEAS_BIT(MEAS_ENERGY_REGISTER));
	h->rule[REGS].data.has_res = true;
	h->rule[REGS].data.res_unit = UNIT_WH;
	h->rule[REGS].data.res_milli = 1000000;
	h->rule[REGS].limit = h->lim;
	h->rule[REGS].n_limit = 2;
	h->rule[REGS].exceed = (struct pol_action_src){ACTION_DEFER, H(1)};
	h->lim[0] = (struct pol_limit_phrase){
		.kind = LIMIT_SPACING, .window_ns = H(20),
		.text = "at least 20 h apart"};
	h->lim[1] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		.window = WINDOW_DAY, .text = "1 reading per day"};
}

static void fill_vendor(struct house *h)
{
	vendor_rules(h);
	h->net = kit_net(203, 0, 113, 0, 28);
	h->net2 = kit_net(198, 51, 100, 0, 24);
	h->port = (struct pol_port){6, 1153, 1153};
	h->party[0] = (struct pol_party_src){
		.id = "headend", .name = "H", .addr = &h->net, .n_addr = 1,
		.port = &h->port, .n_port = 1};
	h->party[1] = (struct pol_party_src){
		.id = "titled", .name = "T", .addr = &h->net2, .n_addr = 1,
		.aptitle = span_of("\x60\x01", 2)};
	h->state[0] = (struct pol_state_src){
		.id = "registered", .scope = SCOPE_PARTY,
		.set = {DIRSEL_IN, 0, &h->m[ASK], 1}, .has_clear = true,
		.clear = {DIRSEL_OUT, 0, &h->m[REGS], 1},
		.expires_ns = H(1)};
	h->state[1] = (struct pol_state_src){
		.id = "talking", .scope = SCOPE_FLOW,
		.set = {DIRSEL_IN, 0, &h->m[ASK], 1}, .expires_ns = H(1)};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .unique = true,
		.id = "v", .vm = "mdma", .path = "v.yaml",
		.party = h->party, .n_party = 2, .rule = h->rule,
		.n_rule = N_GRANTS, .state = h->state, .n_state = 2};
}

static void fill(struct house *h)
{
	memset(h, 0, sizeof(*h));
	fill_vendor(h);
	h->any.kinds = (struct pol_kinds){{~UINT64_C(0), ~UINT64_C(0)}};
	h->ceiling = (struct pol_rule_src){
		.kind = RULE_CEILING, .id = "top", .dir = DIRSEL_ANY,
		.party.any = true, .vm = {.vm = vm_mdma, .n_vm = 1},
		.match = &h->any, .n_match = 1,
		.data = {.present = true,
			 .meas = MEAS_ALL & ~MEAS_BIT(MEAS_SIGNAL_SPECTRUM),
			 .has_gran = true, .gran_lo_ns = MIN(15)}};
	h->deny = (struct pol_rule_src){
		.kind = RULE_DENY, .id = "no-waveforms", .dir = DIRSEL_OUT,
		.party.any = true, .vm.any = true,
		.message = "Waveforms never leave.",
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)}};
	h->restricts[0] = (struct pol_rule_src){ /* ceiling and denial */
		.kind = 0};
	h->base = (struct pol_file){.kind = POL_BASELINE, .unique = true,
				    .id = "b"};
	h->customer = (struct pol_file){.kind = POL_CUSTOMER, .unique = true,
					.id = "c"};
}

static struct pol_rule_src base_rules[2];

/* Vendor and baseline; with the customer's file when it has rules. */
static void start(struct kit *k, struct house *h)
{
	memset(k, 0, sizeof(*k));
	base_rules[0] = h->ceiling;
	base_rules[1] = h->deny;
	h->base.rule = base_rules;
	h->base.n_rule = 2;
	if (kit_add(k, &h->vendor) || kit_add(k, &h->base) ||
	    (h->customer.n_rule && kit_add(k, &h->customer)) || kit_go(k))
		fail_msg("%s", k->e.text);
}

/* --- each reason --------------------------------------------------------- */

struct given { /* what a case changes of a permitted reading of table 23 */
	enum dir dir;
	enum obs_kind kind;
	uint64_t table;
	meas_set meas;
	uint64_t gran, step, channels;
	int64_t oldest_h, newest_h, value_s; /* 0: unknown */
	bool bare; /* no observation in it */
	bool forged, untrusted, elsewhere, other_port, titled, wrong_title;
	enum reason refused;
	const char *state;
	bool attested, granted, registered;
	int64_t wait_ns;
};

#define READ .kind = OBS_C1222_READ_RESPONSE
#define REG  .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)
#define KWH  .step = 1000000
#define PROF                                                                   \
	READ, .table = 64, .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),            \
		.granted = true
static const uint8_t title_ok[] = {0x60, 0x01}, title_bad[] = {0x60, 0x02};

static struct pol_msg message_of(struct kit *k, const struct given *g)
{
	struct pol_msg m = kit_msg(k, g->dir, g->kind);
	struct obs *o = &k->leaf[0];
	int64_t now = wall_s(k->now.wall);

	m.now.wall.trusted = !g->untrusted;
	m.forged_source = g->forged;
	m.refused = g->refused;
	if (g->bare)
		m.n_leaves = 0;
	if (g->elsewhere)
		m.peer.addr = kit_net(192, 0, 2, 1, 32).addr;
	if (g->other_port)
		m.peer.port = 80;
	if (g->titled || g->wrong_title) {
		m.peer.addr = kit_net(198, 51, 100, 9, 32).addr;
		m.peer.aptitle = span_of(g->wrong_title ? title_bad : title_ok,
					 2);
	}
	if (g->table)
		obs_u64(o, F_TABLE, g->table);
	if (g->meas)
		obs_u64(o, F_MEASUREMENT, g->meas);
	if (g->gran)
		obs_u64(o, F_GRANULARITY, g->gran);
	if (g->step) {
		obs_u64(o, F_RES_STEP, g->step);
		obs_u64(o, F_RES_UNIT, UNIT_WH);
	}
	if (g->channels)
		obs_u64(o, F_CHANNELS, g->channels);
	if (g->oldest_h)
		obs_i64(o, F_OLDEST, now - 3600 * g->oldest_h);
	if (g->newest_h)
		obs_i64(o, F_NEWEST, now - 3600 * g->newest_h);
	if (g->value_s) {
		obs_u64(o, F_RES_UNIT, UNIT_S);
		obs_i64(o, F_VALUE_MIN, g->value_s * 1000);
		obs_i64(o, F_VALUE_MAX, g->value_s * 1000);
	}
	return m;
}

static void give(struct kit *k, const struct given *g)
{
	if (g->granted)
		assert_int_equal(pol_state_consent(k->st, 0,
						   span_str("v/profile"),
						   true), 0);
	if (g->attested)
		assert_int_equal(pol_state_set(k->st, 0, span_str("attested"),
					       (struct span){0}, true, k->now),
				 0);
	if (g->registered)
		assert_int_equal(pol_state_set(k->st, 0,
					       span_str("registered"),
					       span_str("headend"), true,
					       k->now), 0);
	if (g->state)
		assert_int_equal(pol_state_set(k->st, 0, span_str(g->state),
					       (struct span){0}, true, k->now),
				 0);
}

static const struct {
	const char *why;
	struct given g;
	enum reason want; /* NONE: permitted */
} reasons[] = {
	{"a register in whole kWh", {READ, .table = 23, REG, KWH}, 0},
	{"in 2 kWh", {READ, .table = 23, REG, .step = 2000000}, 0},
	{"forged", {READ, .table = 23, REG, KWH, .forged = true},
	 REASON_SPOOFED_SOURCE},
	{"quarantine", {READ, .table = 23, REG, KWH,
			.state = "quarantined"},
	 REASON_QUARANTINED},
	{"another address", {READ, .table = 23, REG, KWH,
			     .elsewhere = true},
	 REASON_UNKNOWN_PARTY},
	{"another port", {READ, .table = 23, REG, KWH,
			  .other_port = true},
	 REASON_UNKNOWN_PARTY},
	{"another title", {READ, .table = 23, REG, KWH,
			   .wrong_title = true},
	 REASON_PARTY_IDENTITY},
	{"the right title, but no rule for it",
	 {READ, .table = 23, REG, KWH, .titled = true},
	 REASON_NO_GRANT},
	{"refused by the dissector", {READ, .table = 23, REG, KWH,
				      .refused = REASON_MALFORMED},
	 REASON_MALFORMED},
	{"sealed", {.kind = OBS_OPAQUE}, REASON_OPAQUE},
	{"sealed under a key not held", {.kind = OBS_OPAQUE,
					 .refused = REASON_UNKNOWN_KEY},
	 REASON_OPAQUE},
	{"a message that says nothing", {READ, .bare = true},
	 REASON_NO_GRANT},
	{"denied", {READ, .table = 23, KWH,
		    .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)},
	 REASON_DENIED},
	{"no rule for the table", {READ, .table = 99, REG, KWH},
	 REASON_NO_GRANT},
	{"table unknown", {READ, REG, KWH}, REASON_NO_GRANT},
	{"the other direction", {READ, .dir = DIR_IN, .table = 23,
				 REG, KWH}, REASON_NO_GRANT},
	{"one type more than granted",
	 {READ, .table = 23, KWH,
	  .meas = MEAS_BIT(MEAS_ENERGY_REGISTER) |
		  MEAS_BIT(MEAS_POWER_PEAK)}, REASON_NO_GRANT},
	{"what it is about is no measurement",
	 {READ, .table = 23, KWH,
	  .meas = MEAS_BIT(MEAS_ENERGY_REGISTER) |
		  MEAS_BIT(MEAS_STATUS_DEVICE)}, 0},
	{"no measurement, rule with data", {READ, .table = 23},
	 REASON_NO_GRANT},
	{"a measurement, rule without data",
	 {READ, .table = 90, REG, KWH}, REASON_NO_GRANT},
	{"neither", {READ, .table = 90}, 0},
	{"baseline silent", {READ, .table = 90,
			     .meas = MEAS_BIT(MEAS_SIGNAL_SPECTRUM)},
	 REASON_NO_GRANT},
	{"unknown data need a rule that names them",
	 {READ, .table = 90, .meas = MEAS_BIT(MEAS_UNKNOWN_TABLE)},
	 REASON_NO_GRANT},
	{"10 Wh", {READ, .table = 23, REG, .step = 10000},
	 REASON_TOO_PRECISE},
	{"1.5 kWh", {READ, .table = 23, REG, .step = 1500000},
	 REASON_TOO_PRECISE},
	{"resolution unknown", {READ, .table = 23, REG},
	 REASON_TOO_PRECISE},
	{"not asked", {READ, .table = 25, REG}, REASON_NOT_AN_ANSWER},
	{"not registered", {READ, .table = 24, REG, .attested = true},
	 REASON_STATE_MISSING},
	{"not attested", {READ, .table = 24, REG, .registered = true},
	 REASON_STATE_MISSING},
	{"both", {READ, .table = 24, REG, .registered = true,
		  .attested = true}, 0},
	{"noon is not night", {READ, .table = 26, REG},
	 REASON_NOT_NOW},
	{"23:30", {READ, .table = 26, REG, .wait_ns = MIN(11 * 60 + 30)},
	 0},
	{"00:59", {READ, .table = 26, REG, .wait_ns = MIN(12 * 60 + 59)},
	 0},
	{"01:00", {READ, .table = 26, REG, .wait_ns = H(13)},
	 REASON_NOT_NOW},
	{"clock not trusted", {READ, .table = 26, REG,
			       .wait_ns = MIN(11 * 60 + 30),
			       .untrusted = true},
	 REASON_CLOCK_UNTRUSTED},
	{"half hours", {PROF, .gran = 1800, .oldest_h = 24,
			.newest_h = 7}, 0},
	{"not consented", {READ, .table = 64, .gran = 1800,
			   .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			   .oldest_h = 24, .newest_h = 7},
	 REASON_NO_CONSENT},
	{"quarter hours", {PROF, .gran = 900, .oldest_h = 24,
			   .newest_h = 7}, REASON_TOO_FINE},
	{"interval unknown", {PROF, .oldest_h = 24, .newest_h = 7},
	 REASON_TOO_FINE},
	{"36 days", {PROF, .gran = 1800, .oldest_h = 36 * 24,
		     .newest_h = 7}, REASON_TOO_FAR_BACK},
	{"35 days", {PROF, .gran = 1800, .oldest_h = 35 * 24,
		     .newest_h = 7}, 0},
	{"age unknown", {PROF, .gran = 1800, .newest_h = 7},
	 REASON_TOO_FAR_BACK},
	{"5 h", {PROF, .gran = 1800, .oldest_h = 24, .newest_h = 5},
	 REASON_TOO_FRESH},
	{"6 h", {PROF, .gran = 1800, .oldest_h = 24, .newest_h = 6},
	 0},
	{"newest unknown", {PROF, .gran = 1800, .oldest_h = 24},
	 REASON_TOO_FRESH},
	{"2 h off", {.dir = DIR_IN, .kind = OBS_C1222_WRITE_REQUEST,
		     .table = 112, .value_s = 7200,
		     .meas = MEAS_BIT(MEAS_CONTROL_LOAD)}, 0},
	{"3 h off", {.dir = DIR_IN, .kind = OBS_C1222_WRITE_REQUEST,
		     .table = 112, .value_s = 10800,
		     .meas = MEAS_BIT(MEAS_CONTROL_LOAD)},
	 REASON_OUT_OF_RANGE},
	{"off for an unknown time",
	 {.dir = DIR_IN, .kind = OBS_C1222_WRITE_REQUEST,
	  .table = 112, .meas = MEAS_BIT(MEAS_CONTROL_LOAD)},
	 REASON_OUT_OF_RANGE},
	{"2 channels", {READ, .table = 28, .channels = 2,
			.meas = MEAS_BIT(MEAS_POWER_INSTANT)}, 0},
	{"3 channels", {READ, .table = 28, .channels = 3,
			.meas = MEAS_BIT(MEAS_POWER_INSTANT)},
	 REASON_TOO_MANY},
	{"channels unknown", {READ, .table = 28,
			      .meas = MEAS_BIT(MEAS_POWER_INSTANT)},
	 REASON_TOO_MANY},
};

static void test_reasons(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct pol_msg m;

		fill(&h);
		start(&k, &h);
		give(&k, &reasons[i].g);
		kit_wait(&k, reasons[i].g.wait_ns);
		m = message_of(&k, &reasons[i].g);
		kit_judge(&k, &m, &d);
		if (d.permit != (reasons[i].want == REASON_NONE) ||
		    (!d.permit && !reasons_has(&d.reasons, reasons[i].want)))
			fail_msg("%s: %s because %s (%s)", reasons[i].why,
				 d.permit ? "permitted" : "refused",
				 reason_text(d.reason), d.text);
		if (!d.permit && d.text[0] == 0)
			fail_msg("%s: no text", reasons[i].why);
		kit_free(&k);
	}
}

/* --- time and budgets ---------------------------------------------------- */

static const struct given reg = {READ, .table = 23, REG, KWH};

static void expect(struct kit *k, const struct given *g, enum reason want,
		   const char *why)
{
	struct pol_msg m = message_of(k, g);
	struct pol_decision d;

	kit_judge(k, &m, &d);
	if (d.permit != (want == REASON_NONE) ||
	    (!d.permit && !reasons_has(&d.reasons, want)))
		fail_msg("%s: %s because %s (%s)", why,
			 d.permit ? "permitted" : "refused",
			 reason_text(d.reason), d.text);
}

static void test_limits_of_a_rule(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	expect(&k, &reg, 0, "first");
	expect(&k, &reg, REASON_TOO_SOON, "at once again");
	expect(&k, &reg, REASON_LIMIT_EXCEEDED, "and over the day's one");
	kit_wait(&k, H(20) - 1);
	expect(&k, &reg, REASON_TOO_SOON, "1 ns before 20 h");
	kit_wait(&k, 1); /* 08:00 of the next day */
	expect(&k, &reg, 0, "20 h");
	kit_wait(&k, H(19));
	m = message_of(&k, &reg); /* 03:00: only the spacing is in the way */
	kit_judge(&k, &m, &d);
	assert_false(d.permit);
	assert_int_equal(d.action, POL_DEFER); /* 1 h is not over 1 h */
	assert_int_equal(d.wait_ns, H(1));
	assert_true(d.would_pass.n > 0);
	kit_free(&k);
}

static void test_calendar(void **ctx)
{
	static struct house h;
	static struct kit k;

	(void)ctx;
	fill(&h);
	h.rule[REGS].limit = &h.lim[1];
	h.rule[REGS].n_limit = 1;
	start(&k, &h);
	kit_wait(&k, H(12) - S(1));
	expect(&k, &reg, 0, "23:59:59");
	expect(&k, &reg, REASON_LIMIT_EXCEEDED, "again");
	kit_wait(&k, S(1));
	expect(&k, &reg, 0, "midnight is another day");
	k.now.wall.us -= 86400 * US_PER_S;
	expect(&k, &reg, REASON_LIMIT_EXCEEDED, "a window once left");
	k.now.wall.us += 86400 * US_PER_S;
	expect(&k, &reg, REASON_LIMIT_EXCEEDED, "and back");
	k.now.wall.us += 86400 * US_PER_S;
	expect(&k, &reg, 0, "a trusted step forwards");
	k.now.wall.us += 2 * 86400 * US_PER_S;
	{
		struct given g = reg;

		g.untrusted = true;
		expect(&k, &g, REASON_LIMIT_EXCEEDED, "an untrusted one");
		k.now.mono.ns += H(12);
		expect(&k, &g, 0, "half a day of the stepless clock bears it");
		k.now.mono.ns += H(24) - 1;
		expect(&k, &g, REASON_LIMIT_EXCEEDED, "wall clock stands");
		k.now.mono.ns += 1;
		expect(&k, &g, 0, "a nominal day by the stepless clock");
	}
	kit_free(&k);
}

/* Standard time all year: in summer a day begins at 01:00 civil time. */
static void test_standard_time(void **ctx)
{
	static struct house h;
	static struct kit k;

	(void)ctx;
	fill(&h);
	h.rule[REGS].limit = &h.lim[1];
	h.rule[REGS].n_limit = 1;
	start(&k, &h);
	k.now.wall.std_off_s = 3600;
	k.now.wall.civil_off_s = 7200;
	kit_wait(&k, H(11) - S(1)); /* 23:59:59 standard, 00:59:59 civil */
	expect(&k, &reg, 0, "before");
	kit_wait(&k, S(1));
	expect(&k, &reg, 0, "after");
	expect(&k, &reg, REASON_LIMIT_EXCEEDED, "again");
	kit_free(&k);
}

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Against the definitions, by the list of what was let through. */
static void test_windows_by_definition(void **ctx)
{
	static const struct pol_limit_phrase kinds[] = {
		{.kind = LIMIT_SLIDING, .thing = THING_MESSAGES, .n = 5,
		 .window = WINDOW_SLIDING, .window_ns = S(600), .text = "w"},
		{.kind = LIMIT_BUCKET, .thing = THING_MESSAGES, .n = 7,
		 .burst = 3, .window_ns = S(100), .text = "b"},
		{.kind = LIMIT_SPACING, .window_ns = S(50), .text = "s"},
	};
	static int64_t at[4000];
	static struct house h;
	static struct kit k;
	uint64_t seed = 20261125;

	(void)ctx;
	for (int kind = 0; kind < 3; kind++) {
		const struct pol_limit_phrase *l = &kinds[kind];
		size_t n = 0, refused = 0;

		fill(&h);
		h.rule[REGS].limit = l;
		h.rule[REGS].n_limit = 1;
		start(&k, &h);
		for (int i = 0; i < 3000; i++) {
			struct pol_msg m;
			struct pol_decision d;
			int64_t now, exact = 0, early = 0;

			kit_wait(&k, (int64_t)(rnd(&seed) %
					       (uint64_t)S(kind == 1 ? 20 :
								       90)));
			now = k.now.mono.ns;
			m = message_of(&k, &reg);
			kit_judge(&k, &m, &d);
			for (size_t j = 0; j < n; j++) {
				exact += at[j] > now - l->window_ns;
				early += at[j] > now - l->window_ns -
							 l->window_ns / 60;
			}
			if (l->kind == LIMIT_SLIDING &&
			    (d.permit ? exact >= 5 : early < 5))
				fail_msg("seed 20261125, step %d: %d of %d", i,
					 (int)exact, (int)early);
			if (l->kind == LIMIT_SPACING && d.permit != (exact == 0))
				fail_msg("seed 20261125, step %d", i);
			/* most(H) = B + floor(H N / W) for every interval
			 * that ends here */
			for (size_t j = 0; l->kind == LIMIT_BUCKET && d.permit &&
			     j < n; j++)
				assert_true((int64_t)(n - j + 1) <=
					    3 + (now - at[j]) * 7 / S(100) + 1);
			if (d.permit)
				at[n++] = now;
			else
				refused++;
		}
		assert_true(n > 100 && refused > 100);
		kit_free(&k);
	}
}

/* A burst is whole also where its window is no multiple of its count: 3600 s
 * are not seven times a number of nanoseconds. */
static void test_a_burst_is_whole(void **ctx)
{
	static struct house h;
	static struct kit k;

	(void)ctx;
	for (uint64_t burst = 1; burst <= 6; burst++) {
		struct pol_limit_phrase l = {
			.kind = LIMIT_BUCKET, .thing = THING_MESSAGES, .n = 7,
			.burst = burst, .window = WINDOW_SLIDING,
			.window_ns = H(1), .text = "7 messages per 1 h"};

		fill(&h);
		h.rule[REGS].limit = &l;
		h.rule[REGS].n_limit = 1;
		start(&k, &h);
		for (uint64_t i = 0; i < burst; i++)
			expect(&k, &reg, 0, "within the burst");
		expect(&k, &reg, REASON_LIMIT_EXCEEDED, "one more");
		kit_wait(&k, H(1) / 7 + 1);
		expect(&k, &reg, 0, "a seventh of the hour later");
		expect(&k, &reg, REASON_LIMIT_EXCEEDED, "and one more");
		kit_free(&k);
	}
}

static void test_distinct(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given g = {READ, .table = 90};
	struct pol_limit_phrase l = {
		.kind = LIMIT_DISTINCT, .n = 2, .distinct = F_TABLE,
		.window = WINDOW_DAY, .text = "at most 2 distinct table"};

	(void)ctx;
	fill(&h);
	h.rule[PLAIN].limit = &l;
	h.rule[PLAIN].n_limit = 1;
	start(&k, &h);
	expect(&k, &g, 0, "90");
	expect(&k, &g, 0, "90 again");
	g.table = 91;
	expect(&k, &g, 0, "91");
	g.table = 92;
	expect(&k, &g, REASON_LIMIT_EXCEEDED, "a third");
	g.table = 90;
	expect(&k, &g, 0, "one of the two");
	kit_wait(&k, H(12));
	g.table = 92;
	expect(&k, &g, 0, "the next day");
	kit_free(&k);
}

/* Over everything, in each layer: what shows no table, as a frame or a logon,
 * takes no place of one; what should name one and does not takes one. */
static void test_distinct_over_all(void **ctx)
{
	static const char *const where[] = {"vendor", "baseline", "customer"};
	struct given on = {.dir = DIR_OUT, .kind = OBS_C1222_LOGON_REQUEST};
	struct given g = {READ}, ask = {.dir = DIR_IN,
					.kind = OBS_C1222_READ_REQUEST};
	struct pol_limit_src top = {
		.id = "few", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_DISTINCT, .n = 2,
			   .distinct = F_TABLE, .window = WINDOW_DAY,
			   .text = "at most 2 distinct table per day"}};

	(void)ctx;
	for (int i = 0; i < 3; i++) {
		static struct house h;
		static struct kit k;
		struct pol_file *of = i == 0 ? &h.vendor : &h.base;

		fill(&h);
		if (i < 2) {
			of->limit = &top;
			of->n_limit = 1;
		} else {
			h.restricts[0] = (struct pol_rule_src){
				.kind = RULE_RESTRICT, .id = "few",
				.dir = DIRSEL_OUT, .party.any = true,
				.vm.any = true, .limit = &top.phrase,
				.n_limit = 1};
			h.customer.rule = h.restricts;
			h.customer.n_rule = 1;
		}
		start(&k, &h);
		expect(&k, &on, 0, where[i]);
		g.table = 90;
		expect(&k, &g, 0, where[i]);
		expect(&k, &on, 0, where[i]);
		g.table = 91;
		expect(&k, &g, 0, where[i]);
		g.table = 92;
		expect(&k, &g, REASON_LIMIT_EXCEEDED, where[i]);
		expect(&k, &on, 0, where[i]);
		/* The customer's are about what goes out. */
		expect(&k, &ask, i < 2 ? REASON_LIMIT_EXCEEDED : 0, where[i]);
		kit_free(&k);
	}
}

/* --- states, answers, transactions --------------------------------------- */

static void test_answers(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given ask = {.dir = DIR_IN, .kind = OBS_C1222_READ_REQUEST,
			    .table = 25};
	struct given bill = {READ, .table = 25, REG};
	struct pol_msg m;
	struct pol_decision d;
	uint64_t id;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	expect(&k, &ask, 0, "ask");
	expect(&k, &bill, 0, "answer");
	expect(&k, &bill, REASON_NOT_AN_ANSWER, "at most once");
	expect(&k, &ask, 0, "ask");
	kit_wait(&k, S(120));
	expect(&k, &bill, 0, "120 s later");
	expect(&k, &ask, 0, "ask");
	kit_wait(&k, S(120) + 1);
	expect(&k, &bill, REASON_NOT_AN_ANSWER, "too late");
	/* By invocation id, from another connection. */
	m = message_of(&k, &ask);
	obs_u64(&k.carrier, F_CALLING_INV, 77);
	assert_true(kit_judge(&k, &m, &d));
	id = d.request_id;
	m = message_of(&k, &bill);
	m.flow = 2;
	obs_u64(&k.carrier, F_CALLED_INV, 78);
	assert_false(kit_judge(&k, &m, &d));
	m = message_of(&k, &bill);
	m.flow = 2;
	obs_u64(&k.carrier, F_CALLED_INV, 77);
	assert_true(kit_judge(&k, &m, &d));
	m.answer_to = id;
	assert_false(kit_judge(&k, &m, &d)); /* used */
	/* But to nobody else. */
	m = message_of(&k, &ask);
	obs_u64(&k.carrier, F_CALLING_INV, 79);
	assert_true(kit_judge(&k, &m, &d));
	m = kit_msg(&k, DIR_OUT, OBS_C1222_ERROR);
	m.peer.addr = h.net2.addr;
	m.peer.aptitle = h.party[1].aptitle;
	obs_u64(&k.carrier, F_CALLED_INV, 79);
	assert_false(kit_judge(&k, &m, &d));
	m = kit_msg(&k, DIR_OUT, OBS_C1222_ERROR);
	obs_u64(&k.carrier, F_CALLED_INV, 79);
	assert_true(kit_judge(&k, &m, &d));
	/* An error needs no rule, once. */
	m = message_of(&k, &ask);
	assert_true(kit_judge(&k, &m, &d));
	m = kit_msg(&k, DIR_OUT, OBS_C1222_ERROR);
	assert_true(kit_judge(&k, &m, &d));
	assert_false(kit_judge(&k, &m, &d));
	/* So does an err of oBIX, which says that it is one and nothing else. */
	for (unsigned i = 0; i < 4; i++) {
		m = message_of(&k, &ask);
		assert_true(kit_judge(&k, &m, &d));
		m = kit_msg(&k, DIR_OUT,
			    i == 3 ? OBS_OBIX_READ_REQUEST
				   : OBS_OBIX_READ_RESPONSE);
		if (i != 1)
			obs_flag(&k.leaf[0], F_ERR);
		if (i == 2)
			obs_u64(&k.leaf[0], F_MEASUREMENT,
				MEAS_BIT(MEAS_STATUS_DEVICE));
		assert_int_equal(kit_judge(&k, &m, &d), i == 0);
		m = kit_msg(&k, DIR_OUT, OBS_OBIX_READ_RESPONSE);
		obs_flag(&k.leaf[0], F_ERR);
		assert_int_equal(kit_judge(&k, &m, &d), i != 0); /* once */
	}
	/* 64 are kept; the oldest is forgotten. */
	for (int i = 0; i < 65; i++) {
		m = message_of(&k, &ask);
		obs_u64(&k.carrier, F_CALLING_INV, 1000 + (uint64_t)i);
		assert_true(kit_judge(&k, &m, &d));
	}
	m = message_of(&k, &bill);
	obs_u64(&k.carrier, F_CALLED_INV, 1000);
	assert_false(kit_judge(&k, &m, &d));
	m = message_of(&k, &bill);
	obs_u64(&k.carrier, F_CALLED_INV, 1001);
	assert_true(kit_judge(&k, &m, &d));
	kit_free(&k);
}

static void quarantine(struct kit *k, bool on)
{
	assert_int_equal(pol_state_set(k->st, 0, span_str("quarantined"),
				       (struct span){0}, on, k->now), 0);
}

/* A message that quarantine refuses clears what it would clear, if it is
 * genuine; and sets nothing. */
static void quarantine_clears(struct kit *k, const struct given *ask,
			      const struct given *daily,
			      const struct given *clears)
{
	static const struct {
		const char *why;
		bool forged, malformed, stays;
	} rows[] = {
		{"it clears", false, false, false},
		{"it is not the machine's", true, false, true},
		{"nobody can read it", false, true, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct given g = *clears;

		g.forged = rows[i].forged;
		g.refused = rows[i].malformed ? REASON_MALFORMED : REASON_NONE;
		expect(k, ask, 0, "registers");
		quarantine(k, true);
		expect(k, ask, REASON_QUARANTINED, "nothing passes");
		expect(k, &g, g.forged ? REASON_SPOOFED_SOURCE
				       : REASON_QUARANTINED, rows[i].why);
		quarantine(k, false);
		expect(k, daily, rows[i].stays ? REASON_NONE
					       : REASON_STATE_MISSING,
		       rows[i].why);
	}
	pol_close(k->st, 0, 1, k->now);
	kit_wait(k, H(2));
	quarantine(k, true);
	expect(k, ask, REASON_QUARANTINED, "refused, it sets nothing");
	quarantine(k, false);
	expect(k, daily, REASON_STATE_MISSING, "nothing was set");
}

static void test_states(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given ask = {.dir = DIR_IN, .kind = OBS_C1222_READ_REQUEST,
			    .table = 25};
	struct given daily = {READ, .table = 24, REG, .attested = true};
	struct given logon = {.kind = OBS_C1222_LOGON_REQUEST};
	struct given fine = {READ, .table = 23, REG, .step = 1};

	(void)ctx;
	fill(&h);
	start(&k, &h);
	give(&k, &daily);
	expect(&k, &logon, 0, "not talking yet");
	expect(&k, &daily, REASON_STATE_MISSING, "not registered");
	expect(&k, &ask, 0, "registers");
	expect(&k, &logon, REASON_STATE_FORBIDDEN, "talking");
	pol_close(k.st, 0, 1, k.now);
	expect(&k, &logon, 0, "dies with the connection");
	expect(&k, &daily, 0, "registered");
	kit_wait(&k, H(1) - 1);
	expect(&k, &daily, 0, "still");
	kit_wait(&k, 1);
	expect(&k, &daily, REASON_STATE_MISSING, "lapsed");
	expect(&k, &ask, 0, "registers again");
	expect(&k, &fine, REASON_TOO_PRECISE, "a refused one that clears");
	expect(&k, &daily, REASON_STATE_MISSING, "cleared all the same");
	quarantine_clears(&k, &ask, &daily, &fine);
	kit_free(&k);
}

static bool nothing_of(void *arg, const struct pol_total *t)
{
	(void)arg;
	if (t->hour[0] || t->day[0])
		fail_msg("%s in the ledger", t->unit);
	return true;
}

static void test_transaction(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given ask = {.dir = DIR_IN, .kind = OBS_C1222_READ_REQUEST,
			    .table = 25};
	struct given bill = {READ, .table = 25, REG};
	struct pol_decision d;
	struct pol_msg m;
	uint64_t *before;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	before = malloc(8 * (size_t)k.st->n_w);
	memcpy(before, k.st->w, 8 * (size_t)k.st->n_w);
	m = message_of(&k, &reg);
	pol_judge(k.st, &m, &d);
	assert_true(d.permit);
	m = message_of(&k, &ask);
	pol_judge(k.st, &m, &d);
	m = message_of(&k, &bill);
	pol_judge(k.st, &m, &d);
	assert_true(d.permit); /* within one packet */
	pol_abort(k.st);
	assert_memory_equal(before, k.st->w, 8 * (size_t)k.st->ledger);
	pol_ledger(k.st, 0, k.now, nothing_of, NULL);
	expect(&k, &bill, REASON_NOT_AN_ANSWER, "the request never left");
	expect(&k, &reg, 0, "nothing was charged");
	m = message_of(&k, &reg);
	m.retry = true;
	assert_true(kit_judge(&k, &m, &d)); /* charges nothing */
	expect(&k, &reg, REASON_TOO_SOON, "charged");
	free(before);
	kit_free(&k);
}

static enum reason passes_by(struct kit *k, const struct given *g,
			     uint64_t flow, struct pol_decision *d)
{
	struct pol_msg m = message_of(k, g);

	m.flow = flow;
	return kit_judge(k, &m, d) ? REASON_NONE : d->reason;
}

/* --- layers -------------------------------------------------------------- */

static void test_customer(void **ctx)
{
	static const char *const none[] = {"GB"};
	static struct house h;
	static struct kit k;
	struct given old = {PROF, .gran = 1800, .oldest_h = 48,
			    .newest_h = 24};
	struct given fresh = {PROF, .gran = 1800, .oldest_h = 48,
			      .newest_h = 23};

	(void)ctx;
	fill(&h);
	h.restricts[0] = (struct pol_rule_src){
		.kind = RULE_RESTRICT, .id = "late", .dir = DIRSEL_OUT,
		.party.any = true, .vm.any = true,
		.except = {.country = none, .n_country = 1},
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			 .has_delay = true, .delay_ns = D(1)}};
	h.customer.rule = h.restricts;
	h.customer.n_rule = 1;
	start(&k, &h);
	give(&k, &old);
	expect(&k, &old, 0, "a day old");
	expect(&k, &fresh, REASON_TOO_FRESH, "the customer's delay");
	expect(&k, &reg, 0, "nothing else");
	kit_free(&k);

	h.party[0].country = "GB";
	start(&k, &h);
	give(&k, &old);
	expect(&k, &fresh, 0, "except this country");
	kit_free(&k);

	h.restricts[0].data.present = false;
	h.restricts[0].except = (struct pol_party_sel){0};
	h.restricts[0].block = true;
	h.restricts[0].dir = DIRSEL_ANY;
	start(&k, &h);
	expect(&k, &reg, REASON_CUSTOMER_RESTRICTION, "blocked");
	kit_free(&k);
}

/* polc refuses them (P4001); an image that has them all the same permits by
 * neither, for which to charge would be a guess. */
static void test_two_that_fit(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given plain = {READ, .table = 90};
	struct given regs = {READ, .table = 23, REG, KWH};

	(void)ctx;
	fill(&h);
	start(&k, &h);
	expect(&k, &plain, 0, "one fits");
	kit_free(&k);
	h.m[BUSY] = h.m[PLAIN];
	start(&k, &h);
	expect(&k, &plain, REASON_NO_GRANT, "two fit");
	kit_free(&k);
	fill(&h);
	start(&k, &h);
	expect(&k, &regs, 0, "one fits, with readings");
	kit_free(&k);
	h.m[MANY] = h.m[REGS];
	h.rule[MANY].data = h.rule[REGS].data;
	start(&k, &h);
	expect(&k, &regs, REASON_NO_GRANT, "two fit, with readings");
	kit_free(&k);
}

static void test_floor(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given ask = {.dir = DIR_IN, .kind = OBS_C1222_READ_REQUEST,
			    .table = 25};
	struct given bill = {READ, .table = 25, REG};
	struct given plain = {READ, .table = 90};
	struct pol_decision d;
	struct pol_peer p;

	(void)ctx;
	fill(&h);
	h.floor = (struct pol_floor_src){
		.id = "bill", .vm = "mdma",
		.meas = MEAS_BIT(MEAS_ENERGY_REGISTER),
		.keep = {.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			 .n = 1, .window = WINDOW_MONTH,
			 .text = "1 reading per month"}};
	h.base.floor = &h.floor;
	h.base.n_floor = 1;
	h.vendor.valid_until_s = 1000; /* long ago */
	start(&k, &h);
	expect(&k, &plain, REASON_POLICY_EXPIRED, "expired");
	expect(&k, &ask, 0, "the floor's request");
	expect(&k, &bill, 0, "the floor");
	expect(&k, &ask, 0, "again");
	expect(&k, &bill, REASON_POLICY_EXPIRED, "once a month");
	/* A connection that could carry the floor is still opened. */
	p = kit_msg(&k, DIR_OUT, OBS_OPAQUE).peer;
	pol_open(k.st, 0, DIR_OUT, &p, 1, k.now, &d);
	assert_true(d.permit);
	pol_commit(k.st);
	kit_free(&k);

	/* What is for that time alone, and what is not for it. */
	h.rule[BILL].requires_ = expired;
	h.rule[BILL].n_requires = 1;
	start(&k, &h);
	expect(&k, &ask, 0, "asked");
	expect(&k, &bill, 0, "as it is expired");
	kit_free(&k);
	h.vendor.valid_until_s = 0;
	start(&k, &h);
	expect(&k, &ask, 0, "asked");
	expect(&k, &bill, REASON_STATE_MISSING, "it is not expired");
	kit_free(&k);
	h.vendor.valid_until_s = 1000;
	h.rule[BILL].n_requires = 0;
	h.rule[BILL].forbids = expired;
	h.rule[BILL].n_forbids = 1;
	start(&k, &h);
	expect(&k, &ask, 0, "asked");
	expect(&k, &bill, REASON_STATE_FORBIDDEN, "not when it is expired");
	kit_free(&k);
	h.rule[BILL].n_forbids = 0;

	/* Where floors need other things, none is. */
	h.floor.meas = MEAS_BIT(MEAS_VOLTAGE_INTERVAL);
	start(&k, &h);
	pol_open(k.st, 0, DIR_OUT, &p, 1, k.now, &d);
	assert_false(d.permit);
	assert_int_equal(d.reason, REASON_POLICY_EXPIRED);
	h.floor.meas = MEAS_BIT(MEAS_ENERGY_REGISTER);
	kit_free(&k);

	h.restricts[0] = (struct pol_rule_src){
		.kind = RULE_RESTRICT, .id = "all", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .block = true};
	h.customer.rule = h.restricts;
	h.customer.n_rule = 1;
	memset(&k, 0, sizeof(k));
	assert_int_equal(kit_add(&k, &h.vendor), 0);
	h.base.rule = base_rules;
	assert_int_equal(kit_add(&k, &h.base), 0);
	assert_int_equal(kit_add(&k, &h.customer), 0);
	assert_int_equal(kit_go(&k), E_STATE); /* cuts the floor */
	kit_free(&k);
}

/* Two restrictions of which each leaves enough of a floor, and what of them
 * together does or does not. */
#define BETWEEN(a, b, d)                                                       \
	{.present = true, .has_between = true, .from_min = 60 * (a),           \
	 .to_min = 60 * (b), .days = (d)}
#define KEEP(k, w, num, ns, t)                                                 \
	{.kind = LIMIT_##k, .thing = THING_READINGS, .n = (num),               \
	 .window = WINDOW_##w, .window_ns = (ns), .text = t}
enum { MON = 1, TUE = 2, SUN = 64 };

static void test_floor_together(void **ctx)
{
	static const struct pol_limit_phrase month = KEEP(
		CALENDAR, MONTH, 1, 0, "1 reading per month"),
		day = KEEP(CALENDAR, DAY, 1, 0, "1 reading per day"),
		two = KEEP(CALENDAR, DAY, 2, 0, "2 readings per day"),
		days30 = KEEP(SLIDING, SLIDING, 1, D(30), "1 reading per 30 d"),
		hour = KEEP(SPACING, SLIDING, 1, H(1), "at least 1 h apart");
	static const struct {
		const char *why, *said; /* NULL: enough is left */
		const struct pol_limit_phrase *keep;
		struct {
			struct pol_when when;
			const struct pol_limit_phrase *limit;
		} r[2];
		struct pol_when own;
	} rows[] = {
		{"hours that meet", NULL, &month,
		 {{BETWEEN(8, 20, 0), NULL}, {BETWEEN(19, 9, 0), NULL}}, {0}},
		{"hours that do not", "restrictions a and b together cut the floor bill",
		 &month, {{BETWEEN(8, 20, 0), NULL}, {BETWEEN(21, 7, 0), NULL}},
		 {0}},
		{"days that do not", "restrictions a and b together cut the floor bill",
		 &month, {{BETWEEN(8, 20, MON), NULL},
			 {BETWEEN(8, 20, TUE), NULL}}, {0}},
		{"the night of the day before", NULL, &month,
		 {{BETWEEN(20, 8, SUN), NULL}, {BETWEEN(0, 6, MON), NULL}},
		 {0}},
		{"one that is too seldom", "restriction a cuts the floor bill",
		 &day, {{BETWEEN(8, 20, MON), NULL}, {BETWEEN(0, 24, 0), NULL}},
		 {0}},
		{"often enough", NULL, &month,
		 {{BETWEEN(8, 20, MON), NULL}, {BETWEEN(0, 12, 0), NULL}},
		 {0}},
		{"an interval alone", NULL, &month,
		 {{{0}, &days30}, {BETWEEN(8, 20, 0), NULL}}, {0}},
		{"with it only each fifth Monday",
		 "restrictions a and b together cut the floor bill", &month,
		 {{{0}, &days30}, {BETWEEN(8, 9, MON), NULL}}, {0}},
		{"two in two hours", NULL, &two,
		 {{{0}, &hour}, {BETWEEN(8, 10, 0), NULL}}, {0}},
		{"two in one hour",
		 "restrictions a and b together cut the floor bill", &two,
		 {{{0}, &hour}, {BETWEEN(8, 9, 0), NULL}}, {0}},
		{"as many in the same windows", NULL, &two,
		 {{{0}, &two}, {BETWEEN(8, 9, 0), NULL}}, {0}},
		{"hours of the rule's own", NULL, &month,
		 {{BETWEEN(0, 6, 0), NULL}, {{0}, &day}},
		 BETWEEN(1, 5, 0)},
		{"other hours than its own", "restriction a cuts the floor bill",
		 &month, {{BETWEEN(6, 12, 0), NULL}, {{0}, &day}},
		 BETWEEN(1, 5, 0)},
		{"a slot, and all of its hours", NULL, &month,
		 {{BETWEEN(0, 6, 0), NULL}, {{0}, &day}},
		 {.present = true, .has_between = true, .from_min = 60,
		  .to_min = 300, .spread_ns = MIN(30)}},
		{"a slot, and a part of its hours",
		 "restriction a cuts the floor bill", &month,
		 {{BETWEEN(0, 4, 0), NULL}, {{0}, &day}},
		 {.present = true, .has_between = true, .from_min = 60,
		  .to_min = 300, .spread_ns = MIN(30)}},
		{"not there without them either", NULL, &day,
		 {{BETWEEN(0, 4, MON), NULL}, {{0}, NULL}},
		 BETWEEN(1, 5, MON)},
	};
	static struct house h;
	static struct kit k;

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_rule_src *r = h.restricts;
		int rc;

		fill(&h);
		h.floor = (struct pol_floor_src){
			.id = "bill", .vm = "mdma", .keep = *rows[i].keep,
			.meas = MEAS_BIT(MEAS_ENERGY_INTERVAL)};
		h.base.floor = &h.floor;
		h.base.n_floor = 1;
		h.rule[PROFILE].consent = CONSENT_NONE;
		h.rule[PROFILE].when = rows[i].own;
		for (int n = 0; n < 2; n++)
			r[n] = (struct pol_rule_src){
				.kind = RULE_RESTRICT, .id = n ? "b" : "a",
				.dir = DIRSEL_ANY, .party.any = true,
				.vm.any = true, .when = rows[i].r[n].when,
				.data = {.present = rows[i].r[n].limit != NULL,
					 .meas = h.floor.meas},
				.limit = rows[i].r[n].limit,
				.n_limit = rows[i].r[n].limit != NULL};
		h.customer.rule = r;
		h.customer.n_rule = 2;
		memset(&k, 0, sizeof(k));
		base_rules[0] = h.ceiling;
		base_rules[1] = h.deny;
		h.base.rule = base_rules;
		h.base.n_rule = 2;
		assert_int_equal(kit_add(&k, &h.vendor), 0);
		assert_int_equal(kit_add(&k, &h.base), 0);
		assert_int_equal(kit_add(&k, &h.customer), 0);
		rc = kit_go(&k);
		if (rc != (rows[i].said ? E_STATE : 0) ||
		    (rc && strcmp(k.e.text, rows[i].said)))
			fail_msg("%s: %s", rows[i].why, rc ? k.e.text : "passes");
		kit_free(&k);
	}
}

static void test_refusals(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given bad = {READ, .table = 99};
	struct pol_limit_src l = {
		.id = "hammering", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_REFUSALS,
			   .n = 3, .window = WINDOW_SLIDING,
			   .window_ns = MIN(10), .text = "3 refusals"},
		.exceed = {ACTION_QUARANTINE, H(1)}};

	(void)ctx;
	fill(&h);
	h.base.limit = &l;
	h.base.n_limit = 1;
	start(&k, &h);
	for (int i = 0; i < 3; i++)
		expect(&k, &bad, REASON_NO_GRANT, "refused");
	expect(&k, &reg, 0, "three are within it");
	expect(&k, &bad, REASON_NO_GRANT, "the fourth");
	kit_wait(&k, D(1));
	expect(&k, &reg, 0, "over after an hour");
	for (int i = 0; i < 4; i++)
		expect(&k, &bad, REASON_NO_GRANT, "refused");
	expect(&k, &reg, REASON_QUARANTINED, "quarantine");
	kit_free(&k);
}

static void test_monitor(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given bad = {READ, .table = 99};
	struct given wave = {READ, .table = 23,
			     .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)};
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill(&h);
	h.vendor.monitor_until_s = INT64_C(1795608000) + 3600;
	start(&k, &h);
	m = message_of(&k, &bad);
	assert_true(kit_judge(&k, &m, &d));
	assert_true(d.monitored);
	assert_int_equal(d.reason, REASON_NO_GRANT);
	expect(&k, &wave, REASON_DENIED, "the baseline is not monitored");
	/* What the customer was asked and did not agree to, neither. */
	expect(&k, &(struct given){READ, .table = 64, .gran = 1800,
				   .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
				   .oldest_h = 24, .newest_h = 7},
	       REASON_NO_CONSENT, "the answer is the customer's");
	/* Nor by a clock that nobody vouches for: set back, it would go on. */
	bad.untrusted = true;
	expect(&k, &bad, REASON_NO_GRANT, "the clock is not trusted");
	bad.untrusted = false;
	kit_wait(&k, H(1));
	expect(&k, &bad, REASON_NO_GRANT, "until then");
	kit_free(&k);
	/* One that would not end for longer has not begun. */
	h.vendor.monitor_until_s = INT64_C(1795608000) + POL_MONITOR_MOST_S + 60;
	start(&k, &h);
	expect(&k, &bad, REASON_NO_GRANT, "too long");
	kit_wait(&k, 120 * NS_PER_S);
	m = message_of(&k, &bad);
	assert_true(kit_judge(&k, &m, &d));
	assert_true(d.monitored);
	kit_free(&k);
}

/* In a grant: of what it is about and is refused, be it for a guard of its own
 * or in another layer; nothing else. What follows is what it says. */
static void test_refusals_of_a_rule(void **ctx)
{
	static const struct {
		enum pol_action_kind action;
		bool ceiling;
		enum pol_action then; /* of the third refusal */
	} cases[] = {{ACTION_QUARANTINE, false, POL_REFUSE},
		     {ACTION_QUARANTINE, true, POL_REFUSE},
		     {ACTION_DROP, false, POL_DROP},
		     {ACTION_RESET, true, POL_RESET},
		     {ACTION_REFUSE, false, POL_REFUSE}};
	static const struct pol_limit_phrase two = {
		.kind = LIMIT_SLIDING, .thing = THING_REFUSALS, .n = 2,
		.window = WINDOW_SLIDING, .window_ns = H(1),
		.text = "2 refusals per 1 h"};
	static const struct given other = {READ, .table = 99},
				  many = {READ, .table = 28, .channels = 3,
					  .meas = MEAS_BIT(MEAS_POWER_INSTANT)},
				  few = {READ, .table = 28, .channels = 2,
					 .meas = MEAS_BIT(MEAS_POWER_INSTANT)};
	static struct house h;
	static struct kit k;

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pol_rule_src *r;
		struct pol_decision d;

		fill(&h);
		r = cases[i].ceiling ? &h.ceiling : &h.rule[MANY];
		r->limit = &two;
		r->n_limit = 1;
		r->exceed = (struct pol_action_src){cases[i].action, H(2)};
		start(&k, &h);
		for (int n = 0; !cases[i].ceiling && n < 5; n++)
			expect(&k, &other, REASON_NO_GRANT, "of no rule");
		for (int n = 0; n < 2; n++) {
			assert_int_equal(passes_by(&k, &many, 1, &d),
					 REASON_TOO_MANY);
			assert_int_equal(d.action, POL_REFUSE);
			expect(&k, &few, 0, "two are within it");
		}
		assert_int_equal(passes_by(&k, &many, 1, &d), REASON_TOO_MANY);
		assert_int_equal(d.action, cases[i].then);
		expect(&k, &few,
		       cases[i].action == ACTION_QUARANTINE ?
			       REASON_QUARANTINED : 0, "after the third");
		kit_wait(&k, H(3));
		assert_int_equal(passes_by(&k, &many, 1, &d), REASON_TOO_MANY);
		assert_int_equal(d.action, POL_REFUSE);
		kit_free(&k);
	}
}

/* --- connections and packets --------------------------------------------- */

/* Whether a connection would still be opened is no attempt to open one: that
 * there is no room costs nothing. */
static void test_would_open(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_limit_src l[2] = {
		{.id = "a", .dir = DIRSEL_ANY, .party.any = true,
		 .vm.any = true, .each_vm = true,
		 .phrase = {.kind = LIMIT_CONCURRENT, .n = 2,
			    .thing = THING_CONNECTIONS, .text = "2"},
		 .exceed = {ACTION_QUARANTINE, H(1)}},
		{.id = "hammering", .dir = DIRSEL_ANY, .party.any = true,
		 .vm.any = true, .each_vm = true,
		 .phrase = {.kind = LIMIT_SLIDING, .thing = THING_REFUSALS,
			    .n = 3, .window = WINDOW_SLIDING,
			    .window_ns = MIN(10), .text = "3 refusals"},
		 .exceed = {ACTION_QUARANTINE, H(2)}}};
	struct pol_decision d;
	struct pol_peer p;

	(void)ctx;
	fill(&h);
	h.base.limit = l;
	h.base.n_limit = 2;
	start(&k, &h);
	p = kit_msg(&k, DIR_IN, OBS_OPAQUE).peer;
	for (uint64_t flow = 1; flow <= 2; flow++) {
		pol_open(k.st, 0, DIR_IN, &p, flow, k.now, &d);
		pol_commit(k.st);
	}
	for (uint64_t flow = 3; flow < 9; flow++) {
		pol_would_open(k.st, 0, DIR_IN, &p, flow, k.now, &d);
		assert_false(d.permit);
		assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
		assert_int_equal(pol_quarantined(k.st, 0, k.now), 0);
	}
	pol_open(k.st, 0, DIR_IN, &p, 9, k.now, &d);
	assert_false(d.permit);
	assert_int_equal(pol_quarantined(k.st, 0, k.now), H(1));
	pol_would_open(k.st, 0, DIR_IN, &p, 1, k.now, &d);
	assert_int_equal(d.reason, REASON_QUARANTINED);
	kit_free(&k);
}

static void test_connections(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_obs_match open = {.kinds = kit_kind(OBS_FLOW_OPEN)};
	struct pol_limit_src l[2] = {
		{.id = "a", .dir = DIRSEL_ANY, .party.any = true,
		 .vm.any = true, .each_vm = true,
		 .phrase = {.kind = LIMIT_CONCURRENT, .n = 2,
			    .thing = THING_CONNECTIONS, .text = "2"}},
		{.id = "b", .dir = DIRSEL_ANY, .party.any = true,
		 .vm.any = true, .each_vm = true, .match = &open,
		 .n_match = 1,
		 .phrase = {.kind = LIMIT_CALENDAR, .n = 3,
			    .thing = THING_CONNECTIONS,
			    .window = WINDOW_DAY, .text = "3"}}};
	struct pol_decision d;
	struct pol_peer p;

	(void)ctx;
	fill(&h);
	h.base.limit = l;
	h.base.n_limit = 2;
	start(&k, &h);
	p = kit_msg(&k, DIR_IN, OBS_OPAQUE).peer;
	for (uint64_t flow = 1; flow <= 2; flow++) {
		pol_open(k.st, 0, DIR_IN, &p, flow, k.now, &d);
		assert_true(d.permit);
		pol_commit(k.st);
	}
	pol_open(k.st, 0, DIR_IN, &p, 3, k.now, &d);
	assert_false(d.permit); /* a third at once */
	assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
	assert_non_null(strstr(d.text, ", 2 used"));
	pol_close(k.st, 0, 1, k.now);
	pol_open(k.st, 0, DIR_IN, &p, 3, k.now, &d);
	assert_true(d.permit);
	pol_commit(k.st);
	pol_close(k.st, 0, 2, k.now);
	pol_open(k.st, 0, DIR_IN, &p, 4, k.now, &d);
	assert_false(d.permit); /* a fourth today */
	assert_non_null(strstr(d.text, ", 3 used"));
	/* The machine is the server: its own port is the party's. */
	p.port = 50000;
	kit_wait(&k, D(1));
	pol_open(k.st, 0, DIR_IN, &p, 5, k.now, &d);
	assert_int_equal(d.reason, REASON_UNKNOWN_PARTY);
	p.local_port = 1153;
	pol_open(k.st, 0, DIR_IN, &p, 5, k.now, &d);
	assert_true(d.permit);
	/* titled: nothing could ever be granted. */
	p.addr = kit_net(198, 51, 100, 9, 32).addr;
	pol_open(k.st, 0, DIR_IN, &p, 6, k.now, &d);
	assert_int_equal(d.reason, REASON_NO_GRANT);
	kit_free(&k);
}

/* A customer's limit on connections holds for connections, opened by either
 * end; with what it does not name, it has nothing to do. */
static void test_restricted_connections(void **ctx)
{
	static const struct {
		struct pol_limit_phrase phrase;
		const char *country;
		bool data;
		enum dir dir;
		unsigned room; /* of five connections */
		unsigned after; /* and when the first has ended */
	} cases[] = {
		{{.kind = LIMIT_CALENDAR, .thing = THING_CONNECTIONS, .n = 2,
		  .window = WINDOW_DAY, .text = "2 connections per day"},
		 NULL, false, DIR_OUT, 2, 0},
		{{.kind = LIMIT_CALENDAR, .thing = THING_CONNECTIONS, .n = 2,
		  .window = WINDOW_DAY, .text = "2 connections per day"},
		 NULL, false, DIR_IN, 2, 0},
		{{.kind = LIMIT_CONCURRENT, .thing = THING_CONNECTIONS, .n = 3,
		  .text = "at most 3 connections at once"},
		 NULL, false, DIR_OUT, 3, 1},
		{{.kind = LIMIT_CONCURRENT, .thing = THING_CONNECTIONS, .n = 3,
		  .text = "at most 3 connections at once"},
		 NULL, true, DIR_IN, 3, 1},
		{{.kind = LIMIT_CONCURRENT, .thing = THING_CONNECTIONS, .n = 1,
		  .text = "at most 1 connections at once"},
		 "GB", false, DIR_OUT, 5, 1},
		{{.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 1,
		  .window = WINDOW_DAY, .text = "1 message per day"},
		 NULL, false, DIR_OUT, 5, 1},
	};
	static struct house h;
	static struct kit k;

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *country[] = {cases[i].country};
		struct pol_decision d;
		struct pol_peer p;
		unsigned room = 0;

		fill(&h);
		h.party[0].country = "GB";
		h.restricts[0] = (struct pol_rule_src){
			.kind = RULE_RESTRICT, .id = "few", .dir = DIRSEL_ANY,
			.party.any = true, .vm.any = true,
			.except = {.country = country,
				   .n_country = cases[i].country != NULL},
			.limit = &cases[i].phrase, .n_limit = 1,
			.data = {.present = cases[i].data,
				 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL)}};
		h.customer.rule = h.restricts;
		h.customer.n_rule = 1;
		start(&k, &h);
		p = kit_msg(&k, cases[i].dir, OBS_OPAQUE).peer;
		for (uint64_t flow = 1; flow <= 5; flow++) {
			pol_open(k.st, 0, cases[i].dir, &p, flow, k.now, &d);
			pol_commit(k.st);
			room += d.permit;
			if (d.permit)
				continue;
			assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
			assert_true(span_is(d.rules[d.n_rules - 1].rule, "few"));
		}
		assert_int_equal(room, cases[i].room);
		pol_close(k.st, 0, 1, k.now);
		pol_open(k.st, 0, cases[i].dir, &p, 6, k.now, &d);
		assert_int_equal(d.permit, cases[i].after);
		kit_free(&k);
	}
}

/* A grant that had no room for a connection is not used by it, whatever other
 * grant had some; not after a reload either, and not if it is renamed there. */
static const struct pol_limit_phrase once_a_day = {
	.kind = LIMIT_CALENDAR, .thing = THING_CONNECTIONS, .n = 1,
	.window = WINDOW_DAY, .text = "1 connection per day"};
static const struct pol_limit_phrase one_at_once = {
	.kind = LIMIT_CONCURRENT, .thing = THING_CONNECTIONS, .n = 1,
	.text = "at most 1 connections at once"};

static bool opens(struct kit *k, uint64_t flow)
{
	struct pol_peer p = kit_msg(k, DIR_OUT, OBS_OPAQUE).peer;
	struct pol_decision d;

	pol_open(k->st, 0, DIR_OUT, &p, flow, k->now, &d);
	if (d.permit)
		pol_commit(k->st);
	else
		pol_abort(k->st);
	return d.permit;
}

/* One that is asked for again has its place already, wherever that is. */
static void test_same_place(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_limit_src l = {
		.id = "few", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_CONCURRENT, .n = 2,
			   .thing = THING_CONNECTIONS, .text = "2"}};

	(void)ctx;
	fill(&h);
	h.base.limit = &l;
	h.base.n_limit = 1;
	start(&k, &h);
	assert_true(opens(&k, 1));
	assert_true(opens(&k, 2));
	pol_close(k.st, 0, 1, k.now);
	assert_true(opens(&k, 2));
	assert_true(opens(&k, 3));
	assert_false(opens(&k, 4));
	kit_free(&k);
}

static void test_sibling_grants(void **ctx)
{
	static const struct given plain = {READ, .table = 90},
				  ask = {.dir = DIR_IN, .table = 64,
					 .kind = OBS_C1222_READ_REQUEST};
	static const struct pol_limit_phrase *const phrases[] = {&once_a_day,
								 &one_at_once};
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	for (int i = 0; i < 2; i++) {
		fill(&h);
		h.rule[PLAIN].limit = phrases[i];
		h.rule[PLAIN].n_limit = 1;
		start(&k, &h);
		assert_true(opens(&k, 1));
		assert_true(opens(&k, 2));
		assert_int_equal(passes_by(&k, &plain, 1, &d), 0);
		assert_int_equal(passes_by(&k, &plain, 2, &d),
				 REASON_LIMIT_EXCEEDED);
		assert_non_null(strstr(d.text, "full when this connection"));
		assert_true(span_is(d.rules[1].rule, "plain"));
		assert_int_equal(d.would_pass.n, 0);
		assert_int_equal(passes_by(&k, &ask, 2, &d), 0);
		pol_close(k.st, 0, 1, k.now);
		assert_int_equal(passes_by(&k, &plain, 2, &d),
				 REASON_LIMIT_EXCEEDED);
		assert_true(opens(&k, 3));
		assert_int_equal(passes_by(&k, &plain, 3, &d),
				 i ? 0 : REASON_LIMIT_EXCEEDED);
		/* What is noted ends with the connection. */
		pol_close(k.st, 0, 2, k.now);
		assert_int_equal(passes_by(&k, &plain, 2, &d), 0);
		kit_free(&k);
	}
}

/* The same of a ceiling. */
static void test_sibling_ceilings(void **ctx)
{
	static const struct given plain = {READ, .table = 90},
				  ask = {.dir = DIR_IN, .table = 64,
					 .kind = OBS_C1222_READ_REQUEST};
	static struct house h;
	static struct kit k;
	struct pol_rule_src two[2];
	struct pol_decision d;

	(void)ctx;
	fill(&h);
	two[0] = two[1] = h.ceiling;
	two[0].id = "answers";
	two[0].match = &h.m[PLAIN];
	two[0].limit = &once_a_day;
	two[0].n_limit = 1;
	two[1].id = "requests";
	two[1].match = &h.m[ASK];
	memset(&k, 0, sizeof(k));
	h.base.rule = two;
	h.base.n_rule = 2;
	if (kit_add(&k, &h.vendor) || kit_add(&k, &h.base) || kit_go(&k))
		fail_msg("%s", k.e.text);
	assert_true(opens(&k, 1));
	assert_true(opens(&k, 2));
	assert_int_equal(passes_by(&k, &plain, 1, &d), 0);
	assert_int_equal(passes_by(&k, &plain, 2, &d), REASON_LIMIT_EXCEEDED);
	assert_true(span_is(d.rules[0].rule, "answers"));
	assert_int_equal(passes_by(&k, &ask, 2, &d), 0);
	kit_free(&k);
}

/* Over a reload, where the rule has another name or none of its limits. */
static void test_siblings_reloaded(void **ctx)
{
	static const struct {
		const char *id;
		bool limited;
		enum reason why;
	} cases[] = {{"plain", true, REASON_LIMIT_EXCEEDED},
		     {"renamed", true, REASON_LIMIT_EXCEEDED},
		     {"plain", false, 0}};
	static const struct given plain = {READ, .table = 90};
	static struct house h;
	static struct kit k, next;
	struct pol_decision d;

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fill(&h);
		h.rule[PLAIN].limit = &once_a_day;
		h.rule[PLAIN].n_limit = 1;
		start(&k, &h);
		assert_true(opens(&k, 1));
		assert_true(opens(&k, 2));
		h.rule[PLAIN].id = cases[i].id;
		h.rule[PLAIN].n_limit = cases[i].limited;
		h.vendor.serial++;
		start(&next, &h);
		pol_state_carry(next.st, k.st, k.now);
		assert_int_equal(passes_by(&next, &plain, 2, &d),
				 cases[i].why);
		kit_free(&next);
		kit_free(&k);
	}
}

/* What cannot be noted is not opened; a state, which is a permission, makes
 * room for it and is not noted in its place. */
static void test_siblings_full(void **ctx)
{
	static const struct given plain = {READ, .table = 90},
				  ask = {.dir = DIR_IN, .table = 64,
					 .kind = OBS_C1222_READ_REQUEST};
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	fill(&h);
	h.rule[PLAIN].limit = &once_a_day;
	h.rule[PLAIN].n_limit = 1;
	start(&k, &h);
	assert_true(opens(&k, 1));
	assert_int_equal(passes_by(&k, &ask, 1, &d), 0); /* sets talking */
	for (uint64_t flow = 2; flow < 2 + FLOW_STATES; flow++)
		assert_true(opens(&k, flow));
	assert_false(opens(&k, 2 + FLOW_STATES));
	assert_int_equal(passes_by(&k, &ask, 1, &d), 0);
	for (uint64_t flow = 2; flow < 2 + FLOW_STATES; flow++)
		assert_int_equal(passes_by(&k, &plain, flow, &d),
				 REASON_LIMIT_EXCEEDED);
	pol_close(k.st, 0, 2, k.now);
	assert_true(opens(&k, 2 + FLOW_STATES));
	kit_free(&k);
}

static void test_bytes(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given plain = {READ, .table = 90};
	struct pol_limit_src l = {
		.id = "daily", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_BYTES,
			   .n = 250, .window = WINDOW_DAY, .text = "250 B"},
		.exceed = {ACTION_DROP, 0}};
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill(&h);
	h.base.limit = &l;
	h.base.n_limit = 1;
	start(&k, &h);
	m = message_of(&k, &plain);
	for (int i = 0; i < 5; i++) /* looked at, not charged */
		expect(&k, &plain, 0, "100 octets");
	assert_true(pol_packet(k.st, 0, DIR_OUT, &m.peer, 140, k.now, &d));
	pol_abort(k.st);
	assert_true(pol_packet(k.st, 0, DIR_OUT, &m.peer, 140, k.now, &d));
	pol_commit(k.st);
	expect(&k, &plain, 0, "100 of 110");
	assert_false(pol_packet(k.st, 0, DIR_OUT, &m.peer, 111, k.now, &d));
	assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
	assert_int_equal(d.action, POL_DROP);
	assert_true(pol_packet(k.st, 0, DIR_IN, &m.peer, 1400, k.now, &d));
	assert_true(pol_packet(k.st, 0, DIR_OUT, &m.peer, 50, k.now, &d));
	pol_commit(k.st);
	expect(&k, &plain, REASON_LIMIT_EXCEEDED, "100 of 60");
	kit_free(&k);
}

/* In a rule packets are those that brought the message; elsewhere they are
 * counted as they leave, as many as are charged at once. */
static void test_packets(void **ctx)
{
	static const struct pol_limit_phrase five = {
		.kind = LIMIT_CALENDAR, .thing = THING_PACKETS, .n = 5,
		.window = WINDOW_DAY, .text = "5 packets per day"};
	static const struct given plain = {READ, .table = 90};
	struct pol_limit_src all = {
		.id = "all", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .each_vm = true, .phrase = five};
	static struct house h;
	static struct kit k;
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	for (int matched = 0; matched < 2; matched++) {
		fill(&h);
		if (matched) {
			all.match = &h.m[PLAIN];
			all.n_match = 1;
			h.base.limit = &all;
			h.base.n_limit = 1;
		} else {
			h.rule[PLAIN].limit = &five;
			h.rule[PLAIN].n_limit = 1;
		}
		start(&k, &h);
		m = message_of(&k, &plain);
		m.packets = 4;
		assert_true(kit_judge(&k, &m, &d));
		m.packets = 2;
		assert_false(kit_judge(&k, &m, &d));
		assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
		assert_non_null(strstr(d.text, ", 4 used"));
		m.packets = 0;
		assert_true(kit_judge(&k, &m, &d));
		kit_free(&k);
	}

	all.n_match = 0;
	fill(&h);
	h.base.limit = &all;
	h.base.n_limit = 1;
	start(&k, &h);
	m = message_of(&k, &plain);
	assert_true(pol_packets(k.st, 0, DIR_OUT, &m.peer, 4000, 3, k.now, &d));
	pol_commit(k.st);
	m.packets = 3;
	assert_false(kit_judge(&k, &m, &d)); /* there is room for two */
	m.packets = 2;
	assert_true(kit_judge(&k, &m, &d));
	assert_false(pol_packets(k.st, 0, DIR_OUT, &m.peer, 40, 3, k.now, &d));
	assert_true(pol_packet(k.st, 0, DIR_OUT, &m.peer, 40, k.now, &d));
	kit_free(&k);
}

/* A ceiling with data is about readings, but passes messages without any, which
 * need not be apart. */
static void test_apart_are_readings(void **ctx)
{
	static const struct pol_limit_phrase apart = {
		.kind = LIMIT_SPACING, .window_ns = H(20),
		.text = "at least 20 h apart"};
	static const struct given plain = {READ, .table = 90},
				  many = {READ, .table = 28, .channels = 1,
					  .meas = MEAS_BIT(MEAS_POWER_INSTANT)};
	static struct house h;
	static struct kit k;

	(void)ctx;
	fill(&h);
	h.ceiling.limit = &apart;
	h.ceiling.n_limit = 1;
	start(&k, &h);
	expect(&k, &plain, 0, "no reading");
	expect(&k, &plain, 0, "nor this");
	expect(&k, &many, 0, "the first reading");
	expect(&k, &plain, 0, "no reading either");
	expect(&k, &many, REASON_TOO_SOON, "the second");
	kit_free(&k);
}

/* --- sets ---------------------------------------------------------------- */

static void test_sets(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct pol_vm_src vm = {.id = "mdma", .interface = "vif1.0",
				.policy = "v", .mac = {2}};
	struct pol_file binding = {.kind = POL_BINDING, .unique = true,
				   .id = "n",
				   .timezone = "Europe/London",
				   .machine = &vm, .n_machine = 1};
	struct pol_machine m;

	(void)ctx;
	fill(&h);
	memset(&k, 0, sizeof(k));
	vm.addr = &h.net;
	vm.n_addr = 1;
	assert_int_equal(kit_add(&k, &binding), 0);
	assert_int_equal(kit_add(&k, &h.vendor), 0);
	assert_int_equal(kit_go(&k), 0);
	assert_int_equal(pol_set_machines(k.set), 1);
	pol_set_machine(k.set, 0, &m);
	assert_true(span_is(m.interface, "vif1.0"));
	assert_int_equal(m.n_addr, 1);
	assert_int_equal(m.addr[0].len, 96 + 28);
	assert_true(span_is(pol_set_timezone(k.set), "Europe/London"));
	kit_free(&k);

	vm.policy = "another";
	assert_int_equal(kit_add(&k, &binding), 0);
	assert_int_equal(kit_add(&k, &h.vendor), 0);
	assert_int_equal(kit_go(&k), E_STATE);
	kit_free(&k);

	assert_int_equal(kit_add(&k, &h.vendor), 0);
	assert_int_equal(kit_add(&k, &h.vendor), 0);
	assert_int_equal(kit_go(&k), E_STATE);
	kit_free(&k);
}

/* --- two machines -------------------------------------------------------- */

struct pair {
	struct pol_obs_match req, resp;
	struct pol_rule_src a[2], b[2];
	struct pol_party_src pa, pb;
	struct pol_file fa, fb;
};

/* "a" asks "b"; b counts how often it is asked. */
static void fill_pair(struct pair *p)
{
	static const struct pol_limit_phrase twice = {
		.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 2,
		.window = WINDOW_DAY, .text = "2 messages per day"};

	memset(p, 0, sizeof(*p));
	p->req = match_of(OBS_OBIX_READ_REQUEST, NULL);
	p->resp = match_of(OBS_OBIX_READ_RESPONSE, NULL);
	p->a[0] = grant("ask", DIRSEL_OUT, &p->req, 0);
	p->a[1] = grant("hear", DIRSEL_IN, &p->resp,
			MEAS_BIT(MEAS_POWER_INSTANT));
	p->a[1].has_answers = true;
	p->a[1].answers = by_ask;
	p->a[1].n_answers = 1;
	p->b[0] = grant("asked", DIRSEL_IN, &p->req, 0);
	p->b[0].limit = &twice;
	p->b[0].n_limit = 1;
	p->b[1] = grant("tell", DIRSEL_OUT, &p->resp,
			MEAS_BIT(MEAS_POWER_INSTANT));
	p->b[1].has_answers = true;
	p->b[1].answers = by_ask;
	p->b[1].n_answers = 1;
	p->pa = (struct pol_party_src){.id = "b-side", .name = "B",
				       .role = ROLE_VM, .vm = "b"};
	p->pb = (struct pol_party_src){.id = "a-side", .name = "A",
				       .role = ROLE_VM, .vm = "a"};
	p->fa = (struct pol_file){.kind = POL_VENDOR, .unique = true,
				  .id = "pa", .vm = "a",
				  .party = &p->pa, .n_party = 1,
				  .rule = p->a, .n_rule = 2};
	p->fb = (struct pol_file){.kind = POL_VENDOR, .unique = true,
				  .id = "pb", .vm = "b",
				  .party = &p->pb, .n_party = 1,
				  .rule = p->b, .n_rule = 2};
}

static struct pol_msg pair_msg(struct kit *k, size_t from, enum obs_kind kind)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, kind);

	m.machine = from;
	m.peer = (struct pol_peer){.machine = 1 - (int)from, .proto = 6,
				   .port = 80};
	if (kind == OBS_OBIX_READ_RESPONSE)
		obs_u64(&k->leaf[0], F_MEASUREMENT,
			MEAS_BIT(MEAS_POWER_INSTANT));
	return m;
}

static void test_two_machines(void **ctx)
{
	static struct pair p;
	static struct kit k;
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill_pair(&p);
	memset(&k, 0, sizeof(k));
	assert_int_equal(kit_add(&k, &p.fa), 0);
	assert_int_equal(kit_add(&k, &p.fb), 0);
	assert_int_equal(kit_go(&k), 0);
	m = pair_msg(&k, 1, OBS_OBIX_READ_RESPONSE);
	assert_false(kit_judge(&k, &m, &d)); /* nobody asked */
	assert_true(reasons_has(&d.reasons, REASON_NOT_AN_ANSWER));
	for (int i = 0; i < 2; i++) {
		m = pair_msg(&k, 0, OBS_OBIX_READ_REQUEST);
		assert_true(kit_judge(&k, &m, &d));
		assert_int_equal(d.n_rules, 2);
		assert_true(span_is(d.rules[0].rule, "ask"));
		assert_true(span_is(d.rules[1].rule, "asked"));
		m = pair_msg(&k, 1, OBS_OBIX_READ_RESPONSE);
		assert_true(kit_judge(&k, &m, &d));
	}
	m = pair_msg(&k, 0, OBS_OBIX_READ_REQUEST);
	assert_false(kit_judge(&k, &m, &d)); /* b's limit */
	assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
	m.one_sided = true;
	assert_true(kit_judge(&k, &m, &d)); /* b judges for itself */
	kit_free(&k);

	p.fb.n_rule = 0; /* b is silent */
	assert_int_equal(kit_add(&k, &p.fa), 0);
	assert_int_equal(kit_add(&k, &p.fb), 0);
	assert_int_equal(kit_go(&k), 0);
	m = pair_msg(&k, 0, OBS_OBIX_READ_REQUEST);
	assert_false(kit_judge(&k, &m, &d));
	assert_int_equal(d.reason, REASON_NO_GRANT);
	kit_free(&k);
}

/* Law 9: what would pass does. */
static void test_would_pass(void **ctx)
{
	static struct house h;
	static struct kit k;
	struct given g = {PROF, .gran = 900, .oldest_h = 36 * 24,
			  .newest_h = 1};
	struct given better = {PROF, .gran = 1800, .oldest_h = 35 * 24,
			       .newest_h = 6};
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	give(&k, &g);
	m = message_of(&k, &g);
	assert_false(kit_judge(&k, &m, &d));
	assert_true(span_is(d.would_pass, "granularity 30 min, oldest 35 d, "
					  "newest 6 h"));
	expect(&k, &better, 0, "as told");
	expect(&k, &reg, 0, "first");
	m = message_of(&k, &reg);
	assert_false(kit_judge(&k, &m, &d));
	assert_true(span_is(d.would_pass, "in 20 h"));
	assert_int_equal(d.wait_ns, H(20));
	kit_wait(&k, d.wait_ns);
	expect(&k, &reg, 0, "as told");
	/* What cannot be cured by asking otherwise has no better form. */
	g.granted = false;
	g.table = 99;
	m = message_of(&k, &g);
	assert_false(kit_judge(&k, &m, &d));
	assert_int_equal(d.would_pass.n, 0);
	kit_free(&k);
}

/* --- laws of section 23, on generated policies --------------------------- */

static struct given some_message(uint64_t *seed)
{
	static const struct given all[] = {
		{READ, .table = 23, REG, KWH},
		{READ, .table = 23, REG, .step = 10000},
		{READ, .table = 24, REG},
		{READ, .table = 25, REG},
		{READ, .table = 28, .channels = 2,
		 .meas = MEAS_BIT(MEAS_POWER_INSTANT)},
		{READ, .table = 90},
		{READ, .table = 64, .gran = 1800, .oldest_h = 30,
		 .newest_h = 8, .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL)},
		{READ, .table = 64, .gran = 1800, .oldest_h = 900,
		 .newest_h = 1, .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL)},
		{.dir = DIR_IN, .kind = OBS_C1222_READ_REQUEST, .table = 25},
		{.dir = DIR_IN, .kind = OBS_C1222_WRITE_REQUEST, .table = 112,
		 .value_s = 600, .meas = MEAS_BIT(MEAS_CONTROL_LOAD)},
		{.kind = OBS_C1222_LOGON_REQUEST},
		{READ, .table = 120},
	};

	return all[rnd(seed) % (sizeof(all) / sizeof(all[0]))];
}

enum change { ADD_DENIAL, ADD_LIMIT, ADD_GUARD, ADD_RESTRICTION, ADD_GRANT,
	N_CHANGES };

/* The same house with one thing more. */
static void change(struct house *h, enum change c, uint64_t *seed,
		   struct pol_limit_src *limit)
{
	static struct pol_limit_phrase phrase;
	static const struct pol_range t120 = {120, 120};
	static const struct pol_attr a120 = TABLE(t120);
	uint64_t r = rnd(seed);
	struct pol_rule_src *rule = &h->rule[r % N_GRANTS];

	switch (c) {
	case ADD_DENIAL:
		h->rule[N_GRANTS] = h->rule[r % N_GRANTS];
		h->rule[N_GRANTS].kind = RULE_DENY;
		h->rule[N_GRANTS].id = "extra";
		h->rule[N_GRANTS].n_limit = 0;
		h->vendor.n_rule = N_GRANTS + 1;
		break;
	case ADD_LIMIT:
		*limit = (struct pol_limit_src){
			.id = "extra", .dir = (enum pol_dirsel)(r % 3),
			.party.any = true, .vm.any = true, .each_vm = true,
			.phrase = {.kind = LIMIT_CALENDAR,
				   .thing = THING_MESSAGES, .n = r % 5 + 1,
				   .window = WINDOW_HOUR, .text = "x"}};
		h->vendor.limit = limit;
		h->vendor.n_limit = 1;
		break;
	case ADD_GUARD:
		if (r & 1024 && !rule->n_requires) {
			rule->requires_ = needs;
			rule->n_requires = 1;
		} else {
			phrase = (struct pol_limit_phrase){
				.kind = LIMIT_SPACING, .window_ns = MIN(7),
				.text = "x"};
			rule->limit = &phrase;
			if (rule->n_limit == 0)
				rule->n_limit = 1;
			else
				rule->limit = h->lim;
		}
		break;
	case ADD_RESTRICTION:
		h->restricts[0] = (struct pol_rule_src){
			.kind = RULE_RESTRICT, .id = "extra",
			.dir = DIRSEL_ANY, .party.any = true, .vm.any = true,
			.block = !(r & 256),
			.data = {.present = (r & 512) != 0,
				 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL) |
					 MEAS_BIT(MEAS_ENERGY_REGISTER),
				 .has_history = true, .history_ns = H(100)}};
		h->customer.rule = h->restricts;
		h->customer.n_rule = 1;
		break;
	default:
		h->m[N_GRANTS] = match_of(OBS_C1222_READ_RESPONSE, &a120);
		h->rule[N_GRANTS] = grant("zz", DIRSEL_OUT, &h->m[N_GRANTS],
					  0);
		h->vendor.n_rule = N_GRANTS + 1;
		break;
	}
}

static bool step_law(struct kit *k, const struct given *g)
{
	struct pol_msg m = message_of(k, g);
	struct pol_decision d;

	return kit_judge(k, &m, &d);
}

/* Laws 3, 4 and 5: in equal states one thing more only refuses, and one
 * grant more only permits. After verdicts that differ the states do too, so
 * that history ends. */
static void test_monotone(void **ctx)
{
	uint64_t seed = 987654321;
	unsigned differ = 0, steps = 0;

	(void)ctx;
	printf("laws 3, 4, 5: seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 150; round++) {
		static struct house a, b;
		static struct kit x, y;
		static struct pol_limit_src limit;
		enum change c = (enum change)(rnd(&seed) % N_CHANGES);

		fill(&a);
		fill(&b);
		change(&b, c, &seed, &limit);
		start(&x, &a);
		start(&y, &b);
		for (int i = 0; i < 60; i++) {
			struct given g = some_message(&seed);
			int64_t wait = (int64_t)(rnd(&seed) % (uint64_t)H(3));
			bool p, q;

			if (i == 0 && rnd(&seed) & 1) {
				g.granted = true;
				give(&x, &g);
				give(&y, &g);
			}
			kit_wait(&x, wait);
			kit_wait(&y, wait);
			p = step_law(&x, &g);
			q = step_law(&y, &g);
			steps++;
			if (c == ADD_GRANT ? p && !q : q && !p)
				fail_msg("change %d, round %d, step %d", c,
					 round, i);
			if (p != q) {
				differ++;
				break;
			}
		}
		kit_free(&x);
		kit_free(&y);
	}
	assert_true(differ > 30 && steps > 1000); /* the changes do bite */
}

/* Law 12: a refusal changes no counter (there are no limits on refusals
 * here; states that it clears are not counters). */
static void test_refused_is_free(void **ctx)
{
	static struct house h;
	static struct kit k;
	uint64_t seed = 5551212, *before;
	unsigned refused = 0;

	(void)ctx;
	printf("law 12: seed %llu\n", (unsigned long long)seed);
	fill(&h);
	start(&k, &h);
	before = malloc(8 * (size_t)k.st->n_w);
	for (int i = 0; i < 3000; i++) {
		struct given g = some_message(&seed);
		uint32_t n = k.set->counter_words;
		struct pol_msg m;
		struct pol_decision d;

		kit_wait(&k, (int64_t)(rnd(&seed) % (uint64_t)H(2)));
		memcpy(before, k.st->w, 8 * (size_t)n);
		m = message_of(&k, &g);
		pol_judge(k.st, &m, &d);
		if (d.permit) {
			pol_commit(k.st);
			continue;
		}
		refused++;
		assert_memory_equal(before, k.st->w, 8 * (size_t)n);
		assert_int_equal(k.st->live->n_undo, 0);
	}
	assert_true(refused > 500 && refused < 2900);
	free(before);
	kit_free(&k);
}

/* What the machine seals itself: nothing else, to no other name. */
static void test_end_to_end(void **ctx)
{
	static const uint16_t the_party[] = {0};
	static const char *const names[] = {"a.example", "b.example"};
	static const struct {
		const char *why, *sni;
		enum obs_kind carrier;
		bool tls, server;
		enum dir dir;
		enum reason want;
	} rows[] = {
		{"its name", "a.example", OBS_TLS_HELLO, true, false, DIR_OUT, 0},
		{"its other name", "b.example", OBS_TLS_HELLO, true, false,
		 DIR_OUT, 0},
		{"another name", "c.example", OBS_TLS_HELLO, true, false,
		 DIR_OUT, REASON_PARTY_IDENTITY},
		{"no name", NULL, OBS_TLS_HELLO, true, false, DIR_OUT,
		 REASON_PARTY_IDENTITY},
		{"the server's hello has none", NULL, OBS_TLS_HELLO, true,
		 false, DIR_IN, 0},
		{"nor has the hello it answers as a server", NULL,
		 OBS_TLS_HELLO, true, true, DIR_OUT, 0},
		{"what is sealed", NULL, OBS_FLOW_OPEN, true, false, DIR_OUT, 0},
		{"what is not", NULL, OBS_FLOW_OPEN, false, false, DIR_OUT,
		 REASON_PARTY_IDENTITY},
		{"not the other way either", NULL, OBS_FLOW_OPEN, false, false,
		 DIR_IN, REASON_PARTY_IDENTITY},
	};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 28);
	struct pol_party_src party = {.id = "care", .name = "C",
				      .addr = &net, .n_addr = 1, .tls = true,
				      .tls_end_to_end = true,
				      .tls_name = names, .n_tls_name = 2};
	struct pol_obs_match m = {.kinds = kit_kind(OBS_OPAQUE)};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "sealed", .dir = DIRSEL_ANY,
		.party = {.party = the_party, .n_party = 1}, .match = &m,
		.n_match = 1};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true,
				  .id = "v", .vm = "mdma",
				  .party = &party, .n_party = 1, .rule = &rule,
				  .n_rule = 1};
	struct kit k = {0};

	(void)ctx;
	assert_int_equal(kit_add(&k, &vendor), 0);
	assert_int_equal(kit_go(&k), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_msg msg = kit_msg(&k, rows[i].dir, OBS_OPAQUE);
		struct pol_decision d;

		msg.peer.tls = rows[i].tls;
		msg.peer.local_port = rows[i].server ? 443 : 0;
		k.carrier = (struct obs){.kind = (uint16_t)rows[i].carrier};
		if (rows[i].sni)
			obs_span(&k.carrier, F_DNS_NAME,
				 span_str(rows[i].sni));
		kit_judge(&k, &msg, &d);
		if (d.reason != rows[i].want)
			fail_msg("%s: %s", rows[i].why, d.text);
	}
	kit_free(&k);
}

/* A party with a name is where the name is; prefixes narrow that. */
static void test_named(void **ctx)
{
	static const uint16_t both[] = {0, 1, 2};
	static const struct {
		uint8_t last; /* of 203.0.113.x */
		uint64_t named;
		const char *party; /* NULL: nobody */
		enum reason why;
	} rows[] = {
		{200, 0, NULL, REASON_UNKNOWN_PARTY},
		{200, 1, "a", 0},
		{200, 3, "a", 0},
		{200, 2, NULL, REASON_UNKNOWN_PARTY},
		{7, 0, NULL, REASON_PARTY_IDENTITY},
		{7, 2, "b", 0},
		{7, 1, "a", 0},
		{40, 0, "c", 0},
		{40, 1, "a", 0},
	};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 28);
	struct pol_prefix wide = kit_net(203, 0, 113, 32, 27);
	struct pol_party_src party[] = {
		{.id = "a", .name = "A", .dns = "a.example"},
		{.id = "b", .name = "B", .dns = "b.example", .addr = &net,
		 .n_addr = 1},
		{.id = "c", .name = "C", .addr = &wide, .n_addr = 1},
	};
	struct pol_obs_match m = {.kinds = kit_kind(OBS_OPAQUE)};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "sealed", .dir = DIRSEL_ANY,
		.party = {.party = both, .n_party = 3}, .match = &m,
		.n_match = 1};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true,
				  .id = "v", .vm = "mdma",
				  .party = party, .n_party = 3, .rule = &rule,
				  .n_rule = 1};
	struct kit k = {0};

	(void)ctx;
	assert_int_equal(kit_add(&k, &vendor), 0);
	assert_int_equal(kit_go(&k), 0);
	assert_int_equal(pol_set_named(k.set, 0), 3);
	assert_true(span_is(pol_set_party_dns(k.set, 0, 1), "b.example"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_msg msg = kit_msg(&k, DIR_OUT, OBS_OPAQUE);
		struct pol_decision d;

		msg.peer.addr = kit_net(203, 0, 113, rows[i].last, 32).addr;
		msg.peer.named = rows[i].named;
		kit_judge(&k, &msg, &d);
		if (d.reason != rows[i].why ||
		    !span_eq(d.party,
			     rows[i].party ? span_str(rows[i].party)
					   : (struct span){0}))
			fail_msg("row %zu: %s", i, d.text);
	}
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_limits_of_a_rule),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_standard_time),
		cmocka_unit_test(test_windows_by_definition),
		cmocka_unit_test(test_a_burst_is_whole),
		cmocka_unit_test(test_end_to_end),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_distinct_over_all),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_transaction),
		cmocka_unit_test(test_customer),
		cmocka_unit_test(test_two_that_fit),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_floor_together),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refusals_of_a_rule),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_would_open),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_restricted_connections),
		cmocka_unit_test(test_same_place),
		cmocka_unit_test(test_sibling_grants),
		cmocka_unit_test(test_sibling_ceilings),
		cmocka_unit_test(test_siblings_reloaded),
		cmocka_unit_test(test_siblings_full),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_apart_are_readings),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_two_machines),
		cmocka_unit_test(test_would_pass),
		cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_refused_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
