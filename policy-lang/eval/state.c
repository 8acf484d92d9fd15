/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that changes while policies are in force, allocated at activation: one
 * array of words, so that a transaction is undone by putting words back.
 *
 * The words may outlive the process that writes them, which may be killed
 * between any two stores. So the order of stores is kept: whoever comes after
 * finds either the old value, or the new one with its old one in the log.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "policy-lang/eval/internal.h"

/* The compiler keeps stores in order; what a processor has begun, a process
 * that is killed has done. */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

static int consent_of(struct pol_state *st, size_t m, struct span rule,
		      bool granted)
{
	const struct pol_image *v = st->s->m[m].vendor;

	for (uint32_t i = 0; v && i < v->n_RULE; i++) {
		if (v->RULE[i].kind == RULE_GRANT &&
		    span_eq(img_str(v, v->RULE[i].id), rule)) {
			st->consent[m][i] =
				granted ? CONSENT_GRANTED : CONSENT_REFUSED;
			return 0;
		}
	}
	return E_NOTFOUND;
}

static void customer_answers(struct pol_state *st)
{
	const struct pol_image *c = st->s->customer;

	for (uint32_t i = 0; c && i < c->n_ANSW; i++) {
		for (size_t m = 0; m < st->s->n_m; m++) {
			const struct lay_answer *a = &c->ANSW[i];

			/* An answer about a policy or rule that is not there
			 * (any more) answers nothing. */
			if (!set_void(st->s, i) &&
			    span_eq(st->s->m[m].pub.policy,
				    img_str(c, a->policy)))
				(void)!consent_of(st, m, img_str(c, a->rule),
						  a->granted);
		}
	}
}

struct pol_state *st_handle(const struct pol_set *s)
{
	struct pol_state *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->s = s;
	st->spread = true;
	st->clock_forced = -1;
	st->courses.era = 1; /* places of era 0 are as they were then */
	st->size = sizeof(*st) + pol_state_octets(s);
	customer_answers(st);
	return st;
}

int pol_state_new(struct pol_state **out, const struct pol_set *s,
		  struct err *e)
{
	static const uint8_t boot[16];
	struct pol_state *st = st_handle(s);
	void *block = calloc(1, pol_state_octets(s));

