/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters in memory that outlives its writer: killed at every instruction,
 * opened after restarts, damaged, and handed to other sets.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy-lang/eval/housekit.h"

static const uint8_t boot_a[16] = {1}, boot_b[16] = {2};

/* --- memory -------------------------------------------------------------- */

static enum pol_state_was open_in(struct kit *k, void *mem, size_t n,
				  const uint8_t boot[16])
{
	enum pol_state_was was;

	pol_state_free(k->st);
	if (pol_state_in(&k->st, k->set, mem, n, boot, k->now, &was, &k->e))
		fail_msg("%s", k->e.text);
	return was;
}

struct used {
	uint64_t used[32], limit[32];
	char name[32][96];
	size_t n;
};

static bool note(void *arg, const struct pol_budget *b)
{
	struct used *u = arg;

	assert_true(u->n < 32);
	u->used[u->n] = b->used;
	u->limit[u->n] = b->limit;
	memcpy(u->name[u->n++], b->name, sizeof(b->name));
	return true;
}

static struct used used_now(const struct kit *k)
{
	struct used u = {.n = 0};

	pol_budgets(k->st, 0, k->now, note, &u);
	return u;
}

static uint64_t used_of(const struct used *u, const char *what)
{
	for (size_t i = 0; i < u->n; i++) {
		if (strstr(u->name[i], what))
			return u->used[i];
	}
	fail_msg("no limit %s", what);
	return 0;
}

#define CALENDAR_T "5 readings per day"
#define SLIDING_T  "6 readings per 24 h"
#define BUCKET_T   "burst 4"
#define SPACING_T  "10 min apart"
#define DISTINCT_T "distinct"

/* --- tests --------------------------------------------------------------- */

static void test_open(void **ctx)
{
	struct house h;
	struct kit k;
	struct used a, b;
	size_t n;
	void *mem;

	(void)ctx;
	house_fill(&h);
	house_start(&k, &h);
	n = pol_state_octets(k.set);
	mem = calloc(1, n);
	assert_int_equal(open_in(&k, mem, n, boot_a), POL_STATE_NEW);
	assert_true(house_reading(&k, 1, 23));
	kit_wait(&k, MIN(11));
	assert_true(house_reading(&k, 2, 24));
	a = used_now(&k);
	assert_int_equal(used_of(&a, CALENDAR_T), 2);
	assert_int_equal(used_of(&a, SLIDING_T), 2);
	assert_int_equal(used_of(&a, BUCKET_T), 2);
	assert_int_equal(used_of(&a, SPACING_T), 1);
	assert_int_equal(used_of(&a, DISTINCT_T), 2);
	used_of(&a, "v/send: 5 readings per day");
	assert_int_equal(open_in(&k, mem, n, boot_a), POL_STATE_CONTINUED);
	b = used_now(&k);
	assert_memory_equal(a.used, b.used, sizeof(a.used));
	assert_false(house_reading(&k, 3, 23)); /* too soon, still */
	kit_wait(&k, MIN(11));
	assert_true(house_reading(&k, 4, 25));
	kit_wait(&k, MIN(11));
	assert_false(house_reading(&k, 5, 26)); /* a fourth table */
	kit_free(&k);
	free(mem);
}

