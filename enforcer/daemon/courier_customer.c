/* SPDX-License-Identifier: Apache-2.0 */
/* A customer's file, handed on. What it says is nothing that is read here. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "enforcer/daemon/courier.h"

#define PARCEL_FIRST (4 * 1024)
#define ANSWER_MAX (8 * PROPOSE_TEXT) /* its lines, escaped */

/* Room for so many octets in all. */
static bool grow(struct parcel *p, size_t n)
{
	size_t cap = p->cap ? p->cap : PARCEL_FIRST;
	uint8_t *octets;

	while (cap < n)
		cap *= 2;
	if (cap == p->cap)
		return true;
	octets = realloc(p->octets, cap);
	if (!octets)
		return false;
	p->octets = octets;
	p->cap = cap;
	return true;
}

void parcel_add(struct parcel *p, struct span octets)
{
	if (octets.n == 0 || p->large || p->lost)
		return;
	p->large = octets.n > PROPOSE_SOURCE - p->n;
	p->lost = !p->large && !grow(p, p->n + octets.n);
	if (p->large || p->lost)
		return;
	memcpy(p->octets + p->n, octets.p, octets.n);
	p->n += octets.n;
}

void parcel_end(struct parcel *p)
{
	free(p->octets);
	*p = (struct parcel){0};
}

bool customer_send(struct customer *c, const void *owner, struct span file,
		   enum offer_from from)
{
	struct offer *o = c->o;
	uint32_t number;

	/* What another courier handed on may still be looked at. */
	if (!o || c->owner ||
	    atomic_load(&o->asked) != atomic_load(&o->answered))
		return false;
	number = atomic_load(&o->asked) + 1;
	memcpy(o->source, file.p, file.n);
	o->from = from;
	o->n = (uint32_t)file.n;
	c->owner = owner;
	atomic_store_explicit(&o->asked, number, memory_order_release);
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

	if (answered != atomic_load(&c->o->asked))
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
