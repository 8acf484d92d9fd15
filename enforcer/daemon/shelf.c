/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/shelf.h"

#include <stdlib.h>
#include <string.h>

static bool same(const struct window_key *x, const struct window_key *y)
{
	return x->kind == y->kind && x->a == y->a && x->b == y->b;
}

static struct shelf_slot *find(struct shelf *s, const struct window_key *key)
{
	for (size_t i = 0; i < SHELF_SLOTS; i++) {
		if (s->slot[i].used && same(&s->slot[i].key, key))
			return &s->slot[i];
	}
	return NULL;
}

static void clear(struct shelf *s, struct shelf_slot *slot)
{
	s->octets -= slot->n_octets;
	free(slot->octets);
	*slot = (struct shelf_slot){0};
}

/* A free slot, with room for so many octets in all. */
static struct shelf_slot *room(struct shelf *s, size_t octets)
{
	for (;;) {
		struct shelf_slot *spare = NULL, *oldest = NULL;

		for (size_t i = 0; i < SHELF_SLOTS; i++) {
			struct shelf_slot *at = &s->slot[i];

			if (!at->used)
				spare = at;
			else if (!oldest || at->needed < oldest->needed)
				oldest = at;
		}
		if (spare && (s->octets + octets <= SHELF_OCTETS || !oldest))
			return spare;
		clear(s, oldest);
	}
}

uint32_t shelf_log(const struct shelf *s)
{
	uint32_t log = atomic_load(&s->w->log);

	return log & 1 ? 0 : log;
}

/* What is there of a log that is another since is of no use. */
static void same_log(struct shelf *s)
{
	uint32_t log = atomic_load(&s->w->log);

	if (log == s->log)
		return;
	for (size_t i = 0; i < SHELF_SLOTS; i++) {
		if (s->slot[i].used)
			clear(s, &s->slot[i]);
	}
	s->log = log;
}

uint64_t shelf_first(const struct shelf *s)
{
	return atomic_load(&s->w->first);
}

uint64_t shelf_size(const struct shelf *s)
{
	return atomic_load(&s->w->size);
}

static size_t find_wanted(const struct shelf_wanted *q,
			  const struct window_key *key)
{
	size_t i = 0;

	while (i < q->n && !same(&q->key[i], key))
		i++;
	return i;
}

static void want(struct shelf *s, enum shelf_side side,
		 const struct window_key *key)
{
	struct shelf_wanted *q = &s->wanted[side];

	if (s->waits && same(&s->w->want, key))
		return;
	/* Full: who has no place asks again. */
	if (find_wanted(q, key) == q->n && q->n < SHELF_WANTED)
		q->key[q->n++] = *key;
}

static bool grows(uint32_t kind)
{
	return kind == WINDOW_BUNDLE || kind == WINDOW_TILE;
}

static bool serves(const struct shelf_slot *slot, uint32_t least,
		   struct mono now)
{
	if (slot->rc || !grows(slot->key.kind))
		return mono_sub(now, slot->came) < SHELF_FRESH_NS;
	return slot->n >= least;
}

int shelf_get(struct shelf *s, enum shelf_side side,
	      const struct window_key *key, uint32_t least, struct mono now,
	      struct span *octets, uint32_t *n)
{
	struct shelf_slot *slot;

	same_log(s);
	slot = find(s, key);
	if (!slot || !serves(slot, least, now)) {
		want(s, side, key);
		return 0;
	}
	slot->needed = ++s->needs;
	*octets = span_of(slot->octets, slot->n_octets);
	*n = slot->n;
	return slot->rc ? slot->rc : 1;
}

int shelf_post(struct shelf *s, const void *whose, uint64_t size,
	       struct span line)
{
	int rc;

	if (line.n == 0 || line.n > WINDOW_POST)
		return E_SYNTAX;
	if (!s->post.whose) {
		s->post.whose = whose;
		s->post.size = size;
		s->post.n = (uint32_t)line.n;
		s->post.sent = s->post.done = false;
		memcpy(s->post.octets, line.p, line.n);
	}
	if (s->post.whose != whose || !s->post.done)
		return 0;
	rc = s->post.rc;
	s->post.whose = NULL;
	return rc ? rc : 1;
}

