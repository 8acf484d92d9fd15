/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are two things at once (struct obs, also), and messages that
 * come in several units (F_CONTINUES): what is asked and counted again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

#define POWER  MEAS_BIT(MEAS_POWER_INSTANT)
#define ENERGY MEAS_BIT(MEAS_ENERGY_INTERVAL)
#define SWITCH MEAS_BIT(MEAS_CONTROL_LOAD)

enum {
	R_PAGE,
	R_OBJECT,
	R_TELL,
	R_LIVE,
	R_OTHER,
	R_SWITCH,
	R_SEND,
	R_DENY,
	N_RULES
};

static const uint16_t party0[] = {0}, asked[] = {R_PAGE, R_OBJECT};

struct house {
	struct pol_obs_match m[N_RULES];
	struct pol_rule_src rule[N_RULES];
	struct pol_limit_phrase lim[N_RULES][2];
	struct pol_party_src party;
	struct pol_prefix net;
	struct pol_port port;
	struct pol_file vendor;
};

static void rule(struct house *h, int i, enum pol_rule_kind kind,
		 const char *id, enum pol_dirsel dir, enum obs_kind obs,
		 meas_set meas)
{
	h->m[i].kinds = kit_kind(obs);
	h->rule[i] = (struct pol_rule_src){
		.kind = kind, .id = id, .dir = dir,
		.party = {.party = party0, .n_party = 1}, .match = &h->m[i],
		.n_match = 1, .data = {.present = meas != 0, .meas = meas},
		.limit = h->lim[i]};
}

static void limit(struct house *h, int i, struct pol_limit_phrase p)
{
	h->lim[i][h->rule[i].n_limit++] = p;
}

static struct pol_limit_phrase per_day(uint16_t thing, uint64_t n)
{
	return (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = (uint8_t)thing, .n = n,
		.window = WINDOW_DAY, .text = "n per day"};
}

#define APART                                                                  \
	{                                                                      \
		.kind = LIMIT_SPACING, .window_ns = H(1),                      \
		.text = "at least 1 h apart"                                   \
	}

/* Out: pages and histories in answer to requests, live power without one. */
static void fill(struct house *h)
{
	memset(h, 0, sizeof(*h));
	rule(h, R_PAGE, RULE_GRANT, "page", DIRSEL_IN, OBS_HTTP_REQUEST, 0);
	rule(h, R_OBJECT, RULE_GRANT, "object", DIRSEL_IN,
	     OBS_OBIX_READ_REQUEST, 0);
	rule(h, R_TELL, RULE_GRANT, "tell", DIRSEL_OUT,
	     OBS_OBIX_HISTORY_QUERY_RESPONSE, ENERGY);
	h->rule[R_TELL].has_answers = true;
	h->rule[R_TELL].answers = asked;
	h->rule[R_TELL].n_answers = 2;
	h->rule[R_TELL].data.has_gran = true;
	h->rule[R_TELL].data.gran_lo_ns = MIN(15);
	rule(h, R_LIVE, RULE_GRANT, "live", DIRSEL_OUT, OBS_OBIX_READ_RESPONSE,
	     POWER);
	rule(h, R_OTHER, RULE_GRANT, "other", DIRSEL_OUT,
	     OBS_OBIX_READ_RESPONSE, ENERGY);
	h->rule[R_OTHER].data.has_gran = true;
	h->rule[R_OTHER].data.gran_lo_ns = MIN(15);
	rule(h, R_SWITCH, RULE_GRANT, "switch", DIRSEL_IN,
	     OBS_OBIX_WRITE_REQUEST, SWITCH);
	rule(h, R_SEND, RULE_GRANT, "send", DIRSEL_OUT, OBS_HTTP_RESPONSE, 0);
	rule(h, R_DENY, RULE_DENY, "never", DIRSEL_ANY, OBS_OBIX_DELETE_REQUEST,
	     0);
	h->net = kit_net(203, 0, 113, 0, 24);
	h->port = (struct pol_port){6, 1153, 1153};
	h->party = (struct pol_party_src){
		.id = "them", .name = "T", .addr = &h->net, .n_addr = 1,
		.port = &h->port, .n_port = 1};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .unique = true,
		.id = "v", .vm = "mdma", .path = "v.yaml",
		.party = &h->party, .n_party = 1, .rule = h->rule,
		.n_rule = N_RULES};
}

