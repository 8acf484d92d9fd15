/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that no network outside the home can have: private (RFC 1918),
 * link-local (RFC 3927, RFC 4291) and unique local ones (RFC 4193). That a
 * party has the role household is its author's word; this is what it is
 * held to.
 */
#ifndef POLICY_LANG_IMAGE_HOME_H
#define POLICY_LANG_IMAGE_HOME_H

#include <stdbool.h>
#include <stdint.h>

/* Is all of the prefix at home? addr: IPv4 in the mapped form; len: 0..128. */
bool home_prefix(const uint8_t addr[16], unsigned len);

#endif
