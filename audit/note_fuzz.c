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
	as_note(span_of(data, size));
	return 0;
}
