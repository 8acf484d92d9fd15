/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document, element by element. One walk with a stack of at most XML_DEPTH:
 * what an element inherits (contracts, prototype, names) is in the stack, what
 * is said of an object gathers in an item, and an item becomes a leaf when its
 * element ends or the unit does.
 */
#include "dissectors/obix/state.h"

static int refuse(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* --- the root --- */

static int root_request(struct reader *r, struct elem *el)
{
	struct doc *d = r->d;
	struct obix_ask *ask = r->c->ask;
	enum obix_op op2;

	d->op = (uint8_t)op_of(r->c, el->contracts, &op2);
	d->op2 = (uint8_t)op2;
	if (d->op == OP_NONE)
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a document with a method of another protocol");
	/* Servers take the one, the other, or what both leave. */
	if ((op_queries((enum obix_op)d->op) ||
	     op_queries((enum obix_op)d->op2)) &&
	    query_filters(r->c->query))
		return refuse(r->e, REASON_TWO_READINGS,
			      "a filter in the query beside a document");
	el->contracts |= op_in((enum obix_op)d->op);
	*ask = (struct obix_ask){
		.kind = (uint16_t)obix_request_kind((enum obix_op)d->op)};
	op_ask(r->c, (enum obix_op)d->op, r->c->path, &ask->object,
	       &ask->watch);
	d->rest.asks_for =
		op_asks_for(r->c, (enum obix_op)d->op, ask->object, ask->watch);
	return 0;
}

static int root_answer(struct reader *r, struct elem *el)
{
	struct doc *d = r->d;
	const struct obix_ask *ask = r->c->ask;
	enum obix_op op = obix_op_of(ask->kind);

	if (op == OP_NONE)
		op = obix_answers(el->contracts);
	op = op_answered(op, el->contracts);
	d->op = (uint8_t)(op == OP_NONE ? OP_READ : op);
	d->rest.err = el->el == EL_ERR;
	d->rest.interval_s = ask->interval_s;
	if (el->el == EL_ERR)
		return 0;
	el->contracts |= op_out(op);
	if (op == OP_WATCH_ADD || op == OP_WATCH_REMOVE)
		el->contracts |= C_BIT(C_WATCH_OUT);
	d->series = op == OP_HISTORY_QUERY || op == OP_HISTORY_ROLLUP;
	return 0;
}

/* Does the root's own href name the object, or only where to read more? */
static bool names_object(const struct doc *d)
{
	return d->op == OP_READ || d->op == OP_WRITE || d->op == OP_SIGNUP ||
	       d->op == OP_WATCH_MAKE || d->op == OP_INVOKE;
}

static int root_href(struct reader *r, struct span ref)
{
	struct doc *d = r->d;
	struct wbuf w = wbuf_of(d->paths, sizeof(d->paths));
	struct href h = {0}, path = {0};
	int rc = item_path(r, &d->rest);

	if (rc)
		return rc;
	rc = href_resolve(&path, span_of("/", 1), r->c->path, r->e);
	h = path;
	if (rc == 0 && ref.n)
		rc = href_resolve(&h, href_span(&path), ref, r->e);
	if (rc == 0)
		text_spelling(r, ref);
	if (rc == 0)
		rc = item_server(r, &h);
	if (rc)
		return rc;
	wbuf_put(&w, href_span(h.fragment ? &path : &h));
	d->base = d->paths_n = (uint16_t)w.n;
	if (!href_same(&h, &path) && names_object(d))
		item_put_href(&d->rest, 1, &h);
	if (d->op == OP_WATCH_MAKE && !d->request && !d->rest.err)
		watch_stage(r->m, obix_key(r->c, href_span(&h)), false);
	return 0;
}

static RARE int root_start(struct reader *r, struct elem *el,
			   const struct xml_tag *t)
{
	struct doc *d = r->d;
	int rc;

	d->request = r->c->request;
	d->in = obix_towards_machine(r->c);
	item_open(&d->rest, OP_NONE);
	rc = d->request ? root_request(r, el) : root_answer(r, el);
	if (rc)
		return rc;
	d->rest.op = d->op;
	rc = item_is(r, &d->rest, t->at[AT_IS]);
	if (rc == 0)
		rc = root_href(r, t->at[AT_HREF]);
	if (rc)
		return rc;
	/* One that goes on over several units is more than an err. */
	d->rest.fails = d->rest.err && r->c->first && r->c->last &&
			item_fails(r, t->at[AT_HREF], r->c->path);
	d->rest.object = r->c->ask->object;
	d->rest.watch = r->c->ask->watch;
	el->items = d->op == OP_BATCH && el->el != EL_ERR;
	if (d->rest.err && d->op != OP_BATCH &&
	    key_set(r->c->ask->watch)) /* expired, or never was */
		watch_stage(r->m, r->c->ask->watch, true);
	if (d->op == OP_DELETE && !d->request && !d->rest.err)
		watch_stage(r->m, r->c->ask->watch, true);
	return 0;
}

/* --- elements --- */

/* What it is like, or its children are. */
static RARE void is_like(struct reader *r, struct elem *el,
			 const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct elem *up = r->up;
	struct span own = t->at[AT_HREF];
	bool other = false;
	uint64_t name = 0;

	if (t->at[AT_IS].n) {
		el->contracts = obix_contracts(t->at[AT_IS], &other);
		name = define_fragment(t->at[AT_IS]);
		if (other)
			el->foreign = define_foreign(t->at[AT_IS],
						     &el->several);
	}
	if (t->at[AT_OF].n) {
		el->of = obix_contracts(t->at[AT_OF], &other);
		el->of_name = define_fragment(t->at[AT_OF]);
		if (other)
			el->of_foreign = define_foreign(t->at[AT_OF],
							&el->of_several);
	}
	el->known = !other;
	if (up && (up->el == EL_LIST || up->el == EL_FEED)) {
		el->contracts |= up->of;
		el->foreign |= up->of_foreign;
		/* Of its own and that of its list one alone is read. */
		el->several |= up->of_several || (name && up->of_name &&
						  name != up->of_name);
		name = name ? name : up->of_name;
	}
	/* Nothing is like itself. */
	if (own.n && own.p[0] == '#' && name == obix_hash(own))
		name = 0;
	/* What has no members of its own, or no value, is like nothing. */
	if (name && (el->null || el->el == EL_REF || el->el == EL_ERR))
		el->proto = proto_find(d, name);
	else if (name)
		el->proto = proto_use(r, name);
	el->awaits = el->several || (name && !el->proto);
}

static void inherit(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct elem *up = r->up;
	struct span own = t->at[AT_NAME].n ? t->at[AT_NAME]
			  : t->at[AT_DISPLAY_NAME].n
				  ? t->at[AT_DISPLAY_NAME]
				  : href_last(t->at[AT_HREF]);

	own = span_sub(own, 0, sizeof(el->name));
	el->name_n = (uint8_t)own.n;
	if (own.n)
		memcpy(el->name, own.p, own.n);
	el->known = true;
	if (t->at[AT_IS].n || t->at[AT_OF].n ||
	    (up && (up->el == EL_LIST || up->el == EL_FEED)))
		is_like(r, el, t);
	/* `data` of a history holds its records without saying so. */
	if (up && el->el == EL_LIST && span_is(t->at[AT_NAME], "data"))
		el->of |= op_record(up->contracts);
	/* There may be no record; something else has to be there. */
	if (el->of_name && record_are(el->of))
		(void)proto_use(r, el->of_name);
	/* The list of a WatchOut. */
	if (up && el->el == EL_LIST && (d->depth == 1 || up->item) &&
	    up->contracts & C_BIT(C_WATCH_OUT))
		el->items = true;
	if (!up || el->el != EL_OBJ)
		return;
	if (up->contracts & C_BIT(C_UNIT) &&
	    span_is(t->at[AT_NAME], "dimension")) {
		el->contracts |= C_BIT(C_DIMENSION);
		el->dimension = up->unit_def;
	}
	if (up->contracts & C_BIT(C_WATCH))
		el->contracts |= C_BIT(C_WATCH);
}

/* An operation that an object offers: what POST to it will do. */
static RARE void learn_op(struct reader *r, const struct xml_tag *t)
{
	struct obix_key key;
	struct learnt *l;
	const struct href *h;
	enum obix_op op;
	bool other = false;

	if (r->d->request)
		return;
	h = doc_href(r, doc_base(r->d), t->at[AT_HREF], NULL);
	if (!h)
		return;
	op = obix_asks(obix_contracts(t->at[AT_IN], &other));
	/* A Watch's operations by name: servers are careless about their
	 * arguments. */
	if (op == OP_NONE || op == OP_WATCH_ADD)
		op = obix_operation(t->at[AT_NAME]);
	if (op == OP_NONE)
		return;
	key = obix_key(r->c, href_span(h));
	l = learnt_stage(r->m, key);
	if (l)
		l->op = (uint8_t)op;
}

static void definitions(struct reader *r, struct elem *el,
			const struct xml_tag *t)
{
	const struct elem *up = r->up;
	struct span href = t->at[AT_HREF];

	if (href.n && href.p[0] == '#')
		proto_define(r, el, t);
	if (el->contracts & C_BIT(C_UNIT) && href.n && el->el == EL_OBJ)
		define_unit(r, el, href);
	el->pattern = el->el == EL_OBJ && up &&
		      up->contracts & C_BIT(C_HISTORY) &&
		      span_is(t->at[AT_NAME], "prototype");
	/* A unit in a facets string, found in the first reading. */
	for (unsigned i = 0; r->second && i < r->d->known.facets_n; i++) {
		if (r->d->known.facet[i].ordinal != el->ordinal)
			continue;
		el->facets = r->d->known.facet[i].sizing;
		el->has_facets = true;
	}
}

/* What is written stands within the object that is: a child elsewhere would be
 * written past the rules, which see the object's own href. */
static bool is_within(const struct item *it, const struct href *h)
{
	struct span path = href_identity(href_span(h));
	struct span own = href_identity(span_of(it->href[0], it->href_n[0]));

	return span_is(own, "/") || span_eq(path, own) ||
	       (path.n > own.n && path.p[own.n] == '/' &&
		span_eq(span_sub(path, 0, own.n), own));
}

static RARE int climb(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	const struct href *h;
	int rc;

	h = doc_href(r, doc_near_base(r->d), t->at[AT_HREF], NULL);
	/* What has no normal form is nothing that a rule could name. */
	if (!h) {
		r->d->odd = true;
		return 0;
	}
	rc = item_server(r, h);
	if (rc)
		return rc;
	if (r->d->request && doc_item(r->d)->op == OP_WRITE && !h->fragment &&
	    el->el != EL_REF && !is_within(doc_item(r->d), h))
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a child of another object is written");
	if (!h->fragment && el->el != EL_REF && el->el != EL_OP)
		doc_push_base(r->d, el, h);
	return 0;
}

int doc_start(void *arg, const struct xml_tag *t, struct err *e)
{
	static const struct elem none;
	struct reader *r = arg;
	struct doc *d = r->d;
	struct elem *el = &d->stack[d->depth], *up = doc_parent(d);
	int rc = 0;

	(void)e;
	r->up = up;
	r->named.ref = r->number.of = (struct span){0};
	/* Clearing begins slowly where it is done by rep stos. */
	memcpy(el, &none, offsetof(struct elem, name));
	el->el = (uint8_t)t->el;
	el->ordinal = ++d->ordinal;
	el->base = up ? up->base : 0;
	d->odd |= t->el == EL_UNKNOWN || t->prefixed;
	el->hollow = d->depth > 0 && !t->at[AT_VAL].n;
	el->bare = !t->at[AT_NAME].n && !t->at[AT_HREF].n;
	el->null = xml_is_null(t);
	el->within = !up ? 0 : up->def ? up->def : up->within;
	inherit(r, el, t);
	if (d->depth == 0)
		rc = root_start(r, el, t);
	else
		rc = item_start(r, el, t);
	if (rc)
		return rc;
	if (up && up->item && d->op == OP_BATCH && d->request &&
	    d->item.op == OP_INVOKE) {
		rc = batch_invoke(r, el->contracts);
		if (rc)
			return rc;
		el->contracts |= op_in((enum obix_op)d->item.op);
		if (d->item.op == OP_SIGNUP && t->at[AT_HREF].n)
			rc = item_second(r, &d->item, t->at[AT_HREF]);
		if (rc)
			return rc;
	}
	definitions(r, el, t);
	record_start(d, el);
	if (!el->item && !el->record && up)
		el->entry = up->el == EL_LIST || up->el == EL_FEED
				    ? (uint8_t)(d->depth + 1)
				    : up->entry;
	if (el->entry == d->depth + 1 && t->at[AT_HREF].n)
		el->own = obix_hash(t->at[AT_HREF]);
	if (el->el == EL_OP && t->at[AT_HREF].n)
		learn_op(r, t);
	/* The uri of an item names it, and is no value. */
	if (!(el->item && d->request))
		rc = value_read(r, el, t);
	else
		text_read(r, el, t, true);
	if (rc == 0 && up && t->at[AT_HREF].n)
		rc = climb(r, el, t);
	/* An err that needs no grant is one alone. */
	if (up && !el->item)
		doc_item(d)->fails = false;
	d->depth++;
	return rc;
}

int doc_end(void *arg, struct err *e)
{
	struct reader *r = arg;
	struct doc *d = r->d;
	struct elem *el = &d->stack[--d->depth], *up = doc_parent(d);

	(void)e;
	r->up = up;
	if (el->proto || el->several)
		proto_left_out(r, el);
	if (el->record)
		record_end(r, el);
	if (el->base != (up ? up->base : 0))
		d->paths_n = el->base;
	shape_end(r, el);
	if (el->hollow && el->ordinal == d->ordinal)
		text_empty(r, el);
	if (el->unit_def && define_unit_done(r, el->unit_def))
		return r->e->code;
	return el->item ? item_end(r) : 0;
}

/* --- the end of a unit --- */

/* A WatchIn of nothing, where no argument is: some clients poll with it. */
static bool is_poll(const struct reader *r)
{
	const struct doc *d = r->d;

	return d->request && d->op == OP_WATCH_POLL &&
	       d->op2 == OP_WATCH_ADD && r->c->first && r->c->last &&
	       r->leaves == 0 && d->rest.values == 0;
}

int doc_unit_end(struct reader *r, uint32_t apart)
{
	struct doc *d = r->d;
	struct item *rest = &d->rest;
	int rc = 0;

	/* What is between elements means nothing; it may tell a lot. */
	item_hides(rest, apart + text_hidden(r, r->apart));
	if (r->c->last)
		record_whole(r, rest);
	if (is_poll(r))
		d->op2 = OP_NONE;
	if (d->request) {
		item_command(rest, d->in);
		r->c->ask->interval_s = rest->interval_s;
		r->c->ask->bounds = item_bounds(rest);
		/* Of more than one unit there is no echo. */
		r->c->ask->echo = r->c->ask->written
					  ? r->c->ask->echo * !rest->values
					  : item_echo(rest);
		r->c->ask->written += rest->values;
	}
	if (d->sub.open)
		rc = leaf_give(r, &d->sub);
	if (rc == 0 && d->item.open)
		rc = leaf_give(r, &d->item);
	if (rc)
		return rc;
	if (rest->meas || rest->notes || r->leaves == 0 ||
	    (!rest->shown && d->op == OP_BATCH))
		rc = leaf_give(r, rest);
	if (r->quiet)
		d->quiet = leaf_quiet(r);
	return rc;
}
