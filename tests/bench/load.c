/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic for the live benchmarks: a server, and clients that measure.
 *
 *   load serve ADDR PORT TABLE=HEX...   UDP: echoes, answers C12.22 reads;
 *                                       TCP: HTTP keep-alive, sinks and sources
 *   load udp   ADDR PORT SECONDS WINDOW [OCTETS]
 *   load c1222 ADDR PORT SECONDS WINDOW TABLE
 *   load http  ADDR PORT SECONDS CONNECTIONS
 *   load send  ADDR PORT SECONDS        bulk TCP to the server
 *
 * WINDOW requests are outstanding at any time: a lossless load as fast as the
 * path is, and with 1 the latency. A client prints one JSON object: rate per
 * second, octets per second, what was lost, and the times of round trips.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OCTETS	  2048
#define BATCH	  64
#define CONNS	  512
#define SAMPLES	  (1u << 20)
#define LOST_NS	  200000000
#define BULK	  (256 * 1024)
#define HTTP_BODY 128

static const char response[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n"
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct table {
	unsigned id;
	size_t n;
	uint8_t data[1400];
};

struct times {
	uint32_t *ns; /* SAMPLES of them, the first ones */
	size_t n;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int make_socket(const char *addr, const char *port, int type, int server)
{
	struct addrinfo hints = {.ai_socktype = type,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *a;
	int fd, one = 1, big = 8 << 20;

	if (getaddrinfo(addr, port, &hints, &a) != 0) {
		fprintf(stderr, "load: %s port %s: not an address\n", addr,
			port);
		exit(2);
	}
	fd = socket(a->ai_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	}
	if ((server ? bind : connect)(fd, a->ai_addr, a->ai_addrlen) < 0)
		die(addr);
	if (server && type == SOCK_STREAM && listen(fd, 128) < 0)
		die("listen");
	if (!server && type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	freeaddrinfo(a);
	return fd;
}

/* --- C12.22, as much as a poll needs ------------------------------------------- */

static size_t tlv(uint8_t *out, uint8_t tag, const uint8_t *content, size_t n)
{
	size_t h = 0;

	out[h++] = tag;
	if (n >= 0x100) {
		out[h++] = 0x82;
		out[h++] = (uint8_t)(n >> 8);
	} else if (n >= 0x80) {
		out[h++] = 0x81;
	}
	out[h++] = (uint8_t)n;
	memmove(out + h, content, n);
	return h + n;
}

static size_t wrapped(uint8_t *out, uint8_t tag, uint8_t inner,
		      const uint8_t *content, size_t n)
{
	uint8_t b[OCTETS];

	return tlv(out, tag, b, tlv(b, inner, content, n));
}

static size_t invocation(uint8_t *out, uint8_t tag, uint32_t id)
{
	uint8_t b[4] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16),
			(uint8_t)(id >> 8), (uint8_t)id};

	return wrapped(out, tag, 0x02, b, sizeof(b));
}

/* The head end is .71.1, the meter .71.1001. */
static size_t apdu(uint8_t *out, int answer, uint32_t answered, uint32_t id,
		   const uint8_t *pdu, size_t n)
{
	static const uint8_t head[] = {0x47, 0x01}, meter[] = {0x47, 0x87, 0x69};
	uint8_t body[OCTETS], epsem[OCTETS], length[OCTETS];
	size_t at = 0, len;

	at += answer ? wrapped(body + at, 0xa2, 0x80, head, sizeof(head)) :
		       wrapped(body + at, 0xa2, 0x80, meter, sizeof(meter));
	if (answer)
		at += invocation(body + at, 0xa4, answered);
	at += answer ? wrapped(body + at, 0xa6, 0x80, meter, sizeof(meter)) :
		       wrapped(body + at, 0xa6, 0x80, head, sizeof(head));
	at += invocation(body + at, 0xa8, id);
	len = tlv(length, 0, pdu, n);
	epsem[0] = answer ? 0x82 : 0x80;
	memcpy(epsem + 1, length + 1, len - 1);
	len = wrapped(length, 0x28, 0x81, epsem, len);
	at += tlv(body + at, 0xbe, length, len);
	return tlv(out, 0x60, body, at);
}

/* The four octets behind the last A8 06 02 04; the request is our own. */
static uint32_t calling_id(const uint8_t *p, size_t n)
{
	static const uint8_t mark[] = {0xa8, 0x06, 0x02, 0x04};
	const uint8_t *at = memmem(p, n, mark, sizeof(mark));

	if (!at || (size_t)(at - p) + 8 > n)
		return 0;
	return (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 |
	       (uint32_t)at[6] << 8 | at[7];
}

static size_t answer(uint8_t *out, const uint8_t *ask, size_t n,
		     const struct table *tables, size_t n_tables)
{
	uint32_t id = calling_id(ask, n);
	unsigned want = n > 2 ? (unsigned)ask[n - 2] << 8 | ask[n - 1] : 0;
	uint8_t pdu[OCTETS];
	uint8_t sum = 0;

	for (size_t i = 0; i < n_tables; i++) {
		const struct table *t = &tables[i];

		if (t->id != want)
			continue;
		pdu[0] = 0;
		pdu[1] = (uint8_t)(t->n >> 8);
		pdu[2] = (uint8_t)t->n;
		memcpy(pdu + 3, t->data, t->n);
		for (size_t k = 0; k < t->n; k++)
			sum = (uint8_t)(sum + t->data[k]);
		pdu[3 + t->n] = (uint8_t)-sum;
		return apdu(out, 1, id, id, pdu, t->n + 4);
	}
	return 0;
}

/* --- the server -------------------------------------------------------------------- */

struct batch {
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage from[BATCH];
	uint8_t b[BATCH][OCTETS];
};

static void batch_init(struct batch *b, int named)
{
	memset(b->m, 0, sizeof(b->m));
	for (int i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){b->b[i], OCTETS};
		b->m[i].msg_hdr.msg_iov = &b->iov[i];
		b->m[i].msg_hdr.msg_iovlen = 1;
		if (named) {
			b->m[i].msg_hdr.msg_name = &b->from[i];
			b->m[i].msg_hdr.msg_namelen = sizeof(b->from[i]);
		}
	}
}

static void serve_udp(int fd, struct batch *b, const struct table *tables,
		      size_t n_tables)
{
	for (;;) {
		int n;

		batch_init(b, 1);
		n = recvmmsg(fd, b->m, BATCH, MSG_DONTWAIT, NULL);
		if (n <= 0)
			return;
		for (int i = 0; i < n; i++) {
			uint8_t out[OCTETS];
			size_t len = b->m[i].msg_len;

			if (len && b->b[i][0] == 0x60) {
				len = answer(out, b->b[i], len, tables,
					     n_tables);
				memcpy(b->b[i], out, len);
			}
			b->iov[i].iov_len = len;
		}
		for (int done = 0; done < n;) {
			int sent = sendmmsg(fd, b->m + done,
					    (unsigned)(n - done), 0);

			if (sent <= 0)
				break;
			done += sent;
		}
	}
}

/* One connection: requests end in an empty line; a greeting is answered;
 * anything else is a sink. */
static int serve_tcp(int fd)
{
	static char in[BULK];
	ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (in[0] == 'h' && send(fd, in, (size_t)n, MSG_NOSIGNAL) < 0)
		return -1;
	if (in[0] == 'G')
		for (ssize_t i = 3; i < n; i++)
			if (memcmp(in + i - 3, "\r\n\r\n", 4) == 0 &&
			    send(fd, response, sizeof(response) - 1,
				 MSG_NOSIGNAL) < 0)
				return -1;
	return 0;
}

_Noreturn static void serve(const char *addr, const char *port, char **args, int n_args)
{
	static struct table tables[16];
	static struct batch b;
	struct epoll_event ev = {.events = EPOLLIN}, got[64];
	int udp = make_socket(addr, port, SOCK_DGRAM, 1);
	int tcp = make_socket(addr, port, SOCK_STREAM, 1);
	int ep = epoll_create1(0), one = 1;
	size_t n_tables = 0;

	for (int i = 0; i < n_args && i < 16; i++) {
		struct table *t = &tables[n_tables++];
		const char *hex = strchr(args[i], '=');
		unsigned octet;

		t->id = (unsigned)atoi(args[i]);
		for (hex = hex ? hex + 1 : ""; t->n < sizeof(t->data) &&
					       sscanf(hex, "%2x", &octet) == 1;
		     hex += 2)
			t->data[t->n++] = (uint8_t)octet;
	}
	ev.data.fd = udp;
	epoll_ctl(ep, EPOLL_CTL_ADD, udp, &ev);
	ev.data.fd = tcp;
	epoll_ctl(ep, EPOLL_CTL_ADD, tcp, &ev);
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;

			if (fd == udp) {
				serve_udp(udp, &b, tables, n_tables);
			} else if (fd == tcp) {
				fd = accept(tcp, NULL, NULL);
				if (fd < 0)
					continue;
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
					   sizeof(one));
				ev.data.fd = fd;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
			} else if (serve_tcp(fd) < 0) {
				close(fd);
			}
		}
	}
}

