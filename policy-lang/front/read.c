/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file: its header, what it uses, its parties, and the bodies of the
 * binding, the baseline's own parts, the customer's answers and libraries.
 * Rules are in read_rule.c, tests in read_suite.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/wbuf.h"
#include "policy-lang/front/read.h"
#include "policy-lang/front/schema.h"
#include "policy-lang/image/image.h"

#define MAX_PARTIES  64
#define MAX_PREFIXES 512
#define MAX_MACHINES 16
#define MAX_KEYS     64

const struct word kind_words[] = {
	{"binding",  POL_BINDING },
	{"baseline", POL_BASELINE},
	{"vendor",   POL_VENDOR	 },
	{"customer", POL_CUSTOMER},
	{"library",  POL_LIBRARY },
	{"tests",    POL_TESTS	 },
	{NULL,	     0		 },
};

/* --- header ---------------------------------------------------------------------- */

static void get_version(struct rd *r, const struct ynode *v, void *at)
{
	char buf[SHOW];

	(void)at;
	if (is_scalar(&r->s, v) && !yaml_is(v, "1"))
		bad(&r->s, v, 2002, "this polc knows version 1",
		    "version '%s' of the language is not known",
		    show(buf, v->s));
}

static void get_serial(struct rd *r, const struct ynode *v, void *at)
{
	ph_integer(&r->s, v, 1, UINT64_C(1) << 53, at);
}

static const struct key valid_rows[] = {
	{"from", KEY_REQUIRED, offsetof(struct pol_file, valid_from_s),
	 get_seconds, NULL},
	{"until", KEY_REQUIRED, offsetof(struct pol_file, valid_until_s),
	 get_seconds, NULL},
};
static const struct keys valid_keys = KEYS("a validity", valid_rows);

static void get_valid(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;

	read_map(r, v, &valid_keys, f);
	if (f->valid_from_s && f->valid_until_s &&
	    f->valid_until_s <= f->valid_from_s)
		bad(&r->s, yaml_get(v, "until"), 3115,
		    "the day after the last day", "ends before it begins");
}

/* --- use -------------------------------------------------------------------------- */

static const struct pol_file *find_lib(const struct pol_lib *libs,
				       struct span id)
{
	for (size_t i = 0; libs && i < libs->n; i++) {
		if (libs->lib[i]->kind == POL_LIBRARY &&
		    span_is(id, libs->lib[i]->id))
			return libs->lib[i];
	}
	return NULL;
}

static void read_one_use(struct rd *r, const struct ynode *v)
{
	const uint8_t *at;
	const struct pol_file *lib;
	struct span id, serial;
	uint64_t min = 0;
	char buf[SHOW];

	if (!is_scalar(&r->s, v))
		return;
	at = memchr(v->s.p, '@', v->s.n);
	id = span_sub(v->s, 0, at ? (size_t)(at - v->s.p) : 0);
	serial = span_from(v->s, id.n + 1);
	for (size_t i = 0; i < serial.n && i < 16; i++)
		min = serial.p[i] >= '0' && serial.p[i] <= '9' ?
			      min * 10 + (uint64_t)(serial.p[i] - '0') :
			      UINT64_MAX / 16;
	if (!at || id.n == 0 || serial.n == 0 || serial.n > 16 ||
	    min >= UINT64_MAX / 16) {
		bad(&r->s, v, 3207, "write 'org.example.lib.home@3'",
		    "'%s' is not a library and its serial", show(buf, v->s));
		return;
	}
	lib = find_lib(r->libs, id);
	if (!lib) {
		bad(&r->s, v, 3207,
		    "give its file too, or put it into the same directory",
		    "the library '%s' is not among the files",
		    show(buf, id));
		return;
	}
	if (lib->serial < min) {
		bad_part(&r->s, v, id.n + 1, serial.n, 3207, NULL,
			 "the library at hand has serial %llu only",
			 (unsigned long long)lib->serial);
		return;
	}
	if (r->n_use < USE_MAX)
		r->use[r->n_use++] = (struct use){
			(const char *)v->key->s.p, lib, v};
}

