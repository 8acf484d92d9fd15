/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/state.h"

/* --- what a request does
 * --------------------------------------------------------- */

/* A path says it: what was learnt of it, else its last segment. Where that is
 * the name of two operations of the standard (10.6, 10.7) the argument says
 * which: a History's `query` and that of an AlarmSubject. */
static enum obix_op of_path(const struct obix_ctx *c, struct span path,
			    enum obix_op by_body)
{
	const struct learnt *l = learnt_find(c->m, obix_key(c, path));
	struct span last = href_last(path);

	if (l && l->op != OP_NONE)
		return (enum obix_op)l->op;
	if (by_body == OP_ALARM_QUERY && span_is(last, "query"))
		return OP_ALARM_QUERY;
	return obix_operation(last);
}

enum obix_op op_of_post(const struct obix_ctx *c, struct span path,
			contract_set body, enum obix_op *op2)
{
	enum obix_op by_body = obix_asks(body);
	enum obix_op by_path = of_path(c, path, by_body);

	*op2 = OP_NONE;
	if (by_path == OP_NONE)
		return by_body == OP_NONE ? OP_INVOKE : by_body;
	/* Removing takes the same argument as adding. */
	if (by_body == OP_NONE || by_body == by_path ||
	    (by_body == OP_WATCH_ADD && by_path == OP_WATCH_REMOVE))
		return by_path;
	*op2 = by_body;
	return by_path;
}

enum obix_op op_of_read(struct span path, struct span query)
{
	struct span last = href_last(path);

	if (query_filters(query))
		return OP_HISTORY_QUERY;
	/* A station gives histories to those who GET them. */
	if (last.n && last.p[0] == '~' && obix_operation(last) != OP_NONE)
		return obix_operation(last);
	return OP_READ;
}

enum obix_op op_of(const struct obix_ctx *c, contract_set body,
		   enum obix_op *op2)
{
	*op2 = OP_NONE;
	if (span_is(c->method, "GET") || span_is(c->method, "HEAD"))
		return op_of_read(c->path, c->query);
	if (span_is(c->method, "PUT"))
		return OP_WRITE;
	if (span_is(c->method, "DELETE"))
		return OP_DELETE;
	if (span_is(c->method, "POST"))
		return op_of_post(c, c->path, body, op2);
	return OP_NONE;
}

bool op_queries(enum obix_op op)
{
	return op == OP_HISTORY_QUERY || op == OP_HISTORY_ROLLUP ||
	       op == OP_ALARM_QUERY;
}

/* --- what goes without saying
 * ------------------------------------------------------ */

contract_set op_in(enum obix_op op)
{
	for (unsigned i = 1; i < C_COUNT; i++) {
		if (obix_asks(C_BIT(i)) == op && op != OP_WRITE &&
		    op != OP_NONE)
			return C_BIT(i);
	}
	return 0;
}

contract_set op_out(enum obix_op op)
{
	for (unsigned i = 1; i < C_COUNT; i++) {
		if (obix_answers(C_BIT(i)) == op && op != OP_NONE)
			return C_BIT(i);
	}
	return 0;
}

contract_set op_record(contract_set parent)
{
	if (parent & (C_BIT(C_HISTORY_QUERY_OUT) | C_BIT(C_HISTORY_APPEND_IN)))
		return C_BIT(C_HISTORY_RECORD);
	if (parent & C_BIT(C_HISTORY_ROLLUP_OUT))
		return C_BIT(C_HISTORY_ROLLUP_RECORD);
	if (parent & C_BIT(C_ALARM_QUERY_OUT))
		return C_BIT(C_ALARM);
	return 0;
}

enum obix_op op_answered(enum obix_op asked, contract_set answer)
{
	return asked == OP_ALARM_QUERY &&
			       obix_answers(answer) == OP_HISTORY_QUERY
		       ? OP_HISTORY_QUERY
		       : asked;
}

/* --- what an answer needs
 * ------------------------------------------------------------ */

void op_ask(const struct obix_ctx *c, enum obix_op op, struct span path,
	    struct obix_key *object, struct obix_key *watch)
{
	struct span parent = href_parent(path);

	*object = obix_key(c, path);
	*watch = (struct obix_key){0};
	switch (op) {
	case OP_WATCH_ADD:
	case OP_WATCH_REMOVE:
	case OP_WATCH_POLL:
		*watch = obix_key(c, parent);
		break;
	case OP_DELETE:
		/* The Watch itself, or its operation of that name. */
		*watch =
			obix_key(c, span_is(c->method, "POST") ? parent : path);
		break;
	case OP_HISTORY_QUERY:
	case OP_HISTORY_ROLLUP:
	case OP_ALARM_QUERY:
	case OP_HISTORY_APPEND:
		/* What is remembered belongs to what the operation is of. */
		*object = obix_key(c, parent);
		break;
	default:
		break;
	}
}

meas_set op_asks_for(const struct obix_ctx *c, enum obix_op op,
		     struct obix_key object, struct obix_key watch)
{
	const struct learnt *l;
	const struct watch *w;

	switch (op) {
	case OP_WATCH_POLL:
		w = watch_find(c->m, watch);
		return w ? w->meas : 0;
	case OP_READ:
	case OP_WATCH_ADD:
	case OP_HISTORY_QUERY:
	case OP_HISTORY_ROLLUP:
	case OP_ALARM_QUERY:
		l = learnt_find(c->m, object);
		return l ? l->meas : 0;
	default:
		return 0;
	}
}
