/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_policy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crypto/digest.h"
#include "policy-lang/front/file.h"
#include "policy-lang/front/front.h"
#include "policy-lang/image/view.h"

#define IMAGE_MAX   (16u << 20) /* octets of one image */
#define IMAGE_MAGIC "\x8dPOL\r\n\x1a\n"

/* Take over a heap block that holds an image. */
static int add_image(struct capture_policy *p, uint8_t *octets, size_t n,
		     const char *path, struct err *e)
{
	int rc;

	if (p->n == CAPTURE_POLICIES) {
		free(octets);
		return err_set(e, E_LIMIT, 0, "%s: more than %d policies", path,
			       CAPTURE_POLICIES);
	}
	rc = pol_image_load(&p->image[p->n], span_of(octets, n), e);
	if (rc < 0) {
		free(octets);
		return err_wrap(e, "%s", path);
	}
	p->n_octets[p->n] = n;
	p->octets[p->n++] = octets;
	return 0;
}

static int load_image(struct capture_policy *p, const char *path, struct err *e)
{
	uint8_t *octets;
	size_t n;
	int rc = file_read(&octets, &n, path, IMAGE_MAX, e);

	return rc < 0 ? rc : add_image(p, octets, n, path, e);
}

/* The first diagnostic as one line; polc check has all of them. */
static int say_first(const struct diags *d, const char *path, struct err *e)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *x = &d->d[i];
		char more[64] = "";

		if (x->level != DIAG_ERROR)
			continue;
		if (d->errors > 1)
			snprintf(more, sizeof(more),
				 " (and %zu more: see polc check)",
				 d->errors - 1);
		return err_set(e, E_SYNTAX, 0, "%s:%u:%u: error[P%04u]: %s%s",
			       x->path ? x->path : path, x->line, x->col,
			       x->code, x->text, more);
	}
	return e->code;
}

static int load_sources(struct capture_policy *p, const char *path,
			struct err *e)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files = {0};
	int rc;

	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = pol_read_set(&files, path, false, d, e);
	if (rc == E_SYNTAX)
		rc = say_first(d, path, e);
	for (size_t i = 0; rc == 0 && i < files.n; i++) {
		const struct pol_file *f = files.f[i];
		uint8_t *octets;
		size_t n;

		if (f->kind == POL_LIBRARY || f->kind == POL_TESTS)
			continue;
		rc = pol_image_build(&octets, &n, f, e);
		if (rc < 0)
			err_wrap(e, "%s", f->path);
		else
			rc = add_image(p, octets, n, f->path, e);
	}
	pol_files_free(&files);
	free(d);
	return rc;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && strcmp(s + n - k, end) == 0;
}

/* One file: an image by its first octets, else a source. */
static int load_file(struct capture_policy *p, const char *path, struct err *e)
{
	size_t n, k = sizeof(IMAGE_MAGIC) - 1;
	uint8_t *octets;
	int rc = file_read(&octets, &n, path, IMAGE_MAX, e);

	if (rc < 0)
		return rc;
	if (n >= k && memcmp(octets, IMAGE_MAGIC, k) == 0)
		return add_image(p, octets, n, path, e);
	free(octets);
	return load_sources(p, path, e);
}

/* signed_: with a source in it the directory is refused. */
static int load_directory(struct capture_policy *p, const char *path,
			  bool signed_, struct err *e)
{
	struct dirent **list;
	bool sources = false;
	char name[4096];
	int n = scandir(path, &list, NULL, alphasort), rc = 0;

	if (n < 0)
		return err_set(e, E_IO, 0, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (ends_with(list[i]->d_name, ".yaml")) {
			sources = true;
			if (rc == 0 && signed_)
				rc = err_set(e, E_AUTH, 0,
					     "%s/%s: a source carries no "
					     "signature; polc compile and polc "
					     "sign make an image of it",
					     path, list[i]->d_name);
		}
		if (rc == 0 && ends_with(list[i]->d_name, ".polc")) {
			snprintf(name, sizeof(name), "%s/%s", path,
				 list[i]->d_name);
			rc = load_image(p, name, e);
		}
		free(list[i]);
	}
	free(list);
	if (rc == 0 && sources)
		rc = load_sources(p, path, e);
	return rc;
}

