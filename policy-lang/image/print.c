/* SPDX-License-Identifier: Apache-2.0 */
/* An image for people, from its octets alone; columns_text.c has what it selects. */
#include <stdarg.h>
#include <stdio.h>

#include "core/wbuf.h"
#include "policy-lang/image/tell.h"

void img_say(struct wbuf *w, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Only texts of an author are long: those are put whole. */
	if (n < 0 || (size_t)n >= sizeof(line))
		w->failed = true;
	else
		wbuf_put(w, span_of(line, (size_t)n));
}
#define out img_say

/* What a terminal would act on, or that hides text: controls, marks of
 * direction and of no width (U+0080 on, U+200B on, U+2060 on). */
static size_t unseen(const uint8_t *p, size_t n)
{
	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	if (n >= 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 2;
	if (n >= 3 && p[0] == 0xe2 &&
	    ((p[1] == 0x80 && ((p[2] >= 0x8b && p[2] <= 0x8f) ||
			       (p[2] >= 0xa8 && p[2] <= 0xae))) ||
	     (p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)))
		return 3;
	return 0;
}

void img_put(struct wbuf *w, struct span s)
{
	for (size_t i = 0; i < s.n;) {
		size_t hidden = unseen(s.p + i, s.n - i);

		if (!hidden)
			wbuf_u8(w, s.p[i++]);
		for (; hidden; hidden--)
			out(w, "\\x%02x", s.p[i++]);
	}
}

static void put(struct wbuf *w, const char *label, const char *text)
{
	if (!text[0])
		return;
	wbuf_put(w, span_str(label));
	img_put(w, span_str(text));
}

static void line(struct wbuf *w, const char *label, const char *text)
{
	put(w, label, text);
	if (text[0])
		out(w, "\n");
}

static void hex(struct wbuf *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out(w, "%02x", p[i]);
}

/* In the largest unit that says it exactly. */
static void duration(struct wbuf *w, const char *label, int64_t ns)
{
	static const struct {
		int64_t s;
		const char *unit;
	} units[] = {
		{86400, "d"  },
                {3600,  "h"  },
                {60,    "min"},
                {1,     "s"  }
        };
	int64_t s = ns / NS_PER_S;

	for (size_t i = 0; i < 4; i++) {
		if (ns % NS_PER_S == 0 && s % units[i].s == 0) {
			out(w, "%s%lld %s", label, (long long)(s / units[i].s),
			    units[i].unit);
			return;
		}
	}
	out(w, "%s%lld ns", label, (long long)ns);
}

static void date(struct wbuf *w, const char *label, int64_t s)
{
	struct civil c = civil_of(s);

	if (s == 0)
		out(w, "%sopen", label);
	else
		out(w, "%s%04d-%02d-%02d", label, c.year, c.month, c.day);
}

static void milli(struct wbuf *w, const char *label, int64_t v, unsigned unit)
{
	int64_t a = v < 0 ? -v : v;

	out(w, "%s%s%lld", label, v < 0 ? "-" : "", (long long)(a / 1000));
	if (a % 1000)
		out(w, ".%03lld", (long long)(a % 1000));
	out(w, " %s", unit_name((enum unit)unit));
}

const char *const img_kinds[] = {"?",        "binding", "baseline", "vendor",
				 "customer", "library", "tests"};
static const char *const rule_kinds[] = {"allow", "ceiling", "deny",
					 "restrict"};
static const char *const dirs[] = {"out", "in", "any"};
static const char *const consents[] = {"unset", "none", "opt-out", "opt-in"};
const char *const img_roles[ROLE_COUNT] = {
	"metering",        "grid",      "flexibility",    "service",
	"software-update", "household", "infrastructure", "vm"};
static const char *const scopes[] = {"vm", "party", "flow"};
static const char *const severities[] = {"",       "info", "low",
					 "medium", "high", "critical"};
static const char *const audits[] = {"", "each", "summary"};
static const char *const actions[] = {"",      "refuse", "drop",
				      "reset", "defer",  "quarantine"};
static const char *const attestations[] = {"required", "optional", "none"};
static const char *const builtins[BUILTIN_COUNT] = {
	"attested", "clock-trusted", "quarantined", "policy-expired"};
static const char *const days[7] = {"mon", "tue", "wed", "thu",
				    "fri", "sat", "sun"};
static const char *const notified[3] = {"portal", "vendor", "operator"};

/* --- the head ------------------------------------------------------------ */

static void role_set(struct wbuf *w, uint32_t set)
{
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (set >> i & 1)
			out(w, " %s", img_roles[i]);
	}
}

