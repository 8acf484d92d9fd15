/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many meters under one set ask of those they talk to: what each may get
 * on average, from the figures of bound, and what arrives when all call at
 * once (policy-language 13).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "policy-lang/figures.h"
#include "policy-lang/front/diag.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

#define YEAR_S     (365.0 * 86400)
#define AT_ONCE_S  60 /* all clocks agree, but for a minute */
#define MAX_METERS 1000000000
#define EXCHANGE   700 /* octets of asking and answering, headers too */

struct fleet_args {
	uint64_t meters, exchange;
	double uplink; /* bit/s; 0 = not given */
	bool json, strict;
};

/* How the calls of a rule lie in time. */
enum pace {
	PACE_ASKED,  /* the other end decides when */
	PACE_SPREAD, /* each meter has its slot of the window */
	PACE_FREE,   /* when something happens, which may be the same for all */
	PACE_HERD,   /* all at the moment when the window opens */
};

static enum pace pace_of(const struct pol_rule_src *r)
{
	if (r->when.present)
		return r->when.spread_ns ? PACE_SPREAD : PACE_HERD;
	return r->has_answers ? PACE_ASKED : PACE_FREE;
}

static int64_t window_s(const struct pol_when *w)
{
	int64_t min =
		w->has_between ? (int64_t)w->to_min - w->from_min : 24 * 60;

	return 60 * (min <= 0 ? min + 24 * 60 : min);
}

/* Bits a second that a rule's calls are at their worst. */
static double peak_of(const struct pol_rule_src *r, const struct fleet_args *a)
{
	double all = (double)a->meters * (double)a->exchange * 8;

	switch (pace_of(r)) {
	case PACE_ASKED:
		return 0;
	case PACE_SPREAD:
		return all / (double)window_s(&r->when);
	default:
		return all / AT_ONCE_S;
	}
}

static bool goes_to(const struct pol_file *f, const struct pol_rule_src *r,
		    const struct bound_recipient *to)
{
	if (r->kind != RULE_GRANT || r->dir == DIRSEL_IN)
		return false;
	for (size_t i = 0; i < r->party.n_party; i++) {
		const struct pol_party_src *p = &f->party[r->party.party[i]];

		if (span_is(to->operator_,
			    p->operator_ ? p->operator_ : p->name))
			return true;
	}
	return false;
}

struct load {
	double average; /* bit/s; negative: nothing bounds it */
	double peak;
	enum pace worst;
	const struct pol_rule_src *rule; /* the one that peaks */
};

static struct load load_of(const struct pol_file *f,
			   const struct bound_recipient *to,
			   const struct fleet_args *a)
{
	uint64_t year = to->bytes[MOST_YEAR];
	double most = 0;
	struct load l = {.average = year == MOST_UNLIMITED
					    ? -1
					    : (double)year * 8 / YEAR_S *
						      (double)a->meters};

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		double peak;

		if (!goes_to(f, r, to))
			continue;
		peak = peak_of(r, a);
		l.peak += peak;
		if (!l.rule || peak > most) {
			most = peak;
			l.rule = r;
			l.worst = pace_of(r);
		}
	}
	/* What is asked for comes as it is asked: on average. */
	if (l.peak < l.average)
		l.peak = l.average;
	return l;
}

/* --- saying it -------------------------------------------------------------
 */

static const char *rate(char buf[40], double bits)
{
	static const char *const unit[] = {"bit/s", "kbit/s", "Mbit/s",
					   "Gbit/s"};
	unsigned u = 0;

	if (bits < 0)
		return "not bounded";
	for (; bits >= 1000 && u < 3; u++)
		bits /= 1000;
	snprintf(buf, 40, "%.*f %s",
		 bits < 10    ? 2
		 : bits < 100 ? 1
			      : 0,
		 bits, unit[u]);
	return buf;
}

static void print_load(const struct bound_recipient *to, const struct load *l,
		       const struct fleet_args *a)
{
	static const char *const why[] = {"as it asks",
					  "spread over the window of",
					  "if all call within a minute, by",
					  "when all call within a minute, by"};
	char buf[2][40];

	printf("%.*s -> %.*s: %llu meters\n", (int)to->machine_name.n,
	       (const char *)to->machine_name.p, (int)to->operator_.n,
	       (const char *)to->operator_.p, (unsigned long long)a->meters);
	printf("  average  %s%s\n", rate(buf[0], l->average),
	       l->average < 0 ? "" : " at most");
	printf("  peak     %s, %s%s%s\n", rate(buf[1], l->peak), why[l->worst],
	       l->rule && l->worst != PACE_ASKED ? " " : "",
	       l->rule && l->worst != PACE_ASKED ? l->rule->id : "");
}

static void put_rate(struct json *j, const char *key, double bits)
{
	if (bits < 0)
		json_null(j, key);
	else
		json_u64(j, key, (uint64_t)(bits + 0.5));
}

static void print_json(const struct bound_recipient *to, const struct load *l,
		       const struct fleet_args *a)
{
	static const char *const pace[] = {"asked", "spread", "free", "herd"};
	char buf[4096];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_text(&j, "machine", to->machine_name);
	json_text(&j, "operator", to->operator_);
	json_u64(&j, "meters", a->meters);
	put_rate(&j, "average-bit-s", l->average);
	put_rate(&j, "peak-bit-s", l->peak);
	json_str(&j, "pace", pace[l->worst]);
	if (l->rule)
		json_str(&j, "rule", l->rule->id);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

/* --- warnings --------------------------------------------------------------
 */

static void warn_herds(struct diags *d, const struct pol_file *f,
		       const struct bound_recipient *to,
		       const struct fleet_args *a)
{
	char buf[40];

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		struct diag_at at = {r->pos.line, r->pos.col,
				     (uint32_t)strlen(r->id)};

		if (goes_to(f, r, to) && pace_of(r) == PACE_HERD)
			diag_add(d, DIAG_WARNING, 6101, f->path, at,
				 "add spread: 30 min to when",
				 "'%s' lets %llu meters call at the same "
				 "moment: %s",
				 r->id, (unsigned long long)a->meters,
				 rate(buf, peak_of(r, a)));
	}
}

