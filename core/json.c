/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <assert.h>

#include "core/utf8.h"

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

#define EACH(c) (UINT64_C(0x0101010101010101) * (c))

/* Any of eight octets that does not stand for itself? A borrow may say so of
 * one beside it as well, which costs time only. */
static uint64_t odd_ones(uint64_t x)
{
	uint64_t quote = x ^ EACH('"'), slash = x ^ EACH('\\');

	return ((x - EACH(0x20)) | (x + EACH(1)) | x | (quote - EACH(1)) |
		(slash - EACH(1))) &
	       EACH(0x80);
}

static bool plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Octets at the start of s that stand for themselves. */
static size_t plain_len(struct span s)
{
	size_t n = 0;

	while (n < s.n && plain(s.p[n]))
		n++;
	return n;
}

/* The eight octets at s.p + at, or in front of its end. */
static uint64_t eight(struct span s, size_t at)
{
	uint64_t x;

	memcpy(&x, s.p + (at < s.n - sizeof(x) ? at : s.n - sizeof(x)),
	       sizeof(x));
	return x;
}

/* Does all of it? Of text that does not it may say so, never the other way. */
static bool all_plain(struct span s)
{
	uint64_t odd = 0;
	uint32_t front, back;

	if (s.n >= sizeof(odd)) {
		for (size_t i = 0; i < s.n; i += sizeof(odd))
			odd |= odd_ones(eight(s, i));
		return odd == 0;
	}
	if (s.n < sizeof(front))
		return plain_len(s) == s.n;
	memcpy(&front, s.p, sizeof(front));
	memcpy(&back, s.p + s.n - sizeof(back), sizeof(back));
	return odd_ones((uint64_t)front << 32 | back) == 0;
}

static void escape_u(struct json *j, uint8_t c)
{
	char e[7] = {'\\', 'u', '0', '0', hex_digit[c >> 4],
		     hex_digit[c & 15], 0};

	raw(j, e);
}

/* All of it stands for itself, as nearly all text does. */
static bool put_plain(struct json *j, struct span s)
{
	uint8_t *at;

	if (!all_plain(s))
		return false;
	at = wbuf_room(&j->w, s.n + 2);
	if (!at)
		return true;
	*at++ = '"';
	if (s.n)
		memcpy(at, s.p, s.n);
	at[s.n] = '"';
	return true;
}

void json_value_text(struct json *j, struct span s)
{
	size_t i = 0;

	if (put_plain(j, s))
		return;
	raw(j, "\"");
	while (i < s.n && !j->w.failed) {
		size_t n = plain_len(span_from(s, i));
		uint8_t c = s.p[i];

		/* In runs. */
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

void json_value_open(struct json *j, uint8_t c)
{
	wbuf_u8(&j->w, c);
	assert(j->depth < DEPTH_MAX);
	j->depth++;
	j->comma = false;
}

void json_value_close(struct json *j, uint8_t c)
{
	assert(j->depth > 0);
	j->depth--;
	wbuf_u8(&j->w, c);
	j->comma = true;
}

static const char pairs[200] =
	"00010203040506070809101112131415161718192021222324252627282930313233"
	"34353637383940414243444546474849505152535455565758596061626364656667"
	"6869707172737475767778798081828384858687888990919293949596979899";

/* Two digits a division; from the end, whose place is known. */
static void number(struct json *j, uint64_t v, bool minus)
{
	uint8_t d[22], *at;
	size_t i = sizeof(d);

	while (v >= 100) {
		uint64_t q = v / 100;

		i -= 2;
		memcpy(d + i, pairs + 2 * (v - q * 100), 2);
		v = q;
	}
	i -= 2;
	memcpy(d + i, pairs + 2 * v, 2);
	i += v < 10;
	if (minus)
		d[--i] = '-';
	at = wbuf_room(&j->w, sizeof(d) - i);
	if (at)
		memcpy(at, d + i, sizeof(d) - i);
}

void json_value_u64(struct json *j, uint64_t v)
{
	number(j, v, false);
}

void json_value_i64(struct json *j, int64_t v)
{
	number(j, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void json_value_hex(struct json *j, struct span s)
{
	wbuf_u8(&j->w, '"');
	for (size_t i = 0; i < s.n && !j->w.failed; i++) {
		wbuf_u8(&j->w, (uint8_t)hex_digit[s.p[i] >> 4]);
		wbuf_u8(&j->w, (uint8_t)hex_digit[s.p[i] & 15]);
	}
	wbuf_u8(&j->w, '"');
}

void json_raw(struct json *j, const char *key, struct span value)
{
	json_lead(j, key, key ? strlen(key) : 0);
	wbuf_put(&j->w, value);
}

bool json_line(struct json *j)
{
	assert(j->depth == 0);
	wbuf_u8(&j->w, '\n');
	j->comma = false;
	return !j->w.failed;
}
