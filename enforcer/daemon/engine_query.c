/* SPDX-License-Identifier: Apache-2.0 */
/* What the parent asks of an engine, and what it says of itself. */
#include "enforcer/daemon/engine.h"

#include <stdio.h>

/* --- status --------------------------------------------------------------- */

static void fill(struct lane_status *to, const struct engine *e)
{
	const struct pipeline_stats *p = pipeline_stats(e->pipeline);

	to->generation = e->set.generation;
	to->packets = p->packets + e->shut + e->poisoned;
	to->octets = p->octets + e->shut_octets + e->poisoned_octets;
	to->passed = p->passed;
	to->dropped = p->dropped + e->shut + e->poisoned;
	to->flows = p->flows;
	to->flows_now = p->flows_now;
	to->flows_peak = p->flows_peak;
	to->held_now = p->held_now;
	to->held_peak = p->held_peak;
	to->units = p->units;
	to->observations = p->observations;
	to->allowed = p->allowed;
	to->denied = p->denied;
	memcpy(to->drops, p->drops, sizeof(to->drops));
	to->drops[REASON_AUDIT_CLOSED] += e->shut;
	to->drops[REASON_POISON] += e->poisoned;
	memcpy(to->anomalies, p->anomalies, sizeof(to->anomalies));
	to->offloaded = p->offloaded;
	to->offload_refused = p->offload_refused;
	to->netlink_errors = e->errors;
	to->socket_overruns = e->overruns;
	to->audit_waits = e->waits;
	memcpy(to->latency_ns, e->latency, sizeof(to->latency_ns));
	to->latency_sum_ns = e->latency_sum_ns;
}

void status_write(struct engine *e)
{
	struct lane_status *s = &e->lane->status;
	/* A predecessor may have died while it wrote. */
	uint32_t seq = atomic_load_explicit(&s->seq, memory_order_relaxed) | 1;

	atomic_store_explicit(&s->seq, seq, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	fill(s, e);
	atomic_store_explicit(&s->seq, seq + 1, memory_order_release);
	e->told = true;
	e->told_at = e->now.mono;
}

/* --- lists ---------------------------------------------------------------- */

struct list {
	struct engine *e;
	struct wbuf w;
};

/* In one piece: it ends with the last line that fits. */
static bool add_line(struct list *l, const void *line, size_t n)
{
	if (l->w.cap - l->w.n < n)
		return false;
	wbuf_put(&l->w, span_of(line, n));
	return true;
}

static bool add_flow(void *arg, const struct flow_view *v)
{
	struct list *l = arg;
	struct flow_line line;

	memset(&line, 0, sizeof(line));
	line.tup = v->tup;
	line.id = v->id;
	line.pkts_out = v->pkts[DIR_OUT];
	line.pkts_in = v->pkts[DIR_IN];
	line.octets_out = v->octets[DIR_OUT];
	line.octets_in = v->octets[DIR_IN];
	line.age_ns = mono_sub(l->e->now.mono, v->start);
	line.idle_ns = mono_sub(l->e->now.mono, v->last);
	snprintf(line.app, sizeof(line.app), "%s", v->app ? v->app : "");
	snprintf(line.guess, sizeof(line.guess), "%s", v->guess.name);
	snprintf(line.confidence, sizeof(line.confidence), "%s",
		 v->guess.confidence ? confidence_name(v->guess.confidence)
				     : "");
	snprintf(line.state, sizeof(line.state), "%s", v->state);
	line.denied = v->denied;
	line.offload = v->offload;
	line.held = v->held < UINT16_MAX ? (uint16_t)v->held : UINT16_MAX;
	return add_line(l, &line, sizeof(line));
}

static bool add_budget(void *arg, const struct pol_budget *b)
{
	struct list *l = arg;
	struct budget_line line;

	memset(&line, 0, sizeof(line));
	snprintf(line.name, sizeof(line.name), "%s", b->name);
	snprintf(line.party, sizeof(line.party), "%.*s", (int)b->party.n,
		 b->party.n ? (const char *)b->party.p : "");
	line.used = b->used;
	line.limit = b->limit;
	line.frees_ns = b->frees_ns;
	return add_line(l, &line, sizeof(line));
}

static uint64_t sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;

	for (size_t i = 0; i < n; i++)
		s = v[i] > UINT64_MAX - s ? UINT64_MAX : s + v[i];
	return s;
}

static bool add_total(void *arg, const struct pol_total *t)
{
	struct list *l = arg;
	struct ledger_line line;

	memset(&line, 0, sizeof(line));
	snprintf(line.unit, sizeof(line.unit), "%s", t->unit);
	snprintf(line.meas, sizeof(line.meas), "%s", t->meas ? t->meas : "");
	snprintf(line.party, sizeof(line.party), "%.*s", (int)t->party.n,
		 t->party.n ? (const char *)t->party.p : "");
	line.in = t->dir == DIR_IN;
	line.everyone = t->everyone;
	line.hour = t->hour[0];
	line.hours_24 = sum(t->hour, 24);
	line.today = t->day[0];
	line.days_30 = sum(t->day, 30);
	line.days_400 = sum(t->day, POL_DAYS);
	return add_line(l, &line, sizeof(line));
}

/* --- questions ------------------------------------------------------------ */

