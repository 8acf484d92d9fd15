/* SPDX-License-Identifier: Apache-2.0 */
/* A half of the shared area, read by a process that trusts none of it. */
#ifndef ENFORCER_DAEMON_HALF_H
#define ENFORCER_DAEMON_HALF_H

#include "enforcer/daemon/share.h"

struct half_set {
	struct pol_image *image[SHARE_GUESTS + 3]; /* read where they lie */
	size_t n_images;
	struct pol_set *set;
};

/* n octets at at, inside the half. */
int half_part(struct span *out, const struct policy_half *h, uint32_t at,
	      uint32_t n, struct err *e) __attribute__((warn_unused_result));
/* Its images, verified and composed. After an error: half_free. */
int half_load(struct half_set *s, const struct policy_half *h, struct err *e)
	__attribute__((warn_unused_result));
void half_free(struct half_set *s);

#endif
