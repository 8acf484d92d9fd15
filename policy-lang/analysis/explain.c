/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/eval/internal.h"

struct page {
	char *p;
	size_t cap, n;
};

static void line(struct page *pg, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void line(struct page *pg, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (pg->n + 1 >= pg->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(pg->p + pg->n, pg->cap - pg->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		pg->n += (size_t)n < pg->cap - pg->n ? (size_t)n
						     : pg->cap - pg->n - 1;
}

#define TEXT(s) (int)(s).n, (const char *)(s).p

static void say_reasons(struct page *pg, const struct reasons *r)
{
	bool first = true;

	for (unsigned i = 1; i < REASON_COUNT; i++) {
		if (!reasons_has(r, (enum reason)i))
			continue;
		line(pg, "%s%s", first ? "  " : ", ",
		     reason_text((enum reason)i));
		first = false;
	}
	line(pg, "\n");
}

static bool has_fail(const struct pol_state *st, enum reason r)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].reason == r)
			return true;
	}
	return false;
}

static const struct machine *machine_of(const struct pol_state *st,
					const struct pol_msg *m)
{
	return &st->s->m[m->machine];
}

/* "10.77.0.2, 52:54:00:aa:00:01 on vif1.0 is mdma". What is not bound to the
 * machine (-g of a replay) is given by its address alone. */
static void say_source(struct page *pg, const struct pol_state *st,
		       const struct pol_msg *m, const struct net_addr *seen)
{
	const struct pol_machine *is = &machine_of(st, m)->pub;
	const struct net_addr *a = seen		? seen
				   : is->n_addr ? &is->addr[0].addr
						: NULL;
	bool bound = !seen;
	char t[NET_ADDR_TEXT];

	for (size_t i = 0; seen && i < is->n_addr; i++)
		bound |= net_addr_eq(&is->addr[i].addr, seen);
	line(pg, "  source     %-9s ", m->forged_source ? "refused" : "ok");
	if (m->forged_source) {
		line(pg, "its address is not bound to %.*s\n",
		     TEXT(is->name));
		return;
	}
	if (a)
		line(pg, "%s", net_addr_text(t, a));
	if (a && bound && is->has_mac)
		line(pg, ", %02x:%02x:%02x:%02x:%02x:%02x", is->mac[0],
		     is->mac[1], is->mac[2], is->mac[3], is->mac[4],
		     is->mac[5]);
	if (a && bound && is->interface.n)
		line(pg, " on %.*s", TEXT(is->interface));
	line(pg, "%sis %.*s\n", a ? " " : "", TEXT(is->name));
	if (has_fail(st, REASON_QUARANTINED))
		line(pg, "  machine    refused   in quarantine\n");
}

/* What the party says of itself, all of which held. */
static void say_identity(struct page *pg, const struct machine *ma, uint32_t i)
{
	const struct lay_party *p = &ma->vendor->PRTY[i];
	bool nowhere = (ma->anywhere | ma->unplaced) >> i & 1;
	bool end = p->flags & LAY_PARTY_END_TO_END;
	const char *what[6];
	size_t n = 0;

	if (img_str(ma->vendor, p->vm).n) {
		line(pg, ": machine %.*s of this meter",
		     TEXT(img_str(ma->vendor, p->vm)));
		return;
	}
	if (!nowhere)
		what[n++] = "address";
	if (img_str(ma->vendor, p->dns).n)
		what[n++] = "name";
	if (p->port_n)
		what[n++] = "port";
	if (p->oid_n)
		what[n++] = "ApTitle";
	if (end && p->tls_n)
		what[n++] = "TLS name";
	for (size_t k = 0; k < n; k++)
		line(pg, "%s%s", k == 0 ? ": " : k + 1 < n ? ", " : " and ",
		     what[k]);
	if (n)
		line(pg, " match%s", n == 1 ? "es" : "");
	if (p->flags & LAY_PARTY_TLS && !end)
		line(pg, "; TLS%s checked where the gateway seals it",
		     p->tls_n && p->pin_n ? " name and key are"
		     : p->tls_n		  ? " name is"
		     : p->pin_n		  ? " key is"
					  : " is");
}

