/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP where the pipeline meets it: one reading, or none; and nobody says what
 * is another's to say, in the first packet of a flow or in a later one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define MAC_ME	"\x02\0\0\0\0\x0a"
#define MAC_YOU "\x02\0\0\0\0\x01"
#define NET	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
#define ME	NET "\x0a"
#define YOU	NET "\x01"
#define OTHER	NET "\x07"

#define D(s) s, sizeof(s) - 1
#define ECHO(type) D(type "\0\0\0\1\2\0\1text")
#define ADVERT(target, mac) D("\x88\0\0\0\x60\0\0\0" target "\2\1" mac)
#define BARE_ADVERT(target) D("\x88\0\0\0\x60\0\0\0" target)
#define SOLICIT(target, mac) D("\x87\0\0\0\0\0\0\0" target "\1\1" mac)
#define ROUTER D("\x86\0\0\0\x40\0\7\x08\0\0\0\0\0\0\0\0")
#define WHERE(mac) D("\x85\0\0\0\0\0\0\0\1\1" mac)
/* UDP from port 4000 to 9, of that many octets. */
#define QUOTED(src, dst, port)                                                 \
	"\x60\0\0\0\0\x0c\x11\x40" src dst "\x0f\xa0" port "\0\x0c\0\0"
#define ERROR(src, dst, port)                                                  \
	D("\1\4\0\0\0\0\0\0" QUOTED(src, dst, port) "data")
#define UDP D("\x0f\xa0\0\x09\0\x0c\0\0data")

struct act {
	bool out;
	uint8_t proto, hops;
	const char *octets;
	size_t n;
	enum reason why;
};

static const struct {
	const char *why;
	struct act act[5];
} rows[] = {
	{"an echo and its reply",
	 {{true, 58, 64, ECHO("\x80"), 0}, {false, 58, 64, ECHO("\x81"), 0}}},
	{"a reply that nobody asked for",
	 {{false, 58, 64, ECHO("\x81"), REASON_UNPAIRED}}},
	{"nor in a flow that is there",
	 {{false, 58, 64, ECHO("\x80"), 0},
	  {true, 58, 64, ECHO("\x81"), 0},
	  {false, 58, 64, ECHO("\x81"), REASON_UNPAIRED}}},
	{"a reply comes once",
	 {{true, 58, 64, ECHO("\x80"), 0},
	  {false, 58, 64, ECHO("\x81"), 0},
	  {false, 58, 64, ECHO("\x81"), REASON_UNPAIRED}}},
	{"with what was asked",
	 {{true, 58, 64, ECHO("\x80"), 0},
	  {false, 58, 64, D("\x81\0\0\0\1\2\0\1read"), REASON_UNPAIRED},
	  {false, 58, 64, D("\x81\0\0\0\1\2\0\2text"), REASON_UNPAIRED},
	  {false, 58, 64, D("\x81\0\0\0\1\2\0\1texts"), REASON_UNPAIRED},
	  {false, 58, 64, ECHO("\x81"), 0}}},
	{"nobody answers himself",
	 {{true, 58, 64, ECHO("\x80"), 0},
	  {true, 58, 64, ECHO("\x81"), REASON_UNPAIRED}}},
	{"its own address, and its own link",
	 {{true, 58, 255, ADVERT(ME, MAC_ME), 0},
	  {true, 58, 255, BARE_ADVERT(ME), 0}}},
	{"another's address",
	 {{true, 58, 255, ADVERT(OTHER, MAC_ME), REASON_SPOOFED_SOURCE}}},
	{"another's address behind its own",
	 {{true, 58, 255, ADVERT(ME, MAC_ME), 0},
	  {true, 58, 255, ADVERT(OTHER, MAC_ME), REASON_SPOOFED_SOURCE}}},
	{"another's link",
	 {{true, 58, 255, ADVERT(ME, MAC_YOU), REASON_SPOOFED_SOURCE}}},
	{"another's link in a question",
	 {{true, 58, 255, SOLICIT(YOU, MAC_ME), 0},
	  {true, 58, 255, SOLICIT(YOU, MAC_YOU), REASON_SPOOFED_SOURCE}}},
	{"and in one for a router",
	 {{true, 58, 255, WHERE(MAC_ME), 0},
	  {true, 58, 255, WHERE(MAC_YOU), REASON_SPOOFED_SOURCE}}},
	{"what others say of themselves",
	 {{false, 58, 255, ADVERT(YOU, MAC_YOU), 0},
	  {false, 58, 255, SOLICIT(ME, MAC_YOU), 0},
	  {false, 58, 255, ROUTER, 0}}},
	{"a machine is no router",
	 {{true, 58, 255, WHERE(MAC_ME), 0},
	  {true, 58, 255, ROUTER, REASON_SPOOFED_SOURCE}}},
	{"from farther away",
	 {{true, 58, 254, ADVERT(ME, MAC_ME), REASON_SUSPICIOUS}}},
	{"a redirect", {{false, 58, 255, D("\x89\0\0\0\0\0\0\0" YOU YOU),
			 REASON_SUSPICIOUS}}},
	{"half a message", {{true, 58, 255, D("\x87\0\0\0\0\0\0\0\0"),
			     REASON_MALFORMED}}},
	{"DHCPv6 to a server, and from one",
	 {{true, 17, 64, D("\2\x22\2\x23\0\x0c\0\0data"),
	   REASON_UNKNOWN_PROTOCOL},
	  {false, 17, 64, D("\x0f\xa0\2\x22\0\x0c\0\0data"),
	   REASON_UNKNOWN_PROTOCOL},
	  {true, 17, 64, D("\x0f\xa0\2\x22\0\x0c\0\0data"),
	   REASON_UNKNOWN_PROTOCOL}}},
	{"as a server's",
	 {{true, 17, 64, D("\2\x23\x0f\xa0\0\x0c\0\0data"),
	   REASON_SPOOFED_SOURCE}}},
	{"an error about what was sent",
	 {{true, 17, 64, UDP, 0},
	  {false, 58, 64, ERROR(ME, YOU, "\0\x09"), 0}}},
	{"about what was heard",
	 {{false, 17, 64, UDP, 0},
	  {true, 58, 64, ERROR(YOU, ME, "\0\x09"), 0}}},
	{"about what nobody sent",
	 {{false, 58, 64, ERROR(ME, YOU, "\0\x09"), REASON_UNPAIRED}}},
	{"another port",
	 {{true, 17, 64, UDP, 0},
	  {false, 58, 64, ERROR(ME, YOU, "\0\x0a"), REASON_UNPAIRED}}},
	{"what somebody else sent",
	 {{true, 17, 64, UDP, 0},
	  {false, 58, 64, ERROR(OTHER, YOU, "\0\x09"), REASON_UNPAIRED}}},
	{"an error that carries something out",
	 {{true, 58, 64, ERROR(YOU, ME, "\0\x09"), REASON_UNPAIRED}}},
};

