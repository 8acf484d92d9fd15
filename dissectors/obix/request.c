/* SPDX-License-Identifier: Apache-2.0 */
/* Requests without a body: all they say is in the method and the path. */
#include "dissectors/obix/state.h"

/* One value of a query string, with %xx decoded; false: too long. */
static bool decode(struct span in, uint8_t *buf, size_t cap, struct span *out)
{
	struct cur c = cur_of(in);
	struct wbuf w = wbuf_of(buf, cap);

	while (cur_left(&c)) {
		uint8_t ch = cur_u8(&c);

		if (ch == '%') {
			struct span two = cur_take(&c, 2);
			unsigned v = 0;

			for (size_t i = 0; i < two.n; i++) {
				uint8_t d = two.p[i] | 0x20;

				v = v << 4 |
				    (d >= 'a' ? d - 'a' + 10u : d & 15u);
			}
			ch = (uint8_t)v;
		}
		wbuf_u8(&w, ch);
	}
	*out = wbuf_span(&w);
	return !w.failed && cur_ok(&c);
}

static void parameter(struct item *it, struct span key, struct span text)
{
	uint8_t buf[64];
	struct span v;
	struct decimal n;
	int64_t ms;
	bool unbounded;

	if (!decode(text, buf, sizeof(buf), &v))
		return;
	if (span_is(key, "limit") && value_decimal(v, &n) && n.m >= 0 &&
	    n.m < 1000000 && n.e >= 0 && n.e <= 3) {
		it->has_limit = true;
		it->limit = (uint32_t)n.m;
		for (int e = n.e; e > 0; e--)
			it->limit *= 10;
	}
	if (!value_abstime(v, &ms, &unbounded) || unbounded)
		return;
	if (span_is(key, "start")) {
		it->has_start = true;
		it->start = ms;
	} else if (span_is(key, "end")) {
		it->has_end = true;
		it->end = ms;
	}
}

static void filter(struct item *it, struct span query)
{
	size_t from = 0;

	for (size_t i = 0; i <= query.n; i++) {
		struct span part;
		const uint8_t *eq;

		if (i < query.n && query.p[i] != '&')
			continue;
		part = span_sub(query, from, i - from);
		from = i + 1;
		eq = part.n ? memchr(part.p, '=', part.n) : NULL;
		if (eq) {
			size_t n = (size_t)(eq - part.p);

			parameter(it, span_sub(part, 0, n),
				  span_from(part, n + 1));
		}
	}
}

int obix_request(const struct obix_ctx *c, struct obs_list *out, struct err *e)
{
	struct obix_machine *m = c->m;
	struct doc *d = &m->doc[m->spare].doc;
	struct reader r = {.c = c, .m = m, .d = d, .out = out, .e = e};
	uint32_t mark = out->n;
	struct item *it = &d->rest;
	enum obix_op op2, op = op_of(c, 0, &op2);
	int rc;

	stage_begin(m);
	*c->ask = (struct obix_ask){0};
	if (op == OP_NONE)
		return 0;
	if (c->path.n > HREF_MAX)
		return err_reason(e, E_LIMIT, REASON_TOO_LONG, 0,
				  "path too long");
	if (op == OP_BATCH)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, 0,
				  "a batch of nothing");
	memset(it, 0, sizeof(*it));
	d->request = true;
	d->op = (uint8_t)op;
	d->op2 = OP_NONE;
	d->odd = d->series = false;
	it->op = (uint8_t)op;
	memcpy(it->href[0], c->path.p, c->path.n);
	it->href_n[0] = (uint16_t)c->path.n;
	c->ask->kind = (uint16_t)obix_request_kind(op);
	op_ask(c, op, c->path, &c->ask->object, &c->ask->watch);
	it->object = c->ask->object;
	it->watch = c->ask->watch;
	it->asks_for = op_asks_for(c, op, c->ask->object, c->ask->watch);
	if (op == OP_HISTORY_QUERY)
		filter(it, c->query);
	item_command(it, c->dis->dir == DIR_IN);
	rc = leaf_give(&r, it);
	if (rc)
		out->n = mark;
	return rc;
}
