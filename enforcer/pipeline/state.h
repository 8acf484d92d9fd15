/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the pipeline remembers. Everything is in arrays of fixed size, made by
 * pipeline_new; indices instead of pointers, NONE for nothing.
 */
#ifndef ENFORCER_PIPELINE_STATE_H
#define ENFORCER_PIPELINE_STATE_H

#include "core/wbuf.h"
#include "enforcer/pipeline/names.h"
#include "enforcer/pipeline/packet.h"
#include "enforcer/pipeline/pipeline.h"

#define NONE UINT32_MAX
#define DIS_UNKNOWN (-1)
#define DIS_NONE    (-2)

#define CHUNK_OCTETS 508
#define CHUNKS_MIN   2048 /* 1 MiB; else one for each flow */
#define RECLAIM_LOOK 64	  /* oldest flows looked at for spare octets */
#define RECLAIM_AFTER (5 * NS_PER_S) /* of silence */
#define RECLAIM_MOST 64	  /* of them given up for one segment */
#define DECIDE_OCTETS 16 /* by then a stream has shown what it speaks */
#define PACKET_MOST  (64 * 1024)
/* What waits: a packet with whole units and the beginning of one, the rest of
 * that unit but for its last octet, and the packet that brings it. */
#define HOLD_MOST    (PIPELINE_HOLD_OCTETS + 2 * PACKET_MOST)
#define KEEP_FACTS   (32 * 1024) /* facts only: octets kept for comparing */
#define OLD_OCTETS   (32 * 1024) /* so far back a bare segment may lie */
#define HELD_SIDE    256 /* packets of one direction; more are taken over */
#define DELIVER_MAX  512 /* segments made at once */
#define OOO_MAX	     512 /* segments that came too early */
#define OOO_SIDE   32 /* of one direction */
#define TURNS	   3  /* of one direction that are looked at, one in another */
#define FRAG_OCTETS (64 * 1024)
#define FRAG_PARTS  64
/* A packet of 64 KiB may hold some two thousand of the shortest requests. */
#define OBS_MAX	    8192 /* of all units of one packet */
#define UNITS_MAX   2560
#define ANSWER_OCTETS 512
#define ARENA_OCTETS (256 * 1024)
#define TITLES_MAX   64 /* parties of a policy */
#define DEFER_MESSAGES 16 /* of a machine */
#define DEFER_OCTETS   (64 * 1024)
#define DEFER_MAX      64 /* of all */
#define GUESTS_MAX  POL_MAX_MACHINES
#define RULES_MIN   256 /* addresses of machines: room for another binding */

#define FRAG_TIMEOUT	(30 * NS_PER_S)
#define HOLD_TIMEOUT	(30 * NS_PER_S) /* for the rest of a unit */
#define HOLD_BETWEEN	20 /* times that, for the next one to begin */
#define RTO_FIRST	(200 * (NS_PER_S / 1000))
#define RTO_STEPS	6 /* each twice as long */
#define ANSWER_EVERY	(NS_PER_S / 10)
#define TCP_IDLE	(7200 * NS_PER_S)
#define UDP_IDLE	(180 * NS_PER_S)
#define CLOSED_IDLE	(60 * NS_PER_S)
#define LOOSE_MOST	(60 * NS_PER_S) /* what the kernel carried arrives */
#define OPENING_IDLE	(75 * NS_PER_S)
/* Silence after which a flow may have to make room for a new one: what was
 * reset, or refused, may still be in an end or on the way; datagrams that were
 * answered; a connection, that polls each quarter of an hour leave open. */
#define CLOSED_ROOM	(5 * NS_PER_S)
#define UDP_ROOM	(30 * NS_PER_S)
#define TCP_ROOM	(1800 * NS_PER_S)

/* Places of an array. Those that were never used are not touched, so that
 * memory that is not needed is not there. */
struct pool {
	void *links; /* of place 0: the index of the next free place */
	size_t stride;
	uint32_t free, fresh, n;
};

