/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's label as a picture: a row for each recipient, a line from the
 * home through the gate, drawn as polc draws it (privacy.md 10.1): solid for
 * fine detail, dashed for coarse, a lock for what is sealed, a bar at the gate
 * where nothing leaves. It needs nothing from outside and runs nothing;
 * whatever a policy says is escaped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "enforcer/daemon/courier.h"
#include "policy-lang/analysis/label.h"

#define WIDTH 360 /* as narrow as a telephone */
#define LEFT  12
#define GATE  110
#define RIGHT 346
#define LINE  18 /* of text */
#define CHARS 46 /* of a line of text */
#define SAID  400

static void out(struct wbuf *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void out(struct wbuf *w, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		w->failed = true;
	else
		wbuf_put(w, span_of(text, (size_t)n));
}

/* What XML may not hold becomes U+FFFD. */
static void escape(struct wbuf *w, struct span s)
{
	static const struct {
		uint8_t c;
		const char *as;
	} rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"},
		    {'"', "&quot;"}, {'\'', "&#39;"}};
	size_t i = 0;

	while (i < s.n) {
		size_t n = utf8_len(span_from(s, i)), k = 0;
		bool odd = n == 0 || s.p[i] < ' ' || s.p[i] == 0x7f ||
			   (n == 3 && s.p[i] == 0xef && s.p[i + 1] == 0xbf &&
			    s.p[i + 2] >= 0xbe);

		while (k < 5 && rows[k].c != s.p[i])
			k++;
		if (odd)
			out(w, "\xef\xbf\xbd");
		else if (k < 5)
			out(w, "%s", rows[k].as);
		else
			wbuf_put(w, span_sub(s, i, n));
		i += n ? n : 1;
	}
}

/* The octets of the first line of s, and of the spaces behind it. */
static size_t first_line(struct span s, size_t *skip)
{
	size_t at = 0, width = 0, space = 0;

	*skip = 0;
	while (at < s.n) {
		size_t n = utf8_len(span_from(s, at));

		n = n ? n : 1;
		width += n >= 3 ? 2 : 1; /* far from Latin: at most twice */
		if (width > CHARS) {
			at = space ? space : at;
			break;
		}
		if (s.p[at] == ' ')
			space = at;
		at += n;
	}
	while (at + *skip < s.n && s.p[at + *skip] == ' ')
		++*skip;
	return at;
}

/* In at most max lines from y on; w NULL: only measured. Returns y behind. */
static int text(struct wbuf *w, int y, const char *words, int max)
{
	struct span s = span_str(words);

	for (int i = 0; s.n && i < max; i++) {
		size_t skip, n = first_line(s, &skip);

		if (w) {
			out(w, "<text class=\"t\" x=\"%d\" y=\"%d\">", LEFT, y);
			escape(w, span_sub(s, 0, n));
			s = span_from(s, n + skip);
			out(w, s.n && i + 1 == max ? "\xe2\x80\xa6</text>\n"
						   : "</text>\n");
		} else {
			s = span_from(s, n + skip);
		}
		y += LINE;
	}
	return y;
}

static void lock(struct wbuf *w, int x, int y)
{
	out(w,
	    "<path class=\"l\" stroke-width=\"2\" d=\"M%d %dv-4a4 4 0 0 1 8 "
	    "0v4\"/><rect class=\"f\" x=\"%d\" y=\"%d\" width=\"14\" "
	    "height=\"10\"/>\n",
	    x + 3, y - 3, x, y - 3);
}

static bool sends(const struct card_row *r)
{
	return r->label.grade != '-' || r->label.sealed || r->label.other;
}

/* As polc's label does: of messages beside readings it is told only where no
 * limit bounds them. */
static const char *other_messages(const struct card_row *r)
{
	if (r->label.other == LABEL_OTHER_ANY)
		return "Messages without readings, as many as it likes";
	return r->label.other && r->label.grade == '-' && !r->label.sealed
		       ? "Messages without readings, within limits"
		       : "";
}

/* The finer, the thicker: how often is not told by an image's label. */
static int thickness(uint8_t grade)
{
	return grade >= 'A' && grade <= 'F' ? 2 + 2 * (grade - 'A')
	       : grade == '-'		    ? 2
					    : 4;
}

static void draw_out(struct wbuf *w, int y, const struct card_row *r)
{
	bool coarse = r->label.grade == 'A' || r->label.grade == 'B' ||
		      r->label.grade == '-';

	out(w, "<path class=\"l\" stroke-width=\"2\" d=\"M%d %dv-14m0 "
	       "28v-14\"/>\n",
	    GATE, y);
	out(w,
	    "<path class=\"l\" stroke-width=\"%d\"%s d=\"M%d %dH%d\"/>\n"
	    "<path class=\"f\" d=\"M%d %dl-12 -8v16z\"/>\n",
	    thickness(r->label.grade),
	    coarse ? " stroke-dasharray=\"14 8\"" : "", LEFT, y, RIGHT - 12,
	    RIGHT, y);
	if (r->label.grade >= 'A' && r->label.grade <= 'X')
		out(w,
		    "<rect class=\"bg\" x=\"200\" y=\"%d\" width=\"26\" "
		    "height=\"26\" rx=\"4\" stroke-width=\"2\"/><text "
		    "class=\"g\" x=\"213\" y=\"%d\">%c</text>\n",
		    y - 13, y + 6, r->label.grade);
	if (r->label.sealed)
		lock(w, 250, y);
}

