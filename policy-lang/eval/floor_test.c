/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A customer's file that is accepted leaves every floor what it keeps, against
 * whatever else the machine sends: random restrictions and limits, and an
 * adversary that sends all else as often and as early as it is permitted. And
 * what is not accepted says why.
 */
#include "policy-lang/eval/lawkit.h"
#include "policy-lang/eval/testkit.h"

enum { BILL, PROFILE, NOISE, PLAIN, ASK, N_RULES };
enum { HEADEND, OTHER };
#define BILL_MEAS  MEAS_BIT(MEAS_ENERGY_REGISTER)
#define NOISE_MEAS MEAS_BIT(MEAS_POWER_INSTANT)

static const uint16_t to_headend[] = {HEADEND}, to_both[] = {HEADEND, OTHER};

struct home {
	struct pol_range table[N_RULES];
	struct pol_attr attr[N_RULES];
	struct pol_obs_match match[N_RULES], any;
	struct pol_rule_src rule[N_RULES], ceiling, restrict_;
	struct pol_limit_phrase own[N_RULES], limit;
	struct pol_prefix net[2];
	struct pol_party_src party[2];
	struct pol_floor_src floor;
	enum pol_role except;
	struct pol_file vendor, base, customer;
};

static void a_rule(struct home *h, int i, const char *id, meas_set meas,
		   const uint16_t *to, size_t n)
{
	h->table[i] = (struct pol_range){(uint32_t)i, (uint32_t)i};
	h->attr[i] = (struct pol_attr){
		.field = F_TABLE, .num = &h->table[i], .n_num = 1};
	h->match[i] = (struct pol_obs_match){
		.kinds = kit_kind(OBS_C1222_WRITE_REQUEST),
		.attr = &h->attr[i], .n_attr = 1};
	h->rule[i] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = id, .dir = DIRSEL_OUT,
		.party = {.party = to, .n_party = n}, .match = &h->match[i],
		.n_match = 1, .consent = CONSENT_NONE, .limit = &h->own[i],
		.data = {.present = meas != 0, .meas = meas}};
}

static void fill(struct home *h)
{
	static const enum pol_role roles[] = {ROLE_METERING, ROLE_SERVICE};

	memset(h, 0, sizeof(*h));
	a_rule(h, BILL, "bill", BILL_MEAS, to_headend, 1);
	a_rule(h, PROFILE, "profile", BILL_MEAS | NOISE_MEAS, to_headend, 1);
	a_rule(h, NOISE, "noise", NOISE_MEAS, to_both, 2);
	a_rule(h, PLAIN, "plain", 0, to_both, 2);
	a_rule(h, ASK, "ask", 0, to_both, 2);
	h->rule[ASK].dir = DIRSEL_IN;
	h->match[ASK].kinds = kit_kind(OBS_C1222_READ_REQUEST);
	h->any.kinds = (struct pol_kinds){{~UINT64_C(0), ~UINT64_C(0)}};
	h->ceiling = (struct pol_rule_src){
		.kind = RULE_CEILING, .id = "all", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .match = &h->any,
		.n_match = 1, .data = {.present = true, .meas = MEAS_ALL}};
	h->net[0] = kit_net(203, 0, 113, 0, 28);
	h->net[1] = kit_net(198, 51, 100, 0, 28);
	for (int i = 0; i < 2; i++)
		h->party[i] = (struct pol_party_src){
			.id = i ? "other" : "headend", .name = i ? "O" : "H",
			.role = roles[i], .addr = &h->net[i], .n_addr = 1};
	h->floor = (struct pol_floor_src){
		.id = "the-bill", .vm = "mdma", .meas = BILL_MEAS,
		.keep = {.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			 .n = 1, .window = WINDOW_DAY, .text = "keep"}};
	h->restrict_ = (struct pol_rule_src){
		.kind = RULE_RESTRICT, .id = "few", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .limit = &h->limit,
		.n_limit = 1};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .unique = true,
		.id = "v", .vm = "mdma", .path = "v.yaml",
		.party = h->party, .n_party = 2, .rule = h->rule,
		.n_rule = ASK};
	h->base = (struct pol_file){
		.kind = POL_BASELINE, .unique = true,
		.id = "b", .path = "b.yaml",
		.rule = &h->ceiling, .n_rule = 1, .floor = &h->floor,
		.n_floor = 1};
	h->customer = (struct pol_file){
		.kind = POL_CUSTOMER, .unique = true,
		.id = "c", .path = "c.yaml",
		.rule = &h->restrict_, .n_rule = 1};
}

