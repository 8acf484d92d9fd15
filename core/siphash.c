/* SPDX-License-Identifier: Apache-2.0 */
#include "core/siphash.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

/* The state by value, so that it stays in registers. */
static inline struct sip sip_round(struct sip s)
{
	s.v0 += s.v1;
	s.v1 = rotl(s.v1, 13) ^ s.v0;
	s.v0 = rotl(s.v0, 32);
	s.v2 += s.v3;
	s.v3 = rotl(s.v3, 16) ^ s.v2;
	s.v0 += s.v3;
	s.v3 = rotl(s.v3, 21) ^ s.v0;
	s.v2 += s.v1;
	s.v1 = rotl(s.v1, 17) ^ s.v2;
	s.v2 = rotl(s.v2, 32);
	return s;
}

static inline struct sip absorb(struct sip s, uint64_t m)
{
	s.v3 ^= m;
	s = sip_round(sip_round(s));
	s.v0 ^= m;
	return s;
}

static struct sip start(const struct sipkey *key)
{
	return (struct sip){
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};
}

static inline struct sip absorb_all(struct sip s, struct span in)
{
	struct cur c = cur_of(in);
	uint64_t last = (uint64_t)in.n << 56;

	while (cur_left(&c) >= 8)
		s = absorb(s, cur_le64(&c));
	last |= cur_left(&c) ? cur_le(&c, cur_left(&c)) : 0;
	return absorb(s, last);
}

static inline uint64_t squeeze(struct sip *s)
{
	for (int i = 0; i < 4; i++)
		*s = sip_round(*s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t siphash24(const struct sipkey *key, struct span in)
{
	struct sip s = start(key);

	s = absorb_all(s, in);
	s.v2 ^= 0xff;
	return squeeze(&s);
}

struct sip128 siphash128(const struct sipkey *key, struct span in)
{
	struct sip s = start(key);
	struct sip128 out;

	s.v1 ^= 0xee;
	s = absorb_all(s, in);
	s.v2 ^= 0xee;
	out.lo = squeeze(&s);
	s.v1 ^= 0xdd;
	out.hi = squeeze(&s);
	return out;
}
