/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/policy_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/wbuf.h"
#include "crypto/digest.h"
#include "enforcer/daemon/keep.h"
#include "policy-lang/front/file.h"

#define FILE_MAX (32u << 20)
#define TEXT(s)	 (int)(s).n, (const char *)(s).p

/* The file: magic, items, SHA-256 of all before it. An item is its kind, the
 * number of its octets (4, least significant first) and these. */
static const uint8_t magic[8] = {0x8d, 'M', 'G', 'P', 0x0d, 0x0a, 1, 0x0a};
enum item { ITEM_FORCE = 1, ITEM_SEEN, ITEM_STAGED, ITEM_CLOCK, ITEM_VOIDS,
	    ITEM_TEXT };
#define ITEM_HEAD 5

/* --- images ------------------------------------------------------------------- */

static void image_free(struct store_image *i)
{
	pol_image_free(i->image);
	free(i->octets);
	*i = (struct store_image){0};
}

static int image_copy(struct store_image *to, struct span octets,
		      struct err *e)
{
	int rc;

	*to = (struct store_image){.octets = malloc(octets.n ? octets.n : 1),
				   .n = octets.n};
	if (!to->octets)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (octets.n)
		memcpy(to->octets, octets.p, octets.n);
	rc = pol_image_load(&to->image, span_of(to->octets, to->n), e);
	if (rc < 0) {
		free(to->octets);
		*to = (struct store_image){0};
	}
	return rc;
}

void store_free(struct policy_store *s)
{
	for (size_t i = 0; i < s->n_force; i++)
		image_free(&s->force[i]);
	store_unstage_all(s);
	*s = (struct policy_store){0};
}

void store_unstage(struct policy_store *s, size_t i)
{
	image_free(&s->staged[i].image);
	s->n_staged--;
	memmove(&s->staged[i], &s->staged[i + 1],
		(s->n_staged - i) * sizeof(s->staged[0]));
}

void store_unstage_all(struct policy_store *s)
{
	for (size_t i = 0; i < s->n_staged; i++)
		image_free(&s->staged[i].image);
	s->n_staged = 0;
}

int store_stage(struct policy_store *s, struct span octets,
		struct store_staged how, struct err *e)
{
	int rc;

	if (s->n_staged == STORE_IMAGES)
		return err_set(e, E_LIMIT, 0, "more than %d policies wait",
			       STORE_IMAGES);
	rc = image_copy(&how.image, octets, e);
	if (rc == 0)
		s->staged[s->n_staged++] = how;
	return rc;
}

struct store_staged *store_find_staged(struct policy_store *s,
				       const struct pol_image *im)
{
	for (size_t i = 0; i < s->n_staged; i++) {
		const struct pol_image *x = s->staged[i].image.image;

		if (pol_image_kind(x) == pol_image_kind(im) &&
		    span_eq(pol_image_id(x), pol_image_id(im)) &&
		    store_same(x, im))
			return &s->staged[i];
	}
	return NULL;
}

bool store_same(const struct pol_image *a, const struct pol_image *b)
{
	uint8_t x[32], y[32];

	pol_image_digest(a, x);
	pol_image_digest(b, y);
	return memcmp(x, y, sizeof(x)) == 0;
}

const struct pol_image *store_in_force(const struct policy_store *s,
				       enum pol_kind kind, struct span id)
{
	for (size_t i = 0; i < s->n_force; i++) {
		const struct pol_image *im = s->force[i].image;

		if (pol_image_kind(im) == kind && span_eq(pol_image_id(im), id))
			return im;
	}
	return NULL;
}

int store_force(struct policy_store *s, const struct capture_policy *from,
		struct err *e)
{
	struct store_image next[STORE_IMAGES];
	size_t k = 0;
	int rc = 0;

	while (rc == 0 && k < from->n) {
		rc = image_copy(&next[k],
				span_of(from->octets[k], from->n_octets[k]), e);
		k += rc == 0;
	}
	if (rc < 0) {
		while (k > 0)
			image_free(&next[--k]);
		return rc;
	}
	for (size_t i = 0; i < s->n_force; i++)
		image_free(&s->force[i]);
	memcpy(s->force, next, k * sizeof(next[0]));
	s->n_force = k;
	return 0;
}

bool store_is_force(const struct policy_store *s,
		    const struct capture_policy *from)
{
	for (size_t i = 0; i < from->n && i < s->n_force; i++) {
		if (!span_eq(span_of(s->force[i].octets, s->force[i].n),
			     span_of(from->octets[i], from->n_octets[i])))
			return false;
	}
	return from->n == s->n_force;
}

/* --- serials ------------------------------------------------------------------- */

