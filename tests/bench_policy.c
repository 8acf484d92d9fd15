/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the language may cost at most, with every dimension of matching in use
 * and the most rules it allows: one judgement over three layers of a message with
 * one observation, and each of eight that come together, beside a bare lookup of
 * the same keys in a hash table; what it allocates; and how long a new set takes
 * from octets to the first judgement. JSON on stdout.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/siphash.h"
#include "policy-lang/eval/eval.h"
#include "tests/bench_time.h"

#define RUNS     7
#define ROUNDS   200000
#define RULES    256
#define FEW      8
#define MSGS     8
#define MACHINES 4
#define T0       INT64_C(1775000000)

/* --- what is allocated ------------------------------------------------------
 */

static uint64_t allocations;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "bench_policy: %s: %s\n", what, e->text);
	exit(2);
}

/* --- policies ----------------------------------------------------------------
 */

struct octets {
	uint8_t *p;
	size_t n;
};

static struct octets built(const struct pol_file *f)
{
	struct octets o;
	struct err e = {0};

	if (pol_image_build(&o.p, &o.n, f, &e))
		die("build", &e);
	return o;
}

static struct pol_image *loaded(struct octets o)
{
	struct pol_image *im;
	struct err e = {0};

	if (pol_image_load(&im, span_of(o.p, o.n), &e))
		die("load", &e);
	return im;
}

static struct octets baseline(void)
{
	static const struct pol_obs_match any = {
		.kinds = {{~UINT64_C(0), ~UINT64_C(0)}}};
	struct pol_limit_src limit = {
		.id = "uplink",
		.dir = DIRSEL_OUT,
		.party.any = true,
		.vm.any = true,
		.each_vm = true,
		.phrase = {.kind = LIMIT_CALENDAR,
			   .thing = THING_BYTES,
			   .n = UINT64_C(1) << 50,
			   .window = WINDOW_DAY,
			   .text = "many octets per day"}
        };
	struct pol_rule_src rule[2] = {
		{.kind = RULE_CEILING,
		 .id = "all",
		 .dir = DIRSEL_ANY,
		 .party.any = true,
		 .vm.any = true,
		 .match = &any,
		 .n_match = 1,
		 .data = {.present = true,
			  .meas = MEAS_ALL,
			  .has_gran = true,
			  .gran_lo_ns = 60 * NS_PER_S}},
		{.kind = RULE_DENY,
		 .id = "no-waveforms",
		 .dir = DIRSEL_OUT,
		 .party.any = true,
		 .vm.any = true,
		 .data = {.present = true,
			  .meas = MEAS_BIT(MEAS_SIGNAL_WAVEFORM)}}
        };
	struct pol_file f = {.kind = POL_BASELINE,
			     .unique = true,
			     .id = "b",
			     .rule = rule,
			     .n_rule = 2,
			     .limit = &limit,
			     .n_limit = 1};

	return built(&f);
}

static struct octets customer(void)
{
	struct pol_rule_src rule = {
		.kind = RULE_RESTRICT,
		.id = "late",
		.dir = DIRSEL_OUT,
		.party.any = true,
		.vm.any = true,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			 .has_delay = true,
			 .delay_ns = 3600 * NS_PER_S}
        };
	struct pol_file f = {
		.kind = POL_CUSTOMER, .unique = true,
		.id = "c", .rule = &rule, .n_rule = 1};

	return built(&f);
}

/* Rule i is of one of four kinds, which select by other attributes. */
static const enum obs_kind kinds[] = {OBS_C1222_READ_RESPONSE,
				      OBS_OBIX_READ_RESPONSE, OBS_HTTP_REQUEST,
				      OBS_C1222_WRITE_REQUEST};

struct parts {
	struct pol_rule_src rule[RULES];
	struct pol_obs_match match[RULES];
	struct pol_attr attr[RULES][3];
	struct pol_range range[RULES][3];
	char name[RULES][16], path[RULES][32];
	const char *text[RULES];
};

static struct pol_attr number(enum field f, struct pol_range *r, uint32_t v)
{
	*r = (struct pol_range){v, v};
	return (struct pol_attr){.field = (uint16_t)f, .num = r, .n_num = 1};
}

