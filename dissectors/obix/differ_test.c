/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another reader of XML: what ours accepts, libxml2 reads as the same tree of
 * elements and attributes. Documents are those of the corpus of the fuzz
 * target, and mutations of them.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#if __has_include(<libxml/parser.h>)
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "dissectors/obix/testkit.h"

#define CORPUS "tests/corpus/obix"
#define ROUNDS 4000
#define PAGES  40000
#define TREE   (1 << 18)

struct tree {
	size_t n;
	char text[TREE];
};

static void put(struct tree *t, const char *s, size_t n)
{
	if (t->n + n + 1 > TREE)
		return;
	memcpy(t->text + t->n, s, n);
	t->n += n;
	t->text[t->n] = 0;
}

static void put_span(struct tree *t, const char *before, struct span s)
{
	put(t, before, strlen(before));
	put(t, (const char *)s.p, s.n);
}

/* --- ours --------------------------------------------------------------------- */

static int ours_start(void *arg, const struct xml_tag *tag, struct err *e)
{
	struct tree *t = arg;
	char count[32];

	(void)e;
	put_span(t, "<", tag->local);
	put_span(t, "|", tag->ns);
	for (unsigned i = 0; i < AT_COUNT; i++) {
		char key[8];

		snprintf(key, sizeof(key), " %u=", i);
		if (tag->at[i].p)
			put_span(t, key, tag->at[i]);
	}
	snprintf(count, sizeof(count), " +%u", tag->others);
	put(t, count, strlen(count));
	return 0;
}

static int ours_end(void *arg, struct err *e)
{
	(void)e;
	put(arg, ">", 1);
	return 0;
}

static bool ours(struct xml_block *b, struct span in, struct tree *t)
{
	const struct xml_sink sink = {t, ours_start, ours_end};
	const struct obix_scan start = {0};
	struct err e = {0};
	struct scan s = scan_of(&start, in, &e);
	enum scan_token tok;

	t->n = 0;
	t->text[0] = 0;
	while ((tok = scan_next(&s)) < SCAN_MORE)
		;
	if (tok == SCAN_BAD || s.at != in.n || s.sum.stage != SCAN_BEHIND)
		return false;
	return xml_open(b, &e) == 0 &&
	       xml_read(b, in, true, &s.sum, &sink, &e) == 0;
}

/* --- theirs -------------------------------------------------------------------- */

static struct span of_xml(const xmlChar *s)
{
	return span_str((const char *)s);
}

static void theirs_node(xmlNode *node, struct tree *t)
{
	for (; node; node = node->next) {
		struct span at[AT_COUNT] = {{0}};
		xmlChar *values[AT_COUNT] = {0};
		unsigned others = 0;
		char text[32];

		if (node->type != XML_ELEMENT_NODE)
			continue;
		put_span(t, "<", of_xml(node->name));
		put_span(t, "|", node->ns ? of_xml(node->ns->href) :
					    (struct span){0});
		for (xmlAttr *a = node->properties; a; a = a->next) {
			enum obix_attr id = obix_attribute(of_xml(a->name));

			/* xml:lang and the like are nobody's facets. */
			if (id == AT_UNKNOWN ||
			    (a->ns && span_is(of_xml(a->ns->href),
					      "http://www.w3.org/XML/1998/"
					      "namespace"))) {
				others++;
				continue;
			}
			values[id] = xmlNodeListGetString(node->doc,
							  a->children, 1);
			at[id] = values[id] ? of_xml(values[id]) :
					      span_str("");
		}
		for (unsigned i = 0; i < AT_COUNT; i++) {
			snprintf(text, sizeof(text), " %u=", i);
			if (at[i].p)
				put_span(t, text, at[i]);
			xmlFree(values[i]);
		}
		snprintf(text, sizeof(text), " +%u", others);
		put(t, text, strlen(text));
		theirs_node(node->children, t);
		put(t, ">", 1);
	}
}

static void silent(void *arg, const char *fmt, ...)
{
	(void)arg, (void)fmt;
}

static bool theirs(struct span in, struct tree *t)
{
	xmlDoc *doc = xmlReadMemory((const char *)in.p, (int)in.n, NULL, NULL,
				    XML_PARSE_NONET | XML_PARSE_NOERROR |
					    XML_PARSE_NOWARNING);

	t->n = 0;
	t->text[0] = 0;
	if (!doc)
		return false;
	theirs_node(xmlDocGetRootElement(doc), t);
	xmlFreeDoc(doc);
	return true;
}

/* --- documents ------------------------------------------------------------------- */

static uint64_t seed = 3;