static void draw_off(struct wbuf *w, int y)
{
	out(w,
	    "<path class=\"l\" stroke-width=\"2\" d=\"M%d %dH%d\"/>\n"
	    "<path class=\"l\" stroke-width=\"5\" d=\"M%d %dv22\"/>\n",
	    LEFT, y, GATE, GATE, y - 11);
}

/* "Example Ltd (GB)" */
static void say_name(char buf[SAID + CARD_TITLE], const struct card_row *r)
{
	bool at = r->country[0] != 0;

	snprintf(buf, SAID + CARD_TITLE, "%.*s%s%.*s%s",
		 (int)strnlen(r->operator_, sizeof(r->operator_)),
		 r->operator_, at ? " (" : "",
		 (int)strnlen(r->country, sizeof(r->country)), r->country,
		 at ? ")" : "");
}

static void say_grade(char buf[SAID], const struct card_row *r)
{
	snprintf(buf, SAID, "Grade %c: %s%s%s",
		 r->label.grade, grade_word((char)r->label.grade),
		 r->label.live ? ", up to this moment" : "",
		 r->label.late ? ", only for days that are over" : "");
}

static void say_shows(char buf[SAID], const struct card_row *r)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned a = 0; a < APPLIANCE_COUNT; a++) {
		if ((r->label.clear >> a & 1) && n < SAID)
			n += (size_t)snprintf(
				buf + n, SAID - n, "%s%s",
				n ? ", " : "Can show: ",
				appliance_name((enum appliance)a));
	}
}

/* w NULL: only measured. */
static int lane(struct wbuf *w, int y, const struct card_row *r)
{
	char name[SAID + CARD_TITLE], said[SAID];

	say_name(name, r);
	y = text(w, y + LINE, name, 2);
	if (w && sends(r))
		draw_out(w, y + 4, r);
	else if (w)
		draw_off(w, y + 4);
	say_grade(said, r);
	y = text(w, y + 36,
		 r->label.grade != '-' || r->label.sealed
			 ? said
			 : "gets nothing about your use",
		 2);
	y = text(w, y, other_messages(r), 2);
	say_shows(said, r);
	y = text(w, y, said, 3);
	if (w)
		out(w,
		    "<path class=\"l\" stroke-width=\"1\" d=\"M0 %dH%d\"/>\n",
		    y - 4, WIDTH);
	return y;
}

static void head(struct wbuf *w, const struct card *k, int height)
{
	out(w,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" xml:lang=\"en\" "
	    "lang=\"en\" role=\"img\" aria-labelledby=\"t d\" "
	    "viewBox=\"0 0 %d %d\">\n<title id=\"t\">Who learns what: ",
	    WIDTH, height);
	escape(w, span_of(k->id, strnlen(k->id, sizeof(k->id))));
	out(w, "</title>\n<desc id=\"d\">One row for each recipient: a line "
	       "from your home through the gate. A solid line is fine detail, "
	       "a dashed line is coarse. A lock is a sealed message. A line "
	       "that ends at a bar sends nothing.</desc>\n"
	       "<style>.t{font:13px sans-serif;fill:#1a1a1a}"
	       ".g{font:bold 17px sans-serif;fill:#1a1a1a;text-anchor:middle}"
	       ".l{stroke:#1a1a1a;fill:none}.f{fill:#1a1a1a}"
	       ".bg{fill:#ffffff;stroke:#1a1a1a}.page{fill:#ffffff}"
	       "</style>\n");
	out(w,
	    "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n"
	    "<text class=\"t\" x=\"%d\" y=\"20\">your home</text>\n"
	    "<text class=\"t\" x=\"%d\" y=\"20\">gate</text>\n",
	    WIDTH, height, LEFT, GATE);
}

bool card_svg(const struct card *k, struct wbuf *w)
{
	static const char none[] = "Nothing about your use leaves your home.";
	uint32_t n = k->n_rows < LAY_MAX_PARTIES ? k->n_rows : LAY_MAX_PARTIES;
	int height = 34;

	for (uint32_t i = 0; i < n; i++)
		height = lane(NULL, height, &k->row[i]);
	head(w, k, height + 8 + (n ? 0 : 2 * LINE));
	if (n == 0)
		text(w, 34 + LINE, none, 2);
	for (uint32_t i = 0, y = 34; i < n; i++)
		y = (uint32_t)lane(w, (int)y, &k->row[i]);
	out(w, "</svg>\n");
	return !w->failed;
}
