/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets out of the shared area, and the counters that outlive them. */
#include "enforcer/daemon/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "enforcer/daemon/offload.h"

#define ACK_AFTER_NS (20 * 1000 * 1000)

/* --- a half of the area --------------------------------------------------- */

static void set_free(struct engine_set *s)
{
	capture_keys_free(&s->keys);
	half_free(&s->half);
	*s = (struct engine_set){0};
}

static int set_fill(struct engine_set *s, const struct policy_half *h,
		    struct err *e)
{
	struct span octets = {0};
	int rc = half_load(&s->half, h, e);

	if (rc < 0)
		return rc;
	s->set = s->half.set;
	if (h->keys.n)
		rc = half_part(&octets, h, h->keys.at, h->keys.n, e);
	if (rc == 0)
		rc = capture_keys_parse(&s->keys, "keys", octets, s->set, e);
	return rc;
}

static int set_load(struct engine_set *s, const struct engine_arg *a,
		    uint32_t half, struct err *e)
{
	struct span name = span_str(a->guest->name);
	int rc;

	*s = (struct engine_set){0};
	if (half > 1)
		return err_set(e, E_LIMIT, 0, "half %u of two", half);
	s->generation = a->half[half]->generation;
	rc = set_fill(s, a->half[half], e);
	if (rc == 0 && pol_set_find_machine(s->set, name) < 0)
		rc = err_set(e, E_NOTFOUND, 0, "no machine %s in the policies",
			     a->guest->name);
	if (rc < 0)
		set_free(s);
	return rc;
}

/* --- the counters --------------------------------------------------------- */

static bool answered(const struct lane_claim *c)
{
	return atomic_load_explicit(&c->answered, memory_order_acquire) ==
	       atomic_load_explicit(&c->asked, memory_order_relaxed);
}

/* Nothing passes meanwhile; a scribe that died has a successor that finds the
 * claim. */
static bool wait_answer(struct engine *e, int64_t until_ns)
{
	struct lane_claim *c = &e->lane->claim;

	while (!answered(c)) {
		ring_drowse(&c->sleeps);
		if (answered(c))
			break;
		ring_sleep(&c->sleeps, ENGINE_WAIT_MS);
		engine_turn(e);
		query_waiting(e);
		if (e->stop || live_mono().ns >= until_ns)
			break;
		/* Its wake-up may have gone to one who died. */
		ring_wake(&e->a->control->scribe_sleeps);
	}
	ring_awake(&c->sleeps);
	return answered(c);
}

/* Ask the owner of the ledger, and wait, but not for ever: what has no credit
 * by then is refused. After that nobody waits before the scribe is back. */
static bool ask_owner(void *arg, const struct pol_claim *claim,
		      struct pol_grant *grant)
{
	struct engine *e = arg;
	struct lane_claim *c = &e->lane->claim;
	int64_t until = live_mono().ns + AUDIT_LATE_NS;

	if (!answered(c) && (e->unanswered || !wait_answer(e, until))) {
		e->unanswered = true;
		return false;
	}
	e->unanswered = false;
	c->claim = *claim;
	atomic_fetch_add_explicit(&c->asked, 1, memory_order_release);
	ring_wake(&e->a->control->scribe_sleeps);
	e->credit_waits++;
	if (!wait_answer(e, until)) {
		e->unanswered = true;
		return false;
	}
	*grant = c->grant;
	return true;
}

/* Every machine has an engine of its own. */
static void apart(struct engine *e, const struct pol_set *set,
		  struct pol_state *st)
{
	int machine = pol_set_find_machine(set,
					   span_str(e->a->guest->name));

	pol_state_one_sided(st, true);
	if (e->a->ledger && machine >= 0)
		pol_state_asks(st, (size_t)machine, ask_owner, e);
}

static int state_open(struct engine *e, const struct pol_set *set,
		      enum pol_state_was *was, struct pol_state **out,
		      struct err *err)
{
	const struct guest_share *g = e->a->guest;
	int rc = pol_state_in(out, set, g->state, g->state_octets, e->boot,
			      e->now, was, err);