static void start(struct kit *k, const struct house *h)
{
	memset(k, 0, sizeof(*k));
	if (kit_add(k, &h->vendor) || kit_go(k))
		fail_msg("%s", k->e.text);
}

/* --- two kinds at once --------------------------------------------------------- */

static void test_also(void **ctx)
{
	static const struct {
		const char *why;
		uint16_t kind, also;
		int absent; /* the rule that is not there */
		enum reason want;
		const char *by; /* rule told */
	} cases[] = {
		{"its own kind's rule is taken first", OBS_OBIX_READ_REQUEST,
		 OBS_HTTP_REQUEST, -1, REASON_NONE, "object"},
		{"the other kind's rule grants it", OBS_OBIX_READ_REQUEST,
		 OBS_HTTP_REQUEST, R_OBJECT, REASON_NONE, "page"},
		{"nobody grants either", OBS_OBIX_WRITE_REQUEST, 0, -1,
		 REASON_NO_GRANT, NULL},
		{"a kind alone is not the other", OBS_OBIX_READ_REQUEST, 0,
		 R_OBJECT, REASON_NO_GRANT, NULL},
		{"a denial of its kind beats a grant of the other",
		 OBS_OBIX_DELETE_REQUEST, OBS_HTTP_REQUEST, -1, REASON_DENIED,
		 "never"},
		{"a denial of the other kind, too", OBS_HTTP_REQUEST,
		 OBS_OBIX_DELETE_REQUEST, -1, REASON_DENIED, "never"},
		{"what cannot be read is first what is known of it",
		 OBS_OPAQUE, OBS_HTTP_REQUEST, -1, REASON_NONE, "page"},
		{"and without such a rule what it is", OBS_OPAQUE,
		 OBS_HTTP_REQUEST, R_PAGE, REASON_NONE, "sealed"},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct house h;
		static struct kit k;
		struct pol_decision d;
		struct pol_msg m;

		fill(&h);
		rule(&h, R_LIVE, RULE_GRANT, "sealed", DIRSEL_IN, OBS_OPAQUE,
		     0);
		if (cases[i].absent >= 0)
			h.m[cases[i].absent].kinds =
				kit_kind(OBS_OBIX_SIGNUP_REQUEST);
		start(&k, &h);
		m = kit_msg(&k, DIR_IN, (enum obs_kind)cases[i].kind);
		k.carrier.kind = OBS_FLOW_OPEN;
		k.leaf[0].also = cases[i].also;
		kit_judge(&k, &m, &d);
		if (d.reason != cases[i].want ||
		    (cases[i].by &&
		     (d.n_rules < 1 || !span_is(d.rules[0].rule, cases[i].by))))
			fail_msg("%s: %s", cases[i].why, reason_text(d.reason));
		kit_free(&k);
	}
}

/* A limit of the policy on one kind counts what is that kind as well. */
static void test_also_limits(void **ctx)
{
	static struct house h;
	static struct kit k;
	static const uint16_t kinds[] = {OBS_HTTP_REQUEST,
					 OBS_OBIX_READ_REQUEST};

	(void)ctx;
	for (size_t i = 0; i < 2; i++) {
		struct pol_obs_match only = {
			.kinds = kit_kind((enum obs_kind)kinds[i])};
		struct pol_limit_src l = {
			.id = "twice", .dir = DIRSEL_IN, .party.any = true,
			.vm.any = true, .each_vm = true, .match = &only,
			.n_match = 1,
			.phrase = per_day(THING_MESSAGES, 2)};
		struct pol_decision d;
		struct pol_msg m;

		fill(&h);
		h.vendor.limit = &l;
		h.vendor.n_limit = 1;
		start(&k, &h);
		for (int n = 0; n < 3; n++) {
			m = kit_msg(&k, DIR_IN, OBS_OBIX_READ_REQUEST);
			k.leaf[0].also = OBS_HTTP_REQUEST;
			assert_int_equal(kit_judge(&k, &m, &d), n < 2);
		}
		assert_int_equal(d.reason, REASON_LIMIT_EXCEEDED);
		kit_free(&k);
	}
}

/* --- messages in several units --------------------------------------------------- */

