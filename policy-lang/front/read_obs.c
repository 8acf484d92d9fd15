/* SPDX-License-Identifier: Apache-2.0 */
/* Observations and their attributes: matches and what a step shows. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/overlap.h"
#include "policy-lang/front/schema.h"

#define MAX_VALUES       64 /* of one attribute */
#define MAX_OBSERVATIONS 32 /* of one match */

/* Families as bits, for the table of attributes. */
#define FAM(f) (1u << OBS_FAMILY_##f)

static const struct word security_words[] = {
	{"clear",         0},
        {"authenticated", 1},
        {"encrypted",     2},
        {NULL,            0}
};

/* Response codes of C12.22. */
static const struct word result_words[] = {
	{"ok",    0 },
        {"err",   1 },
        {"sns",   2 },
        {"isc",   3 },
        {"onp",   4 },
	{"iar",   5 },
        {"bsy",   6 },
        {"dnr",   7 },
        {"dlk",   8 },
        {"rno",   9 },
	{"isss",  10},
        {"sme",   11},
        {"uat",   12},
        {"nett",  13},
        {"netr",  14},
	{"rqtl",  15},
        {"rstl",  16},
        {"sgnp",  17},
        {"sgerr", 18},
        {NULL,    0 }
};

static const struct word attest_words[] = {
	{"ok",     0},
        {"failed", 1},
        {NULL,     0}
};

/* RFC 1035, 3596, 2782, 9460. */
static const struct word dns_words[] = {
	{"A",     1 },
        {"NS",    2 },
        {"CNAME", 5 },
        {"SOA",   6 },
	{"PTR",   12},
        {"MX",    15},
        {"TXT",   16},
        {"AAAA",  28},
	{"SRV",   33},
        {"SVCB",  64},
        {"HTTPS", 65},
        {NULL,    0 }
};

static const struct attr_row attrs[] = {
	{"port",         FAM(FLOW),           F_PORT,         ATTR_PORT,  0,   0,     NULL          },
	{"table",        FAM(C1222),          F_TABLE,        ATTR_SET,   0,   12287, NULL          },
	{"notification", FAM(C1222),          F_NOTIFICATION, ATTR_FLAG,  0,   1,     NULL          },
	{"security",     FAM(C1222),          F_SECURITY,     ATTR_WORD,  0,   2,     security_words},
	{"calling",      FAM(C1222),          F_CALLING,      ATTR_OID,   0,   0,     NULL          },
	{"called",       FAM(C1222),          F_CALLED,       ATTR_OID,   0,   0,     NULL          },
	{"user-id",      FAM(C1222),          F_USER_ID,      ATTR_SET,   0,   65535, NULL          },
	{"result",       FAM(C1222),          F_RESULT,       ATTR_WORD,  0,   31,    result_words  },
	{"procedure",    FAM(C1222),          F_PROCEDURE,    ATTR_SET,   0,   4095,  NULL          },
	{"result",       FAM(ATTEST),         F_RESULT,       ATTR_WORD,  0,   1,     attest_words  },
	{"name",         FAM(DNS) | FAM(TLS), F_DNS_NAME,     ATTR_LOWER, 0,   0,     NULL          },
	{"type",         FAM(DNS),            F_DNS_TYPE,     ATTR_WORD,  0,   65535, dns_words     },
	{"alpn",         FAM(TLS),            F_ALPN,         ATTR_TEXT,  0,   0,     NULL          },
	{"method",       FAM(HTTP),           F_METHOD,       ATTR_UPPER, 0,   0,     NULL          },
	{"host",         FAM(HTTP),           F_HOST,         ATTR_LOWER, 0,   0,     NULL          },
	{"path",         FAM(HTTP),           F_PATH,         ATTR_PATH,  0,   0,     NULL          },
	{"content-type", FAM(HTTP),           F_CONTENT_TYPE, ATTR_LOWER, 0,   0,     NULL          },
	{"body",         FAM(HTTP),           F_BODY,         ATTR_SIZE,  0,   0,     NULL          },
	{"status",       FAM(HTTP),           F_STATUS,       ATTR_SET,   100, 599,   NULL          },
	{"href",         FAM(OBIX),           F_HREF,         ATTR_PATH,  0,   0,     NULL          },
	{"is",           FAM(OBIX),           F_IS,           ATTR_TEXT,  0,   0,     NULL          },
	{"unit",         FAM(OBIX),           F_OBIX_UNIT,    ATTR_TEXT,  0,   0,     NULL          },
};
#define N_ATTRS (sizeof(attrs) / sizeof(attrs[0]))

