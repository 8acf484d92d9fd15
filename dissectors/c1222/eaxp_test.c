/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

/* clang-format off */
/* Published vectors and captures with known keys, with their intermediate
 * values; NULL: not given. */
static const struct {
	const char *why;
	int mode;
	const char *key, *n, *p, *l, *d, *q, *t, *c, *u, *mac, *apdu;
} vectors[] = {
	{
		.why = "annex-g-auth-session",
		.mode = 1,
		.key = "01020304050607080102030405060708",
		.n =
			"a20d060b607c86f7540116007bc175a803020100be0d280b"
			"810984a60c060a607c86f7540116007b040248f3c204",
		.p = "03300005",
		.l = "c39e93d8ce44bef6aadf2959fd066db8",
		.d = "013d27b19d897ced55bf53b2fa0dda70",
		.q = "027a4e623b13f9daab7ea764f51bb4e1",
		.t = "f9d83bcd5a723df8f2e59378515ae775",
		.mac = "515ae775",
	},
	{
		.why = "std-example-8-request",
		.mode = 2,
		.key = "01020304050607080102030405060708",
		.n =
			"a20d060b607c86f7540116007bc175a803020103ac0fa20d"
			"a00ba109800102810448f3d061be2a2828812688a60c060a"
			"607c86f7540116007b040248f3d061",
		.p =
			"175150415353574f52442020202020202020202020200002"
			"083f00010000100010",
		.l = "c39e93d8ce44bef6aadf2959fd066db8",
		.d = "013d27b19d897ced55bf53b2fa0dda70",
		.q = "027a4e623b13f9daab7ea764f51bb4e1",
		.t = "bb60dec9a147eda7fc7bd880ea59141c",
		.c =
			"41d10cda76206811b36f781489a11997773e117cb07aa3aa"
			"40374a7107c50da7f7",
		.u = "f25219506a544e6321c42220739cc0f4",
		.mac = "99c5d4e8",
		.apdu =
			"604fa20580037bc175a60480027b04a803020103ac0fa20d"
			"a00ba109800102810448f3d061be2a282881268841d10cda"
			"76206811b36f781489a11997773e117cb07aa3aa40374a71"
			"07c50da7f799c5d4e8",
	},
	{
		.why = "std-example-8-response",
		.mode = 2,
		.key = "01020304050607080102030405060708",
		.n =
			"a20c060a607c86f7540116007b04a403020103a803020103"
			"ac0fa20da00ba109800102810448f3d060be1e281c811a88"
			"a60d060b607c86f7540116007bc1750248f3d060",
		.p = "140000104d414e55464143545552455220534e2092",
		.l = "c39e93d8ce44bef6aadf2959fd066db8",
		.d = "013d27b19d897ced55bf53b2fa0dda70",
		.q = "027a4e623b13f9daab7ea764f51bb4e1",
		.t = "343323e15984da84937bdd67451f5339",
		.c = "4baee4349631ab5e56a0e6e0e90dfad558591ee4ea",
		.u = "f54b286e25a0e2e0297438807653e151",
		.mac = "334cb268",
		.apdu =
			"6048a20480027b04a403020103a60580037bc175a8030201"
			"03ac0fa20da00ba109800102810448f3d060be1e281c811a"
			"884baee4349631ab5e56a0e6e0e90dfad558591ee4ea334c"
			"b268",
	},
	{
		.why = "overIPv4-request",
		.mode = 2,
		.key = "6624c7e23034e4036fe5cb3a8b5dab44",
		.n =
			"a211060f2b060104018285638e7f85f1c24e00a806020413"
			"e81421ac0fa20da00ba10980010081044c97f489be0d280b"
			"810988a60a06082b06010401828563004c97f489",
		.p = "03300001",
		.l = "e8c1995cc1aeae55ca8ee1383d37b44b",
		.d = "d08333b9825d5dab941dc3717a6e6897",
		.q = "2707677205bbba56293b86e3f4dcd02e",
		.t = "481361783f4d9c161572101c908baa84",
		.c = "65f1e271",
		.u = "c667c81423473c335bf5e66c3794d5a3",
		.mac = "a71f7f27",
		.apdu =
			"6047a211060f2b060104018285638e7f85f1c24e00a60a06"
			"082b06010401828563a806020413e81421ac0fa20da00ba1"
			"0980010081044c97f489be0d280b81098865f1e271a71f7f"
			"27",
	},
	{
		.why = "overIPv4-response",
		.mode = 2,
		.key = "6624c7e23034e4036fe5cb3a8b5dab44",
		.n =
			"a20a06082b06010401828563a406020413e81421a8030201"
			"2cac0fa20da00ba10980010081044c97f489be2e282c812a"
			"88a611060f2b060104018285638e7f85f1c24e00004c97f4"
			"89",
		.p =
			"240000204545202041335220202020200200030620202020"
			"20202020313233343536373821",
		.l = "e8c1995cc1aeae55ca8ee1383d37b44b",
		.d = "d08333b9825d5dab941dc3717a6e6897",
		.q = "2707677205bbba56293b86e3f4dcd02e",
		.t = "b21e59f79641a808a4687734c9ecb647",
		.c =
			"e6976be9206159ccea0cd39941f3f24409e294a1f9846386"
			"5e8b96c5e576039a90e4e70fa1",
		.u = "b25750e821c046d880853d21f14e6fdf",
		.mac = "38a2d998",
		.apdu =
			"606da20a06082b06010401828563a406020413e81421a611"
			"060f2b060104018285638e7f85f1c24e00a80302012cac0f"
			"a20da00ba10980010081044c97f489be2e282c812a88e697"
			"6be9206159ccea0cd39941f3f24409e294a1f98463865e8b"
			"96c5e576039a90e4e70fa138a2d998",
	},
	{
		.why = "moise-2011",
		.mode = 2,
		.key = "102030405060708090a0b0c0d0e0f000",
		.n =
			"a20e060c6086480186fc2f811caa4e01a806020439a00ebb"
			"ac0fa20da00ba10980010081044bcee2c3be252823812188"
			"a60a06082b06010401828563004bcee2c3",
		.p =
			"175130303030303030303030303030303030303030300000"
			"03300001",
		.l = "0ae4471d4bae710592ce0e975a5e1c1d",
		.d = "14c88f3a965ce30a249d1d2eb5bc383a",
		.q = "28901f752cb9c615483a3b5c6a797174",
		.t = "e238eea9b73a696a2cec0036109e6f29",
		.c =
			"9cf32c7ec24c250be7b0749feee71a220d0eee976ec23dbf"
			"0caa08ea",
		.u = "b69c4000492e6f1d90a19d2d10ca514f",
		.mac = "00543e66",
	},
	{
		.why = "empty-plaintext",
		.mode = 2,
		.key = "01020304050607080102030405060708",
		.n =
			"a20d060b607c86f7540116007bc175a803020103ac0fa20d"
			"a00ba109800102810448f3d061be2a2828812688a60c060a"
			"607c86f7540116007b040248f3d061",
		.mac = "ea59141c",
	},
};
/* clang-format on */
#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))

