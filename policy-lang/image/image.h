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

/* All of it for people, from the octets alone; false when w is too small
 * (256 KiB hold every image). */
struct wbuf;
bool pol_image_print(const struct pol_image *i, struct wbuf *w);

/* SHA-256 for source digests: the front end has no crypto of its own. */
void pol_digest(struct span s, uint8_t out[32]);

#endif