const struct attr_row *attr_at(size_t i)
{
	return i < N_ATTRS ? &attrs[i] : NULL;
}

/* Attributes of a family that only some of its observations have. */
bool attr_of_kind(const struct attr_row *a, enum obs_kind k)
{
	static const struct {
		enum field field;
		enum obs_kind kind[2];
	} only[] = {
		{F_PROCEDURE,
		 {OBS_C1222_PROCEDURE_REQUEST, OBS_C1222_PROCEDURE_RESPONSE}},
		{F_METHOD,    {OBS_HTTP_REQUEST, OBS_HTTP_REQUEST}          },
		{F_HOST,      {OBS_HTTP_REQUEST, OBS_HTTP_REQUEST}          },
		{F_PATH,      {OBS_HTTP_REQUEST, OBS_HTTP_REQUEST}          },
		{F_STATUS,    {OBS_HTTP_RESPONSE, OBS_HTTP_RESPONSE}        },
	};

	if (!(a->families >> obs_family(k) & 1))
		return false;
	for (size_t i = 0; i < sizeof(only) / sizeof(only[0]); i++) {
		if (only[i].field == a->field)
			return k == only[i].kind[0] || k == only[i].kind[1];
	}
	return true;
}

bool obs_has_attr(enum obs_kind k, enum field f)
{
	for (size_t i = 0; i < N_ATTRS; i++) {
		if (attrs[i].field == f && attr_of_kind(&attrs[i], k))
			return true;
	}
	return false;
}

/* Does any of the kinds have it? */
static bool kinds_have(const struct attr_row *a, const struct pol_kinds *k)
{
	for (unsigned i = 0; i < OBS_COUNT; i++) {
		if (k->w[i / 64] >> (i % 64) & 1 &&
		    attr_of_kind(a, (enum obs_kind)i))
			return true;
	}
	return false;
}

static const struct attr_row *find_attr(struct rd *r, const struct ynode *key,
					const char *obs,
					const struct pol_kinds *kinds)
{
	const char *names[N_ATTRS];
	char buf[SHOW], hint[80];
	const char *near;
	size_t n = 0;

	for (size_t i = 0; i < N_ATTRS; i++) {
		if (!kinds_have(&attrs[i], kinds))
			continue;
		if (yaml_is(key, attrs[i].name))
			return &attrs[i];
		names[n++] = attrs[i].name;
	}
	near = nearest(key->s, names, n);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	else if (n == 0)
		snprintf(hint, sizeof(hint), "it has none");
	else
		snprintf(hint, sizeof(hint), "it has, among others, '%s'",
			 names[0]);
	bad(&r->s, key, 3205, hint, "%s has no attribute '%s'", obs,
	    show(buf, key->s));
	return NULL;
}

static void set_kind(struct pol_kinds *k, unsigned i)
{
	k->w[i / 64] |= UINT64_C(1) << (i % 64);
}

/* "c1222.read-request", "c1222.any", "any" */
static bool read_kinds(struct rd *r, const struct ynode *key, bool one,
		       struct pol_kinds *k)
{
	const char *names[OBS_COUNT];
	char buf[SHOW], hint[80];
	const char *near;
	int i = obs_find(key->s);

