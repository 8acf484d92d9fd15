/* SPDX-License-Identifier: Apache-2.0 */
/* Containment of what is not a rule that grants: a baseline's minima, what a
 * customer restricts and answers, a binding. */
#include "policy-lang/analysis/within_parts.h"

/* --- the baseline ------------------------------------------------------------
 */

/* Does some row of a ask for as much of this measurement? */
static bool asks(const struct pol_image *a, const struct lay_consent *c,
		 unsigned meas)
{
	for (uint32_t i = 0; i < a->n_CONS; i++) {
		const struct lay_consent *x = &a->CONS[i];

		if (x->meas >> meas & 1 && x->finer_than >= c->finer_than &&
		    x->minimum >= c->minimum)
			return true;
	}
	return false;
}

static bool minima_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t k = 0; k < t->was->n_CONS && within_more(t, all); k++) {
		const struct lay_consent *c = &t->was->CONS[k];
		uint64_t m = c->meas;

		while (m && asks(t->is, c, (unsigned)__builtin_ctzll(m)))
			m &= m - 1;
		if (m)
			all = within_no(why, cap,
					"the consent rule '%s' is gone, or "
					"asks less",
					t->was->STRS + c->id);
	}
	return all;
}

/* A message is counted by the first floor of its machine that has all that it
 * carries (eval/look.c). Machines are those of a name, as the binding's are
 * found. */
static bool holds_all(const struct pol_image *im, uint32_t before,
		      const struct pol_image *of, uint32_t vm, meas_set meas)
{
	for (uint32_t i = 0; i < before; i++) {
		if (!(meas & ~im->FLOR[i].meas) &&
		    within_str(im, im->FLOR[i].vm, of, vm))
			return true;
	}
	return false;
}

/* Does new floor i count something that old floor k did? If so, then what they
 * have in common. */
static bool counts_of(const struct two *t, uint32_t i, uint32_t k)
{
	const struct lay_floor *a = &t->is->FLOR[i], *b = &t->was->FLOR[k];
	meas_set both = a->meas & b->meas;

	return both && within_str(t->is, a->vm, t->was, b->vm) &&
	       !holds_all(t->is, i, t->is, a->vm, both) &&
	       !holds_all(t->was, k, t->is, a->vm, both);
}

/* Whatever a floor counts, the customer may not cut what it is of. Where it is
 * of more, another of its types may be left; where it is of less, none of those
 * may be that were. So only one of the same types asked for as much. */
static bool kept_before(const struct two *t, const struct lay_floor *f)
{
	for (uint32_t k = 0; k < t->was->n_FLOR; k++) {
		const struct lay_floor *o = &t->was->FLOR[k];

		if (o->meas == f->meas &&
		    within_str(t->was, o->vm, t->is, f->vm) &&
		    within_tighter(&t->is->LIMT[f->limit],
				   &t->was->LIMT[o->limit]))
			return true;
	}
	return false;
}

static bool floor_in(const struct two *t, uint32_t i)
{
	const struct pol_image *is = t->is, *was = t->was;
	const struct lay_floor *f = &is->FLOR[i];

	if (!kept_before(t, f))
		return false;
	if (holds_all(is, i, is, f->vm, f->meas))
		return true; /* it counts nothing */
	for (uint32_t k = 0; k < was->n_FLOR; k++) {
		bool in = !counts_of(t, i, k) ||
			  within_tighter(&is->LIMT[f->limit],
					 &was->LIMT[was->FLOR[k].limit]);

		/* One budget is not several. */
		for (uint32_t j = 0; j < i && in; j++)
			in = !counts_of(t, i, k) || !counts_of(t, j, k);
		if (!in)
			return false;
	}
	return true;
}

static bool floor_said(const struct pol_image *is, uint32_t i, char *why,
		       size_t cap)
{
	return within_no(why, cap, "the floor '%s' is new, or keeps more",
			 is->STRS + is->FLOR[i].id);
}

/* A floor passes in quarantine, from an expired policy, and whatever the
 * customer says. */
static bool floors_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t i = 0; i < t->is->n_FLOR && within_more(t, all); i++) {
		if (!floor_in(t, i))
			all = floor_said(t->is, i, why, cap);
	}
	return all;
}

static bool gate_said(char *why, size_t cap)
{
	return within_no(why, cap,
			 "more may be widened without the customer, or sooner");
}

