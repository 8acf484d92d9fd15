/* SPDX-License-Identifier: Apache-2.0 */
/* What a refused request is answered; see dissector.h. */
#ifndef DISSECTORS_C1222_ANSWER_H
#define DISSECTORS_C1222_ANSWER_H

#include "dissectors/c1222/state.h"

const char *c1222_answer(const struct dis_ctx *c, struct span unit,
			 enum refused_as why, struct wbuf *out);

#endif
