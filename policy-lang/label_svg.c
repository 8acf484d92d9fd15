/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "policy-lang/label_page.h"

/* Narrow enough to be read on a telephone without making it smaller. */
#define WIDTH 360
#define LEFT  12 /* the home */
#define GATE  110
#define RIGHT 346
#define LINE  18 /* of text */
#define CHARS 46 /* of a line of text */
#define OTHER_LINES 6

void label_escape(void *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool three = i + 2 < s.n;

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\'')
			fputs("&#39;", out);
		else if (c == 0x7f || (c < ' ' && c != '\n' && c != '\t'))
			fputs("\xef\xbf\xbd", out);
		/* U+FFFE and U+FFFF are no characters of XML. */
		else if (c == 0xef && three && s.p[i + 1] == 0xbf &&
			 s.p[i + 2] >= 0xbe)
			fputs("\xef\xbf\xbd", out), i += 2;
		else
			fputc(c, out);
	}
}

/* Octets of the character at p, and how wide it is drawn. */
static size_t character(struct span s, size_t i, size_t *wide)
{
	size_t n = 1;

	while (i + n < s.n && (s.p[i + n] & 0xc0) == 0x80)
		n++;
	*wide = n >= 3 ? 2 : 1; /* far from Latin: at most twice */
	return n;
}

/* The octets of the first line of s. */
static size_t first_line(struct span s)
{
	size_t at = 0, width = 0, space = 0, wide, n;

	for (; at < s.n; at += n, width += wide) {
		n = character(s, at, &wide);
		if (width + wide > CHARS)
			return space ? space : at;
		if (s.p[at] == ' ')
			space = at;
	}
	return s.n;
}

/* In at most max lines from y on; returns y behind them. */
static int text(FILE *out, int y, const char *words, int max)
{
	struct span s = span_str(words);

	for (int i = 0; s.n && i < max; i++) {
		size_t n = first_line(s);

		fprintf(out, "<text class=\"t\" x=\"%d\" y=\"%d\">", LEFT, y);
		label_escape(out, span_of(s.p, n));
		while (n < s.n && s.p[n] == ' ')
			n++;
		s = span_of(s.p + n, s.n - n);
		fputs(s.n && i + 1 == max ? "\xe2\x80\xa6</text>\n"
					  : "</text>\n",
		      out);
		y += LINE;
	}
	return y;
}

/* By readings a day on a logarithmic scale: 1, 4, 24, 96, 1440. */
static int thickness(uint64_t day)
{
	static const uint64_t steps[] = {1, 4, 24, 96, 1440};
	int px = 2;

	for (size_t i = 0; i < 5; i++)
		px += day > steps[i] ? 2 : 0;
	return px;
}

static void gate(FILE *out, int y)
{
	fprintf(out,
		"<path class=\"l\" stroke-width=\"2\" d=\"M%d %dv-14m0 "
		"28v-14\"/>\n",
		GATE, y);
}

static void lock(FILE *out, int x, int y)
{
	fprintf(out,
		"<path class=\"l\" stroke-width=\"2\" d=\"M%d %dv-4a4 4 0 0 1 "
		"8 0v4\"/><rect class=\"f\" x=\"%d\" y=\"%d\" width=\"14\" "
		"height=\"10\"/>\n",
		x + 3, y - 3, x, y - 3);
}

static void letter(FILE *out, int y, char grade)
{
	fprintf(out,
		"<rect class=\"bg\" x=\"200\" y=\"%d\" width=\"26\" "
		"height=\"26\" rx=\"4\" stroke-width=\"2\"/><text class=\"g\" "
		"x=\"213\" y=\"%d\">%c</text>\n",
		y - 13, y + 6, grade);
}

static void draw_out(FILE *out, int y, const struct bound_recipient *r)
{
	bool coarse = r->grade == 'A' || r->grade == 'B' || r->grade == '-';
	int px = thickness(r->readings[MOST_DAY]);

	gate(out, y);
	fprintf(out,
		"<path class=\"l\" stroke-width=\"%d\"%s d=\"M%d %dH%d\"/>\n"
		"<path class=\"f\" d=\"M%d %dl-12 -8v16z\"/>\n",
		px, coarse ? " stroke-dasharray=\"14 8\"" : "", LEFT, y,
		RIGHT - 12, RIGHT, y);
	if (r->grade != '-')
		letter(out, y, r->grade);
	if (r->sealed)
		lock(out, 250, y);
}

/* Ends at the gate, with a bar. */
static void draw_off(FILE *out, int y)
{
	fprintf(out,
		"<path class=\"l\" stroke-width=\"2\" d=\"M%d %dH%d\"/>\n"
		"<path class=\"l\" stroke-width=\"5\" d=\"M%d %dv22\"/>\n",
		LEFT, y, GATE, GATE, y - 11);
}

