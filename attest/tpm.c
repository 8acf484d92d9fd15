/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tpm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <unistd.h>

#include "attest/link.h"
#include "attest/transport.h"
#include "crypto/digest.h"

#define LEFT_OVER 16 /* objects, and sessions, flushed at the start */
#define OBJECTS	  0x80000000u /* the library's constant overflows an int */

#define NO_SESSIONS ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define PASSWORD    ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE

#define COUNTER_ATTRIBUTES                                                     \
	((TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT) | TPMA_NV_AUTHREAD |       \
	 TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA)
#define ECDSA_P256                                                             \
	{                                                                      \
		.symmetric = {.algorithm = TPM2_ALG_NULL},                     \
		.scheme = {                                                    \
			.scheme = TPM2_ALG_ECDSA,                              \
			.details.ecdsa.hashAlg = TPM2_ALG_SHA256,              \
		},                                                             \
		.curveID = TPM2_ECC_NIST_P256,                                 \
		.kdf = {.scheme = TPM2_ALG_NULL},                              \
	}
#define KEY_ATTRIBUTES                                                         \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                      \
	 TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |       \
	 TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT)

struct tpm {
	struct transport *way;
	int fd;
	ESYS_CONTEXT *esys;
	ESYS_TR nv, key; /* ESYS_TR_NONE: there is none */
	bool dead;	 /* it answers no more */
	const struct key_policy *policy; /* of the key */
	struct tpm_bound bound;
};

/* --- calling -------------------------------------------------------------- */

static int dead(struct tpm *t, struct err *e, const char *what, const char *why)
{
	t->dead = true;
	return err_set(e, E_IO, 0, "TPM: %s: %s", what, why);
}

/* What a return code means. */
static int result(struct tpm *t, TSS2_RC rc, const char *what, struct err *e)
{
	TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

	if (rc == TSS2_RC_SUCCESS)
		return 0;
	/* Only what the TPM said itself is an answer to go on from. */
	if ((layer != TSS2_TPM_RC_LAYER && layer != TSS2_RESMGR_TPM_RC_LAYER) ||
	    rc == TPM2_RC_FAILURE)
		return dead(t, e, what, transport_why(t->way)[0]
						? transport_why(t->way)
						: Tss2_RC_Decode(rc));
	return err_set(e, E_STATE, 0, "TPM: %s: %s (0x%x)", what,
		       Tss2_RC_Decode(rc), rc);
}

static int usable(const struct tpm *t, struct err *e)
{
	return t->dead ? err_set(e, E_IO, 0, "TPM: the connection was lost")
		       : 0;
}

/* --- opening -------------------------------------------------------------- */

