/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/diag.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/front/text.h"

static bool count(struct diags *d, enum diag_level level)
{
	if (level == DIAG_ERROR)
		return ++d->errors <= DIAG_MAX_ERRORS && d->n < DIAGS_MAX;
	if (level == DIAG_WARNING)
		d->warnings++;
	else
		d->infos++;
	/* Errors always find room behind warnings. */
	return d->n < DIAGS_MAX - DIAG_MAX_ERRORS;
}

struct diag *diag_add(struct diags *d, enum diag_level level, uint16_t code,
		      const char *path, struct diag_at at, const char *hint,
		      const char *fmt, ...)
{
	struct diag *g;
	va_list ap;

	if (!count(d, level))
		return NULL;
	g = &d->d[d->n++];
	memset(g, 0, sizeof(*g));
	g->level = level;
	g->code = code;
	g->path = path;
	g->line = at.line;
	g->col = at.col;
	g->len = at.len;
	va_start(ap, fmt);
	vsnprintf(g->text, sizeof(g->text), fmt, ap);
	va_end(ap);
	if (hint)
		snprintf(g->hint, sizeof(g->hint), "%s", hint);
	return g;
}

void diag_second(struct diag *d, uint32_t line, uint32_t col, const char *fmt,
		 ...)
{
	va_list ap;

	if (!d)
		return;
	d->line2 = line;
	d->col2 = col;
	va_start(ap, fmt);
	vsnprintf(d->text2, sizeof(d->text2), fmt, ap);
	va_end(ap);
}

struct diag_at at_node(const struct ynode *n)
{
	return (struct diag_at){n->line, n->col, n->len ? n->len : 1};
}

struct diag_at at_part(const struct ynode *n, size_t off, size_t len)
{
	/* Escapes of a quoted scalar move columns: then the whole of it. */
	uint32_t quote = n->style == Y_PLAIN ? 0 : 1;
	bool exact =
		n->type == Y_SCALAR && n->end - n->start == n->s.n + 2 * quote;

	if (!exact)
		return at_node(n);
	return (struct diag_at){n->line, n->col + quote + (uint32_t)off,
				len ? (uint32_t)len : 1};
}

static bool is_cont(uint8_t b)
{
	return (b & 0xc0) == 0x80;
}

char *show(char buf[SHOW], struct span s)
{
	size_t n = s.n > 60 ? 60 : s.n;

	while (n < s.n && n > 0 && is_cont(s.p[n]))
		n--;
	for (size_t i = 0; i < n; i++)
		buf[i] = s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : (char)s.p[i];
	memcpy(buf + n, n < s.n ? "..." : "", n < s.n ? 4 : 1);
	return buf;
}

#define WORD_MAX 48

/* Levenshtein with a transposition counted as one edit. */
static unsigned distance(struct span a, struct span b)
{
	unsigned row[3][WORD_MAX + 2];

	if (a.n > WORD_MAX || b.n > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= b.n; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *cur = row[i % 3], *up = row[(i + 2) % 3];

		cur[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			unsigned v = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			v = up[j] + 1 < v ? up[j] + 1 : v;
			v = cur[j - 1] + 1 < v ? cur[j - 1] + 1 : v;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] &&
			    row[(i + 1) % 3][j - 2] + 1 < v)
				v = row[(i + 1) % 3][j - 2] + 1;
			cur[j] = v;
		}
	}
	return row[a.n % 3][b.n];
}

const char *nearest(struct span word, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned least = word.n < 4 ? 2 : 4; /* further away is no typo */

	for (size_t i = 0; i < n; i++) {
		unsigned k = distance(word, span_str(words[i]));

		if (k < least && k < word.n) {
			least = k;
			best = words[i];
		}
	}
	return best;
}

/* Line no. `line` of the source without its end. */
static struct span line_of(struct span source, uint32_t line)
{
	size_t at = 0, end;

	for (uint32_t l = 1; l < line; l++) {
		const uint8_t *nl = at < source.n ? memchr(source.p + at, '\n',
							   source.n - at)
						  : NULL;
		if (!nl)
			return (struct span){0};
		at = (size_t)(nl - source.p) + 1;
	}
	for (end = at; end < source.n && source.p[end] != '\n'; end++)
		;
	return span_sub(source, at, end - at);
}

static size_t chars(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += !is_cont(s.p[i]);
	return n;
}

/* The source may hold what we are complaining about: each character that is
 * malformed or cannot be seen becomes one '?'. */
static void print_text(FILE *out, struct span text)
{
	struct cur c = cur_of(text);

	while (cur_left(&c) > 0) {
		struct cur next = c;
		uint32_t code;

		if (!text_char(&next, &code)) {
			cur_take(&c, 1);
			fputc('?', out);
			continue;
		}
		if (text_invisible(code))
			fputc('?', out);
		else
			fwrite(text.p + c.off, 1, next.off - c.off, out);
		c = next;
	}
}

static void print_line(FILE *out, struct span source, uint32_t line,
		       uint32_t col, uint32_t len)
{
	struct span text = line_of(source, line);
	size_t width = chars(text);

	if (line == 0 || source.n == 0)
		return;
	fprintf(out, "%5u | ", line);
	print_text(out, text);
	fprintf(out, "\n      | %*s", (int)(col > 1 ? col - 1 : 0), "");
	if (len == 0)
		len = 1;
	if (col <= width && len > width - col + 1)
		len = (uint32_t)(width - col + 1);
	for (uint32_t i = 0; i < len; i++)
		fputc('^', out);
	fputc('\n', out);
}

void diag_print(void *file, const struct diag *d, struct span source,
		struct span second)
{
	static const char *const level[] = {"error", "warning", "info"};
	FILE *out = file;

	if (d->line)
		fprintf(out, "%s:%u:%u: %s[P%04u]: %s\n", d->path, d->line,
			d->col, level[d->level], d->code, d->text);
	else
		fprintf(out, "%s: %s[P%04u]: %s\n", d->path, level[d->level],
			d->code, d->text);
	print_line(out, source, d->line, d->col, d->len);
	if (d->line2) {
		fprintf(out, "%s:%u:%u: %s\n", d->path2 ? d->path2 : d->path,
			d->line2, d->col2, d->text2);
		print_line(out, second, d->line2, d->col2, 1);
	}
	if (d->hint[0])
		fprintf(out, "  hint: %s\n", d->hint);
}
