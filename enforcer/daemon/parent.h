/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervising process: configuration, rules, interfaces, children, the
 * control socket. It parses no octet of a guest.
 *
 *   parent.c   start, loop, stop
 *   setup.c    what is opened and mapped before anything is forked
 *   setup_dirs.c    the directories among it; setup_state.c files of counters
 *   spawn.c    one function per kind of child: what it gets, what it loses
 *   watch.c    deaths, silence, restarts
 *   query.c    what is asked of engines, one question at a time each
 *   acts.c     what is acted upon waits for its record (acts.h)
 *   reload.c   another policy set: verify, ask all engines, swap or go back
 *   counts.c   drops that no engine sees: rules, full queues
 *   ctl.c      the control socket; ctl_answer.c what it answers
 *   parent_propose.c    a customer's file, by ctl or from the courier:
 *              compiled in a child, then staged
 *   print.c    metergated -n
 *
 * Nothing in the loop waits for a child: what takes time is a state that the
 * next turn looks at again.
 */
#ifndef ENFORCER_DAEMON_PARENT_H
#define ENFORCER_DAEMON_PARENT_H

#include "core/log.h"
#include "enforcer/daemon/acts.h"
#include "enforcer/daemon/activate.h"
#include "enforcer/daemon/area.h"
#include "enforcer/daemon/attester.h"
#include "enforcer/daemon/children.h"
#include "enforcer/daemon/conf.h"
#include "enforcer/daemon/ctl.h"
#include "enforcer/daemon/frozen.h"
#include "enforcer/daemon/ifaces.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/notify.h"
#include "enforcer/daemon/offer.h"
#include "enforcer/daemon/policies.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/rules.h"
#include "enforcer/daemon/trial.h"
#include "enforcer/daemon/view.h"

struct log;

/* Run until told to end. 0; or 2 after an error that is in e. */
int parent_run(const struct conf *c, const char *conf_path, struct log *log,
	       struct err *e) __attribute__((warn_unused_result));
