/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/analysis/label.h"
#include "policy-lang/figures.h"
#include "policy-lang/label_page.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p
#define WIDTH	72
#define INDENT	12

/* --- for people: lines that are broken between words ----------------------- */

struct lines {
	size_t at; /* column */
};

static void put_word(struct lines *l, const char *w, size_t n)
{
	if (l->at > INDENT && l->at + 1 + n > WIDTH) {
		printf("\n%*s", INDENT, "");
		l->at = INDENT;
	} else if (l->at > INDENT) {
		putchar(' ');
		l->at++;
	}
	printf("%.*s", (int)n, w);
	l->at += n;
}

static void put_words(struct lines *l, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (n)
			put_word(l, text, n);
		text += n + (text[n] == ' ');
	}
}

static struct lines begin(const char *head)
{
	printf("%-*s", INDENT, head);
	return (struct lines){INDENT};
}

static void end(void)
{
	putchar('\n');
}

static void put_line(const char *head, const char *text)
{
	struct lines l = begin(head);

	put_words(&l, text);
	end();
}

/* --- what is said ---------------------------------------------------------- */

static const char *per(char buf[80], uint64_t n, const char *period)
{
	if (n == MOST_UNLIMITED)
		return "as often as it likes";
	if (n == 1)
		snprintf(buf, 80, "at most once a %s", period);
	else
		snprintf(buf, 80, "at most %llu times a %s",
			 (unsigned long long)n, period);
	return buf;
}

/* Of what comes less often than once a day the month says more, or the year. */
static const char *how_often(char buf[80], const struct bound_flow *f)
{
	const uint64_t *n = f->readings;

	if (n[MOST_YEAR] < 12)
		return per(buf, n[MOST_YEAR], "year");
	if (n[MOST_MONTH] < 28)
		return per(buf, n[MOST_MONTH], "month");
	return per(buf, n[MOST_DAY], "day");
}

static void say_series(const struct bound_flow *f, char *buf, size_t cap)
{
	char a[64], b[64], c[64], d[80];

	snprintf(buf, cap, "%s in every %s, %s%s%s, %s, %s%s",
		 f->meas == MEAS_ENERGY_INTERVAL ? "your use"
						 : meas_plain(f->meas),
		 f->granularity_ns
			 ? bound_time(a, sizeof(a), f->granularity_ns)
			 : "instant",
		 f->delay_ns ? "never less than " : "up to this moment",
		 f->delay_ns ? bound_time(b, sizeof(b), f->delay_ns) : "",
		 f->delay_ns ? " old" : "", how_often(d, f),
		 f->history_ns == BOUND_NONE ? "as far back as there is"
					     : "at most ",
		 f->history_ns == BOUND_NONE
			 ? ""
			 : bound_time(c, sizeof(c), f->history_ns));
	if (f->history_ns != BOUND_NONE)
		snprintf(buf + strlen(buf), cap - strlen(buf), " back");
}

static void say_snapshot(const struct bound_flow *f, char *buf, size_t cap)
{
	char a[64], b[64], d[80];
	size_t n = (size_t)snprintf(buf, cap, "%s, %s", meas_plain(f->meas),
				    how_often(d, f));

	if (n < cap && f->spacing_ns && f->spacing_ns != INT64_MAX &&
	    f->readings[MOST_DAY] > 1)
		n += (size_t)snprintf(buf + n, cap - n,
				      ", at the closest every %s",
				      bound_time(a, sizeof(a), f->spacing_ns));
	if (n < cap && f->delay_ns)
		n += (size_t)snprintf(buf + n, cap - n,
				      ", never less than %s old",
				      bound_time(b, sizeof(b), f->delay_ns));
	if (n < cap && f->res_milli != BOUND_NONE)
		snprintf(buf + n, cap - n, ", in steps of %lld %s%s",
			 (long long)(f->res_milli % 1000000 ? f->res_milli / 1000
						    : f->res_milli / 1000000),
			 f->res_milli % 1000000 ? "" : "k",
			 unit_name(f->res_unit));
}

