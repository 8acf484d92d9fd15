/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/ring.h"

#include <assert.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"

#define HEAD  4u /* octets of a message's length */
#define ALIGN 8u

/* --- sleeping ----------------------------------------------------------------
 * A side that is about to sleep says so, looks once more, and sleeps only as
 * long as the word still says so. The fences make one of the two see what the
 * other did: either the sleeper sees the new position, or the other side sees
 * the word. */

void ring_drowse(_Atomic uint32_t *word)
{
	atomic_store_explicit(word, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void ring_sleep(_Atomic uint32_t *word, int timeout_ms)
{
	struct timespec t = {timeout_ms / 1000,
			     (timeout_ms % 1000) * 1000 * 1000};

	/* Not the private form: the word is shared by processes. */
	syscall(SYS_futex, word, FUTEX_WAIT, 1, timeout_ms < 0 ? NULL : &t,
		NULL, 0);
	ring_awake(word);
}

void ring_awake(_Atomic uint32_t *word)
{
	atomic_store_explicit(word, 0, memory_order_relaxed);
}

void ring_wake(_Atomic uint32_t *word)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(word, memory_order_relaxed) != 0 &&
	    atomic_exchange_explicit(word, 0, memory_order_relaxed) != 0)
		syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* --- both sides ----------------------------------------------------------- */

size_t ring_octets(uint32_t size)
{
	return sizeof(struct ring_shared) + size;
}

static void attach(struct ring *r, void *mem, uint32_t size)
{
	assert(size >= 64 && (size & (size - 1)) == 0);
	*r = (struct ring){.s = mem, .size = size};
}

/* A message with its length, as it lies in the ring. */
static uint32_t occupied(size_t n)
{
	return ((uint32_t)n + HEAD + ALIGN - 1) & ~(ALIGN - 1);
}

void ring_writer(struct ring *r, void *mem, uint32_t size)
{
	uint64_t head, tail;

	attach(r, mem, size);
	head = atomic_load_explicit(&r->s->head, memory_order_acquire);
	tail = atomic_load_explicit(&r->s->tail, memory_order_acquire);
	/* A predecessor that left nonsense left nothing worth keeping. The
	 * reader's position is the one to begin at then. */
	if (head - tail > size || head % ALIGN != 0) {
		head = tail = tail & ~(uint64_t)(ALIGN - 1);
		atomic_store_explicit(&r->s->head, head, memory_order_release);
	}
	r->at = r->edge = head;
	r->other = tail;
}

void ring_reader(struct ring *r, void *mem, uint32_t size)
{
	attach(r, mem, size);
	r->at = r->other = r->edge =
		atomic_load_explicit(&r->s->tail, memory_order_acquire) &
		~(uint64_t)(ALIGN - 1);
}

/* --- writer --------------------------------------------------------------- */

/* Octets free. The reader's position is looked at only when what is known of
 * it is not enough; one that makes no sense is not believed. */
static uint32_t room(struct ring *r, uint32_t need)
{
	uint64_t tail;

	if (r->size - (uint32_t)(r->at - r->other) >= need)
		return r->size - (uint32_t)(r->at - r->other);
	tail = atomic_load_explicit(&r->s->tail, memory_order_acquire);
	if (tail % ALIGN == 0 && tail - r->other <= r->edge - r->other)
		r->other = tail;
	return r->size - (uint32_t)(r->at - r->other);
}

static void copy_in(struct ring *r, uint64_t at, struct span s)
{
	uint32_t off = (uint32_t)at & (r->size - 1);
	size_t first = s.n < r->size - off ? s.n : r->size - off;

	memcpy(r->s->data + off, s.p, first);
	if (first < s.n)
		memcpy(r->s->data, span_from(s, first).p, s.n - first);
}

int ring_put(struct ring *r, struct span msg)
{
	uint32_t n = (uint32_t)msg.n, need;

	assert(msg.n > 0 && msg.n <= r->size / 4);
	need = occupied(msg.n);
	if (room(r, need) < need)
		return E_LIMIT;
	/* Aligned to 8, so that a length never wraps. */
	memcpy(r->s->data + (r->at & (r->size - 1)), &n, sizeof(n));
	copy_in(r, r->at + HEAD, msg);
	r->at += need;
	return 0;
}

bool ring_publish(struct ring *r)
{
	if (r->edge == r->at)
		return false;
	atomic_store_explicit(&r->s->head, r->at, memory_order_release);
	r->edge = r->at;
	ring_wake(&r->s->reader_sleeps);
	return true;
}

size_t ring_room(struct ring *r)
{
	uint32_t n = room(r, r->size) & ~(ALIGN - 1);

	if (n < ALIGN)
		return 0;
	return n - HEAD < r->size / 4 ? n - HEAD : r->size / 4;
}

bool ring_wait_room(struct ring *r, size_t n, int timeout_ms)
{
	uint32_t need = occupied(n);

	if (room(r, need) >= need)
		return true;
	ring_drowse(&r->s->writer_sleeps);
	if (room(r, need) >= need)
		ring_awake(&r->s->writer_sleeps);
	else
		ring_sleep(&r->s->writer_sleeps, timeout_ms);
	return room(r, need) >= need;
}

/* --- reader --------------------------------------------------------------- */

static void copy_out(const struct ring *r, uint64_t at, uint8_t *buf,
		     uint32_t n)
{
	uint32_t off = (uint32_t)at & (r->size - 1);
	uint32_t first = n < r->size - off ? n : r->size - off;

	memcpy(buf, r->s->data + off, first);
	if (first < n)
		memcpy(buf + first, r->s->data, n - first);
}

/* How far the writer says it is. False: it says what cannot be. */
static bool look(struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->s->head, memory_order_acquire);

	if (head % ALIGN != 0 || head - r->edge > r->size ||
	    head - r->edge < r->at - r->edge)
		return false;
	r->other = head;
	return true;
}

