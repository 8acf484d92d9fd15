/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/xml.h"

#include <expat.h>
#include <stddef.h>

#include "core/wbuf.h"

/* The security release has it; with another library it is not there. */
XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool on)
	__attribute__((weak));

#define SEPARATOR '\n' /* between the parts of a name; no URI holds it */

/*
 * Memory for expat. Its functions are given no argument but a size, so where
 * the block is can only be said beside the call: the one mutable datum at file
 * scope, set around each call of expat and not used outside it. Pieces hold
 * powers of two, which is what expat asks for most, and return to a list of
 * their size, so that a long document needs no more than a short one.
 */
static _Thread_local struct xml_block *xml_memory;

#define PIECE_MIN 32u
#define HEAD      16u /* in front of a piece: its class; keeps alignment */
#define HOLDS(c)  ((size_t)PIECE_MIN << (c))

static unsigned class_of(size_t size)
{
	unsigned c;

	if (size <= PIECE_MIN)
		return 0;
	c = 64 - (unsigned)__builtin_clzll((size - 1) / PIECE_MIN);
	return c < XML_CLASSES ? c : XML_CLASSES;
}

static void *take(size_t size)
{
	struct xml_block *b = xml_memory;
	unsigned c = class_of(size);
	uint32_t at;

	if (c < XML_CLASSES && b->free[c]) {
		at = b->free[c] - 1;
		memcpy(&b->free[c], b->octets + at + HEAD, sizeof(uint32_t));
		return b->octets + at + HEAD;
	}
	if (c == XML_CLASSES || HOLDS(c) + HEAD > XML_BLOCK - b->used)
		return NULL;
	at = b->used;
	b->used += (uint32_t)(HOLDS(c) + HEAD);
	memcpy(b->octets + at, &c, sizeof(c));
	return b->octets + at + HEAD;
}

static void give(void *p)
{
	struct xml_block *b = xml_memory;
	uint32_t at;
	unsigned c;

	if (!p)
		return;
	at = (uint32_t)((uint8_t *)p - b->octets) - HEAD;
	memcpy(&c, b->octets + at, sizeof(c));
	memcpy(p, &b->free[c], sizeof(uint32_t));
	b->free[c] = at + 1;
}

static void *resize(void *p, size_t size)
{
	unsigned c;
	void *to;

	if (!p)
		return take(size);
	memcpy(&c, (uint8_t *)p - HEAD, sizeof(c));
	if (class_of(size) <= c)
		return p;
	to = take(size);
	if (to) {
		memcpy(to, p, HOLDS(c));
		give(p);
	}
	return to;
}

void xml_copy(struct xml_block *to, const struct xml_block *from)
{
	memcpy(to, from, offsetof(struct xml_block, octets) + from->used);
}

/* --- one reading
 * ---------------------------------------------------------------- */

struct reading {
	XML_Parser parser;
	const struct xml_sink *sink;
	struct err *e;
	int rc;
	uint32_t tags, ends, comments;
	uint64_t names;
	/* Numbers and octets in namespaces of the next element. */
	unsigned spaces, space_text;
	struct obix_memo memo;
	/* Between two elements tag.at is empty: clearing all of it for every
	 * element would cost more than reading most of them. */
	struct xml_tag tag;
};

static void stop(struct reading *r, int rc)
{
	if (r->rc == 0)
		r->rc = rc;
	XML_StopParser(r->parser, XML_FALSE);
}

static void refuse(struct reading *r, enum reason why, const char *what)
{
	if (r->rc == 0)
		stop(r, err_reason(r->e, E_SYNTAX, (int)why, 0, "%s", what));
}

/* What expat gives as URI, local name and prefix. */
struct name {
	struct span ns, local, prefix;
};

static struct name name_of(const XML_Char *text)
{
	const char *sep = strchrnul(text, SEPARATOR), *prefix;
	struct name n = {.local = span_of(text, (size_t)(sep - text))};

	if (!*sep)
		return n;
	n.ns = n.local;
	prefix = strchrnul(sep + 1, SEPARATOR);
	n.local = span_of(sep + 1, (size_t)(prefix - sep) - 1);
	if (*prefix)
		n.prefix = span_str(prefix + 1);
	return n;
}

/* As scan_hash of the name as it was written. What is too long for that is
 * refused. */
