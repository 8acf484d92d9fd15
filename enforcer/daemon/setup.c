/* SPDX-License-Identifier: Apache-2.0 */
/* What is opened and mapped before anything is forked, in an order that lets
 * nothing pass meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "enforcer/daemon/alone.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/offload.h"
#include "enforcer/daemon/cards.h"
#include "enforcer/daemon/offer.h"
#include "enforcer/daemon/parent.h"

#define PATH_TEXT (CONF_PATH + 80)
#define STATE_MIN ((size_t)256 << 10)
#define STATE_MORE 2 /* times the need: a reload may bring a bigger set */

/* Two daemons would write each other's files, and, in one network, replace each
 * other's rules. */
static int lock(struct parent *p, struct err *e)
{
	char path[PATH_TEXT];

	snprintf(path, sizeof(path), "%s/lock", p->conf->runtime);
	p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
			  0600);
	if (p->lock_fd < 0)
		return err_sys(e, "%s", path);
	if (flock(p->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, E_EXISTS, 0, "%s: another one is running",
			       path);
	return alone_take(&p->alone_fd, e);
}

/* --- rules --------------------------------------------------------------------------- */

void setup_rules(struct rules_conf *out, const struct conf *c,
		 const struct policies *from, uint32_t mark_generation)
{
	*out = (struct rules_conf){
		.guest = from->guest,
		.n_guests = from->n_guests,
		.n_uplinks = c->n_uplinks,
		.bridged = c->bridged,
		.offload = c->offload,
		.mark_generation = mark_generation,
	};
	memcpy(out->uplink, c->uplink, sizeof(out->uplink));
	memcpy(out->bound, offload_bound, sizeof(out->bound));
}

/* Another number with every start and every reload, so that no connection is
 * carried on the word of a daemon or a policy that is gone. Where the
 * file does not say which was the last one, it is any: the next after nothing
 * would be the same each time. */
int setup_generation(const struct parent *p, uint32_t *mark, struct err *e)
{
	char path[PATH_TEXT], text[16] = "", *end;
	unsigned long n;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/generation", p->conf->state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		  0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(e, E_STATE, 0,
			       "%s: is no regular file; take it away", path);
	}
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		goto sys;
	n = strtoul(text, &end, 10);
	if (end == text || strcmp(end, "\n") != 0) {
		if (text[0])
			log_warn(p->log, "%s: not a number; another is taken",
				 path);
		if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
			goto sys;
	}
	n = n % 255 + 1; /* 1..255 */
	snprintf(text, sizeof(text), "%lu\n", n);
	if (pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text) ||
	    ftruncate(fd, (off_t)strlen(text)) < 0 || fsync(fd) < 0)
		goto sys;
	close(fd);
	*mark = (uint32_t)n << 20;
	_Static_assert(MARK_GENERATION == 0xffu << 20, "another shift");
	return 0;
sys:
	err_sys(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return E_IO;
}

static int close_all(struct parent *p, struct err *e)
{
	uint32_t mark;
	int rc = 0;

	p->backend = p->conf->backend;
	if (p->backend == RULES_AUTO)
		rc = rules_choose(&p->backend, e);
	if (rc == 0)
		rc = setup_generation(p, &mark, e);
	if (rc < 0)
		return rc;
	setup_rules(&p->rules, p->conf, &p->policies, mark);
	rc = rules_check_host(&p->rules, e);
	if (rc < 0)
		return rc;
	rc = rules_close(p->backend, &p->rules, e);
	p->closed_rules = rc == 0;
	return rc;
}

/* --- shared memory ------------------------------------------------------------------- */

static int map_guest(struct parent *p, size_t i, size_t state, struct err *e)
{
	struct guest_share *s = &p->share[i];
	struct guest *g = &p->guest[i];
	size_t lane = area_round(sizeof(struct lane));
	size_t ring = area_round(ring_octets(VERDICT_RING));
	int rc = area_new(&g->lane, "lane",
			  lane + ring + area_round(ring_octets(EVENT_RING)), e);

	if (rc < 0)
		return rc;
	s->lane = (struct lane *)(void *)g->lane.p;
	s->verdicts = g->lane.p + lane;
	s->events = g->lane.p + lane + ring;
	rc = area_new(&g->slots, "slots", ENGINE_SLOTS, e);
	if (rc < 0)
		return rc;
	s->slots = g->slots.p;
	if (getrandom(&s->lane->poison_key, sizeof(s->lane->poison_key), 0) !=
	    (ssize_t)sizeof(s->lane->poison_key))
		return err_sys(e, "random numbers");
	return setup_guest_state(p, i, state, e);
}

