/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/within.h"

#include <stdio.h>

#include "policy-lang/image/view.h"

struct two { /* images */
	const struct pol_image *is, *was;
	bool by_name; /* parties that overlap are told by their names */
};

static struct two turned(const struct two *t)
{
	return (struct two){t->was, t->is, t->by_name};
}

static bool same_str(const struct pol_image *ia, uint32_t a,
		     const struct pol_image *ib, uint32_t b)
{
	return span_eq(img_str(ia, a), img_str(ib, b));
}

/* --- parties --------------------------------------------------------------- */

struct prefix {
	const uint8_t *addr;
	unsigned len, octets;
};

static size_t prefixes(const struct pol_image *im, uint32_t party,
		       struct prefix out[LAY_MAX_PREFIXES])
{
	size_t n = 0;

	for (uint32_t i = 0; i < im->n_PFX4 && n < LAY_MAX_PREFIXES; i++) {
		const struct lay_pfx4 *p = &im->PFX4[i];

		if (p->kind == LAY_OWNER_PARTY && p->owner == party)
			out[n++] = (struct prefix){p->addr, p->len, 4};
	}
	for (uint32_t i = 0; i < im->n_PFX6 && n < LAY_MAX_PREFIXES; i++) {
		const struct lay_pfx6 *p = &im->PFX6[i];

		if (p->kind == LAY_OWNER_PARTY && p->owner == party)
			out[n++] = (struct prefix){p->addr, p->len, 16};
	}
	return n;
}

static bool prefix_in(const struct prefix *a, const struct prefix *b)
{
	unsigned whole = b->len / 8, bits = b->len % 8;

	return a->octets == b->octets && a->len >= b->len &&
	       memcmp(a->addr, b->addr, whole) == 0 &&
	       (bits == 0 ||
		((a->addr[whole] ^ b->addr[whole]) >> (8 - bits)) == 0);
}

static bool addresses_in(const struct pol_image *ia, uint32_t a,
			 const struct pol_image *ib, uint32_t b)
{
	struct prefix x[LAY_MAX_PREFIXES], y[LAY_MAX_PREFIXES];
	size_t n = prefixes(ia, a, x), m = prefixes(ib, b, y);

	for (size_t i = 0; m && i < n; i++) {
		bool in = false;

		for (size_t k = 0; k < m; k++)
			in |= prefix_in(&x[i], &y[k]);
		if (!in)
			return false;
	}
	return m == 0 || n > 0;
}

static bool ports_in(const struct pol_image *ia, const struct lay_party *a,
		     const struct pol_image *ib, const struct lay_party *b)
{
	for (uint32_t i = 0; b->port_n && i < a->port_n; i++) {
		const struct lay_port *x = &ia->PORT[a->port_first + i];
		bool in = false;

		for (uint32_t k = 0; k < b->port_n; k++) {
			const struct lay_port *y = &ib->PORT[b->port_first + k];

			in |= x->proto == y->proto && x->lo >= y->lo &&
			      x->hi <= y->hi;
		}
		if (!in)
			return false;
	}
	return b->port_n == 0 || a->port_n > 0;
}

static bool names_in(const struct pol_image *ia, uint32_t a, uint32_t n,
		     const struct pol_image *ib, uint32_t b, uint32_t m)
{
	for (uint32_t i = 0; m && i < n; i++) {
		bool in = false;

		for (uint32_t k = 0; k < m; k++)
			in |= same_str(ia, ia->LIST[a + i], ib,
				       ib->LIST[b + k]);
		if (!in)
			return false;
	}
	return m == 0 || n > 0;
}

static bool pins_in(const struct pol_image *ia, const struct lay_party *a,
		    const struct pol_image *ib, const struct lay_party *b)
{
	for (uint32_t i = 0; b->pin_n && i < a->pin_n; i++) {
		bool in = false;

		for (uint32_t k = 0; k < b->pin_n; k++)
			in |= memcmp(ia->BLOB + a->pin_off + 32 * i,
				     ib->BLOB + b->pin_off + 32 * k, 32) == 0;
		if (!in)
			return false;
	}
	return b->pin_n == 0 || a->pin_n > 0;
}

