/* SPDX-License-Identifier: Apache-2.0 */
/* An image for people, from its octets alone. */
#include <stdarg.h>
#include <stdio.h>

#include "core/wbuf.h"
#include "policy-lang/image/view.h"

static void out(struct wbuf *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void out(struct wbuf *w, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	wbuf_put(w, span_of(line, (size_t)n < sizeof(line) ? (size_t)n
							   : sizeof(line) - 1));
}

static void hex(struct wbuf *w, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out(w, "%02x", p[i]);
}

static const char *const kinds[] = {"?",        "binding", "baseline", "vendor",
				    "customer", "library", "tests"};
static const char *const rule_kinds[] = {"allow", "ceiling", "deny",
					 "restrict"};
static const char *const dirs[] = {"out", "in", "any"};
static const char *const consents[] = {"", " consent none", " consent opt-out",
				       " consent opt-in"};
static const char *const roles[ROLE_COUNT] = {
	"metering",        "grid",      "flexibility",    "service",
	"software-update", "household", "infrastructure", "vm"};
static const char *const scopes[] = {"vm", "party", "flow"};

static void print_head(struct wbuf *w, const struct pol_image *im)
{
	const struct lay_header *h = im->head;

	out(w, "%s %s serial %llu, format %u.%u, %llu octets\n", kinds[h->kind],
	    im->STRS + im->META->id, (unsigned long long)h->serial, h->major,
	    h->minor, (unsigned long long)h->length);
	if (im->TEXT[im->META->title])
		out(w, "title    %s\n", im->TEXT + im->META->title);
	if (im->STRS[im->META->vm])
		out(w, "vm       %s\n", im->STRS + im->META->vm);
	if (h->not_before || h->not_after)
		out(w, "valid    %lld to %lld\n", (long long)h->not_before,
		    (long long)h->not_after);
	out(w, "payload  ");
	hex(w, h->payload, 32);
	out(w, "\nsource   ");
	hex(w, h->source, 32);
	out(w,
	    "\nsize     %u columns in %u words, %u dimensions, %u states of "
	    "automata\n",
	    im->n_COLS, im->words, im->n_OBSV, im->n_AUTO);
}

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

static void print_who(struct wbuf *w, const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_VMS; i++) {
		const struct lay_vm *v = &im->VMS[i];

		out(w, "vm %s: %s policy %s signed-by %s", im->STRS + v->id,
		    im->STRS + v->iface, im->STRS + v->policy,
		    im->STRS + v->signed_by);
		print_prefixes(w, im, LAY_OWNER_VM, i);
		out(w, "\n");
	}
	for (uint32_t i = 0; i < im->n_PRTY; i++) {
		const struct lay_party *p = &im->PRTY[i];
		char oid[OID_TEXT];

		out(w, "party %s: %s", im->STRS + p->id, roles[p->role]);
		if (im->STRS[p->vm])
			out(w, " machine %s", im->STRS + p->vm);
		print_prefixes(w, im, LAY_OWNER_PARTY, i);
		for (uint32_t k = 0; k < p->port_n; k++) {
			const struct lay_port *r = &im->PORT[p->port_first + k];

			out(w, " %s/%u-%u", r->proto == 6 ? "tcp" : "udp",
			    r->lo, r->hi);
		}
		if (p->oid_n)
			out(w, " aptitle %s",
			    oid_text(oid, sizeof(oid),
				     span_of(im->BLOB + p->oid_off, p->oid_n)));
		out(w, "\n");
	}
}

static void print_data(struct wbuf *w, const struct lay_data *d)
{
	char buf[MEAS_TEXT];

	out(w, "    data %s", meas_text(buf, sizeof(buf), d->meas));
	if (d->flags & LAY_DATA_GRAN)
		out(w, " granularity %llds",
		    (long long)(d->gran_lo / 1000000000));
	if (d->flags & LAY_DATA_HISTORY)
		out(w, " history %llds", (long long)(d->history / 1000000000));
	if (d->flags & LAY_DATA_DELAY)
		out(w, " delay %llds", (long long)(d->delay / 1000000000));
	if (d->flags & LAY_DATA_RES)
		out(w, " resolution %lldm%s", (long long)d->res_milli,
		    unit_name((enum unit)d->res_unit));
	if (d->flags & LAY_DATA_VALUE)
		out(w, " value %lldm to %lldm%s", (long long)d->value_lo,
		    (long long)d->value_hi,
		    unit_name((enum unit)d->value_unit));
	if (d->flags & LAY_DATA_CHANNELS)
		out(w, " channels %u", d->channels);
	out(w, "\n");
}

static void print_kinds(struct wbuf *w, const struct pol_image *im,
			uint32_t col)
{
	const struct lay_dim *d = &im->OBSV[LAY_DIM_KIND];

	if (!(im->COLS[col].flags & LAY_COL_MATCH))
		return;
	out(w, "    match");
	for (uint32_t k = 0; k < OBS_COUNT; k++) {
		if (img_row(im, d, k)[col / 64] >> (col % 64) & 1)
			out(w, " %s", obs_name((enum obs_kind)k));
	}
	out(w, "\n");
}

static void print_rules(struct wbuf *w, const struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		const struct lay_rule *r = &im->RULE[i];

		out(w, "%s %s: %s%s%s\n", rule_kinds[r->kind], im->STRS + r->id,
		    dirs[r->dir], consents[r->consent],
		    r->flags & LAY_RULE_BLOCK ? " block" : "");
		for (uint32_t c = 0; c < im->col_at[COL_LIMIT]; c++) {
			if (im->COLS[c].owner == i)
				print_kinds(w, im, c);
		}
		if (r->data != LAY_NONE)
			print_data(w, &im->DATA[r->data]);
		for (uint32_t k = 0; k < r->limit_n; k++)
			out(w, "    limit %s\n",
			    im->TEXT + im->LIMT[r->limit_first + k].text);
	}
	for (uint32_t i = 0; i < im->n_LIMT; i++) {
		if (im->LIMT[i].rule == LAY_NONE)
			out(w, "limit %s: %s\n", im->STRS + im->LIMT[i].id,
			    im->TEXT + im->LIMT[i].text);
	}
}

bool pol_image_print(const struct pol_image *im, struct wbuf *w)
{
	print_head(w, im);
	print_who(w, im);
	for (uint32_t i = 0; i < im->n_STAT; i++)
		out(w, "state %s: %s, expires %llds\n",
		    im->STRS + im->STAT[i].id, scopes[im->STAT[i].scope],
		    (long long)(im->STAT[i].expires / 1000000000));
	print_rules(w, im);
	for (uint32_t i = 0; i < im->n_ANSW; i++)
		out(w, "consent %s/%s: %s\n", im->STRS + im->ANSW[i].policy,
		    im->STRS + im->ANSW[i].rule,
		    im->ANSW[i].granted ? "granted" : "refused");
	for (uint32_t i = 0; i < im->n_FLOR; i++)
		out(w, "floor %s: %s\n", im->STRS + im->FLOR[i].id,
		    im->TEXT + im->LIMT[im->FLOR[i].limit].text);
	return !w->failed;
}
