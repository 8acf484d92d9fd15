/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad wire: carries frames between two interfaces of its namespace and
 * loses, repeats, delays, reorders and damages some of them, each way as told.
 *
 *   relay A B [seed=N] [DIR.WHAT=VALUE]...     DIR: ab or ba
 *     loss, dup, reorder, corrupt  in percent of the frames
 *     delay                        milliseconds, of every frame
 *     jitter                       milliseconds, of reordered ones (5)
 *
 * Only IP is impaired; address and neighbour resolution pass. The same seed
 * and the same frames give the same fate. On SIGTERM it prints what it did.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define SLOTS	  8192 /* frames that wait; more are lost */
#define BURST	  64   /* frames of one side before the other is looked at */

struct way {
	double loss, dup, reorder, corrupt, delay, jitter;
	uint64_t rng;
	uint64_t frames, lost, repeated, reordered, damaged, full, failed;
};

struct slot {
	int64_t due; /* ns */
	uint64_t order; /* frames due at once keep their order */
	uint32_t n;
	uint8_t to;
	uint8_t octets[FRAME_MAX];
};

struct relay {
	int fd[2];
	struct way way[2]; /* by the side that a frame came from */
	struct slot *slot;
	uint32_t *heap, n_heap; /* of slots in use, the next due first */
	uint32_t *spare, n_spare;
	uint64_t order;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* xorshift64*: the same everywhere. */
static uint64_t draw(struct way *w)
{
	w->rng ^= w->rng >> 12;
	w->rng ^= w->rng << 25;
	w->rng ^= w->rng >> 27;
	return w->rng * 0x2545f4914f6cdd1dull;
}

static bool happens(struct way *w, double percent)
{
	/* Drawn even when it cannot happen: one rate does not move others. */
	return (double)(draw(w) >> 11) / 9007199254740992.0 * 100 < percent;
}

/* --- frames that wait ---------------------------------------------------------- */

static bool before(const struct relay *r, uint32_t a, uint32_t b)
{
	const struct slot *x = &r->slot[a], *y = &r->slot[b];

	return x->due != y->due ? x->due < y->due : x->order < y->order;
}

static void swap(struct relay *r, uint32_t i, uint32_t k)
{
	uint32_t t = r->heap[i];

	r->heap[i] = r->heap[k];
	r->heap[k] = t;
}

static void push(struct relay *r, uint8_t to, const uint8_t *octets,
		 uint32_t n, int64_t due)
{
	uint32_t i = r->n_heap;
	struct slot *s;

	if (!r->n_spare) {
		r->way[!to].full++;
		return;
	}
	r->heap[r->n_heap++] = r->spare[--r->n_spare];
	s = &r->slot[r->heap[i]];
	s->due = due;
	s->order = r->order++;
	s->n = n;
	s->to = to;
	memcpy(s->octets, octets, n);
	for (; i && before(r, r->heap[i], r->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(r, i, (i - 1) / 2);
}

static void pop(struct relay *r)
{
	uint32_t i = 0, k;

	r->spare[r->n_spare++] = r->heap[0];
	r->heap[0] = r->heap[--r->n_heap];
	while ((k = 2 * i + 1) < r->n_heap) {
		if (k + 1 < r->n_heap && before(r, r->heap[k + 1], r->heap[k]))
			k++;
		if (!before(r, r->heap[k], r->heap[i]))
			break;
		swap(r, i, k);
		i = k;
	}
}

static void give(struct relay *r, int64_t now)
{
	while (r->n_heap && r->slot[r->heap[0]].due <= now) {
		struct slot *s = &r->slot[r->heap[0]];

		if (send(r->fd[s->to], s->octets, s->n, 0) < 0)
			r->way[!s->to].failed++;
		pop(r);
	}
}

/* --- what happens to a frame ----------------------------------------------------- */

static bool is_ip(const uint8_t *f, uint32_t n)
{
	if (n < 34)
		return false;
	if (f[12] == 0x08 && f[13] == 0x00)
		return true;
	return f[12] == 0x86 && f[13] == 0xdd && n >= 54 && f[20] != 58;
}

static void take(struct relay *r, uint8_t from, uint8_t *f, uint32_t n)
{
	struct way *w = &r->way[from];
	int64_t due = now_ns() + (int64_t)(w->delay * 1e6);
	bool loss, dup, late, damage;

	w->frames++;
	if (!is_ip(f, n)) {
		push(r, !from, f, n, due);
		return;
	}
	loss = happens(w, w->loss);
	dup = happens(w, w->dup);
	late = happens(w, w->reorder);
	damage = happens(w, w->corrupt);
	if (loss) {
		w->lost++;
		return;
	}
	if (dup) {
		w->repeated++;
		push(r, !from, f, n, due + 1000000);
	}
	if (late) {
		w->reordered++;
		due += (int64_t)(w->jitter * 1e6);
	}
	if (damage) {
		uint64_t where = draw(w);

		w->damaged++;
		f[14 + where % (n - 14)] ^= (uint8_t)(1u << (where >> 60 & 7));
	}
	push(r, !from, f, n, due);
}

static void take_all(struct relay *r, uint8_t from)
{
	static const int dont_wait = MSG_DONTWAIT | MSG_TRUNC;
	uint8_t f[FRAME_MAX];

	for (int i = 0; i < BURST; i++) {
		struct sockaddr_ll a;
		socklen_t size = sizeof(a);
		ssize_t n = recvfrom(r->fd[from], f, sizeof(f), dont_wait,
				     (struct sockaddr *)&a, &size);

		if (n < 14)
			return;
		if (a.sll_pkttype == PACKET_OUTGOING)
			continue;
		if (n > (ssize_t)sizeof(f)) {
			/* Offloads are on; the tester wants to know. */
			r->way[from].failed++;
			continue;
		}
		take(r, from, f, (uint32_t)n);
	}
}

/* --- start and end ------------------------------------------------------------------ */

static int open_side(const char *name)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), size = 1 << 25;

	a.sll_ifindex = (int)if_nametoindex(name);
	all.mr_ifindex = a.sll_ifindex;
	if (fd < 0 || !a.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all,
		       sizeof(all)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size))) {
		fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
		exit(2);
	}
	return fd;
}

