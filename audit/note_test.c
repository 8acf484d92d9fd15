/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/checkpoint.h"
#include "audit/note.h"
#include "core/base64.h"
#include "crypto/sign.h"

#define DASH "\xe2\x80\x94 "

/* The vector that implementations of signed notes share. */
#define FOO_KEY                                                                \
	"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define FOO_TEXT "This is an example message.\n"
#define FOO_LINE                                                               \
	DASH "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAl" \
	     "TgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
#define FOO FOO_TEXT "\n" FOO_LINE

/* Made by openssl(1): a P-256 key, and its signature over FOO_TEXT. */
static const char p256_spki[] =
	"3059301306072a8648ce3d020106082a8648ce3d030107034200048b8c52022ddfb2a8"
	"589c719a5bd066e920a2b3c10f40e51cd221ca89d0c4040fd9c8af69c74c6bb749f795"
	"e6350549e2404483e559ca05d9e93403e73ed80c6b";
static const char p256_sig[] =
	"3045022100e696fa22fe3808191e51caf53c566f02b3152541c682f2e5153c1514323d"
	"a345022015c55485657c81975f921d53d58e46bf18270313790cb919df54f7c1499471"
	"6f";

static struct span unhex(uint8_t *buf, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

		buf[i] = (uint8_t)strtoul(two, NULL, 16);
	}
	return span_of(buf, n);
}

static struct note_key key_of(const char *text)
{
	struct note_key k;
	struct err e = {0};

	if (note_key_parse(&k, span_str(text), &e))
		fail_msg("%s: %s", text, e.text);
	return k;
}

static struct note parsed(struct span s)
{
	struct note n;
	struct err e = {0};

	if (note_parse(&n, s, &e))
		fail_msg("%s", e.text);
	return n;
}

static void the_shared_vector_holds(void **state)
{
	struct note_key k = key_of(FOO_KEY);
	struct note n = parsed(span_str(FOO));
	uint8_t text[NOTE_KEY_TEXT];
	struct wbuf w = wbuf_of(text, sizeof(text));
	uint64_t by = 0;
	struct err e = {0};

	(void)state;
	assert_int_equal(k.id, 0x530d903a);
	assert_true(span_is(n.text, FOO_TEXT));
	assert_int_equal(note_check(&n, &k, 1, &by, &e), 0);
	assert_int_equal(by, 1);
	note_key_put(&w, &k);
	assert_true(span_is(wbuf_span(&w), FOO_KEY));
}

/* --- our own signatures --- */

struct signer {
	struct sign_key key;
	struct note_signer by;
};

static int sign(void *arg, struct span octets, struct wbuf *out, struct err *e)
{
	struct signer *s = arg;
	uint8_t *room = wbuf_room(out, SIGN_LEN);

	return room ? sign_make(&s->key, octets, room, e) : E_LIMIT;
}

static void signer_init(struct signer *s, const char *name,
			enum note_type type)
{
	struct err e = {0};

	assert_int_equal(sign_new_key(&s->key, &e), 0);
	assert_int_equal(note_key_make(&s->by.key, span_str(name), type,
				       span_of(s->key.public_, SIGN_KEY_LEN),
				       &e), 0);
	s->by.sign = sign;
	s->by.arg = s;
}

static void sixteen_signatures_and_more(void **state)
{
	static struct signer s[40];
	static uint8_t buf[NOTE_MAX];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct note_key keys[40];
	struct err e = {0};
	uint64_t by;
	struct note n;

	(void)state;
	wbuf_put(&w, span_str(FOO_TEXT "\n"));
	for (size_t i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "w%zu.example", i);
		signer_init(&s[i], name, i % 2 ? NOTE_COSIGNATURE
					       : NOTE_ED25519);
		keys[i] = s[i].by.key;
		assert_int_equal(note_sign(&w, span_str(FOO_TEXT), &s[i].by,
					   1700000000 + i, &e), 0);
	}
	n = parsed(wbuf_span(&w));
	assert_int_equal(note_check(&n, keys, 40, &by, &e), 0);
	assert_int_equal(by, (UINT64_C(1) << 40) - 1);
	/* Unknown ones are passed over. */
	assert_int_equal(note_check(&n, keys + 7, 2, &by, &e), 0);
	assert_int_equal(by, 3);
	assert_int_equal(note_check(&n, keys, 0, &by, &e), 0);
	assert_int_equal(by, 0);
}

