/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one set has counted, handed to the next. Limits, parties, rules and
 * states are found again by the hashes of their names that the block keeps,
 * so the old set itself need not be there any more.
 */
#include <stdlib.h>

#include "policy-lang/eval/ledger.h"

/* Counters compared for limits that are new; then they start used up. */
#define STEPS_MAX (UINT32_C(1) << 24)

struct carry {
	struct pol_state *to;
	struct pol_state *view; /* the old words, read with the clock of now */
	const struct mem *from;
	uint32_t machine[POL_MAX_MACHINES]; /* of the old set, or LAY_NONE */
	uint32_t steps;
	uint64_t now; /* of the words */
	bool connections;
	struct ledger_ask ask; /* of the limit at hand */
};

static uint32_t find_name(const struct mem *m, uint32_t first, uint32_t n,
			  uint64_t name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (m->names[first + i] == name)
			return i;
	}
	return LAY_NONE;
}

/* Party p of machine m of the new set, in the old one. */
static uint32_t old_party(const struct carry *c, uint32_t m, uint32_t p)
{
	const struct mem_machine *new = &c->to->mem.m[m], *old;

	if (c->machine[m] == LAY_NONE || p > new->n_party)
		return LAY_NONE;
	old = &c->from->m[c->machine[m]];
	return find_name(c->from, old->party, old->n_party + 1,
			 c->to->mem.names[new->party + p]);
}

/* --- the same counter ---------------------------------------------------- */

/* Indices of one counter of a limit: machine, party or group, measurement. */
struct place {
	uint32_t vm, party, meas;
};

static uint64_t *counter(const struct mem *m, const struct mem_limit *l,
			 struct place p)
{
	uint64_t i = p.vm;

	i = i * l->parties + p.party;
	i = i * (l->by_meas ? MEAS_COUNT : 1) + p.meas;
	return m->w + l->base + i * l->words;
}

/* False: the old set had no such counter. */
static bool same_place(const struct carry *c, const struct mem_limit *new,
		       const struct mem_limit *old, struct place p,
		       struct place *out)
{
	uint32_t m = new->by_vm ? p.vm : new->machine;

	*out = p;
	if (new->by_vm) {
		out->vm = c->machine[p.vm];
		if (out->vm == LAY_NONE)
			return false;
	}
	if (new->by_group) {
		out->party = find_name(c->from, 0, c->from->head->n_group,
				       c->to->mem.names[p.party]);
	} else if (new->by_party) {
		if (m == LAY_NONE)
			return false;
		out->party = old_party(c, m, p.party);
	}
	return out->party < old->parties;
}

static const struct mem_limit *find_limit(const struct mem *m,
					  const struct mem_limit *l)
{
	const struct mem_limit *like = NULL;

	for (uint32_t i = 0; i < m->head->n_limit; i++) {
		if (m->limit[i].id == l->id)
			return &m->limit[i];
		if (m->limit[i].like == l->like)
			like = &m->limit[i];
	}
	return like;
}

/* Hashes may collide and blocks may lie: what is moved has one form. */
static bool same_form(const struct mem_limit *a, const struct mem_limit *b)
{
	return a->l.kind == b->l.kind && a->l.window == b->l.window &&
	       a->l.thing == b->l.thing &&
	       a->l.window_ns == b->l.window_ns && a->by_vm == b->by_vm &&
	       a->by_party == b->by_party && a->by_meas == b->by_meas &&
	       a->by_group == b->by_group;
}

/* --- a counter that is new ----------------------------------------------- */

/* The ledger says what was used; how many different values were seen, and
 * which connections are open, only a limit of that kind does. */
static bool of_a_kind(const struct lay_limit *a, const struct lay_limit *b)
{
	return a->kind == b->kind &&
	       (a->kind == LIMIT_CONCURRENT ||
		(a->kind == LIMIT_DISTINCT && a->distinct == b->distinct));
}

static bool touched(const uint64_t *w, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (w[i])
			return true;
	}
	return false;
}