static int load(struct capture_policy *p, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(e, E_IO, 0, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return load_directory(p, path, false, e);
	return load_file(p, path, e);
}

/* What would be judged as if it were in clear is not judged at all. */
static int check_parties(const struct pol_image *im, struct err *e)
{
	struct span id = pol_image_id(im);

	for (uint32_t i = 0; i < im->n_PRTY; i++) {
		const struct lay_party *p = &im->PRTY[i];

		if ((p->flags & LAY_PARTY_TLS) &&
		    !(p->flags & LAY_PARTY_END_TO_END))
			return err_set(e, E_UNSUPPORTED, 0,
				       "%.*s: party %s: tls.mode gateway is "
				       "not enforced by this gateway; use "
				       "end-to-end or leave the party out",
				       (int)id.n, (const char *)id.p,
				       im->STRS + p->id);
	}
	return 0;
}

static int compose(struct capture_policy *p, const char *name, struct err *e)
{
	int rc;

	if (p->n == 0)
		return err_set(e, E_NOTFOUND, 0, "%s: no policy in it", name);
	rc = pol_set_new(&p->set, (const struct pol_image *const *)p->image,
			 p->n, e);
	if (rc < 0)
		err_wrap(e, "%s", name);
	return rc;
}

int capture_policy_compose(struct capture_policy *p, const char *name,
			   struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->n; i++)
		rc = check_parties(p->image[i], e);
	return rc ? rc : compose(p, name, e);
}

static int load_with(struct capture_policy *p, const char *path,
		     int (*join)(struct capture_policy *p, const char *name,
				 struct err *e),
		     struct err *e)
{
	int rc;

	*p = (struct capture_policy){0};
	rc = load(p, path, e);
	if (rc == 0)
		rc = join(p, path, e);
	if (rc < 0)
		capture_policy_free(p);
	return rc;
}

int capture_policy_load(struct capture_policy *p, const char *path,
			struct err *e)
{
	return load_with(p, path, capture_policy_compose, e);
}

int capture_policy_offline(struct capture_policy *p, const char *path,
			   struct err *e)
{
	return load_with(p, path, compose, e);
}

int capture_policy_images(struct capture_policy *p, const char *dir,
			  struct err *e)
{
	int rc;

	*p = (struct capture_policy){0};
	rc = load_directory(p, dir, true, e);
	if (rc == 0 && p->n == 0)
		rc = err_set(e, E_NOTFOUND, 0, "%s: no policy in it", dir);
	if (rc < 0)
		capture_policy_free(p);
	return rc;
}

int capture_policy_add(struct capture_policy *p, struct span octets,
		       const char *name, struct err *e)
{
	uint8_t *copy = malloc(octets.n ? octets.n : 1);

	if (!copy)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (octets.n)
		memcpy(copy, octets.p, octets.n);
	return add_image(p, copy, octets.n, name, e);
}

void capture_policy_free(struct capture_policy *p)
{
	pol_set_free(p->set);
	for (size_t i = 0; i < p->n; i++) {
		pol_image_free(p->image[i]);
		free(p->octets[i]);
	}
	*p = (struct capture_policy){0};
}

typedef void policy_event(void *arg, const struct event *ev);

/* id serial N what HEX. The id is cut so that the digest always has its place in
 * what a record keeps of it. */
static void tell_policy(const struct pol_image *image, struct now now,
			const char *what, const uint8_t digest[SHA256_LEN],
			policy_event *event, void *arg)
{
	static const char *const layers[] = {
		[POL_BINDING] = "binding", [POL_BASELINE] = "baseline",
		[POL_VENDOR] = "vendor",   [POL_CUSTOMER] = "customer",
		[POL_LIBRARY] = "library", [POL_TESTS] = "tests",
	};
	struct span id = pol_image_id(image);
	char detail[192];
	struct event ev = {
		.type = EV_POLICY,
		.now = now,
		.guest = pol_image_vm(image),
		.detail = detail,
		.n_rules = 1,
	};
	size_t at = (size_t)snprintf(
		detail, sizeof(detail), "%.*s serial %llu %s ",
		id.n < 64 ? (int)id.n : 64, (const char *)id.p,
		(unsigned long long)pol_image_serial(image), what);

	for (size_t k = 0; k < SHA256_LEN; k++)
		snprintf(detail + at + 2 * k, 3, "%02x", digest[k]);
	ev.rules[0].layer = span_str(layers[pol_image_kind(image)]);
	ev.rules[0].policy = id;
	ev.rules[0].serial = pol_image_serial(image);
	event(arg, &ev);
}

void capture_policy_events(const struct capture_policy *p, struct now now,
			   const char *what, policy_event *event, void *arg)
{
	char text[48];

	snprintf(text, sizeof(text), "%s, digest", what);
	for (size_t i = 0; i < p->n; i++) {
		uint8_t digest[SHA256_LEN];

		/* What others took over from it is in theirs; sources of
		 * libraries make no image. */
		if (pol_image_kind(p->image[i]) == POL_LIBRARY)
			continue;
		pol_image_digest(p->image[i], digest);
		tell_policy(p->image[i], now, text, digest, event, arg);
	}
}

void capture_policy_files(const struct capture_policy *p, struct now now,
			  policy_event *event, void *arg)
{
	for (size_t i = 0; i < p->n; i++) {
		uint8_t digest[SHA256_LEN];

		sha256_of(span_of(p->octets[i], p->n_octets[i]), digest);
		tell_policy(p->image[i], now, "is the file with SHA-256",
			    digest, event, arg);
	}
}