/* One sentence for a rule, whatever it carries: the finest of it. */
static void put_gets(const struct bound_recipient *r)
{
	char other[SAY_MAX];

	for (size_t i = 0; i < r->n_flow; i++) {
		char buf[400];

		if (label_told(r, i, true))
			continue;
		if (meas_class(r->flow[i].meas) == MEAS_CLASS_SERIES)
			say_series(&r->flow[i], buf, sizeof(buf));
		else
			say_snapshot(&r->flow[i], buf, sizeof(buf));
		put_line(i == 0 ? "Gets" : "", buf);
	}
	if (label_other(r))
		put_line(r->n_flow ? "" : "Gets",
			 say_other(lang_find("en"), other, r));
}

static void put_can_show(const struct bound_recipient *r,
			 const struct label *l)
{
	bool first = true;

	for (unsigned s = 0; s < ST_COUNT; s++) {
		char buf[SAY_MAX];

		if (!(l->statements >> s & 1) || s == ST_LATE)
			continue;
		say_statement(buf, (enum statement)s, l);
		put_line(first ? "Can show" : "", buf);
		first = false;
	}
	if (l->statements >> ST_LATE & 1)
		put_line("But", statement_text(ST_LATE));
	/* What is sealed may say anything. */
	if (l->statements && !l->clear && !l->blurred && !r->sealed)
		put_line("Cannot see", "which appliances are on");
}

static void put_purposes(const struct bound_recipient *r)
{
	bool first = true;

	for (size_t i = 0; i < r->n_flow; i++) {
		struct span said = r->flow[i].purpose;
		char buf[400];

		if (said.n == 0 || label_told(r, i, false))
			continue;
		snprintf(buf, sizeof(buf), "\"%.*s\"",
			 TEXT(said));
		put_line(first ? "They say" : "", buf);
		first = false;
	}
}

static void put_powers(const struct bound_recipient *r)
{
	for (size_t i = 0; i < r->n_power; i++) {
		const struct bound_power *p = &r->power[i];
		char buf[400], t[64], d[80], each[100] = "";

		if (p->has_value && p->unit == UNIT_S)
			snprintf(each, sizeof(each), ", at most %s each",
				 bound_time(t, sizeof(t),
					    p->hi / 1000 * NS_PER_S));
		snprintf(buf, sizeof(buf),
			 "switch or limit your appliances, %s%s",
			 per(d, p->day, "day"), each);
		put_line("May", buf);
	}
}

static void put_consents(const struct bound_recipient *r)
{
	bool first = true;

	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];
		char buf[200];

		if (f->rule == BOUND_NO_RULE || label_told(r, i, false))
			continue;
		if (f->consent == CONSENT_NONE)
			snprintf(buf, sizeof(buf),
				 "(%.*s is part of your contract)",
				 TEXT(f->rule_name));
		else
			snprintf(buf, sizeof(buf), "[%c] %.*s%s",
				 f->answer == 1 || (f->answer < 0 &&
						    f->consent ==
							    CONSENT_OPT_OUT)
					 ? 'x'
					 : ' ',
				 TEXT(f->rule_name),
				 f->answer < 0 && f->consent == CONSENT_OPT_IN
					 ? " (you are asked)"
					 : "");
		put_line(first ? "You can" : "", buf);
		first = false;
	}
}

static void put_trial(void *arg, const char *text)
{
	(void)arg;
	put_line("On trial", text);
}

