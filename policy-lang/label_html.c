/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "policy-lang/label_parts.h"

/* --- the head --------------------------------------------------------------
 */

/* Colours are few and named: text on its ground has 7:1 and more in each of
 * light, dark and print, and nothing is told by colour alone. */
static const char css[] =
	":root{--ink:#1a1a1a;--paper:#ffffff;--soft:#4a4a4a;--rule:#767676;"
	"--band:#f0f0f0;--link:#1a3f8f}\n"
	"@media (prefers-color-scheme:dark){:root{--ink:#f2f2f2;"
	"--paper:#161616;--soft:#c8c8c8;--rule:#8f8f8f;--band:#262626;"
	"--link:#a9c7ff}}\n"
	"body{margin:0 auto;padding:1rem;max-width:46rem;color:var(--ink);"
	"background:var(--paper);font:1rem/1.5 sans-serif}\n"
	"h1,h2,h3,h4{line-height:1.25}\n"
	"h1,h2,h3,h4,p,li,td,th,q,caption{overflow-wrap:anywhere}\n"
	"a{color:var(--link)}\n"
	"a:focus,.scroll:focus{outline:3px solid var(--link);"
	"outline-offset:2px}\n"
	".skip{display:inline-block;padding:.5rem 0}\n"
	".card{border:2px solid var(--rule);border-radius:.5rem;"
	"padding:0 1rem 1rem;margin-block:1rem}\n"
	".letter{display:inline-block;min-width:1.6em;text-align:center;"
	"font-weight:bold;border:3px solid var(--ink);border-radius:.3rem;"
	"margin-inline-end:.5rem}\n"
	".coarse{border-style:dashed}\n"
	".soft{color:var(--soft)}\n"
	"table{border-collapse:collapse;width:100%;margin-block:1rem}\n"
	"caption{text-align:start;font-weight:bold;padding-block:.5rem}\n"
	"th,td{border:1px solid var(--rule);padding:.3rem .5rem;"
	"text-align:start;vertical-align:top}\n"
	"th[scope=rowgroup],thead th{background:var(--band)}\n"
	".scroll{overflow-x:auto}.scroll table{width:auto;min-width:100%}\n"
	".scroll th,.scroll td{overflow-wrap:break-word}\n"
	"svg{display:block;width:100%;max-width:30rem;height:auto}\n"
	"svg .t{font:13px sans-serif;fill:var(--ink)}\n"
	"svg .g{font:bold 17px sans-serif;fill:var(--ink);"
	"text-anchor:middle}\n"
	"svg .l{stroke:var(--ink);fill:none}\n"
	"svg .f{fill:var(--ink)}\n"
	"svg .bg{fill:var(--paper);stroke:var(--ink)}\n"
	"svg .page{fill:var(--paper)}\n"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.5rem;"
	"background:var(--band)}\n"
	"@media (forced-colors:active){svg .t,svg .g,svg .f{fill:CanvasText}"
	"svg .l,svg .bg{stroke:CanvasText}svg .bg,svg .page{fill:Canvas}}\n"
	"@media print{:root{--ink:#000000;--paper:#ffffff;--soft:#333333;"
	"--rule:#555555;--band:#ffffff;--link:#000000}"
	".skip{display:none}.card,tr,svg{break-inside:avoid}"
	".scroll{overflow:visible}h2,h3,h4,caption{break-after:avoid}body{max-width:none}}\n";

static void put_head(const struct page *g)
{
	fprintf(g->out,
		"<!DOCTYPE html>\n<html lang=\"%s\" dir=\"%s\">\n<head>\n"
		"<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, "
		"initial-scale=1\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" "
		"content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
		g->l->tag, g->l->dir);
	page_element(g, "<title>", page_word(g, W_PAGE_TITLE), "</title>\n");
	fprintf(g->out, "<style>\n%s</style>\n</head>\n<body>\n", css);
}

struct headline {
	size_t learn, live, power, sealed, other;
};

static void sentence(const struct page *g, enum word one, size_t n)
{
	char buf[SAY_MAX];

	page_str(g, say_n(g->l, buf, one, n));
	page_raw(g, " ");
}

