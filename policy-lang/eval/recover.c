/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters of which nobody knows how far they were used: used up. Or, after a
 * loss of power, used as far as their owner granted it, which was on the disk
 * before it was spent (grant.c).
 */
#include "policy-lang/eval/ledger.h"

/* --- used up -------------------------------------------------------------- */

/* A quarantine may have been in force: then for as long as one can be. */
static void exhaust_machine(struct pol_state *st, size_t m)
{
	int64_t ns = 0;

	for (int l = 0; l < LAYERS; l++) {
		const struct pol_image *im =
			set_image(st->s, m, (enum layer)l);

		for (uint32_t i = 0; im && i < im->n_LIMT; i++) {
			if (im->LIMT[i].action == ACTION_QUARANTINE &&
			    im->LIMT[i].action_ns > ns)
				ns = im->LIMT[i].action_ns;
		}
		for (uint32_t i = 0; im && i < im->n_RULE; i++) {
			if (im->RULE[i].action == ACTION_QUARANTINE &&
			    im->RULE[i].action_ns > ns)
				ns = im->RULE[i].action_ns;
		}
	}
	if (ns)
		st->w[st->builtin[m] + BUILTIN_QUARANTINED] =
			(uint64_t)(st->now.mono.ns + ns);
}

static void quarantine(struct pol_state *st)
{
	for (size_t i = 0; i < st->s->n_m; i++)
		exhaust_machine(st, i);
}

void mem_exhaust(struct pol_state *st)
{
	const struct mem *m = &st->mem;

	/* First: windows of now, not those of what was counted last. */
	ledger_lost(st);
	for (uint32_t i = 0; i < m->head->n_limit; i++) {
		const struct mem_limit *l = &m->limit[i];
		uint64_t n = mem_limit_count(m->head, l);

		for (uint64_t k = 0; k < n; k++) {
			uint64_t *w = m->w + l->base + k * l->words;

			/* What it held before would leave it, and make room. */
			memset(w, 0, l->words * sizeof(*w));
			limit_fill(st, &l->l, w, UINT64_MAX);
		}
	}
	quarantine(st);
}

void pol_state_exhaust(struct pol_state *st, struct now now)
{
	/* Who is killed meanwhile leaves it damaged, and so used up. */
	mem_open_head(st->mem.head);
	st_time(st, now);
	mem_exhaust(st);
	mem_close_head(st->mem.head);
}

/* --- as far as was granted ------------------------------------------------ */

/* What the owner has of these machines, and of everyone. */
static void take_rows(struct pol_state *st, const uint64_t *from)
{
	uint64_t *lg = st->w + st->ledger, n = 0;

	memset(lg, 0, LEDGER_WORDS * sizeof(*lg));
	for (uint64_t i = 0; i < from[LG_ROWS] && i < LEDGER_KEYS; i++) {
		const uint64_t *row = from + LG_HEAD + i * LR_WORDS;
		bool ours = row[LR_MACHINE] == 0;

		for (uint32_t m = 0; m < st->mem.head->n_m; m++)
			ours |= row[LR_MACHINE] == st->mem.m[m].name;
		if (ours)
			memcpy(ledger_row(lg, n++), row,
			       LR_WORDS * sizeof(*row));
	}
	memcpy(lg, from, LG_HEAD * sizeof(*lg));
	lg[LG_ROWS] = n;
	st->lg_rows = UINT32_MAX; /* others' */
}

/* Every limit begins with what the ledger says, as one that is new does. */
static void fill_all(struct pol_state *st)
{
	struct ledger_ask a;

	for (uint32_t i = 0; i < st->mem.head->n_limit; i++) {
		const struct mem_limit *l = &st->mem.limit[i];
		uint64_t n = mem_limit_count(st->mem.head, l);

		ledger_ask(st, i, &a);
		for (uint64_t k = 0; k < n; k++) {
			uint32_t at = l->base + (uint32_t)k * l->words;

			memset(st->w + at, 0, l->words * sizeof(*st->w));
			ledger_fill(st, &a, at,
				    l->by_meas ? (unsigned)(k % MEAS_COUNT)
					       : 0);
		}
	}
}

int pol_state_recover(struct pol_state *st, const void *owner, size_t octets,
		      struct now now, struct err *e)
{
	struct mem_head *h = st->mem.head;
	const uint64_t *ledger;
	struct mem from;
	int64_t time;

	if (!mem_of_other(&from, owner, octets) ||
	    memcmp(from.head->boot, h->boot, sizeof(h->boot)) != 0)
		return err_set(e, E_STATE, 0, "there is no ledger of this "
			       "boot");
	ledger = from.w + mem_ledger(from.head);
	time = now.mono.ns + from.head->offset;
	if (time < from.live->time ||
	    !ledger_possible(ledger, from.live->time))
		return err_set(e, E_STATE, 0, "the ledger is damaged");
	mem_open_head(h);
	h->offset = from.head->offset;
	st->live->time = 0;
	st->live->wall_max_s = from.live->wall_max_s;
	st_time(st, now);
	take_rows(st, ledger);
	fill_all(st);
	quarantine(st);
	mem_close_head(h);
	return 0;
}
