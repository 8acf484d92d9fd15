/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document, element by element. One walk with a stack of at most XML_DEPTH:
 * what an element inherits (contracts, prototype, names) is in the stack, what
 * is said of an object gathers in an item, and an item becomes a leaf when its
 * element ends or the unit does.
 */
#include "dissectors/obix/state.h"

static struct elem *parent_of(struct doc *d)
{
	return d->depth ? &d->stack[d->depth - 1] : NULL;
}

static struct item *current(struct doc *d)
{
	return d->item.open ? &d->item : &d->rest;
}

static int refuse(struct err *e, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, 0, "%s", what);
}

/* --- references
 * --------------------------------------------------------------- */

static struct span root_base(const struct doc *d)
{
	return span_of(d->paths, d->base);
}

/* What an element above refers from, for those who climb. */
static struct span near_base(struct doc *d)
{
	const struct elem *up = parent_of(d);
	struct cur c = cur_of(span_of(d->paths, d->paths_n));
	size_t n;

	if (!up || up->base == 0)
		return root_base(d);
	cur_take(&c, up->base);
	n = cur_u16(&c);
	return cur_take(&c, n);
}

static void push_base(struct doc *d, struct elem *el, const struct href *h)
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

static int put_href(struct item *it, unsigned reading, const struct href *h)
{
	memcpy(it->href[reading], h->path, h->n);
	it->href_n[reading] = h->n;
	return 0;
}

static bool same(const struct href *a, const struct href *b)
{
	return span_eq(href_identity(href_span(a)),
		       href_identity(href_span(b)));
}

/* Both readings of a reference, the second only where it differs. */
static int item_href(struct reader *r, struct item *it, struct span ref)
{
	struct doc *d = r->d;
	struct href a, b;
	int rc = href_resolve(&a, root_base(d), ref, r->e);

	if (rc)
		return rc;
	/* Another name of the server, or another server's object. */
	d->odd |= a.authority.n && r->c->host.n &&
		  !href_host_is(a.authority, r->c->host);
	put_href(it, 0, &a);
	it->href_n[1] = 0;
	it->object = obix_key(r->c, href_span(&a));
	rc = href_resolve(&b, near_base(d), ref, r->e);
	if (rc == 0 && !same(&a, &b))
		put_href(it, 1, &b);
	return rc;
}

static void item_is(struct item *it, struct span is)
{
	struct span text = span_sub(obix_contract_text(is), 0, CONTRACT_TEXT);

	it->is_n = (uint8_t)text.n;
	if (text.n)
		memcpy(it->is, text.p, text.n);
}

static void item_open(struct item *it, enum obix_op op)
{
	memset(it, 0, sizeof(*it));
	it->open = true;
	it->op = (uint8_t)op;
}

static int path_href(struct reader *r, struct item *it)
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

/* --- prototypes and units
 * ------------------------------------------------------- */

/* The first "#X" of a list, hashed; 0: none. */
static uint64_t fragment_of(struct span list)
{
	size_t from = 0, to;

	while (from < list.n && list.p[from] != '#')
		from++;
	if (from == list.n)
		return 0;
	for (to = from; to < list.n && list.p[to] > ' ';)
		to++;
	return obix_hash(span_sub(list, from, to - from));
}

static uint8_t proto_find(const struct doc *d, uint64_t name)
{
	for (uint8_t i = 0; i < d->known.protos_n; i++) {
		if (d->known.proto[i].name == name)
			return (uint8_t)(i + 1);
	}
	return 0;
}

/* This object can be referred to as "#X". */
static void proto_define(struct reader *r, struct elem *el, uint64_t name)
{
	struct doc *d = r->d;

	if (proto_find(d, name)) {
		el->def = proto_find(d, name);
		return;
	}
	if (d->known.protos_n == PROTOS) {
		d->odd = true;
		return;
	}
	d->known.proto[d->known.protos_n++] = (struct proto){.name = name};
	el->def = d->known.protos_n;
	if (name == d->wanted)
		r->again = true;
}