static inline uint32_t *pool_link(const struct pool *q, uint32_t i)
{
	return (uint32_t *)(void *)((char *)q->links + i * q->stride);
}

static inline uint32_t pool_take(struct pool *q)
{
	uint32_t i = q->free;

	if (i != NONE)
		q->free = *pool_link(q, i);
	else if (q->fresh < q->n)
		i = q->fresh++;
	return i;
}

static inline void pool_give(struct pool *q, uint32_t i)
{
	*pool_link(q, i) = q->free;
	q->free = i;
}

/* A packet whose verdict is due. */
struct held {
	uint64_t id, pcap_cnt;
	struct mono since;
	uint32_t next; /* in its list */
	uint32_t after, before; /* in the order of arrival */
	uint32_t sib;  /* other fragments of the same datagram */
	uint32_t octets;  /* of IP, headers included: what limits count */
	uint32_t payload; /* of the whole datagram or segment */
	uint32_t end_seq; /* TCP: the octet behind its data */
	uint64_t key;	  /* ACSE segments: dis_ctx.assembly */
	uint32_t flow;
	uint8_t side;
	bool passed; /* facts only: the verdict was given at once */
	bool used;
	bool queued;
	bool early; /* waits for the segments before it */
	uint8_t waited; /* so many times already, between units */
};

/* Octets in chunks: the first at skip in head. */
struct octets {
	uint32_t head, tail, skip, n;
};

enum timer_kind { TIMER_ACK, TIMER_RTO };
/* Lists of timers that run equally long. */
enum { TIMERS_ACK, TIMERS_RTO, TIMERS = TIMERS_RTO + RTO_STEPS };

struct timer {
	struct mono since;
	uint32_t before, after; /* in its list */
};

/* In a stream that nobody reads: an end speaks after the other one did. */
struct turn {
	uint32_t seq; /* what comes from it on is looked at */
	bool maybe;   /* and may be a message, or nothing was seen of it yet */
	bool begun;   /* only that: others have its place first */
	bool inside;  /* no turn: a segment began there, and gives way */
};

/* What one end of a flow sends. */
struct side {
	bool known : 1;	   /* a sequence number was seen */
	bool syn : 1;	   /* its SYN passed */
	bool fin : 1;	   /* its FIN passed */
	bool has_edge : 1; /* the receiver's window was seen */
	bool has_ts : 1, has_wscale : 1;
	bool lost : 1;	   /* facts only: framing lost, nothing more is read */
	bool seek : 1;	   /* facts only: until a segment begins with a unit */
	bool deferred : 1; /* nothing is judged until the time has come */
	bool moved : 1;	   /* the kernel carried it: its place is not known */
	bool loose : 1;	   /* it did lately: octets may be beyond that place */
	bool unseen : 1;   /* what is before from cannot be compared, and not
			    * all of it is known to have arrived */
	bool settled : 1;  /* its receiver has the octets that said what it
			    * speaks */
	bool between : 1;  /* what is held ends where a part of a unit does */
	bool absorbed : 1; /* of what is held, not every packet is there */
	bool shown : 1;	   /* its first octets said what it speaks */
	bool many : 1;	   /* turns begin, more than are looked at */
	uint8_t timer_list[2]; /* it runs in; TIMERS: it does not run */
	uint8_t wscale;
	uint8_t dups, tries; /* of the receiver; ours to send again */
	uint16_t mss;	     /* it takes; 0: not said */
	uint16_t window;     /* it said last, not scaled */
	uint16_t n_ooo, n_held;
	uint8_t n_turns;
	uint32_t isn;
	uint32_t nxt;	 /* the octet after those taken in order */
	uint32_t judged; /* the octet after those judged */
	uint32_t left;	 /* the octet after those whose packets left */
	uint32_t acked;	 /* the receiver has everything before it */
	uint32_t ours;	 /* the sender was told that of everything before it */
	uint32_t edge;	 /* the receiver takes nothing from it on */
	uint32_t offered; /* and the gateway nothing from this on, which the
			   * sender was told; not before edge */
	uint32_t tsval, ts_last; /* newest of what was acknowledged; of all */
	uint32_t whole;	 /* end of the last unit that can be judged */
	uint32_t need;	 /* a unit has so many octets from judged on; 0: ? */
	uint32_t base;	 /* sequence number of the first octet kept */
	uint32_t from;
	struct turn turn[TURNS]; /* the oldest first */
	struct octets kept;  /* base to nxt; empty: nothing is */
	uint32_t held, last; /* list of packets, oldest first */
	uint32_t ooo;	     /* list of early segments, in order */
	uint32_t segs;	     /* list of packets with ACSE segments */
	uint64_t cnt;	     /* facts only: packet with the last octets taken */
	struct timer timer[2];
};

