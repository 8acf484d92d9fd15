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
		{[10] = 0xff, [11] = 0xff, [12] = 10, 20, 0, last}
        };
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

/* --- making messages ------------------------------------------------------ */

struct kit_msg {
	const char *called,
		*calling;   /* contents of A2 and A6 in hex; or NULL */
	int64_t called_inv; /* -1: none */
	uint32_t inv;
	uint8_t control; /* of the EPSEM: mode and response control */
	bool ac;         /* with key id and IV */
	uint8_t key_id;
	uint32_t iv;
	const char *key;       /* hex, to seal with */
	const char *services;  /* hex, lengths included */
	int64_t total, offset; /* total > 0: a segment; services: the slice */
	uint8_t qualifier;     /* A7; 0: none */
};

#define KIT_CALLED  "8003478769" /* .71.1001 */
#define KIT_CALLING "80024701"   /* .71.1 */

static inline void kit_len(struct wbuf *w, size_t n)
{
	if (n >= 0x100) {
		wbuf_u8(w, 0x82);
		wbuf_be(w, n, 2);
	} else {
		if (n >= 0x80)
			wbuf_u8(w, 0x81);
		wbuf_be(w, n, 1);
	}
}

static inline void kit_tlv(struct wbuf *w, uint8_t tag, struct span body)
{
	wbuf_u8(w, tag);
	kit_len(w, body.n);
	wbuf_put(w, body);
}

static inline void kit_int(struct wbuf *w, uint8_t tag, uint64_t v)
{
	uint8_t b[8];
	struct wbuf in = wbuf_of(b, sizeof(b));
	size_t n = 1;

	while (n < 4 && v >> (8 * n))
		n++;
	wbuf_u8(&in, BER_INTEGER);
	wbuf_u8(&in, (uint8_t)n);
	wbuf_be(&in, v, n);
	kit_tlv(w, tag, wbuf_span(&in));
}

static inline void kit_hex_tlv(struct wbuf *w, uint8_t tag, const char *hex)
{
	uint8_t b[128];

	if (hex)
		kit_tlv(w, tag, kit_hex(hex, b, sizeof(b)));
}

#define KIT_APDU 4096

static inline void kit_seal(const struct kit_msg *m, struct span unit)
{
	static uint8_t memory[1024], out[KIT_APDU];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct aes128 *aes = aes128_new();
	uint8_t key[16], nb[EAXP_N_MAX], mac[EAXP_MAC];
	struct wbuf n = wbuf_of(nb, sizeof(nb)), w;
	struct epsem_head h;
	struct eaxp_key k;
	struct acse a;
	struct err e;

	kit_hex(m->key, key, sizeof(key));
	if (!aes || acse_read(&a, unit, &arena, &e) != 0 ||
	    epsem_read_head(&h, a.octets, 0, &e) != 0)
		abort();
	aes128_key(aes, key);
	eaxp_prepare(&k, aes);
	eaxp_canonical(&a, m->key_id, m->iv, &n);
	if (h.body.n)
		memcpy(out, h.body.p, h.body.n);
	if (eaxp_seal(&k, aes, (enum eaxp_mode)h.mode, wbuf_span(&n), h.body,
		      out, mac) != 0)
		abort();
	aes128_free(aes);
	/* The unit is ours, const only on its way here. */
	if (h.body.n)
		memcpy((void *)(uintptr_t)h.body.p, out, h.body.n);
	w = wbuf_of((void *)(uintptr_t)h.mac.p, EAXP_MAC);
	wbuf_put(&w, span_of(mac, EAXP_MAC));
}

