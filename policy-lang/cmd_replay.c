/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a set makes of a capture: each message's verdict, the sum, and how far
 * the budgets were used on each day.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "dissectors/c1222/c1222.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"

#define BUDGETS_MAX 4096 /* days of budgets */

/* The most that a budget was used on a day of the meter's standard time. */
struct used {
	char guest[48];
	struct span party, name; /* of the set */
	int64_t day; /* since 1970 */
	uint64_t most, limit;
};

struct report {
	struct played_args args;
	const char *set, *pcap;
	bool json, quiet;
	uint64_t allowed, refused[REASON_COUNT], monitored;
	struct used used[BUDGETS_MAX];
	size_t n_used;
	bool cut; /* more budgets than there is room for */
	uint8_t line[EVE_LINE_MAX];
};

/* --- one message ---------------------------------------------------------- */

static void print_event(struct report *r, uint64_t n, const struct event *ev)
{
	struct eve_opts o = {.has_seq = true, .seq = n,
			     .service_name = c1222_service_name};
	struct wbuf w = wbuf_of(r->line, sizeof(r->line));

	if (!r->json) {
		if (eve_text(&w, ev, &o))
			fwrite(w.p, 1, w.n, stdout);
		return;
	}
	for (unsigned lines = eve_lines(ev); o.line < lines; o.line++) {
		struct json j = json_of(r->line, sizeof(r->line));

		if (eve_event(&j, ev, &o))
			fwrite(j.w.p, 1, j.w.n, stdout);
	}
}

static int64_t day_of(struct wall w)
{
	int64_t s = wall_s(w) + w.std_off_s;

	return s / 86400 - (s % 86400 < 0);
}

static void note_budget(struct report *r, const struct event *ev,
			const struct event_budget *b)
{
	struct used is = {.party = ev->party,
			  .name = b->name,
			  .day = day_of(ev->now.wall),
			  .most = b->used,
			  .limit = b->limit};

	snprintf(is.guest, sizeof(is.guest), "%.*s", (int)ev->guest.n,
		 (const char *)ev->guest.p);
	for (size_t i = r->n_used; i > 0; i--) {
		struct used *u = &r->used[i - 1];

		if (u->day != is.day || strcmp(u->guest, is.guest) != 0 ||
		    !span_eq(u->name, is.name) || !span_eq(u->party, is.party))
			continue;
		if (is.most > u->most)
			u->most = is.most;
		return;
	}
	r->cut |= r->n_used == BUDGETS_MAX;
	if (!r->cut)
		r->used[r->n_used++] = is;
}

static void on_event(void *arg, uint64_t n, const struct event *ev)
{
	struct report *r = arg;

	if (n == 0)
		return;
	if (!r->quiet)
		print_event(r, n, ev);
	if (ev->verdict == VERDICT_DENY)
		r->refused[ev->reason]++;
	if (ev->type != EV_DECISION)
		return;
	r->allowed++;
	r->monitored += ev->monitored;
	for (uint32_t i = 0; i < ev->n_budgets; i++)
		note_budget(r, ev, &ev->budgets[i]);
}

/* --- the sum -------------------------------------------------------------- */

static int used_order(const void *a, const void *b)
{
	const struct used *x = a, *y = b;
	const struct span k[][2] = {{x->name, y->name}, {x->party, y->party}};
	int c = strcmp(x->guest, y->guest);

	if (c)
		return c;
	for (size_t i = 0; i < 2; i++) {
		size_t n = k[i][0].n < k[i][1].n ? k[i][0].n : k[i][1].n;

		c = n ? memcmp(k[i][0].p, k[i][1].p, n) : 0;

		if (c || k[i][0].n != k[i][1].n)
			return c ? c : k[i][0].n < k[i][1].n ? -1 : 1;
	}
	return x->day < y->day ? -1 : x->day > y->day;
}

static const char *day_text(char buf[CLOCK_TEXT], int64_t day)
{
	clock_eve(buf, (struct wall){.us = day * 86400 * US_PER_S});
	buf[10] = 0;
	return buf;
}

#define TEXT(s) (int)(s).n, (const char *)(s).p

static void print_used(const struct report *r)
{
	char day[CLOCK_TEXT];

	for (size_t i = 0; i < r->n_used; i++) {
		const struct used *u = &r->used[i];

		if (i == 0)
			printf("budgets, as far as they were used each day:\n");
		if (i == 0 || !span_eq(u->name, u[-1].name) ||
		    !span_eq(u->party, u[-1].party) ||
		    strcmp(u->guest, u[-1].guest) != 0)
			printf("  %s with %.*s, %.*s\n", u->guest,
			       TEXT(u->party), TEXT(u->name));
		printf("    %s  %llu of %llu\n", day_text(day, u->day),
		       (unsigned long long)u->most,
		       (unsigned long long)u->limit);
	}
	if (r->cut)
		printf("  (and more, which had no room here)\n");
}

