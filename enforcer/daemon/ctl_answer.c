/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket answers: one row per verb. */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "enforcer/daemon/ctl_conn.h"
#include "enforcer/daemon/metrics.h"

#define ANSWER_MAX (3u << 20) /* octets; the flows of one guest fit */
#define LINE_MAX   (8u << 10)

/* --- writing ------------------------------------------------------------------------------- */

bool conn_begin(struct conn *c)
{
	uint8_t *p = c->out.p ? c->out.p : malloc(ANSWER_MAX);

	if (!p)
		return false; /* its deadline ends the connection */
	c->out = wbuf_of(p, ANSWER_MAX);
	c->sent = 0;
	c->state = CONN_WRITE;
	return true;
}

/* An object begins at the end of what is written so far. */
struct json conn_line(const struct conn *c)
{
	struct json j = json_of(c->out.p + c->out.n, c->out.cap - c->out.n);

	json_obj(&j, NULL);
	return j;
}

/* A line that does not fit is left out as a whole. */
void conn_end(struct conn *c, struct json *j)
{
	json_obj_end(j);
	if (json_line(j))
		c->out.n += j->w.n;
}

struct json conn_ok(const struct conn *c)
{
	struct json j = conn_line(c);

	json_bool(&j, "ok", true);
	return j;
}

void conn_refuse(struct conn *c, const char *why)
{
	struct json j;

	if (!conn_begin(c))
		return;
	j = conn_line(c);
	json_bool(&j, "ok", false);
	json_str(&j, "error", why);
	conn_end(c, &j);
}

/* Text of another process, that need not end. */
#define TEXT_OF(a) span_of((a), strnlen((a), sizeof(a)))

static void addr(struct json *j, const char *key, const struct net_addr *a)
{
	char text[NET_ADDR_TEXT];

	json_str(j, key, net_addr_text(text, a));
}

/* --- status, guests ---------------------------------------------------------------------------- */

struct told {
	struct conn *c;
	int64_t now;
};

static void process(struct conn *c, const struct parent *p,
		    const struct child *k)
{
	struct json j = conn_line(c);

	json_str(&j, "process", child_kind_name(k->kind));
	if (k->kind == CHILD_GATE || k->kind == CHILD_ENGINE)
		json_str(&j, "guest", p->share[k->guest].name);
	json_str(&j, "state",
		 k->pid <= 0	  ? "down"
		 : child_ready(k) ? "up"
				  : "starting");
	json_i64(&j, "pid", k->pid);
	json_u64(&j, "starts", k->starts);
	if (k->pid > 0)
		json_i64(&j, "age_ms", (p->now.mono.ns - k->started_ns) / MS);
	if (k->pid > 0 && k->beat)
		json_i64(&j, "silent_ms",
			 (p->now.mono.ns - atomic_load(k->beat)) / MS);
	conn_end(c, &j);
}

static void audit(struct json *j, const struct parent *p)
{
	struct view v;

	/* The head of it only; numbers that are a commit old do no harm. */
	memcpy(&v, p->view, offsetof(struct view, guest));
	json_obj(j, "audit");
	json_u64(j, "records", v.records);
	json_u64(j, "commits", v.commits);
	json_u64(j, "last_commit_us", v.last_commit_us);
	json_u64(j, "failures", v.failures);
	json_u64(j, "aggregated", v.aggregated);
	json_u64(j, "lost", v.lost + p->unrecorded);
	json_text(j, "error", TEXT_OF(v.error));
	json_obj_end(j);
}

static const char *state(const struct parent *p)
{
	if (parent_unrecorded(p))
		return "closed: audit";
	return p->ready ? "ready" : "closed";
}

static void status(struct conn *c, struct parent *p)
{
	struct json j = conn_ok(c);

	json_str(&j, "version", METERGATE_VERSION);
	json_str(&j, "state", state(p));
	json_i64(&j, "up_s", mono_sub(p->now.mono, p->started) / NS_PER_S);
	json_str(&j, "backend", p->backend == RULES_NFT ? "nft" : "iptables");
	json_bool(&j, "bridged", p->conf->bridged);
	json_bool(&j, "offload", p->conf->offload);
	json_bool(&j, "clock_trusted", p->now.wall.trusted);
	json_u64(&j, "generation", p->generation);
	json_u64(&j, "policies", p->policies.files.n);
	json_str(&j, "signatures", p->conf->signatures ? "required" : "off");
	json_u64(&j, "guests", p->n_guests);
	audit(&j, p);
	conn_end(c, &j);
	process(c, p, &p->scribe);
	process(c, p, &p->courier);
	if (p->attester_page)
		process(c, p, &p->attester);
	for (size_t i = 0; i < p->n_guests; i++) {
		process(c, p, &p->guest[i].gate);
		process(c, p, &p->guest[i].engine);
	}
}

