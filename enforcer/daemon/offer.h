/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A customer's file that came over HTTP, from the courier to the parent. The
 * courier only hands it on: the parent does with it what it does with one of
 * `metergatectl customer propose`, and nobody but the panel confirms it.
 *
 * The first part is written by the parent only, the second by the courier
 * only, which may be anybody's by then: the parent copies before it looks, and
 * takes few, since each leaves a record that is kept for ever.
 */
#ifndef ENFORCER_DAEMON_OFFER_H
#define ENFORCER_DAEMON_OFFER_H

#include <stdatomic.h>

#include "enforcer/daemon/propose.h"

#define OFFER_BURST   8 /* that many, and then one in */
#define OFFER_EACH_NS (600 * NS_PER_S)
#define OFFER_CODE    9

enum offer_from { OFFER_OPERATOR, OFFER_PORTAL, OFFER_FROMS };
enum offer_state {
	OFFER_STAGED = 1, /* it waits for the panel; text: what changes */
	OFFER_REFUSED,	  /* text: why */
	OFFER_BUSY,	  /* not looked at; text: why */
};

struct offer {
	_Atomic uint32_t answered;
	uint32_t state;
	char code[OFFER_CODE]; /* that the panel shows with it */
	char text[PROPOSE_TEXT];
	/* The courier may write from here on only. */
	_Alignas(4096) _Atomic uint32_t asked;
	uint32_t from, n;
	uint8_t source[PROPOSE_SOURCE];
};

#endif
