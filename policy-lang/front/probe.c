/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/probe.h"

#include <stdlib.h>

/* Nodes are known by their start: readers make copies of some. What readers
 * complain about and write into is thrown away. */
struct probe {
	struct asked *out; /* by start */
};

#define OTHERS  PLACE_COUNT /* keys and what holds others */
#define OBJECT  65536	    /* octets: more than any object that readers fill */

static struct asked *note(const struct src *s, const struct ynode *n,
			  enum ph form)
{
	struct asked *a;

	if (n->start >= OTHERS)
		return NULL;
	a = &s->probe->out[n->start];
	/* Somebody asked more exactly before. */
	if (a->yes && form == PH_SCALAR)
		return NULL;
	*a = (struct asked){.yes = true, .form = form};
	return a;
}

bool ph_asked(const struct src *s, const struct ynode *n, enum ph form)
{
	if (s->probe)
		note(s, n, form);
	return s->probe;
}

bool ph_asked_number(const struct src *s, const struct ynode *n, enum ph form,
		     uint64_t lo, uint64_t hi)
{
	struct asked *a = s->probe ? note(s, n, form) : NULL;

	if (a)
		a->lo = lo, a->hi = hi;
	return s->probe;
}

bool ph_asked_text(const struct src *s, const struct ynode *n, enum ph form,
		   const char *prefix)
{
	struct asked *a = s->probe ? note(s, n, form) : NULL;

	if (a)
		a->prefix = prefix;
	return s->probe;
}

bool ph_asked_word(const struct src *s, const struct ynode *n,
		   const struct word *words)
{
	struct asked *a = s->probe ? note(s, n, PH_WORD) : NULL;

	if (a)
		a->words = words;
	return s->probe;
}

bool ph_asked_keys(const struct src *s, const struct ynode *n,
		   const struct keys *k)
{
	struct asked *a = s->probe ? note(s, n, PH_MAP) : NULL;

	if (a)
		a->keys = k;
	return s->probe;
}

static struct ynode *node(struct pool *p, enum ynode_type type, size_t start,
			  struct ynode *kid)
{
	struct ynode *n = pool_alloc(p, sizeof(*n));
	struct ynode *key = pool_alloc(p, sizeof(*key));

	/* A name of a rule, of a guest, and nothing that means something. */
	*key = (struct ynode){.type = Y_SCALAR, .start = OTHERS,
			      .s = span_str("x/x")};
	*n = (struct ynode){.type = type, .start = start, .key = key,
			    .kids = kid, .n_kids = kid != NULL,
			    .s = span_str(type == Y_SCALAR ? "x" : "")};
	return n;
}

void probe_key(const struct key *row, enum pol_kind kind, struct pool *pool,
	       struct asked out[PLACE_COUNT])
{
	struct ynode *values[] = {
		node(pool, Y_SCALAR, PLACE_ONE, NULL),
		node(pool, Y_SEQ, OTHERS,
		     node(pool, Y_SCALAR, PLACE_ITEM, NULL)),
		node(pool, Y_SEQ, OTHERS,
		     node(pool, Y_MAP, PLACE_MAP_ITEM, NULL)),
		node(pool, Y_MAP, PLACE_MAP,
		     node(pool, Y_SCALAR, PLACE_ENTRY, NULL)),
		node(pool, Y_MAP, OTHERS,
		     node(pool, Y_SEQ, OTHERS,
			  node(pool, Y_SCALAR, PLACE_ENTRY_ITEM, NULL))),
	};
	struct diags *d = pool_alloc(pool, sizeof(*d));
	void *object = pool_alloc(pool, OBJECT);
	struct probe probe = {out};

	memset(out, 0, PLACE_COUNT * sizeof(*out));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct rd *r = pool_alloc(pool, sizeof(*r));

		r->s = (struct src){pool, d, "", &probe};
		r->f = pool_alloc(pool, sizeof(*r->f));
		r->f->kind = kind;
		r->root = node(pool, Y_MAP, OTHERS, NULL);
		row->read(r, values[i], object);
	}
}
