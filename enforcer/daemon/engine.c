/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of one guest. It reads hostile octets, so it holds nothing: it
 * receives on its queue's socket, and all it says goes into shared memory.
 *
 *   queue socket -> packets -> pipeline -> events, verdicts -> rings
 */
#include "enforcer/daemon/engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT_MS	     250 /* the longest sleep */
#define SETTLE_MS    10	 /* it is waited for with nothing passing */
#define STATUS_NS    (20 * 1000 * 1000)
#define BATCHES_TURN 16 /* then timers and questions get their turn */
#define FDS_MAX	     8

/* --- signs of life -------------------------------------------------------- */

static void beat(struct engine *e)
{
	atomic_store_explicit(&e->lane->engine_beat, e->now.mono.ns,
			      memory_order_relaxed);
}

static void read_clock(struct engine *e)
{
	const struct control *c = e->a->control;

	e->now = live_next(&e->clock, atomic_load_explicit(
					    &c->clock_trusted,
					    memory_order_relaxed));
	beat(e);
}

static void look_for_signal(struct engine *e)
{
	struct signalfd_siginfo si;

	if (read(e->signal_fd, &si, sizeof(si)) == sizeof(si))
		e->stop = true;
}

void engine_turn(struct engine *e)
{
	atomic_store_explicit(&e->lane->engine_beat, live_mono().ns,
			      memory_order_relaxed);
	look_for_signal(e);
}

/* --- interfaces ----------------------------------------------------------- */

/* The parent's table, when it changed; one that is being written is taken the
 * next time. */
static void take_ifaces(struct engine *e)
{
	const struct control *c = e->a->control;
	uint32_t seq = atomic_load_explicit(&c->ifaces_seq,
					    memory_order_acquire);
	struct share_iface copy[SHARE_IFACES];
	uint32_t n;

	if (seq == e->ifaces_seq || seq % 2)
		return;
	n = c->n_ifaces;
	memcpy(copy, c->iface, sizeof(copy));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&c->ifaces_seq, memory_order_relaxed) != seq)
		return;
	memcpy(e->iface, copy, sizeof(copy));
	e->n_ifaces = n < SHARE_IFACES ? n : SHARE_IFACES;
	e->ifaces_seq = seq;
}

/* A packet that came by no interface is this domain's own, and no guest's
 * interface is called so; neither is one that is not known. */
static struct span iface_name(const struct engine *e, uint32_t index)
{
	if (index == 0)
		return span_str("lo");
	for (uint32_t i = 0; i < e->n_ifaces; i++) {
		const struct share_iface *f = &e->iface[i];

		if (f->index == index)
			return span_of(f->name,
				       strnlen(f->name, sizeof(f->name)));
	}
	return span_str("?");
}

/* --- packets -------------------------------------------------------------- */

/* Was the packet dropped before we began? Numbers only grow, so the question
 * ends with the first that is ours. */
static bool before_us(struct engine *e, uint32_t id)
{
	if (e->first_id == 0)
		return false;
	if ((int32_t)(id - e->first_id) <= 0)
		return true;
	e->first_id = 0;
	return false;
}

/* Numbers are given in order to packets that were sent to us; one that is
 * missing found no room in the socket. */
static void count_gap(struct engine *e, uint32_t id)
{
	uint32_t missing = id - e->last_id - 1;

	if (e->last_id != 0 && missing < UINT32_MAX / 2)
		e->overruns += missing;
	e->last_id = id;
}

/* The interface of the guest whose gate made the packet: what it sends in its
 * guest's name to ours comes by none. */
static struct span gate_iface(const struct engine *e, uint32_t mark)
{
	uint32_t gate = mark & MARK_GATE;

	for (uint32_t i = 0; i < e->n_ifaces; i++) {
		const struct share_iface *f = &e->iface[i];

		if (f->guest >= 0 && (uint32_t)f->guest + 1 == gate)
			return span_of(f->name,
				       strnlen(f->name, sizeof(f->name)));
	}
	return span_str("?");
}

