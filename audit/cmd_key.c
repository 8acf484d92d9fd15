/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "audit/logkey.h"
#include "audit/cmd_key.h"
#include "crypto/digest.h"

#define PATH_OCTETS 4096

static int sign(void *arg, struct span octets, struct wbuf *out, struct err *e)
{
	struct tool_key *k = arg;
	uint8_t md[SHA256_LEN];

	sha256_of(octets, md);
	return tpm_sign(k->chip, md, out, e);
}

/* A log that goes on beside one that was altered is signed by that one's key:
 * what is behind the last of `mark` and a number goes. */
static int base_of(char *out, size_t cap, const char *name, const char *mark,
		   struct err *e)
{
	const char *at = NULL;

	for (const char *s = name; (s = strstr(s, mark)); s++)
		at = s;
	if (at && (at[strlen(mark)] == '\0' ||
		   strspn(at + strlen(mark), "0123456789") !=
			   strlen(at + strlen(mark))))
		at = NULL;
	if (snprintf(out, cap, "%.*s", at ? (int)(at - name)
					  : (int)strlen(name), name) <
	    (int)cap)
		return 0;
	return err_set(e, E_LIMIT, 0, "%s: the name is too long", name);
}

/* The key that the TPM makes of what is noted beside the log. */
static int make(struct tool_key *k, const char *path, const char *origin,
		uint8_t spki[TPM_SPKI], struct err *e)
{
	char base[PATH_OCTETS];
	uint8_t seed[TPM_DIGEST];
	struct log_key_bound noted;
	struct tpm_bound bound;
	int rc = base_of(base, sizeof(base), path, ".recovery-", e);

	if (rc == 0)
		rc = log_key_bound_read(&noted, base, e);
	if (rc == E_NOTFOUND)
		return err_set(e, rc, 0, "there is no %s.tpmkey, of which the "
			       "TPM makes the key; a start of the gateway notes "
			       "it anew", base);
	if (rc == 0)
		rc = base_of(base, sizeof(base), origin, "/recovery-", e);
	if (rc)
		return rc;
	tpm_key_seed(base, seed);
	bound.pcrs = noted.pcrs;
	memcpy(bound.policy, noted.policy, TPM_DIGEST);
	rc = tpm_key(k->chip, seed, &k->policy, &bound, spki, e);
	return rc ? rc : tpm_key_usable(k->chip, e);
}

static int of_tpm(struct tool_key *k, struct audit_conf *conf,
		  const char *path, const char *origin, struct err *e)
{
	uint8_t spki[TPM_SPKI];
	int rc = k->approvals ? policy_load(&k->policy, k->approvals, e) : 0;

	if (rc == 0)
		rc = tpm_open(&k->chip, k->tpm, e);
	if (rc == 0)
		rc = tpm_begin(k->chip, e);
	if (rc == 0)
		rc = make(k, path, origin, spki, e);
	if (rc == 0)
		rc = note_key_make(&k->signer.key, span_str(origin), NOTE_P256,
				   span_of(spki, sizeof(spki)), e);
	k->signer.sign = sign;
	k->signer.arg = k;
	conf->signer = &k->signer;
	conf->show_key = true;
	return rc;
}

int tool_key_open(struct tool_key *k, struct audit_conf *conf,
		  const char *path, const char *origin, struct err *e)
{
	int lies = log_key_lies(path, e);

	if (lies == 0 && k->tpm)
		return err_set(e, E_STATE, 0, "the key %s.key signs it, and no "
			       "TPM: leave --tpm out", path);
	if (lies == E_NOTFOUND && !k->tpm)
		return err_set(e, E_STATE, 0, "there is no %s.key; a log whose "
			       "key is in the TPM needs --tpm, as in "
			       "metergated.conf: --tpm device:/dev/tpmrm0",
			       path);
	conf->own_key = lies == 0;
	return lies == E_NOTFOUND ? of_tpm(k, conf, path, origin, e) : lies;
}

void tool_key_close(struct tool_key *k)
{
	tpm_close(k->chip, false);
	k->chip = NULL;
}
