/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws of the language (its section 23), over random policies and messages,
 * step by step from equal counters and states:
 *
 *   3  a denial, a limit or a guard more permits nothing more
 *   4  a grant more refuses nothing more
 *   5  a customer's file permits nothing more
 *   7  what is said to lie within another policy permits nothing more
 *  10  judging costs no more than the compiler says (where it is counted)
 *  12  a message that is refused changes no counter
 *
 * LAW_CASES: how many policies for each; a failure names its case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/analysis/within.h"
#include "policy-lang/eval/ledger.h"
#include "policy-lang/eval/testkit.h"
#include "policy-lang/front/cost.h"
#include "policy-lang/image/cost.h"

struct rng {
	uint64_t x;
};

static uint64_t rnd(struct rng *r, uint64_t n)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x % n;
}

/* A vendor's policy in which every part may be another. */
struct made {
	struct pol_prefix addr[2];
	struct pol_port port[2];
	struct pol_party_src party[2];
	struct pol_range table[3];
	struct pol_attr attr[3];
	struct pol_obs_match match[3];
	struct pol_limit_phrase limit[2];
	struct pol_rule_src rule[3]; /* two grants, one denial */
	struct pol_limit_src top;
	struct pol_file f;
};

static const uint16_t both[] = {0, 1};
static const uint16_t state_names[] = {
	POL_STATE_BUILTIN + BUILTIN_CLOCK_TRUSTED};

static void make_party(struct rng *r, struct made *m, size_t i)
{
	static const uint8_t lens[] = {24, 28, 32};

	m->addr[i] = kit_net(203, 0, 113, (uint8_t)(16 * i),
			     lens[rnd(r, 3)]);
	m->port[i] = (struct pol_port){6, (uint16_t)(1153 - rnd(r, 2)),
				       (uint16_t)(1153 + rnd(r, 2))};
	m->party[i].role = rnd(r, 4) ? ROLE_METERING : ROLE_SERVICE;
}

static void make_data(struct rng *r, struct pol_data_src *d)
{
	*d = (struct pol_data_src){.present = rnd(r, 4) > 0};
	if (!d->present)
		return;
	d->meas = MEAS_BIT(MEAS_ENERGY_INTERVAL);
	if (rnd(r, 2))
		d->meas |= MEAS_BIT(MEAS_ENERGY_REGISTER);
	d->has_gran = rnd(r, 2);
	d->gran_lo_ns = MIN(15 * (1 + (int64_t)rnd(r, 3)));
	d->gran_hi_ns = rnd(r, 2) ? 0 : H(2);
	d->has_delay = rnd(r, 2);
	d->delay_ns = H((int64_t)rnd(r, 3));
	d->has_history = rnd(r, 2);
	d->history_ns = H(2 + (int64_t)rnd(r, 5));
	d->has_res = rnd(r, 3) == 0;
	d->res_unit = UNIT_WH;
	d->res_milli = 1000 * (1 + (int64_t)rnd(r, 3));
	d->has_channels = rnd(r, 3) == 0;
	d->channels = 1 + (uint32_t)rnd(r, 2);
}

static void make_limit(struct rng *r, struct pol_limit_phrase *l)
{
	*l = (struct pol_limit_phrase){.text = "limit", .n = 1 + rnd(r, 3)};
	switch (rnd(r, 3)) {
	case 0:
		l->kind = LIMIT_SPACING;
		l->n = 1;
		l->window_ns = H(1 + (int64_t)rnd(r, 2));
		break;
	case 1:
		l->kind = LIMIT_CALENDAR;
		l->thing = rnd(r, 2) ? THING_MESSAGES : THING_READINGS;
		l->window = rnd(r, 2) ? WINDOW_HOUR : WINDOW_DAY;
		break;
	default:
		l->kind = LIMIT_SLIDING;
		l->thing = THING_MESSAGES;
		l->window = WINDOW_SLIDING;
		l->window_ns = H(1 + (int64_t)rnd(r, 2));
		break;
	}
}