struct sent {
	enum dir dir;
	enum obs_kind kind;
	meas_set meas, carried;
	bool goes_on, quiet;
	uint64_t flow, values, readings;
};

static bool judge(struct kit *k, const struct sent *u, struct pol_decision *d)
{
	struct pol_msg m = kit_msg(k, u->dir, u->kind);

	k->carrier.kind = OBS_HTTP_RESPONSE;
	if (u->goes_on)
		obs_flag(&k->carrier, F_CONTINUES);
	if (u->carried)
		obs_u64(&k->carrier, F_CARRIED, u->carried);
	if (u->quiet)
		obs_flag(&k->leaf[0], F_CONTINUES);
	if (u->meas)
		obs_u64(&k->leaf[0], F_MEASUREMENT, u->meas);
	if (u->values)
		obs_u64(&k->leaf[0], F_VALUES, u->values);
	if (u->readings)
		obs_u64(&k->leaf[0], F_READINGS, u->readings);
	obs_u64(&k->leaf[0], F_GRANULARITY, 900);
	m.flow = u->flow ? u->flow : 1;
	return kit_judge(k, &m, d);
}

#define HISTORY .dir = DIR_OUT, .kind = OBS_OBIX_HISTORY_QUERY_RESPONSE
#define POINT	.dir = DIR_OUT, .kind = OBS_OBIX_READ_RESPONSE
#define COMMAND .dir = DIR_IN, .kind = OBS_OBIX_WRITE_REQUEST, .meas = SWITCH
#define PAGE	.dir = DIR_OUT, .kind = OBS_HTTP_RESPONSE
#define ON	.goes_on = true
#define REST	.goes_on = true, .quiet = true
#define VOLTS	MEAS_BIT(MEAS_VOLTAGE_INSTANT)

