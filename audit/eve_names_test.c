/* SPDX-License-Identifier: Apache-2.0 */
/* Hellos of TLS and questions of DNS as EVE lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/eve.h"
#include "audit/sample.h"

static char out[4096];

static struct event *unit(struct sample *s, const char *app,
			  enum obs_kind carrier, enum obs_kind leaf)
{
	struct event *ev = sample_decision(s, 0);

	ev->type = EV_PROTOCOL;
	ev->app_proto = app;
	ev->verdict = VERDICT_NONE;
	ev->n_rules = ev->n_budgets = 0;
	s->carrier = (struct obs){.kind = (uint16_t)carrier};
	s->leaves[0] = (struct obs){.kind = (uint16_t)leaf};
	ev->n_leaves = 1;
	return ev;
}

static void render(const struct event *ev)
{
	struct eve_opts o = {0};
	struct json j = json_of(out, sizeof(out) - 1);

	assert_int_equal(eve_lines(ev), 1);
	assert_true(eve_event(&j, ev, &o));
	out[j.w.n] = 0;
}

static void has(const char *what)
{
	if (!strstr(out, what))
		fail_msg("no %s in %s", what, out);
}

static void test_hello(void **state)
{
	struct sample s;
	struct event *ev = unit(&s, "tls", OBS_TLS_HELLO, OBS_OPAQUE);

	(void)state;
	obs_span(&s.carrier, F_DNS_NAME, span_str("meter.example"));
	obs_span(&s.carrier, F_ALPN, span_str("h2"));
	obs_span(&s.carrier, F_ALPN, span_str("http/1.1"));
	obs_u64(&s.carrier, F_TLS_VERSION, 0x0303);
	obs_u64(&s.carrier, F_TLS_VERSION, 0x0304);
	render(ev);
	has("\"event_type\":\"tls\"");
	has("\"tls\":{\"sni\":\"meter.example\","
	    "\"versions\":[\"TLS 1.2\",\"TLS 1.3\"],"
	    "\"alpn\":[\"h2\",\"http/1.1\"]}");
	/* Of a judgement, too. */
	ev->type = EV_DECISION;
	render(ev);
	has("\"event_type\":\"decision\"");
	has("\"sni\":\"meter.example\"");
	/* A server names nothing. */
	ev = unit(&s, "tls", OBS_TLS_HELLO, OBS_OPAQUE);
	obs_u64(&s.carrier, F_TLS_VERSION, 0x0304);
	render(ev);
	has("\"tls\":{\"versions\":[\"TLS 1.3\"]}");
}

static void test_nothing(void **state)
{
	struct sample s;
	struct event *ev = unit(&s, "tls", OBS_FLOW_OPEN, OBS_OPAQUE);

	(void)state;
	assert_int_equal(eve_lines(ev), 0);
	ev->type = EV_DECISION; /* a judgement is always told */
	assert_int_equal(eve_lines(ev), 1);
	ev = unit(&s, "ntp", OBS_FLOW_OPEN, OBS_OPAQUE);
	obs_span(&s.leaves[0], F_APP, span_str("ntp"));
	render(ev);
	has("\"event_type\":\"ntp\"");
}

static void test_question(void **state)
{
	static const struct {
		enum obs_kind kind;
		uint64_t type;
		const char *want;
	} rows[] = {
		{OBS_DNS_QUERY, 28, "\"dns\":{\"type\":\"query\","
		 "\"rrname\":\"meter.example\",\"rrtype\":\"AAAA\"}"},
		{OBS_DNS_ANSWER, 1, "\"type\":\"answer\","
		 "\"rrname\":\"meter.example\",\"rrtype\":\"A\"}"},
		{OBS_DNS_QUERY, 257, "\"rrtype\":\"TYPE257\"}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sample s;
		struct event *ev = unit(&s, "dns", OBS_FLOW_OPEN, rows[i].kind);

		obs_span(&s.leaves[0], F_DNS_NAME, span_str("meter.example"));
		obs_u64(&s.leaves[0], F_DNS_TYPE, rows[i].type);
		render(ev);
		has("\"event_type\":\"dns\"");
		has(rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
