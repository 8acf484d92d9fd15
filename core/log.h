/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's log: how the gateway is doing, never what it decided (that
 * is the audit). One line per call to stderr, "program: text"; under a
 * service manager (log_init with prefix) each line begins with <n>, the
 * syslog priority. Octets from peers only through log_escape.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/clock.h"
#include "core/span.h"

enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

struct log {
	const char *name; /* borrowed: program or process */
	enum log_level level;
	bool prefix; /* write <n> in front */
	int fd;
};

struct log log_init(const char *name, enum log_level level, bool prefix);

void log_msg(const struct log *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(l, ...)	  log_msg(l, LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(l, ...)  log_msg(l, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(l, ...)  log_msg(l, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(l, ...) log_msg(l, LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A limiter per call site whose rate a peer can drive: at most burst lines
 * per period; *missed counts what was kept back since the last line let
 * through. */
struct log_limit {
	struct mono start;
	uint32_t n, missed;
};
bool log_allow(struct log_limit *l, struct mono now, uint32_t burst,
	       int64_t period_ns, uint32_t *missed);

/* Printable ASCII as it is, everything else as \xNN; cut with "..." when it
 * does not fit. Returns buf, always terminated. */
char *log_escape(char *buf, size_t cap, struct span s);

#endif
