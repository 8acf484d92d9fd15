/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of an image that were changed, with checksums put right: what is
 * tested then is the verification of content.
 */
#ifndef POLICY_LANG_IMAGE_IMAGEKIT_H
#define POLICY_LANG_IMAGE_IMAGEKIT_H

#include <stdlib.h>

#include "core/crc32c.h"
#include "policy-lang/image/view.h"

struct image_hashed {
	uint8_t *p; /* room for every section twice */
	size_t n;
};

static inline void image_hash(struct image_hashed *a, struct lay_section t,
			      const uint8_t *p)
{
	uint64_t head[2] = {t.type, t.len};

	memcpy(a->p + a->n, head, sizeof(head));
	memcpy(a->p + a->n + sizeof(head), p + t.off, t.len);
	a->n += sizeof(head) + t.len;
}

/* Each is put right with those before it. */
enum image_right {
	RIGHT_CRC,     /* of sections, table and header */
	RIGHT_PAYLOAD, /* what the policy means */
	RIGHT_RULES,   /* the rules that are said to have been checked */
};

/* Over whatever the section table says, as far as it can be followed. */
static inline void image_put_right(uint8_t *p, size_t n, enum image_right upto)
{
	struct lay_header h;
	struct lay_section t;
	struct image_hashed all = {malloc(2 * n + 1), 0},
			    rules = {malloc(2 * n + 1), 0};
	bool can = all.p && rules.p;
	size_t table;

	memcpy(&h, p, sizeof(h));
	h.length = n;
	table = h.n_sections <= 64 ? h.n_sections * sizeof(t) : 0;
	for (size_t i = 0; can && table <= n - sizeof(h) &&
			   i < table / sizeof(t); i++) {
		uint8_t *row = p + sizeof(h) + i * sizeof(t);
		bool sign;

		memcpy(&t, row, sizeof(t));
		if (t.off > n || t.len > n - t.off ||
		    all.n + 16 + t.len > 2 * n || rules.n + 16 + t.len > 2 * n)
			break;
		if (upto >= RIGHT_RULES &&
		    t.type == LAY_TYPE('U', 'N', 'I', 'Q') &&
		    t.len == sizeof(struct lay_unique))
			pol_digest(span_of(rules.p, rules.n), p + t.off);
		sign = t.type == LAY_TYPE('S', 'I', 'G', 'N');
		t.crc = sign ? 0 : crc32c(0, span_of(p + t.off, t.len));
		memcpy(row, &t, sizeof(t));
		if (lay_of_grants(t.type))
			image_hash(&rules, t, p);
		if (!lay_outside(t.type))
			image_hash(&all, t, p);
	}
	if (can && upto >= RIGHT_PAYLOAD)
		pol_digest(span_of(all.p, all.n), h.payload);
	free(all.p);
	free(rules.p);
	h.crc = 0;
	memcpy(p, &h, sizeof(h));
	if (table <= n - sizeof(h))
		h.crc = crc32c(0, span_of(p, sizeof(h) + table));
	memcpy(p, &h, sizeof(h));
}

#endif