static int compose(struct kit *k, const struct home *h)
{
	memset(k, 0, sizeof(*k));
	if (kit_add(k, &h->base) || kit_add(k, &h->vendor) ||
	    kit_add(k, &h->customer)) {
		fprintf(stderr, "%s\n", k->e.text);
		abort();
	}
	return kit_go(k);
}

static struct pol_limit_phrase limit_of(unsigned kind, enum pol_thing thing,
					uint64_t n, enum pol_window w,
					int64_t ns)
{
	return (struct pol_limit_phrase){
		.kind = (uint8_t)kind, .thing = thing, .n = n, .burst = n,
		.window = kind == LIMIT_CALENDAR ? w : WINDOW_SLIDING,
		.window_ns = kind == LIMIT_CALENDAR ? 0 : ns, .text = "limit"};
}

/* --- rows ---------------------------------------------------------------------- */

#define READINGS(n, w) limit_of(LIMIT_CALENDAR, THING_READINGS, n, w, 0)
#define MESSAGES(n, w) limit_of(LIMIT_CALENDAR, THING_MESSAGES, n, w, 0)
#define APART(ns)      limit_of(LIMIT_SPACING, THING_READINGS, 1, 0, ns)
#define SLIDING(n, ns) limit_of(LIMIT_SLIDING, THING_READINGS, n, 0, ns)

