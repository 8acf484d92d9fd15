/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of counters, which outlive everything: one for each guest, and the two
 * of the ledger, which the scribe keeps (journal.h).
 *
 * The first page of a guest's is not given to those who write the counters: it says
 * how often a daemon has begun with them. The same number is kept beside them,
 * in another file. Where the two differ one is an old copy, and what was used
 * since it was made is not known; where the counters are gone, nothing else
 * would say that there were any, and every budget would begin anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/daemon/journal.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/parent.h"

#define PATH_TEXT    (CONF_PATH + 80)
#define PAGE	     4096 /* the first one */
#define LEDGER_STATE "ledger-%d" /* no guest's files are called so */

struct paths {
	char state[PATH_TEXT], begun[PATH_TEXT];
};

static void guest_paths(struct paths *to, const struct parent *p, size_t i)
{
	snprintf(to->state, PATH_TEXT, "%s/%s.state", p->conf->state,
		 p->share[i].name);
	snprintf(to->begun, PATH_TEXT, "%s/%s.begun", p->conf->state,
		 p->share[i].name);
}

static void ledger_path(char path[PATH_TEXT], const struct parent *p, int i)
{
	snprintf(path, PATH_TEXT, "%s/" LEDGER_STATE, p->conf->state, i);
}

/* --- the number of beginnings ---------------------------------------------- */

static int sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

static int read_begun(int fd, uint64_t *n)
{
	char text[24] = "", *end;

	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return -1;
	*n = strtoull(text, &end, 10);
	if (text[0] && strcmp(end, "\n") != 0)
		*n = UINT64_MAX; /* of no state */
	return 0;
}

static int write_begun(int fd, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu\n",
			   (unsigned long long)n);

	return pwrite(fd, text, (size_t)len, 0) == len &&
			       ftruncate(fd, len) == 0
		       ? fsync(fd)
		       : -1;
}

/* Engines bring what they began to the disk before they judge by it. So an old
 * file that holds nothing lost what it held, and nothing reads as unused: any
 * other word there makes it damaged, and all budgets used up. */
static void mistrust(struct area *state, bool all)
{
	uint64_t *head = (uint64_t *)(void *)(state->p + PAGE);

	if (all || *head == 0)
		*head = UINT64_MAX;
}

/* On the disk before anything is counted, the page of the counters last: who
 * is cut off in between finds two numbers. */
static int begin(const struct parent *p, const char *path, struct area *state,
		 bool *fresh, bool *restarted, struct err *e)
{
	const int how = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	uint64_t n = 0, *word = (uint64_t *)(void *)state->p;
	uint8_t boot[16], *of_boot = (uint8_t *)(word + 1);
	int fd = live_boot(boot, e) < 0
			 ? -1
			 : open(path, how | O_CREAT | O_EXCL, 0600);

	if (fd < 0 && errno == EEXIST) {
		*fresh = false;
		fd = open(path, how);
	}
	if (fd < 0 || read_begun(fd, &n) < 0)
		goto sys;
	if (!*fresh && n != *word)
		log_warn(p->log, "%s: another number than with its counters: "
			 "one of them is an old copy", path);
	if (!*fresh)
		mistrust(state, n != *word);
	n = n < UINT64_MAX - 1 ? n + 1 : 1;
	if (write_begun(fd, n) < 0 || sync_directory(p->conf->state) < 0)
		goto sys;
	*word = n;
	*restarted = !*fresh && memcmp(of_boot, boot, sizeof(boot)) != 0;
	memcpy(of_boot, boot, sizeof(boot));
	if (msync(state->p, state->n, MS_SYNC) < 0)
		goto sys;
	close(fd);
	return 0;
sys:
	err_sys(e, "%s", path);
	if (fd >= 0)
		close(fd);
	return E_IO;
}

/* --- mapping --------------------------------------------------------------- */

static int map(const struct parent *p, const struct paths *at, size_t octets,
	       struct area *state, bool *fresh, bool *restarted, struct err *e)
{
	int rc = area_file(state, at->state, PAGE + octets, fresh, e);

	return rc < 0 ? rc
		      : begin(p, at->begun, state, fresh, restarted, e);
}

void *setup_counters(const struct area *state, size_t *octets)
{
	*octets = state->n - PAGE;
	return state->p + PAGE;
}

int setup_guest_state(struct parent *p, size_t i, size_t octets, struct err *e)
{
	struct guest *g = &p->guest[i];
	struct paths at;
	int rc;

	guest_paths(&at, p, i);
	rc = map(p, &at, octets, &g->state, &g->new_state,
		 &p->share[i].restarted, e);
	if (rc == 0)
		p->share[i].state = setup_counters(&g->state,
						   &p->share[i].state_octets);
	return rc;
}

/* --- the ledger ------------------------------------------------------------ */

int setup_ledger(struct parent *p, size_t octets, struct err *e)
{
	const int how = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct journal_io io = journal_files(p->ledger_fd);
	char path[PATH_TEXT];
	struct stat st;
	size_t was;

	p->new_ledger = true;
	for (int i = 0; i < JOURNAL_FILES; i++) {
		ledger_path(path, p, i);
		p->ledger_fd[i] = open(path, how, 0600);
		if (p->ledger_fd[i] < 0 || fstat(p->ledger_fd[i], &st) < 0)
			return err_sys(e, "%s", path);
		if (!S_ISREG(st.st_mode))
			return err_set(e, E_STATE, 0, "%s: not a file", path);
		p->new_ledger = p->new_ledger && st.st_size == 0;
	}
	if (sync_directory(p->conf->state) < 0)
		return err_sys(e, "%s", p->conf->state);
	was = journal_octets(&io);
	return area_new(&p->ledger, "ledger", was > octets ? was : octets, e);
}

static void forget(const struct paths *at)
{
	unlink(at->state);
	unlink(at->begun);
}

void setup_forget_states(const struct parent *p)
{
	struct paths at;

	for (size_t i = 0; i < p->n_guests; i++) {
		guest_paths(&at, p, i);
		if (p->guest[i].new_state)
			forget(&at);
	}
	for (int i = 0; p->new_ledger && i < JOURNAL_FILES; i++) {
		char path[PATH_TEXT];

		ledger_path(path, p, i);
		unlink(path);
	}
}
