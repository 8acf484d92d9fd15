/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, reflected 0x82F63B78), as iSCSI and ext4 use it. */
#ifndef CORE_CRC32C_H
#define CORE_CRC32C_H

#include "core/span.h"

/* Of in, continuing from crc (0 to start). crc32c("123456789") = e3069283. */
uint32_t crc32c(uint32_t crc, struct span in);
/* The same, on any processor. */
uint32_t crc32c_by_table(uint32_t crc, struct span in);

#endif
