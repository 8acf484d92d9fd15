/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/replay.h"

/*
 * Events become lines and records on threads of their own. An event is
 * borrowed for its call, so it is copied with all it points to into a batch;
 * full batches go round in order, and every consumer sees all of them in
 * that order: the output does not depend on the number of threads.
 */
#define BATCHES      4
#define BATCH_OCTETS (256u << 10) /* stays in the cache between two cores */
#define ALIGN        16

struct batch {
	uint8_t *mem; /* events, one after another */
	size_t n;
	const struct event *first;
	bool flush; /* somebody waits for what these say */
};

/* In front of each event. */
struct link {
	const struct event *next;
};

struct consumer {
	struct replay_jobs *jobs;
	pthread_t thread;
	bool lines, records; /* what it makes */
	uint64_t done;       /* batches */
};

struct replay_jobs {
	struct replay_output *output; /* or NULL */
	struct replay_audit *audit;   /* or NULL */
	struct batch batch[BATCHES];
	struct link *last; /* of the batch being filled; NULL: it is empty */
	struct consumer consumer[2];
	size_t n_consumers;
	atomic_bool failed; /* some consumer gave up; it keeps the reason */
	struct err e;       /* of the producer */
	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t filled; /* batches handed over */
	bool stop;
};

/* --- copying -----------------------------------------------------------------
 */

static void *take(struct batch *b, size_t n)
{
	size_t at = (b->n + ALIGN - 1) / ALIGN * ALIGN;

	if (at > BATCH_OCTETS || n > BATCH_OCTETS - at)
		return NULL;
	b->n = at + n;
	return b->mem + at;
}

static bool copy_span(struct batch *b, struct span *s)
{
	uint8_t *p;

	if (s->n == 0)
		return true;
	p = take(b, s->n);
	if (p)
		memcpy(p, s->p, s->n);
	s->p = p;
	return p != NULL;
}

static bool copy_text(struct batch *b, const char **text)
{
	struct span s = {(const uint8_t *)*text, *text ? strlen(*text) + 1 : 0};

	if (!copy_span(b, &s))
		return false;
	*text = (const char *)s.p;
	return true;
}

static bool copy_facts(struct batch *b, struct obs *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		struct fact *f = &o->f[i];
		enum field_type t = field_type((enum field)f->field);
		struct span s = {f->p, f->n};

		if (t != FIELD_SPAN && t != FIELD_TEXT && t != FIELD_OID)
			continue;
		if (!copy_span(b, &s))
			return false;
		f->p = s.p;
	}
	return true;
}

static bool copy_obs(struct batch *b, const struct obs **list, uint32_t n)
{
	struct obs *to;

	if (!*list || n == 0)
		return true;
	to = take(b, n * sizeof(*to));
	if (!to)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const struct obs *from = &(*list)[i];

		/* Facts in use only: most of an observation is empty. */
		memcpy(&to[i], from,
		       offsetof(struct obs, f) + from->n * sizeof(*from->f));
		if (!copy_facts(b, &to[i]))
			return false;
	}
	*list = to;
	return true;
}

#define FROM(member) offsetof(struct event, member)

/* Rules and budgets in use only: they are two thirds of an event, and most
 * have none. */
static void copy_plain(struct event *to, const struct event *from)
{
	memcpy(to, from, FROM(rules));
	memcpy(to->rules, from->rules, from->n_rules * sizeof(*from->rules));
	to->n_rules = from->n_rules;
	memcpy(to->budgets, from->budgets,
	       from->n_budgets * sizeof(*from->budgets));
	memcpy(&to->n_budgets, &from->n_budgets,
	       sizeof(*to) - FROM(n_budgets));
}

/* The event with all it borrows, or NULL when the batch is full. What belongs
 * to the policies and the command line, names and places of rules, guests and
 * parties, stays where it is: these are the same until the end. */
static struct link *copy_event(struct batch *b, const struct event *from)
{
	struct link *link = take(b, sizeof(*link));
	struct event *ev = take(b, sizeof(*ev));

	if (!link || !ev)
		return NULL;
	copy_plain(ev, from);
	*link = (struct link){NULL};
	if (!copy_text(b, &ev->detail) || !copy_span(b, &ev->would_pass) ||
	    !copy_obs(b, &ev->message, 1) ||
	    !copy_obs(b, &ev->leaves, ev->n_leaves))
		return NULL;
	return link;
}

/* The event of a link stands right behind it. */
static const struct event *event_of(const struct link *link)
{
	size_t size = (sizeof(*link) + ALIGN - 1) / ALIGN * ALIGN;

	return (const struct event *)((const char *)link + size);
}

static const struct link *link_of(const struct event *ev)
{
	size_t size = (sizeof(struct link) + ALIGN - 1) / ALIGN * ALIGN;

	return (const struct link *)((const char *)ev - size);
}

/* --- consumers
 * ---------------------------------------------------------------- */

