/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of the audit: all event rings in, records out, many to a commit.
 *
 * A message leaves its ring only when its record is durable, or the count it
 * went into. Just before a commit the scribe notes in struct control the how
 * manieth of the log it will be and how far in each ring it reaches. A
 * successor that finds so many commits knows that it was done, and goes on
 * behind it; one that finds fewer takes up the rings where they were last
 * released. So a scribe may die at any moment and no record is lost or
 * doubled.
 *
 * When nothing can be written, nothing is released, and a word tells the
 * engines to drop at once: the gateway is closed. It is tried again each
 * second; a record that is durable opens it. A log that is full, and of which
 * nothing may be pruned before it is cosigned, stays open for who cosigns.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/digest.h"
#include "dissectors/c1222/c1222.h"
#include "enforcer/daemon/pace.h"
#include "enforcer/daemon/scribe.h"

#define BATCH_MS   50
#define IDLE_MS	   200
#define RETRY_NS   NS_PER_S
#define SLICE_NS   (5 * INT64_C(1000000)) /* rings are emptied so often */
#define IN_ORDER   "the audit's writer ended in order"
#define COSIGN_NS    NS_PER_S
#define COSIGN_BURST 8
#define NO_COMMIT  UINT64_MAX /* commit_number: nothing is about to be */

void scribe_clocks(struct scribe *s)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_REALTIME, &t);
	s->wall_us = t.tv_sec * US_PER_S + t.tv_nsec / 1000;
	s->mono = live_mono();
}

/* --- failing -------------------------------------------------------------- */

/* The log is closed; what is in the rings is read again. */
static void leave(struct scribe *s)
{
	scribe_view_drop(&s->view);
	/* What is not committed is read from the rings again. */
	audit_abandon(s->audit);
	hours_forget(s);
	s->audit = NULL;
	window_close(&s->window);
	for (size_t i = 0; i < s->n_src; i++) {
		ring_rewind(&s->src[i].r);
		s->src[i].n = s->src[i].taken = 0;
	}
	scribe_pace_back(s);
	s->pending = 0;
	s->urgent = s->cosigned = false;
	s->verdict = LEDGER_UNKNOWN; /* its record is none */
	s->retry = s->mono;
}

/* No engine lets anything pass. */
static void shut(struct scribe *s, const struct err *e)
{
	uint32_t missed;

	atomic_store(&s->a->control->audit_closed, 1);
	scribe_view_error(&s->view, e->text);
	/* It is tried each second; the same is said once a minute. */
	if (log_allow(&s->limit, s->mono, 1, 60 * NS_PER_S, &missed) ||
	    strcmp(s->told, e->text) != 0)
		log_err(s->a->log, "nothing can be recorded, so nothing "
			"passes: %s", e->text);
	snprintf(s->told, sizeof(s->told), "%s", e->text);
}

static void failed(struct scribe *s, const struct err *e)
{
	if (scribe_tpm_failed(s, e)) {
		leave(s);
		return;
	}
	shut(s, e);
	leave(s);
	s->retry = mono_add(s->mono, RETRY_NS);
}

/* What somebody has to look at, for as long as it lasts. */
static void show_alarm(struct scribe *s)
{
	const char *why;
	unsigned n = audit_recovery(s->audit, &why);
	char text[ERR_TEXT + 96];

	if (n)
		snprintf(text, sizeof(text), "the log is not what it says; "
			 "records go to recovery-%u: %s", n, why);
	else if (s->damaged[0])
		snprintf(text, sizeof(text), "the log is damaged: %s",
			 s->damaged);
	scribe_view_error(&s->view, n || s->damaged[0] ? text : NULL);
}

/* Found when somebody read it. What is wrong first is told; there may be more,
 * and who asks again would have it told again. */
