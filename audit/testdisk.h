/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk for the tests of this folder: a sqlite layer that keeps files in
 * memory, each as it is and as it was when it was last synced. The power can
 * be cut before any call that changes something; then each sector that was
 * written since the sync is there or not, by chance and in no order, and a
 * file's length is the old or the new one. Or such a call fails, once or from
 * then on, as on a disk that is full, cannot be written, or is broken.
 *
 * What sqlite tells of real disks holds here, too: a write leaves the other
 * octets of its sector as they were (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
 *
 * To be included behind <sqlite3.h>, by one test.
 */
#ifndef AUDIT_TESTDISK_H
#define AUDIT_TESTDISK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_FILES  1024 /* at once; those that are gone give their place */
#define DISK_SECTOR 512
#define DISK_SHM    64

struct disk_node {
	char name[128]; /* "": free */
	bool there, safe_there;
	uint8_t *now, *safe;
	size_t n_now, n_safe;
	void *shm[DISK_SHM];
};

static struct disk {
	struct disk_node node[DISK_FILES];
	uint64_t calls; /* that change something, so far */
	uint64_t fail_at; /* the call that fails; 0: none */
	bool fail_on;	  /* and all behind it */
	int fail_with;	  /* SQLITE_FULL, SQLITE_IOERR, SQLITE_READONLY */
	bool cut;	  /* at fail_at the power goes */
	bool dark;	  /* it went */
	uint64_t random;
} disk;

struct disk_file {
	sqlite3_file base;
	struct disk_node *node;
	bool delete_on_close;
};

static uint64_t disk_random(void)
{
	disk.random ^= disk.random << 13;
	disk.random ^= disk.random >> 7;
	disk.random ^= disk.random << 17;
	return disk.random;
}

/* SQLITE_OK, or how this call fails. */
static int disk_call(void)
{
	if (disk.dark)
		return SQLITE_IOERR;
	disk.calls++;
	if (!disk.fail_at || disk.calls < disk.fail_at ||
	    (disk.calls > disk.fail_at && !disk.fail_on))
		return SQLITE_OK;
	disk.dark = disk.cut;
	return disk.cut ? SQLITE_IOERR : disk.fail_with;
}

static void disk_fit(uint8_t **p, size_t *n, size_t to)
{
	uint8_t *more = realloc(*p, to ? to : 1);

	if (!more)
		abort();
	if (to > *n)
		memset(more + *n, 0, to - *n);
	*p = more;
	*n = to;
}

static void disk_copy(uint8_t **to, size_t *n_to, const uint8_t *from,
		      size_t n)
{
	disk_fit(to, n_to, n);
	if (n)
		memcpy(*to, from, n);
}

static void disk_forget(struct disk_node *f)
{
	free(f->now);
	free(f->safe);
	for (size_t k = 0; k < DISK_SHM; k++)
		free(f->shm[k]);
	memset(f, 0, sizeof(*f));
}

/* The power is back: what is there now. Nobody has a file open. */
static inline void disk_power(void)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_node *f = &disk.node[i];
		size_t n = disk_random() & 1 ? f->n_now : f->n_safe;
		uint8_t *p = NULL;
		size_t have = 0;

		if (!f->name[0])
			continue;
		/* Made or removed since: by chance, too. */
		if (f->there != f->safe_there && disk_random() & 1)
			f->there = f->safe_there;
		disk_fit(&p, &have, n);
		for (size_t at = 0; at < n; at += DISK_SECTOR) {
			bool new = disk_random() & 1;
			const uint8_t *from = new ? f->now : f->safe;
			size_t from_n = new ? f->n_now : f->n_safe;
			size_t k = at < from_n ? from_n - at : 0;

			k = k > DISK_SECTOR ? DISK_SECTOR : k;
			k = k > n - at ? n - at : k;
			if (k)
				memcpy(p + at, from + at, k);
		}
		free(f->now);
		f->now = p;
		f->n_now = n;
		disk_copy(&f->safe, &f->n_safe, f->now, n);
		f->safe_there = f->there;
		for (size_t k = 0; k < DISK_SHM; k++) {
			free(f->shm[k]);
			f->shm[k] = NULL;
		}
		if (!f->there)
			disk_forget(f);
	}
	disk.dark = disk.cut = false;
	disk.fail_at = 0;
}

