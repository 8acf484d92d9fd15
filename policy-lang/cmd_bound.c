/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/figures.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* --- for people ---------------------------------------------------------- */

#define COUNT 24
static const char *count(char buf[COUNT], uint64_t n)
{
	if (n == MOST_UNLIMITED)
		return "any";
	snprintf(buf, COUNT, "%llu", (unsigned long long)n);
	return buf;
}

static void print_counts(const char *what, const uint64_t n[MOST_SPANS])
{
	char b[6][COUNT];

	printf("      %-10s %s a day, %s a month, %s a year; %s in any 24 h, "
	       "%s in 30 d, %s in 365 d\n",
	       what, count(b[0], n[MOST_DAY]), count(b[1], n[MOST_MONTH]),
	       count(b[2], n[MOST_YEAR]), count(b[3], n[MOST_24H]),
	       count(b[4], n[MOST_30D]), count(b[5], n[MOST_365D]));
}

static void print_consent(const struct bound_flow *f)
{
	static const char *const names[] = {"", "no consent needed", "opt-out",
					    "opt-in"};
	static const char *const answers[] = {"refused", "granted"};

	if (f->consent == CONSENT_UNSET)
		return;
	printf(", %s", names[f->consent]);
	if (f->answer >= 0)
		printf(" (%s)", answers[f->answer]);
}

static struct span rule_of(struct span name)
{
	return name.n ? name : span_str("(the policy is on trial)");
}

/* Of all quantities together, or of each. */
static const char *of_each(const struct bound_flow *f)
{
	return f->channels || f->values_day == MOST_UNLIMITED
		       ? ""
		       : " of each quantity";
}

static void print_flow(const struct bound_flow *f)
{
	char t[3][64], n[2][COUNT];

	printf("    %s by %.*s", meas_name(f->meas),
	       TEXT(rule_of(f->rule_name)));
	print_consent(f);
	if (f->monitored)
		printf(", on trial until %s: only the baseline bounds it",
		       bound_date(t[0], sizeof(t[0]), f->until_s));
	printf("\n");
	if (meas_class(f->meas) == MEAS_CLASS_SERIES)
		printf("      values     every %s, %s old at least, %s back; "
		       "%s new one%s a day%s, %s at first\n",
		       f->granularity_ns ? bound_time(t[0], sizeof(t[0]),
						      f->granularity_ns)
					 : "instant",
		       bound_time(t[1], sizeof(t[1]), f->delay_ns),
		       bound_time(t[2], sizeof(t[2]), f->history_ns),
		       count(n[0], f->values_day),
		       f->values_day == 1 ? "" : "s", of_each(f),
		       count(n[1], f->backlog));
	else if (f->spacing_ns != INT64_MAX)
		printf("      values     every %s, %s old at least\n",
		       f->spacing_ns ? bound_time(t[0], sizeof(t[0]),
						  f->spacing_ns)
				     : "instant",
		       bound_time(t[1], sizeof(t[1]), f->delay_ns));
	if (f->with_ns < f->spacing_ns)
		printf("      together   every %s by all its rules\n",
		       f->with_ns ? bound_time(t[0], sizeof(t[0]), f->with_ns)
				  : "instant");
	print_counts("readings", f->readings);
}

static void print_power(const struct bound_power *p)
{
	char n[COUNT], t[64];

	printf("    may switch or limit appliances by %.*s: %s times a day, %s "
	       "apart",
	       TEXT(rule_of(p->rule_name)), count(n, p->day),
	       bound_time(t, sizeof(t), p->apart_ns));
	if (p->has_value && p->unit == UNIT_S)
		printf(", for %s at most",
		       bound_time(t, sizeof(t), p->hi / 1000 * NS_PER_S));
	else if (p->has_value)
		printf(", from %lld to %lld m%s", (long long)p->lo,
		       (long long)p->hi, unit_name(p->unit));
	if (p->until_s)
		printf(", on trial until %s",
		       bound_date(t, sizeof(t), p->until_s));
	printf("\n");
}

static void print_recipient(const struct bound_recipient *r)
{
	char t[64];

	printf("%.*s -> %.*s", TEXT(r->machine_name), TEXT(r->operator_));
	if (r->country.n)
		printf(" (%.*s)", TEXT(r->country));
	printf("  grade %c%s%s%s", r->grade, r->sealed ? " X" : "",
	       r->live ? ", live" : "", r->late ? ", late" : "");
	if (r->spacing_ns != INT64_MAX)
		printf(", a value every %s",
		       r->spacing_ns
			       ? bound_time(t, sizeof(t), r->spacing_ns)
			       : "instant");
	printf("\n");
	for (size_t i = 0; i < r->n_flow; i++)
		print_flow(&r->flow[i]);
	for (size_t i = 0; i < r->n_power; i++)
		print_power(&r->power[i]);
	if (r->n_way) {
		printf("    all together\n");
		print_counts("readings", r->readings);
		print_counts("octets", r->bytes);
		if (r->sealed)
			print_counts("sealed", r->sealed_bytes);
	}
}

