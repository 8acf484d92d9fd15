/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many readings the answers in one message are: a table that is read again
 * and again in one is told of several moments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

#define READ(table) "3000" table
#define FULL   READ("17")
#define OFFSET(at, n) "3f0017 0000" at " 00" n
#define INDEX(at, n) "310017 00" at " 00" n
#define DEEPER(at, in, n) "320017 00" at " 00" in " 00" n
/* One octet: of tables 112 (70) to 115 commands. */
#define WRITE(table)	   "4000" table "0001 00 00"
#define WRITE_AT(table, at) "4f00" table "0000" at "0001 00 00"
#define SWITCH		   "400007 0003 150001 ea" /* a procedure */
#define RESTART		   "400007 0003 000001 ff"

static const struct {
	const char *why, *asked[3]; /* NULL: no more; "": another message */
	uint64_t want;		    /* of the last; 0: as it is alone */
} rows[] = {
	{"once", {FULL}, 0},
	{"twice", {FULL, FULL}, 2},
	{"three times", {FULL, FULL, FULL}, 3},
	{"in another message", {FULL, "", FULL}, 0},
	{"another table", {FULL, "300018"}, 0},
	{"a series has its own interval", {"300040", "300040"}, 0},
	{"what says no measurement", {"300000", "300000"}, 0},
	{"its parts", {OFFSET("00", "02"), OFFSET("02", "02")}, 0},
	{"parts that overlap", {OFFSET("00", "02"), OFFSET("01", "02")}, 2},
	{"the whole and a part", {FULL, OFFSET("02", "02")}, 2},
	{"by offset and by index", {OFFSET("02", "02"), INDEX("00", "01")}, 2},
	{"its elements", {INDEX("00", "01"), INDEX("01", "01")}, 0},
	{"the same one", {INDEX("01", "01"), INDEX("01", "01")}, 2},
	{"two, and the second", {INDEX("00", "02"), INDEX("01", "01")}, 2},
	{"as many as there are", {INDEX("00", "00"), INDEX("07", "01")}, 2},
	{"one, and what is in it", {INDEX("01", "01"),
				    DEEPER("01", "03", "01")}, 2},
	{"one, and what is in another", {INDEX("00", "01"),
					 DEEPER("01", "03", "01")}, 0},
	{"several, over the end of theirs", {DEEPER("00", "01", "09"),
					     DEEPER("01", "03", "01")}, 2},
	{"a command", {WRITE("70")}, 0},
	{"two", {WRITE("70"), WRITE("70")}, 2},
	{"of three tables", {WRITE("70"), WRITE("71"), WRITE("73")}, 3},
	{"of parts of one", {WRITE_AT("70", "00"), WRITE_AT("70", "01")}, 2},
	{"in another message", {WRITE("70"), "", WRITE("71")}, 0},
	{"what is no command behind it", {WRITE("70"), WRITE("17")}, 0},
	{"and in front of it", {WRITE("17"), WRITE("70")}, 0},
	{"what is read of it", {READ("70"), READ("71")}, 0},
	{"a procedure that switches", {SWITCH}, 0},
	{"two", {SWITCH, SWITCH}, 2},
	{"beside a table", {WRITE("70"), SWITCH}, 2},
	{"procedures that switch nothing", {RESTART, RESTART}, 0},
	{"one of each", {SWITCH, RESTART}, 0},
};

static uint64_t readings(struct service_ctx *x, const char *asked)
{
	static const uint8_t answer[] = {0, 0, 2, 1, 2, 0xfd};
	struct service_req req = {0};
	uint8_t buf[32];

	assert_int_equal(service_request(x, kit_hex(asked, buf, sizeof(buf)),
					 0, &req), 0);
	if (asked[0] == '4')
		return obs_get(&x->out->v[x->out->n - 1], F_READINGS, 0);
	x->out->n--; /* it came before, in a message of its own */
	assert_int_equal(service_response(x, span_of(answer, sizeof(answer)),
					  0, &req), 0);
	return obs_get(&x->out->v[x->out->n - 1], F_READINGS, 0);
}

static void counted(void **state)
{
	static struct c1219_shape shape;
	static struct obs obs[8];
	static uint8_t memory[4096];
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = arena_of(memory, sizeof(memory));
		struct obs_list out = {obs, 0, 8};
		struct err e = {0};
		struct service_ctx x = {.shape = &shape, .arena = &arena,
					.out = &out, .e = &e,
					.lenient = true};
		uint64_t n = 0;

		assert_non_null(obs_add(&out, OBS_C1222_MESSAGE));
		for (unsigned j = 0; j < 3 && rows[i].asked[j]; j++) {
			if (rows[i].asked[j][0])
				n = readings(&x, rows[i].asked[j]);
			else
				assert_non_null(obs_add(&out,
							OBS_C1222_MESSAGE));
		}
		if (rows[i].want ? n == rows[i].want : n <= 1)
			continue;
		print_error("%s: %u readings\n", rows[i].why, (unsigned)n);
		bad++;
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted),
	};

	return cmocka_run_group_tests_name("c1222 together", tests, NULL, NULL);
}
