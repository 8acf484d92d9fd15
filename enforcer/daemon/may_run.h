/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a test may put processes into their sandboxes here. */
#ifndef ENFORCER_DAEMON_MAY_RUN_H
#define ENFORCER_DAEMON_MAY_RUN_H

#include <stdbool.h>
#include <unistd.h>

/* Sanitizers need calls of their own, which a sandbox refuses. */
static inline bool may_run(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return false;
#endif
#endif
	return geteuid() == 0;
}

#endif
