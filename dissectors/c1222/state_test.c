/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered between APDUs: requests, sessions, the replay window,
 * segments, shapes; and what is not when a message did not pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testmsg.h"

/* Table 0 of a meter, as the service that answers a full read. */
/* clang-format off */
#define ST0_ANSWER \
	"30 00 002c " \
	"021c884d4554520200202002000a0102010100eb19e11a00" \
	"0090e0810401f00600a000000000000000000000" \
	"44"
/* clang-format on */

static uint8_t buf[KIT_APDU];

/* The session of Annex G: key id and IV come with the logon and are then
 * implied; ids restart at 0 and count up by one. */
static void session(void **state)
{
	static const char key[] = "01020304050607080102030405060708";
	struct kit_msg logon = {.called = "80037bc175",
				.calling = "80027b04",
				.called_inv = -1,
				.inv = 77,
				.control = 0x84,
				.ac = true,
				.key_id = 2,
				.iv = 0x48f3c204,
				.key = key,
				.services = "0f 50 0002 'HEADEND   ' 003c"};
	struct kit_msg granted = {.called = "80027b04",
				  .calling = "80037bc175",
				  .called_inv = 77,
				  .inv = 1,
				  .control = 0x86,
				  .ac = true,
				  .key_id = 2,
				  .iv = 0x48f3c204,
				  .key = key,
				  .services = "03 00 003c"};
	struct kit_msg next = {.called = "80037bc175",
			       .calling = "80027b04",
			       .called_inv = -1,
			       .inv = 1,
			       .control = 0x84,
			       .key_id = 2,
			       .iv = 0x48f3c204,
			       .key = key,
			       .services = "03 300006"};
	struct kit_msg answer = {.called = "80027b04",
				 .calling = "80037bc175",
				 .called_inv = 0,
				 .inv = 2,
				 .control = 0x86,
				 .key_id = 2,
				 .iv = 0x48f3c204,
				 .key = key,
				 .services = "01 04"};
	static const char annex_g[] =
		"6021 a205 8003 7bc175 a604 8002 7b04 a803 020100 be0d 280b "
		"8109 84 03300005 515ae775";
	struct kit *k = kit_new();

	(void)state;
	kit_key(k, 2, key);
	kit_at(k, 0x48f3c204 * US_PER_S);
	/* before there is a session */
	kit_way(k, DIR_IN, 6);
	assert_int_equal(kit_run(k, kit_hex(annex_g, buf, sizeof(buf))),
			 REASON_SESSION_STATE);
	assert_int_equal(send(k, DIR_IN, 6, &logon), REASON_NONE);
	assert_int_equal(send(k, DIR_OUT, 6, &granted), REASON_NONE);
	/* an id too far */
	assert_int_equal(send(k, DIR_IN, 6, &next), REASON_SESSION_STATE);
	assert_int_equal(kit_run(k, kit_hex(annex_g, buf, sizeof(buf))),
			 REASON_NONE);
	assert_int_equal(obs_get(&k->obs[0], F_KEY_ID, 0), 2);
	assert_int_equal(obs_get(&k->obs[0], F_IV, 0), 0x48f3c204);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 5);
	/* once more */
	assert_int_equal(kit_run(k, kit_hex(annex_g, buf, sizeof(buf))),
			 REASON_REPLAY);
	assert_int_equal(send(k, DIR_OUT, 6, &answer), REASON_NONE);
	assert_int_equal(send(k, DIR_OUT, 6, &answer), REASON_REPLAY);
	assert_int_equal(send(k, DIR_IN, 6, &next), REASON_NONE);
	/* idle for longer than granted */
	kit_at(k, (0x48f3c204 + 61) * US_PER_S);
	next.inv = 2;
	assert_int_equal(send(k, DIR_IN, 6, &next), REASON_SESSION_STATE);
	kit_free(k);
}

/* Any message of a session may bring another key id and IV: those after it
 * imply these, and the ids count on. */
