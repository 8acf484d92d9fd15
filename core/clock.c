/* SPDX-License-Identifier: Apache-2.0 */
#include "core/clock.h"

#include <stdio.h>
#include <string.h>

#include "core/err.h"

#define DAY_S 86400

/* The civil-from-days algorithm on years that begin in March: the leap day is
 * then the last of its year. Valid for all dates we can represent. */
int64_t civil_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t mp = month > 2 ? month - 3 : month + 9;
	int64_t doy = (153 * mp + 2) / 5 + day - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

	return era * 146097 + doe - 719468;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct civil civil_of(int64_t s)
{
	int64_t days = floor_div(s, DAY_S);
	int64_t sec = s - days * DAY_S;
	int64_t z = days + 719468;
	int64_t era = floor_div(z, 146097);
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	struct civil c;

	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = (int)(yoe + era * 400 + (c.month <= 2));
	c.hour = (int)(sec / 3600);
	c.minute = (int)(sec / 60 % 60);
	c.second = (int)(sec % 60);
	/* 1970-01-01 was a Thursday. */
	c.weekday = (int)((days % 7 + 7 + 3) % 7);
	return c;
}

int64_t civil_to_s(const struct civil *c)
{
	return civil_days(c->year, c->month, c->day) * DAY_S + c->hour * 3600 +
	       c->minute * 60 + c->second;
}

static char *put2(char *p, int v)
{
	*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

char *clock_eve(char buf[CLOCK_TEXT], struct wall w)
{
	int64_t s = floor_div(w.us, US_PER_S);
	int us = (int)(w.us % US_PER_S);
	struct civil c = civil_of(s);
	char *p = buf;

	if (us < 0)
		us += US_PER_S; /* of the second that began before */
	p = put2(p, c.year / 100);
	p = put2(p, c.year % 100);
	*p++ = '-';
	p = put2(p, c.month);
	*p++ = '-';
	p = put2(p, c.day);
	*p++ = 'T';
	p = put2(p, c.hour);
	*p++ = ':';
	p = put2(p, c.minute);
	*p++ = ':';
	p = put2(p, c.second);
	*p++ = '.';
	p = put2(p, us / 10000);
	p = put2(p, us / 100 % 100);
	p = put2(p, us % 100);
	memcpy(p, "+0000", 6);
	return buf;
}

/* n digits, or -1. */
static int digits(const char **p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (*(*p)++ - '0');
	}
	return v;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool civil_ok(const struct civil *c)
{
	return c->year >= 1970 && c->month >= 1 && c->month <= 12 &&
	       c->day >= 1 && c->day <= days_in(c->year, c->month) &&
	       c->hour >= 0 && c->hour <= 23 && c->minute >= 0 &&
	       c->minute <= 59 && c->second >= 0 && c->second <= 59;
}

int clock_parse(const char *text, struct wall *out)
{
	const char *p = text;
	struct civil c = {0};
	int oh, om, sign;
	int64_t us = 0, scale = 100000;

	c.year = digits(&p, 4);
	if (!skip(&p, '-'))
		return E_SYNTAX;
	c.month = digits(&p, 2);
	if (!skip(&p, '-'))
		return E_SYNTAX;
	c.day = digits(&p, 2);
	if (!skip(&p, 'T'))
		return E_SYNTAX;
	c.hour = digits(&p, 2);
	if (!skip(&p, ':'))
		return E_SYNTAX;
	c.minute = digits(&p, 2);
	if (skip(&p, ':'))
		c.second = digits(&p, 2);
	if (!civil_ok(&c))
		return E_SYNTAX;
	if (skip(&p, '.')) {
		if (*p < '0' || *p > '9')
			return E_SYNTAX;
		for (; *p >= '0' && *p <= '9'; p++, scale /= 10)
			us += (*p - '0') * scale;
	}
	memset(out, 0, sizeof(*out));
	out->us = civil_to_s(&c) * US_PER_S + us;
	if (skip(&p, 'Z'))
		return *p ? E_SYNTAX : 0;
	sign = *p == '+' ? 1 : *p == '-' ? -1 : 0;
	if (!sign)
		return E_SYNTAX;
	p++;
	oh = digits(&p, 2);
	skip(&p, ':');
	om = digits(&p, 2);
	if (oh < 0 || oh > 14 || om < 0 || om > 59 || *p)
		return E_SYNTAX;
	out->civil_off_s = sign * (oh * 3600 + om * 60);
	out->us -= out->civil_off_s * US_PER_S;
	return 0;
}
