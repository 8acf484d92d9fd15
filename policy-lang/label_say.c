/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/label_say.h"

#include <stdio.h>
#include <string.h>

static const char *const english[W_COUNT] = {
#define X(id, key, en) en,
#include "policy-lang/label_words.def"
#undef X
};

static const struct lang langs[] = {
	{"en", "ltr", english},
};
#define N_LANGS (sizeof(langs) / sizeof(langs[0]))

const struct lang *lang_find(const char *tag)
{
	for (size_t i = 0; i < N_LANGS; i++) {
		if (strcmp(langs[i].tag, tag) == 0)
			return &langs[i];
	}
	return NULL;
}

const char *lang_tags(void)
{
	return "en";
}

/* Not within a character of UTF-8. */
static size_t whole(const char *s, size_t n, size_t cap)
{
	if (n <= cap)
		return n;
	while (cap > 0 && ((unsigned char)s[cap] & 0xc0) == 0x80)
		cap--;
	return cap;
}

static size_t add(char *buf, size_t at, const char *s, size_t n)
{
	n = whole(s, n, SAY_MAX - 1 - at);
	memcpy(buf + at, s, n);
	return at + n;
}

char *say(const struct lang *l, char buf[SAY_MAX], enum word w, const char *a,
	  const char *b, const char *c, const char *d)
{
	const char *arg[] = {a, b, c, d}, *t = l->word[w];
	size_t at = 0;

	while (*t) {
		size_t n = strcspn(t, "{");

		at = add(buf, at, t, n);
		t += n;
		if (*t == '{' && t[1] >= '1' && t[1] <= '4' && t[2] == '}') {
			const char *s = arg[t[1] - '1'];

			at = add(buf, at, s ? s : "", s ? strlen(s) : 0);
			t += 3;
		}
	}
	buf[at] = 0;
	return buf;
}

char *say_n(const struct lang *l, char buf[SAY_MAX], enum word one, uint64_t n)
{
	char num[24];

	snprintf(num, sizeof(num), "%llu", (unsigned long long)n);
	return say(l, buf, n == 1 ? one : one + 1, num, NULL, NULL, NULL);
}

char *say_time(const struct lang *l, char buf[SAY_MAX], int64_t ns)
{
	static const struct {
		int64_t s;
		enum word one;
	} units[] = {
		{86400, W_D  },
                {3600,  W_H  },
                {60,    W_MIN},
                {1,     W_S  }
        };
	int64_t s = ns / NS_PER_S;
	char part[SAY_MAX];
	size_t at = 0, said = 0;

	buf[0] = 0;
	if (ns > 0 && s == 0)
		return say(l, buf, W_MOMENT, NULL, NULL, NULL, NULL);
	for (size_t i = 0; i < 4 && said < 2; i++) {
		int64_t n = s / units[i].s;

		if (n == 0 && !(i == 3 && !said))
			continue;
		say_n(l, part, units[i].one, (uint64_t)n);
		if (said)
			at = add(buf, at, " ", 1);
		at = add(buf, at, part, strlen(part));
		s %= units[i].s;
		said++;
	}
	buf[at] = 0;
	return buf;
}

char *say_bytes(const struct lang *l, char buf[SAY_MAX], uint64_t n)
{
	static const char *const unit[] = {"octets", "KiB", "MiB", "GiB"};
	unsigned u = 0;

	if (n == MOST_UNLIMITED)
		return say(l, buf, W_ANY, NULL, NULL, NULL, NULL);
	/* Rounded up: a label never says less. */
	for (; n >= 10240 && u < 3; u++)
		n = n / 1024 + (n % 1024 != 0);
	snprintf(buf, SAY_MAX, "%llu %s", (unsigned long long)n, unit[u]);
	return buf;
}

char *say_count(const struct lang *l, char buf[SAY_MAX], uint64_t n)
{
	if (n == MOST_UNLIMITED)
		return say(l, buf, W_ANY, NULL, NULL, NULL, NULL);
	snprintf(buf, SAY_MAX, "%llu", (unsigned long long)n);
	return buf;
}

char *say_step(const struct lang *l, char buf[SAY_MAX],
	       const struct bound_flow *f)
{
	bool kilo = f->res_milli % 1000000 == 0;

	if (f->res_milli == BOUND_NONE)
		return say(l, buf, W_STEP_ANY, NULL, NULL, NULL, NULL);
	snprintf(buf, SAY_MAX, "%lld %s%s",
		 (long long)(f->res_milli / (kilo ? 1000000 : 1000)),
		 kilo ? "k" : "", unit_name(f->res_unit));
	return buf;
}

