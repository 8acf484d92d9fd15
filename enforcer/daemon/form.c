/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/form.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "enforcer/daemon/nfq.h"

#define SLOT_LONG (FORM_SHORTS + 1)
#define SLOT_UPTO (FORM_SHORTS + 2)

union slot {
	struct msghdr m;
	uint8_t octets[FORM_SLOT];
};

struct form_page {
	union slot slot[FORM_SLOTS]; /* slot k: k short ones */
	struct iovec brief[FORM_SHORTS][2], more[2], upto[2];
	uint8_t brief_head[FORM_HEAD], more_head[FORM_HEAD],
		upto_head[FORM_HEAD];
};
_Static_assert(sizeof(union slot) == FORM_SLOT, "a header in a slot");
_Static_assert(SLOT_UPTO < FORM_SLOTS, "room for all slots");
_Static_assert(2 * FORM_SHORTS <= 1024, "pieces of one call (UIO_MAXIOV)");

#define ALIGNED	  (FORM_SLOT * FORM_SLOTS)
#define PAGE_ROOM (2 * ALIGNED)
_Static_assert(sizeof(struct form_page) <= PAGE_ROOM, "room for all pages");

/* An attribute that the kernel skips fills what a message leaves over. */
#define FILLER 4

static void fill(uint8_t *at, size_t n)
{
	if (n < FILLER)
		return;
	memset(at, 0, n);
	memcpy(at, &(uint16_t){(uint16_t)n}, 2);
}

static void pieces(struct iovec v[2], uint8_t head[FORM_HEAD],
		   const struct wbuf *message, uint8_t *body)
{
	memcpy(head, message->p, FORM_HEAD);
	v[0] = (struct iovec){head, FORM_HEAD};
	v[1] = (struct iovec){body, message->n - FORM_HEAD};
}

/* Heads are those of messages of that length; nfq.c knows how they look. */
static void write_page(struct form *f, uint16_t queue)
{
	static const uint8_t packet[FORM_LONG - FORM_SHORT - FILLER];
	uint8_t buf[FORM_LONG];
	struct form_page *p = f->page;
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	uint32_t mark = 0;

	nfq_put_verdict(&w, queue, 0, NFQ_DROP, &mark, (struct span){0});
	assert(w.n == FORM_SHORT);
	for (size_t i = 0; i < FORM_SHORTS; i++)
		pieces(p->brief[i], p->brief_head, &w, f->brief[i]);
	for (size_t k = 1; k <= FORM_SHORTS; k++)
		p->slot[k].m = (struct msghdr){.msg_iov = p->brief[0],
					       .msg_iovlen = 2 * k};
	w = wbuf_of(buf, sizeof(buf));
	nfq_put_verdict(&w, queue, 0, NFQ_DROP, &mark,
			span_of(packet, sizeof(packet)));
	assert(w.n == FORM_LONG);
	pieces(p->more, p->more_head, &w, f->more);
	p->slot[SLOT_LONG].m =
		(struct msghdr){.msg_iov = p->more, .msg_iovlen = 2};
	w = wbuf_of(buf, sizeof(buf));
	nfq_put_drop_upto(&w, queue, 0);
	assert(w.n == FORM_UPTO);
	pieces(p->upto, p->upto_head, &w, f->upto);
	p->slot[SLOT_UPTO].m =
		(struct msghdr){.msg_iov = p->upto, .msg_iovlen = 2};
}

int form_init(struct form *f, uint16_t queue, struct err *e)
{
	uint8_t *at = mmap(NULL, PAGE_ROOM + ALIGNED, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t off;

	*f = (struct form){0};
	if (at == MAP_FAILED)
		return err_sys(e, "memory for verdicts");
	off = (ALIGNED - (uintptr_t)at % ALIGNED) % ALIGNED;
	if (off)
		munmap(at, off);
	munmap(at + off + PAGE_ROOM, ALIGNED - off);
	f->page = (struct form_page *)(at + off);
	write_page(f, queue);
	if (mprotect(f->page, PAGE_ROOM, PROT_READ) < 0) {
		form_fini(f);
		return err_sys(e, "memory for verdicts");
	}
	return 0;
}

void form_fini(struct form *f)
{
	if (f->page)
		munmap(f->page, PAGE_ROOM);
	f->page = NULL;
}

const void *form_slots(const struct form *f)
{
	return f->page->slot;
}

/* The message's body, and what fills the form; false: it is of another. */
static bool put(uint8_t *to, size_t cap, struct span message)
{
	if (message.n < FORM_HEAD || message.n - FORM_HEAD > cap)
		return false;
	memcpy(to, message.p + FORM_HEAD, message.n - FORM_HEAD);
	fill(to + message.n - FORM_HEAD, cap - (message.n - FORM_HEAD));
	return true;
}

bool form_add(struct form *f, struct span message)
{
	if (f->n == FORM_SHORTS ||
	    !put(f->brief[f->n], sizeof(f->brief[0]), message))
		return false;
	f->n++;
	return true;
}

const struct msghdr *form_shorts(const struct form *f)
{
	return f->n ? &f->page->slot[f->n].m : NULL;
}

const struct msghdr *form_long(struct form *f, struct span message)
{
	return put(f->more, sizeof(f->more), message) ?
		       &f->page->slot[SLOT_LONG].m : NULL;
}

const struct msghdr *form_upto(struct form *f, struct span message)
{
	return message.n == FORM_UPTO &&
			       put(f->upto, sizeof(f->upto), message) ?
		       &f->page->slot[SLOT_UPTO].m : NULL;
}
