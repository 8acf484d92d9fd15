/* SPDX-License-Identifier: Apache-2.0 */
/* The whole engine in a process of its own, in its sandbox: verdicts, events
 * and answers for what comes on its queue. A pair of sockets stands for the
 * kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/capture_policy.h"
#include "enforcer/daemon/craft.h"
#include "enforcer/daemon/flat.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/metrics.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/pipeline/packet.h"

#define POLICIES "enforcer/daemon/testdata/engine"
#define PATIENCE 20000 /* ms; what takes longer has failed */
#define UID	 59241
#define VIF	 5
#define UPLINK	 6

struct scene {
	struct guest_share guest;
	struct control *control;
	struct policy_half *half[2];
	struct capture_policy files;
	struct conf conf;
	struct ring verdicts, events; /* gate's and scribe's sides */
	int kernel, queue, wake;
	pid_t pid;
	bool keep; /* events stay in their ring */
	bool full_is_ok, full; /* a queue that takes no more */
	uint64_t n_events;
	struct mono first, last; /* of those that the last event counts */
};

#define UNTIL(x)                                                               \
	for (int _i = 0; !(x); _i++) {                                         \
		assert_true(_i < PATIENCE);                                    \
		usleep(1000);                                                  \
	}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

/* --- the parent's part ---------------------------------------------------- */

static void fill_half(struct policy_half *h, const struct capture_policy *p,
		      uint32_t generation)
{
	uint32_t at = 0;

	h->generation = generation;
	h->n_images = (uint32_t)p->n;
	for (size_t i = 0; i < p->n; i++) {
		h->image[i].at = at;
		h->image[i].n = (uint32_t)p->n_octets[i];
		memcpy(h->octets + at, p->octets[i], p->n_octets[i]);
		at = (at + h->image[i].n + 7) & ~7u;
	}
}

static void start(struct scene *s)
{
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		struct log log = log_init("engine_test", LOG_LEVEL_ERR, false);
		int fds[] = {s->queue, s->wake};
		struct engine_arg a = {
			.log = &log,
			.conf = &s->conf,
			.guest = &s->guest,
			.control = s->control,
			.half = {s->half[0], s->half[1]},
			.queue_fd = s->queue,
			.wake_fd = s->wake,
			.sandbox = {.uid = UID, .gid = UID, .fds = fds,
				    .n_fds = 2},
		};

		/* Before an _exit the sanitizer asks for the signal stack,
		 * with a call that is in no sandbox. */
		syscall(SYS_exit_group, engine_main(&a));
	}
	UNTIL(atomic_load(&s->guest.lane->engine_beat) != 0);
}

static int end(struct scene *s, int sig)
{
	int status;

	kill(s->pid, sig);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	atomic_store(&s->guest.lane->engine_beat, 0);
	return status;
}

static void set_up(struct scene *s)
{
	struct pol_machine m;
	struct err e;
	int pair[2];

	*s = (struct scene){.conf = {.max_flows = 256, .max_held = 64,
				     .min_ttl = 1, .cpu = -1}};
	if (capture_policy_load(&s->files, POLICIES, &e) < 0)
		fail_msg("%s", e.text);
	strcpy(s->guest.name, "mdma");
	pol_set_machine(s->files.set, 0, &m);
	s->guest.addr[0] = m.addr[0];
	s->guest.n_addr = 1;
	s->guest.lane = shared(sizeof(struct lane));
	s->guest.verdicts = shared(ring_octets(VERDICT_RING));
	s->guest.events = shared(ring_octets(EVENT_RING));
	s->guest.slots = shared(ENGINE_SLOTS);
	s->guest.state_octets = 4 * pol_state_octets(s->files.set);
	s->guest.state = shared(s->guest.state_octets);
	s->control = shared(sizeof(struct control));
	s->control->clock_trusted = 1;
	s->control->mark_generation = 0x00100000;
	s->control->n_ifaces = 2;
	s->control->iface[0] = (struct share_iface){VIF, "vif1.0", 0, {0}, false};
	s->control->iface[1] = (struct share_iface){UPLINK, "up0", -1, {0}, false};
	atomic_store(&s->control->ifaces_seq, 2);
	for (int i = 0; i < 2; i++) {
		s->half[i] = shared(POLICY_HALF);
		fill_half(s->half[i], &s->files, (uint32_t)i + 1);
	}
	ring_reader(&s->verdicts, s->guest.verdicts, VERDICT_RING);
	ring_reader(&s->events, s->guest.events, EVENT_RING);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	s->kernel = pair[0];
	s->queue = pair[1];
	s->wake = eventfd(0, EFD_NONBLOCK);
}

