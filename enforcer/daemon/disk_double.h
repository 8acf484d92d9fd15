/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two files on a disk that loses what was not synced, for the tests: of each
 * write since the last sync a power cut keeps all, nothing, or any part, in
 * any order.
 */
#ifndef ENFORCER_DAEMON_DISK_DOUBLE_H
#define ENFORCER_DAEMON_DISK_DOUBLE_H

#include <stdlib.h>

#include "enforcer/daemon/journal.h"

#define DISK_FILE    ((size_t)8 << 20)
#define DISK_PENDING 64

struct disk_write {
	bool cut; /* to nothing, instead */
	uint64_t at;
	size_t n;
	uint8_t *octets;
};

struct disk_file {
	uint8_t *now, *safe;
	size_t n_now, n_safe;
	struct disk_write pending[DISK_PENDING];
	size_t n_pending;
};

struct disk {
	struct disk_file f[JOURNAL_FILES];
	int fails; /* that many calls on; 0: none does */
	unsigned syncs;
};

static inline uint64_t disk_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static inline void disk_init(struct disk *d)
{
	*d = (struct disk){0};
	for (int i = 0; i < JOURNAL_FILES; i++) {
		d->f[i].now = calloc(1, DISK_FILE);
		d->f[i].safe = calloc(1, DISK_FILE);
		if (!d->f[i].now || !d->f[i].safe)
			abort();
	}
}

static inline void disk_forget(struct disk_file *f)
{
	while (f->n_pending)
		free(f->pending[--f->n_pending].octets);
}

static inline void disk_free(struct disk *d)
{
	for (int i = 0; i < JOURNAL_FILES; i++) {
		disk_forget(&d->f[i]);
		free(d->f[i].now);
		free(d->f[i].safe);
	}
}

static inline bool disk_broke(struct disk *d)
{
	return d->fails > 0 && --d->fails == 0;
}

static inline int64_t disk_read(void *arg, int file, void *to, size_t n,
				uint64_t at)
{
	const struct disk_file *f = &((struct disk *)arg)->f[file];

	if (at >= f->n_now)
		return 0;
	if (n > f->n_now - at)
		n = f->n_now - at;
	memcpy(to, f->now + at, n);
	return (int64_t)n;
}

static inline void disk_apply(uint8_t *to, size_t *end,
			      const struct disk_write *w, size_t n)
{
	if (w->cut) {
		memset(to, 0, *end);
		*end = 0;
		return;
	}
	if (w->at + w->n > DISK_FILE)
		abort();
	if (n)
		memcpy(to + w->at, w->octets, n);
	if (n && w->at + n > *end)
		*end = w->at + n;
}

static inline int disk_note(struct disk *d, int file, struct disk_write w)
{
	struct disk_file *f = &d->f[file];

	if (f->n_pending == DISK_PENDING)
		abort();
	f->pending[f->n_pending++] = w;
	disk_apply(f->now, &f->n_now, &w, w.n);
	return 0;
}

static inline int disk_write(void *arg, int file, struct span octets,
			     uint64_t at)
{
	struct disk *d = arg;
	struct disk_write w = {.at = at, .n = octets.n,
			       .octets = malloc(octets.n + 1)};
	bool broke = disk_broke(d);

	if (!w.octets)
		abort();
	memcpy(w.octets, octets.p, octets.n);
	if (broke) /* a part of it got there */
		w.n /= 2;
	disk_note(d, file, w);
	return broke ? -1 : 0;
}

static inline int disk_sync(void *arg, int file)
{
	struct disk *d = arg;
	struct disk_file *f = &d->f[file];

	d->syncs++;
	if (disk_broke(d))
		return -1;
	memcpy(f->safe, f->now, f->n_now > f->n_safe ? f->n_now : f->n_safe);
	f->n_safe = f->n_now;
	disk_forget(f);
	return 0;
}

static inline int disk_cut(void *arg, int file)
{
	struct disk *d = arg;

	return disk_broke(d) ? -1
			     : disk_note(d, file,
					 (struct disk_write){.cut = true});
}

static inline struct journal_io disk_io(struct disk *d)
{
	return (struct journal_io){d, disk_read, disk_write, disk_sync,
				   disk_cut};
}

static inline void disk_power(struct disk *d, uint64_t *seed)
{
	for (int i = 0; i < JOURNAL_FILES; i++) {
		struct disk_file *f = &d->f[i];

		for (size_t k = 0; k < f->n_pending; k++) {
			size_t at = disk_random(seed) % f->n_pending;
			const struct disk_write *w = &f->pending[at];
			uint64_t what = disk_random(seed) % 3;

			if (what == 0)
				continue;
			disk_apply(f->safe, &f->n_safe, w,
				   what == 1 || w->n == 0
					   ? w->n
					   : disk_random(seed) % w->n);
		}
		disk_forget(f);
		memcpy(f->now, f->safe,
		       f->n_safe > f->n_now ? f->n_safe : f->n_now);
		f->n_now = f->n_safe;
	}
}

/* As it would be found after a power cut now. */
static inline void disk_copy(struct disk *to, const struct disk *from)
{
	disk_init(to);
	for (int i = 0; i < JOURNAL_FILES; i++) {
		to->f[i].n_now = to->f[i].n_safe = from->f[i].n_safe;
		memcpy(to->f[i].safe, from->f[i].safe, from->f[i].n_safe);
		memcpy(to->f[i].now, from->f[i].safe, from->f[i].n_safe);
	}
}

#endif