static void on_damage(void *arg, const char *what)
{
	struct scribe *s = arg;

	atomic_store(&s->a->control->audit_damaged, 1);
	if (s->damaged[0])
		return;
	snprintf(s->damaged, sizeof(s->damaged), "%s", what);
	log_err(s->a->log, "the log is damaged: %s", what);
	if (atomic_load(&s->a->control->audit_closed) == 0)
		show_alarm(s);
}

/* A record is durable: until then nobody knows that it works again, whatever
 * could be opened. In a log that is full a checkpoint may be. */
static void works(struct scribe *s)
{
	if (audit_full(s->audit))
		return;
	if (atomic_exchange(&s->a->control->audit_closed, 0) == 0)
		return;
	show_alarm(s);
	log_info(s->a->log, "records are written again");
	s->told[0] = '\0';
}

/* --- committing ----------------------------------------------------------- */

static void note_intent(struct scribe *s)
{
	struct control *c = s->a->control;

	/* A half-written note must not look like one. */
	c->commit_number = NO_COMMIT;
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t i = 0; i < s->n_src; i++)
		c->commit_tail[i] = s->src[i].r.at;
	atomic_thread_fence(memory_order_seq_cst);
	c->commit_number = audit_commits(s->audit) + 1;
	atomic_thread_fence(memory_order_seq_cst);
}

static void release(struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		ring_release(&s->src[i].r);
		s->src[i].taken = 0;
	}
}

/* A checkpoint that is due belongs to this commit, and so does the record
 * before it. With others it has their time, so that none of what is still in
 * the rings comes too late. */
static int seal(struct scribe *s, struct err *e)
{
	struct event ev = {.type = EV_CHECKPOINT};
	int rc;

	ev.now.mono = s->pending ? s->last : s->mono;
	scribe_time(s, &ev);
	rc = audit_seal(s->audit, &ev.now, e);
	if (rc <= 0)
		return rc;
	s->last = ev.now.mono;
	scribe_tpm_sealed(s);
	scribe_view_add(&s->view, -1, &ev, audit_size(s->audit) - 1);
	return 0;
}

/* What there is of it now, to readers. */
static void show_log(struct scribe *s)
{
	window_commit(&s->window, audit_first(s->audit), audit_size(s->audit));
	scribe_view_log(&s->view, audit_first(s->audit), audit_size(s->audit));
}

/* That nothing is taken until there is room is said once. */
static void tell_full(struct scribe *s)
{
	bool full = audit_full(s->audit);

	if (full && !s->full && !s->told[0])
		log_err(s->a->log, "the audit is full: what is to be pruned "
			"waits for the checkpoint over its record, and "
			"nothing is taken until then");
	s->full = full;
}

/* The bound of the log. What is pruned is a record that waits for its commit,
 * as others do, and its checkpoint; then it is removed. */
static int make_room(struct scribe *s, struct err *e)
{
	struct event_log log = {0};
	struct event ev = {.type = EV_EXPORT, .now.mono = s->mono, .log = &log,
			   .detail = "records were pruned"};
	int rc;

	scribe_time(s, &ev);
	rc = audit_room(s->audit, &ev.now, e);
	atomic_store(&s->a->control->audit_tight,
		     s->audit && audit_tight(s->audit));
	if (rc == E_LIMIT && audit_full(s->audit)) {
		shut(s, e);
		return 0;
	}
	if (rc < 0)
		return rc;
	tell_full(s);
	if (rc == AUDIT_REMOVED) {
		log_info(s->a->log, "the audit is full: its records before "
			 "%llu were pruned",
			 (unsigned long long)audit_first(s->audit));
		show_log(s);
		works(s);
	}
	if (rc != 1)
		return 0;
	s->last = ev.now.mono;
	if (s->pending++ == 0)
		s->since = s->mono;
	s->urgent = true;
	scribe_view_add(&s->view, -1, &ev, audit_size(s->audit) - 1);
	return 0;
}

