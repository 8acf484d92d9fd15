/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/prooftext.h"

#define FIRST "c2sp.org/tlog-proof@v1\n"
#define HASH  "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

static const struct {
	const char *why, *text;
	int want;
} rows[] = {
	{"inclusion", FIRST "index 5\n" HASH "\nx", 0},
	{"with a record", FIRST "extra Zm9v\nindex 5\n" HASH "\nx", 0},
	{"an empty record", FIRST "extra \nindex 0\n\nx", 0},
	{"of the only record", FIRST "index 0\n\nx", 0},
	{"consistency", "old 7\n" HASH HASH "\nx", 0},
	{"of nothing", "old 0\n\nx", 0},
	{"nothing", "", E_SYNTAX},
	{"another version", "c2sp.org/tlog-proof@v2\nindex 5\n\nx", E_SYNTAX},
	{"no index", FIRST HASH "\nx", E_SYNTAX},
	{"an index with a zero in front", FIRST "index 05\n\nx", E_SYNTAX},
	{"a negative index", FIRST "index -5\n\nx", E_SYNTAX},
	{"two spaces", FIRST "index  5\n\nx", E_SYNTAX},
	{"no number", FIRST "index \n\nx", E_SYNTAX},
	{"a size in its place", FIRST "old 5\n\nx", E_SYNTAX},
	{"an index alone", "index 5\n\nx", E_SYNTAX},
	{"the record behind the index", FIRST "index 5\nextra Zm9v\n\nx",
	 E_SYNTAX},
	{"a record of an old log", "extra Zm9v\nold 5\n\nx", E_SYNTAX},
	{"a record of no base64", FIRST "extra Zm9\nindex 5\n\nx", E_SYNTAX},
	{"a short hash", "old 7\nCsUYapGGPo4dkMgIAUqom/Xa\n\nx", E_SYNTAX},
	{"a long hash", "old 7\nAAAA" HASH "\nx", E_SYNTAX},
	{"no empty line", "old 7\n" HASH, E_SYNTAX},
	{"no checkpoint", "old 7\n" HASH "\n", E_SYNTAX},
	{"carriage returns", "old 7\r\n\r\nx", E_SYNTAX},
};

static void proofs_are_read_strictly(void **state)
{
	static uint8_t again[PROOF_TEXT_MAX];
	static struct proof_text t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wbuf w = wbuf_of(again, sizeof(again));
		struct err e = {0};
		int rc = proof_text_parse(&t, span_str(rows[i].text), &e);

		if (rc != rows[i].want)
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (rc)
			continue;
		assert_int_equal(proof_text_put(&w, &t, &e), 0);
		assert_true(span_is(wbuf_span(&w), rows[i].text));
	}
}

static void as_many_hashes_as_a_tree_has(void **state)
{
	static uint8_t text[PROOF_TEXT_MAX];
	static struct proof_text t;
	struct err e = {0};

	(void)state;
	for (size_t n = PROOF_MAX; n <= PROOF_MAX + 1; n++) {
		struct wbuf w = wbuf_of(text, sizeof(text));

		wbuf_put(&w, span_str("old 7\n"));
		for (size_t i = 0; i < n; i++)
			wbuf_put(&w, span_str(HASH));
		wbuf_put(&w, span_str("\nx"));
		assert_int_equal(proof_text_parse(&t, wbuf_span(&w), &e),
				 n == PROOF_MAX ? 0 : E_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proofs_are_read_strictly),
		cmocka_unit_test(as_many_hashes_as_a_tree_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
