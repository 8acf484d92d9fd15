/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents that someone could read otherwise than we do, and what each is
 * refused for. Every row is a whole body; refused means that no unit with the
 * trap in it was released.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const struct {
	const char *why;
	struct span body;
	enum reason want;
	const char *type; /* NULL: text/xml */
} rows[] = {
#define X(why, body, want, type) {why, S(body), REASON_##want, type},
#include "dissectors/obix/attacks.def"
#include "dissectors/obix/attacks_asked.def"
#undef X
};

/* As the http dissector asks: recognise, then read. */
static enum reason refused_for(struct kit *k, struct span body,
			       const char *type)
{
	struct span t = span_str(type ? type : "text/xml");
	struct err e = {0};

	switch (obix_recognise(body, true, t, &e)) {
	case OBIX_BAD:
		return (enum reason)e.reason;
	case OBIX_YES:
		break;
	default:
		return REASON_NONE;
	}
	if (kit_ask(k, "POST", "/obix/x", body, NULL) == 0)
		return REASON_NONE;
	assert_int_equal(k->text_n, 0);
	return (enum reason)k->e.reason;
}

static void attacks(void **state)
{
	struct kit *k = kit_new();
	unsigned bad = 0;

	(void)state;
	k->host = span_str("meter");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum reason got = refused_for(k, rows[i].body, rows[i].type);

		if (got != rows[i].want) {
			print_error("%s: %s, not %s (%s)\n", rows[i].why,
				    reason_text(got), reason_text(rows[i].want),
				    k->e.text);
			bad++;
		}
		/* What was refused leaves nothing behind. */
		assert_int_equal(kit_ask(k, "PUT", "/obix/a",
					 span_str("<bool val=\"true\"/>"),
					 NULL),
				 0);
	}
	assert_int_equal(bad, 0);
	kit_free(k);
}

/* Every prefix of every row, as if the rest were still to come. */
static void cut_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span t = span_str(rows[i].type ? rows[i].type :
							"text/xml");
		enum obix_is last = OBIX_MORE;

		for (size_t n = 0; n <= rows[i].body.n; n++) {
			struct err e = {0};
			enum obix_is is = obix_recognise(
				span_sub(rows[i].body, 0, n), false, t, &e);

			if (last != OBIX_MORE && is != last)
				fail_msg("%s: changes its mind at %zu",
					 rows[i].why, n);
			last = is;
		}
	}
}

/* What says that it is something else may begin with any octet. */
static void other_types(void **state)
{
	static const char *const types[] = {
		"application/octet-stream", "application/cbor",
		"application/msgpack", "application/pgp-encrypted",
		"application/x-tar", "text/plain", "image/png"};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (unsigned first = 0x80; first < 0xc0; first++) {
			uint8_t body[12] = {(uint8_t)first, 'A', 'B', 2, 3,
					    4, 5, 6, 7, 8, 9, 10};
			struct err e = {0};

			if (obix_recognise(span_of(body, sizeof(body)), true,
					   span_str(types[i]),
					   &e) != OBIX_NO)
				fail_msg("%s: %02x: %s", types[i], first,
					 e.text);
		}
	}
}

static void harmless(void **state)
{
	static const struct {
		const char *why;
		struct span body;
	} ok[] = {
		{"nothing in front", S("<obj/>")},
		{"a mark", S("\xef\xbb\xbf<obj/>")},
		{"a declaration",
		 S("<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<obj/>")},
		{"a stylesheet",
		 S("<?xml version=\"1.0\"?><?xml-stylesheet type='text/xsl' href='/x'?><obj/>")},
		{"comments everywhere",
		 S("<!-- a --><obj><!-- b --></obj><!-- c -->\n")},
		{"a prefix", S("<o:obj xmlns:o=\"http://obix.org/ns/schema/1.1\"/>")},
		{"the five entities", S("<str val=\"&lt;&gt;&amp;&quot;&apos;\"/>")},
		{"character references", S("<str val=\"&#x41;&#66;\"/>")},
		{"'>' in a value", S("<str val=\">\"/>")},
		{"quotes of both kinds", S("<str val='\"' name=\"'\"/>")},
		{"unknown elements", S("<obj><meta><op name=\"a\"/></meta></obj>")},
		{"the server's own name",
		 S("<real val='1' href='http://METER:80/obix/x'/>")},
		{"a definition twice, the same",
		 S("<obj><obj href='#R'><real name='a' unit='obix:units/watt'/></obj>"
		   "<obj href='#R'><real name='a' unit='obix:units/watt'/></obj></obj>")},
		{"units defined behind their use",
		 S("<obj><real unit='/u/1' val='2'/>"
		   "<obj href='/u/0' is='obix:Unit'><real name='scale' val='5'/></obj>"
		   "<obj href='/u/1' is='obix:Unit'><real name='scale' val='2'/></obj></obj>")},
		{"32 deep",
		 S("<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj>"
		   "<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj>"
		   "<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj><obj><obj/>"
		   "</obj></obj></obj></obj></obj></obj></obj></obj></obj></obj>"
		   "</obj></obj></obj></obj></obj></obj></obj></obj></obj></obj>"
		   "</obj></obj></obj></obj></obj></obj></obj></obj></obj></obj></obj>")},
	};
	struct kit *k = kit_new();

	(void)state;
	k->host = span_str("meter");
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		enum reason got = refused_for(k, ok[i].body, NULL);

		if (got != REASON_NONE)
			fail_msg("%s: %s (%s)", ok[i].why, reason_text(got),
				 k->e.text);
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attacks),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(other_types),
		cmocka_unit_test(harmless),
	};

	return cmocka_run_group_tests_name("obix attack", tests, NULL, NULL);
}