/* Flows that end after the same time of silence, the longest silent first. */
enum list {
	LIST_OTHER, /* datagrams, both ways */
	LIST_TCP,
	LIST_CARRIED, /* by the kernel: how silent they are is not known */
	LIST_OPENING, /* no octet of it was let through */
	LIST_CLOSED,  /* or refused; what is late must not open it again */
	LIST_OVER,    /* closed, and nothing of it can matter any more */
	LIST_ASKED,   /* datagrams, one way */
	LISTS
};

struct lru {
	uint32_t oldest, newest;
};

/* A SYN ACK: its place, and what it answers. */
struct syn_ack {
	bool known;
	uint32_t seq, ack;
};

enum tcp_state { TCP_NEW, TCP_SYN_SENT, TCP_SYN_ACKED, TCP_OPEN, TCP_CLOSED };

struct flow {
	struct net_tuple tup; /* from the initiator */
	uint64_t id;
	uint32_t next;		   /* in its bucket, or in the free list */
	uint32_t older, newer;	   /* LRU */
	uint16_t guest;
	bool used : 1, denied : 1, opened : 1; /* opened: policy was asked */
	bool midstream : 1, was_open : 1;
	bool unfinished : 1; /* told of its checksums */
	bool silent : 1; /* refused by `drop`: its ends hear nothing of it */
	bool guessed : 1; /* dis is how one datagram looked that was not read */
	/* Refused, and answered: 1 + the side that has the answer (parting.c). */
	uint8_t parting : 2;
	uint8_t tcp; /* enum tcp_state */
	uint8_t first_dir; /* enum dir of the initiator's packets */
	uint8_t offload;   /* class that the kernel carries it in; 0: none */
	uint8_t list;	   /* which LRU */
	int16_t dis;	   /* index in dissectors; -1 not known, -2 none */
	int16_t peer;	   /* the other end is this machine, or -1 */
	uint16_t refusals; /* packets dropped since it was refused */
	/* Parties of the guest's policy whose name stood for the far end when
	 * it began, bit each. */
	uint64_t named;
	struct mono start, last;
	struct mono answered;	 /* when a stray segment last was */
	struct syn_ack before;	 /* opened the last one of these ends */
	uint64_t carried;	 /* octets up to which the kernel carries it */
	struct mono given;	 /* to the kernel, or back from it */
	uint64_t pkts[2], octets[2]; /* by enum dir */
	struct side side[2];	     /* 0: the initiator's */
};

struct chunk {
	uint32_t next;
	uint8_t octets[CHUNK_OCTETS];
};

struct early {
	uint32_t next, seq, held;
	bool fin;
	struct octets o;
};

struct frag {
	bool used;
	struct net_tuple tup; /* ports 0 */
	uint32_t id, total;   /* total 0: the last part was not seen */
	struct mono since;
	uint32_t held, n_parts;
	bool bad; /* refused: later parts too */
	struct {
		uint32_t from, to;
	} part[FRAG_PARTS];
	uint8_t octets[FRAG_OCTETS];
};

#define ECHOES_MAX 64

/* An echo that waits for its reply, which brings back the same octets. */
struct echo {
	uint64_t flow; /* its id; 0: none */
	uint64_t said; /* hash of number, sequence and data */
	uint8_t s;     /* side that asked */
};