static void put_headline(const struct page *g)
{
	const struct bound *b = g->p->bound;
	struct headline h = {0};

	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (!label_shown(r))
			continue;
		h.learn += r->grade != '-';
		h.live += r->live;
		h.power += r->n_power > 0;
		h.sealed += r->sealed;
		h.other += r->other_bytes[MOST_DAY] == MOST_UNLIMITED;
	}
	page_raw(g, "<p><strong>");
	if (h.learn) {
		sentence(g, W_HEAD_ONE, h.learn);
		if (h.live)
			sentence(g, W_HEAD_LIVE_ONE, h.live);
		else
			page_element(g, "", page_word(g, W_HEAD_NO_LIVE), " ");
	} else {
		page_element(g, "", page_word(g, W_HEAD_NONE), " ");
	}
	if (h.power)
		sentence(g, W_HEAD_POWER_ONE, h.power);
	if (h.sealed)
		sentence(g, W_HEAD_SEALED_ONE, h.sealed);
	if (h.other)
		sentence(g, W_HEAD_OTHER_ONE, h.other);
	page_raw(g, "</strong></p>\n");
}

/* --- at a glance: the picture and its twin ---------------------------------
 */

static void glance_row(const struct page *g, const struct bound_recipient *r)
{
	char buf[SAY_MAX];

	page_raw(g, "<tr><td>");
	label_escape(g->out, r->machine_name);
	page_element(g, "</td><th scope=\"row\">", say_name(buf, r), "</th>");
	page_element(g, "<td>",
		     r->n_way ? say_grade(g->l, buf, r)
			      : page_word(g, W_NOTHING_SENT),
		     "");
	if (label_other(r))
		page_element(g, "; ", say_other(g->l, buf, r), "");
	page_raw(g, "</td><td>");
	say_count(g->l, buf, r->n_flow ? r->readings[MOST_DAY] : 0);
	page_str(g, buf);
	page_raw(g, "</td><td>");
	for (size_t i = 0; i < r->n_power; i++) {
		say_power(g->l, buf, &r->power[i]);
		page_element(g, i ? "; " : "", buf, "");
	}
	if (!r->n_power)
		page_str(g, page_word(g, W_MAY_NONE));
	page_raw(g, "</td></tr>\n");
}

static void put_glance(const struct page *g)
{
	static const enum word heads[] = {W_COL_THROUGH, W_COL_TO, W_COL_GRADE,
					  W_COL_OFTEN, W_COL_MAY};

	page_raw(g, "<section aria-labelledby=\"glance0\">\n");
	page_heading(g, 2, "glance", 0, page_word(g, W_GLANCE));
	label_svg(g->out, g->p, false);
	fprintf(g->out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
			"aria-labelledby=\"glance0\">\n");
	page_table(g, page_word(g, W_GLANCE));
	page_raw(g, "<thead><tr>");
	for (size_t i = 0; i < 5; i++)
		page_head_cell(g, page_word(g, heads[i]));
	page_raw(g, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < g->p->bound->n; i++) {
		if (label_shown(&g->p->bound->r[i]))
			glance_row(g, &g->p->bound->r[i]);
	}
	page_raw(g, "</tbody>\n</table>\n</div>\n");
	page_element(g, "<p class=\"soft\">", page_word(g, W_GLANCE_KEY),
		     "</p>\n");
	page_raw(g, "</section>\n");
}

/* --- layer 1: a card -------------------------------------------------------
 */

static void put_grade(const struct page *g, const struct bound_recipient *r)
{
	bool coarse = r->grade == 'A' || r->grade == 'B';
	char buf[SAY_MAX];

	page_raw(g, "<p>");
	if (r->grade != '-' || r->sealed)
		fprintf(g->out,
			"<span class=\"letter%s\" aria-hidden=\"true\">%c"
			"</span>",
			coarse ? " coarse" : "",
			r->grade == '-' ? 'X' : r->grade);
	page_str(g, say_grade(g->l, buf, r));
	page_raw(g, "</p>\n");
}

static void put_purposes(const struct page *g, const struct bound_recipient *r)
{
	bool first = true;

	for (size_t i = 0; i < r->n_flow; i++) {
		if (!r->flow[i].purpose.n || label_told(r, i, false))
			continue;
		if (first)
			page_element(g, "<p>", page_word(g, W_THEY_SAY), "");
		page_raw(g, " <q>");
		label_escape(g->out, r->flow[i].purpose);
		page_raw(g, "</q>");
		first = false;
	}
	if (!first)
		page_raw(g, "</p>\n");
}

