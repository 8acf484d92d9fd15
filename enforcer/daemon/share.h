/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that the processes of metergated share. The parent maps all of
 * it before it forks; a restarted child finds it as its predecessor left it.
 * Nothing here is a pointer. Whoever reads a word that another process writes
 * checks it: an engine is hostile until proven otherwise.
 *
 *   lane      one per guest: verdicts to the gate, events to the scribe, what
 *             the engine says about itself, what the parent asks of it
 *   control   one: events of the parent to the scribe, children's heartbeats,
 *             the interfaces there are, the policy set's two halves
 *   view      one: written by the scribe only: the last refusals, counters of
 *             the audit; read by parent and courier
 */
#ifndef ENFORCER_DAEMON_SHARE_H
#define ENFORCER_DAEMON_SHARE_H

#include "core/event.h"
#include "enforcer/daemon/poison.h"
#include "enforcer/daemon/ring.h"
#include "enforcer/daemon/storm.h"
#include "policy-lang/eval/eval.h"

#define SHARE_GUESTS POL_MAX_MACHINES
#define SHARE_IFACES 64

#define VERDICT_RING (128u << 10) /* of each guest; pages stay once used */
#define EVENT_RING   (512u << 10)
#define POLICY_HALF  (4u << 20) /* images and keys of one generation */
#define QUERY_OCTETS (256u << 10)

/* Where an engine receives: one datagram a slot. Its successor finds there
 * what it died of (poison.h). */
#define ENGINE_BATCH 64 /* datagrams of one receive */
/* The largest packet, its attributes and headers; whole pages. */
#define ENGINE_SLOT  (68u << 10)
#define ENGINE_SLOTS ((size_t)ENGINE_BATCH * ENGINE_SLOT)

/* An event that is not durable after so long closes its engine: it looks once
 * per AUDIT_LATE_NS / 2, so no older one is there when it lets a packet pass. */
#define AUDIT_LATE_NS (INT64_C(2000) * 1000000)

/* --- marks of packets and connections -----------------------------------------
 * The engine gives a connection that needs no more looking at a class; the
 * rules carry it in the kernel up to the class's bound (offload.h). The
 * generation changes with every start of the parent and with every reload, so
 * that no connection is carried on the word of a daemon that is gone, or of a
 * policy that is not in force any more. */
#define MARK_MASK	0x0fff0000u
#define MARK_GENERATION 0x0ff00000u
#define MARK_CLASS	0x000f0000u /* 0 none, 1..14 bounds, 15 refused */
#define MARK_CLASS_SHIFT 16
#define MARK_REFUSED	15
#define MARK_CRAFTED	0x10000000u /* segments that a gate made */
#define MARK_GATE	0x000000ffu /* of those: whose gate, index + 1 */
#define MARK_GATE_OF(guest) (MARK_CRAFTED | ((uint32_t)(guest) + 1))
_Static_assert(SHARE_GUESTS < MARK_GATE, "a gate each");

/* --- engine -> gate ------------------------------------------------------------ */
enum verdict_kind {
	VK_PASS = 1,
	VK_DROP, /* with the mark of a refused connection: once more through
		  * its chain, where the rules keep the mark and drop */
	VK_RESET, /* passes as a reset with the fields of seg: the packet that
		   * was held is turned into one */
	VK_CRAFT, /* no packet: a segment of its own; id 0 */
};

/* One message of the verdict ring. A pass or a drop ends before seg; a crafted
 * segment's payload follows. The gate copies it, checks every field and builds
 * the octets itself. */
struct lane_verdict {
	uint32_t id; /* the kernel's, of this queue */
	uint8_t kind;
	uint8_t has_mark; /* set mark on the packet */
	uint16_t payload; /* octets that follow; VK_CRAFT only */
	uint32_t mark;
	struct { /* VK_RESET, VK_CRAFT */
		struct net_tuple tup;
		uint32_t seq, ack;
		uint16_t window; /* as it stands in the header */
		uint8_t flags;
		uint8_t has_ts;
		uint32_t tsval, tsecr;
		uint8_t to_guest; /* which way it goes */
		uint8_t has_mac;  /* the next hop's, as last seen: bridged */
		uint8_t mac[6];
		uint32_t ifindex; /* and the interface it was seen on */
	} seg;
};

/* --- engine's own account ------------------------------------------------------
 * Written by the engine, a copy at each wake-up; seq is odd while it writes. */