static int flows(struct engine *e, uint32_t arg, struct wbuf *reply,
		 struct err *err)
{
	struct list l = {e, *reply};

	(void)arg;
	(void)err;
	pipeline_flows(e->pipeline, add_flow, &l);
	*reply = l.w;
	return 0;
}

static int budgets(struct engine *e, uint32_t arg, struct wbuf *reply,
		   struct err *err)
{
	struct span name = span_str(e->a->guest->name);
	int machine = pol_set_find_machine(e->set.set, name);
	struct list l = {e, *reply};

	(void)arg;
	if (machine < 0)
		return err_set(err, E_NOTFOUND, 0, "no machine of that name");
	pol_budgets(e->state, (size_t)machine, e->now, add_budget, &l);
	*reply = l.w;
	return 0;
}

static int ledger(struct engine *e, uint32_t arg, struct wbuf *reply,
		  struct err *err)
{
	struct span name = span_str(e->a->guest->name);
	int machine = pol_set_find_machine(e->set.set, name);
	struct list l = {e, *reply};

	(void)arg;
	if (machine < 0)
		return err_set(err, E_NOTFOUND, 0, "no machine of that name");
	pol_ledger(e->state, (size_t)machine, e->now, add_total, &l);
	*reply = l.w;
	return 0;
}

static int erase(struct engine *e, uint32_t arg, struct wbuf *reply,
		 struct err *err)
{
	struct span name = span_str(e->a->guest->name);
	int machine = pol_set_find_machine(e->set.set, name);

	(void)arg;
	(void)reply;
	if (machine < 0)
		return err_set(err, E_NOTFOUND, 0, "no machine of that name");
	pol_ledger_erase(e->state, (size_t)machine, e->now);
	return 0;
}

/* E_STATE: it is in none. */
static int release(struct engine *e, uint32_t arg, struct wbuf *reply,
		   struct err *err)
{
	struct span name = span_str(e->a->guest->name);
	int machine = pol_set_find_machine(e->set.set, name);
	int rc;

	(void)arg;
	(void)reply;
	if (machine < 0)
		return err_set(err, E_NOTFOUND, 0, "no machine of that name");
	if (pol_quarantined(e->state, (size_t)machine, e->now) == 0)
		return err_set(err, E_STATE, 0, "it is in no quarantine");
	rc = pol_state_set(e->state, (size_t)machine, span_str("quarantined"),
			   (struct span){0}, false, e->now);
	/* That it is over is told. */
	pipeline_tick(e->pipeline, e->now, &e->sink);
	return rc;
}

static int reload(struct engine *e, uint32_t arg, struct wbuf *reply,
		  struct err *err)
{
	(void)reply;
	return policy_reload(e, arg, err);
}

static int freeze(struct engine *e, uint32_t arg, struct wbuf *reply,
		  struct err *err)
{
	(void)reply;
	(void)err;
	pipeline_freeze(e->pipeline, arg != 0);
	/* The lane's word, the parent's, says the same; it is what a successor
	 * reads. */
	e->frozen = arg != 0;
	return 0;
}

static int canary(struct engine *e, uint32_t arg, struct wbuf *reply,
		  struct err *err)
{
	(void)e;
	(void)arg;
	(void)reply;
	(void)err;
	return 0;
}

static int (*const question[])(struct engine *e, uint32_t arg,
			       struct wbuf *reply, struct err *err) = {
	[QUERY_FLOWS] = flows,	 [QUERY_BUDGETS] = budgets,
	[QUERY_POLICY] = reload, [QUERY_FREEZE] = freeze,
	[QUERY_CANARY] = canary, [QUERY_LEDGER] = ledger,
	[QUERY_ERASE] = erase,	 [QUERY_RELEASE] = release,
};

static void answer(struct engine *e, uint32_t asked)
{
	struct lane_query *q = &e->lane->query;
	struct wbuf reply = wbuf_of(q->reply, sizeof(q->reply));
	uint32_t kind = q->kind;
	struct err err = {0};
	int rc;

	if (kind < QUERY_FLOWS || kind > QUERY_RELEASE)
		rc = err_set(&err, E_UNSUPPORTED, 0, "no such question");
	else
		rc = question[kind](e, q->arg, &reply, &err);
	if (rc < 0) {
		reply.n = 0;
		wbuf_put(&reply, span_str(err.text));
	}
	out_publish(e);
	status_write(e);
	q->rc = rc;
	q->n = (uint32_t)reply.n;
	atomic_store_explicit(&q->answered, asked, memory_order_release);
}

static bool open_question(const struct engine *e, uint32_t *asked)
{
	const struct lane_query *q = &e->lane->query;

	*asked = atomic_load_explicit(&q->asked, memory_order_acquire);
	return *asked !=
	       atomic_load_explicit(&q->answered, memory_order_relaxed);
}

void query_answer(struct engine *e)
{
	uint32_t asked;

	if (open_question(e, &asked))
		answer(e, asked);
}

void query_waiting(struct engine *e)
{
	struct lane_query *q = &e->lane->query;
	uint32_t asked;

	if (!open_question(e, &asked) || q->kind != QUERY_CANARY)
		return;
	q->rc = 0;
	q->n = 0;
	atomic_store_explicit(&q->answered, asked, memory_order_release);
}
