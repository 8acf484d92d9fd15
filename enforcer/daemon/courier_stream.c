/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records to those who ask for them, each at its own pace. A stream holds no
 * octets: only the number of its next record and how much of its line is
 * given; the line is made again when the reader takes more. So what a reader
 * can cost is its place, however slow it is. A stream that has nothing to give
 * is suspended until something comes, and looked at every HEARTBEAT_NS: is
 * its reader gone? One of events says that it is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "core/json.h"
#include "enforcer/daemon/courier.h"
#include "enforcer/daemon/live.h"

#define SCAN	     1024	/* records looked at before others have a turn */
#define HEARTBEAT_NS (15 * NS_PER_S)
#define AGAIN_NS     (NS_PER_S / 2) /* to ask again for what did not come */
#define FRAME	     64 /* around a line of events */
#define TOLD	     (NOTE_NAME_MAX * 6 + 128) /* an origin, escaped */
#define LINE_MAX_OCTETS (EVE_LINE_MAX + FRAME)

static const char beat[] = ":\n\n", hello[] = "retry: 2000\n\n";

enum pause { PAUSE_NONE, PAUSE_TURN, PAUSE_BUNDLE, PAUSE_MORE };

struct stream {
	struct streams *all;
	struct stream *next, **at; /* in the list */
	void *conn;
	void (*resume)(void *conn);
	struct want want;
	struct window_log log; /* that it reads; number 0: none yet */
	uint64_t seq;	 /* the next record */
	uint64_t end;	 /* without follow: where it ends */
	uint64_t given;	 /* records */
	uint64_t bundle; /* of which off is the octet in front of seq */
	size_t off;
	size_t part; /* octets of the line of seq that are given */
	char told[TOLD];  /* of which say is a part */
	const char *say; /* in front of the next record, what is left of it */
	bool broken;	 /* it was told that the log is damaged here */
	enum pause pause;
	struct mono since; /* it paused */
	struct mono gave;  /* something, last */
};

struct streams {
	struct shelf shelf;
	struct stream *first;
	uint64_t size; /* of the log, when it was looked at last */
	uint32_t log;  /* which that was */
	struct mono now;
	struct record_view view;
	uint8_t line[LINE_MAX_OCTETS];
};

int streams_open(struct streams **out, struct window *w, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_set(e, E_NOMEM, 0, "out of memory");
	(*out)->shelf.w = w;
	return 0;
}

void streams_close(struct streams *s)
{
	if (s)
		shelf_free(&s->shelf);
	free(s);
}

/* --- one record ----------------------------------------------------------- */

/* The octets of record s->seq. As shelf_get. */
static int record_of(struct stream *s, struct span *record)
{
	uint64_t first = s->seq / STORE_BUNDLE * STORE_BUNDLE;
	uint32_t have, index = (uint32_t)(s->seq - first);
	struct window_key key = {WINDOW_BUNDLE, first, 0};
	struct span octets;
	struct cur c;
	int rc = shelf_get(&s->all->shelf, s->want.side, &key, index + 1,
			   s->all->now, &octets, &have);

	/* If it was not pruned it must be there: the log is so long. */
	if (rc != 1)
		return rc;
	c = cur_of(octets);
	if (s->bundle == first && s->off) {
		/* A bundle only grows. */
		cur_take(&c, s->off);
	} else {
		for (uint32_t i = 0; i < index; i++) {
			if (!store_next(&c, record))
				return E_INTEGRITY;
		}
	}
	s->bundle = first;
	s->off = c.off;
	return store_next(&c, record) ? 1 : E_INTEGRITY;
}

/* Past record s->seq, whose octets these are. */
static void pass(struct stream *s, struct span record)
{
	s->seq++;
	s->off = s->seq % STORE_BUNDLE ? s->off + 2 + record.n : 0;
	s->part = 0;
}

