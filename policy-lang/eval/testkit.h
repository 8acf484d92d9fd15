/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies written in C for the tests of this folder: short constructors
 * over the model, sets made of them, and messages. What a kit hands out lives
 * until kit_free.
 */
#ifndef POLICY_LANG_EVAL_TESTKIT_H
#define POLICY_LANG_EVAL_TESTKIT_H

#include <stdlib.h>

#include "policy-lang/eval/internal.h"

#define S(n)   ((int64_t)(n) * NS_PER_S)
#define MIN(n) S(60 * (n))
#define H(n)   S(3600 * (n))
#define D(n)   S(86400 * (int64_t)(n))

#define KIT_FILES 8

struct kit {
	struct pol_image *im[KIT_FILES];
	uint8_t *octets[KIT_FILES];
	size_t n;
	struct pol_set *set;
	struct pol_state *st;
	struct now now;
	struct obs carrier, leaf[4];
	struct err e;
};

static inline struct pol_kinds kit_kind(enum obs_kind k)
{
	struct pol_kinds s = {{0}};

	s.w[k / 64] |= UINT64_C(1) << (k % 64);
	return s;
}

static inline struct pol_prefix kit_net(uint8_t a, uint8_t b, uint8_t c,
					uint8_t d, uint8_t len)
{
	struct pol_prefix p = {.len = (uint8_t)(96 + len)};

	p.addr.b[10] = p.addr.b[11] = 0xff;
	p.addr.b[12] = a;
	p.addr.b[13] = b;
	p.addr.b[14] = c;
	p.addr.b[15] = d;
	return p;
}

/* 0 or an errcode with the text in k->e. */
static inline int kit_add(struct kit *k, const struct pol_file *f)
{
	size_t n;
	int rc = pol_image_build(&k->octets[k->n], &n, f, &k->e);

	if (!rc)
		rc = pol_image_load(&k->im[k->n],
				    span_of(k->octets[k->n], n), &k->e);
	k->n++;
	return rc;
}

static inline int kit_go(struct kit *k)
{
	const struct pol_image *im[KIT_FILES];
	int rc;

	for (size_t i = 0; i < k->n; i++)
		im[i] = k->im[i];
	rc = pol_set_new(&k->set, im, k->n, &k->e);
	if (!rc)
		rc = pol_state_new(&k->st, k->set, &k->e);
	/* Wednesday 2026-11-25 12:00 UTC */
	k->now = (struct now){{S(1000)},
			      {INT64_C(1795608000) * US_PER_S, 0, 0, true}};
	return rc;
}

static inline void kit_free(struct kit *k)
{
	pol_state_free(k->st);
	pol_set_free(k->set);
	for (size_t i = 0; i < k->n; i++) {
		pol_image_free(k->im[i]);
		free(k->octets[i]);
	}
	memset(k, 0, sizeof(*k));
}

static inline void kit_wait(struct kit *k, int64_t ns)
{
	k->now.mono.ns += ns;
	k->now.wall.us += ns / 1000;
}

/* A message of one leaf to or from 203.0.113.7, tcp 1153. */
static inline struct pol_msg kit_msg(struct kit *k, enum dir dir,
				     enum obs_kind kind)
{
	struct pol_msg m = {.dir = dir, .message = &k->carrier,
			    .leaves = k->leaf, .n_leaves = 1, .octets = 100,
			    .now = k->now, .flow = 1,
			    .peer = {.machine = -1, .port = 1153, .proto = 6}};

	m.peer.addr = kit_net(203, 0, 113, 7, 32).addr;
	k->carrier = (struct obs){.kind = OBS_C1222_MESSAGE};
	k->leaf[0] = (struct obs){.kind = (uint16_t)kind};
	return m;
}

static inline bool kit_judge(struct kit *k, const struct pol_msg *m,
			     struct pol_decision *d)
{
	pol_judge(k->st, m, d);
	if (d->permit)
		pol_commit(k->st);
	else
		pol_abort(k->st);
	return d->permit;
}

#endif
