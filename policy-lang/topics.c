/* SPDX-License-Identifier: Apache-2.0 */
#include "core/meas.h"
#include "policy-lang/polc.h"

static const struct topic topics[] = {
#include "policy-lang/codes.def"
};
#define N_TOPICS (sizeof(topics) / sizeof(topics[0]))

const struct topic *topic_at(size_t i)
{
	return i < N_TOPICS ? &topics[i] : NULL;
}

const char *topic_group(unsigned code)
{
	static const char *const names[] = {
		"",
		"text and YAML",
		"structure",
		"values and references",
		"meaning",
		"privacy",
		"performance and fleets",
		"signatures, images, versions",
		"tests and assertions",
	};

	return code / 1000 < 9 ? names[code / 1000] : "";
}
