/* SPDX-License-Identifier: Apache-2.0 */
/* The courier as a process in its sandbox, asked well, badly and slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "enforcer/daemon/courier_testbed.h"

/* --- the tests ------------------------------------------------------------ */

static const struct {
	const char *why, *request, *status, *inside;
} requests[] = {
	{"status", STATUS, "200", "\"error\":\"disk full\""},
	{"an engine that is silent", STATUS, "200", "\"engine\":\"silent\""},
	{"metrics", "GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
		    "\r\n", "200", "guest=\"mdma\""},
	{"their type", "GET /metrics HTTP/1.1\r\nHost: m\r\n"
		       "Connection: close\r\n\r\n",
	 "200", "Content-Type: text/plain; version=0.0.4"},
	{"only the head", "HEAD /metrics HTTP/1.1\r\nHost: m\r\n"
			  "Connection: close\r\n\r\n", "200", NULL},
	{"an argument it does not have", "GET /v1/status?x=1 HTTP/1.1\r\n"
					 "Host: m\r\n\r\n", "400",
	 "'x' is no argument of this resource"},
	{"one without a value", "GET /metrics?x HTTP/1.1\r\nHost: m\r\n\r\n",
	 "400", "'x' is no argument"},
	{"one without a name", "GET /metrics?=1 HTTP/1.1\r\nHost: m\r\n\r\n",
	 "400", "'' is no argument"},
	{"of the policies", "GET /v1/policies?guest=mdma HTTP/1.1\r\n"
			    "Host: m\r\n\r\n", "400",
	 "'guest' is no argument"},
	{"of a label", "GET /v1/policies/a/label.svg?x=1 HTTP/1.1\r\n"
		       "Host: m\r\n\r\n", "400", "'x' is no argument"},
	{"of a head", "HEAD /metrics?x=1 HTTP/1.1\r\nHost: m\r\n\r\n",
	 "400", NULL},
	{"a query of nothing", "GET /v1/status? HTTP/1.1\r\nHost: m\r\n"
			       "Connection: close\r\n\r\n", "200", NULL},
	{"one with a query", "GET http://m/v1/status?x=1 HTTP/1.1\r\n"
			     "Host: m\r\n\r\n", "400", "'x' is no argument"},
	{"an absolute address", "GET http://m/v1/status HTTP/1.1\r\n"
				"Host: m\r\nConnection: close\r\n\r\n",
	 "200", "\"error\":\"disk full\""},
	{"it counts, not Host", "GET HTTP://[fe80::1]:8480/metrics HTTP/1.1\r\n"
				"Host: other\r\nConnection: close\r\n\r\n",
	 "200", "guest=\"mdma\""},
	{"one of nothing there", "GET http://m/nothing HTTP/1.1\r\n"
				 "Host: m\r\n\r\n", "404", NULL},
	{"one without a path", "GET http://m HTTP/1.1\r\nHost: m\r\n\r\n",
	 "404", NULL},
	{"a query behind no path", "GET http://m?a=/v1/status HTTP/1.1\r\n"
				   "Host: m\r\n\r\n", "404", NULL},
	{"one in a path", "GET /http://m/v1/status HTTP/1.1\r\nHost: m\r\n"
			  "\r\n", "404", NULL},
	{"one without a host", "GET http:///v1/status HTTP/1.1\r\nHost: m\r\n"
			       "\r\n", "400", "host"},
	{"one with a user", "GET http://a@m/v1/status HTTP/1.1\r\nHost: m\r\n"
			    "\r\n", "400", "host"},
	{"one whose host hides a path", "GET http://m%2fx/v1/status HTTP/1.1"
					"\r\nHost: m\r\n\r\n", "400", "host"},
	{"a port that is none", "GET http://m:80a/v1/status HTTP/1.1\r\n"
				"Host: m\r\n\r\n", "400", "host"},
	{"another scheme", "GET https://m/v1/status HTTP/1.1\r\nHost: m\r\n"
			   "\r\n", "400", "neither a path nor http://"},
	{"no address at all", "GET v1/status HTTP/1.1\r\nHost: m\r\n\r\n",
	 "400", "neither a path nor http://"},
	{"two hosts", "GET /v1/status HTTP/1.1\r\nHost: m\r\nHost: n\r\n"
		      "\r\n", "400", "Host"},
	{"a host that is none", "GET /v1/status HTTP/1.1\r\nHost: a/b\r\n"
				"\r\n", "400", "Host"},
	{"a host of nothing", "GET /v1/status HTTP/1.1\r\nHost:\r\n"
			      "Connection: close\r\n\r\n", "200", NULL},
	{"a host and a port", "GET /v1/status HTTP/1.1\r\nHost: m.x:8480\r\n"
			      "Connection: close\r\n\r\n", "200", NULL},
	{"two lengths", "POST /v1/cosignature?size=1 HTTP/1.1\r\nHost: m\r\n"
			"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
	 "400", "and once"},
	{"a length and chunks",
	 "POST /v1/cosignature?size=1 HTTP/1.1\r\nHost: m\r\n"
	 "Content-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\n"
	 "1\r\na\r\n0\r\n\r\n", "400", "and once"},
	{"nothing there", "GET / HTTP/1.1\r\nHost: m\r\n\r\n", "404",
	 "{\"error\":\"no such resource\"}"},
	{"a file", "GET /../../etc/passwd HTTP/1.1\r\nHost: m\r\n\r\n", "404",
	 NULL},
	{"posted", "POST /v1/status HTTP/1.1\r\nHost: m\r\n"
		   "Content-Length: 3\r\n\r\nabc", "405",
	 "Allow: GET, HEAD"},
	{"put", "PUT /metrics HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n\r\n",
	 "405", "{\"error\":"},
	{"a method there is not", "FROB /metrics HTTP/1.1\r\nHost: m\r\n\r\n",
	 "405", NULL},
	{"a question with a body", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				   "Content-Length: 3\r\n\r\nabc", "400",
	 "a question has no body"},
	{"one in chunks", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
			  "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
			  "\r\n", "400", "a question has no body"},
	{"a body of nothing", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
			      "Content-Length: 0\r\nConnection: close\r\n\r\n",
	 "200", NULL},
	{"a cosignature that is asked for",
	 "GET /v1/cosignature HTTP/1.1\r\nHost: m\r\n\r\n", "405",
	 "Allow: POST"},
	{"a cosignature that is put",
	 "PUT /v1/cosignature HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n"
	 "\r\n", "405", "Allow: POST"},
	{"a customer's file that is asked for",
	 "GET /v1/customer HTTP/1.1\r\nHost: m\r\n\r\n", "405",
	 "Allow: PUT"},
	{"a zero octet in an argument",
	 "GET /v1/audit?from=1%00xyz HTTP/1.1\r\nHost: m\r\n\r\n", "400",
	 "zero octet"},
	{"a zero octet in the path",
	 "GET /v1/status%00xyz HTTP/1.1\r\nHost: m\r\n\r\n", "400",
	 "zero octet"},
	{"no host", "GET /v1/status HTTP/1.1\r\n\r\n", "400", NULL},
	{"a length that is none", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				  "Content-Length: -1\r\n\r\n", "400", NULL},
	{"no request at all", "\x16\x03\x01\x02\r\n\r\n", "400", NULL},
};

