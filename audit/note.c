/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/note.h"

#include <assert.h>
#include <stdio.h>

#include "core/base64.h"
#include "core/until.h"
#include "core/utf8.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

#define DASH "\xe2\x80\x94 " /* U+2014 */

/* What a type's key and signature look like. */
static const struct form {
	enum note_type type;
	size_t pub;	 /* octets */
	size_t sig_least, sig_most; /* behind the key id */
} forms[] = {
	{NOTE_ED25519,	   SIGN_KEY_LEN, SIGN_LEN,     SIGN_LEN	   },
	{NOTE_P256,	   NOTE_PUB_MAX, 8,	       72	   },
	{NOTE_COSIGNATURE, SIGN_KEY_LEN, 8 + SIGN_LEN, 8 + SIGN_LEN},
};

static const struct form *form_of(unsigned type)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((unsigned)forms[i].type == type)
			return &forms[i];
	}
	return NULL;
}

/* --- keys --- */

/* Whitespace of Unicode above ASCII. */
static const char *const spaces[] = {
	"\xc2\x85",	 "\xc2\xa0",	  "\xe1\x9a\x80", "\xe2\x80\x80",
	"\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
	"\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
	"\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
	"\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

/* Not empty, no plus, nothing that some reader takes for a space. */
bool note_name_ok(struct span s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		struct span one = span_from(s, i);

		n = utf8_len(one);
		one.n = n;
		if (n == 0 || one.p[0] <= ' ' || one.p[0] == '+' ||
		    one.p[0] == 0x7f)
			return false;
		for (size_t k = 0; k < sizeof(spaces) / sizeof(spaces[0]); k++) {
			if (span_is(one, spaces[k]))
				return false;
		}
	}
	return s.n > 0 && s.n <= NOTE_NAME_MAX;
}

/* Under that name: that of a key in PEM is the signature's. */
static uint32_t id_of(const struct note_key *k, struct span name)
{
	uint8_t in[NOTE_NAME_MAX + 2 + NOTE_PUB_MAX], md[SHA256_LEN];
	struct wbuf w = wbuf_of(in, sizeof(in));
	struct cur c = cur_of(span_of(md, sizeof(md)));

	if (k->type != NOTE_P256) {
		wbuf_put(&w, name);
		wbuf_u8(&w, '\n');
		wbuf_u8(&w, (uint8_t)k->type);
	}
	wbuf_put(&w, span_of(k->pub, k->n));
	sha256_of(wbuf_span(&w), md);
	return cur_u32(&c);
}

int note_key_make(struct note_key *k, struct span name, enum note_type type,
		  struct span pub, struct err *e)
{
	const struct form *f = form_of(type);

	memset(k, 0, sizeof(*k));
	if (!f)
		return err_set(e, E_UNSUPPORTED, 0, "key type %02x is not "
			       "known here", (unsigned)type);
	if (!note_name_ok(name))
		return err_set(e, E_SYNTAX, 0, "not a key's name");
	if (pub.n != f->pub || (type == NOTE_P256 && !sign_p256_is(pub)))
		return err_set(e, E_SYNTAX, 0, "not a key of its type");
	memcpy(k->name, name.p, name.n);
	memcpy(k->pub, pub.p, pub.n);
	k->n = pub.n;
	k->type = type;
	k->id = id_of(k, name);
	return 0;
}