#define BUF 256

static void same(const char *why, const char *what, const void *got, size_t n,
		 const char *hex)
{
	uint8_t buf[BUF];
	struct span want = kit_hex(hex ? hex : "", buf, sizeof(buf));

	if (hex && !span_eq(span_of(got, n), want))
		fail_msg("%s: %s differs", why, what);
}

static void prepare(struct aes128 *aes, struct eaxp_key *k, const char *hex)
{
	uint8_t key[16];

	assert_int_equal(kit_hex(hex, key, sizeof(key)).n, 16);
	aes128_key(aes, key);
	eaxp_prepare(k, aes);
}

static void one_vector(struct aes128 *aes, size_t i)
{
	uint8_t nb[BUF], pb[BUF], out[BUF], back[BUF], t[16], u[16], mac[4];
	struct span n = kit_hex(vectors[i].n, nb, sizeof(nb));
	struct span p =
		kit_hex(vectors[i].p ? vectors[i].p : "", pb, sizeof(pb));
	enum eaxp_mode mode = (enum eaxp_mode)vectors[i].mode;
	const char *why = vectors[i].why;
	struct eaxp_key k;
	struct span in = p;

	prepare(aes, &k, vectors[i].key);
	same(why, "L", k.l, 16, vectors[i].l);
	same(why, "D", k.d, 16, vectors[i].d);
	same(why, "Q", k.q, 16, vectors[i].q);
	eaxp_cmac(&k, aes, k.d, n, mode == EAXP_AUTH ? p : (struct span){0}, t);
	same(why, "T", t, 16, vectors[i].t);
	assert_int_equal(eaxp_seal(&k, aes, mode, n, p, out, mac), 0);
	same(why, "MAC", mac, 4, vectors[i].mac);
	if (mode == EAXP_CIPHER) {
		in = span_of(out, p.n);
		same(why, "ciphertext", out, p.n,
		     vectors[i].c ? vectors[i].c
		     : p.n        ? NULL
				  : "");
		if (p.n)
			eaxp_cmac(&k, aes, k.q, in, (struct span){0}, u);
		same(why, "U", u, 16, vectors[i].u);
	}
	assert_int_equal(eaxp_open(&k, aes, mode, n, in, mac, back), 0);
	if (mode == EAXP_CIPHER)
		assert_true(span_eq(span_of(back, p.n), p));
	for (size_t bit = 0; bit < 32; bit++) {
		uint8_t wrong[4];

		memcpy(wrong, mac, 4);
		wrong[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_int_equal(eaxp_open(&k, aes, mode, n, in, wrong, back),
				 E_AUTH);
	}
}

static void published(void **state)
{
	struct aes128 *aes = aes128_new();

	(void)state;
	assert_non_null(aes);
	for (size_t i = 0; i < VECTORS; i++)
		one_vector(aes, i);
	aes128_free(aes);
}

/* The canonical cleartext of the messages the vectors were taken from. */
static void canonical(void **state)
{
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		uint8_t buf[BUF], nb[BUF], memory[512];
		struct arena arena = arena_of(memory, sizeof(memory));
		struct wbuf n = wbuf_of(nb, sizeof(nb));
		struct acse a;
		struct err e;

		if (!vectors[i].apdu)
			continue;
		assert_int_equal(
			acse_read(&a,
				  kit_hex(vectors[i].apdu, buf, sizeof(buf)),
				  &arena, &e),
			0);
		eaxp_canonical(&a, a.key_id, a.iv, &n);
		assert_false(n.failed);
		same(vectors[i].why, "N", nb, n.n, vectors[i].n);
		seen++;
	}
	assert_int_equal(seen, 4);
}

