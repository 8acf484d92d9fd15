/* SPDX-License-Identifier: Apache-2.0 */
/* The elements by which the audit tells about itself. */
#include "audit/element.h"
#include "audit/element_value.h"

void element_put_log(struct wbuf *w, const struct event_log *l,
		     enum record_element which)
{
	if (!l)
		return;
	if (which == ELEMENT_CHAIN && l->has_chain) {
		wbuf_put(w, span_of(l->chain, sizeof(l->chain)));
	} else if (which == ELEMENT_OPEN && l->has_open) {
		wbuf_put(w, span_of(l->open, sizeof(l->open)));
	} else if (which == ELEMENT_PCR && l->has_pcr) {
		wbuf_put(w, span_of(l->pcr, sizeof(l->pcr)));
	} else if (which == ELEMENT_COUNTER) {
		put_number(w, l->counter);
	} else if (which == ELEMENT_REMOVED && l->has_range) {
		put_num8(w, l->first);
		put_num8(w, l->end);
		wbuf_put(w, span_of(l->root, sizeof(l->root)));
	} else if (which == ELEMENT_PREVIOUS && l->point) {
		put_num8(w, l->point);
		wbuf_put(w, span_of(l->point_text, sizeof(l->point_text)));
	}
}

static bool hash(struct cur *c, uint8_t out[SHA256_LEN])
{
	struct span s = cur_take(c, SHA256_LEN);

	if (s.n)
		memcpy(out, s.p, s.n);
	return cur_ok(c);
}

bool element_get_log(struct cur *c, struct record_view *v,
		     enum record_element which)
{
	struct event_log *l = &v->log;

	v->ev.log = l;
	switch (which) {
	case ELEMENT_CHAIN:
		return l->has_chain = hash(c, l->chain);
	case ELEMENT_OPEN:
		return l->has_open = hash(c, l->open);
	case ELEMENT_PCR:
		return l->has_pcr = hash(c, l->pcr);
	case ELEMENT_COUNTER:
		l->counter = get_number(c);
		return cur_ok(c);
	case ELEMENT_REMOVED:
		l->first = get_num8(c);
		l->end = get_num8(c);
		l->has_range = true;
		return hash(c, l->root) && l->first < l->end;
	case ELEMENT_PREVIOUS:
		l->point = get_num8(c);
		return hash(c, l->point_text) && l->point &&
		       l->point <= v->r.seq;
	default:
		return false;
	}
}
