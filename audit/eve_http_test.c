/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP exchanges and oBIX objects as EVE lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/eve.h"
#include "audit/sample.h"

#define MOST 4

static uint8_t out[MOST][4096];

/* All lines of an event; returns how many. */
static unsigned render(const struct event *ev, bool values)
{
	unsigned n = eve_lines(ev);

	assert_true(n <= MOST);
	for (unsigned i = 0; i < n; i++) {
		struct eve_opts o = {.values = values, .line = i};
		struct json j = json_of(out[i], sizeof(out[i]) - 1);

		assert_true(eve_event(&j, ev, &o));
		out[i][j.w.n] = 0;
	}
	return n;
}

static void has(unsigned line, const char *what)
{
	if (!strstr((const char *)out[line], what))
		fail_msg("line %u: no %s in %s", line, what, out[line]);
}

static void has_not(unsigned line, const char *what)
{
	if (strstr((const char *)out[line], what))
		fail_msg("line %u: %s in %s", line, what, out[line]);
}

static void state(struct obs *o, const char *method, uint64_t status,
		  uint64_t body)
{
	if (method) {
		obs_span(o, F_METHOD, span_str(method));
		obs_span(o, F_HOST, span_str("meter.home"));
		obs_span(o, F_PATH, span_str("/obix/power"));
		obs_span(o, F_QUERY, span_str("a=1"));
	}
	if (status)
		obs_u64(o, F_STATUS, status);
	obs_span(o, F_CONTENT_TYPE, span_str("text/xml"));
	obs_u64(o, F_BODY, body);
}

/* A unit with these leaves; the message is stated by the carrier. */
static struct event *unit(struct sample *s, enum obs_kind carrier,
			  enum obs_kind a, enum obs_kind b)
{
	struct event *ev = sample_decision(s, 0);

	ev->type = EV_PROTOCOL;
	ev->app_proto = "http";
	ev->tup.proto = 6;
	ev->verdict = VERDICT_NONE;
	ev->n_rules = ev->n_budgets = 0;
	s->carrier = (struct obs){.kind = (uint16_t)carrier};
	s->leaves[0] = (struct obs){.kind = (uint16_t)a};
	s->leaves[1] = (struct obs){.kind = (uint16_t)b};
	ev->n_leaves = b ? 2 : 1;
	return ev;
}

static void object(struct obs *o)
{
	obs_span(o, F_HREF, span_str("/obix/power"));
	obs_span(o, F_IS, span_str("obix:Point"));
	obs_span(o, F_OBIX_UNIT, span_str("kilowatt"));
	obs_u64(o, F_MEASUREMENT, MEAS_BIT(MEAS_POWER_INSTANT));
	obs_u64(o, F_READINGS, 96);
	obs_u64(o, F_GRANULARITY, 900);
	obs_u64(o, F_SPAN_S, 86400);
	obs_u64(o, F_VALUES, 96);
	obs_u64(o, F_RES_UNIT, UNIT_W);
	obs_i64(o, F_VALUE_MIN, -5000);
	obs_i64(o, F_VALUE_MAX, 123456);
	obs_u64(o, F_NOTE, REASON_REPORTED);
}

static void an_exchange_with_objects(void **st)
{
	struct sample s;
	struct event *ev = unit(&s, OBS_HTTP_RESPONSE, OBS_OBIX_READ_RESPONSE,
				OBS_OBIX_WRITE_RESPONSE);

	(void)st;
	state(&s.carrier, "GET", 200, 1234);
	obs_flag(&s.carrier, F_LAST);
	object(&s.leaves[0]);
	obs_span(&s.leaves[1], F_HREF, span_str("/obix/setpoint"));
	obs_flag(&s.leaves[1], F_SLASH);
	obs_flag(&s.leaves[1], F_ECHO);
	assert_int_equal(render(ev, false), 3);
	has(0, "\"event_type\":\"obix\"");
	has(0, "\"app_proto\":\"http\",\"obix\":{\"op\":\"read-response\","
	       "\"uri\":\"/obix/power\",\"contract\":\"obix:Point\","
	       "\"unit\":\"kilowatt\",\"quantity\":\"power.instant\","
	       "\"records\":96,\"interval_s\":900,\"span_s\":86400,"
	       "\"values\":96,\"notes\":[\"reported\"]},\"metergate\"");
	has_not(0, "123456");
	has(1, "\"obix\":{\"op\":\"write-response\","
	       "\"uri\":\"/obix/setpoint/\",\"echo\":true},");
	has(2, "\"event_type\":\"http\"");
	has(2, "\"http\":{\"hostname\":\"meter.home\","
	       "\"url\":\"/obix/power?a=1\","
	       "\"http_content_type\":\"text/xml\",\"http_method\":\"GET\","
	       "\"status\":200,\"length\":1234},\"metergate\"");
	has_not(2, "obix:Point");
	assert_int_equal(render(ev, true), 3);
	has(0, "\"value_min\":-5000,\"value_max\":123456,"
	       "\"value_unit\":\"W\"}");
}