/* -n: check and print what would be put in place; changes nothing. */
int parent_print(const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* --- from here on only for the files above ----------------------------------------- */

#define TURN_NS	    (250 * MS) /* the loop looks around at least so often */
#define TURN_BUSY_NS (2 * MS) /* while a child is asked or awaited */
#define DRAIN_NS    (1 * NS_PER_S)
#define CANARY_NS   (1 * NS_PER_S)
#define QUERY_NS    (3 * NS_PER_S) /* an engine that takes longer hangs */
#define BEGIN_NS    (10 * NS_PER_S) /* then one guest keeps no other waiting */

enum query_owner {
	QUERY_OWNER_NONE,
	QUERY_OWNER_CANARY,
	QUERY_OWNER_CTL,
	QUERY_OWNER_RELOAD,
	QUERY_OWNER_LATE, /* nobody waits for the answer any more */
};

struct query {
	enum query_owner owner; /* NONE: the engine is asked nothing */
	uint32_t kind, number;
	int64_t deadline_ns, next_canary_ns;
	size_t conn; /* of OWNER_CTL */
};

/* A guest, beside what its processes share of it. */
struct guest {
	struct area lane, state, slots;
	int queue_fd, wake_fd;
	int raw4_fd, raw6_fd; /* of its gate: they carry its mark */
	struct child gate, engine;
	struct query query;
	bool new_state; /* it never had counters */
	bool quarantined; /* as its engine said last; and when marks changed */
	int64_t quarantine_ns;
	bool draining; /* the gate was asked to drop what an engine left */
	bool counted;  /* how much that is */
	int64_t drain_ns;
	uint64_t dead_unsent; /* of the queue when dead_id was read */
	uint64_t bad_seen; /* gate_bad when it last mattered */
	uint64_t kernel_dropped, kernel_unsent; /* as last audited */
};

enum reload_step {
	RELOAD_IDLE,
	RELOAD_COMPARE,
	RELOAD_TOLD, /* what it will be is recorded, soon durably */
	RELOAD_SEEN, /* so is what it does to what waits */
	RELOAD_SWAP,
	RELOAD_BACK,
};
enum reload_guest { RELOAD_TO_ASK, RELOAD_ASKED, RELOAD_SWAPPED,
	RELOAD_ASKED_BACK, RELOAD_UNCHANGED };
struct reload {
	enum reload_step step;
	struct capture_policy found, was; /* while they are compared */
	struct trial trial;
	struct policies next;
	bool addresses;
	uint32_t half, generation;
	struct act act;
	char what[96]; /* comes into force */
	enum reload_guest guest[SHARE_GUESTS];
	char error[ERR_TEXT]; /* of the refusal */
	int64_t deadline_ns;
	bool asked_by_ctl;
	size_t conn;
	uint64_t conn_id;
};

/* A customer's file that is looked at. */
struct propose {
	struct trial trial;
	struct capture_policy was;
	uint8_t *source; /* heap */
	size_t n;
	size_t conn; /* or PROPOSE_OFFER */
	uint64_t conn_id;
};
#define PROPOSE_OFFER SIZE_MAX /* it came over HTTP */

struct cards; /* cards.h, offer.h: to and from the courier */
struct offer;
struct drops; /* counts.c */

struct parent {
	struct log *log;
	const struct conf *conf;
	const char *conf_path;
	struct now now;
	struct clock_zone zone;
	struct live_trust trust;
	struct policies policies; /* in force */
	struct activation activation;
	enum rules_backend backend;
	struct rules_conf rules;

	struct guest_share share[SHARE_GUESTS];
	struct guest guest[SHARE_GUESTS];
	size_t n_guests;
	struct child scribe, courier, attester; /* that: where there is a TPM */
	uint8_t boot_key[32];

	struct area ledger; /* the scribe's; and its files */
	int ledger_fd[2];
	bool new_ledger;
	struct area control_area, view_area, events_area, half_area[2];
	struct area window_area, cards_area, offer_area, attester_area;
	struct attester_share *attester_page; /* NULL: no TPM */
	struct control *control;
	struct view *view;
	struct window *window;
	struct cards *cards;
	struct offer *offer;
	uint32_t offer_taken;  /* number of the last */
	struct act offer_act;  /* while it waits for its record */
	bool offer_waits;
	const char *offer_from;
	int64_t offer_paid_ns[OFFER_FROMS]; /* pace.h */
	struct policy_half *half[2];
	uint32_t use, generation;
	struct ring events;
	uint64_t unrecorded, unrecorded_told;
	int64_t loss_due_ns; /* mono: when it may be told again */

	int lock_fd, alone_fd, packet_fd;
	int signal_fd, ctl_fd, panel_fd, operator_fd, portal_fd;
	int window_fd; /* the scribe wakes the courier */
	int attester_fd[2]; /* the scribe's end, the attester's */
	struct ifaces *ifaces;
	struct ctl *ctl;
	struct drops *drops;
	struct reload reload;
	struct propose propose;
	bool reload_again; /* a signal, or what waited, asked for it during one */
	bool signal_asks;  /* a signal's reload waits for its record */
	struct act signal_act;
	uint32_t signal_uid;
	struct frozen frozen; /* as on the disk */
	struct notify notify;
	struct mono started;
	int64_t rules_due_ns; /* when to try again what failed */
	bool ready, closed_rules, stopping;
	/* What a start brings into force: its records end there in our ring. */
	struct {
		uint64_t record;
		bool changes; /* it is another than before */
		bool kept;    /* on the disk: for the next start */
		bool told;    /* that it is waited for */
	} first;
	bool shut; /* what the kernel carried was taken back for the audit */
};

/* parent.c */
void parent_clock(struct parent *p); /* sets p->now */
/* A note about policies, for activate_see; arg: the parent. */
void parent_policy_note(void *arg, const char *text);
/* What is in force, but permits nothing: policies_in_vain. */
void parent_tell_vain(struct parent *p);
/* Record an event of ours; false: there is no room, the scribe is behind. */
bool parent_record(struct parent *p, const struct event *ev);
/* Is what was recorded up to that place of our ring, its edge then, on disk? */
bool parent_written(const struct parent *p, uint64_t edge);
/* And anchored, where there is a TPM? What waits for that uses acts.h. */
bool parent_durable(const struct parent *p, uint64_t edge);
bool parent_note(struct parent *p, enum event_type type, enum reason why,
		 const char *guest, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Nothing can be recorded now, or not in time: engines let nothing pass. */
bool parent_unrecorded(const struct parent *p);
/* Why nobody may change anything now: the log was altered, or what is done
 * could not be anchored. NULL: one may. */
const char *parent_may_not_act(const struct parent *p);
/* How long a guest's quarantine lasts from now on; 0: it is in none. */
int64_t parent_quarantine(const struct parent *p, size_t guest);
int parent_rules(struct parent *p, const struct policies *from, struct err *e)
	__attribute__((warn_unused_result));

/* setup_dirs.c */
int setup_directories(const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* setup.c */
int setup_all(struct parent *p, struct err *e)
	__attribute__((warn_unused_result));
void setup_undo(struct parent *p);
void setup_rules(struct rules_conf *out, const struct conf *c,
		 const struct policies *from, uint32_t mark_generation);
/* The next generation of marks, kept on the disk. */
int setup_generation(const struct parent *p, uint32_t *mark, struct err *e)
	__attribute__((warn_unused_result));
/* The addresses that gates craft for, after a reload. */
void setup_addresses(struct parent *p);
/* What the courier may say of the policies in force. */
int setup_cards(struct parent *p, struct err *e)
	__attribute__((warn_unused_result));
/* setup_state.c: counters of a guest, and of what guests have in common. */
int setup_guest_state(struct parent *p, size_t i, size_t octets, struct err *e)
	__attribute__((warn_unused_result));
int setup_ledger(struct parent *p, size_t octets, struct err *e)
	__attribute__((warn_unused_result));
/* Those that this start made. */
void setup_forget_states(const struct parent *p);
/* What is given to their writers. */
void *setup_counters(const struct area *state, size_t *octets);

/* spawn.c */
int spawn(struct parent *p, struct child *c, struct err *e)
	__attribute__((warn_unused_result));

/* watch.c */
typedef bool child_f(struct parent *p, struct child *c);
/* Each child, attester and scribe first, courier last; stops when f says false. */
bool watch_each(struct parent *p, child_f *f);
void watch_deaths(struct parent *p);
void watch_turn(struct parent *p); /* starts, restarts, silence, drains */
bool watch_all_ready(struct parent *p);
/* The scribe is, and one guest's gate and engine are. */
bool watch_some_ready(struct parent *p);
/* Something is awaited soon. */
bool watch_busy(struct parent *p);
char *watch_name(const struct parent *p, const struct child *c, char *buf,
		 size_t cap); /* "engine of mdma" */

/* query.c */
bool query_start(struct parent *p, size_t guest, uint32_t kind, uint32_t arg,
		 enum query_owner owner, size_t conn);
void query_turn(struct parent *p);
void query_failed(struct parent *p, size_t guest, const char *why);

/* reload.c */
void reload_start(struct parent *p, bool by_ctl, size_t conn,
		  uint64_t conn_id);
void reload_turn(struct parent *p);
/* What the kernel carries comes back to its queue at once. */
void reload_marks(struct parent *p);
void reload_answer(struct parent *p, size_t guest, int rc, const char *text);

/* In a child of the parent's: forget what is nobody else's business. arg: the
 * parent. */
void reload_forget(void *arg);

/* parent_propose.c. Why none can be looked at now, or NULL. */
const char *propose_may(const struct parent *p);
void offer_turn(struct parent *p);
/* Takes over the source. */
void propose_start(struct parent *p, uint8_t *source, size_t n, size_t conn,
		   uint64_t conn_id);
void propose_turn(struct parent *p);
void propose_end(struct parent *p);

/* counts.c */
int counts_new(struct drops **out, struct err *e)
	__attribute__((warn_unused_result));
void counts_turn(struct parent *p);
/* The rules are about to begin at zero: what they counted until now is told,
 * and when they have begun, nothing was seen of them. */
void counts_last(struct parent *p);
void counts_restart(struct parent *p);
void counts_free(struct drops *d);
/* The gate is about to drop what a dead engine left: so many, up to dead_id. */
void counts_left(struct parent *p, size_t guest);

/* ctl.c */
struct pollfd;
int ctl_open(struct ctl **out, struct parent *p, struct err *e)
	__attribute__((warn_unused_result));
void ctl_free(struct ctl *c);
size_t ctl_polls(const struct ctl *c, struct pollfd *fds, size_t cap);
void ctl_turn(struct ctl *c, struct parent *p);
bool ctl_busy(const struct ctl *c);
/* rc 0: the engine's reply in share[guest].lane->query; else why. */
void ctl_query_done(struct ctl *c, struct parent *p, size_t conn, size_t guest,
		    int rc, const char *why);
void ctl_reload_done(struct ctl *c, struct parent *p, size_t conn,
		     uint64_t conn_id, const char *error);
/* error NULL: it is staged. */
void ctl_proposed(struct ctl *c, struct parent *p, size_t conn,
		  uint64_t conn_id, const char *error);

#endif