static void tear_down(struct scene *s)
{
	end(s, SIGKILL);
	close(s->kernel);
	close(s->queue);
	close(s->wake);
	munmap(s->guest.lane, sizeof(struct lane));
	munmap(s->guest.verdicts, ring_octets(VERDICT_RING));
	munmap(s->guest.events, ring_octets(EVENT_RING));
	munmap(s->guest.slots, ENGINE_SLOTS);
	munmap(s->guest.state, s->guest.state_octets);
	munmap(s->control, sizeof(struct control));
	munmap(s->half[0], POLICY_HALF);
	munmap(s->half[1], POLICY_HALF);
	capture_policy_free(&s->files);
}

static int ask(struct scene *s, uint32_t kind, uint32_t arg)
{
	struct lane_query *q = &s->guest.lane->query;
	uint32_t n = atomic_load(&q->asked) + 1;
	uint64_t one = 1;

	q->kind = kind;
	q->arg = arg;
	atomic_store(&q->asked, n);
	assert_int_equal(write(s->wake, &one, sizeof(one)), sizeof(one));
	UNTIL(atomic_load(&q->answered) == n);
	return q->rc;
}

/* --- the kernel's part ---------------------------------------------------- */

static void attr(struct wbuf *w, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = {(uint16_t)(sizeof(a) + n), type};

	wbuf_put(w, span_of(&a, sizeof(a)));
	wbuf_put(w, span_of(p, n));
	while (w->n % 4)
		wbuf_u8(w, 0);
}

static void queue(struct scene *s, uint32_t id, uint32_t indev, uint32_t info,
		  struct span packet)
{
	uint8_t buf[4096];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct nlmsghdr h = {.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 |
					   NFQNL_MSG_PACKET};
	struct nfgenmsg g = {AF_INET, NFNETLINK_V0, 0};
	struct nfqnl_msg_packet_hdr p = {htonl(id), htons(0x0800), 2};
	uint32_t n = htonl(indev), i = htonl(info), len;

	wbuf_put(&w, span_of(&h, sizeof(h)));
	wbuf_put(&w, span_of(&g, sizeof(g)));
	attr(&w, NFQA_PACKET_HDR, &p, sizeof(p));
	if (indev)
		attr(&w, NFQA_IFINDEX_INDEV, &n, sizeof(n));
	attr(&w, NFQA_SKB_INFO, &i, sizeof(i));
	attr(&w, NFQA_PAYLOAD, packet.p, packet.n);
	assert_false(w.failed);
	len = (uint32_t)w.n;
	memcpy(buf, &len, 4);
	s->full = send(s->kernel, buf, w.n, s->full_is_ok ? MSG_DONTWAIT : 0) <
		  0;
	assert_true(!s->full || s->full_is_ok);
}

#define GUEST 0x0a14000au
#define FAR   0x0a140001u

