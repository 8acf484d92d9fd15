/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/read.h"
#include "policy-lang/front/words.h"

#define CONFIG_KEYS 64

struct reader {
	struct src s;
	char *out;
	const struct config_key *keys;
	size_t n;
};

/* --- one value of each type --------------------------------------------------- */

static void store_number(void *at, size_t size, int64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;
	uint64_t u64 = (uint64_t)v;

	assert(size == 1 || size == 2 || size == 4 || size == 8);
	memcpy(at,
	       size == 1   ? (void *)&u8
	       : size == 2 ? (void *)&u16
	       : size == 4 ? (void *)&u32
			   : (void *)&u64,
	       size);
}

static bool store_text(const struct src *s, const struct ynode *v, void *at,
		       size_t size)
{
	char hint[48];

	if (!is_scalar(s, v))
		return false;
	snprintf(hint, sizeof(hint), "at most %zu characters", size - 1);
	if (v->s.n >= size) {
		bad(s, v, 3123, hint, "a text of %zu characters", v->s.n);
		return false;
	}
	for (size_t i = 0; i < v->s.n; i++) {
		if (v->s.p[i] < 0x20 || v->s.p[i] == 0x7f) {
			bad(s, v, 1104, NULL, "a control character");
			return false;
		}
	}
	memcpy(at, v->s.p, v->s.n);
	((char *)at)[v->s.n] = 0;
	return true;
}

static bool is_part(struct span path, size_t at, const char *part)
{
	size_t n = strlen(part);
	struct span s = span_sub(path, at, n);
	struct span after = span_sub(path, at + n, 1);

	return span_is(s, part) && (after.n == 0 || span_is(after, "/"));
}

static bool read_path(const struct src *s, const struct ynode *v, void *at,
		      size_t size)
{
	char buf[SHOW];
	bool ok;

	if (!store_text(s, v, at, size))
		return false;
	ok = v->s.p[0] == '/';
	for (size_t i = 0; i < v->s.n; i++) {
		if (v->s.p[i] == '/' &&
		    (is_part(v->s, i, "/.") || is_part(v->s, i, "/..") ||
		     span_is(span_sub(v->s, i, 2), "//")))
			ok = false;
	}
	if (!ok)
		bad(s, v, 3133,
		    "write it from the root, without '.', '..' and '//'",
		    "'%s' is not an absolute path", show(buf, v->s));
	return ok;
}

static bool read_iface(const struct src *s, const struct ynode *v, void *at)
{
	char buf[SHOW];
	bool ok;

	if (!is_scalar(s, v))
		return false;
	ok = v->s.n < 16 && !yaml_is(v, ".") && !yaml_is(v, "..");
	for (size_t i = 0; i < v->s.n; i++) {
		uint8_t c = v->s.p[i];

		/* What a rule or a path could take for something else. */
		if (c <= ' ' || c >= 0x7f || strchr("/:\"'\\+*%!", c))
			ok = false;
	}
	if (ok) {
		memcpy(at, v->s.p, v->s.n);
		((char *)at)[v->s.n] = 0;
	} else {
		bad(s, v, 3132, "at most 15 characters, as `ip link` shows it",
		    "'%s' is not an interface", show(buf, v->s));
	}
	return ok;
}

static bool read_word(const struct ynode *v, const struct config_word *words,
		      int *value)
{
	for (; words && words->name; words++) {
		if (yaml_is(v, words->name)) {
			*value = words->value;
			return true;
		}
	}
	return false;
}

static bool bad_word(const struct src *s, const struct ynode *v,
		     const struct config_word *words)
{
	char buf[SHOW], hint[120] = "one of:";
	size_t at = strlen(hint);

	for (; words->name && at < sizeof(hint); words++)
		at += (size_t)snprintf(hint + at, sizeof(hint) - at, " %s",
				       words->name);
	bad(s, v, 3120, hint, "'%s' is not known here", show(buf, v->s));
	return false;
}

static bool read_number(const struct src *s, const struct ynode *v,
			const struct config_key *k, void *at)
{
	uint64_t n;
	int word;

	if (read_word(v, k->words, &word)) {
		store_number(at, k->size, word);
		return true;
	}
	if (!ph_integer(s, v, (uint64_t)k->min, (uint64_t)k->max, &n))
		return false;
	store_number(at, k->size, (int64_t)n);
	return true;
}

