/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/shelf.h"

#include <stdlib.h>
#include <string.h>

static struct shelf_slot *find(struct shelf *s, uint64_t first)
{
	for (size_t i = 0; i < SHELF_SLOTS; i++) {
		if (s->slot[i].octets && s->slot[i].first == first)
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

			if (!at->octets)
				spare = at;
			else if (!oldest || at->used < oldest->used)
				oldest = at;
		}
		if (spare && (s->octets + octets <= SHELF_OCTETS || !oldest))
			return spare;
		clear(s, oldest);
	}
}

uint64_t shelf_size(const struct shelf *s)
{
	return atomic_load(&s->w->size);
}

static void want(struct shelf *s, uint64_t first)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (s->wanted[i] == first)
			return;
	}
	/* Full: who has no place asks again. */
	if (s->n_wanted < SHELF_WANTED)
		s->wanted[s->n_wanted++] = first;
}

int shelf_get(struct shelf *s, uint64_t first, uint32_t least,
	      struct span *octets, uint32_t *n)
{
	struct shelf_slot *slot = find(s, first);

	if (slot && slot->n >= least) {
		slot->used = ++s->uses;
		*octets = span_of(slot->octets, slot->n_octets);
		*n = slot->n;
		return 1;
	}
	if (!(s->waits && s->w->want == first))
		want(s, first);
	return 0;
}

/* What lies in the window is the scribe's word: its lengths are checked. */
static bool take_in(struct shelf *s)
{
	const struct window *w = s->w;
	uint32_t n = w->n, octets = w->octets;
	uint64_t first = w->first;
	struct shelf_slot *slot = find(s, first);
	uint8_t *p;

	if (w->rc || n == 0 || n > STORE_BUNDLE || octets == 0 ||
	    octets > sizeof(w->data) || first % STORE_BUNDLE)
		return false;
	if (slot)
		clear(s, slot);
	p = malloc(octets);
	if (!p)
		return false;
	memcpy(p, w->data, octets);
	slot = room(s, octets);
	*slot = (struct shelf_slot){p, octets, first, ++s->uses, n};
	s->octets += octets;
	return true;
}

bool shelf_turn(struct shelf *s, void (*wake)(void *arg), void *arg)
{
	uint32_t asked = atomic_load(&s->w->asked);
	bool came = false;

	if (asked != atomic_load(&s->w->answered)) {
		s->waits = true; /* a predecessor's, too */
		return false;
	}
	if (s->waits)
		came = take_in(s);
	s->waits = false;
	if (s->n_wanted == 0)
		return came;
	s->w->want = s->wanted[0];
	s->n_wanted--;
	memmove(s->wanted, s->wanted + 1, s->n_wanted * sizeof(*s->wanted));
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
