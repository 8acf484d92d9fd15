/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How two policies tell of what their rules decide. It lets nothing more
 * pass, so it is no part of the verdict; but whoever reads the difference
 * should know who hears of less.
 */
#include <stdio.h>

#include "core/json.h"
#include "policy-lang/diff_parts.h"
#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* One rule, of two policies. */
struct told {
	const struct pol_image *im;
	const struct lay_rule *was, *is;
};

static const struct lay_rule *same_rule(const struct pol_image *im,
					const struct pol_image *from,
					const struct lay_rule *r)
{
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		if (im->RULE[i].kind == r->kind &&
		    span_eq(img_str(im, im->RULE[i].id),
			    img_str(from, r->id)))
			return &im->RULE[i];
	}
	return NULL;
}

static const char *audit_text(unsigned audit)
{
	return audit == AUDIT_EACH      ? "each"
	       : audit == AUDIT_SUMMARY ? "summary"
					: "as usual";
}

static const char *severity_text(unsigned s)
{
	return severity_name(s) ? severity_name(s) : "as usual";
}

static const char *notify_text(char buf[64], unsigned notify)
{
	size_t n = 0;

	buf[0] = 0;
	if (notify == NOTIFY_REFUSED)
		return "portal of refusals";
	for (unsigned i = 0; i < 3; i++) {
		if (notify >> i & 1)
			n += (size_t)snprintf(buf + n, 64 - n, "%s%s",
					      n ? ", " : "", notify_name(i));
	}
	return n ? buf : "nobody";
}

static void told_row(const char *what, const char *was, const char *is)
{
	if (strcmp(was, is) != 0)
		printf("    %-10s %s -> %s\n", what, was, is);
}

static int one_text(const struct told *t)
{
	char a[64], b[64];

	printf("\n  %.*s %s is told otherwise\n", TEXT(pol_image_id(t->im)),
	       t->im->STRS + t->is->id);
	told_row("audit", audit_text(t->was->audit), audit_text(t->is->audit));
	told_row("notify", notify_text(a, t->was->notify),
		 notify_text(b, t->is->notify));
	told_row("severity", severity_text(t->was->severity),
		 severity_text(t->is->severity));
	return 0;
}

static void told_pair(struct json *j, const char *what, const char *was,
		      const char *is)
{
	if (strcmp(was, is) == 0)
		return;
	json_obj(j, what);
	json_str(j, "was", was);
	json_str(j, "is", is);
	json_obj_end(j);
}

static int one_json(const struct told *t)
{
	char buf[4096], a[64], b[64];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_str(&j, "subject", "told");
	json_text(&j, "policy", pol_image_id(t->im));
	json_str(&j, "rule", t->im->STRS + t->is->id);
	told_pair(&j, "audit", audit_text(t->was->audit),
		  audit_text(t->is->audit));
	told_pair(&j, "notify", notify_text(a, t->was->notify),
		  notify_text(b, t->is->notify));
	told_pair(&j, "severity", severity_text(t->was->severity),
		  severity_text(t->is->severity));
	json_obj_end(&j);
	if (!json_line(&j))
		return E_LIMIT;
	fwrite(j.w.p, 1, j.w.n, stdout);
	return 0;
}

int diff_told(const struct pol_image *was, const struct pol_image *is,
	      bool json)
{
	int rc = 0;

	for (uint32_t k = 0; k < is->n_RULE && !rc; k++) {
		struct told t = {is, same_rule(was, is, &is->RULE[k]),
				 &is->RULE[k]};

		if (t.was && (t.was->audit != t.is->audit ||
			      t.was->notify != t.is->notify ||
			      t.was->severity != t.is->severity))
			rc = json ? one_json(&t) : one_text(&t);
	}
	return rc;
}
