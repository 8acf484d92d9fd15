/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers larger than any limit: what is held and not judged stays within
 * the hold limit at every moment, and a forbidden element stops before any of
 * its octets is released, wherever it stands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "dissectors/obix/scan.h"
#include "enforcer/pipeline/testkit.h"

#define MB     (1000 * 1000)
#define WINDOW 65535
#define ROUNDS 300
#define PORT   18080

/* One connection of the machine with 10.21.0.1; [0] its own octets. */
struct xfer {
	struct kit *k;
	uint32_t seq[2], left[2]; /* next to send; released */
	uint32_t end[KIT_IDS];	  /* of each packet */
	bool out[KIT_IDS];
	uint32_t forbidden; /* its place, with has_forbidden */
	bool has_forbidden, leaked, refused;
	uint32_t peak;
	enum reason why; /* the first */
	char what[100];
	unsigned exchanges, leaves;
};

/* --- what the gateway says -------------------------------------------------------- */

static void released(struct xfer *x, bool out, uint32_t end)
{
	uint32_t *left = &x->left[!out];

	if ((int32_t)(end - *left) > 0)
		*left = end;
	if (out && x->has_forbidden && (int32_t)(end - x->forbidden) > 0)
		x->leaked = true;
}

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	struct xfer *x = arg;

	if (v == PACKET_PASS)
		released(x, x->out[id], x->end[id]);
	else if (why != REASON_TCP_TAKEN_OVER)
		x->refused = true;
}

/* Who asked is told instead: nothing of what was refused. */
static bool is_answer(struct span s)
{
	static const char err[] = "<err is=\"obix:PermissionErr\" "
				  "display=\"refused\"/>";

	return s.n > sizeof(err) && span_is(span_sub(s, 0, 15), "HTTP/1.1 200 OK") &&
	       span_is(span_from(s, s.n - sizeof(err) + 1), err);
}

static void on_inject(void *arg, const struct segment_out *s)
{
	struct xfer *x = arg;

	if (s->flags & (TCP_RST | TCP_FIN))
		x->refused = true;
	if (s->flags & TCP_RST)
		return;
	if (s->flags & TCP_FIN && is_answer(s->payload))
		return;
	if (s->payload.n)
		released(x, s->dir == DIR_OUT,
			 s->seq + (uint32_t)s->payload.n);
}

static void on_event(void *arg, const struct event *ev)
{
	struct xfer *x = arg;

	if ((ev->type == EV_VIOLATION || ev->type == EV_ANOMALY) && !x->why) {
		x->why = ev->reason;
		snprintf(x->what, sizeof(x->what), "%s",
			 ev->detail ? ev->detail : "");
	}
	if (ev->type != EV_PROTOCOL || !ev->message)
		return;
	x->leaves += ev->n_leaves;
	x->exchanges += obs_has(ev->message, F_LAST);
}

/* --- the kit's part --------------------------------------------------------------- */

static struct pol_kinds families(void)
{
	struct pol_kinds s = {{0}};

	for (int i = 0; i < OBS_COUNT; i++) {
		enum obs_family f = obs_family((enum obs_kind)i);

		if (f == OBS_FAMILY_HTTP || f == OBS_FAMILY_OBIX ||
		    f == OBS_FAMILY_OPAQUE)
			s.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return s;
}

/* Everything may be asked and told, but nothing that says a voltage. */
static struct xfer *start(bool live)
{
	static const uint16_t party0[] = {0}, asked[] = {0};
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party = {.id = "far", .name = "Far",
				      .addr = &far, .n_addr = 1};
	struct pol_obs_match any = {.kinds = families()};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = party0, .n_party = 1}, .match = &any,
		 .n_match = 1},
		{.kind = RULE_GRANT, .id = "tell", .dir = DIRSEL_OUT,
		 .party = {.party = party0, .n_party = 1}, .match = &any,
		 .n_match = 1, .has_answers = true, .answers = asked,
		 .n_answers = 1,
		 .data = {.present = true,
			  .meas = MEAS_ALL & ~MEAS_ABOUT &
				  ~(MEAS_BIT(MEAS_VOLTAGE_INSTANT) |
				    MEAS_BIT(MEAS_VOLTAGE_INTERVAL))}},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = rule, .n_rule = 2};
	struct xfer *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	far.addr.b[13] = 21;
	x->k = kit_new_of(&f);
	x->k->bulk = true; /* whose checksums the kit does not make */
	x->k->p->conf.checksums = false;
	kit_live(x->k, live);
	x->k->sink = (struct pipeline_sink){.arg = x,
					    .verdict = on_verdict,
					    .event = on_event,
					    .inject = on_inject};
	return x;
}

