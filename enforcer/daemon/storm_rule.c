/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/storm_rule.h"

#include "audit/record.h"

/* Nobody who sends can make many of them: rules, or what is refused without
 * one, and what became of it: a count says one verdict of all that are in it.
 * The same for whoever goes on with the table. */
static uint64_t rule_hash(const struct event *ev)
{
	static const struct sipkey key = {0, 0};
	const struct event_rule *r = record_rule(ev);
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	uint64_t h;

	storm_put_name(&w, ev->guest);
	wbuf_u8(&w, (uint8_t)ev->verdict);
	wbuf_u8(&w, ev->monitored);
	if (r) {
		storm_put_name(&w, r->policy);
		storm_put_name(&w, r->rule);
		wbuf_be(&w, r->line, 4);
	} else {
		wbuf_u8(&w, (uint8_t)ev->reason);
	}
	h = siphash24(&key, wbuf_span(&w));
	return h ? h : 1;
}

static bool rule_idle(const struct storm_rule *r, struct mono now)
{
	return r->more.sum.n == 0 && r->notice.sum.n == 0 &&
	       mono_sub(now, r->hour) >= STORM_HOUR &&
	       mono_sub(now, r->noticed) >= STORM_NOTICE * (1 + r->again);
}

/* NULL: no place. */
struct storm_rule *storm_rule_of(struct storm *s, const struct event *ev)
{
	uint64_t hash = rule_hash(ev);
	struct storm_rule *spare = NULL;

	for (uint32_t i = 0; i < s->n_rules; i++) {
		if (s->rule[i].hash == hash)
			return &s->rule[i];
		if (!spare && rule_idle(&s->rule[i], ev->now.mono))
			spare = &s->rule[i];
	}
	if (!spare && s->n_rules < STORM_RULES)
		spare = &s->rule[s->n_rules++];
	if (spare) {
		memset(spare, 0, sizeof(*spare));
		spare->hash = hash;
	}
	return spare;
}

static void count_more(struct storm *s, struct storm_key *k,
		       const struct event *ev)
{
	int64_t due = mono_add(ev->now.mono, STORM_PERIOD).ns;

	if (k->sum.n == 0) {
		memset(k, 0, sizeof(*k));
		storm_describe(k, ev);
		k->summary = true;
	}
	storm_count(k, ev);
	s->merged++;
	if (s->rules_due_ns == 0 || due < s->rules_due_ns)
		s->rules_due_ns = due;
}

/* False: it is to be merged with others that are alike. */
bool storm_refused(struct storm *s, struct storm_rule *r,
		   const struct event *of, storm_out *out, void *arg)
{
	struct event ev;

	if (r->each == 0 || mono_sub(of->now.mono, r->hour) >= STORM_HOUR) {
		r->hour = of->now.mono;
		r->each = 0;
	}
	if (r->each == STORM_EACH) {
		count_more(s, &r->more, of);
		return true;
	}
	if (!storm_token(s, of->now.mono))
		return false;
	r->each++;
	s->passed++;
	ev = *of;
	ev.summary = true;
	out(arg, &ev);
	return true;
}

/* Are its ten minutes not over? Behind ten in which some were counted come
 * another ten. */
static bool was_told(struct storm_rule *r, struct mono now)
{
	if (r->again && mono_sub(now, r->noticed) >= STORM_NOTICE) {
		r->noticed = mono_add(r->noticed, STORM_NOTICE);
		r->again = false;
	}
	return r->told && mono_sub(now, r->noticed) < STORM_NOTICE;
}

void storm_notice(struct storm *s, struct storm_rule *r,
		  const struct event *of, storm_out *out, void *arg)
{
	struct event ev = *of;

	ev.type = EV_NOTICE;
	ev.summary = r != NULL;
	ev.message = ev.leaves = NULL;
	ev.n_leaves = ev.leaf = ev.n_budgets = 0;
	ev.would_pass = (struct span){0};
	if (r && was_told(r, ev.now.mono)) {
		r->again = true;
		count_more(s, &r->notice, &ev);
		return;
	}
	if (r) {
		r->told = true;
		r->noticed = ev.now.mono;
	} else if (!storm_token(s, ev.now.mono)) {
		return; /* its event tells, or is counted */
	}
	out(arg, &ev);
}

void storm_tell_rules(struct storm *s, struct now now, storm_out *out,
		      void *arg)
{
	s->rules_due_ns = 0;
	for (uint32_t i = 0; i < s->n_rules; i++) {
		struct storm_key *const counts[] = {&s->rule[i].more,
						    &s->rule[i].notice};

		for (size_t k = 0; k < 2; k++) {
			if (counts[k]->sum.n)
				storm_tell(counts[k], now, out, arg);
			counts[k]->sum.n = 0;
		}
	}
}
