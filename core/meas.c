/* SPDX-License-Identifier: Apache-2.0 */
#include "core/meas.h"

static const struct {
	const char *name, *plain;
	enum meas_class cls;
} rows[MEAS_COUNT] = {
#define X(id, name, cls, plain) {name, plain, MEAS_CLASS_##cls},
#include "core/meas.def"
#undef X
};

const char *meas_name(enum meas m)
{
	return rows[m].name;
}

const char *meas_plain(enum meas m)
{
	return rows[m].plain;
}

enum meas_class meas_class(enum meas m)
{
	return rows[m].cls;
}

meas_set meas_moments(meas_set s)
{
	static const meas_set each_time = MEAS_BIT(MEAS_CONTROL_LOAD)
#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_SNAPSHOT ? MEAS_BIT(MEAS_##id) : 0)
#include "core/meas.def"
#undef X
		;

	return s & each_time;
}

meas_set meas_parse(struct span text)
{
	meas_set s = 0;
	struct span stem;

	if (span_is(text, "*"))
		return MEAS_ALL;
	/* "energy.*": every name that begins with "energy." */
	stem = span_sub(text, 0, text.n ? text.n - 1 : 0);
	for (unsigned m = 0; m < MEAS_COUNT; m++) {
		struct span name = span_str(rows[m].name);

		if (span_eq(text, name))
			return MEAS_BIT(m);
		if (text.n > 2 && span_is(span_from(text, text.n - 2), ".*") &&
		    span_eq(span_sub(name, 0, stem.n), stem))
			s |= MEAS_BIT(m);
	}
	return s;
}

/* What MEAS_USE says; a compiler settles all of it, since pairs of rules ask. */
static inline bool in_use(const char *name)
{
	return strncmp(name, "energy.", 7) == 0 ||
	       strncmp(name, "power.", 6) == 0 ||
	       strcmp(name, "tariff.credit") == 0;
}

meas_set meas_use(void)
{
	return 0
#define X(id, name, cls, plain) | (in_use(name) ? MEAS_BIT(MEAS_##id) : 0)
#include "core/meas.def"
#undef X
		;
}

char *meas_text(char *buf, size_t cap, meas_set s)
{
	size_t n = 0;

	if (cap == 0)
		return buf;
	for (s &= MEAS_ALL; s; s &= s - 1) {
		struct span name = span_str(rows[__builtin_ctzll(s)].name);

		if (n + name.n + 2 > cap)
			continue;
		if (n)
			buf[n++] = '+';
		memcpy(buf + n, name.p, name.n);
		n += name.n;
	}
	buf[n] = 0;
	return buf;
}
