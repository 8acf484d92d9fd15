/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every file of tests/policies/bad is refused (or warned about) exactly as
 * its .expect says: text, place, caret and hint. BAD_WRITE=1 writes them.
 */
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

#define DIR_BAD   "tests/policies/bad"
#define MAX_FILES 512

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list(char **names)
{
	DIR *d = opendir(DIR_BAD);
	const struct dirent *de;
	size_t n = 0;

	assert_non_null(d);
	while ((de = readdir(d)) && n < MAX_FILES) {
		size_t len = strlen(de->d_name);

		if (len > 5 && strcmp(de->d_name + len - 5, ".yaml") == 0)
			names[n++] = strndup(de->d_name, len - 5);
	}
	closedir(d);
	qsort(names, n, sizeof(names[0]), name_order);
	return n;
}

static char *slurp(const char *name, const char *ext, size_t *n)
{
	char path[300];
	FILE *f;
	char *p = calloc(1, 1 << 19);

	snprintf(path, sizeof(path), "%s/%s%s", DIR_BAD, name, ext);
	f = fopen(path, "rb");
	assert_non_null(p);
	*n = f ? fread(p, 1, (1 << 19) - 1, f) : 0;
	if (f)
		fclose(f);
	return p;
}

/* What polc check would print. */
static char *diagnose(const char *name, struct span src, size_t *errors)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_file *f = NULL;
	struct err e = {0};
	char path[300], *out = NULL;
	size_t n = 0;
	FILE *m = open_memstream(&out, &n);
	int rc;

	assert_non_null(d);
	assert_non_null(m);
	snprintf(path, sizeof(path), "%s.yaml", name);
	rc = pol_read(&f, path, src, NULL, d, &e);
	*errors = d->errors;
	assert_int_equal(rc != 0, d->errors != 0);
	assert_int_equal(rc == 0, f != NULL);
	for (size_t i = 0; i < d->n; i++)
		diag_print(m, &d->d[i], src, src);
	fclose(m);
	pol_file_free(f);
	free(d);
	return out;
}

static void write_expect(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.expect", DIR_BAD, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void each_is_refused_as_expected(void **s)
{
	char *names[MAX_FILES];
	size_t count, codes = 0;
	char last[8] = "";

	(void)s;
	if (access(DIR_BAD, R_OK)) {
		print_message("SKIP: run from the top of the tree\n");
		skip();
	}
	count = list(names);
	assert_true(count >= 40);
	for (size_t i = 0; i < count; i++) {
		size_t n, n_want, errors;
		char *src = slurp(names[i], ".yaml", &n);
		char *want = slurp(names[i], ".expect", &n_want);
		char *got = diagnose(names[i], span_of(src, n), &errors);
		char code[8];

		if (getenv("BAD_WRITE"))
			write_expect(names[i], got);
		else if (strcmp(got, want) != 0)
			fail_msg("%s:\n%s\nwanted:\n%s", names[i], got, want);
		/* The file is named after what it shows: p4001-overlap. */
		snprintf(code, sizeof(code), "P%.4s", names[i] + 1);
		if (strcmp(code, "P2000") != 0 && !strstr(got, code))
			fail_msg("%s says nothing of %s:\n%s", names[i], code,
				 got);
		codes += strcmp(code, last) != 0;
		memcpy(last, code, sizeof(last));
		free(got);
		free(want);
		free(src);
		free(names[i]);
	}
	assert_true(codes >= 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_as_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
