/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/metrics.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define STATUS_TRIES 64 /* its writer needs a microsecond */

bool lane_status_read(struct lane_status *to, const struct lane *lane)
{
	for (int i = 0; i < STATUS_TRIES; i++) {
		uint32_t before = atomic_load_explicit(&lane->status.seq,
						       memory_order_acquire);

		memcpy(to, &lane->status, sizeof(*to));
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1) &&
		    atomic_load_explicit(&lane->status.seq,
					 memory_order_relaxed) == before)
			return true;
	}
	return false;
}

static void line(struct wbuf *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void line(struct wbuf *w, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(text))
		wbuf_put(w, span_of(text, (size_t)n));
}

static void head(struct wbuf *w, const char *name, const char *type,
		 const char *help)
{
	line(w, "# HELP metergate_%s %s\n", name, help);
	line(w, "# TYPE metergate_%s %s\n", name, type);
}

/* --- one number of an engine's account each --------------------------------------- */

struct row {
	const char *name, *type, *help;
	size_t off; /* of a uint64_t in struct lane_status */
};

#define OFF(member) offsetof(struct lane_status, member)
/* clang-format off */
static const struct row rows[] = {
	{"packets_total",	"counter", "Packets taken from the guest's queue.", OFF(packets)},
	{"bytes_total",	"counter", "Octets of those packets.", OFF(octets)},
	{"passed_total",	"counter", "Packets that were let pass.", OFF(passed)},
	{"dropped_total",	"counter", "Packets that were not.", OFF(dropped)},
	{"flows_total",		"counter", "Flows seen.", OFF(flows)},
	{"flows",		"gauge",   "Flows now.", OFF(flows_now)},
	{"flows_peak",		"gauge",   "The most flows there were.", OFF(flows_peak)},
	{"held",		"gauge",   "Packets that wait for their unit.", OFF(held_now)},
	{"held_peak",		"gauge",   "The most packets that waited.", OFF(held_peak)},
	{"units_total",		"counter", "Units that were judged.", OFF(units)},
	{"observations_total",	"counter", "Observations in them.", OFF(observations)},
	{"allowed_total",	"counter", "Observations allowed.", OFF(allowed)},
	{"denied_total",	"counter", "Observations refused.", OFF(denied)},
	{"offloaded_total",	"counter", "Connections that the kernel carries.", OFF(offloaded)},
	{"offload_refused_total", "counter", "Refused connections that the kernel drops.", OFF(offload_refused)},
	{"netlink_errors_total", "counter", "Messages of the queue that could not be read.", OFF(netlink_errors)},
	{"socket_overruns_total", "counter", "Packets lost before the engine's socket.", OFF(socket_overruns)},
	{"audit_waits_total",	"counter", "Times the engine waited for the scribe.", OFF(audit_waits)},
};
/* clang-format on */

static uint64_t at_off(const struct lane_status *s, size_t off)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)s + off, sizeof(v));
	return v;
}

static void write_rows(struct wbuf *w, const struct guest_share *guest,
		       const struct lane_status *s, size_t n)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		head(w, rows[r].name, rows[r].type, rows[r].help);
		for (size_t i = 0; i < n; i++)
			line(w, "metergate_%s{guest=\"%s\"} %llu\n",
			     rows[r].name, guest[i].name,
			     (unsigned long long)at_off(&s[i], rows[r].off));
	}
}

static void write_reasons(struct wbuf *w, const char *name, const char *help,
			  const struct guest_share *guest,
			  const struct lane_status *s, size_t n, bool anomalies)
{
	head(w, name, "counter", help);
	for (size_t i = 0; i < n; i++) {
		for (int r = 1; r < REASON_COUNT; r++) {
			uint64_t v = anomalies ? s[i].anomalies[r]
					       : s[i].drops[r];

			if (v)
				line(w,
				     "metergate_%s{guest=\"%s\","
				     "reason=\"%s\"} %llu\n",
				     name, guest[i].name,
				     reason_text((enum reason)r),
				     (unsigned long long)v);
		}
	}
}