static void session_follows(void **state)
{
	static const char second[] = "01020304050607080102030405060708";
	static const struct {
		const char *why;
		enum dir dir;
		uint32_t inv, iv; /* seconds after the start */
		bool ac, second;
		enum reason want;
	} rows[] = {
		{"another key and IV",		   DIR_IN,  0, 5, true,	 true,	0			    },
		{"its answer, under the same",	   DIR_OUT, 1, 5, true,	 true,	0			    },
		{"implied from then on",	   DIR_IN,  1, 5, false, true,	0			    },
		{"and by the answer",		   DIR_OUT, 2, 5, false, true,	0			    },
		{"not those of the logon, which two others came after",
					       DIR_IN,  2, 1, false, true,	REASON_BAD_MAC		    },
		{"the ids count on",		   DIR_IN,  3, 5, false, true,	REASON_SESSION_STATE	    },
		{"a new IV for the caller",	   DIR_IN,  2, 6, true,	 true,	0			    },
		{"the callee has its own",	   DIR_OUT, 3, 7, true,	 true,	0			    },
		{"the callee's is implied",	   DIR_IN,  3, 7, false, true,	0			    },
		{"or the caller's",		   DIR_IN,  4, 6, false, true,	0			    },
		{"but no older one",		   DIR_IN,  5, 5, false, true,	REASON_BAD_MAC		    },
		{"nor the key before it",	   DIR_IN,  5, 7, false, false, REASON_BAD_MAC		    },
		{"a gap in the ids, with AC",	   DIR_IN,  9, 8, true,	 true,	0			    },
		{"goes on behind it",		   DIR_IN,  10, 8, false, true, 0			    },
		{"with AC, any id that is new",	   DIR_IN,  5, 9, true,	 true,	0			    },
		{"does not lead back",		   DIR_IN,  6, 9, false, true,	REASON_REPLAY		    },
		{"only on",			   DIR_IN,  11, 9, false, true, 0			    },
	};
	struct kit_msg m = sealed_request, a = sealed_answer;
	struct kit *k = kit_keyed();

	(void)state;
	kit_key(k, 2, second);
	m.services = "0f 50 0002 'HEADEND   ' 003c";
	a.services = "03 00 003c";
	a.iv = KIT_T0 + 1;
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_OUT, 6, &a), 0);
	m.services = "03 300017";
	a.services = "01 04";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit_msg *s = rows[i].dir == DIR_IN ? &m : &a;
		enum reason got;

		s->inv = rows[i].inv + (rows[i].dir == DIR_IN ? 0 : 9);
		s->iv = KIT_T0 + rows[i].iv;
		s->ac = rows[i].ac;
		s->key_id = rows[i].second ? 2 : 1;
		s->key = rows[i].second ? second : KIT_KEY;
		got = send(k, rows[i].dir, 6, s);
		if (got != rows[i].want)
			fail_msg("%s: %s (%s)", rows[i].why, reason_text(got),
				 k->e.text);
		if (rows[i].dir == DIR_IN)
			a.called_inv = rows[i].inv;
		if (got == 0 &&
		    obs_get(&k->obs[0], F_IV, 0) != KIT_T0 + rows[i].iv)
			fail_msg("%s: IV", rows[i].why);
	}
	kit_free(k);
}

/* What a session was told and did not pass is not followed. */
static void session_refused(void **state)
{
	struct kit_msg m = sealed_request, a = sealed_answer;
	struct kit *k = kit_keyed();
	static uint8_t unit[KIT_APDU];

	(void)state;
	m.services = "0f 50 0002 'HEADEND   ' 003c";
	a.services = "03 00 003c";
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_OUT, 6, &a), 0);
	m.services = "03 300017";
	m.inv = 7;
	m.iv = KIT_T0 + 5;
	kit_way(k, DIR_IN, 6);
	assert_int_equal(kit_dissect(k, kit_make(&m, unit)), 0);
	dissector_c1222.settle(&k->c, false);
	m.inv = 0;
	m.iv = KIT_T0;
	m.ac = false;
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	kit_free(k);
}

/* A session ends with its logoff; wait extends it. */
static void session_end(void **state)
{
	struct kit_msg m = sealed_request, a = sealed_answer;
	struct kit *k = kit_keyed();

	(void)state;
	m.services = "0f 50 0002 'HEADEND   ' 003c";
	a.services = "03 00 003c";
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_OUT, 6, &a), 0);
	m.ac = a.ac = false;
	m.inv = 0;
	m.services = "02 70 78";
	a.called_inv = 0;
	a.inv = 10;
	a.services = "01 00";
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_OUT, 6, &a), 0);
	later(k, 150); /* 60 + 120 s */
	m.inv = 1;
	m.services = "01 52";
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	a.called_inv = 1;
	a.inv = 11;
	assert_int_equal(send(k, DIR_OUT, 6, &a), 0);
	m.inv = 2;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_SESSION_STATE);
	kit_free(k);
}

static void replays(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	/* over TCP nobody sends the same again */
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_REPLAY);
	k->c.lenient = true;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_REPLAY);
	k->c.lenient = false;
	/* the id alone, or the IV alone, may come again */
	m.iv++;
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	m.inv++;
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_REPLAY);
	/* an answer may repeat the IV and id of the request, once */
	assert_int_equal(send(k, DIR_OUT, 6, &sealed_answer), REASON_NONE);
	assert_int_equal(send(k, DIR_OUT, 6, &sealed_answer), REASON_REPLAY);
	kit_free(k);
}

