/* SPDX-License-Identifier: Apache-2.0 */
/* Fixtures, tests and assertions (policy-language section 18). */
#include <stdio.h>

#include "policy-lang/front/schema.h"

#define MAX_ASSERTS 256

#define STEP(m) offsetof(struct pol_step_src, m)

/* --- what a step's message carried --------------------------------------- */

static void seen_gran(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	s->has_gran = ph_duration(&r->s, v, &s->gran_ns);
}

static void seen_oldest(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	s->has_oldest = ph_duration(&r->s, v, &s->oldest_ns);
}

static void seen_newest(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	s->has_newest = ph_duration(&r->s, v, &s->newest_ns);
}

static void seen_res(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;
	struct quantity q;

	if (!ph_quantity(&r->s, v, &q))
		return;
	s->has_res = true;
	s->res_unit = q.unit;
	s->res_milli = q.milli;
}

static void seen_value(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;
	struct quantity q;

	if (!ph_quantity(&r->s, v, &q))
		return;
	s->has_value = true;
	s->value_unit = q.unit;
	s->value_milli = q.milli;
}

static void seen_channels(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;
	uint64_t n;

	if (!ph_integer(&r->s, v, 1, 65535, &n))
		return;
	s->has_channels = true;
	s->channels = (uint32_t)n;
}

static const struct key seen_rows[] = {
	{"measurement", KEY_REQUIRED | KEY_FIXTURE, STEP(meas), get_meas, NULL},
	{"granularity", 0,            0,          seen_gran,     NULL},
	{"oldest",      0,            0,          seen_oldest,   NULL},
	{"newest",      0,            0,          seen_newest,   NULL},
	{"resolution",  0,            0,          seen_res,      NULL},
	{"value",       0,            0,          seen_value,    NULL},
	{"channels",    0,            0,          seen_channels, NULL},
};
static const struct keys seen_keys = KEYS("the data of a step", seen_rows);

static void step_data(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	s->has_data = true;
	read_map(r, v, &seen_keys, at);
	if (s->has_oldest && s->has_newest && s->oldest_ns < s->newest_ns)
		bad(&r->s, yaml_get(v, "oldest"), 8004,
		    "both are ages: the oldest is the larger",
		    "the oldest value is younger than the newest");
}

/* --- the step itself ----------------------------------------------------- */

static void step_dir(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"out", DIR_OUT},
                {"in",  DIR_IN },
                {NULL,  0      }
        };
	int k;

	if (ph_word(&r->s, v, 3120, "a direction", words, &k))
		((struct pol_step_src *)at)->dir =
			k == DIR_IN ? DIR_IN : DIR_OUT;
}

static void step_party(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	/* A suite's parties are those of the machine's policy. */
	if (r->f->kind == POL_VENDOR) {
		int k = resolve(r, v, &r->parties, 3202, "party");

		if (k >= 0)
			s->party = r->parties.v[k];
	} else {
		ph_ref(&r->s, v, &s->party);
	}
}

static void step_address(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_step_src *s = at;

	s->has_addr = ph_addr(&r->s, v, &s->addr);
}

static void step_port(struct rd *r, const struct ynode *v, void *at)
{
	ph_port(&r->s, v, &((struct pol_step_src *)at)->port);
}

static void step_source(struct rd *r, const struct ynode *v, void *at)
{
	struct net_addr a;

	if (ph_addr(&r->s, v, &a))
		((struct pol_step_src *)at)->source = (const char *)v->s.p;
}

static void step_answers(struct rd *r, const struct ynode *v, void *at)
{
	uint64_t n;

	if (ph_integer(&r->s, v, 1, YAML_MAX_KIDS, &n))
		((struct pol_step_src *)at)->answers = (uint32_t)n;
}

static void step_repeat(struct rd *r, const struct ynode *v, void *at)
{
	uint64_t n;

	if (ph_integer(&r->s, v, 1, 100000, &n))
		((struct pol_step_src *)at)->repeat = (uint32_t)n;
}