static void each_question_has_its_answer(void **state)
{
	static char buf[1 << 20];

	(void)state;
	NEEDS_COURIER();
	for (size_t i = 0; i < 2 * sizeof(requests) / sizeof(requests[0]); i++) {
		size_t k = i / 2;
		char *status;

		ask(i % 2 ? PORTAL : OPERATOR, requests[k].request, buf,
		    sizeof(buf), 2000);
		status = strchr(buf, ' ');
		/* What is no HTTP may get no answer, but a close. */
		if (!status && strcmp(requests[k].status, "400") == 0 &&
		    !requests[k].inside)
			continue;
		if (!status || strncmp(status + 1, requests[k].status, 3) != 0)
			fail_msg("%s: %.60s", requests[k].why, buf);
		if (requests[k].inside && !strstr(buf, requests[k].inside))
			fail_msg("%s: %s", requests[k].why, buf);
	}
	assert_true(alive());
}

static void a_head_that_is_too_long_is_refused(void **state)
{
	static char request[40000], buf[4096];

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 2; i++) {
		size_t n = (size_t)sprintf(request, i ? "GET /v1/status "
						       "HTTP/1.1\r\nX: "
						     : "GET /");

		memset(request + n, 'a', sizeof(request) - n - 1);
		ask(PORTAL, request, buf, sizeof(buf), 1000);
		assert_null(strstr(buf, " 200 "));
		assert_true(answers(PORTAL, 2000));
	}
	assert_true(alive());
}

