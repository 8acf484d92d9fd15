/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of PCRs and files of approvals, good and bad; what a TPM makes of them
 * is tried in tpm_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/policy.h"

static void pcrs(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint32_t pcrs;
		const char *says;
	} rows[] = {
		{"none", 0, 0, ""},
		{"0", 0, 1, ""},
		{"0 2 4 7 8 9", 0, 0x395, ""},
		{"9 8 7 4 2 0", 0, 0x395, ""},
		{"7 7", 0, 0x80, ""},
		{"22", 0, 1u << 22, ""},
		{"24", E_SYNTAX, 0, "no PCR 24"},
		{"99999999999999999999", E_SYNTAX, 0, "no PCR"},
		{"10", E_SYNTAX, 0, "is measured"},
		{"12", E_SYNTAX, 0, "put in force"},
		{"0 13", E_SYNTAX, 0, "each checkpoint"},
		{"15 0", E_SYNTAX, 0, "each guest"},
		{"16", E_SYNTAX, 0, "set back"},
		{"23", E_SYNTAX, 0, "set back"},
		{"", E_SYNTAX, 0, "no list"},
		{" 0", E_SYNTAX, 0, "no list"},
		{"0 ", E_SYNTAX, 0, "no list"},
		{"0  2", E_SYNTAX, 0, "no list"},
		{"0,2", E_SYNTAX, 0, "no list"},
		{"-1", E_SYNTAX, 0, "no list"},
		{"+1", E_SYNTAX, 0, "no list"},
		{"0 none", E_SYNTAX, 0, "no list"},
		{"0x7", E_SYNTAX, 0, "no list"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		uint32_t got;
		int rc = policy_pcrs(&got, rows[i].text, &e);

		if (rc != rows[i].rc || (rc == 0 && got != rows[i].pcrs) ||
		    !strstr(e.text, rows[i].says))
			fail_msg("'%s': %d 0x%x %s", rows[i].text, rc, got,
				 e.text);
	}
}

static void pcrs_as_text(void **state)
{
	char text[POLICY_PCRS_TEXT];

	(void)state;
	policy_pcrs_text(text, 0);
	assert_string_equal(text, "none");
	policy_pcrs_text(text, 0x395);
	assert_string_equal(text, "0 2 4 7 8 9");
	policy_pcrs_text(text, 0xffffff);
	assert_string_equal(text, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 "
			    "18 19 20 21 22 23");
}

/* Made by openssl(1): a key, its signature over 32 octets of 0x11 and "mgLP1",
 * and one over something else. */
#define KEY                                                                    \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIeyw32JDmQGdnsWVeRJe36JG"   \
	"nXyuU+h1rXlfMWgr8h64f1VGeZvtktz9uD1t5H5aAR41Y/KA0NIxL/YXQEkthQ=="
#define SIG \
	"MEQCIEjlK7fKSUeuapdvbuFy2dHU+zm2ybsiPfK/t0UoUXS+AiAIHDcgg5dJ"  \
	"ZDCPIIvuZ5qx6XYmtu1hxe0dCc3JFnUIug=="
#define OTHER \
	"MEUCIQCERfR/3THRvqKB1k5o/8z4tjLuw3MTWsszOk6afxnuRAIgZWQHqLpc"  \
	"pLE+iPIPx4JAtdWfibI14FOxdEaqt1DNIFE="
#define AUTHORITY "authority " KEY "\n"

