/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One audit record: its canonical octets, and what they say.
 *
 * A record is 56 fixed octets and a body of elements: type u8, length u16,
 * value; types ascending, each at most once, never empty. All numbers are
 * most significant octet first. There is exactly one way to write a record:
 * record_decode accepts octets only if record_encode would give the same ones
 * back. At most RECORD_MAX octets; a text that is longer than its place is
 * cut and the record says so (RECORD_CUT).
 *
 * A record holds what a transmission was about, never what it said: values
 * and table data of facts are left out.
 *
 * The two tables below are the format; docs/audit-record.md is made from them
 * by record_doc.sh. Numbers are for ever: rows are added, never changed.
 */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include "core/err.h"
#include "core/event.h"
#include "core/wbuf.h"
#include "crypto/digest.h"

#define RECORD_VERSION 1
#define RECORD_FIXED   56
#define RECORD_MAX     4096
#define RECORD_SALT    8
#define RECORD_LEAVES  64 /* kinds listed; of more only the judged one */

/* X(id, number, event type, name, written by this version, meaning) */
#define RECORD_KINDS(X) \
	X(ALLOW, 1, EV_DECISION, "allow", true, "a transmission that was allowed") \
	X(DENY, 2, EV_VIOLATION, "deny", true, "a transmission that was refused, or would have been") \
	X(AGGREGATE, 3, EV_TYPES, "aggregate", true, "several alike, counted") \
	X(POLICY, 4, EV_POLICY, "policy", true, "a policy set was activated or refused") \
	X(MAINTENANCE, 5, EV_MAINTENANCE, "maintenance", true, "somebody changed something") \
	X(ATTESTATION, 6, EV_ATTESTATION, "attestation", true, "the platform or a guest was attested") \
	X(BOOT, 7, EV_BOOT, "boot", true, "the writer started") \
	X(CLOCK, 8, EV_MAINTENANCE, "clock-step", true, "the wall clock stepped by more than a second; precedes the first record under the new time") \
	X(LOSS, 9, EV_LOSS, "loss", true, "refusals that could not be kept, counted") \
	X(EXPORT, 10, EV_EXPORT, "export", true, "the log was exported or pruned") \
	X(BILL, 11, EV_TYPES, "bill", false, "a bill was signed") \
	X(CHECKPOINT, 12, EV_CHECKPOINT, "checkpoint", true, "what the checkpoint behind it is bound to") \
	X(FLOW, 13, EV_FLOW, "flow", true, "a flow began or ended") \
	X(ANOMALY, 14, EV_ANOMALY, "anomaly", true, "a packet or unit was refused below policy, or odd") \
	X(NOTICE, 15, EV_NOTICE, "notification", true, "a rule decided that says who is told")

enum record_kind {
#define X(id, number, type, name, written, meaning) RECORD_##id = number,
	RECORD_KINDS(X)
#undef X
};

/* X(name, id, number, longest value in octets, meaning)
 * "number": 1 to 8 octets, as few as possible, absent = 0. "text": octets.
 * Inside lists a text or number is preceded by its length in one octet. */
#define RECORD_ELEMENTS(X) \
	X(tuple, TUPLE, 1, 37, "IP protocol u8, source, destination (4 octets each, or 16 each when one is not IPv4), source port u16, destination port u16") \
	X(flow_id, FLOW_ID, 2, 8, "number: the flow") \
	X(packet, PACKET, 3, 8, "number: 1-based packet of the capture; absent when live") \
	X(app, APP, 4, 32, "text: application protocol") \
	X(guest, GUEST, 5, 64, "text: the machine") \
	X(party, PARTY, 6, 64, "text: the other end, as the policy names it") \
	X(direction, DIRECTION, 7, 1, "number: 1 towards the machine; absent = from it") \
	X(verdict, VERDICT, 8, 1, "number: 1 allow, 2 deny; absent = nothing was judged") \
	X(marks, MARKS, 9, 1, "number, bits: 1 would have been refused (monitor mode), 2 end of the flow") \
	X(reason, REASON, 10, 32, "text: the primary reason, of the closed list") \
	X(reasons, REASONS, 11, 256, "text: all reasons, in the order of the list, with commas") \
	X(detail, DETAIL, 12, 192, "text: one clause for a person") \
	X(octets, OCTETS, 13, 4, "number: of the unit or packet") \
	X(leaves, LEAVES, 14, 128, "u16 each: kinds of all observations of the message, when there are several") \
	X(leaf, LEAF, 15, 1, "number: which of them this record is about") \
	X(carrier, CARRIER, 16, 512, "the message's own facts: kind u16, facts lost u8, then field u8 and value each") \
	X(observation, OBSERVATION, 17, 640, "facts of the observation that was judged; as carrier") \
	X(service, SERVICE, 18, 32, "text: name of the observation's service code") \
	X(rules, RULES, 19, 836, "list: layer, policy, rule, file (texts), line, serial (numbers), refused (0 or 1) per layer that decided") \
	X(budgets, BUDGETS, 20, 536, "list: name (text), used, limit (numbers) after the event") \
	X(would_pass, WOULD_PASS, 21, 128, "text: the nearest request that would have passed") \
	X(counters, COUNTERS, 22, 36, "four numbers: packets out, packets in, octets out, octets in") \
	X(flow_start, FLOW_START, 23, 8, "number: monotonic ns of the flow's start") \
	X(about, ABOUT, 24, 1, "number: the kind that each of an aggregate's would have had") \
	X(count, COUNT, 25, 8, "number: how many alike") \
	X(count_octets, COUNT_OCTETS, 26, 8, "number: their octets in all") \
	X(first, FIRST, 27, 8, "number: monotonic ns of the first of them") \
	X(last, LAST, 28, 8, "number: monotonic ns of the last of them") \
	X(chain, CHAIN, 29, 32, "head of the chain of bundles before this record") \
	X(pcr, PCR, 30, 32, "PCR 13 of the platform, before it is extended by the checkpoint") \
	X(counter, COUNTER, 31, 8, "number: the NV counter of the platform") \
	X(removed, REMOVED, 32, 50, "first record and the one behind the last that were removed (numbers as in lists), root of the tree of all before that (32 octets)") \
	X(severity, SEVERITY, 33, 1, "number: 1 info, 2 low, 3 medium, 4 high, 5 critical; absent = the rules do not say") \
	X(notify, NOTIFY, 34, 1, "number, bits: 1 the portal, 2 the vendor, 4 the operator are told") \
	X(last_tuple, LAST_TUPLE, 35, 37, "of the last of several alike, as tuple") \
	X(last_flow, LAST_FLOW, 36, 8, "number: its flow") \
	X(kept, KEPT, 37, 8, "number: protected records among those that were removed, which stay") \
	X(previous, PREVIOUS, 38, 41, "of a boot, a checkpoint or one that withdraws: the last checkpoint before it, of how many records (number as in lists), and SHA-256 of its text; absent: there was none") \
	X(open, OPEN, 39, 32, "of a checkpoint: digest of the counts that were open; absent = none was") \
	X(withdrawn, WITHDRAWN, 40, 8, "number: of so many records right before it none was covered by a checkpoint when the log was opened; what they say is to be removed stays")

