/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy file, byte by byte (policy-language section 20.1).
 *
 * Little-endian, every section 8-byte aligned, offsets from the start of the
 * file, no pointers: it is mapped read-only and read in place. All structs
 * here have their padding written out; padding octets are zero, in sections
 * and between them, so that one policy has one form.
 *
 *   lay_header, lay_section[n_sections], then the sections in the order of
 *   enum lay_sect. crc of the header covers header and table with itself as
 *   0. payload is SHA-256 over all sections but INCL, LOCS, LABL and SIGN, each
 *   preceded by its type (4 octets), 4 zero octets and its length (8 octets).
 *
 *   LABL is the label of the policy alone, as its compiler worked it out: what
 *   the rules say already, for who has no analysis at hand. It is empty where
 *   nobody did. It stands outside the payload digest, although section 20.1
 *   leaves only LOCS and SIGN out: the digest says what a policy means, and a
 *   gateway that compiles the same source without any analysis, or a later
 *   compiler that judges a series more strictly, must come to the same. So
 *   nobody may believe it as it stands. The signature covers it, and whoever
 *   can work it out again compares (analysis/label.h, polc verify).
 *
 *   SIGN is the last section and empty in an image that nobody signed. Its
 *   signature is over every octet before it, the table too; so its own crc
 *   is 0.
 *
 * INCL says which libraries a policy was compiled with, all of them, also
 * those that only another library uses (section 3). The digest is that of the
 * file as it lay there, so that sha256sum compares it. Like the header's
 * source digest it says where a policy came from, and stands outside of the
 * payload digest as that does: what is used of a library is compiled into the
 * policy, and another name or comment in a library that many share makes none
 * of them another policy, which would need a higher serial. The signature
 * covers it, and the gateway records of each policy that comes into force the
 * digest of the whole file too (enforcer/capture_policy.h).
 *
 * UNIQ says that at most one grant, or ceiling, of the file fits any message
 * (P4001), by one row with the digest of the rules for which that was found:
 * the sections of lay_of_grants(), hashed as for the payload. An image that
 * nobody has checked has no row, and is refused as one is whose rules are
 * others. It is the word of who compiled, as the rules are; so the evaluator
 * permits by neither of two that fit all the same (eval/look.c).
 *
 * An index that may be missing is LAY_NONE. Names and phrases are offsets of
 * terminated UTF-8 in STRS (what programs compare) or TEXT (what people
 * read); offset 0 is the empty one.
 *
 * Matching. A *column* is one observation of one selector: of a grant, a
 * denial, a restriction, a limit or a state's trigger. Every dimension
 * (OBSV) sorts the values of one attribute into classes, and every class has
 * a row of bits in DIMS, one per column: set when that column can match a
 * value of the class. The AND of the rows is what matches.
 *
 * Limits of the format: 256 rules, 256 limits, 64 states, 64 parties, 512
 * prefixes, 16 machines, 1024 columns, 24 dimensions, 256 libraries, 64 KiB of
 * text.
 */
#ifndef POLICY_LANG_IMAGE_LAYOUT_H
#define POLICY_LANG_IMAGE_LAYOUT_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "images are read in place");

#define LAY_MAGIC "\x8dPOL\r\n\x1a\n" /* text-mode damage shows */
#define LAY_MAJOR 4 /* 1 had no INCL, 2 one identity fewer, 3 no UNIQ */
#define LAY_MINOR 0
#define LAY_NONE  UINT32_C(0xffffffff)

#define LAY_MAX_RULES	 256
#define LAY_MAX_LIMITS	 256
#define LAY_MAX_STATES	 64
#define LAY_MAX_PARTIES	 64
#define LAY_MAX_PREFIXES 512
#define LAY_MAX_VMS	 16
#define LAY_MAX_COLS	 1024
#define LAY_WORDS	 (LAY_MAX_COLS / 64)
#define LAY_MAX_DIMS	 24
#define LAY_MAX_LIBS	 256
#define LAY_MAX_TEXT	 65536
#define LAY_MAX_STATES_AUTO 32768 /* of all automata of a file */
#define LAY_MAX_FILE	 (64u << 20)
/* An attribute longer than this fits no pattern. */
#define LAY_MAX_MATCH 4096

