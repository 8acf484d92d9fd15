/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit is read as framing found it, without cutting it again. Whether that is
 * remembered or not must change nothing: random exchanges, in random pieces, in
 * turn between the ends and in one buffer for both, are read by two machines.
 * One reads each unit where it was framed; the other gets a copy elsewhere,
 * which it has to cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/http/testkit.h"

#define ROUNDS 3000
#define ASKED  6

#define CLIENT DIR_IN
#define SERVER DIR_OUT

#undef skip /* cmocka's; ours is a member */

/* One reader of both ends. */
struct one {
	struct reader_kit *r;
	struct http_flow walk;
	struct err e;
	uint32_t n;
	int rc;
};

struct play {
	struct maker *end[2], dice; /* end: by enum dir */
	size_t at[2], there[2];	    /* read; arrived */
	struct one here, copied;
	uint8_t line[UNIT_MAX], elsewhere[UNIT_MAX];
	unsigned units, found, seen[3]; /* seen: by enum body_kind */
};

/* --- what both say ---------------------------------------------------------- */

static void put_obix(struct maker *k, bool chunks)
{
	uint32_t records = rnd(k, 3) ? rnd(k, 4) : rnd(k, 150);
	size_t from = k->n, n;
	static char body[KIT_STREAM];

	put(k, "<obj is='obix:HistoryQueryOut'><list name='data'>");
	for (uint32_t i = 0; i < records; i++)
		put(k, "<obj><abstime name='timestamp' val='2026-01-%02uT%02u:"
		       "00:00Z'/><real name='value' val='%u.5'/></obj>%s",
		    1 + i / 24, i % 24, rnd(k, 5000), rnd(k, 2) ? "\n" : "");
	put(k, "</list></obj>");
	n = k->n - from;
	memcpy(body, k->text + from, n);
	k->n = from;
	if (!chunks) {
		put(k, "Content-Length: %zu\r\n\r\n%.*s", n, (int)n, body);
		return;
	}
	put(k, "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0, part; at < n; at += part) {
		part = 1 + rnd(k, 900);
		part = part < n - at ? part : n - at;
		put(k, "%zx\r\n%.*s\r\n", part, (int)part, body + at);
	}
	put(k, "0\r\n\r\n");
}

static size_t some(struct maker *k)
{
	return rnd(k, 4) ? rnd(k, 60) : rnd(k, 9000);
}

static bool ask(struct maker *k)
{
	static const char *const heads[] = {
		"", "Cookie: a=b\r\n", "User-Agent: x\r\nAccept: */*\r\n",
		"Expect: 100-continue\r\n", "Content-Type: text/csv\r\n",
	};
	uint32_t which = rnd(k, 6);

	if (which < 3) {
		put(k, "%s /%c HTTP/1.1\r\nHost: m\r\n%s\r\n",
		    which ? "GET" : "HEAD", (char)('a' + rnd(k, 26)),
		    heads[rnd(k, 3)]);
		return which > 0;
	}
	put(k, "P%s /%c HTTP/1.1\r\nHost: m\r\n%s", rnd(k, 2) ? "UT" : "OST",
	    (char)('a' + rnd(k, 26)), PICK(k, heads));
	if (which == 3)
		put_obix(k, rnd(k, 2));
	else
		put_body(k, 1 + some(k), rnd(k, 2));
	return true;
}

static void tell(struct maker *k, bool has_body, bool last)
{
	static const char *const types[] = {
		"text/xml", "text/plain", "text/event-stream", "text/html",
		"application/json",
	};

	if (rnd(k, 8) == 0)
		put(k, "HTTP/1.1 100 Continue\r\n\r\n");
	if (rnd(k, 6) == 0) {
		put(k, rnd(k, 2) ? "HTTP/1.1 304 Not Modified\r\n\r\n"
				 : "HTTP/1.1 204 No Content\r\n\r\n");
		return;
	}
	put(k, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n", PICK(k, types));
	if (!has_body) {
		put(k, "Content-Length: %u\r\n\r\n", rnd(k, 500));
	} else if (last && rnd(k, 2)) {
		put(k, "\r\n");
		put_octets(k, some(k));
	} else if (rnd(k, 2)) {
		put_obix(k, rnd(k, 2));
	} else {
		put_body(k, some(k), rnd(k, 2));
	}
}

/* --- reading ---------------------------------------------------------------- */

static struct dis_ctx context(struct one *o, enum dir dir, bool waits)
{
	return (struct dis_ctx){.machine = o->r->m, .flow = &o->r->f,
				.arena = &o->r->arena, .dir = dir,
				.other_waits = waits, .tup.proto = PROTO_TCP};
}

static void read_one(struct one *o, const struct dis_ctx *c, struct span unit)
{
	struct obs_list out = {o->r->obs, 0, KIT_OBS};

	arena_reset(&o->r->arena);
	o->e = (struct err){0};
	o->rc = dissector_http.dissect(c, unit, &out, &o->e);
	o->n = out.n;
}

static void same_facts(const struct obs *a, const struct obs *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->also, b->also);
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		const struct fact *f = &a->f[i], *g = &b->f[i];

		assert_int_equal(f->field, g->field);
		assert_int_equal(f->n, g->n);
		if (f->n)
			assert_memory_equal(f->p, g->p, f->n);
		else
			assert_true(f->u == g->u);
	}
}

/* What a line that is not whole said of its chunk is said again. */
static struct http_flow standing(const struct one *o)
{
	struct http_flow f = o->r->f;

	for (int i = 0; i < 2; i++) {
		if (f.side[i].framing == FRAMING_CHUNKED &&
		    f.side[i].chunk == CHUNK_SIZE)
			f.side[i].left = 0;
	}
	return f;
}

