/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event.h"

#include <arpa/inet.h>

char *net_addr_text(char buf[NET_ADDR_TEXT], const struct net_addr *a)
{
	struct span b = span_of(a->b, sizeof(a->b));

	buf[0] = 0;
	if (net_addr_is4(a))
		inet_ntop(AF_INET, span_from(b, 12).p, buf, NET_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, b.p, buf, NET_ADDR_TEXT);
	return buf;
}

const char *event_type_name(const struct event *e)
{
	static const char *const names[EV_TYPES] = {
		"flow",	   NULL,	  "decision",	 "violation", "anomaly",
		"policy", "maintenance", "attestation", "stats",
		/* EVE has no words for these. */
		"anomaly", "maintenance", "maintenance", "maintenance",
		"notification",
	};

	if (e->type == EV_PROTOCOL)
		return e->app_proto ? e->app_proto : "unknown";
	return (unsigned)e->type < EV_TYPES ? names[e->type] : "unknown";
}

const char *severity_name(unsigned s)
{
	static const char *const names[] = {NULL,     "info", "low",
					    "medium", "high", "critical"};

	return s <= SEV_CRITICAL ? names[s] : NULL;
}

const char *notify_name(unsigned bit)
{
	static const char *const names[] = {"portal", "vendor", "operator"};

	return bit < 3 ? names[bit] : NULL;
}
