/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/played.h"

#include <stdlib.h>
#include <string.h>

int played_guest(struct played_args *a, const char *text, struct err *e)
{
	struct pipeline_guest *g = &a->guest[a->n_guest];
	int rc;

	if (a->n_guest == PLAYED_GUESTS)
		return err_set(e, E_LIMIT, 0, "-g: more than %d of them",
			       PLAYED_GUESTS);
	rc = capture_guest(g, text, e);
	for (size_t i = 0; i < a->n_guest && rc == 0; i++) {
		if (capture_guests_clash(&a->guest[i], g))
			rc = err_set(e, E_SYNTAX, 0,
				     "-g %s: is bound to %s already", text,
				     a->guest[i].name);
	}
	a->n_guest += rc == 0;
	a->guest_text = text;
	return rc;
}

int played_take_guest(void *to, const char *name, const char *value,
		      struct err *e)
{
	(void)name;
	return played_guest(to, value, e);
}

int played_take_sums(void *to, const char *name, const char *value,
		     struct err *e)
{
	bool partial = strcmp(value, "partial") == 0;

	if (!partial && strcmp(value, "strict") != 0)
		return err_set(e, E_SYNTAX, 0, "%s %s: write strict or partial",
			       name, value);
	*(bool *)to = partial;
	return 0;
}

struct playing {
	const struct played_sink *sink;
	uint64_t n;
};

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	(void)arg, (void)id, (void)v, (void)why;
}

static void on_event(void *arg, const struct event *ev)
{
	struct playing *p = arg;
	bool counts = ev->type == EV_DECISION || ev->type == EV_VIOLATION ||
		      ev->type == EV_ANOMALY;

	p->n += counts;
	p->sink->event(p->sink->arg, counts ? p->n : 0, ev);
}

static int play(struct capture_player *p, const char *pcap,
		const struct pipeline_sink *sink, struct err *e)
{
	int rc = capture_player_file(p, pcap, sink, e);

	if (rc == 0)
		capture_player_end(p, sink);
	return rc ? E_IO : 0;
}

int played_run(const struct pol_set *set, struct pol_state *state,
	       const struct played_args *a, const char *pcap,
	       const struct played_sink *sink, struct pipeline_stats *stats,
	       struct err *e)
{
	const struct capture_player_conf conf = {
		.set = set,
		.state = state,
		.guests = a->guest,
		.n_guests = a->n_guest,
		.keys = a->keys,
		.dns = a->dns,
		.partial_sums = !set || a->partial,
	};
	struct playing playing = {.sink = sink};
	const struct pipeline_sink ps = {.arg = &playing,
					 .verdict = on_verdict,
					 .event = on_event};
	struct capture_player *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = capture_player_init(p, &conf, e);
	if (rc == 0)
		rc = play(p, pcap, &ps, e);
	if (rc == 0 && stats)
		*stats = *pipeline_stats(p->pipeline);
	capture_player_fini(p);
	free(p);
	return rc;
}