/* Empty. */
static inline void disk_clean(uint64_t seed)
{
	for (size_t i = 0; i < DISK_FILES; i++)
		disk_forget(&disk.node[i]);
	memset(&disk, 0, sizeof(disk));
	disk.random = seed * 2654435761u + 1;
}

static struct disk_node *disk_find(const char *name)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		if (strcmp(disk.node[i].name, name) == 0)
			return &disk.node[i];
	}
	return NULL;
}

/* Each file of the disk under its name in the directory. */
static inline bool disk_dump(const char *dir)
{
	for (size_t i = 0; i < DISK_FILES; i++) {
		const struct disk_node *f = &disk.node[i];
		const char *base = strrchr(f->name, '/');
		char path[256];
		FILE *out;

		snprintf(path, sizeof(path), "%s/%s", dir,
			 base ? base + 1 : f->name);
		if (!f->name[0])
			continue;
		remove(path);
		if (!f->there)
			continue;
		out = fopen(path, "wb");
		if (!out || fwrite(f->now, 1, f->n_now, out) != f->n_now ||
		    fclose(out))
			return false;
	}
	return true;
}

/* --- what sqlite calls ---------------------------------------------------- */

static struct disk_file *disk_of(sqlite3_file *f)
{
	return (struct disk_file *)(void *)f;
}

static int disk_close(sqlite3_file *f)
{
	struct disk_file *d = disk_of(f);

	if (d->delete_on_close)
		d->node->there = false;
	return SQLITE_OK;
}

static int disk_read(sqlite3_file *f, void *p, int n, sqlite3_int64 off)
{
	const struct disk_node *node = disk_of(f)->node;
	size_t have = (uint64_t)off < node->n_now ? node->n_now - (size_t)off
						  : 0;

	if (disk.dark)
		return SQLITE_IOERR_READ;
	if (have >= (size_t)n) {
		memcpy(p, node->now + off, (size_t)n);
		return SQLITE_OK;
	}
	memset(p, 0, (size_t)n);
	if (have)
		memcpy(p, node->now + off, have);
	return SQLITE_IOERR_SHORT_READ;
}

static int disk_write(sqlite3_file *f, const void *p, int n,
		      sqlite3_int64 off)
{
	struct disk_node *node = disk_of(f)->node;
	size_t end = (size_t)off + (size_t)n;
	int rc = disk_call();

	if (rc)
		return rc == SQLITE_IOERR ? SQLITE_IOERR_WRITE : rc;
	if (end > node->n_now)
		disk_fit(&node->now, &node->n_now, end);
	memcpy(node->now + off, p, (size_t)n);
	return SQLITE_OK;
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	struct disk_node *node = disk_of(f)->node;
	int rc = disk_call();

	if (rc)
		return rc == SQLITE_IOERR ? SQLITE_IOERR_TRUNCATE : rc;
	disk_fit(&node->now, &node->n_now, (size_t)n);
	return SQLITE_OK;
}

static int disk_sync(sqlite3_file *f, int flags)
{
	struct disk_node *node = disk_of(f)->node;
	int rc = disk_call();

	(void)flags;
	if (rc)
		return rc == SQLITE_IOERR ? SQLITE_IOERR_FSYNC : rc;
	disk_copy(&node->safe, &node->n_safe, node->now, node->n_now);
	node->safe_there = node->there;
	return SQLITE_OK;
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *n)
{
	*n = (sqlite3_int64)disk_of(f)->node->n_now;
	return SQLITE_OK;
}

static int disk_lock(sqlite3_file *f, int how)
{
	(void)f;
	(void)how;
	return SQLITE_OK;
}

