/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of captures: the pipeline of the gateway, and how it decided. */
#include <stdio.h>
#include <stdlib.h>

#include "enforcer/capture.h"
#include "enforcer/capture_clock.h"
#include "enforcer/capture_guest.h"
#include "enforcer/capture_keys.h"
#include "policy-lang/polc.h"

#define MAX_GUESTS 16

struct player {
	struct capture_keys keys;
	struct pipeline_guest guest[MAX_GUESTS];
	struct pipeline *pipeline;
	struct capture_clock clock;
	struct pcap_counts *counts;
};

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	(void)arg, (void)id, (void)v, (void)why;
}

/* Observations are counted, not packets; what was refused below policy too. */
static void on_event(void *arg, const struct event *ev)
{
	struct player *p = arg;

	if (ev->type == EV_DECISION && ev->verdict == VERDICT_ALLOW)
		p->counts->permit++;
	else if ((ev->type == EV_VIOLATION || ev->type == EV_ANOMALY) &&
		 ev->verdict == VERDICT_DENY && ev->reason < REASON_COUNT)
		p->counts->deny[ev->reason]++;
}

static int start(struct player *p, struct scene *s,
		 const struct pol_test_src *t, const char *keys, struct err *e)
{
	struct pipeline_conf conf = {
		.policy = s->set,
		.state = s->state,
		/* Fixed, so that the test always runs in the same way. */
		.key = {0x6d65746572676174, 0x652d706f6c637465},
		.checksums = true,
		.guests = p->guest,
		.n_guests = t->n_guest,
	};
	int rc = capture_keys_load(&p->keys, keys, s->set, e);

	for (size_t i = 0; i < t->n_guest && i < MAX_GUESTS && rc == 0; i++) {
		rc = capture_guest(&p->guest[i], t->guest[i], e);
		for (size_t k = 0; k < i && rc == 0; k++) {
			if (capture_guests_clash(&p->guest[k], &p->guest[i]))
				rc = err_set(e, E_SYNTAX, 0,
					     "%s: is bound to %s already",
					     t->guest[i], p->guest[k].name);
		}
	}
	for (size_t i = 0; i < DISSECTORS_MAX && dissectors[i]; i++) {
		if (dissectors[i] == &dissector_c1222)
			conf.dissector_conf[i] = &p->keys.conf;
	}
	if (rc == 0)
		rc = capture_clock_init(&p->clock, span_str(s->zone), e);
	return rc ? rc : pipeline_new(&p->pipeline, &conf, e);
}

static int play(struct player *p, const char *path, struct err *e)
{
	const struct pipeline_sink sink = {.arg = p,
					   .verdict = on_verdict,
					   .event = on_event};
	struct capture_packet cp;
	struct capture *c;
	uint64_t n = 0;
	int rc = capture_open(&c, path, e);

	if (rc)
		return rc;
	while ((rc = capture_next(c, &cp, e)) > 0) {
		struct packet_in in = {.id = n + 1, .pcap_cnt = n + 1,
				       .now = capture_clock_at(&p->clock,
							       cp.us),
				       .link = cp.link,
				       .octets = cp.octets,
				       .wire_len = cp.wire_len,
				       .iface = cp.iface};

		n++;
		pipeline_tick(p->pipeline, in.now, &sink);
		pipeline_packet(p->pipeline, &in, &sink);
	}
	pipeline_end(p->pipeline, p->clock.now, &sink);
	capture_close(c);
	return rc;
}

int pcap_play(struct scene *s, const struct pol_test_src *t, const char *pcap,
	      const char *keys, struct pcap_counts *counts, struct err *e)
{
	struct player *p = calloc(1, sizeof(*p));
	int rc;

	memset(counts, 0, sizeof(*counts));
	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	p->counts = counts;
	rc = start(p, s, t, keys, e);
	if (rc == 0)
		rc = play(p, pcap, e);
	if (p->pipeline)
		pipeline_free(p->pipeline);
	capture_keys_free(&p->keys);
	free(p);
	return rc;
}
