/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which messages of a capture pass under one set and not under the other.
 * Each set judges all of it, so what follows from a verdict (a connection
 * that is refused from then on, a request that was never made) counts, too.
 * A packet is told once: what it carries passes together or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/eve.h"
#include "core/json.h"
#include "dissectors/c1222/c1222.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"

struct outcome { /* of a packet that completed a message, or was refused */
	uint64_t packet;
	size_t order; /* of coming */
	bool denied;
	enum reason reason;
	char *what; /* one line; NULL: nothing was read of it */
};

struct outcomes {
	struct outcome *v;
	size_t n, cap;
	bool failed; /* out of memory */
	uint8_t line[EVE_LINE_MAX];
};

/* When, whose, and what it says, without the verdict. */
static char *describe(struct outcomes *o, const struct event *ev)
{
	struct eve_opts opt = {.service_name = c1222_service_name};
	struct wbuf w = wbuf_of(o->line, sizeof(o->line));
	struct event brief = *ev;
	static const char word[] = " decision ";
	char *text, *at;

	brief.type = EV_DECISION;
	brief.verdict = VERDICT_NONE;
	brief.n_rules = 0;
	brief.detail = NULL;
	brief.would_pass = (struct span){0};
	brief.reasons = (struct reasons){{0}};
	brief.reason = REASON_NONE;
	if (!eve_text(&w, &brief, &opt) || w.n == 0)
		return NULL;
	text = strndup((const char *)w.p, w.n - 1); /* without the newline */
	at = text ? strstr(text, word) : NULL;
	if (at)
		memmove(at + 1, at + sizeof(word) - 1,
			strlen(at + sizeof(word) - 1) + 1);
	return text;
}

static struct outcome *outcome_of(struct outcomes *o, uint64_t packet)
{
	size_t cap = o->cap ? 2 * o->cap : 1024;
	struct outcome *v;

	/* Mostly one of the last; merge() finds what came later. */
	for (size_t i = o->n; i > 0 && o->n - i < 16; i--) {
		if (o->v[i - 1].packet == packet)
			return &o->v[i - 1];
	}
	if (o->n == o->cap) {
		v = realloc(o->v, cap * sizeof(*v));
		if (!v) {
			o->failed = true;
			return NULL;
		}
		o->v = v;
		o->cap = cap;
	}
	o->v[o->n] = (struct outcome){.packet = packet, .order = o->n};
	return &o->v[o->n++];
}

static void on_event(void *arg, uint64_t n, const struct event *ev)
{
	struct outcomes *o = arg;
	struct outcome *is;

	if (n == 0 || (ev->type == EV_ANOMALY && ev->verdict != VERDICT_DENY))
		return;
	is = outcome_of(o, ev->pcap_cnt);
	if (!is)
		return;
	if (!is->what && (ev->n_leaves || ev->message))
		is->what = describe(o, ev);
	if (ev->verdict == VERDICT_DENY && !is->denied) {
		is->denied = true;
		is->reason = ev->reason;
	}
}

