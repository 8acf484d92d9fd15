/* SPDX-License-Identifier: Apache-2.0 */
/* A party that may say what nobody reads: that gives it neither messages of a
 * protocol that is read, nor two values for one octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define PA (TCP_PSH | TCP_ACK)

enum op { END, ME, YOU, ACK }; /* ACK: of YOU, up to at */
enum want { PASS, DROP };

/* Octets at..at + n of units (kit_units): in a stream at that place, in a
 * datagram alone. */
struct act {
	enum op op;
	const char *units;
	uint32_t at, n;
	enum want want;
	enum reason why;
};

#define ALL 4096

struct row {
	const char *why;
	struct act act[8];
};

static const struct row datagrams[] = {
	{"a message alone", {{ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"a message behind what nobody reads",
	 {{ME, "z", 0, 1, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"a message in answer to it",
	 {{ME, "z", 0, 1, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {YOU, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"what nobody reads behind a message is refused as one",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT},
	  {ME, "z", 0, ALL, DROP, REASON_MALFORMED}}},
	{"an empty datagram says nothing",
	 {{ME, "", 0, ALL, PASS, 0},
	  {ME, "z", 0, ALL, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"with octets behind it, a message still",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "az", 0, ALL, DROP, REASON_MALFORMED}}},
	{"the first begins like one by chance",
	 {{ME, "y", 0, ALL, DROP, REASON_MALFORMED},
	  {ME, "z", 0, ALL, PASS, 0},
	  {YOU, "y", 0, ALL, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"the first is the half of one",
	 {{ME, "a", 0, 20, DROP, REASON_MALFORMED},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT},
	  {ME, "z", 0, ALL, DROP, REASON_MALFORMED}}},
	{"the first octet of one is none",
	 {{ME, "a", 0, 1, PASS, 0},
	  {ME, "z", 0, ALL, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"what begins like one by chance",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "y", 0, ALL, PASS, 0},
	  {ME, "z", 0, ALL, PASS, 0}}},
};

static const struct row streams[] = {
	{"a message alone", {{ME, "a", 0, ALL, DROP, REASON_NO_GRANT}}},
	{"a message in answer to what nobody reads",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "a", 0, ALL, DROP, REASON_CHANGED_PROTOCOL},
	  {ME, "zz", 31, ALL, DROP, REASON_TCP_FLOW_DENIED}}},
	{"a message whose peer said one octet first",
	 {{YOU, "z", 0, 1, PASS, 0},
	  {ME, "a", 0, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"a message in the middle, when it is its end's turn",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same in pieces",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 1, PASS, 0},
	  {ME, "za", 32, 4, PASS, 0},
	  {ME, "za", 36, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, the other end speaking in between",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "zzza", 31, 62, PASS, 0},
	  {YOU, "zz", 31, ALL, PASS, 0},
	  {ME, "zzza", 93, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, its first octet acknowledged",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 1, PASS, 0},
	  {ACK, "", 32, 0, PASS, 0},
	  {ME, "za", 32, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, twice, and an octet in between sent again",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 1, PASS, 0},
	  {ACK, "", 32, 0, PASS, 0},
	  {ME, "za", 31, 1, DROP, REASON_TCP_REPEATED},
	  {ME, "za", 31, 4, DROP, REASON_TCP_REPEATED},
	  {ME, "za", 32, 3, PASS, 0},
	  {ME, "za", 35, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, the other end speaking inside it",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 5, PASS, 0},
	  {YOU, "zz", 31, ALL, PASS, 0},
	  {ME, "za", 36, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, and that acknowledges",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 5, PASS, 0},
	  {YOU, "zz", 31, 1, PASS, 0},
	  {ACK, "", 36, 0, PASS, 0},
	  {ME, "za", 36, 1, PASS, 0},
	  {YOU, "zz", 32, ALL, PASS, 0},
	  {ME, "za", 37, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"a message in the same turn, in a segment of its own",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same, with octets behind it",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "zaz", 31, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"the same in pieces",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "za", 31, 1, PASS, 0},
	  {ACK, "", 32, 0, PASS, 0},
	  {ME, "za", 32, 4, PASS, 0},
	  {ME, "za", 36, ALL, DROP, REASON_CHANGED_PROTOCOL}}},
	{"inside a segment it is not looked for",
	 {{ME, "za", 0, ALL, PASS, 0},
	  {ME, "zaza", 62, ALL, PASS, 0}}},
	{"a message in what may be the first octets of another",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "zz", 0, 31, PASS, 0},
	  {ME, "zyay", 31, 20, PASS, 0},
	  {YOU, "zz", 31, 1, PASS, 0},
	  {ME, "zyay", 51, 20, PASS, 0},
	  {YOU, "zz", 32, ALL, PASS, 0},
	  {ME, "zyay", 71, ALL, PASS, 0}}},
	{"a turn that begins like one by chance",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {YOU, "z", 0, ALL, PASS, 0},
	  {ME, "zy", 31, ALL, PASS, 0},
	  {YOU, "zy", 31, ALL, PASS, 0}}},
	{"other octets in the same place",
	 {{ME, "z", 0, ALL, PASS, 0},
	  {ME, "f", 0, ALL, DROP, REASON_EVASION}}},
	{"the same octets again",
	 {{ME, "z", 0, ALL, PASS, 0}, {ME, "z", 0, ALL, PASS, 0}}},
	{"the same octets, cut elsewhere",
	 {{ME, "zzzz", 0, 40, PASS, 0},
	  {ME, "zzzz", 40, 40, PASS, 0},
	  {ME, "zzzz", 20, 37, PASS, 0},
	  {ME, "zzzz", 0, ALL, PASS, 0}}},
	{"one other octet, behind new ones and before some",
	 {{ME, "zzz", 0, 70, PASS, 0},
	  {ME, "zfz", 20, ALL, DROP, REASON_EVASION}}},
	{"other octets in place of some that were acknowledged",
	 {{ME, "zz", 0, ALL, PASS, 0},
	  {ACK, "", 31, 0, PASS, 0},
	  {ME, "fz", 0, 31, DROP, REASON_TCP_REPEATED},
	  {ME, "zz", 31, ALL, PASS, 0},
	  {ME, "zf", 31, ALL, DROP, REASON_EVASION}}},
	{"early ones, other than what fills the gap",
	 {{ME, "zzz", 31, 31, DROP, REASON_EVASION},
	  {ME, "zfz", 0, ALL, PASS, 0},
	  {ME, "zfzz", 93, ALL, DROP, REASON_TCP_FLOW_DENIED}}},
};

static struct kit *kit(bool live)
{
	struct kit *k = kit_new(true, false);

	kit_live(k, live);
	k->p->conf.checksums = false;
	k->bulk = true;
	return k;
}

static void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static enum reason why(const struct kit *k, uint64_t id)
{
	return k->verdict[id].n ? k->verdict[id].why : (enum reason)-1;
}

#define assert_why(k, id, r)                                                  \
	assert_string_equal(reason_text(why(k, id)), reason_text(r))

static uint64_t segment(struct kit *k, bool out, uint32_t at, uint32_t ack,
			struct span s)
{
	struct kit_seg g = {.out = out, .port = KIT_PORT, .flags = PA,
			    .seq = (out ? KIT_ISN : KIT_ISN2) + 1u + at,
			    .ack = (out ? KIT_ISN2 : KIT_ISN) + 1u + ack};

	if (s.n == 0)
		g.flags = TCP_ACK;
	return kit_tcp(k, &g, s);
}

static uint64_t act(struct kit *k, const struct act *a, bool tcp, bool out)
{
	uint8_t b[1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = span_sub(kit_units(&w, a->units), a->at, a->n);

	if (a->op != ME)
		out = !out;
	if (!tcp)
		return kit_odd_datagram(k, out, s);
	if (a->op == ACK)
		return segment(k, out, 0, a->at, (struct span){0});
	return segment(k, out, a->at, 0, s);
}

/* Whichever end begins, live and from a capture. */
static unsigned run(const struct row *r, bool tcp, bool out, bool live)
{
	struct kit *k = kit(live);
	uint64_t id[8] = {0};
	unsigned bad = 0;

	if (tcp)
		kit_handshake(k, KIT_PORT, KIT_ISN, false);
	for (int i = 0; i < 8 && r->act[i].op != END; i++) {
		kit_wait(k, NS_PER_S / 1000);
		id[i] = act(k, &r->act[i], tcp, out);
	}
	for (int i = 0; i < 8 && r->act[i].op != END; i++) {
		const struct kit_verdict *v = &k->verdict[id[i]];
		const struct act *a = &r->act[i];

		if (v->n == 1 && (v->v == PACKET_PASS) == (a->want == PASS) &&
		    v->why == a->why)
			continue;
		print_error("%s, %s, %s: %d: %s, not %s\n", r->why,
			    out ? "outwards" : "inwards",
			    live ? "live" : "captured", i + 1,
			    v->n ? reason_text(v->why) : "waits",
			    reason_text(a->why));
		bad++;
	}
	done(k);
	return bad;
}

static void tables(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (int how = 0; how < 4; how++) {
		for (size_t i = 0; i < sizeof(datagrams) / sizeof(*datagrams);
		     i++)
			bad += run(&datagrams[i], false, how & 1, how & 2);
		for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
			bad += run(&streams[i], true, how & 1, how & 2);
	}
	assert_int_equal(bad, 0);
}

/* --- elements in front ------------------------------------------------------ */

/* A request behind an element that readers take and we refuse: nothing of it
 * leaves, wherever it is cut. turn: behind what nobody
 * reads, when it is its end's turn. */
static void in_front_at(struct span apdu, bool turn, size_t cut)
{
	struct kit *k = kit(true);
	uint32_t at = 0, ack = 0;
	uint64_t id[2];

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	if (turn) {
		assert_why(k, segment(k, true, 0, 0, span_of("0123", 4)),
			   REASON_NONE);
		assert_why(k, segment(k, false, 0, 4, span_of("4567", 4)),
			   REASON_NONE);
		at = ack = 4;
	}
	id[0] = segment(k, true, at, ack, span_sub(apdu, 0, cut));
	id[1] = cut < apdu.n ? segment(k, true, at + (uint32_t)cut, ack,
				       span_from(apdu, cut)) :
			       id[0];
	assert_int_equal(k->verdict[id[1]].n, 1);
	assert_int_equal(k->verdict[id[1]].v, PACKET_DROP);
	if (!turn)
		assert_int_equal(k->verdict[id[0]].v, PACKET_DROP);
	else if (why(k, id[0]) != REASON_CHANGED_PROTOCOL)
		assert_why(k, id[1], REASON_CHANGED_PROTOCOL);
	done(k);
}

static void in_front(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
	} lead[] = {{"", 0},
		    {"\xa0\2\7\x80", 4},
		    {"\xa0\4\3\2\7\x80", 6},
		    {"\xa5\3\2\1\1", 5},
		    {"\xa9\3\2\1\1", 5},
		    {"\xbd\2\4\0", 4},
		    {"\xa0\2\7\x80\xa5\3\2\1\1\xbd\2\4\0", 13}};
	uint8_t request_b[64], apdu_b[128];

	(void)state;
	for (size_t i = 0; i < sizeof(lead) / sizeof(*lead); i++) {
		struct span front = span_of(lead[i].octets, lead[i].n);
		struct wbuf r = wbuf_of(request_b, sizeof(request_b));
		struct span request = kit_units(&r, "a"), apdu;
		struct wbuf w = wbuf_of(apdu_b, sizeof(apdu_b));
		struct kit *k = kit(true);
		uint64_t id;

		wbuf_u8(&w, 0x60);
		wbuf_u8(&w, (uint8_t)(request.n - 2 + front.n));
		wbuf_put(&w, front);
		wbuf_put(&w, span_from(request, 2));
		apdu = wbuf_span(&w);
		assert_why(k, kit_odd_datagram(k, true, span_of("0123", 4)),
			   REASON_NONE);
		id = kit_odd_datagram(k, true, apdu);
		assert_int_equal(k->verdict[id].v, PACKET_DROP);
		done(k);
		for (size_t cut = 1; cut <= apdu.n; cut++) {
			in_front_at(apdu, false, cut);
			in_front_at(apdu, true, cut);
		}
	}
}

/* --- inside a turn ----------------------------------------------------------- */

/* What follows on four octets, cut there, while the other end says nothing: is
 * it found? */
static bool found_at(struct span s, size_t cut, bool turn)
{
	struct kit *k = kit(true);
	uint32_t ack = 0, at = 4;
	uint64_t id[2];
	bool found;

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	assert_why(k, segment(k, true, 0, 0, span_of("0123", 4)), REASON_NONE);
	if (turn) {
		segment(k, false, 0, at, span_of("4567", 4));
		ack = 4;
	}
	id[0] = segment(k, true, at, ack, span_sub(s, 0, cut));
	id[1] = segment(k, true, at + (uint32_t)cut, ack, span_from(s, cut));
	found = why(k, id[0]) == REASON_CHANGED_PROTOCOL ||
		why(k, id[1]) == REASON_CHANGED_PROTOCOL;
	done(k);
	return found;
}

static void inside_a_turn(void **state)
{
#define LONG_METHOD "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ"
	static const struct {
		const char *text;
		int miss; /* where it may be cut and not be found, twice */
	} rows[] = {
		{"GET /x HTTP/1.1\r\n\r\n", -1},
		{"PROPFIND /x HTTP/1.1\r\n\r\n", -1},
		{"HTTP/1.1 200 OK\r\n\r\n", -1},
		/* What may be a word of any protocol, and what it says. */
		{"BREW /x HTTP/1.1\r\n\r\n", 4},
		{LONG_METHOD " /x HTTP/1.1\r\n\r\n", 52},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct span s = span_str(rows[i].text);

		for (size_t cut = 1; cut < s.n; cut++) {
			int at = (int)cut - rows[i].miss;
			bool miss = rows[i].miss > 0 && (at == 0 || at == 1);

			if (found_at(s, cut, false) == miss ||
			    found_at(s, cut, true) == miss)
				fail_msg("%s, cut at %zu", rows[i].text, cut);
		}
	}
}

/* So many segments that may each become a message are not what is refused. */
static void many_inside(void **state)
{
	struct kit *k = kit(true);
	uint32_t at = 4, ack = 0;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	segment(k, true, 0, 0, span_of("0123", 4));
	for (int i = 0; i < 12; i++) {
		assert_why(k, segment(k, true, at, ack, span_of("GE", 2)),
			   REASON_NONE);
		at += 2;
		if (i % 3 != 2)
			continue;
		assert_why(k, segment(k, false, ack, at, span_of("4567", 4)),
			   REASON_NONE);
		ack += 4;
	}
	done(k);
}

#define PIECE 15000

/* With a receiver that has a wide window. */
static void wide(struct kit *k, uint16_t port)
{
	struct side *s;

	kit_handshake(k, port, KIT_ISN, false);
	s = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	s->edge = s->offered = s->edge + (1 << 20);
}

/* So many pieces that nobody acknowledges; the verdict of the last. */
static enum reason pieces(struct kit *k, uint16_t port, uint32_t n)
{
	static const uint8_t b[PIECE];
	struct kit_seg g = {.out = true, .port = port, .flags = PA,
			    .seq = KIT_ISN + 1, .ack = KIT_ISN2 + 1};
	uint64_t id = 0;

	for (uint32_t i = 0; i < n; i++) {
		id = kit_tcp(k, &g, span_of(b, PIECE));
		g.seq += PIECE;
	}
	return why(k, id);
}

/* --- long turns ----------------------------------------------------------- */

/* What the turn of the machine says, cut there, with an acknowledgement and
 * one octet of the other end in between. */
static enum reason turn_in_two(const char *text, size_t cut, uint32_t *kept)
{
	struct span s = span_of(text, strlen(text));
	struct kit *k = kit(true);
	const struct side *me;
	enum reason r;

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	me = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	segment(k, true, 0, 0, span_of("0123", 4));
	segment(k, false, 0, 4, span_of("4567", 4));
	assert_why(k, segment(k, true, 4, 4, span_sub(s, 0, cut)), REASON_NONE);
	assert_why(k, segment(k, false, 4, 4 + (uint32_t)cut,
			      span_of("8", 1)),
		   REASON_NONE);
	r = why(k, segment(k, true, 4 + (uint32_t)cut, 5, span_from(s, cut)));
	segment(k, false, 5, 4 + (uint32_t)s.n, (struct span){0});
	*kept = me->kept.n;
	done(k);
	return r;
}

/* Nothing of an answer is kept behind its acknowledgement, its end's first
 * octets or not: there is one for each connection. */
static void answers_cost_no_memory(void **state)
{
	struct kit *k = kit(true);
	const struct flow *f;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	f = &k->p->flow[k->p->lru[0][LIST_TCP].newest];
	for (uint32_t at = 0; at < 12; at += 4) {
		segment(k, true, at, at, span_of("0123", 4));
		segment(k, false, at, at + 4, span_of("4567", 4));
		segment(k, true, at + 4, at + 4, (struct span){0});
		assert_int_equal(f->side[0].kept.n, 0);
		assert_int_equal(f->side[1].kept.n, 0);
	}
	done(k);
}

static void long_turns(void **state)
{
	char text[3000], word[1200];
	uint32_t kept;

	(void)state;
	memset(word, 'a', sizeof(word));
	word[sizeof(word) - 1] = 0;
	snprintf(text, sizeof(text), "DELETE /obix/%s HTTP/1.1\r\n\r\n", word);
	for (size_t cut = 1; cut < 1200; cut += 97)
		assert_int_equal(turn_in_two(text, cut, &kept),
				 REASON_CHANGED_PROTOCOL);
	/* It may become one, and is kept as long; no more than that. */
	snprintf(text, sizeof(text), "GET /obix/%s", word);
	assert_int_equal(turn_in_two(text, 100, &kept), REASON_NONE);
	assert_int_equal(kept, strlen(text));
	snprintf(text, sizeof(text), "GET /obix/%s%s", word, word);
	assert_int_equal(turn_in_two(text, 100, &kept), REASON_NONE);
	assert_int_equal(kept, 0);
	/* Nobody takes it for anything. */
	snprintf(text, sizeof(text), "(%s)", word);
	assert_int_equal(turn_in_two(text, 100, &kept), REASON_NONE);
	assert_int_equal(kept, 0);
}

/* Turns of those octets each, answered: how many pass? */
static unsigned turns(const char *each, unsigned n)
{
	uint32_t at = 4, step = (uint32_t)strlen(each);
	struct kit *k = kit(true);
	unsigned passed = 0;

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	segment(k, true, 0, 0, span_of("0123", 4));
	for (uint32_t i = 0; i < n; i++) {
		uint64_t id;

		segment(k, false, i, at, span_of("4", 1));
		id = segment(k, true, at, i + 1, span_of(each, step));
		passed += why(k, id) == REASON_NONE;
		at += step;
	}
	done(k);
	return passed;
}

/* Each may be a message, one in another: more than are looked at are refused.
 * What nobody takes for one may go on for ever. */
static void turns_in_turns(void **state)
{
	(void)state;
	assert_int_equal(turns("GET /", 20), TURNS);
	assert_int_equal(turns("P", 200), 200);
	assert_int_equal(turns("ls\n", 200), 200);
	assert_int_equal(turns("HELO there\r\n", 200), 200);
	assert_int_equal(turns("x", 200), 200);
}

/* The first octets of a turn were given up for others, who knows of what. */
static void turn_forgotten(void **state)
{
	struct kit *k = kit(true);
	const struct side *me;

	(void)state;
	for (uint16_t i = 0; i < 5; i++)
		wide(k, KIT_PORT + i);
	segment(k, true, 0, 0, span_of("0123", 4));
	segment(k, false, 0, 4, span_of("4567", 4));
	me = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	assert_why(k, segment(k, true, 4, 4, span_of("GET ", 4)), REASON_NONE);
	segment(k, false, 4, 8, (struct span){0});
	assert_int_equal(me->kept.n, 4);
	kit_wait(k, 2 * RECLAIM_AFTER);
	assert_int_equal(pieces(k, KIT_PORT + 1, 16), REASON_NONE);
	assert_int_equal(pieces(k, KIT_PORT + 2, 16), REASON_NONE);
	assert_int_equal(pieces(k, KIT_PORT + 3, 16), REASON_NONE);
	pieces(k, KIT_PORT + 4, 4);
	assert_int_equal(me->kept.n, 0);
	assert_why(k, segment(k, true, 8, 4, span_of("/", 1)),
		   REASON_CHANGED_PROTOCOL);
	done(k);
}

/* --- bounds --------------------------------------------------------------- */

/* Octets of zero, but for one at a place that is not 0. */
static uint64_t odd(struct kit *k, uint32_t at, uint32_t n, uint32_t place)
{
	static uint8_t b[4096];
	uint64_t id;

	b[place] = place != 0;
	id = segment(k, true, at, 0, span_of(b, n));
	b[place] = 0;
	return id;
}

/* A stream has more on its way than is kept of one. As long as its first
 * octets may still be others, its sender has to wait; then the older half is
 * given up, and only what is kept is compared. */
static void as_much_as_is_kept(void **state)
{
	struct kit *k = kit(true);
	const struct side *me;

	(void)state;
	wide(k, KIT_PORT);
	me = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	assert_int_equal(pieces(k, KIT_PORT, 17), REASON_NONE);
	assert_int_equal(pieces(k, KIT_PORT, 18), REASON_RESOURCE);
	segment(k, false, 0, PIECE, (struct span){0});
	assert_int_equal(pieces(k, KIT_PORT, 18), REASON_NONE);
	assert_false(me->unseen);
	assert_int_equal(pieces(k, KIT_PORT, 20), REASON_NONE);
	assert_true(me->unseen);
	assert_true(me->kept.n > 8 * PIECE && me->kept.n < 12 * PIECE);
	assert_int_equal(me->base + me->kept.n, me->nxt);
	/* Not compared, and they may be needed. */
	assert_why(k, odd(k, PIECE, 1000, 500), REASON_NONE);
	/* They arrived. */
	segment(k, false, 0, 12 * PIECE, (struct span){0});
	odd(k, 19 * PIECE, 1000, 0);
	assert_false(me->unseen);
	assert_why(k, odd(k, PIECE, 1000, 500), REASON_TCP_REPEATED);
	assert_why(k, odd(k, 19 * PIECE, 1000, 500), REASON_EVASION);
	done(k);
}

/* Messages are never given up so. */
static void messages_are_kept(void **state)
{
	struct kit *k = kit(true);
	struct flow *f;

	(void)state;
	wide(k, KIT_PORT);
	f = &k->p->flow[k->p->lru[0][LIST_TCP].newest];
	assert_int_equal(pieces(k, KIT_PORT, 17), REASON_NONE);
	segment(k, false, 0, 1000, (struct span){0});
	f->dis = 0;
	assert_int_equal(pieces(k, KIT_PORT, 18), REASON_RESOURCE);
	assert_false(f->side[0].unseen);
	done(k);
}

/* The others have all room but what is for small ones. */
static void without_room(void **state)
{
	static const uint8_t b[PIECE];
	struct kit *k = kit(true);
	const struct side *me;

	(void)state;
	for (uint16_t i = 0; i < 4; i++)
		wide(k, KIT_PORT + i);
	segment(k, true, 0, 0, span_of(b, 100));
	me = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	segment(k, false, 0, 100, (struct span){0});
	for (uint16_t i = 1; i < 4; i++)
		assert_int_equal(pieces(k, KIT_PORT + i, 17), REASON_NONE);
	/* 16 KiB fit, no more. */
	assert_why(k, segment(k, true, 100, 0, span_of(b, PIECE)),
		   REASON_NONE);
	assert_int_equal(me->kept.n, PIECE);
	assert_false(me->unseen);
	assert_why(k, segment(k, true, 100 + PIECE, 0, span_of(b, 3000)),
		   REASON_NONE);
	assert_true(me->unseen);
	assert_int_equal(me->base + me->kept.n, me->nxt);
	segment(k, false, 0, 3100 + PIECE, (struct span){0});
	segment(k, true, 3100 + PIECE, 0, span_of(b, 100));
	segment(k, false, 0, 3200 + PIECE, (struct span){0});
	assert_false(me->unseen);
	assert_int_equal(me->kept.n, 0);
	done(k);
}

/* Nothing of it is on its way, and one segment is more than fits. */
static void large_without_room(void **state)
{
	static const uint8_t b[20000];
	struct kit *k = kit(true);
	const struct side *me;

	(void)state;
	for (uint16_t i = 0; i < 4; i++)
		wide(k, KIT_PORT + i);
	segment(k, true, 0, 0, span_of(b, 100));
	me = &k->p->flow[k->p->lru[0][LIST_TCP].newest].side[0];
	segment(k, false, 0, 100, (struct span){0});
	for (uint16_t i = 1; i < 4; i++)
		assert_int_equal(pieces(k, KIT_PORT + i, 17), REASON_NONE);
	assert_why(k, segment(k, true, 100, 0, span_of(b, sizeof(b))),
		   REASON_NONE);
	assert_true(me->unseen);
	assert_int_equal(me->kept.n, 0);
	assert_int_equal(me->from, me->nxt);
	/* It may be needed again. */
	assert_why(k, segment(k, true, 100, 0, span_of(b, sizeof(b))),
		   REASON_NONE);
	/* Behind it they are compared. */
	assert_why(k, segment(k, true, 20100, 0, span_of(b, 1000)),
		   REASON_NONE);
	assert_int_equal(me->kept.n, 1000);
	assert_why(k, odd(k, 20100, 1000, 500), REASON_EVASION);
	done(k);
}

/* Others need the room, and this one was silent: what it sends again could be
 * anything, so it ends. */
static void forgotten(void **state)
{
	struct kit *k = kit(true);

	(void)state;
	for (uint16_t i = 0; i < 4; i++)
		wide(k, KIT_PORT + i);
	assert_int_equal(pieces(k, KIT_PORT, 16), REASON_NONE);
	assert_int_equal(pieces(k, KIT_PORT + 1, 16), REASON_NONE);
	assert_int_equal(pieces(k, KIT_PORT + 2, 16), REASON_NONE);
	/* Nobody is silent yet. */
	assert_int_equal(pieces(k, KIT_PORT + 3, 4), REASON_RESOURCE);
	assert_int_equal(pieces(k, KIT_PORT, 1), REASON_NONE);
	kit_wait(k, 2 * RECLAIM_AFTER);
	assert_int_equal(pieces(k, KIT_PORT + 3, 4), REASON_NONE);
	assert_int_equal(k->n_resets, 0);
	assert_int_equal(pieces(k, KIT_PORT + 1, 1), REASON_RESOURCE);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(pieces(k, KIT_PORT + 2, 1), REASON_NONE);
	done(k);
}

/* --- with a kernel that carries ------------------------------------------- */

static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 40000, 100000};

static struct kit *carrier(void)
{
	struct kit *k = kit(true);

	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	return k;
}

static uint64_t bulk(struct kit *k, bool out, uint32_t at, uint32_t ack,
		     uint32_t n)
{
	static const uint8_t b[16 * 1024];

	return segment(k, out, at, ack, span_of(b, n));
}

/* What one end has said does not tell what the other will. */
static void both_must_have_spoken(void **state)
{
	struct kit *k = carrier();

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	for (uint32_t at = 0; at < 50000; at += 10000) {
		assert_why(k, bulk(k, true, at, 0, 10000), REASON_NONE);
		bulk(k, false, 0, at + 10000, 0);
	}
	assert_int_equal(k->n_offloads, 0);
	/* And what it said has to have arrived, or it may be replaced. */
	assert_why(k, bulk(k, false, 0, 50000, 1), REASON_NONE);
	bulk(k, true, 50000, 0, 100);
	assert_int_equal(k->n_offloads, 0);
	bulk(k, true, 50100, 1, 100);
	assert_int_equal(k->n_offloads, 1);
	done(k);
}

/* Each is a message of its own. */
static void no_datagrams(void **state)
{
	struct kit *k = carrier();

	static const uint8_t b[1000];

	(void)state;
	for (int i = 0; i < 40; i++) {
		assert_why(k, kit_odd_datagram(k, i & 1, span_of(b, 1000)),
			   REASON_NONE);
	}
	assert_int_equal(k->n_offloads, 0);
	done(k);
}

/* Up to 12000 octets of the machine's and 20 of the other end were seen, and
 * acknowledged; the kernel carried 20000 more. */
static struct kit *returned(const struct flow **f)
{
	struct kit *k = carrier();

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	bulk(k, true, 0, 0, 6000);
	bulk(k, false, 0, 6000, 20);
	assert_why(k, bulk(k, true, 6000, 20, 6000), REASON_NONE);
	*f = &k->p->flow[k->p->lru[0][LIST_CARRIED].newest];
	assert_int_equal((*f)->offload, 1);
	kit_wait(k, 2 * NS_PER_S);
	k->p->conf.offload = NULL; /* no further */
	/* It comes back at 32000, whose receiver has up to 25000. */
	assert_why(k, bulk(k, true, 32000, 20, 1000), REASON_NONE);
	assert_int_equal((*f)->offload, 0);
	assert_why(k, bulk(k, false, 20, 25000, 0), REASON_NONE);
	return k;
}

static void carried_octets_again(void **state)
{
	const struct flow *f;
	struct kit *k = returned(&f);

	(void)state;
	/* Nobody knows what they were; they are needed. */
	assert_why(k, bulk(k, true, 25000, 20, 1000), REASON_NONE);
	assert_why(k, bulk(k, true, 31000, 20, 1500), REASON_NONE);
	assert_int_equal(k->n_acks, 0);
	/* They arrived: now they are old, and the sender is told. */
	assert_why(k, bulk(k, false, 20, 32000, 0), REASON_NONE);
	assert_why(k, bulk(k, true, 31000, 20, 1000), REASON_TCP_REPEATED);
	assert_int_equal(k->n_acks, 1);
	assert_why(k, bulk(k, true, 32500, 20, 1500), REASON_NONE);
	assert_why(k, odd(k, 32000, 1000, 600), REASON_EVASION);
	done(k);
}

/* What was seen again is compared, though carried octets are before it. */
static void seen_again(void **state)
{
	const struct flow *f;
	struct kit *k = returned(&f);

	(void)state;
	assert_why(k, odd(k, 31000, 1500, 1200), REASON_EVASION);
	assert_true(f->denied);
	done(k);
}

/* A gap is what the kernel carried for as long as that may take to arrive. */
static void gaps_end(void **state)
{
	const struct flow *f;
	struct kit *k = returned(&f);
	uint64_t id;

	(void)state;
	assert_why(k, bulk(k, true, 34000, 20, 1000), REASON_NONE);
	assert_why(k, bulk(k, false, 20, 35000, 0), REASON_NONE);
	kit_wait(k, 2 * LOOSE_MOST);
	id = bulk(k, true, 36000, 20, 1000);
	assert_int_equal(k->verdict[id].n, 0);
	assert_why(k, bulk(k, true, 35000, 20, 1000), REASON_NONE);
	assert_why(k, id, REASON_NONE);
	assert_false(f->denied);
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(in_front),
		cmocka_unit_test(answers_cost_no_memory),
		cmocka_unit_test(long_turns),
		cmocka_unit_test(inside_a_turn),
		cmocka_unit_test(many_inside),
		cmocka_unit_test(turns_in_turns),
		cmocka_unit_test(turn_forgotten),
		cmocka_unit_test(as_much_as_is_kept),
		cmocka_unit_test(messages_are_kept),
		cmocka_unit_test(without_room),
		cmocka_unit_test(large_without_room),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(both_must_have_spoken),
		cmocka_unit_test(no_datagrams),
		cmocka_unit_test(carried_octets_again),
		cmocka_unit_test(seen_again),
		cmocka_unit_test(gaps_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