/* --- clients ------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void note(struct times *t, int64_t ns)
{
	if (t->n < SAMPLES)
		t->ns[t->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int report(struct times *t, uint64_t done, uint64_t octets,
		  uint64_t lost, int64_t ns)
{
	double s = (double)ns / 1e9;

	qsort(t->ns, t->n, sizeof(*t->ns), by_value);
	printf("{\"rate\": %.1f, \"octets\": %.1f, \"lost\": %llu", (double)done / s,
	       (double)octets / s, (unsigned long long)lost);
	if (t->n)
		printf(", \"median_us\": %.2f, \"p99_us\": %.2f",
		       t->ns[t->n / 2] / 1e3, t->ns[t->n * 99 / 100] / 1e3);
	puts("}");
	return done ? 0 : 1;
}

static struct times new_times(void)
{
	struct times t = {.ns = malloc(SAMPLES * sizeof(*t.ns))};

	if (!t.ns)
		die("memory");
	return t;
}

/* Requests are numbered; the slot of a number remembers when it was sent. */
static int datagrams(const char *addr, const char *port, int seconds,
		     unsigned window, int table, size_t size)
{
	static struct batch b;
	static int64_t sent_at[1u << 16];
	struct times t = new_times();
	int fd = make_socket(addr, port, SOCK_DGRAM, 0);
	uint32_t next = 1;
	uint64_t done = 0, lost = 0, octets = 0;
	unsigned out = 0;
	int64_t start = now_ns(), end = start + seconds * INT64_C(1000000000);
	int64_t now = start;

	if (window > 1024)
		window = 1024;
	while (now < end) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = 0;

		batch_init(&b, 0);
		while (out + (unsigned)n < window && n < BATCH) {
			uint8_t pdu[3] = {0x30, (uint8_t)(table >> 8),
					  (uint8_t)table};
			uint8_t *m = b.b[n];

			sent_at[next & 0xffff] = now;
			if (table >= 0) {
				size = apdu(m, 0, 0, next, pdu, sizeof(pdu));
			} else {
				memset(m, 'x', size);
				memcpy(m + 1, &next, sizeof(next));
			}
			b.iov[n++].iov_len = size;
			next++;
		}
		for (int at = 0; at < n;) {
			int k = sendmmsg(fd, b.m + at, (unsigned)(n - at), 0);

			if (k <= 0)
				break;
			at += k;
		}
		out += (unsigned)n;
		if (poll(&p, 1, LOST_NS / 1000000) == 0) {
			lost += out;
			out = 0;
			now = now_ns();
			continue;
		}
		batch_init(&b, 0);
		n = recvmmsg(fd, b.m, BATCH, MSG_DONTWAIT, NULL);
		now = now_ns();
		for (int i = 0; i < n; i++) {
			uint32_t id = 0;

			if (table >= 0)
				id = calling_id(b.b[i], b.m[i].msg_len);
			else
				memcpy(&id, b.b[i] + 1, sizeof(id));
			note(&t, now - sent_at[id & 0xffff]);
			octets += b.m[i].msg_len;
			done++;
			if (out)
				out--;
		}
	}
	return report(&t, done, octets, lost, now - start);
}

