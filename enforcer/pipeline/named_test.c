/* SPDX-License-Identifier: Apache-2.0 */
/* A party that is known by its name: when it can be reached, and what of it
 * outlives the answer and the policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dissectors/net/dns.h"
#include "enforcer/pipeline/testkit.h"

/* The machine asks, the resolver (10.20.0.1) answers: cloud.example is the
 * resolver's host, for so many seconds. */
#define D(s)	s, sizeof(s) - 1
#define ID	"\x12\x34"
#define NAME	"\5cloud\7example\0\0\1\0\1"
#define ASK	D(ID "\1\0\0\1\0\0\0\0\0\0" NAME)
#define ANSWER(n, name, ttl)                                                   \
	D(ID "\x81\x80\0\1\0" n "\0\0\0\0" NAME name "\0\1\0\1" ttl	       \
	  "\0\4\x0a\x14\0\1")
#define TOLD4(ttl) ANSWER("\1", "\xc0\x0c", ttl)
#define TOLD(ttl)  TOLD4("\0\0" ttl)
#define POOL	  "\4pool\7example\0"
#define ALIAS(ttl)                                                             \
	ANSWER("\2", "\xc0\x0c\0\5\0\1\0\0\x0e\x10\0\x0e" POOL POOL,      \
	       "\0\0" ttl)

enum op {
	END,
	SAYS,	/* the machine, to port 53 */
	HEARS,	/* from it */
	WAITS,	/* so many seconds */
	OPENS,	/* a connection; refused for why */
	GOES_ON, /* the one that was opened first; or it does not, for why */
	GETS,	/* policy of that number */
};

struct act {
	enum op op;
	const char *octets;
	size_t n; /* seconds of WAITS, number of GETS */
	enum reason why;
	const char *detail; /* a part of what is told of a refusal */
};

#define NEVER	 "no answer gave it to a name"
#define BEFORE	 "gave it to cloud.example ended "
#define UNKNOWN	 REASON_UNKNOWN_PARTY

/* Policies: 0 has the name, 1 too, as another party's, 2 another name. */
static const struct row {
	const char *why;
	bool other; /* resolver is configured */
	struct act act[10];
} rows[] = {
	{"never asked", false, {{OPENS, NULL, 0, UNKNOWN, NEVER}}},
	{"asked, and not answered", false,
	 {{SAYS, ASK, 0, NULL}, {OPENS, NULL, 0, UNKNOWN, NEVER}}},
	{"answered, and not asked", false,
	 {{HEARS, TOLD("\0\x78"), REASON_UNPAIRED, NULL},
	  {OPENS, NULL, 0, UNKNOWN, NEVER}}},
	{"another's answer to a refused question", true,
	 {{SAYS, ASK, REASON_RESOLVER, NULL},
	  {HEARS, TOLD("\0\x78"), REASON_UNPAIRED, NULL},
	  {OPENS, NULL, 0, UNKNOWN, NEVER}}},
	{"asked and answered", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD("\0\x78"), 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {WAITS, NULL, 119, 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {WAITS, NULL, 3, 0, NULL},
	  {OPENS, NULL, 0, UNKNOWN, BEFORE "2 s before"}}},
	{"a minute at least", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD("\0\0"), 0, NULL},
	  {WAITS, NULL, 60, 0, NULL}, {OPENS, NULL, 0, 0, NULL},
	  {WAITS, NULL, 2, 0, NULL},
	  {OPENS, NULL, 0, UNKNOWN, BEFORE "2 s before"}}},
	{"a day at most", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD4("\x7f\xff\xff\xff"), 0, NULL},
	  {WAITS, NULL, 86400, 0, NULL}, {OPENS, NULL, 0, 0, NULL},
	  {WAITS, NULL, 2, 0, NULL},
	  {OPENS, NULL, 0, UNKNOWN, BEFORE "2 s before"}}},
	{"along an alias, for the shorter time", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, ALIAS("\0\x78"), 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {WAITS, NULL, 122, 0, NULL},
	  {OPENS, NULL, 0, UNKNOWN, BEFORE}}},
	{"what is open goes on, asked again or not", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD("\0\0"), 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {WAITS, NULL, 100, 0, NULL},
	  {GOES_ON, NULL, 0, 0, NULL}, {SAYS, ASK, 0, NULL},
	  {HEARS, TOLD("\0\0"), 0, NULL}, {GOES_ON, NULL, 0, 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}}},
	{"a policy that has the name elsewhere", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD("\0\x78"), 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {GETS, NULL, 1, 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {WAITS, NULL, 130, 0, NULL},
	  {GETS, NULL, 0, 0, NULL}, {GOES_ON, NULL, 0, 0, NULL},
	  {OPENS, NULL, 0, UNKNOWN, BEFORE}}},
	{"a policy with another name", false,
	 {{SAYS, ASK, 0, NULL}, {HEARS, TOLD("\0\x78"), 0, NULL},
	  {OPENS, NULL, 0, 0, NULL}, {GETS, NULL, 2, 0, NULL},
	  {GOES_ON, NULL, 0, REASON_TCP_FLOW_DENIED, NULL},
	  {OPENS, NULL, 0, UNKNOWN, NEVER}}},
};

