/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the JSON Schema that is about single values and observations. */
#include <stdio.h>

#include "policy-lang/front/schema_json.h"
#include "policy-lang/front/words.h"

#define PATTERN_MAX 1024
#define DUR	    "[0-9]+ +(%s)"
#define SOME	    "[1-9][0-9]*" /* of a limit: not none */

/* "s|min|h|d|w" */
static void units(char *out, size_t cap, const struct unit_row *t)
{
	size_t n = 0;

	for (; t->name && n < cap; t++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? "|" : "",
				      t->name);
}

void schema_units(struct writer *w)
{
	units(w->durations, sizeof(w->durations), words_durations);
	units(w->sizes, sizeof(w->sizes), words_sizes);
	units(w->quantities, sizeof(w->quantities), words_quantities);
}

/* --- single values ------------------------------------------------------- */

static void words_pattern(char *out, size_t cap, const struct word *t)
{
	size_t n = 0;

	for (; t->name && n < cap; t++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? "|" : "",
				      t->name);
}

static void limit_pattern(const struct writer *w, char out[PATTERN_MAX])
{
	char things[200], windows[128], distinct[128];
	size_t n = 0;

	for (const struct thing_word *t = limit_things; t->one; t++)
		n += (size_t)snprintf(things + n, sizeof(things) - n,
				      "%s%s|%s", n ? "|" : "", t->one, t->many);
	words_pattern(windows, sizeof(windows), limit_windows);
	words_pattern(distinct, sizeof(distinct), limit_distinct);
	snprintf(out, PATTERN_MAX,
		 "^(at +least +" SOME " +(%s) +apart|at +most +" SOME
		 " +connections? +at +once|(at +most +" SOME
		 " +distinct +(%s)|" SOME " +(%s|%s)) +per +(%s|" SOME
		 " +(%s)( +burst +" SOME "( +(%s))?)?))$",
		 w->durations, distinct, things, w->sizes, windows,
		 w->durations, w->sizes);
}

static void measurements(struct writer *w)
{
	const char *last = "";
	char family[32];

	json_arr(&w->j, "enum");
	json_str(&w->j, NULL, "*");
	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		const char *name = meas_name((enum meas)i);
		int n = (int)strcspn(name, ".") + 1;

		/* Those of a family follow each other. */
		if (strncmp(last, name, (size_t)n) != 0) {
			snprintf(family, sizeof(family), "%.*s*", n, name);
			json_str(&w->j, NULL, family);
		}
		json_str(&w->j, NULL, name);
		last = name;
	}
	json_arr_end(&w->j);
}

/* Of values that are text whatever they look like; false: not one of those. */
static bool pattern_of(const struct writer *w, const struct asked *a,
		       char out[PATTERN_MAX])
{
	static const struct {
		enum ph form;
		const char *pattern;
	} fixed[] = {
		{PH_BETWEEN,   "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"	     },
		{PH_EXPECT,
		 "^(permit|defer|deny)( +because +[a-z-]+| +by +[^ ]+)*$"		     },
		{PH_GRADE,     "^[ABCDEF] +or +better$"			     },
		{PH_STATE_REF, "^(" NAME ":)?[^@:]+(@[^@]+)?$"		     },
		{PH_CIDR,      "^[0-9a-fA-F:.]+/[0-9]{1,3}$"			     },
		{PH_ADDR,      "^[0-9a-fA-F:.]+$"				     },
		{PH_PORT,      "^(tcp|udp)/[0-9]{1,5}(-[0-9]{1,5})?$"	     },
		{PH_OID,       "^\\.?[0-9]+(\\.[0-9]+)*$"			     },
		{PH_MAC,       "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"	     },
		{PH_DATE,      "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"		     },
		{PH_TIMESTAMP, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-]"
			       "[0-9]{2}:?[0-9]{2})$"			     },
		{PH_NAME,      "^" NAME "$"				     },
		{PH_REF,       "^" NAME "(/" NAME ")?$"			     },
		{PH_RDN,       "^[a-z0-9][a-z0-9-]*(\\.[a-z0-9][a-z0-9-]*)*$"},
		{PH_COUNTRY,   "^[A-Z]{2}$"				     },
		{PH_PATH,      "^/"					     },
	};
	const struct {
		enum ph form;
		const char *format, *a, *b;
	} made[] = {
		{PH_DURATION,    "^" DUR "$", w->durations, ""},
		{PH_SIZE,        "^[0-9]+ +(%s)$", w->sizes, ""},
		{PH_QUANTITY,    "^[0-9]+ +(%s)$", w->quantities, ""},
		{PH_VALUE_RANGE, "^[0-9]+ +(%s) +to +[0-9]+ +(%s)$",
		 w->quantities, w->quantities},
		{PH_GRANULARITY, "^" DUR " +(or +coarser|to +" DUR ")$",
		 w->durations, w->durations},
		{PH_ACTION, "^(refuse|drop|reset|(defer|quarantine) +" DUR ")$",
		 w->durations, ""},
		{PH_HEX32, "^%s[0-9a-fA-F]{64}$", a->prefix, ""},
	};

	if (a->form == PH_LIMIT) {
		limit_pattern(w, out);
		return true;
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (fixed[i].form == a->form) {
			snprintf(out, PATTERN_MAX, "%s", fixed[i].pattern);
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		if (made[i].form == a->form) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(out, PATTERN_MAX, made[i].format, made[i].a,
				 made[i].b);
#pragma GCC diagnostic pop
			return true;
		}
	}
	return false;
}

