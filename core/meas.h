/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement types and sets of them; rows in meas.def. */
#ifndef CORE_MEAS_H
#define CORE_MEAS_H

#include "core/span.h"

enum meas {
#define X(id, name, cls, plain) MEAS_##id,
#include "core/meas.def"
#undef X
	MEAS_COUNT
};
_Static_assert(MEAS_COUNT < 64, "meas_set is too small");

enum meas_class {
	MEAS_CLASS_SERIES,
	MEAS_CLASS_SNAPSHOT,
	MEAS_CLASS_EVENT,
	MEAS_CLASS_ATTRIBUTE,
	MEAS_CLASS_INBOUND,
	MEAS_CLASS_ABOUT,
};

typedef uint64_t meas_set; /* bit m stands for enum meas m */
#define MEAS_BIT(m) (UINT64_C(1) << (m))
#define MEAS_ALL    (MEAS_BIT(MEAS_COUNT) - 1)
/* What says what a message is about but is no measurement
 * (policy-language section 10.1). */
#define MEAS_ABOUT                                                             \
	(MEAS_BIT(MEAS_CONFIG_METER) | MEAS_BIT(MEAS_STATUS_DEVICE) |          \
	 MEAS_BIT(MEAS_PROCEDURE))

const char *meas_name(enum meas m);
const char *meas_plain(enum meas m);
enum meas_class meas_class(enum meas m);

/* Those of s that count each time they are said, however they are wrapped:
 * snapshots, of which several are a series in disguise, and commands. */
meas_set meas_moments(meas_set s);

/* "energy.interval" -> one bit; "energy.*" -> every type of the family;
 * "*" -> MEAS_ALL; anything else 0. */
meas_set meas_parse(struct span text);

/* Types that show what a home uses, and so are as fine together as the finest
 * of them (privacy.md section 1; with the tariff known, what is left of a
 * credit is a register): as they are written, and as a set. */
#define MEAS_USE "energy.*, power.*, tariff.credit"
meas_set meas_use(void);

/* "energy.register+energy.tou", in the order of the list; always terminated,
 * returns buf. 512 octets hold every set. */
#define MEAS_TEXT 640
char *meas_text(char *buf, size_t cap, meas_set s);

#endif
