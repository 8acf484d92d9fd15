/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "policy-lang/draft.h"

#define TEXT_MAX  (250u << 10) /* a source may be 256 KiB */
#define TESTS_MAX 24	       /* rules that get tests of their own */

struct page {
	char *p;
	size_t n;
	bool full;
};

static void put(struct page *pg, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct page *pg, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(pg->p + pg->n, TEXT_MAX - pg->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= TEXT_MAX - pg->n)
		pg->full = true;
	else
		pg->n += (size_t)n;
}

/* The end of every line. */
static void mark(struct page *pg)
{
	put(pg, " # review\n");
}

static void put_line(struct page *pg, const char *line)
{
	put(pg, "%s", line);
	mark(pg);
}

static void put_quoted(struct page *pg, const char *s)
{
	put(pg, "'");
	for (; *s; s++)
		put(pg, *s == '\'' ? "''" : "%c", *s);
	put(pg, "'");
}

/* The largest unit that says it exactly, or, rounded, with two digits. */
static const char *time_text(char buf[32], int64_t s, bool exact, bool up)
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {
		{86400, "d"},
                {3600,  "h"},
                {60,    "min"},
                {1,     "s"},
	};
	size_t i = 0;

	while (i < 3 && (exact ? s % units[i].s != 0 || s < units[i].s
			       : s < 10 * units[i].s))
		i++;
	snprintf(buf, 32, "%lld %s",
		 (long long)((s + (up ? units[i].s - 1 : 0)) / units[i].s),
		 units[i].name);
	return buf;
}

static void put_meas(struct page *pg, meas_set m)
{
	const char *lead = "[";

	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (!(m & MEAS_BIT(i)))
			continue;
		put(pg, "%s%s", lead, meas_name((enum meas)i));
		lead = ", ";
	}
	put(pg, "]");
}

static bool is_series(meas_set m)
{
	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) &&
		    meas_class((enum meas)i) == MEAS_CLASS_SERIES)
			return true;
	}
	return false;
}

static bool is_sealed(const struct draft_need *n)
{
	return n->kind == OBS_OPAQUE || n->kind == OBS_TLS_HELLO;
}

/* --- parties ------------------------------------------------------------------ */

/* What is known of its other identity, for the person. */
static void put_stood(struct page *pg, const struct draft_party *p,
		      const char *a)
{
	if (p->dns[0])
		put(pg, "    # It had the address %s, as the name server said", a);
	else if (p->stood.n)
		put(pg, "    # Its name in DNS, but not in every hello of TLS:");
	for (size_t k = 0; !p->dns[0] && k < p->stood.n; k++)
		put(pg, "%s %s", k ? "," : "", p->stood.text[k]);
	if (p->dns[0] || p->stood.n)
		mark(pg);
}

static void put_party(struct page *pg, const struct draft_party *p, size_t i,
		      bool tls)
{
	char a[NET_ADDR_TEXT], oid[OID_TEXT];

	net_addr_text(a, &p->addr);
	put(pg, "  peer-%zu:", i + 1);
	mark(pg);
	put(pg, "    name: 'Write who %s is'", p->dns[0] ? p->dns : a);
	mark(pg);
	put(pg, "    role: %s", p->role);
	mark(pg);
	if (p->dns[0])
		put(pg, "    dns: %s", p->dns);
	else
		put(pg, "    address: ['%s/%d']", a,
		    net_addr_is4(&p->addr) ? 32 : 128);
	mark(pg);
	put_stood(pg, p, a);
	for (size_t k = 0; k < p->n_port && !p->portless; k++)
		put(pg, "%s%s/%u", k ? ", " : "    ports: [",
		    p->port[k].proto == PROTO_TCP ? "tcp" : "udp",
		    p->port[k].port);
	if (p->n_port && !p->portless)
		put_line(pg, "]");
	if (p->titled && !p->untitled) {
		put(pg, "    aptitle: %s",
		    oid_text(oid, sizeof(oid), span_of(p->title, p->n_title)));
		mark(pg);
	}
	/* What is inside stays between the two ends, as in the capture. */
	if (!tls || !p->names.n || p->unnamed)
		return;
	for (size_t k = 0; k < p->names.n; k++)
		put(pg, "%s'%s'", k ? ", " : "    tls: {names: [",
		    p->names.text[k]);
	put_line(pg, "], mode: end-to-end}");
}