static int http(const char *addr, const char *port, int seconds, int conns)
{
	static const char ask[] = "GET /meter/reading HTTP/1.1\r\nHost: meter.example\r\n"
				  "User-Agent: load\r\nAccept: */*\r\n\r\n";
	static int64_t sent_at[CONNS];
	static char in[65536];
	struct pollfd p[CONNS];
	size_t have[CONNS] = {0};
	struct times t = new_times();
	uint64_t done = 0, octets = 0;
	int64_t start, end, now;

	if (conns < 1 || conns > CONNS)
		conns = CONNS;
	for (int i = 0; i < conns; i++)
		p[i] = (struct pollfd){make_socket(addr, port, SOCK_STREAM, 0),
				       POLLIN, 0};
	now = start = now_ns();
	end = start + seconds * INT64_C(1000000000);
	for (int i = 0; i < conns; i++) {
		sent_at[i] = now;
		if (send(p[i].fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
			die("send");
	}
	while (now < end) {
		if (poll(p, (nfds_t)conns, 1000) == 0)
			break; /* stalled: the rate says it */
		now = now_ns();
		for (int i = 0; i < conns; i++) {
			ssize_t n;

			if (!(p[i].revents & (POLLIN | POLLHUP | POLLERR)))
				continue;
			n = recv(p[i].fd, in, sizeof(in), MSG_DONTWAIT);
			if (n <= 0)
				die("connection");
			have[i] += (size_t)n;
			octets += (uint64_t)n;
			if (have[i] < sizeof(response) - 1)
				continue;
			have[i] = 0;
			done++;
			note(&t, now - sent_at[i]);
			sent_at[i] = now;
			if (send(p[i].fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) < 0)
				die("send");
		}
	}
	return report(&t, done, octets, 0, now_ns() - start);
}

/* Both ends say something that nobody reads: until they have, the kernel does
 * not carry the rest. */
static void greet(int fd)
{
	struct timeval patience = {5, 0};
	char hello[64];

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	memset(hello, 'h', sizeof(hello));
	if (send(fd, hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
	    recv(fd, hello, sizeof(hello), MSG_WAITALL) <= 0)
		die("greeting");
}

static int bulk(const char *addr, const char *port, int seconds)
{
	static char out[BULK];
	struct times t = new_times();
	int fd = make_socket(addr, port, SOCK_STREAM, 0);
	int64_t start, end;
	struct tcp_info info = {0};
	struct timeval stalled = {2, 0};
	socklen_t n = sizeof(info);
	uint64_t octets = 0;

	memset(out, 'B', sizeof(out));
	greet(fd);
	start = now_ns();
	end = start + seconds * INT64_C(1000000000);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stalled, sizeof(stalled));
	while (now_ns() < end) {
		if (send(fd, out, sizeof(out), MSG_NOSIGNAL) >= 0)
			continue;
		if (errno != EAGAIN)
			die("send");
		break; /* stalled: the octets say it */
	}
	/* What the peer has not acknowledged did not arrive. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0)
		octets = info.tcpi_bytes_acked;
	return report(&t, octets ? 1 : 0, octets, 0, now_ns() - start);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc >= 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], argv[3], argv + 4, argc - 4);
	if (argc >= 6 && strcmp(argv[1], "udp") == 0)
		return datagrams(argv[2], argv[3], atoi(argv[4]),
				 (unsigned)atoi(argv[5]), -1,
				 argc > 6 ? (size_t)atoi(argv[6]) : 64);
	if (argc >= 7 && strcmp(argv[1], "c1222") == 0)
		return datagrams(argv[2], argv[3], atoi(argv[4]),
				 (unsigned)atoi(argv[5]), atoi(argv[6]), 0);
	if (argc >= 6 && strcmp(argv[1], "http") == 0)
		return http(argv[2], argv[3], atoi(argv[4]), atoi(argv[5]));
	if (argc >= 5 && strcmp(argv[1], "send") == 0)
		return bulk(argv[2], argv[3], atoi(argv[4]));
	fprintf(stderr, "usage: load serve|udp|c1222|http|send ADDR PORT ...\n");
	return 2;
}