static void write_latency(struct wbuf *w, const struct guest_share *guest,
			  const struct lane_status *s, size_t n)
{
	static const char *const le[] = {"0.00001", "0.00003", "0.0001",
					 "0.0003",  "0.001",   "0.003",
					 "0.01",    "+Inf"};

	head(w, "verdict_seconds", "histogram",
	     "From the engine's wake-up to the verdict.");
	for (size_t i = 0; i < n; i++) {
		uint64_t sum = 0;

		for (size_t k = 0; k < sizeof(le) / sizeof(le[0]); k++) {
			sum += s[i].latency_ns[k];
			line(w,
			     "metergate_verdict_seconds_bucket{guest=\"%s\","
			     "le=\"%s\"} %llu\n",
			     guest[i].name, le[k], (unsigned long long)sum);
		}
		line(w, "metergate_verdict_seconds_sum{guest=\"%s\"} "
		     "%llu.%09llu\n", guest[i].name,
		     (unsigned long long)(s[i].latency_sum_ns / NS_PER_S),
		     (unsigned long long)(s[i].latency_sum_ns % NS_PER_S));
		line(w, "metergate_verdict_seconds_count{guest=\"%s\"} %llu\n",
		     guest[i].name, (unsigned long long)sum);
	}
}

/* --- the rules, the gates, and the gateway as a whole ------------------------------------------ */

static void write_gates(struct wbuf *w, const struct guest_share *guest,
			size_t n)
{
	static const struct {
		const char *name, *type, *help;
	} gate[] = {
		{"verdicts_sent_total", "counter", "Verdicts given to the kernel."},
		{"verdict_errors_total", "counter", "Verdicts that the kernel refused."},
		{"crafted_total",	"counter", "Segments made by the gate."},
		{"verdicts_malformed_total", "counter", "Verdicts of a broken engine."},
		{"left_dropped_total",	"counter", "Packets that waited for an engine that died."},
		{"frozen",		"gauge",   "1: everything of the guest is dropped."},
		{"quarantined",		"gauge",   "1: the guest has lost its grants for a while."},
		{"audit_used_percent",	"gauge",   "Of the records that may come at once; at 100 they wait."},
		{"audit_alarm",		"gauge",   "1: since that was 80, until it is below 50."},
	};

	struct mono now = live_mono();

	for (size_t k = 0; k < sizeof(gate) / sizeof(gate[0]); k++) {
		head(w, gate[k].name, gate[k].type, gate[k].help);
		for (size_t i = 0; i < n; i++) {
			const struct lane *l = guest[i].lane;
			uint64_t v[] = {
				atomic_load(&l->gate_sent),
				atomic_load(&l->gate_errors),
				atomic_load(&l->gate_crafted),
				atomic_load(&l->gate_bad),
				atomic_load(&l->left_dropped),
				atomic_load(&l->frozen),
				atomic_load(&l->quarantine) > now.ns,
				atomic_load(&l->audit_percent),
				atomic_load(&l->audit_alarm),
			};

			line(w, "metergate_%s{guest=\"%s\"} %llu\n",
			     gate[k].name, guest[i].name,
			     (unsigned long long)v[k]);
		}
	}
}

static void write_rules(struct wbuf *w, const struct guest_share *guest,
			size_t n)
{
	head(w, "rules_dropped_total", "counter",
	     "Packets dropped by rules before the queue, by reason.");
	for (size_t i = 0; i < n; i++) {
		for (int r = 1; r < REASON_COUNT; r++) {
			uint64_t v =
				atomic_load(&guest[i].lane->rules_dropped[r]);

			if (v)
				line(w,
				     "metergate_rules_dropped_total{guest="
				     "\"%s\",reason=\"%s\"} %llu\n",
				     guest[i].name, reason_text((enum reason)r),
				     (unsigned long long)v);
		}
	}
}