/* Whatever nobody reads may go to 2001:db8::/64 and come from there. */
static struct kit *kit(void)
{
	static const uint16_t the_party[] = {0};
	struct pol_prefix far = {.addr = {{0x20, 1, 0x0d, 0xb8}}, .len = 64};
	struct pol_party_src party = {.id = "net", .name = "Net",
				      .addr = &far, .n_addr = 1};
	struct pol_obs_match sealed = {.n_attr = 0};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "sealed", .dir = DIRSEL_ANY,
		.party = {.party = the_party, .n_party = 1}, .match = &sealed,
		.n_match = 1};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = &rule, .n_rule = 1};
	struct pipeline_guest *me;
	struct kit *k;

	sealed.kinds.w[OBS_OPAQUE / 64] |= UINT64_C(1) << OBS_OPAQUE % 64;
	k = kit_new_of(&f);
	me = &k->p->rule[0];
	memcpy(me->addr.b, ME, 16);
	me->has_mac = true;
	memcpy(me->mac, MAC_ME, 6);
	return k;
}

static uint16_t sum6(const struct act *a, struct span body)
{
	uint8_t b[512];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_put(&w, span_of(a->out ? ME : YOU, 16));
	wbuf_put(&w, span_of(a->out ? YOU : ME, 16));
	wbuf_be(&w, body.n, 4);
	wbuf_be(&w, a->proto, 4);
	wbuf_put(&w, body);
	return (uint16_t)~span_sum16(wbuf_span(&w));
}

static uint64_t say(struct kit *k, const struct act *a)
{
	uint8_t b[600], body[400];
	struct wbuf w = wbuf_of(b, sizeof(b));

	memcpy(body, a->octets, a->n);
	kit_put16(body + (a->proto == 58 ? 2 : 6),
		  sum6(a, span_of(body, a->n)));
	wbuf_put(&w, span_of(a->out ? MAC_YOU MAC_ME : MAC_ME MAC_YOU, 12));
	wbuf_be(&w, 0x86dd, 2);
	wbuf_be(&w, 0x60000000, 4);
	wbuf_be(&w, a->n, 2);
	wbuf_u8(&w, a->proto);
	wbuf_u8(&w, a->hops);
	wbuf_put(&w, span_of(a->out ? ME : YOU, 16));
	wbuf_put(&w, span_of(a->out ? YOU : ME, 16));
	wbuf_put(&w, span_of(body, a->n));
	return kit_send(k, LINK_ETHERNET, wbuf_span(&w));
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit();

		for (size_t j = 0; j < 5 && rows[i].act[j].octets; j++) {
			const struct act *a = &rows[i].act[j];
			const struct kit_verdict *v = &k->verdict[say(k, a)];

			kit_wait(k, NS_PER_S);
			if (v->n != 1 || v->why != a->why)
				fail_msg("%s: %zu: %s, not %s", rows[i].why, j,
					 reason_text(v->why),
					 reason_text(a->why));
		}
		kit_end(k);
		if (k->bad[0])
			fail_msg("%s: %s", rows[i].why, k->bad);
		kit_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