static void make_match(struct rng *r, struct made *m, size_t i)
{
	m->table[i].lo = 60 + (uint32_t)rnd(r, 4);
	m->table[i].hi = m->table[i].lo + (uint32_t)rnd(r, 4);
	m->match[i].kinds = kit_kind(i == 1 ? OBS_C1222_WRITE_REQUEST
					    : OBS_C1222_READ_RESPONSE);
	m->match[i].n_attr = rnd(r, 3) > 0;
}

static void make_rule(struct rng *r, struct made *m, size_t i)
{
	struct pol_rule_src *x = &m->rule[i];

	x->dir = rnd(r, 3) ? DIRSEL_OUT : DIRSEL_ANY;
	x->party.n_party = 1 + rnd(r, 2);
	x->n_limit = i < 2 ? rnd(r, 2) : 0;
	x->consent = rnd(r, 3) ? CONSENT_NONE : CONSENT_OPT_IN;
	x->n_requires = i < 2 && rnd(r, 3) == 0;
	make_data(r, &x->data);
	x->data.present = x->data.present && i < 2;
}

/* All pointers anew: it may be a copy. */
static void assemble(struct made *m)
{
	static const char *const rules[] = {"a", "b", "c"};
	static const char *const parties[] = {"p", "q"};

	for (size_t i = 0; i < 2; i++) {
		m->party[i].id = m->party[i].name = parties[i];
		m->party[i].addr = &m->addr[i];
		m->party[i].port = &m->port[i];
		m->party[i].n_addr = m->party[i].n_port = 1;
	}
	for (size_t i = 0; i < 3; i++) {
		m->attr[i] = (struct pol_attr){.field = F_TABLE,
					       .num = &m->table[i],
					       .n_num = 1};
		m->match[i].attr = &m->attr[i];
		m->rule[i].id = rules[i];
		m->rule[i].kind = i < 2 ? RULE_GRANT : RULE_DENY;
		m->rule[i].match = &m->match[i];
		m->rule[i].n_match = 1;
		m->rule[i].party.party = both;
		m->rule[i].limit = &m->limit[i % 2];
		m->rule[i].requires_ = state_names;
	}
	m->top.id = "top";
	m->top.party.any = m->top.vm.any = true;
	m->top.each_vm = true;
	m->f.kind = POL_VENDOR;
	m->f.id = "v";
	m->f.vm = "mdma";
	m->f.party = m->party;
	m->f.n_party = 2;
	m->f.rule = m->rule;
	m->f.limit = &m->top;
}

