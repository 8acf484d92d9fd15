/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of every section of an image: each index below its count, each
 * offset inside its section, each text terminated UTF-8, no bit beyond the
 * columns, no transition out of its automaton, each number within its bounds.
 */
#include "core/utf8.h"
#include "policy-lang/image/load.h"

#define TIME_MAX       INT64_C(3200000000000000000) /* ns: over 100 years */
#define SIZE_MAX_LIMIT (UINT64_C(1) << 53)
#define DATE_MAX       (INT64_C(1) << 40)

/* --- small checks -------------------------------------------------------- */

static bool in(uint32_t first, uint32_t n, uint32_t count)
{
	return first <= count && n <= count - first;
}

static bool zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

static bool dur(int64_t ns)
{
	return ns >= 0 && ns <= TIME_MAX;
}

static bool date(int64_t s)
{
	return s >= -DATE_MAX && s <= DATE_MAX;
}

/* The start of a text of that section. */
static bool text_at(const char *p, uint32_t n, uint32_t off)
{
	return off < n && (off == 0 || p[off - 1] == 0);
}

static bool str(const struct pol_image *im, uint32_t off)
{
	return text_at(im->STRS, im->n_STRS, off);
}

static bool txt(const struct pol_image *im, uint32_t off)
{
	return text_at(im->TEXT, im->n_TEXT, off);
}

static bool strs(const struct pol_image *im, uint32_t first, uint32_t n)
{
	if (!in(first, n, im->n_LIST))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (!str(im, im->LIST[first + i]))
			return false;
	}
	return true;
}

static bool utf8(struct span s)
{
	while (s.n) {
		size_t n = utf8_len(s);

		if (n == 0)
			return false;
		s = span_from(s, n);
	}
	return true;
}

static bool texts(const char *p, uint32_t n)
{
	return n > 0 && n <= LAY_MAX_TEXT && p[0] == 0 && p[n - 1] == 0 &&
	       utf8(span_of(p, n));
}

/* --- sections, in their order -------------------------------------------- */

static bool ok_meta(struct pol_image *im)
{
	const struct lay_meta *m = im->META;

	if (im->n_META != 1 || !texts(im->STRS, im->n_STRS) ||
	    !texts(im->TEXT, im->n_TEXT))
		return false;
	for (int i = 0; i < 32; i++) {
		if (m->mfg[i].pad || m->mfg[i].meas & ~MEAS_ALL)
			return false;
	}
	return m->serial == im->head->serial &&
	       m->not_before == im->head->not_before &&
	       m->not_after == im->head->not_after && date(m->not_before) &&
	       date(m->not_after) && date(m->monitor_until) &&
	       dur(m->widening_notice) && str(im, m->id) && str(im, m->vm) &&
	       str(im, m->meter_id) && str(im, m->timezone) &&
	       txt(im, m->title) && txt(im, m->contact) &&
	       m->widening_roles < 1u << ROLE_COUNT && m->billing_day <= 28 &&
	       m->profile <= 1 && m->n_lp <= 4 && m->n_mfg <= 32 && !m->pad;
}

static bool ok_vms(struct pol_image *im)
{
	if (im->n_VMS > LAY_MAX_VMS)
		return false;
	for (uint32_t i = 0; i < im->n_KEYS; i++) {
		if (!str(im, im->KEYS[i].id) || im->KEYS[i].pad)
			return false;
	}
	for (uint32_t i = 0; i < im->n_VMS; i++) {
		const struct lay_vm *v = &im->VMS[i];

		if (!str(im, v->id) || !str(im, v->iface) ||
		    !str(im, v->policy) || !str(im, v->signed_by) ||
		    !txt(im, v->title) || !dur(v->attestation_max) ||
		    v->attestation > ATT_NONE || v->has_mac > 1 || v->pad)
			return false;
		if (i &&
		    strcmp(im->STRS + im->VMS[i - 1].id, im->STRS + v->id) >= 0)
			return false;
	}
	return true;
}

