/* SPDX-License-Identifier: Apache-2.0 */
/* A decision as one JSON object, for programs that ask polc explain. */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/polc.h"

#define LINE_MAX_OCTETS (64u << 10)

static void put_rules(struct json *j, const struct pol_decision *d)
{
	json_arr(j, "rules");
	for (uint32_t i = 0; i < d->n_rules; i++) {
		const struct event_rule *r = &d->rules[i];

		json_obj(j, NULL);
		json_text(j, "layer", r->layer);
		json_text(j, "policy", r->policy);
		if (r->rule.n)
			json_text(j, "rule", r->rule);
		if (r->file.n)
			json_text(j, "file", r->file);
		if (r->line)
			json_u64(j, "line", r->line);
		json_bool(j, "refused", d->refused_rules >> i & 1);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void put_budgets(struct json *j, const struct pol_decision *d)
{
	json_arr(j, "budgets");
	for (uint32_t i = 0; i < d->n_budgets; i++) {
		json_obj(j, NULL);
		json_text(j, "name", d->budgets[i].name);
		json_u64(j, "used", d->budgets[i].used);
		json_u64(j, "limit", d->budgets[i].limit);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void put_reasons(struct json *j, const struct pol_decision *d)
{
	json_arr(j, "reasons");
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		if (reasons_has(&d->reasons, (enum reason)r))
			json_str(j, NULL, reason_text((enum reason)r));
	}
	json_arr_end(j);
}

/* The same chain as for people, a line each. */
static void put_lines(struct json *j, const char *text)
{
	json_arr(j, "lines");
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n)
			json_text(j, NULL, span_of(text, n));
		text += n + (text[n] == '\n');
	}
	json_arr_end(j);
}

int explain_json(const struct pol_decision *d, bool told, const char *text)
{
	static const char *const actions[] = {"refuse", "drop", "reset",
					      "defer", "quarantine"};
	char *buf = malloc(LINE_MAX_OCTETS);
	struct json j = json_of(buf, buf ? LINE_MAX_OCTETS : 0);

	json_obj(&j, NULL);
	json_str(&j, "verdict", d->permit ? "permitted" : "refused");
	if (d->monitored)
		json_bool(&j, "would_refuse", true);
	json_text(&j, "party", d->party);
	put_reasons(&j, d);
	if (d->text[0])
		json_str(&j, "detail", d->text);
	if (!d->permit && !told)
		json_str(&j, "action", actions[d->action]);
	if (d->wait_ns > 0) /* up: never too short */
		json_i64(&j, "wait_s", (d->wait_ns + NS_PER_S - 1) / NS_PER_S);
	if (d->would_pass.n)
		json_text(&j, "would_pass", d->would_pass);
	put_rules(&j, d);
	put_budgets(&j, d);
	put_lines(&j, text);
	json_obj_end(&j);
	if (!json_line(&j)) {
		free(buf);
		polc_say("explain: too much text");
		return POLC_IO;
	}
	fwrite(buf, 1, j.w.n, stdout);
	free(buf);
	return POLC_OK;
}
