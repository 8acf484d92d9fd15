/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of one JSON value into a fixed buffer: correct escapes, the order
 * of keys is the order of calls, no allocation, sticky failure like wbuf.
 * Octets that are not UTF-8 are written as \u00XX of their value, so that the
 * output is always valid JSON and never says something else than the input.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include "core/wbuf.h"

struct json {
	struct wbuf w;
	bool comma;    /* a value precedes at this level */
	uint8_t depth; /* open objects and arrays, <= 16 */
};

struct json json_of(void *p, size_t cap);

/* key is NULL inside arrays. Keys are ours: plain ASCII, not escaped. They
 * are nearly always literals, so their lengths and copies are settled where
 * they stand: a line has some forty of them. */
#define JSON_INLINE static inline __attribute__((always_inline))

/* Comma, key and colon in one piece: every value begins with them. */
JSON_INLINE void json_lead(struct json *j, const char *key, size_t n)
{
	bool comma = j->comma;
	uint8_t *at = wbuf_room(&j->w, comma + (key ? n + 3 : 0));

	j->comma = true;
	if (!at)
		return;
	if (comma)
		*at++ = ',';
	if (!key)
		return;
	*at++ = '"';
	memcpy(at, key, n);
	at[n] = '"';
	at[n + 1] = ':';
}

/* What stands behind it. */
void json_value_text(struct json *j, struct span s);
void json_value_u64(struct json *j, uint64_t v);
void json_value_i64(struct json *j, int64_t v);
void json_value_hex(struct json *j, struct span s);
void json_value_open(struct json *j, uint8_t c);
void json_value_close(struct json *j, uint8_t c);

JSON_INLINE void json_obj(struct json *j, const char *key)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_open(j, '{');
}

JSON_INLINE void json_obj_end(struct json *j)
{
	json_value_close(j, '}');
}

JSON_INLINE void json_arr(struct json *j, const char *key)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_open(j, '[');
}

JSON_INLINE void json_arr_end(struct json *j)
{
	json_value_close(j, ']');
}

/* The key alone; the next value, given with key NULL, is its value. */
void json_key(struct json *j, struct span key);

JSON_INLINE void json_text(struct json *j, const char *key, struct span s)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_text(j, s);
}

JSON_INLINE void json_str(struct json *j, const char *key, const char *s)
{
	json_text(j, key, span_str(s));
}

JSON_INLINE void json_u64(struct json *j, const char *key, uint64_t v)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_u64(j, v);
}

JSON_INLINE void json_i64(struct json *j, const char *key, int64_t v)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_i64(j, v);
}

JSON_INLINE void json_bool(struct json *j, const char *key, bool v)
{
	json_lead(j, key, key ? strlen(key) : 0);
	wbuf_put(&j->w, v ? span_of("true", 4) : span_of("false", 5));
}

JSON_INLINE void json_null(struct json *j, const char *key)
{
	json_lead(j, key, key ? strlen(key) : 0);
	wbuf_put(&j->w, span_of("null", 4));
}

JSON_INLINE void json_hex(struct json *j, const char *key, struct span s)
{
	json_lead(j, key, key ? strlen(key) : 0);
	json_value_hex(j, s);
}

/* What is one JSON value already, of a writer like this one. */
void json_raw(struct json *j, const char *key, struct span value);

/* A newline after the outermost value; false if anything did not fit. */
bool json_line(struct json *j);

#endif
