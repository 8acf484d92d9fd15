/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical layout: keeps what it says, and every comment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy-lang/front/front.h"
#include "policy-lang/image/image.h"

static char *format(struct span src, size_t *n)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct err e = {0};
	char *out;

	assert_non_null(d);
	if (pol_format(&out, n, "x", src, d, &e))
		fail_msg("%s %s", e.text, d->n ? d->d[0].text : "");
	free(d);
	return out;
}

static void layouts(void **s)
{
	static const struct {
		const char *why, *in, *out;
	} rows[] = {
		{"indentation and spaces", "a:\n    b:   c\n    d: [e,f ]\n",
		 "a:\n  b: c\n  d: [e, f]\n"},
		{"known keys in their order",
		 "vm: v\nkind: vendor\nallow:\n  r: {party: p, direction: in}\n",
		 "kind: vendor\nvm: v\nallow:\n  r: {direction: in, party: p}\n"},
		{"names of rules stay in theirs",
		 "kind: vendor\nallow:\n  z: {party: p}\n  a: {party: p}\n",
		 "kind: vendor\nallow:\n  z: {party: p}\n  a: {party: p}\n"},
		{"comments move with their entries",
		 "# top\nvm: v  # the vm\n# about kind\nkind: vendor\n",
		 "# top\n# about kind\nkind: vendor\nvm: v  # the vm\n"},
		{"empty lines are at most one", "a: 1\n\n\n\nb: 2\n",
		 "a: 1\n\nb: 2\n"},
		{"a comment opens a flow collection",
		 "a: {b: 1, # why\n  c: 2}\n",
		 "a:\n  b: 1  # why\n  c: 2\n"},
		{"items", "a:\n- b: 1\n  c: 2\n-   d\n",
		 "a:\n  - b: 1\n    c: 2\n  - d\n"},
		{"comments at the end", "a: 1\n  # last\n", "a: 1\n# last\n"},
		{"several lines in quotes", "a: \"b\n  c\"\n", "a: \"b c\"\n"},
		{"quotes stay", "a: '1'\nb: \"2\"\n", "a: '1'\nb: \"2\"\n"},
		{"a hash in a scalar", "a: b#c # d\ne: '# f'\n",
		 "a: b#c  # d\ne: '# f'\n"},
		{"empty collections", "a: { }\nb: [ ]\n", "a: {}\nb: []\n"},
		{"document markers go", "---\na: 1\n...\n", "a: 1\n"},
		{"steps", "kind: tests\ntests:\n  t:\n    steps:\n"
		 "    - {expect: permit, fixture: f, after: 1 s}\n",
		 "kind: tests\ntests:\n  t:\n    steps:\n"
		 "      - {fixture: f, after: 1 s, expect: permit}\n"},
		{"a comment behind a dash is about its item",
		 "a:\n  - b: 1\n  - # why\n    b: 2\n",
		 "a:\n  - b: 1\n  # why\n  - b: 2\n"},
		{"and about the first of its items",
		 "a:\n  - b\n  -\n    - # why\n      c: 2\n",
		 "a:\n  - b\n  # why\n  -\n    - c: 2\n"},
		{"an empty line behind a dash goes",
		 "a:\n  - b\n  -\n\n    - c\n  - d\n",
		 "a:\n  - b\n  -\n    - c\n  - d\n"},
		{"one before a dash stays",
		 "a:\n  - b\n\n  -\n    - c\n  # why\n\n  - d\n",
		 "a:\n  - b\n\n  -\n    - c\n  # why\n\n  - d\n"},
		{"letters outside ASCII", "title: \xc3\xa4  # \xe2\x82\xac\n",
		 "title: \xc3\xa4  # \xe2\x82\xac\n"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n, n2;
		char *out = format(span_str(rows[i].in), &n);
		char *again = format(span_of(out, n), &n2);

		if (strcmp(out, rows[i].out) != 0)
			fail_msg("%s:\n%s", rows[i].why, out);
		assert_string_equal(again, out);
		free(again);
		free(out);
	}
}

/* --- over the example policies ------------------------------------------- */

static char *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = calloc(1, 1 << 19);

	assert_non_null(f);
	assert_non_null(p);
	*n = fread(p, 1, (1 << 19) - 1, f);
	fclose(f);
	return p;
}

/* x with spaces and remarks strewn in, so that there is something to do. */
static char *spread_out(const char *x)
{
	char *out = calloc(8, strlen(x) + 1), *p = out;

	assert_non_null(out);
	for (bool start = true; *x; x++) {
		if (start && *x != ' ' && *x != '\n')
			p = stpcpy(p, "\n\n\n# a remark\n");
		start = *x == '\n';
		if (start)
			p = stpcpy(p, "  ");
		*p++ = *x;
		if (*x == '{' || *x == '[')
			*p++ = ' ';
	}
	return out;
}

static void same_image(const struct pol_file *a, const struct pol_file *b)
{
	struct err e = {0};
	uint8_t *p = NULL, *q = NULL;
	size_t n = 0, m = 0;
	uint8_t da[32], db[32];
	struct pol_image *ia, *ib;

	assert_memory_equal(a->source_digest, b->source_digest, 32);
	if (a->kind == POL_LIBRARY || a->kind == POL_TESTS)
		return;
	if (pol_image_build(&p, &n, a, &e) || pol_image_build(&q, &m, b, &e))
		fail_msg("%s: %s", a->path, e.text);
	assert_int_equal(pol_image_load(&ia, span_of(p, n), &e), 0);
	assert_int_equal(pol_image_load(&ib, span_of(q, m), &e), 0);
	pol_image_digest(ia, da);
	pol_image_digest(ib, db);
	assert_memory_equal(da, db, 32);
	pol_image_free(ia);
	pol_image_free(ib);
	free(p);
	free(q);
}

static void check_policy(const char *path, const struct pol_lib *libs)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_file *a = NULL, *b = NULL;
	struct err e = {0};
	size_t n, n_fmt;
	char *src = slurp(path, &n), *wide = spread_out(src);
	char *text = format(span_str(wide), &n_fmt);

	assert_non_null(d);
	if (pol_read(&a, path, span_of(src, n), libs, d, &e) ||
	    pol_read(&b, path, span_of(text, n_fmt), libs, d, &e))
		fail_msg("%s: %s", path, d->n ? d->d[0].text : e.text);
	same_image(a, b);
	pol_file_free(a);
	pol_file_free(b);
	free(text);
	free(wide);
	free(src);
	free(d);
}

static void policies_mean_the_same(void **s)
{
	static const char *const sets[] = {"tests/policies/household",
					   "tests/policies/metering",
					   "tests/policies/rogue"};
	struct diags *d = calloc(1, sizeof(*d));
	size_t seen = 0;

	(void)s;
	assert_non_null(d);
	for (size_t i = 0; i < 3; i++) {
		struct pol_files files = {0};
		struct pol_lib libs;
		struct err e = {0};

		if (access(sets[i], R_OK)) {
			print_message("SKIP: no %s\n", sets[i]);
			continue;
		}
		if (pol_read_set(&files, sets[i], true, d, &e))
			fail_msg("%s: %s", sets[i], e.text);
		libs = (struct pol_lib){files.f, files.n};
		for (size_t k = 0; k < files.n; k++, seen++)
			check_policy(files.f[k]->path, &libs);
		pol_files_free(&files);
	}
	free(d);
	if (seen == 0)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),
		cmocka_unit_test(policies_mean_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