static void step_observe(struct rd *r, const struct ynode *v, void *at)
{
	read_observe(r, v, at);
}

static void step_size(struct rd *r, const struct ynode *v, void *at)
{
	ph_size(&r->s, v, &((struct pol_step_src *)at)->size);
}

static void step_expect(struct rd *r, const struct ynode *v, void *at)
{
	ph_expect(&r->s, v, at);
}

/* Required keys are checked by hand: a fixture may leave any out. */
static const struct key step_rows[] = {
	{"fixture",   0, 0,              get_nothing,  NULL      },
	{"vm",        0, STEP(vm),       get_name,     NULL      },
	{"after",     0, STEP(after_ns), get_duration, NULL      },
	{"direction", 0, 0,              step_dir,     NULL      },
	{"party",     0, 0,              step_party,   NULL      },
	{"address",   0, 0,              step_address, NULL      },
	{"port",      0, 0,              step_port,    NULL      },
	{"source",    0, 0,              step_source,  NULL      },
	{"answers",   0, 0,              step_answers, NULL      },
	{"repeat",    0, 0,              step_repeat,  NULL      },
	{"observe",   0, 0,              step_observe, NULL      },
	{"data",      0, 0,              step_data,    &seen_keys},
	{"size",      0, 0,              step_size,    NULL      },
	{"expect",    0, 0,              step_expect,  NULL      },
};
const struct keys step_keys = KEYS("a step", step_rows);

/* --- fixtures ------------------------------------------------------------ */

static void append(struct ynode *map, struct ynode ***tail, struct ynode *v)
{
	v->next = NULL;
	**tail = v;
	*tail = &v->next;
	map->n_kids++;
}

static struct ynode *copy_node(struct rd *r, const struct ynode *v)
{
	struct ynode *c = pool_alloc(r->s.pool, sizeof(*c));

	*c = *v;
	c->next = NULL;
	return c;
}

/* over's entries, and those of under that it does not have. */
static struct ynode *merge(struct rd *r, const struct ynode *over,
			   const struct ynode *under, bool deep)
{
	struct ynode *m = copy_node(r, over);
	struct ynode **tail = &m->kids;

	m->kids = NULL;
	m->n_kids = 0;
	for (const struct ynode *v = over->kids; v; v = v->next) {
		const struct ynode *u =
			yaml_get(under, (const char *)v->key->s.p);
		/* One level: the data of both, no observation twice. */
		bool both = deep && u && yaml_is(v->key, "data") &&
			    u->type == Y_MAP && v->type == Y_MAP;

		append(m, &tail,
		       both ? merge(r, v, u, false) : copy_node(r, v));
	}
	for (const struct ynode *u = under->kids; u; u = u->next) {
		if (!yaml_get(over, (const char *)u->key->s.p))
			append(m, &tail, copy_node(r, u));
	}
	return m;
}

/* The step with its fixture under it, or NULL after a complaint. */
static const struct ynode *expand(struct rd *r, const struct ynode *v)
{
	const struct ynode *name = yaml_get(v, "fixture"), *under;
	const char *names[64];
	char buf[SHOW], hint[80];
	const char *near;
	size_t n = 0;

	if (!name)
		return v;
	if (!is_scalar(&r->s, name))
		return NULL;
	under = yaml_get(r->fixtures, (const char *)name->s.p);
	if (under && under->type == Y_MAP) {
		if (!yaml_get(under, "fixture"))
			return merge(r, v, under, true);
		bad(&r->s, name, 3209, "write its mapping out",
		    "a fixture that starts from another");
		return NULL;
	}
	for (const struct ynode *c = r->fixtures ? r->fixtures->kids : NULL;
	     c && n < 64; c = c->next)
		names[n++] = (const char *)c->key->s.p;
	near = nearest(name->s, names, n);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	bad(&r->s, name, 3209, near ? hint : NULL, "no fixture is called '%s'",
	    show(buf, name->s));
	return NULL;
}