	if (i >= 0) {
		set_kind(k, (unsigned)i);
		return true;
	}
	for (unsigned j = 0; j < OBS_COUNT && !one; j++) {
		char any[32];

		snprintf(any, sizeof(any), "%s.any",
			 obs_family_name(obs_family((enum obs_kind)j)));
		if (span_is(key->s, "any") || span_is(key->s, any))
			set_kind(k, j);
	}
	if (k->w[0] | k->w[1])
		return true;
	for (unsigned j = 0; j < OBS_COUNT; j++)
		names[j] = obs_name((enum obs_kind)j);
	near = nearest(key->s, names, OBS_COUNT);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	bad(&r->s, key, 3204, near ? hint : "metergate-policy(5) lists them",
	    "no observation is called '%s'", show(buf, key->s));
	return false;
}

static int range_order(const void *a, const void *b)
{
	const struct pol_range *x = a, *y = b;

	return x->lo != y->lo ? (x->lo > y->lo ? 1 : -1)
			      : (x->hi > y->hi) - (x->hi < y->hi);
}

static void number_values(struct rd *r, const struct attr_row *row,
			  const struct ynode *const *e, size_t n, bool seen,
			  struct pol_attr *a)
{
	struct pol_range *num = pool_array(r->s.pool, n + 1, sizeof(*num));
	/* Used after an error, too: what was wrong is never matched. */
	uint64_t size = 0;
	struct pol_port port = {0};
	bool flag = false;
	int k = 0;

	for (size_t i = 0; i < n; i++) {
		struct pol_range *at = &num[a->n_num];
		bool digits = e[i]->type == Y_SCALAR && e[i]->s.n &&
			      e[i]->s.p[0] >= '0' && e[i]->s.p[0] <= '9';
		bool ok;

		if (row->kind == ATTR_FLAG) {
			ok = ph_bool(&r->s, e[i], &flag);
			at->lo = at->hi = flag;
		} else if (row->kind == ATTR_SIZE) {
			ok = ph_size(&r->s, e[i], &size);
			at->hi =
				size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
			at->lo = seen ? at->hi : 0;
		} else if (row->kind == ATTR_PORT) {
			ok = ph_port(&r->s, e[i], &port);
			at->lo = POL_PORT(port.proto, port.lo);
			at->hi = POL_PORT(port.proto, port.hi);
		} else if (row->kind == ATTR_WORD && !digits) {
			ok = ph_word(&r->s, e[i], 3120, row->name, row->words,
				     &k);
			at->lo = at->hi = (uint32_t)k;
		} else {
			ok = ph_range(&r->s, e[i], row->lo, row->hi, at);
		}
		if (ok && seen && at->lo != at->hi) {
			bad(&r->s, e[i], 3107, "write the one that was seen",
			    "a range in a step");
			ok = false;
		}
		a->n_num += ok;
	}
	qsort(num, a->n_num, sizeof(*num), range_order);
	a->num = num;
}

/* Text that is compared in lower (or upper) case must be written so. */
static bool cased(const struct src *s, const struct ynode *n, bool upper)
{
	char buf[SHOW];

	for (size_t i = 0; i < n->s.n; i++) {
		uint8_t c = n->s.p[i];

		if (upper ? c < 'A' || c > 'Z'
			  : (c >= 'A' && c <= 'Z') || c <= ' ') {
			bad(s, n, 3131,
			    upper ? "methods are capitals: GET"
				  : "names are written in small letters",
			    "'%s' can never match", show(buf, n->s));
			return false;
		}
	}
	return true;
}

static bool ends_with(struct span s, char c)
{
	return s.n > 1 && s.p[s.n - 1] == (uint8_t)c;
}

/* "meter.example:8080", but not "fd00::1" */
static bool has_port(struct span host)
{
	size_t at = 0, n = 0;

	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == ':') {
			at = i;
			n++;
		}
	}
	return n == 1 && at + 1 < host.n && host.p[at + 1] >= '0' &&
	       host.p[at + 1] <= '9';
}

