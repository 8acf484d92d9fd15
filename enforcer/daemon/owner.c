/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/owner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "enforcer/daemon/half.h"
#include "enforcer/daemon/journal.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/pace.h"

/* Each answer is a write that waits for the disk, wears it, and makes
 * everybody's records wait behind it. An engine asks for what lasts a twentieth
 * of a second at least (policy-lang/eval/credit.c). Who asks more often is made
 * to wait, and so is his machine alone. */
#define CLAIM_NS    (NS_PER_S / 100)
#define CLAIM_BURST 2000

struct owner {
	const struct scribe_arg *a;
	struct half_set set;
	uint32_t generation;
	struct pol_state *state;
	struct clock_zone zone;
	uint8_t boot[16];
	bool told; /* that the set in force cannot be taken */
	int fd[JOURNAL_FILES];
	struct journal *journal;
	bool damaged, granted;
	struct log_limit limit;
	struct pol_grant grant[SHARE_GUESTS];
	int64_t paid_ns[SHARE_GUESTS]; /* pace.h, of claims */
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
	_Atomic uint32_t *seq = &o->a->control->ledger_seq;
	struct pol_state *next;
	int rc;

	/* Who died in between left it odd. */
	atomic_fetch_or(seq, 1);
	rc = pol_state_in(&next, o->set.set, o->a->state, o->a->state_octets,
			  o->boot, now_of(o), was, e);
	atomic_fetch_add(seq, 1);
	if (rc < 0)
		return err_wrap(e, "its counters");
	pol_state_free(o->state);
	o->state = next;
	return 0;
}

/* Under which all engines hash what has to be distinct: as old as what is kept
 * of it. */
static int draw_key(struct owner *o, struct err *e)
{
	_Atomic uint32_t *seq = &o->a->control->ledger_seq;
	struct sipkey key;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return err_sys(e, "random octets");
	atomic_fetch_add(seq, 1);
	pol_state_key(o->state, &key);
	atomic_fetch_add(seq, 1);
	explicit_bzero(&key, sizeof(key));
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
		atomic_fetch_add(&o->a->control->ledger_seq, 1);
		pol_state_carry(o->state, copy, now_of(o));
		atomic_fetch_add(&o->a->control->ledger_seq, 1);
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
		log_err(o->a->log, "ledger: %s", e.text);
	o->told = true;
}

/* --- the disk ------------------------------------------------------------- */

uint64_t owner_generation(const struct owner *o)
{
	return journal_generation(o->journal);
}

bool owner_damaged(const struct owner *o)
{
	return o->damaged;
}

bool owner_granted(const struct owner *o)
{
	return o->granted;
}

void owner_exhaust(struct owner *o)
{
	pol_state_exhaust(o->state, now_of(o));
}

int owner_write(struct owner *o, uint64_t generation, struct err *e)
{
	struct span part[POL_PARTS];
	uint64_t was = journal_generation(o->journal);
	int rc;

	pol_state_parts(o->state, part);
	rc = journal_write(o->journal, part, POL_PARTS, generation, e);
	if (rc == 0 && generation != was)
		o->granted = false;
	return rc;
}

static void complain(struct owner *o, const struct err *e)
{
	uint32_t missed;

	if (log_allow(&o->limit, live_mono(), 1, 60 * NS_PER_S, &missed))
		log_err(o->a->log, "nothing is granted, so nothing passes: %s",
			e->text);
}

/* --- claims --------------------------------------------------------------- */

static bool waits(const struct guest_share *g)
{
	const struct lane_claim *c = &g->lane->claim;

	return atomic_load_explicit(&c->asked, memory_order_acquire) !=
	       atomic_load_explicit(&c->answered, memory_order_relaxed);
}

static bool erases(const struct owner *o, size_t i)
{
	const struct control *c = o->a->control;

	return atomic_load_explicit(&c->erase_asked[i],
				    memory_order_acquire) !=
	       atomic_load_explicit(&c->erase_done[i], memory_order_relaxed);
}

static bool may_claim(const struct owner *o, size_t i, struct mono now)
{
	return pace_may(o->paid_ns[i], now, CLAIM_NS, CLAIM_BURST);
}

bool owner_asked(const struct owner *o)
{
	struct mono now = live_mono();

	for (size_t i = 0; o && i < o->a->n_guests; i++) {
		if ((waits(&o->a->guest[i]) && may_claim(o, i, now)) ||
		    erases(o, i))
			return true;
	}
	return false;
}

