/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts of fixed form: what leaves is what nfq.c wrote, filled up; and a
 * process in the gate's sandbox can send nothing else by that descriptor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/form.h"
#include "enforcer/daemon/may_run.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/daemon/sandbox.h"

#define QUEUE 77
#define UID   64124

struct scene {
	struct form *f;
	int ours, theirs;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	int pair[2];

	assert_non_null(s);
	s->f = malloc(sizeof(*s->f));
	assert_non_null(s->f);
	assert_int_equal(form_init(s->f, QUEUE, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				    pair),
			 0);
	s->ours = pair[0];
	s->theirs = pair[1];
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	close(s->ours);
	close(s->theirs);
	form_fini(s->f);
	free(s->f);
	free(s);
	return 0;
}

static struct wbuf verdict(uint8_t buf[FORM_LONG], uint32_t id, bool marked,
			   size_t packet)
{
	static uint8_t octets[FORM_LONG];
	struct wbuf w = wbuf_of(buf, FORM_LONG);
	uint32_t mark = 0x0a500000 + id;

	memset(octets, 'p', sizeof(octets));
	nfq_put_verdict(&w, QUEUE, id, NFQ_ACCEPT, marked ? &mark : NULL,
			span_of(octets, packet));
	return w;
}

/* One message of a datagram begins with want, has the length of its form, and
 * what is behind is one attribute of type 0 or nothing. */
static void is_filled(const uint8_t *got, size_t form, const struct wbuf *want)
{
	uint32_t len;
	uint16_t attr[2];

	memcpy(&len, got, 4);
	assert_int_equal(len, form);
	assert_memory_equal(got + 4, want->p + 4, want->n - 4);
	if (want->n == form)
		return;
	memcpy(attr, got + want->n, sizeof(attr));
	assert_int_equal(attr[0], form - want->n);
	assert_int_equal(attr[1], 0);
	for (size_t i = want->n + 4; i < form; i++)
		assert_int_equal(got[i], 0);
}

static void short_ones_gather(void **state)
{
	static const uint32_t counts[] = {1, 2, 7, FORM_SHORTS};
	static uint8_t got[FORM_SHORTS * FORM_SHORT + 1];
	struct scene *s = *state;
	uint8_t buf[FORM_LONG];

	assert_null(form_shorts(s->f));
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		for (uint32_t i = 0; i < counts[k]; i++) {
			struct wbuf w = verdict(buf, i + 1, i % 3, 0);

			assert_true(form_add(s->f, wbuf_span(&w)));
		}
		assert_int_equal(sendmsg(s->ours, form_shorts(s->f), 0),
				 counts[k] * FORM_SHORT);
		assert_int_equal(recv(s->theirs, got, sizeof(got), 0),
				 counts[k] * FORM_SHORT);
		for (uint32_t i = 0; i < counts[k]; i++) {
			struct wbuf w = verdict(buf, i + 1, i % 3, 0);

			is_filled(got + i * FORM_SHORT, FORM_SHORT, &w);
		}
		if (counts[k] == FORM_SHORTS)
			assert_false(form_add(s->f, span_of(buf, FORM_SHORT)));
		s->f->n = 0;
	}
}

static void others_go_alone(void **state)
{
	/* What is left over is no room for an attribute, or just enough. */
	static const size_t packets[] = {1, 40, 60, 204, 205, 208, 209, 212};
	struct scene *s = *state;
	uint8_t buf[FORM_LONG], got[FORM_LONG + 1];
	struct wbuf w;

	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		w = verdict(buf, 5, true, packets[i]);
		assert_false(form_add(s->f, wbuf_span(&w)));
		assert_int_equal(
			sendmsg(s->ours, form_long(s->f, wbuf_span(&w)), 0),
			FORM_LONG);
		assert_int_equal(recv(s->theirs, got, sizeof(got), 0),
				 FORM_LONG);
		is_filled(got, FORM_LONG, &w);
	}
	assert_null(form_long(s->f, span_of(got, FORM_LONG + 1)));
	assert_null(form_upto(s->f, span_of(got, FORM_SHORT)));
	w = wbuf_of(buf, sizeof(buf));
	nfq_put_drop_upto(&w, QUEUE, 9);
	assert_int_equal(sendmsg(s->ours, form_upto(s->f, wbuf_span(&w)), 0),
			 FORM_UPTO);
	assert_int_equal(recv(s->theirs, got, sizeof(got), 0), FORM_UPTO);
	is_filled(got, FORM_UPTO, &w);
}

/* --- in the gate's sandbox ------------------------------------------------ */

static const void *slot(const struct scene *s, size_t k)
{
	return (const uint8_t *)form_slots(s->f) + k * FORM_SLOT;
}

static void add_one(struct scene *s)
{
	uint8_t buf[FORM_LONG];
	struct wbuf w = verdict(buf, 1, false, 0);

	if (!form_add(s->f, wbuf_span(&w)))
		_exit(3);
}

