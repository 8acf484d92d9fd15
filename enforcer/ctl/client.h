/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on the control socket of metergated (enforcer/daemon/ctl.h), and
 * its answer. metergate-audit asks so that an export is recorded.
 */
#ifndef ENFORCER_CTL_CLIENT_H
#define ENFORCER_CTL_CLIENT_H

#include "core/err.h"
#include "core/json_read.h"

#define SOCKET_DEFAULT "/run/metergate/control"

struct answer {
	char *text; /* heap */
	size_t n;
	size_t at; /* of the next line */
};

/* 0: the answer said ok, its first line is read by answer_line first. E_STATE:
 * the daemon refused, and why. E_IO: nobody answered. body: octets that follow
 * the request. Frees nothing. */
int client_ask(struct answer *a, const char *socket, const char *request,
	       struct span body, struct err *e)
	__attribute__((warn_unused_result));
bool answer_line(struct answer *a, struct span *line);
void answer_free(struct answer *a);

/* Members of a line, for people: what is not there is "" or 0; what could
 * steer a terminal becomes '?'. */
#define FIELD_TEXT 256
char *field(char buf[FIELD_TEXT], struct span line, const char *key);
int64_t field_int(struct span line, const char *key);
bool field_true(struct span line, const char *key);

#endif