static int map_all(struct parent *p, struct err *e)
{
	size_t state = STATE_MORE * pol_state_octets(p->policies.files.set);
	int rc = area_new(&p->control_area, "control", sizeof(*p->control), e);

	if (state < STATE_MIN)
		state = STATE_MIN;
	if (rc == 0)
		rc = area_new(&p->view_area, "view", sizeof(*p->view), e);
	if (rc == 0)
		rc = area_new(&p->window_area, "window", sizeof(*p->window), e);
	if (rc == 0)
		rc = area_new(&p->cards_area, "cards", sizeof(*p->cards), e);
	if (rc == 0)
		rc = area_new(&p->offer_area, "offer", sizeof(*p->offer), e);
	if (rc == 0)
		rc = area_new(&p->events_area, "events",
			      ring_octets(EVENT_RING), e);
	for (int h = 0; rc == 0 && h < 2; h++) {
		rc = area_new(&p->half_area[h], "policies", POLICY_HALF, e);
		p->half[h] = (struct policy_half *)(void *)p->half_area[h].p;
	}
	for (size_t i = 0; rc == 0 && i < p->n_guests; i++)
		rc = map_guest(p, i, state, e);
	if (rc == 0)
		rc = setup_ledger(p, state, e);
	if (rc < 0)
		return rc;
	/* Before any rule opens, and before there is an engine. */
	rc = frozen_read(&p->frozen, p->conf->state, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < p->n_guests; i++) {
		bool on = frozen_has(&p->frozen, p->share[i].name);

		atomic_store(&p->share[i].lane->frozen, on);
		if (on)
			log_warn(p->log, "%s: is frozen since an earlier run",
				 p->share[i].name);
	}
	p->control = (struct control *)(void *)p->control_area.p;
	p->view = (struct view *)(void *)p->view_area.p;
	p->window = (struct window *)(void *)p->window_area.p;
	p->cards = (struct cards *)(void *)p->cards_area.p;
	p->offer = (struct offer *)(void *)p->offer_area.p;
	atomic_store(&p->control->mark_generation, p->rules.mark_generation);
	ring_writer(&p->events, p->events_area.p, EVENT_RING);
	p->use = 0;
	p->generation = 1;
	atomic_store(&p->control->policy_generation, p->generation);
	rc = setup_cards(p, e);
	return rc < 0 ? rc
		      : policies_half(&p->policies, p->half[0], POLICY_HALF,
				      p->generation, e);
}

static const struct rules_guest *portal(const struct parent *p)
{
	for (size_t i = 0; i < p->policies.n_guests; i++) {
		if (strcmp(p->policies.guest[i].name, p->conf->portal) == 0)
			return &p->policies.guest[i];
	}
	return NULL;
}

int setup_cards(struct parent *p, struct err *e)
{
	const struct capture_policy *f = &p->policies.files;

	return cards_fill(p->cards, (const struct pol_image *const *)f->image,
			  f->n, p->generation, portal(p), e);
}

void setup_addresses(struct parent *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		const struct rules_guest *g = &p->policies.guest[i];

		memcpy(p->share[i].addr, g->addr,
		       g->n_addr * sizeof(g->addr[0]));
		p->share[i].n_addr = g->n_addr;
	}
}

static void guests(struct parent *p)
{
	p->n_guests = p->policies.n_guests;
	for (size_t i = 0; i < p->n_guests; i++) {
		const struct rules_guest *g = &p->policies.guest[i];
		struct guest_share *s = &p->share[i];

		snprintf(s->name, sizeof(s->name), "%s", g->name);
		s->machine = i;
		s->queue = g->queue;
		p->guest[i].gate = (struct child){CHILD_GATE, i, .pidfd = -1};
		p->guest[i].engine =
			(struct child){CHILD_ENGINE, i, .pidfd = -1};
	}
	setup_addresses(p);
}

/* --- sockets ---------------------------------------------------------------------------- */

static int queues(struct parent *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n_guests; i++) {
		struct nfq_conf q = {p->share[i].queue, p->conf->queue_len,
				     p->conf->socket_buffer};

		rc = nfq_bind(&p->guest[i].queue_fd, &q, e);
		if (rc < 0)
			return err_wrap(e, "guest %s, queue %u",
					p->share[i].name, p->share[i].queue);
		p->guest[i].wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (p->guest[i].wake_fd < 0)
			rc = err_sys(e, "eventfd");
	}
	return rc;
}

/* Segments that a gate makes: the whole header is ours, and the mark lets the
 * rules tell them from what a guest sent, and which gate it was: to another
 * guest they go through that one's queue. */
