/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/prover.h"
#include "audit/tool.h"

static void help(void)
{
	puts("Usage: " TOOL " prove inclusion [--size N] INDEX DB\n"
	     "       " TOOL " prove consistency [--size N] OLD DB\n"
	     "Print a proof that record INDEX lies under the log's last "
	     "checkpoint, or that\nthis checkpoint continues the log as it "
	     "was with OLD records.\n"
	     "check-proof checks it with the log's public key alone.\n\n"
	     "  -s, --size N  under the checkpoint of N records\n"
	     "      --bare    without the record itself\n"
	     "  -h, --help    this text");
}

static int prove(bool inclusion, uint64_t at, uint64_t size, bool bare,
		 const char *path)
{
	struct proof_text *t = malloc(sizeof(*t));
	uint8_t *text = malloc(PROOF_TEXT_MAX);
	struct wbuf w = wbuf_of(text, PROOF_TEXT_MAX);
	struct prover *p = NULL;
	struct err e = {0};
	int rc = t && text ? 0 : err_set(&e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = prover_open(&p, path, false, &e);
	if (rc == 0)
		rc = inclusion ? prover_inclusion(p, at, size, t, &e)
			       : prover_consistency(p, at, size, t, &e);
	if (rc == 0) {
		t->has_record &= !bare;
		rc = proof_text_put(&w, t, &e);
	}
	if (rc)
		rc = tool_failed(path, &e);
	else if (fwrite(w.p, 1, w.n, stdout) == w.n)
		rc = tool_flush(EXIT_DONE, 0);
	else
		rc = tool_flush(EXIT_TROUBLE, errno);
	prover_close(p);
	free(text);
	free(t);
	return rc;
}

int cmd_prove(int argc, char **argv)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"bare", no_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	uint64_t size = 0, at;
	bool bare = false, inclusion;
	int c;

	while ((c = getopt_long(argc, argv, "s:h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (checkpoint_number(span_str(optarg), &size) && size)
				break;
			tool_say("--size", "not a number of records");
			return tool_usage("prove");
		case 'b':
			bare = true;
			break;
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		default:
			return tool_usage("prove");
		}
	}
	if (optind + 3 != argc) {
		tool_say("prove", "what, a number and one database are needed");
		return tool_usage("prove");
	}
	inclusion = strcmp(argv[optind], "inclusion") == 0;
	if (!inclusion && strcmp(argv[optind], "consistency") != 0) {
		tool_say(argv[optind], "neither inclusion nor consistency");
		return tool_usage("prove");
	}
	if (!checkpoint_number(span_str(argv[optind + 1]), &at)) {
		tool_say(argv[optind + 1], "not a number");
		return tool_usage("prove");
	}
	return prove(inclusion, at, size, bare, argv[optind + 2]);
}
