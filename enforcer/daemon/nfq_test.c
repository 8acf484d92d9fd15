/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/nfq.h"

/* --- messages as the kernel builds them ----------------------------------- */

static void attr(struct wbuf *w, uint16_t type, const void *p, size_t n)
{
	struct nlattr a = {(uint16_t)(sizeof(a) + n), type};

	wbuf_put(w, span_of(&a, sizeof(a)));
	wbuf_put(w, span_of(p, n));
	while (w->n % 4)
		wbuf_u8(w, 0);
}

static void attr32(struct wbuf *w, uint16_t type, uint32_t v)
{
	v = htonl(v);
	attr(w, type, &v, sizeof(v));
}

static size_t begin(struct wbuf *w, uint16_t type)
{
	struct nlmsghdr h = {.nlmsg_type = type};
	struct nfgenmsg g = {AF_INET, NFNETLINK_V0, htons(7)};
	size_t at = w->n;

	wbuf_put(w, span_of(&h, sizeof(h)));
	wbuf_put(w, span_of(&g, sizeof(g)));
	return at;
}

/* n: octets that the header claims; SIZE_MAX: those there are. */
static void end(struct wbuf *w, size_t at, size_t n)
{
	uint32_t len = (uint32_t)(n == SIZE_MAX ? w->n - at : n);

	memcpy(w->p + at, &len, 4);
}

#define PACKET (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)

static void head(struct wbuf *w, uint32_t id)
{
	struct nfqnl_msg_packet_hdr h = {htonl(id), htons(0x0800), 2};

	attr(w, NFQA_PACKET_HDR, &h, sizeof(h));
}

/* As the kernel sends it: the last attribute is not padded, nor is the
 * message. */
static void packet(struct wbuf *w, uint32_t id, const char *payload)
{
	size_t at = begin(w, PACKET), n = strlen(payload);
	struct nlattr a = {(uint16_t)(sizeof(a) + n), NFQA_PAYLOAD};

	head(w, id);
	wbuf_put(w, span_of(&a, sizeof(a)));
	wbuf_put(w, span_str(payload));
	end(w, at, SIZE_MAX);
}

static void all_of_a_packet_is_read(void **state)
{
	static const uint8_t ip[5] = {0x45, 0, 0, 5, 9};
	struct nfqnl_msg_packet_hw hw = {htons(6), 0, {2, 0, 10, 20, 0, 10}};
	uint8_t buf[512];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	size_t at = begin(&w, PACKET);
	struct nfq_walk walk;
	struct nfq_packet p;

	(void)state;
	head(&w, 0x01020304);
	attr32(&w, NFQA_MARK, 0xdeadbeef);
	attr32(&w, NFQA_IFINDEX_INDEV, 3);
	attr32(&w, NFQA_IFINDEX_OUTDEV, 4);
	attr32(&w, NFQA_IFINDEX_PHYSINDEV, 5);
	attr32(&w, NFQA_IFINDEX_PHYSOUTDEV, 6);
	attr(&w, NFQA_HWADDR, &hw, sizeof(hw));
	attr32(&w, NFQA_SKB_INFO, NFQA_SKB_GSO | NFQA_SKB_CSUMNOTREADY);
	attr32(&w, NFQA_CAP_LEN, 70000);
	attr(&w, NFQA_TIMESTAMP, ip, 5); /* not looked at */
	attr(&w, 1000, ip, 5);		 /* not known */
	attr(&w, NFQA_PAYLOAD, ip, sizeof(ip));
	end(&w, at, SIZE_MAX);
	walk = (struct nfq_walk){.left = wbuf_span(&w)};
	assert_true(nfq_next(&walk, &p));
	assert_int_equal(p.id, 0x01020304);
	assert_int_equal(p.hw_protocol, 0x0800);
	assert_int_equal(p.hook, 2);
	assert_int_equal(p.mark, 0xdeadbeef);
	assert_int_equal(p.indev, 3);
	assert_int_equal(p.outdev, 4);
	assert_int_equal(p.physindev, 5);
	assert_int_equal(p.physoutdev, 6);
	assert_true(p.has_mac);
	assert_memory_equal(p.src_mac, hw.hw_addr, 6);
	assert_true(p.gso);
	assert_true(p.csum_unfinished);
	assert_false(p.csum_unverified);
	assert_int_equal(p.wire_len, 70000);
	assert_true(span_eq(p.octets, span_of(ip, sizeof(ip))));
	assert_false(nfq_next(&walk, &p));
	assert_int_equal(walk.errors, 0);
}

