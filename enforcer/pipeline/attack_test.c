/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of attacks on readers of HTTP and XML, played through the gateway
 * under a policy that grants everything they could be: each ends in an anomaly
 * of the reason its row says and in a refusal, whoever sends it and however it
 * is split. What is read of the same families is played too, and passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define H  "Host: m.example\r\n"
#define E  "\r\n"
#define UP "GET / HTTP/1.1\r\n" H
#define PORT 80 /* what comes there is HTTP's to refuse */

#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}

struct attack {
	const char *why;
	struct span octets;
	enum reason want;
	const char *type; /* of XML; NULL: text/xml */
};

#define ROW(why, text, want) {why, S(text), REASON_##want, NULL},
#define NO_ROW(why, text, want)

static const struct attack requests[] = {
#define REQUEST	 ROW
#define RESPONSE NO_ROW
#include "dissectors/http/heads.def"
#include "dissectors/http/attacks.def"
#undef REQUEST
#undef RESPONSE
};

static const struct attack responses[] = {
#define REQUEST	 NO_ROW
#define RESPONSE ROW
#include "dissectors/http/heads.def"
#include "dissectors/http/attacks.def"
#undef REQUEST
#undef RESPONSE
};

static const struct attack documents[] = {
#define X(why, body, want, type) {why, S(body), REASON_##want, type},
#include "dissectors/obix/attacks.def"
#undef X
};

/* Of the same families, and read. */
static const struct attack fine[] = {
	ROW("a request", UP E, NONE)
	ROW("two, and a body with its length", UP E "PUT /x HTTP/1.1\r\n" H
	    "Content-Length: 5\r\n" E "abcde" UP E, NONE)
	ROW("chunks", "PUT /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" E
	    "5\r\nabcde\r\n0\r\n\r\n" UP E, NONE)
	ROW("leave to send a batch is waited for", "POST /batch HTTP/1.1\r\n" H
	    "Expect: 100-continue\r\nContent-Length: 61\r\n" E
	    "<list is='obix:BatchIn'><uri is='obix:Read' val='/a'/></list>",
	    NONE)
	ROW("a page in the charset of its country", "PUT /x HTTP/1.1\r\n" H
	    "Content-Type: text/plain; charset=gb2312\r\n"
	    "Content-Length: 5\r\n" E "abcde", NONE)
	ROW("JSON", "PUT /x HTTP/1.1\r\n" H "Content-Type: application/json\r\n"
	    "Content-Length: 19\r\n" E "{\"a\":[1,\"}\"],\"b\":2}", NONE)
	ROW("a body that holds a request", "PUT /x HTTP/1.1\r\n" H
	    "Content-Length: 36\r\n" E UP "abc", NONE)
};
static const struct attack fine_documents[] = {
	ROW("a document", "<obj><str name='a' val='b'/></obj>", NONE)
	ROW("XInclude, of another namespace",
	    "<obj xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include "
	    "href='file:///etc/passwd' parse='text'/></obj>", NONE)
	ROW("the five entities and a reference",
	    "<str val=\"&lt;&gt;&amp;&quot;&apos;&#x41;\"/>", NONE)
};

/* --- the connection --------------------------------------------------------- */

struct play {
	struct kit *k;
	uint32_t seq[2];  /* next to send, [0] the machine's */
	uint32_t left[2]; /* released */
	uint32_t end[KIT_IDS];
	bool out[KIT_IDS];
	bool refused;
	enum reason anomaly; /* the first */
	unsigned other;	     /* violations, but of what shared its packet */
	char what[120];
};

static void released(struct play *p, bool out, uint32_t end)
{
	if ((int32_t)(end - p->left[!out]) > 0)
		p->left[!out] = end;
}

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	struct play *p = arg;

	if (v == PACKET_PASS)
		released(p, p->out[id], p->end[id]);
	else if (why != REASON_TCP_TAKEN_OVER)
		p->refused = true;
}

static void on_inject(void *arg, const struct segment_out *s)
{
	struct play *p = arg;

	if (s->flags & TCP_RST)
		p->refused = true;
	else if (s->payload.n)
		released(p, s->dir == DIR_OUT,
			 s->seq + (uint32_t)s->payload.n);
}