static struct span ip4(uint8_t *buf, size_t cap, uint32_t src, uint32_t dst,
		       uint8_t proto, struct span body)
{
	struct wbuf w = wbuf_of(buf, cap);
	uint16_t sum;

	wbuf_be(&w, 0x4500, 2);
	wbuf_be(&w, 20 + body.n, 2);
	wbuf_be(&w, 0x00004000, 4);
	wbuf_u8(&w, 64);
	wbuf_u8(&w, proto);
	wbuf_be(&w, 0, 2);
	wbuf_be(&w, src, 4);
	wbuf_be(&w, dst, 4);
	sum = (uint16_t)~span_sum16(wbuf_span(&w));
	buf[10] = (uint8_t)(sum >> 8);
	buf[11] = (uint8_t)sum;
	wbuf_put(&w, body);
	assert_false(w.failed);
	return wbuf_span(&w);
}

/* A checksum that is wrong, for which it may be said to be unfinished. */
static void udp_of(struct scene *s, uint32_t id, uint16_t from, uint16_t port,
		   uint32_t info, const char *text)
{
	uint8_t body[64], buf[128];
	struct wbuf w = wbuf_of(body, sizeof(body));

	wbuf_be(&w, from, 2);
	wbuf_be(&w, port, 2);
	wbuf_be(&w, 8 + strlen(text), 2);
	wbuf_be(&w, 0x1234, 2);
	wbuf_put(&w, span_str(text));
	queue(s, id, VIF, info,
	      ip4(buf, sizeof(buf), GUEST, FAR, 17, wbuf_span(&w)));
}

static void udp(struct scene *s, uint32_t id, uint16_t port, uint32_t info)
{
	udp_of(s, id, 40000, port, info, "sealed");
}

static void tcp(struct scene *s, uint32_t id, bool out, uint16_t port,
		uint32_t seq, uint32_t ack, uint8_t flags, const char *data,
		uint32_t info)
{
	uint8_t body[256], buf[512];
	struct wbuf w = wbuf_of(body, sizeof(body));

	wbuf_be(&w, out ? 41000 : port, 2);
	wbuf_be(&w, out ? port : 41000, 2);
	wbuf_be(&w, seq, 4);
	wbuf_be(&w, ack, 4);
	wbuf_u8(&w, 0x50);
	wbuf_u8(&w, flags);
	wbuf_be(&w, 0xffff, 2);
	wbuf_be(&w, 0, 4);
	wbuf_put(&w, span_str(data));
	queue(s, id, out ? VIF : UPLINK, info,
	      ip4(buf, sizeof(buf), out ? GUEST : FAR, out ? FAR : GUEST, 6,
		  wbuf_span(&w)));
}

/* --- gate's and scribe's part --------------------------------------------- */

static void take_events(struct scene *s)
{
	static uint8_t buf[FLAT_MAX];
	static struct obs leaves[FLAT_LEAVES];
	struct flat_event f = {.leaves = leaves};
	struct err e;
	int64_t n;

	while ((n = ring_get(&s->events, buf, sizeof(buf))) > 0) {
		if (flat_read(&f, span_of(buf, (size_t)n), &e) < 0)
			fail_msg("an event: %s", e.text);
		assert_true(span_is(f.ev.guest, "mdma") ||
			    f.ev.guest.n == 0);
		s->n_events++;
		s->first = f.ev.first;
		s->last = f.ev.last;
	}
	assert_int_equal(n, 0);
	if (!s->keep)
		ring_release(&s->events);
}

/* The next verdicts as text: "pass 1 drop 2 reset 3 craft". */
static void expect(struct scene *s, const char *want)
{
	char got[1024] = "";
	union {
		struct lane_verdict v;
		uint8_t octets[VERDICT_MAX];
	} m;
	static const char *const names[] = {"?", "pass", "drop", "reset",
					    "craft"};
	struct craft_for own = {s->guest.addr, s->guest.n_addr};
	size_t at = 0;

	for (int i = 0; at < strlen(want); i++) {
		int64_t n;

		if (!ring_wait(&s->verdicts, PATIENCE))
			break;
		n = ring_get(&s->verdicts, m.octets, sizeof(m.octets));
		assert_true(n > 0);
		assert_null(verdict_check(&m.v, (size_t)n, &own));
		at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%s",
				       at ? " " : "", names[m.v.kind]);
		if (m.v.id)
			at += (size_t)snprintf(got + at, sizeof(got) - at,
					       " %u", m.v.id);
		ring_release(&s->verdicts);
	}
	assert_string_equal(got, want);
}

