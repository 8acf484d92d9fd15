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
	       mono_sub(now, r->noticed) >= STORM_NOTICE;
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

static void due_by(struct storm *s, int64_t ns)
{
	if (s->rules_due_ns == 0 || ns < s->rules_due_ns)
		s->rules_due_ns = ns;
}

static void count_more(struct storm_key *k, const struct event *ev)
{
	if (k->sum.n == 0) {
		memset(k, 0, sizeof(*k));
		storm_describe(k, ev);
	}
	storm_count(k, ev);
}

/* False: it is to be merged with others that are alike. */
bool storm_refused(struct storm *s, struct storm_rule *r,
		   const struct event *ev, storm_out *out, void *arg)
{
	if (r->each == 0 || mono_sub(ev->now.mono, r->hour) >= STORM_HOUR) {
		r->hour = ev->now.mono;
		r->each = 0;
	}
	if (r->each == STORM_EACH) {
		count_more(&r->more, ev);
		s->merged++;
		due_by(s, mono_add(r->hour, STORM_HOUR).ns);
		return true;
	}
	if (!storm_token(s, ev->now.mono))
		return false;
	r->each++;
	s->passed++;
	out(arg, ev);
	return true;
}

void storm_notice(struct storm *s, struct storm_rule *r,
		  const struct event *of, storm_out *out, void *arg)
{
	struct event ev = *of;

	ev.type = EV_NOTICE;
	ev.message = ev.leaves = NULL;
	ev.n_leaves = ev.leaf = ev.n_budgets = 0;
	ev.would_pass = (struct span){0};
	if (r && r->told &&
	    mono_sub(ev.now.mono, r->noticed) < STORM_NOTICE) {
		count_more(&r->notice, &ev);
		s->merged++;
		due_by(s, mono_add(r->noticed, STORM_NOTICE).ns);
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

void storm_tell_rules(struct storm *s, struct now now, bool all,
		      storm_out *out, void *arg)
{
	s->rules_due_ns = 0;
	for (uint32_t i = 0; i < s->n_rules; i++) {
		struct storm_rule *r = &s->rule[i];
		struct mono hour = mono_add(r->hour, STORM_HOUR);
		struct mono notice = mono_add(r->noticed, STORM_NOTICE);

		if (r->more.sum.n && (all || hour.ns <= now.mono.ns)) {
			storm_tell(&r->more, now, out, arg);
			r->more.sum.n = 0;
		}
		if (r->notice.sum.n && (all || notice.ns <= now.mono.ns)) {
			storm_tell(&r->notice, now, out, arg);
			r->notice.sum.n = 0;
			r->noticed = now.mono;
		}
		if (r->more.sum.n)
			due_by(s, hour.ns);
		if (r->notice.sum.n)
			due_by(s, notice.ns);
	}
}
