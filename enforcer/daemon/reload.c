/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another policy set, all or nothing: everything is read and verified first;
 * then each engine is asked to swap between two packets. If one refuses, dies
 * or is silent, those that swapped go back, and the last good set stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "enforcer/daemon/parent.h"

#define RELOAD_NS (10 * NS_PER_S)

static void told(struct parent *p, const char *error)
{
	struct reload *r = &p->reload;

	if (error) {
		log_err(p->log, "reload: %s; the old policies stay in force",
			error);
		parent_note(p, EV_POLICY, REASON_NONE, NULL, "refused: %.160s",
			    error);
	} else {
		log_info(p->log, "reload: generation %u is in force",
			 p->generation);
	}
	notify_send(&p->notify, "READY=1\nSTATUS=policies of generation %u%s",
		    p->generation, error ? ", a reload was refused" : "");
	if (r->asked_by_ctl)
		ctl_reload_done(p->ctl, p, r->conn, r->conn_id, error);
	policies_free(&r->next);
	capture_policy_free(&r->found);
	capture_policy_free(&r->was);
	trial_end(&r->trial);
	*r = (struct reload){.step = RELOAD_IDLE};
}

static void to_event(void *arg, const struct event *ev)
{
	parent_record(arg, ev);
}

/* Marks of the old set are worth nothing from the next rules on. Without the
 * disk it is the number farthest from those that the next starts take. */
static void next_marks(struct parent *p)
{
	uint32_t now = p->rules.mark_generation >> 20;
	struct err e;

	if (setup_generation(p, &p->rules.mark_generation, &e) == 0)
		return;
	log_warn(p->log, "generation of marks: %s", e.text);
	p->rules.mark_generation = ((now + 127) % 255 + 1) << 20;
}

/* The rules follow the set that is in force. What the kernel carries comes
 * back to its queue at once. */
static int follow(struct parent *p, bool addresses, struct err *e)
{
	int rc = 0;

	if (p->conf->offload)
		next_marks(p);
	if (addresses) {
		setup_addresses(p);
		rc = parent_rules(p, &p->policies, e);
	} else {
		setup_rules(&p->rules, p->conf, &p->policies,
			    p->rules.mark_generation);
	}
	/* Rules that are still to be loaded have them from the start. */
	if (!addresses && p->conf->offload && p->ready) {
		counts_last(p);
		rc = rules_update(p->backend, &p->rules, e);
		counts_restart(p);
	}
	/* After the rules: a mark that they do not know yet is not kept, and
	 * one that they know no more neither. */
	atomic_store(&p->control->mark_generation, p->rules.mark_generation);
	return rc;
}

void reload_marks(struct parent *p)
{
	struct err e;

	if (!p->conf->offload || follow(p, false, &e) == 0)
		return;
	log_err(p->log, "rules: %s; everything is closed", e.text);
	p->ready = false; /* rules are tried again */
}

/* Every engine runs the new set. */
static void in_force(struct parent *p)
{
	struct reload *r = &p->reload;
	struct policies old = p->policies;
	bool addresses = r->addresses;
	char error[ERR_TEXT + 32];
	struct err e;

	p->policies = r->next;
	r->next = (struct policies){0};
	/* Without it the next start finds the set of before, and takes the
	 * directory's again. */
	if (activate_done(&p->activation, &p->policies, p->conf, &e) < 0) {
		log_err(p->log, "reload: %s", e.text);
		parent_note(p, EV_POLICY, REASON_NONE, NULL,
			    "not kept for a restart: %.140s", e.text);
	}
	p->use = r->half;
	p->generation = r->generation;
	atomic_store(&p->control->policy_generation, p->generation);
	if (setup_cards(p, &e) < 0) /* then none are shown */
		log_err(p->log, "reload: labels: %s", e.text);
	capture_policy_events(&p->policies.files, p->now, "in force", to_event,
			      p);
	capture_policy_files(&p->policies.files, p->now, to_event, p);
	parent_tell_vain(p);
	if (follow(p, addresses, &e) < 0) {
		/* The closed rules are in force: nothing passes, and that is
		 * better than rules of other addresses. */
		snprintf(error, sizeof(error), "rules: %s; everything is closed",
			 e.text);
		policies_free(&old);
		p->ready = false; /* rules are tried again */
		told(p, error);
		return;
	}
	policies_free(&old);
	/* Gates craft for the addresses they started with. */
	for (size_t i = 0; addresses && i < p->n_guests; i++) {
		p->guest[i].gate.told = true;
		child_kill(&p->guest[i].gate, SIGKILL);
	}
	told(p, NULL);
}

static void go_back(struct parent *p, const char *why)
{
	struct reload *r = &p->reload;

	if (!r->error[0])
		snprintf(r->error, sizeof(r->error), "%s", why);
	r->step = RELOAD_BACK;
	r->deadline_ns = p->now.mono.ns + RELOAD_NS;
}

