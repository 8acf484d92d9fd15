/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that are asked for news say at once that there will be some, and
 * what long after: only what is cut short has to come to its end in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/webkit.h"

#define OK   "HTTP/1.1 200 OK\r\n"
#define XML  "Content-Type: text/xml\r\n"
#define TE   "Transfer-Encoding: chunked\r\n"
#define NEWS "<list><bool name='on' val='true'/></list>"
#define N    "41" /* octets of it */
#define X    "29" /* the same, as a chunk says it */

struct step {
	unsigned s;	    /* seconds before it */
	const char *octets; /* of the server */
};

static const struct row {
	const char *why;
	struct step step[4];
	enum reason want;
} rows[] = {
	{"the head at once, the document later",
	 {{0, OK XML "Content-Length: " N "\r\n\r\n"}, {40, NEWS}}, 0},
	{"much later",
	 {{0, OK XML "Content-Length: " N "\r\n\r\n"}, {580, NEWS}}, 0},
	{"but not for ever",
	 {{0, OK XML "Content-Length: " N "\r\n\r\n"}, {700, NEWS}},
	 REASON_INCOMPLETE},
	{"in chunks",
	 {{0, OK XML TE "\r\n"}, {40, X "\r\n" NEWS "\r\n0\r\n\r\n"}}, 0},
	{"the size of the first with the head",
	 {{0, OK XML TE "\r\n" X "\r\n"}, {40, NEWS "\r\n0\r\n\r\n"}}, 0},
	{"and the size alone",
	 {{0, OK XML TE "\r\n"}, {40, X "\r\n"}, {40, NEWS "\r\n0\r\n\r\n"}},
	 0},
	{"until the connection ends", {{0, OK XML "\r\n"}, {40, NEWS}}, 0},
	{"a head cut short", {{0, OK XML "Content-Le"},
			      {40, "ngth: " N "\r\n\r\n" NEWS}},
	 REASON_INCOMPLETE},
	{"a size cut short", {{0, OK XML TE "\r\n2"},
			      {40, "9\r\n" NEWS "\r\n0\r\n\r\n"}},
	 REASON_INCOMPLETE},
	{"a document cut short",
	 {{0, OK XML "Content-Length: " N "\r\n\r\n<list>"},
	  {40, "<bool name='on' val='true'/></list>"}},
	 REASON_INCOMPLETE},
};

static void say(struct kit *k, struct kit_seg *g, const char *octets)
{
	struct span s = span_str(octets);

	kit_tcp(k, g, s);
	g->seq += (uint32_t)s.n;
}

static enum reason refused(const struct kit *k)
{
	for (uint32_t i = 0; i < k->n_events; i++) {
		if (k->event[i].verdict == VERDICT_DENY)
			return k->event[i].reason;
	}
	return REASON_NONE;
}

static void play(const struct row *r, bool live)
{
	struct kit *k = web_new(live);
	struct kit_seg mine = {.out = true, .port = WEB_PORT, .seq = KIT_ISN + 1,
			       .ack = KIT_ISN2 + 1,
			       .flags = TCP_ACK | TCP_PSH};
	struct kit_seg its = {.port = WEB_PORT, .seq = KIT_ISN2 + 1,
			      .flags = TCP_ACK | TCP_PSH};

	say(k, &mine, "GET /obix/news HTTP/1.1\r\nHost: far\r\n\r\n");
	its.ack = mine.seq;
	for (int i = 0; i < 4 && r->step[i].octets; i++) {
		kit_tick(k, r->step[i].s);
		if (refused(k) == REASON_NONE)
			say(k, &its, r->step[i].octets);
	}
	if (refused(k) != r->want)
		fail_msg("%s: %s", r->why, reason_text(refused(k)));
	/* All of it has left. */
	for (uint64_t i = 1; r->want == REASON_NONE && i <= k->id; i++) {
		if (k->verdict[i].n != 1 || k->verdict[i].v != PACKET_PASS)
			fail_msg("%s: packet %llu", r->why,
				 (unsigned long long)i);
	}
	kit_end(k);
	if (k->bad[0])
		fail_msg("%s: %s", r->why, k->bad);
	kit_free(k);
}

static void news_may_come_late(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		play(&rows[i], false);
		play(&rows[i], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(news_may_come_late),
	};

	return cmocka_run_group_tests_name("slow servers", tests, NULL, NULL);
}
