/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another receiver of requests: what our reader accepts, libmicrohttpd reads
 * as the same messages, whether it is told to be lenient or strict. Streams
 * are made from a grammar, most with a few octets changed, and behind each
 * stands one more request that must come out whole and last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#if __has_include(<microhttpd.h>)
#include <microhttpd.h>
#include <netinet/in.h>

#include "dissectors/http/testkit.h"

#define STREAMS 20000
#define IDLE	50 /* rounds without anything new: it waits for more */
#define SENTINEL "GET /last HTTP/1.1\r\nHost: end\r\n\r\n"

/* --- libmicrohttpd ---------------------------------------------------- */

struct server {
	struct MHD_Daemon *d;
	struct MHD_Response *answer;
	struct telling heard;
	bool closed;
	uint64_t events; /* calls of ours */
};

/* The target as it stood in the request line. */
static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
	char *copy = strdup(uri);

	(void)arg, (void)c;
	return copy;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *n, void **uri)
{
	struct server *s = arg;
	const char *host;
	struct told *m;

	(void)url;
	s->events++;
	if (*uri) {
		m = telling_begin(&s->heard);
		host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
		if (!m || strcmp(version, "HTTP/1.1") != 0)
			return MHD_NO;
		snprintf(m->first, sizeof(m->first), "%s %s %s", method,
			 (const char *)*uri, host ? host : "(none)");
		free(*uri);
		*uri = NULL;
		return MHD_YES;
	}
	if (*n) {
		telling_body(&s->heard, data, *n);
		*n = 0;
		return MHD_YES;
	}
	s->heard.v[s->heard.n - 1].closes = true; /* it is whole */
	return MHD_queue_response(c, 200, s->answer);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **uri,
			 enum MHD_RequestTerminationCode why)
{
	(void)arg, (void)c, (void)why;
	free(*uri);
	*uri = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *c, void **x,
			  enum MHD_ConnectionNotificationCode code)
{
	struct server *s = arg;

	(void)c, (void)x;
	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		s->closed = true;
}

static void server_start(struct server *s, int strict)
{
	static char none[] = "";

	s->d = MHD_start_daemon(
		MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, s,
		MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_STRICT_FOR_CLIENT, strict, MHD_OPTION_END);
	s->answer = MHD_create_response_from_buffer(0, none,
						    MHD_RESPMEM_PERSISTENT);
	assert_non_null(s->d);
	assert_non_null(s->answer);
}

static void server_stop(struct server *s)
{
	MHD_stop_daemon(s->d);
	MHD_destroy_response(s->answer);
}

/* What it makes of one connection. */
static void serve(struct server *s, struct span in)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	char answers[4096];
	unsigned idle = 0;
	int fd[2];

	s->heard.n = 0;
	s->heard.used = 0;
	s->closed = false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    fd), 0);
	assert_int_equal(write(fd[0], in.p, in.n), in.n);
	assert_int_equal(MHD_add_connection(s->d, fd[1],
					    (struct sockaddr *)&addr,
					    sizeof(addr)), MHD_YES);
	while (!s->closed && idle++ < IDLE) {
		uint64_t before = s->events;

		assert_int_equal(MHD_run(s->d), MHD_YES);
		while (read(fd[0], answers, sizeof(answers)) > 0)
			idle = 0;
		if (s->events != before)
			idle = 0;
	}
	close(fd[0]);
	for (idle = 0; !s->closed && idle < IDLE; idle++)
		assert_int_equal(MHD_run(s->d), MHD_YES);
	assert_true(s->closed);
}

/* --- streams ----------------------------------------------------------- */

