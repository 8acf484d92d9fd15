/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/replay.h"

/* The one thing here that is not in a context: a handler has none. */
static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

struct replay {
	struct replay_opts opts;
	struct log log;
	struct replay_policy policy;
	struct capture_player player;
	struct app_ndpi *app; /* NULL: nobody is asked */
	struct replay_output output;
	struct replay_progress progress;
	struct capture_split *split; /* NULL: not wanted */
	struct replay_audit *audit;  /* NULL: not wanted */
	struct replay_jobs *jobs;    /* NULL: all on this thread */
	struct pipeline_sink sink;
	uint64_t total;   /* octets of the captures that are files */
	bool endless;	  /* one is a pipe: nobody knows its size */
	bool has_format;
	struct capture_format format;
	struct err output_error;
};

/* --- what the pipeline says
 * ----------------------------------------------------- */

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	struct replay *r = arg;

	(void)why; /* its event came before */
	if (r->split && v != PACKET_HOLD)
		capture_split_verdict(r->split, id, v == PACKET_PASS);
}

static void on_event(void *arg, const struct event *ev)
{
	struct replay *r = arg;

	if (r->jobs) {
		replay_jobs_event(r->jobs, ev);
		return;
	}
	replay_output_event(&r->output, ev);
	if (r->audit)
		replay_audit_event(r->audit, ev);
}

static void on_wait(void *arg)
{
	struct replay *r = arg;

	if (r->jobs)
		replay_jobs_flush(r->jobs);
	else
		replay_output_flush(&r->output);
}

/* --- start
 * ---------------------------------------------------------------------- */

static void catch_signals(void)
{
	static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	/* Without SA_RESTART: a read from a pipe ends, too. */
	struct sigaction sa = {.sa_handler = on_signal};

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++) {
		struct sigaction old;

		/* nohup stays nohup */
		if (sigaction(caught[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_DFL)
			sigaction(caught[i], &sa, NULL);
	}
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL); /* EPIPE says it better */
	sigaction(SIGXFSZ, &sa, NULL); /* and so does EFBIG */
}

/* A closed standard descriptor would be given to the next file opened. */
static int check_descriptors(struct err *e)
{
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		return err_set(e, E_IO, 0, "standard output: %s",
			       strerror(errno));
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return err_sys(e, "/dev/null");
	}
	return 0;
}

static int join_format(struct replay *r, const struct capture *c, struct err *e)
{
	struct capture_format f;

	capture_format(c, &f);
	if (r->has_format)
		return capture_format_join(&r->format, &f, e);
	r->format = f;
	r->has_format = true;
	return 0;
}

/* Look at every file once before anything is written: a bad name among many
 * is found at once, and the outputs can hold packets of all of them. Pipes
 * cannot be looked at twice; the first is opened for good in run(). */
static int survey(struct replay *r, struct err *e)
{
	bool joins = r->opts.allowed || r->opts.denied;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->opts.n_captures; i++) {
		const char *path = r->opts.captures[i];
		struct capture *c;
		struct stat st = {0};

		if (strcmp(path, "-") == 0) {
			r->endless = true;
			continue;
		}
		if (stat(path, &st) == 0) {
			if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
				r->endless = true;
				continue;
			}
		}
		rc = capture_open(&c, path, e);
		if (rc < 0)
			return rc;
		r->total += (uint64_t)st.st_size;
		if (joins) {
			rc = join_format(r, c, e);
			if (rc < 0)
				err_wrap(e, "%s", path);
		}
		capture_close(c);
	}
	return rc;
}

static int start_player(struct replay *r, struct err *e)
{
	struct capture_player_conf conf = {
		.set = r->policy.set,
		.state = r->policy.state,
		.guests = r->opts.guests,
		.n_guests = r->opts.n_guests,
		.keys = r->opts.keys,
		.dns = r->opts.asks_one ? &r->opts.dns : NULL,
		.values = r->opts.values,
		.partial_sums = r->opts.checksums == REPLAY_SUMS_PARTIAL ||
				(!r->opts.checksums && !r->policy.set),
	};

	r->sink = (struct pipeline_sink){.arg = r,
					 .verdict = on_verdict,
					 .event = on_event};
	if (r->opts.classify) {
		struct app_conf app = {.max_flows = PIPELINE_FLOWS};
		int rc = app_new(&r->app, &app, e);

		if (rc < 0)
			return err_wrap(e, "--classify");
		conf.classifier = app_classifier(r->app);
	}
	return capture_player_init(&r->player, &conf, e);
}