static void print_meter(struct wbuf *w, const struct pol_image *im)
{
	const struct lay_meta *m = im->META;
	char buf[MEAS_TEXT];

	if (!im->STRS[m->meter_id])
		return;
	line(w, "meter    ", im->STRS + m->meter_id);
	put(w, "zone     ", im->STRS + m->timezone);
	out(w, ", billing day %u\n", m->billing_day);
	if (m->register_res)
		milli(w, "register resolution ", (int64_t)m->register_res,
		      UNIT_WH);
	if (m->register_res)
		out(w, "\n");
	for (uint32_t i = 0; i < m->n_lp; i++) {
		out(w, "load profile table %u every ", m->lp[i].table);
		duration(w, "", (int64_t)m->lp[i].interval_s * NS_PER_S);
		out(w, "\n");
	}
	for (uint32_t i = 0; i < m->n_mfg; i++) {
		out(w, "manufacturer table %u: ", m->mfg[i].table);
		line(w, "", meas_text(buf, sizeof(buf), m->mfg[i].meas));
	}
}

static void print_libs(struct wbuf *w, const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_INCL; i++) {
		struct img_lib l = img_lib(im, i);

		out(w, "\nlibrary  ");
		img_put(w, l.id);
		out(w, " serial %llu sha256:",
		    (unsigned long long)im->INCL[i].serial);
		hex(w, im->INCL[i].digest, 32);
		out(w, " from ");
		img_put(w, l.path);
	}
}

static void print_head(struct wbuf *w, const struct pol_image *im)
{
	const struct lay_header *h = im->head;
	const struct lay_meta *m = im->META;

	out(w, "%s ", img_kinds[h->kind]);
	put(w, "", im->STRS + m->id);
	out(w, " serial %llu, format %u.%u, %llu octets\n",
	    (unsigned long long)h->serial, h->major, h->minor,
	    (unsigned long long)h->length);
	line(w, "title    ", im->TEXT + m->title);
	line(w, "contact  ", im->TEXT + m->contact);
	line(w, "vm       ", im->STRS + m->vm);
	if (h->not_before || h->not_after) {
		date(w, "valid    from ", h->not_before);
		date(w, " until ", h->not_after);
		out(w, "\n");
	}
	if (m->monitor_until) {
		date(w, "mode     monitor until ", m->monitor_until);
		out(w, "\n");
	}
	out(w, "payload  ");
	hex(w, h->payload, 32);
	out(w, "\nsource   ");
	hex(w, h->source, 32);
	out(w, "\nchecked  no two grants overlap, of rules ");
	hex(w, im->UNIQ->digest, 32);
	out(w, "\nsigned   ");
	if (im->n_SIGN) {
		out(w, "says key ed25519:");
		hex(w, im->SIGN->key, 32);
	} else {
		out(w, "no");
	}
	if (im->path.n)
		out(w, "\nfrom     ");
	img_put(w, im->path);
	print_libs(w, im);
	out(w,
	    "\nsize     %u columns in %u words, %u dimensions, %u states of "
	    "automata\n",
	    im->n_COLS, im->words, im->n_OBSV, im->n_AUTO);
	print_meter(w, im);
	if (m->widening_notice) {
		out(w, "widening");
		role_set(w, m->widening_roles);
		duration(w, " notice ", m->widening_notice);
		out(w, "\n");
	}
}

/* --- who is who ---------------------------------------------------------- */

static void print_prefixes(struct wbuf *w, const struct pol_image *im,
			   unsigned kind, uint32_t owner)
{
	for (uint32_t i = 0; i < im->n_PFX4; i++) {
		const struct lay_pfx4 *p = &im->PFX4[i];

		if (p->kind == kind && p->owner == owner)
			out(w, " %u.%u.%u.%u/%u", p->addr[0], p->addr[1],
			    p->addr[2], p->addr[3], p->len);
	}
	for (uint32_t i = 0; i < im->n_PFX6; i++) {
		char buf[NET_ADDR_TEXT];
		struct net_addr a;

		if (im->PFX6[i].kind != kind || im->PFX6[i].owner != owner)
			continue;
		memcpy(a.b, im->PFX6[i].addr, 16);
		out(w, " %s/%u", net_addr_text(buf, &a), im->PFX6[i].len);
	}
}