static struct store_seen *find_seen(const struct policy_store *s,
				    enum pol_kind kind, struct span id)
{
	for (size_t i = 0; i < s->n_seen; i++) {
		/* A household has one customer's file, whatever its id. */
		if (s->seen[i].kind == kind &&
		    (kind == POL_CUSTOMER || span_is(id, s->seen[i].id)))
			return (struct store_seen *)(uintptr_t)&s->seen[i];
	}
	return NULL;
}

int store_serial(const struct policy_store *s, const struct pol_image *im,
		 struct err *e)
{
	struct span id = pol_image_id(im);
	enum pol_kind kind = pol_image_kind(im);
	const struct pol_image *now = store_in_force(s, kind, id);
	const struct store_seen *seen = find_seen(s, kind, id);
	uint64_t serial = pol_image_serial(im);
	uint8_t digest[32];

	if (!seen || (now && store_same(im, now)) || serial > seen->serial)
		return 0;
	if (serial < seen->serial)
		return err_set(e, E_STATE, 0,
			       "%.*s serial %llu: serial %llu was here before, "
			       "and serials only rise",
			       TEXT(id), (unsigned long long)serial,
			       (unsigned long long)seen->serial);
	pol_image_digest(im, digest);
	if (memcmp(digest, seen->digest, sizeof(digest)) != 0)
		return err_set(e, E_STATE, 0,
			       "%.*s serial %llu: another policy of this "
			       "serial was here before; give it a higher one",
			       TEXT(id), (unsigned long long)serial);
	return 0;
}

int store_see(struct policy_store *s, const struct pol_image *im,
	      struct err *e)
{
	struct span id = pol_image_id(im);
	struct store_seen *seen = find_seen(s, pol_image_kind(im), id);

	if (seen && seen->serial >= pol_image_serial(im))
		return 0;
	if (id.n >= STORE_ID)
		return err_set(e, E_LIMIT, 0, "an id of more than %d octets",
			       STORE_ID - 1);
	if (!seen && s->n_seen == STORE_SEEN)
		return err_set(e, E_LIMIT, 0,
			       "more than %d policies cannot be remembered",
			       STORE_SEEN);
	if (!seen)
		seen = &s->seen[s->n_seen++];
	*seen = (struct store_seen){.kind = pol_image_kind(im),
				    .serial = pol_image_serial(im)};
	memcpy(seen->id, id.p, id.n);
	pol_image_digest(im, seen->digest);
	return 0;
}

/* --- reading ------------------------------------------------------------------- */

static int take_seen(struct policy_store *s, struct span octets, struct err *e)
{
	struct cur c = cur_of(octets);
	struct store_seen *was, *seen = &s->seen[s->n_seen];
	uint8_t kind = cur_u8(&c);
	uint64_t serial = cur_le64(&c);
	struct span digest = cur_take(&c, sizeof(seen->digest));
	struct span id = cur_rest(&c);

	if (!cur_ok(&c) || kind < POL_BINDING || kind > POL_TESTS ||
	    id.n == 0 || id.n >= STORE_ID || memchr(id.p, 0, id.n) ||
	    s->n_seen == STORE_SEEN)
		return err_set(e, E_SYNTAX, 0, "a serial makes no sense");
	*seen = (struct store_seen){.kind = (enum pol_kind)kind,
				    .serial = serial};
	memcpy(seen->digest, digest.p, digest.n);
	memcpy(seen->id, id.p, id.n);
	was = find_seen(s, seen->kind, span_str(seen->id));
	if (!was || seen->kind != POL_CUSTOMER)
		s->n_seen++;
	else if (was->serial < serial) /* One place; there were more once. */
		*was = *seen;
	return 0;
}

#define STAGED_HEAD 9

static int take_staged(struct policy_store *s, struct span octets,
		       struct err *e)
{
	struct cur c = cur_of(octets);
	uint8_t flags = cur_u8(&c);
	int64_t elapsed = (int64_t)cur_le64(&c);
	struct store_staged how = {.confirmed = flags & 1,
				   .notice = flags & 2,
				   .together = flags & 4,
				   .elapsed_ns = elapsed};

	if (!cur_ok(&c) || flags > 7 || elapsed < 0 || elapsed > STORE_NS_MAX)
		return err_set(e, E_SYNTAX, 0, "what waits makes no sense");
	return store_stage(s, cur_rest(&c), how, e);
}

static int take_clock(struct policy_store *s, struct span octets,
		      struct err *e)
{
	struct cur c = cur_of(octets);
	struct span boot = cur_take(&c, sizeof(s->clock.boot));