static bool quiet(struct scene *s, int ms)
{
	return !ring_wait(&s->verdicts, ms);
}

/* --- rows ----------------------------------------------------------------- */

#define UNFINISHED NFQA_SKB_CSUMNOTREADY

static void packets_are_judged(void **state)
{
	struct scene s;
	uint64_t before;

	(void)state;
	set_up(&s);
	start(&s);
	udp(&s, 1, 9000, UNFINISHED);
	expect(&s, "pass 1");
	/* Its events were there first. */
	take_events(&s);
	assert_true(s.n_events >= 2); /* the flow, the decision */
	before = s.n_events;
	udp(&s, 2, 9999, UNFINISHED); /* nobody's port */
	udp(&s, 3, 9000, 0);	      /* its checksum is wrong */
	udp(&s, 4, 9000, NFQA_SKB_CSUM_NOTVERIFIED);
	udp(&s, 5, 9000, UNFINISHED);
	expect(&s, "drop 2 drop 3 drop 4 pass 5");
	take_events(&s);
	assert_true(s.n_events >= before + 3); /* equal ones may be merged */
	tear_down(&s);
}

static void the_interface_tells_whose_it_is(void **state)
{
	static const struct {
		const char *why;
		uint32_t indev;
		const char *want;
	} rows[] = {
		{"the guest's own",	       VIF,    "pass 1"},
		{"another's",		       UPLINK, "drop 2"},
		{"one that is not known",      99,     "drop 3"},
		{"none: this domain itself",   0,      "drop 4"},
	};
	uint8_t body[64], buf[128];
	struct wbuf w = wbuf_of(body, sizeof(body));
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	wbuf_be(&w, 40000, 2);
	wbuf_be(&w, 9000, 2);
	wbuf_be(&w, 8, 2);
	wbuf_be(&w, 0, 2);
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		queue(&s, i + 1, rows[i].indev, UNFINISHED,
		      ip4(buf, sizeof(buf), GUEST, FAR, 17, wbuf_span(&w)));
		expect(&s, rows[i].want);
	}
	tear_down(&s);
}

static void a_refusal_resets_both_ends(void **state)
{
	/* The same with a super-packet, which cannot be made a reset of. */
	static const struct {
		uint32_t info;
		const char *want;
	} rows[] = {
		{UNFINISHED,		      "reset 4 craft"	   },
		{UNFINISHED | NFQA_SKB_GSO,   "drop 4 craft craft"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene s;

		set_up(&s);
		start(&s);
		tcp(&s, 1, true, 1153, 1000, 0, TCP_SYN, "", UNFINISHED);
		tcp(&s, 2, false, 1153, 5000, 1001, TCP_SYN | TCP_ACK, "",
		    UNFINISHED);
		tcp(&s, 3, true, 1153, 1001, 5001, TCP_ACK, "", UNFINISHED);
		expect(&s, "pass 1 pass 2 pass 3");
		tcp(&s, 4, true, 1153, 1001, 5001, TCP_ACK | TCP_PSH,
		    "\x61no C12.22 message begins so", rows[i].info);
		expect(&s, rows[i].want);
		tear_down(&s);
	}
}

static void a_held_unit_is_acknowledged(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	tcp(&s, 1, true, 1153, 1000, 0, TCP_SYN, "", UNFINISHED);
	tcp(&s, 2, false, 1153, 5000, 1001, TCP_SYN | TCP_ACK, "", UNFINISHED);
	tcp(&s, 3, true, 1153, 1001, 5001, TCP_ACK, "", UNFINISHED);
	expect(&s, "pass 1 pass 2 pass 3");
	/* The start of a message, and nothing more for a while. */
	tcp(&s, 4, true, 1153, 1001, 5001, TCP_ACK | TCP_PSH, "\x60\x40\xa2",
	    UNFINISHED);
	expect(&s, "craft");
	assert_int_equal(ask(&s, QUERY_FLOWS, 0), 0);
	assert_int_equal(s.guest.lane->query.n, sizeof(struct flow_line));
	/* Told to end: what is held is refused and told, and then it goes. */
	take_events(&s);
	s.n_events = 0;
	assert_int_equal(end(&s, SIGTERM), 0);
	expect(&s, "drop 4");
	take_events(&s);
	assert_true(s.n_events >= 2); /* the drop, the end of the flow */
	start(&s);
	tear_down(&s);
}

static void what_a_predecessor_had_is_not_touched(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s);
	/* Numbers wrap, and are compared as they do. */
	atomic_store(&s.guest.lane->dead_id, 0xfffffffe);
	start(&s);
	udp(&s, 0xfffffff0, 9000, UNFINISHED);
	udp(&s, 0xfffffffe, 9000, UNFINISHED);
	udp(&s, 0xffffffff, 9000, UNFINISHED);
	udp(&s, 1, 9000, UNFINISHED);
	udp(&s, 0x80000001, 9000, UNFINISHED); /* half a turn later */
	expect(&s, "pass 4294967295 pass 1 pass 2147483649");
	tear_down(&s);
}