static uint64_t hash_name(uint64_t h, const struct name *n)
{
	uint8_t whole[2 * XML_NAME + 1];
	struct wbuf w = wbuf_of(whole, sizeof(whole));

	if (!n->prefix.n)
		return scan_hash(h, n->local);
	wbuf_put(&w, n->prefix);
	wbuf_u8(&w, ':');
	wbuf_put(&w, n->local);
	return scan_hash(h, wbuf_span(&w));
}

/* A number of more than max digits. */
static bool has_number(struct span s, unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		n = s.p[i] >= '0' && s.p[i] <= '9' ? n + 1 : 0;
		if (n > max)
			return true;
	}
	return false;
}

static bool has_digit(struct span s)
{
	return has_number(s, 0);
}

#define NAME_DIGITS 2 /* of a prefix, or a name that is in no table */

/* Those that are in use; of others every letter and digit counts. */
static bool is_namespace(struct span uri)
{
	static const char *const known[] = {
		"http://obix.org/ns/schema/1.0",
		"http://obix.org/ns/schema/1.1",
		"http://www.w3.org/2001/XMLSchema-instance",
		"http://www.w3.org/2001/XMLSchema",
		"http://www.w3.org/1999/xhtml",
		"http://www.w3.org/1999/xlink",
		"http://www.w3.org/2001/XInclude",
		"http://www.w3.org/XML/1998/namespace",
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_is(uri, known[i]))
			return true;
	}
	return false;
}

/* Where a schema lies, and the like: nothing that a reader of oBIX reads. */
static bool is_schema(const struct name *n)
{
	return span_is(n->ns, "http://www.w3.org/2001/XMLSchema-instance") &&
	       span_is(n->local, "schemaLocation");
}

/* What it is of, and perhaps the one place where that lies. */
static bool is_location(struct span value)
{
	static const char place[] = " /obix/xsd";
	size_t n = sizeof(place) - 1;

	if (value.n > n && memcmp(value.p + value.n - n, place, n) == 0)
		value.n -= n;
	return is_namespace(value);
}

static int known(struct xml_tag *t, enum obix_attr at, const char *value,
		 struct err *e)
{
	/* By local name there are two: readers differ on which one counts. */
	if (t->at[at].p)
		return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "an attribute twice");
	t->at[at] = span_str(value);
	t->set[t->n_set++] = (uint8_t)at;
	return 0;
}

/* One with a namespace, or that is in no table. */
static RARE int other(struct reading *r, struct xml_tag *t, const char *name,
		      const char *value)
{
	struct name n = name_of(name);
	enum obix_attr at = obix_attribute(n.local);

	if (n.local.n > XML_NAME || n.prefix.n > XML_NAME)
		return err_reason(r->e, E_LIMIT, REASON_TOO_LONG, 0,
				  "a name is too long");
	if (n.ns.n && span_is(n.ns, "http://www.w3.org/XML/1998/namespace")) {
		/* xml:base moves every href, for those who know it. */
		if (span_is(n.local, "base"))
			return err_reason(r->e, E_SYNTAX, REASON_SUSPICIOUS, 0,
					  "xml:base");
		t->others++;
		t->other_text += (unsigned)(n.local.n + strlen(value));
		return 0;
	}
	t->other_values += has_number(n.prefix, NAME_DIGITS);
	if (at == AT_UNKNOWN) {
		t->others++;
		t->other_values += has_number(n.local, NAME_DIGITS);
		if (is_schema(&n) && is_location(span_str(value)))
			return 0;
		t->other_values += has_digit(span_str(value));
		t->other_text += (unsigned)(n.local.n + strlen(value));
		return 0;
	}
	t->prefixed |= n.ns.n > 0;
	t->other_text += n.ns.n > 0;
	return known(t, at, value, r->e);
}

static int attribute(struct reading *r, struct xml_tag *t, const char *name,
		     const char *value)
{
	enum obix_attr at = obix_attribute_again(&r->memo, name);

	return at == AT_UNKNOWN ? other(r, t, name, value)
				: known(t, at, value, r->e);
}

