/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which protocol do octets speak? They say so themselves; the port is a hint
 * for whose it is to refuse what nobody can read.
 *
 * A datagram is recognised by its own octets, each of them: one that nobody
 * reads makes nothing of what comes behind it unread, and one that is read
 * makes nothing readable opaque. One that only looks like a message, and is
 * none, says nothing of the others. A direction of a stream is recognised by its
 * first octets, and both must say the same. In a stream that nobody reads each
 * turn is looked at again: what an end says first after the other spoke. Only
 * what is a message beyond doubt counts there, as whatever was sealed may look
 * like the beginning of one. The octets of a turn are kept as long as they may
 * become one, also when they were acknowledged, and when the other end speaks
 * in the middle, as that need not end what was begun. What a segment begins
 * with inside a turn is looked at in the same way, as far as there is room:
 * whoever adds a message to what nobody reads sends it by itself. Inside
 * segments nobody looks: receivers do not, either, and a text that quotes a
 * message is none.
 */
#include "enforcer/pipeline/state.h"

#define TURN_OCTETS 2048 /* of a turn are looked at */

/* What the dissectors say of octets: the surest, the first that may be. */
struct opinion {
	enum recognise sure;
	int dis, maybe; /* DIS_NONE: nobody's */
	bool begun;
};

static struct opinion ask(const struct work *w, struct span octets)
{
	const struct pipeline *p = w->p;
	const struct net_tuple *t = &w->f->tup;
	struct opinion o = {RECOGNISE_NO, DIS_NONE, DIS_NONE, false};

