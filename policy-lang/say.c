/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics for people and for programs (policy-language 19.2). */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/polc.h"

int polc_form(void *form, const char *name, const char *value, struct err *e)
{
	(void)value, (void)e;
	*(enum polc_say *)form =
		strcmp(name, "--sarif") == 0 ? SAY_SARIF : SAY_JSON;
	return 0;
}

static int diag_order(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	if (c)
		return c;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	if (x->code != y->code)
		return (int)x->code - (int)y->code;
	return strcmp(x->text, y->text);
}

static void print_json(FILE *out, const struct diag *g)
{
	static const char *const level[] = {"error", "warning", "info"};
	char buf[8192], code[8];
	struct json j = json_of(buf, sizeof(buf));

	snprintf(code, sizeof(code), "P%04u", g->code);
	json_obj(&j, NULL);
	json_str(&j, "level", level[g->level]);
	json_str(&j, "code", code);
	json_str(&j, "file", g->path);
	json_u64(&j, "line", g->line);
	json_u64(&j, "column", g->col);
	json_u64(&j, "length", g->len);
	json_str(&j, "message", g->text);
	json_str(&j, "hint", g->hint);
	if (g->line2) {
		json_str(&j, "file2", g->path2 ? g->path2 : g->path);
		json_u64(&j, "line2", g->line2);
		json_u64(&j, "column2", g->col2);
		json_str(&j, "message2", g->text2);
	}
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, out);
}

static void print_count(FILE *out, size_t n, const char *what)
{
	fprintf(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

static void print_text(FILE *out, const struct diag *g,
		       const struct pol_files *from)
{
	struct span first = pol_source(from, g->path);

	diag_print(out, g, first,
		   g->path2 ? pol_source(from, g->path2) : first);
}

void polc_diags(void *file, struct diags *d, const struct pol_files *from,
		enum polc_say form)
{
	FILE *out = file;
	size_t kept = 0;

	qsort(d->d, d->n, sizeof(d->d[0]), diag_order);
	if (form == SAY_SARIF) {
		sarif_print(out, d);
		return;
	}
	for (size_t i = 0; i < d->n; i++) {
		kept += d->d[i].level == DIAG_ERROR;
		if (form == SAY_JSON)
			print_json(out, &d->d[i]);
		else
			print_text(out, &d->d[i], from);
	}
	if (form == SAY_JSON || !(d->errors || d->warnings))
		return;
	print_count(out, d->errors, "error");
	if (d->errors > kept)
		fprintf(out, " (%zu shown)", kept);
	fputs(", ", out);
	print_count(out, d->warnings, "warning");
	fputc('\n', out);
}
