/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two sets, for programs: objects, a line each. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/diff_parts.h"
#include "policy-lang/figures.h"

static void put_subject(struct json *j, const struct diff_item *i)
{
	json_str(j, "subject",
		 i->what == DIFF_FLOW    ? "measurement"
		 : i->what == DIFF_POWER ? "power"
					 : "sealed");
	if (i->what == DIFF_FLOW)
		json_str(j, "measurement", meas_name(i->meas));
}

static void put_row(struct json *j, const struct diff_item *i,
		    const struct diff_row *r)
{
	char t[64];

	json_obj(j, NULL);
	json_str(j, "scale", diff_scale_name(r->scale));
	json_str(j, "change", diff_change_name(r->change));
	json_str(j, "was", diff_figure(t, sizeof(t), r, false, i));
	json_str(j, "is", diff_figure(t, sizeof(t), r, true, i));
	json_obj_end(j);
}

/* What there was, or is, of it; null: nothing. */
static void put_state(struct json *j, const char *key,
		      const struct diff_item *i, bool is)
{
	static const char *const consents[] = {"unset", "none", "opt-out",
					       "opt-in"};
	const struct bound_flow *f = is ? i->is : i->was;
	const struct bound_power *p = is ? i->is_power : i->was_power;
	const struct bound_recipient *r = is ? i->is_r : i->was_r;
	bool sealed = i->what == DIFF_CHANNEL && r && r->sealed;

	if (!f && !p && !sealed) {
		json_null(j, key);
		return;
	}
	json_obj(j, key);
	if (f) {
		if (f->rule_name.n)
			json_text(j, "rule", f->rule_name);
		put_count(j, "readings-per-day", f->readings[MOST_DAY]);
		put_seconds(j, "spacing-s", f->spacing_ns);
		put_seconds(j, "freshest-s", f->delay_ns);
		json_str(j, "consent", consents[f->consent]);
		json_text(j, "purpose", f->purpose);
	} else if (p) {
		if (p->rule_name.n)
			json_text(j, "rule", p->rule_name);
		put_count(j, "per-day", p->day);
		put_seconds(j, "apart-s", p->apart_ns);
	} else {
		put_count(j, "octets-per-day", r->sealed_bytes[MOST_DAY]);
	}
	json_obj_end(j);
}

/* of: with every consent, or with what this household chose. */
static int print_item(const struct diff_item *i, const char *of)
{
	char buf[16384];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_str(&j, "of", of);
	json_text(&j, "machine", i->machine);
	json_text(&j, "operator", i->operator_);
	put_subject(&j, i);
	json_str(&j, "change", diff_change_name(i->change));
	put_state(&j, "was", i, false);
	put_state(&j, "is", i, true);
	json_arr(&j, "scales");
	for (size_t k = 0; k < i->n_row; k++)
		put_row(&j, i, &i->row[k]);
	json_arr_end(&j);
	json_obj_end(&j);
	if (!json_line(&j))
		return E_LIMIT;
	fwrite(j.w.p, 1, j.w.n, stdout);
	return 0;
}

static const char all_of[] = "all consents", chosen_of[] = "customer";

static int print_items(const struct diff_whole *w, const struct diff *d,
		       const char *of)
{
	int rc = 0;

	for (size_t i = 0; i < d->n && !rc; i++) {
		if (diff_item_shown(w, &d->item[i]))
			rc = print_item(&d->item[i], of);
	}
	return rc;
}

int diff_json(const struct diff_whole *w)
{
	int rc = print_items(w, w->all, all_of);

	if (!rc && w->chose)
		rc = print_items(w, w->chosen, chosen_of);
	return rc ? rc : diff_told_all(w, true);
}

/* --- the verdict ---------------------------------------------------------- */

static void put_reason(void *arg, struct span policy, struct span why)
{
	struct json *j = arg;

	json_obj(j, NULL);
	json_text(j, "policy", policy);
	json_text(j, "why", why);
	json_obj_end(j);
}

