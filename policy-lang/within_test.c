/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to lie within another policy never permits what that one
 * refuses, from equal counters and states (law 7 of the language): random
 * policies and random changes of them, judged over random messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"
#include "policy-lang/front/within.h"

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
static unsigned compare(struct rng *r, struct kit *is, struct kit *was,
			unsigned at)
{
	unsigned permitted = 0;

	for (unsigned i = 0; i < 40; i++) {
		struct said s = throw(r);

		for (unsigned again = 0; again < 2; again++) {
			bool a = judge(is, &s), b = judge(was, &s);

			if (a && !b)
				fail_msg("case %u, message %u: permitted, and "
					 "was not",
					 at, i);
			permitted += a;
			if (a != b)
				return permitted;
			kit_wait(is, MIN(20));
			kit_wait(was, MIN(20));
		}
	}
	return permitted;
}

static void test_within_permits_no_more(void **ctx)
{
	const char *cases = getenv("WITHIN_CASES");
	unsigned n = cases ? (unsigned)strtoul(cases, NULL, 10) : 10000;
	unsigned within = 0, strictly = 0, permitted = 0;
	struct rng r = {20261126};

	(void)ctx;
	for (unsigned i = 0; i < n; i++) {
		static struct made was, is;
		struct kit a = {0}, b = {0};
		char why[200];

		make(&r, &was);
		is = was;
		change(&r, &is);
		assert_true(pol_within(&was.f, &was.f, why, sizeof(why)));
		if (!pol_within(&is.f, &was.f, why, sizeof(why)))
			continue;
		within++;
		strictly += !pol_within(&was.f, &is.f, why, sizeof(why));
		assert_int_equal(kit_add(&a, &is.f) || kit_go(&a), 0);
		assert_int_equal(kit_add(&b, &was.f) || kit_go(&b), 0);
		permitted += compare(&r, &a, &b, i);
		kit_free(&a);
		kit_free(&b);
	}
	print_message("%u of %u within, %u strictly; %u permitted\n", within, n,
		      strictly, permitted);
	/* Neither trivially true nor trivially false. */
	assert_true(within > n / 10 && strictly > n / 50 && permitted > n / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within_permits_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