static struct pol_obs_match match_of(enum obs_kind k)
{
	struct pol_obs_match m = {.n_attr = 0};

	m.kinds.w[k / 64] |= UINT64_C(1) << k % 64;
	return m;
}

static struct kit *kit(int policy)
{
	static const uint16_t names[] = {0}, all[] = {1, 2};
	static const uint16_t asks[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_port dns = {PROTO_UDP, 53, 53};
	struct pol_party_src party[] = {
		{.id = "a", .name = "Resolver", .addr = &far, .n_addr = 1,
		 .port = &dns, .n_port = 1},
		{.id = "b", .name = "B", .dns = policy == 0 ? "cloud.example" :
							      "b.example"},
		{.id = "c", .name = "C", .dns = policy == 1 ? "cloud.example" :
							      "c.example"},
	};
	struct pol_obs_match m[] = {match_of(OBS_DNS_QUERY),
				    match_of(OBS_DNS_ANSWER),
				    match_of(OBS_OPAQUE)};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_OUT,
		 .party = {.party = names, .n_party = 1}, .match = &m[0],
		 .n_match = 1},
		{.kind = RULE_GRANT, .id = "told", .dir = DIRSEL_IN,
		 .party = {.party = names, .n_party = 1}, .match = &m[1],
		 .n_match = 1, .has_answers = true, .answers = asks,
		 .n_answers = 1},
		{.kind = RULE_GRANT, .id = "sealed", .dir = DIRSEL_ANY,
		 .party = {.party = all, .n_party = 2}, .match = &m[2],
		 .n_match = 1},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = party, .n_party = 3,
			     .rule = rule, .n_rule = 3};

	return kit_new_of(&f);
}

static void configure(struct kit *k, const struct dns_conf *c)
{
	for (size_t i = 0; k->p->dis[i]; i++) {
		if (k->p->dis[i] == &dissector_dns)
			k->p->conf.dissector_conf[i] = c;
	}
}

struct told {
	char detail[512];
};

static void on_event(void *arg, const struct event *ev)
{
	struct told *t = arg;

	if (ev->verdict == VERDICT_DENY && ev->detail)
		snprintf(t->detail, sizeof(t->detail), "%s", ev->detail);
}

static uint64_t datagram(struct kit *k, bool out, struct span octets)
{
	uint8_t b[512];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, out ? KIT_PORT : 53, 2);
	wbuf_be(&w, out ? 53 : KIT_PORT, 2);
	wbuf_be(&w, 8 + octets.n, 2);
	wbuf_be(&w, 0, 2); /* no checksum */
	wbuf_put(&w, octets);
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0,
						    false},
				wbuf_span(&w)));
}

static uint64_t segment(struct kit *k, uint16_t port, uint8_t flags)
{
	bool syn = flags & TCP_SYN;

	return kit_tcp(k,
		       &(struct kit_seg){.out = true, .port = port,
					 .seq = KIT_ISN + !syn,
					 .ack = syn ? 0 : KIT_ISN2 + 1,
					 .flags = flags},
		       (struct span){0});
}

/* The number of the packet that tells, 0: there is none. */
static uint64_t act(struct kit *k, struct kit *const policy[3],
		    const struct act *a, uint16_t *port)
{
	struct err e;

	switch (a->op) {
	case SAYS:
	case HEARS:
		return datagram(k, a->op == SAYS, span_of(a->octets, a->n));
	case WAITS:
		kit_wait(k, (int64_t)a->n * NS_PER_S);
		return 0;
	case OPENS:
		++*port;
		if (a->why)
			return segment(k, *port, TCP_SYN);
		kit_handshake(k, *port, KIT_ISN, false);
		return k->id - 2;
	case GOES_ON:
		return segment(k, KIT_PORT + 1, TCP_ACK);
	case GETS:
		assert_int_equal(pipeline_policy(k->p, policy[a->n]->set,
						 policy[a->n]->state, k->now,
						 &k->sink, &e),
				 0);
		return 0;
	default:
		return 0;
	}
}

static void run(const struct row *r)
{
	struct dns_conf dns = {kit_net(0, r->other ? 2 : 1, 32).addr};
	struct kit *policy[] = {kit(0), kit(1), kit(2)}, *k = policy[0];
	struct told t = {{0}};
	uint16_t port = KIT_PORT;

	configure(k, &dns);
	k->more = on_event;
	k->arg = &t;
	for (size_t i = 0; i < 10 && r->act[i].op != END; i++) {
		const struct act *a = &r->act[i];
		uint64_t id;

		t.detail[0] = 0;
		id = act(k, policy, a, &port);
		if (id && k->verdict[id].why != a->why)
			fail_msg("%s: %zu: %s, not %s", r->why, i,
				 reason_text(k->verdict[id].why),
				 reason_text(a->why));
		if (a->detail && !strstr(t.detail, a->detail))
			fail_msg("%s: %zu: told '%s'", r->why, i, t.detail);
	}
	kit_end(k);
	if (k->bad[0])
		fail_msg("%s: %s", r->why, k->bad);
	for (int i = 0; i < 3; i++)
		kit_free(policy[i]);
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
