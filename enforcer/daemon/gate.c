/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of one queue: copies verdicts out of the ring, checks their form,
 * and sends them, many in one call. It reads no packet.
 *
 * A message leaves the ring only after the kernel took it; so a gate that is
 * killed leaves to its successor what it had not sent, and at worst something
 * is sent twice: the kernel refuses the second verdict of a packet.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/daemon/craft.h"
#include "enforcer/daemon/form.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/processes.h"

#define IDLE_MS	    100
#define RETRY_MS    2
#define RETRY_MAX   1000 /* of one send; then something is really wrong */
#define BAD_LOG	    10	 /* lines a minute about malformed messages */

struct gate {
	const struct gate_arg *a;
	struct lane *lane;
	struct ring ring;
	struct form form; /* verdicts that wait to be sent */
	struct mono now;
	bool broken;	/* the ring; until its writer is replaced */
	bool deaf;	/* the kernel takes no verdicts */
	uint64_t sent;	/* messages of the ring since it was released */
	_Atomic uint32_t pause; /* futex word that nobody wakes */
	struct log_limit limit;
	union {
		struct lane_verdict v;
		uint8_t octets[VERDICT_MAX];
	} msg;
	uint8_t seg[ETH_HLEN + CRAFT_MAX];
};

void gate_poke(const struct guest_share *g)
{
	struct ring_shared *s = g->verdicts;

	ring_wake(&s->reader_sleeps);
}

static void beat(struct gate *g)
{
	g->now = live_mono();
	atomic_store_explicit(&g->lane->gate_beat, g->now.ns,
			      memory_order_relaxed);
}

static void count(_Atomic uint64_t *n, uint64_t by)
{
	/* Its only writer. */
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + by,
		memory_order_relaxed);
}

static void bad(struct gate *g, const char *what)
{
	uint32_t missed;

	/* The parent sets it back. */
	atomic_fetch_add(&g->lane->gate_bad, 1);
	if (log_allow(&g->limit, g->now, BAD_LOG, 60 * NS_PER_S, &missed))
		log_warn(g->a->log, "guest %s: a verdict that no engine sends: "
			 "%s (%u more not shown)",
			 g->a->guest->name, what, missed);
}

/* --- what the kernel is told ---------------------------------------------- */

/* The kernel carries verdicts out within the call, so there is no waiting for
 * it but when memory is short. */
static void send_form(struct gate *g, const struct msghdr *m)
{
	for (int tries = 0; m && !g->deaf; tries++) {
		if (sendmsg(g->a->queue_fd, m, 0) >= 0)
			return;
		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR &&
		    errno != ENOMEM)
			count(&g->lane->gate_errors, 1);
		if (tries == RETRY_MAX) {
			log_err(g->a->log, "guest %s: sending verdicts: %s",
				g->a->guest->name, strerror(errno));
			g->deaf = true;
		}
		beat(g);
		ring_drowse(&g->pause);
		ring_sleep(&g->pause, RETRY_MS);
	}
}

static void send_waiting(struct gate *g)
{
	send_form(g, form_shorts(&g->form));
	g->form.n = 0;
}

/* False: the kernel takes no verdicts. */
static bool flush(struct gate *g)
{
	send_waiting(g);
	if (g->deaf)
		return false;
	count(&g->lane->gate_sent, g->sent);
	g->sent = 0;
	ring_release(&g->ring);
	return true;
}

static void put(struct gate *g, uint32_t id, int verdict, const uint32_t *mark,
		struct span payload)
{
	uint8_t buf[FORM_LONG];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	nfq_put_verdict(&w, g->a->guest->queue, id, verdict, mark, payload);
	if (form_add(&g->form, wbuf_span(&w)))
		return;
	send_waiting(g);
	if (!form_add(&g->form, wbuf_span(&w)))
		send_form(g, form_long(&g->form, wbuf_span(&w)));
}

static void put_upto(struct gate *g, uint32_t id)
{
	uint8_t buf[FORM_UPTO];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	nfq_put_drop_upto(&w, g->a->guest->queue, id);
	send_waiting(g);
	send_form(g, form_upto(&g->form, wbuf_span(&w)));
}

/* --- segments of our own -------------------------------------------------- */

static bool is_uplink(const struct conf *c, const struct share_iface *f)
{
	for (size_t i = 0; i < c->n_uplinks; i++) {
		if (strncmp(c->uplink[i], f->name, sizeof(f->name)) == 0)
			return true;
	}
	return false;
}

/* A frame passes no rule. So it goes to the gate's own guest, or out by an
 * uplink's port; never by another guest's interface, whose queue would not see
 * it, nor by the bridge itself, which would bring it there. */
