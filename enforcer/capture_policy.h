/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy set from a directory of sources (*.yaml) and images (*.polc), or
 * from one file of either kind: read, compiled, verified, composed.
 */
#ifndef ENFORCER_CAPTURE_POLICY_H
#define ENFORCER_CAPTURE_POLICY_H

#include "policy-lang/eval/eval.h"

#define CAPTURE_POLICIES 64

struct capture_policy {
	struct pol_set *set;
	struct pol_image *image[CAPTURE_POLICIES];
	uint8_t *octets[CAPTURE_POLICIES]; /* of the images */
	size_t n_octets[CAPTURE_POLICIES];
	size_t n;
};

/* Messages name file, line and column. E_UNSUPPORTED: a party has tls.mode
 * gateway, which nothing here can enforce. */
int capture_policy_load(struct capture_policy *p, const char *path,
			struct err *e) __attribute__((warn_unused_result));
void capture_policy_free(struct capture_policy *p);
/* One event (EV_POLICY) for each policy; what: "in force". */
void capture_policy_events(const struct capture_policy *p, struct now now,
			   const char *what,
			   void (*event)(void *arg, const struct event *ev),
			   void *arg);

#endif
