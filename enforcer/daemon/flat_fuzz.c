/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets as an event from an engine that was taken over. Properties: what is
 * accepted is written again as the same octets; its record can be made, reads
 * back, and both have a line of EVE.
 */
#include <assert.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "audit/eve.h"
#include "audit/record.h"
#include "enforcer/daemon/flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct room {
	struct flat_event in;
	struct obs leaves[FLAT_LEAVES];
	struct record_view view;
	uint8_t again[FLAT_MAX], line[EVE_LINE_MAX];
};

static void check_line(struct room *r, const struct event *ev)
{
	struct json j = json_of(r->line, sizeof(r->line));
	struct wbuf w = wbuf_of(r->line, sizeof(r->line));
	struct eve_opts o = {0};

	/* A message of a thousand leaves may be longer than a line. */
	if (eve_event(&j, ev, &o))
		assert(j.w.n > 2 && r->line[j.w.n - 1] == '\n');
	else
		assert(ev->type == EV_PROTOCOL);
	if (eve_text(&w, ev, &o))
		assert(w.n > 1 && r->line[w.n - 1] == '\n');
}

static void check_record(struct room *r, const struct event *ev)
{
	struct record rec = {
		.kind = record_kind_of(ev),
		.ev = ev,
	};
	uint8_t octets[RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct err e = {0};

	if (!audit_wants(ev))
		return;
	rec.flags = record_class(rec.kind, ev);
	assert(record_encode(&w, &rec, &e) == 0);
	/* A record that cannot be read would end the log. */
	assert(record_decode(&r->view, wbuf_span(&w), &e) == 0);
	check_line(r, &r->view.ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct room *r = malloc(sizeof(*r));
	struct wbuf w;
	struct err e = {0};
	int rc;

	assert(r);
	r->in.leaves = r->leaves;
	w = wbuf_of(r->again, sizeof(r->again));
	rc = flat_read(&r->in, span_of(data, size), &e);
	assert(rc == 0 || (rc == E_SYNTAX && e.text[0]));
	if (rc == 0) {
		flat_write(&w, &r->in.ev);
		assert(span_eq(wbuf_span(&w), span_of(data, size)));
		check_line(r, &r->in.ev);
		check_record(r, &r->in.ev);
	}
	free(r);
	return 0;
}