#define LAY_TYPE(a, b, c, d)                                                   \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 |            \
	 (uint32_t)(d) << 24)

/* X(id, type, struct) in the order of the file. */
#define LAY_SECTIONS(X)                                                        \
	X(META, LAY_TYPE('M', 'E', 'T', 'A'), struct lay_meta)                 \
	X(STRS, LAY_TYPE('S', 'T', 'R', 'S'), char)                            \
	X(TEXT, LAY_TYPE('T', 'E', 'X', 'T'), char)                            \
	X(BLOB, LAY_TYPE('B', 'L', 'O', 'B'), uint8_t)                         \
	X(LIST, LAY_TYPE('L', 'I', 'S', 'T'), uint32_t)                        \
	X(KEYS, LAY_TYPE('K', 'E', 'Y', 'S'), struct lay_key)                  \
	X(VMS, LAY_TYPE('V', 'M', 'S', ' '), struct lay_vm)                    \
	X(PRTY, LAY_TYPE('P', 'R', 'T', 'Y'), struct lay_party)                \
	X(PORT, LAY_TYPE('P', 'O', 'R', 'T'), struct lay_port)                 \
	X(PFX4, LAY_TYPE('P', 'F', 'X', '4'), struct lay_pfx4)                 \
	X(PFX6, LAY_TYPE('P', 'F', 'X', '6'), struct lay_pfx6)                 \
	X(SELS, LAY_TYPE('S', 'E', 'L', 'S'), struct lay_sel)                  \
	X(COLS, LAY_TYPE('C', 'O', 'L', 'S'), struct lay_col)                  \
	X(OBSV, LAY_TYPE('O', 'B', 'S', 'V'), struct lay_dim)                  \
	X(DIMS, LAY_TYPE('D', 'I', 'M', 'S'), uint64_t)                        \
	X(AUTO, LAY_TYPE('A', 'U', 'T', 'O'), struct lay_auto)                 \
	X(RULE, LAY_TYPE('R', 'U', 'L', 'E'), struct lay_rule)                 \
	X(GARD, LAY_TYPE('G', 'A', 'R', 'D'), struct lay_guard)                \
	X(DATA, LAY_TYPE('D', 'A', 'T', 'A'), struct lay_data)                 \
	X(LIMT, LAY_TYPE('L', 'I', 'M', 'T'), struct lay_limit)                \
	X(STAT, LAY_TYPE('S', 'T', 'A', 'T'), struct lay_state)                \
	X(CONS, LAY_TYPE('C', 'O', 'N', 'S'), struct lay_consent)              \
	X(ANSW, LAY_TYPE('A', 'N', 'S', 'W'), struct lay_answer)               \
	X(FLOR, LAY_TYPE('F', 'L', 'O', 'R'), struct lay_floor)                \
	X(UNIQ, LAY_TYPE('U', 'N', 'I', 'Q'), struct lay_unique)               \
	X(INCL, LAY_TYPE('I', 'N', 'C', 'L'), struct lay_lib)                  \
	X(LOCS, LAY_TYPE('L', 'O', 'C', 'S'), struct lay_loc)                  \
	X(LABL, LAY_TYPE('L', 'A', 'B', 'L'), struct lay_label)                \
	X(SIGN, LAY_TYPE('S', 'I', 'G', 'N'), struct lay_sign)

enum lay_sect {
#define X(id, type, s) LAY_##id,
	LAY_SECTIONS(X)
#undef X
	LAY_SECT_COUNT
};