static void rubbish_does_no_harm(void **state)
{
	char octets[600], buf[4096];
	unsigned seed = 3;

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 400; i++) {
		size_t n = (size_t)(rand_r(&seed) % (int)sizeof(octets));
		int fd = call(i % 2 ? PORTAL : OPERATOR);

		for (size_t k = 0; k < n; k++)
			octets[k] = (char)(rand_r(&seed) >> 4);
		/* Half of them begin well. */
		if (i % 4 < 2 && n > sizeof(STATUS))
			memcpy(octets, STATUS, sizeof(STATUS) - 3);
		if (fd < 0)
			continue;
		say(fd, octets, n);
		if (i % 3 == 0)
			hear(fd, buf, sizeof(buf), 5);
		close(fd);
	}
	assert_true(alive());
	assert_true(answers(OPERATOR, 3000));
	assert_true(answers(PORTAL, 8000));
}

/* Everybody who can connect asks an octet at a time, for ever. */
static void slow_questions_end(void **state)
{
	int fd[40], ended = 0;
	int64_t until = live_mono().ns + 8 * NS_PER_S;
	size_t at = 0;

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 40; i++)
		assert_true((fd[i] = call(PORTAL)) >= 0);
	/* The operator does not notice. */
	assert_true(answers(OPERATOR, 1000));
	while (live_mono().ns < until && ended < 40) {
		for (int i = 0; i < 40; i++) {
			if (fd[i] >= 0 &&
			    send(fd[i], &"GET /v1/status"[at % 14], 1,
				 MSG_NOSIGNAL) < 0) {
				close(fd[i]);
				fd[i] = -1;
				ended++;
			}
		}
		at++;
		usleep(300000);
	}
	assert_int_equal(ended, 40);
	assert_true(answers(PORTAL, 8000));
	assert_true(alive());
}

/* Everybody asks much, and reads nothing. */
static void readers_who_do_not_read_end(void **state)
{
	static char many[2000 * 60];
	size_t n = 0;
	int fd[16];

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 2000; i++) {
		static const char one[] = "GET /metrics HTTP/1.1\r\n"
					  "Host: m\r\n\r\n";

		memcpy(many + n, one, sizeof(one) - 1);
		n += sizeof(one) - 1;
	}
	for (int i = 0; i < 16; i++) {
		int small = 4096;

		assert_true((fd[i] = call(PORTAL)) >= 0);
		setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small,
			   sizeof(small));
		(void)!send(fd[i], many, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	assert_true(answers(OPERATOR, 1000));
	assert_true(answers(PORTAL, 8000));
	for (int i = 0; i < 16; i++)
		close(fd[i]);
	assert_true(alive());
}

static void many_connections_do_no_harm(void **state)
{
	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 600; i++) {
		int fd = call(i % 2 ? PORTAL : OPERATOR);
		struct linger rst = {1, 0};

		if (fd < 0)
			continue;
		if (i % 3 == 0) /* gone before anybody looks */
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst,
				   sizeof(rst));
		close(fd);
	}
	assert_true(alive());
	assert_true(answers(OPERATOR, 3000));
	assert_true(answers(PORTAL, 3000));
}

/* Where anybody may ask, who takes all he can get leaves some to others. */
static void one_address_does_not_take_all(void **state)
{
	int fd[160], there = 0;
	char octet;

	(void)state;
	NEEDS_COURIER();
	assert_true(answers(PORTAL, 8000));
	for (int i = 0; i < 160; i++) {
		fd[i] = call(PORTAL);
		usleep(1000);
	}
	assert_true(answers(NEIGHBOUR, 1000));
	assert_true(answers(OPERATOR, 1000));
	for (int i = 0; i < 160; i++) {
		there += fd[i] >= 0 && recv(fd[i], &octet, 1, MSG_DONTWAIT) < 0 &&
			 errno == EAGAIN;
		close(fd[i]);
	}
	assert_in_range(there, 1, 144 * 3 / 4);
	assert_true(answers(PORTAL, 8000));
}

/* Several questions in one connection. */
static void a_connection_may_ask_again(void **state)
{
	static const char again[] = "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				    "\r\n";
	static char buf[65536];
	int fd;

	(void)state;
	NEEDS_COURIER();
	fd = call(PORTAL);
	for (int i = 0; i < 3; i++) {
		say(fd, again, strlen(again));
		hear(fd, buf, sizeof(buf), 150);
		assert_non_null(strstr(buf, " 200 "));
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_has_its_answer),
		cmocka_unit_test(a_connection_may_ask_again),
		cmocka_unit_test(a_head_that_is_too_long_is_refused),
		cmocka_unit_test(rubbish_does_no_harm),
		cmocka_unit_test(many_connections_do_no_harm),
		cmocka_unit_test(one_address_does_not_take_all),
		cmocka_unit_test(readers_who_do_not_read_end),
		cmocka_unit_test(slow_questions_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
