/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages under way, and what counted them. A message may come in many units
 * (F_CONTINUES), each granted by a rule of its own. How often is a matter of
 * messages, not of units: so a limit counts one with the first unit that falls
 * under it, whichever that is, and not again.
 *
 * A message may last as long as its sender likes. So one that carries readings
 * for longer than an hour is another each hour: else a history would do, told
 * as it comes about, for what may be told once a day.
 *
 * Not in the memory that outlives a process: what is not known here, as it is
 * new or was forgotten for others, is counted once more.
 */
#include "policy-lang/eval/internal.h"

#define ODD UINT64_C(0x9e3779b97f4a7c15)

/* The latest message of that end of a connection, that way; never 0. */
static uint64_t tag_of(const struct pol_state *st, const struct side *sd,
		       const struct pol_msg *m)
{
	uint64_t h = (m->flow + 1) * ODD ^ st->mem.m[sd->m].name;

	h = (h ^ h >> 29) * ODD;
	return (h ^ h >> 32) << 2 | (sd->dir == DIR_OUT ? 2 : 0) | 1;
}

uint64_t course_key(const struct pol_state *st, const struct side *sd,
		    uint32_t limit, unsigned meas)
{
	uint64_t h = st->mem.limit[limit].id + meas + 1;

	h = ((h ^ h >> 29) * ODD) ^ ledger_party(st, sd);
	return h ? h : 1;
}

static uint32_t set_of(uint64_t tag)
{
	return (uint32_t)(tag >> 2) % COURSE_SETS * COURSE_WAYS;
}

static struct course *find(struct courses *cs, uint64_t tag)
{
	uint32_t first = set_of(tag);

	for (uint32_t i = first; i < first + COURSE_WAYS; i++) {
		if (cs->tag[i] == tag)
			return &cs->c[i];
	}
	return NULL;
}

bool course_counted(struct pol_state *st, const struct side *sd,
		    const struct pol_msg *m, uint64_t key, bool reads)
{
	const struct course *c = find(&st->courses, tag_of(st, sd, m));
	int64_t now = st->now.mono.ns;

	if (st->what_if.on)
		now += st->what_if.later_s * NS_PER_S;
	for (uint32_t i = 0; c && i < c->n; i++) {
		if (c->by[i] == key)
			return !reads || now - c->at[i] < COURSE_NS;
	}
	return false;
}

static void counted_by(struct course *c, uint64_t key, int64_t now)
{
	uint32_t i = 0;

	while (i < c->n && c->by[i] != key)
		i++;
	if (i == COURSE_BY)
		return;
	c->by[i] = key;
	c->at[i] = now;
	c->n += i == c->n;
}

/* As it was at the last commit: kept once, for an abort. Where there is no
 * place for that it is forgotten then. */
static void keep(struct courses *cs, uint32_t i)
{
	struct course_was *w = &cs->was[cs->n_was];

	if (cs->c[i].era == cs->era)
		return;
	cs->c[i].era = cs->era;
	if (cs->n_was == COURSE_WAS)
		return;
	cs->n_was++;
	w->at = i;
	w->tag = cs->tag[i];
	w->c = cs->c[i];
}

/* A place for it: a free one, else that of the one silent for longest. */
static struct course *place(struct courses *cs, uint64_t tag)
{
	uint32_t first = set_of(tag), best = first;

	for (uint32_t i = first; i < first + COURSE_WAYS; i++) {
		if (!cs->tag[i]) {
			best = i;
			break;
		}
		if (cs->c[i].turn < cs->c[best].turn)
			best = i;
	}
	keep(cs, best);
	cs->tag[best] = tag;
	cs->c[best].n = 0;
	return &cs->c[best];
}

static void note_side(struct pol_state *st, unsigned side,
		      const struct pol_msg *m, bool goes_on)
{
	struct courses *cs = &st->courses;
	uint64_t tag = tag_of(st, &st->side[side], m);
	struct course *c = find(cs, tag);

	if (c) {
		c->turn = ++cs->turn;
		if (!goes_on) {
			keep(cs, (uint32_t)(c - cs->c));
			c->n = 0;
		}
	}
	for (uint32_t i = 0; i < st->n_pend; i++) {
		const struct pending *p = &st->pend[i];

		if (!p->course || p->side != side)
			continue;
		if (!c)
			c = place(cs, tag);
		c->turn = ++cs->turn;
		keep(cs, (uint32_t)(c - cs->c));
		counted_by(c, p->course, st->now.mono.ns);
	}
}

/* Of the sides' latest messages: what counts the unit at hand. */
void course_note(struct pol_state *st, const struct pol_msg *m)
{
	const struct obs *o = m->message;

	/* No others come in several units. */
	if (!o || (o->kind != OBS_FLOW_OPEN && o->kind != OBS_HTTP_REQUEST &&
		   o->kind != OBS_HTTP_RESPONSE))
		return;
	for (unsigned s = 0; s < st->n_side; s++)
		note_side(st, s, m, obs_has(o, F_CONTINUES));
}

void course_commit(struct pol_state *st)
{
	st->courses.n_was = 0;
	st->courses.era++;
}

void course_abort(struct pol_state *st)
{
	struct courses *cs = &st->courses;

	if (cs->n_was == COURSE_WAS) {
		for (uint32_t i = 0; i < COURSES; i++) {
			if (cs->c[i].era == cs->era)
				cs->tag[i] = 0;
		}
	}
	while (cs->n_was > 0) {
		const struct course_was *w = &cs->was[--cs->n_was];

		cs->tag[w->at] = w->tag;
		cs->c[w->at] = w->c;
	}
	cs->era++;
}