static struct span came_by(const struct engine *e, const struct nfq_packet *p)
{
	uint32_t index = p->physindev ? p->physindev : p->indev;

	return index == 0 && p->mark & MARK_CRAFTED ? gate_iface(e, p->mark) :
						      iface_name(e, index);
}

/* Before anything else reads it. */
static bool poisoned(struct engine *e, const struct nfq_packet *p)
{
	if (e->now.mono.ns >= e->poison_ns)
		e->poison_ns = 0;
	if (!e->poison_ns ||
	    !poison_is(&e->lane->poison, &e->lane->poison_key, p->octets,
		       e->now.mono))
		return false;
	count_gap(e, p->id);
	out_poison(e, p->id, p->wire_len);
	return true;
}

static void one_packet(struct engine *e, const struct nfq_packet *p)
{
	uint64_t passed;
	uint32_t index = p->physindev ? p->physindev : p->indev;
	struct packet_in in = {
		.id = p->id | (p->gso ? ID_GSO : 0) | e->batch_time,
		/* No pcap_cnt: it says something in a capture only. */
		.now = e->now,
		.link = LINK_RAW,
		.octets = p->octets,
		.wire_len = p->wire_len,
		.iface = came_by(e, p),
		.gso = p->gso,
		/* Only what is still to be computed is sure to be right: of
		 * the other packets a guest may have said so itself. */
		.csum_ok = p->csum_unfinished,
		.has_mac = p->has_mac,
	};

	if (before_us(e, p->id))
		return;
	if (e->poison_ns && poisoned(e, p))
		return;
	e->again = (p->mark & MARK_CLASS) == MARK_CLASS;
	count_gap(e, p->id);
	/* The scribe may have said so since the last turn. */
	if (!e->settled)
		policy_settle(e);
	if (out_closed(e)) {
		if (e->shut == e->shut_told)
			e->shut_first = e->now.mono;
		e->shut_last = e->now.mono;
		e->shut++;
		e->shut_octets += p->wire_len;
		out_drop(e, p->id);
		return;
	}
	memcpy(in.mac, p->src_mac, sizeof(in.mac));
	passed = pipeline_stats(e->pipeline)->passed;
	pipeline_packet(e->pipeline, &in, &e->sink);
	/* Only from what was allowed: anybody on the link can send a
	 * frame with another's address, and would be sent what is repeated. */
	if (e->a->conf->bridged && p->has_mac && index &&
	    pipeline_stats(e->pipeline)->passed != passed)
		hops_note(&e->hops, p->octets, p->src_mac, index);
}

static void one_datagram(struct engine *e, uint32_t slot, struct span octets)
{
	struct poison_at at = {.slot = slot, .n = (uint32_t)octets.n};
	struct nfq_walk w = {.left = octets};
	struct nfq_packet p;

	/* Bounded by the datagram: each message takes some of it. */
	for (; nfq_next(&w, &p); at.message++) {
		poison_begin(&e->lane->poison, at);
		one_packet(e, &p);
		poison_end(&e->lane->poison);
	}
	e->errors += w.errors;
}

/* One batch. False: there is no more, or not now. */
static bool receive(struct engine *e)
{
	int n = recvmmsg(e->a->queue_fd, e->msg, ENGINE_BATCH, MSG_DONTWAIT,
			 NULL);

	if (n <= 0)
		return false;
	read_clock(e);
	out_durable(e);
	e->batch_ns = e->now.mono.ns;
	e->batch_time = (uint64_t)(e->batch_ns / 1000) << ID_TIME;
	for (int i = 0; i < n; i++)
		one_datagram(e, (uint32_t)i, span_of(e->iov[i].iov_base, e->msg[i].msg_len));
	out_publish(e);
	out_latency(e);
	e->told = false;
	return n == ENGINE_BATCH;
}

