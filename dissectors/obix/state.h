/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of one machine's oBIX: a fixed block, given zeroed.
 *
 * obix_read and obix_request change none of what is in force. The unit that is
 * being judged is read in a row of its own (spare), or, of a document that goes
 * on, in place beside a copy (shadow); what it would teach lies in `stage`.
 * settle() makes it count or forgets it. When a table is full the row that was
 * used least recently goes; whoever pointed at it finds another serial.
 */
#ifndef DISSECTORS_OBIX_STATE_H
#define DISSECTORS_OBIX_STATE_H

#include <stddef.h>

#include "core/wbuf.h"
#include "dissectors/obix/href.h"
#include "dissectors/obix/value.h"
#include "dissectors/obix/xml.h"

/* --- one document
 * ------------------------------------------------------------- */

#define PROTOS        4 /* of a document */
#define PROTO_MEMBERS 16
#define WANTED        8 /* more than there can be, and some that never are */
#define UNIT_DEFS     4
#define FACETS        32
#define CONTRACT_TEXT 128 /* of all contracts of an object */
#define CONTRACTS     8

/* What is known of the size of a value. */
struct sizing {
	uint8_t quantity;   /* enum obix_quantity */
	bool sure;          /* by a unit, not by a name */
	bool known; /* and that has been learnt */
	int64_t num, den;   /* num 0: not known */
	struct span unit;   /* a row's name, or empty */
	quantity_set hints; /* all that it may be, where nothing is sure */
};

/* Does what one says contradict the other? */
static inline bool sizing_differ(const struct sizing *a, const struct sizing *b)
{
	return a->quantity != b->quantity || a->num != b->num ||
	       a->den != b->den;
}

/* A prototype: an object of this document that others refer to by "#name". */
struct proto {
	uint64_t name; /* hash of the fragment, 0 = free */
	uint8_t n;
	bool used;   /* something is like it */
	bool silent; /* members of it were taken for values */
	bool more;   /* it has values that are not among its members */
	struct sizing own; /* of its unit, where it has one */
	struct proto_member {
		uint64_t name;
		struct obix_key key; /* as a member of the records of a history */
		struct sizing sizing;
		uint8_t el;
		bool open; /* it may have a value by what it is like */
		enum { PROTO_SILENT, PROTO_NULL, PROTO_VALUE } said;
	} member[PROTO_MEMBERS];
};

/* obix:Unit within the document: an object whose members are its own children,
 * and those of its child `dimension`. */
struct unit_def {
	uint64_t href;       /* hash of the reference as it is written */
	struct obix_key key; /* of it, resolved */
	int8_t dim[6];
	bool has_dim, odd; /* odd: a dimension that is in no table */
	int64_t num, den;  /* scale, as a fraction; num 0: none or not exact */
};

/* What a document says of itself. */
struct known {
	uint8_t protos_n, defs_n, facets_n;
	/* There were more: nothing is what it is by a definition. */
	bool full;
	struct proto proto[PROTOS];
	struct unit_def def[UNIT_DEFS];
	struct {
		uint32_t ordinal;
		struct sizing sizing;
	} facet[FACETS];
};

#define NAMED 32 /* children whose names are told apart */

#define CHANNELS 4 /* values of one quantity that are one reading of it */
#define POINTS 6 /* the same where an answer names each, or gives its href */

struct elem {
	uint8_t el;
	uint8_t op;       /* of an operation: what it does */
	bool items;       /* its children are items */
	bool item;        /* it is one */
	bool dimension;   /* of the unit above */
	bool record;      /* a record of a history, or an alarm */
	bool known;	  /* `is` and `of` have nothing but the standard's */
	/* It is, or its children are, like what is not known here; like more
	 * than one object of this document. */
	bool foreign, of_foreign, several, of_several;
	bool awaits; /* what it is like is not there, or not yet */
	bool valued;      /* its value was counted */
	bool hollow, bare; /* without a value; without a name or reference */
	bool counted;     /* a child of a list: as one reading */
	bool statistic;   /* of the same readings as its siblings */
	bool null, silent; /* without a value, if it is said so or not */
	bool pattern;     /* what a History says its records are like */
	uint8_t within;   /* 1 + the prototype that it is in */
	bool same;        /* it is as foreseen; and where it stands (shape.c) */
	uint8_t place;
	uint32_t children;
	uint8_t entry;    /* 1 + depth of the child of a list it is in */
	uint8_t name_n;	  /* of its name, or what stands for it */
	bool has_facets;
	uint64_t own;     /* of such a child: its href, hashed; 0: none */
	uint8_t named_n;  /* children's names in named */
	uint8_t uses;     /* of its children, as rows of uses in doc */
	uint8_t proto;    /* 1 + prototype of its members; 0: none */
	uint8_t def;      /* 1 + the prototype it is itself */
	uint8_t unit_def; /* 1 + that it is */
	contract_set contracts, of;
	uint64_t of_name; /* "#X" in `of`, hashed */
	uint16_t base;        /* path for its children, where one climbs */
	uint32_t ordinal;
	/* Not cleared with the rest: valid as far as name_n, has_facets. */
	uint8_t name[48];
	struct sizing facets; /* unit of a facets string of its */
	uint64_t named[NAMED]; /* hashes */
};

