/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/analysis/bound_parts.h"

static bool is_sealed(const struct bound_way *w)
{
	return w->sealed;
}

/* On trial it may have none as well. */
static bool is_other(const struct bound_way *w)
{
	return w->meas == 0 || w->rule == BOUND_NO_RULE;
}

static uint64_t octets_of(const struct bound *b,
			  const struct bound_recipient *r, enum most_span s,
			  bool (*is)(const struct bound_way *w))
{
	struct bound_in in = {.span = s, .brought = true};
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_way; i++) {
		if (is(&r->way[i]))
			sum = most_add(sum,
				       bound_way_most(b, &r->way[i], 0,
						      THING_BYTES, in));
	}
	return least(sum, r->bytes[s]);
}

/* As part of what all of its kind are together. */
static char grade_with(const struct bound_flow *f, int64_t together)
{
	char g = bound_grade(together);

	return bound_use(f->meas) && meas_class(f->meas) != MEAS_CLASS_SERIES &&
			       g > f->with_grade
		       ? g
		       : f->with_grade;
}

/* together: of the snapshots that show use. */
static void fill_times(struct bound_recipient *r, int64_t together)
{
	bool fine = false, series = false, late = true, late_series = true;
	int64_t finest = INT64_MAX;

	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];
		bool is = meas_class(f->meas) == MEAS_CLASS_SERIES;
		char g = grade_with(f, together);

		if (g >= 'C' && g <= 'F') {
			fine = true;
			r->live |= f->delay_ns < HOUR_NS;
			late &= f->delay_ns >= MOST_DAY_NS;
		}
		if (is) {
			series = true;
			late_series &= f->delay_ns >= MOST_DAY_NS;
		}
		if (f->grade != '-' && f->spacing_ns <= finest) {
			finest = f->spacing_ns;
			r->coverage_ns = f->coverage_ns;
		}
	}
	r->late = fine ? late : series && late_series;
}

static void fill_recipient(const struct bound *b, struct bound_recipient *r)
{
	const struct bound_recipient *const one = r;
	int64_t together;
	uint64_t month;
	char worst = '-';

	for (int s = 0; s < MOST_SPANS; s++) {
		struct bound_in in = {.span = (enum most_span)s};

		r->readings[s] = bound_most(b, &one, 1, 0, THING_READINGS, in);
		r->bytes[s] = bound_most(b, &one, 1, 0, THING_BYTES, in);
		r->sealed_bytes[s] =
			octets_of(b, r, (enum most_span)s, is_sealed);
		r->other_bytes[s] =
			octets_of(b, r, (enum most_span)s, is_other);
	}
	for (size_t i = 0; i < r->n_way; i++) {
		r->sealed |= is_sealed(&r->way[i]);
		r->other |= is_other(&r->way[i]);
	}
	r->spacing_ns = INT64_MAX;
	bound_fill_with(b, r);
	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];

		if (f->with_grade != '-' &&
		    (worst == '-' || f->with_grade > worst))
			worst = f->with_grade;
		if (bound_use(f->meas) && f->spacing_ns < r->spacing_ns)
			r->spacing_ns = f->spacing_ns;
	}
	together = bound_together(b, r, 0);
	if (together < r->spacing_ns)
		r->spacing_ns = together;
	if (r->spacing_ns != INT64_MAX &&
	    (worst == '-' || bound_grade(r->spacing_ns) > worst))
		worst = bound_grade(r->spacing_ns);
	r->grade = r->outside || worst == '-' ? worst : 'H';
	fill_times(r, together);
	month = least(most_mul(30, r->bytes[MOST_DAY]), r->bytes[MOST_MONTH]);
	r->dishonest_ns = month == MOST_UNLIMITED ? 0
			  : month < 2             ? INT64_MAX
				      : 30 * MOST_DAY_NS / (int64_t)(month / 2);
}

/* Of who may be at the same hosts: all but who it is. */
static void copy_figures(struct bound_recipient *r,
			 const struct bound_recipient *of)
{
	struct bound_recipient is = *of;

	is.party = r->party;
	is.operator_ = r->operator_;
	is.name = r->name;
	is.country = r->country;
	is.role = r->role;
	is.identity = r->identity;
	is.keeps_ns = r->keeps_ns;
	is.own = r->own;
	*r = is;
}

