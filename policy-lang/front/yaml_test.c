/* SPDX-License-Identifier: Apache-2.0 */
/* The subset of YAML: what is a tree, what is refused, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/yaml.h"

static int parse(struct ynode **root, struct pool *p, struct span src,
		 struct diags *d)
{
	struct err e;

	memset(d, 0, sizeof(*d));
	return yaml_tree(root, p, "x", src, d, &e);
}

static void refuses(void **s)
{
	static const struct {
		const char *why, *text;
		unsigned code, line, col;
	} rows[] = {
		{"not a mapping",          "[a, b]\n",               1117, 1, 1 },
		{"empty",                  "",                       1117, 1, 1 },
		{"a scalar",               "a\n",                    1117, 1, 1 },
		{"duplicate, flow",        "a: {b: 1, b: 2}\n",      1105, 1, 11},
		{"duplicate, quoted",      "a: 1\n'a': 2\n",         1105, 2, 1 },
		{"duplicate, escaped",     "a: 1\n\"\\x61\": 2\n",   1105, 2, 1 },
		{"alias",                  "a: &x 1\nb: *x\n",       1106, 1, 4 },
		{"anchor on a mapping",    "a: &x {b: 1}\n",         1106, 1, 4 },
		{"tag",                    "a: !t 1\n",              1107, 1, 4 },
		{"bare tag",               "a: ! 1\n",               1107, 1, 4 },
		{"tag on a sequence",      "a: !t [1]\n",            1107, 1, 4 },
		{"directive",              "%YAML 1.1\n---\na: 1\n", 1108, 1, 1 },
		{"documents",              "a: 1\n---\nb: 2\n",      1109, 2, 1 },
		{"explicit key",           "? a\n: 1\n",             1113, 1, 3 },
		{"explicit key, flow",     "a: {? b : 1}\n",         1113, 1, 7 },
		{"key is a sequence",      "a: {[b]: 1}\n",          1113, 1, 5 },
		{"empty key",              "a: {\"\": 1}\n",         1113, 1, 5 },
		{"merge",                  "a:\n  <<: {b: 1}\n",     1118, 2, 3 },
		{"plain over lines",       "a: b\n  c\n",            1112, 1, 4 },
		{"literal",                "a: |\n  b\n",            1112, 1, 4 },
		{"folded",                 "a: >\n  b\n",            1112, 1, 4 },
		{"newline by escape",      "a: \"b\\nc\"\n",         1104, 1, 4 },
		{"NUL by escape",          "a: \"b\\0c\"\n",         1104, 1, 4 },
		{"tab",                    "a:\t1\n",                1103, 1, 3 },
		{"tab in a comment",       "a: 1 #\tx\n",            1103, 1, 7 },
		{"carriage return",        "a: 1\r\n",               1104, 1, 5 },
		{"NUL",                    "a: 1\x01",               1104, 1, 5 },
		{"bidi in a comment",      "a: 1 # \xe2\x80\xae\n",  1104, 1, 8 },
		{"zero width joiner",      "a: b\xe2\x80\x8d\n",     1104, 1, 5 },
		{"soft hyphen",            "a: b\xc2\xad\n",         1104, 1, 5 },
		{"byte order mark inside", "a: \xef\xbb\xbf\n",      1104, 1, 4 },
		{"byte order mark",
		 "\xef\xbb\xbf"
		 "a: 1\n",					   1102, 1, 1 },
		{"overlong",               "a: \xc0\xaf\n",          1101, 1, 4 },
		{"surrogate",              "a: \xed\xa0\x80\n",      1101, 1, 4 },
		{"cut short",              "a: \xe2\x82",            1101, 1, 4 },
		{"unbalanced",             "a: [1\n",                1114, 2, 1 },
		{"bad indent",             "a:\n  b: 1\n c: 2\n",    1114, 3, 2 },
	};
	struct diags *d = calloc(1, sizeof(*d));

	(void)s;
	assert_non_null(d);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool p = {0};
		struct ynode *root;
		int rc = parse(&root, &p, span_str(rows[i].text), d);

		if (rc != E_SYNTAX || root || d->n == 0 ||
		    d->d[0].code != rows[i].code ||
		    d->d[0].line != rows[i].line || d->d[0].col != rows[i].col)
			fail_msg("%s: %d P%04u at %u:%u", rows[i].why, rc,
				 d->d[0].code, d->d[0].line, d->d[0].col);
		pool_free(&p);
	}
	free(d);
}

static void positions_are_characters(void **s)
{
	static const char text[] = "# \xc3\xa4\xc3\xb6\n"
				   "t: \"\xe2\x82\xac\xe2\x82\xac\" # x\n"
				   "f: {\xc3\xa4: 1, bb: 'c''c'}\n";
	struct diags *d = calloc(1, sizeof(*d));
	struct pool p = {0};
	const struct ynode *v;
	struct ynode *root;
	jmp_buf oom;

	(void)s;
	assert_non_null(d);
	p.oom = &oom;
	assert_int_equal(parse(&root, &p, span_str(text), d), 0);
	v = yaml_get(root, "t");
	assert_int_equal(v->line, 2);
	assert_int_equal(v->col, 4);
	assert_int_equal(v->len, 4);
	assert_memory_equal(text + v->start, "\"\xe2\x82\xac", 4);
	assert_int_equal(v->end - v->start, 8);
	v = yaml_get(yaml_get(root, "f"), "bb");
	assert_int_equal(v->col, 15);
	assert_int_equal(v->len, 6);
	assert_true(yaml_is(v, "c'c"));
	assert_memory_equal(text + v->start, "'c''c'", 6);
	pool_free(&p);
	free(d);
}

/* a: [[[...]]] of n levels, the mapping included. */
static struct span nested(char *buf, size_t n)
{
	size_t at = 0;

