/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"

#include <stdlib.h>

#include "audit/record.h"
#include "audit/store.h"

#define BATCH 1000
/* A step of the wall clock against the monotonic one that is a record. */
#define STEP_US US_PER_S

struct audit {
	struct store *store;
	const char *(*service_name)(uint8_t code);
	uint32_t batch, pending, policy_seq;
	/* Clocks of the last record of this boot. */
	bool has_last;
	struct mono last_mono;
	int64_t last_wall;
	bool new_boot;
	char last_detail[sizeof(((struct record_view *)0)->detail)];
};

/* What the last record said; its clocks, when it is of the boot that is
 * continued. */
static int take_last(struct audit *a, struct err *e)
{
	struct span last = store_last(a->store);
	struct record_view *v;
	int rc;

	if (last.n == 0)
		return 0;
	v = malloc(sizeof(*v));
	if (!v)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = record_decode(v, last, e);
	if (rc == 0 && v->ev.detail)
		memcpy(a->last_detail, v->detail, sizeof(a->last_detail));
	if (rc == 0 && v->r.boot == store_boot(a->store)) {
		a->has_last = true;
		a->last_mono = v->ev.now.mono;
		a->last_wall = v->ev.now.wall.us;
	}
	free(v);
	return rc;
}

int audit_open(struct audit **out, const struct audit_conf *conf,
	       struct err *e)
{
	struct audit *a;
	int rc;

	*out = NULL;
	if (conf->policy_seq > UINT32_MAX)
		return err_set(e, E_LIMIT, 0, "audit: policy sequence");
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, E_NOMEM, 0, "audit: out of memory");
	a->batch = conf->batch ? conf->batch : BATCH;
	a->policy_seq = (uint32_t)conf->policy_seq;
	a->service_name = conf->service_name;
	rc = store_open(&a->store, conf->path, conf->origin ? conf->origin : "",
			conf->resume && conf->boot == 0 ? STORE_BOOT_RESUME
							: conf->boot,
			conf->boot_key, conf->bulk, e);
	if (rc == 0)
		rc = take_last(a, e);
	a->new_boot = !a->has_last;
	if (rc) {
		struct err ignored;

		err_wrap(e, "audit %s", conf->path);
		if (store_close(a->store, &ignored))
			rc = e ? e->code : rc;
		free(a);
		return rc;
	}
	*out = a;
	return 0;
}

void audit_policy(struct audit *a, uint32_t policy_seq)
{
	a->policy_seq = policy_seq;
}

bool audit_wants(const struct event *ev)
{
	return record_kind_of(ev) != 0;
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

	record_salt(store_digest(a->store), store_key(a->store), r.seq,
		    r.salt);
	rc = record_encode(&w, &r, e);
	if (rc == 0)
		rc = store_add(a->store, wbuf_span(&w), r.flags,
			       (uint8_t)kind, e);
	if (rc == 0 && seq)
		*seq = r.seq;
	a->pending++;
	return rc;
}

/* The wall clock may step; that it did is a record of its own, before the
 * first one under the new time. */
static int clock_step(struct audit *a, const struct event *ev, struct err *e)
{
	static const char what[] = "the wall clock stepped from ";
	char text[sizeof(what) + 2 * CLOCK_TEXT + 8];
	struct event step = {.type = EV_MAINTENANCE, .now = ev->now};
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
	step.detail = text;
	return append(a, RECORD_CLOCK, &step, (struct span){0}, NULL, e);
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

int audit_append(struct audit *a, const struct event *ev, uint64_t *seq,
		 struct err *e)
{
	enum record_kind kind = record_kind_of(ev);
	int rc;

	if (!kind)
		return err_set(e, E_STATE, 0, "audit: an event that is not "
			       "kept");
	if (a->has_last && mono_sub(ev->now.mono, a->last_mono) < 0)
		return err_set(e, E_STATE, 0, "audit: the monotonic clock "
			       "went back");
	rc = clock_step(a, ev, e);
	if (rc == 0)
		rc = append(a, kind, ev, service_of(a, ev), seq, e);
	if (rc)
		return err_wrap(e, "audit");
	a->has_last = true;
	a->last_mono = ev->now.mono;
	a->last_wall = ev->now.wall.us > 0 ? ev->now.wall.us : 0;
	return a->pending >= a->batch ? audit_commit(a, e) : 0;
}

uint64_t audit_size(const struct audit *a)
{
	return store_size(a->store);
}

struct mono audit_last(const struct audit *a)
{
	return a->has_last ? a->last_mono : (struct mono){0};
}

bool audit_boot_is_new(const struct audit *a)
{
	return a->new_boot;
}

const char *audit_last_detail(const struct audit *a)
{
	return a->last_detail;
}

int audit_commit(struct audit *a, struct err *e)
{
	int rc = store_commit(a->store, e);

	a->pending = 0;
	return rc ? err_wrap(e, "audit") : 0;
}

int audit_close(struct audit *a, struct err *e)
{
	struct err ignored;
	int rc, closed;

	if (!a)
		return 0;
	rc = audit_commit(a, e);
	closed = store_close(a->store, rc ? &ignored : e);
	if (rc == 0 && closed)
		rc = err_wrap(e, "audit: closing");
	free(a);
	return rc;
}