static bool tls_in(const struct pol_image *ia, const struct lay_party *a,
		   const struct pol_image *ib, const struct lay_party *b)
{
	return !(b->flags & LAY_PARTY_TLS) ||
	       (a->flags == b->flags &&
		names_in(ia, a->tls_first, a->tls_n, ib, b->tls_first,
			 b->tls_n) &&
		pins_in(ia, a, ib, b));
}

/* Whoever is a is b, and a ceiling that picks a picks b. */
static bool party_in(const struct pol_image *ia, uint32_t x,
		     const struct pol_image *ib, uint32_t y)
{
	const struct lay_party *a = &ia->PRTY[x], *b = &ib->PRTY[y];

	return a->role == b->role && same_str(ia, a->vm, ib, b->vm) &&
	       same_str(ia, a->operator_, ib, b->operator_) &&
	       same_str(ia, a->country, ib, b->country) &&
	       (!b->dns || same_str(ia, a->dns, ib, b->dns)) &&
	       (b->oid_n == 0 ||
		span_eq(span_of(ia->BLOB + a->oid_off, a->oid_n),
			span_of(ib->BLOB + b->oid_off, b->oid_n))) &&
	       addresses_in(ia, x, ib, y) && ports_in(ia, a, ib, b) &&
	       tls_in(ia, a, ib, b);
}

/* Of parties that overlap the narrower one counts: where one of them shrinks,
 * the other grows. */
static bool overlap(const struct pol_image *im, uint32_t a, uint32_t b)
{
	struct prefix x[LAY_MAX_PREFIXES], y[LAY_MAX_PREFIXES];
	size_t n, m;

	if (im->PRTY[a].vm || im->PRTY[b].vm)
		return im->PRTY[a].vm == im->PRTY[b].vm;
	n = prefixes(im, a, x);
	m = prefixes(im, b, y);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m; k++) {
			if (prefix_in(&x[i], &y[k]) || prefix_in(&y[k], &x[i]))
				return true;
		}
	}
	return n == 0 || m == 0;
}

static bool apart(const struct pol_image *im)
{
	for (uint32_t i = 1; i < im->n_PRTY; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (overlap(im, i, k))
				return false;
		}
	}
	return true;
}

/* Sorted by name, so that places agree. */
static bool same_parties(const struct pol_image *a, const struct pol_image *b)
{
	for (uint32_t i = 0; a->n_PRTY == b->n_PRTY && i < a->n_PRTY; i++) {
		if (!same_str(a, a->PRTY[i].id, b, b->PRTY[i].id) ||
		    !party_in(a, i, b, i) || !party_in(b, i, a, i))
			return false;
	}
	return a->n_PRTY == b->n_PRTY;
}

static bool one_in(const struct two *t, uint32_t a, uint32_t b)
{
	return t->by_name ? same_str(t->is, t->is->PRTY[a].id, t->was,
				     t->was->PRTY[b].id)
			  : party_in(t->is, a, t->was, b);
}

/* --- selectors --------------------------------------------------------------- */

static bool picks(const struct lay_sel *s, uint32_t party)
{
	return s->flags & LAY_SEL_ANY_PARTY || s->parties >> party & 1;
}

/* By role, country and operator: does b select whoever a does? */
static bool kinds_in(const struct pol_image *ia, const struct lay_sel *a,
		     const struct pol_image *ib, const struct lay_sel *b)
{
	return (b->roles == 0 || (a->roles && !(a->roles & ~b->roles))) &&
	       names_in(ia, a->country_first, a->country_n, ib,
			b->country_first, b->country_n) &&
	       names_in(ia, a->op_first, a->op_n, ib, b->op_first, b->op_n);
}

static bool machines_in(const struct pol_image *ia, const struct lay_sel *a,
			const struct pol_image *ib, const struct lay_sel *b)
{
	return b->flags & LAY_SEL_ANY_VM ||
	       (!(a->flags & LAY_SEL_ANY_VM) &&
		names_in(ia, a->vm_first, a->vm_n, ib, b->vm_first, b->vm_n));
}