static bool option(struct relay *r, const char *text)
{
	static const char *const names[] = {"loss",    "dup",	"reorder",
					    "corrupt", "delay", "jitter"};
	const char *eq = strchr(text, '=');
	double v = eq ? strtod(eq + 1, NULL) : -1;
	struct way *w;

	if (!eq || v < 0)
		return false;
	if (strncmp(text, "seed=", 5) == 0) {
		for (uint64_t i = 0; i < 2; i++)
			r->way[i].rng = ((uint64_t)v * 2 + i + 1) *
					0x9e3779b97f4a7c15ull;
		return true;
	}
	if (strncmp(text, "ab.", 3) == 0)
		w = &r->way[0];
	else if (strncmp(text, "ba.", 3) == 0)
		w = &r->way[1];
	else
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		double *at[] = {&w->loss,    &w->dup,	&w->reorder,
				&w->corrupt, &w->delay, &w->jitter};

		if (strlen(names[i]) == (size_t)(eq - text - 3) &&
		    strncmp(text + 3, names[i], strlen(names[i])) == 0) {
			*at[i] = v;
			return true;
		}
	}
	return false;
}

static void told(int sig)
{
	(void)sig;
}

static void run(struct relay *r)
{
	struct sigaction act = {.sa_handler = told};
	sigset_t blocked, old;
	int64_t wait;

	/* Signals come only while it waits. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	for (;;) {
		struct pollfd p[2] = {{r->fd[0], POLLIN, 0},
				      {r->fd[1], POLLIN, 0}};
		struct timespec t;

		wait = r->n_heap ? r->slot[r->heap[0]].due - now_ns() :
				   1000000000;
		if (wait < 0)
			wait = 0;
		t.tv_sec = wait / 1000000000;
		t.tv_nsec = wait % 1000000000;
		if (ppoll(p, 2, &t, &old) < 0)
			return;
		for (uint8_t i = 0; i < 2; i++) {
			if (p[i].revents & POLLIN)
				take_all(r, i);
		}
		give(r, now_ns());
	}
}

int main(int argc, char **argv)
{
	struct relay r = {0};

	r.slot = calloc(SLOTS, sizeof(*r.slot));
	r.heap = calloc(SLOTS, sizeof(*r.heap));
	r.spare = calloc(SLOTS, sizeof(*r.spare));
	if (argc < 3 || !r.slot || !r.heap || !r.spare) {
		fputs("usage: relay A B [seed=N] [ab|ba.WHAT=VALUE]...\n",
		      stderr);
		return 2;
	}
	for (uint32_t i = 0; i < SLOTS; i++)
		r.spare[r.n_spare++] = SLOTS - 1 - i;
	r.way[0].jitter = r.way[1].jitter = 5;
	option(&r, "seed=1");
	for (int i = 3; i < argc; i++) {
		if (!option(&r, argv[i])) {
			fprintf(stderr, "relay: %s: unknown\n", argv[i]);
			return 2;
		}
	}
	r.fd[0] = open_side(argv[1]);
	r.fd[1] = open_side(argv[2]);
	puts("ready");
	fflush(stdout);
	run(&r);
	for (int i = 0; i < 2; i++) {
		const struct way *w = &r.way[i];

		printf("%s frames %llu lost %llu repeated %llu reordered %llu "
		       "damaged %llu full %llu failed %llu\n",
		       i ? "ba" : "ab", (unsigned long long)w->frames,
		       (unsigned long long)w->lost,
		       (unsigned long long)w->repeated,
		       (unsigned long long)w->reordered,
		       (unsigned long long)w->damaged,
		       (unsigned long long)w->full,
		       (unsigned long long)w->failed);
	}
	return 0;
}
