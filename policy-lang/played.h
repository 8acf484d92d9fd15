/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture under a policy set, for the commands that read one: the same
 * pipeline, options and numbers as those of metergate-replay.
 */
#ifndef POLICY_LANG_PLAYED_H
#define POLICY_LANG_PLAYED_H

#include "enforcer/capture_guest.h"
#include "enforcer/capture_player.h"
#include "enforcer/capture_policy.h"
#include "policy-lang/options.h"

#define PLAYED_GUESTS 64

/* -g, -k and --checksums. */
struct played_args {
	struct pipeline_guest guest[PLAYED_GUESTS];
	const char *guest_text; /* of the last -g; borrowed */
	size_t n_guest;
	const char *keys;
	bool partial; /* sums that a host left to its network card, too */
	/* The one resolver, borrowed; NULL: that of the set, else any. */
	const struct dns_conf *dns;
};
/* The rows of a command's options for them. */
#define PLAYED_N 3
#define PLAYED_OPTIONS(a)                                                      \
	{"-g", OPTION_TAKE, (a), played_take_guest},                           \
		{"-k", OPTION_TEXT, &(a)->keys, NULL},                         \
	{                                                                      \
		"--checksums", OPTION_TAKE, &(a)->partial, played_take_sums    \
	}
int played_take_guest(void *to, const char *name, const char *value,
		      struct err *e) __attribute__((warn_unused_result));
int played_take_sums(void *to, const char *name, const char *value,
		     struct err *e) __attribute__((warn_unused_result));
/* As -g does. */
int played_guest(struct played_args *a, const char *text, struct err *e)
	__attribute__((warn_unused_result));

/* Called for each event, in order. n: which of those that say what became of
 * a message (decisions, violations, anomalies), from 1; 0: another event. */
struct played_sink {
	void (*event)(void *arg, uint64_t n, const struct event *ev);
	void *arg;
};

/* set and state are borrowed, NULL for facts only; stats may be NULL.
 * Returns 0 or a negative code; what is wrong with a capture is E_IO, so that
 * E_SYNTAX is always about what a person wrote. */
int played_run(const struct pol_set *set, struct pol_state *state,
	       const struct played_args *a, const char *pcap,
	       const struct played_sink *sink, struct pipeline_stats *stats,
	       struct err *e) __attribute__((warn_unused_result));

#endif
