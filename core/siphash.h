/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash, so that peers cannot
 * choose their place in our tables.
 */
#ifndef CORE_SIPHASH_H
#define CORE_SIPHASH_H

#include "core/span.h"

struct sipkey {
	uint64_t k0, k1;
};

uint64_t siphash24(const struct sipkey *key, struct span in);

/* 128-bit form, for comparing retransmitted octets. */
struct sip128 {
	uint64_t lo, hi;
};
struct sip128 siphash128(const struct sipkey *key, struct span in);

#endif
