/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/notefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/sign.h"

int note_file_read(struct note_file *f, const char *path, struct err *e)
{
	bool in = strcmp(path, "-") == 0;
	int fd = in ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	uint8_t more;
	ssize_t n = 1;

	f->n = 0;
	if (fd < 0)
		return err_sys(e, "cannot be read");
	while (rc == 0 && n > 0) {
		bool full = f->n == sizeof(f->octets);

		n = full ? read(fd, &more, 1)
			 : read(fd, f->octets + f->n, sizeof(f->octets) - f->n);
		if (n < 0 && errno == EINTR) {
			n = 1; /* again */
			continue;
		}
		if (n < 0)
			rc = err_sys(e, "cannot be read");
		else if (n > 0 && full)
			rc = err_set(e, E_LIMIT, 0, "more than %d octets",
				     NOTE_MAX);
		else
			f->n += (size_t)n;
	}
	if (!in)
		close(fd);
	return rc;
}

static int read_key(struct note_key *k, const char *path, bool witness,
		    struct err *e)
{
	struct note_file *f = malloc(sizeof(*f));
	int rc = f ? note_file_read(f, path, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0 && sign_is_pem(span_of(f->octets, f->n)))
		rc = note_key_pem(k, span_of(f->octets, f->n), witness, e);
	else if (rc == 0)
		rc = note_key_parse(k, span_of(f->octets, f->n), e);
	if (rc == E_SYNTAX && f && !sign_is_pem(span_of(f->octets, f->n)))
		err_wrap(e, "neither PEM nor a key as text");
	if (f) /* it may have been somebody's secret */
		explicit_bzero(f, sizeof(*f));
	free(f);
	return rc;
}

int note_file_key(struct note_key *k, const char *path, struct err *e)
{
	int rc = read_key(k, path, false, e);

	/* It would do for a checkpoint that the log did not sign. */
	if (rc == 0 && k->type == NOTE_COSIGNATURE)
		rc = err_set(e, E_UNSUPPORTED, 0, "the key of a witness, not "
			     "of a log; its type is 04");
	return rc;
}

static const char *called(const struct note_key *k)
{
	return k->name[0] ? k->name : "a key in PEM";
}

/* k[n] beside those before it. */
static int another(const struct note_key *k, size_t n, struct err *e)
{
	if (k[n].type != NOTE_COSIGNATURE)
		return err_set(e, E_UNSUPPORTED, 0, "the key of a log, not of "
			       "a witness, whose type is 04");
	for (size_t i = 0; i < n; i++) {
		if (k[n].name[0] && strcmp(k[i].name, k[n].name) == 0)
			return err_set(e, E_EXISTS, 0, "the witness '%s' was "
				       "named already; one does not count as "
				       "two", k[n].name);
		if (span_eq(span_of(k[i].pub, k[i].n),
			    span_of(k[n].pub, k[n].n)))
			return err_set(e, E_EXISTS, 0, "'%s' has the key of "
				       "the witness '%s'; one does not count "
				       "as two", called(&k[n]), called(&k[i]));
	}
	return 0;
}

int note_file_witness(struct note_key *k, size_t n, const char *path,
		      struct err *e)
{
	int rc = read_key(&k[n], path, true, e);

	return rc ? rc : another(k, n, e);
}

static int key_line(struct note_key *k, size_t cap, size_t *n,
		    struct span line, unsigned number, struct err *e)
{
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (*n == cap)
		return err_set(e, E_LIMIT, 0, "line %u: more than %zu keys",
			       number, cap);
	if (note_key_parse(&k[*n], line, e)) {
		err_wrap(e, "line %u", number);
		return e->code = E_SYNTAX;
	}
	if (another(k, *n, e))
		return err_wrap(e, "line %u", number);
	++*n;
	return 0;
}

int note_file_keys(struct note_key *k, size_t cap, size_t *n,
		   const char *path, struct err *e)
{
	struct note_file *f = malloc(sizeof(*f));
	int rc = f ? note_file_read(f, path, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");
	size_t at = 0;

	*n = 0;
	for (unsigned line = 1; rc == 0 && at < f->n; line++) {
		const uint8_t *p = f->octets + at;
		const uint8_t *end = memchr(p, '\n', f->n - at);
		size_t len = end ? (size_t)(end - p) : f->n - at;

		rc = key_line(k, cap, n, span_of(p, len), line, e);
		at += len + (end ? 1 : 0);
	}
	if (rc == 0 && *n == 0)
		rc = err_set(e, E_NOTFOUND, 0, "holds no key");
	free(f);
	return rc;
}
