/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of UTF-8 (RFC 3629), read strictly. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include "core/span.h"

/* Octets of the character at the start of s; 0: there is none, or octets that
 * are none: cut short, too long, a surrogate, beyond U+10FFFF. */
size_t utf8_len(struct span s);

#endif