/* What is said of one object: one leaf. */
struct item {
	bool open, err;
	bool fails; /* it is an err, and that of what was asked */
	bool shown; /* a leaf of it was given */
	uint8_t op;
	uint16_t href_n[2]; /* two readings; [1] 0: the same */
	uint8_t is_n;
	uint8_t is[CONTRACT_TEXT]; /* one behind the other, a space between */
	/* From here on: of this unit. */
	meas_set meas;
	quantity_set quantities;
	uint32_t values, records, notes;
	uint32_t readings;   /* in records; entries of lists */
	uint32_t entries;
	uint32_t most;       /* values of one quantity outside them */
	uint32_t commands;   /* values that may switch or limit something */
	bool plain;          /* some have no name, nor an href */
	bool waits;          /* of alarms that wait it says how many */
	uint8_t points;	     /* entries with an href of their own */
	uint64_t point[POINTS]; /* hashes; valid as far as points */
	uint16_t same[Q_COUNT];
	uint32_t channels;   /* most values of one record */
	uint8_t base;        /* enum unit, of the sizes below */
	bool sized, unsized; /* some value had one; some had none */
	bool fine;           /* some was no whole number of milli-units */
	bool hidden;         /* numbers that no value tells */
	uint64_t step;
	int64_t lo, hi;         /* milli-units */
	int64_t oldest, newest; /* ms; valid with stamped */
	bool stamped, unstamped;
	struct span unit;
	bool units; /* more than one */
	uint64_t echo, echo_last; /* hash of its values; of the last alone */
	int64_t start, end; /* of a filter, or told of an answer, ms */
	bool has_start, has_end, has_limit;
	uint32_t limit, interval_s;
	uint32_t told; /* enum obix_use: standard members that were read */
	/* Of all its units: what an answer tells of its records must agree. */
	struct {
		uint32_t records, count, added;
		bool has_count, has_added, stamped;
		int64_t begins, oldest, newest; /* ms; valid with stamped */
	} whole;
	meas_set asks_for;
	struct obix_key object; /* what is remembered belongs to this */
	struct obix_key watch;	/* that it is added to, or read through */
	/* An item of a batch that is answered: what it asked. */
	bool asked;
	uint32_t written;
	uint64_t was_written;
	struct obix_bounds bounds;
	uint8_t href[2][HREF_MAX]; /* valid as far as href_n */
};

/* Numbers that no value tells: of unknown type. */
static inline void item_hides(struct item *it, uint32_t n)
{
	if (!n)
		return;
	it->meas |= MEAS_BIT(MEAS_UNKNOWN_TABLE);
	it->values += n;
	it->unsized = it->hidden = true;
	it->notes++;
}

static inline void item_clear(struct item *it)
{
	memset(it, 0, offsetof(struct item, href));
}

static inline void item_copy(struct item *to, const struct item *from)
{
	memcpy(to, from, offsetof(struct item, href));
	for (unsigned i = 0; i < 2; i++)
		memcpy(to->href[i], from->href[i], from->href_n[i]);
}

#define MEMBERS 8 /* of a record, kept apart by name */

/* Names themselves and no hash of them: two with one hash would make a value
 * of one count as the other. */
struct member_name {
	uint64_t of; /* contracts or prototype of the record */
	uint8_t n;
	uint8_t text[23];
};