static void say_party(struct page *pg, const struct pol_state *st,
		      const struct pol_msg *m, struct span party)
{
	const struct machine *ma = machine_of(st, m);
	char a[NET_ADDR_TEXT];

	if (party.n) {
		line(pg, "  party      ok        %.*s", TEXT(party));
		for (uint32_t i = 0; ma->vendor && i < ma->vendor->n_PRTY;
		     i++) {
			if (span_eq(img_str(ma->vendor, ma->vendor->PRTY[i].id),
				    party))
				say_identity(pg, ma, i);
		}
		line(pg, "\n");
	} else if (has_fail(st, REASON_PARTY_IDENTITY)) {
		line(pg,
		     "  party      refused   %s port %u is a party's, its "
		     "ApTitle is not\n",
		     net_addr_text(a, &m->peer.addr), m->peer.port);
	} else if (has_fail(st, REASON_UNKNOWN_PARTY)) {
		line(pg,
		     "  party      refused   %s port %u is nobody the "
		     "policy names\n",
		     net_addr_text(a, &m->peer.addr), m->peer.port);
	}
}

/* A failure of a layer of a side, not of its limits? */
static bool fails_in(const struct fail *f, unsigned side, unsigned l)
{
	return f->side == side && f->layer == l && f->limit == LAY_NONE;
}

/* The failures of one rule of a layer. What no rule is to blame for stands
 * with the first. */
static void say_fails(struct page *pg, const struct pol_state *st,
		      unsigned side, unsigned l, uint32_t rule, bool first)
{
	char buf[256];

	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];

		if (!fails_in(f, side, l) ||
		    (f->rule != rule && !(first && f->rule == NO_RULE)))
			continue;
		text_fail(st, f, buf, sizeof(buf));
		line(pg, "                         %s%s\n", buf,
		     f->monitored ? " (monitored)" : "");
	}
}

/* The rule of failure i, if it is a rule that no failure before it names. */
static uint32_t next_rule(const struct pol_state *st, unsigned side, unsigned l,
			  uint32_t i)
{
	const struct fail *f = &st->fail[i];

	if (!fails_in(f, side, l))
		return NO_RULE;
	for (uint32_t k = 0; k < i; k++) {
		if (fails_in(&st->fail[k], side, l) &&
		    st->fail[k].rule == f->rule)
			return NO_RULE;
	}
	return f->rule;
}

static bool layer_failed(const struct pol_state *st, unsigned side, unsigned l)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].side == side && st->fail[i].layer == l &&
		    st->fail[i].limit == LAY_NONE)
			return true;
	}
	return false;
}

static void say_rule(struct page *pg, const char *layer, bool bad,
		     const char *rule, struct span file, uint32_t at)
{
	line(pg, "  %-10s %-9s ", layer, bad ? "refused" : "ok");
	if (at)
		line(pg, "%-36s %.*s:%u\n", rule, TEXT(file), at);
	else
		line(pg, "%s\n", rule);
}

/* One rule of a layer, or that there is none, and what failed of it. */
static void say_one(struct page *pg, const struct pol_state *st, unsigned side,
		    unsigned l, uint32_t rule, bool first)
{
	const struct pol_image *im = st->side[side].im[l];
	struct span name = st->s->m[st->side[side].m].pub.name;
	char text[160];

	snprintf(text, sizeof(text), "%s%s%.*s",
		 im && rule != NO_RULE ? im->STRS + im->RULE[rule].id :
					 "no rule",
		 side ? " of " : "", side ? (int)name.n : 0,
		 (const char *)name.p);
	say_rule(pg, side ? "peer" : text_layer((enum layer)l),
		 layer_failed(st, side, l), text,
		 im ? im->path : (struct span){0},
		 im && rule != NO_RULE && im->n_LOCS ? im->LOCS[rule].line :
						       0);
	say_fails(pg, st, side, l, rule, first);
}

static void say_layer(struct page *pg, const struct pol_state *st,
		      unsigned side, unsigned l)
{
	const struct side *sd = &st->side[side];
	bool bad = layer_failed(st, side, l), said = false;

	if (!sd->im[l] && !bad)
		return;
	if (l == LAYER_CUSTOMER && !bad) {
		line(pg, "  %-10s ok\n", "customer");
		return;
	}
	/* Of restrictions each may refuse, for a reason of its own. */
	for (uint32_t i = 0; i < st->n_fail; i++) {
		uint32_t rule = next_rule(st, side, l, i);

		if (rule == NO_RULE)
			continue;
		say_one(pg, st, side, l, rule, !said);
		said = true;
	}
	if (!said)
		say_one(pg, st, side, l, sd->rule[l], true);
}