static int commit(struct scribe *s, struct err *e)
{
	struct mono start = live_mono();
	int rc;

	scribe_put_back(s);
	rc = audit_there(s->audit, e);
	/* A checkpoint covers what is counted, too. */
	if (rc == 0)
		rc = hours_keep(s, e);
	if (rc == 0)
		rc = seal(s, e);
	if (rc)
		return rc;
	note_intent(s);
	rc = audit_commit(s->audit, e);
	if (rc)
		return rc;
	scribe_tpm_commit(s);
	release(s);
	scribe_pace_keep(s);
	show_log(s);
	scribe_view_commit(&s->view,
			   (uint64_t)mono_sub(live_mono(), start) / 1000);
	s->pending = 0;
	s->urgent = s->cosigned = false;
	/* Behind the last record of all comes nothing. */
	rc = s->stopping ? 0 : make_room(s, e);
	if (rc == 0)
		works(s);
	return rc;
}

/* --- opening -------------------------------------------------------------- */

/* The number of a commit was noted when all before it were done. A log of fewer
 * is not the one that was written: it was replaced, rolled back or taken away,
 * and stays closed for as long as anybody remembers. */
static int no_fewer(const struct scribe *s, struct err *e)
{
	const struct control *c = s->a->control;
	uint64_t noted = c->commit_number;
	const char *why;

	if (noted == 0 || noted == NO_COMMIT ||
	    audit_recovery(s->audit, &why) != atomic_load(&c->audit_recovery) ||
	    audit_commits(s->audit) + 1 >= noted)
		return 0;
	return err_set(e, E_INTEGRITY, 0, "the log is not the one that was "
		       "written until now: it was replaced, rolled back or "
		       "taken away; put it back, or restart and begin another");
}

/* The last commit of a predecessor, or our own that failed, may have been
 * done: then what it covers is released now. */
static void take_up(struct scribe *s)
{
	const struct control *c = s->a->control;

	if (audit_commits(s->audit) != c->commit_number)
		return;
	for (size_t i = 0; i < s->n_src; i++) {
		struct ring *r = &s->src[i].r;

		if (c->commit_tail[i] - r->edge > r->size)
			continue; /* the ring is another since */
		r->at = c->commit_tail[i];
		ring_release(r);
		r->other = r->at;
	}
}

static int boot_record(struct scribe *s, struct err *e)
{
	char text[192];
	const char *last = audit_last_detail(s->audit), *why;
	unsigned long long size = audit_size(s->audit);
	struct event_log log = {0};
	struct event ev = {.type = EV_BOOT, .now.mono = s->mono,
			   .detail = text};

	if (size == 0 && audit_recovery(s->audit, &why))
		snprintf(text, sizeof(text), "the log begins; the one before "
			 "was left as it is: %.120s", why);
	else if (size == 0)
		snprintf(text, sizeof(text), "the log begins");
	else if (strcmp(last, IN_ORDER) == 0)
		snprintf(text, sizeof(text), "after an end in order");
	else
		snprintf(text, sizeof(text),
			 "after an unclean end; the last record that is "
			 "durable is %llu; verdicts of the last %lld ms, at "
			 "most %zu records and the counts of a second, may "
			 "have none", size - 1,
			 (long long)((AUDIT_LATE_NS + STORM_PERIOD) / 1000000),
			 s->n_src * (EVENT_RING / FLAT_LEAST));
	scribe_tpm_boot(s, text, sizeof(text), &log);
	ev.log = log.counter ? &log : NULL;
	return scribe_append(s, -1, &ev, e);
}

/* That it works again only a record can show: engines drop until this one is
 * durable. */
static int again(struct scribe *s, struct err *e)
{
	struct event ev = {
		.type = EV_MAINTENANCE,
		.now.mono = s->mono,
		.detail = "records are written again; until now nothing passed",
	};

	return scribe_append(s, -1, &ev, e);
}

/* The next checkpoint signs them as they are found, so it is said which these
 * are; a start says it in its record, too. */
