/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the sections of an image, but for what selects observations
 * (columns.c). */
#include <stdlib.h>

#include "policy-lang/image/build.h"

static uint32_t blob(struct build *b, const void *p, size_t n)
{
	uint32_t at = (uint32_t)b->s[LAY_BLOB].n;

	vec_put(&b->s[LAY_BLOB], p, n);
	return at;
}

/* --- sections, one function each ----------------------------------------- */

static void put_meta(struct build *b)
{
	const struct pol_file *f = b->f;
	const struct pol_profile *p = &f->profile;
	struct lay_meta m = {
		.serial = f->serial,
		.not_before = f->valid_from_s,
		.not_after = f->valid_until_s,
		.monitor_until = f->monitor_until_s,
		.widening_notice = f->widening_notice_ns,
		.register_res = p->register_res_milli_wh,
		.id = build_str(b, f->id),
		.vm = build_str(b, f->vm),
		.meter_id = build_str(b, f->meter_id),
		.timezone = build_str(b, f->timezone),
		.title = build_text(b, f->title),
		.contact = build_text(b, f->contact),
		.widening_roles = f->widening_roles,
		.billing_day = f->billing_day,
		.profile = p->present != 0,
		.n_lp = p->n_lp,
		.n_mfg = p->n_mfg,
	};

	for (uint32_t i = 0; i < p->n_lp && i < 4; i++) {
		m.lp[i].table = p->lp[i].table;
		m.lp[i].interval_s = p->lp[i].interval_s;
	}
	for (uint32_t i = 0; i < p->n_mfg && i < POL_PROFILE_TABLES; i++) {
		m.mfg[i].table = p->mfg[i].table;
		m.mfg[i].meas = p->mfg[i].meas;
	}
	vec_put(&b->s[LAY_META], &m, sizeof(m));
}

static void put_prefixes(struct build *b, const struct pol_prefix *p, size_t n,
			 unsigned kind, size_t owner)
{
	for (size_t i = 0; i < n; i++) {
		struct lay_pfx4 four = {.kind = (uint8_t)kind,
					.owner = (uint16_t)owner};
		struct lay_pfx6 six = {.kind = (uint8_t)kind,
				       .owner = (uint16_t)owner,
				       .len = p[i].len};

		if (net_addr_is4(&p[i].addr) && p[i].len >= 96) {
			four.len = (uint8_t)(p[i].len - 96);
			memcpy(four.addr, p[i].addr.b + 12, 4);
			vec_put(&b->s[LAY_PFX4], &four, sizeof(four));
		} else {
			memcpy(six.addr, p[i].addr.b, 16);
			vec_put(&b->s[LAY_PFX6], &six, sizeof(six));
		}
	}
}

static int by_pfx4(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct lay_pfx4));
}

static int by_pfx6(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct lay_pfx6));
}

static void put_vms(struct build *b)
{
	static const uint8_t no_mac[6];

	for (size_t i = 0; i < b->f->n_key; i++) {
		struct lay_key k = {.id = build_str(b, b->f->key[i].id)};

		memcpy(k.ed25519, b->f->key[i].ed25519, 32);
		vec_put(&b->s[LAY_KEYS], &k, sizeof(k));
	}
	for (size_t i = 0; i < b->f->n_machine; i++) {
		const struct pol_vm_src *v = &b->f->machine[i];
		struct lay_vm o = {
			.attestation_max = v->attestation_max_ns,
			.id = build_str(b, v->id),
			.iface = build_str(b, v->interface),
			.policy = build_str(b, v->policy),
			.signed_by = build_str(b, v->signed_by),
			.title = build_text(b, v->title),
			.attestation = (uint8_t)v->attestation,
			.has_mac = memcmp(v->mac, no_mac, 6) != 0,
		};

		memcpy(o.mac, v->mac, 6);
		vec_put(&b->s[LAY_VMS], &o, sizeof(o));
		put_prefixes(b, v->addr, v->n_addr, LAY_OWNER_VM, i);
	}
}

