/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/coverage.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/analysis/exercise.h"

#define ID_MAX 256 /* of a policy or rule; longer ones count as untried */

/* Of a rule, of a limit ("allow/send: 1 reading per day") or of a state
 * ("states/registered"): no name of one is a name of another. */
struct tried {
	char policy[ID_MAX], rule[ID_MAX];
	bool permitted, refused; /* counted, full; entered, left */
	size_t set;		 /* of a state, when it was looked at last */
	uint64_t latest;
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

static void on_limit(void *arg, const struct exercise_limit *l)
{
	struct tried *t = row(arg, l->policy, l->name);

	if (!t)
		return;
	t->permitted |= l->counts;
	t->refused |= l->full;
}

static struct tried *state_row(struct coverage *c,
			       const struct exercise_state *s)
{
	char name[ID_MAX];
	int n = snprintf(name, sizeof(name), "states/%.*s", (int)s->name.n,
			 (const char *)s->name.p);

	return row(c, s->policy, span_of(name, (size_t)n));
}

static void on_given(void *arg, const struct exercise_state *s)
{
	struct tried *t = state_row(arg, s);

	if (!t)
		return;
	t->set = s->set;
	t->latest = s->latest;
}

static void on_state(void *arg, const struct exercise_state *s)
{
	struct tried *t = state_row(arg, s);

	if (!t)
		return;
	t->permitted |= s->set > t->set || s->latest > t->latest;
	t->refused |= s->set < t->set;
	on_given(arg, s);
}

void coverage_given(struct coverage *c, const struct scene *s)
{
	if (c)
		exercise_states(s->state, s->now, on_given, c);
}

void coverage_passed(struct coverage *c, const struct scene *s)
{
	if (c)
		exercise_states(s->state, s->now, on_state, c);
}

void coverage_judged(void *arg, const struct pol_state *st)
{
	exercise_limits(st, on_limit, arg);
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

/* name: of the rule, limit or state. */
static void print(const struct pol_file *f, struct pol_pos pos,
		  const char *name, const char *what, bool json)
{
	char buf[2048];
	struct json j = json_of(buf, sizeof(buf));

	if (!json) {
		printf("%s:%u:%u: '%s' %s\n", f->path, pos.line, pos.col, name,
		       what);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "level", "untried");
	json_str(&j, "file", f->path);
	json_u64(&j, "line", pos.line);
	json_u64(&j, "column", pos.col);
	json_str(&j, "rule", name);
	json_str(&j, "message", what);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

struct way {
	const char *what;
	bool missed;
};

static size_t print_ways(const struct pol_file *f, struct pol_pos pos,
			 const char *name, const struct way way[2], bool json)
{
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		if (!way[i].missed)
			continue;
		print(f, pos, name, way[i].what, json);
		n++;
	}
	return n;
}

static size_t print_limit(const struct coverage *c, const struct pol_file *f,
			  const char *kind, const char *id,
			  const struct pol_limit_phrase *l, struct pol_pos pos,
			  bool json)
{
	char name[ID_MAX + 64];
	int n = snprintf(name, sizeof(name), "%s/%s: %s", kind, id, l->text);
	const struct tried *t = find(c, span_str(f->id),
				     span_of(name, (size_t)n));
	const struct way way[2] = {
		{"never counts anything in the tests", !(t && t->permitted)},
		{"is never reached in the tests", !(t && t->refused)}
        };

	return print_ways(f, pos, name, way, json);
}

static size_t print_rule(const struct coverage *c, const struct pol_file *f,
			 const struct pol_rule_src *r, bool json)
{
	static const char *const kinds[] = {
		[RULE_GRANT] = "allow", [RULE_CEILING] = "ceiling",
		[RULE_DENY] = "deny", [RULE_RESTRICT] = "restrict"};
	const struct tried *t = find(c, span_str(f->id), span_str(r->id));
	const struct way way[2] = {
		{"never permits anything in the tests",
		 r->kind != RULE_DENY && !(t && t->permitted)},
		{"never refuses anything in the tests",
		 can_refuse(r) && !(t && t->refused)}
        };
	size_t n = print_ways(f, r->pos, r->id, way, json);

	for (size_t i = 0; i < r->n_limit; i++)
		n += print_limit(c, f, kinds[r->kind], r->id, &r->limit[i],
				 r->pos, json);
	return n;
}

static size_t print_state(const struct coverage *c, const struct pol_file *f,
			  const struct pol_state_src *s, bool json)
{
	char name[ID_MAX + 64];
	int n = snprintf(name, sizeof(name), "states/%s", s->id);
	const struct tried *t = find(c, span_str(f->id),
				     span_of(name, (size_t)n));
	const struct way way[2] = {
		{"is never entered in the tests", !(t && t->permitted)},
		{"is never left in the tests", !(t && t->refused)}
        };

	return print_ways(f, s->pos, name, way, json);
}

static size_t print_file(const struct coverage *c, const struct pol_file *f,
			 bool json)
{
	size_t n = 0;

	for (size_t k = 0; k < f->n_rule; k++)
		n += print_rule(c, f, &f->rule[k], json);
	for (size_t k = 0; k < f->n_limit; k++)
		n += print_limit(c, f, "limits", f->limit[k].id,
				 &f->limit[k].phrase, f->limit[k].pos, json);
	for (size_t k = 0; k < f->n_state; k++)
		n += print_state(c, f, &f->state[k], json);
	return n;
}

size_t coverage_print(const struct coverage *c, const struct pol_files *files,
		      bool json)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		const struct pol_file *f = files->f[i];

		if (f->kind == POL_VENDOR || f->kind == POL_BASELINE)
			n += print_file(c, f, json);
	}
	return n;
}
