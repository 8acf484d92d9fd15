/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/logkey.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_OCTETS 4096

static int name_of(char out[NAME_MAX_OCTETS], const char *path,
		   const char *tail, struct err *e)
{
	if (snprintf(out, NAME_MAX_OCTETS, "%s%s", path, tail) <
	    NAME_MAX_OCTETS)
		return 0;
	return err_set(e, E_LIMIT, 0, "%s: the name is too long", path);
}

static int sign(void *arg, struct span octets, struct wbuf *out, struct err *e)
{
	const struct log_key *k = arg;
	uint8_t *room = wbuf_room(out, SIGN_LEN);

	return room ? sign_make(&k->key, octets, room, e)
		    : err_set(e, E_LIMIT, 0, "no room for a signature");
}

/* All of a small file. E_NOTFOUND: there is none. */
static int read_file(const char *path, struct wbuf *w, mode_t *mode,
		     struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, E_NOTFOUND, 0, "%s is not there", path);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st))
		rc = err_sys(e, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, E_STATE, 0, "%s is no regular file", path);
	else
		*mode = st.st_mode;
	while (rc == 0 && n > 0 && w->n < w->cap) {
		n = read(fd, w->p + w->n, w->cap - w->n);
		if (n < 0)
			rc = err_sys(e, "%s", path);
		else
			w->n += (size_t)n;
	}
	close(fd);
	return rc;
}

static int write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return -1;
		s = span_from(s, n < 0 ? 0 : (size_t)n);
	}
	return fsync(fd);
}

/* Whole and durable under its name, or not there: a key that was cut short
 * would be a log that nobody can go on with. */
static int write_file(const char *path, struct span s, mode_t mode,
		      struct err *e)
{
	char tmp[NAME_MAX_OCTETS], dir[NAME_MAX_OCTETS];
	int rc = name_of(tmp, path, ".new", e), fd;

	if (rc)
		return rc;
	unlink(tmp); /* of one that died over it */
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_sys(e, "%s", tmp);
	if (write_all(fd, s))
		rc = err_sys(e, "%s", tmp);
	if (close(fd) && rc == 0)
		rc = err_sys(e, "%s", tmp);
	if (rc == 0 && rename(tmp, path))
		rc = err_sys(e, "%s", path);
	if (rc) {
		unlink(tmp);
		return rc;
	}
	snprintf(dir, sizeof(dir), "%s", path);
	fd = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fsync(fd))
		rc = err_sys(e, "%s", path);
	close(fd);
	return rc;
}

static int make_key(struct sign_key *k, const char *path, struct err *e)
{
	uint8_t pem[SIGN_PEM_MAX];
	struct wbuf w = wbuf_of(pem, sizeof(pem));
	int rc = sign_new_key(k, e);

	if (rc == 0)
		rc = sign_put_pem(k, &w, e);
	if (rc == 0)
		rc = write_file(path, wbuf_span(&w), 0600, e);
	explicit_bzero(pem, sizeof(pem));
	return rc;
}

static int read_key(struct sign_key *k, const char *path, struct err *e)
{
	uint8_t pem[SIGN_PEM_MAX];
	struct wbuf w = wbuf_of(pem, sizeof(pem));
	mode_t mode = 0;
	int rc = read_file(path, &w, &mode, e);

	if (rc == 0 && mode & 077)
		rc = err_set(e, E_STATE, 0, "%s: others may read or write this "
			     "key", path);
	if (rc == 0 && sign_get_pem(k, wbuf_span(&w), e))
		rc = err_wrap(e, "%s", path);
	explicit_bzero(pem, sizeof(pem));
	return rc;
}

/* Made from the key: written when it is not there, or is another's. */
static int show_public(const struct note_key *key, const char *path,
		       struct err *e)
{
	uint8_t want[NOTE_KEY_TEXT + 1], have[NOTE_KEY_TEXT + 2];
	struct wbuf w = wbuf_of(want, sizeof(want));
	struct wbuf h = wbuf_of(have, sizeof(have));
	char name[NAME_MAX_OCTETS];
	mode_t mode;
	int rc = name_of(name, path, ".vkey", e);

	note_key_put(&w, key);
	wbuf_u8(&w, '\n');
	if (rc == 0)
		rc = read_file(name, &h, &mode, e);
	if (rc == E_NOTFOUND ||
	    (rc == 0 && !span_eq(wbuf_span(&h), wbuf_span(&w))))
		rc = write_file(name, wbuf_span(&w), 0644, e);
	return rc;
}

int log_key_show(const struct note_key *k, const char *log, bool fresh,
		 struct err *e)
{
	uint8_t want[NOTE_KEY_TEXT + 1], have[NOTE_KEY_TEXT + 2];
	struct wbuf w = wbuf_of(want, sizeof(want));
	struct wbuf h = wbuf_of(have, sizeof(have));
	char name[NAME_MAX_OCTETS];
	mode_t mode;
	int rc;

