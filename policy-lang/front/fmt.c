/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical layout. libyaml's events have no comments, so the text
 * between the marks is searched for them; each belongs to the entry it stands
 * before or behind and moves with it. What comes out is parsed again and must
 * say the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/read.h"

struct comment {
	size_t off, end;
	bool own_line, blank; /* alone; an empty line before it */
	struct comment *next; /* of the same entry */
};

/* An entry of a block mapping or sequence. */
struct entry {
	const struct ynode *n; /* the value */
	size_t start;
	struct comment *before, *behind;
	bool blank;
};

struct fmt {
	struct pool *pool;
	struct span src;
	struct comment *c;
	size_t n_c;
	struct entry *e; /* in document order */
	size_t n_e, cap_e;
	struct comment *head, *tail; /* of the file */
	char *out;
	size_t n, cap;
	bool fresh; /* nothing yet in this block */
};

/* What is known about the keys of a value. */
struct about {
	const struct keys *keys;
	unsigned flags;
};

/* --- comments ------------------------------------------------------------ */

static size_t scalar_count(const struct ynode *n)
{
	size_t k = n->type == Y_SCALAR;

	for (const struct ynode *c = n->kids; c; c = c->next)
		k += scalar_count(c) + (c->key != NULL);
	return k;
}

static void scalar_list(const struct ynode *n, const struct ynode **v,
			size_t *k)
{
	if (n->type == Y_SCALAR)
		v[(*k)++] = n;
	for (const struct ynode *c = n->kids; c; c = c->next) {
		if (c->key)
			v[(*k)++] = c->key;
		scalar_list(c, v, k);
	}
}

/* Only spaces between the start of the line and off. */
static bool alone(struct span src, size_t off)
{
	while (off > 0 && src.p[off - 1] == ' ')
		off--;
	return off == 0 || src.p[off - 1] == '\n';
}

/* Nothing but the dashes of items that begin: what stands here is about what
 * follows. */
static bool alone_behind_dashes(struct span src, size_t off)
{
	while (off > 0 && (src.p[off - 1] == ' ' || src.p[off - 1] == '-'))
		off--;
	return off == 0 || src.p[off - 1] == '\n';
}

/* The line before the one of off is empty. */
static bool blank_before(struct span src, size_t off)
{
	while (off > 0 && src.p[off - 1] != '\n')
		off--;
	return off > 0 && alone(src, off - 1);
}

static void find_comments(struct fmt *f, const struct ynode *root)
{
	size_t n_s = 0, k = 0, lines = 0;
	const struct ynode **s =
		pool_array(f->pool, scalar_count(root) + 1, sizeof(*s));

	scalar_list(root, s, &n_s);
	for (size_t i = 0; i < f->src.n; i++)
		lines += f->src.p[i] == '\n';
	f->c = pool_array(f->pool, lines + 2, sizeof(*f->c));
	for (size_t i = 0; i < f->src.n; i++) {
		struct comment *c = &f->c[f->n_c];

		while (k < n_s && s[k]->end <= i)
			k++;
		if (k < n_s && i >= s[k]->start) {
			i = s[k]->end - 1;
			continue;
		}
		if (f->src.p[i] != '#')
			continue;
		c->off = i;
		c->own_line = alone_behind_dashes(f->src, i);
		c->blank = c->own_line && blank_before(f->src, i);
		while (i < f->src.n && f->src.p[i] != '\n')
			i++;
		c->end = i;
		while (c->end > c->off && f->src.p[c->end - 1] == ' ')
			c->end--;
		f->n_c++;
	}
}

static bool holds_comment(const struct fmt *f, const struct ynode *n)
{
	for (size_t i = 0; i < f->n_c; i++) {
		if (f->c[i].off > n->start && f->c[i].off < n->end)
			return true;
	}
	return false;
}

/* Kept on one line: written so, and nothing inside needs a line. */
static bool is_flow(const struct fmt *f, const struct ynode *n)
{
	return n->type != Y_SCALAR && n->n_kids > 0 && n->style == Y_FLOW &&
	       !holds_comment(f, n);
}

