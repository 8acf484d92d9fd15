/* SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks of single functions share. */
#ifndef TESTS_BENCH_TIME_H
#define TESTS_BENCH_TIME_H

#include <stdlib.h>
#include <time.h>

/* Of this process: others on the machine do not count. */
static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts v. */
static inline double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), order);
	return v[n / 2];
}

#endif