static void put_party(struct build *b, size_t i)
{
	const struct pol_party_src *p = &b->f->party[i];
	struct lay_party o = {
		.keeps = p->keeps_ns,
		.id = build_str(b, p->id),
		.operator_ = build_str(b, p->operator_),
		.country = build_str(b, p->country),
		.dns = build_str(b, p->dns),
		.vm = build_str(b, p->vm),
		.name = build_text(b, p->name),
		.port_first =
			(uint32_t)(b->s[LAY_PORT].n / sizeof(struct lay_port)),
		.port_n = (uint32_t)p->n_port,
		.oid_off = blob(b, p->aptitle.p, p->aptitle.n),
		.oid_n = (uint32_t)p->aptitle.n,
		.role = (uint8_t)p->role,
		.flags = (uint8_t)((p->tls ? LAY_PARTY_TLS : 0) |
				   (p->tls_end_to_end ? LAY_PARTY_END_TO_END
						      : 0)),
	};

	for (size_t k = 0; k < p->n_port; k++) {
		struct lay_port port = {.lo = p->port[k].lo,
					.hi = p->port[k].hi,
					.proto = p->port[k].proto};

		vec_put(&b->s[LAY_PORT], &port, sizeof(port));
	}
	o.tls_first = (uint32_t)(b->s[LAY_LIST].n / sizeof(uint32_t));
	o.tls_n = (uint32_t)p->n_tls_name;
	for (size_t k = 0; k < p->n_tls_name; k++) {
		uint32_t off = build_str(b, p->tls_name[k]);

		build_list(b, &off, 1);
	}
	o.pin_off = blob(b, p->tls_pin, 32 * p->n_tls_pin);
	o.pin_n = (uint32_t)p->n_tls_pin;
	vec_put(&b->s[LAY_PRTY], &o, sizeof(o));
	put_prefixes(b, p->addr, p->n_addr, LAY_OWNER_PARTY, i);
}

static void put_limit(struct build *b, const struct pol_limit_phrase *p,
		      const struct pol_action_src *a, struct lay_limit l)
{
	l.n = p->n;
	l.burst = p->burst;
	l.window_ns = p->window_ns;
	l.text = build_text(b, p->text);
	l.distinct = p->distinct;
	l.kind = (uint8_t)p->kind;
	l.thing = (uint8_t)p->thing;
	l.window = (uint8_t)p->window;
	l.action = (uint8_t)(a ? a->kind : ACTION_UNSET);
	l.action_ns = a ? a->ns : 0;
	vec_put(&b->s[LAY_LIMT], &l, sizeof(l));
}

static uint32_t put_data(struct build *b, const struct pol_data_src *d)
{
	struct vec *out = &b->s[LAY_DATA];
	struct lay_data o = {
		.meas = d->meas,
		.gran_lo = d->gran_lo_ns,
		.gran_hi = d->gran_hi_ns,
		.history = d->history_ns,
		.delay = d->delay_ns,
		.res_milli = d->res_milli,
		.value_lo = d->value_lo,
		.value_hi = d->value_hi,
		.channels = d->channels,
		.res_unit = (uint8_t)d->res_unit,
		.value_unit = (uint8_t)d->value_unit,
		.flags = (uint16_t)((d->has_gran ? LAY_DATA_GRAN : 0) |
				    (d->has_history ? LAY_DATA_HISTORY : 0) |
				    (d->has_delay ? LAY_DATA_DELAY : 0) |
				    (d->has_res ? LAY_DATA_RES : 0) |
				    (d->has_value ? LAY_DATA_VALUE : 0) |
				    (d->has_channels ? LAY_DATA_CHANNELS : 0)),
	};

	if (!d->present)
		return LAY_NONE;
	vec_put(out, &o, sizeof(o));
	return (uint32_t)(out->n / sizeof(o)) - 1;
}

static void put_states(uint64_t *bits, uint8_t *builtin, const uint16_t *v,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i] >= POL_STATE_BUILTIN)
			*builtin = (uint8_t)(*builtin |
					     1u << (v[i] - POL_STATE_BUILTIN));
		else
			*bits |= UINT64_C(1) << (v[i] % 64);
	}
}