static void one(struct wbuf *w, const char *name, const char *type,
		const char *help, uint64_t v)
{
	head(w, name, type, help);
	line(w, "metergate_%s %llu\n", name, (unsigned long long)v);
}

static void write_audit(struct wbuf *w, const struct view *v,
			const struct control *c)
{
	static const char *const states[] = {[ANCHORING_NONE] = "none",
					     [ANCHORING_GOOD] = "good",
					     [ANCHORING_AWAY] = "away"};

	one(w, "audit_closed", "gauge",
	    "1: nothing can be recorded, so nothing passes.",
	    atomic_load(&c->audit_closed));
	one(w, "audit_tight", "gauge",
	    "1: the audit is nearly full and nothing of it may be pruned.",
	    atomic_load(&c->audit_tight));
	one(w, "audit_recovery", "gauge",
	    "Not 0: the log was altered; records go to another beside it.",
	    atomic_load(&c->audit_recovery));
	one(w, "audit_damaged", "gauge",
	    "1: something of the log was altered or could not be read when "
	    "somebody asked for it.", atomic_load(&c->audit_damaged));
	head(w, "audit_anchoring", "gauge",
	     "1 at the state of anchoring: there is no TPM; checkpoints are "
	     "anchored; it does not answer.");
	for (uint32_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		line(w, "metergate_audit_anchoring{state=\"%s\"} %d\n",
		     states[i], atomic_load(&c->anchoring) == i);
	one(w, "audit_anchored_records", "gauge",
	    "Records under the last checkpoint that the TPM has.",
	    atomic_load(&c->anchored_size));
	one(w, "audit_records", "gauge", "Records of the log, all boots.",
	    v->size);
	one(w, "audit_first_record", "gauge",
	    "The oldest record that was not pruned.", v->first);
	one(w, "audit_records_total", "counter",
	    "Records written since the gateway started.", v->records);
	one(w, "audit_commits_total", "counter", "Commits of the audit.",
	    v->commits);
	head(w, "audit_commit_seconds", "gauge",
	     "How long the last commit took.");
	line(w, "metergate_audit_commit_seconds %llu.%06llu\n",
	     (unsigned long long)(v->last_commit_us / 1000000),
	     (unsigned long long)(v->last_commit_us % 1000000));
	one(w, "audit_failures_total", "counter",
	    "Times the audit could not be written.", v->failures);
	one(w, "audit_aggregated_total", "counter",
	    "Events merged into others during storms.", v->aggregated);
	one(w, "audit_lost_total", "counter",
	    "Refusals that were only counted.", v->lost);
}

void metrics_write(struct wbuf *w, const struct guest_share *guest, size_t n,
		   const struct control *control, const struct view *view)
{
	/* Some 80 KiB for 16 guests. */
	struct lane_status s[SHARE_GUESTS];

	if (n > SHARE_GUESTS)
		n = SHARE_GUESTS;
	for (size_t i = 0; i < n; i++)
		(void)lane_status_read(&s[i], guest[i].lane);
	head(w, "build_info", "gauge", "Always 1.");
	line(w, "metergate_build_info{version=\"%s\"} 1\n", METERGATE_VERSION);
	one(w, "clock_trusted", "gauge", "1: a time source set the clock.",
	    atomic_load(&control->clock_trusted));
	write_rows(w, guest, s, n);
	write_reasons(w, "drops_total", "Packets dropped, by reason.", guest,
		      s, n, false);
	write_reasons(w, "anomalies_total", "Anomalies, by reason.", guest, s,
		      n, true);
	write_latency(w, guest, s, n);
	head(w, "policy_generation", "gauge", "Of the set the engine runs.");
	for (size_t i = 0; i < n; i++)
		line(w, "metergate_policy_generation{guest=\"%s\"} %u\n",
		     guest[i].name, s[i].generation);
	write_rules(w, guest, n);
	write_gates(w, guest, n);
	if (view)
		write_audit(w, view, control);
}