	*out = NULL;
	if (!st || !block) {
		free(st);
		free(block);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	mem_make(st, block, boot, 0);
	mem_close_head(st->mem.head);
	st->own = block;
	st->fresh = true;
	*out = st;
	return 0;
}

void pol_state_free(struct pol_state *st)
{
	if (!st)
		return;
	free(st->own);
	free(st);
}

size_t pol_state_size(const struct pol_state *st)
{
	return st->size;
}

void pol_state_spread(struct pol_state *st, bool on)
{
	st->spread = on;
}

void pol_state_key(struct pol_state *st, const struct sipkey *key)
{
	st->mem.head->key = *key;
	mem_close_head(st->mem.head);
}

void pol_state_one_sided(struct pol_state *st, bool on)
{
	st->one_sided = on;
}

/* --- time ---------------------------------------------------------------- */

void st_time(struct pol_state *st, struct now now)
{
	struct mem_live *live = st->live;
	int64_t ns = now.mono.ns + st->mem.head->offset;
	bool trusted =
		st->clock_forced < 0 ? now.wall.trusted : st->clock_forced > 0;

	now.mono.ns = ns;
	st_now(st, now);
	st->trusted = trusted;
	live->sealed = 0;
	if (trusted && st->wall_s > live->wall_max_s)
		live->wall_max_s = st->wall_s;
	/* The times of words are never later than this one. */
	if (ns > live->time)
		live->time = ns;
	live->wall_us = now.wall.us;
	live->trusted = trusted;
	IN_ORDER();
}

uint64_t st_until(const struct pol_state *st, struct now now, int64_t ns)
{
	return (uint64_t)(now.mono.ns + st->mem.head->offset + ns);
}

/* --- the transaction ----------------------------------------------------- */

void st_log(struct pol_state *st, uint32_t at, uint64_t v)
{
	uint32_t n = st->live->n_undo;

	if (st->what_if.on)
		return;
	/* pol_judge refuses before the log could overflow. */
	if (n < UNDO_MAX) {
		st->undo[n].at = at;
		st->undo[n].was = st->w[at];
		IN_ORDER();
		st->live->n_undo = n + 1;
		IN_ORDER();
	}
	st->w[at] = v;
	IN_ORDER();
}

/* Also what an abort would put back becomes v: a refusal is a fact that the
 * fate of other messages does not change. */
void st_put_final(struct pol_state *st, uint32_t at, uint64_t v)
{
	for (uint32_t i = 0; i < st->live->n_undo; i++) {
		if (st->undo[i].at == at)
			st->undo[i].was = v;
	}
	st->w[at] = v;
	IN_ORDER();
}

static void unsure(struct pol_state *st)
{
	for (size_t m = 0; m < st->s->n_m; m++)
		st->turn[m].sure = false;
}

void st_undo(struct pol_state *st, uint32_t mark)
{
	struct mem_live *live = st->live;

	while (live->n_undo > mark) {
		const struct undo *u = &st->undo[live->n_undo - 1];

		st->w[u->at] = u->was;
		/* No counter: it may be of a request. */
		if (u->at >= st->s->counter_words)
			unsure(st);
		IN_ORDER();
		live->n_undo--;
		IN_ORDER();
	}
}

void pol_commit(struct pol_state *st)
{
	st->n_due = st->n_spent = 0;
	course_commit(st);
	IN_ORDER();
	st->live->n_undo = 0;
	IN_ORDER();
}

void pol_abort(struct pol_state *st)
{
	ledger_abort(st);
	share_undo(st, 0);
	st_undo(st, 0);
	course_abort(st);
}

/* --- states -------------------------------------------------------------- */

static uint32_t state_word(const struct pol_state *st, size_t m, int party,
			   unsigned state)
{
	const struct machine *mc = &st->s->m[m];
	uint32_t p = party < 0 ? mc->n_party : (uint32_t)party;

	if (mc->vendor->STAT[state].scope == SCOPE_VM)
		p = 0;
	return st->states[m] + state * (mc->n_party + 1) + p;
}

static uint32_t flow_word(const struct pol_state *st, size_t m, uint32_t i)
{
	return st->flows[m] + i * FS_WORDS;
}

/* The row of what is noted of a connection, or the one to use for it: that
 * which ends first. */
static uint32_t flow_row(const struct pol_state *st, size_t m, uint64_t flow,
			 uint64_t what, bool *found)
{
	uint32_t oldest = flow_word(st, m, 0);

	for (uint32_t i = 0; i < FLOW_STATES; i++) {
		uint32_t at = flow_word(st, m, i);

		if (st->w[at + FS_FLOW] == flow &&
		    st->w[at + FS_STATE] == what) {
			*found = true;
			return at;
		}
		if (st->w[at + FS_UNTIL] < st->w[oldest + FS_UNTIL])
			oldest = at;
	}
	*found = false;
	return oldest;
}

bool st_has(const struct pol_state *st, size_t m, int party, uint64_t flow,
	    unsigned state)
{
	const struct lay_state *s = &st->s->m[m].vendor->STAT[state];
	uint64_t now = (uint64_t)st->now.mono.ns;
	bool found;
	uint32_t at;

	if (s->scope != SCOPE_FLOW)
		return st->w[state_word(st, m, party, state)] > now;
	at = flow_row(st, m, flow, state + 1, &found);
	return found && st->w[at + FS_UNTIL] > now;
}

static void note_flow(struct pol_state *st, uint32_t at, uint64_t flow,
		      uint64_t what, uint64_t until)
{
	st_put(st, at + FS_FLOW, flow);
	st_put(st, at + FS_STATE, what);
	st_put(st, at + FS_UNTIL, until);
}

void st_set(struct pol_state *st, size_t m, int party, uint64_t flow,
	    unsigned state)
{
	const struct lay_state *s = &st->s->m[m].vendor->STAT[state];
	uint64_t until = (uint64_t)(st->now.mono.ns + s->expires);
	bool found;
	uint32_t at;

	if (s->scope != SCOPE_FLOW) {
		st_put(st, state_word(st, m, party, state), until);
		return;
	}
	/* When all are in use the state that ends first is forgotten, which
	 * takes a permission away and never gives one. */
	at = flow_row(st, m, flow, state + 1, &found);
	if (st->w[at + FS_UNTIL] < FOREVER)
		note_flow(st, at, flow, state + 1, until);
}

bool st_shut(struct pol_state *st, size_t m, uint64_t flow, uint32_t limit)
{
	bool found;
	uint64_t what = st->mem.limit[limit].id | FS_LIMIT;
	uint32_t at = flow_row(st, m, flow, what, &found);

	if (!found && st->w[at + FS_UNTIL] >= FOREVER)
		return false;
	note_flow(st, at, flow, what, FOREVER);
	return true;
}

bool st_is_shut(const struct pol_state *st, size_t m, uint64_t flow,
		uint32_t limit)
{
	uint64_t what = st->mem.limit[limit].id | FS_LIMIT;

	for (uint32_t i = 0; i < FLOW_STATES; i++) {
		uint32_t at = flow_word(st, m, i);

		if (st->w[at + FS_FLOW] == flow &&
		    st->w[at + FS_UNTIL] >= FOREVER &&
		    (st->w[at + FS_STATE] == what ||
		     st->w[at + FS_STATE] == FS_LIMIT))
			return true;
	}
	return false;
}

void st_end_flow(struct pol_state *st, uint64_t flow)
{
	for (size_t m = 0; st->s->keeps_flows && m < st->s->n_m; m++) {
		for (uint32_t i = 0; i < FLOW_STATES; i++) {
			uint32_t at = flow_word(st, m, i);

			if (st->w[at + FS_FLOW] == flow)
				st_put_final(st, at + FS_UNTIL, 0);
		}
	}
}

void st_clear(struct pol_state *st, size_t m, int party, uint64_t flow,
	      unsigned state)
{
	const struct lay_state *s = &st->s->m[m].vendor->STAT[state];
	bool found;
	uint32_t at;

	if (s->scope != SCOPE_FLOW) {
		st_put_final(st, state_word(st, m, party, state), 0);
		return;
	}
	at = flow_row(st, m, flow, state + 1, &found);
	if (found)
		st_put_final(st, at + FS_UNTIL, 0);
}

/* Not valid at this date, the days before it begins included. */
bool st_expired(const struct pol_state *st, size_t m)
{
	const struct pol_image *im = st->s->m[m].vendor;
	const struct lay_meta *v = im ? im->META : NULL;

	return v && ((v->not_before && st->std_s < v->not_before) ||
		     (v->not_after && st->std_s >= v->not_after));
}

bool st_builtin(const struct pol_state *st, size_t m, enum pol_builtin b)
{
	if (b == BUILTIN_CLOCK_TRUSTED)
		return st->trusted;
	if (b == BUILTIN_POLICY_EXPIRED)
		return st_expired(st, m);
	return st->w[st->builtin[m] + b] > (uint64_t)st->now.mono.ns;
}

void st_quarantine(struct pol_state *st, size_t m, int64_t ns)
{
	uint32_t at = st->builtin[m] + BUILTIN_QUARANTINED;
	uint64_t until = (uint64_t)(st->now.mono.ns + ns);

	if (until > st->w[at])
		st_put_final(st, at, until);
}

int64_t pol_quarantined(const struct pol_state *st, size_t i, struct now now)
{
	uint64_t until = st->w[st->builtin[i] + BUILTIN_QUARANTINED];
	uint64_t t = st_until(st, now, 0);

	return until > t ? (int64_t)(until - t) : 0;
}

/* --- by hand ------------------------------------------------------------- */

static const char *const builtin_names[BUILTIN_WORDS] = {
	[BUILTIN_ATTESTED] = "attested",
	[BUILTIN_CLOCK_TRUSTED] = "clock-trusted",
	[BUILTIN_QUARANTINED] = "quarantined",
};

static int set_builtin(struct pol_state *st, size_t m, struct span name,
		       bool on, struct now now)
{
	for (int b = 0; b < BUILTIN_WORDS; b++) {
		int64_t ns = b == BUILTIN_ATTESTED ? st->s->m[m].attestation_max
						   : INT64_C(1) << 61;

		if (!span_is(name, builtin_names[b]))
			continue;
		if (b == BUILTIN_CLOCK_TRUSTED)
			st->clock_forced = on;
		else
			st->w[st->builtin[m] + (uint32_t)b] =
				on ? st_until(st, now, ns) : 0;
		return 0;
	}
	return E_NOTFOUND;
}

static int party_named(const struct machine *m, struct span name)
{
	for (uint32_t i = 0; i < m->n_party; i++) {
		if (span_eq(img_str(m->vendor, m->vendor->PRTY[i].id), name))
			return (int)i;
	}
	return -1;
}

int pol_state_set(struct pol_state *st, size_t machine, struct span name,
		  struct span party, bool on, struct now now)
{
	const struct machine *m;
	int p = -1;

