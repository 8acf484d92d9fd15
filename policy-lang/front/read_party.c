/* SPDX-License-Identifier: Apache-2.0 */
/* Parties, and those of libraries that are referred to. */
#include <stdlib.h>

#include "policy-lang/front/schema.h"

#define MAX_PARTIES  64
#define MAX_PREFIXES 512

static void party_role(struct rd *r, const struct ynode *v, void *at)
{
	/* As in a selector, but one. */
	struct ynode seq = {.type = Y_SEQ, .kids = NULL, .n_kids = 1};
	struct ynode one = *v;
	uint32_t set;

	one.next = NULL;
	seq.kids = &one;
	if (!is_scalar(&r->s, v))
		return;
	set = read_roles(r, &seq);
	if (set)
		((struct pol_party_src *)at)->role =
			(enum pol_role)__builtin_ctz(set);
}

static void party_country(struct rd *r, const struct ynode *v, void *at)
{
	ph_country(&r->s, v, &((struct pol_party_src *)at)->country);
}

const struct pol_prefix *read_prefixes(struct rd *r, const struct ynode *v,
				       size_t *n)
{
	size_t count;
	const struct ynode *const *e = elements(r, v, false, &count);
	struct pol_prefix *p = pool_array(r->s.pool, count + 1, sizeof(*p));

	*n = 0;
	for (size_t i = 0; i < count; i++)
		*n += ph_cidr(&r->s, e[i], &p[*n]);
	r->prefixes += count;
	if (r->prefixes > MAX_PREFIXES && r->prefixes - count <= MAX_PREFIXES)
		bad(&r->s, v, 3301, NULL, "more than %d prefixes in one file",
		    MAX_PREFIXES);
	return p;
}

static void party_address(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;

	p->addr = read_prefixes(r, v, &p->n_addr);
}

static void party_ports(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	struct pol_port *list = pool_array(r->s.pool, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		p->n_port += ph_port(&r->s, e[i], &list[p->n_port]);
	p->port = list;
}

static void party_dns(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;

	if (!ph_plain(&r->s, v, &p->dns))
		return;
	for (size_t i = 0; i < v->s.n; i++) {
		uint8_t c = v->s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || (c == '.' && i && i + 1 < v->s.n))
			continue;
		bad_part(&r->s, v, i, 1, 3131,
			 "small letters, digits, '-' and dots",
			 "not the name of a host");
		return;
	}
}

static void party_aptitle(struct rd *r, const struct ynode *v, void *at)
{
	ph_oid(&r->s, v, &((struct pol_party_src *)at)->aptitle);
}

static void tls_names(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;

	p->tls_name = text_list(r, v, false, ph_plain, &p->n_tls_name);
}

static void tls_pins(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	uint8_t(*pin)[32] = pool_array(r->s.pool, n + 1, sizeof(*pin));

	for (size_t i = 0; i < n; i++)
		p->n_tls_pin += ph_hex32(&r->s, e[i], "", pin[p->n_tls_pin]);
	p->tls_pin = (const uint8_t(*)[32])pin;
}

static void tls_mode(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"gateway",    0},
                {"end-to-end", 1},
                {NULL,         0}
        };
	int k;

	if (ph_word(&r->s, v, 3120, "a mode of TLS", words, &k))
		((struct pol_party_src *)at)->tls_end_to_end = k;
}

static const struct key tls_rows[] = {
	{"names",       0, 0, tls_names, NULL},
	{"spki-sha256", 0, 0, tls_pins,  NULL},
	{"mode",        0, 0, tls_mode,  NULL},
};
static const struct keys tls_keys = KEYS("tls", tls_rows);

static void party_tls(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_party_src *p = at;

	p->tls = true;
	read_map(r, v, &tls_keys, at);
	if (v->type == Y_MAP && !yaml_get(v, "names") &&
	    !yaml_get(v, "spki-sha256") && !p->tls_end_to_end)
		bad(&r->s, v->key, 2209, "who may answer?",
		    "tls needs names or spki-sha256");
}

#define PARTY(m) offsetof(struct pol_party_src, m)
static const struct key party_rows[] = {
	{"name",           KEY_REQUIRED, PARTY(name),      get_text,      NULL     },
	{"operator",       0,            PARTY(operator_), get_plain,     NULL     },
	{"role",           KEY_REQUIRED, 0,                party_role,    NULL     },
	{"country",        0,            0,                party_country, NULL     },
	{"keeps-data-for", 0,            PARTY(keeps_ns),  get_duration,  NULL     },
	{"vm",             0,            PARTY(vm),        get_name,      NULL     },
	{"address",        0,            0,                party_address, NULL     },
	{"dns",            0,            0,                party_dns,     NULL     },
	{"ports",          0,            0,                party_ports,   NULL     },
	{"aptitle",        0,            0,                party_aptitle, NULL     },
	{"tls",            0,            0,                party_tls,     &tls_keys},
};
const struct keys party_keys = KEYS("a party", party_rows);

