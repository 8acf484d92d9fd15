/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metergate-replay: captures in; facts, decisions, audit and the packets that
 * would have left out. The program's own parts, all driven by replay.c:
 *
 *   replay_opts.c    the command line
 *   replay_paths.c   no output is an input, or another output
 *   replay_policy.c  -p: sources or images -> a composed set
 *   replay_output.c  lines on standard output
 *   replay_audit.c   --audit
 *   replay_jobs.c    --jobs
 *   replay_progress.c
 *
 * Nothing that is written gets its name before all of it is on the disk.
 */
#ifndef ENFORCER_REPLAY_H
#define ENFORCER_REPLAY_H

#include <stdio.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/eve.h"
#include "core/log.h"
#include "dissectors/c1222/c1222.h"
#include "dissectors/net/dns.h"
#include "enforcer/capture.h"
#include "enforcer/capture_clock.h"
#include "enforcer/capture_guest.h"
#include "enforcer/capture_keys.h"
#include "enforcer/capture_player.h"
#include "enforcer/capture_policy.h"
#include "enforcer/capture_split.h"
#include "enforcer/pipeline/app.h"
#include "policy-lang/eval/eval.h"

#define REPLAY_PROGRAM "metergate-replay"

/* --- options -----------------------------------------------------------------
 */

enum replay_format {
	REPLAY_JSON,
	REPLAY_TEXT
};

/* Without a policy: what is not refused elsewhere either. */
enum replay_sums {
	REPLAY_SUMS_DEFAULT,
	REPLAY_SUMS_STRICT,
	REPLAY_SUMS_PARTIAL
};

#define REPLAY_GUESTS 64

struct replay_opts {
	const char *policy, *keys, *allowed, *denied, *audit; /* or NULL */
	enum replay_format format;
	enum replay_sums checksums;
	bool values, quiet, asks_one, classify;
	struct dns_conf dns; /* if asks_one */
	unsigned verbose, jobs;
	struct pipeline_guest guests[REPLAY_GUESTS];
	size_t n_guests;
	char *const *captures;
	size_t n_captures;
};

/* 0: go on; 1: all that was asked for is printed; E_SYNTAX. */
int replay_opts(struct replay_opts *o, int argc, char **argv, struct err *e)
	__attribute__((warn_unused_result));

/* Does any output take the place of another one or of an input? */
int replay_paths(const struct replay_opts *o, struct err *e)
	__attribute__((warn_unused_result));

/* --- policy ------------------------------------------------------------------ */

struct replay_policy {
	struct capture_policy files;
	const struct pol_set *set; /* of files */
	struct pol_state *state;
};

int replay_policy_load(struct replay_policy *p, const char *path, struct err *e)
	__attribute__((warn_unused_result));
void replay_policy_free(struct replay_policy *p);
/* One event for each policy in force; they are the first records. */
void replay_policy_events(const struct replay_policy *p, struct now now,
			  const struct pipeline_sink *sink);

/* --- output ------------------------------------------------------------------
 */

struct replay_output {
	uint8_t *buf;
	size_t n;
	enum replay_format format;
	struct eve_opts eve;
	struct eve_memo *memo;
	bool quiet;
	struct err *e; /* the first failure is kept; then nothing is written */
	bool failed;
};

int replay_output_init(struct replay_output *o, const struct replay_opts *opts,
		       struct err *e) __attribute__((warn_unused_result));
void replay_output_fini(struct replay_output *o);
void replay_output_event(struct replay_output *o, const struct event *ev);
void replay_output_stats(struct replay_output *o, struct now now,
			 const struct pipeline_stats *s);
void replay_output_flush(struct replay_output *o);

/* --- audit -------------------------------------------------------------------
 */

struct replay_audit;

int replay_audit_new(struct replay_audit **out, const char *path,
		     bool with_policy, struct err *e)
	__attribute__((warn_unused_result));
void replay_audit_event(struct replay_audit *a, const struct event *ev);
/* The first failure of replay_audit_event, or 0. */
int replay_audit_check(const struct replay_audit *a, struct err *e)
	__attribute__((warn_unused_result));
int replay_audit_finish(struct replay_audit *a, struct err *e)
	__attribute__((warn_unused_result));
int replay_audit_commit(struct replay_audit *a, struct err *e)
	__attribute__((warn_unused_result));
void replay_audit_free(struct replay_audit *a); /* as capture_split_free */

/* --- jobs
 * ---------------------------------------------------------------------
 */

/* Lines and records made on other threads, in the same order. */
struct replay_jobs;

/* jobs: threads in all. *out is NULL when one is all that is of use. */
int replay_jobs_start(struct replay_jobs **out, unsigned jobs,
		      struct replay_output *output, struct replay_audit *audit,
		      struct err *e) __attribute__((warn_unused_result));
void replay_jobs_event(struct replay_jobs *j, const struct event *ev);
/* Somebody waits: show what was made so far, soon. */
void replay_jobs_flush(struct replay_jobs *j);
/* The output or the audit failed, and says why itself after the stop. */
bool replay_jobs_failed(struct replay_jobs *j);
/* All that was given is made; then frees. Fails for what no thread did. */
int replay_jobs_stop(struct replay_jobs *j, struct err *e)
	__attribute__((warn_unused_result));

/* --- progress ----------------------------------------------------------------
 */

struct replay_progress {
	bool on, shown;
	uint64_t total, done_before; /* octets */
	struct timespec last;
	uint64_t last_packets;
};

void replay_progress_init(struct replay_progress *p, uint64_t total_octets,
			  bool endless, bool wanted);
/* Cheap to call for every packet; looks at the clock now and then. */
void replay_progress_show(struct replay_progress *p, const struct capture *c,
			  uint64_t packets);
void replay_progress_clear(struct replay_progress *p);

#endif