static void a_cosignature_says_when(void **state)
{
	struct signer s;
	uint8_t buf[1024];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct note_sig sig;
	struct err e = {0};
	uint64_t time, by;
	struct note n;
	struct cur c;

	(void)state;
	signer_init(&s, "witness.example/w1", NOTE_COSIGNATURE);
	wbuf_put(&w, span_str(FOO));
	assert_int_equal(note_sign(&w, span_str(FOO_TEXT), &s.by, 1679315147,
				   &e), 0);
	n = parsed(wbuf_span(&w));
	c = cur_of(n.sigs);
	assert_true(note_next(&c, &sig) && note_next(&c, &sig));
	assert_int_equal(note_check_line(n.text, &sig, &s.by.key, &time, &e),
			 0);
	assert_int_equal(time, 1679315147);
	/* The same key as an ordinary one is another key. */
	s.by.key.type = NOTE_ED25519;
	assert_int_equal(note_check(&n, &s.by.key, 1, &by, &e), E_INTEGRITY);
}

static void keys_of_chips_sign_too(void **state)
{
	uint8_t pub[NOTE_PUB_MAX], octets[128], buf[1024];
	struct span der = unhex(pub, p256_spki), sig;
	struct wbuf o = wbuf_of(octets, sizeof(octets));
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct note_key k, again;
	struct err e = {0};
	uint8_t raw[80];
	uint64_t by;
	struct note n;

	(void)state;
	assert_int_equal(note_key_make(&k, span_str("tpm.example"), NOTE_P256,
				       der, &e), 0);
	/* Of this type the id is over the key alone. */
	sig = unhex(raw, p256_sig);
	wbuf_be(&o, k.id, 4);
	wbuf_put(&o, sig);
	wbuf_put(&w, span_str(FOO_TEXT "\n" DASH "tpm.example "));
	base64_put(&w, wbuf_span(&o));
	wbuf_u8(&w, '\n');
	n = parsed(wbuf_span(&w));
	assert_int_equal(note_check(&n, &k, 1, &by, &e), 0);
	assert_int_equal(by, 1);
	w = wbuf_of(buf, sizeof(buf));
	note_key_put(&w, &k);
	assert_int_equal(note_key_parse(&again, wbuf_span(&w), &e), 0);
	assert_memory_equal(&again, &k, sizeof(k));
	/* Its type must say so. */
	assert_int_equal(note_key_make(&k, span_str("x"), NOTE_ED25519, der,
				       &e), E_SYNTAX);
	pub[20] ^= 1; /* another curve */
	assert_int_equal(note_key_make(&k, span_str("x"), NOTE_P256, der, &e),
			 E_SYNTAX);
}

