/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is where in the block of memory of a state, and the tables in it that
 * say so: limits, machines, and hashes of names.
 */
#include "policy-lang/eval/ledger.h"

/* --- names --------------------------------------------------------------- */

uint64_t mem_name(uint64_t seed, struct span s)
{
	struct sipkey key = {0x6d65746572676174 ^ seed, 0x6e616d65732d3031};
	uint64_t h = siphash24(&key, s);

	return h ? h : 1; /* 0 is nobody */
}

static uint64_t mem_number(uint64_t seed, uint64_t v)
{
	return mem_name(seed, span_of(&v, sizeof(v)));
}

/* --- sizes and places ---------------------------------------------------- */

/* The words of machine i from at on; where the next one begins. */
uint32_t mem_machine(const struct pol_set *s, size_t i, struct mem_machine *m,
		     uint32_t at)
{
	const struct machine *mc = &s->m[i];

	*m = (struct mem_machine){
		.n_party = mc->n_party,
		.n_rule = mc->vendor ? mc->vendor->n_RULE : 0,
		.n_state = mc->vendor ? mc->vendor->n_STAT : 0};
	m->states = at;
	at += m->n_state * (m->n_party + 1);
	m->builtin = at;
	at += BUILTIN_WORDS;
	m->answers = at;
	at += ANSWERS * AN_WORDS;
	m->flows = at;
	at += s->keeps_flows ? FLOW_STATES * FS_WORDS : 0;
	return at;
}

void mem_counts(const struct pol_set *s, struct mem_head *h)
{
	uint32_t at = s->counter_words, names = s->n_group;
	struct mem_machine m;

	for (size_t i = 0; i < s->n_m; i++) {
		at = mem_machine(s, i, &m, at);
		names += 2 * (m.n_party + 1) + m.n_rule + m.n_state;
	}
	h->n_w = at + LEDGER_WORDS;
	h->n_counter_words = s->counter_words;
	h->n_limit = s->n_limit;
	h->n_m = (uint32_t)s->n_m;
	h->n_names = names;
	h->n_group = s->n_group;
	h->max_party = s->max_party;
}

size_t mem_octets(const struct mem_head *h)
{
	return sizeof(struct mem_head) + sizeof(struct mem_live) +
	       (h->n_w + (size_t)1) * sizeof(uint64_t) +
	       UNDO_MAX * sizeof(struct undo) +
	       h->n_limit * sizeof(struct mem_limit) +
	       h->n_m * sizeof(struct mem_machine) +
	       h->n_names * sizeof(uint64_t);
}

size_t pol_state_octets(const struct pol_set *s)
{
	struct mem_head h;

	mem_counts(s, &h);
	return mem_octets(&h);
}

void mem_place(struct mem *m, void *block, const struct mem_head *counts)
{
	m->head = block;
	m->live = (struct mem_live *)(m->head + 1);
	m->w = (uint64_t *)(m->live + 1);
	m->undo = (struct undo *)(m->w + counts->n_w + 1);
	m->limit = (struct mem_limit *)(m->undo + UNDO_MAX);
	m->m = (struct mem_machine *)(m->limit + counts->n_limit);
	m->names = (uint64_t *)(m->m + counts->n_m);
}

/* --- tables -------------------------------------------------------------- */

static void table_limit(const struct pol_set *s, uint32_t i,
			struct mem_limit *o)
{
	const struct set_limit *l = &s->limit[i];
	uint64_t h = mem_number(1, l->layer);

	*o = (struct mem_limit){.l = *l->l,
				.base = l->base,
				.words = l->words,
				.parties = l->parties,
				.machine = LAY_NONE,
				.by_vm = l->by_vm,
				.by_party = l->by_party,
				.by_meas = l->by_meas,
				.by_group = l->by_group,
				.layer = l->layer};
	o->l.text = o->l.id = o->l.rule = 0;
	for (size_t m = 0; l->layer == LAYER_VENDOR && m < s->n_m; m++) {
		if (s->m[m].vendor == l->im)
			o->machine = (uint32_t)m;
	}
	if (o->machine != LAY_NONE)
		h = mem_name(h, s->m[o->machine].pub.name);
	h = mem_name(h, pol_image_id(l->im));
	h = mem_number(h, l->l->rule == LAY_NONE ? 0xff
				: l->im->RULE[l->l->rule].kind);
	h = mem_name(h, img_str(l->im, l->l->id));
	h = mem_number(h, (uint64_t)l->by_vm << 3 | (uint64_t)l->by_party << 2 |
				  (uint64_t)l->by_meas << 1 | l->by_group);
	h = mem_number(h, (uint64_t)l->l->kind << 32 |
				  (uint64_t)l->l->thing << 24 |
				  (uint64_t)l->l->window << 16 |
				  l->l->distinct);
	h = mem_number(h, (uint64_t)l->l->window_ns);
	h = mem_number(h, select_hash(l->im, (uint32_t)(l->l - l->im->LIMT)));
	o->like = h;
	h = mem_number(h, l->l->n);
	o->id = mem_number(h, l->l->burst);
}

/* Whom a counter of one operator's parties counts. */
static uint64_t group_name(const struct pol_set *s, uint32_t group)
{
	for (size_t i = 0; i < s->n_m; i++) {
		const struct machine *m = &s->m[i];

		for (uint32_t p = 0; p < m->n_party; p++) {
			const struct lay_party *q = &m->vendor->PRTY[p];
			struct span op = img_str(m->vendor, q->operator_);

			if (m->group[p] != group)
				continue;
			if (op.n)
				return mem_name(2, op);
			return mem_name(mem_name(3, m->pub.name),
					img_str(m->vendor, q->id));
		}
	}
	return 1; /* the unknown */
}

static uint32_t table_machine(const struct pol_set *s, size_t i,
			      struct mem_machine *m, uint64_t *names,
			      uint32_t at)
{
	const struct machine *mc = &s->m[i];
	const struct pol_image *v = mc->vendor;
	uint64_t policy = mem_name(4, mc->pub.policy);

	m->name = mem_name(5, mc->pub.name);
	m->party = at;
	for (uint32_t p = 0; p < m->n_party; p++)
		names[at++] = mem_name(6, img_str(v, v->PRTY[p].id));
	names[at++] = 1; /* the unknown */
	m->group = at;
	for (uint32_t p = 0; p <= m->n_party; p++)
		names[at++] = mc->group[p];
	m->rule = at;
	for (uint32_t r = 0; r < m->n_rule; r++)
		names[at++] = mem_name(policy ^ v->RULE[r].kind,
				       img_str(v, v->RULE[r].id));
	m->state = at;
	for (uint32_t k = 0; k < m->n_state; k++) {
		uint64_t h = mem_name(policy, img_str(v, v->STAT[k].id));

		h = mem_number(h, v->STAT[k].scope);
		names[at++] = mem_number(h, (uint64_t)v->STAT[k].expires);
	}
	return at;
}

void mem_tables(const struct pol_set *s, struct mem *m)
{
	uint32_t at = s->counter_words, name = s->n_group;

	for (uint32_t i = 0; i < s->n_limit; i++)
		table_limit(s, i, &m->limit[i]);
	for (uint32_t g = 0; g < s->n_group; g++)
		m->names[g] = group_name(s, g);
	for (size_t i = 0; i < s->n_m; i++) {
		at = mem_machine(s, i, &m->m[i], at);
		name = table_machine(s, i, &m->m[i], m->names, name);
	}
}