int tpm_open_fd(struct tpm **out, int fd, struct err *e)
{
	struct tpm *t = calloc(1, sizeof(*t));
	TSS2_RC done;
	int rc;

	*out = NULL;
	if (t)
		t->way = transport_new(fd);
	if (!t || !t->way) {
		free(t);
		close(fd);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	/* Each failure is told by us, once. */
	setenv("TSS2_LOG", "all+none", 0);
	t->nv = t->key = ESYS_TR_NONE;
	t->fd = fd;
	done = Esys_Initialize(&t->esys, (TSS2_TCTI_CONTEXT *)t->way, NULL);
	rc = result(t, done, "beginning", e);
	if (rc)
		tpm_close(t, false);
	else
		*out = t;
	return rc;
}

int tpm_open(struct tpm **out, const char *name, struct err *e)
{
	int fd, rc = link_open(&fd, name, e);

	*out = NULL;
	return rc ? err_wrap(e, "TPM") : tpm_open_fd(out, fd, e);
}

int tpm_fd(const struct tpm *t)
{
	return t->fd;
}

static int flush(struct tpm *t, ESYS_TR object, struct err *e)
{
	return result(t, Esys_FlushContext(t->esys, object), "flushing", e);
}

static int known(struct tpm *t, TPM2_HANDLE handle, ESYS_TR *out,
		 struct err *e)
{
	return result(t, Esys_TR_FromTPMPublic(t->esys, handle, NO_SESSIONS,
					       out),
		      "looking for an object", e);
}

/* A session has no public part to be known by. */
static int flush_handle(struct tpm *t, TPM2_HANDLE handle, struct err *e)
{
	TSS2_SYS_CONTEXT *sys = NULL;
	ESYS_TR object;
	int rc;

	if (handle >= OBJECTS) {
		rc = known(t, handle, &object, e);
		return rc ? rc : flush(t, object, e);
	}
	rc = result(t, Esys_GetSysContext(t->esys, &sys), "flushing", e);
	return rc ? rc : result(t, Tss2_Sys_FlushContext(sys, handle),
				"flushing a session", e);
}

/* Of one who died: there is room for three, and for three. */
static int flush_left(struct tpm *t, TPM2_HANDLE from, struct err *e)
{
	static const char what[] = "listing what is in it";
	TPMS_CAPABILITY_DATA *cap = NULL;
	TPMI_YES_NO more;
	int rc = result(t, Esys_GetCapability(t->esys, NO_SESSIONS,
					      TPM2_CAP_HANDLES, from, LEFT_OVER,
					      &more, &cap), what, e);

	if (rc == 0 && cap->capability != TPM2_CAP_HANDLES)
		rc = dead(t, e, what, "not what was asked for");
	for (uint32_t i = 0; rc == 0 && i < cap->data.handles.count; i++)
		rc = flush_handle(t, cap->data.handles.handle[i], e);
	Esys_Free(cap);
	return rc;
}

int tpm_begin(struct tpm *t, struct err *e)
{
	TSS2_RC done;
	int rc = usable(t, e);

	if (rc)
		return rc;
	done = Esys_Startup(t->esys, TPM2_SU_CLEAR);
	if (done != TPM2_RC_INITIALIZE) /* somebody did */
		rc = result(t, done, "starting", e);
	if (rc == 0)
		rc = flush_left(t, OBJECTS, e);
	return rc ? rc : flush_left(t, TPM2_LOADED_SESSION_FIRST, e);
}

void tpm_close(struct tpm *t, bool orderly)
{
	struct err ignored;

	if (!t)
		return;
	if (t->key != ESYS_TR_NONE && !t->dead && flush(t, t->key, &ignored))
		t->dead = true;
	if (orderly && t->esys && !t->dead)
		(void)Esys_Shutdown(t->esys, TPM2_SU_CLEAR, NO_SESSIONS);
	if (t->esys)
		Esys_Finalize(&t->esys);
	free(t->way);
	close(t->fd);
	free(t);
}

/* --- the counter ---------------------------------------------------------- */

static int define(struct tpm *t, uint32_t index, struct err *e)
{
	const TPM2B_AUTH none = {0};
	const TPM2B_NV_PUBLIC pub = {
		.nvPublic = {
			.nvIndex = index,
			.nameAlg = TPM2_ALG_SHA256,
			.attributes = COUNTER_ATTRIBUTES,
			.dataSize = 8,
		},
	};

	return result(t, Esys_NV_DefineSpace(t->esys, ESYS_TR_RH_OWNER,
					     PASSWORD, &none, &pub, &t->nv),
		      "making the counter", e);
}

static int nv_public(struct tpm *t, TPMS_NV_PUBLIC *out, struct err *e)
{
	TPM2B_NV_PUBLIC *pub = NULL;
	TPM2B_NAME *name = NULL;
	int rc = result(t, Esys_NV_ReadPublic(t->esys, t->nv, NO_SESSIONS,
					      &pub, &name),
			"looking at the counter", e);

	if (rc == 0)
		*out = pub->nvPublic;
	Esys_Free(pub);
	Esys_Free(name);
	return rc;
}

int tpm_counter(struct tpm *t, uint32_t index, bool make, struct err *e)
{
	TPMS_NV_PUBLIC pub;
	TSS2_RC found;
	int rc = usable(t, e);

	if (rc == 0 && (index < TPM_NV_FIRST || index > TPM_NV_LAST))
		rc = err_set(e, E_LIMIT, 0, "TPM: 0x%x is no owner's index",
			     index);
	if (rc)
		return rc;
	found = Esys_TR_FromTPMPublic(t->esys, index, NO_SESSIONS, &t->nv);
	if ((found & ~(TSS2_RC)TPM2_RC_N_MASK) == TPM2_RC_HANDLE) {
		t->nv = ESYS_TR_NONE;
		return make ? define(t, index, e)
			    : err_set(e, E_NOTFOUND, 0, "TPM: there is no "
				      "counter at 0x%x", index);
	}
	rc = result(t, found, "looking for the counter", e);
	if (rc == 0)
		rc = nv_public(t, &pub, e);
	/* One that others may set, or that a reset sets back, proves nothing. */
	if (rc == 0 && ((pub.attributes & ~TPMA_NV_WRITTEN) !=
				COUNTER_ATTRIBUTES || pub.dataSize != 8)) {
		t->nv = ESYS_TR_NONE;
		rc = err_set(e, E_STATE, 0, "TPM: what is at 0x%x is not our "
			     "counter; name another index, or undefine it",
			     index);
	}
	return rc;
}

static int read_counter(struct tpm *t, uint64_t *out, struct err *e)
{
	static const char what[] = "reading the counter";
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TPMS_NV_PUBLIC pub;
	struct cur c;
	int rc;

	*out = 0;
	if (t->nv == ESYS_TR_NONE)
		return 0;
	rc = nv_public(t, &pub, e);
	if (rc || !(pub.attributes & TPMA_NV_WRITTEN))
		return rc;
	rc = result(t, Esys_NV_Read(t->esys, t->nv, t->nv, PASSWORD, 8, 0,
				    &data), what, e);
	if (rc == 0) {
		c = cur_of(span_of(data->buffer, data->size));
		*out = cur_u64(&c);
		if (!cur_done(&c) || *out == 0 || *out > INT64_MAX)
			rc = dead(t, e, what, "not a count");
	}
	Esys_Free(data);
	return rc;
}

int tpm_increment(struct tpm *t, uint64_t *counter, struct err *e)
{
	int rc = usable(t, e);

	if (rc == 0 && t->nv == ESYS_TR_NONE)
		rc = err_set(e, E_STATE, 0, "TPM: there is no counter");
	if (rc == 0)
		rc = result(t, Esys_NV_Increment(t->esys, t->nv, t->nv,
						 PASSWORD), "counting", e);
	if (rc == 0)
		rc = read_counter(t, counter, e);
	return rc == 0 && *counter == 0
		       ? dead(t, e, "counting", "it did not count")
		       : rc;
}

/* --- the PCR -------------------------------------------------------------- */

static int read_pcr(struct tpm *t, uint8_t out[TPM_DIGEST], struct err *e)
{
	static const char what[] = "reading its PCR";
	const TPML_PCR_SELECTION want = {
		.count = 1,
		.pcrSelections = {{
			.hash = TPM2_ALG_SHA256,
			.sizeofSelect = 3,
			.pcrSelect = {[TPM_PCR / 8] = 1 << TPM_PCR % 8},
		}},
	};
	TPML_PCR_SELECTION *got = NULL;
	TPML_DIGEST *values = NULL;
	UINT32 updates;
	int rc = result(t, Esys_PCR_Read(t->esys, NO_SESSIONS, &want, &updates,
					 &got, &values), what, e);

	/* A bank that is not there is answered with nothing, in success. */
	if (rc == 0 && values->count == 0)
		rc = err_set(e, E_STATE, 0, "TPM: it has no SHA-256 bank of "
			     "PCRs");
	else if (rc == 0 && (values->count != 1 ||
			     values->digests[0].size != TPM_DIGEST))
		rc = dead(t, e, what, "not a digest");
	if (rc == 0)
		memcpy(out, values->digests[0].buffer, TPM_DIGEST);
	Esys_Free(got);
	Esys_Free(values);
	return rc;
}

int tpm_pcr(struct tpm *t, uint8_t pcr[TPM_DIGEST], struct err *e)
{
	int rc = usable(t, e);

	return rc ? rc : read_pcr(t, pcr, e);
}

int tpm_extend(struct tpm *t, const uint8_t digest[TPM_DIGEST], struct err *e)
{
	TPML_DIGEST_VALUES values = {
		.count = 1,
		.digests = {{.hashAlg = TPM2_ALG_SHA256}},
	};
	int rc = usable(t, e);

	_Static_assert(TPM_PCR == 13, "as named below");
	memcpy(values.digests[0].digest.sha256, digest, TPM_DIGEST);
	if (rc == 0)
		rc = result(t, Esys_PCR_Extend(t->esys, ESYS_TR_PCR13, PASSWORD,
					       &values),
			    "extending its PCR", e);
	return rc;
}

static int read_clock(struct tpm *t, struct tpm_state *s, struct err *e)
{
	TPMS_TIME_INFO *now = NULL;
	int rc = result(t, Esys_ReadClock(t->esys, NO_SESSIONS, &now),
			"reading its clock", e);

	if (rc == 0) {
		s->clock_ms = now->clockInfo.clock;
		s->reset = now->clockInfo.resetCount;
		s->restart = now->clockInfo.restartCount;
		s->safe = now->clockInfo.safe == TPM2_YES;
	}
	Esys_Free(now);
	return rc;
}

int tpm_state(struct tpm *t, struct tpm_state *s, struct err *e)
{
	int rc = usable(t, e);

	memset(s, 0, sizeof(*s));
	if (rc == 0)
		rc = read_pcr(t, s->pcr, e);
	if (rc == 0)
		rc = read_counter(t, &s->counter, e);
	return rc ? rc : read_clock(t, s, e);
}

/* --- states of the platform ----------------------------------------------- */

static TPML_PCR_SELECTION selection(uint32_t pcrs)
{
	TPML_PCR_SELECTION s = {
		.count = 1,
		.pcrSelections = {{.hash = TPM2_ALG_SHA256, .sizeofSelect = 3}},
	};

	for (size_t i = 0; i < 3; i++)
		s.pcrSelections[0].pcrSelect[i] = (uint8_t)(pcrs >> 8 * i);
	return s;
}

static int said(struct tpm *t, ESYS_TR session, uint8_t out[TPM_DIGEST],
		struct err *e)
{
	static const char what[] = "asking for a policy";
	TPM2B_DIGEST *d = NULL;
	int rc = result(t, Esys_PolicyGetDigest(t->esys, session, NO_SESSIONS,
						&d), what, e);

	if (rc == 0 && d->size != TPM_DIGEST)
		rc = dead(t, e, what, "not a digest");
	if (rc == 0)
		memcpy(out, d->buffer, TPM_DIGEST);
	Esys_Free(d);
	return rc;
}

/* The caller's, who flushes it. */
static int session(struct tpm *t, ESYS_TR *out, struct err *e)
{
	const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};

	return result(t, Esys_StartAuthSession(t->esys, ESYS_TR_NONE,
					       ESYS_TR_NONE, NO_SESSIONS, NULL,
					       TPM2_SE_POLICY, &none,
					       TPM2_ALG_SHA256, out),
		      "beginning a session", e);
}