static void consume(const struct consumer *c, const struct batch *b)
{
	struct replay_jobs *j = c->jobs;
	struct err ignored;

	for (const struct event *ev = b->first; ev; ev = link_of(ev)->next) {
		if (c->lines)
			replay_output_event(j->output, ev);
		if (c->records)
			replay_audit_event(j->audit, ev);
	}
	if (c->lines && b->flush)
		replay_output_flush(j->output);
	if ((c->lines && j->output->failed) ||
	    (c->records && replay_audit_check(j->audit, &ignored) < 0))
		atomic_store(&j->failed, true);
}

static void *run(void *arg)
{
	struct consumer *c = arg;
	struct replay_jobs *j = c->jobs;

	pthread_mutex_lock(&j->lock);
	for (;;) {
		while (c->done == j->filled && !j->stop)
			pthread_cond_wait(&j->moved, &j->lock);
		if (c->done == j->filled)
			break;
		pthread_mutex_unlock(&j->lock);
		consume(c, &j->batch[c->done % BATCHES]);
		pthread_mutex_lock(&j->lock);
		c->done++;
		pthread_cond_broadcast(&j->moved);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* --- the producer
 * ------------------------------------------------------------- */

static struct batch *current(struct replay_jobs *j)
{
	return &j->batch[j->filled % BATCHES]; /* filled is ours to change */
}

/* Hand the batch over and wait until the next one is free. */
static void hand_over(struct replay_jobs *j, bool flush)
{
	struct batch *b = current(j);

	b->flush = flush;
	pthread_mutex_lock(&j->lock);
	j->filled++;
	pthread_cond_broadcast(&j->moved);
	for (size_t i = 0; i < j->n_consumers; i++) {
		while (j->filled - j->consumer[i].done >= BATCHES)
			pthread_cond_wait(&j->moved, &j->lock);
	}
	pthread_mutex_unlock(&j->lock);
	b = current(j);
	b->n = 0;
	b->first = NULL;
	j->last = NULL;
}

void replay_jobs_event(struct replay_jobs *j, const struct event *ev)
{
	size_t before = current(j)->n;
	struct link *link = copy_event(current(j), ev);

	if (!link) {
		current(j)->n = before;
		hand_over(j, false);
		link = copy_event(current(j), ev);
	}
	if (!link) {
		err_set(&j->e, E_LIMIT, 0,
			"packet %llu: its event is too large",
			(unsigned long long)ev->pcap_cnt);
		atomic_store(&j->failed, true);
		return;
	}
	if (j->last)
		j->last->next = event_of(link);
	else
		current(j)->first = event_of(link);
	j->last = link;
}

void replay_jobs_flush(struct replay_jobs *j)
{
	if (current(j)->first)
		hand_over(j, true);
}

bool replay_jobs_failed(struct replay_jobs *j)
{
	return atomic_load(&j->failed);
}

int replay_jobs_stop(struct replay_jobs *j, struct err *e)
{
	int rc = 0;

	if (current(j)->first)
		hand_over(j, false);
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_broadcast(&j->moved);
	pthread_mutex_unlock(&j->lock);
	for (size_t i = 0; i < j->n_consumers; i++)
		pthread_join(j->consumer[i].thread, NULL);
	if (j->e.code) {
		*e = j->e;
		rc = e->code;
	}
	for (size_t i = 0; i < BATCHES; i++)
		free(j->batch[i].mem);
	pthread_cond_destroy(&j->moved);
	pthread_mutex_destroy(&j->lock);
	free(j);
	return rc;
}

/* Signals are for the thread that reads. */
static int start_thread(struct consumer *c)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&c->thread, NULL, run, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int replay_jobs_start(struct replay_jobs **out, unsigned jobs,
		      struct replay_output *output, struct replay_audit *audit,
		      struct err *e)
{
	bool lines = !output->quiet, records = audit != NULL;
	struct err ignored;
	struct replay_jobs *j;

	*out = NULL;
	if (jobs < 2 || (!lines && !records))
		return 0;
	j = calloc(1, sizeof(*j));
	if (!j)
		return err_set(e, E_NOMEM, 0, "out of memory");
	j->output = output;
	j->audit = audit;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->moved, NULL);
	for (size_t i = 0; i < BATCHES; i++) {
		j->batch[i].mem = aligned_alloc(ALIGN, BATCH_OCTETS);
		if (!j->batch[i].mem)
			goto fail;
	}
	if (jobs > 2 && lines && records) {
		j->consumer[0] = (struct consumer){.jobs = j, .lines = true};
		j->consumer[1] = (struct consumer){.jobs = j, .records = true};
	} else {
		j->consumer[0] = (struct consumer){
			.jobs = j, .lines = lines, .records = records};
	}
	for (size_t i = 0; i < (j->consumer[1].jobs ? 2 : 1); i++) {
		if (start_thread(&j->consumer[i]) != 0)
			goto fail;
		j->n_consumers++;
	}
	*out = j;
	return 0;
fail:
	if (replay_jobs_stop(j, &ignored) < 0)
		*e = ignored; /* not reached: nothing was produced */
	return err_set(e, E_NOMEM, 0, "cannot start the jobs");
}
