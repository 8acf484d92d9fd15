/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/anchoring.h"

int anchoring_meet(struct anchoring *g, struct audit *a, struct err *e)
{
	int rc = g->tpm.state(g->tpm.arg, g->pcr, &g->counter, e);

	g->met = false;
	return rc ? rc : audit_place(a, &g->place, g->pcr, g->counter, e);
}

/* One extend, and nobody else's between. */
static int extend(struct anchoring *g, const uint8_t digest[SHA256_LEN],
		  struct err *e)
{
	uint8_t after[SHA256_LEN];
	int rc = g->tpm.extend(g->tpm.arg, digest, after, e);

	if (rc)
		return rc;
	anchor_extend(g->pcr, digest);
	return memcmp(after, g->pcr, sizeof(after)) == 0
		       ? 0
		       : err_set(e, E_INTEGRITY, 0, "PCR 13 of the TPM was "
				 "extended by somebody else");
}

/* Up to a number that the log says, if it is not there yet. */
static int count_to(struct anchoring *g, uint64_t said, struct err *e)
{
	int rc = 0;

	/* It is one more at most: anchor_find refuses others. */
	if (g->counter < said)
		rc = g->tpm.increment(g->tpm.arg, &g->counter, e);
	return rc;
}

struct pending {
	struct anchoring *g;
	struct audit *a;
};

static int extend_one(void *arg, uint64_t size,
		      const uint8_t digest[SHA256_LEN], struct err *e)
{
	const struct pending *p = arg;
	int rc = extend(p->g, digest, e);

	if (rc == 0) {
		p->g->done = size;
		audit_anchored(p->a, size);
	}
	return rc;
}

static int extend_all(struct anchoring *g, struct audit *a, uint64_t from,
		      struct err *e)
{
	struct pending p = {g, a};

	return audit_pending(a, from, extend_one, &p, e);
}

static void bind(struct anchoring *g, struct audit *a, uint64_t counter)
{
	g->bound.has_pcr = true;
	g->bound.counter = counter;
	memcpy(g->bound.pcr, g->pcr, sizeof(g->bound.pcr));
	if (g->first)
		anchor_extend(g->bound.pcr, g->first_digest);
	audit_bind(a, &g->bound);
}

/* What the TPM lacks of the log as it was opened. After a reset that comes with
 * the next checkpoint. */
static int catch_up(struct anchoring *g, struct audit *a, struct err *e)
{
	const struct anchor *log = &g->place.whole;
	uint64_t counter;
	int rc = count_to(g, log->counter, e);

	if (rc == 0 && !g->first)
		rc = extend_all(g, a, g->done, e);
	if (rc)
		return rc;
	g->done = audit_checkpointed(a);
	g->behind = false;
	/* A counter that never counted has no number yet: its first is told as
	 * one, and the real one with the next checkpoint. */
	counter = g->first || g->counter == 0 ? g->counter + 1 : g->counter;
	if (g->first)
		anchor_first(log->has_last ? log->last : NULL, counter,
			     g->first_digest);
	bind(g, a, counter);
	return 0;
}

int anchoring_begin(struct anchoring *g, struct audit *a, struct mono now,
		    struct err *e)
{
	int rc;

	g->first = g->place.reset;
	g->done = g->place.pending && !g->first ? g->place.at
						: audit_checkpointed(a);
	g->bound.counter = g->place.whole.counter;
	g->counted = now;
	g->met = g->behind = true;
	rc = catch_up(g, a, e);
	if (rc && rc != E_MORE)
		anchoring_lost(g, a);
	return rc;
}

static int deliver(struct anchoring *g, struct audit *a, struct err *e)
{
	int rc = count_to(g, g->bound.counter, e);

	if (rc == 0 && g->first)
		rc = extend(g, g->first_digest, e);
	if (rc)
		return rc;
	g->first = false;
	return extend_all(g, a, g->done, e);
}

int anchoring_commit(struct anchoring *g, struct audit *a, struct mono now,
		     struct err *e)
{
	uint64_t counter;
	int rc;

	if (!anchoring_under_way(g, a))
		return 0;
	rc = g->behind ? catch_up(g, a, e) : 0;
	if (rc == 0 && audit_checkpointed(a) <= g->done)
		return 0;
	if (rc == 0)
		rc = deliver(g, a, e);
	if (rc && rc != E_MORE)
		anchoring_lost(g, a);
	if (rc)
		return rc;
	counter = g->counter;
	/* Other counters of this TPM had counted further before. */
	if (counter != g->bound.counter)
		audit_ask(a);
	if (mono_sub(now, g->counted) >= ANCHORING_COUNT_NS) {
		g->counted = now;
		counter++;
	}
	bind(g, a, counter);
	return 1;
}

bool anchoring_under_way(const struct anchoring *g, const struct audit *a)
{
	return g->met && (g->behind || audit_checkpointed(a) > g->done);
}

void anchoring_lost(struct anchoring *g, struct audit *a)
{
	g->met = false;
	if (a)
		audit_bind(a, NULL);
}