/* Room for 16, then for twice as many. */
static void *grown(void *p, size_t n, size_t size)
{
	bool full = n == 0 || (n >= 16 && (n & (n - 1)) == 0);

	return full ? realloc(p, (n ? 2 * n : 16) * size) : p;
}

#define GROW(p, n) grown(p, n, sizeof(*(p)))

static int put_way(struct bound_recipient *r, const struct bound_way *w)
{
	struct bound_way *to = GROW(r->way, r->n_way);

	if (!to)
		return E_NOMEM;
	r->way = to;
	r->way[r->n_way++] = *w;
	return 0;
}

/* With its lists, which lie in one block. */
static int keep_way(struct bound_recipient *r, const struct bound_way *w)
{
	size_t alt = w->n_alt * sizeof(*w->alt);
	size_t own = w->n_own * sizeof(*w->own);
	struct bound_way copy = *w;

	copy.alt = malloc(alt + own + 1);
	if (!copy.alt)
		return E_NOMEM;
	copy.own = (const struct lay_limit **)(copy.alt + w->n_alt);
	memcpy(copy.alt, w->alt, alt);
	memcpy(copy.own, w->own, own);
	if (put_way(r, &copy)) {
		free(copy.alt);
		return E_NOMEM;
	}
	return 0;
}

int bound_choose(const struct bound *b, uint16_t machine, bound_pick_f *pick,
		 const void *arg, struct bound_recipient *out)
{
	*out = (struct bound_recipient){.machine = machine};
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; r->machine == machine && k < r->n_way; k++) {
			const struct bound_way *w = &r->way[k];

			if (r->own >> w->party & 1 &&
			    pick(arg, w->party, w->rule, w->monitored,
				 w->meas) &&
			    put_way(out, w))
				return E_NOMEM;
		}
	}
	return 0;
}

void bound_chosen_free(struct bound_recipient *r)
{
	free(r->way);
	r->way = NULL;
	r->n_way = 0;
}

int64_t bound_series(const struct bound *b, const struct bound_recipient *r,
		     meas_set meas, unsigned gaps)
{
	struct counting c = {b, r, NULL, meas};

	return r->n_way ? bound_sustained(&c, gaps) : INT64_MAX;
}

static int add_flows(const struct bound *b, struct bound_recipient *r,
		     const struct place *at, const struct bound_way *w,
		     bool customer)
{
	for (meas_set s = w->meas & ~MEAS_ABOUT; s; s &= s - 1) {
		struct bound_flow *to = GROW(r->flow, r->n_flow);

		if (!to)
			return E_NOMEM;
		r->flow = to;
		bound_fill_flow(b, at, w, (enum meas)__builtin_ctzll(s),
				customer, &r->flow[r->n_flow++]);
	}
	return 0;
}

static int add_power(const struct bound *b, struct bound_recipient *r,
		     const struct place *at, const struct bound_way *w)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	struct counting c = {b, NULL, w, MEAS_BIT(MEAS_CONTROL_LOAD)};
	struct bound_power *to;
	struct bound_power p = {.party = w->party, .rule = w->rule};

	if (!(w->meas & MEAS_BIT(MEAS_CONTROL_LOAD)))
		return 0;
	to = GROW(r->power, r->n_power);
	if (!to)
		return E_NOMEM;
	r->power = to;
	p.day = bound_way_most(b, w, c.meas, THING_READINGS,
			       (struct bound_in){.span = MOST_DAY});
	p.apart_ns = bound_sustained(&c, 1);
	p.until_s = bound_trial_ends(v, w->rule);
	if (w->rule != BOUND_NO_RULE)
		p.rule_name = img_str(v, v->RULE[w->rule].id);
	if (w->rule != BOUND_NO_RULE && !w->monitored) {
		const struct lay_data *d = &v->DATA[v->RULE[w->rule].data];

		if (d->flags & LAY_DATA_VALUE) {
			p.has_value = true;
			p.unit = (enum unit)d->value_unit;
			p.lo = d->value_lo;
			p.hi = d->value_hi;
		}
	}
	r->power[r->n_power++] = p;
	return 0;
}

