/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/eve.h"

#include "audit/eve_word.h"
#include "audit/record.h"

/* Prefix of relative ApTitles, 2.16.124.113620.1.22.0 (C12.22 annex on OIDs);
 * titles below it are written as the suffix ".71.1001". */
static const uint8_t aptitle_base[] = {0x60, 0x7c, 0x86, 0xf7,
				       0x54, 0x01, 0x16, 0x00};

static const char *const mac_names[] = {"none", "ok", "bad", "unknown-key"};
static const char *const auth_names[] = {"none", "c1222", "c1221", "octet"};
#define AUTH_C1222 1
#define AUTH_C1221 2
static const char *const security_names[] = {"clear", "authenticated",
					     "encrypted"};
#define NAME_OF(list, v)                                                       \
	((v) < sizeof(list) / sizeof((list)[0]) ? (list)[v] : "unknown")

/* Facts that say what is disclosed: shown by eve_disclosure, in this order. */
static const enum field disclosure[] = {
	F_MEASUREMENT, F_ASKS_FOR, F_GRANULARITY, F_READINGS, F_VALUES,
	F_OLDEST,      F_NEWEST,      F_SPAN_S,	  F_RES_STEP,
	F_RES_UNIT,    F_CHANNELS,    F_VALUE_MIN, F_VALUE_MAX,
};
#define N_DISCLOSURE (sizeof(disclosure) / sizeof(disclosure[0]))

struct fields { /* a set of them */
	uint64_t w[2];
};
_Static_assert(FIELD_COUNT <= 128, "struct fields is too small");

static bool has(const struct fields *s, enum field f)
{
	return s->w[f / 64] >> (f % 64) & 1;
}

static void add(struct fields *s, enum field f)
{
	s->w[f / 64] |= UINT64_C(1) << (f % 64);
}

static struct fields shown_elsewhere(void)
{
	struct fields s = {{0}};

	for (size_t i = 0; i < N_DISCLOSURE; i++)
		add(&s, disclosure[i]);
	return s;
}

/* Titles below the ApTitle branch are written relative to it: ".71.1". */
static void put_oid(struct json *j, struct span oid)
{
	char text[OID_TEXT];
	size_t n = sizeof(aptitle_base);

	if (oid.n > n && memcmp(oid.p, aptitle_base, n) == 0)
		oid_text_rest(text, sizeof(text), span_from(oid, n));
	else
		oid_text(text, sizeof(text), oid);
	json_str(j, NULL, text);
}

static void put_index(struct json *j, struct span s)
{
	struct cur c = cur_of(s);

	json_arr(j, NULL);
	while (cur_left(&c) >= 2)
		json_u64(j, NULL, cur_u16(&c));
	json_arr_end(j);
}

/* Four octets as they are sent. */
static void put_octets4(struct json *j, uint32_t v)
{
	uint8_t b[4];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, v, sizeof(b));
	json_hex(j, NULL, wbuf_span(&w));
}

/* Numbers that stand for words. */
static bool put_word(struct json *j, const struct fact *f)
{
	switch ((enum field)f->field) {
	case F_NOTE:
		json_str(j, NULL, reason_text((enum reason)f->u));
		return true;
	case F_MAC:
		json_str(j, NULL, NAME_OF(mac_names, f->u));
		return true;
	case F_IV:
		put_octets4(j, (uint32_t)f->u);
		return true;
	case F_SECURITY:
		json_str(j, NULL, NAME_OF(security_names, f->u));
		return true;
	case F_RES_UNIT:
		json_str(j, NULL, unit_name((enum unit)f->u));
		return true;
	default:
		return false;
	}
}

/* The value of a fact; its key was written, or it is one of a list. */
static void put_fact(struct json *j, const struct fact *f)
{
	char text[MEAS_TEXT];
	struct span s = {f->p, f->n};

	if (put_word(j, f))
		return;
	switch (field_type((enum field)f->field)) {
	case FIELD_U64:
		json_u64(j, NULL, f->u);
		break;
	case FIELD_I64:
		json_i64(j, NULL, f->i);
		break;
	case FIELD_FLAG:
		json_bool(j, NULL, f->u != 0);
		break;
	case FIELD_TEXT:
		json_text(j, NULL, s);
		break;
	case FIELD_OID:
		put_oid(j, s);
		break;
	case FIELD_MEAS:
		json_str(j, NULL, meas_text(text, sizeof(text), f->u));
		break;
	case FIELD_SPAN:
		if (f->field == F_INDEX)
			put_index(j, s);
		else
			json_hex(j, NULL, s);
		break;
	}
}

/* Facts that are a list: said more than once, or always one. */
static struct fields lists(const struct obs *o)
{
	struct fields once = {{0}}, more = {{0}};