static void read_use(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "use");
	const struct ynode **list;
	size_t n;

	if (!v)
		return;
	list = named(r, v, USE_MAX, "libraries", &n);
	for (size_t i = 0; list && i < n; i++)
		read_one_use(r, list[i]);
}

/* The library that "alias/name" refers to and the name in it, or NULL. */
static const struct pol_file *used(struct rd *r, struct span ref,
				   const char **name)
{
	const uint8_t *slash = ref.n ? memchr(ref.p, '/', ref.n) : NULL;

	for (size_t i = 0; slash && i < r->n_use; i++) {
		if (span_is(span_sub(ref, 0, (size_t)(slash - ref.p)),
			    r->use[i].alias)) {
			*name = (const char *)slash + 1;
			return r->use[i].lib;
		}
	}
	return NULL;
}

/* --- parties ------------------------------------------------------------------------ */

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

static const struct pol_prefix *prefixes(struct rd *r, const struct ynode *v,
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

	p->addr = prefixes(r, v, &p->n_addr);
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
	uint8_t (*pin)[32] = pool_array(r->s.pool, n + 1, sizeof(*pin));

	for (size_t i = 0; i < n; i++)
		p->n_tls_pin += ph_hex32(&r->s, e[i], "", pin[p->n_tls_pin]);
	p->tls_pin = (const uint8_t (*)[32])pin;
}

static void tls_mode(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {{"gateway", 0}, {"end-to-end", 1},
					    {NULL, 0}};
	int k;

	if (ph_word(&r->s, v, 3120, "a mode of TLS", words, &k))
		((struct pol_party_src *)at)->tls_end_to_end = k;
}

static const struct key tls_rows[] = {
	{"names",	 0, 0, tls_names, NULL},
	{"spki-sha256", 0, 0, tls_pins,	 NULL},
	{"mode",	 0, 0, tls_mode,  NULL},
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
	{"name",	   KEY_REQUIRED, PARTY(name),	  get_text,	 NULL},
	{"operator",	   0,		 PARTY(operator_), get_plain,	 NULL},
	{"role",	   KEY_REQUIRED, 0,		  party_role,	 NULL},
	{"country",	   0,		 0,		  party_country, NULL},
	{"keeps-data-for", 0,		 PARTY(keeps_ns), get_duration,	 NULL},
	{"vm",		   0,		 PARTY(vm),	  get_name,	 NULL},
	{"address",	   0,		 0,		  party_address, NULL},
	{"dns",		   0,		 0,		  party_dns,	 NULL},
	{"ports",	   0,		 0,		  party_ports,	 NULL},
	{"aptitle",	   0,		 0,		  party_aptitle, NULL},
	{"tls",		   0,		 0,		  party_tls,	 &tls_keys},
};
static const struct keys party_keys = KEYS("a party", party_rows);

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
		    p->vm ? "a machine has the role vm" :
			    "the role vm needs the machine's name");
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
		find_imports(r, c, (v->type == Y_SEQ && party) ||
				   (c->key && yaml_is(c->key, "party")),
			     in, n);
	if (v->type != Y_SCALAR || !party || *n >= MAX_PARTIES)
		return;
	lib = used(r, v->s, &name);
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

static void read_parties(struct rd *r)
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
		import_party(r, in[i].ref, in[i].from, in[i].at,
			     &p[n_own + i]);
	qsort(p, n_own + n_in, sizeof(*p), party_order);
	names = pool_array(r->s.pool, n_own + n_in + 1, sizeof(*names));
	for (size_t i = 0; i < n_own + n_in; i++)
		names[i] = p[i].id;
	r->f->party = p;
	r->f->n_party = n_own + n_in;
	r->parties = (struct names){names, n_own + n_in};
}

/* --- meter profiles ------------------------------------------------------------------ */

