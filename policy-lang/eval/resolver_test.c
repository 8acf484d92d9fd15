/* SPDX-License-Identifier: Apache-2.0 */
/* Which name server the policies of a set leave as the only one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

#define DNS  53
#define NTP  123
#define TLS  443

static const struct {
	const char *why;
	bool named; /* a party has a name */
	struct {
		uint8_t last, len; /* of 192.0.2.x */
		uint16_t lo, hi;
	} party[2];
	uint8_t want; /* 0: nobody */
} rows[] = {
	{"one name server", true, {{53, 32, DNS, DNS}, {1, 32, NTP, NTP}}, 53},
	{"twice the same one", true, {{53, 32, DNS, DNS}, {53, 32, 1, 99}}, 53},
	{"nobody has a name", false, {{53, 32, DNS, DNS}, {1, 32, NTP, NTP}}, 0},
	{"two of them", true, {{53, 32, DNS, DNS}, {54, 32, DNS, DNS}}, 0},
	{"the other within ports", true, {{53, 32, DNS, DNS}, {54, 32, 1, 99}},
	 0},
	{"any of a network", true, {{0, 24, DNS, DNS}, {1, 32, NTP, NTP}}, 0},
	{"a network beside it", true, {{53, 32, DNS, DNS}, {0, 24, DNS, DNS}},
	 0},
	{"none", true, {{53, 32, TLS, TLS}, {1, 32, NTP, NTP}}, 0},
};

static void test_rows(void **ctx)
{
	static const uint16_t all[] = {0, 1, 2};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_port port[2];
		struct pol_prefix at[2];
		struct pol_party_src party[3] = {
			{.id = "a"}, {.id = "b"},
			{.id = "c", .addr = at, .n_addr = 1,
			 .dns = rows[i].named ? "c.example" : NULL}};
		struct pol_obs_match m = {.kinds = kit_kind(OBS_OPAQUE)};
		struct pol_rule_src rule = {
			.kind = RULE_GRANT, .id = "r", .dir = DIRSEL_ANY,
			.party = {.party = all, .n_party = 3}, .match = &m,
			.n_match = 1};
		struct pol_file vendor = {
			.kind = POL_VENDOR, .unique = true,
			.id = "v", .vm = "mdma",
			.party = party, .n_party = 3, .rule = &rule,
			.n_rule = 1};
		struct kit k = {0};
		struct net_addr a = {{0}};
		bool says;

		for (size_t p = 0; p < 2; p++) {
			at[p] = kit_net(192, 0, 2, rows[i].party[p].last,
					rows[i].party[p].len);
			port[p] = (struct pol_port){17, rows[i].party[p].lo,
						    rows[i].party[p].hi};
			party[p].addr = &at[p];
			party[p].port = &port[p];
			party[p].n_addr = party[p].n_port = 1;
		}
		assert_int_equal(kit_add(&k, &vendor), 0);
		assert_int_equal(kit_go(&k), 0);
		says = pol_set_resolver(k.set, &a);
		if (says != (rows[i].want != 0) ||
		    (says && a.b[15] != rows[i].want))
			fail_msg("%s: %d, %u", rows[i].why, says, a.b[15]);
		kit_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