	for (size_t i = 0; i < p->n_dis; i++) {
		enum recognise r = p->dis[i]->recognise(octets, t->sport,
							t->dport, t->proto);

		if (r == RECOGNISE_MAYBE && o.maybe == DIS_NONE)
			o.maybe = (int)i;
		o.begun |= r == RECOGNISE_BEGUN;
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

void hear_classifier(const struct work *w, struct span octets)
{
	const struct classifier *c = w->p->conf.classifier;

	if (c && octets.n)
		c->hear(c->arg, w->f_idx, &w->f->tup, w->s, octets, w->now);
}

enum heard hear_datagram(struct work *w, struct span octets)
{
	struct flow *f = w->f;
	struct opinion o;

	/* An empty one is nobody's, and says nothing of those to come. */
	if (octets.n == 0)
		return HEARD;
	/* As nearly all do: the others need not be asked. */
	if (f->dis >= 0 && !f->guessed && own(w, octets) >= RECOGNISE_YES)
		return HEARD;
	o = ask(w, octets);
	if (f->dis >= 0 && !f->guessed)
		return other(w, octets, o) ? HEARD_OTHER : HEARD;
	if (f->dis == DIS_NONE && o.sure < RECOGNISE_SURE)
		return HEARD;
	speaks(w, o);
	f->guessed = o.dis != DIS_NONE && o.sure < RECOGNISE_SURE;
	return HEARD;
}

static void turn_over(struct side *me, unsigned i)
{
	for (; i + 1 < me->n_turns; i++)
		me->turn[i] = me->turn[i + 1];
	me->n_turns--;
}

uint32_t turns_spare(const struct side *me, uint32_t upto)
{
	return me->n_turns && seq_diff(upto, me->turn[0].seq) > 0 ?
		       me->turn[0].seq :
		       upto;
}

static unsigned first_inside(const struct side *me)
{
	unsigned i = 0;

	while (i < me->n_turns && !me->turn[i].inside)
		i++;
	return i;
}

static unsigned first_begun(const struct side *me)
{
	unsigned i = 0;

	while (i < me->n_turns && !me->turn[i].begun)
		i++;
	return i;
}

/* The other end may take a turn now. */
static void your_turn(struct work *w)
{
	struct side *you = &w->f->side[!w->s];
	unsigned i = 0;

	if (you->n_turns && you->turn[you->n_turns - 1].seq == you->nxt)
		return;
	/* What nobody takes for anything yet gives way. */
	while (i < you->n_turns && you->turn[i].maybe)
		i++;
	if (i == TURNS)
		i = first_begun(you);
	if (i == TURNS)
		i = first_inside(you);
	if (you->n_turns == TURNS && i < TURNS)
		turn_over(you, i);
	if (you->n_turns < TURNS)
		you->turn[you->n_turns++] =
			(struct turn){.seq = you->nxt, .maybe = true};
	else
		you->many = true;
}

/* The first octets of a turn; octets are the last of it, up to nxt. False:
 * they are not there any more. */
static bool turn_octets(const struct work *w, const struct side *me,
			uint32_t seq, struct span *octets,
			uint8_t b[TURN_OCTETS])
{
	uint32_t n = me->nxt - seq;

	if (n <= octets->n) {
		*octets = span_from(*octets, octets->n - n);
		return true;
	}
	if (me->kept.n == 0 || seq_diff(seq, me->base) < 0)
		return false;
	*octets = octets_read(w->p, &me->kept, seq - me->base, n, b,
			      TURN_OCTETS);
	return true;
}

/* All may be TLS on its port, which says nothing of what comes behind. */
static bool may_become(const struct work *w, struct span octets,
		       struct opinion o)
{
	const struct dissector *d;

	if (o.sure == RECOGNISE_LIKELY || o.maybe == DIS_NONE)
		return o.sure == RECOGNISE_LIKELY;
	d = w->p->dis[o.maybe];
	return !d->sealed || d->recognise(octets, 0, 0, w->f->tup.proto) ==
				     RECOGNISE_MAYBE;
}

/* The turn t may be a message, for all that its octets say. */
static void weigh(const struct work *w, struct turn *t, struct span octets,
		  struct opinion o)
{
	t->maybe = may_become(w, octets, o);
	t->begun = !t->maybe && o.begun;
	t->maybe |= t->begun;
}

/* A turn more, where there is room, or one that has less to say. */
static void turn_add(struct side *me, struct turn t)
{
	unsigned i = first_begun(me);

	if (me->n_turns == TURNS && !t.begun && i < TURNS)
		turn_over(me, i);
	if (t.maybe && me->n_turns < TURNS)
		me->turn[me->n_turns++] = t;
}

/* Does a message begin where these octets do, inside a turn? */
static bool begins_here(const struct work *w, struct side *me,
			struct span octets)
{
	uint32_t seq = me->nxt - (uint32_t)octets.n;
	struct turn t = {.seq = seq, .inside = true};
	struct opinion o;

	for (unsigned i = 0; i < me->n_turns; i++) {
		if (me->turn[i].seq == seq)
			return false; /* looked at anyway */
	}
	if (octets.n == 0)
		return false;
	o = ask(w, octets);
	weigh(w, &t, octets, o);
	if (t.maybe && octets.n < TURN_OCTETS)
		turn_add(me, t);
	return o.sure == RECOGNISE_SURE;
}

/* What turns of a stream that nobody reads begin with; octets are the last of
 * them, up to nxt. */
static enum heard hear_turns(struct work *w, struct side *me,
			     struct span octets)
{
	bool kept = strict(w->p) && !w->f->offload;
	uint8_t b[TURN_OCTETS];

	your_turn(w);
	/* So many that each may be a message, one in another, are none that
	 * anybody means. */
	if (me->many || begins_here(w, me, octets))
		return HEARD_OTHER;
	for (unsigned i = 0; i < me->n_turns;) {
		struct turn *t = &me->turn[i];
		struct span first = octets;
		struct opinion o;

		if (!turn_octets(w, me, t->seq, &first, b)) {
			/* Others needed the room: nobody can say any more. */
			if (kept && t->maybe && !t->begun && !t->inside)
				return HEARD_OTHER;
			turn_over(me, i);
			continue;
		}
		o = ask(w, first);
		if (o.sure == RECOGNISE_SURE)
			return HEARD_OTHER;
		weigh(w, t, first, o);
		if (t->maybe && me->nxt - t->seq < TURN_OCTETS)
			i++;
		else
			turn_over(me, i);
	}
	return HEARD;
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
		return hear_turns(w, me, octets);
	if (f->dis != DIS_UNKNOWN) {
		h = hear_second(w, me, octets);
		/* They are those of its first turn, too. */
		if (h == HEARD && me->shown && f->dis == DIS_NONE)
			return hear_turns(w, me, octets);
	} else {
		o = ask(w, octets);
		if (o.dis == DIS_NONE && o.maybe != DIS_NONE &&
		    octets.n < DECIDE_OCTETS)
			return HEARD_LITTLE;
		me->shown = true;
		speaks(w, o);
		if (f->dis == DIS_NONE && o.begun)
			turn_add(me, (struct turn){.seq = me->nxt -
							  (uint32_t)octets.n,
						   .maybe = true,
						   .begun = true});
	}
	if (h == HEARD && f->dis == DIS_NONE)
		your_turn(w);
	return h;
}
