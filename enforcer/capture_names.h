/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which interface a packet of a pcapng file came from. libpcap does not say,
 * so this looks over its shoulder: it is given the octets of the file as they
 * are read, and asked once for each packet that libpcap returned.
 *
 * It checks nothing that libpcap checks; of a file that libpcap refuses it
 * says nothing of use. Blocks: draft-ietf-opsawg-pcapng, sections 4.1 to 4.4.
 */
#ifndef ENFORCER_CAPTURE_NAMES_H
#define ENFORCER_CAPTURE_NAMES_H

#include "core/span.h"

#define CAPTURE_NAMES     64  /* different ones; packets of more have none */
#define CAPTURE_NAME_MAX  15  /* octets, the kernel's bound */
#define CAPTURE_BLOCK_MAX 512 /* octets of a block that are looked at */
/* Packets between the octets given and the packets asked for: blocks of 16
 * octets or more in what may be read ahead. */
#define CAPTURE_AHEAD 262144

struct capture_names {
	uint8_t block[CAPTURE_BLOCK_MAX];
	size_t n;       /* octets of the block held */
	uint64_t left;  /* octets of it still to come */
	bool msb, lost; /* lost: says nothing any more */
	uint16_t n_iface;
	uint8_t iface[CAPTURE_NAMES]; /* of this section -> name + 1 */
	size_t n_names;
	struct {
		uint8_t n, p[CAPTURE_NAME_MAX];
	} name[CAPTURE_NAMES];
	size_t head, ahead;
	uint8_t packet[CAPTURE_AHEAD]; /* name + 1 of each, 0 = none */
};

void capture_names_read(struct capture_names *c, struct span octets);
/* The next packet's; empty when it is not known. */
struct span capture_names_next(struct capture_names *c);

#endif