static void proto_member(struct reader *r, struct proto *p,
			 const struct xml_tag *t)
{
	struct sizing s = {0};
	uint64_t name = obix_hash(t->at[AT_NAME]);

	if (!t->at[AT_UNIT].n || !t->at[AT_NAME].n)
		return;
	s = sizing_unit(r, t->at[AT_UNIT]);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->member[i].name == name)
			return;
	}
	if (!s.sure || p->n == PROTO_MEMBERS)
		return;
	p->member[p->n].name = name;
	p->member[p->n++].sizing = s;
}

static void unit_define(struct reader *r, struct elem *el, struct span ref)
{
	struct doc *d = r->d;
	struct unit_def *u;
	struct href h;

	if (d->known.defs_n == UNIT_DEFS) {
		d->odd = true;
		return;
	}
	u = &d->known.def[d->known.defs_n++];
	*u = (struct unit_def){.href = obix_hash(ref), .num = 1, .den = 1};
	if (href_resolve(&h, root_base(d), ref, NULL) == 0 && !h.fragment)
		u->key = obix_key(r->c, href_span(&h));
	el->unit_def = d->known.defs_n;
}

/* A member of a unit or of its dimension. */
static void unit_member(struct doc *d, enum obix_use use, struct span val)
{
	struct unit_def *u = NULL;
	struct decimal v;
	int64_t f = 1;

	for (unsigned i = d->depth; i > 0 && !u; i--) {
		if (d->stack[i - 1].unit_def)
			u = &d->known.def[d->stack[i - 1].unit_def - 1];
	}
	if (!u || !value_decimal(val, &v) || v.e > 15 || v.e < -15) {
		if (u)
			u->odd = true;
		return;
	}
	for (int e = v.e < 0 ? -v.e : v.e; e > 0; e--)
		f *= 10;
	if (use == USE_SCALE) {
		bool fits = v.exact && v.m > 0 &&
			    v.m < INT64_C(1000000000000) && f <= 1000000000;

		u->num = fits ? v.m * (v.e > 0 ? f : 1) : 0;
		u->den = fits && v.e < 0 ? f : 1;
		return;
	}
	u->has_dim = true;
	if (use == USE_MOL || v.e < 0 || v.m > 9 || v.m < -9 || v.e > 0)
		u->odd |= v.m != 0;
	else
		u->dim[use == USE_CD ? 5 : use - USE_KG] = (int8_t)v.m;
}

/* Known, it holds for later documents too, under its URI. */
static void unit_done(struct reader *r, uint8_t index)
{
	const struct unit_def *u = &r->d->known.def[index - 1];
	struct sizing s;
	struct learnt *l;

	if (u->href == r->d->wanted_unit)
		r->again = true;
	if (r->d->request || !key_set(u->key))
		return;
	l = learnt_stage(r->m, u->key);
	s = sizing_of_def(u);
	if (!l)
		return;
	l->has_quantity = true;
	l->quantity = s.quantity;
	l->num = s.num;
	l->den = s.den;
	l->unit = (struct span){0};
}

/* --- values
 * ---------------------------------------------------------------------- */

static void record_stamp(struct doc *d, const struct xml_tag *t)
{
	bool unbounded;

	d->has_now = value_abstime(t->at[AT_VAL], &d->now_ms, &unbounded) &&
		     !unbounded;
}

static void filter_instant(struct item *it, enum obix_use use, struct span val)
{
	int64_t ms;
	bool unbounded;

	if (!value_abstime(val, &ms, &unbounded) || unbounded)
		return;
	if (use == USE_START) {
		it->has_start = true;
		it->start = ms;
	} else {
		it->has_end = true;
		it->end = ms;
	}
}