static bool is_block(const struct fmt *f, const struct ynode *n)
{
	return n->type != Y_SCALAR && n->n_kids > 0 && !is_flow(f, n);
}

/* --- entries ------------------------------------------------------------- */

static size_t node_count(const struct ynode *n)
{
	size_t k = 1;

	for (const struct ynode *c = n->kids; c; c = c->next)
		k += node_count(c);
	return k;
}

/* In the line of the dash of the item whose value begins at off. Between them
 * there may be comments and empty lines, which are the value's. */
static size_t dash_line(struct span src, size_t off)
{
	size_t at = off;

	while (alone(src, at)) {
		/* The end of the line before, then what it begins with. */
		while (at > 0 && src.p[at - 1] != '\n')
			at--;
		if (at == 0)
			return off;
		at--;
		while (at > 0 && src.p[at - 1] != '\n')
			at--;
		while (at < off && src.p[at] == ' ')
			at++;
		if (src.p[at] == '-')
			return at;
	}
	return off;
}

static void find_entries(struct fmt *f, const struct ynode *n)
{
	if (!is_block(f, n))
		return;
	for (const struct ynode *c = n->kids; c; c = c->next) {
		struct entry *e = &f->e[f->n_e++];

		e->n = c;
		e->start = c->key ? c->key->start : c->start;
		if (c->key)
			e->blank = alone(f->src, e->start) &&
				   blank_before(f->src, e->start);
		else
			e->blank = blank_before(f->src,
						dash_line(f->src, e->start));
		find_entries(f, c);
	}
}

static struct entry *entry_of(const struct fmt *f, const struct ynode *n)
{
	size_t lo = 0, hi = f->n_e;
	size_t start = n->key ? n->key->start : n->start;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->e[mid].start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* A sequence's item and its first key begin at one place. */
	while (lo < f->n_e && f->e[lo].n != n)
		lo++;
	return &f->e[lo];
}

static void chain(struct comment **list, struct comment *c)
{
	while (*list)
		list = &(*list)->next;
	*list = c;
}

static void attach(struct fmt *f)
{
	size_t next = 0;

	for (size_t i = 0; i < f->n_c; i++) {
		struct comment *c = &f->c[i];

		while (next < f->n_e && f->e[next].start < c->off)
			next++;
		if (!c->own_line && next > 0)
			chain(f->e[next - 1].behind ? &f->e[next - 1].before
						    : &f->e[next - 1].behind,
			      c);
		else if (next == 0)
			chain(&f->head, c);
		else if (next < f->n_e)
			chain(&f->e[next].before, c);
		else
			chain(&f->tail, c);
	}
}

/* --- writing ------------------------------------------------------------- */

static void put(struct fmt *f, const void *p, size_t n)
{
	if (n > f->cap - f->n) {
		size_t cap = 2 * (f->cap + n) + 1024;
		char *out = pool_alloc(f->pool, cap);

		if (f->n)
			memcpy(out, f->out, f->n);
		f->out = out;
		f->cap = cap;
	}
	if (n)
		memcpy(f->out + f->n, p, n);
	f->n += n;
}

static void put_str(struct fmt *f, const char *s)
{
	put(f, s, strlen(s));
}

static void put_indent(struct fmt *f, unsigned n)
{
	while (n-- > 0)
		put(f, " ", 1);
}

static void put_blank(struct fmt *f, bool blank)
{
	if (blank && !f->fresh)
		put(f, "\n", 1);
	f->fresh = false;
}

static void put_comments(struct fmt *f, const struct comment *c,
			 unsigned indent)
{
	for (; c; c = c->next) {
		put_blank(f, c->blank);
		put_indent(f, indent);
		put(f, f->src.p + c->off, c->end - c->off);
		put(f, "\n", 1);
	}
}

