/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text: reading ends in a file or in diagnostics, never in neither. What
 * parses is laid out, the layout is stable, and it means the same.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/front.h"
#include "policy-lang/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_diags(const struct diags *d, struct span src)
{
	static char buf[1 << 20];
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	assert(f);
	assert(d->n <= DIAGS_MAX);
	for (size_t i = 0; i < d->n; i++) {
		assert(d->d[i].code >= 1000 && d->d[i].code < 9000);
		assert(d->d[i].text[0]);
		diag_print(f, &d->d[i], src, src);
	}
	fclose(f);
}

static struct pol_file *read_one(struct span src, struct diags *d)
{
	struct pol_file *f = NULL;
	struct err e = {0};
	int rc;

	memset(d, 0, sizeof(*d));
	rc = pol_read(&f, "fuzz.yaml", src, NULL, d, &e);
	assert((rc == 0) == (f != NULL));
	assert(rc == E_NOMEM || (rc == 0) == (d->errors == 0));
	check_diags(d, src);
	return f;
}

/* What the checks let through compiles, loads, and means the same. */
static void check_images(const struct pol_file *f, const struct pol_file *g)
{
	struct pol_image *i = NULL, *k = NULL;
	uint8_t *p = NULL, *q = NULL, di[32], dk[32];
	size_t n = 0, m = 0;
	struct err e = {0};
	int rc = pol_image_build(&p, &n, f, &e);

	assert(rc == 0 || rc == E_LIMIT || rc == E_NOMEM);
	if (rc == 0) {
		rc = pol_image_build(&q, &m, g, &e);
		assert(rc == 0);
		rc = pol_image_load(&i, span_of(p, n), &e);
		assert(rc == 0);
		rc = pol_image_load(&k, span_of(q, m), &e);
		assert(rc == 0);
		pol_image_digest(i, di);
		pol_image_digest(k, dk);
		assert(memcmp(di, dk, sizeof(di)) == 0);
		pol_image_free(i);
		pol_image_free(k);
	}
	free(p);
	free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_file *f, *g;
	char *text = NULL, *again = NULL;
	size_t n = 0, m = 0;
	struct err e = {0};
	int rc;

	assert(d);
	f = read_one(span_of(data, size), d);
	memset(d, 0, sizeof(*d));
	rc = pol_format(&text, &n, "fuzz.yaml", span_of(data, size), d, &e);
	/* A layout that says something else would be our error. */
	assert(rc != E_STATE);
	assert(!f || rc == 0);
	if (rc == 0) {
		memset(d, 0, sizeof(*d));
		rc = pol_format(&again, &m, "fuzz.yaml", span_of(text, n), d,
				&e);
		assert(rc == 0 && n == m && memcmp(text, again, n) == 0);
	}
	if (f) {
		g = read_one(span_of(text, n), d);
		assert(g);
		assert(memcmp(f->source_digest, g->source_digest, 32) == 0);
		if (f->kind != POL_LIBRARY && f->kind != POL_TESTS)
			check_images(f, g);
		pol_file_free(g);
	}
	pol_file_free(f);
	free(again);
	free(text);
	free(d);
	return 0;
}