struct guest {
	char name[48];
	int machine; /* index in the policy set, or -1 */
	uint32_t flows;
	size_t chunks;
	void *block[DISSECTORS_MAX]; /* machine blocks */
	const struct pipeline *p;
	struct dis_self self; /* what dissectors are told of it */
	struct span others[TITLES_MAX]; /* titles of parties */
	struct names names;
	struct echo echo[ECHOES_MAX];
	uint32_t next_echo; /* the place of the one that asked first */
	struct mono quarantine; /* it ends then, as was told; 0: it is in none */
};

/* What a rule holds back. */
struct deferral {
	bool used;
	uint8_t side;
	uint32_t flow;
	uint32_t held;	    /* the datagram; NONE: a stream */
	uint32_t octets;
	struct octets kept; /* of the datagram */
	struct mono since, at;
};

/* One unit of the packet at hand. */
struct judged_unit {
	uint32_t first, n; /* observations; the first is the carrier */
	uint32_t octets;
	uint32_t charged; /* with the headers of the packets it ends */
	uint32_t packets; /* that have some of it */
	uint64_t pcap_cnt;
	enum reason refused;
	struct pol_decision d;
};

struct pipeline {
	struct pipeline_conf conf;
	struct pipeline_guest *rule; /* who is a machine */
	uint16_t *rule_guest;	     /* of each rule: index in guest */
	size_t n_rules, max_rules;
	bool bound; /* the binding of the policy says who is a machine */
	struct guest guest[GUESTS_MAX];
	size_t n_guests;
	bool anonymous; /* facts only, no guests named */
	bool frozen;	/* nothing passes */
	bool unnumbered; /* packets have numbers of ours, told as 0 */
	int self;	/* the guest this pipeline is for, or -1: all */
	const struct dissector *const *dis;
	size_t n_dis;
	uint64_t flow_seq;
	uint8_t *flow_mem; /* flow blocks of the dissectors */
	size_t flow_stride; /* octets of a flow's block */
	uint8_t *walk;	   /* a copy of one, to frame along */
	size_t size;

	struct flow *flow;
	uint32_t *bucket, n_buckets;
	struct pool flows, helds, chunks, earlies;
	struct lru lru[GUESTS_MAX][LISTS];
	uint32_t latest;   /* flow that was found last, or NONE */
	int64_t flows_due; /* none ends of silence before, monotonic ns */
	uint32_t share;		       /* flows of one guest */
	struct held *held;
	uint32_t first_held, last_held; /* in the order of arrival */
	struct chunk *chunk;
	uint32_t n_chunks, free_chunks;
	struct timer_list {
		uint32_t first, last;
	} timers[TIMERS];
	/* Octets that lie in chunks, in one piece: of a stream, of a segment */
	uint8_t *line, *early_line;
	struct early *early;
	struct frag *frag;
	uint32_t n_frags, frags_used;

	struct obs *obs;
	struct leaf_rules {
		struct event_rule v[EVENT_RULES];
		uint32_t n;
	} *rules; /* beside obs: what decided about each leaf */
	struct deferral deferral[DEFER_MAX];
	uint32_t n_deferred;
	struct arena arena;
	struct judged_unit unit[UNITS_MAX];
	uint32_t n_units;
	uint8_t answer[ANSWER_OCTETS]; /* to the request at hand */
	struct pipeline_stats stats;
};

/* The packet at hand, with where its actions go. */
struct work {
	struct pipeline *p;
	const struct pipeline_sink *sink;
	struct now now;
	uint64_t pcap_cnt;
	const struct packet *pkt;
	const struct packet_in *in; /* of which it was read; NULL: of none */
	uint32_t held; /* its entry */
	struct flow *f;
	uint32_t f_idx;
	uint8_t s; /* side that sent it */
	/* Between two machines each end judges: now the one that is not the
	 * flow's guest. */
	bool as_peer;
	/* What was held back is judged again, and since when that was. */
	bool deferring;
	struct mono since;
	/* What the dissector is told; made once for a flow and side. */
	struct dis_ctx ctx;
	const struct flow *ctx_f;
	int16_t ctx_dis;
	uint8_t ctx_s;
	uint64_t assembly; /* dis_ctx.assembly */
};

