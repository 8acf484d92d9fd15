/* SPDX-License-Identifier: Apache-2.0 */
/* Requests without a body: all they say is in the method, the path and the
 * query. */
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

/* --- queries ---------------------------------------------------------------- */

#define QUERY_VALUE 40 /* octets of a value: a time stamp, its colons encoded */

/* What a filter may say of a history (obix.md 12). */
enum query_key { KEY_START, KEY_END, KEY_LIMIT, KEYS };
static const char *const query_keys[KEYS] = {"start", "end", "limit"};

/* The next of "a=1&b=2"; servers also cut at ';'. False: that was the last. */
static bool query_next(struct span *rest, struct span *key, struct span *value)
{
	size_t n = 0;
	const uint8_t *eq;

	if (!rest->p)
		return false;
	while (n < rest->n && rest->p[n] != '&' && rest->p[n] != ';')
		n++;
	*key = span_sub(*rest, 0, n);
	*rest = n < rest->n ? span_from(*rest, n + 1) : (struct span){0};
	eq = key->n ? memchr(key->p, '=', key->n) : NULL;
	n = eq ? (size_t)(eq - key->p) : key->n;
	*value = span_from(*key, n + (eq != NULL));
	*key = span_sub(*key, 0, n);
	return true;
}

/* KEYS: none of them. *plain: it is written as it is called. */
static enum query_key key_of(struct span key, bool *plain)
{
	uint8_t buf[16];
	struct span text;

	*plain = true;
	if (!decode(key, buf, sizeof(buf), &text))
		return KEYS;
	*plain = span_eq(text, key);
	for (unsigned k = 0; k < KEYS; k++) {
		if (span_is(text, query_keys[k]))
			return (enum query_key)k;
	}
	return KEYS;
}

bool query_filters(struct span query)
{
	struct span key, value;
	bool plain;

	while (query_next(&query, &key, &value)) {
		if (key_of(key, &plain) != KEYS)
			return true;
	}
	return false;
}

int query_check(struct span query, struct err *e)
{
	struct span key, value;
	unsigned seen = 0;
	bool plain;

	while (query_next(&query, &key, &value)) {
		enum query_key k = key_of(key, &plain);

		if (k == KEYS)
			continue;
		if (!plain)
			return err_reason(e, E_SYNTAX, REASON_NOT_CANONICAL, 0,
					  "query: %s is encoded",
					  query_keys[k]);
		if (seen & 1u << k)
			return err_reason(e, E_SYNTAX, REASON_TWO_READINGS, 0,
					  "query: %s twice", query_keys[k]);
		seen |= 1u << k;
	}
	return 0;
}

static void parameter(struct item *it, enum query_key key, struct span text)
{
	uint8_t buf[64];
	struct span v;
	int64_t ms;
	bool unbounded;

	if (!decode(text, buf, sizeof(buf), &v))
		return;
	if (key == KEY_LIMIT)
		it->has_limit = value_count(v, &it->limit);
	if (!value_abstime(v, &ms, &unbounded) || unbounded)
		return;
	if (key == KEY_START) {
		it->has_start = true;
		it->start = ms;
	} else if (key == KEY_END) {
		it->has_end = true;
		it->end = ms;
	}
}

void query_filter(struct item *it, struct span query)
{
	struct span key, value;
	bool plain;

	while (query_next(&query, &key, &value))
		parameter(it, key_of(key, &plain), value);
}

/* %3A and %2B; nothing else of a time has to be encoded. */
static bool is_escaped(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		struct span three = span_sub(text, i, 3);

		if (text.p[i] == '%' && !span_is(three, "%3A") &&
		    !span_is(three, "%3a") && !span_is(three, "%2B") &&
		    !span_is(three, "%2b"))
			return false;
	}
	return true;
}

static bool is_read(enum query_key key, struct span text)
{
	uint8_t buf[64];
	struct span v;
	uint32_t n;
	int64_t ms;
	bool unbounded;

	if (text.n > QUERY_VALUE || !is_escaped(text) ||
	    !decode(text, buf, sizeof(buf), &v))
		return false;
	return key == KEY_LIMIT ? value_count(v, &n)
				: value_abstime(v, &ms, &unbounded);
}

uint32_t obix_query_unread(struct span query)
{
	struct span rest = query, key, value;
	uint32_t n = 0;
	bool plain;

	/* Each pair, with what stands in front of it and between. */
	while (query_next(&rest, &key, &value)) {
		enum query_key k = key_of(key, &plain);

		if (k == KEYS || !is_read(k, value))
			n += (uint32_t)(2 + key.n + value.n);
	}
	return n;
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
	if (op == OP_HISTORY_QUERY) {
		rc = query_check(c->query, e);
		if (rc)
			return rc;
	}
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
		query_filter(it, c->query);
	c->ask->bounds = item_bounds(it);
	item_command(it, obix_towards_machine(c));
	rc = leaf_give(&r, it);
	if (rc)
		out->n = mark;
	return rc;
}