/* Is what a of the new image selects selected by b of the old one? */
static bool selected(const struct two *t, const struct lay_sel *a,
		     const struct lay_sel *b)
{
	if (b->flags & LAY_SEL_ANY_PARTY)
		return true;
	if (a->flags & LAY_SEL_ANY_PARTY)
		return false;
	for (uint32_t i = 0; i < t->is->n_PRTY; i++) {
		bool in = !picks(a, i);

		for (uint32_t k = 0; k < t->was->n_PRTY && !in; k++)
			in = picks(b, k) && one_in(t, i, k);
		if (!in)
			return false;
	}
	if (a->parties || b->parties)
		return a->parties && b->parties;
	return kinds_in(t->is, a, t->was, b);
}

/* Does a of the new image select every party there that b of the old one did?
 * Whoever is no party any more gets nothing anyway. */
static bool still(const struct two *t, const struct lay_sel *a,
		  const struct lay_sel *b)
{
	if (a->flags & LAY_SEL_ANY_PARTY)
		return true;
	if (!a->parties && !b->parties)
		return !(b->flags & LAY_SEL_ANY_PARTY) &&
		       kinds_in(t->was, b, t->is, a);
	for (uint32_t i = 0; i < t->is->n_PRTY; i++) {
		for (uint32_t k = 0; k < t->was->n_PRTY; k++) {
			if (picks(b, k) && one_in(t, i, k) && !picks(a, i))
				return false;
		}
	}
	return true;
}

/* --- columns ------------------------------------------------------------------ */

struct cols {
	uint32_t from, to;
};

static struct cols cols_of(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner)
{
	struct cols c = {im->col_at[type], im->col_at[type]};

	for (uint32_t i = c.from; i < im->col_at[type + 1]; i++) {
		if (im->COLS[i].owner < owner)
			c.from = i + 1;
		if (im->COLS[i].owner <= owner)
			c.to = i + 1;
	}
	return c;
}

/* Is every column of a within one of b? Grants, and what sets a state. */
static bool cols_in(const struct two *t, struct cols a, struct cols b)
{
	for (uint32_t i = a.from; i < a.to; i++) {
		const struct lay_sel *x = &t->is->SELS[t->is->COLS[i].sel];
		bool in = false;

		for (uint32_t k = b.from; k < b.to && !in; k++) {
			const struct lay_sel *y =
				&t->was->SELS[t->was->COLS[k].sel];

			in = selected(t, x, y) &&
			     machines_in(t->is, x, t->was, y) &&
			     within_match(t->is, i, t->was, k);
		}
		if (!in)
			return false;
	}
	return a.from < a.to;
}

/* Does a of the new image take whatever b of the old one took? Denials and
 * limits. */
static bool cols_over(const struct two *t, struct cols a, struct cols b)
{
	for (uint32_t k = b.from; k < b.to; k++) {
		const struct lay_sel *y = &t->was->SELS[t->was->COLS[k].sel];
		bool over = false;

		for (uint32_t i = a.from; i < a.to && !over; i++) {
			const struct lay_sel *x =
				&t->is->SELS[t->is->COLS[i].sel];

			over = still(t, x, y) &&
			       machines_in(t->was, y, t->is, x) &&
			       within_match(t->was, k, t->is, i);
		}
		if (!over)
			return false;
	}
	return true;
}

/* --- limits ---------------------------------------------------------------------- */

static bool action_in(uint8_t a, int64_t a_ns, uint8_t b, int64_t b_ns)
{
	/* What is held back passes later. */
	return a != ACTION_DEFER || (b == ACTION_DEFER && a_ns <= b_ns);
}

static bool tighter(const struct lay_limit *a, const struct lay_limit *b)
{
	if (a->kind != b->kind || a->thing != b->thing ||
	    a->distinct != b->distinct)
		return false;
	if (a->kind == LIMIT_SPACING)
		return a->window_ns >= b->window_ns;
	return a->window == b->window && a->window_ns == b->window_ns &&
	       a->n <= b->n && a->burst <= b->burst;
}

