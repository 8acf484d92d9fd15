/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "audit/notefile.h"
#include "audit/prooftext.h"
#include "audit/tool.h"
#include "audit/tree.h"

#define KEYS 16

struct check {
	struct note_key key, witnesses[KEYS];
	size_t n_witnesses, need;
	bool has_key, has_need;
	const char *old, *record;
	struct sha256 *h;
	struct proof_text t;
	struct note_file file; /* of the old checkpoint, or of the record */
	struct record_view view;
	uint8_t text[PROOF_TEXT_MAX + 1], line[EVE_LINE_MAX];
};

static void help(void)
{
	puts("Usage: " TOOL " check-proof --key FILE [OPTION]... PROOF\n"
	     "Check a proof that prove printed ('-': standard input). Nothing "
	     "else is needed\nbut the log's public key.\n\n"
	     "      --key FILE      public key of the log: its .vkey, or PEM\n"
	     "      --old FILE      the checkpoint that is continued (for "
	     "consistency)\n"
	     "      --record FILE   the record, where the proof does not hold "
	     "it\n"
	     "      --witness FILE  public key of one who cosigns\n"
	     "      --cosigned N    the checkpoint is cosigned by N witnesses\n"
	     "                      (all that are named)\n"
	     "  -h, --help          this text\n\n"
	     "Exit: 0 it holds, 1 it does not, 2 it cannot be read.");
}

static int no(struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "%s", what);
}

/* A checkpoint that the log signed. */
static int signed_point(struct check *k, struct span octets, bool cosigned,
			struct checkpoint *c, struct err *e)
{
	struct note n;
	uint64_t by = 0;
	int rc = checkpoint_read(c, &n, octets, e);

	if (rc == 0)
		rc = note_check(&n, &k->key, 1, &by, e);
	if (rc == 0 && by == 0)
		rc = no(e, "the checkpoint is not signed by the log's key");
	if (rc || !cosigned)
		return rc;
	rc = note_check(&n, k->witnesses, k->n_witnesses, &by, e);
	if (rc == 0 && (size_t)__builtin_popcountll(by) < k->need)
		rc = no(e, "the checkpoint is not cosigned by as many "
			   "witnesses");
	return rc;
}

static int check_inclusion(struct check *k, const struct checkpoint *c,
			   struct err *e)
{
	struct proof_text *t = &k->t;
	struct span record = span_of(t->record, t->record_n);
	uint8_t leaf[SHA256_LEN];
	int rc = 0;

	if (k->record) {
		rc = note_file_read(&k->file, k->record, e);
		if (rc)
			return err_wrap(e, "%s", k->record);
		record = span_of(k->file.octets, k->file.n);
	} else if (!t->has_record) {
		return err_set(e, E_STATE, 0, "the proof does not hold the "
			       "record; --record names it");
	}
	tree_leaf(k->h, record, leaf);
	if (!proof_includes(k->h, &t->proof, t->at, c->size, leaf, c->root))
		return no(e, "the record is not under the checkpoint");
	if (record_decode(&k->view, record, e)) {
		err_wrap(e, "it is in the log, and no record");
		return e->code = E_INTEGRITY;
	}
	return k->view.r.seq == t->at
		       ? 0
		       : no(e, "the record has another number");
}

static int check_consistency(struct check *k, const struct checkpoint *c,
			     struct err *e)
{
	struct checkpoint old;
	int rc;

	if (!k->old)
		return err_set(e, E_STATE, 0, "--old names the checkpoint that "
			       "is continued");
	rc = note_file_read(&k->file, k->old, e);
	if (rc == 0)
		rc = signed_point(k, span_of(k->file.octets, k->file.n), false,
				  &old, e);
	if (rc)
		return err_wrap(e, "%s", k->old);
	if (strcmp(old.origin, c->origin) != 0)
		return no(e, "the checkpoints are of two logs");
	if (old.size != k->t.at)
		return no(e, "the proof is about another size than the old "
			     "checkpoint");
	return proof_continues(k->h, &k->t.proof, old.size, c->size, old.root,
			       c->root)
		       ? 0
		       : no(e, "the log does not continue the old one");
}

static void tell(struct check *k, const struct checkpoint *c)
{
	struct eve_opts o = {.has_seq = true, .seq = k->t.at};
	struct wbuf w = wbuf_of(k->line, sizeof(k->line));

	if (k->t.inclusion) {
		o.service = k->view.r.service;
		if (eve_text(&w, &k->view.ev, &o))
			fwrite(w.p, 1, w.n, stdout);
		printf("ok record %llu of %s with %llu records\n",
		       (unsigned long long)k->t.at, c->origin,
		       (unsigned long long)c->size);
	} else {
		printf("ok %s with %llu records continues its %llu\n",
		       c->origin, (unsigned long long)c->size,
		       (unsigned long long)k->t.at);
	}
}

