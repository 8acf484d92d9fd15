/* SPDX-License-Identifier: Apache-2.0 */
/* The whole gate in a process of its own, in its sandbox: what it sends for
 * what lies in the ring. A pair of sockets stands for the kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/craft.h"
#include "enforcer/daemon/form.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/pipeline/packet.h"

#define QUEUE	   77
#define PATIENCE   20000 /* ms; what takes longer has failed */
#define UID	   59240
#define GENERATION 0x00300000u

struct scene {
	struct guest_share guest;
	struct control *control;
	struct ring ring; /* the engine's side of the verdicts */
	int kernel, gate; /* the two ends */
	pid_t pid;
};

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static struct net_addr v4(uint8_t c, uint8_t d)
{
	return (struct net_addr){{[10] = 0xff, [11] = 0xff, 10, 20, c, d}};
}

static void start(struct scene *s)
{
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		struct log log = log_init("gate_test", LOG_LEVEL_ERR, false);
		struct conf conf = {.cpu = -1};
		int fds[] = {s->gate};
		struct gate_arg a = {
			.log = &log,
			.conf = &conf,
			.guest = &s->guest,
			.control = s->control,
			.queue_fd = s->gate,
			.raw4_fd = -1,
			.raw6_fd = -1,
			.packet_fd = -1,
			.sandbox = {.uid = UID, .gid = UID, .fds = fds,
				    .n_fds = 1},
		};

		_exit(gate_main(&a));
	}
}

static void end(struct scene *s, int sig)
{
	kill(s->pid, sig);
	assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
}

static void set_up(struct scene *s)
{
	int pair[2];

	*s = (struct scene){.guest = {.name = "mdma", .queue = QUEUE}};
	s->guest.lane = shared(sizeof(struct lane));
	s->guest.verdicts = shared(ring_octets(VERDICT_RING));
	s->guest.addr[0] = (struct pol_prefix){v4(0, 10), 128};
	s->guest.n_addr = 1;
	s->control = shared(sizeof(struct control));
	s->control->mark_generation = GENERATION;
	ring_writer(&s->ring, s->guest.verdicts, VERDICT_RING);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				    pair),
			 0);
	s->kernel = pair[0];
	s->gate = pair[1];
}

static void tear_down(struct scene *s)
{
	end(s, SIGKILL);
	close(s->kernel);
	close(s->gate);
	munmap(s->guest.lane, sizeof(struct lane));
	munmap(s->guest.verdicts, ring_octets(VERDICT_RING));
	munmap(s->control, sizeof(struct control));
}

static void say(struct scene *s, const struct lane_verdict *v, size_t n)
{
	assert_int_equal(ring_put(&s->ring, span_of(v, n)), 0);
}

static void say_short(struct scene *s, uint32_t id, uint8_t kind)
{
	struct lane_verdict v = {.id = id, .kind = kind};

	say(s, &v, VERDICT_SHORT);
}

/* What the gate sent since, as one text: "pass 5 drop 6 upto 7". */
struct heard {
	char text[4096];
	size_t n;
};

static void hear_message(struct heard *h, struct cur *c)
{
	struct cur m, all = *c;
	uint32_t len = (uint32_t)cur_le(&all, 4), verdict, id;
	uint16_t type;
	size_t at = h->n;

	m = cur_sub(c, len);
	cur_take(c, (4 - len % 4) % 4 <= cur_left(c) ? (4 - len % 4) % 4 : 0);
	assert_true(cur_ok(&m));
	cur_take(&m, 4);
	type = (uint16_t)cur_le(&m, 2);
	cur_take(&m, 12);
	assert_int_equal(cur_u16(&m), QUEUE);
	assert_int_equal(cur_le(&m, 4), 0x2000c); /* verdict header */
	verdict = cur_u32(&m);
	id = cur_u32(&m);
	h->n += (size_t)snprintf(h->text + h->n, sizeof(h->text) - h->n,
				 "%s%s %u", at ? " " : "",
				 type == 0x303 ? "upto"
				 : verdict == 4 ? "repeat"
				 : verdict	? "pass"
						: "drop",
				 id);
	if (cur_left(&m) && cur_peek(&m, 4).p[2] == 3) {
		cur_take(&m, 4);
		h->n += (size_t)snprintf(h->text + h->n,
					 sizeof(h->text) - h->n, " mark %x",
					 cur_u32(&m));
	}
	if (cur_left(&m) && cur_peek(&m, 4).p[2] == 0) /* fills the form */
		cur_take(&m, cur_left(&m));
	if (cur_left(&m)) {
		struct packet_in in = {.link = LINK_RAW};
		struct packet p;

		len = (uint32_t)cur_le(&m, 4);
		assert_int_equal(len >> 16, 10); /* payload */
		in.octets = cur_take(&m, (len & 0xffff) - 4);
		in.wire_len = (uint32_t)in.octets.n;
		assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 1), REASON_NONE);
		h->n += (size_t)snprintf(
			h->text + h->n, sizeof(h->text) - h->n,
			" as %u>%u flags %x seq %u", p.tup.sport, p.tup.dport,
			p.tcp.flags, p.tcp.seq);
	}
	assert_true(h->n < sizeof(h->text));
}

