/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

#include "core/wbuf.h"
#include "policy-lang/front/diag.h"
#include "policy-lang/front/text.h"
#include "policy-lang/image/layout.h"

struct tree {
	struct pool *pool;
	struct diags *d;
	const char *path;
	struct span src;
	yaml_parser_t parser;
	const size_t *line_off; /* octet where line i (0-based) begins */
	size_t n_lines;
	yaml_mark_t last; /* the mark asked for last, and its octet */
	size_t last_off;
	struct ynode *stack[YAML_MAX_DEPTH];
	struct ynode **tail[YAML_MAX_DEPTH]; /* where the next kid goes */
	struct ynode *key[YAML_MAX_DEPTH];   /* waiting for its value */
	unsigned depth;
	struct ynode *root;
	bool fatal, oom;
};

/* --- the text as such ------------------------------------------------------
 */

static void complain(struct tree *t, struct diag_at at, uint16_t code,
		     const char *hint, const char *text)
{
	diag_add(t->d, DIAG_ERROR, code, t->path, at, hint, "%s", text);
}

/* A character that may not stand anywhere in a source; once per line. */
static void bad_char(struct tree *t, struct diag_at at, uint32_t c)
{
	if (c == '\t')
		complain(t, at, 1103, "indent and separate with spaces",
			 "a tab");
	else if (c == '\r')
		complain(t, at, 1104, "end lines with LF alone",
			 "a carriage return");
	else
		diag_add(t->d, DIAG_ERROR, 1104, t->path, at,
			 "remove it; what cannot be seen cannot be reviewed",
			 "invisible or control character U+%04X", c);
}

static bool check_text(struct tree *t)
{
	struct cur c = cur_of(t->src);
	struct diag_at at = {1, 1, 1};
	uint32_t code = 0, bad_line = 0;

	if (t->src.n >= 8 && memcmp(t->src.p, LAY_MAGIC, 8) == 0) {
		complain(t, at, 1101,
			 "name its source; polc show and polc verify read "
			 "images",
			 "a compiled policy, where a source is read");
		return false;
	}
	if (t->src.n > YAML_MAX_SOURCE) {
		complain(t, (struct diag_at){0}, 1111, NULL,
			 "the file is larger than 256 KiB");
		return false;
	}
	if (t->src.n >= 3 && memcmp(t->src.p, "\xef\xbb\xbf", 3) == 0) {
		complain(t, at, 1102, "save the file without it",
			 "a byte order mark");
		return false;
	}
	while (cur_left(&c) > 0) {
		if (!text_char(&c, &code)) {
			complain(t, at, 1101, "save the file as UTF-8",
				 "not UTF-8");
			return false;
		}
		if (code == '\n') {
			at.line++;
			at.col = 1;
			continue;
		}
		if (text_invisible(code) && bad_line != at.line) {
			bad_line = at.line;
			bad_char(t, at, code);
		}
		at.col++;
	}
	return bad_line == 0;
}

static void find_lines(struct tree *t)
{
	size_t n = 1, i = 0;
	size_t *off;

	for (size_t k = 0; k < t->src.n; k++)
		n += t->src.p[k] == '\n';
	off = pool_array(t->pool, n + 1, sizeof(*off));
	for (size_t k = 0; k < t->src.n; k++) {
		if (t->src.p[k] == '\n')
			off[++i] = k + 1;
	}
	off[n] = t->src.n;
	t->line_off = off;
	t->n_lines = n;
}

/* libyaml's marks count characters; we want octets. Most marks lie behind the
 * last one: walking on from there keeps long lines linear. */
static size_t offset_of(struct tree *t, yaml_mark_t m)
{
	size_t at, col = 0;

	if (m.line >= t->n_lines)
		return t->src.n;
	at = t->line_off[m.line];
	if (m.line == t->last.line && m.column >= t->last.column &&
	    t->last_off >= at) {
		at = t->last_off;
		col = t->last.column;
	}
	while (col < m.column && at < t->src.n) {
		at++;
		while (at < t->src.n && (t->src.p[at] & 0xc0) == 0x80)
			at++;
		col++;
	}
	if (col == m.column) {
		t->last = m;
		t->last_off = at;
	}
	return at;
}

static struct diag_at at_mark(yaml_mark_t m)
{
	return (struct diag_at){(uint32_t)m.line + 1, (uint32_t)m.column + 1,
				1};
}

/* --- events to nodes ---------------------------------------------------------
 */