static bool ok_parties(struct pol_image *im)
{
	if (im->n_PRTY > LAY_MAX_PARTIES)
		return false;
	for (uint32_t i = 0; i < im->n_PRTY; i++) {
		const struct lay_party *p = &im->PRTY[i];

		if (!str(im, p->id) || !str(im, p->operator_) ||
		    !str(im, p->country) || !str(im, p->dns) ||
		    !str(im, p->vm) || !txt(im, p->name) || !dur(p->keeps) ||
		    !in(p->port_first, p->port_n, im->n_PORT) ||
		    !in(p->oid_off, p->oid_n, im->n_BLOB) ||
		    !strs(im, p->tls_first, p->tls_n) ||
		    p->pin_n > im->n_BLOB / 32 ||
		    !in(p->pin_off, 32 * p->pin_n, im->n_BLOB) ||
		    p->role >= ROLE_COUNT || p->flags > 3 ||
		    !zero(p->pad, sizeof(p->pad)))
			return false;
	}
	for (uint32_t i = 0; i < im->n_PORT; i++) {
		const struct lay_port *p = &im->PORT[i];

		if (p->lo > p->hi || (p->proto != 6 && p->proto != 17) ||
		    !zero(p->pad, sizeof(p->pad)))
			return false;
	}
	return true;
}

static bool ok_owner(const struct pol_image *im, uint8_t kind, uint16_t owner)
{
	return kind == LAY_OWNER_PARTY ? owner < im->n_PRTY
	       : kind == LAY_OWNER_VM  ? owner < im->n_VMS
				       : false;
}

static bool ok_prefixes(struct pol_image *im)
{
	if (im->n_PFX4 + im->n_PFX6 > LAY_MAX_PREFIXES)
		return false;
	for (uint32_t i = 0; i < im->n_PFX4; i++) {
		const struct lay_pfx4 *p = &im->PFX4[i];

		if (p->len > 32 || !ok_owner(im, p->kind, p->owner) ||
		    (i && memcmp(p - 1, p, sizeof(*p)) > 0))
			return false;
	}
	for (uint32_t i = 0; i < im->n_PFX6; i++) {
		const struct lay_pfx6 *p = &im->PFX6[i];

		if (p->len > 128 || !ok_owner(im, p->kind, p->owner) ||
		    p->pad || (i && memcmp(p - 1, p, sizeof(*p)) > 0))
			return false;
	}
	return true;
}

static bool ok_sels(struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_SELS; i++) {
		const struct lay_sel *s = &im->SELS[i];

		if ((im->n_PRTY < 64 && s->parties >> im->n_PRTY) ||
		    s->roles >= 1u << ROLE_COUNT ||
		    !strs(im, s->country_first, s->country_n) ||
		    !strs(im, s->op_first, s->op_n) ||
		    !strs(im, s->vm_first, s->vm_n) || s->flags > 3)
			return false;
	}
	return true;
}

static bool ok_cols(struct pol_image *im)
{
	unsigned type = 0;

	if (im->n_COLS > LAY_MAX_COLS)
		return false;
	for (uint32_t i = 0; i < im->n_COLS; i++) {
		const struct lay_col *c = &im->COLS[i];
		uint32_t owners = c->type < COL_LIMIT    ? im->n_RULE
				  : c->type == COL_LIMIT ? im->n_LIMT
							 : im->n_STAT;

		if (c->type >= COL_TYPES || c->type < type ||
		    (i && c->type == c[-1].type && c->owner < c[-1].owner) ||
		    c->owner >= owners || c->sel >= im->n_SELS ||
		    (c->except != LAY_NONE && c->except >= im->n_SELS) ||
		    c->flags > LAY_COL_MATCH || c->pad)
			return false;
		if (c->type < COL_LIMIT) {
			static const uint8_t kind[] = {
				[RULE_GRANT] = COL_GRANT,
				[RULE_CEILING] = COL_GRANT,
				[RULE_DENY] = COL_DENY,
				[RULE_RESTRICT] = COL_RESTRICT};

			if (kind[im->RULE[c->owner].kind] != c->type)
				return false;
		}
		while (type < c->type)
			im->col_at[++type] = i;
		im->mask[type][i / 64] |= UINT64_C(1) << (i % 64);
		if (!(c->flags & LAY_COL_MATCH))
			im->bare[i / 64] |= UINT64_C(1) << (i % 64);
	}
	while (type < COL_TYPES)
		im->col_at[++type] = im->n_COLS;
	im->words = im->n_COLS ? (im->n_COLS + 63) / 64 : 1;
	return true;
}