static void what_is_no_packet_is_passed_over(void **state)
{
	static const uint8_t error[36] = {36, 0, 0, 0, 2};
	static const uint8_t junk[] = {255, 255, 255, 255, 0, 3, 1, 2, 3};
	struct lane_status st;
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	assert_int_equal(send(s.kernel, error, sizeof(error), 0),
			 sizeof(error));
	assert_int_equal(send(s.kernel, junk, sizeof(junk), 0), sizeof(junk));
	assert_int_equal(send(s.kernel, junk, 1, 0), 1);
	/* A packet without octets can only be dropped. */
	queue(&s, 7, VIF, 0, (struct span){0});
	udp(&s, 9, 9000, UNFINISHED); /* 8 found no room */
	expect(&s, "drop 7 pass 9");
	assert_int_equal(ask(&s, QUERY_CANARY, 0), 0);
	assert_true(lane_status_read(&st, s.guest.lane));
	assert_int_equal(st.netlink_errors, 1);
	assert_int_equal(st.socket_overruns, 1);
	assert_int_equal(st.packets, 2);
	assert_int_equal(st.passed, 1);
	assert_int_equal(st.dropped, 1);
	assert_int_equal(st.generation, 1);
	tear_down(&s);
}

/* Nobody reads its events: it passes what it could record and not one packet
 * more, still answers, and goes on when there is room. */
/* Until there is no room for events and the engine waits in the middle of a
 * packet. */
static void send_until_stuck(struct scene *s, uint32_t *sent, uint32_t *passed)
{
	for (bool stuck = false; !stuck;) {
		for (int i = 0; i < 32; i++)
			udp(s, ++*sent, 9000, UNFINISHED);
		while (*passed < *sent && !stuck) {
			uint8_t buf[VERDICT_MAX];

			stuck = !ring_wait(&s->verdicts, 1000);
			if (!stuck && ring_get(&s->verdicts, buf,
					       sizeof(buf)) > 0)
				++*passed;
			ring_release(&s->verdicts);
		}
		assert_true(*sent < 100000);
	}
}

