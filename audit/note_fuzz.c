/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as a signed note and as a key. Properties: a note is its text, a
 * newline and its lines, and each line is one; no key that did not sign is
 * found to have signed; what is read as a checkpoint or a key is written again
 * as the same octets.
 */
#include <assert.h>

#include "audit/checkpoint.h"
#include "audit/note.h"
#include "crypto/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_key(struct span in)
{
	uint8_t text[NOTE_KEY_TEXT];
	struct wbuf w = wbuf_of(text, sizeof(text));
	struct note_key k;
	struct err e;

	if (note_key_parse(&k, in, &e))
		return;
	note_key_put(&w, &k);
	if (in.p[in.n - 1] == '\n')
		in.n--;
	assert(span_eq(wbuf_span(&w), in));
}

/* What is taken for a public key in PEM is one of those that are known, and
 * never beside a private one. */
static void as_pem(struct span in)
{
	struct note_key k;
	struct err e;

	if (note_key_pem(&k, in, false, &e))
		return;
	assert(k.name[0] == '\0' && sign_is_pem(in));
	assert(memmem(in.p, in.n, "PRIVATE KEY-----", 16) == NULL);
	assert(k.type == NOTE_ED25519
		       ? k.n == SIGN_KEY_LEN
		       : k.type == NOTE_P256 &&
				 sign_p256_is(span_of(k.pub, k.n)));
}

static void as_note(struct span in)
{
	static const char known[] = "example.com/foo+530d903a+AekyeRrm56hApGFk"
				    "yQR4ZCbV54Id2LKaANYcrnKv3U2k";
	uint8_t text[CHECKPOINT_TEXT_MAX];
	struct wbuf w = wbuf_of(text, sizeof(text));
	struct checkpoint point;
	struct note_sig sig;
	struct note_key k;
	uint64_t by = 0;
	struct note n;
	struct err e;
	struct cur c;
	size_t lines = 0;

	if (note_parse(&n, in, &e))
		return;
	assert(n.text.n > 0 && n.text.p[n.text.n - 1] == '\n');
	assert(n.text.n + 1 + n.sigs.n == in.n);
	for (c = cur_of(n.sigs); note_next(&c, &sig);)
		lines++;
	assert(cur_done(&c) && lines > 0);
	assert(note_key_parse(&k, span_str(known), &e) == 0);
	/* Its private half is nobody's here. */
	if (note_check(&n, &k, 1, &by, &e) == 0 && by)
		assert(span_is(n.text, "This is an example message.\n"));
	if (checkpoint_parse(&point, n.text, &e) == 0) {
		checkpoint_put(&w, &point);
		assert(span_eq(wbuf_span(&w), n.text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_key(span_of(data, size));
	as_pem(span_of(data, size));
	as_note(span_of(data, size));
	return 0;
}
