/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON (RFC 8259) without a tree: a value is a span of the text, and
 * each question walks it. For answers of our own programs: every walk is
 * bounded by the text and JSON_DEPTH; what breaks the grammar is not there.
 */
#ifndef CORE_JSON_READ_H
#define CORE_JSON_READ_H

#include "core/span.h"

#define JSON_DEPTH 16

/* Exactly one value, of whatever kind, and white space. */
bool json_valid(struct span text);
/* The raw value under key in an object; empty when it is not there. Keys with
 * escapes are never found. */
struct span json_get(struct span object, const char *key);
/* The next member of an array or object: *at is 0 before the first. key may be
 * NULL; it stays empty in arrays. False: no more. */
bool json_next(struct span in, size_t *at, struct span *key,
	       struct span *value);
/* A string's characters as UTF-8, cut to cap - 1, terminated; false and empty
 * when it is not a string. */
bool json_string(char *buf, size_t cap, struct span raw);
/* A whole number that fits. */
bool json_int(struct span raw, int64_t *v);
bool json_true(struct span raw);

#endif
