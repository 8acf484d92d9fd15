/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a TPM (link.h) in the form in which tpm2-tss wants one. */
#ifndef ATTEST_TRANSPORT_H
#define ATTEST_TRANSPORT_H

/* Begins with the TSS2_TCTI_CONTEXT that it is. */
struct transport;

/* fd stays its owner's. NULL: out of memory. To be freed. */
struct transport *transport_new(int fd);
/* Of the last failure; "" if there was none. */
const char *transport_why(const struct transport *w);

#endif
