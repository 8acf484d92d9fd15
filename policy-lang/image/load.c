/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verify an image from its first octet to its last, once, before anything
 * reads it (layout.h; policy-language section 20.1): lengths and checksums
 * here, then every row of every section in load_rows.c. Readers check nothing
 * again.
 */
#include <stdlib.h>

#include "core/crc32c.h"
#include "crypto/digest.h"
#include "policy-lang/image/load.h"

#define bad(e, off, ...) err_set(e, E_SYNTAX, off, __VA_ARGS__)

static const struct {
	char name[5];
	uint32_t type, size;
} sects[LAY_SECT_COUNT] = {
#define X(id, type, s) {#id, type, sizeof(s)},
	LAY_SECTIONS(X)
#undef X
};

/* --- the frame: header, table, checksums --------------------------------- */

static int check_header(struct span file, struct lay_header *h, struct err *e)
{
	if (file.n < sizeof(*h))
		return bad(e, file.n, "shorter than a header");
	if ((uintptr_t)file.p % 8)
		return bad(e, 0, "not aligned to 8 octets");
	memcpy(h, file.p, sizeof(*h));
	if (memcmp(h->magic, LAY_MAGIC, 8) != 0)
		return bad(e, 0, "not a compiled policy");
	if (h->major != LAY_MAJOR)
		return err_set(e, E_UNSUPPORTED, 8,
			       "format %u, this program reads %d: compile the "
			       "policy again",
			       h->major, LAY_MAJOR);
	if (h->length != file.n || file.n > LAY_MAX_FILE || file.n % 8)
		return bad(e, 16, "length %llu, the file has %zu octets",
			   (unsigned long long)h->length, file.n);
	/* All but LOCS and LABL. */
	if (h->n_sections < LAY_SECT_COUNT - 2 || h->n_sections > 64 ||
	    h->n_sections * sizeof(struct lay_section) > file.n - sizeof(*h))
		return bad(e, 24, "bad number of sections");
	return 0;
}

static int check_crc(struct span file, const struct lay_header *h,
		     struct err *e)
{
	struct lay_header zero = *h;
	uint32_t crc;

	zero.crc = 0;
	crc = crc32c(0, span_of(&zero, sizeof(zero)));
	crc = crc32c(crc, span_sub(file, sizeof(zero),
				   h->n_sections * sizeof(struct lay_section)));
	if (crc != h->crc)
		return err_set(e, E_INTEGRITY, 28, "header checksum is wrong");
	if (h->kind < POL_BINDING || h->kind > POL_TESTS || h->flags)
		return bad(e, 12, "unknown kind or flags");
	return 0;
}

static void set_section(struct pol_image *im, int i, const void *p, uint32_t n)
{
	switch (i) {
#define X(id, type, s)                                                         \
	case LAY_##id:                                                         \
		im->id = (const s *)p;                                         \
		im->n_##id = n;                                                \
		break;
		LAY_SECTIONS(X)
#undef X
	}
}

/* The digests of what an image means, and of the rules that were checked. */
struct digests {
	struct sha256 *payload, *grants;
};

void img_hash(struct sha256 *sha, uint32_t type, struct span s)
{
	uint64_t head[2] = {type, s.n};

	sha256_add(sha, span_of(head, sizeof(head)));
	sha256_add(sha, s);
}

static int check_section(struct pol_image *im, const struct lay_section *t,
			 size_t at, struct digests *d, int *next,
			 struct err *e)
{
	struct span s, pad;
	bool is_sign = t->type == sects[LAY_SIGN].type;
	bool outside = lay_outside(t->type);
	int k = *next;

	/* Those that may be missing. */
	while (outside && (k == LAY_LOCS || k == LAY_LABL) &&
	       t->type != sects[k].type)
		k++;

	if (t->off != at || t->len > im->file.n - at)
		return bad(e, at, "a section is not where it should be");
	s = span_sub(im->file, at, (size_t)t->len);
	if ((is_sign ? 0 : crc32c(0, s)) != t->crc)
		return err_set(e, E_INTEGRITY, at, "section checksum is wrong");
	pad = span_sub(im->file, at + s.n, (8 - s.n % 8) % 8);
	if (pad.n != (8 - s.n % 8) % 8)
		return bad(e, at, "padding is missing");
	for (size_t i = 0; i < pad.n; i++) {
		if (pad.p[i])
			return bad(e, at + s.n, "padding is not zero");
	}
	if (k < LAY_SECT_COUNT && t->type == sects[k].type) {
		bool may_miss = k == LAY_LOCS || k == LAY_LABL;

		bool texts = k == LAY_LOCS || k == LAY_INCL; /* behind */

		if (t->flags != (may_miss ? LAY_OPTIONAL : 0u) ||
		    (k == LAY_INCL ? t->count > t->len / sects[k].size
				   : t->count != t->len / sects[k].size) ||
		    (!texts && t->len % sects[k].size))
			return bad(e, at, "%s: bad flags or count",
				   sects[k].name);
		set_section(im, k, s.p, t->count);
		if (k == LAY_LOCS)
			im->path = s; /* ok_locs finds it in there */
		if (k == LAY_INCL)
			im->lib_text = span_from(s, t->count * sects[k].size);
		*next = k + 1;
	} else if (t->flags != LAY_OPTIONAL) {
		return err_set(e, E_UNSUPPORTED, at, "unknown section");
	}
	if (!outside)
		img_hash(d->payload, t->type, s);
	if (lay_of_grants(t->type))
		img_hash(d->grants, t->type, s);
	return 0;
}