/* What only a figure shows: where data goes, how long it is kept. */
static void put_figures(struct json *j, const struct diff *d, const char *of)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diff_item *x = &d->item[i];

		if (x->change < DIFF_WIDER)
			continue;
		json_obj(j, NULL);
		json_str(j, "of", of);
		json_text(j, "machine", x->machine);
		json_text(j, "operator", x->operator_);
		put_subject(j, x);
		json_str(j, "change", diff_change_name(x->change));
		json_arr(j, "scales");
		for (size_t k = 0; k < x->n_row; k++) {
			if (x->row[k].change >= DIFF_WIDER)
				put_row(j, x, &x->row[k]);
		}
		json_arr_end(j);
		json_obj_end(j);
	}
}

static void put_day(struct json *j, const char *key, int64_t s)
{
	char day[24];

	if (s)
		json_str(j, key, bound_date(day, sizeof(day), s));
	else
		json_null(j, key);
}

static void put_version(struct json *j, const char *key,
			const struct pol_file *f)
{
	if (!f) {
		json_null(j, key);
		return;
	}
	json_obj(j, key);
	json_u64(j, "serial", f->serial);
	put_day(j, "valid-from", f->valid_from_s);
	put_day(j, "valid-until", f->valid_until_s);
	json_obj_end(j);
}

static void put_file(void *arg, const struct diff_file *f)
{
	struct json *j = arg;
	const char *what = !f->was ? "NEW" : !f->is ? "REMOVED" : "CHANGED";

	json_obj(j, NULL);
	json_str(j, "policy", f->is ? f->is->id : f->was->id);
	json_str(j, "change", what);
	put_version(j, "was", f->was);
	put_version(j, "is", f->is);
	json_bool(j, "content", f->content);
	json_bool(j, "validity-prolonged", f->prolonged);
	json_obj_end(j);
}

static void put_grade(struct json *j, const char *key,
		      const struct bound_recipient *r)
{
	char grade[2] = {diff_grade(r), 0};

	json_str(j, key, grade);
}

static void put_octets(struct json *j, const char *key,
		       const struct bound_recipient *r)
{
	json_obj(j, key);
	put_count(j, "day", diff_octets(r, MOST_DAY));
	put_count(j, "month", diff_octets(r, MOST_MONTH));
	put_count(j, "year", diff_octets(r, MOST_YEAR));
	json_obj_end(j);
}

static void put_recipients(struct json *j, const struct diff *d, const char *of)
{
	for (size_t i = 0; i < d->n_r; i++) {
		const struct bound_recipient *was = d->r[i].was;
		const struct bound_recipient *is = d->r[i].is;

		json_obj(j, NULL);
		json_str(j, "of", of);
		json_text(j, "machine", (is ? is : was)->machine_name);
		json_text(j, "operator", (is ? is : was)->operator_);
		json_bool(j, "outside", (is && is->outside) ||
						(was && was->outside));
		json_obj(j, "grade");
		put_grade(j, "was", was);
		put_grade(j, "is", is);
		json_obj_end(j);
		json_obj(j, "octets");
		put_octets(j, "was", was);
		put_octets(j, "is", is);
		json_obj_end(j);
		json_obj_end(j);
	}
}

static void put_verdict(struct json *j, const struct diff_whole *w)
{
	json_obj(j, NULL);
	json_str(j, "subject", "verdict");
	json_str(j, "verdict", diff_change_name(w->verdict));
	json_bool(j, "needs-acknowledgement", w->verdict == DIFF_WIDER);
	json_arr(j, "reasons");
	(void)diff_within(w->was, w->is, put_reason, j);
	put_figures(j, w->all, all_of);
	if (w->chose)
		put_figures(j, w->chosen, chosen_of);
	json_arr_end(j);
	json_arr(j, "files");
	diff_files(w->was, w->is, put_file, j);
	json_arr_end(j);
	json_arr(j, "recipients");
	put_recipients(j, w->all, all_of);
	if (w->chose)
		put_recipients(j, w->chosen, chosen_of);
	json_arr_end(j);
	json_obj_end(j);
}

int diff_json_verdict(const struct diff_whole *w)
{
	bool ok = false;

	/* However many reasons there are. */
	for (size_t cap = 1u << 16; !ok && cap <= 1u << 28; cap *= 4) {
		char *buf = malloc(cap);
		struct json j = json_of(buf, cap);

		if (!buf)
			return E_NOMEM;
		put_verdict(&j, w);
		ok = json_line(&j);
		if (ok)
			fwrite(j.w.p, 1, j.w.n, stdout);
		free(buf);
	}
	return ok ? 0 : E_LIMIT;
}