static inline bool strict(const struct pipeline *p)
{
	return p->conf.policy != NULL;
}

/* A packet's number as events give it. */
static inline uint64_t told_number(const struct pipeline *p, uint64_t number)
{
	return p->unnumbered ? 0 : number;
}

static inline enum dir side_dir(const struct flow *f, uint8_t s)
{
	return (enum dir)(s ? !f->first_dir : f->first_dir);
}

/* Sequence numbers wrap: a - b, as the nearer of the two ways round. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

struct judge;

/* hold.c: packets and their verdicts */
uint32_t held_new(struct work *w, const struct packet_in *in);
/* Give the verdict of h and its siblings and forget them. A drop needs an
 * event before it: drop_held makes one. */
void held_verdict(struct work *w, uint32_t h, enum packet_verdict v,
		  enum reason why);
/* Parts of a datagram have a time limit of their own. */
void held_unqueue(struct pipeline *p, uint32_t h);
void held_queue(struct pipeline *p, uint32_t h);
/* Instead of it this segment goes on. */
void held_replace(struct work *w, uint32_t h, const struct segment_out *seg,
		  enum reason why);
/* Octets of the packet and of the other fragments of its datagram. */
uint32_t held_octets(const struct pipeline *p, uint32_t h);
uint32_t held_packets(const struct pipeline *p, uint32_t h);
void held_append(struct pipeline *p, uint32_t *head, uint32_t *last,
		 uint32_t h);
/* An anomaly that names the packet, then the drop. Facts only: the anomaly,
 * then a pass. */
void drop_held(struct work *w, uint32_t h, enum reason why);
void drop_list(struct work *w, uint32_t *head, enum reason why);
/* The verdict of the packet at hand. */
void packet_pass(struct work *w);
void packet_drop(struct work *w, enum reason why);

/* guest.c */
bool guests_new(struct pipeline *p);
/* The machines of another set, as its binding knows them; false: one that has
 * flows is missing, or there are too many, and nothing was changed. */
bool guests_change(struct pipeline *p, const struct pol_set *set);
/* The guest that sent the packet, or -1; *spoofed: by its interface or MAC it
 * is, but not by its address, or the reverse (policy-language section 6). */
int guest_sender(const struct pipeline *p, const struct packet_in *in,
		 const struct packet *pkt, bool *spoofed);
/* Who is the guest of a new flow, which way does the packet go, and is the
 * other end a machine too? -1: nobody's, its verdict is given. */
int guest_of(struct work *w, const struct packet_in *in, enum dir *dir,
	     int *peer);
/* Whose packet an event tells of that is in no flow, by whatever tells; -1:
 * nobody's. */
int guest_told(const struct work *w, enum dir *dir);
/* A protocol of its own over UDP that no dissector reads. */
bool guest_unread(const struct packet *pkt);
/* Is the address one of a guest's? */
bool guest_has(const struct pipeline *p, int guest, const struct net_addr *a);
/* icmp.c: the form of an ICMP packet; then, in its flow, who says it. */
struct icmp_message;
enum reason icmp_shape(const struct packet *pkt, struct icmp_message *m);
enum reason icmp_check(struct work *w, const struct packet_in *in,
		       const struct icmp_message *m);
enum reason guest_arp(const struct pipeline *p, const struct packet_in *in,
		      struct packet *pkt);

/* datagram.c */
void datagram_packet(struct work *w);
/* What has waited too long; bounded by the packets that may wait at all. */
void hold_expire(struct work *w, bool all);
int64_t hold_due(const struct pipeline *p);

/* flow.c */
/* A packet of the flow from side s, as far as anything but order needs one. */
void flow_packet(const struct flow *f, uint8_t s, struct packet *pkt);
uint32_t flow_find(struct pipeline *p, const struct net_tuple *t, uint8_t *s);
uint32_t flow_new(struct work *w, const struct packet *pkt, uint16_t guest,
		  enum dir first_dir, int peer, enum reason *why);