static void addresses(struct json *j, const struct rules_guest *g)
{
	char text[NET_ADDR_TEXT + 8], a[NET_ADDR_TEXT];

	json_arr(j, "addresses");
	for (size_t k = 0; k < g->n_addr; k++) {
		bool v4 = net_addr_is4(&g->addr[k].addr);

		snprintf(text, sizeof(text), "%s/%u",
			 net_addr_text(a, &g->addr[k].addr),
			 v4 ? g->addr[k].len - 96u : g->addr[k].len);
		json_str(j, NULL, text);
	}
	json_arr_end(j);
}

static void counters(struct json *j, const struct lane *l)
{
	struct lane_status s;

	(void)lane_status_read(&s, l);
	json_u64(j, "generation", s.generation);
	json_u64(j, "packets", s.packets);
	json_u64(j, "octets", s.octets);
	json_u64(j, "passed", s.passed);
	json_u64(j, "dropped", s.dropped);
	json_u64(j, "flows", s.flows);
	json_u64(j, "flows_now", s.flows_now);
	json_u64(j, "held_now", s.held_now);
	json_u64(j, "units", s.units);
	json_u64(j, "allowed", s.allowed);
	json_u64(j, "denied", s.denied);
	json_u64(j, "offloaded", s.offloaded);
	json_u64(j, "audit_waits", s.audit_waits);
	json_u64(j, "audit_used_percent", atomic_load(&l->audit_percent));
	json_bool(j, "audit_alarm", atomic_load(&l->audit_alarm) != 0);
	json_u64(j, "kernel_queued", atomic_load(&l->kernel_queued));
	json_u64(j, "kernel_dropped",
		 atomic_load(&l->kernel_dropped) +
			 atomic_load(&l->kernel_unsent));
	json_u64(j, "left_dropped", atomic_load(&l->left_dropped));
	json_obj(j, "rules_dropped");
	for (int r = 1; r < REASON_COUNT; r++) {
		uint64_t v = atomic_load(&l->rules_dropped[r]);

		if (v)
			json_u64(j, reason_text((enum reason)r), v);
	}
	json_obj_end(j);
	json_obj(j, "drops");
	for (int r = 1; r < REASON_COUNT; r++) {
		if (s.drops[r])
			json_u64(j, reason_text((enum reason)r), s.drops[r]);
	}
	json_obj_end(j);
}

static void guests(struct conn *c, struct parent *p)
{
	struct json j = conn_ok(c);

	json_u64(&j, "guests", p->n_guests);
	conn_end(c, &j);
	for (size_t i = 0; i < p->n_guests; i++) {
		const struct rules_guest *g = &p->policies.guest[i];
		struct pol_machine m;

		j = conn_line(c);
		pol_set_machine(p->policies.files.set, i, &m);
		json_str(&j, "guest", g->name);
		json_str(&j, "interface", g->iface);
		json_u64(&j, "queue", g->queue);
		json_text(&j, "policy", m.policy);
		json_bool(&j, "frozen", atomic_load(&p->share[i].lane->frozen));
		json_i64(&j, "quarantine_left_s",
			 (parent_quarantine(p, i) + NS_PER_S - 1) / NS_PER_S);
		json_bool(&j, "engine", child_ready(&p->guest[i].engine));
		addresses(&j, g);
		counters(&j, p->share[i].lane);
		conn_end(c, &j);
	}
}

/* --- flows, budgets: an engine's answer ------------------------------------------------------------ */

static void flow(struct json *j, const struct flow_line *f)
{
	addr(j, "src_ip", &f->tup.src);
	json_u64(j, "src_port", f->tup.sport);
	addr(j, "dest_ip", &f->tup.dst);
	json_u64(j, "dest_port", f->tup.dport);
	json_u64(j, "proto", f->tup.proto);
	json_u64(j, "flow_id", f->id);
	json_text(j, "app", TEXT_OF(f->app));
	if (f->guess[0]) {
		json_text(j, "app_guess", TEXT_OF(f->guess));
		json_text(j, "app_confidence", TEXT_OF(f->confidence));
	}
	json_text(j, "state", TEXT_OF(f->state));
	json_u64(j, "packets_out", f->pkts_out);
	json_u64(j, "packets_in", f->pkts_in);
	json_u64(j, "octets_out", f->octets_out);
	json_u64(j, "octets_in", f->octets_in);
	json_i64(j, "age_ms", f->age_ns / MS);
	json_i64(j, "idle_ms", f->idle_ns / MS);
	json_u64(j, "held", f->held);
	json_u64(j, "offload", f->offload);
	json_bool(j, "denied", f->denied);
}

