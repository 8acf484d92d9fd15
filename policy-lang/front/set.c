/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several files that belong together. Libraries are read before what uses
 * them; they cannot hold rules, so an include never widens what is allowed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/read.h"

#define MAX_FILES     256
#define MAX_USE_DEPTH 4

struct item {
	char *path;
	uint8_t *p;
	size_t n;
	bool given; /* asked for; others were found beside them */
	enum pol_kind kind;
	char *id;
	struct diag_at at_id;
	char *use[USE_MAX]; /* ids of libraries */
	struct diag_at at_use[USE_MAX];
	size_t n_use;
	struct parsed *tree; /* of what is given, until it is read */
	enum {
		FRESH,
		BUSY,
		DONE
	} state;
	struct pol_file *f;
};

struct pol_sources {
	struct item v[MAX_FILES];
	size_t n;
};

struct set {
	struct pol_sources *src;
	struct pol_file *libs[MAX_FILES];
	size_t n_libs;
	struct diags *d, *unheard;
	struct err *e;
};

static int no_memory(struct err *e)
{
	return err_set(e, E_NOMEM, 0, "out of memory");
}

/* Kind, id and uses, ahead of reading; complaints come when it is read. */
static int peek_tree(struct item *it, const struct ynode *root)
{
	const struct ynode *kind = yaml_get(root, "kind"), *id, *use;

	for (const struct word *w = kind_words; kind && w->name; w++) {
		if (yaml_is(kind, w->name))
			it->kind = (enum pol_kind)w->value;
	}
	id = yaml_get(root, "id");
	if (id && id->type == Y_SCALAR) {
		it->at_id = at_node(id);
		it->id = strdup((const char *)id->s.p);
		if (!it->id)
			return E_NOMEM;
	}
	use = yaml_get(root, "use");
	for (const struct ynode *u = use ? use->kids : NULL; u; u = u->next) {
		const uint8_t *at = u->type == Y_SCALAR && u->s.n
					    ? memchr(u->s.p, '@', u->s.n)
					    : NULL;

		if (!at || it->n_use == USE_MAX)
			continue;
		it->at_use[it->n_use] = at_node(u);
		it->use[it->n_use] =
			strndup((const char *)u->s.p, (size_t)(at - u->s.p));
		if (!it->use[it->n_use++])
			return E_NOMEM;
	}
	return 0;
}

/* A tree is many times as large as its source: those of a directory's other
 * files are not kept. */
static int peek(struct set *s, struct item *it)
{
	struct parsed *tree;
	int rc;

	s->unheard->n = s->unheard->errors = 0;
	rc = parse(&tree, it->path, span_of(it->p, it->n), s->unheard, s->e);
	if (rc)
		return rc == E_SYNTAX ? 0 : rc;
	rc = peek_tree(it, parsed_root(tree));
	if (it->given)
		it->tree = tree;
	else
		parsed_free(tree);
	return rc ? no_memory(s->e) : 0;
}

static struct item *find_path(struct pol_sources *s, const char *path)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].path, path) == 0)
			return &s->v[i];
	}
	return NULL;
}

/* given: a failure to read it is an error; otherwise it is passed over. */
static int add(struct set *s, const char *path, bool given)
{
	struct item *it = find_path(s->src, path);
	struct err ignored;
	int rc;

	if (it) {
		it->given |= given;
		return 0;
	}
	if (s->src->n == MAX_FILES)
		return err_set(s->e, E_LIMIT, 0, "more than %d files",
			       MAX_FILES);
	it = &s->src->v[s->src->n];
	memset(it, 0, sizeof(*it));
	it->path = strdup(path);
	if (!it->path)
		return no_memory(s->e);
	rc = read_source(&it->p, &it->n, path, given ? s->e : &ignored);
	if (rc) {
		free(it->path);
		return given ? rc : 0;
	}
	s->src->n++;
	it->given = given;
	return peek(s, it);
}

