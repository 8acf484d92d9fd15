/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message of a capture explained where it was judged: after all that went
 * before it, with the budgets, states and requests as they then were.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "dissectors/c1222/c1222.h"
#include "policy-lang/analysis/explain.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"

struct search {
	const struct pol_state *st;
	uint64_t want, seen;
	bool json;
	int rc;
	uint8_t line[64 << 10];
};

/* The event as the decision it came from. */
static void decision_of(struct pol_decision *d, const struct event *ev)
{
	*d = (struct pol_decision){.permit = ev->verdict == VERDICT_ALLOW,
				   .monitored = ev->monitored,
				   .reasons = ev->reasons,
				   .reason = ev->reason,
				   .party = ev->party,
				   .leaf = ev->leaf,
				   .n_rules = ev->n_rules,
				   .n_budgets = ev->n_budgets,
				   .would_pass = ev->would_pass};
	memcpy(d->rules, ev->rules, sizeof(d->rules));
	memcpy(d->budgets, ev->budgets, sizeof(d->budgets));
	for (uint32_t i = 0; i < ev->n_rules; i++)
		d->refused_rules = (uint8_t)(d->refused_rules |
					     ev->rules[i].refused << i);
	if (ev->detail)
		snprintf(d->text, sizeof(d->text), "%s", ev->detail);
}

static void on_event(void *arg, uint64_t n, const struct event *ev)
{
	struct search *s = arg;
	struct eve_opts o = {.has_seq = true, .seq = n,
			     .service_name = c1222_service_name};
	struct wbuf w = wbuf_of(s->line, sizeof(s->line));
	struct event brief = *ev;
	struct pol_decision d;
	char out[8192];

	s->seen = n > s->seen ? n : s->seen;
	if (n != s->want)
		return;
	pol_explain_event(s->st, ev, out, sizeof(out));
	if (s->json) {
		decision_of(&d, ev);
		s->rc = explain_json(&d, true, out);
		return;
	}
	/* Which message it is; why follows in full. */
	brief.n_rules = 0;
	brief.detail = NULL;
	brief.would_pass = (struct span){0};
	brief.reasons = (struct reasons){{0}};
	brief.reason = REASON_NONE;
	if (eve_text(&w, &brief, &o))
		fwrite(w.p, 1, w.n, stdout);
	fputs(out, stdout);
	s->rc = POLC_OK;
}

int explain_event(const char *set, const struct played_args *a,
		  const char *pcap, uint64_t n, bool json)
{
	struct search *s = calloc(1, sizeof(*s));
	const struct played_sink sink = {on_event, s};
	struct capture_policy p = {0};
	struct pol_state *st = NULL;
	struct err e = {0};
	int rc;

	if (!s) {
		polc_say("out of memory");
		return POLC_IO;
	}
	*s = (struct search){.want = n, .json = json, .rc = POLC_USAGE};
	rc = capture_policy_offline(&p, set, &e);
	if (rc == 0)
		rc = pol_state_new(&st, p.set, &e);
	s->st = st;
	if (rc == 0)
		rc = played_run(p.set, st, a, pcap, &sink, NULL, &e);
	if (rc) {
		polc_say("%s", e.text);
		rc = e.code == E_NOTFOUND ? POLC_USAGE : polc_exit(rc);
	} else {
		rc = s->rc;
	}
	if (e.code == 0 && s->seen < n)
		polc_say("explain: --event %llu: %s has %llu",
			 (unsigned long long)n, pcap,
			 (unsigned long long)s->seen);
	pol_state_free(st);
	capture_policy_free(&p);
	free(s);
	return rc;
}
