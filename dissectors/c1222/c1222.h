/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ANSI C12.22 / IEEE 1703 over UDP and TCP (RFC 6142), with C12.19 tables.
 *
 * One unit is one ACSE APDU. See dissector.h for the contract; here is what
 * the shell has to give.
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
};

extern const struct dissector dissector_c1222;

/* Names for output: "full-read", "pread-index-3", "ok", "onp". The request
 * name for codes from 0x20, the response name below; NULL when unknown. */
const char *c1222_service_name(uint8_t code);

#endif
