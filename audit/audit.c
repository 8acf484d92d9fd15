/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_own.h"

#include <assert.h>
#include <stdlib.h>

#include "audit/points.h"

/* A checkpoint at the latest after so many records, and so long. */
#define POINT_RECORDS 65536
#define POINT_NS      (60 * NS_PER_S)
/* A step of the wall clock against the monotonic one that is a record. */
#define STEP_US US_PER_S

void audit_policy(struct audit *a, uint32_t policy_seq)
{
	a->policy_seq = policy_seq;
}

bool audit_wants(const struct event *ev)
{
	return record_kind_of(ev) != 0 && ev->type != EV_CHECKPOINT;
}

static int append(struct audit *a, enum record_kind kind,
		  const struct event *ev, struct span service, uint64_t *seq,
		  struct err *e)
{
	uint8_t octets[RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct record r = {
		.kind = kind,
		.flags = record_class(kind, ev),
		.seq = store_size(a->store),
		.boot = store_boot(a->store),
		.policy_seq = a->policy_seq,
		.ev = ev,
		.service = service,
	};
	int rc;

	memcpy(r.salt, record_salt(&a->salts, r.seq), sizeof(r.salt));
	rc = record_encode(&w, &r, e);
	if (rc == 0)
		rc = store_add(a->store, wbuf_span(&w), r.flags,
			       (uint8_t)kind, e);
	if (rc == 0 && seq)
		*seq = r.seq;
	a->pending++;
	a->octets += 2 + w.n + SHA256_LEN;
	a->acted |= (r.flags & RECORD_SYNC) != 0;
	if (!a->has_point)
		a->point = ev->now.mono;
	a->has_point = true;
	return rc;
}

/* A boot, and each checkpoint, says behind which checkpoint it goes on: what is
 * gone from there shows in any later one. */
static int name_last(const struct audit *a, struct event_log *log,
		     struct err *e)
{
	log->point = store_checkpointed(a->store);
	return log->point ? store_point_text(a->store, log->point_text, e) : 0;
}

static int append_boot(struct audit *a, const struct event *ev, uint64_t *seq,
		       struct err *e)
{
	struct event_log log = {0};
	struct event boot = *ev;
	int rc;

	if (ev->log)
		log = *ev->log;
	rc = name_last(a, &log, e);
	boot.log = log.point ? &log : ev->log;
	return rc ? rc
		  : append(a, RECORD_BOOT, &boot, (struct span){0}, seq, e);
}

/* The wall clock may step; that it did is a record of its own, before the
 * first one under the new time. */
static int clock_step(struct audit *a, const struct event *ev, struct err *e)
{
	static const char what[] = "the wall clock stepped from ";
	char text[sizeof(what) + 2 * CLOCK_TEXT + 8];
	struct event step;
	struct wbuf w = wbuf_of(text, sizeof(text) - 1);
	int64_t wall = ev->now.wall.us, moved, passed;
	char when[CLOCK_TEXT];

	if (!a->has_last || wall <= 0 || a->last_wall <= 0)
		return 0;
	moved = wall - a->last_wall;
	passed = mono_sub(ev->now.mono, a->last_mono) / 1000;
	if (moved - passed <= STEP_US && passed - moved <= STEP_US)
		return 0;
	wbuf_put(&w, span_str(what));
	wbuf_put(&w, span_str(clock_eve(when,
					(struct wall){.us = a->last_wall})));
	wbuf_put(&w, span_str(" to "));
	wbuf_put(&w, span_str(clock_eve(when, ev->now.wall)));
	text[w.n] = 0;
	step = (struct event){.type = EV_MAINTENANCE, .now = ev->now,
			      .detail = text};
	return append(a, RECORD_CLOCK, &step, (struct span){0}, NULL, e);
}

/* A start names them in its record; a boot that goes on has none. */
static int withdraw(struct audit *a, const struct now *now, struct err *e)
{
	struct event_log log = {0};
	struct event ev = {
		.type = EV_EXPORT,
		.now = *now,
		.log = &log,
		.detail = a->withdraws
				  ? "no checkpoint covered it when the log was "
				    "opened: what was to be removed stays"
				  : "no checkpoint covered them when the log "
				    "was opened again",
	};
	int rc = name_last(a, &log, e);

	log.withdrawn = store_size(a->store) - log.point;
	if (rc == 0)
		rc = append(a, RECORD_EXPORT, &ev, (struct span){0}, NULL, e);
	if (rc == 0)
		a->withdraws = a->again = false;
	return rc;
}

/* What comes before an event. What is withdrawn comes before anything else is
 * added, and so before any checkpoint covers it. */
static int ahead_of(struct audit *a, const struct event *ev, struct err *e)
{
	int rc = clock_step(a, ev, e);

	return rc == 0 && (a->withdraws || a->again) ? withdraw(a, &ev->now, e)
						     : rc;
}

static struct span service_of(const struct audit *a, const struct event *ev)
{
	const struct obs *o;

