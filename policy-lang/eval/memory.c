/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block of memory of a state: what is where, and opening one that others
 * have written. Whoever wrote it may have been killed at any store, may have
 * served another set, or may have been taken over; so nothing in it is used
 * before it was compared with what could have been written.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "core/crc32c.h"
#include "policy-lang/eval/ledger.h"

#define MADE   UINT64_C(0x32305453474d4c50) /* version 2 */
#define BORN   UINT64_C(0x30305453474d4c50) /* zeroed and being made */
#define BUSY   UINT64_C(0x58585453474d4c50) /* being made over */
#define SEALED 0x5ea1ed00u

#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

#define TIME_TOP (INT64_C(1) << 61) /* of the clock of words, ns */
#define WALL_TOP (INT64_C(1) << 58) /* us */

/* --- making -------------------------------------------------------------- */

static uint32_t head_crc(const struct mem_head *h)
{
	struct mem_head c = *h;

	c.crc = 0;
	c.magic = MADE;
	return crc32c(0, span_of(&c, sizeof(c)));
}

void mem_open_head(struct mem_head *h)
{
	h->magic = BUSY;
	IN_ORDER();
}

/* From here on the block says that it is whole. */
void mem_close_head(struct mem_head *h)
{
	IN_ORDER();
	h->crc = head_crc(h);
	IN_ORDER();
	h->magic = MADE;
	IN_ORDER();
}

/* Places are the set's own: the tables in the block may be anybody's yet. */
void mem_use(struct pol_state *st, void *block)
{
	uint32_t at = st->s->counter_words;
	struct mem_machine m;
	struct mem_head h;

	mem_counts(st->s, &h);
	mem_place(&st->mem, block, &h);
	st->w = st->mem.w;
	st->n_w = h.n_w;
	st->live = st->mem.live;
	st->undo = st->mem.undo;
	for (uint32_t i = 0; i < h.n_m; i++) {
		at = mem_machine(st->s, i, &m, at);
		st->states[i] = m.states;
		st->builtin[i] = m.builtin;
		st->answers[i] = m.answers;
		st->flows[i] = m.flows;
	}
	st->ledger = at;
	st->lg_rows = 0;
	memset(st->lg_place, 0, sizeof(st->lg_place));
}

/* All but the words, which are zero, and what mem_close_head writes. */
void mem_make(struct pol_state *st, void *block, const uint8_t boot[16],
	      int64_t offset)
{
	struct mem_head *h;

	mem_use(st, block);
	h = st->mem.head;
	mem_counts(st->s, h);
	h->octets = mem_octets(h);
	memcpy(h->digest, st->s->digest, sizeof(h->digest));
	memcpy(h->boot, boot, sizeof(h->boot));
	memcpy(&h->key, st->s->digest, sizeof(h->key));
	h->offset = offset;
	mem_tables(st->s, &st->mem);
	st->live->next_id = 1;
}

/* --- checking ------------------------------------------------------------ */

static bool all_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	return n == 0 || (b[0] == 0 && memcmp(b, b + 1, n - 1) == 0);
}

/* The word where the ledger begins. */
uint32_t mem_ledger(const struct mem_head *h)
{
	return h->n_w - LEDGER_WORDS;
}

/* Nothing was counted here yet: zeroed, or its first opener was killed before
 * it was done, when there are only tables. */
static bool unused(const struct mem *m, const struct mem_head *counts)
{
	const struct mem_head *h = m->head;

	return ((h->magic == 0 && all_zero(h, sizeof(*h))) ||
		h->magic == BORN) &&
	       m->live->time == 0 && m->live->n_undo == 0 &&
	       m->live->next_id <= 1 &&
	       all_zero(m->w, (mem_ledger(counts) + (size_t)LG_HEAD) *
				      sizeof(*m->w));
}

