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

#define LINE_SHOWN 160 /* columns of a line at most */
#define LINE_LEFT  60  /* of them before the caret, in a longer line */

/* The next character, and past it: as it is, or one '?' for what is malformed
 * or cannot be seen. The source may hold what we are complaining about. */
static struct span next_char(struct cur *c)
{
	struct cur next = *c;
	struct span text = span_sub(c->in, c->off, 1);
	uint32_t code;

	if (!text_char(&next, &code)) {
		cur_take(c, 1);
		return span_str("?");
	}
	text.n = next.off - c->off;
	*c = next;
	return text_invisible(code) ? span_str("?") : text;
}

static size_t columns(struct span text)
{
	struct cur c = cur_of(text);
	size_t n = 0;

	for (; cur_left(&c) > 0; n++)
		next_char(&c);
	return n;
}

/* Columns from..to of a text, the first being 0. */
static void print_text(FILE *out, struct span text, size_t from, size_t to)
{
	struct cur c = cur_of(text);

	for (size_t i = 0; i < to && cur_left(&c) > 0; i++) {
		struct span one = next_char(&c);

		if (i >= from)
			fwrite(one.p, 1, one.n, out);
	}
}

/* Of a long line, what stands around the place. */
static void print_line(FILE *out, struct span source, uint32_t line,
		       uint32_t col, uint32_t len)
{
	struct span text = line_of(source, line);
	size_t width = columns(text), from = 0, to = width;
	size_t at = col > 1 ? col - 1 : 0;

	if (line == 0 || source.n == 0)
		return;
	if (width > LINE_SHOWN) {
		from = at > LINE_LEFT ? at - LINE_LEFT : 0;
		to = from + LINE_SHOWN < width ? from + LINE_SHOWN : width;
	}
	fprintf(out, "%5u | %s", line, from ? "..." : "");
	print_text(out, text, from, to);
	fprintf(out, "%s\n      | %*s", to < width ? "..." : "",
		(int)(at - from + (from ? 3 : 0)), "");
	if (len == 0)
		len = 1;
	if (at < to && len > to - at)
		len = (uint32_t)(to - at);
	for (uint32_t i = 0; i < len && i < LINE_SHOWN; i++)
		fputc('^', out);
	fputc('\n', out);
}

void diag_text(void *file, const char *text)
{
	print_text(file, span_str(text), 0, SIZE_MAX);
}

void diag_print(void *file, const struct diag *d, struct span source,
		struct span second)
{
	static const char *const level[] = {"error", "warning", "info"};
	FILE *out = file;

	diag_text(out, d->path);
	if (d->line)
		fprintf(out, ":%u:%u", d->line, d->col);
	fprintf(out, ": %s[P%04u]: %s\n", level[d->level], d->code, d->text);
	print_line(out, source, d->line, d->col, d->len);
	if (d->line2) {
		diag_text(out, d->path2 ? d->path2 : d->path);
		fprintf(out, ":%u:%u: %s\n", d->line2, d->col2, d->text2);
		print_line(out, second, d->line2, d->col2, 1);
	}
	if (d->hint[0])
		fprintf(out, "  hint: %s\n", d->hint);
}