static int add_party(const struct bound *b, struct bound_recipient *r,
		     const struct cover *c, uint16_t m, uint16_t party,
		     bool customer)
{
	const struct pol_set *s = b->set;
	const struct pol_image *v = s->m[m].vendor;
	struct place out = {s, c, m, party, DIR_OUT};
	struct place in = {s, c, m, party, DIR_IN};
	struct way_room room;
	struct bound_way w;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < v->n_RULE; i++) {
		if (v->RULE[i].kind != RULE_GRANT)
			continue;
		if (bound_way_of(&out, i, customer, &room, &w)) {
			rc = keep_way(r, &w);
			if (!rc)
				rc = add_flows(b, r, &out, &w, customer);
		}
		if (!rc && bound_way_of(&in, i, customer, &room, &w))
			rc = add_power(b, r, &in, &w);
	}
	if (!rc && v->META->monitor_until) {
		if (bound_trial_way(&out, customer, &room, &w)) {
			rc = keep_way(r, &w);
			if (!rc)
				rc = add_flows(b, r, &out, &w, customer);
		}
		if (!rc && bound_trial_way(&in, customer, &room, &w))
			rc = add_power(b, r, &in, &w);
	}
	return rc;
}

static struct bound_recipient *recipient_of(struct bound *b, uint16_t m,
					    uint16_t party)
{
	const struct machine *mc = &b->set->m[m];
	const struct pol_image *v = mc->vendor;
	const struct lay_party *p = &v->PRTY[party];
	struct bound_recipient *r;
	enum bound_identity id = bound_known(v, party);

	for (size_t i = 0; i < b->n; i++) {
		r = &b->r[i];
		if (r->machine == m &&
		    mc->group[r->party] == mc->group[party]) {
			r->identity = id < r->identity ? id : r->identity;
			/* Of several, one that says nothing: nothing. */
			if (!p->keeps || !r->keeps_ns)
				r->keeps_ns = 0;
			else if (p->keeps > r->keeps_ns)
				r->keeps_ns = p->keeps;
			r->own |= UINT64_C(1) << party;
			return r;
		}
	}
	r = GROW(b->r, b->n);
	if (!r)
		return NULL;
	b->r = r;
	r = &b->r[b->n++];
	*r = (struct bound_recipient){
		.machine = m,
		.party = party,
		.machine_name = mc->pub.name,
		.operator_ = p->operator_ ? img_str(v, p->operator_)
					  : img_text(v, p->name),
		.name = img_text(v, p->name),
		.country = img_str(v, p->country),
		.role = (enum pol_role)p->role,
		.identity = id,
		.keeps_ns = p->keeps,
		.own = UINT64_C(1) << party,
		.same_as = b->n - 1,
	};
	return r;
}

char *bound_time(char *buf, size_t cap, int64_t ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} unit[] = {
		{"d",   MOST_DAY_NS  },
		{"h",   HOUR_NS      },
		{"min", 60 * NS_PER_S},
		{"s",   NS_PER_S     }
        };
	size_t n = 0, parts = 0;

	if (ns == BOUND_NONE || ns == INT64_MAX) {
		snprintf(buf, cap, "%s", ns == BOUND_NONE ? "any" : "never");
		return buf;
	}
	if (ns > 0 && ns < NS_PER_S) {
		snprintf(buf, cap, "fraction of a second");
		return buf;
	}
	for (size_t i = 0; i < 4 && parts < 2 && n < cap; i++) {
		int64_t v = ns / unit[i].ns;

		ns -= v * unit[i].ns;
		if (v == 0 && !(i == 3 && parts == 0))
			continue;
		n += (size_t)snprintf(buf + n, cap - n, "%s%lld %s",
				      parts ? " " : "", (long long)v,
				      unit[i].name);
		parts++;
	}
	return buf;
}

char *bound_date(char *buf, size_t cap, int64_t s)
{
	struct civil c = civil_of(s);

	snprintf(buf, cap, "%04d-%02d-%02d", c.year, c.month, c.day);
	return buf;
}

int64_t bound_trial_ends(const struct pol_image *v, uint32_t rule)
{
	return rule == BOUND_NO_RULE ? v->META->monitor_until
				     : v->RULE[rule].monitor_until;
}

