/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a TPM: one descriptor, opened once, on which a command goes out
 * and its answer comes back, in bounded time. The transports of tpm2-tss wait
 * for ever, and its swtpm opens a connection for every command, which a
 * process in a sandbox cannot.
 *
 *	device:/dev/tpmrm0		     a chip, through the kernel
 *	swtpm:path=/run/tpm.sock	     swtpm on a Unix socket
 *	swtpm:host=127.0.0.1,port=2321	     or on TCP; a numeric address
 *
 * as tpm2-tss names them. Its other transports are refused, with what to name
 * instead: one process has one descriptor here, opened before its sandbox
 * closes. tabrmd asks for a resource manager over D-Bus, which the kernel's
 * own makes needless; cmd runs a program that no sandbox holds; mssim speaks
 * another protocol on two connections, for a simulator that swtpm replaces.
 */
#ifndef ATTEST_LINK_H
#define ATTEST_LINK_H

#include "core/err.h"
#include "core/span.h"

#define LINK_WAIT_MS 2500
#define LINK_MAX     4096 /* octets of a command or an answer */
#define LINK_HEAD    10	  /* tag u16, octets in all u32, code u32 */

/* E_SYNTAX: it is none of these. */
int link_named(const char *name, struct err *e)
	__attribute__((warn_unused_result));
/* E_SYNTAX: the name is none of the above; E_IO: it leads nowhere. */
int link_open(int *fd, const char *name, struct err *e)
	__attribute__((warn_unused_result));
/* Both E_IO: the other end is gone, too slow, or what came is no answer. */
int link_send(int fd, struct span command, struct err *e)
	__attribute__((warn_unused_result));
int link_receive(int fd, uint8_t *answer, size_t cap, size_t *n, struct err *e)
	__attribute__((warn_unused_result));

#endif
