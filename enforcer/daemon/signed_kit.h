/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: a directory of signed images, made from the sources in
 * tests/policies/metering, with keys made here. Tests run in the root of the
 * tree.
 */
#ifndef ENFORCER_DAEMON_SIGNED_KIT_H
#define ENFORCER_DAEMON_SIGNED_KIT_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "enforcer/daemon/conf.h"
#include "policy-lang/front/front.h"

struct kit {
	char dir[64]; /* with policies/, state/, src/ and platform.key */
	struct sign_key platform, vendor, stranger;
};

static const char *const kit_names[] = {"baseline", "binding", "customer",
					"library", "metering"};
#define KIT_NAMES (sizeof(kit_names) / sizeof(kit_names[0]))

static inline char *kit_slurp(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

static inline void kit_write(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static inline char *kit_path(char buf[256], const struct kit *k,
			     const char *name)
{
	snprintf(buf, 256, "%s/%s", k->dir, name);
	return buf;
}

/* In the source `name`, to instead of from, once. */
static inline void kit_edit(const struct kit *k, const char *name,
			    const char *from, const char *to)
{
	char file[64], path[256], *text, *at, *out;

	snprintf(file, sizeof(file), "src/%s.yaml", name);
	text = kit_slurp(kit_path(path, k, file));
	at = strstr(text, from);
	if (!at)
		fail_msg("%s: no '%s'", name, from);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to,
			     at + strlen(from)) > 0);
	kit_write(path, out, strlen(out));
	free(out);
	free(text);
}

static inline void kit_new(struct kit *k)
{
	char path[256], key[SIGN_KEY_TEXT + 1];
	struct err e;

	*k = (struct kit){.dir = "/tmp/signed_kit_XXXXXX"};
	assert_non_null(mkdtemp(k->dir));
	assert_int_equal(mkdir(kit_path(path, k, "policies"), 0700), 0);
	assert_int_equal(mkdir(kit_path(path, k, "state"), 0700), 0);
	assert_int_equal(mkdir(kit_path(path, k, "src"), 0700), 0);
	assert_int_equal(sign_new_key(&k->platform, &e), 0);
	assert_int_equal(sign_new_key(&k->vendor, &e), 0);
	assert_int_equal(sign_new_key(&k->stranger, &e), 0);
	for (size_t i = 0; i < KIT_NAMES; i++) {
		char from[256], file[64], *text;

		snprintf(from, sizeof(from), "tests/policies/metering/%s.yaml",
			 kit_names[i]);
		snprintf(file, sizeof(file), "src/%s.yaml", kit_names[i]);
		text = kit_slurp(from);
		kit_write(kit_path(path, k, file), text, strlen(text));
		free(text);
	}
	sign_key_text(key, k->vendor.public_);
	kit_edit(k, "binding",
		 "ed25519:1f1e1d1c1b1a19181716151413121110f0e0d0c0b0a09080706050"
		 "4030201000",
		 key);
	sign_key_text(key, k->platform.public_);
	strcat(key, "\n");
	kit_write(kit_path(path, k, "platform.key"), key, strlen(key));
}

static inline void kit_empty(const struct kit *k, const char *name)
{
	char path[256], file[600];
	DIR *d = opendir(kit_path(path, k, name));
	struct dirent *f;

	assert_non_null(d);
	while ((f = readdir(d))) {
		snprintf(file, sizeof(file), "%s/%s", path, f->d_name);
		if (f->d_name[0] != '.')
			unlink(file);
	}
	closedir(d);
}

static inline void kit_free(struct kit *k)
{
	static const char *const dirs[] = {"policies", "state", "src"};
	char path[256];

	for (size_t i = 0; i < 3; i++) {
		kit_empty(k, dirs[i]);
		rmdir(kit_path(path, k, dirs[i]));
	}
	unlink(kit_path(path, k, "platform.key"));
	rmdir(k->dir);
}

static inline struct conf kit_conf(const struct kit *k)
{
	struct conf c = {.queue_base = 300, .n_uplinks = 1, .signatures = true};
	char path[256];

	snprintf(c.policies, sizeof(c.policies), "%s",
		 kit_path(path, k, "policies"));
	snprintf(c.state, sizeof(c.state), "%s", kit_path(path, k, "state"));
	snprintf(c.platform_key, sizeof(c.platform_key), "%s",
		 kit_path(path, k, "platform.key"));
	strcpy(c.uplink[0], "eth0");
	return c;
}

/* The image of src/NAME.yaml, signed with key (NULL: not at all), as
 * policies/AS.polc. */
static inline void kit_put(const struct kit *k, const char *name,
			   const char *as, const struct sign_key *key)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files;
	char path[256], file[256];
	struct err e = {0};
	bool found = false;

	if (pol_read_set(&files, kit_path(path, k, "src"), false, d, &e))
		fail_msg("%s: %s", e.text, d->n ? d->d[0].text : "");
	snprintf(file, sizeof(file), "%s/src/%s.yaml", k->dir, name);
	for (size_t i = 0; i < files.n; i++) {
		struct pol_image *im;
		uint8_t *p, *q;
		size_t n;

		if (strcmp(files.f[i]->path, file) != 0)
			continue;
		found = true;
		snprintf(path, sizeof(path), "%s/policies/%s.polc", k->dir, as);
		assert_int_equal(pol_image_build(&p, &n, files.f[i], &e), 0);
		assert_int_equal(pol_image_load(&im, span_of(p, n), &e), 0);
		if (key) {
			assert_int_equal(pol_image_sign(&q, &n, im, key, &e),
					 0);
			kit_write(path, q, n);
			free(q);
		} else {
			kit_write(path, p, n);
		}
		pol_image_free(im);
		free(p);
	}
	assert_true(found);
	pol_files_free(&files);
	free(d);
}

/* All that is due, by who may. */
static inline void kit_all(const struct kit *k)
{
	kit_put(k, "binding", "binding", &k->platform);
	kit_put(k, "baseline", "baseline", &k->platform);
	kit_put(k, "metering", "metering", &k->vendor);
}

#endif
