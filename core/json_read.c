/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_read.h"

static void blank(struct cur *c)
{
	struct span s = cur_peek(c, 1);

	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n' ||
		       s.p[0] == '\r')) {
		cur_take(c, 1);
		s = cur_peek(c, 1);
	}
}

static bool take(struct cur *c, char what)
{
	struct span s = cur_peek(c, 1);

	if (s.n == 0 || s.p[0] != (uint8_t)what)
		return false;
	cur_take(c, 1);
	return true;
}

static int hex(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The four digits of an escape, or -1. */
static int unit(struct cur *c)
{
	struct span s = cur_take(c, 4);
	int v = 0;

	for (size_t i = 0; i < s.n; i++) {
		int d = hex(s.p[i]);

		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return s.n == 4 ? v : -1;
}

static bool skip_string(struct cur *c)
{
	if (!take(c, '"'))
		return false;
	while (cur_left(c) > 0) {
		uint8_t k = cur_u8(c);

		if (k == '"')
			return true;
		if (k < 0x20)
			return false;
		if (k != '\\')
			continue;
		k = cur_u8(c);
		if (k == 'u' ? unit(c) < 0 : !k || !strchr("\"\\/bfnrt", k))
			return false;
	}
	return false;
}

static bool digits(struct cur *c)
{
	bool any = false;
	struct span s = cur_peek(c, 1);

	while (s.n && s.p[0] >= '0' && s.p[0] <= '9') {
		cur_take(c, 1);
		any = true;
		s = cur_peek(c, 1);
	}
	return any;
}

static bool skip_number(struct cur *c)
{
	take(c, '-');
	if (!take(c, '0') && !digits(c))
		return false;
	if (take(c, '.') && !digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			take(c, '-');
		return digits(c);
	}
	return true;
}

static bool skip_word(struct cur *c, const char *word)
{
	return span_is(cur_take(c, strlen(word)), word);
}

static bool skip_value(struct cur *c, unsigned depth);

/* Depth is bounded by JSON_DEPTH. */
static bool skip_members(struct cur *c, char end, unsigned depth)
{
	bool object = end == '}', first = true;

	for (;;) {
		blank(c);
		if (first && take(c, end))
			return true;
		if (object) {
			if (!skip_string(c))
				return false;
			blank(c);
			if (!take(c, ':'))
				return false;
		}
		if (!skip_value(c, depth + 1))
			return false;
		blank(c);
		if (take(c, end))
			return true;
		if (!take(c, ','))
			return false;
		first = false;
	}
}

static bool skip_value(struct cur *c, unsigned depth)
{
	struct span s;

	if (depth > JSON_DEPTH)
		return false;
	blank(c);
	s = cur_peek(c, 1);
	if (s.n == 0)
		return false;
	switch (s.p[0]) {
	case '{':
		cur_take(c, 1);
		return skip_members(c, '}', depth);
	case '[':
		cur_take(c, 1);
		return skip_members(c, ']', depth);
	case '"':
		return skip_string(c);
	case 't':
		return skip_word(c, "true");
	case 'f':
		return skip_word(c, "false");
	case 'n':
		return skip_word(c, "null");
	default:
		return skip_number(c);
	}
}

bool json_valid(struct span text)
{
	struct cur c = cur_of(text);

	if (!skip_value(&c, 0))
		return false;
	blank(&c);
	return cur_done(&c);
}

static struct span since(const struct cur *c, size_t from)
{
	return span_sub(c->in, from, c->off - from);
}

bool json_next(struct span in, size_t *at, struct span *key,
	       struct span *value)
{
	struct cur c = cur_of(in);
	bool object;
	size_t from;

	blank(&c);
	object = span_is(cur_peek(&c, 1), "{");
	if (!object && !span_is(cur_peek(&c, 1), "["))
		return false;
	if (*at == 0) {
		cur_take(&c, 1);
	} else {
		c = cur_of(in);
		cur_take(&c, *at);
		blank(&c);
		if (!take(&c, ','))
			return false;
	}
	blank(&c);
	if (object) {
		from = c.off;
		if (!skip_string(&c))
			return false;
		if (key)
			*key = span_sub(in, from + 1, c.off - from - 2);
		blank(&c);
		if (!take(&c, ':'))
			return false;
		blank(&c);
	} else if (key) {
		*key = (struct span){0};
	}
	from = c.off;
	if (!skip_value(&c, 1))
		return false;
	*value = since(&c, from);
	*at = c.off;
	return true;
}

struct span json_get(struct span object, const char *key)
{
	struct span k, v;
	size_t at = 0;

	while (json_next(object, &at, &k, &v)) {
		if (k.n && span_is(k, key))
			return v;
	}
	return (struct span){0};
}

/* UTF-8 of a code; how many octets. Lone surrogates become U+FFFD. */
static size_t encode(char out[4], uint32_t code)
{
	if (code >= 0xd800 && code < 0xe000)
		code = 0xfffd;
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

/* What an escape stands for; the backslash is taken. */
static uint32_t escape(struct cur *c)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	uint8_t k = cur_u8(c);
	const char *at;
	struct cur ahead;
	int hi, lo;

	if (k != 'u') {
		at = k ? strchr(from, k) : NULL;
		return at ? (uint32_t)to[at - from] : k;
	}
	hi = unit(c);
	if (hi < 0xd800 || hi >= 0xdc00)
		return (uint32_t)hi;
	ahead = *c;
	if (!take(&ahead, '\\') || !take(&ahead, 'u'))
		return (uint32_t)hi;
	lo = unit(&ahead);
	if (lo < 0xdc00 || lo >= 0xe000)
		return (uint32_t)hi;
	*c = ahead;
	return 0x10000 + ((uint32_t)(hi - 0xd800) << 10) +
	       (uint32_t)(lo - 0xdc00);
}

bool json_string(char *buf, size_t cap, struct span raw)
{
	struct cur c = cur_of(raw);
	size_t n = 0;

	if (cap == 0)
		return false;
	buf[0] = 0;
	if (!skip_string(&c) || !cur_done(&c))
		return false;
	c = cur_of(span_sub(raw, 1, raw.n - 2));
	while (cur_left(&c) > 0) {
		uint8_t k = cur_u8(&c);
		char out[4] = {(char)k};
		size_t len = k == '\\' ? encode(out, escape(&c)) : 1;

		if (len > cap - 1 - n)
			break;
		memcpy(buf + n, out, len);
		n += len;
	}
	buf[n] = 0;
	return true;
}

bool json_int(struct span raw, int64_t *v)
{
	struct cur c = cur_of(raw);
	bool minus = take(&c, '-');
	uint64_t n = 0;

	*v = 0;
	if (cur_left(&c) == 0 || cur_left(&c) > 19)
		return false;
	while (cur_left(&c) > 0) {
		uint8_t k = cur_u8(&c);

		if (k < '0' || k > '9')
			return false;
		n = n * 10 + (uint64_t)(k - '0');
	}
	if (n > INT64_MAX)
		return false;
	*v = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

bool json_true(struct span raw)
{
	return span_is(raw, "true");
}
