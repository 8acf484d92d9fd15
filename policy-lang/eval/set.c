/* SPDX-License-Identifier: Apache-2.0 */
/* Verified images become machines, parties and limits. */
#include <stdlib.h>

#include "policy-lang/eval/internal.h"

static const char *const kind_names[] = {
	"",        "binding", "baseline", "vendor policy", "customer file",
	"library", "tests"};

static int out_of_memory(struct err *e)
{
	return err_set(e, E_NOMEM, 0, "out of memory");
}

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* --- which image is what ------------------------------------------------- */

static int one_of_kind(const struct pol_image **slot,
		       const struct pol_image *im, struct err *e)
{
	struct span id = pol_image_id(im);

	if (*slot)
		return err_set(e, E_STATE, 0, "%.*s: a second %s", TEXT(id),
			       kind_names[pol_image_kind(im)]);
	*slot = im;
	return 0;
}

static int span_order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int add_machine(struct pol_set *s, struct span name, struct err *e)
{
	size_t at = s->n_m;

	if (s->n_m >= POL_MAX_MACHINES)
		return err_set(e, E_LIMIT, 0, "more than %d machines",
			       POL_MAX_MACHINES);
	while (at > 0 && span_order(name, s->m[at - 1].pub.name) < 0) {
		s->m[at] = s->m[at - 1];
		at--;
	}
	s->m[at] = (struct machine){.pub.name = name,
				    .attestation_max = ATTESTED_NS};
	s->n_m++;
	return 0;
}

static int bind(struct pol_set *s, struct err *e)
{
	const struct pol_image *b = s->binding;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < b->n_VMS; i++)
		rc = add_machine(s, img_str(b, b->VMS[i].id), e);
	/* Rows are sorted by name, so places agree. */
	for (uint32_t i = 0; !rc && i < b->n_VMS; i++) {
		struct machine *m = &s->m[i];

		m->pub.interface = img_str(b, b->VMS[i].iface);
		m->pub.policy = img_str(b, b->VMS[i].policy);
		m->pub.has_mac = b->VMS[i].has_mac;
		memcpy(m->pub.mac, b->VMS[i].mac, 6);
		if (b->VMS[i].attestation_max)
			m->attestation_max = b->VMS[i].attestation_max;
	}
	if (!rc && ipmap_build(&s->hosts, b, LAY_OWNER_VM))
		rc = out_of_memory(e);
	return rc;
}

static int add_addr(struct machine *m, const uint8_t *addr, unsigned n,
		    unsigned len, struct err *e)
{
	struct pol_prefix *p = &m->addr[m->pub.n_addr];

	if (m->pub.n_addr >= sizeof(m->addr) / sizeof(m->addr[0]))
		return err_set(e, E_LIMIT, 0, "%.*s: too many addresses",
			       TEXT(m->pub.name));
	memset(p, 0, sizeof(*p));
	if (n == 4)
		p->addr.b[10] = p->addr.b[11] = 0xff;
	memcpy(p->addr.b + 16 - n, addr, n);
	p->len = (uint8_t)len;
	m->pub.addr = m->addr;
	m->pub.n_addr++;
	return 0;
}

static int bound_addresses(struct pol_set *s, struct err *e)
{
	const struct pol_image *b = s->binding;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < b->n_PFX4; i++) {
		if (b->PFX4[i].kind == LAY_OWNER_VM)
			rc = add_addr(&s->m[b->PFX4[i].owner], b->PFX4[i].addr,
				      4, b->PFX4[i].len + 96u, e);
	}
	for (uint32_t i = 0; !rc && i < b->n_PFX6; i++) {
		if (b->PFX6[i].kind == LAY_OWNER_VM)
			rc = add_addr(&s->m[b->PFX6[i].owner], b->PFX6[i].addr,
				      16, b->PFX6[i].len, e);
	}
	return rc;
}

static int add_vendor(struct pol_set *s, const struct pol_image *im,
		      struct err *e)
{
	struct span id = pol_image_id(im), vm = pol_image_vm(im);
	int i = pol_set_find_machine(s, vm);
	struct machine *m;

