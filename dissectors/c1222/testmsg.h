/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that the tests of whole APDUs start from, and how they are sent. */
#ifndef DISSECTORS_C1222_TESTMSG_H
#define DISSECTORS_C1222_TESTMSG_H

#include "dissectors/c1222/testkit.h"

#define KIT_KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define KIT_T0  1700000000

/* The kit's clock, so many seconds after its start. */
static inline void later(struct kit *k, int64_t s)
{
	kit_at(k, (KIT_T0 + s) * US_PER_S);
}

/* A request to the meter and its answer; rows change what they need. */
static const struct kit_msg clear_request = {
	.called = KIT_CALLED,
	.calling = KIT_CALLING,
	.called_inv = -1,
	.inv = 5,
	.control = 0x80,
	.services = "03 300017",
};
static const struct kit_msg clear_answer = {
	.called = KIT_CALLING,
	.calling = KIT_CALLED,
	.called_inv = 5,
	.inv = 9,
	.control = 0x82,
	.services = "06 00 0002 4142 7d",
};
static const struct kit_msg sealed_request = {
	.called = KIT_CALLED,
	.calling = KIT_CALLING,
	.called_inv = -1,
	.inv = 5,
	.control = 0x88,
	.services = "03 300017",
	.ac = true,
	.key_id = 1,
	.iv = KIT_T0,
	.key = KIT_KEY,
};
static const struct kit_msg sealed_answer = {
	.called = KIT_CALLING,
	.calling = KIT_CALLED,
	.called_inv = 5,
	.inv = 9,
	.control = 0x8a,
	.services = "06 00 0002 4142 7d",
	.ac = true,
	.key_id = 1,
	.iv = KIT_T0,
	.key = KIT_KEY,
};

static inline struct kit *kit_keyed(void)
{
	struct kit *k = kit_new();

	kit_key(k, 1, KIT_KEY);
	return k;
}

static inline enum reason send(struct kit *k, enum dir dir, uint8_t proto,
			       const struct kit_msg *m)
{
	static uint8_t unit[KIT_APDU];

	kit_way(k, dir, proto);
	return kit_run(k, kit_make(m, unit));
}

static inline enum reason to_meter(struct kit *k, const struct kit_msg *m)
{
	return send(k, DIR_IN, 17, m);
}

static inline enum reason from_meter(struct kit *k, const struct kit_msg *m)
{
	return send(k, DIR_OUT, 17, m);
}

static inline const struct obs *leaf(struct kit *k)
{
	if (k->out.n < 2)
		abort();
	return &k->obs[1];
}

static inline bool noted(const struct obs *o, enum reason why)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field == F_NOTE && o->f[i].u == why)
			return true;
	}
	return false;
}

#endif
