/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/eve.h"
#include "audit/sample.h"

static uint8_t line[EVE_LINE_MAX];

static const char *render(const struct event *ev, struct eve_opts o)
{
	struct json j = json_of(line, sizeof(line) - 1);

	o.service_name = sample_service;
	assert_true(eve_event(&j, ev, &o));
	line[j.w.n] = 0;
	return (const char *)line;
}

static const char *text(const struct event *ev)
{
	struct wbuf w = wbuf_of(line, sizeof(line) - 1);
	struct eve_opts o = {0};

	assert_true(eve_text(&w, ev, &o));
	line[w.n] = 0;
	return (const char *)line;
}

#define HEAD                                                                   \
	"{\"timestamp\":\"2023-11-14T22:13:20.000000+0000\","                  \
	"\"flow_id\":81985529216486895,\"pcap_cnt\":1,"
#define TUPLE                                                                  \
	"\"src_ip\":\"10.20.0.10\",\"src_port\":1153,"                         \
	"\"dest_ip\":\"10.20.0.1\",\"dest_port\":40000,\"proto\":\"UDP\","     \
	"\"app_proto\":\"c1222\","
#define CARRIER                                                                \
	"\"c1222\":{\"called\":\".71.1001\",\"calling\":null,"                 \
	"\"called_inv\":null,\"calling_inv\":7,\"security_mode\":1,"           \
	"\"mac\":\"ok\",\"response_control\":null,\"notes\":[\"old-iv\"],"          \
	"\"auth_element_present\":false,"
#define RULES                                                                  \
	"\"rules\":[{\"layer\":\"baseline\",\"policy\":\"platform-daily\","    \
	"\"rule\":\"metering\",\"file\":\"baseline.yaml\",\"line\":40,"        \
	"\"serial\":7},{\"layer\":\"vendor\",\"policy\":\"reference-mdma\","   \
	"\"rule\":\"send-profile\",\"file\":\"metering.yaml\",\"line\":42,"    \
	"\"serial\":3}],"                                                      \
	"\"budgets\":[{\"name\":\"48 readings per day\",\"used\":48,"          \
	"\"limit\":48}]"

static void a_decision(void **state)
{
	struct sample s;

	(void)state;
	assert_string_equal(
		render(sample_decision(&s, 0), (struct eve_opts){0}),
		HEAD "\"event_type\":\"decision\"," TUPLE CARRIER
		"\"services\":[{\"code\":0,\"name\":\"ok\",\"table\":64,"
		"\"index\":[1,2]}]},"
		"\"metergate\":{\"verdict\":\"allow\","
		"\"rule\":\"send-profile\",\"guest\":\"mdma\","
		"\"party\":\"headend\",\"direction\":\"out\","
		"\"measurement\":\"energy.interval\",\"granularity_s\":1800,"
		"\"readings\":48,\"oldest\":-3,"
		"\"op\":\"read-response\",\"object\":\"table 64\","
		"\"leaves\":[\"c1222.read-response\",\"c1222.wait-request\"],"
		"\"octets\":96," RULES "}}\n");
}

static void a_violation(void **state)
{
	struct sample s;

	(void)state;
	assert_string_equal(
		render(sample_violation(&s, 0),
		       (struct eve_opts){.has_seq = true, .seq = 12}),
		HEAD "\"event_type\":\"violation\"," TUPLE CARRIER
		"\"services\":[{\"code\":112,\"name\":null,\"seconds\":112}]},"
		"\"metergate\":{\"seq\":12,\"verdict\":\"deny\","
		"\"rule\":\"send-profile\",\"reason\":\"too-soon\","
		"\"reasons\":[\"too-soon\",\"bad-mac\"],"
		"\"detail\":\"3 h after the previous one, at least 20 h are "
		"needed\",\"guest\":\"mdma\",\"party\":\"headend\","
		"\"direction\":\"out\",\"op\":\"wait-request\","
		"\"leaves\":[\"c1222.read-response\",\"c1222.wait-request\"],"
		"\"octets\":96," RULES
		",\"would_pass\":\"the same in 17 h\"}}\n");
}