static void test_rows(void **ctx)
{
	static const char by_noise[] = "restriction few cuts the floor "
				       "the-bill: 'noise' may use up its limit";
	static const char by_plain[] = "restriction few cuts the floor "
				       "the-bill: 'plain' may use up its limit";
	static const char by_trial[] = "restriction few cuts the floor "
				       "the-bill: what passes while 'v' is on "
				       "trial may use up its limit";
	static const char by_ask[] = "restriction few cuts the floor the-bill: "
				     "errors that answer 'ask' may use up its "
				     "limit";
	const struct {
		const char *why, *said; /* NULL: accepted */
		struct pol_limit_phrase limit, noise, plain; /* n 0: none */
		meas_set meas; /* of the restriction; 0: no data */
		enum pol_consent consent; /* of noise */
		bool trial;
		struct pol_limit_phrase ask; /* n 0: no such rule */
	} rows[] = {
		{"for the whole machine, and nothing holds the rest back",
		 by_noise, READINGS(9, WINDOW_DAY), {0}, {0}, 0, 0, false, {0}},
		{"of other measurements", NULL, READINGS(1, WINDOW_DAY), {0},
		 {0}, MEAS_BIT(MEAS_VOLTAGE_INSTANT), 0, false, {0}},
		{"of the floor's alone", NULL, READINGS(1, WINDOW_DAY), {0},
		 {0}, BILL_MEAS, 0, false, {0}},
		{"fewer of them than it keeps",
		 "restriction few cuts the floor the-bill",
		 READINGS(1, WINDOW_WEEK), {0}, {0}, BILL_MEAS, 0, false, {0}},
		{"the rest leaves one: two parties get four each", NULL,
		 READINGS(9, WINDOW_DAY), READINGS(4, WINDOW_DAY), {0}, 0, 0, false, {0}},
		{"the rest leaves none", by_noise, READINGS(8, WINDOW_DAY),
		 READINGS(4, WINDOW_DAY), {0}, 0, 0, false, {0}},
		{"windows that lie otherwise", by_noise,
		 READINGS(9, WINDOW_DAY), SLIDING(5, H(24)), {0}, 0, 0, false, {0}},
		{"what is apart", NULL, READINGS(9, WINDOW_DAY), APART(H(6)),
		 {0}, 0, 0, false, {0}},
		{"messages count what is no reading", by_plain,
		 MESSAGES(9, WINDOW_DAY), READINGS(4, WINDOW_DAY), {0}, 0, 0, false, {0}},
		{"and leave room where that is held back", NULL,
		 MESSAGES(17, WINDOW_DAY), READINGS(4, WINDOW_DAY),
		 MESSAGES(4, WINDOW_DAY), 0, 0, false, {0}},
		{"which a limit on readings does not", by_plain,
		 MESSAGES(17, WINDOW_DAY), READINGS(4, WINDOW_DAY),
		 READINGS(4, WINDOW_DAY), 0, 0, false, {0}},
		{"readings do not", NULL, READINGS(9, WINDOW_DAY),
		 READINGS(4, WINDOW_DAY), {0}, 0, 0, false, {0}},
		{"a gap that others are in", by_noise, APART(MIN(1)),
		 READINGS(2, WINDOW_DAY), MESSAGES(1, WINDOW_DAY), 0, 0, false, {0}},
		{"a gap between the floor's own", NULL, APART(H(24)), {0}, {0},
		 BILL_MEAS, 0, false, {0}},
		{"what nobody agreed to takes nothing", NULL,
		 READINGS(1, WINDOW_DAY), {0}, {0}, 0, CONSENT_OPT_IN, false, {0}},
		{"what no rule gives, on trial", by_trial,
		 READINGS(9, WINDOW_DAY), {0}, {0}, 0, CONSENT_OPT_IN, true, {0}},
		{"to whom none does", by_trial, READINGS(1, WINDOW_DAY), {0},
		 {0}, BILL_MEAS, 0, true, {0}},
		{"which is none of other measurements", NULL,
		 READINGS(1, WINDOW_DAY), {0}, {0},
		 MEAS_BIT(MEAS_VOLTAGE_INSTANT), 0, true, {0}},
		{"an error needs no rule, and is a message", by_ask,
		 MESSAGES(17, WINDOW_DAY), READINGS(4, WINDOW_DAY),
		 MESSAGES(2, WINDOW_DAY), 0, 0, false, MESSAGES(9, WINDOW_DAY)},
		{"to each who asks, of now and of just before", by_ask,
		 MESSAGES(8, WINDOW_DAY), {0}, MESSAGES(1, WINDOW_DAY), 0,
		 CONSENT_OPT_IN, false, MESSAGES(1, WINDOW_DAY)},
		{"and leaves one", NULL, MESSAGES(9, WINDOW_DAY), {0},
		 MESSAGES(1, WINDOW_DAY), 0, CONSENT_OPT_IN, false,
		 MESSAGES(1, WINDOW_DAY)},
		{"in a gap", by_ask, limit_of(LIMIT_SPACING, THING_MESSAGES, 1,
					      0, MIN(1)),
		 {0}, MESSAGES(1, WINDOW_DAY), 0, CONSENT_OPT_IN, false,
		 MESSAGES(9, WINDOW_DAY)},
		{"it is no reading", NULL, READINGS(9, WINDOW_DAY),
		 READINGS(4, WINDOW_DAY), {0}, 0, 0, false,
		 MESSAGES(99, WINDOW_DAY)},
		{"and of no measurement", NULL, MESSAGES(1, WINDOW_DAY), {0},
		 {0}, BILL_MEAS, 0, false, MESSAGES(99, WINDOW_DAY)},
	};
	static struct home h;
	static struct kit k;

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		fill(&h);
		h.limit = rows[i].limit;
		h.own[NOISE] = rows[i].noise;
		h.rule[NOISE].n_limit = rows[i].noise.n != 0;
		if (rows[i].consent)
			h.rule[NOISE].consent = rows[i].consent;
		h.own[PLAIN] = rows[i].plain;
		h.rule[PLAIN].n_limit = rows[i].plain.n != 0;
		h.own[ASK] = rows[i].ask;
		h.rule[ASK].n_limit = 1;
		h.vendor.n_rule = rows[i].ask.n ? N_RULES : ASK;
		h.restrict_.data.present = rows[i].meas != 0;
		h.restrict_.data.meas = rows[i].meas;
		h.vendor.monitor_until_s = rows[i].trial ? MIN(1) / S(1) : 0;
		rc = compose(&k, &h);
		if (rc != (rows[i].said ? E_STATE : 0) ||
		    (rc && strcmp(k.e.text, rows[i].said) != 0))
			fail_msg("%s: %d %s", rows[i].why, rc,
				 rc ? k.e.text : "");
		kit_free(&k);
	}
}