static void need(struct rd *r, const struct ynode *v, const char *key,
		 const struct ynode *at)
{
	if (!yaml_get(v, key))
		bad(&r->s, at, 2102, NULL, "a step needs the key '%s'", key);
}

static void read_step(struct rd *r, const struct ynode *v,
		      struct pol_step_src *s, size_t index)
{
	const struct ynode *full;

	s->pos = pos_of(v->type == Y_MAP && v->style == Y_BLOCK && v->kids
				? v->kids->key
				: v);
	if (!is_map(r, v))
		return;
	full = expand(r, v);
	if (!full)
		return;
	read_map(r, full, &step_keys, s);
	need(r, full, "direction", v);
	need(r, full, "observe", v);
	need(r, full, "expect", v);
	if (!yaml_get(full, "party") && !yaml_get(full, "address"))
		bad(&r->s, v, 2102, "or address and port",
		    "a step needs the key 'party'");
	if (yaml_get(full, "address") && !yaml_get(full, "port"))
		bad(&r->s, v, 2102, "such as tcp/443",
		    "an address needs the key 'port'");
	if (r->f->kind == POL_TESTS)
		need(r, full, "vm", v);
	if (s->answers > index)
		bad(&r->s, yaml_get(full, "answers"), 8004,
		    "steps are counted from 1",
		    "answers a step that is not before it");
}

static void check_fixtures(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "fixtures");
	const struct ynode **list;
	size_t n;

	if (!v)
		return;
	list = named(r, v, YAML_MAX_KIDS, "fixtures", &n);
	r->fixtures = list ? v : NULL;
	for (size_t i = 0; list && i < n; i++) {
		struct pol_step_src s = {0};

		/* Read for its complaints, also when no test uses it. */
		read_map(r, list[i], &step_keys, &s);
	}
}

/* --- tests --------------------------------------------------------------- */

#define TEST(m) offsetof(struct pol_test_src, m)

static void given_time(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;

	t->has_time = ph_timestamp(&r->s, v, &t->time);
}

static void given_states(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	struct pol_state_ref *s = pool_array(r->s.pool, n + 1, sizeof(*s));

	for (size_t i = 0; i < n; i++)
		t->n_state += ph_state_ref(&r->s, e[i], &s[t->n_state]);
	t->state = s;
}

static void given_consent(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;
	struct pol_answer_src *a;

	read_answers(r, v, &a, &t->n_consent);
	t->consent = a;
}

static const struct key given_rows[] = {
	{"time",    0, 0, given_time,    NULL},
	{"states",  0, 0, given_states,  NULL},
	{"consent", 0, 0, given_consent, NULL},
};
static const struct keys given_keys = KEYS("given", given_rows);

static void test_given(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &given_keys, at);
}

static void test_steps(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	struct pol_step_src *s = pool_array(r->s.pool, n + 1, sizeof(*s));

	for (size_t i = 0; i < n; i++)
		read_step(r, e[i], &s[i], i);
	t->step = s;
	t->n_step = n;
}

static void test_guests(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;
	size_t n;
	const struct ynode **list = named(r, v, 16, "guests", &n);
	const char **g = pool_array(r->s.pool, n + 1, sizeof(*g));

	for (size_t i = 0; list && i < n; i++) {
		if (is_scalar(&r->s, list[i]))
			g[t->n_guest++] =
				pool_printf(r->s.pool, "%s=%s",
					    (const char *)list[i]->key->s.p,
					    (const char *)list[i]->s.p);
	}
	t->guest = g;
}

static void expect_permit(struct rd *r, const struct ynode *v, void *at)
{
	uint64_t n;

	if (ph_integer(&r->s, v, 0, UINT64_C(1) << 53, &n))
		((struct pol_test_src *)at)->expect_permit = (int64_t)n;
}

