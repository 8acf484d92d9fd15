/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/replay.h"

#define BUFFER ((64u << 10) + EVE_LINE_MAX)

int replay_output_init(struct replay_output *o, const struct replay_opts *opts,
		       struct err *e)
{
	*o = (struct replay_output){
		.buf = malloc(BUFFER),
		.memo = calloc(1, sizeof(*o->memo)),
		.format = opts->format,
		.quiet = opts->quiet,
		.eve = {.values = opts->values,
			.service_name = c1222_service_name},
		.e = e,
	};
	o->eve.memo = o->memo;
	return o->buf && o->memo ? 0 : err_set(e, E_NOMEM, 0, "out of memory");
}

void replay_output_fini(struct replay_output *o)
{
	free(o->buf);
	free(o->memo);
	o->buf = NULL;
	o->memo = o->eve.memo = NULL;
}

void replay_output_flush(struct replay_output *o)
{
	size_t at = 0;

	while (at < o->n && !o->failed) {
		ssize_t n = write(STDOUT_FILENO, o->buf + at, o->n - at);

		if (n >= 0) {
			at += (size_t)n;
		} else {
			o->failed = true;
			err_set(o->e, E_IO, 0, "standard output: %s",
				strerror(errno));
		}
	}
	o->n = 0;
}

static void need_room(struct replay_output *o)
{
	if (BUFFER - o->n < EVE_LINE_MAX)
		replay_output_flush(o);
}

static bool json_lines(struct replay_output *o, const struct event *ev)
{
	struct eve_opts opt = o->eve;

	for (unsigned n = eve_lines(ev); opt.line < n; opt.line++) {
		struct json j;

		need_room(o);
		j = json_of(o->buf + o->n, BUFFER - o->n);
		if (!eve_event(&j, ev, &opt))
			return false;
		o->n += j.w.n;
	}
	return true;
}

void replay_output_event(struct replay_output *o, const struct event *ev)
{
	bool fits;

	if (o->quiet || o->failed)
		return;
	if (o->format == REPLAY_JSON) {
		fits = json_lines(o, ev);
	} else {
		struct wbuf w;

		need_room(o);
		w = wbuf_of(o->buf + o->n, BUFFER - o->n);
		fits = eve_text(&w, ev, &o->eve);
		o->n += fits ? w.n : 0;
	}
	/* EVE_LINE_MAX is a promise of its writer, so this is an error, and
	 * a record left out silently would be a worse one. */
	if (!fits) {
		o->failed = true;
		err_set(o->e, E_LIMIT, 0,
			"packet %llu: its record does not fit into %d octets",
			(unsigned long long)ev->pcap_cnt, EVE_LINE_MAX);
	}
}

/* Numbers of the summary, in order. */
static const struct {
	const char *name;
	size_t off;
} numbers[] = {
#define N(f)                                                                   \
	{                                                                      \
#f, offsetof(struct pipeline_stats, f)                         \
	}
	N(packets),      N(octets),  N(passed),     N(dropped),
	N(held_peak),    N(flows),   N(flows_peak), N(units),
	N(observations), N(allowed), N(denied),
#undef N
};
#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static uint64_t number(const struct pipeline_stats *s, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)s + numbers[i].off, sizeof(v));
	return v;
}

static void json_reasons(struct json *j, const char *key,
			 const uint64_t n[REASON_COUNT])
{
	json_obj(j, key);
	for (int r = 0; r < REASON_COUNT; r++) {
		if (n[r])
			json_u64(j, reason_text((enum reason)r), n[r]);
	}
	json_obj_end(j);
}

static void json_stats(struct replay_output *o, struct now now,
		       const struct pipeline_stats *s)
{
	struct json j = json_of(o->buf + o->n, BUFFER - o->n);
	char when[CLOCK_TEXT];

	json_obj(&j, NULL);
	json_str(&j, "timestamp", clock_eve(when, now.wall));
	json_str(&j, "event_type", "stats");
	json_obj(&j, "stats");
	for (size_t i = 0; i < N_NUMBERS; i++)
		json_u64(&j, numbers[i].name, number(s, i));
	json_reasons(&j, "drops", s->drops);
	json_reasons(&j, "anomalies", s->anomalies);
	json_obj_end(&j);
	json_obj_end(&j);
	if (json_line(&j))
		o->n += j.w.n;
}

static void put(struct wbuf *w, const char *fmt, uint64_t v, const char *name)
{
	char text[96];
	int n = snprintf(text, sizeof(text), fmt, (unsigned long long)v, name);

	wbuf_put(w, span_of(text, (size_t)n));
}

static void text_reasons(struct wbuf *w, const char *title,
			 const uint64_t n[REASON_COUNT])
{
	bool any = false;

	for (int r = 0; r < REASON_COUNT; r++) {
		if (!n[r])
			continue;
		if (!any)
			wbuf_put(w, span_str(title));
		any = true;
		put(w, " %llu %s", n[r], reason_text((enum reason)r));
	}
}

static void text_stats(struct replay_output *o, const struct pipeline_stats *s)
{
	struct wbuf w = wbuf_of(o->buf + o->n, BUFFER - o->n);

	wbuf_put(&w, span_str("stats:"));
	for (size_t i = 0; i < N_NUMBERS; i++)
		put(&w, i ? ", %llu %s" : " %llu %s", number(s, i),
		    numbers[i].name);
	text_reasons(&w, "; dropped:", s->drops);
	text_reasons(&w, "; anomalies:", s->anomalies);
	wbuf_u8(&w, '\n');
	if (!w.failed)
		o->n += w.n;
}

void replay_output_stats(struct replay_output *o, struct now now,
			 const struct pipeline_stats *s)
{
	need_room(o);
	if (o->format == REPLAY_JSON)
		json_stats(o, now, s);
	else
		text_stats(o, s);
}