/* What stood behind it would not be signed. */
static bool ends_with_sign(const struct pol_image *im)
{
	return (const uint8_t *)(im->SIGN + 1) == im->file.p + im->file.n;
}

static int check_digests(struct pol_image *im, const struct lay_header *h,
			 struct digests *d, struct err *e)
{
	uint8_t digest[SHA256_LEN];

	sha256_end(d->payload, digest);
	if (!crypto_equal(digest, h->payload, sizeof(digest)))
		return err_set(e, E_INTEGRITY, 32, "payload digest is wrong");
	if (im->n_UNIQ != 1)
		return err_set(e, E_UNSUPPORTED, 0,
			       "nobody checked that its grants do not overlap: "
			       "compile the policy with polc");
	sha256_end(d->grants, digest);
	if (!crypto_equal(digest, im->UNIQ->digest, sizeof(digest)))
		return err_set(e, E_INTEGRITY,
			       (uint64_t)((const uint8_t *)im->UNIQ -
					  im->file.p),
			       "its rules are not those that were checked for "
			       "overlap: compile the policy with polc");
	return 0;
}

static int check_frame(struct pol_image *im, struct digests *d, struct err *e)
{
	struct lay_header h;
	size_t at;
	int next = 0, rc = check_header(im->file, &h, e);

	if (!rc)
		rc = check_crc(im->file, &h, e);
	if (rc)
		return rc;
	sha256_begin(d->payload);
	sha256_begin(d->grants);
	at = sizeof(h) + h.n_sections * sizeof(struct lay_section);
	for (uint32_t i = 0; i < h.n_sections; i++) {
		struct lay_section t;

		memcpy(&t, im->file.p + sizeof(h) + i * sizeof(t), sizeof(t));
		rc = check_section(im, &t, at, d, &next, e);
		if (rc)
			return rc;
		at += ((size_t)t.len + 7) & ~(size_t)7;
	}
	if (at != im->file.n)
		return bad(e, at, "octets behind the last section");
	if (next < LAY_SECT_COUNT)
		return bad(e, at, "section %s is missing", sects[next].name);
	if (im->n_SIGN > 1 || (im->n_SIGN && !ends_with_sign(im)))
		return bad(e, at, "SIGN is not one row at the end");
	rc = check_digests(im, &h, d, e);
	if (rc)
		return rc;
	im->head = (const struct lay_header *)im->file.p;
	return 0;
}

int pol_image_load(struct pol_image **out, struct span octets, struct err *e)
{
	struct pol_image *im = calloc(1, sizeof(*im));
	struct digests d = {sha256_new(), sha256_new()};
	const char *what;
	int rc;

	*out = NULL;
	if (!im || !d.payload || !d.grants) {
		rc = err_set(e, E_NOMEM, 0, "out of memory");
		goto out;
	}
	im->file = octets;
	rc = check_frame(im, &d, e);
	what = rc ? NULL : load_rows(im);
	if (what)
		rc = bad(e, 0, "%s: out of bounds", what);
out:
	sha256_free(d.payload);
	sha256_free(d.grants);
	if (rc) {
		free(im);
		return rc;
	}
	im->id = img_str(im, im->META->id);
	rc = img_index(im);
	if (rc) {
		pol_image_free(im);
		return err_set(e, rc, 0, "out of memory");
	}
	*out = im;
	return 0;
}

void pol_image_free(struct pol_image *i)
{
	if (!i)
		return;
	free(i->table);
	free(i->tables);
	free(i);
}

enum pol_kind pol_image_kind(const struct pol_image *i)
{
	return (enum pol_kind)i->head->kind;
}

struct span pol_image_id(const struct pol_image *i)
{
	return i->id;
}

struct span pol_image_vm(const struct pol_image *i)
{
	return img_str(i, i->META->vm);
}

uint64_t pol_image_serial(const struct pol_image *i)
{
	return i->head->serial;
}

void pol_image_digest(const struct pol_image *i, uint8_t out[32])
{
	memcpy(out, i->head->payload, 32);
}