	if (fresh)
		return show_public(k, log, e);
	note_key_put(&w, k);
	wbuf_u8(&w, '\n');
	rc = name_of(name, log, ".vkey", e);
	if (rc == 0)
		rc = read_file(name, &h, &mode, e);
	if (rc == E_NOTFOUND) /* it is the caller's who looks at the log */
		return write_file(name, wbuf_span(&w), 0644, e);
	if (rc == 0 && !span_eq(wbuf_span(&h), wbuf_span(&w)))
		rc = err_set(e, E_INTEGRITY, 0, "the log was signed with "
			     "another key than there is now: %s", name);
	return rc;
}

int log_key_lies(const char *log, struct err *e)
{
	char name[NAME_MAX_OCTETS];
	struct stat st;
	int rc = name_of(name, log, ".key", e);

	if (rc == 0 && lstat(name, &st))
		rc = errno == ENOENT ? err_set(e, E_NOTFOUND, 0, "%s is not "
					       "there", name)
				     : err_sys(e, "%s", name);
	return rc;
}

int log_key_open(struct log_key *k, const char *path, const char *log,
		 const char *origin, bool fresh, struct err *e)
{
	char name[NAME_MAX_OCTETS];
	int rc = name_of(name, path, ".key", e);

	memset(k, 0, sizeof(*k));
	if (rc == 0)
		rc = read_key(&k->key, name, e);
	if (rc == E_NOTFOUND && fresh)
		rc = make_key(&k->key, name, e);
	if (rc == 0)
		rc = note_key_make(&k->by.key, span_str(origin), NOTE_ED25519,
				   span_of(k->key.public_, SIGN_KEY_LEN), e);
	/* One that was begun with another key stays as it is. */
	if (rc == 0)
		rc = log_key_show(&k->by.key, log, fresh, e);
	k->by.sign = sign;
	k->by.arg = k;
	if (rc)
		log_key_wipe(k);
	return rc;
}

void log_key_wipe(struct log_key *k)
{
	explicit_bzero(k, sizeof(*k));
}

/* --- of a chip ------------------------------------------------------------ */

#define BOUND_TEXT (sizeof("pcrs 0x000000\npolicy \n") + 2 * SHA256_LEN)

static void bound_text(char out[BOUND_TEXT], const struct log_key_bound *b)
{
	int n = snprintf(out, BOUND_TEXT, "pcrs 0x%06x\npolicy ",
			 b->pcrs & 0xffffff);

	for (size_t i = 0; i < SHA256_LEN; i++)
		n += snprintf(out + n, BOUND_TEXT - (size_t)n, "%02x",
			      b->policy[i]);
	snprintf(out + n, BOUND_TEXT - (size_t)n, "\n");
}

/* There is one way to write it. */
static bool bound_parse(struct log_key_bound *b, const char *text)
{
	char again[BOUND_TEXT];
	unsigned v;

	if (strlen(text) != BOUND_TEXT - 1 ||
	    sscanf(text, "pcrs 0x%6x", &v) != 1)
		return false;
	b->pcrs = v;
	for (size_t i = 0; i < SHA256_LEN; i++) {
		const char *at = text + BOUND_TEXT - 2 - 2 * (SHA256_LEN - i);

		if (sscanf(at, "%2x", &v) != 1)
			return false;
		b->policy[i] = (uint8_t)v;
	}
	bound_text(again, b);
	return strcmp(again, text) == 0;
}

int log_key_bound_read(struct log_key_bound *b, const char *log, struct err *e)
{
	char text[BOUND_TEXT + 1], name[NAME_MAX_OCTETS];
	struct wbuf w = wbuf_of((uint8_t *)text, BOUND_TEXT);
	mode_t mode;
	int rc = name_of(name, log, ".tpmkey", e);

	memset(b, 0, sizeof(*b));
	if (rc == 0)
		rc = read_file(name, &w, &mode, e);
	if (rc)
		return rc;
	text[w.n] = '\0';
	return bound_parse(b, text)
		       ? 0
		       : err_set(e, E_SYNTAX, 0, "%s does not say what the "
				 "log's key is bound to; take it away, and it "
				 "is made anew if the key is the same", name);
}

int log_key_bound_write(const struct log_key_bound *b, const char *log,
			struct err *e)
{
	char text[BOUND_TEXT], name[NAME_MAX_OCTETS];
	int rc = name_of(name, log, ".tpmkey", e);

	bound_text(text, b);
	return rc ? rc : write_file(name, span_str(text), 0644, e);
}