/* A session's message has no AC: its key id and IV are appended all the
 * same. */
static void canonical_of_session(void **state)
{
	uint8_t buf[BUF], nb[BUF], memory[512];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct wbuf n = wbuf_of(nb, sizeof(nb));
	struct acse a;
	struct err e;

	(void)state;
	assert_int_equal(
		acse_read(&a,
			  kit_hex("6021 a205 8003 7bc175 a604 8002 7b04 "
				  "a803 020100 be0d 280b 8109 84 03300005 "
				  "515ae775",
				  buf, sizeof(buf)),
			  &arena, &e),
		0);
	eaxp_canonical(&a, 2, 0x48f3c204, &n);
	same("session", "N", nb, n.n, vectors[0].n);
}

/* N of one block: the MAC would be zero under every key. */
static void short_cleartext(void **state)
{
	static const char *const keys[] = {
		"01020304050607080102030405060708",
		"00000000000000000000000000000000",
		"2b7e151628aed2a6abf7158809cf4f3c",
	};
	static const uint8_t zero[4];
	struct aes128 *aes = aes128_new();
	uint8_t nb[BUF], cb[BUF], out[BUF], t[16], u[16];
	struct span n = kit_hex("a803020103be192817811588", nb, sizeof(nb));
	struct span c =
		kit_hex("a803020103be19281781158880000000", cb, sizeof(cb));

	(void)state;
	assert_non_null(aes);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct eaxp_key k;

		prepare(aes, &k, keys[i]);
		/* the weakness is there .. */
		eaxp_cmac(&k, aes, k.d, n, (struct span){0}, t);
		eaxp_cmac(&k, aes, k.q, c, (struct span){0}, u);
		assert_memory_equal(t + 12, u + 12, 4);
		/* .. and is not reached */
		assert_int_equal(
			eaxp_open(&k, aes, EAXP_CIPHER, n, c, zero, out),
			E_LIMIT);
		assert_int_equal(eaxp_open(&k, aes, EAXP_AUTH, n, c, zero, out),
				 E_LIMIT);
	}
	for (size_t len = 0; len <= 17; len++) {
		struct eaxp_key k;
		uint8_t mac[4];

		prepare(aes, &k, keys[0]);
		assert_int_equal(eaxp_seal(&k, aes, EAXP_AUTH, span_of(cb, len),
					   (struct span){0}, out, mac),
				 len <= 16 ? E_LIMIT : 0);
	}
	aes128_free(aes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published),
		cmocka_unit_test(canonical),
		cmocka_unit_test(canonical_of_session),
		cmocka_unit_test(short_cleartext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
