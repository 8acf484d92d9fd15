/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole APDUs, and what is remembered between them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

#define KEY "2b7e151628aed2a6abf7158809cf4f3c"
#define T0  1700000000

/* The kit's clock, so many seconds after its start. */
static void later(struct kit *k, int64_t s)
{
	kit_at(k, (T0 + s) * US_PER_S);
}

/* Table 0 of a meter, as the service that answers a full read. */
/* clang-format off */
#define ST0_ANSWER \
	"30 00 002c " \
	"021c884d4554520200202002000a0102010100eb19e11a00" \
	"0090e0810401f00600a000000000000000000000" \
	"44"
/* clang-format on */

static uint8_t buf[KIT_APDU];

/* A request to the meter and its answer; rows change what they need. */
static const struct kit_msg clear_request = {
	.called = KIT_CALLED, .calling = KIT_CALLING, .called_inv = -1,
	.inv = 5, .control = 0x80, .services = "03 300017",
};
static const struct kit_msg clear_answer = {
	.called = KIT_CALLING, .calling = KIT_CALLED, .called_inv = 5,
	.inv = 9, .control = 0x82, .services = "06 00 0002 4142 7d",
};
static const struct kit_msg sealed_request = {
	.called = KIT_CALLED, .calling = KIT_CALLING, .called_inv = -1,
	.inv = 5, .control = 0x88, .services = "03 300017", .ac = true,
	.key_id = 1, .iv = T0, .key = KEY,
};
static const struct kit_msg sealed_answer = {
	.called = KIT_CALLING, .calling = KIT_CALLED, .called_inv = 5,
	.inv = 9, .control = 0x8a, .services = "06 00 0002 4142 7d",
	.ac = true, .key_id = 1, .iv = T0, .key = KEY,
};

static struct kit *kit_keyed(void)
{
	struct kit *k = kit_new();

	kit_key(k, 1, KEY);
	return k;
}

static enum reason send(struct kit *k, enum dir dir, uint8_t proto,
			const struct kit_msg *m)
{
	kit_way(k, dir, proto);
	return kit_run(k, kit_make(m, buf));
}

static enum reason to_meter(struct kit *k, const struct kit_msg *m)
{
	return send(k, DIR_IN, 17, m);
}

static enum reason from_meter(struct kit *k, const struct kit_msg *m)
{
	return send(k, DIR_OUT, 17, m);
}

static const struct obs *leaf(struct kit *k)
{
	assert_true(k->out.n >= 2);
	return &k->obs[1];
}

static bool noted(const struct obs *o, enum reason why)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field == F_NOTE && o->f[i].u == why)
			return true;
	}
	return false;
}

