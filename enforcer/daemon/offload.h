/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The classes of connections that the kernel carries: up to how many octets,
 * both directions together, as conntrack counts them. The pipeline chooses
 * (and charges) a class, the rules enforce its bound; both use this table.
 */
#ifndef ENFORCER_DAEMON_OFFLOAD_H
#define ENFORCER_DAEMON_OFFLOAD_H

#include <stdint.h>

#define OFFLOAD_CLASSES 15 /* class 0: none */

/* From what is worth it to what no meter sends in one connection. Small ones
 * are few, so that a connection that begins to be large need not change often;
 * what the pipeline charges at once is bounded by what it saw. */
static const uint64_t offload_bound[OFFLOAD_CLASSES] = {
	0,
	UINT64_C(64) << 10,  UINT64_C(256) << 10, UINT64_C(1) << 20,
	UINT64_C(4) << 20,   UINT64_C(16) << 20,  UINT64_C(32) << 20,
	UINT64_C(64) << 20,  UINT64_C(128) << 20, UINT64_C(256) << 20,
	UINT64_C(512) << 20, UINT64_C(1) << 30,	  UINT64_C(2) << 30,
	UINT64_C(4) << 30,   UINT64_C(8) << 30,
};

#endif
