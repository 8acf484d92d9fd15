/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping a log and a TPM at the same place (anchor.h): what the writer does
 * when it opens a log, and behind each commit. It may die between any two of
 * these steps; the next one finds out how far it came.
 */
#ifndef AUDIT_ANCHORING_H
#define AUDIT_ANCHORING_H

#include "audit/anchor.h"
#include "audit/audit.h"

/* The TPM is counted with its resets and once an hour: it wears out. */
#define ANCHORING_COUNT_NS (3600 * NS_PER_S)

/* What is needed of a TPM. Each may fail with any error, and may then have
 * been done or not. */
struct anchor_tpm {
	int (*state)(void *arg, uint8_t pcr[SHA256_LEN], uint64_t *counter,
		     struct err *e);
	/* pcr: what it is then */
	int (*extend)(void *arg, const uint8_t digest[SHA256_LEN],
		      uint8_t pcr[SHA256_LEN], struct err *e);
	int (*increment)(void *arg, uint64_t *counter, struct err *e);
	void *arg;
};

struct anchoring {
	struct anchor_tpm tpm;
	bool met; /* log and TPM agree, and go on together */
	struct anchor_place place;
	struct anchor_bound bound; /* what the next checkpoint says */
	uint8_t pcr[SHA256_LEN];   /* of the TPM */
	uint64_t counter;	   /* of the TPM */
	uint64_t done;		   /* the checkpoint that it got last */
	struct mono counted;
	bool behind; /* it lacks something of the log as it was opened */
	bool first; /* it was reset, and has nothing since */
	uint8_t first_digest[SHA256_LEN];
};

/* In audit_conf.agree. E_INTEGRITY: they do not belong together. */
int anchoring_meet(struct anchoring *g, struct audit *a, struct err *e)
	__attribute__((warn_unused_result));
/* The log is open, and nothing was added to it yet: the TPM gets what it lacks.
 * After a reset it gets its first with the next checkpoint. E_MORE: as of
 * anchoring_commit, which goes on with it; records may be added meanwhile. */
int anchoring_begin(struct anchoring *g, struct audit *a, struct mono now,
		    struct err *e) __attribute__((warn_unused_result));
/* Behind a commit. 1: the TPM has every checkpoint now; 0: there was none.
 * E_MORE: extend or increment said so, they have been asked: to be called again
 * until it says something else, and no checkpoint is made meanwhile. After
 * another error it is as lost. */
int anchoring_commit(struct anchoring *g, struct audit *a, struct mono now,
		     struct err *e) __attribute__((warn_unused_result));
/* The TPM does not have every checkpoint yet. */
bool anchoring_under_way(const struct anchoring *g, const struct audit *a);
/* The TPM is gone; a may be NULL. */
void anchoring_lost(struct anchoring *g, struct audit *a);

#endif
