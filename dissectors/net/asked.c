/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/asked.h"

/* Keep a request, when it passes. */
static void ask(struct asked *s, const struct dis_ctx *c,
			     uint64_t key)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < ASKED_MAX; i++) {
		if (!s->row[i].used) {
			oldest = i;
			break;
		}
		if (s->row[i].at_ns < s->row[oldest].at_ns)
			oldest = i;
	}
	s->next = (struct asked_row){.used = true,
				     .at_ns = c->now.mono.ns,
				     .key = key,
				     .tup = c->tup};
	s->place = oldest;
	s->change = ASKED_NEW;
}

/* Is this the answer to a request? ends: between the same two ends. */
static bool answers(struct asked *s, const struct dis_ctx *c,
				uint64_t key, bool ends)
{
	for (uint32_t i = 0; i < ASKED_MAX; i++) {
		const struct asked_row *r = &s->row[i];

		if (!r->used || r->key != key ||
		    c->now.mono.ns - r->at_ns > ASKED_WAIT_NS ||
		    (ends && !net_reversed(&r->tup, &c->tup)))
			continue;
		s->place = i;
		s->change = ASKED_ANSWER;
		return true;
	}
	return false;
}

void asked_settle(struct asked *s, bool passed, bool once)
{
	if (passed && s->change == ASKED_NEW)
		s->row[s->place] = s->next;
	else if (passed && s->change == ASKED_ANSWER && once)
		s->row[s->place].used = false;
	s->change = ASKED_NOTHING;
}

/* What the language has no name for: a carrier, and one leaf that says which
 * protocol it is and how long; a rule grants it as `opaque`. */
static int state_of(struct obs_list *out, const char *app,
			      size_t octets, enum reason note, struct err *e)
{
	uint32_t mark = out->n;
	struct obs *o = obs_add(out, OBS_FLOW_OPEN);
	struct obs *leaf = o ? obs_add(out, OBS_OPAQUE) : NULL;

	if (!leaf) {
		out->n = mark;
		return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "no room");
	}
	if (note)
		obs_u64(o, F_NOTE, note);
	obs_span(leaf, F_APP, span_str(app));
	obs_u64(leaf, F_OCTETS, octets);
	return 0;
}

int asked_dissect(const struct dis_ctx *c, uint64_t key, bool answer, bool ends,
		  const char *app, struct span unit, struct obs_list *out,
		  struct err *e)
{
	struct asked *s = c->machine;
	enum reason note = REASON_NONE;

	if (!answer)
		ask(s, c, key);
	else if (!answers(s, c, key, ends))
		note = REASON_UNPAIRED;
	if (note && !c->lenient)
		return err_reason(e, E_SYNTAX, (int)note, 0,
				  "nobody asked that");
	return state_of(out, app, unit.n, note, e);
}

void asked_init(void *machine, const void *conf)
{
	(void)machine; /* zero: nothing was asked */
	(void)conf;
}

enum frame asked_frame(const struct dis_ctx *c, struct span in, size_t *len,
		       struct err *e)
{
	(void)c;
	(void)e;
	*len = in.n; /* a datagram is a message */
	return FRAME_UNIT;
}

enum reason asked_leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	return rest.n ? REASON_INCOMPLETE : REASON_NONE;
}
