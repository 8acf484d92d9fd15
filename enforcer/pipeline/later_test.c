/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Batch that is longer than a unit: what its later items need is another
 * rule's, whose limits count each Batch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "enforcer/pipeline/webkit.h"

#define READ_ONE "<uri is='obix:Read' val='/obix/meter/demand/%03u/'/>"
#define WRITE_ONE                                                              \
	"<uri is='obix:Write' val='/obix/meter/limit/'><real name='in' "       \
	"val='5' unit='obix:units/euro'/></uri>"

/* Reads as many as one likes, and one message with writes a day. */
static struct kit *start(bool live)
{
	static const uint16_t party0[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party = {
		.id = "far", .name = "Far", .addr = &far, .n_addr = 1};
	struct pol_obs_match reads = {.kinds = web_kinds()}, writes = {0};
	struct pol_limit_phrase once = {.kind = LIMIT_CALENDAR,
					.thing = THING_MESSAGES,
					.n = 1,
					.window = WINDOW_DAY,
					.text = "1 message per day"};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT,
		 .id = "read",
		 .dir = DIRSEL_ANY,
		 .party = {.party = party0, .n_party = 1},
		 .match = &reads,
		 .n_match = 1			       },
		{ .kind = RULE_GRANT,
		 .id = "write",
		 .dir = DIRSEL_ANY,
		 .party = {.party = party0, .n_party = 1},
		 .match = &writes,
		 .n_match = 1,
		 .limit = &once,
		 .n_limit = 1,
		 .data = {.present = true, .meas = MEAS_ALL}},
	};
	struct pol_file f = {.kind = POL_VENDOR,
			     .unique = true,
			     .id = "v",
			     .vm = "mdma",
			     .path = "v.yaml",
			     .party = &party,
			     .n_party = 1,
			     .rule = rule,
			     .n_rule = 2};
	uint32_t w = OBS_OBIX_WRITE_REQUEST;

	reads.kinds.w[w / 64] &= ~(UINT64_C(1) << (w % 64));
	writes.kinds.w[w / 64] = UINT64_C(1) << (w % 64);
	far.addr.b[13] = 21;
	return web_open(&f, live);
}

/* n reads and a write behind them, in a POST. */
static size_t batch(char *b, size_t cap, unsigned n)
{
	char body[32768];
	size_t at = (size_t)snprintf(body, sizeof(body),
				     "<list is='obix:BatchIn'>");

	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(body + at, sizeof(body) - at, READ_ONE,
				       i);
	at += (size_t)snprintf(body + at, sizeof(body) - at,
			       WRITE_ONE "</list>");
	return (size_t)snprintf(b, cap,
				"POST /obix/batch HTTP/1.1\r\nHost: m\r\n"
				"Content-Length: %zu\r\n\r\n%s",
				at, body);
}

/* Whether all of it passes, in segments. */
static bool passes(struct kit *k, uint32_t *seq, const char *b, size_t n)
{
	bool all = true;

	for (size_t at = 0; at < n; at += 1000) {
		size_t len = n - at < 1000 ? n - at : 1000;
		struct kit_seg g = {.out = true,
				    .port = WEB_PORT,
				    .flags = TCP_PSH | TCP_ACK,
				    .seq = KIT_ISN + 1u + *seq,
				    .ack = KIT_ISN2 + 1u};
		uint64_t id = kit_tcp(k, &g, span_of(b + at, len));

		*seq += (uint32_t)len;
		all &= at + len < n ||
		       (k->verdict[id].n && k->verdict[id].v == PACKET_PASS);
	}
	return all;
}

static void later_items(void **state)
{
	static const unsigned reads[] = {0, 1, 100, 250};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		static char b[40000];
		struct kit *k = start(i & 1);
		size_t n = batch(b, sizeof(b), reads[i / 2]);
		uint32_t seq = 0;

		if (!passes(k, &seq, b, n))
			fail_msg("%u reads, first", reads[i / 2]);
		if (passes(k, &seq, b, n))
			fail_msg("%u reads, second", reads[i / 2]);
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_items),
	};

	return cmocka_run_group_tests_name("later units", tests, NULL, NULL);
}