static void put_gets(const struct page *g, const struct bound_recipient *r)
{
	char line[3 * SAY_MAX], fine[SAY_MAX], t[SAY_MAX], fresh[SAY_MAX] = "";

	page_heading(g, 4, NULL, 0, page_word(g, W_GETS));
	page_raw(g, "<ul>\n");
	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];

		if (label_told(r, i, true))
			continue;
		if (f->delay_ns)
			say(g->l, fresh, W_FRESH_OLD,
			    say_time(g->l, t, f->delay_ns), NULL, NULL, NULL);
		else
			fresh[0] = 0;
		snprintf(line, sizeof(line), "%s: %s%s%s", meas_plain(f->meas),
			 say_fine(g->l, fine, f), f->delay_ns ? ", " : "",
			 fresh);
		page_item(g, line);
	}
	if (!r->n_flow)
		page_item(g, page_word(g, W_GETS_NOTHING));
	if (label_other(r))
		page_item(g, say_other(g->l, line, r));
	page_raw(g, "</ul>\n");
}

static void put_shows(const struct page *g, const struct label *l)
{
	char buf[SAY_MAX];

	page_heading(g, 4, NULL, 0, page_word(g, W_SHOWS));
	page_raw(g, "<ul>\n");
	for (unsigned s = 0; s < ST_COUNT; s++) {
		if (l->statements >> s & 1)
			page_item(g, say_statement(buf, (enum statement)s, l));
	}
	if (!l->statements)
		page_item(g, page_word(g, W_SHOWS_NOTHING));
	page_raw(g, "</ul>\n");
}

static void put_trial(void *arg, const char *text)
{
	page_item(arg, text);
}

static void put_choices(const struct page *g, const struct bound_recipient *r)
{
	bool any = false;
	char buf[SAY_MAX];

	page_heading(g, 4, NULL, 0, page_word(g, W_YOU_CAN));
	page_raw(g, "<ul>\n");
	for (size_t i = 0; i < r->n_flow; i++) {
		if (r->flow[i].rule == BOUND_NO_RULE || label_told(r, i, false))
			continue;
		page_item(g, say_choice(g->l, buf, &r->flow[i]));
		any = true;
	}
	if (!any)
		page_item(g, page_word(g, W_NO_CHOICE));
	label_trials(g->l, r, put_trial, (void *)(uintptr_t)g);
	page_raw(g, "</ul>\n");
}

static void put_so_far(const struct page *g, const struct bound_recipient *r)
{
	char n[SAY_MAX], b[SAY_MAX], most[SAY_MAX], line[SAY_MAX];

	page_heading(g, 4, NULL, 0, page_word(g, W_SO_FAR));
	say(g->l, most, W_MONTH_READINGS,
	    say_count(g->l, n, r->readings[MOST_MONTH]),
	    say_bytes(g->l, b, r->bytes[MOST_MONTH]), NULL, NULL);
	say(g->l, line, W_SO_FAR_TEXT, most, NULL, NULL, NULL);
	page_element(g, "<p>", line, "</p>\n");
}

static void put_card(const struct page *g, size_t i)
{
	const struct bound_recipient *r = &g->p->bound->r[i];
	char name[SAY_MAX], line[SAY_MAX];
	struct label l;

	label_of(&l, r);
	fprintf(g->out,
		"<article class=\"card\" aria-labelledby=\"card%zu\">\n", i);
	page_heading(g, 3, "card", i, say_name(name, r));
	put_grade(g, r);
	put_purposes(g, r);
	put_gets(g, r);
	put_shows(g, &l);
	if (r->n_power) {
		page_heading(g, 4, NULL, 0, page_word(g, W_POWERS));
		page_raw(g, "<ul>\n");
		for (size_t k = 0; k < r->n_power; k++)
			page_item(g, say_power(g->l, line, &r->power[k]));
		page_raw(g, "</ul>\n");
	}
	put_choices(g, r);
	put_so_far(g, r);
	fprintf(g->out, "<p><a class=\"skip\" href=\"#details%zu\">", i);
	say(g->l, line, W_DETAILS_OF, name, NULL, NULL, NULL);
	page_str(g, line);
	page_raw(g, "</a></p>\n</article>\n");
}

/* --- what concerns all ------------------------------------------------------
 */