/* Which units say that an exchange ended. */
static void ends(void **st)
{
	static const struct {
		const char *why;
		enum obs_kind carrier, leaf;
		uint64_t status;
		bool on_leaf, last;
		unsigned lines;
		bool on; /* behind the first unit */
		bool open; /* until the connection ends */
	} rows[] = {
		{"a request ends nothing", OBS_FLOW_OPEN, OBS_HTTP_REQUEST, 0,
		 true, true, 0, false, false},
		{"an oBIX request is an object", OBS_HTTP_REQUEST,
		 OBS_OBIX_WRITE_REQUEST, 0, false, true, 1, false, false},
		{"a page", OBS_FLOW_OPEN, OBS_HTTP_RESPONSE, 404, true, true,
		 1, false, false},
		{"a page that goes on", OBS_FLOW_OPEN, OBS_HTTP_RESPONSE, 200,
		 true, false, 0, false, false},
		{"its last octets", OBS_FLOW_OPEN, OBS_OPAQUE, 200, true, true,
		 1, false, false},
		{"100 Continue", OBS_FLOW_OPEN, OBS_HTTP_RESPONSE, 100, true,
		 true, 0, false, false},
		{"records that go on", OBS_HTTP_RESPONSE,
		 OBS_OBIX_HISTORY_QUERY_RESPONSE, 200, false, false, 1, false, false},
		{"the last of them", OBS_HTTP_RESPONSE,
		 OBS_OBIX_HISTORY_QUERY_RESPONSE, 200, false, true, 2, false, false},
		{"a page until the connection ends", OBS_FLOW_OPEN,
		 OBS_HTTP_RESPONSE, 200, true, false, 1, false, true},
		{"more of it", OBS_FLOW_OPEN, OBS_HTTP_RESPONSE, 200, true,
		 false, 0, true, true},
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample s;
		struct event *ev = unit(&s, rows[i].carrier, rows[i].leaf, 0);

		state(rows[i].on_leaf ? &s.leaves[0] : &s.carrier, "GET",
		      rows[i].status, 10);
		if (rows[i].last)
			obs_flag(&s.carrier, F_LAST);
		if (rows[i].on)
			obs_flag(&s.carrier, F_CONTINUES);
		if (rows[i].open)
			obs_flag(&s.carrier, F_UNTIL_CLOSE);
		if (render(ev, false) != rows[i].lines)
			fail_msg("%s: %u lines", rows[i].why, eve_lines(ev));
	}
}

/* A judgement is one line: the exchange it belongs to and the object. */
static void a_violation(void **st)
{
	struct sample s;
	struct event *ev = unit(&s, OBS_HTTP_RESPONSE, OBS_OBIX_READ_RESPONSE,
				OBS_OBIX_WRITE_RESPONSE);
	struct wbuf w = wbuf_of(out[3], sizeof(out[3]) - 1);
	struct eve_opts o = {0};

	(void)st;
	state(&s.carrier, "POST", 200, 1234);
	object(&s.leaves[0]);
	ev->type = EV_VIOLATION;
	ev->verdict = VERDICT_DENY;
	ev->reason = REASON_TOO_FINE;
	assert_int_equal(render(ev, false), 1);
	has(0, "\"event_type\":\"violation\"");
	has(0, "\"http_method\":\"POST\"");
	has(0, "\"obix\":{\"op\":\"read-response\",\"uri\":\"/obix/power\"");
	has_not(0, "write-response\",");
	has(0, "\"op\":\"read-response\",\"object\":\"/obix/power\"");
	/* A path may hold what moves a cursor. */
	s.leaves[0] = (struct obs){.kind = OBS_OBIX_READ_RESPONSE};
	obs_span(&s.leaves[0], F_HREF, span_str("/a\x1b[2J\n"));
	assert_true(eve_text(&w, ev, &o));
	out[3][w.n] = 0;
	has(3, "obix.read-response /a\\x1b[2J\\x0a");
}

/* Without the request: read from the middle. */
static void half_an_exchange(void **st)
{
	struct sample s;
	struct event *ev = unit(&s, OBS_FLOW_OPEN, OBS_HTTP_RESPONSE, 0);

	(void)st;
	state(&s.leaves[0], NULL, 200, 3);
	obs_flag(&s.carrier, F_LAST);
	assert_int_equal(render(ev, false), 1);
	has(0, "\"http\":{\"http_content_type\":\"text/xml\",\"status\":200,"
	       "\"length\":3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_with_objects),
		cmocka_unit_test(ends),
		cmocka_unit_test(a_violation),
		cmocka_unit_test(half_an_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