static bool limits_in(const struct pol_image *ia, const struct lay_rule *a,
		      const struct pol_image *ib, const struct lay_rule *b)
{
	for (uint32_t k = 0; k < b->limit_n; k++) {
		bool in = false;

		for (uint32_t i = 0; i < a->limit_n; i++)
			in |= tighter(&ia->LIMT[a->limit_first + i],
				      &ib->LIMT[b->limit_first + k]);
		if (!in)
			return false;
	}
	return true;
}

static bool top_level(const struct lay_limit *l)
{
	return l->rule == LAY_NONE && !(l->flags & LAY_LIMIT_FLOOR);
}

static bool top_in(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_limit *a = &t->is->LIMT[x], *b = &t->was->LIMT[y];

	return top_level(a) && cols_over(t, cols_of(t->is, COL_LIMIT, x),
					 cols_of(t->was, COL_LIMIT, y)) &&
	       (a->meas == 0 || (b->meas && !(b->meas & ~a->meas))) &&
	       !(a->each & ~b->each) && tighter(a, b) &&
	       action_in(a->action, a->action_ns, b->action, b->action_ns);
}

/* --- guards ------------------------------------------------------------------------ */

static bool value_in(const struct lay_data *a, const struct lay_data *b)
{
	bool res = a->flags & LAY_DATA_RES, value = a->flags & LAY_DATA_VALUE;

	if (b->flags & LAY_DATA_RES &&
	    (!res || a->res_unit != b->res_unit ||
	     a->res_milli % (b->res_milli ? b->res_milli : 1) != 0))
		return false;
	return !(b->flags & LAY_DATA_VALUE) ||
	       (value && a->value_unit == b->value_unit &&
		a->value_lo >= b->value_lo && a->value_hi <= b->value_hi);
}

static bool gran_in(const struct lay_data *a, const struct lay_data *b)
{
	return !(b->flags & LAY_DATA_GRAN) ||
	       (a->flags & LAY_DATA_GRAN && a->gran_lo >= b->gran_lo &&
		(!b->gran_hi || (a->gran_hi && a->gran_hi <= b->gran_hi)));
}

static bool data_in(const struct pol_image *ia, uint32_t x,
		    const struct pol_image *ib, uint32_t y)
{
	const struct lay_data *a, *b;

	if (x == LAY_NONE || y == LAY_NONE)
		return x == y;
	a = &ia->DATA[x];
	b = &ib->DATA[y];
	return !(a->meas & ~b->meas) && gran_in(a, b) && value_in(a, b) &&
	       (!(b->flags & LAY_DATA_HISTORY) ||
		(a->flags & LAY_DATA_HISTORY && a->history <= b->history)) &&
	       (!(b->flags & LAY_DATA_DELAY) ||
		(a->flags & LAY_DATA_DELAY && a->delay >= b->delay)) &&
	       (!(b->flags & LAY_DATA_CHANNELS) ||
		(a->flags & LAY_DATA_CHANNELS && a->channels <= b->channels));
}

static bool when_in(const struct lay_guard *a, const struct lay_guard *b)
{
	if (!(b->flags & LAY_GUARD_WHEN))
		return true;
	if (!(a->flags & LAY_GUARD_WHEN) || a->spread != b->spread ||
	    (b->days && (!a->days || a->days & ~b->days)))
		return false;
	return !(b->flags & LAY_GUARD_BETWEEN) ||
	       (a->flags & LAY_GUARD_BETWEEN && a->from_min == b->from_min &&
		a->to_min == b->to_min);
}

/* Set less often, not longer, and cleared as often. */
static bool state_in(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_state *a = &t->is->STAT[x], *b = &t->was->STAT[y];

	return a->scope == b->scope && a->expires <= b->expires &&
	       cols_in(t, cols_of(t->is, COL_SET, x),
		       cols_of(t->was, COL_SET, y)) &&
	       cols_over(t, cols_of(t->is, COL_CLEAR, x),
			 cols_of(t->was, COL_CLEAR, y));
}

