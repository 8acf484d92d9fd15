/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM's one client. It connects, closes its sandbox, which leaves it that
 * connection and the scribe's questions, and answers them: the state of PCR 13
 * and the counter, an extend, one more, the log's key and a signature of it. It
 * knows nothing of the log but its name. When the TPM answers no more it ends, and its successor
 * waits for one to connect to.
 */
#include "enforcer/daemon/attester.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/processes.h"

#define TURN_MS	    250
#define CONNECT_NS  NS_PER_S /* tried so often */
#define SAID_EVERY  (60 * NS_PER_S)

struct attester {
	const struct attester_arg *a;
	struct tpm *tpm;
	struct key_policy policy;
	struct log_limit limit;
};

static void beat(const struct attester *at)
{
	atomic_store(&at->a->share->beat, live_mono().ns);
}

static bool told_to_end(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && sigismember(&set, SIGTERM) == 1;
}

/* --- the connection ------------------------------------------------------- */

static void complain(struct attester *at, const struct err *e)
{
	uint32_t missed;

	if (log_allow(&at->limit, live_mono(), 1, SAID_EVERY, &missed))
		log_err(at->a->log, "%s; nothing is changed until it answers",
			e->text);
}

/* Nothing is read from it yet, so this needs no sandbox; it could not be done
 * in one. False: told to end. */
static bool connect_at_last(struct attester *at)
{
	struct mono next = live_mono();
	struct err e = {0};

	for (;;) {
		if (told_to_end())
			return false;
		if (mono_sub(live_mono(), next) >= 0) {
			if (tpm_open(&at->tpm, at->a->conf->tpm, &e) == 0)
				return true;
			complain(at, &e);
			next = mono_add(live_mono(), CONNECT_NS);
		}
		/* Before it has to wait it is starting, for which there is
		 * more time: trying the sandbox takes long on a busy machine. */
		beat(at);
		poll(NULL, 0, TURN_MS / 5);
	}
}

static int begin(struct attester *at, struct err *e)
{
	int rc = tpm_begin(at->tpm, e);

	beat(at);
	if (rc == 0)
		rc = tpm_counter(at->tpm, at->a->conf->tpm_counter, true, e);
	beat(at);
	return rc;
}

/* In which states the log's key may be used; before the sandbox. */
static int read_policy(struct attester *at, struct err *e)
{
	const struct conf *c = at->a->conf;
	int rc = policy_pcrs(&at->policy.pcrs, c->log_key_pcrs, e);

	if (rc == 0 && c->log_key_approvals[0])
		rc = policy_load(&at->policy, c->log_key_approvals, e);
	return rc ? err_wrap(e, "log-key-approvals") : 0;
}

/* --- questions ------------------------------------------------------------ */

/* That it may not be used is no error: there is a key, and it is the log's. */
static int key(struct attester *at, const struct attester_ask *ask,
	       struct attester_answer *out, struct err *e)
{
	uint8_t seed[TPM_DIGEST];
	int rc;

	tpm_key_seed(at->a->conf->origin, seed);
	out->bound = ask->bound;
	rc = tpm_key(at->tpm, seed, &at->policy, &out->bound, out->spki, e);
	if (rc == 0)
		rc = tpm_key_usable(at->tpm, e);
	out->unusable = rc == E_AUTH;
	return out->unusable ? 0 : rc;
}

static int act(struct attester *at, const struct attester_ask *ask,
	       struct attester_answer *out, struct err *e)
{
	struct wbuf w = wbuf_of(out->sig, sizeof(out->sig));
	int rc = 0;

	switch (ask->kind) {
	case ATTESTER_STATE:
		break;
	case ATTESTER_EXTEND:
		rc = tpm_extend(at->tpm, ask->digest, e);
		return rc ? rc : tpm_pcr(at->tpm, out->state.pcr, e);
	case ATTESTER_INCREMENT:
		return tpm_increment(at->tpm, &out->state.counter, e);
	case ATTESTER_KEY:
		return key(at, ask, out, e);
	case ATTESTER_SIGN:
		rc = tpm_sign(at->tpm, ask->digest, &w, e);
		out->n = (uint32_t)w.n;
		return rc;
	default:
		return err_set(e, E_UNSUPPORTED, 0, "question %u", ask->kind);
	}
	return rc ? rc : tpm_state(at->tpm, &out->state, e);
}