static bool ok_ranges(const struct pol_image *im, const struct lay_dim *d)
{
	const uint32_t *v = im->LIST + d->v_first;

	if (!in(d->v_first, d->v_n, im->n_LIST) || d->v_n == 0 || v[0] != 0 ||
	    d->n_rows != d->v_n + 1)
		return false;
	for (uint32_t i = 1; i < d->v_n; i++) {
		if (v[i] <= v[i - 1])
			return false;
	}
	return true;
}

static bool ok_oids(const struct pol_image *im, const struct lay_dim *d)
{
	if (!in(d->v_first, d->v_n, im->n_LIST) || d->v_n % 2 ||
	    d->n_rows != d->v_n / 2 + 2)
		return false;
	for (uint32_t i = 0; i < d->v_n; i += 2) {
		const uint32_t *v = im->LIST + d->v_first + i;

		if (!in(v[0], v[1], im->n_BLOB))
			return false;
	}
	return true;
}

static bool ok_auto(const struct pol_image *im, const struct lay_dim *d)
{
	if (!in(d->v_first, d->v_n, im->n_AUTO) || d->v_n == 0 || d->n_rows < 2)
		return false;
	for (uint32_t i = 0; i < d->v_n; i++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + i];

		if (a->slash >= d->v_n || a->other >= d->v_n ||
		    a->cls >= d->n_rows - 1 ||
		    !in(a->edge_first, a->edge_n, im->n_LIST))
			return false;
		for (uint32_t k = 0; k < a->edge_n; k++) {
			uint32_t edge = im->LIST[a->edge_first + k];

			if ((edge & 0xffffff) >= d->v_n ||
			    (k && edge >> 24 <=
					  im->LIST[a->edge_first + k - 1] >>
					  24))
				return false;
		}
	}
	return true;
}

static bool ok_dim(const struct pol_image *im, uint32_t i)
{
	static const uint32_t direct[] = {2, OBS_COUNT, MEAS_COUNT + 1};
	const struct lay_dim *d = &im->OBSV[i];
	uint32_t rows = im->n_DIMS / im->words;

	if (!in(d->first, d->n_rows, rows) || !zero(d->pad, sizeof(d->pad)))
		return false;
	if (i < LAY_DIM_FIELDS)
		return d->form == DIM_DIRECT && d->n_rows == direct[i];
	if (d->field >= FIELD_COUNT ||
	    (i > LAY_DIM_FIELDS && d->field <= im->OBSV[i - 1].field))
		return false;
	switch (d->form) {
	case DIM_RANGES:
		return ok_ranges(im, d) &&
		       field_type((enum field)d->field) <= FIELD_FLAG;
	case DIM_OIDS:
		return ok_oids(im, d) &&
		       field_type((enum field)d->field) == FIELD_OID;
	case DIM_AUTO:
		return ok_auto(im, d) &&
		       field_type((enum field)d->field) == FIELD_TEXT;
	default:
		return false;
	}
}

static bool ok_dims(struct pol_image *im)
{
	uint32_t rest = im->n_COLS % 64;

	if (im->n_OBSV < LAY_DIM_FIELDS || im->n_OBSV > LAY_MAX_DIMS ||
	    im->n_DIMS % im->words || im->n_AUTO > LAY_MAX_STATES_AUTO)
		return false;
	for (uint32_t i = 0; i < im->n_OBSV; i++) {
		if (!ok_dim(im, i))
			return false;
	}
	/* No bits beyond the columns. */
	for (uint32_t i = im->words - 1; i < im->n_DIMS; i += im->words) {
		if ((im->n_COLS == 0 && im->DIMS[i]) ||
		    (rest && im->DIMS[i] >> rest))
			return false;
	}
	return true;
}

/* What rules a file of this kind may have. The header is in no digest: a grant
 * of a vendor must not become what a baseline says. */
static bool ok_kind(const struct pol_image *im, const struct lay_rule *r)
{
	static const uint8_t of[] = {
		[POL_BASELINE] = 1 << RULE_CEILING | 1 << RULE_DENY,
		[POL_VENDOR] = 1 << RULE_GRANT | 1 << RULE_DENY,
		[POL_CUSTOMER] = 1 << RULE_RESTRICT,
		[POL_TESTS] = 0,
	};

	return r->kind <= RULE_RESTRICT && of[im->head->kind] >> r->kind & 1;
}