struct lane_status {
	_Atomic uint32_t seq;
	uint32_t generation; /* of the policy set it runs */
	uint64_t packets, octets, passed, dropped;
	uint64_t flows, flows_now, flows_peak, held_now, held_peak;
	uint64_t units, observations, allowed, denied;
	uint64_t drops[REASON_COUNT], anomalies[REASON_COUNT];
	uint64_t offloaded, offload_refused; /* connections */
	uint64_t netlink_errors, socket_overruns;
	uint64_t audit_waits; /* times it waited for the scribe */
	uint64_t latency_ns[8]; /* verdicts within 10us 30us .1 .3 1 3 10ms, more */
	uint64_t latency_sum_ns;
};

/* What the parent asks of an engine. The parent fills kind and arg, then
 * counts asked up and writes the engine's eventfd; the engine answers in
 * reply and sets answered = asked. One at a time. */
enum query_kind {
	QUERY_FLOWS = 1, /* struct flow_line each, to the end of n */
	QUERY_BUDGETS,	 /* struct budget_line each */
	QUERY_POLICY,	 /* swap to the half in arg; reply: error text if rc < 0 */
	QUERY_FREEZE,	 /* arg 1: everything drops; 0: thaw */
	QUERY_CANARY,	 /* reply: nothing; proves that the loop turns */
	QUERY_LEDGER,	 /* struct ledger_line each */
	QUERY_ERASE,	 /* of the ledger, what no window of now needs */
	QUERY_RELEASE,	 /* end the guest's quarantine */
};
struct lane_query {
	_Atomic uint32_t asked, answered;
	uint32_t kind, arg;
	int32_t rc; /* 0 or a negative errcode */
	uint32_t n; /* octets of reply */
	uint8_t reply[QUERY_OCTETS];
};
struct flow_line {
	struct net_tuple tup; /* from the initiator */
	uint64_t id, pkts_out, pkts_in, octets_out, octets_in;
	int64_t age_ns, idle_ns;
	char app[12], state[12];
	char guess[48], confidence[8]; /* the classifier's; empty: none */
	uint8_t denied, offload;
	uint16_t held; /* packets */
};
struct budget_line {
	char name[96]; /* "policy/rule: 1 reading per day" */
	char party[48];
	uint64_t used, limit;
	int64_t frees_ns; /* until something is free again; 0 = now, -1 unknown */
};

struct ledger_line {
	char unit[16], meas[32], party[48]; /* empty: of any type; gone */
	uint8_t in, everyone;
	uint64_t hour, hours_24, today, days_30, days_400;
};

/* What the engine claims of the ledger, and of limits that others use up too.
 * It fills claim, counts asked up and wakes the scribe, which brings what it
 * grants to the disk, answers in grant and sets answered = asked. */
struct lane_claim {
	_Atomic uint32_t asked, answered;
	_Atomic uint32_t sleeps; /* the engine, on it */
	struct pol_claim claim;
	struct pol_grant grant;
};

struct lane {
	/* kernel ids up to here were dropped by the gate: an engine that
	 * starts ignores them */
	_Atomic uint32_t dead_id;
	/* Parent -> gate, each a number that grows: send what the dead engine
	 * published (sent); then, when the parent has counted what is left
	 * (counted), drop up to dead_id (done). */
	_Atomic uint32_t drop_asked, drop_sent, drop_counted, drop_done;
	_Atomic uint32_t frozen;
	_Atomic int64_t gate_beat; /* mono ns of the last turn */
	/* Malformed verdicts, by the gate, and events, by the scribe: the
	 * engine is killed. */
	_Atomic uint64_t gate_bad;
	_Atomic uint64_t gate_sent, gate_errors, gate_crafted;
	/* The kernel's own account of the queue, by the parent, each second. */
	_Atomic uint64_t kernel_dropped, kernel_unsent;
	_Atomic uint32_t kernel_queued;
	/* What engines that died left there without a verdict. */
	_Atomic uint64_t left_dropped;
	/* By the scribe: when what it recorded of the guest will have been paid
	 * for, mono ns (pace.h); how much of what may come at once is there,
	 * percent; and whether that was an alarm. */
	_Atomic int64_t audit_paid;
	_Atomic uint32_t audit_percent, audit_alarm;
	/* Engines that ended by a fault of their own, by the parent. */
	_Atomic uint32_t crashes;
	struct sipkey poison_key; /* drawn at the start, then only read */
	/* And of the rules in front of it, by the parent, every five. */
	_Atomic uint64_t rules_dropped[REASON_COUNT];
	/* The engine may write from here on only: what others count of it, and
	 * what it is told, is read-only for it. */
	_Alignas(4096) _Atomic int64_t engine_beat;
	/* Mono ns until when its guest is in quarantine; 0: it is in none. */
	_Atomic int64_t quarantine;
	struct lane_status status;
	struct lane_query query;
	struct lane_claim claim;
	/* Its counters are what control->ledger says. */
	_Atomic uint32_t ledger_seen;
	struct storm storm; /* the engine's: what it counts outlives it */
	struct poison poison; /* and what it died of */
};
/* One mapping per guest: struct lane, then the verdict ring, then the event
 * ring, then the policy state (pol_state_octets). */