static bool read_size(const struct src *s, const struct ynode *v,
		      const struct config_key *k, void *at)
{
	char buf[SHOW], hint[80];
	uint64_t n;

	if (!ph_size(s, v, &n))
		return false;
	if (n < (uint64_t)k->min || n > (uint64_t)k->max) {
		snprintf(hint, sizeof(hint), "from %lld KiB to %lld MiB",
			 (long long)k->min >> 10, (long long)k->max >> 20);
		bad(s, v, 3102, hint, "'%s' is not in range", show(buf, v->s));
		return false;
	}
	store_number(at, k->size, (int64_t)n);
	return true;
}

static bool read_addr(const struct src *s, const struct ynode *v, void *at)
{
	struct net_addr a;

	if (!ph_addr(s, v, &a))
		return false;
	net_addr_text(at, &a);
	return true;
}

static void read_one(struct reader *r, const struct config_key *k,
		     const struct ynode *v, void *at)
{
	bool b;
	int word;

	switch (k->type) {
	case CONFIG_TEXT:
		store_text(&r->s, v, at, k->size);
		break;
	case CONFIG_PATH:
		read_path(&r->s, v, at, k->size);
		break;
	case CONFIG_IFACE:
		read_iface(&r->s, v, at);
		break;
	case CONFIG_ADDR:
		read_addr(&r->s, v, at);
		break;
	case CONFIG_BOOL:
		if (ph_bool(&r->s, v, &b))
			memcpy(at, &b, sizeof(b));
		break;
	case CONFIG_NUMBER:
		read_number(&r->s, v, k, at);
		break;
	case CONFIG_SIZE:
		read_size(&r->s, v, k, at);
		break;
	case CONFIG_WORD:
		if (!is_scalar(&r->s, v))
			break;
		if (read_word(v, k->words, &word))
			store_number(at, k->size, word);
		else
			bad_word(&r->s, v, k->words);
		break;
	}
}

/* --- the mapping ----------------------------------------------------------------- */

static void read_list(struct reader *r, const struct config_key *k,
		      const struct ynode *v)
{
	size_t n = 0;

	if (v->type == Y_SCALAR) {
		read_one(r, k, v, r->out + k->off);
		n = 1;
	} else if (v->type == Y_MAP) {
		bad(&r->s, v, 2203, "write [ ... ]",
		    "a mapping where a sequence is expected");
	} else if (v->n_kids == 0 || v->n_kids > k->list) {
		char hint[40];

		snprintf(hint, sizeof(hint), "from 1 to %zu", k->list);
		bad(&r->s, v, 2208, hint, "a sequence of %u", v->n_kids);
	} else {
		for (const struct ynode *c = v->kids; c; c = c->next)
			read_one(r, k, c, r->out + k->off + n++ * k->size);
	}
	memcpy(r->out + k->count_off, &n, sizeof(n));
}

static void read_key(struct reader *r, const struct config_key *k,
		     const struct ynode *v)
{
	if (k->list)
		read_list(r, k, v);
	else
		read_one(r, k, v, r->out + k->off);
}

static void unknown(struct reader *r, const struct ynode *root)
{
	const char *names[CONFIG_KEYS];

	for (size_t i = 0; i < r->n; i++)
		names[i] = r->keys[i].name;
	for (const struct ynode *v = root->kids; v; v = v->next) {
		char buf[SHOW], hint[80];
		const char *near;
		bool known = false;

		for (size_t i = 0; i < r->n; i++)
			known = known || yaml_is(v->key, names[i]);
		if (known)
			continue;
		near = nearest(v->key->s, names, r->n);
		if (near)
			snprintf(hint, sizeof(hint), "did you mean '%s'?",
				 near);
		bad(&r->s, v->key, 2101, near ? hint : NULL,
		    "there is no key '%s'", show(buf, v->key->s));
	}
}

/* A default is read as if it stood in the file. */
static void fall_back(struct reader *r, const struct config_key *k)
{
	struct ynode v = {.type = Y_SCALAR, .s = span_str(k->fallback)};

	if (k->fallback[0])
		read_key(r, k, &v);
}