static void either(struct writer *w, const char *type, const char *pattern,
		   uint64_t lo, uint64_t hi)
{
	json_arr(&w->j, "anyOf");
	json_obj(&w->j, NULL);
	json_str(&w->j, "type", type);
	if (hi) {
		json_u64(&w->j, "minimum", lo);
		json_u64(&w->j, "maximum", hi);
	}
	json_obj_end(&w->j);
	json_obj(&w->j, NULL);
	json_str(&w->j, "type", "string");
	json_str(&w->j, "pattern", pattern);
	json_obj_end(&w->j);
	json_arr_end(&w->j);
}

void schema_words(struct writer *w, const struct word *words)
{
	json_arr(&w->j, "enum");
	for (const struct word *t = words; t->name; t++)
		json_str(&w->j, NULL, t->name);
	json_arr_end(&w->j);
}

void schema_value(struct writer *w, const struct asked *a)
{
	char pattern[PATTERN_MAX];

	switch (a->form) {
	case PH_BOOL:
		either(w, "boolean", "^(true|false)$", 0, 0);
		return;
	case PH_INTEGER:
		either(w, "integer", "^(0|[1-9][0-9]*)$", a->lo, a->hi);
		return;
	case PH_RANGE:
		either(w, "integer", "^[0-9]+(-[0-9]+)?$", a->lo, a->hi);
		return;
	case PH_WORD:
		schema_words(w, a->words);
		return;
	case PH_MEAS:
		measurements(w);
		return;
	case PH_OID:
		pattern_of(w, a, pattern);
		/* 2.16 is a number, where nobody is asked. */
		either(w, "number", pattern, 0, 0);
		return;
	case PH_TEXT:
		json_str(&w->j, "type", "string");
		json_u64(&w->j, "minLength", 1);
		json_u64(&w->j, "maxLength", 160);
		return;
	case PH_SCALAR:
		either(w, "number", "^[ -~]+$", 0, 0);
		return;
	default:
		json_str(&w->j, "type", "string");
		if (pattern_of(w, a, pattern))
			json_str(&w->j, "pattern", pattern);
		else
			w->full = true; /* a form that nobody told us of */
	}
}

/* --- observations -------------------------------------------------------- */

/* What can match, as read_obs.c has it. */
static const char *spelling(const struct attr_row *a)
{
	if (a->kind == ATTR_UPPER)
		return "^[A-Z]+$";
	if (a->kind == ATTR_PATH)
		return "^/(.*[^/])?$";
	if (a->field == F_HOST)
		return "^(?!\\[)(?!.+\\.$)(?![^:]*:[0-9][^:]*$)[!-@\\[-~]+$";
	if (a->field == F_DNS_NAME)
		return "^(?!.+\\.$)[!-@\\[-~]+$";
	return "^[!-@\\[-~]+$";
}

static void attr_value(struct writer *w, const struct attr_row *a, bool seen)
{
	static const enum ph forms[] = {
		[ATTR_SET] = PH_RANGE,   [ATTR_FLAG] = PH_BOOL,
		[ATTR_OID] = PH_OID,     [ATTR_PATH] = PH_PATH,
		[ATTR_TEXT] = PH_SCALAR, [ATTR_SIZE] = PH_SIZE,
		[ATTR_PORT] = PH_PORT,
	};
	struct asked one = {.form = forms[a->kind], .lo = a->lo, .hi = a->hi};

	if (seen && a->kind == ATTR_SET)
		one.form = PH_INTEGER;
	if (a->kind == ATTR_UPPER || a->kind == ATTR_LOWER ||
	    (a->kind == ATTR_PATH && !seen)) {
		json_str(&w->j, "type", "string");
		json_str(&w->j, "pattern", spelling(a));
		return;
	}
	if (a->kind != ATTR_WORD) {
		schema_value(w, &one);
		return;
	}
	/* A number will do as well. */
	json_arr(&w->j, "anyOf");
	json_obj(&w->j, NULL);
	schema_words(w, a->words);
	json_obj_end(&w->j);
	json_obj(&w->j, NULL);
	one.form = PH_RANGE;
	schema_value(w, &one);
	json_obj_end(&w->j);
	json_arr_end(&w->j);
}

