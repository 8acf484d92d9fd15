/* SPDX-License-Identifier: Apache-2.0 */
/* How long the wall clock is trusted when nobody keeps it any more. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "enforcer/daemon/live.h"

#define H (3600 * NS_PER_S)

/* Steps in a row: what passes by the stepless clock, by how much more the wall
 * clock went on, whether a source keeps it, and whether it is trusted then. */
struct step {
	int64_t ns, step_us;
	bool synced, trusted;
};

static const struct {
	const char *name;
	struct step step[6];
	size_t n;
} rows[] = {
	{"never kept", {{H, 0, false, false}, {H, 0, false, false}}, 2},
	{"kept, then lost for a day",
	 {{H, 0, true, true},
	  {H, 0, false, true},
	  {23 * H, 0, false, true},
	  {1, 0, false, false},
	  {H, 0, false, false}},
	 5},
	{"lost for more than a day at once",
	 {{H, 0, true, true}, {24 * H + 1, 0, false, false}}, 2},
	{"found again, and lost again",
	 {{H, 0, true, true},
	  {25 * H, 0, false, false},
	  {H, 0, true, true},
	  {24 * H, 0, false, true}},
	 4},
	{"a source steps it",
	 {{H, 0, true, true}, {H, 60 * US_PER_S, true, true},
	  {H, 0, false, true}},
	 3},
	{"a leap second while it is lost",
	 {{H, 0, true, true}, {H, -US_PER_S, false, true},
	  {H, 0, false, true}},
	 3},
	{"set forward while it is lost",
	 {{H, 0, true, true}, {H, LIVE_STEP_US + 1, false, false},
	  {H, 0, false, false}},
	 3},
	{"set back while it is lost",
	 {{H, 0, true, true}, {H, -LIVE_STEP_US - 1, false, false}}, 2},
	{"set, and set as it was",
	 {{H, 0, true, true},
	  {H, 10 * US_PER_S, false, false},
	  {H, -10 * US_PER_S, false, false}},
	 3},
	{"set in small steps",
	 {{H, 0, true, true},
	  {H, US_PER_S, false, true},
	  {H, US_PER_S, false, true},
	  {H, US_PER_S, false, false}},
	 4},
};

static void trust(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct live_trust t = {0};
		struct now now = {.mono = {H}, .wall = {.us = US_PER_S}};

		for (size_t k = 0; k < rows[i].n; k++) {
			const struct step *s = &rows[i].step[k];

			now.mono.ns += s->ns;
			now.wall.us += s->ns / 1000 + s->step_us;
			if (live_trusted(&t, s->synced, &now) != s->trusted)
				fail_msg("%s: step %zu", rows[i].name, k);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trust),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
