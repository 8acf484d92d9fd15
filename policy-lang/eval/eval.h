/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The evaluator: image + counters + observation -> decision.
 *
 * No YAML, no files, no clock, no allocation after pol_state_new. Default
 * deny. Evaluation follows policy-language section 15 step by step; cost does
 * not grow with the number of rules that cannot match (section 20.2).
 *
 * How the open points of the language are settled here:
 * - A measurement's interval matters for series, its age for all but prices,
 *   commands and attributes. Unknown fails, except that one snapshot without
 *   a date (not energy.snapshot, not several in a message) is of now.
 * - An attribute that an observation has not is taken from its carrier; one
 *   that neither has is unknown: no grant that asks for it fits, and no
 *   denial. A flag that is not there is false.
 * - Two grants that fit one observation refuse it: the compiler lets no such
 *   policy through, and which budget to charge would be a guess.
 * - valid dates bind vendor policies (the end is the first second without);
 *   after them, as in quarantine, what baseline floors need still passes. An
 *   expired baseline stays in force: dropping it could only loosen.
 * - Monitoring and hours need a trusted clock; monitoring that ends more than
 *   30 days from now has not begun.
 * - An error (c1222.error, HTTP status from 400) that answers a permitted
 *   request and carries nothing needs no rule.
 *
 * Judging is a transaction: several units of one packet are judged in order
 * with their charges applied tentatively; then all of them are committed, or
 * all undone.
 */
#ifndef POLICY_LANG_EVAL_EVAL_H
#define POLICY_LANG_EVAL_EVAL_H

#include "core/event.h"
#include "core/siphash.h"
#include "policy-lang/image/image.h"

/* A composed set: at most one baseline, one customer file, one binding, and
 * one vendor policy per machine. Borrows the images; immutable. */
struct pol_set;

#define POL_MAX_MACHINES 16

/* Compose. images are verified ones (pol_image_load). A vendor policy whose
 * vm is bound to another policy id, two of one kind, an unknown reference:
 * E_STATE with a text. Without a baseline the vendor layer stands alone
 * (polc and replay of a single file); without a binding every vendor policy
 * is a machine named after its vm. */
int pol_set_new(struct pol_set **out, const struct pol_image *const *images,
		size_t n, struct err *e) __attribute__((warn_unused_result));
void pol_set_free(struct pol_set *s);
/* Answer number `answer` of the customer's file counts no more, until another
 * file gives one: the rule that it is about is wider since. Before any state
 * is made of the set. E_NOTFOUND, E_NOMEM. */
int pol_set_void(struct pol_set *s, uint32_t answer)
	__attribute__((warn_unused_result));
bool pol_set_is_void(const struct pol_set *s, uint32_t answer);

/* Machines of the set, in the order of their names. */
size_t pol_set_machines(const struct pol_set *s);
struct pol_machine {
	struct span name;      /* "mdma" */
	struct span interface; /* empty without a binding */
	bool has_mac;
	uint8_t mac[6];
	const struct pol_prefix *addr; /* bound addresses */
	size_t n_addr;
	struct span policy; /* id; empty: no policy, nothing is granted */
};
void pol_set_machine(const struct pol_set *s, size_t i,
		     struct pol_machine *out);
int pol_set_find_machine(const struct pol_set *s, struct span name); /* -1 */
/* Parties of machine i's policy that are known by a name, bit each, and the
 * name of one of them, in small letters. */
uint64_t pol_set_named(const struct pol_set *s, size_t i);
struct span pol_set_party_dns(const struct pol_set *s, size_t i, unsigned party);
/* The one name server that machines may ask, as far as the policies say it:
 * some party has a `dns` name, and whoever has port 53 has the same address
 * and no other, or no gateway with a resolver takes the set. Else false. */
bool pol_set_resolver(const struct pol_set *s, struct net_addr *out);
/* ApTitles of the parties of machine i's policy, absolute: others' titles.
 * Returns how many are in out, at most cap. */
size_t pol_set_titles(const struct pol_set *s, size_t i, struct span *out,
		      size_t cap);