static bool ok_rules(struct pol_image *im)
{
	if (im->n_RULE > LAY_MAX_RULES)
		return false;
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		const struct lay_rule *r = &im->RULE[i];

		if (!str(im, r->id) || !txt(im, r->purpose) ||
		    !txt(im, r->message) || !dur(r->action_ns) ||
		    !date(r->monitor_until) ||
		    (r->guard != LAY_NONE && r->guard >= im->n_GARD) ||
		    (r->data != LAY_NONE && r->data >= im->n_DATA) ||
		    !in(r->limit_first, r->limit_n, im->n_LIMT) ||
		    !ok_kind(im, r) || r->dir > DIRSEL_ANY ||
		    r->consent > CONSENT_OPT_IN || r->severity > SEV_CRITICAL ||
		    r->audit > AUDIT_SUMMARY ||
		    (r->notify > NOTIFY_ALL && r->notify != NOTIFY_REFUSED) ||
		    r->action > ACTION_QUARANTINE || r->pad ||
		    r->flags > LAY_RULE_BLOCK)
			return false;
		for (uint32_t k = 0; k < r->limit_n; k++) {
			if (im->LIMT[r->limit_first + k].rule != i)
				return false;
		}
	}
	return true;
}

static bool bits_below(const uint64_t *w, unsigned words, uint32_t n)
{
	for (unsigned i = 0; i < words * 64; i++) {
		if (i >= n && w[i / 64] >> (i % 64) & 1)
			return false;
	}
	return true;
}

static bool ok_guards(struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_GARD; i++) {
		const struct lay_guard *g = &im->GARD[i];

		if (!bits_below(g->answers, 4, im->n_RULE) ||
		    !bits_below(&g->requires_, 1, im->n_STAT) ||
		    !bits_below(&g->forbids, 1, im->n_STAT) ||
		    g->requires_builtin >= 1u << BUILTIN_COUNT ||
		    g->forbids_builtin >= 1u << BUILTIN_COUNT ||
		    !dur(g->spread) || g->from_min > 24 * 60 ||
		    g->to_min > 24 * 60 || g->days > 127 || g->flags > 7)
			return false;
	}
	return true;
}

static bool ok_data(struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_DATA; i++) {
		const struct lay_data *d = &im->DATA[i];

		if (d->meas & ~MEAS_ALL || !dur(d->gran_lo) ||
		    !dur(d->gran_hi) || !dur(d->history) || !dur(d->delay) ||
		    d->res_milli < 0 ||
		    ((d->flags & LAY_DATA_RES) && d->res_milli == 0) ||
		    d->value_lo > d->value_hi || d->res_unit > UNIT_VA ||
		    d->value_unit > UNIT_VA || d->flags > 63)
			return false;
	}
	return true;
}

static bool ok_limit(const struct pol_image *im, const struct lay_limit *l)
{
	bool windowed = l->kind == LIMIT_SLIDING || l->kind == LIMIT_BUCKET ||
			l->kind == LIMIT_SPACING || l->window == WINDOW_SLIDING;

	if (l->n > SIZE_MAX_LIMIT || l->burst > SIZE_MAX_LIMIT ||
	    l->meas & ~MEAS_ALL || !dur(l->window_ns) || !dur(l->action_ns) ||
	    !txt(im, l->text) || !str(im, l->id) ||
	    (l->rule != LAY_NONE && l->rule >= im->n_RULE) ||
	    l->kind > LIMIT_CONCURRENT || l->thing > THING_BYTES ||
	    l->window > WINDOW_SLIDING || l->action > ACTION_QUARANTINE ||
	    l->each > 7 || l->flags > 7 || l->pad)
		return false;
	if (windowed && l->window_ns == 0)
		return false;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		return l->window >= WINDOW_HOUR && l->window <= WINDOW_YEAR;
	case LIMIT_SLIDING:
		return l->n <= UINT32_MAX; /* what a sub-window can count */
	case LIMIT_BUCKET:
		return l->n > 0 && l->burst > 0;
	case LIMIT_DISTINCT:
		return l->n <= 64 && l->window != WINDOW_NONE &&
		       (l->distinct == 0xffff || l->distinct < FIELD_COUNT);
	case LIMIT_CONCURRENT:
		return l->n <= 4096;
	default:
		return true;
	}
}

