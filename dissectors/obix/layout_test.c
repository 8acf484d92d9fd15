/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layout and spelling may tell: which of it is free, and what counts as
 * text that nothing reads. Beside one value 112 octets are let pass, eight more
 * are a value of unknown type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define W "val='1' unit='obix:units/watt'"
#define R "<real " W "/>"
#define TEXT(path, body, says)                                                 \
	"GET", path, NULL, body, false,                                        \
		"read-request " path "\nread-response " path " unit=watt "      \
		"power.instant" says "\n"
#define FREE " r=1 v=1"
#define MORE(n) "+unknown.table r=1 v=" n " note"

#define X4(s)  s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define X64(s) X16(s) X16(s) X16(s) X16(s)
#define X128(s) X64(s) X64(s)

/* A list that holds s 128 times, and the value once. */
#define OBJ(s) "<obj>" s R "</obj>"
#define T56 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcd"
#define SUB	"<ref href='/a'/>"

static const struct kit_row rows[] = {
	/* White space between tags. */
	{"lines that are indented by their depth",
	 TEXT("/l1", "<obj>" X128("\n  " SUB) "\n  " R "\n</obj>\n",
	      FREE)},
	{"by tabs",
	 TEXT("/l2", "<obj>" X128("\r\n\t" SUB) "\r\n\t" R "\r\n</obj>\r\n",
	      FREE)},
	{"by nothing",
	 TEXT("/l3", "<obj>" X128("\n" SUB) "\n" R "\n</obj>\n",
	      FREE)},
	{"in one line",
	 TEXT("/l4", "<obj>" X128(SUB) R "</obj>",
	      FREE)},
	{"each of its own element",
	 TEXT("/l5", "<obj>" X128("\n  <ref href='/a'>\n  </ref>") "\n  " R "\n</obj>",
	      FREE)},
	{"another indentation than the first",
	 TEXT("/l6", "<obj>" "\n  " SUB X128("\n " SUB) "\n  " R "\n</obj>",
	      MORE("4"))},
	{"another end of line",
	 TEXT("/l7", "<obj>" "\n  " SUB X128("\r\n  " SUB) "\n  " R "\n</obj>",
	      MORE("4"))},
	{"a tab for spaces",
	 TEXT("/l8", "<obj>" "\n  " SUB X128("\n\t" SUB) "\n  " R "\n</obj>",
	      MORE("4"))},
	{"a line or none",
	 TEXT("/l9", "<obj>" "\n  " SUB X128(SUB) "\n  " R "\n</obj>",
	      MORE("4"))},
	{"empty lines",
	 TEXT("/l10", "<obj>" X128("\n\n  " SUB) "\n  " R "\n</obj>",
	      MORE("52"))},
	{"a run of all kinds",
	 TEXT("/l11", "<obj>" X128(" \t\n\r") R "</obj>",
	      MORE("52"))},
	{"behind the root",
	 TEXT("/l12", R X128(" \n"),
	      MORE("19"))},
	{"in front of it",
	 TEXT("/l13", X128(" \n") R,
	      MORE("19"))},
	{"a wide indentation",
	 TEXT("/l14", "<obj>" X128(" ") R "</obj>",
	      MORE("4"))},
	{"among text",
	 TEXT("/l15", "<obj>" "a" X128(" ") "b" R "</obj>",
	      MORE("5"))},
	{"in a comment",
	 TEXT("/l16", "<!--" X128(" \t") "-->" R,
	      MORE("20"))},
	{"two spaces in front of each attribute",
	 TEXT("/l17", "<obj>" X128("<ref  href='/a'/>") R "</obj>",
	      MORE("4"))},
	{"attributes on lines of their own",
	 TEXT("/l18", "<obj>" X64("<ref\n  href='/a'/>") R "</obj>",
	      FREE)},
	{"a run of all kinds in a tag",
	 TEXT("/l19", "<real" X128(" \t\n\r") W "/>",
	      MORE("51"))},
	{"around the equals sign",
	 TEXT("/l20", "<obj>" X128("<ref href ='/a'/>") R "</obj>",
	      MORE("4"))},
	{"behind it",
	 TEXT("/l21", "<obj>" X128("<ref href= '/a'/>") R "</obj>",
	      MORE("4"))},
	{"behind the last attribute",
	 TEXT("/l22", "<obj>" X128("<ref href='/a' ></ref>") R "</obj>",
	      MORE("4"))},
	{"in an end tag",
	 TEXT("/l23", "<obj>" X128("<ref href='/a'></ref >") R "</obj>",
	      MORE("4"))},
	{"a space in front of each empty end",
	 TEXT("/l24", "<obj>" X128("<ref href='/a' />") "<real " W " /></obj>",
	      FREE)},
	{"of some",
	 TEXT("/l25", "<obj>" SUB X128("<ref href='/a' />") R "</obj>",
	      MORE("4"))},
	{"quotes of one kind",
	 TEXT("/l26", "<obj>" X128("<ref href=\"/a\"/>") "<real val=\"1\" unit=\"obix:units/watt\"/></obj>",
	      FREE)},
	{"of two kinds",
	 TEXT("/l27", "<obj>" SUB X128("<ref href=\"/a\"/>") R "</obj>",
	      MORE("4"))},
	{"ends of lines in a text that was said",
	 TEXT("/l28", "<obj>" X128("<ref href='/a' display='a\nb'/>") R "</obj>",
	      MORE("5"))},
	{"spaces there",
	 TEXT("/l29", "<obj>" X128("<ref href='/a' display='a b'/>") R "</obj>",
	      FREE)},
	{"a character by its number",
	 TEXT("/l30", "<obj>" X128("<ref href='&#47;a'/>") R "</obj>",
	      MORE("4"))},
	{"with zeros",
	 TEXT("/l31", "<obj><ref href='&#" X128("0") "47;a'/>" R "</obj>",
	      MORE("5"))},
	{"what has to be written so",
	 TEXT("/l32", "<obj>" X64("<ref href='/a' display='&lt;&amp;'/>") R "</obj>",
	      FREE)},
	{"empty elements",
	 TEXT("/l33", "<obj>" X64("<obj/><ref/>") R "</obj>",
	      MORE("36"))},
	{"errors that say nothing",
	 TEXT("/l34", "<obj>" X64("<err/>") R "</obj>",
	      MORE("4"))},
	{"contracts again and again",
	 TEXT("/l35", "<obj><ref href='/a' is='obix:Point" X128(" obix:obj") "'/>" R "</obj>",
	      MORE("5"))},
	{"flags that change",
	 TEXT("/l36", "<obj>" X64("<ref href='/a' status='ok'/><ref href='/a' status='down'/>") R "</obj>",
	      MORE("20"))},
	{"flags that do not",
	 TEXT("/l37", "<obj>" X64("<ref href='/a' status='ok' writable='true'/>") R "</obj>",
	      FREE)},
	/* Words beside a measurement. */
	{"a few",
	 TEXT("/m1", "<obj><str name='s' val='ok'/>" R "</obj>",
	      "+status.device r=1 v=2")},
	{"as many as are let pass",
	 TEXT("/m2", "<obj><str val='" T56 "'/>" R "</obj>",
	      "+status.device r=1 v=2")},
	{"and one more",
	 TEXT("/m3", "<obj><str val='" T56 "a'/>" R "</obj>",
	      "+status.device+unknown.table r=1 v=3 note")},
	{"a reference as a value",
	 TEXT("/m4", "<obj><uri val='" T56 "b'/>" R "</obj>",
	      "+config.meter+unknown.table r=1 v=3 note")},
	{"a name of an enumeration for each of few letters",
	 TEXT("/m5", "<obj>" X64("<enum val='a'/><enum val='b'/>") R "</obj>",
	      "+appliance.state+unknown.table r=128 v=138 note")},
	{"the same all the time",
	 TEXT("/m6", "<obj>" X128("<enum val='a'/>") R "</obj>",
	      "+appliance.state r=128 v=129")},
	{"without a measurement there is room for what it is about", "GET",
	 "/m7", NULL, "<obj><str val='" T56 "'/><str val='" T56 "a'/></obj>",
	 false, "read-request /m7\nread-response /m7 status.device\n"},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(rows[0])), 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges),
	};

	return cmocka_run_group_tests_name("obix layout", tests, NULL, NULL);
}
