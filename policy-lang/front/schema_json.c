/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema of the language (2020-12), for editors: made from the tables
 * of keys that read policies, and from what their readers ask for (probe.h).
 *
 * Editors read YAML 1.1, where 64 and true are no text: where a value may look
 * like one of those, both are taken.
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/schema_json.h"

#define SIZE_MAX_SCHEMA ((size_t)4 << 20)
/* --- names --------------------------------------------------------------- */

/* "a vendor's file" in a binding: "binding-vendors-file" */
static void def_name(char out[64], const struct keys *k, enum pol_kind kind)
{
	const char *what = k->what;
	size_t n = 0;

	for (const struct word *w = kind_words; w->name; w++) {
		if (w->value == (int)kind)
			n = (size_t)snprintf(out, 64, "%s", w->name);
	}
	if (k == file_keys(kind))
		return;
	what += strncmp(what, "a ", 2) == 0     ? 2
		: strncmp(what, "an ", 3) == 0  ? 3
		: strncmp(what, "the ", 4) == 0 ? 4
						: 0;
	out[n++] = '-';
	for (; *what && n < 63; what++) {
		if (*what != '\'')
			out[n++] = *what == ' ' ? '-' : *what;
	}
	out[n] = 0;
}

/* Its place among the definitions; a new one at the end. */
static const struct def *def_of(struct writer *w, const struct keys *k,
				enum pol_kind kind)
{
	struct def *d;

	for (size_t i = 0; i < w->n_def; i++) {
		if (w->def[i].keys == k && w->def[i].kind == kind)
			return &w->def[i];
	}
	if (w->n_def == DEFS_MAX) {
		w->full = true;
		return &w->def[0];
	}
	d = &w->def[w->n_def++];
	*d = (struct def){.keys = k, .kind = kind};
	def_name(d->name, k, kind);
	return d;
}

static void ref(struct writer *w, const char *key, const struct keys *k,
		enum pol_kind kind)
{
	char path[96];

	snprintf(path, sizeof(path), "#/$defs/%s", def_of(w, k, kind)->name);
	json_obj(&w->j, key);
	json_str(&w->j, "$ref", path);
	json_obj_end(&w->j);
}

/* --- keys ---------------------------------------------------------------- */

static void value_obj(struct writer *w, const struct asked *a,
		      enum pol_kind kind)
{
	if (a->form == PH_MAP) {
		ref(w, NULL, a->keys, kind);
		return;
	}
	json_obj(&w->j, NULL);
	schema_value(w, a);
	json_obj_end(&w->j);
}

