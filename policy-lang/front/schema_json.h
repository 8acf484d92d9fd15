/* SPDX-License-Identifier: Apache-2.0 */
/* Between schema_json.c and schema_value.c: the JSON Schema being written. */
#ifndef POLICY_LANG_FRONT_SCHEMA_JSON_H
#define POLICY_LANG_FRONT_SCHEMA_JSON_H

#include "core/json.h"
#include "policy-lang/front/probe.h"

#define DEFS_MAX 256
#define NAME	 "[a-z][a-z0-9-]{0,47}" /* as ph_name has it */

/* What one table of keys is in files of one kind. */
struct def {
	const struct keys *keys;
	enum pol_kind kind;
	char name[64];
};

struct writer {
	struct json j;
	struct pool pool;
	struct def def[DEFS_MAX];
	size_t n_def;
	char durations[64], sizes[64], quantities[64]; /* "s|min|h" */
	bool full; /* too much, or something that is not known here */
};

/* Fill the units. */
void schema_units(struct writer *w);
/* The members of a schema of one single value. */
void schema_value(struct writer *w, const struct asked *a);
void schema_words(struct writer *w, const struct word *words);
/* Definitions "match" and "observation-seen", and what they refer to. */
void schema_observations(struct writer *w);

#endif
