/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/eve.h"

#include "audit/eve_facts.h"
#include "audit/eve_word.h"
#include "audit/record.h"

/* --- the common part --- */

static void put_ends(struct json *j, const struct net_tuple *t)
{
	bool ports = t->proto == 6 || t->proto == 17 || t->sport || t->dport;
	char buf[NET_ADDR_TEXT];

	json_text(j, "src_ip", eve_addr(buf, &t->src));
	if (ports)
		json_u64(j, "src_port", t->sport);
	json_text(j, "dest_ip", eve_addr(buf, &t->dst));
	if (ports)
		json_u64(j, "dest_port", t->dport);
	if (eve_proto(t->proto))
		json_str(j, "proto", eve_proto(t->proto));
	else if (t->proto)
		json_u64(j, "proto", t->proto);
}

static bool same_ends(const struct net_tuple *a, const struct net_tuple *b)
{
	return a->sport == b->sport && a->dport == b->dport &&
	       a->proto == b->proto && net_addr_eq(&a->src, &b->src) &&
	       net_addr_eq(&a->dst, &b->dst);
}

/* What is written lies behind a value, so it begins with a comma. */
static void put_tuple(struct json *j, const struct event *ev,
		      struct eve_memo *memo)
{
	const struct net_tuple *t = &ev->tup;
	size_t at = (t->sport ^ t->dport * 3u) % EVE_MEMO, from = j->w.n;
	struct span text;

	if (!ev->has_tuple)
		return;
	if (!memo || !j->comma) {
		put_ends(j, t);
		return;
	}
	if (memo->ends[at].n && same_ends(&memo->ends[at].t, t)) {
		wbuf_put(&j->w, span_of(memo->ends[at].text,
					memo->ends[at].n));
		return;
	}
	put_ends(j, t);
	text = span_from(wbuf_span(&j->w), from);
	if (j->w.failed || text.n > sizeof(memo->ends[at].text))
		return;
	memo->ends[at].t = *t;
	memo->ends[at].n = (uint8_t)text.n;
	memcpy(memo->ends[at].text, text.p, text.n);
}

static const char *when_of(char buf[CLOCK_TEXT], struct wall wall,
			   struct eve_memo *memo)
{
	if (!memo)
		return clock_eve(buf, wall);
	if (!memo->when[0] || memo->wall.us != wall.us) {
		clock_eve(memo->when, wall);
		memo->wall = wall;
	}
	return memo->when;
}

static const char *type_of(const struct event *ev, unsigned line)
{
	if (ev->type == EV_PROTOCOL && eve_is_http(ev))
		return eve_http_type(ev, line);
	return event_type_name(ev);
}

static void put_head(struct json *j, const struct event *ev,
		     const struct eve_opts *o)
{
	char when[CLOCK_TEXT];

	json_str(j, "timestamp", when_of(when, ev->now.wall, o->memo));
	if (ev->flow_id)
		json_u64(j, "flow_id", ev->flow_id);
	if (ev->pcap_cnt)
		json_u64(j, "pcap_cnt", ev->pcap_cnt);
	json_str(j, "event_type", type_of(ev, o->line));
	put_tuple(j, ev, o->memo);
	if (ev->app_proto)
		json_str(j, "app_proto", ev->app_proto);
}

static void put_flow(struct json *j, const struct event *ev)
{
	int64_t age = mono_sub(ev->now.mono, ev->flow_start);

	json_obj(j, "flow");
	json_str(j, "state", ev->flow_end ? "closed" : "new");
	json_u64(j, "pkts_out", ev->pkts_out);
	json_u64(j, "pkts_in", ev->pkts_in);
	json_u64(j, "bytes_out", ev->octets_out);
	json_u64(j, "bytes_in", ev->octets_in);
	if (ev->message && obs_has(ev->message, F_CONFIDENCE)) {
		json_text(j, "app_guess", obs_get_span(ev->message, F_APP));
		json_text(j, "app_confidence",
			  obs_get_span(ev->message, F_CONFIDENCE));
	}
	if (ev->flow_end && ev->flow_start.ns > 0 && age >= 0)
		json_i64(j, "age", age / NS_PER_S);
	json_obj_end(j);
}

static void put_anomaly(struct json *j, const struct event *ev)
{
	static const char *const groups[] = {"none", "policy", "unit",
					     "packet", "note"};

	json_obj(j, "anomaly");
	if (ev->type == EV_LOSS) {
		json_str(j, "type", "audit");
		json_str(j, "event", "loss");
		json_obj_end(j);
		return;
	}
	json_str(j, "type", NAME_OF(groups, (size_t)reason_group(ev->reason)));
	json_str(j, "event", reason_text(ev->reason));
	json_str(j, "reason", reason_text(ev->reason));
	json_obj_end(j);
}

/* --- the metergate object --- */