/* It runs a set that is not in force. */
static void stop_engine(struct parent *p, size_t guest, const char *why)
{
	log_err(p->log, "%s; it is killed", why);
	p->guest[guest].engine.hung = true;
	child_kill(&p->guest[guest].engine, SIGKILL);
}

void reload_answer(struct parent *p, size_t guest, int rc, const char *text)
{
	struct reload *r = &p->reload;
	char why[ERR_TEXT];

	snprintf(why, sizeof(why), "engine of %.48s: %.180s",
		 p->share[guest].name, text[0] ? text : err_name(rc));
	if (r->guest[guest] == RELOAD_ASKED) {
		/* Also when the others already go back: then it follows. */
		r->guest[guest] = rc == 0 ? RELOAD_SWAPPED : RELOAD_UNCHANGED;
		if (rc < 0)
			go_back(p, why);
	} else if (r->guest[guest] == RELOAD_ASKED_BACK) {
		r->guest[guest] = RELOAD_UNCHANGED;
		if (rc < 0)
			stop_engine(p, guest, why);
	}
}

/* Another one is under way, and what it reads may be what was there before the
 * change that this one is about. Who asked by the socket is told to ask again;
 * a signal cannot be answered, so it is remembered. Many are one. */
static void busy(struct parent *p, bool by_ctl, size_t conn, uint64_t conn_id)
{
	if (by_ctl) {
		ctl_reload_done(p->ctl, p, conn, conn_id,
				"another reload is under way");
		return;
	}
	if (!p->reload_again)
		log_info(p->log, "reload: one is under way; another follows");
	p->reload_again = true;
}

/* --- reading and comparing ----------------------------------------------------- */

/* The set that comes into force, for its record: each policy's own comes when
 * it is. Of the files, so that nothing in one of them can be another. */
static void whole(struct reload *r)
{
	const struct capture_policy *f = &r->next.files;
	struct sha256 *h = sha256_new();
	uint8_t digest[SHA256_LEN];
	size_t n;

	sha256_begin(h);
	for (size_t i = 0; i < f->n; i++) {
		sha256_of(span_of(f->octets[i], f->n_octets[i]), digest);
		sha256_add(h, span_of(digest, sizeof(digest)));
	}
	sha256_end(h, digest);
	sha256_free(h);
	n = (size_t)snprintf(r->what, sizeof(r->what), "generation %u, %zu "
			     "policies, digest ", r->generation, f->n);
	for (size_t i = 0; i < 16; i++)
		snprintf(r->what + n + 2 * i, 3, "%02x", digest[i]);
}

/* w: what was compared, or NULL. */
static void proceed(struct parent *p, const struct widen *w)
{
	struct reload *r = &p->reload;
	struct err e;
	int rc;

	r->deadline_ns = p->now.mono.ns + RELOAD_NS;
	rc = activate_choose(&p->activation, &r->next, &r->found, w, p->conf,
			     &e);
	if (rc == 0)
		rc = policies_compare(&p->policies, &r->next, &r->addresses,
				      &e);
	if (rc == 0)
		rc = policies_half(&r->next, p->half[r->half], POLICY_HALF,
				   r->generation, &e);
	if (rc < 0) {
		told(p, e.text);
		return;
	}
	whole(r);
	r->step = RELOAD_TOLD;
}

/* Durable before anything is changed: what it will be; and before engines
 * are asked, who may swap at once, also what it does to what waits. */
static void recorded_turn(struct parent *p)
{
	struct reload *r = &p->reload;
	enum act_may may = act(p, &r->act, ACT_IN_FORCE, NULL, r->what);
	struct err e;
	char why[sizeof(r->act.why)];

	if (may == ACT_WAITS)
		return;
	if (may == ACT_REFUSED) {
		memcpy(why, r->act.why, sizeof(why)); /* told() forgets it */
		told(p, why);
	} else if (r->step == RELOAD_TOLD) {
		if (activate_see(&p->activation, &r->next, p->conf,
				 parent_policy_note, p, &e) < 0) {
			told(p, e.text);
			return;
		}
		act_covers(p, &r->act);
		r->step = RELOAD_SEEN;
	} else {
		r->deadline_ns = p->now.mono.ns + RELOAD_NS;
		r->step = RELOAD_SWAP;
	}
}

static void compare_job(void *arg, void *result)
{
	const struct parent *p = arg;

	widen_judge(result, &p->reload.was, &p->reload.found);
}

/* In the child: keys are nobody's business there, nor what engines share. */
void reload_forget(void *arg)
{
	struct parent *p = arg;

	if (p->policies.keys)
		explicit_bzero(p->policies.keys, p->policies.n_keys);
	explicit_bzero(p->boot_key, sizeof(p->boot_key));
	for (size_t i = 0; i < p->n_guests; i++) {
		area_drop(&p->guest[i].lane);
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
	}
	area_drop(&p->ledger);
	area_drop(&p->half_area[0]);
	area_drop(&p->half_area[1]);
	area_drop(&p->events_area);
	area_drop(&p->view_area);
	area_drop(&p->window_area);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	area_drop(&p->control_area);
}

