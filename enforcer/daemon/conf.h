/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metergated.conf: YAML through the same strict reader as policies; every key
 * is a row of one table (conf.c) with type, range, default and what it is
 * for, from which metergated.conf(5) is checked.
 */
#ifndef ENFORCER_DAEMON_CONF_H
#define ENFORCER_DAEMON_CONF_H

#include "attest/policy.h"
#include "core/err.h"
#include "enforcer/daemon/rules.h"

#define CONF_PATH 256
/* User and group ids that are ours, from uid_base on; spawn.c gives them. */
#define CONF_UIDS (4 + 2 * SHARE_GUESTS)

/* struct conf.cpu, where it is no processor's number. */
#define CPU_ANY	 (-1) /* the scheduler's choice */
#define CPU_PAIR (-2) /* the two of one guest on one, guests in turn */

enum conf_prune {
	PRUNE_NEEDED,	/* the oldest records, when room is needed */
	PRUNE_COSIGNED, /* of these only what a cosigned checkpoint covers */
};

#define CONF_ANYBODY "*"

struct conf {
	char policies[CONF_PATH]; /* directory of files or images */
	bool signatures; /* required; else all of the directory is in force */
	char platform_key[CONF_PATH]; /* public keys of binding and baseline */
	char keys[CONF_PATH];	  /* C12.22 keys; empty = none */
	char audit[CONF_PATH];	  /* database; its directory is the scribe's */
	char state[CONF_PATH];	  /* directory of the policy states */
	char runtime[CONF_PATH];  /* directory of the control socket */
	char origin[128];	  /* of the audit: "meter-1.meter.example/audit" */
	char uplink[4][16];
	size_t n_uplinks;
	char resolver[NET_ADDR_TEXT]; /* the one that may be asked; or empty */
	bool bridged;
	enum rules_backend backend;
	bool offload;
	bool classify; /* nDPI names flows in the records */
	uint16_t queue_base; /* guest i has queue_base + i */
	int cpu;	     /* gate and engine are pinned to it, or CPU_... */
	uint32_t uid_base;   /* the first of CONF_UIDS: for trials, scribe,
			      * courier, engines, gates, attester */
	uint32_t max_flows;  /* of one guest */
	uint32_t max_held;   /* packets of one guest */
	uint32_t queue_len, socket_buffer;
	uint8_t min_ttl;
	uint32_t audit_batch_ms; /* group commit */
	uint64_t audit_bound;	 /* octets of the audit and its segments */
	uint64_t audit_rate;	 /* of these in a second, of one guest; 0: as
				  * many as fill the bound in an hour */
	uint8_t audit_prune;	 /* enum conf_prune */
	/* Public keys of who cosigns checkpoints, notefile.h; "": nobody. */
	char witness_keys[CONF_PATH];
	char tpm[CONF_PATH];  /* attest/link.h; "": there is none */
	uint32_t tpm_counter; /* NV index */
	bool log_key_tpm;     /* a new log is signed there */
	/* In which states of the platform, attest/policy.h; a file, or "". */
	char log_key_pcrs[POLICY_PCRS_TEXT], log_key_approvals[CONF_PATH];
	char listen[NET_ADDR_TEXT]; /* courier, towards the portal; or empty */
	uint16_t listen_port;
	char portal[48]; /* the guest that may connect there, CONF_ANYBODY, or
			  * empty: nobody listens */
	uint32_t panel_gid;   /* who may use the panel's, besides root */
	uint32_t control_gid; /* who may use the control socket besides root */
	bool clock_trusted; /* whatever the kernel says of its own clock */
};

/* Messages name file, line, column, value and remedy, like polc's. */
int conf_load(struct conf *out, const char *path, struct err *e)
	__attribute__((warn_unused_result));

/* The files that it names and other processes read later (witness-keys,
 * log-key-approvals) can be read and are what they should be; path: that of
 * the configuration, for the same messages. */
int conf_files(const struct conf *c, const char *path, struct err *e)
	__attribute__((warn_unused_result));

/* The address of the one resolver; 0: none is named, 1: *a. */
int conf_resolver(const struct conf *c, struct net_addr *a, struct err *e)
	__attribute__((warn_unused_result));

/* The rows of the file, for its manual. */
struct config_key;
const struct config_key *conf_keys(size_t *n);

#endif