/* More messages in the window than are remembered: the oldest are forgotten,
 * and what is as old is then refused. */
static void replay_memory(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	m.control = 0x8a; /* never answered */
	for (uint32_t i = 0; i < PAIR_SEEN + 10; i++) {
		m.inv = 100 + i;
		assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	}
	m.inv = 100;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_STALE_IV);
	m.inv = 100 + 9;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_STALE_IV);
	m.inv = 100 + 10;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_REPLAY);
	m.inv = 100 + PAIR_SEEN + 9;
	assert_int_equal(send(k, DIR_IN, 6, &m), REASON_REPLAY);
	m.inv++;
	assert_int_equal(send(k, DIR_IN, 6, &m), 0);
	kit_free(k);
}

/* Many messages of one second, their ids in no order: each is new once. */
static void replay_burst(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	m.control = 0x8a; /* never answered */
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i <= 400; i++) {
			enum reason got;

			m.inv = i * UINT32_C(0x9e3779b1);
			got = send(k, DIR_IN, 6, &m);
			if (got != (round ? REASON_REPLAY : 0))
				fail_msg("%u: %s", i, reason_text(got));
		}
	}
	kit_free(k);
}

/* The same octets over UDP: a retry while unanswered, then a replay. */
static void retries(void **state)
{
	static const struct {
		const char *why;
		const struct kit_msg *request, *answer;
	} rows[] = {
		{"clear",  &clear_request,  &clear_answer },
		{"sealed", &sealed_request, &sealed_answer},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_keyed();
		struct kit_msg second = *rows[i].answer;

		assert_int_equal(to_meter(k, rows[i].request), 0);
		assert_false(obs_has(&k->obs[0], F_RETRY));
		assert_int_equal(to_meter(k, rows[i].request), 0);
		assert_true(obs_has(&k->obs[0], F_RETRY));
		assert_int_equal(from_meter(k, rows[i].answer), 0);
		assert_int_equal(to_meter(k, rows[i].request), REASON_REPLAY);
		/* the answer to the retry */
		second.inv++;
		assert_int_equal(from_meter(k, &second), 0);
		second.inv++;
		assert_int_equal(from_meter(k, &second), REASON_UNPAIRED);
		assert_int_equal(to_meter(k, rows[i].request), REASON_REPLAY);
		kit_free(k);
	}
}

static void pairing(void **state)
{
	struct kit_msg other = clear_request, wrong;
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(to_meter(k, &clear_request), 0);
	/* wrong id, titles, direction */
	wrong = clear_answer;
	wrong.called_inv = 6;
	assert_int_equal(from_meter(k, &wrong), REASON_UNPAIRED);
	wrong = clear_answer;
	wrong.called = "80024702";
	assert_int_equal(from_meter(k, &wrong), REASON_UNPAIRED);
	wrong = clear_answer;
	wrong.calling = "8003478768";
	assert_int_equal(from_meter(k, &wrong), REASON_UNPAIRED);
	assert_int_equal(to_meter(k, &clear_answer), REASON_UNPAIRED);
	/* another peer */
	kit_way(k, DIR_OUT, 17);
	k->c.tup.dst = kit_addr(2);
	assert_int_equal(kit_run(k, kit_make(&clear_answer, buf)),
			 REASON_UNPAIRED);
	/* too many answers, none, fewer without a reason */
	wrong = clear_answer;
	wrong.services = "06 00 0002 4142 7d 06 00 0002 4142 7d";
	assert_int_equal(from_meter(k, &wrong), REASON_SUSPICIOUS);
	wrong.services = "";
	assert_int_equal(from_meter(k, &wrong), REASON_SUSPICIOUS);
	/* none of this used the request up */
	assert_int_equal(from_meter(k, &clear_answer), 0);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 23);
	assert_int_equal(from_meter(k, &clear_answer), REASON_UNPAIRED);
	/* the same id for something else: the answer could be to either */
	other.inv = 6;
	assert_int_equal(to_meter(k, &other), 0);
	other.services = "03 300040";
	assert_int_equal(to_meter(k, &other), 0);
	wrong = clear_answer;
	wrong.called_inv = 6;
	assert_int_equal(from_meter(k, &wrong), REASON_SUSPICIOUS);
	/* after the response timeout nothing is expected any more */
	other.inv = 7;
	assert_int_equal(to_meter(k, &other), 0);
	later(k, REQ_TIMEOUT_S + 1);
	wrong.called_inv = 7;
	assert_int_equal(from_meter(k, &wrong), REASON_UNPAIRED);
	kit_free(k);
}

