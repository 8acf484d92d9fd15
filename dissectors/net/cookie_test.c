/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine may say in the cookies of its questions. */
#include "dissectors/net/cookie.h"

#include "core/reason.h"
#include "core/wbuf.h"
#include "dissectors/net/dns.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define NAME "\5meter\7example\0\0\1\0\1"
#define HOUR COOKIE_NEW_NS
#define FULL                                                                   \
	{0, ASKS, "b", 0, OK}, {0, ASKS, "c", 0, OK}, {0, ASKS, "d", 0, OK},    \
	{0, ASKS, "e", 0, OK}, {0, ASKS, "f", 0, OK}, {0, ASKS, "g", 0, OK},    \
	{0, ASKS, "h", 0, OK}

enum { OK = REASON_NONE, STRANGE = REASON_SUSPICIOUS,
       OFTEN = REASON_TOO_MANY_UNITS, UNPAIRED = REASON_UNPAIRED };
enum act { END, ASKS, IS_TOLD, DENIED, TOLD_DENIED, ELSEWHERE };

/* A message with a cookie of one letter each: eight octets of the client, then
 * as many as there are in `server`, eight times. */
struct step {
	int64_t after_ns;
	enum act act;
	const char *client, *server;
	int want;
};

static const struct {
	const char *why;
	struct step step[14];
} rows[] = {
	{"one that is kept",
	 {{0, ASKS, "a", 0, OK}, {0, ASKS, "a", 0, OK}, {HOUR, ASKS, "a", 0, OK}}},
	{"shown what was given",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "a", "x", OK},
	  {0, ASKS, "a", "x", OK}, {0, IS_TOLD, "a", "yy", OK},
	  {0, ASKS, "a", "yy", OK}}},
	{"and that before it, while the last is on its way",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "a", "x", OK},
	  {0, ASKS, "a", "x", OK}, {0, IS_TOLD, "a", "y", OK},
	  {0, ASKS, "a", "x", OK}, {0, IS_TOLD, "a", "y", OK},
	  {0, ASKS, "a", "x", OK}, {0, IS_TOLD, "a", "z", OK},
	  {0, ASKS, "a", "x", STRANGE}, {0, ASKS, "a", "y", OK}}},
	{"what no server gave",
	 {{0, ASKS, "a", 0, OK}, {0, ASKS, "a", "x", STRANGE},
	  {0, IS_TOLD, "a", "x", OK}, {0, ASKS, "a", "xx", STRANGE},
	  {0, ASKS, "a", "x", OK}}},
	{"what another server gave",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "a", "x", OK},
	  {0, ELSEWHERE, "a", 0, OK}, {0, ELSEWHERE, "a", "x", STRANGE}}},
	{"what was given to another cookie",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "a", "x", OK},
	  {0, ASKS, "b", 0, OK}, {0, ASKS, "b", "x", STRANGE}}},
	{"given in what did not pass",
	 {{0, ASKS, "a", 0, OK}, {0, TOLD_DENIED, "a", "x", OK},
	  {0, ASKS, "a", "x", STRANGE}}},
	{"had from before our beginning",
	 {{0, ASKS, "a", "x", OK}, {0, ASKS, "a", "x", OK},
	  {0, ASKS, "a", "y", STRANGE}}},
	{"another each time",
	 {{0, ASKS, "a", 0, OK}, FULL, {0, ASKS, "i", 0, OFTEN},
	  {HOUR - 1, ASKS, "i", 0, OFTEN}, {0, ASKS, "a", 0, OK}}},
	{"room again after an hour: of the one not shown for longest",
	 {{0, ASKS, "a", 0, OK}, FULL, {HOUR, ASKS, "a", 0, OK},
	  {0, ASKS, "i", 0, OK}, {0, ASKS, "a", 0, OK}, {0, ASKS, "i", 0, OK}}},
	{"what did not pass takes no room",
	 {{0, DENIED, "a", 0, OK}, FULL, {0, ASKS, "i", 0, OK},
	  {0, ASKS, "a", 0, OFTEN}}},
	{"an answer with another cookie",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "b", "x", UNPAIRED},
	  {0, IS_TOLD, "a", "x", OK}}},
	{"an answer with one, where none was shown",
	 {{0, ASKS, 0, 0, OK}, {0, IS_TOLD, "a", "x", UNPAIRED},
	  {0, IS_TOLD, 0, 0, OK}}},
	{"a server that knows of none",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, 0, 0, OK}, {0, ASKS, "a", 0, OK}}},
	{"a server that gives none",
	 {{0, ASKS, "a", 0, OK}, {0, IS_TOLD, "a", 0, OK},
	  {0, ASKS, "a", "x", STRANGE}}},
};

