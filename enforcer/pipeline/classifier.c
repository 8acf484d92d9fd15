/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/classifier.h"

const char *confidence_name(enum confidence c)
{
	static const char *const names[CONFIDENCES] = {"none", "port",
						       "address", "octets"};

	return names[c];
}

void classifier_facts(struct obs *close, const struct app *app)
{
	memset(close, 0, offsetof(struct obs, f));
	close->kind = OBS_FLOW_CLOSE;
	obs_span(close, F_APP, span_str(app->name));
	obs_span(close, F_CONFIDENCE,
		 span_str(confidence_name(app->confidence)));
}