static bool head_sane(const struct mem_head *h, size_t octets)
{
	return h->magic == MADE && h->crc == head_crc(h) &&
	       h->octets <= octets && h->octets == mem_octets(h) &&
	       h->n_m <= POL_MAX_MACHINES && h->n_w >= LEDGER_WORDS &&
	       h->n_counter_words <= h->n_w &&
	       h->offset > -TIME_TOP && h->offset < TIME_TOP;
}

static bool live_sane(const struct mem_live *l)
{
	return l->time >= 0 && l->time < TIME_TOP && l->wall_us > -WALL_TOP &&
	       l->wall_us < WALL_TOP && l->wall_max_s >= 0 &&
	       l->wall_max_s < WALL_TOP / US_PER_S && l->next_id > 0 &&
	       l->next_id < UINT64_MAX / 2 && l->n_undo <= UNDO_MAX;
}

/* Has the set states of connections at all? */
bool flows_kept(const struct mem *m)
{
	return m->head->n_m &&
	       mem_ledger(m->head) != m->m[m->head->n_m - 1].flows;
}

/* Rows of tables follow each other without a gap, as mem_tables lays them: so
 * no word belongs to two. */
static bool limit_row_sane(const struct mem_head *h, const struct mem_limit *l,
			   uint64_t *at)
{
	uint64_t base = *at;

	if (!limit_sane(&l->l) || l->words != limit_words(&l->l) ||
	    l->by_vm > 1 || l->by_party > 1 || l->by_meas > 1 ||
	    l->by_group > 1 || l->layer >= LAYERS)
		return false;
	if (l->machine != LAY_NONE && l->machine >= h->n_m)
		return false;
	if (l->parties != (!l->by_party ? 1
			   : l->by_group ? h->n_group
					 : h->max_party))
		return false;
	*at += mem_limit_count(h, l) * l->words;
	return l->base == base && *at <= h->n_counter_words;
}

static bool machine_row_sane(const struct mem_head *h,
			     const struct mem_machine *m, bool flows,
			     uint64_t *at, uint64_t *name)
{
	uint64_t n = m->n_party + UINT64_C(1);
	uint64_t w = *at, r = *name;

	if (n > h->max_party || m->n_rule > LAY_MAX_RULES ||
	    m->n_state > LAY_MAX_STATES)
		return false;
	*name += 2 * n + m->n_rule + m->n_state;
	*at += m->n_state * n + BUILTIN_WORDS + ANSWERS * AN_WORDS +
	       (flows ? FLOW_STATES * FS_WORDS : 0);
	return m->party == r && m->group == r + n && m->rule == r + 2 * n &&
	       m->state == r + 2 * n + m->n_rule && m->states == w &&
	       m->builtin == w + m->n_state * n &&
	       m->answers == m->builtin + BUILTIN_WORDS &&
	       m->flows == m->answers + ANSWERS * AN_WORDS &&
	       *name <= h->n_names && *at <= h->n_w;
}

/* Tables of a set that is not known any more. */
static bool tables_sane(const struct mem *m)
{
	const struct mem_head *h = m->head;
	uint64_t at = 0, name = h->n_group;
	bool flows;

	if (h->max_party > LAY_MAX_PARTIES + 1 || h->n_group > h->n_names ||
	    h->n_limit > (POL_MAX_MACHINES + 2) * LAY_MAX_LIMITS)
		return false;
	for (uint32_t i = 0; i < h->n_limit; i++) {
		if (!limit_row_sane(h, &m->limit[i], &at))
			return false;
	}
	if (at != h->n_counter_words)
		return false;
	flows = flows_kept(m);
	for (uint32_t i = 0; i < h->n_m; i++) {
		if (!machine_row_sane(h, &m->m[i], flows, &at, &name))
			return false;
	}
	return at + LEDGER_WORDS == h->n_w && name == h->n_names;
}

uint64_t mem_limit_count(const struct mem_head *h, const struct mem_limit *l)
{
	return (uint64_t)(l->by_vm ? h->n_m : 1) * l->parties *
	       (l->by_meas ? MEAS_COUNT : 1);
}