static inline bool member_is(const struct member_name *m, uint64_t of,
			     struct span name)
{
	return m->of == of && m->n == name.n &&
	       (name.n == 0 || memcmp(m->text, name.p, name.n) == 0);
}

/* false: too long to be kept. */
static inline bool member_set(struct member_name *m, uint64_t of,
			      struct span name)
{
	if (name.n > sizeof(m->text))
		return false;
	m->of = of;
	m->n = (uint8_t)name.n;
	if (name.n)
		memcpy(m->text, name.p, name.n);
	return true;
}

/* What units had that say nothing of their own. */
struct quiet {
	uint32_t octets, text, elements;
};

struct doc {
	uint8_t op;       /* enum obix_op */
	uint8_t op2;      /* path and contract say different things: both */
	bool request, in; /* in: towards a machine of the meter */
	bool series;      /* values over time */
	bool single;      /* a roll-up shows single readings */
	uint8_t depth;
	uint16_t next_item;   /* of a batch that is answered */
	bool odd;             /* something to be noted */
	bool measured;	      /* a value of it is a measurement */
	/* "#X" that were used before they were defined. */
	uint8_t wanted_n;
	uint64_t wanted[WANTED];
	uint64_t wanted_unit; /* and a unit */
	bool in_data;         /* within a record */
	uint16_t base;        /* octets of the root's path */
	uint16_t paths_n;
	int64_t last_ms; /* stamp of the record before */
	bool has_last;
	bool has_gap;
	bool up, down;	/* stamps rose; they fell */
	bool has_grid;
	uint32_t grid_s; /* that the windows of a roll-up lie on (record.c) */
	int64_t gap_ms; /* smallest difference of two stamps */
	int64_t now_ms; /* of the record being read */
	bool has_now;
	int64_t begin_ms; /* where its interval begins */
	bool has_begin;
	uint32_t in_record; /* values */
	uint16_t same[Q_COUNT], most; /* of one quantity */
	uint16_t shares; /* the most of one that a record had */
	/* Of a record that is rolled up. */
	struct {
		bool has_each, has_sum, has_average;
		uint32_t each; /* readings in it */
		struct decimal sum, average;
	} rolled;
	/* What names of members of records mean. */
	uint8_t uses_n;
	struct {
		struct member_name name;
		uint64_t hash;
		uint8_t use, value;
	} use[MEMBERS];
	uint32_t ordinal;   /* elements so far */
	/* Of all the units that were quiet (leaf.c). */
	struct quiet quiet;
	struct known known; /* last of what is cleared: its rows need it not */
	/* What is said of the whole, of one item of it, and, where that is an
	 * operation of a Watch, of one object that it names. */
	struct item rest, item, sub;
	struct elem stack[XML_DEPTH + 1];
	uint8_t paths[4096]; /* bases for relative references */
};

static inline void doc_clear(struct doc *d)
{
	memset(d, 0, offsetof(struct doc, known.proto));
	item_clear(&d->rest);
	item_clear(&d->item);
	item_clear(&d->sub);
}

/* What is in use of it. */
static inline void doc_copy(struct doc *to, const struct doc *from)
{
	const struct known *k = &from->known;

	memcpy(to, from, offsetof(struct doc, known.proto));
	memcpy(to->known.proto, k->proto, k->protos_n * sizeof(k->proto[0]));
	memcpy(to->known.def, k->def, k->defs_n * sizeof(k->def[0]));
	memcpy(to->known.facet, k->facet, k->facets_n * sizeof(k->facet[0]));
	item_copy(&to->rest, &from->rest);
	item_copy(&to->item, &from->item);
	item_copy(&to->sub, &from->sub);
	memcpy(to->stack, from->stack, from->depth * sizeof(from->stack[0]));
	memcpy(to->paths, from->paths, from->paths_n);
}

#define DOCS 16

struct doc_row {
	uint32_t serial; /* 0 = free */
	uint64_t used;
	struct doc doc;
	struct xml_block xml;
};

/* --- what is learnt
 * ------------------------------------------------------------- */

#define LEARNT_WAYS 4
#define LEARNT_SETS 512

