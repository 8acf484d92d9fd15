/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>

#include "enforcer/ctl/tool.h"

#define CELL_TEXT 128
#define ROWS_MAX  4096

struct cell {
	const char *colour;
	char text[CELL_TEXT];
};

struct table {
	size_t columns, cells, cap;
	bool right[TABLE_COLUMNS];
	struct cell *cell; /* the head first */
};

const char *paint(const struct style *s, const char *code)
{
	return s->colour ? code : "";
}

/* Characters, not octets. */
static int width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

struct table *table_new(const char *head)
{
	struct table *t = calloc(1, sizeof(*t));

	while (t && *head && t->columns < TABLE_COLUMNS) {
		size_t n = strcspn(head, "|");

		t->right[t->columns] = *head == '>';
		t->columns++;
		if (*head == '>' || *head == '<') {
			head++;
			n--;
		}
		table_cell(t, BOLD, "%.*s", (int)n, head);
		head += n + (head[n] == '|');
	}
	return t;
}

void table_cell(struct table *t, const char *colour, const char *fmt, ...)
{
	va_list ap;

	if (!t || t->cells >= TABLE_COLUMNS * ROWS_MAX)
		return;
	if (t->cells == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct cell *p = realloc(t->cell, cap * sizeof(*p));

		if (!p)
			return;
		t->cell = p;
		t->cap = cap;
	}
	t->cell[t->cells].colour = colour;
	va_start(ap, fmt);
	vsnprintf(t->cell[t->cells].text, CELL_TEXT, fmt, ap);
	va_end(ap);
	t->cells++;
}

void table_print(const struct table *t, const struct style *s, FILE *out)
{
	int wide[TABLE_COLUMNS] = {0};

	if (!t)
		return;
	for (size_t i = 0; i < t->cells; i++) {
		int w = width(t->cell[i].text);

		if (w > wide[i % t->columns])
			wide[i % t->columns] = w;
	}
	for (size_t i = 0; i < t->cells; i++) {
		const struct cell *c = &t->cell[i];
		size_t k = i % t->columns;
		bool last = k + 1 == t->columns;
		int pad = wide[k] - width(c->text);

		if (t->right[k])
			fprintf(out, "%*s", pad, "");
		if (c->colour && s->colour)
			fprintf(out, "%s%s" RESET, c->colour, c->text);
		else
			fputs(c->text, out);
		if (last)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (t->right[k] ? 0 : pad) + 2, "");
	}
}

void table_free(struct table *t)
{
	if (t)
		free(t->cell);
	free(t);
}

/* Three digits and the step's letter. */
static char *scaled(char buf[SHORT_TEXT], double v, double step,
		    const char *const *unit, size_t n)
{
	size_t i = 0;

	while (v >= step * 0.9995 && i + 1 < n) {
		v /= step;
		i++;
	}
	if (i == 0)
		snprintf(buf, SHORT_TEXT, "%.0f%s", v, unit[i]);
	else
		snprintf(buf, SHORT_TEXT, "%.*f%s",
			 v < 9.995 ? 2
			 : v < 99.95 ? 1
				     : 0,
			 v, unit[i]);
	return buf;
}

char *short_count(char buf[SHORT_TEXT], int64_t v)
{
	static const char *const unit[] = {"", "k", "M", "G", "T", "P", "E"};

	return scaled(buf, v > 0 ? (double)v : 0, 1000, unit, 7);
}

char *short_octets(char buf[SHORT_TEXT], int64_t v)
{
	static const char *const unit[] = {" B",   " KiB", " MiB",
					   " GiB", " TiB", " PiB"};

	return scaled(buf, v > 0 ? (double)v : 0, 1024, unit, 6);
}

char *short_time(char buf[SHORT_TEXT], int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} steps[] = {
		{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* Two of a unit at least: 90 s says more than 1 min. */
		if (ms >= steps[i].ms * (i == 3 ? 1 : 2)) {
			snprintf(buf, SHORT_TEXT, "%lld %s",
				 (long long)(ms / steps[i].ms), steps[i].unit);
			return buf;
		}
	}
	snprintf(buf, SHORT_TEXT, "%lld ms", (long long)(ms > 0 ? ms : 0));
	return buf;
}
