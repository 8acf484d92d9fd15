/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to a write may say that needs no grant: what was written, and
 * nothing that the writer could not know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define AB(a, b) "<obj><int name='a' val='" a "'/><int name='b' val='" b       \
	"'/></obj>"
static void echoes(void **state)
{
	static const struct {
		const char *why, *written, *answer;
		bool is;
	} rows[] = {
		{"the same", AB("1", "2"), AB("1", "2"), true},
		{"as other programs write it", AB("1", "2"), AB("1", "+2"),
		 true},
		{"in another order", AB("1", "2"), AB("2", "1"), false},
		{"under other names", AB("1", "2"),
		 "<obj><int name='b' val='1'/><int name='a' val='2'/></obj>",
		 false},
		{"under none, as it is referred to",
		 "<list><int href='/l/a' val='1'/><int href='/l/b' val='2'/></list>",
		 "<list><int href='/l/b' val='1'/><int href='/l/a' val='2'/></list>",
		 false},
		{"in other units", AB("1", "2"),
		 "<obj><int name='a' val='1'/><int name='b' val='2' "
		 "unit='obix:units/watt'/></obj>", false},
		{"fewer", AB("1", "2"), "<int name='b' val='2'/>", false},
		{"more", AB("1", "2"), "<obj>" AB("1", "2") AB("1", "2")
		 "</obj>", false},
		{"with another number beside", "<obj display='7'>" AB("1", "2")
		 "</obj>", "<obj display='8'>" AB("1", "2") "</obj>", false},
		{"one, as its point calls it",
		 "<obj is='obix:WritePointIn'><real name='value' val='4'/></obj>",
		 "<real name='setpoint' val='4.0' unit='obix:units/celsius'/>",
		 true},
		{"another", "<real val='4'/>", "<real val='5'/>", false},
		{"one again and again", "<real val='4'/>", AB("4", "4"), false},
	};
	struct kit *k = kit_new();
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		k->dis.dir = DIR_IN;
		assert_int_equal(kit_ask(k, "PUT", "/l",
					 span_str(rows[i].written), NULL), 0);
		k->dis.dir = DIR_OUT;
		assert_int_equal(kit_answer(k, "PUT", "/l",
					    span_str(rows[i].answer), NULL), 0);
		if ((strstr(k->text, " echo") != NULL) == rows[i].is)
			continue;
		print_error("%s: %s", rows[i].why, k->text);
		bad++;
	}
	kit_free(k);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
	};

	return cmocka_run_group_tests_name("obix echoes", tests, NULL, NULL);
}
