/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drops that no engine sees: by rules before the queue, by the kernel when a
 * queue is full, and of what an engine that died had not judged. Audited as sums: one event for each reason and guest that
 * grew. Queues are read once a second; the rules, which takes programs, every
 * few seconds and before they are replaced, so that no count is lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/parent.h"

#define RULES_NS  (5 * NS_PER_S) /* between two looks at the rules' counters */
#define INTACT_NS (5 * NS_PER_S) /* and at the rules themselves */

struct drops {
	struct rules_drop seen[RULES_DROPS];
	size_t n;
	int64_t next_ns, rules_ns, intact_ns;
	struct log_limit said;
};

int counts_new(struct drops **out, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : err_set(e, E_NOMEM, 0, "out of memory");
}

void counts_free(struct drops *d)
{
	free(d);
}

void counts_restart(struct parent *p)
{
	p->drops->n = 0;
}

static struct rules_drop *find(struct drops *d, const struct rules_drop *x)
{
	for (size_t i = 0; i < d->n; i++) {
		if (strcmp(d->seen[i].why, x->why) == 0 &&
		    strcmp(d->seen[i].guest, x->guest) == 0)
			return &d->seen[i];
	}
	if (d->n == RULES_DROPS)
		return NULL;
	d->seen[d->n] = *x;
	d->seen[d->n].packets = d->seen[d->n].octets = 0;
	return &d->seen[d->n++];
}

/* Names of rules that are no reasons of the list. */
static enum reason reason_of(const char *why)
{
	static const struct {
		const char *why;
		enum reason reason;
	} rows[] = {
		{"spoofed-mac",	   REASON_SPOOFED_SOURCE },
		{"spoofed-uplink", REASON_SPOOFED_SOURCE },
		{"arp",		   REASON_SPOOFED_SOURCE },
		{"nd",		   REASON_SPOOFED_SOURCE },
		{"router",	   REASON_BAD_ADDRESS	 },
		{"chatter",	   REASON_UNKNOWN_PARTY	 },
		{"no-uplink",	   REASON_BAD_ADDRESS	 },
		{"bridged",	   REASON_BAD_ADDRESS	 },
		{"not-bridged",	   REASON_BAD_ADDRESS	 },
		{"refused-flow",   REASON_TCP_FLOW_DENIED},
		{"closed",	   REASON_RESOURCE	 },
	};
	enum reason r = reason_find(span_str(why));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].why, why) == 0)
			r = rows[i].reason;
	}
	return r == REASON_NONE ? REASON_NOT_IP : r;
}

static void tell(struct parent *p, const char *guest, enum reason why,
		 uint64_t packets, uint64_t octets, const char *detail)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now = p->now,
		.guest = span_str(guest),
		.verdict = VERDICT_DENY,
		.reason = why,
		.detail = detail,
		.count = packets,
		.count_octets = octets,
	};

	reasons_add(&ev.reasons, why);
	parent_record(p, &ev);
}

/* So many more were dropped before the queue. */
static void dropped(struct parent *p, const struct rules_drop *now,
		    const struct rules_drop *was)
{
	enum reason why = reason_of(now->why);
	char detail[96];

	snprintf(detail, sizeof(detail),
		 "dropped by the rules before the queue (%.30s)", now->why);
	for (size_t i = 0; i < p->n_guests; i++) {
		if (strcmp(p->share[i].name, now->guest) == 0)
			atomic_fetch_add(&p->share[i].lane->rules_dropped[why],
					 now->packets - was->packets);
	}
	tell(p, now->guest, why, now->packets - was->packets,
	     now->octets - was->octets, detail);
}

