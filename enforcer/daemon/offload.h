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

/* 64 KiB doubled up to 512 MiB: more than half of a budget is always used. */
static const uint64_t offload_bound[OFFLOAD_CLASSES] = {
	0,
	UINT64_C(64) << 10,  UINT64_C(128) << 10, UINT64_C(256) << 10,
	UINT64_C(512) << 10, UINT64_C(1) << 20,	  UINT64_C(2) << 20,
	UINT64_C(4) << 20,   UINT64_C(8) << 20,	  UINT64_C(16) << 20,
	UINT64_C(32) << 20,  UINT64_C(64) << 20,  UINT64_C(128) << 20,
	UINT64_C(256) << 20, UINT64_C(512) << 20,
};

#endif