static int drop(struct tpm *t, ESYS_TR session, int rc)
{
	struct err ignored;

	if (rc && !t->dead && flush(t, session, &ignored))
		t->dead = true;
	return rc;
}

/* A session that knows the state: what it makes of a policy. */
static int state(struct tpm *t, uint32_t pcrs, ESYS_TR *out,
		 uint8_t policy[TPM_DIGEST], struct err *e)
{
	const TPML_PCR_SELECTION of = selection(pcrs);
	const TPM2B_DIGEST as_it_is = {0};
	int rc = session(t, out, e);

	if (rc)
		return rc;
	rc = result(t, Esys_PolicyPCR(t->esys, *out, NO_SESSIONS, &as_it_is,
				      &of), "looking at the state", e);
	if (rc == 0)
		rc = said(t, *out, policy, e);
	return drop(t, *out, rc);
}

static void put_number(TPM2B_ECC_PARAMETER *out, struct span s)
{
	out->size = (uint16_t)s.n;
	memcpy(out->buffer, s.p, s.n);
}

static int load_authority(struct tpm *t, ESYS_TR *out, struct err *e)
{
	struct span x, y;
	TPM2B_PUBLIC p = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = POLICY_AUTHORITY_ATTRIBUTES,
			.parameters.eccDetail = ECDSA_P256,
		},
	};

	if (!der_get_spki(span_of(t->policy->authority, TPM_SPKI), &x, &y))
		return err_set(e, E_SYNTAX, 0, "TPM: the authority's key");
	put_number(&p.publicArea.unique.ecc.x, x);
	put_number(&p.publicArea.unique.ecc.y, y);
	return result(t, Esys_LoadExternal(t->esys, NO_SESSIONS, NULL, &p,
					   ESYS_TR_RH_OWNER, out),
		      "loading the authority's key", e);
}