	if (rc < 0)
		return err_wrap(err, "counters");
	apart(e, set, *out);
	return 0;
}

/* --- the pipeline --------------------------------------------------------- */

int engine_random(void *to, size_t n, struct err *e)
{
	if (getrandom(to, n, 0) != (ssize_t)n)
		return err_sys(e, "random key");
	return 0;
}

int policy_pipeline(struct engine *e, struct err *err)
{
	const struct conf *c = e->a->conf;
	struct pipeline_conf conf = {
		.policy = e->set.set,
		.state = e->state,
		.max_flows = c->max_flows,
		.max_held = c->max_held,
		.checksums = true,
		.min_ttl = c->min_ttl,
		.offload = c->offload ? offload_bound : NULL,
		.ack_after_ns = ACK_AFTER_NS,
		.classifier = e->app ? app_classifier(e->app) : NULL,
	};
	int rc = engine_random(&conf.key, sizeof(conf.key), err);
	int asks_one = conf_resolver(c, &e->dns.resolver, err);

	if (rc < 0 || asks_one < 0)
		return rc < 0 ? rc : asks_one;
	snprintf(conf.self, sizeof(conf.self), "%s", e->a->guest->name);
	for (size_t i = 0; i < DISSECTORS_MAX && dissectors[i]; i++) {
		if (dissectors[i] == &dissector_c1222)
			conf.dissector_conf[i] = &e->c1222;
		if (dissectors[i] == &dissector_dns && asks_one)
			conf.dissector_conf[i] = &e->dns;
	}
	rc = pipeline_new(&e->pipeline, &conf, err);
	explicit_bzero(&conf.key, sizeof(conf.key));
	return rc;
}

/* --- start, reload, end --------------------------------------------------- */

static void zone_text(char *to, size_t cap, const struct pol_set *set)
{
	struct span z = pol_set_timezone(set);

	snprintf(to, cap, "%.*s", (int)(z.n < 64 ? z.n : 64),
		 z.n ? (const char *)z.p : "");
}

int policy_start(struct engine *e, struct err *err)
{
	int rc = set_load(&e->set, e->a, e->a->use, err);

	if (rc < 0)
		return err_wrap(err, "policies");
	zone_text(e->zone_name, sizeof(e->zone_name), e->set.set);
	e->c1222 = e->set.keys.conf;
	return clock_zone_init(&e->clock.zone, span_str(e->zone_name), err);
}

static void say_lost(const struct engine *e)
{
	log_warn(e->a->log,
		 "guest %s: its counters were damaged; every budget counts as "
		 "used up",
		 e->a->guest->name);
}

/* A loss of power keeps what was granted, and no counters. */
static bool recover(struct engine *e)
{
	const _Atomic uint32_t *seq = &e->a->control->ledger_seq;
	uint32_t before = atomic_load(seq);
	struct err err = {0};

	if (before % 2)
		return false;
	if (pol_state_recover(e->state, e->a->ledger, e->a->ledger_octets,
			      e->now, &err) < 0) {
		log_warn(e->a->log, "guest %s: %s", e->a->guest->name,
			 err.text);
	} else if (atomic_load(seq) == before) {
		e->lost = false;
		log_info(e->a->log, "guest %s: counters as the ledger has "
			 "them, after the machine's end",
			 e->a->guest->name);
		return true;
	}
	pol_state_exhaust(e->state, e->now);
	return true;
}

void policy_settle(struct engine *e)
{
	uint32_t is = atomic_load_explicit(&e->a->control->ledger,
					   memory_order_acquire);

	if (e->settled || is == LEDGER_UNKNOWN)
		return;
	if (!atomic_load(&e->lane->ledger_seen)) {
		if (is == LEDGER_OLD) {
			pol_state_exhaust(e->state, e->now);
			e->lost = true;
		} else if (e->lost && e->a->guest->restarted && !recover(e)) {
			return;
		}
	}
	if (e->lost) {
		say_lost(e);
		out_lost(e);
	}
	atomic_store(&e->lane->ledger_seen, 1);
	/* It has other guests' rows, too. */
	munmap(e->a->ledger, e->a->ledger_octets);
	e->settled = true;
}

