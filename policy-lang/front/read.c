/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file: its header, what it uses, the baseline's own parts, and the keys
 * of each kind. Parties are in read_party.c, the binding in read_binding.c,
 * rules in read_rule.c and read_data.c, limits and states in read_limit.c,
 * tests in read_suite.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/wbuf.h"
#include "policy-lang/front/read.h"
#include "policy-lang/front/schema.h"
#include "policy-lang/image/image.h"

#define FILE_OFF(m) offsetof(struct pol_file, m)

const struct word kind_words[] = {
	{"binding",  POL_BINDING },
	{"baseline", POL_BASELINE},
	{"vendor",   POL_VENDOR  },
	{"customer", POL_CUSTOMER},
	{"library",  POL_LIBRARY },
	{"tests",    POL_TESTS   },
	{NULL,       0           },
};

/* --- header -------------------------------------------------------------- */

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
	{"from",  KEY_REQUIRED, offsetof(struct pol_file, valid_from_s),
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

/* --- use ----------------------------------------------------------------- */

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
		min = serial.p[i] >= '0' && serial.p[i] <= '9'
			      ? min * 10 + (uint64_t)(serial.p[i] - '0')
			      : UINT64_MAX / 16;
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
		    "the library '%s' is not among the files", show(buf, id));
		return;
	}
	if (lib->serial < min) {
		bad_part(&r->s, v, id.n + 1, serial.n, 3207, NULL,
			 "the library at hand has serial %llu only",
			 (unsigned long long)lib->serial);
		return;
	}
	if (r->n_use < USE_MAX)
		r->use[r->n_use++] =
			(struct use){(const char *)v->key->s.p, lib, v};
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

const struct pol_file *use_find(const struct rd *r, struct span ref,
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

/* --- baseline's own ------------------------------------------------------ */

static const struct key consent_rule_rows[] = {
	{"measurement", KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, meas),          get_meas,     NULL},
	{"finer-than",  KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, finer_than_ns), get_duration,
	 NULL								    },
	{"minimum",     KEY_REQUIRED,
	 offsetof(struct pol_consent_rule_src, minimum),       get_consent,  NULL},
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
		c[i].pos =
			(struct pol_pos){list[i]->key->line, list[i]->key->col};
		read_map(r, list[i], &consent_rule_keys, &c[i]);
	}
	f->consent_rule = c;
	f->n_consent_rule = n;
}

static const struct key floor_rows[] = {
	{"vm",          KEY_REQUIRED, offsetof(struct pol_floor_src, vm),   get_name,
	 NULL									      },
	{"measurement", KEY_REQUIRED, offsetof(struct pol_floor_src, meas),
	 get_meas,								     NULL},
	{"keep",        KEY_REQUIRED, offsetof(struct pol_floor_src, keep), get_limit,
	 NULL									      },
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
		l[i].pos =
			(struct pol_pos){list[i]->key->line, list[i]->key->col};
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
	{"roles",  KEY_REQUIRED, 0,                            widening_roles, NULL},
	{"notice", KEY_REQUIRED, FILE_OFF(widening_notice_ns), get_duration,
	 NULL								      },
};
static const struct keys widening_keys = KEYS("widening", widening_rows);

static void get_widening(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &widening_keys, at);
}

/* --- customer ------------------------------------------------------------ */

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

/* --- the files ----------------------------------------------------------- */

#define TOP                                                                    \
	{"polc", KEY_REQUIRED, 0, get_version, NULL},                          \
		{"kind", KEY_REQUIRED, 0, get_nothing, NULL},                  \
		{"id", KEY_REQUIRED, FILE_OFF(id), get_rdn, NULL},             \
		{"serial", KEY_REQUIRED, FILE_OFF(serial), get_serial, NULL},  \
	{                                                                      \
		"title", KEY_REQUIRED, FILE_OFF(title), get_text, NULL         \
	}
#define USES                                                                   \
	{"valid", 0, 0, get_valid, &valid_keys},                               \
	{                                                                      \
		"use", 0, 0, get_nothing, NULL                                 \
	}
#define HEADER TOP, USES

