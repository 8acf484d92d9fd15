/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked policy file becomes its image.
 *
 * The sections are put together twice: the first time only to learn which
 * names and texts there are, so that they can be sorted and stored once each;
 * the second time their offsets are known. Nothing in the image depends on
 * addresses, on the order of mappings in the source or on the time.
 */
#include "policy-lang/image/build.h"

#include <stdlib.h>

#include "core/crc32c.h"
#include "crypto/digest.h"
#include "policy-lang/image/load.h"

enum {
	STRINGS_STRS,
	STRINGS_TEXT
};

/* --- growing blocks ------------------------------------------------------ */

void *vec_room(struct vec *v, size_t n)
{
	size_t cap = v->cap ? v->cap : 256;
	uint8_t *at;

	if (v->failed || n > LAY_MAX_FILE - v->n) {
		v->failed = true;
		return NULL;
	}
	while (cap - v->n < n || cap < v->n)
		cap *= 2;
	if (cap != v->cap) {
		at = realloc(v->p, cap);
		if (!at) {
			v->failed = true;
			return NULL;
		}
		v->p = at;
		v->cap = cap;
	}
	at = v->p + v->n;
	if (n)
		memset(at, 0, n);
	v->n += n;
	return at;
}

void vec_put(struct vec *v, const void *p, size_t n)
{
	void *at = vec_room(v, n);

	if (at && n)
		memcpy(at, p, n);
}

void vec_free(struct vec *v)
{
	free(v->p);
	*v = (struct vec){0};
}

/* --- names and texts ----------------------------------------------------- */

struct name {
	const char *s;
	uint32_t at; /* in its section */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->s, ((const struct name *)b)->s);
}

/* In the first pass the section is empty and the text is only noted. */
static uint32_t string(struct build *b, int which, enum lay_sect sect,
		       const char *s)
{
	const struct name *n, key = {s, 0};

	if (!s || !*s)
		return 0;
	if (b->s[sect].n == 0) {
		vec_put(&b->names[which], &key, sizeof(key));
		return 0;
	}
	n = bsearch(&key, b->names[which].p, b->names[which].n / sizeof(key),
		    sizeof(key), by_text);
	return n ? n->at : 0;
}

uint32_t build_str(struct build *b, const char *s)
{
	return string(b, STRINGS_STRS, LAY_STRS, s);
}

uint32_t build_text(struct build *b, const char *s)
{
	return string(b, STRINGS_TEXT, LAY_TEXT, s);
}

static void store_names(struct build *b, int which, enum lay_sect sect)
{
	struct vec *names = &b->names[which], *out = &b->s[sect];
	struct name *v = (struct name *)names->p;
	size_t n = names->n / sizeof(*v), k = 0;

	vec_put(out, "", 1);
	if (n)
		qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++) {
		if (k && strcmp(v[i].s, v[k - 1].s) == 0)
			continue;
		v[k++] = (struct name){v[i].s, (uint32_t)out->n};
		vec_put(out, v[i].s, strlen(v[i].s) + 1);
	}
	names->n = k * sizeof(*v);
}

uint32_t build_list(struct build *b, const uint32_t *v, size_t n)
{
	uint32_t at = (uint32_t)(b->s[LAY_LIST].n / sizeof(*v));

	vec_put(&b->s[LAY_LIST], v, n * sizeof(*v));
	return at;
}

/* --- all together -------------------------------------------------------- */

static int assemble(struct build *b)
{
	struct vec *s = b->s;
	int rc;

	build_rows(b);
	free(b->col);
	b->col = NULL;
	b->n_col = 0;
	rc = build_columns(b);
	if (!rc && s[LAY_STRS].n) /* they name nothing: the first time, none */
		rc = build_dims(b);
	for (int i = 0; !rc && i < LAY_SECT_COUNT; i++) {
		if (s[i].failed)
			rc = err_set(b->e, E_NOMEM, 0,
				     "too large, or out of memory");
	}
	return rc;
}

static const struct {
	uint32_t type, size;
} sects[LAY_SECT_COUNT] = {
#define X(id, type, s) {type, sizeof(s)},
	LAY_SECTIONS(X)
#undef X
};

/* For these rules, as they are now. */
static void put_unique(struct build *b, struct sha256 *sha)
{
	struct lay_unique u;

	sha256_begin(sha);
	for (int i = 0; i < LAY_SECT_COUNT; i++) {
		if (lay_of_grants(sects[i].type))
			img_hash(sha, sects[i].type,
				 span_of(b->s[i].p, b->s[i].n));
	}
	sha256_end(sha, u.digest);
	vec_put(&b->s[LAY_UNIQ], &u, sizeof(u));
}

static void put_file(struct build *b, uint8_t *p, size_t n,
		     struct sha256 *sha)
{
	struct lay_header h = {.major = LAY_MAJOR,
			       .minor = LAY_MINOR,
			       .kind = (uint16_t)b->f->kind,
			       .length = n,
			       .n_sections = LAY_SECT_COUNT,
			       .serial = b->f->serial,
			       .not_before = b->f->valid_from_s,
			       .not_after = b->f->valid_until_s};
	struct lay_section t[LAY_SECT_COUNT];
	size_t at = sizeof(h) + sizeof(t);
	uint32_t crc;