/* Time zone of the meter, IANA name; empty = UTC. Billing day 1..28. */
struct span pol_set_timezone(const struct pol_set *s);
/* The meter profile of the binding, if any: for the c1222 dissector. */
struct pol_profile;
const struct pol_profile *pol_set_profile(const struct pol_set *s);
/* SHA-256 over the payload digests, in the order of composition. */
void pol_set_digest(const struct pol_set *s, uint8_t out[32]);

/* Counters, states, outstanding requests and the ledger of all machines. */
struct pol_state;
int pol_state_new(struct pol_state **out, const struct pol_set *s,
		  struct err *e) __attribute__((warn_unused_result));
void pol_state_free(struct pol_state *st);

/*
 * Live, the counters lie in memory of the caller's (a file mapped by several
 * processes), so that they outlive a process that is killed at any moment.
 * The memory is pointer-free and knows its layout and the time it was last
 * written; zeroed memory is a new state.
 *
 * What a killed process had charged tentatively stays charged: a crash may
 * cost budget, it never gives any back.
 */
/* Octets needed for a state of s. */
size_t pol_state_octets(const struct pol_set *s);
enum pol_state_was {
	POL_STATE_NEW,	     /* zeroed: nothing was used yet */
	POL_STATE_CONTINUED, /* as its predecessor left it */
	POL_STATE_DAMAGED,   /* every budget of the current windows is used up */
};
/* now: to continue after a restart of the machine the times kept are moved
 * (the stepless clock began anew); time that passed meanwhile counts only if
 * the wall clock is trusted. boot identifies the boot.
 *
 * mem is 8-aligned. Its writer may have been killed at any store, may have
 * judged for another set (what is the same there is carried, as
 * pol_state_carry does but for connections) or may have been taken over. What
 * hung on connections ends. After another boot only memory that was sealed is
 * continued, because a loss of power keeps pages in no order; the caller then
 * brings mem to its disk (msync) before it judges anything, so that the seal
 * is not found again. E_LIMIT: octets are too few; mem is as it was. */
int pol_state_in(struct pol_state **out, const struct pol_set *s, void *mem,
		 size_t octets, const uint8_t boot[16], struct now now,
		 enum pol_state_was *was, struct err *e)
	__attribute__((warn_unused_result));
/* The last thing that is done to a state before its memory is brought to disk
 * and the machine ends; judging anything breaks the seal. */
void pol_state_seal(struct pol_state *st);
/* Take over what from has counted, for a set that replaces its own: limits,
 * states and outstanding requests whose rule (policy, rule, its limit, and what
 * that counts) is the same in the new set; of a limit whose number alone
 * changed, what was used.
 * A limit that is new starts with what the ledger says was used in its window
 * by the same machine and party (one that is new may be one that was called
 * otherwise). The key, the clock and the connections are
 * carried too. Nothing is ever given back; doing it twice changes nothing.
 *
 * A reload in place; a kill at any moment gives nothing back:
 *	pol_state_new(&tmp, set); pol_state_carry(tmp, old, now);
 *	pol_state_in(&st, set, mem, ...); pol_state_carry(st, tmp, now);
 *	pol_state_free(old); pol_state_free(tmp);
 */
void pol_state_carry(struct pol_state *to, const struct pol_state *from,
		     struct now now);

/* This state judges for one end only: every machine has an engine of its own,
 * and both ends' engines must permit. As one_sided of every message, and for
 * connections and packets too. Off after opening. */
void pol_state_one_sided(struct pol_state *st, bool on);
/*
 * What is used is on a disk before it is used. One owner keeps that: a state
 * of the same set in which nothing is judged. Engines, one for each machine,
 * claim credit of it and spend what they were granted: of the ledger, for all
 * that passes; and of limits that several machines use up together, which the
 * owner alone counts. What was granted is counted, spent or not, so an engine
 * that dies loses what it had left, and nobody gains by it.
 *
 * Of different values the owner grants each one; engines hash them under its
 * key, which comes with each answer. Of connections at once, how many places
 * the machine has in all: need is their number, so that saying it twice, or
 * again after an answer that was lost, changes nothing.
 */
