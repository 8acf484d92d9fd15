/* SPDX-License-Identifier: Apache-2.0 */
/* Grants, ceilings, denials and restrictions. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/schema.h"

#define MAX_RULES       256
#define MAX_RULE_LIMITS 16

#define RULE(m) offsetof(struct pol_rule_src, m)

/* --- lists of names ------------------------------------------------------ */

static int u16_order(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void rule_answers(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	uint16_t *list = pool_array(r->s.pool, n + 1, sizeof(*list));

	rule->has_answers = true;
	for (size_t i = 0; i < n; i++) {
		int k = resolve(r, e[i], &r->grants, 3206, "rule");

		if (k >= 0)
			list[rule->n_answers++] = (uint16_t)k;
	}
	qsort(list, rule->n_answers, sizeof(*list), u16_order);
	rule->answers = list;
}

const struct word builtin_words[] = {
	{"attested",       BUILTIN_ATTESTED      },
	{"clock-trusted",  BUILTIN_CLOCK_TRUSTED },
	{"quarantined",    BUILTIN_QUARANTINED   },
	{"policy-expired", BUILTIN_POLICY_EXPIRED},
	{NULL,             0		      },
};

/* A state of the platform, misspelled? */
static bool is_near_builtin(struct rd *r, const struct ynode *v)
{
	const char *names[BUILTIN_COUNT];
	char buf[SHOW], hint[64];
	const char *near;

	for (size_t i = 0; i < BUILTIN_COUNT; i++)
		names[i] = builtin_words[i].name;
	near = nearest(v->s, names, BUILTIN_COUNT);
	if (!near || name_find(&r->states, (const char *)v->s.p) >= 0 ||
	    nearest(v->s, r->states.v, r->states.n))
		return false;
	snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	bad(&r->s, v, 3203, hint, "no state is called '%s'", show(buf, v->s));
	return true;
}

static int state_of(struct rd *r, const struct ynode *v)
{
	for (const struct word *w = builtin_words; w->name; w++) {
		if (yaml_is(v, w->name))
			return POL_STATE_BUILTIN + w->value;
	}
	if (yaml_is(v, "answering")) {
		bad(&r->s, v, 3203, "write answers: [RULE]",
		    "what a rule answers stands in its answers");
		return -1;
	}
	if (v->type == Y_SCALAR && is_near_builtin(r, v))
		return -1;
	return resolve(r, v, &r->states, 3203, "state");
}

static const uint16_t *state_list(struct rd *r, const struct ynode *v,
				  size_t *n)
{
	size_t count;
	const struct ynode *const *e = elements(r, v, false, &count);
	uint16_t *list = pool_array(r->s.pool, count + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < count; i++) {
		int k = state_of(r, e[i]);

		if (k >= 0)
			list[(*n)++] = (uint16_t)k;
	}
	qsort(list, *n, sizeof(*list), u16_order);
	return list;
}

/* Of the platform's states, those that a rule waits for in vain. In quarantine
 * a machine has no grants (section 11.4) but for a floor of the baseline, nor has
 * one by a policy that expired (section 15). And the gateway does not attest machines yet. */
static void warn_in_vain(struct rd *r, const struct ynode *v)
{
	static const struct {
		const char *state;
		uint16_t code;
		const char *hint, *text;
	} rows[] = {
		{"quarantined", 4002,
		 "leave it out, or write forbids: [quarantined]",
		 "in quarantine nothing passes but what a floor of the "
		 "baseline keeps"},
		{"policy-expired", 4002,
		 "leave it out, or write forbids: [policy-expired]",
		 "of an expired policy nothing passes but what a floor of the "
		 "baseline keeps"},
		{"attested", 4008,
		 "leave it out where the rule has to permit something before "
		 "machines are attested",
		 "nothing sets 'attested' yet: until something does, this "
		 "rule permits nothing"},
	};
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
			if (!yaml_is(e[i], rows[k].state))
				continue;
			diag_add(r->s.d, DIAG_WARNING, rows[k].code, r->s.path,
				 (struct diag_at){e[i]->line, e[i]->col,
						  e[i]->len},
				 rows[k].hint, "%s", rows[k].text);
		}
	}
}