/* The TPM's own word that the authority signed this. */
static int verify(struct tpm *t, const struct policy_approval *a,
		  const uint8_t state[TPM_DIGEST], TPMT_TK_VERIFIED **out,
		  struct err *e)
{
	TPMT_SIGNATURE sig = {
		.sigAlg = TPM2_ALG_ECDSA,
		.signature.ecdsa.hash = TPM2_ALG_SHA256,
	};
	TPM2B_DIGEST md = {.size = TPM_DIGEST};
	uint8_t text[POLICY_APPROVED];
	struct span r, s;
	ESYS_TR key;
	int rc;

	if (!der_get_signature(span_of(a->der, a->n), &r, &s))
		return err_set(e, E_SYNTAX, 0, "TPM: an approval");
	put_number(&sig.signature.ecdsa.signatureR, r);
	put_number(&sig.signature.ecdsa.signatureS, s);
	policy_approved(state, text);
	sha256_of(span_of(text, sizeof(text)), md.buffer);
	rc = load_authority(t, &key, e);
	if (rc)
		return rc;
	rc = result(t, Esys_VerifySignature(t->esys, key, NO_SESSIONS, &md,
					    &sig, out),
		    "checking an approval", e);
	return rc ? drop(t, key, rc) : flush(t, key, e);
}