/* What a member of a standard contract says; false: it is a value. */
static bool member(struct reader *r, struct item *it, enum obix_use use,
		   const struct xml_tag *t)
{
	struct span val = t->at[AT_VAL];
	struct decimal n;
	int64_t ms;

	switch (use) {
	case USE_STAMP:
		record_stamp(r->d, t);
		return true;
	case USE_BEGIN:
	case USE_COUNT:
	case USE_NOTHING:
		return true;
	case USE_EACH:
		/* Rolled up from one: minimum and maximum are that one. */
		if (!value_decimal(val, &n) || n.e > 9 ||
		    (n.e == 0 && n.m <= 1))
			r->d->single = true;
		return true;
	case USE_START:
	case USE_END:
		filter_instant(it, use, val);
		return true;
	case USE_LIMIT:
		it->has_limit = value_decimal(val, &n) && n.e >= 0 && n.e < 9 &&
				n.m >= 0 && n.m < 1000000;
		it->limit = it->has_limit ? (uint32_t)n.m : 0;
		for (int e = n.e; it->has_limit && e > 0; e--)
			it->limit = it->limit < UINT32_MAX / 10 ? it->limit * 10
								: UINT32_MAX;
		return true;
	case USE_INTERVAL:
		if (value_reltime(val, &ms) && ms > 0)
			it->interval_s = ms / 1000 > INT32_MAX
						 ? INT32_MAX
						 : (uint32_t)(ms / 1000);
		return true;
	default:
		return false;
	}
}

static enum obix_quantity quantity_of(enum obix_use use)
{
	switch (use) {
	case USE_DEVICE:
		return Q_DEVICE;
	case USE_HEALTH:
		return Q_HEALTH;
	case USE_ALARM:
		return Q_ALARM;
	case USE_CUSTOMER:
		return Q_CUSTOMER;
	default:
		return Q_CONFIG;
	}
}

static bool numbers(struct span s)
{
	size_t at = 0;

	return value_number_in(s, &at).n > 0;
}

/* An err may repeat the numbers of what was asked. */
static bool repeats(const struct reader *r, struct span text)
{
	size_t at = 0;
	struct span n;

	while ((n = value_number_in(text, &at)).n) {
		struct span path = r->c->path, query = r->c->query;

		if (!(path.n && memmem(path.p, path.n, n.p, n.n)) &&
		    !(query.n && memmem(query.p, query.n, n.p, n.n)))
			return false;
	}
	return true;
}

/* Text for people that holds numbers where no value does (obix.md 13.4). */
static void hidden(struct reader *r, struct item *it, const struct elem *el,
		   const struct xml_tag *t)
{
	enum obix_value v = obix_value((enum obix_el)el->el);
	bool text = numbers(t->at[AT_DISPLAY]);

	if (t->at[AT_VAL].p &&
	    (v == VALUE_NUMBER || v == VALUE_INSTANT || v == VALUE_DURATION))
		text = false; /* repeats it in words */
	if (t->at[AT_VAL].p && numbers(t->at[AT_VAL]))
		text = false; /* counted as the value is */
	if (!text && !t->other_values)
		return;
	if (el->el == EL_ERR && !t->other_values && it->err &&
	    r->d->depth == 0 && repeats(r, t->at[AT_DISPLAY]))
		return;
	it->meas |= MEAS_BIT(MEAS_UNKNOWN_TABLE);
	it->values++;
	it->unsized = true;
	it->notes++;
}

/* An unit in a facets string is that of the object it belongs to. */
static void facets(struct reader *r, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = parent_of(d);
	struct sizing s;

	if (!up || !span_is(t->at[AT_NAME], "facets"))
		return;
	s = sizing_facets(t->at[AT_VAL]);
	if (!s.sure || up->facets.sure)
		return;
	up->facets = s;
	if (up->valued && !r->second && d->known.facets_n < FACETS) {
		d->known.facet[d->known.facets_n].ordinal = up->ordinal;
		d->known.facet[d->known.facets_n++].sizing = s;
		r->again = true;
	}
}

/* A unit, once seen, holds for what names the same object later. */
static void learn_value(struct reader *r, const struct elem *up,
			const struct sizing *s, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct obix_key key = {0};
	struct learnt *l;
	struct href h;

	if (d->request)
		return;
	if (up && up->record)
		key = obix_member_key(r->c->ask->object, t->at[AT_NAME]);
	else if (t->at[AT_HREF].n &&
		 href_resolve(&h, root_base(d), t->at[AT_HREF], NULL) == 0)
		key = obix_key(r->c, href_span(&h));
	else if (d->depth == 0)
		key = r->c->ask->object;
	l = learnt_stage(r->m, key);
	if (!l)
		return;
	l->has_quantity = true;
	l->quantity = s->quantity;
	l->num = s->num;
	l->den = s->den;
	l->unit = s->unit;
}

