/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/scribe_view.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "dissectors/c1222/c1222.h"

#define LINE_MAX_OCTETS (64 * 1024)

struct scribe_held {
	uint64_t n; /* since the last commit; the last ones are kept */
	struct view_refusal refusal[VIEW_REFUSALS];
};

int scribe_view_init(struct scribe_view *v, struct view *view, struct err *e)
{
	uint32_t seq = atomic_load(&view->seq);

	*v = (struct scribe_view){.view = view};
	v->held = calloc(SHARE_GUESTS, sizeof(*v->held));
	v->line = malloc(LINE_MAX_OCTETS);
	if (!v->held || !v->line)
		return err_set(e, E_NOMEM, 0, "out of memory");
	/* A predecessor may have died in the middle of writing. */
	atomic_store(&view->seq, (seq + 1) & ~1u);
	return 0;
}

void scribe_view_fini(struct scribe_view *v)
{
	free(v->held);
	free(v->line);
}

static void begin(struct view *v)
{
	atomic_fetch_add_explicit(&v->seq, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

static void end(struct view *v)
{
	atomic_fetch_add_explicit(&v->seq, 1, memory_order_release);
}

/* The line, or as much of what it is about as fits: the message's own facts
 * go first, then the rules; last it is cut. */
static struct span render(struct scribe_view *v, const struct event *ev,
			  uint64_t seq)
{
	struct eve_opts o = {
		.has_seq = true,
		.seq = seq,
		.service_name = c1222_service_name,
	};
	struct event less = *ev;

	for (int i = 0; i < 3; i++) {
		struct json j = json_of(v->line, LINE_MAX_OCTETS);

		if (eve_event(&j, &less, &o) && j.w.n <= VIEW_TEXT)
			return span_sub(wbuf_span(&j.w), 0, j.w.n - 1);
		if (i == 0)
			less.message = NULL;
		else
			less.n_rules = less.n_budgets = 0;
	}
	return span_of(v->line, VIEW_TEXT);
}

void scribe_view_add(struct scribe_view *v, int guest, const struct event *ev,
		     uint64_t seq)
{
	struct view_refusal *r;
	struct span text;

	v->records++;
	if (ev->type == EV_LOSS)
		v->lost += ev->count;
	else
		v->aggregated += ev->count;
	/* The end of a refused flow says nothing that its refusal did not; nor
	 * does whom it was told. */
	if (guest < 0 || ev->verdict != VERDICT_DENY || ev->type == EV_FLOW ||
	    ev->type == EV_NOTICE)
		return;
	r = &v->held[guest].refusal[v->held[guest].n++ % VIEW_REFUSALS];
	text = render(v, ev, seq);
	r->record = seq;
	r->wall_us = ev->now.wall.us;
	r->n = (uint32_t)text.n;
	memcpy(r->text, text.p, text.n);
}

static void show_refusals(struct view *to, size_t guest,
			  struct scribe_held *from)
{
	uint64_t first = from->n > VIEW_REFUSALS ? from->n - VIEW_REFUSALS : 0;

	for (uint64_t i = first; i < from->n; i++) {
		uint64_t at = to->guest[guest].n + i;

		to->guest[guest].refusal[at % VIEW_REFUSALS] =
			from->refusal[i % VIEW_REFUSALS];
	}
	to->guest[guest].n += from->n;
	from->n = 0;
}

void scribe_view_commit(struct scribe_view *v, uint64_t took_us)
{
	struct view *to = v->view;

	begin(to);
	to->records += v->records;
	to->aggregated += v->aggregated;
	to->lost += v->lost;
	to->commits++;
	to->last_commit_us = took_us;
	for (size_t i = 0; i < SHARE_GUESTS; i++) {
		if (v->held[i].n)
			show_refusals(to, i, &v->held[i]);
	}
	end(to);
	v->records = v->aggregated = v->lost = 0;
}

void scribe_view_log(struct scribe_view *v, uint64_t first, uint64_t size)
{
	begin(v->view);
	v->view->first = first;
	v->view->size = size;
	end(v->view);
}

void scribe_view_drop(struct scribe_view *v)
{
	for (size_t i = 0; i < SHARE_GUESTS; i++)
		v->held[i].n = 0;
	v->records = v->aggregated = v->lost = 0;
}

void scribe_view_error(struct scribe_view *v, const char *why)
{
	begin(v->view);
	if (why)
		v->view->failures++;
	snprintf(v->view->error, sizeof(v->view->error), "%s", why ? why : "");
	end(v->view);
}