/* Names do not count (19.4): only where both files have one is it the same
 * thing that is meant; what has another name is found by what it does. */
static bool state_called(const struct pol_image *im, struct span id)
{
	bool is = false;

	for (uint32_t i = 0; i < im->n_STAT; i++)
		is |= span_eq(img_str(im, im->STAT[i].id), id);
	return is;
}

static bool rule_called(const struct pol_image *im, struct span id)
{
	bool is = false;

	for (uint32_t i = 0; i < im->n_RULE; i++)
		is |= span_eq(img_str(im, im->RULE[i].id), id);
	return is;
}

static bool state_meant(const struct two *t, uint32_t i, uint32_t k)
{
	struct span a = img_str(t->is, t->is->STAT[i].id);
	struct span b = img_str(t->was, t->was->STAT[k].id);

	return span_eq(a, b) ||
	       (!state_called(t->was, a) && !state_called(t->is, b));
}

/* A rule that is answered: what it lets pass must be within what it was. */
static bool rule_meant(const struct two *t, uint32_t i, uint32_t k)
{
	struct span a = img_str(t->is, t->is->RULE[i].id);
	struct span b = img_str(t->was, t->was->RULE[k].id);

	return (span_eq(a, b) ||
		(!rule_called(t->was, a) && !rule_called(t->is, b))) &&
	       cols_in(t, cols_of(t->is, COL_GRANT, i),
		       cols_of(t->was, COL_GRANT, k));
}

/* Every state of b's list is in a's, and is the same or set less. */
static bool states_in(const struct two *t, uint64_t a, uint64_t b,
		      bool required)
{
	const struct two back = turned(t);

	for (uint64_t y = b; y; y &= y - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(y);
		bool in = false;

		for (uint64_t x = a; x && !in; x &= x - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(x);

			in = state_meant(t, i, k) &&
			     (required ? state_in(t, i, k)
				       : state_in(&back, k, i));
		}
		if (!in)
			return false;
	}
	return true;
}

static bool answers_in(const struct two *t, const struct lay_guard *a,
		       const struct lay_guard *b)
{
	if (!(b->flags & LAY_GUARD_ANSWERS))
		return true;
	for (uint32_t i = 0; i < t->is->n_RULE; i++) {
		bool in = !(a->answers[i / 64] >> (i % 64) & 1);

		for (uint32_t k = 0; k < t->was->n_RULE && !in; k++)
			in = b->answers[k / 64] >> (k % 64) & 1 &&
			     rule_meant(t, i, k);
		if (!in)
			return false;
	}
	return a->flags & LAY_GUARD_ANSWERS;
}

static bool guards_in(const struct two *t, uint32_t x, uint32_t y)
{
	static const struct lay_guard none;
	const struct lay_guard *a = x == LAY_NONE ? &none : &t->is->GARD[x];
	const struct lay_guard *b = y == LAY_NONE ? &none : &t->was->GARD[y];

	return when_in(a, b) && answers_in(t, a, b) &&
	       !(b->requires_builtin & ~a->requires_builtin) &&
	       !(b->forbids_builtin & ~a->forbids_builtin) &&
	       states_in(t, a->requires_, b->requires_, true) &&
	       states_in(t, a->forbids, b->forbids, false);
}

/* --- rules -------------------------------------------------------------------------- */

static bool is_grant(const struct lay_rule *r)
{
	return r->kind == RULE_GRANT || r->kind == RULE_CEILING;
}

static bool grant_in(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_rule *a = &t->is->RULE[x], *b = &t->was->RULE[y];

	return is_grant(b) && a->consent >= b->consent &&
	       (b->consent <= CONSENT_NONE ||
		same_str(t->is, a->id, t->was, b->id)) &&
	       data_in(t->is, a->data, t->was, b->data) &&
	       guards_in(t, a->guard, b->guard) &&
	       limits_in(t->is, a, t->was, b) &&
	       action_in(a->action, a->action_ns, b->action, b->action_ns) &&
	       (!a->monitor_until || a->monitor_until <= b->monitor_until) &&
	       cols_in(t, cols_of(t->is, COL_GRANT, x),
		       cols_of(t->was, COL_GRANT, y));
}

