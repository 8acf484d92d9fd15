/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another receiver of responses: what our reader accepts, curl reads as the
 * same statuses and bodies. A server sends it, for each request, the octets
 * that are the answer to us; a body that curl takes for longer keeps it
 * waiting, one that it takes for shorter costs the connection, which curl must
 * use again where we say that it stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dissectors/http/testkit.h"

#define CASES	 2000	/* streams of answers that we accept */
#define TRIES	 40000	/* to find them */
#define CONNS	 64
#define ANSWERS	 6
#define SENTINEL "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast"

extern char **environ;

/* What one connection is answered. */
struct exchange {
	bool head[ANSWERS]; /* the request is HEAD */
	struct telling ours;
	size_t n;
	char *raw;
};

/* --- answers ----------------------------------------------------------- */

static void put_answer(struct maker *k, bool head, bool last)
{
	static const char *const status[] = {
		"200 OK", "200 OK", "200 ", "201 Created", "204 No Content",
		"205 Reset Content", "301 Moved", "304 Not Modified",
		"400 Bad Request", "404 Not Found", "500 A\tB \xe9", "299 x",
	};
	static const char *const others[] = {
		"", "", "", "Connection: keep-alive\r\n", "Server: \t b\r\n",
		"Content-Type: text/event-stream\r\n", "Connection: close\r\n",
		"Content-Type: text/plain; a=b\r\n", "Set-Cookie: a=\"b\r\n",
		"Location: /elsewhere\r\n", "Retry-After: 1\r\n",
		"Content-Encoding: identity\r\n", "ETag:\r\n",
		"Vary: Accept\r\nVary: Host\r\n", "Keep-Alive: timeout=1\r\n",
		"WWW-Authenticate: Basic realm=\"a\"\r\n",
	};
	const char *s = PICK(k, status);
	char code[] = {s[0], s[1], s[2], 0};
	bool none = head || strstr("204 205 304", code);
	uint32_t n = rnd(k, 4) ? rnd(k, 200) : rnd(k, 9000);

	/* Nobody asked for it. */
	if (rnd(k, 32) == 0)
		put(k, "HTTP/1.1 100 Continue\r\n\r\n");
	put(k, "HTTP/1.%c %s\r\n", rnd(k, 8) ? '1' : '0', s);
	put(k, "%s", PICK(k, others));
	put(k, "%s", PICK(k, others));
	if (none && rnd(k, 2))
		put(k, "\r\n");
	else if (none)
		put(k, "%s\r\n", rnd(k, 2) ? "Content-Length: 0\r\n" :
			       rnd(k, 2) ? "Content-Length: 7\r\n" :
				       "Transfer-Encoding: chunked\r\n");
	else if (last && rnd(k, 3) == 0) {
		put(k, "\r\n");
		put_octets(k, n);
	} else
		put_body(k, n, rnd(k, 2));
}

static bool read_answers(struct reader_kit *r, struct exchange *x,
			 struct maker *k)
{
	static struct telling asked;
	static struct maker ask;

	ask.n = 0;
	for (unsigned i = 0; i < ANSWERS; i++)
		put(&ask, "%s / HTTP/1.1\r\nHost: m\r\n\r\n",
		    x->head[i] ? "HEAD" : "GET");
	r->f = (struct http_flow){0};
	return reader_stream(r, DIR_IN, span_of(ask.text, ask.n), &asked) &&
	       reader_stream(r, DIR_OUT, span_of(k->text, k->n), &x->ours) &&
	       x->ours.n;
}

/* A stream that we accept, with one more answer behind it that must be found
 * where nothing ends the connection. */