static void files(void **state)
{
	static const struct {
		const char *why, *text;
		int rc;
		const char *says;
	} rows[] = {
		{"the least", AUTHORITY, 0, ""},
		{"with approvals", "# a\n\n" AUTHORITY "approved 1.0 " SIG "\n"
		 "approved 1.1 " OTHER "\n", 0, ""},
		{"before its authority", "approved 1.0 " SIG "\n" AUTHORITY, 0,
		 ""},
		{"empty", "", E_SYNTAX, "no authority"},
		{"no authority", "approved 1.0 " SIG "\n", E_SYNTAX,
		 "no authority"},
		{"two", AUTHORITY AUTHORITY, E_SYNTAX, "line 2: a second"},
		{"no end", "authority " KEY, E_SYNTAX, "line 1: it has no end"},
		{"another word", AUTHORITY "refused 1.0 " SIG "\n", E_SYNTAX,
		 "line 2: it begins with neither"},
		{"no word", AUTHORITY SIG "\n", E_SYNTAX, "line 2: it begins"},
		{"no name", AUTHORITY "approved " SIG "\n", E_SYNTAX,
		 "line 2: approved NAME"},
		{"an empty name", AUTHORITY "approved  " SIG "\n", E_SYNTAX,
		 "line 2: approved NAME"},
		{"a tab in it", AUTHORITY "approved 1\t0 " SIG "\n", E_SYNTAX,
		 "line 2: approved NAME"},
		{"no base64", AUTHORITY "approved a !" SIG "\n", E_SYNTAX,
		 "line 2: not a signature"},
		{"more behind it", AUTHORITY "approved a " SIG " b\n",
		 E_SYNTAX, "line 2: not a signature"},
		{"a key for a signature", AUTHORITY "approved a " KEY "\n",
		 E_SYNTAX, "line 2: not a signature"},
		{"a signature for a key", "authority " SIG "\n", E_SYNTAX,
		 "line 1: not the public key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct key_policy p = {.pcrs = 5};
		struct err e = {0};
		int rc = policy_read(&p, span_str(rows[i].text), &e);

		if (rc != rows[i].rc || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		assert_int_equal(p.pcrs, 5);
	}
}

static void found(void **state)
{
	uint8_t digest[POLICY_DIGEST];
	struct key_policy p = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(policy_read(&p, span_str(AUTHORITY "approved other "
						  OTHER "\napproved it " SIG
						  "\n"), &e), 0);
	memset(digest, 0x11, sizeof(digest));
	assert_non_null(policy_find(&p, digest));
	assert_string_equal(policy_find(&p, digest)->name, "it");
	for (size_t i = 0; i < 8 * sizeof(digest); i++) {
		digest[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_null(policy_find(&p, digest));
		digest[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	p.has_authority = false;
	assert_null(policy_find(&p, digest));
}

/* A list that is full, a name and a file that are too long. */
static void bounds(void **state)
{
	static char text[32768];
	char path[] = "/tmp/policy_test_XXXXXX";
	struct key_policy p = {0};
	struct err e = {0};
	size_t n = 0;
	int fd;

	(void)state;
	n += (size_t)sprintf(text, "%s", AUTHORITY);
	for (int i = 0; i < POLICY_APPROVALS; i++)
		n += (size_t)sprintf(text + n, "approved %d %s\n", i, SIG);
	assert_int_equal(policy_read(&p, span_of(text, n), &e), 0);
	assert_int_equal(p.n_approvals, POLICY_APPROVALS);
	n += (size_t)sprintf(text + n, "approved x %s\n", SIG);
	assert_int_equal(policy_read(&p, span_of(text, n), &e), E_SYNTAX);
	assert_non_null(strstr(e.text, "line 66: more approvals"));
	n = (size_t)sprintf(text, "%sapproved %033d %s\n", AUTHORITY, 1, SIG);
	assert_int_equal(policy_read(&p, span_of(text, n), &e), E_SYNTAX);
	memset(text, '\n', sizeof(text));
	fd = mkstemp(path);
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	assert_int_equal(policy_load(&p, path, &e), E_LIMIT);
	assert_non_null(strstr(e.text, path));
	unlink(path);
	assert_int_equal(policy_load(&p, path, &e), E_IO);
	assert_non_null(strstr(e.text, path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcrs),	 cmocka_unit_test(pcrs_as_text),
		cmocka_unit_test(files), cmocka_unit_test(found),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
