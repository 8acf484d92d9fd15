/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cut rule and the strict subset of XML, as a pure scanner (obix.h). It
 * finds tokens and counts them; whether they are well formed is expat's to
 * say. What both say of one unit is compared, so that neither is believed
 * alone about where an element begins.
 */
#ifndef DISSECTORS_OBIX_SCAN_H
#define DISSECTORS_OBIX_SCAN_H

#include "dissectors/obix/obix.h"

#define XML_DEPTH       32
#define XML_INSTRUCTION 256 /* octets of the xml-stylesheet instruction */

enum scan_stage {
	SCAN_START,  /* nothing yet: a byte-order mark, a declaration */
	SCAN_PROLOG, /* in front of the root */
	SCAN_INSIDE,
	SCAN_BEHIND, /* the root has ended */
};

enum scan_token {
	SCAN_TEXT,
	SCAN_OPEN,  /* a start tag */
	SCAN_EMPTY, /* a tag that is both */
	SCAN_CLOSE, /* an end tag */
	SCAN_COMMENT,
	SCAN_OTHER, /* mark, declaration, instruction */
	SCAN_MORE,  /* it does not end within the octets */
	SCAN_BAD,
};

/* How a unit is laid out: as what stands first in it is. */
struct scan_layout {
	uint8_t as[2][XML_DEPTH + 1]; /* [closes][depth]: 1 + form, 0 none yet */
	uint8_t eol, step, tab;
	uint8_t slash, quote, empty;
};

/* What has been counted, and where that leads. */
struct scan_sum {
	uint8_t stage, depth;
	bool stylesheet; /* seen */
	uint32_t tags, ends, comments, years;
	uint32_t text;  /* octets outside tags that are no white space */
	uint32_t numbers; /* in comments and the stylesheet; see scan.c */
	uint32_t words;	  /* octets there that are no white space */
	uint32_t white;	  /* octets that layout and spelling tell; see white.c */
	uint64_t names;	  /* hash of the names of start tags, in order */
};

struct scan {
	struct span in;
	size_t at; /* behind the last whole token */
	struct scan_sum sum;
	struct span name; /* of the tag read last, with its prefix */
	struct scan_layout layout;
	struct span gap; /* white space in front of the token being read */
	bool opened;	 /* the tag before was a start */
	struct err *e;
};

/*
 * The count of the unit that was cut last. It follows from where the unit begins
 * and from its octets, which are kept beside it: whoever reads the same ones
 * from there need not count them again.
 */
struct scan_kept {
	uint8_t stage, depth, seen; /* where it begins */
	size_t n;		    /* octets; 0: none is kept */
	struct scan_sum sum;
	uint8_t unit[OBIX_WINDOW];
};

struct scan scan_of(const struct obix_scan *s, struct span in, struct err *e);

struct scan_kept *obix_kept(struct obix_machine *m);
/* Is that the unit whose count was kept? */
bool scan_is_kept(const struct scan_kept *k, const struct obix_scan *s,
		  struct span unit);

/* The next token; end of in is SCAN_MORE with in.n == at, or with less when
 * a token is cut. SCAN_BAD sets *e. */
enum scan_token scan_next(struct scan *s);

static inline uint64_t scan_mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

/* One step of s->names; in words, the last with how much there is of it. */
static inline uint64_t scan_hash(uint64_t h, struct span name)
{
	uint64_t x;
	size_t i = 0;

	for (; name.n - i >= sizeof(x); i += sizeof(x)) {
		memcpy(&x, name.p + i, sizeof(x));
		h = scan_mix(h, x);
	}
	for (x = name.n - i; i < name.n; i++)
		x = x << 8 | name.p[i];
	return scan_mix(h, x);
}

static inline bool is_white(uint8_t ch)
{
	return ch == ' ' || ch == '\n' || ch == '\t' || ch == '\r';
}

/* --- white.c --------------------------------------------------------------- */

/* Count s->gap, which is in front of a tag or comment at that depth. */
void white_between(struct scan *s, unsigned depth, bool close);
/* Count what stands behind the root. apart: nothing else is in the unit. */
void white_behind(struct scan *s, struct span run, bool apart);
/* What a run in a tag, in front of next, tells. */
uint32_t white_within(struct span run, uint8_t next);
/* An element ends in its tag: is there a space in front of "/>"? */
void white_slash(struct scan *s, bool space);
/* What the runs of a comment or an instruction tell. */
uint32_t white_runs(struct span in);
/* Octets in front of the first one that is the quote, or that tells something in
 * a value. */
size_t white_plain(struct span in, uint8_t quote);
/* What references to characters and white space in a value tell. */
uint32_t white_value(struct span val);

/* "list" of "o:list" */
struct span scan_local(struct span name);

#endif