/* --- rules -------------------------------------------------------------------- */

static void put_value(struct page *pg, const struct draft_attr *a, size_t i)
{
	enum field f = (enum field)a->field;

	if (field_type(f) == FIELD_TEXT)
		put_quoted(pg, a->text[i]);
	else if (f == F_NOTIFICATION)
		put(pg, "%s", a->num[i] ? "true" : "false");
	else
		put(pg, f == F_BODY ? "%u B" : "%u", a->num[i]);
}

/* {c1222.read-request: {table: [23, 25]}}; one: as a step sees it. */
static void put_match(struct page *pg, const struct draft_need *n, bool one)
{
	put(pg, "{%s: {", obs_name(n->kind));
	for (size_t i = 0; i < n->n_attr; i++) {
		const struct draft_attr *a = &n->attr[i];
		bool list = !one && a->n > 1;

		put(pg, "%s%s: %s", i ? ", " : "", field_name(a->field),
		    list ? "[" : "");
		for (size_t k = 0; k < (one ? 1 : a->n); k++) {
			put(pg, "%s", k ? ", " : "");
			put_value(pg, a, k);
		}
		put(pg, "%s", list ? "]" : "");
	}
	put(pg, "}}");
}

/* Only of a single type can it be said what a step or a value means. */
static bool is_single(const struct draft_need *n)
{
	return (n->meas & (n->meas - 1)) == 0;
}

static bool says_step(const struct draft_need *n)
{
	return n->has_res && n->res_milli && n->res_milli % 1000 == 0 &&
	       is_single(n) &&
	       (n->res_unit == UNIT_WH || n->res_unit == UNIT_W ||
		n->res_unit == UNIT_V);
}

static bool says_value(const struct draft_need *n)
{
	return n->has_value && n->dir == DIR_IN &&
	       n->meas == MEAS_BIT(MEAS_CONTROL_LOAD) &&
	       n->res_unit == UNIT_S && n->value_lo >= 0 &&
	       n->value_lo % 1000 == 0 && n->value_hi % 1000 == 0;
}

static void put_data(struct page *pg, const struct draft_need *n)
{
	bool series = is_series(n->meas);
	char t[32];

	put_line(pg, "    data:");
	put(pg, "      measurement: ");
	put_meas(pg, n->meas);
	mark(pg);
	if (series) {
		int64_t s = n->gran_s == INT64_MAX ? 1 : n->gran_s;

		put(pg, "      granularity: %s or coarser",
		    time_text(t, s, true, false));
		mark(pg);
	}
	if (series || n->oldest_s > 0) {
		put(pg, "      history: %s",
		    time_text(t, n->oldest_s > 0 ? n->oldest_s : 1, false,
			      true));
		mark(pg);
	}
	if (n->has_delay && n->delay_s >= 60 && n->delay_s != INT64_MAX) {
		put(pg, "      delay: %s",
		    time_text(t, n->delay_s, false, false));
		mark(pg);
	}
	if (says_step(n)) {
		put(pg, "      resolution: %llu %s",
		    (unsigned long long)(n->res_milli / 1000),
		    unit_name(n->res_unit));
		mark(pg);
	}
	if (says_value(n)) {
		put(pg, "      value: %lld s to %lld s",
		    (long long)(n->value_lo / 1000),
		    (long long)(n->value_hi / 1000));
		mark(pg);
	}
	if (n->has_channels && n->channels) {
		put(pg, "      channels: %u", n->channels);
		mark(pg);
	}
}

static uint64_t kib(uint64_t octets)
{
	return (octets + 1023) / 1024;
}

/* Seconds that lay between two at least; 0: it cannot be said. */
static int64_t gap_s(const struct draft_need *n, bool loose)
{
	/* Once in all that was seen: as rarely as once a day can be. */
	int64_t s = n->gap_ns == INT64_MAX ? 20 * 3600 : n->gap_ns / NS_PER_S;

	return loose || s < 2 || n->meas == 0 ? 0 : s;
}

