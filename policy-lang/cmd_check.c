/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/options.h"
#include "policy-lang/polc.h"

int cmd_check(int argc, char **argv)
{
	enum polc_say form = SAY_TEXT;
	bool strict = false;
	struct pol_files files;
	struct err e = {0};
	struct diags *d;
	const struct option_row options[] = {
		{"--strict", OPTION_FLAG, &strict, NULL     },
		{"--json",   OPTION_WORD, &form,   polc_form},
		{"--sarif",  OPTION_WORD, &form,   polc_form},
	};
	int rc = options_read(&argc, argv, options, 3);

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("check: which files?");
	d = calloc(1, sizeof(*d));
	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = pol_read_paths(&files, (const char *const *)argv + 1,
			    (size_t)(argc - 1), d, &e);
	if (rc == 0)
		rc = pol_check_set(&files, d, &e);
	if (rc == 0)
		rc = prove_assertions(&files, NULL, d, &e);
	polc_diags(stdout, d, &files, form);
	if (rc && rc != E_SYNTAX)
		polc_say("%s", e.text);
	else if (rc == 0 && strict && d->warnings)
		rc = E_SYNTAX;
	pol_files_free(&files);
	free(d);
	return polc_exit(rc);
}
