/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of one machine's C12.22 traffic: a fixed block, zeroed
 * by the caller. Peers cannot make it grow; when a table is full the oldest
 * row is forgotten, and what is forgotten is refused, never let pass.
 *
 * dissect() changes none of it: it notes in `stage` what would change, and
 * settle() does it or forgets it. The one exception is the count of failed
 * MACs, which must outlive the refusal of the messages it counts.
 */
#ifndef DISSECTORS_C1222_STATE_H
#define DISSECTORS_C1222_STATE_H

#include "core/event.h"
#include "dissectors/c1222/acse.h"
#include "dissectors/c1222/eaxp.h"
#include "dissectors/c1222/service.h"

/* An ApTitle that outlives its message. n = 0: none. */
struct title {
	uint8_t n;
	uint8_t b[BER_OID_MAX];
};

static inline struct span title_span(const struct title *t)
{
	return span_of(t->b, t->n);
}

static inline void title_set(struct title *t, struct span s)
{
	t->n = (uint8_t)s.n; /* <= BER_OID_MAX by ber_title */
	if (s.n)
		memcpy(t->b, s.p, s.n);
}

static inline bool title_is(const struct title *t, struct span s)
{
	return span_eq(title_span(t), s);
}

/* --- outstanding requests (request.c) ------------------------------------- */

#define REQ_MAX         96
#define REQ_PER_PEER    64 /* others keep the rest */
#define REQ_OCTETS      576 /* of a datagram, to recognise a retry */
#define REQ_TIMEOUT_S   300 /* default response timeout */
#define REQ_ANSWERS_MAX 8   /* to one request that was retried */

enum req_state {
	REQ_FREE,
	REQ_OPEN,     /* an answer may come */
	REQ_ANSWERED, /* kept to recognise the same octets again (UDP) */
};

struct req {
	bool has_called, has_calling;
	bool group;      /* several may answer */
	bool answered;   /* once at least */
	uint8_t answers; /* still expected */
	uint8_t dir, proto;
	uint8_t mode, key_id;
	uint8_t n; /* services */
	uint16_t sport, dport;
	uint16_t n_octets; /* 0: not kept */
	uint32_t iv;
	struct net_addr peer; /* the end that is not this machine */
	struct title called, calling;
	struct service_req svc[SERVICE_MAX];
	uint8_t octets[REQ_OCTETS];
};

#define REQ_BUCKETS 128

struct req_table {
	/* What is searched lies apart from what is compared. One row more
	 * than is ever in use: the next request is written there. Rows in use
	 * hang in the bucket of their id, as numbers from 1; however a peer
	 * chooses ids, a chain has at most REQ_MAX rows. */
	uint8_t head[REQ_BUCKETS];
	uint8_t next[REQ_MAX + 1];
	uint8_t state[REQ_MAX + 1];
	uint32_t inv[REQ_MAX + 1];
	int64_t born_ns[REQ_MAX + 1];
	uint32_t spare, cursor, open;
	struct req row[REQ_MAX + 1];
};
_Static_assert(REQ_MAX + 1 < 256, "row numbers are octets");

/* --- secured messages (session.c) ----------------------------------------- */

#define SESSION_MAX      16
#define PAIR_MAX         32 /* (key id, calling, called) in the replay window */
#define PAIR_SEEN        512 /* messages remembered of each */
#define LIMITER_MAX      16
#define LIMITER_FAILURES 10
#define LIMITER_WINDOW_S 60

struct session {
	bool live;
	/* What a message without AC implies: that of the message before it;
	 * when caller and callee sent different ones, perhaps the other's. */
	uint8_t key_id, other_key_id;
	uint16_t timeout_s; /* 0 = never */
	uint32_t iv, other_iv;
	uint32_t next_id;
	uint64_t next_answer; /* lowest id an answer may have */
	int64_t until_ns;
	uint64_t used; /* tick */
	struct title caller, callee;
};

struct seen {
	uint32_t iv, id;
	uint32_t answers; /* A4 + 1; 0 for a request */
};

struct pair {
	bool live;
	uint8_t key_id;
	uint16_t n;
	uint64_t used;     /* tick */
	struct seen floor; /* at or below it: refused, unless iv is 0 */
	struct title calling, called;
	struct seen seen[PAIR_SEEN]; /* sorted */
};

struct limiter_row {
	struct net_addr peer;
	uint8_t key_id;
	uint8_t failures;
	bool live;
	int64_t since_ns, until_ns; /* until: paused */
};

/* --- segments (segment.c) ------------------------------------------------- */

#define SEG_BUFFERS   4
#define SEG_PER_PEER  2
#define SEG_OCTETS    65535
#define SEG_SLICES    160
#define SEG_TIMEOUT_S 10

struct seg_slice {
	uint16_t off, n;
};

struct seg {
	bool live;
	uint8_t dir, proto;
	uint16_t n_slices;
	uint32_t total, have, inv;
	uint64_t serial; /* of this attempt; never used again */
	int64_t born_ns;
	struct net_addr peer;
	struct title called, calling;
	struct seg_slice slice[SEG_SLICES];
};

/* --- table shapes --------------------------------------------------------- */

#define SHAPE_MAX 12

struct shape_row {
	bool live;
	uint64_t used;
	struct title owner;
	struct c1219_shape shape;
};

/* --- the machine's own titles (own.c) --------------------------------------- */

#define OWN_MAX 4

/* Granted by the answers to its registrations. */
struct own {
	uint32_t n;
	struct title title[OWN_MAX];
};

/* --- keys ----------------------------------------------------------------- */

