/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests and the fuzz target of this folder share: one machine, an
 * exchange put through cutting and reading, and what was said as text.
 */
#ifndef DISSECTORS_OBIX_TESTKIT_H
#define DISSECTORS_OBIX_TESTKIT_H

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dissectors/obix/state.h"

#define KIT_OBS  1024
#define KIT_TEXT (256 * 1024)

struct kit {
	struct obix_machine *m;
	struct arena arena;
	struct obs obs[KIT_OBS];
	struct obs_list out;
	struct dis_ctx dis;
	struct obix_ask ask;
	struct span host; /* empty: not known */
	struct err e;
	/* Of the message read last. */
	uint32_t units;
	size_t largest;      /* octets of a unit */
	size_t released;     /* octets in front of the first refusal */
	char text[KIT_TEXT]; /* a line for each leaf */
	size_t text_n;
	bool values; /* sizes too */
	uint8_t memory[512 * 1024];
};

static inline struct kit *kit_new(void)
{
	struct kit *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->m = aligned_alloc(64, OBIX_MACHINE_OCTETS);
	if (!k->m)
		abort();
	memset(k->m, 0, sizeof(*k->m));
	k->arena = arena_of(k->memory, sizeof(k->memory));
	k->out = (struct obs_list){k->obs, 0, KIT_OBS};
	k->dis.arena = &k->arena;
	k->dis.dir = DIR_OUT;
	k->dis.tup.dport = 80;
	k->dis.tup.sport = 80;
	return k;
}

static inline void kit_free(struct kit *k)
{
	free(k->m);
	free(k);
}

static inline void kit_say(struct kit *k, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void kit_say(struct kit *k, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(k->text + k->text_n, KIT_TEXT - k->text_n, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < KIT_TEXT - k->text_n)
		k->text_n += (size_t)n;
}

static inline void kit_say_span(struct kit *k, const char *what,
				const struct obs *o, enum field f)
{
	const char *sep = " ";

	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field != f)
			continue;
		kit_say(k, "%s%s%.*s", sep, what, (int)o->f[i].n,
			(const char *)o->f[i].p);
		sep = "+";
		what = "";
	}
}

static inline void kit_say_u64(struct kit *k, const char *what,
			       const struct obs *o, enum field f)
{
	if (obs_has(o, f))
		kit_say(k, " %s=%llu", what,
			(unsigned long long)obs_get(o, f, 0));
}

/* "read-response /a is=obix:Point unit=kilowatt power.instant r=1 v=1" */
static inline void kit_leaf(struct kit *k, const struct obs *o)
{
	char buf[MEAS_TEXT];

	assert(o->dropped == 0);
	kit_say(k, "%s", obs_name((enum obs_kind)o->kind) + 5);
	kit_say_span(k, "", o, F_HREF);
	kit_say_span(k, "is=", o, F_IS);
	kit_say_span(k, "unit=", o, F_OBIX_UNIT);
	if (obs_has(o, F_MEASUREMENT))
		kit_say(k, " %s",
			meas_text(buf, sizeof(buf),
				  obs_get(o, F_MEASUREMENT, 0)));
	if (obs_has(o, F_ASKS_FOR))
		kit_say(k, " asks=%s",
			meas_text(buf, sizeof(buf), obs_get(o, F_ASKS_FOR, 0)));
	kit_say_u64(k, "r", o, F_READINGS);
	kit_say_u64(k, "v", o, F_VALUES);
	kit_say_u64(k, "g", o, F_GRANULARITY);
	kit_say_u64(k, "span", o, F_SPAN_S);
	kit_say_u64(k, "limit", o, F_COUNT);
	if (k->values && obs_has(o, F_RES_UNIT)) {
		kit_say(k, " %s",
			unit_name((enum unit)obs_get(o, F_RES_UNIT, 0)));
		kit_say_u64(k, "step", o, F_RES_STEP);
		kit_say(k, " %lld..%lld",
			(long long)obs_get_i64(o, F_VALUE_MIN, 0),
			(long long)obs_get_i64(o, F_VALUE_MAX, 0));
	}
	if (obs_has(o, F_ECHO))
		kit_say(k, " echo");
	if (obs_has(o, F_ERR))
		kit_say(k, " err");
	if (obs_has(o, F_CONTINUES))
		kit_say(k, " quiet");
	if (obs_has(o, F_NOTE))
		kit_say(k, " note");
	kit_say(k, "\n");
}

/* How a body comes: in pieces of that many octets, its length known or not. */
struct kit_way {
	size_t piece;  /* 0: all at once */
	uint64_t rest; /* OBIX_REST_UNKNOWN, _CLOSE; 0: length known */
	bool unsure;   /* undo and repeat each unit once */
};

/* What was kept of the unit that was just cut is what is counted of it. */
static inline void kit_kept(const struct kit *k, const struct obix_scan *at,
			    struct span unit)
{
	const struct scan_kept *kept = obix_kept(k->m);
	struct err e;
	struct scan s = scan_of(at, unit, &e);
	const struct scan_sum *a = &s.sum, *b = &kept->sum;

