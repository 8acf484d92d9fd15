/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services of the net over UDP, where the pipeline meets them: a question needs
 * a grant and so does its answer, nobody else answers, and what cannot be read
 * on their ports passes by no rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/net/dns.h"
#include "enforcer/pipeline/testkit.h"

enum op { END, ME, YOU };

/* A datagram of the machine, or to it. Ports: the other end's, 10.20.0.1. */
struct act {
	enum op op;
	uint16_t port;
	const char *octets;
	size_t n;
	enum reason why; /* NONE: it passes */
	enum obs_kind leaf; /* told of it, if it passes */
};

struct row {
	const char *why;
	bool other; /* the configured resolver is another */
	struct act act[6];
};

#define D(s) s, sizeof(s) - 1
#define HEAD(flags, n) "\x12\x34" flags "\0\1\0" n "\0\0\0\0"
#define NAME	"\4tips\7example\0"
#define ASK	D(HEAD("\1\0", "\0") NAME "\0\1\0\1")
#define ASK_BAD D(HEAD("\1\0", "\0") "\7tracker\7example\0" "\0\1\0\1")
#define TELL_RECORD NAME "\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\0\0\1"
#define TELL	D(HEAD("\x81\x80", "\1") TELL_RECORD)
#define STAMP(s) "\0\0\0\0\0\0\0" s
#define NTP(first, origin, sent)                                               \
	D(first "\2\6\xec" STAMP("\0") STAMP("\0") "\0\0\0\0"                  \
	  STAMP(origin) STAMP("\0") STAMP(sent))
#define TIME	 NTP("\x23", "\0", "\1")
#define TIME_IS	 NTP("\x24", "\1", "\2")
#define CONTROL	 D("\x16\2\0\1\0\0\0\0\0\0\0\0")
#define Z4	 "\0\0\0\0"
#define Z16	 Z4 Z4 Z4 Z4
#define Z64	 Z16 Z16 Z16 Z16
/* Operation, number, address given, type. */
#define DHCP(op, number, your, type)                                           \
	D(op "\1\6\0\0\0\0" number Z4 Z4 your Z4 Z4 "\2\0\x0a\x14\0\x0a" Z4 Z4  \
	  "\0\0" Z64 Z64 Z64 "\x63\x82\x53\x63\x35\1" type "\xff")
#define RENEW	 DHCP("\1", "\1", Z4, "\3")
#define RENEWED	 DHCP("\2", "\1", "\x0a\x14\0\x0a", "\5")
#define OTHERS	 DHCP("\2", "\2", "\x0a\x14\0\x0a", "\5")
#define NOISE	D("nothing that is read")

static const struct row rows[] = {
	{"a question and its answer, once", false,
	 {{ME, 53, ASK, 0, OBS_DNS_QUERY},
	  {YOU, 53, TELL, 0, OBS_DNS_ANSWER},
	  {YOU, 53, TELL, REASON_UNPAIRED, 0}}},
	{"an answer to nothing", false, {{YOU, 53, TELL, REASON_UNPAIRED, 0}}},
	{"an answer to a question that was refused", false,
	 {{ME, 53, ASK_BAD, REASON_NO_GRANT, 0},
	  {YOU, 53, TELL, REASON_UNPAIRED, 0}}},
	{"nobody but the resolver is asked, whatever policy says", true,
	 {{ME, 53, ASK, REASON_RESOLVER, 0},
	  {YOU, 53, TELL, REASON_UNPAIRED, 0}}},
	{"what is refused is no end", false,
	 {{ME, 53, NOISE, REASON_SUSPICIOUS, 0},
	  {ME, 53, ASK, 0, OBS_DNS_QUERY}}},
	{"nor is an empty datagram a way in", false,
	 {{ME, 53, D(""), 0, OBS_OPAQUE},
	  {ME, 53, NOISE, REASON_SUSPICIOUS, 0}}},
	{"on a port where everything else may be said", false,
	 {{ME, 9, ASK, REASON_SUSPICIOUS, 0}}},
	{"and to the port of mDNS", false,
	 {{ME, 5353, ASK, REASON_SUSPICIOUS, 0},
	  {ME, 5353, NOISE, REASON_SUSPICIOUS, 0}}},
	{"the time is asked and told, once, as opaque", false,
	 {{ME, 123, TIME, 0, OBS_OPAQUE},
	  {YOU, 123, TIME_IS, 0, OBS_OPAQUE},
	  {YOU, 123, TIME_IS, REASON_UNPAIRED, 0}}},
	{"the time that nobody asked for", false,
	 {{YOU, 123, TIME_IS, REASON_UNPAIRED, 0}}},
	{"what is not the time is not waved through", false,
	 {{ME, 123, NOISE, REASON_SUSPICIOUS, 0},
	  {ME, 123, CONTROL, REASON_SUSPICIOUS, 0},
	  {ME, 123, TIME, 0, OBS_OPAQUE}}},
	{"an address is renewed, by whoever was asked", false,
	 {{ME, 67, RENEW, 0, OBS_OPAQUE},
	  {YOU, 67, OTHERS, REASON_UNPAIRED, 0},
	  {YOU, 67, RENEWED, 0, OBS_OPAQUE}}},
	{"an address that nobody asked for", false,
	 {{YOU, 67, RENEWED, REASON_UNPAIRED, 0}}},
	{"what is no DHCP is not waved through", false,
	 {{ME, 67, NOISE, REASON_MALFORMED, 0},
	  {ME, 67, RENEW, 0, OBS_OPAQUE}}},
	{"nor is DHCP elsewhere", false,
	 {{ME, 9, RENEW, REASON_SUSPICIOUS, 0}}},
	{"what is nobody's is opaque", false,
	 {{ME, 9, NOISE, 0, OBS_OPAQUE}}},
};