void flow_opened(struct work *w, uint32_t i);
/* It is closed or refused: kept for a while, then forgotten; sooner when both
 * ends are known to be out of it. */
void flow_closed(struct work *w, uint32_t i);
/* The kernel carries it from now on, or no longer. */
void flow_carried(struct work *w, uint32_t i, bool carried);
/* Both ends have spoken. */
void flow_answered(struct work *w, uint32_t i);
void flow_touch(struct pipeline *p, uint32_t i, struct now now);
void flow_end(struct work *w, uint32_t i, enum reason why);
void flow_expire(struct work *w, uint32_t most);
int64_t flow_due(const struct pipeline *p);
void flow_event(struct work *w, uint32_t i, bool end);
/* The longest silent flow of all in that list, or NONE. */
uint32_t flow_oldest(const struct pipeline *p, enum list l);

/* stream.c: one TCP segment, checked and put in order */
void stream_packet(struct work *w);
/* A packet of it has waited too long for the rest of its unit. */
void stream_overdue(struct work *w, uint32_t h);
void early_free(struct work *w, struct side *s, enum reason why);
/* Octets that are not judged and cannot be yet: not more than the hold limit. */
uint32_t side_waiting(const struct pipeline *p, const struct side *me);
/* Early segments whose turn has come. */
void stream_catch_up(struct work *w, struct side *me);

/* gap.c: facts only, octets that are not in the capture */
/* What is missing before the early segments up to seq will not come. */
void gap_pass(struct work *w, struct side *me, uint32_t seq);
/* There is no room for the segment at seq to wait: its turn has come. */
void gap_full(struct work *w, struct side *me, uint32_t seq);
/* The packet at hand acknowledges: what is not here by now was lost here. */
void gap_acked(struct work *w);
/* An early segment of side s has waited too long. */
void gap_overdue(struct work *w, uint8_t s);
/* Is reading behind a gap under way, or does it begin with these octets, which
 * begin a segment? */
bool gap_sought(struct work *w, struct side *me, struct span s);
/* The flow ended: what waits is read, what cannot be read is told. */
void facts_end(struct work *w, enum reason why);

/* named.c */
/* Parties of the guest's policy whose name stands for the address now, bit
 * each. */
uint64_t names_now(const struct work *w, uint16_t guest,
		   const struct net_addr *a);
/* A flow begins: which names its far end has. */
void name_flow(struct work *w);
/* Its guest was that machine of the old set: the same names, as the set that
 * is in force now counts them. */
void rename_flow(struct work *w, const struct pol_set *old, size_t machine);
/* Nobody of the policy is at the far end: where names could be, over TCP, adds to the
 * detail of the event, in buf, that they are not, and since when. */
void tell_unnamed(const struct work *w, struct event *ev, char *buf,
		  size_t cap);

/* refuse.c */
/* Everything of the flow that waits is refused; both ends are reset. told:
 * the packet (its number) whose event was given already, its drop's reason is
 * why; 0: none was. */
void stream_refuse(struct work *w, enum reason why, uint64_t told);
/* The same, but whoever asked is told j->answer and then the end, and only the
 * end that was asked is reset. */
void stream_answer(struct work *w, const struct judge *j);
/* This packet is, and with it the stream it belongs to. */
void refuse_packet(struct work *w, uint32_t h, enum reason why);
/* A packet of a connection that was refused before. */
void refuse_again(struct work *w);
/* A reset to the end that side s's segments go to, where it is. */
void reset_receiver(struct work *w, uint8_t s);
/* To the sender of the packet at hand, for which there is no connection. */
void reset_stray(struct work *w, enum dir dir);

/* check.c: what the receiver of a segment would not take, and why */
enum reason tcp_check(struct work *w, struct side *me, struct side *you);

