/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers over lines that lose segments and change their order, on either
 * side of the gateway: what is held and not judged, early or in order, stays
 * within the hold limit at every moment, and everything arrives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/webkit.h"

#define MSS	1448
#define WINDOW	(48 * 1024)
#define STEP	(NS_PER_S / 1000)
#define RTO	300  /* steps without news */
#define PATIENT 400000
#define FLIGHT	256
#define ALL	(200 * 1000)

/* A segment on its way to the gateway. */
struct flying {
	bool used;
	uint32_t seq, n;
	unsigned due;
};

/* The server sends; places count from its first octet. */
struct line {
	struct kit *k;
	const uint8_t *octets;
	uint32_t n, una, next; /* of the server */
	uint32_t got;	       /* by the machine */
	uint32_t mine;	       /* next of the machine */
	unsigned lost, swapped; /* of 1000; swapped: steps of delay at most */
	bool live;
	unsigned now, news;
	uint64_t seed;
	struct flying at[FLIGHT];
	uint32_t seq[KIT_IDS], end[KIT_IDS]; /* by packet */
	uint32_t peak, gaps;
};

static uint32_t rnd(struct line *x, uint32_t below)
{
	x->seed = x->seed * UINT64_C(6364136223846793005) +
		  1442695040888963407u;
	return (uint32_t)(x->seed >> 33) % below;
}

static bool loses(struct line *x)
{
	return rnd(x, 1000) < x->lost;
}

/* What was captured, arrived: only a live gateway can send it again. */
static void arrives(struct line *x, uint32_t seq, uint32_t end)
{
	if (x->live && loses(x))
		return;
	if (seq <= x->got && end > x->got)
		x->got = end;
}

static void told(struct line *x, uint32_t upto)
{
	if (loses(x) || upto <= x->una || upto > x->n)
		return;
	x->una = upto;
	x->news = x->now;
	if (x->next < upto)
		x->next = upto;
}

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	struct line *x = arg;

	kit_on_verdict(x->k, id, v, why);
	if (v == PACKET_PASS && x->end[id])
		arrives(x, x->seq[id], x->end[id]);
	x->gaps += why == REASON_TCP_GAP;
}

static void on_event(void *arg, const struct event *ev)
{
	struct line *x = arg;

	kit_on_event(x->k, ev);
}

static void on_inject(void *arg, const struct segment_out *s)
{
	struct line *x = arg;

	if (s->flags & TCP_RST)
		fail_msg("reset after %u of %u octets", x->got, x->n);
	if (s->dir == DIR_IN && s->payload.n) {
		uint32_t seq = s->seq - KIT_ISN2 - 1;

		assert_memory_equal(s->payload.p, x->octets + seq,
				    s->payload.n);
		arrives(x, seq, seq + (uint32_t)s->payload.n);
	} else if (s->dir == DIR_OUT) {
		told(x, s->ack - KIT_ISN2 - 1);
	}
}

/* At every moment. */
static void look(struct line *x)
{
	const struct pipeline *p = x->k->p;

	for (uint32_t i = 0; i < p->flows.fresh; i++) {
		for (int s = 0; p->flow[i].used && s < 2; s++) {
			uint32_t n = side_waiting(p, &p->flow[i].side[s]);

			x->peak = n > x->peak ? n : x->peak;
		}
	}
	assert_true(x->peak <= PIPELINE_HOLD_OCTETS);
}

static void to_gateway(struct line *x, const struct flying *f)
{
	struct kit_seg g = {.port = WEB_PORT, .seq = KIT_ISN2 + 1 + f->seq,
			    .ack = x->mine, .flags = TCP_ACK | TCP_PSH};

	x->seq[x->k->id + 1] = f->seq;
	x->end[x->k->id + 1] = f->seq + f->n;
	kit_tcp(x->k, &g, span_of(x->octets + f->seq, f->n));
	look(x);
}

static void acknowledges(struct line *x)
{
	struct kit_seg g = {.out = true, .port = WEB_PORT, .seq = x->mine,
			    .ack = KIT_ISN2 + 1 + x->got, .flags = TCP_ACK};
	uint32_t got = x->got;

	if (!loses(x)) {
		uint64_t id = kit_tcp(x->k, &g, (struct span){0});

		if (x->k->verdict[id].v == PACKET_PASS)
			told(x, got);
	}
	look(x);
}