	s->clock.mono_ns = (int64_t)cur_le64(&c);
	s->clock.wall_us = (int64_t)cur_le64(&c);
	if (!cur_done(&c) || s->clock.mono_ns < 0 ||
	    s->clock.mono_ns > STORE_NS_MAX || s->clock.wall_us < 0 ||
	    s->clock.wall_us > STORE_US_MAX)
		return err_set(e, E_SYNTAX, 0, "its clock makes no sense");
	memcpy(s->clock.boot, boot.p, boot.n);
	return 0;
}

static int take_voids(struct policy_store *s, struct span octets,
		      struct err *e)
{
	struct cur c = cur_of(octets);
	struct span of = cur_take(&c, sizeof(s->voids.of));
	struct store_voids *v = &s->voids;
	bool sane = cur_ok(&c) && v->n == 0 && octets.n % 4 == 0 &&
		    octets.n - of.n <= 4 * STORE_VOIDS && octets.n > of.n;

	while (sane && !cur_done(&c)) {
		v->answer[v->n] = (uint32_t)cur_le(&c, 4);
		sane = v->n == 0 || v->answer[v->n] > v->answer[v->n - 1];
		v->n++;
	}
	if (!sane)
		return err_set(e, E_SYNTAX, 0, "void answers make no sense");
	memcpy(v->of, of.p, of.n);
	return 0;
}

static int take_text(struct policy_store *s, struct span octets, struct err *e)
{
	if (s->customer[0] || octets.n == 0 || octets.n >= STORE_TEXT ||
	    memchr(octets.p, 0, octets.n))
		return err_set(e, E_SYNTAX, 0, "its text makes no sense");
	memcpy(s->customer, octets.p, octets.n);
	return 0;
}

static int take_item(struct policy_store *s, unsigned kind, struct span octets,
		     struct err *e)
{
	int rc;

	switch (kind) {
	case ITEM_FORCE:
		if (s->n_force == STORE_IMAGES)
			return err_set(e, E_LIMIT, 0, "too many policies");
		rc = image_copy(&s->force[s->n_force], octets, e);
		s->n_force += rc == 0;
		return rc;
	case ITEM_SEEN:
		return take_seen(s, octets, e);
	case ITEM_STAGED:
		return take_staged(s, octets, e);
	case ITEM_CLOCK:
		return take_clock(s, octets, e);
	case ITEM_VOIDS:
		return take_voids(s, octets, e);
	case ITEM_TEXT:
		return take_text(s, octets, e);
	default:
		return err_set(e, E_SYNTAX, 0, "an item of unknown kind");
	}
}

static int take_all(struct policy_store *s, struct span all, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	struct span body = span_sub(all, 0, all.n - SHA256_LEN);
	struct cur c = cur_of(span_from(body, sizeof(magic)));
	int rc = 0;

	sha256_of(body, digest);
	if (memcmp(digest, all.p + body.n, sizeof(digest)) != 0)
		return err_set(e, E_INTEGRITY, 0, "its checksum is wrong");
	while (rc == 0 && !cur_done(&c)) {
		unsigned kind = cur_u8(&c);
		struct span octets = cur_take(&c, (size_t)cur_le(&c, 4));

		if (!cur_ok(&c))
			rc = err_set(e, E_SYNTAX, 0, "it is cut");
		else
			rc = take_item(s, kind, octets, e);
	}
	/* To start without them would be a first start, where nobody is asked
	 * whether more may pass than before. */
	if (rc == E_UNSUPPORTED)
		return err_set(e, rc, 0, "it holds policies of a format that "
			       "only another version of this program reads: "
			       "start that one, or remove the file and begin "
			       "anew with policies that are compiled again");
	return rc;
}

int store_parse(struct policy_store *s, struct span all, struct err *e)
{
	int rc;

	*s = (struct policy_store){0};
	if (all.n < sizeof(magic) + SHA256_LEN ||
	    memcmp(all.p, magic, sizeof(magic)) != 0)
		return err_set(e, E_SYNTAX, 0, "it is of another form");
	rc = take_all(s, all, e);
	if (rc < 0)
		store_free(s);
	return rc;
}

int store_read(struct policy_store *s, const char *dir, struct err *e)
{
	char path[KEEP_PATH];
	struct stat st;
	uint8_t *octets;
	size_t n;
	int rc = keep_path(path, dir, STORE_FILE, e);

	*s = (struct policy_store){0};
	if (rc < 0)
		return rc;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	rc = file_read(&octets, &n, path, FILE_MAX, e);
	if (rc < 0)
		return rc;
	rc = store_parse(s, span_of(octets, n), e);
	free(octets);
	return rc < 0 ? err_wrap(e, "%s", path) : 0;
}

