/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever asked is told of a refusal; see dissector.h. */
#ifndef DISSECTORS_C1222_ANSWER_H
#define DISSECTORS_C1222_ANSWER_H

#include "dissectors/c1222/state.h"

const char *c1222_answer(const struct dis_ctx *c, struct span unit,
			 const struct refusal *why, struct wbuf *out,
			 bool *instead);

#endif