static void tell_unvouched(const struct scribe *s, bool withdraws)
{
	uint64_t from, end;

	if (!audit_unvouched(s->audit, &from, &end))
		return;
	log_info(s->a->log, "%llu records, from %llu on, had no checkpoint "
		 "when the log was opened", (unsigned long long)(end - from),
		 (unsigned long long)from);
	if (withdraws)
		log_err(s->a->log, "some of them say what is to be removed: "
			"it stays");
}

static void opened(struct scribe *s, bool withdraws)
{
	const char *why;
	unsigned n = audit_recovery(s->audit, &why);

	/* The number noted is another log's. */
	if (n != atomic_load(&s->a->control->audit_recovery))
		s->a->control->commit_number = NO_COMMIT;
	atomic_store(&s->a->control->audit_recovery, n);
	if (n && n != s->recovery)
		log_err(s->a->log, "the log is not what it says; records go "
			"to recovery-%u: %s", n, why);
	s->recovery = n;
	tell_unvouched(s, withdraws);
	if (atomic_load(&s->a->control->audit_closed) == 0)
		show_alarm(s);
}

static void open_window(struct scribe *s)
{
	uint32_t before = atomic_load(&s->a->window->log);
	const char *why;

	window_open(&s->window, audit_path(s->audit), audit_origin(s->audit),
		    audit_recovery(s->audit, &why), audit_first(s->audit),
		    audit_size(s->audit));
	scribe_view_log(&s->view, audit_first(s->audit), audit_size(s->audit));
	if (atomic_load(&s->a->window->log) == before)
		return;
	atomic_store(&s->a->control->audit_damaged, 0);
	s->damaged[0] = '\0';
}

static void open_audit(struct scribe *s)
{
	const struct conf *conf = s->a->conf;
	struct audit_conf ac = {
		.path = conf->audit,
		.origin = conf->origin,
		.batch = UINT32_MAX,
		.resume = true,
		.recover = true,
		.alone = true,
		.bound = conf->audit_bound,
		.cosigned = conf->audit_prune == PRUNE_COSIGNED,
		.witnesses = s->witness,
		.n_witnesses = s->n_witness,
		.counts = s->owner ? LEDGER_NAME : NULL,
		.service_name = c1222_service_name,
	};
	struct err e = {0};
	bool fresh, withdraws = false;
	int rc;

	memcpy(ac.boot_key, s->a->boot_key, sizeof(ac.boot_key));
	rc = scribe_tpm_open(s, &ac, &e);
	if (rc == 0)
		rc = audit_open(&s->audit, &ac, &e);
	if (rc == 0)
		rc = no_fewer(s, &e);
	if (rc == 0) {
		withdraws = audit_withdraws(s->audit);
		take_up(s);
		open_window(s);
		s->last = audit_last(s->audit);
		/* Before a checkpoint can be made. */
		scribe_tpm_begin(s);
		/* One that is full opens nothing. */
		rc = make_room(s, &e);
		if (rc == 0)
			rc = scribe_tpm_tell(s, &e);
		fresh = audit_boot_is_new(s->audit);
		if (rc == 0 && fresh)
			rc = boot_record(s, &e);
		if (rc == 0)
			rc = hours_open(s, fresh, &e);
		if (rc == 0 && atomic_load(&s->a->control->audit_closed) &&
		    !audit_full(s->audit))
			rc = again(s, &e);
	}
	if (rc) {
		failed(s, &e);
		return;
	}
	opened(s, withdraws);
}

/* --- witnesses ------------------------------------------------------------ */

static int on_cosign(void *arg, uint64_t size, struct span line)
{
	struct scribe *s = arg;
	struct err e = {0};
	int rc = audit_cosign(s->audit, size, line, s->witness, s->n_witness,
			      &e);

	if (rc)
		log_debug(s->a->log, "cosignature of %llu: %s",
			  (unsigned long long)size, e.text);
	s->cosigned |= rc == 0;
	return rc;
}