static void budget(struct json *j, const struct budget_line *b)
{
	json_text(j, "budget", TEXT_OF(b->name));
	json_text(j, "party", TEXT_OF(b->party));
	json_u64(j, "used", b->used);
	json_u64(j, "limit", b->limit);
	json_i64(j, "frees_s", b->frees_ns < 0 ? -1 : b->frees_ns / NS_PER_S);
}

static void total(struct json *j, const struct ledger_line *l)
{
	json_text(j, "unit", TEXT_OF(l->unit));
	json_text(j, "measurement", TEXT_OF(l->meas));
	json_text(j, "party", TEXT_OF(l->party));
	json_str(j, "direction", l->in ? "in" : "out");
	json_bool(j, "everyone", l->everyone);
	json_u64(j, "hour", l->hour);
	json_u64(j, "hours_24", l->hours_24);
	json_u64(j, "today", l->today);
	json_u64(j, "days_30", l->days_30);
	json_u64(j, "days_400", l->days_400);
}

/* The lines are copied out before they are looked at: the engine may still
 * write there. */
static void reply(struct conn *c, const struct lane_query *q)
{
	size_t size = c->req.verb == CTL_FLOWS	  ? sizeof(struct flow_line)
		      : c->req.verb == CTL_LEDGER ? sizeof(struct ledger_line)
						  : sizeof(struct budget_line);
	size_t n = q->n;
	struct json j;

	if (n > sizeof(q->reply))
		n = 0; /* it was looked at before; it changed since */
	n /= size;
	if (!conn_begin(c))
		return;
	j = conn_ok(c);
	json_str(&j, "guest", c->req.guest);
	json_u64(&j, "lines", n);
	conn_end(c, &j);
	for (size_t i = 0; i < n; i++) {
		union {
			struct flow_line flow;
			struct budget_line budget;
			struct ledger_line total;
		} u;

		memcpy(&u, q->reply + i * size, size);
		j = conn_line(c);
		if (c->req.verb == CTL_FLOWS)
			flow(&j, &u.flow);
		else if (c->req.verb == CTL_LEDGER)
			total(&j, &u.total);
		else
			budget(&j, &u.budget);
		conn_end(c, &j);
	}
}

void conn_query_done(struct conn *c, struct parent *p, int rc, const char *why)
{
	char text[ERR_TEXT + 64];
	struct json j;

	if (rc < 0) {
		snprintf(text, sizeof(text), "%s: %s", c->req.guest,
			 why[0] ? why : err_name(rc));
		conn_refuse(c, text);
	} else if (c->req.verb == CTL_FREEZE || c->req.verb == CTL_THAW ||
		   c->req.verb == CTL_ERASE || c->req.verb == CTL_RELEASE) {
		if (!conn_begin(c))
			return;
		j = conn_ok(c);
		json_str(&j, "guest", c->req.guest);
		if (c->req.verb == CTL_FREEZE || c->req.verb == CTL_THAW)
			json_bool(&j, "frozen", c->req.verb == CTL_FREEZE);
		conn_end(c, &j);
	} else {
		reply(c, &p->share[c->guest].lane->query);
	}
}

/* --- why ------------------------------------------------------------------------------------------- */

#define VIEW_TRIES 64

/* A refusal as the scribe wrote it, whole; false: it was being written. */
bool conn_refusal(struct view_refusal *to, const struct view *v,
		  size_t guest, uint64_t number)
{
	const struct view_refusal *from =
		&v->guest[guest].refusal[number % VIEW_REFUSALS];

	for (int i = 0; i < VIEW_TRIES; i++) {
		uint32_t before = atomic_load(&v->seq);

		memcpy(to, from, sizeof(*to));
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) && atomic_load(&v->seq) == before)
			return to->n <= VIEW_TEXT;
	}
	return false;
}

struct span conn_text(const struct view_refusal *r)
{
	size_t n = strnlen(r->text, r->n);

	while (n > 0 && r->text[n - 1] == '\n')
		n--;
	return span_of(r->text, n);
}

/* A JSON object on one line; a text that was cut is none. */
bool conn_is_object(const struct view_refusal *r)
{
	size_t n = r->n;

	while (n > 0 && (r->text[n - 1] == '\n' || r->text[n - 1] == 0))
		n--;
	for (size_t i = 0; i < n; i++) {
		if ((uint8_t)r->text[i] < 0x20)
			return false;
	}
	return n >= 2 && n < VIEW_TEXT && r->text[0] == '{' &&
	       r->text[n - 1] == '}';
}

