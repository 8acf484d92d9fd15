/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/schema.h"

#include <stdio.h>

static const struct key *find_key(const struct keys *k, struct span name)
{
	for (size_t i = 0; i < k->n; i++) {
		if (span_is(name, k->key[i].name))
			return &k->key[i];
	}
	return NULL;
}

bool is_map(struct rd *r, const struct ynode *v)
{
	if (v->type == Y_MAP)
		return true;
	if (v->type == Y_SEQ)
		bad(&r->s, v, 2204,
		    "a mapping means AND, a sequence means OR: remove the "
		    "dash or the brackets",
		    "a sequence where a mapping is expected");
	else
		bad(&r->s,
		    v->s.n   ? v
		    : v->key ? v->key
			     : v,
		    2206, NULL, "a single value where a mapping is expected");
	return false;
}

bool is_seq(struct rd *r, const struct ynode *v)
{
	if (v->type == Y_SEQ)
		return true;
	if (v->type == Y_MAP)
		bad(&r->s, v, 2203,
		    "a mapping means AND, a sequence means OR: write [ ... ]",
		    "a mapping where a sequence is expected");
	else
		bad(&r->s,
		    v->s.n   ? v
		    : v->key ? v->key
			     : v,
		    2207, "write it in brackets: [ ... ]",
		    "a single value where a sequence is expected");
	return false;
}

void unknown_keys(struct rd *r, const struct ynode *v, const struct keys *k)
{
	const char *names[32];
	size_t n = 0;

	for (size_t i = 0; i < k->n && n < 32; i++)
		names[n++] = k->key[i].name;
	for (const struct ynode *c = v->kids; c; c = c->next) {
		char buf[SHOW], hint[80];
		const char *near;

		if (find_key(k, c->key->s))
			continue;
		near = nearest(c->key->s, names, n);
		if (near)
			snprintf(hint, sizeof(hint), "did you mean '%s'?",
				 near);
		bad(&r->s, c->key, 2101, near ? hint : NULL,
		    "%s has no key '%s'", k->what, show(buf, c->key->s));
	}
}

void read_map(struct rd *r, const struct ynode *v, const struct keys *k,
	      void *obj)
{
	if (!is_map(r, v) || ph_asked_keys(&r->s, v, k))
		return;
	unknown_keys(r, v, k);
	for (size_t i = 0; i < k->n; i++) {
		const struct key *row = &k->key[i];
		const struct ynode *c = yaml_get(v, row->name);

		if (c)
			row->read(r, c, (char *)obj + row->off);
		else if (row->flags & KEY_REQUIRED)
			bad(&r->s, v->key ? v->key : v, 2102, NULL,
			    "%s needs the key '%s'", k->what, row->name);
	}
}

/* Letters that a reader takes for one another become one. */
static void skeleton(char out[64], struct span t)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n && n < 62; i++) {
		char c = (char)t.p[i];
		char next = i + 1 < t.n ? (char)t.p[i + 1] : 0;

		if ((c == 'r' && next == 'n') || (c == 'v' && next == 'v')) {
			out[n++] = c == 'r' ? 'm' : 'w';
			i++;
		} else {
			out[n++] = c == '0' ? 'o' : c == '1' ? 'l' : c;
		}
	}
	out[n] = 0;
}

/* n is bounded by YAML_MAX_KIDS. */
static void look_alikes(struct rd *r, const struct ynode **v, size_t n)
{
	char(*sk)[64] = pool_array(r->s.pool, n + 1, sizeof(*sk));

	for (size_t i = 0; i < n; i++)
		skeleton(sk[i], v[i]->key->s);
	for (size_t i = 1; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			struct diag *g;

			if (strcmp(sk[i], sk[k]) != 0)
				continue;
			g = diag_add(r->s.d, DIAG_ERROR, 1116, r->s.path,
				     at_node(v[i]->key),
				     "choose names that cannot be confused",
				     "'%s' looks like '%s'",
				     (const char *)v[i]->key->s.p,
				     (const char *)v[k]->key->s.p);
			diag_second(g, v[k]->key->line, v[k]->key->col,
				    "the other is here");
			break;
		}
	}
}

const struct ynode **named(struct rd *r, const struct ynode *v, size_t max,
			   const char *what, size_t *n)
{
	const struct ynode **sorted;
	const char *name;
	size_t before = r->s.d->errors;

	*n = 0;
	if (!is_map(r, v))
		return NULL;
	for (const struct ynode *c = v->kids; c; c = c->next)
		if (!ph_name(&r->s, c->key, &name))
			continue;
	if (v->n_kids > max)
		bad(&r->s, v->key ? v->key : v, 3301, NULL, "more than %zu %s",
		    max, what);
	sorted = yaml_sorted(r->s.pool, v);
	if (r->s.d->errors == before)
		look_alikes(r, sorted, v->n_kids);
	*n = v->n_kids < max ? v->n_kids : max;
	return sorted;
}