/* The worked examples of the reference, section 16. */
static void worked_examples(void **state)
{
	static const struct {
		const char *why;
		enum dir dir;
		const char *hex;
		enum obs_kind leaf[3];
	} rows[] = {
		{"identify", DIR_IN,
		 "60 1B A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 01 "
		 "BE 07 28 05 81 03 80 01 20",
		 {OBS_C1222_IDENTIFY_REQUEST}},
		{"logon", DIR_IN,
		 "60 29 A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 02 "
		 "BE 15 28 13 81 11 80 0F 50 00 02 48 45 41 44 45 4E 44 20 20 "
		 "20 00 3C",
		 {OBS_C1222_LOGON_REQUEST}},
		{"its answer", DIR_OUT,
		 "60 22 A2 04 80 02 47 01 A4 03 02 01 02 A6 05 80 03 47 87 69 "
		 "A8 03 02 01 02 BE 09 28 07 81 05 82 03 00 00 3C",
		 {OBS_C1222_LOGON_RESPONSE}},
		{"read of ST-0", DIR_IN,
		 "60 1D A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 04 "
		 "BE 09 28 07 81 05 80 03 30 00 00",
		 {OBS_C1222_READ_REQUEST}},
		{"wait 120", DIR_IN,
		 "60 1C A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 09 "
		 "BE 08 28 06 81 04 80 02 70 78",
		 {OBS_C1222_WAIT_REQUEST}},
		{"password and read in one EPSEM", DIR_IN,
		 "60 35 A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 01 "
		 "BE 21 28 1F 81 1D 80 17 51 'metersecret         ' 00 02 "
		 "03 30 00 17",
		 {OBS_C1222_SECURITY_REQUEST, OBS_C1222_READ_REQUEST}},
		{"notification of ST-28", DIR_OUT,
		 "60 35 A2 04 80 02 47 01 A6 05 80 03 47 87 69 A7 03 02 01 04 "
		 "A8 03 02 01 01 BE 1C 28 1A 81 18 92 4D 45 54 52 12 40 00 1C "
		 "00 0C A1 0B 00 00 32 15 00 00 A8 03 00 00 62",
		 {OBS_C1222_WRITE_REQUEST}},
		{"procedure 10, and its result", DIR_IN,
		 "60 2D A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 21 "
		 "BE 19 28 17 81 15 80 0F 40 00 07 00 09 0A 00 01 07 E8 F4 53 "
		 "65 12 48 03 30 00 08",
		 {OBS_C1222_PROCEDURE_REQUEST, OBS_C1222_READ_REQUEST}},
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum reason got;
		uint32_t n = rows[i].leaf[1] ? 3 : 2;

		kit_way(k, rows[i].dir, 6);
		got = kit_run(k, kit_hex(rows[i].hex, buf, sizeof(buf)));
		if (got || k->out.n != n)
			fail_msg("%s: %s, %u observations", rows[i].why,
				 k->e.text, k->out.n);
		for (uint32_t j = 1; j < n; j++)
			assert_int_equal(k->obs[j].kind, rows[i].leaf[j - 1]);
	}
	assert_int_equal(obs_get(leaf(k), F_PROCEDURE, 0), 10);
	assert_int_equal(obs_get(leaf(k), F_PROC_SEQ, 0), 1);
	kit_free(k);
}

/* Example 8 of the standard: section 12.6 of the reference. */
static void example_8(void **state)
{
	struct kit *k = kit_new();
	char text[OID_TEXT];

	(void)state;
	kit_key(k, 2, "01020304050607080102030405060708");
	kit_at(k, 0x48f3d061 * US_PER_S);
	kit_way(k, DIR_IN, 6);
	assert_int_equal(
		kit_run(k, kit_hex("604fa20580037bc175a60480027b04a803020103"
				   "ac0fa20da00ba109800102810448f3d061be2a28"
				   "2881268841d10cda76206811b36f781489a11997"
				   "773e117cb07aa3aa40374a7107c50da7f799c5d4"
				   "e8",
				   buf, sizeof(buf))),
		REASON_NONE);
	assert_int_equal(k->out.n, 3);
	assert_string_equal(oid_text(text, sizeof(text),
				     obs_get_span(&k->obs[0], F_CALLED)),
			    "2.16.124.113620.1.22.0.123.8437");
	assert_int_equal(obs_get(&k->obs[0], F_MAC, 0), 1);
	assert_int_equal(obs_get(&k->obs[0], F_SECURITY, 0), 1);
	assert_int_equal(obs_get(&k->obs[0], F_KEY_ID, 0), 2);
	assert_int_equal(obs_get(&k->obs[0], F_IV, 0), 0x48f3d061);
	assert_int_equal(k->obs[1].kind, OBS_C1222_SECURITY_REQUEST);
	assert_true(obs_has(&k->obs[1], F_SECRET));
	assert_false(obs_has(&k->obs[1], F_DATA));
	assert_int_equal(k->obs[2].kind, OBS_C1222_READ_REQUEST);
	assert_int_equal(obs_get(&k->obs[2], F_OFFSET, 0), 16);
	assert_int_equal(obs_get(&k->obs[2], F_COUNT, 0), 16);
	kit_way(k, DIR_OUT, 6);
	assert_int_equal(
		kit_run(k, kit_hex("6048a20480027b04a403020103a60580037bc175"
				   "a803020103ac0fa20da00ba109800102810448f3"
				   "d060be1e281c811a884baee4349631ab5e56a0e6"
				   "e0e90dfad558591ee4ea334cb268",
				   buf, sizeof(buf))),
		REASON_NONE);
	/* One answer to two requests: a password has none of its own. */
	assert_int_equal(k->out.n, 2);
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 1);
	assert_int_equal(obs_get(leaf(k), F_OFFSET, 0), 16);
	assert_true(span_is(obs_get_span(leaf(k), F_DATA),
			    "MANUFACTURER SN "));
	kit_free(k);
}