static void rule_requires(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;

	warn_in_vain(r, v);
	rule->requires_ = state_list(r, v, &rule->n_requires);
}

static void rule_forbids(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;

	rule->forbids = state_list(r, v, &rule->n_forbids);
}

/* --- the other members --------------------------------------------------- */

static void rule_match(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;
	struct match_out m;

	read_match(r, v, &m);
	rule->match = m.match;
	rule->n_match = m.n;
}

static void rule_limits(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	struct pol_limit_phrase *l;

	if (n > MAX_RULE_LIMITS) {
		bad(&r->s, v->key, 3301, NULL, "more than %d limits on a rule",
		    MAX_RULE_LIMITS);
		n = MAX_RULE_LIMITS;
	}
	l = pool_array(r->s.pool, n + 1, sizeof(*l));
	for (size_t i = 0; i < n; i++)
		rule->n_limit += ph_limit(&r->s, e[i], &l[rule->n_limit]);
	rule->limit = l;
}

static void rule_limit(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_rule_src *rule = at;
	struct pol_limit_phrase *l = pool_alloc(r->s.pool, sizeof(*l));

	rule->n_limit = ph_limit(&r->s, v, l);
	rule->limit = l;
}

static void rule_audit(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"each",    AUDIT_EACH   },
                {"summary", AUDIT_SUMMARY},
                {NULL,      0            }
        };
	int k;

	if (ph_word(&r->s, v, 3120, "a way to audit", words, &k))
		((struct pol_rule_src *)at)->audit = (enum pol_audit)k;
}

static void rule_notify(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"portal",   0},
                {"vendor",   1},
                {"operator", 2},
                {NULL,       0}
        };
	struct pol_rule_src *rule = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	int k;

	for (size_t i = 0; i < n; i++) {
		if (ph_word(&r->s, e[i], 3120, "a recipient", words, &k))
			rule->notify = (uint8_t)(rule->notify | 1u << k);
	}
}

static void rule_block(struct rd *r, const struct ynode *v, void *at)
{
	bool on;

	if (!ph_bool(&r->s, v, &on))
		return;
	if (!on)
		bad(&r->s, v, 3114, "remove the key",
		    "a restriction cannot allow anything");
	((struct pol_rule_src *)at)->block = true;
}

static const struct key grant_rows[] = {
	{"purpose",   0,            RULE(purpose),         get_text,      NULL      },
	{"direction", KEY_REQUIRED, RULE(dir),             get_dirsel,    NULL      },
	{"party",     KEY_REQUIRED, RULE(party),           get_party_sel, NULL      },
	{"match",     KEY_REQUIRED, 0,                     rule_match,    NULL      },
	{"answers",   0,            0,                     rule_answers,  NULL      },
	{"requires",  0,            0,                     rule_requires, NULL      },
	{"forbids",   0,            0,                     rule_forbids,  NULL      },
	{"consent",   0,            RULE(consent),         get_consent,   NULL      },
	{"data",      0,            0,                     rule_data,     &data_keys},
	{"when",      0,            0,                     rule_when,     &when_keys},
	{"limits",    0,            0,                     rule_limits,   NULL      },
	{"exceed",    0,            RULE(exceed),          get_action,    NULL      },
	{"audit",     0,            0,                     rule_audit,    NULL      },
	{"notify",    0,            0,                     rule_notify,   NULL      },
	{"severity",  0,            RULE(severity),        get_severity,  NULL      },
	{"mode",      0,            RULE(monitor_until_s), get_mode,      NULL      },
};
const struct keys grant_keys = KEYS("a grant", grant_rows);

