/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/eve_facts.h"

#include "audit/record.h"

/* Prefix of relative ApTitles, 2.16.124.113620.1.22.0 (C12.22 annex on OIDs);
 * titles below it are written as the suffix ".71.1001". */
static const uint8_t aptitle_base[] = {0x60, 0x7c, 0x86, 0xf7,
				       0x54, 0x01, 0x16, 0x00};

static const char *const mac_names[] = {"none", "ok", "bad", "unknown-key"};
static const char *const security_names[] = {"clear", "authenticated",
					     "encrypted"};

/* Facts that say what is disclosed: shown by eve_disclosure, in this order. */
static const enum field disclosure[] = {
	F_MEASUREMENT, F_ASKS_FOR, F_GRANULARITY, F_READINGS, F_VALUES,
	F_OLDEST,      F_NEWEST,      F_SPAN_S,	  F_RES_STEP,
	F_RES_UNIT,    F_CHANNELS,    F_VALUE_MIN, F_VALUE_MAX,
};
#define N_DISCLOSURE (sizeof(disclosure) / sizeof(disclosure[0]))

static struct eve_fields shown_elsewhere(void)
{
	struct eve_fields s = {{0}};

	for (size_t i = 0; i < N_DISCLOSURE; i++)
		fields_add(&s, disclosure[i]);
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
void eve_fact(struct json *j, const struct fact *f)
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
static struct eve_fields lists(const struct obs *o)
{
	struct eve_fields once = {{0}}, more = {{0}};

	for (unsigned i = 0; i < o->n; i++) {
		enum field f = (enum field)o->f[i].field;

		if (fields_has(&once, f))
			fields_add(&more, f);
		fields_add(&once, f);
	}
	fields_add(&more, F_NOTE);
	if (o->kind == OBS_C1222_TRACE_REQUEST ||
	    o->kind == OBS_C1222_TRACE_RESPONSE)
		fields_add(&more, F_AP_TITLE);
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
			eve_fact(j, &o->f[k]);
	}
	json_arr_end(j);
}

/* All facts of o but those in skip and those of the disclosure; one that
 * occurs several times becomes a list at its first place. */
void eve_facts(struct json *j, const struct obs *o,
		      const struct eve_opts *opt, struct eve_fields skip)
{
	const struct eve_fields elsewhere = shown_elsewhere(), list = lists(o);

	skip.w[0] |= elsewhere.w[0];
	skip.w[1] |= elsewhere.w[1];
	for (unsigned i = 0; i < o->n; i++) {
		enum field f = (enum field)o->f[i].field;

		if (fields_has(&skip, f) ||
		    (record_leaves_out(f) && !opt->values))
			continue;
		fields_add(&skip, f);
		if (fields_has(&list, f)) {
			put_list(j, o, i);
		} else {
			json_key(j, field_key(f));
			eve_fact(j, &o->f[i]);
		}
	}
}

const struct fact *eve_fact_of(const struct obs *o, enum field f)
{
	for (unsigned i = 0; obs_has(o, f) && i < o->n; i++) {
		if (o->f[i].field == f)
			return &o->f[i];
	}
	return NULL;
}

void eve_disclosure(struct json *j, const struct obs *o,
			   const struct eve_opts *opt)
{
	for (size_t i = 0; i < N_DISCLOSURE; i++) {
		const struct fact *f = eve_fact_of(o, disclosure[i]);

		if (!f || (record_leaves_out(disclosure[i]) && !opt->values))
			continue;
		json_key(j, field_key(disclosure[i]));
		eve_fact(j, f);
	}
}