/* A mapping from table numbers: calls one for each. */
static void by_table(struct rd *r, const struct ynode *v, uint32_t lo,
		     uint32_t hi, uint32_t max, struct pol_profile *p,
		     void (*one)(struct rd *, const struct ynode *, uint32_t,
				 struct pol_profile *))
{
	const struct ynode **list;
	struct pol_range t;

	if (!is_map(r, v))
		return;
	if (v->n_kids > max) {
		bad(&r->s, v->key, 3301, NULL, "more than %u tables", max);
		return;
	}
	list = yaml_sorted(r->s.pool, v);
	for (size_t i = 0; i < v->n_kids; i++) {
		if (!ph_range(&r->s, list[i]->key, lo, hi, &t))
			continue;
		if (t.lo != t.hi)
			bad(&r->s, list[i]->key, 3107, NULL,
			    "one table, not a range");
		else
			one(r, list[i], t.lo, p);
	}
}

static void one_lp(struct rd *r, const struct ynode *v, uint32_t table,
		   struct pol_profile *p)
{
	int64_t ns;

	if (!ph_duration(&r->s, v, &ns) || p->n_lp >= 4)
		return;
	if (ns < NS_PER_S || ns / NS_PER_S > UINT32_MAX)
		bad(&r->s, v, 3101, "from 1 s on", "not a useful interval");
	p->lp[p->n_lp].table = table;
	p->lp[p->n_lp++].interval_s = (uint32_t)(ns / NS_PER_S);
}

static void one_mfg(struct rd *r, const struct ynode *v, uint32_t table,
		    struct pol_profile *p)
{
	meas_set m = 0;

	get_meas(r, v, &m);
	if (p->n_mfg >= POL_PROFILE_TABLES)
		return;
	p->mfg[p->n_mfg].table = table;
	p->mfg[p->n_mfg++].meas = m;
}

static void profile_lp(struct rd *r, const struct ynode *v, void *at)
{
	by_table(r, v, 64, 67, 4, at, one_lp);
}

static void profile_mfg(struct rd *r, const struct ynode *v, void *at)
{
	by_table(r, v, 2048, 12287, POL_PROFILE_TABLES, at, one_mfg);
}

static void profile_res(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_profile *p = at;
	struct quantity q;

	if (!ph_quantity(&r->s, v, &q))
		return;
	if (q.unit != UNIT_WH || q.milli == 0)
		bad(&r->s, v, 4109, "write '10 Wh'",
		    "the resolution of a register is an amount of energy");
	p->register_res_milli_wh = (uint64_t)q.milli;
}

static const struct key profile_rows[] = {
	{"load-profile",	0, 0, profile_lp,  NULL},
	{"register-resolution", 0, 0, profile_res, NULL},
	{"manufacturer-tables", 0, 0, profile_mfg, NULL},
};
static const struct keys profile_keys = KEYS("a meter profile", profile_rows);

static void get_profiles(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	struct pol_named_profile *p;
	size_t n;
	const struct ynode **list = named(r, v, 64, "profiles", &n);

	p = pool_array(r->s.pool, n + 1, sizeof(*p));
	for (size_t i = 0; list && i < n; i++) {
		p[i].id = (const char *)list[i]->key->s.p;
		p[i].profile.present = 1;
		read_map(r, list[i], &profile_keys, &p[i].profile);
	}
	f->named_profile = p;
	f->n_named_profile = n;
}

/* --- binding ---------------------------------------------------------------------------- */

static void meter_zone(struct rd *r, const struct ynode *v, void *at)
{
	bool ok = ph_plain(&r->s, v, at);

	for (size_t i = 0; ok && i < v->s.n; i++) {
		uint8_t c = v->s.p[i];

		ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		     (c >= '0' && c <= '9') || (c && strchr("_+-/", c));
		if (!ok || (i == 0 && c == '/'))
			bad(&r->s, v, 3125, "write 'Europe/London'",
			    "not the name of a time zone");
	}
}