static const struct key ceiling_rows[] = {
	{"vm",        0,            RULE(vm),     get_vm_sel,    NULL      },
	{"direction", KEY_REQUIRED, RULE(dir),    get_dirsel,    NULL      },
	{"party",     KEY_REQUIRED, RULE(party),  get_party_sel, NULL      },
	{"match",     KEY_REQUIRED, 0,            rule_match,    NULL      },
	{"data",      0,            0,            rule_data,     &data_keys},
	{"when",      0,            0,            rule_when,     &when_keys},
	{"limits",    0,            0,            rule_limits,   NULL      },
	{"exceed",    0,            RULE(exceed), get_action,    NULL      },
};
const struct keys ceiling_keys = KEYS("a ceiling", ceiling_rows);

static const struct key denial_rows[] = {
	{"vm",        0, RULE(vm),       get_vm_sel,     NULL           },
	{"direction", 0, RULE(dir),      get_dirsel,     NULL           },
	{"party",     0, RULE(party),    get_party_sel,  NULL           },
	{"match",     0, 0,              rule_match,     NULL           },
	{"data",      0, 0,              rule_deny_data, &deny_data_keys},
	{"severity",  0, RULE(severity), get_severity,   NULL           },
	{"message",   0, RULE(message),  get_text,       NULL           },
	{"exceed",    0, RULE(exceed),   get_action,     NULL           },
};
const struct keys denial_keys = KEYS("a denial", denial_rows);

static const struct key restriction_rows[] = {
	{"vm",     KEY_REQUIRED, RULE(vm),     get_vm_sel,    NULL      },
	{"party",  0,            RULE(party),  get_party_sel, NULL      },
	{"block",  0,            0,            rule_block,    NULL      },
	{"data",   0,            0,            rule_data,     &data_keys},
	{"except", 0,            RULE(except), get_party_sel, NULL      },
	{"when",   0,            0,            rule_when,     &when_keys},
	{"limit",  0,            0,            rule_limit,    NULL      },
};
const struct keys restriction_keys = KEYS("a restriction", restriction_rows);

/* --- rules as a whole ---------------------------------------------------- */

static void check_denial(struct rd *r, const struct ynode *v)
{
	static const char *const sel[] = {"direction", "party", "vm", "match",
					  "data"};

	for (size_t i = 0; i < 5; i++) {
		if (yaml_get(v, sel[i]))
			return;
	}
	bad(&r->s, v->key, 2209,
	    "add direction, party, vm, match or data; everything is written "
	    "match: {any: {}}",
	    "a denial that selects nothing");
}

static void check_restriction(struct rd *r, const struct ynode *v,
			      struct pol_rule_src *rule)
{
	static const char *const not_here[] = {"value", "channels"};
	const struct ynode *data = yaml_get(v, "data");

	if (!rule->block && !rule->data.present && !rule->when.present &&
	    !yaml_get(v, "limit"))
		bad(&r->s, v->key, 2209, "add block, data, when or limit",
		    "a restriction that restricts nothing");
	for (size_t i = 0; data && i < 2; i++) {
		const struct ynode *c = yaml_get(data, not_here[i]);

		if (c)
			bad(&r->s, c->key, 2103, NULL,
			    "a restriction has no '%s'", not_here[i]);
	}
	/* Content is what leaves; hours and blocks are for both ways. */
	rule->dir = rule->block || rule->when.present ? DIRSEL_ANY : DIRSEL_OUT;
}

static bool is_households(const struct pol_file *f,
			  const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->party.n_party; i++) {
		if (f->party[rule->party.party[i]].role != ROLE_HOUSEHOLD)
			return false;
	}
	return rule->kind == RULE_GRANT ||
	       (!rule->party.any && rule->party.roles == 1u << ROLE_HOUSEHOLD);
}

/* '*' is for denials and assertions; to the household's own screens it is
 * granted, and means every measurement but what is none. */