static struct pol_attr words(enum field f, const char *const *text)
{
	return (struct pol_attr){
		.field = (uint16_t)f, .text = text, .n_text = 1};
}

static void select_by(struct parts *p, unsigned i)
{
	static const char *const method = "PUT", *const host = "h.example",
				 *const is = "obix:Point";
	struct pol_attr *a = p->attr[i];
	struct pol_range *r = p->range[i];
	struct pol_obs_match *m = &p->match[i];
	enum obs_kind k = kinds[i % 4];

	p->text[i] = p->path[i];
	snprintf(p->path[i], sizeof(p->path[i]), "/site/point-%u/*", i);
	m->kinds.w[k / 64] = UINT64_C(1) << (k % 64);
	m->attr = a;
	switch (i % 4) {
	case 0:
		a[0] = number(F_TABLE, &r[0], i);
		a[1] = number(F_SECURITY, &r[1], 1);
		m->n_attr = 2;
		break;
	case 1:
		a[0] = words(F_HREF, &p->text[i]);
		a[1] = words(F_IS, &is);
		m->n_attr = 2;
		break;
	case 2:
		a[0] = words(F_METHOD, &method);
		a[1] = words(F_HOST, &host);
		a[2] = words(F_PATH, &p->text[i]);
		m->n_attr = 3;
		break;
	default:
		a[0] = number(F_TABLE, &r[0], i);
		a[1] = number(F_NOTIFICATION, &r[1], 1);
		a[2] = number(F_USER_ID, &r[2], 2);
		m->n_attr = 3;
		break;
	}
}

static struct octets vendor(unsigned n, const char *vm)
{
	static struct parts p;
	static const uint16_t party[1] = {0};
	static const struct pol_limit_phrase limit[2] = {
		{.kind = LIMIT_CALENDAR,
		 .thing = THING_READINGS,
		 .n = UINT64_C(1) << 50,
		 .window = WINDOW_DAY,
		 .text = "many readings per day"},
		{ .kind = LIMIT_BUCKET,
		 .thing = THING_MESSAGES,
		 .n = 1000000000,
		 .burst = 1000000000,
		 .window_ns = NS_PER_S,
		 .text = "many messages per s"}
        };
	struct pol_prefix addr = {.len = 96 + 24};
	struct pol_port port = {.proto = 6, .lo = 1153, .hi = 1153};
	struct pol_party_src to = {.id = "headend",
				   .name = "H",
				   .addr = &addr,
				   .n_addr = 1,
				   .port = &port,
				   .n_port = 1};
	struct pol_file f = {.kind = POL_VENDOR,
			     .unique = true,
			     .id = vm,
			     .vm = vm,
			     .party = &to,
			     .n_party = 1,
			     .rule = p.rule,
			     .n_rule = n};

	addr.addr.b[10] = addr.addr.b[11] = 0xff;
	addr.addr.b[12] = 203;
	memset(&p, 0, sizeof(p));
	for (unsigned i = 0; i < n; i++) {
		snprintf(p.name[i], sizeof(p.name[i]), "rule-%03u", i);
		select_by(&p, i);
		p.rule[i] = (struct pol_rule_src){
			.kind = RULE_GRANT,
			.id = p.name[i],
			.dir = DIRSEL_OUT,
			.party = {.party = party,      .n_party = 1  },
			.match = &p.match[i],
			.n_match = 1,
			.data = { .present = true,
				  .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
				  .has_gran = true,
				  .gran_lo_ns = 1800 * NS_PER_S,
				  .has_history = true,
				  .history_ns = 35 * 86400 * NS_PER_S},
			.limit = &limit[i / 2 % 2],
			.n_limit = 1
                };
	}
	return built(&f);
}

/* --- messages ----------------------------------------------------------------
 */

struct bench {
	struct pol_set *set;
	struct pol_state *st;
	struct obs carrier, leaf[MSGS];
	struct pol_msg m[MSGS];
	struct pol_msg all; /* a message with what all of them say */
	char path[MSGS][32];
};

