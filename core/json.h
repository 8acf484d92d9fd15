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

/* key is NULL inside arrays. Keys are ours: plain ASCII, not escaped. */
void json_obj(struct json *j, const char *key);
void json_obj_end(struct json *j);
void json_arr(struct json *j, const char *key);
void json_arr_end(struct json *j);
/* The key alone; the next value, given with key NULL, is its value. */
void json_key(struct json *j, struct span key);
void json_text(struct json *j, const char *key, struct span s);
void json_str(struct json *j, const char *key, const char *s);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);
void json_hex(struct json *j, const char *key, struct span s);

/* A newline after the outermost value; false if anything did not fit. */
bool json_line(struct json *j);

#endif