/* Names of one host may be asked for, answers come back, and 10.20.0.1 may be
 * sent whatever nobody reads. */
static struct kit *kit(void)
{
	static const uint16_t the_party[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party = {.id = "net", .name = "Net",
				      .addr = &far, .n_addr = 1};
	const char *host = "tips.example";
	struct pol_attr name = {.field = F_DNS_NAME, .text = &host,
				.n_text = 1};
	struct pol_obs_match query = {.attr = &name, .n_attr = 1};
	struct pol_obs_match answer = {.n_attr = 0}, sealed = {.n_attr = 0};
	static const uint16_t asks[] = {0};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_OUT,
		 .party = {.party = the_party, .n_party = 1},
		 .match = &query, .n_match = 1},
		{.kind = RULE_GRANT, .id = "told", .dir = DIRSEL_IN,
		 .party = {.party = the_party, .n_party = 1},
		 .match = &answer, .n_match = 1, .has_answers = true,
		 .answers = asks,
		 .n_answers = 1},
		{.kind = RULE_GRANT, .id = "sealed", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1},
		 .match = &sealed, .n_match = 1},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 3};

	query.kinds.w[OBS_DNS_QUERY / 64] |= UINT64_C(1) << OBS_DNS_QUERY % 64;
	answer.kinds.w[OBS_DNS_ANSWER / 64] |=
		UINT64_C(1) << OBS_DNS_ANSWER % 64;
	sealed.kinds.w[OBS_OPAQUE / 64] |= UINT64_C(1) << OBS_OPAQUE % 64;
	return kit_new_of(&f);
}

struct told {
	enum obs_kind leaf;
};

static void on_event(void *arg, const struct event *ev)
{
	struct told *t = arg;

	if (ev->type == EV_DECISION && ev->n_leaves)
		t->leaf = (enum obs_kind)ev->leaves[0].kind;
}

static uint64_t say(struct kit *k, const struct act *a)
{
	uint8_t b[512];
	bool out = a->op == ME;
	uint16_t own = a->port == 67 ? 68 : KIT_PORT;
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, out ? own : a->port, 2);
	wbuf_be(&w, out ? a->port : own, 2);
	wbuf_be(&w, 8 + a->n, 2);
	wbuf_be(&w, 0, 2); /* no checksum */
	wbuf_put(&w, span_of(a->octets, a->n));
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0,
						    false},
				wbuf_span(&w)));
}

static void configure(struct kit *k, const struct dns_conf *c)
{
	for (size_t i = 0; k->p->dis[i]; i++) {
		if (k->p->dis[i] == &dissector_dns)
			k->p->conf.dissector_conf[i] = c;
	}
}

static void run(const struct row *r)
{
	struct dns_conf dns = {kit_net(0, r->other ? 2 : 1, 32).addr};
	struct kit *k = kit();
	struct told t = {0};

	configure(k, &dns);
	k->more = on_event;
	k->arg = &t;
	for (size_t i = 0; i < 6 && r->act[i].op != END; i++) {
		const struct act *a = &r->act[i];
		uint64_t id = say(k, a);
		const struct kit_verdict *v = &k->verdict[id];

		kit_wait(k, NS_PER_S);
		if (v->n != 1 || v->why != a->why)
			fail_msg("%s: %zu: %s, not %s", r->why, i,
				 reason_text(v->why), reason_text(a->why));
		if (!a->why && t.leaf != a->leaf)
			fail_msg("%s: %zu: told as %s", r->why, i,
				 obs_name(t.leaf));
	}
	kit_end(k);
	if (k->bad[0])
		fail_msg("%s: %s", r->why, k->bad);
	kit_free(k);
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows_hold)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