static bool gate_in(const struct two *t, char *why, size_t cap)
{
	const struct lay_meta *a = t->is->META, *b = t->was->META;
	bool in = a->widening_notice <= 0 ||
		  (b->widening_notice > 0 &&
		   a->widening_notice >= b->widening_notice &&
		   !(a->widening_roles & ~b->widening_roles));

	return in || gate_said(why, cap);
}

bool within_baseline(const struct two *t, char *why, size_t cap)
{
	bool all = minima_in(t, why, cap);

	if (within_more(t, all))
		all &= floors_in(t, why, cap);
	if (within_more(t, all))
		all &= gate_in(t, why, cap);
	return all;
}

bool pol_within_first(const struct pol_image *is, char *why, size_t cap)
{
	bool all = true;

	if (cap)
		why[0] = 0;
	for (uint32_t i = 0; i < is->n_FLOR; i++)
		all = floor_said(is, i, why, cap);
	if (is->META->widening_notice > 0)
		all = gate_said(why, cap);
	return all;
}

/* --- the customer
 * -------------------------------------------------------------- */

/* Does restriction x of the new file refuse whatever y of the old one did? */
static bool restricts(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_rule *a = &t->is->RULE[x], *b = &t->was->RULE[y];
	const struct lay_data *p, *q;

	if (!within_over(t, within_cols_of(t->is, COL_RESTRICT, x),
			 within_cols_of(t->was, COL_RESTRICT, y)))
		return false;
	/* Of some measurements only: of those at least. */
	if (a->data != LAY_NONE &&
	    (b->data == LAY_NONE ||
	     t->was->DATA[b->data].meas & ~t->is->DATA[a->data].meas))
		return false;
	if (a->flags & LAY_RULE_BLOCK)
		return true;
	p = a->data == LAY_NONE ? NULL : &t->is->DATA[a->data];
	q = b->data == LAY_NONE ? NULL : &t->was->DATA[b->data];
	return !(b->flags & LAY_RULE_BLOCK) &&
	       (!q ||
		(p ? within_data(p, q) : !(q->flags & ~LAY_DATA_CHANNELS))) &&
	       within_when(t, a, b) && within_limits(t->is, a, t->was, b);
}

static bool some_restriction(const struct two *t, uint32_t y)
{
	for (uint32_t i = 0; i < t->is->n_RULE; i++) {
		if (restricts(t, i, y))
			return true;
	}
	return false;
}

bool pol_within_restriction(const struct pol_image *is, uint32_t rule,
			    const struct pol_image *was, uint32_t old)
{
	struct two t;
	bool in = within_open(&t, is, was) && restricts(&t, rule, old);

	within_close(&t);
	return in;
}

/* Refused, nothing said (which a rule with opt-out takes for yes), granted. */
static int answer(const struct pol_image *im, struct span policy,
		  struct span rule)
{
	for (uint32_t i = 0; i < im->n_ANSW; i++) {
		if (span_eq(img_str(im, im->ANSW[i].policy), policy) &&
		    span_eq(img_str(im, im->ANSW[i].rule), rule))
			return im->ANSW[i].granted ? 2 : 0;
	}
	return 1;
}

/* Each once: of the old file only what the new one does not answer. */
static bool answers_of(const struct two *t, const struct pol_image *im,
		       char *why, size_t cap)
{
	bool all = true;

	for (uint32_t i = 0; i < im->n_ANSW && within_more(t, all); i++) {
		struct span p = img_str(im, im->ANSW[i].policy);
		struct span r = img_str(im, im->ANSW[i].rule);

		if (answer(t->is, p, r) > answer(t->was, p, r) &&
		    (im == t->is || answer(t->is, p, r) == 1))
			all = within_no(why, cap,
					"%.*s/%.*s: the answer gives more",
					(int)p.n, (const char *)p.p, (int)r.n,
					(const char *)r.p);
	}
	return all;
}

bool within_customer(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t k = 0; k < t->was->n_RULE && within_more(t, all); k++) {
		if (!some_restriction(t, k))
			all = within_no(why, cap,
					"the restriction '%s' is gone, or less",
					t->was->STRS + t->was->RULE[k].id);
	}
	if (within_more(t, all))
		all &= answers_of(t, t->is, why, cap);
	if (within_more(t, all))
		all &= answers_of(t, t->was, why, cap);
	return all;
}

/* --- the binding
 * ----------------------------------------------------------------- */