/* Does a section of that type stand outside of the payload digest? */
static inline bool lay_outside(uint32_t type)
{
	return type == LAY_TYPE('I', 'N', 'C', 'L') ||
	       type == LAY_TYPE('L', 'O', 'C', 'S') ||
	       type == LAY_TYPE('L', 'A', 'B', 'L') ||
	       type == LAY_TYPE('S', 'I', 'G', 'N');
}

/* Does what is in it decide which grants fit a message? */
static inline bool lay_of_grants(uint32_t type)
{
	static const uint32_t of[] = {
		LAY_TYPE('S', 'T', 'R', 'S'), LAY_TYPE('B', 'L', 'O', 'B'),
		LAY_TYPE('L', 'I', 'S', 'T'), LAY_TYPE('V', 'M', 'S', ' '),
		LAY_TYPE('P', 'R', 'T', 'Y'), LAY_TYPE('P', 'O', 'R', 'T'),
		LAY_TYPE('P', 'F', 'X', '4'), LAY_TYPE('P', 'F', 'X', '6'),
		LAY_TYPE('S', 'E', 'L', 'S'), LAY_TYPE('C', 'O', 'L', 'S'),
		LAY_TYPE('O', 'B', 'S', 'V'), LAY_TYPE('D', 'I', 'M', 'S'),
		LAY_TYPE('A', 'U', 'T', 'O'), LAY_TYPE('R', 'U', 'L', 'E'),
		LAY_TYPE('D', 'A', 'T', 'A')};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (of[i] == type)
			return true;
	}
	return false;
}

struct lay_header {
	uint8_t magic[8];
	uint16_t major, minor;
	uint16_t kind; /* enum pol_kind */
	uint16_t flags; /* 0 */
	uint64_t length; /* of the file */
	uint32_t n_sections, crc;
	uint8_t payload[32]; /* SHA-256, see above */
	uint8_t source[32]; /* SHA-256 of canonical source and includes */
	uint64_t serial;
	int64_t not_before, not_after; /* s, meter's standard time; 0 open */
};

#define LAY_OPTIONAL 1u /* unknown type: skip instead of refusing */
struct lay_section {
	uint32_t type, flags;
	uint64_t off, len;
	uint32_t count, crc; /* CRC-32C of the section */
};

struct lay_meta { /* exactly one */
	uint64_t serial; /* as in the header, under the payload digest */
	int64_t not_before, not_after, monitor_until;
	int64_t widening_notice;
	uint64_t register_res; /* profile */
	struct {
		uint32_t table, pad;
		uint64_t meas;
	} mfg[32];
	struct {
		uint32_t table, interval_s;
	} lp[4];
	uint32_t id, vm, meter_id, timezone; /* STRS */
	uint32_t title, contact;	     /* TEXT */
	uint32_t widening_roles, billing_day;
	uint32_t profile, n_lp, n_mfg, pad;
};

struct lay_key {
	uint32_t id, pad;
	uint8_t ed25519[32];
};

struct lay_vm {
	int64_t attestation_max;
	uint32_t id, iface, policy, signed_by; /* STRS */
	uint32_t title;			       /* TEXT */
	uint8_t mac[6], attestation, has_mac;
	uint32_t pad;
};

#define LAY_PARTY_TLS 1
#define LAY_PARTY_END_TO_END 2
struct lay_party {
	int64_t keeps;
	uint32_t id, operator_, country, dns, vm; /* STRS */
	uint32_t name;				  /* TEXT */
	uint32_t port_first, port_n;		  /* PORT */
	uint32_t oid_off, oid_n;		  /* BLOB: ApTitle */
	uint32_t tls_first, tls_n;		  /* LIST of STRS */
	uint32_t pin_off, pin_n;		  /* BLOB: 32 octets each */
	uint8_t role, flags, pad[6];
};

struct lay_port {
	uint16_t lo, hi;
	uint8_t proto, pad[3];
};