/* Its line, framed; empty when it is not wanted. Negative: no record. */
static int line_of(struct stream *s, struct span record, struct span *line)
{
	struct streams *all = s->all;
	struct json j = json_of(all->line, sizeof(all->line));
	struct eve_opts o = {.has_seq = true, .seq = s->seq};
	struct err ignored;

	*line = (struct span){0};
	if (record_decode(&all->view, record, &ignored))
		return E_INTEGRITY;
	if (!filter_wants(&s->want.filter, &all->view))
		return 0;
	o.service = all->view.r.service;
	if (s->want.events) {
		char id[FRAME], in[FRAME / 2] = "";

		if (s->log.recovery)
			snprintf(in, sizeof(in), EVENT_RECOVERY "%u/",
				 s->log.recovery);
		snprintf(id, sizeof(id), "id: %s%llu\ndata: ", in,
			 (unsigned long long)s->seq);
		wbuf_put(&j.w, span_str(id));
	}
	if (!eve_event(&j, &all->view.ev, &o))
		return E_LIMIT;
	if (s->want.events)
		wbuf_u8(&j.w, '\n');
	if (j.w.failed)
		return E_LIMIT;
	*line = wbuf_span(&j.w);
	return 0;
}

/* --- giving --------------------------------------------------------------- */

static size_t give(char *to, size_t cap, struct span from, size_t off)
{
	struct span part = span_sub(from, off, cap);

	if (part.n)
		memcpy(to, part.p, part.n);
	return part.n;
}

static bool over(const struct stream *s)
{
	return (s->want.limit && s->given == s->want.limit) ||
	       (!s->want.follow && s->seq >= s->end);
}

/* A filter may let nothing through while the log grows. */
static void beat_if_due(struct stream *s)
{
	struct mono now = live_mono();

	if (s->want.events && !s->say && s->part == 0 &&
	    mono_sub(now, s->gave) >= HEARTBEAT_NS)
		s->say = beat;
}

static int64_t wait_for(struct stream *s, enum pause why)
{
	s->pause = why;
	s->since = live_mono();
	return STREAM_WAIT;
}

/* --- which log, and where in it ------------------------------------------- */

/* An event of ours, which is no record: it has no id. */
static void tell(struct stream *s, const char *event, bool which)
{
	char data[TOLD - FRAME];
	struct json j = json_of(data, sizeof(data) - 1);

	json_obj(&j, NULL);
	if (which)
		json_str(&j, "origin", s->log.origin);
	json_u64(&j, "first", s->seq);
	json_obj_end(&j);
	data[j.w.failed ? 0 : j.w.n] = 0;
	snprintf(s->told, sizeof(s->told), "%sevent: %s\ndata: %s\n\n",
		 s->say ? hello : "", event, data);
	s->say = s->told;
}

/* What was pruned cannot be given, nor what is of another log than the one
 * that a reader saw: who reads events is told so. */
static void begin_at(struct stream *s)
{
	uint64_t size = shelf_size(&s->all->shelf);
	uint64_t first = shelf_first(&s->all->shelf);
	uint64_t from = s->want.from;
	bool other = s->want.resumes && (s->want.recovery != s->log.recovery ||
					 from > size);

	if (s->want.last)
		from = size > s->want.last ? size - s->want.last : 0;
	else if (other)
		from = 0;
	s->seq = from < first ? first : from;
	s->end = size;
	if (s->want.events && (other || from < first))
		tell(s, other ? "log" : "pruned", other);
}

/* The log is another than before. Who reads events hears of it and is given
 * that one, from its beginning; others find their answer cut off. */
static int64_t next_log(struct stream *s, const struct window_log *log)
{
	bool within = s->part || (s->say && s->say != hello &&
				  s->say != beat && s->say != s->told);

	if (!s->want.events || !s->want.follow || s->want.origin[0] || within)
		return STREAM_BROKEN;
	s->log = *log;
	s->bundle = s->off = 0;
	s->seq = shelf_first(&s->all->shelf);
	tell(s, "log", true);
	return 0;
}

static int64_t same_log(struct stream *s)
{
	struct window_log log;
	uint32_t now = shelf_log(&s->all->shelf);

	if (now && now == s->log.number)
		return 0;
	if (!now || !window_log(s->all->shelf.w, &log))
		return wait_for(s, PAUSE_BUNDLE);
	return next_log(s, &log);
}

