/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/nfq.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAXLEN	      16384
#define SOCKET_BUFFER (64u << 20)
#define COPY_RANGE    0xffff
#define ANSWER_MS     2000 /* the kernel answers within the call */
#define ANSWER_OCTETS (80 * 1024) /* a whole packet fits */
#define ANSWER_MAX    4096 /* packets that may come before its answer */
#define QUEUES	      "/proc/net/netfilter/nfnetlink_queue"
#define QUEUE_LINES   4096

/* --- opening -----------------------------------------------------------------
 */

static int netlink_socket(int *fd, uint32_t buffer, struct err *e)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int one = 1, size = (int)buffer;

	*fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		     NETLINK_NETFILTER);
	if (*fd < 0)
		return err_sys(e, "netlink socket");
	/* A packet that finds no room is counted by the queue; to be told of
	 * it by a failing receive would only cost the next packets, too. */
	if (bind(*fd, (struct sockaddr *)&self, sizeof(self)) < 0 ||
	    setsockopt(*fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one,
		       sizeof(one)) < 0 ||
	    setsockopt(*fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) <
		    0 ||
	    setsockopt(*fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) <
		    0)
		return err_sys(e, "netlink socket");
	return 0;
}

/* One message, so that the queue never exists half configured. */
static struct nlmsghdr *config_message(char *buf, const struct nfq_conf *c)
{
	struct nlmsghdr *nlh = nfq_nlmsg_put(buf, NFQNL_MSG_CONFIG, c->queue);
	uint32_t mask = NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN;

	nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	nfq_nlmsg_cfg_put_cmd(nlh, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
	nfq_nlmsg_cfg_put_params(nlh, NFQNL_COPY_PACKET, COPY_RANGE);
	nfq_nlmsg_cfg_put_qmaxlen(nlh, c->maxlen ? c->maxlen : MAXLEN);
	mnl_attr_put_u32(nlh, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
	mnl_attr_put_u32(nlh, NFQA_CFG_MASK, htonl(mask));
	return nlh;
}

/* Errno of the kernel's answer to message 1. Packets may come before it when
 * the rules are there already: they are dropped up to *last. */
static int answer(int fd, uint32_t *last, char *buf, size_t cap)
{
	struct pollfd p = {fd, POLLIN, 0};

	for (int i = 0; i < ANSWER_MAX; i++) {
		ssize_t n = recv(fd, buf, cap, 0);
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		struct nfq_walk w;
		struct nfq_packet pkt;

		if (n < 0 && errno == EAGAIN && poll(&p, 1, ANSWER_MS) > 0)
			continue;
		if (n < 0)
			return errno;
		if (mnl_nlmsg_ok(nlh, (int)n) &&
		    nlh->nlmsg_type == NLMSG_ERROR && nlh->nlmsg_seq == 1) {
			const struct nlmsgerr *ne =
				mnl_nlmsg_get_payload(nlh);

			return mnl_nlmsg_get_payload_len(nlh) <
					       sizeof(ne->error) ?
				       EBADMSG :
				       -ne->error;
		}
		w = (struct nfq_walk){.left = span_of(buf, (size_t)n)};
		while (nfq_next(&w, &pkt))
			*last = pkt.id;
	}
	return ETIMEDOUT;
}

static int configure(int fd, const struct nfq_conf *c, struct err *e)
{
	static const char in_use[] = "another program has it; end that first";
	char buf[ANSWER_OCTETS];
	struct nlmsghdr *nlh = config_message(buf, c);
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct nfq_counts counts;
	uint32_t last = 0;
	int rc;

	if (send(fd, nlh, nlh->nlmsg_len, 0) < 0)
		return err_sys(e, "configuring");
	rc = answer(fd, &last, buf, sizeof(buf));
	if (rc == EBUSY)
		return err_set(e, E_EXISTS, 0, in_use);
	/* To somebody else's queue the kernel says EPERM, as to somebody
	 * without the capability. */
	if (rc == EPERM && nfq_counts(&counts, c->queue, NULL) == 0 &&
	    counts.bound)
		return err_set(e, E_EXISTS, 0, in_use);
	errno = rc;
	if (rc != 0)
		return err_sys(e, "configuring");
	if (last == 0)
		return 0;
	nfq_put_drop_upto(&w, c->queue, last);
	if (send(fd, w.p, w.n, 0) < 0)
		return err_sys(e, "dropping what came too early");
	return 0;
}

int nfq_bind(int *fd, const struct nfq_conf *c, struct err *e)
{
	int rc = netlink_socket(
		fd, c->socket_buffer ? c->socket_buffer : SOCKET_BUFFER, e);

	if (rc == 0)
		rc = configure(*fd, c, e);
	if (rc == 0)
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return err_wrap(e, "queue %u", c->queue);
}

/* --- receiving ------------------------------------------------------------ */

#define TYPE_MASK 0x3fffu /* without the flags above it */
#define PAD(n) (((n) + 3u) & ~(size_t)3)

/* A header in the machine's own octet order, as netlink has them. */
static bool take(struct cur *c, void *to, size_t n)
{
	struct span s = cur_take(c, n);

	if (s.n == n)
		memcpy(to, s.p, n);
	return s.n == n;
}

/* The padding behind the last one may be missing. */
static void skip_pad(struct cur *c, size_t n)
{
	size_t pad = PAD(n) - n;

	cur_take(c, pad < cur_left(c) ? pad : cur_left(c));
}

static uint32_t number(struct span s)
{
	struct cur c = cur_of(s);

	return cur_u32(&c);
}

static void read_head(struct nfq_packet *p, struct span s)
{
	struct cur c = cur_of(s);
	uint32_t id = cur_u32(&c);
	uint16_t proto = cur_u16(&c);
	uint8_t hook = cur_u8(&c);

	if (!cur_ok(&c))
		return;
	p->id = id;
	p->hw_protocol = proto;
	p->hook = hook;
}

static void read_mac(struct nfq_packet *p, struct span s)
{
	struct cur c = cur_of(s);
	uint16_t n = cur_u16(&c);
	struct span mac;

	cur_u16(&c);
	mac = cur_take(&c, 6);
	if (n != 6 || mac.n != 6)
		return;
	memcpy(p->src_mac, mac.p, 6);
	p->has_mac = true;
}

static void read_info(struct nfq_packet *p, struct span s)
{
	uint32_t v = number(s);

	p->gso = v & NFQA_SKB_GSO;
	p->csum_unfinished = v & NFQA_SKB_CSUMNOTREADY;
	p->csum_unverified = v & NFQA_SKB_CSUM_NOTVERIFIED;
}

static void read_attribute(struct nfq_packet *p, unsigned type, struct span s)
{
	switch (type) {
	case NFQA_PACKET_HDR:
		read_head(p, s);
		break;
	case NFQA_MARK:
		p->mark = number(s);
		break;
	case NFQA_IFINDEX_INDEV:
		p->indev = number(s);
		break;
	case NFQA_IFINDEX_OUTDEV:
		p->outdev = number(s);
		break;
	case NFQA_IFINDEX_PHYSINDEV:
		p->physindev = number(s);
		break;
	case NFQA_IFINDEX_PHYSOUTDEV:
		p->physoutdev = number(s);
		break;
	case NFQA_HWADDR:
		read_mac(p, s);
		break;
	case NFQA_PAYLOAD:
		p->octets = s;
		break;
	case NFQA_CAP_LEN:
		p->wire_len = number(s);
		break;
	case NFQA_SKB_INFO:
		read_info(p, s);
		break;
	}
}

/* False: no packet, or not one that could be given a verdict. */
static bool read_packet(struct nfq_packet *p, struct cur *c)
{
	struct nlattr a;

	*p = (struct nfq_packet){0};
	if (!take(c, &(struct nfgenmsg){0}, sizeof(struct nfgenmsg)))
		return false;
	/* Each turn takes the four octets of a header at least. */
	while (cur_left(c) > 0) {
		struct span s;

		if (!take(c, &a, sizeof(a)) || a.nla_len < sizeof(a))
			break;
		s = cur_take(c, a.nla_len - sizeof(a));
		if (!cur_ok(c))
			break;
		read_attribute(p, a.nla_type & TYPE_MASK, s);
		skip_pad(c, a.nla_len);
	}
	if (p->wire_len < p->octets.n)
		p->wire_len = (uint32_t)p->octets.n;
	return p->id != 0;
}

bool nfq_next(struct nfq_walk *w, struct nfq_packet *p)
{
	struct cur c = cur_of(w->left);
	struct nlmsghdr h;

	/* Each turn takes the sixteen octets of a header at least. */
	while (take(&c, &h, sizeof(h)) && h.nlmsg_len >= sizeof(h)) {
		struct cur body = cur_sub(&c, h.nlmsg_len - sizeof(h));

		if (!cur_ok(&body))
			break;
		skip_pad(&c, h.nlmsg_len);
		if (h.nlmsg_type == NLMSG_ERROR)
			w->errors++;
		if (h.nlmsg_type !=
			    (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
		    !read_packet(p, &body))
			continue;
		w->left = cur_rest(&c);
		return true;
	}
	w->left = (struct span){0};
	return false;
}

/* --- verdicts ------------------------------------------------------------- */

struct verdict_message {
	struct nlmsghdr h;
	struct nfgenmsg g;
	struct nlattr a;
	struct nfqnl_msg_verdict_hdr v;
};
_Static_assert(sizeof(struct verdict_message) == 32, "padding in a message");

struct mark_attribute {
	struct nlattr a;
	uint32_t mark;
};
_Static_assert(sizeof(struct mark_attribute) == 8, "padding in an attribute");

/* Places are taken in one piece, so a message is in w whole or not at all. */
static void put_verdict(struct wbuf *w, int type, uint16_t queue, uint32_t id,
			int verdict, const uint32_t *mark, struct span payload)
{
	size_t attr = payload.n ? sizeof(struct nlattr) + payload.n : 0;
	size_t n = sizeof(struct verdict_message) +
		   (mark ? sizeof(struct mark_attribute) : 0) + attr;
	uint8_t *at = wbuf_room(w, PAD(n));
	struct wbuf out = wbuf_of(at, at ? PAD(n) : 0);
	struct verdict_message m = {
		.h = {(uint32_t)n,
		      (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | type),
		      NLM_F_REQUEST, 0, 0},
		.g = {AF_UNSPEC, NFNETLINK_V0, htons(queue)},
		.a = {sizeof(m.a) + sizeof(m.v), NFQA_VERDICT_HDR},
		/* Nothing but these is ever said to the kernel. */
		.v = {htonl(verdict == NFQ_ACCEPT || verdict == NFQ_REPEAT
				    ? (uint32_t)verdict
				    : NFQ_DROP),
		      htonl(id)},
	};

	if (!at)
		return;
	wbuf_put(&out, span_of(&m, sizeof(m)));
	if (mark) {
		struct mark_attribute k = {{sizeof(k), NFQA_MARK},
					   htonl(*mark)};

		wbuf_put(&out, span_of(&k, sizeof(k)));
	}
	if (attr) {
		struct nlattr a = {(uint16_t)attr, NFQA_PAYLOAD};

		wbuf_put(&out, span_of(&a, sizeof(a)));
		wbuf_put(&out, payload);
		wbuf_be(&out, 0, PAD(n) - n);
	}
}

void nfq_put_verdict(struct wbuf *w, uint16_t queue, uint32_t id, int verdict,
		     const uint32_t *mark, struct span payload)
{
	put_verdict(w, NFQNL_MSG_VERDICT, queue, id, verdict, mark, payload);
}

void nfq_put_drop_upto(struct wbuf *w, uint16_t queue, uint32_t id)
{
	put_verdict(w, NFQNL_MSG_VERDICT_BATCH, queue, id, NFQ_DROP, NULL,
		    (struct span){0});
}

/* --- the kernel's account ------------------------------------------------- */

int nfq_counts(struct nfq_counts *out, uint16_t queue, struct err *e)
{
	FILE *f = fopen(QUEUES, "re");
	char line[160];
	int rc = 0;

	*out = (struct nfq_counts){0};
	/* Without the module there are no queues. */
	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return err_sys(e, QUEUES);
	for (int i = 0; i < QUEUE_LINES && fgets(line, sizeof(line), f); i++) {
		unsigned nr, port, total, mode, range, dropped, user, id;

		if (sscanf(line, "%u %u %u %u %u %u %u %u", &nr, &port, &total,
			   &mode, &range, &dropped, &user, &id) != 8) {
			rc = err_set(e, E_SYNTAX, 0,
				     QUEUES ": a line of another form");
			break;
		}
		if (nr != queue)
			continue;
		*out = (struct nfq_counts){total, id, dropped, user, true};
		break;
	}
	fclose(f);
	return rc;
}