static void compare(struct parent *p)
{
	struct reload *r = &p->reload;
	struct trial_job job = {compare_job, reload_forget, p, sizeof(struct widen),
				p->conf->uid_base};
	struct err e;
	int rc = activate_was(&p->activation, &r->was, &e);

	if (rc == 0)
		rc = trial_start(&r->trial, &job, p->now.mono.ns, &e);
	if (rc < 0)
		told(p, e.text);
	else
		r->step = RELOAD_COMPARE;
}

static void compare_turn(struct parent *p)
{
	struct reload *r = &p->reload;
	struct err e;
	int rc = trial_look(&r->trial, p->now.mono.ns, &e);
	struct widen *w;

	if (rc == 0)
		return;
	if (rc < 0) {
		told(p, e.text);
		return;
	}
	w = malloc(sizeof(*w));
	if (!w) {
		told(p, "out of memory");
		return;
	}
	memcpy(w, r->trial.area.p, sizeof(*w));
	trial_end(&r->trial);
	proceed(p, w);
	free(w);
}

void reload_start(struct parent *p, bool by_ctl, size_t conn, uint64_t conn_id)
{
	struct reload *r = &p->reload;
	struct err e;
	int rc;

	if (r->step != RELOAD_IDLE) {
		busy(p, by_ctl, conn, conn_id);
		return;
	}
	notify_reloading(&p->notify);
	*r = (struct reload){
		.asked_by_ctl = by_ctl,
		.conn = conn,
		.conn_id = conn_id,
		.half = 1 - p->use,
		.generation = p->generation + 1,
		.deadline_ns = p->now.mono.ns + RELOAD_NS,
	};
	rc = activate_read(&p->activation, &r->found, p->conf, &e);
	if (rc < 0)
		told(p, e.text);
	else if (p->conf->signatures &&
		 activate_compares(&p->activation, &r->found))
		compare(p);
	else
		proceed(p, NULL);
}

/* An engine that is not there starts with the set that is then in force. */
static bool absent(const struct parent *p, size_t i)
{
	return p->guest[i].engine.pid <= 0;
}

/* Ask whoever is to be asked and is free. True: somebody is waited for. */
static bool ask(struct parent *p)
{
	struct reload *r = &p->reload;
	bool swap = r->step == RELOAD_SWAP, waiting = false;
	enum reload_guest due = swap ? RELOAD_TO_ASK : RELOAD_SWAPPED;

	for (size_t i = 0; i < p->n_guests; i++) {
		enum reload_guest *g = &r->guest[i];

		if (*g == due && absent(p, i))
			*g = swap ? RELOAD_SWAPPED : RELOAD_UNCHANGED;
		else if (*g == due &&
			 query_start(p, i, QUERY_POLICY,
				     swap ? r->half : p->use,
				     QUERY_OWNER_RELOAD, 0))
			*g = swap ? RELOAD_ASKED : RELOAD_ASKED_BACK;
		waiting = waiting || *g == due || *g == RELOAD_ASKED ||
			  *g == RELOAD_ASKED_BACK;
	}
	return waiting;
}

void reload_turn(struct parent *p)
{
	struct reload *r = &p->reload;
	char error[ERR_TEXT];
	bool waiting;
	struct err e;

	/* By itself: when something may be done. */
	if (r->step == RELOAD_IDLE && p->reload_again &&
	    !parent_may_not_act(p)) {
		p->reload_again = false;
		reload_start(p, false, 0, 0);
	}
	if (r->step == RELOAD_IDLE)
		return;
	if (r->step == RELOAD_COMPARE) {
		compare_turn(p);
		return;
	}
	if (r->step == RELOAD_TOLD || r->step == RELOAD_SEEN) {
		recorded_turn(p);
		return;
	}
	waiting = ask(p);
	if (waiting && p->now.mono.ns < r->deadline_ns)
		return;
	if (r->step == RELOAD_SWAP && waiting) {
		go_back(p, "an engine was busy for too long");
		return;
	}
	if (r->step == RELOAD_SWAP) {
		in_force(p);
		return;
	}
	for (size_t i = 0; waiting && i < p->n_guests; i++) {
		if (r->guest[i] != RELOAD_UNCHANGED &&
		    r->guest[i] != RELOAD_TO_ASK)
			stop_engine(p, i, "an engine did not go back");
	}
	memcpy(error, r->error, sizeof(error));
	/* What an engine let the kernel carry by the set that it went back
	 * from is judged by the one that stays. */
	if (p->conf->offload && follow(p, false, &e) < 0) {
		log_err(p->log, "rules: %s; everything is closed", e.text);
		p->ready = false;
	}
	told(p, error);
}