int policy_counters(struct engine *e, struct err *err)
{
	const struct guest_share *g = e->a->guest;
	struct sipkey key;
	enum pol_state_was was;
	int rc = state_open(e, e->set.set, &was, &e->state, err);

	if (rc == 0 && was != POL_STATE_CONTINUED) {
		rc = engine_random(&key, sizeof(key), err);
		if (rc == 0)
			pol_state_key(e->state, &key);
		explicit_bzero(&key, sizeof(key));
	}
	e->lost = rc == 0 && was == POL_STATE_DAMAGED;
	e->settled = !e->a->ledger;
	if (e->lost && e->settled)
		say_lost(e);
	if (e->settled)
		atomic_store(&e->lane->ledger_seen, 1);
	/* The disk forgets a seal before anything is judged. */
	if (rc == 0 && msync(g->state, g->state_octets, MS_SYNC) < 0)
		rc = err_sys(err, "counters");
	return rc;
}

/* The pipeline goes back to what it had. It fitted before, so it fits again;
 * if not, there is nothing left to judge with. */
static void go_back(struct engine *e)
{
	struct err ignored;

	if (pipeline_policy(e->pipeline, e->set.set, e->state, e->now, &e->sink,
			    &ignored) < 0)
		abort();
}

/* First on a copy of the counters, which can fail without harm; then on the
 * counters themselves. At each step the memory holds counters that are used
 * at least as far as they were. */
static int swap(struct engine *e, const struct pol_set *set,
		struct pol_state *copy, struct err *err)
{
	struct pol_state *fresh;
	enum pol_state_was was;
	int rc = pipeline_policy(e->pipeline, set, copy, e->now, &e->sink, err);

	if (rc < 0)
		return rc;
	rc = state_open(e, set, &was, &fresh, err);
	if (rc < 0) {
		go_back(e);
		return rc;
	}
	pol_state_carry(fresh, copy, e->now);
	pol_state_free(e->state);
	e->state = fresh;
	if (pipeline_policy(e->pipeline, set, fresh, e->now, &e->sink, err) < 0)
		abort(); /* it took the same set a moment ago */
	return 0;
}

static int reload(struct engine *e, const struct engine_set *next,
		  struct err *err)
{
	char zone[sizeof(e->zone_name)];
	struct pol_state *copy;
	int rc;

	zone_text(zone, sizeof(zone), next->set);
	if (strcmp(zone, e->zone_name) != 0)
		return err_set(err, E_UNSUPPORTED, 0,
			       "the time zone changes: that takes a restart");
	if (pol_state_octets(next->set) > e->a->guest->state_octets)
		return err_set(err, E_LIMIT, 0,
			       "its counters need more memory than there was "
			       "at the start: that takes a restart");
	rc = pol_state_new(&copy, next->set, err);
	if (rc < 0)
		return rc;
	apart(e, next->set, copy);
	pol_state_carry(copy, e->state, e->now);
	rc = swap(e, next->set, copy, err);
	pol_state_free(copy);
	return rc;
}

int policy_reload(struct engine *e, uint32_t half, struct err *err)
{
	struct engine_set next;
	int rc = set_load(&next, e->a, half, err);

	if (rc < 0)
		return rc;
	/* What it holds of common limits stays with the counters it goes from. */
	if (e->a->ledger)
		pol_state_hand_back(e->state, e->now, true);
	/* Nothing is judged in between, but keys go with their set. */
	e->c1222 = next.keys.conf;
	rc = reload(e, &next, err);
	if (rc < 0) {
		e->c1222 = e->set.keys.conf;
		set_free(&next);
		return rc;
	}
	set_free(&e->set);
	e->set = next;
	return 0;
}

void policy_end(struct engine *e)
{
	if (e->a->ledger && e->settled)
		pol_state_hand_back(e->state, e->now, true);
	/* Nothing is judged after this; the parent brings it to the disk. */
	pol_state_seal(e->state);
	/* What holds keys does not wait for the kernel to clear it. */
	capture_keys_free(&e->set.keys);
}
