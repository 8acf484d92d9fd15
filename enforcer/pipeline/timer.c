/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is due later, of one end of a connection. All timers of a list run
 * equally long, so a list in the order of starting is in the order of ending,
 * and the next one due is the first of one of a few lists.
 */
#include "enforcer/pipeline/state.h"

static struct timer *timer_at(struct pipeline *p, uint32_t id)
{
	return &p->flow[id / 4].side[id / 2 % 2].timer[id % 2];
}

static uint8_t *list_at(struct pipeline *p, uint32_t id)
{
	return &p->flow[id / 4].side[id / 2 % 2].timer_list[id % 2];
}

static int64_t delay(const struct pipeline *p, unsigned list)
{
	return list == TIMERS_ACK ? p->conf.ack_after_ns :
				    RTO_FIRST << (list - TIMERS_RTO);
}

static uint32_t id_of(uint32_t flow, uint8_t s, enum timer_kind k)
{
	return flow * 4 + s * 2u + (uint32_t)k;
}

static void stop(struct pipeline *p, uint32_t id)
{
	struct timer *t = timer_at(p, id);
	struct timer_list *l;

	if (*list_at(p, id) == TIMERS)
		return;
	l = &p->timers[*list_at(p, id)];
	if (t->before == NONE)
		l->first = t->after;
	else
		timer_at(p, t->before)->after = t->after;
	if (t->after == NONE)
		l->last = t->before;
	else
		timer_at(p, t->after)->before = t->before;
	*list_at(p, id) = TIMERS;
}

void timer_stop(struct pipeline *p, uint32_t flow, uint8_t s,
		enum timer_kind k)
{
	stop(p, id_of(flow, s, k));
}

void timer_start(struct work *w, uint8_t s, enum timer_kind k, unsigned list)
{
	struct pipeline *p = w->p;
	uint32_t id = id_of(w->f_idx, s, k);
	struct timer *t = timer_at(p, id);
	struct timer_list *l = &p->timers[list];

	stop(p, id);
	*t = (struct timer){
		.since = w->now.mono, .before = l->last, .after = NONE};
	*list_at(p, id) = (uint8_t)list;
	if (l->last == NONE)
		l->first = id;
	else
		timer_at(p, l->last)->after = id;
	l->last = id;
}

void timers_new(struct pipeline *p)
{
	for (int i = 0; i < TIMERS; i++)
		p->timers[i].first = p->timers[i].last = NONE;
}

int64_t timers_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < TIMERS; i++) {
		uint32_t id = p->timers[i].first;
		const struct timer *t;
		int64_t at;

		if (id == NONE)
			continue;
		t = &p->flow[id / 4].side[id / 2 % 2].timer[id % 2];
		at = t->since.ns + delay(p, i);
		due = at < due ? at : due;
	}
	return due;
}

/* What a timer starts anew ends later than now, so this ends. */
void timers_run(struct work *w)
{
	struct pipeline *p = w->p;

	for (unsigned i = 0; i < TIMERS; i++) {
		while (p->timers[i].first != NONE) {
			uint32_t id = p->timers[i].first;
			struct timer *t = timer_at(p, id);

			if (mono_sub(w->now.mono, t->since) < delay(p, i))
				break;
			stop(p, id);
			w->f_idx = id / 4;
			w->f = &p->flow[w->f_idx];
			w->s = id / 2 % 2;
			if (id % 2 == TIMER_ACK)
				ack_due(w);
			else
				repeat_due(w);
		}
	}
	w->f = NULL;
	w->f_idx = NONE;
}