static void print_machine(struct wbuf *w, const struct pol_image *im,
			  uint32_t i)
{
	const struct lay_vm *v = &im->VMS[i];

	put(w, "vm ", im->STRS + v->id);
	put(w, ": ", im->STRS + v->iface);
	put(w, " policy ", im->STRS + v->policy);
	put(w, " signed-by ", im->STRS + v->signed_by);
	if (v->has_mac)
		out(w, " mac %02x:%02x:%02x:%02x:%02x:%02x", v->mac[0],
		    v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	print_prefixes(w, im, LAY_OWNER_VM, i);
	out(w, " attestation %s", attestations[v->attestation]);
	duration(w, " at most ", v->attestation_max);
	out(w, " old\n");
	line(w, "    title ", im->TEXT + v->title);
}

static void print_tls(struct wbuf *w, const struct pol_image *im,
		      const struct lay_party *p)
{
	if (!(p->flags & LAY_PARTY_TLS))
		return;
	out(w, "    tls %s",
	    p->flags & LAY_PARTY_END_TO_END ? "end-to-end" : "gateway");
	for (uint32_t k = 0; k < p->tls_n; k++)
		put(w, " name ", im->STRS + im->LIST[p->tls_first + k]);
	for (uint32_t k = 0; k < p->pin_n; k++) {
		out(w, " pin ");
		hex(w, im->BLOB + p->pin_off + 32 * k, 32);
	}
	out(w, "\n");
}

static void print_party(struct wbuf *w, const struct pol_image *im, uint32_t i)
{
	const struct lay_party *p = &im->PRTY[i];
	char oid[OID_TEXT];

	put(w, "party ", im->STRS + p->id);
	out(w, ": %s", img_roles[p->role]);
	put(w, " machine ", im->STRS + p->vm);
	put(w, " dns ", im->STRS + p->dns);
	print_prefixes(w, im, LAY_OWNER_PARTY, i);
	for (uint32_t k = 0; k < p->port_n; k++) {
		const struct lay_port *r = &im->PORT[p->port_first + k];

		out(w, " %s/%u", r->proto == 6 ? "tcp" : "udp", r->lo);
		if (r->hi != r->lo)
			out(w, "-%u", r->hi);
	}
	if (p->oid_n)
		out(w, " aptitle %s",
		    oid_text(oid, sizeof(oid),
			     span_of(im->BLOB + p->oid_off, p->oid_n)));
	out(w, "\n");
	line(w, "    name ", im->TEXT + p->name);
	line(w, "    operator ", im->STRS + p->operator_);
	line(w, "    country ", im->STRS + p->country);
	if (p->keeps) {
		duration(w, "    keeps data for ", p->keeps);
		out(w, "\n");
	}
	print_tls(w, im, p);
}

static void print_who(struct wbuf *w, const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_KEYS; i++) {
		put(w, "key ", im->STRS + im->KEYS[i].id);
		out(w, ": ed25519:");
		hex(w, im->KEYS[i].ed25519, 32);
		out(w, "\n");
	}
	for (uint32_t i = 0; i < im->n_VMS; i++)
		print_machine(w, im, i);
	for (uint32_t i = 0; i < im->n_PRTY; i++)
		print_party(w, im, i);
}

/* --- rules --------------------------------------------------------------- */

static void print_data(struct wbuf *w, const struct lay_data *d)
{
	char buf[MEAS_TEXT];

	out(w, "    data ");
	put(w, "", meas_text(buf, sizeof(buf), d->meas));
	if (d->flags & LAY_DATA_GRAN) {
		duration(w, " granularity ", d->gran_lo);
		if (d->gran_hi)
			duration(w, " to ", d->gran_hi);
		else
			out(w, " or coarser");
	}
	if (d->flags & LAY_DATA_HISTORY)
		duration(w, " history ", d->history);
	if (d->flags & LAY_DATA_DELAY)
		duration(w, " delay ", d->delay);
	if (d->flags & LAY_DATA_RES)
		milli(w, " resolution ", d->res_milli, d->res_unit);
	if (d->flags & LAY_DATA_VALUE) {
		milli(w, " value ", d->value_lo, d->value_unit);
		milli(w, " to ", d->value_hi, d->value_unit);
	}
	if (d->flags & LAY_DATA_CHANNELS)
		out(w, " channels %u", d->channels);
	out(w, "\n");
}