/* The APDU of m in buf, which holds KIT_APDU octets. */
static inline struct span kit_make(const struct kit_msg *m, uint8_t *buf)
{
	static uint8_t b[KIT_APDU], ext[KIT_APDU], ep[KIT_APDU];
	struct wbuf w = wbuf_of(b, sizeof(b)), x = wbuf_of(ext, sizeof(ext));
	struct wbuf p = wbuf_of(ep, sizeof(ep)), out = wbuf_of(buf, KIT_APDU);
	struct wbuf user;
	static uint8_t ub[KIT_APDU], sv[KIT_APDU];

	kit_hex_tlv(&w, 0xa2, m->called);
	if (m->total > 0)
		kit_int(&w, 0xa3, (uint64_t)m->total);
	if (m->called_inv >= 0)
		kit_int(&w, 0xa4, (uint64_t)m->called_inv);
	kit_hex_tlv(&w, 0xa6, m->calling);
	if (m->qualifier)
		kit_int(&w, 0xa7, m->qualifier);
	kit_int(&w, 0xa8, m->inv);
	if (m->ac) {
		kit_hex_tlv(&w, 0xac, "a20da00ba109800100810400000000");
		w.p[w.n - 7] = m->key_id;
		w.n -= 4;
		wbuf_be(&w, m->iv, 4);
	}
	if (m->total <= 0)
		wbuf_u8(&p, m->control);
	wbuf_put(&p, kit_hex(m->services, sv, sizeof(sv)));
	if (m->total <= 0 && m->control & 0x0c)
		wbuf_be(&p, 0, EAXP_MAC);
	if (m->total > 0) {
		uint8_t nb[8];
		struct wbuf n = wbuf_of(nb, sizeof(nb));

		kit_int(&n, 0x02, (uint64_t)m->offset);
		/* the inner element only: 02 len n */
		wbuf_put(&x, span_from(wbuf_span(&n), 2));
	}
	kit_tlv(&x, 0x81, wbuf_span(&p));
	user = wbuf_of(ub, sizeof(ub));
	kit_tlv(&user, 0x28, wbuf_span(&x));
	kit_tlv(&w, 0xbe, wbuf_span(&user));
	kit_tlv(&out, ACSE_TAG, wbuf_span(&w));
	if (out.failed || w.failed || x.failed || p.failed)
		abort();
	if (m->key)
		kit_seal(m, wbuf_span(&out));
	return wbuf_span(&out);
}

/* --- comparing what is remembered ----------------------------------------- */

/* Take away what means nothing: the spare rows, rows out of use, the count of
 * failed MACs and the cache of key constants. */
static inline void kit_normal(struct c1222_machine *m, struct mono now)
{
	m->stage = (struct stage){0};
	memset(m->limiter, 0, sizeof(m->limiter));
	memset(m->key, 0, sizeof(m->key));
	for (uint32_t i = 0; i <= REQ_MAX; i++) {
		if (m->req.state[i] != REQ_FREE)
			continue;
		memset(&m->req.row[i], 0, sizeof(m->req.row[i]));
		m->req.inv[i] = 0;
		m->req.born_ns[i] = 0;
	}
	for (uint32_t i = 0; i <= SHAPE_MAX; i++) {
		if (!m->shape[i].live)
			memset(&m->shape[i], 0, sizeof(m->shape[i]));
	}
	for (uint32_t i = 0; i < SEG_BUFFERS; i++) {
		struct seg *s = &m->seg[i];

		if (now.ns - s->born_ns > SEG_TIMEOUT_S * NS_PER_S)
			s->live = false;
		if (!s->live)
			memset(s, 0, sizeof(*s));
		for (uint32_t j = s->n_slices; j < SEG_SLICES; j++)
			s->slice[j] = (struct seg_slice){0, 0};
	}
}

/* All but the buffers of segments: they count only where a slice lies. */
#define KIT_MACHINE offsetof(struct c1222_machine, seg_octets)

static inline void kit_copy(struct c1222_machine *to,
			    const struct c1222_machine *from)
{
	memcpy(to, from, KIT_MACHINE);
	for (uint32_t i = 0; i < SEG_BUFFERS; i++) {
		if (from->seg[i].live)
			memcpy(to->seg_octets[i], from->seg_octets[i],
			       from->seg[i].total);
	}
}

/* Both are changed. */
static inline bool kit_same(struct c1222_machine *a, struct c1222_machine *b,
			    struct mono now)
{
	kit_normal(a, now);
	kit_normal(b, now);
	if (memcmp(a, b, KIT_MACHINE) != 0)
		return false;
	for (uint32_t i = 0; i < SEG_BUFFERS; i++) {
		for (uint32_t j = 0; j < a->seg[i].n_slices; j++) {
			const struct seg_slice *l = &a->seg[i].slice[j];

			if (memcmp(a->seg_octets[i] + l->off,
				   b->seg_octets[i] + l->off, l->n) != 0)
				return false;
		}
	}
	return true;
}

#endif