struct learnt {
	struct obix_key key; /* 0: free */
	uint64_t used;
	uint8_t op;       /* what invoking it does, OP_NONE: not known */
	uint8_t quantity; /* Q_UNKNOWN: not known */
	bool has_quantity;
	bool disputed; /* it was told twice, and not the same */
	bool series;
	uint32_t interval_s; /* of a history, 0 = not known */
	int64_t num, den;
	meas_set meas; /* all that it was seen to carry */
	struct span unit;
};

#define WATCHES 64

struct watch {
	struct obix_key key;
	uint64_t used;
	meas_set meas;
};

#define LISTS      64
#define LIST_ITEMS 256

struct list_item {
	uint8_t op;
	uint8_t path_n; /* 0: too long to be kept */
	uint8_t path[126];
	uint32_t interval_s, written;
	uint64_t echo;
	struct obix_key object, watch;
	struct obix_bounds bounds;
};

struct list {
	uint32_t serial;
	uint32_t n;
	uint64_t used;
	struct list_item item[LIST_ITEMS];
};

/* --- the unit being judged
 * ---------------------------------------------------- */

#define STAGE_LEARNT  128 /* of one unit; more are forgotten */
#define STAGE_WATCHES 16

struct stage {
	bool any;
	bool doc_new;     /* spare becomes row doc */
	bool doc_changed; /* row doc was changed; shadow has what it was */
	bool doc_ended;   /* it is free again */
	bool list_new, list_grew;
	uint32_t doc, list, list_n;
	uint32_t n_learnt, n_watch;
	struct learnt learnt[STAGE_LEARNT];
	struct watch watch[STAGE_WATCHES];
	bool watch_gone[STAGE_WATCHES];
};

/* --- how elements look
 * ----------------------------------------------------------------- */

#define PLACES_DEEP 12
#define PLACES      16 /* children of one element */
#define PLACE_TEXT  160

/* An element of the unit, and all it had but its value. */
struct place {
	uint32_t unit;     /* another: nothing stood there */
	uint32_t children; /* that it had in the end */
	uint16_t n;        /* octets of text; 0: more than there is room for */
	uint8_t text[PLACE_TEXT];
};

struct places {
	uint32_t unit; /* that is being read */
	struct place at[PLACES_DEEP][PLACES];
};

struct obix_machine {
	uint64_t tick;
	uint32_t serial;
	uint32_t spare, list_spare; /* rows that are not in force */
	struct stage stage;
	struct learnt learnt[LEARNT_SETS * LEARNT_WAYS];
	struct watch watch[WATCHES];
	struct list list[LISTS + 1];
	struct doc_row doc[DOCS + 1];
	struct doc_row shadow;
	struct places places; /* of no use behind the unit */
	struct scan_kept kept;
};
_Static_assert(sizeof(struct obix_machine) <= OBIX_MACHINE_OCTETS,
	       "OBIX_MACHINE_OCTETS");

/* --- memory.c
 * -------------------------------------------------------------------- */

struct obix_key obix_key(const struct obix_ctx *c, struct span path);
static inline bool key_eq(struct obix_key a, struct obix_key b)
{
	return a.lo == b.lo && a.hi == b.hi;
}
static inline bool key_set(struct obix_key k)
{
	return k.lo || k.hi;
}
/* A member of the records of a history. */
struct obix_key obix_member_key(struct obix_key history, struct span name);
uint64_t obix_hash(struct span text); /* never 0 */

/* NULL: nothing; also sees what the unit being read teaches. */
const struct learnt *learnt_find(const struct obix_machine *m,
				 struct obix_key key);
/* The row to change, staged; NULL: no room, forgotten. */
struct learnt *learnt_stage(struct obix_machine *m, struct obix_key key);
const struct watch *watch_find(const struct obix_machine *m,
			       struct obix_key key);
struct watch *watch_stage(struct obix_machine *m, struct obix_key key,
			  bool gone);

/* The list of a batch being read; NULL: full. */
struct list_item *list_stage(struct obix_machine *m, struct obix_ask *ask);
/* What item n of the list asked; NULL: forgotten. */
const struct list_item *list_find(const struct obix_machine *m,
				  const struct obix_ask *ask, uint32_t n);

/* Forget what the first reading of a unit would teach. */
void stage_again(struct obix_machine *m);
/* Begin a unit: undoes one that nobody settled. */
void stage_begin(struct obix_machine *m);

/* --- doc.c
 * ------------------------------------------------------------------------ */

/* References that are compared with those of their kind. */
enum { TEXT_HREF, TEXT_ICON, TEXT_RANGE, TEXT_KINDS };