static uint32_t rnd(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static const char *const pieces[] = {
	"<", ">", "/>", "\"", "'", "&amp;", "&#65;", "&#x1F600;", "&", "\n",
	"\t", " ", "<!-- -->", "<obj>", "</obj>", "<o:real xmlns:o=\"u\"/>",
	" xmlns=\"http://obix.org/ns/schema/1.1\"", " xmlns:x='y'", " x:a=\"1\"",
	" val=\"a&#10;b\"", "\xc3\xa9", "\xef\xbb\xbf", "\xff", "]]>",
	"<![CDATA[x]]>", "<?a b?>", "<!DOCTYPE a>", "a", ":", "=", "\r\n",
	" xml:lang=\"de\"", " xmlns=\"\"", "--",
};

/* One to four changes of a seed. */
static size_t mutate(uint8_t *buf, size_t n, size_t cap)
{
	for (uint32_t i = 1 + rnd(4); i > 0 && n > 0; i--) {
		size_t at = rnd((uint32_t)n);
		const char *p = pieces[rnd(sizeof(pieces) / sizeof(*pieces))];
		size_t len = strlen(p);

		switch (rnd(4)) {
		case 0:
			if (n + len > cap)
				break;
			memmove(buf + at + len, buf + at, n - at);
			memcpy(buf + at, p, len);
			n += len;
			break;
		case 1:
			len = 1 + rnd(20);
			len = len > n - at ? n - at : len;
			memmove(buf + at, buf + at + len, n - at - len);
			n -= len;
			break;
		case 2:
			buf[at] = (uint8_t)rnd(256);
			break;
		default:
			buf[at] = (uint8_t)p[0];
			break;
		}
	}
	return n;
}

/* Changes near the beginning, where a body is recognised. */
static size_t mutate_front(uint8_t *buf, size_t n, size_t cap)
{
	size_t front = n < 24 ? n : 24, was = front;
	uint8_t first[64 + 8 * 64];

	memcpy(first, buf, front);
	front = mutate(first, front, sizeof(first));
	if (n - was + front > cap)
		return n;
	memmove(buf + front, buf + was, n - was);
	memcpy(buf, first, front);
	return n - was + front;
}

struct seed {
	size_t n;
	uint8_t octets[8192];
};

/* All of them, in the same order on every file system. */
static struct seed *seeds(size_t *n)
{
	struct dirent **names;
	int all = scandir(CORPUS, &names, NULL, alphasort);
	struct seed *s;

	*n = 0;
	assert_true(all > 0);
	s = calloc((size_t)all, sizeof(*s));
	assert_non_null(s);
	for (int i = 0; i < all; i++) {
		char path[512];
		FILE *in;

		snprintf(path, sizeof(path), CORPUS "/%s", names[i]->d_name);
		in = names[i]->d_name[0] != '.' ? fopen(path, "rb") : NULL;
		free(names[i]);
		if (!in)
			continue;
		/* Two octets in front are the fuzz target's. */
		if (fseek(in, 2, SEEK_SET) == 0)
			s[*n].n = fread(s[*n].octets, 1, sizeof(s->octets), in);
		*n += s[*n].n > 0;
		fclose(in);
	}
	free(names);
	assert_true(*n > 5);
	return s;
}

static void same_tree(void **state)
{
	static uint8_t buf[16384];
	static struct xml_block block;
	static struct tree a, b;
	size_t n, good = 0, accepted = 0, differ = 0;
	struct seed *s = seeds(&n);

	(void)state;
	xmlSetGenericErrorFunc(NULL, silent);
	for (unsigned i = 0; i < n + ROUNDS; i++) {
		/* What is accepted as it is comes to the front. */
		const struct seed *from = &s[i < n ? i : i % good];
		size_t octets = from->n;

		memcpy(buf, from->octets, octets);
		if (i >= n)
			octets = mutate(buf, octets, sizeof(buf));
		if (!ours(&block, span_of(buf, octets), &a))
			continue;
		if (i < n)
			s[good++] = *from;
		else
			accepted++;
		if (theirs(span_of(buf, octets), &b) &&
		    strcmp(a.text, b.text) == 0)
			continue;
		differ++;
		print_error("%.*s\nours   %.900s\ntheirs %.900s\n", (int)octets,
			    (char *)buf, a.text, b.text);
		if (differ > 3)
			break;
		assert_true(i + 1 < n || good > 5);
	}
	print_message("%zu of %zu documents accepted, %zu of %d changed ones\n",
		      good, n, accepted, ROUNDS);
	assert_int_equal(differ, 0);
	assert_true(accepted > ROUNDS / 20);
	free(s);
	xmlCleanupParser();
}

/* What we call a page is no document of oBIX to libxml2. */
static void no_page_is_a_document(void **state)
{
	static const char *const types[] = {"text/xml", "text/html",
					    "text/plain", "image/png", ""};
	static uint8_t buf[16384];
	size_t n, pages = 0, differ = 0;
	struct seed *s = seeds(&n);

	(void)state;
	xmlSetGenericErrorFunc(NULL, silent);
	for (unsigned i = 0; i < PAGES && differ < 4; i++) {
		struct span type = span_str(types[i % 5]);
		size_t octets = s[i % n].n;
		struct err e = {0};
		xmlDoc *doc;
		xmlNode *root;

		memcpy(buf, s[i % n].octets, octets);
		octets = mutate_front(buf, octets, sizeof(buf));
		if (obix_recognise(span_of(buf, octets), true, type, &e) !=
		    OBIX_NO)
			continue;
		pages++;
		doc = xmlReadMemory((const char *)buf, (int)octets, NULL, NULL,
				    XML_PARSE_NONET | XML_PARSE_NOERROR |
					    XML_PARSE_NOWARNING);
		root = doc ? xmlDocGetRootElement(doc) : NULL;
		if (root && obix_element(of_xml(root->name)) != EL_UNKNOWN) {
			differ++;
			print_error("a page as %.*s:\n%.*s\n", (int)type.n,
				    (const char *)type.p, (int)octets,
				    (char *)buf);
		}
		xmlFreeDoc(doc);
	}
	print_message("%zu of %d bodies are pages\n", pages, PAGES);
	assert_int_equal(differ, 0);
	assert_true(pages > PAGES / 20);
	free(s);
	xmlCleanupParser();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_tree),
		cmocka_unit_test(no_page_is_a_document),
	};

	return cmocka_run_group_tests_name("obix differ", tests, NULL, NULL);
}
#else
int main(void)
{
	puts("SKIP: obix differ: libxml2-dev is not installed");
	return 0;
}
#endif
