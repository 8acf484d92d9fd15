/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/options.h"

#include <assert.h>
#include <string.h>

#include "policy-lang/front/diag.h"
#include "policy-lang/polc.h"

struct reader {
	const char *command;
	const struct option_row *row;
	size_t n;
	char **argv;
	int argc, i;
	bool seen[OPTIONS_MAX];
};

/* The row of a word, of which n octets are the name, or NULL. */
static const struct option_row *row_of(const struct reader *r, const char *word,
				       size_t n)
{
	for (size_t k = 0; k < r->n; k++) {
		const char *name = r->row[k].name;

		if (strlen(name) == n && memcmp(name, word, n) == 0)
			return &r->row[k];
	}
	return NULL;
}

static size_t dashes(const char *word)
{
	return strspn(word, "-");
}

static int unknown(const struct reader *r, const char *word, size_t n)
{
	const char *name[OPTIONS_MAX], *near = NULL;
	size_t d = dashes(word);

	/* Dashes are no likeness. */
	for (size_t k = 0; k < r->n; k++)
		name[k] = r->row[k].name + dashes(r->row[k].name);
	if (n > d + 1)
		near = nearest(span_of(word + d, n - d), name, r->n);
	for (size_t k = 0; near && k < r->n; k++) {
		if (name[k] == near)
			return polc_usage("%s: unknown option %.*s (did you "
					  "mean %s?)",
					  r->command, (int)n, word,
					  r->row[k].name);
	}
	return polc_usage("%s: unknown option %.*s", r->command, (int)n, word);
}

/* The value of the option, and past it. */
static const char *value_of(struct reader *r, const char *equals)
{
	if (equals)
		return equals + 1;
	return r->i + 1 < r->argc ? r->argv[++r->i] : NULL;
}

static int take(struct reader *r, const struct option_row *o,
		const char *equals)
{
	bool wants = o->kind == OPTION_TEXT || o->kind == OPTION_TAKE;
	const char *value = wants ? value_of(r, equals) : NULL;
	bool *seen = &r->seen[o - r->row];
	struct err e = {0};

	if (wants && !value)
		return polc_usage("%s: %s needs a value", r->command, o->name);
	if (!wants && equals)
		return polc_usage("%s: %s takes no value", r->command, o->name);
	if (o->kind == OPTION_TEXT && *seen)
		return polc_usage("%s: %s was given twice", r->command,
				  o->name);
	*seen = true;
	if (o->kind == OPTION_FLAG)
		*(bool *)o->to = true;
	else if (o->kind == OPTION_TEXT)
		*(const char **)o->to = value;
	else if (o->take(o->to, o->name, value, &e))
		return polc_usage("%s: %s", r->command, e.text);
	return 0;
}

static int one(struct reader *r)
{
	const char *word = r->argv[r->i];
	const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	size_t n = equals ? (size_t)(equals - word) : strlen(word);
	const struct option_row *o = row_of(r, word, n);

	if (o)
		return take(r, o, equals);
	if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
		return POLC_HELP;
	return unknown(r, word, n);
}

int options_read(int *argc, char **argv, const struct option_row *row, size_t n)
{
	struct reader r = {argv[0], row, n, argv, *argc, 1, {false}};
	bool ended = false;
	int kept = 1;

	assert(n <= OPTIONS_MAX);
	for (; r.i < r.argc; r.i++) {
		char *word = argv[r.i];
		int rc;

		if (!ended && strcmp(word, "--") == 0) {
			ended = true;
			continue;
		}
		if (ended || word[0] != '-' || word[1] == 0) {
			argv[kept++] = word;
			continue;
		}
		rc = one(&r);
		if (rc)
			return rc;
	}
	*argc = kept;
	return 0;
}
