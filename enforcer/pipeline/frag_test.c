/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define REST UINT16_MAX

enum want { NOTHING, PASS, DROP, WAIT };

/* Parts of one datagram of 39 octets: a UDP header and one unit. */
struct part {
	uint16_t off, n;
	bool more;
	enum want want;
	enum reason why;
	uint16_t id;
	uint16_t place; /* claimed offset, when it is not off; octets */
};

struct row {
	const char *why;
	const char *units;
	struct part part[6];
	unsigned seconds; /* that go by after them */
	unsigned read;	  /* units */
};

#define P(from, len, m, what, ...)                                             \
	{.off = from, .n = len, .more = m, .want = what, __VA_ARGS__}
#define LATE .why = REASON_FRAGMENT_TIMEOUT
#define OVER .why = REASON_FRAGMENT_OVERLAP

/* clang-format off */
static const struct row rows[] = {
	{.why = "two parts in order", .units = "a", .read = 1,
	 .part = {P(0, 24, true, PASS), P(24, REST, false, PASS)}},
	{.why = "two parts swapped", .units = "a", .read = 1,
	 .part = {P(24, REST, false, PASS), P(0, 24, true, PASS)}},
	{.why = "five parts, the middle last", .units = "a", .read = 1,
	 .part = {P(0, 8, true, PASS), P(8, 8, true, PASS),
		  P(24, 8, true, PASS), P(32, REST, false, PASS),
		  P(16, 8, true, PASS)}},
	{.why = "all parts share the refusal", .units = "d", .read = 1,
	 .part = {P(0, 24, true, DROP, .why = REASON_DENIED),
		  P(24, REST, false, DROP, .why = REASON_DENIED)}},
	{.why = "what breaks the grammar, in parts", .units = "b",
	 .part = {P(0, 24, true, DROP, .why = REASON_MALFORMED),
		  P(24, REST, false, DROP, .why = REASON_MALFORMED)}},
	{.why = "parts that overlap", .units = "a",
	 .part = {P(0, 24, true, DROP, OVER), P(16, 8, true, DROP, OVER),
		  P(24, REST, false, DROP, OVER)}},
	{.why = "a part that comes twice", .units = "a",
	 .part = {P(0, 24, true, DROP, OVER), P(0, 24, true, DROP, OVER),
		  P(24, REST, false, DROP, OVER)}},
	{.why = "two ends", .units = "a",
	 .part = {P(24, REST, false, DROP, OVER),
		  P(24, 8, false, DROP, OVER)}},
	{.why = "a part behind the end", .units = "a",
	 .part = {P(8, 16, false, DROP, OVER),
		  P(24, 8, true, DROP, OVER)}},
	{.why = "an end before what was seen", .units = "a",
	 .part = {P(24, 8, true, DROP, OVER),
		  P(8, 16, false, DROP, OVER)}},
	{.why = "a first part without its header", .units = "a",
	 .part = {P(0, 4, true, DROP, .why = REASON_BAD_HEADER)}},
	{.why = "a part that is not a multiple of 8, and not the last",
	 .units = "a",
	 .part = {P(0, 20, true, DROP, .why = REASON_BAD_HEADER)}},
	{.why = "a part without octets", .units = "a",
	 .part = {P(8, 0, true, DROP, .why = REASON_BAD_HEADER)}},
	{.why = "a datagram larger than any", .units = "a",
	 .part = {P(24, 8, false, DROP, .why = REASON_FRAGMENT_LIMIT,
		    .place = 65528)}},
	{.why = "one that never gets its last part", .units = "a",
	 .seconds = 31, .part = {P(0, 24, true, DROP, LATE)}},
	{.why = "it waits as long as it may", .units = "a", .seconds = 29,
	 .part = {P(0, 24, true, WAIT)}},
	{.why = "two datagrams at once", .units = "a", .read = 2,
	 .part = {P(0, 24, true, PASS, .id = 1), P(0, 24, true, PASS, .id = 2),
		  P(24, REST, false, PASS, .id = 2),
		  P(24, REST, false, PASS, .id = 1)}},
	{.why = "no more than a share of the places for one sender",
	 .units = "a",
	 .part = {P(0, 24, true, WAIT, .id = 1), P(0, 24, true, WAIT, .id = 2),
		  P(0, 24, true, WAIT, .id = 3),
		  P(0, 24, true, DROP, .why = REASON_FRAGMENT_LIMIT, .id = 4)}},
};
/* clang-format on */