	for (unsigned i = 0; i < o->n; i++) {
		enum field f = (enum field)o->f[i].field;

		if (has(&once, f))
			add(&more, f);
		add(&once, f);
	}
	add(&more, F_NOTE);
	if (o->kind == OBS_C1222_TRACE_REQUEST ||
	    o->kind == OBS_C1222_TRACE_RESPONSE)
		add(&more, F_AP_TITLE);
	return more;
}

static void put_list(struct json *j, const struct obs *o, unsigned from)
{
	uint16_t field = o->f[from].field;
	struct span key = field_key((enum field)field);
	char many[48];

	memcpy(many, key.p, key.n < 46 ? key.n : 46);
	many[key.n < 46 ? key.n : 46] = 's';
	json_key(j, span_of(many, (key.n < 46 ? key.n : 46) + 1));
	json_arr(j, NULL);
	for (unsigned k = from; k < o->n; k++) {
		if (o->f[k].field == field)
			put_fact(j, &o->f[k]);
	}
	json_arr_end(j);
}

/* All facts of o but those in skip and those of the disclosure; one that
 * occurs several times becomes a list at its first place. */
static void put_facts(struct json *j, const struct obs *o,
		      const struct eve_opts *opt, struct fields skip)
{
	const struct fields elsewhere = shown_elsewhere(), list = lists(o);

	skip.w[0] |= elsewhere.w[0];
	skip.w[1] |= elsewhere.w[1];
	for (unsigned i = 0; i < o->n; i++) {
		enum field f = (enum field)o->f[i].field;

		if (has(&skip, f) ||
		    (record_leaves_out(f) && !opt->values))
			continue;
		add(&skip, f);
		if (has(&list, f)) {
			put_list(j, o, i);
		} else {
			json_key(j, field_key(f));
			put_fact(j, &o->f[i]);
		}
	}
}

static const struct fact *fact_of(const struct obs *o, enum field f)
{
	for (unsigned i = 0; obs_has(o, f) && i < o->n; i++) {
		if (o->f[i].field == f)
			return &o->f[i];
	}
	return NULL;
}

static void put_disclosure(struct json *j, const struct obs *o,
			   const struct eve_opts *opt)
{
	for (size_t i = 0; i < N_DISCLOSURE; i++) {
		const struct fact *f = fact_of(o, disclosure[i]);

		if (!f || (record_leaves_out(disclosure[i]) && !opt->values))
			continue;
		json_key(j, field_key(disclosure[i]));
		put_fact(j, f);
	}
}

/* --- C12.22 --- */

/* Always present, null when the message does not say. */
static const enum field c1222_keys[] = {
	F_CALLED,	 F_CALLING, F_CALLED_INV, F_CALLING_INV,
	F_SECURITY_MODE, F_MAC,	    F_RESPONSE_CONTROL,
};
#define N_C1222_KEYS (sizeof(c1222_keys) / sizeof(c1222_keys[0]))

/* Written in a way of their own. */
static const enum field apart[] = {
	F_CODE,	       F_RESULT,     F_PROCEDURE,  F_PROC_RESULT, F_DECODED,
	F_AUTH_KIND,   F_AUTH_VALUE, F_SEG_TOTAL,  F_SEG_OFFSET,
	F_SEG_LENGTH,
};

/* Kind, tag and contents of an authentication value that is not C12.22's; of
 * that, whether it is there: key id and IV stand for themselves. */
static void put_auth(struct json *j, const struct obs *m,
		     const struct eve_opts *opt)
{
	uint64_t kind = obs_get(m, F_AUTH_KIND, 0);
	struct cur c = cur_of(obs_get_span(m, F_AUTH_VALUE));
	bool shown = opt->values && obs_has(m, F_AUTH_VALUE);

	if (obs_get(m, F_SECURITY_MODE, 0) != 0)
		json_bool(j, "auth_element_present", kind == AUTH_C1222);
	if (kind <= AUTH_C1222)
		return;
	json_arr(j, "auth");
	json_str(j, NULL, NAME_OF(auth_names, kind));
	if (shown && kind == AUTH_C1221) {
		json_u64(j, NULL, cur_u8(&c));
		switch (cur_u8(&c)) { /* a length in one of three forms */
		case 0x81:
			cur_take(&c, 1);
			break;
		case 0x82:
			cur_take(&c, 2);
			break;
		}
	} else {
		json_null(j, NULL);
	}
	if (shown)
		json_hex(j, NULL, cur_peek(&c, cur_left(&c)));
	else
		json_null(j, NULL);
	json_arr_end(j);
}

static void put_segment(struct json *j, const struct obs *m)
{
	if (!obs_has(m, F_SEG_TOTAL))
		return;
	json_obj(j, "segment");
	json_u64(j, "offset", obs_get(m, F_SEG_OFFSET, 0));
	json_u64(j, "length", obs_get(m, F_SEG_LENGTH, 0));
	json_u64(j, "total", obs_get(m, F_SEG_TOTAL, 0));
	json_obj_end(j);
}