static void meter_billing(struct rd *r, const struct ynode *v, void *at)
{
	uint64_t day;

	if (ph_integer(&r->s, v, 1, 28, &day))
		((struct pol_file *)at)->billing_day = (uint8_t)day;
}

static void meter_profile(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	const struct pol_file *lib;
	const char *name;
	char buf[SHOW];

	if (!ph_ref(&r->s, v, &name))
		return;
	lib = used(r, v->s, &name);
	for (size_t i = 0; lib && i < lib->n_named_profile; i++) {
		if (strcmp(lib->named_profile[i].id, name) == 0) {
			f->profile = lib->named_profile[i].profile;
			return;
		}
	}
	bad(&r->s, v, 3211, "profiles stand in libraries: LIBRARY/NAME",
	    "no meter profile is called '%s'", show(buf, v->s));
}

#define FILE_OFF(m) offsetof(struct pol_file, m)
static const struct key meter_rows[] = {
	{"id",		KEY_REQUIRED, FILE_OFF(meter_id), get_plain,	 NULL},
	{"timezone",	KEY_REQUIRED, FILE_OFF(timezone), meter_zone,	 NULL},
	{"billing-day", KEY_REQUIRED, 0,		  meter_billing, NULL},
	{"profile",	0,	      0,		  meter_profile, NULL},
};
static const struct keys meter_keys = KEYS("a meter", meter_rows);

static void get_meter(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &meter_keys, at);
}

static void get_keys(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	size_t n;
	const struct ynode **list = named(r, v, MAX_KEYS, "keys", &n);
	struct pol_key_src *k = pool_array(r->s.pool, n + 1, sizeof(*k));
	const char **names = pool_array(r->s.pool, n + 1, sizeof(*names));

	for (size_t i = 0; list && i < n; i++) {
		names[i] = k[i].id = (const char *)list[i]->key->s.p;
		ph_hex32(&r->s, list[i], "ed25519:", k[i].ed25519);
	}
	f->key = k;
	f->n_key = n;
	r->keys = (struct names){names, n};
}

static void vm_interface(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_vm_src *vm = at;

	if (!ph_plain(&r->s, v, &vm->interface))
		return;
	if (v->s.n > 15 || memchr(v->s.p, '/', v->s.n) ||
	    memchr(v->s.p, ' ', v->s.n))
		bad(&r->s, v, 3132, "at most 15 characters, no '/' or spaces",
		    "not the name of an interface");
}

static void vm_mac(struct rd *r, const struct ynode *v, void *at)
{
	ph_mac(&r->s, v, ((struct pol_vm_src *)at)->mac);
}

static void vm_addresses(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_vm_src *vm = at;

	vm->addr = prefixes(r, v, &vm->n_addr);
}

static void vm_signed_by(struct rd *r, const struct ynode *v, void *at)
{
	int k = resolve(r, v, &r->keys, 3208, "key");

	if (k >= 0)
		((struct pol_vm_src *)at)->signed_by = r->keys.v[k];
}

static void vm_attestation(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {{"required", ATT_REQUIRED},
					    {"optional", ATT_OPTIONAL},
					    {"none", ATT_NONE},
					    {NULL, 0}};
	struct pol_vm_src *vm = at;
	int k;

	if (!ph_word(&r->s, v, 3120, "a kind of attestation", words, &k))
		return;
	vm->attestation = k == ATT_REQUIRED ? ATT_REQUIRED :
			  k == ATT_OPTIONAL ? ATT_OPTIONAL : ATT_NONE;
}

#define VM(m) offsetof(struct pol_vm_src, m)
static const struct key vm_rows[] = {
	{"title",	KEY_REQUIRED, VM(title),  get_text,	  NULL},
	{"interface",	KEY_REQUIRED, 0,	  vm_interface,	  NULL},
	{"mac",		KEY_REQUIRED, 0,	  vm_mac,	  NULL},
	{"addresses",	KEY_REQUIRED, 0,	  vm_addresses,	  NULL},
	{"policy",	KEY_REQUIRED, VM(policy), get_rdn,	  NULL},
	{"signed-by",	KEY_REQUIRED, 0,	  vm_signed_by,	  NULL},
	{"attestation", KEY_REQUIRED, 0,	  vm_attestation, NULL},
	{"attestation-max-age", 0, VM(attestation_max_ns), get_duration, NULL},
};
static const struct keys vm_keys = KEYS("a machine", vm_rows);