static bool ok_rest(struct pol_image *im)
{
	if (im->n_LIMT > LAY_MAX_LIMITS || im->n_STAT > LAY_MAX_STATES ||
	    im->n_CONS > 4096 || im->n_ANSW > 4096 || im->n_FLOR > 256)
		return false;
	for (uint32_t i = 0; i < im->n_LIMT; i++) {
		if (!ok_limit(im, &im->LIMT[i]))
			return false;
	}
	for (uint32_t i = 0; i < im->n_STAT; i++) {
		const struct lay_state *s = &im->STAT[i];

		if (!str(im, s->id) || !dur(s->expires) ||
		    s->scope > SCOPE_FLOW || !zero(s->pad, sizeof(s->pad)))
			return false;
	}
	for (uint32_t i = 0; i < im->n_CONS; i++) {
		const struct lay_consent *c = &im->CONS[i];

		if (!str(im, c->id) || c->meas & ~MEAS_ALL ||
		    !dur(c->finer_than) || c->minimum > CONSENT_OPT_IN ||
		    !zero(c->pad, sizeof(c->pad)))
			return false;
	}
	for (uint32_t i = 0; i < im->n_ANSW; i++) {
		const struct lay_answer *a = &im->ANSW[i];

		if (!str(im, a->policy) || !str(im, a->rule) ||
		    a->granted > 1 || a->pad)
			return false;
	}
	for (uint32_t i = 0; i < im->n_FLOR; i++) {
		const struct lay_floor *f = &im->FLOR[i];

		if (!str(im, f->id) || !str(im, f->vm) || f->meas & ~MEAS_ALL ||
		    f->limit >= im->n_LIMT || f->pad)
			return false;
	}
	return true;
}

static bool ok_label(struct pol_image *im)
{
	if (im->n_LABL > im->n_PRTY)
		return false;
	for (uint32_t i = 0; i < im->n_LABL; i++) {
		const struct lay_label *l = &im->LABL[i];

		if (l->spacing < 0 || l->party >= im->n_PRTY ||
		    (i && l->party <= l[-1].party) || !l->grade ||
		    !strchr(LAY_LABEL_GRADES, l->grade) ||
		    l->identity >= LAY_LABEL_IDS || l->sealed > 1 ||
		    l->live > 1 || l->late > 1 || l->other > LABEL_OTHER_ANY ||
		    !zero(l->pad, sizeof(l->pad)))
			return false;
	}
	return true;
}

/* The terminated text that s begins with; false: there is none. */
static bool take_text(struct span *s, struct span *text)
{
	const uint8_t *end = s->n ? memchr(s->p, 0, s->n) : NULL;

	if (!end)
		return false;
	*text = span_of(s->p, (size_t)(end - s->p));
	*s = span_from(*s, text->n + 1);
	return utf8(*text);
}

static bool ok_libs(struct pol_image *im)
{
	struct span s = im->lib_text, id, path;
	const char *last = "";

	if (im->n_INCL > LAY_MAX_LIBS)
		return false;
	for (uint32_t i = 0; i < im->n_INCL; i++) {
		const struct lay_lib *l = &im->INCL[i];

		if (!take_text(&s, &id) || !take_text(&s, &path) ||
		    strcmp((const char *)id.p, last) <= 0 || !l->serial ||
		    l->serial > SIZE_MAX_LIMIT)
			return false;
		last = (const char *)id.p;
	}
	return s.n == 0;
}

static bool ok_locs(struct pol_image *im)
{
	size_t rows = (size_t)im->n_RULE + im->n_LIMT;
	struct span s;

	if (!im->LOCS) {
		im->n_LOCS = 0;
		return true;
	}
	if (im->n_LOCS < rows)
		return false;
	s = span_from(im->path, rows * sizeof(struct lay_loc));
	if (!take_text(&s, &im->path))
		return false;
	im->n_LOCS = (uint32_t)rows;
	return s.n == 0;
}

static const struct {
	const char *what;
	bool (*ok)(struct pol_image *im);
} checks[] = {
	{"header and texts",  ok_meta    },
        {"machines",          ok_vms     },
	{"parties",           ok_parties },
        {"prefixes",          ok_prefixes},
	{"selectors",         ok_sels    },
        {"rules",             ok_rules   },
	{"columns",           ok_cols    },
        {"dimensions",        ok_dims    },
	{"guards",            ok_guards  },
        {"data",              ok_data    },
	{"limits and states", ok_rest    },
        {"libraries",         ok_libs    },
	{"positions",         ok_locs    },
        {"label",             ok_label   },
};

const char *load_rows(struct pol_image *im)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (!checks[i].ok(im))
			return checks[i].what;
	}
	return NULL;
}
