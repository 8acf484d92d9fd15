/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/replay.h"

int replay_policy_load(struct replay_policy *p, const char *path, struct err *e)
{
	int rc;

	*p = (struct replay_policy){0};
	rc = capture_policy_offline(&p->files, path, e);
	if (rc < 0)
		return rc;
	p->set = p->files.set;
	rc = pol_state_new(&p->state, p->set, e);
	if (rc < 0) {
		err_wrap(e, "%s", path);
		replay_policy_free(p);
	}
	return rc;
}

void replay_policy_free(struct replay_policy *p)
{
	pol_state_free(p->state);
	capture_policy_free(&p->files);
	*p = (struct replay_policy){0};
}

void replay_policy_events(const struct replay_policy *p, struct now now,
			  const struct pipeline_sink *sink)
{
	capture_policy_events(&p->files, now, "in force", sink->event,
			      sink->arg);
}