/* One-way use of TCP: the answer comes on a connection of its own. */
static void two_connections(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	kit_way(k, DIR_IN, 6);
	k->c.tup.sport = 40000;
	assert_int_equal(kit_run(k, kit_make(&clear_request, buf)), 0);
	kit_way(k, DIR_OUT, 6);
	k->c.tup.sport = 50000;
	assert_int_equal(kit_run(k, kit_make(&clear_answer, buf)), 0);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 23);
	kit_free(k);
}

/* Answers must not be less protected than their requests. */
static void downgrade(void **state)
{
	struct kit_msg a = sealed_answer;
	struct kit *k = kit_keyed();

	(void)state;
	assert_int_equal(to_meter(k, &sealed_request), 0);
	a.control = 0x86; /* authenticated, not encrypted */
	assert_int_equal(from_meter(k, &a), REASON_DOWNGRADE);
	assert_int_equal(from_meter(k, &clear_answer), REASON_DOWNGRADE);
	assert_int_equal(from_meter(k, &sealed_answer), 0);
	kit_free(k);
}

/* After ten wrong MACs in a minute even the right one is not looked at. */
static void limited(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	m.key = "00000000000000000000000000000000";
	for (uint32_t i = 0; i < LIMITER_FAILURES; i++) {
		m.inv = i;
		assert_int_equal(to_meter(k, &m), REASON_BAD_MAC);
	}
	assert_int_equal(to_meter(k, &sealed_request), REASON_MAC_LIMIT);
	assert_int_equal(k->out.n, 0); /* nothing is said of its code */
	/* clear messages, other peers are not concerned */
	assert_int_equal(to_meter(k, &clear_request), 0);
	kit_way(k, DIR_IN, 17);
	k->c.tup.src = kit_addr(2);
	m = sealed_request;
	m.inv = 50;
	assert_int_equal(kit_run(k, kit_make(&m, buf)), 0);
	later(k, LIMITER_WINDOW_S + 1);
	assert_int_equal(to_meter(k, &sealed_request), 0);
	kit_free(k);
}

/* When only facts are asked, nobody gets an answer to his guesses. */
static void not_limited(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	k->c.lenient = true;
	m.key = "00000000000000000000000000000000";
	for (uint32_t i = 0; i < LIMITER_FAILURES + 2; i++) {
		m.inv = i;
		assert_int_equal(to_meter(k, &m), REASON_BAD_MAC);
	}
	assert_int_equal(to_meter(k, &sealed_request), 0);
	kit_free(k);
}

/* The shape of a meter comes from tables that passed, of that meter. */
static void learning(void **state)
{
	struct kit_msg m = clear_request, a = clear_answer;
	struct kit *k = kit_new();
	uint32_t live = 0;

	(void)state;
	m.services = "03 300000";
	a.services = ST0_ANSWER;
	assert_int_equal(to_meter(k, &m), 0);
	kit_way(k, DIR_OUT, 17);
	assert_int_equal(kit_dissect(k, kit_make(&a, buf)), 0);
	dissector_c1222.settle(&k->c, false);
	for (uint32_t i = 0; i <= SHAPE_MAX; i++)
		assert_false(k->m->shape[i].live);
	assert_int_equal(from_meter(k, &a), 0);
	for (uint32_t i = 0; i <= SHAPE_MAX; i++) {
		const struct shape_row *r = &k->m->shape[i];

		if (!r->live)
			continue;
		live++;
		assert_true(title_is(&r->owner,
				     obs_get_span(&k->obs[0], F_CALLING)));
		assert_true(r->shape.have != 0);
	}
	assert_int_equal(live, 1);
	kit_free(k);
}

static const char *slice_hex(struct span s, size_t off, size_t n)
{
	static char text[2 * KIT_APDU + 1];
	static const char digits[] = "0123456789abcdef";
	struct span part = span_sub(s, off, n);

	for (size_t i = 0; i < part.n; i++) {
		text[2 * i] = digits[part.p[i] >> 4];
		text[2 * i + 1] = digits[part.p[i] & 15];
	}
	text[2 * part.n] = 0;
	return text;
}

/* Slice [off, off + n) of the whole in `of`. */
static enum reason segment(struct kit *k, struct span of, size_t off, size_t n,
			   size_t total)
{
	struct kit_msg m = clear_request;

	m.total = (int64_t)total;
	m.offset = (int64_t)off;
	m.services = slice_hex(of, off, n);
	return to_meter(k, &m);
}

static enum reason segment_inv(struct kit *k, struct span of, size_t off,
			       size_t n, uint32_t inv)
{
	struct kit_msg m = clear_request;

	m.inv = inv;
	m.total = (int64_t)of.n;
	m.offset = (int64_t)off;
	m.services = slice_hex(of, off, n);
	return to_meter(k, &m);
}