/* The layers of a message that passed, as its decision tells them. */
static void say_passed(struct page *pg, const struct pol_state *st,
		       const struct pol_decision *d)
{
	bool vendor = false;

	for (uint32_t i = 0; i < d->n_rules; i++) {
		const struct event_rule *r = &d->rules[i];
		bool is = span_is(r->layer, text_layer(LAYER_VENDOR));
		char layer[16], rule[64];

		snprintf(layer, sizeof(layer), "%.*s", TEXT(r->layer));
		snprintf(rule, sizeof(rule), "%.*s",
			 r->rule.n ? (int)r->rule.n : 7,
			 r->rule.n ? (const char *)r->rule.p : "no rule");
		say_rule(pg, is && vendor ? "peer" : layer, false, rule,
			 r->file, r->line);
		if (is && !vendor && st->s->customer)
			line(pg, "  %-10s ok\n", "customer");
		vendor |= is;
	}
}

/* --- limits -------------------------------------------------------------- */

/* Octets that a word for a size stands for; 0: it is none. */
static uint64_t size_of(struct span word)
{
	static const struct {
		const char *word;
		uint64_t octets;
	} sizes[] = {
		{"B",   1	},
		 {"kB",  1000	 },
		   {"KiB", 1024	  },
		{"MB",  1000000},
		 {"MiB", 1u << 20},
		   {"GiB", 1u << 30},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (span_is(word, sizes[i].word))
			return sizes[i].octets;
	}
	return 0;
}

static struct span word_of(const char **p)
{
	size_t n = strcspn(*p, " ");
	struct span w = span_of(*p, n);

	*p += n + strspn(*p + n, " ");
	return w;
}

/* "1 of 1 reading today", from the limit's own phrase. */
static void say_room(struct page *pg, struct span name, uint64_t used,
		     uint64_t limit)
{
	uint64_t left = used < limit ? limit - used : 0, unit;
	char phrase[160];
	const char *p = phrase, *colon;
	struct span thing;

	snprintf(phrase, sizeof(phrase), "%.*s", TEXT(name));
	colon = strstr(phrase, ": ");
	p = colon ? colon + 2 : phrase;
	if (*p < '0' || *p > '9') { /* "at most 3 distinct table per day" */
		line(pg, "%llu of %llu left of '%s'", (unsigned long long)left,
		     (unsigned long long)limit, p);
		return;
	}
	(void)word_of(&p);
	thing = word_of(&p);
	unit = size_of(thing);
	if (unit > 1) {
		line(pg, "%llu", (unsigned long long)(left / unit));
		if (left % unit)
			line(pg, ".%llu",
			     (unsigned long long)(left % unit * 10 / unit));
		limit /= unit;
	} else {
		line(pg, "%llu", (unsigned long long)left);
	}
	line(pg, " of %llu %.*s", (unsigned long long)limit, TEXT(thing));
	if (strncmp(p, "per ", 4) != 0)
		line(pg, "%s%s", *p ? " " : "", p);
	else if (strcmp(p, "per day") == 0)
		line(pg, " today");
	else if (p[4] >= '0' && p[4] <= '9')
		line(pg, " in %s", p + 4);
	else
		line(pg, " this %s", p + 4);
}

/* Has it none left? That was said already. */
static bool is_full(const struct pol_state *st, uint32_t limit)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].limit == limit)
			return true;
	}
	return false;
}

/* What a refused message would have been charged to, as it stands. */
static void say_left(struct page *pg, const struct pol_state *st, bool any)
{
	bool first = true;

	for (uint32_t i = 0; i < st->n_pend; i++) {
		const struct set_limit *l = &st->s->limit[st->pend[i].limit];
		uint64_t used, of;
		int64_t wait;

		if (l->l->kind == LIMIT_SPACING ||
		    is_full(st, st->pend[i].limit))
			continue;
		used = limit_now(st, l->l, st->pend[i].at, &of, &wait);
		if (first)
			line(pg, "  %-10s %-9s ", any ? "" : "limits", "room");
		else
			line(pg, " \xc2\xb7 ");
		say_room(pg, l->name, used, of);
		first = false;
	}
	if (!first)
		line(pg, "\n");
}