	if (i < 0)
		return err_set(e, E_STATE, 0,
			       "%.*s: the binding has no machine %.*s",
			       TEXT(id), TEXT(vm));
	m = &s->m[i];
	if (s->binding && !span_eq(m->pub.policy, id))
		return err_set(e, E_STATE, 0,
			       "%.*s: machine %.*s is bound to %.*s", TEXT(id),
			       TEXT(vm), TEXT(m->pub.policy));
	if (m->vendor)
		return err_set(e, E_STATE, 0,
			       "%.*s: a second policy for machine %.*s",
			       TEXT(id), TEXT(vm));
	m->vendor = im;
	m->pub.policy = id;
	m->n_party = im->n_PRTY;
	if (ipmap_build(&m->parties, im, LAY_OWNER_PARTY))
		return out_of_memory(e);
	return 0;
}

static int sort_images(struct pol_set *s, const struct pol_image *const *im,
		       size_t n, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		switch (pol_image_kind(im[i])) {
		case POL_BINDING:
			rc = one_of_kind(&s->binding, im[i], e);
			break;
		case POL_BASELINE:
			rc = one_of_kind(&s->base, im[i], e);
			break;
		case POL_CUSTOMER:
			rc = one_of_kind(&s->customer, im[i], e);
			break;
		default: /* vendors below; libraries and tests say nothing */
			break;
		}
	}
	if (!rc && s->binding)
		rc = bind(s, e);
	for (size_t i = 0; !rc && !s->binding && i < n; i++) {
		if (pol_image_kind(im[i]) == POL_VENDOR &&
		    pol_set_find_machine(s, pol_image_vm(im[i])) < 0)
			rc = add_machine(s, pol_image_vm(im[i]), e);
	}
	for (size_t i = 0; !rc && i < n; i++) {
		if (pol_image_kind(im[i]) == POL_VENDOR)
			rc = add_vendor(s, im[i], e);
	}
	if (!rc && s->binding)
		rc = bound_addresses(s, e);
	for (size_t i = 0; i < s->n_m; i++) {
		if (!s->m[i].vendor)
			s->m[i].pub.policy = (struct span){0};
	}
	return rc;
}

/* --- parties ------------------------------------------------------------- */

static bool listed(const struct pol_image *im, uint32_t first, uint32_t n,
		   struct span name)
{
	for (uint32_t i = 0; i < n; i++) {
		if (span_eq(img_str(im, im->LIST[first + i]), name))
			return true;
	}
	return false;
}

/* Does a selector of im pick party p (-1: unknown) of machine m? */
static bool picks(const struct pol_image *im, const struct lay_sel *s,
		  const struct machine *m, int p)
{
	const struct lay_party *party;

	if (!(s->flags & LAY_SEL_ANY_VM) &&
	    !listed(im, s->vm_first, s->vm_n, m->pub.name))
		return false;
	if (s->flags & LAY_SEL_ANY_PARTY)
		return true;
	if (p < 0 || !m->vendor)
		return false;
	if (im == m->vendor)
		return s->parties >> p & 1;
	party = &m->vendor->PRTY[p];
	return (!s->roles || s->roles >> party->role & 1) &&
	       (!s->country_n || listed(im, s->country_first, s->country_n,
					img_str(m->vendor, party->country))) &&
	       (!s->op_n || listed(im, s->op_first, s->op_n,
				   img_str(m->vendor, party->operator_)));
}

static int party_rows(struct pol_set *s, size_t mi, enum layer l)
{
	const struct pol_image *im = set_image(s, mi, l);
	struct machine *m = &s->m[mi];

	if (!im)
		return 0;
	m->rows[l] =
		calloc((size_t)(m->n_party + 1) * im->words, sizeof(uint64_t));
	if (!m->rows[l])
		return E_NOMEM;
	for (uint32_t p = 0; p <= m->n_party; p++) {
		uint64_t *row = m->rows[l] + (size_t)p * im->words;
		int party = p < m->n_party ? (int)p : -1;

		for (uint32_t c = 0; c < im->n_COLS; c++) {
			const struct lay_col *col = &im->COLS[c];

			if (picks(im, &im->SELS[col->sel], m, party) &&
			    (col->except == LAY_NONE ||
			     !picks(im, &im->SELS[col->except], m, party)))
				row[c / 64] |= UINT64_C(1) << (c % 64);
		}
	}
	return 0;
}

static void party_kinds(struct pol_set *s, size_t mi)
{
	struct machine *m = &s->m[mi];

	for (uint32_t p = 0; p < m->n_party; p++) {
		const struct lay_party *party = &m->vendor->PRTY[p];
		struct span vm = img_str(m->vendor, party->vm);
		bool addressed = vm.n > 0;
		int other = vm.n ? pol_set_find_machine(s, vm) : -1;

		if (other >= 0)
			m->vm_of[other] |= UINT64_C(1) << p;
		for (uint32_t i = 0; i < m->vendor->n_PFX4; i++)
			addressed |= m->vendor->PFX4[i].owner == p;
		for (uint32_t i = 0; i < m->vendor->n_PFX6; i++)
			addressed |= m->vendor->PFX6[i].owner == p;
		if (party->dns)
			m->named |= UINT64_C(1) << p;
		if (party->dns && !addressed)
			m->unplaced |= UINT64_C(1) << p;
		else if (!addressed && party->oid_n)
			m->anywhere |= UINT64_C(1) << p;
	}
}

