/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict subset of YAML (policy-language section 4) as a tree that knows
 * where everything stands.
 *
 * libyaml is an event parser here: duplicate keys, forbidden constructs and
 * the bounds are ours to find. Types too: every scalar is text until the
 * schema asks for something.
 */
#ifndef POLICY_LANG_FRONT_YAML_H
#define POLICY_LANG_FRONT_YAML_H

#include "policy-lang/front/front.h"
#include "policy-lang/front/pool.h"

#define YAML_MAX_SOURCE (256u << 10) /* octets */
#define YAML_MAX_DEPTH  16
#define YAML_MAX_SCALAR 4096 /* octets */
#define YAML_MAX_KIDS   2048 /* entries of one mapping or sequence */

enum ynode_type {
	Y_SCALAR,
	Y_MAP,
	Y_SEQ
};
enum ynode_style {
	Y_PLAIN,
	Y_SINGLE,
	Y_DOUBLE,
	Y_BLOCK,
	Y_FLOW
};

struct ynode {
	enum ynode_type type;
	enum ynode_style style;
	uint32_t line, col, len; /* 1-based, characters; of the first line */
	size_t start, end;       /* octets in the source; [start, end) */
	struct span s;           /* scalar: its value, terminated */
	struct ynode *key;       /* when it is a value in a mapping */
	struct ynode *kids, *next;
	uint32_t n_kids;
};

/* 0 and *root (a mapping), or E_SYNTAX with diagnostics, or E_NOMEM. Borrows
 * source; nodes lie in p. */
int yaml_tree(struct ynode **root, struct pool *p, const char *path,
	      struct span source, struct diags *d, struct err *e)
	__attribute__((warn_unused_result));

/* The value under a key, or NULL. */
const struct ynode *yaml_get(const struct ynode *map, const char *key);
bool yaml_is(const struct ynode *n, const char *text);

/* Entries of a mapping in the order of their keys; n->n_kids of them. */
const struct ynode **yaml_sorted(struct pool *p, const struct ynode *map);

/* A serialisation that does not depend on the order of keys, on styles or
 * on comments: what the source digest is made of. */
struct span yaml_canonical(struct pool *p, const struct ynode *root);

#endif
