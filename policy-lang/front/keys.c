/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/obs.h"
#include "policy-lang/front/diag.h"
#include "policy-lang/front/file.h"

/* C12.22: what relative titles are relative to. */
static const char branch[] = "2.16.124.113620.1.22.0";

static int at(struct err *e, const char *path, const struct ynode *n,
	      const char *text)
{
	return err_set(e, E_SYNTAX, n->start, "%s:%u:%u: %s", path, n->line,
		       n->col, text);
}

static int read_title(struct pol_key *k, const char *path,
		      const struct ynode *n, struct err *e)
{
	char text[OID_TEXT];
	int len;

	k->title_n = 0;
	if (yaml_is(n, "*"))
		return 0;
	len = snprintf(text, sizeof(text), "%s%.*s",
		       n->s.n && n->s.p[0] == '.' ? branch : "", (int)n->s.n,
		       (const char *)n->s.p);
	len = len < (int)sizeof(text)
		      ? oid_parse(span_str(text), k->title, sizeof(k->title))
		      : E_LIMIT;
	if (len <= 0)
		return at(e, path, n, "neither an ApTitle nor \"*\"");
	k->title_n = (uint8_t)len;
	return 0;
}

static int read_id(struct pol_key *k, const char *path, const struct ynode *n,
		   struct err *e)
{
	unsigned v = 0;

	for (size_t i = 0; i < n->s.n; i++) {
		uint8_t c = n->s.p[i];

		v = v * 10 + c - '0';
		if (c < '0' || c > '9' || v > 255 || (i && n->s.p[0] == '0'))
			return at(e, path, n, "not a key id: 0 to 255");
	}
	k->key_id = (uint8_t)v;
	return n->s.n ? 0 : at(e, path, n, "not a key id: 0 to 255");
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int read_key(struct pol_key *k, const char *path, const struct ynode *n,
		    struct err *e)
{
	static const char what[] = "not a key: 32 hex digits";

	if (n->type != Y_SCALAR || n->s.n != 2 * sizeof(k->key))
		return at(e, path, n, what);
	for (size_t i = 0; i < sizeof(k->key); i++) {
		int hi = hex(n->s.p[2 * i]), lo = hex(n->s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return at(e, path, n, what);
		k->key[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

static bool is_twice(const struct pol_keys *out, const struct pol_key *k)
{
	for (size_t i = 0; i < out->n; i++) {
		const struct pol_key *o = &out->v[i];

		if (o->key_id == k->key_id && o->title_n == k->title_n &&
		    memcmp(o->title, k->title, k->title_n) == 0)
			return true;
	}
	return false;
}

static int read_all(struct pol_keys *out, const char *path,
		    const struct ynode *root, struct err *e)
{
	for (const struct ynode *t = root->kids; t; t = t->next) {
		if (t->type != Y_MAP)
			return at(e, path, t, "expected key ids and keys");
		for (const struct ynode *n = t->kids; n; n = n->next) {
			struct pol_key *k = &out->v[out->n];
			int rc;

			if (out->n == POL_KEYS_MAX)
				return err_set(e, E_LIMIT, 0,
					       "%s:%u: more than %d keys", path,
					       n->line, POL_KEYS_MAX);
			rc = read_title(k, path, t->key, e);
			if (rc == 0)
				rc = read_id(k, path, n->key, e);
			if (rc == 0)
				rc = read_key(k, path, n, e);
			if (rc < 0)
				return rc;
			if (is_twice(out, k))
				return at(e, path, n->key,
					  "this key id stands here twice");
			out->n++;
		}
	}
	return 0;
}

int pol_parse_keys(struct pol_keys *out, const char *path, struct span source,
		   struct err *e)
{
	struct pool pool = {0};
	struct diags *d = calloc(1, sizeof(*d));
	struct ynode *root;
	int rc;

	*out = (struct pol_keys){calloc(POL_KEYS_MAX, sizeof(*out->v)), 0};
	if (!d || !out->v) {
		rc = err_set(e, E_NOMEM, 0, "%s: out of memory", path);
		goto out;
	}
	rc = yaml_tree(&root, &pool, path, source, d, e);
	if (rc == E_SYNTAX && d->n)
		err_set(e, rc, 0, "%s:%u:%u: %s", path, d->d[0].line,
			d->d[0].col, d->d[0].text);
	if (rc == 0)
		rc = read_all(out, path, root, e);
out:
	pool_free(&pool);
	free(d);
	if (rc < 0)
		pol_keys_free(out);
	return rc;
}

int pol_read_keys(struct pol_keys *out, const char *path, struct err *e)
{
	uint8_t *buf;
	size_t n;
	int rc = file_read(&buf, &n, path, YAML_MAX_SOURCE, e);

	*out = (struct pol_keys){0};
	if (rc < 0)
		return rc;
	rc = pol_parse_keys(out, path, span_of(buf, n), e);
	explicit_bzero(buf, n);
	free(buf);
	return rc;
}

void pol_keys_free(struct pol_keys *k)
{
	if (k->v)
		explicit_bzero(k->v, POL_KEYS_MAX * sizeof(*k->v));
	free(k->v);
	*k = (struct pol_keys){0};
}