static enum want got(const struct kit_verdict *v)
{
	return v->n == 0 ? WAIT : v->v == PACKET_PASS ? PASS : DROP;
}

/* What is told of a part that is refused has the octets of that part. */
static unsigned check_octets(const struct kit *k, const struct row *r,
			     const uint64_t *id, const uint32_t *octets)
{
	unsigned bad = 0;

	for (int i = 0; i < 6 && r->part[i].want != NOTHING; i++) {
		for (uint32_t n = 0; n < k->n_events; n++) {
			const struct kit_event *ev = &k->event[n];

			if (ev->type != EV_ANOMALY || ev->cnt != id[i] ||
			    ev->reason == REASON_MALFORMED ||
			    ev->octets == octets[i])
				continue;
			print_error("%s: part %d: %u octets told of %u\n",
				    r->why, i + 1, ev->octets, octets[i]);
			bad++;
		}
	}
	return bad;
}

static unsigned check(const struct kit *k, const struct row *r,
		      const uint64_t *id)
{
	unsigned bad = 0, read = 0;

	for (int i = 0; i < 6; i++) {
		const struct kit_verdict *v = &k->verdict[id[i]];

		if (r->part[i].want == NOTHING ||
		    (got(v) == r->part[i].want && v->why == r->part[i].why))
			continue;
		print_error("%s: part %d: verdict %d, %s; not %d, %s\n",
			    r->why, i + 1, got(v), reason_text(v->why),
			    r->part[i].want, reason_text(r->part[i].why));
		bad++;
	}
	for (uint32_t i = 0; i < k->n_events; i++)
		read += k->event[i].type == EV_PROTOCOL;
	if (read != r->read) {
		print_error("%s: %u units read\n", r->why, read);
		bad++;
	}
	return bad;
}

static unsigned run(const struct row *r)
{
	struct kit *k = kit_new(true, false);
	uint8_t unit[256], whole[256];
	struct wbuf w = wbuf_of(unit, sizeof(unit));
	struct span s = kit_udp(whole, sizeof(whole), true, KIT_PORT,
				kit_units(&w, r->units));
	uint32_t octets[6] = {0};
	uint64_t id[6] = {0};
	unsigned bad;

	for (int i = 0; i < 6 && r->part[i].want != NOTHING; i++) {
		const struct part *p = &r->part[i];
		struct kit_ip h = {true, PROTO_UDP, p->id,
				   p->place ? p->place : p->off, p->more};
		struct span packet;

		kit_wait(k, NS_PER_S / 1000);
		packet = kit_ip4(k, &h, span_sub(s, p->off, p->n));
		octets[i] = (uint32_t)packet.n;
		id[i] = kit_send(k, LINK_RAW, packet);
	}
	kit_tick(k, r->seconds);
	bad = check(k, r, id) + check_octets(k, r, id, octets);
	kit_end(k);
	if (k->bad[0]) {
		print_error("%s: %s\n", r->why, k->bad);
		bad++;
	}
	kit_free(k);
	return bad;
}

static void parts(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bad += run(&rows[i]);
	assert_int_equal(bad, 0);
}

/* A datagram in parts says what it says whole. */
static void same_facts(void **state)
{
	(void)state;
	for (uint16_t cut = 8; cut < 39; cut = (uint16_t)(cut + 8)) {
		struct kit *k = kit_new(false, true);
		uint8_t unit[64], whole[64];
		struct wbuf w = wbuf_of(unit, sizeof(unit));
		struct span s = kit_udp(whole, sizeof(whole), true, KIT_PORT,
					kit_units(&w, "a"));
		struct kit_ip h = {true, PROTO_UDP, 7, 0, true};
		unsigned read = 0;

		kit_send(k, LINK_RAW, kit_ip4(k, &h, span_sub(s, 0, cut)));
		h.off = cut;
		h.more = false;
		kit_send(k, LINK_RAW, kit_ip4(k, &h, span_from(s, cut)));
		for (uint32_t i = 0; i < k->n_events; i++) {
			if (k->event[i].type != EV_PROTOCOL)
				continue;
			read++;
			assert_int_equal(k->event[i].octets, KIT_UNIT);
			assert_int_equal(k->event[i].n_leaves, 1);
		}
		assert_int_equal(read, 1);
		kit_end(k);
		assert_string_equal(k->bad, "");
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(same_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