enum { LAY_OWNER_PARTY, LAY_OWNER_VM };
struct lay_pfx4 { /* sorted by address, length, owner */
	uint8_t addr[4], len, kind;
	uint16_t owner;
};
struct lay_pfx6 {
	uint8_t addr[16], len, kind;
	uint16_t owner;
	uint32_t pad;
};

/* Who: machines and parties. An empty list of an AND term means any. */
#define LAY_SEL_ANY_PARTY 1
#define LAY_SEL_ANY_VM 2
struct lay_sel {
	uint64_t parties; /* vendor: bit per row of PRTY */
	uint32_t roles;	  /* others: bit per enum pol_role; 0 any */
	uint32_t country_first, country_n; /* LIST of STRS */
	uint32_t op_first, op_n;
	uint32_t vm_first, vm_n;
	uint32_t flags;
};

enum lay_col_type {
	COL_GRANT, /* or ceiling */
	COL_DENY,
	COL_RESTRICT,
	COL_LIMIT,
	COL_SET,
	COL_CLEAR,
	COL_TYPES
};
#define LAY_COL_MATCH 1 /* selects observations, not only who and where */
struct lay_col { /* sorted by type, owner */
	uint32_t sel, except; /* SELS; except may be LAY_NONE */
	uint16_t owner;	      /* RULE, LIMT or STAT */
	uint8_t type, flags;
	uint32_t pad;
};

enum lay_form {
	DIM_DIRECT, /* the value is the row */
	DIM_RANGES, /* LIST: ascending starts, the first 0; row 0 absent */
	DIM_OIDS,   /* LIST: pairs of BLOB offset and length, ascending; row 0
		     * absent, row 1 none of them */
	DIM_AUTO,   /* AUTO: states, the first is the start; row 0 absent */
};
/* The first three are direct and always there. */
enum { LAY_DIM_DIR, LAY_DIM_KIND, LAY_DIM_MEAS, LAY_DIM_FIELDS };
struct lay_dim {
	uint16_t field; /* enum field; 0xffff for the first three */
	uint8_t form, pad[5];
	uint32_t n_rows, first; /* first: row of DIMS */
	uint32_t v_first, v_n;
};

struct lay_auto {
	uint32_t edge_first; /* LIST: octet << 24 | state, ascending */
	uint16_t edge_n, cls; /* cls: row - 1 when the text ends here */
	uint32_t slash, other; /* next state for '/' and for any other */
};

#define LAY_RULE_BLOCK 1
struct lay_rule { /* sorted by kind, name */
	int64_t action_ns, monitor_until;
	uint32_t id;		       /* STRS */
	uint32_t purpose, message;     /* TEXT */
	uint32_t guard, data;	       /* or LAY_NONE */
	uint32_t limit_first, limit_n; /* LIMT */
	uint8_t kind, dir, consent, severity;
	uint8_t audit, notify, action, flags;
	uint32_t pad;
};

#define LAY_GUARD_ANSWERS 1
#define LAY_GUARD_WHEN 2
#define LAY_GUARD_BETWEEN 4
struct lay_guard {
	uint64_t answers[4]; /* bit per rule */
	uint64_t requires_, forbids; /* bit per state */
	int64_t spread;
	uint16_t from_min, to_min;
	uint8_t days, requires_builtin, forbids_builtin, flags;
};

#define LAY_DATA_GRAN 1
#define LAY_DATA_HISTORY 2
#define LAY_DATA_DELAY 4
#define LAY_DATA_RES 8
#define LAY_DATA_VALUE 16
#define LAY_DATA_CHANNELS 32
struct lay_data {
	uint64_t meas;
	int64_t gran_lo, gran_hi, history, delay;
	int64_t res_milli, value_lo, value_hi;
	uint32_t channels;
	uint8_t res_unit, value_unit;
	uint16_t flags;
};