	memcpy(buf, "a: ", 3);
	at = 3;
	for (size_t i = 1; i < n; i++)
		buf[at++] = '[';
	for (size_t i = 1; i < n; i++)
		buf[at++] = ']';
	return span_of(buf, at);
}

static void bounds(void **s)
{
	char *buf = malloc(YAML_MAX_SOURCE + 100);
	struct diags *d = calloc(1, sizeof(*d));
	struct ynode *root;
	struct pool p = {0};
	size_t n;

	(void)s;
	assert_non_null(buf);
	assert_non_null(d);
	assert_int_equal(parse(&root, &p, nested(buf, 16), d), 0);
	assert_int_equal(parse(&root, &p, nested(buf, 17), d), E_SYNTAX);
	assert_int_equal(d->d[0].code, 1110);
	/* a scalar of 4 KiB, and one octet more */
	memcpy(buf, "a: ", 3);
	memset(buf + 3, 'b', YAML_MAX_SCALAR + 1);
	assert_int_equal(parse(&root, &p, span_of(buf, 3 + YAML_MAX_SCALAR), d),
			 0);
	assert_int_equal(parse(&root, &p, span_of(buf, 4 + YAML_MAX_SCALAR), d),
			 E_SYNTAX);
	assert_int_equal(d->d[0].code, 1111);
	/* entries of one sequence */
	n = (size_t)sprintf(buf, "a: [");
	for (size_t i = 0; i < YAML_MAX_KIDS; i++)
		n += (size_t)sprintf(buf + n, "1,");
	buf[n - 1] = ']';
	assert_int_equal(parse(&root, &p, span_of(buf, n), d), 0);
	buf[n - 1] = ',';
	n += (size_t)sprintf(buf + n, "1]");
	assert_int_equal(parse(&root, &p, span_of(buf, n), d), E_SYNTAX);
	assert_int_equal(d->d[0].code, 1111);
	/* one long line: the time to find places in it is linear */
	n = (size_t)sprintf(buf, "a: [");
	for (int i = 0; i < 60; i++) {
		n += (size_t)sprintf(buf + n, i ? ",[1" : "[1");
		for (int k = 0; k < 2000; k++)
			n += (size_t)sprintf(buf + n, ",1");
		buf[n++] = ']';
	}
	buf[n++] = ']';
	assert_int_equal(parse(&root, &p, span_of(buf, n), d), 0);
	/* a file of 256 KiB */
	memset(buf, '#', YAML_MAX_SOURCE + 1);
	memcpy(buf, "a: 1\n", 5);
	assert_int_equal(parse(&root, &p, span_of(buf, YAML_MAX_SOURCE), d), 0);
	assert_int_equal(parse(&root, &p, span_of(buf, YAML_MAX_SOURCE + 1), d),
			 E_SYNTAX);
	assert_int_equal(d->d[0].code, 1111);
	pool_free(&p);
	free(d);
	free(buf);
}

static void canonical_form(void **s)
{
	static const struct {
		const char *why, *a, *b;
		bool same;
	} rows[] = {
		{"order of keys",           "a: 1\nb: {c: 2, d: 3}\n",
		 "b:\n  d: 3\n  c: 2\na: 1\n",                                          true },
		{"styles",                  "a: '1'\n",                "a: \"1\"\n",    true },
		{"comments",                "a: 1 # x\n",              "# y\na: 1\n",   true },
		{"order of a sequence",     "a: [1, 2]\n",             "a: [2, 1]\n",   false},
		{"a scalar and a sequence", "a: 1\n",                  "a: [1]\n",      false},
		{"boundaries",              "a: [bc, d]\n",            "a: [b, cd]\n",  false},
		{"empty ones",              "a: {}\n",                 "a: []\n",       false},
		{"nesting",                 "a: [[1], 2]\n",           "a: [[1, 2]]\n", false},
	};
	struct diags *d = calloc(1, sizeof(*d));

	(void)s;
	assert_non_null(d);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pool p = {0};
		struct ynode *a, *b;
		jmp_buf oom;

		p.oom = &oom;
		assert_int_equal(parse(&a, &p, span_str(rows[i].a), d), 0);
		assert_int_equal(parse(&b, &p, span_str(rows[i].b), d), 0);
		if (span_eq(yaml_canonical(&p, a), yaml_canonical(&p, b)) !=
		    rows[i].same)
			fail_msg("%s", rows[i].why);
		pool_free(&p);
	}
	free(d);
}

/* The first 20 errors are kept, all are counted. */
static void many_errors_are_counted(void **s)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pool p = {0};
	struct ynode *root;
	char buf[2000];
	size_t n = 0;

	(void)s;
	assert_non_null(d);
	for (int i = 0; i < 50; i++)
		n += (size_t)sprintf(buf + n, "a: %d\n", i);
	assert_int_equal(parse(&root, &p, span_of(buf, n), d), E_SYNTAX);
	assert_int_equal(d->errors, 49);
	assert_int_equal(d->n, 20);
	pool_free(&p);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(positions_are_characters),
		cmocka_unit_test(bounds),
		cmocka_unit_test(canonical_form),
		cmocka_unit_test(many_errors_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