#define POL_ASKS 16
struct pol_ask {
	uint64_t limit; /* which, by what it is; 0: of the ledger */
	uint64_t party; /* by its name's hash */
	uint64_t what;	/* unit, direction and type: ledger.h */
	uint64_t need, want; /* at least, and if there is so much */
	uint64_t value; /* of a distinct limit: its hash */
	uint64_t back;	     /* handed back, of what window says */
	int64_t window;
};
struct pol_claim {
	uint32_t machine, n;
	struct pol_ask ask[POL_ASKS]; /* all or none */
};
struct pol_granted {
	uint64_t n;    /* at least what was needed, or 0 */
	uint64_t used; /* of the limit, by all */
	int64_t lasts_ns, wait_ns; /* how long; until there would be some */
	int64_t window;
};
struct pol_grant {
	uint32_t n; /* as many as were asked; 0: nothing was granted */
	uint32_t keyed; /* key is the owner's */
	struct sipkey key; /* of the hashes of values */
	struct pol_granted of[POL_ASKS];
};
/* For the engine of that machine, after every opening. Ask so, and wait for the
 * answer; false: there is none, and what asked is refused. */
void pol_state_asks(struct pol_state *st, size_t machine,
		    bool (*ask)(void *arg, const struct pol_claim *c,
				struct pol_grant *g),
		    void *arg);
/* Give back what is left of limits that others use too, and was not spent for
 * a while; or all of it. The first time, say how many connections there are:
 * the owner may think of more, of an engine before this one. Asks, so not in
 * the middle of a judgement. */
void pol_state_hand_back(struct pol_state *st, struct now now, bool all);
/* The owner's answer, to be told when it is on the disk. The claim may be
 * anybody's, its machine is who asks. */
void pol_grant(struct pol_state *owner, const struct pol_claim *c,
	       struct now now, struct pol_grant *g);
/* What of the memory says what was counted, for whoever brings it to a disk
 * after a grant: seals it, too. The rest may be zero when it is opened. */
#define POL_PARTS 2
void pol_state_parts(struct pol_state *st, struct span part[POL_PARTS]);
/* For a machine whose counters a loss of power took (st was just found
 * damaged): counters as used as the owner's memory says that they may be. It
 * is the owner's of this boot, and nobody writes it meanwhile. E_STATE: it is
 * not; then st stays used up. */
int pol_state_recover(struct pol_state *st, const void *owner, size_t octets,
		      struct now now, struct err *e)
	__attribute__((warn_unused_result));
/* All budgets of now count as used up: nobody knows what was. */
void pol_state_exhaust(struct pol_state *st, struct now now);

/* One limit as it stands now. */
struct pol_budget {
	char name[96]; /* "policy/rule: 1 reading per day", cut if longer */
	struct span party; /* empty: all */
	uint64_t used, limit;
	int64_t frees_ns; /* until some of it is free again; 0 now, -1 unknown */
};
/* Every limit of a machine, one that counts for each party once for each that
 * can charge it; stops when f returns false. */
void pol_budgets(const struct pol_state *st, size_t machine, struct now now,
		 bool (*f)(void *arg, const struct pol_budget *b), void *arg);

/* The ledger: what machine i used, whatever rule permitted it, by party and by
 * measurement or unit. */
#define POL_HOURS 48
#define POL_DAYS  400
struct pol_total {
	struct span party; /* empty: one that is not in the policy now */
	bool everyone;	   /* the ledger was full: of any machine and party */
	const char *unit;  /* "readings" */
	const char *meas;  /* NULL: of any type */
	enum dir dir;
	uint64_t hour[POL_HOURS]; /* [0]: the present one; by hours passed */
	uint64_t day[POL_DAYS];	  /* local standard time */
};
void pol_ledger(const struct pol_state *st, size_t machine, struct now now,
		bool (*f)(void *arg, const struct pol_total *t), void *arg);
/* At the household's wish: all of a machine but what the windows of the limits
 * in force need. */