static void end_line(struct fmt *f, const struct entry *e)
{
	if (e->behind) {
		put_str(f, "  ");
		put(f, f->src.p + e->behind->off,
		    e->behind->end - e->behind->off);
	}
	put(f, "\n", 1);
}

/* Several lines in quotes become one. */
static void put_quoted(struct fmt *f, struct span s)
{
	put(f, "\"", 1);
	for (size_t i = 0; i < s.n; i++) {
		char esc[8];

		if (s.p[i] == '"' || s.p[i] == '\\') {
			put(f, "\\", 1);
			put(f, s.p + i, 1);
		} else if (s.p[i] < 0x20 || s.p[i] == 0x7f) {
			snprintf(esc, sizeof(esc), "\\x%02x", s.p[i]);
			put_str(f, esc);
		} else {
			put(f, s.p + i, 1);
		}
	}
	put(f, "\"", 1);
}

static void put_scalar(struct fmt *f, const struct ynode *n)
{
	if (n->style != Y_PLAIN &&
	    memchr(f->src.p + n->start, '\n', n->end - n->start))
		put_quoted(f, n->s);
	else
		put(f, f->src.p + n->start, n->end - n->start);
}

/* The entries of a mapping in their canonical order: known keys as their
 * table has them, then the rest as it was. */
static const struct ynode **ordered(struct fmt *f, const struct ynode *n,
				    struct about a)
{
	const struct ynode **v = pool_array(f->pool, n->n_kids + 1, sizeof(*v));
	const struct keys *k =
		n->type == Y_MAP && !(a.flags & KEY_NAMED) ? a.keys : NULL;
	size_t at = 0;

	for (size_t i = 0; k && i < k->n; i++) {
		const struct ynode *c = yaml_get(n, k->key[i].name);

		if (c)
			v[at++] = c;
	}
	for (const struct ynode *c = n->kids; c; c = c->next) {
		bool known = false;

		for (size_t i = 0; k && i < k->n; i++)
			known = known || yaml_is(c->key, k->key[i].name);
		if (!known)
			v[at++] = c;
	}
	return v;
}

static struct about about_kid(struct about a, const struct ynode *n,
			      const struct ynode *c)
{
	if (!a.keys)
		return (struct about){0};
	if (a.flags & (KEY_NAMED | KEY_LIST))
		return (struct about){a.keys, 0};
	for (size_t i = 0; n->type == Y_MAP && i < a.keys->n; i++) {
		const struct key *k = &a.keys->key[i];

		if (yaml_is(c->key, k->name))
			return (struct about){
				k->sub, k->flags & (KEY_NAMED | KEY_LIST)};
	}
	return (struct about){0};
}

static void put_flow(struct fmt *f, const struct ynode *n, struct about a)
{
	const struct ynode **v;

	if (n->type == Y_SCALAR) {
		put_scalar(f, n);
		return;
	}
	v = ordered(f, n, a);
	put_str(f, n->type == Y_MAP ? "{" : "[");
	for (size_t i = 0; i < n->n_kids; i++) {
		if (i)
			put_str(f, ", ");
		if (v[i]->key) {
			put_scalar(f, v[i]->key);
			put_str(f, ": ");
		}
		put_flow(f, v[i], about_kid(a, n, v[i]));
	}
	put_str(f, n->type == Y_MAP ? "}" : "]");
}

static void put_block(struct fmt *f, const struct ynode *n, unsigned indent,
		      bool inline_first, struct about a);

/* Behind "key:" or "-": the value, and the end of the line. */
static void put_value(struct fmt *f, const struct entry *e,
		      const struct ynode *n, unsigned indent, struct about a)
{
	if (is_block(f, n)) {
		end_line(f, e);
		f->fresh = true;
		put_block(f, n, indent + 2, false, a);
		f->fresh = false;
		return;
	}
	if (n->type != Y_SCALAR || n->end > n->start)
		put_str(f, " ");
	put_flow(f, n, a);
	end_line(f, e);
}

/* Comments before what a dash opens go above the dash: behind it they would
 * be taken for those of what stands before. */
