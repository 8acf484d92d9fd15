/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two sets, for people. */
#include <stdio.h>

#include "policy-lang/diff_parts.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

static struct span rule_of(struct span name)
{
	return name.n ? name : span_str("(on trial)");
}

static const char *subject(const struct diff_item *i)
{
	return i->what == DIFF_FLOW    ? meas_name(i->meas)
	       : i->what == DIFF_POWER ? "may switch or limit"
				       : "sealed channel";
}

static void print_new(const struct diff_item *i)
{
	static const char *const consents[] = {"", "no consent needed",
					       "opt-out", "opt-in"};
	const struct bound_flow *f = i->is;
	char t[64];

	if (i->what == DIFF_FLOW) {
		if (f->readings[MOST_DAY] == MOST_UNLIMITED)
			printf("any number of readings a day");
		else
			printf("up to %llu reading%s a day",
			       (unsigned long long)f->readings[MOST_DAY],
			       f->readings[MOST_DAY] == 1 ? "" : "s");
		if (f->spacing_ns != INT64_MAX)
			printf(", every %s",
			       f->spacing_ns
				       ? bound_time(t, sizeof(t), f->spacing_ns)
				       : "instant");
		if (f->delay_ns)
			printf(", %s old",
			       bound_time(t, sizeof(t), f->delay_ns));
		else
			printf(", no delay");
		printf("  allow/%.*s  %s", TEXT(rule_of(f->rule_name)),
		       consents[f->consent]);
	} else if (i->what == DIFF_POWER) {
		printf("allow/%.*s", TEXT(rule_of(i->is_power->rule_name)));
	}
}

static void print_item(const struct diff_item *i, const struct diff_whole *w,
		       bool voids)
{
	bool first = true;

	if (!diff_item_shown(w, i))
		return;
	if (i->n_row == 0) {
		printf("    %-8s %s", diff_change_name(i->change), subject(i));
		if (i->change == DIFF_NEW) {
			printf("  ");
			print_new(i);
		}
		printf("\n");
		first = false;
	}
	for (size_t k = 0; k < i->n_row; k++) {
		const struct diff_row *r = &i->row[k];
		char a[64], b[64];

		printf("    %-8s %-18s %s: %s -> %s",
		       diff_change_name(r->change), subject(i),
		       diff_scale_name(r->scale),
		       diff_figure(a, sizeof(a), r, false, i),
		       diff_figure(b, sizeof(b), r, true, i));
		if (first && i->what == DIFF_FLOW && i->is)
			printf("  allow/%.*s", TEXT(rule_of(i->is->rule_name)));
		if (first && voids && diff_voids(w, i))
			printf("  answer void");
		printf("\n");
		first = false;
	}
	if (diff_reworded(i))
		printf("             purpose: \"%.*s\" -> \"%.*s\"\n",
		       TEXT(i->was->purpose), TEXT(i->is->purpose));
}

static void print_count(uint64_t n)
{
	if (n == MOST_UNLIMITED)
		printf("any");
	else
		printf("%llu", (unsigned long long)n);
}

static void print_octets(const struct diff_recipient *r)
{
	static const char *const of[] = {[MOST_DAY] = "day",
					 [MOST_MONTH] = "month",
					 [MOST_YEAR] = "year"};
	bool first = true;

	for (unsigned s = MOST_DAY; s <= MOST_YEAR; s++) {
		uint64_t x = diff_octets(r->was, (enum most_span)s);
		uint64_t y = diff_octets(r->is, (enum most_span)s);

		if (!of[s] || x == y)
			continue;
		printf("%s", first ? "    octets     " : ", ");
		print_count(x);
		printf(" -> ");
		print_count(y);
		printf(" a %s", of[s]);
		first = false;
	}
	if (!first)
		printf("\n");
}

static void print_all(const struct diff_whole *w, const struct diff *d,
		      bool voids)
{
	for (size_t i = 0; i < d->n_r; i++) {
		const struct diff_recipient *r = &d->r[i];
		const struct bound_recipient *x = r->is ? r->is : r->was;

		if (!diff_recipient_shown(w, d, r))
			continue;
		printf("\n  %.*s to %.*s\n", TEXT(x->machine_name),
		       TEXT(x->operator_));
		for (size_t k = 0; k < r->n; k++)
			print_item(&d->item[r->first + k], w, voids);
		if (diff_grade(r->was) != diff_grade(r->is))
			printf("    label      %c -> %c\n", diff_grade(r->was),
			       diff_grade(r->is));
		print_octets(r);
	}
}

static void print_day(const char *id, const char *what, int64_t was, int64_t is)
{
	char a[24], b[24];

	if (was != is)
		printf("%s  valid %s %s -> %s\n", id, what,
		       was ? bound_date(a, sizeof(a), was) : "any day",
		       is ? bound_date(b, sizeof(b), is) : "any day");
}

/* Dates do not count as wider or narrower: the verdict is about the time when
 * both are valid. But they are shown. */
static void print_file(void *arg, const struct diff_file *f)
{
	const struct pol_file *x = f->is ? f->is : f->was;

	(void)arg;
	if (!f->was || !f->is) {
		printf("%s  serial %llu is %s\n", x->id,
		       (unsigned long long)x->serial, f->is ? "new" : "gone");
		return;
	}
	if (f->serial)
		printf("%s  serial %llu -> %llu\n", x->id,
		       (unsigned long long)f->was->serial,
		       (unsigned long long)f->is->serial);
	/* A library goes to no gateway: those are told that are compiled with
	 * it. */
	if (f->content && f->is->serial <= f->was->serial &&
	    x->kind != POL_LIBRARY)
		printf("%s  the serial is not larger: no gateway that has the "
		       "old one would take it\n",
		       x->id);
	print_day(x->id, "from", f->was->valid_from_s, f->is->valid_from_s);
	print_day(x->id, "until", f->was->valid_until_s, f->is->valid_until_s);
}

static void print_reason(void *arg, struct span policy, struct span why)
{
	(void)arg;
	printf("  %.*s may let more pass: %.*s\n", TEXT(policy), TEXT(why));
}

static bool some_shown(const struct diff_whole *w, const struct diff *d)
{
	for (size_t i = 0; i < d->n_r; i++) {
		if (diff_recipient_shown(w, d, &d->r[i]))
			return true;
	}
	return false;
}

int diff_text(const struct diff_whole *w)
{
	diff_files(w->was, w->is, print_file, NULL);
	printf("%s%s\n", diff_change_name(w->verdict),
	       w->verdict == DIFF_WIDER
		       ? "  (needs the customer's acknowledgement)"
		       : "");
	/* Figures add up rules, so one may hide behind another. */
	if (w->verdict == DIFF_WIDER)
		(void)diff_within(w->was, w->is, print_reason, NULL);
	print_all(w, w->all, true);
	if (w->chose && some_shown(w, w->chosen)) {
		printf("\nwith what this household chose:\n");
		print_all(w, w->chosen, false);
	}
	return diff_told_all(w, false);
}
