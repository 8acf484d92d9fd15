/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever asked is told of a refusal; see dissector.h. */
#ifndef DISSECTORS_HTTP_ANSWER_H
#define DISSECTORS_HTTP_ANSWER_H

#include "dissectors/dissector.h"

const char *http_answer(const struct dis_ctx *c, struct span unit,
			const struct refusal *why, struct wbuf *out,
			bool *instead);

#endif
