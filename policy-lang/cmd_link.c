/* SPDX-License-Identifier: Apache-2.0 */
/* A household composed as the gateway would, and what its layers leave of each
 * other. */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

#define MAX_FILES 64
#define TEXT(s)	  (int)(s).n, (const char *)(s).p

struct link {
	const char *dir;
	enum polc_say form;
};

static const struct pol_file *policy_of(const struct scene *s, struct span id)
{
	for (size_t i = 0; id.n && i < s->n_file; i++) {
		if (span_is(id, s->file[i]->id))
			return s->file[i];
	}
	return NULL;
}

static void say_machines(const struct scene *s, struct json *j)
{
	struct pol_machine m;

	for (size_t i = 0; i < pol_set_machines(s->set); i++) {
		const struct pol_file *f;

		pol_set_machine(s->set, i, &m);
		f = policy_of(s, m.policy);
		if (j) {
			json_obj(j, NULL);
			json_text(j, "machine", m.name);
			json_text(j, "policy", m.policy);
			json_u64(j, "serial", f ? f->serial : 0);
			json_obj_end(j);
		} else if (f) {
			printf("  %-12.*s %s serial %llu\n", TEXT(m.name),
			       f->id, (unsigned long long)f->serial);
		} else {
			printf("  %-12.*s no policy: it may do nothing\n",
			       TEXT(m.name));
		}
	}
}

static void say_text(const struct link *l, const struct scene *s)
{
	printf("%s: %zu machines of %zu policies, %zu octets of state\n",
	       l->dir, pol_set_machines(s->set), s->n_file,
	       pol_state_size(s->state));
	say_machines(s, NULL);
}

static void say_json(const struct link *l, const struct scene *s)
{
	char buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_str(&j, "set", l->dir);
	json_u64(&j, "policies", s->n_file);
	json_u64(&j, "state_octets", pol_state_size(s->state));
	json_arr(&j, "machines");
	say_machines(s, &j);
	json_arr_end(&j);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static bool holds(const struct pol_files *files, enum pol_kind kind)
{
	for (size_t i = 0; i < files->n; i++) {
		if (files->f[i]->kind == kind)
			return true;
	}
	return false;
}

/* What the gateway does when it activates them; 0 or why it would not. */
static int compose(const struct link *l, const struct pol_files *files,
		   struct err *e)
{
	struct wall any = {.trusted = true};
	struct scene s;
	int rc;

	if (!holds(files, POL_BINDING))
		return err_set(e, E_STATE, 0, "%s: holds no binding", l->dir);
	if (files->n > MAX_FILES)
		return err_set(e, E_LIMIT, 0, "%s: more than %d files", l->dir,
			       MAX_FILES);
	rc = scene_new(&s, (const struct pol_file *const *)files->f, files->n,
		       e);
	if (rc)
		return rc;
	rc = scene_reset(&s, any, e);
	if (rc == 0 && l->form == SAY_TEXT)
		say_text(l, &s);
	else if (rc == 0 && l->form == SAY_JSON)
		say_json(l, &s);
	scene_free(&s);
	return rc;
}

static int run(const struct link *l, bool strict, struct diags *d)
{
	struct pol_files files;
	struct err e = {0};
	int rc = pol_read_paths(&files, &l->dir, 1, d, &e);

	if (rc == 0)
		rc = pol_check_household(&files, d, &e);
	if (rc == 0)
		rc = pol_check_set(&files, d, &e);
	if (rc == 0)
		rc = prove_assertions(&files, NULL, d, &e);
	polc_diags(stdout, d, &files, l->form);
	if (rc == 0)
		rc = compose(l, &files, &e);
	if (rc && !(rc == E_SYNTAX && d->errors))
		polc_say("%s", e.text);
	else if (rc == 0 && strict && d->warnings)
		rc = E_SYNTAX;
	pol_files_free(&files);
	/* That files do not go together is their fault. */
	return rc == E_STATE ? POLC_ERRORS : polc_exit(rc);
}

int cmd_link(int argc, char **argv)
{
	struct link l = {NULL, SAY_TEXT};
	bool strict = false;
	struct diags *d;
	const struct option_row options[] = {
		{"--strict", OPTION_FLAG, &strict, NULL     },
		{"--json",   OPTION_WORD, &l.form, polc_form},
		{"--sarif",  OPTION_WORD, &l.form, polc_form},
	};
	int rc = options_read(&argc, argv, options, 3);

	if (rc)
		return rc;
	if (argc != 2)
		return polc_usage("link: one directory is needed");
	l.dir = argv[1];
	d = calloc(1, sizeof(*d));
	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = run(&l, strict, d);
	free(d);
	return rc;
}
