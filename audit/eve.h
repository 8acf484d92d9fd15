/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as JSON, one line each, in the shape of Suricata's EVE: timestamp,
 * event_type, flow_id, src_ip, src_port, dest_ip, dest_port, proto,
 * app_proto, the protocol's own object, and a metergate object with verdict,
 * rule, reason, guest, party, measurement, granularity_s, readings, span_s,
 * op, object. Keys always in the same order.
 */
#ifndef AUDIT_EVE_H
#define AUDIT_EVE_H

#include "core/event.h"
#include "core/json.h"

#define EVE_LINE_MAX (256 * 1024)

/* Parts of lines that were written before: those of a unit begin alike, and
 * so do those of a flow, and few rules decide most. Given zeroed, for one
 * writer. */
#define EVE_MEMO  32
#define EVE_RULES 600 /* octets; longer ones are written each time */
struct eve_memo {
	struct wall wall;
	char when[CLOCK_TEXT];
	struct {
		struct net_tuple t;
		uint8_t n; /* 0: nothing yet */
		uint8_t text[200];
	} ends[EVE_MEMO];
	/* Rules that decided, as they were told and as they were written. */
	struct {
		uint16_t said_n, n; /* 0: nothing yet */
		uint8_t said[EVE_RULES], text[EVE_RULES];
	} rules[EVE_MEMO];
};

struct eve_opts {
	bool values;	/* show values and table data */
	bool has_seq;	/* rendered from an audit record: its number */
	uint64_t seq;
	/* Name of a C12.22 service code, or NULL: c1222_service_name. */
	const char *(*service_name)(uint8_t code);
	/* From an audit record: the name it carries, which then counts. */
	struct span service;
	unsigned line; /* which of eve_lines */
	struct eve_memo *memo; /* or NULL */
};

/* How many lines an event is: one; but an EV_PROTOCOL event of HTTP has one
 * for each oBIX object in the unit, and then one for the exchange, if the unit
 * ends it: none, or several. One of opaque octets has none. */
unsigned eve_lines(const struct event *ev);

/* One line with its newline; false when it did not fit (j is then useless).
 * An EV_PROTOCOL event of C12.22 gives one object per APDU with a list of
 * services. */
bool eve_event(struct json *j, const struct event *ev,
	       const struct eve_opts *o);

/* The same for people: one line of text, no colours. */
bool eve_text(struct wbuf *w, const struct event *ev,
	      const struct eve_opts *o);

#endif