static int value(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = parent_of(d);
	struct item *it = current(d);
	enum obix_use use =
		up ? obix_member(up->contracts, t->at[AT_NAME]) : USE_VALUE;
	struct span val = t->at[AT_VAL];
	struct sizing s;

	hidden(r, it, el, t);
	if (obix_value((enum obix_el)el->el) == VALUE_NONE)
		return 0;
	if (use >= USE_SCALE) {
		unit_member(d, use, val);
		return 0;
	}
	if (up && up->def && t->at[AT_UNIT].n)
		proto_member(r, &d->known.proto[up->def - 1], t);
	if (el->el == EL_STR && span_is(t->at[AT_NAME], "facets")) {
		facets(r, t);
		return 0;
	}
	/* Bounds without a value can be set to what it is. */
	if (!val.p)
		val = t->at[AT_MIN].p ? t->at[AT_MIN] : t->at[AT_MAX];
	if (!val.p)
		return 0;
	if (member(r, it, use, t))
		return 0;
	el->valued = true;
	if (use != USE_VALUE)
		s = (struct sizing){.quantity = (uint8_t)quantity_of(use),
				    .sure = true};
	else
		s = sizing_of(r, el, t);
	sizing_value(r, it, el, &s, val);
	if (s.sure)
		learn_value(r, up, &s, t);
	return 0;
}

/* --- items
 * ------------------------------------------------------------------------ */

/* An item of a batch: Read, Write or Invoke of its val. */
static int batch_item(struct reader *r, struct elem *el,
		      const struct xml_tag *t)
{
	const contract_set all =
		C_BIT(C_READ) | C_BIT(C_WRITE) | C_BIT(C_INVOKE);
	struct item *it = &r->d->item;
	contract_set what = el->contracts & all;
	enum obix_op op = what == C_BIT(C_READ)     ? OP_READ
			  : what == C_BIT(C_WRITE)  ? OP_WRITE
			  : what == C_BIT(C_INVOKE) ? OP_INVOKE
						    : OP_NONE;

	if (el->el != EL_URI || !t->at[AT_VAL].n || op == OP_NONE)
		return refuse(r->e, REASON_SUSPICIOUS,
			      "a batch item that servers read differently");
	item_open(it, op);
	return item_href(r, it, t->at[AT_VAL]);
}

/* What an operation in a batch does, known by its path and its argument. */
static int batch_invoke(struct reader *r, contract_set argument)
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
	return 0;
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
		it->interval_s = asked->interval_s;
		it->asked = true;
		it->written = asked->written;
		it->was_written = asked->echo;
	}
	if (asked && !t->at[AT_HREF].n) {
		memcpy(it->href[0], asked->path, asked->path_n);
		it->href_n[0] = asked->path_n;
		return 0;
	}
	if (t->at[AT_HREF].n) {
		struct obix_key object = it->object;
		int rc = item_href(r, it, t->at[AT_HREF]);

		if (asked && !key_eq(object, it->object))
			d->odd = true;
		if (asked && it->op != OP_READ)
			it->object = object;
		return rc;
	}
	return path_href(r, it);
}

static int watch_item(struct reader *r, const struct xml_tag *t)
{
	struct item *it = &r->d->item;
	int rc;

	item_open(it, (enum obix_op)r->d->op);
	it->err = t->el == EL_ERR;
	rc = item_href(r, it, t->at[r->d->request ? AT_VAL : AT_HREF]);
	it->asks_for =
		r->d->request && it->op == OP_WATCH_ADD
			? op_asks_for(r->c, OP_READ, it->object, it->object)
			: 0;
	return rc;
}

static bool is_watch(uint8_t op)
{
	return op == OP_WATCH_ADD || op == OP_WATCH_REMOVE ||
	       op == OP_WATCH_POLL;
}