/* --- the adversary -------------------------------------------------------------- */

/* on: with the message that went to them before. */
static bool try_to_send(struct kit *k, int rule, bool other, bool on)
{
	static const meas_set meas[] = {BILL_MEAS, BILL_MEAS | NOISE_MEAS,
					NOISE_MEAS, 0};
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_WRITE_REQUEST);
	struct pol_decision d;

	k->carrier.kind = OBS_FLOW_OPEN;
	m.flow += other;
	if (on) {
		obs_flag(&k->carrier, F_CONTINUES);
		obs_u64(&k->carrier, F_CARRIED, BILL_MEAS | NOISE_MEAS);
	}
	if (other)
		m.peer.addr = kit_net(198, 51, 100, 7, 32).addr;
	obs_u64(&k->leaf[0], F_TABLE, (uint64_t)rule);
	if (meas[rule]) {
		obs_u64(&k->leaf[0], F_MEASUREMENT, meas[rule]);
		obs_u64(&k->leaf[0], F_VALUES, 1);
	}
	return kit_judge(k, &m, &d);
}

/* It is asked, and says that it cannot. */
static bool try_to_err(struct kit *k, bool other)
{
	struct pol_msg m = kit_msg(k, DIR_IN, OBS_C1222_READ_REQUEST);
	struct pol_decision d;

	m.flow += other;
	if (other)
		m.peer.addr = kit_net(198, 51, 100, 7, 32).addr;
	obs_u64(&k->leaf[0], F_TABLE, ASK);
	if (!kit_judge(k, &m, &d))
		return false;
	k->leaf[0] = (struct obs){.kind = OBS_C1222_ERROR};
	m.dir = DIR_OUT;
	return kit_judge(k, &m, &d);
}

/* All that it can get through now: no limit here holds more at once. As
 * messages of several units, which begin with what carries nothing and count
 * once where that is counted; or each by itself. */
static void send_all_else(struct kit *k, bool units)
{
	for (int i = 0; i < 8; i++) {
		bool some = try_to_send(k, PLAIN, true, units && i % 4);

		some |= try_to_send(k, PLAIN, false, units && i % 4);
		some |= try_to_send(k, NOISE, true, units);
		some |= try_to_send(k, NOISE, false, units);
		some |= try_to_err(k, true);
		some |= try_to_err(k, false);
		if (!some)
			return;
	}
}

static struct pol_limit_phrase draw_limit(struct draws *d, uint64_t most)
{
	static const int64_t ns[] = {H(24), H(12), H(8), H(48), H(3)};
	static const enum pol_window w[] = {WINDOW_DAY, WINDOW_HOUR,
					    WINDOW_WEEK};
	static const uint8_t kinds[] = {LIMIT_CALENDAR, LIMIT_SLIDING,
					LIMIT_SPACING, LIMIT_BUCKET};
	unsigned kind = kinds[draw(d, 4)];

	return limit_of(kind, draw(d, 2) ? THING_MESSAGES : THING_READINGS,
			kind == LIMIT_SPACING ? 1 : 1 + draw(d, most),
			w[draw(d, 3)], ns[draw(d, 5)]);
}

