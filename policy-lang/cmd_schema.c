/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema of the language, for editors. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/options.h"
#include "policy-lang/polc.h"

int cmd_schema(int argc, char **argv)
{
	struct err e = {0};
	char *text;
	size_t n;
	bool json; /* it is, either way */
	const struct option_row options[] = {
		{"--json", OPTION_FLAG, &json, NULL},
	};
	int rc = options_read(&argc, argv, options, 1);

	if (rc)
		return rc;
	if (argc != 1)
		return polc_usage("schema: unexpected %s", argv[1]);
	rc = pol_schema(&text, &n, &e);
	if (rc) {
		polc_say("%s", e.text);
		return polc_exit(rc);
	}
	fwrite(text, 1, n, stdout);
	free(text);
	return POLC_OK;
}