/* A message: all of its services, with what each discloses. */
static void a_message(void **state)
{
	struct sample s;
	struct event *ev = sample_decision(&s, 0);

	(void)state;
	ev->type = EV_PROTOCOL;
	ev->verdict = VERDICT_NONE;
	ev->n_rules = ev->n_budgets = 0;
	assert_string_equal(
		render(ev, (struct eve_opts){0}),
		HEAD "\"event_type\":\"c1222\"," TUPLE CARRIER
		"\"services\":[{\"code\":0,\"name\":\"ok\",\"table\":64,"
		"\"index\":[1,2],\"measurement\":\"energy.interval\","
		"\"granularity_s\":1800,\"readings\":48,\"oldest\":-3},"
		"{\"code\":112,\"name\":null,\"seconds\":112}]},"
		"\"metergate\":{\"guest\":\"mdma\",\"party\":\"headend\","
		"\"direction\":\"out\",\"octets\":96}}\n");
	assert_non_null(strstr(render(ev, (struct eve_opts){.values = true}),
			       "\"data\":\"77686174207761732073616964\""));
	assert_non_null(strstr((char *)line, "\"value_max\":123456"));
}

/* Parts of messages that have a form of their own. */
static void forms(void **state)
{
	static const struct {
		const char *why;
		enum field f;
		uint64_t v;
		const char *octets;
		bool values, leaf;
		const char *want, *not;
	} rows[] = {
		{"an IV as its octets",          F_IV,          0x0153f2f4, NULL,
		 false,						       false, "\"iv\":\"0153f2f4\"",			   NULL	       },
		{"key id and IV are there",      F_AUTH_KIND,   1,	    NULL,
		 false,						       false, "\"auth_element_present\":true",		   "\"auth\":" },
		{"a vendor's value",	     F_AUTH_KIND,   3,	    NULL,
		 false,						       false, "\"auth\":[\"octet\",null,null]",	     "\"auth_k"   },
		{"the result of a procedure",    F_PROC_RESULT, 5,	    NULL,
		 false,						       true,  "\"result\":5",				 "procedure_"  },
		{"a response code is the code",  F_RESULT,      3,	    NULL,
		 false,						       true,  "\"code\":0",				     "\"result\""  },
		{"a procedure of the standard",  F_PROCEDURE,   10,	    NULL,
		 false,						       true,
		 "\"procedure\":10,\"proc\":10,\"mfg\":false",	       NULL},
		{"a procedure of the maker",     F_PROCEDURE,   2053,       NULL,
		 false,						       true,
		 "\"procedure\":2053,\"proc\":5,\"mfg\":true",		 NULL},
		{"values, asked for",	    F_DECODED,     0,	    "{\"hw\":[1,0]}",
		 true,							true,  "\"decoded\":{\"hw\":[1,0]}",		     NULL	      },
		{"values, not asked for",	F_DECODED,     0,	    "{\"hw\":[1,0]}",
		 false,						       true,  "\"name\":\"ok\"",			       "decoded"     },
		{"parameters, not asked for",    F_PARAMS,      0,	    "secret",
		 false,						       true,  "\"name\":\"ok\"",			       "params"      },
		{"identity, not asked for",      F_IDENTITY,    0,	    "SM1",
		 false,						       true,  "\"name\":\"ok\"",			       "SM1"	     },
		{"nor a segment that is none",   F_OCTETS,      1,	    NULL,
		 false,						       false, "\"octets\":1",				"segment"     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample s;
		struct event *ev = sample_decision(&s, 0);
		struct obs *o = rows[i].leaf ? &s.leaves[0] : &s.carrier;
		struct eve_opts opt = {.values = rows[i].values};
		const char *got;

		ev->type = EV_PROTOCOL;
		if (rows[i].octets)
			obs_span(o, rows[i].f, span_str(rows[i].octets));
		else
			obs_u64(o, rows[i].f, rows[i].v);
		got = render(ev, opt);
		if (!strstr(got, rows[i].want) ||
		    (rows[i].not && strstr(got, rows[i].not)))
			fail_msg("%s: %s", rows[i].why, got);
	}
}

/* The exchange of C12.21: its tag, then what it holds. */
static void foreign_auth(void **state)
{
	struct sample s;
	struct event *ev = sample_decision(&s, 0);

	(void)state;
	obs_u64(&s.carrier, F_AUTH_KIND, 2);
	obs_span(&s.carrier, F_AUTH_VALUE, span_of("\x80\x81\x03\1\2\3", 6));
	assert_non_null(strstr(render(ev, (struct eve_opts){.values = true}),
			       "\"auth\":[\"c1221\",128,\"010203\"]"));
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"auth\":[\"c1221\",null,null]"));
}

