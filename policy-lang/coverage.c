/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"

#define ID_MAX 256 /* of a policy or rule; longer ones count as untried */

struct tried {
	char policy[ID_MAX], rule[ID_MAX];
	bool permitted, refused;
};

struct coverage {
	struct tried *v;
	size_t n, cap;
};

struct coverage *coverage_new(void)
{
	return calloc(1, sizeof(struct coverage));
}

void coverage_free(struct coverage *c)
{
	if (c)
		free(c->v);
	free(c);
}

static struct tried *find(const struct coverage *c, struct span policy,
			  struct span rule)
{
	for (size_t i = 0; i < c->n; i++) {
		if (span_is(policy, c->v[i].policy) &&
		    span_is(rule, c->v[i].rule))
			return &c->v[i];
	}
	return NULL;
}

static struct tried *row(struct coverage *c, struct span policy,
			 struct span rule)
{
	struct tried *t = find(c, policy, rule);

	if (t || policy.n >= ID_MAX || rule.n >= ID_MAX)
		return t;
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct tried *v = realloc(c->v, cap * sizeof(*v));

		if (!v)
			return NULL;
		c->v = v;
		c->cap = cap;
	}
	t = &c->v[c->n++];
	memset(t, 0, sizeof(*t));
	memcpy(t->policy, policy.p, policy.n);
	memcpy(t->rule, rule.p, rule.n);
	return t;
}

void coverage_saw(struct coverage *c, const struct pol_decision *d)
{
	for (uint32_t i = 0; c && i < d->n_rules; i++) {
		const struct event_rule *r = &d->rules[i];
		struct tried *t;

		if (r->rule.n == 0)
			continue;
		t = row(c, r->policy, r->rule);
		if (!t)
			continue;
		/* Of a refusal only the layer that refused tried its rule. */
		if (d->permit)
			t->permitted = true;
		else if (d->refused_rules >> i & 1)
			t->refused = true;
	}
}

/* Has it anything to refuse by, once it has selected a message? */
static bool can_refuse(const struct pol_rule_src *r)
{
	return r->kind == RULE_DENY || r->n_limit || r->has_answers ||
	       r->n_requires || r->n_forbids || r->when.present ||
	       r->consent > CONSENT_NONE || r->data.has_gran ||
	       r->data.has_history || r->data.has_delay || r->data.has_res ||
	       r->data.has_value || r->data.has_channels;
}

static void print(const struct pol_file *f, const struct pol_rule_src *r,
		  const char *what, bool json)
{
	char buf[2048];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("%s:%u:%u: '%s' %s\n", f->path, r->pos.line, r->pos.col,
		       r->id, what);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "level", "untried");
	json_str(&j, "file", f->path);
	json_u64(&j, "line", r->pos.line);
	json_u64(&j, "column", r->pos.col);
	json_str(&j, "rule", r->id);
	json_str(&j, "message", what);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static size_t print_rule(const struct coverage *c, const struct pol_file *f,
			 const struct pol_rule_src *r, bool json)
{
	const struct tried *t = find(c, span_str(f->id), span_str(r->id));
	size_t n = 0;

	if (r->kind != RULE_DENY && !(t && t->permitted)) {
		print(f, r, "never permits anything in the tests", json);
		n++;
	}
	if (can_refuse(r) && !(t && t->refused)) {
		print(f, r, "never refuses anything in the tests", json);
		n++;
	}
	return n;
}

size_t coverage_print(const struct coverage *c, const struct pol_files *files,
		      bool json)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		const struct pol_file *f = files->f[i];

		if (f->kind != POL_VENDOR && f->kind != POL_BASELINE)
			continue;
		for (size_t k = 0; k < f->n_rule; k++)
			n += print_rule(c, f, &f->rule[k], json);
	}
	return n;
}