static void expect_deny(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_test_src *t = at;
	char buf[SHOW];
	uint64_t n;

	if (!is_map(r, v))
		return;
	if (v->n_kids > 16)
		bad(&r->s, v->key, 3301, NULL, "more than 16 reasons");
	for (const struct ynode *c = v->kids; c; c = c->next) {
		enum reason why = reason_find(c->key->s);

		if (why == REASON_NONE)
			bad(&r->s, c->key, 3210, NULL, "'%s' is not a reason",
			    show(buf, c->key->s));
		if (!ph_integer(&r->s, c, 0, UINT64_C(1) << 53, &n) ||
		    why == REASON_NONE || t->n_expect_deny >= 16)
			continue;
		t->expect_deny[t->n_expect_deny].reason = why;
		t->expect_deny[t->n_expect_deny++].n = n;
	}
}

static const struct key expect_rows[] = {
	{"permit", 0, 0, expect_permit, NULL},
	{"deny",   0, 0, expect_deny,   NULL},
};
static const struct keys expect_keys = KEYS("expect", expect_rows);

static void test_expect(struct rd *r, const struct ynode *v, void *at)
{
	read_map(r, v, &expect_keys, at);
}

static const struct key test_rows[] = {
	{"given",  0,        0,          test_given,  &given_keys },
	{"steps",  KEY_LIST, 0,          test_steps,  &step_keys  },
	{"pcap",   0,        TEST(pcap), get_plain,   NULL        },
	{"guests", 0,        0,          test_guests, NULL        },
	{"keys",   0,        TEST(keys), get_plain,   NULL        },
	{"expect", 0,        0,          test_expect, &expect_keys},
};
const struct keys test_keys = KEYS("a test", test_rows);

static void check_test(struct rd *r, const struct ynode *v)
{
	static const char *const pcap_only[] = {"guests", "keys", "expect"};
	bool steps = yaml_get(v, "steps"), pcap = yaml_get(v, "pcap");

	if (steps == pcap)
		bad(&r->s, v->key, 2209, NULL,
		    "a test has either steps or a pcap");
	for (size_t i = 0; steps && i < 3; i++) {
		const struct ynode *c = yaml_get(v, pcap_only[i]);

		if (c)
			bad(&r->s, c->key, 2103, NULL, "'%s' goes with a pcap",
			    pcap_only[i]);
	}
	if (pcap && !yaml_get(v, "expect"))
		bad(&r->s, v->key, 2102, NULL,
		    "a test of a pcap needs the key 'expect'");
}

void read_tests(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "tests");
	const struct ynode **list;
	struct pol_test_src *t;
	size_t n;

	if (r->f->kind != POL_VENDOR && r->f->kind != POL_BASELINE &&
	    r->f->kind != POL_TESTS)
		return;
	check_fixtures(r);
	if (!v)
		return;
	list = named(r, v, YAML_MAX_KIDS, "tests", &n);
	t = pool_array(r->s.pool, n + 1, sizeof(*t));
	for (size_t i = 0; list && i < n; i++) {
		t[i].id = (const char *)list[i]->key->s.p;
		t[i].pos = pos_of(list[i]->key);
		t[i].expect_permit = -1;
		read_map(r, list[i], &test_keys, &t[i]);
		if (list[i]->type == Y_MAP)
			check_test(r, list[i]);
	}
	r->f->test = t;
	r->f->n_test = n;
}

/* --- assertions ---------------------------------------------------------- */

#define ASSERT_OFF(m) offsetof(struct pol_assert_src, m)

static void assert_to(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	if (r->f->kind == POL_VENDOR) {
		int k = resolve(r, v, &r->parties, 3202, "party");

		if (k >= 0)
			a->to = r->parties.v[k];
	} else {
		ph_ref(&r->s, v, &a->to);
	}
}

