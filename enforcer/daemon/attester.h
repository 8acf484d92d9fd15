/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scribe and the attester say to each other, on a pair of sockets
 * whose ends the parent keeps for their successors. A question is one packet,
 * and so is its answer; answers come in the order of the questions.
 */
#ifndef ENFORCER_DAEMON_ATTESTER_H
#define ENFORCER_DAEMON_ATTESTER_H

#include <stdatomic.h>

#include "attest/tpm.h"

/* The attester's page: only it and the parent write there. */
struct attester_share {
	_Atomic int64_t beat;
	/* Not 0 while there is a TPM: another number with each connection. The
	 * parent sets it to 0 when the attester ends. */
	_Atomic uint32_t session;
	_Atomic uint32_t sessions; /* that there were */
	_Atomic uint64_t answered; /* number of the question that was last */
};

enum attester_kind {
	ATTESTER_STATE = 1,
	ATTESTER_EXTEND,    /* PCR 13, by digest */
	ATTESTER_INCREMENT, /* the counter */
	ATTESTER_KEY,	    /* the log's, that is bound so */
	ATTESTER_SIGN,	    /* digest, with that key */
};

struct attester_ask {
	uint64_t number;
	uint32_t kind, session;
	uint8_t digest[TPM_DIGEST];
	struct tpm_bound bound; /* of ATTESTER_KEY; zero: not yet */
};

struct attester_answer {
	uint64_t number;
	int32_t rc; /* 0 or an errcode, and why */
	uint32_t n; /* octets of sig */
	struct tpm_state state; /* after what was asked, but for the key's */
	uint8_t sig[TPM_SIG];
	/* Of ATTESTER_KEY; unusable: in this state of the platform, and why. */
	struct tpm_bound bound;
	uint8_t spki[TPM_SPKI];
	bool unusable;
	char why[ERR_TEXT];
};

/* While it ends the log the scribe waits so long for an answer. Else it goes on,
 * and gives the TPM up when there is none in ATTESTER_LATE_NS. */
#define ATTESTER_WAIT_MS 1500
#define ATTESTER_LATE_NS (4 * NS_PER_S)

#endif
