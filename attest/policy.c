/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base64.h"
#include "core/until.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define FILE_MAX 16384

/* --- PCRs ----------------------------------------------------------------- */

/* In no policy: a key for a state that passes, or that anybody makes again. */
static const struct {
	unsigned pcr;
	const char *why;
} barred[] = {
	{10, "grows with each file that is measured"},
	{12, "grows with each policy that is put in force"},
	{13, "grows with each checkpoint"},
	{15, "grows with each guest that starts"},
	{16, "can be set back by anybody"},
	{23, "can be set back by anybody"},
};

static int one_pcr(uint32_t *pcrs, unsigned long n, struct err *e)
{
	if (n > 23)
		return err_set(e, E_SYNTAX, 0, "there is no PCR %lu; 0 to 23",
			       n);
	for (size_t i = 0; i < sizeof(barred) / sizeof(barred[0]); i++) {
		if (n == barred[i].pcr)
			return err_set(e, E_SYNTAX, 0, "PCR %lu cannot be "
				       "named: it %s", n, barred[i].why);
	}
	*pcrs |= UINT32_C(1) << n;
	return 0;
}

int policy_pcrs(uint32_t *pcrs, const char *text, struct err *e)
{
	int rc = 0;
	char *end;

	*pcrs = 0;
	if (strcmp(text, "none") == 0)
		return 0;
	for (const char *s = text; rc == 0; s = end + 1) {
		unsigned long n = strtoul(s, &end, 10);

		if (*s < '0' || *s > '9' || (*end && *end != ' '))
			return err_set(e, E_SYNTAX, 0, "'%.60s' is no list of "
				       "PCRs; numbers with one space between, "
				       "or none", text);
		rc = one_pcr(pcrs, n, e);
		if (!*end)
			break;
	}
	return rc;
}

void policy_pcrs_text(char out[POLICY_PCRS_TEXT], uint32_t pcrs)
{
	size_t n = 0;

	snprintf(out, POLICY_PCRS_TEXT, "none");
	for (unsigned i = 0; i < 24; i++) {
		if (pcrs & UINT32_C(1) << i)
			n += (size_t)snprintf(out + n, POLICY_PCRS_TEXT - n,
					      "%s%u", n ? " " : "", i);
	}
}

/* --- the file of approvals ------------------------------------------------ */

static bool get(uint8_t *out, size_t cap, size_t *n, struct span text)
{
	struct wbuf w = wbuf_of(out, cap);
	bool ok = base64_get(&w, text);

	*n = w.n;
	return ok;
}

static const char *authority(struct key_policy *p, struct cur *c)
{
	struct span x, y;
	size_t n;

	if (p->has_authority)
		return "a second authority";
	p->has_authority = get(p->authority, sizeof(p->authority), &n,
			       cur_take(c, cur_left(c))) &&
			   der_get_spki(span_of(p->authority, n), &x, &y) &&
			   sign_p256_is(span_of(p->authority, n));
	return p->has_authority ? NULL
				: "not the public key of a P-256 pair, in "
				  "base64 of its DER";
}

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	}
	return s.n > 0;
}

static const char *approval(struct key_policy *p, struct cur *c)
{
	struct policy_approval *a = &p->approval[p->n_approvals];
	struct span name = cur_until(c, ' '), r, s;
	size_t n;

	if (p->n_approvals == POLICY_APPROVALS)
		return "more approvals than 64; take old ones out";
	if (!printable(name) || name.n > POLICY_NAME)
		return "approved NAME SIGNATURE, a name of at most 32 octets "
		       "of ASCII";
	if (!get(a->der, sizeof(a->der), &n, cur_take(c, cur_left(c))) ||
	    !der_get_signature(span_of(a->der, n), &r, &s))
		return "not a signature on P-256, in base64 of its DER";
	memcpy(a->name, name.p, name.n);
	a->name[name.n] = '\0';
	a->n = (uint8_t)n;
	p->n_approvals++;
	return NULL;
}

static const char *one_line(struct key_policy *p, struct span line)
{
	struct cur c = cur_of(line);
	struct span word;

	if (line.n == 0 || line.p[0] == '#')
		return NULL;
	word = cur_until(&c, ' ');
	if (cur_ok(&c) && span_eq(word, span_str("authority")))
		return authority(p, &c);
	if (cur_ok(&c) && span_eq(word, span_str("approved")))
		return approval(p, &c);
	return "it begins with neither authority nor approved";
}