static void segments(void **state)
{
	static uint8_t whole_buf[KIT_APDU], other_buf[KIT_APDU];
	struct span whole = kit_make(&clear_request, whole_buf);
	struct span other;
	struct kit_msg m = clear_request;
	struct kit *k = kit_new();
	size_t n = whole.n;

	(void)state;
	memcpy(other_buf, whole_buf, sizeof(other_buf));
	other = span_of(other_buf, n);
	other_buf[n - 1] ^= 1;
	/* any order, duplicates, overlaps with the same octets */
	assert_int_equal(segment(k, whole, 20, n - 20, n), 0);
	assert_int_equal(k->obs[0].kind, OBS_C1222_SEGMENT);
	assert_int_equal(obs_get(&k->obs[0], F_SEG_OFFSET, 0), 20);
	assert_int_equal(segment(k, whole, 20, n - 20, n), 0);
	assert_int_equal(segment(k, whole, 5, 18, n), 0);
	/* other octets, another total, past the end */
	assert_int_equal(segment(k, other, 20, n - 20, n), REASON_BAD_SEGMENT);
	assert_int_equal(segment(k, whole, 0, 5, n + 1), REASON_BAD_SEGMENT);
	m.total = (int64_t)n;
	m.offset = (int64_t)n;
	m.services = "00";
	assert_int_equal(to_meter(k, &m), REASON_BAD_SEGMENT);
	m.offset = (int64_t)n - 1;
	m.services = "0000";
	assert_int_equal(to_meter(k, &m), REASON_BAD_SEGMENT);
	m.total = SEG_OCTETS + 1;
	assert_int_equal(to_meter(k, &m), REASON_BAD_SEGMENT);
	/* the last one brings the message */
	assert_int_equal(segment(k, whole, 0, 5, n), 0);
	assert_int_equal(k->obs[0].kind, OBS_C1222_MESSAGE);
	assert_int_equal(obs_get(&k->obs[0], F_SEG_TOTAL, 0), n);
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_REQUEST);
	/* and it can be answered */
	assert_int_equal(from_meter(k, &clear_answer), 0);
	kit_free(k);
}

static void segments_refused(void **state)
{
	static uint8_t whole_buf[KIT_APDU];
	struct kit_msg m = clear_request;
	struct kit *k = kit_new();
	struct span whole;

	(void)state;
	/* an APDU of another id, another title */
	m.inv = 6;
	whole = kit_make(&m, whole_buf);
	assert_int_equal(segment(k, whole, 0, whole.n, whole.n),
			 REASON_BAD_SEGMENT);
	m = clear_request;
	m.calling = "80024702";
	whole = kit_make(&m, whole_buf);
	assert_int_equal(segment(k, whole, 0, whole.n, whole.n),
			 REASON_BAD_SEGMENT);
	/* a segment in a segment */
	m = clear_request;
	m.total = 50;
	whole = kit_make(&m, whole_buf);
	assert_int_equal(segment(k, whole, 0, whole.n, whole.n),
			 REASON_BAD_SEGMENT);
	/* nonsense in it */
	m = clear_request;
	m.services = "04 300017";
	whole = kit_make(&m, whole_buf);
	assert_int_equal(segment(k, whole, 0, whole.n, whole.n),
			 REASON_MALFORMED);
	/* refused in two parts, again and again: no buffer is kept for it */
	for (uint32_t i = 0; i < 2 * SEG_BUFFERS; i++) {
		m.inv = 100 + i;
		whole = kit_make(&m, whole_buf);
		assert_int_equal(segment_inv(k, whole, 0, 9, m.inv), 0);
		assert_int_equal(segment_inv(k, whole, 9, whole.n - 9, m.inv),
				 REASON_MALFORMED);
	}
	m.inv = clear_request.inv;
	/* parts that come too late complete nothing */
	whole = kit_make(&clear_request, whole_buf);
	assert_int_equal(segment(k, whole, 0, 10, whole.n), 0);
	later(k, SEG_TIMEOUT_S + 1);
	assert_int_equal(segment(k, whole, 10, whole.n - 10, whole.n), 0);
	assert_int_equal(k->obs[0].kind, OBS_C1222_SEGMENT);
	kit_free(k);
}