static uint64_t sum_refused(const struct report *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < REASON_COUNT; i++)
		n += r->refused[i];
	return n;
}

static void print_sum(const struct report *r, const struct pipeline_stats *s)
{
	const char *lead = ": ";

	print_used(r);
	printf("%llu packets, %llu would have left, %llu not; %llu "
	       "observations permitted, %llu refused",
	       (unsigned long long)s->packets, (unsigned long long)s->passed,
	       (unsigned long long)s->dropped, (unsigned long long)r->allowed,
	       (unsigned long long)sum_refused(r));
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		if (!r->refused[i])
			continue;
		printf("%s%llu %s", lead, (unsigned long long)r->refused[i],
		       reason_text((enum reason)i));
		lead = ", ";
	}
	if (r->monitored)
		printf("; %llu only on trial",
		       (unsigned long long)r->monitored);
	printf("\n");
}

static void json_used(const struct report *r, struct json *j)
{
	char day[CLOCK_TEXT];

	json_arr(j, "budgets");
	for (size_t i = 0; i < r->n_used; i++) {
		const struct used *u = &r->used[i];

		json_obj(j, NULL);
		json_str(j, "guest", u->guest);
		json_text(j, "party", u->party);
		json_text(j, "name", u->name);
		json_str(j, "day", day_text(day, u->day));
		json_u64(j, "used", u->most);
		json_u64(j, "limit", u->limit);
		json_obj_end(j);
	}
	json_arr_end(j);
	json_bool(j, "budgets_cut", r->cut);
}

/* A line of its own size: it has one row for each day of a budget. */
static int json_sum(const struct report *r, const struct pipeline_stats *s)
{
	size_t cap = 4096 + r->n_used * 1024;
	char *buf = malloc(cap);
	struct json j;

	if (!buf) {
		polc_say("out of memory");
		return POLC_IO;
	}
	j = json_of(buf, cap);
	json_obj(&j, NULL);
	json_str(&j, "event_type", "summary");
	json_u64(&j, "packets", s->packets);
	json_u64(&j, "passed", s->passed);
	json_u64(&j, "dropped", s->dropped);
	json_u64(&j, "permitted", r->allowed);
	json_u64(&j, "monitored", r->monitored);
	json_obj(&j, "refused");
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		if (r->refused[i])
			json_u64(&j, reason_text((enum reason)i),
				 r->refused[i]);
	}
	json_obj_end(&j);
	json_used(r, &j);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
	else
		polc_say("the summary has no room");
	free(buf);
	return j.w.failed ? POLC_IO : POLC_OK;
}

/* --- the command ---------------------------------------------------------- */

static int replay(struct report *r)
{
	const struct played_sink sink = {on_event, r};
	struct capture_policy p;
	struct pol_state *st = NULL;
	struct pipeline_stats stats = {0};
	struct err e = {0};
	int rc = capture_policy_offline(&p, r->set, &e);

	if (rc) {
		polc_say("%s", e.text);
		return polc_exit(rc);
	}
	rc = pol_state_new(&st, p.set, &e);
	if (rc == 0)
		rc = played_run(p.set, st, &r->args, r->pcap, &sink, &stats,
				&e);
	qsort(r->used, r->n_used, sizeof(r->used[0]), used_order);
	if (rc) {
		polc_say("%s", e.text);
		rc = e.code == E_NOTFOUND ? POLC_USAGE : POLC_IO;
	} else if (r->json) {
		rc = json_sum(r, &stats);
	} else {
		print_sum(r, &stats);
	}
	pol_state_free(st);
	capture_policy_free(&p);
	return rc;
}

static int parse(struct report *r, int argc, char **argv)
{
	const struct option_row options[] = {
		PLAYED_OPTIONS(&r->args),
		{"-q",     OPTION_FLAG, &r->quiet, NULL},
		{"--json", OPTION_FLAG, &r->json,  NULL},
	};
	int rc = options_read(&argc, argv, options, PLAYED_N + 2);

	if (rc)
		return rc;
	if (argc != 3)
		return polc_usage("replay: a set and a capture are needed");
	r->set = argv[1];
	r->pcap = argv[2];
	return 0;
}

int cmd_replay(int argc, char **argv)
{
	struct report *r = calloc(1, sizeof(*r));
	int rc;

	if (!r) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = parse(r, argc, argv);
	if (rc == 0)
		rc = replay(r);
	free(r);
	return rc;
}
