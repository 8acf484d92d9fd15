/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oBIX documents through cutting and reading, beside bare expat over the same
 * octets in the same run: a 2 MB history, and the small documents of one
 * poll. JSON on stdout; medians of RUNS runs.
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "dissectors/obix/state.h"
#include "tests/bench_time.h"

#define RUNS  7
#define BIG   (2u << 20)
#define SMALL 4000 /* documents of a run */
#define OBS   1024

static void XMLCALL start(void *arg, const XML_Char *n, const XML_Char **a)
{
	(void)n, (void)a;
	++*(uint64_t *)arg;
}

static void XMLCALL end(void *arg, const XML_Char *n)
{
	(void)arg, (void)n;
}

/* expat as a program would use it: one parser, reset between documents. */
static void bare(XML_Parser p, struct span doc)
{
	uint64_t count = 0;

	XML_ParserReset(p, NULL);
	XML_SetUserData(p, &count);
	XML_SetElementHandler(p, start, end);
	for (size_t at = 0; at < doc.n; at += OBIX_WINDOW) {
		struct span part = span_sub(doc, at, OBIX_WINDOW);

		if (XML_Parse(p, (const char *)part.p, (int)part.n,
			      at + part.n == doc.n) != XML_STATUS_OK)
			exit(2);
	}
	if (count == 0)
		exit(2);
}

struct bench {
	struct obix_machine *m;
	struct arena arena;
	struct obs_list out;
	struct dis_ctx dis;
	uint8_t memory[256 * 1024];
};

static void ours(struct bench *b, struct span doc, uint16_t kind)
{
	struct obix_scan at = {0};
	struct obix_ask ask = {.kind = kind};
	struct obix_ctx c = {.dis = &b->dis,
			     .m = b->m,
			     .at = &at,
			     .ask = &ask,
			     .method = span_str("POST"),
			     .path = span_str("/obix/log/query")};
	struct err e = {0};
	size_t from = 0, len;

	while (from < doc.n) {
		struct obix_body body = {
			span_sub(doc, from, OBIX_WINDOW + 1), OBIX_WINDOW,
			doc.n - from, false};

		if (obix_frame(b->m, &at, &body, &len, &e) != FRAME_UNIT)
			exit(2);
		c.first = from == 0;
		c.last = from + len == doc.n;
		b->out.n = 0;
		arena_reset(&b->arena);
		if (obix_read(&c, span_sub(doc, from, len), &b->out, &e)) {
			fprintf(stderr, "bench_obix: %s\n", e.text);
			exit(2);
		}
		obix_settle(b->m, true);
		from += len;
	}
}

static struct span history(void)
{
	uint8_t *buf = malloc(BIG + 4096);
	size_t n;

	if (!buf)
		exit(2);
	n = (size_t)sprintf((char *)buf,
			    "<obj is=\"obix:HistoryQueryOut\"><obj href=\"#R\">"
			    "<real name=\"value\" "
			    "unit=\"obix:units/kilowatt_hour\"/></obj>"
			    "<list name=\"data\" "
			    "of=\"#R obix:HistoryRecord\">");
	for (unsigned i = 0; n < BIG; i++)
		n += (size_t)sprintf(
			(char *)buf + n,
			"<obj><abstime name=\"timestamp\" "
			"val=\"2025-%02u-%02uT%02u:%02u:00.000Z\"/>"
			"<real name=\"value\" val=\"%u.5\"/></obj>\n",
			1 + i / 2688 % 12, 1 + i / 96 % 28, i / 4 % 24,
			i % 4 * 15, i);
	n += (size_t)sprintf((char *)buf + n, "</list></obj>");
	return span_of(buf, n);
}

int main(void)
{
	static const char poll[] =
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<obj is=\"obix:WatchOut\" "
		"xmlns=\"http://obix.org/ns/schema/1.0\">"
		"<list name=\"values\" of=\"obix:obj\">"
		"<real name=\"power\" displayName=\"Power\" "
		"href=\"/obix/meter/power/\" val=\"3.42\" "
		"unit=\"obix:units/kilowatt\" status=\"ok\"/>"
		"<real name=\"energy\" displayName=\"Energy\" "
		"href=\"/obix/meter/energy/\" val=\"8123.4\" "
		"unit=\"obix:units/kilowatt_hour\" status=\"ok\"/>"
		"</list></obj>\n";
	struct span big = history(), small = span_of(poll, sizeof(poll) - 1);
	static struct bench b;
	double t[4][RUNS];
	XML_Parser p = XML_ParserCreateNS(NULL, '\n');

	b.m = aligned_alloc(64, OBIX_MACHINE_OCTETS);
	b.out.v = malloc(OBS * sizeof(*b.out.v));
	if (!b.m || !b.out.v || !p)
		return 2;
	memset(b.m, 0, sizeof(*b.m));
	b.out.cap = OBS;
	b.arena = arena_of(b.memory, sizeof(b.memory));
	b.dis.arena = &b.arena;
	for (unsigned i = 0; i < RUNS; i++) {
		double at = now_ns();

		bare(p, big);
		t[0][i] = now_ns() - at;
		at = now_ns();
		ours(&b, big, OBS_OBIX_HISTORY_QUERY_REQUEST);
		t[1][i] = now_ns() - at;
		at = now_ns();
		for (unsigned k = 0; k < SMALL; k++)
			bare(p, small);
		t[2][i] = now_ns() - at;
		at = now_ns();
		for (unsigned k = 0; k < SMALL; k++)
			ours(&b, small, OBS_OBIX_WATCH_POLL_REQUEST);
		t[3][i] = now_ns() - at;
	}
	printf("{\"history\":{\"octets\":%zu,\"expat_ns_per_octet\":%.2f,"
	       "\"obix_ns_per_octet\":%.2f,\"ratio\":%.2f},"
	       "\"poll\":{\"octets\":%zu,\"expat_ns\":%.0f,\"obix_ns\":%.0f,"
	       "\"ratio\":%.2f}}\n",
	       big.n, median(t[0], RUNS) / (double)big.n,
	       median(t[1], RUNS) / (double)big.n, median(t[0], RUNS) / median(t[1], RUNS),
	       small.n, median(t[2], RUNS) / SMALL, median(t[3], RUNS) / SMALL,
	       median(t[2], RUNS) / median(t[3], RUNS));
	return 0;
}