/* Of a window that is no shorter. */
static uint64_t used_at_most(const struct carry *c, const struct lay_limit *new,
			     const struct mem_limit *old, const uint64_t *w)
{
	uint64_t of, used;
	int64_t wait;

	if (!touched(w, old->words))
		return 0;
	/* Of a day that may not be over yet for a clock that is set back. */
	if (old->l.window == WINDOW_SLIDING)
		used = limit_now(c->view, &old->l, (uint32_t)(w - c->from->w),
				 &of, &wait);
	else
		used = limit_used(c->view, &old->l, (uint32_t)(w - c->from->w));
	return new->window == old->l.window &&
			       new->window_ns <= old->l.window_ns
		       ? used
		       : UINT64_MAX;
}

/* Who is new may be someone who was called otherwise: anyone who is gone. */
static bool machine_gone(const struct carry *c, uint32_t old)
{
	for (uint32_t i = 0; i < c->to->mem.head->n_m; i++) {
		if (c->machine[i] == old)
			return false;
	}
	return true;
}

static bool same_machine(const struct carry *c, uint32_t new, uint32_t old)
{
	if (new == LAY_NONE || old == LAY_NONE) /* all of them */
		return true;
	return c->machine[new] == old ||
	       (c->machine[new] == LAY_NONE && machine_gone(c, old));
}

static bool party_gone(const struct carry *c, uint32_t m, uint32_t old)
{
	for (uint32_t p = 0; p < c->to->mem.m[m].n_party; p++) {
		if (old_party(c, m, p) == old)
			return false;
	}
	return true;
}

static bool same_party(const struct carry *c, uint32_t m, uint32_t new,
		       uint32_t old)
{
	uint32_t was;

	if (m == LAY_NONE || c->machine[m] == LAY_NONE)
		return true;
	was = old_party(c, m, new);
	return was == old || (was == LAY_NONE && party_gone(c, m, old));
}

static bool same_group(const struct carry *c, uint32_t new, uint32_t old)
{
	const struct mem *to = &c->to->mem;

	return to->names[new] == c->from->names[old] ||
	       (find_name(c->from, 0, c->from->head->n_group,
			  to->names[new]) == LAY_NONE &&
		find_name(to, 0, to->head->n_group, c->from->names[old]) ==
			LAY_NONE);
}

/* Does it count anything that place p of the new limit counts? */
static bool overlaps(const struct carry *c, const struct mem_limit *new,
		     struct place p, const struct mem_limit *old,
		     struct place q)
{
	uint32_t m = new->by_vm ? p.vm : new->machine;
	uint32_t om = old->by_vm ? q.vm : old->machine;

	if (!same_machine(c, m, om) ||
	    (new->by_meas && old->by_meas && p.meas != q.meas))
		return false;
	if (!new->by_party || !old->by_party ||
	    new->by_group != old->by_group)
		return true; /* who is in a group is not kept */
	return new->by_group ? same_group(c, p.party, q.party)
			     : same_party(c, m, p.party, q.party);
}

/* How many values, at most, the new set w at place p has to start with; or the
 * connections themselves. *any: there was such a limit. */
static uint64_t fullest(struct carry *c, const struct mem_limit *new,
			struct place p, uint64_t *w, bool *any)
{
	const struct mem_head *h = c->from->head;
	uint64_t most = 0;

	*any = false;
	for (uint32_t i = 0; i < h->n_limit; i++) {
		const struct mem_limit *old = &c->from->limit[i];
		uint32_t meas = old->by_meas ? MEAS_COUNT : 1;
		uint64_t n = mem_limit_count(h, old);

		if (!of_a_kind(&new->l, &old->l))
			continue;
		for (uint64_t k = 0; k < n; k++) {
			struct place q = {
				.vm = (uint32_t)(k / meas / old->parties),
				.party = (uint32_t)(k / meas % old->parties),
				.meas = (uint32_t)(k % meas)};
			uint64_t used;

			if (++c->steps > STEPS_MAX)
				return UINT64_MAX;
			if (!overlaps(c, new, p, old, q))
				continue;
			*any = true;
			if (new->l.kind == LIMIT_CONCURRENT) {
				limit_join(&new->l, w, &old->l,
					   counter(c->from, old, q));
				continue;
			}
			used = used_at_most(c, &new->l, old,
					    counter(c->from, old, q));
			most = used > most ? used : most;
		}
	}
	return most;
}