static void put_limits(struct page *pg, const struct draft_need *n, bool loose)
{
	uint64_t most = loose ? 2 * n->most : n->most;
	int64_t gap = gap_s(n, loose);
	char t[32];

	if (is_sealed(n))
		put(pg, "    limits: [%llu KiB per day",
		    (unsigned long long)kib(2 * n->octets_most + 1024));
	else
		put(pg, "    limits: [%llu %s per day",
		    (unsigned long long)(most ? most : 1),
		    most > 1 ? n->meas ? "readings" : "messages"
		    : n->meas ? "reading"
			      : "message");
	if (gap)
		put(pg, ", at least %s apart", time_text(t, gap, false, false));
	put_line(pg, "]");
}

#define HALVES 48u /* half hours of a day */

/* The part of the day that has all half hours in which it was seen, which may
 * wrap midnight: what the longest pause leaves. False where that is more than
 * half of the day, or where a day is all that was seen. */
static bool hours_of(const struct draft_need *n, unsigned *from, unsigned *to)
{
	unsigned longest = 0, pause = 0;

	for (unsigned i = 0; i < 2 * HALVES; i++) {
		pause = n->halves >> (i % HALVES) & 1 ? 0 : pause + 1;
		if (pause <= longest || pause >= HALVES)
			continue;
		longest = pause;
		*from = (i + 1) % HALVES;
		*to = (i + 1 + HALVES - pause) % HALVES;
	}
	return n->days && longest >= HALVES / 2;
}

/* That it came at no other hour may be chance: a person knows. */
static void suggest_hours(struct page *pg, const struct draft_need *n)
{
	unsigned from = 0, to = 0;

	if (!n->meas || !hours_of(n, &from, &to))
		return;
	put(pg, "    # Seen at these hours only; if that is meant:");
	mark(pg);
	put(pg, "    # when: {between: %02u:%02u-%02u:%02u}", from / 2,
	    from % 2 * 30, to / 2, to % 2 * 30);
	mark(pg);
}

static void put_rule(struct page *pg, const struct draft *d, size_t i,
		     bool loose)
{
	const struct draft_need *n = &d->need[i];
	bool discloses = n->dir == DIR_OUT && (n->meas || is_sealed(n));

	put(pg, "  %s:", n->id);
	mark(pg);
	if (discloses)
		put_line(pg, "    purpose: 'Write why they need it'");
	put(pg, "    direction: %s", n->dir == DIR_OUT ? "out" : "in");
	mark(pg);
	put(pg, "    party: peer-%zu", n->party + 1);
	mark(pg);
	put(pg, "    match: ");
	put_match(pg, n, false);
	mark(pg);
	for (size_t k = 0; k < n->n_answers; k++)
		put(pg, "%s%s", k ? ", " : "    answers: [",
		    d->need[n->answers[k]].id);
	if (n->n_answers)
		put_line(pg, "]");
	if (discloses)
		put_line(pg, "    consent: opt-out");
	if (n->meas)
		put_data(pg, n);
	suggest_hours(pg, n);
	put_limits(pg, n, loose);
}

/* --- tests -------------------------------------------------------------------- */

static void put_step(struct page *pg, const struct draft_need *n,
		     const char *after)
{
	char t[32];

	put(pg, "      - {%sdirection: %s, party: peer-%zu, observe: ", after,
	    n->dir == DIR_OUT ? "out" : "in", n->party + 1);
	put_match(pg, n, true);
	if (!n->meas)
		return;
	put(pg, ", data: {measurement: ");
	put_meas(pg, n->meas);
	if (is_series(n->meas))
		put(pg, ", granularity: %s",
		    time_text(t, n->gran_s == INT64_MAX ? 1 : n->gran_s, true,
			      false));
	if (n->oldest_s > 0 || is_series(n->meas))
		put(pg, ", oldest: %lld s",
		    (long long)(n->oldest_s > 0 ? n->oldest_s : 1));
	if (n->oldest_s > 0 || is_series(n->meas))
		put(pg, ", newest: %lld s",
		    (long long)(n->has_delay && n->delay_s != INT64_MAX
					? n->delay_s
					: 0));
	if (says_step(n))
		put(pg, ", resolution: %llu %s",
		    (unsigned long long)(n->res_milli / 1000),
		    unit_name(n->res_unit));
	if (says_value(n))
		put(pg, ", value: %lld s", (long long)(n->value_hi / 1000));
	if (n->has_channels && n->channels)
		put(pg, ", channels: %u", n->channels);
	put(pg, "}");
}

