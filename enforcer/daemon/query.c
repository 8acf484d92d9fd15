/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to engines: one at a time each, answered in shared memory. */
#include <stdatomic.h>
#include <unistd.h>

#include "enforcer/daemon/parent.h"

bool query_start(struct parent *p, size_t guest, uint32_t kind, uint32_t arg,
		 enum query_owner owner, size_t conn)
{
	struct guest *g = &p->guest[guest];
	struct lane_query *q = &p->share[guest].lane->query;
	const uint64_t one = 1;

	if (g->query.owner != QUERY_OWNER_NONE || !child_ready(&g->engine))
		return false;
	q->kind = kind;
	q->arg = arg;
	q->rc = 0;
	q->n = 0;
	g->query.owner = owner;
	g->query.kind = kind;
	g->query.conn = conn;
	g->query.number++;
	g->query.deadline_ns = p->now.mono.ns + QUERY_NS;
	atomic_store(&q->asked, g->query.number);
	/* A counter that is full wakes just as well. */
	(void)!write(g->wake_fd, &one, sizeof(one));
	return true;
}

/* Nothing of the engine's reply is believed before it was looked at. */
static void done(struct parent *p, size_t guest, int rc, const char *why)
{
	struct query q = p->guest[guest].query;

	p->guest[guest].query.owner = QUERY_OWNER_NONE;
	if (q.owner == QUERY_OWNER_CTL)
		ctl_query_done(p->ctl, p, q.conn, guest, rc, why);
	else if (q.owner == QUERY_OWNER_RELOAD)
		reload_answer(p, guest, rc, why);
}

static void answered(struct parent *p, size_t guest)
{
	const struct lane_query *q = &p->share[guest].lane->query;
	int rc = q->rc;
	uint32_t n = q->n;
	char why[ERR_TEXT] = "";

	if (n > sizeof(q->reply)) {
		child_kill(&p->guest[guest].engine, SIGKILL);
		done(p, guest, E_SYNTAX, "the engine's answer makes no sense");
		return;
	}
	if (rc < 0)
		log_escape(why, sizeof(why),
			   span_of(q->reply, strnlen((const char *)q->reply,
						     n)));
	done(p, guest, rc < 0 ? rc : 0, why);
}

void query_failed(struct parent *p, size_t guest, const char *why)
{
	struct lane_query *q = &p->share[guest].lane->query;

	/* What the dead one was asked, its successor is not. */
	atomic_store(&q->answered, atomic_load(&q->asked));
	if (p->guest[guest].query.owner != QUERY_OWNER_NONE)
		done(p, guest, E_IO, why);
}

static void canary(struct parent *p, size_t guest)
{
	struct query *q = &p->guest[guest].query;

	if (p->now.mono.ns < q->next_canary_ns)
		return;
	if (query_start(p, guest, QUERY_CANARY, 0, QUERY_OWNER_CANARY, 0))
		q->next_canary_ns = p->now.mono.ns + CANARY_NS;
}

/* An engine that waits for the scribe answers canaries only: whoever asked is
 * told, and it lives. A set that is swapped after everybody else went back
 * must not be. */
static void too_late(struct parent *p, size_t guest)
{
	struct query *q = &p->guest[guest].query;
	struct child *engine = &p->guest[guest].engine;
	bool waits = q->owner == QUERY_OWNER_CTL ||
		     q->owner == QUERY_OWNER_LATE;

	if (waits && !child_silent(engine, p->now.mono.ns)) {
		if (q->owner == QUERY_OWNER_CTL)
			ctl_query_done(p->ctl, p, q->conn, guest, E_STATE,
				       "the engine is busy: it waits for the "
				       "audit");
		q->owner = QUERY_OWNER_LATE;
		q->deadline_ns = p->now.mono.ns + QUERY_NS;
		return;
	}
	log_err(p->log,
		"engine of %s: no answer for %lld s; it is killed and started "
		"again",
		p->share[guest].name, (long long)(QUERY_NS / NS_PER_S));
	engine->hung = true;
	child_kill(engine, SIGKILL);
	query_failed(p, guest, "the engine did not answer");
}

void query_turn(struct parent *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		struct query *q = &p->guest[i].query;
		const struct lane_query *l = &p->share[i].lane->query;

		if (q->owner == QUERY_OWNER_NONE) {
			canary(p, i);
		} else if (atomic_load_explicit(&l->answered,
						memory_order_acquire) ==
			   q->number) {
			answered(p, i);
		} else if (p->now.mono.ns > q->deadline_ns) {
			too_late(p, i);
		}
	}
}