/* Does an item begin with this element? */
static int item_start(struct reader *r, struct elem *el,
		      const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct elem *up = parent_of(d);
	int rc = 0;

	if (d->item.open || !up)
		return 0;
	if (d->op == OP_BATCH && up->items)
		rc = d->request ? batch_item(r, el, t) : batch_answer(r, t);
	else if (is_watch(d->op) && d->request && el->el == EL_URI &&
		 t->at[AT_VAL].n)
		rc = watch_item(r, t);
	else if (is_watch(d->op) && !d->request && up->items)
		rc = watch_item(r, t);
	el->item = d->item.open;
	if (el->item && !(d->op == OP_BATCH && d->request))
		item_is(&d->item, t->at[AT_IS]);
	return rc;
}

/* Whoever may invoke something has power over it. */
void item_command(struct item *it, bool in)
{
	if (in && it->values == 0 && !it->shown &&
	    (it->op == OP_INVOKE || it->op == OP_WRITE))
		it->meas |= MEAS_BIT(MEAS_CONTROL_LOAD);
}

static int item_end(struct reader *r)
{
	struct doc *d = r->d;
	struct item *it = &d->item;
	struct list_item *row;
	int rc;

	if (d->op == OP_BATCH && d->request) {
		if (it->op == OP_INVOKE) {
			rc = batch_invoke(r, 0);
			if (rc)
				return rc;
		}
		item_command(it, d->in);
		row = list_stage(r->m, r->c->ask);
		if (!row)
			return err_reason(r->e, E_LIMIT, REASON_TOO_MANY_UNITS,
					  0, "too many items in a batch");
		row->op = it->op;
		if (it->href_n[0] <= sizeof(row->path)) {
			memcpy(row->path, it->href[0], it->href_n[0]);
			row->path_n = (uint8_t)it->href_n[0];
		}
		row->interval_s = it->interval_s;
		row->written = it->values;
		row->echo = it->echo;
		op_ask(r->c, (enum obix_op)it->op,
		       span_of(it->href[0], it->href_n[0]), &row->object,
		       &row->watch);
		it->asks_for = op_asks_for(r->c, (enum obix_op)it->op,
					   row->object, row->watch);
	}
	rc = leaf_give(r, it);
	it->open = false;
	return rc;
}

/* --- records
 * ------------------------------------------------------------------------ */

#define RECORD                                                                 \
	(C_BIT(C_HISTORY_RECORD) | C_BIT(C_HISTORY_ROLLUP_RECORD) |            \
	 C_BIT(C_ALARM) | C_BIT(C_STATEFUL_ALARM) | C_BIT(C_ACK_ALARM) |       \
	 C_BIT(C_POINT_ALARM))
#define ALARMS                                                                 \
	(C_BIT(C_ALARM) | C_BIT(C_STATEFUL_ALARM) | C_BIT(C_ACK_ALARM) |       \
	 C_BIT(C_POINT_ALARM))

static void record_start(struct doc *d, struct elem *el)
{
	if (!(el->contracts & RECORD) || el->def)
		return;
	if (el->contracts & ALARMS) {
		el->contracts |= C_BIT(C_ALARM);
		current(d)->meas |= MEAS_BIT(MEAS_EVENT_METER);
	} else {
		d->series = true;
	}
	el->record = true;
	d->in_data = true;
	d->has_now = false;
	d->in_record = 0;
}

static void record_end(struct doc *d)
{
	struct item *it = current(d);
	int64_t gap;

	d->in_data = false;
	it->records++;
	if (d->in_record > it->channels)
		it->channels = d->in_record;
	if (!d->has_now) {
		it->unstamped = true;
		return;
	}
	if (!it->stamped || d->now_ms < it->oldest)
		it->oldest = d->now_ms;
	if (!it->stamped || d->now_ms > it->newest)
		it->newest = d->now_ms;
	it->stamped = true;
	if (d->has_last) {
		gap = d->now_ms > d->last_ms ? d->now_ms - d->last_ms
					     : d->last_ms - d->now_ms;
		if (!d->has_gap || gap < d->gap_ms)
			d->gap_ms = gap;
		d->has_gap = true;
	}
	d->last_ms = d->now_ms;
	d->has_last = true;
}

