/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and signatures (section 17): keygen, sign. */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/binary.h"
#include "policy-lang/keyfile.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"
#include "policy-lang/replace.h"

/* One line: what a person wants, or all of it as JSON. */
static void say(const struct sign_key *k, const struct pol_image *im,
		const char *path, bool json)
{
	char buf[8192], text[SIGN_KEY_TEXT];
	struct json j = json_of(buf, sizeof(buf));

	sign_key_text(text, k->public_);
	if (!json && im)
		printf("%s: signed with %s\n", path, text);
	else if (!json)
		puts(text);
	if (!json)
		return;
	json_obj(&j, NULL);
	json_str(&j, "file", path);
	if (im) {
		json_text(&j, "id", pol_image_id(im));
		json_u64(&j, "serial", pol_image_serial(im));
	}
	json_str(&j, "key", text);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

int cmd_keygen(int argc, char **argv)
{
	const char *out = NULL, *in = NULL;
	struct sign_key k = {0};
	bool json = false;
	struct err e = {0};
	const struct option_row options[] = {
		{"-o",       OPTION_TEXT, &out,  NULL},
		{"--public", OPTION_TEXT, &in,   NULL},
		{"--json",   OPTION_FLAG, &json, NULL},
	};
	int rc = options_read(&argc, argv, options, 3);

	if (rc)
		return rc;
	if (argc != 1)
		return polc_usage("keygen: unexpected %s", argv[1]);
	if (!out == !in)
		return polc_usage("keygen: -o KEY or --public KEY is needed");
	if (in) {
		rc = keyfile_read(&k, in, &e);
	} else {
		rc = sign_new_key(&k, &e);
		if (rc == 0)
			rc = keyfile_write(out, &k, &e);
	}
	if (rc)
		polc_say("%s", e.text);
	else
		say(&k, NULL, in ? in : out, json);
	explicit_bzero(&k, sizeof(k));
	return rc ? POLC_IO : POLC_OK;
}

static int sign_file(const struct sign_key *k, const char *in, const char *out,
		     bool json, struct err *e)
{
	struct binary b;
	uint8_t *p;
	size_t n;
	int rc = binary_read(&b, in, e);

	if (rc == E_SYNTAX) /* octets of an image, not of a policy */
		rc = e->code = E_INTEGRITY;
	if (rc)
		return rc;
	rc = pol_image_sign(&p, &n, b.image, k, e);
	if (rc == 0) {
		rc = replace_file(out, p, n, e);
		if (rc == 0)
			say(k, b.image, out, json);
		free(p);
	}
	binary_free(&b);
	return rc;
}

int cmd_sign(int argc, char **argv)
{
	const char *key = NULL, *in = NULL, *out = NULL;
	struct sign_key k = {0};
	bool json = false;
	struct err e = {0};
	const struct option_row options[] = {
		{"-k",     OPTION_TEXT, &key,  NULL},
		{"-o",     OPTION_TEXT, &out,  NULL},
		{"--json", OPTION_FLAG, &json, NULL},
	};
	int rc = options_read(&argc, argv, options, 3);

	if (rc)
		return rc;
	if (!key || argc != 2)
		return polc_usage("sign: -k KEY and one image are needed");
	in = argv[1];
	rc = keyfile_read(&k, key, &e);
	if (rc) {
		polc_say("%s", e.text);
		return POLC_IO;
	}
	rc = sign_file(&k, in, out ? out : in, json, &e);
	explicit_bzero(&k, sizeof(k));
	if (rc)
		polc_say("%s", e.text);
	return polc_exit(rc);
}
