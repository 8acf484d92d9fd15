/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/page.h"

#define BUSY_MS 5000

/* A layer under sqlite that seals each page of the database file as it is
 * written there, and refuses one whose seal is wrong. Everything else is
 * handed to the layer below. One per open database, so nothing is shared. */
struct layer {
	sqlite3_vfs vfs;
	sqlite3_io_methods io;
	sqlite3_vfs *below;
	char name[32];
};

struct db {
	sqlite3 *sq;
	struct layer *layer;
	char *still; /* read as a file that nobody writes; else NULL */
};

struct db_stmt {
	sqlite3_stmt *st;
	struct db *d;
};

/* What sqlite allocates for us per file; the file of the layer below lies
 * behind it, eight octets on: sqlite promises no more alignment. */
struct sealed_file {
	sqlite3_file base;
	_Alignas(8) uint8_t below[];
};

static sqlite3_file *below(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct sealed_file *)(void *)f)->below;
}

static bool is_page(int n, sqlite3_int64 off)
{
	return n == PAGE_SIZE_OCTETS && off % PAGE_SIZE_OCTETS == 0;
}

static int x_close(sqlite3_file *f)
{
	return below(f)->pMethods->xClose(below(f));
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 off)
{
	int rc = below(f)->pMethods->xRead(below(f), p, n, off);

	if (rc == SQLITE_OK && is_page(n, off) &&
	    !page_ok(p, (uint64_t)off / PAGE_SIZE_OCTETS + 1))
		return SQLITE_IOERR_DATA;
	return rc;
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 off)
{
	uint8_t page[PAGE_SIZE_OCTETS];

	/* sqlite writes this file in whole pages only. */
	if (!is_page(n, off))
		return SQLITE_IOERR_WRITE;
	memcpy(page, p, sizeof(page));
	page_seal(page, (uint64_t)off / PAGE_SIZE_OCTETS + 1);
	return below(f)->pMethods->xWrite(below(f), page, n, off);
}

/* clang-format off */
static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{ return below(f)->pMethods->xTruncate(below(f), n); }
static int x_sync(sqlite3_file *f, int flags)
{ return below(f)->pMethods->xSync(below(f), flags); }
static int x_size(sqlite3_file *f, sqlite3_int64 *n)
{ return below(f)->pMethods->xFileSize(below(f), n); }
static int x_lock(sqlite3_file *f, int how)
{ return below(f)->pMethods->xLock(below(f), how); }
static int x_unlock(sqlite3_file *f, int how)
{ return below(f)->pMethods->xUnlock(below(f), how); }
static int x_reserved(sqlite3_file *f, int *out)
{ return below(f)->pMethods->xCheckReservedLock(below(f), out); }
static int x_control(sqlite3_file *f, int op, void *arg)
{ return below(f)->pMethods->xFileControl(below(f), op, arg); }
static int x_sector(sqlite3_file *f)
{ return below(f)->pMethods->xSectorSize(below(f)); }
static int x_device(sqlite3_file *f)
{ return below(f)->pMethods->xDeviceCharacteristics(below(f)); }
static int x_shm_map(sqlite3_file *f, int page, int n, int extend,
		     void volatile **out)
{ return below(f)->pMethods->xShmMap(below(f), page, n, extend, out); }
static int x_shm_lock(sqlite3_file *f, int off, int n, int flags)
{ return below(f)->pMethods->xShmLock(below(f), off, n, flags); }
static void x_shm_barrier(sqlite3_file *f)
{ below(f)->pMethods->xShmBarrier(below(f)); }
static int x_shm_unmap(sqlite3_file *f, int del)
{ return below(f)->pMethods->xShmUnmap(below(f), del); }
/* clang-format on */

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		  int flags, int *out_flags)
{
	struct layer *l = vfs->pAppData;
	int rc;

	/* WAL and journals are sqlite's own business; they carry sums. */
	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return l->below->xOpen(l->below, name, f, flags, out_flags);
	f->pMethods = NULL;
	rc = l->below->xOpen(l->below, name, below(f), flags, out_flags);
	/* sqlite closes a file whose methods are set, opened or not. */
	if (below(f)->pMethods)
		f->pMethods = &l->io;
	return rc;
}

