/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checked policy file in memory: what the front end hands to build.c.
 *
 * Everything here is resolved: phrases are numbers, names of parties, rules
 * and states are indices into the arrays of the same file, names of other
 * files' things stay text. Arrays are sorted by name, whatever the order in
 * the file, so that the image does not depend on it. All memory belongs to
 * the arena-like owner that the front end returns (pol_file_free).
 */
#ifndef POLICY_LANG_IMAGE_MODEL_H
#define POLICY_LANG_IMAGE_MODEL_H

#include "core/event.h"

enum pol_kind {
	POL_BINDING = 1,
	POL_BASELINE,
	POL_VENDOR,
	POL_CUSTOMER,
	POL_LIBRARY,
	POL_TESTS,
};

enum pol_role {
	ROLE_METERING,
	ROLE_GRID,
	ROLE_FLEXIBILITY,
	ROLE_SERVICE,
	ROLE_SOFTWARE_UPDATE,
	ROLE_HOUSEHOLD,
	ROLE_INFRASTRUCTURE,
	ROLE_VM,
	ROLE_COUNT
};

enum pol_dirsel { DIRSEL_OUT, DIRSEL_IN, DIRSEL_ANY };
enum pol_consent { CONSENT_UNSET, CONSENT_NONE, CONSENT_OPT_OUT,
	CONSENT_OPT_IN };
enum pol_audit { AUDIT_UNSET, AUDIT_EACH, AUDIT_SUMMARY };

struct pol_pos { /* where it stands in its source; 1-based */
	uint32_t line, col;
};

struct pol_prefix {
	struct net_addr addr; /* mapped form for IPv4 */
	uint8_t len;	      /* 0..128; 96 + n for IPv4 */
};

struct pol_port {
	uint8_t proto; /* 6 or 17 */
	uint16_t lo, hi;
};
/* The value of F_PORT. */
#define POL_PORT(proto, port) ((uint32_t)(proto) << 16 | (uint32_t)(port))

struct pol_range { /* inclusive */
	uint32_t lo, hi;
};

struct pol_party_src {
	const char *id, *name, *operator_, *country, *dns, *vm;
	enum pol_role role;
	int64_t keeps_ns; /* 0 = not declared */
	const struct pol_prefix *addr;
	size_t n_addr;
	const struct pol_port *port;
	size_t n_port;
	struct span aptitle; /* absolute OID contents; empty = none */
	const char *const *tls_name;
	size_t n_tls_name;
	const uint8_t (*tls_pin)[32];
	size_t n_tls_pin;
	bool tls, tls_end_to_end;
	struct pol_pos pos;
};

/* One observation of a match. kinds is a bitmap by enum obs_kind: `c1222.any`
 * sets every kind of the family, `any` all. Each attribute present is one
 * row; rows AND, values of a row OR. Values are sorted: ranges by their lower
 * end, texts and ApTitles as front/overlap.h has it. */
struct pol_kinds {
	uint64_t w[2];
};

struct pol_attr {
	uint16_t field; /* enum field; type decides which list is used */
	const struct pol_range *num; /* tables, numbers, enums, flags (0..1) */
	size_t n_num;
	const char *const *text; /* paths, hosts, methods: globs as written */
	size_t n_text;
	const struct span *oid; /* ApTitles, absolute */
	size_t n_oid;
};

struct pol_obs_match {
	struct pol_kinds kinds;
	const struct pol_attr *attr;
	size_t n_attr;
	struct pol_pos pos;
};

struct pol_data_src {
	bool present;
	meas_set meas;
	bool has_gran;
	int64_t gran_lo_ns, gran_hi_ns; /* half-open; hi 0 = "or coarser" */
	bool has_history, has_delay, has_res, has_value, has_channels;
	int64_t history_ns, delay_ns;
	enum unit res_unit, value_unit;
	int64_t res_milli; /* thousandths of the unit: 1 kWh = 1e6 of Wh */
	int64_t value_lo, value_hi; /* milli, inclusive */
	uint32_t channels;
	struct pol_pos pos, pos_gran, pos_history, pos_delay, pos_res,
		pos_value, pos_channels;
};

enum pol_limit_kind {
	LIMIT_CALENDAR, /* n per hour, day, week, month, billing-period, year */
	LIMIT_SLIDING,
	LIMIT_BUCKET,
	LIMIT_SPACING,
	LIMIT_DISTINCT,
	LIMIT_CONCURRENT,
};
enum pol_thing {
	THING_MESSAGES,
	THING_READINGS,
	THING_VALUES,
	THING_PACKETS,
	THING_CONNECTIONS,
	THING_REFUSALS,
	THING_BYTES,
};
enum pol_window {
	WINDOW_NONE,
	WINDOW_HOUR,
	WINDOW_DAY,
	WINDOW_WEEK,
	WINDOW_MONTH,
	WINDOW_BILLING,
	WINDOW_YEAR,
	WINDOW_SLIDING,
};
enum pol_action_kind {
	ACTION_UNSET,
	ACTION_REFUSE,
	ACTION_DROP,
	ACTION_RESET,
	ACTION_DEFER,
	ACTION_QUARANTINE,
};
struct pol_action_src {
	enum pol_action_kind kind;
	int64_t ns;
};

