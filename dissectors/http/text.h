/* SPDX-License-Identifier: Apache-2.0 */
/* Octets of heads, looked at as text; private to dissectors/http. */
#ifndef DISSECTORS_HTTP_TEXT_H
#define DISSECTORS_HTTP_TEXT_H

#include <string.h>

#include "core/span.h"

#define TOKEN 1 /* RFC 9110 5.6.2 */
#define FIELD 2 /* of a field value, 5.5 */
bool text_all(struct span s, uint8_t want);

/* Is it that text, which has no capitals, in whatever case? */
bool text_is(struct span s, const char *text);

static inline uint8_t text_lower(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
}

static inline bool text_white(uint8_t ch)
{
	return ch == ' ' || ch == '\t';
}

/* Of a hexadecimal digit, or -1. */
static inline int text_hex(uint8_t ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* Without white space at both ends. */
static inline struct span text_trim(struct span s)
{
	while (s.n && text_white(s.p[0]))
		s = span_from(s, 1);
	while (s.n && text_white(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* What stands before the first ch, or all. */
static inline struct span text_before(struct span s, uint8_t ch)
{
	const uint8_t *hit = s.n ? memchr(s.p, ch, s.n) : NULL;

	return hit ? span_sub(s, 0, (size_t)(hit - s.p)) : s;
}

#endif