static bool is_yaml(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".yaml") == 0;
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every *.yaml of a directory. E_NOTFOUND: it is no directory. */
static int add_dir(struct set *s, const char *dir, bool given)
{
	DIR *h = opendir(dir);
	char *name[MAX_FILES];
	const struct dirent *de;
	size_t n = 0;
	int rc = 0;

	if (!h)
		return errno == ENOTDIR ? E_NOTFOUND : err_sys(s->e, "%s", dir);
	while (rc == 0 && (de = readdir(h))) {
		if (!is_yaml(de->d_name))
			continue;
		if (n == MAX_FILES)
			rc = err_set(s->e, E_LIMIT, 0, "%s: more than %d files",
				     dir, MAX_FILES);
		else if (asprintf(&name[n], "%s/%s", dir, de->d_name) < 0)
			rc = no_memory(s->e);
		else
			n++;
	}
	closedir(h);
	/* What the directory gives depends on nothing but its contents. */
	qsort(name, n, sizeof(name[0]), name_order);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			rc = add(s, name[i], given);
		free(name[i]);
	}
	return rc;
}

/* A file, or a directory that must hold some. */
static int add_given(struct set *s, const char *path)
{
	size_t before = s->src->n;
	int rc = add_dir(s, path, true);

	if (rc == E_NOTFOUND)
		return add(s, path, true);
	if (rc == 0 && s->src->n == before)
		return err_set(s->e, E_IO, 0, "%s: holds no *.yaml", path);
	return rc;
}

static struct item *find_lib(struct set *s, const char *id)
{
	for (size_t i = 0; i < s->src->n; i++) {
		struct item *it = &s->src->v[i];

		if (it->kind == POL_LIBRARY && it->id &&
		    strcmp(it->id, id) == 0)
			return it;
	}
	return NULL;
}

/* Look beside the files for libraries that were not given. */
static int add_missing(struct set *s)
{
	size_t n = s->src->n;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct item *it = &s->src->v[i];
		bool missing = false;
		char *slash, *dir;

		for (size_t k = 0; k < it->n_use; k++)
			missing = missing || !find_lib(s, it->use[k]);
		if (!missing)
			continue;
		slash = strrchr(it->path, '/');
		dir = slash ? strndup(it->path, (size_t)(slash - it->path))
			    : strdup(".");
		rc = dir ? add_dir(s, *dir ? dir : "/", false)
			 : no_memory(s->e);
		free(dir);
	}
	return rc;
}

/* by: what uses it, and by which of its uses; NULL: it was given. */
static int load(struct set *s, struct item *it, const struct item *by,
		size_t use, unsigned depth)
{
	struct pol_lib libs = {s->libs, 0};
	int rc;

	if (it->state == DONE)
		return 0;
	if (it->state == BUSY || depth > MAX_USE_DEPTH) {
		diag_add(s->d, DIAG_ERROR, 3212, by ? by->path : it->path,
			 by ? by->at_use[use] : it->at_id, NULL, "%s",
			 it == by		? "the file uses itself"
			 : it->state == BUSY	? "this library uses this file "
						  "in turn"
						: "libraries use each other "
						  "more than 4 deep");
		return 0;
	}
	it->state = BUSY;
	for (size_t k = 0; k < it->n_use; k++) {
		struct item *lib = find_lib(s, it->use[k]);

		rc = lib ? load(s, lib, it, k, depth + 1) : 0;
		if (rc)
			return rc;
	}
	it->state = DONE;
	libs.n = s->n_libs;
	rc = read_parsed(&it->f, it->tree, it->path, span_of(it->p, it->n),
			 &libs, s->d, s->e);
	it->tree = NULL;
	if (rc == 0 && it->kind == POL_LIBRARY)
		s->libs[s->n_libs++] = it->f;
	return rc == E_SYNTAX ? 0 : rc; /* the others' errors too */
}