/* Does denial a of the new image cover denial b of the old one? */
static bool denies(const struct two *t, uint32_t x, uint32_t y)
{
	return t->is->RULE[x].kind == RULE_DENY &&
	       cols_over(t, cols_of(t->is, COL_DENY, x),
			 cols_of(t->was, COL_DENY, y));
}

static bool some_grant(const struct two *t, uint32_t x)
{
	for (uint32_t k = 0; k < t->was->n_RULE; k++) {
		if (grant_in(t, x, k))
			return true;
	}
	return false;
}

static bool denials_in(const struct two *t, char *why, size_t cap)
{
	for (uint32_t k = 0; k < t->was->n_RULE; k++) {
		bool in = t->was->RULE[k].kind != RULE_DENY;

		for (uint32_t i = 0; i < t->is->n_RULE && !in; i++)
			in = denies(t, i, k);
		if (!in) {
			snprintf(why, cap, "the denial '%s' is gone, or less",
				 t->was->STRS + t->was->RULE[k].id);
			return false;
		}
	}
	return true;
}

static bool rules_in(const struct two *t, char *why, size_t cap)
{
	for (uint32_t i = 0; i < t->is->n_RULE; i++) {
		if (is_grant(&t->is->RULE[i]) && !some_grant(t, i)) {
			snprintf(why, cap, "'%s' is within no rule there was",
				 t->is->STRS + t->is->RULE[i].id);
			return false;
		}
	}
	return denials_in(t, why, cap);
}

static bool tops_in(const struct two *t, char *why, size_t cap)
{
	for (uint32_t k = 0; k < t->was->n_LIMT; k++) {
		bool in = !top_level(&t->was->LIMT[k]);

		for (uint32_t i = 0; i < t->is->n_LIMT && !in; i++)
			in = top_in(t, i, k);
		if (!in) {
			snprintf(why, cap, "the limit '%s' is gone, or less",
				 t->was->STRS + t->was->LIMT[k].id);
			return false;
		}
	}
	return true;
}

static struct two pair(const struct pol_image *is, const struct pol_image *was)
{
	return (struct two){is, was, !apart(is) || !apart(was)};
}

static bool whole_in(const struct two *t, char *why, size_t cap)
{
	const struct pol_image *is = t->is, *was = t->was;

	if (pol_image_kind(is) != pol_image_kind(was) ||
	    !span_eq(pol_image_vm(is), pol_image_vm(was))) {
		snprintf(why, cap, "it is about something else");
		return false;
	}
	if (is->META->monitor_until > was->META->monitor_until) {
		snprintf(why, cap, "it is on trial for longer");
		return false;
	}
	if (t->by_name && !same_parties(is, was)) {
		snprintf(why, cap, "parties that overlap are others");
		return false;
	}
	return true;
}

bool pol_within(const struct pol_image *is, const struct pol_image *was,
		char *why, size_t cap)
{
	const struct two t = pair(is, was);

	return whole_in(&t, why, cap) && rules_in(&t, why, cap) &&
	       tops_in(&t, why, cap);
}

bool pol_within_rule(const struct pol_image *is, uint32_t rule,
		     const struct pol_image *was)
{
	const struct two t = pair(is, was);
	bool in = false;
	char why[200];

	for (uint32_t k = 0; k < was->n_RULE && !in; k++)
		in = same_str(is, is->RULE[rule].id, was, was->RULE[k].id) &&
		     grant_in(&t, rule, k);
	return in && whole_in(&t, why, sizeof(why)) &&
	       denials_in(&t, why, sizeof(why)) &&
	       tops_in(&t, why, sizeof(why));
}

bool pol_within_grant(const struct pol_image *is, uint32_t rule,
		      const struct pol_image *was)
{
	const struct two t = pair(is, was);

	return (!t.by_name || same_parties(is, was)) && some_grant(&t, rule);
}
