/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/page.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WORDS ((PAGE_SIZE_OCTETS - PAGE_SEAL) / 4)

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* Two words a step: a += first + b, then b += second + a. Each is an
 * invertible map of (a, b) plus the word, so two pages that differ in one word
 * only can never end in the same sums.
 *
 * Every step waits for the one before, so the page is summed in seven parts
 * beside each other, all but the first from (0, 0). What stands before a part
 * goes through its 73 steps as through any others: (a, b) becomes
 * (f145 a + f146 b, f146 a + f147 b), Fibonacci's numbers modulo 2^32. */
#define PARTS 7
#define STEPS (WORDS / 2 / PARTS)

static void sums(const uint8_t *page, uint64_t no, uint32_t out[2])
{
	const uint32_t f145 = 0x081a8961, f146 = 0x9c35a821, f147 = 0xa4503182;
	uint32_t a[PARTS] = {(uint32_t)no};
	uint32_t b[PARTS] = {~(uint32_t)no ^ (uint32_t)(no >> 32)};

	_Static_assert(WORDS == 2 * PARTS * STEPS && STEPS == 73,
		       "all words, in parts of as many steps");
	for (size_t i = 0; i < STEPS; i++) {
#pragma GCC unroll 7
		for (size_t k = 0; k < PARTS; k++) {
			const uint8_t *p = page + 8 * (k * STEPS + i);

			a[k] += word(p) + b[k];
			b[k] += word(p + 4) + a[k];
		}
	}
	for (size_t k = 1; k < PARTS; k++) {
		uint32_t a0 = a[k - 1], b0 = b[k - 1];

		a[k] += f145 * a0 + f146 * b0;
		b[k] += f146 * a0 + f147 * b0;
	}
	out[0] = htole32(a[PARTS - 1]);
	out[1] = htole32(b[PARTS - 1]);
}

void page_seal(uint8_t page[PAGE_SIZE_OCTETS], uint64_t no)
{
	uint32_t s[2];

	sums(page, no, s);
	memcpy(page + PAGE_SIZE_OCTETS - PAGE_SEAL, s, PAGE_SEAL);
}

bool page_ok(const uint8_t page[PAGE_SIZE_OCTETS], uint64_t no)
{
	static const uint8_t zero[PAGE_SIZE_OCTETS];
	uint32_t s[2];

	sums(page, no, s);
	return memcmp(page + PAGE_SIZE_OCTETS - PAGE_SEAL, s, PAGE_SEAL) == 0 ||
	       memcmp(page, zero, sizeof(zero)) == 0;
}

#define READ_PAGES 64

/* live: a writer's checkpoint may be under way; read such a page again. */
static bool page_holds(int fd, const uint8_t *page, uint64_t no, bool live)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
	uint8_t again[PAGE_SIZE_OCTETS];

	if (page_ok(page, no))
		return true;
	for (int i = 0; live && i < 3; i++) {
		nanosleep(&pause, NULL);
		if (pread(fd, again, sizeof(again),
			  (off_t)(no - 1) * PAGE_SIZE_OCTETS) !=
		    (ssize_t)sizeof(again))
			return false;
		if (page_ok(again, no))
			return true;
	}
	return false;
}

/* First page whose seal is wrong, or 0. */
static int walk_pages(int fd, uint64_t size, bool live, uint64_t *bad,
		      struct err *e)
{
	static const size_t cap = READ_PAGES * PAGE_SIZE_OCTETS;
	uint8_t *buf = malloc(cap);
	uint64_t off = 0;
	int rc = 0;

	if (!buf)
		return err_set(e, E_NOMEM, 0, "out of memory");
	*bad = 0;
	while (rc == 0 && *bad == 0 && off + PAGE_SIZE_OCTETS <= size) {
		ssize_t n = pread(fd, buf, cap, (off_t)off);

		if (n < PAGE_SIZE_OCTETS) {
			rc = n < 0 ? err_sys(e, "reading")
				   : err_set(e, E_IO, 0, "it got shorter");
			break;
		}
		for (ssize_t i = 0; i + PAGE_SIZE_OCTETS <= n && !*bad;
		     i += PAGE_SIZE_OCTETS, off += PAGE_SIZE_OCTETS) {
			uint64_t no = off / PAGE_SIZE_OCTETS + 1;

			if (!page_holds(fd, buf + i, no, live))
				*bad = no;
		}
	}
	free(buf);
	return rc;
}

static bool has_wal(const char *path)
{
	char wal[4096];
	struct stat st;
	int n = snprintf(wal, sizeof(wal), "%s-wal", path);

	return n > 0 && (size_t)n < sizeof(wal) && stat(wal, &st) == 0 &&
	       st.st_size > 0;
}

/* A file so unlike ours that it never was one is no tampered audit. What is in
 * its WAL still, as of a young log all is, says whose it is there. */
static bool looks_like_one(struct span head, bool wal)
{
	static const uint8_t magic[16] = "SQLite format 3";
	static const uint8_t app[4] = {0x6d, 0x67, 0x41, 0x75};
	struct span at = span_sub(head, 68, 4);
	unsigned same = 0;

	for (size_t i = 0; i < sizeof(magic) && i < head.n; i++)
		same += head.p[i] == magic[i];
	for (size_t i = 0; i < sizeof(app) && i < at.n; i++)
		same += wal || at.p[i] == app[i];
	return same >= 18; /* of 20 */
}

int page_check_file(const char *path, uint64_t *pages, struct err *e)
{
	/* A pipe must not keep us waiting. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t head[100];
	struct cur count = {0};
	uint64_t bad = 0, size;
	struct stat st;
	ssize_t n = -1;
	int rc = 0;

	if (fd < 0)
		return err_sys(e, "opening");
	if (fstat(fd, &st))
		rc = err_sys(e, "reading");
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, E_STATE, 0, "it is no regular file");
	else if ((n = pread(fd, head, sizeof(head), 0)) < 0)
		rc = err_sys(e, "reading");
	else if (!looks_like_one(span_of(head, (size_t)n), has_wal(path)))
		rc = err_set(e, E_STATE, 0, "not an audit database");
	if (rc == 0) {
		size = (uint64_t)st.st_size;
		*pages = size / PAGE_SIZE_OCTETS;
		count = cur_of(span_sub(span_of(head, (size_t)n), 28, 4));
		rc = walk_pages(fd, size, has_wal(path), &bad, e);
		if (rc == 0 && bad)
			rc = err_set(e, E_INTEGRITY, 0,
				     "page %llu of the file was altered",
				     (unsigned long long)bad);
		/* With a WAL the file may be behind; then sqlite knows. */
		else if (rc == 0 && !has_wal(path) &&
			 cur_be(&count, 4) * PAGE_SIZE_OCTETS != size)
			rc = err_set(e, E_INTEGRITY, 0,
				     "the file was cut or lengthened");
	}
	close(fd);
	return rc;
}