static void warn_uplink(struct diags *d, const struct pol_file *f,
			const struct bound_recipient *to, const struct load *l,
			const struct fleet_args *a)
{
	struct diag_at at = {0, 0, 0};
	char buf[3][40];

	if (a->uplink <= 0 || (l->average >= 0 && l->peak <= a->uplink))
		return;
	if (l->rule && l->average >= 0 && l->average <= a->uplink)
		at = (struct diag_at){l->rule->pos.line, l->rule->pos.col,
				      (uint32_t)strlen(l->rule->id)};
	diag_add(d, DIAG_WARNING, 6102, f->path, at,
		 l->average < 0 ? "add a limit on bytes"
				: "a longer window with spread, or less bytes",
		 "%.*s: average %s, peak %s; the line carries %s",
		 (int)(to->operator_.n < 60 ? to->operator_.n : 60),
		 (const char *)to->operator_.p, rate(buf[0], l->average),
		 rate(buf[1], l->peak), rate(buf[2], a->uplink));
}

/* --- the command -----------------------------------------------------------
 */

static void fleet_of(const struct scene *s, const struct bound *b,
		     const struct fleet_args *a, struct diags *d)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *to = &b->r[i];
		const struct pol_file *f;
		struct load l;
		char vm[64];

		snprintf(vm, sizeof(vm), "%.*s", (int)to->machine_name.n,
			 (const char *)to->machine_name.p);
		f = scene_policy(s, vm);
		if (!f || !to->outside || !bound_gets(to))
			continue;
		l = load_of(f, to, a);
		if (a->json)
			print_json(to, &l, a);
		else
			print_load(to, &l, a);
		warn_herds(d, f, to, a);
		warn_uplink(d, f, to, &l, a);
	}
}

static int fleet_files(const struct pol_files *files, const void *arg,
		       struct err *e)
{
	const struct fleet_args *a = arg;
	struct diags *d = calloc(1, sizeof(*d));
	struct bound *b = NULL;
	struct scene s;
	int rc;

	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = scene_new(&s, (const struct pol_file *const *)files->f, files->n,
		       e);
	if (rc) {
		free(d);
		return rc;
	}
	rc = bound_new(&b, s.set, false, e);
	if (!rc)
		fleet_of(&s, b, a, d);
	if (!rc)
		polc_diags(a->json ? stdout : stderr, d, files,
			   a->json ? SAY_JSON : SAY_TEXT);
	if (!rc && a->strict && d->warnings)
		rc = E_SYNTAX;
	bound_free(b);
	scene_free(&s);
	free(d);
	return rc;
}

/* "100 Mbit/s", with or without the space. */
static bool read_rate(const char *text, double *out)
{
	static const struct {
		const char *unit;
		double bits;
	} units[] = {
		{"bit/s",  1  },
		{"kbit/s", 1e3},
		{"Mbit/s", 1e6},
		{"Gbit/s", 1e9}
        };
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end == text || text[0] == '-' || errno || n == 0)
		return false;
	end += *end == ' ';
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].unit) == 0) {
			*out = (double)n * units[i].bits;
			return true;
		}
	}
	return false;
}

static bool read_count(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return end != text && !*end && text[0] != '-' && !errno && *out >= 1 &&
	       *out <= max;
}

static int take_meters(void *to, const char *name, const char *value,
		       struct err *e)
{
	(void)name;
	return read_count(value, MAX_METERS, to)
		       ? 0
		       : err_set(e, E_SYNTAX, 0,
				 "'%s' is no number of meters, 1 to 1000000000",
				 value);
}

static int take_exchange(void *to, const char *name, const char *value,
			 struct err *e)
{
	(void)name;
	return read_count(value, 1 << 30, to)
		       ? 0
		       : err_set(e, E_SYNTAX, 0, "'%s' is no number of octets",
				 value);
}

static int take_rate(void *to, const char *name, const char *value,
		     struct err *e)
{
	(void)name;
	return read_rate(value, to)
		       ? 0
		       : err_set(e, E_SYNTAX, 0,
				 "'%s' is no rate like '100 Mbit/s'", value);
}

int cmd_fleet(int argc, char **argv)
{
	struct fleet_args a = {.exchange = EXCHANGE};
	const struct option_row options[] = {
		{"--meters",   OPTION_TAKE, &a.meters,   take_meters  },
		{"--exchange", OPTION_TAKE, &a.exchange, take_exchange},
		{"--uplink",   OPTION_TAKE, &a.uplink,   take_rate    },
		{"--strict",   OPTION_FLAG, &a.strict,   NULL         },
		{"--json",     OPTION_FLAG, &a.json,     NULL         },
	};
	int rc = options_read(&argc, argv, options, 5);

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("fleet: which files?");
	if (!a.meters)
		return polc_usage("fleet: how many? --meters N");
	return polc_with_files(argv + 1, (size_t)(argc - 1), a.json,
			       fleet_files, &a);
}
