/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipeline tells a classifier, and what becomes of its answers: they
 * stand in the flow's end and in the list of flows, and whatever they are,
 * every packet has the verdict that it has without them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define HEARD 4096
#define FLOWS 64

/* It calls everything what would please most, and remembers what it heard. */
struct liar {
	struct classifier c;
	const char *name; /* NULL: it knows nothing */
	bool open[FLOWS];
	bool ended[FLOWS];
	uint8_t heard[2][HEARD]; /* by side, of all flows */
	size_t n[2];
	unsigned begins, ends;
};

static void begin(void *arg, uint32_t flow)
{
	struct liar *l = arg;

	assert_true(flow < FLOWS && !l->open[flow]);
	l->open[flow] = true;
	l->ended[flow] = false;
	l->begins++;
}

static void hear(void *arg, uint32_t flow, const struct net_tuple *t,
		 unsigned side, struct span octets, struct now now)
{
	struct liar *l = arg;

	(void)t;
	(void)now;
	assert_true(flow < FLOWS && l->open[flow] && side < 2 && octets.n);
	assert_true(l->n[side] + octets.n <= HEARD);
	memcpy(l->heard[side] + l->n[side], octets.p, octets.n);
	l->n[side] += octets.n;
}

static void end(void *arg, uint32_t flow)
{
	struct liar *l = arg;

	assert_true(flow < FLOWS && l->open[flow]);
	l->open[flow] = false;
	l->ended[flow] = true;
	l->ends++;
}

static bool answer(const void *arg, uint32_t flow, struct app *out)
{
	const struct liar *l = arg;

	assert_true(flow < FLOWS && (l->open[flow] || l->ended[flow]));
	if (!l->name)
		return false;
	snprintf(out->name, sizeof(out->name), "%s", l->name);
	out->confidence = CONFIDENCE_OCTETS;
	return true;
}

static void attach(struct kit *k, struct liar *l, const char *name)
{
	memset(l, 0, sizeof(*l));
	l->name = name;
	l->c = (struct classifier){l, begin, hear, end, answer};
	k->p->conf.classifier = &l->c;
}

/* --- scenes --------------------------------------------------------------- */

static void datagrams(struct kit *k, const char *letters)
{
	uint8_t b[2048], d[2100];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = kit_units(&w, letters);

	s = kit_udp(d, sizeof(d), false, KIT_PORT, s);
	kit_send(k, LINK_RAW,
		 kit_ip4(k, &(struct kit_ip){false, PROTO_UDP, 0, 0, false},
			 s));
}

static void segment(struct kit *k, uint32_t at, struct span s)
{
	kit_tcp(k, &(struct kit_seg){.out = true, .port = KIT_PORT,
				     .seq = KIT_ISN + 1 + at,
				     .ack = KIT_ISN2 + 1,
				     .flags = TCP_ACK | TCP_PSH},
		s);
}

static void play_allowed(struct kit *k)
{
	datagrams(k, "a");
	datagrams(k, "c");
}

static void play_denied(struct kit *k)
{
	datagrams(k, "d");
	datagrams(k, "b");
	datagrams(k, "f");
}

static void play_stream(struct kit *k)
{
	uint8_t b[512];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = kit_units(&w, "ac");

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	segment(k, 20, span_sub(s, 20, 20)); /* too early */
	segment(k, 0, span_sub(s, 0, 20));
	segment(k, 0, span_sub(s, 0, 20)); /* again */
	segment(k, 40, span_sub(s, 40, s.n - 40));
}

static void play_refused_stream(struct kit *k)
{
	uint8_t b[512];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = kit_units(&w, "adf");

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	segment(k, 0, s);
	segment(k, (uint32_t)s.n, s);
}

static void play_http(struct kit *k)
{
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	segment(k, 0, span_str("GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"));
}

static const struct {
	const char *why;
	void (*play)(struct kit *k);
} scenes[] = {
	{"what policy allows", play_allowed},
	{"what it refuses, and what is no message", play_denied},
	{"a stream, in disorder and partly twice", play_stream},
	{"a stream that is refused in the middle", play_refused_stream},
	{"a protocol that nobody granted", play_http},
};

#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

static const char *const lies[] = {"c1222", "opaque", "DNS", "TLS.Google",
				   NULL};