void pol_ledger_erase(struct pol_state *st, size_t machine, struct now now);
size_t pol_state_size(const struct pol_state *st); /* octets, all of it */

/* Set or clear by hand: tests, attestation, customer's answers. name is a
 * state of the machine's policy or a built-in (attested, clock-trusted). */
int pol_state_set(struct pol_state *st, size_t machine, struct span name,
		  struct span party, bool on, struct now now)
	__attribute__((warn_unused_result));
/* For how long machine i is in quarantine from now on, in ns; 0: it is not.
 * pol_state_set ends one early. */
int64_t pol_quarantined(const struct pol_state *st, size_t i, struct now now);
/* Slots of `when: spread` are cut from the window by meter id and rule. Tests
 * must not depend on the meter, so they switch it off: the whole window is
 * then open. On after pol_state_new. */
void pol_state_spread(struct pol_state *st, bool on);
/* The key of the hashes of `distinct` limits; fixed until set. */
void pol_state_key(struct pol_state *st, const struct sipkey *key);
/* Consent by "policy-id/rule" or by rule name within the machine's policy. */
int pol_state_consent(struct pol_state *st, size_t machine, struct span rule,
		      bool granted) __attribute__((warn_unused_result));

/*
 * The remote end as far as the lower layers know it.
 *
 * A party of the policy matches when its address prefixes contain addr, its
 * ports contain port (the remote end's) or local_port (the machine's own,
 * when it is the server), and its ApTitle, if it declares one, equals
 * aptitle. Another machine (machine >= 0, or an address bound to one) matches
 * only parties that name it with `vm`. TLS names and pins are not looked at
 * here: with `tls.mode: gateway` the machine speaks in clear on its own side
 * and whoever seals the message verifies the far end; in a replay of that
 * side address, port and ApTitle decide. A party known only by `dns` matches
 * nothing until answers are bound to names.
 */
struct pol_peer {
	struct net_addr addr;
	uint16_t port;	/* the server's port of the flow: the declared end */
	uint8_t proto;	/* IP protocol */
	int machine;	/* index when the peer is another machine, else -1 */
	struct span aptitle; /* claimed, absolute OID contents; empty = none */
	bool authenticated;  /* by a MAC under a key the gateway holds */
	uint16_t local_port; /* the machine's own port of the flow; 0 = unknown.
			      * The machine may itself be the server */
	/* Parties of the machine's policy whose `dns` name stood for addr when
	 * the flow began, bit each (pol_set_named); 0: no name did. */
	uint64_t named;
	bool tls; /* the flow is TLS, from its first octet on */
};

/* One unit of traffic. leaves carry the attributes; message the carrier. */
struct pol_msg {
	size_t machine;
	enum dir dir;
	struct pol_peer peer;
	uint64_t flow; /* identifies the connection, for answers and states */
	const struct obs *message; /* may be NULL */
	const struct obs *leaves;
	uint32_t n_leaves;
	uint32_t octets;    /* of the unit */
	uint32_t packets;   /* that brought any of it; 0 counts as 1 */
	struct now now;
	enum reason refused; /* the dissector's: malformed, opaque.. 0 = none */
	bool forged_source;  /* spoofed: step 1 fails */
	bool retry;	     /* permitted before, same octets: charge nothing */
	uint64_t answer_to;  /* tests: id of a permitted request; 0 = pair by
			      * flow and invocation id */
	bool one_sided;	     /* the peer is a machine that judges for itself:
			      * leave its policy out. Otherwise a message
			      * between two machines is judged once, for both
			      * ends, and both are charged */
};