/* --- the loop ------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Milliseconds until something is to be done, rounded up. */
static int sleep_ms(const struct engine *e)
{
	int64_t longest = e->settled ? BEAT_MS : SETTLE_MS;
	int64_t due = e->now.mono.ns + longest * 1000000;

	due = earlier(due, pipeline_due(e->pipeline).ns);
	due = earlier(due, storm_due(e->storm).ns);
	if (!e->told)
		due = earlier(due, e->told_at.ns + STATUS_NS);
	due -= e->now.mono.ns;
	return due <= 0 ? 0 : (int)((due + 999999) / 1000000);
}

/* The parent takes back what the kernel carries, and shows it. */
static void say_quarantine(struct engine *e)
{
	int machine = pol_set_find_machine(e->set.set,
					   span_str(e->a->guest->name));
	int64_t left = machine < 0 ? 0 :
				     pol_quarantined(e->state, (size_t)machine,
						     e->now);

	atomic_store_explicit(&e->lane->quarantine,
			      left ? e->now.mono.ns + left : 0,
			      memory_order_relaxed);
}

static void timers(struct engine *e)
{
	bool frozen = atomic_load_explicit(&e->lane->frozen,
					   memory_order_relaxed) != 0;

	if (!e->settled)
		policy_settle(e);
	else if (e->a->ledger && !e->unanswered)
		pol_state_hand_back(e->state, e->now, false);
	out_durable(e);
	if (frozen != e->frozen)
		pipeline_freeze(e->pipeline, frozen);
	e->frozen = frozen;
	if (pipeline_due(e->pipeline).ns <= e->now.mono.ns) {
		pipeline_tick(e->pipeline, e->now, &e->sink);
		e->told = false;
	}
	if (storm_due(e->storm).ns <= e->now.mono.ns)
		out_tick(e);
	say_quarantine(e);
	out_publish(e);
	if (!e->told && mono_sub(e->now.mono, e->told_at) >= STATUS_NS)
		status_write(e);
}

static void drain(int fd)
{
	uint64_t n;

	(void)!read(fd, &n, sizeof(n)); /* nonblocking; what counts is in the
					 * lane */
}

static int loop(struct engine *e)
{
	struct pollfd fds[] = {
		{e->a->queue_fd, POLLIN, 0},
		{e->a->wake_fd, POLLIN, 0},
		{e->signal_fd, POLLIN, 0},
	};

	while (!e->stop) {
		int n = poll(fds, 3, sleep_ms(e));

		if (n < 0 && errno != EINTR)
			return 1;
		take_ifaces(e);
		/* Each batch reads the clock for itself. POLLERR: a receive
		 * that finds nothing clears it. */
		if (n > 0 && fds[0].revents) {
			for (int i = 0; i < BATCHES_TURN && receive(e); i++)
				;
		} else {
			read_clock(e);
		}
		if (n > 0 && fds[1].revents)
			drain(e->a->wake_fd);
		if (n > 0 && fds[2].revents)
			look_for_signal(e);
		query_answer(e);
		timers(e);
	}
	return 0;
}

/* --- start and end -------------------------------------------------------- */

static int open_signals(struct engine *e, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	e->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return e->signal_fd < 0 ? err_sys(err, "signalfd") : 0;
}

static int allocate(struct engine *e, struct err *err)
{
	uint8_t *slots = e->a->guest->slots;

	e->storm = &e->lane->storm;
	e->flat = calloc(1, FLAT_MAX);
	if (!e->flat)
		return err_set(err, E_NOMEM, 0, "out of memory");
	for (size_t i = 0; i < ENGINE_BATCH; i++) {
		e->iov[i] = (struct iovec){slots + i * ENGINE_SLOT,
					   ENGINE_SLOT};
		e->msg[i].msg_hdr = (struct msghdr){.msg_iov = &e->iov[i],
						    .msg_iovlen = 1};
	}
	return 0;
}

/* A library that reads its configuration at first use does so now. */
static int touch_crypto(struct err *err)
{
	struct aes128 *a = aes128_new();

	if (!a)
		return err_set(err, E_NOMEM, 0, "AES");
	aes128_free(a);
	return 0;
}

