/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as a proof. Properties: what is read is written again as the same
 * octets, and is read the same from them.
 */
#include <assert.h>
#include <stdlib.h>

#include "audit/prooftext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proof_text *t = malloc(sizeof(*t));
	uint8_t *text = malloc(PROOF_TEXT_MAX);
	struct wbuf w = wbuf_of(text, PROOF_TEXT_MAX);
	struct span in = span_of(data, size);
	struct err e;

	assert(t && text);
	if (size <= PROOF_TEXT_MAX && proof_text_parse(t, in, &e) == 0) {
		assert(t->proof.n <= PROOF_MAX);
		assert(t->note.n <= size);
		assert(proof_text_put(&w, t, &e) == 0);
		assert(span_eq(wbuf_span(&w), in));
	}
	free(text);
	free(t);
	return 0;
}