/* octets.c */
/* Is there room for n more? Within the guest's share. */
bool octets_room(struct work *w, const struct octets *o, size_t n);
void octets_add(struct pipeline *p, uint16_t guest, struct octets *o,
		struct span s);
void octets_cut(struct pipeline *p, uint16_t guest, struct octets *o,
		size_t n); /* from the front */
void octets_free(struct pipeline *p, uint16_t guest, struct octets *o);
/* A copy of n octets from the given one on, as far as there are any. */
struct span octets_read(const struct pipeline *p, const struct octets *o,
			size_t from, size_t n, uint8_t *to, size_t cap);
/* Are these the octets there, all of them? */
bool octets_same(const struct pipeline *p, const struct octets *o, size_t from,
		 struct span s);

/* timer.c */
void timers_new(struct pipeline *p);
void timer_start(struct work *w, uint8_t s, enum timer_kind k, unsigned list);
void timer_stop(struct pipeline *p, uint32_t flow, uint8_t s,
		enum timer_kind k);
static inline bool timer_runs(const struct side *s, enum timer_kind k)
{
	return s->timer_list[k] != TIMERS;
}
void timers_run(struct work *w);
int64_t timers_due(const struct pipeline *p);

/* deliver.c: in the receiver's name */
bool side_owns(const struct side *s); /* octets that are ours to deliver */
/* What its receiver expects next, if nothing was lost behind us. */
uint32_t side_reached(const struct side *me);
struct segment_out segment_from(const struct flow *f, uint8_t s);
/* Acknowledge to side s what its receiver or we acknowledged already. */
void acknowledge(struct work *w, uint8_t s);
bool can_own(const struct work *w);
/* Acknowledge what is held as well: it is ours from now on. */
bool take_over(struct work *w, uint8_t s);
void ack_later(struct work *w, uint8_t s); /* if it still waits then */
void ack_due(struct work *w);
void repeat_due(struct work *w);
void ask_receiver(struct work *w, uint8_t s);
/* Octets from that place on were judged, their packets were let through. */
void deliver_judged(struct work *w, uint8_t s, uint32_t from);
/* The receiver of side s acknowledged; bare: with nothing else; wider: its
 * window grew. */
void side_acked(struct work *w, uint8_t s, uint32_t ack, bool bare,
		bool wider);
void side_forget(struct work *w, uint8_t s);

/* defer.c */
/* Is the refused unit held back, and for how long? */
bool defer_wanted(struct work *w, struct judge *j,
		  const struct judged_unit *u);
void defer_stream(struct work *w, const struct judge *j);
void defer_datagram(struct work *w, const struct judge *j, uint32_t h);
/* Of one flow, or NONE: of all. */
void defer_forget(struct work *w, uint32_t flow, enum reason why);
bool defer_waits(const struct pipeline *p, uint32_t flow);
void defer_run(struct work *w);
int64_t defer_due(const struct pipeline *p);

/* offload.c */
/* The packet at hand is about to pass: need we see the next ones? */
void offload_packet(struct work *w, uint64_t id);
/* A packet came of a connection that the kernel carried. */
void offload_return(struct work *w);
/* The octets that said what it speaks have arrived. */
bool side_settled(struct side *d);
void offload_resync(struct work *w, struct side *me, struct side *you);

/* quarantine.c: tells what has changed */
void quarantine_look(struct work *w);
/* reload.c: of a machine's connections only those stay that could carry what
 * its floors need */
void close_quarantined(struct work *w, uint32_t guest);
int64_t quarantine_due(const struct pipeline *p);

/* frag.c: true when pkt is whole now (its payload in the pool) */
bool frag_add(struct work *w, struct packet *pkt);
void frag_expire(struct work *w, bool all);
int64_t frag_due(const struct pipeline *p);

