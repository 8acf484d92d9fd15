/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may touch the rules of this network namespace: one at a time, a daemon
 * for as long as it runs, or whoever takes its rules away. Where their files
 * lie does not matter, since rules know no files.
 */
#ifndef ENFORCER_DAEMON_ALONE_H
#define ENFORCER_DAEMON_ALONE_H

#include "core/err.h"

/* An abstract socket's name: one name space for each network namespace, gone
 * with its holder however that ends. */
#define ALONE_NAME "metergate-rules"

/* *fd: held until it is closed; -1 after a failure. E_EXISTS: somebody has it;
 * the message says who. */
int alone_take(int *fd, struct err *e) __attribute__((warn_unused_result));

#endif
