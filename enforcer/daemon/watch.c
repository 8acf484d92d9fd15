/* SPDX-License-Identifier: Apache-2.0 */
/* Children that ended, hang or are to be started again; one guest's never
 * wait for another's. */
#include <stdio.h>

#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/parent.h"

bool watch_each(struct parent *p, child_f *f)
{
	if (p->attester_page && !f(p, &p->attester))
		return false;
	if (!f(p, &p->scribe))
		return false;
	for (size_t i = 0; i < p->n_guests; i++) {
		if (!f(p, &p->guest[i].gate) || !f(p, &p->guest[i].engine))
			return false;
	}
	return f(p, &p->courier);
}

char *watch_name(const struct parent *p, const struct child *c, char *buf,
		 size_t cap)
{
	bool one = c->kind == CHILD_GATE || c->kind == CHILD_ENGINE;

	snprintf(buf, cap, "%s%s%s", child_kind_name(c->kind),
		 one ? " of " : "", one ? p->share[c->guest].name : "");
	return buf;
}

/* --- an engine's end --------------------------------------------------------------------- */

/* What it had published and can be read is still good; a position that cannot
 * be is taken back, for the ring's other side would never believe it. */
static void mend(void *mem, uint32_t size)
{
	struct ring_shared *s = mem;
	uint64_t head = atomic_load(&s->head), tail = atomic_load(&s->tail);

	if (head - tail > size || head % 8)
		atomic_store(&s->head, tail);
}

/* The packets that it had and never judged are dropped before another engine
 * starts: it would not know of what they are the rest. */
static void engine_ended(struct parent *p, size_t i)
{
	struct lane *l = p->share[i].lane;
	struct nfq_counts n;
	struct err e;

	query_failed(p, i, "the engine died");
	if (nfq_counts(&n, p->share[i].queue, &e) == 0) {
		atomic_store(&l->dead_id, n.last_id);
		p->guest[i].dead_unsent = n.user_dropped;
	} else {
		log_err(p->log, "engine of %s: %s", p->share[i].name, e.text);
	}
	mend(p->share[i].verdicts, VERDICT_RING);
	mend(p->share[i].events, EVENT_RING);
	atomic_store(&l->gate_bad, 0);
	p->guest[i].counted = false;
	atomic_fetch_add(&l->drop_asked, 1);
	gate_poke(&p->share[i]);
	p->guest[i].draining = true;
	p->guest[i].drain_ns = p->now.mono.ns + DRAIN_NS;
}

static void drain(struct parent *p, size_t i)
{
	struct guest *g = &p->guest[i];
	struct lane *l = p->share[i].lane;
	uint32_t asked = atomic_load(&l->drop_asked);

	if (!g->draining)
		return;
	if (!g->counted && atomic_load(&l->drop_sent) == asked) {
		counts_left(p, i);
		g->counted = true;
		atomic_store(&l->drop_counted, asked);
		gate_poke(&p->share[i]);
	}
	if (atomic_load(&l->drop_done) == asked) {
		g->draining = false;
	} else if (p->now.mono.ns > g->drain_ns && g->gate.pid > 0) {
		log_err(p->log, "gate of %s: does not drop; it is killed",
			p->share[i].name);
		g->gate.hung = true;
		child_kill(&g->gate, SIGKILL);
		g->drain_ns = p->now.mono.ns + DRAIN_NS;
	}
}

/* --- all children ---------------------------------------------------------------------------- */

/* A guest's doing, perhaps: it cannot fill the log with what is kept. */
static enum event_type end_type(struct parent *p, struct child *c)
{
	return child_tell(c, p->now.mono.ns) ? EV_MAINTENANCE : EV_ANOMALY;
}

