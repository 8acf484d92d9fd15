/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/journal.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/crc32c.h"

#define FILE_MAGIC   UINT64_C(0x314c4e524a474d00)
#define CHANGE_MAGIC UINT32_C(0x4d474a43)
#define WORD_OCTETS  12
#define BLOCK_MOST   (UINT64_C(1) << 30)
#define GROUP	     32 /* words compared at once */

struct file_head {
	uint64_t magic, epoch, octets;
};
struct change_head {
	uint32_t magic, words;
	uint64_t generation;
	uint32_t crc, zero;
};

struct journal {
	struct journal_io io;
	uint64_t *block, *disk; /* the memory, and what the files say */
	size_t words;
	uint8_t *out; /* one change that holds all words */
	int file;     /* in use; -1: none is */
	uint64_t epoch, at, begun; /* at: the end of what is whole */
	uint64_t generation;
	uint32_t crc;
	bool failed;
	bool unsynced; /* what was read may be in no file yet */
};

/* --- files ---------------------------------------------------------------- */

static int64_t fd_read(void *arg, int file, void *to, size_t n, uint64_t at)
{
	const int *fd = arg;
	size_t got = 0;

	while (got < n) {
		ssize_t k = pread(fd[file], (uint8_t *)to + got, n - got,
				  (off_t)(at + got));

		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (int64_t)got;
}

static int fd_write(void *arg, int file, struct span octets, uint64_t at)
{
	const int *fd = arg;

	while (octets.n) {
		ssize_t k = pwrite(fd[file], octets.p, octets.n, (off_t)at);

		if (k <= 0)
			return -1;
		octets = span_from(octets, (size_t)k);
		at += (uint64_t)k;
	}
	return 0;
}

static int fd_sync(void *arg, int file)
{
	const int *fd = arg;

	return fdatasync(fd[file]);
}

static int fd_cut(void *arg, int file)
{
	const int *fd = arg;

	return ftruncate(fd[file], 0);
}

struct journal_io journal_files(int fd[JOURNAL_FILES])
{
	return (struct journal_io){fd, fd_read, fd_write, fd_sync, fd_cut};
}

/* --- reading -------------------------------------------------------------- */

static bool get(struct journal *j, int file, void *to, size_t n, uint64_t at)
{
	return j->io.read(j->io.arg, file, to, n, at) == (int64_t)n;
}

static uint32_t crc_of(uint32_t before, const struct change_head *h,
		       struct span words)
{
	struct change_head c = *h;

	c.crc = 0;
	return crc32c(crc32c(before, span_of(&c, sizeof(c))), words);
}

static uint32_t crc_begin(const struct file_head *h)
{
	return crc32c(0, span_of(h, sizeof(*h)));
}

/* The change at j->at; false: it is none. */
static bool take_change(struct journal *j, int file)
{
	struct change_head h;
	size_t n;

	if (!get(j, file, &h, sizeof(h), j->at) || h.magic != CHANGE_MAGIC ||
	    h.zero != 0 || h.words > j->words)
		return false;
	n = (size_t)h.words * WORD_OCTETS;
	if (!get(j, file, j->out, n, j->at + sizeof(h)) ||
	    crc_of(j->crc, &h, span_of(j->out, n)) != h.crc)
		return false;
	for (size_t i = 0; i < n; i += WORD_OCTETS) {
		uint32_t at;

		memcpy(&at, j->out + i, sizeof(at));
		if (at >= j->words)
			return false;
	}
	for (size_t i = 0; i < n; i += WORD_OCTETS) {
		uint32_t at;

		memcpy(&at, j->out + i, sizeof(at));
		memcpy(&j->disk[at], j->out + i + sizeof(at),
		       sizeof(j->disk[at]));
	}
	j->crc = h.crc;
	j->generation = h.generation;
	j->at += sizeof(h) + n;
	return true;
}

static bool head_of(struct journal *j, int file, struct file_head *h)
{
	return get(j, file, h, sizeof(*h), 0) && h->magic == FILE_MAGIC &&
	       h->octets <= j->words * sizeof(*j->block);
}

static bool take_file(struct journal *j, int file, const struct file_head *h)
{
	memset(j->disk, 0, j->words * sizeof(*j->disk));
	j->at = sizeof(*h);
	j->crc = crc_begin(h);
	if (!take_change(j, file))
		return false;
	j->begun = j->at;
	while (take_change(j, file))
		;
	j->file = file;
	j->epoch = h->epoch;
	return true;
}

/* Nothing that was written before is there: a file begins with its head. */
static bool is_empty(struct journal *j, int file)
{
	uint8_t octet;

	return j->io.read(j->io.arg, file, &octet, 1, 0) == 0;
}

static int read_files(struct journal *j, bool *fresh, struct err *e)
{
	struct file_head h[JOURNAL_FILES];
	bool whole[JOURNAL_FILES], empty = true;
	int first;

	for (int i = 0; i < JOURNAL_FILES; i++) {
		whole[i] = head_of(j, i, &h[i]);
		empty = empty && is_empty(j, i);
		if (whole[i] && h[i].epoch > j->epoch)
			j->epoch = h[i].epoch; /* the next one is above all */
	}
	first = whole[1] && (!whole[0] || h[1].epoch > h[0].epoch);
	for (int k = 0; k < JOURNAL_FILES; k++) {
		int i = k ? !first : first;
		uint64_t epoch = j->epoch;

		if (whole[i] && take_file(j, i, &h[i])) {
			j->epoch = epoch;
			return 0;
		}
	}
	memset(j->disk, 0, j->words * sizeof(*j->disk));
	j->file = -1;
	*fresh = empty;
	return empty ? 0
		     : err_set(e, E_INTEGRITY, 0, "none of the files is whole");
}

int journal_open(struct journal **out, const struct journal_io *io,
		 void *block, size_t n, bool *fresh, struct err *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	int rc;

	*fresh = false;
	*out = NULL;
	if (!j)
		return err_set(e, E_NOMEM, 0, "out of memory");
	j->io = *io;
	j->block = block;
	j->words = n / sizeof(*j->block);
	j->disk = calloc(j->words, sizeof(*j->disk));
	j->out = malloc(sizeof(struct file_head) + sizeof(struct change_head) +
			j->words * WORD_OCTETS);
	if (!j->disk || !j->out) {
		journal_free(j);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	rc = read_files(j, fresh, e);
	/* A predecessor may have been killed between writing and syncing. */
	j->unsynced = j->file >= 0;
	memcpy(block, j->disk, n);
	*out = j;
	return rc;
}

uint64_t journal_generation(const struct journal *j)
{
	return j->generation;
}

/* --- writing -------------------------------------------------------------- */

static uint8_t *put_word(uint8_t *to, uint32_t at, uint64_t v)
{
	memcpy(to, &at, sizeof(at));
	memcpy(to + sizeof(at), &v, sizeof(v));
	return to + WORD_OCTETS;
}

static uint8_t *changed(const struct journal *j, uint8_t *to, size_t from,
			size_t end)
{
	for (size_t i = from; i < end; i++) {
		if (j->block[i] != j->disk[i])
			to = put_word(to, (uint32_t)i, j->block[i]);
	}
	return to;
}

static uint8_t *changes(const struct journal *j, uint8_t *to, struct span part)
{
	size_t i = (size_t)(part.p - (const uint8_t *)j->block) /
		   sizeof(*j->block);
	size_t end = i + part.n / sizeof(*j->block);

	for (; i + GROUP <= end; i += GROUP) {
		if (memcmp(j->block + i, j->disk + i,
			   GROUP * sizeof(*j->block)) != 0)
			to = changed(j, to, i, i + GROUP);
	}
	return changed(j, to, i, end);
}

static uint8_t *close_change(struct journal *j, uint8_t *from, uint8_t *to,
			     uint64_t generation)
{
	uint8_t *words = from + sizeof(struct change_head);
	struct change_head h = {
		.magic = CHANGE_MAGIC,
		.words = (uint32_t)((size_t)(to - words) / WORD_OCTETS),
		.generation = generation};

	h.crc = crc_of(j->crc, &h, span_of(words, (size_t)(to - words)));
	memcpy(from, &h, sizeof(h));
	j->crc = h.crc;
	return to;
}

/* Of the whole block: what the files say, and the parts as they are now. */
static uint8_t *snapshot(struct journal *j, uint8_t *to,
			 const struct span *part, size_t n)
{
	for (size_t p = 0; p < n; p++)
		memcpy((uint8_t *)j->disk + (part[p].p - (uint8_t *)j->block),
		       part[p].p, part[p].n);
	for (size_t i = 0; i < j->words; i++) {
		if (j->disk[i])
			to = put_word(to, (uint32_t)i, j->disk[i]);
	}
	return to;
}

static int put(struct journal *j, int file, const uint8_t *end, uint64_t at)
{
	size_t n = (size_t)(end - j->out);
	int rc = j->io.write(j->io.arg, file, span_of(j->out, n), at);

	if (rc == 0)
		rc = j->io.sync(j->io.arg, file);
	if (rc == 0)
		j->at = at + n;
	return rc;
}

/* What j->disk holds meanwhile is in no file until this is done. */
static int next_file(struct journal *j, const struct span *part, size_t n,
		     uint64_t generation)
{
	int file = j->file == 0;
	struct file_head h = {FILE_MAGIC, ++j->epoch,
			      j->words * sizeof(*j->block)};
	uint8_t *to = j->out + sizeof(h), *end;

	memcpy(j->out, &h, sizeof(h));
	j->crc = crc_begin(&h);
	end = snapshot(j, to + sizeof(struct change_head), part, n);
	end = close_change(j, to, end, generation);
	if (j->io.cut(j->io.arg, file) < 0 || put(j, file, end, 0) < 0)
		return -1;
	j->file = file;
	j->begun = j->at;
	return 0;
}

static int append(struct journal *j, const struct span *part, size_t n,
		  uint64_t generation)
{
	uint8_t *end = j->out + sizeof(struct change_head);

	for (size_t p = 0; p < n; p++)
		end = changes(j, end, part[p]);
	if (end == j->out + sizeof(struct change_head) &&
	    generation == j->generation)
		return 0;
	end = close_change(j, j->out, end, generation);
	if (put(j, j->file, end, j->at) < 0)
		return -1;
	for (size_t p = 0; p < n; p++)
		memcpy((uint8_t *)j->disk + (part[p].p - (uint8_t *)j->block),
		       part[p].p, part[p].n);
	return 0;
}

int journal_write(struct journal *j, const struct span *part, size_t n_parts,
		  uint64_t generation, struct err *e)
{
	bool turn = j->file < 0 || j->failed ||
		    j->at - j->begun > JOURNAL_TURN;
	int rc;

	if (j->unsynced && j->io.sync(j->io.arg, j->file) < 0)
		return err_sys(e, "the ledger cannot be written");
	j->unsynced = false;
	rc = turn ? next_file(j, part, n_parts, generation)
		  : append(j, part, n_parts, generation);
	/* What reached the file is not known: nothing goes behind it. */
	j->failed = rc < 0;
	if (rc < 0)
		return err_sys(e, "the ledger cannot be written");
	j->generation = generation;
	return 0;
}

int journal_anew(struct journal *j, const struct span *part, size_t n_parts,
		 struct err *e)
{
	for (int i = 0; i < JOURNAL_FILES; i++) {
		j->failed = true;
		if (journal_write(j, part, n_parts, j->generation, e) < 0)
			return E_IO;
	}
	return 0;
}

size_t journal_octets(const struct journal_io *io)
{
	uint64_t most = 0;

	for (int i = 0; i < JOURNAL_FILES; i++) {
		struct file_head h;

		if (io->read(io->arg, i, &h, sizeof(h), 0) == sizeof(h) &&
		    h.magic == FILE_MAGIC && h.octets > most)
			most = h.octets;
	}
	return most < BLOCK_MOST ? (size_t)most : 0;
}

void journal_free(struct journal *j)
{
	if (!j)
		return;
	free(j->disk);
	free(j->out);
	free(j);
}
