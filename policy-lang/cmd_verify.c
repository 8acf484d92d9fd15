/* SPDX-License-Identifier: Apache-2.0 */
/* Is this image whole, signed by who may, and made from that source? */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/analysis/label.h"
#include "policy-lang/binary.h"
#include "policy-lang/image/tell.h"
#include "policy-lang/keyfile.h"
#include "policy-lang/libraries.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

enum {
	DAMAGED = 7001,
	UNSIGNED = 7002,
	FORGED = 7003,
	OTHER_KEY = 7004,
	OTHER_SOURCE = 7005,
	OTHER_LABEL = 7006,
};

struct verify {
	const char *path, *key, *binding, *source;
	bool json;
	uint8_t want[SIGN_KEY_LEN]; /* the key of --key */
	struct binary image, made; /* made: of --source */
	size_t found; /* what is wrong */
	bool labelled;
	char signer[64]; /* what the binding calls the key */
};

/* Whoever made the image may have meant a name for the terminal. */
static void put_safe(struct span s)
{
	char text[4096];
	struct wbuf w = wbuf_of(text, sizeof(text));

	img_put(&w, s);
	fwrite(w.p, 1, w.n, stdout);
}

static void wrong(struct verify *v, unsigned code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void wrong(struct verify *v, unsigned code, const char *fmt, ...)
{
	char text[1024], buf[8192], name[8];
	struct json j = json_of(buf, sizeof(buf));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->found++;
	if (!v->json) {
		printf("%s: error[P%04u]: ", v->path, code);
		put_safe(span_str(text));
		putchar('\n');
		return;
	}
	snprintf(name, sizeof(name), "P%04u", code);
	json_obj(&j, NULL);
	json_str(&j, "level", "error");
	json_str(&j, "code", name);
	json_str(&j, "file", v->path);
	json_str(&j, "message", text);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

/* The signature under one key; who says what it is of, for the message. */
static void by_key(struct verify *v, const uint8_t *key, const char *who)
{
	char text[SIGN_KEY_TEXT];
	struct err e;
	int rc = pol_image_signed_by(v->image.image, key, &e);

	if (rc == E_INTEGRITY) {
		wrong(v, FORGED, "the signature is not of these octets");
	} else if (rc) {
		sign_key_text(text, pol_image_signer(v->image.image));
		wrong(v, OTHER_KEY, "signed with %s, which is not %s", text,
		      who);
	}
}

static void by_machine(void *arg, struct span machine, struct span name,
		       const uint8_t *key)
{
	struct verify *v = arg;
	char who[200];

	snprintf(who, sizeof(who),
		 "the key '%.*s' that the binding names for machine %.*s",
		 (int)name.n, (const char *)name.p, (int)machine.n,
		 (const char *)machine.p);
	if (key)
		by_key(v, key, who);
	if (key)
		snprintf(v->signer, sizeof(v->signer), "%.*s", (int)name.n,
			 (const char *)name.p);
	else
		wrong(v, OTHER_KEY, "there is no such thing as %s", who);
}

static int by_binding(struct verify *v, struct err *e)
{
	struct binary b;
	struct span id = pol_image_id(v->image.image);
	int rc = binary_make(&b, v->binding, e);

	if (rc)
		return rc;
	if (pol_image_kind(b.image) != POL_BINDING)
		rc = err_set(e, E_IO, 0, "%s: not a binding", v->binding);
	else if (pol_image_keys(b.image, id, by_machine, v) == 0)
		wrong(v, OTHER_KEY,
		      "the binding gives no machine the policy "
		      "%.*s",
		      (int)id.n, (const char *)id.p);
	binary_free(&b);
	return rc;
}

static int signature(struct verify *v, struct err *e)
{
	const uint8_t *signer = pol_image_signer(v->image.image);

	if (!signer) {
		/* Who only compares with a source asks for none. */
		if (!v->source || v->key || v->binding)
			wrong(v, UNSIGNED, "not signed; polc sign signs it");
		return 0;
	}
	if (v->key)
		by_key(v, v->want, "the key asked for");
	if (v->binding)
		return by_binding(v, e);
	if (!v->key)
		by_key(v, signer, "");
	return 0;
}

static int other_library(void *arg, struct span id, const struct lay_lib *was,
			 const struct lay_lib *is)
{
	struct verify *v = arg;
	char a[LIBRARY_TEXT], b[LIBRARY_TEXT];

	wrong(v, OTHER_SOURCE, "library %.*s: made with %s, at hand is %s",
	      (int)id.n, (const char *)id.p, library_text(a, was),
	      library_text(b, is));
	return 0;
}

/* Positions may differ: they are in no digest. */
static int source(struct verify *v, struct err *e)
{
	uint8_t a[32], b[32];
	int rc = binary_make(&v->made, v->source, e);

	if (rc)
		return rc;
	pol_image_source(v->image.image, a);
	pol_image_source(v->made.image, b);
	if (memcmp(a, b, sizeof(a)) != 0)
		wrong(v, OTHER_SOURCE,
		      "made from another source than %s, or "
		      "from other libraries",
		      v->source);
	pol_image_digest(v->image.image, a);
	pol_image_digest(v->made.image, b);
	if (memcmp(a, b, sizeof(a)) != 0)
		wrong(v, OTHER_SOURCE, "%s compiles to another payload",
		      v->source);
	rc = libraries_compare(v->image.image, v->made.image, other_library, v);
	binary_free(&v->made);
	return rc;
}

/* One that it carries must be that of its rules. */
static int label(struct verify *v, struct err *e)
{
	int rc = label_check(v->image.image, e);

	v->labelled = rc == 0 && pol_image_labelled(v->image.image);
	if (rc == E_INTEGRITY)
		wrong(v, OTHER_LABEL, "%s", e->text);
	return rc == E_INTEGRITY || rc == E_NOTFOUND ? 0 : rc;
}

static void put_hex(char out[65], const uint8_t p[32])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void say_libraries(const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_INCL; i++) {
		char text[LIBRARY_TEXT];

		printf("  library  ");
		put_safe(img_lib(im, i).id);
		printf(" %s\n", library_text(text, &im->INCL[i]));
	}
}

static void summary(const struct verify *v)
{
	const struct pol_image *im = v->image.image;
	const uint8_t *signer = pol_image_signer(im);
	char key[SIGN_KEY_TEXT] = "nobody", payload[65], src[65];
	struct span id = pol_image_id(im);
	/* Each text of it six times as long, as it might be escaped. */
	size_t cap = 16384 + 6 * im->file.n;
	struct json j;
	char *buf;
	uint8_t d[32];

	if (signer)
		sign_key_text(key, signer);
	pol_image_digest(im, d);
	put_hex(payload, d);
	pol_image_source(im, d);
	put_hex(src, d);
	if (!v->json) {
		put_safe(id);
		printf(" serial %llu: whole, signed by %s%s%s%s%s%s\n"
		       "  payload  %s\n  source   %s\n  label    %s\n",
		       (unsigned long long)pol_image_serial(im), key,
		       v->signer[0] ? " (" : "", v->signer,
		       v->signer[0] ? ")" : "",
		       v->source ? ", made from " : "",
		       v->source ? v->source : "", payload, src,
		       v->labelled ? "that of its rules" : "none");
		say_libraries(im);
		return;
	}
	buf = malloc(cap);
	j = json_of(buf, buf ? cap : 0);
	json_obj(&j, NULL);
	json_str(&j, "file", v->path);
	json_text(&j, "id", id);
	json_u64(&j, "serial", pol_image_serial(im));
	if (signer)
		json_str(&j, "key", key);
	else
		json_null(&j, "key");
	json_str(&j, "payload", payload);
	if (v->signer[0])
		json_str(&j, "key_name", v->signer);
	json_str(&j, "source", src);
	json_bool(&j, "label", v->labelled);
	libraries_json(&j, im);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
	free(buf);
}

static int run(struct verify *v)
{
	struct err e = {0};
	int rc = binary_read(&v->image, v->path, &e);

	if (rc == E_IO || rc == E_NOMEM) {
		polc_say("%s", e.text);
		return POLC_IO;
	}
	if (rc) {
		wrong(v, DAMAGED, "%s",
		      e.text + (strncmp(e.text, v->path, strlen(v->path)) == 0
					? strlen(v->path) + 2
					: 0));
		return POLC_INTEGRITY;
	}
	rc = signature(v, &e);
	if (rc == 0 && v->source)
		rc = source(v, &e);
	if (rc == 0)
		rc = label(v, &e);
	if (rc) {
		if (e.text[0])
			polc_say("%s", e.text);
		rc = polc_exit(rc);
	} else if (v->found) {
		rc = POLC_INTEGRITY;
	} else {
		summary(v);
	}
	binary_free(&v->image);
	return rc;
}

int cmd_verify(int argc, char **argv)
{
	struct verify v = {0};
	const struct option_row options[] = {
		{"--key",     OPTION_TEXT, &v.key,     NULL},
		{"--binding", OPTION_TEXT, &v.binding, NULL},
		{"--source",  OPTION_TEXT, &v.source,  NULL},
		{"--json",    OPTION_FLAG, &v.json,    NULL},
	};
	int rc = options_read(&argc, argv, options, 4);

	if (rc)
		return rc;
	if (argc != 2)
		return polc_usage("verify: one image is needed");
	v.path = argv[1];
	if (v.key && !sign_key_parse(v.want, span_str(v.key)))
		return polc_usage("verify: '%s' is not a key: ed25519: and 64 "
				  "hex digits",
				  v.key);
	return run(&v);
}