static bool look_for_end(struct parent *p, struct child *c)
{
	char name[80], how[CHILD_END_TEXT];
	const char *guest = c->kind == CHILD_GATE || c->kind == CHILD_ENGINE
				    ? p->share[c->guest].name
				    : NULL;
	siginfo_t si;
	int64_t wait;
	bool told = c->told;

	if (!child_reap(c, &si))
		return true;
	watch_name(p, c, name, sizeof(name));
	child_end_text(how, &si);
	wait = child_ended(c, &si, p->now.mono.ns);
	if (c->kind == CHILD_ENGINE) {
		if (child_crashed(&si))
			atomic_fetch_add(&p->share[c->guest].lane->crashes, 1);
		engine_ended(p, c->guest);
	}
	if (c->kind == CHILD_ATTESTER)
		atomic_store(&p->attester_page->session, 0);
	if (p->stopping)
		return true;
	if (told) {
		log_info(p->log, "%s: ended as asked", name);
		return true;
	}
	log_err(p->log, "%s: died: %s; started again in %lld ms", name, how,
		(long long)(wait / MS));
	parent_note(p, end_type(p, c),
		    c->kind == CHILD_ENGINE ? REASON_ENGINE_RESTART
					    : REASON_NONE,
		    guest, "%s died: %s", name, how);
	return true;
}

void watch_deaths(struct parent *p)
{
	watch_each(p, look_for_end);
}

static bool look_for_silence(struct parent *p, struct child *c)
{
	char name[80];

	child_look(c, p->now.mono.ns);
	if (c->hung || !child_silent(c, p->now.mono.ns))
		return true;
	log_err(p->log, "%s: silent for more than %lld s; it is killed",
		watch_name(p, c, name, sizeof(name)),
		(long long)(CHILD_SILENT_NS / NS_PER_S));
	c->hung = true;
	child_kill(c, SIGKILL);
	return true;
}

static bool start_again(struct parent *p, struct child *c)
{
	struct err e;

	if (c->pid > 0 || p->now.mono.ns < c->due_ns)
		return true;
	/* A set is being swapped: which one to start with is not known. */
	if (c->kind == CHILD_ENGINE && (p->guest[c->guest].draining ||
					p->reload.step != RELOAD_IDLE))
		return true;
	if (spawn(p, c, &e) < 0) {
		log_err(p->log, "%s", e.text);
		c->due_ns = p->now.mono.ns + BACKOFF_MAX;
	}
	return true;
}

/* Verdicts without sense: whoever wrote them is not to be trusted with the
 * guest's packets for another turn. */
static void look_for_nonsense(struct parent *p, size_t i)
{
	struct lane *l = p->share[i].lane;
	struct child *engine = &p->guest[i].engine;
	uint64_t bad = atomic_load(&l->gate_bad);

	if (bad == 0 || engine->pid <= 0 || engine->hung)
		return;
	log_err(p->log,
		"engine of %s: %llu malformed verdicts or events; it is killed",
		p->share[i].name, (unsigned long long)bad);
	parent_note(p, end_type(p, engine), REASON_ENGINE_RESTART,
		    p->share[i].name,
		    "engine of %s: %llu malformed verdicts or events",
		    p->share[i].name, (unsigned long long)bad);
	engine->hung = true;
	child_kill(engine, SIGKILL);
}

void watch_turn(struct parent *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		look_for_nonsense(p, i);
		drain(p, i);
	}
	watch_each(p, look_for_silence);
	watch_each(p, start_again);
}

/* An engine that does not know yet what its budgets are drops everything. */
static bool is_ready(struct parent *p, struct child *c)
{
	return child_ready(c) &&
	       (c->kind != CHILD_ENGINE ||
		atomic_load(&p->share[c->guest].lane->ledger_seen));
}

bool watch_all_ready(struct parent *p)
{
	return watch_each(p, is_ready);
}

bool watch_some_ready(struct parent *p)
{
	bool some = false;

	for (size_t i = 0; i < p->n_guests; i++)
		some = some || (child_ready(&p->guest[i].gate) &&
				child_ready(&p->guest[i].engine));
	return some && child_ready(&p->scribe);
}

static bool is_up(struct parent *p, struct child *c)
{
	(void)p;
	return c->pid > 0;
}

bool watch_busy(struct parent *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		if (p->guest[i].draining ||
		    p->guest[i].query.owner != QUERY_OWNER_NONE)
			return true;
	}
	return !p->ready || p->reload.step != RELOAD_IDLE ||
	       p->reload_again || p->signal_asks || p->offer_waits ||
	       !watch_each(p, is_up);
}