static void expect(struct page *pg, const char *what, const char *by)
{
	put(pg, ", expect: %s%s}", what, by);
	mark(pg);
}

/* It passes once, and not again at once; not unasked, if it is an answer. */
static void put_tests(struct page *pg, const struct draft *d, size_t i,
		      bool loose)
{
	const struct draft_need *n = &d->need[i];
	const struct draft_need *q =
		n->n_answers ? &d->need[n->answers[0]] : NULL;
	char answers[24] = "";

	put(pg, "  %s-passes:", n->id);
	mark(pg);
	put_line(pg, "    steps:");
	if (q) {
		put_step(pg, q, "");
		expect(pg, "permit by ", q->id);
		snprintf(answers, sizeof(answers), ", answers: 1");
	}
	put_step(pg, n, q ? "after: 1 s, " : "");
	put(pg, "%s", answers);
	expect(pg, "permit by ", n->id);
	if (q && !loose && q->most == 1) {
		put_step(pg, q, "after: 1 s, ");
		expect(pg, "deny because limit-exceeded", "");
	} else if (gap_s(n, loose) > 2) {
		if (q) {
			put_step(pg, q, "after: 1 s, ");
			expect(pg, "permit", "");
			snprintf(answers, sizeof(answers), ", answers: 3");
		}
		put_step(pg, n, "");
		put(pg, "%s", answers);
		expect(pg, "deny because too-soon", "");
	}
	if (!q)
		return;
	put(pg, "  %s-is-an-answer:", n->id);
	mark(pg);
	put_line(pg, "    steps:");
	put_step(pg, n, "");
	expect(pg, "deny because not-an-answer", "");
}

static void put_stranger(struct page *pg, const struct draft *d)
{
	const struct draft_party *p = &d->party[d->need[0].party];
	char with[64];
	const char *step;
	size_t at;

	put_line(pg, "  strangers-get-nothing:");
	put_line(pg, "    steps:");
	snprintf(with, sizeof(with), "address: 192.0.2.199, port: %s/%u, ",
		 p->n_port && p->port[0].proto == PROTO_UDP ? "udp" : "tcp",
		 p->n_port ? p->port[0].port : 1);
	at = pg->n;
	put_step(pg, &d->need[0], with);
	/* An address stands in the place of the party. */
	step = strstr(pg->p + at, "party: ");
	if (step && !pg->full) {
		size_t from = (size_t)(step - pg->p), len = strcspn(step, ",") + 2;

		memmove(pg->p + from, pg->p + from + len,
			pg->n - from - len + 1);
		pg->n -= len;
	}
	expect(pg, "deny because unknown-party", "");
}

static void put_capture(struct page *pg, const struct draft *d,
			const struct draft_form *f)
{
	const char *lead = "";

	put_line(pg, "  the-capture:");
	put(pg, "    pcap: ");
	put_quoted(pg, f->pcap);
	mark(pg);
	put(pg, "    guests: {%s: ", d->vm);
	put_quoted(pg, f->guest);
	put_line(pg, "}");
	if (f->keys) {
		put(pg, "    keys: ");
		put_quoted(pg, f->keys);
		mark(pg);
	}
	put(pg, "    expect: {permit: %llu", (unsigned long long)f->permit);
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (!f->deny[r])
			continue;
		put(pg, "%s%s: %llu", *lead ? lead : ", deny: {",
		    reason_text((enum reason)r),
		    (unsigned long long)f->deny[r]);
		lead = ", ";
	}
	put_line(pg, *lead ? "}}" : "}");
}

