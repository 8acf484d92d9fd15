/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused request is told (policy-language 10.3): where its protocol
 * has a word for that, the gateway says it in the name of the end that it was
 * for, so that who asked need not wait for an answer that never comes. It
 * hears the code and nothing else; the record says what it was told.
 *
 * Only over UDP, where an answer stands alone: a stream is reset. Nothing of
 * what was refused leaves by this.
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
	case REASON_QUARANTINED:
	case REASON_DENIED:
	case REASON_NO_GRANT:
	case REASON_NO_CONSENT:
	case REASON_STATE_MISSING:
	case REASON_STATE_FORBIDDEN:
	case REASON_NOT_NOW:
	case REASON_CLOCK_UNTRUSTED:
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

const char *answer_make(struct work *w, struct judge *j,
			const struct judged_unit *u, struct span unit,
			char *detail, size_t cap)
{
	struct pipeline *p = w->p;
	const struct dissector *d = w->f->dis >= 0 ? p->dis[w->f->dis] : NULL;
	struct wbuf out = wbuf_of(p->answer, sizeof(p->answer));
	enum refused_as as;
	const char *name;

	/* `drop` is silent, and `reset` has no form over UDP. */
	if (!d || !d->answer || !j->datagram || j->whole ||
	    u->d.action == POL_DROP || u->d.action == POL_RESET ||
	    !says(u->d.reason, &as))
		return NULL;
	name = d->answer(&w->ctx, unit, as, &out);
	if (!name)
		return NULL;
	j->answer = wbuf_span(&out);
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
	out.dir = (enum dir)!side_dir(w->f, w->s);
	out.tup = *t;
	if (!w->s) {
		out.tup.src = t->dst;
		out.tup.dst = t->src;
		out.tup.sport = t->dport;
		out.tup.dport = t->sport;
	}
	w->sink->inject(w->sink->arg, &out);
}
