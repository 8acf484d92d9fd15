/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start reading here: how a packet becomes a verdict.
 *
 *   packet -> guest identity -> flow -> stream -> dissector -> observations
 *                                    -> policy -> decision -> verdict + audit
 *
 * (state, now, packet) -> actions. The library has no I/O, no clock and no
 * threads, and allocates nothing after pipeline_new: the daemon, the replay
 * tool, the tests and the fuzzers all run it. A capture run through it twice
 * gives the same actions.
 *
 *   packet.c   link, IP and transport headers; frag.c: parts of datagrams
 *   guest.c    whose packet it is, and what no machine may send
 *   flow.c     the table of flows
 *   datagram.c UDP and the rest: one datagram, one unit
 *   stream.c   TCP: order; check.c: what a receiver would not take;
 *              take.c: octets in order, judged; kept.c: those that are kept,
 *              to compare with; octets.c: where they lie;
 *              deliver.c: what is acknowledged in the receiver's name;
 *              refuse.c: resets; parting.c: the end behind an answer;
 *              timer.c: what is due later
 *   answer.c   what whoever asked is told of a refusal, in its protocol
 *   hold.c     packets whose verdict is due
 *   classify.c which protocol; classifier.h a guess at it, for the records
 *   decide.c   what it says; ask.c: what policy says to that; tell.c: events
 *   quarantine.c  a machine loses its grants, and gets them back: told
 *   defer.c    what a rule holds back; offload.c: what the kernel may carry
 *   pipeline.c puts them together; reload.c: another policy, freezing;
 *              view.c: the flows there are
 */
#ifndef ENFORCER_PIPELINE_PIPELINE_H
#define ENFORCER_PIPELINE_PIPELINE_H

#include "core/err.h"
#include "core/event.h"
#include "core/siphash.h"
#include "dissectors/dissector.h"
#include "enforcer/pipeline/classifier.h"
#include "policy-lang/eval/eval.h"

struct pipeline;

enum link_type {
	LINK_ETHERNET, /* with or without VLAN tags */
	LINK_SLL,      /* Linux cooked, version 1 */
	LINK_SLL2,
	LINK_RAW, /* an IP packet, version from its first nibble */
	LINK_NULL, /* BSD loopback: 4-octet family in either order */
};

#define PIPELINE_HOLD_OCTETS (8 * 1024) /* per direction, not yet judged */

#define PIPELINE_FLOWS	     65536

struct pipeline_conf {
	/* NULL: facts only, everything is read leniently, nothing refused */
	const struct pol_set *policy;
	struct pol_state *state; /* borrowed, used only by this pipeline */
	/* Per dissector in the order of the registry; entries may be NULL. */
	const void *dissector_conf[DISSECTORS_MAX];
	struct sipkey key;	/* of all tables; fixed in replay */
	uint32_t max_flows;	/* 0 = PIPELINE_FLOWS */
	uint32_t max_held;	/* packets held at once; 0 = 4096 */
	uint32_t max_fragments; /* datagrams in reassembly; 0 = 64 */
	bool checksums;	 /* verify L4 checksums (replay: yes) */
	bool partial_sums; /* captured where they are made: take unfinished
			    * ones of TCP and UDP as well; never live */
	bool midstream;	 /* accept connections whose start was not seen; only
			  * without a policy */
	uint8_t min_ttl; /* 0 = 1 */
	/* -g GUEST=IFACE|MAC|CIDR[:PORT]: who is a machine. With a policy
	 * and none of these, the binding decides. */
	const struct pipeline_guest *guests;
	size_t n_guests;
	/* NULL: the registry's; NULL-terminated */
	const struct dissector *const *dissectors;
	/* Live: this pipeline is one machine's, and judges for that end only;
	 * whatever belongs to another machine is refused. Empty: for all. */
	char self[48];
	/* Octets (both directions, as conntrack counts) up to which a class of
	 * connections may be carried without us; class k at [k], 0 = unused.
	 * NULL: nothing is ever carried. */
	const uint64_t *offload;
	/* A unit that is not complete after this time is acknowledged in the
	 * receiver's name; 0: never (replay). */
	int64_t ack_after_ns;
	/* Tells what flows seem to speak, for the records; borrowed. NULL:
	 * nobody is asked. Whatever it says, verdicts are the same. */
	const struct classifier *classifier;
};

struct pipeline_guest {
	char name[48];
	char iface[16];	   /* empty = any */
	bool has_mac;
	uint8_t mac[6];
	bool has_addr;
	struct net_addr addr;
	uint8_t prefix;	   /* of the mapped form: 96 + n for IPv4 */
	uint16_t port;	   /* 0 = any */
};

