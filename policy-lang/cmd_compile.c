/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/polc.h"
#include "policy-lang/replace.h"

/* What the loader says of it is what the gateway will say. */
static int verify(uint8_t *p, size_t n, struct err *e)
{
	struct pol_image *i;
	int rc = pol_image_load(&i, span_of(p, n), e);

	if (rc)
		return err_wrap(e, "the image just written does not load");
	pol_image_free(i);
	return 0;
}

/* Memory of the counters and states, of this policy alone; 0 when it cannot
 * stand alone. */
static size_t state_size(uint8_t *p, size_t n)
{
	struct pol_image *i = NULL;
	struct pol_set *set = NULL;
	struct pol_state *st = NULL;
	struct err e;
	size_t size = 0;

	if (pol_image_load(&i, span_of(p, n), &e) == 0) {
		const struct pol_image *one = i;

		if (pol_set_new(&set, &one, 1, &e) == 0 &&
		    pol_state_new(&st, set, &e) == 0)
			size = pol_state_size(st);
	}
	if (st)
		pol_state_free(st);
	if (set)
		pol_set_free(set);
	if (i)
		pol_image_free(i);
	return size;
}

static int build(const struct pol_file *f, const char *out, struct err *e)
{
	uint8_t *p = NULL;
	size_t n = 0;
	int rc = pol_image_build(&p, &n, f, e);

	if (rc)
		return err_wrap(e, "%s", f->path);
	rc = verify(p, n, e);
	if (rc == 0 && out)
		rc = replace_file(out, p, n, e);
	if (rc == 0)
		printf("%s serial %llu: %zu octets, %zu rules, %zu limits, "
		       "%zu states; %zu octets of state alone\n",
		       f->id, (unsigned long long)f->serial, n, f->n_rule,
		       f->n_limit, f->n_state, state_size(p, n));
	free(p);
	return rc;
}

int cmd_compile(int argc, char **argv)
{
	const char *in = NULL, *out = NULL;
	bool dry = false;
	struct pol_files files;
	struct err e = {0};
	struct diags *d;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0)
			dry = true;
		else if (strcmp(argv[i], "--deterministic") == 0)
			continue; /* there is no other mode */
		else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc)
			out = argv[++i];
		else if (argv[i][0] == '-' || in)
			return polc_usage("compile: unexpected %s", argv[i]);
		else
			in = argv[i];
	}
	if (!in || (!out && !dry))
		return polc_usage("compile: one file and -o OUT are needed");
	d = calloc(1, sizeof(*d));
	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = pol_read_paths(&files, &in, 1, d, &e);
	polc_diags(stderr, d, &files, false);
	if (rc == 0 && files.n != 1)
		rc = err_set(&e, E_IO, 0, "%s: one file at a time", in);
	else if (rc == 0 && files.f[0]->kind == POL_TESTS)
		rc = err_set(&e, E_IO, 0, "%s: tests are not compiled", in);
	else if (rc == 0)
		rc = build(files.f[0], dry ? NULL : out, &e);
	if (rc && (rc != E_SYNTAX || d->errors == 0))
		polc_say("%s", e.text);
	pol_files_free(&files);
	free(d);
	return polc_exit(rc);
}