static void read_all(struct reader *r, const struct ynode *root)
{
	unknown(r, root);
	for (size_t i = 0; i < r->n; i++) {
		const struct config_key *k = &r->keys[i];
		const struct ynode *v = yaml_get(root, k->name);

		if (v)
			read_key(r, k, v);
		else if (k->fallback)
			fall_back(r, k);
		else
			diag_add(r->s.d, DIAG_ERROR, 2102, r->s.path,
				 (struct diag_at){1, 1, 1}, "add it",
				 "the key '%s' is missing", k->name);
	}
}

/* The first in the file's order: what the author will look at first. */
static int say(const struct diags *d, const char *path, struct err *e)
{
	const struct diag *first = NULL;
	char more[48] = "";

	for (size_t i = 0; i < d->n; i++) {
		const struct diag *x = &d->d[i];

		if (x->level == DIAG_ERROR &&
		    (!first || x->line < first->line ||
		     (x->line == first->line && x->col < first->col)))
			first = x;
	}
	if (d->errors > 1)
		snprintf(more, sizeof(more), " (and %zu more)", d->errors - 1);
	if (!first)
		return err_set(e, E_SYNTAX, 0, "%s: %zu errors", path,
			       d->errors);
	return err_set(e, E_SYNTAX, 0, "%s:%u:%u: error[P%04u]: %s%s%s%s", path,
		       first->line, first->col, first->code, first->text,
		       first->hint[0] ? "; " : "", first->hint, more);
}

static int read_into(struct reader *r, struct span source, struct err *e)
{
	struct ynode *root;
	jmp_buf oom;
	int rc;

	if (setjmp(oom))
		return err_set(e, E_NOMEM, 0, "%s: out of memory", r->s.path);
	r->s.pool->oom = &oom;
	rc = yaml_tree(&root, r->s.pool, r->s.path, source, r->s.d, e);
	if (rc == 0)
		read_all(r, root);
	r->s.pool->oom = NULL;
	return rc;
}

int config_read(void *out, size_t size, const struct config_key *keys,
		size_t n, const char *path, struct span source, struct err *e)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pool pool = {0};
	struct reader r = {{&pool, d, path, NULL}, out, keys, n};
	int rc;

	assert(n <= CONFIG_KEYS);
	memset(out, 0, size);
	if (!d)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	rc = read_into(&r, source, e);
	if (rc != E_NOMEM && d->errors)
		rc = say(d, path, e);
	pool_free(&pool);
	free(d);
	return rc;
}

int config_read_file(void *out, size_t size, const struct config_key *keys,
		     size_t n, const char *path, struct err *e)
{
	uint8_t *p;
	size_t len;
	int rc = read_source(&p, &len, path, e);

	if (rc < 0)
		return rc;
	rc = config_read(out, size, keys, n, path, span_of(p, len), e);
	free(p);
	return rc;
}

static int find_place(struct reader *r, struct span source, const char *key,
		      char *out, size_t cap)
{
	const struct ynode *v;
	struct ynode *root;
	struct err e;
	jmp_buf oom;
	int rc;

	if (setjmp(oom))
		return E_NOMEM;
	r->s.pool->oom = &oom;
	rc = yaml_tree(&root, r->s.pool, r->s.path, source, r->s.d, &e);
	r->s.pool->oom = NULL;
	v = rc == 0 ? yaml_get(root, key) : NULL;
	if (v)
		snprintf(out, cap, "%s:%u:%u", r->s.path, v->line, v->col);
	return rc;
}

void config_place(char *out, size_t cap, const char *path, const char *key)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pool pool = {0};
	struct reader r = {{&pool, d, path, NULL}, NULL, NULL, 0};
	struct err ignored;
	uint8_t *p = NULL;
	size_t n;

	snprintf(out, cap, "%s", path);
	if (d && read_source(&p, &n, path, &ignored) == 0 &&
	    find_place(&r, span_of(p, n), key, out, cap))
		snprintf(out, cap, "%s", path); /* it was read before */
	pool_free(&pool);
	free(p);
	free(d);
}