struct pol_limit_phrase {
	enum pol_limit_kind kind;
	enum pol_thing thing;
	uint64_t n, burst; /* burst 0 = none */
	enum pol_window window;
	int64_t window_ns; /* sliding, bucket, spacing */
	uint16_t distinct; /* enum field; party = 0xffff */
	const char *text;  /* canonical phrase, for people */
	struct pol_pos pos;
};

struct pol_when {
	bool present, has_between;
	uint16_t from_min, to_min; /* minutes of civil day; may wrap */
	uint8_t days;		   /* bit 0 = Monday; 0 = every day */
	int64_t spread_ns;
};

struct pol_party_sel {
	bool any; /* no selector */
	const uint16_t *party; /* vendor: indices of parties */
	size_t n_party;
	uint32_t roles;			/* baseline: bit per role, 0 = any */
	const char *const *country;	/* any of */
	size_t n_country;
	const char *const *operator_;
	size_t n_operator;
};

struct pol_vm_sel {
	bool any;
	const char *const *vm;
	size_t n_vm;
};

enum pol_rule_kind { RULE_GRANT, RULE_CEILING, RULE_DENY, RULE_RESTRICT };

struct pol_rule_src {
	enum pol_rule_kind kind;
	const char *id, *purpose, *message;
	enum pol_dirsel dir;
	struct pol_party_sel party, except;
	struct pol_vm_sel vm;
	const struct pol_obs_match *match; /* none = any observation */
	size_t n_match;
	struct pol_data_src data;
	enum pol_consent consent;
	bool has_answers;
	const uint16_t *answers; /* indices of rules of this file */
	size_t n_answers;
	const uint16_t *requires_, *forbids; /* states of this file; built-in
					      * ones: POL_STATE_BUILTIN + k */
	size_t n_requires, n_forbids;
	struct pol_when when;
	const struct pol_limit_phrase *limit;
	size_t n_limit;
	struct pol_action_src exceed;
	enum pol_audit audit;
	enum severity severity;
	uint8_t notify; /* NOTIFY_*, or NOTIFY_REFUSED alone */
	int64_t monitor_until_s; /* 0 = enforce; POL_MONITOR_MOST_S */
	bool block;		 /* restrict */
	struct pol_pos pos;
};

#define POL_STATE_BUILTIN 0x8000

/* How far ahead the end of a monitored rule or policy may be (section 16). */
#define POL_MONITOR_MOST_S (30 * INT64_C(86400))
enum pol_builtin { BUILTIN_ATTESTED, BUILTIN_CLOCK_TRUSTED,
	BUILTIN_QUARANTINED, BUILTIN_POLICY_EXPIRED, BUILTIN_COUNT };
/* Those that are kept until when; an expired policy is known by its dates. */
#define BUILTIN_WORDS BUILTIN_POLICY_EXPIRED

struct pol_trigger {
	enum pol_dirsel dir;
	uint16_t party;
	const struct pol_obs_match *match;
	size_t n_match;
};
struct pol_state_src {
	const char *id;
	enum { SCOPE_VM, SCOPE_PARTY, SCOPE_FLOW } scope;
	struct pol_trigger set;
	bool has_clear;
	struct pol_trigger clear;
	int64_t expires_ns;
	struct pol_pos pos;
};

/* A limit at top level. */
struct pol_limit_src {
	const char *id;
	enum pol_dirsel dir;
	struct pol_party_sel party;
	struct pol_vm_sel vm;
	const struct pol_obs_match *match;
	size_t n_match;
	meas_set meas; /* 0 = any */
	bool each_vm, each_party, each_meas;
	struct pol_limit_phrase phrase;
	struct pol_action_src exceed;
	struct pol_pos pos;
};

struct pol_consent_rule_src {
	const char *id;
	meas_set meas;
	int64_t finer_than_ns;
	enum pol_consent minimum;
	struct pol_pos pos;
};
struct pol_floor_src {
	const char *id, *vm;
	meas_set meas;
	struct pol_limit_phrase keep;
	struct pol_pos pos;
};
struct pol_answer_src { /* customer: consent by "policy/rule" */
	const char *policy, *rule;
	bool granted;
	struct pol_pos pos;
};

struct pol_vm_src {
	const char *id, *title, *interface, *policy, *signed_by;
	uint8_t mac[6];
	const struct pol_prefix *addr;
	size_t n_addr;
	enum { ATT_REQUIRED, ATT_OPTIONAL, ATT_NONE } attestation;
	int64_t attestation_max_ns;
	struct pol_pos pos;
};
struct pol_key_src {
	const char *id;
	uint8_t ed25519[32];
};

