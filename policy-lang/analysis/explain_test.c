/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/analysis/explain.h"
#include "policy-lang/eval/testkit.h"

static const uint16_t headend[] = {0};

static void start(struct kit *k, size_t restrictions)
{
	static const struct pol_limit_phrase daily = {
		.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		.window = WINDOW_DAY, .text = "1 reading per day"};
	struct pol_obs_match m = {
		.kinds = kit_kind(OBS_C1222_READ_RESPONSE)};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 28);
	struct pol_party_src party = {.id = "headend", .name = "H",
				      .addr = &net, .n_addr = 1};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "send-profile", .dir = DIRSEL_OUT,
		.party = {.party = headend, .n_party = 1}, .match = &m,
		.n_match = 1, .limit = &daily, .n_limit = 1, .pos = {89, 3},
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			 .has_gran = true, .gran_lo_ns = MIN(30),
			 .has_delay = true, .delay_ns = H(6)}};
	struct pol_rule_src late[] = {
		{.kind = RULE_RESTRICT, .id = "day-late", .dir = DIRSEL_OUT,
		 .party.any = true, .vm.any = true, .pos = {13, 3},
		 .data = {.present = true,
			  .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			  .has_delay = true, .delay_ns = D(1)}},
		{.kind = RULE_RESTRICT, .id = "hours", .dir = DIRSEL_OUT,
		 .party.any = true, .vm.any = true, .pos = {17, 3},
		 .data = {.present = true,
			  .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			  .has_gran = true, .gran_lo_ns = H(1)}}};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true, .id = "v",
				  .vm = "mdma", .path = "mdma.yaml",
				  .party = &party, .n_party = 1,
				  .rule = &rule, .n_rule = 1};
	struct pol_file customer = {.kind = POL_CUSTOMER, .unique = true,
				    .id = "c",
				    .path = "customer.yaml", .rule = late,
				    .n_rule = restrictions};

	memset(k, 0, sizeof(*k));
	if (kit_add(k, &vendor) || kit_add(k, &customer) || kit_go(k))
		fail_msg("%s", k->e.text);
}

static struct pol_msg profile(struct kit *k, uint64_t gran, int64_t newest_h)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);

	obs_u64(&k->leaf[0], F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_INTERVAL));
	obs_u64(&k->leaf[0], F_GRANULARITY, gran);
	obs_i64(&k->leaf[0], F_NEWEST,
		wall_s(k->now.wall) - newest_h * 3600);
	return m;
}

static void expect(const char *got, const char *const *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strstr(got, want[i]))
			fail_msg("'%s' is missing in:\n%s", want[i], got);
	}
}

#define EXPECT(got, want) expect(got, want, sizeof(want) / sizeof(want[0]))

static void test_refused(void **ctx)
{
	static const char *const want[] = {
		"REFUSED  too-fine, too-fresh\n",
		"is mdma\n",
		"party      ok        headend: address matches\n",
		"vendor     refused   send-profile                         mdma.yaml:89\n",
		"granularity 15 min, needs 30 min or coarser\n",
		"newest value 2 h old, needs 6 h\n",
		"customer   refused   day-late                             customer.yaml:13\n",
		"newest value 2 h old, needs 24 h\n",
		"would pass           granularity 30 min, newest 24 h\n"};
	static struct kit k;
	char buf[4096];
	struct pol_msg m;

	(void)ctx;
	start(&k, 1);
	m = profile(&k, 900, 2);
	assert_int_equal(pol_explain(k.set, k.st, &m, buf, sizeof(buf)), 0);
	EXPECT(buf, want);
	kit_free(&k);
}

static void test_permitted(void **ctx)
{
	static const char *const want[] = {
		"PERMITTED\n",
		"vendor     ok        send-profile                         mdma.yaml:89\n",
		"customer   ok\n",
		"limits     room      then 0 of 1 reading today\n"};
	static const char *const after[] = {
		"REFUSED  limit-exceeded\n",
		"no room   allow/send-profile: 1 reading per day, 1 used, "
		"room in 12 h\n"};
	static const char *const stranger[] = {
		"REFUSED  unknown-party\n",
		"192.0.2.1 port 1153 is nobody the policy names\n"};
	static struct kit k;
	struct pol_decision d;
	char buf[4096], small[20];
	struct pol_msg m;

	(void)ctx;
	start(&k, 1);
	m = profile(&k, 1800, 24);
	/* Asking charges nothing, however often. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(pol_explain(k.set, k.st, &m, buf,
					     sizeof(buf)), 1);
	EXPECT(buf, want);
	assert_true(kit_judge(&k, &m, &d));
	assert_int_equal(pol_explain(k.set, k.st, &m, buf, sizeof(buf)), 0);
	EXPECT(buf, after);
	m.peer.addr = kit_net(192, 0, 2, 1, 32).addr;
	assert_int_equal(pol_explain(k.set, k.st, &m, buf, sizeof(buf)), 0);
	EXPECT(buf, stranger);
	pol_explain(k.set, k.st, &m, small, sizeof(small));
	assert_true(strlen(small) < sizeof(small));
	assert_memory_equal(small, buf, strlen(small));
	kit_free(&k);
}

/* Two restrictions refuse, each by its own name and for its own reason. */
static void test_two_restrictions(void **ctx)
{
	static const char *const want[] = {
		"customer   refused   day-late                             customer.yaml:13\n"
		"                         newest value 2 h old, needs 24 h\n"
		"  customer   refused   hours                                customer.yaml:17\n"
		"                         granularity 15 min, needs 1 h or coarser\n"};
	static struct kit k;
	char buf[4096];
	struct pol_msg m;

	(void)ctx;
	start(&k, 2);
	m = profile(&k, 900, 2);
	assert_int_equal(pol_explain(k.set, k.st, &m, buf, sizeof(buf)), 0);
	EXPECT(buf, want);
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_permitted),
		cmocka_unit_test(test_two_restrictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
