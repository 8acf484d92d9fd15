/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion of what a flow speaks, by heuristics, for whoever reads the
 * records. It is a fact about the flow and nothing else: it hears octets after
 * they were put in order, gives nothing back but a name, and nobody who judges
 * asks for that. What a flow speaks in the sense of the policy is said by the
 * dissectors alone (classify.c).
 *
 * app.h has the one there is; tests bring their own.
 */
#ifndef ENFORCER_PIPELINE_CLASSIFIER_H
#define ENFORCER_PIPELINE_CLASSIFIER_H

#include "core/event.h"

#define CLASSIFIER_NAME 48 /* octets, with the terminator */

/* What the name rests on, the weakest first. */
enum confidence {
	CONFIDENCE_NONE, /* there is no name */
	CONFIDENCE_PORT,
	CONFIDENCE_ADDRESS,
	CONFIDENCE_OCTETS,
	CONFIDENCES
};

struct app {
	char name[CLASSIFIER_NAME]; /* printable ASCII: "TLS.Google" */
	enum confidence confidence;
};

/* Flows are numbers below pipeline_conf.max_flows; one is used again for
 * another flow after its end. */
struct classifier {
	void *arg;
	void (*begin)(void *arg, uint32_t flow);
	/* Octets that end `side` of tup (0: the initiator, tup.src) sent: of a
	 * datagram, or of a stream in order. They are gone when it returns. */
	void (*hear)(void *arg, uint32_t flow, const struct net_tuple *tup,
		     unsigned side, struct span octets, struct now now);
	/* There will be no more; the answer stays until the next begin. */
	void (*end)(void *arg, uint32_t flow);
	/* What it knows by now; false: nothing. */
	bool (*answer)(const void *arg, uint32_t flow, struct app *out);
};

const char *confidence_name(enum confidence c); /* "octets" */
/* That answer as facts of the flow's end; they borrow from app. */
void classifier_facts(struct obs *close, const struct app *app);

#endif