/* There is one spelling of each name that is compared. seen: a step shows what
 * was sent, in which a path may end with a slash. */
static bool spelt(const struct src *s, enum field f, const struct ynode *n,
		  bool seen)
{
	bool path = f == F_PATH || f == F_HREF;
	bool name = f == F_HOST || f == F_DNS_NAME;
	const char *hint = NULL;
	char buf[SHOW];

	if (path && !seen && ends_with(n->s, '/'))
		hint = "paths are compared without the slash at their end";
	else if (name && ends_with(n->s, '.'))
		hint = "names are compared without the dot at their end";
	else if (f == F_HOST && n->s.n && n->s.p[0] == '[')
		hint = "an address stands without brackets";
	else if (f == F_HOST && has_port(n->s))
		hint = "hosts are compared without the port";
	if (hint)
		bad(s, n, 3131, hint, "'%s' can never match", show(buf, n->s));
	return !hint;
}

/* "obix:units/watt" is told as "watt". */
static const char *bare_unit(struct span s)
{
	static const char units[] = "obix:units/";
	size_t n = sizeof(units) - 1;

	return (const char *)s.p +
	       (s.n > n && memcmp(s.p, units, n) == 0 ? n : 0);
}

static int text_order(const void *a, const void *b)
{
	return glob_order(*(const char *const *)a, *(const char *const *)b);
}

static void text_values(struct rd *r, const struct attr_row *row,
			const struct ynode *const *e, size_t n, bool seen,
			struct pol_attr *a)
{
	const char **text = pool_array(r->s.pool, n + 1, sizeof(*text));

	for (size_t i = 0; i < n; i++) {
		bool ok = is_scalar(&r->s, e[i]);

		if (ok && row->kind == ATTR_PATH)
			ok = ph_path(&r->s, e[i], !seen, &text[a->n_text]);
		else if (ok && row->kind != ATTR_TEXT)
			ok = cased(&r->s, e[i], row->kind == ATTR_UPPER);
		if (ok)
			ok = spelt(&r->s, (enum field)row->field, e[i], seen);
		if (ok && e[i]->s.n > 128) {
			bad(&r->s, e[i], 3108, NULL, "more than 128 octets");
			ok = false;
		}
		if (ok)
			text[a->n_text++] = row->field == F_OBIX_UNIT
						    ? bare_unit(e[i]->s)
						    : (const char *)e[i]->s.p;
	}
	qsort(text, a->n_text, sizeof(*text), text_order);
	a->text = text;
}

static int title_order(const void *a, const void *b)
{
	return oid_order(*(const struct span *)a, *(const struct span *)b);
}

static void oid_values(struct rd *r, const struct ynode *const *e, size_t n,
		       struct pol_attr *a)
{
	struct span *oid = pool_array(r->s.pool, n + 1, sizeof(*oid));

	for (size_t i = 0; i < n; i++)
		a->n_oid += ph_oid(&r->s, e[i], &oid[a->n_oid]);
	qsort(oid, a->n_oid, sizeof(*oid), title_order);
	a->oid = oid;
}

static void read_attr(struct rd *r, const struct ynode *v, const char *obs,
		      const struct pol_kinds *kinds, bool seen,
		      struct pol_attr *a)
{
	const struct attr_row *row = find_attr(r, v->key, obs, kinds);
	const struct ynode *const *e;
	size_t n;

	if (!row)
		return;
	a->field = (uint16_t)row->field;
	if (seen && v->type != Y_SCALAR) {
		bad(&r->s, v, 2205, "write the one value that was seen",
		    "a step shows one value of each attribute");
		return;
	}
	e = elements(r, v, true, &n);
	if (n > MAX_VALUES) {
		bad(&r->s, v, 3301, NULL, "more than %d values", MAX_VALUES);
		n = MAX_VALUES;
	}
	if (row->kind == ATTR_OID)
		oid_values(r, e, n, a);
	else if (row->kind == ATTR_PATH || row->kind == ATTR_TEXT ||
		 row->kind == ATTR_UPPER || row->kind == ATTR_LOWER)
		text_values(r, row, e, n, seen, a);
	else
		number_values(r, row, e, n, seen, a);
}