/* Parties of one operator count together, over all machines. */
static void groups(struct pol_set *s)
{
	for (size_t i = 0; i < s->n_m; i++) {
		struct machine *m = &s->m[i];

		for (uint32_t p = 0; p < m->n_party; p++) {
			struct span op = img_str(m->vendor,
						 m->vendor->PRTY[p].operator_);

			m->group[p] = (uint16_t)s->n_group++;
			for (size_t j = 0; op.n && j <= i; j++) {
				const struct machine *k = &s->m[j];
				uint32_t n = j == i ? p : k->n_party;

				for (uint32_t q = 0; q < n; q++) {
					if (span_eq(op,
						    img_str(k->vendor,
							    k->vendor->PRTY[q]
								    .operator_)))
						m->group[p] = k->group[q];
				}
			}
		}
	}
	s->n_group++; /* the unknown */
	for (size_t i = 0; i < s->n_m; i++)
		s->m[i].group[s->m[i].n_party] = (uint16_t)(s->n_group - 1);
}

/* --- limits -------------------------------------------------------------- */

static void by_message(struct set_limit *l)
{
	unsigned kind = l->l->kind, thing = l->l->thing;
	/* Those count what there is once. */
	bool once = kind == LIMIT_SPACING || kind == LIMIT_DISTINCT;

	l->by_message = thing != THING_CONNECTIONS &&
			thing != THING_REFUSALS && kind != LIMIT_CONCURRENT;
	/* Of a rule with data it is readings that are apart; a ceiling with
	 * data passes messages without any as well. */
	l->by_reading = once ? kind == LIMIT_SPACING &&
				       l->l->rule != LAY_NONE &&
				       l->im->RULE[l->l->rule].data != LAY_NONE
			     : thing == THING_READINGS || thing == THING_VALUES;
	l->check_only = !once &&
			(thing == THING_BYTES || thing == THING_PACKETS) &&
			!(l->l->flags & LAY_LIMIT_MATCH);
}

static int add_limits(struct pol_set *s, const struct pol_image *im,
		      enum layer layer, uint32_t *first, struct err *e)
{
	*first = s->n_limit;
	for (uint32_t i = 0; im && i < im->n_LIMT; i++) {
		struct set_limit *l = &s->limit[s->n_limit++];
		uint64_t n = 1, total;

		*l = (struct set_limit){.l = &im->LIMT[i],
					.im = im,
					.layer = (uint8_t)layer,
					.words = limit_words(&im->LIMT[i])};
		l->by_vm = layer != LAYER_VENDOR && l->l->each & LAY_EACH_VM;
		l->by_meas = l->l->each & LAY_EACH_MEAS;
		/* A restriction's budget is the household's for a machine. */
		l->by_party =
			l->l->each & LAY_EACH_PARTY && layer != LAYER_CUSTOMER;
		l->by_group = l->by_party && layer == LAYER_BASE && !l->by_vm;
		by_message(l);
		l->parties = !l->by_party  ? 1
			     : l->by_group ? s->n_group
					   : s->max_party;
		n = l->by_vm ? s->n_m : 1;
		n *= l->parties * (l->by_meas ? MEAS_COUNT : 1);
		total = s->counter_words + n * l->words;
		if (total > (64u << 20) / sizeof(uint64_t))
			return err_set(e, E_LIMIT, 0, "counters over 64 MiB");
		l->base = s->counter_words;
		s->counter_words = (uint32_t)total;
	}
	return 0;
}

/* "allow/send: 1 reading per day", written once for every limit. */
static size_t limit_name(const struct set_limit *l, char *buf, size_t cap)
{
	static const char *const rules[] = {"allow/", "ceiling/", "deny/",
					    "restrict/"};
	const char *kind = l->l->rule != LAY_NONE
				   ? rules[l->im->RULE[l->l->rule].kind]
			   : l->l->flags & LAY_LIMIT_FLOOR ? "floors/"
							   : "limits/";
	struct span part[] = {span_str(kind), img_str(l->im, l->l->id),
			      span_str(": "), img_text(l->im, l->l->text)};
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		if (part[i].n && n + part[i].n <= cap)
			memcpy(buf + n, part[i].p, part[i].n);
		n += part[i].n;
	}
	return n;
}