static void print_states(struct wbuf *w, const struct pol_image *im,
			 const char *label, uint64_t set, unsigned builtin)
{
	if (!set && !builtin)
		return;
	out(w, "    %s", label);
	for (uint32_t i = 0; i < im->n_STAT; i++) {
		if (set >> i & 1)
			put(w, " ", im->STRS + im->STAT[i].id);
	}
	for (unsigned i = 0; i < BUILTIN_COUNT; i++) {
		if (builtin >> i & 1)
			out(w, " %s", builtins[i]);
	}
	out(w, "\n");
}

static void print_guard(struct wbuf *w, const struct pol_image *im,
			const struct lay_guard *g)
{
	if (g->flags & LAY_GUARD_ANSWERS) {
		out(w, "    answers");
		for (uint32_t i = 0; i < im->n_RULE; i++) {
			if (g->answers[i / 64] >> (i % 64) & 1)
				put(w, " ", im->STRS + im->RULE[i].id);
		}
		out(w, "\n");
	}
	print_states(w, im, "requires", g->requires_, g->requires_builtin);
	print_states(w, im, "forbids", g->forbids, g->forbids_builtin);
	if (!(g->flags & LAY_GUARD_WHEN))
		return;
	out(w, "    when");
	if (g->flags & LAY_GUARD_BETWEEN)
		out(w, " %02u:%02u-%02u:%02u", g->from_min / 60,
		    g->from_min % 60, g->to_min / 60, g->to_min % 60);
	for (unsigned i = 0; i < 7; i++) {
		if (g->days >> i & 1)
			out(w, " %s", days[i]);
	}
	if (g->spread)
		duration(w, " spread ", g->spread);
	out(w, "\n");
}

static void print_exceed(struct wbuf *w, unsigned action, int64_t ns)
{
	if (action == ACTION_UNSET)
		return;
	out(w, "    exceed %s", actions[action]);
	if (ns)
		duration(w, " ", ns);
	out(w, "\n");
}

static void print_audit(struct wbuf *w, const struct lay_rule *r)
{
	line(w, "    severity ", severities[r->severity]);
	line(w, "    audit ", audits[r->audit]);
	if (r->notify == NOTIFY_REFUSED)
		out(w, "    notify portal of refusals\n");
	else if (r->notify)
		out(w, "    notify");
	for (unsigned i = 0; i < 3; i++) {
		if (r->notify >> i & 1)
			out(w, " %s", notified[i]);
	}
	if (r->notify && r->notify != NOTIFY_REFUSED)
		out(w, "\n");
	if (r->monitor_until) {
		date(w, "    mode monitor until ", r->monitor_until);
		out(w, "\n");
	}
}

static void print_rule(struct wbuf *w, const struct pol_image *im, uint32_t i)
{
	const struct lay_rule *r = &im->RULE[i];

	out(w, "%s ", rule_kinds[r->kind]);
	put(w, "", im->STRS + r->id);
	out(w, ": %s", dirs[r->dir]);
	if (r->consent)
		out(w, " consent %s", consents[r->consent]);
	if (r->flags & LAY_RULE_BLOCK)
		out(w, " block");
	if (i < im->n_LOCS)
		out(w, " (line %u)", im->LOCS[i].line);
	out(w, "\n");
	line(w, "    purpose ", im->TEXT + r->purpose);
	line(w, "    message ", im->TEXT + r->message);
	for (uint32_t c = 0; c < im->col_at[COL_LIMIT]; c++) {
		if (im->COLS[c].owner == i)
			img_tell_column(w, im, c);
	}
	if (r->data != LAY_NONE)
		print_data(w, &im->DATA[r->data]);
	if (r->guard != LAY_NONE)
		print_guard(w, im, &im->GARD[r->guard]);
	for (uint32_t k = 0; k < r->limit_n; k++)
		line(w, "    limit ",
		     im->TEXT + im->LIMT[r->limit_first + k].text);
	print_exceed(w, r->action, r->action_ns);
	print_audit(w, r);
}

static void columns_of(struct wbuf *w, const struct pol_image *im,
		       unsigned type, uint32_t owner)
{
	for (uint32_t c = im->col_at[type]; c < im->col_at[type + 1]; c++) {
		if (im->COLS[c].owner == owner)
			img_tell_column(w, im, c);
	}
}

