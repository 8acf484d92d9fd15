/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A forbidden object is put at every depth there is and at a random place into a
 * large document whose rest is permitted. The judge refuses every unit that says
 * the forbidden type. Then no octet of the forbidden element was released, every
 * unit stayed within the window, and without it the whole document passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define ROUNDS 300
#define SIZE   60000
#define BAD    "<bool name=\"motion\" val=\"true\"/>"

struct gen {
	uint64_t seed;
	char *text;
	size_t n;
	size_t bad_at; /* the octet at which it shall be put in */
	unsigned depth; /* and its own */
	size_t bad;    /* where it is, 0: not yet */
};

static uint32_t rnd(struct gen *g, uint32_t below)
{
	g->seed =
		g->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(g->seed >> 33) % below;
}

static void put(struct gen *g, const char *text)
{
	size_t n = strlen(text);

	memcpy(g->text + g->n, text, n + 1);
	g->n += n;
}

/* Between the children of an element, which have that depth. */
static void maybe_bad(struct gen *g, unsigned depth)
{
	if (g->bad || g->n < g->bad_at || depth != g->depth)
		return;
	g->bad = g->n;
	put(g, BAD);
}

/* Objects in objects and lists, of a size that differs. Where the forbidden one
 * is due, as deep as that. */
static void object(struct gen *g, unsigned depth)
{
	static const char *const tags[] = {"obj", "list", "feed"};
	const char *tag = tags[rnd(g, 3)];
	uint32_t children = rnd(g, 12);
	char line[160];

	snprintf(line, sizeof(line), "<%s name=\"n%zu\">", tag, g->n);
	put(g, line);
	maybe_bad(g, depth + 1);
	for (uint32_t i = 0; i < children; i++) {
		bool due = !g->bad && g->n >= g->bad_at && depth + 1 < g->depth;

		if (g->n >= SIZE && !due)
			break;
		if (depth + 1 < XML_DEPTH && (due || rnd(g, 4) == 0)) {
			object(g, depth + 1);
		} else {
			snprintf(line, sizeof(line),
				 "<real name=\"kWh%zu\" val=\"%u.%u\" "
				 "unit=\"obix:units/kilowatt_hour\"/>%s",
				 g->n, rnd(g, 10000), rnd(g, 10),
				 rnd(g, 3) ? "" : "<!-- c -->\n ");
			put(g, line);
		}
		maybe_bad(g, depth + 1);
	}
	snprintf(line, sizeof(line), "</%s>", tag);
	put(g, line);
}

static void document(struct gen *g)
{
	g->n = g->bad = 0;
	put(g, "<?xml version=\"1.0\"?>\n<obj href=\"/obix/site/\">");
	while (g->n < SIZE || !g->bad) {
		assert_true(g->n < SIZE + SIZE / 2);
		object(g, 2);
		maybe_bad(g, 2);
	}
	put(g, "</obj>\n");
}

/* Octets that left in front of the first refusal. */
static size_t judge(struct kit *k, struct span body, const struct kit_way *way)
{
	struct obix_scan at = {0};
	struct obix_ctx c = {.dis = &k->dis,
			     .m = k->m,
			     .at = &at,
			     .ask = &k->ask,
			     .method = span_str("GET"),
			     .path = span_str("/obix/site/")};
	size_t from = 0, seen = 0;

	memset(&k->ask, 0, sizeof(k->ask));
	k->ask.kind = OBS_OBIX_READ_REQUEST;
	while (from < body.n) {
		bool refused = false;
		size_t len;
		struct obix_body b = {
			.in = span_sub(body, from, seen - from),
			.window = OBIX_WINDOW,
			.rest = seen == body.n || way->rest == 0 ? body.n - from
								 : way->rest,
		};
		enum frame f = obix_frame(k->m, &at, &b, &len, &k->e);

		assert_int_not_equal(f, FRAME_BAD);
		if (f == FRAME_MORE) {
			/* What is held and not judged stays within bounds. */
			assert_true(seen - from <= OBIX_WINDOW + way->piece);
			seen = seen + way->piece > body.n ? body.n
							  : seen + way->piece;
			continue;
		}
		assert_true(len > 0 && len <= OBIX_WINDOW);
		c.first = from == 0;
		c.last = from + len == body.n;
		k->out.n = 0;
		arena_reset(&k->arena);
		assert_int_equal(obix_read(&c, span_sub(body, from, len),
					   &k->out, &k->e),
				 0);
		for (uint32_t i = 0; i < k->out.n; i++)
			refused |= (obs_get(&k->obs[i], F_MEASUREMENT, 0) &
				    MEAS_BIT(MEAS_PRESENCE_SENSOR)) != 0;
		obix_settle(k->m, !refused);
		if (refused)
			break;
		from += len;
	}
	return from;
}

static void forbidden(void **state)
{
	struct gen g = {.seed = 7, .text = malloc(SIZE * 2)};
	struct kit *k = kit_new();
	unsigned within = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct kit_way way = {.piece = 1 + rnd(&g, 3000),
				      .rest = i & 1 ? OBIX_REST_UNKNOWN : 0};
		size_t out;

		g.bad_at = 1 + rnd(&g, SIZE);
		g.depth = 2 + i % (XML_DEPTH - 1);
		document(&g);
		assert_true(g.bad > 0);
		out = judge(k, span_of(g.text, g.n), &way);
		if (out > g.bad)
			fail_msg("round %u: %zu octets left, the forbidden "
				 "element begins at %zu",
				 i, out, g.bad);
		within += out > 0;
		/* Not more is held back than a window. */
		assert_true(g.bad - out <= OBIX_WINDOW);
	}
	assert_true(within > ROUNDS / 2);
	kit_free(k);
	free(g.text);
}