/* Nothing it could have counted is known elsewhere: at most all messages. */
static void fill_counter(struct carry *c, const struct mem_limit *new,
			 struct place p, uint64_t *w)
{
	uint64_t used = 0;
	bool any = false;

	memset(w, 0, new->words * sizeof(*w));
	if (new->l.kind == LIMIT_CONCURRENT || new->l.kind == LIMIT_DISTINCT)
		used = fullest(c, new, p, w, &any);
	if (!any || c->ask.lost)
		ledger_fill(c->to, &c->ask, (uint32_t)(w - c->to->w), p.meas);
	else if (used)
		limit_fill(c->to, &new->l, w, used);
}

/* --- limits -------------------------------------------------------------- */

/* Places of machines, which have other numbers now. */
static void carry_places(const struct carry *c, const struct mem_limit *new,
			 uint64_t *w)
{
	for (uint32_t i = 0; i < new->l.n; i++) {
		uint64_t is = 0;

		if (!(w[i] & PLACE))
			continue;
		for (uint32_t m = 0; m < c->to->mem.head->n_m; m++) {
			if ((PLACE | c->machine[m]) == w[i])
				is = PLACE | m;
		}
		w[i] = is;
	}
}

static void carry_counter(struct carry *c, const struct mem_limit *new,
			  const struct mem_limit *old, struct place p)
{
	uint64_t *w = counter(&c->to->mem, new, p);
	struct place q;

	if (old && same_place(c, new, old, p, &q)) {
		limit_move(c->view, &new->l, w, &old->l,
			   counter(c->from, old, q));
	} else {
		fill_counter(c, new, p, w);
	}
	if (!c->connections)
		limit_mend(&new->l, w);
	if (new->l.kind == LIMIT_CONCURRENT)
		carry_places(c, new, w);
}

static void carry_limit(struct carry *c, uint32_t i)
{
	const struct mem_limit *new = &c->to->mem.limit[i];
	const struct mem_limit *old = find_limit(c->from, new);
	uint32_t meas = new->by_meas ? MEAS_COUNT : 1;
	uint64_t n = mem_limit_count(c->to->mem.head, new);

	if (old && !same_form(new, old))
		old = NULL;
	ledger_ask(c->to, i, &c->ask);
	for (uint64_t k = 0; k < n; k++)
		carry_counter(c, new, old,
			      (struct place){
				      (uint32_t)(k / meas / new->parties),
				      (uint32_t)(k / meas % new->parties),
				      (uint32_t)(k % meas)});
}

/* --- the ledger ---------------------------------------------------------- */

static bool machine_named(const struct mem *m, uint64_t name)
{
	for (uint32_t i = 0; i < m->head->n_m; i++) {
		if (m->m[i].name == name)
			return true;
	}
	return false;
}

/* What party p of machine m, one of them new, may have used under a name that
 * is gone. It keeps its own: one who comes back finds it. */
static void adopt(struct carry *c, uint32_t m, uint32_t p, uint64_t rows)
{
	const struct mem *to = &c->to->mem;
	const struct mem_machine *mc = &to->m[m];
	uint64_t name = to->names[mc->party + p];
	bool new_machine = c->machine[m] == LAY_NONE;

	for (uint64_t i = 0; i < rows; i++) {
		uint64_t copy[LR_WORDS];
		const uint64_t *row = ledger_row(c->to->w + c->to->ledger, i);
		bool theirs = row[LR_MACHINE] == mc->name;
		bool known = find_name(to, mc->party, mc->n_party + 1,
				       row[LR_PARTY]) != LAY_NONE;

		if (row[LR_MACHINE] == 0 ||
		    (theirs && row[LR_PARTY] == name))
			continue;
		if (!theirs && (!new_machine ||
				machine_named(to, row[LR_MACHINE])))
			continue;
		if (row[LR_PARTY] != name && known)
			continue;
		memcpy(copy, row, sizeof(copy));
		ledger_raise(ledger_find(c->to, mc->name, name, copy[LR_WHAT]),
			     copy);
	}
}