int name_find(const struct names *in, const char *name)
{
	size_t lo = 0, hi = in->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(name, in->v[mid]);

		if (c == 0)
			return (int)mid;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return -1;
}

int resolve(struct rd *r, const struct ynode *v, const struct names *in,
	    uint16_t code, const char *what)
{
	char buf[SHOW], hint[80];
	const char *name, *near;
	int i;

	if (!ph_ref(&r->s, v, &name))
		return -1;
	i = name_find(in, name);
	if (i >= 0)
		return i;
	near = nearest(v->s, in->v, in->n);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	bad(&r->s, v, code, near ? hint : NULL, "no %s is called '%s'", what,
	    show(buf, v->s));
	return -1;
}

const struct ynode *const *elements(struct rd *r, const struct ynode *v,
				    bool one_ok, size_t *n)
{
	const struct ynode **list;
	size_t i = 0;

	*n = 0;
	if (v->type == Y_SCALAR && one_ok) {
		list = pool_array(r->s.pool, 1, sizeof(*list));
		list[0] = v;
		*n = 1;
		return list;
	}
	if (!is_seq(r, v))
		return NULL;
	if (v->n_kids == 0)
		bad(&r->s, v, 2208, "write at least one, or remove the key",
		    "an empty sequence selects nothing");
	list = pool_array(r->s.pool, v->n_kids + 1, sizeof(*list));
	for (const struct ynode *c = v->kids; c; c = c->next)
		list[i++] = c;
	*n = i;
	return list;
}

bool ph_plain(const struct src *s, const struct ynode *v, const char **t)
{
	if (!is_scalar(s, v))
		return false;
	*t = (const char *)v->s.p;
	return true;
}

const char *const *text_list(struct rd *r, const struct ynode *v, bool one_ok,
			     bool (*one)(const struct src *,
					 const struct ynode *, const char **),
			     size_t *n)
{
	size_t count, at = 0;
	const struct ynode *const *e = elements(r, v, one_ok, &count);
	const char **list = pool_array(r->s.pool, count + 1, sizeof(*list));

	for (size_t i = 0; i < count; i++) {
		if (one(&r->s, e[i], &list[at]))
			at++;
	}
	*n = at;
	return list;
}

/* --- single members ------------------------------------------------------ */

#define TEXT_MAX_CHARS 160

void get_text(struct rd *r, const struct ynode *v, void *at)
{
	size_t chars = 0;

	if (ph_asked(&r->s, v, PH_TEXT))
		return;
	if (v->type != Y_SCALAR || v->s.n == 0) {
		is_scalar(&r->s, v);
		return;
	}
	for (size_t i = 0; i < v->s.n; i++)
		chars += (v->s.p[i] & 0xc0) != 0x80;
	if (chars > TEXT_MAX_CHARS)
		bad(&r->s, v, 3123, "at most 160 characters",
		    "a text of %zu characters", chars);
	*(const char **)at = (const char *)v->s.p;
}

void get_name(struct rd *r, const struct ynode *v, void *at)
{
	ph_name(&r->s, v, at);
}

void get_plain(struct rd *r, const struct ynode *v, void *at)
{
	ph_plain(&r->s, v, at);
}

void get_rdn(struct rd *r, const struct ynode *v, void *at)
{
	ph_rdn(&r->s, v, at);
}

void get_duration(struct rd *r, const struct ynode *v, void *at)
{
	ph_duration(&r->s, v, at);
}

static const struct word dir_words[] = {
	{"in",  DIRSEL_IN },
        {"out", DIRSEL_OUT},
        {"any", DIRSEL_ANY},
        {NULL,  0         }
};

void get_dirsel(struct rd *r, const struct ynode *v, void *at)
{
	int k;

	if (ph_word(&r->s, v, 3120, "a direction", dir_words, &k))
		*(enum pol_dirsel *)at = (enum pol_dirsel)k;
}

void get_action(struct rd *r, const struct ynode *v, void *at)
{
	ph_action(&r->s, v, at);
}

void get_severity(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"info",     SEV_INFO    },
                {"low",      SEV_LOW     },
		{"medium",   SEV_MEDIUM  },
                {"high",     SEV_HIGH    },
		{"critical", SEV_CRITICAL},
                {NULL,       0           }
        };
	int k;

	if (ph_word(&r->s, v, 3120, "a severity", words, &k))
		*(enum severity *)at = (enum severity)k;
}

void get_consent(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"none",    CONSENT_NONE   },
		{"opt-out", CONSENT_OPT_OUT},
		{"opt-in",  CONSENT_OPT_IN },
		{NULL,      0              }
        };
	int k;

	if (ph_word(&r->s, v, 3120, "a kind of consent", words, &k))
		*(enum pol_consent *)at = (enum pol_consent)k;
}

