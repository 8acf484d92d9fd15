/* SPDX-License-Identifier: Apache-2.0 */
/* SHA256_Init and its like are still there in libcrypto 3, marked as old. */
#define OPENSSL_API_COMPAT 0x10101000L

#include "crypto/digest.h"

#include <assert.h>
#include <endian.h>
#include <openssl/evp.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "core/err.h"

struct sha256 {
	SHA256_CTX ctx;
};

struct sha256 *sha256_new(void)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL); /* its settings */
	struct sha256 *h = md ? calloc(1, sizeof(*h)) : NULL;

	EVP_MD_free(md);
	return h;
}

void sha256_free(struct sha256 *h)
{
	free(h);
}

/* A digest that fails can only be a broken library: closed, not guessed. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

void sha256_begin(struct sha256 *h)
{
	must(SHA256_Init(&h->ctx));
}

void sha256_add(struct sha256 *h, struct span s)
{
	must(SHA256_Update(&h->ctx, s.p, s.n));
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_LEN])
{
	must(SHA256_Final(out, &h->ctx));
}

void sha256_of(struct span s, uint8_t out[SHA256_LEN])
{
	must(EVP_Digest(s.p, s.n, out, NULL, EVP_sha256(), NULL));
}

void hmac_sha256(struct span key, struct span s, uint8_t out[SHA256_LEN])
{
	unsigned n = 0;

	must(HMAC(EVP_sha256(), key.p, (int)key.n, s.p, s.n, out, &n) != NULL);
	assert(n == SHA256_LEN);
}

/* --- two at a time --- */

#define BLOCK 64
#define AHEAD 8

/* The blocks of a message: one that begins with its prefix, those that are as
 * they lie there, one or two that end in padding. */
struct blocks {
	const struct sha256_job *job;
	size_t first, middle, last; /* how many are left */
	const uint8_t *at;	    /* the next in the middle */
	const uint8_t *end;	    /* the next of the last */
	uint8_t edge[3][BLOCK];	    /* the first, and the last ones */
};

struct lane {
	SHA256_CTX c; /* only its h is used */
	struct blocks ahead[AHEAD];
	size_t n, at; /* of ahead, and the one in hand */
};

struct queue {
	const struct sha256_job *jobs;
	size_t n, next;
	SHA256_CTX beginning;
};

static void put_be32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

/* FIPS 180-4, 5.1.1: a mark, zeros, and in the last eight octets how many bits
 * there are. */
static void cut_blocks(struct blocks *b, const struct sha256_job *job)
{
	uint64_t bits = 8 * ((uint64_t)job->s.n + job->prefixed +
			     (job->from ? BLOCK : 0));
	struct span s = job->s;
	uint8_t *end = b->edge[1];
	size_t before = 0; /* of the last blocks: octets of the message */

	b->job = job;
	b->end = end;
	b->first = job->prefixed && s.n >= BLOCK - 1;
	memset(end, 0, BLOCK);
	if (b->first) {
		b->edge[0][0] = job->prefix;
		memcpy(b->edge[0] + 1, s.p, BLOCK - 1);
		s = span_from(s, BLOCK - 1);
	} else if (job->prefixed) {
		end[before++] = job->prefix;
	}
	b->middle = s.n / BLOCK;
	b->at = s.p;
	s = span_from(s, b->middle * BLOCK);
	if (s.n)
		memcpy(end + before, s.p, s.n);
	before += s.n;
	end[before] = 0x80;
	b->last = 1;
	if (before + 1 + 8 > BLOCK) {
		b->last = 2;
		memset(end + BLOCK, 0, BLOCK);
		end += BLOCK;
	}
	put_be32(end + BLOCK - 8, (uint32_t)(bits >> 32));
	put_be32(end + BLOCK - 4, (uint32_t)bits);
}

static void begin(struct lane *l, const struct queue *q)
{
	const struct sha256_start *from = l->ahead[l->at].job->from;

	memcpy(l->c.h, from ? from->h : q->beginning.h, sizeof(l->c.h));
}

/* Blocks are cut well before they are hashed: a block that was written just
 * now is read only when all that came before is done, and so after the other
 * message's block rather than beside it. */
static bool refill(struct lane *l, struct queue *q)
{
	size_t n = (q->n - q->next + 1) / 2;

	l->n = n < AHEAD ? n : AHEAD;
	l->at = 0;
	for (size_t i = 0; i < l->n; i++)
		cut_blocks(&l->ahead[i], &q->jobs[q->next++]);
	if (l->n)
		begin(l, q);
	return l->n > 0;
}

static void step(struct lane *l, const struct queue *q)
{
	struct blocks *b = &l->ahead[l->at];

	if (b->first) {
		b->first = 0;
		SHA256_Transform(&l->c, b->edge[0]);
		return;
	}
	if (b->middle) {
		b->middle--;
		SHA256_Transform(&l->c, b->at);
		b->at += BLOCK;
		return;
	}
	SHA256_Transform(&l->c, b->end);
	b->end += BLOCK;
	if (--b->last)
		return;
	for (size_t i = 0; i < 8; i++)
		put_be32(b->job->out + 4 * i, l->c.h[i]);
	if (++l->at < l->n)
		begin(l, q);
}

void sha256_jobs(const struct sha256_job *jobs, size_t n)
{
	struct lane lane[2];
	struct queue q;
	bool more = n > 0;

	must(SHA256_Init(&q.beginning));
	q.jobs = jobs;
	q.n = n;
	q.next = 0;
	lane[0].at = lane[0].n = lane[1].at = lane[1].n = 0;
	while (more) {
		more = false;
		for (int i = 0; i < 2; i++) {
			if (lane[i].at == lane[i].n && !refill(&lane[i], &q))
				continue;
			step(&lane[i], &q);
			more = true;
		}
	}
}

static void start_make(struct sha256_start *s, const uint8_t block[BLOCK])
{
	SHA256_CTX c;

	must(SHA256_Init(&c));
	SHA256_Transform(&c, block);
	memcpy(s->h, c.h, sizeof(s->h));
	OPENSSL_cleanse(&c, sizeof(c));
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, text)); each half begins with a whole
 * block of the key, which is hashed here. */
void hmac_key_make(struct hmac_key *k, const uint8_t key[32])
{
	uint8_t pad[BLOCK];

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
	start_make(&k->inner, pad);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	start_make(&k->outer, pad);
	OPENSSL_cleanse(pad, sizeof(pad));
}

void hmac_key_of(const struct hmac_key *k, const struct span *s, size_t n,
		 uint8_t (*out)[SHA256_LEN])
{
	struct sha256_job inner[HMAC_JOBS], outer[HMAC_JOBS];
	uint8_t md[HMAC_JOBS][SHA256_LEN];

	assert(n <= HMAC_JOBS);
	for (size_t i = 0; i < n; i++) {
		inner[i] = (struct sha256_job){.from = &k->inner, .s = s[i],
					       .out = md[i]};
		outer[i] = (struct sha256_job){.from = &k->outer,
					       .s = span_of(md[i], SHA256_LEN),
					       .out = out[i]};
	}
	sha256_jobs(inner, n);
	sha256_jobs(outer, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

int crypto_random(void *p, size_t n)
{
	return n <= 1 << 20 && RAND_bytes(p, (int)n) == 1 ? 0 : E_IO;
}
