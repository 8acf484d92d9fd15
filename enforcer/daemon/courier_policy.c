/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /v1/policies, and what each policy's label says, as JSON. All from the
 * cards that the parent filled: texts there were cut to their fields, but a
 * reader may come while they are written, so none is taken to end in time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "enforcer/daemon/courier.h"
#include "policy-lang/analysis/label.h"

#define LIST_MAX  (1024 * 1024)
#define LABEL_MAX (256 * 1024)
#define TRIES	  64 /* to read what somebody is writing */
#define FIELD(x)  span_of((x), strnlen((x), sizeof(x)))

static void put_day(struct json *j, const char *key, int64_t s)
{
	struct civil c = civil_of(s);
	char text[32];

	if (s == 0) {
		json_null(j, key);
		return;
	}
	snprintf(text, sizeof(text), "%04d-%02d-%02d", c.year, c.month, c.day);
	json_str(j, key, text);
}

static void put_some(struct json *j, const char *key, struct span s)
{
	if (s.n)
		json_text(j, key, s);
	else
		json_null(j, key);
}

/* --- the list --------------------------------------------------------------- */

static void put_modes(struct json *j, const struct card *k)
{
	uint32_t n = k->n_monitored < CARD_RULES ? k->n_monitored : CARD_RULES;

	json_str(j, "mode", k->monitor_until ? "monitor" : "enforce");
	put_day(j, "monitor_until", k->monitor_until);
	json_u64(j, "monitored_rules", k->n_monitored);
	json_arr(j, "monitored");
	for (uint32_t i = 0; i < n; i++) {
		json_obj(j, NULL);
		json_text(j, "rule", FIELD(k->monitored[i].id));
		put_day(j, "until", k->monitored[i].until);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void put_libraries(struct json *j, const struct card *k)
{
	uint32_t n = k->n_libs < CARD_LIBS ? k->n_libs : CARD_LIBS;

	json_u64(j, "compiled_with", k->n_libs);
	json_arr(j, "libraries");
	for (uint32_t i = 0; i < n; i++) {
		json_obj(j, NULL);
		json_text(j, "id", FIELD(k->lib[i].id));
		json_u64(j, "serial", k->lib[i].serial);
		json_hex(j, "sha-256",
			 span_of(k->lib[i].digest, sizeof(k->lib[i].digest)));
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void put_links(struct json *j, const struct card *k)
{
	char path[CARD_NAME + 40];
	struct span id = FIELD(k->id);

	if (k->kind != POL_VENDOR) { /* of others there is none */
		json_null(j, "label");
		return;
	}
	json_obj(j, "label");
	snprintf(path, sizeof(path), CARD_PATH "%.*s/label.json", (int)id.n,
		 (const char *)id.p);
	json_str(j, "json", path);
	snprintf(path, sizeof(path), CARD_PATH "%.*s/label.svg", (int)id.n,
		 (const char *)id.p);
	json_str(j, "svg", path);
	json_obj_end(j);
}

static void put_policy(struct json *j, const struct card *k)
{
	static const char *const layers[] = {
		[POL_BINDING] = "binding",
		[POL_BASELINE] = "baseline",
		[POL_VENDOR] = "vendor",
		[POL_CUSTOMER] = "customer",
	};

	json_obj(j, NULL);
	json_text(j, "id", FIELD(k->id));
	json_str(j, "layer",
		 k->kind < sizeof(layers) / sizeof(layers[0]) &&
				 layers[k->kind]
			 ? layers[k->kind]
			 : "other");
	json_u64(j, "serial", k->serial);
	json_hex(j, "sha-256", span_of(k->digest, sizeof(k->digest)));
	json_hex(j, "source-sha-256", span_of(k->source, sizeof(k->source)));
	json_hex(j, "file-sha-256", span_of(k->file, sizeof(k->file)));
	put_libraries(j, k);
	put_some(j, "title", FIELD(k->title));
	put_some(j, "contact", FIELD(k->contact));
	put_some(j, "machine", FIELD(k->machine));
	put_some(j, "vendor", FIELD(k->vendor));
	put_some(j, "signed_with", FIELD(k->signed_with));
	put_day(j, "not_before", k->not_before);
	put_day(j, "not_after", k->not_after);
	put_modes(j, k);
	put_links(j, k);
	json_obj_end(j);
}

static bool list(const struct cards *c, struct wbuf *w)
{
	struct json j = json_of(w->p, w->cap);
	uint32_t n = c->n < CARDS_MAX ? c->n : CARDS_MAX;

	json_obj(&j, NULL);
	json_u64(&j, "generation", c->generation);
	json_arr(&j, "policies");
	for (uint32_t i = 0; i < n; i++)
		put_policy(&j, &c->card[i]);
	json_arr_end(&j);
	json_obj_end(&j);
	w->n = json_line(&j) ? j.w.n : 0;
	return w->n > 0;
}

/* --- a label ---------------------------------------------------------------- */

static void put_set(struct json *j, const char *key, uint32_t set, unsigned n,
		    const char *(*name)(unsigned))
{
	json_arr(j, key);
	for (unsigned i = 0; i < n; i++) {
		if (set >> i & 1)
			json_str(j, NULL, name(i));
	}
	json_arr_end(j);
}

static const char *a_statement(unsigned i)
{
	return statement_key((enum statement)i);
}

static const char *an_appliance(unsigned i)
{
	return appliance_key((enum appliance)i);
}

static void put_recipient(struct json *j, const struct card_row *r)
{
	static const char *const roles[] = {
		"metering", "grid", "flexibility", "service",
		"software-update", "household", "infrastructure", "vm"};
	static const char *const known[] = {"address", "aptitle", "tls-name",
					    "tls-key", "machine"};
	const struct lay_label *l = &r->label;
	char grade[2] = {(char)l->grade, 0};

	json_obj(j, NULL);
	json_text(j, "operator", FIELD(r->operator_));
	json_str(j, "role",
		 r->role < sizeof(roles) / sizeof(roles[0]) ? roles[r->role]
							    : "other");
	put_some(j, "country", FIELD(r->country));
	json_str(j, "identity",
		 l->identity < LAY_LABEL_IDS ? known[l->identity] : "other");
	json_str(j, "grade", grade);
	json_str(j, "grade-word", grade_word((char)l->grade));
	json_bool(j, "sealed", l->sealed);
	json_str(j, "other-messages",
		 l->other == LABEL_OTHER_ANY    ? "unlimited"
		 : l->other == LABEL_OTHER_SOME ? "limited"
						: "none");
	json_arr(j, "modifiers");
	if (l->live)
		json_str(j, NULL, "live");
	if (l->late)
		json_str(j, NULL, "late");
	json_arr_end(j);
	if (l->spacing == INT64_MAX)
		json_null(j, "spacing-s");
	else
		json_i64(j, "spacing-s", l->spacing / NS_PER_S);
	put_set(j, "statements", l->statements, ST_COUNT, a_statement);
	json_obj(j, "appliances");
	put_set(j, "clear", l->clear, APPLIANCE_COUNT, an_appliance);
	put_set(j, "blurred", l->blurred, APPLIANCE_COUNT, an_appliance);
	json_obj_end(j);
	json_obj_end(j);
}

static bool label_json(const struct card *k, struct wbuf *w)
{
	struct json j = json_of(w->p, w->cap);
	uint32_t n = k->n_rows < LAY_MAX_PARTIES ? k->n_rows : LAY_MAX_PARTIES;

	json_obj(&j, NULL);
	json_u64(&j, "label", 1);
	json_obj(&j, "policy");
	json_text(&j, "id", FIELD(k->id));
	json_u64(&j, "serial", k->serial);
	json_hex(&j, "sha-256", span_of(k->digest, sizeof(k->digest)));
	json_obj_end(&j);
	json_str(&j, "scope", "all-consents");
	/* Compared when it was activated; or nobody put one in. */
	json_str(&j, "from", k->carried ? "image" : "gateway");
	json_text(&j, "machine", FIELD(k->machine));
	json_arr(&j, "recipients");
	for (uint32_t i = 0; i < n; i++)
		put_recipient(&j, &k->row[i]);
	json_arr_end(&j);
	json_obj_end(&j);
	w->n = json_line(&j) ? j.w.n : 0;
	return w->n > 0;
}

/* --- which one -------------------------------------------------------------- */

/* "ID/label.json" or "ID/label.svg" */
static const struct card *card_of(const struct cards *c, const char *rest,
				  bool *svg)
{
	const char *slash = strchr(rest, '/');
	uint32_t n = c->n < CARDS_MAX ? c->n : CARDS_MAX;

	if (!slash || (strcmp(slash, "/label.json") != 0 &&
		       strcmp(slash, "/label.svg") != 0))
		return NULL;
	*svg = strcmp(slash, "/label.svg") == 0;
	for (uint32_t i = 0; i < n; i++) {
		if (c->card[i].kind == POL_VENDOR &&
		    span_eq(FIELD(c->card[i].id),
			    span_of(rest, (size_t)(slash - rest))))
			return &c->card[i];
	}
	return NULL;
}

static int write_once(const struct cards *c, const char *rest, struct wbuf *w,
		      const char **type)
{
	const struct card *k;
	bool svg;

	w->n = 0;
	w->failed = false;
	*type = "application/json";
	if (!rest)
		return list(c, w) ? 0 : E_NOMEM;
	k = card_of(c, rest, &svg);
	if (!k)
		return E_NOTFOUND;
	if (!svg)
		return label_json(k, w) ? 0 : E_NOMEM;
	*type = "image/svg+xml; charset=utf-8";
	return card_svg(k, w) ? 0 : E_NOMEM;
}

bool cards_of(const char *path, const char **rest)
{
	static const char all[] = CARD_PATH;

	*rest = NULL;
	if (strncmp(path, all, sizeof(all) - 1) == 0)
		*rest = path + sizeof(all) - 1;
	return *rest || strcmp(path, "/v1/policies") == 0;
}

int cards_write(const struct cards *c, const char *rest, struct wbuf *w,
		const char **type)
{
	size_t cap = rest ? LABEL_MAX : LIST_MAX;
	uint32_t seq;
	int rc = E_STATE;

	*w = wbuf_of(malloc(cap), cap);
	if (!w->p)
		return E_NOMEM;
	for (int i = 0; i < TRIES; i++) {
		if (!cards_begin(c, &seq))
			continue;
		rc = write_once(c, rest, w, type);
		if (cards_same(c, seq))
			break;
		rc = E_STATE;
	}
	if (rc) {
		free(w->p);
		*w = (struct wbuf){0};
	}
	return rc;
}