static void test_counting(void **ctx)
{
	static const struct {
		const char *why;
		int rule;
		struct pol_limit_phrase lim;
		struct sent u[4];
		enum reason want[4];
	} cases[] = {
		{"no new message", R_SEND,
		 {.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 1,
		  .window = WINDOW_DAY, .text = "x"},
		 {{PAGE}, {PAGE, ON}, {PAGE, ON}, {PAGE}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"messages are not spaced by their units", R_SEND, APART,
		 {{PAGE}, {PAGE, ON}, {PAGE, ON}, {PAGE}},
		 {0, 0, 0, REASON_TOO_SOON}},
		{"a series goes on with its reading", R_OTHER,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = ENERGY},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY},
		  {POINT, .meas = ENERGY}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"and is not spaced by its units", R_OTHER, APART,
		 {{POINT, .meas = ENERGY},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY},
		  {POINT, .meas = ENERGY}},
		 {0, 0, 0, REASON_TOO_SOON}},
		{"a type that begins late is a reading when it does", R_OTHER,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = POWER},
		  {POINT, ON, .meas = ENERGY, .carried = POWER},
		  {POINT, ON, .meas = ENERGY, .carried = POWER | ENERGY},
		  {POINT, ON, .meas = ENERGY, .carried = POWER}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"snapshots in one long message are a series in disguise",
		 R_LIVE,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 2,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = POWER},
		  {POINT, ON, .meas = POWER, .carried = POWER},
		  {POINT, ON, .meas = ENERGY, .carried = POWER},
		  {POINT, ON, .meas = POWER, .carried = POWER | ENERGY}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"so they are spaced", R_LIVE, APART,
		 {{POINT, .meas = POWER},
		  {POINT, ON, .meas = POWER, .carried = POWER},
		  {POINT, ON, .meas = ENERGY, .carried = POWER},
		  {POINT, .meas = POWER}},
		 {0, REASON_TOO_SOON, 0, REASON_TOO_SOON}},
		{"and messages, of which they are as many", R_LIVE,
		 {.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 2,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = POWER},
		  {POINT, ON, .meas = POWER, .carried = POWER},
		  {POINT, REST, .carried = POWER},
		  {POINT, ON, .meas = POWER, .carried = POWER}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"several in one unit are several readings", R_LIVE,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 5,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = POWER, .readings = 3},
		  {POINT, .meas = POWER, .readings = 3},
		  {POINT, .meas = POWER, .readings = 2},
		  {POINT, .meas = POWER, .readings = 1}},
		 {0, REASON_LIMIT_EXCEEDED, 0, REASON_LIMIT_EXCEEDED}},
		{"and several messages", R_LIVE,
		 {.kind = LIMIT_SLIDING, .thing = THING_MESSAGES, .n = 5,
		  .window = WINDOW_SLIDING, .window_ns = H(1), .text = "x"},
		 {{POINT, .meas = POWER, .readings = 3},
		  {POINT, .meas = POWER, .readings = 3},
		  {POINT, .meas = POWER, .readings = 2},
		  {POINT, .meas = POWER, .readings = 1}},
		 {0, REASON_LIMIT_EXCEEDED, 0, REASON_LIMIT_EXCEEDED}},
		{"and not apart", R_LIVE, APART,
		 {{POINT, .meas = POWER, .readings = 2},
		  {POINT, .meas = POWER, .readings = 1},
		  {POINT, .meas = POWER, .readings = 1},
		  {POINT, ON, .meas = POWER, .carried = POWER}},
		 {REASON_TOO_SOON, 0, REASON_TOO_SOON, REASON_TOO_SOON}},
		{"those of a series are one", R_OTHER,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 2,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = ENERGY, .readings = 96},
		  {POINT, .meas = ENERGY, .readings = 96},
		  {POINT, .meas = ENERGY},
		  {PAGE}},
		 {0, 0, REASON_LIMIT_EXCEEDED, 0}},
		{"a list of commands is not one command", R_SWITCH,
		 {.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 8,
		  .window = WINDOW_DAY, .text = "x"},
		 {{COMMAND, .readings = 110},
		  {COMMAND, .readings = 7},
		  {COMMAND, ON, .carried = SWITCH},
		  {COMMAND, ON, .carried = SWITCH}},
		 {REASON_LIMIT_EXCEEDED, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"nor are those of a long message", R_SWITCH, APART,
		 {{COMMAND},
		  {COMMAND, ON, .carried = SWITCH},
		  {COMMAND, REST, .carried = SWITCH},
		  {COMMAND}},
		 {0, REASON_TOO_SOON, REASON_TOO_SOON, REASON_TOO_SOON}},
		{"what only ends it is covered, and no reading", R_LIVE,
		 {.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = POWER}, {POINT, REST, .carried = POWER},
		  {POINT, REST, .carried = POWER}, {POINT, .meas = POWER}},
		 {0, 0, 0, REASON_LIMIT_EXCEEDED}},
		{"what says something is not, nor what begins", R_LIVE,
		 APART,
		 {{POINT, ON, .carried = POWER},
		  {POINT, .quiet = true, .carried = POWER},
		  {POINT, REST}, {POINT, REST, .meas = VOLTS,
				  .carried = POWER}},
		 {REASON_NO_GRANT, REASON_NO_GRANT, REASON_NO_GRANT,
		  REASON_NO_GRANT}},
		{"nor what goes on with something else", R_LIVE, APART,
		 {{POINT, REST, .carried = VOLTS},
		  {POINT, REST, .carried = POWER | VOLTS},
		  {POINT, REST, .carried = MEAS_BIT(MEAS_STATUS_DEVICE)},
		  {PAGE, REST, .carried = POWER}},
		 {REASON_NO_GRANT, REASON_NO_GRANT, REASON_NO_GRANT, 0}},
		{"numbers are counted wherever they stand", R_OTHER,
		 {.kind = LIMIT_CALENDAR, .thing = THING_VALUES, .n = 10,
		  .window = WINDOW_DAY, .text = "x"},
		 {{POINT, .meas = ENERGY, .values = 5},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY, .values = 5},
		  {POINT, ON, .meas = ENERGY, .carried = ENERGY, .values = 1},
		  {PAGE}},
		 {0, 0, REASON_LIMIT_EXCEEDED, 0}},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct house h;
		static struct kit k;
		struct pol_decision d;

		fill(&h);
		limit(&h, cases[i].rule, cases[i].lim);
		start(&k, &h);
		for (int n = 0; n < 4; n++) {
			judge(&k, &cases[i].u[n], &d);
			if (d.reason != cases[i].want[n])
				fail_msg("%s: unit %d: %s, not %s",
					 cases[i].why, n, reason_text(d.reason),
					 reason_text(cases[i].want[n]));
		}
		kit_free(&k);
	}
}

