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

/* Of each type: EVE's word for it, and whether it is about packets, which is
 * what engines tell of. */
static const struct {
	const char *name;
	bool packets;
} types[EV_TYPES] = {
	[EV_FLOW] = {"flow", true},
	[EV_PROTOCOL] = {NULL, true},
	[EV_DECISION] = {"decision", true},
	[EV_VIOLATION] = {"violation", true},
	[EV_ANOMALY] = {"anomaly", true},
	[EV_POLICY] = {"policy", false},
	[EV_MAINTENANCE] = {"maintenance", false},
	[EV_ATTESTATION] = {"attestation", false},
	[EV_STATS] = {"stats", false},
	/* EVE has no words for these. */
	[EV_LOSS] = {"anomaly", false}, /* kept for ever: the parent's */
	[EV_BOOT] = {"maintenance", false},
	[EV_CHECKPOINT] = {"maintenance", false},
	[EV_EXPORT] = {"maintenance", false},
	[EV_NOTICE] = {"notification", true},
};

const char *event_type_name(const struct event *e)
{
	if (e->type == EV_PROTOCOL)
		return e->app_proto ? e->app_proto : "unknown";
	return (unsigned)e->type < EV_TYPES ? types[e->type].name : "unknown";
}

bool event_of_packets(enum event_type t)
{
	return (unsigned)t < EV_TYPES && types[t].packets;
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
