/* SPDX-License-Identifier: Apache-2.0 */
/* A customer's file, handed on. What it says is nothing that is read here. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "enforcer/daemon/courier.h"

#define ANSWER_MAX (8 * PROPOSE_TEXT) /* its lines, escaped */

bool customer_begin(struct customer *c, const void *owner)
{
	struct offer *o = c->o;

	/* What another courier handed on may still be looked at. */
	if (!o || c->owner ||
	    atomic_load(&o->asked) != atomic_load(&o->answered))
		return false;
	*c = (struct customer){.o = o, .owner = owner};
	return true;
}

void customer_add(struct customer *c, struct span octets)
{
	size_t room = c->n < sizeof(c->o->source) ? sizeof(c->o->source) - c->n
						  : 0;

	if (octets.n <= room && octets.n)
		memcpy(c->o->source + c->n, octets.p, octets.n);
	/* One octet too many is enough to know. */
	c->n += octets.n <= room ? octets.n : room + 1;
}

bool customer_send(struct customer *c, enum offer_from from)
{
	uint32_t number = atomic_load(&c->o->asked) + 1;

	if (c->n == 0 || c->n > sizeof(c->o->source))
		return false;
	c->o->from = from;
	c->o->n = (uint32_t)c->n;
	c->sent = true;
	atomic_store_explicit(&c->o->asked, number, memory_order_release);
	return true;
}

static void put_lines(struct json *j, struct span s)
{
	json_arr(j, "changes");
	while (s.n) {
		const uint8_t *end = memchr(s.p, '\n', s.n);
		size_t n = end ? (size_t)(end - s.p) : s.n;

		json_text(j, NULL, span_sub(s, 0, n));
		s = span_from(s, n + (end != NULL));
	}
	json_arr_end(j);
}

static bool write_answer(const struct offer *o, struct wbuf *w)
{
	struct span text = span_of(o->text, strnlen(o->text, sizeof(o->text)));
	struct json j = json_of(w->p, w->cap);

	json_obj(&j, NULL);
	if (o->state == OFFER_STAGED) {
		json_str(&j, "state", "pending");
		json_str(&j, "confirm", "on the meter's panel");
		json_text(&j, "code",
			  span_of(o->code, strnlen(o->code, sizeof(o->code))));
		put_lines(&j, text);
	} else {
		json_str(&j, "state",
			 o->state == OFFER_REFUSED ? "refused" : "busy");
		json_text(&j, "error", text);
	}
	json_obj_end(&j);
	w->n = json_line(&j) ? j.w.n : 0;
	return w->n > 0;
}

unsigned customer_answer(struct customer *c, struct wbuf *w)
{
	static const unsigned status[] = {[OFFER_STAGED] = 202,
					  [OFFER_REFUSED] = 422,
					  [OFFER_BUSY] = 429};
	uint32_t answered = atomic_load_explicit(&c->o->answered,
						 memory_order_acquire);
	uint32_t state = c->o->state;

	if (!c->sent || answered != atomic_load(&c->o->asked))
		return 0;
	*w = wbuf_of(malloc(ANSWER_MAX), ANSWER_MAX);
	if (w->p && !write_answer(c->o, w)) {
		free(w->p);
		w->p = NULL;
	}
	return state < sizeof(status) / sizeof(status[0]) && status[state]
		       ? status[state]
		       : 422;
}

void customer_end(struct customer *c, const void *owner)
{
	if (c->owner == owner)
		c->owner = NULL;
}
