/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policies come into force (policy-language section 17).
 *
 * With `signatures: required` the directory proposes and this decides: every
 * image has to be signed by who may sign it (signers.h), and its serial has to
 * rise (policy_store.h). What is refused leaves the set that is in force, over
 * a restart too. Where nothing was ever in force, the binding alone comes into
 * force, if that much is signed: machines without a policy have no grants, so
 * everything is refused, and a better directory needs no restart.
 *
 * With `signatures: off` whatever lies in the directory is in force, and
 * neither signatures nor serials are looked at: for trials.
 */
#ifndef ENFORCER_DAEMON_ACTIVATE_H
#define ENFORCER_DAEMON_ACTIVATE_H

#include "enforcer/daemon/policies.h"
#include "enforcer/daemon/policy_store.h"
#include "enforcer/daemon/signers.h"

struct activation {
	struct policy_store store; /* as on the disk */
	struct signers signers;
	char refused[ERR_TEXT]; /* why a start does without the directory */
};

/* The platform's keys and what was in force; changes nothing. */
int activate_open(struct activation *a, const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
void activate_close(struct activation *a);

/* What the directory wants in force; *out is then freed by policies_free. It
 * may differ from the store by E_AUTH, E_INTEGRITY, E_STATE and the errors of
 * policies_load. */
int activate_next(const struct activation *a, struct policies *out,
		  const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* The same for a start, that goes on without the directory when it can: then
 * refused says why. */
int activate_first(struct activation *a, struct policies *out,
		   const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* They are about to come into force: their serials are on the disk first. */
int activate_see(struct activation *a, const struct policies *next,
		 const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* They are in force, and so they are after a restart. */
int activate_done(struct activation *a, const struct policies *now,
		  const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

#endif