static int read_witnesses(struct scribe *s, struct err *e)
{
	const char *path = s->a->conf->witness_keys;
	int rc;

	if (!path[0])
		return 0;
	s->witness = calloc(NOTE_KEYS_MAX, sizeof(*s->witness));
	if (!s->witness)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = note_file_keys(s->witness, NOTE_KEYS_MAX, &s->n_witness, path, e);
	s->window.cosign = on_cosign;
	return rc ? err_wrap(e, "witness-keys: %s", path) : 0;
}

/* --- the loop ------------------------------------------------------------- */

static void beat(struct scribe *s)
{
	atomic_store(&s->a->control->scribe_beat, s->mono.ns);
}

static bool told_to_end(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
}

static void nap(int64_t ns)
{
	struct timespec t = {0, ns};

	nanosleep(&t, NULL);
}

static int64_t batch_ns(const struct scribe *s)
{
	uint32_t ms = s->a->conf->audit_batch_ms;

	return (ms ? ms : BATCH_MS) * INT64_C(1000000);
}

/* Sleeping until somebody writes; or, with records waiting for their commit,
 * a little. A writer is not made to wake us for each event. */
static void sleep_a_while(struct scribe *s)
{
	int64_t left = batch_ns(s) - mono_sub(s->mono, s->since);

	if (!s->audit) {
		nap(20 * INT64_C(1000000));
	} else if (s->pending) {
		if (left > 0)
			nap(left < SLICE_NS ? left : SLICE_NS);
	} else if (window_due(&s->window, s->mono) > 0) {
		nap(window_due(&s->window, s->mono));
	} else if (s->cosigned || owner_holds_back(s->owner) ||
		   scribe_held_back(s)) {
		nap(SLICE_NS);
	} else if (scribe_tpm_asks(s)) {
		nap(INT64_C(1000000));
	} else {
		ring_drowse(&s->a->control->scribe_sleeps);
		if (scribe_anything(s) || owner_asked(s->owner) ||
		    window_due(&s->window, s->mono) >= 0)
			ring_awake(&s->a->control->scribe_sleeps);
		else
			ring_sleep(&s->a->control->scribe_sleeps, IDLE_MS);
	}
}

/* There is a TPM: is this the log that it knows? What is pending is durable
 * before. */
static void meet(struct scribe *s)
{
	struct err e = {0};

	if (s->pending && commit(s, &e))
		failed(s, &e);
	else
		leave(s);
}

/* A commit for it alone: a witness may send as many as a note has room for. */
static bool cosigned(struct scribe *s)
{
	if (!s->cosigned ||
	    !pace_may(s->cosign_paid_ns, s->mono, COSIGN_NS, COSIGN_BURST))
		return false;
	pace_take(&s->cosign_paid_ns, s->mono, COSIGN_NS);
	return true;
}

static void turn(struct scribe *s)
{
	struct err e = {0};
	bool signed_now;
	int rc;

	if (scribe_tpm_news(s))
		meet(s);
	if (!s->audit && mono_sub(s->mono, s->retry) >= 0 &&
	    !scribe_tpm_awaited(s))
		open_audit(s);
	if (!s->audit)
		return;
	signed_now = scribe_tpm_turn(s);
	rc = ledger_turn(s, &e);
	if (rc == 0)
		rc = hours_turn(s, &e);
	if (rc == 0)
		rc = scribe_take(s, &e);
	if (rc == 0 && s->pending &&
	    (s->urgent || signed_now || s->pending >= BATCH || scribe_crowded(s) || s->stopping ||
	     mono_sub(s->mono, s->since) >= batch_ns(s)))
		rc = commit(s, &e);
	else if (rc == 0 && !s->pending &&
		 (signed_now || cosigned(s) || audit_due(s->audit, s->mono)))
		rc = commit(s, &e);
	else if (rc == 0 && !s->pending && audit_removes(s->audit))
		rc = make_room(s, &e);
	if (rc)
		failed(s, &e);
	if (rc || s->pending)
		return;
	/* What was read since is nothing to keep. */
	scribe_put_back(s);
	release(s);
}