	if (!scan_is_kept(kept, at, unit))
		return;
	while (scan_next(&s) < SCAN_MORE)
		;
	assert(s.at == unit.n && a->stage == b->stage &&
	       a->depth == b->depth && a->stylesheet == b->stylesheet &&
	       a->tags == b->tags && a->ends == b->ends &&
	       a->comments == b->comments && a->years == b->years &&
	       a->text == b->text && a->numbers == b->numbers &&
	       a->words == b->words && a->white == b->white &&
	       a->names == b->names);
}

/* One message; body p NULL: none. Returns 0 or the code of the refusal. */
static inline int kit_message(struct kit *k, struct obix_ctx *c,
			      struct span body, const struct kit_way *way)
{
	struct obix_scan at = {0};
	size_t from = 0, seen = way->piece ? 0 : body.n;
	bool first = true;
	int rc;

	c->dis = &k->dis;
	c->m = k->m;
	c->ask = &k->ask;
	c->host = k->host;
	c->at = &at;
	k->units = 0;
	k->largest = k->released = 0;
	k->text_n = 0;
	k->text[0] = 0;
	memset(&k->e, 0, sizeof(k->e));
	k->out.n = 0;
	arena_reset(&k->arena);
	if (body.n == 0) {
		rc = obix_request(c, &k->out, &k->e);
		obix_settle(k->m, rc == 0);
		for (uint32_t i = 0; i < k->out.n; i++)
			kit_leaf(k, &k->obs[i]);
		return rc;
	}
	while (from < body.n) {
		bool ended = seen == body.n;
		struct obix_body b = {
			.in = span_sub(body, from, seen - from),
			.window = OBIX_WINDOW,
			.rest = way->rest == 0 || (way->rest ==
							   OBIX_REST_UNKNOWN &&
						   ended)
					? body.n - from
					: way->rest,
		};
		size_t len;
		enum frame f;

		if (b.in.n == 0) { /* nobody asks about nothing */
			seen += way->piece;
			seen = seen > body.n ? body.n : seen;
			continue;
		}
		if (way->rest == OBIX_REST_CLOSE && ended &&
		    at.stage == SCAN_BEHIND)
			b.full = true;
		f = obix_frame(k->m, &at, &b, &len, &k->e);
		if (f == FRAME_BAD)
			return k->e.code;
		if (f == FRAME_MORE && ended) {
			k->e.reason = REASON_INCOMPLETE;
			return E_MORE;
		}
		if (f == FRAME_MORE) {
			seen += way->piece;
			seen = seen > body.n ? body.n : seen;
			continue;
		}
		assert(len > 0 && len <= b.in.n && len <= OBIX_WINDOW);
		kit_kept(k, &at, span_sub(body, from, len));
		c->first = first;
		c->last = from + len == body.n;
		for (unsigned i = 0; i < (way->unsure ? 2 : 1); i++) {
			struct obix_scan was = at;
			struct obix_ask asked = k->ask;

			/* Again without what was kept. */
			if (i == 1)
				obix_kept(k->m)->n = 0;
			k->out.n = 0;
			arena_reset(&k->arena);
			rc = obix_read(c, span_sub(body, from, len), &k->out,
				       &k->e);
			obix_settle(k->m, rc == 0 && !(way->unsure && i == 0));
			if (rc == 0 && way->unsure && i == 0) {
				at = was;
				k->ask = asked;
			}
		}
		if (rc)
			return rc;
		assert(k->out.n > 0);
		for (uint32_t i = 0; i < k->out.n; i++)
			kit_leaf(k, &k->obs[i]);
		from += len;
		k->released = from;
		k->largest = len > k->largest ? len : k->largest;
		k->units++;
		first = false;
	}
	return 0;
}

/* "POST" "/obix/a/" and a document. */
static inline int kit_ask(struct kit *k, const char *method, const char *path,
			  struct span body, const struct kit_way *way)
{
	static const struct kit_way all;
	struct span p = span_str(path);
	const uint8_t *q = memchr(p.p, '?', p.n);
	struct obix_ctx c = {
		.request = true, .method = span_str(method), .path = p};

	if (q) {
		c.path = span_sub(p, 0, (size_t)(q - p.p));
		c.query = span_from(p, (size_t)(q - p.p) + 1);
	}
	return kit_message(k, &c, body, way ? way : &all);
}

static inline int kit_answer(struct kit *k, const char *method,
			     const char *path, struct span body,
			     const struct kit_way *way)
{
	static const struct kit_way all;
	struct span p = span_str(path);
	const uint8_t *q = memchr(p.p, '?', p.n);
	struct obix_ctx c = {.request = false,
			     .status = 200,
			     .method = span_str(method),
			     .path = p};

	if (q) {
		c.path = span_sub(p, 0, (size_t)(q - p.p));
		c.query = span_from(p, (size_t)(q - p.p) + 1);
	}
	return kit_message(k, &c, body, way ? way : &all);
}

#endif