static void say(struct obs *o, unsigned rule, const char *path)
{
	*o = (struct obs){.kind = (uint16_t)kinds[rule % 4]};
	switch (rule % 4) {
	case 0:
		obs_u64(o, F_TABLE, rule);
		obs_u64(o, F_SECURITY, 1);
		break;
	case 1:
		obs_span(o, F_HREF, span_str(path));
		obs_span(o, F_IS, span_str("obix:Point"));
		break;
	case 2:
		obs_span(o, F_METHOD, span_str("PUT"));
		obs_span(o, F_HOST, span_str("h.example"));
		obs_span(o, F_PATH, span_str(path));
		break;
	default:
		obs_u64(o, F_TABLE, rule);
		obs_u64(o, F_NOTIFICATION, 1);
		obs_u64(o, F_USER_ID, 2);
		break;
	}
	obs_u64(o, F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_INTERVAL));
	obs_u64(o, F_GRANULARITY, 1800);
	obs_u64(o, F_VALUES, 48);
	obs_i64(o, F_OLDEST, T0 - 90000);
	obs_i64(o, F_NEWEST, T0 - 7200);
}

static const struct now start = {
	{NS_PER_S},
        { T0 * US_PER_S, 0, 0, true}
};

static void prepare(struct bench *b, unsigned n)
{
	const struct pol_image *im[] = {loaded(baseline()), loaded(customer()),
					loaded(vendor(n, "mdma"))};
	struct err e = {0};

	if (pol_set_new(&b->set, im, 3, &e) ||
	    pol_state_new(&b->st, b->set, &e))
		die("set", &e);
	b->carrier = (struct obs){.kind = OBS_C1222_MESSAGE};
	for (unsigned i = 0; i < MSGS; i++) {
		/* Each kind twice, at the beginning and the end of the rules.
		 */
		unsigned rule = i < 4 ? i : n - MSGS + i;

		snprintf(b->path[i], sizeof(b->path[i]), "/site/point-%u/now",
			 rule);
		say(&b->leaf[i], rule, b->path[i]);
		b->m[i] = (struct pol_msg){
			.dir = DIR_OUT,
			.message = &b->carrier,
			.leaves = &b->leaf[i],
			.n_leaves = 1,
			.octets = 460,
			.now = start,
			.flow = 1,
			.peer = {.machine = -1, .port = 1153, .proto = 6}
                };
		b->m[i].peer.addr.b[10] = b->m[i].peer.addr.b[11] = 0xff;
		b->m[i].peer.addr.b[12] = 203;
		b->m[i].peer.addr.b[15] = 7;
	}
	b->all = b->m[0];
	b->all.leaves = b->leaf;
	b->all.n_leaves = MSGS;
}

static void judge_one(struct bench *b, struct pol_msg *m)
{
	static struct pol_decision d;

	m->now.mono.ns += 1000;
	pol_judge(b->st, m, &d);
	pol_commit(b->st);
	if (!d.permit) {
		fprintf(stderr, "bench_policy: refused: %s\n", d.text);
		exit(2);
	}
}

static double judge(struct bench *b)
{
	double t = now_ns();

	for (unsigned i = 0; i < ROUNDS; i++)
		judge_one(b, &b->m[i % MSGS]);
	return (now_ns() - t) / ROUNDS;
}

/* Of each observation, of as many. */
static double judge_together(struct bench *b)
{
	double t = now_ns();

	for (unsigned i = 0; i < ROUNDS / MSGS; i++)
		judge_one(b, &b->all);
	return (now_ns() - t) / (ROUNDS / MSGS * MSGS);
}

/* --- the yardstick -----------------------------------------------------------
 */

struct key {
	uint8_t octets[96];
	size_t n;
};
#define SLOTS 1024

static void key_part(struct key *k, const void *p, size_t n)
{
	memcpy(k->octets + k->n, p, n);
	k->n += n;
}

