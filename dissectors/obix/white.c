/* SPDX-License-Identifier: Apache-2.0 */
/*
 * White space and spellings that say what nobody reads. What a program that
 * writes documents makes is free: between two tags one end of line and an
 * indentation of one character, the same at the same depth; in a tag one space
 * in front of each attribute. Another run of that shape has fewer forms than an
 * octet, and counts as one; all else counts as it is long (text.c).
 */
#include "dissectors/obix/scan.h"

#include <endian.h>

#define INDENT    40 /* characters of an indentation */
#define FORMS     (INDENT + 1)
#define TRAILING  2  /* octets behind the root, in a unit of their own */
#define BEYOND    64 /* more than a unit may say */
#define REFERENCE 8  /* octets of one to a character; more is zeros */

/* 1 + the form of a run; 0: it has none. */
static unsigned form(struct span run)
{
	unsigned eol = 0;
	size_t i = 0;

	if (run.n && run.p[0] == '\n')
		eol = 1, i = 1;
	else if (run.n > 1 && run.p[0] == '\r' && run.p[1] == '\n')
		eol = 2, i = 2;
	run = span_from(run, i);
	if (run.n == 0)
		return 1 + eol * 2 * FORMS;
	if (run.n > INDENT || run.p[0] == '\n' || run.p[0] == '\r')
		return 0;
	for (i = 1; i < run.n; i++) {
		if (run.p[i] != run.p[0])
			return 0;
	}
	return 1 + (eol * 2 + (run.p[0] == '\t')) * FORMS + (unsigned)run.n;
}

/* The first that has one says how far each depth is in. */
static bool fits(struct scan_layout *l, unsigned f, unsigned depth)
{
	unsigned n = (f - 1) % FORMS, kind = (f - 1) / FORMS;

	if (f == 1)
		return true;
	if (l->eol == 0)
		l->eol = (uint8_t)(1 + kind / 2);
	if (l->eol != 1 + kind / 2)
		return false;
	if (n == 0 || depth == 0)
		return n == 0 && (depth == 0 || l->step == 0);
	if (l->step == 0) {
		l->step = (uint8_t)(n / depth);
		l->tab = kind & 1;
	}
	return n == depth * l->step && l->tab == (kind & 1);
}

/* "<obj></obj>" or "<obj/>": as the first. */
static void empty_as(struct scan *s, uint8_t style)
{
	if (s->layout.empty == 0)
		s->layout.empty = style;
	s->sum.white += s->layout.empty != style;
}

void white_between(struct scan *s, unsigned depth, bool close)
{
	struct span run = s->gap;
	unsigned f;
	uint8_t *as;

	s->gap = (struct span){0};
	if (run.n == 0 && close && s->opened) {
		empty_as(s, 1);
		return;
	}
	f = form(run);
	as = &s->layout.as[close][depth];
	if (f == 0)
		s->sum.white += (uint32_t)run.n;
	else if (*as == 0)
		s->sum.white += !fits(&s->layout, f, depth);
	else
		s->sum.white += *as != f;
	if (f && *as == 0)
		*as = (uint8_t)f;
}

void white_behind(struct scan *s, struct span run, bool apart)
{
	unsigned f = form(run);

	/* Of such units there may be many, which nothing else counts. */
	if (apart)
		s->sum.white += (uint32_t)(run.n > TRAILING ? run.n + BEYOND : 0);
	else if (f == 0 || (f - 1) % FORMS)
		s->sum.white += (uint32_t)run.n;
}

uint32_t white_within(struct span run, uint8_t next)
{
	bool one = run.n == 1 && run.p[0] == ' ';

	/* One in front of the end is a style: see white_slash. */
	if (one && next != '=' && next != '"' && next != '\'' && next != '>')
		return 0;
	return form(run) ? 1 : (uint32_t)run.n;
}

void white_slash(struct scan *s, bool space)
{
	uint8_t style = (uint8_t)(1 + space);

	if (s->layout.slash == 0)
		s->layout.slash = style;
	s->sum.white += s->layout.slash != style;
	empty_as(s, 2);
}

uint32_t white_runs(struct span in)
{
	uint32_t n = 0;
	size_t i = 0;

	while (i < in.n) {
		size_t from = i;

		while (i < in.n && is_white(in.p[i]))
			i++;
		if (i > from)
			n += white_within(span_sub(in, from, i - from), 0);
		else
			i++;
	}
	return n;
}

/* "&#38;" may be written in many ways; "&lt;" and "&amp;" have to be. */
static uint32_t reference(struct span from)
{
	const uint8_t *end = memchr(from.p, ';', from.n);
	size_t n = end ? (size_t)(end - from.p) + 1 : from.n;

	from = span_sub(from, 0, n);
	if (span_is(from, "&lt;") || span_is(from, "&amp;"))
		return 0;
	return n <= REFERENCE && n > 3 && from.p[2] != '0' && from.p[3] != '0'
		       ? 1
		       : (uint32_t)n;
}

#define EACH(c) (UINT64_C(0x0101010101010101) * (c))

static bool tells(uint8_t ch, uint8_t quote)
{
	return ch < ' ' || ch == '&' || ch == quote;
}

/* Of eight octets those below '(', among which are all that tell something: the
 * lowest one is marked, and perhaps some above it. */
static uint64_t may_tell(uint64_t x)
{
	return (x - EACH('(')) & ~x & EACH(0x80);
}

size_t white_plain(struct span in, uint8_t quote)
{
	uint64_t x, hit;
	size_t i = 0;

	for (; i < in.n; i++) {
		if (in.n - i >= sizeof(x)) {
			memcpy(&x, in.p + i, sizeof(x));
			hit = may_tell(le64toh(x));
			i += hit ? (size_t)__builtin_ctzll(hit) / 8
				 : sizeof(x) - 1;
			if (!hit)
				continue;
		}
		if (tells(in.p[i], quote))
			break;
	}
	return i;
}

/* Whoever reads it finds a space for each. */
uint32_t white_value(struct span val)
{
	uint32_t n = 0;

	for (size_t i = 0; i < val.n; i++) {
		if (val.p[i] == '&')
			n += reference(span_from(val, i));
		else
			n += val.p[i] < ' ';
	}
	return n;
}
