/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: one flat mapping in the strict subset of YAML, read by
 * a table of keys into a struct. Complaints are the policies' own: file,
 * line, column, value and remedy.
 */
#ifndef POLICY_LANG_FRONT_CONFIG_H
#define POLICY_LANG_FRONT_CONFIG_H

#include "policy-lang/front/front.h"

enum config_type {
	CONFIG_TEXT,   /* char[size]: printable ASCII */
	CONFIG_PATH,   /* char[size]: absolute, without "." and ".." */
	CONFIG_IFACE,  /* char[16]: the name of an interface */
	CONFIG_ADDR,   /* char[NET_ADDR_TEXT]: an IPv4 or IPv6 address */
	CONFIG_BOOL,   /* bool */
	CONFIG_NUMBER, /* of size octets: min..max, or a word */
	CONFIG_SIZE,   /* octets, "8 MiB": min..max */
	CONFIG_WORD,   /* a word of a list, as its number, in size octets */
};

struct config_word {
	const char *name; /* NULL ends the list */
	int value;
};

/* clang-format off */
struct config_key {
	const char *name;
	enum config_type type;
	size_t off, size;	/* of the member (list: of one element) */
	int64_t min, max;
	const char *fallback;	/* as it would be written; NULL: the key is
				 * required; "": the member stays zero */
	const struct config_word *words;
	size_t list;		/* more than 0: one or a list of up to so many */
	size_t count_off;	/* size_t that counts them */
};
/* clang-format on */

/* *out is zeroed first. 0; E_SYNTAX: "path:line:col: error[Pnnnn]: what; how
 * to put it right" of the first error in the file; E_NOMEM. */
int config_read(void *out, size_t size, const struct config_key *keys,
		size_t n, const char *path, struct span source, struct err *e)
	__attribute__((warn_unused_result));
/* The same from a file; E_IO when it cannot be read. */
int config_read_file(void *out, size_t size, const struct config_key *keys,
		     size_t n, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* "path:line:col" of what the file says of that key, for a complaint about
 * several keys; the path alone where it says nothing, so that the default
 * counts. */
#define CONFIG_PLACE 320
void config_place(char *out, size_t cap, const char *path, const char *key);

#endif