/* Where a segment lies in its message. */
static void a_segment(void **state)
{
	struct sample s;
	struct event *ev = sample_decision(&s, 0);

	(void)state;
	obs_u64(&s.carrier, F_SEG_TOTAL, 812);
	obs_u64(&s.carrier, F_SEG_OFFSET, 600);
	obs_u64(&s.carrier, F_SEG_LENGTH, 212);
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"segment\":{\"offset\":600,\"length\":212,"
			       "\"total\":812}"));
}

static void an_anomaly_and_a_flow(void **state)
{
	struct sample s;

	(void)state;
	assert_string_equal(
		render(sample_anomaly(&s, 0), (struct eve_opts){0}),
		HEAD "\"event_type\":\"anomaly\"," TUPLE
		"\"anomaly\":{\"type\":\"policy\",\"event\":\"malformed\","
		"\"reason\":\"malformed\"},"
		"\"metergate\":{\"verdict\":\"deny\",\"reason\":\"malformed\","
		"\"guest\":\"mdma\",\"direction\":\"out\",\"octets\":96}}\n");
	assert_string_equal(
		render(sample_flow(&s, 0), (struct eve_opts){0}),
		HEAD "\"event_type\":\"flow\"," TUPLE
		"\"flow\":{\"state\":\"closed\",\"pkts_out\":5,\"pkts_in\":0,"
		"\"bytes_out\":0,\"bytes_in\":1048576,\"age\":2},"
		"\"metergate\":{\"guest\":\"mdma\",\"direction\":\"out\","
		"\"octets\":96}}\n");
}

static void addresses_and_protocols(void **state)
{
	struct sample s;
	struct event *ev = sample_anomaly(&s, 0);

	(void)state;
	memset(&ev->tup, 0, sizeof(ev->tup));
	ev->tup.src.b[0] = 0xfe;
	ev->tup.src.b[1] = 0x80;
	ev->tup.src.b[15] = 1;
	ev->tup.dst = sample_addr(255);
	ev->tup.proto = 58;
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"src_ip\":\"fe80::1\","
			       "\"dest_ip\":\"10.20.0.255\","
			       "\"proto\":\"IPv6-ICMP\""));
	ev->tup.proto = 132;
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"proto\":132"));
	ev->has_tuple = false;
	assert_null(strstr(render(ev, (struct eve_opts){0}), "src_ip"));
}

/* What occurs more than once becomes a list; a trace's titles always are. */
static void repeated_facts_are_lists(void **state)
{
	struct sample s;
	struct event *ev = sample_decision(&s, 0);
	struct obs_list l = {s.leaves, 0, 3};
	struct obs *o = obs_add(&l, OBS_C1222_TRACE_RESPONSE);
	struct span title = span_of(sample_title, sizeof(sample_title));

	(void)state;
	obs_u64(o, F_CODE, 0);
	obs_span(o, F_AP_TITLE, title);
	ev->type = EV_PROTOCOL;
	ev->n_leaves = 1;
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"ap_titles\":[\".71.1001\"]"));
	obs_span(o, F_AP_TITLE, span_of("\x2b\x06", 2));
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"ap_titles\":[\".71.1001\",\"1.3.6\"]"));
	/* A title that is none, right behind the base. */
	o->n = 1;
	obs_span(o, F_AP_TITLE, span_of("\x60\x7c\x86\xf7\x54\x01\x16\x00\x80",
					9));
	assert_non_null(strstr(render(ev, (struct eve_opts){0}),
			       "\"ap_titles\":[\"?\"]"));
}

