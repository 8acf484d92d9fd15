/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of an image that were changed, with checksums put right: what is
 * tested then is the verification of content.
 */
#ifndef POLICY_LANG_EVAL_IMAGEKIT_H
#define POLICY_LANG_EVAL_IMAGEKIT_H

#include <stdlib.h>

#include "core/crc32c.h"
#include "policy-lang/eval/internal.h"

/* Right checksums over whatever the section table says, as far as it can be
 * followed; digest: and of what the policy means. */
static inline void image_put_right(uint8_t *p, size_t n, bool digest)
{
	struct lay_header h;
	struct lay_section t;
	uint8_t *all = malloc(2 * n + 1);
	size_t at = 0, table;

	memcpy(&h, p, sizeof(h));
	h.length = n;
	table = h.n_sections <= 64 ? h.n_sections * sizeof(t) : 0;
	for (size_t i = 0; all && table <= n - sizeof(h) &&
			   i < table / sizeof(t); i++) {
		uint8_t *row = p + sizeof(h) + i * sizeof(t);
		uint64_t head[2];
		bool sign;

		memcpy(&t, row, sizeof(t));
		if (t.off > n || t.len > n - t.off ||
		    at + sizeof(head) + t.len > 2 * n)
			break;
		sign = t.type == LAY_TYPE('S', 'I', 'G', 'N');
		t.crc = sign ? 0 : crc32c(0, span_of(p + t.off, t.len));
		memcpy(row, &t, sizeof(t));
		if (lay_outside(t.type))
			continue;
		head[0] = t.type;
		head[1] = t.len;
		memcpy(all + at, head, sizeof(head));
		memcpy(all + at + sizeof(head), p + t.off, t.len);
		at += sizeof(head) + t.len;
	}
	if (all && digest)
		pol_digest(span_of(all, at), h.payload);
	free(all);
	h.crc = 0;
	memcpy(p, &h, sizeof(h));
	if (table <= n - sizeof(h))
		h.crc = crc32c(0, span_of(p, sizeof(h) + table));
	memcpy(p, &h, sizeof(h));
}

#endif