static uint32_t put_guard(struct build *b, const struct pol_rule_src *r)
{
	struct vec *out = &b->s[LAY_GARD];
	struct lay_guard g = {
		.spread = r->when.spread_ns,
		.from_min = r->when.from_min,
		.to_min = r->when.to_min,
		.days = r->when.days,
		.flags = (uint8_t)((r->has_answers ? LAY_GUARD_ANSWERS : 0) |
				   (r->when.present ? LAY_GUARD_WHEN : 0) |
				   (r->when.has_between ? LAY_GUARD_BETWEEN
							: 0)),
	};

	for (size_t i = 0; i < r->n_answers; i++)
		g.answers[r->answers[i] / 64 % 4] |= UINT64_C(1)
						     << (r->answers[i] % 64);
	put_states(&g.requires_, &g.requires_builtin, r->requires_,
		   r->n_requires);
	put_states(&g.forbids, &g.forbids_builtin, r->forbids, r->n_forbids);
	if (!g.flags && !r->n_requires && !r->n_forbids)
		return LAY_NONE;
	vec_put(out, &g, sizeof(g));
	return (uint32_t)(out->n / sizeof(g)) - 1;
}

static void put_rule(struct build *b, size_t i)
{
	const struct pol_rule_src *r = &b->f->rule[i];
	struct lay_rule o = {
		.action_ns = r->exceed.ns,
		.monitor_until = r->monitor_until_s,
		.id = build_str(b, r->id),
		.purpose = build_text(b, r->purpose),
		.message = build_text(b, r->message),
		.guard = put_guard(b, r),
		.data = put_data(b, &r->data),
		.limit_first =
			(uint32_t)(b->s[LAY_LIMT].n / sizeof(struct lay_limit)),
		.limit_n = (uint32_t)r->n_limit,
		.kind = (uint8_t)r->kind,
		.dir = (uint8_t)r->dir,
		.consent = (uint8_t)r->consent,
		.severity = (uint8_t)r->severity,
		.audit = (uint8_t)r->audit,
		.notify = r->notify,
		.action = (uint8_t)r->exceed.kind,
		.flags = r->block ? LAY_RULE_BLOCK : 0,
	};
	uint8_t flags = r->kind == RULE_RESTRICT && !r->data.present
				? LAY_LIMIT_RULE
				: LAY_LIMIT_RULE | LAY_LIMIT_MATCH;

	/* A restriction without data counts whatever leaves. */
	for (size_t k = 0; k < r->n_limit; k++)
		put_limit(
			b, &r->limit[k], &r->exceed,
			(struct lay_limit){.meas = r->data.meas,
					   .id = o.id,
					   .rule = (uint32_t)i,
					   .each = LAY_EACH_VM | LAY_EACH_PARTY,
					   .flags = flags});
	vec_put(&b->s[LAY_RULE], &o, sizeof(o));
}

static void put_top_limits(struct build *b)
{
	for (size_t i = 0; i < b->f->n_limit; i++) {
		const struct pol_limit_src *l = &b->f->limit[i];
		struct lay_limit o = {.meas = l->meas,
				      .id = build_str(b, l->id),
				      .rule = LAY_NONE};

		if (l->n_match || l->meas || l->each_meas)
			o.flags |= LAY_LIMIT_MATCH;
		o.each = (uint8_t)((l->each_vm ? LAY_EACH_VM : 0) |
				   (l->each_party ? LAY_EACH_PARTY : 0) |
				   (l->each_meas ? LAY_EACH_MEAS : 0));
		put_limit(b, &l->phrase, &l->exceed, o);
	}
}