static int limit_names(struct pol_set *s, struct err *e)
{
	size_t total = 0, at = 0;

	for (uint32_t i = 0; i < s->n_limit; i++)
		total += limit_name(&s->limit[i], NULL, 0);
	s->names = malloc(total + 1);
	if (!s->names)
		return out_of_memory(e);
	for (uint32_t i = 0; i < s->n_limit; i++) {
		size_t n = limit_name(&s->limit[i], s->names + at, total - at);

		s->limit[i].name = span_of(s->names + at, n);
		at += n;
	}
	return 0;
}

static int limits(struct pol_set *s, struct err *e)
{
	size_t n = (s->base ? s->base->n_LIMT : 0) +
		   (s->customer ? s->customer->n_LIMT : 0);
	int rc;

	for (size_t i = 0; i < s->n_m; i++) {
		if (s->m[i].vendor)
			n += s->m[i].vendor->n_LIMT;
		if (s->m[i].n_party + 1 > s->max_party)
			s->max_party = s->m[i].n_party + 1;
	}
	s->limit = calloc(n + 1, sizeof(*s->limit));
	if (!s->limit)
		return out_of_memory(e);
	groups(s);
	rc = add_limits(s, s->base, LAYER_BASE, &s->base_limit, e);
	for (size_t i = 0; !rc && i < s->n_m; i++)
		rc = add_limits(s, s->m[i].vendor, LAYER_VENDOR,
				&s->m[i].first_limit[LAYER_VENDOR], e);
	if (!rc)
		rc = add_limits(s, s->customer, LAYER_CUSTOMER,
				&s->customer_limit, e);
	for (size_t i = 0; i < s->n_m; i++) {
		s->m[i].first_limit[LAYER_BASE] = s->base_limit;
		s->m[i].first_limit[LAYER_CUSTOMER] = s->customer_limit;
	}
	return rc ? rc : limit_names(s, e);
}

/* --- all together -------------------------------------------------------- */

static void asked_rules(struct machine *m)
{
	const struct pol_image *im = m->vendor;

	for (uint32_t i = 0; im && i < im->n_GARD; i++) {
		for (int w = 0; w < 4; w++)
			m->asked[w] |= im->GARD[i].answers[w];
	}
}

static void connects(struct pol_set *s, size_t mi)
{
	struct machine *m = &s->m[mi];

	for (int l = 0; l < LAYER_CUSTOMER; l++) {
		const struct pol_image *im = set_image(s, mi, (enum layer)l);

		for (uint32_t i = 0; im && i < im->n_LIMT; i++) {
			uint32_t r = im->LIMT[i].rule;

			if (r == LAY_NONE || !limit_connects(&im->LIMT[i]))
				continue;
			m->connects[l][r / 64] |= UINT64_C(1) << (r % 64);
			s->keeps_flows = true;
		}
	}
}

static bool counts_refusals(const struct pol_image *im)
{
	for (uint32_t i = 0; im && i < im->n_LIMT; i++) {
		if (im->LIMT[i].thing == THING_REFUSALS)
			return true;
	}
	return false;
}

static void digest(struct pol_set *s)
{
	uint8_t all[(POL_MAX_MACHINES + 3) * 32];
	size_t n = 0;
	const struct pol_image *first[] = {s->binding, s->base};

	for (int i = 0; i < 2; i++) {
		if (first[i])
			pol_image_digest(first[i], all + 32 * n++);
	}
	for (size_t i = 0; i < s->n_m; i++) {
		if (s->m[i].vendor)
			pol_image_digest(s->m[i].vendor, all + 32 * n++);
	}
	if (s->customer)
		pol_image_digest(s->customer, all + 32 * n++);
	pol_digest(span_of(all, 32 * n), s->digest);
}

static void profile(struct pol_set *s)
{
	const struct lay_meta *m;
	struct pol_profile *p = &s->profile;

	if (!s->binding || !s->binding->META->profile)
		return;
	m = s->binding->META;
	p->present = 1;
	p->n_lp = m->n_lp;
	p->n_mfg = m->n_mfg;
	p->register_res_milli_wh = m->register_res;
	for (uint32_t i = 0; i < m->n_lp; i++) {
		p->lp[i].table = m->lp[i].table;
		p->lp[i].interval_s = m->lp[i].interval_s;
	}
	for (uint32_t i = 0; i < m->n_mfg; i++) {
		p->mfg[i].table = m->mfg[i].table;
		p->mfg[i].meas = m->mfg[i].meas;
	}
}

