/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_split.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum state {
	WAITS,
	PASSES,
	DROPS
};

struct entry {
	enum state state;
	size_t off; /* in octets */
	struct capture_packet p;
};

struct aside {
	uint64_t id;
	enum state state;
	struct capture_packet p;
	uint8_t *octets;
};

struct capture_split {
	struct capture_out *allowed, *denied; /* NULL: not wanted */
	/* the packet the pipeline is looking at */
	uint64_t id;
	enum state state;
	const struct capture_packet *p;
	/* the queue: packets head_id, head_id + 1, ... */
	uint64_t head_id;
	size_t head, n;
	size_t tail_off;
	struct entry *entry;
	uint8_t *octets;
	/* those that stepped aside, in no order */
	struct aside *aside;
	size_t n_aside, max_aside;
	bool aside_ready; /* the verdict of one of them came */
};

static int create(struct capture_out **out, const char *path,
		  const struct capture_format *f, struct err *e)
{
	return path ? capture_create(out, path, f, e) : 0;
}

int capture_split_new(struct capture_split **out, const char *allowed,
		      const char *denied, const struct capture_format *f,
		      uint32_t max_held, struct err *e)
{
	struct capture_split *s;
	int rc;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, E_NOMEM, 0, "out of memory");
	s->entry = calloc(CAPTURE_SPLIT_PACKETS, sizeof(*s->entry));
	s->octets = malloc(CAPTURE_SPLIT_OCTETS);
	s->aside = calloc(max_held, sizeof(*s->aside));
	s->max_aside = max_held;
	rc = s->entry && s->octets && s->aside
		     ? create(&s->allowed, allowed, f, e)
		     : err_set(e, E_NOMEM, 0, "out of memory");
	if (rc == 0)
		rc = create(&s->denied, denied, f, e);
	if (rc < 0)
		capture_split_free(s);
	else
		*out = s;
	return rc;
}

static int put(struct capture_split *s, enum state state,
	       const struct capture_packet *p, struct err *e)
{
	struct capture_out *o = state == PASSES ? s->allowed : s->denied;

	return o ? capture_write(o, p, e) : 0;
}

void capture_split_before(struct capture_split *s, uint64_t id,
			  const struct capture_packet *p)
{
	s->id = id;
	s->p = p;
	s->state = WAITS;
}

void capture_split_verdict(struct capture_split *s, uint64_t id, bool pass)
{
	enum state state = pass ? PASSES : DROPS;
	size_t i;

	if (id == s->id) {
		s->state = state;
		return;
	}
	if (s->n && id >= s->head_id && id - s->head_id < s->n) {
		i = (s->head + (id - s->head_id)) % CAPTURE_SPLIT_PACKETS;
		s->entry[i].state = state;
		return;
	}
	for (i = 0; i < s->n_aside && s->aside[i].id != id; i++)
		;
	assert(i < s->n_aside); /* else it has its verdict already */
	s->aside[i].state = state;
	s->aside_ready = true;
}

/* The head leaves the queue. */
static void advance(struct capture_split *s)
{
	s->head = (s->head + 1) % CAPTURE_SPLIT_PACKETS;
	s->head_id++;
	s->n--;
	if (s->n == 0)
		s->tail_off = 0; /* touch no more memory than is needed */
}

/* Write from the head on what has its verdict. */
static int drain(struct capture_split *s, struct err *e)
{
	while (s->n && s->entry[s->head].state != WAITS) {
		struct entry *h = &s->entry[s->head];
		int rc = put(s, h->state, &h->p, e);

		if (rc < 0)
			return rc;
		advance(s);
	}
	return 0;
}

static int drain_aside(struct capture_split *s, struct err *e)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < s->n_aside; i++) {
		struct aside *a = &s->aside[i];

		if (a->state == WAITS || rc < 0) {
			s->aside[kept++] = *a;
			continue;
		}
		rc = put(s, a->state, &a->p, e);
		free(a->octets);
	}
	s->n_aside = kept;
	s->aside_ready = false;
	return rc;
}

