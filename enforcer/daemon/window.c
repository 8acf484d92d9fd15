/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/window.h"

#include <string.h>
#include <unistd.h>

#include "audit/reader.h"

#define GAP_NS (NS_PER_S / WINDOW_PER_S)

static void wake(const struct window_side *s)
{
	const uint64_t one = 1;

	/* Full already: then it is awake soon. */
	if (s->wake_fd >= 0 &&
	    write(s->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		return;
}

void window_commit(struct window_side *s, uint64_t size)
{
	if (atomic_exchange(&s->w->size, size) != size &&
	    atomic_load(&s->w->follows))
		wake(s);
}

static int fetch(struct window_side *s, uint64_t first, uint32_t *n,
		 struct span *octets)
{
	struct err ignored;
	int rc = 0;

	if (!s->reader)
		rc = reader_open(&s->reader, s->path, true, &ignored);
	if (rc == 0)
		rc = reader_bundle(s->reader, first, n, octets, &ignored);
	return rc;
}

/* What the reader sees may be a commit that is not told yet: that waits. */
static void trim(const struct window *w, uint64_t first, uint32_t *n,
		 struct span *octets)
{
	uint64_t size = atomic_load(&w->size);
	struct cur c = cur_of(*octets);
	struct span record;
	uint32_t i = 0;

	if (first + *n <= size)
		return;
	*n = size > first ? (uint32_t)(size - first) : 0;
	while (i < *n && store_next(&c, &record))
		i++;
	*octets = span_sub(*octets, 0, c.off);
}

void window_turn(struct window_side *s, struct mono now)
{
	struct window *w = s->w;
	uint32_t asked = atomic_load(&w->asked), n = 0;
	struct span octets = {0};
	uint64_t first;

	if (asked == atomic_load(&w->answered) || window_due(s, now) > 0)
		return;
	first = w->want;
	s->last = now;
	w->rc = first % STORE_BUNDLE || first >> 62
			? E_SYNTAX
			: fetch(s, first, &n, &octets);
	if (w->rc)
		window_forget(s);
	else
		trim(w, first, &n, &octets);
	w->first = first;
	w->n = n;
	w->octets = (uint32_t)octets.n;
	if (octets.n)
		memcpy(w->data, octets.p, octets.n);
	atomic_store(&w->answered, asked);
	wake(s);
}

int64_t window_due(const struct window_side *s, struct mono now)
{
	int64_t left = GAP_NS - mono_sub(now, s->last);

	if (atomic_load(&s->w->asked) == atomic_load(&s->w->answered))
		return -1;
	return s->last.ns && left > 0 ? left : 0;
}

void window_forget(struct window_side *s)
{
	reader_close(s->reader);
	s->reader = NULL;
}
