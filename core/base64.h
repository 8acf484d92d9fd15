/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 as RFC 4648 section 4 has it, with padding. Reading is strict: no
 * white space, no missing padding, no bits behind the last octet, so that
 * each value has one text.
 */
#ifndef CORE_BASE64_H
#define CORE_BASE64_H

#include "core/wbuf.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4) /* characters of n octets */

void base64_put(struct wbuf *w, struct span s);
/* Append the octets of text to w. false: it is no base64, or w is too small;
 * then w is failed. */
bool base64_get(struct wbuf *w, struct span text);

#endif