char *say_fine(const struct lang *l, char buf[SAY_MAX],
	       const struct bound_flow *f)
{
	bool series = meas_class(f->meas) == MEAS_CLASS_SERIES;
	int64_t ns = series ? f->granularity_ns : f->spacing_ns;
	char t[SAY_MAX];

	if (ns == INT64_MAX || (f->grade == '-' && !series))
		return say(l, buf, W_FINE_NOT_USE, NULL, NULL, NULL, NULL);
	if (ns == 0)
		return say(l, buf, W_FINE_INSTANT, NULL, NULL, NULL, NULL);
	return say(l, buf, series ? W_FINE_EVERY : W_FINE_KEPT_UP,
		   say_time(l, t, ns), NULL, NULL, NULL);
}

char *say_often(const struct lang *l, char buf[SAY_MAX],
		const struct bound_flow *f)
{
	char t[4][SAY_MAX];

	if (f->readings[MOST_DAY] == MOST_UNLIMITED)
		return say(l, buf, W_OFTEN_ANY, NULL, NULL, NULL, NULL);
	return say(l, buf, W_OFTEN, say_count(l, t[0], f->readings[MOST_DAY]),
		   say_count(l, t[1], f->readings[MOST_MONTH]),
		   say_count(l, t[2], f->readings[MOST_YEAR]),
		   say_count(l, t[3], f->readings[MOST_24H]));
}

char *say_choice(const struct lang *l, char buf[SAY_MAX],
		 const struct bound_flow *f)
{
	enum word w = f->consent == CONSENT_NONE      ? W_CONTRACT
		      : f->answer == 1                ? W_AGREED
		      : f->answer == 0                ? W_OFF
		      : f->consent == CONSENT_OPT_OUT ? W_ON_UNLESS
						      : W_ASKED;
	char name[80];

	snprintf(name, sizeof(name), "%.*s", (int)f->rule_name.n,
		 (const char *)f->rule_name.p);
	return say(l, buf, w, name, NULL, NULL, NULL);
}

static char *say_trial(const struct lang *l, char buf[SAY_MAX],
		       struct span rule, int64_t until_s)
{
	char name[80], day[24];

	snprintf(name, sizeof(name), "%.*s", (int)rule.n, (const char *)rule.p);
	return say(l, buf, rule.n ? W_TRIAL : W_TRIAL_ALL, name,
		   bound_date(day, sizeof(day), until_s), NULL, NULL);
}

void label_trials(const struct lang *l, const struct bound_recipient *r,
		  void (*put)(void *arg, const char *text), void *arg)
{
	char buf[SAY_MAX];

	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];

		if (f->until_s && !label_told(r, i, false))
			put(arg, say_trial(l, buf, f->rule_name, f->until_s));
	}
	for (size_t i = 0; i < r->n_power; i++) {
		const struct bound_power *p = &r->power[i];
		bool told = !p->until_s;

		for (size_t k = 0; k < r->n_flow; k++)
			told |= r->flow[k].rule == p->rule;
		for (size_t k = 0; k < i; k++)
			told |= r->power[k].rule == p->rule;
		if (!told)
			put(arg, say_trial(l, buf, p->rule_name, p->until_s));
	}
}

char *say_power(const struct lang *l, char buf[SAY_MAX],
		const struct bound_power *p)
{
	char t[SAY_MAX], part[SAY_MAX];
	size_t at = add(buf, 0, l->word[W_POWER_WHAT],
			strlen(l->word[W_POWER_WHAT]));

	if (p->day == MOST_UNLIMITED)
		snprintf(part, sizeof(part), "%s", l->word[W_OFTEN_ANY]);
	else
		say(l, part, W_POWER_OFTEN, say_count(l, t, p->day), NULL, NULL,
		    NULL);
	at = add(buf, add(buf, at, ", ", 2), part, strlen(part));
	if (p->has_value && p->unit == UNIT_S) {
		say_time(l, t, p->hi / 1000 * NS_PER_S);
		say(l, part, W_POWER_LONG, t, NULL, NULL, NULL);
		at = add(buf, add(buf, at, ", ", 2), part, strlen(part));
	}
	if (p->apart_ns > 0) {
		say_time(l, t, p->apart_ns);
		say(l, part, W_POWER_APART, t, NULL, NULL, NULL);
		at = add(buf, add(buf, at, ", ", 2), part, strlen(part));
	}
	buf[at] = 0;
	return buf;
}