/* A real meter of 2010: absolute titles of an enterprise's branch, and an
 * answer that repeats the IV of its request. */
static void real_meter(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	kit_key(k, 0, "6624c7e23034e4036fe5cb3a8b5dab44");
	kit_at(k, 0x4c97f489 * US_PER_S);
	kit_way(k, DIR_IN, 6);
	assert_int_equal(
		kit_run(k, kit_hex("6047a211060f2b060104018285638e7f85f1c24e"
				   "00a60a06082b06010401828563a806020413e814"
				   "21ac0fa20da00ba10980010081044c97f489be0d"
				   "280b81098865f1e271a71f7f27",
				   buf, sizeof(buf))),
		REASON_NONE);
	kit_way(k, DIR_OUT, 6);
	assert_int_equal(
		kit_run(k, kit_hex("606da20a06082b06010401828563a406020413e8"
				   "1421a611060f2b060104018285638e7f85f1c24e"
				   "00a80302012cac0fa20da00ba10980010081044c"
				   "97f489be2e282c812a88e6976be9206159ccea0c"
				   "d39941f3f24409e294a1f98463865e8b96c5e576"
				   "039a90e4e70fa138a2d998",
				   buf, sizeof(buf))),
		REASON_NONE);
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 99), 1);
	assert_int_equal(obs_get_span(leaf(k), F_DATA).n, 32);
	kit_free(k);
}

/* The session of Annex G: key id and IV come with the logon and are then
 * implied; ids restart at 0 and count up by one. */
static void session(void **state)
{
	static const char key[] = "01020304050607080102030405060708";
	struct kit_msg logon = {
		.called = "80037bc175", .calling = "80027b04",
		.called_inv = -1, .inv = 77, .control = 0x84, .ac = true,
		.key_id = 2, .iv = 0x48f3c204, .key = key,
		.services = "0f 50 0002 'HEADEND   ' 003c"};
	struct kit_msg granted = {
		.called = "80027b04", .calling = "80037bc175",
		.called_inv = 77, .inv = 1, .control = 0x86, .ac = true,
		.key_id = 2, .iv = 0x48f3c204, .key = key,
		.services = "03 00 003c"};
	struct kit_msg next = {
		.called = "80037bc175", .calling = "80027b04",
		.called_inv = -1, .inv = 1, .control = 0x84, .key_id = 2,
		.iv = 0x48f3c204, .key = key, .services = "03 300006"};
	struct kit_msg answer = {
		.called = "80027b04", .calling = "80037bc175",
		.called_inv = 0, .inv = 2, .control = 0x86, .key_id = 2,
		.iv = 0x48f3c204, .key = key,
		.services = "06 00 0002 4142 7d"};
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

/* Verdicts of single messages. */
static void verdicts(void **state)
{
	struct {
		const char *why;
		struct kit_msg m;
		enum reason strict, lenient;
	} rows[] = {
		{"clear", clear_request, 0, 0},
		{"sealed", sealed_request, 0, 0},
		{"IV just inside the window", sealed_request, 0, 0},
		{"IV too old", sealed_request, REASON_STALE_IV, 0},
		{"IV from the future", sealed_request, REASON_STALE_IV, 0},
		{"another key", sealed_request, REASON_BAD_MAC,
		 REASON_BAD_MAC},
		{"a key id not held", sealed_request, REASON_UNKNOWN_KEY,
		 REASON_UNKNOWN_KEY},
		{"AC, but clear", sealed_request, REASON_DOWNGRADE,
		 REASON_DOWNGRADE},
		{"no called title", sealed_request, REASON_FORGERY,
		 REASON_FORGERY},
		{"no calling title", sealed_request, REASON_FORGERY,
		 REASON_FORGERY},
		{"no AC, no session", sealed_request, REASON_SESSION_STATE,
		 REASON_SESSION_STATE},
		{"unknown service", clear_request, REASON_UNKNOWN_SERVICE,
		 REASON_UNKNOWN_SERVICE},
		{"checksum", clear_request, REASON_BAD_CHECKSUM,
		 REASON_BAD_CHECKSUM},
		{"an answer without id", clear_answer, REASON_SUSPICIOUS, 0},
		{"a request with A4", clear_request, REASON_SUSPICIOUS,
		 REASON_SUSPICIOUS},
		{"an answer to nothing", clear_answer, REASON_UNPAIRED, 0},
		{"sealed, wrong content", sealed_request, REASON_MALFORMED,
		 REASON_MALFORMED},
	};

	(void)state;
	rows[2].m.iv = T0 - 900;
	rows[3].m.iv = T0 - 901;
	rows[4].m.iv = T0 + 901;
	rows[5].m.key = "00000000000000000000000000000000";
	rows[6].m.key_id = 9;
	rows[7].m.control = 0x80;
	rows[7].m.key = NULL;
	rows[8].m.called = NULL;
	rows[9].m.calling = NULL;
	rows[10].m.ac = false;
	rows[11].m.services = "02 53 00";
	rows[12].m.services = "08 40 0005 0002 4142 7e";
	rows[13].m.called_inv = -1;
	rows[14].m.called_inv = 1;
	rows[16].m.services = "04 300017";
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_keyed();
		enum reason want, got;

		k->c.lenient = i & 1;
		want = i & 1 ? rows[i / 2].lenient : rows[i / 2].strict;
		got = to_meter(k, &rows[i / 2].m);
		if (got != want || (got && k->out.n != 0))
			fail_msg("%s%s: %s, not %s (%s)", rows[i / 2].why,
				 i & 1 ? ", lenient" : "", reason_text(got),
				 reason_text(want), k->e.text);
		kit_free(k);
	}
}

