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
	/* Document types and entities. */
	{"an empty document type", S("<!DOCTYPE obj><obj/>"), REASON_XML_DTD, NULL},
	{"an entity for the target",
	 S("<!DOCTYPE list [<!ENTITY u \"/a\">]><list><uri val=\"&u;\"/></list>"),
	 REASON_XML_DTD, NULL},
	{"behind the declaration",
	 S("<?xml version=\"1.0\"?><!DOCTYPE obj [<!ENTITY a \"b\">]><obj/>"),
	 REASON_XML_DTD, NULL},
	{"attribute defaults that the body does not show",
	 S("<!DOCTYPE list [<!ATTLIST uri val CDATA \"/a\">]><list><uri/></list>"),
	 REASON_XML_DTD, NULL},
	{"nested entities",
	 S("<!DOCTYPE l [<!ENTITY a \"&b;\"><!ENTITY b \"/x\">]><list val=\"&a;\"/>"),
	 REASON_XML_DTD, NULL},
	{"a billion laughs",
	 S("<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><str val=\"&b;\"/>"),
	 REASON_XML_DTD, NULL},
	{"a parameter entity",
	 S("<!DOCTYPE l [<!ENTITY % p SYSTEM \"http://x/\">%p;]><obj/>"),
	 REASON_XML_DTD, NULL},
	{"an external document type",
	 S("<!DOCTYPE obj SYSTEM \"http://evil/x.dtd\"><obj/>"),
	 REASON_XML_DTD, NULL},
	{"a public one", S("<!DOCTYPE obj PUBLIC \"-//A\" \"b\"><obj/>"),
	 REASON_XML_DTD, NULL},
	{"within the root", S("<obj><!DOCTYPE x></obj>"), REASON_XML_DTD, NULL},
	{"behind the root", S("<obj/><!DOCTYPE x>"), REASON_XML_DTD, NULL},
	{"an entity declaration on its own", S("<obj><!ENTITY a \"b\"></obj>"),
	 REASON_XML_DTD, NULL},
	{"an attribute list on its own", S("<obj><!ATTLIST uri val CDATA \"x\"></obj>"),
	 REASON_XML_DTD, NULL},
	{"lower case, which no reader takes", S("<!doctype obj><obj/>"),
	 REASON_MALFORMED, NULL},
	{"an entity nobody defined", S("<str val=\"&secret;\"/>"),
	 REASON_XML_ENTITY, NULL},
	{"one of HTML", S("<str val=\"a&nbsp;b\"/>"), REASON_XML_ENTITY, NULL},
	{"in text", S("<obj>&x;</obj>"), REASON_XML_ENTITY, NULL},
	{"a bare ampersand", S("<str val=\"a&b\"/>"), REASON_MALFORMED, NULL},
	{"not a document on its own",
	 S("<?xml version=\"1.0\" standalone=\"no\"?><obj/>"), REASON_XML_DTD, NULL},
	/* Sections and instructions. */
	{"CDATA", S("<obj><![CDATA[<real val=\"1\"/>]]></obj>"),
	 REASON_XML_CDATA, NULL},
	{"an empty CDATA section", S("<obj><![CDATA[]]></obj>"),
	 REASON_XML_CDATA, NULL},
	{"CDATA outside the root", S("<![CDATA[x]]><obj/>"), REASON_XML_CDATA, NULL},
	{"a conditional section", S("<obj><![INCLUDE[<int/>]]></obj>"),
	 REASON_MALFORMED, NULL},
	{"an instruction", S("<?php echo 1?><obj/>"), REASON_XML_INSTRUCTION, NULL},
	{"an instruction within", S("<obj><?x y?></obj>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a stylesheet within", S("<obj><?xml-stylesheet href='/x'?></obj>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a stylesheet behind", S("<obj/><?xml-stylesheet href='/x'?>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"two stylesheets",
	 S("<?xml-stylesheet href='a'?><?xml-stylesheet href='b'?><obj/>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"one that only begins like it", S("<?xml-stylesheets a?><obj/>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a stylesheet with room for a message",
	 S("<?xml-stylesheet href='"
	   "0123456789012345678901234567890123456789012345678901234567890123456"
	   "0123456789012345678901234567890123456789012345678901234567890123456"
	   "0123456789012345678901234567890123456789012345678901234567890123456"
	   "0123456789012345678901234567890123456789012345678901234567890123456"
	   "'?><obj/>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a second declaration",
	 S("<?xml version=\"1.0\"?><?xml version=\"1.0\"?><obj/>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a declaration behind white space", S(" <?xml version=\"1.0\"?><obj/>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"a declaration within", S("<obj><?xml version=\"1.0\"?></obj>"),
	 REASON_XML_INSTRUCTION, NULL},
	{"XML 1.1, whose line ends and names differ",
	 S("<?xml version=\"1.1\"?><obj/>"), REASON_MALFORMED, NULL},
	{"a declaration without version", S("<?xml encoding=\"UTF-8\"?><obj/>"),
	 REASON_MALFORMED, NULL},
	/* Encodings. */
	{"ISO-8859-1 declared",
	 S("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><obj/>"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-16 declared in ASCII",
	 S("<?xml version=\"1.0\" encoding=\"UTF-16\"?><obj/>"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-7 declared",
	 S("<?xml version=\"1.0\" encoding=\"UTF-7\"?><obj/>"),
	 REASON_XML_ENCODING, NULL},
	{"EBCDIC declared",
	 S("<?xml version=\"1.0\" encoding=\"IBM037\"?><obj/>"),
	 REASON_XML_ENCODING, NULL},
	{"US-ASCII declared, which is another reader's choice",
	 S("<?xml version=\"1.0\" encoding=\"US-ASCII\"?><obj/>"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-16, little end first, marked", S("\xff\xfe<\0o\0b\0j\0/\0>\0"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-16, big end first, marked", S("\xfe\xff\0<\0o\0b\0j\0/\0>"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-16, not marked", S("<\0o\0b\0j\0/\0>\0"), REASON_XML_ENCODING, NULL},
	{"UTF-16, big end first, not marked", S("\0<\0o\0b\0j\0/\0>"),
	 REASON_XML_ENCODING, NULL},
	{"UTF-32", S("<\0\0\0o\0\0\0b\0\0\0j\0\0\0"), REASON_XML_ENCODING, NULL},
	{"UTF-32, marked", S("\xff\xfe\0\0<\0\0\0o\0\0\0"), REASON_XML_ENCODING, NULL},
	{"EBCDIC", S("\x4c\x6f\xa7\x94\x93\x40"), REASON_XML_ENCODING, NULL},
	{"UTF-16 called an image", S("\xff\xfe<\0o\0b\0j\0/\0>\0"),
	 REASON_XML_ENCODING, "image/png"},
	{"NUL in a tag", S("<obj \0 name=\"a\"/>"), REASON_MALFORMED, NULL},
	{"NUL in a value", S("<str val=\"a\0b\"/>"), REASON_MALFORMED, NULL},
	{"NUL in text", S("<obj>a\0b</obj>"), REASON_XML_ENCODING, NULL},
	{"NUL in a comment", S("<obj><!-- \0 --></obj>"), REASON_XML_ENCODING, NULL},
	{"NUL behind the root", S("<obj/>\0"), REASON_XML_ENCODING, NULL},
	{"an overlong '/'", S("<str val=\"\xc0\xaf\"/>"), REASON_MALFORMED, NULL},
	{"half a surrogate pair", S("<str val=\"\xed\xa0\x80\"/>"),
	 REASON_MALFORMED, NULL},
	{"above U+10FFFF", S("<str val=\"\xf4\x90\x80\x80\"/>"),
	 REASON_MALFORMED, NULL},
	{"a cut sequence", S("<str val=\"\xe2\x82\"/>"), REASON_MALFORMED, NULL},
	{"a character reference to NUL", S("<str val=\"&#0;\"/>"),
	 REASON_MALFORMED, NULL},
	{"one to a surrogate", S("<str val=\"&#xD800;\"/>"), REASON_MALFORMED, NULL},
	{"a control character", S("<str val=\"\x01\"/>"), REASON_MALFORMED, NULL},
	/* Structure. */
	{"two roots", S("<obj/><obj/>"), REASON_MALFORMED, NULL},
	{"text behind the root", S("<obj/>x"), REASON_MALFORMED, NULL},
	{"a root that does not end", S("<obj><int/>"), REASON_INCOMPLETE, NULL},
	{"an end without start", S("<obj/></obj>"), REASON_MALFORMED, NULL},
	{"ends crossed", S("<obj><list></obj></list>"), REASON_MALFORMED, NULL},
	{"an attribute twice", S("<str val=\"a\" val=\"b\"/>"), REASON_MALFORMED, NULL},
	{"twice by local name",
	 S("<str xmlns:x=\"u\" val=\"a\" x:val=\"b\"/>"), REASON_SUSPICIOUS, NULL},
	{"twice by namespace",
	 S("<str xmlns:x=\"u\" xmlns:y=\"u\" x:q=\"a\" y:q=\"b\"/>"),
	 REASON_MALFORMED, NULL},
	{"no quotes", S("<str val=a/>"), REASON_MALFORMED, NULL},
	{"no value", S("<str val/>"), REASON_MALFORMED, NULL},
	{"'<' in a value", S("<str val=\"<\"/>"), REASON_MALFORMED, NULL},
	{"'<' in a tag", S("<str <int/>"), REASON_MALFORMED, NULL},
	{"no space between attributes", S("<str val=\"a\"name=\"b\"/>"),
	 REASON_MALFORMED, NULL},
	{"a space in front of the name", S("< obj/>"), REASON_MALFORMED, NULL},
	{"-- in a comment", S("<obj><!-- a -- b --></obj>"), REASON_MALFORMED, NULL},
	{"a comment that does not end", S("<obj><!-- a </obj>"),
	 REASON_INCOMPLETE, NULL},
	{"]]> in text", S("<obj>]]></obj>"), REASON_MALFORMED, NULL},
	{"a prefix nobody declared", S("<o:obj/>"), REASON_MALFORMED, NULL},
	{"the prefix of XML bound anew", S("<obj xmlns:xml=\"u\"/>"),
	 REASON_MALFORMED, NULL},
	{"xml:base, which moves every reference",
	 S("<obj xml:base=\"http://other/\"><int href=\"a\"/></obj>"),
	 REASON_SUSPICIOUS, NULL},
	{"33 deep",
	 S("<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj><obj>"
	   "<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj><obj>"
	   "<obj><obj><obj><obj><obj><obj><obj><obj><obj><obj><obj>"),
	 REASON_TOO_MANY_UNITS, NULL},
	{"25 attributes",
	 S("<obj a=\"\" b=\"\" c=\"\" d=\"\" e=\"\" f=\"\" g=\"\" h=\"\" i=\"\" j=\"\" k=\"\" "
	   "l=\"\" m=\"\" n=\"\" o=\"\" p=\"\" q=\"\" r=\"\" s=\"\" t=\"\" u=\"\" v=\"\" w=\"\" "
	   "x=\"\" y=\"\"/>"),
	 REASON_TOO_MANY_UNITS, NULL},
	{"a name of 129 octets",
	 S("<obj a0123456789012345678901234567890123456789012345678901234567890"
	   "123456789012345678901234567890123456789012345678901234567890123456789"
	   "=\"\"/>"),
	 REASON_TOO_LONG, NULL},
	/* Other encodings of the same. */
	{"EXI with its cookie", S("$EXI\x80\0\0\0"), REASON_NOT_XML, NULL},
	{"EXI without", S("\x80\x41\x02\x03\x04\x05\x06\x07"), REASON_NOT_XML, NULL},
	{"EXI by its type", S("abc"), REASON_NOT_XML, "application/exi"},
	{"binary by its type", S("\x04"), REASON_NOT_XML,
	 "application/x-obix-binary"},
	{"JSON", S("{\"tag\":\"obj\",\"nodes\":[]}"), REASON_NOT_XML,
	 "application/json"},
	{"JSON of the standard", S("{ \"obix\" : \"real\", \"val\": 1}"),
	 REASON_NOT_XML, "text/plain"},
	{"SOAP",
	 S("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"/>"),
	 REASON_NOT_XML, NULL},
	{"a document called a page", S("<!DOCTYPE list [<!ENTITY a \"b\">]><list/>"),
	 REASON_XML_DTD, "text/html"},
	{"the same without a subset", S("<!DOCTYPE html><list/>"),
	 REASON_XML_DTD, "text/html"},
	{"white space instead of XML", S("<!-- a -->"), REASON_INCOMPLETE, NULL},
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
		cmocka_unit_test(harmless),
	};

	return cmocka_run_group_tests_name("obix attack", tests, NULL, NULL);
}