/* The machine starts again: the stepless clock begins anew. */
static void test_boot(void **ctx)
{
	static const struct {
		const char *why;
		bool seal, trusted;
		int64_t off; /* time without power */
		enum pol_state_was was;
		uint64_t spacing, sliding; /* used afterwards */
		bool registered;
	} rows[] = {
		{"pages were lost", false, true, H(1), POL_STATE_DAMAGED, 1, 6,
		 false},
		{"an hour passed", true, true, H(1), POL_STATE_CONTINUED, 0, 1,
		 true},
		{"a minute passed", true, true, MIN(1), POL_STATE_CONTINUED, 1,
		 1, true},
		{"two days passed", true, true, H(50), POL_STATE_CONTINUED, 0,
		 0, false},
		{"who knows how long", true, false, H(50),
		 POL_STATE_CONTINUED, 1, 1, false},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct house h;
		struct kit k;
		struct used u;
		size_t n;
		void *mem;

		house_fill(&h);
		house_start(&k, &h);
		n = pol_state_octets(k.set);
		mem = calloc(1, n);
		open_in(&k, mem, n, boot_a);
		assert_true(house_reading(&k, 1, 23));
		if (rows[i].seal)
			pol_state_seal(k.st);
		k.now.mono.ns = S(3);
		k.now.wall.us += rows[i].off / 1000;
		k.now.wall.trusted = rows[i].trusted;
		if (open_in(&k, mem, n, boot_b) != rows[i].was)
			fail_msg("%s", rows[i].why);
		u = used_now(&k);
		if (used_of(&u, SPACING_T) != rows[i].spacing ||
		    used_of(&u, SLIDING_T) != rows[i].sliding ||
		    st_has(k.st, 0, 0, 1, 0) != rows[i].registered)
			fail_msg("%s: %d %d %d", rows[i].why,
				 (int)used_of(&u, SPACING_T),
				 (int)used_of(&u, SLIDING_T),
				 st_has(k.st, 0, 0, 1, 0));
		kit_free(&k);
		free(mem);
	}
}

/* How long it still lasts does not depend on the clock's beginning. */
static void test_quarantine_left(void **ctx)
{
	struct house h;
	struct kit k;
	size_t n;
	void *mem;

	(void)ctx;
	house_fill(&h);
	house_start(&k, &h);
	n = pol_state_octets(k.set);
	mem = calloc(1, n);
	open_in(&k, mem, n, boot_a);
	kit_wait(&k, D(1));
	assert_true(house_reading(&k, 1, 23));
	st_quarantine(k.st, 0, H(2));
	assert_int_equal(pol_quarantined(k.st, 0, k.now), H(2));
	pol_state_seal(k.st);
	k.now.mono.ns = S(3);
	k.now.wall.us += MIN(30) / 1000;
	assert_int_equal(open_in(&k, mem, n, boot_b), POL_STATE_CONTINUED);
	assert_int_equal(pol_quarantined(k.st, 0, k.now), MIN(90));
	kit_wait(&k, MIN(90));
	assert_int_equal(pol_quarantined(k.st, 0, k.now), 0);
	assert_true(house_reading(&k, 2, 23));
	kit_free(&k);
	free(mem);
}

/* Somebody else wrote here. */
static void test_damaged(void **ctx)
{
	enum { HEAD, LIVE, WORD, MINUTES_BACK };
	static const struct {
		const char *why;
		uint8_t part;
		size_t at; /* octet of the part; of words: a counter's word */
		uint64_t v;
		const char *limit;
	} rows[] = {
		{"magic", HEAD, offsetof(struct mem_head, magic), 7, NULL},
		{"octets", HEAD, offsetof(struct mem_head, octets), 64, NULL},
		{"key", HEAD, offsetof(struct mem_head, key), 7, NULL},
		{"counts", HEAD, offsetof(struct mem_head, n_w), 7, NULL},
		{"offset", HEAD, offsetof(struct mem_head, offset),
		 UINT64_C(1) << 62, NULL},
		{"written later than now", LIVE,
		 offsetof(struct mem_live, time), (uint64_t)D(2000), NULL},
		{"undo log too long", LIVE, offsetof(struct mem_live, n_undo),
		 UNDO_MAX + 1, NULL},
		{"no next id", LIVE, offsetof(struct mem_live, next_id), 0,
		 NULL},
		{"the clock's highest", LIVE,
		 offsetof(struct mem_live, wall_max_s), UINT64_C(1) << 60,
		 NULL},
		{"more used than there is", WORD, 1, 6, CALENDAR_T},
		{"no such day", WORD, 0, 5, CALENDAR_T},
		{"entered in the future", WORD, 2, (uint64_t)D(2000),
		 CALENDAR_T},
		{"a window of the future", WORD, 0, UINT64_C(1) << 50,
		 SLIDING_T},
		{"parts above the limit", WORD, 5, 7, SLIDING_T},
		{"further ahead than the burst", WORD, 0, (uint64_t)D(2000),
		 BUCKET_T},
		{"the last was tomorrow", WORD, 0, (uint64_t)D(2000),
		 SPACING_T},
		{"seen tomorrow", WORD, 4, (uint64_t)D(2000), DISTINCT_T},
		{"the clock went back", MINUTES_BACK, 0, 5, NULL},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct house h;
		struct kit k;
		struct mem_head counts;
		struct used u;
		struct mem m;
		uint8_t *mem, *at;
		size_t n;

		house_fill(&h);
		house_start(&k, &h);
		n = pol_state_octets(k.set);
		mem = calloc(1, n);
		open_in(&k, mem, n, boot_a);
		assert_true(house_reading(&k, 1, 23));
		mem_counts(k.set, &counts);
		mem_place(&m, mem, &counts);
		at = rows[i].part == LIVE ? (uint8_t *)m.live : mem;
		for (uint32_t l = 0; rows[i].limit && l < counts.n_limit; l++) {
			struct span name = k.set->limit[l].name;

			if (memmem(name.p, name.n, rows[i].limit,
				   strlen(rows[i].limit)))
				at = (uint8_t *)(m.w + m.limit[l].base +
						 rows[i].at);
		}
		if (rows[i].part != WORD)
			at += rows[i].at;
		if (rows[i].part == MINUTES_BACK)
			kit_wait(&k, -MIN((int64_t)rows[i].v));
		else
			memcpy(at, &rows[i].v, sizeof(rows[i].v));
		if (open_in(&k, mem, n, boot_a) != POL_STATE_DAMAGED)
			fail_msg("%s", rows[i].why);
		u = used_now(&k);
		for (size_t l = 0; l < u.n; l++) {
			if (u.used[l] < u.limit[l] &&
			    !strstr(u.name[l], "at once"))
				fail_msg("%s: %s: %d of %d", rows[i].why,
					 u.name[l], (int)u.used[l],
					 (int)u.limit[l]);
		}
		assert_false(house_reading(&k, 2, 23));
		/* And all of it ends with the windows. */
		kit_wait(&k, H(49));
		assert_true(house_reading(&k, 3, 23));
		kit_free(&k);
		free(mem);
	}
}