/* --- writing ------------------------------------------------------------------- */

static void put(struct wbuf *w, enum item kind, struct span octets)
{
	wbuf_u8(w, (uint8_t)kind);
	wbuf_le(w, octets.n, 4);
	wbuf_put(w, octets);
}

static void put_seen(struct wbuf *w, const struct store_seen *seen)
{
	uint8_t buf[1 + 8 + 32 + STORE_ID];
	struct wbuf o = wbuf_of(buf, sizeof(buf));

	wbuf_u8(&o, (uint8_t)seen->kind);
	wbuf_le(&o, seen->serial, 8);
	wbuf_put(&o, span_of(seen->digest, sizeof(seen->digest)));
	wbuf_put(&o, span_str(seen->id));
	put(w, ITEM_SEEN, wbuf_span(&o));
}

static size_t octets_of(const struct policy_store *s)
{
	size_t n = sizeof(magic) + SHA256_LEN;

	for (size_t i = 0; i < s->n_force; i++)
		n += ITEM_HEAD + s->force[i].n;
	for (size_t i = 0; i < s->n_staged; i++)
		n += ITEM_HEAD + STAGED_HEAD + s->staged[i].image.n;
	n += ITEM_HEAD + sizeof(s->clock.boot) + 8 + 8;
	n += ITEM_HEAD + sizeof(s->voids.of) + 4 * s->voids.n;
	n += ITEM_HEAD + strlen(s->customer);
	return n + s->n_seen * (ITEM_HEAD + 1 + 8 + 32 + STORE_ID);
}

static void put_staged(struct wbuf *w, const struct store_staged *x)
{
	wbuf_u8(w, ITEM_STAGED);
	wbuf_le(w, STAGED_HEAD + x->image.n, 4);
	wbuf_u8(w, (uint8_t)(x->confirmed | x->notice << 1 |
			     x->together << 2));
	wbuf_le(w, (uint64_t)x->elapsed_ns, 8);
	wbuf_put(w, span_of(x->image.octets, x->image.n));
}

static void put_clock(struct wbuf *w, const struct store_clock *c)
{
	wbuf_u8(w, ITEM_CLOCK);
	wbuf_le(w, sizeof(c->boot) + 8 + 8, 4);
	wbuf_put(w, span_of(c->boot, sizeof(c->boot)));
	wbuf_le(w, (uint64_t)c->mono_ns, 8);
	wbuf_le(w, (uint64_t)c->wall_us, 8);
}

static void put_voids(struct wbuf *w, const struct store_voids *v)
{
	if (v->n == 0)
		return;
	wbuf_u8(w, ITEM_VOIDS);
	wbuf_le(w, sizeof(v->of) + 4 * v->n, 4);
	wbuf_put(w, span_of(v->of, sizeof(v->of)));
	for (size_t i = 0; i < v->n; i++)
		wbuf_le(w, v->answer[i], 4);
}

static void put_all(struct wbuf *w, const struct policy_store *s)
{
	uint8_t digest[SHA256_LEN];

	wbuf_put(w, span_of(magic, sizeof(magic)));
	for (size_t i = 0; i < s->n_force; i++)
		put(w, ITEM_FORCE, span_of(s->force[i].octets, s->force[i].n));
	for (size_t i = 0; i < s->n_seen; i++)
		put_seen(w, &s->seen[i]);
	for (size_t i = 0; i < s->n_staged; i++)
		put_staged(w, &s->staged[i]);
	put_clock(w, &s->clock);
	put_voids(w, &s->voids);
	if (s->customer[0])
		put(w, ITEM_TEXT, span_str(s->customer));
	sha256_of(wbuf_span(w), digest);
	wbuf_put(w, span_of(digest, sizeof(digest)));
}

int store_form(const struct policy_store *s, uint8_t **octets, size_t *n,
	       struct err *e)
{
	size_t room = octets_of(s);
	struct wbuf w;

	*octets = NULL;
	if (room > FILE_MAX)
		return err_set(e, E_LIMIT, 0, "too many policies");
	*octets = malloc(room);
	if (!*octets)
		return err_set(e, E_NOMEM, 0, "out of memory");
	w = wbuf_of(*octets, room);
	put_all(&w, s);
	*n = w.n;
	return 0;
}

int store_write(const struct policy_store *s, const char *dir, struct err *e)
{
	uint8_t *octets;
	size_t n;
	int rc = store_form(s, &octets, &n, e);

	if (rc < 0)
		return err_wrap(e, "%s", dir);
	rc = keep_file(dir, STORE_FILE, span_of(octets, n), e);
	free(octets);
	return rc;
}