static bool make(struct reader_kit *r, struct maker *k, struct exchange *x)
{
	uint32_t n = 1 + rnd(k, ANSWERS - 2);

	k->n = 0;
	for (uint32_t i = 0; i < ANSWERS; i++) {
		x->head[i] = i < n && rnd(k, 6) == 0;
		if (i < n)
			put_answer(k, x->head[i], i + 1 == n);
	}
	if (rnd(k, 3))
		mutate(k);
	if (!read_answers(r, x, k))
		return false;
	if (!x->ours.v[x->ours.n - 1].closes && x->ours.n < ANSWERS &&
	    !x->head[x->ours.n]) {
		put(k, SENTINEL);
		if (!read_answers(r, x, k) ||
		    memcmp(x->ours.v[x->ours.n - 1].body, "last", 4) != 0)
			abort();
	}
	x->n = k->n;
	x->raw = malloc(k->n);
	if (!x->raw)
		abort();
	memcpy(x->raw, k->text, k->n);
	return true;
}

/* --- the server --------------------------------------------------------- */

struct server {
	struct exchange *x;
	unsigned n_x;
	struct pollfd fd[1 + CONNS]; /* [0] listens */
	unsigned n;
	char in[1 + CONNS][4096];
	size_t got[1 + CONNS];
};

static void drop(struct server *s, unsigned i)
{
	close(s->fd[i].fd);
	s->n--;
	s->fd[i] = s->fd[s->n];
	s->got[i] = s->got[s->n];
	memcpy(s->in[i], s->in[s->n], s->got[i]);
}

/* Answers a request for "/exchange/answer"; false: the connection ends. */
static bool answer(struct server *s, unsigned i)
{
	const struct told *m;
	const struct exchange *x;
	unsigned which, at;
	size_t from;

	if (sscanf(s->in[i], "%*s /%u/%u ", &which, &at) != 2 ||
	    which >= s->n_x || at >= s->x[which].ours.n)
		return false;
	x = &s->x[which];
	m = &x->ours.v[at];
	from = at ? x->ours.v[at - 1].end : 0;
	if (write(s->fd[i].fd, x->raw + from, m->end - from) !=
	    (ssize_t)(m->end - from))
		return false;
	s->got[i] = 0;
	return m->framing != FRAMING_CLOSE;
}

static void hear(struct server *s, unsigned i)
{
	size_t room = sizeof(s->in[i]) - 1 - s->got[i];
	ssize_t n = read(s->fd[i].fd, s->in[i] + s->got[i], room);

	if (n > 0) {
		s->got[i] += (size_t)n;
		s->in[i][s->got[i]] = 0;
	}
	if (n <= 0 || (strstr(s->in[i], "\r\n\r\n") && !answer(s, i)))
		drop(s, i);
}

static void serve(struct server *s)
{
	if (poll(s->fd, s->n, 20) <= 0)
		return;
	for (unsigned i = s->n - 1; i > 0; i--) {
		if (s->fd[i].revents)
			hear(s, i);
	}
	if (s->fd[0].revents && s->n < 1 + CONNS) {
		int fd = accept(s->fd[0].fd, NULL, NULL);

		if (fd < 0)
			return;
		s->fd[s->n] = (struct pollfd){.fd = fd, .events = POLLIN};
		s->got[s->n++] = 0;
	}
}

static void listen_in(struct server *s, const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/socket", dir);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 16), 0);
	s->fd[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	s->n = 1;
}

/* --- curl ---------------------------------------------------------------- */

/* Its configuration: one transfer for each answer, all of one host, so that
 * they share a connection. */
static void configure(const struct server *s, const char *dir)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/config", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	for (unsigned c = 0; c < s->n_x; c++) {
		for (unsigned i = 0; i < s->x[c].ours.n; i++) {
			bool head = s->x[c].head[i];

			fprintf(f,
				"%ssilent\nunix-socket = \"%s/socket\"\n"
				"max-time = 2\nurl = \"http://m.example/"
				"%u/%u\"\noutput = \"%s\"\n%s"
				"write-out = \"%%{stderr}%%{http_code} "
				"%%{size_download} %%{num_connects} "
				"%%{exitcode}\\n\"\n",
				c + i ? "next\n" : "", dir, c, i,
				head ? "/dev/null" : "-",
				head ? "head\n" : "");
		}
	}
	assert_int_equal(fclose(f), 0);
}