struct reader {
	const struct obix_ctx *c;
	struct obix_machine *m;
	struct doc *d;
	struct elem *up; /* what the element that begins or ends is in, or NULL */
	struct obs_list *out;
	struct err *e;
	uint32_t leaves; /* given so far */
	bool again;      /* what came later tells more of what came before */
	bool second;     /* this is the reading with that */
	bool quiet;      /* a leaf was given as quiet */
	uint32_t octets, apart; /* of the unit, and between its elements */
	uint32_t before;	/* elements in front of it */
	/* What the leaves of this unit told, and of what. */
	uint32_t told_n;
#define TOLD 32
	struct {
		struct obix_key object;
		meas_set meas;
		uint32_t readings;
	} told[TOLD];
	/* The reference of this element that was resolved last: the same one
	 * is asked for to name an object, to climb and to learn. */
	struct {
		struct span base, ref; /* ref.p NULL: none */
		struct href h;
	} named;
	/* The number read last: of p NULL none. Of this element, too. */
	struct {
		struct span of;
		struct decimal d;
		bool is;
	} number;
	/* Text of this unit that nothing reads (text.c). */
	struct {
		uint32_t octets, told; /* told: values beside it */
		uint32_t refs; /* with a name */
		uint32_t about; /* octets of what is no measurement */
		uint64_t about_last;
		uint64_t facets; /* hash of the string that came last */
		uint64_t server; /* and how the one before said which; 0: not */
		uint32_t n_said;
#define TEXTS 16
		uint64_t said[TEXTS]; /* hashes of those that came last */
		uint8_t ref_n[TEXT_KINDS];
		uint8_t ref[TEXT_KINDS][255]; /* references before */
	} text;
	/* What members of records were found to be, in this unit. */
	uint32_t n_members;
	struct {
		struct member_name name;
		struct sizing sizing;
	} member[MEMBERS];
};

/* value_decimal of a value of this element, which is asked for twice. */
static inline bool reader_decimal(struct reader *r, struct span val,
				  struct decimal *d)
{
	if (!val.p || r->number.of.p != val.p || r->number.of.n != val.n) {
		r->number.of = val;
		r->number.is = value_decimal(val, &r->number.d);
	}
	*d = r->number.d;
	return r->number.is;
}

/* Where what is read now is counted. */
static inline struct item *doc_item(struct doc *d)
{
	return d->sub.open ? &d->sub : d->item.open ? &d->item : &d->rest;
}

static inline struct elem *doc_parent(struct doc *d)
{
	return d->depth ? &d->stack[d->depth - 1] : NULL;
}

int doc_start(void *arg, const struct xml_tag *t, struct err *e);
int doc_end(void *arg, struct err *e);
/* The unit ends: the leaves of what is open. apart: texts and numbers in what
 * is no element. */
int doc_unit_end(struct reader *r, uint32_t apart);

/* --- item.c ---------------------------------------------------------------- */

struct span doc_base(const struct doc *d);
/* What an element above refers from, for those who climb. */
struct span doc_near_base(struct doc *d);
void doc_push_base(struct doc *d, struct elem *el, const struct href *h);

/* href_resolve of a reference of this element; NULL: rc of it is not 0. What is
 * returned lasts until the next one. */
const struct href *doc_href(struct reader *r, struct span base, struct span ref,
			    struct err *e);

void item_open(struct item *it, enum obix_op op);
/* Of what is written: all that an echo has again; 0: nothing has. */
uint64_t item_echo(const struct item *it);
/* What its filter says. */
struct obix_bounds item_bounds(const struct item *it);
void item_put_href(struct item *it, unsigned reading, const struct href *h);
/* Refuses a reference to another server in a request; notes one elsewhere. */
int item_server(struct reader *r, const struct href *h);
/* Both readings of a reference; the path of the request. */
int item_href(struct reader *r, struct item *it, struct span ref);
/* What else the item names. */
int item_second(struct reader *r, struct item *it, struct span ref);
int item_path(struct reader *r, struct item *it);
int item_is(struct reader *r, struct item *it, struct span is)
	__attribute__((warn_unused_result));
/* Whoever may invoke something has power over it. */
void item_command(struct item *it, bool in);