/* The session goes on as the authority's. */
static int authorize(struct tpm *t, ESYS_TR session,
		     const uint8_t state[TPM_DIGEST], struct err *e)
{
	const struct policy_approval *a = policy_find(t->policy, state);
	TPM2B_DIGEST approved = {.size = TPM_DIGEST};
	TPM2B_NONCE ref = {.size = sizeof(POLICY_REF) - 1};
	TPM2B_NAME name = {.size = POLICY_AUTHORITY_NAME};
	TPMT_TK_VERIFIED *ticket = NULL;
	int rc;

	if (!a)
		return 0; /* it stays what it is */
	memcpy(approved.buffer, state, TPM_DIGEST);
	memcpy(ref.buffer, POLICY_REF, ref.size);
	policy_authority_name(t->policy, name.name);
	rc = verify(t, a, state, &ticket, e);
	if (rc == 0)
		rc = result(t, Esys_PolicyAuthorize(t->esys, session,
						    NO_SESSIONS, &approved,
						    &ref, &name, ticket),
			    "using an approval", e);
	Esys_Free(ticket);
	return rc;
}

/* The text goes to people who have to approve it, or to go back to another. */
static int barred(const struct tpm *t, const uint8_t state[TPM_DIGEST],
		  struct err *e)
{
	char pcrs[POLICY_PCRS_TEXT], hex[2 * TPM_DIGEST + 1];