static void on_event(void *arg, const struct event *ev)
{
	struct play *p = arg;

	p->other += ev->type == EV_VIOLATION &&
		    ev->reason != REASON_SIBLING_DENIED;
	if (ev->type != EV_ANOMALY || ev->verdict != VERDICT_DENY ||
	    p->anomaly)
		return;
	p->anomaly = ev->reason;
	snprintf(p->what, sizeof(p->what), "%s", ev->detail ? ev->detail : "");
}

static void family_kinds(struct pol_kinds *s)
{
	for (int i = 0; i < OBS_COUNT; i++) {
		enum obs_family f = obs_family((enum obs_kind)i);

		if (f == OBS_FAMILY_HTTP || f == OBS_FAMILY_OBIX ||
		    f == OBS_FAMILY_OPAQUE)
			s->w[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

/* A kit under whose policy all of HTTP, oBIX and pages may come and go. */
static struct kit *everything(bool live)
{
	static const uint16_t far_only[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party = {.id = "far", .name = "Far",
				      .addr = &far, .n_addr = 1};
	struct pol_obs_match any = {0};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "all", .dir = DIRSEL_ANY,
		 .party = {.party = far_only, .n_party = 1}, .match = &any,
		 .n_match = 1, .data = {.present = true, .meas = MEAS_ALL}},
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = far_only, .n_party = 1}, .match = &any,
		 .n_match = 1},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 2};
	struct kit *k;

	family_kinds(&any.kinds);
	far.addr.b[13] = 21;
	k = kit_new_of(&f);
	k->bulk = true; /* whose checksums the kit does not make */
	k->p->conf.checksums = false;
	kit_live(k, live);
	return k;
}

static void send(struct play *p, bool out, uint8_t flags, struct span data)
{
	struct kit_seg g = {.out = out, .port = PORT, .seq = p->seq[!out],
			    .ack = flags & TCP_ACK ? p->left[out] : 0,
			    .flags = flags};
	uint64_t id = p->k->id + 1;

	assert_true(id < KIT_IDS);
	p->seq[!out] += (uint32_t)data.n + !!(flags & (TCP_SYN | TCP_FIN));
	p->end[id] = p->seq[!out];
	p->out[id] = out;
	kit_tcp(p->k, &g, data);
	kit_wait(p->k, NS_PER_S / 10000);
	pipeline_tick(p->k->p, p->k->now, &p->k->sink);
}

static void open_by(struct play *p, bool out)
{
	const struct span none = {0};

	p->seq[0] = p->left[0] = KIT_ISN;
	p->seq[1] = p->left[1] = KIT_ISN2;
	send(p, out, TCP_SYN, none);
	send(p, !out, TCP_SYN | TCP_ACK, none);
	send(p, out, TCP_ACK, none);
}

static void stream(struct play *p, bool out, struct span s, size_t mss)
{
	while (s.n && !p->refused) {
		size_t n = s.n < mss ? s.n : mss;

		send(p, out, TCP_ACK | TCP_PSH, span_sub(s, 0, n));
		s = span_from(s, n);
	}
}

/* --- playing ------------------------------------------------------------------ */

enum as { AS_REQUEST, AS_RESPONSE };

/* How a row is played. */
struct way {
	enum as as;
	bool out;   /* the machine sends it */
	bool live;
	size_t mss;
};

static void play(struct play *p, const struct way *w, struct span octets)
{
	bool by = w->as == AS_REQUEST ? w->out : !w->out; /* the client */

	memset(p, 0, sizeof(*p));
	p->k = everything(w->live);
	p->k->sink = (struct pipeline_sink){.arg = p, .verdict = on_verdict,
					    .event = on_event,
					    .inject = on_inject};
	open_by(p, by);
	if (w->as == AS_RESPONSE)
		stream(p, by, span_str("GET /x HTTP/1.1\r\n" H E), 1448);
	assert_false(p->refused);
	stream(p, w->out, octets, w->mss);
	/* What is not whole by now never will be. */
	if (!p->refused)
		send(p, w->out, TCP_ACK | TCP_FIN, (struct span){0});
	kit_free(p->k);
}

static unsigned judge(const struct attack *a, const struct way *w,
		      struct span octets)
{
	static struct play p;
	bool all;

	play(&p, w, octets);
	all = p.left[!w->out] - (w->out ? KIT_ISN : KIT_ISN2) - 1u >= octets.n;
	if (p.anomaly == a->want && p.refused == (a->want != REASON_NONE) &&
	    p.other == 0 && (a->want == REASON_NONE) == all)
		return 0;
	print_error("%s (%s, %s, of %zu%s): %s (%s), not %s%s%s\n", a->why,
		    w->as == AS_REQUEST ? "asked" : "answered",
		    w->out ? "out" : "in", w->mss, w->live ? ", live" : "",
		    reason_text(p.anomaly), p.what, reason_text(a->want),
		    p.other ? ", a violation" : "",
		    all ? ", and all of it left" : "");
	return 1;
}

