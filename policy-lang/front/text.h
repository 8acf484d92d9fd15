/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of a source. */
#ifndef POLICY_LANG_FRONT_TEXT_H
#define POLICY_LANG_FRONT_TEXT_H

#include "core/span.h"

/* One UTF-8 character: its code, shortest form only; false when malformed,
 * the cursor is then anywhere. */
bool text_char(struct cur *c, uint32_t *code);

/* Controls but LF, bidirectional controls, and what nobody can see. */
bool text_invisible(uint32_t code);

#endif