/* What is the same in every judgement of a machine. */
static void layers(const struct pol_set *s, struct machine *m)
{
	m->im[LAYER_BASE] = s->base;
	m->im[LAYER_VENDOR] = m->vendor;
	m->im[LAYER_CUSTOMER] = s->customer;
	for (int l = 0; l < LAYERS; l++) {
		const struct pol_image *im = m->im[l];
		struct event_rule *t = &m->told[l];

		t->layer = span_str(text_layer((enum layer)l));
		if (!im)
			continue;
		t->policy = im->id;
		t->serial = im->head->serial;
		t->file = im->path;
		for (int w = 0; w < (OBS_COUNT + 63) / 64; w++) {
			m->carrier[DIR_OUT][w] |= im->carrier[DIR_OUT][w];
			m->carrier[DIR_IN][w] |= im->carrier[DIR_IN][w];
		}
	}
}

static int compose(struct pol_set *s, struct err *e)
{
	for (size_t i = 0; i < s->n_m; i++) {
		struct machine *m = &s->m[i];

		layers(s, m);
		if (m->pub.n_addr)
			m->pub.addr = m->addr;
		party_kinds(s, i);
		asked_rules(m);
		connects(s, i);
		set_floor_rules(s, i);
		for (int l = 0; l < LAYERS; l++) {
			if (party_rows(s, i, (enum layer)l))
				return out_of_memory(e);
			m->refusal_limits |=
				counts_refusals(set_image(s, i, (enum layer)l));
		}
		for (uint32_t k = 0; m->vendor && k < m->vendor->n_STAT; k++)
			s->keeps_flows |=
				m->vendor->STAT[k].scope == SCOPE_FLOW;
	}
	profile(s);
	digest(s);
	return limits(s, e);
}

int pol_set_new(struct pol_set **out, const struct pol_image *const *images,
		size_t n, struct err *e)
{
	struct pol_set *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return out_of_memory(e);
	rc = sort_images(s, images, n, e);
	if (!rc)
		rc = compose(s, e);
	if (!rc && s->customer)
		rc = set_check_customer(s, e);
	if (!rc && s->customer)
		rc = set_check_answers(s, e);
	if (rc) {
		pol_set_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void pol_set_free(struct pol_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_m; i++) {
		ipmap_free(&s->m[i].parties);
		for (int l = 0; l < LAYERS; l++)
			free(s->m[i].rows[l]);
	}
	ipmap_free(&s->hosts);
	free(s->limit);
	free(s->names);
	free(s->void_answer);
	free(s);
}

size_t pol_set_machines(const struct pol_set *s)
{
	return s->n_m;
}

void pol_set_machine(const struct pol_set *s, size_t i, struct pol_machine *out)
{
	*out = s->m[i].pub;
}

int pol_set_find_machine(const struct pol_set *s, struct span name)
{
	for (size_t i = 0; i < s->n_m; i++) {
		if (span_eq(s->m[i].pub.name, name))
			return (int)i;
	}
	return -1;
}

size_t pol_set_titles(const struct pol_set *s, size_t i, struct span *out,
		      size_t cap)
{
	const struct machine *m = &s->m[i];
	size_t n = 0;

	for (uint32_t p = 0; p < m->n_party && n < cap; p++) {
		const struct lay_party *q = &m->vendor->PRTY[p];

		if (q->oid_n)
			out[n++] = span_of(m->vendor->BLOB + q->oid_off,
					   q->oid_n);
	}
	return n;
}

uint64_t pol_set_named(const struct pol_set *s, size_t i)
{
	return i < s->n_m ? s->m[i].named : 0;
}

struct span pol_set_party_dns(const struct pol_set *s, size_t i, unsigned party)
{
	const struct pol_image *v = s->m[i].vendor;

	return img_str(v, v->PRTY[party].dns);
}

struct span pol_set_timezone(const struct pol_set *s)
{
	return s->binding ? img_str(s->binding, s->binding->META->timezone)
			  : (struct span){0};
}

const struct pol_profile *pol_set_profile(const struct pol_set *s)
{
	return s->profile.present ? &s->profile : NULL;
}

void pol_set_digest(const struct pol_set *s, uint8_t out[32])
{
	memcpy(out, s->digest, 32);
}