static void what_is_not_said_is_not_there(void **state)
{
	uint8_t buf[128];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct nfq_walk walk;
	struct nfq_packet p;

	(void)state;
	packet(&w, 9, "");
	walk = (struct nfq_walk){.left = wbuf_span(&w)};
	memset(&p, 0xff, sizeof(p));
	assert_true(nfq_next(&walk, &p));
	assert_int_equal(p.id, 9);
	assert_int_equal(p.octets.n, 0);
	assert_int_equal(p.wire_len, 0);
	assert_int_equal(p.indev, 0);
	assert_int_equal(p.physindev, 0);
	assert_false(p.has_mac || p.gso || p.csum_unfinished);
}

/* Sizes that are no multiple of four: the length that is left goes below
 * zero in a walk that does not check, and then into what the buffer held
 * before. Here that is another packet. */
static void odd_last_messages_end_the_walk(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 9; n++) {
		uint8_t buf[1024], *exact;
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		char text[16];
		struct nfq_walk walk;
		struct nfq_packet p;

		snprintf(text, sizeof(text), "%.*s", (int)n, "abcdefghi");
		packet(&w, 1, text);
		while (w.n % 4)
			wbuf_u8(&w, 0);
		packet(&w, 2, text);
		/* In memory of just that size, so that a sanitizer sees. */
		exact = malloc(w.n);
		assert_non_null(exact);
		memcpy(exact, buf, w.n);
		walk = (struct nfq_walk){.left = span_of(exact, w.n)};
		for (uint32_t id = 1; id <= 2; id++) {
			assert_true(nfq_next(&walk, &p));
			assert_int_equal(p.id, id);
			assert_true(span_is(p.octets, text));
		}
		assert_false(nfq_next(&walk, &p));
		assert_false(nfq_next(&walk, &p));
		free(exact);
	}
}

static void errors_are_counted_the_rest_is_passed_over(void **state)
{
	struct nlmsgerr err = {.error = -2};
	uint8_t buf[512];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct nfq_walk walk;
	struct nfq_packet p;
	size_t at;

	(void)state;
	for (int i = 0; i < 3; i++) {
		at = w.n;
		wbuf_put(&w, span_of(&(struct nlmsghdr){
					     .nlmsg_type = NLMSG_ERROR},
				     sizeof(struct nlmsghdr)));
		wbuf_put(&w, span_of(&err, sizeof(err)));
		end(&w, at, SIZE_MAX);
	}
	at = begin(&w, NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT);
	head(&w, 77);
	end(&w, at, SIZE_MAX);
	at = begin(&w, NFNL_SUBSYS_CTNETLINK << 8);
	head(&w, 78);
	end(&w, at, SIZE_MAX);
	packet(&w, 5, "x");
	walk = (struct nfq_walk){.left = wbuf_span(&w)};
	assert_true(nfq_next(&walk, &p));
	assert_int_equal(p.id, 5);
	assert_int_equal(walk.errors, 3);
	assert_false(nfq_next(&walk, &p));
}

/* --- malformed ones ------------------------------------------------------- */

static void short_message(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	head(w, 1);
	end(w, at, 15);
}

static void long_message(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	head(w, 1);
	end(w, at, w->n - at + 1);
}

static void huge_message(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	head(w, 1);
	end(w, at, UINT32_MAX);
}

static void no_family(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	end(w, at, sizeof(struct nlmsghdr));
	head(w, 1);
}

static void no_header(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	attr(w, NFQA_PAYLOAD, "abcd", 4);
	end(w, at, SIZE_MAX);
}

static void short_header(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	attr(w, NFQA_PACKET_HDR, "\1\2\3\4\5\6", 6);
	end(w, at, SIZE_MAX);
}