static void same_id(struct set *s, const struct item *a, const struct item *b)
{
	struct diag *d = diag_add(s->d, DIAG_ERROR, 3215, a->path, a->at_id,
				  "leave one of them out",
				  "another file has the same id");

	diag_second(d, b->at_id.line, b->at_id.col, "it is here");
	if (d)
		d->path2 = b->path;
}

/* Two files that claim to be the same one. */
static void check_ids(struct set *s)
{
	for (size_t i = 0; i < s->src->n; i++) {
		const struct item *a = &s->src->v[i];

		for (size_t k = 0; k < i && a->id && a->given; k++) {
			const struct item *b = &s->src->v[k];

			if (b->given && b->id && a->kind == b->kind &&
			    a->kind == POL_LIBRARY && strcmp(a->id, b->id) == 0)
				same_id(s, a, b);
		}
	}
}

static int finish(struct set *s, struct pol_files *out, bool with_tests)
{
	size_t errors = s->d->errors;
	int rc = add_missing(s);

	for (size_t i = 0; i < s->src->n && rc == 0; i++) {
		struct item *it = &s->src->v[i];

		if (!it->given || (it->kind == POL_TESTS && !with_tests))
			continue;
		rc = load(s, it, NULL, 0, 0);
	}
	if (rc)
		return rc;
	check_ids(s);
	if (s->d->errors != errors)
		return err_set(s->e, E_SYNTAX, 0, "%zu error%s in the policy",
			       s->d->errors - errors,
			       s->d->errors - errors == 1 ? "" : "s");
	out->f = calloc(s->src->n + 1, sizeof(*out->f));
	if (!out->f)
		return no_memory(s->e);
	for (size_t i = 0; i < s->src->n; i++) {
		struct item *it = &s->src->v[i];

		if (it->f && it->given)
			out->f[out->n++] = it->f;
	}
	return 0;
}

static int begin(struct set *s, struct pol_files *out, struct diags *d,
		 struct err *e)
{
	memset(out, 0, sizeof(*out));
	memset(s, 0, sizeof(*s));
	out->sources = s->src = calloc(1, sizeof(*s->src));
	s->unheard = calloc(1, sizeof(*s->unheard));
	s->d = d;
	s->e = e;
	return s->src && s->unheard ? 0 : no_memory(e);
}

int pol_read_set(struct pol_files *out, const char *path, bool with_tests,
		 struct diags *d, struct err *e)
{
	struct set s;
	int rc = begin(&s, out, d, e);

	if (rc == 0)
		rc = add_given(&s, path);
	if (rc == 0)
		rc = finish(&s, out, with_tests);
	free(s.unheard);
	return rc;
}

int pol_read_paths(struct pol_files *out, const char *const *path, size_t n,
		   struct diags *d, struct err *e)
{
	struct set s;
	const char **sorted;
	int rc = begin(&s, out, d, e);

	sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		rc = no_memory(e);
	if (rc == 0) {
		memcpy(sorted, path, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), name_order);
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_given(&s, sorted[i]);
	if (rc == 0)
		rc = finish(&s, out, true);
	free(sorted);
	free(s.unheard);
	return rc;
}

void pol_files_free(struct pol_files *s)
{
	struct pol_sources *src = s->sources;

	for (size_t i = 0; src && i < src->n; i++) {
		struct item *it = &src->v[i];

		pol_file_free(it->f);
		parsed_free(it->tree);
		for (size_t k = 0; k < it->n_use; k++)
			free(it->use[k]);
		free(it->id);
		free(it->p);
		free(it->path);
	}
	free(src);
	free(s->f);
	memset(s, 0, sizeof(*s));
}

struct span pol_source(const struct pol_files *s, const char *path)
{
	const struct item *it = s->sources ? find_path(s->sources, path) : NULL;

	return it ? span_of(it->p, it->n) : (struct span){0};
}
