/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of the audit, between its own files:
 *
 *   scribe.c         opening, committing, the loop: begin reading here
 *   scribe_take.c    rings in, records out
 *   scribe_pace.c    and how fast, of each guest
 *   scribe_hours.c   counts of an hour: of what is permitted with `audit:
 *                    summary`, and of refusals
 *   scribe_ledger.c  the ledger's generation, tied to the audit
 *   scribe_tpm.c     the log's anchors and key in the TPM
 *   owner.c          claims answered
 *
 * Nothing outside these includes it.
 */
#ifndef ENFORCER_DAEMON_SCRIBE_H
#define ENFORCER_DAEMON_SCRIBE_H

#include "audit/anchoring.h"
#include "audit/audit.h"
#include "audit/logkey.h"
#include "audit/notefile.h"
#include "enforcer/daemon/attester.h"
#include "enforcer/daemon/flat.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/owner.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/scribe_view.h"
#include "enforcer/daemon/window.h"

#define BATCH 1000 /* records of a commit */

struct source {
	struct ring r;
	int guest; /* index, or -1: the parent */
	uint8_t *buf;
	size_t n;	  /* octets of the message in hand; 0: none */
	uint64_t before;  /* position in front of it */
	struct mono when; /* of its event */
	uint64_t bad_head; /* a position that made no sense */
	struct mono told;  /* when its nonsense was recorded last */
	uint32_t taken;	   /* messages since the last commit */
	int64_t paid_ns;   /* of a guest: its pace, scribe_pace.c */
};

struct scribe_tpm {
	struct anchoring g;
	struct note_signer signer;
	struct tpm_state state; /* as it was last */
	uint32_t session;	/* of the attester; 0: there is none */
	uint64_t number;	/* of the last question */
	/* It is under way, and nothing waits for it meanwhile. */
	struct {
		bool on;
		enum attester_kind kind;
		uint8_t digest[TPM_DIGEST];
		struct mono since;
	} out;
	bool patient;	 /* wait for answers: the log ends */
	/* What opening the log needs to know is asked before. */
	struct {
		uint32_t session; /* of the attester; 0: nothing was asked */
		bool on;	  /* it is under way */
		bool good;	  /* it is known: state, and key where needed */
		bool has_key;
		struct attester_answer key;
	} ahead;
	uint32_t opened; /* the session that the log was opened with; or 0 */
	uint64_t sealed; /* size of the last checkpoint; and how far into */
	uint64_t edge;	 /* the parent's ring it reaches */
	bool signs;		/* the log is signed by it */
	bool unusable;		/* by a key that is not for this state */
	bool unbound;		/* what the key is bound to is not yet noted */
	struct log_key_bound bound;
	bool agreed;		/* with the log that was opened last */
	bool lost;		/* since then */
	struct mono started, retry;
	char why[ERR_TEXT];
};

/* Open ones of a guest: of what rules permit, refuse, notify. */
#define HOURS_PERMITTED 128
#define HOURS		(HOURS_PERMITTED + 2 * STORM_RULES)

struct hour {
	struct storm_key k; /* sum.n: counted so far; 0: only the first was */
	struct now since;
	bool dirty; /* not what the log has of it */
	bool kept;  /* the log has it */
};

struct guest_hours {
	uint64_t hash[HOURS]; /* of the rule and the other end; 0: free */
	struct hour hour[HOURS];
};

struct scribe {
	const struct scribe_arg *a;
	struct audit *audit; /* NULL: it cannot be written */
	struct source src[SHARE_GUESTS + 1];
	size_t n_src;
	struct flat_event in;
	struct mono mono, last; /* now; of the last record, or in a count */
	int64_t wall_us;
	uint64_t rate;	  /* octets a second, of one guest; 0: any number */
	int64_t burst_ns; /* what it may be ahead */
	uint32_t pending; /* records not yet committed */
	bool urgent;	  /* somebody waits for one of them */
	bool stopping;
	struct mono since, retry; /* first pending record; next try to open */
	struct guest_hours *hours; /* of each guest */
	int64_t hours_due_ns;	   /* when the first of them ends */
	struct scribe_view view;
	struct window_side window;
	struct note_key *witness;
	size_t n_witness;
	bool cosigned; /* a cosignature waits for the next commit */
	int64_t cosign_paid_ns; /* pace.h, of commits for these alone */
	struct scribe_tpm tpm;
	struct owner *owner; /* of the ledger */
	struct mono tied;    /* its last record */
	uint32_t verdict;    /* about it, not told before it is durable */
	bool healed;	     /* after it was another */
	char damaged[ERR_TEXT]; /* what of the log is, when it was read */
	struct log_limit limit;
	char told[ERR_TEXT]; /* why nothing can be recorded; "": it can */
	uint32_t recovery;   /* of the log that was opened last; it was told */
	bool full;	     /* nothing is taken: it was told */
};