static void id_zero(struct wbuf *w)
{
	size_t at = begin(w, PACKET);

	head(w, 0);
	end(w, at, SIZE_MAX);
}

static const struct {
	const char *why;
	void (*make)(struct wbuf *w);
} bad[] = {
	{"a message shorter than its header",	   short_message},
	{"one octet longer than the datagram",	   long_message },
	{"as long as a number can say",		   huge_message },
	{"nothing behind the netlink header",	   no_family	},
	{"no packet header: no verdict possible",  no_header	},
	{"half a packet header",		   short_header },
	{"number 0, which the kernel never gives", id_zero	},
};

static void malformed_messages_give_no_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t buf[256];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct nfq_walk walk;
		struct nfq_packet p;

		bad[i].make(&w);
		walk = (struct nfq_walk){.left = wbuf_span(&w)};
		if (nfq_next(&walk, &p))
			fail_msg("%s: a packet, number %u", bad[i].why, p.id);
	}
}

static const struct {
	const char *why;
	uint16_t len, type;
	size_t n; /* octets that follow */
	size_t payload;
	bool mac;
	uint32_t indev;
} attrs[] = {
	{"a payload",			  12, NFQA_PAYLOAD,	    8, 8, 0, 0},
	{"a flag in the type",	  12, NFQA_PAYLOAD | 0x8000, 8, 8, 0, 0},
	{"shorter than its header",	  3,  NFQA_PAYLOAD,	    8, 0, 0, 0},
	{"length 0, for ever",		  0,  NFQA_PAYLOAD,	    8, 0, 0, 0},
	{"one octet too long",		  13, NFQA_PAYLOAD,	    8, 0, 0, 0},
	{"far too long",		  65535, NFQA_PAYLOAD,	    8, 0, 0, 0},
	{"an empty payload",		  4,  NFQA_PAYLOAD,	    0, 0, 0, 0},
	{"half a number",		  6,  NFQA_IFINDEX_INDEV,   2, 0, 0, 0},
	{"a number",		  8,  NFQA_IFINDEX_INDEV,   4, 0, 0, 1633771873},
	{"a MAC, longer",	  16, NFQA_HWADDR,	    12, 0, 0, 0},
};

static void odd_attributes_are_not_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		uint8_t buf[256];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct nlattr a = {attrs[i].len, attrs[i].type};
		struct nfq_walk walk;
		struct nfq_packet p;
		size_t at = begin(&w, PACKET);

		head(&w, 3);
		wbuf_put(&w, span_of(&a, sizeof(a)));
		wbuf_put(&w, span_of("aaaaaaaaaaaa", attrs[i].n));
		end(&w, at, SIZE_MAX);
		walk = (struct nfq_walk){.left = wbuf_span(&w)};
		/* The number came before: the packet can be dropped. */
		if (!nfq_next(&walk, &p) || p.id != 3 ||
		    p.octets.n != attrs[i].payload ||
		    p.has_mac != attrs[i].mac || p.indev != attrs[i].indev)
			fail_msg("%s", attrs[i].why);
	}
}

/* --- verdicts ------------------------------------------------------------- */

