/* SPDX-License-Identifier: Apache-2.0 */
#include "core/obs.h"

#include "core/err.h"
#include "core/wbuf.h"

static const struct {
	const char *name;
	enum field_type type;
} field_rows[FIELD_COUNT] = {
#define X(id, name, type, unit, range, source) {name, FIELD_##type},
#include "core/fields.def"
#undef X
};

static const struct {
	const char *name;
	enum obs_family family;
	enum obs_level level;
} kind_rows[OBS_COUNT] = {
#define X(id, name, family, level)                                             \
	{name, OBS_FAMILY_##family, OBS_LEVEL_##level},
#include "core/obs.def"
#undef X
};

struct obs *obs_add(struct obs_list *l, enum obs_kind kind)
{
	struct obs *o;

	if (l->n >= l->cap)
		return NULL;
	o = &l->v[l->n++];
	o->kind = (uint16_t)kind;
	o->also = 0;
	o->n = 0;
	o->dropped = 0;
	o->repeats = false;
	o->have[0] = o->have[1] = 0;
	return o;
}

static struct fact *add(struct obs *o, enum field f)
{
	struct fact *a;

	if (o->n >= OBS_MAX_FACTS) {
		if (o->dropped < UINT8_MAX)
			o->dropped++;
		return NULL;
	}
	if (obs_has(o, f)) {
		o->repeats = true;
	} else {
		o->have[f / 64] |= UINT64_C(1) << (f % 64);
		o->at[f] = o->n;
	}
	a = &o->f[o->n++];
	a->field = (uint16_t)f;
	a->n = 0;
	return a;
}

void obs_u64(struct obs *o, enum field f, uint64_t v)
{
	struct fact *a = add(o, f);

	if (a)
		a->u = v;
}

void obs_i64(struct obs *o, enum field f, int64_t v)
{
	struct fact *a = add(o, f);

	if (a)
		a->i = v;
}

void obs_span(struct obs *o, enum field f, struct span v)
{
	struct fact *a = add(o, f);

	if (a) {
		a->n = (uint32_t)v.n;
		a->p = v.p;
	}
}

void obs_flag(struct obs *o, enum field f)
{
	obs_u64(o, f, 1);
}

const char *obs_name(enum obs_kind k)
{
	return kind_rows[k].name;
}

enum obs_level obs_level(enum obs_kind k)
{
	return kind_rows[k].level;
}

enum obs_family obs_family(enum obs_kind k)
{
	return kind_rows[k].family;
}

const char *obs_family_name(enum obs_family f)
{
	static const char *const names[OBS_FAMILY_COUNT] = {
		[OBS_FAMILY_FLOW] = "flow", [OBS_FAMILY_OPAQUE] = "opaque",
		[OBS_FAMILY_C1222] = "c1222", [OBS_FAMILY_DNS] = "dns",
		[OBS_FAMILY_TLS] = "tls", [OBS_FAMILY_HTTP] = "http",
		[OBS_FAMILY_OBIX] = "obix", [OBS_FAMILY_ATTEST] = "attest",
	};

	return (unsigned)f < OBS_FAMILY_COUNT ? names[f] : "";
}

int obs_find(struct span name)
{
	for (int i = 0; i < OBS_COUNT; i++) {
		if (span_is(name, kind_rows[i].name))
			return i;
	}
	return -1;
}

const char *field_name(enum field f)
{
	return field_rows[f].name;
}

struct span field_key(enum field f)
{
	static const struct span keys[FIELD_COUNT] = {
#include "field_keys.inc"
	};

	return keys[f];
}

enum field_type field_type(enum field f)
{
	return field_rows[f].type;
}

int field_find(struct span name)
{
	for (int i = 0; i < FIELD_COUNT; i++) {
		if (span_is(name, field_rows[i].name))
			return i;
	}
	return -1;
}

const char *unit_name(enum unit u)
{
	static const char *const names[] = {"",	 "Wh", "W",   "V",
					    "A", "s",  "var", "VA"};

	return (unsigned)u < sizeof(names) / sizeof(names[0]) ? names[u] : "";
}

/* One sub-identifier: base 128, most significant group first. */
static bool sub_id(struct cur *c, uint64_t *v)
{
	struct span first = cur_peek(c, 1);
	uint8_t b;

	if (first.n == 0 || first.p[0] == 0x80)
		return false;
	*v = 0;
	do {
		if (*v >> 57)
			return false;
		b = cur_u8(c);
		*v = *v << 7 | (b & 0x7f);
	} while (b & 0x80 && cur_ok(c));
	return cur_ok(c);
}

static void put_number(struct wbuf *w, uint64_t v, bool dot)
{
	uint8_t t[21];
	size_t i = sizeof(t);

	do {
		t[--i] = (uint8_t)('0' + v % 10);
		v /= 10;
	} while (v);
	if (dot)
		t[--i] = '.';
	wbuf_put(w, span_from(span_of(t, sizeof(t)), i));
}

/* Sub-identifiers as dotted decimal; the first may hold two numbers. */
static char *dotted(char *buf, size_t cap, struct span oid, bool first)
{
	struct cur c = cur_of(oid);
	struct wbuf w = wbuf_of(buf, cap ? cap - 1 : 0);
	uint64_t v;

	if (cap == 0)
		return buf;
	while (cur_left(&c) > 0 && !w.failed) {
		bool two = first && c.off == 0;

		if (!sub_id(&c, &v)) {
			w.n = 0;
			wbuf_u8(&w, '?');
			break;
		}
		if (two) {
			uint64_t a = v < 40 ? 0 : v < 80 ? 1 : 2;

			put_number(&w, a, false);
			v -= a * 40;
		}
		put_number(&w, v, w.n || !first);
	}
	buf[w.n] = 0;
	return buf;
}

char *oid_text(char *buf, size_t cap, struct span oid)
{
	return dotted(buf, cap, oid, true);
}

char *oid_text_rest(char *buf, size_t cap, struct span rest)
{
	return dotted(buf, cap, rest, false);
}

static void put_sub_id(struct wbuf *w, uint64_t v)
{
	int n = 1;

	for (uint64_t t = v >> 7; t; t >>= 7)
		n++;
	while (n-- > 0)
		wbuf_u8(w, (uint8_t)((v >> (7 * n) & 0x7f) | (n ? 0x80 : 0)));
}

int oid_parse(struct span text, uint8_t *out, size_t cap)
{
	struct cur c = cur_of(text);
	struct wbuf w = wbuf_of(out, cap);
	uint64_t first = 0;
	int count = 0;

	while (cur_left(&c) > 0) {
		uint64_t v = 0;
		int digits = 0;
		struct span d;

		while ((d = cur_peek(&c, 1)).n && d.p[0] != '.') {
			if (d.p[0] < '0' || d.p[0] > '9' || ++digits > 19)
				return E_SYNTAX;
			v = v * 10 + (uint64_t)(cur_u8(&c) - '0');
		}
		if (digits == 0)
			return E_SYNTAX;
		if (cur_left(&c) > 0 && (cur_u8(&c), cur_left(&c) == 0))
			return E_SYNTAX; /* a dot at the end */
		if (count == 0) {
			if (v > 2)
				return E_SYNTAX;
			first = v * 40;
		} else if (count == 1) {
			if (first < 80 && v > 39)
				return E_SYNTAX;
			put_sub_id(&w, first + v);
		} else {
			put_sub_id(&w, v);
		}
		count++;
	}
	if (count < 2)
		return E_SYNTAX;
	return w.failed ? E_LIMIT : (int)w.n;
}
