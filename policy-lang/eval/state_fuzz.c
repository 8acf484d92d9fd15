/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory from anywhere under a policy that is known. The input is a list of
 * words to write over a state that has been used; then the head is put right
 * or not, and the same set or another one opens it.
 *
 * Properties: opening ends, with one of its three answers; what is opened
 * judges, tells its budgets, is sealed, is carried and is opened again; it
 * permits nothing that a state with full budgets would refuse; damaged memory
 * permits no reading.
 */
#include <assert.h>
#include <stdlib.h>

#include "policy-lang/eval/housekit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t boot[2][16] = {{1}, {2}};

struct world {
	struct house h[2];
	struct kit k[2]; /* two sets, alike but for numbers and names */
	size_t octets;
	uint64_t *used; /* a state that has been used */
	uint64_t *mem;
	struct now now;
};

static void other_house(struct house *h)
{
	house_fill(h);
	h->lim[CALENDAR].n = 2;
	h->lim[CALENDAR].text = "2 readings per day";
	h->lim[SLIDING].n = 3;
	h->lim[SLIDING].text = "3 readings per 24 h";
	h->lim[BUCKET].burst = 2;
	h->lim[DISTINCT].n = 2;
	h->top[0].id = "octets";
	h->top[1].phrase.n = 1;
	h->party[1].id = "third";
}

static void *room(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static enum pol_state_was open_at(struct kit *k, void *mem, size_t n,
				  const uint8_t b[16])
{
	enum pol_state_was was;

	pol_state_free(k->st);
	if (pol_state_in(&k->st, k->set, mem, n, b, k->now, &was, &k->e))
		abort();
	assert(was >= POL_STATE_NEW && was <= POL_STATE_DAMAGED);
	return was;
}

static struct world *world(void)
{
	struct world *w = room(sizeof(*w));
	size_t n;

	house_fill(&w->h[0]);
	other_house(&w->h[1]);
	for (int i = 0; i < 2; i++) {
		house_start(&w->k[i], &w->h[i]);
		n = pol_state_octets(w->k[i].set);
		w->octets = n > w->octets ? n : w->octets;
	}
	w->used = room(w->octets);
	w->mem = room(w->octets);
	open_at(&w->k[0], w->used, w->octets, boot[0]);
	house_reading(&w->k[0], 1, 23);
	kit_wait(&w->k[0], H(1));
	house_reading(&w->k[0], 2, 24);
	w->now = w->k[0].now;
	return w;
}

/* Pairs of where and what; where counts words, in turn from the two ends of
 * the block, so that small numbers reach head, counters and tables. */
static void overwrite(struct world *w, const uint8_t *p, size_t n)
{
	size_t words = w->octets / 8;

	for (; n >= 10; p += 10, n -= 10) {
		size_t at = (size_t)(p[0] | p[1] << 8);
		uint64_t v;

		memcpy(&v, p + 2, sizeof(v));
		at = at & 1 ? words - 1 - at / 2 % words : at / 2 % words;
		w->mem[at] = v;
	}
}

static bool count(void *arg, const struct pol_budget *b)
{
	assert(memchr(b->name, 0, sizeof(b->name)));
	++*(unsigned *)arg;
	return true;
}

/* The same messages to the memory and to full budgets. */
static void judge_both(struct kit *a, bool damaged)
{
	struct pol_state *full;
	unsigned n = 0;

	if (pol_state_new(&full, a->set, &a->e))
		abort();
	for (uint64_t i = 0; i < 12; i++) {
		struct pol_state *mine = a->st;
		bool here = house_reading(a, 100 + i, 23 + i % 4), there;

		assert(!(here && damaged));
		a->st = full;
		there = house_reading(a, 100 + i, 23 + i % 4);
		a->st = mine;
		/* What was used up by then differs; the first reading has all
		 * budgets. */
		assert(!(i == 0 && here && !there));
		kit_wait(a, i % 3 ? MIN(11) : H(5));
		damaged = damaged && i < 3;
	}
	pol_budgets(a->st, 0, a->now, count, &n);
	assert(n >= 7);
	pol_state_free(full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world *w;
	enum pol_state_was was;
	struct kit *k;
	uint8_t how;

	if (!w)
		w = world();
	if (size < 1)
		return 0;
	how = data[0];
	if (how & 1)
		memcpy(w->mem, w->used, w->octets);
	else
		memset(w->mem, 0, w->octets);
	overwrite(w, data + 1, size - 1);
	if (how & 2)
		mem_close_head((struct mem_head *)w->mem);
	k = &w->k[how >> 2 & 1];
	k->now = w->now;
	k->now.wall.trusted = !(how & 8);
	was = open_at(k, w->mem, w->octets, boot[how >> 4 & 1]);
	judge_both(k, was == POL_STATE_DAMAGED);
	pol_state_seal(k->st);
	assert(open_at(k, w->mem, w->octets, boot[1]) == POL_STATE_CONTINUED);
	return 0;
}