static const uint8_t *key_of(const struct pol_image *im, uint32_t name)
{
	for (uint32_t i = 0; i < im->n_KEYS; i++) {
		if (within_str(im, im->KEYS[i].id, im, name))
			return im->KEYS[i].ed25519;
	}
	return NULL;
}

static bool same_key(const struct pol_image *ia, uint32_t a,
		     const struct pol_image *ib, uint32_t b)
{
	const uint8_t *x = key_of(ia, a), *y = key_of(ib, b);

	return x && y ? memcmp(x, y, sizeof(ia->KEYS->ed25519)) == 0 : x == y;
}

/* What a machine is known by. Another is neither more nor less. */
static bool same_machine(const struct two *t, uint32_t i, uint32_t k)
{
	const struct lay_vm *a = &t->is->VMS[i], *b = &t->was->VMS[k];

	return within_str(t->is, a->iface, t->was, b->iface) &&
	       within_str(t->is, a->policy, t->was, b->policy) &&
	       same_key(t->is, a->signed_by, t->was, b->signed_by) &&
	       a->has_mac == b->has_mac &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
	       within_same_prefixes(t->is, t->was, LAY_OWNER_VM, i, k);
}

/* Or n_VMS. */
static uint32_t bound_as(const struct pol_image *im, struct span id)
{
	uint32_t k = 0;

	while (k < im->n_VMS && !span_eq(img_str(im, im->VMS[k].id), id))
		k++;
	return k;
}

static bool machine_in(const struct two *t, uint32_t i, char *why, size_t cap)
{
	const struct lay_vm *a = &t->is->VMS[i], *b;
	const char *id = t->is->STRS + a->id;
	uint32_t k = bound_as(t->was, img_str(t->is, a->id));

	if (k == t->was->n_VMS)
		return within_no(why, cap, "machine '%s' is new", id);
	b = &t->was->VMS[k];
	if (!same_machine(t, i, k))
		return within_no(why, cap,
				 "machine '%s' is known by other things", id);
	/* Required is the least of them. */
	if (a->attestation > b->attestation ||
	    a->attestation_max > b->attestation_max)
		return within_no(why, cap, "machine '%s' has to attest less",
				 id);
	return true;
}

/* What intervals a meter has, and when its days and bills begin, is no scale:
 * every figure hangs on it. */
static bool same_meter(const struct two *t)
{
	const struct lay_meta *a = t->is->META, *b = t->was->META;

	return within_str(t->is, a->meter_id, t->was, b->meter_id) &&
	       within_str(t->is, a->timezone, t->was, b->timezone) &&
	       a->billing_day == b->billing_day && a->profile == b->profile &&
	       a->register_res == b->register_res && a->n_lp == b->n_lp &&
	       a->n_mfg == b->n_mfg &&
	       memcmp(a->lp, b->lp, sizeof(a->lp)) == 0 &&
	       memcmp(a->mfg, b->mfg, sizeof(a->mfg)) == 0;
}

bool within_binding(const struct two *t, char *why, size_t cap)
{
	bool all = same_meter(t) ||
		   within_no(why, cap,
			     "the meter's profile, zone or billing day is "
			     "another");

	for (uint32_t i = 0; i < t->is->n_VMS && within_more(t, all); i++)
		all &= machine_in(t, i, why, cap);
	return all;
}

bool pol_within_gone(const struct pol_image *is, const struct pol_image *was,
		     const struct pol_image *vendor, char *why, size_t cap)
{
	struct span id = pol_image_id(vendor);
	bool all = true;

	/* Without its machine a policy lets nothing pass. */
	if (bound_as(is, pol_image_vm(vendor)) == is->n_VMS)
		return true;
	for (uint32_t k = 0; k < was->n_VMS; k++) {
		struct span vm = img_str(was, was->VMS[k].id);

		if (bound_as(is, vm) < is->n_VMS)
			continue;
		for (uint32_t p = 0; p < vendor->n_PRTY; p++) {
			const struct lay_party *x = &vendor->PRTY[p];

			if (x->vm || !within_prefixes_meet(was, LAY_OWNER_VM, k,
							   vendor,
							   LAY_OWNER_PARTY, p))
				continue;
			all = within_no(why, cap,
					"machine '%.*s' is gone, and party "
					"'%s' of %.*s may be at its address",
					(int)vm.n, (const char *)vm.p,
					vendor->STRS + x->id, (int)id.n,
					(const char *)id.p);
		}
	}
	return all;
}