/* --- the root
 * ----------------------------------------------------------------------- */

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
	int rc = path_href(r, &d->rest);

	if (rc)
		return rc;
	rc = href_resolve(&path, span_of("/", 1), r->c->path, r->e);
	h = path;
	if (rc == 0 && ref.n)
		rc = href_resolve(&h, href_span(&path), ref, r->e);
	if (rc)
		return rc;
	wbuf_put(&w, href_span(h.fragment ? &path : &h));
	d->base = d->paths_n = (uint16_t)w.n;
	if (!same(&h, &path) && names_object(d))
		put_href(&d->rest, 1, &h);
	if (d->op == OP_WATCH_MAKE && !d->request && !d->rest.err)
		watch_stage(r->m, obix_key(r->c, href_span(&h)), false);
	return 0;
}

static int root_start(struct reader *r, struct elem *el,
		      const struct xml_tag *t)
{
	struct doc *d = r->d;
	int rc;

	d->request = r->c->request;
	d->in = r->c->dis->dir == DIR_IN;
	item_open(&d->rest, OP_NONE);
	rc = d->request ? root_request(r, el) : root_answer(r, el);
	if (rc)
		return rc;
	d->rest.op = d->op;
	item_is(&d->rest, t->at[AT_IS]);
	rc = root_href(r, t->at[AT_HREF]);
	if (rc)
		return rc;
	d->rest.object = r->c->ask->object;
	el->items = d->op == OP_BATCH && el->el != EL_ERR;
	if (d->rest.err && d->op != OP_BATCH &&
	    key_set(r->c->ask->watch)) /* expired, or never was */
		watch_stage(r->m, r->c->ask->watch, true);
	if (d->op == OP_DELETE && !d->request && !d->rest.err)
		watch_stage(r->m, r->c->ask->watch, true);
	return 0;
}

/* --- elements
 * -------------------------------------------------------------------------- */

static void inherit(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	const struct elem *up = parent_of(d);
	bool other = false;
	uint64_t name = 0;
	struct span own = t->at[AT_NAME].n ? t->at[AT_NAME]
			  : t->at[AT_DISPLAY_NAME].n
				  ? t->at[AT_DISPLAY_NAME]
				  : href_last(t->at[AT_HREF]);

	own = span_sub(own, 0, sizeof(el->name));
	el->name_n = (uint8_t)own.n;
	if (own.n)
		memcpy(el->name, own.p, own.n);
	if (t->at[AT_IS].n) {
		el->contracts = obix_contracts(t->at[AT_IS], &other);
		name = fragment_of(t->at[AT_IS]);
	}
	if (t->at[AT_OF].n) {
		el->of = obix_contracts(t->at[AT_OF], &other);
		el->of_name = fragment_of(t->at[AT_OF]);
	}
	if (up && (up->el == EL_LIST || up->el == EL_FEED)) {
		el->contracts |= up->of;
		name = name ? name : up->of_name;
	}
	if (name) {
		el->proto = proto_find(d, name);
		if (!el->proto)
			d->wanted = name;
	}
	/* `data` of a history holds its records without saying so. */
	if (up && el->el == EL_LIST && span_is(t->at[AT_NAME], "data"))
		el->of |= op_record(up->contracts);
	/* The list of a WatchOut. */
	if (up && el->el == EL_LIST && d->depth == 1 &&
	    up->contracts & C_BIT(C_WATCH_OUT))
		el->items = true;
	if (up && up->contracts & C_BIT(C_UNIT) &&
	    span_is(t->at[AT_NAME], "dimension"))
		el->contracts |= C_BIT(C_DIMENSION);
	if (up && up->contracts & C_BIT(C_WATCH) && el->el == EL_OBJ)
		el->contracts |= C_BIT(C_WATCH);
}