/* Counters hold what can have been counted until now; mended on the way. */
static bool counters_possible(struct mem *m, int64_t now)
{
	for (uint32_t i = 0; i < m->head->n_limit; i++) {
		const struct mem_limit *l = &m->limit[i];
		uint64_t n = mem_limit_count(m->head, l);

		for (uint64_t k = 0; k < n; k++) {
			uint64_t *w = m->w + l->base + k * l->words;

			if (!limit_possible(&l->l, w, now))
				return false;
			limit_mend(&l->l, w);
		}
	}
	return ledger_possible(m->w + mem_ledger(m->head), now);
}

/* --- what a killed writer leaves ----------------------------------------- */

/* Counters stay charged. What else a message not released would have given,
 * a state or an answer to come, is taken back. */
static bool roll_back(struct mem *m)
{
	const struct mem_head *h = m->head;

	for (; m->live->n_undo > 0; m->live->n_undo--) {
		const struct undo *u = &m->undo[m->live->n_undo - 1];

		if (u->at >= h->n_w)
			return false;
		for (uint32_t i = 0; i < h->n_m; i++) {
			const struct mem_machine *mc = &m->m[i];
			uint32_t n = mc->n_state * (mc->n_party + 1);

			if (u->at - mc->states < n)
				m->w[u->at] = u->was;
			if (u->at - mc->answers < ANSWERS * AN_WORDS)
				m->w[u->at - (u->at - mc->answers) % AN_WORDS +
				     AN_ID] = 0;
		}
		IN_ORDER();
	}
	return true;
}

/* Connections ended with the process that judged them; what was asked without
 * one may still be answered. States last at most as long as they may. */
static void drop_connections(struct mem *m, int64_t now)
{
	for (uint32_t i = 0; i < m->head->n_m; i++) {
		const struct mem_machine *mc = &m->m[i];
		uint64_t *w = m->w + mc->answers;

		for (uint32_t k = 0; k < ANSWERS; k++, w += AN_WORDS) {
			if (!answer_outlives(w, mc->n_party, now,
					     m->live->next_id))
				w[AN_ID] = 0;
			w[AN_FLOW] = UINT64_MAX; /* nobody's */
		}
		if (flows_kept(m))
			memset(m->w + mc->flows, 0,
			       FLOW_STATES * FS_WORDS * sizeof(uint64_t));
	}
}

/* Set for longer than they can be: somebody else wrote them. */
static bool states_possible(const struct mem *m, const struct pol_set *s,
			    int64_t now)
{
	for (uint32_t i = 0; i < m->head->n_m; i++) {
		const struct mem_machine *mc = &m->m[i];
		const struct pol_image *v = s->m[i].vendor;
		const uint64_t *b = m->w + mc->builtin;

		for (uint32_t k = 0; k < mc->n_state * (mc->n_party + 1); k++) {
			uint32_t state = k / (mc->n_party + 1);

			if (m->w[mc->states + k] >
			    (uint64_t)(now + v->STAT[state].expires))
				return false;
		}
		if (b[BUILTIN_ATTESTED] >
			    (uint64_t)(now + s->m[i].attestation_max) ||
		    b[BUILTIN_QUARANTINED] > FOREVER)
			return false;
	}
	return true;
}

/* Permissions that last for a time, when how long has passed is not known. */
static void drop_permissions(struct mem *m, bool states)
{
	for (uint32_t i = 0; i < m->head->n_m; i++) {
		const struct mem_machine *mc = &m->m[i];
		uint64_t *answer = m->w + mc->answers;

		m->w[mc->builtin + BUILTIN_ATTESTED] = 0;
		for (uint32_t k = 0; k < ANSWERS; k++)
			answer[k * AN_WORDS + AN_ID] = 0;
		if (states)
			memset(m->w + mc->states, 0,
			       mc->n_state * (mc->n_party + 1) *
				       sizeof(uint64_t));
	}
}

