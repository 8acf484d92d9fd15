/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <assert.h>

#define DEPTH_MAX 16

static const char hex_digit[] = "0123456789abcdef";

struct json json_of(void *p, size_t cap)
{
	return (struct json){wbuf_of(p, cap), false, 0};
}

static void raw(struct json *j, const char *s)
{
	wbuf_put(&j->w, span_str(s));
}

/* Octets of the UTF-8 sequence at the start of s, or 0 when there is none. */
static size_t utf8_len(struct span s)
{
	uint8_t a = s.p[0];
	size_t n = a < 0x80 ? 1 : a < 0xc2 ? 0 : a < 0xe0 ? 2 : a < 0xf0 ? 3
		 : a < 0xf5 ? 4 : 0;

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates and what lies beyond U+10FFFF. */
	if ((a == 0xe0 && s.p[1] < 0xa0) || (a == 0xed && s.p[1] > 0x9f) ||
	    (a == 0xf0 && s.p[1] < 0x90) || (a == 0xf4 && s.p[1] > 0x8f))
		return 0;
	return n;
}

/* Octets at the start of s that stand for themselves. */
static size_t plain_len(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= 0x20 && s.p[n] < 0x7f && s.p[n] != '"' &&
	       s.p[n] != '\\')
		n++;
	return n;
}

static void escape_u(struct json *j, uint8_t c)
{
	char e[7] = {'\\', 'u', '0', '0', hex_digit[c >> 4],
		     hex_digit[c & 15], 0};

	raw(j, e);
}

static void quoted(struct json *j, struct span s)
{
	size_t i = plain_len(s);

	if (i == s.n) {
		uint8_t *at = wbuf_room(&j->w, s.n + 2);

		if (!at)
			return;
		*at++ = '"';
		if (s.n)
			memcpy(at, s.p, s.n);
		at[s.n] = '"';
		return;
	}
	i = 0;
	raw(j, "\"");
	while (i < s.n && !j->w.failed) {
		size_t n = plain_len(span_from(s, i));
		uint8_t c = s.p[i];

		/* Nearly all text is plain: copied in runs. */
		if (n > 0) {
			wbuf_put(&j->w, span_sub(s, i, n));
			i += n;
			continue;
		}
		n = utf8_len(span_from(s, i));
		if (n == 0) {
			escape_u(j, c);
			n = 1;
		} else if (c == '"' || c == '\\') {
			wbuf_u8(&j->w, '\\');
			wbuf_u8(&j->w, c);
		} else if (c == '\n') {
			raw(j, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			escape_u(j, c);
		} else {
			wbuf_put(&j->w, span_sub(s, i, n));
		}
		i += n;
	}
	raw(j, "\"");
}

void json_key(struct json *j, struct span key)
{
	uint8_t *at = wbuf_room(&j->w, j->comma + key.n + 3);

	if (at && j->comma)
		*at++ = ',';
	j->comma = false; /* none between key and value */
	if (!at)
		return;
	*at++ = '"';
	memcpy(at, key.p, key.n);
	at[key.n] = '"';
	at[key.n + 1] = ':';
}

/* Comma, key and colon in one piece: every value begins with them. */
static void begin(struct json *j, const char *key)
{
	size_t n = key ? strlen(key) : 0;
	uint8_t *at = wbuf_room(&j->w, j->comma + (key ? n + 3 : 0));

	if (at && j->comma)
		*at++ = ',';
	j->comma = true;
	if (!at || !key)
		return;
	*at++ = '"';
	memcpy(at, key, n);
	at[n] = '"';
	at[n + 1] = ':';
}

static void open_level(struct json *j, const char *key, uint8_t c)
{
	begin(j, key);
	wbuf_u8(&j->w, c);
	assert(j->depth < DEPTH_MAX);
	j->depth++;
	j->comma = false;
}

static void close_level(struct json *j, uint8_t c)
{
	assert(j->depth > 0);
	j->depth--;
	wbuf_u8(&j->w, c);
	j->comma = true;
}

void json_obj(struct json *j, const char *key)
{
	open_level(j, key, '{');
}

void json_obj_end(struct json *j)
{
	close_level(j, '}');
}

void json_arr(struct json *j, const char *key)
{
	open_level(j, key, '[');
}

void json_arr_end(struct json *j)
{
	close_level(j, ']');
}

void json_text(struct json *j, const char *key, struct span s)
{
	begin(j, key);
	quoted(j, s);
}

void json_str(struct json *j, const char *key, const char *s)
{
	json_text(j, key, span_str(s));
}

static void number(struct json *j, uint64_t v, bool minus)
{
	size_t n = 1;
	uint8_t *at;

	for (uint64_t t = v; t >= 10; t /= 10)
		n++;
	at = wbuf_room(&j->w, n + minus);
	if (!at)
		return;
	if (minus)
		*at++ = '-';
	while (n > 0) {
		at[--n] = (uint8_t)('0' + v % 10);
		v /= 10;
	}
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	begin(j, key);
	number(j, v, false);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	begin(j, key);
	number(j, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void json_bool(struct json *j, const char *key, bool v)
{
	begin(j, key);
	raw(j, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin(j, key);
	raw(j, "null");
}

void json_hex(struct json *j, const char *key, struct span s)
{
	begin(j, key);
	wbuf_u8(&j->w, '"');
	for (size_t i = 0; i < s.n && !j->w.failed; i++) {
		wbuf_u8(&j->w, (uint8_t)hex_digit[s.p[i] >> 4]);
		wbuf_u8(&j->w, (uint8_t)hex_digit[s.p[i] & 15]);
	}
	wbuf_u8(&j->w, '"');
}

bool json_line(struct json *j)
{
	assert(j->depth == 0);
	wbuf_u8(&j->w, '\n');
	j->comma = false;
	return !j->w.failed;
}
