/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was activated, on the disk (policy-language section 17): the images in
 * force, so that a bad directory changes nothing over a restart either, and
 * the highest serial of each policy that was ever accepted. One file in the
 * state directory, written anew and renamed, so that it holds the whole of
 * one moment or of the one before.
 *
 * Its checksum finds damage. Who can write the state directory is root and
 * can do more; images are held to their signatures again when they are read
 * (activate.c).
 */
#ifndef ENFORCER_DAEMON_POLICY_STORE_H
#define ENFORCER_DAEMON_POLICY_STORE_H

#include "enforcer/capture_policy.h"

#define STORE_FILE   "policies"
#define STORE_IMAGES CAPTURE_POLICIES
#define STORE_SEEN   256
#define STORE_VOIDS  4096 /* answers: of each rule that may be asked about */
/* Times in it are within these: what is added to them cannot overflow. */
#define STORE_NS_MAX (INT64_C(1) << 61)
#define STORE_US_MAX (STORE_NS_MAX / 1000)
#define STORE_TEXT   (24u << 10)
#define STORE_ID     128 /* octets of a policy's id, terminated */

struct store_image {
	uint8_t *octets; /* owned */
	size_t n;
	struct pol_image *image; /* of these */
};

struct store_seen {
	enum pol_kind kind;
	char id[STORE_ID];
	uint64_t serial;    /* the highest */
	uint8_t digest[32]; /* of what had it */
};

struct store_staged { /* it waits */
	struct store_image image;
	bool confirmed;	    /* by the customer; what is left is a restart */
	bool notice;	    /* the baseline's notice is enough */
	bool together;	    /* only with the others of this kind */
	int64_t elapsed_ns; /* of the notice */
};

struct store_clock { /* when the elapsed times were written */
	uint8_t boot[16];
	int64_t mono_ns, wall_us;
};

/* Answers of the customer's file in force that count no more: their numbers,
 * rising. Of another file than this they say nothing. */
struct store_voids {
	uint8_t of[32]; /* digest of the file */
	uint32_t answer[STORE_VOIDS];
	size_t n;
};

struct policy_store {
	struct store_image force[STORE_IMAGES];
	size_t n_force; /* 0: nothing was ever activated */
	struct store_staged staged[STORE_IMAGES];
	size_t n_staged;
	/* What the customer's file that waits changes of what is in force, for
	 * people; without it nobody may confirm one. */
	char customer[STORE_TEXT];
	struct store_clock clock;
	struct store_voids voids;
	struct store_seen seen[STORE_SEEN];
	size_t n_seen;
};

/* The octets of a file, and a file's octets. E_INTEGRITY, E_SYNTAX: it is
 * damaged; E_UNSUPPORTED: another version wrote it; *s is empty then. */
int store_parse(struct policy_store *s, struct span all, struct err *e)
	__attribute__((warn_unused_result));
/* *octets: heap, the caller's. E_NOMEM; E_LIMIT: more than is ever read. */
int store_form(const struct policy_store *s, uint8_t **octets, size_t *n,
	       struct err *e) __attribute__((warn_unused_result));
/* No file: nothing was activated. E_INTEGRITY, E_SYNTAX: it is damaged. */
int store_read(struct policy_store *s, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
/* All of it is on the disk, or what was there before is. */
int store_write(const struct policy_store *s, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
void store_free(struct policy_store *s);

/* The image in force of this kind and id, or NULL. */
const struct pol_image *store_in_force(const struct policy_store *s,
				       enum pol_kind kind, struct span id);
/* The same policy, whatever its signature and the places in its source? */
bool store_same(const struct pol_image *a, const struct pol_image *b);
/* May it be accepted? What is in force may; else its serial has to be higher
 * than any that was seen of its kind and id, or be that one; the customer's has
 * one place, whatever its id. E_STATE says what was seen. */
int store_serial(const struct policy_store *s, const struct pol_image *im,
		 struct err *e) __attribute__((warn_unused_result));
/* It was accepted. E_LIMIT: more policies than can be remembered. */
int store_see(struct policy_store *s, const struct pol_image *im,
	      struct err *e) __attribute__((warn_unused_result));
/* What waits with this content, or NULL. */
struct store_staged *store_find_staged(struct policy_store *s,
				       const struct pol_image *im);
/* One more that waits: a copy of octets. E_NOMEM, E_LIMIT. */
int store_stage(struct policy_store *s, struct span octets,
		struct store_staged how, struct err *e)
	__attribute__((warn_unused_result));
void store_unstage(struct policy_store *s, size_t i);
void store_unstage_all(struct policy_store *s);

/* These and no others are in force: copies. E_NOMEM leaves it as it was. */
int store_force(struct policy_store *s, const struct capture_policy *from,
		struct err *e)
	__attribute__((warn_unused_result));
/* Are they? */
bool store_is_force(const struct policy_store *s,
		    const struct capture_policy *from);

#endif
