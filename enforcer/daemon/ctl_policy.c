/* SPDX-License-Identifier: Apache-2.0 */
/* What the control socket answers about policies. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "enforcer/daemon/ctl_conn.h"
#include "policy-lang/image/view.h"

static const char *const kinds[] = {
	[POL_BINDING] = "binding", [POL_BASELINE] = "baseline",
	[POL_VENDOR] = "vendor",   [POL_CUSTOMER] = "customer",
	[POL_LIBRARY] = "library", [POL_TESTS] = "tests",
};

/* A line that does not fit is left out, and a policy must not be: of more, or
 * of what no author writes, polc show tells. */
#define LIBRARIES 16
#define LIBRARY_ID 128

static void libraries(struct json *j, const struct pol_image *im)
{
	json_arr(j, "libraries");
	for (uint32_t i = 0; i < im->n_INCL && i < LIBRARIES; i++) {
		const struct lay_lib *l = &im->INCL[i];

		json_obj(j, NULL);
		json_text(j, "id", span_sub(img_lib(im, i).id, 0, LIBRARY_ID));
		json_u64(j, "serial", l->serial);
		json_hex(j, "sha256", span_of(l->digest, sizeof(l->digest)));
		json_obj_end(j);
	}
	json_arr_end(j);
}

static struct json one_policy(const struct conn *c, const struct pol_image *im,
			      const char *state)
{
	struct json j = conn_line(c);
	char key[SIGN_KEY_TEXT];
	uint8_t digest[32];

	pol_image_digest(im, digest);
	json_text(&j, "policy", pol_image_id(im));
	json_str(&j, "kind", kinds[pol_image_kind(im)]);
	json_u64(&j, "serial", pol_image_serial(im));
	json_text(&j, "guest", pol_image_vm(im));
	json_str(&j, "state", state);
	json_hex(&j, "digest", span_of(digest, sizeof(digest)));
	if (pol_image_signer(im)) {
		sign_key_text(key, pol_image_signer(im));
		json_str(&j, "signed_with", key);
	}
	if (im->n_INCL)
		libraries(&j, im);
	return j;
}

static void waiting(struct conn *c, const struct activation *a)
{
	for (size_t i = 0; i < a->store.n_staged; i++) {
		const struct store_staged *s = &a->store.staged[i];
		struct json j = one_policy(c, s->image.image,
					   s->confirmed ? "confirmed"
							: "staged");
		int64_t left = activate_left(a, i);
		char code[ACTIVATE_CODE];

		activate_code(a, i, code);
		if (activate_told(a, i))
			json_str(&j, "code", code);
		/* By itself; never, where only the customer's word counts. */
		if (left >= 0)
			json_i64(&j, "notice_left_s", left / NS_PER_S);
		conn_end(c, &j);
	}
}

void conn_policies(struct conn *c, struct parent *p)
{
	const struct capture_policy *f = &p->policies.files;
	struct json j = conn_ok(c);

	json_u64(&j, "generation", p->generation);
	json_u64(&j, "policies", f->n);
	conn_end(c, &j);
	for (size_t i = 0; i < f->n; i++) {
		j = one_policy(c, f->image[i], "in force");
		conn_end(c, &j);
	}
	waiting(c, &p->activation);
}

static void lines(struct conn *c, const char *text)
{
	for (const char *at = text; *at;) {
		size_t n = strcspn(at, "\n");
		struct json j = conn_line(c);

		json_text(&j, "line", span_of(at, n));
		conn_end(c, &j);
		at += at[n] ? n + 1 : n;
	}
}

static bool customer_waits(const struct activation *a)
{
	for (size_t i = 0; i < a->store.n_staged; i++) {
		if (pol_image_kind(a->store.staged[i].image.image) ==
		    POL_CUSTOMER)
			return true;
	}
	return false;
}

static void difference(struct conn *c, const struct activation *a)
{
	lines(c, a->text);
	if (customer_waits(a))
		lines(c, a->store.customer);
}

void conn_diff(struct conn *c, struct parent *p)
{
	struct json j = conn_ok(c);

	json_u64(&j, "staged", p->activation.store.n_staged);
	conn_end(c, &j);
	difference(c, &p->activation);
}

void conn_pending(struct conn *c, struct parent *p)
{
	struct json j = conn_ok(c);

	json_u64(&j, "staged", p->activation.store.n_staged);
	conn_end(c, &j);
	waiting(c, &p->activation);
	difference(c, &p->activation);
}

void conn_confirm(struct conn *c, size_t number, struct parent *p)
{
	struct err e;
	char who[48];

	if (p->reload.step != RELOAD_IDLE) {
		if (!c->act.begun) /* else it waits for its end, too */
			conn_refuse(c, "a reload is under way; try again");
		return;
	}
	snprintf(who, sizeof(who), "%.16s, uid %u", c->req.guest,
		 (unsigned)c->uid);
	if (!conn_may(c, p, ACT_CONFIRM, NULL, who))
		return;
	if (activate_confirm(&p->activation, c->req.guest, p->conf,
			     parent_policy_note, p, &e) < 0) {
		conn_refuse(c, e.text);
		return;
	}
	c->state = CONN_WAIT;
	reload_start(p, true, number, c->id);
}

/* --- the customer's file -------------------------------------------------------- */

void conn_propose(struct conn *c, size_t number, struct parent *p)
{
	const char *why = propose_may(p);
	char who[32];

	snprintf(who, sizeof(who), "by uid %u", (unsigned)c->uid);
	if (why) {
		conn_refuse(c, why);
	} else if (conn_may(c, p, ACT_PROPOSE, NULL, who)) {
		c->state = CONN_WAIT;
		/* It takes over the octets. */
		propose_start(p, c->body, c->n_body, number, c->id);
		c->body = NULL;
	}
}

void conn_proposed(struct conn *c, struct parent *p, const char *error)
{
	struct json j;

	if (error) {
		conn_refuse(c, error);
		return;
	}
	if (!conn_begin(c))
		return;
	j = conn_ok(c);
	json_u64(&j, "staged", p->activation.store.n_staged);
	conn_end(c, &j);
	waiting(c, &p->activation);
	lines(c, p->activation.store.customer);
}