static void say_loaded(const struct replay *r)
{
	const struct pol_set *set = r->policy.set;

	if (!r->opts.verbose)
		return;
	if (set) {
		struct span zone = pol_set_timezone(set);

		log_info(&r->log, "%zu policies, %zu machines, time zone %.*s",
			 r->policy.files.n, pol_set_machines(set),
			 zone.n ? (int)zone.n : 3,
			 zone.n ? (const char *)zone.p : "UTC");
		log_info(&r->log, "policy state: %zu octets",
			 pol_state_size(r->policy.state));
	}
	log_info(&r->log, "%zu keys", r->player.keys.conf.n_keys);
	log_info(&r->log, "pipeline: %zu octets",
		 pipeline_size(r->player.pipeline));
}

static int start(struct replay *r, struct err *e)
{
	int rc = replay_paths(&r->opts, e);

	if (rc == 0 && r->opts.policy)
		rc = replay_policy_load(&r->policy, r->opts.policy, e);
	if (rc == 0)
		rc = start_player(r, e);
	if (rc == 0)
		rc = survey(r, e);
	if (rc == 0)
		rc = replay_output_init(&r->output, &r->opts, &r->output_error);
	if (rc == 0 && r->opts.audit)
		rc = replay_audit_new(&r->audit, r->opts.audit,
				      r->policy.set != NULL, e);
	if (rc == 0)
		rc = replay_jobs_start(&r->jobs, r->opts.jobs, &r->output,
				       r->audit, e);
	replay_progress_init(&r->progress, r->total, r->endless,
			     !r->opts.quiet);
	if (rc == 0)
		say_loaded(r);
	return rc;
}

/* --- run
 * ------------------------------------------------------------------------ */

/* What went wrong in a callback, which cannot return it. With jobs only that
 * something did: stop_jobs says what. */
static int check_failures(const struct replay *r, struct err *e)
{
	if (r->jobs)
		return replay_jobs_failed(r->jobs)
			       ? err_set(e, E_IO, 0, "a job failed")
			       : 0;
	if (r->output.failed) {
		*e = r->output_error;
		return e->code;
	}
	return r->audit ? replay_audit_check(r->audit, e) : 0;
}

static int one_packet(struct replay *r, const struct capture_packet *p,
		      struct err *e)
{
	struct capture_player *player = &r->player;

	if (player->packets == 0)
		replay_policy_events(&r->policy, capture_player_time(player, p),
				     &r->sink);
	if (r->split)
		capture_split_before(r->split, player->packets + 1, p);
	capture_player_packet(player, p, &r->sink);
	if (r->split) {
		int rc = capture_split_after(r->split, e);

		if (rc < 0)
			return rc;
	}
	return check_failures(r, e);
}

static int one_capture(struct replay *r, const char *path, struct err *e)
{
	struct capture_packet p;
	struct capture *c;
	uint64_t at, size;
	int rc = capture_open(&c, path, e);

	if (rc < 0)
		return rc;
	capture_on_wait(c, on_wait, r);
	if (!r->split && (r->opts.allowed || r->opts.denied)) {
		rc = join_format(r, c, e);
		if (rc == 0)
			rc = capture_split_new(&r->split, r->opts.allowed,
					       r->opts.denied, &r->format,
					       CAPTURE_PLAYER_HELD, e);
	} else if (r->split) {
		/* A pipe after files: it has to fit what was created. */
		struct capture_format was = r->format;

		rc = join_format(r, c, e);
		if (rc == 0 && r->format.nano && !was.nano)
			rc = err_set(e, E_UNSUPPORTED, 0,
				     "its time stamps are finer than those of "
				     "the captures before it");
		if (rc < 0)
			err_wrap(e, "%s", path);
	}
	while (rc == 0 && !got_signal) {
		rc = capture_next(c, &p, e);
		if (rc <= 0)
			break;
		rc = one_packet(r, &p, e);
		replay_progress_show(&r->progress, c, r->player.packets);
	}
	capture_progress(c, &at, &size);
	r->progress.done_before += size;
	capture_close(c);
	return rc;
}