static int crafted(int family, size_t guest, struct err *e)
{
	uint32_t mark = MARK_GATE_OF(guest);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_RAW);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0) {
		err_sys(e, "raw socket of the gates");
		if (fd >= 0)
			close(fd);
		return E_IO;
	}
	return fd;
}

static int raw_sockets(struct parent *p, struct err *e)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		struct guest *g = &p->guest[i];

		g->raw4_fd = crafted(AF_INET, i, e);
		if (g->raw4_fd < 0)
			return g->raw4_fd;
		g->raw6_fd = crafted(AF_INET6, i, e);
		if (g->raw6_fd < 0)
			return g->raw6_fd;
	}
	if (!p->conf->bridged)
		return 0;
	/* Protocol 0: it receives nothing. */
	p->packet_fd = socket(AF_PACKET,
			      SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return p->packet_fd < 0 ? err_sys(e, "packet socket of the gates") : 0;
}

static int listen_unix(int *fd, const struct conf *c, const char *name,
		       gid_t gid, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", c->runtime,
			 name);

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_set(e, E_LIMIT, 0,
			       "runtime: %s is too long for a socket",
			       c->runtime);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return err_sys(e, "%s", a.sun_path);
	/* The lock says that nobody else listens there. */
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return err_sys(e, "%s", a.sun_path);
	if (fchmod(*fd, 0660) < 0 ||
	    bind(*fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(a.sun_path, 0660) < 0 ||
	    chown(a.sun_path, 0, gid) < 0 || listen(*fd, 8) < 0)
		return err_sys(e, "%s", a.sun_path);
	return 0;
}

static int listen_portal(struct parent *p, struct err *e)
{
	struct sockaddr_in a4 = {.sin_family = AF_INET};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
	const char *text = p->conf->listen;
	bool v4 = inet_pton(AF_INET, text, &a4.sin_addr) == 1;
	int on = 1;

	if (!text[0])
		return 0;
	a4.sin_port = a6.sin6_port = htons(p->conf->listen_port);
	if (!v4 && inet_pton(AF_INET6, text, &a6.sin6_addr) != 1)
		return err_set(e, E_SYNTAX, 0, "listen: %s", text);
	p->portal_fd = socket(v4 ? AF_INET : AF_INET6,
			      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->portal_fd < 0 ||
	    setsockopt(p->portal_fd, SOL_SOCKET, SO_REUSEADDR, &on,
		       sizeof(on)) < 0 ||
	    bind(p->portal_fd,
		 v4 ? (const struct sockaddr *)&a4
		    : (const struct sockaddr *)&a6,
		 v4 ? sizeof(a4) : sizeof(a6)) < 0 ||
	    listen(p->portal_fd, 64) < 0)
		return err_sys(e, "listen: %s port %u", text,
			       p->conf->listen_port);
	return 0;
}

static int signals(struct parent *p, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, "signals");
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd < 0 ? err_sys(e, "signals") : 0;
}

static int sockets(struct parent *p, struct err *e)
{
	int rc = queues(p, e);

	p->window_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rc == 0 && p->window_fd < 0)
		rc = err_sys(e, "eventfd");

	if (rc == 0)
		rc = raw_sockets(p, e);
	if (rc == 0)
		rc = listen_unix(&p->ctl_fd, p->conf, CTL_SOCKET,
				 p->conf->control_gid, e);
	if (rc == 0)
		rc = listen_unix(&p->panel_fd, p->conf, CTL_PANEL,
				 p->conf->panel_gid, e);
	if (rc == 0)
		rc = listen_unix(&p->operator_fd, p->conf, CTL_METRICS,
				 p->conf->control_gid, e);
	if (rc == 0)
		rc = listen_portal(p, e);
	return rc;
}

/* Scribe and attester come and go; what is between them stays. */
static int attester(struct parent *p, struct err *e)
{
	const struct timeval wait = {ATTESTER_WAIT_MS / 1000,
				     ATTESTER_WAIT_MS % 1000 * 1000};
	int rc = area_new(&p->attester_area, "attester",
			  sizeof(*p->attester_page), e);

	if (rc < 0)
		return rc;
	p->attester_page = (void *)p->attester_area.p;
	p->attester.beat = &p->attester_page->beat;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       p->attester_fd) ||
	    setsockopt(p->attester_fd[0], SOL_SOCKET, SO_RCVTIMEO, &wait,
		       sizeof(wait)) ||
	    setsockopt(p->attester_fd[0], SOL_SOCKET, SO_SNDTIMEO, &wait,
		       sizeof(wait)))
		return err_sys(e, "sockets of the attester");
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------- */

/* What takes more than its row was done: children are started from here. Tried
 * as theirs are; the user is of the process that is to be reached. */