static int disk_reserved(sqlite3_file *f, int *out)
{
	(void)f;
	*out = 0;
	return SQLITE_OK;
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int disk_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int disk_device(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int disk_shm_map(sqlite3_file *f, int page, int n, int extend,
			void volatile **out)
{
	struct disk_node *node = disk_of(f)->node;

	*out = NULL;
	if (page >= DISK_SHM)
		return SQLITE_IOERR_SHMMAP;
	if (!node->shm[page] && extend)
		node->shm[page] = calloc(1, (size_t)n);
	*out = node->shm[page];
	return SQLITE_OK;
}

static int disk_shm_lock(sqlite3_file *f, int off, int n, int flags)
{
	(void)f;
	(void)off;
	(void)n;
	(void)flags;
	return SQLITE_OK;
}

static void disk_shm_barrier(sqlite3_file *f)
{
	(void)f;
}

static int disk_shm_unmap(sqlite3_file *f, int del)
{
	struct disk_node *node = disk_of(f)->node;

	for (size_t k = 0; del && k < DISK_SHM; k++) {
		free(node->shm[k]);
		node->shm[k] = NULL;
	}
	return SQLITE_OK;
}

static const sqlite3_io_methods disk_io = {
	.iVersion = 2,
	.xClose = disk_close,
	.xRead = disk_read,
	.xWrite = disk_write,
	.xTruncate = disk_truncate,
	.xSync = disk_sync,
	.xFileSize = disk_size,
	.xLock = disk_lock,
	.xUnlock = disk_lock,
	.xCheckReservedLock = disk_reserved,
	.xFileControl = disk_control,
	.xSectorSize = disk_sector,
	.xDeviceCharacteristics = disk_device,
	.xShmMap = disk_shm_map,
	.xShmLock = disk_shm_lock,
	.xShmBarrier = disk_shm_barrier,
	.xShmUnmap = disk_shm_unmap,
};

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
		     int flags, int *out_flags)
{
	struct disk_file *d = disk_of(f);
	struct disk_node *node = name ? disk_find(name) : NULL;

	(void)vfs;
	d->base.pMethods = NULL;
	if (!name || disk.dark)
		return SQLITE_CANTOPEN;
	if (!node || !node->there) {
		if (!(flags & SQLITE_OPEN_CREATE) || disk_call())
			return SQLITE_CANTOPEN;
		node = node ? node : disk_find("");
		/* Of a file that is gone, whatever happens to the power. */
		for (size_t i = 0; !node && i < DISK_FILES; i++) {
			if (!disk.node[i].there && !disk.node[i].safe_there)
				node = &disk.node[i];
		}
		if (!node || strlen(name) >= sizeof(node->name))
			return SQLITE_CANTOPEN;
		snprintf(node->name, sizeof(node->name), "%s", name);
		node->there = true;
		node->n_now = 0;
	}
	*d = (struct disk_file){{&disk_io}, node,
				(flags & SQLITE_OPEN_DELETEONCLOSE) != 0};
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	struct disk_node *node = disk_find(name);
	int rc = disk_call();

	(void)vfs;
	if (rc)
		return SQLITE_IOERR_DELETE;
	if (!node || !node->there)
		return SQLITE_IOERR_DELETE_NOENT;
	node->there = false;
	if (sync)
		node->safe_there = false;
	return SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	struct disk_node *node = disk_find(name);

	(void)vfs;
	*out = node && node->there &&
	       (flags != SQLITE_ACCESS_EXISTS || node->n_now > 0);
	return SQLITE_OK;
}

static int disk_full_name(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	snprintf(out, (size_t)n, "%s", name);
	return SQLITE_OK;
}

/* From here on every database of this process lies on the disk (true), or on
 * the machine's (false). */
static inline void disk_use(bool on)
{
	static sqlite3_vfs vfs, *real;

	if (!real) {
		real = sqlite3_vfs_find(NULL);
		vfs = *real;
		vfs.pNext = NULL;
		vfs.zName = "testdisk";
		vfs.szOsFile = sizeof(struct disk_file);
		vfs.mxPathname = 128;
		vfs.xOpen = disk_open;
		vfs.xDelete = disk_delete;
		vfs.xAccess = disk_access;
		vfs.xFullPathname = disk_full_name;
	}
	sqlite3_vfs_register(on ? &vfs : real, 1);
}

#endif