struct packet_in {
	uint64_t id;	   /* the caller's name for it; returned in verdicts */
	uint64_t pcap_cnt; /* 1-based; tells packets of a flow apart: live, any
			    * number of its own; it stands in events */
	struct now now;
	enum link_type link;
	struct span octets;  /* borrowed for the call only */
	uint32_t wire_len;   /* > octets.n: captured short */
	struct span iface;   /* name of the interface it came from, or empty */
	bool gso;	     /* larger than the MTU, checksum unfinished */
	bool csum_ok;	     /* the kernel vouches for, or will finish, it */
	bool has_mac;	     /* LINK_RAW: the sender's MAC, known otherwise */
	uint8_t mac[6];
};

/* A segment to be crafted by whoever owns a raw socket: fields only. Of UDP:
 * the answer to a refused datagram, its ends and octets alone. */
struct segment_out {
	struct net_tuple tup;
	uint32_t seq, ack;
	uint8_t flags; /* RST, ACK.. */
	uint16_t window;     /* as it stands in the header: not scaled */
	struct span payload; /* empty for resets and acknowledgements */
	bool has_ts;	     /* the connection uses time stamps */
	uint32_t tsval, tsecr;
	enum dir dir;	     /* DIR_IN: towards the guest */
};

enum packet_verdict {
	PACKET_PASS,
	PACKET_DROP,
	PACKET_HOLD, /* only from pipeline_packet: the verdict comes later */
};

/* Where actions go. Called from inside pipeline_packet and pipeline_tick, in
 * an order that is the same for the same input. */
struct pipeline_sink {
	void *arg;
	/* Exactly once for each packet, at once or later. why is NONE for a
	 * pass, never for a drop. The audit event comes first. */
	void (*verdict)(void *arg, uint64_t id, enum packet_verdict v,
			enum reason why);
	void (*event)(void *arg, const struct event *ev);
	void (*inject)(void *arg, const struct segment_out *seg); /* or NULL */
	/* Instead of verdict: the packet passes, but as this segment (a reset
	 * towards its receiver). NULL: it is dropped. The same "exactly once". */
	void (*replace)(void *arg, uint64_t id, const struct segment_out *seg,
			enum reason why);
	/* Just before the verdict of id: its connection needs no more looking
	 * at up to conf.offload[class] octets (already charged), or, class
	 * OFFLOAD_REFUSED, at all. NULL: no such thing. */
	void (*offload)(void *arg, uint64_t id, unsigned class);
};
#define OFFLOAD_REFUSED 15

int pipeline_new(struct pipeline **out, const struct pipeline_conf *conf,
		 struct err *e) __attribute__((warn_unused_result));
void pipeline_free(struct pipeline *p);
size_t pipeline_size(const struct pipeline *p); /* octets allocated */

void pipeline_packet(struct pipeline *p, const struct packet_in *in,
		     const struct pipeline_sink *sink);
/* Expire what is due by now (holds, fragments, flows). */
void pipeline_tick(struct pipeline *p, struct now now,
		   const struct pipeline_sink *sink);
/* The input ended: what is still held is refused, open flows are closed. */
void pipeline_end(struct pipeline *p, struct now now,
		  const struct pipeline_sink *sink);

/* When pipeline_tick has something to do next; INT64_MAX ns: nothing waits. */
struct mono pipeline_due(const struct pipeline *p);
/* Between packets: another policy set and state. Machines keep their flows
 * and dissectors' blocks by name; E_STATE when one is missing, nothing is
 * changed then. Flows that the new set would not open are refused. */
int pipeline_policy(struct pipeline *p, const struct pol_set *set,
		    struct pol_state *state, struct now now,
		    const struct pipeline_sink *sink, struct err *e)
	__attribute__((warn_unused_result));
/* Everything drops (FROZEN) until thawed. */
void pipeline_freeze(struct pipeline *p, bool on);

struct flow_view {
	struct net_tuple tup; /* from the initiator */
	uint64_t id, pkts[2], octets[2]; /* by enum dir */
	struct mono start, last;
	const char *app, *state; /* state: "syn-sent", "open", "udp".. */
	struct app guess; /* the classifier's, by now */
	bool denied;
	uint8_t offload; /* class */
	uint32_t held;	 /* packets */
};
/* The most recent flows first; stops when f returns false. */
void pipeline_flows(const struct pipeline *p,
		    bool (*f)(void *arg, const struct flow_view *v), void *arg);

struct pipeline_stats {
	uint64_t packets, octets, passed, dropped, held_now, held_peak;
	uint64_t flows, flows_now, flows_peak, units, observations;
	uint64_t allowed, denied; /* decisions on observations */
	uint64_t acks_made, delivered; /* in the receiver's name; again */
	uint64_t offloaded, offload_refused; /* connections */
	uint64_t drops[REASON_COUNT];	  /* packets */
	uint64_t anomalies[REASON_COUNT]; /* events */
};
const struct pipeline_stats *pipeline_stats(const struct pipeline *p);

#endif