/* --- killed at every instruction ----------------------------------------- */

/* What an engine does, one thing after the other. */
enum act { ASK, ASK_BACK, READ, READ_BACK, TWICE_BACK, REFUSED, PACKET,
	PACKET_BACK, OPEN, OPEN_BACK, CLOSE };

static const struct step {
	enum act act;
	int64_t wait;
	uint64_t table;
	bool untrusted;
} steps[] = {
	{ASK_BACK, 0, 23, false},
	{ASK, 0, 23, false},
	{ASK_BACK, 0, 23, false},
	{READ_BACK, MIN(1), 23, false},
	{READ, 0, 23, false},
	{ASK, MIN(20), 24, false},
	{TWICE_BACK, 0, 24, false},
	{READ, 0, 24, false},
	{REFUSED, 0, 99, false},
	{PACKET, 0, 0, false},
	{PACKET_BACK, 0, 0, false},
	{OPEN, 0, 0, false},
	{OPEN_BACK, 0, 0, false},
	{CLOSE, 0, 0, false},
	{ASK, MIN(30), 25, false},
	{READ, 0, 25, true},
	{ASK, H(25), 26, false},
	{READ_BACK, 0, 26, false},
	{READ, 0, 26, false},
	{PACKET, H(49), 0, true},
	{ASK, 0, 27, true},
	{READ, 0, 27, true},
};
#define STEPS (sizeof(steps) / sizeof(*steps))

static void packet(struct kit *k, struct pol_decision *d)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);

	assert_true(pol_packet(k->st, 0, DIR_OUT, &m.peer, 340, k->now, d));
}

static void connection(struct kit *k, uint64_t flow, struct pol_decision *d)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);

	pol_open(k->st, 0, DIR_OUT, &m.peer, flow, k->now, d);
	assert_true(d->permit);
}

/* Requests that are taken back have numbers of their own. */
static uint64_t inv_of(size_t i)
{
	return steps[i].act == ASK_BACK ? 100 + i : steps[i].table;
}

static void asked(struct kit *k, size_t i, struct pol_decision *d)
{
	struct pol_msg m = kit_msg(k, DIR_IN, OBS_C1222_READ_REQUEST);

	obs_u64(&k->leaf[0], F_TABLE, steps[i].table);
	obs_u64(&k->carrier, F_CALLING_INV, inv_of(i));
	pol_judge(k->st, &m, d);
}