/* Every bit of the note, but for those of lines that are not ours. */
static void every_flipped_bit_is_refused(void **state)
{
	struct note_key k = key_of(FOO_KEY);
	uint8_t buf[sizeof(FOO)];
	size_t n = strlen(FOO);

	(void)state;
	memcpy(buf, FOO, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		struct err e = {0};
		struct note note;
		uint64_t by = 0;

		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (note_parse(&note, span_of(buf, n), &e) == 0 &&
		    note_check(&note, &k, 1, &by, &e) == 0)
			assert_int_equal(by, 0); /* it is nobody's now */
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

#define SIG "TgK7Ztg1ERYN" /* nine octets */

static const struct {
	const char *why, *text;
	int want;
} notes[] = {
	{"the least there is", "\n\n" DASH "a " SIG "\n", 0},
	{"empty lines in the text", "a\n\nb\n\n" DASH "a " SIG "\n", 0},
	{"a name with a path", "a\n\n" DASH "a.b/c_d-e " SIG "\n", 0},
	{"a name of another script", "a\n\n" DASH "\xc3\xa9t\xc3\xa9 " SIG "\n",
	 0},
	{"nothing", "", E_SYNTAX},
	{"no empty line", "a\n" DASH "a " SIG "\n", E_SYNTAX},
	{"no signature", "a\n\n", E_SYNTAX},
	{"no newline at the end", "a\n\n" DASH "a " SIG, E_SYNTAX},
	{"a hyphen", "a\n\n- a " SIG "\n", E_SYNTAX},
	{"no space behind the dash", "a\n\n\xe2\x80\x94" "a " SIG "\n", E_SYNTAX},
	{"no name", "a\n\n" DASH " " SIG "\n", E_SYNTAX},
	{"a plus in a name", "a\n\n" DASH "a+b " SIG "\n", E_SYNTAX},
	{"a wide space in a name", "a\n\n" DASH "a\xe2\x80\x83" "b " SIG "\n",
	 E_SYNTAX},
	{"no signature behind the name", "a\n\n" DASH "a \n", E_SYNTAX},
	{"the key's id alone", "a\n\n" DASH "a TgK7Zw==\n", E_SYNTAX},
	{"base64 cut short", "a\n\n" DASH "a TgK7Ztg1ERY\n", E_SYNTAX},
	{"bits behind the last octet", "a\n\n" DASH "a TgK7Ztg1ERZ=\n",
	 E_SYNTAX},
	{"two spaces", "a\n\n" DASH "a  " SIG "\n", E_SYNTAX},
	{"a space at the end", "a\n\n" DASH "a " SIG " \n", E_SYNTAX},
	{"carriage returns", "a\r\n\n" DASH "a " SIG "\n", E_SYNTAX},
	{"a tab in the text", "a\tb\n\n" DASH "a " SIG "\n", E_SYNTAX},
	{"no UTF-8", "a\xff\n\n" DASH "a " SIG "\n", E_SYNTAX},
	{"a surrogate", "a\xed\xa0\x80\n\n" DASH "a " SIG "\n", E_SYNTAX},
	{"text behind the signatures", "a\n\n" DASH "a " SIG "\nb\n", E_SYNTAX},
};

static void notes_that_are_none(void **state)
{
	static const char tail[] = "\n\n" DASH "a " SIG "\n";
	static uint8_t big[NOTE_MAX + 1];
	struct err e = {0};
	struct note n;

	(void)state;
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		int rc = note_parse(&n, span_str(notes[i].text), &e);

		if (rc != notes[i].want)
			fail_msg("%s: %d %s", notes[i].why, rc, e.text);
	}
	assert_int_equal(note_parse(&n, span_of("a\n\n" DASH "a " SIG "\n\0",
						23), &e), E_SYNTAX);
	/* Just as long as it may be, and one more. */
	memset(big, 'a', sizeof(big));
	memcpy(big + sizeof(big) - strlen(tail), tail, strlen(tail));
	assert_int_equal(note_parse(&n, span_of(big, sizeof(big)), &e),
			 E_LIMIT);
	assert_int_equal(note_parse(&n, span_of(big + 1, NOTE_MAX), &e), 0);
}

static const struct {
	const char *why, *text;
	int want;
} keys[] = {
	{"the vector", FOO_KEY, 0},
	{"a newline behind it", FOO_KEY "\n", 0},
	{"two of them", FOO_KEY "\n\n", E_SYNTAX},
	{"nothing", "", E_SYNTAX},
	{"a name alone", "example.com/foo", E_SYNTAX},
	{"another id",
	 "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_SYNTAX},
	{"another name",
	 "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_SYNTAX},
	{"an id in capitals",
	 "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_SYNTAX},
	{"a short id",
	 "example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_SYNTAX},
	{"a key cut short", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV",
	 E_SYNTAX},
	{"a key too long",
	 "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	 "AAAA", E_SYNTAX},
	{"a type that is not known",
	 "example.com/foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_UNSUPPORTED},
	{"no name", "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	 E_SYNTAX},
	{"a private key", "PRIVATE+KEY+example.com/foo+530d903a+AekyeRrm56hAp",
	 E_AUTH},
};

static void keys_that_are_none(void **state)
{
	struct note_key k;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct err e = {0};
		int rc = note_key_parse(&k, span_str(keys[i].text), &e);

		if (rc != keys[i].want)
			fail_msg("%s: %d %s", keys[i].why, rc, e.text);
	}
}

/* Lines that name our key and are not its signature. */
static const struct {
	const char *why, *line;
	int want;
	uint64_t by;
} lines[] = {
	{"ours", FOO_LINE, 0, 1},
	{"ours twice", FOO_LINE FOO_LINE, 0, 1},
	{"the same id, another name", DASH "example.com/fop Uw2QOkn8srV1\n", 0,
	 0},
	{"the same name, another id", DASH "example.com/foo Uw2QO0n8srV1\n", 0,
	 0},
	{"ours, too short", DASH "example.com/foo Uw2QOkn8srV1\n", E_INTEGRITY,
	 0},
	{"ours, and then wrong",
	 FOO_LINE DASH "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXpp"
	 "zi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQQ=\n",
	 E_INTEGRITY, 0},
};

static void known_keys_may_not_be_wrong(void **state)
{
	struct note_key k = key_of(FOO_KEY);

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[1024];
		struct err e = {0};
		uint64_t by = 0;
		struct note n;
		int rc;

		snprintf(text, sizeof(text), "%s\n%s", FOO_TEXT, lines[i].line);
		n = parsed(span_str(text));
		rc = note_check(&n, &k, 1, &by, &e);
		if (rc != lines[i].want || (rc == 0 && by != lines[i].by))
			fail_msg("%s: %d %s", lines[i].why, rc, e.text);
	}
}

#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

static const struct {
	const char *why, *text;
	int want;
} points[] = {
	{"one", "m.example/audit\n20852163\n" ROOT "\n", 0},
	{"of nothing", "m.example/audit\n0\n" ROOT "\n", 0},
	{"the largest", "m.example/audit\n9223372036854775807\n" ROOT "\n", 0},
	{"too large", "m.example/audit\n9223372036854775808\n" ROOT "\n",
	 E_SYNTAX},
	{"a leading zero", "m.example/audit\n01\n" ROOT "\n", E_SYNTAX},
	{"a sign", "m.example/audit\n+1\n" ROOT "\n", E_SYNTAX},
	{"no size", "m.example/audit\n\n" ROOT "\n", E_SYNTAX},
	{"no origin", "\n1\n" ROOT "\n", E_SYNTAX},
	{"a line more", "m.example/audit\n1\n" ROOT "\nmore\n", E_SYNTAX},
	{"no last newline", "m.example/audit\n1\n" ROOT, E_SYNTAX},
	{"a short root", "m.example/audit\n1\nCsUYapGGPo4dkMgIAUqo\n", E_SYNTAX},
	{"a long root", "m.example/audit\n1\nAAAA" ROOT "\n", E_SYNTAX},
	{"two lines", "m.example/audit\n1\n", E_SYNTAX},
	{"nothing", "", E_SYNTAX},
};

static void checkpoints_have_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		uint8_t buf[CHECKPOINT_TEXT_MAX];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct checkpoint c;
		struct err e = {0};
		int rc = checkpoint_parse(&c, span_str(points[i].text), &e);

		if (rc != points[i].want)
			fail_msg("%s: %d %s", points[i].why, rc, e.text);
		if (rc)
			continue;
		checkpoint_put(&w, &c);
		assert_true(span_is(wbuf_span(&w), points[i].text));
	}
}

#define PEM(body)                                                              \
	"-----BEGIN PUBLIC KEY-----\n" body "\n-----END PUBLIC KEY-----\n"
/* FOO_KEY's, and one of P-256 in both forms, as openssl(1) writes them. */
#define FOO_PEM PEM("MCowBQYDK2VwAyEA6TJ5GubnqECkYWTJBHhkJtXngh3YspoA1hyucq/dTaQ=")
#define P256_PEM                                                               \
	PEM("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAESGbSlwVozYNDSlPaUB0roryr"       \
	    "wcqH\nhXaUcsuvr+p4w39UySPQhvT+tmZRDQHIXLLSfBv2iT+tFX+sqRp1pB671Q==")
#define P256_SHORT                                                             \
	PEM("MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADSGbSlwVozYNDSlPaUB0roryr"       \
	    "wcqH\nhXaUcsuvr+p4w38=")
#define P384_PEM                                                               \
	PEM("MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEEd+wiI51rCmY8J3a02pVhHdomn/J"       \
	    "LwuR\ne/w2N8ebDNoe80ksTFw14SNJB4/tf0f3HrYCOoi1aS9FwbO1WR9Qq83L"      \
	    "44+AFcFZ\nwpzRVJPd02k61LFaJsXTxxNnmD59zbaP")
#define PRIVATE "-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n"

static void keys_in_pem(void **state)
{
	static const struct {
		const char *why, *pem;
		bool witness;
		int rc;
		const char *says;
	} rows[] = {
		{"Ed25519", FOO_PEM, false, 0, ""},
		{"of a witness", FOO_PEM, true, 0, ""},
		{"P-256", P256_PEM, false, 0, ""},
		{"P-256, compressed", P256_SHORT, false, 0, ""},
		{"a witness on P-256", P256_PEM, true, E_UNSUPPORTED,
		 "a witness's key is Ed25519"},
		{"another curve", P384_PEM, false, E_UNSUPPORTED,
		 "neither an Ed25519 nor a P-256 key"},
		{"private", PRIVATE, false, E_AUTH,
		 "a private key; public keys only"},
		{"private behind a public one", FOO_PEM PRIVATE, false, E_AUTH,
		 "public keys only"},
		{"two", FOO_PEM FOO_PEM, false, E_SYNTAX, "not one public key"},
		{"a certificate", "-----BEGIN CERTIFICATE-----\n", false,
		 E_SYNTAX, "openssl x509 -pubkey"},
		{"cut short", "-----BEGIN PUBLIC KEY-----\nMCow\n", false,
		 E_SYNTAX, "not a public key in PEM"},
	};
	struct note_key whole, compressed;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct note_key k;
		int rc = note_key_pem(&k, span_str(rows[i].pem),
				      rows[i].witness, &e);

		if (rc != rows[i].rc || (rc && !strstr(e.text, rows[i].says)))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
	}
	assert_int_equal(note_key_pem(&whole, span_str(P256_PEM), false, &e),
			 0);
	assert_int_equal(note_key_pem(&compressed, span_str(P256_SHORT), false,
				      &e), 0);
	assert_memory_equal(whole.pub, compressed.pub, NOTE_PUB_MAX);
}

/* One without a name finds its signature under the name that this has. */
static void a_key_in_pem_signed(void **state)
{
	struct note_key log, witness;
	struct note n;
	struct err e = {0};
	uint64_t by;

	(void)state;
	assert_int_equal(note_parse(&n, span_str(FOO), &e), 0);
	assert_int_equal(note_key_pem(&log, span_str(FOO_PEM), false, &e), 0);
	assert_int_equal(note_check(&n, &log, 1, &by, &e), 0);
	assert_int_equal(by, 1);
	/* A witness's signature has another type, so another id. */
	assert_int_equal(note_key_pem(&witness, span_str(FOO_PEM), true, &e),
			 0);
	assert_int_equal(note_check(&n, &witness, 1, &by, &e), 0);
	assert_int_equal(by, 0);
	log.pub[0] ^= 1;
	assert_int_equal(note_check(&n, &log, 1, &by, &e), 0);
	assert_int_equal(by, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shared_vector_holds),
		cmocka_unit_test(sixteen_signatures_and_more),
		cmocka_unit_test(a_cosignature_says_when),
		cmocka_unit_test(keys_of_chips_sign_too),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(notes_that_are_none),
		cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(keys_in_pem),
		cmocka_unit_test(a_key_in_pem_signed),
		cmocka_unit_test(known_keys_may_not_be_wrong),
		cmocka_unit_test(checkpoints_have_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