/* Octets of peers: valid JSON, and nothing that moves a terminal's cursor. */
static void hostile_octets_are_escaped(void **state)
{
	static const char octets[] = "\"}\\\n\x1b[2J\x7f\xff\xc3\xa9\0x";
	struct span bad = span_of(octets, sizeof(octets) - 1);
	struct sample s;
	struct event *ev = sample_violation(&s, 0);
	const char *t;

	(void)state;
	ev->guest = ev->party = ev->would_pass = bad;
	ev->rules[1].rule = ev->rules[1].policy = ev->rules[1].file = bad;
	ev->budgets[0].name = bad;
	assert_non_null(strstr(
		render(ev, (struct eve_opts){0}),
		"\"guest\":\"\\\"}\\\\\\n\\u001b[2J\\u007f\\u00ff\xc3\xa9"
		"\\u0000x\""));
	for (const char *p = (char *)line; *p; p++)
		assert_true((uint8_t)*p >= 0x20 || (*p == '\n' && !p[1]));
	t = text(ev);
	assert_non_null(strstr(t, "\"}\\x5c\\x0a\\x1b[2J\\x7f\\xff\\xc3\\xa9"
				  "\\x00x -> "));
	for (const char *p = t; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || (*p == '\n' && !p[1]));
}

static void what_does_not_fit_is_no_line(void **state)
{
	struct eve_opts o = {0};
	struct sample s;
	const struct event *ev = sample_violation(&s, 0);
	size_t n = strlen(render(ev, o));

	(void)state;
	for (size_t cap = 0; cap < n; cap += 7) {
		struct json j = json_of(line, cap);
		struct wbuf w = wbuf_of(line, cap / 8);

		assert_false(eve_event(&j, ev, &o));
		assert_false(cap < 400 && eve_text(&w, ev, &o));
	}
}

static void lines_for_people(void **state)
{
	struct sample s;
	struct event *ev;

	(void)state;
	assert_string_equal(
		text(sample_decision(&s, 0)),
		"2023-11-14T22:13:20.000000Z allow decision mdma -> headend "
		"c1222.read-response table 64 energy.interval, 48 readings "
		"every 1800 s; rule reference-mdma/send-profile "
		"(metering.yaml:42)\n");
	assert_string_equal(
		text(sample_violation(&s, 0)),
		"2023-11-14T22:13:20.000000Z deny violation mdma -> headend "
		"c1222.wait-request: too-soon, 3 h after the previous one, at "
		"least 20 h are needed; rule reference-mdma/send-profile "
		"(metering.yaml:42); would pass: the same in 17 h\n");
	ev = sample_anomaly(&s, 0);
	ev->dir = DIR_IN;
	ev->guest = (struct span){0};
	assert_string_equal(
		text(ev), "2023-11-14T22:13:20.000000Z deny anomaly - <- "
			  "10.20.0.10:1153: malformed\n");
	assert_string_equal(text(sample_policy(&s, 0)),
			    "2023-11-14T22:13:20.000000Z allow policy mdma: activated\n");
}

/* What is written from memory is what would be written without: ends that
 * differ in one thing only, and share their place with the ones before. */
