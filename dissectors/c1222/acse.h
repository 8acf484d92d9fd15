/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACSE APDU (c1222.md section 4): addresses, ids, authentication value
 * and user information, each element at most once and in order.
 *
 *   60 <len> [A1] [A2] [A3] [A4] [A6] [A7] A8 [8B] [AC] BE
 */
#ifndef DISSECTORS_C1222_ACSE_H
#define DISSECTORS_C1222_ACSE_H

#include "core/arena.h"
#include "core/err.h"
#include "dissectors/c1222/ber.h"

#define ACSE_TAG 0x60

enum acse_element {
	ACSE_CONTEXT,     /* A1 */
	ACSE_CALLED,      /* A2 */
	ACSE_CALLED_AE,   /* A3: total size, in segments only */
	ACSE_CALLED_INV,  /* A4 */
	ACSE_CALLING,     /* A6 */
	ACSE_CALLING_AE,  /* A7 */
	ACSE_CALLING_INV, /* A8 */
	ACSE_MECHANISM,   /* 8B */
	ACSE_AUTH,        /* AC */
	ACSE_USER,        /* BE */
	ACSE_ELEMENTS
};

enum acse_auth {
	ACSE_AUTH_NONE,
	ACSE_AUTH_C1222, /* key id and IV */
	ACSE_AUTH_C1221, /* the exchange of C12.21: tag and data */
	ACSE_AUTH_OCTETS,
};

/* A7, bits */
#define ACSE_AE_TEST         1
#define ACSE_AE_URGENT       2
#define ACSE_AE_NOTIFICATION 4

struct acse {
	uint16_t have; /* bit per enum acse_element */
	bool not_minimal;
	struct span context, mechanism;
	struct span called, calling; /* absolute; empty = absent */
	uint32_t total;              /* A3 */
	uint32_t called_inv, calling_inv;
	uint8_t ae_qualifier;
	enum acse_auth auth;
	uint8_t auth_tag;       /* C12.21: 80, 81 or 82 */
	struct span auth_value; /* C12.21: the element; else the octets */
	bool has_key_id, has_iv;
	uint8_t key_id;
	uint32_t iv;
	uint32_t offset;    /* the integer before 81; 0 when absent */
	struct span octets; /* of 81: the EPSEM, or the slice of a segment */
	size_t octets_at;
	/* As received, for the canonical cleartext; only where `have` has it.
	 * Last, so that it need not be cleared. */
	struct span el[ACSE_ELEMENTS];
};

static inline bool acse_has(const struct acse *a, enum acse_element el)
{
	return a->have >> el & 1;
}

/* A message is a segment exactly when A3 is present. */
static inline bool acse_is_segment(const struct acse *a)
{
	return acse_has(a, ACSE_CALLED_AE);
}

/*
 * Read a whole APDU. Titles in relative form are completed in the arena; all
 * else is borrowed from unit. Returns 0, or a negative errcode with reason:
 * MALFORMED, SUSPICIOUS (readable two ways), LEGACY (March 2006 or January
 * 2008 form), RESOURCE.
 */
int acse_read(struct acse *a, struct span unit, struct arena *arena,
	      struct err *e) __attribute__((warn_unused_result));

/*
 * Octets of the APDU at the start of in, by its header alone. Returns 0 with
 * *len, E_MORE (*len 0: the header itself is not complete), or E_SYNTAX.
 */
int acse_length(struct span in, size_t *len, struct err *e)
	__attribute__((warn_unused_result));

#endif