static unsigned each_way(const struct attack *a, enum as as,
			 struct span octets)
{
	static const size_t mss[] = {1448, 1, 7};
	unsigned bad = 0;

	for (unsigned i = 0; i < 6; i++) {
		struct way w = {as, i % 2, i / 2 == 2, mss[i / 2]};

		/* As many packets as may be held of one connection. */
		if (octets.n > 256 && w.mss == 1)
			w.mss = 5;
		bad += judge(a, &w, octets);
	}
	return bad;
}

static unsigned each(const struct attack *a, size_t n, enum as as)
{
	unsigned bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += each_way(&a[i], as, a[i].octets);
	return bad;
}

/* What the client says, what is answered before the body that it asked leave
 * for, and what it says then. */
static const struct {
	const char *why;
	struct span asks, then;
	enum reason want;
	bool left; /* the request leaves, before its body comes */
} early[] = {
#define ASK "PUT /x HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 5\r\n"
#define ALONE ASK "Content-Type: text/event-stream\r\n" E
	{"an answer to what waits for its body", S(ASK E), S("abcde"),
	 REASON_INCOMPLETE, false},
	{"the next request", S(ALONE), S(UP E), REASON_TWO_READINGS, true},
	{"the body", S(ALONE), S("abcde"), REASON_TWO_READINGS, true},
};

static uint32_t left_of(const struct play *p, bool out)
{
	return p->left[!out] - (out ? KIT_ISN : KIT_ISN2) - 1u;
}

static void test_early(void **state)
{
	static const struct span no =
		S("HTTP/1.1 417 No\r\nContent-Length: 0\r\n" E);
	static struct play p;

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(early) / sizeof(*early); i++) {
		bool out = i & 1, live = i & 2, left = early[i / 4].left;
		size_t n = left ? early[i / 4].asks.n : 0;

		memset(&p, 0, sizeof(p));
		p.k = everything(live);
		p.k->sink = (struct pipeline_sink){.arg = &p,
						   .verdict = on_verdict,
						   .event = on_event,
						   .inject = on_inject};
		open_by(&p, out);
		stream(&p, out, early[i / 4].asks, 1448);
		assert_false(p.refused);
		assert_int_equal(left_of(&p, out), n);
		stream(&p, !out, no, 1448);
		assert_int_equal(p.refused, !left);
		stream(&p, out, early[i / 4].then, 1448);
		if (!p.refused || p.anomaly != early[i / 4].want ||
		    left_of(&p, out) != n ||
		    left_of(&p, !out) != (left ? no.n : 0))
			fail_msg("%s, %s, %s: %s (%s), %u left",
				 early[i / 4].why, out ? "out" : "in",
				 live ? "live" : "captured",
				 reason_text(p.anomaly), p.what,
				 left_of(&p, out));
		kit_free(p.k);
	}
}

/* A document as the body of a message, with its length or in chunks of 5. */
static struct span wrap(struct wbuf *b, const struct attack *a, enum as as,
			bool chunks)
{
	char text[200];
	struct span s = a->octets;

	snprintf(text, sizeof(text), "%s\r\nContent-Type: %s\r\n",
		 as == AS_REQUEST ? "PUT /obix/x HTTP/1.1\r\nHost: m.example" :
				    "HTTP/1.1 200 OK",
		 a->type ? a->type : "text/xml");
	wbuf_put(b, span_str(text));
	if (!chunks) {
		snprintf(text, sizeof(text), "Content-Length: %zu\r\n\r\n",
			 s.n);
		wbuf_put(b, span_str(text));
		wbuf_put(b, s);
		return wbuf_span(b);
	}
	wbuf_put(b, span_str("Transfer-Encoding: chunked\r\n\r\n"));
	while (s.n) {
		size_t n = s.n < 5 ? s.n : 5;

		snprintf(text, sizeof(text), "%zx\r\n", n);
		wbuf_put(b, span_str(text));
		wbuf_put(b, span_sub(s, 0, n));
		wbuf_put(b, span_str("\r\n"));
		s = span_from(s, n);
	}
	wbuf_put(b, span_str("0\r\n\r\n"));
	return wbuf_span(b);
}