/* What one snapshot may be is no matter of granularity; of several it is. */
static void test_finer(void **ctx)
{
	static const struct {
		const char *why;
		struct sent u;
		enum reason want;
	} cases[] = {
		{"one", {POINT, .meas = POWER}, 0},
		{"several", {POINT, .meas = POWER, .readings = 2},
		 REASON_TOO_FINE},
		{"commands", {COMMAND, .readings = 2}, 0},
	};
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	fill(&h);
	for (int i = R_LIVE; i <= R_SWITCH; i += R_SWITCH - R_LIVE) {
		h.rule[i].data.has_gran = true;
		h.rule[i].data.gran_lo_ns = MIN(30); /* units say 15 */
	}
	start(&k, &h);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		judge(&k, &cases[i].u, &d);
		if (d.reason != cases[i].want)
			fail_msg("%s: %s", cases[i].why, reason_text(d.reason));
	}
	kit_free(&k);
}

/* Every unit of an answer needs a request that is being answered. */
static void test_answers(void **ctx)
{
	static struct house h;
	static struct kit k;
	const struct sent ask = {.dir = DIR_IN, .kind = OBS_OBIX_READ_REQUEST},
			  ask_on = {.dir = DIR_IN, ON,
				    .kind = OBS_OBIX_READ_REQUEST},
			  page_on = {.dir = DIR_IN, ON,
				     .kind = OBS_HTTP_REQUEST},
			  first = {HISTORY, .meas = ENERGY},
			  rest = {HISTORY, ON, .meas = ENERGY,
				  .carried = ENERGY},
			  elsewhere = {HISTORY, ON, .meas = ENERGY, .flow = 2};
	struct pol_decision d;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	assert_false(judge(&k, &rest, &d)); /* goes on with nothing */
	assert_int_equal(d.reason, REASON_NOT_AN_ANSWER);
	assert_true(judge(&k, &ask, &d));
	assert_false(judge(&k, &rest, &d)); /* not begun */
	assert_true(judge(&k, &first, &d));
	assert_true(judge(&k, &rest, &d));
	assert_false(judge(&k, &elsewhere, &d)); /* of another connection */
	assert_false(judge(&k, &first, &d)); /* a second answer */
	/* However long it lasts, and whatever else is asked meanwhile. */
	for (int i = 0; i < 3 * ANSWERS; i++) {
		struct sent other = ask;

		other.flow = 3;
		kit_wait(&k, S(60));
		assert_true(judge(&k, &other, &d));
		assert_true(judge(&k, &rest, &d));
	}
	/* A request in two units, with two leaves: one message, asked once
	 * for each; the rest of a page asks for nothing. */
	kit_wait(&k, S(600));
	assert_true(judge(&k, &ask, &d));
	assert_true(judge(&k, &ask_on, &d));
	assert_true(judge(&k, &page_on, &d));
	assert_true(judge(&k, &first, &d));
	assert_true(judge(&k, &rest, &d));
	assert_true(judge(&k, &rest, &d)); /* what was taken covers it */
	assert_false(judge(&k, &first, &d));
	kit_free(&k);
}

/* Answers in order, whatever rules grant their parts. */
static void test_order(void **ctx)
{
	static struct house h;
	static struct kit k;
	const struct sent ask = {.dir = DIR_IN, .kind = OBS_OBIX_READ_REQUEST},
			  other = {.dir = DIR_IN,
				   .kind = OBS_OBIX_SIGNUP_REQUEST},
			  page = {PAGE}, first = {HISTORY, .meas = ENERGY},
			  rest = {HISTORY, ON, .meas = ENERGY};
	struct pol_decision d;
	struct pol_msg m;

	(void)ctx;
	fill(&h);
	h.m[R_DENY].kinds = kit_kind(OBS_OBIX_SIGNUP_REQUEST);
	h.rule[R_DENY].kind = RULE_GRANT;
	start(&k, &h);
	/* It begins with nothing that needs a request, and goes on with what
	 * does. */
	assert_true(judge(&k, &ask, &d));
	assert_true(judge(&k, &page, &d));
	assert_true(judge(&k, &rest, &d));
	/* Of the next one, which was another request, it does not. */
	assert_true(judge(&k, &other, &d));
	assert_true(judge(&k, &page, &d));
	assert_false(judge(&k, &rest, &d));
	assert_int_equal(d.reason, REASON_NOT_AN_ANSWER);
	/* 100 Continue is no answer yet. */
	assert_true(judge(&k, &ask, &d));
	m = kit_msg(&k, DIR_OUT, OBS_HTTP_RESPONSE);
	k.carrier.kind = OBS_FLOW_OPEN;
	obs_u64(&k.leaf[0], F_STATUS, 100);
	assert_true(kit_judge(&k, &m, &d));
	assert_true(judge(&k, &first, &d));
	assert_true(judge(&k, &rest, &d));
	assert_false(judge(&k, &first, &d));
	/* What is left of a request of two things is not the next answer's. */
	m = kit_msg(&k, DIR_IN, OBS_OBIX_READ_REQUEST);
	k.leaf[1] = k.leaf[0];
	m.n_leaves = 2;
	assert_true(kit_judge(&k, &m, &d));
	assert_true(judge(&k, &first, &d));
	assert_false(judge(&k, &first, &d));
	kit_free(&k);
}

