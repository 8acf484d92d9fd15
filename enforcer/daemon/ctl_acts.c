/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket is asked that changes something: acts.h. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "enforcer/daemon/ctl_conn.h"

/* On the disk, for the next start. */
static bool keep(struct parent *p, const char *guest, bool on)
{
	struct frozen next = p->frozen;
	struct err e;

	if (frozen_has(&next, guest) == on)
		return true;
	if (!frozen_set(&next, guest, on)) {
		log_err(p->log, "freeze of %s: no place to keep it", guest);
		return false;
	}
	if (frozen_write(&next, p->conf->state, &e) < 0) {
		log_err(p->log, "freeze of %s: %s", guest, e.text);
		return false;
	}
	p->frozen = next;
	return true;
}

bool conn_may(struct conn *c, struct parent *p, enum act_kind kind,
	      const char *guest, const char *who)
{
	char by[32];
	enum act_may may;

	snprintf(by, sizeof(by), "uid %u", (unsigned)c->uid);
	may = act(p, &c->act, kind, guest, who ? who : by);
	if (may == ACT_REFUSED)
		conn_refuse(c, c->act.why);
	return may == ACT_DO;
}

/* The engine, that its held packets are dealt with; one that starts later
 * looks at its lane. */
static void tell_engine(struct conn *c, size_t number, struct parent *p)
{
	if (p->guest[c->guest].engine.pid <= 0)
		conn_query_done(c, p, 0, "");
	else if (query_start(p, c->guest, QUERY_FREEZE,
			     c->req.verb == CTL_FREEZE, QUERY_OWNER_CTL,
			     number))
		c->state = CONN_WAIT;
}

/* It closes at once, acts.h; and its record is waited for afterwards. */
void conn_freeze(struct conn *c, size_t number, struct parent *p)
{
	char why[sizeof(c->act.why) + 64];
	enum act_may may;
	char who[32];

	snprintf(who, sizeof(who), "uid %u", (unsigned)c->uid);
	may = act(p, &c->act, ACT_FREEZE, c->req.guest, who);
	if (!c->closed &&
	    !atomic_exchange(&p->share[c->guest].lane->frozen, 1))
		reload_marks(p);
	c->closed = true;
	if (!c->kept && !keep(p, c->req.guest, true)) {
		conn_refuse(c, "it is frozen, but a restart would forget it: "
			       "the state directory cannot be written");
		return;
	}
	c->kept = true;
	if (may == ACT_DO) {
		tell_engine(c, number, p);
	} else if (may == ACT_REFUSED) {
		snprintf(why, sizeof(why), "it is frozen, but that is not "
			 "recorded: %s", c->act.why);
		conn_refuse(c, why);
	}
}

void conn_thaw(struct conn *c, size_t number, struct parent *p)
{
	if (!conn_may(c, p, ACT_THAW, c->req.guest, NULL))
		return;
	/* An engine that starts later looks there. */
	if (!keep(p, c->req.guest, false)) {
		conn_refuse(c, "the thaw cannot be kept; it stays frozen");
		return;
	}
	atomic_store(&p->share[c->guest].lane->frozen, 0);
	tell_engine(c, number, p);
}

void conn_reload(struct conn *c, size_t number, struct parent *p)
{
	if (!conn_may(c, p, ACT_RELOAD, NULL, NULL))
		return;
	c->state = CONN_WAIT;
	reload_start(p, true, number, c->id);
}

void conn_reloaded(struct conn *c, struct parent *p)
{
	struct json j;

	if (!conn_begin(c))
		return;
	j = conn_ok(c);
	json_u64(&j, "generation", p->generation);
	json_u64(&j, "policies", p->policies.files.n);
	json_u64(&j, "staged", p->activation.store.n_staged);
	conn_end(c, &j);
}

/* In the ledger; then in the engine's counters. */
static bool forgotten(struct conn *c, struct parent *p)
{
	struct control *k = p->control;

	if (!c->erasing) {
		c->erase = atomic_fetch_add(&k->erase_asked[c->guest], 1) + 1;
		c->erasing = true;
		ring_wake(&k->scribe_sleeps);
	}
	return (int32_t)(atomic_load(&k->erase_done[c->guest]) - c->erase) >=
	       0;
}

void conn_erase(struct conn *c, size_t number, struct parent *p)
{
	if (conn_may(c, p, ACT_ERASE, c->req.guest, NULL) && forgotten(c, p))
		conn_ask(c, number, p);
}

void conn_release(struct conn *c, size_t number, struct parent *p)
{
	if (conn_may(c, p, ACT_RELEASE, c->req.guest, NULL))
		conn_ask(c, number, p);
}

/* Whoever asked exports then, and not before. */
void conn_export(struct conn *c, size_t number, struct parent *p)
{
	static const char *const forms[] = {"ndjson", "csv", "tiles", "proofs",
					    "proofs-for-agency"};
	char who[sizeof(c->req.guest) + 32];
	struct json j;
	size_t i = 0;

	(void)number;
	while (i < sizeof(forms) / sizeof(forms[0]) &&
	       strcmp(c->req.guest, forms[i]) != 0)
		i++;
	if (i == sizeof(forms) / sizeof(forms[0])) {
		conn_refuse(c, "export: no such form");
		return;
	}
	snprintf(who, sizeof(who), "as %s by uid %u", forms[i],
		 (unsigned)c->uid);
	if (!conn_may(c, p, ACT_EXPORT, NULL, who) || !conn_begin(c))
		return;
	j = conn_ok(c);
	json_str(&j, "audit", p->conf->audit);
	conn_end(c, &j);
}
