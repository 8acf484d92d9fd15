/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of child is given, and what is taken from it before its own
 * code runs: memory of other guests, and the right to write what it should
 * only read. Its sandbox does the rest.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "enforcer/daemon/offer.h"
#include "enforcer/daemon/parent.h"

/* uid_base + these, and of engines and gates each its guest's number */
enum {
	UID_SCRIBE = 1,
	UID_COURIER,
	UID_ENGINE,
	UID_GATE = UID_ENGINE + SHARE_GUESTS,
	UID_ATTESTER = UID_GATE + SHARE_GUESTS,
};
_Static_assert(UID_ATTESTER + 1 == CONF_UIDS, "as metergated.conf(5) says");

struct start {
	struct parent *p;
	struct child *c;
	pid_t pid; /* of the parent */
};

static struct sandbox_conf sandbox(const struct start *s, uint32_t who,
				   const int *fds, size_t n, const char *dir)
{
	uint32_t id = s->p->conf->uid_base + who;

	return (struct sandbox_conf){
		.uid = (uid_t)id,
		.gid = (gid_t)id,
		.dir = dir,
		.fds = fds,
		.n_fds = n,
		.parent = s->pid,
	};
}

static struct log named(const struct log *l, char *name, size_t cap,
			const char *kind, const char *guest)
{
	struct log log = *l;

	snprintf(name, cap, "metergated-%s%s%s%s", kind, guest ? "[" : "",
		 guest ? guest : "", guest ? "]" : "");
	log.name = name;
	return log;
}

/* Of the processors that are there, the n-th in turn. */
static int in_turn(size_t n)
{
	cpu_set_t set;
	int count, cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return CPU_ANY;
	count = CPU_COUNT(&set);
	if (count == 0)
		return CPU_ANY;
	for (n %= (size_t)count;; cpu++) {
		if (CPU_ISSET((size_t)cpu, &set) && n-- == 0)
			return cpu;
	}
}

/* Gate and engine of a guest run on one CPU: their hand-over is then a switch
 * and no interrupt to another one. */
static void pin(const struct conf *c, size_t guest)
{
	int cpu = c->cpu == CPU_PAIR ? in_turn(guest) : c->cpu;
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	/* A CPU that is not there was refused at the start. */
	(void)sched_setaffinity(0, sizeof(set), &set);
}

static void drop_other_guests(struct parent *p, size_t but)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		if (i == but)
			continue;
		area_drop(&p->guest[i].lane);
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
	}
}

static int run_engine(void *arg)
{
	const struct start *s = arg;
	struct parent *p = s->p;
	size_t i = s->c->guest;
	struct guest *g = &p->guest[i];
	const int fds[] = {g->queue_fd, g->wake_fd};
	char name[80];
	struct log log = named(p->log, name, sizeof(name), "engine",
			       p->share[i].name);
	struct engine_arg a = {
		.log = &log,
		.conf = p->conf,
		.guest = &p->share[i],
		.control = p->control,
		.half = {p->half[0], p->half[1]},
		.use = p->use,
		.ledger = p->ledger.p,
		.ledger_octets = p->ledger.n,
		.queue_fd = g->queue_fd,
		.wake_fd = g->wake_fd,
		.sandbox = sandbox(s, UID_ENGINE + (uint32_t)i, fds, 2,
				   NULL),
	};

	pin(p->conf, i);
	drop_other_guests(p, i);
	area_drop(&p->attester_area);
	area_drop(&p->view_area);
	area_drop(&p->window_area);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	area_drop(&p->events_area);
	if (!area_readonly(&p->half_area[0], p->half_area[0].n) ||
	    !area_readonly(&p->half_area[1], p->half_area[1].n) ||
	    !area_readonly(&p->ledger, p->ledger.n) ||
	    !area_readonly(&p->control_area,
			   offsetof(struct control, scribe_sleeps)) ||
	    !area_readonly(&g->lane, offsetof(struct lane, engine_beat)))
		return 1;
	return engine_main(&a);
}

static int run_gate(void *arg)
{
	const struct start *s = arg;
	struct parent *p = s->p;
	size_t i = s->c->guest;
	struct guest *g = &p->guest[i];
	int fds[] = {g->queue_fd, g->raw4_fd, g->raw6_fd, p->packet_fd};
	char name[80];
	struct log log = named(p->log, name, sizeof(name), "gate",
			       p->share[i].name);
	struct gate_arg a = {
		.log = &log,
		.conf = p->conf,
		.guest = &p->share[i],
		.control = p->control,
		.queue_fd = g->queue_fd,
		.raw4_fd = g->raw4_fd,
		.raw6_fd = g->raw6_fd,
		.packet_fd = p->packet_fd,
		.sandbox = sandbox(s, UID_GATE + (uint32_t)i, fds,
				   p->packet_fd >= 0 ? 4 : 3, NULL),
	};

	pin(p->conf, i);
	drop_other_guests(p, i);
	area_drop(&p->attester_area);
	area_drop(&p->ledger);
	area_drop(&g->state);
	area_drop(&g->slots);
	area_drop(&p->view_area);
	area_drop(&p->window_area);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	area_drop(&p->events_area);
	area_drop(&p->half_area[0]);
	area_drop(&p->half_area[1]);
	if (!area_readonly(&p->control_area, p->control_area.n))
		return 1;
	return gate_main(&a);
}

