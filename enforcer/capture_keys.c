/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "enforcer/capture_keys.h"
#include "policy-lang/front/keys.h"

_Static_assert(POL_KEY_TITLE == C1222_OID_MAX && POL_KEYS_MAX == C1222_KEYS_MAX,
	       "the key file and the dissector have different bounds");

static void take_profile(struct c1222_profile *to,
			 const struct pol_profile *from)
{
	to->present = from->present != 0;
	to->register_res_milli_wh = from->register_res_milli_wh;
	for (uint32_t i = 0; i < from->n_lp && i < 4; i++) {
		to->load_profile[i].table = (uint16_t)from->lp[i].table;
		to->load_profile[i].interval_s = from->lp[i].interval_s;
	}
	for (uint32_t i = 0; i < from->n_mfg && i < C1222_PROFILE_TABLES; i++) {
		to->mfg[i].table = (uint16_t)from->mfg[i].table;
		to->mfg[i].meas = from->mfg[i].meas;
		to->n_mfg++;
	}
}

static int take_keys(struct capture_keys *k, const struct pol_keys *read,
		     struct err *e)
{
	k->keys = calloc(read->n + 1, sizeof(*k->keys));
	k->conf.aes = aes128_new();
	if (!k->keys || !k->conf.aes)
		return err_set(e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0; i < read->n; i++) {
		struct c1222_key *to = &k->keys[i];
		const struct pol_key *from = &read->v[i];

		memcpy(to->title, from->title, from->title_n);
		to->title_n = from->title_n;
		to->key_id = from->key_id;
		memcpy(to->key, from->key, sizeof(to->key));
	}
	k->conf.keys = k->keys;
	k->conf.n_keys = read->n;
	return 0;
}

static int load(struct capture_keys *k, int read_rc, struct pol_keys *read,
		const struct pol_set *set, struct err *e)
{
	const struct pol_profile *profile = set ? pol_set_profile(set) : NULL;
	int rc = read_rc;

	*k = (struct capture_keys){0};
	if (profile)
		take_profile(&k->conf.profile, profile);
	if (rc == 0 && read->n)
		rc = take_keys(k, read, e);
	pol_keys_free(read);
	if (rc < 0)
		capture_keys_free(k);
	return rc;
}

int capture_keys_load(struct capture_keys *k, const char *path,
		      const struct pol_set *set, struct err *e)
{
	struct pol_keys read = {0};
	int rc = path ? pol_read_keys(&read, path, e) : 0;

	return load(k, rc, &read, set, e);
}

int capture_keys_parse(struct capture_keys *k, const char *path,
		       struct span text, const struct pol_set *set,
		       struct err *e)
{
	struct pol_keys read = {0};
	int rc = text.n ? pol_parse_keys(&read, path, text, e) : 0;

	return load(k, rc, &read, set, e);
}

void capture_keys_free(struct capture_keys *k)
{
	if (k->keys)
		explicit_bzero(k->keys, k->conf.n_keys * sizeof(*k->keys));
	free(k->keys);
	aes128_free(k->conf.aes);
	*k = (struct capture_keys){0};
}
