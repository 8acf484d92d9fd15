/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tpm.h"

#include <stdlib.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <unistd.h>

#include "attest/link.h"

#define LEFT_OVER 16 /* objects flushed at the start */
#define OBJECTS	  0x80000000u /* the library's constant overflows an int */
#define OUR_MAGIC INT64_C(0x6d676174746c6e6b)

#define NO_SESSIONS ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE
#define PASSWORD    ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE

#define COUNTER_ATTRIBUTES                                                     \
	((TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT) | TPMA_NV_AUTHREAD |       \
	 TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD | TPMA_NV_NO_DA)
#define KEY_ATTRIBUTES                                                         \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |                      \
	 TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |          \
	 TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT)

/* What the library calls to reach the TPM; it knows the first member only. */
struct transport {
	TSS2_TCTI_CONTEXT_COMMON_V1 v1;
	int fd;
	struct err why; /* the last failure */
};

struct tpm {
	struct transport way;
	ESYS_CONTEXT *esys;
	ESYS_TR nv, key; /* ESYS_TR_NONE: there is none */
	bool dead;	 /* it answers no more */
};

/* --- the way there -------------------------------------------------------- */

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *c, size_t n, const uint8_t *command)
{
	struct transport *w = (struct transport *)c;

	return link_send(w->fd, span_of(command, n), &w->why)
		       ? TSS2_TCTI_RC_IO_ERROR
		       : TSS2_RC_SUCCESS;
}

/* Whoever calls waits until it is there, whatever timeout says: the link has
 * one of its own. */
static TSS2_RC receive(TSS2_TCTI_CONTEXT *c, size_t *n, uint8_t *answer,
		       int32_t timeout)
{
	struct transport *w = (struct transport *)c;
	size_t cap = *n < LINK_MAX ? *n : LINK_MAX;

	(void)timeout;
	if (!answer) {
		*n = LINK_MAX;
		return TSS2_RC_SUCCESS;
	}
	return link_receive(w->fd, answer, cap, n, &w->why)
		       ? TSS2_TCTI_RC_IO_ERROR
		       : TSS2_RC_SUCCESS;
}

static void no_finalize(TSS2_TCTI_CONTEXT *c)
{
	(void)c;
}

static TSS2_RC no_cancel(TSS2_TCTI_CONTEXT *c)
{
	(void)c;
	return TSS2_TCTI_RC_NOT_SUPPORTED;
}

static TSS2_RC no_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality)
{
	(void)c;
	(void)locality;
	return TSS2_TCTI_RC_NOT_SUPPORTED;
}

