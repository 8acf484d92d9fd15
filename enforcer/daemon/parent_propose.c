/* SPDX-License-Identifier: Apache-2.0 */
/* A customer's file on its way to the panel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/offer.h"
#include "enforcer/daemon/pace.h"
#include "enforcer/daemon/parent.h"
#include "enforcer/daemon/propose.h"
#include "policy-lang/image/image.h"

_Static_assert(OFFER_CODE >= ACTIVATE_CODE, "the code of what waits");

static void work(void *arg, void *result)
{
	const struct parent *p = arg;

	propose_compile(result, span_of(p->propose.source, p->propose.n),
			&p->propose.was, &p->activation.store.voids);
}

void propose_end(struct parent *p)
{
	struct propose *x = &p->propose;

	trial_end(&x->trial);
	capture_policy_free(&x->was);
	free(x->source);
	*x = (struct propose){0};
}

const char *propose_may(const struct parent *p)
{
	if (!p->conf->signatures)
		return "signatures are off: the customer's file lies in the "
		       "directory of policies";
	if (p->activation.store.n_force == 0)
		return "no policy is in force that it could restrict";
	return p->propose.trial.on ? "another file is looked at; try again"
				   : NULL;
}

/* --- over HTTP -------------------------------------------------------------- */

static void answer_offer(struct parent *p, enum offer_state state,
			 const char *text)
{
	struct offer *o = p->offer;

	o->state = state;
	snprintf(o->text, sizeof(o->text), "%s", text);
	atomic_store_explicit(&o->answered, p->offer_taken,
			      memory_order_release);
}

static void offer_done(struct parent *p, const char *error)
{
	const struct activation *a = &p->activation;

	if (error) {
		answer_offer(p, OFFER_REFUSED, error);
		return;
	}
	for (size_t i = 0; i < a->store.n_staged; i++) {
		if (pol_image_kind(a->store.staged[i].image.image) ==
		    POL_CUSTOMER)
			activate_code(a, i, p->offer->code);
	}
	answer_offer(p, OFFER_STAGED, a->store.customer);
}

/* Each leaves records that nothing ever prunes. A portal that proposes all the
 * time does not take the operator's. */
static bool offer_due(struct parent *p, uint32_t from)
{
	int64_t *paid = &p->offer_paid_ns[from == OFFER_PORTAL];

	if (!pace_may(*paid, p->now.mono, OFFER_EACH_NS, OFFER_BURST))
		return false;
	pace_take(paid, p->now.mono, OFFER_EACH_NS);
	return true;
}

/* Copied, it may be read: the courier can change what it has given. */
static void offer_start(struct parent *p)
{
	const struct offer *o = p->offer;
	const char *why = propose_may(p);
	uint32_t n = o->n;
	uint8_t *source;

	if (why) {
		answer_offer(p, OFFER_BUSY, why);
	} else if (n == 0 || n > sizeof(o->source)) {
		answer_offer(p, OFFER_REFUSED, "it has no octets");
	} else if (!(source = malloc(n))) {
		answer_offer(p, OFFER_BUSY, "out of memory");
	} else {
		memcpy(source, o->source, n);
		propose_start(p, source, n, PROPOSE_OFFER, p->offer_taken);
	}
}

static void offer_recorded(struct parent *p)
{
	enum act_may may = act(p, &p->offer_act, ACT_PROPOSE, NULL,
			       p->offer_from);

	if (may == ACT_WAITS)
		return;
	p->offer_waits = false;
	if (may == ACT_DO)
		offer_start(p);
	else
		answer_offer(p, OFFER_BUSY, p->offer_act.why);
}

void offer_turn(struct parent *p)
{
	struct offer *o = p->offer;
	uint32_t asked = atomic_load_explicit(&o->asked, memory_order_acquire);
	const char *why = propose_may(p);

	if (asked != atomic_load(&o->answered) && asked != p->offer_taken) {
		p->offer_taken = asked;
		p->offer_act = (struct act){0};
		p->offer_waits = false;
	} else if (p->offer_waits) {
		offer_recorded(p);
		return;
	} else {
		return;
	}
	if (p->propose.trial.on) {
		answer_offer(p, OFFER_BUSY, why);
	} else if (why) {
		answer_offer(p, OFFER_REFUSED, why);
	} else if (!offer_due(p, o->from)) {
		answer_offer(p, OFFER_BUSY, "there were too many; one is "
					    "taken every ten minutes");
	} else {
		p->offer_waits = true;
		p->offer_from = o->from == OFFER_PORTAL
					? "over HTTP by the portal"
					: "over HTTP by the operator";
		offer_recorded(p);
	}
}

/* error NULL: it is staged. */
static void told(struct parent *p, const char *error)
{
	const struct propose *x = &p->propose;

	if (x->conn != PROPOSE_OFFER)
		ctl_proposed(p->ctl, p, x->conn, x->conn_id, error);
	else if (x->conn_id == p->offer_taken) /* else nobody waits for it */
		offer_done(p, error);
}

/* --- a trial ---------------------------------------------------------------- */

static void refused(struct parent *p, const char *why)
{
	log_warn(p->log, "the customer's file: %s", why);
	parent_note(p, EV_POLICY, REASON_NONE, NULL,
		    "refused: the customer's file: %.130s", why);
	told(p, why);
	propose_end(p);
}

void propose_start(struct parent *p, uint8_t *source, size_t n, size_t conn,
		   uint64_t conn_id)
{
	struct propose *x = &p->propose;
	struct trial_job job = {work, reload_forget, p, sizeof(struct proposed),
				p->conf->uid_base};
	struct err e;
	int rc;

	*x = (struct propose){.source = source, .n = n, .conn = conn,
			      .conn_id = conn_id};
	rc = activate_was(&p->activation, &x->was, &e);
	if (rc == 0)
		rc = trial_start(&x->trial, &job, p->now.mono.ns, &e);
	if (rc < 0)
		refused(p, e.text);
}

/* Out of the shared memory before it is looked at; the child has ended. */
static int take(struct parent *p, const struct proposed *r, struct err *e)
{
	if (r->rc)
		return err_set(e, r->rc < 0 ? r->rc : E_STATE, 0, "%.*s",
			       (int)strnlen(r->error, sizeof(r->error)),
			       r->error);
	if (r->n_image > sizeof(r->image))
		return err_set(e, E_LIMIT, 0, "the trial made no sense");
	return activate_propose(
		&p->activation, span_of(r->image, r->n_image),
		span_of(r->text, strnlen(r->text, sizeof(r->text))), p->conf,
		parent_policy_note, p, e);
}

void propose_turn(struct parent *p)
{
	struct propose *x = &p->propose;
	struct proposed *r;
	struct err e;
	int rc;

	/* What waits is not changed under a reload. */
	if (!x->trial.on || p->reload.step != RELOAD_IDLE)
		return;
	rc = trial_look(&x->trial, p->now.mono.ns, &e);
	if (rc == 0)
		return;
	if (rc < 0) {
		refused(p, e.text);
		return;
	}
	r = malloc(sizeof(*r));
	if (!r) {
		refused(p, "out of memory");
		return;
	}
	memcpy(r, x->trial.area.p, sizeof(*r));
	rc = take(p, r, &e);
	free(r);
	if (rc < 0) {
		refused(p, e.text);
		return;
	}
	told(p, NULL);
	propose_end(p);
}
