/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/record.h"

#include <assert.h>

#include "audit/element.h"
#include "core/crc32c.h"

static const struct {
	uint8_t number;
	bool written;
	enum event_type type;
	const char *name;
} kinds[] = {
#define X(id, number, type, name, written, meaning)                            \
	{number, written, type, name},
	RECORD_KINDS(X)
#undef X
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

enum record_kind record_kind_of_type(enum event_type type)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		if (kinds[i].type == type && kinds[i].type != EV_TYPES)
			return (enum record_kind)kinds[i].number;
	}
	return 0;
}

enum event_type record_type_of(unsigned kind)
{
	return kind >= 1 && kind <= N_KINDS ? kinds[kind - 1].type : EV_TYPES;
}

enum record_kind record_kind_of(const struct event *ev)
{
	enum record_kind kind = record_kind_of_type(ev->type);

	/* A loss is a count by itself. */
	return kind && kind != RECORD_LOSS && ev->count ? RECORD_AGGREGATE
							: kind;
}

const char *record_kind_name(unsigned kind)
{
	return kind >= 1 && kind <= N_KINDS ? kinds[kind - 1].name : "unknown";
}

uint16_t record_class(enum record_kind kind, const struct event *ev)
{
	switch (kind) {
	case RECORD_POLICY:
	case RECORD_MAINTENANCE:
	case RECORD_EXPORT:
	case RECORD_BILL:
		return RECORD_PROTECTED | RECORD_SYNC;
	case RECORD_BOOT:
	case RECORD_LOSS:
		return RECORD_PROTECTED;
	case RECORD_ATTESTATION:
		return ev->verdict == VERDICT_DENY ? RECORD_PROTECTED : 0;
	default:
		return 0;
	}
}

const struct event_rule *record_rule(const struct event *ev)
{
	const struct event_rule *first = NULL, *vendor = NULL;
	bool refused = false;

	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		const struct event_rule *r = &ev->rules[i];

		refused |= r->refused;
		if (r->rule.n == 0)
			continue;
		if (r->refused)
			return r;
		if (span_is(r->layer, "vendor") && !vendor)
			vendor = r;
		if (!first)
			first = r;
	}
	/* A layer without a rule refused: no other layer's rule did. */
	if (refused)
		return NULL;
	return vendor ? vendor : first;
}

/* Numbers for filters and indexes, made from the names in the body, so from
 * as much of them as the body keeps. */
static uint32_t crc_of(uint32_t crc, struct span s, size_t max)
{
	bool cut;

	return crc32c(crc, element_fit(s, max, &cut));
}

static uint32_t rule_id(const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);
	uint32_t crc;

	if (!r)
		return 0;
	crc = crc_of(0, r->policy, ELEMENT_POLICY_MAX);
	crc = crc32c(crc, span_str("/"));
	return crc_of(crc, r->rule, ELEMENT_RULE_MAX);
}

static uint32_t subject_id(const struct event *ev)
{
	return ev->guest.n ? crc_of(0, ev->guest, ELEMENT_GUEST_MAX) : 0;
}

/* What was done: 1 + kind of the observation; flows: 1 start, 2 end. */
static uint32_t action_code(const struct record *r)
{
	if (element_has_leaf(r))
		return 1 + (uint32_t)r->ev->leaves[r->ev->leaf].kind;
	return r->kind == RECORD_FLOW ? r->ev->flow_end ? 2 : 1 : 0;
}

static void put_fixed(struct wbuf *w, const struct record *r)
{
	int64_t us = r->ev->now.wall.us;

	wbuf_u8(w, RECORD_VERSION);
	wbuf_u8(w, (uint8_t)r->kind);
	wbuf_be(w, r->flags & ~(unsigned)RECORD_CUT, 2);
	wbuf_be(w, r->seq, 8);
	wbuf_be(w, (uint64_t)r->ev->now.mono.ns, 8);
	wbuf_be(w, us > 0 ? (uint64_t)us : 0, 8);
	wbuf_be(w, r->boot, 4);
	wbuf_be(w, r->policy_seq, 4);
	wbuf_be(w, rule_id(r->ev), 4);
	wbuf_be(w, subject_id(r->ev), 4);
	wbuf_be(w, action_code(r), 4);
	wbuf_put(w, span_of(r->salt, RECORD_SALT));
}

int record_encode(struct wbuf *w, const struct record *r, struct err *e)
{
	size_t start = w->n;
	bool cut = (r->flags & RECORD_CUT) != 0;

	if (r->ev->now.mono.ns < 0)
		return err_set(e, E_LIMIT, 0, "record: negative clock");
	put_fixed(w, r);
	element_put_all(w, r, &cut);
	wbuf_put(w, r->tail);
	if (w->failed || w->n - start > RECORD_MAX)
		return err_set(e, E_LIMIT, 0, "record: too long");
	if (cut)
		w->p[start + 2] |= RECORD_CUT >> 8;
	return 0;
}