	policy_pcrs_text(pcrs, t->bound.pcrs);
	for (size_t i = 0; i < TPM_DIGEST; i++)
		snprintf(hex + 2 * i, 3, "%02x", state[i]);
	return err_set(e, E_AUTH, 0, "TPM: the log's key may not be used in "
		       "this state of the platform (PCRs %s: %s): %s", pcrs,
		       hex, t->policy->has_authority
			? "nobody approved it"
			: "the log began in another");
}

/* A session in which the key may be used: the TPM asks for one with the policy
 * that the key has. */
static int permitted(struct tpm *t, ESYS_TR *out, struct err *e)
{
	uint8_t first[TPM_DIGEST], then[TPM_DIGEST];
	int rc = usable(t, e);

	if (rc == 0 && t->key == ESYS_TR_NONE)
		rc = err_set(e, E_STATE, 0, "TPM: there is no key");
	if (rc == 0)
		rc = state(t, t->bound.pcrs, out, first, e);
	if (rc || memcmp(first, t->bound.policy, TPM_DIGEST) == 0)
		return rc;
	rc = authorize(t, *out, first, e);
	if (rc == 0)
		rc = said(t, *out, then, e);
	if (rc == 0 && memcmp(then, t->bound.policy, TPM_DIGEST) != 0)
		rc = barred(t, first, e);
	return drop(t, *out, rc);
}

int tpm_key_usable(struct tpm *t, struct err *e)
{
	ESYS_TR session;
	int rc = permitted(t, &session, e);

	return rc ? rc : flush(t, session, e);
}

/* A bank that is not there would make of every state the same one. */
static int bind(struct tpm *t, const struct key_policy *p,
		struct tpm_bound *bound, struct err *e)
{
	static const uint8_t zeros[TPM_DIGEST];
	uint8_t pcr[TPM_DIGEST];
	ESYS_TR session;
	int rc = read_pcr(t, pcr, e);

	if (rc || memcmp(bound->policy, zeros, TPM_DIGEST) != 0)
		return rc;
	bound->pcrs = p->pcrs;
	if (p->has_authority) {
		policy_of_authority(p, bound->policy);
		return 0;
	}
	rc = state(t, p->pcrs, &session, bound->policy, e);
	return rc ? rc : flush(t, session, e);
}

/* --- the key -------------------------------------------------------------- */

static TPM2B_PUBLIC template(const uint8_t seed[TPM_DIGEST],
			     const struct tpm_bound *b)
{
	TPM2B_PUBLIC p = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = KEY_ATTRIBUTES,
			.authPolicy.size = TPM_DIGEST,
			.parameters.eccDetail = ECDSA_P256,
			.unique.ecc = {.x.size = TPM_DIGEST,
				       .y.size = TPM_DIGEST},
		},
	};

	memcpy(p.publicArea.authPolicy.buffer, b->policy, TPM_DIGEST);
	memcpy(p.publicArea.unique.ecc.x.buffer, seed, TPM_DIGEST);
	return p;
}

static struct span number(const TPM2B_ECC_PARAMETER *v)
{
	return span_of(v->buffer, v->size);
}

/* As it was asked for: with this policy, and no other way to use it. */
static bool is_key(const TPMT_PUBLIC *a, const struct tpm_bound *b)
{
	return a->type == TPM2_ALG_ECC &&
	       a->objectAttributes == KEY_ATTRIBUTES &&
	       a->authPolicy.size == TPM_DIGEST &&
	       memcmp(a->authPolicy.buffer, b->policy, TPM_DIGEST) == 0 &&
	       a->parameters.eccDetail.curveID == TPM2_ECC_NIST_P256;
}

