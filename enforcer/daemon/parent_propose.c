/* SPDX-License-Identifier: Apache-2.0 */
/* A customer's file on its way to the panel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/parent.h"
#include "enforcer/daemon/propose.h"

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

static void refused(struct parent *p, const char *why)
{
	log_warn(p->log, "the customer's file: %s", why);
	parent_note(p, EV_POLICY, REASON_NONE, NULL,
		    "refused: the customer's file: %.130s", why);
	ctl_proposed(p->ctl, p, p->propose.conn, p->propose.conn_id, why);
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
	ctl_proposed(p->ctl, p, x->conn, x->conn_id, NULL);
	propose_end(p);
}