/* E_IO: the TPM is gone. */
static int answer(struct attester *at, const struct attester_ask *ask)
{
	struct attester_answer out = {.number = ask->number};
	struct err e = {0};

	if (ask->session != atomic_load(&at->a->share->session))
		out.rc = err_set(&e, E_IO, 0, "it is another connection");
	else
		out.rc = act(at, ask, &out, &e);
	snprintf(out.why, sizeof(out.why), "%s", e.text);
	/* Who asked may be dead by now. */
	if (send(at->a->fd, &out, sizeof(out), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug(at->a->log, "an answer was not taken");
	atomic_store(&at->a->share->answered, ask->number);
	if (out.rc == E_IO && ask->session == atomic_load(&at->a->share->session))
		complain(at, &e);
	else if (out.rc)
		log_debug(at->a->log, "%s", e.text);
	return ask->session == atomic_load(&at->a->share->session) ? out.rc : 0;
}

static int next(struct attester *at)
{
	struct attester_ask ask;
	ssize_t n = recv(at->a->fd, &ask, sizeof(ask), MSG_DONTWAIT);

	if (n < 0)
		return 0;
	if (n != (ssize_t)sizeof(ask)) {
		log_err(at->a->log, "a question of no known form");
		return 0;
	}
	return answer(at, &ask);
}

static int loop(struct attester *at)
{
	struct pollfd p[2] = {
		{at->a->fd, POLLIN, 0},
		{tpm_fd(at->tpm), POLLRDHUP, 0},
	};
	int rc = 0;

	while (rc != E_IO && !told_to_end()) {
		beat(at);
		if (poll(p, 2, TURN_MS) < 0 && errno != EINTR)
			return 1;
		if (p[1].revents) {
			log_err(at->a->log, "the TPM hung up");
			break;
		}
		if (p[0].revents)
			rc = next(at);
	}
	atomic_store(&at->a->share->session, 0);
	if (!told_to_end())
		return 1;
	tpm_close(at->tpm, true);
	return 0;
}

/* What was asked of a predecessor is not done: whoever asked gave it up. */
static void forget_questions(const struct attester *at)
{
	struct attester_ask ask;

	while (recv(at->a->fd, &ask, sizeof(ask), MSG_DONTWAIT) >= 0)
		;
}

static int confine(struct attester *at, struct err *e)
{
	const int fds[] = {at->a->fd, tpm_fd(at->tpm)};
	struct sandbox_conf c = at->a->sandbox;
	struct sha256 *warm = sha256_new(); /* libcrypto reads its settings */
	int rc;

	sha256_free(warm);
	c.fds = fds;
	c.n_fds = 2;
	rc = sandbox_check(SANDBOX_ATTESTER, &c, e);
	return rc ? rc : sandbox_enter(SANDBOX_ATTESTER, &c, e);
}

int attester_main(const struct attester_arg *a)
{
	struct attester at = {.a = a};
	struct err e = {0};
	uint32_t session;
	sigset_t term;
	int rc;

	/* It is looked for between two questions. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	rc = read_policy(&at, &e);
	if (rc == 0 && !connect_at_last(&at))
		return 0;
	if (rc == 0)
		rc = confine(&at, &e);
	beat(&at);
	if (rc == 0)
		rc = begin(&at, &e);
	if (rc) {
		log_err(a->log, "%s", e.text);
		return 1;
	}
	forget_questions(&at);
	session = atomic_fetch_add(&a->share->sessions, 1) + 1;
	atomic_store(&a->share->session, session);
	log_info(a->log, "the TPM answers");
	return loop(&at);
}