static void put_hoisted(struct fmt *f, const struct ynode *n, unsigned indent,
			struct about a)
{
	while (is_block(f, n)) {
		const struct ynode *kid = ordered(f, n, a)[0];
		struct entry *first = entry_of(f, kid);

		put_comments(f, first->before, indent);
		first->before = NULL;
		if (n->type == Y_MAP)
			break;
		a = about_kid(a, n, kid);
		n = kid;
	}
}

static void put_item(struct fmt *f, struct entry *e, const struct ynode *n,
		     unsigned indent, struct about a)
{
	put_hoisted(f, n, indent, a);
	put_indent(f, indent);
	if (n->type == Y_MAP && is_block(f, n)) {
		put_str(f, "- ");
		put_block(f, n, indent + 2, true, a);
		return;
	}
	put_str(f, "-");
	put_value(f, e, n, indent, a);
}

static void put_block(struct fmt *f, const struct ynode *n, unsigned indent,
		      bool inline_first, struct about a)
{
	const struct ynode **v = ordered(f, n, a);

	for (size_t i = 0; i < n->n_kids; i++) {
		struct entry *e = entry_of(f, v[i]);
		struct about kid = about_kid(a, n, v[i]);

		if (i || !inline_first) {
			put_comments(f, e->before, indent);
			put_blank(f, e->blank);
		}
		if (n->type == Y_SEQ) {
			put_item(f, e, v[i], indent, kid);
			continue;
		}
		if (i || !inline_first)
			put_indent(f, indent);
		put_scalar(f, v[i]->key);
		put_str(f, ":");
		put_value(f, e, v[i], indent, kid);
	}
}

/* --- the whole ----------------------------------------------------------- */

static struct about about_file(const struct ynode *root)
{
	const struct ynode *kind = yaml_get(root, "kind");

	for (const struct word *w = kind_words; kind && w->name; w++) {
		if (yaml_is(kind, w->name))
			return (struct about){
				file_keys((enum pol_kind)w->value), 0};
	}
	return (struct about){0};
}

static struct span layout(struct pool *pool, struct span source,
			  const struct ynode *root)
{
	struct fmt f = {.pool = pool, .src = source, .fresh = true};

	find_comments(&f, root);
	f.e = pool_array(pool, node_count(root) + 1, sizeof(*f.e));
	find_entries(&f, root);
	attach(&f);
	put_comments(&f, f.head, 0);
	if (is_block(&f, root)) {
		put_block(&f, root, 0, false, about_file(root));
	} else {
		put_flow(&f, root, about_file(root));
		put_str(&f, "\n");
	}
	put_comments(&f, f.tail, 0);
	return span_of(f.out, f.n);
}

static int format_in(struct pool *pool, char **out, size_t *n, const char *path,
		     struct span source, struct diags *d, struct err *e)
{
	struct ynode *root, *again;
	struct diags *ours;
	struct span text;
	jmp_buf oom;
	int rc;

	if (setjmp(oom))
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	pool->oom = &oom;
	rc = yaml_tree(&root, pool, path, source, d, e);
	if (rc)
		return rc;
	text = layout(pool, source, root);
	ours = pool_alloc(pool, sizeof(*ours));
	if (yaml_tree(&again, pool, path, text, ours, NULL) ||
	    !span_eq(yaml_canonical(pool, root), yaml_canonical(pool, again)))
		return err_set(e, E_STATE, 0,
			       "%s: the layout would change what it says; "
			       "left as it is",
			       path);
	*out = malloc(text.n + 1);
	if (!*out)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	memcpy(*out, text.p, text.n);
	(*out)[text.n] = 0;
	*n = text.n;
	return 0;
}

int pol_format(char **out, size_t *n, const char *path, struct span source,
	       struct diags *d, struct err *e)
{
	struct pool pool = {0};
	int rc;

	*out = NULL;
	*n = 0;
	rc = format_in(&pool, out, n, path, source, d, e);
	pool_free(&pool);
	return rc;
}
