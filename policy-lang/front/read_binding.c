/* SPDX-License-Identifier: Apache-2.0 */
/* Meter profiles and the binding: which machine is which. */
#include "policy-lang/front/schema.h"
#include "policy-lang/front/zones.h"

#define MAX_MACHINES 16
#define MAX_KEYS     64

/* --- meter profiles ------------------------------------------------------ */

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
	{"load-profile",        0, 0, profile_lp,  NULL},
	{"register-resolution", 0, 0, profile_res, NULL},
	{"manufacturer-tables", 0, 0, profile_mfg, NULL},
};
const struct keys profile_keys = KEYS("a meter profile", profile_rows);

void get_profiles(struct rd *r, const struct ynode *v, void *at)
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

/* --- binding ------------------------------------------------------------- */

static void meter_zone(struct rd *r, const struct ynode *v, void *at)
{
	if (!ph_plain(&r->s, v, at))
		return;
	switch (zones_find(v->s)) {
	case ZONES_FOUND:
		return;
	case ZONES_NONE_HERE:
		bad(&r->s, v, 3125,
		    "install the package tzdata, or write 'UTC'",
		    "this computer has no time zones to look it up in");
		return;
	default:
		bad(&r->s, v, 3125,
		    "write a name of the tz database, such as 'Europe/London'",
		    "no time zone is called that");
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
	lib = use_find(r, v->s, &name);
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
	{"id",          KEY_REQUIRED, FILE_OFF(meter_id), get_plain,     NULL},
	{"timezone",    KEY_REQUIRED, FILE_OFF(timezone), meter_zone,    NULL},
	{"billing-day", KEY_REQUIRED, 0,                  meter_billing, NULL},
	{"profile",     0,            0,                  meter_profile, NULL},
};
const struct keys meter_keys = KEYS("a meter", meter_rows);

void get_meter(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &meter_keys, at);
}

void get_keys(struct rd *r, const struct ynode *v, void *at)
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

	vm->addr = read_prefixes(r, v, &vm->n_addr);
}

static void vm_signed_by(struct rd *r, const struct ynode *v, void *at)
{
	int k = resolve(r, v, &r->keys, 3208, "key");

	if (k >= 0)
		((struct pol_vm_src *)at)->signed_by = r->keys.v[k];
}

static void vm_attestation(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"required", ATT_REQUIRED},
		{"optional", ATT_OPTIONAL},
		{"none",     ATT_NONE    },
		{NULL,       0           }
        };
	struct pol_vm_src *vm = at;
	int k;

	if (!ph_word(&r->s, v, 3120, "a kind of attestation", words, &k))
		return;
	vm->attestation = k == ATT_REQUIRED   ? ATT_REQUIRED
			  : k == ATT_OPTIONAL ? ATT_OPTIONAL
					      : ATT_NONE;
}

#define VM(m) offsetof(struct pol_vm_src, m)
static const struct key vm_rows[] = {
	{"title",               KEY_REQUIRED, VM(title),              get_text,       NULL},
	{"interface",           KEY_REQUIRED, 0,                      vm_interface,   NULL},
	{"mac",		 KEY_REQUIRED, 0,                      vm_mac,         NULL},
	{"addresses",           KEY_REQUIRED, 0,                      vm_addresses,   NULL},
	{"policy",              KEY_REQUIRED, VM(policy),             get_rdn,        NULL},
	{"signed-by",           KEY_REQUIRED, 0,                      vm_signed_by,   NULL},
	{"attestation",         KEY_REQUIRED, 0,                      vm_attestation, NULL},
	{"attestation-max-age", 0,            VM(attestation_max_ns), get_duration,   NULL},
};
const struct keys vm_keys = KEYS("a machine", vm_rows);

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
			const struct pol_vm_src *a, const struct pol_vm_src *b,
			size_t ia, size_t ib)
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

void get_vms(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_file *f = at;
	size_t n;
	const struct ynode **list = named(r, v, MAX_MACHINES, "machines", &n);
	struct pol_vm_src *vm = pool_array(r->s.pool, n + 1, sizeof(*vm));

	for (size_t i = 0; list && i < n; i++) {
		vm[i].id = (const char *)list[i]->key->s.p;
		vm[i].pos =
			(struct pol_pos){list[i]->key->line, list[i]->key->col};
		vm[i].attestation_max_ns = 24 * 3600 * NS_PER_S;
		read_map(r, list[i], &vm_keys, &vm[i]);
		for (size_t k = 0; k < i; k++)
			bound_twice(r, list, &vm[k], &vm[i], k, i);
	}
	f->machine = vm;
	f->n_machine = n;
}