static void make(struct rng *r, struct made *m)
{
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < 2; i++) {
		make_party(r, m, i);
		make_limit(r, &m->limit[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		make_match(r, m, i);
		make_rule(r, m, i);
	}
	make_limit(r, &m->top.phrase);
	m->top.dir = rnd(r, 2) ? DIRSEL_OUT : DIRSEL_ANY;
	m->f.n_rule = 2 + rnd(r, 2);
	m->f.n_limit = rnd(r, 2);
	assemble(m);
}

/* One part, or two, as another throw of the dice has it. */
static void change(struct rng *r, struct made *m)
{
	for (uint64_t n = 1 + rnd(r, 2); n; n--) {
		size_t i = rnd(r, 3);

		switch (rnd(r, 8)) {
		case 0:
			make_party(r, m, i % 2);
			break;
		case 1:
			make_limit(r, &m->limit[i % 2]);
			break;
		case 2:
			make_match(r, m, i);
			break;
		case 3:
			make_rule(r, m, i);
			break;
		case 4:
			make_limit(r, &m->top.phrase);
			break;
		case 5:
			m->f.n_rule = 2 + rnd(r, 2);
			break;
		case 6:
			m->f.n_limit = rnd(r, 2);
			break;
		default:
			make_data(r, &m->rule[i % 2].data);
			break;
		}
	}
	assemble(m);
}

struct said { /* one message, for both kits */
	enum dir dir;
	uint8_t last;
	uint16_t port;
	bool write;
	uint32_t table;
	meas_set meas;
	int64_t gran, newest, oldest, res, channels;
	bool has_gran, has_res, has_channels;
};

static struct said throw(struct rng *r)
{
	struct said s = {
		.dir = rnd(r, 5) ? DIR_OUT : DIR_IN,
		.last = (uint8_t)rnd(r, 33),
		.port = (uint16_t)(1152 + rnd(r, 3)),
		.write = rnd(r, 3) == 0,
		.table = 60 + (uint32_t)rnd(r, 7),
		.meas = rnd(r, 3) ? MEAS_BIT(MEAS_ENERGY_INTERVAL) : 0,
		.gran = 900 * (1 + (int64_t)rnd(r, 5)),
		.newest = 1800 * (int64_t)rnd(r, 6),
		.res = 500 * (1 + (int64_t)rnd(r, 6)),
		.channels = 1 + (int64_t)rnd(r, 2),
		.has_gran = rnd(r, 4),
		.has_res = rnd(r, 2),
		.has_channels = rnd(r, 2),
	};

	if (s.meas && rnd(r, 3) == 0)
		s.meas |= MEAS_BIT(MEAS_ENERGY_REGISTER);
	s.oldest = s.newest + 3600 * (int64_t)rnd(r, 6);
	return s;
}

static bool judge(struct kit *k, const struct said *s)
{
	struct pol_msg m = kit_msg(k, s->dir,
				   s->write ? OBS_C1222_WRITE_REQUEST
					    : OBS_C1222_READ_RESPONSE);
	struct obs *o = &k->leaf[0];
	struct pol_decision d;
	int64_t now = wall_s(k->now.wall);

	m.peer.addr = kit_net(203, 0, 113, s->last, 32).addr;
	m.peer.port = s->port;
	obs_u64(o, F_TABLE, s->table);
	if (s->meas) {
		obs_u64(o, F_MEASUREMENT, s->meas);
		obs_i64(o, F_NEWEST, now - s->newest);
		obs_i64(o, F_OLDEST, now - s->oldest);
	}
	if (s->has_gran)
		obs_u64(o, F_GRANULARITY, (uint64_t)s->gran);
	if (s->has_res) {
		obs_u64(o, F_RES_STEP, (uint64_t)s->res);
		obs_u64(o, F_RES_UNIT, UNIT_WH);
	}
	if (s->has_channels)
		obs_u64(o, F_CHANNELS, (uint64_t)s->channels);
	return kit_judge(k, &m, &d);
}

/* As long as both said the same their states are equal. */
static unsigned compare(struct rng *r, struct kit *a, struct kit *b,
			unsigned at)
{
	unsigned permitted = 0;

	for (unsigned i = 0; i < 40; i++) {
		struct said s = throw(r);

		for (unsigned again = 0; again < 2; again++) {
			bool less = judge(a, &s), more = judge(b, &s);

			if (less && !more)
				fail_msg("case %u, message %u: permitted where "
					 "it should not be",
					 at, i);
			permitted += less;
			if (less != more)
				return permitted;
			kit_wait(a, MIN(20));
			kit_wait(b, MIN(20));
		}
	}
	return permitted;
}

/* Sanitizers look at the code, which a few hundred cases have been through. */
#ifdef __SANITIZE_ADDRESS__
#define CASES 300
#else
#define CASES 10000
#endif

static unsigned n_cases(void)
{
	const char *cases = getenv("LAW_CASES");

	return cases ? (unsigned)strtoul(cases, NULL, 10) : CASES;
}

/* less permits no more than more does; extra: a file beside it. */
static unsigned permits_no_more(struct rng *r, const struct pol_file *less,
				const struct pol_file *extra,
				const struct pol_file *more, unsigned at)
{
	struct kit a = {0}, b = {0};
	unsigned permitted;

	if (kit_add(&a, less) || (extra && kit_add(&a, extra)) || kit_go(&a))
		fail_msg("case %u: %s", at, a.e.text);
	if (kit_add(&b, more) || kit_go(&b))
		fail_msg("case %u: %s", at, b.e.text);
	permitted = compare(r, &a, &b, at);
	kit_free(&a);
	kit_free(&b);
	return permitted;
}

/* The same of files, by their images. */
static bool within(const struct pol_file *is, const struct pol_file *was)
{
	struct kit a = {0}, b = {0};
	char why[200];
	bool in;

	if (kit_add(&a, is) || kit_add(&b, was))
		fail_msg("%s%s", a.e.text, b.e.text);
	in = pol_within(a.im[0], b.im[0], why, sizeof(why));
	kit_free(&a);
	kit_free(&b);
	return in;
}

static void test_within_permits_no_more(void **ctx)
{
	unsigned n = n_cases(), inside = 0, strictly = 0, permitted = 0;
	struct rng r = {20261126};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made was, is;

		make(&r, &was);
		is = was;
		change(&r, &is);
		assert_true(within(&was.f, &was.f));
		if (!within(&is.f, &was.f))
			continue;
		inside++;
		strictly += !within(&was.f, &is.f);
		permitted += permits_no_more(&r, &is.f, NULL, &was.f, i);
	}
	/* Neither trivially true nor trivially false. */
	assert_true(inside > n / 10 && strictly > n / 50 && permitted > n / 10);
}