static void permitted(void **state)
{
	struct gen g = {.seed = 11, .text = malloc(SIZE * 2)};
	struct kit *k = kit_new();

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		struct kit_way way = {.piece = 1 + rnd(&g, 3000),
				      .rest = i & 1 ? OBIX_REST_UNKNOWN : 0};

		g.bad_at = 0;
		g.bad = 1;
		g.n = 0;
		put(&g, "<obj href=\"/obix/site/\">");
		while (g.n < SIZE)
			object(&g, 2);
		put(&g, "</obj>");
		assert_int_equal(judge(k, span_of(g.text, g.n), &way), g.n);
	}
	kit_free(k);
	free(g.text);
}

/* Twenty million octets of history, record by record, in bounded memory. */
static void year(void **state)
{
	static char record[200];
	struct kit *k = kit_new();
	struct obix_scan at = {0};
	struct obix_ctx c = {.dis = &k->dis,
			     .m = k->m,
			     .at = &at,
			     .ask = &k->ask,
			     .method = span_str("POST"),
			     .path = span_str("/obix/log/query")};
	const size_t total = 20u << 20;
	uint8_t *buf = malloc(total + 4096);
	uint64_t readings = 0, made = 0;
	size_t n, from = 0;

	(void)state;
	n = (size_t)sprintf((char *)buf,
			    "<obj is=\"obix:HistoryQueryOut\">"
			    "<list name=\"data\" of=\"obix:HistoryRecord\">");
	while (n < total) {
		struct civil t =
			civil_of(1700000000 / 900 * 900 + (int64_t)made * 900);
		size_t len = (size_t)snprintf(
			record, sizeof(record),
			"<obj><abstime name=\"timestamp\" "
			"val=\"%04d-%02d-%02dT%02d:%02d:00Z\"/>"
			"<real name=\"value\" val=\"%llu.5\" "
			"unit=\"obix:units/kilowatt_hour\"/></obj>\n",
			t.year, t.month, t.day, t.hour, t.minute,
			(unsigned long long)made);

		memcpy(buf + n, record, len);
		n += len;
		made++;
	}
	n += (size_t)sprintf((char *)buf + n, "</list></obj>");
	k->ask.kind = OBS_OBIX_HISTORY_QUERY_REQUEST;
	while (from < n) {
		size_t len;
		struct obix_body b = {
			span_sub(span_of(buf, n), from, OBIX_WINDOW + 1),
			OBIX_WINDOW, n - from, false};

		assert_int_equal(obix_frame(k->m, &at, &b, &len, &k->e),
				 FRAME_UNIT);
		c.first = from == 0;
		c.last = from + len == n;
		k->out.n = 0;
		arena_reset(&k->arena);
		assert_int_equal(obix_read(&c,
					   span_sub(span_of(buf, n), from, len),
					   &k->out, &k->e),
				 0);
		obix_settle(k->m, true);
		assert_int_equal(k->out.n, 1);
		if (from)
			assert_int_equal(obs_get(&k->obs[0], F_GRANULARITY, 0),
					 obs_get(&k->obs[0], F_READINGS, 0) &&
							 obs_has(&k->obs[0],
								 F_MEASUREMENT)
						 ? 900
						 : 0);
		readings += obs_get(&k->obs[0], F_READINGS, 0);
		from += len;
	}
	assert_int_equal(readings, made);
	free(buf);
	kit_free(k);
}

/* What was counted for a cut holds for those octets from there, for no others. */
static void kept(void **state)
{
	struct kit *k = kit_new();
	const struct obix_scan start = {0}, others[] = {
		{.stage = SCAN_INSIDE}, {.depth = 1}, {.seen = 1}};
	struct obix_scan at = start;
	struct obix_ctx c = {.dis = &k->dis,
			     .m = k->m,
			     .at = &at,
			     .ask = &k->ask,
			     .first = true,
			     .method = span_str("GET"),
			     .path = span_str("/obix/a")};
	char text[3 * OBIX_WINDOW] = "<list>";
	struct obix_body b = {.window = OBIX_WINDOW, .rest = 0};
	struct span unit;
	size_t n = strlen(text), len;

	(void)state;
	while (n < 2 * OBIX_WINDOW)
		n += (size_t)sprintf(text + n, "<real name=\"a\" val=\"1\"/>");
	b.in = span_sub(span_of(text, n), 0, OBIX_WINDOW + 1);
	b.rest = n;
	assert_int_equal(obix_frame(k->m, &at, &b, &len, &k->e), FRAME_UNIT);
	unit = span_of(text, len);
	assert_true(scan_is_kept(obix_kept(k->m), &start, unit));
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(scan_is_kept(obix_kept(k->m), &others[i], unit));
	assert_false(scan_is_kept(obix_kept(k->m), &start,
				  span_sub(unit, 0, len - 1)));
	/* Another name: its count would not agree with expat's. */
	*strstr(text + len / 2, "real") = 'R';
	assert_false(scan_is_kept(obix_kept(k->m), &start, unit));
	assert_int_equal(obix_read(&c, unit, &k->out, &k->e), 0);
	obix_settle(k->m, true);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept),
		cmocka_unit_test(forbidden),
		cmocka_unit_test(permitted),
		cmocka_unit_test(year),
	};

	return cmocka_run_group_tests_name("obix random", tests, NULL, NULL);
}