/* Of what another gets by itself, what belongs to these parties. */
static int add_of(struct bound_recipient *r, const struct bound_recipient *of,
		  uint64_t parties)
{
	for (size_t i = 0; i < of->n_flow; i++) {
		struct bound_flow *to;

		if (!(parties >> of->flow[i].party & 1))
			continue;
		to = GROW(r->flow, r->n_flow);
		if (!to)
			return E_NOMEM;
		r->flow = to;
		r->flow[r->n_flow++] = of->flow[i];
	}
	for (size_t i = 0; i < of->n_power; i++) {
		struct bound_power *to;

		if (!(parties >> of->power[i].party & 1))
			continue;
		to = GROW(r->power, r->n_power);
		if (!to)
			return E_NOMEM;
		r->power = to;
		r->power[r->n_power++] = of->power[i];
	}
	for (size_t i = 0; i < of->n_way; i++) {
		if (parties >> of->way[i].party & 1 && put_way(r, &of->way[i]))
			return E_NOMEM;
	}
	return 0;
}

static void free_lists(struct bound_recipient *r)
{
	free(r->flow);
	free(r->power);
	free(r->way);
}

/* The lists of each with all that may be at its host, beside b's, which are
 * still what each gets by itself. */
static int list_twins(const struct bound *b, size_t first,
		      struct bound_recipient *with)
{
	int rc = 0;

	for (size_t i = first; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (r->same_as != i || r->parties == r->own || !bound_gets(r))
			continue;
		for (size_t k = first; !rc && k < b->n; k++)
			rc = add_of(&with[i - first], &b->r[k], r->parties);
	}
	return rc;
}

static void set_lists(struct bound_recipient *r,
		      const struct bound_recipient *from)
{
	free_lists(r);
	r->flow = from->flow;
	r->n_flow = from->n_flow;
	r->power = from->power;
	r->n_power = from->n_power;
	r->way = from->way;
	r->n_way = from->n_way;
}

/* Once each has its own. Who gets nothing by itself is no recipient, whoever
 * else is at its host. */
static int add_twins(struct bound *b, size_t first)
{
	size_t n = b->n - first;
	struct bound_recipient *with = calloc(n + 1, sizeof(*with));
	int rc;

	if (!with)
		return E_NOMEM;
	rc = bound_find_twins(b, first);
	if (!rc)
		rc = list_twins(b, first, with);
	for (size_t i = first; i < b->n; i++) {
		struct bound_recipient *r = &b->r[i];

		if (rc) {
			free_lists(&with[i - first]);
			r->same_as = i;
		} else if (r->parties != r->own && bound_gets(r)) {
			set_lists(r, &with[r->same_as - first]);
		}
	}
	free(with);
	return rc;
}

static int add_machine(struct bound *b, uint16_t m, bool customer)
{
	size_t first = b->n;
	struct cover c;
	int rc = bound_cover_new(&c, b->set, m);

	for (uint16_t p = 0; !rc && p < b->set->m[m].n_party; p++) {
		struct bound_recipient *r = recipient_of(b, m, p);

		rc = r ? add_party(b, r, &c, m, p, customer) : E_NOMEM;
	}
	bound_cover_free(&c);
	return rc || b->n == first ? rc : add_twins(b, first);
}

int bound_new(struct bound **out, const struct pol_set *s, bool customer,
	      struct err *e)
{
	struct bound *b = calloc(1, sizeof(*b));
	int rc = b ? 0 : E_NOMEM;

	*out = NULL;
	if (b)
		b->set = s;
	for (uint16_t m = 0; !rc && m < s->n_m; m++)
		rc = add_machine(b, m, customer);
	if (rc) {
		bound_free(b);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	for (size_t i = 0; i < b->n; i++) {
		struct bound_recipient *r = &b->r[i];

		if (r->same_as == i)
			fill_recipient(b, r);
		else
			copy_figures(r, &b->r[r->same_as]);
	}
	*out = b;
	return 0;
}

const struct pol_image *bound_policy(const struct bound *b, size_t machine)
{
	return b->set->m[machine].vendor;
}

struct span bound_state(const struct bound *b, const struct bound_recipient *r,
			unsigned state)
{
	const struct pol_image *v = bound_policy(b, r->machine);

	return img_str(v, v->STAT[state].id);
}

void bound_free(struct bound *b)
{
	for (size_t i = 0; b && i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; k < r->n_way; k++) {
			if (r->own >> r->way[k].party & 1)
				free(r->way[k].alt);
		}
	}
	for (size_t i = 0; b && i < b->n; i++) {
		if (b->r[i].same_as == i)
			free_lists(&b->r[i]);
	}
	if (b)
		free(b->r);
	free(b);
}