/* --- law 3 ------------------------------------------------------------------ */

static void tighten(struct rng *r, struct made *m)
{
	struct pol_rule_src *x = &m->rule[rnd(r, 2)];

	switch (rnd(r, 7)) {
	case 0:
		m->f.n_rule = 3; /* the denial */
		break;
	case 1:
		m->f.n_limit = 1;
		break;
	case 2:
		x->n_limit = 1;
		break;
	case 3:
		x->n_requires = 1;
		break;
	case 4:
		x->data.gran_lo_ns += x->data.has_gran ? MIN(15) : 0;
		x->data.has_gran = true;
		break;
	case 5:
		x->data.delay_ns += x->data.has_delay ? H(1) : 0;
		x->data.has_delay = true;
		break;
	default:
		x->consent = CONSENT_OPT_IN;
		break;
	}
	assemble(m);
}

static void test_more_of_a_rule_permits_no_more(void **ctx)
{
	unsigned n = n_cases(), permitted = 0;
	struct rng r = {3};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made was, is;

		make(&r, &was);
		was.f.n_rule = 2;
		was.f.n_limit = 0;
		was.rule[0].n_limit = was.rule[1].n_limit = 0;
		is = was;
		for (uint64_t k = 1 + rnd(&r, 3); k; k--)
			tighten(&r, &is);
		permitted += permits_no_more(&r, &is.f, NULL, &was.f, i);
	}
	assert_true(permitted > n / 10);
}

/* --- law 4 ------------------------------------------------------------------ */

static void test_a_grant_more_refuses_no_more(void **ctx)
{
	unsigned n = n_cases(), permitted = 0;
	struct rng r = {4};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made with;
		struct pol_rule_src fewer[2];
		struct pol_file without;

		make(&r, &with);
		without = with.f;
		fewer[0] = with.rule[rnd(&r, 2)];
		fewer[1] = with.rule[2];
		without.rule = fewer;
		without.n_rule = with.f.n_rule - 1;
		permitted += permits_no_more(&r, &without, NULL, &with.f, i);
	}
	assert_true(permitted > n / 10);
}

/* --- law 5 ------------------------------------------------------------------ */

static void make_restriction(struct rng *r, struct pol_rule_src *x,
			     struct pol_limit_phrase *l)
{
	*x = (struct pol_rule_src){.kind = RULE_RESTRICT, .dir = DIRSEL_ANY,
				   .id = "r", .party.any = true,
				   .vm.any = true, .limit = l};
	switch (rnd(r, 3)) {
	case 0:
		x->block = true;
		if (rnd(r, 2)) {
			x->data.present = true;
			x->data.meas = MEAS_BIT(MEAS_ENERGY_REGISTER);
		}
		break;
	case 1:
		make_limit(r, l);
		x->n_limit = 1;
		break;
	default:
		make_data(r, &x->data);
		x->data.has_channels = false;
		x->data.gran_hi_ns = 0;
		x->block = !x->data.present;
		break;
	}
}