/* What is written may switch what a machine of this meter has. */
static inline bool obix_towards_machine(const struct obix_ctx *c)
{
	return c->dis->dir == DIR_IN || c->dis->between;
}

/* Is an err with that href (empty: none) one of what was asked as path? */
bool item_fails(const struct reader *r, struct span href, struct span path);
/* Does an item begin with this element? */
int item_start(struct reader *r, struct elem *el, const struct xml_tag *t);
RARE int item_end(struct reader *r);
/* What an operation in a batch does, by its path and argument. */
int batch_invoke(struct reader *r, contract_set argument);

/* --- record.c -------------------------------------------------------------- */

bool record_are(contract_set of); /* what hangs in such a list */
void record_start(struct doc *d, struct elem *el);
RARE void record_end(struct reader *r, const struct elem *el);
bool record_stamp(struct doc *d, struct span val);
bool record_begin(struct doc *d, struct span val);
/* How many readings it was rolled up from. */
bool record_each(struct doc *d, struct span val);
void record_statistic(struct doc *d, enum obix_use use, struct span val);
/* What an answer tells of its records beside them is counted where it is not
 * what they show or what was asked: at its end. */
void record_whole(struct reader *r, struct item *it);
/* The grid that a moment lies on, in s; 0: none. */
uint32_t record_grid(const struct reader *r, int64_t ms);

/* --- hidden.c -------------------------------------------------------------- */

bool hidden_numbers(struct span text); /* does it hold some? */
/* How many numbers stand in a value besides the one that it may be; 0: none.
 * s: what it measures. */
unsigned hidden_value(struct reader *r, struct item *it,
		      const struct elem *el, const struct sizing *s,
		      struct span val);
/* Count what stands where no value does. fresh: not the name of a record's
 * member that was read before. */
void hidden_read(struct reader *r, struct item *it, const struct elem *el,
		 const struct xml_tag *t, bool fresh);
/* Does a query name a part of a history, and nothing else? */
bool hidden_filter(struct span query);
/* Does a bound say more than that there is none, and more than the value? */
bool hidden_bound(struct span val, struct span bound);

/* --- shape.c --------------------------------------------------------------- */

/* Another unit, or the same again. */
void shape_begin(struct obix_machine *m);
/* Count what an element below the root has that the one before at its place had
 * not: see text_read. Sets el->same. */
void shape_read(struct reader *r, struct elem *el, const struct xml_tag *t,
		bool fresh);
/* It ends: as many children as that had? */
void shape_end(struct reader *r, const struct elem *el);

/* --- text.c ---------------------------------------------------------------- */

/* Count what an element says that nothing reads. fresh: its name is, too; it is
 * no standard member, nor that of a record's which was read before. */
void text_read(struct reader *r, struct elem *el, const struct xml_tag *t,
	       bool fresh);
/* Count what an attribute says that is not as foreseen: an octet at least. */
void text_attribute(struct reader *r, const struct elem *el,
		    const struct xml_tag *t, enum obix_attr at, bool fresh);
void text_more(struct reader *r, size_t octets);
/* What a display says beyond the value. */
struct span text_displayed(const struct xml_tag *t);
/* A reference whose path is told in its normal form: what of its spelling is
 * more than that. */
void text_spelling(struct reader *r, struct span ref);
/* The same of a server's name that is not the one that was asked. */
void text_server(struct reader *r, struct span authority);
/* What of a value is none, or more than one is long; true: nothing. */
bool text_value(struct reader *r, const struct elem *el, struct span val);
/* A facets string: what is in it but keys and values that are read. */
RARE void text_facets(struct reader *r, struct span val);
/* A value that says how a thing is or is set up, or words: no measurement. */
void text_about(struct reader *r, struct span val);
/* An element ends that has neither value nor children. */
RARE void text_empty(struct reader *r, const struct elem *el);
/* How many values of unknown type all of the unit's counts as. apart: octets
 * between elements. */
uint32_t text_hidden(const struct reader *r, uint32_t apart);

/* --- define.c -------------------------------------------------------------- */

/* The first "#X" of a list, hashed; 0: none. */
uint64_t define_fragment(struct span list);
/* Has a list contracts that neither the standard nor its first "#X" defines?
 * *several: another "#X" behind it. */
