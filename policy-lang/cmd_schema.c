/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema of the language, for editors. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/polc.h"

int cmd_schema(int argc, char **argv)
{
	struct err e = {0};
	char *text;
	size_t n;
	int rc;

	for (int i = 1; i < argc; i++) {
		/* It is JSON either way. */
		if (strcmp(argv[i], "--json") != 0)
			return polc_usage("schema: unexpected %s", argv[i]);
	}
	rc = pol_schema(&text, &n, &e);
	if (rc) {
		polc_say("%s", e.text);
		return polc_exit(rc);
	}
	fwrite(text, 1, n, stdout);
	free(text);
	return POLC_OK;
}
