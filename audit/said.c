/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/said.h"

#include <string.h>

static const char *withdraw(struct said *s, uint64_t seq, uint64_t n)
{
	if (n > seq)
		return "it withdraws what more records say than there are "
		       "before it";
	while (s->n && s->of[s->n - 1].at >= seq - n)
		s->n--;
	return s->n == 0 && s->more ? "it withdraws more than can be" : NULL;
}

static void add(struct said *s, uint64_t seq, const struct event_log *l)
{
	struct said_removal *r;

	if (s->n == SAID_MOST) {
		memmove(s->of, s->of + 1, --s->n * sizeof(*r));
		s->more = true;
	}
	r = &s->of[s->n++];
	*r = (struct said_removal){seq, l->first, l->end, {0}};
	memcpy(r->root, l->root, sizeof(r->root));
}

const char *said_take(struct said *s, uint64_t seq, const struct event_log *l,
		      bool *range)
{
	const char *wrong = NULL;

	*range = l && l->has_range;
	if (l && l->withdrawn)
		wrong = withdraw(s, seq, l->withdrawn);
	if (wrong || !*range)
		return wrong;
	if ((l->first != said_end(s) && (s->n || !s->within)) ||
	    l->end <= l->first || l->end > seq)
		return "what it says was pruned is not what came next";
	add(s, seq, l);
	return NULL;
}

const struct said_removal *said_last(const struct said *s)
{
	return s->n ? &s->of[s->n - 1] : NULL;
}

uint64_t said_end(const struct said *s)
{
	return s->n ? s->of[s->n - 1].end : 0;
}

uint64_t said_at(const struct said *s, uint64_t end)
{
	for (unsigned i = s->n; i-- > 0;) {
		if (s->of[i].end == end)
			return s->of[i].at;
	}
	return 0;
}