static void rules(struct parent *p)
{
	struct drops *d = p->drops;
	struct rules_drop now[RULES_DROPS];
	struct err e;
	uint32_t missed;
	size_t n;

	if (rules_drops(p->backend, now, RULES_DROPS, &n, &e) < 0) {
		if (log_allow(&d->said, p->now.mono, 1, 60 * NS_PER_S, &missed))
			log_warn(p->log, "counters of the rules: %s", e.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct rules_drop *was = find(d, &now[i]);

		if (!was || now[i].packets == was->packets)
			continue;
		/* Somebody loaded the rules again: they began at zero. */
		if (now[i].packets < was->packets)
			was->packets = was->octets = 0;
		if (now[i].packets > was->packets)
			dropped(p, &now[i], was);
		*was = now[i];
	}
}

static void queue(struct parent *p, size_t i)
{
	struct guest *g = &p->guest[i];
	struct lane *l = p->share[i].lane;
	struct nfq_counts n;
	struct err e;

	if (nfq_counts(&n, p->share[i].queue, &e) < 0)
		return;
	atomic_store(&l->kernel_dropped, n.queue_dropped);
	atomic_store(&l->kernel_unsent, n.user_dropped);
	atomic_store(&l->kernel_queued, n.queued);
	if (n.queue_dropped > g->kernel_dropped)
		tell(p, p->share[i].name, REASON_QUEUE_FULL,
		     n.queue_dropped - g->kernel_dropped, 0,
		     "dropped by the kernel: the queue was full");
	if (n.user_dropped > g->kernel_unsent)
		tell(p, p->share[i].name, REASON_QUEUE_FULL,
		     n.user_dropped - g->kernel_unsent, 0,
		     "dropped by the kernel: the engine's socket was full");
	g->kernel_dropped = n.queue_dropped;
	g->kernel_unsent = n.user_dropped;
}

/* Numbers only grow, so of what waits now the last ones came after the engine's
 * end and are for the next one; those of the rest that found no room in the
 * socket were counted as such, and wait for nobody. */
void counts_left(struct parent *p, size_t i)
{
	struct lane *l = p->share[i].lane;
	uint32_t after, left;
	struct nfq_counts n;
	struct err e;

	if (nfq_counts(&n, p->share[i].queue, &e) < 0) {
		log_err(p->log, "engine of %s: what it left was not counted: "
			"%s", p->share[i].name, e.text);
		return;
	}
	after = n.last_id - atomic_load(&l->dead_id);
	after -= (uint32_t)(n.user_dropped - p->guest[i].dead_unsent);
	left = n.queued > after ? n.queued - after : 0;
	if (left == 0)
		return;
	atomic_fetch_add(&l->left_dropped, left);
	tell(p, p->share[i].name, REASON_ENGINE_RESTART, left, 0,
	     "waited for an engine that died");
}

/* Another program may flush our chains, go in front of them, or turn off what
 * hands a bridge's packets to them: closed at once, and opened again by
 * loading them anew when the host is as it must be. A look that fails for
 * want of memory or processes says nothing about the rules. */
static void intact(struct parent *p)
{
	struct err e, closing;
	int rc = rules_check_host(&p->rules, &e);

	if (rc == 0)
		rc = rules_check_loaded(p->backend, &p->rules, &e);
	if (rc != E_STATE)
		return;
	log_err(p->log, "rules: %s; somebody changed that", e.text);
	parent_note(p, EV_MAINTENANCE, REASON_NONE, NULL,
		    "rules were changed by another program: %.120s", e.text);
	if (rules_close(p->backend, &p->rules, &closing) < 0)
		log_err(p->log, "rules: NOT CLOSED: %s", closing.text);
	p->ready = false;
	p->rules_due_ns = p->now.mono.ns;
}

void counts_last(struct parent *p)
{
	if (p->ready)
		rules(p);
}

void counts_turn(struct parent *p)
{
	struct drops *d = p->drops;

	if (p->now.mono.ns < d->next_ns || !p->ready)
		return;
	d->next_ns = p->now.mono.ns + NS_PER_S;
	for (size_t i = 0; i < p->n_guests; i++)
		queue(p, i);
	if (p->now.mono.ns >= d->rules_ns) {
		d->rules_ns = p->now.mono.ns + RULES_NS;
		rules(p);
	}
	if (p->now.mono.ns < d->intact_ns)
		return;
	d->intact_ns = p->now.mono.ns + INTACT_NS;
	intact(p);
}
