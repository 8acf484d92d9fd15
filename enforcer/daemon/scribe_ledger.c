/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger's files and the audit's are kept apart, and each says how often
 * they were tied: a number that grows with every start and end, and with every
 * hour in which something was granted. Who puts an old copy of the one back
 * has not the number that the other tells of.
 *
 * In order the ledger is written first, then the record; so the ledger may be
 * one ahead. Where they differ otherwise, the record comes first, and the
 * ledger takes its number only when every engine has counted all as used up:
 * whoever is cut off in between finds them different once more.
 */
#include <stdio.h>

#include "enforcer/daemon/scribe.h"

#define EVERY_NS (3600 * NS_PER_S)

static int record(struct scribe *s, uint64_t n, const char *more,
		  struct err *e)
{
	char text[192];
	struct event ev = {.type = EV_MAINTENANCE, .now.mono = s->mono,
			   .detail = text};

	snprintf(text, sizeof(text), LEDGER_NAME "%llu%s", (unsigned long long)n,
		 more);
	return scribe_append(s, -1, &ev, e);
}

/* One more than the audit tells of, which may be what the ledger has already.
 * That it cannot be written closes as an audit that cannot be. */
static int tie(struct scribe *s, struct err *e)
{
	uint64_t n;
	int rc = audit_highest(s->audit, LEDGER_NAME, &n, e);

	if (rc == 0)
		rc = owner_write(s->owner, n + 1, e);
	if (rc == 0)
		rc = record(s, n + 1, "", e);
	if (rc == 0)
		s->tied = s->mono;
	return rc;
}

static int untied(struct scribe *s, uint64_t of_audit, struct err *e)
{
	uint64_t found = owner_generation(s->owner);
	uint64_t n = found > of_audit ? found : of_audit;
	char more[128];
	int rc;

	snprintf(more, sizeof(more), ": the ledger found is %s%llu; all budgets "
		 "of now count as used up",
		 owner_damaged(s->owner) ? "damaged, " : "of generation ",
		 (unsigned long long)found);
	log_err(s->a->log, "the audit tells of " LEDGER_NAME "%llu%s",
		(unsigned long long)of_audit, more);
	owner_exhaust(s->owner);
	rc = record(s, n + 1, more, e);
	return rc ? rc : owner_write(s->owner, found, e);
}

/* Once for each daemon: is it the one that the audit tells of? */
static int judge(struct scribe *s, struct err *e)
{
	uint64_t found = owner_generation(s->owner), of_audit;
	int rc = audit_highest(s->audit, LEDGER_NAME, &of_audit, e);

	if (rc)
		return rc;
	if (!owner_damaged(s->owner) &&
	    (found == of_audit || found == of_audit + 1)) {
		s->verdict = LEDGER_GOOD;
		return tie(s, e);
	}
	s->verdict = LEDGER_OLD;
	return untied(s, of_audit, e);
}

static bool all_have_seen(const struct scribe *s)
{
	for (size_t i = 0; i < s->a->n_guests; i++) {
		if (!atomic_load(&s->a->guest[i].lane->ledger_seen))
			return false;
	}
	return true;
}

/* The number that the record of an untied one has. */
static int heal(struct scribe *s, struct err *e)
{
	uint64_t of_audit;
	int rc;

	if (s->healed || !all_have_seen(s))
		return 0;
	rc = audit_highest(s->audit, LEDGER_NAME, &of_audit, e);
	if (rc == 0 && owner_generation(s->owner) < of_audit)
		rc = owner_write(s->owner, of_audit, e);
	s->healed = rc == 0;
	s->tied = s->mono;
	return rc;
}

int ledger_turn(struct scribe *s, struct err *e)
{
	_Atomic uint32_t *verdict = &s->a->control->ledger;
	uint32_t is = atomic_load_explicit(verdict, memory_order_relaxed);

	if (!s->owner)
		return 0;
	if (is == LEDGER_UNKNOWN && s->verdict == LEDGER_UNKNOWN)
		return judge(s, e);
	if (is == LEDGER_UNKNOWN) {
		/* Its record is durable when nothing waits any more. */
		if (s->pending == 0)
			atomic_store(verdict, s->verdict);
		return 0;
	}
	if (is == LEDGER_OLD && !s->healed)
		return heal(s, e);
	if (owner_granted(s->owner) &&
	    mono_sub(s->mono, s->tied) >= EVERY_NS)
		return tie(s, e);
	return 0;
}

int ledger_finish(struct scribe *s, struct err *e)
{
	uint32_t is = atomic_load(&s->a->control->ledger);

	if (!s->owner || is == LEDGER_UNKNOWN ||
	    (is == LEDGER_OLD && !s->healed))
		return 0;
	return tie(s, e);
}
