/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files, pcap and pcapng, through libpcap. */
#ifndef ENFORCER_CAPTURE_H
#define ENFORCER_CAPTURE_H

#include "core/err.h"
#include "enforcer/pipeline/pipeline.h"

struct capture;

/* path "-" reads standard input. E_IO, E_SYNTAX (not a capture),
 * E_UNSUPPORTED (link type), with texts for the user. */
int capture_open(struct capture **out, const char *path, struct err *e)
	__attribute__((warn_unused_result));
void capture_close(struct capture *c);

struct capture_packet {
	struct span octets; /* borrowed until the next call */
	uint32_t wire_len;
	int64_t us; /* since 1970 */
	enum link_type link;
};
/* 1: a packet; 0: the end; negative: e says what and at which packet. */
int capture_next(struct capture *c, struct capture_packet *out, struct err *e)
	__attribute__((warn_unused_result));
/* Octets read and size of the file (0 when not known), for progress. */
void capture_progress(const struct capture *c, uint64_t *at, uint64_t *size);

/* Writing: to a temporary name beside path, renamed by commit; abort (or a
 * NULL-safe close after an error) leaves nothing behind. */
struct capture_out;
int capture_create(struct capture_out **out, const char *path,
		   const struct capture *like, struct err *e)
	__attribute__((warn_unused_result));
int capture_write(struct capture_out *o, const struct capture_packet *p,
		  struct err *e) __attribute__((warn_unused_result));
int capture_commit(struct capture_out *o, struct err *e) /* frees */
	__attribute__((warn_unused_result));
void capture_abort(struct capture_out *o);

#endif