static bool overlap_prefix(const struct pol_prefix *a,
			   const struct pol_prefix *b)
{
	unsigned n = a->len < b->len ? a->len : b->len;

	for (unsigned i = 0; i < n; i++) {
		unsigned bit = 7 - i % 8;

		if ((a->addr.b[i / 8] >> bit & 1) !=
		    (b->addr.b[i / 8] >> bit & 1))
			return false;
	}
	return true;
}

/* Who is who must never be in doubt. */
static void bound_twice(struct rd *r, const struct ynode *const *list,
			const struct pol_vm_src *a,
			const struct pol_vm_src *b, size_t ia, size_t ib)
{
	const char *what = NULL;
	struct diag *g;

	if (a->interface && b->interface &&
	    strcmp(a->interface, b->interface) == 0 &&
	    memcmp(a->mac, b->mac, 6) == 0)
		what = "interface and MAC address";
	for (size_t i = 0; !what && i < a->n_addr; i++) {
		for (size_t k = 0; k < b->n_addr; k++) {
			if (overlap_prefix(&a->addr[i], &b->addr[k]))
				what = "address";
		}
	}
	if (!what)
		return;
	g = diag_add(r->s.d, DIAG_ERROR, 3213, r->s.path,
		     at_node(list[ib]->key), NULL,
		     "the %s of '%s' is bound twice", what, b->id);
	diag_second(g, list[ia]->key->line, list[ia]->key->col,
		    "the other machine is here");
}

static void get_vms(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	size_t n;
	const struct ynode **list = named(r, v, MAX_MACHINES, "machines", &n);
	struct pol_vm_src *vm = pool_array(r->s.pool, n + 1, sizeof(*vm));

	for (size_t i = 0; list && i < n; i++) {
		vm[i].id = (const char *)list[i]->key->s.p;
		vm[i].pos = (struct pol_pos){list[i]->key->line,
					     list[i]->key->col};
		vm[i].attestation_max_ns = 24 * 3600 * NS_PER_S;
		read_map(r, list[i], &vm_keys, &vm[i]);
		for (size_t k = 0; k < i; k++)
			bound_twice(r, list, &vm[k], &vm[i], k, i);
	}
	f->machine = vm;
	f->n_machine = n;
}

/* --- baseline's own ----------------------------------------------------------------------- */

static const struct key consent_rule_rows[] = {
	{"measurement", KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, meas), get_meas, NULL},
	{"finer-than", KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, finer_than_ns), get_duration,
	 NULL},
	{"minimum", KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, minimum), get_consent, NULL},
};
static const struct keys consent_rule_keys =
	KEYS("a consent rule", consent_rule_rows);

static void get_consent_rules(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	size_t n;
	const struct ynode **list = named(r, v, 64, "consent rules", &n);
	struct pol_consent_rule_src *c =
		pool_array(r->s.pool, n + 1, sizeof(*c));

	for (size_t i = 0; list && i < n; i++) {
		c[i].id = (const char *)list[i]->key->s.p;
		c[i].pos = (struct pol_pos){list[i]->key->line,
					    list[i]->key->col};
		read_map(r, list[i], &consent_rule_keys, &c[i]);
	}
	f->consent_rule = c;
	f->n_consent_rule = n;
}

static const struct key floor_rows[] = {
	{"vm", KEY_REQUIRED, offsetof(struct pol_floor_src, vm), get_name,
	 NULL},
	{"measurement", KEY_REQUIRED, offsetof(struct pol_floor_src, meas),
	 get_meas, NULL},
	{"keep", KEY_REQUIRED, offsetof(struct pol_floor_src, keep), get_limit,
	 NULL},
};
static const struct keys floor_keys = KEYS("a floor", floor_rows);