static void without_room_for_events_nothing_passes(void **state)
{
	struct lane_status st;
	uint32_t sent = 0, passed = 0;
	struct scene s;

	(void)state;
	set_up(&s);
	s.keep = true;
	start(&s);
	send_until_stuck(&s, &sent, &passed);
	assert_true(passed > 1000 && passed < sent);
	take_events(&s);
	/* A decision each, and the start of the flow. */
	assert_true(s.n_events >= passed + 1);
	assert_int_equal(ask(&s, QUERY_CANARY, 0), 0);
	s.keep = false;
	ring_release(&s.events);
	while (passed < sent) {
		uint8_t buf[VERDICT_MAX];

		assert_true(ring_wait(&s.verdicts, PATIENCE));
		if (ring_get(&s.verdicts, buf, sizeof(buf)) > 0)
			passed++;
		ring_release(&s.verdicts);
		take_events(&s);
	}
	assert_int_equal(ask(&s, QUERY_CANARY, 0), 0);
	assert_true(lane_status_read(&st, s.guest.lane));
	assert_true(st.audit_waits > 0);
	assert_int_equal(st.passed, sent);
	take_events(&s);
	assert_true(s.n_events >= sent + 1);
	tear_down(&s);
}

static void told_to_end_while_it_waits_it_passes_nothing(void **state)
{
	struct scene s;
	uint32_t sent = 0;
	uint8_t buf[VERDICT_MAX];
	int64_t n;

	(void)state;
	set_up(&s);
	s.keep = true;
	start(&s);
	s.full_is_ok = true;
	while (!s.full || ring_wait(&s.verdicts, 500)) {
		udp(&s, ++sent, 9000, UNFINISHED);
		while (ring_get(&s.verdicts, buf, sizeof(buf)) > 0)
			;
		ring_release(&s.verdicts);
		assert_true(sent < 100000);
	}
	assert_int_equal(end(&s, SIGTERM), 0);
	while ((n = ring_get(&s.verdicts, buf, sizeof(buf))) > 0) {
		struct lane_verdict v;

		memcpy(&v, buf, VERDICT_SHORT);
		if (v.kind == VK_PASS)
			continue;
		assert_int_equal(v.kind, VK_DROP);
	}
	take_events(&s);
	start(&s);
	tear_down(&s);
}

static uint64_t sealed_used(struct scene *s)
{
	const struct lane_query *q = &s->guest.lane->query;

	assert_int_equal(ask(s, QUERY_BUDGETS, 0), 0);
	assert_int_equal(q->n % sizeof(struct budget_line), 0);
	for (size_t i = 0; i < q->n / sizeof(struct budget_line); i++) {
		struct budget_line b;

		memcpy(&b, q->reply + i * sizeof(b), sizeof(b));
		if (strstr(b.name, "sealed-out") &&
		    strcmp(b.party, "sealed") == 0)
			return b.used;
	}
	fail_msg("no budget of sealed-out among %u octets", q->n);
	return 0;
}

static void budgets_outlive_everything(void **state)
{
	uint64_t used, more;
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	for (uint32_t id = 1; id <= 10; id++)
		udp(&s, id, 9000, UNFINISHED);
	expect(&s, "pass 1 pass 2 pass 3 pass 4 pass 5 pass 6 pass 7 pass 8 "
		   "pass 9 pass 10");
	used = sealed_used(&s);
	assert_true(used >= 60);
	end(&s, SIGKILL);
	start(&s);
	more = sealed_used(&s);
	assert_true(more >= used);
	assert_int_equal(end(&s, SIGTERM), 0);
	start(&s);
	assert_int_equal(sealed_used(&s), more);
	/* A reload carries them. */
	assert_int_equal(ask(&s, QUERY_POLICY, 1), 0);
	assert_int_equal(sealed_used(&s), more);
	udp(&s, 11, 9000, UNFINISHED);
	expect(&s, "pass 11");
	assert_true(sealed_used(&s) > more);
	tear_down(&s);
}

static void break_image(struct policy_half *h)
{
	h->octets[h->image[0].at + h->image[0].n / 2] ^= 1;
}

static void point_outside(struct policy_half *h)
{
	h->image[0].at = POLICY_HALF - 8;
}

static void point_oddly(struct policy_half *h)
{
	h->image[0].at += 4;
}

static void claim_many(struct policy_half *h)
{
	h->n_images = 1000;
}