static bool may_frame(const struct gate *g, const struct share_iface *f)
{
	if (g->msg.v.seg.to_guest)
		return f->guest >= 0 &&
		       (size_t)f->guest == g->a->guest->machine;
	return f->guest < 0 && f->port && is_uplink(g->a->conf, f);
}

/* The interface that a frame goes out by: one that the parent knows; NULL:
 * none does, and what is to go goes by the routing table and the rules. */
static const struct share_iface *find_iface(const struct gate *g)
{
	const struct control *c = g->a->control;
	uint32_t n = c->n_ifaces;

	for (uint32_t i = 0; i < n && i < SHARE_IFACES; i++) {
		if (c->iface[i].index == g->msg.v.seg.ifindex)
			return may_frame(g, &c->iface[i]) ? &c->iface[i] :
							    NULL;
	}
	return NULL;
}

/* Bridged, this domain may have no route: straight to the next hop. */
static ssize_t send_frame(struct gate *g, const struct share_iface *out,
			  struct span packet, bool v4)
{
	const struct lane_verdict *v = &g->msg.v;
	struct wbuf w = wbuf_of(g->seg, sizeof(g->seg));
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)out->index,
				 .sll_halen = ETH_ALEN};

	to.sll_protocol = htons(v4 ? ETH_P_IP : ETH_P_IPV6);
	memcpy(to.sll_addr, v->seg.mac, ETH_ALEN);
	wbuf_put(&w, span_of(v->seg.mac, ETH_ALEN));
	wbuf_put(&w, span_of(out->mac, ETH_ALEN));
	wbuf_be(&w, v4 ? ETH_P_IP : ETH_P_IPV6, 2);
	/* The packet was built behind this header's place. */
	return sendto(g->a->packet_fd, g->seg, ETH_HLEN + packet.n,
		      MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
}

static ssize_t send_packet(struct gate *g, struct span packet, bool v4)
{
	const struct net_tuple *t = &g->msg.v.seg.tup;
	struct sockaddr_in to4 = {.sin_family = AF_INET};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};

	memcpy(&to4.sin_addr, t->dst.b + 12, 4);
	memcpy(&to6.sin6_addr, t->dst.b, 16);
	return v4 ? sendto(g->a->raw4_fd, packet.p, packet.n, MSG_DONTWAIT,
			   (const struct sockaddr *)&to4, sizeof(to4))
		  : sendto(g->a->raw6_fd, packet.p, packet.n, MSG_DONTWAIT,
			   (const struct sockaddr *)&to6, sizeof(to6));
}

/* One that is lost is like one lost on its way: it will be made again. */
static void craft(struct gate *g, struct span payload)
{
	const struct lane_verdict *v = &g->msg.v;
	struct wbuf w = wbuf_of(g->seg + ETH_HLEN, CRAFT_MAX);
	bool v4 = net_addr_is4(&v->seg.tup.src);
	const struct share_iface *out = NULL;
	ssize_t n;

	/* What the engine let go before goes before. */
	if (!flush(g))
		return;
	craft_segment(&w, v, payload);
	if (g->a->packet_fd >= 0 && v->seg.has_mac)
		out = find_iface(g);
	n = out ? send_frame(g, out, wbuf_span(&w), v4)
		: send_packet(g, wbuf_span(&w), v4);
	count(n < 0 ? &g->lane->gate_errors : &g->lane->gate_crafted, 1);
}

/* --- verdicts ------------------------------------------------------------- */

static void reset(struct gate *g)
{
	const struct lane_verdict *v = &g->msg.v;
	struct wbuf w = wbuf_of(g->seg, sizeof(g->seg));

	craft_segment(&w, v, (struct span){0});
	put(g, v->id, NFQ_ACCEPT, v->has_mark ? &v->mark : NULL, wbuf_span(&w));
	count(&g->lane->gate_crafted, 1);
}

/* A packet that is dropped takes its mark along. So the one that tells the
 * rules of a refused connection goes round again. */
static int verdict_of(const struct lane_verdict *v)
{
	if (v->kind == VK_PASS)
		return NFQ_ACCEPT;
	return v->has_mark && (v->mark & MARK_CLASS) == MARK_CLASS
		       ? NFQ_REPEAT
		       : NFQ_DROP;
}

/* Marked under a policy that is not in force any more: the packet goes where
 * it was sent, but its connection is not carried for that. */
