/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of Prometheus: families whole and once, values as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "enforcer/daemon/metrics.h"

struct world {
	struct guest_share guest[SHARE_GUESTS];
	struct control control;
	struct view view;
	uint8_t text[METRICS_MAX + 1];
	struct wbuf w;
};

static struct world *make(size_t n)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	for (size_t i = 0; i < n; i++) {
		snprintf(w->guest[i].name, sizeof(w->guest[i].name), "guest-%zu",
			 i);
		w->guest[i].lane = aligned_alloc(_Alignof(struct lane),
						 sizeof(struct lane));
		assert_non_null(w->guest[i].lane);
		memset(w->guest[i].lane, 0, sizeof(struct lane));
	}
	return w;
}

static void write_all(struct world *w, size_t n)
{
	w->w = wbuf_of(w->text, METRICS_MAX);
	metrics_write(&w->w, w->guest, n, &w->control, &w->view);
	assert_false(w->w.failed);
	w->text[w->w.n] = 0;
}

static void end(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(w->guest[i].lane);
	free(w);
}

static void values(void **s)
{
	static const char *const lines[] = {
		"metergate_packets_total{guest=\"guest-0\"} 11\n",
		"metergate_packets_total{guest=\"guest-1\"} 0\n",
		"metergate_drops_total{guest=\"guest-1\","
		"reason=\"too-soon\"} 3\n",
		"metergate_rules_dropped_total{guest=\"guest-1\","
		"reason=\"spoofed-source\"} 7\n",
		"metergate_left_dropped_total{guest=\"guest-0\"} 12\n",
		"metergate_frozen{guest=\"guest-1\"} 1\n",
		"metergate_verdict_seconds_bucket{guest=\"guest-0\","
		"le=\"0.00003\"} 5\n",
		"metergate_verdict_seconds_bucket{guest=\"guest-0\","
		"le=\"+Inf\"} 6\n",
		"metergate_verdict_seconds_sum{guest=\"guest-0\"} "
		"1.000000250\n",
		"metergate_verdict_seconds_count{guest=\"guest-0\"} 6\n",
		"metergate_audit_records 1455\n",
		"metergate_audit_first_record 256\n",
		"metergate_audit_commit_seconds 0.001500\n",
		"metergate_audit_anchoring{state=\"none\"} 0\n",
		"metergate_audit_anchoring{state=\"away\"} 1\n",
		"metergate_audit_records_total 99\n",
		"metergate_clock_trusted 1\n",
	};
	struct world *w = make(2);
	struct lane *a = w->guest[0].lane, *b = w->guest[1].lane;
	const char *text = (const char *)w->text;

	(void)s;
	a->status.packets = 11;
	a->status.latency_ns[0] = 2;
	a->status.latency_ns[1] = 3;
	a->status.latency_ns[7] = 1;
	b->status.drops[REASON_TOO_SOON] = 3;
	atomic_store(&b->frozen, 1);
	atomic_store(&a->left_dropped, 12);
	atomic_store(&b->rules_dropped[REASON_SPOOFED_SOURCE], 7);
	atomic_store(&w->control.clock_trusted, 1);
	w->view.records = 99;
	w->view.size = 1455;
	w->view.first = 256;
	w->view.last_commit_us = 1500;
	a->status.latency_sum_ns = NS_PER_S + 250;
	atomic_store(&w->control.anchoring, ANCHORING_AWAY);
	write_all(w, 2);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(text, lines[i]))
			fail_msg("missing: %s", lines[i]);
	}
	/* A reason that never occurred is no line. */
	assert_null(strstr(text, "reason=\"malformed\""));
	end(w, 2);
}

/* Each family has one HELP, one TYPE, and its samples behind them. */
static void form(void **s)
{
	struct world *w = make(3);
	char *text = (char *)w->text, *save = NULL, family[128] = "",
	     seen[64][128];
	size_t n = 0, samples = 0, sums = 0, counts = 0;
	bool histogram = false;

	(void)s;
	write_all(w, 3);
	assert_int_equal(w->text[w->w.n - 1], '\n');
	for (char *l = strtok_r(text, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save)) {
		char name[128], type[32], *end;

		if (sscanf(l, "# HELP %127s", name) == 1) {
			for (size_t i = 0; i < n; i++)
				assert_string_not_equal(seen[i], name);
			assert_true(n < 64);
			snprintf(seen[n++], 128, "%s", name);
			snprintf(family, sizeof(family), "%s", name);
			continue;
		}
		if (sscanf(l, "# TYPE %127s %31s", name, type) == 2) {
			assert_string_equal(name, family);
			histogram = !strcmp(type, "histogram");
			assert_true(!strcmp(type, "counter") ||
				    !strcmp(type, "gauge") ||
				    !strcmp(type, "histogram"));
			assert_int_equal(!strcmp(type, "counter"),
					 strlen(name) > 6 &&
						 !strcmp(name + strlen(name) - 6,
							 "_total"));
			continue;
		}
		/* A family's samples have its name, but for a histogram's
		 * parts, of which none may be missing. */
		assert_memory_equal(l, family, strlen(family));
		end = l + strlen(family);
		assert_int_equal(histogram, *end != '{' && *end != ' ');
		sums += strncmp(end, "_sum", 4) == 0;
		counts += strncmp(end, "_count", 6) == 0;
		/* Names have base units. */
		assert_null(strstr(family, "micro"));
		assert_null(strstr(family, "milli"));
		strtod(strrchr(l, ' ') + 1, &end);
		assert_int_equal(*end, 0);
		samples++;
	}
	assert_int_equal(sums, 3);
	assert_int_equal(counts, 3);
	assert_true(samples > 3 * 20);
	end(w, 3);
}

/* All guests with every reason fit, and what does not fit is no overflow. */
static void sizes(void **s)
{
	struct world *w = make(SHARE_GUESTS);

	(void)s;
	for (size_t i = 0; i < SHARE_GUESTS; i++) {
		struct lane *l = w->guest[i].lane;

		memset(w->guest[i].name, 'g', sizeof(w->guest[i].name) - 1);
		memset(&l->rules_dropped, 0xff, sizeof(l->rules_dropped));
		memset(&l->status.packets, 0xff,
		       sizeof(l->status) -
			       offsetof(struct lane_status, packets));
	}
	write_all(w, SHARE_GUESTS);
	w->w = wbuf_of(w->text, 1000);
	metrics_write(&w->w, w->guest, SHARE_GUESTS, &w->control, NULL);
	assert_true(w->w.n <= 1000);
	end(w, SHARE_GUESTS);
}

static void consistent(void **s)
{
	struct world *w = make(1);
	struct lane_status copy;

	(void)s;
	assert_true(lane_status_read(&copy, w->guest[0].lane));
	atomic_store(&w->guest[0].lane->status.seq, 5); /* being written */
	assert_false(lane_status_read(&copy, w->guest[0].lane));
	end(w, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values), cmocka_unit_test(form),
		cmocka_unit_test(sizes),  cmocka_unit_test(consistent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