static const struct key binding_rows[] = {
	HEADER,
	{"meter", KEY_REQUIRED,             0, get_meter, &meter_keys},
	{"keys",  KEY_REQUIRED,             0, get_keys,  NULL       },
	{"vms",   KEY_REQUIRED | KEY_NAMED, 0, get_vms,   &vm_keys   },
};
static const struct key baseline_rows[] = {
	HEADER,
	{"parties",       KEY_NAMED, 0, get_nothing,       &party_keys       },
	{"ceiling",       KEY_NAMED, 0, get_nothing,       &ceiling_keys     },
	{"deny",          KEY_NAMED, 0, get_nothing,       &denial_keys      },
	{"limits",        KEY_NAMED, 0, get_nothing,       &limit_keys       },
	{"consent-rules", KEY_NAMED, 0, get_consent_rules, &consent_rule_keys},
	{"floors",        KEY_NAMED, 0, get_floors,        &floor_keys       },
	{"widening",      0,         0, get_widening,      &widening_keys    },
	{"assert",        KEY_NAMED, 0, get_nothing,       &assert_keys      },
	{"fixtures",      KEY_NAMED, 0, get_nothing,       &step_keys        },
	{"tests",         KEY_NAMED, 0, get_nothing,       &test_keys        },
};
static const struct key vendor_rows[] = {
	TOP,
	{"contact",  0,            FILE_OFF(contact),      get_plain,   NULL        },
	{"vm",       KEY_REQUIRED, FILE_OFF(vm),           get_name,    NULL        },
	USES,
	{"mode",     0,         FILE_OFF(monitor_until_s), get_mode,    NULL        },
	{"parties",  KEY_NAMED, 0,                         get_nothing, &party_keys },
	{"states",   KEY_NAMED, 0,                         get_nothing, &state_keys },
	{"allow",    KEY_NAMED, 0,                         get_nothing, &grant_keys },
	{"deny",     KEY_NAMED, 0,                         get_nothing, &denial_keys},
	{"limits",   KEY_NAMED, 0,                         get_nothing, &limit_keys },
	{"assert",   KEY_NAMED, 0,                         get_nothing, &assert_keys},
	{"fixtures", KEY_NAMED, 0,                         get_nothing, &step_keys  },
	{"tests",    KEY_NAMED, 0,                         get_nothing, &test_keys  },
};
static const struct key customer_rows[] = {
	HEADER,
	{"consent",  0,         0, get_answers, NULL             },
	{"restrict", KEY_NAMED, 0, get_nothing, &restriction_keys},
};
static const struct key library_rows[] = {
	HEADER,
	{"parties",        KEY_NAMED, 0, get_nothing,  &party_keys  },
	{"meter-profiles", KEY_NAMED, 0, get_profiles, &profile_keys},
};
static const struct key tests_rows[] = {
	HEADER,
	{"policies", KEY_REQUIRED,             0, get_policies, NULL      },
	{"fixtures", KEY_NAMED,                0, get_nothing,  &step_keys},
	{"tests",    KEY_REQUIRED | KEY_NAMED, 0, get_nothing,  &test_keys},
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

/* Each library once, whoever uses it: ids are unique among files. */
static void add_include(struct pol_include *v, size_t *n, struct pol_include i)
{
	for (size_t k = 0; k < *n; k++) {
		if (strcmp(v[k].id, i.id) == 0)
			return;
	}
	v[(*n)++] = i;
}

static int by_id(const void *a, const void *b)
{
	const struct pol_include *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* What it uses, and what that uses. */
static void includes(struct rd *r)
{
	struct pol_include *v;
	size_t most = 0, n = 0;

	for (size_t i = 0; i < r->n_use; i++)
		most += 1 + r->use[i].lib->n_include;
	v = pool_array(r->s.pool, most + 1, sizeof(*v));
	for (size_t i = 0; i < r->n_use; i++) {
		const struct pol_file *lib = r->use[i].lib;
		struct pol_include own = {lib->id, lib->path, lib->serial, {0}};

		memcpy(own.digest, lib->octets_digest, sizeof(own.digest));
		add_include(v, &n, own);
		for (size_t k = 0; k < lib->n_include; k++)
			add_include(v, &n, lib->include[k]);
	}
	/* A library may be freed before what uses it. */
	for (size_t i = 0; i < n; i++) {
		v[i].id = pool_text(r->s.pool, span_str(v[i].id));
		v[i].path = pool_text(r->s.pool, span_str(v[i].path));
	}
	qsort(v, n, sizeof(*v), by_id);
	r->f->include = v;
	r->f->n_include = n;
}

static struct pol_pos value_at(const struct rd *r, const char *key)
{
	const struct ynode *v = yaml_get(r->root, key);

	return v ? (struct pol_pos){v->line, v->col} : (struct pol_pos){1, 1};
}

void read_file(struct rd *r)
{
	size_t before = r->s.d->errors;

	if (!read_kind(r))
		return;
	r->f->billing_day = 1;
	r->f->pos_id = value_at(r, "id");
	r->f->pos_vm = value_at(r, "vm");
	r->f->pos_mode = value_at(r, "mode");
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
	includes(r);
	check_file(r);
}