static unsigned each_document(const struct attack *a, size_t n)
{
	static uint8_t octets[1 << 16];
	unsigned bad = 0;

	for (size_t i = 0; i < n; i++) {
		for (unsigned how = 0; how < 4; how++) {
			enum as as = how % 2 ? AS_RESPONSE : AS_REQUEST;
			struct wbuf b = wbuf_of(octets, sizeof(octets));
			struct span s = wrap(&b, &a[i], as, how / 2);

			assert_false(b.failed);
			bad += each_way(&a[i], as, s);
		}
	}
	return bad;
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static void what_is_read(void **state)
{
	(void)state;
	assert_int_equal(each(fine, COUNT(fine), AS_REQUEST), 0);
	assert_int_equal(each_document(fine_documents, COUNT(fine_documents)),
			 0);
}

static void attacks_of_http(void **state)
{
	(void)state;
	print_message("%zu requests, %zu responses\n", COUNT(requests),
		      COUNT(responses));
	assert_int_equal(each(requests, COUNT(requests), AS_REQUEST) +
				 each(responses, COUNT(responses),
				      AS_RESPONSE),
			 0);
}

static void attacks_of_xml(void **state)
{
	(void)state;
	print_message("%zu documents\n", COUNT(documents));
	assert_int_equal(each_document(documents, COUNT(documents)), 0);
}

/* What its type says identifies nothing. */
static void xml_in_event_streams(void **state)
{
	unsigned n = 0, bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct attack a = documents[i];

		if (a.type || a.octets.p[0] != '<')
			continue;
		a.type = "text/event-stream";
		bad += each_document(&a, 1);
		n++;
	}
	assert_true(n > 50);
	assert_int_equal(bad, 0);
}

/* A server may answer before it has the whole request; not twice. */
static void answered_early(void **state)
{
	static const char ask[] = "PUT /x HTTP/1.1\r\n" H
				  "Content-Length: 9000\r\n" E;
	static const char answer[] = "HTTP/1.1 200 OK\r\n"
				     "Content-Length: 2\r\n" E "ok";
	static uint8_t body[9000];

	(void)state;
	memset(body, 'x', sizeof(body));
	for (unsigned out = 0; out < 2; out++) {
		struct span rest = span_from(span_of(body, sizeof(body)), 1000);
		struct play p = {.k = everything(false)};

		p.k->sink = (struct pipeline_sink){.arg = &p,
						   .verdict = on_verdict,
						   .event = on_event,
						   .inject = on_inject};
		open_by(&p, out);
		stream(&p, out, span_str(ask), 1448);
		stream(&p, out, span_of(body, 1000), 1448);
		stream(&p, !out, span_str(answer), 1448);
		stream(&p, out, rest, 1448);
		stream(&p, out, span_str("GET /y HTTP/1.1\r\n" H E), 1448);
		stream(&p, !out, span_str(answer), 1448);
		assert_false(p.refused);
		assert_int_equal(p.left[0], p.seq[0]);
		assert_int_equal(p.left[1], p.seq[1]);
		stream(&p, !out, span_str(answer), 1448);
		assert_true(p.refused);
		assert_int_equal(p.anomaly, REASON_UNPAIRED);
		kit_free(p.k);
	}
}

/* No row is another one again. */
static void rows_differ(void **state)
{
	static const struct {
		const struct attack *row;
		size_t n;
	} lists[] = {{requests, COUNT(requests)},
		     {responses, COUNT(responses)},
		     {documents, COUNT(documents)}};

	(void)state;
	for (size_t l = 0; l < COUNT(lists); l++) {
		const struct attack *a = lists[l].row;

		for (size_t i = 0; i < lists[l].n; i++) {
			assert_int_not_equal(a[i].want, REASON_NONE);
			for (size_t j = 0; j < i; j++)
				if (span_eq(a[i].octets, a[j].octets) &&
				    a[i].type == a[j].type)
					fail_msg("%s: again %s", a[i].why,
						 a[j].why);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_early),
		cmocka_unit_test(rows_differ),
		cmocka_unit_test(what_is_read),
		cmocka_unit_test(attacks_of_http),
		cmocka_unit_test(attacks_of_xml),
		cmocka_unit_test(xml_in_event_streams),
		cmocka_unit_test(answered_early),
	};

	return cmocka_run_group_tests_name("attacks", tests, NULL, NULL);
}
