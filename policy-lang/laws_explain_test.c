/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 9 of the language (its section 23): the request that would have passed
 * does pass, in the same state, at once or at the time that is told. The text
 * is read as a person would read it, so that it says all that is needed.
 */
#include <inttypes.h>

#include "policy-lang/analysis/explain.h"
#include "policy-lang/lawsaid.h"

#define EVENTS 24

static struct world w;

/* --- reading what is said --------------------------------------------------- */

/* "1 d 2 h", "30 min": ns, up to a comma or the end. */
static int64_t read_time(const char **p)
{
	int64_t ns = 0;

	for (;;) {
		char unit[8] = "";
		long long v;
		int n = 0;

		if (sscanf(*p, " %lld %7[a-z]%n", &v, unit, &n) < 2)
			return ns;
		*p += n;
		ns += v * (strcmp(unit, "d") == 0     ? D(1)
			   : strcmp(unit, "h") == 0   ? H(1)
			   : strcmp(unit, "min") == 0 ? MIN(1)
						      : S(1));
	}
}

/* A number with a unit of energy or power, in thousandths. */
static int64_t read_step(const char **p, enum unit *of)
{
	double v = 0;
	char unit[8] = "";
	int n = 0;

	if (sscanf(*p, " %lf %7[A-Za-z]%n", &v, unit, &n) < 2)
		return -1;
	*p += n;
	*of = strchr(unit, 'h') ? UNIT_WH : UNIT_W;
	return (int64_t)(v * (unit[0] == 'k' ? 1e6 : 1e3) + 0.5);
}

/* s changed as the text asks; *wait: how long until then. False: it is not to
 * be read. */
static bool follow(const char *p, struct said *s, int64_t *wait)
{
	bool newest = false;

	*wait = 0;
	while (*p) {
		char word[16] = "";
		int n = 0;

		p += strspn(p, ", ");
		if (sscanf(p, "%15[a-z]%n", word, &n) < 1)
			return false;
		p += n;
		if (strcmp(word, "granularity") == 0) {
			s->gran = read_time(&p) / NS_PER_S;
		} else if (strcmp(word, "oldest") == 0) {
			s->oldest = read_time(&p) / NS_PER_S;
		} else if (strcmp(word, "newest") == 0) {
			s->newest = read_time(&p) / NS_PER_S;
			newest = true;
		} else if (strcmp(word, "resolution") == 0) {
			s->res = read_step(&p, &s->unit);
		} else if (strcmp(word, "value") == 0) {
			const char *to;

			s->value = read_time(&p) / NS_PER_S * 1000;
			to = strstr(p, "to ");
			if (!to)
				return false;
			s->unit = UNIT_S;
			p = to + 3;
			(void)read_time(&p);
		} else if (strcmp(word, "channels") == 0) {
			n = 0;
			if (sscanf(p, " %" SCNd64 "%n", &s->channels, &n) < 1)
				return false;
			p += n;
		} else if (strcmp(word, "in") == 0) {
			*wait = read_time(&p);
		} else {
			return false;
		}
	}
	/* The end that is not told moves with the one that is. */
	if (s->oldest >= 0 && s->oldest < s->newest) {
		if (newest)
			s->oldest = s->newest;
		else
			s->newest = s->oldest;
	}
	return true;
}

/* --- the law ---------------------------------------------------------------- */

enum { SAW_TOLD, SAW_TIME, SAW_DATA, SAW_BOTH, SAW_PERMIT };

static bool only_lapsed(const struct pol_decision *d)
{
	struct reasons other = d->reasons;

	other.w[REASON_STATE_MISSING / 64] &=
		~(UINT64_C(1) << REASON_STATE_MISSING % 64);
	other.w[REASON_NOT_AN_ANSWER / 64] &=
		~(UINT64_C(1) << REASON_NOT_AN_ANSWER % 64);
	return !reasons_any(&other);
}

static bool passes_then(struct law *l, const struct said *s, struct now now,
			struct pol_decision *d)
{
	struct said asked = *s;
	char would[300];
	int64_t wait;

	snprintf(would, sizeof(would), "%.*s", (int)d->would_pass.n,
		 (const char *)d->would_pass.p);
	law_tell(l, "     refused: %s\n     would pass: %s\n", d->text, would);
	if (!follow(would, &asked, &wait))
		return law_broken(l, "not to be read: '%s'", would);
	l->saw[SAW_TOLD] = true;
	l->saw[SAW_TIME] |= wait > 0;
	l->saw[SAW_DATA] |= strncmp(would, "in ", 3) != 0;
	l->saw[SAW_BOTH] |= wait && strncmp(would, "in ", 3) != 0;
	now.mono.ns += wait;
	now.wall.us += wait / 1000;
	/* The law speaks of the same state; one that lapses until then, or a
	 * request that is too old to be answered, is another. */
	if (!world_judge(&w, &asked, now, d) && !(wait && only_lapsed(d)))
		return law_broken(l, "'%s' does not pass: %s, %s", would,
				  reason_text(d->reason), d->text);
	pol_abort(w.st);
	return true;
}

static bool law_9(struct law *l)
{
	static struct policies p;
	static struct pol_decision d;
	static bool fine;
	struct now now = law_noon();
	struct said s = {0};

	if (!l->same_policy) {
		make_policies(&l->policy, &p, true);
		tell_policies(l, &p);
		fine = world_of(&w, &p);
	}
	if (!fine)
		return law_skip(l);
	world_reset(&w);
	for (unsigned i = 0; i < EVENTS && draw(&l->history, 40); i++) {
		s = throw(&l->history, &p, &s);
		said_time(&s, &now);
		said_tell(l, &s);
		if (!said_judged(&s)) {
			world_other(&w, &s, now);
			continue;
		}
		world_judge(&w, &s, now, &d);
		l->saw[SAW_PERMIT] |= d.permit;
		if (d.permit)
			pol_commit(w.st);
		else
			pol_abort(w.st);
		if (s.what == SAID_MESSAGE && !d.permit && d.would_pass.n &&
		    !passes_then(l, &s, now, &d))
			return false;
	}
	return true;
}

static void test_would_pass(void **ctx)
{
	static const struct law_share shares[] = {
		{"told what would pass", 30}, {"at which time", 20},
		{"with which data", 7}, {"both", 1}, {"permitted", 60}, {0}};

	(void)ctx;
	law_run("law 9", law_9, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_would_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
