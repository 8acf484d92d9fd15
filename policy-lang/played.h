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

#define PLAYED_GUESTS 64

/* -g, -k and --checksums. */
struct played_args {
	struct pipeline_guest guest[PLAYED_GUESTS];
	size_t n_guest;
	const char *keys;
	bool partial; /* sums that a host left to its network card, too */
};
/* 1: argv[*i] was one of them, and *i is at its last word; 0: it was not;
 * E_SYNTAX. */
int played_option(struct played_args *a, int argc, char **argv, int *i,
		  struct err *e) __attribute__((warn_unused_result));
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
