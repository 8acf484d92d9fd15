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
/* For who judges captures and lets nothing out: such a party is taken, and
 * what its machine said in clear, before the gateway would have sealed it, is
 * judged. */
int capture_policy_offline(struct capture_policy *p, const char *path,
			   struct err *e) __attribute__((warn_unused_result));
void capture_policy_free(struct capture_policy *p);

/* The same in steps, for who looks at images in between. Images of a
 * directory and nothing else: a source there is E_AUTH, because nobody can
 * have signed it. */
int capture_policy_images(struct capture_policy *p, const char *dir,
			  struct err *e) __attribute__((warn_unused_result));
/* A copy of these octets, which are an image; name: for messages. */
int capture_policy_add(struct capture_policy *p, struct span octets,
		       const char *name, struct err *e)
	__attribute__((warn_unused_result));
/* What is in p becomes its set; after a failure p is as it was. */
int capture_policy_compose(struct capture_policy *p, const char *name,
			   struct err *e) __attribute__((warn_unused_result));

/* One event (EV_POLICY) for each policy; what: "in force". Its digest says what
 * the policy means. */
void capture_policy_events(const struct capture_policy *p, struct now now,
			   const char *what,
			   void (*event)(void *arg, const struct event *ev),
			   void *arg);
/* One more for each: of its file, which says besides with which libraries it was
 * compiled, from which places, and who signed it. */
void capture_policy_files(const struct capture_policy *p, struct now now,
			  void (*event)(void *arg, const struct event *ev),
			  void *arg);

#endif
