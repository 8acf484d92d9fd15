/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPSEM: the payload of an APDU (c1222.md section 5).
 *
 *   <control> [<ed-class: 4>] { <length> <service octets> } [<mac: 4>]
 */
#ifndef DISSECTORS_C1222_EPSEM_H
#define DISSECTORS_C1222_EPSEM_H

#include "core/err.h"
#include "core/span.h"
#include "dissectors/c1222/service.h"

/* Services in one EPSEM; a message with more is refused. */
#define EPSEM_MAX_PDUS SERVICE_MAX

#define EPSEM_RECOVERY 0x40
#define EPSEM_PROXY    0x20
#define EPSEM_ED_CLASS 0x10

/* The parts that are visible without a key. */
struct epsem_head {
	uint8_t control;
	uint8_t mode;     /* 0 clear, 1 authenticated, 2 ciphertext */
	uint8_t respond;  /* 0 always, 1 on exception, 2 never */
	struct span body; /* between control and MAC, maybe ciphertext */
	struct span mac;  /* empty in mode 0 */
};

struct epsem {
	struct span ed_class; /* empty = absent */
	bool responses;       /* all of pdu are; of no meaning when n is 0 */
	bool not_minimal;
	uint32_t n;
	struct {
		struct span octets; /* at least one */
		size_t at;
	} pdu[EPSEM_MAX_PDUS];
};

/* at: offset of the octets in the unit, for errors. */
int epsem_read_head(struct epsem_head *h, struct span octets, size_t at,
		    struct err *e) __attribute__((warn_unused_result));

/* Cut the clear body into services. at: offset of the body, or of where its
 * ciphertext stood. Returns 0 or a negative errcode with reason: MALFORMED,
 * SUSPICIOUS (empty service, requests mixed with responses), TOO_MANY_UNITS. */
int epsem_read(struct epsem *p, const struct epsem_head *h, struct span body,
	       size_t at, struct err *e) __attribute__((warn_unused_result));

#endif