static int attr_order(const void *a, const void *b)
{
	return (int)((const struct pol_attr *)a)->field -
	       (int)((const struct pol_attr *)b)->field;
}

/* The gateway does not attest machines yet, so there is nothing to observe. */
static void warn_unseen(struct rd *r, const struct ynode *key,
			const struct pol_kinds *k)
{
	for (unsigned i = 0; i < OBS_COUNT; i++) {
		if (k->w[i / 64] >> (i % 64) & 1 &&
		    obs_family((enum obs_kind)i) != OBS_FAMILY_ATTEST)
			return;
	}
	diag_add(r->s.d, DIAG_WARNING, 4002, r->s.path,
		 (struct diag_at){key->line, key->col, key->len},
		 "leave it out until machines are attested",
		 "nothing makes '%s' yet: until something does, this selects "
		 "nothing",
		 (const char *)key->s.p);
}

/* {OBSERVATION: {ATTRIBUTE: VALUE}}, exactly one key. */
static bool read_obs(struct rd *r, const struct ynode *v, bool seen,
		     struct pol_obs_match *m)
{
	const struct ynode *body;
	struct pol_attr *attr;

	if (!is_map(r, v))
		return false;
	if (v->n_kids != 1) {
		bad(&r->s, v, 2210,
		    "a sequence of observations means OR: [{a: {}}, {b: {}}]",
		    "%u observations where exactly one is expected", v->n_kids);
		return false;
	}
	body = v->kids;
	m->pos = (struct pol_pos){body->key->line, body->key->col};
	if (!read_kinds(r, body->key, seen, &m->kinds) || !is_map(r, body))
		return false;
	if (!seen)
		warn_unseen(r, body->key, &m->kinds);
	attr = pool_array(r->s.pool, body->n_kids + 1, sizeof(*attr));
	for (const struct ynode *c = body->kids; c; c = c->next) {
		read_attr(r, c, (const char *)body->key->s.p, &m->kinds, seen,
			  &attr[m->n_attr]);
		m->n_attr++;
	}
	/* The image must not depend on the order of keys. */
	qsort(attr, m->n_attr, sizeof(*attr), attr_order);
	m->attr = attr;
	return true;
}

void read_match(struct rd *r, const struct ynode *v, struct match_out *out)
{
	struct pol_obs_match *m;
	size_t n = 0;

	out->match = NULL;
	out->n = 0;
	if (ph_asked(&r->s, v, PH_MATCH))
		return;
	if (v->type == Y_SEQ && v->n_kids == 0) {
		bad(&r->s, v, 2208, "everything is written {any: {}}",
		    "an empty match selects nothing");
		return;
	}
	if (v->type == Y_SEQ && v->n_kids > MAX_OBSERVATIONS) {
		bad(&r->s, v, 3301, NULL, "more than %d observations",
		    MAX_OBSERVATIONS);
		return;
	}
	m = pool_array(r->s.pool, v->n_kids + 1, sizeof(*m));
	if (v->type == Y_SEQ) {
		for (const struct ynode *c = v->kids; c; c = c->next)
			n += read_obs(r, c, false, &m[n]);
	} else {
		n = read_obs(r, v, false, &m[0]);
	}
	out->match = m;
	out->n = n;
}

void read_observe(struct rd *r, const struct ynode *v,
		  struct pol_step_src *step)
{
	struct pol_obs_match m = {0};

	if (ph_asked(&r->s, v, PH_OBSERVE) || !read_obs(r, v, true, &m))
		return;
	for (unsigned i = 0; i < OBS_COUNT; i++) {
		if (m.kinds.w[i / 64] >> (i % 64) & 1)
			step->kind = (enum obs_kind)i;
	}
	step->attr = m.attr;
	step->n_attr = m.n_attr;
}