static void check_party(struct rd *r, const struct ynode *v,
			const struct pol_party_src *p)
{
	static const char *const not_vm[] = {"address", "dns", "ports",
					     "aptitle", "tls"};

	for (size_t i = 0; p->vm && i < 5; i++) {
		const struct ynode *c = yaml_get(v, not_vm[i]);

		if (c)
			bad(&r->s, c->key, 2103, NULL,
			    "a machine inside the meter has no '%s'",
			    not_vm[i]);
	}
	if ((p->role == ROLE_VM) != (p->vm != NULL))
		bad(&r->s, v->key, 2103, "role: vm and vm: NAME go together",
		    p->vm ? "a machine has the role vm"
			  : "the role vm needs the machine's name");
	if (p->dns && !p->tls)
		bad(&r->s, yaml_get(v, "dns")->key, 2103,
		    "add tls: names in answers can be forged",
		    "dns without tls");
	if (!p->vm && !p->n_addr && !p->dns && !p->aptitle.n)
		bad(&r->s, v->key, 2209, NULL,
		    "a party needs an address, a dns name, an aptitle or vm");
}

static void read_party(struct rd *r, const struct ynode *v,
		       struct pol_party_src *p)
{
	size_t before = r->s.d->errors;

	p->id = (const char *)v->key->s.p;
	p->pos = (struct pol_pos){v->key->line, v->key->col};
	read_map(r, v, &party_keys, p);
	if (v->type == Y_MAP && r->s.d->errors == before)
		check_party(r, v, p);
}

static const char *copy_text(struct rd *r, const char *t)
{
	return t ? pool_text(r->s.pool, span_str(t)) : NULL;
}

static void *copy_array(struct rd *r, const void *v, size_t n, size_t size)
{
	void *c = pool_array(r->s.pool, n + 1, size);

	if (n)
		memcpy(c, v, n * size);
	return c;
}

/* A party of a library becomes ours: the library may be freed before. */
static void import_party(struct rd *r, const char *id,
			 const struct pol_party_src *from,
			 const struct ynode *at, struct pol_party_src *p)
{
	const char **names;

	*p = *from;
	p->id = copy_text(r, id);
	p->name = copy_text(r, from->name);
	p->operator_ = copy_text(r, from->operator_);
	p->country = copy_text(r, from->country);
	p->dns = copy_text(r, from->dns);
	p->vm = copy_text(r, from->vm);
	p->addr = copy_array(r, from->addr, from->n_addr, sizeof(*p->addr));
	p->port = copy_array(r, from->port, from->n_port, sizeof(*p->port));
	p->tls_pin = copy_array(r, from->tls_pin, from->n_tls_pin,
				sizeof(*p->tls_pin));
	p->aptitle.p = copy_array(r, from->aptitle.p, from->aptitle.n, 1);
	names = pool_array(r->s.pool, from->n_tls_name + 1, sizeof(*names));
	for (size_t i = 0; i < from->n_tls_name; i++)
		names[i] = copy_text(r, from->tls_name[i]);
	p->tls_name = names;
	p->pos = (struct pol_pos){at->line, at->col};
}

struct import {
	const char *ref;
	const struct pol_party_src *from;
	const struct ynode *at;
};

static const struct pol_party_src *lib_party(const struct pol_file *lib,
					     const char *name)
{
	for (size_t i = 0; i < lib->n_party; i++) {
		if (strcmp(lib->party[i].id, name) == 0)
			return &lib->party[i];
	}
	return NULL;
}

/* What stands under a key `party`, anywhere, and names a library's party. */
static void find_imports(struct rd *r, const struct ynode *v, bool party,
			 struct import *in, size_t *n)
{
	const struct pol_party_src *from;
	const struct pol_file *lib;
	const char *name = NULL;

	for (const struct ynode *c = v->kids; c; c = c->next)
		find_imports(r, c,
			     (v->type == Y_SEQ && party) ||
				     (c->key && yaml_is(c->key, "party")),
			     in, n);
	if (v->type != Y_SCALAR || !party || *n >= MAX_PARTIES)
		return;
	lib = use_find(r, v->s, &name);
	from = lib ? lib_party(lib, name) : NULL;
	if (!from)
		return;
	for (size_t i = 0; i < *n; i++) {
		if (yaml_is(v, in[i].ref))
			return;
	}
	in[(*n)++] = (struct import){(const char *)v->s.p, from, v};
}

static int party_order(const void *a, const void *b)
{
	return strcmp(((const struct pol_party_src *)a)->id,
		      ((const struct pol_party_src *)b)->id);
}

void read_parties(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "parties");
	const struct ynode **own = NULL;
	struct import in[MAX_PARTIES];
	size_t n_own = 0, n_in = 0;
	struct pol_party_src *p;
	const char **names;

	if (v)
		own = named(r, v, MAX_PARTIES, "parties", &n_own);
	if (r->f->kind == POL_VENDOR)
		find_imports(r, r->root, false, in, &n_in);
	if (n_own + n_in > MAX_PARTIES) {
		bad(&r->s, r->root, 3301, NULL, "more than %d parties",
		    MAX_PARTIES);
		n_in = MAX_PARTIES - n_own;
	}
	p = pool_array(r->s.pool, n_own + n_in + 1, sizeof(*p));
	for (size_t i = 0; i < n_own; i++)
		read_party(r, own[i], &p[i]);
	for (size_t i = 0; i < n_in; i++)
		import_party(r, in[i].ref, in[i].from, in[i].at, &p[n_own + i]);
	qsort(p, n_own + n_in, sizeof(*p), party_order);
	names = pool_array(r->s.pool, n_own + n_in + 1, sizeof(*names));
	for (size_t i = 0; i < n_own + n_in; i++)
		names[i] = p[i].id;
	r->f->party = p;
	r->f->n_party = n_own + n_in;
	r->parties = (struct names){names, n_own + n_in};
}