static int enter(struct engine *e, struct err *err)
{
	struct sandbox_conf c = e->a->sandbox;
	int fds[FDS_MAX];

	if (c.n_fds >= FDS_MAX)
		return err_set(err, E_LIMIT, 0, "too many descriptors");
	for (size_t i = 0; i < c.n_fds; i++)
		fds[i] = c.fds[i];
	fds[c.n_fds++] = e->signal_fd;
	c.fds = fds;
	if (sandbox_check(SANDBOX_ENGINE, &c, err) < 0)
		return err->code;
	return sandbox_enter(SANDBOX_ENGINE, &c, err);
}

/* What a predecessor had at hand when it crashed is where it was received: the
 * first receive of ours comes later. */
static void look_for_poison(struct engine *e)
{
	struct lane *l = e->lane;
	struct nfq_walk w;
	struct nfq_packet p;
	struct poison_at at;
	uint32_t k = 0;

	if (poison_left(&l->poison, atomic_load(&l->crashes), &at) &&
	    at.slot < ENGINE_BATCH && at.n <= ENGINE_SLOT) {
		w.left = span_of(e->iov[at.slot].iov_base, at.n);
		while (nfq_next(&w, &p) && k < at.message)
			k++;
		if (k == at.message && p.octets.n) {
			poison_add(&l->poison, &l->poison_key, p.octets,
				   e->now.mono);
			log_warn(e->a->log, "guest %s: what is like the packet "
				 "that the last engine died of is dropped for "
				 "%lld s",
				 e->a->guest->name,
				 (long long)(POISON_NS / NS_PER_S));
		}
	}
	e->poison_ns = poison_until(&l->poison, e->now.mono);
}

/* Whatever opens files comes before the sandbox, whatever reads packets
 * behind it. */
static int start(struct engine *e, struct err *err)
{
	struct app_conf app = {.max_flows = e->a->conf->max_flows};
	struct sipkey key;
	int rc = open_signals(e, err);

	if (rc == 0)
		rc = allocate(e, err);
	if (rc == 0)
		rc = live_boot(e->boot, err);
	if (rc == 0)
		rc = touch_crypto(err);
	if (rc == 0 && e->a->conf->classify)
		rc = app_new(&e->app, &app, err);
	if (rc == 0)
		rc = policy_start(e, err);
	if (rc == 0) {
		e->now = live_next(&e->clock,
				  atomic_load(&e->a->control->clock_trusted));
		rc = policy_counters(e, err);
	}
	if (rc == 0)
		rc = engine_random(&key, sizeof(key), err);
	if (rc == 0)
		rc = engine_random(&e->hops.key, sizeof(e->hops.key), err);
	if (rc == 0)
		rc = enter(e, err);
	if (rc < 0)
		return rc;
	out_init(e, &key);
	if (e->lost && e->settled)
		out_lost(e);
	look_for_poison(e);
	return policy_pipeline(e, err);
}

/* Told to end: what is held is refused and told, and the counters are closed
 * so that the next start believes them. */
static void finish(struct engine *e)
{
	read_clock(e);
	pipeline_end(e->pipeline, e->now, &e->sink);
	out_end(e);
	status_write(e);
}

int engine_main(const struct engine_arg *a)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct err err;
	int rc;

	if (!e) {
		log_err(a->log, "out of memory");
		return 1;
	}
	e->a = a;
	e->lane = a->guest->lane;
	e->first_id = atomic_load(&e->lane->dead_id);
	if (start(e, &err) < 0) {
		log_err(a->log, "engine of %s: %s", a->guest->name, err.text);
		return 1; /* the process ends: nothing is left to free */
	}
	read_clock(e);
	timers(e); /* a guest that was frozen is, before its first packet */
	rc = loop(e);
	if (rc == 0)
		finish(e);
	policy_end(e);
	return rc; /* the process ends with it */
}