/* All that the rules select by, end to end. */
static void key_of(struct key *k, const struct pol_msg *m)
{
	static const enum field numbers[] = {F_TABLE,        F_SECURITY,
					     F_NOTIFICATION, F_USER_ID,
					     F_MEASUREMENT,  F_GRANULARITY};
	static const enum field texts[] = {F_HREF, F_IS, F_METHOD, F_HOST,
					   F_PATH};
	const struct obs *o = m->leaves;

	k->n = 0;
	key_part(k, m->peer.addr.b, sizeof(m->peer.addr.b));
	key_part(k, &m->peer.port, sizeof(m->peer.port));
	key_part(k, &o->kind, sizeof(o->kind));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t v = obs_get(o, numbers[i], 0);

		if (obs_has(o, numbers[i]))
			key_part(k, &v, sizeof(v));
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct span s = obs_get_span(o, texts[i]);

		if (obs_has(o, texts[i]))
			key_part(k, s.p, s.n);
	}
}

static struct key table[SLOTS];
static const struct sipkey hash_key = {1, 2};

static struct key *slot_of(const struct key *k)
{
	uint64_t h = siphash24(&hash_key, span_of(k->octets, k->n));
	struct key *s = &table[h % SLOTS];

	while (s->n && (s->n != k->n || memcmp(s->octets, k->octets, k->n)))
		s = s + 1 == table + SLOTS ? table : s + 1;
	return s;
}

/* As many keys as there are rules. */
static void fill(const struct bench *b)
{
	struct obs o;
	struct pol_msg m = b->m[0];
	struct key k;
	char path[32];

	m.leaves = &o;
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(path, sizeof(path), "/site/point-%u/now", i);
		say(&o, i, path);
		key_of(&k, &m);
		*slot_of(&k) = k;
	}
}

static double look_up(const struct bench *b)
{
	double t = now_ns();
	struct key k;

	for (unsigned i = 0; i < ROUNDS; i++) {
		key_of(&k, &b->m[i % MSGS]);
		if (slot_of(&k)->n == 0) {
			fprintf(stderr, "bench_policy: a key is missing\n");
			exit(2);
		}
	}
	return (now_ns() - t) / ROUNDS;
}

/* --- activation
 * ---------------------------------------------------------------- */

/* From octets to a set that judges, with what the one before had counted. */
static double activate(const struct octets *o, size_t n)
{
	struct pol_image *im[MACHINES + 2];
	const struct pol_image *v[MACHINES + 2];
	static struct pol_state *before;
	static struct pol_set *old;
	struct pol_set *set = NULL;
	struct pol_state *st = NULL;
	struct err e = {0};
	double t = now_ns();

	for (size_t i = 0; i < n; i++)
		v[i] = im[i] = loaded(o[i]);
	if (pol_set_new(&set, v, n, &e) || pol_state_new(&st, set, &e))
		die("activate", &e);
	if (before)
		pol_state_carry(st, before, start);
	t = now_ns() - t;
	if (before) { /* images of the old set stay: there are few rounds */
		pol_state_free(before);
		pol_set_free(old);
	}
	before = st;
	old = set;
	return t / 1e6;
}

int main(void)
{
	static struct bench few, many;
	struct octets o[MACHINES + 2] = {baseline(), customer()};
	double a[RUNS], b[RUNS], c[RUNS], h[RUNS], ms[RUNS];
	uint64_t before;

	for (int i = 0; i < MACHINES; i++)
		o[2 + i] =
			vendor(RULES, (const char *[]){"a", "b", "c", "d"}[i]);
	prepare(&few, FEW);
	prepare(&many, RULES);
	fill(&many);
	judge(&few);
	judge(&many);
	judge_together(&many);
	before = allocations;
	for (int i = 0; i < RUNS; i++) { /* by turns, so that all suffer */
		h[i] = look_up(&many);
		a[i] = judge(&few);
		b[i] = judge(&many);
		c[i] = judge_together(&many);
	}
	before = allocations - before;
	activate(o, MACHINES + 2);
	for (int i = 0; i < RUNS; i++)
		ms[i] = activate(o, MACHINES + 2);
	printf("{\"judge_few_ns\": %.1f, \"judge_most_ns\": %.1f, "
	       "\"together_ns\": %.1f, \"hash_ns\": %.1f, \"allocations\": %llu, "
	       "\"activate_ms\": %.3f}\n",
	       median(a, RUNS), median(b, RUNS), median(c, RUNS),
	       median(h, RUNS),
	       (unsigned long long)before, median(ms, RUNS));
	return 0;
}