static const struct key never_rows[] = {
	{"measurement", KEY_REQUIRED, ASSERT_OFF(meas), get_meas,  NULL},
	{"to",          0,            0,                assert_to, NULL},
};
static const struct keys never_keys = KEYS("never", never_rows);

static void assert_never(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	a->kind = ASSERT_NEVER;
	read_map(r, v, &never_keys, at);
}

static void assert_at_most(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	a->kind = ASSERT_AT_MOST;
	ph_limit(&r->s, v, &a->phrase);
}

static void assert_finest(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	a->kind = ASSERT_FINEST;
	ph_duration(&r->s, v, &a->ns);
}

static void assert_freshest(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	a->kind = ASSERT_FRESHEST;
	ph_duration(&r->s, v, &a->ns);
}

static void assert_grade(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_assert_src *a = at;

	a->kind = ASSERT_GRADE;
	ph_grade(&r->s, v, &a->grade);
}

static const struct key assert_rows[] = {
	{"never",       0, 0,                assert_never,    &never_keys},
	{"at-most",     0, 0,                assert_at_most,  NULL       },
	{"finest",      0, 0,                assert_finest,   NULL       },
	{"freshest",    0, 0,                assert_freshest, NULL       },
	{"grade",       0, 0,                assert_grade,    NULL       },
	{"measurement", 0, ASSERT_OFF(meas), get_meas,        NULL       },
	{"to",          0, 0,                assert_to,       NULL       },
	{"vm",          0, ASSERT_OFF(vm),   get_name,        NULL       },
};
const struct keys assert_keys = KEYS("an assertion", assert_rows);

/* Which of measurement, to and vm go with which claim. */
static void check_assert(struct rd *r, const struct ynode *v)
{
	static const struct {
		const char *claim, *with; /* with: needed */
		const char *not_with[3];
	} rows[] = {
		{"never",    NULL,          {"measurement", "to", "vm"}},
		{"at-most",  NULL,          {NULL}                     },
		{"finest",   "measurement", {"to", "vm", NULL}         },
		{"freshest", "measurement", {"to", "vm", NULL}         },
		{"grade",    NULL,          {"measurement", "to", "vm"}},
	};
	unsigned claims = 0;

	for (size_t i = 0; i < 5; i++) {
		if (!yaml_get(v, rows[i].claim))
			continue;
		claims++;
		if (rows[i].with && !yaml_get(v, rows[i].with))
			bad(&r->s, v->key, 2102, NULL, "%s needs the key '%s'",
			    rows[i].claim, rows[i].with);
		for (size_t k = 0; k < 3 && rows[i].not_with[k]; k++) {
			const struct ynode *c =
				yaml_get(v, rows[i].not_with[k]);

			if (c)
				bad(&r->s, c->key, 2103, NULL,
				    "'%s' does not go with '%s'",
				    rows[i].not_with[k], rows[i].claim);
		}
	}
	if (claims != 1)
		bad(&r->s, v->key, 2209,
		    "never, at-most, finest, freshest or grade",
		    "an assertion claims exactly one thing");
}

void read_asserts(struct rd *r)
{
	const struct ynode *v = yaml_get(r->root, "assert");
	const struct ynode **list;
	struct pol_assert_src *a;
	size_t n;

	if (!v || (r->f->kind != POL_VENDOR && r->f->kind != POL_BASELINE))
		return;
	list = named(r, v, MAX_ASSERTS, "assertions", &n);
	a = pool_array(r->s.pool, n + 1, sizeof(*a));
	for (size_t i = 0; list && i < n; i++) {
		a[i].id = (const char *)list[i]->key->s.p;
		a[i].pos = pos_of(list[i]->key);
		read_map(r, list[i], &assert_keys, &a[i]);
		if (list[i]->type == Y_MAP)
			check_assert(r, list[i]);
	}
	r->f->assertion = a;
	r->f->n_assertion = n;
}