void get_meas(struct rd *r, const struct ynode *v, void *at)
{
	size_t n;
	const struct ynode *const *e = elements(r, v, true, &n);
	meas_set all = 0, m;

	for (size_t i = 0; i < n; i++) {
		if (ph_meas(&r->s, e[i], &m))
			all |= m;
	}
	*(meas_set *)at = all;
}

void get_limit(struct rd *r, const struct ynode *v, void *at)
{
	ph_limit(&r->s, v, at);
}

void get_seconds(struct rd *r, const struct ynode *v, void *at)
{
	ph_date(&r->s, v, at);
}

void get_bool(struct rd *r, const struct ynode *v, void *at)
{
	ph_bool(&r->s, v, at);
}

void get_nothing(struct rd *r, const struct ynode *v, void *at)
{
	(void)r, (void)v, (void)at;
}

void get_mode(struct rd *r, const struct ynode *v, void *at)
{
	static const struct key rows[] = {
		{"monitor-until", KEY_REQUIRED, 0, get_seconds, NULL},
	};
	static const struct keys keys = KEYS("a mode", rows);
	static const struct word words[] = {
		{"enforce", 0},
                {NULL,      0}
        };
	int k;

	if (v->type == Y_SCALAR)
		ph_word(&r->s, v, 3120,
			"a mode (enforce or {monitor-until: DATE})", words, &k);
	else
		read_map(r, v, &keys, at);
	if (*(int64_t *)at > r->now_s + POL_MONITOR_MOST_S)
		bad(&r->s, yaml_get(v, "monitor-until"), 3134,
		    "a day at most 30 days ahead",
		    "monitoring would not end for more than 30 days");
}

void get_vm_sel(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_vm_sel *sel = at;

	if (yaml_is(v, "any")) {
		sel->any = true;
		return;
	}
	sel->any = false;
	sel->vm = text_list(r, v, true, ph_name, &sel->n_vm);
}

static const struct word role_words[] = {
	{"metering",        ROLE_METERING       },
	{"grid",            ROLE_GRID           },
	{"flexibility",     ROLE_FLEXIBILITY    },
	{"service",         ROLE_SERVICE        },
	{"software-update", ROLE_SOFTWARE_UPDATE},
	{"household",       ROLE_HOUSEHOLD      },
	{"infrastructure",  ROLE_INFRASTRUCTURE },
	{"vm",              ROLE_VM             },
	{NULL,              0		   },
};

uint32_t read_roles(struct rd *r, const struct ynode *v)
{
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	uint32_t set = 0;
	int k;

	for (size_t i = 0; i < n; i++) {
		if (ph_word(&r->s, e[i], 3120, "a role", role_words, &k))
			set |= 1u << k;
	}
	return set;
}

/* --- party selectors ----------------------------------------------------- */

static void sel_role(struct rd *r, const struct ynode *v, void *at)
{
	((struct pol_party_sel *)at)->roles = read_roles(r, v);
}

static void sel_country(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_sel *sel = at;

	sel->country = text_list(r, v, false, ph_country, &sel->n_country);
}

static void sel_operator(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_sel *sel = at;

	sel->operator_ = text_list(r, v, false, ph_plain, &sel->n_operator);
}

static const struct key party_sel_rows[] = {
	{"role",     0, 0, sel_role,     NULL},
	{"country",  0, 0, sel_country,  NULL},
	{"operator", 0, 0, sel_operator, NULL},
};
static const struct keys party_sel_keys =
	KEYS("a selection of parties", party_sel_rows);

void get_party_sel(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_sel *sel = at;
	size_t n;
	const struct ynode *const *e;
	uint16_t *list;

	sel->any = false;
	if (r->f->kind != POL_VENDOR) {
		if (v->type == Y_SCALAR && v->s.n) {
			bad(&r->s, v, 2206, "write {role: [metering]}",
			    "only a vendor's file selects parties by name");
			return;
		}
		read_map(r, v, &party_sel_keys, sel);
		if (v->type == Y_MAP && v->n_kids == 0)
			bad(&r->s, v, 2208, "name a role, country or operator",
			    "an empty selection");
		return;
	}
	if (v->type == Y_MAP) {
		bad(&r->s, v, 2203, "name one of the file's parties",
		    "a vendor's file selects parties by name");
		return;
	}
	e = elements(r, v, true, &n);
	list = pool_array(r->s.pool, n + 1, sizeof(*list));
	for (size_t i = 0; i < n; i++) {
		int k = resolve(r, e[i], &r->parties, 3202, "party");

		if (k >= 0)
			list[sel->n_party++] = (uint16_t)k;
	}
	sel->party = list;
}
