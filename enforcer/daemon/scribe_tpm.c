/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scribe's part with the TPM, which the attester has: log and TPM are
 * compared when there is a connection that was not there before, for which the
 * log is opened anew; behind each checkpoint the TPM gets it. While there is
 * none, records are written and flows pass, but nobody changes anything: what
 * is acted upon must be anchored before. So it is, too, while the key may not
 * sign because the platform is in another state than those that it is for: that
 * ends with a restart only.
 */
#include "enforcer/daemon/scribe.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "crypto/digest.h"

#define START_NS (3 * NS_PER_S) /* the log waits so long for its TPM */
#define AFTER_NS (NS_PER_S / 10) /* one that others wait for */
#define AGAIN_NS NS_PER_S	/* between two tries */
#define STALE	 64		/* answers to what was given up */

static bool configured(const struct scribe *s)
{
	return s->a->conf->tpm[0] != '\0';
}

static uint32_t session(const struct scribe *s)
{
	return configured(s) ? atomic_load(&s->a->attester->session) : 0;
}

/* --- asking --------------------------------------------------------------- */

static int gone(struct scribe_tpm *t, struct err *e, const char *why)
{
	t->session = 0;
	return err_set(e, E_IO, 0, "TPM: %s", why);
}

/* Answers to older questions may come before ours. */
static int hear(struct scribe *s, struct attester_answer *out, struct err *e)
{
	struct scribe_tpm *t = &s->tpm;

	for (int i = 0; i < STALE; i++) {
		ssize_t n = read(s->a->attester_fd, out, sizeof(*out));

		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(*out))
			return gone(t, e, "the attester does not answer");
		if (out->number == t->number)
			return 0;
	}
	return gone(t, e, "the attester answers something else");
}

static int put_question(struct scribe *s, enum attester_kind kind,
			const uint8_t digest[TPM_DIGEST], struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	struct attester_ask q = {.kind = kind, .session = t->session};

	/* No successor of ours uses the same numbers. */
	t->number = t->number ? t->number + 1 : (uint64_t)s->mono.ns;
	q.number = t->number;
	if (digest)
		memcpy(q.digest, digest, sizeof(q.digest));
	if (kind == ATTESTER_KEY) {
		q.bound.pcrs = t->bound.pcrs;
		memcpy(q.bound.policy, t->bound.policy, TPM_DIGEST);
	}
	memcpy(t->out.digest, q.digest, sizeof(t->out.digest));
	t->out.kind = kind;
	t->out.since = s->mono;
	t->out.on = true;
	if (write(s->a->attester_fd, &q, sizeof(q)) != (ssize_t)sizeof(q))
		return gone(t, e, "the attester takes no question");
	return 0;
}

static bool is_out(const struct scribe_tpm *t, enum attester_kind kind,
		   const uint8_t digest[TPM_DIGEST])
{
	return t->out.on && t->out.kind == kind &&
	       (!digest || memcmp(t->out.digest, digest, TPM_DIGEST) == 0);
}

/* Then reading does not wait. */
static bool is_answered(const struct scribe *s)
{
	return atomic_load(&s->a->attester->answered) == s->tpm.number;
}

static bool is_late(const struct scribe *s)
{
	return mono_sub(s->mono, s->tpm.out.since) > ATTESTER_LATE_NS;
}

/* E_MORE: there is no answer yet, the same is to be asked again. Another
 * question gives up the one that is under way. */
static int ask(struct scribe *s, enum attester_kind kind,
	       const uint8_t digest[TPM_DIGEST], struct attester_answer *out,
	       struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	int rc = 0;

	if (t->session == 0 || t->session != session(s))
		return gone(t, e, "it is not there");
	if (!is_out(t, kind, digest))
		rc = put_question(s, kind, digest, e);
	if (rc == 0 && !t->patient && !is_answered(s))
		return is_late(s)
			       ? gone(t, e, "the attester does not answer")
			       : err_set(e, E_MORE, 0, "TPM: no answer yet");
	t->out.on = false;
	/* One that waits is not silent. */
	if (t->patient)
		atomic_store(&s->a->control->scribe_beat, live_mono().ns);
	if (rc == 0)
		rc = hear(s, out, e);
	if (rc)
		return rc;
	out->why[sizeof(out->why) - 1] = '\0';
	if (out->rc)
		return err_set(e, out->rc < 0 && out->rc != E_MORE ? out->rc
								   : E_IO,
			       0, "%s", out->why);
	if (kind == ATTESTER_STATE)
		t->state = out->state;
	return 0;
}