/* classify.c: which protocol do octets speak? */
enum heard {
	HEARD,	      /* flow.dis says it */
	HEARD_LITTLE, /* more are needed to say; of a stream only */
	HEARD_OTHER,  /* not what was spoken until now: refused */
};
/* The classifier is told, and says nothing. Octets of w->s, each once. */
void hear_classifier(const struct work *w, struct span octets);
enum heard hear_datagram(struct work *w, struct span octets);
/* What the dissector knows of the flow: nothing. */
void flow_unread(struct work *w);
/* Octets of w->s not judged yet, up to nxt. */
enum heard hear_stream(struct work *w, struct span octets);
/* Octets up to there may be forgotten, but for turns that are looked at. */
uint32_t turns_spare(const struct side *me, uint32_t upto);

/* answer.c: what a refused request is told in its protocol */
struct judge;
/* The unit is refused and not settled yet: the answer, in p->answer, and the
 * event's detail with its name; NULL: there is none. In a stream it can be
 * said there, and nothing stands in front of it. */
const char *answer_make(struct work *w, struct judge *j,
			const struct judged_unit *u, struct span unit,
			char *detail, size_t cap);
/* Of the datagram at hand, to whoever asked. */
void answer_send(struct work *w, const struct judge *j);

/* parting.c: the end of a stream in which a refusal was answered */
/* Can n octets be said in the name of that side, as the last of what it says?
 * What it has not been judged yet is not among it when it is the one at hand. */
bool parting_can(struct work *w, uint8_t by, size_t n);
/* They are; it was reset, and nothing waits. */
void parting_begin(struct work *w, uint8_t by, struct span answer);
/* A segment of whoever asked, in its place; it leaves by no way. */
void parting_heard(struct work *w);
void parting_over(struct work *w);

/* decide.c */
struct judge {
	struct span octets; /* not judged, in order */
	bool datagram;
	uint32_t seq;	/* TCP: of the first of them */
	size_t limit;	/* units that begin at or behind it can wait */
	size_t first;	/* octets of the first unit, framed just now; 0: ask */
	size_t used;	/* out: octets of the units judged */
	bool bad;	/* out: refused, and told */
	bool part;	/* out: a datagram that is one part of a message */
	bool whole;	/* out: it completed such a message */
	bool read;	/* out: a dissector knows what some unit says */
	uint64_t key;	/* out: which */
	bool defer;	/* out: refused for now, not told; the first unit */
	int64_t wait;	/* out: how long */
	struct span answer; /* out: to whoever asked; empty: none */
	bool instead;	    /* out: it is in the place of an answer */
	enum reason why;
	uint64_t cnt; /* out: packet that completed the refused unit */
};
/* Read and judge units; policy's charges are left tentative. What is refused
 * has been told when it returns with bad. */
void judge_units(struct work *w, struct judge *j);
/* The units judged leave: tell and charge. Between two machines the receiver
 * is asked then; false: it refused, j says why, and that was told. What the
 * sender was charged stays charged. */
bool units_allowed(struct work *w, struct judge *j);
/* They wait: nothing is told, as if they had not been judged. */
void units_deferred(struct work *w);
/* They do not, for a reason that was told: tell that, and undo. */
void units_undone(struct work *w);
/* No dissector does, or the one that did needs to see nothing more. */
bool nobody_reads(struct work *w);
/* How far framing gets: octets of complete units. -1: never further. *need:
 * octets without which it gets no further; 0: not known. */
struct framed {
	uint32_t need, count; /* count: of units */
	size_t first;	      /* octets of the first one; 0: there is none */
	bool between; /* nothing behind the last one is cut short */
};
int64_t frame_units(struct work *w, struct span octets, struct framed *f,
		    struct err *e);
/* The stream ended here: is what is left over in order? */
enum reason stream_leftover(struct work *w, struct span rest);

/* pipeline.c */
void *pipeline_take(struct pipeline *p, size_t n, size_t size);
void event_base(struct work *w, struct event *ev, enum event_type type);
void anomaly(struct work *w, enum reason why, const char *detail,
	     enum verdict v);
/* Of a packet that waits: its number and octets. */
void held_anomaly(struct work *w, uint32_t h, enum reason why,
		  const char *detail, enum verdict v);
struct span guest_name(const struct pipeline *p, uint32_t guest);

#endif