static void get_floors(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	size_t n;
	const struct ynode **list = named(r, v, 64, "floors", &n);
	struct pol_floor_src *l = pool_array(r->s.pool, n + 1, sizeof(*l));

	for (size_t i = 0; list && i < n; i++) {
		l[i].id = (const char *)list[i]->key->s.p;
		l[i].pos = (struct pol_pos){list[i]->key->line,
					    list[i]->key->col};
		read_map(r, list[i], &floor_keys, &l[i]);
	}
	f->floor = l;
	f->n_floor = n;
}

static void widening_roles(struct rd *r, const struct ynode *v, void *at)
{
	((struct pol_file *)at)->widening_roles = read_roles(r, v);
}

static const struct key widening_rows[] = {
	{"roles", KEY_REQUIRED, 0, widening_roles, NULL},
	{"notice", KEY_REQUIRED, FILE_OFF(widening_notice_ns), get_duration,
	 NULL},
};
static const struct keys widening_keys = KEYS("widening", widening_rows);

static void get_widening(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &widening_keys, at);
}

/* --- customer ------------------------------------------------------------------------------- */

static void get_answers(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	struct pol_answer_src *a;

	read_answers(r, v, &a, &f->n_answer);
	f->answer = a;
}

static void get_policies(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;

	f->test_policy = text_list(r, v, false, ph_plain, &f->n_test_policy);
}

/* --- the files -------------------------------------------------------------------------------- */

#define HEADER                                                                 \
	{"polc", KEY_REQUIRED, 0, get_version, NULL},                          \
		{"kind", KEY_REQUIRED, 0, get_nothing, NULL},                  \
		{"id", KEY_REQUIRED, FILE_OFF(id), get_rdn, NULL},             \
		{"serial", KEY_REQUIRED, FILE_OFF(serial), get_serial, NULL},  \
		{"title", KEY_REQUIRED, FILE_OFF(title), get_text, NULL},      \
		{"contact", 0, FILE_OFF(contact), get_plain, NULL},            \
		{"vm", 0, FILE_OFF(vm), get_name, NULL},                       \
		{"valid", 0, 0, get_valid, &valid_keys},                       \
		{"use", 0, 0, get_nothing, NULL}

/* The header's rows are shared; contact and vm belong to vendors alone and
 * are refused elsewhere by check_header. */
static const struct key binding_rows[] = {
	HEADER,
	{"meter", KEY_REQUIRED, 0, get_meter, &meter_keys},
	{"keys", KEY_REQUIRED, 0, get_keys, NULL},
	{"vms", KEY_REQUIRED | KEY_NAMED, 0, get_vms, &vm_keys},
};
static const struct key baseline_rows[] = {
	HEADER,
	{"parties", KEY_NAMED, 0, get_nothing, &party_keys},
	{"ceiling", KEY_NAMED, 0, get_nothing, &ceiling_keys},
	{"deny", KEY_NAMED, 0, get_nothing, &denial_keys},
	{"limits", KEY_NAMED, 0, get_nothing, &limit_keys},
	{"consent-rules", KEY_NAMED, 0, get_consent_rules, &consent_rule_keys},
	{"floors", KEY_NAMED, 0, get_floors, &floor_keys},
	{"widening", 0, 0, get_widening, &widening_keys},
	{"assert", KEY_NAMED, 0, get_nothing, &assert_keys},
	{"fixtures", KEY_NAMED, 0, get_nothing, &step_keys},
	{"tests", KEY_NAMED, 0, get_nothing, &test_keys},
};
static const struct key vendor_rows[] = {
	HEADER,
	{"mode", 0, FILE_OFF(monitor_until_s), get_mode, NULL},
	{"parties", KEY_NAMED, 0, get_nothing, &party_keys},
	{"states", KEY_NAMED, 0, get_nothing, &state_keys},
	{"allow", KEY_NAMED, 0, get_nothing, &grant_keys},
	{"deny", KEY_NAMED, 0, get_nothing, &denial_keys},
	{"limits", KEY_NAMED, 0, get_nothing, &limit_keys},
	{"assert", KEY_NAMED, 0, get_nothing, &assert_keys},
	{"fixtures", KEY_NAMED, 0, get_nothing, &step_keys},
	{"tests", KEY_NAMED, 0, get_nothing, &test_keys},
};
static const struct key customer_rows[] = {
	HEADER,
	{"consent", 0, 0, get_answers, NULL},
	{"restrict", KEY_NAMED, 0, get_nothing, &restriction_keys},
};
static const struct key library_rows[] = {
	HEADER,
	{"parties", KEY_NAMED, 0, get_nothing, &party_keys},
	{"meter-profiles", KEY_NAMED, 0, get_profiles, &profile_keys},
};
static const struct key tests_rows[] = {
	HEADER,
	{"policies", KEY_REQUIRED, 0, get_policies, NULL},
	{"fixtures", KEY_NAMED, 0, get_nothing, &step_keys},
	{"tests", KEY_REQUIRED | KEY_NAMED, 0, get_nothing, &test_keys},
};