static void carry_ledger(struct carry *c)
{
	struct pol_state *to = c->to;
	const uint64_t *from = c->from->w + mem_ledger(c->from->head);
	uint64_t rows = from[LG_ROWS];

	memcpy(to->w + to->ledger, from,
	       (LG_HEAD + rows * LR_WORDS) * sizeof(*from));
	to->lg_rows = UINT32_MAX; /* others' */
	for (uint32_t m = 0; m < to->mem.head->n_m; m++) {
		for (uint32_t p = 0; p < to->mem.m[m].n_party; p++) {
			if (old_party(c, m, p) == LAY_NONE)
				adopt(c, m, p, rows);
		}
		if (c->machine[m] == LAY_NONE) /* the unknown party's */
			adopt(c, m, to->mem.m[m].n_party, rows);
	}
}

/* --- states and requests ------------------------------------------------- */

static void carry_states(struct carry *c, const struct mem_machine *new,
			 const struct mem_machine *old, uint32_t m)
{
	const struct pol_image *v = c->to->s->m[m].vendor;
	uint64_t *w = c->to->w + new->states;

	for (uint32_t k = 0; k < new->n_state; k++) {
		uint32_t was = find_name(c->from, old->state, old->n_state,
					 c->to->mem.names[new->state + k]);

		for (uint32_t p = 0; p <= new->n_party; p++, w++) {
			uint32_t q = old_party(c, m, p);

			/* The machine's is in the first place. */
			if (v->STAT[k].scope == SCOPE_VM && p == 0)
				q = 0;
			if (was == LAY_NONE || q > old->n_party)
				continue;
			*w = c->from->w[old->states +
					was * (old->n_party + 1) + q];
			if (*w > c->now + (uint64_t)v->STAT[k].expires)
				*w = 0; /* nobody can have set it so */
		}
	}
}

static void carry_answers(struct carry *c, const struct mem_machine *new,
			  const struct mem_machine *old)
{
	uint64_t *to = c->to->w + new->answers;
	const uint64_t *from = c->from->w + old->answers;

	for (uint32_t i = 0; i < ANSWERS;
	     i++, to += AN_WORDS, from += AN_WORDS) {
		uint32_t p = answer_party(from), rule = LAY_NONE;

		to[AN_ID] = 0;
		if (from[AN_ID] == 0 || p >= old->n_party ||
		    from[AN_RULE] >= old->n_rule)
			continue;
		p = find_name(&c->to->mem, new->party, new->n_party,
			      c->from->names[old->party + p]);
		rule = find_name(&c->to->mem, new->rule, new->n_rule,
				 c->from->names[old->rule + from[AN_RULE]]);
		if (p != LAY_NONE && rule != LAY_NONE)
			answer_move(to, from, p, rule);
	}
}

static bool has_limit(const struct carry *c, uint64_t what)
{
	const struct mem *m = &c->to->mem;

	for (uint32_t i = 0; i < m->head->n_limit; i++) {
		if ((m->limit[i].id | FS_LIMIT) == what)
			return true;
	}
	return false;
}