/* --- time ---------------------------------------------------------------- */

/* Rows of the ledger that nobody made are not looked at, so that their pages
 * are not needed. */
size_t mem_used_words(const struct mem *m)
{
	uint32_t at = mem_ledger(m->head);
	uint64_t rows = m->w[at + LG_ROWS];

	return at + LG_HEAD +
	       (rows < LEDGER_KEYS ? rows : LEDGER_KEYS) * LR_WORDS;
}

static uint32_t seal_crc(const struct mem *m)
{
	struct mem_live l = *m->live;
	uint32_t crc;

	l.seal_crc = 0;
	crc = crc32c(m->head->crc, span_of(&l, sizeof(l)));
	return crc32c(crc, span_of(m->w, mem_used_words(m) * sizeof(*m->w)));
}

/* The time of words now; negative: there can be none. */
static int64_t time_now(struct mem *m, const uint8_t boot[16], struct now now)
{
	const struct mem_live *l = m->live;
	struct mem_head *h = m->head;
	int64_t t = l->time, passed = 0;
	bool known = now.wall.trusted && l->trusted;

	if (now.mono.ns < 0 || now.mono.ns >= TIME_TOP)
		return -1;
	if (memcmp(h->boot, boot, sizeof(h->boot)) == 0) {
		t = now.mono.ns + h->offset;
		return t >= l->time && t < TIME_TOP / 2 ? t : -1;
	}
	/* Pages reach a disk in any order, so after a loss of power only what
	 * was closed with care is known to be whole. */
	if (l->sealed != SEALED || l->seal_crc != seal_crc(m))
		return -1;
	if (known && now.wall.us > l->wall_us &&
	    now.wall.us - l->wall_us < TIME_TOP / 1000)
		passed = (now.wall.us - l->wall_us) * 1000;
	if (t + passed >= TIME_TOP / 2)
		return -1;
	drop_permissions(m, !known);
	h->offset = t + passed - now.mono.ns;
	memcpy(h->boot, boot, sizeof(h->boot));
	mem_close_head(h);
	return t + passed;
}

void pol_state_seal(struct pol_state *st)
{
	st->live->sealed = SEALED;
	st->live->seal_crc = seal_crc(&st->mem);
}

/* --- by the owner -------------------------------------------------------- */

void pol_state_parts(struct pol_state *st, struct span part[POL_PARTS])
{
	const struct mem *m = &st->mem;
	uint8_t *block = (uint8_t *)m->head, *tables = (uint8_t *)m->limit;
	size_t words = mem_used_words(m) * sizeof(*m->w);

	pol_state_seal(st);
	part[0] = span_of(block, (size_t)((uint8_t *)m->w - block) + words);
	part[1] = span_of(tables, mem_octets(m->head) -
					  (size_t)(tables - block));
}

bool mem_of_other(struct mem *m, const void *block, size_t octets)
{
	struct mem_head head;

	if (octets < sizeof(head))
		return false;
	memcpy(&head, block, sizeof(head));
	if (!head_sane(&head, octets))
		return false;
	/* It is read only. */
	mem_place(m, (void *)(uintptr_t)block, &head);
	return tables_sane(m) && live_sane(m->live);
}

/* --- opening ------------------------------------------------------------- */

/* As the same set left it? */
static bool same_set(struct pol_state *st, struct mem *m,
		     const uint8_t boot[16], struct now now)
{
	size_t n = mem_octets(m->head);
	uint8_t *own = malloc(n); /* the tables as they must be */
	struct mem want;
	size_t at;
	int64_t t;
	bool ok;

	struct mem_head counts = *m->head;

	mem_counts(st->s, &counts);
	if (!own || memcmp(&counts, m->head, sizeof(counts)) != 0) {
		free(own);
		return false;
	}
	mem_place(&want, own, m->head);
	mem_tables(st->s, &want);
	at = (size_t)((uint8_t *)want.limit - own);
	ok = memcmp(want.limit, m->limit, n - at) == 0;
	free(own);
	if (!ok || !live_sane(m->live) || !roll_back(m))
		return false;
	t = time_now(m, boot, now);
	if (t < 0 || !counters_possible(m, t) ||
	    !states_possible(m, st->s, t))
		return false;
	drop_connections(m, t);
	return true;
}