static void XMLCALL on_start(void *arg, const XML_Char *name,
			     const XML_Char **atts)
{
	struct reading *r = arg;
	struct name n = name_of(name);
	struct xml_tag *t = &r->tag;
	unsigned count = 0;

	if (r->rc)
		return;
	r->tags++;
	r->names = hash_name(r->names, &n);
	t->local = n.local;
	t->ns = n.ns;
	t->prefix = n.prefix;
	t->el = obix_element_again(&r->memo, n.local);
	t->others = 0;
	t->other_values = r->spaces + has_number(n.prefix, NAME_DIGITS) +
			  (t->el == EL_UNKNOWN &&
			   has_number(n.local, NAME_DIGITS));
	t->other_text = r->space_text +
			(unsigned)(t->el == EL_UNKNOWN ? n.local.n : 0);
	r->spaces = r->space_text = 0;
	t->prefixed = false;
	if (n.local.n > XML_NAME || n.prefix.n > XML_NAME)
		refuse(r, REASON_TOO_LONG, "a name is too long");
	for (; r->rc == 0 && *atts; atts += 2) {
		if (++count > XML_ATTRIBUTES)
			refuse(r, REASON_TOO_MANY_UNITS, "too many attributes");
		else
			r->rc = attribute(r, t, atts[0], atts[1]);
	}
	if (r->rc == 0)
		r->rc = r->sink->start(r->sink->arg, t, r->e);
	if (r->rc)
		XML_StopParser(r->parser, XML_FALSE);
	while (t->n_set)
		t->at[t->set[--t->n_set]] = (struct span){0};
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct reading *r = arg;

	(void)name;
	if (r->rc)
		return;
	r->ends++;
	r->rc = r->sink->end(r->sink->arg, r->e);
	if (r->rc)
		XML_StopParser(r->parser, XML_FALSE);
}

/* What is longer than any namespace in use says something else. */
static void XMLCALL on_namespace(void *arg, const XML_Char *prefix,
				 const XML_Char *uri)
{
	struct reading *r = arg;
	struct span text = span_str(uri ? uri : "");

	if (text.n > XML_NAME)
		refuse(r, REASON_TOO_LONG, "a namespace is too long");
	/* Where it is said tells something, too. */
	r->space_text += 1 + (unsigned)(prefix ? strlen(prefix) : 0);
	if (is_namespace(text))
		return;
	r->spaces += has_digit(text);
	r->space_text += (unsigned)text.n;
}

static void XMLCALL on_comment(void *arg, const XML_Char *text)
{
	struct reading *r = arg;

	(void)text;
	r->comments++;
}

/* The scanner refuses these already; should it ever be wrong, so do we. */
static void XMLCALL on_doctype(void *arg, const XML_Char *name,
			       const XML_Char *system, const XML_Char *public,
			       int internal)
{
	(void)name, (void)system, (void)public, (void)internal;
	refuse(arg, REASON_XML_DTD, "a document type");
}

static void XMLCALL on_cdata(void *arg)
{
	refuse(arg, REASON_XML_CDATA, "a CDATA section");
}

static void XMLCALL on_entity(void *arg, const XML_Char *name, int parameter)
{
	(void)name, (void)parameter;
	refuse(arg, REASON_XML_ENTITY, "an entity");
}

static void XMLCALL on_instruction(void *arg, const XML_Char *target,
				   const XML_Char *data)
{
	(void)data;
	if (strcmp(target, "xml-stylesheet") != 0)
		refuse(arg, REASON_XML_INSTRUCTION, "a processing instruction");
}

static bool is_utf8(const char *encoding)
{
	static const char want[] = "utf-8";

	if (strlen(encoding) != sizeof(want) - 1)
		return false;
	for (size_t i = 0; i + 1 < sizeof(want); i++) {
		char ch = encoding[i];

		if ((ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch) != want[i])
			return false;
	}
	return true;
}

static void XMLCALL on_declaration(void *arg, const XML_Char *version,
				   const XML_Char *encoding, int standalone)
{
	if (encoding && !is_utf8(encoding))
		refuse(arg, REASON_XML_ENCODING, "another encoding than UTF-8");
	else if (!version || strcmp(version, "1.0") != 0)
		refuse(arg, REASON_MALFORMED, "another version of XML");
	else if (standalone == 0)
		refuse(arg, REASON_XML_DTD, "not a document on its own");
}

/* --- opening
 * -------------------------------------------------------------------- */