/* Returns its process, or 0 where there is none. */
static pid_t run_curl(const char *dir)
{
	posix_spawn_file_actions_t a;
	char config[128], out[128], err[128];
	char curl[] = "curl", q[] = "-q", k[] = "-K";
	char *argv[] = {curl, q, k, config, NULL};
	pid_t pid = 0;
	int rc;

	snprintf(config, sizeof(config), "%s/config", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(err, sizeof(err), "%s/err", dir);
	posix_spawn_file_actions_init(&a);
	posix_spawn_file_actions_addopen(&a, 1, out, O_WRONLY | O_CREAT, 0600);
	posix_spawn_file_actions_addopen(&a, 2, err, O_WRONLY | O_CREAT, 0600);
	rc = posix_spawnp(&pid, "curl", &a, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&a);
	return rc ? 0 : pid;
}

static FILE *result(const char *dir, const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	return f;
}

/* Is the next answer that curl tells of ours? */
static bool same(const struct exchange *x, unsigned i, bool anew, FILE *out,
		 FILE *err)
{
	size_t from = i ? x->ours.v[i - 1].end : 0;
	static uint8_t body[KIT_STREAM];
	const struct told *m = &x->ours.v[i];
	unsigned code = 0, connects = 0, exit_code = 0;
	char text[8], line[128] = "";
	size_t n = 0, want;

	if (!fgets(line, sizeof(line), err) ||
	    sscanf(line, "%u %zu %u %u", &code, &n, &connects, &exit_code) != 4)
		fail_msg("curl says \"%s\"", line);
	want = x->head[i] ? 0 : n;
	if (want > sizeof(body) || fread(body, 1, want, out) != want)
		fail_msg("curl wrote less than it says");
	snprintf(text, sizeof(text), "%u", code);
	if (strcmp(text, m->first) == 0 && n == m->n &&
	    memcmp(body, m->body, n) == 0 && connects == anew &&
	    exit_code == 0)
		return true;
	print_error("answer %u, %s connection:\n%.*s\nours %s, %zu octets; "
		    "curl: status, octets, new connections, exit: %s\n",
		    i, anew ? "a new" : "the same",
		    (int)(m->end - from < 300 ? m->end - from : 300),
		    x->raw + from, m->first, m->n, line);
	return false;
}

static void tidy(struct server *s, const char *dir)
{
	static const char *const files[] = {"config", "out", "err", "socket"};
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	while (s->n > 1)
		drop(s, 1);
	close(s->fd[0].fd);
	for (unsigned c = 0; c < s->n_x; c++)
		free(s->x[c].raw);
	free(s->x);
}

static void same_answers(void **state)
{
	static struct maker k = {.seed = 20261126};
	static struct server s;
	char dir[] = "/tmp/metergate-curl-XXXXXX";
	struct reader_kit *r = reader_new();
	unsigned tries = 0, answers = 0, differ = 0;
	bool anew = true; /* the next answer is on a new connection */
	FILE *out, *err;
	int status = 0;
	pid_t pid;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	s.x = calloc(CASES, sizeof(*s.x));
	assert_non_null(s.x);
	for (; tries < TRIES && s.n_x < CASES; tries++)
		s.n_x += make(r, &k, &s.x[s.n_x]);
	reader_free(r);
	assert_int_equal(s.n_x, CASES);
	assert_non_null(mkdtemp(dir));
	listen_in(&s, dir);
	configure(&s, dir);
	pid = run_curl(dir);
	if (pid == 0) {
		tidy(&s, dir);
		print_message("SKIP: http curl: curl is not installed\n");
		skip();
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		serve(&s);
	out = result(dir, "out");
	err = result(dir, "err");
	for (unsigned c = 0; c < s.n_x && differ < 8; c++) {
		const struct telling *t = &s.x[c].ours;

		for (unsigned i = 0; i < t->n; i++, answers++) {
			differ += !same(&s.x[c], i, anew, out, err);
			anew = t->v[i].closes;
		}
	}
	fclose(out);
	fclose(err);
	print_message("%u of %u streams accepted, %u answers, read alike by "
		      "curl\n", s.n_x, tries, answers);
	tidy(&s, dir);
	assert_int_equal(differ, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_answers)};

	return cmocka_run_group_tests_name("http curl", tests, NULL, NULL);
}