/* Make room: the head, which waits, steps aside. */
static int step_aside(struct capture_split *s, struct err *e)
{
	struct entry *h = &s->entry[s->head];
	struct aside *a = &s->aside[s->n_aside];

	if (s->n_aside == s->max_aside)
		return err_set(e, E_LIMIT, 0,
			       "more than %zu packets wait for their verdict",
			       s->max_aside);
	*a = (struct aside){.id = s->head_id, .state = WAITS, .p = h->p};
	a->octets = malloc(h->p.octets.n + 1);
	if (!a->octets)
		return err_set(e, E_NOMEM, 0, "out of memory");
	memcpy(a->octets, h->p.octets.p, h->p.octets.n);
	a->p.octets.p = a->octets;
	s->n_aside++;
	advance(s);
	return drain(s, e);
}

/* Place for n octets after those of the last entry; -1 when there is none. */
static ptrdiff_t place(const struct capture_split *s, size_t n)
{
	size_t head_off = s->entry[s->head].off;

	if (s->n == CAPTURE_SPLIT_PACKETS)
		return -1;
	if (s->n == 0)
		return 0;
	if (s->tail_off >= head_off) {
		if (n <= CAPTURE_SPLIT_OCTETS - s->tail_off)
			return (ptrdiff_t)s->tail_off;
		return n < head_off ? 0 : -1;
	}
	return n < head_off - s->tail_off ? (ptrdiff_t)s->tail_off : -1;
}

static int enqueue(struct capture_split *s, struct err *e)
{
	const struct span in = s->p->octets;
	struct entry *t;
	ptrdiff_t off;
	int rc = 0;

	if (in.n > CAPTURE_SPLIT_OCTETS)
		return err_set(e, E_LIMIT, 0, "a packet of %zu octets", in.n);
	while ((off = place(s, in.n)) < 0) {
		rc = step_aside(s, e);
		if (rc < 0)
			return rc;
	}
	if (s->n == 0)
		s->head_id = s->id;
	t = &s->entry[(s->head + s->n) % CAPTURE_SPLIT_PACKETS];
	*t = (struct entry){s->state, (size_t)off, *s->p};
	t->p.octets.p = s->octets + off;
	if (in.n)
		memcpy(s->octets + off, in.p, in.n);
	s->tail_off = (size_t)off + in.n;
	s->n++;
	return rc;
}

int capture_split_after(struct capture_split *s, struct err *e)
{
	int rc = s->aside_ready ? drain_aside(s, e) : 0;

	if (rc == 0)
		rc = drain(s, e);
	if (rc < 0)
		return rc;
	if (s->n || s->state == WAITS)
		rc = enqueue(s, e);
	else
		rc = put(s, s->state, s->p, e);
	s->id = 0; /* of no packet */
	return rc;
}

int capture_split_finish(struct capture_split *s, struct err *e)
{
	int rc;

	/* The pipeline has judged all; what it forgot did not leave. */
	for (size_t i = 0; i < s->n_aside; i++) {
		if (s->aside[i].state == WAITS)
			s->aside[i].state = DROPS;
	}
	for (size_t i = 0; i < s->n; i++) {
		struct entry *t =
			&s->entry[(s->head + i) % CAPTURE_SPLIT_PACKETS];

		if (t->state == WAITS)
			t->state = DROPS;
	}
	rc = drain_aside(s, e);
	if (rc == 0)
		rc = drain(s, e);
	if (rc == 0 && s->allowed)
		rc = capture_finish(s->allowed, e);
	if (rc == 0 && s->denied)
		rc = capture_finish(s->denied, e);
	return rc;
}

int capture_split_commit(struct capture_split *s, struct err *e)
{
	int rc = 0;

	if (s->allowed)
		rc = capture_commit(s->allowed, e);
	s->allowed = NULL;
	if (rc == 0 && s->denied) {
		rc = capture_commit(s->denied, e);
		s->denied = NULL;
	}
	return rc;
}

void capture_split_free(struct capture_split *s)
{
	if (!s)
		return;
	capture_abort(s->allowed);
	capture_abort(s->denied);
	for (size_t i = 0; i < s->n_aside; i++)
		free(s->aside[i].octets);
	free(s->aside);
	free(s->octets);
	free(s->entry);
	free(s);
}