/* As it was asked ahead: nobody extends or counts between. */
static int tpm_is(void *arg, uint8_t pcr[SHA256_LEN], uint64_t *counter,
		  struct err *e)
{
	const struct scribe *s = arg;

	(void)e;
	memcpy(pcr, s->tpm.state.pcr, SHA256_LEN);
	*counter = s->tpm.state.counter;
	return 0;
}

static int tpm_extends(void *arg, const uint8_t digest[SHA256_LEN],
		       uint8_t pcr[SHA256_LEN], struct err *e)
{
	struct attester_answer a;
	int rc = ask(arg, ATTESTER_EXTEND, digest, &a, e);

	if (rc == 0)
		memcpy(pcr, a.state.pcr, SHA256_LEN);
	return rc;
}

static int tpm_counts(void *arg, uint64_t *counter, struct err *e)
{
	struct attester_answer a;
	int rc = ask(arg, ATTESTER_INCREMENT, NULL, &a, e);

	if (rc == 0)
		*counter = a.state.counter;
	return rc;
}

static int tpm_signs(void *arg, struct span octets, struct wbuf *out,
		     struct err *e)
{
	struct scribe *s = arg;
	struct attester_answer a;
	uint8_t md[SHA256_LEN];
	int rc;

	sha256_of(octets, md);
	rc = ask(s, ATTESTER_SIGN, md, &a, e);
	if (rc == 0 && a.n > sizeof(a.sig))
		rc = gone(&s->tpm, e, "what it signed is no signature");
	if (rc == 0)
		wbuf_put(out, span_of(a.sig, a.n));
	else if (rc != E_MORE)
		s->tpm.session = 0; /* the log goes on without */
	return rc;
}

/* --- opening -------------------------------------------------------------- */

void scribe_tpm_init(struct scribe *s)
{
	s->tpm.g.tpm = (struct anchor_tpm){tpm_is, tpm_extends, tpm_counts, s};
}

static bool can_sign(void *arg)
{
	const struct scribe *s = arg;

	/* The next one says what the TPM is at behind the last. */
	if (s->audit && anchoring_under_way(&s->tpm.g, s->audit))
		return false;
	return !s->tpm.signs || (s->tpm.session && !s->tpm.unusable &&
				 !s->tpm.lost && s->tpm.opened == session(s));
}

static void away(struct scribe *s, const char *why)
{
	atomic_store(&s->a->control->anchoring, ANCHORING_AWAY);
	if (strcmp(s->tpm.why, why) != 0)
		log_err(s->a->log, "checkpoints are not anchored: %s", why);
	snprintf(s->tpm.why, sizeof(s->tpm.why), "%s", why);
}

static void lost(struct scribe *s, const struct err *e)
{
	s->tpm.out.on = false;
	s->tpm.ahead.session = 0;
	s->tpm.ahead.on = s->tpm.ahead.good = false;
	if (s->audit)
		audit_sign_later(s->audit);
	anchoring_lost(&s->tpm.g, s->audit);
	s->tpm.retry = mono_add(s->mono, AGAIN_NS);
	s->tpm.lost = true;
	away(s, e->text);
}

/* Without an answer there is nothing to compare with. */
static int agree(void *arg, struct audit *a, struct err *e)
{
	struct scribe *s = arg;
	struct err why = {0};
	int rc = 0;

	s->tpm.g.met = s->tpm.agreed = false;
	if (s->tpm.opened == 0)
		return 0;
	rc = anchoring_meet(&s->tpm.g, a, &why);
	s->tpm.agreed = rc == 0;
	if (rc == E_INTEGRITY) {
		*e = why;
		return rc;
	}
	if (rc)
		lost(s, &why);
	return 0;
}

/* The key of the log: what it is bound to lies beside it, or is what a new one
 * would be bound to now. */
static int ask_key(struct scribe *s, const char *path, struct attester_answer *a,
		   struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	int rc = log_key_bound_read(&t->bound, path, e);

	t->unbound = rc == E_NOTFOUND;
	if (rc && !t->unbound)
		return rc;
	rc = ask(s, ATTESTER_KEY, NULL, a, e);
	if (rc)
		return rc;
	t->bound.pcrs = a->bound.pcrs;
	memcpy(t->bound.policy, a->bound.policy, SHA256_LEN);
	return 0;
}