static void prepare(XML_Parser p)
{
	XML_SetReturnNSTriplet(p, 1);
	XML_SetElementHandler(p, on_start, on_end);
	XML_SetCommentHandler(p, on_comment);
	XML_SetStartNamespaceDeclHandler(p, on_namespace);
	XML_SetStartDoctypeDeclHandler(p, on_doctype);
	XML_SetStartCdataSectionHandler(p, on_cdata);
	XML_SetSkippedEntityHandler(p, on_entity);
	XML_SetProcessingInstructionHandler(p, on_instruction);
	XML_SetXmlDeclHandler(p, on_declaration);
	XML_SetParamEntityParsing(p, XML_PARAM_ENTITY_PARSING_NEVER);
	/* Names that collide cost time, but the block bounds how many there
	 * are; a fixed salt keeps replays equal and needs no random device. */
	XML_SetHashSalt(p, 0x6d657465UL);
	/* Handlers must run with the octets that caused them. */
	if (XML_SetReparseDeferralEnabled)
		XML_SetReparseDeferralEnabled(p, XML_FALSE);
}

/* Nothing is freed while a parser is made: its pieces alone are what it is. */
static void keep_new(struct xml_block *b)
{
	for (unsigned c = 0; c < XML_CLASSES; c++) {
		if (b->free[c])
			return;
	}
	if (b->used > sizeof(b->new))
		return;
	memcpy(b->new, b->octets, b->used);
	b->fresh = b->used;
}

int xml_open(struct xml_block *b, struct err *e)
{
	static const XML_Memory_Handling_Suite suite = {take, resize, give};
	static const XML_Char separator[] = {SEPARATOR, 0};

	memset(b, 0, offsetof(struct xml_block, octets));
	xml_memory = b;
	b->parser = XML_ParserCreate_MM(NULL, &suite, separator);
	if (b->parser) {
		prepare(b->parser);
		keep_new(b);
	}
	xml_memory = NULL;
	return b->parser ? 0
			 : err_reason(e, E_NOMEM, REASON_RESOURCE, 0,
				      "no memory for a document");
}

int xml_reopen(struct xml_block *b, struct err *e)
{
	if (!b->fresh)
		return xml_open(b, e);
	memcpy(b->octets, b->new, b->fresh);
	memset(b->free, 0, sizeof(b->free));
	b->used = b->fresh;
	return 0;
}

void xml_reserve(struct xml_block *b)
{
	xml_memory = b;
	(void)XML_GetBuffer(b->parser, XML_BUFFER);
	xml_memory = NULL;
}

/* --- reading
 * --------------------------------------------------------------------- */

static int parser_error(const struct xml_block *b, struct err *e)
{
	static const struct {
		enum XML_Error code;
		enum reason why;
	} rows[] = {
		{XML_ERROR_UNDEFINED_ENTITY,     REASON_XML_ENTITY     },
		{XML_ERROR_RECURSIVE_ENTITY_REF, REASON_XML_ENTITY     },
		{XML_ERROR_UNKNOWN_ENCODING,     REASON_XML_ENCODING   },
		{XML_ERROR_INCORRECT_ENCODING,   REASON_XML_ENCODING   },
		{XML_ERROR_MISPLACED_XML_PI,     REASON_XML_INSTRUCTION},
		{XML_ERROR_NO_MEMORY,            REASON_RESOURCE       },
		{XML_ERROR_NO_ELEMENTS,          REASON_INCOMPLETE     },
		{XML_ERROR_UNCLOSED_TOKEN,       REASON_INCOMPLETE     },
	};
	enum XML_Error code = XML_GetErrorCode(b->parser);
	enum reason why = REASON_MALFORMED;
	XML_Index at = XML_GetCurrentByteIndex(b->parser);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].code == code)
			why = rows[i].why;
	}
	return err_reason(e, why == REASON_RESOURCE ? E_NOMEM : E_SYNTAX,
			  (int)why, at > 0 ? (size_t)at : 0, "%s",
			  XML_ErrorString(code));
}

int xml_read(struct xml_block *b, struct span unit, bool final,
	     const struct scan_sum *sum, const struct xml_sink *sink, struct err *e)
{
	struct reading r = {.parser = b->parser, .sink = sink, .e = e};
	enum XML_Status ok;

	r.names = 0;
	XML_SetUserData(r.parser, &r);
	xml_memory = b;
	ok = XML_Parse(r.parser, (const char *)unit.p, (int)unit.n, final);
	xml_memory = NULL;
	XML_SetUserData(r.parser, NULL);
	if (r.rc)
		return r.rc;
	if (ok != XML_STATUS_OK)
		return parser_error(b, e);
	if (r.tags != sum->tags || r.ends != sum->ends ||
	    r.comments != sum->comments || r.names != sum->names)
		return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "elements begin where others see none");
	return 0;
}
