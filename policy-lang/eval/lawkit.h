/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws as generated tests. A law is a function that makes a case by drawing
 * numbers and says whether the law held. Whatever it draws is kept, so that a
 * case that breaks the law can be cut down without knowing what it is made
 * of: draws are left out or made smaller as long as it still breaks, then it
 * is made once more and says what it is.
 *
 *   LAW_SEED=n    the first case (1): the one named when a law broke
 *   LAW_CASES=n   how many (10000; under sanitizers 400)
 *
 * The policy of a case is drawn from its seed / LAW_GROUP, so that it is
 * compiled once for several histories. A single case (LAW_CASES=1) is tried in
 * processes of its own: one that crashes is cut down as well.
 */
#ifndef POLICY_LANG_EVAL_LAWKIT_H
#define POLICY_LANG_EVAL_LAWKIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LAW_GROUP  16
#define LAW_DRAWS  8192
#define LAW_SHARES 20

#if defined(__SANITIZE_ADDRESS__)
#define LAW_FEWER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define LAW_FEWER 1
#endif
#endif
#ifdef LAW_FEWER
#define LAW_CASES 400
#else
#define LAW_CASES 10000
#endif

struct draws { /* 0 is always the simplest */
	uint64_t x;
	uint32_t v[LAW_DRAWS];
	size_t n, at;
	bool again; /* what stands in v, then zeros */
};

struct law {
	struct draws policy, history;
	bool same_policy; /* as in the case before: nothing need be drawn */
	bool tell;	  /* say what is made */
	bool skipped;	  /* no case: the policy was no policy */
	bool saw[LAW_SHARES];
	char why[600];
};

/* What a share of the cases must have seen, so that they are no trifles. */
struct law_share {
	const char *what;
	unsigned percent; /* at least; 0: at least one in 10,000 */
};

static inline uint32_t draw_next(struct draws *d)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return (uint32_t)(d->x >> 24);
}

/* 0 to n - 1, which is below 2^32. */
static inline uint64_t draw(struct draws *d, uint64_t n)
{
	uint64_t v = 0;

	if (d->again) {
		v = d->at < d->n ? d->v[d->at] % n : 0;
	} else {
		v = draw_next(d) % n;
		if (d->at < LAW_DRAWS)
			d->v[d->at] = (uint32_t)v;
	}
	d->at++;
	return v;
}

/* True in one case of n. */
static inline bool one_in(struct draws *d, uint64_t n)
{
	return draw(d, n) == n - 1;
}

