/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/binary.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/file.h"
#include "policy-lang/image/layout.h"
#include "policy-lang/polc.h"

static bool is_image(struct span s)
{
	return s.n >= 8 && memcmp(s.p, LAY_MAGIC, 8) == 0;
}

static int read_octets(struct binary *b, const char *path, struct err *e)
{
	*b = (struct binary){0};
	return file_read(&b->octets, &b->n, path, LAY_MAX_FILE, e);
}

static int load(struct binary *b, const char *path, struct err *e)
{
	int rc = pol_image_load(&b->image, span_of(b->octets, b->n), e);

	if (rc == 0)
		return 0;
	binary_free(b);
	return err_wrap(e, "%s", path);
}

int binary_read(struct binary *b, const char *path, struct err *e)
{
	int rc = read_octets(b, path, e);

	if (rc)
		return rc;
	if (is_image(span_of(b->octets, b->n)))
		return load(b, path, e);
	binary_free(b);
	return err_set(e, E_SYNTAX, 0,
		       "%s: not a compiled policy; polc compile makes one from "
		       "a source",
		       path);
}

static int compile(struct binary *b, const char *path, struct err *e)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files = {0};
	int rc;

	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = pol_read_paths(&files, &path, 1, d, e);
	if (rc)
		polc_diags(stderr, d, &files, false);
	else if (files.n != 1 || files.f[0]->kind == POL_TESTS)
		rc = err_set(e, E_IO, 0, "%s: not one policy", path);
	else
		rc = pol_image_build(&b->octets, &b->n, files.f[0], e);
	pol_files_free(&files);
	free(d);
	return rc ? rc : load(b, path, e);
}

int binary_make(struct binary *b, const char *path, struct err *e)
{
	int rc = read_octets(b, path, e);

	if (rc)
		return rc;
	if (is_image(span_of(b->octets, b->n)))
		return load(b, path, e);
	binary_free(b);
	return compile(b, path, e);
}

void binary_free(struct binary *b)
{
	if (b->image)
		pol_image_free(b->image);
	free(b->octets);
	*b = (struct binary){0};
}
