/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/front.h"

#include <stdlib.h>
#include <time.h>

#include "policy-lang/front/file.h"
#include "policy-lang/front/read.h"
#include "policy-lang/image/image.h"

/* What pol_file_free gets back. */
struct parsed {
	struct pol_file f; /* first */
	struct pool pool;
	struct ynode *root;
};

void pol_file_free(struct pol_file *f)
{
	struct parsed *o = (struct parsed *)f;
	struct pool pool;

	if (!f)
		return;
	pool = o->pool;
	pool_free(&pool);
	free(o);
}

static int place_order(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->col != y->col)
		return x->col < y->col ? -1 : 1;
	return (int)x->code - (int)y->code;
}

/* These two may leave through the pool's end. */
static int parse_into(struct parsed *o, const char *path, struct span source,
		      struct diags *d, struct err *e)
{
	jmp_buf oom;
	int rc;

	if (setjmp(oom))
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	o->pool.oom = &oom;
	rc = yaml_tree(&o->root, &o->pool, path, source, d, e);
	o->pool.oom = NULL;
	return rc;
}

static int read_into(struct parsed *o, const char *path, struct span source,
		     const struct pol_lib *libs, struct diags *d, struct err *e)
{
	struct rd *r;
	jmp_buf oom;

	if (setjmp(oom))
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	o->pool.oom = &oom;
	r = pool_alloc(&o->pool, sizeof(*r));
	r->s = (struct src){&o->pool, d, path, NULL};
	r->libs = libs;
	r->f = &o->f;
	r->root = o->root;
	r->now_s = time(NULL);
	o->f.path = pool_text(&o->pool, span_str(path));
	pol_digest(source, o->f.octets_digest);
	read_file(r);
	return 0;
}

int parse(struct parsed **out, const char *path, struct span source,
	  struct diags *d, struct err *e)
{
	struct parsed *o = calloc(1, sizeof(*o));
	int rc;

	*out = NULL;
	if (!o)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	rc = parse_into(o, path, source, d, e);
	if (rc)
		parsed_free(o);
	else
		*out = o;
	return rc;
}

const struct ynode *parsed_root(const struct parsed *o)
{
	return o->root;
}

void parsed_free(struct parsed *o)
{
	pol_file_free((struct pol_file *)o);
}

int pol_read(struct pol_file **out, const char *path, struct span source,
	     const struct pol_lib *libs, struct diags *d, struct err *e)
{
	return read_parsed(out, NULL, path, source, libs, d, e);
}

int read_parsed(struct pol_file **out, struct parsed *o, const char *path,
		struct span source, const struct pol_lib *libs, struct diags *d,
		struct err *e)
{
	size_t errors = d->errors, kept = d->n;
	int rc = o ? 0 : parse(&o, path, source, d, e);

	*out = NULL;
	if (rc == 0) {
		rc = read_into(o, path, source, libs, d, e);
		o->pool.oom = NULL;
	}
	/* The author reads from top to bottom. */
	qsort(d->d + kept, d->n - kept, sizeof(d->d[0]), place_order);
	if (rc == 0 && d->errors != errors)
		rc = err_set(e, E_SYNTAX, 0, "%s: %zu error%s", path,
			     d->errors - errors,
			     d->errors - errors == 1 ? "" : "s");
	if (rc)
		parsed_free(o);
	else
		*out = &o->f;
	return rc;
}

int read_source(uint8_t **out, size_t *n, const char *path, struct err *e)
{
	return file_read(out, n, path, YAML_MAX_SOURCE, e);
}

int pol_read_file(struct pol_file **out, const char *path,
		  const struct pol_lib *libs, struct diags *d, struct err *e)
{
	uint8_t *p;
	size_t n;
	int rc = read_source(&p, &n, path, e);

	*out = NULL;
	if (rc)
		return rc;
	rc = pol_read(out, path, span_of(p, n), libs, d, e);
	free(p);
	return rc;
}
