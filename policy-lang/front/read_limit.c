/* SPDX-License-Identifier: Apache-2.0 */
/* States, limits at top level, and answers to questions of consent. */
#include "policy-lang/front/schema.h"

#define MAX_LIMITS 256
#define MAX_STATES 64

/* --- states -------------------------------------------------------------- */

static void trigger_party(struct rd *r, const struct ynode *v, void *at)
{
	int k = resolve(r, v, &r->parties, 3202, "party");

	if (k >= 0)
		((struct pol_trigger *)at)->party = (uint16_t)k;
}

static void trigger_match(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_trigger *t = at;
	struct match_out m;

	read_match(r, v, &m);
	t->match = m.match;
	t->n_match = m.n;
}

static const struct key trigger_rows[] = {
	{"direction", KEY_REQUIRED, offsetof(struct pol_trigger, dir),
	 get_dirsel, NULL},
	{"party", KEY_REQUIRED, 0, trigger_party, NULL},
	{"match", KEY_REQUIRED, 0, trigger_match, NULL},
};
static const struct keys trigger_keys = KEYS("a trigger", trigger_rows);

static void state_scope(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {{"vm", SCOPE_VM},
					    {"party", SCOPE_PARTY},
					    {"flow", SCOPE_FLOW},
					    {NULL, 0}};
	struct pol_state_src *s = at;
	int k;

	if (!ph_word(&r->s, v, 3120, "a scope", words, &k))
		return;
	s->scope = k == SCOPE_VM    ? SCOPE_VM :
		   k == SCOPE_PARTY ? SCOPE_PARTY : SCOPE_FLOW;
}

static void state_set(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &trigger_keys, &((struct pol_state_src *)at)->set);
}

static void state_clear(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_state_src *s = at;

	s->has_clear = true;
	read_map(r, v, &trigger_keys, &s->clear);
}

static const struct key state_rows[] = {
	{"scope", KEY_REQUIRED, 0, state_scope, NULL},
	{"set-by", KEY_REQUIRED, 0, state_set, &trigger_keys},
	{"cleared-by", 0, 0, state_clear, &trigger_keys},
	{"expires", KEY_REQUIRED, offsetof(struct pol_state_src, expires_ns),
	 get_duration, NULL},
};
const struct keys state_keys = KEYS("a state", state_rows);

void read_states(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "states");
	const struct ynode **list;
	struct pol_state_src *s;
	size_t n;

	if (!v || r->f->kind != POL_VENDOR)
		return;
	list = named(r, v, MAX_STATES, "states", &n);
	s = pool_array(r->s.pool, n + 1, sizeof(*s));
	for (size_t i = 0; list && i < n; i++) {
		s[i].id = (const char *)list[i]->key->s.p;
		s[i].pos = pos_of(list[i]->key);
		for (const struct word *w = builtin_words; w->name; w++) {
			if (yaml_is(list[i]->key, w->name))
				bad(&r->s, list[i]->key, 3121,
				    "choose another name",
				    "'%s' is a state of the platform",
				    w->name);
		}
		read_map(r, list[i], &state_keys, &s[i]);
	}
	r->f->state = s;
	r->f->n_state = n;
}

/* --- limits at top level ------------------------------------------------- */

#define LIMIT(m) offsetof(struct pol_limit_src, m)

static void on_match(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_limit_src *l = at;
	struct match_out m;

	read_match(r, v, &m);
	l->match = m.match;
	l->n_match = m.n;
}

static const struct key on_rows[] = {
	{"direction",	0, LIMIT(dir),	 get_dirsel,	NULL},
	{"party",	0, LIMIT(party), get_party_sel, NULL},
	{"vm",		0, LIMIT(vm),	 get_vm_sel,	NULL},
	{"match",	0, 0,		 on_match,	NULL},
	{"measurement", 0, LIMIT(meas),	 get_meas,	NULL},
};
static const struct keys on_keys = KEYS("a selector", on_rows);

static void limit_on(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &on_keys, at);
	if (v->type == Y_MAP && v->n_kids == 0)
		bad(&r->s, v->key, 2208, "everything is written by leaving "
		    "'on' out", "an empty selector");
	if (r->f->kind == POL_VENDOR && yaml_get(v, "vm"))
		bad(&r->s, yaml_get(v, "vm")->key, 2103,
		    "the policy is for one machine anyway",
		    "a vendor's limit has no 'vm'");
}

static void limit_each(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"vm", 0}, {"party", 1}, {"measurement", 2}, {NULL, 0}};
	struct pol_limit_src *l = at;
	unsigned set = 0;
	int k;

	if (!is_seq(r, v))
		return;
	/* [] is the one empty sequence that means something. */
	for (const struct ynode *c = v->kids; c; c = c->next) {
		if (ph_word(&r->s, c, 3120, "something to count by", words,
			    &k))
			set |= 1u << k;
	}
	l->each_vm = set & 1;
	l->each_party = set >> 1 & 1;
	l->each_meas = set >> 2 & 1;
}

static const struct key limit_rows[] = {
	{"on", 0, 0, limit_on, &on_keys},
	{"each", 0, 0, limit_each, NULL},
	{"limit", KEY_REQUIRED, LIMIT(phrase), get_limit, NULL},
	{"exceed", 0, LIMIT(exceed), get_action, NULL},
};
const struct keys limit_keys = KEYS("a limit", limit_rows);

void read_limits(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "limits");
	const struct ynode **list;
	struct pol_limit_src *l;
	size_t n;

	if (!v || (r->f->kind != POL_VENDOR && r->f->kind != POL_BASELINE))
		return;
	list = named(r, v, MAX_LIMITS, "limits", &n);
	l = pool_array(r->s.pool, n + 1, sizeof(*l));
	for (size_t i = 0; list && i < n; i++) {
		l[i].id = (const char *)list[i]->key->s.p;
		l[i].pos = pos_of(list[i]->key);
		l[i].dir = DIRSEL_ANY;
		l[i].party.any = l[i].vm.any = true;
		l[i].each_vm = true;
		read_map(r, list[i], &limit_keys, &l[i]);
	}
	r->f->limit = l;
	r->f->n_limit = n;
}

/* --- answers to questions of consent ------------------------------------- */

void read_answers(struct rd *r, const struct ynode *v,
		  struct pol_answer_src **out, size_t *n)
{
	static const struct word words[] = {{"granted", 1}, {"refused", 0},
					    {NULL, 0}};
	const struct ynode **list;
	struct pol_answer_src *a;
	int k;

	*out = NULL;
	*n = 0;
	if (!is_map(r, v))
		return;
	list = yaml_sorted(r->s.pool, v);
	a = pool_array(r->s.pool, v->n_kids + 1, sizeof(*a));
	for (size_t i = 0; i < v->n_kids; i++) {
		struct span key = list[i]->key->s;
		const uint8_t *slash = key.n ? memchr(key.p, '/', key.n) :
					       NULL;
		size_t cut = slash ? (size_t)(slash - key.p) : 0;

		if (r->f->kind == POL_CUSTOMER && !slash) {
			bad(&r->s, list[i]->key, 3206,
			    "write 'com.example.product/rule'",
			    "not the name of a policy's rule");
			continue;
		}
		if (slash)
			a[*n].policy = pool_text(r->s.pool,
						 span_sub(key, 0, cut));
		a[*n].rule = (const char *)key.p + (slash ? cut + 1 : 0);
		a[*n].pos = pos_of(list[i]->key);
		if (ph_word(&r->s, list[i], 3120, "an answer", words, &k))
			a[(*n)++].granted = k;
	}
	*out = a;
}