#define LAY_EACH_VM 1
#define LAY_EACH_PARTY 2
#define LAY_EACH_MEAS 4
#define LAY_LIMIT_RULE 1  /* belongs to a rule */
#define LAY_LIMIT_FLOOR 2 /* what a floor keeps */
#define LAY_LIMIT_MATCH 4 /* selects observations */
struct lay_limit { /* of rules in their order, then top level, then floors */
	uint64_t n, burst, meas;
	int64_t window_ns, action_ns;
	uint32_t text; /* TEXT: the phrase */
	uint32_t id;   /* STRS: of a limit at top level, else of its rule */
	uint32_t rule; /* or LAY_NONE */
	uint16_t distinct;
	uint8_t kind, thing, window, action, each, flags;
	uint32_t pad;
};

struct lay_state {
	int64_t expires;
	uint32_t id;
	uint8_t scope, pad[3];
};

struct lay_consent {
	uint64_t meas;
	int64_t finer_than;
	uint32_t id;
	uint8_t minimum, pad[3];
};

struct lay_answer { /* of the customer */
	uint32_t policy, rule, granted, pad;
};

struct lay_floor {
	uint64_t meas;
	uint32_t id, vm, limit, pad; /* limit: LIMT */
};

struct lay_unique { /* at most one */
	uint8_t digest[32]; /* SHA-256, see above */
};

/* Sorted by id, each once; then the id and the path of each, terminated. */
struct lay_lib {
	uint64_t serial;
	uint8_t digest[32]; /* SHA-256 of the file's octets */
};

/* Where rules and limits stand; then the path, terminated. */
struct lay_loc { /* one per row of RULE, then one per row of LIMT */
	uint32_t line, col;
};

/* What a recipient outside the home is told: one row for each, at its first
 * party, ascending. Bits and grades are those of analysis/label.h. */
#define LAY_LABEL_GRADES "ABCDEFX-"
#define LAY_LABEL_IDS    6 /* enum bound_identity */
/* Messages without readings reach it: */
enum lay_label_other { LABEL_OTHER_NONE, LABEL_OTHER_SOME, LABEL_OTHER_ANY };
struct lay_label {
	int64_t spacing; /* ns between values that show use; INT64_MAX: none */
	uint32_t party;	 /* PRTY */
	uint32_t statements, clear, blurred;
	uint8_t grade, identity, sealed, live, late, other, pad[2];
};

struct lay_sign { /* at most one */
	uint8_t key[32]; /* the public key: who says to have signed */
	uint8_t signature[64];
};

/* clang-format off */
#define LAY_SIZE(s, n) _Static_assert(sizeof(s) == (n), "padding in " #s)
LAY_SIZE(struct lay_header, 120);
LAY_SIZE(struct lay_section, 32);
LAY_SIZE(struct lay_meta, 48 + 32 * 16 + 32 + 48);
LAY_SIZE(struct lay_key, 40);
LAY_SIZE(struct lay_vm, 40);
LAY_SIZE(struct lay_party, 72);
LAY_SIZE(struct lay_port, 8);
LAY_SIZE(struct lay_pfx4, 8);
LAY_SIZE(struct lay_pfx6, 24);
LAY_SIZE(struct lay_sel, 40);
LAY_SIZE(struct lay_col, 16);
LAY_SIZE(struct lay_dim, 24);
LAY_SIZE(struct lay_auto, 16);
LAY_SIZE(struct lay_rule, 56);
LAY_SIZE(struct lay_guard, 64);
LAY_SIZE(struct lay_data, 72);
LAY_SIZE(struct lay_limit, 64);
LAY_SIZE(struct lay_state, 16);
LAY_SIZE(struct lay_consent, 24);
LAY_SIZE(struct lay_answer, 16);
LAY_SIZE(struct lay_floor, 24);
LAY_SIZE(struct lay_unique, 32);
LAY_SIZE(struct lay_lib, 40);
LAY_SIZE(struct lay_loc, 8);
LAY_SIZE(struct lay_label, 32);
LAY_SIZE(struct lay_sign, 96);
/* clang-format on */

#endif
