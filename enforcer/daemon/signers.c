/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/signers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "policy-lang/front/file.h"

#define FILE_MAX 4096
#define TEXT(s)	 (int)(s).n, (const char *)(s).p

static const char *const kinds[] = {
	[POL_BINDING] = "binding", [POL_BASELINE] = "baseline",
	[POL_VENDOR] = "vendor policy", [POL_CUSTOMER] = "customer's file",
	[POL_LIBRARY] = "library", [POL_TESTS] = "tests",
};

/* --- the platform's keys ---------------------------------------------------- */

static struct span trimmed(struct span s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static int read_lines(struct signers *s, struct span text, const char *path,
		      struct err *e)
{
	unsigned line = 0;

	while (text.n) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		struct span l = trimmed(span_sub(text, 0, n));

		text = span_from(text, end ? n + 1 : n);
		line++;
		if (l.n == 0 || l.p[0] == '#')
			continue;
		if (s->n == SIGNERS_MAX)
			return err_set(e, E_LIMIT, 0,
				       "%s:%u: more than %d keys", path, line,
				       SIGNERS_MAX);
		if (!sign_key_parse(s->key[s->n], l))
			return err_set(e, E_SYNTAX, 0,
				       "%s:%u: not a public key; polc keygen "
				       "--public prints one, ed25519: and 64 "
				       "hex digits",
				       path, line);
		s->n++;
	}
	if (s->n == 0)
		return err_set(e, E_SYNTAX, 0, "%s: holds no key", path);
	return 0;
}

int signers_read(struct signers *s, const char *path, struct err *e)
{
	struct stat st;
	uint8_t *text;
	size_t n;
	int rc;

	*s = (struct signers){0};
	if (stat(path, &st))
		return err_sys(e, "%s", path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, E_STATE, 0,
			       "%s: others may write it, and so say who signs; "
			       "chmod go-w",
			       path);
	rc = file_read(&text, &n, path, FILE_MAX, e);
	if (rc == 0) {
		rc = read_lines(s, span_of(text, n), path, e);
		free(text);
	}
	return rc;
}

/* --- images ------------------------------------------------------------------ */

struct checked {
	const struct pol_image *image;
	struct err *e;
	int rc;
};

/* The message of pol_image_signed_by, with whose image and whose key. */
static int wrong(const struct pol_image *im, const char *want, struct err *e)
{
	const uint8_t *signer = pol_image_signer(im);
	struct span id = pol_image_id(im);
	char why[ERR_TEXT], key[SIGN_KEY_TEXT] = "";
	int rc = e->code;

	if (signer)
		sign_key_text(key, signer);
	snprintf(why, sizeof(why), "%.100s", e->text);
	err_set(e, rc, 0, "%s %.*s serial %llu: %s; it has to be signed with "
		"%s%s%s",
		kinds[pol_image_kind(im)], TEXT(id),
		(unsigned long long)pol_image_serial(im), why, want,
		signer ? ", and was with " : "", key);
	return rc;
}

static int by_platform(const struct signers *s, const struct pol_image *im,
		       struct err *e)
{
	int rc = err_set(e, E_AUTH, 0, "not signed");

	for (size_t i = 0; i < s->n && rc == E_AUTH; i++)
		rc = pol_image_signed_by(im, s->key[i], e);
	return rc ? wrong(im, "a key of the platform (platform-key)", e) : 0;
}

static void by_machine(void *arg, struct span machine, struct span name,
		       const uint8_t *key)
{
	struct checked *c = arg;
	char want[160];

	snprintf(want, sizeof(want), "the key '%.*s' of machine %.*s",
		 TEXT(name), TEXT(machine));
	if (c->rc)
		return;
	if (!key)
		c->rc = err_set(c->e, E_AUTH, 0,
				"the binding has no key '%.*s' for machine "
				"%.*s",
				TEXT(name), TEXT(machine));
	else if (pol_image_signed_by(c->image, key, c->e) < 0)
		c->rc = wrong(c->image, want, c->e);
}

static int by_vendor(const struct pol_image *binding,
		     const struct pol_image *im, struct err *e)
{
	struct checked c = {im, e, 0};
	struct span id = pol_image_id(im);

	if (pol_image_keys(binding, id, by_machine, &c) == 0)
		return err_set(e, E_AUTH, 0,
			       "vendor policy %.*s: the binding gives it to no "
			       "machine, so nobody may sign it",
			       TEXT(id));
	return c.rc;
}

static int check_one(const struct signers *s, const struct pol_image *binding,
		     const struct pol_image *im, struct err *e)
{
	struct span id = pol_image_id(im);

	switch (pol_image_kind(im)) {
	case POL_BINDING:
	case POL_BASELINE:
		return by_platform(s, im, e);
	case POL_VENDOR:
		return by_vendor(binding, im, e);
	case POL_CUSTOMER:
	case POL_LIBRARY:
	case POL_TESTS:
		break;
	}
	return err_set(e, E_AUTH, 0,
		       "%s %.*s: no key may sign this kind; take it away",
		       kinds[pol_image_kind(im)], TEXT(id));
}

int signers_check(const struct signers *s,
		  const struct pol_image *const *image, size_t n, struct err *e)
{
	const struct pol_image *binding = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (pol_image_kind(image[i]) != POL_BINDING)
			continue;
		if (binding)
			rc = err_set(e, E_STATE, 0, "there are two bindings");
		binding = image[i];
	}
	if (rc == 0 && !binding)
		rc = err_set(e, E_STATE, 0,
			     "there is no binding, which says who may sign");
	/* It first: it says what is asked of the others. */
	if (rc == 0)
		rc = check_one(s, binding, binding, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = check_one(s, binding, image[i], e);
	return rc;
}
