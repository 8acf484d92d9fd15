/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket answers about policies. */
#include "core/json.h"
#include "enforcer/daemon/ctl_conn.h"

void conn_policies(struct conn *c, struct parent *p)
{
	static const char *const kinds[] = {
		[POL_BINDING] = "binding", [POL_BASELINE] = "baseline",
		[POL_VENDOR] = "vendor",   [POL_CUSTOMER] = "customer",
		[POL_LIBRARY] = "library", [POL_TESTS] = "tests",
	};
	const struct capture_policy *f = &p->policies.files;
	struct json j = conn_ok(c);

	json_u64(&j, "generation", p->generation);
	json_u64(&j, "policies", f->n);
	conn_end(c, &j);
	for (size_t i = 0; i < f->n; i++) {
		char key[SIGN_KEY_TEXT];
		uint8_t digest[32];

		pol_image_digest(f->image[i], digest);
		j = conn_line(c);
		json_text(&j, "policy", pol_image_id(f->image[i]));
		json_str(&j, "kind", kinds[pol_image_kind(f->image[i])]);
		json_u64(&j, "serial", pol_image_serial(f->image[i]));
		json_text(&j, "guest", pol_image_vm(f->image[i]));
		json_hex(&j, "digest", span_of(digest, sizeof(digest)));
		if (pol_image_signer(f->image[i])) {
			sign_key_text(key, pol_image_signer(f->image[i]));
			json_str(&j, "signed_with", key);
		}
		conn_end(c, &j);
	}
}
