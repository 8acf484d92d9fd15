/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "policy-lang/label_parts.h"

const char *page_word(const struct page *g, enum word w)
{
	return g->l->word[w];
}

void page_raw(const struct page *g, const char *s)
{
	fputs(s, g->out);
}

void page_str(const struct page *g, const char *s)
{
	label_escape(g->out, span_str(s));
}

void page_element(const struct page *g, const char *open, const char *s,
		  const char *close)
{
	page_raw(g, open);
	page_str(g, s);
	page_raw(g, close);
}

/* "<h2 id=ID>..": level, id with a number, or NULL. */
void page_heading(const struct page *g, int level, const char *id, size_t n,
		  const char *s)
{
	if (id)
		fprintf(g->out, "<h%d id=\"%s%zu\">", level, id, n);
	else
		fprintf(g->out, "<h%d>", level);
	page_str(g, s);
	fprintf(g->out, "</h%d>\n", level);
}

void page_item(const struct page *g, const char *s)
{
	page_element(g, "<li>", s, "</li>\n");
}

void page_row(const struct page *g, enum word head, const char *s)
{
	page_element(g, "<tr><th scope=\"row\">", page_word(g, head), "</th>");
	page_element(g, "<td>", s, "</td></tr>\n");
}

void page_head_cell(const struct page *g, const char *s)
{
	page_element(g, "<th scope=\"col\">", s, "</th>");
}

void page_table(const struct page *g, const char *caption)
{
	page_element(g, "<table>\n<caption>", caption, "</caption>\n");
}
