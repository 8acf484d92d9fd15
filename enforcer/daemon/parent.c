/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/parent.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/flat.h"

#define POLLS	   (2 * SHARE_GUESTS + 32)
#define RULES_RETRY_NS (5 * NS_PER_S)
#define LOSS_NS	       (60 * NS_PER_S) /* its records are never pruned */

/* --- time and events ---------------------------------------------------------------------- */

void parent_clock(struct parent *p)
{
	struct now now = live_now(&p->zone, false);
	bool kept = live_trusted(&p->trust, live_synced(), &now);

	now.wall.trusted = p->conf->clock_trusted || kept;
	p->now = now;
	if (p->control)
		atomic_store(&p->control->clock_trusted, now.wall.trusted);
}

bool parent_record(struct parent *p, const struct event *ev)
{
	uint8_t buf[FLAT_MAX];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	flat_write(&w, ev);
	if (ring_put(&p->events, wbuf_span(&w)) < 0) {
		p->unrecorded++;
		return false;
	}
	ring_publish(&p->events);
	ring_wake(&p->control->scribe_sleeps);
	return true;
}

bool parent_written(const struct parent *p, uint64_t edge)
{
	uint64_t tail = atomic_load_explicit(&p->events.s->tail,
					     memory_order_acquire);

	return (int64_t)(tail - edge) >= 0;
}

bool parent_durable(const struct parent *p, uint64_t edge)
{
	if (atomic_load(&p->control->anchoring) != ANCHORING_NONE &&
	    (int64_t)(atomic_load(&p->control->anchored) - edge) < 0)
		return false;
	return parent_written(p, edge);
}