static void audit_directory(char *dir, size_t cap, const struct conf *c)
{
	snprintf(dir, cap, "%.*s", (int)(strrchr(c->audit, '/') - c->audit),
		 c->audit);
}

static int run_scribe(void *arg)
{
	const struct start *s = arg;
	struct parent *p = s->p;
	const int fds[] = {p->window_fd, p->ledger_fd[0], p->ledger_fd[1],
			   p->attester_fd[0]};
	char name[80], dir[CONF_PATH];
	struct log log = named(p->log, name, sizeof(name), "scribe", NULL);
	struct scribe_arg a = {
		.log = &log,
		.conf = p->conf,
		.guest = p->share,
		.n_guests = p->n_guests,
		.parent_events = p->events_area.p,
		.control = p->control,
		.view = p->view,
		.window = p->window,
		.courier_fd = p->window_fd,
		.attester = p->attester_page,
		.attester_fd = p->attester_fd[0],
		.half = {p->half[0], p->half[1]},
		.state = p->ledger.p,
		.state_octets = p->ledger.n,
		.ledger_fd = {p->ledger_fd[0], p->ledger_fd[1]},
		.sandbox = sandbox(s, UID_SCRIBE, fds,
				   p->attester_fd[0] >= 0 ? 4 : 3, dir),
	};

	audit_directory(dir, sizeof(dir), p->conf);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	memcpy(a.boot_key, p->boot_key, sizeof(a.boot_key));
	for (size_t i = 0; i < p->n_guests; i++) {
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
	}
	if (!area_readonly(&p->half_area[0], p->half_area[0].n) ||
	    !area_readonly(&p->half_area[1], p->half_area[1].n) ||
	    (p->attester_page &&
	     !area_readonly(&p->attester_area, p->attester_area.n)))
		return 1;
	return scribe_main(&a);
}

/* It sees nothing of the guests, the audit or the policies. */
static int run_attester(void *arg)
{
	const struct start *s = arg;
	struct parent *p = s->p;
	char name[80];
	struct log log = named(p->log, name, sizeof(name), "attester", NULL);
	struct attester_arg a = {
		.log = &log,
		.conf = p->conf,
		.share = p->attester_page,
		.fd = p->attester_fd[1],
		.sandbox = sandbox(s, UID_ATTESTER, NULL, 0, NULL),
	};

	for (size_t i = 0; i < p->n_guests; i++) {
		area_drop(&p->guest[i].lane);
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
	}
	area_drop(&p->events_area);
	area_drop(&p->ledger);
	area_drop(&p->half_area[0]);
	area_drop(&p->half_area[1]);
	area_drop(&p->view_area);
	area_drop(&p->window_area);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	area_drop(&p->control_area);
	return attester_main(&a);
}

static int run_courier(void *arg)
{
	const struct start *s = arg;
	struct parent *p = s->p;
	const int fds[] = {p->window_fd, p->operator_fd, p->portal_fd};
	char name[80];
	struct log log = named(p->log, name, sizeof(name), "courier", NULL);
	struct courier_arg a = {
		.log = &log,
		.conf = p->conf,
		.guest = p->share,
		.n_guests = p->n_guests,
		.control = p->control,
		.view = p->view,
		.window = p->window,
		.cards = p->cards,
		.offer = p->offer,
		.wake_fd = p->window_fd,
		.operator_fd = p->operator_fd,
		.portal_fd = p->portal_fd,
		.sandbox = sandbox(s, UID_COURIER, fds,
				   p->portal_fd >= 0 ? 3 : 2, NULL),
	};
	bool ok = area_readonly(&p->control_area,
				offsetof(struct control, courier_beat)) &&
		  area_readonly(&p->view_area, p->view_area.n) &&
		  area_readonly(&p->window_area,
				offsetof(struct window, asked)) &&
		  area_readonly(&p->cards_area, p->cards_area.n) &&
		  area_readonly(&p->offer_area, offsetof(struct offer, asked));

	for (size_t i = 0; i < p->n_guests; i++) {
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
		ok = ok && area_readonly(&p->guest[i].lane,
					 p->guest[i].lane.n);
	}
	area_drop(&p->attester_area);
	area_drop(&p->events_area);
	area_drop(&p->ledger);
	area_drop(&p->half_area[0]);
	area_drop(&p->half_area[1]);
	return ok ? courier_main(&a) : 1;
}

int spawn(struct parent *p, struct child *c, struct err *e)
{
	static int (*const run[])(void *arg) = {
		[CHILD_SCRIBE] = run_scribe,
		[CHILD_GATE] = run_gate,
		[CHILD_ENGINE] = run_engine,
		[CHILD_COURIER] = run_courier,
		[CHILD_ATTESTER] = run_attester,
	};
	struct start s = {p, c, getpid()};

	return child_fork(c, run[c->kind], &s, p->now.mono.ns, e);
}