const struct keys *file_keys(enum pol_kind k)
{
	static const struct keys tables[] = {
		[POL_BINDING] = KEYS("a binding", binding_rows),
		[POL_BASELINE] = KEYS("a baseline", baseline_rows),
		[POL_VENDOR] = KEYS("a vendor's file", vendor_rows),
		[POL_CUSTOMER] = KEYS("a customer's file", customer_rows),
		[POL_LIBRARY] = KEYS("a library", library_rows),
		[POL_TESTS] = KEYS("a file of tests", tests_rows),
	};

	return &tables[k];
}

static void check_header(struct rd *r)
{
	static const char *const vendors[] = {"contact", "vm"};

	for (size_t i = 0; i < 2; i++) {
		const struct ynode *v = yaml_get(r->root, vendors[i]);

		if (v && r->f->kind != POL_VENDOR)
			bad(&r->s, v->key, 2101, NULL, "%s has no key '%s'",
			    file_keys(r->f->kind)->what, vendors[i]);
	}
	if (r->f->kind == POL_VENDOR && !yaml_get(r->root, "vm"))
		bad(&r->s, r->root, 2102, "which machine is it for?",
		    "a vendor's file needs the key 'vm'");
}

bool read_kind(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "kind");
	int k;

	if (!v)
		bad(&r->s, r->root, 2102, NULL,
		    "a policy needs the key 'kind'");
	if (!v || !ph_word(&r->s, v, 2001, "a kind of file", kind_words, &k))
		return false;
	r->f->kind = (enum pol_kind)k;
	return true;
}

/* SHA-256 over the canonical source and the digests of what it includes. */
static void digest(struct rd *r)
{
	struct span c = yaml_canonical(r->s.pool, r->root);
	size_t size = c.n + 32 * r->n_use;
	struct wbuf w = wbuf_of(pool_alloc(r->s.pool, size), size);

	wbuf_put(&w, c);
	/* r->use is in the order of the aliases. */
	for (size_t i = 0; i < r->n_use; i++)
		wbuf_put(&w, span_of(r->use[i].lib->source_digest, 32));
	pol_digest(wbuf_span(&w), r->f->source_digest);
}

void read_file(struct rd *r)
{
	size_t before = r->s.d->errors;

	if (!read_kind(r))
		return;
	r->f->billing_day = 1;
	check_header(r);
	read_use(r);
	read_parties(r);
	name_rules(r);
	read_map(r, r->root, file_keys(r->f->kind), r->f);
	read_states(r);
	read_rules(r);
	read_limits(r);
	read_asserts(r);
	read_tests(r);
	if (r->s.d->errors != before)
		return;
	digest(r);
	check_file(r);
}