static void carry_flows(struct carry *c, const struct mem_machine *new,
			const struct mem_machine *old)
{
	uint64_t *to = c->to->w + new->flows;
	const uint64_t *from = c->from->w + old->flows;

	for (uint32_t i = 0; i < FLOW_STATES;
	     i++, to += FS_WORDS, from += FS_WORDS) {
		uint32_t k = LAY_NONE;

		/* Of a limit that is another now nothing says that it has room
		 * for the connection. */
		if (from[FS_STATE] & FS_LIMIT) {
			memcpy(to, from, FS_WORDS * sizeof(*to));
			if (!has_limit(c, from[FS_STATE]))
				to[FS_STATE] = FS_LIMIT;
			continue;
		}
		if (from[FS_STATE] >= 1 && from[FS_STATE] <= old->n_state)
			k = find_name(&c->to->mem, new->state, new->n_state,
				      c->from->names[old->state +
						     from[FS_STATE] - 1]);
		if (k == LAY_NONE)
			continue;
		memcpy(to, from, FS_WORDS * sizeof(*to));
		to[FS_STATE] = k + 1;
	}
}

/* attested ends when the new set says; a quarantine never earlier. */
static void carry_builtin(const struct carry *c, uint64_t *to,
			  const uint64_t *from, int64_t attested_ns)
{
	uint64_t most = c->now + (uint64_t)attested_ns;

	to[BUILTIN_ATTESTED] = from[BUILTIN_ATTESTED];
	if (to[BUILTIN_ATTESTED] > most)
		to[BUILTIN_ATTESTED] = most;
	to[BUILTIN_QUARANTINED] = from[BUILTIN_QUARANTINED];
	if (to[BUILTIN_QUARANTINED] > FOREVER)
		to[BUILTIN_QUARANTINED] = FOREVER;
}

static void carry_machine(struct carry *c, uint32_t m)
{
	const struct mem_machine *new = &c->to->mem.m[m], *old;

	if (c->machine[m] == LAY_NONE)
		return;
	old = &c->from->m[c->machine[m]];
	carry_builtin(c, c->to->w + new->builtin, c->from->w + old->builtin,
		      c->to->s->m[m].attestation_max);
	carry_states(c, new, old, m);
	carry_answers(c, new, old);
	if (c->connections && flows_kept(&c->to->mem) && flows_kept(c->from))
		carry_flows(c, new, old);
}

void carry_all(struct pol_state *to, const struct mem *from, bool connections)
{
	struct carry c = {.to = to, .from = from, .connections = connections,
			  .now = (uint64_t)to->now.mono.ns};
	struct pol_state *view = st_handle(to->s);
	const struct mem *m = &to->mem;

	memset(to->turn, 0, sizeof(to->turn));
	for (uint32_t i = 0; i < m->head->n_m; i++) {
		c.machine[i] = LAY_NONE;
		for (uint32_t k = 0; k < from->head->n_m; k++) {
			if (from->m[k].name == m->m[i].name)
				c.machine[i] = k;
		}
	}
	to->live->wall_max_s = from->live->wall_max_s;
	to->live->next_id = from->live->next_id;
	m->head->key = from->head->key;
	if (view) {
		view->w = from->w;
		st_now(view, to->now);
		view->trusted = to->trusted;
	}
	c.view = view;
	carry_ledger(&c);
	for (uint32_t i = 0; i < m->head->n_limit; i++) {
		uint64_t n = mem_limit_count(m->head, &m->limit[i]);

		if (view)
			carry_limit(&c, i);
		for (uint64_t k = 0; !view && k < n; k++)
			limit_fill(to, &m->limit[i].l,
				   m->w + m->limit[i].base +
					   k * m->limit[i].words,
				   UINT64_MAX);
	}
	for (uint32_t i = 0; i < m->head->n_m; i++)
		carry_machine(&c, i);
	free(view);
}

void pol_state_carry(struct pol_state *to, const struct pol_state *from,
		     struct now now)
{
	to->clock_forced = from->clock_forced;
	to->spread = from->spread;
	to->one_sided = from->one_sided;
	to->courses = from->courses;
	/* Until all is there, a block that was empty does not say it is whole. */
	if (to->fresh)
		mem_open_head(to->mem.head);
	to->mem.head->offset = from->mem.head->offset;
	st_time(to, now);
	carry_all(to, &from->mem, true);
	mem_close_head(to->mem.head);
	to->fresh = false;
}