static void print_limit(struct wbuf *w, const struct pol_image *im, uint32_t i)
{
	static const char *const each[] = {"vm", "party", "measurement"};
	const struct lay_limit *l = &im->LIMT[i];
	char buf[MEAS_TEXT];

	/* Those of rules and floors stand there. */
	if (l->rule != LAY_NONE || (l->flags & LAY_LIMIT_FLOOR))
		return;
	put(w, "limit ", im->STRS + l->id);
	line(w, ": ", im->TEXT + l->text);
	columns_of(w, im, COL_LIMIT, i);
	if (l->meas)
		line(w, "    of ", meas_text(buf, sizeof(buf), l->meas));
	if (l->each)
		out(w, "    each");
	for (unsigned k = 0; k < 3; k++) {
		if (l->each >> k & 1)
			out(w, " %s", each[k]);
	}
	if (l->each)
		out(w, "\n");
	print_exceed(w, l->action, l->action_ns);
}

static void print_state(struct wbuf *w, const struct pol_image *im, uint32_t i)
{
	put(w, "state ", im->STRS + im->STAT[i].id);
	out(w, ": %s", scopes[im->STAT[i].scope]);
	duration(w, ", expires ", im->STAT[i].expires);
	out(w, "\n  set by\n");
	columns_of(w, im, COL_SET, i);
	for (uint32_t c = im->col_at[COL_CLEAR]; c < im->col_at[COL_TYPES];
	     c++) {
		if (im->COLS[c].owner == i) {
			out(w, "  cleared by\n");
			break;
		}
	}
	columns_of(w, im, COL_CLEAR, i);
}

static void print_label(struct wbuf *w, const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_LABL; i++) {
		const struct lay_label *l = &im->LABL[i];
		const struct lay_party *p = &im->PRTY[l->party];
		bool operated = im->STRS[p->operator_];

		put(w, "label to ", operated ? im->STRS + p->operator_
					     : im->TEXT + p->name);
		out(w, ": grade %c", l->grade);
		if (l->spacing == 0)
			out(w, ", all the time");
		else if (l->spacing < INT64_MAX)
			duration(w, ", every ", l->spacing);
		out(w, "%s%s%s%s (not believed: polc verify compares)\n",
		    l->live ? ", live" : "", l->late ? ", late" : "",
		    l->sealed ? ", sealed" : "",
		    l->other == LABEL_OTHER_ANY
			    ? ", any messages without readings"
		    : l->other ? ", messages without readings"
			       : "");
	}
}

static void print_household(struct wbuf *w, const struct pol_image *im)
{
	char buf[MEAS_TEXT];

	for (uint32_t i = 0; i < im->n_CONS; i++) {
		const struct lay_consent *c = &im->CONS[i];

		put(w, "consent-rule ", im->STRS + c->id);
		put(w, ": ", meas_text(buf, sizeof(buf), c->meas));
		duration(w, " finer than ", c->finer_than);
		out(w, " needs %s\n", consents[c->minimum]);
	}
	for (uint32_t i = 0; i < im->n_ANSW; i++) {
		put(w, "consent ", im->STRS + im->ANSW[i].policy);
		put(w, "/", im->STRS + im->ANSW[i].rule);
		out(w, ": %s\n", im->ANSW[i].granted ? "granted" : "refused");
	}
	for (uint32_t i = 0; i < im->n_FLOR; i++) {
		const struct lay_floor *f = &im->FLOR[i];

		put(w, "floor ", im->STRS + f->id);
		put(w, ": vm ", im->STRS + f->vm);
		put(w, " ", meas_text(buf, sizeof(buf), f->meas));
		line(w, " keeps ", im->TEXT + im->LIMT[f->limit].text);
	}
}

bool pol_image_print_rule(const struct pol_image *im, uint32_t rule,
			  struct wbuf *w)
{
	if (rule < im->n_RULE)
		print_rule(w, im, rule);
	return !w->failed;
}

bool pol_image_print(const struct pol_image *im, struct wbuf *w)
{
	print_head(w, im);
	print_who(w, im);
	for (uint32_t i = 0; i < im->n_STAT; i++)
		print_state(w, im, i);
	for (uint32_t i = 0; i < im->n_RULE; i++)
		print_rule(w, im, i);
	for (uint32_t i = 0; i < im->n_LIMT; i++)
		print_limit(w, im, i);
	print_household(w, im);
	print_label(w, im);
	return !w->failed;
}
