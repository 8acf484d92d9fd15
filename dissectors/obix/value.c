/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/value.h"

#include "core/clock.h"

#define DIGITS_MAX 18 /* that fit any int64_t */

uint64_t gcd64(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

static bool is_digit(uint8_t ch)
{
	return ch >= '0' && ch <= '9';
}

static bool next_is(const struct cur *c, uint8_t ch)
{
	struct span s = cur_peek(c, 1);

	return s.n && s.p[0] == ch;
}

static bool take(struct cur *c, uint8_t ch)
{
	if (!next_is(c, ch))
		return false;
	cur_take(c, 1);
	return true;
}

static bool next_digit(const struct cur *c)
{
	struct span s = cur_peek(c, 1);

	return s.n && is_digit(s.p[0]);
}

/* --- numbers -----------------------------------------------------------------
 */

/* Digits onto the mantissa; each behind the point lowers the exponent. */
static unsigned digits(struct cur *c, struct decimal *d, int step)
{
	struct span s = cur_peek(c, cur_left(c));
	int64_t m = d->m;
	int e = d->e;
	unsigned n = 0;

	for (; n < s.n && is_digit(s.p[n]); n++) {
		int v = s.p[n] - '0';

		if (m < INT64_C(100000000000000000)) {
			m = m * 10 + v;
			e -= step;
		} else {
			d->exact &= v == 0;
			e += 1 - step;
		}
	}
	d->m = m;
	d->e = e;
	cur_take(c, n);
	return n;
}

static bool exponent(struct cur *c, struct decimal *d)
{
	bool minus;
	int e = 0;

	if (!take(c, 'e') && !take(c, 'E'))
		return true;
	minus = take(c, '-');
	if (!minus)
		take(c, '+');
	if (!next_digit(c))
		return false;
	while (next_digit(c)) {
		int v = cur_u8(c) - '0';

		if (e < 10000)
			e = e * 10 + v;
	}
	d->e += minus ? -e : e;
	return true;
}

bool value_decimal(struct span text, struct decimal *d)
{
	struct cur c = cur_of(text);
	unsigned n;
	bool minus;

	*d = (struct decimal){.exact = true};
	minus = take(&c, '-');
	if (!minus)
		take(&c, '+');
	n = digits(&c, d, 0);
	if (take(&c, '.'))
		n += digits(&c, d, 1);
	if (n == 0 || !exponent(&c, d) || !cur_done(&c))
		return false;
	while (d->m && d->m % 10 == 0) {
		d->m /= 10;
		d->e++;
	}
	if (d->m == 0)
		d->e = 0;
	if (minus)
		d->m = -d->m;
	return true;
}

#define COUNT_LONG 10 /* digits of 2^32 - 1 */

bool value_count(struct span text, uint32_t *n)
{
	uint64_t v = 0;

	if (text.n == 0 || text.n > COUNT_LONG ||
	    (text.n > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!is_digit(text.p[i]))
			return false;
		v = v * 10 + (text.p[i] - '0');
	}
	*n = (uint32_t)v;
	return v <= UINT32_MAX;
}

/* v * 10^e, false when it does not fit. */
static bool scale(__int128 *v, int e)
{
	for (; e > 0; e--) {
		if (*v > (__int128)INT64_MAX << 32 ||
		    *v < -((__int128)INT64_MAX << 32))
			return false;
		*v *= 10;
	}
	return true;
}

bool value_milli(const struct decimal *d, int64_t num, int64_t den,
		 struct milli *out)
{
	__int128 v = (__int128)d->m * num, q = den, lo;
	int e = d->m ? d->e + 3 : 0;

	if (num <= 0 || den <= 0 || e > 40)
		return false;
	if (e < -36)
		e = -36; /* far below a thousandth: rounds to 0 or 1 of it */
	if (!scale(&v, e) || !scale(&q, -e))
		return false;
	lo = q == 1 ? v : v / q;
	if (q != 1 && v % q != 0 && v < 0)
		lo--;
	if (lo >= INT64_MAX || lo <= INT64_MIN)
		return false;
	out->lo = (int64_t)lo;
	out->exact = d->exact && (q == 1 || v % q == 0);
	out->hi = out->exact ? out->lo : out->lo + 1;
	return true;
}

struct span value_number_in(struct span text, size_t *at)
{
	size_t i = *at, from;

	while (i < text.n && !is_digit(text.p[i]))
		i++;
	from = i;
	while (i < text.n && (is_digit(text.p[i]) || text.p[i] == '.'))
		i++;
	*at = i;
	/* A full stop ends a sentence, no number. */
	while (i > from && text.p[i - 1] == '.')
		i--;
	if (i > from && from > 0 && text.p[from - 1] == '-')
		from--;
	return span_sub(text, from, i - from);
}

/* --- instants
 * ----------------------------------------------------------------- */

static bool number(struct cur *c, unsigned n, int *v)
{
	struct span s = cur_take(c, n);

	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return false;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return s.n == n;
}

/* The two digits at i, which is within s; less than 0: there are others. */
static int two_digits(struct span s, size_t i)
{
	if (!is_digit(s.p[i]) || !is_digit(s.p[i + 1]))
		return -1;
	return (s.p[i] - '0') * 10 + (s.p[i + 1] - '0');
}

static bool read_date(struct cur *c, struct civil *v)
{
	static const uint8_t days[] = {31, 29, 31, 30, 31, 30,
				       31, 31, 30, 31, 30, 31};
	struct span s = cur_take(c, sizeof("yyyy-mm-dd") - 1);
	int century, year;

	if (s.n == 0 || s.p[4] != '-' || s.p[7] != '-')
		return false;
	century = two_digits(s, 0);
	year = two_digits(s, 2);
	v->year = century * 100 + year;
	v->month = two_digits(s, 5);
	v->day = two_digits(s, 8);
	return century >= 0 && year >= 0 && v->month >= 1 && v->month <= 12 &&
	       v->day >= 1 && v->day <= days[v->month - 1];
}

/* hh:mm:ss with 0 to 9 digits of a second; 24:00:00 is the day's end. */
static bool read_clock(struct cur *c, struct civil *v, int *ms)
{
	struct span s = cur_take(c, sizeof("hh:mm:ss") - 1);
	int digit = 100;
	size_t n = 0;

	*ms = 0;
	if (s.n == 0 || s.p[2] != ':' || s.p[5] != ':')
		return false;
	v->hour = two_digits(s, 0);
	v->minute = two_digits(s, 3);
	v->second = two_digits(s, 6);
	if (v->hour < 0 || v->minute < 0 || v->second < 0 || v->hour > 24 ||
	    v->minute > 59 || v->second > 60)
		return false;
	if (!take(c, '.'))
		return true;
	s = cur_peek(c, cur_left(c));
	while (n < s.n && is_digit(s.p[n])) {
		if (n == 9)
			return false;
		*ms += (s.p[n++] - '0') * digit;
		digit /= 10;
	}
	cur_take(c, n);
	return true;
}

/* Z, +hh:mm, +hhmm, +hh, or nothing. */
static bool read_offset(struct cur *c, int *s)
{
	int h, m = 0;
	bool minus;

	*s = 0;
	if (take(c, 'Z') || cur_left(c) == 0)
		return true;
	minus = take(c, '-');
	if (!minus && !take(c, '+'))
		return false;
	if (!number(c, 2, &h))
		return false;
	if (cur_left(c) && (take(c, ':') || next_digit(c)) && !number(c, 2, &m))
		return false;
	*s = (h * 60 + m) * (minus ? -60 : 60);
	return h <= 14 && m <= 59;
}

bool value_abstime(struct span text, int64_t *ms, bool *unbounded)
{
	struct cur c = cur_of(text);
	struct civil v = {0};
	int frac, off;

	if (!read_date(&c, &v) || !take(&c, 'T') ||
	    !read_clock(&c, &v, &frac) || !read_offset(&c, &off) ||
	    !cur_done(&c))
		return false;
	*unbounded = v.year == 0 || v.year == 9999;
	*ms = (civil_days(v.year, v.month, v.day) * 86400 + v.hour * 3600 +
	       v.minute * 60 + v.second - off) *
		      1000 +
	      frac;
	return true;
}

bool value_date(struct span text)
{
	struct cur c = cur_of(text);
	struct civil v = {0};

	return read_date(&c, &v) && cur_done(&c);
}

bool value_time(struct span text)
{
	struct cur c = cur_of(text);
	struct civil v = {0};
	int ms;

	return read_clock(&c, &v, &ms) && cur_done(&c);
}

/* --- durations
 * ------------------------------------------------------------------ */

/* One "n.nX" of a duration, in milliseconds; the last only has a fraction. */
static bool duration_part(struct cur *c, bool clock, unsigned *order,
			  int64_t *ms)
{
	static const struct {
		char mark;
		bool clock;
		int64_t ms;
	} parts[] = {
		{'D', false, 86400000},
		{'H', true,  3600000 },
		{'M', true,  60000   },
		{'S', true,  1000    },
	};
	struct decimal d = {.exact = true};
	struct milli v;
	unsigned n = digits(c, &d, 0);
	bool frac = take(c, '.');

	if (frac)
		n += digits(c, &d, 1);
	if (n == 0)
		return false;
	for (unsigned i = *order; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].clock != clock || !take(c, (uint8_t)parts[i].mark))
			continue;
		if (frac && parts[i].mark != 'S')
			return false;
		if (!value_milli(&d, parts[i].ms, 1000, &v) ||
		    v.lo > INT64_MAX / 8 - *ms)
			return false;
		*ms += v.lo;
		*order = i + 1;
		return true;
	}
	return false;
}

bool value_reltime(struct span text, int64_t *ms)
{
	struct cur c = cur_of(text);
	bool minus = take(&c, '-'), clock = false;
	unsigned order = 0, n = 0;

	*ms = 0;
	if (!take(&c, 'P'))
		return false;
	while (cur_left(&c)) {
		if (!clock && take(&c, 'T')) {
			clock = true;
			if (cur_left(&c) == 0)
				return false;
		}
		if (!duration_part(&c, clock, &order, ms))
			return false;
		n++;
	}
	if (minus)
		*ms = -*ms;
	return n > 0;
}

bool value_bool(struct span text, bool *b)
{
	*b = span_is(text, "true");
	return *b || span_is(text, "false");
}