int64_t ring_get(struct ring *r, uint8_t *buf, size_t cap)
{
	uint32_t n;

	if (r->at == r->other) {
		if (!look(r))
			return -1;
		if (r->at == r->other)
			return 0;
	}
	/* Read once: the writer may change it at any moment. */
	n = atomic_load_explicit((_Atomic uint32_t *)(void *)(
					 r->s->data + (r->at & (r->size - 1))),
				 memory_order_relaxed);
	if (n == 0 || n > r->size / 4 || n > cap ||
	    occupied(n) > r->other - r->at)
		return -1;
	copy_out(r, r->at + HEAD, buf, n);
	r->at += occupied(n);
	return n;
}

void ring_release(struct ring *r)
{
	if (r->edge == r->at)
		return;
	atomic_store_explicit(&r->s->tail, r->at, memory_order_release);
	r->edge = r->at;
	ring_wake(&r->s->writer_sleeps);
}

void ring_rewind(struct ring *r)
{
	r->at = r->edge;
	/* What was believed of the writer stays true. */
}

void ring_discard(struct ring *r)
{
	uint64_t head = atomic_load_explicit(&r->s->head, memory_order_acquire);

	/* A head that makes no sense is put back by the successor, to our
	 * position. */
	if (head % ALIGN != 0 || head - r->edge > r->size)
		head = r->edge;
	r->at = r->other = head;
	ring_release(r);
}

bool ring_wait(struct ring *r, int timeout_ms)
{
	/* A broken ring is something, too: ring_get says so. */
	if (r->at != r->other || !look(r) || r->at != r->other)
		return true;
	ring_drowse(&r->s->reader_sleeps);
	if (!look(r) || r->at != r->other)
		ring_awake(&r->s->reader_sleeps);
	else
		ring_sleep(&r->s->reader_sleeps, timeout_ms);
	return !look(r) || r->at != r->other;
}
