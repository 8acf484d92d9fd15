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
	uint16_t sub_ns;   /* nanoseconds beyond us, 0..999 */
	struct span iface; /* name of its interface, where a pcapng file says
			    * one; valid until the capture is closed */
};
/* 1: a packet; 0: the end; negative: e says what and at which packet. */
int capture_next(struct capture *c, struct capture_packet *out, struct err *e)
	__attribute__((warn_unused_result));
/* Octets read and size of the file (0 when not known), for progress. */
void capture_progress(const struct capture *c, uint64_t *at, uint64_t *size);

/* Called before each read that may block, when the input is a pipe: what was
 * made of the packets so far should be shown first. */
void capture_on_wait(struct capture *c, void (*wait)(void *arg), void *arg);

/* The form of a file: what an output made from it must have too. */
struct capture_format {
	int linktype; /* libpcap's DLT_ number */
	uint32_t snaplen;
	bool nano; /* time stamps in nanoseconds, else microseconds */
};
void capture_format(const struct capture *c, struct capture_format *out);
/* Widen f so that it also holds packets of g. E_UNSUPPORTED when the link
 * types differ: a pcap file has only one. */
int capture_format_join(struct capture_format *f,
			const struct capture_format *g, struct err *e)
	__attribute__((warn_unused_result));

/* Writing pcap: to a temporary name beside path. capture_finish puts all of
 * it on the disk and closes it, capture_commit (which does that if it was not
 * done) gives it its name and frees; capture_abort leaves nothing behind and
 * takes NULL. path must not be anything but a regular file or nothing. */
struct capture_out;
int capture_create(struct capture_out **out, const char *path,
		   const struct capture_format *f, struct err *e)
	__attribute__((warn_unused_result));
int capture_write(struct capture_out *o, const struct capture_packet *p,
		  struct err *e) __attribute__((warn_unused_result));
int capture_finish(struct capture_out *o, struct err *e)
	__attribute__((warn_unused_result));
int capture_commit(struct capture_out *o, struct err *e) /* frees always */
	__attribute__((warn_unused_result));
void capture_abort(struct capture_out *o);

#endif
