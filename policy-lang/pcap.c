/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of captures: the pipeline of the gateway, and how it decided. */
#include <stdlib.h>

#include "policy-lang/played.h"
#include "policy-lang/polc.h"

/* Observations are counted, not packets; what was refused below policy too. */
static void count(void *arg, uint64_t n, const struct event *ev)
{
	struct pcap_counts *c = arg;

	if (n == 0)
		return;
	if (ev->type == EV_DECISION && ev->verdict == VERDICT_ALLOW)
		c->permit++;
	else if (ev->type != EV_DECISION && ev->verdict == VERDICT_DENY &&
		 ev->reason < REASON_COUNT)
		c->deny[ev->reason]++;
}

int pcap_play(struct scene *s, const struct pol_test_src *t, const char *pcap,
	      const char *keys, struct pcap_counts *counts, struct err *e)
{
	const struct played_sink sink = {count, counts};
	struct played_args *a = calloc(1, sizeof(*a));
	int rc = 0;

	memset(counts, 0, sizeof(*counts));
	if (!a)
		return err_set(e, E_NOMEM, 0, "out of memory");
	a->keys = keys;
	for (size_t i = 0; i < t->n_guest && rc == 0; i++)
		rc = played_guest(a, t->guest[i], e);
	if (rc == 0)
		rc = played_run(s->set, s->state, a, pcap, &sink, NULL, e);
	free(a);
	return rc;
}