static void stop(struct xfer *x)
{
	kit_free(x->k);
	free(x);
}

static const struct flow *flow_of(const struct pipeline *p)
{
	for (int l = 0; l < LISTS; l++) {
		if (p->lru[0][l].newest != NONE)
			return &p->flow[p->lru[0][l].newest];
	}
	return NULL;
}

/* At every moment: what waits of each direction is within the limit. */
static void look(struct xfer *x)
{
	const struct flow *f = flow_of(x->k->p);

	for (int s = 0; f && s < 2; s++) {
		uint32_t n = f->side[s].nxt - f->side[s].judged;

		if (n > x->peak)
			x->peak = n;
	}
	assert_true(x->peak <= PIPELINE_HOLD_OCTETS);
}

static void send(struct xfer *x, bool out, uint8_t flags, struct span data)
{
	struct kit_seg g = {.out = out, .port = PORT, .seq = x->seq[!out],
			    .ack = flags & TCP_ACK ? x->left[out] : 0,
			    .flags = flags};
	uint32_t *seq = &x->seq[!out];
	uint64_t id;

	if (x->k->id + 2 >= KIT_IDS)
		x->k->id = 0; /* by then nobody waits under those */
	id = x->k->id + 1;
	*seq += (uint32_t)data.n + !!(flags & (TCP_SYN | TCP_FIN));
	x->end[id] = *seq;
	x->out[id] = out;
	kit_tcp(x->k, &g, data);
	look(x);
	kit_wait(x->k, NS_PER_S / 10000);
	pipeline_tick(x->k->p, x->k->now, &x->k->sink);
	look(x);
}

/* out: the machine is the client. */
static void open_by(struct xfer *x, bool out)
{
	const struct span none = {0};

	x->seq[0] = x->left[0] = KIT_ISN;
	x->seq[1] = x->left[1] = KIT_ISN2;
	send(x, out, TCP_SYN, none);
	send(x, !out, TCP_SYN | TCP_ACK, none);
	send(x, out, TCP_ACK, none);
}

/* Octets in segments of at most mss (0: of any length), acknowledged as they
 * come. Stops when they are refused. */
static void stream(struct xfer *x, bool out, struct span s, size_t mss,
		   uint64_t *seed)
{
	unsigned since = 0;

	while (s.n && !x->refused) {
		size_t n = mss;

		if (!n) {
			*seed = *seed * 6364136223846793005u + 1442695040888963407u;
			n = 1 + (*seed >> 33) % 2000;
		}
		if (n > s.n)
			n = s.n;
		send(x, out, TCP_ACK | TCP_PSH, span_sub(s, 0, n));
		s = span_from(s, n);
		if (++since % 8 == 0 && !x->refused)
			send(x, !out, TCP_ACK, (struct span){0});
	}
}

/* --- documents ------------------------------------------------------------------- */

struct text {
	uint8_t *p;
	size_t n, cap;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t,
						      const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf((char *)t->p + t->n, t->cap - t->n, fmt, ap);
	va_end(ap);
	assert_true(n >= 0 && (size_t)n < t->cap - t->n);
	t->n += (size_t)n;
}

static struct text text_of(size_t cap)
{
	struct text t = {malloc(cap), 0, cap};

	assert_non_null(t.p);
	return t;
}