/* A log goes on with the key that it began with; one that begins has the
 * TPM's, unless it is to have another. */
static int key_is_there(const struct scribe *s, bool *in_tpm, struct err *e)
{
	int lies = log_key_lies(s->a->conf->audit, e);

	*in_tpm = lies == E_NOTFOUND && configured(s) &&
		  s->a->conf->log_key_tpm;
	return lies == E_NOTFOUND ? 0 : lies;
}

static int ask_ahead(struct scribe *s, struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	struct attester_answer a;
	bool in_tpm;
	int rc = t->ahead.has_key ? 0 : key_is_there(s, &in_tpm, e);

	if (rc == 0 && !t->ahead.has_key && in_tpm)
		rc = ask_key(s, s->a->conf->audit, &t->ahead.key, e);
	t->ahead.has_key = rc == 0;
	return rc ? rc : ask(s, ATTESTER_STATE, NULL, &a, e);
}

/* Opening the log would not wait for the TPM: what it needs is known, or it
 * will not be. */
static bool known(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	struct err e = {0};
	int rc;

	if (t->ahead.session != session(s)) {
		t->ahead.session = session(s);
		t->ahead.on = t->ahead.session != 0;
		t->ahead.good = t->ahead.has_key = t->out.on = false;
		t->session = t->ahead.session;
	}
	if (!t->ahead.on)
		return true;
	rc = ask_ahead(s, &e);
	if (rc == E_MORE)
		return false;
	t->ahead.on = false;
	t->ahead.good = rc == 0;
	if (rc)
		lost(s, &e);
	return true;
}

/* At the start it is better to begin with it; in a gateway that runs engines
 * wait for the log. */
bool scribe_tpm_awaited(struct scribe *s)
{
	int64_t most = s->a->control->commit_number ? AFTER_NS : START_NS;

	if (!configured(s))
		return false;
	if (s->tpm.started.ns == 0)
		s->tpm.started = s->mono;
	return mono_sub(s->mono, s->tpm.started) < most &&
	       (!session(s) || !known(s));
}

static int take_key(struct scribe *s, struct audit_conf *ac, struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	const struct attester_answer *a = &t->ahead.key;

	t->signs = true;
	ac->can_sign = can_sign;
	/* Until the TPM says which key that is there are no checkpoints. */
	if (t->opened == 0)
		return 0;
	t->unusable = a->unusable;
	if (t->unusable)
		away(s, a->why);
	t->signer = (struct note_signer){.sign = tpm_signs, .arg = s};
	ac->signer = &t->signer;
	ac->show_key = true;
	return note_key_make(&t->signer.key, span_str(ac->origin), NOTE_P256,
			     span_of(a->spki, TPM_SPKI), e);
}

int scribe_tpm_open(struct scribe *s, struct audit_conf *ac, struct err *e)
{
	struct scribe_tpm *t = &s->tpm;
	bool in_tpm;
	int rc = key_is_there(s, &in_tpm, e);

	if (t->ahead.good && t->ahead.session == session(s)) {
		t->session = t->ahead.session;
		t->ahead.session = 0;
		t->ahead.good = false;
	} else if (!t->ahead.on) {
		t->session = 0;
	}
	t->opened = t->ahead.on ? 0 : t->session;
	t->sealed = 0;
	t->lost = t->signs = t->unusable = false;
	ac->arg = s;
	if (configured(s)) {
		ac->agree = agree;
		ac->can_sign = can_sign;
	}
	if (in_tpm)
		return take_key(s, ac, e);
	ac->own_key = true;
	return rc;
}

/* Only beside the log that it is the key of: one that was lost is made anew,
 * and no other takes its place. */
static void note_bound(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	const char *why;
	struct err e = {0};

	if (!t->signs || !t->unbound || !t->opened ||
	    audit_recovery(s->audit, &why))
		return;
	if (log_key_bound_write(&t->bound, s->a->conf->audit, &e))
		log_err(s->a->log, "what the log's key is bound to could not "
			"be noted: %s", e.text);
	else
		t->unbound = false;
}

/* That there is a TPM, or is none: who reads the log knows from where on it is
 * anchored. */