void tpm_key_seed(const char *origin, uint8_t out[TPM_DIGEST])
{
	static const char tag[] = "mgLK1\n";
	uint8_t in[sizeof(tag) + 256];
	struct wbuf w = wbuf_of(in, sizeof(in));

	wbuf_put(&w, span_str(tag));
	wbuf_put(&w, span_str(origin));
	assert(!w.failed);
	sha256_of(wbuf_span(&w), out);
}

static int create(struct tpm *t, const uint8_t seed[TPM_DIGEST],
		  uint8_t spki[TPM_SPKI], struct err *e)
{
	static const char what[] = "making the key";
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_PUBLIC want = template(seed, &t->bound);
	const TPML_PCR_SELECTION pcrs = {0};
	const TPM2B_DATA outside = {0};
	TPM2B_CREATION_DATA *data = NULL;
	TPMT_TK_CREATION *ticket = NULL;
	TPM2B_DIGEST *hash = NULL;
	TPM2B_PUBLIC *pub = NULL;
	const TPMS_ECC_POINT *at;
	int rc = result(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER,
					      PASSWORD, &sensitive, &want,
					      &outside, &pcrs, &t->key,
					      &pub, &data, &hash, &ticket),
			what, e);

	if (rc == 0) {
		at = &pub->publicArea.unique.ecc;
		if (!is_key(&pub->publicArea, &t->bound) ||
		    !der_put_spki(spki, number(&at->x), number(&at->y)))
			rc = dead(t, e, what, "not the key that was asked for");
	}
	Esys_Free(data);
	Esys_Free(ticket);
	Esys_Free(hash);
	Esys_Free(pub);
	return rc;
}

/* One key at a time: there is room for three objects. */
int tpm_key(struct tpm *t, const uint8_t seed[TPM_DIGEST],
	    const struct key_policy *p, struct tpm_bound *bound,
	    uint8_t spki[TPM_SPKI], struct err *e)
{
	int rc = usable(t, e);

	if (rc == 0 && t->key != ESYS_TR_NONE)
		rc = flush(t, t->key, e);
	t->key = ESYS_TR_NONE;
	if (rc == 0)
		rc = bind(t, p, bound, e);
	if (rc)
		return rc;
	t->policy = p;
	t->bound = *bound;
	return create(t, seed, spki, e);
}

static int put_der(struct wbuf *der, const TPMT_SIGNATURE *s)
{
	const TPMS_SIGNATURE_ECC *rs = &s->signature.ecdsa;

	if (s->sigAlg != TPM2_ALG_ECDSA || rs->hash != TPM2_ALG_SHA256)
		return 1;
	return der_put_signature(der, number(&rs->signatureR),
				 number(&rs->signatureS));
}

int tpm_sign(struct tpm *t, const uint8_t digest[TPM_DIGEST], struct wbuf *der,
	     struct err *e)
{
	static const char what[] = "signing";
	const TPMT_SIG_SCHEME scheme = {
		.scheme = TPM2_ALG_ECDSA,
		.details.ecdsa.hashAlg = TPM2_ALG_SHA256,
	};
	const TPMT_TK_HASHCHECK from_outside = {
		.tag = TPM2_ST_HASHCHECK,
		.hierarchy = TPM2_RH_NULL,
	};
	TPM2B_DIGEST md = {.size = TPM_DIGEST};
	TPMT_SIGNATURE *sig = NULL;
	ESYS_TR session;
	int rc = permitted(t, &session, e);

	if (rc)
		return rc;
	memcpy(md.buffer, digest, TPM_DIGEST);
	/* The library keeps a session, used or not, until it is flushed. */
	rc = result(t, Esys_Sign(t->esys, t->key, session, ESYS_TR_NONE,
				 ESYS_TR_NONE, &md, &scheme, &from_outside,
				 &sig), what, e);
	rc = rc ? drop(t, session, rc) : flush(t, session, e);
	if (rc == 0 && put_der(der, sig))
		rc = dead(t, e, what, "not a signature as was asked for");
	Esys_Free(sig);
	return rc;
}