void shelf_forget(struct shelf *s, const void *whose)
{
	if (s->post.whose != whose)
		return;
	/* What is on its way is answered, and nobody hears it. */
	s->post.whose = s->post.sent && !s->post.done ? &s->post : NULL;
}

static bool hand_on(struct shelf *s)
{
	if (!s->post.whose || s->post.sent)
		return false;
	s->w->want = (struct window_key){WINDOW_COSIGN, s->post.size, 0};
	s->w->n_post = s->post.n;
	memcpy(s->w->post, s->post.octets, s->post.n);
	s->post.sent = true;
	return true;
}

/* What that side has needed for longest; what the other needs, too, is there
 * for both. */
static bool ask_for(struct shelf *s, enum shelf_side side)
{
	if (s->wanted[side].n == 0)
		return false;
	s->w->want = s->wanted[side].key[0];
	for (int i = 0; i < SHELF_SIDES; i++) {
		struct shelf_wanted *q = &s->wanted[i];
		size_t at = find_wanted(q, &s->w->want);

		if (at == q->n)
			continue;
		q->n--;
		memmove(q->key + at, q->key + at + 1,
			(q->n - at) * sizeof(*q->key));
	}
	return true;
}

/* Each in its turn: however much is brought, or needed by one side, the others
 * are asked for. */
static bool ask_next(struct shelf *s)
{
	for (int i = 0; i <= SHELF_SIDES; i++) {
		unsigned turn = s->turn;

		s->turn = turn < SHELF_SIDES ? turn + 1 : 0;
		if (turn == SHELF_SIDES ? hand_on(s)
					: ask_for(s, (enum shelf_side)turn))
			return true;
	}
	return false;
}

static bool posted(struct shelf *s)
{
	s->post.done = true;
	s->post.rc = s->w->rc;
	if (s->post.whose == &s->post)
		s->post.whose = NULL;
	return true;
}

/* The others say only that it cannot be found out now. */
static int told(int rc)
{
	return rc == 0 || rc == E_NOTFOUND || rc == E_LIMIT ||
			       rc == E_INTEGRITY || rc == E_IO
		       ? rc
		       : E_STATE;
}

/* What lies in the window is the scribe's word: its lengths are checked. */
static bool take_in(struct shelf *s, struct mono now)
{
	const struct window *w = s->w;
	struct shelf_slot new = {
		.used = true,
		.key = w->key,
		.rc = told(w->rc),
		.n = w->n,
		.n_octets = w->octets,
		.came = now,
		.needed = ++s->needs,
	};
	struct shelf_slot *slot = find(s, &new.key);

	if (w->of != s->log || new.n_octets > sizeof(w->data) ||
	    new.n > STORE_BUNDLE)
		return false;
	if (slot)
		clear(s, slot);
	new.octets = malloc(new.n_octets + 1);
	if (!new.octets)
		return false;
	memcpy(new.octets, w->data, new.n_octets);
	slot = room(s, new.n_octets);
	*slot = new;
	s->octets += new.n_octets;
	return true;
}

bool shelf_turn(struct shelf *s, struct mono now, void (*wake)(void *arg),
		void *arg)
{
	uint32_t asked = atomic_load(&s->w->asked);
	bool came = false;

	same_log(s);
	if (asked != atomic_load(&s->w->answered)) {
		s->waits = true; /* a predecessor's, too */
		return false;
	}
	if (s->waits)
		came = s->w->key.kind == WINDOW_COSIGN ? posted(s)
						       : take_in(s, now);
	s->waits = false;
	if (!ask_next(s))
		return came;
	s->waits = true;
	atomic_store(&s->w->asked, asked + 1);
	wake(arg);
	return came;
}

void shelf_free(struct shelf *s)
{
	for (size_t i = 0; i < SHELF_SLOTS; i++)
		free(s->slot[i].octets);
}