static void put_recipient(const struct bound_recipient *r)
{
	static const char *const known[] = {
		"its address only", "its ApTitle, which it claims",
		"its ApTitle, by authenticated messages", "a name of TLS",
		"a key of TLS", "this meter itself"};
	char head[SAY_MAX], grade[4] = {r->grade, r->sealed ? 'X' : 0, 0};
	char known_text[200], keeps[120] = "", t[64];
	struct label l;

	label_of(&l, r);
	say_name(head, r);
	printf("%-44s  %-2s  %s\n", head, grade,
	       grade_word(r->sealed && r->grade == '-' ? 'X' : r->grade));
	put_purposes(r);
	put_gets(r);
	put_can_show(r, &l);
	if (r->sealed)
		put_line("Sealed", "sends sealed messages that nobody here can "
				   "read: treat it as if it could send "
				   "anything");
	put_powers(r);
	put_consents(r);
	label_trials(lang_find("en"), r, put_trial, NULL);
	if (r->keeps_ns)
		snprintf(keeps, sizeof(keeps), "; they say they keep it for %s",
			 bound_time(t, sizeof(t), r->keeps_ns));
	snprintf(known_text, sizeof(known_text), "%s%s", known[r->identity],
		 keeps);
	put_line("Known by", known_text);
}

/* --- for programs (privacy.md 9.3) ----------------------------------------- */

static void put_decimal(struct json *j, const char *key, uint64_t thousandths)
{
	char buf[40];
	int n = snprintf(buf, sizeof(buf), "%llu.%03llu",
			 (unsigned long long)(thousandths / 1000),
			 (unsigned long long)(thousandths % 1000));

	json_raw(j, key, span_of(buf, (size_t)n));
}

static void put_flow(struct json *j, const struct bound *b,
		     const struct bound_recipient *r,
		     const struct bound_flow *f)
{
	static const char *const needed[] = {"unset", "none", "opt-out",
					     "opt-in"};
	char res[48];
	bool unlimited = f->readings[MOST_DAY] == MOST_UNLIMITED;

	json_obj(j, NULL);
	json_str(j, "measurement", meas_name(f->meas));
	if (f->rule != BOUND_NO_RULE) {
		json_text(j, "rule", f->rule_name);
		json_text(j, "purpose", f->purpose);
	}
	json_bool(j, "monitored", f->monitored);
	put_until(j, f->until_s);
	if (meas_class(f->meas) == MEAS_CLASS_SERIES)
		put_seconds(j, "granularity-s", f->granularity_ns);
	put_seconds(j, "spacing-s", f->spacing_ns);
	put_seconds(j, "freshest-s", f->delay_ns);
	put_seconds(j, "history-s", f->history_ns);
	if (f->res_milli == BOUND_NONE) {
		json_null(j, "resolution");
	} else {
		snprintf(res, sizeof(res), "%lld %s",
			 (long long)(f->res_milli / 1000),
			 unit_name(f->res_unit));
		json_str(j, "resolution", res);
	}
	json_obj(j, "readings");
	put_count(j, "day", f->readings[MOST_DAY]);
	put_count(j, "any-24h", f->readings[MOST_24H]);
	put_count(j, "year", f->readings[MOST_YEAR]);
	put_count(j, "any-365d", f->readings[MOST_365D]);
	if (unlimited)
		json_bool(j, "unlimited", true);
	json_obj_end(j);
	put_quantities(j, f);
	put_count(j, "values-per-day", f->values_day);
	if (f->grade != '-')
		put_decimal(j, "coverage",
			    (uint64_t)(f->coverage_ns /
				       (MOST_DAY_NS / 1000)));
	if (meas_class(f->meas) == MEAS_CLASS_SERIES)
		put_count(j, "backlog-values", f->backlog);
	json_obj(j, "consent");
	json_str(j, "needed", needed[f->consent]);
	if (f->answer >= 0)
		json_str(j, "answer", f->answer ? "granted" : "refused");
	json_obj_end(j);
	json_arr(j, "conditions");
	for (uint64_t s = f->requires_; s; s &= s - 1)
		json_text(j, NULL,
			  bound_state(b, r, (unsigned)__builtin_ctzll(s)));
	if (f->requires_builtin >> BUILTIN_ATTESTED & 1)
		json_str(j, NULL, "attested");
	json_arr_end(j);
	json_obj_end(j);
}

static void put_set(struct json *j, const char *key, uint32_t set,
		    const char *(*name)(unsigned))
{
	json_arr(j, key);
	for (; set; set &= set - 1)
		json_str(j, NULL, name((unsigned)__builtin_ctz(set)));
	json_arr_end(j);
}