/* A peer has its share of buffers, and no more. */
static void segment_share(void **state)
{
	struct kit_msg m = clear_request;
	struct kit *k = kit_new();

	(void)state;
	m.total = 100;
	m.services = "aabb";
	for (uint32_t i = 0; i < SEG_PER_PEER; i++) {
		m.inv = i;
		assert_int_equal(to_meter(k, &m), 0);
	}
	m.inv = 99;
	assert_int_equal(to_meter(k, &m), REASON_RESOURCE);
	kit_way(k, DIR_IN, 17);
	k->c.tup.src = kit_addr(2);
	assert_int_equal(kit_run(k, kit_make(&m, buf)), 0);
	later(k, SEG_TIMEOUT_S + 1);
	assert_int_equal(to_meter(k, &m), 0);
	kit_free(k);
}

/* What did not pass leaves no trace. */
static void undone(void **state)
{
	struct kit_msg st0 = clear_request, seg = clear_request, seg2;
	struct kit_msg logon = sealed_request, granted = sealed_answer;
	const struct {
		const char *why;
		enum dir dir;
		const struct kit_msg *m;
		bool pass; /* afterwards, so that later rows have it */
	} rows[] = {
		{"request",                      DIR_IN,  &clear_request,  true },
		{"retry",                        DIR_IN,  &clear_request,  false},
		{"answer",                       DIR_OUT, &clear_answer,   true },
		{"read of a table that teaches", DIR_IN,  &st0,            true },
		{"sealed request",               DIR_IN,  &sealed_request, true },
		{"sealed answer",                DIR_OUT, &sealed_answer,  true },
		{"first segment",                DIR_IN,  &seg,            true },
		{"the same again",               DIR_IN,  &seg,            false},
		{"another segment",              DIR_IN,  &seg2,           true },
		{"logon",                        DIR_IN,  &logon,          true },
		{"session",                      DIR_OUT, &granted,        true },
	};
	struct kit *k = kit_keyed();
	struct c1222_machine *before = malloc(sizeof(*before));
	struct c1222_machine *after = malloc(sizeof(*after));

	(void)state;
	assert_true(before && after);
	st0.inv = 8;
	st0.services = "03 300000";
	seg.inv = 11;
	seg.total = 100;
	seg.offset = 10;
	seg2 = seg;
	seg2.offset = 50;
	logon.inv = 12;
	logon.services = "0f 50 0002 'HEADEND   ' 003c";
	granted.called_inv = 12;
	granted.inv = 12;
	granted.services = "03 00 003c";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		kit_way(k, rows[i].dir, 17);
		kit_copy(before, k->m);
		rc = kit_dissect(k, kit_make(rows[i].m, buf));
		if (rc && rc != E_MORE)
			fail_msg("%s: %s", rows[i].why, k->e.text);
		dissector_c1222.settle(&k->c, false);
		kit_copy(after, k->m);
		if (!kit_same(before, after, k->c.now.mono))
			fail_msg("%s left a trace", rows[i].why);
		if (rows[i].pass)
			assert_int_equal(send(k, rows[i].dir, 17, rows[i].m),
					 0);
	}
	free(before);
	free(after);
	kit_free(k);
}

/* A request that was refused has no answer; an answer that was refused can
 * come again. */
static void refused(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	kit_way(k, DIR_IN, 17);
	assert_int_equal(kit_dissect(k, kit_make(&clear_request, buf)), 0);
	dissector_c1222.settle(&k->c, false);
	assert_int_equal(from_meter(k, &clear_answer), REASON_UNPAIRED);
	assert_int_equal(to_meter(k, &clear_request), 0);
	kit_way(k, DIR_OUT, 17);
	assert_int_equal(kit_dissect(k, kit_make(&clear_answer, buf)), 0);
	dissector_c1222.settle(&k->c, false);
	/* no verdict at all is a refusal */
	assert_int_equal(kit_dissect(k, kit_make(&clear_answer, buf)), 0);
	assert_int_equal(from_meter(k, &clear_answer), 0);
	kit_free(k);
}

/* A peer that asks too much forgets its own requests, not those of others. */
static void flood(void **state)
{
	struct kit_msg m = clear_request, a = clear_answer;
	struct kit *k = kit_new();

	(void)state;
	kit_way(k, DIR_IN, 17);
	k->c.tup.src = kit_addr(2);
	assert_int_equal(kit_run(k, kit_make(&m, buf)), 0);
	for (uint32_t i = 0; i < 1000; i++) {
		m.inv = 1000 + i;
		kit_at(k, KIT_T0 * US_PER_S + i);
		assert_int_equal(to_meter(k, &m), 0);
	}
	a.called_inv = 1000;
	assert_int_equal(from_meter(k, &a), REASON_UNPAIRED);
	a.called_inv = 1999;
	assert_int_equal(from_meter(k, &a), 0);
	kit_way(k, DIR_OUT, 17);
	k->c.tup.dst = kit_addr(2);
	assert_int_equal(kit_run(k, kit_make(&clear_answer, buf)), 0);
	kit_free(k);
}

