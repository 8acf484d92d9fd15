/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Phrases to numbers (policy-language sections 5 and 11.1). Each function
 * reads one scalar; what does not parse gives one diagnostic at the exact
 * column, and false.
 */
#ifndef POLICY_LANG_FRONT_PHRASE_H
#define POLICY_LANG_FRONT_PHRASE_H

#include "policy-lang/front/diag.h"

/* What a reader of values needs to complain and to allocate. */
struct probe;
struct src {
	struct pool *pool;
	struct diags *d;
	const char *path;
	struct probe *probe; /* NULL: read in earnest; see below */
};

/* An error about a node, or about n characters of it. hint may be NULL. */
void bad(const struct src *s, const struct ynode *n, uint16_t code,
	 const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
void bad_part(const struct src *s, const struct ynode *n, size_t off,
	      size_t len, uint16_t code, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

/* A scalar of printable ASCII, not empty; otherwise a diagnostic. */
bool is_scalar(const struct src *s, const struct ynode *n);

bool ph_integer(const struct src *s, const struct ynode *n, uint64_t lo,
		uint64_t hi, uint64_t *v);
bool ph_bool(const struct src *s, const struct ynode *n, bool *v);
bool ph_duration(const struct src *s, const struct ynode *n, int64_t *ns);
bool ph_size(const struct src *s, const struct ynode *n, uint64_t *octets);

struct quantity {
	enum unit unit;
	int64_t milli;
};
bool ph_quantity(const struct src *s, const struct ynode *n,
		 struct quantity *q);
/* QUANTITY to QUANTITY, of one unit. */
bool ph_value_range(const struct src *s, const struct ynode *n,
		    struct quantity *lo, struct quantity *hi);
/* hi 0 = "or coarser" */
bool ph_granularity(const struct src *s, const struct ynode *n, int64_t *lo,
		    int64_t *hi);
bool ph_limit(const struct src *s, const struct ynode *n,
	      struct pol_limit_phrase *l);
bool ph_action(const struct src *s, const struct ynode *n,
	       struct pol_action_src *a);
bool ph_between(const struct src *s, const struct ynode *n, uint16_t *from,
		uint16_t *to);

/* permit [by X] | deny [because R] [by X] | defer */
bool ph_expect(const struct src *s, const struct ynode *n,
	       struct pol_step_src *step);
/* "C or better" */
bool ph_grade(const struct src *s, const struct ynode *n, char *grade);
/* [VM:]NAME[@PARTY] */
bool ph_state_ref(const struct src *s, const struct ynode *n,
		  struct pol_state_ref *r);

/* --- values.c: addresses and the like ------------------------------------ */
bool ph_cidr(const struct src *s, const struct ynode *n, struct pol_prefix *p);
bool ph_addr(const struct src *s, const struct ynode *n, struct net_addr *a);
bool ph_port(const struct src *s, const struct ynode *n, struct pol_port *p);
bool ph_oid(const struct src *s, const struct ynode *n, struct span *oid);
bool ph_hex32(const struct src *s, const struct ynode *n, const char *prefix,
	      uint8_t out[32]);
bool ph_mac(const struct src *s, const struct ynode *n, uint8_t mac[6]);
/* Seconds since 1970 of midnight, without a zone. */
bool ph_date(const struct src *s, const struct ynode *n, int64_t *sec);
bool ph_timestamp(const struct src *s, const struct ynode *n, struct wall *w);
/* N or N-M within lo..hi */
bool ph_range(const struct src *s, const struct ynode *n, uint32_t lo,
	      uint32_t hi, struct pol_range *r);
/* A glob over a normalised path. */
bool ph_path(const struct src *s, const struct ynode *n, bool glob,
	     const char **path);
bool ph_name(const struct src *s, const struct ynode *n, const char **name);
/* NAME or ALIAS/NAME */
bool ph_ref(const struct src *s, const struct ynode *n, const char **name);
/* reverse domain name: two labels or more, or the word "customer" */
bool ph_rdn(const struct src *s, const struct ynode *n, const char **id);
bool ph_meas(const struct src *s, const struct ynode *n, meas_set *m);
bool ph_country(const struct src *s, const struct ynode *n, const char **cc);

/* --- probe.c: what a reader would read ----------------------------------- */

/* With a probe nothing is read: each function above notes what it was asked
 * for, about which node, and returns false (ph_range true, with its lowest
 * value). So the JSON Schema is made from what the readers do. */
enum ph {
	PH_SCALAR, /* one value of any form */
	PH_TEXT,   /* of a human language */
	PH_WORD,
	PH_INTEGER,
	PH_BOOL,
	PH_DURATION,
	PH_SIZE,
	PH_QUANTITY,
	PH_VALUE_RANGE,
	PH_GRANULARITY,
	PH_LIMIT,
	PH_ACTION,
	PH_BETWEEN,
	PH_EXPECT,
	PH_GRADE,
	PH_STATE_REF,
	PH_CIDR,
	PH_ADDR,
	PH_PORT,
	PH_OID,
	PH_HEX32,
	PH_MAC,
	PH_DATE,
	PH_TIMESTAMP,
	PH_RANGE,
	PH_PATH,
	PH_NAME,
	PH_REF,
	PH_RDN,
	PH_MEAS,
	PH_COUNTRY,
	PH_MAP,	    /* of a table of keys */
	PH_MATCH,   /* observations */
	PH_OBSERVE, /* one, as it was seen */
};
struct word;
/* False without a probe. */
bool ph_asked(const struct src *s, const struct ynode *n, enum ph form);
bool ph_asked_number(const struct src *s, const struct ynode *n, enum ph form,
		     uint64_t lo, uint64_t hi);
bool ph_asked_text(const struct src *s, const struct ynode *n, enum ph form,
		   const char *prefix);
bool ph_asked_word(const struct src *s, const struct ynode *n,
		   const struct word *words);

/* A table of words; value is what the word stands for. */
struct word {
	const char *name;
	int value;
};
/* what: "a direction". The table ends with a NULL name. */
bool ph_word(const struct src *s, const struct ynode *n, uint16_t code,
	     const char *what, const struct word *words, int *value);

#endif