static size_t give_said(struct stream *s, char *to, size_t cap)
{
	size_t n = give(to, cap, span_str(s->say), 0);

	s->say = s->say[n] ? s->say + n : NULL;
	return n;
}

/* The next record cannot be given: it was pruned, so others are, or the log is
 * damaged there. That is not passed over in silence: who reads events is told,
 * others find their answer cut off. */
static int64_t cannot(struct stream *s, int rc, char *to, size_t cap)
{
	uint64_t first = shelf_first(&s->all->shelf);

	if (!s->want.events || s->part || s->broken)
		return STREAM_BROKEN;
	if (rc == E_NOTFOUND && s->seq < first) {
		s->seq = first;
		s->bundle = s->off = 0;
		tell(s, "pruned", false);
	} else {
		s->broken = true;
		tell(s, "damaged", false);
	}
	return (int64_t)give_said(s, to, cap);
}

int64_t stream_give(struct stream *s, char *to, size_t cap)
{
	struct span record, line;
	int64_t log = same_log(s);
	size_t n = 0;

	if (log)
		return log;
	beat_if_due(s);
	if (s->say || s->part)
		s->gave = live_mono();
	if (s->say)
		n = give_said(s, to, cap);
	for (int looked = 0; n < cap && looked < SCAN; looked++) {
		size_t k;
		int rc;

		if (over(s))
			return n ? (int64_t)n : STREAM_END;
		if (s->seq >= shelf_size(&s->all->shelf))
			return n ? (int64_t)n : wait_for(s, PAUSE_MORE);
		rc = record_of(s, &record);
		if (rc == 0 || rc == E_STATE)
			return n ? (int64_t)n : wait_for(s, PAUSE_BUNDLE);
		if (rc == 1)
			rc = line_of(s, record, &line);
		if (rc < 0)
			return n ? (int64_t)n : cannot(s, rc, to, cap);
		k = give(to + n, cap - n, line, s->part);
		n += k;
		s->part += k;
		if (s->part < line.n)
			break;
		s->given += line.n > 0;
		if (line.n)
			s->gave = live_mono();
		pass(s, record);
	}
	return n ? (int64_t)n : wait_for(s, PAUSE_TURN);
}

/* --- beginning and end ---------------------------------------------------- */

void stream_free(struct stream *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	free(s);
}

struct stream *stream_new(struct streams *all, const struct want *w,
			  void *conn, void (*resume)(void *conn))
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct stream){
		.all = all,
		.next = all->first,
		.at = &all->first,
		.conn = conn,
		.resume = resume,
		.want = *w,
		.say = w->events ? hello : NULL,
		.gave = live_mono(),
	};
	if (!window_log(all->shelf.w, &s->log))
		s->log = (struct window_log){0};
	begin_at(s);
	if (s->next)
		s->next->at = &s->next;
	all->first = s;
	return s;
}

/* --- all of them ---------------------------------------------------------- */

static bool may_go_on(struct stream *s, bool came, bool grew, struct mono now)
{
	int64_t waited = mono_sub(now, s->since);

	switch (s->pause) {
	case PAUSE_TURN:
		return true;
	case PAUSE_BUNDLE:
		return came || waited >= AGAIN_NS;
	case PAUSE_MORE:
		return grew || waited >= HEARTBEAT_NS;
	case PAUSE_NONE:
		break;
	}
	return false;
}

struct shelf *streams_shelf(struct streams *s)
{
	return &s->shelf;
}

bool streams_turn(struct streams *all, struct mono now,
		  void (*wake)(void *arg), void *arg)
{
	bool came = shelf_turn(&all->shelf, now, wake, arg);
	uint64_t size = shelf_size(&all->shelf);
	uint32_t log = shelf_log(&all->shelf);
	bool grew = size != all->size || log != all->log, follows = false;
	struct stream *next;

	all->size = size;
	all->log = log;
	all->now = now;
	for (struct stream *s = all->first; s; s = next) {
		next = s->next;
		follows |= s->want.follow;
		if (!may_go_on(s, came, grew, now))
			continue;
		s->pause = PAUSE_NONE;
		s->resume(s->conn);
	}
	atomic_store(&all->shelf.w->follows, follows);
	return came;
}