	if (machine >= st->s->n_m)
		return E_NOTFOUND;
	m = &st->s->m[machine];
	if (set_builtin(st, machine, name, on, now) == 0)
		return 0;
	if (party.n && m->vendor) {
		p = party_named(m, party);
		if (p < 0)
			return E_NOTFOUND;
	}
	for (uint32_t i = 0; m->vendor && i < m->vendor->n_STAT; i++) {
		const struct lay_state *s = &m->vendor->STAT[i];

		if (!span_eq(img_str(m->vendor, s->id), name))
			continue;
		if (s->scope == SCOPE_FLOW ||
		    (s->scope == SCOPE_PARTY && p < 0))
			return E_UNSUPPORTED; /* of which connection, party? */
		st->w[state_word(st, machine, p, i)] =
			on ? st_until(st, now, s->expires) : 0;
		return 0;
	}
	return E_NOTFOUND;
}

int pol_state_consent(struct pol_state *st, size_t machine, struct span rule,
		      bool granted)
{
	const uint8_t *slash = rule.n ? memchr(rule.p, '/', rule.n) : NULL;

	if (machine >= st->s->n_m)
		return E_NOTFOUND;
	if (slash) {
		size_t n = (size_t)(slash - rule.p);

		if (!span_eq(span_sub(rule, 0, n),
			     st->s->m[machine].pub.policy))
			return E_NOTFOUND;
		rule = span_from(rule, n + 1);
	}
	return consent_of(st, machine, rule, granted);
}
