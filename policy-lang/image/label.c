/* SPDX-License-Identifier: Apache-2.0 */
/* A label put into an image that was built without (layout.h says why it
 * changes no digest). */
#include <stdlib.h>

#include "core/crc32c.h"
#include "policy-lang/image/view.h"

#define LABL LAY_TYPE('L', 'A', 'B', 'L')
#define SIGN LAY_TYPE('S', 'I', 'G', 'N')

static size_t padded(uint64_t n)
{
	return ((size_t)n + 7) & ~(size_t)7;
}

bool pol_image_labelled(const struct pol_image *im)
{
	return im->n_LABL > 0;
}

int pol_image_label(uint8_t **out, size_t *size, const struct pol_image *im,
		    const struct lay_label *row, uint32_t n, struct err *e)
{
	struct lay_header h = *im->head;
	size_t table = h.n_sections * sizeof(struct lay_section);
	size_t at = sizeof(h) + table, rows = n * sizeof(*row);
	size_t cap = im->file.n + rows;
	uint8_t *p = calloc(1, cap);
	bool put = false;

	*out = NULL;
	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	for (uint32_t i = 0; i < h.n_sections; i++) {
		struct lay_section t;
		struct span s;

		memcpy(&t, im->file.p + sizeof(h) + i * sizeof(t), sizeof(t));
		s = span_sub(im->file, (size_t)t.off, (size_t)t.len);
		if (t.type == LABL)
			s = span_of(row, rows), put = true;
		else if (t.type == SIGN)
			s = span_of(NULL, 0);
		t.off = at;
		t.len = s.n;
		if (t.type == LABL || t.type == SIGN) {
			t.count = t.type == LABL ? n : 0;
			t.crc = t.type == LABL ? crc32c(0, s) : 0;
		}
		if (s.n)
			memcpy(p + at, s.p, s.n);
		memcpy(p + sizeof(h) + i * sizeof(t), &t, sizeof(t));
		at += padded(s.n);
	}
	if (!put) {
		free(p);
		return err_set(e, E_LIMIT, 0, "an image without a place for "
					      "its label");
	}
	h.length = at;
	h.crc = 0;
	h.crc = crc32c(crc32c(0, span_of(&h, sizeof(h))),
		       span_of(p + sizeof(h), table));
	memcpy(p, &h, sizeof(h));
	*out = p;
	*size = at;
	return 0;
}