bool define_foreign(struct span list, bool *several);
/* A unit, once seen, holds for what names the same object later. */
void define_learn(struct reader *r, struct obix_key key, const struct sizing *s);
void define_unit(struct reader *r, struct elem *el, struct span ref);
/* false: not of a unit that is being defined, or it is no exponent or scale. */
bool define_unit_member(struct doc *d, enum obix_use use, struct span val);
RARE int define_unit_done(struct reader *r, uint8_t index);
/* A table is full: what is read is read again, trusting none of it. */
void define_full(struct reader *r);

/* --- proto.c --------------------------------------------------------------- */

uint8_t proto_find(const struct doc *d, uint64_t name); /* 1 + index */
/* An object has that name. */
void proto_define(struct reader *r, struct elem *el, const struct xml_tag *t);
/* Something is like it. 1 + index; 0: it was not yet there. */
uint8_t proto_use(struct reader *r, uint64_t name);
/* An element of a type that has values, and its parent a prototype. *kept: what
 * it says is what others are like. */
int proto_member(struct reader *r, struct elem *el, const struct xml_tag *t,
		 bool *kept);
/* Has what el is like a value of its own for its child of that name? */
bool proto_says(const struct doc *d, const struct elem *el, struct span name);
/* A value in a prototype that is no member of it. */
void proto_deeper(struct reader *r, uint8_t index);
/* An object with a prototype ends: count what that has and it has not. */
RARE void proto_left_out(struct reader *r, const struct elem *el);

/* --- values.c -------------------------------------------------------------- */

int value_read(struct reader *r, struct elem *el, const struct xml_tag *t);

/* --- sizing.c
 * --------------------------------------------------------------------- */

/* What the value of an element measures. */
struct sizing sizing_of(struct reader *r, const struct elem *el,
			const struct xml_tag *t);
/* Count the value of an element in what is said of an object. */
void sizing_value(struct reader *r, struct item *it, const struct elem *el,
		  const struct sizing *s, const struct xml_tag *t,
		  struct span val);
/* "units=u:kilowatt;kW;...|precision=i:1"; sure is false when it has none. */
struct sizing sizing_facets(struct span text);
/* Does it hold nothing but what facets are? bound: its min and max. */
bool sizing_facets_only(struct span text, struct span bound[2]);
struct sizing sizing_unit(struct reader *r, struct span uri);
struct sizing sizing_of_def(const struct unit_def *u);

/* --- leaf.c
 * ----------------------------------------------------------------------- */

int leaf_give(struct reader *r, struct item *it);
/* With this unit, which is quiet, too. */
struct quiet leaf_quiet(const struct reader *r);
/* Empty what is of one unit. */
void item_reset(struct item *it);

/* --- ops.c
 * ------------------------------------------------------------------------ */

/* What a request does; op2: what its body claims to do, where that differs. */
enum obix_op op_of(const struct obix_ctx *c, contract_set body,
		   enum obix_op *op2);
enum obix_op op_of_post(const struct obix_ctx *c, struct span path,
			contract_set body, enum obix_op *op2);
/* Does it ask for a part of what there is? */
bool op_queries(enum obix_op op);
/* What reading that path does, alone or as an item of a batch. */
enum obix_op op_of_read(struct span path, struct span query);
/* Contracts of the argument and the result that go without saying. */
contract_set op_in(enum obix_op op);
contract_set op_out(enum obix_op op);
/* What an answer is: records of a history are no alarms, whatever the request
 * said that it asked of a path that is not known. */
enum obix_op op_answered(enum obix_op asked, contract_set answer);
/* Of what hangs in their list `data`. */
contract_set op_record(contract_set parent);
/* Fill what the answer will need of a request to that path. */
void op_ask(const struct obix_ctx *c, enum obix_op op, struct span path,
	    struct obix_key *object, struct obix_key *watch);
/* Types that an answer to it could carry, 0: not known. */
meas_set op_asks_for(const struct obix_ctx *c, enum obix_op op,
		     struct obix_key object, struct obix_key watch);

/* --- request.c ------------------------------------------------------------- */

/* Does a query say which part of a history is asked for? Also where it says so
 * in a way that query_check refuses. */
bool query_filters(struct span query);
/* Each key once, as it is called: servers differ on which of two counts, and
 * all of them decode. */
int query_check(struct span query, struct err *e);
/* What it asks for. */
void query_filter(struct item *it, struct span query);

#endif