/* The number within its kind, and which kind it is; how it ended. */
static void put_procedure(struct json *j, const struct obs *o)
{
	uint64_t id = obs_get(o, F_PROCEDURE, 0);

	if (obs_has(o, F_PROCEDURE)) {
		json_u64(j, "procedure", id);
		json_u64(j, "proc", id & 0x07ff);
		json_bool(j, "mfg", id & 0x0800);
	}
	if (obs_has(o, F_PROC_RESULT))
		json_u64(j, "result", obs_get(o, F_PROC_RESULT, 0));
}

static void put_service(struct json *j, const struct obs *o,
			const struct eve_opts *opt, bool with_disclosure)
{
	const struct fact *code = fact_of(o, F_CODE);
	struct fields skip = {{0}};
	const char *name = NULL;

	/* The response code is the code. */
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		add(&skip, apart[i]);
	json_obj(j, NULL);
	if (code) {
		json_u64(j, "code", code->u);
		if (opt->service_name)
			name = opt->service_name((uint8_t)code->u);
		if (opt->service.n)
			json_text(j, "name", opt->service);
		else if (name)
			json_str(j, "name", name);
		else
			json_null(j, "name");
	}
	put_facts(j, o, opt, skip);
	put_procedure(j, o);
	if (opt->values && obs_has(o, F_DECODED))
		json_raw(j, "decoded", obs_get_span(o, F_DECODED));
	if (with_disclosure)
		put_disclosure(j, o, opt);
	json_obj_end(j);
}

static void put_c1222(struct json *j, const struct event *ev,
		      const struct eve_opts *opt)
{
	const struct obs *m = ev->message;
	bool judged = ev->type == EV_DECISION || ev->type == EV_VIOLATION;
	struct fields skip = {{0}};

	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		add(&skip, apart[i]);
	json_obj(j, "c1222");
	for (size_t i = 0; i < N_C1222_KEYS; i++) {
		enum field f = c1222_keys[i];
		const struct fact *a = fact_of(m, f);

		add(&skip, f);
		json_key(j, field_key(f));
		if (a)
			put_fact(j, a);
		else
			json_null(j, NULL);
	}
	put_facts(j, m, opt, skip);
	put_auth(j, m, opt);
	put_segment(j, m);
	json_arr(j, "services");
	for (uint32_t i = 0; i < ev->n_leaves; i++) {
		/* What is sealed is no service. */
		if (ev->leaves[i].kind == OBS_OPAQUE)
			continue;
		/* A judgement is about one of them; anomalies about none. What
		 * is sealed has services that nobody can name. */
		if (ev->leaves[i].kind == OBS_OPAQUE)
			continue;
		if (ev->type == EV_PROTOCOL || (judged && i == ev->leaf))
			put_service(j, &ev->leaves[i], opt, !judged);
	}
	json_arr_end(j);
	json_obj_end(j);
}

/* --- the common part --- */

static void put_tuple(struct json *j, const struct event *ev)
{
	const struct net_tuple *t = &ev->tup;
	bool ports = t->proto == 6 || t->proto == 17 || t->sport || t->dport;
	char buf[NET_ADDR_TEXT];

	if (!ev->has_tuple)
		return;
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

static void put_head(struct json *j, const struct event *ev)
{
	char when[CLOCK_TEXT];

	json_str(j, "timestamp", clock_eve(when, ev->now.wall));
	if (ev->flow_id)
		json_u64(j, "flow_id", ev->flow_id);
	if (ev->pcap_cnt)
		json_u64(j, "pcap_cnt", ev->pcap_cnt);
	json_str(j, "event_type", event_type_name(ev));
	put_tuple(j, ev);
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

static void put_rules(struct json *j, const struct event *ev)
{
	if (ev->n_rules == 0)
		return;
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
	char buf[40];

	if (!o)
		return;
	put_disclosure(j, o, opt);
	json_str(j, "op", op_name(o));
	put_span(j, "object", eve_object(buf, o));
	if (ev->n_leaves < 2 || ev->n_leaves > RECORD_LEAVES)
		return;
	json_arr(j, "leaves");
	for (uint32_t i = 0; i < ev->n_leaves; i++)
		json_str(j, NULL, obs_name((enum obs_kind)ev->leaves[i].kind));
	json_arr_end(j);
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
	put_rules(j, ev);
	put_budgets(j, ev);
	put_span(j, "would_pass", ev->would_pass);
	json_obj_end(j);
}

bool eve_event(struct json *j, const struct event *ev,
	       const struct eve_opts *o)
{
	json_obj(j, NULL);
	put_head(j, ev);
	if (ev->message && obs_family((enum obs_kind)ev->message->kind) ==
				   OBS_FAMILY_C1222)
		put_c1222(j, ev, o);
	if (ev->type == EV_FLOW)
		put_flow(j, ev);
	if (ev->type == EV_ANOMALY || ev->type == EV_LOSS)
		put_anomaly(j, ev);
	put_metergate(j, ev, o);
	json_obj_end(j);
	return json_line(j);
}
