/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, for a human, and its kind, for the caller.
 *
 * Functions return 0 or a negative errcode. The text is built outward: the
 * place that fails says what is wrong, each caller that knows more puts its
 * part in front with err_wrap. Nothing here allocates.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stddef.h>

enum errcode {
	E_OK = 0,
	E_SYNTAX = -1,	    /* octets or text that break their grammar */
	E_LIMIT = -2,	    /* well formed, but over a written bound */
	E_UNSUPPORTED = -3, /* well formed, and refused because unknown */
	E_MORE = -4,	    /* incomplete: more octets are needed */
	E_NOMEM = -5,	    /* a fixed pool or the heap is exhausted */
	E_IO = -6,	    /* the world failed: disk, socket, kernel */
	E_NOTFOUND = -7,
	E_EXISTS = -8,
	E_INTEGRITY = -9, /* a checksum, hash, chain or signature is wrong */
	E_AUTH = -10,	  /* a MAC is wrong or a key is not known */
	E_STATE = -11,	  /* not allowed in this order */
};

#define ERR_TEXT 256

struct err {
	int code;   /* an errcode */
	int reason; /* enum reason of core/reason.h where one applies, else 0 */
	size_t off; /* offending octet, where that means something */
	char text[ERR_TEXT];
};

/* Sets code, off and text and returns code. e may be NULL. */
int err_set(struct err *e, int code, size_t off, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* As err_set, with the reason of the closed list that goes into the audit. */
int err_reason(struct err *e, int code, int reason, size_t off,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Puts "what: " in front of the text; returns e->code. */
int err_wrap(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* err_set(e, E_IO, ...) with ": strerror(errno)" behind it. */
int err_sys(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The name of a code, e.g. "syntax". */
const char *err_name(int code);

#endif