	if (!a->service_name || ev->leaf >= ev->n_leaves)
		return (struct span){0};
	o = &ev->leaves[ev->leaf];
	if (obs_family((enum obs_kind)o->kind) != OBS_FAMILY_C1222 ||
	    !obs_has(o, F_CODE))
		return (struct span){0};
	return span_str(a->service_name((uint8_t)obs_get(o, F_CODE, 0)));
}

static void took(struct audit *a, const struct now *now)
{
	a->has_last = true;
	a->last_mono = now->mono;
	a->last_wall = now->wall.us > 0 ? now->wall.us : 0;
}

int audit_append(struct audit *a, const struct event *ev, uint64_t *seq,
		 struct err *e)
{
	enum record_kind kind = record_kind_of(ev);
	int rc;

	assert(!a->sealed);
	if (!audit_wants(ev))
		return err_set(e, E_STATE, 0, "audit: an event that is not "
			       "kept");
	if (a->has_last && mono_sub(ev->now.mono, a->last_mono) < 0)
		return err_set(e, E_STATE, 0, "audit: the monotonic clock "
			       "went back");
	rc = ahead_of(a, ev, e);
	if (rc == 0)
		rc = kind == RECORD_BOOT
			     ? append_boot(a, ev, seq, e)
			     : append(a, kind, ev, service_of(a, ev), seq, e);
	if (rc)
		return err_wrap(e, "audit");
	took(a, &ev->now);
	return a->pending >= a->batch ? audit_commit(a, e) : 0;
}

uint64_t audit_size(const struct audit *a)
{
	return store_size(a->store);
}

uint64_t audit_octets(const struct audit *a)
{
	return a->octets;
}

struct mono audit_last(const struct audit *a)
{
	return a->has_last ? a->last_mono : (struct mono){0};
}

/* --- checkpoints --- */

static bool grown(const struct audit *a)
{
	return a->by && !a->sealed && a->unsigned_.size == 0 &&
	       (!a->can_sign || a->can_sign(a->arg)) &&
	       (a->counted ||
		store_size(a->store) > store_checkpointed(a->store));
}

bool audit_due(const struct audit *a, struct mono now)
{
	return grown(a) &&
	       (a->acted ||
		store_size(a->store) - store_checkpointed(a->store) >=
			POINT_RECORDS ||
		(a->has_point && mono_sub(now, a->point) >= POINT_NS));
}

static int seal(struct audit *a, const struct now *now, struct err *e)
{
	struct event_log log = {
		.has_chain = true,
		.has_pcr = a->bound.has_pcr,
		.counter = a->bound.counter,
	};
	struct event ev = {.type = EV_CHECKPOINT, .now = *now, .log = &log};
	int rc = ahead_of(a, &ev, e);

	if (rc == 0)
		rc = name_last(a, &log, e);
	if (rc == 0) {
		store_head(a->store, log.chain);
		free(a->open);
		rc = store_counts(a->store, log.open, &a->open, &a->open_n, e);
		log.has_open = a->open_n != 0;
	}
	if (rc == 0) {
		memcpy(log.pcr, a->bound.pcr, sizeof(log.pcr));
		rc = append(a, RECORD_CHECKPOINT, &ev, (struct span){0}, NULL,
			    e);
	}
	if (rc)
		return err_wrap(e, "audit");
	took(a, now);
	a->sealed = true;
	a->counted = false;
	return 0;
}

int audit_seal(struct audit *a, const struct now *now, struct err *e)
{
	int rc;

	if (!audit_due(a, now->mono))
		return 0;
	if (a->has_last && mono_sub(now->mono, a->last_mono) < 0)
		return err_set(e, E_STATE, 0, "audit: the monotonic clock "
			       "went back");
	rc = seal(a, now, e);
	return rc ? rc : 1;
}

/* With its signature, as soon as there is one: records go on meanwhile. */
static int sign_checkpoint(struct audit *a, struct err *e)
{
	uint8_t note[NOTE_MAX];
	struct wbuf n = wbuf_of(note, sizeof(note));
	struct span text = span_of(a->unsigned_.text, a->unsigned_.n);
	int rc;

	wbuf_put(&n, text);
	wbuf_u8(&n, '\n');
	rc = note_sign(&n, text, a->by, 0, e);
	if (rc == E_MORE)
		return 0;
	if (rc == 0)
		rc = store_checkpoint(a->store, a->unsigned_.size,
				      wbuf_span(&n), &a->unsigned_.bound,
				      a->unsigned_.wall,
				      span_of(a->open, a->open_n), e);
	a->unsigned_.size = 0;
	return rc;
}

static int make_checkpoint(struct audit *a, struct err *e)
{
	struct wbuf t = wbuf_of(a->unsigned_.text, sizeof(a->unsigned_.text));
	struct checkpoint c = {.size = store_size(a->store)};
	struct now now = {.mono = a->last_mono, .wall.us = a->last_wall};

	memcpy(c.origin, a->origin, sizeof(c.origin));
	store_root(a->store, c.root);
	checkpoint_put(&t, &c);
	a->unsigned_.n = t.n;
	a->unsigned_.size = c.size;
	a->unsigned_.bound = a->bound;
	/* By what time those of what is pruned are thinned out. */
	a->unsigned_.wall = points_wall(&now);
	return sign_checkpoint(a, e);
}

bool audit_unsigned(const struct audit *a)
{
	return a->unsigned_.size != 0;
}

void audit_sign_later(struct audit *a)
{
	a->acted |= a->unsigned_.size != 0;
	a->unsigned_.size = 0;
}

/* --- anchors --- */

void audit_bind(struct audit *a, const struct anchor_bound *b)
{
	static const struct anchor_bound none;

	a->bound = b ? *b : none;
}

void audit_ask(struct audit *a)
{
	a->acted = true;
}

uint64_t audit_checkpointed(const struct audit *a)
{
	return store_checkpointed(a->store);
}

void audit_anchored(struct audit *a, uint64_t size)
{
	store_anchored(a->store, size);
}

int audit_place(struct audit *a, struct anchor_place *out,
		const uint8_t pcr[32], uint64_t counter, struct err *e)
{
	return store_place(a->store, out, pcr, counter, a->recovery != 0, e);
}

int audit_pending(struct audit *a, uint64_t at,
		  int (*f)(void *arg, uint64_t size, const uint8_t digest[32],
			   struct err *e),
		  void *arg, struct err *e)
{
	return store_pending(a->store, at, f, arg, e);
}

int audit_cosign(struct audit *a, uint64_t size, struct span line,
		 const struct note_key *keys, size_t n_keys, struct err *e)
{
	return store_cosign(a->store, size, line, keys, n_keys, e);
}

static int commit(struct audit *a, bool last, struct err *e)
{
	struct now now = {.mono = a->last_mono, .wall.us = a->last_wall};
	bool waited = a->unsigned_.size != 0;
	int rc = waited ? sign_checkpoint(a, e) : 0;

	if (rc)
		return err_wrap(e, "audit");
	/* The next one says what the TPM is at behind the one that waited. */
	if (!waited && (last ? grown(a) && a->has_last
			     : audit_due(a, a->last_mono)))
		rc = seal(a, &now, e);
	if (rc == 0 && a->sealed)
		rc = make_checkpoint(a, e);
	if (rc == 0)
		rc = store_commit(a->store, e);
	a->pending = 0;
	if (rc)
		return err_wrap(e, "audit");
	if (a->sealed) {
		a->sealed = a->acted = false;
		a->point = a->last_mono;
	}
	return 0;
}

int audit_commit(struct audit *a, struct err *e)
{
	return commit(a, false, e);
}

int audit_close(struct audit *a, struct err *e)
{
	struct err ignored;
	int rc;

	if (!a)
		return 0;
	rc = commit(a, true, e);
	if (rc) {
		(void)audit_end(a, &ignored);
		return rc;
	}
	rc = audit_end(a, e);
	return rc ? err_wrap(e, "audit: closing") : 0;
}

void audit_abandon(struct audit *a)
{
	struct err ignored;

	if (a)
		(void)audit_end(a, &ignored);
}