#define KEY_CACHE 8

struct key_cache {
	bool live;
	uint64_t used;
	uint8_t key[16];
	struct eaxp_key k;
};

/* --- staging -------------------------------------------------------------- */

enum stage_flag {
	STAGE_REQ_ADD = 1,    /* the spare row becomes a request */
	STAGE_REQ_AGAIN = 2,  /* one more answer to row `req` may come */
	STAGE_REQ_ANSWER = 4, /* row `req` is answered */
	STAGE_SHAPE = 8,      /* the spare shape replaces row `shape` */
	STAGE_SESSION = 16,   /* `session_new` replaces row `session` */
	STAGE_SEEN = 32,      /* `seen` enters the replay window */
	STAGE_SEGMENT = 64,   /* slices were added to row `seg` */
	STAGE_SEG_DONE = 128, /* row `seg` is complete and can go */
	STAGE_OWN = 256,      /* `own` replaces that of the machine */
};

struct stage {
	uint32_t flags; /* enum stage_flag; 0: the rest means nothing */
	uint32_t req, req_victim, shape, session, seg;
	uint32_t inv;
	int64_t born_ns;
	struct session session_new;
	struct seen seen;
	uint8_t seen_key;
	struct title seen_calling, seen_called;
	bool seg_new; /* the row was not live before */
	uint16_t seg_slices;
	uint32_t seg_have;
	struct own own;
};

struct c1222_machine {
	uint64_t tick; /* counts messages that passed */
	struct stage stage;
	struct req_table req;
	struct session session[SESSION_MAX];
	uint32_t forgotten_iv; /* highest IV of a pair that was forgotten */
	struct pair pair[PAIR_MAX];
	struct limiter_row limiter[LIMITER_MAX];
	struct own own;
	uint32_t shape_spare;
	struct shape_row shape[SHAPE_MAX + 1];
	struct key_cache key[KEY_CACHE];
	uint64_t seg_serial; /* of the newest */
	struct seg seg[SEG_BUFFERS];
	uint8_t seg_octets[SEG_BUFFERS][SEG_OCTETS + 1];
};
_Static_assert(sizeof(struct c1222_machine) <= 768 * 1024,
	       "the block of one machine grew");

/* --- one message, while it is read ---------------------------------------- */

#include "dissectors/c1222/epsem.h"
#include "dissectors/dissector.h"

struct message {
	const struct dis_ctx *c;
	struct c1222_machine *m;
	const struct c1222_conf *conf;
	struct span unit; /* the APDU; of a reassembled one, the whole */
	struct acse acse;
	struct epsem_head head;
	struct epsem epsem;
	struct span body; /* of the EPSEM, in clear */
	bool answer;      /* A4 is present */
	bool retry;
	bool in_session; /* IV from the session's memory */
	uint8_t key_id;
	uint32_t iv;
	enum reason notes[8];
	unsigned n_notes;
	struct err *e;
};

void message_note(struct message *x, enum reason why);

static inline struct net_addr remote_addr(const struct dis_ctx *c)
{
	return c->dir == DIR_OUT ? c->tup.dst : c->tup.src;
}

/* request.c */

bool c1222_is_group(struct span title);
bool c1222_is_multicast(const struct net_addr *a);

/* Is this the same request again (retry, true in x->retry), or one that must
 * be refused (REPLAY: answered already)? To be called before the replay
 * window is asked. */
int request_retry(struct message *x) __attribute__((warn_unused_result));
/* The service_req of the n-th service of the request being read. */
struct service_req *request_slot(struct message *x, uint32_t n);
/* Stage the request whose services were put into request_slot. */
void request_stage(struct message *x);
/* The request that this answers; *row is it, or NULL when none is known.
 * Refuses what may answer two (SUSPICIOUS). */
int request_find(struct message *x, const struct req **row)
	__attribute__((warn_unused_result));
void request_stage_answer(struct message *x);
void request_settle(struct c1222_machine *m);

/* session.c */

/* Verify and decrypt, by the rules of c1222.md 12: x->body is then the clear
 * EPSEM body, x->key_id and x->iv are known. */
int session_open(struct message *x) __attribute__((warn_unused_result));
/* A service of the message was read: sessions begin and end with some. asked
 * is the whole request when this is its answer, else NULL; req the service
 * asked for; leaf what was read. */
void session_service(struct message *x, const struct req *asked,
		     const struct service_req *req, const struct obs *leaf);
void session_settle(struct c1222_machine *m);

/* own.c */

/* A registration or deregistration of the machine: is what it names its own?
 * Refused as SUSPICIOUS, or noted in the leaf. */
int own_check(struct message *x, const struct service_req *req,
	      struct obs *leaf) __attribute__((warn_unused_result));
/* An answer to one: what it grants or takes back. */
void own_service(struct message *x, const struct req *asked,
		 const struct service_req *req, const struct obs *leaf);
void own_settle(struct c1222_machine *m);

/* segment.c */

/* Take one segment. Returns 0 with *whole the complete APDU, E_MORE, or an
 * error with BAD_SEGMENT or RESOURCE. */
int segment_take(struct message *x, struct span *whole)
	__attribute__((warn_unused_result));
/* Does the inner APDU belong to the segments it came in? */
int segment_check(struct message *x, const struct acse *outer)
	__attribute__((warn_unused_result));
void segment_settle(struct c1222_machine *m, bool passed);

/* recognise.c */
enum recognise c1222_recognise(struct span first, uint16_t sport,
			       uint16_t dport, uint8_t ip_proto);

#endif
