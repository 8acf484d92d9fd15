/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one unit is read: scan.c counts its tokens, expat reads the same octets
 * (xml.c), doc.c walks the elements and gives the leaves, and what was learnt
 * waits in the stage for the verdict (memory.c).
 */
#include "dissectors/obix/obix.h"

#include <stddef.h>

#include "dissectors/obix/state.h"

/* --- the row of a document
 * -------------------------------------------------------- */

static int row_new(const struct obix_ctx *c, struct doc_row **row,
		   struct err *e)
{
	struct obix_machine *m = c->m;
	int rc;

	*row = &m->doc[m->spare];
	doc_clear(&(*row)->doc);
	rc = xml_reopen(&(*row)->xml, e);
	if (rc == 0 && !c->last)
		xml_reserve(&(*row)->xml);
	return rc;
}

/* Where a document of several units goes on; a copy allows to go back. */
static int row_open(const struct obix_ctx *c, struct doc_row **row,
		    struct err *e)
{
	struct obix_machine *m = c->m;
	struct stage *st = &m->stage;

	if (c->at->doc == 0 || c->at->doc > DOCS + 1 ||
	    m->doc[c->at->doc - 1].serial != c->at->serial)
		return err_reason(e, E_NOMEM, REASON_RESOURCE, 0,
				  "more documents at once than there is room");
	st->doc = c->at->doc - 1u;
	*row = &m->doc[st->doc];
	doc_copy(&m->shadow.doc, &(*row)->doc);
	xml_copy(&m->shadow.xml, &(*row)->xml);
	st->any = st->doc_changed = true;
	return 0;
}

/* What follows: nothing, or another unit of this document. */
static void row_keep(const struct obix_ctx *c, struct doc_row *row,
		     const struct scan_sum *s)
{
	struct obix_machine *m = c->m;
	struct stage *st = &m->stage;

	c->at->stage = s->stage;
	c->at->depth = s->depth;
	c->at->seen = s->stylesheet;
	if (c->first && !c->last) {
		if (++m->serial == 0)
			m->serial = 1;
		row->serial = m->serial;
		st->doc = m->spare;
		st->any = st->doc_new = true;
		c->at->doc = (uint8_t)(m->spare + 1);
		c->at->serial = row->serial;
	}
	if (!c->first && c->last)
		st->doc_ended = true;
}

/* --- one unit
 * ------------------------------------------------------------------------ */

/* The scanner's reading of the whole unit. */
static int count(const struct obix_ctx *c, struct span unit,
		 struct scan_sum *sum, struct err *e)
{
	struct scan s = scan_of(c->at, unit, e);

	if (!c->last && scan_is_kept(&c->m->kept, c->at, unit)) {
		*sum = c->m->kept.sum;
		return 0;
	}
	for (;;) {
		enum scan_token t = scan_next(&s);

		if (t == SCAN_BAD)
			return e->code;
		if (t != SCAN_MORE)
			continue;
		*sum = s.sum;
		if (s.at == unit.n && (!c->last || sum->stage == SCAN_BEHIND))
			return 0;
		return err_reason(e, E_SYNTAX, REASON_INCOMPLETE, s.at,
				  "the document does not end");
	}
}

static int pass(struct reader *r, struct doc_row *row, struct span unit,
		const struct scan_sum *s)
{
	const struct xml_sink sink = {r, doc_start, doc_end};
	int rc;

	/* Comments carry nothing for those who read oBIX. */
	row->doc.odd |= s->comments > 0;
	shape_begin(r->m);
	r->quiet = false;
	r->octets = (uint32_t)unit.n;
	r->apart = s->text + s->words + s->white + s->comments;
	r->before = row->doc.ordinal;
	rc = xml_read(&row->xml, unit, r->c->last, s, &sink, r->e);

	if (rc)
		return rc;
	if (row->doc.depth != s->depth)
		return err_reason(r->e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "elements end where others see none");
	return doc_unit_end(r, (s->text > 0) + s->numbers);
}

/* Read it again, knowing what came last: definitions behind their use. */
static int again(struct reader *r, struct doc_row *row, struct span unit,
		 const struct scan_sum *s)
{
	const struct obix_ctx *c = r->c;
	struct obix_machine *m = c->m;
	struct doc *d = &row->doc;
	struct known known = d->known;
	int rc;

	if (c->first) {
		rc = row_new(c, &row, r->e);
		if (rc)
			return rc;
	} else {
		doc_copy(d, &m->shadow.doc);
		xml_copy(&row->xml, &m->shadow.xml);
	}
	d->known = known;
	r->second = true;
	r->leaves = 0;
	r->told_n = 0;
	r->n_members = 0;
	memset(&r->text, 0, sizeof(r->text));
	return pass(r, row, unit, s);
}

int obix_read(const struct obix_ctx *c, struct span unit, struct obs_list *out,
	      struct err *e)
{
	struct reader r = {.c = c, .m = c->m, .out = out, .e = e};
	uint32_t mark = out->n;
	struct obix_ask before = *c->ask;
	struct doc_row *row = NULL;
	struct scan_sum s;
	int rc;

	stage_begin(c->m);
	rc = count(c, unit, &s, e);
	if (rc)
		return rc;
	rc = c->first ? row_new(c, &row, e) : row_open(c, &row, e);
	if (rc)
		return rc;
	r.d = &row->doc;
	rc = pass(&r, row, unit, &s);
	if (rc == 0 && r.again) {
		out->n = mark;
		*c->ask = before;
		stage_again(c->m);
		rc = again(&r, row, unit, &s);
	}
	if (rc) {
		out->n = mark;
		*c->ask = before;
		return rc;
	}
	row_keep(c, row, &s);
	return 0;
}

struct scan_kept *obix_kept(struct obix_machine *m)
{
	return &m->kept;
}

void obix_drop(struct obix_machine *m, struct obix_scan *at)
{
	if (at->doc && at->doc <= DOCS + 1 &&
	    m->doc[at->doc - 1].serial == at->serial) {
		m->doc[at->doc - 1].serial = 0;
		m->doc[at->doc - 1].used = 0;
	}
	*at = (struct obix_scan){0};
}
