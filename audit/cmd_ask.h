/* SPDX-License-Identifier: Apache-2.0 */
/* metergate-audit: that a log is exported is one of its records. */
#ifndef AUDIT_CMD_ASK_H
#define AUDIT_CMD_ASK_H

#include <stdbool.h>

struct export_ask {
	const char *control; /* the gateway's socket; NULL: the usual one */
	const char *form;    /* for the record */
	bool unrecorded;     /* whoever runs this says so */
	bool still;	     /* nobody writes it; by export_recorded */
};

/* Before the first octet leaves: of a log that is being written, have its
 * gateway record that, and wait until the record is durable. One that nobody
 * writes can take none. EXIT_DONE: go on; else said why not. */
int export_recorded(struct export_ask *x, const char *path)
	__attribute__((warn_unused_result));
/* Afterwards: say of one that is not recorded that it is not. */
void export_unrecorded(const struct export_ask *x, const char *path);

#endif
