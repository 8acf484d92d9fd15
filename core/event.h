/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event: one thing that happened, as the pipeline tells it to its shell,
 * as the audit keeps it and as EVE shows it. A plain value; every pointer in
 * it is borrowed for the call it is passed to.
 */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/clock.h"
#include "core/obs.h"

enum event_type {
	EV_FLOW,	/* a flow began or ended */
	EV_PROTOCOL,	/* a message was read: c1222, http, obix, dns, tls */
	EV_DECISION,	/* policy allowed an observation */
	EV_VIOLATION,	/* policy refused an observation */
	EV_ANOMALY,	/* a packet or unit was refused below policy, or odd */
	EV_POLICY,	/* a policy set was activated or refused */
	EV_MAINTENANCE, /* somebody changed something */
	EV_ATTESTATION,
	EV_STATS, /* last line of a replay; periodic when live */
	EV_LOSS,  /* refusals that could not be kept, counted */
	EV_BOOT,  /* the writer of the audit started */
	EV_CHECKPOINT, /* what the audit's next checkpoint is bound to */
	EV_EXPORT,     /* records of the audit were handed out or removed */
	EV_NOTICE, /* a rule that says `notify` decided; event.notify: whom */
	EV_TYPES
};

/* How what a rule refused or permitted is presented. */
enum severity {
	SEV_UNSET,
	SEV_INFO,
	SEV_LOW,
	SEV_MEDIUM,
	SEV_HIGH,
	SEV_CRITICAL
};
const char *severity_name(unsigned s); /* "high"; NULL: unset, or none */

/* Who is told: bits, and the name of one. */
#define NOTIFY_PORTAL	1
#define NOTIFY_VENDOR	2
#define NOTIFY_OPERATOR 4
#define NOTIFY_ALL	7
/* Of a rule or a decision: the portal, of a refusal. No event has it. */
#define NOTIFY_REFUSED	8
const char *notify_name(unsigned bit); /* of bit 0 to 2: "portal" */

enum verdict {
	VERDICT_NONE, /* nothing was judged: facts only */
	VERDICT_ALLOW,
	VERDICT_DENY,
};

/* IPv4 addresses are kept in the IPv4-mapped IPv6 form. */
struct net_addr {
	uint8_t b[16];
};

static inline bool net_addr_is4(const struct net_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

static inline bool net_addr_eq(const struct net_addr *a,
			       const struct net_addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* IP protocols (IANA) that have a meaning here. */
enum {
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ICMP6 = 58,
};

struct net_tuple {
	struct net_addr src, dst;
	uint16_t sport, dport;
	uint8_t proto; /* IP protocol */
};

#define NET_ADDR_TEXT 46
/* As inet_ntop writes it; mapped addresses as IPv4. Returns buf. */
char *net_addr_text(char buf[NET_ADDR_TEXT], const struct net_addr *a);

/* The rule that decided, in one layer. Texts are borrowed from the image. */
struct event_rule {
	struct span layer;  /* "baseline", "vendor", "customer" */
	struct span policy; /* id of the file */
	struct span rule;   /* name of the rule; empty: no rule */
	struct span file;   /* source, where known */
	uint32_t line;	    /* 0 = not known */
	uint64_t serial;
	bool refused; /* this layer refused */
};
#define EVENT_RULES 4

/* A budget after the event. */
struct event_budget {
	struct span name; /* "allow/send-registers: 1 reading per day" */
	uint64_t used, limit;
};
#define EVENT_BUDGETS 8

/* EV_CHECKPOINT, EV_EXPORT, EV_BOOT: the audit about itself. */
struct event_log {
	bool has_chain, has_open, has_pcr, has_range;
	uint8_t chain[32]; /* head of the chain of bundles before the record */
	uint8_t open[32];  /* digest of the counts that were open; none: none was */
	uint8_t pcr[32];   /* PCR 13 of the platform before its next extend */
	uint64_t counter;  /* NV counter of the platform; 0: none */
	uint64_t first, end; /* records removed: from first up to, not with */
	uint8_t root[32];    /* of the tree of the first `end` records */
	uint64_t kept;	     /* protected ones among them, which stay */
	/* The last checkpoint before the record: of how many records, and
	 * SHA-256 of its text. 0: there is none. */
	uint64_t point;
	uint8_t point_text[32];
	/* What so many records right before it say is to be removed stays: no
	 * checkpoint covered them when the log was opened. */
	uint64_t withdrawn;
};

struct event {
	enum event_type type;
	struct now now;
	uint64_t pcap_cnt;    /* packet that completed the unit; 0 live */
	uint64_t flow_id;     /* 0 = no flow */
	struct net_tuple tup; /* of the packet; proto 0 = not known */
	bool has_tuple;
	const char *app_proto; /* "c1222"; NULL = not known */
	struct span guest;     /* name of the machine; empty = none */
	struct span party;
	enum dir dir;
	enum verdict verdict;
	bool monitored; /* would have been refused: a rule in monitor mode */
	/* EV_DECISION: may be told in a count (audit: summary). EV_VIOLATION,
	 * EV_NOTICE: of the hour, or the ten minutes, of a rule, or a count in
	 * it. */
	bool summary;
	struct reasons reasons;
	enum reason reason;   /* primary */
	const char *detail;   /* one clause for a human, ours; or NULL */
	uint32_t octets;      /* of the unit or packet */
	const struct obs *message;  /* the CARRIER, or NULL */
	const struct obs *leaves;   /* of the message */
	uint32_t n_leaves;
	uint32_t leaf; /* EV_DECISION and EV_VIOLATION: index in leaves */
	/* Of the rules that decided: the highest, and all of them. */
	uint8_t severity; /* enum severity */
	uint8_t notify;	  /* NOTIFY_* */
	struct event_rule rules[EVENT_RULES];
	uint32_t n_rules;
	struct event_budget budgets[EVENT_BUDGETS];
	uint32_t n_budgets;
	struct span would_pass; /* nearest request that would have passed */
	/* EV_FLOW */
	bool flow_end;
	uint64_t pkts_out, pkts_in, octets_out, octets_in;
	struct mono flow_start;
	/* Several alike, told once: how many, their octets in all, when the
	 * first and the last of them were. count 0: a single one. tup and
	 * flow_id are the first one's; these the last one's, if they are known. */
	uint64_t count, count_octets;
	struct mono first, last;
	const struct event_log *log; /* or NULL */
	struct net_tuple last_tup; /* proto 0: not known */
	uint64_t last_flow;
};

const char *event_type_name(const struct event *e); /* EV_PROTOCOL: app */
/* Is it about packets of a guest, or their refusals? An engine tells of these
 * and of nothing else. */
bool event_of_packets(enum event_type t);

#endif