static void sent(struct kit *k, size_t i, struct pol_decision *d)
{
	struct pol_msg m = house_answer(k, inv_of(i), steps[i].table);

	pol_judge(k->st, &m, d);
}

static void act(struct kit *k, size_t i)
{
	static struct pol_decision d;
	const struct step *s = &steps[i];
	bool back = s->act == ASK_BACK || s->act == READ_BACK ||
		    s->act == TWICE_BACK || s->act == PACKET_BACK ||
		    s->act == OPEN_BACK;

	switch (s->act) {
	case ASK:
	case ASK_BACK:
		asked(k, i, &d);
		break;
	case READ:
	case READ_BACK:
	case REFUSED:
		sent(k, i, &d);
		break;
	case TWICE_BACK:
		sent(k, i, &d);
		assert_true(d.permit);
		sent(k, i, &d);
		assert_false(d.permit);
		break;
	case PACKET:
	case PACKET_BACK:
		packet(k, &d);
		break;
	case OPEN:
	case OPEN_BACK:
		connection(k, i, &d);
		break;
	case CLOSE:
		pol_close(k->st, 0, i - 2, k->now);
		break;
	}
	if (s->act != CLOSE && s->act != TWICE_BACK)
		assert_int_equal(d.permit, s->act != REFUSED);
	if (back)
		pol_abort(k->st);
	else
		pol_commit(k->st);
}

static void to_step(struct kit *k, size_t i)
{
	kit_wait(k, steps[i].wait);
	k->now.wall.trusted = !steps[i].untrusted;
}

struct watched {
	volatile uint32_t done; /* steps, written by the engine */
};

static _Noreturn void engine(struct kit *k, struct watched *w)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (size_t i = 0; i < STEPS; i++) {
		to_step(k, i);
		act(k, i);
		w->done = (uint32_t)i + 1;
	}
	_exit(0);
}

/* Sums of sliding windows are those of their parts, or budget that is free
 * again would never be seen to be. */
static void sums_right(const struct pol_state *st, size_t i)
{
	for (uint32_t l = 0; l < st->mem.head->n_limit; l++) {
		const struct mem_limit *lim = &st->mem.limit[l];
		uint64_t n = mem_limit_count(st->mem.head, lim);

		for (uint64_t k = 0; lim->l.kind == LIMIT_SLIDING && k < n;
		     k++) {
			const uint64_t *w = st->w + lim->base + k * lim->words;
			uint64_t sum = 0;

			for (uint32_t p = 3; p < lim->words; p++)
				sum += (w[p] & UINT32_MAX) + (w[p] >> 32);
			if (sum != w[1])
				fail_msg("step %zu: sum", i);
		}
	}
}

/* An engine that was killed in step i and left mem: what its successor finds.
 * least: what was released before. */
static void succeed(struct kit *k, const void *mem, void *copy, size_t n,
		    size_t i, const struct used *least, bool registered)
{
	struct pol_state *was = k->st;
	struct pol_decision d;
	struct mem m;
	struct mem_head h;
	struct used u;
	bool open;

	mem_counts(k->set, &h);
	memcpy(copy, mem, n);
	mem_place(&m, copy, &h);
	open = m.live->n_undo > 0;
	k->st = NULL;
	if (open_in(k, copy, n, boot_a) != POL_STATE_CONTINUED)
		fail_msg("step %zu: damaged", i);
	sums_right(k->st, i);
	u = used_now(k);
	for (size_t l = 0; l < u.n; l++) {
		bool gone = strstr(u.name[l], "at once") != NULL;

		if (u.used[l] > u.limit[l] ||
		    (!gone && u.used[l] < least->used[l]))
			fail_msg("step %zu: %s: %d of %d, was %d", i, u.name[l],
				 (int)u.used[l], (int)u.limit[l],
				 (int)least->used[l]);
	}
	/* What a request gives it gives when it was released. */
	if ((open && steps[i].act == ASK) || steps[i].act == ASK_BACK) {
		if (st_has(k->st, 0, 0, 1, 0) != registered)
			fail_msg("step %zu: state", i);
		sent(k, i, &d);
		assert_false(d.permit);
		assert_true(reasons_has(&d.reasons, REASON_NOT_AN_ANSWER));
	}
	pol_state_free(k->st);
	k->st = was;
}

