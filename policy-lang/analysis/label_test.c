/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/analysis/label.h"
#include "policy-lang/eval/testkit.h"

#define ALL ((UINT32_C(1) << APPLIANCE_COUNT) - 1)
#define CAR (UINT32_C(1) << APPLIANCE_CAR)

static bool says(const struct label *l, enum statement s)
{
	return l->statements >> s & 1;
}

/* privacy.md 3 and 4: what is said to show never lacks the appliances. */
static void test_appliances(void **ctx)
{
	const struct {
		enum meas meas;
		int64_t spacing;
		char grade;
		uint32_t with, without; /* clear ones, hidden ones */
	} rows[] = {
		{MEAS_ENERGY_INTERVAL, MIN(30), 'D', CAR, 1},
		{MEAS_ENERGY_INTERVAL, H(24), 'B', 0, ALL},
		{MEAS_POWER_INSTANT, S(1), 'F', ALL, 0},
		/* They are what it tells, however seldom. */
		{MEAS_APPLIANCE_STATE, H(24), 'B', ALL, 0},
		{MEAS_APPLIANCE_STATE, H(1), 'F', ALL, 0},
		/* Live detail, whatever the limits. */
		{MEAS_SIGNAL_WAVEFORM, D(40), 'F', ALL, 0},
		{MEAS_UNKNOWN_TABLE, D(40), 'F', ALL, 0},
		{MEAS_PRESENCE_SENSOR, H(19), 'F', ALL, 0},
		{MEAS_PRESENCE_SENSOR, H(24), 'B', 0, ALL},
		{MEAS_CLIMATE_TEMPERATURE, MIN(30), 'E', CAR, 1},
		{MEAS_CLIMATE_TEMPERATURE, H(24), 'C', 0, ALL},
		{MEAS_VOLTAGE_INTERVAL, MIN(5), 'D', CAR, 1},
		{MEAS_EVENT_POWER, H(1), '-', 0, ALL},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bound_flow f = {.meas = rows[i].meas,
				       .spacing_ns = D(400),
				       .grade = 'A',
				       .with_ns = rows[i].spacing,
				       .with_grade = rows[i].grade};
		struct bound_recipient r = {.outside = true, .flow = &f,
					    .n_flow = 1,
					    .grade = f.with_grade,
					    .spacing_ns = INT64_MAX};
		struct label l;

		if (bound_use(f.meas))
			r.spacing_ns = f.with_ns;
		label_of(&l, &r);
		if ((l.clear & rows[i].with) != rows[i].with ||
		    ((l.clear | l.blurred) & rows[i].without))
			fail_msg("row %zu: clear %x, blurred %x", i, l.clear,
				 l.blurred);
		/* No list is left empty. */
		assert_true(!says(&l, ST_D_LONG) || l.clear);
		assert_true(!says(&l, ST_F_APPLIANCES) || l.clear == ALL);
	}
}

static void test_grades(void **ctx)
{
	(void)ctx;
	for (char g = 'A'; g <= 'F'; g++) {
		int64_t ns = bound_grade_from(g);

		assert_int_equal(bound_grade(ns), g);
		if (ns > 0)
			assert_int_equal(bound_grade(ns - 1), g + 1);
	}
	assert_true(bound_grade_from('-') == INT64_MAX);
	assert_true(bound_grade_from('H') == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appliances),
		cmocka_unit_test(test_grades),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
