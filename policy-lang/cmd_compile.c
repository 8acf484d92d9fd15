/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/json.h"
#include "policy-lang/analysis/label.h"
#include "policy-lang/front/cost.h"
#include "policy-lang/front/diag.h"
#include "policy-lang/image/cost.h"
#include "policy-lang/image/layout.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"
#include "policy-lang/replace.h"

/* What the loader says of it is what the gateway will say. */
static int verify(uint8_t *p, size_t n, struct pol_cost *c, struct err *e)
{
	struct pol_image *i;
	int rc = pol_image_load(&i, span_of(p, n), e);

	if (rc)
		return err_wrap(e, "the image just written does not load");
	pol_image_cost(i, c);
	pol_image_free(i);
	return 0;
}

/* A customer's file is no proof's: composed of itself alone. A library holds
 * nothing that could be. */
static int compose(struct scene *s, const struct pol_file *f, struct err *e)
{
	struct err none;

	if (s->n_file == 0 && f->kind != POL_LIBRARY) {
		int rc = scene_new(s, &f, 1, e);

		if (rc)
			return rc;
	}
	if (s->set && pol_state_new(&s->state, s->set, &none))
		s->state = NULL; /* then nothing is said of its size */
	return 0;
}

/* With the label in it, for who has no analysis at hand. */
static int image_of(uint8_t **p, size_t *n, const struct pol_file *f,
		    const struct proof *proof, struct err *e)
{
	const struct scene *s = &proof->s;
	struct lay_label row[LAY_MAX_PARTIES];
	uint32_t rows = 0;

	if (s->n_file == 0)
		return pol_image_build(p, n, f, e);
	if (f->kind == POL_VENDOR)
		rows = label_rows_of(row, proof->b);
	if (rows)
		return pol_image_label(p, n, s->image[0], row, rows, e);
	*n = s->n_octets[0];
	*p = malloc(*n);
	if (!*p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	memcpy(*p, s->octets[0], *n);
	return 0;
}

/* In the units of policy-language 20.2. */
static void summary(const struct pol_file *f, size_t octets, size_t state,
		    const struct pol_cost *c, bool json)
{
	struct pol_worst w = cost_of_file(f);
	size_t limits = f->n_limit + f->n_floor;
	char buf[1024];
	struct json j = json_of(buf, sizeof(buf));

	for (size_t i = 0; i < f->n_rule; i++)
		limits += f->rule[i].n_limit;
	if (!json) {
		printf("%s serial %llu: %zu octets, %zu rules, %zu limits, "
		       "%zu states; %zu octets of state alone\n",
		       f->id, (unsigned long long)f->serial, octets, f->n_rule,
		       limits, f->n_state, state);
		if (f->n_rule)
			printf("worst case of an observation: %u words of "
			       "bitmaps in %u rows, automata over %u texts, "
			       "guards %u, counters %u, states %u\n",
			       c->words, c->rows, c->texts, w.compares,
			       w.limits, w.states);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "id", f->id);
	json_u64(&j, "serial", f->serial);
	json_u64(&j, "octets", octets);
	json_u64(&j, "rules", f->n_rule);
	json_u64(&j, "limits", limits);
	json_u64(&j, "states", f->n_state);
	json_u64(&j, "state_octets", state);
	json_obj(&j, "cost");
	json_u64(&j, "rows", c->rows);
	json_u64(&j, "words", c->words);
	json_u64(&j, "texts", c->texts);
	json_u64(&j, "guards", w.compares);
	json_u64(&j, "counters", w.limits);
	json_u64(&j, "states", w.states);
	json_obj_end(&j);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

/* The gateway has memory for so much of each policy (P6201). */
static int check_memory(const struct pol_file *f, size_t state, bool json,
			struct err *e)
{
	struct diags *d;
	struct pol_files none = {0};

	if (state <= COST_MAX_OCTETS)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	diag_add(d, DIAG_ERROR, 6201, f->path, (struct diag_at){0, 0, 0},
		 "smaller windows and fewer distinct values take less",
		 "its counters take %zu octets; the gateway has room for %llu",
		 state, (unsigned long long)COST_MAX_OCTETS);
	polc_diags(json ? stdout : stderr, d, &none,
		   json ? SAY_JSON : SAY_TEXT);
	free(d);
	return err_set(e, E_SYNTAX, 0, "over the gateway's profile");
}

static int build(const struct pol_file *f, struct proof *proof,
		 const char *out, bool json, struct err *e)
{
	struct pol_cost c;
	size_t state = 0;
	uint8_t *p = NULL;
	size_t n = 0;
	int rc = compose(&proof->s, f, e);

	if (rc)
		return rc;
	rc = image_of(&p, &n, f, proof, e);
	if (rc)
		return err_wrap(e, "%s", f->path);
	rc = verify(p, n, &c, e);
	if (rc == 0 && proof->s.state)
		state = pol_state_size(proof->s.state);
	if (rc == 0)
		rc = check_memory(f, state, json, e);
	if (rc == 0 && out)
		rc = replace_file(out, p, n, e);
	if (rc == 0)
		summary(f, n, state, &c, json);
	free(p);
	return rc;
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int cmd_compile(int argc, char **argv)
{
	const char *in = NULL, *out = NULL;
	bool dry = false, json = false;
	struct proof proof = {.b = NULL};
	struct pol_files files;
	struct err e = {0};
	struct diags *d;
	bool only; /* there is no other mode */
	const struct option_row options[] = {
		{"-n",              OPTION_FLAG, &dry,  NULL},
		{"-o",              OPTION_TEXT, &out,  NULL},
		{"--json",          OPTION_FLAG, &json, NULL},
		{"--deterministic", OPTION_FLAG, &only, NULL},
	};
	int rc = options_read(&argc, argv, options, 4);

	if (rc)
		return rc;
	if (argc != 2 || (!out && !dry))
		return polc_usage("compile: one file and -o OUT are needed");
	in = argv[1];
	if (out && same_file(in, out)) {
		polc_say("%s: is an input and an output", out);
		return POLC_IO;
	}
	d = calloc(1, sizeof(*d));
	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = pol_read_paths(&files, &in, 1, d, &e);
	if (rc == 0)
		rc = prove_assertions(&files, &proof, d, &e);
	polc_diags(json ? stdout : stderr, d, &files,
		   json ? SAY_JSON : SAY_TEXT);
	if (rc == 0 && files.n != 1)
		rc = err_set(&e, E_IO, 0, "%s: one file at a time", in);
	else if (rc == 0 && files.f[0]->kind == POL_TESTS)
		rc = err_set(&e, E_IO, 0, "%s: tests are not compiled", in);
	else if (rc == 0)
		rc = build(files.f[0], &proof, dry ? NULL : out, json, &e);
	if (rc && (rc != E_SYNTAX || d->errors == 0))
		polc_say("%s", e.text);
	proof_free(&proof);
	pol_files_free(&files);
	free(d);
	return polc_exit(rc);
}
