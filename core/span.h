/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed octets, and the bounds-checked cursor that reads them.
 *
 * This file is the only one that does arithmetic on pointers to octets from
 * outside. A cursor that once ran past its end stays failed and gives zeros:
 * read straight through, ask once (cur_ok or cur_done), only then believe.
 */
#ifndef CORE_SPAN_H
#define CORE_SPAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed octets: p is valid for n octets; p may be NULL when n is 0. */
struct span {
	const uint8_t *p;
	size_t n;
};

/* A reader of them. off <= in.n always. */
struct cur {
	struct span in;
	size_t off;
	bool failed;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){p, n};
}

/* A C string without its terminator. */
static inline struct span span_str(const char *s)
{
	return (struct span){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

/* The part [off, off + n) of s; cut to what there is. */
static inline struct span span_sub(struct span s, size_t off, size_t n)
{
	if (off > s.n)
		off = s.n;
	if (n > s.n - off)
		n = s.n - off;
	return (struct span){n || off ? s.p + off : s.p, n};
}

/* Octet i; 0 behind the end. */
static inline uint8_t span_at(struct span s, size_t i)
{
	return i < s.n ? s.p[i] : 0;
}

static inline struct span span_from(struct span s, size_t off)
{
	return span_sub(s, off, s.n);
}

static inline struct cur cur_of(struct span in)
{
	return (struct cur){in, 0, false};
}

static inline size_t cur_left(const struct cur *c)
{
	return c->failed ? 0 : c->in.n - c->off;
}

/* Nothing went wrong so far. */
static inline bool cur_ok(const struct cur *c)
{
	return !c->failed;
}

/* Nothing went wrong and nothing is left over. */
static inline bool cur_done(const struct cur *c)
{
	return !c->failed && c->off == c->in.n;
}

/* The only check there is: n octets, or a failed cursor and an empty span. */
static inline struct span cur_take(struct cur *c, size_t n)
{
	struct span s = {0};

	if (c->failed || n > c->in.n - c->off) {
		c->failed = true;
	} else if (n > 0) {
		s = (struct span){c->in.p + c->off, n};
		c->off += n;
	}
	return s;
}

/* All that is left, possibly nothing. */
static inline struct span cur_rest(struct cur *c)
{
	return cur_take(c, cur_left(c));
}

/* What the next cur_take(n) would give, without moving and without failing:
 * shorter than n when there is less. */
static inline struct span cur_peek(const struct cur *c, size_t n)
{
	return c->failed ? (struct span){0} : span_sub(c->in, c->off, n);
}

/* An unsigned number of n octets (1 to 8), most significant first. */
static inline uint64_t cur_be(struct cur *c, size_t n)
{
	struct span s = cur_take(c, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

/* The same, least significant first. */
static inline uint64_t cur_le(struct cur *c, size_t n)
{
	struct span s = cur_take(c, n);
	uint64_t v = 0;

	for (size_t i = s.n; i > 0; i--)
		v = v << 8 | s.p[i - 1];
	return v;
}

/* The same in one piece, for lengths that are known. */
static inline uint32_t cur_le32(struct cur *c)
{
	struct span s = cur_take(c, 4);
	uint32_t v = 0;

	if (s.n)
		memcpy(&v, s.p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t cur_le64(struct cur *c)
{
	struct span s = cur_take(c, 8);
	uint64_t v = 0;

	if (s.n)
		memcpy(&v, s.p, sizeof(v));
	return le64toh(v);
}

static inline uint8_t cur_u8(struct cur *c)
{
	struct span s = cur_take(c, 1);

	return s.n ? *s.p : 0;
}

static inline uint16_t cur_u16(struct cur *c)
{
	struct span s = cur_take(c, 2);
	uint16_t v = 0;

	if (s.n)
		memcpy(&v, s.p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t cur_u32(struct cur *c)
{
	struct span s = cur_take(c, 4);
	uint32_t v = 0;

	if (s.n)
		memcpy(&v, s.p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t cur_u64(struct cur *c)
{
	struct span s = cur_take(c, 8);
	uint64_t v = 0;

	if (s.n)
		memcpy(&v, s.p, sizeof(v));
	return be64toh(v);
}

/* The Internet checksum's sum of s as 16-bit numbers, most significant octet
 * first, an odd octet padded with zero; folded to 16 bits. */
static inline uint16_t span_sum16(struct span s)
{
	uint64_t sum = 0;
	size_t i = 0;

	/* In words of the machine, whose sum differs only in octet order; what is
	 * carried out of the top comes in at the bottom. */
	for (; i + 8 <= s.n; i += 8) {
		uint64_t v;

		memcpy(&v, s.p + i, 8);
		sum += v;
		sum += sum < v;
	}
	if (i < s.n) {
		uint64_t v = 0;

		memcpy(&v, s.p + i, s.n - i);
		sum += v;
		sum += sum < v;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	sum = (sum >> 8 | sum << 8) & 0xffff;
#endif
	return (uint16_t)sum;
}

/* A cursor of its own over the next n octets: a nested length cannot see past
 * its own end. When there are fewer, both are failed. */
static inline struct cur cur_sub(struct cur *c, size_t n)
{
	struct cur sub = cur_of(cur_take(c, n));

	sub.failed = c->failed;
	return sub;
}

#endif