bool owner_holds_back(const struct owner *o)
{
	struct mono now = live_mono();

	for (size_t i = 0; o && i < o->a->n_guests; i++) {
		if (waits(&o->a->guest[i]) && !may_claim(o, i, now))
			return true;
	}
	return false;
}

static void grant(struct owner *o, const struct guest_share *g,
		  struct pol_grant *to)
{
	struct pol_claim claim = g->lane->claim.claim;
	int machine = pol_set_find_machine(o->set.set, span_str(g->name));

	*to = (struct pol_grant){.of[0].wait_ns = -1};
	if (machine < 0)
		return;
	claim.machine = (uint32_t)machine;
	pol_grant(o->state, &claim, now_of(o), to);
	o->granted |= to->n > 0;
}

/* All that wait, with one write for all. Without it nothing was granted: what
 * was counted of it stays counted. */
static void answer_all(struct owner *o)
{
	const struct scribe_arg *a = o->a;
	uint32_t asked[SHARE_GUESTS];
	bool waited[SHARE_GUESTS] = {false}, any = false;
	struct mono now = live_mono();
	struct err e;

	for (size_t i = 0; i < a->n_guests; i++) {
		const struct lane_claim *c = &a->guest[i].lane->claim;

		waited[i] = waits(&a->guest[i]) && may_claim(o, i, now);
		if (!waited[i])
			continue;
		pace_take(&o->paid_ns[i], now, CLAIM_NS);
		asked[i] = atomic_load_explicit(&c->asked,
						memory_order_acquire);
		grant(o, &a->guest[i], &o->grant[i]);
		any = true;
	}
	if (any && owner_write(o, owner_generation(o), &e) < 0) {
		complain(o, &e);
		memset(o->grant, 0, sizeof(o->grant));
	}
	for (size_t i = 0; i < a->n_guests; i++) {
		struct lane_claim *c = &a->guest[i].lane->claim;

		if (!waited[i])
			continue;
		c->grant = o->grant[i];
		atomic_store_explicit(&c->answered, asked[i],
				      memory_order_release);
		ring_wake(&c->sleeps);
	}
}

/* Its record is durable: the parent asks then. */
static void erase(struct owner *o, size_t i)
{
	struct control *c = o->a->control;
	uint32_t asked = atomic_load_explicit(&c->erase_asked[i],
					      memory_order_acquire);
	int machine = pol_set_find_machine(o->set.set,
					   span_str(o->a->guest[i].name));
	struct span part[POL_PARTS];
	struct err e;

	if (machine >= 0)
		pol_ledger_erase(o->state, (size_t)machine, now_of(o));
	pol_state_parts(o->state, part);
	if (journal_anew(o->journal, part, POL_PARTS, &e) < 0)
		complain(o, &e);
	else
		atomic_store_explicit(&c->erase_done[i], asked,
				      memory_order_release);
}

void owner_turn(struct owner *o)
{
	if (!o)
		return;
	follow(o);
	answer_all(o);
	for (size_t i = 0; i < o->a->n_guests; i++) {
		if (erases(o, i))
			erase(o, i);
	}
}

/* --- start and end -------------------------------------------------------- */

static int begin(struct owner *o, struct err *e)
{
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
	if (rc == 0 && was != POL_STATE_CONTINUED)
		rc = draw_key(o, e);
	if (rc < 0)
		return rc;
	o->generation = generation;
	o->damaged |= was == POL_STATE_DAMAGED;
	return 0;
}

/* The memory becomes what the files say, whatever a predecessor left there
 * and did not write. */
static int read_files(struct owner *o, struct err *e)
{
	struct journal_io io;
	bool fresh;
	int rc;

	memcpy(o->fd, o->a->ledger_fd, sizeof(o->fd));
	io = journal_files(o->fd);
	atomic_fetch_or(&o->a->control->ledger_seq, 1);
	rc = journal_open(&o->journal, &io, o->a->state, o->a->state_octets,
			  &fresh, e);
	if (rc != E_INTEGRITY)
		return rc;
	log_warn(o->a->log, "the ledger: %s; all that it kept counts as used "
		 "up", e->text);
	/* No counters begin so. */
	memset(o->a->state, 0xff, sizeof(uint64_t));
	o->damaged = true;
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
	rc = read_files(*out, e);
	if (rc == 0)
		rc = begin(*out, e);
	return rc < 0 ? err_wrap(e, "ledger") : 0;
}