static void unmark_old(const struct gate *g, struct lane_verdict *v)
{
	uint32_t now = atomic_load_explicit(&g->a->control->mark_generation,
					    memory_order_relaxed);

	if (v->has_mark && (v->mark & MARK_GENERATION) != now)
		v->has_mark = 0;
}

static void carry_out(struct gate *g, size_t n)
{
	struct lane_verdict *v = &g->msg.v;
	struct craft_for own = {g->a->guest->addr, g->a->guest->n_addr};
	const char *wrong = verdict_check(v, n, &own);

	g->sent++;
	if (wrong) {
		bad(g, wrong);
		if (n >= sizeof(v->id) && v->id != 0)
			put(g, v->id, NFQ_DROP, NULL, (struct span){0});
		return;
	}
	unmark_old(g, v);
	switch (v->kind) {
	case VK_PASS:
	case VK_DROP:
		put(g, v->id, verdict_of(v), v->has_mark ? &v->mark : NULL,
		    (struct span){0});
		break;
	case VK_RESET:
		reset(g);
		break;
	case VK_CRAFT:
		craft(g, span_of(g->msg.octets + sizeof(*v), v->payload));
		break;
	}
}

/* What is in the ring, as much as one send takes. False: the kernel takes no
 * verdicts. */
static bool take(struct gate *g)
{
	while (!g->broken && g->form.n < FORM_SHORTS) {
		int64_t n = ring_get(&g->ring, g->msg.octets,
				     sizeof(g->msg.octets));

		if (n == 0)
			break;
		if (n > 0) {
			carry_out(g, (size_t)n);
			continue;
		}
		g->broken = true;
		bad(g, "the ring is broken");
	}
	return flush(g);
}

/* Its writer is dead, so this ends; a ring's worth is the bound if it is
 * not. */
static bool take_rest(struct gate *g)
{
	for (uint32_t i = 0; i < VERDICT_RING / VERDICT_SHORT; i++) {
		if (!take(g))
			return false;
		if (g->broken || !ring_wait(&g->ring, 0))
			break;
	}
	return flush(g);
}

/* The parent saw an engine die: what that one published counts, everything
 * else it was given is dropped. In between the parent reads how much that is:
 * until it has, the kernel is told nothing. */
static bool drop_dead(struct gate *g)
{
	uint32_t asked = atomic_load(&g->lane->drop_asked);
	uint32_t id = atomic_load(&g->lane->dead_id);

	if (asked == atomic_load(&g->lane->drop_done))
		return true;
	if (asked != atomic_load(&g->lane->drop_sent)) {
		if (!take_rest(g))
			return false;
		atomic_store(&g->lane->drop_sent, asked);
	}
	if (asked != atomic_load(&g->lane->drop_counted))
		return true;
	if (id != 0)
		put_upto(g, id);
	if (!flush(g))
		return false;
	if (g->broken)
		ring_discard(&g->ring);
	g->broken = false;
	atomic_store(&g->lane->drop_done, asked);
	return true;
}

static void rest(struct gate *g)
{
	struct ring_shared *s = g->ring.s;

	if (!g->broken) {
		ring_wait(&g->ring, IDLE_MS);
		return;
	}
	/* Nothing more is read; the parent pokes the same word. */
	ring_drowse(&s->reader_sleeps);
	ring_sleep(&s->reader_sleeps, IDLE_MS);
}

static int loop(struct gate *g)
{
	for (;;) {
		beat(g);
		if (!drop_dead(g) || !take(g))
			return 1;
		rest(g);
	}
}

/* --- start ---------------------------------------------------------------- */

/* Nothing is allocated from here on: the sandbox lets nobody map memory. */
static int enter(struct gate *g, struct err *e)
{
	struct sandbox_conf c = g->a->sandbox;
	int rc = form_init(&g->form, g->a->guest->queue, e);

	if (rc < 0)
		return rc;
	c.form_fd = g->a->queue_fd;
	c.form = form_slots(&g->form);
	c.form_mask = FORM_MASK;
	rc = sandbox_check(SANDBOX_GATE, &c, e);
	return rc < 0 ? rc : sandbox_enter(SANDBOX_GATE, &c, e);
}

int gate_main(const struct gate_arg *a)
{
	struct gate *g = calloc(1, sizeof(*g));
	struct err e;

	if (!g) {
		log_err(a->log, "out of memory");
		return 1;
	}
	g->a = a;
	g->lane = a->guest->lane;
	ring_reader(&g->ring, a->guest->verdicts, VERDICT_RING);
	if (enter(g, &e) < 0) {
		log_err(a->log, "gate of %s: %s", a->guest->name, e.text);
		return 1;
	}
	/* Its memory goes with it. */
	return loop(g);
}