int scribe_tpm_tell(struct scribe *s, struct err *e)
{
	const struct scribe_tpm *t = &s->tpm;
	struct event_log log = {.counter = t->g.bound.counter};
	char text[192];
	struct event ev = {.type = EV_ATTESTATION, .now.mono = s->mono,
			   .detail = text, .log = &log};

	if (!t->g.met)
		return 0;
	/* The next checkpoint shows that all before it is anchored. */
	audit_ask(s->audit);
	if (audit_boot_is_new(s->audit))
		return 0;
	snprintf(text, sizeof(text), "the TPM answers: reset %u, restart %u; "
		 "PCR 13 %s, %llu checkpoints were brought to it",
		 t->state.reset, t->state.restart,
		 t->g.place.reset ? "begins anew" : "goes on",
		 (unsigned long long)t->g.place.pending);
	return scribe_append(s, -1, &ev, e);
}

void scribe_tpm_begin(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	struct err why = {0};
	int rc;

	if (!configured(s))
		return;
	atomic_store(&s->a->control->anchoring, ANCHORING_AWAY);
	note_bound(s);
	/* Nothing is counted or extended before it can be signed. */
	if (!t->agreed || t->unusable)
		return;
	rc = anchoring_begin(&t->g, s->audit, s->mono, &why);
	if (rc && rc != E_MORE) {
		lost(s, &why);
		return;
	}
	t->why[0] = '\0';
	log_info(s->a->log, "checkpoints are anchored: counter %llu, %s",
		 (unsigned long long)t->g.bound.counter,
		 t->g.place.reset ? "PCR 13 begins anew" : "PCR 13 goes on");
}

void scribe_tpm_boot(const struct scribe *s, char *text, size_t cap,
		     struct event_log *log)
{
	const struct scribe_tpm *t = &s->tpm;
	size_t n = strlen(text);

	if (t->unusable)
		snprintf(text + n, cap - n, "; the TPM's key may not sign in "
			 "this state");
	if (!t->g.met)
		return;
	log->counter = t->g.bound.counter;
	snprintf(text + n, cap - n, "; TPM reset %u, restart %u",
		 t->state.reset, t->state.restart);
}

/* --- going on ------------------------------------------------------------- */

void scribe_tpm_sealed(struct scribe *s)
{
	s->tpm.sealed = audit_size(s->audit);
	/* What the parent waits for is among those. */
	s->tpm.edge = s->src[s->n_src - 1].r.at;
}

void scribe_tpm_commit(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	struct control *c = s->a->control;
	struct err why = {0};
	int rc;

	if (!t->g.met)
		return;
	rc = anchoring_commit(&t->g, s->audit, s->mono, &why);
	if (rc < 0 && rc != E_MORE)
		lost(s, &why);
	if (rc <= 0)
		return;
	if (t->sealed == t->g.done)
		atomic_store(&c->anchored, t->edge);
	atomic_store(&c->anchored_size, t->g.done);
	atomic_store(&c->anchoring, ANCHORING_GOOD);
}

bool scribe_tpm_asks(const struct scribe *s)
{
	return s->tpm.out.on;
}

bool scribe_tpm_turn(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	struct err e = {0};

	t->patient = s->stopping;
	if (!t->out.on || (!t->patient && !is_answered(s) && !is_late(s) &&
			   t->session == session(s)))
		return false;
	if (t->out.kind != ATTESTER_SIGN) {
		scribe_tpm_commit(s);
		return false;
	}
	if (t->session && t->session == session(s) &&
	    (t->patient || is_answered(s)))
		return true;
	(void)gone(t, &e, "the attester does not answer");
	lost(s, &e);
	return false;
}

bool scribe_tpm_failed(struct scribe *s, const struct err *e)
{
	struct scribe_tpm *t = &s->tpm;

	/* A checkpoint that could not be signed: without it the log goes on. */
	if (!t->signs || !s->audit || t->session || t->lost)
		return false;
	lost(s, e);
	return true;
}

/* Log and TPM are to be compared. */
bool scribe_tpm_news(struct scribe *s)
{
	struct scribe_tpm *t = &s->tpm;
	uint32_t now = session(s);
	struct err e;

	if (!configured(s) || !s->audit)
		return false;
	if (now == 0 && t->g.met) {
		err_set(&e, E_IO, 0, "TPM: it is not there");
		t->session = 0;
		lost(s, &e);
		return false;
	}
	if (now == 0 && t->ahead.on)
		(void)known(s); /* nothing more is */
	if (now == 0 || t->g.met || (now == t->opened && !t->lost) ||
	    (t->lost && mono_sub(s->mono, t->retry) < 0))
		return false;
	return known(s) && t->ahead.good;
}