static void check_star(struct rd *r, const struct ynode *v,
		       struct pol_rule_src *rule)
{
	if (rule->data.meas != MEAS_ALL)
		return;
	if (!is_households(r->f, rule))
		bad(&r->s, yaml_get(yaml_get(v, "data"), "measurement"), 4106,
		    "name the types, or a family such as energy.*",
		    "'*' is for the household's own screens");
	else
		rule->data.meas &= ~MEAS_ABOUT;
}

static void read_rule(struct rd *r, const struct ynode *v,
		      enum pol_rule_kind kind, const struct keys *keys,
		      struct pol_rule_src *rule)
{
	rule->kind = kind;
	rule->id = (const char *)v->key->s.p;
	rule->pos = pos_of(v->key);
	rule->dir = DIRSEL_ANY;
	rule->party.any = rule->vm.any = true;
	read_map(r, v, keys, rule);
	if (v->type != Y_MAP)
		return;
	if (kind == RULE_GRANT || kind == RULE_CEILING)
		check_star(r, v, rule);
	if (kind == RULE_GRANT) {
		/* Where it says nothing, the portal hears of refusals. */
		if (!yaml_get(v, "notify"))
			rule->notify = NOTIFY_REFUSED;
	}
	if (kind == RULE_DENY)
		check_denial(r, v);
	if (kind == RULE_RESTRICT)
		check_restriction(r, v, rule);
	if (r->f->kind == POL_VENDOR && kind == RULE_DENY && yaml_get(v, "vm"))
		bad(&r->s, yaml_get(v, "vm")->key, 2103,
		    "the policy is for one machine anyway",
		    "a vendor's denial has no 'vm'");
}

static const struct {
	const char *key;
	enum pol_rule_kind kind;
	const struct keys *keys;
} sections[] = {
	{"allow",    RULE_GRANT,    &grant_keys      },
	{"ceiling",  RULE_CEILING,  &ceiling_keys    },
	{"deny",     RULE_DENY,     &denial_keys     },
	{"restrict", RULE_RESTRICT, &restriction_keys},
};

static const struct ynode *section(struct rd *r, size_t i)
{
	static const unsigned in[] = {1u << POL_VENDOR, 1u << POL_BASELINE,
				      1u << POL_VENDOR | 1u << POL_BASELINE,
				      1u << POL_CUSTOMER};

	/* Elsewhere the key itself was refused. */
	return in[i] >> r->f->kind & 1 ? yaml_get(r->root, sections[i].key)
				       : NULL;
}

void read_rules(struct rd *r)
{
	struct pol_rule_src *rules;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < 4; i++) {
		const struct ynode *v = section(r, i);

		total += v && v->type == Y_MAP ? v->n_kids : 0;
	}
	rules = pool_array(r->s.pool, total + 1, sizeof(*rules));
	for (size_t i = 0; i < 4; i++) {
		const struct ynode *v = section(r, i);
		const struct ynode **list;
		size_t n;

		if (!v)
			continue;
		list = named(r, v, MAX_RULES, "rules", &n);
		for (size_t k = 0; list && k < n; k++)
			read_rule(r, list[k], sections[i].kind,
				  sections[i].keys, &rules[at++]);
	}
	if (at > MAX_RULES)
		bad(&r->s, r->root, 3301, NULL, "more than %d rules",
		    MAX_RULES);
	r->f->rule = rules;
	r->f->n_rule = at;
}

static struct names names_of(struct rd *r, const struct ynode *v)
{
	const struct ynode **list;
	const char **names;

	if (!v || v->type != Y_MAP)
		return (struct names){0};
	list = yaml_sorted(r->s.pool, v);
	names = pool_array(r->s.pool, v->n_kids + 1, sizeof(*names));
	for (size_t i = 0; i < v->n_kids; i++)
		names[i] = (const char *)list[i]->key->s.p;
	return (struct names){names, v->n_kids};
}

void name_rules(struct rd *r)
{
	/* Grants come first in f->rule: a name's place is its index. */
	r->grants = names_of(r, yaml_get(r->root, "allow"));
	r->states = names_of(r, yaml_get(r->root, "states"));
}