/* "read-request" of "c1222.read-request" */
static const char *op_name(const struct obs *o)
{
	const char *name = obs_name((enum obs_kind)o->kind);
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

static void put_span(struct json *j, const char *key, struct span s)
{
	if (s.n)
		json_text(j, key, s);
}

static void write_rules(struct json *j, const struct event *ev)
{
	json_arr(j, "rules");
	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &ev->rules[i];

		json_obj(j, NULL);
		put_span(j, "layer", r->layer);
		put_span(j, "policy", r->policy);
		put_span(j, "rule", r->rule);
		put_span(j, "file", r->file);
		if (r->line)
			json_u64(j, "line", r->line);
		if (r->serial)
			json_u64(j, "serial", r->serial);
		if (r->refused)
			json_bool(j, "refused", true);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void say_text(struct wbuf *w, struct span s)
{
	wbuf_be(w, s.n, 4);
	wbuf_put(w, s);
}

/* All that is told of the rules, in less time than it takes to write it. */
static struct span said_of(uint8_t buf[EVE_RULES], const struct event *ev)
{
	struct wbuf w = wbuf_of(buf, EVE_RULES);

	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &ev->rules[i];

		say_text(&w, r->layer);
		say_text(&w, r->policy);
		say_text(&w, r->rule);
		say_text(&w, r->file);
		wbuf_be(&w, r->line, 4);
		wbuf_be(&w, r->serial, 8);
		wbuf_u8(&w, r->refused);
	}
	return w.failed ? (struct span){0} : wbuf_span(&w);
}

/* What is written lies behind a value, so it begins with a comma. */
static void put_rules(struct json *j, const struct event *ev,
		      struct eve_memo *memo)
{
	uint32_t last = ev->n_rules < EVENT_RULES ? ev->n_rules : EVENT_RULES;
	uint8_t buf[EVE_RULES];
	struct span said, text;
	size_t at, from = j->w.n;

	if (last == 0)
		return;
	said = memo && j->comma ? said_of(buf, ev) : (struct span){0};
	if (said.n == 0) {
		write_rules(j, ev);
		return;
	}
	at = (ev->rules[last - 1].line ^ ev->rules[last - 1].rule.n * 5u) %
	     EVE_MEMO;
	if (span_eq(said, span_of(memo->rules[at].said,
				  memo->rules[at].said_n))) {
		wbuf_put(&j->w, span_of(memo->rules[at].text,
					memo->rules[at].n));
		return;
	}
	write_rules(j, ev);
	text = span_from(wbuf_span(&j->w), from);
	if (j->w.failed || text.n > EVE_RULES)
		return;
	memo->rules[at].said_n = (uint16_t)said.n;
	memo->rules[at].n = (uint16_t)text.n;
	memcpy(memo->rules[at].said, said.p, said.n);
	memcpy(memo->rules[at].text, text.p, text.n);
}

static void put_budgets(struct json *j, const struct event *ev)
{
	if (ev->n_budgets == 0)
		return;
	json_arr(j, "budgets");
	for (uint32_t i = 0; i < ev->n_budgets && i < EVENT_BUDGETS; i++) {
		const struct event_budget *b = &ev->budgets[i];

		json_obj(j, NULL);
		json_text(j, "name", b->name);
		json_u64(j, "used", b->used);
		json_u64(j, "limit", b->limit);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void put_reasons(struct json *j, const struct event *ev)
{
	if (ev->reason)
		json_str(j, "reason", reason_text(ev->reason));
	if (!reasons_any(&ev->reasons))
		return;
	json_arr(j, "reasons");
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (reasons_has(&ev->reasons, (enum reason)r))
			json_str(j, NULL, reason_text((enum reason)r));
	}
	json_arr_end(j);
}

static void put_leaf(struct json *j, const struct event *ev,
		     const struct eve_opts *opt)
{
	const struct obs *o = eve_judged(ev);
	char buf[EVE_OBJECT];

	if (!o)
		return;
	eve_disclosure(j, o, opt);
	json_str(j, "op", op_name(o));
	put_span(j, "object", eve_object(buf, o));
	if (ev->n_leaves < 2 || ev->n_leaves > RECORD_LEAVES)
		return;
	json_arr(j, "leaves");
	for (uint32_t i = 0; i < ev->n_leaves; i++)
		json_str(j, NULL, obs_name((enum obs_kind)ev->leaves[i].kind));
	json_arr_end(j);
}

/* Where the last of several alike was; the ends above are the first's. */
static void put_last(struct json *j, const struct event *ev)
{
	char a[NET_ADDR_TEXT];

	if (ev->last_tup.proto == 0)
		return;
	json_obj(j, "last");
	if (ev->last_flow)
		json_u64(j, "flow_id", ev->last_flow);
	json_str(j, "src_ip", net_addr_text(a, &ev->last_tup.src));
	json_u64(j, "src_port", ev->last_tup.sport);
	json_str(j, "dest_ip", net_addr_text(a, &ev->last_tup.dst));
	json_u64(j, "dest_port", ev->last_tup.dport);
	json_obj_end(j);
}

/* Of several alike: times are before the event's, which is when it was
 * told. */
static void put_count(struct json *j, const struct event *ev)
{
	if (ev->count == 0)
		return;
	json_u64(j, "count", ev->count);
	json_u64(j, "count_octets", ev->count_octets);
	json_i64(j, "first_ms_ago",
		 mono_sub(ev->now.mono, ev->first) / 1000000);
	json_i64(j, "last_ms_ago",
		 mono_sub(ev->now.mono, ev->last) / 1000000);
	put_last(j, ev);
}

static void put_presentation(struct json *j, const struct event *ev)
{
	if (severity_name(ev->severity))
		json_str(j, "severity", severity_name(ev->severity));
	if (ev->notify == 0)
		return;
	json_arr(j, "notify");
	for (unsigned bit = 0; notify_name(bit); bit++) {
		if (ev->notify >> bit & 1)
			json_str(j, NULL, notify_name(bit));
	}
	json_arr_end(j);
}

/* The audit about itself. */
static void put_log(struct json *j, const struct event *ev,
		    const struct eve_opts *opt)
{
	static const struct event_log none;
	const struct event_log *l = ev->log ? ev->log : &none;
	uint64_t before = opt->has_seq ? eve_unsigned(ev, opt->seq) : 0;

	if (!ev->log && !before)
		return;
	json_obj(j, "audit");
	if (before) {
		json_u64(j, "unsigned_first", opt->seq - before);
		json_u64(j, "unsigned_end", opt->seq);
	}
	if (l->has_chain)
		json_hex(j, "chain", span_of(l->chain, sizeof(l->chain)));
	if (l->has_open)
		json_hex(j, "open_counts", span_of(l->open, sizeof(l->open)));
	if (l->has_pcr)
		json_hex(j, "pcr13", span_of(l->pcr, sizeof(l->pcr)));
	if (l->counter)
		json_u64(j, "counter", l->counter);
	if (l->has_range) {
		json_u64(j, "removed_first", l->first);
		json_u64(j, "removed_end", l->end);
		json_hex(j, "root", span_of(l->root, sizeof(l->root)));
		json_u64(j, "removed_kept", l->kept);
	}
	if (l->withdrawn)
		json_u64(j, "withdrawn", l->withdrawn);
	if (l->point) {
		json_u64(j, "checkpoint", l->point);
		json_hex(j, "checkpoint_text",
			 span_of(l->point_text, sizeof(l->point_text)));
	}
	json_obj_end(j);
}

static void put_metergate(struct json *j, const struct event *ev,
			  const struct eve_opts *opt)
{
	const struct event_rule *r = record_rule(ev);

	json_obj(j, "metergate");
	if (opt->has_seq)
		json_u64(j, "seq", opt->seq);
	if (eve_verdict(ev->verdict))
		json_str(j, "verdict", eve_verdict(ev->verdict));
	if (ev->monitored)
		json_bool(j, "would_refuse", true);
	put_presentation(j, ev);
	if (r)
		json_text(j, "rule", r->rule);
	put_reasons(j, ev);
	if (ev->detail)
		json_str(j, "detail", ev->detail);
	put_span(j, "guest", ev->guest);
	put_span(j, "party", ev->party);
	if (ev->has_tuple)
		json_str(j, "direction", ev->dir == DIR_OUT ? "out" : "in");
	put_leaf(j, ev, opt);
	if (ev->octets)
		json_u64(j, "octets", ev->octets);
	put_count(j, ev);
	put_rules(j, ev, opt->memo);
	put_budgets(j, ev);
	put_span(j, "would_pass", ev->would_pass);
	put_log(j, ev, opt);
	json_obj_end(j);
}

unsigned eve_lines(const struct event *ev)
{
	if (ev->type == EV_PROTOCOL && eve_is_http(ev))
		return eve_http_lines(ev);
	return ev->type != EV_PROTOCOL || !eve_says_nothing(ev);
}

bool eve_event(struct json *j, const struct event *ev,
	       const struct eve_opts *o)
{
	json_obj(j, NULL);
	put_head(j, ev, o);
	if (ev->message && obs_family((enum obs_kind)ev->message->kind) ==
				   OBS_FAMILY_C1222)
		eve_c1222(j, ev, o);
	else if (eve_is_http(ev))
		eve_http(j, ev, o);
	else
		eve_names(j, ev);
	if (ev->type == EV_FLOW)
		put_flow(j, ev);
	if (ev->type == EV_ANOMALY || ev->type == EV_LOSS)
		put_anomaly(j, ev);
	put_metergate(j, ev, o);
	json_obj_end(j);
	return json_line(j);
}