struct lab {
	uint8_t memory[1024];
	struct dis_ctx c;
	struct arena arena;
};

static void put_cookie(struct wbuf *w, const struct step *s)
{
	size_t n = s->server ? 8 * strlen(s->server) : 0;

	wbuf_put(w, span_of("\0\0\x29\x10\0\0\0\0\0", 9));
	wbuf_be(w, 4 + COOKIE_CLIENT + n, 2);
	wbuf_be(w, 10, 2);
	wbuf_be(w, COOKIE_CLIENT + n, 2);
	for (int i = 0; i < COOKIE_CLIENT; i++)
		wbuf_u8(w, (uint8_t)s->client[0]);
	for (size_t i = 0; i < n; i++)
		wbuf_u8(w, (uint8_t)s->server[i / 8]);
}

static int play(struct lab *l, const struct step *s)
{
	bool answer = s->act == IS_TOLD || s->act == TOLD_DENIED;
	struct net_tuple *t = &l->c.tup;
	struct obs obs[4];
	struct obs_list out = {obs, 0, 4};
	struct err e = {0};
	uint8_t b[256];
	struct wbuf w = wbuf_of(b, sizeof(b));
	int rc;

	l->c.now.mono.ns += s->after_ns;
	wbuf_put(&w, span_of(answer ? "\x12\x34\x81\x80\0\1\0\0\0\0\0" :
				      "\x12\x34\x01\x20\0\1\0\0\0\0\0", 11));
	wbuf_u8(&w, s->client != NULL);
	wbuf_put(&w, span_of(NAME, sizeof(NAME) - 1));
	if (s->client)
		put_cookie(&w, s);
	assert_false(w.failed);
	*t = (struct net_tuple){.proto = PROTO_UDP,
				.sport = answer ? 53 : 40000,
				.dport = answer ? 40000 : 53};
	t->src.b[15] = answer ? 1 : 10;
	t->dst.b[15] = answer ? 10 : s->act == ELSEWHERE ? 2 : 1;
	arena_reset(&l->arena);
	rc = dissector_dns.dissect(&l->c, wbuf_span(&w), &out, &e);
	dissector_dns.settle(&l->c, rc == 0 && s->act != DENIED &&
					    s->act != TOLD_DENIED);
	return rc ? e.reason : OK;
}

static void run(bool lenient)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct lab l = {.c.now.mono.ns = 1};

		l.c.lenient = lenient;
		l.c.machine = calloc(1, dissector_dns.machine_size);
		assert_non_null(l.c.machine);
		l.arena = arena_of(l.memory, sizeof(l.memory));
		l.c.arena = &l.arena;
		for (size_t k = 0; rows[i].step[k].act != END; k++) {
			int got = play(&l, &rows[i].step[k]);
			int want = lenient ? OK : rows[i].step[k].want;

			if (got != want)
				fail_msg("%s: step %zu: %s, not %s",
					 rows[i].why, k,
					 reason_text((enum reason)got),
					 reason_text((enum reason)want));
		}
		free(l.c.machine);
	}
}

static void test_rows(void **state)
{
	(void)state;
	run(false);
}

/* Facts only: a capture may begin after them. */
static void test_facts(void **state)
{
	(void)state;
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests_name("dns cookies", tests, NULL, NULL);
}