static inline bool law_broken(struct law *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline bool law_broken(struct law *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	/* A case that is tried apart tells it itself. */
	if (l->tell)
		fprintf(stderr, "======== %s\n", l->why);
	return false;
}

static inline bool law_skip(struct law *l)
{
	l->skipped = true;
	return true;
}

static inline void law_tell(const struct law *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void law_tell(const struct law *l, const char *fmt, ...)
{
	va_list ap;

	if (!l->tell)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

typedef bool law_fn(struct law *l);

/* --- one case --------------------------------------------------------------- */

static inline void law_seed(struct draws *d, uint64_t seed)
{
	uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + 0x1234567;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	d->x = (z ^ z >> 31) | 1;
	d->again = false;
	d->at = d->n = 0;
}

static inline bool law_once(law_fn *law, struct law *l)
{
	if (!l->same_policy)
		l->policy.at = 0;
	l->history.at = 0;
	l->skipped = false;
	memset(l->saw, 0, sizeof(l->saw));
	return law(l);
}

/* A case that is made of what was drawn: does the law break? */
static inline bool law_breaks(law_fn *law, struct law *l, bool apart)
{
	int status;
	pid_t pid;

	l->same_policy = false;
	if (!apart)
		return !law_once(law, l);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (!l->tell && !freopen("/dev/null", "w", stderr))
			_exit(2);
		_exit(law_once(law, l) ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return !law_once(law, l);
	return status != 0;
}

/* --- smaller cases ---------------------------------------------------------- */

struct law_cut {
	law_fn *law;
	struct law *l;
	bool apart;
	unsigned left; /* how often it may still be tried */
};

static inline bool law_still(struct law_cut *c, struct draws *d,
			     const uint32_t *v, size_t n)
{
	static uint32_t was[LAW_DRAWS];
	size_t n_was = d->n;

	if (c->left == 0)
		return false;
	c->left--;
	memcpy(was, d->v, n_was * sizeof(*was));
	memcpy(d->v, v, n * sizeof(*v));
	d->n = n;
	if (law_breaks(c->law, c->l, c->apart))
		return true;
	memcpy(d->v, was, n_was * sizeof(*was));
	d->n = n_was;
	return false;
}

static inline bool law_leave_out(struct law_cut *c, struct draws *d)
{
	static const size_t lens[] = {256, 128, 64, 40, 32, 24, 20, 16, 14, 12,
				      11,  10,	9,  8,	7,  6,	5,  4,	3,  2,
				      1};
	static uint32_t v[LAW_DRAWS];
	bool some = false;

	for (size_t k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
		size_t len = lens[k];

		for (size_t i = 0; i + len <= d->n;) {
			memcpy(v, d->v, i * sizeof(*v));
			memcpy(v + i, d->v + i + len,
			       (d->n - i - len) * sizeof(*v));
			if (law_still(c, d, v, d->n - len))
				some = true;
			else
				i += len > 40 ? len / 2 : 1;
		}
	}
	return some;
}

/* What comes late is often of no account. */
static inline void law_halve(struct law_cut *c, struct draws *d)
{
	static uint32_t v[LAW_DRAWS];

	do
		memcpy(v, d->v, d->n * sizeof(*v));
	while (d->n > 1 && law_still(c, d, v, d->n / 2));
}

static inline bool law_lower(struct law_cut *c, struct draws *d)
{
	static uint32_t v[LAW_DRAWS];
	bool some = false;

	for (size_t i = 0; i < d->n; i++) {
		const uint32_t was = d->v[i],
			       to[] = {0, was / 2, was ? was - 1 : 0};

		for (size_t k = 0; k < 3 && was; k++) {
			memcpy(v, d->v, d->n * sizeof(*v));
			v[i] = to[k];
			if (to[k] != was && law_still(c, d, v, d->n)) {
				some = true;
				break;
			}
		}
	}
	return some;
}

static inline void law_replay(struct draws *d)
{
	d->n = d->at < LAW_DRAWS ? d->at : LAW_DRAWS;
	d->again = true;
}

/* Cut down, say what is left, and fail. */
static inline void law_found(const char *name, law_fn *law, struct law *l,
			     uint64_t seed, bool apart)
{
	struct law_cut c = {law, l, apart, 60000};
	size_t before;

	if (!apart) {
		law_replay(&l->policy);
		law_replay(&l->history);
	} else { /* what a process of its own drew is not known here */
		law_seed(&l->policy, seed / LAW_GROUP);
		law_seed(&l->history, seed);
		for (size_t i = 0; i < LAW_DRAWS; i++) {
			/* Taken modulo what is asked for later. */
			l->policy.v[i] = draw_next(&l->policy);
			l->history.v[i] = draw_next(&l->history);
		}
		l->policy.at = l->history.at = LAW_DRAWS;
		law_replay(&l->policy);
		law_replay(&l->history);
	}
	before = l->policy.n + l->history.n;
	if (law_breaks(law, l, apart)) {
		bool some = true;

		law_halve(&c, &l->history);
		law_halve(&c, &l->policy);
		while (c.left && some) {
			some = law_leave_out(&c, &l->history);
			some |= law_leave_out(&c, &l->policy);
			some |= law_lower(&c, &l->history);
			some |= law_lower(&c, &l->policy);
		}
	}
	fprintf(stderr, "# %s: of %zu draws %zu are left:\n", name, before,
		l->policy.n + l->history.n);
	l->tell = true;
	(void)law_breaks(law, l, apart);
	fail_msg("%s: %s; again with LAW_SEED=%llu LAW_CASES=1", name,
		 l->why[0] ? l->why : "see above",
		 (unsigned long long)seed);
}

/* --- all cases -------------------------------------------------------------- */

static const char *law_name;
static volatile uint64_t law_at;

/* A crash names its case. */
static inline void law_died(int sig)
{
	char buf[160];
	int n = snprintf(buf, sizeof(buf),
			 "# %s: signal %d; again with LAW_SEED=%llu "
			 "LAW_CASES=1\n",
			 law_name, sig, (unsigned long long)law_at);

	if (write(2, buf, (size_t)n) == n)
		signal(sig, SIG_DFL);
	raise(sig);
}

static inline unsigned long law_number(const char *name, unsigned long other)
{
	const char *v = getenv(name);

	return v && *v ? strtoul(v, NULL, 10) : other;
}

static inline void law_say(const char *name, unsigned long n, uint64_t seed,
			   const struct law_share *shares,
			   const unsigned long *seen)
{
	print_message("# %s: %lu cases from LAW_SEED=%llu%s", name, n,
		      (unsigned long long)seed,
		      n < 10000 ? " (fewer than 10000)" : "");
	for (size_t i = 0; shares[i].what; i++)
		print_message("%s %s %lu.%lu %%", i ? "," : ":", shares[i].what,
			      seen[i] * 100 / n, seen[i] * 1000 / n % 10);
	print_message("\n");
}

/* shares ends with an empty one. */
static inline void law_run(const char *name, law_fn *law,
			   const struct law_share *shares)
{
	static struct law l;
	unsigned long n = law_number("LAW_CASES", LAW_CASES), done = 0;
	unsigned long seen[LAW_SHARES] = {0}, skipped = 0;
	uint64_t from = law_number("LAW_SEED", 1), seed = from;
	bool apart = n == 1;

	memset(&l, 0, sizeof(l));
	law_name = name;
	law_at = seed;
#ifndef LAW_FEWER
	signal(SIGSEGV, law_died);
	signal(SIGBUS, law_died);
	signal(SIGABRT, law_died);
#endif
	for (; done < n; seed++) {
		bool held;

		law_at = seed;
		l.same_policy = seed != from && seed % LAW_GROUP != 0;
		if (!l.same_policy)
			law_seed(&l.policy, seed / LAW_GROUP);
		law_seed(&l.history, seed);
		held = apart ? !law_breaks(law, &l, true) : law_once(law, &l);
		if (!held)
			law_found(name, law, &l, seed, apart);
		if (l.skipped) {
			skipped++;
			/* Or nothing would ever be tested. Of few cases the
			 * first groups of seeds decide. */
			if (skipped > 2000 + 4 * n)
				fail_msg("%s: too few policies: %llu skipped",
					 name, (unsigned long long)skipped);
			continue;
		}
		done++;
		for (size_t i = 0; shares[i].what; i++)
			seen[i] += l.saw[i];
	}
	law_say(name, n, from, shares, seen);
	/* What is rare need not be seen in the few cases of a sanitizer run. */
	for (size_t i = 0; n >= 300 && shares[i].what; i++) {
		if (seen[i] * (n < 10000 ? 300 : 100) <
			    n * shares[i].percent ||
		    (!seen[i] && n >= 10000))
			fail_msg("%s: fewer than %u %%: %s", name,
				 shares[i].percent, shares[i].what);
	}
}

#endif
