/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of metergated. Each is a function that the parent calls in a
 * forked child; it enters its sandbox, loops, and returns its exit status.
 * What it owns, it was given: no process opens anything by name after it
 * entered (the scribe within one directory).
 */
#ifndef ENFORCER_DAEMON_PROCESSES_H
#define ENFORCER_DAEMON_PROCESSES_H

#include "core/log.h"
#include "enforcer/daemon/conf.h"
#include "enforcer/daemon/sandbox.h"
#include "enforcer/daemon/share.h"
#include "enforcer/daemon/window.h"

struct cards;
struct offer;

struct guest_share { /* one guest, as the processes see it */
	char name[48];
	size_t machine; /* index in the policy set */
	uint16_t queue;
	struct lane *lane;
	void *verdicts, *events; /* memory of the rings */
	void *slots;		 /* ENGINE_SLOTS octets; the engine's alone */
	void *state;		 /* of the policy; survives the engine */
	size_t state_octets;
	bool restarted; /* the machine, since somebody began with state */
	/* the guest's own addresses: what the gate may craft for */
	struct pol_prefix addr[16];
	size_t n_addr;
};

struct engine_arg {
	struct log *log;
	const struct conf *conf;
	struct guest_share *guest;
	struct control *control;
	const struct policy_half *half[2];
	uint32_t use; /* which half to start with */
	/* The ledger, to be read until its own counters are settled; NULL:
	 * there is none, and nobody is asked for credit. */
	void *ledger;
	size_t ledger_octets;
	int queue_fd, wake_fd; /* netlink socket; eventfd of queries */
	struct sandbox_conf sandbox;
};
int engine_main(const struct engine_arg *a);

struct gate_arg {
	struct log *log;
	const struct conf *conf;
	struct guest_share *guest;
	struct control *control;
	int queue_fd;
	int raw4_fd, raw6_fd; /* IPPROTO_RAW, header included, MARK_GATE_OF */
	int packet_fd;	      /* AF_PACKET; bridged only, else -1 */
	struct sandbox_conf sandbox;
};
int gate_main(const struct gate_arg *a);
/* Wake it: something was asked of it in the lane. */
void gate_poke(const struct guest_share *g);

struct scribe_arg {
	struct log *log;
	const struct conf *conf;
	struct guest_share *guest;
	size_t n_guests;
	void *parent_events; /* the parent's own event ring */
	struct control *control;
	struct view *view;
	struct window *window;
	int courier_fd; /* eventfd: something is in the window */
	/* The attester; where to ask it. */
	const struct attester_share *attester;
	int attester_fd;
	/* The ledger: memory that engines may read, and its two files. */
	void *state;
	size_t state_octets;
	int ledger_fd[2];
	const struct policy_half *half[2];
	uint8_t boot_key[32];
	struct sandbox_conf sandbox;
};
int scribe_main(const struct scribe_arg *a);

struct attester_arg {
	struct log *log;
	const struct conf *conf;
	struct attester_share *share;
	int fd; /* questions come there */
	struct sandbox_conf sandbox; /* its descriptors are found later */
};
int attester_main(const struct attester_arg *a);

struct courier_arg {
	struct log *log;
	const struct conf *conf;
	const struct guest_share *guest;
	size_t n_guests;
	struct control *control;
	const struct view *view;
	struct window *window;
	const struct cards *cards; /* of the policies in force */
	struct offer *offer;	   /* a customer's file, to the parent */
	int wake_fd;	 /* eventfd: something is in the window */
	int operator_fd; /* listening Unix socket */
	int portal_fd;	 /* listening TCP socket, or -1 */
	struct sandbox_conf sandbox;
};
int courier_main(const struct courier_arg *a);

#endif
