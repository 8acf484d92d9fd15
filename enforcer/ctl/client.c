/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "enforcer/ctl/client.h"

#define ANSWER_MAX (8u << 20) /* more than a daemon ever says */
#define ANSWER_S   30	      /* it gives up before */

static int dial(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = ANSWER_S};
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, E_LIMIT, 0, "%s: too long for a socket",
			       path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		       sizeof(patience)) < 0 ||
	    connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			err_set(e, E_IO, 0, "%s: metergated is not running",
				path);
		else
			err_sys(e, "%s", path);
		close(fd);
		return E_IO;
	}
	return fd;
}

static int read_all(struct answer *a, int fd, struct err *e)
{
	size_t cap = 0;

	for (;;) {
		ssize_t got;

		if (a->n + 1 >= cap) {
			char *p;

			cap = cap ? cap * 2 : 16384;
			p = cap > ANSWER_MAX ? NULL : realloc(a->text, cap);
			if (!p)
				return err_set(e, E_LIMIT, 0,
					       "the answer is too long");
			a->text = p;
		}
		got = read(fd, a->text + a->n, cap - a->n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		/* It refused without reading the request, and said why. */
		if (got < 0 && errno == ECONNRESET && a->n > 0)
			break;
		if (got < 0)
			return err_sys(e, "reading the answer");
		if (got == 0)
			break;
		a->n += (size_t)got;
	}
	a->text[a->n] = 0;
	return 0;
}

bool answer_line(struct answer *a, struct span *line)
{
	const char *end;

	if (!a->text || a->at >= a->n)
		return false;
	end = memchr(a->text + a->at, '\n', a->n - a->at);
	if (!end)
		return false; /* a line that was cut says nothing */
	*line = span_of(a->text + a->at, (size_t)(end - a->text) - a->at);
	a->at = (size_t)(end - a->text) + 1;
	return true;
}

static bool send_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			s = span_from(s, (size_t)n);
	}
	return true;
}

int client_ask(struct answer *a, const char *socket, const char *request,
	       struct span body, struct err *e)
{
	char text[ERR_TEXT];
	struct span line;
	int fd = dial(socket, e), rc;

	*a = (struct answer){0};
	if (fd < 0)
		return fd;
	if (!send_all(fd, span_str(request)) || !send_all(fd, span_str("\n")) ||
	    !send_all(fd, body)) {
		/* It may have refused and hung up: then it said why. */
		if (errno != EPIPE) {
			rc = err_sys(e, "%s", socket);
			close(fd);
			return rc;
		}
	}
	rc = read_all(a, fd, e);
	close(fd);
	if (rc < 0)
		return rc;
	if (!answer_line(a, &line) || !json_valid(line))
		return err_set(e, E_IO, 0, "%s: no answer", socket);
	if (!json_true(json_get(line, "ok"))) {
		json_string(text, sizeof(text), json_get(line, "error"));
		for (char *p = text; *p; p++)
			*p = (unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p;
		return err_set(e, E_STATE, 0, "%s", text);
	}
	a->at = 0;
	return 0;
}

void answer_free(struct answer *a)
{
	free(a->text);
	*a = (struct answer){0};
}

char *field(char buf[FIELD_TEXT], struct span line, const char *key)
{
	json_string(buf, FIELD_TEXT, json_get(line, key));
	for (unsigned char *p = (unsigned char *)buf; *p; p++) {
		/* C0, DEL, and C1 as UTF-8 writes it. */
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
	return buf;
}

int64_t field_int(struct span line, const char *key)
{
	int64_t v;

	return json_int(json_get(line, key), &v) ? v : 0;
}

bool field_true(struct span line, const char *key)
{
	return json_true(json_get(line, key));
}
