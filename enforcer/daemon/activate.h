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
 * What permits more than what is in force (widen.h) waits: staged, kept over
 * restarts, until the customer confirms it on the meter's panel, or, where the
 * baseline in force says so, until its notice has passed. The notice is
 * counted by the stepless clock; time without a daemon counts as far as that
 * clock, or after another boot a trusted wall clock, shows it.
 *
 * With `signatures: off` whatever lies in the directory is in force, and
 * neither signatures nor serials are looked at: for trials.
 */
#ifndef ENFORCER_DAEMON_ACTIVATE_H
#define ENFORCER_DAEMON_ACTIVATE_H

#include "enforcer/daemon/policies.h"
#include "enforcer/daemon/policy_store.h"
#include "enforcer/daemon/signers.h"
#include "enforcer/daemon/widen.h"

struct activation {
	struct policy_store store; /* as on the disk */
	struct signers signers;
	char refused[ERR_TEXT]; /* why a start does without the directory */
	bool in_process; /* no child is needed to compare: tests, metergated -n */
	struct capture_policy waits; /* chosen to wait: of activate_choose */
	struct store_staged how[CAPTURE_POLICIES]; /* each; without an image */
	struct store_voids voids; /* of what was chosen, the same way */
	char chosen[WIDEN_TEXT]; /* how what was chosen differs, for people */
	char text[WIDEN_TEXT];	 /* the same of what waits in the store */
	int64_t ticked_ns, kept_ns;  /* mono */
	bool told_due;
};

/* The platform's keys and what was in force; changes nothing. */
int activate_open(struct activation *a, const struct conf *c,
		  const uint8_t boot[16], struct now now, struct err *e)
	__attribute__((warn_unused_result));
void activate_close(struct activation *a);

/* --- another directory, in steps ------------------------------------------------ */

/* Read, and held to signatures and serials. E_AUTH, E_INTEGRITY, E_STATE and
 * the errors of capture_policy_load. */
int activate_read(const struct activation *a, struct capture_policy *found,
		  const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* Is there anything to compare? Then *was is what is in force, to be freed. */
bool activate_compares(const struct activation *a,
		       const struct capture_policy *found);
int activate_was(const struct activation *a, struct capture_policy *was,
		 struct err *e) __attribute__((warn_unused_result));
/* What comes into force of it; w: the comparison, or NULL when there is none.
 * *found is taken over, *out is then freed by policies_free. */
int activate_choose(struct activation *a, struct policies *out,
		    struct capture_policy *found, const struct widen *w,
		    const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* All of it at once, waiting for the comparison. */
int activate_next(struct activation *a, struct policies *out,
		  const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* The same for a start, that goes on without the directory when it can: then
 * refused says why. */
int activate_first(struct activation *a, struct policies *out,
		   const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* Something to record: "com.example.mdma serial 7 staged: ...". */
typedef void activate_note_f(void *arg, const char *text);

/* They are about to come into force: their serials, and what waits, are on the
 * disk first. */
int activate_see(struct activation *a, const struct policies *next,
		 const struct conf *c, activate_note_f *note, void *arg,
		 struct err *e) __attribute__((warn_unused_result));
/* Are they others than were in force before, as far as that is remembered:
 * without signatures it is not. */
bool activate_changes(const struct activation *a, const struct policies *next,
		      const struct conf *c);
/* They are in force, and so they are after a restart. */
int activate_done(struct activation *a, const struct policies *now,
		  const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* --- what waits ------------------------------------------------------------------- */

/* What the customer confirms by: of this content, on top of what is in force.
 * Policies that only go together have one. */
#define ACTIVATE_CODE 9 /* eight hexadecimal digits, terminated */
void activate_code(const struct activation *a, size_t staged,
		   char code[ACTIVATE_CODE]);
/* Is there a text that says what it changes? Else it cannot be confirmed, and
 * has no code to show. */
bool activate_told(const struct activation *a, size_t staged);
/* Notice left, in ns; negative: it waits for the customer alone. */
int64_t activate_left(const struct activation *a, size_t staged);
/* The customer's file, compiled: it waits in the place of one that waited. Its
 * serial has to be above that of each that was in force, it has to make a set
 * with what is in force (floors, answers that may not be given), and every
 * answer has to be about a rule that is in force or waits. text: what changes;
 * it is kept with it. E_STATE, E_LIMIT and the errors of pol_image_load. */
int activate_propose(struct activation *a, struct span image,
		     struct span text, const struct conf *c,
		     activate_note_f *note, void *arg, struct err *e)
	__attribute__((warn_unused_result));
/* E_NOTFOUND: nothing that was shown waits by this code. Else the directory is to be read
 * again. */
int activate_confirm(struct activation *a, const char *code,
		     const struct conf *c, activate_note_f *note, void *arg,
		     struct err *e) __attribute__((warn_unused_result));
/* Time passes. True, once: something's notice is over, and the directory is to
 * be read again. */
bool activate_tick(struct activation *a, const struct conf *c,
		   struct now now);

/* activate_wait.c, for activate.c: the store as it is now, the notice of the
 * baseline in force, one note. */
int activate_keep(struct activation *a, const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
int64_t activate_notice(const struct activation *a);
void activate_tell(activate_note_f *note, void *arg,
		   const struct pol_image *im, const char *what);

#endif
