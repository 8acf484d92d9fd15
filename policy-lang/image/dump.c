/* SPDX-License-Identifier: Apache-2.0 */
/* An image for programs: each row of each section, with the names of
 * layout.h, in the order of the file. */
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/image/view.h"

#define LINE_MAX ((size_t)1 << 20) /* six octets for each of a text */

struct dump {
	const struct pol_image *im;
	struct json j;
	uint8_t *buf;
	void (*line)(void *arg, struct span json);
	void *arg;
	bool failed;
};

#define U(j, r, f) json_u64(j, #f, (uint64_t)(r)->f)
#define I(j, r, f) json_i64(j, #f, (r)->f)
#define H(j, r, f) json_hex(j, #f, span_of((r)->f, sizeof((r)->f)))
#define S(im, j, r, f)                                                         \
	json_text(j, #f, span_str((im)->STRS + (r)->f))
#define T(im, j, r, f)                                                         \
	json_text(j, #f, span_str((im)->TEXT + (r)->f))
/* An index that may be missing. */
#define X(j, r, f)                                                             \
	((r)->f == LAY_NONE ? json_null(j, #f) : json_u64(j, #f, (r)->f))

#define ROW(name, type)                                                        \
	static void row_##name(const struct pol_image *im, struct json *j,     \
			       const type *r)

static void meas(struct json *j, const char *key, meas_set m)
{
	char buf[MEAS_TEXT];

	json_str(j, key, meas_text(buf, sizeof(buf), m));
}

static void hex64(struct json *j, const char *key, const uint64_t *w, size_t n)
{
	char text[17 * LAY_WORDS];
	size_t at = 0;

	/* The first word holds the lowest bits: as one number, it is last. */
	for (size_t i = 0; i < n; i++) {
		for (int k = 60; k >= 0; k -= 4)
			text[at++] = "0123456789abcdef"
				[w[n - 1 - i] >> k & 15];
	}
	json_text(j, key, span_of(text, at));
}

ROW(META, struct lay_meta)
{
	U(j, r, serial);
	I(j, r, not_before);
	I(j, r, not_after);
	I(j, r, monitor_until);
	I(j, r, widening_notice);
	U(j, r, register_res);
	json_arr(j, "mfg");
	for (uint32_t i = 0; i < r->n_mfg; i++) {
		json_obj(j, NULL);
		U(j, &r->mfg[i], table);
		meas(j, "meas", r->mfg[i].meas);
		json_obj_end(j);
	}
	json_arr_end(j);
	json_arr(j, "lp");
	for (uint32_t i = 0; i < r->n_lp; i++) {
		json_obj(j, NULL);
		U(j, &r->lp[i], table);
		U(j, &r->lp[i], interval_s);
		json_obj_end(j);
	}
	json_arr_end(j);
	S(im, j, r, id);
	S(im, j, r, vm);
	S(im, j, r, meter_id);
	S(im, j, r, timezone);
	T(im, j, r, title);
	T(im, j, r, contact);
	U(j, r, widening_roles);
	U(j, r, billing_day);
	U(j, r, profile);
}

ROW(KEYS, struct lay_key)
{
	S(im, j, r, id);
	H(j, r, ed25519);
}

ROW(VMS, struct lay_vm)
{
	I(j, r, attestation_max);
	S(im, j, r, id);
	S(im, j, r, iface);
	S(im, j, r, policy);
	S(im, j, r, signed_by);
	T(im, j, r, title);
	H(j, r, mac);
	U(j, r, attestation);
	U(j, r, has_mac);
}

ROW(PRTY, struct lay_party)
{
	I(j, r, keeps);
	S(im, j, r, id);
	S(im, j, r, operator_);
	S(im, j, r, country);
	S(im, j, r, dns);
	S(im, j, r, vm);
	T(im, j, r, name);
	U(j, r, port_first);
	U(j, r, port_n);
	U(j, r, oid_off);
	U(j, r, oid_n);
	U(j, r, tls_first);
	U(j, r, tls_n);
	U(j, r, pin_off);
	U(j, r, pin_n);
	U(j, r, role);
	U(j, r, flags);
}

ROW(PORT, struct lay_port)
{
	(void)im;
	U(j, r, lo);
	U(j, r, hi);
	U(j, r, proto);
}

ROW(PFX4, struct lay_pfx4)
{
	(void)im;
	H(j, r, addr);
	U(j, r, len);
	U(j, r, kind);
	U(j, r, owner);
}

ROW(PFX6, struct lay_pfx6)
{
	(void)im;
	H(j, r, addr);
	U(j, r, len);
	U(j, r, kind);
	U(j, r, owner);
}

ROW(SELS, struct lay_sel)
{
	(void)im;
	hex64(j, "parties", &r->parties, 1);
	U(j, r, roles);
	U(j, r, country_first);
	U(j, r, country_n);
	U(j, r, op_first);
	U(j, r, op_n);
	U(j, r, vm_first);
	U(j, r, vm_n);
	U(j, r, flags);
}

ROW(COLS, struct lay_col)
{
	(void)im;
	U(j, r, sel);
	X(j, r, except);
	U(j, r, owner);
	U(j, r, type);
	U(j, r, flags);
}

ROW(OBSV, struct lay_dim)
{
	(void)im;
	if (r->field >= FIELD_COUNT)
		json_null(j, "field");
	else
		json_str(j, "field", field_name((enum field)r->field));
	U(j, r, form);
	U(j, r, n_rows);
	U(j, r, first);
	U(j, r, v_first);
	U(j, r, v_n);
}

ROW(AUTO, struct lay_auto)
{
	(void)im;
	U(j, r, edge_first);
	U(j, r, edge_n);
	U(j, r, cls);
	U(j, r, slash);
	U(j, r, other);
}

ROW(RULE, struct lay_rule)
{
	I(j, r, action_ns);
	I(j, r, monitor_until);
	S(im, j, r, id);
	T(im, j, r, purpose);
	T(im, j, r, message);
	X(j, r, guard);
	X(j, r, data);
	U(j, r, limit_first);
	U(j, r, limit_n);
	U(j, r, kind);
	U(j, r, dir);
	U(j, r, consent);
	U(j, r, severity);
	U(j, r, audit);
	U(j, r, notify);
	U(j, r, action);
	U(j, r, flags);
}

ROW(GARD, struct lay_guard)
{
	(void)im;
	hex64(j, "answers", r->answers, 4);
	hex64(j, "requires", &r->requires_, 1);
	hex64(j, "forbids", &r->forbids, 1);
	I(j, r, spread);
	U(j, r, from_min);
	U(j, r, to_min);
	U(j, r, days);
	U(j, r, requires_builtin);
	U(j, r, forbids_builtin);
	U(j, r, flags);
}

ROW(DATA, struct lay_data)
{
	(void)im;
	meas(j, "meas", r->meas);
	I(j, r, gran_lo);
	I(j, r, gran_hi);
	I(j, r, history);
	I(j, r, delay);
	I(j, r, res_milli);
	I(j, r, value_lo);
	I(j, r, value_hi);
	U(j, r, channels);
	json_str(j, "res_unit", unit_name((enum unit)r->res_unit));
	json_str(j, "value_unit", unit_name((enum unit)r->value_unit));
	U(j, r, flags);
}

ROW(LIMT, struct lay_limit)
{
	U(j, r, n);
	U(j, r, burst);
	meas(j, "meas", r->meas);
	I(j, r, window_ns);
	I(j, r, action_ns);
	T(im, j, r, text);
	S(im, j, r, id);
	X(j, r, rule);
	U(j, r, distinct);
	U(j, r, kind);
	U(j, r, thing);
	U(j, r, window);
	U(j, r, action);
	U(j, r, each);
	U(j, r, flags);
}

ROW(STAT, struct lay_state)
{
	I(j, r, expires);
	S(im, j, r, id);
	U(j, r, scope);
}

ROW(CONS, struct lay_consent)
{
	meas(j, "meas", r->meas);
	I(j, r, finer_than);
	S(im, j, r, id);
	U(j, r, minimum);
}

ROW(ANSW, struct lay_answer)
{
	S(im, j, r, policy);
	S(im, j, r, rule);
	U(j, r, granted);
}

ROW(FLOR, struct lay_floor)
{
	meas(j, "meas", r->meas);
	S(im, j, r, id);
	S(im, j, r, vm);
	U(j, r, limit);
}

ROW(UNIQ, struct lay_unique)
{
	(void)im;
	H(j, r, digest);
}

ROW(INCL, struct lay_lib)
{
	struct img_lib l = img_lib(im, (uint32_t)(r - im->INCL));

	U(j, r, serial);
	H(j, r, digest);
	json_text(j, "id", l.id);
	json_text(j, "path", l.path);
}

ROW(LOCS, struct lay_loc)
{
	(void)im;
	U(j, r, line);
	U(j, r, col);
}

ROW(LABL, struct lay_label)
{
	char grade[2] = {(char)r->grade, 0};

	(void)im;
	I(j, r, spacing);
	U(j, r, party);
	U(j, r, statements);
	U(j, r, clear);
	U(j, r, blurred);
	json_str(j, "grade", grade);
	U(j, r, identity);
	U(j, r, sealed);
	U(j, r, live);
	U(j, r, late);
	U(j, r, other);
}

ROW(SIGN, struct lay_sign)
{
	(void)im;
	H(j, r, key);
	H(j, r, signature);
}

/* --- lines --------------------------------------------------------------- */

static void begin(struct dump *d, const char *section)
{
	d->j = json_of(d->buf, LINE_MAX);
	json_obj(&d->j, NULL);
	json_str(&d->j, "section", section);
}

static void end(struct dump *d)
{
	json_obj_end(&d->j);
	if (json_line(&d->j))
		d->line(d->arg, wbuf_span(&d->j.w));
	else
		d->failed = true;
}

/* Each text of STRS or TEXT and where it begins; the empty one at 0 too. */
static void texts(struct dump *d, const char *section, const char *p,
		  uint32_t n)
{
	for (uint32_t at = 0; at < n;) {
		struct span s = span_str(p + at);

		begin(d, section);
		json_u64(&d->j, "at", at);
		json_text(&d->j, "text", s);
		end(d);
		at += (uint32_t)s.n + 1;
	}
}

/* Numbers by the line of sixteen; octets by the line of 32. */
static void list(struct dump *d)
{
	for (uint32_t i = 0; i < d->im->n_LIST; i += 16) {
		begin(d, "LIST");
		json_u64(&d->j, "row", i);
		json_arr(&d->j, "values");
		for (uint32_t k = i; k < i + 16 && k < d->im->n_LIST; k++)
			json_u64(&d->j, NULL, d->im->LIST[k]);
		json_arr_end(&d->j);
		end(d);
	}
}

static void blob(struct dump *d)
{
	for (uint32_t i = 0; i < d->im->n_BLOB; i += 32) {
		uint32_t n = d->im->n_BLOB - i;

		begin(d, "BLOB");
		json_u64(&d->j, "row", i);
		json_hex(&d->j, "octets",
			 span_of(d->im->BLOB + i, n < 32 ? n : 32));
		end(d);
	}
}

static void bits(struct dump *d)
{
	uint32_t words = d->im->words;

	for (uint32_t i = 0; i < d->im->n_DIMS / words; i++) {
		begin(d, "DIMS");
		json_u64(&d->j, "row", i);
		hex64(&d->j, "columns", d->im->DIMS + (size_t)i * words, words);
		end(d);
	}
}

static void header(struct dump *d)
{
	const struct lay_header *h = d->im->head;

	d->j = json_of(d->buf, LINE_MAX);
	json_obj(&d->j, NULL);
	json_str(&d->j, "section", "header");
	U(&d->j, h, major);
	U(&d->j, h, minor);
	U(&d->j, h, kind);
	U(&d->j, h, flags);
	U(&d->j, h, length);
	U(&d->j, h, n_sections);
	U(&d->j, h, crc);
	H(&d->j, h, payload);
	H(&d->j, h, source);
	U(&d->j, h, serial);
	I(&d->j, h, not_before);
	I(&d->j, h, not_after);
	json_u64(&d->j, "words", d->im->words);
	json_text(&d->j, "path", d->im->path);
	end(d);
}

static void table(struct dump *d)
{
	for (uint32_t i = 0; i < d->im->head->n_sections; i++) {
		struct lay_section t;

		memcpy(&t, d->im->file.p + sizeof(struct lay_header) +
			       i * sizeof(t),
		       sizeof(t));
		begin(d, "table");
		json_text(&d->j, "type", span_of(&t.type, 4));
		U(&d->j, &t, flags);
		U(&d->j, &t, off);
		U(&d->j, &t, len);
		U(&d->j, &t, count);
		U(&d->j, &t, crc);
		end(d);
	}
}

#define ROWS(name)                                                             \
	for (uint32_t i = 0; i < im->n_##name; i++) {                          \
		begin(&d, #name);                                              \
		json_u64(&d.j, "row", i);                                      \
		row_##name(im, &d.j, &im->name[i]);                            \
		end(&d);                                                       \
	}

int pol_image_dump(const struct pol_image *im,
		   void (*each)(void *arg, struct span json), void *arg,
		   struct err *e)
{
	struct dump d = {.im = im, .line = each, .arg = arg};

	d.buf = malloc(LINE_MAX);
	if (!d.buf)
		return err_set(e, E_NOMEM, 0, "out of memory");
	header(&d);
	table(&d);
	ROWS(META)
	texts(&d, "STRS", im->STRS, im->n_STRS);
	texts(&d, "TEXT", im->TEXT, im->n_TEXT);
	blob(&d);
	list(&d);
	ROWS(KEYS)
	ROWS(VMS)
	ROWS(PRTY)
	ROWS(PORT)
	ROWS(PFX4)
	ROWS(PFX6)
	ROWS(SELS)
	ROWS(COLS)
	ROWS(OBSV)
	bits(&d);
	ROWS(AUTO)
	ROWS(RULE)
	ROWS(GARD)
	ROWS(DATA)
	ROWS(LIMT)
	ROWS(STAT)
	ROWS(CONS)
	ROWS(ANSW)
	ROWS(FLOR)
	ROWS(UNIQ)
	ROWS(INCL)
	ROWS(LOCS)
	ROWS(LABL)
	ROWS(SIGN)
	free(d.buf);
	return d.failed ? err_set(e, E_LIMIT, 0, "a row that fits no line") : 0;
}