static void say_limits(struct page *pg, const struct pol_state *st,
		       const struct pol_decision *d)
{
	char buf[256];
	bool any = false;

	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];

		if (f->limit == LAY_NONE)
			continue;
		text_fail(st, f, buf, sizeof(buf));
		line(pg, "  %-10s %-9s %s\n", any ? "" : "limits", "no room",
		     buf);
		any = true;
	}
	if (!d->permit) {
		say_left(pg, st, any);
		return;
	}
	for (uint32_t i = 0; i < d->n_budgets; i++) {
		const struct event_budget *b = &d->budgets[i];

		if (i == 0)
			line(pg, "  %-10s %-9s then ", any ? "" : "limits",
			     "room");
		else
			line(pg, " \xc2\xb7 ");
		say_room(pg, b->name, b->used, b->limit);
	}
	if (d->n_budgets)
		line(pg, "\n");
}

static void say_all(struct page *pg, const struct pol_state *st,
		    const struct pol_msg *m, const struct pol_decision *d,
		    const struct net_addr *seen)
{
	line(pg, "%s",
	     d->permit ? d->monitored ? "PERMITTED (monitored)" : "PERMITTED"
		       : "REFUSED");
	if (reasons_any(&d->reasons))
		say_reasons(pg, &d->reasons);
	else
		line(pg, "\n");
	say_source(pg, st, m, seen);
	say_party(pg, st, m, d->party);
	if (d->party.n && d->permit && !d->monitored) {
		say_passed(pg, st, d);
		say_limits(pg, st, d);
	} else if (d->party.n) {
		for (unsigned l = 0; l < LAYERS; l++)
			say_layer(pg, st, 0, l);
		if (st->n_side > 1)
			say_layer(pg, st, 1, LAYER_VENDOR);
		say_limits(pg, st, d);
	}
	if (d->would_pass.n)
		line(pg, "  would pass           %.*s\n", TEXT(d->would_pass));
}

int pol_explain(const struct pol_set *s, struct pol_state *st,
		const struct pol_msg *m, char *buf, size_t cap)
{
	struct page pg = {buf, cap, 0};
	struct pol_decision d;

	(void)s; /* the state knows its set */
	if (cap)
		buf[0] = 0;
	pol_abort(st);
	pol_judge(st, m, &d);
	say_all(&pg, st, m, &d, NULL);
	pol_abort(st);
	return d.permit;
}

/* Refused without the policy being asked, or for the sake of another one. */
static void say_below(struct page *pg, const struct event *ev)
{
	line(pg, "%s",
	     ev->verdict == VERDICT_DENY ? "REFUSED" : "NOTED");
	say_reasons(pg, &ev->reasons);
	line(pg, "  gateway    %-9s %s\n",
	     ev->verdict == VERDICT_DENY ? "refused" : "ok",
	     ev->detail ? ev->detail : reason_why(ev->reason));
}

void pol_explain_event(const struct pol_state *st, const struct event *ev,
		       char *buf, size_t cap)
{
	struct page pg = {buf, cap, 0};
	const struct net_tuple *t = &ev->tup;
	int machine = pol_set_find_machine(st->s, ev->guest);
	struct pol_msg m = {
		.machine = machine < 0 ? 0 : (size_t)machine,
		.dir = ev->dir,
		.peer = {.addr = ev->dir == DIR_OUT ? t->dst : t->src,
			 .port = ev->dir == DIR_OUT ? t->dport : t->sport,
			 .machine = -1},
	};
	struct pol_decision d = {.permit = ev->verdict == VERDICT_ALLOW,
				 .monitored = ev->monitored,
				 .reasons = ev->reasons,
				 .reason = ev->reason,
				 .party = ev->party,
				 .would_pass = ev->would_pass};

	if (cap)
		buf[0] = 0;
	if (machine < 0 || ev->reason == REASON_SIBLING_DENIED ||
	    (ev->type == EV_ANOMALY && ev->n_rules == 0)) {
		say_below(&pg, ev);
		return;
	}
	d.n_rules = ev->n_rules;
	memcpy(d.rules, ev->rules, sizeof(d.rules));
	d.n_budgets = ev->n_budgets;
	memcpy(d.budgets, ev->budgets, sizeof(d.budgets));
	say_all(&pg, st, &m, &d, ev->dir == DIR_OUT ? &t->src : &t->dst);
}