static void verdicts_are_what_the_kernel_reads(void **state)
{
	/* clang-format off */
	static const uint8_t want[] = {
		32, 0, 0, 0,  1, 3,  1, 0,  0, 0, 0, 0,  0, 0, 0, 0,
		0, 0, 0, 9,				/* queue 9 */
		12, 0, 2, 0,  0, 0, 0, 1,  1, 2, 3, 4,	/* accept */
		40, 0, 0, 0,  1, 3,  1, 0,  0, 0, 0, 0,  0, 0, 0, 0,
		0, 0, 0, 9,
		12, 0, 2, 0,  0, 0, 0, 0,  0, 0, 0, 5,	/* drop */
		8, 0, 3, 0,  0x10, 0x12, 0, 0,		/* mark */
		41, 0, 0, 0,  1, 3,  1, 0,  0, 0, 0, 0,  0, 0, 0, 0,
		0, 0, 0, 9,
		12, 0, 2, 0,  0, 0, 0, 1,  0, 0, 0, 6,
		9, 0, 10, 0,  'h', 'e', 'l', 'l', 'o',  0, 0, 0,
		32, 0, 0, 0,  3, 3,  1, 0,  0, 0, 0, 0,  0, 0, 0, 0,
		0, 0, 0, 9,
		12, 0, 2, 0,  0, 0, 0, 0,  0, 0, 0, 8,	/* all up to 8 */
	};
	/* clang-format on */
	uint8_t buf[256];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	uint32_t mark = 0x10120000;

	(void)state;
	if (htons(1) == 1)
		skip(); /* the octets above are those of a little end */
	nfq_put_verdict(&w, 9, 0x01020304, NFQ_ACCEPT, NULL,
			(struct span){0});
	nfq_put_verdict(&w, 9, 5, NFQ_DROP, &mark, (struct span){0});
	nfq_put_verdict(&w, 9, 6, NFQ_ACCEPT, NULL, span_str("hello"));
	nfq_put_drop_upto(&w, 9, 8);
	assert_false(w.failed);
	assert_int_equal(w.n, sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
}

static void a_verdict_is_whole_or_not_there(void **state)
{
	uint8_t buf[128];
	uint32_t mark = 1;

	(void)state;
	for (size_t cap = 0; cap <= 56; cap++) {
		struct wbuf w = wbuf_of(buf, cap);

		nfq_put_verdict(&w, 1, 2, NFQ_ACCEPT, &mark,
				span_str("abcdef"));
		assert_int_equal(w.n, cap < 52 ? 0 : 52);
		assert_int_equal(w.failed, cap < 52);
	}
}

static void anything_unknown_drops(void **state)
{
	static const int verdicts[] = {NFQ_DROP, 2, 3, 5, -1, 0x10001, 0x40004};

	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		uint8_t buf[64];
		struct wbuf w = wbuf_of(buf, sizeof(buf));

		nfq_put_verdict(&w, 1, 2, verdicts[i], NULL,
				(struct span){0});
		assert_memory_equal(buf + 24, "\0\0\0\0", 4);
	}
}

/* --- the kernel ----------------------------------------------------------- */

/* In a network of its own: exits 0, 77 for "cannot", else the line. */
static int try_kernel(void)
{
	struct nfq_conf c = {.queue = 4242, .maxlen = 100};
	struct nfq_counts n;
	struct err e;
	int fd, again;

#define MUST(x)                                                                \
	if (!(x))                                                              \
	return __LINE__ % 70 + 1
	if (unshare(CLONE_NEWNET) < 0 || access("/proc/net/netfilter", F_OK))
		return 77;
	MUST(nfq_counts(&n, 4242, &e) == 0 && !n.bound);
	if (nfq_bind(&fd, &c, &e) < 0) {
		printf("# %s\n", e.text);
		return 77;
	}
	MUST(nfq_counts(&n, 4242, &e) == 0 && n.bound && n.queued == 0);
	MUST(nfq_counts(&n, 4243, &e) == 0 && !n.bound);
	/* The second one is told that there is a first. */
	MUST(nfq_bind(&again, &c, &e) == E_EXISTS && again == -1);
	MUST(strstr(e.text, "queue 4242") && strstr(e.text, "another"));
	close(fd);
	MUST(nfq_counts(&n, 4242, &e) == 0 && !n.bound);
	MUST(nfq_bind(&again, &c, &e) == 0);
#undef MUST
	return 0;
}

static void a_queue_has_one_owner(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(try_kernel());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		printf("SKIP: no queues of packets here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_a_packet_is_read),
		cmocka_unit_test(what_is_not_said_is_not_there),
		cmocka_unit_test(odd_last_messages_end_the_walk),
		cmocka_unit_test(errors_are_counted_the_rest_is_passed_over),
		cmocka_unit_test(malformed_messages_give_no_packet),
		cmocka_unit_test(odd_attributes_are_not_believed),
		cmocka_unit_test(verdicts_are_what_the_kernel_reads),
		cmocka_unit_test(a_verdict_is_whole_or_not_there),
		cmocka_unit_test(anything_unknown_drops),
		cmocka_unit_test(a_queue_has_one_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