static int read_proof(struct check *k, const char *path, size_t *n,
		      struct err *e)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	int rc = 0;

	if (!f)
		return err_sys(e, "cannot be read");
	*n = fread(k->text, 1, sizeof(k->text), f);
	if (ferror(f))
		rc = err_sys(e, "cannot be read");
	else if (*n == sizeof(k->text))
		rc = err_set(e, E_INTEGRITY, 0, "it is too long for a proof");
	if (f != stdin)
		fclose(f);
	return rc;
}

/* What somebody changed until it cannot be read holds as little as one that
 * can be and is wrong. */
static int read_text(struct check *k, size_t n, struct checkpoint *c,
		     struct err *e)
{
	int rc = proof_text_parse(&k->t, span_of(k->text, n), e);

	if (rc == 0)
		rc = signed_point(k, k->t.note, true, c, e);
	if (rc == E_SYNTAX || rc == E_LIMIT) {
		err_wrap(e, "it is no proof");
		return e->code = E_INTEGRITY;
	}
	return rc;
}

static int run(struct check *k, const char *path)
{
	struct checkpoint c;
	struct err e = {0};
	size_t n = 0;
	int rc = read_proof(k, path, &n, &e);

	if (rc == 0)
		rc = read_text(k, n, &c, &e);
	if (rc == 0)
		rc = k->t.inclusion ? check_inclusion(k, &c, &e)
				    : check_consistency(k, &c, &e);
	if (rc == 0) {
		tell(k, &c);
		return tool_flush(EXIT_DONE, 0);
	}
	if (rc == E_INTEGRITY)
		printf("does not hold: %s\n", e.text);
	rc = tool_failed(path, &e);
	return tool_flush(rc, 0);
}

static int took(int rc, const char *path, const struct err *e)
{
	if (rc == 0)
		return EXIT_DONE;
	tool_say(path, e->text);
	return EXIT_TROUBLE;
}

static int option(struct check *k, int c)
{
	uint64_t need = 0;
	struct err e = {0};

	switch (c) {
	case 'k':
		k->has_key = true;
		return took(note_file_key(&k->key, optarg, &e), optarg, &e);
	case 'w':
		if (k->n_witnesses < KEYS)
			return took(note_file_witness(k->witnesses,
						      k->n_witnesses++,
						      optarg, &e),
				    optarg, &e);
		tool_say("--witness", "too many");
		return EXIT_TROUBLE;
	case 'n':
		k->has_need = checkpoint_number(span_str(optarg), &need) &&
			      need <= KEYS;
		k->need = (size_t)need;
		if (k->has_need)
			return EXIT_DONE;
		tool_say("--cosigned", "not a number of witnesses");
		return tool_usage("check-proof");
	case 'o':
		k->old = optarg;
		return EXIT_DONE;
	case 'r':
		k->record = optarg;
		return EXIT_DONE;
	default:
		return tool_usage("check-proof");
	}
}

int cmd_check_proof(int argc, char **argv)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"old", required_argument, NULL, 'o'},
		{"record", required_argument, NULL, 'r'},
		{"witness", required_argument, NULL, 'w'},
		{"cosigned", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct check *k = calloc(1, sizeof(*k));
	int c, rc = EXIT_DONE;

	if (!k || !(k->h = sha256_new())) {
		tool_say("check-proof", "out of memory");
		free(k);
		return EXIT_TROUBLE;
	}
	while (rc == EXIT_DONE &&
	       (c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			help();
			rc = tool_flush(EXIT_DONE, 0);
			goto out;
		}
		rc = option(k, c);
	}
	if (!k->has_need)
		k->need = k->n_witnesses;
	if (rc == EXIT_DONE && (optind + 1 != argc || !k->has_key)) {
		tool_say("check-proof", k->has_key
						? "exactly one proof is needed"
						: "--key is needed");
		rc = tool_usage("check-proof");
	}
	if (rc == EXIT_DONE && k->need > k->n_witnesses) {
		tool_say("--cosigned", "more than there are witnesses");
		rc = tool_usage("check-proof");
	}
	if (rc == EXIT_DONE)
		rc = run(k, argv[optind]);
out:
	sha256_free(k->h);
	free(k);
	return rc;
}