static void draw_power(FILE *out, int y)
{
	gate(out, y);
	fprintf(out,
		"<path class=\"l\" stroke-width=\"2\" d=\"M%d %dH%d\"/>\n"
		"<path class=\"f\" d=\"M%d %dl12 -8v16z\"/>\n",
		LEFT + 12, y, RIGHT, LEFT, y);
}

static int lane(FILE *out, int y, const struct label_page *p,
		const struct bound_recipient *r)
{
	bool sends = r->n_way;
	char buf[SAY_MAX], head[3 * SAY_MAX], n[SAY_MAX];

	say_name(n, r);
	snprintf(head, sizeof(head), "%.*s \xe2\x86\x92 %s",
		 (int)r->machine_name.n, (const char *)r->machine_name.p, n);
	y = text(out, y + LINE, head, 2);
	if (sends)
		draw_out(out, y + 4, r);
	else
		draw_off(out, y + 4);
	say_grade(p->lang, buf, r);
	y = text(out, y + 36, sends ? buf : p->lang->word[W_NOTHING_SENT], 2);
	if (label_other(r))
		y = text(out, y, say_other(p->lang, buf, r), OTHER_LINES);
	for (size_t i = 0; i < r->n_power; i++) {
		draw_power(out, y);
		y = text(out, y + 28, say_power(p->lang, buf, &r->power[i]), 3);
	}
	fprintf(out, "<path class=\"l\" stroke-width=\"1\" d=\"M%d %dH%d\"/>\n",
		0, y - 4, WIDTH);
	return y;
}

static size_t n_lines(const char *words, int max)
{
	struct span s = span_str(words);
	size_t k = 0;

	for (; s.n && k < (size_t)max; k++) {
		size_t n = first_line(s);

		while (n < s.n && s.p[n] == ' ')
			n++;
		s = span_of(s.p + n, s.n - n);
	}
	return k;
}

/* What lane() takes: the height stands at the head of the file. */
static int lane_height(const struct label_page *p,
		       const struct bound_recipient *r)
{
	bool sends = r->n_way;
	char buf[SAY_MAX], head[3 * SAY_MAX], n[SAY_MAX];
	int y = LINE + 36;

	say_name(n, r);
	snprintf(head, sizeof(head), "%.*s \xe2\x86\x92 %s",
		 (int)r->machine_name.n, (const char *)r->machine_name.p, n);
	say_grade(p->lang, buf, r);
	y += LINE *
	     (int)(n_lines(head, 2) +
		   n_lines(sends ? buf : p->lang->word[W_NOTHING_SENT], 2));
	if (label_other(r))
		y += LINE * (int)n_lines(say_other(p->lang, buf, r),
					 OTHER_LINES);
	for (size_t i = 0; i < r->n_power; i++)
		y += 28 +
		     LINE * (int)n_lines(say_power(p->lang, buf, &r->power[i]),
					 3);
	return y;
}

static void style(FILE *out)
{
	fputs("<style>.t{font:13px sans-serif;fill:#1a1a1a}"
	      ".g{font:bold 17px sans-serif;fill:#1a1a1a;text-anchor:middle}"
	      ".l{stroke:#1a1a1a;fill:none}.f{fill:#1a1a1a}"
	      ".bg{fill:#ffffff;stroke:#1a1a1a}.page{fill:#ffffff}</style>\n",
	      out);
}

void label_svg(void *out, const struct label_page *p, bool alone)
{
	const struct bound *b = p->bound;
	const char *const *w = p->lang->word;
	int y = 34, height = y + 8;
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (!label_shown(&b->r[i]))
			continue;
		height += lane_height(p, &b->r[i]);
		n++;
	}
	if (n == 0)
		height += 2 * LINE;
	if (alone)
		fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"%s\" "
		"lang=\"%s\" role=\"img\" aria-labelledby=\"glance-title "
		"glance-desc\" viewBox=\"0 0 %d %d\">\n"
		"<title id=\"glance-title\">%s</title>\n"
		"<desc id=\"glance-desc\">%s %s%s%s</desc>\n",
		p->lang->tag, p->lang->tag, WIDTH, height, w[W_GLANCE],
		w[W_GLANCE_DESC], w[W_GLANCE_KEY], alone ? "" : " ",
		alone ? "" : w[W_GLANCE_TABLE]);
	if (alone)
		style(out);
	fprintf(out,
		"<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n"
		"<text class=\"t\" x=\"%d\" y=\"20\">%s</text>\n"
		"<text class=\"t\" x=\"%d\" y=\"20\">%s</text>\n",
		WIDTH, height, LEFT, w[W_GLANCE_HOME], GATE, w[W_GLANCE_GATE]);
	if (n == 0)
		text(out, y + LINE, w[W_HEAD_NONE], 2);
	for (size_t i = 0; i < b->n; i++) {
		if (label_shown(&b->r[i]))
			y = lane(out, y, p, &b->r[i]);
	}
	fputs("</svg>\n", out);
}