static void put_rest(struct build *b)
{
	const struct pol_file *f = b->f;

	for (size_t i = 0; i < f->n_state; i++) {
		struct lay_state s = {.expires = f->state[i].expires_ns,
				      .id = build_str(b, f->state[i].id),
				      .scope = (uint8_t)f->state[i].scope};

		vec_put(&b->s[LAY_STAT], &s, sizeof(s));
	}
	for (size_t i = 0; i < f->n_consent_rule; i++) {
		const struct pol_consent_rule_src *c = &f->consent_rule[i];
		struct lay_consent o = {.meas = c->meas,
					.finer_than = c->finer_than_ns,
					.id = build_str(b, c->id),
					.minimum = (uint8_t)c->minimum};

		vec_put(&b->s[LAY_CONS], &o, sizeof(o));
	}
	for (size_t i = 0; i < f->n_answer; i++) {
		struct lay_answer o = {
			.policy = build_str(b, f->answer[i].policy),
			.rule = build_str(b, f->answer[i].rule),
			.granted = f->answer[i].granted};

		vec_put(&b->s[LAY_ANSW], &o, sizeof(o));
	}
	for (size_t i = 0; i < f->n_floor; i++) {
		struct lay_floor o = {.meas = f->floor[i].meas,
				      .id = build_str(b, f->floor[i].id),
				      .vm = build_str(b, f->floor[i].vm)};

		o.limit =
			(uint32_t)(b->s[LAY_LIMT].n / sizeof(struct lay_limit));
		put_limit(b, &f->floor[i].keep, NULL,
			  (struct lay_limit){.meas = f->floor[i].meas,
					     .id = o.id,
					     .rule = LAY_NONE,
					     .each = LAY_EACH_VM,
					     .flags = LAY_LIMIT_FLOOR |
						      LAY_LIMIT_MATCH});
		vec_put(&b->s[LAY_FLOR], &o, sizeof(o));
	}
}

static void put_libs(struct build *b)
{
	const struct pol_include *l = b->f->include;
	struct vec *out = &b->s[LAY_INCL];

	for (size_t i = 0; i < b->f->n_include; i++) {
		struct lay_lib o = {.serial = l[i].serial};

		memcpy(o.digest, l[i].digest, sizeof(o.digest));
		vec_put(out, &o, sizeof(o));
	}
	for (size_t i = 0; i < b->f->n_include; i++) {
		vec_put(out, l[i].id, strlen(l[i].id) + 1);
		vec_put(out, l[i].path, strlen(l[i].path) + 1);
	}
}

static void put_loc(struct build *b, struct pol_pos pos)
{
	struct lay_loc l = {pos.line, pos.col};

	vec_put(&b->s[LAY_LOCS], &l, sizeof(l));
}

static void put_locs(struct build *b)
{
	const struct pol_file *f = b->f;
	const char *path = f->path ? f->path : "";

	for (size_t i = 0; i < f->n_rule; i++)
		put_loc(b, f->rule[i].pos);
	for (size_t i = 0; i < f->n_rule; i++) {
		for (size_t k = 0; k < f->rule[i].n_limit; k++)
			put_loc(b, f->rule[i].limit[k].pos);
	}
	for (size_t i = 0; i < f->n_limit; i++)
		put_loc(b, f->limit[i].pos);
	for (size_t i = 0; i < f->n_floor; i++)
		put_loc(b, f->floor[i].pos);
	vec_put(&b->s[LAY_LOCS], path, strlen(path) + 1);
}

void build_rows(struct build *b)
{
	struct vec *s = b->s;

	put_meta(b);
	put_vms(b);
	for (size_t i = 0; i < b->f->n_party; i++)
		put_party(b, i);
	if (s[LAY_PFX4].n)
		qsort(s[LAY_PFX4].p, s[LAY_PFX4].n / sizeof(struct lay_pfx4),
		      sizeof(struct lay_pfx4), by_pfx4);
	if (s[LAY_PFX6].n)
		qsort(s[LAY_PFX6].p, s[LAY_PFX6].n / sizeof(struct lay_pfx6),
		      sizeof(struct lay_pfx6), by_pfx6);
	for (size_t i = 0; i < b->f->n_rule; i++)
		put_rule(b, i);
	put_top_limits(b);
	put_rest(b);
	put_libs(b);
	put_locs(b);
}
