/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a compiled policy, for people and for programs. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/json.h"
#include "policy-lang/binary.h"
#include "policy-lang/libraries.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

#define TEXT_MIN ((size_t)1 << 18)
#define TEXT_MAX ((size_t)64 << 20)

static void put_line(void *arg, struct span json)
{
	fwrite(json.p, 1, json.n, arg);
}

static int show_text(const struct pol_image *im, struct err *e)
{
	/* How long it gets depends on patterns: grow until it fits. */
	for (size_t cap = TEXT_MIN; cap <= TEXT_MAX; cap *= 4) {
		void *p = malloc(cap);
		struct wbuf w = wbuf_of(p, cap);
		bool fits = p && pol_image_print(im, &w);

		if (fits)
			fwrite(w.p, 1, w.n, stdout);
		free(p);
		if (fits)
			return 0;
	}
	return err_set(e, E_NOMEM, 0, "no room for its text");
}

static int show_json(const struct pol_image *im, const char *path,
		     struct err *e)
{
	size_t cap = TEXT_MAX / 16;
	/* Six octets for each of a text, which has the libraries' too. */
	size_t most = 13 * cap;
	char *text = malloc(cap), *line = malloc(most);
	struct wbuf w = wbuf_of(text, cap);
	struct json j = json_of(line, most);
	int rc = 0;

	if (text && line && pol_image_print(im, &w)) {
		json_obj(&j, NULL);
		json_str(&j, "file", path);
		json_text(&j, "id", pol_image_id(im));
		json_u64(&j, "serial", pol_image_serial(im));
		libraries_json(&j, im);
		json_text(&j, "text", wbuf_span(&w));
		json_obj_end(&j);
		if (json_line(&j))
			fwrite(j.w.p, 1, j.w.n, stdout);
		else
			rc = E_NOMEM;
	} else {
		rc = E_NOMEM;
	}
	if (rc)
		rc = err_set(e, E_NOMEM, 0, "no room for its text");
	free(text);
	free(line);
	return rc;
}

struct show {
	bool dump, json, more; /* more: behind another */
};

/* Damage, whatever it hit, for programs: polc verify's words for it, with its
 * code, where a reader of standard output looks for an object. */
static void damaged_json(const char *path, const char *text)
{
	size_t n = strlen(path);
	char buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	if (strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		text += n + 2;
	json_obj(&j, NULL);
	json_str(&j, "level", "error");
	json_str(&j, "code", "P7001");
	json_str(&j, "file", path);
	json_str(&j, "message", text);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static bool is_damage(int rc)
{
	return rc != E_IO && rc != E_NOMEM && rc != E_NOTFOUND;
}

static int show_one(struct show *s, const char *path)
{
	struct binary b;
	struct err e = {0};
	int rc = binary_read(&b, path, &e);

	if (rc == 0) {
		if (s->more && !s->dump && !s->json)
			putchar('\n');
		s->more = true;
		if (s->dump)
			rc = pol_image_dump(b.image, put_line, stdout, &e);
		else if (s->json)
			rc = show_json(b.image, path, &e);
		else
			rc = show_text(b.image, &e);
		binary_free(&b);
	}
	if (rc == 0)
		return POLC_OK;
	if (s->json && is_damage(rc))
		damaged_json(path, e.text);
	else
		polc_say("%s", e.text);
	return is_damage(rc) ? POLC_INTEGRITY : POLC_IO;
}

static int is_image_name(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return n > 5 && strcmp(de->d_name + n - 5, ".polc") == 0;
}

/* The images of a directory in the order of their names. */
static int show_dir(struct show *s, const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, is_image_name, alphasort);
	int rc = POLC_OK;

	if (n < 0) {
		polc_say("%s: cannot be read", path);
		return POLC_IO;
	}
	if (n == 0) {
		polc_say("%s: holds no *.polc", path);
		rc = POLC_IO;
	}
	for (int i = 0; i < n; i++) {
		char one[4096];
		int k = snprintf(one, sizeof(one), "%s/%s", path,
				 list[i]->d_name);

		if (rc == POLC_OK && k > 0 && (size_t)k < sizeof(one))
			rc = show_one(s, one);
		free(list[i]);
	}
	free(list);
	return rc;
}

static int run(const char *name, struct show *s, int argc, char **argv)
{
	const struct option_row options[] = {
		{"--json", OPTION_FLAG, &s->json, NULL},
	};
	int rc = options_read(&argc, argv, options, 1);

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("%s: which image?", name);
	for (int i = 1; i < argc && rc == POLC_OK; i++) {
		struct stat st;

		rc = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)
			     ? show_dir(s, argv[i])
			     : show_one(s, argv[i]);
	}
	return rc;
}

int cmd_show(int argc, char **argv)
{
	struct show s = {0};

	return run("show", &s, argc, argv);
}

int cmd_dump(int argc, char **argv)
{
	struct show s = {.dump = true};

	return run("dump", &s, argc, argv);
}