/* 64 requests to one peer may wait for their answers (policy-language 10.1);
 * the 65th costs the oldest. */
static void outstanding(void **state)
{
	struct kit_msg m = clear_request, a = clear_answer;
	struct kit *k = kit_new();

	(void)state;
	for (uint32_t extra = 0; extra < 2; extra++) {
		uint32_t base = 1000 + 1000 * extra;

		for (uint32_t i = 0; i < 64 + extra; i++) {
			m.inv = base + i;
			kit_at(k, KIT_T0 * US_PER_S + base + i);
			assert_int_equal(to_meter(k, &m), 0);
		}
		for (uint32_t i = 0; i < 64 + extra; i++) {
			a.called_inv = base + i;
			a.inv = base + i;
			assert_int_equal(from_meter(k, &a),
					 i < extra ? REASON_UNPAIRED : 0);
		}
	}
	kit_free(k);
}

static bool bound(const void *arg, const struct net_addr *a)
{
	return memcmp(arg, a, sizeof(*a)) == 0;
}

/* Registration from the guest 10.20.0.10, which is bound to 10.20.0.11, too;
 * .71.1 is a party of its policy. */
#define REGISTER(title, native) \
	"27 20 31 'METR' " title " 06032b0601 " native " 000e10"
#define OWN_T   "8003478769" /* .71.1001 */
#define OTHER_T "8003478f52" /* .71.2002 */
#define PARTY_T "80024701"   /* .71.1 */
#define OWN_A   "06 0a14000a 0481"

static void registration(void **state)
{
	static const struct {
		const char *why, *calling;
		enum dir dir;
		const char *services;
		enum reason want;
	} rows[] = {
		{"its own",		       KIT_CALLED, DIR_OUT,
		 "1b" REGISTER(OWN_T, OWN_A),					    0		     },
		{"its own, absolute",	       KIT_CALLED, DIR_OUT,
		 "23" REGISTER("060b607c86f7540116 00478769", OWN_A),		    0		     },
		{"another's title",	       KIT_CALLED, DIR_OUT,
		 "1b" REGISTER(OTHER_T, OWN_A),					    REASON_SUSPICIOUS},
		{"a party's title",	       PARTY_T,	   DIR_OUT,
		 "1a" REGISTER(PARTY_T, OWN_A),					    REASON_SUSPICIOUS},
		{"none yet",		       NULL,	   DIR_OUT,
		 "18" REGISTER("8000", OWN_A),					    0		     },
		{"a title that it does not call itself",
					       NULL,	   DIR_OUT,
		 "1b" REGISTER(OWN_T, OWN_A),					    REASON_SUSPICIOUS},
		{"an address bound to it",     KIT_CALLED, DIR_OUT,
		 "19" REGISTER(OWN_T, "04 0a14000b"),				    0		     },
		{"another's address",	       KIT_CALLED, DIR_OUT,
		 "19" REGISTER(OWN_T, "04 0a140063"),				    REASON_SUSPICIOUS},
		{"another's, of IPv6",	       KIT_CALLED, DIR_OUT,
		 "25" REGISTER(OWN_T, "10 fd000000000000000000000000000001"),	    REASON_SUSPICIOUS},
		{"deregisters itself",	       KIT_CALLED, DIR_OUT, "06 24" OWN_T,   0		     },
		{"deregisters another",	       KIT_CALLED, DIR_OUT, "06 24" OTHER_T, REASON_SUSPICIOUS},
		{"deregisters a party",	       NULL,	   DIR_OUT, "05 24" PARTY_T, REASON_SUSPICIOUS},
		{"resolves another",	       KIT_CALLED, DIR_OUT, "06 25" OTHER_T, 0		     },
		{"others may, with it",	       PARTY_T,	   DIR_IN,
		 "19" REGISTER(OTHER_T, "04 0a140063"),				    0		     },
	};
	static const uint8_t party[] = {0x60, 0x7c, 0x86, 0xf7, 0x54,
					0x01, 0x16, 0x00, 0x47, 0x01};
	struct span others = span_of(party, sizeof(party));
	struct net_addr second = kit_addr(11);
	struct dis_self self = {bound, &second, &others, 1};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool lenient = i & 1;
		struct kit_msg m = clear_request;
		struct kit *k = kit_new();
		enum reason got;

		m.called = rows[i / 2].dir == DIR_OUT ? KIT_CALLING
						      : KIT_CALLED;
		m.calling = rows[i / 2].calling;
		m.services = rows[i / 2].services;
		k->c.self = &self;
		k->c.lenient = lenient;
		got = send(k, rows[i / 2].dir, 17, &m);
		if (got != (lenient ? REASON_NONE : rows[i / 2].want))
			fail_msg("%s: %s (%s)", rows[i / 2].why,
				 reason_text(got), k->e.text);
		if (lenient && rows[i / 2].dir == DIR_OUT &&
		    noted(leaf(k), REASON_SUSPICIOUS) !=
			    (rows[i / 2].want != 0))
			fail_msg("%s: noted or not", rows[i / 2].why);
		kit_free(k);
	}
}

