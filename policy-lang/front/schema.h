/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of keys: what each mapping of the language may hold. One table
 * drives reading, complaints about unknown and missing keys, and the order
 * in which fmt writes them.
 */
#ifndef POLICY_LANG_FRONT_SCHEMA_H
#define POLICY_LANG_FRONT_SCHEMA_H

#include "policy-lang/front/phrase.h"

#define USE_MAX 16

struct use {
	const char *alias;
	const struct pol_file *lib;
	const struct ynode *at;
};

/* Names of one kind in their final order, for references. */
struct names {
	const char *const *v;
	size_t n;
};

/* One reading of one file. */
struct rd {
	struct src s;
	const struct pol_lib *libs;
	struct pol_file *f;
	const struct ynode *root;
	struct use use[USE_MAX];
	size_t n_use;
	struct names grants, states, parties, keys;
	const struct ynode *fixtures;
	bool in_fixture;
	size_t prefixes; /* counted against their bound */
	int64_t now_s;	 /* wall clock: for what must be near */
};

#define KEY_REQUIRED 1u
#define KEY_NAMED    2u /* a mapping from names to what sub describes */
#define KEY_LIST     4u /* a sequence of what sub describes */
#define KEY_FIXTURE  8u /* where required, a fixture may have it instead */

struct key {
	const char *name;
	unsigned flags;
	size_t off; /* of the member that read fills */
	void (*read)(struct rd *r, const struct ynode *v, void *at);
	const struct keys *sub; /* for fmt, and for reading where it says so */
};

struct keys {
	const char *what; /* "a party" */
	const struct key *key;
	size_t n;
};

#define KEYS(what, rows)                                                       \
	{                                                                      \
		what, rows, sizeof(rows) / sizeof((rows)[0])                   \
	}

/* Read a mapping into obj: unknown keys and missing ones are reported at its
 * place, then each row reads its value, in the order of the table. */
void read_map(struct rd *r, const struct ynode *v, const struct keys *k,
	      void *obj);
/* probe.c: as ph_asked, of a mapping with these keys. */
bool ph_asked_keys(const struct src *s, const struct ynode *n,
		   const struct keys *k);
bool is_map(struct rd *r, const struct ynode *v);
bool is_seq(struct rd *r, const struct ynode *v);
/* Report keys of v that are not in the table. */
void unknown_keys(struct rd *r, const struct ynode *v, const struct keys *k);
/* A mapping from names: checked names, sorted; *n of them. NULL when it is
 * none. Reports names that look alike and more than max entries. */
const struct ynode **named(struct rd *r, const struct ynode *v, size_t max,
			   const char *what, size_t *n);
/* Position of a name, or -1 after a complaint with a suggestion. */
int resolve(struct rd *r, const struct ynode *v, const struct names *in,
	    uint16_t code, const char *what);
int name_find(const struct names *in, const char *name);

/* Readers of single members. */
void get_text(struct rd *r, const struct ynode *v, void *at); /* human */
void get_name(struct rd *r, const struct ynode *v, void *at);
void get_plain(struct rd *r, const struct ynode *v, void *at); /* ASCII */
void get_rdn(struct rd *r, const struct ynode *v, void *at);
void get_duration(struct rd *r, const struct ynode *v, void *at);
void get_dirsel(struct rd *r, const struct ynode *v, void *at);
void get_action(struct rd *r, const struct ynode *v, void *at);
void get_severity(struct rd *r, const struct ynode *v, void *at);
void get_consent(struct rd *r, const struct ynode *v, void *at);
void get_meas(struct rd *r, const struct ynode *v, void *at); /* one or list */
void get_limit(struct rd *r, const struct ynode *v, void *at);
void get_seconds(struct rd *r, const struct ynode *v, void *at); /* a date */
void get_bool(struct rd *r, const struct ynode *v, void *at);
void get_vm_sel(struct rd *r, const struct ynode *v, void *at);
void get_party_sel(struct rd *r, const struct ynode *v, void *at);
void get_mode(struct rd *r, const struct ynode *v, void *at); /* int64 */
void get_nothing(struct rd *r, const struct ynode *v, void *at);
uint32_t read_roles(struct rd *r, const struct ynode *v);