static void leave_out(struct policy_half *h)
{
	h->n_images = 0;
}

static void break_keys(struct policy_half *h)
{
	h->keys.at = h->image[0].at;
	h->keys.n = 64;
}

static void a_bad_set_changes_nothing(void **state)
{
	static const struct {
		const char *why;
		void (*spoil)(struct policy_half *h);
		int want;
	} rows[] = {
		{"an octet of an image changed", break_image,	E_INTEGRITY},
		{"an image outside the area",	 point_outside, E_INTEGRITY},
		{"an image at an odd place",	 point_oddly,	E_INTEGRITY},
		{"more images than there can be", claim_many,	E_LIMIT	   },
		{"no images",			 leave_out,	0	   },
		{"keys that are none",		 break_keys,	0	   },
	};
	struct lane_status st;
	struct scene s;
	uint32_t id = 0;

	(void)state;
	set_up(&s);
	start(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct lane_query *q = &s.guest.lane->query;
		char want[32];
		int rc;

		fill_half(s.half[1], &s.files, 2);
		rows[i].spoil(s.half[1]);
		rc = ask(&s, QUERY_POLICY, 1);
		if (rc >= 0 || (rows[i].want && rc != rows[i].want) ||
		    q->n == 0)
			fail_msg("%s: %d %.*s", rows[i].why, rc, (int)q->n,
				 (const char *)q->reply);
		udp(&s, ++id, 9000, UNFINISHED);
		snprintf(want, sizeof(want), "pass %u", id);
		expect(&s, want);
		assert_true(lane_status_read(&st, s.guest.lane));
		assert_int_equal(st.generation, 1);
	}
	assert_true(ask(&s, QUERY_POLICY, 2) < 0); /* no such half */
	memset(&s.half[1]->keys, 0, sizeof(s.half[1]->keys));
	fill_half(s.half[1], &s.files, 9);
	assert_int_equal(ask(&s, QUERY_POLICY, 1), 0);
	assert_true(lane_status_read(&st, s.guest.lane));
	assert_int_equal(st.generation, 9);
	tear_down(&s);
}

static void frozen_is_frozen_for_its_successor_too(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	assert_true(ask(&s, 77, 0) < 0);
	assert_true(ask(&s, 0, 0) < 0);
	atomic_store(&s.guest.lane->frozen, 1);
	assert_int_equal(ask(&s, QUERY_FREEZE, 1), 0);
	udp(&s, 1, 9000, UNFINISHED);
	expect(&s, "drop 1");
	end(&s, SIGKILL);
	start(&s);
	udp(&s, 2, 9000, UNFINISHED);
	expect(&s, "drop 2");
	atomic_store(&s.guest.lane->frozen, 0);
	assert_int_equal(ask(&s, QUERY_FREEZE, 0), 0);
	udp(&s, 3, 9000, UNFINISHED);
	expect(&s, "pass 3");
	assert_true(quiet(&s, 50));
	tear_down(&s);
}

/* What was dropped meanwhile is told as one sum, when it can be. */
static void nothing_passes_unrecorded(void **state)
{
	struct scene s;
	uint64_t before;
	int64_t from;

	(void)state;
	set_up(&s);
	start(&s);
	udp(&s, 1, 9000, UNFINISHED);
	expect(&s, "pass 1");
	assert_true(quiet(&s, 50));
	from = live_mono().ns;
	atomic_store(&s.control->audit_closed, 1);
	take_events(&s);
	before = s.n_events;
	udp(&s, 2, 9000, UNFINISHED);
	udp(&s, 3, 9000, UNFINISHED);
	expect(&s, "drop 2 drop 3");
	assert_true(quiet(&s, 50));
	take_events(&s);
	assert_int_equal(s.n_events, before);
	atomic_store(&s.control->audit_closed, 0);
	UNTIL(s.guest.lane->status.drops[REASON_AUDIT_CLOSED] == 2);
	assert_true(quiet(&s, 400)); /* it looks at least so often */
	take_events(&s);
	assert_int_equal(s.n_events, before + 1);
	assert_true(s.first.ns >= from);
	assert_true(s.last.ns >= s.first.ns);
	udp(&s, 4, 9000, UNFINISHED);
	expect(&s, "pass 4");
	tear_down(&s);
}

