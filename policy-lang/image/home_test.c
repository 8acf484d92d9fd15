/* SPDX-License-Identifier: Apache-2.0 */
/* Which prefixes lie in the home: each range, its ends, and what surrounds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "policy-lang/image/home.h"

static void prefixes_at_home(void **s)
{
	static const struct {
		const char *addr;
		unsigned len;
		bool home;
	} rows[] = {
		{"::ffff:10.0.0.0",       104, true },
		{"::ffff:10.255.255.255", 128, true },
		{"::ffff:10.0.0.0",       103, false}, /* with 11.0.0.0 */
		{"::ffff:9.255.255.255",  128, false},
		{"::ffff:11.0.0.0",       128, false},
		{"::ffff:172.16.0.0",     108, true },
		{"::ffff:172.31.255.0",   120, true },
		{"::ffff:172.32.0.0",     112, false},
		{"::ffff:172.15.255.255", 128, false},
		{"::ffff:192.168.178.0",  120, true },
		{"::ffff:192.168.0.0",    111, false},
		{"::ffff:192.169.0.1",    128, false},
		{"::ffff:169.254.1.1",    128, true },
		{"::ffff:169.253.1.1",    128, false},
		{"::ffff:203.0.113.0",    124, false},
		{"::ffff:100.64.0.0",     106, false}, /* a carrier's */
		{"::ffff:127.0.0.1",      128, false},
		{"::ffff:0.0.0.0",        96,  false},
		{"::",                    0,   false},
		{"fd00:178::",            64,  true },
		{"fc00::",                7,   true },
		{"fc00::",                6,   false},
		{"fe00::1",               128, false},
		{"fe80::",                10,  true },
		{"febf::1",               128, true },
		{"fec0::1",               128, false},
		{"2001:db8::",            32,  false},
		{"a00::",                 104, false}, /* 10 in the wrong place */
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t a[16];

		assert_int_equal(inet_pton(AF_INET6, rows[i].addr, a), 1);
		if (home_prefix(a, rows[i].len) != rows[i].home)
			fail_msg("%s/%u", rows[i].addr, rows[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
