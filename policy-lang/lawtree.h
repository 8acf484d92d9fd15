/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree that tests write, change and lay out in more than one way:
 * entries of mappings in any order, in block or flow style, with quotes and
 * remarks.
 */
#ifndef POLICY_LANG_LAWTREE_H
#define POLICY_LANG_LAWTREE_H

#include "policy-lang/eval/lawkit.h"

#define LT_NODES 1400
#define LT_TEXT	 24000

enum lt_type { LT_SCALAR, LT_MAP, LT_SEQ };

struct lt_node {
	uint8_t type;
	uint16_t first, last, next; /* 0: none */
	uint16_t key, text;	    /* places in the text; key 0: an item */
};

struct lt {
	struct lt_node node[LT_NODES]; /* 1 is the root */
	uint16_t n;
	char text[LT_TEXT];
	size_t used;
};

static inline const char *lt_str(const struct lt *t, uint16_t at)
{
	return t->text + at;
}

static inline uint16_t lt_keep(struct lt *t, const char *s)
{
	size_t n = strlen(s) + 1, at = t->used;

	if (at + n > LT_TEXT)
		abort();
	memcpy(t->text + at, s, n);
	t->used += n;
	return (uint16_t)at;
}

static inline void lt_new(struct lt *t)
{
	t->n = 2;
	t->used = 1;
	t->text[0] = 0;
	t->node[1] = (struct lt_node){.type = LT_MAP};
}

static inline void lt_copy(struct lt *to, const struct lt *t)
{
	to->n = t->n;
	to->used = t->used;
	memcpy(to->node, t->node, t->n * sizeof(t->node[0]));
	memcpy(to->text, t->text, t->used);
}

/* key NULL: an item of a sequence. */
static inline uint16_t lt_add(struct lt *t, uint16_t in, enum lt_type type,
			      const char *key)
{
	uint16_t i = t->n;

	if (i == LT_NODES)
		abort();
	t->n++;
	t->node[i] = (struct lt_node){.type = (uint8_t)type};
	if (key)
		t->node[i].key = lt_keep(t, key);
	if (t->node[in].last)
		t->node[t->node[in].last].next = i;
	else
		t->node[in].first = i;
	t->node[in].last = i;
	return i;
}