/* A scribe that hangs: nobody reads the events, and no word is said. */
static void nor_when_nothing_becomes_durable(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	udp(&s, 1, 9000, UNFINISHED);
	expect(&s, "pass 1");
	usleep(AUDIT_LATE_NS / 1000 + 300000);
	udp(&s, 2, 9000, UNFINISHED);
	expect(&s, "drop 2");
	take_events(&s);
	assert_true(quiet(&s, 600));
	udp(&s, 3, 9000, UNFINISHED);
	expect(&s, "pass 3");
	tear_down(&s);
}

/* An engine that ends by a signal of its own fault, with a packet at hand, or
 * by somebody's KILL. Then: the same again, the same from another port, the
 * same connection with other content, and others. */
static void what_it_died_of_is_dropped(void **state)
{
	static const struct {
		const char *why;
		uint32_t crashes; /* as the parent counts */
		const char *want;
	} rows[] = {
		{"crashed", 1, "drop 200001 drop 200002 drop 200003 pass 200004"},
		{"killed",  0, "pass 200001 pass 200002 pass 200003 pass 200004"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t sent = 0, passed = 0;
		struct scene s;

		set_up(&s);
		s.keep = true;
		start(&s);
		send_until_stuck(&s, &sent, &passed);
		end(&s, SIGKILL);
		s.keep = false;
		take_events(&s);
		ring_discard(&s.verdicts);
		/* As the parent and the gate leave it. */
		atomic_store(&s.guest.lane->dead_id, sent);
		atomic_store(&s.guest.lane->crashes, rows[i].crashes);
		start(&s);
		udp(&s, 200001, 9000, UNFINISHED);
		udp_of(&s, 200002, 40001, 9000, UNFINISHED, "sealed");
		udp_of(&s, 200003, 40000, 9000, UNFINISHED, "other");
		udp_of(&s, 200004, 40002, 9000, UNFINISHED, "other");
		expect(&s, rows[i].want);
		UNTIL(s.guest.lane->status.drops[REASON_POISON] ==
		      3 * rows[i].crashes);
		s.n_events = 0;
		take_events(&s);
		assert_true(s.n_events >= 1);
		/* Its successor, after an end of another kind, knows it. */
		end(&s, SIGKILL);
		ring_discard(&s.verdicts);
		atomic_store(&s.guest.lane->dead_id, 200004);
		start(&s);
		udp(&s, 200005, 9000, UNFINISHED);
		expect(&s, rows[i].crashes ? "drop 200005" : "pass 200005");
		tear_down(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_judged),
		cmocka_unit_test(the_interface_tells_whose_it_is),
		cmocka_unit_test(a_refusal_resets_both_ends),
		cmocka_unit_test(a_held_unit_is_acknowledged),
		cmocka_unit_test(what_a_predecessor_had_is_not_touched),
		cmocka_unit_test(what_it_died_of_is_dropped),
		cmocka_unit_test(what_is_no_packet_is_passed_over),
		cmocka_unit_test(without_room_for_events_nothing_passes),
		cmocka_unit_test(told_to_end_while_it_waits_it_passes_nothing),
		cmocka_unit_test(budgets_outlive_everything),
		cmocka_unit_test(a_bad_set_changes_nothing),
		cmocka_unit_test(frozen_is_frozen_for_its_successor_too),
		cmocka_unit_test(nothing_passes_unrecorded),
		cmocka_unit_test(nor_when_nothing_becomes_durable),
	};

	if (geteuid() != 0) {
		printf("SKIP: a sandbox is entered by root only\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