/* What was granted binds: until it is given back, when the answer passed. */
static void registration_granted(void **state)
{
	struct kit_msg ask = clear_request, answer = clear_answer;
	struct kit *k = kit_new();
	static uint8_t unit[KIT_APDU];

	(void)state;
	ask.called = answer.calling = KIT_CALLING;
	ask.calling = NULL;
	answer.called = NULL;
	ask.services = "18" REGISTER("8000", OWN_A);
	answer.services = "0c 00" OWN_T "001e 000e10 31";
	assert_int_equal(from_meter(k, &ask), 0);
	/* granted, but the answer did not pass */
	kit_way(k, DIR_IN, 17);
	assert_int_equal(kit_dissect(k, kit_make(&answer, unit)), 0);
	dissector_c1222.settle(&k->c, false);
	assert_int_equal(k->m->own.n, 0);
	assert_int_equal(to_meter(k, &answer), 0);
	assert_int_equal(k->m->own.n, 1);
	/* now it may leave out its name, and not take another */
	ask.inv++;
	ask.services = "1b" REGISTER(OWN_T, OWN_A);
	assert_int_equal(from_meter(k, &ask), 0);
	ask.inv++;
	ask.calling = "8003478f52";
	ask.services = "1b" REGISTER(OTHER_T, OWN_A);
	assert_int_equal(from_meter(k, &ask), REASON_SUSPICIOUS);
	ask.services = "06 24" OTHER_T;
	assert_int_equal(from_meter(k, &ask), REASON_SUSPICIOUS);
	/* until it gives its own back */
	ask.calling = answer.called = KIT_CALLED;
	ask.services = "06 24" OWN_T;
	assert_int_equal(from_meter(k, &ask), 0);
	answer.called_inv = ask.inv;
	answer.services = "01 00";
	assert_int_equal(to_meter(k, &answer), 0);
	assert_int_equal(k->m->own.n, 0);
	ask.inv++;
	ask.calling = "8003478f52";
	ask.services = "1b" REGISTER(OTHER_T, OWN_A);
	assert_int_equal(from_meter(k, &ask), 0);
	kit_free(k);
}

/* The table of granted titles is full: the first is forgotten. */
static void registration_many(void **state)
{
	struct kit_msg ask = clear_request, answer = clear_answer;
	struct kit *k = kit_new();

	(void)state;
	ask.called = answer.calling = KIT_CALLING;
	ask.calling = answer.called = NULL;
	ask.services = "18" REGISTER("8000", OWN_A);
	for (uint32_t i = 0; i < OWN_MAX + 2; i++) {
		char text[] = "0b 00 80024710 001e 000e10 31";

		text[13] = (char)('0' + i);
		ask.inv = 100 + i;
		answer.called_inv = ask.inv;
		answer.inv = i;
		answer.services = text;
		assert_int_equal(from_meter(k, &ask), 0);
		assert_int_equal(to_meter(k, &answer), 0);
	}
	assert_int_equal(k->m->own.n, OWN_MAX);
	ask.services = "1a" REGISTER("80024711", OWN_A);
	ask.inv++;
	assert_int_equal(from_meter(k, &ask), REASON_SUSPICIOUS);
	ask.services = "1a" REGISTER("80024712", OWN_A);
	assert_int_equal(from_meter(k, &ask), 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session),
		cmocka_unit_test(session_follows),
		cmocka_unit_test(session_refused),
		cmocka_unit_test(session_end),
		cmocka_unit_test(replays),
		cmocka_unit_test(replay_memory),
		cmocka_unit_test(replay_burst),
		cmocka_unit_test(retries),
		cmocka_unit_test(pairing),
		cmocka_unit_test(two_connections),
		cmocka_unit_test(downgrade),
		cmocka_unit_test(limited),
		cmocka_unit_test(not_limited),
		cmocka_unit_test(learning),
		cmocka_unit_test(segments),
		cmocka_unit_test(segments_refused),
		cmocka_unit_test(segment_share),
		cmocka_unit_test(undone),
		cmocka_unit_test(refused),
		cmocka_unit_test(flood),
		cmocka_unit_test(outstanding),
		cmocka_unit_test(registration),
		cmocka_unit_test(registration_granted),
		cmocka_unit_test(registration_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