static void put_request(struct maker *k)
{
	static const char *const methods[] = {"GET", "GET", "HEAD", "PUT",
					      "POST", "POST", "DELETE",
					      "OPTIONS"};
	static const char *const targets[] = {
		"/", "/obix/", "/a/b?c=d", "/a%20b", "/?", "/a?b&c=%41+",
		"/x/../y", "/b//a", "/%C3%A9", "/a?b=c?d/e=", "/~u:@!$'()*,=",
	};
	static const char *const hosts[] = {
		"Host: m.example\r\n", "host:m\r\n", "Host: \t m:80\r\n",
		"Host: [fe80::1]:80\r\n", "Host: \tm.example\r\n",
		"HOST:m.example\r\n",
	};
	static const char *const others[] = {
		"", "", "", "From: b\r\n", "Connection: keep-alive\r\n",
		"Accept: */*\r\nAccept: text/xml;q=0.5\r\n", "Referer:\r\n",
		"Content-Type: text/plain\r\n", "Via: \t b\r\nVia:c\r\n",
		"Cookie: a=b; c=\"d; e\"\r\n",
		"Cookie: a=\"b\"; c=\"\"; d, e=f\r\n", "User-Agent: a\tb \xe9:\r\n", "TE: trailers\r\nConnection: TE\r\n",
		"Connection: close\r\n", "Keep-Alive: timeout=5\r\n",
	};
	const char *method = PICK(k, methods);
	uint32_t n;

	put(k, "%s ", method);
	put(k, "%s HTTP/1.1\r\n", PICK(k, targets));
	put(k, "%s", PICK(k, others));
	put(k, "%s", PICK(k, hosts));
	put(k, "%s", PICK(k, others));
	if (method[0] == 'P') { /* PUT, POST */
		if (rnd(k, 6) == 0)
			put(k, "Expect: 100-continue\r\n");
		n = rnd(k, 4) ? rnd(k, 200) : rnd(k, 9000);
		put_body(k, n, rnd(k, 2));
		return;
	}
	put(k, "%s\r\n", rnd(k, 8) ? "" : "Content-Length: 0\r\n");
}

static void show(const char *who, const struct telling *t)
{
	print_error("%s:\n", who);
	for (unsigned i = 0; i < t->n; i++)
		print_error("  %s, %zu octets\n", t->v[i].first, t->v[i].n);
}

/* All that we found, and every one whole. */
static bool same(const struct telling *ours, const struct telling *theirs)
{
	if (ours->n != theirs->n)
		return false;
	for (unsigned i = 0; i < ours->n; i++) {
		if (!told_same(&ours->v[i], &theirs->v[i]) ||
		    !theirs->v[i].closes)
			return false;
	}
	return true;
}

static bool ends_connection(const struct telling *t)
{
	return t->n && t->v[t->n - 1].closes;
}

static void same_requests(void **state)
{
	static struct maker k = {.seed = 20261126};
	static struct server s[3];
	static struct telling ours;
	struct reader_kit *r = reader_new();
	unsigned accepted = 0, messages = 0, differ = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		server_start(&s[i], i - 1);
	for (unsigned i = 0; i < STREAMS && differ < 5; i++) {
		k.n = 0;
		for (uint32_t n = 1 + rnd(&k, 4); n > 0; n--)
			put_request(&k);
		if (rnd(&k, 3))
			mutate(&k);
		r->f = (struct http_flow){0};
		if (!reader_stream(r, DIR_IN, span_of(k.text, k.n), &ours))
			continue;
		accepted++;
		if (!ends_connection(&ours)) {
			struct span in;

			put(&k, SENTINEL);
			r->f = (struct http_flow){0};
			in = span_of(k.text, k.n);
			assert_true(reader_stream(r, DIR_IN, in, &ours));
			assert_string_equal(ours.v[ours.n - 1].first,
					    "GET /last end");
		}
		messages += ours.n;
		for (int j = 0; j < 3; j++) {
			serve(&s[j], span_of(k.text, k.n));
			if (same(&ours, &s[j].heard))
				continue;
			differ++;
			print_error("stream %u, strictness %d\n%.*s\n", i,
				    j - 1, (int)k.n, k.text);
			show("ours", &ours);
			show("libmicrohttpd", &s[j].heard);
		}
	}
	print_message("%u of %u streams accepted, %u requests, read alike by "
		      "libmicrohttpd %s\n", accepted, STREAMS, messages,
		      MHD_get_version());
	for (int i = 0; i < 3; i++)
		server_stop(&s[i]);
	reader_free(r);
	assert_int_equal(differ, 0);
	assert_true(accepted > STREAMS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_requests)};

	return cmocka_run_group_tests_name("http mhd", tests, NULL, NULL);
}
#else
#include <stdio.h>

int main(void)
{
	puts("SKIP: http mhd: libmicrohttpd-dev is not installed");
	return 0;
}
#endif