static void items(struct writer *w, const char *key, const struct asked *a)
{
	json_obj(&w->j, key);
	json_str(&w->j, "type", "array");
	json_obj(&w->j, "items");
	schema_value(w, a);
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

/* A mapping with names of its own. */
static void entries(struct writer *w, const struct asked *one,
		    const struct asked *item)
{
	json_obj(&w->j, NULL);
	json_str(&w->j, "type", "object");
	json_obj(&w->j, "additionalProperties");
	json_arr(&w->j, "anyOf");
	if (one->yes) {
		json_obj(&w->j, NULL);
		schema_value(w, one);
		json_obj_end(&w->j);
	}
	if (item->yes)
		items(w, NULL, item);
	json_arr_end(&w->j);
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

/* What the reader itself takes. */
static void probed(struct writer *w, const struct key *row, enum pol_kind kind)
{
	struct asked a[PLACE_COUNT];

	probe_key(row, kind, &w->pool, a);
	pool_free(&w->pool);
	json_obj(&w->j, row->name);
	if (a[PLACE_ONE].form == PH_MATCH || a[PLACE_ONE].form == PH_OBSERVE) {
		json_str(&w->j, "$ref",
			 a[PLACE_ONE].form == PH_MATCH
				 ? "#/$defs/match"
				 : "#/$defs/observation-seen");
		json_obj_end(&w->j);
		return;
	}
	json_arr(&w->j, "anyOf");
	if (a[PLACE_ONE].yes)
		value_obj(w, &a[PLACE_ONE], kind);
	if (a[PLACE_ITEM].yes)
		items(w, NULL, &a[PLACE_ITEM]);
	if (a[PLACE_MAP].yes)
		value_obj(w, &a[PLACE_MAP], kind);
	else if (a[PLACE_ENTRY].yes || a[PLACE_ENTRY_ITEM].yes)
		entries(w, &a[PLACE_ENTRY], &a[PLACE_ENTRY_ITEM]);
	json_arr_end(&w->j);
	json_obj_end(&w->j);
	for (int i = 0; i < PLACE_COUNT; i++) {
		if (a[i].yes)
			return;
	}
	w->full = true; /* a reader that reads nothing */
}

static void named_map(struct writer *w, const struct key *row,
		      enum pol_kind kind)
{
	json_obj(&w->j, row->name);
	json_str(&w->j, "type", "object");
	json_obj(&w->j, "propertyNames");
	json_str(&w->j, "pattern", "^" NAME "$");
	json_obj_end(&w->j);
	ref(w, "additionalProperties", row->sub, kind);
	json_obj_end(&w->j);
}

static void list_map(struct writer *w, const struct key *row,
		     enum pol_kind kind)
{
	json_obj(&w->j, row->name);
	json_str(&w->j, "type", "array");
	json_u64(&w->j, "minItems", 1);
	ref(w, "items", row->sub, kind);
	json_obj_end(&w->j);
}

static void one_word(struct writer *w, const char *key, const char *word)
{
	json_obj(&w->j, key);
	json_str(&w->j, "const", word);
	json_obj_end(&w->j);
}

/* Keys whose values are read elsewhere, before the tables are. */
static bool early(struct writer *w, const struct key *row, enum pol_kind kind)
{
	if (strcmp(row->name, "polc") == 0) {
		json_obj(&w->j, row->name);
		json_arr(&w->j, "enum");
		json_u64(&w->j, NULL, 1);
		json_str(&w->j, NULL, "1");
		json_arr_end(&w->j);
		json_obj_end(&w->j);
	} else if (strcmp(row->name, "kind") == 0) {
		for (const struct word *k = kind_words; k->name; k++) {
			if (k->value == (int)kind)
				one_word(w, row->name, k->name);
		}
	} else if (strcmp(row->name, "use") == 0) {
		json_obj(&w->j, row->name);
		json_str(&w->j, "type", "object");
		json_obj(&w->j, "additionalProperties");
		json_str(&w->j, "type", "string");
		json_str(&w->j, "pattern", "^[^@]+@[0-9]{1,16}$");
		json_obj_end(&w->j);
		json_obj_end(&w->j);
	} else if (strcmp(row->name, "fixture") == 0) {
		json_obj(&w->j, row->name);
		json_str(&w->j, "type", "string");
		json_str(&w->j, "pattern", "^" NAME "$");
		json_obj_end(&w->j);
	} else {
		return false;
	}
	return true;
}

static void define(struct writer *w, const struct def *d)
{
	const struct keys *k = d->keys;

	json_obj(&w->j, d->name);
	json_str(&w->j, "type", "object");
	json_bool(&w->j, "additionalProperties", false);
	json_arr(&w->j, "required");
	for (size_t i = 0; i < k->n; i++) {
		unsigned need = k->key[i].flags & (KEY_REQUIRED | KEY_FIXTURE);

		if (need == KEY_REQUIRED)
			json_str(&w->j, NULL, k->key[i].name);
	}
	json_arr_end(&w->j);
	json_obj(&w->j, "properties");
	for (size_t i = 0; i < k->n; i++) {
		const struct key *row = &k->key[i];

		if (early(w, row, d->kind))
			continue;
		if (row->flags & KEY_NAMED)
			named_map(w, row, d->kind);
		else if (row->flags & KEY_LIST)
			list_map(w, row, d->kind);
		else if (row->sub)
			ref(w, row->name, row->sub, d->kind);
		else
			probed(w, row, d->kind);
	}
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

static void by_kind(struct writer *w)
{
	json_arr(&w->j, "allOf");
	for (const struct word *k = kind_words; k->name; k++) {
		json_obj(&w->j, NULL);
		json_obj(&w->j, "if");
		json_obj(&w->j, "properties");
		one_word(w, "kind", k->name);
		json_obj_end(&w->j);
		json_obj_end(&w->j);
		ref(w, "then", file_keys((enum pol_kind)k->value),
		    (enum pol_kind)k->value);
		json_obj_end(&w->j);
	}
	json_arr_end(&w->j);
}

static void schema(struct writer *w)
{
	schema_units(w);
	json_obj(&w->j, NULL);
	json_str(&w->j, "$schema",
		 "https://json-schema.org/draft/2020-12/schema");
	json_str(&w->j, "title", "metergate policy, version 1");
	json_str(&w->j, "type", "object");
	json_arr(&w->j, "required");
	json_str(&w->j, NULL, "kind");
	json_arr_end(&w->j);
	json_obj(&w->j, "properties");
	json_obj(&w->j, "kind");
	schema_words(w, kind_words);
	json_obj_end(&w->j);
	json_obj_end(&w->j);
	by_kind(w);
	json_obj(&w->j, "$defs");
	schema_observations(w);
	/* Defining one may name others. */
	for (size_t i = 0; i < w->n_def; i++) {
		struct def d = w->def[i];

		define(w, &d);
	}
	json_obj_end(&w->j);
	json_obj_end(&w->j);
	json_line(&w->j);
}

/* Everything that may leave through the pool's end. */
static int write_all(struct writer *w, struct err *e)
{
	jmp_buf oom;

	if (setjmp(oom))
		return err_set(e, E_NOMEM, 0, "out of memory");
	w->pool.oom = &oom;
	schema(w);
	w->pool.oom = NULL;
	if (w->full || w->j.w.failed)
		return err_set(e, E_LIMIT, 0, "a schema that is not whole");
	return 0;
}

int pol_schema(char **out, size_t *n, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	char *text = malloc(SIZE_MAX_SCHEMA);
	int rc;

	*out = NULL;
	*n = 0;
	if (w && text) {
		w->j = json_of(text, SIZE_MAX_SCHEMA);
		rc = write_all(w, e);
		pool_free(&w->pool);
	} else {
		rc = err_set(e, E_NOMEM, 0, "out of memory");
	}
	if (rc == 0) {
		*out = text;
		*n = w->j.w.n;
		text = NULL;
	}
	free(w);
	free(text);
	return rc;
}