/* Of another set: copied away, then what is the same comes back. */
static int other_set(struct pol_state *st, void *block,
		     const uint8_t boot[16], struct now now, bool *whole)
{
	const struct mem_head *was = block;
	size_t n = was->octets;
	void *own = malloc(n);
	struct mem old;
	int64_t t = -1;

	*whole = false;
	if (!own)
		return E_NOMEM;
	memcpy(own, block, n);
	mem_place(&old, own, own);
	if (head_sane(old.head, n) && tables_sane(&old) &&
	    live_sane(old.live) && roll_back(&old))
		t = time_now(&old, boot, now);
	if (t >= 0 && counters_possible(&old, t)) {
		drop_connections(&old, t);
		mem_open_head(block);
		memset((uint8_t *)block + sizeof(uint64_t), 0,
		       pol_state_octets(st->s) - sizeof(uint64_t));
		mem_make(st, block, boot, old.head->offset);
		st_time(st, now);
		carry_all(st, &old, false);
		mem_close_head(st->mem.head);
		*whole = true;
	}
	free(own);
	return 0;
}

static void start_over(struct pol_state *st, void *block,
		       const uint8_t boot[16], struct now now, bool damaged)
{
	struct mem_head *h = block;

	h->magic = damaged ? BUSY : BORN;
	IN_ORDER();
	/* Of memory not used the words are zero already. */
	memset(h + 1, 0, damaged ? pol_state_octets(st->s) - sizeof(*h)
				 : sizeof(struct mem_live));
	mem_make(st, block, boot, 0);
	if (damaged) {
		st_time(st, now);
		mem_exhaust(st);
	}
	mem_close_head(h);
}

int pol_state_in(struct pol_state **out, const struct pol_set *s, void *mem,
		 size_t octets, const uint8_t boot[16], struct now now,
		 enum pol_state_was *was, struct err *e)
{
	size_t need = pol_state_octets(s);
	struct mem_head counts = {0}, head;
	struct pol_state *st;
	bool whole = false;
	struct mem m;
	int rc = 0;

	*out = NULL;
	*was = POL_STATE_DAMAGED;
	if (octets < need || (uintptr_t)mem % sizeof(uint64_t))
		return err_set(e, E_LIMIT, 0,
			       "counters need %zu octets, there are %zu", need,
			       octets);
	st = st_handle(s);
	if (!st)
		return err_set(e, E_NOMEM, 0, "out of memory");
	mem_counts(s, &counts);
	mem_place(&m, mem, &counts);
	memcpy(&head, mem, sizeof(head));
	if (unused(&m, &counts)) {
		*was = POL_STATE_NEW;
		start_over(st, mem, boot, now, false);
		st->fresh = true;
		st_time(st, now);
		*out = st;
		return 0;
	}
	if (!head_sane(&head, octets)) {
		whole = false;
	} else if (memcmp(head.digest, s->digest, sizeof(head.digest)) == 0 &&
		   head.octets == need) {
		mem_use(st, mem);
		whole = same_set(st, &st->mem, boot, now);
	} else {
		rc = other_set(st, mem, boot, now, &whole);
	}
	if (rc) {
		free(st);
		return err_set(e, rc, 0, "out of memory");
	}
	*was = whole ? POL_STATE_CONTINUED : POL_STATE_DAMAGED;
	if (!whole)
		start_over(st, mem, boot, now, true);
	st_time(st, now);
	*out = st;
	return 0;
}
