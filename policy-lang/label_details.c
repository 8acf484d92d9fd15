/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "policy-lang/label_parts.h"

/* --- layer 2: the details --------------------------------------------------
 */

static void put_conditions(const struct page *g,
			   const struct bound_recipient *r,
			   const struct bound_flow *f)
{
	bool first = true;

	if (!f->requires_ && !f->requires_builtin)
		return;
	page_element(g, "<tr><th scope=\"row\">", page_word(g, W_FLOW_ONLY),
		     "</th><td>");
	for (uint64_t s = f->requires_; s; s &= s - 1) {
		page_raw(g, first ? "" : ", ");
		label_escape(g->out, bound_state(g->p->bound, r,
						 (unsigned)__builtin_ctzll(s)));
		first = false;
	}
	if (f->requires_builtin >> BUILTIN_ATTESTED & 1)
		page_element(g, first ? "" : ", ",
			     page_word(g, W_MEAS_ATTESTED), "");
	page_raw(g, "</td></tr>\n");
}

static void put_flow(const struct page *g, const struct bound_recipient *r,
		     const struct bound_flow *f)
{
	char buf[SAY_MAX], t[SAY_MAX];

	page_raw(g, "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"2\">");
	page_str(g, meas_plain(f->meas));
	page_raw(g, "</th></tr>\n");
	page_row(g, W_FLOW_FINE, say_fine(g->l, buf, f));
	page_row(g, W_FLOW_FRESH,
		 f->delay_ns
			 ? say(g->l, buf, W_FRESH_OLD,
			       say_time(g->l, t, f->delay_ns), NULL, NULL, NULL)
			 : page_word(g, W_FRESH_NOW));
	page_row(g, W_FLOW_BACK,
		 f->history_ns == BOUND_NONE
			 ? page_word(g, W_BACK_ANY)
			 : say(g->l, buf, W_BACK,
			       say_time(g->l, t, f->history_ns), NULL, NULL,
			       NULL));
	page_row(g, W_FLOW_STEP, say_step(g->l, buf, f));
	page_row(g, W_FLOW_OFTEN, say_often(g->l, buf, f));
	page_row(g, W_FLOW_SO_FAR, page_word(g, W_SO_FAR_HERE));
	put_conditions(g, r, f);
	if (f->rule != BOUND_NO_RULE)
		page_row(g, W_FLOW_CONSENT, say_choice(g->l, buf, f));
	page_raw(g, "</tbody>\n");
}

static void put_flows(const struct page *g, const struct bound_recipient *r)
{
	if (!r->n_flow)
		return;
	page_table(g, page_word(g, W_FLOWS));
	for (size_t i = 0; i < r->n_flow; i++) {
		if (!label_told(r, i, true))
			put_flow(g, r, &r->flow[i]);
	}
	page_raw(g, "</table>\n");
}

static void put_about(const struct page *g, const struct bound_recipient *r)
{
	char buf[SAY_MAX], t[2][SAY_MAX];

	page_table(g, page_word(g, W_ABOUT));
	page_raw(g, "<tbody>\n");
	snprintf(buf, sizeof(buf), "%.*s", (int)r->machine_name.n,
		 (const char *)r->machine_name.p);
	page_row(g, W_ABOUT_MACHINE, buf);
	page_row(g, W_ABOUT_KNOWN, say_known(g->l, r->identity));
	snprintf(buf, sizeof(buf), "%.*s", (int)r->country.n,
		 (const char *)r->country.p);
	page_row(g, W_ABOUT_COUNTRY,
		 r->country.n ? buf : page_word(g, W_NO_COUNTRY));
	page_row(g, W_ABOUT_KEEP,
		 r->keeps_ns ? say(g->l, buf, W_KEEP,
				   say_time(g->l, t[0], r->keeps_ns), NULL,
				   NULL, NULL)
			     : page_word(g, W_KEEP_UNSAID));
	if (r->spacing_ns != INT64_MAX) {
		int64_t tenths = (r->coverage_ns + MOST_DAY_NS / 1000 - 1) /
				 (MOST_DAY_NS / 1000);

		snprintf(buf, sizeof(buf), "%lld.%lld %%",
			 (long long)(tenths / 10), (long long)(tenths % 10));
		page_row(g, W_ABOUT_COVER, buf);
	}
	page_row(g, W_ABOUT_BYTES,
		 say(g->l, buf, W_BYTES,
		     say_bytes(g->l, t[0], r->bytes[MOST_DAY]),
		     say_bytes(g->l, t[1], r->bytes[MOST_MONTH]), NULL, NULL));
	page_row(g, W_ABOUT_SEALED,
		 r->sealed
			 ? say(g->l, buf, W_SEALED_SOME,
			       say_bytes(g->l, t[0], r->sealed_bytes[MOST_DAY]),
			       NULL, NULL, NULL)
			 : page_word(g, W_SEALED_NONE));
	if (r->other)
		page_row(g, W_ABOUT_OTHER,
			 say(g->l, buf, W_BYTES,
			     say_bytes(g->l, t[0], r->other_bytes[MOST_DAY]),
			     say_bytes(g->l, t[1], r->other_bytes[MOST_MONTH]),
			     NULL, NULL));
	page_row(g, W_ABOUT_HIDDEN, say_hidden(g->l, buf, r));
	for (size_t i = 0; i < r->n_power; i++)
		page_row(g, W_POWERS, say_power(g->l, buf, &r->power[i]));
	page_raw(g, "</tbody>\n</table>\n");
}