/* --- for programs -------------------------------------------------------- */

static void put_counts(struct json *j, const char *key,
		       const uint64_t n[MOST_SPANS])
{
	json_obj(j, key);
	put_count(j, "day", n[MOST_DAY]);
	put_count(j, "month", n[MOST_MONTH]);
	put_count(j, "year", n[MOST_YEAR]);
	put_count(j, "any-24h", n[MOST_24H]);
	put_count(j, "any-30d", n[MOST_30D]);
	put_count(j, "any-365d", n[MOST_365D]);
	json_obj_end(j);
}

static void put_flow(struct json *j, const struct bound_flow *f)
{
	json_obj(j, NULL);
	json_str(j, "measurement", meas_name(f->meas));
	json_text(j, "party", f->party_name);
	if (f->rule_name.n)
		json_text(j, "rule", f->rule_name);
	json_bool(j, "monitored", f->monitored);
	put_until(j, f->until_s);
	if (meas_class(f->meas) == MEAS_CLASS_SERIES)
		put_seconds(j, "granularity-s", f->granularity_ns);
	put_seconds(j, "spacing-s", f->spacing_ns);
	put_seconds(j, "freshest-s", f->delay_ns);
	put_seconds(j, "history-s", f->history_ns);
	put_counts(j, "readings", f->readings);
	put_quantities(j, f);
	put_count(j, "values-per-day", f->values_day);
	if (meas_class(f->meas) == MEAS_CLASS_SERIES)
		put_count(j, "backlog-values", f->backlog);
	json_obj_end(j);
}

static void put_recipient(struct json *j, const struct bound_recipient *r)
{
	char grade[2] = {r->grade, 0};

	json_obj(j, NULL);
	json_text(j, "machine", r->machine_name);
	json_text(j, "operator", r->operator_);
	json_str(j, "grade", grade);
	json_bool(j, "sealed", r->sealed);
	json_bool(j, "live", r->live);
	json_bool(j, "late", r->late);
	put_seconds(j, "spacing-s", r->spacing_ns);
	put_seconds(j, "seen-per-day-s", r->coverage_ns);
	put_counts(j, "readings", r->readings);
	put_counts(j, "octets", r->bytes);
	put_counts(j, "sealed-octets", r->sealed_bytes);
	json_arr(j, "flows");
	for (size_t i = 0; i < r->n_flow; i++)
		put_flow(j, &r->flow[i]);
	json_arr_end(j);
	json_obj_end(j);
}

static int print_json(const struct bound_recipient *r)
{
	size_t cap = 4096 + r->n_flow * 1024;
	char *buf = malloc(cap);
	struct json j = json_of(buf, buf ? cap : 0);
	bool ok;

	put_recipient(&j, r);
	ok = json_line(&j);
	if (ok)
		fwrite(j.w.p, 1, j.w.n, stdout);
	free(buf);
	return ok ? 0 : E_NOMEM;
}

/* --- the command --------------------------------------------------------- */

struct bound_args {
	bool customer, json;
};

static int bound_files(const struct pol_files *files, const void *arg,
		       struct err *e)
{
	const struct bound_args *a = arg;
	struct bound *b = NULL;
	bool none = true;
	struct scene s;
	int rc = scene_new(&s, (const struct pol_file *const *)files->f,
			   files->n, e);

	if (rc)
		return rc;
	rc = bound_new(&b, s.set, a->customer, e);
	for (size_t i = 0; !rc && i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		none = none && !bound_gets(r);

		if (a->json)
			rc = print_json(r);
		else if (bound_gets(r))
			print_recipient(r);
	}
	if (!rc && none && !a->json)
		printf("Nothing leaves, and nothing may be switched.\n");
	bound_free(b);
	scene_free(&s);
	return rc;
}

int cmd_bound(int argc, char **argv)
{
	struct bound_args a = {0};
	const struct option_row options[] = {
		{"--customer", OPTION_FLAG, &a.customer, NULL},
		{"--json",     OPTION_FLAG, &a.json,     NULL},
	};
	int rc = options_read(&argc, argv, options, 2);

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("bound: which files?");
	return polc_with_files(argv + 1, (size_t)(argc - 1), a.json,
			       bound_files, &a);
}
