/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics as SARIF 2.1.0 (OASIS Static Analysis Results Interchange
 * Format), for the tools that show them beside the source.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/polc.h"

/* All topics, and as many diagnostics as are kept, with escapes. */
#define SARIF_OCTETS (2u << 20)

#define SCHEMA                                                                 \
	"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"  \
	"sarif-schema-2.1.0.json"

static void put_message(struct json *j, const char *key, const char *text)
{
	json_obj(j, key);
	json_str(j, "text", text);
	json_obj_end(j);
}

static void put_code(struct json *j, const char *key, unsigned code)
{
	char text[8];

	snprintf(text, sizeof(text), "P%04u", code);
	json_str(j, key, text);
}

static void put_rule(struct json *j, const struct topic *t)
{
	char help[8192];

	snprintf(help, sizeof(help), "%s\n\nWrong:\n%s\n\nRight:\n%s\n",
		 t->text, t->wrong, t->right);
	json_obj(j, NULL);
	put_code(j, "id", t->code);
	put_message(j, "shortDescription", t->title);
	put_message(j, "fullDescription", t->text);
	put_message(j, "help", help);
	json_obj(j, "properties");
	json_str(j, "category", topic_group(t->code));
	json_obj_end(j);
	json_obj_end(j);
}

static void put_tool(struct json *j)
{
	const struct topic *t;

	json_obj(j, "tool");
	json_obj(j, "driver");
	json_str(j, "name", "polc");
	json_str(j, "version", METERGATE_VERSION);
	json_str(j, "semanticVersion", METERGATE_VERSION);
	json_arr(j, "rules");
	for (size_t i = 0; (t = topic_at(i)); i++)
		put_rule(j, t);
	json_arr_end(j);
	json_obj_end(j);
	json_obj_end(j);
}

/* A path as a reference of RFC 3986: what is not plain is escaped. */
static void put_uri(struct json *j, const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	char uri[3 * 4096 + 1];
	size_t n = 0;

	for (; *path && n + 3 < sizeof(uri); path++) {
		unsigned char c = (unsigned char)*path;

		if (c < 0x80 && (isalnum(c) || strchr("-._~/", c))) {
			uri[n++] = (char)c;
			continue;
		}
		uri[n++] = '%';
		uri[n++] = hex[c >> 4];
		uri[n++] = hex[c & 15];
	}
	uri[n] = 0;
	json_str(j, "uri", uri);
}

/* Line 0 is the whole file. */
static void put_place(struct json *j, const char *path, uint32_t line,
		      uint32_t col, uint32_t len, const char *text)
{
	json_obj(j, NULL);
	json_obj(j, "physicalLocation");
	json_obj(j, "artifactLocation");
	put_uri(j, path);
	json_obj_end(j);
	if (line) {
		json_obj(j, "region");
		json_u64(j, "startLine", line);
		json_u64(j, "startColumn", col ? col : 1);
		json_u64(j, "endColumn", (col ? col : 1) + (len ? len : 1));
		json_obj_end(j);
	}
	json_obj_end(j);
	if (text)
		put_message(j, "message", text);
	json_obj_end(j);
}

static void put_index(struct json *j, unsigned code)
{
	const struct topic *t;

	for (size_t i = 0; (t = topic_at(i)); i++) {
		if (t->code == code)
			json_u64(j, "ruleIndex", i);
	}
}

static void put_result(struct json *j, const struct diag *g)
{
	static const char *const level[] = {"error", "warning", "note"};

	json_obj(j, NULL);
	put_code(j, "ruleId", g->code);
	put_index(j, g->code);
	json_str(j, "level", level[g->level]);
	put_message(j, "message", g->text);
	json_arr(j, "locations");
	put_place(j, g->path, g->line, g->col, g->len, NULL);
	json_arr_end(j);
	if (g->line2) {
		json_arr(j, "relatedLocations");
		put_place(j, g->path2 ? g->path2 : g->path, g->line2, g->col2,
			  1, g->text2);
		json_arr_end(j);
	}
	if (g->hint[0]) {
		json_obj(j, "properties");
		json_str(j, "hint", g->hint);
		json_obj_end(j);
	}
	json_obj_end(j);
}

/* Counted are also those that were not kept. */
static void put_counts(struct json *j, const struct diags *d)
{
	json_obj(j, "properties");
	json_u64(j, "errors", d->errors);
	json_u64(j, "warnings", d->warnings);
	json_u64(j, "infos", d->infos);
	json_obj_end(j);
}

void sarif_print(void *file, const struct diags *d)
{
	char *buf = malloc(SARIF_OCTETS);
	struct json j = json_of(buf, buf ? SARIF_OCTETS : 0);

	json_obj(&j, NULL);
	json_str(&j, "$schema", SCHEMA);
	json_str(&j, "version", "2.1.0");
	json_arr(&j, "runs");
	json_obj(&j, NULL);
	put_tool(&j);
	json_str(&j, "columnKind", "unicodeCodePoints");
	json_arr(&j, "results");
	for (size_t i = 0; i < d->n; i++)
		put_result(&j, &d->d[i]);
	json_arr_end(&j);
	put_counts(&j, d);
	json_obj_end(&j);
	json_arr_end(&j);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, file);
	else
		polc_say("out of memory");
	free(buf);
}
