/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ANSI C12.22 / IEEE 1703 over UDP and TCP (RFC 6142), with C12.19 tables.
 *
 * One unit is one ACSE APDU. See dissector.h for the contract; here is what
 * is special.
 *
 * - A datagram is framed whole: dissect() refuses what stands behind its APDU.
 * - The carrier is c1222.message; one leaf per service follows it. What was
 *   opened with a held key has SECURITY 1. A sealed message whose key is not
 *   held is refused with UNKNOWN_KEY: to policy it is opaque.
 * - A response is read with its request and takes over table, offset, index
 *   and count; ANSWERS holds the request's code. Result ok: the response kind
 *   of the request; else c1222.error.
 * - Segments: dissect() returns E_MORE with a c1222.segment carrier; settle
 *   with passed means that the caller keeps the packet, else the slice is
 *   forgotten. The message that the last segment completes has SEG_TOTAL on
 *   its carrier: held segments with its CALLED, CALLING and CALLING_INV belong
 *   to it. Slices older than 10 s complete nothing.
 * - RETRY on the carrier: a request sent again over UDP before its answer.
 * - Secured messages need a wall clock: without one every IV is stale.
 * - Not undone by settle(false): the count of wrong MACs per peer and key.
 */
#ifndef DISSECTORS_C1222_C1222_H
#define DISSECTORS_C1222_C1222_H

#include "crypto/aes.h"
#include "dissectors/dissector.h"

#define C1222_PORT	     1153
#define C1222_KEYS_MAX	     256
#define C1222_OID_MAX	     64
#define C1222_IV_WINDOW_S    900 /* message acceptance window */

/* A key for the messages to or from one ApTitle; title_n 0 means any. */
struct c1222_key {
	uint8_t title[C1222_OID_MAX]; /* absolute, contents octets */
	uint8_t title_n;
	uint8_t key_id;
	uint8_t key[16];
};

/* What a meter profile (policy-language section 8) says of the tables. */
#define C1222_PROFILE_TABLES 32
struct c1222_profile {
	bool present;
	uint64_t register_res_milli_wh; /* register-resolution; 0 = unknown */
	struct {
		uint16_t table;
		uint32_t interval_s;
	} load_profile[4]; /* tables 64..67; interval 0 = not stated */
	struct {
		uint16_t table; /* 2048 and up */
		meas_set meas;
	} mfg[C1222_PROFILE_TABLES];
	uint32_t n_mfg;
};

/* Constant after start; the caller owns it and wipes the keys at exit. */
struct c1222_conf {
	const struct c1222_key *keys;
	size_t n_keys;
	struct c1222_profile profile;
	struct aes128 *aes; /* made by the shell at start; used by one thread.
			     * NULL: no keys, sealed messages are opaque */
	bool values; /* decode table data for people to read: F_DECODED */
};

extern const struct dissector dissector_c1222;

/* Names for output: "full-read", "pread-index-3", "ok", "onp". The request
 * name for codes from 0x20, the response name below; NULL when unknown. */
const char *c1222_service_name(uint8_t code);

#endif
