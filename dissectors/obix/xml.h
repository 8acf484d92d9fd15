/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expat, locked down (libraries.md, XML). One parser per document, in a block
 * of fixed size: what it needs beyond that refuses the document. Everything
 * that the block holds points into itself, so a copy of the used part, put
 * back at the same place, undoes what was read since: that is also how a parser
 * is made anew for the next document.
 */
#ifndef DISSECTORS_OBIX_XML_H
#define DISSECTORS_OBIX_XML_H

#include "dissectors/obix/names.h"
#include "dissectors/obix/scan.h"

/* What most elements have no use for is called, so that those need not save
 * registers for it. */
#define RARE __attribute__((noinline))

#define XML_ATTRIBUTES 24  /* of an element */
#define XML_NAME       128 /* octets of a name */
#define XML_BLOCK      (96u << 10)
#define XML_FRESH      (8u << 10) /* of a new parser; expat 2.5: 3,136 octets */
#define XML_BUFFER    (2 * OBIX_WINDOW) /* a unit, and 1 KiB in front of it */
#define XML_CLASSES    14 /* sizes of pieces: 32 octets to 256 KiB */

struct xml_block {
	void *parser;	/* lies in octets */
	uint32_t used;	/* of octets */
	uint32_t fresh; /* of new; 0: there is none */
	uint32_t free[XML_CLASSES]; /* 1 + offset of a freed piece, 0 = none */
	_Alignas(16) uint8_t octets[XML_BLOCK];
	_Alignas(16) uint8_t new[XML_FRESH]; /* octets before any document */
};

/* A start tag. Spans are valid within the call. */
struct xml_tag {
	struct span local, ns, prefix;
	enum obix_el el;
	struct span at[AT_COUNT]; /* p NULL: absent */
	uint8_t set[AT_COUNT];	  /* those that are there */
	uint8_t n_set;
	/* Attributes that are in no table, and those of them with digits. */
	unsigned others, other_values;
	/* Octets of those, of their names, of namespaces and of elements that
	 * are in no table. */
	unsigned other_text;
	bool prefixed; /* a known attribute with a prefix */
};

/* Is it said to be null? */
static inline bool xml_is_null(const struct xml_tag *t)
{
	struct span a = t->at[AT_NULL], b = t->at[AT_IS_NULL];

	return (a.p || b.p) && (!a.p || span_is(a, "true")) &&
	       (!b.p || span_is(b, "true"));
}

/* Who listens; a non-zero return ends the reading with that code, and *e says
 * why. */
struct xml_sink {
	void *arg;
	int (*start)(void *arg, const struct xml_tag *t, struct err *e);
	int (*end)(void *arg, struct err *e);
};

/* A parser in a block whose content does not matter. */
int xml_open(struct xml_block *b, struct err *e)
	__attribute__((warn_unused_result));
/* The same again for the next document, cheaper where that can be done. */
int xml_reopen(struct xml_block *b, struct err *e)
	__attribute__((warn_unused_result));

/* What expat holds a unit in, at once and no larger than it has to be: for a
 * document of several, as what it grows through stays in the block. */
void xml_reserve(struct xml_block *b);

/*
 * Read one unit, which begins and ends between tokens, telling sink what it
 * holds; sum is the scanner's count of it, which must agree. final: the
 * document ends with it. Returns 0 or a negative errcode with a reason.
 */
int xml_read(struct xml_block *b, struct span unit, bool final,
	     const struct scan_sum *sum, const struct xml_sink *sink, struct err *e)
	__attribute__((warn_unused_result));

/* Copy what is in use; both are whole blocks, to stays where it is. */
void xml_copy(struct xml_block *to, const struct xml_block *from);

#endif