/* An operation that an object offers: what POST to it will do. */
static void learn_op(struct reader *r, const struct elem *el,
		     const struct xml_tag *t)
{
	struct obix_key key;
	struct learnt *l;
	struct href h;
	enum obix_op op;
	bool other = false;

	if (el->el != EL_OP || r->d->request || !t->at[AT_HREF].n ||
	    href_resolve(&h, root_base(r->d), t->at[AT_HREF], NULL) != 0)
		return;
	op = obix_asks(obix_contracts(t->at[AT_IN], &other));
	/* A Watch's operations by name: servers are careless about their
	 * arguments. */
	if (op == OP_NONE || op == OP_WATCH_ADD)
		op = obix_operation(t->at[AT_NAME]);
	if (op == OP_NONE)
		return;
	key = obix_key(r->c, href_span(&h));
	l = learnt_stage(r->m, key);
	if (l)
		l->op = (uint8_t)op;
}

static void definitions(struct reader *r, struct elem *el,
			const struct xml_tag *t)
{
	struct span href = t->at[AT_HREF];

	if (href.n && href.p[0] == '#')
		proto_define(r, el, obix_hash(href));
	if (el->contracts & C_BIT(C_UNIT) && href.n)
		unit_define(r, el, href);
	/* A unit in a facets string, found in the first reading. */
	for (unsigned i = 0; r->second && i < r->d->known.facets_n; i++) {
		if (r->d->known.facet[i].ordinal == el->ordinal)
			el->facets = r->d->known.facet[i].sizing;
	}
}

static int climb(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct href h;

	if (!t->at[AT_HREF].n || r->d->depth == 0)
		return 0;
	/* What has no normal form is nothing that a rule could name. */
	if (href_resolve(&h, near_base(r->d), t->at[AT_HREF], NULL) != 0) {
		r->d->odd = true;
		return 0;
	}
	if (!h.fragment && el->el != EL_REF && el->el != EL_OP)
		push_base(r->d, el, &h);
	return 0;
}

int doc_start(void *arg, const struct xml_tag *t, struct err *e)
{
	struct reader *r = arg;
	struct doc *d = r->d;
	struct elem *el = &d->stack[d->depth], *up = parent_of(d);
	int rc = 0;

	(void)e;
	memset(el, 0, sizeof(*el));
	el->el = (uint8_t)t->el;
	el->ordinal = ++d->ordinal;
	el->base = up ? up->base : 0;
	d->odd |= t->el == EL_UNKNOWN || t->prefixed;
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
	}
	definitions(r, el, t);
	record_start(d, el);
	learn_op(r, el, t);
	/* The uri of an item names it, and is no value. */
	if (!(el->item && d->request))
		rc = value(r, el, t);
	if (rc == 0)
		rc = climb(r, el, t);
	d->depth++;
	return rc;
}

int doc_end(void *arg, struct err *e)
{
	struct reader *r = arg;
	struct doc *d = r->d;
	struct elem *el = &d->stack[--d->depth], *up = parent_of(d);

	(void)e;
	if (el->record)
		record_end(d);
	if (el->unit_def)
		unit_done(r, el->unit_def);
	if (el->base != (up ? up->base : 0))
		d->paths_n = el->base;
	return el->item ? item_end(r) : 0;
}

/* --- the end of a unit
 * ------------------------------------------------------------------ */

int doc_unit_end(struct reader *r, uint32_t text)
{
	struct doc *d = r->d;
	struct item *rest = &d->rest;
	int rc = 0;

	if (text) {
		/* Text between elements means nothing; it may tell a lot. */
		rest->meas |= MEAS_BIT(MEAS_UNKNOWN_TABLE);
		rest->values++;
		rest->notes++;
		rest->unsized = true;
	}
	if (d->request) {
		item_command(rest, d->in);
		r->c->ask->interval_s = rest->interval_s;
		r->c->ask->written += rest->values;
		r->c->ask->echo += rest->echo;
	}
	if (d->item.open)
		rc = leaf_give(r, &d->item);
	if (rc)
		return rc;
	if (rest->meas || rest->notes || r->leaves == 0 ||
	    (!rest->shown && d->op == OP_BATCH))
		rc = leaf_give(r, rest);
	return rc;
}