	memcpy(h.magic, LAY_MAGIC, 8);
	memcpy(h.source, b->f->source_digest, 32);
	sha256_begin(sha);
	for (int i = 0; i < LAY_SECT_COUNT; i++) {
		struct span s = span_of(b->s[i].p, b->s[i].n);

		t[i] = (struct lay_section){
			.type = sects[i].type,
			.flags = i == LAY_LOCS || i == LAY_LABL ? LAY_OPTIONAL
								: 0,
			.off = at,
			.len = s.n,
			.count = i == LAY_INCL
					 ? (uint32_t)b->f->n_include
					 : (uint32_t)(s.n / sects[i].size),
			.crc = i == LAY_SIGN ? 0 : crc32c(0, s)};
		if (!lay_outside(sects[i].type))
			img_hash(sha, sects[i].type, s);
		if (s.n)
			memcpy(p + at, s.p, s.n);
		at += (s.n + 7) & ~(size_t)7;
	}
	sha256_end(sha, h.payload);
	crc = crc32c(0, span_of(&h, sizeof(h)));
	h.crc = crc32c(crc, span_of(t, sizeof(t)));
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), t, sizeof(t));
}

/* What the format cannot hold, whoever filled the model. */
static int check(const struct build *b)
{
	const struct pol_file *f = b->f;
	size_t limits = f->n_limit + f->n_floor, prefixes = 0;

	for (size_t i = 0; i < f->n_rule; i++)
		limits += f->rule[i].n_limit;
	for (size_t i = 0; i < f->n_party; i++)
		prefixes += f->party[i].n_addr;
	for (size_t i = 0; i < f->n_machine; i++)
		prefixes += f->machine[i].n_addr;
	const struct {
		const char *what;
		size_t n, max;
	} rows[] = {
		{"rules",     f->n_rule,    LAY_MAX_RULES   },
		{"limits",    limits,       LAY_MAX_LIMITS  },
		{"states",    f->n_state,   LAY_MAX_STATES  },
		{"parties",   f->n_party,   LAY_MAX_PARTIES },
		{"prefixes",  prefixes,     LAY_MAX_PREFIXES},
		{"machines",  f->n_machine, LAY_MAX_VMS     },
		{"libraries", f->n_include, LAY_MAX_LIBS    },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].n > rows[i].max)
			return err_set(b->e, E_LIMIT, 0, "%zu %s, %zu at most",
				       rows[i].n, rows[i].what, rows[i].max);
	}
	return 0;
}

/* Counters have fixed sizes. */
static int check_counters(const struct build *b)
{
	const struct lay_limit *l = (const struct lay_limit *)b->s[LAY_LIMT].p;
	size_t n = b->s[LAY_LIMT].n / sizeof(*l);

	for (size_t i = 0; i < n; i++) {
		uint64_t max = l[i].kind == LIMIT_SLIDING    ? UINT32_MAX
			       : l[i].kind == LIMIT_DISTINCT ? 64
			       : l[i].kind == LIMIT_CONCURRENT
				       ? 4096
				       : UINT64_C(1) << 53;

		if (l[i].n > max)
			return err_set(b->e, E_LIMIT, 0,
				       "'%s': at most %llu can be counted so",
				       (const char *)b->s[LAY_TEXT].p +
					       l[i].text,
				       (unsigned long long)max);
	}
	return 0;
}

static int finish(struct build *b, uint8_t **out, size_t *n)
{
	size_t size = sizeof(struct lay_header) +
		      LAY_SECT_COUNT * sizeof(struct lay_section);
	struct sha256 *sha;

	if (b->s[LAY_TEXT].n > LAY_MAX_TEXT || b->s[LAY_STRS].n > LAY_MAX_TEXT)
		return err_set(b->e, E_LIMIT, 0, "more than %d octets of text",
			       LAY_MAX_TEXT);
	sha = sha256_new();
	if (sha && b->f->unique)
		put_unique(b, sha);
	for (int i = 0; i < LAY_SECT_COUNT; i++)
		size += (b->s[i].n + 7) & ~(size_t)7;
	*out = sha && !b->s[LAY_UNIQ].failed ? calloc(1, size) : NULL;
	if (*out)
		put_file(b, *out, size, sha);
	sha256_free(sha);
	if (!*out)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	*n = size;
	return 0;
}

int pol_image_build(uint8_t **out, size_t *n, const struct pol_file *f,
		    struct err *e)
{
	struct build b = {.f = f, .e = e};
	int rc;

	*out = NULL;
	*n = 0;
	rc = check(&b);
	if (!rc)
		rc = assemble(&b);
	for (int i = 0; i < LAY_SECT_COUNT; i++)
		vec_free(&b.s[i]);
	if (!rc) {
		store_names(&b, STRINGS_STRS, LAY_STRS);
		store_names(&b, STRINGS_TEXT, LAY_TEXT);
		rc = b.names[STRINGS_STRS].failed || b.names[STRINGS_TEXT].failed
			     ? err_set(e, E_NOMEM, 0, "out of memory")
			     : assemble(&b);
	}
	if (!rc)
		rc = check_counters(&b);
	if (!rc)
		rc = finish(&b, out, n);
	for (int i = 0; i < LAY_SECT_COUNT; i++)
		vec_free(&b.s[i]);
	vec_free(&b.names[STRINGS_STRS]);
	vec_free(&b.names[STRINGS_TEXT]);
	free(b.col);
	return rc;
}

void pol_digest(struct span s, uint8_t out[32])
{
	sha256_of(s, out);
}