static int hex_value(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

int note_key_parse(struct note_key *k, struct span text, struct err *e)
{
	uint8_t octets[1 + NOTE_PUB_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct cur c;
	struct span name, hex;
	uint32_t id = 0;
	bool ok;
	int rc;

	if (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	c = cur_of(text);
	name = cur_until(&c, '+');
	hex = cur_until(&c, '+');
	if (span_is(name, "PRIVATE") && span_is(hex, "KEY"))
		return err_set(e, E_AUTH, 0, "it is a private key; public keys "
			       "only");
	ok = cur_ok(&c) && hex.n == 8;
	for (size_t i = 0; ok && i < hex.n; i++) {
		int v = hex_value(hex.p[i]);

		ok = v >= 0;
		id = id << 4 | ((uint32_t)v & 15);
	}
	ok = ok && cur_left(&c) >= 4;
	/* A type that is not known may be any length: say that, not this. */
	if (ok && base64_get(&w, cur_peek(&c, 4)) && !form_of(octets[0]))
		return err_set(e, E_UNSUPPORTED, 0, "key type %02x is not "
			       "known here", octets[0]);
	w = wbuf_of(octets, sizeof(octets));
	if (!ok || !base64_get(&w, cur_rest(&c)))
		return err_set(e, E_SYNTAX, 0, "not a public key of the form "
			       "name+id+key");
	rc = note_key_make(k, name, (enum note_type)octets[0],
			   span_from(wbuf_span(&w), 1), e);
	if (rc == 0 && k->id != id)
		rc = err_set(e, E_SYNTAX, 0, "the key is not of its id");
	return rc;
}

int note_key_pem(struct note_key *k, struct span pem, bool witness,
		 struct err *e)
{
	int rc;

	memset(k, 0, sizeof(*k));
	rc = sign_get_public_pem(k->pub, &k->n, pem, e);
	if (rc)
		return rc;
	k->type = k->n == SIGN_KEY_LEN ? NOTE_ED25519 : NOTE_P256;
	if (witness && k->type != NOTE_ED25519)
		return err_set(e, E_UNSUPPORTED, 0, "a witness's key is "
			       "Ed25519");
	if (witness)
		k->type = NOTE_COSIGNATURE;
	return 0;
}

void note_key_put(struct wbuf *w, const struct note_key *k)
{
	uint8_t octets[1 + NOTE_PUB_MAX];
	struct wbuf o = wbuf_of(octets, sizeof(octets));
	char id[11];

	wbuf_u8(&o, (uint8_t)k->type);
	wbuf_put(&o, span_of(k->pub, k->n));
	snprintf(id, sizeof(id), "+%08x+", k->id);
	wbuf_put(w, span_str(k->name));
	wbuf_put(w, span_str(id));
	base64_put(w, wbuf_span(&o));
}

/* --- taking apart --- */

/* At least the key id and one octet. */
static bool read_line(struct span line, struct note_sig *sig)
{
	struct cur c = cur_of(line);
	uint8_t octets[NOTE_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct cur o;

	if (!span_is(cur_take(&c, sizeof(DASH) - 1), DASH))
		return false;
	sig->name = cur_until(&c, ' ');
	sig->base64 = cur_rest(&c);
	if (!cur_ok(&c) || !note_name_ok(sig->name) ||
	    !base64_get(&w, sig->base64) || w.n < 5)
		return false;
	o = cur_of(wbuf_span(&w));
	sig->id = cur_u32(&o);
	return true;
}

bool note_next(struct cur *c, struct note_sig *sig)
{
	struct span line;

	if (cur_left(c) == 0)
		return false;
	line = cur_until(c, '\n');
	if (cur_ok(c) && read_line(line, sig))
		return true;
	c->failed = true;
	return false;
}

static int not_note(struct err *e, size_t off, const char *what)
{
	return err_set(e, E_SYNTAX, off, "not a signed note: %s", what);
}

int note_parse(struct note *n, struct span octets, struct err *e)
{
	struct note_sig sig;
	struct cur c;
	size_t at = 0;

	if (octets.n > NOTE_MAX)
		return err_set(e, E_LIMIT, 0, "a note has at most %d octets",
			       NOTE_MAX);
	for (size_t i = 0, len; i < octets.n; i += len) {
		len = utf8_len(span_from(octets, i));
		if (len == 0)
			return not_note(e, i, "it is no UTF-8");
		if (octets.p[i] < ' ' && octets.p[i] != '\n')
			return not_note(e, i, "a control character");
	}
	/* The last empty line parts text and signatures. */
	for (size_t i = 1; i < octets.n; i++) {
		if (octets.p[i] == '\n' && octets.p[i - 1] == '\n')
			at = i;
	}
	if (at == 0)
		return not_note(e, octets.n, "no empty line");
	n->text = span_sub(octets, 0, at);
	n->sigs = span_from(octets, at + 1);
	if (n->sigs.n == 0)
		return not_note(e, at, "no signature");
	c = cur_of(n->sigs);
	while (note_next(&c, &sig))
		;
	return cur_done(&c) ? 0
			    : not_note(e, at + 1 + c.off, "a signature line");
}

/* --- checking --- */

/* What a cosignature is over. */
static int cosigned(struct wbuf *w, uint64_t time, struct span text,
		    struct err *e)
{
	char head[64];

	snprintf(head, sizeof(head), "cosignature/v1\ntime %llu\n",
		 (unsigned long long)time);
	wbuf_put(w, span_str(head));
	wbuf_put(w, text);
	return w->failed ? err_set(e, E_LIMIT, 0, "the note is too long") : 0;
}

static bool holds(const struct note_key *k, struct span text, struct span sig)
{
	return k->type == NOTE_P256 ? sign_p256_holds(span_of(k->pub, k->n),
						      text, sig)
				    : sig.n == SIGN_LEN &&
					      sign_holds(k->pub, text, sig.p);
}

int note_check_line(struct span text, const struct note_sig *sig,
		    const struct note_key *key, uint64_t *time, struct err *e)
{
	const struct form *f = form_of(key->type);
	uint8_t octets[4 + NOTE_SIG_MAX], over[64 + NOTE_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct wbuf o = wbuf_of(over, sizeof(over));
	struct cur c;

	*time = 0;
	assert(f);
	if (!base64_get(&w, sig->base64) || w.n < 4 + f->sig_least ||
	    w.n > 4 + f->sig_most)
		goto wrong;
	c = cur_of(span_from(wbuf_span(&w), 4));
	if (key->type == NOTE_COSIGNATURE) {
		*time = cur_u64(&c);
		if (*time > INT64_MAX || cosigned(&o, *time, text, e))
			goto wrong;
		text = wbuf_span(&o);
	}
	if (holds(key, text, cur_rest(&c)))
		return 0;
wrong:
	return err_set(e, E_INTEGRITY, 0, "the signature of %.*s is wrong",
		       (int)sig->name.n, (const char *)sig->name.p);
}

/* Does it say that this key made it? */
static bool claims(const struct note_sig *sig, const struct note_key *k)
{
	return k->name[0] ? sig->id == k->id && span_is(sig->name, k->name)
			  : sig->id == id_of(k, sig->name);
}

int note_check(const struct note *n, const struct note_key *keys,
	       size_t n_keys, uint64_t *signed_by, struct err *e)
{
	struct cur c = cur_of(n->sigs);
	struct note_sig sig;
	uint64_t time;

	assert(n_keys <= NOTE_KEYS_MAX);
	*signed_by = 0;
	while (note_next(&c, &sig)) { /* at most NOTE_MAX / 12 lines */
		for (size_t i = 0; i < n_keys; i++) {
			int rc;

			if (!claims(&sig, &keys[i]))
				continue;
			rc = note_check_line(n->text, &sig, &keys[i], &time, e);
			if (rc)
				return rc;
			*signed_by |= UINT64_C(1) << i;
		}
	}
	return cur_done(&c) ? 0 : not_note(e, c.off, "a signature line");
}

int note_sign(struct wbuf *w, struct span text, const struct note_signer *by,
	      uint64_t time, struct err *e)
{
	uint8_t octets[4 + NOTE_SIG_MAX], over[64 + NOTE_MAX];
	struct wbuf s = wbuf_of(octets, sizeof(octets));
	struct wbuf o = wbuf_of(over, sizeof(over));
	int rc = 0;

	wbuf_be(&s, by->key.id, 4);
	if (by->key.type == NOTE_COSIGNATURE) {
		wbuf_be(&s, time, 8);
		rc = cosigned(&o, time, text, e);
		text = wbuf_span(&o);
	}
	if (rc == 0)
		rc = by->sign(by->arg, text, &s, e);
	if (rc)
		return rc;
	wbuf_put(w, span_str(DASH));
	wbuf_put(w, span_str(by->key.name));
	wbuf_u8(w, ' ');
	base64_put(w, wbuf_span(&s));
	wbuf_u8(w, '\n');
	return w->failed || s.failed ? err_set(e, E_LIMIT, 0, "no room for a "
					       "signature") : 0;
}