static void draw_home(struct home *h, struct draws *d)
{
	fill(h);
	h->limit = draw_limit(d, 40);
	h->vendor.n_rule = draw(d, 2) ? N_RULES : ASK;
	for (int i = NOISE; i <= ASK; i++) {
		h->own[i] = draw_limit(d, 6);
		h->rule[i].n_limit = draw(d, 8) != 0;
		if (draw(d, 2)) {
			h->rule[i].party.party = to_headend;
			h->rule[i].party.n_party = 1;
		}
	}
	h->restrict_.data.present = draw(d, 4) == 0;
	h->restrict_.data.meas = h->restrict_.data.present
					 ? BILL_MEAS | (draw(d, 2) ? NOISE_MEAS
								   : 0)
					 : 0;
	h->floor.keep.n = 1 + draw(d, 2);
	h->floor.keep.window = draw(d, 3) ? WINDOW_DAY : WINDOW_WEEK;
}

/* Each window of the floor, from its beginning on, gets its readings, however
 * often the household reads and whoever else sends. */
static bool law_floor(struct law *l)
{
	static struct home h;
	static struct kit k;
	int64_t len, step;
	unsigned windows;
	bool kept = true, units;

	if (!l->same_policy)
		draw_home(&h, &l->policy);
	l->saw[0] = h.restrict_.data.present;
	if (compose(&k, &h)) {
		l->saw[1] = true;
		kit_free(&k);
		return true;
	}
	len = h.floor.keep.window == WINDOW_DAY ? D(1) : D(7);
	windows = len == D(1) ? 3 : 2;
	step = (int64_t)(1 + draw(&l->history, 12)) * MIN(10);
	units = draw(&l->history, 2);
	/* 2026-11-30, a Monday, 00:00. */
	k.now.wall.us = INT64_C(1795996800) * US_PER_S;
	for (unsigned i = 0; kept && i < windows; i++) {
		uint64_t got = 0;

		for (int64_t at = 0; at < len; at += step) {
			int64_t go = at + step < len ? step : len - at;

			send_all_else(&k, units);
			if (got < h.floor.keep.n)
				got += try_to_send(&k, BILL, false,
						   units && got % 2);
			kit_wait(&k, go);
		}
		kept = got >= h.floor.keep.n;
	}
	l->saw[2] = true;
	l->saw[3] = h.limit.kind == LIMIT_BUCKET;
	l->saw[4] = h.limit.kind == LIMIT_SLIDING;
	l->saw[5] = h.limit.kind == LIMIT_CALENDAR;
	l->saw[6] = !h.restrict_.data.present;
	l->saw[7] = units;
	if (l->tell)
		fprintf(stderr,
			"#   limit: kind %u thing %u n %llu window %u %lld s; "
			"keep %llu in %lld h\n",
			h.limit.kind, h.limit.thing,
			(unsigned long long)h.limit.n, h.limit.window,
			(long long)(h.limit.window_ns / NS_PER_S),
			(unsigned long long)h.floor.keep.n,
			(long long)(len / H(1)));
	for (int i = NOISE; l->tell && i < (int)h.vendor.n_rule; i++)
		fprintf(stderr,
			"#   %s: %zu limits: kind %u thing %u n %llu window %u "
			"%lld s, to %zu\n",
			h.rule[i].id, h.rule[i].n_limit, h.own[i].kind,
			h.own[i].thing, (unsigned long long)h.own[i].n,
			h.own[i].window,
			(long long)(h.own[i].window_ns / NS_PER_S),
			h.rule[i].party.n_party);
	if (!kept)
		snprintf(l->why, sizeof(l->why), "the floor was cut");
	kit_free(&k);
	return kept;
}

static void test_law(void **ctx)
{
	static const struct law_share shares[] = {
		{"of one measurement", 10}, {"rejected", 20},
		{"accepted", 20},	    {"bucket", 3},
		{"sliding", 3},		    {"calendar", 3},
		{"of the whole machine", 5},
		{"in several units", 10}, {0}};

	(void)ctx;
	law_run("floors", law_floor, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_law),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