static void remembered(void **state)
{
	static const struct {
		const char *why;
		uint8_t src, dst, proto;
		uint16_t sport, dport;
		int64_t us;
	} rows[] = {
		{"the first",	  10, 1, 17, 1153, 40000, 1},
		{"the same",	  10, 1, 17, 1153, 40000, 1},
		{"another time",   10, 1, 17, 1153, 40000, 2},
		{"another source", 11, 1, 17, 1153, 40000, 2},
		{"another target", 11, 2, 17, 1153, 40000, 2},
		{"another proto",  11, 2, 6,  1153, 40000, 2},
		{"other ports",	   11, 2, 6,  1153 + EVE_MEMO, 40000, 2},
		{"other ports",	   11, 2, 6,  1153, 40000 + EVE_MEMO, 2},
		{"the first",	  10, 1, 17, 1153, 40000, 1},
		{"no time",	10, 1, 17, 1153, 40000, 0},
		{"before 1970",    10, 1, 17, 1153, 40000, -1},
	};
	static struct eve_memo memo;
	static char without[EVE_LINE_MAX];
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct event ev = *sample_decision(&s, 0);

		ev.tup.src.b[15] = rows[i].src;
		ev.tup.dst.b[15] = rows[i].dst;
		ev.tup.proto = rows[i].proto;
		ev.tup.sport = rows[i].sport;
		ev.tup.dport = rows[i].dport;
		ev.now.wall.us = rows[i].us;
		strcpy(without, render(&ev, (struct eve_opts){0}));
		if (strcmp(render(&ev, (struct eve_opts){.memo = &memo}),
			   without) != 0)
			fail_msg("%s: %s", rows[i].why, without);
	}
}

/* Rules that differ in one thing only, and share their place. */
static void remembered_rules(void **state)
{
	static const struct {
		const char *why, *layer, *policy, *rule, *file;
		uint32_t line, n;
		uint64_t serial;
		bool refused;
	} rows[] = {
		{"the first", "vendor", "a.b", "read", "f", 7, 1, 1, false},
		{"the same", "vendor", "a.b", "read", "f", 7, 1, 1, false},
		{"another layer", "owner-", "a.b", "read", "f", 7, 1, 1, false},
		{"another policy", "owner-", "a.c", "read", "f", 7, 1, 1, false},
		{"texts cut elsewhere", "owner-a", ".c", "read", "f", 7, 1, 1, false},
		{"another rule", "owner-", "a.c", "real", "f", 7, 1, 1, false},
		{"another file", "owner-", "a.c", "real", "g", 7, 1, 1, false},
		{"another line", "owner-", "a.c", "real", "g", 7 + EVE_MEMO, 1, 1,
		 false},
		{"another serial", "owner-", "a.c", "real", "g", 7 + EVE_MEMO, 1, 2,
		 false},
		{"refused", "owner-", "a.c", "real", "g", 7 + EVE_MEMO, 1, 2, true},
		{"two", "owner-", "a.c", "real", "g", 7 + EVE_MEMO, 2, 2, true},
		{"the first", "vendor", "a.b", "read", "f", 7, 1, 1, false},
		{"none", "", "", "", "", 0, 0, 0, false},
		{"nothing said", "", "", "", "", 0, 1, 0, false},
	};
	static char without[EVE_LINE_MAX], file[EVE_RULES + 1];
	static struct eve_memo memo;
	struct sample s;

	(void)state;
	memset(file, 'x', EVE_RULES);
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		size_t at = i % (sizeof(rows) / sizeof(*rows));
		bool longer = i != at; /* than what is remembered */
		struct event ev = *sample_decision(&s, 0);

		ev.n_rules = rows[at].n;
		for (uint32_t k = 0; k < ev.n_rules; k++)
			ev.rules[k] = (struct event_rule){
				span_str(rows[at].layer),
				span_str(rows[at].policy),
				span_str(rows[at].rule),
				span_str(longer ? file : rows[at].file),
				rows[at].line, rows[at].serial,
				rows[at].refused};
		strcpy(without, render(&ev, (struct eve_opts){0}));
		if (strcmp(render(&ev, (struct eve_opts){.memo = &memo}),
			   without) != 0)
			fail_msg("%s: %s", rows[at].why, without);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembered_rules),
		cmocka_unit_test(a_decision),
		cmocka_unit_test(a_violation),
		cmocka_unit_test(a_message),
		cmocka_unit_test(forms),
		cmocka_unit_test(foreign_auth),
		cmocka_unit_test(a_segment),
		cmocka_unit_test(an_anomaly_and_a_flow),
		cmocka_unit_test(addresses_and_protocols),
		cmocka_unit_test(repeated_facts_are_lists),
		cmocka_unit_test(hostile_octets_are_escaped),
		cmocka_unit_test(what_does_not_fit_is_no_line),
		cmocka_unit_test(lines_for_people),
		cmocka_unit_test(remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
