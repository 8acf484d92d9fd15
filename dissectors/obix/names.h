/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of oBIX as tables: elements, attributes, contracts, units, names
 * that hint at a quantity, operations. One row each in a .def file; nothing
 * here has state.
 */
#ifndef DISSECTORS_OBIX_NAMES_H
#define DISSECTORS_OBIX_NAMES_H

#include "core/obs.h"

enum obix_el {
#define X(id, name, value, silent) EL_##id,
#include "dissectors/obix/elements.def"
#undef X
	EL_COUNT,
	EL_UNKNOWN = EL_COUNT,
};

enum obix_value {
	VALUE_NONE,
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_TEXT,
	VALUE_NAME,
	VALUE_INSTANT,
	VALUE_DURATION,
	VALUE_URI,
};

enum obix_attr {
#define X(id, name) AT_##id,
#include "dissectors/obix/attributes.def"
#undef X
	AT_COUNT,
	AT_UNKNOWN = AT_COUNT,
};

enum obix_quantity {
#define X(id, base, now, series) Q_##id,
#include "dissectors/obix/quantities.def"
#undef X
	Q_COUNT,
};
_Static_assert(Q_COUNT <= 32, "sets of quantities are 32 bits");
typedef uint32_t quantity_set;
#define Q_BIT(q) (UINT32_C(1) << (q))

enum obix_contract {
	C_NONE,
#define X(id, name, asks, answers) C_##id,
#include "dissectors/obix/contracts.def"
#undef X
	C_COUNT,
};
_Static_assert(C_COUNT <= 64, "sets of contracts are 64 bits");
typedef uint64_t contract_set;
#define C_BIT(c) (UINT64_C(1) << (c))

/* What an exchange is; requests and responses are two kinds of obs.def. */
enum obix_op {
	OP_NONE,
	OP_READ,
	OP_WRITE,
	OP_INVOKE,
	OP_DELETE,
	OP_BATCH,
	OP_SIGNUP,
	OP_WATCH_MAKE,
	OP_WATCH_ADD,
	OP_WATCH_REMOVE,
	OP_WATCH_POLL,
	OP_HISTORY_QUERY,
	OP_HISTORY_ROLLUP,
	OP_HISTORY_APPEND,
	OP_ALARM_QUERY,
	OP_ALARM_ACK,
	OP_COUNT,
};

/* What a member of a standard contract is there for (members.def). */
enum obix_use {
	USE_VALUE, /* not in the table: a value like any other */
	USE_DEVICE,
	USE_HEALTH,
	USE_CONFIG,
	USE_ALARM,
	USE_CUSTOMER,
	USE_STATISTIC, /* a value, of the same readings as its siblings */
	USE_AVERAGE,   /* those of them that tell how many readings */
	USE_SUM,
	USE_FORM,    /* how a history shall be written */
	USE_COMPACT, /* and whether shortly */
	USE_COUNT, /* how many records there are */
	USE_ADDED, /* how many of them were new */
	USE_START,
	USE_END,
	USE_LIMIT,
	USE_STAMP, /* when the record's value was, or its interval ended */
	USE_BEGIN,
	USE_EACH, /* readings rolled up in one record */
	USE_INTERVAL,
	USE_SCALE,
	USE_OFFSET,
	USE_KG,
	USE_M,
	USE_SEC,
	USE_K,
	USE_A,
	USE_MOL,
	USE_CD,
};

/* A unit: what it measures, and its size where that is exact. */
struct obix_unit {
	struct span name; /* folded */
	uint8_t quantity;
	int64_t num, den; /* num 0: not known */
	int8_t dim[6];    /* kg, m, sec, K, A, cd */
};

enum obix_el obix_element(struct span local);
enum obix_value obix_value(enum obix_el el);
enum obix_attr obix_attribute(struct span local);
/* What an object of that type says that has no `val` and is not null. */
struct span obix_silent(enum obix_el el);

/* The same, where few names come again and again; given zeroed. That of an
 * attribute ends with a NUL. */
#define OBIX_MEMO 32
struct obix_memo {
	uint8_t el[OBIX_MEMO], at[OBIX_MEMO];
};
enum obix_el obix_element_again(struct obix_memo *m, struct span local);
enum obix_attr obix_attribute_again(struct obix_memo *m, const char *name);

/* The standard contracts named in a list, by their last segment; other: it
 * names others too. */
contract_set obix_contracts(struct span list, bool *other);
/* The next of a list from *at, as F_IS: without what stands before its last
 * segment; n = 0: none. */
struct span obix_contract_text(struct span list, size_t *at);
enum obix_op obix_asks(contract_set c);
enum obix_op obix_answers(contract_set c);
/* *value: what an element of that name holds, if it is the member. */
enum obix_use obix_member(contract_set parent, struct span name,
			  enum obix_value *value);

/* By the name of an operation: its last path segment. OP_NONE: no row. */
enum obix_op obix_operation(struct span segment);

/* A unit of the standard's database by its URI, NULL when it is none; *null
 * when it is "obix:units/null". buf holds the folded name. */
#define OBIX_UNIT_NAME 64
const struct obix_unit *obix_unit(struct span uri, bool *null);
/* The same for a bare name, as in a facets string. */
const struct obix_unit *obix_unit_named(struct span name, bool *null);
/* Is it the dimension of a unit in the table, or none? */
bool obix_has_dimension(const int8_t dim[6]);
/* What units of that dimension measure; Q_UNKNOWN when none has it. */
enum obix_quantity obix_by_dimension(const int8_t dim[6]);

/* All quantities that a name hints at. */
quantity_set obix_hints(struct span name);

meas_set obix_meas(enum obix_quantity q, bool series);
enum unit obix_base(enum obix_quantity q);

enum obs_kind obix_request_kind(enum obix_op op);
enum obs_kind obix_response_kind(enum obix_op op);
enum obix_op obix_op_of(uint16_t kind); /* of a request; OP_NONE */

#endif