static int not_canonical(struct err *e, size_t off, const char *what)
{
	return err_set(e, E_SYNTAX, off, "record is not canonical: %s", what);
}

/* Made from the body: compared with it. */
struct made {
	uint32_t rule, subject, action;
};

static int get_fixed(struct cur *c, struct record_view *v, struct made *said,
		     struct err *e)
{
	uint8_t version = cur_u8(c);
	uint8_t kind = cur_u8(c);
	uint64_t mono, wall;
	struct span salt;

	v->r.flags = cur_u16(c);
	v->r.seq = cur_u64(c);
	mono = cur_u64(c);
	wall = cur_u64(c);
	v->r.boot = cur_u32(c);
	v->r.policy_seq = cur_u32(c);
	said->rule = cur_u32(c);
	said->subject = cur_u32(c);
	said->action = cur_u32(c);
	salt = cur_take(c, RECORD_SALT);
	if (!cur_ok(c))
		return not_canonical(e, c->off, "cut short");
	if (version != RECORD_VERSION)
		return err_set(e, E_UNSUPPORTED, 0, "record version %u",
			       version);
	if (kind < 1 || kind > N_KINDS || !kinds[kind - 1].written)
		return err_set(e, E_UNSUPPORTED, 1, "record kind %u", kind);
	if (v->r.flags & ~(RECORD_PROTECTED | RECORD_SYNC | RECORD_CUT))
		return err_set(e, E_UNSUPPORTED, 2, "record flags %04x",
			       v->r.flags);
	if (mono > INT64_MAX || wall > INT64_MAX)
		return not_canonical(e, 12, "a clock before its origin");
	v->r.kind = (enum record_kind)kind;
	v->ev.type = kinds[kind - 1].type;
	v->ev.now.mono.ns = (int64_t)mono;
	v->ev.now.wall.us = (int64_t)wall;
	memcpy(v->r.salt, salt.p, RECORD_SALT);
	return 0;
}

/* Its kind is what its event would be recorded as. */
static bool kind_fits(const struct record_view *v)
{
	return v->r.kind == record_kind_of(&v->ev) ||
	       (v->r.kind == RECORD_CLOCK && v->ev.count == 0);
}

int record_decode(struct record_view *v, struct span octets, struct err *e)
{
	struct cur c = cur_of(octets);
	struct made said = {0};
	int rc;

	if (octets.n > RECORD_MAX)
		return err_set(e, E_LIMIT, 0, "record: too long");
	memset(&v->r, 0, sizeof(v->r));
	memset(&v->ev, 0, sizeof(v->ev));
	memset(&v->log, 0, sizeof(v->log));
	v->r.ev = &v->ev;
	rc = get_fixed(&c, v, &said, e);
	if (rc == 0)
		rc = element_get_all(&c, v, e);
	if (rc == 0 && !kind_fits(v))
		rc = not_canonical(e, 1, "not of its kind");
	if (rc == 0 && (said.rule != rule_id(&v->ev) ||
			said.subject != subject_id(&v->ev) ||
			said.action != action_code(&v->r)))
		rc = not_canonical(e, RECORD_FIXED - RECORD_SALT - 12,
				   "a number is not that of its text");
	return rc;
}

void record_salts(const struct hmac_key *key, uint64_t first, size_t n,
		  uint8_t (*out)[RECORD_SALT])
{
	uint8_t number[HMAC_JOBS][8], md[HMAC_JOBS][SHA256_LEN];
	struct span s[HMAC_JOBS] = {{0}};

	assert(n <= HMAC_JOBS);
	for (size_t i = 0; i < n; i++) {
		struct wbuf w = wbuf_of(number[i], sizeof(number[i]));

		wbuf_be(&w, first + i, 8);
		s[i] = wbuf_span(&w);
	}
	hmac_key_of(key, s, n, md);
	for (size_t i = 0; i < n; i++)
		memcpy(out[i], md[i], RECORD_SALT);
}

void record_salt_row(struct salt_row *row, const uint8_t boot_key[32])
{
	hmac_key_make(&row->key, boot_key);
	row->n = 0;
}

const uint8_t *record_salt(struct salt_row *row, uint64_t seq)
{
	if (seq - row->first >= row->n) {
		record_salts(&row->key, seq, HMAC_JOBS, row->salt);
		row->first = seq;
		row->n = HMAC_JOBS;
	}
	return row->salt[seq - row->first];
}