static size_t indent_of(struct span line)
{
	size_t n = 0;

	while (n < line.n && line.p[n] == ' ')
		n++;
	return n;
}

static struct span line_of(struct span *rest)
{
	const uint8_t *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	size_t n = nl ? (size_t)(nl - rest->p) : rest->n;
	struct span line = span_of(rest->p, n);

	*rest = span_of(rest->p + n + (nl != NULL), rest->n - n - (nl != NULL));
	return line;
}

/* The lines of an entry: the first, and those that are further in. */
static void put_source(const struct page *g, struct span source, uint32_t at)
{
	struct span rest = source, line = {0};
	size_t in;

	for (uint32_t n = 0; n < at && rest.n; n++)
		line = line_of(&rest);
	in = indent_of(line);
	page_raw(g, "<pre><code>");
	do {
		label_escape(g->out, line);
		page_raw(g, "\n");
		line = line_of(&rest);
	} while (line.n && indent_of(line) > in);
	page_raw(g, "</code></pre>\n");
}

static void put_rule(const struct page *g, const struct pol_file *f,
		     struct span name, size_t *n)
{
	char buf[SAY_MAX], line[24];

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		if (r->kind != RULE_GRANT || !span_is(name, r->id))
			continue;
		if ((*n)++ == 0)
			page_heading(g, 4, NULL, 0, page_word(g, W_RULES));
		snprintf(line, sizeof(line), "%u", r->pos.line);
		say(g->l, buf, W_RULE_HEAD, r->id, f->id, line, NULL);
		page_element(g, "<p>", buf, "</p>\n");
		put_source(g, pol_source(g->p->files, f->path), r->pos.line);
	}
}

static void put_rules(const struct page *g, const struct bound_recipient *r)
{
	char vm[256];
	const struct pol_file *f;
	size_t n = 0;

	snprintf(vm, sizeof(vm), "%.*s", (int)r->machine_name.n,
		 (const char *)r->machine_name.p);
	f = scene_policy(g->p->scene, vm);
	for (size_t i = 0; f && i < r->n_flow; i++) {
		if (!label_told(r, i, false))
			put_rule(g, f, r->flow[i].rule_name, &n);
	}
	for (size_t i = 0; f && i < r->n_power; i++)
		put_rule(g, f, r->power[i].rule_name, &n);
}

void page_details(const struct page *g, size_t i)
{
	const struct bound_recipient *r = &g->p->bound->r[i];
	char name[SAY_MAX];

	fprintf(g->out, "<section aria-labelledby=\"details%zu\">\n", i);
	page_heading(g, 3, "details", i, say_name(name, r));
	put_flows(g, r);
	put_about(g, r);
	put_rules(g, r);
	page_raw(g, "</section>\n");
}

/* --- the policies ----------------------------------------------------------
 */

/* The date of a moment of the meter's standard time. */
static const char *date_of(char buf[32], int64_t s)
{
	time_t t = s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d", &tm))
		buf[0] = 0;
	return buf;
}

static const char *validity(const struct page *g, char buf[SAY_MAX],
			    const struct pol_file *f)
{
	char from[32], until[32];
	enum word w = f->valid_from_s && f->valid_until_s ? W_POLICY_VALID_BOTH
		      : f->valid_from_s                   ? W_POLICY_VALID_FROM
		      : f->valid_until_s                  ? W_POLICY_VALID_UNTIL
							  : W_POLICY_VALID_ANY;
	const char *a = date_of(from, f->valid_from_s);
	const char *b = date_of(until, f->valid_until_s);

	return say(g->l, buf, w, f->valid_from_s ? a : b, b, NULL, NULL);
}

static const char *signer(const struct page *g, const char *vm)
{
	const struct scene *s = g->p->scene;

	for (size_t i = 0; i < s->n_file; i++) {
		const struct pol_file *f = s->file[i];

		for (size_t m = 0; m < f->n_machine; m++) {
			if (strcmp(f->machine[m].id, vm) == 0 &&
			    f->machine[m].signed_by)
				return f->machine[m].signed_by;
		}
	}
	return page_word(g, W_POLICY_UNSIGNED);
}

static void put_policy(const struct page *g, const struct pol_file *f,
		       const struct pol_image *im)
{
	char buf[SAY_MAX];
	uint8_t digest[32];

	say(g->l, buf, W_POLICY_OF, f->vm, f->title, NULL, NULL);
	page_table(g, buf);
	page_raw(g, "<tbody>\n");
	page_row(g, W_POLICY_ID, f->id);
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)f->serial);
	page_row(g, W_POLICY_SERIAL, buf);
	page_row(g, W_POLICY_VALID, validity(g, buf, f));
	page_row(g, W_POLICY_SIGNER, signer(g, f->vm));
	pol_image_digest(im, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(buf + 2 * i, sizeof(buf) - 2 * i, "%02x", digest[i]);
	page_row(g, W_POLICY_DIGEST, buf);
	page_row(g, W_POLICY_HISTORY, page_word(g, W_POLICY_HISTORY_TEXT));
	page_raw(g, "</tbody>\n</table>\n");
}

void page_policies(const struct page *g)
{
	const struct scene *s = g->p->scene;

	page_raw(g, "<section aria-labelledby=\"policies0\">\n");
	page_heading(g, 2, "policies", 0, page_word(g, W_POLICIES));
	for (size_t i = 0; i < s->n_file; i++) {
		if (s->file[i]->kind == POL_VENDOR)
			put_policy(g, s->file[i], s->image[i]);
	}
	page_raw(g, "</section>\n");
}
