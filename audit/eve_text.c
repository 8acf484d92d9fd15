/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/eve.h"
#include "audit/eve_word.h"
#include "audit/record.h"

/* Printable ASCII; what would move a terminal's cursor is shown as \xNN. */
static void put_safe(struct wbuf *w, struct span s)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < s.n && !w->failed; i++) {
		uint8_t c = s.p[i];

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			wbuf_u8(w, c);
			continue;
		}
		eve_str(w, "\\x");
		wbuf_u8(w, (uint8_t)hex[c >> 4]);
		wbuf_u8(w, (uint8_t)hex[c & 15]);
	}
}

static void text_peer(struct wbuf *w, const struct event *ev)
{
	const struct net_tuple *t = &ev->tup;
	bool out = ev->dir == DIR_OUT;
	char buf[NET_ADDR_TEXT];

	put_safe(w, ev->guest.n ? ev->guest : span_str("-"));
	eve_str(w, out ? " -> " : " <- ");
	if (ev->party.n || !ev->has_tuple) {
		put_safe(w, ev->party.n ? ev->party : span_str("-"));
		return;
	}
	wbuf_put(w, eve_addr(buf, out ? &t->dst : &t->src));
	wbuf_u8(w, ':');
	eve_number(w, out ? t->dport : t->sport);
}

static void text_obs(struct wbuf *w, const struct obs *o, bool values)
{
	char buf[MEAS_TEXT];
	struct span object;

	wbuf_u8(w, ' ');
	eve_str(w, obs_name((enum obs_kind)o->kind));
	object = eve_object(buf, o);
	if (object.n) {
		wbuf_u8(w, ' ');
		put_safe(w, object);
	}
	if (obs_has(o, F_MEASUREMENT) || obs_has(o, F_ASKS_FOR)) {
		uint64_t asked = obs_get(o, F_ASKS_FOR, 0);

		wbuf_u8(w, ' ');
		eve_str(w, meas_text(buf, sizeof(buf),
				   obs_get(o, F_MEASUREMENT, asked)));
	}
	if (obs_has(o, F_READINGS)) {
		eve_str(w, ", ");
		eve_number(w, obs_get(o, F_READINGS, 0));
		eve_str(w, obs_get(o, F_READINGS, 0) == 1 ? " reading" :
							    " readings");
	}
	if (obs_has(o, F_GRANULARITY)) {
		eve_str(w, " every ");
		eve_number(w, obs_get(o, F_GRANULARITY, 0));
		eve_str(w, " s");
	}
	if (values && obs_has(o, F_DECODED)) {
		wbuf_u8(w, ' ');
		put_safe(w, obs_get_span(o, F_DECODED));
	}
}

/* No rule refused: policies did, by having none that grants it. */
static void text_refusers(struct wbuf *w, const struct event *ev)
{
	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &ev->rules[i];

		if (!r->refused)
			continue;
		eve_str(w, "; by ");
		put_safe(w, r->layer);
		wbuf_u8(w, ' ');
		put_safe(w, r->policy);
	}
}

static void text_rule(struct wbuf *w, const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);

	if (!r) {
		text_refusers(w, ev);
		return;
	}
	eve_str(w, "; rule ");
	put_safe(w, r->policy);
	wbuf_u8(w, '/');
	put_safe(w, r->rule);
	if (r->file.n && r->line) {
		eve_str(w, " (");
		put_safe(w, r->file);
		wbuf_u8(w, ':');
		eve_number(w, r->line);
		wbuf_u8(w, ')');
	}
}

static void text_observations(struct wbuf *w, const struct event *ev,
			      bool values)
{
	const struct obs *leaf = eve_judged(ev);

	if (leaf) {
		text_obs(w, leaf, values);
		return;
	}
	if (ev->message)
		text_obs(w, ev->message, values);
	if (ev->type != EV_PROTOCOL)
		return;
	for (uint32_t i = 0; i < ev->n_leaves; i++)
		text_obs(w, &ev->leaves[i], values);
}

bool eve_text(struct wbuf *w, const struct event *ev,
	      const struct eve_opts *o)
{
	const char *what = eve_verdict(ev->verdict);
	char when[CLOCK_TEXT];

	if (o->has_seq) {
		eve_number(w, o->seq);
		wbuf_u8(w, ' ');
	}
	clock_eve(when, ev->now.wall);
	wbuf_put(w, span_of(when, strlen("2026-11-25T15:42:26.000000")));
	eve_str(w, "Z ");
	if (what) {
		eve_str(w, what);
		wbuf_u8(w, ' ');
	}
	if (ev->type == EV_FLOW)
		eve_str(w, ev->flow_end ? "flow-end" : "flow-start");
	else
		eve_str(w, event_type_name(ev));
	if (ev->has_tuple) {
		wbuf_u8(w, ' ');
		text_peer(w, ev);
	} else if (ev->guest.n) {
		wbuf_u8(w, ' ');
		put_safe(w, ev->guest);
	}
	text_observations(w, ev, o->values);
	if (ev->message && obs_has(ev->message, F_CONFIDENCE)) {
		eve_str(w, " app ");
		put_safe(w, obs_get_span(ev->message, F_APP));
		eve_str(w, " by ");
		put_safe(w, obs_get_span(ev->message, F_CONFIDENCE));
	}
	if (ev->reason) {
		eve_str(w, ": ");
		eve_str(w, reason_text(ev->reason));
	}
	if (ev->detail) {
		eve_str(w, ev->reason ? ", " : ": ");
		put_safe(w, span_str(ev->detail));
	}
	if (ev->type == EV_CHECKPOINT)
		eve_str(w, ": checkpoint");
	if (o->has_seq && eve_unsigned(ev, o->seq)) {
		eve_str(w, "; no checkpoint covered the last ");
		eve_number(w, eve_unsigned(ev, o->seq));
		eve_str(w, " records before");
	}
	if (ev->log && ev->log->withdrawn) {
		eve_str(w, ": the ");
		eve_number(w, ev->log->withdrawn);
		eve_str(w, " records before it");
	}
	if (ev->log && ev->log->has_range) {
		eve_str(w, ": removed ");
		eve_number(w, ev->log->first);
		eve_str(w, " to ");
		eve_number(w, ev->log->end - 1);
	}
	if (ev->count) {
		eve_str(w, ", ");
		eve_number(w, ev->count);
		eve_str(w, " of them");
	}
	text_rule(w, ev);
	if (ev->would_pass.n) {
		eve_str(w, "; would pass: ");
		put_safe(w, ev->would_pass);
	}
	wbuf_u8(w, '\n');
	return !w->failed;
}