static void sends(struct line *x)
{
	for (int i = 0; i < FLIGHT; i++) {
		struct flying *f = &x->at[i];

		if (f->used || x->next >= x->n || x->next - x->una >= WINDOW)
			continue;
		*f = (struct flying){
			.used = !loses(x), .seq = x->next,
			.n = x->n - x->next < MSS ? x->n - x->next : MSS,
			.due = x->now + 1 + x->next / MSS % 2 +
			       rnd(x, 1 + x->swapped)};
		x->next += f->n;
	}
}

/* In the order in which they are due. */
static void fly(struct line *x)
{
	for (int i = 0; i < FLIGHT; i++) {
		struct flying *f = &x->at[i];

		if (!f->used || f->due > x->now)
			continue;
		f->used = false;
		to_gateway(x, f);
	}
}

static void transfer(struct line *x)
{
	uint32_t was = 0;

	while (x->una < x->n && x->now < PATIENT) {
		x->now++;
		sends(x);
		fly(x);
		if (x->got != was || x->now % 50 == 0)
			acknowledges(x);
		was = x->got;
		if (x->now - x->news > RTO) {
			x->news = x->now;
			x->next = x->una;
		}
		kit_wait(x->k, STEP);
		pipeline_tick(x->k->p, x->k->now, &x->k->sink);
		look(x);
	}
}

static size_t put_head(char *to, size_t cap, const char *type, size_t n)
{
	return (size_t)snprintf(to, cap, "HTTP/1.1 200 OK\r\nContent-Type: "
				"%s\r\nContent-Length: %zu\r\n\r\n", type, n);
}

/* A page, or records of a history. */
static size_t make(char *to, bool records)
{
	static const char one[] = "<obj><bool name='on' val='true'/></obj>\n";
	size_t many = ALL / (sizeof(one) - 1), at;

	if (!records) {
		at = put_head(to, 200, "application/octet-stream", ALL);
		memset(to + at, 'x', ALL);
		return at + ALL;
	}
	at = put_head(to, 200, "text/xml", 13 + many * (sizeof(one) - 1));
	memcpy(to + at, "<list>", 6);
	at += 6;
	for (size_t i = 0; i < many; i++, at += sizeof(one) - 1)
		memcpy(to + at, one, sizeof(one) - 1);
	memcpy(to + at, "</list>", 7);
	return at + 7;
}

static void one_transfer(bool records, bool live, unsigned lost,
			 unsigned swapped)
{
	static const char ask[] = "GET /obix/all HTTP/1.1\r\nHost: far\r\n\r\n";
	struct line *x = calloc(1, sizeof(*x));
	char *octets = malloc(ALL + 1000);
	struct kit_seg g = {.out = true, .port = WEB_PORT, .seq = KIT_ISN + 1,
			    .ack = KIT_ISN2 + 1, .flags = TCP_ACK | TCP_PSH};

	assert_true(x && octets);
	*x = (struct line){.k = web_new(live), .live = live, .octets = (uint8_t *)octets,
			   .n = (uint32_t)make(octets, records),
			   .mine = KIT_ISN + sizeof(ask), .lost = lost,
			   .swapped = swapped, .seed = lost + swapped};
	kit_tcp(x->k, &g, span_str(ask));
	x->k->sink = (struct pipeline_sink){.arg = x,
					    .verdict = on_verdict,
					    .event = on_event,
					    .inject = on_inject};
	transfer(x);
	printf("%s, %u of 1000 lost, %u ms: %u ms, at most %u octets waited, "
	       "%u packets dropped behind gaps%s\n",
	       records ? "records" : "a page", lost, swapped, x->now, x->peak,
	       x->gaps, live ? "" : ", replayed");
	if (x->una != x->n)
		fail_msg("%u of %u octets", x->una, x->n);
	assert_int_equal(x->got, x->n);
	x->k->sink.arg = x->k;
	x->k->sink.verdict = kit_on_verdict;
	x->k->sink.event = kit_on_event;
	x->k->sink.inject = kit_on_inject;
	kit_end(x->k);
	if (x->k->bad[0])
		fail_msg("%s", x->k->bad);
	kit_free(x->k);
	free(octets);
	free(x);
}

static void lines_that_lose(void **state)
{
	static const unsigned lines[][2] = {
		{0, 0}, {0, 8}, {10, 0}, {30, 12}, {80, 40}};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (int how = 0; how < 4; how++)
			one_transfer(how & 1, how & 2, lines[i][0],
				     lines[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_lose),
	};

	return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
