/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "enforcer/daemon/half.h"
#include "enforcer/daemon/live.h"

struct owner {
	const struct scribe_arg *a;
	struct half_set set;
	uint32_t generation;
	struct pol_state *state;
	struct clock_zone zone;
	uint8_t boot[16];
	bool told; /* that the set in force cannot be taken */
};

static struct now now_of(struct owner *o)
{
	return live_now(&o->zone,
			atomic_load_explicit(&o->a->control->clock_trusted,
					     memory_order_relaxed) != 0);
}

static const struct policy_half *half_in_force(const struct owner *o,
					       uint32_t generation)
{
	for (int i = 0; i < 2; i++) {
		if (o->a->half[i]->generation == generation)
			return o->a->half[i];
	}
	return NULL;
}

static uint32_t generation_now(const struct owner *o)
{
	return atomic_load_explicit(&o->a->control->policy_generation,
				    memory_order_acquire);
}

/* The memory holds counters of this set or of one before it. */
static int state_open(struct owner *o, enum pol_state_was *was, struct err *e)
{
	struct pol_state *next;
	int rc = pol_state_in(&next, o->set.set, o->a->state,
			      o->a->state_octets, o->boot, now_of(o), was, e);

	if (rc < 0)
		return err_wrap(e, "shared counters");
	pol_state_free(o->state);
	o->state = next;
	return 0;
}

/* As engines do it: counters at each step are used as far as they were. */
static int take(struct owner *o, uint32_t generation, struct err *e)
{
	const struct policy_half *h = half_in_force(o, generation);
	struct half_set old = o->set, next;
	enum pol_state_was was;
	struct pol_state *copy;
	int rc = h ? half_load(&next, h, e)
		   : err_set(e, E_STATE, 0, "no policies of generation %u",
			     generation);

	if (rc < 0 && h)
		half_free(&next);
	if (rc < 0)
		return rc;
	rc = pol_state_new(&copy, next.set, e);
	if (rc < 0) {
		half_free(&next);
		return rc;
	}
	pol_state_carry(copy, o->state, now_of(o));
	o->set = next;
	rc = state_open(o, &was, e);
	if (rc == 0) {
		pol_state_carry(o->state, copy, now_of(o));
		o->generation = generation;
		half_free(&old);
	} else {
		o->set = old;
		half_free(&next);
	}
	pol_state_free(copy);
	return rc;
}

static void follow(struct owner *o)
{
	uint32_t generation = generation_now(o);
	struct err e;

	if (generation == o->generation)
		return;
	if (take(o, generation, &e) == 0) {
		o->told = false;
		return;
	}
	/* Claims of limits that changed find nothing, and are refused. */
	if (!o->told)
		log_err(o->a->log, "limits of several machines: %s", e.text);
	o->told = true;
}

/* --- claims --------------------------------------------------------------- */

static bool waits(const struct guest_share *g)
{
	const struct lane_claim *c = &g->lane->claim;

	return atomic_load_explicit(&c->asked, memory_order_acquire) !=
	       atomic_load_explicit(&c->answered, memory_order_relaxed);
}

bool owner_asked(const struct owner *o)
{
	for (size_t i = 0; o && i < o->a->n_guests; i++) {
		if (waits(&o->a->guest[i]))
			return true;
	}
	return false;
}

static void answer(struct owner *o, const struct guest_share *g)
{
	struct lane_claim *c = &g->lane->claim;
	uint32_t asked = atomic_load_explicit(&c->asked, memory_order_acquire);
	struct pol_claim claim = c->claim;
	struct pol_grant grant = {.wait_ns = -1};
	int machine = pol_set_find_machine(o->set.set, span_str(g->name));

	if (machine >= 0) {
		claim.machine = (uint32_t)machine;
		pol_grant(o->state, &claim, now_of(o), &grant);
	}
	c->grant = grant;
	atomic_store_explicit(&c->answered, asked, memory_order_release);
	ring_wake(&c->sleeps);
}

void owner_turn(struct owner *o)
{
	if (!o)
		return;
	follow(o);
	for (size_t i = 0; i < o->a->n_guests; i++) {
		if (waits(&o->a->guest[i]))
			answer(o, &o->a->guest[i]);
	}
}

/* --- start and end -------------------------------------------------------- */

static int begin(struct owner *o, struct err *e)
{
	const struct scribe_arg *a = o->a;
	enum pol_state_was was;
	uint32_t generation = generation_now(o);
	const struct policy_half *h = half_in_force(o, generation);
	char zone[68];
	struct span z;
	int rc = live_boot(o->boot, e);

	if (rc == 0)
		rc = h ? half_load(&o->set, h, e)
		       : err_set(e, E_STATE, 0, "no policies in force");
	if (rc < 0)
		return rc;
	z = pol_set_timezone(o->set.set);
	snprintf(zone, sizeof(zone), "%.*s", (int)(z.n < 64 ? z.n : 64),
		 z.n ? (const char *)z.p : "");
	rc = clock_zone_init(&o->zone, span_str(zone), e);
	if (rc == 0)
		rc = state_open(o, &was, e);
	if (rc < 0)
		return rc;
	o->generation = generation;
	if (was == POL_STATE_DAMAGED)
		log_warn(a->log, "counters of limits of several machines were "
			 "damaged; every such budget counts as used up");
	/* The disk forgets a seal before anything is granted. */
	if (msync(a->state, a->state_octets, MS_SYNC) < 0)
		return err_sys(e, "shared counters");
	return 0;
}

int owner_open(struct owner **out, const struct scribe_arg *a, struct err *e)
{
	int rc;

	*out = NULL;
	if (!a->state)
		return 0;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_set(e, E_NOMEM, 0, "out of memory");
	(*out)->a = a;
	rc = begin(*out, e);
	return rc < 0 ? err_wrap(e, "limits of several machines") : 0;
}

void owner_end(struct owner *o)
{
	if (o)
		pol_state_seal(o->state);
}