static void expect(struct scene *s, const char *want)
{
	static uint8_t buf[128 * 1024];
	struct pollfd p = {s->kernel, POLLIN, 0};
	struct heard h = {.n = 0};

	while (strlen(h.text) < strlen(want) && poll(&p, 1, PATIENCE) > 0) {
		ssize_t n = recv(s->kernel, buf, sizeof(buf), 0);
		struct cur c;

		assert_true(n > 0);
		c = cur_of(span_of(buf, (size_t)n));
		while (cur_left(&c))
			hear_message(&h, &c);
	}
	assert_string_equal(h.text, want);
}

/* Wait for what another process is about to do. */
#define UNTIL(x)                                                               \
	for (int _i = 0; !(x); _i++) {                                         \
		assert_true(_i < PATIENCE);                                    \
		usleep(1000);                                                  \
	}

static bool all_released(const struct scene *s)
{
	return atomic_load(&s->ring.s->tail) == atomic_load(&s->ring.s->head);
}

/* --- rows ----------------------------------------------------------------- */

static struct lane_verdict segment(uint32_t id, uint8_t kind)
{
	return (struct lane_verdict){
		.id = id,
		.kind = kind,
		.seg = {.tup = {v4(0, 10), v4(0, 1), 1153, 40000, PROTO_TCP},
			.flags = TCP_RST | TCP_ACK,
			.seq = 4711},
	};
}

static void verdicts_are_sent(void **state)
{
	struct lane_verdict marked = {.id = 8, .kind = VK_PASS, .has_mark = 1,
				      .mark = GENERATION | 0x30000};
	struct lane_verdict refused = {.id = 11, .kind = VK_DROP, .has_mark = 1,
				       .mark = GENERATION | MARK_CLASS};
	struct lane_verdict reset = segment(9, VK_RESET);
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	say_short(&s, 5, VK_PASS);
	say_short(&s, 6, VK_DROP);
	say_short(&s, 7, VK_PASS);
	say(&s, &marked, VERDICT_SHORT);
	say(&s, &reset, sizeof(reset));
	ring_publish(&s.ring);
	expect(&s, "pass 5 drop 6 pass 7 pass 8 mark 330000 "
		   "pass 9 as 1153>40000 flags 14 seq 4711");
	UNTIL(all_released(&s));
	assert_int_equal(atomic_load(&s.guest.lane->gate_sent), 5);
	assert_int_equal(atomic_load(&s.guest.lane->gate_bad), 0);
	/* It sleeps now, and is woken. */
	usleep(20000);
	say_short(&s, 10, VK_PASS);
	say(&s, &refused, VERDICT_SHORT);
	ring_publish(&s.ring);
	expect(&s, "pass 10 repeat 11 mark 3f0000");
	/* A reload: what was marked before it is carried no more, and what was
	 * refused is dropped without a word to the rules. */
	atomic_store(&s.control->mark_generation, GENERATION + 0x00100000);
	marked.id = 12;
	say(&s, &marked, VERDICT_SHORT);
	refused.id = 13;
	say(&s, &refused, VERDICT_SHORT);
	marked.id = 14;
	marked.mark += 0x00100000;
	say(&s, &marked, VERDICT_SHORT);
	ring_publish(&s.ring);
	expect(&s, "pass 12 drop 13 pass 14 mark 430000");
	assert_int_equal(atomic_load(&s.guest.lane->gate_bad), 0);
	UNTIL(atomic_load(&s.guest.lane->gate_beat) != 0);
	tear_down(&s);
}

static void nonsense_drops_and_is_counted(void **state)
{
	struct lane_verdict other = segment(11, VK_RESET);
	struct lane_verdict syn = segment(0, VK_CRAFT);
	struct lane_verdict mark = {.id = 12, .kind = VK_PASS, .has_mark = 1,
				    .mark = MARK_CRAFTED};
	struct lane_verdict kind = {.id = 13, .kind = 99};
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	other.seg.tup.src = v4(0, 11); /* another guest's */
	syn.seg.flags = TCP_SYN;
	say(&s, &other, sizeof(other));
	say(&s, &syn, sizeof(syn)); /* nothing to drop */
	say(&s, &mark, VERDICT_SHORT);
	say(&s, &kind, VERDICT_SHORT);
	say(&s, &kind, 3); /* not even a number */
	say(&s, &kind, 4);
	say_short(&s, 14, VK_PASS);
	ring_publish(&s.ring);
	expect(&s, "drop 11 drop 12 drop 13 drop 13 pass 14");
	assert_int_equal(atomic_load(&s.guest.lane->gate_bad), 6);
	assert_int_equal(atomic_load(&s.guest.lane->gate_crafted), 0);
	tear_down(&s);
}