/* One request, several things in its answer: as a Watch tells what changed. */
static void test_many_leaves(void **ctx)
{
	static const struct {
		const char *why;
		enum obs_kind carrier;
		unsigned asked;
		bool permit;
	} cases[] = {
		{"an answer of HTTP", OBS_HTTP_RESPONSE, 1, true},
		{"one that nobody asked for", OBS_HTTP_RESPONSE, 0, false},
		{"each answer of C12.22 has its own request",
		 OBS_C1222_MESSAGE, 1, false},
		{"and so many were asked", OBS_C1222_MESSAGE, 3, true},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sent ask = {.dir = DIR_IN,
					 .kind = OBS_OBIX_READ_REQUEST};
		static struct house h;
		static struct kit k;
		struct pol_decision d;
		struct pol_msg m;

		fill(&h);
		start(&k, &h);
		for (unsigned n = 0; n < cases[i].asked; n++)
			assert_true(judge(&k, &ask, &d));
		m = kit_msg(&k, DIR_OUT, OBS_OBIX_HISTORY_QUERY_RESPONSE);
		k.carrier.kind = (uint16_t)cases[i].carrier;
		obs_u64(&k.leaf[0], F_MEASUREMENT, ENERGY);
		obs_u64(&k.leaf[0], F_GRANULARITY, 900);
		k.leaf[1] = k.leaf[2] = k.leaf[0];
		m.n_leaves = 3;
		if (kit_judge(&k, &m, &d) != cases[i].permit)
			fail_msg("%s: %s", cases[i].why,
				 reason_text(d.reason));
		if (!cases[i].permit)
			assert_int_equal(d.reason, REASON_NOT_AN_ANSWER);
		else
			assert_false(kit_judge(&k, &m, &d)); /* once */
		kit_free(&k);
	}
}

/* A message may be counted only where each leaf's own rule says so. */
static void test_summary(void **ctx)
{
	static const struct {
		const char *why;
		enum pol_audit page, object;
		bool summary;
	} cases[] = {
		{"without data, by default", AUDIT_UNSET, AUDIT_UNSET, true},
		{"both say so", AUDIT_SUMMARY, AUDIT_SUMMARY, true},
		{"the first wants each", AUDIT_EACH, AUDIT_UNSET, false},
		{"the second wants each", AUDIT_SUMMARY, AUDIT_EACH, false},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct house h;
		static struct kit k;
		struct pol_decision d;
		struct pol_msg m;

		fill(&h);
		h.rule[R_PAGE].audit = cases[i].page;
		h.rule[R_OBJECT].audit = cases[i].object;
		start(&k, &h);
		m = kit_msg(&k, DIR_IN, OBS_HTTP_REQUEST);
		k.carrier.kind = OBS_FLOW_OPEN;
		k.leaf[1] = (struct obs){.kind = OBS_OBIX_READ_REQUEST};
		m.n_leaves = 2;
		assert_true(kit_judge(&k, &m, &d));
		if (d.summary != cases[i].summary)
			fail_msg("%s: %d", cases[i].why, d.summary);
		kit_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_also),
		cmocka_unit_test(test_also_limits),
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_finer),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many_leaves),
		cmocka_unit_test(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