/* Told to end: everything that is in the rings, the last record, the file. */
static int finish(struct scribe *s)
{
	struct event ev = {.type = EV_MAINTENANCE, .detail = IN_ORDER};
	struct err e = {0};
	int rc = s->audit ? 0 : err_set(&e, E_STATE, 0, "nothing can be "
					"recorded");

	/* Engines ended before: nobody claims anything any more. */
	if (rc == 0)
		rc = ledger_finish(s, &e);
	if (rc == 0)
		rc = hours_end(s, &e);
	ev.now.mono = s->mono;
	if (rc == 0)
		rc = scribe_append(s, -1, &ev, &e);
	if (rc == 0)
		rc = commit(s, &e);
	if (rc == 0) {
		/* Who reads on would leave the journal beside the log. */
		window_forget(&s->window);
		rc = audit_close(s->audit, &e);
		s->audit = NULL;
	}
	if (rc)
		log_err(s->a->log, "at the end: %s", e.text);
	return rc ? 1 : 0;
}

static int loop(struct scribe *s)
{
	for (;;) {
		scribe_clocks(s);
		beat(s);
		s->stopping = s->stopping || told_to_end();
		owner_turn(s->owner);
		turn(s);
		window_turn(&s->window, s->mono);
		if (s->stopping && !(s->audit && (scribe_anything(s) || s->pending)))
			return finish(s);
		if (!s->stopping && s->pending < BATCH)
			sleep_a_while(s);
	}
}

static int add_source(struct scribe *s, void *mem, int guest, struct err *e)
{
	struct source *from = &s->src[s->n_src];

	*from = (struct source){.guest = guest, .bad_head = UINT64_MAX};
	from->buf = malloc(FLAT_MAX);
	if (!from->buf)
		return err_set(e, E_NOMEM, 0, "out of memory");
	ring_reader(&from->r, mem, EVENT_RING);
	s->n_src++;
	return 0;
}

/* Everything that needs memory or files elsewhere, before the sandbox. */
static int prepare(struct scribe *s, struct err *e)
{
	struct sha256 *warm = sha256_new(); /* libcrypto reads its settings */
	int rc = scribe_view_init(&s->view, s->a->view, e);

	sha256_free(warm);
	s->in.leaves = malloc(FLAT_LEAVES * sizeof(*s->in.leaves));
	if (rc == 0 && (!warm || !s->in.leaves))
		rc = err_set(e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0; rc == 0 && i < s->a->n_guests; i++)
		rc = add_source(s, s->a->guest[i].events, (int)i, e);
	if (rc == 0)
		rc = add_source(s, s->a->parent_events, -1, e);
	if (rc == 0)
		rc = read_witnesses(s, e);
	if (rc == 0)
		rc = owner_open(&s->owner, s->a, e);
	if (rc == 0)
		rc = hours_init(s, e);
	scribe_pace_init(s);
	return rc;
}

int scribe_main(const struct scribe_arg *a)
{
	struct scribe *s = calloc(1, sizeof(*s));
	struct err e = {0};
	sigset_t term;
	int rc;

	if (!s || a->n_guests > SHARE_GUESTS)
		return 1;
	s->a = a;
	scribe_tpm_init(s);
	s->window = (struct window_side){
		.w = a->window,
		.wake_fd = a->courier_fd,
		.damaged = on_damage,
		.arg = s,
	};
	/* It is looked for between two turns, never in the middle of one. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	rc = prepare(s, &e);
	if (rc == 0)
		rc = sandbox_check(SANDBOX_SCRIBE, &a->sandbox, &e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_SCRIBE, &a->sandbox, &e);
	if (rc) {
		log_err(a->log, "%s", e.text);
		return 1;
	}
	return loop(s);
}
