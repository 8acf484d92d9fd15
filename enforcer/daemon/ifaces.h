/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces there are, as they come and go: index -> name -> guest. The
 * parent keeps the table; engines read it in struct control.
 */
#ifndef ENFORCER_DAEMON_IFACES_H
#define ENFORCER_DAEMON_IFACES_H

#include "core/err.h"
#include "enforcer/daemon/rules.h"
#include "enforcer/daemon/share.h"

struct ifaces;

int ifaces_open(struct ifaces **out, struct err *e)
	__attribute__((warn_unused_result));
void ifaces_close(struct ifaces *i); /* takes NULL */
/* Readable when something changed; -1: update is to be called now and then. */
int ifaces_fd(const struct ifaces *i);
/* Take in what is known now and write the table; true when it changed. */
bool ifaces_update(struct ifaces *i, struct control *c,
		   const struct rules_guest *guest, size_t n_guests);

#endif