/* --- the file ----------------------------------------------------------------- */

/* How names of parties came about, or why there are none. */
static void put_resolver(struct page *pg, const struct draft *d)
{
	char a[NET_ADDR_TEXT];

	if (d->n_resolver == 1 && !draft_by_name(d))
		put(pg, "# No party is known by its name in DNS: what was said to "
			"it did not all begin with\n"
			"# a hello of TLS that asks for this name, after %s "
			"gave it.\n",
		    net_addr_text(a, &d->resolver[0]));
	else if (d->n_resolver == 1)
		put(pg, "# Names in DNS are those that %s gave. The gateway has "
			"to be told of it, in\n"
			"# metergated.conf: resolver: %s\n",
		    net_addr_text(a, &d->resolver[0]), a);
	else if (d->n_resolver)
		put(pg, "# Not derived: names of parties in DNS, for several "
			"name servers were asked;\n"
			"# a gateway has one. Parties are the addresses that "
			"were used.\n");
	else
		put(pg, "# Nobody was asked for names in DNS: parties are the "
			"addresses that were used.\n");
}

static void put_head(struct page *pg, const struct draft *d,
		     const struct draft_form *f)
{
	put(pg, "# Drafted by polc init from ");
	put(pg, "%s: what that capture needs,\n", f->pcap);
	put(pg, "# and nothing else. Every line is marked; take the mark off "
		"where it is right.\n");
	put(pg, "# Not derived: states, days and spread; hours stand beside "
		"their rule as remarks.\n");
	put_resolver(pg, d);
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (d->refused[r])
			put(pg, "# No policy lets pass, for %s: %llu.\n",
			    reason_text((enum reason)r),
			    (unsigned long long)d->refused[r]);
	}
	if (d->starred)
		put(pg, "# With a star in a text, which no policy can name: "
			"%llu.\n",
		    (unsigned long long)d->starred);
	if (d->cut)
		put(pg, "# There was more than a draft has room for.\n");
	put_line(pg, "polc: 1");
	put_line(pg, "kind: vendor");
	put(pg, "id: %s", f->id);
	mark(pg);
	put_line(pg, "serial: 1");
	put(pg, "title: 'Write whose software %s runs'", d->vm);
	mark(pg);
	put_line(pg, "contact: 'write-an@address.example'");
	put(pg, "vm: %s", d->vm);
	mark(pg);
}

int draft_write(const struct draft *d, const struct draft_form *f, char **out,
		size_t *n, struct err *e)
{
	struct page pg = {malloc(TEXT_MAX), 0, false};
	size_t tests = 0;

	*out = NULL;
	if (!pg.p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	put_head(&pg, d, f);
	put_line(&pg, "parties:");
	for (size_t i = 0; i < d->n_party; i++)
		put_party(&pg, &d->party[i], i, f->tls);
	put_line(&pg, "allow:");
	for (size_t i = 0; i < d->n_need; i++)
		put_rule(&pg, d, i, f->loose);
	put_line(&pg, "limits:");
	put_line(&pg, "  octets-out:");
	put_line(&pg, "    on: {direction: out}");
	put(&pg, "    limit: %llu KiB per day",
	    (unsigned long long)kib((f->loose ? 4 : 2) * d->out_most + 4096));
	mark(&pg);
	put_line(&pg, "tests:");
	put_stranger(&pg, d);
	for (size_t i = 0; i < d->n_need && tests < TESTS_MAX; i++) {
		if (!d->need[i].meas)
			continue;
		put_tests(&pg, d, i, f->loose);
		tests++;
	}
	if (f->deny && f->partial)
		put(&pg, "# No test of the capture: its checksums are not "
			 "those of the wire.\n");
	else if (f->deny)
		put_capture(&pg, d, f);
	if (pg.full) {
		free(pg.p);
		return err_set(e, E_LIMIT, 0,
			       "the draft has more than %u KiB: draft from a "
			       "part of the capture",
			       TEXT_MAX >> 10);
	}
	*out = pg.p;
	*n = pg.n;
	return 0;
}