static TSS2_RC no_handles(TSS2_TCTI_CONTEXT *c, TSS2_TCTI_POLL_HANDLE *h,
			  size_t *n)
{
	(void)c;
	(void)h;
	*n = 0;
	return TSS2_RC_SUCCESS;
}

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
		return dead(t, e, what, t->way.why.text[0]
						? t->way.why.text
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
	if (!t) {
		close(fd);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	/* Each failure is told by us, once. */
	setenv("TSS2_LOG", "all+none", 0);
	t->nv = t->key = ESYS_TR_NONE;
	t->way.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){
		.magic = OUR_MAGIC,
		.version = 1,
		.transmit = transmit,
		.receive = receive,
		.finalize = no_finalize,
		.cancel = no_cancel,
		.getPollHandles = no_handles,
		.setLocality = no_locality,
	};
	t->way.fd = fd;
	done = Esys_Initialize(&t->esys, (TSS2_TCTI_CONTEXT *)&t->way, NULL);
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
	return t->way.fd;
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

/* Objects of one who died: there is room for three. */
static int flush_left(struct tpm *t, struct err *e)
{
	static const char what[] = "listing its objects";
	TPMS_CAPABILITY_DATA *cap = NULL;
	TPMI_YES_NO more;
	ESYS_TR object;
	int rc = result(t, Esys_GetCapability(t->esys, NO_SESSIONS,
					      TPM2_CAP_HANDLES,
					      OBJECTS, LEFT_OVER,
					      &more, &cap), what, e);

	if (rc == 0 && cap->capability != TPM2_CAP_HANDLES)
		rc = dead(t, e, what, "not what was asked for");
	for (uint32_t i = 0; rc == 0 && i < cap->data.handles.count; i++) {
		rc = known(t, cap->data.handles.handle[i], &object, e);
		if (rc == 0)
			rc = flush(t, object, e);
	}
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
	return rc ? rc : flush_left(t, e);
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
	close(t->way.fd);
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

/* --- the key -------------------------------------------------------------- */

/* A coordinate as 32 octets: leading zeros may be left out. */
static void put_number(struct wbuf *w, const uint8_t *p, size_t n)
{
	for (size_t i = n; i < TPM_DIGEST; i++)
		wbuf_u8(w, 0);
	wbuf_put(w, span_of(p, n));
}

/* SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 04 x y } } */
static int put_spki(const TPMS_ECC_POINT *p, uint8_t out[TPM_SPKI])
{
	static const uint8_t head[] = {
		0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
		0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
		0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
	};
	struct wbuf w = wbuf_of(out, TPM_SPKI);

	wbuf_put(&w, span_of(head, sizeof(head)));
	put_number(&w, p->x.buffer, p->x.size);
	put_number(&w, p->y.buffer, p->y.size);
	return w.failed || w.n != TPM_SPKI;
}

static TPM2B_PUBLIC template(const uint8_t seed[TPM_DIGEST])
{
	TPM2B_PUBLIC p = {
		.publicArea = {
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = KEY_ATTRIBUTES,
			.parameters.eccDetail = {
				.symmetric = {.algorithm = TPM2_ALG_NULL},
				.scheme = {
					.scheme = TPM2_ALG_ECDSA,
					.details.ecdsa.hashAlg =
						TPM2_ALG_SHA256,
				},
				.curveID = TPM2_ECC_NIST_P256,
				.kdf = {.scheme = TPM2_ALG_NULL},
			},
			.unique.ecc = {.x.size = TPM_DIGEST,
				       .y.size = TPM_DIGEST},
		},
	};

	memcpy(p.publicArea.unique.ecc.x.buffer, seed, TPM_DIGEST);
	return p;
}

static bool is_key(const TPM2B_PUBLIC *p)
{
	const TPMT_PUBLIC *a = &p->publicArea;

	return a->type == TPM2_ALG_ECC &&
	       a->objectAttributes == KEY_ATTRIBUTES &&
	       a->parameters.eccDetail.curveID == TPM2_ECC_NIST_P256 &&
	       a->unique.ecc.x.size <= TPM_DIGEST &&
	       a->unique.ecc.y.size <= TPM_DIGEST;
}

int tpm_key(struct tpm *t, const uint8_t seed[TPM_DIGEST],
	    uint8_t spki[TPM_SPKI], struct err *e)
{
	static const char what[] = "making the key";
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_PUBLIC want = template(seed);
	const TPML_PCR_SELECTION pcrs = {0};
	const TPM2B_DATA outside = {0};
	TPM2B_CREATION_DATA *data = NULL;
	TPMT_TK_CREATION *ticket = NULL;
	TPM2B_DIGEST *hash = NULL;
	TPM2B_PUBLIC *pub = NULL;
	int rc = usable(t, e);

	if (rc == 0)
		rc = result(t, Esys_CreatePrimary(t->esys, ESYS_TR_RH_OWNER,
						  PASSWORD, &sensitive, &want,
						  &outside, &pcrs, &t->key,
						  &pub, &data, &hash, &ticket),
			    what, e);
	if (rc == 0 && (!is_key(pub) ||
			put_spki(&pub->publicArea.unique.ecc, spki)))
		rc = dead(t, e, what, "not the key that was asked for");
	Esys_Free(data);
	Esys_Free(ticket);
	Esys_Free(hash);
	Esys_Free(pub);
	return rc;
}

/* An INTEGER of DER: no zeros in front, but where the first bit is set. */
static void put_integer(struct wbuf *w, const TPM2B_ECC_PARAMETER *v)
{
	struct span s = span_of(v->buffer, v->size);
	bool sign;

	while (s.n > 1 && s.p[0] == 0)
		s = span_from(s, 1);
	sign = s.n == 0 || s.p[0] & 0x80;
	wbuf_u8(w, 2);
	wbuf_u8(w, (uint8_t)(s.n + sign));
	if (sign)
		wbuf_u8(w, 0);
	wbuf_put(w, s);
}

static int put_der(struct wbuf *der, const TPMT_SIGNATURE *s)
{
	const TPMS_SIGNATURE_ECC *rs = &s->signature.ecdsa;
	uint8_t octets[TPM_SIG];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	if (s->sigAlg != TPM2_ALG_ECDSA || rs->hash != TPM2_ALG_SHA256 ||
	    rs->signatureR.size > TPM_DIGEST || rs->signatureS.size > TPM_DIGEST)
		return 1;
	put_integer(&w, &rs->signatureR);
	put_integer(&w, &rs->signatureS);
	wbuf_u8(der, 0x30);
	wbuf_u8(der, (uint8_t)w.n);
	wbuf_put(der, wbuf_span(&w));
	return w.failed || der->failed;
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
	int rc = usable(t, e);

	memcpy(md.buffer, digest, TPM_DIGEST);
	if (rc == 0 && t->key == ESYS_TR_NONE)
		rc = err_set(e, E_STATE, 0, "TPM: there is no key");
	if (rc == 0)
		rc = result(t, Esys_Sign(t->esys, t->key, PASSWORD, &md, &scheme,
					 &from_outside, &sig), what, e);
	if (rc == 0 && put_der(der, sig))
		rc = dead(t, e, what, "not a signature as was asked for");
	Esys_Free(sig);
	return rc;
}
