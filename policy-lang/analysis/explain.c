/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/eval/internal.h"

struct page {
	char *p;
	size_t cap, n;
};

static void line(struct page *pg, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void line(struct page *pg, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (pg->n + 1 >= pg->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(pg->p + pg->n, pg->cap - pg->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		pg->n += (size_t)n < pg->cap - pg->n ? (size_t)n
						     : pg->cap - pg->n - 1;
}

#define TEXT(s) (int)(s).n, (const char *)(s).p

static void say_reasons(struct page *pg, const struct reasons *r)
{
	bool first = true;

	for (unsigned i = 1; i < REASON_COUNT; i++) {
		if (!reasons_has(r, (enum reason)i))
			continue;
		line(pg, "%s%s", first ? "  " : ", ",
		     reason_text((enum reason)i));
		first = false;
	}
	line(pg, "\n");
}

static bool has_fail(const struct pol_state *st, enum reason r)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].reason == r)
			return true;
	}
	return false;
}

static void say_source(struct page *pg, const struct pol_state *st,
		       const struct pol_msg *m)
{
	struct span name = st->s->m[m->machine].pub.name;

	if (m->forged_source)
		line(pg,
		     "  source     refused   its address is not bound to "
		     "%.*s\n",
		     TEXT(name));
	else
		line(pg, "  source     ok        is %.*s\n", TEXT(name));
	if (has_fail(st, REASON_QUARANTINED))
		line(pg, "  machine    refused   in quarantine\n");
}

static void say_party(struct page *pg, const struct pol_state *st,
		      const struct pol_msg *m, const struct pol_decision *d)
{
	char a[NET_ADDR_TEXT];

	if (d->party.n)
		line(pg, "  party      ok        %.*s\n", TEXT(d->party));
	else if (has_fail(st, REASON_PARTY_IDENTITY))
		line(pg,
		     "  party      refused   %s port %u is a party's, its "
		     "ApTitle is not\n",
		     net_addr_text(a, &m->peer.addr), m->peer.port);
	else if (has_fail(st, REASON_UNKNOWN_PARTY))
		line(pg,
		     "  party      refused   %s port %u is nobody the "
		     "policy names\n",
		     net_addr_text(a, &m->peer.addr), m->peer.port);
}

/* The failures of one layer of one side, without those of its limits. */
static void say_fails(struct page *pg, const struct pol_state *st,
		      unsigned side, unsigned l)
{
	char buf[256];

	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];

		if (f->side != side || f->layer != l || f->limit != LAY_NONE)
			continue;
		text_fail(st, f, buf, sizeof(buf));
		line(pg, "                         %s%s\n", buf,
		     f->monitored ? " (monitored)" : "");
	}
}

static bool layer_failed(const struct pol_state *st, unsigned side, unsigned l)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].side == side && st->fail[i].layer == l &&
		    st->fail[i].limit == LAY_NONE)
			return true;
	}
	return false;
}

static void say_layer(struct page *pg, const struct pol_state *st,
		      unsigned side, unsigned l)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	bool bad = layer_failed(st, side, l);
	uint32_t rule = sd->rule[l];
	struct span name = st->s->m[sd->m].pub.name;

	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].side == side && st->fail[i].layer == l &&
		    st->fail[i].rule != NO_RULE &&
		    st->fail[i].limit == LAY_NONE) {
			rule = st->fail[i].rule;
			break;
		}
	}
	if (!im && !bad)
		return;
	if (l == LAYER_CUSTOMER && !bad) {
		line(pg, "  %-10s ok\n", "customer");
		return;
	}
	line(pg, "  %-10s %-9s %s", side ? "peer" : text_layer((enum layer)l),
	     bad ? "refused" : "ok",
	     im && rule != NO_RULE ? im->STRS + im->RULE[rule].id : "no rule");
	if (side)
		line(pg, " of %.*s", TEXT(name));
	if (im && rule != NO_RULE && im->n_LOCS)
		line(pg, "  %.*s:%u", TEXT(im->path), im->LOCS[rule].line);
	line(pg, "\n");
	say_fails(pg, st, side, l);
}

static void say_limits(struct page *pg, const struct pol_state *st,
		       const struct pol_decision *d)
{
	char buf[256];
	bool any = false;

	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];

		if (f->limit == LAY_NONE)
			continue;
		text_fail(st, f, buf, sizeof(buf));
		line(pg, "  %-10s %-9s %s\n", any ? "" : "limits", "no room",
		     buf);
		any = true;
	}
	for (uint32_t i = 0; i < d->n_budgets; i++) {
		const struct event_budget *b = &d->budgets[i];

		line(pg, "  %-10s %-9s %.*s, %llu of %llu used after it\n",
		     any ? "" : "limits", "room", TEXT(b->name),
		     (unsigned long long)b->used, (unsigned long long)b->limit);
		any = true;
	}
}

int pol_explain(const struct pol_set *s, struct pol_state *st,
		const struct pol_msg *m, char *buf, size_t cap)
{
	struct page pg = {buf, cap, 0};
	struct pol_decision d;

	(void)s; /* the state knows its set */
	if (cap)
		buf[0] = 0;
	pol_abort(st);
	pol_judge(st, m, &d);
	line(&pg, "%s",
	     d.permit ? d.monitored ? "PERMITTED (monitored)" : "PERMITTED"
		      : "REFUSED");
	if (reasons_any(&d.reasons))
		say_reasons(&pg, &d.reasons);
	else
		line(&pg, "\n");
	say_source(&pg, st, m);
	say_party(&pg, st, m, &d);
	if (d.party.n) {
		for (unsigned l = 0; l < LAYERS; l++)
			say_layer(&pg, st, 0, l);
		if (st->n_side > 1)
			say_layer(&pg, st, 1, LAYER_VENDOR);
		say_limits(&pg, st, &d);
	}
	if (d.would_pass.n)
		line(&pg, "  would pass           %.*s\n", TEXT(d.would_pass));
	pol_abort(st);
	return d.permit;
}