static void same(struct play *p)
{
	const struct one *a = &p->here, *b = &p->copied;
	struct http_flow f = standing(a), g = standing(b);

	assert_int_equal(a->rc, b->rc);
	assert_int_equal(a->n, b->n);
	if (a->rc)
		assert_int_equal(a->e.reason, b->e.reason);
	for (uint32_t i = 0; i < a->n; i++)
		same_facts(&a->r->obs[i], &b->r->obs[i]);
	assert_memory_equal(&f, &g, sizeof(f));
}

/* Both frame what is there, and how many units there are behind the first, as
 * the pipeline does before it reads any. */
static enum frame frame(struct one *o, enum dir dir, bool waits,
			struct span in, bool look_on, size_t *len)
{
	struct dis_ctx c = context(o, dir, waits);
	enum frame fr = dissector_http.frame(&c, in, len, &o->e);
	size_t n = *len;

	memcpy(&o->walk, &o->r->f, sizeof(o->walk));
	c.flow = &o->walk;
	for (int i = 0; look_on && fr == FRAME_UNIT && i < 3; i++) {
		struct err e;

		if (n == in.n)
			break;
		dissector_http.skip(&c, span_sub(in, 0, n));
		in = span_from(in, n);
		if (dissector_http.frame(&c, in, &n, &e) != FRAME_UNIT)
			break;
	}
	return fr;
}

/* The next unit of that end, if it is there. False: it is refused. */
static bool unit(struct play *p, enum dir dir, bool *any)
{
	size_t n = p->there[dir] - p->at[dir], len = 0, len2 = 0;
	bool waits = p->there[!dir] != p->at[!dir];
	/* Else it is held back, and read again. */
	bool look_on = rnd(&p->dice, 2), passes = rnd(&p->dice, 8);
	struct span in = span_of(p->line, n < UNIT_MAX ? n : UNIT_MAX);
	struct dis_ctx a = context(&p->here, dir, waits);
	struct dis_ctx b = context(&p->copied, dir, waits);
	enum frame fr;

	*any = false;
	memcpy(p->line, p->end[dir]->text + p->at[dir], in.n);
	fr = frame(&p->here, dir, waits, in, look_on, &len);
	assert_int_equal(frame(&p->copied, dir, waits, in, look_on, &len2),
			 fr);
	if (fr != FRAME_UNIT)
		return fr != FRAME_BAD;
	assert_int_equal(len, len2);
	memcpy(p->elsewhere, p->line, len);
	p->found += p->here.r->m->found.unit.p == in.p;
	for (bool good = false; !good; passes = true) {
		read_one(&p->here, &a, span_sub(in, 0, len));
		read_one(&p->copied, &b, span_of(p->elsewhere, len));
		same(p);
		good = passes && p->here.rc == 0;
		dissector_http.settle(&a, good);
		dissector_http.settle(&b, good);
		same(p);
		if (p->here.rc)
			return false;
	}
	p->seen[p->here.r->f.side[dir].kind]++;
	p->at[dir] += len;
	p->units++;
	*any = true;
	return true;
}

static void play(struct play *p, uint64_t seed)
{
	bool body[ASKED], good = true;
	uint32_t n = 1 + rnd(&p->dice, ASKED);

	for (int d = 0; d < 2; d++) {
		p->end[d]->seed = seed * 2 + (unsigned)d;
		p->end[d]->n = p->at[d] = p->there[d] = 0;
	}
	for (uint32_t i = 0; i < n && p->end[CLIENT]->n < KIT_STREAM / 2; i++) {
		body[i] = ask(p->end[CLIENT]);
		if (p->end[SERVER]->n < KIT_STREAM / 2)
			tell(p->end[SERVER], body[i], i + 1 == n);
	}
	if (seed % 3 == 0)
		mutate(p->end[rnd(&p->dice, 2)]);
	memset(&p->here.r->f, 0, sizeof(p->here.r->f));
	memset(&p->copied.r->f, 0, sizeof(p->copied.r->f));
	for (int turn = 0; good && turn < 4000; turn++) {
		enum dir dir = rnd(&p->dice, 2) ? CLIENT : SERVER;
		size_t left = p->end[dir]->n - p->there[dir];
		size_t more = 1 + rnd(&p->dice, rnd(&p->dice, 3) ? 1460 : 40);
		bool any = true;

		/* What is asked comes before its answer, most often. */
		if (dir == SERVER && p->at[CLIENT] < p->end[CLIENT]->n &&
		    rnd(&p->dice, 4)) {
			dir = CLIENT;
			left = p->end[dir]->n - p->there[dir];
		}
		if (p->there[dir] - p->at[dir] + more <= UNIT_MAX)
			p->there[dir] += more < left ? more : left;
		while (good && any && p->there[dir] > p->at[dir])
			good = unit(p, dir, &any);
	}
}

static void remembered_or_not(void **state)
{
	struct play *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	p->here.r = reader_new();
	p->copied.r = reader_new();
	for (int d = 0; d < 2; d++) {
		p->end[d] = calloc(1, sizeof(*p->end[d]));
		assert_non_null(p->end[d]);
	}
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		p->dice.seed = seed;
		play(p, seed);
	}
	/* It is no test of what is refused at once. */
	print_message("%u units, %u as found\n", p->units, p->found);
	assert_true(p->found > 2 * ROUNDS);
	assert_true(p->seen[BODY_PAGE] > ROUNDS);
	assert_true(p->seen[BODY_OBIX] > ROUNDS);
	for (int d = 0; d < 2; d++)
		free(p->end[d]);
	reader_free(p->here.r);
	reader_free(p->copied.r);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembered_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
