/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items of a document: what is said of one object, from the element that names
 * it to the one that ends it, and the records in it.
 */
#include <stdio.h>

#include "dissectors/obix/state.h"

static int refuse(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

struct span doc_base(const struct doc *d)
{
	return span_of(d->paths, d->base);
}

/* What an element above refers from, for those who climb. */
struct span doc_near_base(struct doc *d)
{
	const struct elem *up = doc_parent(d);
	struct cur c = cur_of(span_of(d->paths, d->paths_n));
	size_t n;

	if (!up || up->base == 0)
		return doc_base(d);
	cur_take(&c, up->base);
	n = cur_u16(&c);
	return cur_take(&c, n);
}

void doc_push_base(struct doc *d, struct elem *el, const struct href *h)
{
	struct wbuf w = wbuf_of(d->paths, sizeof(d->paths));

	w.n = d->paths_n;
	wbuf_be(&w, h->n, 2);
	wbuf_put(&w, href_span(h));
	/* Without room there is one reading less, and that is noted. */
	if (w.failed) {
		d->odd = true;
		return;
	}
	el->base = d->paths_n;
	d->paths_n = (uint16_t)w.n;
}

const struct href *doc_href(struct reader *r, struct span base, struct span ref,
			    struct err *e)
{
	struct span was = r->named.base;

	if (r->named.ref.p && r->named.ref.p == ref.p &&
	    r->named.ref.n == ref.n && was.p == base.p && was.n == base.n)
		return &r->named.h;
	r->named.ref = (struct span){0};
	if (href_resolve(&r->named.h, base, ref, e))
		return NULL;
	r->named.base = base;
	r->named.ref = ref;
	return &r->named.h;
}

void item_put_href(struct item *it, unsigned reading, const struct href *h)
{
	memcpy(it->href[reading], h->path, h->n);
	it->href_n[reading] = h->n;
}

/* Another name of the server, or another server's object; or a path whose
 * first segment some take for a name. */
int item_server(struct reader *r, const struct href *h)
{
	const struct net_tuple *t = &r->c->dis->tup;
	uint16_t port = r->d->request ? t->dport : t->sport;

	if (!h->network && !(h->authority.n && r->c->host.n &&
			     !href_host_is(h->authority, r->c->host, port)))
		return 0;
	r->d->odd = true;
	text_server(r, h->authority);
	return r->d->request ? refuse(r->e, REASON_SUSPICIOUS,
				      "a reference to another server")
			     : 0;
}

/* Both readings of a reference, the second only where it differs. */
int item_href(struct reader *r, struct item *it, struct span ref)
{
	struct doc *d = r->d;
	const struct href *h = doc_href(r, doc_base(d), ref, r->e);
	int rc;

	if (!h)
		return r->e->code;
	rc = item_server(r, h);
	if (rc)
		return rc;
	text_spelling(r, ref);
	item_put_href(it, 0, h);
	it->href_n[1] = 0;
	it->object = obix_key(r->c, href_span(h));
	h = doc_href(r, doc_near_base(d), ref, r->e);
	if (!h)
		return r->e->code;
	if (!span_eq(href_identity(href_span(h)),
		     href_identity(span_of(it->href[0], it->href_n[0]))))
		item_put_href(it, 1, h);
	return 0;
}

int item_second(struct reader *r, struct item *it, struct span ref)
{
	struct href h;
	int rc = href_resolve(&h, doc_base(r->d), ref, r->e);

	if (rc == 0)
		rc = item_server(r, &h);
	if (rc == 0 && !span_eq(href_identity(href_span(&h)),
				href_identity(span_of(it->href[0],
						      it->href_n[0]))))
		item_put_href(it, 1, &h);
	return rc;
}

int item_is(struct reader *r, struct item *it, struct span is)
{
	struct span one;
	size_t at = 0;

	it->is_n = 0;
	for (unsigned n = 0; (one = obix_contract_text(is, &at)).n; n++) {
		size_t gap = it->is_n > 0;

		if (n == CONTRACTS || it->is_n + gap + one.n > CONTRACT_TEXT)
			return err_reason(r->e, E_LIMIT, REASON_TOO_LONG, 0,
					  "more contracts than are told");
		if (gap)
			it->is[it->is_n++] = ' ';
		memcpy(it->is + it->is_n, one.p, one.n);
		it->is_n = (uint8_t)(it->is_n + one.n);
	}
	return 0;
}

void item_open(struct item *it, enum obix_op op)
{
	item_clear(it);
	it->open = true;
	it->op = (uint8_t)op;
}

/* The answer to one value may call it otherwise, as a point its value. */
uint64_t item_echo(const struct item *it)
{
	return it->hidden ? 0 : it->values == 1 ? it->echo_last : it->echo;
}

struct obix_bounds item_bounds(const struct item *it)
{
	return (struct obix_bounds){it->start, it->end, it->has_start,
				    it->has_end};
}

int item_path(struct reader *r, struct item *it)
{
	struct span path = r->c->path;

	if (path.n > HREF_MAX)
		return err_reason(r->e, E_LIMIT, REASON_TOO_LONG, 0,
				  "path too long");
	if (path.n)
		memcpy(it->href[0], path.p, path.n);
	it->href_n[0] = (uint16_t)path.n;
	return 0;
}

static bool is_watch(uint8_t op)
{
	return op == OP_WATCH_ADD || op == OP_WATCH_REMOVE ||
	       op == OP_WATCH_POLL;
}

static bool is_history(uint8_t op)
{
	return op == OP_HISTORY_QUERY || op == OP_HISTORY_ROLLUP ||
	       op == OP_HISTORY_APPEND;
}

static void stamps_fresh(struct doc *d)
{
	d->has_last = d->has_gap = d->up = d->down = d->has_grid = false;
	d->shares = 0;
}

/* Nothing of the item before counts for this one. */
static void item_fresh(struct doc *d)
{
	d->series = is_history(d->item.op);
	d->single = false;
	stamps_fresh(d);
}

/* As if it were sent alone: a station gives histories to those who read them,
 * and servers filter by the query. */
static int batch_read(struct reader *r, struct item *it, struct span ref)
{
	struct span query = href_query(ref);
	int rc;

	it->op = (uint8_t)op_of_read(span_of(it->href[0], it->href_n[0]),
				     query);
	if (it->op == OP_BATCH)
		return refuse(r->e, REASON_NESTED_BATCH, "a batch in a batch");
	if (it->op != OP_HISTORY_QUERY)
		return 0;
	rc = query_check(query, r->e);
	query_filter(it, query);
	return rc;
}

#define BATCH_ITEM (C_BIT(C_READ) | C_BIT(C_WRITE) | C_BIT(C_INVOKE))

/* An item of a batch: Read, Write or Invoke of its val. */
static int batch_item(struct reader *r, struct elem *el,
		      const struct xml_tag *t)
{
	struct item *it = &r->d->item;
	contract_set what = el->contracts & BATCH_ITEM;
	enum obix_op op = what == C_BIT(C_READ)     ? OP_READ
			  : what == C_BIT(C_WRITE)  ? OP_WRITE
			  : what == C_BIT(C_INVOKE) ? OP_INVOKE
						    : OP_NONE;
	int rc;

	if (el->el != EL_URI || !t->at[AT_VAL].n || op == OP_NONE)
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a batch item that servers read differently");
	item_open(it, op);
	/* Its argument may be another filter. */
	if (op == OP_INVOKE && query_filters(href_query(t->at[AT_VAL])))
		return refuse(r->e, REASON_TWO_READINGS,
			      "a filter in the reference to an operation");
	rc = item_href(r, it, t->at[AT_VAL]);
	return rc || op != OP_READ ? rc : batch_read(r, it, t->at[AT_VAL]);
}

/* What an operation in a batch does, known by its path and its argument. */
int batch_invoke(struct reader *r, contract_set argument)
{
	struct item *it = &r->d->item;
	enum obix_op op2;
	enum obix_op op = op_of_post(r->c, span_of(it->href[0], it->href_n[0]),
				     argument, &op2);

	if (op == OP_BATCH || op2 == OP_BATCH)
		return refuse(r->e, REASON_NESTED_BATCH, "a batch in a batch");
	if (op2 != OP_NONE)
		return refuse(r->e, REASON_SUSPICIOUS,
			      "an operation and an argument for another");
	it->op = (uint8_t)op;
	op_ask(r->c, op, span_of(it->href[0], it->href_n[0]), &it->object,
	       &it->watch);
	item_fresh(r->d);
	return 0;
}

/* An err is let through without a grant: it may not choose what it names. */
bool item_fails(const struct reader *r, struct span href, struct span path)
{
	const struct net_tuple *t = &r->c->dis->tup;
	struct span front = span_str("http://");
	size_t n;

	if (href.n && href.p[0] != '/') {
		if (!span_eq(span_sub(href, 0, front.n), front))
			return false;
		href = span_from(href, front.n);
		n = href_host(href, r->c->host);
		if (n == 0)
			return false;
		href = span_from(href, n);
		n = href_port(href, t->sport);
		href = span_from(href, n ? n : href_port(href, t->dport));
		return span_eq(href, path);
	}
	return href.n == 0 || span_eq(href, path);
}

static int batch_answer(struct reader *r, const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct list_item *asked =
		list_find(r->m, r->c->ask, d->next_item++);
	struct item *it = &d->item;

	/* Reading leniently, the request may not have been seen. */
	if (!asked && r->c->ask->kind)
		return refuse(r->e, REASON_UNPAIRED,
			      "more answers than items of the batch");
	item_open(it, asked ? (enum obix_op)asked->op : OP_READ);
	it->err = t->el == EL_ERR;
	if (asked) {
		it->object = asked->object;
		it->watch = asked->watch;
		it->interval_s = asked->interval_s;
		it->asked = true;
		it->written = asked->written;
		it->was_written = asked->echo;
		it->bounds = asked->bounds;
	}
	it->fails = it->err && asked &&
		    item_fails(r, t->at[AT_HREF],
			       span_of(asked->path, asked->path_n));
	if (asked && !t->at[AT_HREF].n) {
		memcpy(it->href[0], asked->path, asked->path_n);
		it->href_n[0] = asked->path_n;
		return 0;
	}
	if (t->at[AT_HREF].n) {
		struct obix_key object = it->object;
		int rc = item_href(r, it, t->at[AT_HREF]);

		if (asked && !key_eq(object, it->object) &&
		    (it->op == OP_READ || it->op == OP_WRITE))
			d->odd = true;
		if (asked && it->op != OP_READ)
			it->object = object;
		return rc;
	}
	return item_path(r, it);
}

/* Whoever may invoke something has power over it. */
void item_command(struct item *it, bool in)
{
	if (in && it->values == 0 && !it->shown &&
	    (it->op == OP_INVOKE || it->op == OP_WRITE))
		it->meas |= MEAS_BIT(MEAS_CONTROL_LOAD);
}

static int batch_start(struct reader *r, struct elem *el,
		       const struct xml_tag *t)
{
	struct doc *d = r->d;
	int rc = d->request ? batch_item(r, el, t) : batch_answer(r, t);

	el->item = true;
	if (!d->request)
		d->item.op = (uint8_t)op_answered((enum obix_op)d->item.op,
						  el->contracts);
	item_fresh(d);
	if (rc || d->request)
		return rc;
	rc = item_is(r, &d->item, t->at[AT_IS]);
	if (rc)
		return rc;
	if (!d->item.err)
		el->contracts |= op_out((enum obix_op)d->item.op);
	if (d->item.op == OP_WATCH_ADD || d->item.op == OP_WATCH_REMOVE)
		el->contracts |= C_BIT(C_WATCH_OUT);
	return 0;
}

/* One object that an operation of a Watch names, or gives. */
static int watch_item(struct reader *r, struct item *it,
		      const struct item *outer, const struct xml_tag *t)
{
	enum obix_op op = (enum obix_op)outer->op;
	struct obix_key watch = outer->watch;
	int rc;

	item_open(it, op);
	stamps_fresh(r->d);
	it->err = t->el == EL_ERR;
	it->watch = watch;
	rc = item_href(r, it, t->at[r->d->request ? AT_VAL : AT_HREF]);
	if (r->d->request && op == OP_WATCH_ADD)
		it->asks_for = op_asks_for(r->c, OP_READ, it->object, watch);
	if (rc == 0 && !r->d->request)
		rc = item_is(r, it, t->at[AT_IS]);
	return rc;
}

int item_start(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct elem *up = r->up;
	struct item *outer = d->item.open ? &d->item : &d->rest;
	struct item *it = d->item.open ? &d->sub : &d->item;

	/* Most documents have none. */
	if (d->op != OP_BATCH && !is_watch(d->op) &&
	    !(d->request && el->contracts & BATCH_ITEM))
		return 0;
	if (up && d->op == OP_BATCH && !d->item.open)
		return up->items ? batch_start(r, el, t) : 0;
	/* Servers know a batch by its items, whatever is around them. */
	if (d->request && el->contracts & BATCH_ITEM)
		return refuse(r->e, d->op == OP_BATCH ? REASON_NESTED_BATCH
						      : REASON_SUSPICIOUS,
			      "an item of a batch in what is none");
	/* Within what a Watch's reference names there may be a filter. */
	if (d->request && up && is_watch(outer->op) &&
	    outer->op != OP_WATCH_POLL && t->at[AT_VAL].p &&
	    (d->op == OP_BATCH ? d->sub.open : d->item.open) &&
	    (up->item || el->el == EL_URI))
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a reference within one for a Watch");
	if (!up || it->open)
		return 0;
	if (!is_watch(outer->op) || (d->op != OP_BATCH && d->item.open))
		return 0;
	/* Some servers look for whatever has a val. */
	if (d->request && el->el != EL_URI && t->at[AT_VAL].p &&
	    outer->op != OP_WATCH_POLL)
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a reference for a Watch that is no uri");
	if (d->request ? el->el != EL_URI || !t->at[AT_VAL].n : !up->items)
		return 0;
	el->item = true;
	return watch_item(r, it, outer, t);
}

/* An item of a batch that asks something: its answer will need that. */
static int batch_end(struct reader *r)
{
	struct item *it = &r->d->item;
	struct list_item *row;
	int rc = it->op == OP_INVOKE ? batch_invoke(r, 0) : 0;

	if (rc)
		return rc;
	item_command(it, r->d->in);
	row = list_stage(r->m, r->c->ask);
	if (!row)
		return err_reason(r->e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "too many items in a batch");
	row->op = it->op;
	if (it->href_n[0] <= sizeof(row->path)) {
		memcpy(row->path, it->href[0], it->href_n[0]);
		row->path_n = (uint8_t)it->href_n[0];
	}
	row->interval_s = it->interval_s;
	row->written = it->values;
	row->echo = item_echo(it);
	row->bounds = item_bounds(it);
	op_ask(r->c, (enum obix_op)it->op, span_of(it->href[0], it->href_n[0]),
	       &row->object, &row->watch);
	it->asks_for = op_asks_for(r->c, (enum obix_op)it->op, row->object,
				   row->watch);
	return 0;
}

int item_end(struct reader *r)
{
	struct doc *d = r->d;
	struct item *it = doc_item(d);
	int rc = 0;

	if (d->op == OP_BATCH && d->request && it == &d->item)
		rc = batch_end(r);
	it->open = false;
	if (rc)
		return rc;
	record_whole(r, it);
	if (it == &d->sub) {
		d->item.shown = true;
		return leaf_give(r, it);
	}
	/* Of an operation of a Watch, what it names has been said. */
	if (it->shown && is_watch(it->op) && !it->meas && !it->notes)
		return 0;
	return leaf_give(r, it);
}