/* Attributes of an observation, of a family of those, or of any. */
static bool has(const struct attr_row *a, const char *obs)
{
	for (unsigned i = 0; i < OBS_COUNT; i++) {
		enum obs_kind k = (enum obs_kind)i;
		const char *family = obs_family_name(obs_family(k));
		size_t n = strlen(family);
		bool in = strcmp(obs, "any") == 0 ||
			  strcmp(obs, obs_name(k)) == 0 ||
			  (strncmp(obs, family, n) == 0 &&
			   strcmp(obs + n, ".any") == 0);

		if (in && attr_of_kind(a, k))
			return true;
	}
	return false;
}

/* Some have one name in two families: of any observation the first counts. */
static bool is_second(size_t i, const char *obs)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(attr_at(k)->name, attr_at(i)->name) == 0 &&
		    has(attr_at(k), obs))
			return true;
	}
	return false;
}

static void attrs(struct writer *w, const char *obs, bool seen)
{
	const struct attr_row *a;

	json_obj(&w->j, obs);
	json_str(&w->j, "type", "object");
	json_bool(&w->j, "additionalProperties", false);
	json_obj(&w->j, "properties");
	for (size_t i = 0; (a = attr_at(i)); i++) {
		char path[64];

		if (!has(a, obs) || is_second(i, obs))
			continue;
		snprintf(path, sizeof(path), "#/$defs/%s-%s-%zu",
			 seen ? "saw" : "attribute", a->name, i);
		json_obj(&w->j, a->name);
		json_str(&w->j, "$ref", path);
		json_obj_end(&w->j);
	}
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

static void observation(struct writer *w, bool seen)
{
	enum obs_family last = OBS_FAMILY_COUNT;

	json_obj(&w->j, seen ? "observation-seen" : "observation");
	json_str(&w->j, "type", "object");
	json_u64(&w->j, "minProperties", 1);
	json_u64(&w->j, "maxProperties", 1);
	json_bool(&w->j, "additionalProperties", false);
	json_obj(&w->j, "properties");
	for (unsigned i = 0; i < OBS_COUNT; i++) {
		enum obs_kind k = (enum obs_kind)i;
		char any[32];

		if (!seen && obs_family(k) != last) {
			last = obs_family(k);
			snprintf(any, sizeof(any), "%s.any",
				 obs_family_name(last));
			attrs(w, any, seen);
		}
		attrs(w, obs_name(k), seen);
	}
	if (!seen)
		attrs(w, "any", seen);
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

static void list_of(struct writer *w, const char *key, const char *path)
{
	json_obj(&w->j, key);
	json_str(&w->j, "type", "array");
	json_u64(&w->j, "minItems", 1);
	json_obj(&w->j, "items");
	json_str(&w->j, "$ref", path);
	json_obj_end(&w->j);
	json_obj_end(&w->j);
}

static void one_or_list(struct writer *w, const char *key, const char *path)
{
	json_obj(&w->j, key);
	json_arr(&w->j, "anyOf");
	json_obj(&w->j, NULL);
	json_str(&w->j, "$ref", path);
	json_obj_end(&w->j);
	list_of(w, NULL, path);
	json_arr_end(&w->j);
	json_obj_end(&w->j);
}

void schema_observations(struct writer *w)
{
	const struct attr_row *a;
	char name[64], path[64];

	for (size_t i = 0; (a = attr_at(i)); i++) {
		snprintf(name, sizeof(name), "saw-%s-%zu", a->name, i);
		json_obj(&w->j, name);
		attr_value(w, a, true);
		json_obj_end(&w->j);
		snprintf(name, sizeof(name), "value-%s-%zu", a->name, i);
		json_obj(&w->j, name);
		attr_value(w, a, false);
		json_obj_end(&w->j);
		snprintf(path, sizeof(path), "#/$defs/%s", name);
		snprintf(name, sizeof(name), "attribute-%s-%zu", a->name, i);
		one_or_list(w, name, path);
	}
	observation(w, false);
	observation(w, true);
	one_or_list(w, "match", "#/$defs/observation");
}
