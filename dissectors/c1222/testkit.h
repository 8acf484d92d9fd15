/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests and fuzz targets of this folder share: octets from text, one
 * machine with its clock and keys, and a unit run through all steps.
 */
#ifndef DISSECTORS_C1222_TESTKIT_H
#define DISSECTORS_C1222_TESTKIT_H

#include <stdlib.h>

#include "dissectors/c1222/state.h"

static inline int kit_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return -1;
}

/* Octets of hex text; everything else in it is skipped. A quoted part stands
 * for its characters. */
static inline struct span kit_hex(const char *text, uint8_t *buf, size_t cap)
{
	struct wbuf w = wbuf_of(buf, cap);
	bool quoted = false;
	int high = -1;

	for (; *text; text++) {
		int d = kit_digit(*text);

		if (*text == '\'') {
			quoted = !quoted;
		} else if (quoted) {
			wbuf_u8(&w, (uint8_t)*text);
		} else if (d >= 0 && high < 0) {
			high = d;
		} else if (d >= 0) {
			wbuf_u8(&w, (uint8_t)(high << 4 | d));
			high = -1;
		}
	}
	if (w.failed || high >= 0)
		abort();
	return wbuf_span(&w);
}

#define KIT_OBS 48

struct kit {
	struct c1222_machine *m;
	struct arena arena;
	struct c1222_conf conf;
	struct c1222_key key[4];
	struct obs obs[KIT_OBS];
	struct obs_list out;
	struct dis_ctx c;
	struct err e;
	uint8_t memory[192 * 1024];
};

#define KIT_METER 10 /* 10.20.0.10 is the guest */
#define KIT_HOST  1

static inline struct net_addr kit_addr(uint8_t last)
{
	return (struct net_addr){
		{[10] = 0xff, [11] = 0xff, [12] = 10, 20, 0, last}};
}

static inline void kit_at(struct kit *k, int64_t us)
{
	k->c.now.wall.us = us;
	k->c.now.wall.trusted = true;
	k->c.now.mono.ns = us * 1000;
}

/* Towards the guest (DIR_IN) or from it, port 1153 to 1153. */
static inline void kit_way(struct kit *k, enum dir dir, uint8_t proto)
{
	bool out = dir == DIR_OUT;

	k->c.dir = dir;
	k->c.tup.proto = proto;
	k->c.tup.src = kit_addr(out ? KIT_METER : KIT_HOST);
	k->c.tup.dst = kit_addr(out ? KIT_HOST : KIT_METER);
	k->c.tup.sport = k->c.tup.dport = C1222_PORT;
}

static inline struct kit *kit_new(void)
{
	struct kit *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->m = calloc(1, dissector_c1222.machine_size);
	k->conf.aes = aes128_new();
	if (!k->m || !k->conf.aes)
		abort();
	k->conf.keys = k->key;
	k->arena = arena_of(k->memory, sizeof(k->memory));
	k->out = (struct obs_list){k->obs, 0, KIT_OBS};
	k->c.machine = k->m;
	k->c.conf = &k->conf;
	k->c.arena = &k->arena;
	kit_at(k, INT64_C(1700000000) * US_PER_S);
	kit_way(k, DIR_IN, 17);
	dissector_c1222.machine_init(k->m, &k->conf);
	return k;
}

static inline void kit_free(struct kit *k)
{
	aes128_free(k->conf.aes);
	free(k->m);
	free(k);
}

static inline void kit_key(struct kit *k, uint8_t id, const char *hex)
{
	struct c1222_key *key = &k->key[k->conf.n_keys++];

	key->key_id = id;
	kit_hex(hex, key->key, sizeof(key->key));
}

/* One unit; the observations stay in k->out until the next. Returns what
 * dissect returned, with k->e; the caller settles. */
static inline int kit_dissect(struct kit *k, struct span unit)
{
	arena_reset(&k->arena);
	k->out.n = 0;
	memset(&k->e, 0, sizeof(k->e));
	return dissector_c1222.dissect(&k->c, unit, &k->out, &k->e);
}

/* Frame, dissect and settle octets as a stream or datagram: all units of it.
 * Returns the first reason to refuse, or REASON_NONE. */
static inline enum reason kit_run(struct kit *k, struct span in)
{
	struct cur c = cur_of(in);

	k->out.n = 0;
	do {
		struct span rest = cur_peek(&c, cur_left(&c));
		enum frame f;
		size_t len = 0;
		int rc;

		memset(&k->e, 0, sizeof(k->e));
		f = dissector_c1222.frame(&k->c, rest, &len, &k->e);
		if (f == FRAME_BAD)
			return (enum reason)k->e.reason;
		if (f == FRAME_MORE)
			return dissector_c1222.leftover(&k->c, rest);
		rc = kit_dissect(k, cur_take(&c, len));
		dissector_c1222.settle(&k->c, rc == 0 || rc == E_MORE);
		if (rc && rc != E_MORE)
			return (enum reason)k->e.reason;
	} while (cur_left(&c) > 0);
	return REASON_NONE;
}

#endif
