/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/half.h"

#include <stddef.h>

int half_part(struct span *out, const struct policy_half *h, uint32_t at,
	      uint32_t n, struct err *e)
{
	size_t room = POLICY_HALF - offsetof(struct policy_half, octets);

	if (at % 8 != 0 || at > room || n > room - at)
		return err_set(e, E_INTEGRITY, 0,
			       "the shared area points outside itself");
	*out = span_sub(span_of(h->octets, room), at, n);
	return 0;
}

void half_free(struct half_set *s)
{
	pol_set_free(s->set);
	for (size_t i = 0; i < s->n_images; i++)
		pol_image_free(s->image[i]);
	*s = (struct half_set){0};
}

static int void_all(struct pol_set *set, struct span answers, struct err *e)
{
	struct cur c = cur_of(answers);

	while (!cur_done(&c)) {
		uint32_t answer = (uint32_t)cur_le(&c, 4);
		int rc = cur_ok(&c) ? pol_set_void(set, answer) : E_SYNTAX;

		if (rc < 0)
			return err_set(e, rc, 0, "answers that are void");
	}
	return 0;
}

int half_load(struct half_set *s, const struct policy_half *h, struct err *e)
{
	struct span octets = {0};
	int rc = 0;

	*s = (struct half_set){0};
	if (h->n_images > sizeof(s->image) / sizeof(s->image[0]))
		return err_set(e, E_LIMIT, 0, "%u policies", h->n_images);
	for (uint32_t i = 0; rc == 0 && i < h->n_images; i++) {
		rc = half_part(&octets, h, h->image[i].at, h->image[i].n, e);
		if (rc == 0)
			rc = pol_image_load(&s->image[i], octets, e);
		if (rc == 0)
			s->n_images++;
	}
	if (rc == 0)
		rc = pol_set_new(&s->set,
				 (const struct pol_image *const *)s->image,
				 s->n_images, e);
	if (rc == 0)
		rc = half_part(&octets, h, h->voids.at, h->voids.n, e);
	return rc < 0 ? rc : void_all(s->set, octets, e);
}