/* As it was without: verdicts, their reasons, and all that was told. */
static void same(const struct kit *a, const struct kit *b, const char *why)
{
	if (a->id != b->id || a->n_events != b->n_events)
		fail_msg("%s: %u events, not %u", why, b->n_events,
			 a->n_events);
	for (uint64_t i = 1; i <= a->id; i++) {
		if (a->verdict[i].v != b->verdict[i].v ||
		    a->verdict[i].why != b->verdict[i].why)
			fail_msg("%s: packet %llu", why,
				 (unsigned long long)i);
	}
	for (uint32_t i = 0; i < a->n_events; i++) {
		const struct kit_event *x = &a->event[i], *y = &b->event[i];

		if (x->type != y->type || x->verdict != y->verdict ||
		    x->reason != y->reason || x->dir != y->dir ||
		    x->cnt != y->cnt || x->used != y->used ||
		    x->octets != y->octets || x->leaf != y->leaf ||
		    x->n_leaves != y->n_leaves || x->flow_end != y->flow_end)
			fail_msg("%s: event %u", why, i);
	}
}

static void changes_no_verdict(void **state)
{
	static struct liar l;

	(void)state;
	for (size_t i = 0; i < 2 * SCENES; i++) {
		bool policy = i % 2;
		struct kit *a = kit_new(policy, false);

		scenes[i / 2].play(a);
		kit_end(a);
		for (size_t j = 0; j < sizeof(lies) / sizeof(lies[0]); j++) {
			struct kit *b = kit_new(policy, false);

			attach(b, &l, lies[j]);
			scenes[i / 2].play(b);
			kit_end(b);
			same(a, b, scenes[i / 2].why);
			if (b->bad[0])
				fail_msg("%s: %s", scenes[i / 2].why, b->bad);
			assert_int_equal(l.begins, l.ends);
			assert_true(l.begins > 0);
			kit_free(b);
		}
		kit_free(a);
	}
}

/* In order, each octet once. */
static void hears_the_stream(void **state)
{
	static struct liar l;
	uint8_t b[512];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = kit_units(&w, "ac");

	(void)state;
	for (int policy = 0; policy < 2; policy++) {
		struct kit *k = kit_new(policy, false);

		attach(k, &l, NULL);
		play_stream(k);
		kit_end(k);
		assert_int_equal(l.n[0], s.n);
		assert_memory_equal(l.heard[0], s.p, s.n);
		assert_int_equal(l.n[1], 0);
		kit_free(k);
	}
}

/* --- where the answer stands ---------------------------------------------- */

struct ends {
	unsigned n, named;
};

static void on_event(void *arg, const struct event *ev)
{
	struct ends *e = arg;

	if (ev->type != EV_FLOW)
		return;
	if (!ev->flow_end) {
		assert_null(ev->message);
		return;
	}
	e->n++;
	if (!ev->message)
		return;
	e->named++;
	assert_int_equal(ev->message->kind, OBS_FLOW_CLOSE);
	assert_true(span_is(obs_get_span(ev->message, F_APP), "TLS.Google"));
	assert_true(span_is(obs_get_span(ev->message, F_CONFIDENCE),
			    "octets"));
}

static bool on_flow(void *arg, const struct flow_view *v)
{
	const bool *named = arg;

	assert_string_equal(v->guess.name, *named ? "TLS.Google" : "");
	assert_int_equal(v->guess.confidence,
			 *named ? CONFIDENCE_OCTETS : CONFIDENCE_NONE);
	return true;
}

static void answers_are_told(void **state)
{
	static struct liar l;

	(void)state;
	for (size_t j = 0; j < 3; j++) {
		bool named = j == 0;
		struct kit *k = kit_new(true, false);
		struct ends e = {0};

		if (j < 2) /* else nobody is asked */
			attach(k, &l, named ? "TLS.Google" : NULL);
		k->more = on_event;
		k->arg = &e;
		play_allowed(k);
		pipeline_flows(k->p, on_flow, &named);
		kit_end(k);
		assert_true(e.n > 0);
		assert_int_equal(e.named, named ? e.n : 0);
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_no_verdict),
		cmocka_unit_test(hears_the_stream),
		cmocka_unit_test(answers_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
