/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as an audit record. Properties: what is accepted is written again as
 * the same octets; its EVE line is one line of valid JSON and its text is
 * printable, whatever the texts in it are.
 */
#include <assert.h>
#include <stdlib.h>

#include "audit/eve.h"
#include "audit/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- a reader of JSON, small and strict: accepts or not --- */

#define DEPTH_MAX 20

static bool value(struct cur *c, int depth);

static bool next_is(const struct cur *c, uint8_t want)
{
	struct span s = cur_peek(c, 1);

	return s.n && s.p[0] == want;
}

static bool eat(struct cur *c, uint8_t want)
{
	return cur_u8(c) == want && cur_ok(c);
}

static bool word(struct cur *c, const char *w)
{
	return span_is(cur_take(c, strlen(w)), w);
}

static bool hex4(struct cur *c)
{
	for (int i = 0; i < 4; i++) {
		uint8_t x = cur_u8(c);

		if (!((x >= '0' && x <= '9') || (x >= 'a' && x <= 'f')))
			return false;
	}
	return true;
}

/* The octets behind the first of a UTF-8 sequence. */
static bool utf8_tail(struct cur *c, uint8_t first)
{
	int n = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1
	      : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;

	for (int i = 0; i < n; i++) {
		if ((cur_u8(c) & 0xc0) != 0x80)
			return false;
	}
	return n >= 0;
}

static bool string(struct cur *c)
{
	if (!eat(c, '"'))
		return false;
	while (cur_ok(c) && cur_left(c) > 0) {
		uint8_t x = cur_u8(c);

		if (x == '"')
			return true;
		if (x < 0x20 || !utf8_tail(c, x))
			return false;
		if (x != '\\')
			continue;
		x = cur_u8(c);
		if (x == 'u' ? !hex4(c) : !memchr("\"\\nrtbf/", x, 8))
			return false;
	}
	return false;
}

static bool number(struct cur *c)
{
	bool zero = false;
	size_t n = 0;

	if (next_is(c, '-'))
		cur_u8(c);
	for (struct span s; (s = cur_peek(c, 1)).n && s.p[0] >= '0' &&
			    s.p[0] <= '9'; n++) {
		if (zero) /* no digit follows a leading zero */
			return false;
		zero = n == 0 && s.p[0] == '0';
		cur_u8(c);
	}
	return n > 0;
}

static bool members(struct cur *c, uint8_t end, bool keys, int depth)
{
	cur_u8(c);
	if (next_is(c, end))
		return eat(c, end);
	for (;;) { /* each turn takes at least one octet */
		if (keys && !(string(c) && eat(c, ':')))
			return false;
		if (!value(c, depth + 1))
			return false;
		if (next_is(c, end))
			return eat(c, end);
		if (!eat(c, ','))
			return false;
	}
}

static bool value(struct cur *c, int depth)
{
	struct span s = cur_peek(c, 1);

	if (s.n == 0 || depth > DEPTH_MAX)
		return false;
	switch (s.p[0]) {
	case '{':
		return members(c, '}', true, depth);
	case '[':
		return members(c, ']', false, depth);
	case '"':
		return string(c);
	case 't':
		return word(c, "true");
	case 'f':
		return word(c, "false");
	case 'n':
		return word(c, "null");
	default:
		return number(c);
	}
}

static void check_line(const struct record_view *v, uint8_t *buf)
{
	struct eve_opts o = {.values = true, .has_seq = true,
			     .seq = v->r.seq, .service = v->r.service};
	struct json j = json_of(buf, EVE_LINE_MAX);
	struct wbuf w = wbuf_of(buf, EVE_LINE_MAX);
	struct cur c;

	assert(eve_event(&j, &v->ev, &o));
	c = cur_of(wbuf_span(&j.w));
	assert(next_is(&c, '{') && value(&c, 0) && eat(&c, '\n') &&
	       cur_done(&c));
	assert(eve_text(&w, &v->ev, &o));
	for (size_t i = 0; i + 1 < w.n; i++)
		assert(buf[i] >= 0x20 && buf[i] < 0x7f);
	assert(buf[w.n - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_view *v = malloc(sizeof(*v));
	uint8_t *buf = malloc(EVE_LINE_MAX);
	uint8_t again[RECORD_MAX];
	struct wbuf w = wbuf_of(again, sizeof(again));
	struct err e = {0};
	int rc;

	assert(v && buf);
	rc = record_decode(v, span_of(data, size), &e);
	assert(rc <= 0 && (rc == 0 || e.text[0]));
	if (rc == 0) {
		assert(record_encode(&w, &v->r, &e) == 0);
		assert(span_eq(wbuf_span(&w), span_of(data, size)));
		check_line(v, buf);
	}
	free(buf);
	free(v);
	return 0;
}