/* Facts that would be what was said, or a secret. */
static inline bool record_leaves_out(unsigned field)
{
	return field == F_DATA || field == F_VALUE_MIN ||
	       field == F_VALUE_MAX || field == F_AUTH_VALUE ||
	       field == F_IDENTITY || field == F_PARAMS ||
	       field == F_DECODED;
}

enum record_element {
#define X(name, id, number, max, meaning) ELEMENT_##id = number,
	RECORD_ELEMENTS(X)
#undef X
};

/* Every element at its longest fits. */
#define X(name, id, number, max, meaning) +3 + (max)
_Static_assert(RECORD_FIXED RECORD_ELEMENTS(X) <= RECORD_MAX,
	       "the elements do not fit into a record");
#undef X

/* Class and flags, fixed octets 2 and 3; other bits are zero. */
#define RECORD_PROTECTED 0x8000 /* never pruned */
#define RECORD_SYNC	 0x4000 /* acted upon only after it is durable */
#define RECORD_CUT	 0x2000 /* a text or fact did not fit */

struct record {
	enum record_kind kind;
	uint16_t flags;
	uint64_t seq; /* leaf index in the tree */
	uint32_t boot;
	uint32_t policy_seq;
	uint8_t salt[RECORD_SALT];
	const struct event *ev; /* borrowed; both clocks are in it */
	struct span service;	/* borrowed; may be empty */
	struct span tail;	/* elements of types not known here; kept */
};

/* A decoded record and the memory its event needs; texts are borrowed from
 * the octets it was decoded from. */
struct record_view {
	struct record r; /* r.ev == &ev */
	struct event ev;
	struct obs carrier, leaves[RECORD_LEAVES];
	struct event_log log;
	char app[33], detail[193];
};

/* The kind an event is recorded as; 0 when it is not kept. */
enum record_kind record_kind_of(const struct event *ev);
/* Class of a new record; never RECORD_CUT. */
uint16_t record_class(enum record_kind kind, const struct event *ev);
const char *record_kind_name(unsigned kind); /* "unknown" for no row */
/* The kind that one event of a type is; 0 when it is not kept. */
enum record_kind record_kind_of_type(enum event_type type);
/* The event type of a kind; EV_TYPES when there is no single one. */
enum event_type record_type_of(unsigned kind);

/* Append r to w (room for RECORD_MAX octets is enough). Flags other than
 * RECORD_CUT are taken from r; E_LIMIT: the clock is before its origin. */
int record_encode(struct wbuf *w, const struct record *r, struct err *e)
	__attribute__((warn_unused_result));

/* Read one whole record. E_SYNTAX: not canonical; E_UNSUPPORTED: a version,
 * kind or word that this program does not know. */
int record_decode(struct record_view *v, struct span octets, struct err *e)
	__attribute__((warn_unused_result));

/* First octets of HMAC-SHA-256(boot key, sequence number as u64), of n (at
 * most HMAC_JOBS) records in a row. */
void record_salts(const struct hmac_key *key, uint64_t first, size_t n,
		  uint8_t (*out)[RECORD_SALT]);

/* The same for records that mostly come in a row: several salts are made at
 * once, which takes little longer than one (digest.h). */
struct salt_row {
	struct hmac_key key;
	uint64_t first, n; /* those that are made */
	uint8_t salt[HMAC_JOBS][RECORD_SALT];
};
void record_salt_row(struct salt_row *row, const uint8_t boot_key[32]);
const uint8_t *record_salt(struct salt_row *row, uint64_t seq);

/* The rule a record names: of what was refused the rule of a layer that
 * refused, if a rule did; else of the vendor's layer, else the first with a
 * name; NULL when none has. */
const struct event_rule *record_rule(const struct event *ev);

#endif