static const char *a_statement(unsigned i)
{
	return statement_key((enum statement)i);
}

static const char *an_appliance(unsigned i)
{
	return appliance_key((enum appliance)i);
}

static void put_recipient_json(struct json *j, const struct bound *b,
			       const struct bound_recipient *r)
{
	static const char *const roles[] = {
		"metering", "grid", "flexibility", "service",
		"software-update", "household", "infrastructure", "vm"};
	static const char *const known[] = {"address", "aptitle", "message",
					    "tls-name", "tls-key", "machine"};
	char grade[2] = {r->grade, 0};
	struct label l;

	label_of(&l, r);
	json_obj(j, NULL);
	json_text(j, "operator", r->operator_);
	json_str(j, "role", roles[r->role]);
	if (r->country.n)
		json_text(j, "country", r->country);
	json_str(j, "identity", known[r->identity]);
	put_seconds(j, "declared-retention-s",
		    r->keeps_ns ? r->keeps_ns : BOUND_NONE);
	json_str(j, "grade", grade);
	json_bool(j, "sealed", r->sealed);
	json_arr(j, "modifiers");
	if (r->live)
		json_str(j, NULL, "live");
	if (r->late)
		json_str(j, NULL, "late");
	json_arr_end(j);
	put_seconds(j, "spacing-s", r->spacing_ns);
	json_arr(j, "flows");
	for (size_t i = 0; i < r->n_flow; i++)
		put_flow(j, b, r, &r->flow[i]);
	json_arr_end(j);
	json_obj(j, "bytes");
	put_count(j, "per-day", r->bytes[MOST_DAY]);
	json_obj_end(j);
	put_count(j, "sealed-bytes-per-day", r->sealed_bytes[MOST_DAY]);
	put_count(j, "other-bytes-per-day", r->other_bytes[MOST_DAY]);
	if (r->dishonest_ns == INT64_MAX)
		json_null(j, "dishonest-spacing-s");
	else
		put_decimal(j, "dishonest-spacing-s",
			    (uint64_t)(r->dishonest_ns / US_PER_S));
	put_set(j, "statements", l.statements, a_statement);
	json_obj(j, "appliances");
	put_set(j, "clear", l.clear, an_appliance);
	put_set(j, "blurred", l.blurred, an_appliance);
	json_obj_end(j);
	json_obj_end(j);
}

static void put_powers_json(struct json *j, const struct bound_recipient *r)
{
	for (size_t i = 0; i < r->n_power; i++) {
		const struct bound_power *p = &r->power[i];

		json_obj(j, NULL);
		json_text(j, "operator", r->operator_);
		if (p->rule != BOUND_NO_RULE)
			json_text(j, "rule", p->rule_name);
		put_count(j, "per-day", p->day);
		put_seconds(j, "apart-s", p->apart_ns);
		put_until(j, p->until_s);
		if (p->has_value && p->unit == UNIT_S)
			json_u64(j, "longest-s", (uint64_t)(p->hi / 1000));
		json_obj_end(j);
	}
}

static void put_digest(struct json *j, const uint8_t digest[32])
{
	char text[80] = "sha-256:";

	for (size_t i = 0; i < 32; i++)
		snprintf(text + 8 + 2 * i, 3, "%02x", digest[i]);
	json_str(j, "digest", text);
}