/* What a step starts from. */
static void before(struct kit *k, const void *mem, void *copy, size_t n,
		   struct used *least, bool *registered)
{
	struct pol_state *was = k->st;

	memcpy(copy, mem, n);
	k->st = NULL;
	open_in(k, copy, n, boot_a);
	*least = used_now(k);
	*registered = st_has(k->st, 0, 0, 1, 0);
	pol_state_free(k->st);
	k->st = was;
}

static bool step_on(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) ||
	    waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return WIFSTOPPED(status);
}

static void test_killed(void **ctx)
{
	struct house h;
	struct kit k;
	struct watched *w;
	struct used least;
	struct mem m;
	struct mem_head counts;
	size_t n, head, at = 0;
	unsigned long stores = 0, instructions = 0;
	uint8_t *mem, *copy, *seen;
	bool registered;
	pid_t pid;
	int status;

	(void)ctx;
	house_fill(&h);
	house_start(&k, &h);
	n = pol_state_octets(k.set);
	mem = mmap(NULL, n + sizeof(*w), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(mem != MAP_FAILED);
	copy = malloc(n);
	seen = malloc(n);
	w = (struct watched *)(void *)(mem + n);
	open_in(&k, mem, n, boot_a);
	mem_counts(k.set, &counts);
	mem_place(&m, mem, &counts);
	head = (size_t)((uint8_t *)m.undo - mem);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		engine(&k, w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSTOPPED(status)) {
		printf("SKIP: no ptrace here\n");
		skip();
	}
	to_step(&k, 0);
	before(&k, mem, copy, n, &least, &registered);
	memcpy(seen, mem, head);
	while (step_on(pid)) {
		instructions++;
		if (memcmp(seen, mem, head)) {
			succeed(&k, mem, copy, n, at, &least, registered);
			memcpy(seen, mem, head);
			stores++;
		}
		if (w->done > at && ++at < STEPS) {
			to_step(&k, at);
			before(&k, mem, copy, n, &least, &registered);
		}
	}
	printf("%lu stores in %lu instructions\n", stores, instructions);
	assert_int_equal(at, STEPS);
	assert_true(stores > 400);
	munmap(mem, n + sizeof(*w));
	free(copy);
	free(seen);
	kit_free(&k);
}

/* --- what people are told ----------------------------------------------- */

struct listed {
	char lines[32][160];
	size_t n;
};

static bool list(void *arg, const struct pol_budget *b)
{
	struct listed *l = arg;

	assert_true(l->n < 32);
	snprintf(l->lines[l->n++], sizeof(l->lines[0]), "%s|%.*s", b->name,
		 (int)b->party.n, b->party.n ? (const char *)b->party.p : "");
	return true;
}

static size_t lines_of(const struct listed *l, const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += strstr(l->lines[i], what) != NULL;
	return n;
}

/* Two parties: what is the rule's of one is told of that one only. */
static void test_parties(void **state)
{
	static const struct {
		const char *what, *why;
		size_t n;
	} rows[] = {
		{"send: 5 readings per day|headend", "whom the rule names", 1},
		{"send: 5 readings per day|", "and nobody else", 1},
		{"send: at least 10 min apart|", "whatever its kind", 1},
		{"bytes: 4 kB per day|headend", "for each: the one", 1},
		{"bytes: 4 kB per day|other", "and the other", 1},
		{"bytes: 4 kB per day|", "and no more", 2},
		{"opened: 20 connections per 1 h|", "for all together", 1},
	};
	struct listed l = {.n = 0};
	struct house h;
	struct kit k;

	(void)state;
	house_fill(&h);
	house_start(&k, &h);
	assert_int_equal(pol_state_new(&k.st, k.set, &k.e), 0);
	pol_budgets(k.st, 0, k.now, list, &l);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (lines_of(&l, rows[i].what) != rows[i].n)
			fail_msg("%s: %s", rows[i].why, rows[i].what);
	}
	kit_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_quarantine_left),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_parties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
