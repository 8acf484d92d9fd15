/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody should know: machines in quarantine, policies that wait,
 * answers that count no more, rules on trial and when that ends, and refusals
 * of which a rule says that somebody is told (`notify`) or that are grave.
 * Those of one rule are one notice for ten minutes (policy-language section
 * 16).
 */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/json_read.h"
#include "enforcer/daemon/answers.h"
#include "enforcer/daemon/ctl_conn.h"
#include "policy-lang/image/view.h"

#define MERGE_US (600 * US_PER_S)
#define KEY_TEXT 160

static struct json notice(const struct conn *c, const char *what)
{
	struct json j = conn_line(c);

	json_str(&j, "notice", what);
	return j;
}

static void quarantines(struct conn *c, const struct parent *p)
{
	for (size_t i = 0; i < p->n_guests; i++) {
		int64_t left = parent_quarantine(p, i);
		struct json j;

		if (left == 0)
			continue;
		j = notice(c, "quarantine");
		json_str(&j, "severity", "high");
		json_str(&j, "guest", p->share[i].name);
		json_i64(&j, "left_s", (left + NS_PER_S - 1) / NS_PER_S);
		conn_end(c, &j);
	}
}

static void waiting(struct conn *c, const struct activation *a)
{
	for (size_t i = 0; i < a->store.n_staged; i++) {
		const struct store_staged *s = &a->store.staged[i];
		struct json j = notice(c, "staged");
		int64_t left = activate_left(a, i);
		char code[ACTIVATE_CODE];

		activate_code(a, i, code);
		json_text(&j, "policy", pol_image_id(s->image.image));
		json_u64(&j, "serial", pol_image_serial(s->image.image));
		json_bool(&j, "confirmed", s->confirmed);
		if (activate_told(a, i))
			json_str(&j, "code", code);
		if (left >= 0)
			json_i64(&j, "left_s", left / NS_PER_S);
		conn_end(c, &j);
	}
}

static void answers(struct conn *c, const struct capture_policy *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct pol_image *im = f->image[i];
		char name[ANSWER_NAME];

		for (uint32_t k = 0;
		     pol_image_kind(im) == POL_CUSTOMER && k < im->n_ANSW; k++) {
			struct json j;

			if (!pol_set_is_void(f->set, k))
				continue;
			answer_name(name, im, k);
			j = notice(c, "answer-void");
			json_str(&j, "rule", name);
			conn_end(c, &j);
		}
	}
}

static void on_trial(struct conn *c, const struct pol_image *im,
		     const char *rule, int64_t until, int64_t now)
{
	struct json j = notice(c, "monitored");

	json_text(&j, "policy", pol_image_id(im));
	json_text(&j, "guest", pol_image_vm(im));
	if (rule)
		json_str(&j, "rule", rule);
	json_i64(&j, "until", until);
	json_i64(&j, "left_s", until > now ? until - now : 0);
	conn_end(c, &j);
}

/* Also those whose time is over: they are enforced, and could say so. */
static void trials(struct conn *c, const struct parent *p)
{
	const struct capture_policy *f = &p->policies.files;
	int64_t now = wall_s(p->now.wall);

	for (size_t i = 0; i < f->n; i++) {
		const struct pol_image *im = f->image[i];

		if (pol_image_kind(im) != POL_VENDOR)
			continue;
		if (im->META->monitor_until)
			on_trial(c, im, NULL, im->META->monitor_until, now);
		for (uint32_t k = 0; k < im->n_RULE; k++) {
			if (im->RULE[k].monitor_until)
				on_trial(c, im, im->STRS + im->RULE[k].id,
					 im->RULE[k].monitor_until, now);
		}
	}
}

/* --- refusals that somebody is told of -------------------------------------------- */

struct group {
	char key[KEY_TEXT]; /* rule and reason */
	int64_t begin_us;
	uint64_t count, last; /* number of the last one */
};

/* A rule says so, or how grave it is does. */
static bool to_be_told(struct span mg)
{
	char severity[16];

	json_string(severity, sizeof(severity), json_get(mg, "severity"));
	return json_get(mg, "notify").n > 0 || strcmp(severity, "high") == 0 ||
	       strcmp(severity, "critical") == 0;
}

static bool key_of(char key[KEY_TEXT], const struct view_refusal *r)
{
	struct span mg = json_get(conn_text(r), "metergate");
	size_t n;

	if (!conn_is_object(r) || !to_be_told(mg))
		return false;
	json_string(key, KEY_TEXT / 2, json_get(mg, "rule"));
	n = strlen(key);
	key[n++] = ' ';
	json_string(key + n, KEY_TEXT - n, json_get(mg, "reason"));
	return true;
}

static void add(struct group *g, size_t *n, const struct view_refusal *r,
		uint64_t number)
{
	char key[KEY_TEXT];
	size_t i = *n;

	if (!key_of(key, r))
		return;
	while (i > 0 && strcmp(g[i - 1].key, key) != 0)
		i--;
	if (i == 0 || r->wall_us - g[i - 1].begin_us >= MERGE_US) {
		i = ++*n; /* at most one each */
		g[i - 1] = (struct group){.begin_us = r->wall_us};
		memcpy(g[i - 1].key, key, sizeof(key));
	}
	g[i - 1].count++;
	g[i - 1].last = number;
}

static void refusals(struct conn *c, const struct parent *p, size_t guest)
{
	struct group g[VIEW_REFUSALS];
	struct view_refusal r;
	uint64_t n = p->view->guest[guest].n;
	uint64_t from = n > VIEW_REFUSALS ? n - VIEW_REFUSALS : 0;
	size_t groups = 0;

	for (uint64_t k = from; k < n; k++) {
		if (conn_refusal(&r, p->view, guest, k))
			add(g, &groups, &r, k);
	}
	for (size_t i = 0; i < groups; i++) {
		struct json j;

		if (!conn_refusal(&r, p->view, guest, g[i].last) ||
		    !conn_is_object(&r))
			continue; /* it was overwritten meanwhile */
		j = notice(c, "refusal");
		json_str(&j, "guest", p->share[guest].name);
		json_u64(&j, "count", g[i].count);
		json_u64(&j, "record", r.record);
		json_i64(&j, "begin_us", g[i].begin_us);
		json_i64(&j, "wall_us", r.wall_us);
		json_key(&j, span_str("event"));
		wbuf_put(&j.w, conn_text(&r));
		conn_end(c, &j);
	}
}

void conn_notices(struct conn *c, struct parent *p)
{
	struct json j = conn_ok(c);

	conn_end(c, &j);
	quarantines(c, p);
	waiting(c, &p->activation);
	answers(c, &p->policies.files);
	trials(c, p);
	for (size_t i = 0; i < p->n_guests; i++)
		refusals(c, p, i);
}