static int print_json(const struct bound *b, uint16_t machine, bool customer)
{
	const struct pol_image *v = bound_policy(b, machine);
	struct pol_machine about;
	size_t cap = 1u << 20;
	char *buf = malloc(cap);
	struct json j = json_of(buf, buf ? cap : 0);
	uint8_t digest[32];
	bool ok;

	pol_set_machine(b->set, machine, &about);
	pol_image_digest(v, digest);
	json_obj(&j, NULL);
	json_u64(&j, "label", 1);
	json_obj(&j, "policy");
	json_text(&j, "id", pol_image_id(v));
	json_u64(&j, "serial", pol_image_serial(v));
	put_digest(&j, digest);
	json_obj_end(&j);
	json_str(&j, "scope", customer ? "this-household" : "all-consents");
	json_text(&j, "machine", about.name);
	json_arr(&j, "recipients");
	for (size_t i = 0; i < b->n; i++) {
		if (b->r[i].machine == machine)
			put_recipient_json(&j, b, &b->r[i]);
	}
	json_arr_end(&j);
	json_arr(&j, "powers");
	for (size_t i = 0; i < b->n; i++) {
		if (b->r[i].machine == machine)
			put_powers_json(&j, &b->r[i]);
	}
	json_arr_end(&j);
	json_obj_end(&j);
	ok = json_line(&j);
	if (ok)
		fwrite(j.w.p, 1, j.w.n, stdout);
	free(buf);
	return ok ? 0 : E_LIMIT;
}

/* --- the command ------------------------------------------------------------ */

static void print_text(const struct bound *b)
{
	bool first = true;

	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (!label_shown(r))
			continue;
		if (!first)
			putchar('\n');
		put_recipient(r);
		first = false;
	}
	if (first)
		printf("Nothing about your use leaves your home.\n");
}

enum label_form { FORM_TEXT, FORM_JSON, FORM_HTML, FORM_SVG };
struct label_args {
	bool customer;
	enum label_form form;
	const struct lang *lang;
};

static int print_label(const struct pol_files *files, const struct scene *s,
		       const struct bound *b, const struct label_args *a)
{
	const struct label_page page = {files, s, b, a->lang, a->customer};
	int rc = 0;

	switch (a->form) {
	case FORM_TEXT:
		print_text(b);
		break;
	case FORM_HTML:
		label_html(stdout, &page);
		break;
	case FORM_SVG:
		label_svg(stdout, &page, true);
		break;
	case FORM_JSON:
		for (uint16_t m = 0; !rc && m < pol_set_machines(s->set); m++) {
			if (bound_policy(b, m))
				rc = print_json(b, m, a->customer);
		}
		break;
	}
	return rc;
}

static int label_files(const struct pol_files *files, const void *arg,
		       struct err *e)
{
	const struct label_args *a = arg;
	struct bound *b = NULL;
	struct scene s;
	int rc = scene_new(&s, (const struct pol_file *const *)files->f,
			   files->n, e);

	if (rc)
		return rc;
	rc = bound_new(&b, s.set, a->customer, e);
	if (!rc)
		rc = print_label(files, &s, b, a);
	bound_free(b);
	scene_free(&s);
	return rc;
}

static int take_form(void *to, const char *name, const char *value,
		     struct err *e)
{
	static const char *const names[] = {[FORM_TEXT] = "--text",
					    [FORM_JSON] = "--json",
					    [FORM_HTML] = "--html",
					    [FORM_SVG] = "--svg"};

	(void)value, (void)e;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			*(enum label_form *)to = (enum label_form)i;
	}
	return 0;
}

static int take_lang(void *to, const char *name, const char *value,
		     struct err *e)
{
	const struct lang *l = lang_find(value);

	(void)name;
	if (!l)
		return err_set(e, E_SYNTAX, 0,
			       "no words in language '%s'; there are: %s",
			       value, lang_tags());
	*(const struct lang **)to = l;
	return 0;
}

int cmd_label(int argc, char **argv)
{
	struct label_args a = {.lang = lang_find("en")};
	const struct option_row options[] = {
		{"--customer", OPTION_FLAG, &a.customer, NULL     },
		{"--lang",     OPTION_TAKE, &a.lang,     take_lang},
		{"--text",     OPTION_WORD, &a.form,     take_form},
		{"--json",     OPTION_WORD, &a.form,     take_form},
		{"--html",     OPTION_WORD, &a.form,     take_form},
		{"--svg",      OPTION_WORD, &a.form,     take_form},
	};
	int rc = options_read(&argc, argv, options, 6);

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("label: which files?");
	return polc_with_files(argv + 1, (size_t)(argc - 1),
			       a.form == FORM_JSON, label_files, &a);
}