struct share_iface {
	uint32_t index;
	char name[16];
	int8_t guest; /* index, or -1: uplink or other */
	uint8_t mac[6];
	bool port; /* of a bridge */
};

enum ledger_verdict { /* by the scribe, when audit and ledger were compared */
	LEDGER_UNKNOWN = 0,
	LEDGER_GOOD,
	LEDGER_OLD, /* it is not the one that the audit tells of */
};

enum anchoring_state { /* by the scribe */
	ANCHORING_NONE = 0, /* there is to be none */
	ANCHORING_GOOD,
	ANCHORING_AWAY, /* no TPM answers: nothing is acted upon */
};

struct control {
	_Atomic uint32_t ifaces_seq; /* odd while the parent writes */
	uint32_t n_ifaces;
	struct share_iface iface[SHARE_IFACES];
	_Atomic int64_t scribe_beat;
	_Atomic uint32_t clock_trusted;
	/* Already shifted; another one with every reload. The gate takes any
	 * other off a verdict. */
	_Atomic uint32_t mark_generation;
	_Atomic uint32_t policy_generation; /* in force, for the records */
	/* By the scribe: 1 from the first record that could not be written to
	 * the next that could. Engines drop at once. */
	_Atomic uint32_t audit_closed;
	/* By the scribe: 1 while the audit is nearly full and nothing of it may
	 * be pruned. Engines count what they need not tell one by one. */
	_Atomic uint32_t audit_tight;
	/* By the scribe: N while records go to the log of recovery N, since
	 * the one before is not what it says. Nobody acts upon records of
	 * such a log: no maintenance, no other policies. */
	_Atomic uint32_t audit_recovery;
	/* By the scribe: 1 since something of this log could not be read, or
	 * was not what it was, when a reader asked for it. */
	_Atomic uint32_t audit_damaged;
	/* By the scribe: enum anchoring_state; how far in the parent's ring
	 * events are anchored, and how many records. */
	_Atomic uint32_t anchoring;
	_Atomic uint64_t anchored, anchored_size;
	/* By the scribe: enum ledger_verdict; nothing passes before. Odd while
	 * it makes the ledger over. */
	_Atomic uint32_t ledger, ledger_seq;
	/* Parent -> scribe: what no window needs of a guest goes. */
	_Atomic uint32_t erase_asked[SHARE_GUESTS], erase_done[SHARE_GUESTS];
	/* what the scribe is about to commit: the log's how manieth commit it
	 * will be, and the event rings' positions it covers, so that a scribe
	 * that died neither loses nor doubles a record */
	uint64_t commit_number;
	uint64_t commit_tail[SHARE_GUESTS + 1];
	/* The courier may write from here on only. */
	_Alignas(4096) _Atomic int64_t courier_beat;
	/* Engines may write from here on only: the rest of the mapping is
	 * read-only for them. */
	_Alignas(4096) _Atomic uint32_t scribe_sleeps; /* it sleeps on it */
};

/* Images and keys of one generation: each image begins at a multiple of 8
 * behind octets, keys are the text of the key file (pol_parse_keys), not
 * there when n is 0. The parent fills the half that is not in
 * use; engines map it read-only and verify all of it before they swap. */
struct policy_half {
	uint32_t generation;
	uint32_t n_images;
	struct {
		uint32_t at, n; /* in octets */
	} image[SHARE_GUESTS + 3], keys, voids; /* pol_set_void, 4 octets each */
	uint8_t octets[];
};

#endif
