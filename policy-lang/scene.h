/* SPDX-License-Identifier: Apache-2.0 */
/* Files composed as the gateway would, and messages made from the steps of
 * tests. */
#ifndef POLICY_LANG_SCENE_H
#define POLICY_LANG_SCENE_H

#include "policy-lang/eval/eval.h"
#include "policy-lang/front/front.h"

struct scene {
	const struct pol_file *file[64]; /* what is composed; borrowed */
	size_t n_file;
	struct pol_image *image[64];
	uint8_t *octets[64];
	size_t n_octets[64];
	struct pol_set *set;
	struct pol_state *state;
	struct now now;
	const char *zone; /* of the binding, or NULL */
	/* Told of each judgement before it is committed, or NULL. */
	void (*judged)(void *arg, const struct pol_state *st);
	void *judged_arg;
};

#define SCENE_LEAVES 2

/* The octets one message borrows from. */
struct scene_msg {
	struct pol_msg msg;
	struct obs carrier, leaf;
};

/* Composes files; states and time are as at a first start. */
int scene_new(struct scene *s, const struct pol_file *const *f, size_t n,
	      struct err *e) __attribute__((warn_unused_result));
void scene_free(struct scene *s);
/* Fresh counters and states. */
int scene_reset(struct scene *s, struct wall at, struct err *e)
	__attribute__((warn_unused_result));
void scene_advance(struct scene *s, int64_t ns);
/* The policy of a machine, or NULL. */
const struct pol_file *scene_policy(const struct scene *s, const char *vm);
/* given: and the states and answers of a test; vm: whose, where none is
 * named. */
int scene_given(struct scene *s, const struct pol_test_src *t, const char *vm,
		struct err *e) __attribute__((warn_unused_result));
/* E_NOTFOUND when the machine or party is unknown. */
int scene_message(const struct scene *s, const struct pol_step_src *step,
		  const char *vm, uint64_t answer_to, struct scene_msg *out,
		  struct err *e) __attribute__((warn_unused_result));
/* Judge, charge, commit or abort. */
void scene_judge(struct scene *s, const struct pol_msg *m,
		 struct pol_decision *d);

/* suppose.c: what may have gone before the message of a step. The request that
 * a rule of its policy permits and it may answer is judged and let pass: its
 * id, or 0. */
uint64_t scene_ask_for(struct scene *s, const struct pol_step_src *step);
/* All states of its policy are set, and attested. */
void scene_assume(struct scene *s, const struct pol_step_src *step);

/* pcap.c: a capture through the gateway's pipeline. */
struct pcap_counts {
	uint64_t permit, deny[REASON_COUNT]; /* observations */
};
/* Plays it in a scene that was reset; keys may be NULL. */
int pcap_play(struct scene *s, const struct pol_test_src *t, const char *pcap,
	      const char *keys, struct pcap_counts *counts, struct err *e)
	__attribute__((warn_unused_result));

/* "2026-04-07T00:40" in the zone, or an RFC 3339 time stamp. */
bool scene_time(const struct scene *s, const char *text, struct wall *out);

#endif