void scribe_clocks(struct scribe *s); /* it is now */
/* By our clocks, and none before the last record. */
void scribe_time(const struct scribe *s, struct event *ev);
/* One record more, not durable before the next commit. guest: -1, none. */
int scribe_append(struct scribe *s, int guest, struct event *ev, struct err *e)
	__attribute__((warn_unused_result));
/* Messages from the rings, up to a commit's. */
int scribe_take(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* For the next commit; it is none of the log's records by itself. */
void scribe_waits(struct scribe *s);
void scribe_put_back(struct scribe *s); /* what is in hand */
bool scribe_anything(const struct scribe *s); /* that may be taken now */
bool scribe_held_back(const struct scribe *s); /* that may not */
bool scribe_crowded(const struct scribe *s);

/* A predecessor's goes on. */
void scribe_pace_init(struct scribe *s);
/* What the ring has waits until its guest may write again, or there is room. */
bool scribe_pace_holds(const struct scribe *s, const struct source *from);
/* So many octets of the log were its guest's. */
void scribe_pace_take(struct scribe *s, struct source *from, uint64_t octets);
void scribe_pace_keep(struct scribe *s); /* a commit was done */
void scribe_pace_back(struct scribe *s); /* what was taken since never was */
/* In every turn: what others are shown of it, and the alarm. */
int scribe_pace_turn(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));

int hours_init(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* An event of a guest: did it go into a count? Else it is a record. */
bool hours_event(struct scribe *s, int guest, struct event *ev)
	__attribute__((warn_unused_result));
/* Those whose hour is over become records. */
int hours_turn(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* In front of a commit: what was counted goes with it. */
int hours_keep(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* The log was opened: go on with what it has; of another boot, tell it. */
int hours_open(struct scribe *s, bool new_boot, struct err *e)
	__attribute__((warn_unused_result));
void hours_forget(struct scribe *s); /* the log was closed */
/* All of them become records: the daemon ends. */
int hours_end(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));

void scribe_tpm_init(struct scribe *s);
/* The log is not opened yet: the TPM may still come. */
bool scribe_tpm_awaited(struct scribe *s);
/* Before it is opened: who signs, who is asked whether it is the right one. */
int scribe_tpm_open(struct scribe *s, struct audit_conf *ac, struct err *e)
	__attribute__((warn_unused_result));
/* Behind it, before anything is appended. */
void scribe_tpm_begin(struct scribe *s);
/* Record that there is one, in a boot that goes on. */
int scribe_tpm_tell(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* What the boot record says of it. */
void scribe_tpm_boot(const struct scribe *s, char *text, size_t cap,
		     struct event_log *log);
/* A checkpoint of all that there is belongs to the next commit. */
void scribe_tpm_sealed(struct scribe *s);
/* Behind each commit. */
void scribe_tpm_commit(struct scribe *s);
/* In every turn: what was asked of the TPM. True: a commit is to follow, since
 * a checkpoint has its signature. */
bool scribe_tpm_turn(struct scribe *s);
/* An answer is waited for. */
bool scribe_tpm_asks(const struct scribe *s);
/* The log failed because of the TPM only: it is opened anew at once. */
bool scribe_tpm_failed(struct scribe *s, const struct err *e);
/* The log is to be opened anew, for a TPM that came. */
bool scribe_tpm_news(struct scribe *s);

/* The number stands behind it. */
#define LEDGER_NAME "ledger generation "
/* The audit is open: is the ledger the one that it tells of? Then engines are
 * told. In every turn: once an hour in which something was granted, and when
 * erasing was asked for. */
int ledger_turn(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));
/* In order: the last record about it. */
int ledger_finish(struct scribe *s, struct err *e)
	__attribute__((warn_unused_result));

#endif