/* After it there is one thread again, and what went wrong elsewhere is told
 * rather than what followed from it here. */
static int stop_jobs(struct replay *r, int rc, struct err *e)
{
	struct err own;
	int failed;

	if (!r->jobs)
		return rc;
	failed = replay_jobs_stop(r->jobs, &own);
	r->jobs = NULL;
	if (failed == 0)
		failed = check_failures(r, &own);
	if (failed == 0)
		return rc;
	*e = own;
	return failed;
}

static int finish(struct replay *r, struct err *e)
{
	struct now now = r->player.clock.now;
	int rc;

	if (r->player.packets == 0)
		replay_policy_events(&r->policy, now, &r->sink);
	capture_player_end(&r->player, &r->sink);
	rc = stop_jobs(r, 0, e);
	if (rc < 0)
		return rc;
	replay_output_stats(&r->output, now,
			    pipeline_stats(r->player.pipeline));
	replay_output_flush(&r->output);
	rc = check_failures(r, e);
	/* First all of it on the disk, then the names. */
	if (rc == 0 && r->split)
		rc = capture_split_finish(r->split, e);
	if (rc == 0 && r->audit)
		rc = replay_audit_finish(r->audit, e);
	if (rc == 0 && r->split)
		rc = capture_split_commit(r->split, e);
	if (rc == 0 && r->audit)
		rc = replay_audit_commit(r->audit, e);
	return rc;
}

static void say_classified(const struct replay *r)
{
	struct app_stats s;

	if (!r->opts.verbose || !r->app)
		return;
	s = app_stats(r->app);
	log_info(&r->log, "nDPI: %llu packets, %llu flows named, %llu given "
		 "up; %zu octets of tables, %zu of a flow at most",
		 (unsigned long long)s.packets, (unsigned long long)s.named,
		 (unsigned long long)(s.displaced + s.exhausted), s.tables,
		 s.slot_peak);
}

static int run(struct replay *r, struct err *e)
{
	int rc = start(r, e);

	for (size_t i = 0; rc == 0 && !got_signal && i < r->opts.n_captures;
	     i++)
		rc = one_capture(r, r->opts.captures[i], e);
	if (rc == 0 && !got_signal)
		rc = finish(r, e);
	rc = stop_jobs(r, rc, e);
	replay_progress_clear(&r->progress);
	say_classified(r);
	return rc;
}

static bool denied(const struct replay *r)
{
	const struct pipeline_stats *s = pipeline_stats(r->player.pipeline);

	return r->policy.set && (s->dropped || s->denied);
}

static void stop(struct replay *r)
{
	capture_split_free(r->split);
	replay_audit_free(r->audit);
	capture_player_fini(&r->player);
	app_free(r->app);
	replay_output_fini(&r->output);
	replay_policy_free(&r->policy);
}

int main(int argc, char **argv)
{
	struct replay r = {
		.log = log_init(REPLAY_PROGRAM, LOG_LEVEL_INFO, false)};
	struct err e = {0};
	int rc, status;

	rc = check_descriptors(&e);
	if (rc == 0)
		rc = replay_opts(&r.opts, argc, argv, &e);
	if (rc == 1)
		return 0;
	if (rc == 0) {
		catch_signals();
		rc = run(&r, &e);
	}
	status = rc < 0 ? 2 : 0;
	if (rc == 0 && !got_signal)
		status = denied(&r);
	stop(&r);
	if (got_signal) {
		/* Nothing is left behind; now die of it, as is expected. */
		signal(got_signal, SIG_DFL);
		raise(got_signal);
	}
	if (rc < 0)
		log_err(&r.log, "%s", e.text);
	return status;
}