static void old_iv_noted(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	k->c.lenient = true;
	m.iv = T0 - 1000000;
	assert_int_equal(to_meter(k, &m), 0);
	assert_true(noted(&k->obs[0], REASON_OLD_IV));
	assert_int_equal(k->obs[1].kind, OBS_C1222_READ_REQUEST);
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
	assert_int_equal(send(k, DIR_OUT, 6, &sealed_answer),
			 REASON_NONE);
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

/* The same octets over UDP: a retry while unanswered, then a replay. */
static void retries(void **state)
{
	static const struct {
		const char *why;
		const struct kit_msg *request, *answer;
	} rows[] = {
		{"clear", &clear_request, &clear_answer},
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

/* What comes without its request is read as far as it goes, if at all. */
static void unpaired_lenient(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	k->c.lenient = true;
	assert_int_equal(from_meter(k, &clear_answer), 0);
	assert_int_equal(leaf(k)->kind, OBS_C1222_UNKNOWN);
	assert_true(noted(leaf(k), REASON_UNPAIRED));
	assert_true(noted(&k->obs[0], REASON_UNPAIRED));
	assert_int_equal(obs_get(leaf(k), F_RESULT, 99), 0);
	assert_true(span_is(obs_get_span(leaf(k), F_DATA), "AB"));
	k->c.midstream = true;
	assert_int_equal(from_meter(k, &clear_answer), 0);
	assert_true(noted(leaf(k), REASON_MIDSTREAM));
	kit_free(k);
}

/* An answer that repeats the id of its request in A8 and has no A4. */
static void answer_without_id(void **state)
{
	struct kit_msg a = clear_answer;
	struct kit *k = kit_new();

	(void)state;
	k->c.lenient = true;
	a.called_inv = -1;
	a.inv = clear_request.inv;
	assert_int_equal(to_meter(k, &clear_request), 0);
	assert_int_equal(from_meter(k, &a), 0);
	assert_true(noted(&k->obs[0], REASON_SUSPICIOUS));
	assert_false(obs_has(&k->obs[0], F_CALLED_INV));
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 23);
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
	assert_int_equal(to_meter(k, &sealed_request), REASON_BAD_MAC);
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

static void ignored(void **state)
{
	struct kit *k = kit_new();
	struct err e = {0};
	struct span in = kit_make(&clear_request, buf);
	size_t len;

	(void)state;
	k->c.tup.sport = 0;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	assert_int_equal(kit_dissect(k, in), E_STATE);
	assert_int_equal(k->e.reason, REASON_DROPPED);
	k->c.tup.proto = 6; /* only UDP has that rule */
	assert_int_equal(dissector_c1222.frame(&k->c, in, &len, &e),
			 FRAME_UNIT);
	kit_way(k, DIR_IN, 17);
	k->c.tup.src = k->c.tup.dst;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	k->c.tup.src = kit_addr(1);
	k->c.tup.src.b[12] = 224;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	kit_free(k);
}

/* Longer lengths than needed: refused, or pointed out. */
static void not_canonical(void **state)
{
	static const char *const rows[] = {
		"60811b a205 8003478769 a604 80024701 a803 020105 be07 2805 "
		"8103 80 01 20",
		"601c a205 8003478769 a604 80024701 a803 020105 be08 2806 "
		"8104 80 8101 20",
		"6021 a205 8003478769 a604 80024701 a803 020105 be0d 280b "
		"8109 80 07 25 808103 478769",
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_new();
		enum reason got;
		bool lenient = i & 1;

		k->c.lenient = lenient;
		got = kit_run(k, kit_hex(rows[i / 2], buf, sizeof(buf)));
		if (got != (lenient ? REASON_NONE : REASON_NOT_CANONICAL))
			fail_msg("row %zu: %s %s", i, reason_text(got),
				 k->e.text);
		if (lenient)
			assert_true(noted(&k->obs[0], REASON_NOT_CANONICAL) ||
				    i / 2 == 2);
		kit_free(k);
	}
}

/* Nothing of a sealed message can be changed. */
static void any_bit(void **state)
{
	static const uint8_t controls[] = {0x84, 0x88};

	(void)state;
	for (size_t i = 0; i < sizeof(controls); i++) {
		struct kit_msg m = sealed_request;
		struct kit *k = kit_keyed();
		size_t n;

		m.control = controls[i];
		n = kit_make(&m, buf).n;
		for (size_t bit = 0; bit < 8 * n; bit++) {
			memset(k->m, 0, sizeof(*k->m));
			buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			if (kit_run(k, span_of(buf, n)) == REASON_NONE)
				fail_msg("bit %zu of octet %zu", bit % 8,
					 bit / 8);
			buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		memset(k->m, 0, sizeof(*k->m));
		assert_int_equal(kit_run(k, span_of(buf, n)), REASON_NONE);
		kit_free(k);
	}
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

/* --- segments -------------------------------------------------------------- */

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
static enum reason segment(struct kit *k, struct span of, size_t off,
			   size_t n, size_t total)
{
	struct kit_msg m = clear_request;

	m.total = (int64_t)total;
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
	assert_int_equal(segment(k, other, 20, n - 20, n),
			 REASON_BAD_SEGMENT);
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

/* --- settling -------------------------------------------------------------- */

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
		{"request", DIR_IN, &clear_request, true},
		{"retry", DIR_IN, &clear_request, false},
		{"answer", DIR_OUT, &clear_answer, true},
		{"read of a table that teaches", DIR_IN, &st0, true},
		{"sealed request", DIR_IN, &sealed_request, true},
		{"sealed answer", DIR_OUT, &sealed_answer, true},
		{"first segment", DIR_IN, &seg, true},
		{"the same again", DIR_IN, &seg, false},
		{"another segment", DIR_IN, &seg2, true},
		{"logon", DIR_IN, &logon, true},
		{"session", DIR_OUT, &granted, true},
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
		kit_at(k, T0 * US_PER_S + i);
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

/* --- framing --------------------------------------------------------------- */

static void framing(void **state)
{
	static const struct {
		const char *why, *hex;
		uint8_t proto;
		enum frame want;
		size_t len;
		enum reason reason;
	} rows[] = {
		{"nothing yet", "", 6, FRAME_MORE, 0, 0},
		{"a tag", "60", 6, FRAME_MORE, 0, 0},
		{"a header", "6005", 6, FRAME_MORE, 7, 0},
		{"a unit", "6002a800", 6, FRAME_UNIT, 4, 0},
		{"a unit and more", "6002a80060", 6, FRAME_UNIT, 4, 0},
		{"garbage", "00", 6, FRAME_BAD, 0, REASON_MALFORMED},
		{"HTTP", "'GET / HTTP/1.1'", 6, FRAME_BAD, 0,
		 REASON_MALFORMED},
		{"as long as the limit", "60821ffc", 6, FRAME_MORE, 8192, 0},
		{"one longer", "60821ffd", 6, FRAME_BAD, 0, REASON_TOO_LONG},
		{"16 megaoctets", "6083ffffff", 6, FRAME_BAD, 0,
		 REASON_TOO_LONG},
		{"84 7FFFFFFF", "60847fffffff", 6, FRAME_BAD, 0,
		 REASON_MALFORMED},
		{"a datagram", "6002a800", 17, FRAME_UNIT, 4, 0},
		{"two in one", "6002a8006002a800", 17, FRAME_UNIT, 8, 0},
		{"cut short", "6003a800", 17, FRAME_BAD, 0, REASON_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_new();
		size_t len = 99;
		enum frame f;

		kit_way(k, DIR_IN, rows[i].proto);
		f = dissector_c1222.frame(
			&k->c, kit_hex(rows[i].hex, buf, sizeof(buf)), &len,
			&k->e);
		if (f != rows[i].want || len != rows[i].len ||
		    (f == FRAME_BAD && k->e.reason != (int)rows[i].reason))
			fail_msg("%s: %d, %zu, %s", rows[i].why, (int)f, len,
				 k->e.text);
		kit_free(k);
	}
}

static void recognising(void **state)
{
	static const struct {
		const char *why, *hex;
		uint16_t sport, dport;
		uint8_t proto;
		enum recognise want;
	} rows[] = {
		{"port and octets", "601ba205", 1153, 4, 17, RECOGNISE_YES},
		{"octets alone", "601ba205", 3, 4, 6, RECOGNISE_YES},
		{"port alone", "00", 3, 1153, 6, RECOGNISE_MAYBE},
		{"nothing yet, the port", "", 3, 1153, 6, RECOGNISE_MAYBE},
		{"nothing yet", "", 3, 4, 6, RECOGNISE_MAYBE},
		{"a first octet", "60", 3, 4, 6, RECOGNISE_MAYBE},
		{"another", "47455420", 3, 4, 6, RECOGNISE_NO},
		{"another element", "601b0205aabb", 3, 4, 6, RECOGNISE_NO},
		{"too short to be one", "6002a8000000", 3, 4, 6,
		 RECOGNISE_NO},
		{"SCTP", "601ba205", 1153, 1153, 132, RECOGNISE_NO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (dissector_c1222.recognise(
			    kit_hex(rows[i].hex, buf, sizeof(buf)),
			    rows[i].sport, rows[i].dport, rows[i].proto) !=
		    rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

static void rests(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(dissector_c1222.leftover(&k->c, (struct span){0}), 0);
	assert_int_equal(dissector_c1222.leftover(&k->c,
						  span_of("\x60\x05", 2)),
			 REASON_MALFORMED);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_examples),
		cmocka_unit_test(example_8),
		cmocka_unit_test(real_meter),
		cmocka_unit_test(session),
		cmocka_unit_test(session_end),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(old_iv_noted),
		cmocka_unit_test(replays),
		cmocka_unit_test(replay_memory),
		cmocka_unit_test(retries),
		cmocka_unit_test(pairing),
		cmocka_unit_test(unpaired_lenient),
		cmocka_unit_test(answer_without_id),
		cmocka_unit_test(two_connections),
		cmocka_unit_test(downgrade),
		cmocka_unit_test(limited),
		cmocka_unit_test(ignored),
		cmocka_unit_test(not_canonical),
		cmocka_unit_test(any_bit),
		cmocka_unit_test(learning),
		cmocka_unit_test(segments),
		cmocka_unit_test(segments_refused),
		cmocka_unit_test(segment_share),
		cmocka_unit_test(undone),
		cmocka_unit_test(refused),
		cmocka_unit_test(flood),
		cmocka_unit_test(framing),
		cmocka_unit_test(recognising),
		cmocka_unit_test(rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