bool parent_note(struct parent *p, enum event_type type, enum reason why,
		 const char *guest, const char *fmt, ...)
{
	char detail[192]; /* what a record keeps of it */
	struct event ev = {
		.type = type,
		.now = p->now,
		.guest = span_str(guest),
		.reason = why,
		.detail = detail,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	reasons_add(&ev.reasons, why);
	return parent_record(p, &ev);
}

void parent_policy_note(void *arg, const char *text)
{
	struct parent *p = arg;

	log_info(p->log, "policy %s", text);
	parent_note(p, EV_POLICY, REASON_NONE, NULL, "%s", text);
}

/* --- rules --------------------------------------------------------------------------------- */

int parent_rules(struct parent *p, const struct policies *from, struct err *e)
{
	int rc;

	counts_last(p);
	setup_rules(&p->rules, p->conf, from, p->rules.mark_generation);
	rc = rules_apply(p->backend, &p->rules, e);
	counts_restart(p);
	if (rc == 0)
		parent_note(p, EV_MAINTENANCE, REASON_NONE, NULL,
			    "rules applied: %zu guests, generation %u",
			    p->n_guests, p->generation);
	else
		parent_note(p, EV_MAINTENANCE, REASON_NONE, NULL,
			    "rules not applied: %.150s", e->text);
	return rc;
}

/* Is there somebody to judge traffic, and to record it? The queue of a guest
 * whose engine does not come up has no reader, and drops. */
static bool may_begin(struct parent *p)
{
	if (watch_all_ready(p))
		return true;
	return mono_sub(p->now.mono, p->started) > BEGIN_NS &&
	       watch_some_ready(p);
}

/* Coming into force is an act as any other: it has its record first, and that
 * its anchor. A start that changes nothing goes on without the TPM. */
static bool first_recorded(struct parent *p)
{
	const char *why = parent_may_not_act(p);

	if (parent_durable(p, p->first.record) ||
	    (!p->first.changes && why &&
	     parent_written(p, p->first.record)))
		return true;
	if (!p->first.told &&
	    mono_sub(p->now.mono, p->started) > BEGIN_NS) {
		p->first.told = true;
		log_warn(p->log, "everything stays closed until it is recorded "
			 "which policies come into force%s%s",
			 p->first.changes && why ? ": " : "",
			 p->first.changes && why ? why : "");
	}
	return false;
}

/* And so they are at the next start. */
static int first_kept(struct parent *p, struct err *e)
{
	int rc = 0;

	if (!p->first.kept && !p->activation.refused[0])
		rc = activate_done(&p->activation, &p->policies, p->conf, e);
	p->first.kept = rc == 0;
	return rc;
}

static void begin(struct parent *p)
{
	struct err e;

	if (p->ready || p->now.mono.ns < p->rules_due_ns || !may_begin(p) ||
	    !first_recorded(p))
		return;
	if (!watch_all_ready(p))
		log_warn(p->log, "not every process came up; the others begin");
	if (first_kept(p, &e) < 0 || rules_check_host(&p->rules, &e) < 0 ||
	    parent_rules(p, &p->policies, &e) < 0) {
		log_err(p->log, "rules: %s; everything stays closed", e.text);
		notify_send(&p->notify, "STATUS=closed: %.200s", e.text);
		p->rules_due_ns = p->now.mono.ns + RULES_RETRY_NS;
		return;
	}
	p->ready = true;
	log_info(p->log, "ready: %zu guests, policies of generation %u",
		 p->n_guests, p->generation);
	notify_send(&p->notify, "READY=1\nSTATUS=%zu guests, policies of "
		    "generation %u", p->n_guests, p->generation);
}

/* What found no place in the ring is told as soon as there is one. */
static void tell_loss(struct parent *p)
{
	struct event ev = {
		.type = EV_LOSS,
		.now = p->now,
		.detail = "events of the parent found no place",
		.count = p->unrecorded - p->unrecorded_told,
	};
	uint64_t before = p->unrecorded;

	/* Its record is never pruned. */
	if (ev.count == 0 || p->now.mono.ns < p->loss_due_ns)
		return;
	if (parent_record(p, &ev)) {
		p->unrecorded_told = before;
		p->loss_due_ns = p->now.mono.ns + LOSS_NS;
	} else {
		p->unrecorded = before; /* the telling itself is no loss */
	}
}

bool parent_unrecorded(const struct parent *p)
{
	int64_t beat = atomic_load(&p->control->scribe_beat);

	return atomic_load(&p->control->audit_closed) ||
	       (beat && p->now.mono.ns - beat > AUDIT_LATE_NS);
}

const char *parent_may_not_act(const struct parent *p)
{
	if (atomic_load(&p->control->audit_recovery) != 0)
		return "the audit's log was altered; see status";
	if (atomic_load(&p->control->anchoring) == ANCHORING_AWAY)
		return "the TPM does not answer, or its key may not sign in "
		       "this state of the platform, so what is done could not "
		       "be anchored; the log says which";
	return NULL;
}

/* Engines drop by themselves; what the kernel carries has to come back to them
 * first. */
static void look_at_audit(struct parent *p)
{
	bool shut = parent_unrecorded(p);

	if (shut && !p->shut && p->ready)
		reload_marks(p);
	p->shut = shut;
}

int64_t parent_quarantine(const struct parent *p, size_t guest)
{
	int64_t until = atomic_load(&p->share[guest].lane->quarantine);

	return until > p->now.mono.ns ? until - p->now.mono.ns : 0;
}

/* So when a quarantine begins. The word is an engine's: changing its mind all
 * the time costs no more than once a second. */
static void look_at_quarantine(struct parent *p)
{
	bool begins = false;

	for (size_t i = 0; i < p->n_guests; i++) {
		struct guest *g = &p->guest[i];
		bool is = parent_quarantine(p, i) > 0;

		if (is && !g->quarantined) {
			if (p->now.mono.ns - g->quarantine_ns < NS_PER_S)
				continue;
			g->quarantine_ns = p->now.mono.ns;
			begins = true;
		}
		g->quarantined = is;
	}
	if (begins && p->ready)
		reload_marks(p);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void signalled(struct parent *p)
{
	struct signalfd_siginfo si;

	/* The kernel merges signals that wait: a few turns at most. */
	while (read(p->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP) {
			log_info(p->log, "SIGHUP: reload");
			/* Another one starts anew: what it is about may have
			 * come after the first. */
			p->signal_act = (struct act){0};
			p->signal_asks = true;
			p->signal_uid = si.ssi_uid;
		} else {
			p->stopping = true;
		}
	}
}

static void signal_turn(struct parent *p)
{
	char who[32];
	enum act_may may;

	if (!p->signal_asks)
		return;
	snprintf(who, sizeof(who), "signal, uid %u", p->signal_uid);
	may = act(p, &p->signal_act, ACT_RELOAD, NULL, who);
	if (may == ACT_WAITS)
		return;
	p->signal_asks = false;
	if (may == ACT_DO)
		reload_start(p, false, 0, 0);
	else
		log_err(p->log, "reload: refused: %s", p->signal_act.why);
}

static size_t pidfd(struct pollfd *fds, size_t n, const struct child *c)
{
	if (c->pidfd >= 0)
		fds[n++] = (struct pollfd){c->pidfd, POLLIN, 0};
	return n;
}

static size_t gather(const struct parent *p, struct pollfd *fds)
{
	size_t n = 0;

	fds[n++] = (struct pollfd){p->signal_fd, POLLIN, 0};
	n = pidfd(fds, n, &p->scribe);
	n = pidfd(fds, n, &p->courier);
	n = pidfd(fds, n, &p->attester);
	for (size_t i = 0; i < p->n_guests; i++) {
		n = pidfd(fds, n, &p->guest[i].gate);
		n = pidfd(fds, n, &p->guest[i].engine);
	}
	if (ifaces_fd(p->ifaces) >= 0)
		fds[n++] = (struct pollfd){ifaces_fd(p->ifaces), POLLIN, 0};
	return n + ctl_polls(p->ctl, fds + n, POLLS - n);
}

static void turn(struct parent *p)
{
	struct pollfd fds[POLLS];
	int64_t ns = watch_busy(p) || ctl_busy(p->ctl) ? TURN_BUSY_NS : TURN_NS;
	size_t n = gather(p, fds);

	if (poll(fds, (nfds_t)n, (int)(ns / MS)) < 0 && errno != EINTR)
		log_err(p->log, "poll: errno %d", errno);
	parent_clock(p);
	signalled(p);
	watch_deaths(p);
	if (ifaces_update(p->ifaces, p->control, p->policies.guest,
			  p->n_guests))
		log_debug(p->log, "interfaces changed");
	query_turn(p);
	/* Something's notice is over: a reload finds out what. */
	if (activate_tick(&p->activation, p->conf, p->now))
		p->reload_again = true;
	signal_turn(p);
	reload_turn(p);
	offer_turn(p);
	propose_turn(p);
	watch_turn(p);
	begin(p);
	tell_loss(p);
	look_at_audit(p);
	look_at_quarantine(p);
	counts_turn(p);
	ctl_turn(p->ctl, p);
	notify_tick(&p->notify, p->now.mono.ns);
}

/* --- the end --------------------------------------------------------------------------------- */

struct ending {
	enum child_kind kind;
	int sig;
	bool left;
};

/* The children of one kind get a signal, and a time to end in. */
static void end_kind(struct parent *p, enum child_kind kind, int64_t wait_ns)
{
	int64_t until = live_mono().ns + wait_ns;
	struct child *all[2 * SHARE_GUESTS + 3];
	bool left = true;
	siginfo_t si;
	size_t n = 0;

	all[n++] = &p->scribe;
	all[n++] = &p->courier;
	all[n++] = &p->attester;
	for (size_t i = 0; i < p->n_guests; i++) {
		all[n++] = &p->guest[i].gate;
		all[n++] = &p->guest[i].engine;
	}
	for (size_t i = 0; i < n; i++) {
		if (all[i]->kind == kind)
			child_kill(all[i], SIGTERM);
	}
	while (left) {
		bool late = live_mono().ns > until;

		left = false;
		for (size_t i = 0; i < n; i++) {
			if (all[i]->kind != kind || all[i]->pid <= 0 ||
			    child_reap(all[i], &si))
				continue;
			left = true;
			if (late)
				child_kill(all[i], SIGKILL);
		}
		if (left)
			poll(NULL, 0, 2);
	}
}

static void stop(struct parent *p)
{
	struct err e;

	log_info(p->log, "stopping; the closed rules stay in force");
	notify_send(&p->notify, "STOPPING=1\nSTATUS=closed");
	counts_last(p);
	if (rules_close(p->backend, &p->rules, &e) < 0)
		log_err(p->log, "rules: %s", e.text);
	parent_note(p, EV_MAINTENANCE, REASON_NONE, NULL,
		    "stopped by signal; the closed rules stay");
	end_kind(p, CHILD_ENGINE, 2 * NS_PER_S);
	end_kind(p, CHILD_GATE, 1 * NS_PER_S);
	end_kind(p, CHILD_COURIER, 1 * NS_PER_S);
	/* What was recorded until now is committed. */
	end_kind(p, CHILD_SCRIBE, 20 * NS_PER_S);
	/* The scribe's last checkpoint needed it. */
	end_kind(p, CHILD_ATTESTER, 3 * NS_PER_S);
}

/* Before there are policies, which say the zone. */
static struct now clock_before(const struct parent *p)
{
	struct clock_zone utc;
	struct err e;

	if (clock_zone_init(&utc, (struct span){0}, &e) < 0)
		return (struct now){.mono = live_mono()};
	return live_now(&utc, p->conf->clock_trusted || live_synced());
}

static void to_event(void *arg, const struct event *ev)
{
	parent_record(arg, ev);
}

/* What a start is about to bring into force. */
static int first(struct parent *p, struct err *e)
{
	if (p->activation.refused[0])
		return 0;
	p->first.changes = activate_changes(&p->activation, &p->policies,
					    p->conf);
	return activate_see(&p->activation, &p->policies, p->conf,
			    parent_policy_note, p, e);
}

static void tell_vain(void *arg, const char *text)
{
	struct parent *p = arg;

	log_warn(p->log, "%s", text);
}

void parent_tell_vain(struct parent *p)
{
	policies_in_vain(&p->policies, tell_vain, p);
}

static void started(struct parent *p)
{
	const char *why = p->activation.refused;

	if (why[0]) {
		log_err(p->log, "%s; %s", why,
			p->activation.store.n_force
				? "the policies of before stay in force"
				: "no policy is in force, and nothing passes");
		parent_note(p, EV_POLICY, REASON_NONE, NULL, "refused: %.160s",
			    why);
	}
	if (!p->conf->signatures)
		log_warn(p->log, "signatures: off: whoever can write %s "
			 "decides what passes", p->conf->policies);
	parent_note(p, EV_MAINTENANCE, REASON_NONE, NULL,
		    "started: metergated %s, %zu guests, %zu policies",
		    METERGATE_VERSION, p->n_guests, p->policies.files.n);
	log_info(p->log, "%s: %zu guests, %s rules are closed until all "
		 "processes are ready",
		 p->conf_path, p->n_guests,
		 p->backend == RULES_NFT ? "nft" : "iptables");
	capture_policy_events(&p->policies.files, p->now, "in force", to_event,
			      p);
	capture_policy_files(&p->policies.files, p->now, to_event, p);
	parent_tell_vain(p);
	p->first.record = p->events.edge;
}

int parent_run(const struct conf *c, const char *conf_path, struct log *log,
	       struct err *e)
{
	struct parent *p = calloc(1, sizeof(*p));
	uint8_t boot[16];
	int rc;

	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	p->log = log;
	p->conf = c;
	p->conf_path = conf_path;
	notify_open(&p->notify);
	rc = live_boot(boot, e);
	if (rc == 0)
		rc = activate_open(&p->activation, c, boot,
				   clock_before(p), e);
	if (rc == 0)
		rc = activate_first(&p->activation, &p->policies, c, e);
	if (rc < 0)
		goto out;
	rc = clock_zone_init(&p->zone, pol_set_timezone(p->policies.files.set),
			     e);
	if (rc == 0)
		rc = setup_all(p, e);
	if (rc == 0)
		parent_clock(p);
	if (rc == 0)
		rc = first(p, e);
	if (rc == 0) {
		p->started = p->now.mono;
		started(p);
		while (!p->stopping)
			turn(p);
		stop(p);
	}
	if (rc < 0 && p->closed_rules)
		log_warn(log, "the closed rules stay in force");
	setup_undo(p);
out:
	policies_free(&p->reload.next);
	capture_policy_free(&p->reload.found);
	capture_policy_free(&p->reload.was);
	trial_end(&p->reload.trial);
	propose_end(p);
	policies_free(&p->policies);
	activate_close(&p->activation);
	notify_close(&p->notify);
	free(p);
	return rc;
}
