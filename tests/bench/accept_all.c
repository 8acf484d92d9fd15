/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of the live benchmarks: accepts every packet of a queue
 * unread, as fast as that can be done. One process on libmnl: receives many
 * datagrams at once until there is none, sends as many verdicts in one call,
 * takes super-packets whole. Shares no code with the gateway.
 *
 *   accept_all QUEUE
 *
 * Prints "ready", then runs until it is told to end (SIGTERM) and prints how
 * many packets it accepted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH	 64
#define SLOT	 (68 * 1024)
#define RCVBUF	 (64 << 20)
#define MAXLEN	 16384
#define VERDICTS (16 * 1024)

/* The one thing that is not in a context: a handler has none. */
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "accept_all: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct nlmsghdr *message(void *buf, int type, uint16_t queue)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	*g = (struct nfgenmsg){AF_UNSPEC, NFNETLINK_V0, htons(queue)};
	return nlh;
}

static void configure(struct mnl_socket *nl, uint16_t queue)
{
	char buf[8192];
	struct nlmsghdr *nlh = message(buf, NFQNL_MSG_CONFIG, queue);
	struct nfqnl_msg_config_cmd cmd = {.command = NFQNL_CFG_CMD_BIND};
	struct nfqnl_msg_config_params params = {htonl(0xffff),
						 NFQNL_COPY_PACKET};
	int one = 1, size = RCVBUF;
	long n;

	setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		   sizeof(size));
	mnl_socket_setsockopt(nl, NETLINK_NO_ENOBUFS, &one, sizeof(one));
	nlh->nlmsg_flags |= NLM_F_ACK;
	mnl_attr_put(nlh, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	mnl_attr_put(nlh, NFQA_CFG_PARAMS, sizeof(params), &params);
	mnl_attr_put_u32(nlh, NFQA_CFG_QUEUE_MAXLEN, htonl(MAXLEN));
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		die("configuring");
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 0,
				mnl_socket_get_portid(nl), NULL, NULL) < 0)
		die("binding the queue");
}

struct work {
	struct mnl_socket *nl;
	uint16_t queue;
	uint8_t *slots;
	char *verdicts;
	size_t n; /* octets in verdicts */
	unsigned long long packets;
};

static int on_packet(const struct nlattr *attr, void *data)
{
	uint32_t *id = data;

	if (mnl_attr_get_type(attr) == NFQA_PACKET_HDR) {
		const struct nfqnl_msg_packet_hdr *h =
			mnl_attr_get_payload(attr);

		*id = ntohl(h->packet_id);
		return MNL_CB_STOP;
	}
	return MNL_CB_OK;
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	struct work *w = data;
	struct nfqnl_msg_verdict_hdr v = {htonl(1), 0}; /* NF_ACCEPT */
	struct nlmsghdr *out;
	uint32_t id = 0;

	mnl_attr_parse(nlh, sizeof(struct nfgenmsg), on_packet, &id);
	v.id = htonl(id);
	out = message(w->verdicts + w->n, NFQNL_MSG_VERDICT, w->queue);
	mnl_attr_put(out, NFQA_VERDICT_HDR, sizeof(v), &v);
	w->n += out->nlmsg_len;
	w->packets++;
	return MNL_CB_OK;
}

/* False: there is nothing more now. */
static int batch(struct work *w)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	int n, fd = mnl_socket_get_fd(w->nl);

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){w->slots + (size_t)i * SLOT, SLOT};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
						 .msg_iovlen = 1};
	}
	n = recvmmsg(fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0;
	w->n = 0;
	for (int i = 0; i < n; i++)
		mnl_cb_run(iov[i].iov_base, msg[i].msg_len, 0, 0, on_message,
			   w);
	if (w->n && send(fd, w->verdicts, w->n, 0) < 0)
		die("sending verdicts");
	return n == BATCH;
}

int main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct work w = {.slots = malloc((size_t)BATCH * SLOT),
			 .verdicts = malloc(VERDICTS)};
	struct pollfd p;

	if (argc != 2) {
		fprintf(stderr, "usage: accept_all QUEUE\n");
		return 2;
	}
	w.queue = (uint16_t)atoi(argv[1]);
	w.nl = mnl_socket_open(NETLINK_NETFILTER);
	if (!w.slots || !w.verdicts || !w.nl ||
	    mnl_socket_bind(w.nl, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink socket");
	configure(w.nl, w.queue);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	puts("ready");
	fflush(stdout);
	p = (struct pollfd){mnl_socket_get_fd(w.nl), POLLIN, 0};
	while (!stop) {
		if (poll(&p, 1, -1) < 0)
			continue;
		while (batch(&w))
			;
	}
	printf("%llu\n", w.packets);
	mnl_socket_close(w.nl);
	free(w.slots);
	free(w.verdicts);
	return 0;
}
