/* SPDX-License-Identifier: Apache-2.0 */
/* The object of a C12.22 message. */
#include "audit/eve_facts.h"

static const char *const auth_names[] = {"none", "c1222", "c1221", "octet"};
#define AUTH_C1222 1
#define AUTH_C1221 2

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
	const struct fact *code = eve_fact_of(o, F_CODE);
	struct eve_fields skip = {{0}};
	const char *name = NULL;

	/* The response code is the code. */
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		fields_add(&skip, apart[i]);
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
	eve_facts(j, o, opt, skip);
	put_procedure(j, o);
	if (opt->values && obs_has(o, F_DECODED))
		json_raw(j, "decoded", obs_get_span(o, F_DECODED));
	if (with_disclosure)
		eve_disclosure(j, o, opt);
	json_obj_end(j);
}

void eve_c1222(struct json *j, const struct event *ev,
		      const struct eve_opts *opt)
{
	const struct obs *m = ev->message;
	bool judged = ev->type == EV_DECISION || ev->type == EV_VIOLATION;
	struct eve_fields skip = {{0}};

	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		fields_add(&skip, apart[i]);
	json_obj(j, "c1222");
	for (size_t i = 0; i < N_C1222_KEYS; i++) {
		enum field f = c1222_keys[i];
		const struct fact *a = eve_fact_of(m, f);

		fields_add(&skip, f);
		json_key(j, field_key(f));
		if (a)
			eve_fact(j, a);
		else
			json_null(j, NULL);
	}
	eve_facts(j, m, opt, skip);
	put_auth(j, m, opt);
	put_segment(j, m);
	json_arr(j, "services");
	for (uint32_t i = 0; i < ev->n_leaves; i++) {
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
