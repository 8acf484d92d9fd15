/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol do octets speak? They say so themselves; the port is a hint
 * for whose it is to refuse what nobody can read.
 *
 * A datagram is recognised by its own octets, each of them: one that nobody
 * reads makes nothing of what comes behind it unread, and one that is read
 * makes nothing readable opaque. A direction of a stream is recognised by its
 * first octets, and both must say the same. In a stream that nobody reads each
 * turn is looked at again: what an end says first after the other spoke. Only
 * what is a message beyond doubt counts there, as whatever was sealed may look
 * like the beginning of one.
 */
#include "enforcer/pipeline/state.h"

#define TURN_OCTETS 64 /* of a turn are looked at */

/* What the dissectors say of octets: the surest, the first that may be. */
struct opinion {
	enum recognise sure;
	int dis, maybe; /* DIS_NONE: nobody's */
};

static struct opinion ask(const struct work *w, struct span octets)
{
	const struct pipeline *p = w->p;
	const struct net_tuple *t = &w->f->tup;
	struct opinion o = {RECOGNISE_NO, DIS_NONE, DIS_NONE};

	for (size_t i = 0; i < p->n_dis; i++) {
		enum recognise r = p->dis[i]->recognise(octets, t->sport,
							t->dport, t->proto);

		if (r == RECOGNISE_MAYBE && o.maybe == DIS_NONE)
			o.maybe = (int)i;
		if (r >= RECOGNISE_YES && r > o.sure) {
			o.sure = r;
			o.dis = (int)i;
		}
	}
	return o;
}

static enum recognise own(const struct work *w, struct span octets)
{
	const struct net_tuple *t = &w->f->tup;

	return w->p->dis[w->f->dis]->recognise(octets, t->sport, t->dport,
					       t->proto);
}

/* Do they look more like somebody else's than like what was spoken? */
static bool other(const struct work *w, struct span octets, struct opinion o)
{
	if (o.dis == DIS_NONE || o.dis == w->f->dis)
		return false;
	return w->f->dis == DIS_NONE || own(w, octets) < RECOGNISE_YES;
}

/* Only now: blocks of what nobody reads cost no memory. */
void flow_unread(struct work *w)
{
	const struct pipeline *p = w->p;

	if (w->f->dis >= 0 && p->dis[w->f->dis]->flow_size)
		memset(p->flow_mem + w->f_idx * p->flow_stride, 0,
		       p->dis[w->f->dis]->flow_size);
}

/* The port decides: whose it is refuses what it cannot read. */
static void speaks(struct work *w, struct opinion o)
{
	struct flow *f = w->f;

	f->dis = (int16_t)(o.dis != DIS_NONE ? o.dis : o.maybe);
	flow_unread(w);
}

enum heard hear_datagram(struct work *w, struct span octets)
{
	struct flow *f = w->f;
	struct opinion o;

	/* An empty one is nobody's, and says nothing of those to come. */
	if (octets.n == 0)
		return HEARD;
	o = ask(w, octets);
	if (f->dis >= 0)
		return other(w, octets, o) ? HEARD_OTHER : HEARD;
	if (f->dis == DIS_NONE && o.sure < RECOGNISE_SURE)
		return HEARD;
	speaks(w, o);
	return HEARD;
}

/* The other end may take a turn now. */
static void your_turn(struct work *w)
{
	struct side *you = &w->f->side[!w->s];

	you->turn = true;
	you->turn_seq = you->nxt;
}

/* What a turn of a stream that nobody reads begins with; octets are the last
 * of it, up to nxt. */
static enum heard hear_turn(struct work *w, struct side *me, struct span octets)
{
	uint32_t n = me->nxt - me->turn_seq;
	uint8_t b[TURN_OCTETS];

	your_turn(w);
	if (!me->turn)
		return HEARD;
	if (n > octets.n) {
		/* Acknowledged meanwhile: whoever took it knows it alone. */
		if (seq_diff(me->turn_seq, me->base) < 0)
			n = TURN_OCTETS;
		else
			octets = octets_read(w->p, &me->kept,
					     me->turn_seq - me->base,
					     TURN_OCTETS, b, sizeof(b));
	} else {
		octets = span_from(octets, octets.n - n);
	}
	me->turn = n < TURN_OCTETS;
	return ask(w, octets).sure == RECOGNISE_SURE ? HEARD_OTHER : HEARD;
}

/* The first octets of a direction whose other one was heard: do they agree? */
static enum heard hear_second(struct work *w, struct side *me,
			      struct span octets)
{
	const struct flow *f = w->f;
	struct opinion o = ask(w, octets);

	/* Facts only: it began before the capture did, at any octet. */
	if (f->midstream) {
		me->shown = true;
		return HEARD;
	}
	if (o.dis == DIS_NONE && o.maybe != DIS_NONE &&
	    octets.n < DECIDE_OCTETS)
		return f->dis == DIS_NONE ? HEARD_LITTLE : HEARD;
	me->shown = true;
	return other(w, octets, o) ||
			       (f->dis >= 0 && own(w, octets) == RECOGNISE_NO)
		       ? HEARD_OTHER
		       : HEARD;
}

enum heard hear_stream(struct work *w, struct span octets)
{
	struct flow *f = w->f;
	struct side *me = &f->side[w->s];
	enum heard h = HEARD;
	struct opinion o;

	if (me->shown && f->dis >= 0)
		return HEARD;
	if (me->shown)
		return hear_turn(w, me, octets);
	if (f->dis != DIS_UNKNOWN) {
		h = hear_second(w, me, octets);
	} else {
		o = ask(w, octets);
		if (o.dis == DIS_NONE && o.maybe != DIS_NONE &&
		    octets.n < DECIDE_OCTETS)
			return HEARD_LITTLE;
		me->shown = true;
		speaks(w, o);
	}
	if (h == HEARD && f->dis == DIS_NONE)
		your_turn(w);
	return h;
}
