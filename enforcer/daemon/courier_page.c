/* SPDX-License-Identifier: Apache-2.0 */
/* How the gateway is doing, from the shared memory alone. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "enforcer/daemon/courier.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/metrics.h"
#include "enforcer/daemon/view.h"

#define SILENT_NS  (3 * NS_PER_S) /* an engine without a beat */
#define STATUS_MAX (64 * 1024)
#define TRIES	   64 /* to read what somebody is writing */

struct audit_numbers {
	uint64_t records, commits, last_commit_us, failures, aggregated, lost;
	uint64_t size, first;
	char error[sizeof(((struct view *)0)->error)];
};

static struct audit_numbers audit_numbers(const struct view *v)
{
	struct audit_numbers n = {0};

	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&v->seq,
						    memory_order_acquire);

		n = (struct audit_numbers){
			v->records,  v->commits,    v->last_commit_us,
			v->failures, v->aggregated, v->lost,
			v->size,     v->first,	    ""};
		memcpy(n.error, v->error, sizeof(n.error));
		atomic_thread_fence(memory_order_acquire);
		if (!(seq & 1) && seq == atomic_load(&v->seq))
			break;
	}
	n.error[sizeof(n.error) - 1] = 0;
	return n;
}

static void put_origin(struct json *j, const struct window *w)
{
	struct window_log log;
	int i = 0;

	while (!window_log(w, &log) && i < TRIES)
		i++;
	if (i < TRIES)
		json_str(j, "origin", log.origin);
	else
		json_null(j, "origin");
}

static void put_audit(struct json *j, const struct view *v,
		      const struct window *w)
{
	struct audit_numbers n = audit_numbers(v);

	json_obj(j, "audit");
	put_origin(j, w);
	json_u64(j, "size", n.size);
	json_u64(j, "first", n.first);
	json_u64(j, "records", n.records);
	json_u64(j, "commits", n.commits);
	json_u64(j, "last_commit_us", n.last_commit_us);
	json_u64(j, "failures", n.failures);
	json_u64(j, "aggregated", n.aggregated);
	json_u64(j, "lost", n.lost);
	if (n.error[0])
		json_str(j, "error", n.error);
	else
		json_null(j, "error");
	json_obj_end(j);
}

static const char *engine_state(const struct lane *l, struct mono now)
{
	int64_t beat = atomic_load(&l->engine_beat);

	if (atomic_load(&l->frozen))
		return "frozen";
	if (atomic_load(&l->quarantine) > now.ns)
		return "quarantined";
	if (beat == 0)
		return "starting";
	/* The beat is the engine's word, and may be any number. */
	return beat > now.ns + SILENT_NS || beat < now.ns - SILENT_NS
		       ? "silent"
		       : "running";
}

static void put_guest(struct json *j, const struct guest_share *g,
		      struct lane_status *s, struct mono now)
{
	json_obj(j, NULL);
	json_str(j, "name", g->name);
	json_u64(j, "queue", g->queue);
	json_str(j, "engine", engine_state(g->lane, now));
	json_bool(j, "consistent", lane_status_read(s, g->lane));
	json_u64(j, "generation", s->generation);
	json_u64(j, "packets", s->packets);
	json_u64(j, "passed", s->passed);
	json_u64(j, "dropped", s->dropped);
	json_u64(j, "flows_now", s->flows_now);
	json_u64(j, "held_now", s->held_now);
	json_u64(j, "allowed", s->allowed);
	json_u64(j, "denied", s->denied);
	json_u64(j, "audit_used_percent",
		 atomic_load(&g->lane->audit_percent));
	json_bool(j, "audit_alarm", atomic_load(&g->lane->audit_alarm) != 0);
	json_obj_end(j);
}

static bool write_status(const struct courier_arg *a, struct wbuf *w)
{
	struct json j = json_of(w->p, w->cap);
	struct lane_status *s = malloc(sizeof(*s));
	struct mono now = live_mono();

	if (!s)
		return false;
	json_obj(&j, NULL);
	json_str(&j, "version", METERGATE_VERSION);
	json_bool(&j, "clock_trusted",
		  atomic_load(&a->control->clock_trusted) != 0);
	json_i64(&j, "scribe_beat_ms_ago",
		 (now.ns - atomic_load(&a->control->scribe_beat)) / 1000000);
	json_bool(&j, "audit_closed",
		  atomic_load(&a->control->audit_closed) != 0);
	put_audit(&j, a->view, a->window);
	json_arr(&j, "guests");
	for (size_t i = 0; i < a->n_guests; i++)
		put_guest(&j, &a->guest[i], s, now);
	json_arr_end(&j);
	json_obj_end(&j);
	free(s);
	if (!json_line(&j))
		return false;
	w->n = j.w.n;
	return true;
}

static bool write_metrics(const struct courier_arg *a, struct wbuf *w)
{
	metrics_write(w, a->guest, a->n_guests, a->control, a->view);
	return !w->failed;
}

static const struct page pages[] = {
	{"/v1/status", "application/json", STATUS_MAX, write_status},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", METRICS_MAX,
	 write_metrics},
};

const struct page *page_of(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(path, pages[i].path) == 0)
			return &pages[i];
	}
	return NULL;
}