static void put_record(struct text *t, uint64_t i)
{
	time_t at = (time_t)(1700000100 + 900 * i);
	struct tm tm;
	char when[32];

	gmtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put(t,
	    "<obj><abstime name='timestamp' val='%s'/><real name='value' "
	    "unit='obix:units/kilowatt_hour' val='0.%03u'/></obj>\n",
	    when, (unsigned)(i * 7 % 1000));
}

static void put_history(struct text *t, size_t octets)
{
	put(t, "<obj is='obix:HistoryQueryOut'><list name='data'>");
	for (uint64_t i = 0; t->n < octets; i++)
		put_record(t, i);
	put(t, "</list></obj>");
}

static void put_answer(struct text *t, struct span body, const char *type)
{
	put(t,
	    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
	    type, body.n);
	memcpy(t->p + t->n, body.p, body.n);
	t->n += body.n;
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* The same in chunks; *place moves with what it points at. */
static void put_chunks(struct text *t, struct span body, size_t *place,
		       uint64_t *seed)
{
	size_t at = 0, was = *place;

	put(t, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
	       "Transfer-Encoding: chunked\r\n\r\n");
	while (at < body.n) {
		size_t n = 1 + next(seed) % (next(seed) % 4 ? 3000 : 20);

		if (n > body.n - at)
			n = body.n - at;
		put(t, "%zx\r\n", n);
		if (was >= at && was < at + n)
			*place = t->n + was - at;
		memcpy(t->p + t->n, body.p + at, n);
		t->n += n;
		put(t, "\r\n");
		at += n;
	}
	put(t, "0\r\n\r\n");
}

/* --- large ones -------------------------------------------------------------------- */

static const char get[] = "GET /obix/tree HTTP/1.1\r\nHost: meter\r\n\r\n";
static const char filter[] =
	"<obj is='obix:HistoryFilter'><int name='limit' null='true'/></obj>";

static void a_history_of_20_mb(void **state)
{
	struct text body = text_of(21 * MB), all = text_of(21 * MB + 200),
		    ask = text_of(400);
	uint64_t seed = 1;

	(void)state;
	put(&ask,
	    "POST /obix/history/query HTTP/1.1\r\nHost: meter\r\n"
	    "Content-Type: text/xml\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(filter), filter);
	put_history(&body, 20 * MB);
	put_answer(&all, span_of(body.p, body.n), "text/xml");
	for (int live = 0; live < 2; live++) {
		struct xfer *x = start(live);

		open_by(x, false);
		stream(x, false, span_of(ask.p, ask.n), 1448, &seed);
		stream(x, true, span_of(all.p, all.n), 1448, &seed);
		if (x->refused)
			fail_msg("refused: %s at %u", reason_text(x->why),
				 x->left[0] - KIT_ISN);
		assert_int_equal(x->left[0] - KIT_ISN - 1, all.n);
		assert_int_equal(x->exchanges, 2);
		assert_true(x->leaves > 20 * MB / 4096);
		printf("20 MB of records: at most %u octets waited, %u units\n",
		       x->peak, x->leaves);
		stop(x);
	}
	free(body.p);
	free(all.p);
	free(ask.p);
}

/* Down to the machine, and up from it. */
static void a_page_of_50_mb(void **state)
{
	struct text body = text_of(50 * MB), all = text_of(50 * MB + 200);
	uint64_t seed = 1;

	(void)state;
	memset(body.p, 'x', 50 * MB);
	put_answer(&all, span_of(body.p, 50 * MB), "application/octet-stream");
	for (int out = 0; out < 2; out++) {
		struct xfer *x = start(true);

		open_by(x, !out);
		stream(x, !out, span_str(get), 1448, &seed);
		stream(x, out, span_of(all.p, all.n), 1448, &seed);
		if (x->refused)
			fail_msg("refused: %s", reason_text(x->why));
		assert_int_equal(x->left[!out] -
					 (out ? KIT_ISN : KIT_ISN2) - 1,
				 all.n);
		assert_int_equal(x->exchanges, 2);
		printf("50 MB of anything: at most %u octets waited\n",
		       x->peak);
		stop(x);
	}
	free(body.p);
	free(all.p);
}

/* --- a forbidden element anywhere ----------------------------------------------- */

struct tree {
	struct text *t;
	uint64_t *seed;
	/* Where an element may stand, by its depth. */
	unsigned points[XML_DEPTH + 1];
	unsigned depth, chosen; /* of the forbidden one; depth 0: none */
	unsigned names;
	size_t place;		/* 0: not yet */
};

/* Between two elements of that depth. Its own depth is that of the value in it,
 * which is the deepest of some. */
static void point(struct tree *r, unsigned depth)
{
	static const char *const forbidden[] = {
		"<real name='u' unit='obix:units/volt' val='230.1'/>",
		"<real unit='obix:units/volt' href='u1' val='229'></real>",
		"<int val='231' name='l1' unit=\"obix:units/volt\" />",
		"<obj><real val='1' unit='obix:units/volt'/></obj>",
	};
	unsigned kinds = depth < XML_DEPTH ? 4 : 3;
	bool here = depth == r->depth && r->points[depth] == r->chosen;

	r->points[depth]++;
	if (!here)
		return;
	r->place = r->t->n;
	put(r->t, "%s", forbidden[next(r->seed) % kinds]);
}

static void grow(struct tree *r, unsigned depth, size_t most)
{
	static const char *const kinds[] = {"list", "obj", "obj", "feed"};
	unsigned n = 1 + (unsigned)(next(r->seed) % 12);

	for (unsigned i = 0; i < n && r->t->n < most; i++) {
		point(r, depth);
		if (depth < XML_DEPTH && next(r->seed) % 3 == 0) {
			const char *kind = kinds[next(r->seed) % 4];

			put(r->t, "<%s name='n%u'>", kind, ++r->names);
			grow(r, depth + 1, most);
			put(r->t, "</%s>", kind);
		} else if (depth < XML_DEPTH && next(r->seed) % 2) {
			put(r->t,
			    "<obj><real name='value' val='%u' "
			    "unit='obix:units/kilowatt_hour'/></obj>", i);
		} else {
			put(r->t,
			    "<real name='e%u' unit='obix:units/"
			    "kilowatt_hour' val='%u.25'/>",
			    ++r->names, i);
		}
	}
	point(r, depth);
}

/* A document with one of them; the same seed gives the same. */
static struct tree a_tree(struct text *t, uint64_t *seed, unsigned depth,
			  unsigned chosen)
{
	struct tree r = {
		.t = t, .seed = seed, .depth = depth, .chosen = chosen};
	size_t most = 500 + next(seed) % 60000;

	t->n = 0;
	put(t, "<?xml version='1.0'?>\n<%s href='/obix/tree'>",
	    next(seed) % 2 ? "list" : "obj");
	while (t->n < most)
		grow(&r, 2, most);
	return r;
}

static void close_tree(struct text *t, bool list)
{
	put(t, "</%s>", list ? "list" : "obj");
}

/* A document that has places of that depth, and the element in one. */
static size_t tree_with_one(struct text *body, uint64_t *seed, unsigned depth)
{
	unsigned points = 0;
	uint64_t shape = 0;
	struct tree r;

	for (int tries = 0; points == 0; tries++) {
		uint64_t again;

		assert_true(tries < 100);
		shape = again = next(seed);
		points = a_tree(body, &again, 0, 0).points[depth];
	}
	r = a_tree(body, &shape, depth, (unsigned)next(seed) % points);
	assert_true(r.place);
	return r.place;
}

static void one_round(struct text *body, struct text *all, uint64_t *seed,
		      unsigned depth, unsigned *deep)
{
	size_t place = tree_with_one(body, seed, depth);
	bool list = body->p[strlen("<?xml version='1.0'?>\n<")] == 'l';
	struct xfer *x = start(next(seed) % 2);
	uint32_t left;

	close_tree(body, list);
	all->n = 0;
	if (next(seed) % 2) {
		put_chunks(all, span_of(body->p, body->n), &place, seed);
	} else {
		put_answer(all, span_of(body->p, body->n), "text/xml");
		place += all->n - body->n;
	}
	x->has_forbidden = true;
	x->forbidden = KIT_ISN + 1 + (uint32_t)place;
	open_by(x, false);
	stream(x, false, span_str(get), 1448, seed);
	stream(x, true, span_of(all->p, all->n), next(seed) % 2 ? 1448 : 0,
	       seed);
	left = x->left[0] - KIT_ISN - 1;
	if (x->leaked || !x->refused || x->why != REASON_NO_GRANT)
		fail_msg("depth %u, place %zu of %zu: %s, %s %s, left %u",
			 depth, place, all->n,
			 x->leaked ? "leaked" : "held back",
			 reason_text(x->why), x->what, left);
	/* What stands well before it was released. */
	if (place > 2 * PIPELINE_HOLD_OCTETS) {
		if (left < place - 2 * PIPELINE_HOLD_OCTETS)
			fail_msg("place %zu, only %u left", place, left);
		++*deep;
	}
	stop(x);
}

static void a_forbidden_element_anywhere(void **state)
{
	struct text body = text_of(1 << 20), all = text_of(1 << 20);
	uint64_t seed = 20261126;
	unsigned deep = 0;

	(void)state;
	printf("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < ROUNDS; i++)
		one_round(&body, &all, &seed,
			  2 + (unsigned)i % (XML_DEPTH - 1), &deep);
	assert_true(deep > ROUNDS / 10);
	free(body.p);
	free(all.p);
}

/* --- a stream that ends early ----------------------------------------------------- */

#define KWH "<real unit='obix:units/kilowatt_hour' val='1'/>"

static void ends_inside_a_body(void **state)
{
	static const struct {
		const char *why, *answer;
		bool incomplete;
	} rows[] = {
		{"a page that is not whole",
		 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", true},
		{"no octet of it",
		 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", true},
		{"a page that is",
		 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", false},
		{"no last chunk",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "5\r\n12345\r\n", true},
		{"until the connection ends", "HTTP/1.1 200 OK\r\n\r\n12345678",
		 false},
		{"a document that does not",
		 "HTTP/1.1 200 OK\r\n\r\n<list>" KWH, true},
		{"one that does",
		 "HTTP/1.1 200 OK\r\n\r\n<list>" KWH "</list>", false},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-Le", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct xfer *x = start(false);
		uint64_t seed = i;

		open_by(x, false);
		stream(x, false, span_str(get), 1448, &seed);
		stream(x, true, span_str(rows[i].answer), 7, &seed);
		if (!x->refused)
			send(x, true, TCP_ACK | TCP_FIN, (struct span){0});
		if (x->refused != rows[i].incomplete ||
		    (x->refused && x->why != REASON_INCOMPLETE))
			fail_msg("%s: %s %s", rows[i].why,
				 reason_text(x->why), x->what);
		stop(x);
	}
}

#define STREAM_HEAD                                                            \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"              \
	"Transfer-Encoding: chunked\r\n\r\n"

/* An event stream may be silent behind each event: nothing of one waits. */
static void events_leave_at_once(void **state)
{
	static const char *const parts[] = {
		STREAM_HEAD,
		"9\r\ndata: 1\n\n\r\n", "9\r\ndata: 2\n\n\r\n",
		"12\r\ndata: 3\n\ndata: 4\n\n\r\n", "0\r\n\r\n"};
	struct xfer *x = start(false);
	uint64_t seed = 1;

	(void)state;
	open_by(x, false);
	stream(x, false, span_str(get), 1448, &seed);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		stream(x, true, span_str(parts[i]), 1448, &seed);
		if (x->refused || x->left[0] != x->seq[0])
			fail_msg("part %zu: %u octets wait, %s", i,
				 x->seq[0] - x->left[0], reason_text(x->why));
	}
	assert_int_equal(x->exchanges, 2);
	stop(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_history_of_20_mb),
		cmocka_unit_test(a_page_of_50_mb),
		cmocka_unit_test(a_forbidden_element_anywhere),
		cmocka_unit_test(ends_inside_a_body),
		cmocka_unit_test(events_leave_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