struct pol_decision {
	bool permit;
	bool monitored;	 /* permitted only by a rule in monitor mode */
	enum pol_action { /* what a refusal does */
		POL_REFUSE,
		POL_DROP,
		POL_RESET,
		POL_DEFER,
		POL_QUARANTINE,
	} action;
	int64_t action_ns; /* of defer and quarantine */
	struct reasons reasons;
	enum reason reason; /* primary */
	struct span party;  /* name; empty = unknown */
	uint32_t leaf;	    /* index of the first leaf refused */
	struct event_rule rules[EVENT_RULES]; /* per layer, for that leaf (or
					       * the first leaf) */
	uint32_t n_rules;
	struct event_budget budgets[EVENT_BUDGETS];
	uint32_t n_budgets;
	uint64_t request_id; /* of a permitted request, for answer_to */
	bool summary;	     /* audit: summary */
	/* The nearest request that would have passed, or empty; text in the
	 * state, valid until the next judgement. */
	struct span would_pass;
	char text[256]; /* one clause: what failed, with the numbers */
	uint8_t refused_rules; /* bit i: the layer of rules[i] refused */
	/* Of the rules told: when refused, of those that refused. */
	uint8_t severity, notify; /* enum severity; NOTIFY_*, and where the
				   * portal hears of refusals NOTIFY_REFUSED */
	int64_t wait_ns; /* refused for time or budget only: when it would
			  * pass; 0 = not known. For defer and Retry-After */
	int64_t defer_ns; /* of defer: the longest time the rules give */
};

/* As a decision is given to be filled: nothing is said of the rules behind
 * n_rules, the budgets behind n_budgets, and of text behind its end. */
static inline void pol_decision_clear(struct pol_decision *d)
{
	memset(d, 0, offsetof(struct pol_decision, rules));
	d->n_rules = 0;
	memset(&d->n_budgets, 0,
	       offsetof(struct pol_decision, text) -
		       offsetof(struct pol_decision, n_budgets));
	d->text[0] = 0;
	memset(&d->refused_rules, 0,
	       sizeof(*d) - offsetof(struct pol_decision, refused_rules));
}

/* An error of its protocol that carries no measurement: in answer to a permitted
 * request it needs no rule of its own. */
bool pol_is_error(const struct obs *o, meas_set meas);

/* Judge one message; charges are applied tentatively when it is permitted.
 * Budgets in bytes or packets that select observations are charged here, with
 * octets and packets; those that select only machine, direction and party are
 * looked at here (is there room for them?) and charged by pol_packet. What a refusal
 * costs (refusals, quarantine, states it clears) is charged for good. */
void pol_judge(struct pol_state *st, const struct pol_msg *m,
	       struct pol_decision *d);
/* d->rules of another leaf of the message that was judged last and permitted;
 * returns their number. */
uint32_t pol_leaf_rules(struct pol_state *st, uint32_t leaf,
			struct pol_decision *d);
/* All messages judged since the last commit or abort leave / do not leave. */
void pol_commit(struct pol_state *st);
void pol_abort(struct pol_state *st);

/* Could any leaf be granted to that peer at all? For opening connections;
 * charges connection limits (tentatively, as pol_judge). */
void pol_open(struct pol_state *st, size_t machine, enum dir dir,
	      const struct pol_peer *peer, uint64_t flow, struct now now,
	      struct pol_decision *d);
/* The same question about a connection that there is: nothing is charged, not
 * even what a refusal costs. What was judged before and is neither committed
 * nor aborted is aborted. */
void pol_would_open(struct pol_state *st, size_t machine, enum dir dir,
		    const struct pol_peer *peer, uint64_t flow, struct now now,
		    struct pol_decision *d);
void pol_close(struct pol_state *st, size_t machine, uint64_t flow,
	       struct now now);
/* Bytes and packets of a packet that is about to pass (IP header and
 * retransmissions included); also tentative. False: a limit has no room.
 * pol_packets: of as many that are charged at once. */
bool pol_packets(struct pol_state *st, size_t machine, enum dir dir,
		 const struct pol_peer *peer, uint32_t octets, uint32_t packets,
		 struct now now, struct pol_decision *d);
bool pol_packet(struct pol_state *st, size_t machine, enum dir dir,
		const struct pol_peer *peer, uint32_t octets, struct now now,
		struct pol_decision *d);

/* Party of a peer in the machine's policy: its index, or -1. */
int pol_party(const struct pol_set *s, size_t machine,
	      const struct pol_peer *peer);

#endif
