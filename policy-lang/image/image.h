/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled form of one policy file (layout.h says byte by byte what it
 * is): built by polc, verified once when loaded, read in place, never
 * changed.
 */
#ifndef POLICY_LANG_IMAGE_IMAGE_H
#define POLICY_LANG_IMAGE_IMAGE_H

#include "core/err.h"
#include "core/span.h"
#include "policy-lang/image/model.h"

struct pol_image; /* a verified view of borrowed octets */

/* Verify all of it (section 20.1) and give a view. octets must stay valid and
 * 8-byte aligned. E_SYNTAX, E_INTEGRITY (checksum, digest), E_UNSUPPORTED
 * (major version), E_LIMIT. */
int pol_image_load(struct pol_image **out, struct span octets, struct err *e)
	__attribute__((warn_unused_result));
void pol_image_free(struct pol_image *i);

enum pol_kind pol_image_kind(const struct pol_image *i);
struct span pol_image_id(const struct pol_image *i);
struct span pol_image_vm(const struct pol_image *i); /* vendor */
uint64_t pol_image_serial(const struct pol_image *i);
void pol_image_digest(const struct pol_image *i, uint8_t out[32]);

/* Write the image of a checked file to a heap block of *n octets that the
 * caller frees. Deterministic: the same policy gives the same octets. */
int pol_image_build(uint8_t **out, size_t *n, const struct pol_file *f,
		    struct err *e) __attribute__((warn_unused_result));

/* The key that an image says to be signed with; NULL: with none. Borrowed. */
const uint8_t *pol_image_signer(const struct pol_image *i);
/* Did the owner of this key sign all of it? E_AUTH: another key, or no
 * signature; E_INTEGRITY: its octets are not those that were signed. */
int pol_image_signed_by(const struct pol_image *i, const uint8_t key[32],
			struct err *e) __attribute__((warn_unused_result));
/* The same image with a signature, in place of one it may have: a heap block
 * of *n octets that the caller frees. */
struct sign_key;
int pol_image_sign(uint8_t **out, size_t *n, const struct pol_image *i,
		   const struct sign_key *key, struct err *e)
	__attribute__((warn_unused_result));
/* The same image with a label of n rows, in place of one it may have, and not
 * signed: a heap block of *size octets that the caller frees. E_NOMEM; E_LIMIT
 * when it has no room for one. */
struct lay_label;
int pol_image_label(uint8_t **out, size_t *size, const struct pol_image *i,
		    const struct lay_label *row, uint32_t n, struct err *e)
	__attribute__((warn_unused_result));
bool pol_image_labelled(const struct pol_image *i);
/* Of its canonical source and what that includes. */
void pol_image_source(const struct pol_image *i, uint8_t out[32]);
/* The key that a binding wants policy id to be signed with, one per machine
 * that has this policy: calls each(arg, machine, key), key NULL where the
 * binding has none of that name. Returns the number of machines. */
size_t pol_image_keys(const struct pol_image *binding, struct span id,
		      void (*each)(void *arg, struct span machine,
				   struct span key_name, const uint8_t *key),
		      void *arg);

/* All of it for people, from the octets alone, with nothing that a terminal
 * would act on; false when w is too small or memory was. */
struct wbuf;
bool pol_image_print(const struct pol_image *i, struct wbuf *w);
/* The same of one rule or restriction. */
bool pol_image_print_rule(const struct pol_image *i, uint32_t rule,
			  struct wbuf *w);
/* All of it for programs: one line of JSON for the header, for each section
 * and for each row, in the order of the file and with the names of layout.h;
 * times and durations as they are stored. E_NOMEM. */
int pol_image_dump(const struct pol_image *i,
		   void (*each)(void *arg, struct span json), void *arg,
		   struct err *e) __attribute__((warn_unused_result));

/* SHA-256 for source digests: the front end has no crypto of its own. */
void pol_digest(struct span s, uint8_t out[32]);

#endif