static int by_packet(const void *a, const void *b)
{
	const struct outcome *x = a, *y = b;

	if (x->packet != y->packet)
		return x->packet < y->packet ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* In the order of the capture, each packet once. */
static void merge(struct outcomes *o)
{
	size_t n = 0;

	if (o->n)
		qsort(o->v, o->n, sizeof(*o->v), by_packet);
	for (size_t i = 0; i < o->n; i++) {
		struct outcome *to = n ? &o->v[n - 1] : NULL, *is = &o->v[i];

		if (!to || to->packet != is->packet) {
			o->v[n++] = *is;
			continue;
		}
		if (is->denied && !to->denied) {
			to->denied = true;
			to->reason = is->reason;
		}
		if (to->what)
			free(is->what);
		else
			to->what = is->what;
	}
	o->n = n;
}

static int judge(struct outcomes *o, const char *set,
		 const struct played_args *a, const char *pcap, struct err *e)
{
	const struct played_sink sink = {on_event, o};
	struct capture_policy p = {0};
	struct pol_state *st = NULL;
	int rc = capture_policy_offline(&p, set, e);

	if (rc == 0)
		rc = pol_state_new(&st, p.set, e);
	if (rc == 0)
		rc = played_run(p.set, st, a, pcap, &sink, NULL, e);
	if (rc == 0 && o->failed)
		rc = err_set(e, E_NOMEM, 0, "out of memory");
	pol_state_free(st);
	capture_policy_free(&p);
	merge(o);
	return rc;
}

/* --- the difference ------------------------------------------------------- */

static const char *verdict_text(char buf[96], const struct outcome *o)
{
	if (o->denied)
		snprintf(buf, 96, "refused (%s)", reason_text(o->reason));
	else
		snprintf(buf, 96, "permitted");
	return buf;
}

static void put_verdict(struct json *j, const char *key,
			const struct outcome *o)
{
	json_obj(j, key);
	json_str(j, "verdict", o->denied ? "refused" : "permitted");
	if (o->denied)
		json_str(j, "reason", reason_text(o->reason));
	json_obj_end(j);
}

static void print_change(const struct outcome *was, const struct outcome *is,
			 bool json)
{
	const char *what = is->what    ? is->what
			   : was->what ? was->what
				       : "(nothing was read of it)";
	char a[96], b[96], buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("  packet %llu  %s\n      %s -> %s\n",
		       (unsigned long long)is->packet, what,
		       verdict_text(a, was), verdict_text(b, is));
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "subject", "message");
	json_u64(&j, "packet", is->packet);
	json_str(&j, "message", what);
	put_verdict(&j, "was", was);
	put_verdict(&j, "is", is);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static void print_counts(uint64_t all, uint64_t opened, uint64_t closed,
			 bool json)
{
	char buf[256];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("  of %llu messages %llu pass now that did not, %llu "
		       "no longer\n",
		       (unsigned long long)all, (unsigned long long)opened,
		       (unsigned long long)closed);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "subject", "messages");
	json_u64(&j, "all", all);
	json_u64(&j, "pass-now", opened);
	json_u64(&j, "no-longer", closed);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

/* What only one of the sets says anything about passed under the other, for
 * every refusal is told: a segment of a message that completes elsewhere. */
static void compare(const struct outcomes *was, const struct outcomes *is,
		    bool json)
{
	uint64_t opened = 0, closed = 0, all = 0;
	size_t i = 0, k = 0;

	if (!json)
		printf("\n");
	while (i < was->n || k < is->n) {
		struct outcome a = {0}, b = {0};
		uint64_t x = i < was->n ? was->v[i].packet : UINT64_MAX;
		uint64_t y = k < is->n ? is->v[k].packet : UINT64_MAX;

		a.packet = b.packet = x < y ? x : y;
		if (x <= y)
			a = was->v[i++];
		if (y <= x)
			b = is->v[k++];
		/* What neither read is no message: a part, a handshake. */
		if (!a.what && !b.what)
			continue;
		all++;
		if (a.denied == b.denied)
			continue;
		opened += a.denied;
		closed += b.denied;
		print_change(&a, &b, json);
	}
	print_counts(all, opened, closed, json);
}

static void outcomes_free(struct outcomes *o)
{
	for (size_t i = 0; o && i < o->n; i++)
		free(o->v[i].what);
	if (o)
		free(o->v);
	free(o);
}

int diff_replay(const char *old, const char *new,
		const struct played_args *a, const char *pcap, bool json,
		struct err *e)
{
	struct outcomes *was = calloc(1, sizeof(*was));
	struct outcomes *is = calloc(1, sizeof(*is));
	int rc = was && is ? 0 : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = judge(was, old, a, pcap, e);
	if (rc == 0)
		rc = judge(is, new, a, pcap, e);
	if (rc == 0)
		compare(was, is, json);
	outcomes_free(was);
	outcomes_free(is);
	return rc;
}