static void fatal_at(struct tree *t, yaml_mark_t m, uint16_t code,
		     const char *hint, const char *text)
{
	complain(t, at_mark(m), code, hint, text);
	t->fatal = true;
}

static struct ynode *node(struct tree *t, const yaml_event_t *ev,
			  enum ynode_type type)
{
	struct ynode *n = pool_try(t->pool, sizeof(*n));

	if (!n) {
		t->fatal = t->oom = true;
		return NULL;
	}
	n->type = type;
	n->line = (uint32_t)ev->start_mark.line + 1;
	n->col = (uint32_t)ev->start_mark.column + 1;
	n->len = 1;
	n->start = offset_of(t, ev->start_mark);
	n->end = offset_of(t, ev->end_mark);
	return n;
}

static bool same_key(const struct ynode *a, const struct ynode *b)
{
	return span_eq(a->s, b->s);
}

static void check_key(struct tree *t, const struct ynode *map,
		      struct ynode *key)
{
	char a[SHOW];
	size_t i = key->start;

	if (key->s.n == 0)
		complain(t, at_node(key), 1113, NULL, "a key is empty");
	if (key->style == Y_PLAIN && span_is(key->s, "<<"))
		complain(t, at_node(key), 1118, "write the entries out",
			 "merge keys are not part of the language");
	while (i > 0 && t->src.p[i - 1] == ' ')
		i--;
	if (i > 0 && t->src.p[i - 1] == '?')
		complain(t, at_node(key), 1113, "write 'key: value'",
			 "a key with '?' in front");
	for (const struct ynode *v = map->kids; v; v = v->next) {
		struct diag *g;

		if (!same_key(v->key, key))
			continue;
		g = diag_add(t->d, DIAG_ERROR, 1105, t->path, at_node(key),
			     "remove or rename one of them",
			     "'%s' stands here twice", show(a, key->s));
		diag_second(g, v->key->line, v->key->col, "the first is here");
		break;
	}
}

/* Hang a finished or just opened node where it belongs. */
static void place(struct tree *t, struct ynode *n)
{
	unsigned d = t->depth - 1;
	struct ynode *up;

	if (t->depth == 0) {
		t->root = n;
		return;
	}
	up = t->stack[d];
	if (up->type == Y_MAP && !t->key[d]) {
		if (n->type != Y_SCALAR) {
			complain(t, at_node(n), 1113, "write 'key: value'",
				 "a key must be a single word");
			t->fatal = true;
			return;
		}
		check_key(t, up, n);
		t->key[d] = n;
		return;
	}
	if (up->n_kids >= YAML_MAX_KIDS) {
		complain(t, at_node(n), 1111, NULL,
			 "more than 2048 entries in one place");
		t->fatal = true;
		return;
	}
	n->key = up->type == Y_MAP ? t->key[d] : NULL;
	t->key[d] = NULL;
	*t->tail[d] = n;
	t->tail[d] = &n->next;
	up->n_kids++;
}

static void open_node(struct tree *t, const yaml_event_t *ev,
		      enum ynode_type type, bool flow)
{
	struct ynode *n = node(t, ev, type);

	if (!n)
		return;
	n->style = flow ? Y_FLOW : Y_BLOCK;
	if (t->depth >= YAML_MAX_DEPTH) {
		fatal_at(t, ev->start_mark, 1110, NULL,
			 "nested deeper than 16 levels");
		return;
	}
	place(t, n);
	if (t->fatal)
		return;
	t->key[t->depth] = NULL;
	t->tail[t->depth] = &n->kids;
	t->stack[t->depth++] = n;
}

static void close_node(struct tree *t, const yaml_event_t *ev)
{
	struct ynode *n = t->stack[--t->depth];

	n->end = offset_of(t, ev->end_mark);
	if (n->style == Y_FLOW && ev->end_mark.line + 1 == n->line)
		n->len = (uint32_t)ev->end_mark.column + 1 - n->col;
	else if (n->type == Y_MAP && n->style == Y_BLOCK && n->kids)
		n->len = n->kids->key->len;
}