/* A single value as a sequence of one: the elements, *n of them. */
const struct ynode *const *elements(struct rd *r, const struct ynode *v,
				    bool one_ok, size_t *n);
const char *const *text_list(struct rd *r, const struct ynode *v, bool one_ok,
			     bool (*one)(const struct src *,
					 const struct ynode *, const char **),
			     size_t *n);
bool ph_plain(const struct src *s, const struct ynode *v, const char **t);

/* read.c: the library that "alias/name" refers to and the name in it, or
 * NULL. */
const struct pol_file *use_find(const struct rd *r, struct span ref,
				const char **name);

/* read_party.c */
extern const struct keys party_keys;
void read_parties(struct rd *r);
const struct pol_prefix *read_prefixes(struct rd *r, const struct ynode *v,
				       size_t *n);

/* read_binding.c */
extern const struct keys profile_keys, meter_keys, vm_keys;
void get_profiles(struct rd *r, const struct ynode *v, void *at);
void get_meter(struct rd *r, const struct ynode *v, void *at);
void get_keys(struct rd *r, const struct ynode *v, void *at);
void get_vms(struct rd *r, const struct ynode *v, void *at);

/* read_obs.c */
struct match_out {
	const struct pol_obs_match *match;
	size_t n;
};
void read_match(struct rd *r, const struct ynode *v, struct match_out *out);
/* The one observation of a step. */
void read_observe(struct rd *r, const struct ynode *v,
		  struct pol_step_src *step);
enum attr_kind {
	ATTR_SET,  /* numbers and ranges */
	ATTR_FLAG, /* true, false */
	ATTR_WORD, /* a number with a name */
	ATTR_OID,
	ATTR_PATH,
	ATTR_TEXT,
	ATTR_UPPER, /* a method */
	ATTR_LOWER, /* hosts, media types: compared in lower case */
	ATTR_SIZE,  /* in a match the largest, in a step the one seen */
	ATTR_PORT,  /* of a transport: tcp/22 */
};
struct attr_row {
	const char *name;
	unsigned families; /* bits */
	enum field field;
	enum attr_kind kind;
	uint32_t lo, hi;
	const struct word *words;
};
/* Attribute i of all that there are, or NULL behind the last. */
const struct attr_row *attr_at(size_t i);
/* Does an observation have it? */
bool attr_of_kind(const struct attr_row *a, enum obs_kind k);

static inline struct pol_pos pos_of(const struct ynode *v)
{
	return (struct pol_pos){v->line, v->col};
}

/* read_data.c; at: a rule */
extern const struct keys data_keys, deny_data_keys, when_keys;
void rule_data(struct rd *r, const struct ynode *v, void *at);
void rule_deny_data(struct rd *r, const struct ynode *v, void *at);
void rule_when(struct rd *r, const struct ynode *v, void *at);

/* read_rule.c, read_limit.c */
extern const struct word builtin_words[]; /* states of the platform */
extern const struct keys grant_keys, ceiling_keys, denial_keys, limit_keys,
	restriction_keys, state_keys;
void read_rules(struct rd *r);
void read_states(struct rd *r);
void read_limits(struct rd *r);
void name_rules(struct rd *r); /* before anything refers to them */
void read_answers(struct rd *r, const struct ynode *v,
		  struct pol_answer_src **out, size_t *n);

/* read_suite.c */
extern const struct keys test_keys, step_keys, assert_keys;
void read_tests(struct rd *r);
void read_asserts(struct rd *r);

/* read.c: the body of each kind, and its header in front */
const struct keys *file_keys(enum pol_kind k);
extern const struct word kind_words[];

/* check.c */
void check_file(struct rd *r);

#endif