static void one_refusal(struct conn *c, const struct parent *p, size_t guest,
			const struct view_refusal *r)
{
	struct json j = conn_line(c);

	json_str(&j, "guest", p->share[guest].name);
	json_u64(&j, "record", r->record);
	json_i64(&j, "wall_us", r->wall_us);
	if (conn_is_object(r)) {
		json_key(&j, span_str("event"));
		wbuf_put(&j.w, conn_text(r));
	} else {
		json_text(&j, "cut", conn_text(r));
	}
	conn_end(c, &j);
}

static void why(struct conn *c, struct parent *p)
{
	bool all = c->req.guest[0] == 0;
	struct view_refusal r;
	struct json j = conn_ok(c);

	conn_end(c, &j);
	for (size_t g = 0; g < p->n_guests; g++) {
		uint64_t n = p->view->guest[g].n;
		uint64_t from = n > VIEW_REFUSALS ? n - VIEW_REFUSALS : 0;

		if (!all && g != c->guest)
			continue;
		for (uint64_t k = from; k < n; k++) {
			if (conn_refusal(&r, p->view, g, k))
				one_refusal(c, p, g, &r);
		}
	}
}

/* --- metrics ---------------------------------------------------------------------------------------------- */

static void metrics(struct conn *c, struct parent *p)
{
	uint8_t *text = malloc(METRICS_MAX);
	struct wbuf w = wbuf_of(text, text ? METRICS_MAX : 0);
	struct json j;

	metrics_write(&w, p->share, p->n_guests, p->control, p->view);
	j = conn_ok(c);
	json_text(&j, "metrics", wbuf_span(&w));
	conn_end(c, &j);
	free(text);
}

/* --- all verbs --------------------------------------------------------------------------------------------- */

void conn_ask(struct conn *c, size_t number, struct parent *p)
{
	static const uint32_t kinds[CTL_VERBS] = {
		[CTL_FLOWS] = QUERY_FLOWS,   [CTL_BUDGETS] = QUERY_BUDGETS,
		[CTL_LEDGER] = QUERY_LEDGER, [CTL_ERASE] = QUERY_ERASE,
		[CTL_RELEASE] = QUERY_RELEASE};

	if (p->guest[c->guest].engine.pid <= 0)
		conn_query_done(c, p, E_STATE, "its engine is not running");
	else if (query_start(p, c->guest, kinds[c->req.verb], 0,
			     QUERY_OWNER_CTL, number))
		c->state = CONN_WAIT;
}

static bool find_guest(struct conn *c, const struct parent *p)
{
	char text[CTL_REQUEST];

	for (c->guest = 0; c->guest < p->n_guests; c->guest++) {
		if (strcmp(p->share[c->guest].name, c->req.guest) == 0)
			return true;
	}
	snprintf(text, sizeof(text), "there is no guest %s", c->req.guest);
	conn_refuse(c, text);
	return false;
}

void conn_answer(struct conn *c, size_t number, struct parent *p)
{
	static void (*const now[CTL_VERBS])(struct conn *c, struct parent *p) = {
		[CTL_STATUS] = status,	   [CTL_GUESTS] = guests,
		[CTL_WHY] = why,	   [CTL_POLICIES] = conn_policies,
		[CTL_METRICS_TEXT] = metrics, [CTL_DIFF] = conn_diff,
		[CTL_PENDING] = conn_pending, [CTL_NOTICES] = conn_notices,
	};
	static void (*const later[CTL_VERBS])(struct conn *c, size_t number,
					      struct parent *p) = {
		[CTL_FLOWS] = conn_ask,     [CTL_BUDGETS] = conn_ask,
		[CTL_FREEZE] = conn_freeze, [CTL_THAW] = conn_thaw,
		[CTL_RELOAD] = conn_reload, [CTL_LEDGER] = conn_ask,
		[CTL_ERASE] = conn_erase,   [CTL_RELEASE] = conn_release,
		[CTL_CONFIRM] = conn_confirm,
		[CTL_PROPOSE] = conn_propose, [CTL_EXPORT] = conn_export,
	};

	if (!ctl_verb_may(c->req.verb, c->panel)) {
		conn_refuse(c, c->panel ? "not on the panel's socket"
					: "only on the meter's panel");
		return;
	}
	if (c->req.guest[0] && c->req.verb != CTL_CONFIRM &&
	    c->req.verb != CTL_EXPORT && !find_guest(c, p))
		return;
	if (later[c->req.verb])
		later[c->req.verb](c, number, p);
	else if (conn_begin(c))
		now[c->req.verb](c, p);
}
