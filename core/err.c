/* SPDX-License-Identifier: Apache-2.0 */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int set(struct err *e, int code, int reason, size_t off,
	       const char *fmt, va_list ap)
{
	if (e) {
		e->code = code;
		e->reason = reason;
		e->off = off;
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
	}
	return code;
}

int err_set(struct err *e, int code, size_t off, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, code, 0, off, fmt, ap);
	va_end(ap);
	return code;
}

int err_reason(struct err *e, int code, int reason, size_t off,
	       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(e, code, reason, off, fmt, ap);
	va_end(ap);
	return code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[ERR_TEXT];
	va_list ap;
	int n;

	if (!e)
		return E_IO;
	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->text)) {
		/* What does not fit is cut at the end: the outer parts say
		 * where, and stay whole. */
		strncat(e->text, ": ", sizeof(e->text) - strlen(e->text) - 1);
		strncat(e->text, inner, sizeof(e->text) - strlen(e->text) - 1);
	}
	return e->code;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int no = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	set(e, E_IO, 0, 0, fmt, ap);
	va_end(ap);
	if (e) {
		n = strlen(e->text);
		snprintf(e->text + n, sizeof(e->text) - n, ": %s",
			 strerror(no));
	}
	return E_IO;
}

const char *err_name(int code)
{
	static const char *const names[] = {
		"ok",	  "syntax",    "limit",	 "unsupported",
		"more",	  "no-memory", "io",	 "not-found",
		"exists", "integrity", "auth",	 "state",
	};

	if (code > 0 || -code >= (int)(sizeof(names) / sizeof(names[0])))
		return "unknown";
	return names[-code];
}