static void test_a_customer_permits_no_more(void **ctx)
{
	unsigned n = n_cases(), permitted = 0;
	struct rng r = {5};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made m;
		struct pol_rule_src x;
		struct pol_limit_phrase l;
		struct pol_file c = {.kind = POL_CUSTOMER, .id = "c",
				     .rule = &x, .n_rule = 1};

		make(&r, &m);
		make_restriction(&r, &x, &l);
		/* Of the one without a customer nobody is asked anything. */
		m.rule[0].consent = m.rule[1].consent = CONSENT_NONE;
		permitted += permits_no_more(&r, &m.f, &c, &m.f, i);
	}
	assert_true(permitted > n / 10);
}

/* --- law 12 ----------------------------------------------------------------- */

/* All that the ledger has but refusals. */
static uint64_t in_ledger(const struct kit *k)
{
	uint64_t *lg = k->st->w + k->st->ledger, sum = 0;

	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		const uint64_t *row = ledger_row(lg, i);

		for (int d = 0; what_unit(row[LR_WHAT]) != USED_REFUSALS &&
				d < LEDGER_DAYS;
		     d++)
			sum += ledger_of_day(row, (int64_t)row[LR_DAY] - d);
	}
	return sum;
}

static void test_a_refusal_costs_nothing(void **ctx)
{
	unsigned n = n_cases(), refused = 0, permitted = 0;
	struct rng r = {12};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static uint64_t before[4096];
		static struct made m;
		struct kit k = {0};
		size_t size;

		make(&r, &m);
		if (kit_add(&k, &m.f) || kit_go(&k))
			fail_msg("case %u: %s", i, k.e.text);
		size = k.st->ledger * sizeof(uint64_t);
		assert_true(size <= sizeof(before));
		for (unsigned j = 0; j < 40; j++) {
			struct said s = throw(&r);
			uint64_t was = in_ledger(&k);

			memcpy(before, k.st->w, size);
			if (judge(&k, &s)) {
				permitted++;
			} else {
				refused++;
				if (memcmp(before, k.st->w, size) != 0 ||
				    in_ledger(&k) != was)
					fail_msg("case %u, message %u", i, j);
			}
			kit_wait(&k, MIN(20));
		}
		kit_free(&k);
	}
	assert_true(refused > n && permitted > n / 10);
}

/* --- law 10 ----------------------------------------------------------------- */

#ifdef COUNT_COST
/* The message and its leaf are looked at in turn. Of several measurements each
 * is a row, and two more put them together. */
static void test_costs_no_more_than_was_said(void **ctx)
{
	unsigned n = n_cases(), charged = 0;
	struct rng r = {10};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made m;
		struct pol_worst w;
		struct pol_cost c;
		struct kit k = {0};

		make(&r, &m);
		if (kit_add(&k, &m.f) || kit_go(&k))
			fail_msg("case %u: %s", i, k.e.text);
		pol_image_cost(k.im[0], &c);
		w = cost_of_file(&m.f);
		for (unsigned j = 0; j < 20; j++) {
			struct said s = throw(&r);
			uint64_t more = (unsigned)__builtin_popcountll(s.meas);

			cost_seen = (struct cost_seen){0};
			judge(&k, &s);
			charged += k.st->n_pend > 0;
			if (cost_seen.words >
				    2 * (uint64_t)c.words +
					    (more > 1 ? more : 0) *
						    c.row_words ||
			    k.st->n_pend > w.limits)
				fail_msg("case %u, message %u: %llu words of "
					 "%u, %u counters of %u",
					 i, j,
					 (unsigned long long)cost_seen.words,
					 c.words, k.st->n_pend, w.limits);
			kit_wait(&k, MIN(20));
		}
		kit_free(&k);
	}
	assert_true(charged > n);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_of_a_rule_permits_no_more),
		cmocka_unit_test(test_a_grant_more_refuses_no_more),
		cmocka_unit_test(test_a_customer_permits_no_more),
		cmocka_unit_test(test_within_permits_no_more),
		cmocka_unit_test(test_a_refusal_costs_nothing),
#ifdef COUNT_COST
		cmocka_unit_test(test_costs_no_more_than_was_said),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