static struct layer *layer_new(void)
{
	struct layer *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->below = sqlite3_vfs_find(NULL);
	snprintf(l->name, sizeof(l->name), "sealed-%p", (void *)l);
	l->vfs = *l->below;
	l->vfs.pNext = NULL;
	l->vfs.zName = l->name;
	l->vfs.pAppData = l;
	l->vfs.szOsFile = (int)sizeof(struct sealed_file) + l->below->szOsFile;
	l->vfs.xOpen = x_open;
	l->io = (sqlite3_io_methods){
		.iVersion = 2, /* no xFetch: pages go through x_read */
		.xClose = x_close,
		.xRead = x_read,
		.xWrite = x_write,
		.xTruncate = x_truncate,
		.xSync = x_sync,
		.xFileSize = x_size,
		.xLock = x_lock,
		.xUnlock = x_unlock,
		.xCheckReservedLock = x_reserved,
		.xFileControl = x_control,
		.xSectorSize = x_sector,
		.xDeviceCharacteristics = x_device,
		.xShmMap = x_shm_map,
		.xShmLock = x_shm_lock,
		.xShmBarrier = x_shm_barrier,
		.xShmUnmap = x_shm_unmap,
	};
	if (sqlite3_vfs_register(&l->vfs, 0) != SQLITE_OK) {
		free(l);
		return NULL;
	}
	return l;
}

static void layer_free(struct layer *l)
{
	if (l)
		sqlite3_vfs_unregister(&l->vfs);
	free(l);
}

static int failed(struct db *d, int rc, struct err *e)
{
	int sys = d->sq ? sqlite3_system_errno(d->sq) : 0;
	int code;

	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
		code = E_INTEGRITY;
		break;
	case SQLITE_CONSTRAINT:
		code = E_STATE;
		break;
	case SQLITE_NOMEM:
		code = E_NOMEM;
		break;
	default:
		code = rc == SQLITE_IOERR_DATA ? E_INTEGRITY : E_IO;
	}
	if (rc == SQLITE_IOERR_DATA)
		return err_set(e, code, 0, "a page of the file was altered");
	if (code == E_IO && sys && rc != SQLITE_FULL)
		return err_set(e, code, 0, "%s: %s", sqlite3_errstr(rc),
			       strerror(sys));
	err_set(e, code, 0, "%s",
		d->sq ? sqlite3_errmsg(d->sq) : sqlite3_errstr(rc));
	/* sqlite quotes octets of the file. */
	for (char *p = e ? e->text : NULL; p && *p; p++) {
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	}
	return code;
}

/* Is there anything in the file beside it? A missing one is empty. */
static bool beside(const char *path, const char *tail, bool or_exists)
{
	char name[4096];
	struct stat st;
	int n = snprintf(name, sizeof(name), "%s%s", path, tail);

	if (n <= 0 || (size_t)n >= sizeof(name))
		return true;
	if (stat(name, &st) != 0)
		return errno != ENOENT;
	return or_exists || st.st_size > 0;
}

/* Nothing is in a WAL: no writer is in the middle of something, or it would
 * have left its shared memory too, and opening would not have failed. */
static bool lies_still(const char *path)
{
	return access(path, R_OK) == 0 && !beside(path, "-wal", false);
}

/* And nobody has it open, for a writer keeps shared memory beside it. */
static bool lies_alone(const char *path)
{
	return lies_still(path) && !beside(path, "-shm", true);
}

static char *immutable_uri(const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = strlen(path), k = 0;
	char *uri = malloc(3 * n + 32);

	if (!uri)
		return NULL;
	k = (size_t)sprintf(uri, "file:");
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)path[i];

		if (strchr("%?#", c)) {
			uri[k++] = '%';
			uri[k++] = hex[c >> 4];
			uri[k++] = hex[c & 15];
		} else {
			uri[k++] = (char)c;
		}
	}
	memcpy(uri + k, "?immutable=1", sizeof("?immutable=1"));
	return uri;
}