static void what_a_dead_engine_left_is_dropped(void **state)
{
	struct lane *l;
	struct scene s;

	(void)state;
	set_up(&s);
	l = s.guest.lane;
	/* Asked before the gate is there, and while it sleeps. */
	say_short(&s, 20, VK_PASS);
	ring_publish(&s.ring);
	say_short(&s, 21, VK_PASS); /* never published */
	atomic_store(&l->dead_id, 25);
	atomic_store(&l->drop_asked, 1);
	start(&s);
	expect(&s, "pass 20");
	/* What is left is counted before it is dropped. */
	UNTIL(atomic_load(&l->drop_sent) == 1);
	assert_int_equal(poll(&(struct pollfd){s.kernel, POLLIN, 0}, 1, 150),
			 0);
	assert_int_equal(atomic_load(&l->drop_done), 0);
	atomic_store(&l->drop_counted, 1);
	gate_poke(&s.guest);
	expect(&s, "upto 25");
	UNTIL(atomic_load(&l->drop_done) == 1);
	usleep(20000);
	ring_writer(&s.ring, s.guest.verdicts, VERDICT_RING);
	atomic_store(&l->dead_id, 30);
	atomic_store(&l->drop_asked, 2);
	gate_poke(&s.guest);
	UNTIL(atomic_load(&l->drop_sent) == 2);
	/* A gate that is killed meanwhile leaves that to its successor. */
	end(&s, SIGKILL);
	start(&s);
	atomic_store(&l->drop_counted, 2);
	gate_poke(&s.guest);
	expect(&s, "upto 30");
	UNTIL(atomic_load(&l->drop_done) == 2);
	tear_down(&s);
}

static void a_broken_ring_waits_for_its_next_writer(void **state)
{
	const uint32_t huge = VERDICT_RING;
	struct lane *l;
	struct scene s;

	(void)state;
	set_up(&s);
	l = s.guest.lane;
	start(&s);
	say_short(&s, 40, VK_PASS);
	say_short(&s, 41, VK_PASS);
	memcpy(s.ring.s->data + 16, &huge, sizeof(huge));
	ring_publish(&s.ring);
	expect(&s, "pass 40");
	UNTIL(atomic_load(&l->gate_bad) == 1);
	/* Nothing more is read of it, and it is told once. */
	say_short(&s, 42, VK_PASS);
	ring_publish(&s.ring);
	usleep(250000);
	assert_int_equal(atomic_load(&l->gate_bad), 1);
	atomic_store(&l->dead_id, 42);
	atomic_store(&l->drop_asked, 1);
	atomic_store(&l->drop_counted, 1);
	gate_poke(&s.guest);
	expect(&s, "upto 42");
	UNTIL(atomic_load(&l->drop_done) == 1);
	ring_writer(&s.ring, s.guest.verdicts, VERDICT_RING);
	say_short(&s, 43, VK_PASS);
	ring_publish(&s.ring);
	expect(&s, "pass 43");
	tear_down(&s);
}

static void its_successor_sends_what_it_had_not(void **state)
{
	struct scene s;

	(void)state;
	set_up(&s);
	start(&s);
	say_short(&s, 50, VK_PASS);
	ring_publish(&s.ring);
	expect(&s, "pass 50");
	UNTIL(all_released(&s));
	end(&s, SIGKILL);
	say_short(&s, 51, VK_PASS);
	say_short(&s, 52, VK_DROP);
	ring_publish(&s.ring);
	start(&s);
	expect(&s, "pass 51 drop 52");
	UNTIL(all_released(&s));
	tear_down(&s);
}

/* A kernel that takes nothing for a while: all of it is sent in the end, in
 * order, and nothing is released before. */
static void it_waits_for_a_kernel_that_is_busy(void **state)
{
	static uint8_t buf[128 * 1024];
	uint32_t next = 1;
	struct scene s;
	int small = 4096;

	(void)state;
	set_up(&s);
	assert_int_equal(setsockopt(s.gate, SOL_SOCKET, SO_SNDBUF, &small,
				    sizeof(small)),
			 0);
	while (send(s.gate, buf, 1024, 0) > 0)
		;
	for (uint32_t id = 1; id <= 60; id++)
		say_short(&s, id, VK_PASS);
	ring_publish(&s.ring);
	start(&s);
	usleep(300000);
	assert_int_equal(atomic_load(&s.ring.s->tail), 0);
	while (next <= 60) {
		struct pollfd p = {s.kernel, POLLIN, 0};
		ssize_t n;
		struct cur c;

		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		n = recv(s.kernel, buf, sizeof(buf), 0);
		assert_true(n > 0);
		if (n == 1024 && buf[0] == 0)
			continue; /* what filled it */
		for (c = cur_of(span_of(buf, (size_t)n)); cur_left(&c);) {
			struct cur m = cur_sub(&c, FORM_SHORT);

			cur_take(&m, 28);
			assert_int_equal(cur_u32(&m), next++);
		}
	}
	UNTIL(all_released(&s));
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_sent),
		cmocka_unit_test(nonsense_drops_and_is_counted),
		cmocka_unit_test(what_a_dead_engine_left_is_dropped),
		cmocka_unit_test(a_broken_ring_waits_for_its_next_writer),
		cmocka_unit_test(its_successor_sends_what_it_had_not),
		cmocka_unit_test(it_waits_for_a_kernel_that_is_busy),
	};

	if (geteuid() != 0) {
		printf("SKIP: a sandbox is entered by root only\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
