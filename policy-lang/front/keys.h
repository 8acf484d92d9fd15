/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of C12.22 keys, in the strict subset of YAML:
 *
 *   "*":                        any ApTitle, or one, absolute or relative
 *     1: 2b7e151628aed2a6abf7158809cf4f3c
 *   .71.1001:
 *     2: 000102030405060708090a0b0c0d0e0f
 *
 * Messages never show what stands where a key belongs.
 */
#ifndef POLICY_LANG_FRONT_KEYS_H
#define POLICY_LANG_FRONT_KEYS_H

#include "core/err.h"
#include "core/span.h"

#define POL_KEYS_MAX  256
#define POL_KEY_TITLE 64

struct pol_key {
	uint8_t title[POL_KEY_TITLE]; /* contents octets, absolute */
	uint8_t title_n;              /* 0 = any */
	uint8_t key_id;
	uint8_t key[16];
};

struct pol_keys {
	struct pol_key *v; /* the titles in the order of the file's text */
	size_t n;
};

/* 0, E_SYNTAX ("path:line:col: what"), E_LIMIT, E_IO, E_NOMEM. */
int pol_read_keys(struct pol_keys *out, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* The same from octets in memory; path is for messages. */
int pol_parse_keys(struct pol_keys *out, const char *path, struct span source,
		   struct err *e) __attribute__((warn_unused_result));
void pol_keys_free(struct pol_keys *k); /* wipes them */

#endif
