/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks (RFC 9112 7.1), without extensions and trailers. */
#include "core/reason.h"
#include "dissectors/http/state.h"
#include "dissectors/http/text.h"

#define SIZE_DIGITS 8

static enum chunks bad(struct err *e, size_t at, const char *what)
{
	err_reason(e, E_SYNTAX, REASON_TWO_READINGS, at, "chunk: %s", what);
	return CHUNKS_BAD;
}

/* CR LF at *at. */
static enum chunks crlf(struct span in, size_t *at, struct err *e,
			const char *what)
{
	struct span s = span_sub(in, *at, 2);

	if ((s.n > 0 && s.p[0] != '\r') || (s.n > 1 && s.p[1] != '\n'))
		return bad(e, *at, what);
	if (s.n < 2)
		return CHUNKS_MORE;
	*at += 2;
	return CHUNKS_FULL;
}

static enum chunks size_line(struct span in, size_t *at, uint64_t *size,
			     uint32_t *digits, struct err *e)
{
	size_t i = *at;
	enum chunks c;

	*size = 0;
	for (; i < in.n && text_hex(in.p[i]) >= 0; i++) {
		if (i - *at == SIZE_DIGITS)
			return bad(e, i, "a size of more than 8 digits");
		*size = *size << 4 | (uint64_t)text_hex(in.p[i]);
	}
	if (i == in.n)
		return CHUNKS_MORE;
	if (i == *at)
		return bad(e, i, "no size");
	*digits = (uint32_t)(i - *at);
	c = crlf(in, &i, e, "an extension, or no end of the size");
	if (c == CHUNKS_FULL)
		*at = i;
	return c;
}

enum chunks chunks_walk(struct http_side *s, struct span in, uint8_t *out,
			size_t n, size_t *used, size_t *got, struct err *e)
{
	enum chunks c = CHUNKS_FULL;
	uint32_t digits;
	struct span data;

	*used = *got = 0;
	/* Each round takes octets or ends. */
	while (c == CHUNKS_FULL) {
		switch (s->chunk) {
		case CHUNK_SIZE:
			c = size_line(in, used, &s->left, &digits, e);
			if (c != CHUNKS_FULL)
				break;
			s->digits = (uint16_t)(s->digits + digits);
			s->chunk = s->left ? CHUNK_DATA : CHUNK_LAST;
			break;
		case CHUNK_DATA:
			if (*got == n)
				return CHUNKS_FULL;
			data = span_sub(in, *used, n - *got);
			if (data.n > s->left)
				data.n = (size_t)s->left;
			if (out && data.n)
				memcpy(out + *got, data.p, data.n);
			*used += data.n;
			*got += data.n;
			s->left -= data.n;
			if (s->left == 0)
				s->chunk = CHUNK_CRLF;
			/* Behind the last octet wanted nothing is looked at:
			 * what follows belongs to another unit. */
			if (*got == n && n > 0)
				return CHUNKS_FULL;
			if (s->left)
				c = CHUNKS_MORE;
			break;
		case CHUNK_CRLF:
			c = crlf(in, used, e, "no CR LF behind the data");
			if (c == CHUNKS_FULL)
				s->chunk = CHUNK_SIZE;
			break;
		default: /* a trailer would stand here */
			c = crlf(in, used, e, "a trailer");
			if (c == CHUNKS_FULL)
				return CHUNKS_END;
			break;
		}
	}
	return c;
}