int policy_read(struct key_policy *p, struct span text, struct err *e)
{
	struct cur c = cur_of(text);
	unsigned at = 0;

	p->has_authority = false;
	p->n_approvals = 0;
	while (cur_left(&c)) {
		struct span line = cur_until(&c, '\n');
		const char *why = cur_ok(&c) ? one_line(p, line)
					     : "it has no end";

		at++;
		if (why)
			return err_set(e, E_SYNTAX, 0, "line %u: %s", at, why);
	}
	return p->has_authority ? 0
				: err_set(e, E_SYNTAX, 0, "it names no "
					  "authority; a line authority BASE64");
}

int policy_load(struct key_policy *p, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
	uint8_t text[FILE_MAX];
	size_t n = 0;
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0 && n < sizeof(text)) {
		got = read(fd, text + n, sizeof(text) - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		rc = err_sys(e, "%s", path);
	else if (n == sizeof(text))
		rc = err_set(e, E_LIMIT, 0, "%s: longer than %d octets", path,
			     FILE_MAX);
	if (fd >= 0)
		close(fd);
	if (rc)
		return rc;
	rc = policy_read(p, span_of(text, n), e);
	return rc ? err_wrap(e, "%s", path) : 0;
}

/* --- digests -------------------------------------------------------------- */

#define ALG_ECC	   0x0023
#define ALG_ECDSA  0x0018
#define ALG_SHA256 0x000b
#define ALG_NULL   0x0010
#define P256	   0x0003
#define CC_AUTHORIZE 0x0000016a

/* nameAlg and H(TPMT_PUBLIC): Part 1, 16; Part 2, 12.2.4. */
void policy_authority_name(const struct key_policy *p,
			   uint8_t out[POLICY_AUTHORITY_NAME])
{
	uint8_t area[96];
	struct wbuf w = wbuf_of(area, sizeof(area));
	struct span x = {0}, y = {0};
	bool ok = der_get_spki(span_of(p->authority, sizeof(p->authority)), &x,
			       &y);

	wbuf_be(&w, ALG_ECC, 2);
	wbuf_be(&w, ALG_SHA256, 2);
	wbuf_be(&w, POLICY_AUTHORITY_ATTRIBUTES, 4);
	wbuf_be(&w, 0, 2); /* no policy */
	wbuf_be(&w, ALG_NULL, 2);
	wbuf_be(&w, ALG_ECDSA, 2);
	wbuf_be(&w, ALG_SHA256, 2);
	wbuf_be(&w, P256, 2);
	wbuf_be(&w, ALG_NULL, 2);
	wbuf_be(&w, x.n, 2);
	wbuf_put(&w, x);
	wbuf_be(&w, y.n, 2);
	wbuf_put(&w, y);
	out[0] = ALG_SHA256 >> 8;
	out[1] = ALG_SHA256 & 0xff;
	sha256_of(ok ? wbuf_span(&w) : (struct span){0}, out + 2);
}

/* H(H(zeros || TPM_CC_PolicyAuthorize || name) || ref): Part 3, 23.16. */
void policy_of_authority(const struct key_policy *p, uint8_t out[POLICY_DIGEST])
{
	uint8_t in[POLICY_DIGEST + 4 + POLICY_AUTHORITY_NAME] = {0};
	struct wbuf w = wbuf_of(in, sizeof(in));
	static const uint8_t zeros[POLICY_DIGEST];

	wbuf_put(&w, span_of(zeros, sizeof(zeros)));
	wbuf_be(&w, CC_AUTHORIZE, 4);
	policy_authority_name(p, in + w.n);
	sha256_of(span_of(in, sizeof(in)), in);
	w = wbuf_of(in + POLICY_DIGEST, sizeof(POLICY_REF));
	wbuf_put(&w, span_str(POLICY_REF));
	sha256_of(span_of(in, POLICY_DIGEST + w.n), out);
}

void policy_approved(const uint8_t state[POLICY_DIGEST],
		     uint8_t out[POLICY_APPROVED])
{
	memcpy(out, state, POLICY_DIGEST);
	memcpy(out + POLICY_DIGEST, POLICY_REF, sizeof(POLICY_REF) - 1);
}

const struct policy_approval *
policy_find(const struct key_policy *p, const uint8_t state[POLICY_DIGEST])
{
	const struct span key = span_of(p->authority, sizeof(p->authority));
	uint8_t said[POLICY_APPROVED];

	policy_approved(state, said);
	for (size_t i = 0; p->has_authority && i < p->n_approvals; i++) {
		const struct policy_approval *a = &p->approval[i];

		if (sign_p256_holds(key, span_of(said, sizeof(said)),
				    span_of(a->der, a->n)))
			return a;
	}
	return NULL;
}
