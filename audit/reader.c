/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/db.h"
#include "audit/segment.h"
#include "audit/store.h"

struct reader {
	char *path;
	bool follow;
	struct db *db; /* NULL: let go of, reader_aloof */
	dev_t device;  /* of the file that was opened first */
	ino_t inode;
	struct segments *segments;
	uint64_t next;	/* sequence number of the next record */
	uint64_t first; /* of the bundle in data */
	uint32_t n;	/* its records; 0: none is loaded */
	struct span data;
	struct cur c; /* behind the last record given */
	uint8_t *copy; /* of data: nothing is open between two calls; or NULL */
};

static int open_log(struct reader *r, struct err *e)
{
	int rc = db_open(&r->db, r->path, r->follow ? DB_FOLLOW : DB_READ, e);

	if (rc == 0)
		rc = store_identify(r->db, NULL, e);
	return rc ? rc : segments_open(&r->segments, r->db, r->path, e);
}

static void close_log(struct reader *r)
{
	struct err ignored;

	segments_close(r->segments);
	r->segments = NULL;
	if (db_close(r->db, &ignored))
		r->db = NULL; /* nothing was written: nothing is lost */
	r->db = NULL;
}

int reader_aloof(struct reader *r, struct err *e)
{
	r->copy = malloc(STORE_BUNDLE_MAX);
	if (!r->copy)
		return err_set(e, E_NOMEM, 0, "out of memory");
	r->n = 0;
	close_log(r);
	return 0;
}

/* What was read lies where it is closed with the rest. */
static struct span keep(struct reader *r, struct span s)
{
	if (!r->copy)
		return s;
	if (s.n)
		memcpy(r->copy, s.p, s.n);
	close_log(r);
	return span_of(r->copy, s.n);
}

static int look(const struct reader *r, dev_t *device, ino_t *inode,
		struct err *e)
{
	struct stat st;

	if (stat(r->path, &st) != 0)
		return err_sys(e, "it was taken away");
	*device = st.st_dev;
	*inode = st.st_ino;
	return 0;
}

int reader_open(struct reader **out, const char *path, bool follow,
		struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	int rc = 0;

	*out = NULL;
	if (!r || !(r->path = strdup(path))) {
		free(r);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	r->follow = follow;
	rc = open_log(r, e);
	if (rc == 0)
		rc = look(r, &r->device, &r->inode, e);
	if (rc) {
		reader_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void reader_close(struct reader *r)
{
	if (!r)
		return;
	close_log(r);
	free(r->copy);
	free(r->path);
	free(r);
}

/* A bundle with fewer records than the log has there is no end of it. A writer
 * may have added some since it was read: then they are in it now. */
static int fill(struct reader *r, uint64_t first, struct err *e)
{
	uint64_t size = 0, n;
	int rc = db_number(r->db, "SELECT size FROM state", &size, e);

	n = size > first ? size - first : 0;
	n = n < STORE_BUNDLE ? n : STORE_BUNDLE;
	if (rc || r->n >= n)
		return rc;
	rc = segments_bundle(r->segments, first, &r->n, &r->data, e);
	if (rc < 0 || r->n >= n)
		return rc;
	return err_set(e, E_INTEGRITY, 0, "record %llu is missing, of %llu "
		       "that the log has", (unsigned long long)(first + r->n),
		       (unsigned long long)size);
}

/* Load the bundle that holds record `next` and pass those before it. */
static int load(struct reader *r, struct err *e)
{
	uint64_t first = r->next / STORE_BUNDLE * STORE_BUNDLE;
	struct span record;
	int rc = segments_bundle(r->segments, first, &r->n, &r->data, e);

	if (rc >= 0 && r->n < STORE_BUNDLE)
		rc = fill(r, first, e);
	r->first = first;
	if (rc < 0) {
		r->n = 0;
		return rc;
	}
	r->data = keep(r, r->data);
	r->c = cur_of(r->data);
	for (uint64_t i = r->first; i < r->next && i < r->first + r->n; i++) {
		if (!store_next(&r->c, &record))
			break;
	}
	return 0;
}

int reader_first(struct reader *r, uint64_t *first, struct err *e)
{
	int rc = r->db ? 0 : open_log(r, e);

	return rc ? rc : segments_pruned(r->segments, first, e);
}

static int count(struct reader *r, uint64_t *n, struct err *e)
{
	int rc = r->db ? 0 : open_log(r, e);

	if (rc == 0)
		rc = db_number(r->db, "SELECT size FROM state", n, e);
	if (r->copy)
		close_log(r);
	return rc;
}

/* Looked at twice: what is being opened for writing just then may be of two
 * times. */
int reader_still(struct reader *r, struct err *e)
{
	uint64_t n = 0;
	dev_t device;
	ino_t inode;
	int rc = look(r, &device, &inode, e);

	if (rc == 0 && (device != r->device || inode != r->inode))
		return err_set(e, E_INTEGRITY, 0, "it was replaced by another "
			       "file");
	if (rc == 0 && count(r, &n, e) == 0 && n >= r->next)
		return 0;
	if (rc == 0)
		rc = count(r, &n, e);
	if (rc || n >= r->next)
		return rc;
	return err_set(e, E_INTEGRITY, 0, "the log ends before record %llu, "
		       "which was there: it was cut or put back from a copy",
		       (unsigned long long)n);
}

/* Among what was pruned: the next protected record, or what comes behind. */
static int next_kept(struct reader *r, uint64_t *seq, struct span *record,
		     struct err *e)
{
	uint64_t end;
	int rc = r->db ? 0 : open_log(r, e);

	r->n = 0;
	if (rc == 0)
		rc = segments_pruned(r->segments, &end, e);
	if (rc == 0)
		rc = segments_kept(r->segments, r->next, end, seq, record, e);
	if (rc == 1)
		*record = keep(r, *record);
	if (rc == 1)
		r->next = *seq + 1;
	else if (rc == 0 && r->next < end)
		r->next = end;
	return rc;
}

/* What was opened as a file that nobody writes and is written since may be of
 * two times: then it is opened as what it is now. */
static int loaded(struct reader *r, struct err *e)
{
	int rc = r->db ? load(r, e) : E_STATE;

	if (rc == 0 || (r->db && !db_disturbed(r->db)))
		return rc;
	close_log(r);
	rc = open_log(r, e);
	return rc ? rc : load(r, e);
}

void reader_seek(struct reader *r, uint64_t seq)
{
	r->next = seq;
	r->n = 0;
}

int reader_bundle(struct reader *r, uint64_t first, uint32_t *n,
		  struct span *octets, struct err *e)
{
	int rc;

	r->next = first / STORE_BUNDLE * STORE_BUNDLE;
	rc = loaded(r, e);
	if (rc)
		return rc;
	*n = r->n;
	*octets = r->data;
	return 0;
}

int reader_next(struct reader *r, uint64_t *seq, struct span *record,
		struct err *e)
{
	if (r->next >= r->first + r->n) {
		int rc = loaded(r, e);

		if (rc == E_NOTFOUND) {
			rc = next_kept(r, seq, record, e);
			if (rc)
				return rc;
			rc = loaded(r, e);
		}
		if (rc)
			return rc;
		if (r->next >= r->first + r->n)
			return 0;
	}
	if (!store_next(&r->c, record))
		return err_set(e, E_INTEGRITY, 0, "record %llu is missing",
			       (unsigned long long)r->next);
	*seq = r->next++;
	return 1;
}