static bool by_form(struct scene *s)
{
	add_one(s);
	return sendmsg(s->ours, form_shorts(s->f), 0) == FORM_SHORT;
}

static bool by_an_empty_slot(struct scene *s)
{
	return sendmsg(s->ours, slot(s, 0), 0) <= 0 &&
	       sendmsg(s->ours, slot(s, FORM_SLOTS - 1), 0) <= 0;
}

static struct msghdr own(void)
{
	static uint8_t octets[FORM_SHORT];
	static struct iovec v = {octets, sizeof(octets)};

	return (struct msghdr){.msg_iov = &v, .msg_iovlen = 1};
}

static bool by_own_header(struct scene *s)
{
	struct msghdr m = own();

	return sendmsg(s->ours, &m, 0) > 0;
}

static bool between_slots(struct scene *s)
{
	return syscall(SYS_sendmsg, s->ours, (const uint8_t *)slot(s, 1) + 8,
		       0) != 0;
}

static bool before_slots(struct scene *s)
{
	return syscall(SYS_sendmsg, s->ours, slot(s, 0) - FORM_SLOT, 0) != 0;
}

static bool behind_slots(struct scene *s)
{
	return syscall(SYS_sendmsg, s->ours, slot(s, FORM_SLOTS), 0) != 0;
}

static bool with_flags(struct scene *s)
{
	add_one(s);
	return sendmsg(s->ours, form_shorts(s->f), MSG_OOB) != 0;
}

static bool by_send(struct scene *s)
{
	return send(s->ours, "", 1, 0) == 1;
}

static bool by_sendmmsg(struct scene *s)
{
	struct mmsghdr m = {.msg_hdr = own()};

	return sendmmsg(s->ours, &m, 1, 0) == 1;
}

static bool by_write(struct scene *s)
{
	return write(s->ours, "", 1) == 1;
}

static bool made_writable(struct scene *s)
{
	void *at = (void *)(uintptr_t)slot(s, 0);

	return mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0;
}

static bool unmapped(struct scene *s)
{
	return munmap((void *)(uintptr_t)slot(s, 0), 4096) == 0;
}

static bool mapped_over(struct scene *s)
{
	return mmap((void *)(uintptr_t)slot(s, 0), 4096,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

static bool moved(struct scene *s)
{
	return mremap((void *)(uintptr_t)slot(s, 0), 4096, 4096,
		      MREMAP_MAYMOVE) != MAP_FAILED;
}

static bool emptied(struct scene *s)
{
	return madvise((void *)(uintptr_t)slot(s, 0), 4096, MADV_DONTNEED) ==
	       0;
}

static bool written(struct scene *s)
{
	*(volatile uint8_t *)(uintptr_t)slot(s, 1) = 1;
	return true;
}

static const struct {
	const char *why;
	bool (*f)(struct scene *s);
	int signal; /* that ends it; 0: it works */
} tries[] = {
	{"a verdict",				by_form,	  0	  },
	{"slots in which nothing is",		by_an_empty_slot, 0	  },
	{"by a header of its own",		by_own_header,	  SIGSYS },
	{"by what stands between two headers",	between_slots,	  SIGSYS },
	{"by what stands before the first",	before_slots,	  SIGSYS },
	{"by what stands behind the last",	behind_slots,	  SIGSYS },
	{"with flags",				with_flags,	  SIGSYS },
	{"without a header",			by_send,	  SIGSYS },
	{"many at once",			by_sendmmsg,	  SIGSYS },
	{"as to a file",			by_write,	  SIGSYS },
	{"heads made writable",			made_writable,	  SIGSYS },
	{"heads taken away",			unmapped,	  SIGSYS },
	{"others mapped in their place",	mapped_over,	  SIGSYS },
	{"heads moved",				moved,		  SIGSYS },
	{"heads emptied",			emptied,	  SIGSYS },
	{"heads written",			written,	  SIGSEGV},
};

static void verdicts_and_nothing_else(void **state)
{
	struct scene *s = *state;

	if (!may_run()) {
		print_message("SKIP: needs root and no sanitizer\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int status, how;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sandbox_conf c = {.uid = UID,
						 .gid = UID,
						 .fds = &s->ours,
						 .n_fds = 1,
						 .form_fd = s->ours,
						 .form = form_slots(s->f),
						 .form_mask = FORM_MASK};

			signal(SIGSEGV, SIG_DFL); /* cmocka has it */
			if (sandbox_enter(SANDBOX_GATE, &c, NULL) < 0)
				_exit(2);
			_exit(tries[i].f(s) ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		how = WIFSIGNALED(status) ? WTERMSIG(status)
					  : -WEXITSTATUS(status);
		if (how != tries[i].signal)
			fail_msg("%s: %d", tries[i].why, how);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(short_ones_gather, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(others_go_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(verdicts_and_nothing_else,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
