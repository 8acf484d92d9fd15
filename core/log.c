/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

struct log log_init(const char *name, enum log_level level, bool prefix)
{
	return (struct log){name, level, prefix, STDERR_FILENO};
}

void log_msg(const struct log *l, enum log_level level, const char *fmt, ...)
{
	char line[1024];
	size_t n = 0;
	va_list ap;
	int k;

	if (level > l->level)
		return;
	if (l->prefix)
		n = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	n += (size_t)snprintf(line + n, sizeof(line) - n, "%s: ", l->name);
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	va_start(ap, fmt);
	k = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (k > 0)
		n += (size_t)k;
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* One write, so that lines of several processes do not mix. There is
	 * nowhere to report that the log itself cannot be written. */
	while (n > 0 && write(l->fd, line, n) < 0)
		break;
}

bool log_allow(struct log_limit *l, struct mono now, uint32_t burst,
	       int64_t period_ns, uint32_t *missed)
{
	if (l->n == 0 || mono_sub(now, l->start) >= period_ns) {
		l->start = now;
		l->n = 0;
	}
	if (l->n >= burst) {
		l->missed++;
		return false;
	}
	l->n++;
	*missed = l->missed;
	l->missed = 0;
	return true;
}

char *log_escape(char *buf, size_t cap, struct span s)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	if (cap == 0)
		return buf;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		/* Room for this one, "..." and the terminator. */
		if (n + (plain ? 1 : 4) + 4 > cap) {
			for (int k = 0; k < 3 && n + 1 < cap; k++)
				buf[n++] = '.';
			break;
		}
		if (plain) {
			buf[n++] = (char)c;
		} else {
			buf[n++] = '\\';
			buf[n++] = 'x';
			buf[n++] = hex[c >> 4];
			buf[n++] = hex[c & 15];
		}
	}
	buf[n] = 0;
	return buf;
}