static int try_open(struct db *d, const char *path, int flags,
		    const char *vfs)
{
	int rc = sqlite3_open_v2(path, &d->sq, flags, vfs);

	if (rc == SQLITE_OK) {
		sqlite3_extended_result_codes(d->sq, 1);
		sqlite3_busy_timeout(d->sq, BUSY_MS);
		sqlite3_db_config(d->sq, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_db_config(d->sq, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0,
				  NULL);
		/* Only now is the file read. */
		rc = sqlite3_exec(d->sq, "SELECT count(*) FROM sqlite_schema",
				  NULL, NULL, NULL);
	}
	return rc;
}

static int open_still(struct db *d, const char *path)
{
	char *uri = immutable_uri(path);
	int rc;

	if (!uri)
		return SQLITE_NOMEM;
	sqlite3_close(d->sq); /* from a first attempt */
	d->sq = NULL;
	rc = try_open(d, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	free(uri);
	return rc;
}

/* sqlite needs a place beside the file for shared memory. It is not asked for
 * when nobody has the file open, since a reader could not take it away again;
 * and on a medium that cannot be written, or is full, there is none, and
 * nobody else who would change the file either. */
static int open_read(struct db *d, const char *path, bool follow)
{
	int rc;

	d->still = !follow && lies_alone(path) ? strdup(path) : NULL;
	if (d->still)
		return open_still(d, path);
	rc = try_open(d, path, SQLITE_OPEN_READONLY, NULL);
	switch (rc & 0xff) {
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_IOERR:
	case SQLITE_FULL:
		return lies_still(path) ? open_still(d, path) : rc;
	default:
		return rc;
	}
}

bool db_disturbed(const struct db *d)
{
	return d && d->still && !lies_alone(d->still);
}

int db_map(struct db *d, struct err *e)
{
	return d->still ? db_exec(d, "PRAGMA mmap_size = 0x7fff0000", e) : 0;
}

bool db_shared(const struct db *d)
{
	return !d->still;
}

static int open_write(struct db *d, const char *path)
{
	int rc, reserve = PAGE_SEAL;

	d->layer = layer_new();
	if (!d->layer)
		return SQLITE_NOMEM;
	rc = try_open(d, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
		      d->layer->name);
	if (rc == SQLITE_OK) /* counts for a file that is still empty */
		rc = sqlite3_file_control(d->sq, "main",
					  SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	return rc;
}

/* A pipe would keep its reader waiting for ever, a device gives what it likes.
 * What is not there at all may be sqlite's to find. */
static bool other_than_file(const struct stat *st)
{
	return !S_ISREG(st->st_mode);
}

int db_open(struct db **out, const char *path, enum db_mode mode,
	    struct err *e)
{
	struct db *d = calloc(1, sizeof(*d));
	struct stat st;
	int rc;

	*out = NULL;
	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (mode != DB_MEMORY && stat(path, &st) == 0 && other_than_file(&st)) {
		free(d);
		return err_set(e, E_STATE, 0, "it is no regular file");
	}
	if (mode == DB_MEMORY)
		rc = try_open(d, ":memory:",
			      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	else if (mode == DB_READ || mode == DB_FOLLOW)
		rc = open_read(d, path, mode == DB_FOLLOW);
	else
		rc = open_write(d, path);
	if (rc != SQLITE_OK) {
		rc = failed(d, rc, e);
		sqlite3_close(d->sq);
		layer_free(d->layer);
		free(d->still);
		free(d);
		return rc;
	}
	*out = d;
	return 0;
}

int db_close(struct db *d, struct err *e)
{
	int rc = SQLITE_OK, code = 0;

	if (!d)
		return 0;
	if (d->layer)
		rc = sqlite3_wal_checkpoint_v2(d->sq, NULL,
					       SQLITE_CHECKPOINT_TRUNCATE,
					       NULL, NULL);
	/* A reader keeps the WAL alive: its last writer empties it later. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		code = failed(d, rc, e);
	sqlite3_close(d->sq);
	layer_free(d->layer);
	free(d->still);
	free(d);
	return code;
}

int db_exec(struct db *d, const char *sql, struct err *e)
{
	int rc = sqlite3_exec(d->sq, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : failed(d, rc, e);
}

int db_number(struct db *d, const char *sql, uint64_t *out, struct err *e)
{
	struct db_stmt *s;
	int rc = db_prepare(&s, d, sql, e);

	if (rc)
		return rc;
	rc = db_step(s, e);
	if (rc == 1)
		rc = db_u64(s, 0, out) ? 0
				       : err_set(e, E_INTEGRITY, 0,
						 "no number: %s", sql);
	else if (rc == 0)
		rc = err_set(e, E_INTEGRITY, 0, "no row: %s", sql);
	db_finish(s);
	return rc;
}

int db_prepare(struct db_stmt **out, struct db *d, const char *sql,
	       struct err *e)
{
	struct db_stmt *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return err_set(e, E_NOMEM, 0, "out of memory");
	s->d = d;
	rc = sqlite3_prepare_v3(d->sq, sql, -1, SQLITE_PREPARE_PERSISTENT,
				&s->st, NULL);
	if (rc != SQLITE_OK) {
		free(s);
		return failed(d, rc, e);
	}
	*out = s;
	return 0;
}

void db_finish(struct db_stmt *s)
{
	if (s)
		sqlite3_finalize(s->st);
	free(s);
}

/* A bind fails for a wrong index or out of memory; the parameter is then
 * NULL, which every table of ours refuses. */
void db_put_u64(struct db_stmt *s, int i, uint64_t v)
{
	if (v <= INT64_MAX)
		sqlite3_bind_int64(s->st, i, (sqlite3_int64)v);
}

void db_put_span(struct db_stmt *s, int i, struct span v)
{
	sqlite3_bind_blob64(s->st, i, v.n ? (const void *)v.p : "", v.n,
			    SQLITE_STATIC);
}

void db_put_text(struct db_stmt *s, int i, struct span v)
{
	sqlite3_bind_text64(s->st, i, v.n ? (const char *)v.p : "", v.n,
			    SQLITE_STATIC, SQLITE_UTF8);
}

int db_step(struct db_stmt *s, struct err *e)
{
	int rc = sqlite3_step(s->st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : failed(s->d, rc, e);
}

void db_reset(struct db_stmt *s)
{
	sqlite3_reset(s->st);
	sqlite3_clear_bindings(s->st);
}

int db_run(struct db_stmt *s, struct err *e)
{
	int rc = db_step(s, e);

	db_reset(s);
	return rc < 0 ? rc : 0;
}

bool db_u64(struct db_stmt *s, int i, uint64_t *out)
{
	sqlite3_int64 v = sqlite3_column_int64(s->st, i);

	if (sqlite3_column_type(s->st, i) != SQLITE_INTEGER || v < 0)
		return false;
	*out = (uint64_t)v;
	return true;
}

bool db_span(struct db_stmt *s, int i, struct span *out)
{
	if (sqlite3_column_type(s->st, i) != SQLITE_BLOB)
		return false;
	out->p = sqlite3_column_blob(s->st, i);
	out->n = (size_t)sqlite3_column_bytes(s->st, i);
	return out->p || out->n == 0;
}

bool db_text(struct db_stmt *s, int i, struct span *out)
{
	if (sqlite3_column_type(s->st, i) != SQLITE_TEXT)
		return false;
	out->p = sqlite3_column_text(s->st, i);
	out->n = (size_t)sqlite3_column_bytes(s->st, i);
	return out->p != NULL;
}

bool db_null(struct db_stmt *s, int i)
{
	return sqlite3_column_type(s->st, i) == SQLITE_NULL;
}

/* --- files that are no database at the moment --- */

static int file_failed(int rc, const char *path, struct err *e)
{
	return err_set(e, rc == SQLITE_NOMEM ? E_NOMEM : E_IO, 0, "%s: %s",
		       path, sqlite3_errstr(rc));
}

int db_file(const char *path, uint64_t *octets, struct err *e)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_int64 n = 0;
	const char *name;
	sqlite3_file *f;
	struct stat st;
	int there = 0, got, rc;

	*octets = 0;
	if (lstat(path, &st) == 0 && other_than_file(&st))
		return err_set(e, E_INTEGRITY, 0, "%s is no regular file",
			       path);
	rc = vfs->xAccess(vfs, path, SQLITE_ACCESS_READWRITE, &there);
	if (rc == SQLITE_OK && !there)
		rc = vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &there);
	if (rc != SQLITE_OK || !there)
		return rc ? file_failed(rc, path, e) : 0;
	f = calloc(1, (size_t)vfs->szOsFile);
	name = sqlite3_create_filename(path, "", "", 0, NULL);
	rc = f && name ? vfs->xOpen(vfs, name, f, SQLITE_OPEN_READONLY |
					SQLITE_OPEN_MAIN_DB, &got)
		       : SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		rc = f->pMethods->xFileSize(f, &n);
	if (f && f->pMethods)
		f->pMethods->xClose(f);
	free(f);
	sqlite3_free_filename(name);
	*octets = (uint64_t)n;
	return rc ? file_failed(rc, path, e) : 1;
}

int db_remove(const char *path, struct err *e)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	int rc = vfs->xDelete(vfs, path, 1);

	return rc == SQLITE_OK || rc == SQLITE_IOERR_DELETE_NOENT
		       ? 0
		       : file_failed(rc, path, e);
}

int db_named(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1)
			  : strdup(".");
	int fd, rc = 0;

	if (!dir)
		return err_set(e, E_NOMEM, 0, "out of memory");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		rc = err_sys(e, "%s", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}