char *say_grade(const struct lang *l, char buf[SAY_MAX],
		const struct bound_recipient *r)
{
	char letter[8] = {0}, words[120];

	if (r->grade == '-' && !r->sealed)
		return say(l, buf, W_GRADE_NONE, NULL, NULL, NULL, NULL);
	if (r->grade == '-')
		snprintf(letter, sizeof(letter), "X");
	else
		snprintf(letter, sizeof(letter), r->sealed ? "%c, X" : "%c",
			 r->grade);
	snprintf(words, sizeof(words), "%s%s%s",
		 r->grade == '-' ? "" : grade_word(r->grade),
		 r->grade != '-' && r->sealed ? "; " : "",
		 r->sealed ? grade_word('X') : "");
	return say(l, buf, W_GRADE, letter, words, NULL, NULL);
}

const char *say_hidden(const struct lang *l, char buf[SAY_MAX],
		       const struct bound_recipient *r)
{
	char t[SAY_MAX];

	if (r->dishonest_ns == INT64_MAX)
		return l->word[W_HIDDEN_NONE];
	if (r->dishonest_ns <= 0)
		return l->word[W_HIDDEN_ANY];
	/* In whole seconds, the finer one. */
	return say(l, buf, W_HIDDEN, say_time(l, t, r->dishonest_ns), NULL,
		   NULL, NULL);
}

bool label_other(const struct bound_recipient *r)
{
	return r->other &&
	       (!r->n_flow || r->other_bytes[MOST_DAY] == MOST_UNLIMITED);
}

char *say_other(const struct lang *l, char buf[SAY_MAX],
		const struct bound_recipient *r)
{
	uint64_t n = r->other_bytes[MOST_DAY];
	char b[2][SAY_MAX], h[SAY_MAX];

	return say(l, buf, n == MOST_UNLIMITED ? W_OTHER_ANY : W_OTHER,
		   say_bytes(l, b[0], n), say_hidden(l, h, r),
		   say_bytes(l, b[1], r->other_bytes[MOST_MONTH]), NULL);
}

const char *say_known(const struct lang *l, enum bound_identity id)
{
	static const enum word w[] = {W_KNOWN_ADDRESS, W_KNOWN_APTITLE,
				      W_KNOWN_MESSAGE, W_KNOWN_TLS_NAME,
				      W_KNOWN_TLS_KEY, W_KNOWN_MACHINE};

	return l->word[w[id]];
}

char *say_name(char buf[SAY_MAX], const struct bound_recipient *r)
{
	snprintf(buf, SAY_MAX, "%.*s%s%.*s%s", (int)r->operator_.n,
		 (const char *)r->operator_.p, r->country.n ? " (" : "",
		 (int)r->country.n, (const char *)r->country.p,
		 r->country.n ? ")" : "");
	return buf;
}

char *say_appliances(char buf[SAY_MAX], uint32_t set)
{
	size_t at = 0;

	for (unsigned a = 0; a < APPLIANCE_COUNT; a++) {
		const char *name = appliance_name((enum appliance)a);

		if (!(set >> a & 1))
			continue;
		if (at)
			at = add(buf, at, ", ", 2);
		at = add(buf, at, name, strlen(name));
	}
	buf[at] = 0;
	return buf;
}

char *say_statement(char buf[SAY_MAX], enum statement s, const struct label *l)
{
	const char *text = statement_text(s);
	size_t n = strcspn(text, "{");
	char list[SAY_MAX] = "";

	if (text[n])
		say_appliances(list, l->clear);
	snprintf(buf, SAY_MAX, "%.*s%s", (int)n, text, list);
	return buf;
}

bool label_shown(const struct bound_recipient *r)
{
	return r->outside && bound_gets(r);
}

bool label_told(const struct bound_recipient *r, size_t i, bool same_meas)
{
	for (size_t k = 0; k < i; k++) {
		if (r->flow[k].rule == r->flow[i].rule &&
		    (!same_meas || r->flow[k].meas == r->flow[i].meas))
			return true;
	}
	return false;
}