static int close_parent(const struct parent *p, struct err *e)
{
	struct sandbox_conf c = {.uid = (uid_t)p->conf->uid_base,
				 .gid = (gid_t)p->conf->uid_base};
	int rc = sandbox_check(SANDBOX_PARENT, &c, e);

	return rc < 0 ? rc : sandbox_enter(SANDBOX_PARENT, &c, e);
}

int setup_all(struct parent *p, struct err *e)
{
	int rc;

	p->lock_fd = p->alone_fd = p->packet_fd = p->ledger.fd = -1;
	p->ledger_fd[0] = p->ledger_fd[1] = -1;
	p->signal_fd = p->ctl_fd = p->panel_fd = p->operator_fd = p->portal_fd = -1;
	p->window_fd = p->window_area.fd = -1;
	p->attester_fd[0] = p->attester_fd[1] = p->attester_area.fd = -1;
	p->attester = (struct child){CHILD_ATTESTER, 0, .pidfd = -1};
	p->scribe = (struct child){CHILD_SCRIBE, 0, .pidfd = -1};
	p->courier = (struct child){CHILD_COURIER, 0, .pidfd = -1};
	for (size_t i = 0; i < SHARE_GUESTS; i++) {
		p->guest[i].queue_fd = p->guest[i].wake_fd = -1;
		p->guest[i].raw4_fd = p->guest[i].raw6_fd = -1;
		p->guest[i].lane.fd = p->guest[i].state.fd = -1;
		p->guest[i].slots.fd = -1;
	}
	guests(p);
	rc = signals(p, e);
	if (rc == 0)
		rc = setup_directories(p->conf, e);
	if (rc == 0)
		rc = lock(p, e);
	if (rc == 0)
		rc = close_all(p, e);
	if (rc == 0)
		rc = map_all(p, e);
	if (rc == 0)
		rc = sockets(p, e);
	if (rc == 0 && p->conf->tpm[0])
		rc = attester(p, e);
	if (rc == 0)
		rc = ifaces_open(&p->ifaces, e);
	if (rc == 0)
		rc = counts_new(&p->drops, e);
	if (rc == 0)
		rc = ctl_open(&p->ctl, p, e);
	if (rc < 0)
		return rc;
	p->scribe.beat = &p->control->scribe_beat;
	p->courier.beat = &p->control->courier_beat;
	for (size_t i = 0; i < p->n_guests; i++) {
		p->guest[i].gate.beat = &p->share[i].lane->gate_beat;
		p->guest[i].engine.beat = &p->share[i].lane->engine_beat;
	}
	if (getrandom(p->boot_key, sizeof(p->boot_key), 0) !=
	    (ssize_t)sizeof(p->boot_key))
		return err_sys(e, "random numbers");
	ifaces_update(p->ifaces, p->control, p->policies.guest, p->n_guests);
	return close_parent(p, e);
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void setup_undo(struct parent *p)
{
	char path[PATH_TEXT];

	/* No engine ever began them. */
	if (p->started.ns == 0)
		setup_forget_states(p);
	ctl_free(p->ctl);
	counts_free(p->drops);
	ifaces_close(p->ifaces);
	for (size_t i = 0; i < p->n_guests; i++) {
		shut(&p->guest[i].queue_fd);
		shut(&p->guest[i].wake_fd);
		shut(&p->guest[i].raw4_fd);
		shut(&p->guest[i].raw6_fd);
		area_drop(&p->guest[i].lane);
		area_drop(&p->guest[i].state);
		area_drop(&p->guest[i].slots);
	}
	area_drop(&p->ledger);
	shut(&p->ledger_fd[0]);
	shut(&p->ledger_fd[1]);
	area_drop(&p->cards_area);
	area_drop(&p->offer_area);
	area_drop(&p->half_area[0]);
	area_drop(&p->half_area[1]);
	area_drop(&p->events_area);
	area_drop(&p->view_area);
	area_drop(&p->window_area);
	area_drop(&p->control_area);
	if (p->ctl_fd >= 0) {
		snprintf(path, sizeof(path), "%s/%s", p->conf->runtime,
			 CTL_SOCKET);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", p->conf->runtime,
			 CTL_PANEL);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%s", p->conf->runtime,
			 CTL_METRICS);
		unlink(path);
	}
	shut(&p->packet_fd);
	shut(&p->signal_fd);
	shut(&p->ctl_fd);
	shut(&p->panel_fd);
	shut(&p->operator_fd);
	shut(&p->window_fd);
	shut(&p->attester_fd[0]);
	shut(&p->attester_fd[1]);
	area_drop(&p->attester_area);
	shut(&p->portal_fd);
	shut(&p->alone_fd);
	shut(&p->lock_fd);
}