static void put_appliances(const struct page *g)
{
	static const int minutes[] = {1, 5, 15, 30, 60};
	char buf[SAY_MAX];

	page_raw(g, "<section aria-labelledby=\"appliances0\">\n");
	page_heading(g, 2, "appliances", 0, page_word(g, W_APPLIANCES));
	page_element(g, "<p>", page_word(g, W_APPLIANCES_TEXT), "</p>\n");
	page_raw(g, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		    "aria-labelledby=\"appliances0\">\n");
	page_table(g, page_word(g, W_APPLIANCES));
	page_raw(g, "<thead><tr>");
	page_head_cell(g, page_word(g, W_APPLIANCE));
	for (size_t i = 0; i < 5; i++)
		page_head_cell(g,
			       say_time(g->l, buf, minutes[i] * 60 * NS_PER_S));
	page_raw(g, "</tr></thead>\n<tbody>\n");
	for (unsigned a = 0; a < APPLIANCE_COUNT; a++) {
		page_element(g, "<tr><th scope=\"row\">",
			     appliance_name((enum appliance)a), "</th>");
		for (size_t i = 0; i < 5; i++) {
			enum appliance_shows s = appliance_shows(
				(enum appliance)a, minutes[i] * 60 * NS_PER_S);

			page_element(g, "<td>",
				     page_word(g, s == SHOWS_CLEAR ? W_CLEAR
						  : s == SHOWS_BLURRED
							  ? W_BLURRED
							  : W_HIDDEN_APP),
				     "</td>");
		}
		page_raw(g, "</tr>\n");
	}
	page_raw(g, "</tbody>\n</table>\n</div>\n</section>\n");
}

static void put_stays(const struct page *g)
{
	const struct bound *b = g->p->bound;
	char name[SAY_MAX], buf[SAY_MAX];
	size_t n = 0;

	page_raw(g, "<section aria-labelledby=\"stays0\">\n");
	page_heading(g, 2, "stays", 0, page_word(g, W_STAYS));
	page_raw(g, "<ul>\n");
	for (size_t i = 0; i < b->n; i++) {
		if (b->r[i].outside || !b->r[i].n_flow)
			continue;
		say_name(name, &b->r[i]);
		page_item(g,
			  say(g->l, buf, W_STAYS_TEXT, name, NULL, NULL, NULL));
		n++;
	}
	if (!n)
		page_item(g, page_word(g, W_STAYS_NONE));
	page_raw(g, "</ul>\n</section>\n");
}

static void put_limits(const struct page *g)
{
	page_raw(g, "<section aria-labelledby=\"limits0\">\n");
	page_heading(g, 2, "limits", 0, page_word(g, W_LIMITS));
	page_raw(g, "<ul>\n");
	for (enum word w = W_LIMITS_1; w <= W_LIMITS_5; w++)
		page_item(g, page_word(g, w));
	page_raw(g, "</ul>\n</section>\n");
}

void label_html(void *out, const struct label_page *p)
{
	const struct page g = {out, p, p->lang};
	const struct bound *b = p->bound;

	put_head(&g);
	page_raw(&g, "<header>\n");
	page_element(&g, "<h1>", page_word(&g, W_PAGE_TITLE), "</h1>\n");
	page_element(&g, "<p>",
		     page_word(&g, p->customer ? W_PAGE_HOME : W_PAGE_ALL),
		     " ");
	page_element(&g, "", page_word(&g, W_PAGE_COMPUTED), "</p>\n");
	put_headline(&g);
	page_element(&g, "<p><a class=\"skip\" href=\"#details\">",
		     page_word(&g, W_PAGE_SKIP), "</a></p>\n");
	page_raw(&g, "</header>\n<main>\n");
	put_glance(&g);
	page_raw(&g, "<section aria-labelledby=\"cards0\">\n");
	page_heading(&g, 2, "cards", 0, page_word(&g, W_CARDS));
	for (size_t i = 0; i < b->n; i++) {
		if (label_shown(&b->r[i]))
			put_card(&g, i);
	}
	page_raw(&g, "</section>\n");
	put_stays(&g);
	page_element(&g, "<h2 id=\"details\">", page_word(&g, W_DETAILS),
		     "</h2>\n");
	for (size_t i = 0; i < b->n; i++) {
		if (label_shown(&b->r[i]))
			page_details(&g, i);
	}
	page_policies(&g);
	put_appliances(&g);
	put_limits(&g);
	page_raw(&g, "</main>\n</body>\n</html>\n");
}
