/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What whoever asked is told of a refusal (policy-language 10.3): where its
 * protocol has a word for that, the gateway says it in the name of the end that
 * was asked, so that who asked need not wait for an answer that never comes. It
 * hears the code and nothing else, but a machine of ours the reason, the rule
 * and the flow; the record says what it was told.
 *
 * The flow finds the record. Its number is the scribe's to give, who gives it
 * to records of all machines as they are written; an answer that waited for
 * that would make the disk a part of each refusal, and of several alike there
 * may be one record an hour later, or none for each.
 *
 * Over UDP an answer stands alone. A stream ends with it (parting.c), and where
 * it cannot be said without doubt what it answers, the stream is reset instead.
 * Nothing of what was refused leaves by this.
 */
#include <stdio.h>

#include "enforcer/pipeline/state.h"

/* Whoever is not known, or cannot be read, hears nothing. */
static bool says(enum reason why, enum refused_as *as)
{
	switch (why) {
	case REASON_TOO_SOON:
	case REASON_LIMIT_EXCEEDED:
	case REASON_DEFERRED_TOO_LONG:
		*as = REFUSED_BUDGET;
		return true;
	case REASON_TOO_FRESH:
		*as = REFUSED_FRESH;
		return true;
	case REASON_NOT_NOW:
	case REASON_CLOCK_UNTRUSTED:
		*as = REFUSED_TIME;
		return true;
	case REASON_QUARANTINED:
	case REASON_DENIED:
	case REASON_NO_GRANT:
	case REASON_NO_CONSENT:
	case REASON_STATE_MISSING:
	case REASON_STATE_FORBIDDEN:
	case REASON_TOO_FINE:
	case REASON_TOO_FAR_BACK:
	case REASON_TOO_PRECISE:
	case REASON_OUT_OF_RANGE:
	case REASON_TOO_MANY:
	case REASON_CUSTOMER_RESTRICTION:
	case REASON_POLICY_EXPIRED:
		*as = REFUSED_FOR_GOOD;
		return true;
	default:
		return false;
	}
}

/* Rounded up. */
static uint32_t seconds(int64_t ns)
{
	int64_t s = ns / NS_PER_S + (ns % NS_PER_S != 0);

	return ns <= 0 ? 0 : s > INT32_MAX ? INT32_MAX : (uint32_t)s;
}

/* "policy/rule" of the first layer that refused. */
static void name_rule(struct wbuf *w, const struct pol_decision *d)
{
	for (uint32_t i = 0; i < d->n_rules; i++) {
		if (!(d->refused_rules >> i & 1) || d->rules[i].rule.n == 0)
			continue;
		wbuf_put(w, d->rules[i].policy);
		wbuf_put(w, span_str("/"));
		wbuf_put(w, d->rules[i].rule);
		return;
	}
}

static bool can_say(struct work *w, const struct judge *j)
{
	if (j->datagram)
		return !j->whole;
	/* What stands in front of it gets no answer. */
	return w->p->n_units == 1 &&
	       parting_can(w, j->instead ? w->s : !w->s, j->answer.n);
}

const char *answer_make(struct work *w, struct judge *j,
			const struct judged_unit *u, struct span unit,
			char *detail, size_t cap)
{
	struct pipeline *p = w->p;
	const struct dissector *d = w->f->dis >= 0 ? p->dis[w->f->dis] : NULL;
	struct wbuf out = wbuf_of(p->answer, sizeof(p->answer));
	struct refusal why = {.retry_s = seconds(u->d.wait_ns),
			      .reason = reason_text(u->d.reason),
			      .flow = w->f->id};
	uint8_t rule[128];
	struct wbuf r = wbuf_of(rule, sizeof(rule));
	const char *name;

	/* `drop` is silent, and whoever says `reset` means that. */
	if (!d || !d->answer || u->d.action == POL_DROP ||
	    u->d.action == POL_RESET || !says(u->d.reason, &why.as))
		return NULL;
	name_rule(&r, &u->d);
	if (!r.failed)
		why.rule = wbuf_span(&r);
	name = d->answer(&w->ctx, unit, &why, &out, &j->instead);
	j->answer = wbuf_span(&out);
	if (!name || !can_say(w, j)) {
		j->answer = (struct span){0};
		return NULL;
	}
	snprintf(detail, cap, "%s%sanswered: %s", u->d.text,
		 u->d.text[0] ? "; " : "", name);
	return detail;
}

void answer_send(struct work *w, const struct judge *j)
{
	const struct net_tuple *t = &w->f->tup;
	struct segment_out out = {.payload = j->answer};

	if (j->answer.n == 0 || !w->sink->inject || w->p->frozen)
		return;
	out.dir = j->instead ? side_dir(w->f, w->s) :
			       (enum dir)!side_dir(w->f, w->s);
	out.tup = *t;
	if (w->s == j->instead) {
		out.tup.src = t->dst;
		out.tup.dst = t->src;
		out.tup.sport = t->dport;
		out.tup.dport = t->sport;
	}
	w->sink->inject(w->sink->arg, &out);
}
