/* SPDX-License-Identifier: Apache-2.0 */
/* -g: which packets of a capture are whose. */
#ifndef ENFORCER_CAPTURE_GUEST_H
#define ENFORCER_CAPTURE_GUEST_H

#include "enforcer/pipeline/pipeline.h"

/* GUEST=IFACE|MAC|CIDR[:PORT]; E_SYNTAX. */
int capture_guest(struct pipeline_guest *out, const char *text, struct err *e)
	__attribute__((warn_unused_result));

/* Would both be the machine of one address, MAC or interface? */
bool capture_guests_clash(const struct pipeline_guest *a,
			  const struct pipeline_guest *b);

/* An address alone. */
bool capture_addr(struct net_addr *out, const char *text);

#endif