static size_t count_chars(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Escapes of a double-quoted scalar can make what the text check refuses. */
static void check_value(struct tree *t, const struct ynode *n)
{
	struct cur c = cur_of(n->s);
	uint32_t code = 0;

	while (cur_left(&c) > 0 && text_char(&c, &code)) {
		if (code == '\n' || text_invisible(code)) {
			bad_char(t, at_node(n), code);
			return;
		}
	}
}

static void scalar(struct tree *t, const yaml_event_t *ev)
{
	static const enum ynode_style styles[] = {
		[YAML_PLAIN_SCALAR_STYLE] = Y_PLAIN,
		[YAML_SINGLE_QUOTED_SCALAR_STYLE] = Y_SINGLE,
		[YAML_DOUBLE_QUOTED_SCALAR_STYLE] = Y_DOUBLE,
	};
	yaml_scalar_style_t style = ev->data.scalar.style;
	struct span v = span_of(ev->data.scalar.value, ev->data.scalar.length);
	struct ynode *n = node(t, ev, Y_SCALAR);
	uint8_t *copy;

	if (!n)
		return;
	if (style == YAML_LITERAL_SCALAR_STYLE ||
	    style == YAML_FOLDED_SCALAR_STYLE) {
		fatal_at(t, ev->start_mark, 1112, "quote it on one line",
			 "block scalars are not part of the language");
		return;
	}
	copy = pool_try(t->pool, v.n + 1);
	if (!copy) {
		t->fatal = t->oom = true;
		return;
	}
	if (v.n)
		memcpy(copy, v.p, v.n);
	n->s = span_of(copy, v.n);
	n->style = styles[style];
	if (v.n > YAML_MAX_SCALAR)
		complain(t, at_node(n), 1111, NULL,
			 "a scalar longer than 4 KiB");
	if (ev->data.scalar.anchor || ev->data.scalar.tag) {
		n->end = n->start; /* the marks begin before the value */
	} else if (n->style == Y_PLAIN) {
		/* The mark of its end may lie on a later line. */
		n->end = n->start + v.n;
		n->len = (uint32_t)count_chars(v);
		if (n->end > t->src.n ||
		    !span_eq(span_sub(t->src, n->start, v.n), v))
			complain(t, at_node(n), 1112, "quote it on one line",
				 "a plain scalar over several lines");
		if (!ev->data.scalar.plain_implicit)
			complain(t, at_node(n), 1107, "remove the tag",
				 "tags are not part of the language");
	} else if (ev->end_mark.line == ev->start_mark.line) {
		n->len =
			(uint32_t)(ev->end_mark.column - ev->start_mark.column);
	}
	check_value(t, n);
	place(t, n);
}

static void no_anchor(struct tree *t, const yaml_event_t *ev,
		      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		complain(t, at_mark(ev->start_mark), 1106,
			 "write the value out where it is needed",
			 "anchors are not part of the language");
	if (tag)
		complain(t, at_mark(ev->start_mark), 1107, "remove the tag",
			 "tags are not part of the language");
}

static void document(struct tree *t, const yaml_event_t *ev)
{
	if (t->root)
		fatal_at(t, ev->start_mark, 1109, "put it into its own file",
			 "a second document in one file");
	else if (ev->data.document_start.version_directive ||
		 ev->data.document_start.tag_directives.start !=
			 ev->data.document_start.tag_directives.end)
		fatal_at(t, ev->start_mark, 1108, "remove the line",
			 "directives are not part of the language");
}

static void event(struct tree *t, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		document(t, ev);
		break;
	case YAML_ALIAS_EVENT:
		fatal_at(t, ev->start_mark, 1106,
			 "write the value out where it is needed",
			 "aliases are not part of the language");
		break;
	case YAML_SCALAR_EVENT:
		no_anchor(t, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
		scalar(t, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		no_anchor(t, ev, ev->data.sequence_start.anchor,
			  ev->data.sequence_start.tag);
		open_node(t, ev, Y_SEQ,
			  ev->data.sequence_start.style ==
				  YAML_FLOW_SEQUENCE_STYLE);
		break;
	case YAML_MAPPING_START_EVENT:
		no_anchor(t, ev, ev->data.mapping_start.anchor,
			  ev->data.mapping_start.tag);
		open_node(t, ev, Y_MAP,
			  ev->data.mapping_start.style ==
				  YAML_FLOW_MAPPING_STYLE);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_node(t, ev);
		break;
	default:
		break;
	}
}

static void syntax(struct tree *t)
{
	yaml_parser_t *p = &t->parser;
	struct diag *g;

	if (p->error == YAML_MEMORY_ERROR) {
		t->fatal = t->oom = true;
		return;
	}
	g = diag_add(t->d, DIAG_ERROR, 1114, t->path, at_mark(p->problem_mark),
		     NULL, "not YAML: %s",
		     p->problem ? p->problem : "unreadable");
	if (p->context && p->context_mark.line + 1 > 0)
		diag_second(g, (uint32_t)p->context_mark.line + 1,
			    (uint32_t)p->context_mark.column + 1, "%s",
			    p->context);
	t->fatal = true;
}

static void parse(struct tree *t)
{
	yaml_event_t ev;
	bool end = false;

	/* Every event consumes input or ends; the source is bounded. */
	while (!t->fatal && !end) {
		if (!yaml_parser_parse(&t->parser, &ev)) {
			syntax(t);
			return;
		}
		end = ev.type == YAML_STREAM_END_EVENT;
		event(t, &ev);
		yaml_event_delete(&ev);
	}
}

int yaml_tree(struct ynode **root, struct pool *p, const char *path,
	      struct span source, struct diags *d, struct err *e)
{
	struct tree t = {.pool = p, .d = d, .path = path, .src = source};
	size_t before = d->errors;

	*root = NULL;
	if (!check_text(&t))
		return err_set(e, E_SYNTAX, 0, "%s: not a policy", path);
	find_lines(&t); /* before there is a parser to leak */
	if (!yaml_parser_initialize(&t.parser))
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	yaml_parser_set_encoding(&t.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
		&t.parser, source.n ? source.p : (const unsigned char *)"",
		source.n);
	parse(&t);
	yaml_parser_delete(&t.parser);
	if (t.oom)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	if (!t.fatal && (!t.root || t.root->type != Y_MAP))
		complain(&t, (struct diag_at){1, 1, 1}, 1117,
			 "a policy begins with 'polc: 1'",
			 "the file is not a mapping");
	if (d->errors != before)
		return err_set(e, E_SYNTAX, 0, "%s: not a policy", path);
	*root = t.root;
	return 0;
}

/* --- looking at a tree --------------------------------------------------- */

bool yaml_is(const struct ynode *n, const char *text)
{
	return n->type == Y_SCALAR && span_is(n->s, text);
}

const struct ynode *yaml_get(const struct ynode *map, const char *key)
{
	if (!map || map->type != Y_MAP)
		return NULL;
	for (const struct ynode *v = map->kids; v; v = v->next) {
		if (yaml_is(v->key, key))
			return v;
	}
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct ynode *x = *(const struct ynode *const *)a;
	const struct ynode *y = *(const struct ynode *const *)b;
	size_t n = x->key->s.n < y->key->s.n ? x->key->s.n : y->key->s.n;
	int c = n ? memcmp(x->key->s.p, y->key->s.p, n) : 0;

	return c ? c
		 : (x->key->s.n > y->key->s.n) - (x->key->s.n < y->key->s.n);
}

const struct ynode **yaml_sorted(struct pool *p, const struct ynode *map)
{
	const struct ynode **v = pool_array(p, map->n_kids + 1, sizeof(*v));
	size_t n = 0;

	for (const struct ynode *k = map->kids; k; k = k->next)
		v[n++] = k;
	qsort(v, n, sizeof(*v), by_key);
	return v;
}

/* Type, count or length, contents; lengths make it unambiguous. */
static void put(struct pool *p, struct wbuf *w, const struct ynode *n)
{
	static const char type[] = {'s', 'm', 'l'};

	wbuf_u8(w, (uint8_t)type[n->type]);
	wbuf_be(w, n->type == Y_SCALAR ? n->s.n : n->n_kids, 4);
	if (n->type == Y_SCALAR) {
		wbuf_put(w, n->s);
	} else if (n->type == Y_SEQ) {
		for (const struct ynode *k = n->kids; k; k = k->next)
			put(p, w, k);
	} else {
		const struct ynode **v = yaml_sorted(p, n);

		for (size_t i = 0; i < n->n_kids; i++) {
			put(p, w, v[i]->key);
			put(p, w, v[i]);
		}
	}
}

static size_t canonical_size(const struct ynode *n)
{
	size_t size = 5 + (n->type == Y_SCALAR ? n->s.n : 0);

	for (const struct ynode *k = n->kids; k; k = k->next)
		size += canonical_size(k) +
			(k->key ? canonical_size(k->key) : 0);
	return size;
}

struct span yaml_canonical(struct pool *p, const struct ynode *root)
{
	size_t size = canonical_size(root);
	struct wbuf w = wbuf_of(pool_alloc(p, size), size);

	put(p, &w, root);
	assert(!w.failed && w.n == size);
	return wbuf_span(&w);
}
