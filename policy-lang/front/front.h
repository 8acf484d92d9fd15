/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From YAML to a checked policy file, with diagnostics for its author.
 *
 * libyaml's events become a tree with positions (yaml.h), the tree is read by
 * tables of keys (schema), phrases become numbers, names are resolved, and
 * the static checks of policy-language section 19.3 that need one file run.
 */
#ifndef POLICY_LANG_FRONT_FRONT_H
#define POLICY_LANG_FRONT_FRONT_H

#include "core/err.h"
#include "policy-lang/image/model.h"

enum diag_level {
	DIAG_ERROR,
	DIAG_WARNING,
	DIAG_INFO
};

struct diag {
	enum diag_level level;
	uint16_t code; /* 4001 of P4001 */
	const char *path;
	uint32_t line, col, len; /* 1-based, characters; line 0 = whole file */
	char text[400], hint[200];
	uint32_t line2, col2; /* second place, or 0 */
	const char *path2;    /* in another file; NULL = the same */
	char text2[160];
};

/* Diagnostics of a run: the first 20 errors are kept, all are counted. */
#define DIAGS_MAX 256
struct diags {
	struct diag d[DIAGS_MAX];
	size_t n;
	size_t errors, warnings, infos; /* counted, kept or not */
};

/* Resolves `use:`: gives the source of a library by id, or NULL. The result
 * lives as long as the caller's context. */
struct pol_lib {
	struct pol_file *const *lib;
	size_t n;
};

/* Read one file. 0 and *out when there was no error; E_SYNTAX when there were
 * (all of them in d; *out NULL); E_IO when it cannot be read. path is for
 * messages. */
int pol_read(struct pol_file **out, const char *path, struct span source,
	     const struct pol_lib *libs, struct diags *d, struct err *e)
	__attribute__((warn_unused_result));
int pol_read_file(struct pol_file **out, const char *path,
		  const struct pol_lib *libs, struct diags *d, struct err *e)
	__attribute__((warn_unused_result));
void pol_file_free(struct pol_file *f);

/* A set: every *.yaml of a directory (not sub-directories), or one file, with
 * its libraries resolved among them, else in the directory of the file that
 * uses them. The tests kind is left out unless asked for. Files are in the
 * order of their names. Also after a failure pol_files_free is due, and the
 * paths in diagnostics live until then. */
struct pol_files {
	struct pol_file **f;
	size_t n;
	struct pol_sources *sources; /* what was read, for pol_source */
};
int pol_read_set(struct pol_files *out, const char *path, bool with_tests,
		 struct diags *d, struct err *e)
	__attribute__((warn_unused_result));
/* The same for files and directories given one by one; tests too. */
int pol_read_paths(struct pol_files *out, const char *const *path, size_t n,
		   struct diags *d, struct err *e)
	__attribute__((warn_unused_result));
void pol_files_free(struct pol_files *s);
/* The text of a file by the path of a diagnostic, for diag_print; empty when
 * it is not known. Borrowed from s. */
struct span pol_source(const struct pol_files *s, const char *path);

/* The checks that need several files: grants that no ceiling admits, limits
 * that another layer's leave nothing to do, consent weaker than the baseline's
 * minimum, floors that nothing keeps. E_SYNTAX when there were errors. */
int pol_check_set(const struct pol_files *s, struct diags *d, struct err *e)
	__attribute__((warn_unused_result));

/* Whether the files make one household, where a binding is among them: one of
 * each kind, and of each machine; parties and restrictions that name machines
 * that are none, and restrictions of the customer's that restrict nothing. */
int pol_check_household(const struct pol_files *s, struct diags *d,
			struct err *e) __attribute__((warn_unused_result));

/* The canonical layout of a source, comments kept (19.1, fmt): a heap block
 * the caller frees. E_SYNTAX with diagnostics when it does not parse. */
int pol_format(char **out, size_t *n, const char *path, struct span source,
	       struct diags *d, struct err *e)
	__attribute__((warn_unused_result));

/* The JSON Schema of the language, one line: a heap block the caller frees.
 * E_NOMEM; E_LIMIT when a reader's form is not known to it. */
int pol_schema(char **out, size_t *n, struct err *e)
	__attribute__((warn_unused_result));

/* Print one diagnostic as section 19.2 shows, source line and caret
 * included. source, and second of the second place, may be empty. */
void diag_print(void *file, const struct diag *d, struct span source,
		struct span second);

#endif