/* The binding's meter profile: also what the image keeps of it. */
#define POL_PROFILE_TABLES 32
struct pol_profile {
	uint32_t present;
	uint32_t n_lp, n_mfg;
	uint64_t register_res_milli_wh;
	struct {
		uint32_t table, interval_s;
	} lp[4];
	struct {
		uint32_t table, pad;
		meas_set meas;
	} mfg[POL_PROFILE_TABLES];
};

/* Tests, as far as any program needs them: kept in the model, never in the
 * image. Times in ns after the previous step. */
struct pol_step_src {
	const char *vm, *party, *source; /* source: forged address */
	bool has_addr;
	struct net_addr addr;
	struct pol_port port; /* proto 0 = none */
	enum dir dir;
	int64_t after_ns;
	enum obs_kind kind;
	const struct pol_attr *attr; /* single values */
	size_t n_attr;
	bool has_data;
	meas_set meas;
	bool has_gran, has_oldest, has_newest, has_res, has_value, has_channels;
	int64_t gran_ns, oldest_ns, newest_ns; /* ages */
	enum unit res_unit, value_unit;
	int64_t res_milli, value_milli;
	uint32_t channels;
	uint64_t size; /* 0 = 100 octets */
	uint32_t answers; /* 1-based step; 0 = none */
	uint32_t repeat;  /* 0 and 1: once */
	enum { EXPECT_PERMIT, EXPECT_DENY, EXPECT_DEFER } expect;
	enum reason because; /* NONE = any */
	const char *by;	     /* NULL = any */
	struct pol_pos pos;
};
struct pol_state_ref {
	const char *vm, *state, *party; /* vm, party may be NULL */
};
struct pol_test_src {
	const char *id;
	bool has_time;
	struct wall time;
	const struct pol_state_ref *state;
	size_t n_state;
	const struct pol_answer_src *consent; /* policy may be NULL */
	size_t n_consent;
	const struct pol_step_src *step;
	size_t n_step;
	/* a capture instead of steps */
	const char *pcap, *keys;
	const char *const *guest; /* "mdma=10.20.0.10" */
	size_t n_guest;
	int64_t expect_permit; /* -1 = not stated */
	struct {
		enum reason reason;
		uint64_t n;
	} expect_deny[16];
	size_t n_expect_deny;
	struct pol_pos pos;
};
/* An assertion of section 18.2: kept with its position; proved by analysis/. */
struct pol_assert_src {
	const char *id;
	enum { ASSERT_NEVER, ASSERT_AT_MOST, ASSERT_FINEST, ASSERT_FRESHEST,
	       ASSERT_GRADE } kind;
	meas_set meas;
	const char *to, *vm;
	struct pol_limit_phrase phrase;
	int64_t ns;
	char grade;
	struct pol_pos pos;
};

/* A profile that a library names. */
struct pol_named_profile {
	const char *id;
	struct pol_profile profile;
};

/* A library that a file was compiled with. */
struct pol_include {
	const char *id, *path; /* path: as it was read from */
	uint64_t serial;
	uint8_t digest[32]; /* SHA-256 of its octets */
};

struct pol_file {
	enum pol_kind kind;
	const char *path; /* as given by the user */
	const char *id, *title, *contact, *vm;
	struct pol_pos pos_id, pos_vm, pos_mode; /* of the values */
	uint64_t serial;
	int64_t valid_from_s, valid_until_s; /* 0 = open; meter's std time */
	int64_t monitor_until_s;	     /* 0 = enforce; as of rules */
	uint8_t source_digest[32]; /* SHA-256, canonical source + includes */
	uint8_t octets_digest[32]; /* SHA-256 of the source as it is */
	bool unique; /* no two of its grants, or ceilings, fit one message:
		      * whoever filled this has looked (P4001) */
	const struct pol_include *include; /* sorted by id; also those that
					    * only a library uses */
	size_t n_include;
	/* binding */
	const char *meter_id, *timezone;
	uint8_t billing_day;
	struct pol_profile profile;
	const struct pol_key_src *key;
	size_t n_key;
	const struct pol_vm_src *machine;
	size_t n_machine;
	/* baseline, vendor, customer */
	const struct pol_party_src *party;
	size_t n_party;
	const struct pol_state_src *state;
	size_t n_state;
	const struct pol_rule_src *rule; /* grants or ceilings, denials,
					  * restrictions; sorted by kind, id */
	size_t n_rule;
	const struct pol_limit_src *limit;
	size_t n_limit;
	const struct pol_consent_rule_src *consent_rule;
	size_t n_consent_rule;
	const struct pol_floor_src *floor;
	size_t n_floor;
	uint32_t widening_roles;
	int64_t widening_notice_ns; /* 0 = always the acknowledgement */
	const struct pol_answer_src *answer;
	size_t n_answer;
	const struct pol_assert_src *assertion;
	size_t n_assertion;
	const struct pol_test_src *test;
	size_t n_test;
	const char *const *test_policy; /* kind tests: files to load */
	size_t n_test_policy;
	/* library */
	const struct pol_named_profile *named_profile;
	size_t n_named_profile;
};

#endif