static inline uint16_t lt_put(struct lt *t, uint16_t in, const char *key,
			      const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static inline uint16_t lt_put(struct lt *t, uint16_t in, const char *key,
			      const char *fmt, ...)
{
	uint16_t i = lt_add(t, in, LT_SCALAR, key);
	char buf[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	t->node[i].text = lt_keep(t, buf);
	return i;
}

static inline uint16_t lt_get(const struct lt *t, uint16_t in, const char *key)
{
	for (uint16_t i = t->node[in].first; i; i = t->node[i].next) {
		if (strcmp(lt_str(t, t->node[i].key), key) == 0)
			return i;
	}
	return 0;
}

/* The one of that key, made where there is none. */
static inline uint16_t lt_map(struct lt *t, uint16_t in, const char *key)
{
	uint16_t i = lt_get(t, in, key);

	return i ? i : lt_add(t, in, LT_MAP, key);
}

static inline unsigned lt_count(const struct lt *t, uint16_t in)
{
	unsigned n = 0;

	for (uint16_t i = t->node[in].first; i; i = t->node[i].next)
		n++;
	return n;
}

static inline uint16_t lt_nth(const struct lt *t, uint16_t in, uint64_t k)
{
	uint16_t i = t->node[in].first;

	while (k-- && i)
		i = t->node[i].next;
	return i;
}

/* Takes it out, and a mapping that is empty then; that has no parent here. */
static inline void lt_del(struct lt *t, uint16_t in, uint16_t which)
{
	uint16_t before = 0;

	for (uint16_t i = t->node[in].first; i; i = t->node[i].next) {
		if (i != which) {
			before = i;
			continue;
		}
		if (before)
			t->node[before].next = t->node[i].next;
		else
			t->node[in].first = t->node[i].next;
		if (t->node[in].last == i)
			t->node[in].last = before;
		return;
	}
}

static inline void lt_drop(struct lt *t, uint16_t in, const char *key)
{
	uint16_t i = lt_get(t, in, key);

	if (i)
		lt_del(t, in, i);
}

/* --- laid out --------------------------------------------------------------- */

struct lt_out {
	char *p;
	size_t n, cap;
	struct draws *style; /* NULL: the plain one */
	bool mixed;	     /* entries of mappings in any order */
};

static inline void lt_say(struct lt_out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void lt_say(struct lt_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	o->n += (size_t)vsnprintf(o->p + o->n, o->cap - o->n, fmt, ap);
	va_end(ap);
	if (o->n >= o->cap)
		abort();
}

/* True in one case of n, of a layout that is not plain. */
static inline bool lt_odd(struct lt_out *o, uint64_t n)
{
	return o->style && one_in(o->style, n);
}

static inline unsigned lt_order(const struct lt *t, struct lt_out *o,
				uint16_t in, uint16_t *kid)
{
	unsigned n = 0;

	for (uint16_t i = t->node[in].first; i; i = t->node[i].next)
		kid[n++] = i;
	if (!o->mixed || t->node[in].type != LT_MAP)
		return n;
	for (unsigned i = n; i > 1; i--) {
		unsigned k = i - 1 - (unsigned)draw(o->style, i);
		uint16_t x = kid[i - 1];

		kid[i - 1] = kid[k];
		kid[k] = x;
	}
	return n;
}

static inline void lt_scalar(struct lt_out *o, const char *s)
{
	/* What would be read as something else, and now and then any. */
	bool quote = !*s || strpbrk(s, "{}[]#&*!|>%@`,?\"") ||
		     strstr(s, ": ") || lt_odd(o, 6);

	lt_say(o, quote ? "'%s'" : "%s", s);
}

static inline void lt_flow(const struct lt *t, struct lt_out *o, uint16_t in)
{
	const struct lt_node *x = &t->node[in];
	bool map = x->type == LT_MAP;
	uint16_t kid[64];
	unsigned n;

	if (x->type == LT_SCALAR) {
		lt_scalar(o, lt_str(t, x->text));
		return;
	}
	n = lt_order(t, o, in, kid);
	lt_say(o, map ? "{%s" : "[%s", lt_odd(o, 5) ? "  " : "");
	for (unsigned i = 0; i < n; i++) {
		lt_say(o, "%s", !i ? "" : lt_odd(o, 5) ? " ,   " : ", ");
		if (map)
			lt_say(o, "%s:%s", lt_str(t, t->node[kid[i]].key),
			       lt_odd(o, 5) ? "    " : " ");
		lt_flow(t, o, kid[i]);
	}
	lt_say(o, map ? "}" : "]");
}

static inline void lt_block(const struct lt *t, struct lt_out *o, uint16_t in,
			    int indent, int depth);

static inline void lt_value(const struct lt *t, struct lt_out *o, uint16_t i,
			    int indent, int depth)
{
	const struct lt_node *x = &t->node[i];
	bool flow = x->type == LT_SCALAR || !x->first ||
		    (o->style ? draw(o->style, 2) == 0 : depth >= 2);

	if (flow) {
		lt_say(o, "%s", lt_odd(o, 6) ? "    " : " ");
		lt_flow(t, o, i);
		if (lt_odd(o, 5))
			lt_say(o, "   # of %s",
			       x->key ? lt_str(t, x->key) : "it");
		lt_say(o, "\n");
		return;
	}
	lt_say(o, "%s\n", lt_odd(o, 6) ? "  # below" : "");
	lt_block(t, o, i, indent + (lt_odd(o, 4) ? 5 : 2), depth + 1);
}

static inline void lt_block(const struct lt *t, struct lt_out *o, uint16_t in,
			    int indent, int depth)
{
	bool map = t->node[in].type == LT_MAP;
	uint16_t kid[64];
	unsigned n = lt_order(t, o, in, kid);

	for (unsigned i = 0; i < n; i++) {
		if (lt_odd(o, 8))
			lt_say(o, "\n%s", draw(o->style, 2) ? "\n\n" : "");
		if (lt_odd(o, 8))
			lt_say(o, "%*s# remark %u\n", indent, "", i);
		lt_say(o, "%*s", indent, "");
		if (map)
			lt_say(o, "%s:", lt_str(t, t->node[kid[i]].key));
		else
			lt_say(o, "-");
		/* What hangs on a dash is in flow style. */
		if (map || t->node[kid[i]].type == LT_SCALAR) {
			lt_value(t, o, kid[i], indent, depth);
		} else {
			lt_say(o, " ");
			lt_flow(t, o, kid[i]);
			lt_say(o, "\n");
		}
	}
}

/* Into p, terminated; returns how long it is. */
static inline size_t lt_write(const struct lt *t, char *p, size_t cap,
			      struct draws *style, bool mixed)
{
	struct lt_out o = {p, 0, cap, style, style && mixed};

	p[0] = 0;
	if (lt_odd(&o, 4))
		lt_say(&o, "---\n");
	lt_block(t, &o, 1, 0, 0);
	return o.n;
}

#endif
