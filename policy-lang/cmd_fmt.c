/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/front/file.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"
#include "policy-lang/replace.h"

#define MAX_SOURCE (1u << 20)

static void report(struct diags *d, struct span source, bool json)
{
	if (json) {
		polc_diags(stdout, d, NULL, SAY_JSON);
		return;
	}
	for (size_t i = 0; i < d->n; i++)
		diag_print(stderr, &d->d[i], source, source);
}

static void say_differs(const char *path, bool json)
{
	char buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("%s\n", path);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "file", path);
	json_bool(&j, "formatted", false);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

/* 0 or 1 (the layout differs), or a negative errcode. */
static int one(const char *path, bool check, bool json, struct err *e)
{
	uint8_t *p = NULL;
	size_t n = 0, n_out = 0;
	char *out = NULL;
	struct diags *d = calloc(1, sizeof(*d));
	bool same;
	int rc = d ? file_read(&p, &n, path, MAX_SOURCE, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0) {
		rc = pol_format(&out, &n_out, path, span_of(p, n), d, e);
		report(d, span_of(p, n), json);
	}
	if (rc == 0) {
		same = span_eq(span_of(p, n), span_of(out, n_out));
		if (check && !same)
			say_differs(path, json);
		if (!check && !same)
			rc = replace_file(path, out, n_out, e);
		if (rc == 0 && !same)
			rc = 1;
	}
	free(out);
	free(p);
	free(d);
	return rc;
}

int cmd_fmt(int argc, char **argv)
{
	bool check = false, json = false;
	const struct option_row options[] = {
		{"--check", OPTION_FLAG, &check, NULL},
		{"--json",  OPTION_FLAG, &json,  NULL},
	};
	int worst = options_read(&argc, argv, options, 2);

	if (worst)
		return worst;
	if (argc == 1)
		return polc_usage("fmt: which files?");
	for (int i = 1; i < argc; i++) {
		struct err e = {0};
		int rc = one(argv[i], check, json, &e);
		int code = rc == 1 ? (check ? POLC_ERRORS : POLC_OK)
				   : polc_exit(rc);

		if (rc < 0 && rc != E_SYNTAX)
			polc_say("%s", e.text);
		if (code > worst)
			worst = code;
	}
	return worst;
}
